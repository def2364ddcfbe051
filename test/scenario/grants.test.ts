/**
 * The promise under faults: 400 different users want 100 units at once, through two replicas on one Postgres,
 * and whatever is killed, stopped, slowed or set back meanwhile, exactly 100 get one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { leaderOf, leads, type Replica, serves, startReplica, timesLogged } from '../support/cluster.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/database.ts';
import { type DelayedWay, openDelayedWay } from '../support/delay.ts';
import {
  type Attempt,
  type Burst,
  closeConnections,
  fire,
  grantedOf,
  installKey,
  makeAttempts,
  must,
  releaseAll,
} from '../support/load.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { readJournal, verifyPromise } from '../support/replay.ts';
import { until } from '../support/wait.ts';

const UNITS = 100;
const USERS = 400;
const INSTANCES = ['app-a', 'app-b'];
/** How many decisions a client has seen when the fault comes: the burst is in full swing. */
const MIDDLE = 60;
/** How often each fault is repeated; the whole proof takes 20. */
const FAULT_ROUNDS = Number(process.env.LICTOR_TEST_FAULT_ROUNDS ?? 4);
const TAKEOVER_TIMEOUT_MS = 30_000;

/** Small batches, so that a burst is many appends and a fault falls between them; quick leadership. */
const ENV = {
  LICTOR_BATCH_OPERATIONS_MAX: '8',
  LICTOR_LEADER_LEASE_MS: '2500',
  LICTOR_LEADER_RENEW_MS: '500',
};

let pg: OwnPostgres;
let redis: TestRedis;
let way: DelayedWay;
let replicas: Replica[];
let key: string;
let folder: string;

const startOne = () =>
  startReplica({ databaseUrl: pg.url, redisUrl: `redis://127.0.0.1:${way.port}`, env: ENV });

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lictor-scenario-'));
  [pg, redis] = await Promise.all([startOwnPostgres(), startRedis()]);
  way = await openDelayedWay(redis.port);
  replicas = await Promise.all([startOne(), startOne()]);
  key = await installKey(replicas[0]!.url, UNITS, INSTANCES);
}, 120_000);

afterAll(async () => {
  closeConnections();
  await Promise.all((replicas ?? []).map((replica) => replica.stop()));
  await way?.close();
  await redis?.stop();
  await pg?.dispose();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

/** Every test begins with two replicas that serve, and nobody in. */
afterEach(async () => {
  await Promise.all(replicas.map(serves));
  await releaseAll(replicas[0]!.url, INSTANCES);
}, 120_000);

/** Fires 400 logins, lets something befall the system in the middle, and checks the promise. */
async function round(befall: (burst: Burst) => Promise<void> = async () => {}): Promise<Attempt[]> {
  await releaseAll(replicas[0]!.url, INSTANCES);
  const burst = fire(makeAttempts(USERS, INSTANCES), () => replicas);
  await burst.decided(MIDDLE);
  await befall(burst);
  await burst.done;
  const granted = grantedOf(burst.attempts);
  expect(granted).toHaveLength(UNITS);
  await verify(granted);
  return granted;
}

async function verify(acknowledged: readonly Attempt[]) {
  const found = await verifyPromise({
    databaseUrl: pg.url,
    replicas,
    key,
    units: UNITS,
    acknowledged,
  });
  expect(found.table.pools.get(key)!.units).toBe(acknowledged.length);
  expect(found.table.loginCount).toBe(acknowledged.length);
  return found;
}

async function repeat(times: number, run: (index: number) => Promise<unknown>): Promise<void> {
  for (let index = 0; index < times; index += 1) await run(index);
}

test('R-1: 100 units, 400 simultaneous logins through two replicas, 20 times: exactly 100 grants each', async () => {
  await repeat(20, () => round());
}, 240_000);

test('R-3: a replica killed in the middle costs no grant and grants none twice', async () => {
  await repeat(FAULT_ROUNDS, async (index) => {
    const victim = index % 2;
    await round(async () => {
      await replicas[victim]!.kill9();
      replicas[victim] = await startOne();
    });
  });
}, 180_000);

test('R-3: Postgres restarted in the middle, in good order or killed, costs no grant and grants none twice', async () => {
  await repeat(FAULT_ROUNDS, (index) =>
    round(async () => {
      await (index % 2 === 0 ? pg.kill9() : pg.stop());
      await pg.start();
    }),
  );
}, 180_000);

test('R-13: Redis gone or frozen in the middle: the append alone decides', async () => {
  await repeat(FAULT_ROUNDS, async (index) => {
    await round(async (burst) => {
      if (index % 2 === 0) await redis.kill9();
      else redis.pause();
      await burst.done;
    });
    if (index % 2 === 0) await redis.restart();
    else redis.resume();
  });
}, 180_000);

test('R-13: Redis that answers half a second late changes no decision', async () => {
  await repeat(FAULT_ROUNDS, async () => {
    await round(async (burst) => {
      way.delayMs = 500;
      await burst.done;
    });
    way.delayMs = 0;
  });
}, 180_000);

test('R-9: the leader stopped and resumed after another took over harms neither grants nor fold', async () => {
  await repeat(FAULT_ROUNDS, async () => {
    const former = await leaderOf(replicas);
    const other = replicas.find((replica) => replica !== former)!;
    const both = replicas;
    await round(async (burst) => {
      former.signal('SIGSTOP');
      replicas = [other];
      await until(() => leads(other), TAKEOVER_TIMEOUT_MS, 'the other replica leads');
      await burst.decided(USERS / 2);
      former.signal('SIGCONT');
      replicas = both;
    });
    expect(await leads(former)).toBe(false);
  });
}, 180_000);

/** How often a replica has loaded its table anew. */
const loads = (replica: Replica) => timesLogged(replica, 'The table is loaded.');

test('R-1: a database set back to an earlier moment under running replicas is read anew', async () => {
  await repeat(FAULT_ROUNDS, async (index) => {
    const copy = path.join(folder, `copy-${index}`);
    const before = fire(makeAttempts(30, INSTANCES), () => replicas);
    await before.done;
    await pg.stop();
    await pg.snapshot(copy);
    await pg.start();
    const kept = (await readJournal(pg.url)).length;
    const loadsBefore = replicas.map(loads);
    // What is granted now will be gone, and what is under way meets another history.
    const lost = fire(makeAttempts(USERS, INSTANCES), () => replicas);
    await lost.decided(MIDDLE);
    // Each has gone beyond the copy by now, so that each has something to unlearn.
    await Promise.all(replicas.map(({ url }) => must(url, 'GET', '/v1/usage/counts')));
    await pg.kill9();
    await pg.restore(copy);
    await pg.start();
    const startedAt = performance.now();
    expect(await readJournal(pg.url)).not.toHaveLength(0);
    await lost.done;
    const after = grantedOf(lost.attempts).filter((attempt) => attempt.decidedAt > startedAt);
    await Promise.all(replicas.map(serves));
    const { rows, table } = await verifyPromise({
      databaseUrl: pg.url,
      replicas,
      key,
      units: UNITS,
      acknowledged: [...before.attempts, ...after],
    });
    // The pool is full of the first 30 and of those who were granted on the restored journal, and of nobody else.
    const present = INSTANCES.flatMap((name) =>
      [...table.places.get(name)!.logins.values()].map(({ id }) => id),
    );
    expect(present.sort()).toEqual([...before.attempts, ...after].map(({ id }) => id).sort());
    expect(rows.length).toBeGreaterThan(kept);
    // What a replica logs can be read later than what it answers.
    await until(
      () => replicas.every((replica, index) => loads(replica) > loadsBefore[index]!),
      TAKEOVER_TIMEOUT_MS,
      'both say that they have loaded anew',
    );
    expect(replicas.map(loads)).toEqual(loadsBefore.map((times) => times + 1));
    await releaseAll(replicas[0]!.url, INSTANCES);
  });
}, 180_000);
