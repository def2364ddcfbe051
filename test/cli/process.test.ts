import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { problem, startServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { openTerminal } from './terminal.ts';
import { CLI, type ListeningApp, runProcess, startListening, startProcess } from './world.ts';

let app: ListeningApp;

beforeAll(async () => {
  app = await startListening({ evaluation: true });
  await app.register('hospital');
});

afterAll(() => app?.close());

describe('the real process', () => {
  test('asks the server that the environment names', async () => {
    const { exit, stdout, stderr } = await runProcess(['keys', 'list'], app.as('viewer'));
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toContain('evaluation');
  });

  test('does not load the server to ask one', async () => {
    const loaded = await modulesOf(['keys', 'list'], app.as('viewer'));
    const rooms = new Set(
      loaded
        .filter((name) => name.includes('/src/'))
        .map((name) => name.replace(/^.*\/src\/([\w-]+).*$/, '$1')),
    );
    expect([...rooms].sort()).toEqual(['cli', 'client', 'config-environment', 'domain']);
    expect(
      loaded.filter((name) => /node_modules\/(fastify|postgres|ioredis|pino|typebox)\//.test(name)),
    ).toEqual([]);
    // Those of the domain are the words for problems, not the rules.
    expect(loaded.filter((name) => /\/src\/domain\/(decide|apply|table)\.ts/.test(name))).toEqual([]);
  });

  test('69 when nobody is there, and at once', async () => {
    const env = { LICTOR_URL: 'http://127.0.0.1:9', LICTOR_TOKEN: 'lictor_x' };
    const { exit, stderr } = await runProcess(['keys', 'list', '--timeout', '1'], env);
    expect(exit).toBe(69);
    expect(stderr).toMatch(
      /^lictor keys list: Lictor could not be reached[^\n]*\nHint: Check the address[^\n]*\n$/,
    );
  });

  test('an address at which nobody listens is told at once, and waited for only if that is wanted', async () => {
    const gone = await startServer(problem(503, 'not-ready'));
    await gone.close();
    const env = { LICTOR_URL: gone.url, LICTOR_TOKEN: 'lictor_x' };
    const begin = performance.now();
    expect(await runProcess(['keys', 'list'], env)).toMatchObject({ exit: 69 });
    expect(performance.now() - begin).toBeLessThan(15_000);
    const later = performance.now();
    expect(await runProcess(['keys', 'list', '--timeout', '6'], env)).toMatchObject({ exit: 69 });
    // The last pause would not end within the time, so it ends before.
    expect(performance.now() - later).toBeGreaterThan(2_000);
  });

  test('69 when the server cannot serve now', async () => {
    const server = await startServer(problem(503, 'not-ready'));
    const { exit } = await runProcess(['keys', 'list', '--timeout', '1'], {
      LICTOR_URL: server.url,
      LICTOR_TOKEN: 'lictor_x',
    });
    await server.close();
    expect(exit).toBe(69);
  });

  test('2 for wrong use, with what was probably meant', async () => {
    const unknown = await runProcess(['kyes'], {});
    expect(unknown).toMatchObject({
      exit: 2,
      stdout: '',
      stderr:
        "lictor: Unknown command 'kyes'. Did you mean keys?\nHint: lictor --help shows how it is used.\n",
    });
    const option = await runProcess(['keys', 'list', '--limt', '3'], {});
    expect(option).toMatchObject({ exit: 2, stderr: expect.stringContaining('Did you mean --limit?') });
    const forPrograms = await runProcess(['keys', 'list', '--limt', '3', '--json'], {});
    expect(JSON.parse(forPrograms.stderr)).toMatchObject({ exit: 2, command: 'lictor keys list' });
    expect(await runProcess(['keys', 'list', '--limit', 'x'], {})).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('whole number'),
    });
    expect(await runProcess(['keys'], {})).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringMatching(/^A command is needed\.\n\nUsage: lictor keys/),
    });
    expect(await runProcess(['keys', 'list'], {})).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('No server is named.'),
    });
  });

  test('common options may stand before the command and behind it', async () => {
    const { LICTOR_URL: url = '', LICTOR_TOKEN: token = '' } = app.as('viewer');
    const file = await app.file('token', `${token}\n`);
    const before = await runProcess(['--url', url, '--token-file', file, '--json', 'keys', 'list'], {});
    const behind = await runProcess(['keys', 'list', '--json', `--url=${url}`, '--token-file', file], {});
    expect(before.exit).toBe(0);
    expect(JSON.parse(before.stdout).items).toEqual(JSON.parse(behind.stdout).items);
  });

  test('there is no option for the token, and what was given as one is not told again', async () => {
    for (const args of [['--token', 'lictor_secret'], ['--token=lictor_secret']]) {
      const { exit, stdout, stderr } = await runProcess(['keys', 'list', ...args], app.as('viewer'));
      expect(exit).toBe(2);
      expect(stdout + stderr).not.toContain('lictor_secret');
      expect(stderr).toContain('command lines');
    }
  });

  test('a reader that has seen enough ends it quietly', async () => {
    const child = spawn('sh', ['-c', `"${process.execPath}" "${CLI}" journal list | head -n 1`], {
      env: { ...process.env, ...app.as('viewer') } as NodeJS.ProcessEnv,
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, stderr]).toEqual([0, '']);
  });
});

/** The files that a command loads, as the loader of the platform tells them. */
async function modulesOf(
  args: string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string[]> {
  const hook = await app.file(
    'loaded.mjs',
    `import { registerHooks } from 'node:module';
import { appendFileSync } from 'node:fs';
registerHooks({ load(url, context, next) { appendFileSync(process.env.LOADED, url + '\\n'); return next(url, context); } });
`,
  );
  const loaded = path.join(app.folder, 'loaded');
  const { exit } = await runProcess(args, { ...env, LOADED: loaded, NODE_OPTIONS: `--import ${hook}` });
  expect(exit).toBe(0);
  return (await readFile(loaded, 'utf8')).trim().split('\n');
}

describe('the profile file', () => {
  test('is made for its owner alone, keeps a token, and is used', async () => {
    const home = path.join(app.folder, 'config');
    const env = { XDG_CONFIG_HOME: home };
    const token = app.tokens.viewer;
    const set = await runProcess(
      ['profile', 'set', 'here', '--url', app.url, '--token-stdin'],
      env,
      `${token}\n`,
    );
    expect(set).toMatchObject({ exit: 0, stdout: 'Wrote the profile here, the current one.\n' });
    const file = path.join(home, 'lictor', 'profile.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
    expect(await runProcess(['keys', 'list'], env)).toMatchObject({ exit: 0 });
    for (const args of [['show'], ['list'], ['show', '--json'], ['list', '--json']]) {
      const shown = await runProcess(['profile', ...args], env);
      expect(shown.exit).toBe(0);
      expect(shown.stdout).toContain('here');
      expect(shown.stdout).not.toContain(token);
    }
  });

  test('a token that is typed is not shown', async () => {
    const file = path.join(app.folder, 'typed', 'profile.json');
    const token = app.tokens.viewer;
    const command = [process.execPath, CLI, 'profile', 'set', 'a', '--url', app.url, '--token-stdin'];
    const terminal = openTerminal(command, { LICTOR_PROFILE_FILE: file });
    try {
      await terminal.sees('Token: ');
      terminal.type(`${token}\r`);
      await terminal.sees('Wrote the profile a');
      expect(await terminal.ended).toBe(0);
      expect(terminal.shown).not.toContain(token);
    } finally {
      await terminal.close();
    }
    expect(await runProcess(['keys', 'list'], { LICTOR_PROFILE_FILE: file })).toMatchObject({ exit: 0 });
  });

  test('is refused when others can read it, with what to do', async () => {
    const content = JSON.stringify({
      current: 'a',
      profiles: { a: { url: app.url, token: app.tokens.viewer } },
    });
    const file = await app.file('open.json', content, 0o644);
    const refused = await runProcess(['keys', 'list'], { LICTOR_PROFILE_FILE: file });
    expect(refused.exit).toBe(2);
    expect(refused.stderr).toContain('has mode 0644, so others can read or change it');
    expect(refused.stderr).toContain(`Hint: chmod 600 ${file}`);
    expect(refused.stderr).not.toContain(app.tokens.viewer);
    const alone = await app.file('alone.json', content, 0o600);
    expect(await runProcess(['keys', 'list'], { LICTOR_PROFILE_FILE: alone })).toMatchObject({ exit: 0 });
  });

  test('a token file that everybody can read is refused as well', async () => {
    const file = await app.file('open-token', app.tokens.viewer, 0o644);
    const refused = await runProcess(['keys', 'list', '--token-file', file], { LICTOR_URL: app.url });
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('Everybody on this machine') });
  });

  test('its token goes to its own address only', async () => {
    const other = await startServer((response) => response.writeHead(200).end());
    const content = JSON.stringify({ current: 'a', profiles: { a: { url: app.url, token: 'lictor_of-a' } } });
    const file = await app.file('own.json', content);
    const args = ['keys', 'list', '--url', other.url, '--profile', 'a', '--timeout', '1'];
    await runProcess(args, { LICTOR_PROFILE_FILE: file });
    const sent = other.requests.map(({ headers }) => headers.authorization);
    await other.close();
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.filter((header) => header !== undefined)).toEqual([]);
  });

  test('a named profile goes before the environment, and the current one after it', async () => {
    const content = JSON.stringify({
      current: 'wrong',
      profiles: {
        wrong: { url: 'http://127.0.0.1:9', token: 'lictor_wrong' },
        right: { url: app.url, token: app.tokens.viewer },
      },
    });
    const file = await app.file('two.json', content);
    const env = { LICTOR_PROFILE_FILE: file };
    const away = { LICTOR_URL: 'http://127.0.0.1:9', LICTOR_TOKEN: 'lictor_other' };
    expect(await runProcess(['keys', 'list'], { ...env, ...app.as('viewer') })).toMatchObject({ exit: 0 });
    const named = await runProcess(['keys', 'list', '--profile', 'right'], { ...env, ...away });
    expect(named).toMatchObject({ exit: 0 });
    expect(await runProcess(['keys', 'list'], { ...env, LICTOR_PROFILE: 'right' })).toMatchObject({
      exit: 0,
    });
    expect(await runProcess(['profile', 'use', 'right'], env)).toMatchObject({ exit: 0 });
    expect(await runProcess(['keys', 'list'], env)).toMatchObject({ exit: 0 });
    expect(await runProcess(['keys', 'list', '--profile', 'none'], env)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('There is wrong, right.'),
    });
  });

  test('what is not in order is told without its content', async () => {
    const file = await app.file('broken.json', '{"profiles": lictor_secret');
    const { exit, stderr } = await runProcess(['keys', 'list'], { LICTOR_PROFILE_FILE: file });
    expect(exit).toBe(2);
    expect(stderr).toContain('is not JSON');
    expect(stderr).not.toContain('lictor_secret');
  });
});

describe('journal follow', () => {
  test('shows what happens as it happens, and ends by Ctrl-C with what it has', async () => {
    const following = startProcess(['journal', 'follow', '--json', '--type', 'granted'], app.as('viewer'));
    // The command has begun when it can be seen to have looked at the journal; what comes then is new to it.
    const first = await app.login('hospital', 'early');
    await until(() => following.stdout.includes(first), 15_000, 'the first login is shown');
    const second = await app.login('hospital', 'late');
    await until(() => following.stdout.includes(second), 15_000, 'the second login is shown');
    following.signal('SIGINT');
    const { exit, stdout, stderr } = await following.ended;
    expect([exit, stderr]).toEqual([0, '']);
    const shown = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(new Set(shown.map(({ type }) => type))).toEqual(new Set(['granted']));
    expect(shown.filter(({ login }) => login === first)).toHaveLength(1);
  });
});

test('the version is that of the package', async () => {
  const file = fileURLToPath(new URL('../../package.json', import.meta.url));
  const { version } = JSON.parse(await readFile(file, 'utf8'));
  expect(await runProcess(['--version'], {})).toMatchObject({ exit: 0, stdout: `${version}\n` });
});
