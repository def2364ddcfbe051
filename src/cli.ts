#!/usr/bin/env node
/**
 * The entry. It loads nothing before it is known what is asked for, and keeps what was compiled of it, so that a
 * command that asks a server starts quickly.
 */

import { enableCompileCache } from 'node:module';
import { userInfo } from 'node:os';
import path from 'node:path';

/** How long what is left over may take to end by itself, in milliseconds. */
const LINGER_MS = 200;

try {
  // In the user's own directory: what lies in a shared one could have been put there by somebody else.
  enableCompileCache(path.join(userInfo().homedir, '.cache', 'lictor', 'compiled'));
} catch {
  // A user whom the system has no entry of, as in some containers, only waits a little longer.
}

// Whoever reads only the first lines of an answer, as `head` does, has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
const [{ runCli }, { processWorld }] = await Promise.all([
  import('./cli/run.ts'),
  import('./cli/process.ts'),
]);
process.exitCode = await runCli(process.argv.slice(2), processWorld());
// What has been said is said. A connection that a firewall swallows would keep the process for another ten seconds.
setTimeout(() => process.exit(), LINGER_MS).unref();
