import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type postgres from 'postgres';
import { arrayLiteral, parseArrayLiteral } from '../../src/storage/arrays.ts';
import { connectDatabase } from '../../src/storage/database.ts';
import { testServerUrl } from '../support/database.ts';

const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent };

describe('arrays of texts', () => {
  let sql: postgres.Sql;

  beforeAll(() => {
    const options = { url: testServerUrl(), connectionsMax: 1, logger, applicationName: 'test' };
    sql = connectDatabase(options);
  });

  afterAll(() => sql.end());

  test('go to Postgres and come back as they were, whatever is in them', async () => {
    // Postgres has no NUL in a text; everything else may stand there.
    const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''));
    const special = fc.constantFrom('', '"', '\\', ',', '{}', 'NULL', 'null', ' a ', 'a"b\\c', '\n', '{"x"}');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(text, special), { maxLength: 8 }), async (texts) => {
        const [row] = await sql`select ${texts}::text[] as texts, cardinality(${texts}::text[]) as count`;
        expect(row).toEqual({ texts, count: texts.length });
        expect(parseArrayLiteral(arrayLiteral(texts))).toEqual(texts);
      }),
      { numRuns: 60 },
    );
  });

  test('serve for UUIDs and instants too, and a null stays a null', async () => {
    const id = '0198f6aa-0000-7000-8000-000000000000';
    const at = '2030-01-01T12:00:00.123Z';
    const [row] = await sql`
      select ${[id]}::uuid[] as ids, (${[at]}::timestamptz[])[1] as at, ${null}::text[] as nothing`;
    expect(row).toEqual({ ids: [id], at: new Date(at), nothing: null });
  });

  test('with a null among them are refused, not misread', () => {
    expect(() => parseArrayLiteral('{a,NULL}')).toThrow(/null/);
    expect(parseArrayLiteral('{a,"NULL"}')).toEqual(['a', 'NULL']);
    expect(parseArrayLiteral('{}')).toEqual([]);
  });
});
