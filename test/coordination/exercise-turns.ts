/** The part of the coordinators' contract that is about turns, heads and contention. */
import { describe, expect, test } from '@jest/globals';
import type { Coordinator, Head, Turn } from '../../src/coordination/coordinator.ts';
import { until } from '../support/wait.ts';
import type { CoordinationWorld } from './world.ts';

const SIGNAL_TIMEOUT_MS = 5000;

function headOf(version: number, shard = 0): Head {
  return { shard, version, batch: `batch-${version}` };
}

async function takeTurnSurely(coordinator: Coordinator, shard = 0): Promise<Turn> {
  const turn = await coordinator.takeTurn(shard, SIGNAL_TIMEOUT_MS);
  if (turn === null) throw new Error('The turn did not come.');
  return turn;
}

/** How turns are taken and handed on. */
export function exerciseTurns(world: () => CoordinationWorld): void {
  describe('turns (R-13)', () => {
    test('a free turn is taken even without waiting, and brings the published head', async () => {
      const coordinator = await world().open();
      const first = await coordinator.takeTurn(0, 0);
      expect(first?.head).toBeNull();
      await first?.release(headOf(7));
      const second = await coordinator.takeTurn(0, 0);
      expect(second?.head).toEqual(headOf(7));
      await second?.release(null);
      expect((await coordinator.takeTurn(0, 0))?.head).toEqual(headOf(7));
    });

    test('a turn that is held does not come to another in time', async () => {
      const [one, other] = [await world().open(), await world().open()];
      const turn = await takeTurnSurely(one);
      expect(await other.takeTurn(0, 0)).toBeNull();
      expect(await other.takeTurn(0, 30)).toBeNull();
      await turn.release(null);
      // Who gave up waiting is not called any more, so the turn is free.
      expect(await one.takeTurn(0, 0)).not.toBeNull();
    });

    test('shards have turns and heads of their own', async () => {
      const [one, other] = [await world().open(), await world().open()];
      const turn = await takeTurnSurely(one, 1);
      const otherTurn = await other.takeTurn(2, 0);
      expect(otherTurn?.head).toBeNull();
      await turn.release(headOf(3, 1));
      await otherTurn?.release(headOf(4, 2));
      expect((await one.takeTurn(1, 0))?.head).toEqual(headOf(3, 1));
      expect((await one.takeTurn(2, 0))?.head).toEqual(headOf(4, 2));
    });

    test('one at a time, each with the head of the one before: 3 contenders, 200 turns each', async () => {
      const contenders = [await world().open(), await world().open(), await world().open()];
      let holders = 0;
      let version = 0;
      await Promise.all(
        contenders.map(async (contender) => {
          for (let i = 0; i < 200; i += 1) {
            const turn = await takeTurnSurely(contender);
            holders += 1;
            expect(holders).toBe(1);
            expect(turn.head?.version ?? 0).toBe(version);
            await new Promise(setImmediate);
            version += 1;
            holders -= 1;
            await turn.release(headOf(version));
          }
        }),
      );
      expect(version).toBe(600);
    });

    test('who waits longer is served first', async () => {
      const replicas = [await world().open(), await world().open(), await world().open()];
      const turn = await takeTurnSurely(replicas[0]!);
      const order: number[] = [];
      const served: Promise<void>[] = [];
      for (const i of [1, 2, 0]) {
        const wait = async (): Promise<void> => {
          const own = await takeTurnSurely(replicas[i]!);
          order.push(i);
          await own.release(null);
        };
        served.push(wait());
        // The end of a wait of no length proves that the one before it is in the queue.
        await replicas[i]!.takeTurn(0, 0);
      }
      await turn.release(null);
      await Promise.all(served);
      expect(order).toEqual([1, 2, 0]);
    });
  });
}

/** How turns end: by release, by time, by closing. */
export function exerciseTurnEnds(world: () => CoordinationWorld): void {
  describe('the end of a turn (R-13)', () => {
    test('a holder that dies keeps the others waiting no longer than its lifetime', async () => {
      const [dead, other] = [await world().open(), await world().open()];
      // The lifetime begins after this, however long the machine takes for it.
      const startMs = performance.now();
      await takeTurnSurely(dead);
      await takeTurnSurely(other);
      const waitedMs = performance.now() - startMs;
      expect(waitedMs).toBeGreaterThan(world().turnLifetimeMs / 2);
      expect(waitedMs).toBeLessThan(world().turnLifetimeMs + 2000);
    });

    test('the release of a turn that has lapsed does not take the turn of its new holder', async () => {
      const [slow, other] = [await world().open(), await world().open()];
      const lapsed = await takeTurnSurely(slow);
      const turn = await takeTurnSurely(other);
      await lapsed.release(headOf(1));
      expect(await slow.takeTurn(0, 0)).toBeNull();
      await turn.release(headOf(2));
      expect((await slow.takeTurn(0, 0))?.head).toEqual(headOf(2));
    });

    test('a second release of the same turn does nothing', async () => {
      const [one, other] = [await world().open(), await world().open()];
      const turn = await takeTurnSurely(one);
      await turn.release(headOf(1));
      const next = await takeTurnSurely(other);
      await turn.release(headOf(9));
      expect(await one.takeTurn(0, 0)).toBeNull();
      await next.release(null);
      expect((await one.takeTurn(0, 0))?.head).toEqual(headOf(1));
    });

    test('closing sends its waiters away, and their places go to the others', async () => {
      const [one, closing, other] = [await world().open(), await world().open(), await world().open()];
      const turn = await takeTurnSurely(one);
      const sentAway = closing.takeTurn(0, SIGNAL_TIMEOUT_MS);
      await closing.takeTurn(0, 0);
      const next = takeTurnSurely(other);
      await closing.close();
      expect(await sentAway).toBeNull();
      await turn.release(null);
      expect((await next).head).toBeNull();
    });
  });
}

/** What coordinators on one store hear of each other. */
export function exerciseMessages(world: () => CoordinationWorld): void {
  describe('what replicas tell each other (R-13)', () => {
    test('a head is heard by the others and met by the next turn, whichever way it is published', async () => {
      const [one, other] = [await world().open(), await world().open()];
      const heard: Head[] = [];
      const own: Head[] = [];
      other.onHead((head) => heard.push(head));
      one.onHead((head) => own.push(head));

      one.publishHead(headOf(5));
      await until(() => heard.length === 1, SIGNAL_TIMEOUT_MS, 'the published head is heard');
      const turn = await takeTurnSurely(other);
      expect(turn.head).toEqual(headOf(5));
      await turn.release(null);
      await (await takeTurnSurely(one)).release(headOf(6));
      await until(() => heard.length === 2, SIGNAL_TIMEOUT_MS, 'the head of the release is heard');
      expect(heard).toEqual([headOf(5), headOf(6)]);
      expect(own).toEqual([]);
    });

    test('the last head published stands, even if its version is lower', async () => {
      const coordinator = await world().open();
      coordinator.publishHead(headOf(9));
      coordinator.publishHead(headOf(3));
      expect((await takeTurnSurely(coordinator)).head).toEqual(headOf(3));
    });

    test('contention is heard by the others only', async () => {
      const [one, other] = [await world().open(), await world().open()];
      const heard: number[] = [];
      const own: number[] = [];
      other.onContention((shard) => heard.push(shard));
      one.onContention((shard) => own.push(shard));
      one.announceContention(4);
      await until(() => heard.length === 1, SIGNAL_TIMEOUT_MS, 'the contention is heard');
      other.announceContention(5);
      await until(() => own.length === 1, SIGNAL_TIMEOUT_MS, 'the answer is heard');
      expect([heard, own]).toEqual([[4], [5]]);
    });
  });
}
