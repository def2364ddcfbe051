/**
 * Child processes that say in a line of JSON where they listen, as the server and the bare route both do.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** Node's options as `npm start` gives them; the bare route gets them as well. */
const SHIPPED_OPTIONS: readonly string[] = packageJson.scripts.start.match(/--\S+/g) ?? [];
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 30_000;
const LINES_KEPT = 20;

/** A child that listens. */
export interface Listening {
  readonly url: string;
  readonly pid: number;
  /** From its start to the line that says where it listens, in milliseconds. */
  readonly startMs: number;
  /** When it was started, by `performance.now()`. */
  readonly startedAt: number;
  /** What it wrote last. */
  lastLines(): string;
  /**
   * Where its debugger listens, which a signal opens; it costs nothing before. Only of programs that were
   * started with Node's option `--inspect-port`.
   */
  openDebugger(): Promise<string>;
  /** Ends it in good order, and by force when that takes too long. */
  stop(): Promise<void>;
}

/**
 * Starts a TypeScript program of this project and waits until it listens.
 * @param args - Node's options, the program, and its arguments.
 * @param env - its whole environment besides PATH.
 * @throws Error with its last lines when it ends before.
 */
export async function startProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Listening> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...SHIPPED_OPTIONS, ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A run that is cut short leaves nothing behind.
  const killAtExit = () => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      process.removeListener('exit', killAtExit);
      resolve();
    });
  });
  const lines: string[] = [];
  eachLine(child, (line) => {
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
  });
  const url = await listeningUrl(child, lines, ended);
  return {
    url,
    pid: child.pid!,
    startMs: performance.now() - startedAt,
    startedAt,
    lastLines: () => lines.join('\n'),
    async openDebugger() {
      const opened = awaitLine(child, /Debugger listening on (ws:\S+)/);
      child.kill('SIGUSR1');
      return opened;
    },
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

async function listeningUrl(
  child: ChildProcess,
  lines: readonly string[],
  ended: Promise<void>,
): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      const explain = (what: string) =>
        new Error(`${child.spawnargs.join(' ')} ${what}:\n${lines.join('\n')}`);
      timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(explain('did not listen in time'));
      }, START_TIMEOUT_MS);
      void ended.then(() => reject(explain('ended')));
      child.once('error', reject);
      eachLine(child, (line) => {
        const url = /"url":"(http:[^"]+)"/.exec(line)?.[1];
        if (url !== undefined && line.includes('listens')) resolve(url);
      });
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a line and returns what its pattern captures. */
function awaitLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('close', () => reject(new Error(`The process ended before it said ${pattern}.`)));
    eachLine(child, (line) => {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
}

function eachLine(child: ChildProcess, take: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) take(line);
    });
  }
}
