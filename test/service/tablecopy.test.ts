import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ISql } from 'postgres';
import { JOURNAL_FORMAT } from '../../src/domain/events.ts';
import { createReadiness } from '../../src/service/readiness.ts';
import { Serving } from '../../src/service/serving.ts';
import {
  closeShards,
  NEVER_MS,
  openShard,
  PATIENCE_MS,
  runOnce,
  SHARD,
  type TestReplica,
} from '../support/lane.ts';
import { makeLogin, refused } from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const QUIET = { coordinated: false, lane: { headPollMs: NEVER_MS } } as const;

/** Appends a row as it stands, whatever it says. */
async function append(sql: ISql, events: readonly object[], count = 1): Promise<void> {
  const body = { actors: ['tester'], events };
  await sql`
    with rows as (
      insert into journal (shard, version, batch, at, body)
      select id, version + number, gen_random_uuid(), at, ${JSON.stringify(body)}::text::json
      from shards, generate_series(1, ${count}::int) as number where id = ${SHARD}
      returning version, batch
    )
    update shards set (version, batch) = (select version, batch from rows order by version desc limit 1)
    where id = ${SHARD}`;
}

/** The event by which the first user of the key comes in. */
const GRANT = {
  type: 'granted',
  instance: 'a',
  login: randomUUID(),
  pool: 'key-1',
  user: 'alice',
  kind: 'user',
  connections: 1,
  units: 1,
  added: 1,
  used: 1,
  print: 1,
  by: 0,
} as const;

async function stopped(replica: TestReplica): Promise<string> {
  await until(() => replica.lane.status.state === 'stopped', PATIENCE_MS, `${replica.name} has stopped`);
  return replica.lane.status.reason;
}

describe('following the journal', () => {
  test('R-9: more rows than are read at once are all applied, in order', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, QUIET);
    const { version } = await shard.head();
    await append(shard.sql, [], 1_100);
    expect(await replica.lane.read((table) => table.version)).toBe(version + 1_100);
    expect(await replica.lane.read((table) => table.batch)).toBe((await shard.head()).batch);
  });

  test('R-9: a copy whose next row is gone is loaded anew from the fold', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, QUIET);
    const other = await shard.open(QUIET);
    const { id } = await other.login('alice');
    await other.login('bob');
    await other.lead();
    await runOnce(other.fold);
    // Everything below the fold's own row is removed, as when its partitions are dropped.
    const { version } = await shard.head();
    await shard.sql`delete from journal where version < ${version}`;
    expect(await replica.lane.read((table) => table.places.get('a')?.logins.has(id))).toBe(true);
    expect(snapshotOf(replica.lane.table)).toEqual(snapshotOf(other.lane.table));
    expect(replica.timesLogged('The table is loaded.')).toBe(2);
  });

  test('R-9: a gap in the journal is never passed over', async () => {
    const shard = await openShard();
    const seeing = { coordinated: false, lane: { headPollMs: 50 } } as const;
    const replica = await shard.openWithKey({ units: 1 }, seeing);
    const { version } = await shard.head();
    // Two rows at once, of which the first, that takes the unit, is not there: it would look free.
    const [row] = await shard.sql.begin(async (tx) => {
      await append(tx, [GRANT]);
      await append(tx, []);
      return tx`delete from journal where version = ${version + 1} returning *`;
    });
    const early = expect(replica.login('bob')).rejects.toMatchObject({ code: 'not-ready', status: 503 });
    await until(
      () => replica.lane.status.reason.includes('does not meet its journal'),
      PATIENCE_MS,
      'the replica says what is amiss',
    );
    replica.outwait();
    await early;
    await shard.sql`insert into journal ${shard.sql(row as never)}`;
    await replica.serves();
    const answer = await replica.ask(makeLogin({ id: randomUUID(), claims: { user: 'bob' } }));
    expect(refused(answer).inUse).toBe(1);
  });

  test('listeners hear of each row once, of their own as such, and of a table that was loaded', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey();
    const other = await shard.open();
    const heard: [version: number | null, isOwn: boolean, at: number][] = [];
    other.lane.onRow((row, table, isOwn) => heard.push([row?.version ?? null, isOwn, table.version]));
    const { version } = await shard.head();
    await one.login('alice');
    await other.login('bob');
    const restore = await shard.keep();
    await restore();
    await shard.sql`update shards set batch = gen_random_uuid() where id = ${SHARD}`;
    await shard.sql`update journal set batch = (select batch from shards) where version = ${version + 2}`;
    await until(() => heard.some(([row]) => row === null), PATIENCE_MS, 'the table is loaded anew');
    const seen = heard.slice(0, 3);
    expect(seen).toEqual([
      [version + 1, false, version + 1],
      [version + 2, true, version + 2],
      [null, false, 0],
    ]);
  });
});

describe('a journal that this version cannot follow', () => {
  test('R-4: an event of an unknown type stops the replica, which says so and grants nothing more', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const serving = new Serving({ sql: shard.connect('serving'), alone: false, logger: replica.log });
    await serving.start();
    const health = createReadiness({ ...replica, serving, replica: replica.name });
    expect(health()).toMatchObject({ status: 'ready', checks: { lane: { status: 'ready' } } });
    const lock = await shard.holdHead();
    const waiting = replica.login('alice');
    await shard.blocked(replica);
    await lock.release();
    await waiting;
    await append(shard.sql, [{ type: 'teleported', login: randomUUID() }]);
    expect(await stopped(replica)).toContain('unknown event teleported');
    await expect(replica.login('bob')).rejects.toMatchObject({ code: 'not-ready', status: 503 });
    expect(health()).toMatchObject({
      status: 'not-ready',
      checks: { lane: { status: 'not-ready', words: replica.lane.status.reason } },
    });
    await serving.close();
  });

  test('R-4: totals that the table does not come to stop the replica before it answers anybody', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, QUIET);
    const { version } = await shard.head();
    await append(shard.sql, [{ ...GRANT, used: 2 }]);
    await expect(replica.login('bob')).rejects.toMatchObject({ code: 'not-ready', status: 503 });
    expect(await stopped(replica)).toBe(
      `The table and the journal disagree: journal ${version + 1}:0: the table comes to 1 connections, 1 units, 1 used; the row says 1, 1, 2.`,
    );
    expect((await shard.head()).version).toBe(version + 1);
    const late = await shard.open({ waits: false });
    expect(await stopped(late)).toContain('The table and the journal disagree');
  });

  test('R-4: a newer format stops a replica that looks, one that appends, and one that starts', async () => {
    const shard = await openShard();
    const looking = await shard.openWithKey();
    const appending = await shard.open(QUIET);
    await shard.sql`update shards set format = ${JOURNAL_FORMAT + 1} where id = ${SHARD}`;
    const words = `The journal is in format ${JOURNAL_FORMAT + 1}, and this version of Lictor understands formats up to ${JOURNAL_FORMAT}. Update this replica.`;
    const { version } = await shard.head();
    await expect(appending.login('alice')).rejects.toMatchObject({ code: 'not-ready', message: words });
    const starting = await shard.open({ waits: false });
    for (const replica of [looking, appending, starting]) expect(await stopped(replica)).toBe(words);
    expect((await shard.head()).version).toBe(version);
  });
});
