/**
 * The composition root: builds everything out of the configuration, listens, and closes in order. Wiring is
 * here and nowhere else.
 */

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Sql } from 'postgres';
import type { Config } from './config.ts';
import type { Coordinator } from './coordination/coordinator.ts';
import { createMemoryCoordinator } from './coordination/memory.ts';
import { createRedisCoordinator } from './coordination/redis.ts';
import { type App, buildApp } from './http/app.ts';
import { createAuthenticator } from './http/auth.ts';
import { listRoutes } from './http/routes.ts';
import { Activations } from './service/activations.ts';
import { Applications } from './service/applications.ts';
import { Arrivals } from './service/arrivals.ts';
import { DatabaseClock } from './service/clock.ts';
import { Diagnoses } from './service/diagnosis.ts';
import { Excesses } from './service/excesses.ts';
import { Fold } from './service/fold.ts';
import type { Health } from './service/health.ts';
import { Heartbeats } from './service/heartbeats.ts';
import { Instances } from './service/instances.ts';
import { Journal } from './service/journal.ts';
import { KeyDirectory } from './service/keydirectory.ts';
import { Keys } from './service/keys.ts';
import { KeyServing } from './service/keyserving.ts';
import { Lane } from './service/lane.ts';
import { LaneStorage } from './service/lanestorage.ts';
import { Leadership } from './service/leadership.ts';
import { Leases } from './service/leases.ts';
import { LicenseServers } from './service/licenseservers.ts';
import { Logins } from './service/logins.ts';
import { Packing } from './service/packing.ts';
import { Partitions } from './service/partitions.ts';
import { createReadiness, gaugesOf } from './service/readiness.ts';
import { Reaping } from './service/reaping.ts';
import { Releases } from './service/releases.ts';
import { createReporting } from './service/reporting.ts';
import { ServedKeys } from './service/servedkeys.ts';
import { Serving } from './service/serving.ts';
import { Signs } from './service/signs.ts';
import { Summary } from './service/summary.ts';
import { tallyRow } from './service/tally.ts';
import { createTokens } from './service/tokens.ts';
import { Updates } from './service/updates.ts';
import { Usage } from './service/usage.ts';
import { checkDurability, connectDatabase, connectLaneDatabase } from './storage/database.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './storage/embedded.ts';
import { migrate } from './storage/migrations.ts';
import { metrics } from './telemetry/metrics.ts';
import type { Telemetry } from './telemetry.ts';

/** One shard to start with; keys can be spread over more without a new design. */
const SHARD = 0;
/** How long a client may take to send a whole request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than load balancers keep idle connections, so that they close first, in milliseconds. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How long an append may go unanswered before its connection is given up, in milliseconds. */
const APPEND_TIMEOUT_MS = 10_000;

/** What is closed last still has this long, in milliseconds: the embedded Postgres is to end in good order. */
const CLOSE_TIME_MIN_MS = 1_000;

/** What a server is started with. */
export interface ServerParts {
  readonly config: Config;
  readonly version: string;
  /** The replica's ID. */
  readonly replica: string;
  /** The administrator's token that is always valid, or null. */
  readonly adminToken: string | null;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** A server that listens. */
export interface RunningServer {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The lane, for what the entry does before it says that it is ready. */
  readonly lane: Lane;
  readonly embedded: boolean;
  /** Settles with the reason when it cannot go on. */
  readonly failed: Promise<Error>;
  /** Stops accepting, finishes batches, releases what it holds and closes, in that order. */
  close(): Promise<void>;
}

/** Things to close, in the reverse of the order in which they were opened. */
class Closers {
  readonly #closers: (readonly [name: string, close: () => Promise<unknown>])[] = [];
  readonly #logger: Logger;
  readonly #timeoutMs: number;

  constructor(logger: Logger, timeoutMs: number) {
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
  }

  add(name: string, close: () => Promise<unknown>): void {
    this.#closers.push([name, close]);
  }

  /** Closes everything within the time for all of it; what fails or takes too long is said and passed over. */
  async close(): Promise<void> {
    const deadline = performance.now() + this.#timeoutMs;
    for (const [name, close] of this.#closers.splice(0).reverse()) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        const leftMs = Math.max(CLOSE_TIME_MIN_MS, deadline - performance.now());
        timer = setTimeout(() => reject(new Error(`${name} did not close in time`)), leftMs);
      });
      await Promise.race([close(), late]).catch((error) =>
        this.#logger.warn({ err: error }, 'Something did not close in good order.'),
      );
      clearTimeout(timer);
    }
  }
}

/**
 * Starts a server. It listens as soon as its parts are built; readiness says when it serves.
 * @throws whatever keeps it from starting, in words; everything opened until then is closed again.
 */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const closers = new Closers(parts.logger, parts.config.shutdownTimeoutMs);
  try {
    return await openServer(parts, closers);
  } catch (error) {
    await closers.close();
    throw error;
  }
}

async function openServer(parts: ServerParts, closers: Closers): Promise<RunningServer> {
  const { config, logger } = parts;
  const embedded = await openEmbedded(config, logger, closers);
  const databaseUrl = embedded?.url ?? config.databaseUrl!;
  const clock = new DatabaseClock();
  const sql = await openDatabase(databaseUrl, config, logger, closers);
  const coordinator = await openCoordinator(config, clock, logger);
  closers.add('coordination', () => coordinator.close());
  const serving = await openServing(databaseUrl, coordinator.kind === 'memory', logger, closers);
  const { lane, storage } = openLane(parts, databaseUrl, coordinator, clock, closers);
  const core = { sql, databaseUrl, lane, coordinator, clock, serving };
  const leadership = openWorkers(parts, core, closers);
  metrics.observe(gaugesOf(lane, leadership, coordinator));
  const health = createReadiness({ lane, storage, coordinator, serving, leadership, replica: parts.replica });
  const servedKeys = openServedKeys(parts, core, leadership, closers);
  const app = openApp(parts, { ...core, servedKeys }, health, closers);
  lane.start();
  const url = await app.listen({ host: config.host, port: config.port });
  return {
    url,
    lane,
    embedded: embedded !== null,
    failed: embedded
      ? embedded.exited.then(() => new Error('The embedded Postgres ended.'))
      : new Promise(() => {}),
    close: () => closers.close(),
  };
}

/** What everything above the lane is built on. */
interface Core {
  readonly sql: Sql;
  readonly databaseUrl: string;
  readonly lane: Lane;
  readonly coordinator: Coordinator;
  readonly clock: DatabaseClock;
  readonly serving: Serving;
}

/** Builds the services and the HTTP application over them. */
function openApp(
  { config, logger, version, telemetry, adminToken }: ServerParts,
  {
    sql,
    databaseUrl,
    lane,
    coordinator,
    clock,
    serving,
    servedKeys,
  }: Core & { readonly servedKeys: ServedKeys },
  health: Health,
  closers: Closers,
): App {
  const tokens = createTokens({ sql, adminToken, cacheMs: config.tokenCacheMs, logger });
  closers.add('tokens', () => tokens.close());
  const mayTrust = () => coordinator.kind === 'redis' || serving.held;
  const heartbeats = new Heartbeats({ lane, coordinator, clock, mayTrust });
  const shared = { lane, sql, clock, heartbeats, shard: SHARD, revoked: config.revokedKeys };
  const connectDump = () => connect(databaseUrl, 'lictor dump', logger);
  const signs = new Signs({ coordinator, staleAfterMs: 2_000 * config.updateIntervalSeconds });
  const { trustedKeys: trusted, allowUnverifiedKeys: allowUnverified, timeZone } = config;
  const licenseServers = new LicenseServers({ ...shared, leaseMs: config.licenseServerLeaseMs, logger });
  const keys = new Keys({ ...shared, trusted, allowUnverified, timeZone });
  const app = buildApp({
    options: {
      version,
      bodyBytesMax: config.bodyBytesMax,
      trustedProxies: [...config.trustedProxies],
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: KEEP_ALIVE_TIMEOUT_MS,
      docs: true,
    },
    logger,
    authenticate: createAuthenticator({
      tokens,
      coordinator,
      failuresPerMinuteMax: config.authFailuresPerMinuteMax,
    }),
    routes: listRoutes({
      tokens,
      health,
      telemetry,
      metricsPublic: config.metricsPublic,
      heartbeats,
      logins: new Logins(shared),
      keys,
      instances: new Instances({ ...shared, graceSeconds: config.instanceGraceSeconds }),
      activations: new Activations(shared),
      applications: new Applications({ ...shared, ...config, trusted }),
      servedKeys,
      updates: new Updates(shared),
      updateIntervalSeconds: config.updateIntervalSeconds,
      excesses: new Excesses({ ...shared, ...config, signs, arrivals: new Arrivals(lane) }),
      usage: new Usage({ ...shared, signs }),
      leases: new Leases(shared),
      summary: new Summary(shared),
      ...createReporting({ ...shared, keys, licenseServers, connect: connectDump }),
      journal: new Journal(shared),
      licenseServers,
      diagnoses: new Diagnoses({ ...shared, ...config, version, coordinator, licenseServers, health }),
      releases: new Releases(shared),
    }),
  });
  closers.add('HTTP', () => app.close());
  return app;
}

async function openServing(url: string, alone: boolean, logger: Logger, closers: Closers): Promise<Serving> {
  const serving = new Serving({ sql: connect(url, 'lictor serving', logger, true), alone, logger });
  closers.add('claim to serve', () => serving.close());
  await serving.start();
  return serving;
}

async function openEmbedded(
  config: Config,
  logger: Logger,
  closers: Closers,
): Promise<EmbeddedPostgres | null> {
  if (config.databaseUrl !== null) return null;
  const directory = path.join(config.dataDirectory, 'postgres');
  const embedded = await startEmbeddedPostgres({ directory, logger });
  closers.add('embedded Postgres', () => embedded.stop());
  return embedded;
}

/** A handle with one connection, for work that must not wait for others; `isKept` while it holds a lock. */
function connect(url: string, applicationName: string, logger: Logger, isKept = false): Sql {
  return connectDatabase({ url, connectionsMax: 1, isKept, logger, applicationName });
}

async function openDatabase(url: string, config: Config, logger: Logger, closers: Closers): Promise<Sql> {
  const sql = connectDatabase({
    url,
    connectionsMax: config.databaseConnectionsMax,
    logger,
    applicationName: 'lictor',
  });
  closers.add('database', () => sql.end({ timeout: 2 }));
  await migrate(sql, { logger });
  return sql;
}

async function openCoordinator(config: Config, clock: DatabaseClock, logger: Logger): Promise<Coordinator> {
  if (config.redisUrl === null && config.redisSentinels.length === 0) {
    return createMemoryCoordinator({ now: () => clock.nowMs() });
  }
  const tls = config.redisCaFile === null ? {} : { tls: { ca: await readFile(config.redisCaFile, 'utf8') } };
  const common = { prefix: config.redisPrefix, commandTimeoutMs: config.redisTimeoutMs, logger, ...tls };
  if (config.redisUrl !== null) return createRedisCoordinator({ url: config.redisUrl, ...common });
  return createRedisCoordinator({
    ...common,
    sentinels: config.redisSentinels,
    name: config.redisSentinelName!,
    ...(config.redisUsername === null ? {} : { username: config.redisUsername }),
    ...(config.redisPassword === null ? {} : { password: config.redisPassword }),
    ...(config.redisSentinelPassword === null ? {} : { sentinelPassword: config.redisSentinelPassword }),
  });
}

function openLane(
  { config, logger }: ServerParts,
  url: string,
  coordinator: Coordinator,
  clock: DatabaseClock,
  closers: Closers,
): { lane: Lane; storage: LaneStorage } {
  const storage = new LaneStorage({
    connect: (listeners) =>
      connectLaneDatabase({ url, logger, applicationName: 'lictor lane', ...listeners }),
    checkDurability,
    allowUnsafeDurability: config.allowUnsafeDurability,
    appendTimeoutMs: APPEND_TIMEOUT_MS,
  });
  closers.add('lane storage', () => storage.close());
  const lane = new Lane({
    shard: SHARD,
    storage,
    coordinator,
    clock,
    policy: {
      revokedKeys: config.revokedKeys,
      evaluation: config.evaluation,
      leaseTermMs: config.leaseTermSeconds * 1000,
      sharedApplications: config.applicationsShared,
    },
    logger,
    batchOperationsMax: config.batchOperationsMax,
    batchBytesMax: config.batchBytesMax,
    queueLengthMax: config.queueLengthMax,
    queueWaitMs: config.queueWaitMs,
    headPollMs: config.headPollMs,
  });
  lane.onRow((row, _table, isOwn) => {
    if (row !== null && isOwn) tallyRow(row);
  });
  closers.add('lane', () => lane.close());
  return { lane, storage };
}

/** Starts the work behind the lane: leadership, what only the leader does, and the packing of what is folded. */
function openWorkers(
  { config, logger, replica }: ServerParts,
  { sql, databaseUrl, lane, coordinator, clock, serving }: Core,
  closers: Closers,
): Leadership {
  const foldSql = connect(databaseUrl, 'lictor fold', logger);
  closers.add('fold database', () => foldSql.end({ timeout: 2 }));
  const leadership = new Leadership({
    ...{ shard: SHARD, sql, holder: replica, logger },
    leaseMs: config.leaderLeaseMs,
    renewMs: config.leaderRenewMs,
    // A replica that cannot use its table can neither fold nor reap.
    mayLead: () => serving.held && lane.status.state === 'serving',
  });
  const shared = { shard: SHARD, lane, leadership, clock, logger };
  const fold = new Fold({ ...shared, sql: foldSql, intervalMs: config.foldIntervalMs });
  const [intervalMs, marginMs] = [config.reapIntervalMs, config.reapMarginMs];
  const workers = {
    leadership,
    fold,
    packing: new Packing({ ...shared, busy: fold.busy }),
    partitions: new Partitions({ ...shared, sql, keepDays: config.journalKeepDays }),
    reaping: new Reaping({ ...shared, sql, coordinator, intervalMs, marginMs }),
  };
  for (const [name, worker] of Object.entries(workers)) {
    closers.add(name, () => worker.close());
    worker.start();
  }
  return leadership;
}

/** Keys that are served by LicenseID: every replica looks at the directory, the leader acts. */
function openServedKeys(
  { config, logger }: ServerParts,
  { sql, lane, clock }: Core,
  leadership: Leadership,
  closers: Closers,
): ServedKeys {
  const { revokedKeys: revoked, trustedKeys: trusted, timeZone, keyDirectory: path } = config;
  const shared = { lane, sql, clock, revoked, logger };
  const keys = new Keys({ ...shared, trusted, timeZone, allowUnverified: config.allowUnverifiedKeys });
  const directory = path === null ? null : new KeyDirectory({ ...shared, path, keys });
  const keyServing = new KeyServing({
    ...{ ...shared, keys, leadership, directory },
    lookIntervalMs: config.keyDirectoryPollSeconds * 1_000,
    checkIntervalMs: config.servedKeyCheckSeconds * 1_000,
  });
  closers.add('served keys', () => keyServing.close());
  keyServing.start();
  return new ServedKeys({ lane, clock, directory });
}

/** @returns an ID for a replica: the host's name, which people know, and something that no other life of it has. */
export function makeReplicaId(hostname: string): string {
  return `${hostname.slice(0, 60)}-${randomUUID().slice(0, 8)}`;
}
