/**
 * Replicas coming and going: what the leader did goes on without it, who must be alone is alone, who falls silent
 * gives back, and who is told to end answers first.
 */
import { afterAll, afterEach, expect, test } from '@jest/globals';
import {
  leaderOf,
  leads,
  type Replica,
  spawnReplica,
  startReplica,
  timesLogged,
} from '../support/cluster.ts';
import { createTestDatabase } from '../support/database.ts';
import {
  type Attempt,
  call,
  closeConnections,
  fire,
  grantedOf,
  installKey,
  makeAttempts,
  must,
  sendOnce,
} from '../support/load.ts';
import { startRedis } from '../support/redis.ts';
import { verifyPromise } from '../support/replay.ts';
import { until } from '../support/wait.ts';

const UNITS = 5_000;
const INSTANCES = ['app-a', 'app-b'];
const QUICK = { LICTOR_LEADER_LEASE_MS: '2500', LICTOR_LEADER_RENEW_MS: '500' };
const REAP_WITHIN_MS = 5_000;

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 120_000);

afterAll(closeConnections);

async function start(options: Parameters<typeof startReplica>[0]): Promise<Replica> {
  const replica = await startReplica(options);
  cleanups.push(() => replica.stop());
  return replica;
}

async function openDatabase(): Promise<string> {
  const database = await createTestDatabase();
  cleanups.push(() => database.drop());
  return database.url;
}

async function openRedis(): Promise<string> {
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  return redis.url;
}

test('R-9, R-12: the fold and reaping go on when the leader is killed', async () => {
  const options = { databaseUrl: await openDatabase(), redisUrl: await openRedis(), env: QUICK };
  const replicas = [await start(options), await start(options)];
  const key = await installKey(replicas[0]!.url, UNITS, INSTANCES);
  const former = await leaderOf(replicas);
  const other = replicas.find((replica) => replica !== former)!;
  const stay = fire(makeAttempts(40, INSTANCES), () => replicas);
  const silent = fire(makeAttempts(40, INSTANCES, 5), () => replicas);
  await Promise.all([stay.done, silent.done]);
  await former.kill9();
  const more = fire(makeAttempts(40, INSTANCES), () => [other]);
  await more.done;
  await until(() => leads(other), 15_000, 'the other replica leads');
  const promised = { databaseUrl: options.databaseUrl, replicas: [other], key, units: UNITS };
  await verifyPromise({ ...promised, acknowledged: [...stay.attempts, ...more.attempts] });
  await until(
    async () => {
      const counts = await must(other.url, 'GET', `/v1/usage/counts?key=${key}`);
      return counts.items[0].unitsInUse === 80;
    },
    30_000,
    'the leases of the silent are taken back by the new leader',
  );
  const { table } = await verifyPromise({
    ...promised,
    acknowledged: [...stay.attempts, ...more.attempts],
  });
  expect(table.loginCount).toBe(80);
}, 180_000);

test('R-12: a replica that coordinates in its memory is refused while another serves, and the other way round', async () => {
  const databaseUrl = await openDatabase();
  const redisUrl = await openRedis();
  const shared = await start({ databaseUrl, redisUrl });
  const refused = spawnReplica({ databaseUrl });
  expect(await refused.exited).toEqual({ code: 1, signal: null });
  expect(refused.stderr).toMatch(/Another replica serves this database.*set REDIS_URL/);
  expect((await call(shared.url, 'GET', '/readyz')).status).toBe(200);
  await shared.kill9();
  // A killed replica's session ends with it, so nothing has to be cleaned up by hand.
  const alone = await start({ databaseUrl });
  const second = spawnReplica({ databaseUrl, redisUrl });
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.stderr).toMatch(/A replica without Redis serves this database.*set REDIS_URL/);
  const third = spawnReplica({ databaseUrl });
  expect((await third.exited).code).toBe(1);
  expect((await call(alone.url, 'GET', '/readyz')).status).toBe(200);
}, 120_000);

test('R-10, R-11: a silent instance is reaped after its grace, its units come back, and it hears of it', async () => {
  const GRACE_SECONDS = 10;
  const databaseUrl = await openDatabase();
  const replica = await start({ databaseUrl, redisUrl: await openRedis() });
  const key = await installKey(replica.url, UNITS, ['quiet', 'lively'], { graceSeconds: GRACE_SECONDS });
  await leaderOf([replica]);
  const bound = fire(makeAttempts(10, ['quiet', 'lively']), () => [replica]);
  const leased = fire(makeAttempts(1, ['quiet'], 600), () => [replica]);
  await Promise.all([bound.done, leased.done]);
  const beat = (name: string) =>
    call(replica.url, 'POST', `/v1/instances/${name}/heartbeat`, { incarnation: 1 });
  const last = await beat('quiet');
  expect(last).toMatchObject({ status: 200, body: { status: 'alive' } });
  const signs: number[] = [];
  const timer = setInterval(() => void beat('lively').then(({ status }) => signs.push(status)), 2_000);
  try {
    const stateOf = async (name: string) => (await must(replica.url, 'GET', `/v1/instances/${name}`)).state;
    await until(
      async () => (await stateOf('quiet')) === 'silent',
      GRACE_SECONDS * 1000 + 2 * REAP_WITHIN_MS,
      'the instance is found silent',
    );
    expect(await stateOf('lively')).toBe('active');
    expect(new Set(signs)).toEqual(new Set([200]));
  } finally {
    clearInterval(timer);
  }
  // What is bound to the instance went with it; a lease lives on by itself.
  const kept = bound.attempts.filter(({ instance }) => instance === 'lively');
  const { table, rows } = await verifyPromise({
    databaseUrl,
    replicas: [replica],
    key,
    units: UNITS,
    acknowledged: [...kept, ...leased.attempts],
  });
  expect(table.loginCount).toBe(kept.length + 1);
  const silenced = rows.find((row) => row.events.some((event) => event.type === 'silenced'))!;
  const late = silenced.at - Date.parse(last.body.aliveUntil);
  expect(late).toBeGreaterThanOrEqual(0);
  expect(late).toBeLessThan(REAP_WITHIN_MS);
  expect((await beat('quiet')).body).toMatchObject({ status: 409, code: 'instance-silent' });
  const again = await must(replica.url, 'PUT', '/v1/instances/quiet', { key });
  expect(again).toMatchObject({ state: 'active', incarnation: 2, outcome: 'restart' });
}, 120_000);

test('R-6: SIGTERM under load loses no answer: what was acknowledged is there, and nothing else is', async () => {
  const databaseUrl = await openDatabase();
  const replica = await start({ databaseUrl, env: { LICTOR_BATCH_OPERATIONS_MAX: '16' } });
  const key = await installKey(replica.url, UNITS, INSTANCES);
  const attempts: Attempt[] = [];
  /** Sends one login after the other until the replica is not there any more. */
  const client = async (): Promise<void> => {
    for (;;) {
      const [attempt] = makeAttempts(1, INSTANCES);
      attempts.push(attempt!);
      const { error } = await sendOnce(replica.url, attempt!);
      if (error !== null) return;
    }
  };
  const clients = Array.from({ length: 60 }, client);
  await until(() => grantedOf(attempts).length >= 300, 20_000, 'the load is in full swing');
  replica.signal('SIGTERM');
  expect(await replica.exited).toEqual({ code: 0, signal: null });
  await Promise.all(clients);
  expect(timesLogged(replica, 'Something did not close in good order.')).toBe(0);
  const answers = new Set(attempts.map(({ replies: [reply] }) => reply!.error ?? reply!.status));
  for (const answer of answers) expect([201, 503, 'ECONNREFUSED', 'ECONNRESET']).toContain(answer);
  const next = await start({ databaseUrl });
  const acknowledged = grantedOf(attempts);
  const promised = { databaseUrl, replicas: [next], key, units: UNITS, acknowledged };
  const { table } = await verifyPromise(promised);
  expect(table.loginCount).toBe(acknowledged.length);
}, 120_000);
