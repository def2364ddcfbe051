/** The diagnosis of deployments that something is really wrong with: each fault is made, found, and mended again. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Sql } from 'postgres';
import { LONG_TRANSACTION_MS } from '../../src/domain/findings/databasefindings.ts';
import type { Finding } from '../../src/domain/findings/findings.ts';
import { connectDatabase } from '../../src/storage/database.ts';
import {
  readDatabaseFacts,
  readHoldings,
  readSchemaFacts,
  readStandbys,
} from '../../src/storage/diagnosis.ts';
import { CLUSTER_TOKEN, leads, type Replica, startReplica } from '../support/cluster.ts';
import {
  createTestDatabase,
  type OwnPostgres,
  startOwnPostgres,
  type TestDatabase,
} from '../support/database.ts';
import { createRecordingLogger } from '../support/http.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const PATIENCE_MS = 20_000;
const SHARD = 0;

interface Answer {
  readonly level: string;
  readonly version: string;
  readonly at: string;
  readonly findings: readonly Finding[];
}

async function ask(replica: Replica, path: string, options: RequestInit = {}): Promise<Response> {
  return fetch(replica.url + path, {
    ...options,
    headers: { authorization: `Bearer ${CLUSTER_TOKEN}`, 'content-type': 'application/json' },
  });
}

async function diagnose(replica: Replica): Promise<Answer> {
  const response = await ask(replica, '/v1/diagnosis');
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

/** Opens a handle as the server does, so that numbers come as numbers. */
function open(url: string, connectionsMax: number): Sql {
  return connectDatabase({
    url,
    connectionsMax,
    logger: createRecordingLogger(),
    applicationName: 'the test',
  });
}

/** What is said of a check. */
async function findingsOf(replica: Replica, check: string): Promise<Finding[]> {
  return (await diagnose(replica)).findings.filter((finding) => finding.check === check);
}

describe('a deployment with a Redis, in good order and then not', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let replica: Replica;
  let sql: Sql;
  let store: Redis;

  beforeAll(async () => {
    [database, redis] = await Promise.all([createTestDatabase(), startRedis()]);
    replica = await startReplica({ databaseUrl: database.url, redisUrl: redis.url });
    sql = open(database.url, 3);
    store = new Redis(redis.url);
    await until(() => leads(replica), PATIENCE_MS, 'the replica leads');
  }, 120_000);

  afterAll(async () => {
    store?.disconnect();
    await sql?.end();
    await replica?.stop();
    await redis?.stop();
    await database?.drop();
  }, 120_000);

  test('nothing is a fault, every area is looked at, and whoever may not read it is refused', async () => {
    const { findings, level, version, at } = await diagnose(replica);
    expect(findings.filter((finding) => finding.level === 'fault')).toEqual([]);
    expect(['note', 'warning']).toContain(level);
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
    const areas = new Set(findings.map(({ check }) => check.split('.')[0]));
    expect([...areas].sort()).toEqual([
      'clocks',
      'database',
      'instances',
      'journal',
      'keys',
      'license-servers',
      'redis',
      'replica',
      'replicas',
      'schema',
      'tokens',
    ]);
    const make = async (body: object) =>
      (
        (await (await ask(replica, '/v1/tokens', { method: 'POST', body: JSON.stringify(body) })).json()) as {
          token: string;
        }
      ).token;
    const status = async (token: string) =>
      (await fetch(`${replica.url}/v1/diagnosis`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await status(await make({ name: 'ops', role: 'operator' }))).toBe(200);
    expect(await status(await make({ name: 'eyes', role: 'viewer' }))).toBe(403);
    expect(await status(await make({ name: 'one', role: 'operator', instance: 'app-a' }))).toBe(403);
  });

  test('a Redis that removes keys when it is full, and one that has done so', async () => {
    await store.config('SET', 'maxmemory', '50mb');
    expect((await findingsOf(replica, 'redis.eviction'))[0]).toMatchObject({ level: 'ok' });
    await store.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect((await findingsOf(replica, 'redis.eviction'))[0]).toMatchObject({
      level: 'warning',
      says: expect.stringContaining('allkeys-lru'),
      mend: expect.stringContaining('noeviction'),
    });
    // Others fill it up until it removes something.
    const used = Number(/used_memory:(\d+)/.exec(await store.info('memory'))![1]);
    await store.config('SET', 'maxmemory', String(used + 400_000));
    const value = 'x'.repeat(50_000);
    for (let index = 0; index < 40; index += 1) await store.set(`other:${index}`, value);
    expect((await findingsOf(replica, 'redis.eviction'))[0]).toMatchObject({
      level: 'fault',
      says: expect.stringMatching(/has removed \d+ keys/),
    });
    expect((await findingsOf(replica, 'redis.memory'))[0]!.level).not.toBe('ok');
    await store.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '0');
    await store.del(...Array.from({ length: 40 }, (_, index) => `other:${index}`));
    expect((await findingsOf(replica, 'redis.eviction'))[0]).toMatchObject({ level: 'ok' });
  });

  test('a Redis that is away', async () => {
    await redis.kill9();
    const away = await until(
      async () => (await findingsOf(replica, 'redis.reachable')).find(({ level }) => level === 'fault'),
      PATIENCE_MS,
      'it is seen that Redis is away',
    );
    expect(away.mend).toContain('REDIS_URL');
    expect((await findingsOf(replica, 'replica.ready'))[0]).toMatchObject({ level: 'warning' });
    await redis.restart();
    await until(
      async () => (await findingsOf(replica, 'redis.reachable')).every(({ level }) => level !== 'fault'),
      PATIENCE_MS,
      'Redis is back',
    );
  });

  test('a transaction that is open for long, and one that was prepared and left', async () => {
    const gid = `left-${randomUUID()}`;
    const session = open(database.url, 1);
    await session`begin`;
    await session`select count(*) from shards`;
    const preparing = open(database.url, 1);
    await preparing`begin`;
    await preparing`create table left_over ()`;
    await preparing.unsafe(`prepare transaction '${gid}'`);
    await preparing.end();
    try {
      const own = open(database.url, 1);
      const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`;
      await until(
        async () => {
          const seen = await readHoldings(own, 50);
          return (
            seen.transactions.some(({ pid }) => pid === row!.pid) &&
            seen.prepared.some((prepared) => prepared.gid === gid)
          );
        },
        PATIENCE_MS,
        'both are 50 ms old, and told',
      );
      // Neither is old enough for the diagnosis itself.
      expect((await readHoldings(own, LONG_TRANSACTION_MS)).transactions).toEqual([]);
      await own.end();
    } finally {
      await session`rollback`;
      await session.end();
      await sql.unsafe(`rollback prepared '${gid}'`);
    }
  });

  test('a role that may not see what others do is told what to grant', async () => {
    await sql.unsafe(`create role onlooker_${SHARD} login password 'x'`);
    try {
      const url = new URL(database.url);
      [url.username, url.password] = [`onlooker_${SHARD}`, 'x'];
      const onlooker = open(url.href, 1);
      expect((await readHoldings(onlooker, 0)).hiddenSessions).toBeGreaterThan(0);
      expect((await readDatabaseFacts(onlooker)).isSuperuser).toBe(false);
      await onlooker.end();
    } finally {
      await sql.unsafe(`drop role onlooker_${SHARD}`);
    }
  });

  test('a database that was set back behind its migrations', async () => {
    const [last] = await sql<{ version: number; name: string; md5: string }[]>`
      delete from schema_migrations where version = (select max(version) from schema_migrations) returning *`;
    try {
      expect((await findingsOf(replica, 'schema.migrations'))[0]).toMatchObject({
        level: 'fault',
        says: expect.stringContaining(last!.name),
        mend: expect.stringContaining('lictor migrate'),
      });
    } finally {
      await sql`insert into schema_migrations ${sql(last!)}`;
    }
    expect((await readSchemaFacts(sql, SHARD)).pending).toEqual([]);
    expect((await findingsOf(replica, 'schema.migrations'))[0]!.level).toBe('ok');
  });

  test('a journal from the future: the clock of the database was set back (R-14)', async () => {
    const [head] = await sql<{ at: Date }[]>`select at from shards`;
    await sql`update shards set at = clock_timestamp() + interval '1 hour'`;
    try {
      expect((await findingsOf(replica, 'clocks.journal'))[0]).toMatchObject({ level: 'fault' });
    } finally {
      await sql`update shards set at = ${head!.at}`;
    }
  });

  test('a key that ends, one that has ended, and an instance on it', async () => {
    const inDays = (days: number) => {
      const at = new Date(Date.now() + days * 86_400_000);
      return `${at.getUTCMonth() + 1}/${at.getUTCDate()}/${at.getUTCFullYear()}`;
    };
    const ids: string[] = [];
    for (const [index, days] of [3, -3].entries()) {
      const file = signedKeyFile({ OrderNumber: 7001 + index, ExpirationDate: inDays(days) });
      const body = JSON.stringify({ file: file.text });
      expect((await ask(replica, '/v1/keys', { method: 'POST', body })).status).toBe(201);
      const registration = JSON.stringify({ key: file.id });
      const path = `/v1/instances/app-${index}`;
      expect((await ask(replica, path, { method: 'PUT', body: registration })).status).toBe(201);
      ids.push(file.id);
    }
    const levels = (await findingsOf(replica, 'keys.valid')).map(({ level, says }) => [
      level,
      ids.findIndex((id) => says.includes(id)),
    ]);
    expect(levels.sort()).toEqual([
      ['fault', 1],
      ['warning', 0],
    ]);
    expect((await findingsOf(replica, 'instances.key'))[0]).toMatchObject({
      level: 'warning',
      says: expect.stringContaining('app-1'),
    });
  });

  test('a database that is away is told, and nothing else keeps from being told', async () => {
    const name = new URL(database.url).pathname.slice(1);
    const admin = open(database.url.replace(`/${name}`, '/postgres'), 1);
    await admin.unsafe(`alter database ${name} with allow_connections false`);
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`;
    try {
      const finding = await until(
        async () => (await findingsOf(replica, 'database.reachable')).find(({ level }) => level === 'fault'),
        PATIENCE_MS,
        'it is seen that the database is away',
      );
      expect(finding.mend).toContain('Postgres');
      expect((await findingsOf(replica, 'redis.reachable'))[0]).toMatchObject({ level: 'ok' });
    } finally {
      await admin.unsafe(`alter database ${name} with allow_connections true`);
      await admin.end();
    }
  }, 120_000);
});

describe('a database that is not durable (R-2)', () => {
  let server: OwnPostgres;
  let replica: Replica;

  beforeAll(async () => {
    server = await startOwnPostgres({ fsync: 'off', synchronous_commit: 'off', shared_buffers: '32MB' });
    replica = await startReplica({
      databaseUrl: server.url,
      env: { LICTOR_ALLOW_UNSAFE_DURABILITY: 'true' },
    });
  }, 120_000);

  afterAll(async () => {
    await replica?.stop();
    await server?.dispose();
  }, 120_000);

  test('fsync and synchronous_commit off are a fault, with what to switch on', async () => {
    const answer = await diagnose(replica);
    expect(answer.level).toBe('fault');
    const [finding] = answer.findings.filter(({ check }) => check === 'database.durability');
    expect(finding).toMatchObject({ level: 'fault', mend: expect.stringContaining('fsync') });
    expect(finding!.says).toMatch(/fsync is off.*synchronous_commit is off/);
  });

  test('a synchronous standby that nobody is: every commit would wait', async () => {
    const sql = open(server.url, 1);
    await sql.unsafe(`alter system set synchronous_standby_names = 'FIRST 1 (nobody)'`);
    await sql`select pg_reload_conf()`;
    try {
      const finding = await until(
        async () =>
          (await findingsOf(replica, 'database.replication')).find(({ level }) => level === 'fault'),
        PATIENCE_MS,
        'the setting is seen',
      );
      expect(finding.says).toContain('FIRST 1 (nobody)');
      expect(await readStandbys(sql)).toEqual([]);
    } finally {
      await sql.unsafe('alter system reset synchronous_standby_names');
      await sql`select pg_reload_conf()`;
      await sql.end();
    }
  });
});
