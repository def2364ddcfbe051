/** Who leads, as the database has it. */

import type { Sql } from 'postgres';
import type { Term } from '../../src/storage/leadership.ts';

/** The row as anybody may read it. */
export interface LeadershipRow extends Term {
  readonly holder: string;
  readonly expired: boolean;
}

/** @returns the row of a shard; null while nobody has ever led. */
export async function readLeadership(sql: Sql, shard: number): Promise<LeadershipRow | null> {
  const [row] = await sql<LeadershipRow[]>`
    select holder, token, (extract(epoch from elected_at) * 1000)::float8 as "electedAtMs",
      expires_at < clock_timestamp() as expired
    from leadership where shard = ${shard}`;
  return row ?? null;
}
