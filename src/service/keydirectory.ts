/**
 * The directory of served keys as this replica sees it (notes 3.4): which files there are, which key each gives,
 * and what is wrong with the others. One fault keeps no other file from being served. A file counts only once it
 * has lain unchanged for a while, so that one that is still being written is not read; and since a key is signed as
 * a whole, half of one is none.
 */

import { LicenseError, type ProblemCode } from '../domain/errors.ts';
import { KEY_FILE_LIMITS } from '../domain/keys/keyfaults.ts';
import { keyStatus, type LicenseKey } from '../domain/keys/keys.ts';
import type { Logger } from '../storage/database.ts';
import {
  type ListedFile,
  listKeyFiles,
  readListedFile,
  type UnreadableFile,
} from '../storage/keydirectory.ts';
import type { DatabaseClock } from './clock.ts';
import type { Keys } from './keys.ts';

/** How many key files the directory may have; with more none of them is looked at. */
export const KEY_FILES_MAX = 1_000;
/** A file that was written so long ago is read at once, in milliseconds; another one at the look after the next. */
const SETTLED_MS = 2_000;

export interface KeyDirectoryOptions {
  readonly path: string;
  readonly keys: Pick<Keys, 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
  readonly logger: Logger;
  /** The time by the clock of this machine, which file systems go by, ms since 1970. */
  readonly wallMs?: () => number;
}

/** What keeps a file from being served. */
export interface FileFault {
  readonly code: ProblemCode;
  /** What is wrong and what to do, as sentences. */
  readonly reason: string;
}

/** A file of the directory, as it was read last. */
export interface ServedFile {
  readonly name: string;
  /** The key that it gives; null when it gives none, or has not been read yet. */
  readonly key: LicenseKey | null;
  readonly fault: FileFault | null;
  /**
   * When its key came into it, by the file system or by when this replica saw it replaced, whichever was later;
   * ms since 1970.
   */
  readonly changedAtMs: number;
}

/** What is known of one file. */
interface Known {
  /** The writing that was read. */
  stamp: string;
  /** A later writing that may not be whole yet. */
  awaited: string | null;
  listed: ListedFile | null;
  key: LicenseKey | null;
  fault: FileFault | null;
  changedAtMs: number;
  /** The ID of the last key that was in it; null when there was none yet. */
  keyId: string | null;
}

export class KeyDirectory {
  readonly #options: KeyDirectoryOptions;
  #known = new Map<string, Known>();
  #files: readonly ServedFile[] = [];
  #fault: string | null = null;
  #lookedAtMs = 0;
  /** What was complained of, by file; under the empty name, of the directory. */
  #complaints = new Map<string, string>();

  constructor(options: KeyDirectoryOptions) {
    this.#options = options;
  }

  get path(): string {
    return this.#options.path;
  }

  /** The files by name, as they were looked at last. */
  get files(): readonly ServedFile[] {
    return this.#files;
  }

  /** What is wrong with the directory as a whole; null when nothing is. */
  get fault(): string | null {
    return this.#fault;
  }

  /** When it was looked at last, ms since 1970; 0 when it was not yet. */
  get lookedAtMs(): number {
    return this.#lookedAtMs;
  }

  /** Looks at the directory once. Never rejects: what is wrong is kept, and said in the log once. */
  async look(): Promise<void> {
    const listed = await this.#list();
    if (listed !== null) {
      const known = new Map<string, Known>();
      for (const file of listed) known.set(file.name, await this.#lookAt(file));
      this.#known = known;
    }
    this.#files = this.#judge();
    this.#lookedAtMs = this.#options.clock.nowMs();
    this.#complain();
  }

  /** @returns null when the directory cannot be looked at; what was known of its files stands then. */
  async #list(): Promise<(ListedFile | UnreadableFile)[] | null> {
    const { path } = this.#options;
    try {
      const listed = await listKeyFiles(path, KEY_FILES_MAX);
      this.#fault =
        typeof listed === 'object'
          ? null
          : `The directory ${path} has ${listed} key files, and more than ${KEY_FILES_MAX} are not looked at. Remove those that are not served any more.`;
      return typeof listed === 'object' ? listed : null;
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      this.#fault = `The directory ${path} cannot be read (${code}). Mend the path in LICTOR_KEY_DIRECTORY, or its permissions; keys that are served already stay so.`;
      return null;
    }
  }

  async #lookAt(file: ListedFile | UnreadableFile): Promise<Known> {
    const before = this.#known.get(file.name) ?? UNKNOWN;
    if ('error' in file) return atFault(before, '', unreadableWords(file));
    const { stamp, changedAtMs, isFile, bytes } = file;
    if (stamp === before.stamp) return { ...before, awaited: null };
    if (!isFile) return atFault(before, stamp, 'It is no file. Remove it, or call it otherwise.');
    if (bytes > KEY_FILE_LIMITS.fileBytesMax) {
      const max = KEY_FILE_LIMITS.fileBytesMax;
      return atFault(before, stamp, `It has ${bytes} bytes; a key file has at most ${max}. Replace it.`);
    }
    const { wallMs = Date.now } = this.#options;
    const isSettled = before.awaited === stamp || wallMs() - changedAtMs >= SETTLED_MS;
    if (!isSettled) return { ...before, awaited: stamp };
    return this.#read(before, file);
  }

  async #read(before: Known, file: ListedFile): Promise<Known> {
    const { path, keys, clock } = this.#options;
    const { stamp } = file;
    const nowMs = clock.nowMs();
    try {
      const bytes = await readListedFile(path, file);
      if (bytes === null) return { ...before, awaited: null };
      if (!hasLicenseSection(bytes)) return atFault(before, stamp, NO_KEY_FILE);
      const key = keys.read(bytes, undefined);
      const isReplaced = before.keyId !== null && before.keyId !== key.id;
      // The clock of a file system may be anything; nothing was written later than now.
      const changedAtMs = isReplaced ? nowMs : Math.min(file.changedAtMs, nowMs);
      return { stamp, awaited: null, listed: file, key, fault: null, changedAtMs, keyId: key.id };
    } catch (error) {
      if (error instanceof LicenseError) {
        const fault = { code: error.code, reason: error.message };
        return { ...before, stamp, awaited: null, listed: file, key: null, fault };
      }
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      return atFault(before, '', `The file cannot be read (${code}). Mend its permissions.`);
    }
  }

  /** The files, with what is wrong of a key now, or of two of them together. */
  #judge(): ServedFile[] {
    const { clock, revoked } = this.#options;
    const byLicenseId = Map.groupBy(this.#known, ([, { key }]) => key?.licenseId ?? null);
    return [...this.#known].map(([name, { key, fault, changedAtMs }]) => {
      const found = { name, key, changedAtMs };
      if (key === null) return { ...found, fault };
      if (key.licenseId === null) return { ...found, fault: NO_LICENSE_ID };
      const others = byLicenseId.get(key.licenseId)!.filter(([, other]) => other.key!.id !== key.id);
      if (others.length > 0) return { ...found, fault: sameLicenseId(key.licenseId, others[0]![0]) };
      const status = keyStatus(key, clock.nowMs(), revoked);
      if (status.code === null) return { ...found, fault: null };
      return { ...found, fault: { code: status.code, reason: status.reason } };
    });
  }

  /** The bytes of a file as it was read. @returns null when it was changed since. */
  async bytesOf(name: string): Promise<Buffer | null> {
    const listed = this.#known.get(name)?.listed ?? null;
    return listed === null ? null : readListedFile(this.#options.path, listed);
  }

  /** Says in the log what has come to be wrong, or right again, and nothing twice. */
  #complain(): void {
    const { logger } = this.#options;
    const complaints = new Map<string, string>();
    if (this.#fault !== null) complaints.set('', this.#fault);
    for (const { name, fault } of this.#files) if (fault !== null) complaints.set(name, fault.reason);
    for (const [file, reason] of complaints) {
      if (this.#complaints.get(file) === reason) continue;
      if (file === '') logger.warn({ reason }, 'The directory of served keys cannot be used.');
      else logger.warn({ file, reason }, 'A file of the directory of served keys is not served.');
    }
    for (const file of this.#complaints.keys()) {
      if (complaints.has(file)) continue;
      if (file === '') logger.info({}, 'The directory of served keys can be used again.');
      else logger.info({ file }, 'Nothing is wrong any more with a file of the directory of served keys.');
    }
    this.#complaints = complaints;
  }
}

const UNKNOWN: Known = {
  stamp: '',
  awaited: null,
  listed: null,
  key: null,
  fault: null,
  changedAtMs: 0,
  keyId: null,
};

/** @param stamp - of the writing that is at fault; empty looks at it again each time. */
function atFault(before: Known, stamp: string, reason: string): Known {
  const fault: FileFault = { code: 'key-file-invalid', reason };
  return { ...before, stamp, awaited: null, listed: null, key: null, fault };
}

/**
 * Whether a file looks like a key at all, whatever its encoding. Another one may be somebody's secret, and what is
 * said of a fault names the line.
 */
function hasLicenseSection(bytes: Buffer): boolean {
  return /\[[ \t]*license[ \t]*\]/i.test(bytes.toString('latin1').replaceAll('\0', ''));
}

const NO_KEY_FILE =
  'It is no key file: it has no section [License]. Copy the key file again, in full, or call this one otherwise.';

function unreadableWords({ error }: UnreadableFile): string {
  return error === 'ENOENT' || error === 'ELOOP'
    ? `It is a link that leads nowhere (${error}). Mend the link, or remove it.`
    : `The file cannot be looked at (${error}). Mend its permissions.`;
}

const NO_LICENSE_ID: FileFault = {
  code: 'key-not-servable',
  reason:
    'The key states no LicenseID, by which it could be served. Have it issued anew with one, or install it with POST /v1/keys instead.',
};

function sameLicenseId(licenseId: string, other: string): FileFault {
  return {
    code: 'key-not-servable',
    reason: `The file ${other} states the LicenseID "${licenseId}" as well, with another key. Keep one of them; what was served until now stays so.`,
  };
}
