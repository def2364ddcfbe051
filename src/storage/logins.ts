/**
 * Listing logins out of the distributed table: for people, as of the fold (R-15).
 */

import type { Sql } from 'postgres';
import { inTransaction } from './transactions.ts';

/** A login of a list. Instants are milliseconds since 1970. */
export interface ListedLogin {
  readonly instance: string;
  readonly id: string;
  readonly pool: string;
  readonly userId: string | null;
  readonly kind: string;
  readonly phase: string;
  readonly processId: number | null;
  readonly leaseSeconds: number | null;
  readonly grantedAtMs: number;
  readonly endsAtMs: number | null;
}

export interface LoginFilter {
  readonly instances: readonly string[] | null;
  readonly pools: readonly string[] | null;
  readonly user: string | null;
}

/**
 * Lists logins that are in, ordered by instance and ID.
 * @param after - the last entry of the page before.
 * @returns the entries, and the instant of the fold they are of.
 */
export async function listLogins(
  sql: Sql,
  shard: number,
  filter: LoginFilter,
  after: { readonly instance: string; readonly id: string } | null,
  limit: number,
): Promise<{ readonly asOfMs: number; readonly version: number; readonly logins: ListedLogin[] }> {
  return inTransaction(sql, 'isolation level repeatable read read only', async (tx) => {
    const [fold] = await tx<{ version: number; asOfMs: number }[]>`
      select version, (extract(epoch from folded_at) * 1000)::float8 as "asOfMs" from folds
      where shard = ${shard}`;
    const logins = await tx<ListedLogin[]>`
      select instance, id, pool, user_id as "userId", kind, phase, process_id as "processId",
        lease_seconds as "leaseSeconds", (extract(epoch from granted_at) * 1000)::float8 as "grantedAtMs",
        (extract(epoch from ends_at) * 1000)::float8 as "endsAtMs"
      from logins
      where shard = ${shard} and released_at is null
        ${filter.instances ? tx`and instance = any (${filter.instances as string[]}::text[])` : tx``}
        ${filter.pools ? tx`and pool = any (${filter.pools as string[]}::text[])` : tx``}
        ${filter.user === null ? tx`` : tx`and user_id = ${filter.user}`}
        ${after ? tx`and (instance, id) > (${after.instance}, ${after.id}::uuid)` : tx``}
      order by instance, id
      limit ${limit}`;
    return { asOfMs: fold!.asOfMs, version: fold!.version, logins: [...logins] };
  });
}
