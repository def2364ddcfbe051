/** What people get wrong at a terminal: each mistake is told with what to do, and none ends in a stack. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { processWorld } from '../../src/cli/process.ts';
import type { Connection } from '../../src/cli/profile.ts';
import { type ListeningApp, runIn, runProcess, startListening } from './world.ts';

let app: ListeningApp;

beforeAll(async () => {
  app = await startListening({ evaluation: true });
  await app.register('hospital');
});

afterAll(() => app?.close());

describe('a mistake', () => {
  test.each([
    ['instances show ""', '<instance>'],
    ['instances register ""', '<name>'],
    ['usage users --instance ""', '--instance'],
    ['license LUConsumed --instance ""', '--instance'],
    ['logins logout a ""', '<login>'],
    ['tokens create ci --role viewer --key ""', '--key'],
    ['keys inspect ""', '<file>'],
  ])('an empty word, as of a variable that is not set: %s', async (args, name) => {
    const { exit, stdout, stderr } = await app.lictor(args);
    expect([exit, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(new RegExp(`: ${name} is empty\\.\nHint: Give it a value`));
  });

  test('what another program is given may be empty', async () => {
    const args = ['login', '--instance', 'hospital', '--run', 'test', '-z', ''];
    expect(await runIn(args, { env: app.as('administrator') })).toMatchObject({ exit: 0, stderr: '' });
    expect(await app.lictor('license ConnectionCount "" --instance hospital')).toMatchObject({
      stderr: expect.not.stringContaining('is empty'),
    });
  });

  test('a token file without a token is told without its content', async () => {
    const file = await app.file('no-token', 'what is this? secret');
    const { exit, stderr } = await runProcess(['keys', 'list', '--token-file', file], {
      LICTOR_URL: app.url,
    });
    expect(exit).toBe(2);
    expect(stderr).toMatch(
      /^lictor keys list: The token file \S+ cannot be used: it holds no token\.[^\n]*\n$/,
    );
    expect(stderr).not.toContain('secret');
  });

  test.each([
    'keys remove nosuch',
    'instances deregister nosuch',
    'servers remove NOSUCH',
    'applications remove Nosuch --instance hospital',
  ])('what is not there is not told to be removed: %s', async (args) => {
    const { exit, stdout, stderr } = await app.lictor(`${args} --yes`);
    expect([exit, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/no ?such/i);
  });

  test('a directory in place of a file is named', async () => {
    const { exit, stderr } = await app.lictor(`keys inspect ${app.folder}`);
    expect([exit, stderr]).toEqual([
      2,
      `lictor keys inspect: ${app.folder} cannot be used: it is a directory.\n`,
    ]);
  });

  test('what the server finds malformed leads to the help, and says what is meant', async () => {
    const { exit, stderr } = await app.lictor('explain xx');
    expect(exit).toBe(2);
    expect(stderr).toContain('0:18446:3');
    expect(stderr).toContain('\nHint: lictor explain --help shows how it is used.\n');
    expect((await app.lictor('instances show "a b"')).stderr).toContain('letters, digits, dot');
  });

  test.each(['serve', 'migrate'])(
    '%s: who asks for help, or misspells an option, runs nothing',
    async (name) => {
      // Without arguments it would end with what is wrong with this.
      const env = { LICTOR_MISSPELT: 'x' };
      const help = await runProcess([name, '--help'], env);
      expect(help).toMatchObject({ exit: 0, stderr: '' });
      expect(help.stdout).toContain(`lictor ${name} `);
      expect(await runProcess(['help', name], env)).toEqual(help);
      const { exit, stdout, stderr } = await runProcess([name, '--prot', '80'], env);
      expect([exit, stdout]).toEqual([2, '']);
      expect(stderr).toBe(`"--prot 80" is not understood.\n\n${help.stdout}`);
      expect((await runProcess([name], env)).stderr).toContain('LICTOR_MISSPELT');
    },
  );

  test('a query that there is not', async () => {
    expect(await app.lictor('usage query Foo')).toEqual({
      exit: 1,
      stdout: '',
      stderr: 'lictor usage query: There is no query "Foo".\nHint: "lictor usage queries" lists them.\n',
    });
  });

  test('an address with a path', async () => {
    const { exit, stderr } = await app.lictor(`usage counts --url ${app.url}/v1`, {
      env: { LICTOR_TOKEN: app.tokens.viewer },
    });
    expect(exit).toBe(1);
    expect(stderr).toContain('without a path');
  });

  test('each reason why nobody answers is told once, and reading leaves nothing in doubt', async () => {
    const { exit, stderr } = await app.lictor('usage counts --url http://nosuch.invalid');
    expect(exit).toBe(69);
    expect(stderr.match(/nosuch\.invalid/g)).toHaveLength(1);
    expect(stderr).not.toContain('look first');
  });

  test('"version" is the option', async () => {
    expect(await app.lictor('version')).toEqual(await app.lictor('--version'));
  });
});

test('a firewall that swallows the connection keeps nobody waiting beyond --timeout', async () => {
  // The queue of what waits to be accepted is full, so that whoever else comes gets no answer at all.
  const script = `
import socket, sys
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen(0)
waiting = []
for _ in range(4):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(server.getsockname())
    waiting.append(client)
print(server.getsockname()[1], flush=True)
sys.stdin.read()
`;
  const swallower = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = await once(swallower.stdout, 'data');
  const begin = performance.now();
  const { exit } = await runProcess(['usage', 'counts', '--timeout', '1'], {
    LICTOR_URL: `http://127.0.0.1:${String(port).trim()}`,
    LICTOR_TOKEN: 'lictor_x',
  });
  swallower.stdin.end();
  expect(exit).toBe(69);
  expect(performance.now() - begin).toBeLessThan(20_000);
}, 30_000);

describe('Ctrl-C while a unit is given back', () => {
  /** Runs a command that ends by itself, with so many signals just before its unit is given back. */
  async function interrupted(signals: number) {
    let hear: (name: NodeJS.Signals) => void = () => {};
    return app.lictor('login --instance hospital --user late --lease 30 --run true', {
      parts: {
        onSignal(_names, listener) {
          hear = listener;
          return () => {};
        },
        async connect(connection: Connection) {
          const client = await processWorld().connect(connection);
          const remove: typeof client.logins.remove = (...args) => {
            for (let count = 0; count < signals; count += 1) hear('SIGINT');
            return client.logins.remove(...args);
          };
          return { ...client, close: () => client.close(), logins: { ...client.logins, remove } };
        },
      },
    });
  }
  const held = async () => {
    const { items } = JSON.parse((await app.lictor('usage users --json')).stdout);
    return items.length;
  };

  test('once: it may be what ended the command, and the unit is back', async () => {
    expect(await interrupted(1)).toEqual({ exit: 0, stdout: '', stderr: '' });
    expect(await held()).toBe(0);
  });

  test('twice: nobody waits any longer, and it is said when the unit comes back', async () => {
    const { stderr } = await interrupted(2);
    expect(stderr).toBe(
      'lictor login: The unit could not be given back: it was interrupted. It comes back by itself within 35 s.\n',
    );
    await app.lictor('instances release hospital --reason test --yes');
  });
});

test('the journal says whose login was refused, and why one was forced out', async () => {
  const stuck = await app.login('hospital', 'u1');
  for (let user = 2; user <= 8; user += 1) await app.login('hospital', `u${user}`);
  await app.lictor('logins login --instance hospital --user zed');
  const list = await app.lictor('journal list --type refused --limit 1');
  expect(list.stdout.split('\n')[1]).toMatch(/ refused +hospital +zed +evaluation +units-exhausted, 8 of 8/);
  const { decision } = JSON.parse((await app.lictor('journal list --type refused --limit 1 --json')).stdout)
    .items[0];
  const explained = await app.lictor(`explain ${decision}`);
  expect(explained.stdout).toMatch(/Refused: +"zed" on hospital, by .*, login [0-9a-f-]{36}\n/);
  expect(explained.stdout).not.toContain('{');
  await app.lictor(`logins release --instance hospital --login ${stuck} --reason stuck --yes`);
  expect((await app.lictor('journal list --type released --limit 1')).stdout).toContain('forced ("stuck")');
});
