import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { JOURNAL_FORMAT, type JournalEvent } from '../../src/domain/events.ts';
import {
  appendRow,
  appendRowWithFacts,
  createPartitions,
  dropPartitions,
  type Facts,
  listRows,
  type NewRow,
  PARTITION_VERSIONS,
  readHead,
  readRowsAfter,
  UnknownFormatError,
} from '../../src/storage/journal.ts';
import { readKeyFile } from '../../src/storage/keys.ts';
import { closeShards, openShard, PATIENCE_MS, SHARD, type TestShard } from '../support/lane.ts';
import { makeInstance, makeKey } from '../support/make.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const EVENT = { type: 'forestalled', instance: 'a', login: randomUUID(), by: 0 } as const;
const NO_FACTS: Facts = {
  keys: [],
  keysRemoved: [],
  instances: [],
  instancesRemoved: [],
  excesses: [],
  activations: [],
  applications: [],
  applicationsRemoved: [],
};

function rowAfter(head: { version: number }, fields: Partial<NewRow> = {}): NewRow {
  return {
    shard: SHARD,
    version: head.version + 1,
    batch: randomUUID(),
    at: 1_900_000_000_123,
    actors: ['tester'],
    events: [EVENT],
    ...fields,
  };
}

/** Appends rows and returns them. */
async function append(shard: TestShard, count: number): Promise<NewRow[]> {
  const rows: NewRow[] = [];
  for (let index = 0; index < count; index += 1) {
    const head = await shard.head();
    const row = rowAfter(head);
    expect(await appendRow(shard.sql, row, head)).toMatchObject({ appended: true });
    rows.push(row);
  }
  return rows;
}

async function partitions(shard: TestShard): Promise<string[]> {
  const rows = await shard.sql<{ name: string }[]>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = 'journal'::regclass order by 1`;
  return rows.map(({ name }) => name);
}

describe('appending', () => {
  test('R-1: a row stands only on the head that it was decided on, by version and batch ID', async () => {
    const shard = await openShard();
    const [first, second] = await append(shard, 2);
    const head = await shard.head();
    const row = rowAfter(head);
    const elsewhere = [
      { version: head.version, batch: first!.batch },
      { version: head.version, batch: randomUUID() },
      { version: head.version - 1, batch: head.batch },
      { version: head.version - 1, batch: first!.batch },
      { version: head.version + 1, batch: head.batch },
    ];
    for (const expected of elsewhere) {
      expect(await appendRow(shard.sql, row, expected)).toMatchObject({ appended: false });
      expect(await appendRowWithFacts(shard.sql, row, expected, NO_FACTS)).toMatchObject({ appended: false });
    }
    expect(await shard.head()).toEqual(head);
    expect((await shard.journal()).map(({ batch }) => batch)).toEqual([first!.batch, second!.batch]);
  });

  test('a row is read back as it was written, and the head is where it is', async () => {
    const shard = await openShard();
    const events = [EVENT, { ...EVENT, login: 'zero \0 and \ud83d\ude00' }];
    const row = rowAfter(await shard.head(), { events });
    await appendRow(shard.sql, row, await shard.head());
    expect(await shard.journal()).toEqual([row]);
    const head = await readHead(shard.sql, SHARD);
    expect(head).toMatchObject({ version: 1, batch: row.batch, atMs: row.at, format: JOURNAL_FORMAT });
    expect(Math.abs(head.databaseNowMs - Date.now())).toBeLessThan(60_000);
    await expect(readHead(shard.sql, 7)).rejects.toThrow('shard 7 does not exist');
  });

  test('R-3: a late duplicate that waited for the head is never appended after another row', async () => {
    const shard = await openShard();
    const head = await shard.head();
    const [holder, late] = [shard.connect('holder'), shard.connect('late')];
    let duplicate: ReturnType<typeof appendRow> | undefined;
    await holder.begin(async (tx) => {
      await appendRow(tx as never, rowAfter(head, { events: [] }), head);
      // It finds the head as it expects it, and waits for whoever holds it.
      duplicate = appendRow(late, rowAfter(head), head);
      await until(
        async () => {
          const waiting = await shard.sql`
            select from pg_stat_activity where application_name = 'late' and wait_event_type = 'Lock'`;
          return waiting.length === 1;
        },
        PATIENCE_MS,
        'the duplicate waits',
      );
    });
    expect(await duplicate).toMatchObject({ appended: false });
    expect((await shard.journal()).map(({ events }) => events)).toEqual([[]]);
    await Promise.all([holder.end(), late.end()]);
  });

  test('R-4: nothing is appended to, or read from, a journal of a newer format', async () => {
    const shard = await openShard();
    const [row] = await append(shard, 1);
    const head = await shard.head();
    const newer = JOURNAL_FORMAT + 1;
    await shard.sql`update shards set format = ${newer}`;
    expect(await appendRow(shard.sql, rowAfter(head), head)).toMatchObject({ appended: false });
    await expect(readHead(shard.sql, SHARD)).rejects.toThrow(UnknownFormatError);
    await expect(readRowsAfter(shard.sql, SHARD, row!, 10)).rejects.toThrow(`format ${newer}`);
    await shard.sql`update shards set format = ${JOURNAL_FORMAT}`;
    expect(await appendRow(shard.sql, rowAfter(head), head)).toMatchObject({ appended: true });
  });
});

describe('facts', () => {
  const file = new Uint8Array([0, 1, 255, 10]);

  test('R-8: stand with the row that says them, and not without it', async () => {
    const shard = await openShard();
    const head = await shard.head();
    const key = { ...makeKey(), installedAtMs: 0, revision: '0:1:0' };
    const instance = makeInstance();
    const facts: Facts = { ...NO_FACTS, keys: [{ key: key as never, file }], instances: [instance] };
    const wrong = { ...head, batch: randomUUID() };
    expect(await appendRowWithFacts(shard.sql, rowAfter(head), wrong, facts)).toMatchObject({
      appended: false,
    });
    const counts = async () =>
      (
        await shard.sql`select (select count(*) from license_keys) as keys, (select count(*) from instances) as instances`
      )[0];
    expect(await counts()).toEqual({ keys: 0, instances: 0 });
    expect(await appendRowWithFacts(shard.sql, rowAfter(head), head, facts)).toMatchObject({
      appended: true,
    });
    const [keyRow] = await shard.sql`select record, order_number, customer_name from license_keys`;
    expect(keyRow).toEqual({ record: key, order_number: key.orderNumber, customer_name: key.customerName });
    const [instanceRow] = await shard.sql`select name, key_id, incarnation, state, record from instances`;
    expect(instanceRow).toEqual({
      name: 'a',
      key_id: 'key-1',
      incarnation: 1,
      state: 'active',
      record: instance,
    });
    expect(new Uint8Array((await readKeyFile(shard.sql, key.id))!)).toEqual(file);
  });

  test('R-8: are replaced as a whole, but a key keeps its file; and go with a row of theirs', async () => {
    const shard = await openShard();
    const write = async (facts: Partial<Facts>, expected?: { version: number; batch: string }) => {
      const head = await shard.head();
      return appendRowWithFacts(shard.sql, rowAfter(head), expected ?? head, { ...NO_FACTS, ...facts });
    };
    const key = makeKey() as never as Facts['keys'][number]['key'];
    await write({ keys: [{ key, file }], instances: [makeInstance()] });
    const changed = { ...key, connectionsPerUnitMax: 3 };
    await write({
      keys: [{ key: changed, file: null }],
      instances: [makeInstance({ key: null, state: 'silent' })],
    });
    expect((await shard.sql`select record from license_keys`)[0]).toEqual({ record: changed });
    expect(await readKeyFile(shard.sql, key.id)).not.toBeNull();
    expect((await shard.sql`select key_id, state from instances`)[0]).toEqual({
      key_id: null,
      state: 'silent',
    });
    const gone = { keysRemoved: [key.id, 'never'], instancesRemoved: ['a'] };
    const wrong = { ...(await shard.head()), batch: randomUUID() };
    expect(await write(gone, wrong)).toMatchObject({ appended: false });
    expect(await shard.sql`select from instances`).toHaveLength(1);
    await write(gone);
    expect(await shard.sql`select from license_keys union all select from instances`).toHaveLength(0);
    expect(await readKeyFile(shard.sql, key.id)).toBeNull();
  });
});

describe('reading', () => {
  test('R-1: rows after a head that is not in the journal are none, but the word that it is not', async () => {
    const shard = await openShard();
    const rows = await append(shard, 3);
    const [first, second, third] = rows as [NewRow, NewRow, NewRow];
    const rowsAfter = (known: { version: number; batch: string }, limit = 10) =>
      readRowsAfter(shard.sql, SHARD, known, limit);
    expect(await rowsAfter({ version: 0, batch: '' })).toEqual(rows);
    expect(await rowsAfter(first)).toEqual([second, third]);
    expect(await rowsAfter(first, 1)).toEqual([second]);
    expect(await rowsAfter(third)).toEqual([]);
    expect(await rowsAfter({ version: 3, batch: second.batch })).toBeNull();
    expect(await rowsAfter({ version: 4, batch: third.batch })).toBeNull();
  });

  test('R-9: a gap is told, wherever it is', async () => {
    const shard = await openShard();
    const [first, second, third] = (await append(shard, 4)) as [NewRow, NewRow, NewRow, NewRow];
    await shard.sql`delete from journal where version = 3`;
    expect(await readRowsAfter(shard.sql, SHARD, first, 10)).toBeNull();
    expect(await readRowsAfter(shard.sql, SHARD, second, 10)).toBeNull();
    expect(await readRowsAfter(shard.sql, SHARD, third, 10)).toBeNull();
    expect(await readRowsAfter(shard.sql, SHARD, { version: 0, batch: '' }, 10)).toBeNull();
    // What is before it can still be read.
    expect(await readRowsAfter(shard.sql, SHARD, first, 1)).toEqual([second]);
  });

  test('people read from the newest or from the oldest, from any version', async () => {
    const shard = await openShard();
    await append(shard, 5);
    const versions = async (...[from, order, limit]: [number | undefined, 'newest' | 'oldest', number]) =>
      (await listRows(shard.sql, SHARD, from, order, limit)).map(({ version }) => version);
    expect(await versions(undefined, 'newest', 2)).toEqual([5, 4]);
    expect(await versions(3, 'newest', 9)).toEqual([3, 2, 1]);
    expect(await versions(undefined, 'oldest', 2)).toEqual([1, 2]);
    expect(await versions(4, 'oldest', 9)).toEqual([4, 5]);
    const events: readonly JournalEvent[] = (await listRows(shard.sql, SHARD, 1, 'oldest', 1))[0]!.events;
    expect(events).toEqual([EVENT]);
  });
});

describe('partitions', () => {
  const OLD = Date.UTC(2020, 0);
  const NEW = Date.UTC(2030, 0);

  /** Puts a row into a partition. */
  async function fill(shard: TestShard, number: number, atMs: number): Promise<void> {
    await shard.sql`
      insert into journal (shard, version, batch, at, body)
      values (${SHARD}, ${number * PARTITION_VERSIONS + 5}, gen_random_uuid(), ${new Date(atMs)}, '{}')`;
  }

  test('R-9: are created where they are missing, as often as asked', async () => {
    const shard = await openShard();
    for (let times = 0; times < 2; times += 1) await createPartitions(shard.sql, PARTITION_VERSIONS, 2);
    expect(await partitions(shard)).toEqual(['journal_0', 'journal_1', 'journal_2', 'journal_3']);
    await fill(shard, 3, NEW);
    await expect(fill(shard, 4, NEW)).rejects.toMatchObject({ code: '23514' });
  });

  test('R-9: are removed only wholly below the fold, and only when all of their rows are old enough', async () => {
    const shard = await openShard();
    await createPartitions(shard.sql, 0, 4);
    for (const [number, at] of [OLD, NEW, OLD, OLD].entries()) await fill(shard, number, at);
    const between = Date.UTC(2025, 0);
    const drop = (folded: number) => dropPartitions(shard.sql, folded, between);
    // The last row of a partition is what a replica that starts from it needs.
    expect(await drop(PARTITION_VERSIONS - 1)).toEqual([]);
    expect(await drop(PARTITION_VERSIONS)).toEqual(['journal_0']);
    expect(await drop(3 * PARTITION_VERSIONS + 4)).toEqual(['journal_2']);
    expect(await partitions(shard)).toEqual(['journal_1', 'journal_3', 'journal_4']);
    const [left] = await shard.sql`select to_regclass('journal_2') as name`;
    expect(left).toEqual({ name: null });
  });

  test('R-9: a removal that was cut short by a long transaction is finished later', async () => {
    const shard = await openShard();
    await fill(shard, 0, OLD);
    const [long, removing] = [shard.connect('long'), shard.connect('removing')];
    await long.begin('isolation level repeatable read', async (tx) => {
      await tx`select from journal`;
      await removing`set statement_timeout = 300`;
      await expect(dropPartitions(removing, PARTITION_VERSIONS, NEW)).rejects.toMatchObject({
        code: '57014',
      });
    });
    const [state] = await shard.sql`
      select inhdetachpending as pending from pg_inherits where inhrelid = 'journal_0'::regclass`;
    expect(state).toEqual({ pending: true });
    expect(await dropPartitions(shard.sql, PARTITION_VERSIONS, NEW)).toEqual(['journal_0']);
    expect(await partitions(shard)).toEqual(['journal_1']);
    await Promise.all([long.end(), removing.end()]);
  });
});
