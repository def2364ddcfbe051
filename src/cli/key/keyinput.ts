/** What the commands of `lictor key` share: options, files and the messages that end a command. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { parseArgs } from 'node:util';
import { isTimeZone } from '../../domain/keys/keydates.ts';
import { faultWords, type KeyFault, quoted } from '../../domain/keys/keyfaults.ts';
import {
  isSigningKeyId,
  parseRevoked,
  parseTrustedKeys,
  type TrustedKeys,
} from '../../domain/keys/signatures.ts';

/** What the command touches of the world; a test gives its own. */
export interface KeyCommandIo {
  stdout(text: string): void;
  stderr(text: string): void;
  readFile(path: string): Promise<Uint8Array>;
  /**
   * @param options - `mode`: permission bits of a new file; `exclusive`: reject with code EEXIST when it exists.
   */
  writeFile(
    path: string,
    text: string,
    options: { readonly mode?: number; readonly exclusive: boolean },
  ): Promise<void>;
  /** The current time in milliseconds since 1970. */
  nowMs(): number;
}

/** The exit statuses: done, refused (the file or the key is not in order), and wrong use or unreadable files. */
export const KEY_EXIT = { done: 0, refused: 1, usage: 2 } as const;

/** A message for the person at the terminal that ends the command. */
export class CommandFault extends Error {
  readonly exit: number;
  readonly hint: string;

  constructor(exit: number, message: string, hint: string) {
    super(message);
    this.exit = exit;
    this.hint = hint;
  }
}

/** The first line of a signing key file, so that `sign` knows under which ID to sign. */
export const ID_LINE = 'Lictor signing key ID: ';

/** The options of a command line; those that were not given are absent. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

/**
 * Reads the command line of a command.
 *
 * @param command - its name, for messages.
 * @param args - what follows the name.
 * @param texts - the options that take a value.
 * @param flags - the options that take none.
 * @param fileCount - how many files must be named.
 * @throws {CommandFault} for wrong use.
 */
export function parse(
  command: string,
  args: string[],
  texts: readonly string[],
  flags: readonly string[],
  fileCount: number,
): { values: OptionValues; files: string[] } {
  const usage = `lictor key ${command} --help shows how it is used.`;
  const options = Object.fromEntries([
    ...texts.map((option) => [option, { type: 'string' as const }]),
    ...flags.map((option) => [option, { type: 'boolean' as const }]),
  ]);
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true, strict: true });
    if (positionals.length === fileCount) return { values: values as OptionValues, files: positionals };
    const wanted = fileCount === 0 ? 'No file is expected' : 'One key file is expected';
    throw new CommandFault(KEY_EXIT.usage, `${wanted}, ${positionals.length} given.`, usage);
  } catch (error) {
    if (error instanceof CommandFault) throw error;
    throw new CommandFault(KEY_EXIT.usage, (error as Error).message, usage);
  }
}

/**
 * The value of an option that must be there.
 *
 * @param hint - what to do when it is not.
 * @throws {CommandFault} for wrong use.
 */
export function requireOption(values: OptionValues, option: string, hint: string): string {
  const value = values[option];
  if (typeof value === 'string' && value !== '') return value;
  throw new CommandFault(KEY_EXIT.usage, `--${option} is missing.`, hint);
}

/** @throws {CommandFault} when the text cannot be a signing key ID. */
export function requireSigningKeyId(id: string): void {
  if (isSigningKeyId(id)) return;
  throw new CommandFault(
    KEY_EXIT.usage,
    `${quoted(id)} is not a signing key ID.`,
    'Use 1 to 32 characters of a-z, 0-9 and the hyphen, for instance acme-2026.',
  );
}

/**
 * Whom to trust, by the options `--trusted`, `--revoked` and `--time-zone`.
 *
 * @throws {CommandFault} with everything that is wrong with the three.
 */
export function readConditions(values: OptionValues) {
  const listed = parseTrustedKeys(String(values.trusted ?? ''));
  const revoked = parseRevoked(String(values.revoked ?? ''));
  const timeZone = String(values['time-zone'] ?? 'UTC');
  const faults = [...(listed.ok ? [] : listed.faults), ...(revoked.ok ? [] : revoked.faults)];
  if (!isTimeZone(timeZone)) faults.push(`${quoted(timeZone)} is not a time zone such as Europe/Berlin.`);
  if (faults.length > 0) {
    const hint = 'Trusted keys are written id:publickey, several of them with commas between.';
    throw new CommandFault(KEY_EXIT.usage, faults.join('\n'), hint);
  }
  const trusted: TrustedKeys = listed.ok ? listed.keys : new Map();
  return {
    trusted,
    revoked: revoked.ok ? revoked.ids : new Set<string>(),
    allowUnverified: false,
    timeZone,
  };
}

/**
 * Reads a file.
 *
 * @throws {CommandFault} when that is not possible, with the reason.
 */
export async function read(io: KeyCommandIo, path: string): Promise<Uint8Array> {
  try {
    return await io.readFile(path);
  } catch (error) {
    const words = systemWords(error);
    throw new CommandFault(
      KEY_EXIT.usage,
      `${path} cannot be read: ${words}.`,
      'Check the path and its rights.',
    );
  }
}

/**
 * Writes a file.
 *
 * @param options - as of `KeyCommandIo.writeFile`.
 * @throws {CommandFault} when that is not possible, or the file exists and must not.
 */
export async function write(
  io: KeyCommandIo,
  path: string,
  text: string,
  options: { readonly mode?: number; readonly exclusive: boolean },
): Promise<void> {
  try {
    await io.writeFile(path, text, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      const hint =
        options.mode === undefined
          ? 'Choose another name, or overwrite it with --force.'
          : 'Choose another name; a signing key is never overwritten.';
      throw new CommandFault(KEY_EXIT.usage, `${path} exists already.`, hint);
    }
    const words = systemWords(error);
    throw new CommandFault(
      KEY_EXIT.usage,
      `${path} cannot be written: ${words}.`,
      'Check the path and its rights.',
    );
  }
}

function systemWords(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or directory',
    EACCES: 'permission is denied',
    EISDIR: 'it is a directory',
  };
  return known[code ?? ''] ?? message;
}

/**
 * The end of a command whose file has faults.
 *
 * @param path - the file, as it was named.
 * @param faults - all of them; each becomes a line.
 */
export function notInOrder(path: string, faults: readonly KeyFault[]): CommandFault {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  const lines = faults.map((found) => `  ${faultWords(found)}`);
  return new CommandFault(KEY_EXIT.refused, `${path} has ${count}:\n${lines.join('\n')}`, '');
}

/**
 * Reads a private signing key.
 *
 * @param path - a file as `lictor key generate` writes it, or any PEM.
 * @param idOption - the value of `--id`, which wins over the ID in the file.
 * @throws {CommandFault} when there is no ID or no Ed25519 key; no message quotes any of the file.
 */
export async function readSigningKey(
  io: KeyCommandIo,
  path: string,
  idOption: string | boolean | undefined,
): Promise<{ id: string; key: KeyObject }> {
  const text = Buffer.from(await read(io, path)).toString('utf8');
  const begin = text.indexOf('-----BEGIN');
  const written = text.startsWith(ID_LINE) ? text.slice(ID_LINE.length).split('\n')[0]?.trim() : undefined;
  const id = typeof idOption === 'string' ? idOption : written;
  if (id === undefined) {
    throw new CommandFault(
      KEY_EXIT.usage,
      `${path} does not name its signing key ID.`,
      'Give it with --id, as it is listed in LICTOR_TRUSTED_KEYS.',
    );
  }
  requireSigningKeyId(id);
  const hint = 'It must hold an unencrypted Ed25519 private key in PEM, as lictor key generate writes it.';
  let key: KeyObject;
  try {
    key = createPrivateKey(text.slice(Math.max(begin, 0)));
  } catch {
    // The reason is left out on purpose: messages about a private key must not quote any of it.
    throw new CommandFault(KEY_EXIT.usage, `${path} holds no private key that can be read.`, hint);
  }
  if (key.asymmetricKeyType === 'ed25519') return { id, key };
  throw new CommandFault(KEY_EXIT.usage, `${path} holds a key of type ${key.asymmetricKeyType}.`, hint);
}
