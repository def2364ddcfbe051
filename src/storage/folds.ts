/**
 * The fold in Postgres: writing what changed since its version, and reading the whole table back at a start.
 */

import type { Sql, TransactionSql } from 'postgres';
import { type ApplicationChanges, writeApplications } from './applications.ts';
import { copyInto, copyText } from './copy.ts';
import { type LeaseChanges, writeLeases } from './leases.ts';
import { type MarksChanges, writeMarks } from './marks.ts';
import { numbered, partsOf } from './parts.ts';
import { type ReportChanges, writeReports } from './reports.ts';
import { inTransaction } from './transactions.ts';

/** A pool as of the fold. */
export interface PoolRecord {
  readonly pool: string;
  readonly units: number;
  readonly users: number;
  readonly connections: number;
  readonly unitsPeak: number;
  readonly usersPeak: number;
  readonly connectionsPeak: number;
  /** The units that its key enforces. */
  readonly unitsMax: number;
  readonly availableMin: number;
  /** When its marks were reset last, ms since 1970; 0 when they never were. */
  readonly marksSinceMs: number;
}

/** A user ID of a pool as of the fold. */
export interface UserRecord {
  readonly pool: string;
  readonly userId: string;
  readonly connections: number;
  readonly units: number;
  readonly transitioned: boolean;
  readonly apart: boolean;
  readonly connectionsPeak: number;
}

/** A login as of the fold, alive or remembered. Instants are milliseconds since 1970; 0 is none. */
export interface LoginRecord {
  readonly instance: string;
  readonly id: string;
  readonly pool: string;
  readonly userId: string | null;
  readonly kind: string;
  readonly phase: string;
  readonly processId: number;
  readonly leaseSeconds: number;
  readonly expiresAtMs: number;
  readonly endsAtMs: number;
  readonly grantedAtMs: number;
  readonly version: number;
  readonly index: number;
  readonly connections: number;
  readonly units: number;
  readonly unitsAdded: number;
  readonly transitioned: boolean;
  readonly print: number;
  readonly releasedAtMs: number;
  readonly reason: string | null;
}

/** Everything that changed between two versions, as absolute values of the later one. */
export interface FoldChanges extends ReportChanges, LeaseChanges, MarksChanges {
  readonly applications: ApplicationChanges;
  readonly pools: readonly PoolRecord[];
  readonly poolsGone: readonly string[];
  readonly users: readonly UserRecord[];
  readonly usersGone: readonly { readonly pool: string; readonly userId: string }[];
  /** Logins that the database has never seen. */
  readonly loginsAdded: readonly LoginRecord[];
  readonly loginsChanged: readonly LoginRecord[];
  readonly loginsGone: readonly { readonly instance: string; readonly id: string }[];
}

/** Where a fold stands. */
export interface FoldHead {
  readonly version: number;
  readonly batch: string;
}

/** Reads where the fold of a shard stands, and the instant it is of, ms since 1970. */
export async function readFold(sql: Sql, shard: number): Promise<FoldHead & { readonly atMs: number }> {
  const [fold] = await sql<(FoldHead & { atMs: number })[]>`
    select version, batch, (extract(epoch from folded_at) * 1000)::float8 as "atMs"
    from folds where shard = ${shard}`;
  if (!fold) throw new Error(`shard ${shard} has no fold in the database`);
  return fold;
}

/**
 * Moves the fold from one version to a later one, all or nothing, on condition that it stands there, that the
 * leader's token still holds, and that the journal has the row it moves to: after a restore the leader's copy
 * can be ahead in a history that is gone. It is not waited for on disk: what a crash loses of it is in the
 * journal.
 * @param to - the head that `changes` are as of.
 * @returns false when the condition did not hold; nothing was written then.
 */
export async function writeFold(
  sql: Sql,
  shard: number,
  token: number,
  from: FoldHead,
  to: FoldHead & { readonly atMs: number },
  changes: FoldChanges,
): Promise<boolean> {
  return inTransaction(sql, '', async (tx) => {
    // What is merged is often most of a table, and all of it is in memory: the plan should know. Where it is a small
    // part, it is looked up row by row: a table that has just grown is taken for small, and would be read as a whole.
    // So each fold is planned anew; a plan is only kept for statements without parameters, which is why all have one.
    const wholeJoins = isSmallPart(changes) ? 'off' : 'on';
    await tx`
      select set_config('synchronous_commit', 'off', true), set_config('random_page_cost', '1.1', true),
        set_config('jit', 'off', true), set_config('enable_hashjoin', ${wholeJoins}, true),
        set_config('enable_mergejoin', ${wholeJoins}, true),
        set_config('plan_cache_mode', 'force_custom_plan', true)`;
    const moved = await tx`
      update folds set version = ${to.version}, batch = ${to.batch},
        folded_at = to_timestamp(${to.atMs}::float8 / 1000)
      where shard = ${shard} and version = ${from.version} and batch = ${from.batch}
        and exists (select from leadership where shard = ${shard} and token = ${token})
        and exists (select from journal where shard = ${shard} and version = ${to.version} and batch = ${to.batch})
      returning shard`;
    if (moved.length === 0) return false;
    await writePools(tx, shard, changes);
    for (const [part, users] of numbered(partsOf(changes.users))) await writeUsers(tx, shard, users, part);
    for (const gone of partsOf(changes.usersGone)) await deleteUsers(tx, shard, gone);
    const instants = new InstantTexts();
    for (const logins of partsOf(changes.loginsAdded)) await addLogins(tx, shard, logins, instants);
    for (const [part, logins] of numbered(partsOf(changes.loginsChanged)))
      await changeLogins(tx, shard, logins, instants, part);
    for (const gone of partsOf(changes.loginsGone)) await deleteLogins(tx, shard, gone);
    await writeReports(tx, shard, changes);
    await writeLeases(tx, shard, changes);
    await writeApplications(tx, shard, changes.applications);
    await writeMarks(tx, shard, changes);
    return true;
  });
}

/** One user in so many is a small part of them. */
const SMALL_PART = 8;

/** Whether only few of the users of the pools that changed are written, or taken away. */
function isSmallPart({ pools, users, usersGone }: FoldChanges): boolean {
  const present = pools.reduce((total, pool) => total + pool.users, 0);
  return (users.length + usersGone.length) * SMALL_PART < present;
}

async function writePools(tx: TransactionSql, shard: number, changes: FoldChanges): Promise<void> {
  if (changes.pools.length > 0) {
    await tx`
      insert into key_pools (shard, pool, units, users, connections, units_peak, users_peak, connections_peak,
        units_max, available_min, marks_since)
      select ${shard}, pool, units, users, connections, "unitsPeak", "usersPeak", "connectionsPeak",
        "unitsMax", "availableMin", to_timestamp(nullif("marksSinceMs", 0) / 1000)
      from jsonb_to_recordset(${JSON.stringify(changes.pools)}::text::jsonb) as each (pool text,
        units integer, users integer, connections integer, "unitsPeak" integer, "usersPeak" integer,
        "connectionsPeak" integer, "unitsMax" integer, "availableMin" integer, "marksSinceMs" float8)
      on conflict (shard, pool) do update
      set units = excluded.units, users = excluded.users, connections = excluded.connections,
        units_peak = excluded.units_peak, users_peak = excluded.users_peak,
        connections_peak = excluded.connections_peak, units_max = excluded.units_max,
        available_min = excluded.available_min, marks_since = excluded.marks_since`;
  }
  if (changes.poolsGone.length > 0) {
    await tx`
      delete from key_pools where shard = ${shard} and pool = any (${changes.poolsGone as string[]}::text[])`;
  }
}

async function writeUsers(
  tx: TransactionSql,
  shard: number,
  users: readonly UserRecord[],
  part: number,
): Promise<void> {
  if (part > 0) await tx`delete from fold_users`;
  else
    await tx`
    create temp table if not exists fold_users (like license_users) on commit delete rows`;
  const lines = users.map(
    (user) =>
      `${shard}\t${copyText(user.pool)}\t${copyText(user.userId)}\t${user.connections}\t${user.units}\t` +
      `${copyText(user.transitioned)}\t${user.connectionsPeak}\t${copyText(user.apart)}\n`,
  );
  const merge = tx`
    merge into license_users using fold_users as each
    on license_users.shard = ${shard} and license_users.pool = each.pool
      and license_users.user_id = each.user_id
    when matched then update
    set connections = each.connections, units = each.units, transitioned = each.transitioned,
      apart = each.apart, connections_peak = each.connections_peak
    when not matched then
    insert (shard, pool, user_id, connections, units, transitioned, connections_peak, apart)
    values (each.shard, each.pool, each.user_id, each.connections, each.units, each.transitioned,
      each.connections_peak, each.apart)`;
  await copyInto(tx, tx`copy fold_users from stdin`, lines, merge);
}

async function deleteUsers(tx: TransactionSql, shard: number, gone: FoldChanges['usersGone']): Promise<void> {
  await tx`
    delete from license_users
    using unnest(${gone.map((user) => user.pool)}::text[], ${gone.map((user) => user.userId)}::text[])
      as gone (pool, user_id)
    where license_users.shard = ${shard} and license_users.pool = gone.pool
      and license_users.user_id = gone.user_id`;
}

/** New logins are copied straight into the table. */
async function addLogins(
  tx: TransactionSql,
  shard: number,
  logins: readonly LoginRecord[],
  instants: InstantTexts,
): Promise<void> {
  const lines = logins.map((login) => loginLine(shard, login, instants));
  await copyInto(tx, tx`copy logins from stdin`, lines);
}

/** The others go through a staging table. */
async function changeLogins(
  tx: TransactionSql,
  shard: number,
  logins: readonly LoginRecord[],
  instants: InstantTexts,
  part: number,
): Promise<void> {
  if (part > 0) await tx`delete from fold_logins`;
  else await tx`create temp table if not exists fold_logins (like logins) on commit delete rows`;
  const lines = logins.map((login) => loginLine(shard, login, instants));
  const merge = tx`
    insert into logins select * from fold_logins
    on conflict (shard, instance, id) do update
    set pool = excluded.pool, user_id = excluded.user_id, kind = excluded.kind, phase = excluded.phase,
      process_id = excluded.process_id, lease_seconds = excluded.lease_seconds,
      expires_at = excluded.expires_at, ends_at = excluded.ends_at, granted_at = excluded.granted_at,
      decision_version = excluded.decision_version, decision_index = excluded.decision_index,
      connections = excluded.connections, units = excluded.units, units_added = excluded.units_added,
      transitioned = excluded.transitioned, fingerprint = excluded.fingerprint,
      released_at = excluded.released_at, release_reason = excluded.release_reason`;
  await copyInto(tx, tx`copy fold_logins from stdin`, lines, merge);
}

function loginLine(shard: number, login: LoginRecord, instants: InstantTexts): string {
  return (
    `${shard}\t${copyText(login.instance)}\t${login.id}\t${copyText(login.pool)}\t${copyText(login.userId)}\t` +
    `${login.kind}\t${login.phase}\t${copyText(login.processId || null)}\t` +
    `${copyText(login.leaseSeconds || null)}\t${instants.of(login.expiresAtMs)}\t` +
    `${instants.of(login.endsAtMs)}\t${instants.of(login.grantedAtMs)}\t${login.version}\t${login.index}\t` +
    `${login.connections}\t${login.units}\t${login.unitsAdded}\t${copyText(login.transitioned)}\t` +
    `${login.print}\t${instants.of(login.releasedAtMs)}\t${copyText(login.reason)}\n`
  );
}

/** Most logins of a fold share their instants with the rest of their batch, so the last texts are kept. */
class InstantTexts {
  #ms = 0;
  #text = '';

  of(ms: number): string {
    if (ms === 0) return '\\N';
    if (ms !== this.#ms) {
      this.#ms = ms;
      this.#text = new Date(ms).toISOString();
    }
    return this.#text;
  }
}

async function deleteLogins(
  tx: TransactionSql,
  shard: number,
  gone: FoldChanges['loginsGone'],
): Promise<void> {
  await tx`
    delete from logins
    using unnest(${gone.map((login) => login.instance)}::text[], ${gone.map((login) => login.id)}::uuid[])
      as gone (instance, id)
    where logins.shard = ${shard} and logins.instance = gone.instance and logins.id = gone.id`;
}
