/**
 * Leased units in Postgres: written by the fold, and read back at a start.
 */

import type { TransactionSql } from 'postgres';
import { copyInto, copyText, copyValue, eachCopyRow, Texts } from './copy.ts';
import { numbered, partsOf } from './parts.ts';

/** A lease as of the fold. */
export interface LeaseRecord {
  readonly id: string;
  readonly pool: string;
  readonly instance: string;
  readonly incarnation: number;
  readonly units: number;
  readonly sequence: number;
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly endsAtMs: number;
}

/** An entry of a lease as of the fold. Instants are milliseconds since 1970. */
export interface AllowanceRecord {
  readonly lease: string;
  readonly userId: string;
  readonly allowance: number;
  readonly shortSinceMs: number | null;
  readonly exactAtMs: number | null;
}

/** What changed of the leases between two versions, as absolute values of the later one. */
export interface LeaseChanges {
  readonly leases: readonly LeaseRecord[];
  /** Leases that have ended, with everything that they said. */
  readonly leasesGone: readonly string[];
  readonly allowances: readonly AllowanceRecord[];
  readonly allowancesGone: readonly { readonly lease: string; readonly userId: string }[];
}

/** Writes the changes of a fold, within its transaction. */
export async function writeLeases(tx: TransactionSql, shard: number, changes: LeaseChanges): Promise<void> {
  for (const leases of partsOf(changes.leases)) await writeBlocks(tx, shard, leases);
  for (const gone of partsOf(changes.leasesGone)) {
    await tx`delete from unit_leases where shard = ${shard} and id = any (${gone as string[]}::text[])`;
    await tx`delete from lease_allowances where shard = ${shard} and lease = any (${gone as string[]}::text[])`;
  }
  for (const [part, rows] of numbered(partsOf(changes.allowances)))
    await writeAllowances(tx, shard, rows, part);
  for (const gone of partsOf(changes.allowancesGone)) await deleteAllowances(tx, shard, gone);
}

async function writeBlocks(tx: TransactionSql, shard: number, leases: readonly LeaseRecord[]): Promise<void> {
  const records = leases.map(({ endsAtMs, ...lease }) => ({ ...lease, endsAt: instantOf(endsAtMs) }));
  await tx`
    insert into unit_leases (shard, id, pool, instance, incarnation, units, sequence, revision, ends_at)
    select ${shard}, id, pool, instance, incarnation, units, sequence, revision, "endsAt"
    from jsonb_to_recordset(${JSON.stringify(records)}::text::jsonb) as each (id text, pool text, instance text,
      incarnation integer, units integer, sequence bigint, revision bigint, "endsAt" timestamptz)
    on conflict (shard, id) do update
    set units = excluded.units, sequence = excluded.sequence, revision = excluded.revision,
      ends_at = excluded.ends_at`;
}

async function writeAllowances(
  tx: TransactionSql,
  shard: number,
  rows: readonly AllowanceRecord[],
  part: number,
): Promise<void> {
  if (part > 0) await tx`delete from fold_lease_allowances`;
  else
    await tx`
    create temp table if not exists fold_lease_allowances (like lease_allowances) on commit delete rows`;
  const lines = rows.map(
    ({ lease, userId, allowance, shortSinceMs, exactAtMs }) =>
      `${shard}\t${lease}\t${copyText(userId)}\t${allowance}\t${copyInstant(shortSinceMs)}\t${copyInstant(exactAtMs)}\n`,
  );
  const merge = tx`
    merge into lease_allowances using fold_lease_allowances as each
    on lease_allowances.shard = ${shard} and lease_allowances.lease = each.lease
      and lease_allowances.user_id = each.user_id
    when matched then update
    set allowance = each.allowance, short_since = each.short_since, exact_at = each.exact_at
    when not matched then
    insert (shard, lease, user_id, allowance, short_since, exact_at)
    values (each.shard, each.lease, each.user_id, each.allowance, each.short_since, each.exact_at)`;
  await copyInto(tx, tx`copy fold_lease_allowances from stdin`, lines, merge);
}

async function deleteAllowances(
  tx: TransactionSql,
  shard: number,
  gone: LeaseChanges['allowancesGone'],
): Promise<void> {
  await tx`
    delete from lease_allowances
    using unnest(${gone.map(({ lease }) => lease)}::text[], ${gone.map(({ userId }) => userId)}::text[])
      as gone (lease, user_id)
    where lease_allowances.shard = ${shard} and lease_allowances.lease = gone.lease
      and lease_allowances.user_id = gone.user_id`;
}

/** Whoever builds a table from leases; all leases come before the first allowance. */
export interface LeaseReader {
  lease(lease: LeaseRecord): void;
  allowance(allowance: AllowanceRecord): void;
}

/** Reads all leases, row by row. */
export async function readLeases(tx: TransactionSql, shard: number, reader: LeaseReader): Promise<void> {
  const leases = await tx<LeaseRecord[]>`
    select id, pool, instance, incarnation, units, sequence, revision,
      (extract(epoch from ends_at) * 1000)::bigint as "endsAtMs"
    from unit_leases where shard = ${shard}`;
  for (const lease of leases) reader.lease({ ...lease });
  const stream = await tx`
    copy (select lease, user_id, allowance, (extract(epoch from short_since) * 1000)::bigint,
        (extract(epoch from exact_at) * 1000)::bigint
      from lease_allowances where shard = ${tx.unsafe(String(shard))})
    to stdout`.readable();
  const texts = new Texts();
  await eachCopyRow(stream, (columns) => {
    const [lease, userId, allowance, shortSince, exactAt] = columns;
    reader.allowance({
      lease: texts.shared(lease!),
      userId: texts.whole(copyValue(userId!)!),
      allowance: Number(allowance),
      shortSinceMs: millisecondsOf(shortSince!),
      exactAtMs: millisecondsOf(exactAt!),
    });
  });
}

function millisecondsOf(column: string): number | null {
  const text = copyValue(column);
  return text === null ? null : Number(text);
}

function instantOf(ms: number): string {
  return new Date(ms).toISOString();
}

function copyInstant(ms: number | null): string {
  return copyText(ms === null ? null : instantOf(ms));
}
