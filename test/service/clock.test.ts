import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { DatabaseClock } from '../../src/service/clock.ts';
import { closeShards, openShard } from '../support/lane.ts';

let nowMs = 0;

describe('the estimate of the clock', () => {
  beforeEach(() => {
    nowMs = 1_000_000;
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** One answer of a database whose clock shows `databaseNowMs` half-way. */
  function sample(clock: DatabaseClock, databaseNowMs: number, roundTripMs: number): void {
    const sentAt = clock.mark();
    nowMs += roundTripMs;
    clock.sample(databaseNowMs, sentAt);
  }

  test("R-14: is the machine's own until the database has answered, and the database's from then on", () => {
    const clock = new DatabaseClock();
    expect(Math.abs(clock.nowMs() - Date.now())).toBeLessThan(1_000);
    sample(clock, 5_000_000, 10);
    expect(clock.nowMs()).toBe(5_000_005);
    nowMs += 250;
    expect(clock.nowMs()).toBe(5_000_255);
  });

  test("R-14: runs on the process's monotonic clock, whatever becomes of the machine's", () => {
    const clock = new DatabaseClock();
    sample(clock, 5_000_000, 0);
    jest.spyOn(Date, 'now').mockReturnValue(0);
    nowMs += 100;
    expect(clock.nowMs()).toBe(5_000_100);
  });

  test('R-14: believes the answer that was shorter on its way', () => {
    const clock = new DatabaseClock();
    sample(clock, 5_000_000, 10);
    sample(clock, 7_000_000, 400);
    expect(clock.nowMs()).toBe(5_000_405);
    sample(clock, 6_000_000, 2);
    expect(clock.nowMs()).toBe(6_000_001);
  });

  test('R-14: trusts an old answer less and less, so that a clock that was set is followed', () => {
    const clock = new DatabaseClock();
    sample(clock, 5_000_000, 2);
    nowMs += 60_000;
    // Twelve milliseconds of error have come to the one of the first answer.
    sample(clock, 9_000_000, 28);
    expect(clock.nowMs()).toBe(5_060_029);
    sample(clock, 9_000_000, 24);
    expect(clock.nowMs()).toBe(9_000_012);
  });
});

describe('the clock of a replica', () => {
  afterEach(closeShards);

  test("R-14: is the database's: what a row says of its instant is what the database says", async () => {
    const shard = await openShard();
    const now = async () => {
      const [row] = await shard.sql<{ at: number }[]>`
        select (extract(epoch from clock_timestamp()) * 1000)::float8 as at`;
      return row!.at;
    };
    const replica = await shard.openWithKey();
    const before = await now();
    await replica.lane.read(() => {});
    const { atMs } = await replica.login('alice');
    expect(atMs).toBeGreaterThan(before - 1_000);
    expect(atMs).toBeLessThan((await now()) + 1_000);
    const wrong = jest.spyOn(Date, 'now').mockReturnValue(0);
    const { atMs: later } = await replica.login('bob');
    wrong.mockRestore();
    expect(later).toBeGreaterThanOrEqual(atMs);
  });
});
