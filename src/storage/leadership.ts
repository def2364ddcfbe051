/**
 * Leadership: a row that one replica holds for a while. Its token grows with every change of hands and fences
 * what a former leader still tries to write.
 */

import type { Sql } from 'postgres';

/** What the holder of the row knows of its term. */
export interface Term {
  readonly token: number;
  readonly electedAtMs: number;
}

/**
 * Takes the row when nobody holds it, or its holder's time is over.
 * @param leaseMs - how long it is held without renewal, in milliseconds.
 * @returns null when another replica holds it, which is not an error.
 */
export async function claimLeadership(
  sql: Sql,
  shard: number,
  holder: string,
  leaseMs: number,
): Promise<Term | null> {
  const [term] = await sql<Term[]>`
    insert into leadership as l (shard, holder, token, elected_at, expires_at)
    values (${shard}, ${holder}, 1, clock_timestamp(), clock_timestamp() + ${leaseMs}::float8 * interval '1 ms')
    on conflict (shard) do update
    set holder = excluded.holder, token = l.token + 1, elected_at = excluded.elected_at,
      expires_at = excluded.expires_at
    where l.expires_at < clock_timestamp()
    returning token, (extract(epoch from elected_at) * 1000)::float8 as "electedAtMs"`;
  return term ?? null;
}

/** Renews the row. @returns false when it is held no longer. */
export async function renewLeadership(
  sql: Sql,
  shard: number,
  holder: string,
  token: number,
  leaseMs: number,
): Promise<boolean> {
  const rows = await sql`
    update leadership set expires_at = clock_timestamp() + ${leaseMs}::float8 * interval '1 ms'
    where shard = ${shard} and holder = ${holder} and token = ${token} and expires_at >= clock_timestamp()
    returning shard`;
  return rows.length === 1;
}

/** Gives the row up, so that another replica need not wait for it to run out. */
export async function resignLeadership(
  sql: Sql,
  shard: number,
  holder: string,
  token: number,
): Promise<void> {
  await sql`
    update leadership set expires_at = clock_timestamp() - interval '1 ms'
    where shard = ${shard} and holder = ${holder} and token = ${token}`;
}

/** The epoch of the signs of life: which life of the coordination store they are in. */
export interface EpochRow {
  readonly epoch: string | null;
  readonly runId: string | null;
}

/** Reads the epoch. @returns nulls while none was ever begun. */
export async function readEpoch(sql: Sql, shard: number): Promise<EpochRow> {
  const [row] = await sql<EpochRow[]>`
    select epoch, epoch_run_id as "runId" from leadership where shard = ${shard}`;
  return row ?? { epoch: null, runId: null };
}

/** Writes the epoch, fenced by the leader's token. @returns false when this replica leads no longer. */
export async function writeEpoch(
  sql: Sql,
  shard: number,
  token: number,
  epoch: { readonly epoch: string; readonly runId: string },
): Promise<boolean> {
  const rows = await sql`
    update leadership set epoch = ${epoch.epoch}, epoch_run_id = ${epoch.runId}, epoch_at = clock_timestamp()
    where shard = ${shard} and token = ${token} and expires_at >= clock_timestamp()
    returning shard`;
  return rows.length === 1;
}
