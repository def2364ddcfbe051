/**
 * The first administrator's token: the one that is configured, or with the embedded database one that is made
 * at the first start and kept in a file that only its owner can read.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
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
    return { token: (await readFile(file, 'utf8')).trim(), file, isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const token = `lictor_admin_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  await mkdir(config.dataDirectory, { recursive: true });
  await writeFile(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
  return { token, file, isNew: true };
}
