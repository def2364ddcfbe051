/**
 * `lictor serve`: runs the server until a signal ends it. On a first embedded start it makes the
 * administrator's token and a demonstration instance, and says how to log a user in.
 */

import { hostname } from 'node:os';
import pino, { type Logger } from 'pino';
import { type Config, ConfigError, processEnvironment, readConfig } from '../config.ts';
import { EVALUATION_KEY } from '../domain/keys/keys.ts';
import { SYSTEM_ACTOR } from '../domain/releases.ts';
import { makeReplicaId, type RunningServer, startServer } from '../server.ts';
import { readTelemetryOptions } from '../telemetry/options.ts';
import { activeTraceIds } from '../telemetry/spans.ts';
import { startTelemetry } from '../telemetry.ts';
import { type AdminToken, openAdminToken } from './admintoken.ts';
import { untilAsked } from './ending.ts';
import { version } from './version.ts';

/** The instance that a first embedded start registers, so that there is something to log in to. */
const DEMO_INSTANCE = 'demo';

/** @returns the exit code: 0 ended in good order, 1 failed, 2 not configured. */
export async function runServe(): Promise<number> {
  let config: Config;
  try {
    config = readConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  const logger = makeLogger(config);
  const { options, faults } = readTelemetryOptions(processEnvironment());
  for (const fault of faults) logger.warn(fault);
  const replica = makeReplicaId(hostname());
  const telemetry = await startTelemetry(options, { version, replica, logger });
  // From here on a signal is an orderly end, also in the middle of the start.
  const asked = untilAsked();
  try {
    const admin = await openAdminToken(config);
    const server = await startServer({
      config,
      version,
      replica,
      adminToken: admin.token,
      logger,
      telemetry,
    });
    try {
      logger.info({ url: server.url, version, replica }, 'Lictor listens.');
      welcome(server, config, admin).catch((error) =>
        logger.error({ err: error }, 'The evaluation key could not be installed.'),
      );
      return await untilEnd(server, asked, logger);
    } finally {
      await server.close();
    }
  } catch (error) {
    logger.fatal({ err: error }, 'Lictor cannot run.');
    process.stderr.write(`${adviceOn(error as NodeJS.ErrnoException, config)}\n`);
    return 1;
  } finally {
    await telemetry.close();
  }
}

/** Logs are JSON, one line each, with the trace they belong to. */
function makeLogger(config: Config): Logger {
  return pino({ level: config.logLevel, mixin: activeTraceIds, base: { service: 'lictor' } });
}

/** As soon as it serves, prepares what a first user needs, and tells whoever started it on his own machine. */
async function welcome(server: RunningServer, config: Config, admin: AdminToken): Promise<void> {
  await server.lane.status.firstServing;
  if (config.evaluation) await prepare(server);
  if (server.embedded) process.stdout.write(banner(server.url, admin));
}

/** Installs the built-in evaluation key, and on a first embedded start the demonstration. */
async function prepare({ lane, embedded }: RunningServer): Promise<void> {
  const state = await lane.read((table) => ({
    hasKey: table.keys.has(EVALUATION_KEY.id),
    isNew: table.version === 0,
  }));
  if (!state.hasKey) {
    await lane.submit({ op: 'install-key', key: EVALUATION_KEY, file: null, actor: SYSTEM_ACTOR });
  }
  if (!embedded || !state.isNew) return;
  await lane.submit({
    op: 'register',
    name: DEMO_INSTANCE,
    key: EVALUATION_KEY.id,
    incarnation: null,
    registrationId: null,
    product: 'demonstration',
    version: null,
    licenseServers: null,
    settings: { graceSeconds: 0 },
    actor: SYSTEM_ACTOR,
  });
}

/** What a person sees who starts it on his own machine. */
function banner(url: string, admin: AdminToken): string {
  const token = admin.file === null ? '$LICTOR_ADMIN_TOKEN' : `$(cat ${admin.file})`;
  const first = admin.isNew ? `\n  Administrator's token   ${admin.token}` : '';
  const kept = admin.file === null ? '' : `\n  Token kept in           ${admin.file}`;
  return `
  Lictor listens on       ${url}
  API reference           ${url}/docs${first}${kept}

  Log a user in:

    curl -s -X POST ${url}/v1/logins \\
      -H "Authorization: Bearer ${token}" -H 'Content-Type: application/json' \\
      -d '{"instance": "${DEMO_INSTANCE}", "user": "alice"}'

`;
}

/** What keeps a server from starting, with what to do about it. */
function adviceOn(error: NodeJS.ErrnoException, config: Config): string {
  const { message, code } = error;
  if (code === 'EADDRINUSE') {
    return `Port ${config.port} of ${config.host} is in use (${message}). Stop what listens there, or set PORT to another.`;
  }
  if (code === 'EACCES' && message.includes('listen')) {
    return `Port ${config.port} may not be used (${message}). Set PORT to one above 1023.`;
  }
  const database = ['ECONNREFUSED', 'ENOTFOUND', 'CONNECT_TIMEOUT', 'EHOSTUNREACH', 'ABORT_ERR'];
  if (config.databaseUrl !== null && database.includes(code ?? '')) {
    return `The database that DATABASE_URL names cannot be reached (${message}). Start it, or mend the address; without DATABASE_URL an embedded Postgres is used.`;
  }
  return message;
}

/** Waits for a signal or a failure. */
async function untilEnd(
  server: RunningServer,
  asked: Promise<NodeJS.Signals>,
  logger: Logger,
): Promise<number> {
  const astray = new Promise<Error>((resolve) => {
    process.once('uncaughtException', resolve);
    process.once('unhandledRejection', (reason) => resolve(reason as Error));
  });
  const end = await Promise.race([asked, server.failed, astray]);
  if (end instanceof Error) {
    logger.fatal({ err: end }, 'Lictor cannot go on.');
    return 1;
  }
  logger.info({ signal: end }, 'Lictor is closing.');
  return 0;
}
