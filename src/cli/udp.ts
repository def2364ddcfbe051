/**
 * `lictor udp`: the sidecar for instances that speak UDP, as a process of its own, until a signal ends it.
 */

import { hostname } from 'node:os';
import { metrics as metricsApi } from '@opentelemetry/api';
import pino, { type Logger } from 'pino';
import { ConfigError, processEnvironment, readUdpConfig, type UdpConfig } from '../config.ts';
import { makeReplicaId } from '../server.ts';
import { declareDatagramInstruments } from '../telemetry/datagrams.ts';
import { readTelemetryOptions } from '../telemetry/options.ts';
import { startTelemetry, type Telemetry } from '../telemetry.ts';
import { type Health, openHealth } from '../udp/health.ts';
import { type RunningSidecar, startSidecar } from '../udp/running.ts';
import { untilAsked } from './ending.ts';
import { version } from './version.ts';

const USAGE = `lictor udp - the sidecar for instances that speak UDP (docs/udp-protocol.md)

  lictor udp                  settings come from the environment: docs/configuration.md
  lictor udp --server NAME    serves the entry NAME of the roster of licence servers
`;

/**
 * Runs the sidecar.
 * @param args - the command line after `udp`.
 * @returns the exit code: 0 ended in good order, 1 failed, 2 not configured or misused.
 */
export async function runUdp(args: readonly string[]): Promise<number> {
  if (args[0] === '--help' || args[0] === '-h') {
    process.stdout.write(USAGE);
    return 0;
  }
  const config = configOf(args);
  if (config === null) return 2;
  const logger = pino({ level: config.logLevel, base: { service: 'lictor-udp' } });
  const { options, faults } = readTelemetryOptions(processEnvironment());
  for (const fault of faults) logger.warn(fault);
  const holder = makeReplicaId(hostname());
  const telemetry = await startTelemetry(options, { version, replica: holder, logger });
  const asked = untilAsked();
  try {
    const sidecar = await startSidecar({ ...config, holder, logger });
    try {
      return await serve(config, sidecar, telemetry, asked, logger);
    } finally {
      await sidecar.close();
    }
  } catch (error) {
    logger.fatal({ err: error }, 'The UDP sidecar cannot run.');
    process.stderr.write(`${adviceOn(error as NodeJS.ErrnoException, config)}\n`);
    return 1;
  } finally {
    await telemetry.close();
  }
}

/** The configuration, with what the command line says; null when there is none, which was told then. */
function configOf(args: readonly string[]): UdpConfig | null {
  const [option, name, ...rest] = args;
  const isServer = option === '--server' && name !== undefined && rest.length === 0;
  if (args.length > 0 && !isServer) {
    process.stderr.write(`"${args.join(' ')}" is not understood.\n\n${USAGE}`);
    return null;
  }
  try {
    const environment = processEnvironment();
    return readUdpConfig(isServer ? { ...environment, LICTOR_UDP_SERVER: name } : environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return null;
  }
}

/** Answers whoever watches, until a signal. */
async function serve(
  config: UdpConfig,
  sidecar: RunningSidecar,
  telemetry: Telemetry,
  asked: Promise<NodeJS.Signals>,
  logger: Logger,
): Promise<number> {
  declareDatagramInstruments(metricsApi.getMeter('lictor-udp', version), {
    stagedOctets: () => sidecar.stagedOctets(),
    active: () => sidecar.role() === 'active',
    instances: () => sidecar.instances(),
  });
  let health: Health | null = null;
  if (config.healthPort !== null) {
    health = await openHealth(config.healthHost, config.healthPort, {
      state: () => ({ status: 'ok', role: sidecar.role(), instances: sidecar.instances(), version }),
      metrics: () => telemetry.prometheusText(),
    });
  }
  try {
    const { bound } = sidecar;
    const instances = sidecar.instances();
    logger.info({ bound, health: health?.url, instances, version }, 'The UDP sidecar receives.');
    const signal = await asked;
    logger.info({ signal }, 'The UDP sidecar is closing.');
    return 0;
  } finally {
    await health?.close();
  }
}

/** What keeps a sidecar from starting, with what to do about it. */
function adviceOn({ message, code }: NodeJS.ErrnoException, config: UdpConfig): string {
  if (code === 'EADDRINUSE') {
    return `A port is in use (${message}). Stop what receives there, or change LICTOR_UDP_PORTS, LICTOR_UDP_HOSTS or LICTOR_UDP_HEALTH_PORT.`;
  }
  if (code === 'ENOENT' && config.tokenFile !== null && message.includes(config.tokenFile)) {
    return `The file that LICTOR_TOKEN_FILE names is not there (${message}). Mend the path.`;
  }
  return message;
}
