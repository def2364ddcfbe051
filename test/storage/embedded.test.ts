import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import postgres from 'postgres';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/storage/embedded.ts';
import { isRunning } from '../../src/storage/postgres-server.ts';
import { until } from '../support/wait.ts';

const OWNER = fileURLToPath(new URL('../support/embedded-owner.ts', import.meta.url));

const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent };
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lictor-test-embedded-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(directory: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ directory, logger });
  cleanups.push(() => server.stop());
  return server;
}

/** Runs statements on a connection of its own and returns the rows of the last. */
async function ask(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, onnotice: silent });
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = [...(await sql.unsafe(statement))];
    return rows;
  } finally {
    await sql.end();
  }
}

/** Another process that owns a folder's database. */
async function startOwner(
  directory: string,
): Promise<{ child: ChildProcess; url: string; pid: number; error: string }> {
  const child = spawn(process.execPath, [OWNER, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanups.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const line = await until(() => (text.includes('\n') ? text : null), 20_000, 'the other process has spoken');
  return { child, ...JSON.parse(line) };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

describe('startEmbeddedPostgres', () => {
  test('makes a durable UTF-8 database that listens on the loopback interface, and keeps it over a restart', async () => {
    const directory = path.join(await temporaryFolder(), 'data', 'postgres');
    const first = await start(directory);
    await ask(first.url, 'create table kept (id int)', 'insert into kept values (7)');
    const [settings] = await ask(
      first.url,
      `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
         current_setting('listen_addresses') as listen, current_setting('server_encoding') as encoding,
         (select datcollate from pg_database where datname = 'postgres') as locale,
         current_setting('unix_socket_directories') as sockets`,
    );
    expect(settings).toEqual({
      fsync: 'on',
      commit: 'on',
      listen: '127.0.0.1',
      encoding: 'UTF8',
      locale: 'C',
      sockets: '',
    });
    await first.stop();
    await first.stop();
    expect(await isRunning(first.pid)).toBe(false);
    const second = await start(directory);
    expect(await ask(second.url, 'select id from kept')).toEqual([{ id: 7 }]);
  });

  test('keeps its password to itself and lets nobody in without it', async () => {
    const directory = await temporaryFolder();
    const { url } = await start(directory);
    expect((await stat(path.join(directory, 'password'))).mode & 0o777).toBe(0o600);
    const withoutPassword = new URL(url);
    withoutPassword.password = 'wrong';
    await expect(ask(withoutPassword.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test('works below a folder that only its owner can enter', async () => {
    const parent = path.join(await temporaryFolder(), 'private');
    await mkdir(parent, { mode: 0o700 });
    const server = await start(path.join(parent, 'postgres'));
    // A reload reads the configuration again by its name, which must still lead somewhere.
    await ask(server.url, `alter system set work_mem = '5MB'`, 'select pg_reload_conf()');
    const shown = () => ask(server.url, 'show work_mem').then(([row]) => row?.work_mem === '5MB');
    await until(shown, 5_000, 'the configuration is read again');
    await ask(server.url, 'create table kept (id int)', 'checkpoint');
  });

  test('an owner killed with -9 leaves a server behind, which is stopped; every committed row is there', async () => {
    const directory = await temporaryFolder();
    const owner = await startOwner(directory);
    await ask(owner.url, 'create table kept (id int)', 'insert into kept select generate_series(1, 100)');
    await kill(owner.child, 'SIGKILL');
    expect(await isRunning(owner.pid)).toBe(true);
    const server = await start(directory);
    expect(await isRunning(owner.pid)).toBe(false);
    expect(await ask(server.url, 'select count(*)::int as rows from kept')).toEqual([{ rows: 100 }]);
  });

  test('when the server was killed with its owner, it recovers', async () => {
    const directory = await temporaryFolder();
    const owner = await startOwner(directory);
    await ask(owner.url, 'create table kept (id int)', 'insert into kept select generate_series(1, 100)');
    await kill(owner.child, 'SIGKILL');
    process.kill(owner.pid, 'SIGKILL');
    const server = await start(directory);
    expect(await ask(server.url, 'select count(*)::int as rows from kept')).toEqual([{ rows: 100 }]);
  });

  test('a second process is told which process uses the folder, and disturbs nothing', async () => {
    const directory = await temporaryFolder();
    const server = await start(directory);
    const other = await startOwner(directory);
    expect(other.error).toContain(`The Lictor process ${process.pid} already uses the folder ${directory}`);
    expect(await ask(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('of several processes that find the folder of a killed owner, one gets it', async () => {
    const directory = await temporaryFolder();
    const owner = await startOwner(directory);
    await kill(owner.child, 'SIGKILL');
    const contenders = await Promise.all([1, 2, 3].map(() => startOwner(directory)));
    const winners = contenders.filter((contender) => contender.error === undefined);
    expect(winners).toHaveLength(1);
    expect(await ask(winners[0]!.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await kill(winners[0]!.child, 'SIGTERM');
    expect(await isRunning(winners[0]!.pid)).toBe(false);
  });

  test('a claim whose process number now belongs to another process is stale', async () => {
    const directory = await temporaryFolder();
    await writeFile(
      path.join(directory, 'lictor.pid'),
      JSON.stringify({ pid: process.pid, startedAt: 'long ago' }),
    );
    const server = await start(directory);
    expect(await ask(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('a pid file that names a process which is no Postgres of this folder does that process no harm', async () => {
    const directory = await temporaryFolder();
    const first = await start(directory);
    await first.stop();
    const bystander = spawn('sleep', ['60']);
    cleanups.push(async () => bystander.kill('SIGKILL'));
    const lines = [bystander.pid, path.join(directory, 'data'), 1, 1, '', '', '', 'ready'];
    await writeFile(path.join(directory, 'data', 'postmaster.pid'), `${lines.join('\n')}\n`);
    const second = await start(directory);
    expect(await ask(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(await isRunning(bystander.pid!)).toBe(true);
  });

  test('tells when the server ends although nobody asked it to', async () => {
    const server = await start(await temporaryFolder());
    process.kill(server.pid, 'SIGQUIT');
    await expect(server.exited).resolves.toBeDefined();
    expect(await isRunning(server.pid)).toBe(false);
  });

  test('says what to do about a data directory of another major version', async () => {
    const directory = await temporaryFolder();
    const first = await start(directory);
    await first.stop();
    const version = path.join(directory, 'data', 'PG_VERSION');
    const made = (await readFile(version, 'utf8')).trim();
    await writeFile(version, '9\n');
    await expect(start(directory)).rejects.toThrow(`was made by Postgres 9, and this is Postgres ${made}`);
    await writeFile(version, `${made}\n`);
    await start(directory);
  });
});
