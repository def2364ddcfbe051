import { spawnSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { candidates } from '../../src/cli/completion.ts';
import { hang, startServer } from '../support/servers.ts';
import { openTerminal } from './terminal.ts';
import { type ListeningApp, makeWorld, recordingSink, runIn, startListening } from './world.ts';

/** What is installed as `lictor`. */
const INSTALLED = fileURLToPath(new URL('../../bin/lictor.js', import.meta.url));

let app: ListeningApp;
let bin: string;

beforeAll(async () => {
  app = await startListening({ evaluation: true });
  await app.register('hospital');
  await app.register('laboratory');
  bin = path.join(app.folder, 'bin');
  await mkdir(bin);
  await symlink(INSTALLED, path.join(bin, 'lictor'));
  await symlink(process.execPath, path.join(bin, 'node'));
});

afterAll(() => app?.close());

/** The candidates behind `lictor`, the last word being the one at the cursor. */
async function complete(...words: string[]): Promise<string[]> {
  const sink = recordingSink();
  const found = await candidates(words, makeWorld(sink, sink, { env: app.as('viewer') }));
  return found.map(([value]) => value);
}

describe('what can stand at the cursor', () => {
  test('commands, their subcommands, and options that are not given yet', async () => {
    expect(await complete('')).toEqual(
      expect.arrayContaining(['keys', 'instances', 'top', 'serve', 'completion']),
    );
    expect(await complete('ke')).toEqual(['keys', 'key']);
    expect(await complete('keys', '')).toEqual(expect.arrayContaining(['list', 'show', 'install', 'change']));
    expect(await complete('keys', 'list', '--')).toEqual(
      expect.arrayContaining(['--limit', '--url', '--json']),
    );
    expect(await complete('keys', 'list', '--limit', '5', '--')).not.toContain('--limit');
    expect(await complete('--json', 'keys', 'li')).toEqual(['list']);
  });

  test('names that the server knows', async () => {
    expect(await complete('keys', 'show', '')).toEqual(['evaluation']);
    expect(await complete('instances', 'show', '')).toEqual(['hospital', 'laboratory']);
    expect(await complete('instances', 'show', 'l')).toEqual(['laboratory']);
    expect(await complete('logins', 'list', '--instance', 'h')).toEqual(['hospital']);
    expect(await complete('logins', 'list', '--instance=h')).toEqual(['--instance=hospital']);
    // Behind the last argument there is nothing more.
    expect(await complete('instances', 'show', 'hospital', '')).toEqual([]);
  });

  test('choices, and files where a file is meant', async () => {
    expect(await complete('keys', 'change', 'evaluation', '--enforcement', '')).toEqual([
      'central',
      'local',
      'leased',
    ]);
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await complete('keys', 'install', '')).toEqual([':files']);
    expect(await complete('keys', 'list', '--token-file', '')).toEqual([':files']);
    expect(await complete('key', '')).toEqual(['generate', 'sign', 'inspect', 'verify', '--help']);
  });

  test('nothing where the server says no, and soon nothing where it does not answer', async () => {
    const sink = recordingSink();
    const asNobody = makeWorld(sink, sink, {
      env: { LICTOR_URL: app.url, LICTOR_TOKEN: 'lictor_of-nobody' },
    });
    expect(await candidates(['instances', 'show', ''], asNobody)).toEqual([]);
    const silent = await startServer(hang);
    const begin = performance.now();
    const env = { LICTOR_URL: silent.url, LICTOR_TOKEN: 'lictor_x' };
    expect(await candidates(['instances', 'show', ''], makeWorld(sink, sink, { env }))).toEqual([]);
    expect(performance.now() - begin).toBeLessThan(4_000);
    await silent.close();
    expect(sink.text).toBe('');
  });
});

const SHELLS = ['bash', 'zsh', 'fish'] as const;
const isThere = (shell: string) => spawnSync(shell, ['-c', 'exit 0']).status === 0;

/** What each shell is told before the test types, and how it is started without what a user has set up. */
const STARTS: Readonly<Record<(typeof SHELLS)[number], { args: string[]; load: string }>> = {
  bash: {
    args: ['--norc', '--noprofile', '-i'],
    load: "bind 'set bell-style none'; source completion.bash\r",
  },
  zsh: { args: ['-f', '-i'], load: 'autoload -Uz compinit && compinit -D -u; source completion.zsh\r' },
  fish: { args: ['--no-config', '-i'], load: 'source completion.fish\r' },
};

describe.each(SHELLS)('%s', (shell) => {
  const inShell = isThere(shell) ? test : test.skip;

  inShell('takes the script without a fault', async () => {
    const { stdout } = await runIn(['completion', shell]);
    const file = path.join(app.folder, `completion.${shell}`);
    await writeFile(file, stdout);
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  inShell('completes commands, options and live names', async () => {
    const { args, load } = STARTS[shell];
    const home = path.join(app.folder, `home-${shell}`);
    await mkdir(home);
    const env = { ...app.as('viewer'), HOME: home, PATH: `${bin}:${process.env.PATH}`, PS1: '> ' };
    const terminal = openTerminal(['sh', '-c', `cd "${app.folder}" && exec ${shell} ${args.join(' ')}`], env);
    try {
      terminal.type(`${load}echo rea''dy\r`);
      await terminal.sees(/\bready\r?\n/);
      terminal.type('lictor instances sh\t');
      // Shells write what they add behind what was typed, with marks between.
      await terminal.sees(/sh[\s\S]{0,60}ow/);
      terminal.type('lab\t');
      await terminal.sees('oratory');
      terminal.type('--js\t\r');
      // The command that was completed runs: every part of it is right.
      await terminal.sees('"name": "laboratory"');
    } finally {
      await terminal.close();
    }
  });
});
