/** Redis servers for tests: each its own process on a free port of the loopback, with an empty directory. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './wait.ts';

const START_TIMEOUT_MS = 10_000;

export interface TestRedis {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Of the process that runs now; another after `restart`. */
  readonly pid: number;
  /** Ends the process at once, as a crash would; resolves when it is gone. */
  kill9(): Promise<void>;
  /** Starts it again on the same port, and empty; what still runs is killed before. */
  restart(): Promise<void>;
  /** Stops the process in its tracks: its connections stand, and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Ends it for good and removes its directory. */
  stop(): Promise<void>;
}

export interface StartRedisOptions {
  /** Further arguments of redis-server; they come last, so they win. */
  readonly args?: readonly string[];
  /** The configuration file of a Sentinel; left out for a server. */
  readonly sentinelConfig?: string;
  /** The files of a certificate and its key: then the port speaks TLS, and the URL is `rediss:`. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** The redis-server to test with: the one that is named, or the one on the PATH; null if there is none. */
export function findRedisServer(): string | null {
  const program = process.env.LICTOR_TEST_REDIS_SERVER || 'redis-server';
  return spawnSync(program, ['--version']).status === 0 ? program : null;
}

/** A port of the loopback that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The port has no number.');
  server.close();
  await once(server, 'close');
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function argumentsOf(options: StartRedisOptions, port: number, directory: string): string[] {
  const { sentinelConfig, tls, args = [] } = options;
  const kind = sentinelConfig === undefined ? [] : [sentinelConfig, '--sentinel'];
  const memoryOnly = sentinelConfig === undefined ? ['--save', '', '--appendonly', 'no'] : [];
  const listen =
    tls === undefined
      ? ['--port', String(port)]
      : ['--port', '0', '--tls-port', String(port), '--tls-cert-file', tls.cert, '--tls-key-file', tls.key];
  return [...kind, ...listen, '--bind', '127.0.0.1', '--dir', directory, ...memoryOnly, ...args];
}

/**
 * Starts a redis-server that keeps nothing on disk.
 * @throws Error when it does not accept connections in time.
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<TestRedis> {
  const program = findRedisServer();
  if (program === null) throw new Error('There is no redis-server.');
  const directory = await mkdtemp(path.join(tmpdir(), 'lictor-redis-'));
  const port = await findFreePort();
  const args = argumentsOf(options, port, directory);
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn(program!, args, { stdio: 'ignore' });
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    await until(
      async () => {
        if (hasEnded()) return true;
        return await accepts(port);
      },
      START_TIMEOUT_MS,
      `redis-server accepts connections on port ${port}`,
    );
    if (hasEnded()) throw new Error(`redis-server ended at once with ${child.exitCode ?? child.signalCode}.`);
  }

  async function kill9(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  // A run that ends before its tests have cleaned up leaves no server behind.
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  await start();
  return {
    url: `${options.tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    get pid() {
      return child.pid!;
    },
    kill9,
    async restart() {
      await kill9();
      await start();
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      await kill9();
      process.removeListener('exit', killAtExit);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
