import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Coordinator } from '../../src/coordination/coordinator.ts';
import type { Report, UpdateView } from '../../src/domain/operations.ts';
import { Arrivals } from '../../src/service/arrivals.ts';
import { instanceMember } from '../../src/service/heartbeats.ts';
import { knownSign, Signs } from '../../src/service/signs.ts';
import { Updates } from '../../src/service/updates.ts';
import {
  closeShards,
  intercepted,
  NEVER_MS,
  openShard,
  runOnce,
  type TestReplica,
  type TestShard,
} from '../support/lane.ts';
import { makeRegister } from '../support/make.ts';
import { Reporter } from '../support/reporter.ts';
import { snapshotOf } from '../support/snapshot.ts';

afterEach(closeShards);

const LOCAL = { units: 6, enforcement: 'local', connectionsPerUnitMax: 3 } as const;
const NOBODY: ReadonlySet<string> = new Set();

const updatesOf = ({ lane, clock, heartbeats }: TestReplica) =>
  new Updates({ lane, clock, heartbeats, revoked: NOBODY });

async function send(replica: TestReplica, reporter: Reporter, report: Report = reporter.update()) {
  const answer = await updatesOf(replica).take(report);
  if (answer.is !== 'updated') throw new Error(`updated was expected, not ${JSON.stringify(answer)}`);
  reporter.hear(answer.update);
  return answer.update;
}

/** The fold, the journal and what replicas hold are the same. */
async function expectLevel(shard: TestShard, ...replicas: readonly TestReplica[]): Promise<void> {
  const folded = snapshotOf(await shard.folded());
  expect(folded).toEqual(snapshotOf(await shard.replayed()));
  for (const replica of replicas) {
    expect(snapshotOf(await replica.lane.read((table) => table))).toEqual(folded);
  }
}

describe('the fold of what instances report', () => {
  test.each([1, 2])(
    'R-9: random updates through two replicas, folded at random moments (%i)',
    async (seed) => {
      const shard = await openShard();
      const quiet = { coordinated: false, lane: { headPollMs: NEVER_MS } } as const;
      const first = await shard.openWithKey(LOCAL, quiet, ['a', 'b', 'c']);
      const replicas = [first, await shard.open(quiet)] as const;
      await first.lead();
      const reporters = ['a', 'b', 'c'].map((name) => new Reporter(name));
      const nat = fc.nat();
      for (const [who, user, count, what] of fc.sample(fc.tuple(nat, nat, nat, nat), {
        seed,
        numRuns: 250,
      })) {
        const reporter = reporters[who % 3]!;
        const replica = replicas[what % 2]!;
        reporter.set(`user ${user % 7}`, count % 5, { transitioned: count % 5 > 3 });
        if (what % 3 === 0) await send(replica, reporter);
        if (what % 23 === 0) for (const part of reporter.full(2)) await send(replica, reporter, part);
        if (what % 29 === 0) {
          const answer = await replica.ask(makeRegister({ name: reporter.name }));
          if (answer.is === 'instance') reporter.restart(answer.instance.incarnation);
        }
        if (what % 31 === 0) await replica.ask({ op: 'deregister', name: 'c', actor: 'tester' });
        if (what % 31 === 0) await replica.ask(makeRegister({ name: 'c' }));
        if (what % 31 === 0) reporters[2]!.restart(await incarnationOf(replica, 'c'));
        if (what % 11 === 0) await runOnce(first.fold);
        if (what % 41 === 0) {
          await first.lane.read(() => {});
          await runOnce(first.fold);
          await expectLevel(shard, ...replicas);
        }
      }
      await first.lane.read(() => {});
      await runOnce(first.fold);
      await expectLevel(shard, ...replicas);
    },
  );

  const incarnationOf = (replica: TestReplica, name: string) =>
    replica.lane.read((table) => table.instances.get(name)!.incarnation);

  test('L-5: after ten minutes without a server one exchange makes the combined table right (F-13)', async () => {
    const shard = await openShard();
    const first = await shard.openWithKey(LOCAL);
    const [a, b] = [new Reporter('a').letIn('a', 3), new Reporter('b').letIn('b', 2)];
    for (const reporter of [a, b]) await send(first, reporter);
    await first.close();
    // Users come and go meanwhile, and an update that nobody answers is made.
    a.set('a1', 0).set('a9', 2).update();
    b.letIn('c', 3).update();
    b.set('b1', 0).set('a9', 2, { transitioned: false });
    const later = await shard.open();
    later.clock.aheadMs += 600_000;
    expect(await send(later, a)).toMatchObject({ resend: false, inUse: 5 });
    // Four connections of one user on two instances are more than a unit bears.
    expect(await send(later, b)).toMatchObject({ resend: false, inUse: 2 + 4 + 1 + 3 });
    const held = await later.lane.read((table) => [...table.places.get('b')!.reported.keys()].sort());
    expect(held).toEqual([...b.rows.keys()].sort());
  });

  test('R-12: rows, their state and an open episode stand after every replica and the store of signs are gone', async () => {
    const shard = await openShard();
    const first = await shard.openWithKey(LOCAL);
    const [a, b] = [new Reporter('a'), new Reporter('b')];
    await send(first, a.letIn('a', 5));
    await send(first, b.letIn('b', 4).set('a1', 4, { transitioned: true }));
    await first.lead();
    await runOnce(first.fold);
    await send(first, a.set('a5', 0).set('a6', 1));
    const before = snapshotOf(await first.lane.read((table) => table));
    await first.close();
    const later = await shard.open({ coordinated: false });
    expect(snapshotOf(await later.lane.read((table) => table))).toEqual(before);
    expect(await send(later, a)).toMatchObject({ acknowledged: false, resend: false, sequence: 2 });
    for (const each of ['b1', 'b2', 'b3', 'b4', 'a1']) b.set(each, 0);
    expect(await send(later, b)).toMatchObject({ acknowledged: true, inUse: 5 });
    const [episode] = await shard.sql<
      { ended: boolean }[]
    >`select ended_at is not null as ended from excesses`;
    expect(episode).toEqual({ ended: true });
  });
});

describe('L-7: an update that states nothing new (R-11)', () => {
  /** Two replicas that share a store but hear nothing of each other's heads. */
  async function open() {
    const shard = await openShard();
    const first = await shard.openWithKey(LOCAL, { lane: { headPollMs: NEVER_MS } });
    return { shard, first, reporter: new Reporter('a').letIn('a', 2) };
  }

  test('moves the deadline in the store, and appends nothing', async () => {
    const { first, reporter } = await open();
    await send(first, reporter);
    const member = instanceMember('a', 1);
    first.clock.aheadMs += 30_000;
    const { version } = first.lane.table;
    const [before] = (await first.coordinator.readDeadlines([member]))!;
    expect(await send(first, reporter)).toMatchObject({ acknowledged: true, inUse: 2 });
    const [after] = (await first.coordinator.readDeadlines([member]))!;
    expect(after! - before!).toBeGreaterThan(25_000);
    expect(first.lane.table.version).toBe(version);
  });

  test('is settled by the journal where the store does not know the instance', async () => {
    const { first, reporter } = await open();
    await send(first, reporter);
    await first.coordinator.forget([instanceMember('a', 1)]);
    const { version } = first.lane.table;
    expect(await send(first, reporter)).toMatchObject({ acknowledged: true });
    expect(first.lane.table.version).toBe(version + 1);
  });

  test('goes to the lane where this replica has not heard the last one yet', async () => {
    const { shard, first, reporter } = await open();
    const intercept = (own: Coordinator) => intercepted(own, { onHead: () => {} });
    const second = await shard.open({ lane: { headPollMs: NEVER_MS }, intercept });
    await send(first, reporter);
    expect(second.lane.table.places.get('a')?.report ?? null).toBeNull();
    expect(await send(second, reporter)).toMatchObject({ resend: false, sequence: 1, inUse: 2 });
  });

  test('of an instance that was reaped brings it back, and asks for everything', async () => {
    const { first, reporter } = await open();
    await send(first, reporter);
    const far = { observedMs: Number.MAX_SAFE_INTEGER, actor: 'lictor' } as const;
    await first.ask({ op: 'reap-instance', name: 'a', incarnation: 1, ...far });
    expect(await send(first, reporter)).toMatchObject({ resend: true, inUse: 0 });
    const [part] = reporter.full();
    expect(await send(first, reporter, part)).toMatchObject({ resend: false, inUse: 2 });
  });

  test('of an instance that is not watched needs no store', async () => {
    const shard = await openShard();
    const first = await shard.openWithKey(LOCAL, {}, []);
    await first.ask(makeRegister({ name: 'a', settings: { graceSeconds: 0 } }));
    const reporter = new Reporter('a').letIn('a', 1);
    await send(first, reporter);
    const { version } = first.lane.table;
    const update: UpdateView = await send(first, reporter);
    expect(update).toMatchObject({ acknowledged: true, sequence: 1 });
    expect(first.lane.table.version).toBe(version);
  });
});

describe('how fresh reports are', () => {
  test('stale after two intervals without a sign of life; unknown without the store', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey(LOCAL);
    const reporter = new Reporter('a').letIn('a', 1);
    await send(replica, reporter);
    const { coordinator, clock, lane } = replica;
    const known = () =>
      lane.read((table) => ['a', 'b'].map((name) => knownSign(table, table.instances.get(name)!)));
    const signs = new Signs({ coordinator, staleAfterMs: 30_000 });
    const stale = async () => (await signs.of(await known(), clock.nowMs())).map(({ isStale }) => isStale);
    expect(await stale()).toEqual([false, false]);
    clock.aheadMs += 31_000;
    expect(await stale()).toEqual([true, false]);
    await send(replica, reporter);
    expect(await stale()).toEqual([false, false]);
    const away = new Signs({ coordinator: { readDeadlines: async () => null }, staleAfterMs: 30_000 });
    expect(await away.of(await known(), clock.nowMs() + 99_000)).toMatchObject([
      { heardAtMs: null, isStale: false, reportedAtMs: expect.any(Number) },
      { heardAtMs: null, isStale: false, reportedAtMs: null },
    ]);
  });

  test('new users are counted by the minute, and not again with a full report', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey(LOCAL);
    const arrivals = new Arrivals(replica.lane);
    const reporter = new Reporter('a').letIn('a', 4);
    await send(replica, reporter);
    replica.clock.aheadMs += 120_000;
    await send(replica, reporter.set('b1', 1).set('a1', 0));
    for (const part of reporter.full(2)) await send(replica, reporter, part);
    const nowMs = replica.clock.nowMs();
    expect(arrivals.rateOf('key-1', nowMs)).toEqual({ perMinute: 5 / 3, perMinuteMax: 4, minutes: 3 });
    expect(arrivals.rateOf('key-2', nowMs)).toMatchObject({ perMinute: 0, perMinuteMax: 0 });
    expect(arrivals.rateOf('key-1', nowMs + 3_600_000)).toMatchObject({ perMinuteMax: 0, minutes: 60 });
  });
});

describe('numbers that no column holds', () => {
  test('L-2: more connections than can be counted are refused whole, and the fold goes on', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey(LOCAL, {}, ['a', 'b']);
    await replica.lead();
    const reporter = new Reporter('a');
    for (let index = 0; index < 2_000; index += 1) reporter.set(`user ${index}`, 1_000_000);
    await send(replica, reporter);
    const more = new Reporter('b').set('user 0', 1);
    const before = snapshotOf(replica.lane.table);
    expect(await updatesOf(replica).take(more.update())).toMatchObject({
      is: 'problem',
      code: 'table-too-large',
    });
    expect(snapshotOf(replica.lane.table)).toEqual(before);
    await send(replica, reporter.set('user 0', 999_999));
    await send(replica, more);
    await runOnce(replica.fold);
    await expectLevel(shard, replica);
    expect(replica.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
