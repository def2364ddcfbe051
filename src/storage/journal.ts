/**
 * The journal and its head: the conditional append that decides everything, and reading rows back.
 */

import type { PendingQuery, Row, Sql } from 'postgres';
import type { Application } from '../domain/applications/applications.ts';
import { JOURNAL_FORMAT, type JournalRow } from '../domain/events.ts';
import type { Excess } from '../domain/excesses.ts';
import type { Instance } from '../domain/instances.ts';
import type { Activation } from '../domain/keys/activation.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';

/** The last row of a shard's journal. */
export interface HeadRow {
  readonly version: number;
  readonly batch: string;
  readonly atMs: number;
  readonly format: number;
  /** The database's clock when it was read, ms since 1970. */
  readonly databaseNowMs: number;
}

/** The journal is in a format that this version does not understand, and must neither read nor continue (R-4). */
export class UnknownFormatError extends Error {
  override readonly name = 'UnknownFormatError';

  constructor(format: number) {
    super(
      `The journal is in format ${format}, and this version of Lictor understands formats up to ${JOURNAL_FORMAT}. Update this replica.`,
    );
  }
}

/** Facts that are written in the transaction of the row that says them (R-8). */
export interface Facts {
  readonly keys: readonly { readonly key: InstalledKey; readonly file: Uint8Array | null }[];
  readonly keysRemoved: readonly string[];
  readonly instances: readonly Instance[];
  readonly instancesRemoved: readonly string[];
  readonly excesses: readonly Excess[];
  readonly activations: readonly Activation[];
  readonly applications: readonly Application[];
  /** Sections that are gone; without a name, all of the instance that are not among those written. */
  readonly applicationsRemoved: readonly { readonly instance: string; readonly name: string | null }[];
}

/** What came of an append: the row stands, or the head was another. */
export interface AppendResult {
  readonly appended: boolean;
  readonly databaseNowMs: number;
}

/** The parts of a row that an append needs. */
export type NewRow = Pick<JournalRow, 'shard' | 'version' | 'batch' | 'at' | 'actors' | 'events'>;

/** The head moves only from the expected row, and the new row is there only if it moved. */
function conditionalAppend(
  sql: Sql,
  row: NewRow,
  expected: { readonly version: number; readonly batch: string },
): PendingQuery<Row[]> {
  const body = JSON.stringify({ actors: row.actors, events: row.events });
  return sql`
    moved as (
      update shards
      set version = ${row.version}, batch = ${row.batch}, at = to_timestamp(${row.at}::float8 / 1000)
      where id = ${row.shard} and version = ${expected.version} and batch = ${expected.batch}
        and format <= ${JOURNAL_FORMAT}
      returning id, version, batch, at
    ), added as (
      insert into journal (shard, version, batch, at, body)
      select id, version, batch, at, ${body}::text::json from moved
      returning version
    )`;
}

/**
 * Appends one row on condition that the head is still the expected one, or changes nothing (R-1). One
 * statement, one transaction, one round trip.
 * @param expected - version and batch ID of the head that the row was decided on.
 */
export async function appendRow(
  sql: Sql,
  row: NewRow,
  expected: { readonly version: number; readonly batch: string },
): Promise<AppendResult> {
  const [result] = await sql<AppendResult[]>`
    with ${conditionalAppend(sql, row, expected)}
    select exists (select from added) as "appended",
      (extract(epoch from clock_timestamp()) * 1000)::float8 as "databaseNowMs"`;
  return result!;
}

/** Appends one row together with the facts it says, under the same condition and in the same statement (R-8). */
export async function appendRowWithFacts(
  sql: Sql,
  row: NewRow,
  expected: { readonly version: number; readonly batch: string },
  facts: Facts,
): Promise<AppendResult> {
  const keys = JSON.stringify(
    facts.keys.map(({ key, file }) => ({
      record: key,
      file: file === null ? null : Buffer.from(file).toString('base64'),
    })),
  );
  const [result] = await sql<AppendResult[]>`
    with ${conditionalAppend(sql, row, expected)}, keys_written as (
      insert into license_keys (id, shard, order_number, customer_name, record, file, installed_at)
      select each.record ->> 'id', moved.id, each.record ->> 'orderNumber', each.record ->> 'customerName',
        each.record, decode(each.file, 'base64'), moved.at
      from moved, jsonb_to_recordset(${keys}::text::jsonb) as each (record jsonb, file text)
      on conflict (id) do update
      set record = excluded.record, file = coalesce(excluded.file, license_keys.file)
    ), keys_removed as (
      delete from license_keys using moved
      where license_keys.id = any (${facts.keysRemoved as string[]}::text[])
    ), instances_written as (
      insert into instances (name, shard, key_id, incarnation, state, record, changed_at)
      select record ->> 'name', moved.id, record ->> 'key', (record ->> 'incarnation')::integer,
        record ->> 'state', record, moved.at
      from moved, jsonb_array_elements(${JSON.stringify(facts.instances)}::text::jsonb) as record
      on conflict (name) do update
      set key_id = excluded.key_id, incarnation = excluded.incarnation, state = excluded.state,
        record = excluded.record, changed_at = excluded.changed_at
    ), instances_removed as (
      delete from instances using moved
      where instances.name = any (${facts.instancesRemoved as string[]}::text[])
    ), excesses_written as (
      insert into excesses (id, shard, pool, began_at, ended_at, record)
      select record ->> 'id', moved.id, record ->> 'pool', to_timestamp((record ->> 'fromMs')::float8 / 1000),
        to_timestamp((record ->> 'toMs')::float8 / 1000), record
      from moved, jsonb_array_elements(${JSON.stringify(facts.excesses)}::text::jsonb) as record
      on conflict (id) do update
      set ended_at = excluded.ended_at, record = excluded.record
    ), activations_written as (
      insert into key_activations (id, shard, instance, activated_at, record)
      select record ->> 'id', moved.id, record ->> 'instance', to_timestamp((record ->> 'atMs')::float8 / 1000),
        record
      from moved, jsonb_array_elements(${JSON.stringify(facts.activations)}::text::jsonb) as record
    ), applications_written as (
      insert into applications (shard, instance, name, loaded_at, record)
      select moved.id, record ->> 'instance', record ->> 'name',
        to_timestamp((record ->> 'loadedAtMs')::float8 / 1000), record
      from moved, jsonb_array_elements(${JSON.stringify(facts.applications)}::text::jsonb) as record
      on conflict (instance, name) do update
      set loaded_at = excluded.loaded_at, record = excluded.record
    ), applications_removed as (
      delete from applications
      using moved, jsonb_to_recordset(${JSON.stringify(facts.applicationsRemoved)}::text::jsonb)
        as each (instance text, name text)
      where applications.instance = each.instance and (each.name is null or applications.name = each.name)
        and not exists (
          select from jsonb_array_elements(${JSON.stringify(facts.applications)}::text::jsonb) as record
          where record ->> 'instance' = applications.instance and record ->> 'name' = applications.name)
    )
    select exists (select from added) as "appended",
      (extract(epoch from clock_timestamp()) * 1000)::float8 as "databaseNowMs"`;
  return result!;
}

/**
 * Reads the head of a shard.
 * @throws UnknownFormatError when its journal is in a format that this version does not understand.
 */
export async function readHead(sql: Sql, shard: number): Promise<HeadRow> {
  const [head] = await sql<HeadRow[]>`
    select version, batch, (extract(epoch from at) * 1000)::float8 as "atMs", format,
      (extract(epoch from clock_timestamp()) * 1000)::float8 as "databaseNowMs"
    from shards where id = ${shard}`;
  if (!head) throw new Error(`shard ${shard} does not exist in the database`);
  if (head.format > JOURNAL_FORMAT) throw new UnknownFormatError(head.format);
  return head;
}

/** One row as it is stored. */
interface StoredRow {
  readonly version: number;
  readonly batch: string;
  readonly at: number;
  readonly body: Pick<JournalRow, 'actors' | 'events'> | null;
  /** The shard's, as far as it was asked for. */
  readonly format?: number;
}

/**
 * Reads the rows after a version, and checks that the row of that version is the one the caller knows.
 * @param known - the head of the caller's copy.
 * @param limit - how many rows at most.
 * @returns null when the caller's head is not in the journal: it must load the table anew (R-1, R-9).
 * @throws UnknownFormatError when the journal is in a format that this version does not understand.
 */
export async function readRowsAfter(
  sql: Sql,
  shard: number,
  known: { readonly version: number; readonly batch: string },
  limit: number,
): Promise<JournalRow[] | null> {
  const rows = await sql<StoredRow[]>`
    select version, batch, (extract(epoch from at) * 1000)::float8 as at,
      case when version > ${known.version} then body end as body,
      (select format from shards where id = ${shard}) as format
    from journal
    where shard = ${shard} and version >= ${known.version}
    order by version
    limit ${limit + 1}`;
  const format = rows[0]?.format ?? 0;
  if (format > JOURNAL_FORMAT) throw new UnknownFormatError(format);
  let next = known.version + 1;
  let from = 0;
  if (known.version > 0) {
    const own = rows[0];
    if (own?.version !== known.version || own.batch !== known.batch) return null;
    from = 1;
  }
  const result: JournalRow[] = [];
  for (let index = from; index < rows.length; index += 1) {
    const row = rows[index]!;
    if (row.version !== next) return null;
    next += 1;
    result.push({ shard, version: row.version, batch: row.batch, at: row.at, ...row.body! });
  }
  return result;
}

/**
 * Reads rows for people, from the newest to the oldest or the other way.
 * @param from - the version to start at, itself included; undefined starts at the end.
 */
export async function listRows(
  sql: Sql,
  shard: number,
  from: number | undefined,
  order: 'newest' | 'oldest',
  limit: number,
): Promise<JournalRow[]> {
  const rows =
    order === 'newest'
      ? await sql<StoredRow[]>`
          select version, batch, (extract(epoch from at) * 1000)::float8 as at, body from journal
          where shard = ${shard} and version <= ${from ?? Number.MAX_SAFE_INTEGER}
          order by version desc limit ${limit}`
      : await sql<StoredRow[]>`
          select version, batch, (extract(epoch from at) * 1000)::float8 as at, body from journal
          where shard = ${shard} and version >= ${from ?? 0}
          order by version limit ${limit}`;
  return rows.map((row) => ({ shard, version: row.version, batch: row.batch, at: row.at, ...row.body! }));
}

/** How many versions one partition of the journal holds. */
export const PARTITION_VERSIONS = 1_000_000;

/** Creates the partitions that hold a version and the ones ahead of it, where they are missing (R-9). */
export async function createPartitions(sql: Sql, version: number, ahead: number): Promise<void> {
  const first = Math.floor(version / PARTITION_VERSIONS);
  for (let number = first; number <= first + ahead; number += 1) {
    const from = number * PARTITION_VERSIONS;
    await sql`
      create table if not exists ${sql(`journal_${number}`)} partition of journal
      for values from (${sql.unsafe(String(from))}) to (${sql.unsafe(String(from + PARTITION_VERSIONS))})`;
  }
}

/**
 * Removes partitions whose rows are all folded and older than they have to be kept (R-9).
 * @param foldedVersion - only partitions wholly below it are looked at.
 * @param keptSinceMs - rows at or after this instant stay, ms since 1970.
 * @returns the names of the partitions that were removed.
 */
export async function dropPartitions(
  sql: Sql,
  foldedVersion: number,
  keptSinceMs: number,
): Promise<string[]> {
  const partitions = await sql<{ name: string; pending: boolean }[]>`
    select child.relname as name, inhdetachpending as pending from pg_inherits
    join pg_class child on child.oid = pg_inherits.inhrelid
    where pg_inherits.inhparent = 'journal'::regclass`;
  const dropped: string[] = [];
  for (const { name, pending } of partitions) {
    const number = Number(name.replace('journal_', ''));
    if (!Number.isInteger(number) || (number + 1) * PARTITION_VERSIONS > foldedVersion) continue;
    const [newest] = await sql<{ at: number }[]>`
      select (extract(epoch from at) * 1000)::float8 as at from ${sql(name)} order by version desc limit 1`;
    if (newest && newest.at >= keptSinceMs) continue;
    // A removal that was cut short while it waited for old transactions can only be finished.
    if (pending) await sql`alter table journal detach partition ${sql(name)} finalize`;
    else await sql`alter table journal detach partition ${sql(name)} concurrently`;
    await sql`drop table ${sql(name)}`;
    dropped.push(name);
  }
  return dropped;
}
