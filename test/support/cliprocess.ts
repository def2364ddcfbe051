/** The command line as a process of its own, as a person or a job starts it. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './wait.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLI = path.join(ROOT, 'src/cli.ts');
const PATIENCE_MS = 20_000;

/** How a process of the command line ended. */
export interface CliEnded {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the command line. */
export interface CliProcess {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdin: NodeJS.WritableStream;
  readonly ended: Promise<CliEnded>;
  signal(name: NodeJS.Signals): void;
  /** Waits until a text has been written to either stream. */
  says(text: string | RegExp): Promise<string>;
}

/** What the command line is started with. */
export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What it reads, all of it. Left out, its input stays open until the test ends it. */
  readonly input?: string;
}

/**
 * Starts the command line.
 * @param args - what follows the name of the program.
 * @param options - see there; nothing of the environment of the tests reaches it but what every process needs.
 */
export function startCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: options.cwd ?? ROOT,
    // No profile of whoever runs the tests must be found.
    env: {
      PATH: process.env.PATH,
      HOME: '/nonexistent',
      ...options.env,
    },
    stdio: 'pipe',
  });
  // A run that ends before its tests have cleaned up leaves no process behind.
  const killAtExit = () => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const streams = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      streams[name] += text;
    });
  }
  child.stdin.on('error', () => {});
  if (options.input !== undefined) child.stdin.end(options.input);
  const ended = endOf(child, streams).finally(() => process.removeListener('exit', killAtExit));
  return {
    pid: child.pid!,
    get stdout() {
      return streams.stdout;
    },
    get stderr() {
      return streams.stderr;
    },
    stdin: child.stdin,
    ended,
    signal: (name) => void child.kill(name),
    async says(text) {
      const seen = () => {
        const all = streams.stdout + streams.stderr;
        return typeof text === 'string' ? all.includes(text) && text : (text.exec(all)?.[0] ?? null);
      };
      const isOver = () => child.exitCode !== null || child.signalCode !== null;
      const found = await until(
        () => seen() || (isOver() ? 'over' : null),
        PATIENCE_MS,
        `the command line says ${text}, not ${JSON.stringify(streams)}`,
      );
      if (!seen()) throw new Error(`It ended without saying ${text}: ${JSON.stringify(streams)}`);
      return found;
    },
  };
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliEnded> {
  return startCli(args, { input: '', ...options }).ended;
}

function endOf(child: ChildProcess, streams: { stdout: string; stderr: string }): Promise<CliEnded> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...streams }));
  });
}
