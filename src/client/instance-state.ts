/**
 * What an instance keeps in a file between its lives: which incarnation it was, under which ID it registered, and
 * on which terms, so that it can start while the server is away. The file is replaced as a whole and only its
 * owner can read it; a lock beside it keeps a second process from using it at the same time.
 */

import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { InstanceTerms } from './instance-terms.ts';

/** After so long without a sign of life the lock of a process on another host is taken over. */
export const FOREIGN_LOCK_MS = 120_000;
/** A holder gives a sign of life that often, with its reports. */
const TOUCH_MS = 20_000;
const FORMAT = 1;
const FILE_BYTES_MAX = 65_536;

/** What is kept. */
export interface InstanceState {
  readonly name: string;
  /** The ID of the registration that began its last life. */
  readonly registrationId: string;
  /** The incarnation of that life; null while the answer to its registration is not known. */
  readonly incarnation: number | null;
  /** The one before; null at the first start. */
  readonly formerIncarnation: number | null;
  /** The terms that held last; null when none were ever told. */
  readonly terms: InstanceTerms | null;
  /** When the server was heard last, in milliseconds since 1970; 0 when it never was. */
  readonly heardAtMs: number;
}

/** What a file system says that knows no links. */
const LINKLESS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** Files that this process has open: a lock with its own process ID in it may be left from a former container. */
const heldHere = new Set<string>();

export class StateFile {
  readonly #path: string;
  readonly #lockPath: string;
  /** What the lock says when it is ours. */
  #lockText = '';
  #writing: Promise<void> = Promise.resolve();
  #touchedAtMs = 0;

  private constructor(file: string) {
    this.#path = file;
    this.#lockPath = `${file}.lock`;
  }

  /**
   * Opens a state file and takes its lock.
   * @param file - its path; its folder must be there.
   * @param wallMs - the time, in milliseconds since 1970.
   * @throws Error when another process has it.
   */
  static async open(file: string, wallMs: number): Promise<StateFile> {
    const state = new StateFile(path.resolve(file));
    await state.#lock(wallMs);
    return state;
  }

  /**
   * Reads what is kept.
   * @param name - the instance that it must be of.
   * @returns null when there is no file yet.
   * @throws Error when it is not such a file, or of another instance.
   */
  async read(name: string): Promise<InstanceState | null> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return null;
    const state = parse(text);
    if (state === null) {
      throw new Error(
        `The state file ${this.#path} does not hold the state of an instance. Name another one, or remove it to begin anew.`,
      );
    }
    if (state.name === name) return state;
    throw new Error(
      `The state file ${this.#path} is of the instance "${state.name}", not of "${name}". Give each instance a file of its own.`,
    );
  }

  /** Replaces what is kept; writes follow one another. */
  write(state: InstanceState): Promise<void> {
    const text = `${JSON.stringify({ format: FORMAT, ...state })}\n`;
    const written = this.#writing.then(() => replaceFile(this.#path, text));
    this.#writing = written.catch(() => {});
    return written;
  }

  /**
   * Gives a sign of life, so that no other host takes the lock; does nothing when the last one is fresh.
   * @param wallMs - the time, in milliseconds since 1970.
   */
  async touch(wallMs: number): Promise<void> {
    if (Math.abs(wallMs - this.#touchedAtMs) < TOUCH_MS) return;
    this.#touchedAtMs = wallMs;
    await utimes(this.#lockPath, wallMs / 1000, wallMs / 1000).catch(() => {});
  }

  /** Waits for what is being written, and gives the lock back. */
  async close(): Promise<void> {
    await this.#writing;
    if (!heldHere.delete(this.#path)) return;
    // Somebody may have taken it for dead meanwhile.
    await takeAway(this.#lockPath, this.#lockText);
  }

  async #lock(wallMs: number): Promise<void> {
    if (heldHere.has(this.#path)) throw inUse(this.#path, 'this process');
    heldHere.add(this.#path);
    try {
      // Whoever takes over a dead one's lock may find that another was faster, and looks again.
      for (let attempt = 0; attempt < 10; attempt += 1) {
        if (await this.#tryLock(wallMs)) return;
      }
      throw inUse(this.#path, 'several processes that start at once');
    } catch (error) {
      heldHere.delete(this.#path);
      throw error;
    }
  }

  async #tryLock(wallMs: number): Promise<boolean> {
    const since = await startOf(process.pid);
    const mark = randomBytes(6).toString('hex');
    const own = `${JSON.stringify({ host: hostname(), pid: process.pid, since, mark })}\n`;
    const temporary = temporaryName(this.#lockPath);
    await writeNew(temporary, own).catch((error: NodeJS.ErrnoException) => {
      throw new Error(
        `The state file ${this.#path} cannot be made: ${error.code ?? error.message}. Its folder must be there, and writable for this process.`,
      );
    });
    this.#lockText = own;
    try {
      // A link is made whole or not at all, and never replaces what is there. Some file systems have none.
      await link(temporary, this.#lockPath).catch((error: NodeJS.ErrnoException) => {
        if (!LINKLESS.has(error.code ?? '')) throw error;
        return writeNew(this.#lockPath, own);
      });
      this.#touchedAtMs = wallMs;
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await unlink(temporary);
    }
    const found = await readFile(this.#lockPath, 'utf8').catch(() => null);
    if (found === null) return false;
    const holder = await this.#liveHolder(found, wallMs);
    if (holder !== null) throw inUse(this.#path, holder);
    await takeAway(this.#lockPath, found);
    return false;
  }

  /** @returns who holds a lock, in words; null when its holder is gone. */
  async #liveHolder(text: string, wallMs: number): Promise<string | null> {
    const { host, pid, since } = parseLock(text);
    if (host === hostname()) {
      const isOwn = pid === process.pid;
      if (isOwn || !isRunning(pid)) return null;
      const started = await startOf(pid);
      const isAnother = since !== null && started !== null && since !== started;
      return isAnother ? null : `process ${pid}`;
    }
    const touched = await stat(this.#lockPath).catch(() => null);
    if (touched === null || wallMs - touched.mtimeMs > FOREIGN_LOCK_MS) return null;
    return `process ${pid} on host ${host}`;
  }
}

function inUse(file: string, by: string): Error {
  return new Error(
    `The state file ${file} is in use by ${by}. Every process needs an instance and a state file of its own.`,
  );
}

/** Takes a dead lock away; if a live one has come in its place meanwhile, that one is put back. */
async function takeAway(lockPath: string, expected: string): Promise<void> {
  const aside = temporaryName(lockPath);
  try {
    await rename(lockPath, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8')) !== expected) await link(aside, lockPath).catch(() => {});
  await unlink(aside);
}

function parseLock(text: string): { host: string; pid: number; since: string | null } {
  try {
    const { host, pid, since } = JSON.parse(text) as Record<string, unknown>;
    if (typeof host === 'string' && typeof pid === 'number') {
      return { host, pid, since: typeof since === 'string' ? since : null };
    }
  } catch {
    // A lock that cannot be read is nobody's.
  }
  return { host: hostname(), pid: 0, since: null };
}

function isRunning(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process began, as Linux counts it, by which a process ID that is used again is told; null elsewhere. */
async function startOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The name in parentheses may hold blanks; what follows the last one is numbers.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

function temporaryName(file: string): string {
  return `${file}.${process.pid}-${randomBytes(6).toString('hex')}`;
}

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file so that a crash leaves the old one or the new one. */
async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = temporaryName(file);
  try {
    await writeNew(temporary, text);
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

function parse(text: string): InstanceState | null {
  if (text.length > FILE_BYTES_MAX) return null;
  try {
    const state = JSON.parse(text) as Partial<InstanceState> & { format?: unknown };
    const { format, name, registrationId, incarnation = null, formerIncarnation = null } = state;
    if (format !== FORMAT || typeof name !== 'string' || typeof registrationId !== 'string') return null;
    return {
      name,
      registrationId,
      incarnation,
      formerIncarnation,
      terms: state.terms ?? null,
      heardAtMs: state.heardAtMs ?? 0,
    };
  } catch {
    return null;
  }
}
