/** What every coordinator does, whatever stands behind it. Each twin calls this with its own setup. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Coordinator, Deadline } from '../../src/coordination/coordinator.ts';
import { exerciseMessages, exerciseTurnEnds, exerciseTurns } from './exercise-turns.ts';
import type { CoordinationWorld } from './world.ts';

const T0 = 1_764_000_000_000;

async function writeEpochSurely(coordinator: Coordinator, epoch: string) {
  const reading = await coordinator.writeEpoch(epoch);
  if (reading === null) throw new Error('The store is away.');
  return { epoch, runId: reading.runId };
}

/** Runs the whole contract against what `setup` makes; every test gets a world of its own. */
export function exerciseCoordinator(name: string, setup: () => Promise<CoordinationWorld>): void {
  describe(`the ${name} coordinator`, () => {
    let world: CoordinationWorld;
    beforeEach(async () => {
      world = await setup();
    });
    afterEach(async () => {
      await world.close();
    });
    const getWorld = (): CoordinationWorld => world;

    test('is healthy on a store that answers', async () => {
      const coordinator = await world.open();
      expect(coordinator.kind).toBe(name);
      expect(coordinator.healthy()).toBe(true);
    });
    exerciseHeartbeats(getWorld);
    exerciseMarks(getWorld);
    exerciseMarkRaces(getWorld);
    exerciseEpoch(getWorld);
    exerciseTurns(getWorld);
    exerciseTurnEnds(getWorld);
    exerciseMessages(getWorld);
    exerciseRates(getWorld);
  });
}

function exerciseHeartbeats(world: () => CoordinationWorld): void {
  describe('heartbeats (R-11)', () => {
    test('a watched member is renewed, an unknown one is missing, in the order of the question', async () => {
      const coordinator = await world().open();
      expect(await coordinator.watch([{ member: 'a', deadlineMs: T0 }])).toBe(true);
      const beats = ['x', 'a', 'y'].map((member) => ({ member, deadlineMs: T0 + 10 }));
      expect(await coordinator.beat(beats)).toEqual(['missing', 'renewed', 'missing']);
      expect(await coordinator.beat(beats.slice(1, 2))).toEqual(['renewed']);
    });

    test('deadlines can be read: of whoever is neither missing nor marked', async () => {
      const coordinator = await world().open();
      await coordinator.watch([
        { member: 'alive', deadlineMs: T0 + 5 },
        { member: 'gone', deadlineMs: T0 },
      ]);
      await coordinator.beat([{ member: 'alive', deadlineMs: T0 + 7 }]);
      const { runId } = (await coordinator.writeEpoch('the-epoch'))!;
      await coordinator.mark(['gone'], T0, { epoch: 'the-epoch', runId });
      expect(await coordinator.readDeadlines(['missing', 'alive', 'gone'])).toEqual([null, T0 + 7, null]);
      expect(await coordinator.readDeadlines([])).toEqual([]);
    });

    test('a missing member is not made known by its beat', async () => {
      const coordinator = await world().open();
      await coordinator.beat([{ member: 'a', deadlineMs: T0 }]);
      expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 }])).toEqual(['missing']);
    });

    test('neither beat nor watch moves a deadline back', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      await coordinator.watch([{ member: 'a', deadlineMs: T0 + 100 }]);
      expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 }])).toEqual(['renewed']);
      await coordinator.watch([{ member: 'a', deadlineMs: T0 + 50 }]);
      expect(await coordinator.mark(['a'], T0 + 99, expected)).toEqual([
        { member: 'a', marked: false, deadlineMs: T0 + 100 },
      ]);
    });

    test('lists of any length are answered one status each, and empty ones too', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      const all: Deadline[] = Array.from({ length: 2500 }, (_, i) => ({
        member: `m${i}`,
        deadlineMs: T0 + i,
      }));
      await coordinator.watch(all);
      await coordinator.forget(all.filter((_, i) => i % 1000 === 999).map(({ member }) => member));
      const statuses = await coordinator.beat(all.map(({ member }) => ({ member, deadlineMs: T0 + 5000 })));
      expect(statuses).toEqual(all.map((_, i) => (i % 1000 === 999 ? 'missing' : 'renewed')));
      const marks = await coordinator.mark(
        all.map(({ member }) => member),
        T0 + 4999,
        expected,
      );
      expect(marks).toEqual(
        all.map(({ member }, i) => ({
          member,
          marked: i % 1000 === 999,
          deadlineMs: i % 1000 === 999 ? null : T0 + 5000,
        })),
      );
      expect(await coordinator.forget(all.map(({ member }) => member))).toBe(true);
      expect(await coordinator.beat(all.slice(0, 1))).toEqual(['missing']);

      expect(await coordinator.beat([])).toEqual([]);
      expect(await coordinator.watch([])).toBe(true);
      expect(await coordinator.forget([])).toBe(true);
      expect(await coordinator.mark([], T0, expected)).toEqual([]);
    });

    test('what one replica watches the other renews', async () => {
      const [one, other] = [await world().open(), await world().open()];
      await one.watch([{ member: 'a', deadlineMs: T0 }]);
      expect(await other.beat([{ member: 'a', deadlineMs: T0 + 1 }])).toEqual(['renewed']);
    });
  });
}

function exerciseMarks(world: () => CoordinationWorld): void {
  describe('marks for reaping (R-11)', () => {
    test('mark takes who is due or missing, and tells the later deadline of who is alive', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      await coordinator.watch([
        { member: 'before', deadlineMs: T0 - 1 },
        { member: 'at', deadlineMs: T0 },
        { member: 'after', deadlineMs: T0 + 1 },
      ]);
      expect(await coordinator.mark(['before', 'at', 'after', 'missing'], T0, expected)).toEqual([
        { member: 'before', marked: true, deadlineMs: T0 - 1 },
        { member: 'at', marked: true, deadlineMs: T0 },
        { member: 'after', marked: false, deadlineMs: T0 + 1 },
        { member: 'missing', marked: true, deadlineMs: null },
      ]);
      const beats = ['before', 'at', 'after', 'missing'].map((member) => ({ member, deadlineMs: T0 + 9 }));
      expect(await coordinator.beat(beats)).toEqual(['marked', 'marked', 'renewed', 'marked']);
    });

    test('who is marked already is marked again, whatever instant is due', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      for (const dueMs of [T0, T0 + 5, T0 - 5]) {
        expect(await coordinator.mark(['a'], dueMs, expected)).toEqual([
          { member: 'a', marked: true, deadlineMs: null },
        ]);
      }
      // The latest of the three instants stands.
      await coordinator.watch([{ member: 'a', deadlineMs: T0 + 5 }]);
      expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 + 9 }])).toEqual(['marked']);
    });

    test('watch clears a mark by a deadline after the instant of the mark', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      await coordinator.watch([{ member: 'a', deadlineMs: T0 }]);
      await coordinator.mark(['a', 'b'], T0, expected);
      await coordinator.watch(['a', 'b'].map((member) => ({ member, deadlineMs: T0 + 1 })));
      const beats = ['a', 'b'].map((member) => ({ member, deadlineMs: T0 + 9 }));
      expect(await coordinator.beat(beats)).toEqual(['renewed', 'renewed']);
    });

    test('a watch that comes late, for a deadline that was due at the mark, leaves the mark', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      await coordinator.mark(['a'], T0, expected);
      await coordinator.watch([{ member: 'a', deadlineMs: T0 }]);
      expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 + 9 }])).toEqual(['marked']);
    });

    test('forget removes deadline and mark', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      await coordinator.watch([{ member: 'alive', deadlineMs: T0 }]);
      await coordinator.mark(['marked'], T0 - 1, expected);
      expect(await coordinator.forget(['alive', 'marked', 'unknown'])).toBe(true);
      const beats = ['alive', 'marked'].map((member) => ({ member, deadlineMs: T0 + 9 }));
      expect(await coordinator.beat(beats)).toEqual(['missing', 'missing']);
    });

    test('what nobody asked about for a day is dropped, and is missing then', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      const dayMs = 86_400_000;
      await coordinator.mark(['marked'], T0, expected);
      await coordinator.watch([
        { member: 'old', deadlineMs: T0 },
        { member: 'young', deadlineMs: T0 + 1 },
      ]);
      await coordinator.mark(['other'], T0 + dayMs + 1, expected);
      const beats = ['marked', 'old', 'young'].map((member) => ({ member, deadlineMs: T0 + 9 }));
      expect(await coordinator.beat(beats)).toEqual(['missing', 'missing', 'renewed']);
    });

    test('fractions of a millisecond never shorten a deadline', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      await coordinator.watch([{ member: 'a', deadlineMs: T0 + 0.25 }]);
      const results = await coordinator.mark(['a'], T0 + 0.2, expected);
      expect(results).toEqual([{ member: 'a', marked: false, deadlineMs: T0 + 1 }]);
    });
  });
}

/** One step of a random story about one of three members. */
type Step = readonly [kind: 'beat' | 'watch' | 'mark' | 'forget', member: string, atMs: number];

/** @returns steps on few members and close instants, so that they meet often. */
export function arbitrarySteps(): fc.Arbitrary<Step[]> {
  return fc.array(
    fc.tuple(
      fc.constantFrom('beat', 'beat', 'watch', 'mark', 'forget'),
      fc.constantFrom('a', 'b', 'c'),
      fc.integer({ min: 1, max: 20 }),
    ) as fc.Arbitrary<Step>,
    { minLength: 5, maxLength: 40 },
  );
}

/** Takes one step and returns what was answered. */
export function takeStep(
  coordinator: Coordinator,
  [kind, member, atMs]: Step,
  expected: { epoch: string; runId: string },
): Promise<unknown> {
  if (kind === 'beat') return coordinator.beat([{ member, deadlineMs: atMs }]);
  if (kind === 'watch') return coordinator.watch([{ member, deadlineMs: atMs }]);
  if (kind === 'mark') return coordinator.mark([member], atMs, expected);
  return coordinator.forget([member]);
}

function exerciseMarkRaces(world: () => CoordinationWorld): void {
  describe('a heartbeat answered renewed is never marked before its new deadline (R-11)', () => {
    test('in any order of steps', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      const check = async (steps: readonly Step[]): Promise<void> => {
        await coordinator.forget(['a', 'b', 'c']);
        const promisedMs = new Map<string, number>();
        const markedForMs = new Map<string, number>();
        for (const step of steps) {
          const [kind, member, atMs] = step;
          const answer = await takeStep(coordinator, step, expected);
          if (kind === 'beat' && (answer as string[])[0] === 'renewed') {
            expect(markedForMs.has(member)).toBe(false);
            promisedMs.set(member, Math.max(atMs, promisedMs.get(member) ?? 0));
          } else if (kind === 'mark' && (answer as { marked: boolean }[])[0]!.marked) {
            expect(promisedMs.get(member) ?? 0).toBeLessThanOrEqual(atMs);
            promisedMs.delete(member);
            markedForMs.set(member, Math.max(atMs, markedForMs.get(member) ?? 0));
          } else if (kind === 'watch' && atMs > (markedForMs.get(member) ?? 0)) {
            markedForMs.delete(member);
          } else if (kind === 'forget') {
            promisedMs.delete(member);
            markedForMs.delete(member);
          }
        }
      };
      await fc.assert(fc.asyncProperty(arbitrarySteps(), check), { numRuns: 50 });
    });

    test('when beat and mark race from two replicas', async () => {
      const [replica, leader] = [await world().open(), await world().open()];
      const expected = await writeEpochSurely(leader, 'e1');
      const members = Array.from({ length: 20 }, (_, i) => `m${i}`);
      const check = async (isBeatFirst: boolean, dueMs: number): Promise<void> => {
        await leader.forget(members);
        await leader.watch(members.map((member, i) => ({ member, deadlineMs: i + 1 })));
        const beat = () => replica.beat(members.map((member) => ({ member, deadlineMs: 30 })));
        const mark = () => leader.mark(members, dueMs, expected);
        const first = isBeatFirst ? [beat(), mark()] : [mark(), beat()].reverse();
        const [statuses, results] = (await Promise.all(first)) as [string[], { marked: boolean }[]];
        for (const [i, { marked }] of results.entries()) {
          expect(statuses[i]).toBe(marked ? 'marked' : 'renewed');
        }
      };
      const property = fc.asyncProperty(fc.boolean(), fc.integer({ min: 1, max: 29 }), check);
      await fc.assert(property, { numRuns: 50 });
    });
  });
}

function exerciseEpoch(world: () => CoordinationWorld): void {
  describe('the epoch (R-12)', () => {
    test('is none at first, and then the one written, on the same life of the store', async () => {
      const [one, other] = [await world().open(), await world().open()];
      const before = await one.readEpoch();
      expect(before).toEqual({ epoch: null, runId: expect.stringMatching(/^[0-9a-f]{32,40}$/) });
      const written = await one.writeEpoch('e1');
      expect(written).toEqual({ epoch: 'e1', runId: before?.runId });
      expect(await other.readEpoch()).toEqual(written);
    });

    test('refuses to mark anyone when it is not the expected one, or the store is another', async () => {
      const coordinator = await world().open();
      const expected = await writeEpochSurely(coordinator, 'e1');
      await coordinator.watch([{ member: 'a', deadlineMs: T0 }]);
      const strangers = [
        { ...expected, epoch: 'e0' },
        { ...expected, runId: 'f'.repeat(40) },
      ];
      for (const stranger of strangers) {
        expect(await coordinator.mark(['a', 'b'], T0 + 1, stranger)).toBe('epoch-changed');
      }
      const beats = ['a', 'b'].map((member) => ({ member, deadlineMs: T0 }));
      expect(await coordinator.beat(beats)).toEqual(['renewed', 'missing']);
    });

    test('a new one leaves the deadlines and refuses the old leader', async () => {
      const coordinator = await world().open();
      const old = await writeEpochSurely(coordinator, 'e1');
      await coordinator.watch([{ member: 'a', deadlineMs: T0 }]);
      const current = await writeEpochSurely(coordinator, 'e2');
      expect(await coordinator.mark(['a'], T0, old)).toBe('epoch-changed');
      expect(await coordinator.mark(['a'], T0 - 1, current)).toEqual([
        { member: 'a', marked: false, deadlineMs: T0 },
      ]);
    });
  });
}

function exerciseRates(world: () => CoordinationWorld): void {
  describe('rates', () => {
    test('events of a bucket are counted together, over all replicas, and apart from other buckets', async () => {
      const [one, other] = [await world().open(), await world().open()];
      expect(await one.countRate('a', 60)).toBe(1);
      expect(await other.countRate('a', 60)).toBe(2);
      expect(await one.countRate('b', 60)).toBe(1);
      expect(await one.countRate('a', 30)).toBe(1);
      const counts = await Promise.all(Array.from({ length: 50 }, () => one.countRate('c', 60)));
      expect(counts.toSorted((x, y) => x! - y!)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    });

    test('a window ends by its length after its first event, however many follow', async () => {
      const coordinator = await world().open();
      await coordinator.countRate('a', 2);
      await world().elapse(1000);
      expect(await coordinator.countRate('a', 2)).toBe(2);
      await world().elapse(1100);
      expect(await coordinator.countRate('a', 2)).toBe(1);
    });
  });
}
