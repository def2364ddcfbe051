/**
 * Brings a database's schema up to what this version of Lictor serves. Migrations are numbered SQL files that
 * only go forward. One whose first line is `--! breaking` cannot be served by older versions: they refuse such
 * a database and say so, while any other newer migration is accepted, so that old and new replicas can run
 * side by side.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Postgrator from 'postgrator';
import type postgres from 'postgres';
import type { Logger } from './database.ts';

/** The migrations of this version. */
const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('../../migrations/', import.meta.url));

const MIGRATIONS_TABLE = 'schema_migrations';
const BREAKING_MARKER = '--! breaking';
/** "lictor" in ASCII, read as a number: the session advisory lock of whoever migrates. */
const MIGRATION_LOCK = 119182983393138;
const LOCK_POLL_INTERVAL_MS = 100;
/** How long to wait for the replica that is migrating; longer than any migration may take. */
const LOCK_TIMEOUT_MS = 600_000;

/** One migration, as a file or as a row of the database. */
export interface MigrationNote {
  readonly version: number;
  readonly name: string;
  readonly breaking: boolean;
}

/** How a database's schema and this version of Lictor stand to each other. */
export interface MigrationState {
  /** The newest migration of this version of Lictor; 0 when it has none. */
  readonly knownVersion: number;
  /** Migrations of this version that the database lacks, in order. */
  readonly pending: readonly MigrationNote[];
  /** Migrations of the database that this version does not know, in order. */
  readonly newer: readonly MigrationNote[];
}

/** What migrating needs besides the handle. */
export interface MigrateOptions {
  /** Where the migrations are; this version's own when it is left out. */
  readonly directory?: string;
  readonly logger?: Logger;
}

/** A database whose schema this version of Lictor cannot serve. */
export class SchemaTooNewError extends Error {
  readonly breaking: readonly MigrationNote[];

  /**
   * @param breaking - the unknown migrations that older versions cannot serve.
   * @param knownVersion - the newest migration that this version knows.
   */
  constructor(breaking: readonly MigrationNote[], knownVersion: number) {
    const names = breaking.map((note) => `${note.version} (${note.name})`).join(', ');
    super(
      `The database was changed by a newer version of Lictor: migration ${names} cannot be served by this version, ` +
        `which knows migrations up to ${knownVersion}. Start the newer version.`,
    );
    this.name = 'SchemaTooNewError';
    this.breaking = breaking;
  }
}

/**
 * Applies what is missing. Any number of replicas may do so at once: one at a time migrates, and each migration
 * is applied in one transaction with the note that it was, so that a crash leaves no half of it.
 * @param sql - a handle of the database; one connection of it is used.
 * @returns what was applied by this call, in order; empty when there was nothing to do.
 * @throws SchemaTooNewError when the database has a newer breaking migration; the database's own error when a
 *   migration fails; Error when a known migration was changed after it was applied.
 */
export async function migrate(sql: postgres.Sql, options: MigrateOptions = {}): Promise<MigrationNote[]> {
  const directory = options.directory ?? MIGRATIONS_DIRECTORY;
  // Without types to fetch, the driver never hands out a connection that it opens only to reserve it.
  await sql`select 1`;
  const session = await sql.reserve();
  try {
    if (!(await needsMigrating(session, directory))) return [];
    try {
      return await applyPending(session, directory, options.logger);
    } finally {
      await session`select pg_advisory_unlock(${MIGRATION_LOCK})`;
    }
  } finally {
    session.release();
  }
}

/**
 * Compares a database's schema with what this version knows, changing nothing.
 * @param sql - a handle of the database.
 * @throws Error when a migration of this version is numbered below one that the database has already.
 */
export function readSchemaState(sql: postgres.Sql): Promise<MigrationState> {
  return readState(sql, MIGRATIONS_DIRECTORY);
}

/**
 * Refuses a database that this version cannot serve.
 * @throws SchemaTooNewError when one of the migrations it does not know is breaking.
 */
function requireServable(state: MigrationState): void {
  const breaking = state.newer.filter((note) => note.breaking);
  if (breaking.length > 0) throw new SchemaTooNewError(breaking, state.knownVersion);
}

function isUpToDate(state: MigrationState): boolean {
  requireServable(state);
  return state.pending.length === 0;
}

async function applyPending(
  session: postgres.ReservedSql,
  directory: string,
  logger: Logger | undefined,
): Promise<MigrationNote[]> {
  const state = await readState(session, directory);
  if (isUpToDate(state)) return [];
  const postgrator = new Postgrator({
    driver: 'pg',
    schemaTable: MIGRATIONS_TABLE,
    migrationPattern: pattern(directory),
    // The simple protocol takes many statements at once, which is what a migration file is.
    execQuery: async (text) => ({ rows: [...(await session.unsafe(text).simple())] }),
  });
  const applied: MigrationNote[] = [];
  for (const note of state.pending) {
    await session`begin`;
    try {
      await postgrator.migrate(String(note.version));
      await session`alter table ${session(MIGRATIONS_TABLE)}
        add column if not exists breaking boolean not null default false`;
      await session`update ${session(MIGRATIONS_TABLE)} set breaking = ${note.breaking}
        where version = ${note.version}`;
      await session`commit`;
    } catch (error) {
      await session`rollback`;
      throw error;
    }
    logger?.info({ version: note.version, name: note.name }, 'A migration was applied.');
    applied.push(note);
  }
  return applied;
}

/**
 * Waits until nothing is missing or the lock is held. It waits by asking, not in the statement: a statement
 * that waits keeps a snapshot open, for which the migration that holds the lock might itself have to wait.
 * @returns true with the lock held; false when there is nothing to do, perhaps because another replica did it.
 */
async function needsMigrating(session: postgres.ReservedSql, directory: string): Promise<boolean> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  for (;;) {
    if (isUpToDate(await readState(session, directory))) return false;
    const [row] = await session<
      { taken: boolean }[]
    >`select pg_try_advisory_lock(${MIGRATION_LOCK}) as taken`;
    if (row?.taken === true) return true;
    if (performance.now() > deadline) {
      throw new Error(
        `Another process has been migrating the database for ${LOCK_TIMEOUT_MS / 60_000} minutes. ` +
          'Look in pg_stat_activity for what holds it up, and start again.',
      );
    }
    await pause(LOCK_POLL_INTERVAL_MS);
  }
}

/** Compares a database's schema with the migrations of a directory, changing nothing. */
async function readState(session: postgres.Sql, directory: string): Promise<MigrationState> {
  const [known, applied] = [await readKnown(directory), await readApplied(session)];
  const knownVersion = known.at(-1)?.version ?? 0;
  const appliedVersions = new Set(applied.map((note) => note.version));
  const appliedVersion = applied.at(-1)?.version ?? 0;
  const pending = known.filter((note) => !appliedVersions.has(note.version));
  const late = pending.filter((note) => note.version < appliedVersion && appliedVersion <= knownVersion);
  if (late.length > 0) {
    throw new Error(
      `Migration ${late.map((note) => note.version).join(', ')} is numbered below ${appliedVersion}, which the database ` +
        'already has. Migrations only go forward: give it the next number.',
    );
  }
  return {
    knownVersion,
    pending,
    newer: applied.filter((note) => note.version > knownVersion),
  };
}

/** The migrations of a directory, in order. */
async function readKnown(directory: string): Promise<MigrationNote[]> {
  const postgrator = new Postgrator({ driver: 'pg', migrationPattern: pattern(directory) });
  const notes: MigrationNote[] = [];
  for (const { version, name, action, filename } of await postgrator.getMigrations()) {
    if (action !== 'do')
      throw new Error(`${filename} is not named NNN.do.name.sql; migrations only go forward.`);
    const text = await readFile(filename, 'utf8');
    const breaking = text.split('\n', 1)[0]?.trim() === BREAKING_MARKER;
    notes.push({ version, name, breaking });
  }
  return notes.sort((a, b) => a.version - b.version);
}

/** The migrations that a database has, in order; none when it never was migrated. */
async function readApplied(session: postgres.Sql): Promise<MigrationNote[]> {
  const [table] = await session<
    { present: boolean }[]
  >`select to_regclass(${MIGRATIONS_TABLE}) is not null as present`;
  if (table?.present !== true) return [];
  return await session<MigrationNote[]>`
    select version::int, name, breaking from ${session(MIGRATIONS_TABLE)} where version > 0 order by version`;
}

/** The files of a directory as a pattern, in which the directory's own name means nothing but itself. */
function pattern(directory: string): string {
  return path.join(directory.replace(/[[\]*?{}()!+@]/g, '[$&]'), '*.sql');
}
