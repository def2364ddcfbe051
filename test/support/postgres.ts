/**
 * Postgres servers for tests: the one that all test files share, and servers of a test's own that it may kill,
 * restart, and set back to an older copy of their data.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { findPostgresBinaries, findServerUser } from '../../src/storage/postgres-binaries.ts';
import {
  initialiseDataDirectory,
  type RunningServer,
  SERVER_ROLE,
  startServer,
  stopServer,
} from '../../src/storage/postgres-server.ts';
import { until } from './wait.ts';

/** A server that belongs to one test. */
export interface OwnPostgres {
  /** Stays the same over restarts. */
  readonly url: string;
  /** The postmaster's process ID; throws while the server is down. */
  readonly pid: number;
  /** Starts it again after `stop` or `kill9`, on the same port and data. */
  start(): Promise<void>;
  /** Stops it in good order. */
  stop(): Promise<void>;
  /** Kills the server and all of its processes at once, as a power failure of the process would. */
  kill9(): Promise<void>;
  /** Copies the data of the stopped server into a folder that must not exist yet. */
  snapshot(directory: string): Promise<void>;
  /** Replaces the data of the stopped server by a copy made with `snapshot`. */
  restore(directory: string): Promise<void>;
  /** Stops it and removes everything it left. */
  dispose(): Promise<void>;
}

/** Settings of every test server: durable like a real one, and with room for several test files at once. */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  max_connections: '200',
  max_prepared_transactions: '10',
  timezone: 'UTC',
};

/**
 * Starts a separate Postgres server in a temporary directory.
 * @param settings - server settings that replace or join those of every test server.
 * @returns a server whose `dispose` the test must call in the end.
 */
export async function startOwnPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnPostgres> {
  const user = findServerUser();
  const binaries = await findPostgresBinaries(user);
  const root = await mkdtemp(path.join(tmpdir(), 'lictor-test-postgres-'));
  await chmod(root, 0o755);
  const dataDirectory = path.join(root, 'data');
  const password = randomBytes(12).toString('hex');
  const onLine = () => {};
  await initialiseDataDirectory({ binaries, user, dataDirectory, onLine }, password);
  const options = { binaries, user, dataDirectory, onLine, settings: { ...SETTINGS, ...settings } };
  let server: RunningServer | null = await startServer(options);
  const { port } = server;
  const running = (): RunningServer => {
    if (server === null) throw new Error('This Postgres server is stopped.');
    return server;
  };
  const stopped = (): void => {
    if (server !== null) throw new Error('Stop this Postgres server first: its data is changing.');
  };
  const own: OwnPostgres = {
    url: `postgres://${SERVER_ROLE}:${password}@127.0.0.1:${port}/postgres`,
    get pid() {
      return running().pid;
    },
    async start() {
      stopped();
      server = await startServer({ ...options, port });
    },
    async stop() {
      const { pid, exited } = running();
      await stopServer(pid);
      await exited;
      server = null;
    },
    async kill9() {
      const { pid, exited } = running();
      // While it stands still it begins no process that the list does not have.
      process.kill(pid, 'SIGSTOP');
      const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
      const children = list.trim().split(' ').map(Number);
      process.kill(pid, 'SIGKILL');
      // Its processes would end by themselves when they notice; a crash of a machine does not wait for that.
      for (const child of children) killIfThere(child);
      await exited;
      // As long as one is left, its memory is in use and no server starts on the data.
      await until(async () => !(await anyLives(children)), 10_000, 'the processes of the server are gone');
      server = null;
    },
    async snapshot(directory) {
      stopped();
      await copy(dataDirectory, directory);
    },
    async restore(directory) {
      stopped();
      await rm(dataDirectory, { recursive: true, force: true });
      await copy(directory, dataDirectory);
    },
    async dispose() {
      if (server !== null) await own.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
  return own;
}

/** Copies a directory with its owners and modes, without which Postgres refuses it. */
async function copy(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', '--no-target-directory', from, to]);
}

/** Whether one of some processes is there; those that ended and were not collected hold nothing. */
async function anyLives(pids: readonly number[]): Promise<boolean> {
  const states = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return states.some((stat) => stat !== '' && !/\) [ZX] /.test(stat));
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself in the meantime.
  }
}
