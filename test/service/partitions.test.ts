import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { PARTITION_VERSIONS } from '../../src/storage/journal.ts';
import { closeShards, openShard, runOnce, type TestShard } from '../support/lane.ts';
import { snapshotOf } from '../support/snapshot.ts';

afterEach(closeShards);

const DAY_MS = 86_400_000;

async function partitions(shard: TestShard): Promise<string[]> {
  const rows = await shard.sql<{ name: string }[]>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = 'journal'::regclass order by 1`;
  return rows.map(({ name }) => name);
}

/** Moves an empty shard on to a version, as if so many rows had been appended and folded. */
async function moveTo(shard: TestShard, version: number): Promise<void> {
  const batch = randomUUID();
  await shard.sql.begin(async (tx) => {
    await tx`update shards set version = ${version}, batch = ${batch}`;
    await tx`update folds set version = ${version}, batch = ${batch}`;
    await tx`
      insert into journal (shard, version, batch, at, body)
      values (0, ${version}, ${batch}, now(), '{"actors":[],"events":[]}')`;
  });
}

describe('partitions', () => {
  test('R-9: the leader creates them ahead of the head, and nobody else does', async () => {
    const shard = await openShard();
    await moveTo(shard, PARTITION_VERSIONS);
    const replica = await shard.open();
    await runOnce(replica.partitions);
    expect(await partitions(shard)).toEqual(['journal_0', 'journal_1']);
    await replica.lead();
    await runOnce(replica.partitions);
    expect(await partitions(shard)).toEqual(['journal_0', 'journal_1', 'journal_2', 'journal_3']);
  });

  test('R-9: one that is missing is created by the append that needs it', async () => {
    const shard = await openShard();
    await moveTo(shard, 2 * PARTITION_VERSIONS - 4);
    const replica = await shard.openWithKey();
    expect(await partitions(shard)).toEqual(['journal_0', 'journal_1']);
    // Three rows were the key and its instances, up to the last of the partition.
    const view = await replica.login('alice');
    expect(view.decision).toBe(`0:${2 * PARTITION_VERSIONS}:0`);
    expect(await partitions(shard)).toContain('journal_2');
    expect(replica.lane.status.state).toBe('serving');
  });

  test('R-9: old ones go, once they are folded, and a replica still starts from what is left', async () => {
    const shard = await openShard();
    await moveTo(shard, PARTITION_VERSIONS - 4);
    const replica = await shard.openWithKey({}, { keepDays: 2 });
    const { id } = await replica.login('alice');
    await replica.lead();
    const remove = async () => {
      await runOnce(replica.partitions);
      return partitions(shard);
    };
    const all = ['journal_0', 'journal_1', 'journal_2', 'journal_3'];
    // Their rows are needed: the fold stands before them.
    replica.clock.aheadMs = 3 * DAY_MS;
    expect(await remove()).toEqual(all);
    replica.clock.aheadMs = 0;
    await runOnce(replica.fold);
    // Folded, but not old enough.
    expect(await remove()).toEqual(all);
    replica.clock.aheadMs = 3 * DAY_MS;
    expect(await remove()).toEqual(all.slice(1));
    const fresh = await shard.open({ coordinated: false });
    expect(fresh.held(id)).toBeDefined();
    expect(snapshotOf(fresh.lane.table)).toEqual(snapshotOf(await replica.lane.read((table) => table)));
  });
});
