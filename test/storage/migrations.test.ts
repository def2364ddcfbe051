import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import postgres from 'postgres';
import { migrate, SchemaTooNewError } from '../../src/storage/migrations.ts';
import { createTestDatabase } from '../support/database.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A handle of a new database without a schema. */
async function emptyDatabase(): Promise<{ url: string; sql: postgres.Sql }> {
  const database = await createTestDatabase({ empty: true });
  const sql = open(database.url);
  cleanups.unshift(() => database.drop());
  return { url: database.url, sql };
}

function open(url: string): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  cleanups.push(() => sql.end());
  return sql;
}

/** A directory with migrations: file name without `.sql` → text. */
async function directoryOf(files: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'lictor-[migrations]-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files))
    await writeFile(path.join(directory, `${name}.sql`), text);
  return directory;
}

const FIRST = 'create table things (id int primary key);\ninsert into things values (1);\n';
const SECOND = 'alter table things add column name text;\n';

describe('migrate', () => {
  test('brings an empty database to the schema of this version, and twice is harmless', async () => {
    const { sql } = await emptyDatabase();
    const applied = await migrate(sql);
    expect(applied.map((note) => note.version)).toContain(1);
    expect(await migrate(sql)).toEqual([]);
  });

  test('twenty replicas at once apply each migration once', async () => {
    const { url } = await emptyDatabase();
    const directory = await directoryOf({ '001.do.first': FIRST, '002.do.second': SECOND });
    const handles = Array.from({ length: 20 }, () => open(url));
    const results = await Promise.all(handles.map((sql) => migrate(sql, { directory })));
    expect(results.flat().map((note) => note.version)).toEqual([1, 2]);
    expect(await handles[0]!`select id, name from things`).toEqual([{ id: 1, name: null }]);
  });

  test('a migration that fails leaves nothing of itself, and those before it stay', async () => {
    const { sql } = await emptyDatabase();
    const directory = await directoryOf({
      '001.do.first': FIRST,
      '002.do.second': 'create table others (id int);\nselect 1 / 0;\n',
    });
    await expect(migrate(sql, { directory })).rejects.toMatchObject({ code: '22012' });
    expect(await sql`select to_regclass('others') as found`).toEqual([{ found: null }]);
    expect(await sql`select max(version)::int as version from schema_migrations`).toEqual([{ version: 1 }]);
    await writeFile(path.join(directory, '002.do.second.sql'), SECOND);
    expect(await migrate(sql, { directory })).toEqual([{ version: 2, name: 'second', breaking: false }]);
  });

  test('an older version refuses a newer breaking migration and says so', async () => {
    const { sql } = await emptyDatabase();
    const newer = await directoryOf({ '001.do.first': FIRST, '002.do.second': `--! breaking\n${SECOND}` });
    const older = await directoryOf({ '001.do.first': FIRST });
    await migrate(sql, { directory: newer });
    const refusal = await migrate(sql, { directory: older }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SchemaTooNewError);
    expect((refusal as Error).message).toContain('migration 2 (second) cannot be served by this version');
  });

  test('an older version accepts a newer migration that breaks nothing', async () => {
    const { sql } = await emptyDatabase();
    const newer = await directoryOf({ '001.do.first': FIRST, '002.do.second': SECOND });
    const older = await directoryOf({ '001.do.first': FIRST });
    await migrate(sql, { directory: newer });
    expect(await migrate(sql, { directory: older })).toEqual([]);
    const [newest] = await sql`select version::int, name, breaking from schema_migrations where version = 2`;
    expect(newest).toEqual({ version: 2, name: 'second', breaking: false });
  });

  test('a migration that was changed after it was applied is a fault', async () => {
    const { sql } = await emptyDatabase();
    const directory = await directoryOf({ '001.do.first': FIRST });
    await migrate(sql, { directory });
    await writeFile(path.join(directory, '001.do.first.sql'), `${FIRST}-- changed\n`);
    await writeFile(path.join(directory, '002.do.second.sql'), SECOND);
    await expect(migrate(sql, { directory })).rejects.toThrow('MD5 checksum failed for migration [1]');
  });

  test('a migration numbered below one that the database has is a fault', async () => {
    const { sql } = await emptyDatabase();
    await migrate(sql, { directory: await directoryOf({ '002.do.second': FIRST }) });
    const directory = await directoryOf({ '001.do.first': SECOND, '002.do.second': FIRST });
    await expect(migrate(sql, { directory })).rejects.toThrow('give it the next number');
  });
});
