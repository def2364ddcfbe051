/**
 * `lictor login --run` with real processes: whatever becomes of the command or of what runs it, its unit is back,
 * asked of the server right after the end.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type CliProcess, runCli, startCli } from '../support/cliprocess.ts';
import { CLUSTER_TOKEN, leads, type Replica, startReplica } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { call, closeConnections } from '../support/load.ts';
import { Relay } from '../support/relay.ts';
import { until } from '../support/wait.ts';

const PATIENCE_MS = 20_000;
const UNITS = 2;
/** The shortest lease there is, in seconds. */
const LEASE = '5';

let database: TestDatabase;
let replica: Replica;
let directory: string;
let tokenFile: string;
let keys: Record<'central' | 'local' | 'leased', string>;
const running = new Set<CliProcess>();

beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(path.join(tmpdir(), 'lictor-run-'));
  tokenFile = path.join(directory, 'token');
  await writeFile(tokenFile, CLUSTER_TOKEN, { mode: 0o600 });
  replica = await startReplica({ databaseUrl: database.url });
  await until(() => leads(replica), PATIENCE_MS, 'the replica leads');
  const install = async (number: number, enforcement: string) => {
    const file = signedKeyFile({ OrderNumber: number, AuthorizedUnits: UNITS });
    await ask(201, 'POST', '/v1/keys', { file: file.text });
    if (enforcement !== 'central') {
      const path = `/v1/keys/${file.id}`;
      const headers = { authorization: `Bearer ${CLUSTER_TOKEN}`, 'content-type': 'application/json' };
      const changed = await fetch(replica.url + path, {
        method: 'PATCH',
        headers: { ...headers, 'if-match': '*' },
        body: JSON.stringify({ enforcement }),
      });
      expect(changed.status).toBe(200);
    }
    const settings = { graceSeconds: 0 };
    await ask(201, 'PUT', `/v1/instances/${enforcement}`, { key: file.id, settings });
    return file.id;
  };
  keys = {
    central: await install(8001, 'central'),
    local: await install(8002, 'local'),
    leased: await install(8003, 'leased'),
  };
}, 120_000);

afterEach(async () => {
  for (const each of running) each.signal('SIGKILL');
  running.clear();
  expect(await unitsInUse()).toBe(0);
});

afterAll(async () => {
  closeConnections();
  await replica?.stop();
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
}, 120_000);

/** Asks the replica, and expects a status. */
async function ask(status: number, method: string, path: string, body?: object) {
  const reply = await call(replica.url, method, path, body);
  expect([method, path, reply.status]).toEqual([method, path, status]);
  return reply;
}

/** The units of all keys that are in use now: asked once, not waited for. */
async function unitsInUse(): Promise<number> {
  const { body } = await ask(200, 'GET', '/v1/usage/counts');
  return (body.items as { unitsInUse: number }[]).reduce((sum, each) => sum + each.unitsInUse, 0);
}

interface Fields {
  readonly user?: string;
  readonly options?: readonly string[];
  readonly url?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly instance?: string;
}

function argsOf(command: readonly string[], fields: Fields): string[] {
  const { user = 'job-1', options = [], url = replica.url, instance = 'central' } = fields;
  const server = ['--url', url, '--token-file', tokenFile];
  return ['login', ...server, '--instance', instance, '--user', user, ...options, '--run', ...command];
}

/** Starts a command that holds a licence. */
function start(command: readonly string[], fields: Fields = {}): CliProcess {
  const started = startCli(argsOf(command, fields), fields.env === undefined ? {} : { env: fields.env });
  running.add(started);
  return started;
}

/** Runs a command that holds a licence to its end, and says how many units are in use right after it. */
async function run(command: readonly string[], fields: Fields = {}) {
  const ended = await runCli(argsOf(command, fields), fields.env === undefined ? {} : { env: fields.env });
  return { ...ended, unitsAfter: await unitsInUse() };
}

async function end(started: CliProcess) {
  const ended = await started.ended;
  running.delete(started);
  return { ...ended, unitsAfter: await unitsInUse() };
}

/** A command that says that it runs, and what it got, and ends with its input or a signal it was told to take. */
const PATIENT = `
  process.stdin.resume().on('end', () => process.exit(0));
  let count = 0;
  process.on('SIGINT', () => { count += 1; console.log('SIGINT ' + count); });
  console.log('runs as ' + process.pid + ' with ' + process.env.LICTOR_LOGIN);
`;
const patient = [process.execPath, '-e', PATIENT];

describe('the unit is back at once', () => {
  test('when the command succeeds; its output, its input and its environment are its own', async () => {
    const started = start(['sh', '-c', 'read line; echo "$line $LICTOR_INSTANCE $LICTOR_USER_ID"; env >&2']);
    await until(async () => (await unitsInUse()) === 1, PATIENCE_MS, 'the unit is taken');
    started.stdin.end('hello\n');
    const { code, stdout, stderr, unitsAfter } = await end(started);
    expect([code, stdout, unitsAfter]).toEqual([0, 'hello central job-1\n', 0]);
    expect(stderr).toMatch(/^LICTOR_LOGIN=[0-9a-f-]{36}$/m);
    // The token is in a file, and stays there.
    expect(stderr).not.toContain(CLUSTER_TOKEN);
  });

  test('when the command fails: its exit status is passed on', async () => {
    const { code, stderr, unitsAfter } = await run(['sh', '-c', 'echo no >&2; exit 7']);
    expect([code, stderr, unitsAfter]).toEqual([7, 'no\n', 0]);
  });

  test('when the command is killed: 128 and the number of the signal', async () => {
    const { code, unitsAfter } = await run(['sh', '-c', 'kill -9 $$']);
    expect([code, unitsAfter]).toEqual([137, 0]);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const)('when what runs it gets %s, which is passed on', async (name, status) => {
    const started = start(['sh', '-c', 'echo runs; exec sleep 600']);
    await started.says('runs');
    started.signal(name);
    const { code, unitsAfter } = await end(started);
    expect([code, unitsAfter]).toEqual([status, 0]);
  });

  test('when the command takes the signal and ends in its own time and its own way', async () => {
    const script = `process.on('SIGTERM', () => process.stdin.on('end', () => process.exit(3)).resume());
      console.log('runs'); setInterval(() => {}, 1e6);`;
    const started = start([process.execPath, '-e', script]);
    await started.says('runs');
    started.signal('SIGTERM');
    // As long as it runs it has its unit.
    expect(await unitsInUse()).toBe(1);
    started.stdin.end();
    const { code, unitsAfter } = await end(started);
    expect([code, unitsAfter]).toEqual([3, 0]);
  });

  test('when the command is not there, or is no program', async () => {
    const missing = await run(['no-such-command']);
    expect([missing.code, missing.unitsAfter]).toEqual([127, 0]);
    expect(missing.stderr).toContain('no-such-command was not found');
    const file = path.join(directory, 'data.txt');
    await writeFile(file, 'x');
    await chmod(file, 0o644);
    const unfit = await run([file]);
    expect([unfit.code, unfit.unitsAfter]).toEqual([126, 0]);
    expect(unfit.stderr).toContain('may not be run');
  });

  test('under every enforcement: the server decides on these logins', async () => {
    for (const instance of ['central', 'local', 'leased'] as const) {
      const started = start(['cat'], { instance });
      await until(async () => (await unitsInUse()) === 1, PATIENCE_MS, `${keys[instance]} has a unit in use`);
      started.stdin.end();
      expect(await end(started)).toMatchObject({ code: 0, unitsAfter: 0 });
    }
  });

  test('within the lease when what runs it is killed, and the command goes on by itself', async () => {
    const command = ['sh', '-c', 'echo runs as $$; exec sleep 600'];
    const started = start(command, { options: ['--lease', LEASE] });
    const [, pid] = /runs as (\d+)/.exec(await started.says(/runs as \d+/))!;
    started.signal('SIGKILL');
    try {
      await until(async () => (await unitsInUse()) === 0, PATIENCE_MS, 'the lease has ended');
      // Nothing but the lease knew of its end; the command is nobody's child now.
      expect(process.kill(Number(pid), 0)).toBe(true);
    } finally {
      process.kill(Number(pid), 'SIGKILL');
    }
    expect(await started.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
  }, 90_000);
});

describe('without a licence the command does not run', () => {
  test('75 when it is refused, with the reason and what to do', async () => {
    const holders = ['a', 'b'].map((user) => start(patient, { user }));
    for (const holder of holders) await holder.says('runs');
    const { code, stdout, stderr } = await run(['echo', 'ran'], { user: 'c' });
    expect([code, stdout]).toEqual([75, '']);
    expect(stderr).toMatch(/All units of the key are taken: 2 of 2.*\nHint: /);
    for (const holder of holders) {
      holder.stdin.end();
      expect((await holder.ended).code).toBe(0);
    }
  });

  test('with --wait it comes in when somebody goes, and a signal ends the waiting', async () => {
    const holders = ['a', 'b'].map((user) => start(patient, { user }));
    for (const holder of holders) await holder.says('runs');
    const [waiting, impatient] = ['c', 'd'].map((user) =>
      start(['echo', 'ran'], { user, options: ['--wait', '60'] }),
    );
    await Promise.all([waiting!.says('Waiting for at most 60 s'), impatient!.says('Waiting')]);
    impatient!.signal('SIGTERM');
    expect(await impatient!.ended).toMatchObject({ code: 143, stdout: '' });
    holders[0]!.stdin.end();
    expect(await waiting!.ended).toMatchObject({ code: 0, stdout: 'ran\n' });
    holders[1]!.stdin.end();
    expect(await end(holders[1]!)).toMatchObject({ code: 0, unitsAfter: 0 });
  }, 90_000);

  test('75 when the waiting was in vain', async () => {
    const holders = ['a', 'b'].map((user) => start(patient, { user }));
    for (const holder of holders) await holder.says('runs');
    const { code, stdout } = await run(['echo', 'ran'], { user: 'c', options: ['--wait', '1'] });
    expect([code, stdout]).toEqual([75, '']);
    for (const holder of holders) {
      holder.stdin.end();
      await holder.ended;
    }
  });

  test('69 when nobody can be reached, 77 when the token is none, 1 when there is no such instance', async () => {
    const nowhere = await run(['echo', 'ran'], { url: 'http://127.0.0.1:1', options: ['--timeout', '1'] });
    expect([nowhere.code, nowhere.stdout]).toEqual([69, '']);
    const stranger = path.join(directory, 'stranger');
    await writeFile(stranger, 'lictor_stranger', { mode: 0o600 });
    const refused = await runCli([
      ...[
        'login',
        '--url',
        replica.url,
        '--token-file',
        stranger,
        '--instance',
        'central',
        '--run',
        'echo',
        'ran',
      ],
    ]);
    expect([refused.code, refused.stdout]).toEqual([77, '']);
    expect(await run(['echo', 'ran'], { instance: 'nowhere' })).toMatchObject({ code: 1, stdout: '' });
  });

  test('2 when it is not said what is to be run; what follows the command is the command’s own', async () => {
    const nothing = await runCli(['login', '--url', replica.url, '--instance', 'central']);
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('what is to be run')]);
    const own = await run(['echo', '--wait', 'x', '--instance', '--help']);
    expect([own.code, own.stdout]).toEqual([0, '--wait x --instance --help\n']);
  });
});

describe('while the command runs', () => {
  test('a server that is away is warned of once, and the lease is renewed when it is back', async () => {
    const relay = await Relay.open(replica.url);
    const started = start(patient, { url: relay.url, options: ['--lease', LEASE] });
    await started.says('runs');
    relay.cut();
    await started.says('cannot be renewed now');
    relay.mend();
    await started.says('reached again, and the licence is still held');
    expect(await unitsInUse()).toBe(1);
    started.stdin.end();
    const { code, stderr, unitsAfter } = await end(started);
    expect([code, unitsAfter, stderr.match(/cannot be renewed/g)?.length]).toEqual([0, 0, 1]);
    await relay.close();
  }, 90_000);

  test('a server that is away at the end: the status is the command’s, and it is told when the unit comes back', async () => {
    const relay = await Relay.open(replica.url);
    const options = ['--lease', LEASE, '--timeout', '1'];
    const started = start(['sh', '-c', 'echo runs; read line; exit 4'], { url: relay.url, options });
    await started.says('runs');
    relay.cut();
    started.stdin.end('\n');
    const { code, stderr } = await started.ended;
    expect(code).toBe(4);
    expect(stderr).toContain('comes back by itself within 10 s');
    await until(async () => (await unitsInUse()) === 0, PATIENCE_MS, 'the lease has ended');
    await relay.close();
  }, 90_000);

  const release = async (started: CliProcess) => {
    const [, login] = /with ([0-9a-f-]{36})/.exec(await started.says(/with [0-9a-f-]{36}/))!;
    const body = { instance: 'central', login, reason: 'needed elsewhere' };
    expect((await ask(200, 'POST', '/v1/releases', body)).body.released).toBe(1);
  };

  test('a licence that is lost is told, and another one taken', async () => {
    const started = start(patient, { options: ['--lease', LEASE] });
    await release(started);
    await started.says(/The licence is lost: .* The command goes on/);
    await started.says('A licence is held again');
    expect(await unitsInUse()).toBe(1);
    started.stdin.end();
    expect(await end(started)).toMatchObject({ code: 0, unitsAfter: 0 });
  }, 90_000);

  test('with --on-lost kill the command ends with it: SIGTERM, then SIGKILL, and 75', async () => {
    const stubborn = `process.on('SIGTERM', () => console.log('SIGTERM')); ${PATIENT}`;
    const options = ['--lease', LEASE, '--on-lost', 'kill', '--kill-after', '1'];
    const started = start([process.execPath, '-e', stubborn], { options });
    await release(started);
    const { code, stdout, stderr, unitsAfter } = await end(started);
    expect([code, unitsAfter]).toEqual([75, 0]);
    expect(stdout).toContain('SIGTERM');
    expect(stderr).toContain('The command is ended.');
  }, 90_000);

  test('Ctrl-C on a terminal reaches the command once', async () => {
    // A terminal of its own, in whose foreground both are.
    const typist = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b''
def wait_for(text):
    global said
    while text not in said:
        said += os.read(terminal, 4096)
wait_for(b'runs as')
os.write(terminal, b'\\x03')
wait_for(b'SIGINT 1')
os.write(terminal, b'\\x03')
wait_for(b'SIGINT 2')
os.write(terminal, b'\\x04')
try:
    while True:
        piece = os.read(terminal, 4096)
        if not piece: break
        said += piece
except OSError:
    pass
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    const cli = path.join(import.meta.dirname, '../../src/cli.ts');
    const { spawn } = await import('node:child_process');
    const args = ['-c', typist, process.execPath, cli, ...argsOf(patient, {})];
    const python = spawn('python3', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    python.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const code = await new Promise((resolve) => python.once('close', resolve));
    expect(said.match(/SIGINT \d/g)).toEqual(['SIGINT 1', 'SIGINT 2']);
    expect([code, await unitsInUse()]).toEqual([0, 0]);
  }, 90_000);
});
