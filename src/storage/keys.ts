/**
 * Key files at rest. Everything else of a key is in the table in memory; the file is kept for those who want it
 * back as it came.
 */

import type postgres from 'postgres';

/**
 * Reads the file of a key.
 *
 * @param sql - the handle.
 * @param id - the key's ID.
 * @returns the bytes as they came; null when the key has none or is not installed.
 */
export async function readKeyFile(sql: postgres.Sql, id: string): Promise<Uint8Array | null> {
  const [row] = await sql<{ file: Uint8Array | null }[]>`select file from license_keys where id = ${id}`;
  return row?.file ?? null;
}
