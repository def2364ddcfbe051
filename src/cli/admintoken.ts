/**
 * The first administrator's token: the one that is configured, or with the embedded database one that is made
 * at the first start and kept in a file that only its owner can read.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config.ts';

const TOKEN_BYTES = 32;

export interface AdminToken {
  /** Null when none is configured and the database is not embedded. */
  readonly token: string | null;
  /** Where it is kept; null when it is configured. */
  readonly file: string | null;
  /** Whether it was made just now. */
  readonly isNew: boolean;
}

/** Reads the administrator's token, or makes it. */
export async function openAdminToken(config: Config): Promise<AdminToken> {
  if (config.adminToken !== null || config.databaseUrl !== null) {
    return { token: config.adminToken, file: null, isNew: false };
  }
  const file = path.join(config.dataDirectory, 'admin-token');
  try {
    const token = (await readFile(file, 'utf8')).trim();
    if (token !== '') return { token, file, isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const token = `lictor_admin_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  await mkdir(config.dataDirectory, { recursive: true });
  // Whole or not at all: a token that is cut short would be no token at every later start.
  await writeFile(`${file}.new`, `${token}\n`, { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
  return { token, file, isNew: true };
}
