/**
 * Which command is which module. Nothing is loaded before its command is called for, so that asking a server does
 * not load one. A command file exports `register(program, world)`.
 */

import type { Command } from 'commander';
import { withoutArguments } from './argumentless.ts';
import type { World } from './world.ts';

/** What a command file exports. */
export interface CommandModule {
  register(program: Command, world: World): void;
}

/** A command, as `lictor help` lists it. */
export interface RegisteredCommand {
  readonly name: string;
  readonly words: string;
  readonly group: 'Look' | 'Change' | 'Use' | 'Run' | 'Set up';
  /** Loads a command that commander reads the options of. */
  readonly load?: () => Promise<CommandModule>;
  /** Or runs one that reads its options itself. */
  readonly run?: (args: string[]) => Promise<number>;
  /** What can stand behind the latter, for completion. */
  readonly expects?: readonly string[];
}

/** The commands, in the order of the help. */
export const COMMANDS: readonly RegisteredCommand[] = [
  {
    name: 'status',
    words: 'whether the server is well, and which licence server is active',
    group: 'Look',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'top',
    words: 'what is in use, live',
    group: 'Look',
    load: () => import('./commands/top.ts'),
  },
  {
    name: 'usage',
    words: 'what is in use, by key, instance and user',
    group: 'Look',
    load: () => import('./commands/usage.ts'),
  },
  {
    name: 'explain',
    words: 'why somebody was let in or refused, or would be',
    group: 'Look',
    load: () => import('./commands/explain.ts'),
  },
  {
    name: 'journal',
    words: 'everything that was decided and changed; "journal follow" as it happens',
    group: 'Look',
    load: () => import('./commands/journal.ts'),
  },
  {
    name: 'excesses',
    words: 'when combined use was over the limit, and how far it can come',
    group: 'Look',
    load: () => import('./commands/excesses.ts'),
  },
  {
    name: 'doctor',
    words: 'what is wrong with a deployment, and how to mend it',
    group: 'Look',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'license',
    words: 'the methods of %SYSTEM.License by their names: lictor license ShowSummary',
    group: 'Look',
    load: () => import('./commands/license.ts'),
  },
  {
    name: 'leases',
    words: 'what is leased to which instance',
    group: 'Look',
    load: () => import('./commands/leases.ts'),
  },
  {
    name: 'logins',
    words: 'who is in; log in and out, release',
    group: 'Use',
    load: () => import('./commands/logins.ts'),
  },
  {
    name: 'login',
    words: 'hold a licence while a command runs: lictor login --instance NAME --run CMD',
    group: 'Use',
    load: () => import('./commands/login.ts'),
  },
  {
    name: 'apply',
    words: 'make a server have what a file declares',
    group: 'Change',
    load: () => import('./commands/apply.ts'),
  },
  {
    name: 'keys',
    words: 'the installed keys: inspect, install, change, remove',
    group: 'Change',
    load: () => import('./commands/keys.ts'),
  },
  {
    name: 'instances',
    words: 'the registered instances: register, configure, deregister',
    group: 'Change',
    load: () => import('./commands/instances.ts'),
  },
  {
    name: 'applications',
    words: 'application licences: load, take, return, who holds them',
    group: 'Change',
    load: () => import('./commands/applications.ts'),
  },
  {
    name: 'tokens',
    words: 'access tokens: who may do what',
    group: 'Change',
    load: () => import('./commands/tokens.ts'),
  },
  {
    name: 'servers',
    words: 'the roster of licence servers',
    group: 'Change',
    load: () => import('./commands/servers.ts'),
  },
  {
    name: 'profile',
    words: 'where servers are and who asks them, kept in a file',
    group: 'Set up',
    load: () => import('./commands/profile.ts'),
  },
  {
    name: 'completion',
    words: 'make a shell complete commands, options and live names',
    group: 'Set up',
    load: () => import('./commands/completion.ts'),
  },
  {
    name: 'serve',
    words: 'run the server (settings come from the environment: docs/configuration.md)',
    group: 'Run',
    run: (args) => withoutArguments('serve', args, async () => (await import('./serve.ts')).runServe()),
    expects: ['--help'],
  },
  {
    name: 'udp',
    words: 'run the sidecar for instances that speak UDP (docs/udp-protocol.md)',
    group: 'Run',
    run: async (args) => (await import('./udp.ts')).runUdp(args),
    expects: ['--server', '--help'],
  },
  {
    name: 'migrate',
    words: "bring the database up to this version's schema, and end",
    group: 'Run',
    run: (args) => withoutArguments('migrate', args, async () => (await import('./migrate.ts')).runMigrate()),
    expects: ['--help'],
  },
  {
    name: 'key',
    words: 'make signing keys; sign, inspect and verify key files, without a server',
    group: 'Set up',
    run: async (args) => {
      const [{ runKeyCommand }, { processKeyIo }] = await Promise.all([
        import('./key/key.ts'),
        import('./key/keyio.ts'),
      ]);
      return runKeyCommand(args, processKeyIo());
    },
    expects: ['generate', 'sign', 'inspect', 'verify', '--help'],
  },
];

/** The command of a name; undefined when there is none. */
export function findCommand(name: string): RegisteredCommand | undefined {
  return COMMANDS.find((command) => command.name === name);
}
