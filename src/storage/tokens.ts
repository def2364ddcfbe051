/**
 * Access tokens at rest: a hash of the secret, the role, the restriction and the dates. The secret itself is
 * shown once when a token is made and is nowhere afterwards.
 */

import type postgres from 'postgres';
import { ROLES, type Role } from '../domain/access.ts';

/** A token as the database knows it. */
export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the secret. */
  readonly secretHash: Buffer;
  readonly keys: readonly string[] | null;
  readonly instance: string | null;
  readonly createdAt: Date;
  /** The ID of the token that made this one. */
  readonly createdBy: string;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** What is stored of a new token. */
export type NewTokenRow = Omit<TokenRow, 'createdAt' | 'revokedAt' | 'lastUsedAt'>;

function columns(sql: postgres.Sql) {
  return sql`
    id, name, role, secret_hash as "secretHash", keys, instance, created_at as "createdAt",
    created_by as "createdBy", expires_at as "expiresAt", revoked_at as "revokedAt", last_used_at as "lastUsedAt"`;
}

/** A role that this version does not know permits nothing, so tokens with one are treated as absent. */
const KNOWN_ROLES: string[] = [...ROLES];

/**
 * Stores a new token.
 * @param sql - the handle.
 * @param row - the token; its ID must be new.
 * @returns the token as stored.
 */
export async function insertToken(sql: postgres.Sql, row: NewTokenRow): Promise<TokenRow> {
  const [inserted] = await sql<TokenRow[]>`
    insert into access_tokens (id, name, role, secret_hash, keys, instance, created_by, expires_at)
    values (${row.id}, ${row.name}, ${row.role}, ${row.secretHash}, ${row.keys as string[] | null}, ${row.instance},
      ${row.createdBy}, ${row.expiresAt})
    returning ${columns(sql)}`;
  return inserted!;
}

/**
 * Finds a token by its ID, also one that is revoked or has expired.
 * @param sql - the handle.
 * @param id - the ID within the token.
 * @returns null when there is none.
 */
export async function findToken(sql: postgres.Sql, id: string): Promise<TokenRow | null> {
  const [found] = await sql<TokenRow[]>`
    select ${columns(sql)} from access_tokens where id = ${id} and role = any(${KNOWN_ROLES})`;
  return found ?? null;
}

/**
 * Lists tokens in the order they were made.
 * @param sql - the handle.
 * @param after - the ID of the last token of the page before; null begins at the start.
 * @param limit - how many at most.
 * @returns the tokens, also revoked and expired ones.
 */
export async function listTokens(
  sql: postgres.Sql,
  after: string | null,
  limit: number,
): Promise<TokenRow[]> {
  return await sql<TokenRow[]>`
    select ${columns(sql)} from access_tokens
    where role = any(${KNOWN_ROLES}) and (${after}::text is null
      or (created_at, id) > (select created_at, id from access_tokens where id = ${after}))
    order by created_at, id
    limit ${limit}`;
}

/**
 * Revokes a token. Repeating it leaves the first revocation's date.
 * @param sql - the handle.
 * @param id - the token's ID.
 * @returns whether there is such a token.
 */
export async function revokeToken(sql: postgres.Sql, id: string): Promise<boolean> {
  const rows = await sql`
    update access_tokens set revoked_at = coalesce(revoked_at, now()) where id = ${id} returning id`;
  return rows.length > 0;
}

/**
 * Notes when tokens were last used, all in one statement. A date never moves backwards.
 * @param sql - the handle.
 * @param uses - token IDs with the instant of their last use.
 */
export async function touchTokens(
  sql: postgres.Sql,
  uses: readonly (readonly [id: string, at: Date])[],
): Promise<void> {
  if (uses.length === 0) return;
  await sql`
    update access_tokens set last_used_at = greatest(last_used_at, used.at)
    from unnest(${uses.map(([id]) => id)}::text[], ${uses.map(([, at]) => at.toISOString())}::timestamptz[]) as used (id, at)
    where access_tokens.id = used.id`;
}
