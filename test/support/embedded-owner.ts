/**
 * A Lictor process reduced to its database: starts the embedded Postgres on the folder it is given, says so in
 * one line of JSON, and lives until it is killed or told to stop with SIGTERM.
 */
import { startEmbeddedPostgres } from '../../src/storage/embedded.ts';

const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent };

try {
  const server = await startEmbeddedPostgres({ directory: process.argv[2]!, logger });
  process.once('SIGTERM', () => {
    void server.stop().then(() => process.exit(0));
  });
  process.stdout.write(`${JSON.stringify({ url: server.url, pid: server.pid })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: (error as Error).message })}\n`);
  process.exitCode = 1;
}
