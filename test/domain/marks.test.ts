import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { durationBucket } from '../../src/domain/marks/durations.ts';
import { COUNTERS, type Counter } from '../../src/domain/marks/marks.ts';
import type { Answer, Operation, ResetMarks } from '../../src/domain/operations.ts';
import { historySteps, RandomHistory } from '../support/histories.ts';
import { makeKey, makeRegister, type World, world } from '../support/make.ts';
import { type Walked, walk } from '../support/marks.ts';
import { snapshotOf } from '../support/snapshot.ts';

const marksAt = (lictor: World, instance = 'a') => lictor.table.places.get(instance)!.marks;
const countsAt = (lictor: World, instance = 'a') => lictor.table.places.get(instance)!.durations?.counts;

function reset(lictor: World, fields: Partial<ResetMarks> = {}): Extract<Answer, { is: 'marks' }> {
  const answer = lictor.ask({
    op: 'reset-marks',
    instance: 'a',
    key: null,
    counters: COUNTERS,
    actor: 'tester',
    ...fields,
  });
  if (answer.is !== 'marks') throw new Error(JSON.stringify(answer));
  return answer;
}

describe('marks of an instance (notes 2.3)', () => {
  test('are the most of each thing at one time, and the least that was left', () => {
    const lictor = world({ keys: [makeKey({ units: 10 })] });
    const alice = lictor.logins(2, { claims: { user: 'alice' } });
    const page = lictor.login({ claims: { kind: 'web', webSession: 's-1' } });
    lictor.login({ claims: { kind: 'system', processId: 1 } });
    const bob = lictor.login({ claims: { user: 'bob', processId: 2 } });
    for (const login of [...alice, bob]) lictor.logout(login);
    lictor.logout(page, { onePage: true });
    expect(marksAt(lictor)).toMatchObject({
      ...{ users: 1, usersPeak: 3, connections: 1, connectionsPeak: 4 },
      ...{ webUsers: 1, webUsersPeak: 1, webGrace: 1, webGracePeak: 1 },
      // A process that costs nothing is one all the same; a web session is none.
      ...{ processes: 1, processesPeak: 4, unitsPeak: 3, availableMin: 7 },
    });
    lictor.wait(600_000);
    expect(marksAt(lictor)).toMatchObject({
      users: 0,
      connections: 0,
      webUsers: 0,
      webGrace: 0,
      webGracePeak: 1,
    });
  });

  test('are raised where a transition elsewhere makes connections dearer (F-32, trap 5)', () => {
    const keys = [makeKey({ units: 10, connectionsPerUnitMax: 2 })];
    const lictor = world({ keys, instances: [{ name: 'a' }, { name: 'b' }] });
    lictor.logins(2, { instance: 'a', claims: { user: 'alice' } });
    expect(marksAt(lictor, 'a')).toMatchObject({ unitsPeak: 1, availableMin: 9 });
    lictor.login({ instance: 'b', claims: { user: 'alice' } });
    expect(marksAt(lictor, 'a')).toMatchObject({ unitsPeak: 2, availableMin: 8, usersPeak: 1 });
  });

  test('what is left is of the units that it may use: its key’s, or its own limit where that is less', () => {
    const lictor = world({ keys: [makeKey({ units: 10 })], settings: { unitLimit: 4 } });
    lictor.login({ claims: { user: 'alice' } });
    expect(marksAt(lictor).availableMin).toBe(3);
    lictor.ask({ op: 'configure', name: 'a', settings: { unitLimit: 2 }, ifRevision: null, actor: 'x' });
    expect(marksAt(lictor).availableMin).toBe(1);
    lictor.ask({ op: 'configure', name: 'a', settings: { unitLimit: 0 }, ifRevision: null, actor: 'x' });
    expect(marksAt(lictor).availableMin).toBe(1);
  });

  test('under another key count what is left there, and the least there was stays', () => {
    const keys = [makeKey({ id: 'key-1', units: 1 }), makeKey({ id: 'key-2', units: 25 })];
    const lictor = world({ keys });
    lictor.login({ claims: { user: 'alice' } });
    const activation = { instance: 'a', key: 'key-2', cause: 'activated', inspected: null } as const;
    lictor.ask({ op: 'activate-key', ...activation, actor: 'tester' });
    lictor.logins(2, { claims: { user: 'bob' } });
    expect(marksAt(lictor)).toMatchObject({ availableMin: 0, unitsPeak: 2, usersPeak: 2 });
    expect(lictor.table.pools.get('key-2')).toMatchObject({ unitsMax: 25, availableMin: 23 });
  });

  test('begin anew with every life of the instance, and a retry of its registration changes nothing', () => {
    const lictor = world();
    lictor.logins(3, { claims: { user: 'alice' } });
    lictor.login({ claims: { user: 'leased' }, leaseSeconds: 600 });
    lictor.wait(5_000);
    lictor.ask(makeRegister({ incarnation: 1 }));
    expect(marksAt(lictor)).toMatchObject({ usersPeak: 2, connectionsPeak: 4 });
    lictor.wait(5_000);
    lictor.ask(makeRegister({ incarnation: null }));
    // Who is in by a lease of his own outlives the restart.
    expect(marksAt(lictor)).toMatchObject({
      usersPeak: 1,
      connectionsPeak: 1,
      unitsPeak: 1,
      availableMin: 99,
    });
    expect(lictor.table.places.get('a')!.life).toMatchObject({
      incarnation: 2,
      startedAtMs: lictor.nowMs,
      since: Object.fromEntries(COUNTERS.map((counter) => [counter, lictor.nowMs])),
    });
    expect(countsAt(lictor)).toBeUndefined();
  });

  test('a refusal, or a batch that is taken back, leaves no mark', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    lictor.login({ claims: { user: 'alice' } });
    const before = snapshotOf(lictor.table);
    lictor.refuse({ claims: { user: 'bob' } });
    expect(snapshotOf(lictor.table).marks).toEqual(before.marks);
    lictor.draft([
      { op: 'release-instance', instance: 'a', note: '', actor: 'x' },
      makeRegister({ incarnation: null }),
      { op: 'reset-marks', instance: 'a', key: null, counters: COUNTERS, actor: 'x' },
      { op: 'clear-durations', instance: 'a', actor: 'x' },
    ]);
    lictor.table.rollback();
    expect(snapshotOf(lictor.table).marks).toEqual(before.marks);
  });
});

describe('resets (LUMaxConsumedReset, DistributedMaxReset)', () => {
  test('set each mark that is named to what stands, answer what it was, and say since when it is kept', () => {
    const lictor = world({ keys: [makeKey({ units: 10 })] });
    const [first] = lictor.logins(3, { claims: { user: 'alice' } });
    lictor.logout(first!);
    lictor.logout(lictor.login({ claims: { user: 'bob' } }));
    lictor.wait(1_000);
    const { before, atMs } = reset(lictor, { counters: ['connections', 'processes'] });
    expect(before).toEqual({ connections: 3, processes: 3 });
    expect(marksAt(lictor)).toMatchObject({
      connectionsPeak: 2,
      processesPeak: 2,
      usersPeak: 2,
      unitsPeak: 2,
    });
    expect(lictor.table.places.get('a')!.life!.since).toMatchObject({
      connections: atMs,
      users: atMs - 1_000,
    });
    expect(reset(lictor, { counters: ['users'] }).before).toEqual({
      units: 2,
      users: 2,
      availableMinimum: 8,
    });
    expect(marksAt(lictor)).toMatchObject({ usersPeak: 1, unitsPeak: 1, availableMin: 9 });
    expect(lictor.lastEvents).toEqual([
      {
        type: 'marks-reset',
        instance: 'a',
        counters: ['users'],
        before: { units: 2, users: 2, availableMinimum: 8 },
        by: 0,
      },
    ]);
  });

  test('of a key leave the marks of its instances, and the other way round', () => {
    const lictor = world({ keys: [makeKey({ units: 10 })], instances: [{ name: 'a' }, { name: 'b' }] });
    for (const instance of ['a', 'b'])
      for (const user of ['alice', 'bob', 'carol'])
        lictor.logout(lictor.login({ instance, claims: { user } }));
    lictor.logins(2, { instance: 'b', claims: { user: 'alice' } });
    reset(lictor, { counters: ['users', 'connections'] });
    const pool = lictor.table.pools.get('key-1')!;
    expect(pool).toMatchObject({ unitsPeak: 1, connectionsPeak: 2, marksSinceMs: 0 });
    lictor.login({ instance: 'b', claims: { user: 'bob' } });
    const of = { instance: null, key: 'key-1' };
    expect(reset(lictor, { ...of, counters: ['users', 'connections'] }).before).toEqual({
      ...{ units: 2, users: 2, availableMinimum: 8, connections: 3 },
    });
    expect(pool).toMatchObject({ unitsPeak: 2, availableMin: 8, marksSinceMs: lictor.nowMs });
    expect(marksAt(lictor, 'b')).toMatchObject({ usersPeak: 2, connectionsPeak: 3 });
  });

  test('of what is not there are problems', () => {
    const lictor = world();
    const ask = (fields: Partial<ResetMarks>) =>
      lictor.ask({
        op: 'reset-marks',
        instance: null,
        key: null,
        counters: ['users'],
        actor: 'x',
        ...fields,
      });
    expect(ask({ instance: 'nobody' })).toMatchObject({ is: 'problem', code: 'instance-not-found' });
    expect(ask({ key: 'nothing' })).toMatchObject({ is: 'problem', code: 'key-not-found' });
    expect(lictor.ask({ op: 'clear-durations', instance: 'nobody', actor: 'x' })).toMatchObject({
      code: 'instance-not-found',
    });
  });
});

describe('the histogram of durations (ReadDurationCounts)', () => {
  test.each([
    [0, 0],
    [1_000, 0],
    [1_001, 1],
    [15_000, 1],
    [60_000, 2],
    [900_000, 3],
    [3_600_000, 4],
    [3_600_001, 5],
  ])('%i ms is in bucket %i: bounds are included', (lastedMs, bucket) => {
    expect(durationBucket(lastedMs)).toBe(bucket);
  });

  test('counts a unit when it comes back, grace included, and neither what cost nothing nor what nobody knew of', () => {
    const lictor = world();
    const system = lictor.login({ claims: { kind: 'system' } });
    const [quick, slow, unknown] = ['x', 'y', 'z'].map((user) => lictor.login({ claims: { user } }));
    const page = lictor.login({ claims: { kind: 'web', webSession: 's' } });
    lictor.logout(quick!);
    lictor.logout(system);
    lictor.logout(unknown!, { reason: 'unanswered' });
    lictor.logout(page, { onePage: true });
    lictor.wait(20_000);
    lictor.logout(slow!);
    expect(countsAt(lictor)).toEqual([1, 0, 1, 0, 0, 0]);
    lictor.wait(700_000);
    expect(countsAt(lictor)).toEqual([1, 0, 1, 1, 0, 0]);
  });

  test('is cleared, and answers what it was', () => {
    const lictor = world();
    lictor.logout(lictor.login({ claims: { user: 'alice' } }));
    lictor.nowMs += 500;
    const startedAtMs = lictor.nowMs - 500;
    const clear = () => lictor.ask({ op: 'clear-durations', instance: 'a', actor: 'tester' });
    expect(clear()).toMatchObject({ is: 'durations', counts: [1, 0, 0, 0, 0, 0], sinceMs: startedAtMs });
    expect(clear()).toMatchObject({ counts: [0, 0, 0, 0, 0, 0], sinceMs: lictor.nowMs });
  });
});

const WALKED = {
  units: 'users',
  users: 'users',
  connections: 'connections',
  webUsers: 'web-users',
  webGrace: 'web-grace',
  processes: 'processes',
} as const satisfies Record<keyof Walked, Counter>;

/** Follows the most of each thing since its mark began, by looking after every operation. */
class Follower {
  readonly #seen = new Map<string, { readonly sinceMs: number; readonly most: number }>();
  /** What had been more than it was at some look. */
  readonly hasFallen = new Set<string>();

  look({ table }: World, operation: Operation): void {
    for (const place of table.places.values()) {
      if (!place.life) continue;
      const counts = walk(place);
      for (const [name, counter] of Object.entries(WALKED) as [keyof Walked, Counter][]) {
        const at = `${place.instance} ${place.life.incarnation} ${name}`;
        const sinceMs = place.life.since[counter];
        const before = this.#seen.get(at);
        // Within one millisecond only the operation tells a reset from anything else.
        const isReset = operation.op === 'reset-marks' && sinceMs === table.atMs;
        const goesOn = before?.sinceMs === sinceMs && !isReset;
        const most = goesOn ? Math.max(before.most, counts[name]) : counts[name];
        if (place.marks[`${name}Peak`] < most) throw new Error(`${name} of ${at} had been ${most}`);
        if (most > counts[name]) this.hasFallen.add(name);
        this.#seen.set(at, { sinceMs, most });
      }
    }
  }
}

test('in random histories no mark forgets what was counted after any step since it began', () => {
  const hasFallen = new Set<string>();
  fc.assert(
    fc.property(fc.array(historySteps(), { maxLength: 120, size: 'max' }), (steps) => {
      const history = new RandomHistory();
      const follower = new Follower();
      for (const step of steps) {
        // Each operation is a batch, so that nothing comes and goes between two looks.
        history.take({ ...step, closes: true, stumbles: false }, (operations) =>
          operations.map((operation) => {
            const answer = history.lictor.ask(operation);
            follower.look(history.lictor, operation);
            return answer;
          }),
        );
      }
      for (const name of follower.hasFallen) hasFallen.add(name);
    }),
    { numRuns: 60, seed: 20_300_117 },
  );
  // A property that never met a count that had been higher has not tested its mark.
  expect([...hasFallen].sort()).toEqual(Object.keys(WALKED).sort());
}, 120_000);
