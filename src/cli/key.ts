/**
 * `lictor key`: makes signing keys, signs key files, shows and verifies them. It works on files alone and needs
 * no server, so that a signing key can live on a machine that has no network.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { parseArgs } from 'node:util';
import { isTimeZone } from '../domain/keydates.ts';
import { faultWords, type KeyFault, quoted } from '../domain/keyfaults.ts';
import { checkSignedFields, licenseField, unknownEntries } from '../domain/keyfields.ts';
import { type KeyFile, parseKeyFile } from '../domain/keyfiles.ts';
import { type KeyStatus, type KeyVerdict, keyId, keyStatus, readKey } from '../domain/keys.ts';
import {
  claimsSignature,
  isSigningKeyId,
  parseRevoked,
  parseTrustedKeys,
  publicKeyText,
  signKeyFile,
  type TrustedKeys,
  verifyKeyFile,
  withAuthorization,
} from '../domain/signatures.ts';
import { describeKey } from './keydisplay.ts';
import { KEY_HELP } from './keyhelp.ts';

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
const KEY_EXIT = { done: 0, refused: 1, usage: 2 } as const;

/** A message for the person at the terminal that ends the command. */
class CommandFault extends Error {
  readonly exit: number;
  readonly hint: string;

  constructor(exit: number, message: string, hint: string) {
    super(message);
    this.exit = exit;
    this.hint = hint;
  }
}

/**
 * Runs `lictor key …`.
 *
 * @param args - what follows the word `key`.
 * @param io - files, output and clock.
 * @returns the exit status (`KEY_EXIT`); never rejects for anything a user can cause.
 */
export async function runKeyCommand(args: string[], io: KeyCommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    if (name !== undefined) {
      io.stdout(KEY_HELP.overview);
      return KEY_EXIT.done;
    }
    io.stderr(KEY_HELP.overview);
    return KEY_EXIT.usage;
  }
  const command = COMMANDS.get(name);
  if (command === undefined) {
    io.stderr(`lictor key: there is no command ${quoted(name)}.\nHint: lictor key --help lists them.\n`);
    return KEY_EXIT.usage;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.stdout(KEY_HELP[name as keyof typeof KEY_HELP]);
    return KEY_EXIT.done;
  }
  try {
    return await command(rest, io);
  } catch (error) {
    if (!(error instanceof CommandFault)) throw error;
    const hint = error.hint === '' ? '' : `Hint: ${error.hint}\n`;
    io.stderr(`lictor key ${name}: ${error.message}\n${hint}`);
    return error.exit;
  }
}

type Command = (args: string[], io: KeyCommandIo) => Promise<number>;

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['generate', generate],
  ['sign', signFile],
  ['inspect', inspect],
  ['verify', verifyFile],
]);

/** The first line of a signing key file, so that `sign` knows under which ID to sign. */
const ID_LINE = 'Lictor signing key ID: ';

async function generate(args: string[], io: KeyCommandIo): Promise<number> {
  const { values } = parse('generate', args, ['id', 'out'], [], 0);
  const id = requireOption(values, 'id', 'Name the signing key, for instance --id acme-2026.');
  const out = requireOption(values, 'out', 'Say where to write it, for instance --out acme-2026.pem.');
  requireSigningKeyId(id);
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' });
  await write(io, out, `${ID_LINE}${id}\n${pem}`, { mode: 0o600, exclusive: true });
  io.stderr(
    `Wrote the private signing key to ${out} (readable by you alone). Keep it secret, keep a copy.\n`,
  );
  io.stderr('Servers that shall trust it need this line (join several keys with commas):\n');
  io.stdout(`LICTOR_TRUSTED_KEYS=${id}:${publicKeyText(privateKey)}\n`);
  return KEY_EXIT.done;
}

async function signFile(args: string[], io: KeyCommandIo): Promise<number> {
  const { values, files } = parse('sign', args, ['signing-key', 'id', 'out'], ['force'], 1);
  const source = files[0] ?? '';
  const signingKeyPath = requireOption(
    values,
    'signing-key',
    'Name the file made by lictor key generate: --signing-key FILE.',
  );
  const file = await readKeyFile(io, source);
  const signingKey = await readSigningKey(io, signingKeyPath, values.id);
  const faults = [...checkSignedFields(file), ...misspelt(file)];
  if (faults.length > 0) throw notInOrder(source, faults);
  if (licenseField(file, 'AuthorizationKey') !== null && values.force !== true) {
    throw new CommandFault(
      KEY_EXIT.refused,
      `${source} already has an AuthorizationKey.`,
      'Remove that line, or sign anew with --force.',
    );
  }
  const signed = withAuthorization(file, signKeyFile(file, signingKey.id, signingKey.key));
  const result = checkSigned(signed, signingKey);
  if (typeof values.out === 'string') {
    await write(io, values.out, signed, { exclusive: values.force !== true });
    io.stderr(`Wrote key ${keyId(result)}, signed by ${signingKey.id}, to ${values.out}.\n`);
  } else {
    io.stdout(signed);
    io.stderr(`Key ${keyId(result)}, signed by ${signingKey.id}.\n`);
  }
  return KEY_EXIT.done;
}

/** Reads the signed text as a server would: nothing leaves this command that a server would refuse. */
function checkSigned(signed: string, signingKey: { readonly id: string; readonly key: KeyObject }): KeyFile {
  const parsed = parseKeyFile(Buffer.from(signed, 'utf8'));
  if (!parsed.ok) throw notInOrder('the signed file', parsed.faults);
  const trusted = new Map([[signingKey.id, publicKeyText(signingKey.key)]]);
  const verdict = verifyKeyFile(parsed.file, trusted, new Set());
  if (verdict.kind === 'verified') return parsed.file;
  throw new CommandFault(KEY_EXIT.refused, `the new signature does not verify (${verdict.kind}).`, '');
}

async function inspect(args: string[], io: KeyCommandIo): Promise<number> {
  const { values, files } = parse('inspect', args, ['trusted', 'revoked', 'time-zone'], ['json'], 1);
  const source = files[0] ?? '';
  const conditions = readConditions(values);
  const parsed = parseKeyFile(await read(io, source));
  if (!parsed.ok) {
    if (values.json !== true) throw notInOrder(source, parsed.faults);
    io.stdout(`${JSON.stringify({ ok: false, faults: parsed.faults }, null, 2)}\n`);
    return KEY_EXIT.refused;
  }
  const { file } = parsed;
  const verdict = readKey(file, conditions);
  const status = verdict.ok ? keyStatus(verdict.key, io.nowMs(), conditions.revoked) : null;
  // Without a list of trusted keys nothing was asked about trust, and an unknown signer is no finding.
  const unasked = values.trusted === undefined && claimsSignature(file);
  if (values.json === true) {
    io.stdout(`${JSON.stringify(jsonReport(file, verdict, status), null, 2)}\n`);
  } else {
    io.stdout(describeKey(file, { verdict, status, trustAsked: !unasked }));
  }
  return !verdict.ok && verdict.code === 'key-file-invalid' ? KEY_EXIT.refused : KEY_EXIT.done;
}

function jsonReport(file: KeyFile, verdict: KeyVerdict, status: KeyStatus | null) {
  return {
    ok: true,
    id: keyId(file),
    encoding: file.encoding,
    sections: file.sections.map(({ name, kind, line, entries }) => ({ name, kind, line, entries })),
    verdict,
    status,
  };
}

async function verifyFile(args: string[], io: KeyCommandIo): Promise<number> {
  const { values, files } = parse('verify', args, ['trusted', 'revoked', 'time-zone'], [], 1);
  requireOption(values, 'trusted', 'Give what LICTOR_TRUSTED_KEYS would hold: --trusted "id:publickey".');
  const source = files[0] ?? '';
  const conditions = readConditions(values);
  const verdict = readKey(await readKeyFile(io, source), conditions);
  if (!verdict.ok) {
    throw new CommandFault(KEY_EXIT.refused, `${source} is not accepted: ${verdict.reason}`, '');
  }
  for (const notice of verdict.notices) io.stderr(`Notice: ${notice}\n`);
  const status = keyStatus(verdict.key, io.nowMs(), conditions.revoked);
  if (status.status === 'invalid')
    throw new CommandFault(KEY_EXIT.refused, `${source}: ${status.reason}`, '');
  io.stdout(`${source}: signed by ${verdict.key.signingKeyId}. ${status.reason}\n`);
  return KEY_EXIT.done;
}

type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

function parse(
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

function requireOption(values: OptionValues, option: string, hint: string): string {
  const value = values[option];
  if (typeof value === 'string' && value !== '') return value;
  throw new CommandFault(KEY_EXIT.usage, `--${option} is missing.`, hint);
}

function requireSigningKeyId(id: string): void {
  if (isSigningKeyId(id)) return;
  throw new CommandFault(
    KEY_EXIT.usage,
    `${quoted(id)} is not a signing key ID.`,
    'Use 1 to 32 characters of a-z, 0-9 and the hyphen, for instance acme-2026.',
  );
}

function readConditions(values: OptionValues) {
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

async function read(io: KeyCommandIo, path: string): Promise<Uint8Array> {
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

async function write(
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

async function readKeyFile(io: KeyCommandIo, path: string): Promise<KeyFile> {
  const parsed = parseKeyFile(await read(io, path));
  if (parsed.ok) return parsed.file;
  throw notInOrder(path, parsed.faults);
}

function notInOrder(path: string, faults: readonly KeyFault[]): CommandFault {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  const lines = faults.map((found) => `  ${faultWords(found)}`);
  return new CommandFault(KEY_EXIT.refused, `${path} has ${count}:\n${lines.join('\n')}`, '');
}

/** Unknown keywords are refused when a key is *made*: a misspelt limit would silently not limit. */
function misspelt(file: KeyFile): KeyFault[] {
  return unknownEntries(file).map(({ keyword, line }) => ({
    line,
    code: 'keyword-unknown',
    message: `The keyword ${quoted(keyword)} has no meaning there.`,
    mend: 'Correct it, remove it, or put it into an application section.',
  }));
}

async function readSigningKey(
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
