/** `lictor migrate`: brings the database up to this version's schema, for installations that do it apart. */

import pino from 'pino';
import { ConfigError, readConfig } from '../config.ts';
import { connectDatabase } from '../storage/database.ts';
import { migrate } from '../storage/migrations.ts';

/** @returns the exit code: 0 done, 1 failed, 2 not configured. */
export async function runMigrate(): Promise<number> {
  try {
    const config = readConfig();
    if (config.databaseUrl === null) {
      process.stderr.write('Set DATABASE_URL; the embedded database is migrated when the server starts.\n');
      return 2;
    }
    const logger = pino({ level: config.logLevel });
    const sql = connectDatabase({
      url: config.databaseUrl,
      connectionsMax: 2,
      logger,
      applicationName: 'lictor migrate',
    });
    try {
      const applied = await migrate(sql, { logger });
      process.stdout.write(
        applied.length === 0 ? 'The schema is up to date.\n' : `Applied ${applied.length} migrations.\n`,
      );
    } finally {
      await sql.end({ timeout: 2 });
    }
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
}
