import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import type { Answer, Operation } from '../../src/domain/operations.ts';
import { Table } from '../../src/domain/table.ts';
import { answer, fail, LaneQueue, ReadQueue, type Waiting } from '../../src/service/queue.ts';
import { makeKey, makeLogin } from '../support/make.ts';

const DONE: Answer = { is: 'done' };

/** An operation that waits, and what it was told. */
function waiting(fields: { operation?: Operation; enqueuedAt?: number } = {}): Waiting & { told: unknown[] } {
  const told: unknown[] = [];
  return {
    operation: fields.operation ?? makeLogin(),
    enqueuedAt: fields.enqueuedAt ?? 0,
    serverMadeId: false,
    span: undefined,
    resolve: (value) => told.push(value),
    reject: (error) => told.push(error),
    answered: false,
    told,
  };
}

function filled(count: number, lengthMax = 100) {
  const queue = new LaneQueue(lengthMax);
  const items = Array.from({ length: count }, (_, index) => waiting({ enqueuedAt: index }));
  for (const item of items) queue.push(item);
  return { queue, items };
}

describe('the queue of operations', () => {
  test('R-6: is first come, first served, in batches of as many as may be', () => {
    const { queue, items } = filled(7);
    expect(queue.take(3, 1e9)).toEqual(items.slice(0, 3));
    expect(queue.take(3, 1e9)).toEqual(items.slice(3, 6));
    expect([queue.length, queue.take(3, 1e9), queue.length]).toEqual([1, [items[6]], 0]);
  });

  test('R-6: has an end: one more is turned away, and there is room again once some were taken', () => {
    const { queue } = filled(5, 5);
    expect(() => queue.push(waiting())).toThrow(expect.objectContaining({ code: 'queue-full', status: 503 }));
    queue.take(1, 1e9);
    queue.push(waiting());
    expect(queue.length).toBe(5);
  });

  test('R-6: a batch is cut by bytes, but is never empty', () => {
    const queue = new LaneQueue(10);
    const file = new Uint8Array(40_000);
    const large = waiting({ operation: { op: 'install-key', key: makeKey(), file, actor: 'x' } });
    const items = [waiting(), waiting(), large, waiting()];
    for (const item of items) queue.push(item);
    expect(queue.take(100, 10_000)).toEqual(items.slice(0, 2));
    expect(queue.take(100, 10_000)).toEqual([large]);
    expect(queue.take(100, 10_000)).toEqual([items[3]]);
  });

  test('R-6: an operation that carries settings counts with them', () => {
    const settings = {
      trustedProxies: Array.from({ length: 1_000 }, (_, index) => `10.0.${index % 256}.0/24`),
    };
    const configure: Operation = { op: 'configure', name: 'a', settings, ifRevision: null, actor: 'x' };
    const queue = new LaneQueue(10);
    queue.push(waiting({ operation: configure }));
    queue.push(waiting());
    expect(queue.take(100, 10_000)).toHaveLength(1);
  });

  test('what is put back comes first again, in its order, and is not turned away', () => {
    const { queue, items } = filled(4, 4);
    const batch = queue.take(2, 1e9);
    queue.push(waiting());
    queue.push(waiting());
    queue.putBack(batch);
    expect(queue.length).toBe(6);
    expect(queue.take(4, 1e9)).toEqual(items);
  });

  test('R-6: whoever has waited too long is told, the younger are not, and who was told is not taken', () => {
    const { queue, items } = filled(5);
    queue.failOlderThan(3, () => new Error('too late'));
    expect(items.map(({ told }) => told.length)).toEqual([1, 1, 1, 0, 0]);
    fail(items[3]!, new Error('told otherwise'));
    expect(queue.take(10, 1e9)).toEqual([items[4]]);
  });

  test('everybody is told once, whatever comes after', () => {
    const item = waiting();
    answer(item, DONE);
    answer(item, { is: 'ended', logins: 0, decision: null });
    fail(item, new Error('late'));
    expect(item.told).toEqual([DONE]);
    const { queue, items } = filled(3);
    queue.failAll(() => new Error('closing'));
    expect([queue.length, items.map(({ told }) => told.length)]).toEqual([0, [1, 1, 1]]);
  });

  test('R-6: an outage does not fill the memory with those who were told and have gone', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const queue = new LaneQueue(10);
    const gone: WeakRef<Waiting>[] = [];
    // Nobody takes anything meanwhile, and somebody younger always waits.
    for (let at = 0; at < 10_000; at += 1) {
      const item = waiting({ enqueuedAt: at });
      gone.push(new WeakRef(item));
      queue.push(item);
      queue.failOlderThan(at, () => new Error('too late'));
    }
    // A weak reference holds its object until the end of the turn in which it was made.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    const kept = gone.filter((item) => item.deref() !== undefined);
    expect(queue.length).toBe(1);
    expect(kept.length).toBeLessThan(5_000);
  });
});

describe('the queue of reads', () => {
  const read = (fields: Partial<Parameters<ReadQueue['push']>[0]> = {}) => {
    const told: unknown[] = [];
    return {
      run: (table: Table) => void told.push(table),
      current: true,
      enqueuedAt: 0,
      told,
      ...fields,
      reject: (error: Error) => void told.push(error),
    };
  };

  test('R-15: says whether anybody wants the table as it is at the head', () => {
    const reads = new ReadQueue(10);
    reads.push(read({ current: false }));
    expect(reads.wantsCurrent).toBe(false);
    reads.push(read());
    expect(reads.wantsCurrent).toBe(true);
  });

  test('R-6: has an end, tells who waited too long, and serves the others', () => {
    const reads = new ReadQueue(2);
    const [old, young] = [read({ enqueuedAt: 1 }), read({ enqueuedAt: 2 })];
    reads.push(old);
    reads.push(young);
    expect(() => reads.push(read())).toThrow(expect.objectContaining({ code: 'queue-full' }));
    reads.failOlderThan(2, () => new Error('too late'));
    const table = new Table(0);
    reads.serve(table);
    expect([old.told, young.told, reads.length]).toEqual([[new Error('too late')], [table], 0]);
  });

  test('one that fails, fails alone', () => {
    const reads = new ReadQueue(3);
    const failing = read({
      run: () => {
        throw new Error('at fault');
      },
    });
    const others = [read(), read()];
    for (const each of [others[0]!, failing, others[1]!]) reads.push(each);
    reads.serve(new Table(0));
    expect(failing.told).toEqual([new Error('at fault')]);
    expect(others.map(({ told }) => told.length)).toEqual([1, 1]);
  });
});
