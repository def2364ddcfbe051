import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { copyInto, copyText, copyValue, eachCopyRow } from '../../src/storage/copy.ts';
import { inTransaction } from '../../src/storage/transactions.ts';
import { closeShards, openShard } from '../support/lane.ts';

afterEach(closeShards);

/** Texts in which everything occurs that COPY has a meaning for. */
const texts = fc.array(
  fc.oneof(
    fc.constantFrom(
      '\\',
      '\t',
      '\n',
      '\r',
      '\b',
      '\f',
      '\v',
      '\\N',
      '\\.',
      'N',
      'n',
      't',
      '\u{1F600}',
      'é',
      '',
    ),
    fc.string({ unit: 'grapheme', maxLength: 4 }).filter((text) => !text.includes('\0')),
  ),
  { maxLength: 8 },
);

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (let index = 0; from < bytes.length; index += 1) {
    const size = sizes[index % sizes.length]!;
    yield bytes.subarray(from, from + size);
    from += size;
  }
}

describe('the text of COPY', () => {
  test('says null, truth and numbers as Postgres does', () => {
    expect([null, true, false, 0, -1, 2 ** 53 - 1, ''].map(copyText)).toEqual([
      '\\N',
      't',
      'f',
      '0',
      '-1',
      '9007199254740991',
      '',
    ]);
    expect(['\\N', '', 'plain', '\\\\N'].map(copyValue)).toEqual([null, '', 'plain', '\\N']);
  });

  test('a text comes back as it was', () => {
    fc.assert(
      fc.property(texts, (pieces) => {
        const text = pieces.join('');
        const written = copyText(text);
        expect(written).not.toMatch(/[\t\n\r]/);
        expect(copyValue(written)).toBe(text);
      }),
    );
  });

  test('rows are the same wherever the stream is cut, also in the middle of a character', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(texts, texts), { maxLength: 6 }), sizes, async (pairs, lengths) => {
        const rows = pairs.map((pair) => pair.map((pieces) => pieces.join('')));
        const bytes = Buffer.from(rows.map((row) => `${row.map(copyText).join('\t')}\n`).join(''));
        const read: (string | null)[][] = [];
        await eachCopyRow(cut(bytes, lengths), (columns) => read.push(columns.map(copyValue)));
        expect(read).toEqual(rows);
      }),
      { numRuns: 60 },
    );
  });

  test('R-9: a text goes to Postgres and back unchanged, and Postgres sees the same', async () => {
    const { sql } = await openShard();
    await sql`create table texts (number int, text text)`;
    const all = fc.sample(texts, { seed: 7, numRuns: 1_200 }).map((pieces) => pieces.join(''));
    const lines = all.map((text, number) => `${number}\t${copyText(text)}\n`);
    await inTransaction(sql, '', (tx) => copyInto(tx, tx`copy texts from stdin`, lines));
    const seen = await sql<{ text: string }[]>`select text from texts order by number`;
    expect(seen.map(({ text }) => text)).toEqual(all);
    const read: (string | null)[] = [];
    const stream = await sql`copy (select text from texts order by number) to stdout`.readable();
    await eachCopyRow(stream, ([text]) => read.push(copyValue(text!)));
    expect(read).toEqual(all);
  });
});

describe('copying in', () => {
  test('R-9: an error that comes after the last line is told, and takes the whole transaction with it', async () => {
    const { sql } = await openShard();
    await sql`create table numbers (number int primary key)`;
    const copy = (lines: readonly string[]) =>
      inTransaction(sql, '', async (tx) => {
        await tx`insert into numbers values (1)`;
        await copyInto(tx, tx`copy numbers from stdin`, lines);
      });
    await expect(copy(['2\n', '1\n'])).rejects.toMatchObject({ code: '25P02' });
    expect(await sql`select from numbers`).toHaveLength(0);
    await copy(['2\n', '3\n']);
    expect(await sql`select from numbers`).toHaveLength(3);
  });

  test('R-9: an error in the middle of many lines is told', async () => {
    const { sql } = await openShard();
    await sql`create table numbers (number int)`;
    const lines = Array.from({ length: 200_000 }, (_, index) => `${index === 10 ? 'none' : index}\n`);
    const copy = inTransaction(sql, '', (tx) => copyInto(tx, tx`copy numbers from stdin`, lines));
    await expect(copy).rejects.toThrow();
    expect(await sql`select from numbers`).toHaveLength(0);
  });

  test('R-9: a connection that is lost meanwhile is told', async () => {
    const shard = await openShard();
    const sql = shard.connect('copying');
    await shard.sql`create table slow (number int)`;
    await shard.sql`
      create function wait() returns trigger language plpgsql as $$
      begin perform pg_sleep(60); return new; end $$`;
    await shard.sql`create trigger waits before insert on slow for each row execute function wait()`;
    const copy = inTransaction(sql, '', (tx) => copyInto(tx, tx`copy slow from stdin`, ['1\n']));
    const told = expect(copy).rejects.toThrow();
    let ended = 0;
    while (ended === 0) {
      const rows = await shard.sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'copying' and wait_event = 'PgSleep'`;
      ended = rows.length;
    }
    await told;
    await sql.end({ timeout: 1 });
  });
});
