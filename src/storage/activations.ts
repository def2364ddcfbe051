/**
 * The history of activated keys in Postgres. It is written by the append of the row that says it; here it is read.
 */

import type { Sql } from 'postgres';
import type { Activation } from '../domain/keys/activation.ts';

/** Where a page goes on: after the activation of that instant with this ID. */
export interface ActivationPosition {
  readonly atMs: number;
  readonly id: string;
}

/**
 * Lists the activations of an instance, the latest first.
 * @param after - the last one of the page before; null begins at the latest.
 */
export async function listActivations(
  sql: Sql,
  shard: number,
  instance: string,
  after: ActivationPosition | null,
  limit: number,
): Promise<Activation[]> {
  const rows = await sql<{ record: Activation }[]>`
    select record from key_activations
    where shard = ${shard} and instance = ${instance}
      ${after === null ? sql`` : sql`and (activated_at, id) < (to_timestamp(${after.atMs}::float8 / 1000), ${after.id})`}
    order by activated_at desc, id desc
    limit ${limit}`;
  return rows.map(({ record }) => record);
}
