/**
 * Running a command as if nothing stood before it: it has this process's streams, gets the signals that this one
 * gets, and its end is this one's.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { Environment } from '../config-environment.ts';

/** What a command gets of the signals that reach this process. */
export const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** What a terminal sends by itself to everybody in its foreground. */
const FROM_TERMINAL: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT', 'SIGHUP']);

/** As shells count them: what is not there, and what is there and cannot be run. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** A command that runs. */
export interface RunningChild {
  /** Its exit status as shells count it: 128 and the number of the signal that ended it. Never rejects. */
  readonly exited: Promise<number>;
  /** Sends it a signal, unless it has had it already from the terminal. */
  pass(name: NodeJS.Signals): void;
  /** Ends it: SIGTERM, and SIGKILL when it is still there after a while. */
  end(killAfterMs: number): void;
}

/** A command that could not be started. */
export interface NotStarted {
  readonly exit: number;
  readonly reason: string;
}

/**
 * Starts a command.
 *
 * @param command - a path, or a name that is looked for on the PATH.
 * @param args - what it is called with.
 * @param env - its environment.
 * @returns the running command, or with which status it could not be started, and why.
 */
export async function startChild(
  command: string,
  args: readonly string[],
  env: Environment,
): Promise<RunningChild | NotStarted> {
  const child = spawn(command, args, { stdio: 'inherit', env: { ...env } });
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    child.once('spawn', () => resolve(null));
    child.once('error', resolve);
  });
  if (error !== null) return notStarted(command, error);
  // A signal that cannot be sent is none that it had to get.
  child.on('error', () => {});
  let killing: NodeJS.Timeout | undefined;
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => {
      clearTimeout(killing);
      resolve(statusOf(code, signal));
    });
  });
  return {
    exited,
    pass: (name) => {
      if (!FROM_TERMINAL.has(name) || !isInForeground()) send(child, name);
    },
    end: (killAfterMs) => {
      send(child, 'SIGTERM');
      killing ??= setTimeout(() => send(child, 'SIGKILL'), killAfterMs);
    },
  };
}

function send(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(name);
}

/** The exit status that stands for a signal, as shells count it. */
export function statusOfSignal(name: NodeJS.Signals): number {
  return 128 + (constants.signals[name] ?? 0);
}

function statusOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? (code ?? 0) : statusOfSignal(signal);
}

function notStarted(command: string, { code = '', message }: NodeJS.ErrnoException): NotStarted {
  if (code === 'ENOENT') return { exit: NOT_FOUND, reason: `${command} was not found` };
  const words: Readonly<Record<string, string>> = {
    EACCES: 'may not be run',
    ENOEXEC: 'is no program',
    E2BIG: 'was given too many arguments',
    ENOTDIR: 'has a path that leads through something that is no directory',
  };
  return { exit: NOT_EXECUTABLE, reason: `${command} ${words[code] ?? `cannot be run (${message})`}` };
}

/**
 * Whether this process is in the foreground of a terminal, to all of which the terminal sends Ctrl-C. The command
 * is in the same process group, and must not get it twice: many take the second one for "at once".
 */
function isInForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // What stands before the last bracket is a name, which may have blanks and brackets of its own.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return group === foreground;
  } catch {
    // Other systems do not tell; a terminal at one of the streams is the next best sign.
    return [0, 1, 2].some((stream) => isatty(stream));
  }
}
