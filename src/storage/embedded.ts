/**
 * The embedded default: a real Postgres in a folder, for a machine with nothing else. One Lictor process owns
 * the folder at a time; what an owner that was killed left running is stopped before the next one starts, and
 * nothing committed is lost by that.
 *
 * The folder holds `data` (the cluster), `password` (of its only role, readable by the owner alone) and, while
 * it is in use, `lictor.pid`.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from './database.ts';
import { claimFolder } from './folder-claim.ts';
import { findPostgresBinaries, findServerUser } from './postgres-binaries.ts';
import {
  initialiseDataDirectory,
  isRunning,
  type RunningServer,
  readPostmasterFile,
  SERVER_ROLE,
  startServer,
  stopServer,
} from './postgres-server.ts';

/**
 * Settings of the embedded server. Durability is spelt out although it is Postgres's default, because the one
 * promise rests on it; the rest is sized for the licence load: few connections, a steady stream of small commits.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '50',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  // The packaged server is built without lz4, so that Postgres's own compression is the one that always exists.
  wal_compression: 'pglz',
  log_timezone: 'UTC',
  timezone: 'UTC',
};

/** How long the processes of a killed server may take to notice that and end. */
const LEFTOVERS_TIMEOUT_MS = 15_000;
const POLL_INTERVAL_MS = 10;

/** How to start the embedded server. */
export interface EmbeddedOptions {
  /** The folder that holds everything; it is made when it is missing. */
  readonly directory: string;
  readonly logger: Logger;
  /** Settings that replace or join the standard ones, by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running embedded server. */
export interface EmbeddedPostgres {
  /** Where to connect, password included. Not to be logged. */
  readonly url: string;
  readonly pid: number;
  /** Settles when the server process has ended, also when nobody asked it to. */
  readonly exited: RunningServer['exited'];
  /** Stops the server in good order and gives the folder free. May be called more than once. */
  stop(): Promise<void>;
}

/**
 * Starts the embedded Postgres on a folder, making it on the first call.
 * @returns the running server, which listens on a free port of 127.0.0.1 only.
 * @throws Error naming the process and the folder when another Lictor process uses it, and one saying what to
 *   do when the data directory was made by another major version or the server does not start.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { logger } = options;
  // Where there is no server to start, as in the container image, that is said before anything is touched.
  const user = findServerUser();
  const binaries = await findPostgresBinaries(user);
  // The server's user must be able to pass through, while everything of worth inside has a mode of its own.
  await mkdir(options.directory, { recursive: true, mode: 0o755 });
  const directory = await realpath(options.directory);
  await chmod(directory, 0o755);
  const claim = await claimFolder(directory);
  try {
    const dataDirectory = path.join(directory, 'data');
    await endOrphans(dataDirectory, logger);
    const onLine = (line: string) => logger.debug({ source: 'postgres' }, line);
    const cluster = { binaries, user, dataDirectory, onLine };
    const password = await preparePassword(directory);
    const found = await readMajorVersion(dataDirectory);
    if (found === null) {
      await initialiseDataDirectory(cluster, password);
    } else if (found !== binaries.major) {
      throw new Error(
        `The data directory ${dataDirectory} was made by Postgres ${found}, and this is Postgres ${binaries.major}. ` +
          'Start the Lictor version that made it, dump the database, and load it into a new folder.',
      );
    }
    const server = await startServer({ ...cluster, settings: { ...SETTINGS, ...options.settings } });
    logger.info({ pid: server.pid, port: server.port, directory }, 'The embedded Postgres is running.');
    let stopped: Promise<void> | null = null;
    const stop = async () => {
      await stopServer(server.pid);
      await claim.release();
    };
    return {
      url: `postgres://${SERVER_ROLE}:${password}@127.0.0.1:${server.port}/postgres`,
      pid: server.pid,
      exited: server.exited,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** The password of a folder, made once and kept for its owner's eyes. */
async function preparePassword(directory: string): Promise<string> {
  const file = path.join(directory, 'password');
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (kept.trim() !== '') return kept.trim();
  const password = randomBytes(24).toString('base64url');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  return password;
}

/** The major version that made a data directory; null when there is none yet. */
async function readMajorVersion(dataDirectory: string): Promise<number | null> {
  const text = await readFile(path.join(dataDirectory, 'PG_VERSION'), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    },
  );
  return text === null ? null : Number.parseInt(text, 10);
}

/**
 * Ends what an owner left running when it was killed, so that the next server can start. The pid file alone
 * proves nothing, since its number may by now belong to something else: only processes that work in this very
 * data directory count.
 */
async function endOrphans(dataDirectory: string, logger: Logger): Promise<void> {
  const file = await readPostmasterFile(dataDirectory);
  if (file === null) return;
  if (process.platform !== 'linux') {
    if (file.dataDirectory === dataDirectory && (await isRunning(file.pid))) await stopServer(file.pid);
    return;
  }
  const working = await findProcessesIn(dataDirectory);
  if (working.includes(file.pid)) {
    logger.warn(
      { pid: file.pid, dataDirectory },
      'A Postgres left by a killed Lictor process is being stopped.',
    );
    await stopServer(file.pid);
  }
  // The processes of a server that was itself killed notice that and end; until then its memory is in use.
  const deadline = performance.now() + LEFTOVERS_TIMEOUT_MS;
  for (
    let left = await findProcessesIn(dataDirectory);
    left.length > 0;
    left = await findProcessesIn(dataDirectory)
  ) {
    if (performance.now() > deadline) {
      throw new Error(
        `Processes ${left.join(', ')} of a killed Postgres still work in ${dataDirectory}. End them first.`,
      );
    }
    await pause(POLL_INTERVAL_MS);
  }
  // Postgres would take any process of that number for its predecessor, even one that has ended and was never
  // collected. Nobody works here, so the file is stale; the server's check of shared memory still stands.
  await rm(path.join(dataDirectory, 'postmaster.pid'), { force: true });
}

/** The processes that work in a data directory, which every process of a Postgres server does. */
async function findProcessesIn(dataDirectory: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    // A finished process has no working directory any more, and those of other users cannot be read.
    const place = await readlink(`/proc/${pid}/cwd`).catch(() => null);
    if (place !== dataDirectory || pid === process.pid) continue;
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (name.trim() === 'postgres') found.push(pid);
  }
  return found;
}
