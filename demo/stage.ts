/**
 * The processes of the demonstration: Lictor, the licence servers and the instances, each as an operator would
 * start it, in a temporary folder and on free ports of this machine. Whatever happens, all of it is gone at
 * the end.
 */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { InstanceOptions, InstanceState, NumberedAnswer, Order, Refused } from './messages.ts';
import { Untrue } from './screen.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const INSTANCE = fileURLToPath(new URL('instance.ts', import.meta.url));
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 8_000;
const ORDER_TIMEOUT_MS = 15_000;
const POLL_MS = 50;
const OUTPUT_KEPT = 4_000;

/** A process that was started, and what it said. */
export interface Running {
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
  output(): string;
}

/** An instance's process. */
export interface InstanceProcess {
  readonly name: string;
  start(options: InstanceOptions): Promise<readonly string[]>;
  /** Logs users in, one after the other, with nothing in between. @returns for each why not, or null. */
  login(...users: readonly string[]): Promise<readonly (Refused | null)[]>;
  logout(user: string): Promise<boolean>;
  state(): Promise<InstanceState>;
  reported(): Promise<boolean>;
  showServer(): Promise<string>;
  close(): Promise<void>;
}

/** Everything that runs. */
export class Stage {
  readonly folder: string;
  readonly #running: Running[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the temporary folder. */
  static async open(): Promise<Stage> {
    const stage = new Stage(await mkdtemp(path.join(tmpdir(), 'lictor-demo-')));
    // An end that nobody waits for leaves no process behind either.
    process.once('exit', () => {
      for (const { child } of stage.#running) if (isAlive(child)) child.kill('SIGKILL');
    });
    return stage;
  }

  /** Writes a file that only its owner can use. @returns its path. */
  async file(name: string, text: string): Promise<string> {
    const file = path.join(this.folder, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }

  /**
   * Starts `lictor` with a command, and waits until it says where it is.
   * @param message - the line of its log that says so.
   * @param env - its whole configuration.
   */
  async lictor(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    message: string,
  ): Promise<{ readonly line: Readonly<Record<string, unknown>>; readonly process: Running }> {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: this.folder,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = this.#keep(child);
    const line = await eventually(
      () => {
        if (!isAlive(child)) throw new Untrue(`lictor ${args.join(' ')} ended: ${running.output()}`);
        const found = running
          .output()
          .split('\n')
          .find((each) => each.startsWith('{') && each.includes(message));
        return found === undefined ? null : (JSON.parse(found) as Record<string, unknown>);
      },
      START_TIMEOUT_MS,
      `lictor ${args.join(' ')} runs`,
    );
    return { line, process: running };
  }

  /** Runs `lictor` with a command that ends by itself. @returns what it printed. */
  async run(args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const running = this.#keep(child);
    await running.gone;
    if (child.exitCode !== 0) throw new Untrue(`lictor ${args.join(' ')} failed: ${running.output()}`);
    return running.output();
  }

  /** Starts the process of an instance; it does nothing until it is told to. */
  instance(name: string): InstanceProcess {
    const child = fork(INSTANCE, [], { execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const running = this.#keep(child);
    const waiting = new Map<number, (answer: NumberedAnswer) => void>();
    let count = 0;
    child.on('message', (answer: NumberedAnswer) => waiting.get(answer.number)?.(answer));
    const ask = async <Value>(order: Order): Promise<Value> => {
      count += 1;
      const number = count;
      const answer = await new Promise<NumberedAnswer>((resolve) => {
        const timer = setTimeout(
          () => resolve({ number, error: `no answer to "${order.do}". ${running.output()}` }),
          ORDER_TIMEOUT_MS,
        );
        waiting.set(number, (given) => {
          clearTimeout(timer);
          resolve(given);
        });
        child.send({ number, order }, (error) => {
          if (error) waiting.get(number)?.({ number, error: `${error.message} ${running.output()}` });
        });
      });
      waiting.delete(number);
      if (answer.error !== undefined) throw new Untrue(`${name}: ${answer.error}`);
      return answer.value as Value;
    };
    return {
      name,
      start: (options) => ask({ do: 'start', options }),
      login: (...users) => ask({ do: 'login', users }),
      logout: (user) => ask({ do: 'logout', user }),
      state: () => ask({ do: 'state' }),
      reported: () => ask({ do: 'reported' }),
      showServer: () => ask({ do: 'showServer' }),
      async close() {
        await ask({ do: 'close' });
        await running.gone;
      },
    };
  }

  /** Kills a process as a crash would, and waits until it is gone. */
  async kill({ child, gone }: Running): Promise<void> {
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends everything, the last that was started first, and removes the folder. */
  async close(): Promise<void> {
    for (const { child, gone } of this.#running.toReversed()) {
      if (!isAlive(child)) continue;
      child.kill('SIGTERM');
      const late = pause(STOP_TIMEOUT_MS, true, { ref: false });
      if ((await Promise.race([gone, late])) === true) child.kill('SIGKILL');
      await gone;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  #keep(child: ChildProcess): Running {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-OUTPUT_KEPT * 8);
      });
    }
    const gone = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('close', () => resolve());
    });
    const running = { child, gone, output: () => output };
    this.#running.push(running);
    return running;
  }
}

function isAlive({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/**
 * Asks again and again until there is an answer.
 * @param ask - null means not yet; what it throws ends the waiting.
 * @param what - what is awaited, for the error.
 * @throws Untrue when it is not so in time.
 */
export async function eventually<Value>(
  ask: () => Value | null | Promise<Value | null>,
  timeoutMs: number,
  what: string | (() => string),
): Promise<Value> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await ask();
    if (value !== null) return value;
    if (performance.now() > deadlineMs) {
      const words = typeof what === 'string' ? what : what();
      throw new Untrue(`Waited ${timeoutMs / 1_000} seconds in vain: ${words}.`);
    }
    await pause(POLL_MS);
  }
}

/** @returns UDP ports of this machine that nobody uses. */
export async function freePorts(count: number): Promise<number[]> {
  const sockets = Array.from({ length: count }, () => createSocket('udp4'));
  await Promise.all(
    sockets.map((socket) => new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))),
  );
  const ports = sockets.map((socket) => socket.address().port);
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  return ports;
}

/** @returns a secret for a token or an instance. */
export function makeSecret(): string {
  return randomBytes(24).toString('hex');
}
