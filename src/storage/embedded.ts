/**
 * The embedded default: a real Postgres in a folder, for a machine with nothing else. One Lictor process owns
 * the folder at a time; what an owner that was killed left running is stopped before the next one starts, and
 * nothing committed is lost by that.
 *
 * The folder holds `data` (the cluster), `password` (of its only role, readable by the owner alone) and, while
 * it is in use, `lictor.pid`.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
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
  // The server's user must be able to pass through, while everything of worth inside has a mode of its own.
  await mkdir(options.directory, { recursive: true, mode: 0o755 });
  const directory = await realpath(options.directory);
  await chmod(directory, 0o755);
  const claim = await claimFolder(directory);
  try {
    const user = findServerUser();
    const binaries = await findPostgresBinaries(user);
    const dataDirectory = path.join(directory, 'data');
    await stopOrphan(dataDirectory, logger);
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
 * Stops the server that an owner left running when it was killed. The pid file alone proves nothing, since its
 * number may by now belong to something else: the process must work in this very data directory.
 */
async function stopOrphan(dataDirectory: string, logger: Logger): Promise<void> {
  const file = await readPostmasterFile(dataDirectory);
  if (file === null || !(await isRunning(file.pid))) return;
  if (!(await worksIn(file.pid, dataDirectory, file.dataDirectory))) return;
  logger.warn({ pid: file.pid, dataDirectory }, 'A Postgres left by a killed Lictor process is being stopped.');
  await stopServer(file.pid);
}

/** Whether a process is a Postgres server on a data directory, which every server has as working directory. */
async function worksIn(pid: number, dataDirectory: string, namedDirectory: string): Promise<boolean> {
  if (process.platform !== 'linux') return namedDirectory === dataDirectory;
  const [place, wanted] = await Promise.all([
    realpath(`/proc/${pid}/cwd`).catch(() => null),
    realpath(dataDirectory),
  ]);
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return place === wanted && path.basename(command.split('\0')[0] ?? '') === 'postgres';
}
