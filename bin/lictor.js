#!/usr/bin/env node
/**
 * What is installed as `lictor`: the same as src/cli.ts, but plain JavaScript, so that what was compiled of the
 * TypeScript is taken from the cache and the compiler is not loaded; and so that a Node.js that is too old can say so.
 */

import * as platform from 'node:module';
import { userInfo } from 'node:os';
import path from 'node:path';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`lictor needs Node.js 22.18 or newer; this one is ${process.versions.node}.\n`);
  process.exit(1);
}
try {
  // In the user's own directory: what lies in a shared one could have been put there by somebody else.
  platform.enableCompileCache(path.join(userInfo().homedir, '.cache', 'lictor', 'compiled'));
} catch {
  // A user whom the system has no entry of, as in some containers, only waits a little longer.
}
await import('../src/cli.ts');
