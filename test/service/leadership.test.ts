import { afterEach, describe, expect, test } from '@jest/globals';
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
    const one = await shard.open({ leaseMs: 3_000, renewMs: NEVER_MS });
    await one.lead();
    await until(() => !one.leadership.leads, PATIENCE_MS, 'the leader trusts itself no longer');
    expect(await readLeadership(shard.sql, SHARD)).toMatchObject({ holder: one.name, expired: false });
  });

  test('a leader that renews goes on under the same token', async () => {
    const shard = await openShard();
    const one = await shard.open({ leaseMs: 2_000 });
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
