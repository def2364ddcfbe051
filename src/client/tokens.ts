/**
 * The access token of a client: fixed, or from a file that may be replaced while the client runs, as a mounted
 * secret is. Its text goes into one header and nowhere else.
 */

import { readFile, stat } from 'node:fs/promises';

/** How long a file is not looked at again, unless its token was refused. */
const LOOK_INTERVAL_MS = 1_000;
const FILE_BYTES_MAX = 16_384;
/** What a header can hold without quoting; every token of Lictor's is of this form. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/** Where the token comes from. */
export interface TokenSource {
  /**
   * The token to send now.
   *
   * @returns the text; null when the client has none.
   * @throws Error naming the file, when it cannot be read and never could.
   */
  current(): Promise<string | null>;
  /**
   * Reads the file again after a token was refused.
   *
   * @param refused - the token that was refused.
   * @returns whether there is another one now.
   */
  refresh(refused: string | null): Promise<boolean>;
}

/**
 * Makes the source of a client's token.
 *
 * @param options.token - the token itself.
 * @param options.tokenFile - or the file that has it, looked at once a second and when its token is refused.
 * @throws TypeError when both are given, or the token is none.
 */
export function createTokenSource(options: {
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
}): TokenSource {
  const { token, tokenFile } = options;
  if (token !== undefined && tokenFile !== undefined) {
    throw new TypeError('Give either token or tokenFile, not both.');
  }
  if (tokenFile !== undefined) return new TokenFile(tokenFile);
  if (token !== undefined && !TOKEN.test(token)) {
    throw new TypeError('The token is empty or has characters that no token has, such as a space.');
  }
  return { current: async () => token ?? null, refresh: async () => false };
}

class TokenFile implements TokenSource {
  readonly #file: string;
  #token: string | null = null;
  /** What tells one content of the file from another: time, size and number of the file. */
  #stamp = '';
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;

  constructor(file: string) {
    this.#file = file;
  }

  async current(): Promise<string | null> {
    if (performance.now() - this.#lookedAtMs >= LOOK_INTERVAL_MS) await this.#look(false);
    return this.#token;
  }

  async refresh(refused: string | null): Promise<boolean> {
    // Another call may have found the new one meanwhile.
    if (this.#token === refused) await this.#look(true);
    return this.#token !== refused;
  }

  /** Calls that need the file at the same time look at it once. */
  #look(isForced: boolean): Promise<void> {
    this.#looking ??= this.#read(isForced).finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #read(isForced: boolean): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#file);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (isForced || stamp !== this.#stamp) {
        if (size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
        const text = (await readFile(this.#file, 'utf8')).trim();
        if (!TOKEN.test(text)) throw new Error('it holds no token');
        this.#token = text;
        this.#stamp = stamp;
      }
    } catch (error) {
      // While the file is being replaced it may be missing or empty; the token from before is still good.
      if (this.#token === null) throw unreadable(this.#file, error as NodeJS.ErrnoException);
    }
    this.#lookedAtMs = performance.now();
  }
}

/** A token file that cannot be read, or holds no token. Nothing of what it holds is in the message. */
export class TokenFileError extends Error {
  override name = 'TokenFileError';
}

function unreadable(file: string, error: NodeJS.ErrnoException): TokenFileError {
  return new TokenFileError(
    `The token file ${file} cannot be used: ${error.code ?? error.message}. It must hold the token, and be readable for this process.`,
  );
}
