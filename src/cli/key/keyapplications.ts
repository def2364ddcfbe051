/** `lictor key sign`, `verify` and `inspect` on application licences (F-71, F-73): one signature for each section. */
import {
  type ApplicationFileSection,
  type ApplicationFileVerdict,
  parseApplicationFile,
} from '../../domain/applications/applicationfiles.ts';
import { unitsOfValue } from '../../domain/applications/applications.ts';
import {
  signatureFault,
  signSections,
  verifySection,
} from '../../domain/applications/applicationsignatures.ts';
import { decodeText, splitLines } from '../../domain/keys/keytext.ts';
import { publicKeyText, type SignatureVerdict } from '../../domain/keys/signatures.ts';
import {
  CommandFault,
  KEY_EXIT,
  type KeyCommandIo,
  notInOrder,
  type OptionValues,
  readConditions,
  readSigningKey,
  write,
} from './keyinput.ts';

/** A file as the command line names it. */
interface NamedFile {
  readonly source: string;
  readonly bytes: Uint8Array;
  readonly values: OptionValues;
}

/**
 * Whether a file is an application licence rather than a key file: it has sections, and neither of the two that
 * every key file has.
 *
 * @param bytes - the content of the file.
 */
export function holdsApplications(bytes: Uint8Array): boolean {
  const decoded = decodeText(bytes);
  if ('code' in decoded) return false;
  const headers = splitLines(decoded.text).filter(({ content }) => /^[ \t]*\[/.test(content));
  return (
    headers.length > 0 &&
    !headers.some(({ content }) => /^[ \t]*\[[ \t]*(ConfigFile|License)\b/i.test(content))
  );
}

/**
 * Signs every section of a file, or the one that `--section` names.
 *
 * @returns the exit status.
 * @throws {CommandFault} when the file is not in order, or is signed already and `--force` was not given.
 */
export async function signApplications(
  { source, bytes, values }: NamedFile,
  io: KeyCommandIo,
): Promise<number> {
  const signingKey = await readSigningKey(io, String(values['signing-key']), values.id);
  const file = sectionsIn(source, bytes, values);
  const signedBefore = file.sections.find(({ signature }) => signature !== null);
  if (signedBefore !== undefined && values.force !== true) {
    throw new CommandFault(
      KEY_EXIT.refused,
      `[${signedBefore.name}] in ${source} already has an AuthorizationKey.`,
      'Remove that line, or sign anew with --force.',
    );
  }
  const signed = signSections(file, file.sections, signingKey.id, signingKey.key);
  // Nothing leaves this command that a server would refuse.
  const trusted = new Map([[signingKey.id, publicKeyText(signingKey.key)]]);
  for (const section of sectionsIn('the signed file', Buffer.from(signed), values).sections) {
    const found = signatureFault(section, { trusted, revoked: new Set(), signatureRequired: true });
    if (found !== null) throw notInOrder('the signed file', [found]);
  }
  const names = file.sections.map(({ name }) => `[${name}]`).join(', ');
  if (typeof values.out === 'string') {
    await write(io, values.out, signed, { exclusive: values.force !== true });
    io.stderr(`Wrote ${names}, signed by ${signingKey.id}, to ${values.out}.\n`);
  } else {
    io.stdout(signed);
    io.stderr(`${names}, signed by ${signingKey.id}.\n`);
  }
  return KEY_EXIT.done;
}

/**
 * Tells whether every section, or the one that `--section` names, is signed by a trusted key and unaltered.
 *
 * @returns the exit status.
 * @throws {CommandFault} when it is not, with every reason.
 */
export async function verifyApplications(
  { source, bytes, values }: NamedFile,
  io: KeyCommandIo,
): Promise<number> {
  const conditions = { ...readConditions(values), signatureRequired: true };
  const { sections } = sectionsIn(source, bytes, values);
  const faults = sections.flatMap((section) => signatureFault(section, conditions) ?? []);
  if (faults.length > 0) throw notInOrder(source, faults);
  for (const section of sections) {
    const verdict = verifySection(section, conditions);
    if (verdict.kind === 'verified')
      io.stdout(`${source}: [${section.name}] signed by ${verdict.signingKeyId}.\n`);
  }
  return KEY_EXIT.done;
}

/**
 * Shows the sections, which of their features are counted, and who signed them.
 *
 * @returns the exit status: refused also where a signature does not fit.
 * @throws {CommandFault} when the file is not in order.
 */
export async function inspectApplications(
  { source, bytes, values }: NamedFile,
  io: KeyCommandIo,
): Promise<number> {
  const conditions = readConditions(values);
  const wanted = typeof values.section === 'string' ? values.section : undefined;
  const parsed = parseApplicationFile(bytes, wanted);
  if (!parsed.ok) {
    if (values.json !== true) throw notInOrder(source, parsed.faults);
    io.stdout(`${JSON.stringify({ ok: false, faults: parsed.faults }, null, 2)}\n`);
    return KEY_EXIT.refused;
  }
  const shown = parsed.sections.map((section) => ({ section, verdict: verifySection(section, conditions) }));
  const altered = shown.some(({ verdict }) => verdict.kind === 'mismatch' || verdict.kind === 'malformed');
  if (values.json === true) {
    const applications = shown.map(({ section, verdict }) => jsonSection(section, verdict));
    io.stdout(`${JSON.stringify({ ok: true, encoding: parsed.encoding, applications }, null, 2)}\n`);
  } else {
    const asked = values.trusted !== undefined;
    io.stdout(shown.map(({ section, verdict }) => describe(section, trustWords(verdict, asked))).join('\n'));
  }
  return altered ? KEY_EXIT.refused : KEY_EXIT.done;
}

function jsonSection({ name, line, entries }: ApplicationFileSection, verdict: SignatureVerdict) {
  return {
    name,
    line,
    signature: verdict.kind === 'foreign' ? { kind: 'unsigned' } : verdict,
    entries: entries.map((entry) => ({ ...entry, units: unitsOfValue(entry.value) })),
  };
}

function describe({ name, entries }: ApplicationFileSection, trust: string): string {
  const width = Math.max(...entries.map(({ keyword }) => keyword.length)) + 2;
  const lines = entries.map(({ keyword, value }) => {
    const counted = unitsOfValue(value) === null ? '' : '  (counted)';
    return `  ${keyword.padEnd(width)}${value}${counted}`.trimEnd();
  });
  return `${[`[${name}]`, ...lines, `  Trust: ${trust}`].join('\n')}\n`;
}

function trustWords(verdict: SignatureVerdict, asked: boolean): string {
  if (verdict.kind === 'foreign') return 'unsigned; a server takes it and shows it as unsigned.';
  if (verdict.kind === 'verified') return `verified: signed by ${verdict.signingKeyId}`;
  // Without a list of trusted keys nothing was asked about trust, and an unknown signer is no finding.
  if (verdict.kind === 'unknown-signer' && !asked) {
    return `signed by ${verdict.signingKeyId}, not checked: no --trusted keys were given.`;
  }
  return `refused: ${verdict.reason}`;
}

function sectionsIn(source: string, bytes: Uint8Array, values: OptionValues) {
  const wanted = typeof values.section === 'string' ? values.section : undefined;
  const parsed: ApplicationFileVerdict = parseApplicationFile(bytes, wanted);
  if (parsed.ok) return parsed;
  throw notInOrder(source, parsed.faults);
}
