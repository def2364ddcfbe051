import { afterEach, describe, expect, test } from '@jest/globals';
import { Serving } from '../../src/service/serving.ts';
import { createRecordingLogger } from '../support/http.ts';
import { closeShards, openShard, PATIENCE_MS, type TestShard } from '../support/lane.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

function make(shard: TestShard, name: string, alone: boolean): Serving {
  return new Serving({ sql: shard.connect(name), alone, logger: createRecordingLogger() });
}

/** Ends the session by which a replica holds its claim. */
async function cut(shard: TestShard, name: string): Promise<void> {
  await shard.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = ${name} and datname = current_database()`;
}

describe('the right to serve a database', () => {
  test('R-12: replicas that share their store serve together, and keep one without it away', async () => {
    const shard = await openShard();
    const [one, other, alone] = [
      make(shard, 'one', false),
      make(shard, 'other', false),
      make(shard, 'alone', true),
    ];
    await one.start();
    await other.start();
    await expect(alone.start()).rejects.toThrow('set REDIS_URL for all replicas, or stop the other one');
    expect([one.held, other.held, alone.held]).toEqual([true, true, false]);
    await Promise.all([one.close(), other.close(), alone.close()]);
    const late = make(shard, 'late', true);
    await late.start();
    expect(late.held).toBe(true);
    await late.close();
  });

  test('R-12: a replica with its signs of life in memory keeps every other away', async () => {
    const shard = await openShard();
    const alone = make(shard, 'alone', true);
    await alone.start();
    const [second, sharing] = [make(shard, 'second', true), make(shard, 'sharing', false)];
    await expect(second.start()).rejects.toThrow('Another replica serves this database');
    await expect(sharing.start()).rejects.toThrow('A replica without Redis serves this database');
    await Promise.all([alone.close(), second.close(), sharing.close()]);
  });

  test('R-12: a claim goes with its connection, and is not taken back from whoever has it then', async () => {
    const shard = await openShard();
    const alone = make(shard, 'alone', true);
    await alone.start();
    const other = make(shard, 'other', true);
    // Whoever is quicker has it; the replica that lost it notices and says so.
    await until(
      async () => {
        await cut(shard, 'alone');
        await other.start();
        return other.held;
      },
      PATIENCE_MS,
      'the other replica has the claim',
    );
    await until(() => !alone.held, PATIENCE_MS, 'the first one has noticed');
    await other.close();
    await until(() => alone.held, PATIENCE_MS, 'it has the claim again');
    await alone.close();
  });
});
