/** What is made once before all tests: a Postgres server, unless one is named, and the migrated template. */
import { randomBytes } from 'node:crypto';
import { startOwnPostgres } from './postgres.ts';

export default async function setup(): Promise<void> {
  // A name of its own lets two runs share one server.
  process.env.LICTOR_TEST_RUN = randomBytes(4).toString('hex');
  if (!process.env.LICTOR_TEST_DATABASE_URL) {
    const server = await startOwnPostgres({ shared_buffers: '128MB' });
    process.env.LICTOR_TEST_DATABASE_URL = server.url;
    globalThis.lictorTestServer = server;
  }
  const { createTemplate } = await import('./database.ts');
  await createTemplate();
}

declare global {
  /** The server that this run started; the teardown runs in the same process. */
  var lictorTestServer: import('./postgres.ts').OwnPostgres | undefined;
}
