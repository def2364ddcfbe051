/** The running sidecar: everything is built here, bound, and closed in order. */

import { createHmac, createSecretKey, type KeyObject, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Client, createClient } from '../client/client.ts';
import { ApiError } from '../client/problems.ts';
import type { FaultLogger } from './faults.ts';
import { greet, lictorBy } from './lictor.ts';
import { Querying } from './querying.ts';
import { type ReportScope, Reports } from './reports.ts';
import { alone, Beats, type Roster, type RosterLine } from './roster.ts';
import { Secrets, type SecretsLogger } from './secrets.ts';
import { Sidecar, type SidecarLimits } from './sidecar.ts';
import { type Bound, openSockets, type SocketsLogger } from './sockets.ts';

/** How often the secrets file is looked at, and what has waited too long is dropped. */
const UPKEEP_INTERVAL_MS = 2_000;
/** A call to Lictor: an instance that waits longer sends again. */
const CALL_TIMEOUT_MS = 6_000;
const ATTEMPT_TIMEOUT_MS = 3_000;
const ATTEMPTS_MAX = 2;
/** How long a shutdown waits for what is under way. */
const CLOSE_TIMEOUT_MS = 5_000;
const IDLE_POLL_MS = 20;
/** What one instance may have Lictor asked: an instance that keeps to the protocol asks once a second at most. */
const CALLS_PER_SECOND = 20;
/** What every access token looks like. */
const TOKEN = /^[\x21-\x7e]+$/;
/** How many datagrams may come at once after a pause, as seconds of the rate. */
const BURST_SECONDS = 2;

/** What the sidecar tells about itself; a pino logger fits. */
type RunningLogger = FaultLogger & SecretsLogger & SocketsLogger;

/** What a sidecar is started with. */
export interface SidecarOptions {
  readonly urls: readonly string[];
  readonly token: string | null;
  readonly tokenFile: string | null;
  readonly secretsFile: string;
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  /** The entry of the roster that it serves; null for none. */
  readonly server: string | null;
  readonly reports: ReportScope;
  readonly addressRateMax: number;
  readonly instanceRateMax: number;
  readonly stagedBytesMax: number;
  readonly flightsMax: number;
  /** The ID of this process. */
  readonly holder: string;
  readonly logger: RunningLogger;
}

/** A sidecar that receives. */
export interface RunningSidecar {
  readonly bound: readonly Bound[];
  /** The word for its role: `active`, `standby` or `unknown`. */
  role(): string;
  stagedOctets(): number;
  instances(): number;
  /** Stops acting, lets what is under way end, and closes everything. */
  close(): Promise<void>;
}

/**
 * Starts a sidecar.
 * @param options - see there.
 * @throws SecretsError; the system's error when a socket cannot be bound or the token's file cannot be read.
 */
export async function startSidecar(options: SidecarOptions): Promise<RunningSidecar> {
  const { urls, token, tokenFile, logger } = options;
  const proofKey = deriveProofKey(token ?? (await readToken(tokenFile!)));
  const secrets = await Secrets.open(options.secretsFile);
  const client = createClient({
    url: urls,
    ...(token === null ? { tokenFile: tokenFile! } : { token }),
    timeoutMs: CALL_TIMEOUT_MS,
    attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
    attemptsMax: ATTEMPTS_MAX,
  });
  const { server: name, holder } = options;
  const beats = name === null ? null : new Beats({ client, name, holder, logger });
  let place: RosterLine = { name: '-', address: '-', port: 0, state: 'active' };
  const roster: Roster = beats ?? alone(() => place);
  const nowMs = () => performance.now();
  const sidecar = new Sidecar({
    keysOf: (instance) => secrets.keysOf(instance),
    proofKey,
    lictor: lictorBy(client),
    roster,
    querying: new Querying(new Reports(client, roster, options.reports), nowMs, randomInt(1, 2 ** 31)),
    limits: limitsOf(options),
    logger,
    wallMs: () => Date.now(),
    nowMs,
  });
  const sockets = await openSockets(
    options.hosts,
    options.ports,
    (datagram, sender, reply) => sidecar.receive(datagram, sender, reply),
    logger,
  );
  place = { ...place, ...sockets.bound[0]! };
  beats?.start();
  void tryLictor(client, logger);
  const upkeep = setInterval(() => {
    sidecar.sweep();
    void secrets.refresh(logger);
  }, UPKEEP_INTERVAL_MS);
  return {
    bound: sockets.bound,
    role: () => roster.role().is,
    stagedOctets: () => sidecar.stagedOctets,
    instances: () => secrets.size,
    async close() {
      clearInterval(upkeep);
      await beats?.close();
      await untilIdle(sidecar);
      await sockets.close();
      client.close();
    },
  };
}

/** Proofs would be anybody's to make under a token that is empty, as of a file that is still to be written. */
async function readToken(file: string): Promise<string> {
  const token = (await readFile(file, 'utf8')).trim();
  if (TOKEN.test(token)) return token;
  throw new Error(`The file ${file}, which LICTOR_TOKEN_FILE names, holds no access token. Write one to it.`);
}

/** Proofs of address are made under the token, which no instance knows and which outlives the process. */
function deriveProofKey(token: string): KeyObject {
  return createSecretKey(createHmac('sha256', token).update('lictor-udp/1 proof').digest());
}

function limitsOf(options: SidecarOptions): SidecarLimits {
  const rate = (perSecond: number) => ({ perSecond, burst: perSecond * BURST_SECONDS });
  return {
    perAddress: rate(options.addressRateMax),
    perInstance: rate(options.instanceRateMax),
    perInstanceCalls: rate(CALLS_PER_SECOND),
    flightsMax: options.flightsMax,
    stagedOctetsMax: options.stagedBytesMax,
  };
}

/** Says at the start what would else be found out by silence: that Lictor is away, or the token is not good. */
async function tryLictor(client: Client, logger: RunningLogger): Promise<void> {
  try {
    const key = await greet(client);
    if (key !== null) logger.info({}, 'Lictor answers.');
    else logger.warn({}, 'Lictor answers, but shows the sidecar no key. Install one, or mend its token.');
  } catch (error) {
    const words =
      error instanceof ApiError
        ? "Lictor refuses the sidecar: mend its token, which needs an operator's role."
        : 'Lictor cannot be reached; until it is, instances go on alone.';
    logger.warn({ err: error }, words);
  }
}

async function untilIdle(sidecar: Sidecar): Promise<void> {
  const deadlineMs = performance.now() + CLOSE_TIMEOUT_MS;
  while (!sidecar.isIdle && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, IDLE_POLL_MS));
  }
}
