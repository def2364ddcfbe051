/**
 * The over-limit ledger in Postgres. It is written by the append of the row that says it; here it is read.
 */

import type { Sql } from 'postgres';
import type { Excess } from '../domain/excesses.ts';

/** What a page is to hold. */
export interface ExcessFilter {
  /** Only of these pools; null for all. */
  readonly pools: readonly string[] | null;
  readonly state: 'open' | 'ended' | null;
}

/** Where a page goes on: after the episode that began then, and has this ID. */
export interface ExcessPosition {
  readonly fromMs: number;
  readonly id: string;
}

/**
 * Lists episodes, the latest first.
 * @param after - the last one of the page before; null begins at the latest.
 */
export async function listExcesses(
  sql: Sql,
  shard: number,
  { pools, state }: ExcessFilter,
  after: ExcessPosition | null,
  limit: number,
): Promise<Excess[]> {
  const rows = await sql<{ record: Excess }[]>`
    select record from excesses
    where shard = ${shard}
      ${pools === null ? sql`` : sql`and pool = any (${pools as string[]}::text[])`}
      ${state === null ? sql`` : state === 'open' ? sql`and ended_at is null` : sql`and ended_at is not null`}
      ${after === null ? sql`` : sql`and (began_at, id) < (to_timestamp(${after.fromMs}::float8 / 1000), ${after.id})`}
    order by began_at desc, id desc
    limit ${limit}`;
  return rows.map(({ record }) => record);
}
