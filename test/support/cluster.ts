/**
 * Replicas as processes of their own, started as an operator starts them and configured by their environment,
 * so that a test may kill, stop and outlive them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { TRUSTED } from './keyfiles.ts';
import { until } from './wait.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A process that starts on a busy machine takes a while. */
const START_TIMEOUT_MS = 30_000;
const LOG_LINES_MAX = 5_000;

/** The administrator's token of every replica that these tests start. */
export const CLUSTER_TOKEN = 'administrator-of-the-scenarios';

/** One line of a replica's log. */
export interface LogLine {
  readonly msg: string;
  readonly level: number;
  readonly [field: string]: unknown;
}

/** What a replica is started with. */
export interface ReplicaOptions {
  /** Left out, it runs the embedded Postgres in `LICTOR_DATA_DIR`. */
  readonly databaseUrl?: string;
  /** Left out, it coordinates in its own memory. */
  readonly redisUrl?: string;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A replica's process. */
export interface Replica {
  /** Where it listens, such as `http://127.0.0.1:8080`; throws until it does. */
  readonly url: string;
  readonly pid: number;
  /** The last lines of its log, from the oldest. */
  readonly logs: readonly LogLine[];
  /** Everything it has written to standard error. */
  readonly stderr: string;
  readonly isRunning: boolean;
  readonly exited: Promise<Ended>;
  /** Sends a signal and waits for nothing. */
  signal(name: NodeJS.Signals): void;
  /** Ends it at once, as a crash would; resolves when it is gone. */
  kill9(): Promise<void>;
  /** Ends it as an operator does, with SIGTERM. */
  stop(): Promise<Ended>;
}

/**
 * Starts a replica; waits for nothing.
 * @param options - which database and Redis it serves with.
 * @returns the process; `started` or `exited` says what became of it.
 */
export function spawnReplica(options: ReplicaOptions): Replica {
  const child = spawn(process.execPath, [path.join(ROOT, 'src/cli.ts'), 'serve'], {
    cwd: ROOT,
    env: environmentOf(options),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const logs: LogLine[] = [];
  let stderr = '';
  readLines(child.stdout!, (line) => {
    if (!line.startsWith('{')) return;
    logs.push(JSON.parse(line) as LogLine);
    if (logs.length > LOG_LINES_MAX) logs.shift();
  });
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const exited = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  // A run that ends before its tests have cleaned up leaves no process behind.
  const killAtExit = () => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  void exited.finally(() => process.removeListener('exit', killAtExit)).catch(() => {});
  let url: string | null = null;
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    get url() {
      url ??= (logs.find((line) => line.msg === 'Lictor listens.')?.url as string | undefined) ?? null;
      if (url === null) throw new Error(`The replica does not listen yet. ${stderr}`);
      return url;
    },
    get pid() {
      return child.pid!;
    },
    logs,
    get stderr() {
      return stderr;
    },
    get isRunning() {
      return isRunning();
    },
    exited,
    signal: (name) => void child.kill(name),
    async kill9() {
      if (isRunning()) child.kill('SIGKILL');
      await exited;
    },
    stop: () => stopProcess(child, exited),
  };
}

/** Starts a replica and waits until it serves. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const replica = spawnReplica(options);
  await serves(replica);
  return replica;
}

/** Waits until a replica says that it should be sent requests, also when it is degraded. */
export async function serves(replica: Replica): Promise<void> {
  await until(
    async () => {
      if (!replica.isRunning) return 'ended';
      const answer = await fetch(`${replica.url}/readyz`);
      if (answer.status === 200) return 'serves';
      throw new Error(`${await answer.text()}\n${lastLines(replica)}`);
    },
    START_TIMEOUT_MS,
    'the replica serves',
  );
  if (!replica.isRunning) throw new Error(`The replica ended instead of serving. ${replica.stderr}`);
}

/** The end of a replica's log, for whoever wonders why it does not serve. */
function lastLines({ logs }: Replica): string {
  return logs
    .slice(-20)
    .map((line) => JSON.stringify(line))
    .join('\n');
}

/** Whether a replica leads, as it says itself. */
export async function leads(replica: Replica): Promise<boolean> {
  if (!replica.isRunning) return false;
  const report = (await (await fetch(`${replica.url}/readyz`)).json()) as { leader: boolean };
  return report.leader;
}

/** Waits until one of some replicas leads. */
export function leaderOf(replicas: readonly Replica[]): Promise<Replica> {
  return until(
    async () => {
      for (const replica of replicas) if (await leads(replica)) return replica;
      return null;
    },
    START_TIMEOUT_MS,
    'a replica leads',
  );
}

/** @returns how often a replica has logged a message. */
export function timesLogged(replica: Replica, message: string): number {
  return replica.logs.filter((line) => line.msg === message).length;
}

/** Nothing of the environment of the tests reaches a replica but what every process needs. */
function environmentOf({ databaseUrl, redisUrl, env }: ReplicaOptions): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PORT: '0',
    LOG_LEVEL: 'info',
    LICTOR_ADMIN_TOKEN: CLUSTER_TOKEN,
    LICTOR_TRUSTED_KEYS: [...TRUSTED].map(([id, key]) => `${id}:${key}`).join(','),
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    ...env,
  };
}

function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
  });
}

/** A stopped process would not hear SIGTERM, so it is let go on first. */
async function stopProcess(child: ChildProcess, exited: Promise<Ended>): Promise<Ended> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGCONT');
    child.kill('SIGTERM');
  }
  return exited;
}
