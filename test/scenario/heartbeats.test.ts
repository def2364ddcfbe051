/**
 * Signs of life: whoever gives them keeps what he holds, whatever becomes of Redis; whoever stops gives it back
 * in time; and nobody who was told "renewed" is reaped before the deadline that he was told.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { JournalRow } from '../../src/domain/events.ts';
import { leaderOf, type Replica, startReplica, timesLogged } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  type Attempt,
  call,
  closeConnections,
  fire,
  installKey,
  makeAttempts,
  must,
  type Reply,
  releaseAll,
} from '../support/load.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Found, verifyPromise } from '../support/replay.ts';
import { until } from '../support/wait.ts';

const UNITS = 2_000;
const INSTANCES = ['app-a', 'app-b'];
const LEASE_SECONDS = 5;
/** A thousand clients renew as often as a slow machine can answer them. */
const MANY_LEASE_SECONDS = 10;
/** How long after its deadline a silent login may still hold its unit (the bound). */
const REAP_WITHIN_MS = 5_000;
const NEW_EPOCH = 'A new epoch of the signs of life begins, with a grace period for all.';

let database: TestDatabase;
let redis: TestRedis;
let replicas: Replica[];
let key: string;

beforeAll(async () => {
  [database, redis] = await Promise.all([createTestDatabase(), startRedis()]);
  // The race between heartbeat and reaping is closest when the reaper looks often and leaves no margin.
  const env = { LICTOR_REAP_INTERVAL_MS: '20', LICTOR_REAP_MARGIN_MS: '0' };
  const options = { databaseUrl: database.url, redisUrl: redis.url, env };
  replicas = await Promise.all([startReplica(options), startReplica(options)]);
  key = await installKey(replicas[0]!.url, UNITS, INSTANCES);
  const leader = await leaderOf(replicas);
  await until(() => timesLogged(leader, NEW_EPOCH) > 0, 20_000, 'the leader knows the signs of life');
}, 120_000);

afterAll(async () => {
  closeConnections();
  await Promise.all((replicas ?? []).map((replica) => replica.stop()));
  await redis?.stop();
  await database?.drop();
}, 120_000);

async function logIn(count: number, leaseSeconds = LEASE_SECONDS): Promise<readonly Attempt[]> {
  const burst = fire(makeAttempts(count, INSTANCES, leaseSeconds), () => replicas);
  await burst.done;
  expect(burst.attempts.filter(({ outcome }) => outcome === 'granted')).toHaveLength(count);
  return burst.attempts;
}

function beat(replica: Replica, { id, instance }: Attempt): Promise<Reply> {
  return call(replica.url, 'POST', `/v1/logins/${id}/heartbeat?instance=${instance}`);
}

/** The deadline that a reply tells, in milliseconds since 1970. */
const deadlineOf = (reply: Reply) => Date.parse(reply.body.expiresAt);

function verify(acknowledged: readonly Attempt[]): Promise<Found> {
  return verifyPromise({ databaseUrl: database.url, replicas, key, units: UNITS, acknowledged });
}

/** When each login was taken back because its lease ran out, in milliseconds since 1970. */
function expiredAt(rows: readonly JournalRow[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const row of rows) {
    for (const event of row.events) {
      if (event.type === 'released' && event.reason === 'expired') times.set(event.login, row.at);
    }
  }
  return times;
}

/** Clients that renew their logins as often as they were told to, through both replicas in turn. */
class Clients {
  readonly #lastRenewed = new Map<Attempt, number>();
  readonly losses: Reply[] = [];
  readonly #timer: NodeJS.Timeout;
  #round = 0;

  constructor(logins: readonly Attempt[], leaseSeconds = LEASE_SECONDS) {
    for (const login of logins) this.#lastRenewed.set(login, performance.now());
    this.#timer = setInterval(() => this.#beatAll(), (leaseSeconds / 3) * 1000);
    this.#beatAll();
  }

  /** The instant before which no client has had its last renewal. */
  get renewedSince(): number {
    return Math.min(...this.#lastRenewed.values());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beatAll(): void {
    this.#round += 1;
    let index = this.#round;
    for (const login of this.#lastRenewed.keys()) {
      void this.#beatOne(replicas[index % replicas.length]!, login);
      index += 1;
    }
  }

  async #beatOne(replica: Replica, login: Attempt): Promise<void> {
    const reply = await beat(replica, login);
    if (reply.status === 200) this.#lastRenewed.set(login, performance.now());
    else this.losses.push(reply);
  }
}

test('R-12: Redis flushed, and then replaced by an empty one, while 1,000 leased logins are alive: none is lost', async () => {
  const logins = await logIn(1_000, MANY_LEASE_SECONDS);
  const clients = new Clients(logins, MANY_LEASE_SECONDS);
  try {
    const leader = await leaderOf(replicas);
    for (const lose of [flush, () => redis.restart()]) {
      const epochs = timesLogged(leader, NEW_EPOCH);
      await lose();
      const lostAt = performance.now();
      await until(() => timesLogged(leader, NEW_EPOCH) > epochs, 20_000, 'a new epoch has begun');
      // By then every deadline that stood in Redis has passed, and so has the grace period.
      const over = lostAt + MANY_LEASE_SECONDS * 1000 + 3_000;
      await until(() => clients.renewedSince > over, 60_000, 'every client has renewed long after the loss');
    }
    expect(clients.losses).toEqual([]);
  } finally {
    clients.stop();
  }
  const { table } = await verify(logins);
  expect(table.pools.get(key)!.units).toBe(1_000);
  await releaseAll(replicas[0]!.url, INSTANCES);
}, 180_000);

async function flush(): Promise<void> {
  const client = new Redis(redis.url);
  try {
    await client.flushall();
  } finally {
    client.disconnect();
  }
}

test('R-11: the unit of a client that stopped is back within its lease and 5 s, and its late heartbeat hears why', async () => {
  const logins = await logIn(60);
  const lively = logins.slice(0, 20);
  const clients = new Clients(lively);
  const deadlines = new Map<string, number>();
  try {
    for (const [index, login] of logins.entries()) {
      if (index < 20) continue;
      // Half of those who stop have renewed before, and half never did.
      const last = index % 2 === 0 ? await beat(replicas[index % 2]!, login) : login.replies.at(-1)!;
      deadlines.set(login.id, deadlineOf(last));
    }
    await until(
      async () => {
        const counts = await must(replicas[0]!.url, 'GET', `/v1/usage/counts?key=${key}`);
        return counts.items[0].unitsInUse === lively.length;
      },
      LEASE_SECONDS * 1000 + 2 * REAP_WITHIN_MS,
      'the units of the silent are back',
    );
    const { rows } = await verify(lively);
    const times = expiredAt(rows);
    for (const [id, deadline] of deadlines) {
      expect(times.get(id)! - deadline).toBeGreaterThanOrEqual(0);
      expect(times.get(id)! - deadline).toBeLessThan(REAP_WITHIN_MS);
    }
    for (const replica of replicas) {
      for (const login of logins.slice(20)) {
        const { status, body } = await beat(replica, login);
        expect([status, body.code, body.lost]).toEqual([409, 'login-lost', 'expired']);
      }
    }
    expect(clients.losses).toEqual([]);
  } finally {
    clients.stop();
  }
  await releaseAll(replicas[0]!.url, INSTANCES);
}, 120_000);

/** Sends one heartbeat at an instant, in milliseconds since 1970. */
function beatAt(atMs: number, replica: Replica, login: Attempt): Promise<Reply> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(beat(replica, login)), atMs - Date.now());
  });
}

test('R-11: a heartbeat that was told "renewed" is never reaped before the deadline that it was told', async () => {
  const promised = new Map<Attempt, number>();
  const lost: { readonly login: Attempt; readonly reply: Reply }[] = [];
  let renewed = 0;
  const isRace = () => Math.min(renewed, lost.length) > 20;
  /** Lets heartbeats come all around the reaper, within so many milliseconds before it and after. */
  const race = async (spreadMs: number) => {
    const alive = [...promised].filter(([login]) => !lost.some((one) => one.login === login));
    await Promise.all(
      alive.map(async ([login, deadline], index) => {
        // The reaper looks at whole seconds, so this is when it comes; the heartbeats come all around it.
        const reapedAt = Math.ceil(deadline / 1000) * 1000;
        const jitter = ((index * 7919) % 1000) / 1000 - 0.5;
        const reply = await beatAt(reapedAt + 2 * spreadMs * jitter, replicas[index % 2]!, login);
        if (reply.status !== 200) return void lost.push({ login, reply });
        renewed += 1;
        promised.set(login, deadlineOf(reply));
      }),
    );
  };
  // A slow machine answers later, so that the heartbeats must be spread wider for both to come about.
  for (let spreadMs = 80; spreadMs <= 1_280 && !isRace(); spreadMs *= 2) {
    for (const login of await logIn(400)) promised.set(login, deadlineOf(login.replies.at(-1)!));
    for (let round = 0; round < 3; round += 1) await race(spreadMs);
  }
  for (const { reply } of lost) {
    expect([reply.status, reply.body.code, reply.body.lost]).toEqual([409, 'login-lost', 'expired']);
  }
  // Both must have come about, or there was no race.
  expect(isRace()).toBe(true);
  await until(
    async () => {
      const counts = await must(replicas[0]!.url, 'GET', `/v1/usage/counts?key=${key}`);
      return counts.items[0].unitsInUse === 0;
    },
    LEASE_SECONDS * 1000 + 2 * REAP_WITHIN_MS,
    'everybody has been reaped in the end',
  );
  const times = expiredAt((await verify([])).rows);
  const early = [...promised].filter(([login, deadline]) => times.get(login.id)! < deadline);
  expect(early).toEqual([]);
  expect([...promised.keys()].filter((login) => !times.has(login.id))).toEqual([]);
}, 180_000);
