#!/usr/bin/env node
/**
 * The entry: `lictor serve`, `lictor udp`, `lictor migrate`, `lictor key`.
 */

import { runKeyCommand } from './cli/key.ts';
import { processKeyIo } from './cli/keyio.ts';
import { runMigrate } from './cli/migrate.ts';
import { runServe } from './cli/serve.ts';
import { runUdp } from './cli/udp.ts';

const HELP = `lictor - a licence server

  lictor serve      run the server (settings come from the environment: docs/configuration.md)
  lictor udp        run the sidecar for instances that speak UDP (docs/udp-protocol.md)
  lictor migrate    bring the database up to this version's schema, and end
  lictor key …      make signing keys; sign, inspect and verify key files
  lictor help       show this

Examples:
  lictor serve
  DATABASE_URL=postgres://lictor@db/lictor REDIS_URL=redis://cache lictor serve
  lictor key inspect iris.key
`;

async function main([command, ...args]: string[]): Promise<number> {
  switch (command) {
    case 'serve':
      return runServe();
    case 'udp':
      return runUdp(args);
    case 'migrate':
      return runMigrate();
    case 'key':
      return runKeyCommand(args, processKeyIo());
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(HELP);
      return 0;
    default:
      process.stderr.write(
        `${command === undefined ? 'A command is needed.' : `"${command}" is not a command.`}\n\n${HELP}`,
      );
      return 2;
  }
}

// Whoever reads only the first lines of an answer, as `head` does, has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
