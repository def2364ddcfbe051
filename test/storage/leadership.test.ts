import { afterEach, describe, expect, test } from '@jest/globals';
import {
  claimLeadership,
  readEpoch,
  renewLeadership,
  resignLeadership,
  writeEpoch,
} from '../../src/storage/leadership.ts';
import { closeShards, openShard, SHARD, type TestShard } from '../support/lane.ts';
import { readLeadership } from '../support/leadership.ts';

afterEach(closeShards);

const LEASE_MS = 60_000;

/** Lets the term of whoever leads run out. */
async function expire(shard: TestShard): Promise<void> {
  await shard.sql`update leadership set expires_at = clock_timestamp() - interval '1 ms'`;
}

describe('the row of leadership', () => {
  test('R-9: has one holder at a time, and a token that grows with each', async () => {
    const { sql, ...shard } = await openShard();
    expect(await readLeadership(sql, SHARD)).toBeNull();
    const claims = await Promise.all(
      ['one', 'other', 'third'].map((holder) => claimLeadership(sql, SHARD, holder, LEASE_MS)),
    );
    expect(claims.filter((term) => term !== null)).toMatchObject([{ token: 1 }]);
    const { holder } = (await readLeadership(sql, SHARD))!;
    expect(await claimLeadership(sql, SHARD, 'next', LEASE_MS)).toBeNull();
    // Its own holder does not get it anew either: it renews.
    expect(await claimLeadership(sql, SHARD, holder, LEASE_MS)).toBeNull();
    await expire({ sql, ...shard } as never);
    expect(await claimLeadership(sql, SHARD, 'next', LEASE_MS)).toMatchObject({ token: 2 });
    expect(await readLeadership(sql, SHARD)).toMatchObject({ holder: 'next', token: 2, expired: false });
  });

  test('R-9: is renewed by its holder under its token, while it has not run out', async () => {
    const shard = await openShard();
    const { sql } = shard;
    await claimLeadership(sql, SHARD, 'one', LEASE_MS);
    expect(await renewLeadership(sql, SHARD, 'one', 1, LEASE_MS)).toBe(true);
    expect(await renewLeadership(sql, SHARD, 'other', 1, LEASE_MS)).toBe(false);
    expect(await renewLeadership(sql, SHARD, 'one', 2, LEASE_MS)).toBe(false);
    await expire(shard);
    expect(await renewLeadership(sql, SHARD, 'one', 1, LEASE_MS)).toBe(false);
    expect(await readLeadership(sql, SHARD)).toMatchObject({ expired: true });
  });

  test('is given up by its holder under its token only', async () => {
    const { sql } = await openShard();
    await claimLeadership(sql, SHARD, 'one', LEASE_MS);
    await resignLeadership(sql, SHARD, 'other', 1);
    await resignLeadership(sql, SHARD, 'one', 2);
    expect(await claimLeadership(sql, SHARD, 'other', LEASE_MS)).toBeNull();
    await resignLeadership(sql, SHARD, 'one', 1);
    expect(await claimLeadership(sql, SHARD, 'other', LEASE_MS)).toMatchObject({ token: 2 });
    // A late word of the former holder takes nothing from the present one.
    await resignLeadership(sql, SHARD, 'one', 1);
    expect(await readLeadership(sql, SHARD)).toMatchObject({ holder: 'other', expired: false });
  });

  test('R-12: carries the epoch, which only the present leader writes', async () => {
    const shard = await openShard();
    const { sql } = shard;
    expect(await readEpoch(sql, SHARD)).toEqual({ epoch: null, runId: null });
    await claimLeadership(sql, SHARD, 'one', LEASE_MS);
    const epoch = { epoch: 'first', runId: 'run' };
    expect(await writeEpoch(sql, SHARD, 1, epoch)).toBe(true);
    expect(await readEpoch(sql, SHARD)).toEqual(epoch);
    expect(await writeEpoch(sql, SHARD, 2, { ...epoch, epoch: 'of another' })).toBe(false);
    await expire(shard);
    expect(await writeEpoch(sql, SHARD, 1, { ...epoch, epoch: 'too late' })).toBe(false);
    await claimLeadership(sql, SHARD, 'other', LEASE_MS);
    expect(await writeEpoch(sql, SHARD, 1, { ...epoch, epoch: 'of the former' })).toBe(false);
    expect(await readEpoch(sql, SHARD)).toEqual(epoch);
  });
});
