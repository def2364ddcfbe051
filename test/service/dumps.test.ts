import { afterEach, describe, expect, test } from '@jest/globals';
import { LicenseError } from '../../src/domain/errors.ts';
import { Dumps, type DumpsOptions } from '../../src/service/dumps.ts';
import { closeShards, openShard, runOnce, SHARD, type TestShard } from '../support/lane.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const PATIENCE_MS = 10_000;

/** A shard whose fold has so many users on the instance `a`. */
async function open(users: number, options: Partial<DumpsOptions> = {}) {
  const shard = await openShard();
  const replica = await shard.openWithKey({ units: 100 });
  for (let number = 0; number < users; number += 1) await replica.login(`user-${number}`);
  await replica.lead();
  await runOnce(replica.fold);
  const dumps = new Dumps({ connect: () => shard.connect('dump'), shard: SHARD, rowsPerRead: 2, ...options });
  return { shard, replica, dumps };
}

/** The connections of dumps that Postgres has. */
async function sessions(shard: TestShard): Promise<number> {
  const [row] = await shard.sql<{ count: number }[]>`
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'dump'`;
  return row!.count;
}

const ended = (shard: TestShard) =>
  until(async () => (await sessions(shard)) === 0, PATIENCE_MS, 'the connection of the dump has gone');

async function allOf<Item>(batches: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const some of batches) items.push(...some);
  return items;
}

const ofKey = (pool: string) => ({ pools: [pool], instance: null, first: 'user' }) as const;

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error) => (error instanceof LicenseError ? error.code : String(error)),
  );
}

describe('a dump', () => {
  test('says how many rows there are before the first, gives them in order, and lets its connection go', async () => {
    const { shard, dumps } = await open(5);
    const dump = await dumps.users('a');
    expect(dump).toMatchObject({ rows: 5, units: 5, version: (await shard.head()).version });
    const rows = await allOf(dump.batches);
    expect(rows.map(({ userId }) => userId)).toEqual(['user-0', 'user-1', 'user-2', 'user-3', 'user-4']);
    await ended(shard);
    await dump.close();
  });

  test('is of one instant, whatever comes meanwhile, and keeps no transaction open for it', async () => {
    const { shard, replica, dumps } = await open(5);
    const dump = await dumps.users('a');
    const batches = dump.batches[Symbol.asyncIterator]();
    await batches.next();
    await replica.login('later');
    await runOnce(replica.fold);
    const [session] = await shard.sql<{ count: number }[]>`
      select count(*) from pg_stat_activity
      where datname = current_database() and application_name = 'dump' and xact_start is not null`;
    expect(session!.count).toBe(0);
    let users = 2;
    for (let next = await batches.next(); !next.done; next = await batches.next()) users += next.value.length;
    expect(users).toBe(5);
  });

  test('of what holds nothing has no rows', async () => {
    const { dumps } = await open(0);
    for (const dump of [await dumps.users('nobody'), await dumps.keyUsers(ofKey('nothing'))]) {
      expect(dump).toMatchObject({ rows: 0, units: 0 });
      expect(await allOf<unknown>(dump.batches)).toEqual([]);
    }
  });

  test('that is left in the middle, closed, or given up by its signal lets its connection go', async () => {
    const { shard, dumps } = await open(5);
    for await (const rows of (await dumps.users('a')).batches) {
      expect(rows).toHaveLength(2);
      break;
    }
    await ended(shard);
    await (await dumps.processes('a')).close();
    await ended(shard);
    const controller = new AbortController();
    const dump = await dumps.users('a', controller.signal);
    controller.abort(new Error('the reader has gone'));
    await ended(shard);
    await expect(allOf(dump.batches)).rejects.toThrow();
    await expect(dumps.users('a', controller.signal)).rejects.toThrow('the reader has gone');
  });

  test('that is given up while Postgres gathers its rows ends there and then', async () => {
    const { shard, dumps } = await open(1);
    const blocker = shard.connect('blocker');
    const controller = new AbortController();
    await blocker.begin(async (tx) => {
      await tx`lock table logins in access exclusive mode`;
      const opening = dumps.users('a', controller.signal);
      await until(async () => (await sessions(shard)) === 1, PATIENCE_MS, 'the dump waits');
      controller.abort(new Error('the reader has gone'));
      await expect(opening).rejects.toThrow('the reader has gone');
      await ended(shard);
    });
    await blocker.end();
  });

  test('whose reader takes nothing for too long is over for him, and its connection goes', async () => {
    const { shard, dumps } = await open(5, { stallMs: 20 });
    const batches = (await dumps.users('a')).batches[Symbol.asyncIterator]();
    await batches.next();
    await ended(shard);
    expect(await codeOf(batches.next())).toBe('dump-too-slow');
    expect((await (await dumps.users('a')).batches[Symbol.asyncIterator]().next()).value).toHaveLength(2);
  });

  test('is one of two at the same time; a third is told to wait, until one has ended', async () => {
    const { dumps } = await open(1);
    const held = [await dumps.users('a'), await dumps.keyUsers(ofKey('key-1'))];
    const refused = await dumps.processes('a').catch((error) => error);
    expect(refused).toMatchObject({ code: 'too-many-dumps', extras: { retryAfterSeconds: 5 } });
    await held[0]!.close();
    expect(await allOf((await dumps.processes('a')).batches)).toHaveLength(1);
    await held[1]!.close();
  });

  test('of a database that is away is told as such', async () => {
    const { shard } = await open(0);
    const dumps = new Dumps({
      connect: () => {
        const sql = shard.connect('dump');
        void sql.end({ timeout: 0 });
        return sql;
      },
      shard: SHARD,
    });
    expect(await codeOf(dumps.users('a'))).toBe('storage-unavailable');
    expect(await codeOf(dumps.users('a'))).toBe('storage-unavailable');
    expect(await codeOf(dumps.users('a'))).toBe('storage-unavailable');
  });
});
