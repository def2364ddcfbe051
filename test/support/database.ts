/**
 * A database of its own for every test file, made from a migrated template within milliseconds. Set
 * LICTOR_KEEP_TEST_DATABASES to look at them afterwards (with LICTOR_TEST_DATABASE_URL, since a server that
 * the tests started ends with them).
 */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { migrate } from '../../src/storage/migrations.ts';

export { type OwnPostgres, startOwnPostgres } from './postgres.ts';

/** A database that belongs to one test file. */
export interface TestDatabase {
  readonly url: string;
  /** Ends every session on it and removes it, unless LICTOR_KEEP_TEST_DATABASES is set. */
  drop(): Promise<void>;
}

const TEMPLATE = `lictor_template_${process.env.LICTOR_TEST_RUN ?? ''}`;

/** The server of this run; `setup.ts` sees to it that there is one. */
export function testServerUrl(): string {
  const url = process.env.LICTOR_TEST_DATABASE_URL;
  if (url === undefined) throw new Error('No test server: LICTOR_TEST_DATABASE_URL is not set.');
  return url;
}

/**
 * Makes a database with the current schema.
 * @param options.empty - true for one without any schema, for tests of the migrations themselves.
 */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const name = `lictor_test_${randomBytes(6).toString('hex')}`;
  await onServer(async (sql) => {
    await sql`create database ${sql(name)} template ${sql(options.empty === true ? 'template0' : TEMPLATE)}`;
  });
  const url = new URL(testServerUrl());
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      if (process.env.LICTOR_KEEP_TEST_DATABASES) {
        process.stderr.write(`Kept the test database ${name}.\n`);
        return;
      }
      await onServer(async (sql) => {
        await sql`drop database if exists ${sql(name)} with (force)`;
      });
    },
  };
}

/** Makes the template of this run. */
export async function createTemplate(): Promise<void> {
  await onServer(async (sql) => {
    await sql`create database ${sql(TEMPLATE)} template template0`;
  });
  const url = new URL(testServerUrl());
  url.pathname = `/${TEMPLATE}`;
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  try {
    await migrate(sql);
  } finally {
    await sql.end();
  }
}

/** Removes the template of this run. */
export async function dropTemplate(): Promise<void> {
  await onServer(async (sql) => {
    await sql`drop database if exists ${sql(TEMPLATE)} with (force)`;
  });
}

async function onServer(work: (sql: postgres.Sql) => Promise<void>): Promise<void> {
  const sql = postgres(testServerUrl(), { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end();
  }
}
