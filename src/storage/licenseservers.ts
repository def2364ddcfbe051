/**
 * The roster of licence servers, and the one row that says which of them is active: held by one process for a
 * while by the database's clock, renewed by it alone, and taken over in one conditional statement once its time
 * is over. So no two hold it at any instant (F-82), and who was up first stays active (trap 15).
 */

import type { Sql } from 'postgres';
import type { LicenseServer } from '../domain/licenseservers.ts';
import { violatesUnique } from './database.ts';
import { inTransaction } from './transactions.ts';

/** An entry of the roster as it is stored. */
export interface LicenseServerRow extends LicenseServer {
  /** When one of its processes last gave a sign of life; null when none ever did. */
  readonly heardAt: Date | null;
  /** How long ago that was by the database's clock, in milliseconds. */
  readonly silentMs: number | null;
  readonly changedAt: Date;
  readonly changedBy: string;
}

/** The term of the active licence server, which has not run out. */
export interface ActiveRow extends LicenseServer {
  /** The process that holds the term. */
  readonly holder: string;
  readonly token: number;
  readonly electedAt: Date;
  readonly expiresAt: Date;
}

/** Whether an error says that another entry has the same address and port. */
export function isPlaceTaken(error: unknown): boolean {
  return violatesUnique(error, 'license_servers_address_port_key');
}

/** @returns every entry, by name. */
export async function listLicenseServers(sql: Sql): Promise<LicenseServerRow[]> {
  return await sql<LicenseServerRow[]>`
    select name, address, port, heard_at as "heardAt",
      (extract(epoch from clock_timestamp() - heard_at) * 1000)::float8 as "silentMs",
      changed_at as "changedAt", changed_by as "changedBy"
    from license_servers order by name collate "C"`;
}

/** @returns the active licence server; null while none may act, also when its entry is removed. */
export async function findActiveLicenseServer(sql: Sql): Promise<ActiveRow | null> {
  const [row] = await sql<ActiveRow[]>`
    select name, s.address, s.port, a.holder, a.token, a.elected_at as "electedAt", a.expires_at as "expiresAt"
    from active_license_server a join license_servers s using (name)
    where a.holder is not null and a.expires_at >= clock_timestamp()`;
  return row ?? null;
}

/**
 * Adds an entry, or changes the one of that name.
 * @param countMax - how many entries there may be.
 * @returns what became of it; `full` when there are too many already.
 * @throws an error that `isPlaceTaken` knows, when another entry has that address and port.
 */
export async function putLicenseServer(
  sql: Sql,
  { name, address, port }: LicenseServer,
  actor: string,
  countMax: number,
): Promise<'added' | 'changed' | 'unchanged' | 'full'> {
  const [row] = await sql<{ isNew: boolean }[]>`
    insert into license_servers as s (name, address, port, changed_by)
    select ${name}, ${address}, ${port}::integer, ${actor}
    where (select count(*) from license_servers) < ${countMax}::integer
      or exists (select from license_servers where name = ${name})
    on conflict (name) do update
    set address = excluded.address, port = excluded.port, changed_at = clock_timestamp(),
      changed_by = excluded.changed_by
    where (s.address, s.port) is distinct from (excluded.address, excluded.port)
    returning xmax = 0 as "isNew"`;
  if (row) return row.isNew ? 'added' : 'changed';
  const [present] = await sql`select from license_servers where name = ${name}`;
  return present ? 'unchanged' : 'full';
}

/**
 * Removes an entry. If it is the active one nobody can renew the term any more; it still runs out by itself
 * before another takes over, because its holder may act until it hears of this.
 * @returns whether there was such an entry.
 */
export async function removeLicenseServer(sql: Sql, name: string): Promise<boolean> {
  return inTransaction(sql, '', async (tx) => {
    const removed = await tx`delete from license_servers where name = ${name} returning name`;
    if (removed.length > 0) await tx`update active_license_server set holder = null where name = ${name}`;
    return removed.length > 0;
  });
}

/** What came of a sign of life. */
export interface BeatRow {
  /** Whether there is such an entry. */
  readonly isKnown: boolean;
  /** The fencing token of the term that the process holds now; null when another holds it. */
  readonly token: number | null;
  /** Whether the term began with this sign of life. */
  readonly isNew: boolean | null;
}

/**
 * A sign of life: renews the term of the process that holds it, or takes it when it has run out.
 * @param holder - the process.
 * @param leaseMs - how long a term lasts without renewal, in milliseconds.
 */
export async function beatLicenseServer(
  sql: Sql,
  name: string,
  holder: string,
  leaseMs: number,
): Promise<BeatRow> {
  const lease = sql`${leaseMs}::float8 * interval '1 ms'`;
  const renews = sql`(a.expires_at >= clock_timestamp() and a.name = excluded.name
    and a.holder is not distinct from excluded.holder)`;
  // A sign of life that overtakes another must not be shortened by it: its sender was told of the longer term.
  const [row] = await sql<BeatRow[]>`
    with entry as (
      update license_servers set heard_at = clock_timestamp() where name = ${name} returning name
    ), term as (
      insert into active_license_server as a (id, name, holder, token, elected_at, expires_at)
      select 0, name, ${holder}, 1, instant, instant + ${lease}
      from entry, lateral (select clock_timestamp() as instant) as clock
      on conflict (id) do update
      set name = excluded.name, holder = excluded.holder,
        token = a.token + (not ${renews})::integer,
        elected_at = case when ${renews} then a.elected_at else excluded.elected_at end,
        expires_at = greatest(a.expires_at, excluded.expires_at)
      where a.expires_at < clock_timestamp() or ${renews}
      returning a.token, a.expires_at = a.elected_at + ${lease} as is_new
    )
    select exists (select from entry) as "isKnown", (select token from term) as token,
      (select is_new from term) as "isNew"`;
  return row!;
}

/**
 * Gives the term up, so that another need not wait until it runs out. Only its holder can say that it acts no
 * longer.
 * @returns whether it held the term.
 */
export async function resignLicenseServer(sql: Sql, name: string, holder: string): Promise<boolean> {
  const rows = await sql`
    update active_license_server set holder = null, expires_at = clock_timestamp() - interval '1 ms'
    where name = ${name} and holder = ${holder} and expires_at >= clock_timestamp()
    returning id`;
  return rows.length > 0;
}
