/**
 * One Postgres server as a child process: makes its data directory, starts it on a free loopback port, tells
 * when it is ready, and stops it. Who may start it on which folder is decided in `embedded.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { canUse, type PostgresBinaries, type ServerUser } from './postgres-binaries.ts';

/** How long a server may take to become ready; crash recovery of a large journal is the slow case. */
const READY_TIMEOUT_MS = 120_000;
/** How long an orderly stop may take before the server is told to stop at once. */
const FAST_STOP_TIMEOUT_MS = 30_000;
const IMMEDIATE_STOP_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 10;
const LAST_WORDS_TIMEOUT_MS = 500;
/** How many of the server's last lines are kept to explain a failed start. */
const LOG_LINES_KEPT = 20;
/** A free port can be taken by another process between being found and being used. */
const PORT_ATTEMPTS_MAX = 5;

/** The superuser of every server made here; it is reachable from the loopback interface only. */
export const SERVER_ROLE = 'lictor';

/** What a server is started on and with. */
export interface ServerOptions {
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser | null;
  readonly dataDirectory: string;
  /** Server settings by name, for example `max_connections`. */
  readonly settings: Readonly<Record<string, string>>;
  /** The port to listen on; a free one is found when it is left out. */
  readonly port?: number;
  /** Receives every line the server writes. */
  readonly onLine: (line: string) => void;
}

/** A started server. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** What the server writes into its pid file. */
export interface PostmasterFile {
  readonly pid: number;
  readonly dataDirectory: string;
  readonly port: number;
  readonly ready: boolean;
}

/**
 * Makes a data directory: UTF-8, locale C (so that order never depends on the machine), password required.
 * @throws Error with initdb's own words when it fails.
 */
export async function initialiseDataDirectory(
  options: Pick<ServerOptions, 'binaries' | 'user' | 'dataDirectory' | 'onLine'>,
  password: string,
): Promise<void> {
  const { binaries, user, dataDirectory } = options;
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const secrets = await mkdtemp(path.join(tmpdir(), 'lictor-initdb-'));
  const passwordFile = path.join(secrets, 'password');
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    if (user !== null) {
      for (const place of [dataDirectory, secrets, passwordFile]) await chown(place, user.uid, user.gid);
    }
    await chmod(dataDirectory, 0o700);
    const child = launch(binaries.initdb, options, [
      '--pgdata',
      nameDataDirectory(options),
      `--username=${SERVER_ROLE}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
    ]);
    const lines = collectLines(child, options.onLine);
    const { code } = await ended(child, 'close');
    if (code !== 0) {
      throw new Error(`initdb could not make ${dataDirectory}: ${lines.join(' ')}`);
    }
  } finally {
    await rm(secrets, { recursive: true, force: true });
  }
}

/**
 * Starts a server and waits until it accepts connections on 127.0.0.1.
 * @throws Error with the server's last lines when it ends or is not ready in two minutes.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await findFreePort());
    const started = await tryStart(options, port);
    if (typeof started !== 'string') return started;
    const portWasTaken = options.port === undefined && !(await isFree(port));
    if (!portWasTaken || attempt >= PORT_ATTEMPTS_MAX) {
      throw new Error(`Postgres did not start on ${options.dataDirectory}: ${started}`);
    }
  }
}

async function tryStart(options: ServerOptions, port: number): Promise<RunningServer | string> {
  const settings = {
    ...options.settings,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(port),
  };
  const args = ['-D', nameDataDirectory(options)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const child = launch(options.binaries.postgres, options, args);
  const lines = collectLines(child, options.onLine);
  const exited = ended(child, 'exit');
  const closed = ended(child, 'close');
  let over = false;
  void exited.then(() => {
    over = true;
  });
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!over) {
    const file = await readPostmasterFile(options.dataDirectory);
    if (child.pid !== undefined && file?.pid === child.pid && file.ready) {
      return { pid: child.pid, port, exited };
    }
    if (performance.now() > deadline) {
      child.kill('SIGQUIT');
      await exited;
      return `it was not ready within ${READY_TIMEOUT_MS / 1000} s. ${lines.join(' ')}`;
    }
    await pause(POLL_INTERVAL_MS);
  }
  // Its last words may still be in the pipe, which a surviving descendant could hold open.
  await Promise.race([closed, pause(LAST_WORDS_TIMEOUT_MS)]);
  return lines.join(' ');
}

/**
 * Stops a server: fast first, which ends every session and writes a checkpoint, then at once, which costs a
 * recovery at the next start but loses nothing committed.
 * @param pid - the postmaster, which may belong to another process than this one.
 * @throws Error when it is still there after both.
 */
export async function stopServer(pid: number): Promise<void> {
  for (const [signal, timeoutMs] of [
    ['SIGINT', FAST_STOP_TIMEOUT_MS],
    ['SIGQUIT', IMMEDIATE_STOP_TIMEOUT_MS],
  ] as const) {
    if (!sendSignal(pid, signal)) return;
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      if (!(await isRunning(pid))) return;
      await pause(POLL_INTERVAL_MS);
    }
  }
  throw new Error(
    `The Postgres server with process ID ${pid} does not stop. Stop it by hand and start again.`,
  );
}

/**
 * Reads the file in which a server says who it is.
 * @returns null when there is none or it is not yet complete.
 */
export async function readPostmasterFile(dataDirectory: string): Promise<PostmasterFile | null> {
  const text = await readFile(path.join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1) return null;
  return {
    pid,
    dataDirectory: lines[1] ?? '',
    port: Number(lines[3] ?? 0),
    ready: (lines[7] ?? '').trim() === 'ready',
  };
}

/** Whether a process is there and is more than a finished one that nobody has collected yet. */
export async function isRunning(pid: number): Promise<boolean> {
  if (!sendSignal(pid, 0)) return false;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The state follows the name, which is in brackets and may hold anything. Other systems have no /proc.
  return stat === null || stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z';
}

/** Finds a port of the loopback interface on which nobody listens. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string')
    throw new Error('The loopback interface has no free port.');
  return address.port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * How the data directory is named to the server. When a private parent hides it from the server's user, Linux
 * still lets a process use its own working directory, which is entered while still root.
 */
function nameDataDirectory(options: Pick<ServerOptions, 'user' | 'dataDirectory'>): string {
  const { user, dataDirectory } = options;
  if (user === null || process.platform !== 'linux' || canUse(user, dataDirectory, 'x')) return dataDirectory;
  return '/proc/self/cwd';
}

function launch(
  program: string,
  options: Pick<ServerOptions, 'user' | 'dataDirectory'>,
  args: readonly string[],
): ChildProcess {
  const { user, dataDirectory } = options;
  return spawn(program, args, {
    cwd: dataDirectory,
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    // In a session of its own, Ctrl-C in a terminal reaches Lictor alone, which stops the database last.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Only what is needed is handed on: PG… variables of the caller would change what the programs do.
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
  });
}

function collectLines(child: ChildProcess, onLine: (line: string) => void): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        if (line === '') continue;
        lines.push(line);
        if (lines.length > LOG_LINES_KEPT) lines.shift();
        onLine(line);
      }
    });
  }
  return lines;
}

function ended(child: ChildProcess, event: 'exit' | 'close'): RunningServer['exited'] {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }));
    child.once(event, (code, signal) => resolve({ code, signal }));
  });
}
