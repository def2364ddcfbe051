/**
 * What a database says of itself to whoever looks for what is wrong with a deployment. Everything here is read,
 * nothing is changed, and no statement looks at more rows than it says.
 */

import type { Sql } from 'postgres';
import type { Role } from '../domain/access.ts';
import { JOURNAL_FORMAT } from '../domain/events.ts';
import type {
  DatabaseFacts,
  HoldingFacts,
  JournalFacts,
  LeaderFacts,
  SchemaFacts,
  StandbyFacts,
  TokenFacts,
} from '../domain/findings/diagnosisfacts.ts';
import { judgeDurability } from './database.ts';
import { readSchemaState } from './migrations.ts';
import { countServing } from './serving.ts';

/** Tokens looked at: more than anybody keeps by hand. */
const TOKENS_MAX = 10_000;
/** Sessions, slots and prepared transactions that are named. */
const HOLDERS_MAX = 20;

/** The settings and the state of the server, as one row. */
interface ServerRow {
  readonly versionNumber: number;
  readonly version: string;
  readonly fsync: string;
  readonly synchronousCommit: string;
  readonly fullPageWrites: string;
  readonly standbyNames: string;
  readonly inRecovery: boolean;
  readonly autovacuum: string;
  readonly connectionsMax: number;
  readonly connectionsReserved: number;
  readonly connections: number;
  readonly bytes: number;
  readonly transactionAge: number;
  readonly isSuperuser: string;
  readonly isEncrypted: boolean;
  readonly isRemote: boolean;
  readonly nowMs: number;
}

/**
 * Reads what the server is, how it is set, and what it is asked to bear.
 * @param sql - a handle; its session settings are taken for those of every session.
 * @returns the facts, with the clock of the database while it answered and how long the answer took.
 */
export async function readDatabaseFacts(sql: Sql): Promise<DatabaseFacts> {
  // The first statement may open a connection, which says nothing of how long an answer takes.
  await sql`select 1`;
  const sentAtMs = Date.now();
  const startedAt = performance.now();
  const [clock] = await sql<{ nowMs: number }[]>`
    select (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"`;
  const roundTripMs = performance.now() - startedAt;
  const [row] = await sql<ServerRow[]>`
    select current_setting('server_version_num')::integer as "versionNumber",
      current_setting('server_version') as version,
      current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as "synchronousCommit",
      current_setting('full_page_writes') as "fullPageWrites",
      current_setting('synchronous_standby_names') as "standbyNames",
      pg_is_in_recovery() as "inRecovery",
      current_setting('autovacuum') as autovacuum,
      current_setting('max_connections')::integer as "connectionsMax",
      current_setting('superuser_reserved_connections')::integer as "connectionsReserved",
      (select count(*) from pg_stat_activity where backend_type is null or backend_type = 'client backend')
        as connections,
      pg_database_size(current_database()) as bytes,
      (select age(datfrozenxid) from pg_database where datname = current_database()) as "transactionAge",
      current_setting('is_superuser') as "isSuperuser",
      coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as "isEncrypted",
      coalesce(not inet_server_addr() <<= any (array['127.0.0.0/8', '::1/128']::inet[]), false) as "isRemote"`;
  const server = row!;
  const durability = judgeDurability({
    fsync: server.fsync,
    synchronous_commit: server.synchronousCommit,
    full_page_writes: server.fullPageWrites,
    synchronous_standby_names: server.standbyNames,
    in_recovery: server.inRecovery,
    server_version: server.version,
  });
  return {
    version: server.version,
    versionNumber: server.versionNumber,
    durability: { safe: durability.safe, words: durability.words },
    synchronousCommit: server.synchronousCommit,
    standbyNames: server.standbyNames,
    autovacuum: server.autovacuum === 'on',
    connections: server.connections,
    connectionsMax: server.connectionsMax - server.connectionsReserved,
    bytes: server.bytes,
    transactionAge: server.transactionAge,
    isSuperuser: server.isSuperuser === 'on',
    isEncrypted: server.isEncrypted,
    isRemote: server.isRemote,
    // The clock was read halfway between the question and the answer.
    aheadMs: clock!.nowMs - (sentAtMs + roundTripMs / 2),
    roundTripMs,
    nowMs: clock!.nowMs,
  };
}

/**
 * Reads who receives the database's changes.
 * @returns the standbys; their state is null where the role may not see it.
 */
export async function readStandbys(sql: Sql): Promise<StandbyFacts[]> {
  return await sql<StandbyFacts[]>`
    select coalesce(application_name, '') as name, state, sync_state as "syncState",
      (extract(epoch from replay_lag) * 1000)::float8 as "replayLagMs"
    from pg_stat_replication order by application_name limit ${HOLDERS_MAX}`;
}

/**
 * Reads what keeps old rows alive: transactions that are open for long, prepared ones that nobody ends, and
 * replication slots.
 * @param longMs - how long a transaction must have been open to be named, in milliseconds.
 */
export async function readHoldings(sql: Sql, longMs: number): Promise<HoldingFacts> {
  const long = sql`${longMs}::float8 * interval '1 ms'`;
  const transactions = await sql<{ pid: number; name: string; state: string; ageMs: number }[]>`
    select pid, coalesce(nullif(application_name, ''), usename, 'unknown') as name, coalesce(state, '') as state,
      (extract(epoch from clock_timestamp() - xact_start) * 1000)::float8 as "ageMs"
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and xact_start < clock_timestamp() - ${long}
    order by xact_start limit ${HOLDERS_MAX}`;
  const prepared = await sql<{ gid: string; ageMs: number }[]>`
    select gid, (extract(epoch from clock_timestamp() - prepared) * 1000)::float8 as "ageMs"
    from pg_prepared_xacts
    where database = current_database() and prepared < clock_timestamp() - ${long}
    order by prepared limit ${HOLDERS_MAX}`;
  const slots = await sql<{ name: string; active: boolean; retainedBytes: number | null }[]>`
    select slot_name as name, active,
      case when pg_is_in_recovery() then null
        else pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint end as "retainedBytes"
    from pg_replication_slots order by slot_name limit ${HOLDERS_MAX}`;
  // What another role does is shown to members of pg_read_all_stats only.
  const [hidden] = await sql<{ count: number }[]>`
    select count(*) from pg_stat_activity
    where datname = current_database() and backend_type is null`;
  return { transactions, prepared, slots, hiddenSessions: hidden!.count };
}

/** Reads which migrations the database has, and in which format its journal is. */
export async function readSchemaFacts(sql: Sql, shard: number): Promise<SchemaFacts> {
  const { knownVersion, pending, newer } = await readSchemaState(sql);
  const [head] = await sql<{ format: number }[]>`select format from shards where id = ${shard}`;
  return {
    knownVersion,
    pending: pending.map(({ version, name }) => `${version} (${name})`),
    newer: newer.map(({ version, name }) => `${version} (${name})`),
    format: head?.format ?? null,
    knownFormat: JOURNAL_FORMAT,
  };
}

/** Reads how large the journal is, where its head and its fold are, and how far its partitions reach. */
export async function readJournalFacts(sql: Sql, shard: number): Promise<JournalFacts> {
  const [heads] = await sql<{ version: number; atMs: number; foldVersion: number; foldAtMs: number }[]>`
    select s.version, (extract(epoch from s.at) * 1000)::float8 as "atMs",
      f.version as "foldVersion", (extract(epoch from f.folded_at) * 1000)::float8 as "foldAtMs"
    from shards s join folds f on f.shard = s.id where s.id = ${shard}`;
  if (!heads) throw new Error(`shard ${shard} does not exist in the database`);
  const [sizes] = await sql<{ bytes: number; partitions: number; highest: number | null }[]>`
    select coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint as bytes, count(*) as partitions,
      max(substring(child.relname from '^journal_([0-9]+)$')::bigint) as highest
    from pg_inherits join pg_class child on child.oid = inhrelid where inhparent = 'journal'::regclass`;
  const [oldest] = await sql<{ version: number; atMs: number }[]>`
    select version, (extract(epoch from at) * 1000)::float8 as "atMs"
    from journal where shard = ${shard} order by version limit 1`;
  return { ...heads, ...sizes!, oldest: oldest ?? null };
}

/** Reads who leads, and how many replicas serve the database. */
export async function readLeaderFacts(sql: Sql, shard: number): Promise<LeaderFacts> {
  const [row] = await sql<{ holder: string; overdueMs: number; electedAtMs: number }[]>`
    select holder, (extract(epoch from clock_timestamp() - expires_at) * 1000)::float8 as "overdueMs",
      (extract(epoch from elected_at) * 1000)::float8 as "electedAtMs"
    from leadership where shard = ${shard}`;
  return { leader: row ?? null, replicas: await countServing(sql) };
}

/** Reads the tokens that are not revoked, the oldest first. */
export async function readTokenFacts(sql: Sql): Promise<TokenFacts[]> {
  const ms = (column: string) => sql`(extract(epoch from ${sql(column)}) * 1000)::float8`;
  return await sql<(TokenFacts & { role: Role })[]>`
    select id, name, role, keys, instance, ${ms('created_at')} as "createdAtMs",
      ${ms('expires_at')} as "expiresAtMs", ${ms('last_used_at')} as "lastUsedAtMs"
    from access_tokens where revoked_at is null order by created_at, id limit ${TOKENS_MAX}`;
}
