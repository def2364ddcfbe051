/**
 * The secrets file: one line for each instance, its name and its secret. It is read again whenever it changes,
 * so that instances come and go without a restart; a file that cannot be used leaves the last good one in force.
 */

import { readFile, stat } from 'node:fs/promises';
import { type DatagramKeys, deriveKeys, isInstanceName } from './packets.ts';

/** The shortest secret that is accepted, in characters: 32 hexadecimal digits hold 128 bits. */
const SECRET_LENGTH_MIN = 32;
const SECRET_LENGTH_MAX = 256;
const FILE_OCTETS_MAX = 4 * 1_048_576;
/** Bits of a file's mode by which somebody beside its owner and the readers of its group could use it. */
const MODE_FORBIDDEN = 0o027;
const FAULTS_SHOWN_MAX = 10;

/** What the secrets tell about themselves; a pino logger fits. */
export interface SecretsLogger {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A secrets file that cannot be used, with what to do about it. */
export class SecretsError extends Error {
  /** @param message - one or more sentences. */
  constructor(message: string) {
    super(message);
    this.name = 'SecretsError';
  }
}

/** The keys of every instance, by its name. */
export class Secrets {
  readonly #path: string;
  #keys: ReadonlyMap<string, DatagramKeys>;
  #print: string;

  private constructor(path: string, keys: ReadonlyMap<string, DatagramKeys>, print: string) {
    this.#path = path;
    this.#keys = keys;
    this.#print = print;
  }

  /**
   * Reads the file for the first time.
   * @throws SecretsError that says what is wrong with it.
   */
  static async open(path: string): Promise<Secrets> {
    const print = await printOf(path);
    return new Secrets(path, await readKeys(path), print);
  }

  /** How many instances there are secrets of. */
  get size(): number {
    return this.#keys.size;
  }

  /** @returns the keys of an instance; undefined for one that has no secret here. */
  keysOf(name: string): DatagramKeys | undefined {
    return this.#keys.get(name);
  }

  /**
   * Reads the file again if it has changed since.
   * @param logger - what became of it goes there.
   */
  async refresh(logger: SecretsLogger): Promise<void> {
    try {
      const print = await printOf(this.#path);
      if (print === this.#print) return;
      // Whatever comes of it, the same file is not complained of again.
      this.#print = print;
      this.#keys = await readKeys(this.#path);
      logger.info({ instances: this.size }, 'The secrets file was read again.');
    } catch (error) {
      logger.error({ err: error }, 'The secrets file cannot be used; the secrets that were read last hold.');
    }
  }
}

/** Changes whenever the file does, also when another one takes its place. */
async function printOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function readKeys(path: string): Promise<ReadonlyMap<string, DatagramKeys>> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & MODE_FORBIDDEN) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw new SecretsError(
        `The secrets file ${path} has the mode ${shown}, by which others can use it. Give it the mode 0600, or 0640 for readers of its group.`,
      );
    }
    if (size > FILE_OCTETS_MAX) {
      throw new SecretsError(`The secrets file ${path} is longer than ${FILE_OCTETS_MAX} bytes. Divide it.`);
    }
    return parseSecrets(await readFile(path, 'utf8'), path);
  } catch (error) {
    throw error instanceof SecretsError ? error : unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): SecretsError {
  const { code } = error as NodeJS.ErrnoException;
  return new SecretsError(
    `The secrets file ${path} cannot be read (${code}). Mend LICTOR_UDP_SECRETS_FILE or the file's permissions.`,
  );
}

/**
 * Reads the text of a secrets file: on each line a name, blanks, and the secret; empty lines and lines that
 * begin with `#` do not count.
 *
 * @param path - for the messages, which never repeat a secret.
 * @throws SecretsError that names every line at fault.
 */
export function parseSecrets(text: string, path: string): ReadonlyMap<string, DatagramKeys> {
  const keys = new Map<string, DatagramKeys>();
  const faults: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [name, secret, ...rest] = line.trim().split(/[ \t]+/);
    if (name === undefined || name === '' || name.startsWith('#')) continue;
    const fault = faultOf(name, secret, rest.length, keys);
    if (fault !== null) faults.push(`line ${index + 1} ${fault}`);
    else keys.set(name, deriveKeys(secret!, name));
  }
  if (faults.length > 0) {
    const shown = faults.slice(0, FAULTS_SHOWN_MAX).join('; ');
    throw new SecretsError(
      `The secrets file ${path} cannot be used: ${shown}${faults.length > FAULTS_SHOWN_MAX ? ' …' : ''}.`,
    );
  }
  return keys;
}

function faultOf(
  name: string,
  secret: string | undefined,
  more: number,
  known: ReadonlyMap<string, unknown>,
): string | null {
  if (!isInstanceName(name)) return 'does not begin with the name of an instance';
  if (known.has(name)) return `names "${name}" a second time`;
  if (secret === undefined || more > 0) return 'must be a name, a blank and a secret';
  if (!/^[\x21-\x7e]+$/.test(secret)) return 'has a secret with other than visible ASCII characters';
  if (secret.length < SECRET_LENGTH_MIN) return `has a secret of fewer than ${SECRET_LENGTH_MIN} characters`;
  if (secret.length > SECRET_LENGTH_MAX) return `has a secret of more than ${SECRET_LENGTH_MAX} characters`;
  return null;
}
