/**
 * What instances have reported, and what follows from it, with real processes: it outlives a replica, the store of
 * the signs of life and a crash of the database, and silence ends it until the instance comes back (F-50…F-54).
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient } from '../../src/client/index.ts';
import { CLUSTER_TOKEN, leaderOf, type Replica, serves, startReplica } from '../support/cluster.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/database.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { closeConnections, must } from '../support/load.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { readFoldedTable, readJournal } from '../support/replay.ts';
import { Reporter, updateBody } from '../support/reporter.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';
import { until } from '../support/wait.ts';

/** The shortest grace that there is. */
const GRACE_SECONDS = 10;
const SILENCE_WITHIN_MS = 40_000;
const SECONDS_PER_HOUR = 3_600;

let pg: OwnPostgres;
let redis: TestRedis;
let replica: Replica;

beforeAll(async () => {
  [pg, redis] = await Promise.all([startOwnPostgres(), startRedis()]);
  replica = await start();
}, 120_000);

afterEach(async () => {
  const { items } = await must(replica.url, 'GET', '/v1/instances');
  for (const { name } of items) await must(replica.url, 'DELETE', `/v1/instances/${name}`);
});

afterAll(async () => {
  closeConnections();
  await replica?.stop();
  await redis?.stop();
  await pg?.dispose();
}, 120_000);

async function start(): Promise<Replica> {
  const env = { LICTOR_REAP_INTERVAL_MS: '50', LICTOR_REAP_MARGIN_MS: '0' };
  const started = await startReplica({ databaseUrl: pg.url, redisUrl: redis.url, env });
  await leaderOf([started]);
  return started;
}

/** Installs a key whose instances decide for themselves. */
async function localKey(units: number, order: number): Promise<string> {
  const client = createClient({ url: replica.url, token: CLUSTER_TOKEN });
  const { text } = signedKeyFile({ AuthorizedUnits: units, OrderNumber: order });
  const { id } = await client.keys.install({ file: text });
  await client.keys.change(id, { enforcement: 'local' }, '*');
  client.close();
  return id;
}

async function register(name: string, key: string, graceSeconds = 0): Promise<Reporter> {
  await must(replica.url, 'PUT', `/v1/instances/${name}`, { key, settings: { graceSeconds } });
  return new Reporter(name);
}

async function send(reporter: Reporter, report = reporter.update()) {
  const answer = await must(
    replica.url,
    'POST',
    `/v1/instances/${reporter.name}/updates`,
    updateBody(report),
  );
  reporter.hear(answer);
  return answer;
}

async function ledger(key: string) {
  return (await must(replica.url, 'GET', `/v1/excesses?key=${key}`)).items;
}

/** Everything that is told of a key, without what time alone changes. */
async function toldOf(key: string, reporters: readonly Reporter[]) {
  const answers = [];
  for (const reporter of reporters) {
    const { at: _at, ...answer } = await send(reporter);
    answers.push(answer);
  }
  const read = (path: string) => must(replica.url, 'GET', `${path}?key=${key}`);
  const [counts, users] = await Promise.all([read('/v1/usage/counts'), read('/v1/usage/users')]);
  const episodes = (await ledger(key)).map(
    ({ asOf: _asOf, durationSeconds: _duration, unitHours: _hours, ...episode }: Record<string, unknown>) =>
      episode,
  );
  return { answers, counts: counts.items, users: users.items, episodes };
}

test('L-5, L-6: rows, NAK, digests and the ledger outlive a replica, an empty Redis and a crash of Postgres (R-12)', async () => {
  const key = await localKey(10, 9_001);
  const [a, b] = [await register('app-a', key), await register('app-b', key)];
  await send(a.letIn('a', 7).set('both', 2));
  await send(b.letIn('b', 7).set('both', 1).set('wide', 26, { transitioned: true }));
  // Twenty-six connections cost as many units: fifteen users besides, one of them on both.
  const before = await toldOf(key, [a, b]);
  expect(before).toMatchObject({
    answers: [a, b].map(() => ({ acknowledged: false, reason: 'over-limit', inUse: 41, sequence: 1 })),
    counts: [{ unitsInUse: 41, users: 16, connections: 14 + 3 + 26 }],
    episodes: [{ state: 'open', cause: 'reported', units: 31, unitsMax: 31, instances: ['app-b'] }],
  });
  for (const answer of before.answers) expect(answer).not.toHaveProperty('resend');
  const shakes: readonly (() => Promise<void>)[] = [
    async () => {
      await replica.kill9();
      replica = await start();
    },
    async () => {
      const store = new Redis(redis.url);
      await store.flushall();
      store.disconnect();
      await redis.restart();
      await serves(replica);
    },
    async () => {
      await pg.kill9();
      await pg.start();
      await serves(replica);
    },
  ];
  for (const shake of shakes) {
    await shake();
    // The same answers, so that nobody is asked to report anew, and nothing was appended for them.
    await until(async () => (await toldOf(key, [a, b])).answers.length > 0, 20_000, 'the replica answers');
    expect(await toldOf(key, [a, b])).toEqual(before);
  }
  b.set('wide', 0);
  for (let index = 1; index <= 6; index += 1) b.set(`b${index}`, 0);
  expect(await send(b)).toMatchObject({ acknowledged: true, inUse: 9 });
  expect(await send(a)).toMatchObject({ acknowledged: true, inUse: 9 });
  const [episode] = await ledger(key);
  expect(episode).toMatchObject({ state: 'ended', endedBy: 'logouts', unitsMax: 31 });
  expect(episode.unitHours).toBeCloseTo((31 * episode.durationSeconds) / SECONDS_PER_HOUR, 6);
  expect(snapshotOf(await readFoldedTable(pg.url))).toEqual(snapshotOf(replay(await readJournal(pg.url))));
}, 240_000);

test('L-5: the rows of a silent instance end with its grace; its full report brings them back as returned', async () => {
  const key = await localKey(3, 9_002);
  const stays = await register('stays', key);
  const goes = await register('goes', key, GRACE_SECONDS);
  await send(stays.letIn('s', 2));
  expect(await send(goes.letIn('g', 3))).toMatchObject({ acknowledged: false, inUse: 5 });
  await until(
    async () => (await send(stays)).inUse === 2,
    SILENCE_WITHIN_MS,
    'what the silent instance reported ends',
  );
  expect(await send(stays)).toMatchObject({ acknowledged: true });
  expect(await ledger(key)).toMatchObject([{ state: 'ended', endedBy: 'silence', unitsMax: 2 }]);
  expect((await must(replica.url, 'GET', '/v1/instances/goes')).state).toBe('silent');
  expect(await send(goes)).toMatchObject({ acknowledged: true, resend: 'full', inUse: 2, sequence: 1 });
  for (const part of goes.full(2)) await send(goes, part);
  expect(await send(goes)).toMatchObject({ acknowledged: false, inUse: 5 });
  expect(await send(stays)).toMatchObject({ acknowledged: false, inUse: 5 });
  expect(await ledger(key)).toMatchObject([
    { state: 'open', cause: 'returned', units: 2, instances: ['goes'] },
    { state: 'ended', cause: 'reported' },
  ]);
}, 180_000);
