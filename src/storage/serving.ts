/**
 * Who serves a database. Replicas that coordinate through Redis serve it together; one that coordinates in its
 * own memory must be alone, because the others would know nothing of its heartbeats. A session advisory
 * lock says so: shared by the former, exclusive for the latter.
 */

import type { Sql } from 'postgres';

/** "lictor" in ASCII, and one more: not the lock of whoever migrates. */
const SERVING_LOCK = 119182983393139;

/**
 * Claims the right to serve, on a handle with one connection that is kept open for as long as it serves. Asking
 * again on a session that has it changes nothing.
 * @param alone - whether no other replica may serve at the same time.
 * @returns false when another replica stands against it.
 */
export async function claimServing(sql: Sql, alone: boolean): Promise<boolean> {
  const [row] = alone
    ? await sql<{ has: boolean }[]>`
        select case when exists (${ownLock(sql)}) then true
          else pg_try_advisory_lock(${SERVING_LOCK}::bigint) end as has`
    : await sql<{ has: boolean }[]>`
        select case when exists (${ownLock(sql)}) then true
          else pg_try_advisory_lock_shared(${SERVING_LOCK}::bigint) end as has`;
  return row!.has;
}

/** @returns how many sessions hold the right to serve, which is how many replicas do. */
export async function countServing(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())
      and ((classid::bigint << 32) | objid::bigint) = ${SERVING_LOCK}::bigint`;
  return row!.count;
}

function ownLock(sql: Sql) {
  return sql`
    select from pg_locks
    where locktype = 'advisory' and pid = pg_backend_pid() and granted and objsubid = 1
      and ((classid::bigint << 32) | objid::bigint) = ${SERVING_LOCK}::bigint`;
}
