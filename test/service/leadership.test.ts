import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { JOURNAL_FORMAT } from '../../src/domain/events.ts';
import { closeShards, NEVER_MS, openShard, PATIENCE_MS, SHARD, type TestShard } from '../support/lane.ts';
import { readLeadership } from '../support/leadership.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

/** Lets the term of whoever leads run out, as far as the database knows. */
async function expire(shard: TestShard): Promise<void> {
  await shard.sql`update leadership set expires_at = clock_timestamp() - interval '1 ms'`;
}

describe('leadership', () => {
  test('R-9: one replica leads; the next has a greater token, by which the former is fenced', async () => {
    const shard = await openShard();
    const [one, other] = [await shard.open(), await shard.open()];
    await one.lead();
    const { token } = one.leadership;
    other.leadership.start();
    await until(
      async () => (await other.lane.read(() => true)) && !other.leadership.leads,
      PATIENCE_MS,
      'asked',
    );
    expect([token > 0, other.leadership.leads, other.leadership.token]).toEqual([true, false, 0]);
    // It is given up, not left to run out.
    await one.leadership.close();
    await until(() => other.leadership.leads, PATIENCE_MS, 'the other replica leads');
    expect(other.leadership.token).toBe(token + 1);
    expect([one.leadership.leads, one.leadership.token]).toEqual([false, 0]);
    expect(await readLeadership(shard.sql, SHARD)).toMatchObject({ holder: other.name, token: token + 1 });
  });

  test('R-12: a leader trusts itself for less than the database does', async () => {
    const shard = await openShard();
    const one = await shard.open({ leaseMs: 60_000, renewMs: NEVER_MS });
    const startedAt = performance.now();
    await one.lead();
    const ledAt = performance.now();
    const clock = jest.spyOn(performance, 'now');
    const leadsAt = (instant: number) => {
      clock.mockReturnValue(instant);
      return one.leadership.leads;
    };
    try {
      // It counts from before it asked, the database from when it answered.
      expect([leadsAt(startedAt + 58_999), leadsAt(ledAt + 59_000)]).toEqual([true, false]);
    } finally {
      clock.mockRestore();
    }
    const [row] = await shard.sql<{ lastsMs: number }[]>`
      select (extract(epoch from expires_at - elected_at) * 1000)::float8 as "lastsMs" from leadership`;
    expect(row!.lastsMs).toBeGreaterThan(59_900);
  });

  test('a leader that renews goes on under the same token', async () => {
    const shard = await openShard();
    const one = await shard.open();
    const endsAt = async () => {
      const [row] = await shard.sql<{ at: Date }[]>`select expires_at as at from leadership`;
      return row!.at.getTime();
    };
    await one.lead();
    const first = await endsAt();
    await until(async () => (await endsAt()) > first + 500, PATIENCE_MS, 'the term is renewed');
    expect([one.leadership.leads, one.leadership.token]).toEqual([true, 1]);
  });

  test('R-9: a leader whose term ran out leads no longer, and begins another one only if nobody else has', async () => {
    const shard = await openShard();
    const [one, other] = [await shard.open(), await shard.open()];
    await one.lead();
    await expire(shard);
    await until(() => one.leadership.token === 2, PATIENCE_MS, 'it leads again');
    expect(one.timesLogged('This replica leads no longer.')).toBe(1);
    await one.leadership.close();
    await other.lead();
    one.leadership.start();
    await until(
      async () => (await readLeadership(shard.sql, SHARD))?.holder === other.name,
      PATIENCE_MS,
      'held',
    );
    expect(one.leadership.leads).toBe(false);
  });

  test('R-4: a replica that does not serve neither leads nor keeps leading', async () => {
    const shard = await openShard();
    const one = await shard.open({ leaseMs: 2_000 });
    await one.lead();
    await shard.sql`update shards set format = ${JOURNAL_FORMAT + 1}`;
    await until(() => one.lane.status.state === 'stopped', PATIENCE_MS, 'the replica has stopped');
    expect(one.leadership.leads).toBe(false);
    await until(
      async () => (await readLeadership(shard.sql, SHARD))?.expired,
      PATIENCE_MS,
      'its term has run out, so that another replica can lead',
    );
  });
});
