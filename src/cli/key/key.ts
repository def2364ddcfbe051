/**
 * `lictor key`: makes signing keys, signs key files and application licences, shows and verifies them. It works on
 * files alone and needs no server, so that a signing key can live on a machine that has no network.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type KeyFault, quoted } from '../../domain/keys/keyfaults.ts';
import { checkSignedFields, licenseField, unknownEntries } from '../../domain/keys/keyfields.ts';
import { type KeyFile, parseKeyFile } from '../../domain/keys/keyfiles.ts';
import { type KeyStatus, type KeyVerdict, keyId, keyStatus, readKey } from '../../domain/keys/keys.ts';
import {
  claimsSignature,
  publicKeyText,
  signKeyFile,
  verifyKeyFile,
  withAuthorization,
} from '../../domain/keys/signatures.ts';
import {
  holdsApplications,
  inspectApplications,
  signApplications,
  verifyApplications,
} from './keyapplications.ts';
import { describeKey } from './keydisplay.ts';
import { KEY_HELP } from './keyhelp.ts';
import {
  CommandFault,
  ID_LINE,
  KEY_EXIT,
  type KeyCommandIo,
  notInOrder,
  type OptionValues,
  parse,
  read,
  readConditions,
  readSigningKey,
  requireOption,
  requireSigningKeyId,
  write,
} from './keyinput.ts';

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
  const { values, files } = parse('sign', args, ['signing-key', 'id', 'out', 'section'], ['force'], 1);
  const source = files[0] ?? '';
  const signingKeyPath = requireOption(
    values,
    'signing-key',
    'Name the file made by lictor key generate: --signing-key FILE.',
  );
  const bytes = await read(io, source);
  if (holdsApplications(bytes)) return signApplications({ source, bytes, values }, io);
  const file = keyFileIn(source, bytes, values);
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
  const { values, files } = parse(
    'inspect',
    args,
    ['trusted', 'revoked', 'time-zone', 'section'],
    ['json'],
    1,
  );
  const source = files[0] ?? '';
  const conditions = readConditions(values);
  const bytes = await read(io, source);
  if (holdsApplications(bytes)) return inspectApplications({ source, bytes, values }, io);
  refuseSection(values);
  const parsed = parseKeyFile(bytes);
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
  const { values, files } = parse('verify', args, ['trusted', 'revoked', 'time-zone', 'section'], [], 1);
  requireOption(values, 'trusted', 'Give what LICTOR_TRUSTED_KEYS would hold: --trusted "id:publickey".');
  const source = files[0] ?? '';
  const conditions = readConditions(values);
  const bytes = await read(io, source);
  if (holdsApplications(bytes)) return verifyApplications({ source, bytes, values }, io);
  const verdict = readKey(keyFileIn(source, bytes, values), conditions);
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

/** Unknown keywords are refused when a key is *made*: a misspelt limit would silently not limit. */
function misspelt(file: KeyFile): KeyFault[] {
  return unknownEntries(file).map(({ keyword, line }) => ({
    line,
    code: 'keyword-unknown',
    message: `The keyword ${quoted(keyword)} has no meaning there.`,
    mend: 'Correct it, remove it, or put it into an application section.',
  }));
}

function keyFileIn(path: string, bytes: Uint8Array, values: OptionValues): KeyFile {
  refuseSection(values);
  const parsed = parseKeyFile(bytes);
  if (parsed.ok) return parsed.file;
  throw notInOrder(path, parsed.faults);
}

function refuseSection(values: OptionValues): void {
  if (values.section === undefined) return;
  throw new CommandFault(
    KEY_EXIT.usage,
    'A key file is signed as a whole.',
    'Leave --section out; it chooses a section of an application licence.',
  );
}
