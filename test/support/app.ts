/** The whole application on a database of its own: a real lane with in-memory coordination, and every route. */
import { randomUUID } from 'node:crypto';
import type { LightMyRequestResponse } from 'fastify';
import type { Sql } from 'postgres';
import { createMemoryCoordinator } from '../../src/coordination/memory.ts';
import type { Role } from '../../src/domain/access.ts';
import { SHARED_BY_DEFAULT } from '../../src/domain/applications/applications.ts';
import { EVALUATION_KEY } from '../../src/domain/keys/keys.ts';
import type { Answer, Operation } from '../../src/domain/operations.ts';
import type { App } from '../../src/http/app.ts';
import { listRoutes } from '../../src/http/routes.ts';
import { Activations } from '../../src/service/activations.ts';
import { Applications } from '../../src/service/applications.ts';
import { Arrivals } from '../../src/service/arrivals.ts';
import { DatabaseClock } from '../../src/service/clock.ts';
import { Diagnoses } from '../../src/service/diagnosis.ts';
import { Excesses } from '../../src/service/excesses.ts';
import { Heartbeats } from '../../src/service/heartbeats.ts';
import { Instances } from '../../src/service/instances.ts';
import { Journal } from '../../src/service/journal.ts';
import { Keys } from '../../src/service/keys.ts';
import { Lane } from '../../src/service/lane.ts';
import { LaneStorage } from '../../src/service/lanestorage.ts';
import { Leases } from '../../src/service/leases.ts';
import { LicenseServers } from '../../src/service/licenseservers.ts';
import { Logins } from '../../src/service/logins.ts';
import { Releases } from '../../src/service/releases.ts';
import { createReporting } from '../../src/service/reporting.ts';
import { ServedKeys, type ServedKeysOptions } from '../../src/service/servedkeys.ts';
import { Signs } from '../../src/service/signs.ts';
import { Summary } from '../../src/service/summary.ts';
import { createTokens, type Tokens } from '../../src/service/tokens.ts';
import { Updates } from '../../src/service/updates.ts';
import { Usage } from '../../src/service/usage.ts';
import { checkDurability, connectDatabase, connectLaneDatabase } from '../../src/storage/database.ts';
import { createTestDatabase } from './database.ts';
import { ADMIN_TOKEN, bearer, buildTestApp, createRecordingLogger } from './http.ts';
import { signedKeyFile, type TestKeyFile, TRUSTED } from './keyfiles.ts';
import { makeLogin } from './make.ts';
import { until } from './wait.ts';

/** What a test wants of the application; every part has a default. */
export interface AppFields {
  /** Whether an instance without a key runs on the built-in evaluation key, which is installed then. */
  readonly evaluation?: boolean;
  readonly allowUnverified?: boolean;
  readonly revoked?: ReadonlySet<string>;
  readonly graceSeconds?: number;
  readonly licenseServerLeaseMs?: number;
  readonly leaseTermMs?: number;
  /** Whether application sections must be signed. */
  readonly applicationsSigned?: boolean;
  /** How many rows one page of the journal may look at. */
  readonly journalRowsScannedMax?: number;
  /** How many rows of an instance a report goes through in memory. */
  readonly reportRowsInMemoryMax?: number;
  /** The directory of served keys as a replica sees it; none when left out. */
  readonly keyDirectory?: ServedKeysOptions['directory'];
  /** The time; that of the database when left out. */
  readonly clock?: DatabaseClock;
}

/** One request. */
export interface Call {
  /** A token's text; the administrator's when it is left out, none when it is null. */
  readonly token?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A restriction of a token. */
export interface Restriction {
  readonly keys?: readonly string[];
  readonly instance?: string;
}

/** The application and all that a test needs around it. */
export interface StartedApp {
  readonly app: App;
  readonly lane: Lane;
  readonly sql: Sql;
  /** Unrestricted tokens by role. */
  readonly tokens: Readonly<Record<Role, string>>;
  /** Makes a token, by default unrestricted. */
  token(role: Role, restriction?: Restriction): Promise<string>;
  /** Sends a request: `call('GET /v1/keys')`. */
  call(request: string, options?: Call): Promise<LightMyRequestResponse>;
  /** Puts an operation into the lane, as whoever does what has no route in the test. */
  ask(operation: Operation): Promise<Answer>;
  /** Installs a signed key file. */
  installKey(fields?: Parameters<typeof signedKeyFile>[0], sections?: string): Promise<TestKeyFile>;
  /** Registers an instance with a key. */
  register(name: string, key?: string, body?: object): Promise<LightMyRequestResponse>;
  /** Logs somebody in and expects a grant. */
  login(instance: string, user: string, fields?: Parameters<typeof makeLogin>[0]): Promise<string>;
  close(): Promise<void>;
}

const SHARD = 0;
const READY = { status: 'ready', words: '' } as const;
const READY_TIMEOUT_MS = 10_000;

/**
 * Starts the application. Close it at the end of the test file.
 * @param fields - see there.
 */
export async function startApp(fields: AppFields = {}): Promise<StartedApp> {
  const database = await createTestDatabase();
  const logger = createRecordingLogger();
  const { url } = database;
  const sql = connectDatabase({ url, logger, applicationName: 'test', connectionsMax: 2 });
  const tokens = createTokens({ sql, adminToken: ADMIN_TOKEN, cacheMs: 5_000, logger });
  const coordinator = createMemoryCoordinator({ now: Date.now });
  const { clock = new DatabaseClock() } = fields;
  const revoked = fields.revoked ?? new Set<string>();
  const storage = new LaneStorage({
    connect: (listeners) => connectLaneDatabase({ url, logger, applicationName: 'test lane', ...listeners }),
    checkDurability,
    allowUnsafeDurability: false,
    appendTimeoutMs: 5_000,
  });
  const lane = new Lane({
    shard: SHARD,
    storage,
    coordinator,
    clock,
    policy: {
      revokedKeys: revoked,
      evaluation: fields.evaluation ?? false,
      leaseTermMs: fields.leaseTermMs ?? 60_000,
    },
    logger,
    batchOperationsMax: 512,
    batchBytesMax: 1_048_576,
    queueLengthMax: 1_000,
    queueWaitMs: 5_000,
    headPollMs: 500,
  });
  const heartbeats = new Heartbeats({ lane, coordinator, clock });
  const signs = new Signs({ coordinator, staleAfterMs: 30_000 });
  const shared = { lane, sql, clock, heartbeats, revoked };
  const connectDump = () => connectDatabase({ url, logger, applicationName: 'test dump', connectionsMax: 1 });
  const { allowUnverified = false, graceSeconds = 60, journalRowsScannedMax } = fields;
  const { licenseServerLeaseMs = 10_000 } = fields;
  const licenseServers = new LicenseServers({ ...shared, leaseMs: licenseServerLeaseMs, logger });
  const keys = new Keys({ ...shared, trusted: TRUSTED, allowUnverified, timeZone: 'UTC' });
  const app = buildTestApp({
    tokens,
    options: { bodyBytesMax: 1_048_576 },
    failuresPerMinuteMax: 10_000,
    routes: listRoutes({
      logins: new Logins({ ...shared, shard: SHARD }),
      heartbeats,
      releases: new Releases(shared),
      instances: new Instances({ ...shared, graceSeconds }),
      keys,
      activations: new Activations({ ...shared, shard: SHARD }),
      applications: new Applications({
        ...shared,
        shard: SHARD,
        trusted: TRUSTED,
        applicationsSigned: fields.applicationsSigned ?? false,
        applicationsShared: SHARED_BY_DEFAULT,
      }),
      servedKeys: new ServedKeys({ ...shared, directory: fields.keyDirectory ?? null }),
      updates: new Updates(shared),
      updateIntervalSeconds: 15,
      excesses: new Excesses({
        ...shared,
        shard: SHARD,
        signs,
        arrivals: new Arrivals(lane),
        updateIntervalSeconds: 15,
      }),
      usage: new Usage({ ...shared, signs }),
      leases: new Leases(shared),
      summary: new Summary(shared),
      ...createReporting({
        ...{ ...shared, keys, licenseServers, shard: SHARD, connect: connectDump },
        rowsInMemoryMax: fields.reportRowsInMemoryMax ?? 100_000,
      }),
      journal: new Journal({
        ...shared,
        shard: SHARD,
        ...(journalRowsScannedMax === undefined ? {} : { rowsScannedMax: journalRowsScannedMax }),
      }),
      licenseServers,
      diagnoses: new Diagnoses({
        ...{ ...shared, shard: SHARD, version: '0.0.0', coordinator, licenseServers },
        health: () => ({
          status: 'ready',
          checks: { database: READY, coordination: READY, lane: READY },
          durability: '',
          leader: false,
          replica: 'the-test',
        }),
        evaluation: fields.evaluation ?? false,
        adminToken: ADMIN_TOKEN,
        journalKeepDays: 0,
        databaseUrl: url,
        dataDirectory: '',
      }),
      tokens,
      health: () => {
        throw new Error('the health is not part of this application');
      },
      telemetry: { prometheusText: async () => '' },
      metricsPublic: false,
    }),
  });
  lane.start();
  await until(() => lane.status.state === 'serving', READY_TIMEOUT_MS, 'the lane serves');
  if (fields.evaluation === true) {
    await lane.submit({ op: 'install-key', key: EVALUATION_KEY, file: null, actor: 'lictor' });
  }
  const close = async () => {
    await app.close();
    await lane.close();
    await storage.close();
    await coordinator.close();
    await tokens.close();
    await sql.end();
    await database.drop();
  };
  return { app, lane, sql, close, ...(await callersOf(app, lane, tokens)) };
}

/** What tests call an application with. */
async function callersOf(
  app: App,
  lane: Lane,
  tokens: Tokens,
): Promise<Omit<StartedApp, 'app' | 'lane' | 'sql' | 'close'>> {
  const token = async (role: Role, { keys, instance }: Restriction = {}): Promise<string> => {
    const administrator = {
      tokenId: 'configured',
      name: 'administrator',
      role: 'administrator',
      keys: null,
      instance: null,
    } as const;
    const spec = {
      name: `the-${role}`,
      role,
      keys: keys ?? null,
      instance: instance ?? null,
      expiresAt: null,
    };
    return (await tokens.create(administrator, spec)).text;
  };
  const call: StartedApp['call'] = (request, { token: text = ADMIN_TOKEN, body, headers = {} } = {}) => {
    const [method, url] = request.split(' ') as ['GET', string];
    const authorization = text === null ? {} : bearer(text);
    return app.inject({
      method,
      url,
      headers: { ...authorization, ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
  };
  return {
    tokens: {
      administrator: ADMIN_TOKEN,
      operator: await token('operator'),
      viewer: await token('viewer'),
      instance: await token('instance'),
    },
    token,
    call,
    ask: (operation) => lane.submit(operation),
    async installKey(fields, sections) {
      const file = signedKeyFile(fields, sections);
      const { statusCode, body } = await call('POST /v1/keys', { body: { file: file.text } });
      if (statusCode !== 201 && statusCode !== 200) throw new Error(`the key was not installed: ${body}`);
      return file;
    },
    register: (name, key, body = {}) =>
      call(`PUT /v1/instances/${name}`, { body: { ...(key === undefined ? {} : { key }), ...body } }),
    async login(instance, user, loginFields) {
      const id = randomUUID();
      const answer = await lane.submit(makeLogin({ instance, id, claims: { user }, ...loginFields }));
      if (answer.is !== 'granted') throw new Error(`a grant was expected, not ${JSON.stringify(answer)}`);
      return id;
    },
  };
}
