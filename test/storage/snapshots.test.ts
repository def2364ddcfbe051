import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Sql, TransactionSql } from 'postgres';
import { readSnapshot, type SnapshotReader } from '../../src/storage/snapshots.ts';
import { closeShards, openShard, runOnce, SHARD } from '../support/lane.ts';

afterEach(closeShards);

/** What a reader was told, in order. */
function recorder() {
  const told: [name: string, ...values: unknown[]][] = [];
  const reader: SnapshotReader = {
    head: ({ version }) => told.push(['head', version]),
    facts: (keys, instances) =>
      told.push(['facts', keys.map(({ id }) => id), instances.map(({ name }) => name)]),
    login: ({ id, releasedAtMs }) => told.push(['login', id, releasedAtMs > 0]),
    user: ({ userId }) => told.push(['user', userId]),
    pool: ({ pool, units }) => told.push(['pool', pool, units]),
    report: ({ instance }) => told.push(['report', instance]),
    reported: (instance, userId) => told.push(['reported', instance, userId]),
    lease: ({ id }) => told.push(['lease', id]),
    allowance: ({ lease, userId }) => told.push(['allowance', lease, userId]),
    marks: ({ instance }) => told.push(['marks', instance]),
    applications: {
      application: ({ name }) => told.push(['application', name]),
      counter: ({ feature }) => told.push(['counter', feature]),
      holding: ({ userId }) => told.push(['holding', userId]),
      request: ({ id }) => told.push(['request', id]),
      end: () => {},
    },
  };
  return { told, reader };
}

/** A shard whose fold has somebody in, somebody who went, and one whose state does not follow from his logins. */
async function open() {
  const shard = await openShard();
  const replica = await shard.openWithKey({ connectionsPerUnitMax: 1 });
  const held = await replica.login('held');
  const gone = [];
  for (const user of ['first gone', 'second gone']) {
    gone.push(await replica.login(user));
    replica.clock.aheadMs += 1_000;
  }
  await replica.logout(gone[0]!);
  replica.clock.aheadMs += 1_000;
  await replica.logout(gone[1]!);
  const many = [await replica.login('many'), await replica.login('many')];
  await replica.logout(many[0]!);
  await replica.lead();
  await runOnce(replica.fold);
  return { shard, replica, held, gone, many };
}

describe('a snapshot', () => {
  test('R-9: comes in one order: the head, the facts, who is in, who went from the oldest on, users, pools, marks', async () => {
    const { shard, held, gone, many } = await open();
    const { told, reader } = recorder();
    await readSnapshot(shard.sql, SHARD, reader);
    expect(told[0]).toEqual(['head', (await shard.head()).version]);
    expect(told[1]).toEqual(['facts', ['key-1'], expect.arrayContaining(['a', 'b'])]);
    expect(new Set(told.slice(2, 4))).toEqual(
      new Set([
        ['login', held.id, false],
        ['login', many[1]!.id, false],
      ]),
    );
    expect(told.slice(4, 7)).toEqual([
      ['login', gone[0]!.id, true],
      ['login', gone[1]!.id, true],
      ['login', many[0]!.id, true],
    ]);
    // Of the two users who are in, one is what his logins come to.
    expect(told.slice(7)).toEqual([
      ['user', 'many'],
      ['pool', 'key-1', 2],
      ['marks', 'a'],
      ['marks', 'b'],
    ]);
  });

  test('R-9: is of one instant, whatever is written while it is read', async () => {
    const { shard } = await open();
    const expected = recorder();
    await readSnapshot(shard.sql, SHARD, expected.reader);
    let isMeddled = false;
    /** Changes everything, as another leader's fold would, when the facts are asked for. */
    const meddle = async () => {
      isMeddled = true;
      await shard.sql.begin(async (tx) => {
        await tx`delete from logins`;
        await tx`delete from license_users`;
        await tx`delete from instances`;
        await tx`update key_pools set units = 99`;
        await tx`update folds set version = version + 1, batch = ${randomUUID()}`;
      });
    };
    const sql = shard.connect('reader');
    const meddled = {
      begin: (options: string, run: (tx: TransactionSql) => Promise<unknown>) =>
        sql.begin(options, (tx) =>
          run(
            new Proxy(tx, {
              apply(target, self, args) {
                const query = () => Reflect.apply(target as never, self, args) as Promise<unknown>;
                return String(args[0]).includes('license_keys') ? meddle().then(query) : query();
              },
            }),
          ),
        ),
    };
    const { told, reader } = recorder();
    await readSnapshot(meddled as never as Sql, SHARD, reader);
    expect(isMeddled).toBe(true);
    expect(told).toEqual(expected.told);
    await sql.end();
  });

  test('of a shard that is not there is an error', async () => {
    const shard = await openShard();
    await expect(readSnapshot(shard.sql, 7, recorder().reader)).rejects.toThrow('shard 7 has no fold');
  });
});
