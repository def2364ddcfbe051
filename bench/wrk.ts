/**
 * Load by wrk: a closed loop of clients on kept-alive connections, one thread for each server.
 */

import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url));
/** How much longer than asked for a run may take before it is ended, in milliseconds. */
const OVERTIME_MS = 30_000;

/** What is sent; see `load.lua`. */
export interface Load {
  readonly kind: 'login' | 'keys' | 'heartbeat' | 'logout' | 'mix';
  readonly token: string;
  readonly instance: string;
  readonly users?: number;
  readonly keys?: number;
  readonly salt?: number;
  readonly from?: number;
  readonly count?: number;
}

/** What wrk tells of a run. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers with a status of 400 or more. */
  readonly refused: number;
  /** Requests that got no answer: connections that failed, and timeouts. */
  readonly unanswered: number;
}

/** The one line of JSON that the script prints. */
interface Printed {
  readonly requests: number;
  readonly durationUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly status: number;
  readonly socket: number;
  readonly timeout: number;
}

/**
 * Sees to it that there is a wrk: the one on the PATH, or for root on Debian one that is installed now.
 * @throws Error that says what to do.
 */
export function provideWrk(): void {
  if (hasWrk()) return;
  if (process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0) {
    process.stderr.write('wrk is not installed; installing it with apt-get.\n');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { env });
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'wrk'], { env });
    if (hasWrk()) return;
  }
  throw new Error('The benchmarks need the load generator wrk. Install the package "wrk".');
}

function hasWrk(): boolean {
  // It has no option that succeeds and does nothing; without arguments it prints its usage and fails.
  return spawnSync('wrk', ['--version']).error === undefined;
}

/**
 * Sends load for some time.
 * @param urls - the servers; each gets an equal share of the clients.
 * @param clients - connections in all.
 * @param seconds - how long.
 * @param signal - ends it early.
 * @throws Error with wrk's words when it fails.
 */
export async function sendLoad(
  urls: readonly string[],
  load: Load,
  clients: number,
  seconds: number,
  signal: AbortSignal,
): Promise<LoadResult> {
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    LOAD_SERVERS: urls.map((url) => new URL(url).host).join(','),
  };
  for (const [name, value] of Object.entries(load)) env[`LOAD_${name.toUpperCase()}`] = String(value);
  const args = [
    `-t${urls.length}`,
    `-c${clients}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    SCRIPT,
    urls[0]!,
  ];
  const child = spawn('wrk', args, { env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + OVERTIME_MS);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
  } finally {
    clearTimeout(timer);
  }
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk failed: ${output.trim()}`);
  return readPrinted(JSON.parse(line) as Printed);
}

function readPrinted(printed: Printed): LoadResult {
  const seconds = printed.durationUs / 1e6;
  return {
    requests: printed.requests,
    seconds,
    perSecond: printed.requests / seconds,
    p50Ms: printed.p50Us / 1000,
    p99Ms: printed.p99Us / 1000,
    maxMs: printed.maxUs / 1000,
    refused: printed.status,
    unanswered: printed.socket + printed.timeout,
  };
}
