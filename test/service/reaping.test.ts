import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Coordinator } from '../../src/coordination/coordinator.ts';
import type { Released } from '../../src/domain/events.ts';
import { loginMember } from '../../src/service/heartbeats.ts';
import { readEpoch } from '../../src/storage/leadership.ts';
import {
  away,
  closeShards,
  intercepted,
  NEVER_MS,
  openShard,
  PATIENCE_MS,
  type ReplicaFields,
  runOnce,
  SHARD,
  type TestReplica,
  type TestShard,
} from '../support/lane.ts';
import { makeRegister } from '../support/make.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const LEASE = { leaseSeconds: 30 } as const;
const LEASE_MS = 30_000;

/** What a test puts between the leader and the store, while it is looking. */
interface Between {
  beforeMark?: () => Promise<unknown>;
  afterMark?: () => Promise<unknown>;
}

/** A leader that knows the signs of life since now, and something between it and the store. */
async function openLeader(
  between: Between = {},
  fields: ReplicaFields = {},
): Promise<{ shard: TestShard; leader: TestReplica }> {
  const shard = await openShard();
  const mark: (original: Coordinator['mark'], ...given: Parameters<Coordinator['mark']>) => unknown = async (
    original,
    ...given
  ) => {
    await between.beforeMark?.();
    const results = await original(...given);
    await between.afterMark?.();
    return results;
  };
  const intercept = (own: Coordinator) => intercepted(own, { mark });
  // What is due and what is not is a matter of the test's own steps, however long the machine takes for them.
  const leader = await shard.openWithKey({}, { intercept, stands: true, ...fields });
  await leader.lead();
  await runOnce(leader.reaping);
  return { shard, leader };
}

/** Lets time pass for the leader, and lets it look. */
async function pass(leader: TestReplica, milliseconds: number): Promise<void> {
  leader.clock.aheadMs += milliseconds;
  await runOnce(leader.reaping);
}

const beat = (replica: TestReplica, id: string) => replica.heartbeats.beatLogin('a', id, 'tester');

async function reaped(shard: TestShard): Promise<string[]> {
  const events = (await shard.journal()).flatMap((row) => row.events);
  return events
    .filter((event): event is Released => event.type === 'released' && event.reason === 'expired')
    .map((event) => event.login);
}

describe('a silent login', () => {
  test('R-11: is reaped once its deadline has passed, not before, and its heartbeat is told so', async () => {
    const { shard, leader } = await openLeader();
    const { id } = await leader.login('alice', LEASE);
    await pass(leader, LEASE_MS - 1_000);
    expect(await reaped(shard)).toEqual([]);
    await pass(leader, 2_000);
    expect(await reaped(shard)).toEqual([id]);
    expect(shard.store.deadlines.has(loginMember('a', id))).toBe(false);
    expect(await beat(leader, id)).toMatchObject({ code: 'login-lost', extras: { lost: 'expired' } });
  });

  test('R-11: that gave a sign of life keeps its unit until the new deadline', async () => {
    const { shard, leader } = await openLeader();
    const { id } = await leader.login('alice', LEASE);
    leader.clock.aheadMs += 20_000;
    expect((await beat(leader, id)).is).toBe('renewed');
    await pass(leader, 20_000);
    expect(await reaped(shard)).toEqual([]);
    await pass(leader, 11_000);
    expect(await reaped(shard)).toEqual([id]);
  });

  test('R-11: whose sign of life comes just before the mark is not marked', async () => {
    const between: Between = {};
    const { shard, leader } = await openLeader(between);
    const { id } = await leader.login('alice', LEASE);
    between.beforeMark = async () => {
      expect((await beat(leader, id)).is).toBe('renewed');
    };
    const { version } = await shard.head();
    await pass(leader, LEASE_MS + 1_000);
    expect((await shard.head()).version).toBe(version);
    delete between.beforeMark;
    await pass(leader, LEASE_MS + 2_000);
    expect(await reaped(shard)).toEqual([id]);
  });

  test('R-11: whose sign of life comes after the mark and before the reap is settled by the journal', async () => {
    const between: Between = {};
    const { shard, leader } = await openLeader(between);
    const { id } = await leader.login('alice', LEASE);
    between.afterMark = async () => {
      delete between.afterMark;
      expect((await beat(leader, id)).is).toBe('renewed');
    };
    await pass(leader, LEASE_MS + 1_000);
    expect((await shard.journal()).at(-1)!.events).toMatchObject([{ type: 'renewed', login: id }]);
    expect(await reaped(shard)).toEqual([]);
    // The mark is gone: the next sign of life costs nothing again.
    const { version } = await shard.head();
    expect((await beat(leader, id)).is).toBe('renewed');
    expect((await shard.head()).version).toBe(version);
    await pass(leader, LEASE_MS + 1_000);
    expect(await reaped(shard)).toEqual([id]);
  });

  test.each([
    ['the sign of life before the reap: it lives', true],
    ['the reap before the sign of life: it is lost', false],
  ])('R-11: in one batch, %s', async (_order, isBeatFirst) => {
    const between: Between = {};
    const { shard, leader } = await openLeader(between);
    const { id } = await leader.login('alice', LEASE);
    const renew = () => leader.ask({ op: 'renew', instance: 'a', id, actor: 'tester' });
    let answer: ReturnType<typeof renew> | undefined;
    let rest: Promise<unknown> = Promise.resolve();
    between.afterMark = async () => {
      delete between.afterMark;
      // Something else is being appended, so that both meet in the next batch.
      const lock = await shard.holdHead();
      const busy = leader.login('bob');
      await shard.blocked(leader);
      if (isBeatFirst) answer = renew();
      const inLine = (count: number) =>
        until(() => leader.lane.queueLength === count, PATIENCE_MS, 'it is in line');
      rest = (async () => {
        await inLine(isBeatFirst ? 2 : 1);
        answer ??= renew();
        await lock.release();
        await busy;
      })();
    };
    await pass(leader, LEASE_MS + 1_000);
    await rest;
    expect((await answer)!.is).toBe(isBeatFirst ? 'renewed' : 'problem');
    expect(await reaped(shard)).toEqual(isBeatFirst ? [] : [id]);
    expect((await shard.journal()).at(-1)!.events).toHaveLength(1);
  });

  test.each([1, 2])(
    'R-11: what was answered "renewed" is never reaped before its new deadline (%i)',
    async (seed) => {
      const { shard, leader } = await openLeader({}, { stands: false });
      const other = await shard.open();
      const promised = new Map<string, number>();
      for (let index = 0; index < 20; index += 1) {
        const { id, expiresAtMs } = await leader.login(`user ${index}`, LEASE);
        promised.set(id, expiresAtMs);
      }
      const ids = [...promised.keys()];
      const round = fc.record({
        waitMs: fc.integer({ min: 0, max: 15_000 }),
        beats: fc.array(fc.tuple(fc.nat({ max: 19 }), fc.boolean()), { maxLength: 12 }),
        loses: fc.nat({ max: 40 }),
      });
      for (const { waitMs, beats, loses } of fc.sample(round, { seed, numRuns: 40 })) {
        for (const replica of [leader, other]) replica.clock.aheadMs += waitMs;
        // Now and then the store loses one entry.
        if (loses < 20) shard.store.deadlines.delete(loginMember('a', ids[loses]!));
        const answers = beats.map(async ([index, onLeader]) => {
          const answer = await beat(onLeader ? leader : other, ids[index]!);
          if (answer.is !== 'renewed') return;
          promised.set(ids[index]!, Math.max(promised.get(ids[index]!)!, answer.expiresAtMs));
        });
        await Promise.all([...answers, runOnce(leader.reaping)]);
      }
      const rows = await shard.journal();
      const ended = rows.flatMap((row) =>
        row.events.flatMap((event) => (event.type === 'released' ? [[event.login, row.at] as const] : [])),
      );
      expect(ended.length).toBeGreaterThan(3);
      // The two replicas estimate the clock each for itself; a few milliseconds are within what they may differ.
      for (const [id, at] of ended) expect(at + 100).toBeGreaterThan(promised.get(id)!);
    },
  );

  test('R-11: is not reaped by a leader that only has an old copy of it', async () => {
    const { shard, leader } = await openLeader();
    const { id } = await leader.login('alice', LEASE);
    const member = loginMember('a', id);
    // Another replica has renewed it through the journal, but could not tell the store.
    const other = await shard.open({ coordinated: false });
    other.clock.aheadMs = 29_000;
    await other.ask({ op: 'renew', instance: 'a', id, actor: 'tester' });
    expect(shard.store.deadlines.get(member)).toBeLessThan(other.clock.nowMs() + LEASE_MS - 20_000);
    await pass(leader, LEASE_MS + 1_000);
    expect(await reaped(shard)).toEqual([]);
    expect(shard.store.deadlines.get(member)).toBeGreaterThan(leader.clock.nowMs());
  });
});

describe('a silent instance', () => {
  test('R-11: loses what is bound to it, keeps leases, and is revived by no late heartbeat', async () => {
    const { shard, leader } = await openLeader();
    await leader.ask(makeRegister({ name: 'b', settings: { graceSeconds: 0 } }));
    const bound = await leader.login('alice');
    const leased = await leader.login('bob', { leaseSeconds: 600 });
    const elsewhere = await leader.login('carol', { instance: 'b' });
    await pass(leader, 59_000);
    expect(leader.held(bound.id)).toBeDefined();
    await pass(leader, 2_000);
    expect([leader.held(bound.id), leader.held(leased.id)?.id]).toEqual([undefined, leased.id]);
    expect(leader.held(elsewhere.id, 'b')).toBeDefined();
    expect(leader.lane.table.instances.get('a')!.state).toBe('silent');
    const late = await leader.heartbeats.beatInstance('a', 1, 'tester');
    expect(late).toMatchObject({ code: 'instance-silent' });
    const [record] = await shard.sql`select state from instances where name = 'a'`;
    expect(record).toEqual({ state: 'silent' });
  });

  test('R-10: a restart after that is a new incarnation, which is watched in its turn', async () => {
    const { leader } = await openLeader();
    await pass(leader, 61_000);
    const again = await leader.ask(makeRegister({ name: 'a' }));
    expect(again).toMatchObject({ outcome: 'restart', instance: { incarnation: 2, state: 'active' } });
    await pass(leader, 59_000);
    expect(leader.lane.table.instances.get('a')!.state).toBe('active');
    await pass(leader, 2_000);
    expect(leader.lane.table.instances.get('a')!.state).toBe('silent');
  });
});

describe('the epoch', () => {
  /** Brings a login into the last second of its lease, then lets something befall the store or the leader. */
  async function overdueAfter(befall: (shard: TestShard, leader: TestReplica) => unknown) {
    const { shard, leader } = await openLeader();
    const { id } = await leader.login('alice', LEASE);
    leader.clock.aheadMs += LEASE_MS + 1_000;
    await befall(shard, leader);
    await runOnce(leader.reaping);
    return { shard, leader, id };
  }

  test.each([
    ['that was rolled back', (shard: TestShard) => Object.assign(shard.store, { epoch: 'an earlier one' })],
    ['that was replaced', (shard: TestShard) => Object.assign(shard.store, { runId: 'another run' })],
  ])('R-12: a store %s begins a grace period for all', async (_what, befall) => {
    const { shard, leader, id } = await overdueAfter(befall);
    expect(await reaped(shard)).toEqual([]);
    const { epoch, runId } = shard.store;
    expect(await readEpoch(shard.sql, SHARD)).toEqual({ epoch, runId });
    await pass(leader, LEASE_MS - 1_000);
    expect(await reaped(shard)).toEqual([]);
    await pass(leader, 2_000);
    expect(await reaped(shard)).toEqual([id]);
  });

  test('R-12: a store that came back empty begins a grace period, and each lost deadline one of its own', async () => {
    const { shard, leader, id } = await overdueAfter((shard) => {
      shard.store.deadlines.clear();
      shard.store.epoch = null;
    });
    // Its end meets nothing in the store, where the answer to a sign of life may have been.
    await pass(leader, LEASE_MS + 1_000);
    await pass(leader, LEASE_MS - 1_000);
    expect(await reaped(shard)).toEqual([]);
    await pass(leader, 2_000);
    expect(await reaped(shard)).toEqual([id]);
  });

  test('R-12: a store that loses one deadline begins a grace for that one only', async () => {
    const { shard, leader } = await openLeader();
    const [lost, kept] = [await leader.login('alice', LEASE), await leader.login('bob', LEASE)];
    leader.clock.aheadMs += 20_000;
    expect((await beat(leader, lost.id)).is).toBe('renewed');
    shard.store.deadlines.delete(loginMember('a', lost.id));
    await pass(leader, 11_000);
    expect(await reaped(shard)).toEqual([kept.id]);
    await pass(leader, LEASE_MS + 1_000);
    expect(await reaped(shard)).toEqual([kept.id, lost.id]);
  });

  test('R-12: a store that changes between the look and the mark has nobody reaped', async () => {
    const between: Between = {};
    const { shard, leader } = await openLeader(between);
    await leader.login('alice', LEASE);
    between.beforeMark = async () => Object.assign(shard.store, { runId: 'another run' });
    await pass(leader, LEASE_MS + 1_000);
    expect(await reaped(shard)).toEqual([]);
    delete between.beforeMark;
    await pass(leader, 0);
    expect(await reaped(shard)).toEqual([]);
    await pass(leader, LEASE_MS + 1_000);
    expect(await reaped(shard)).toHaveLength(1);
  });

  test('R-12: a gap in the contact of the leader with the store begins a grace period', async () => {
    const { shard, leader } = await overdueAfter((_shard, leader) => (leader.clock.pausedMs += 6_000));
    expect(await reaped(shard)).toEqual([]);
    await pass(leader, LEASE_MS + 1_000);
    expect(await reaped(shard)).toHaveLength(1);
  });

  test('R-12: a new leader begins with a grace period', async () => {
    const { shard, leader } = await openLeader();
    await leader.login('alice', LEASE);
    const epoch = shard.store.epoch;
    const next = await shard.open();
    await leader.leadership.close();
    await next.lead();
    await pass(next, LEASE_MS + 1_000);
    expect(await reaped(shard)).toEqual([]);
    expect(shard.store.epoch).not.toBe(epoch);
    await pass(next, LEASE_MS + 1_000);
    expect(await reaped(shard)).toHaveLength(1);
  });

  test('R-12: a leader that leads again, after another may have, begins with a grace period', async () => {
    const { shard, leader } = await overdueAfter(async (shard, leader) => {
      await shard.sql`update leadership set expires_at = clock_timestamp() - interval '1 ms'`;
      await until(() => leader.leadership.token === 2, PATIENCE_MS, 'it leads again');
    });
    expect(await reaped(shard)).toEqual([]);
    await pass(leader, LEASE_MS + 1_000);
    expect(await reaped(shard)).toHaveLength(1);
  });

  test('R-12: a former leader that believes it leads neither begins an epoch nor reaps', async () => {
    const { shard, leader } = await openLeader({}, { renewMs: NEVER_MS });
    await leader.login('alice', LEASE);
    await shard.sql`update leadership set token = token + 1, holder = 'another'`;
    shard.store.epoch = 'of the new leader';
    for (let index = 0; index < 3; index += 1) await pass(leader, LEASE_MS + 1_000);
    expect(leader.leadership.leads).toBe(true);
    expect(await reaped(shard)).toEqual([]);
    expect(await readEpoch(shard.sql, SHARD)).not.toMatchObject({ epoch: shard.store.epoch });
  });

  test('R-12: nobody is reaped while the store is away', async () => {
    const shard = await openShard();
    const leader = await shard.openWithKey({}, { intercept: away });
    await leader.lead();
    await leader.login('alice', LEASE);
    for (let index = 0; index < 5; index += 1) await pass(leader, LEASE_MS);
    expect(await reaped(shard)).toEqual([]);
  });

  test('R-12: the epoch stands in Postgres and in the store alike', async () => {
    const { shard } = await openLeader();
    const { epoch, runId } = shard.store;
    expect(epoch).not.toBeNull();
    expect(await readEpoch(shard.sql, SHARD)).toEqual({ epoch, runId });
  });

  test('R-9: whoever was loaded with the table is watched like the others', async () => {
    const { shard, leader } = await openLeader();
    const { id } = await leader.login('alice', LEASE);
    const next = await shard.open();
    await leader.leadership.close();
    await next.lead();
    await runOnce(next.reaping);
    await pass(next, LEASE_MS + 1_000);
    expect(await reaped(shard)).toEqual([id]);
  });
});
