/**
 * Everything that an instance or a key holds, read from the fold in any number of rows and in bounded memory: a
 * cursor is opened in one repeatable-read transaction and held beyond its end, so that Postgres keeps the rows,
 * sorted, in a file of its own and no snapshot is open while somebody reads them, however slowly.
 */

import type { PendingQuery, Row, Sql, TransactionSql } from 'postgres';
import { type ProcessShown, userTypeOf } from '../domain/texts/reportrows.ts';
import type { KeyUserRow, UserRow } from '../domain/texts/usagerows.ts';
import { inTransaction } from './transactions.ts';

/** The memory that sorting and joining may take in Postgres before it goes to disk, as a setting. */
const WORK_MEMORY = '32MB';
/** Instants of one row of the journal are one; within it the index orders. */
const EVENTS_PER_ROW_MAX = 1_048_576;

/** What is known of a dump before its first row. */
export interface DumpHead {
  /** The version of the fold. */
  readonly version: number;
  /** The instant that it is of, ms since 1970. */
  readonly atMs: number;
  readonly rows: number;
  /** The units that the rows account for. */
  readonly units: number;
}

/** A dump that is being read. */
export interface DumpReader<Item> extends DumpHead {
  /**
   * Reads on.
   * @param limit - how many rows at most.
   * @returns fewer, or none, at the end.
   */
  read(limit: number): Promise<Item[]>;
}

/** A row of a cursor, with the totals of all. */
type Counted<Stored> = Stored & { readonly totalRows: number; readonly totalUnits: number };

/**
 * Opens a dump.
 * @param sql - a handle with one connection, of which nothing else is asked meanwhile. Its end ends the dump.
 * @param query - makes the query of the rows, with their totals.
 * @param timeoutMs - how long the query may take.
 */
async function open<Stored, Item>(
  sql: Sql,
  shard: number,
  query: (tx: TransactionSql) => PendingQuery<Row[]>,
  show: (stored: Stored) => Item,
  timeoutMs: number,
): Promise<DumpReader<Item>> {
  const fold = await inTransaction(sql, 'isolation level repeatable read read only', async (tx) => {
    await tx`
      select set_config('statement_timeout', ${String(timeoutMs)}, true),
        set_config('work_mem', ${WORK_MEMORY}, true), set_config('jit', 'off', true),
        set_config('client_connection_check_interval', '1s', true)`;
    const [head] = await tx<{ version: number; atMs: number }[]>`
      select version, (extract(epoch from folded_at) * 1000)::bigint as "atMs" from folds where shard = ${shard}`;
    if (!head) throw new Error(`shard ${shard} has no fold in the database`);
    await tx`declare lictor_dump no scroll cursor with hold for ${query(tx)}`;
    return { ...head };
  });
  const fetch = (limit: number) => sql.unsafe<Counted<Stored>[]>(`fetch ${limit} from lictor_dump`);
  const first = await fetch(1);
  // The totals stand in every row, and are wanted before the first.
  let kept: readonly Stored[] = first;
  return {
    ...fold,
    rows: first[0]?.totalRows ?? 0,
    units: first[0]?.totalUnits ?? 0,
    async read(limit) {
      const more = kept.length < limit ? await fetch(limit - kept.length) : [];
      const items = [...kept, ...more].map(show);
      kept = [];
      return items;
    },
  };
}

/** What users come to on an instance, by its logins there and by what it has reported. */
function talliesOf(tx: TransactionSql, shard: number, instance: string): PendingQuery<Row[]> {
  return tx`
    held as (
      select pool, user_id, 1 as connections, (kind = 'web')::integer as web, (phase = 'grace')::integer as grace,
        granted_at as since, decision_version * ${EVENTS_PER_ROW_MAX}::bigint + decision_index as place,
        null::bigint as sequence, ends_at, false as transitioned
      from logins
      where shard = ${shard} and instance = ${instance} and released_at is null and user_id is not null
      union all
      select state.pool, user_id, row.connections, web_sessions, 0, null, null, row.sequence, null, transitioned
      from instance_users as row join instance_reports as state using (shard, instance)
      where shard = ${shard} and instance = ${instance}
    ), tallies as (
      select pool, user_id, sum(connections)::integer as connections, sum(web)::integer as web,
        sum(grace)::integer as grace, min(since) as since, min(place) as place, max(sequence) as sequence,
        max(ends_at) as ends_at, bool_or(transitioned) as transitioned
      from held group by pool, user_id
    ), users as (
      select t.pool, t.user_id, t.connections, t.web, t.grace, t.since, t.place, t.sequence, t.ends_at,
        greatest(t.connections, u.connections_peak) as connections_peak,
        case when t.transitioned or u.transitioned or (t.sequence is null and u.apart) then t.connections
          else 1 end as units
      from tallies as t left join license_users as u
        on u.shard = ${shard} and u.pool = t.pool and u.user_id = t.user_id
    )`;
}

/** Who is on an instance, oldest first; those of whom nobody told since when, last, as they were reported. */
export function openUserDump(
  sql: Sql,
  shard: number,
  instance: string,
  timeoutMs: number,
): Promise<DumpReader<UserRow>> {
  const query = (tx: TransactionSql) => tx`
    with ${talliesOf(tx, shard, instance)}
    select user_id as "userId", connections, connections_peak as "connectionsPeak", web as "webSessions",
      grace as "inGrace", units, (extract(epoch from since) * 1000)::bigint as "sinceMs",
      coalesce((extract(epoch from ends_at) * 1000)::bigint, 0) as "graceUntilMs",
      count(*) over () as "totalRows", sum(units) over () as "totalUnits"
    from users order by place nulls last, sequence, user_id collate "C"`;
  type Stored = Omit<UserRow, 'type'> & { readonly inGrace: number };
  const show = (row: Stored): UserRow => ({
    userId: row.userId,
    type: userTypeOf(row.connections, row.webSessions, row.inGrace),
    connections: row.connections,
    connectionsPeak: row.connectionsPeak,
    webSessions: row.webSessions,
    units: row.units,
    sinceMs: row.sinceMs,
    graceUntilMs: row.graceUntilMs,
  });
  return open(sql, shard, query, show, timeoutMs);
}

/**
 * The logins of an instance, oldest first, and after them everybody of whom only reports tell, a row each.
 * The units of the head are those of its users.
 */
export function openProcessDump(
  sql: Sql,
  shard: number,
  instance: string,
  timeoutMs: number,
): Promise<DumpReader<ProcessShown>> {
  const query = (tx: TransactionSql) => tx`
    with ${talliesOf(tx, shard, instance)}, processes as (
      select l.process_id, l.kind, l.phase, l.granted_at as since, l.ends_at, l.decision_version as version,
        l.decision_index as index, null::bigint as sequence, u.*
      from logins as l
      left join (select pool, user_id, connections, connections_peak, web, units from users) as u
        using (pool, user_id)
      where l.shard = ${shard} and l.instance = ${instance} and l.released_at is null
      union all
      select null, case when web = connections then 'web' else 'user' end, 'active', null, null, null, null,
        sequence, pool, user_id, connections, connections_peak, web, units
      from users where place is null
    )
    select coalesce(process_id, 0) as "processId", kind, phase,
      case when connections is null then null else user_id end as "userId", coalesce(connections, 0) as connections,
      coalesce(connections_peak, 0) as "connectionsPeak", coalesce(web, 0) as "webSessions",
      coalesce(units, 0) as units, (extract(epoch from since) * 1000)::bigint as "sinceMs",
      coalesce((extract(epoch from ends_at) * 1000)::bigint, 0) as "endsAtMs",
      count(*) over () as "totalRows", (select sum(units) from users) as "totalUnits"
    from processes order by version nulls last, index, sequence, user_id collate "C"`;
  const show = (row: ProcessShown): ProcessShown => ({
    processId: row.processId,
    kind: row.kind,
    phase: row.phase,
    userId: row.userId,
    connections: row.connections,
    connectionsPeak: row.connectionsPeak,
    webSessions: row.webSessions,
    units: row.units,
    sinceMs: row.sinceMs,
    endsAtMs: row.endsAtMs,
  });
  return open(sql, shard, query, show, timeoutMs);
}

/** Which rows of keys are wanted, and in which order. */
export interface KeyDumpOf {
  /** Keys, and default licences of instances, in the order in which they come. */
  readonly pools: readonly string[];
  /** Only the rows on this instance; null for all. */
  readonly instance: string | null;
  /** What goes first under a key. */
  readonly first: 'user' | 'instance';
}

/** Connections that are on the books: logins, what counts as reported, and what instances may hold. */
function booksOf(tx: TransactionSql, shard: number, pools: readonly string[]): PendingQuery<Row[]> {
  return tx`
    allowed as (
      select l.pool, a.user_id, l.instance, sum(a.allowance)::integer as connections
      from lease_allowances as a join unit_leases as l on l.shard = a.shard and l.id = a.lease
      where l.shard = ${shard} and l.pool = any (${pools as string[]}::text[]) and a.allowance > 0
      group by l.pool, a.user_id, l.instance
    ), books as (
      select pool, user_id, instance, 1 as connections from logins
      where shard = ${shard} and pool = any (${pools as string[]}::text[]) and released_at is null
        and user_id is not null
      union all
      select state.pool, row.user_id, instance, row.connections
      from instance_users as row join instance_reports as state using (shard, instance)
      where shard = ${shard} and state.pool = any (${pools as string[]}::text[]) and state.counted
      union all
      select pool, user_id, instance, connections from allowed
    ), booked as (
      select b.pool, b.user_id, b.instance, sum(b.connections)::integer as connections,
        coalesce(bool_or(u.transitioned or u.apart), false) as is_each_counted,
        row_number() over (partition by b.pool, b.user_id order by b.instance collate "C") as number,
        count(*) over (partition by b.pool, b.user_id) as places
      from books as b left join license_users as u
        on u.shard = ${shard} and u.pool = b.pool and u.user_id = b.user_id
      group by b.pool, b.user_id, b.instance
    )`;
}

/** Connections on leased units, which cost a unit each: what instances that are there reported beyond the books. */
function beyondOf(tx: TransactionSql, shard: number, pools: readonly string[]): PendingQuery<Row[]> {
  return tx`
    present as (
      select pool, instance from unit_leases
      where shard = ${shard} and pool = any (${pools as string[]}::text[])
      union select pool, instance from booked
    ), beyond as (
      select state.pool, row.user_id, instance,
        row.connections - coalesce(allowed.connections, 0) as connections
      from instance_users as row join instance_reports as state using (shard, instance)
      left join allowed using (pool, user_id, instance)
      where shard = ${shard} and state.pool = any (${pools as string[]}::text[]) and not state.counted
        and row.connections > coalesce(allowed.connections, 0)
        and (state.pool, instance) in (select pool, instance from present)
    )`;
}

/**
 * The users of keys on each of their instances. A user who is counted together stands on the first of his
 * instances by name, and his other rows share that unit (trap 1).
 */
export function openKeyDump(
  sql: Sql,
  shard: number,
  { pools, instance, first }: KeyDumpOf,
  timeoutMs: number,
): Promise<DumpReader<KeyUserRow>> {
  const query = (tx: TransactionSql) => {
    const order = {
      user: tx`user_id collate "C", instance collate "C"`,
      instance: tx`instance collate "C", user_id collate "C"`,
    };
    return tx`
      with ${booksOf(tx, shard, pools)}, ${beyondOf(tx, shard, pools)}, rows as (
        select pool, user_id, instance, coalesce(b.connections, 0) + coalesce(e.connections, 0) as connections,
          coalesce(case when is_each_counted then b.connections when number = 1 then 1 else 0 end, 0)
            + coalesce(e.connections, 0) as units,
          e.connections is null and not is_each_counted and number > 1 as is_shared,
          coalesce(not is_each_counted and places > 1, false) as is_elsewhere
        from booked as b full join beyond as e using (pool, user_id, instance)
      )
      select pool, user_id as "userId", instance, connections, units, is_shared as "isShared",
        is_elsewhere as "isElsewhere", count(*) over () as "totalRows", sum(units) over () as "totalUnits"
      from rows join unnest(${pools as string[]}::text[]) with ordinality as wanted (pool, place) using (pool)
      where instance = coalesce(${instance}, instance)
      order by place, ${order[first]}`;
  };
  const show = (row: KeyUserRow): KeyUserRow => ({
    pool: row.pool,
    userId: row.userId,
    instance: row.instance,
    connections: row.connections,
    units: row.units,
    isShared: row.isShared,
    isElsewhere: row.isElsewhere,
  });
  return open(sql, shard, query, show, timeoutMs);
}
