/**
 * How a key is made of a parsed key file: whose signature counts, where capacity comes from, and every reason to
 * say no (F-2 to F-8, F-24).
 */
import { CONNECTIONS_PER_UNIT_MAX } from '../counting.ts';
import type { ProblemCode } from '../errors.ts';
import { endOfDayMs, startOfDayMs } from './keydates.ts';
import { type KeyFile, quoted } from './keyfaults.ts';
import {
  checkSignedFields,
  featuresFault,
  findEntry,
  KEY_FIELD_LIMITS,
  licenseField,
  parseFeatures,
  parseKeyDate,
  parseServer,
  parseUnits,
  parseVersion,
  unknownEntries,
  versionWithin,
} from './keyfields.ts';
import type { KeyApplicationSection, KeyConditions, KeyVerdict, LicenseKey, StatedTerms } from './keys.ts';
import { claimsSignature, keyId, type SignatureVerdict, verifyKeyFile } from './signatures.ts';

/** The license types with rules of their own (domain notes 3.3); any other type is kept as it is written. */
export const LICENSE_TYPES = [
  'concurrent-user',
  'power-unit',
  'real-time',
  'core-capacity',
  'c-type',
] as const;

/**
 * Makes a key of a parsed key file, or says why it gives none (F-24). Whether the key is valid *now* is not
 * asked here: an expired key can be read and installed; see `keyStatus`.
 *
 * @param file - what `parseKeyFile` returned.
 * @param conditions - whom to trust, the zone, and the terms stated for an unverified key.
 * @returns the key; or `key-file-invalid` (altered or incomplete), `key-untrusted` (unknown or revoked signing
 * key, revoked key), `key-unverified` (no signature of Lictor's, and not allowed or no terms stated), or
 * `malformed-request` (terms stated wrongly, or for a signed key).
 */
export function readKey(file: KeyFile, conditions: KeyConditions): KeyVerdict {
  const id = keyId(file);
  if (conditions.revoked.has(id)) return refused('key-untrusted', revokedWords(id));
  return claimsSignature(file) ? readSigned(file, id, conditions) : readForeign(file, id, conditions);
}

function readSigned(file: KeyFile, id: string, conditions: KeyConditions): KeyVerdict {
  if (conditions.stated !== undefined) {
    return refused(
      'malformed-request',
      'The key file is signed, so its terms are in it: leave the stated terms out.',
    );
  }
  const signature = verifyKeyFile(file, conditions.trusted, conditions.revoked);
  if (signature.kind !== 'verified') return refused(signatureProblem(signature), signatureWords(signature));
  const faults = checkSignedFields(file);
  const authorised = parseUnits(licenseField(file, 'AuthorizedUnits') ?? '');
  const server = parseServer(licenseField(file, 'Server') ?? '');
  if (faults.length > 0 || authorised === null || server === null) {
    const what = faults.map((found) => found.message).join(' ');
    const reason = `The key is signed but incomplete: ${what} Ask the issuer for a complete key.`;
    return { ok: false, code: 'key-file-invalid', reason, faults };
  }
  const key: LicenseKey = {
    ...fieldsInCommon(file, id, conditions.timeZone),
    product: licenseField(file, 'Product') ?? '',
    licenseType: normaliseLicenseType(licenseField(file, 'LicenseType') ?? ''),
    server,
    unitsAuthorised: authorised,
    unitsEnforced: parseUnits(licenseField(file, 'EnforcedUnits') ?? '') ?? authorised,
    ...coresOf(parseUnits(licenseField(file, 'AuthorizedCores') ?? '')),
    features: parseFeatures(licenseField(file, 'Features')),
    trust: 'verified',
    signingKeyId: signature.signingKeyId,
  };
  const notices = unknownEntries(file).map(
    ({ keyword, line }) =>
      `Line ${line}: the keyword ${quoted(keyword)} is not known to this version and has no effect.`,
  );
  return { ok: true, key, notices };
}

function readForeign(file: KeyFile, id: string, conditions: KeyConditions): KeyVerdict {
  const { stated } = conditions;
  const isUnsigned = licenseField(file, 'AuthorizedUnits') !== null;
  const hint = isUnsigned ? ' It looks like a key that was never signed: `lictor key sign` signs it.' : '';
  if (!conditions.allowUnverified) {
    return refused(
      'key-unverified',
      `The key file has no ed25519 signature, and this server accepts no unverified keys. Install a signed key, or have unverified keys allowed in the configuration (LICTOR_ALLOW_UNVERIFIED_KEYS).${hint}`,
    );
  }
  if (stated === undefined) {
    return refused(
      'key-unverified',
      `The key file has no ed25519 signature, so its capacity cannot be read from it (LicenseCapacity is display text). State its terms: units, license type, and server (single or multi).${hint}`,
    );
  }
  const wrong = statedFaults(stated);
  if (wrong.length > 0) {
    return refused('malformed-request', `The stated terms cannot be used: ${wrong.join('; ')}.`);
  }
  const common = fieldsInCommon(file, id, conditions.timeZone);
  const key: LicenseKey = {
    ...common,
    product: stated.product ?? '',
    licenseType: normaliseLicenseType(stated.licenseType),
    server: stated.server,
    unitsAuthorised: stated.units,
    unitsEnforced: stated.unitsEnforced ?? stated.units,
    // Whatever bears on capacity is never taken from a file that proves nothing.
    connectionsPerUnitMax: CONNECTIONS_PER_UNIT_MAX,
    ...coresOf(stated.cores ?? null),
    features: [...(stated.features ?? [])],
    versionFrom: stated.versionFrom ?? common.versionFrom,
    versionTo: stated.versionTo ?? common.versionTo,
    trust: 'unverified',
    signingKeyId: null,
  };
  const notices = [
    'The key is unverified: its units, type and features are those stated, not proven by a signature.',
  ];
  return { ok: true, key, notices };
}

/** A key that names no cores has no such member. */
function coresOf(cores: number | null): Pick<LicenseKey, 'cores'> {
  return cores === null ? {} : { cores };
}

function refused(code: ProblemCode, reason: string): KeyVerdict {
  return { ok: false, code, reason, faults: [] };
}

function signatureProblem(verdict: SignatureVerdict): ProblemCode {
  return verdict.kind === 'unknown-signer' || verdict.kind === 'revoked-signer'
    ? 'key-untrusted'
    : 'key-file-invalid';
}

function signatureWords(verdict: SignatureVerdict): string {
  return 'reason' in verdict ? verdict.reason : '';
}

function revokedWords(id: string): string {
  return `The key ${id} is revoked. Install its replacement, or ask the issuer for one.`;
}

/** What is read alike from every key file. */
function fieldsInCommon(file: KeyFile, id: string, timeZone: string) {
  const date = (keyword: string) => {
    const verdict = parseKeyDate(licenseField(file, keyword) ?? '');
    return verdict.ok ? verdict.date : null;
  };
  const notBeforeDate = date('NotBefore');
  const expirationDate = date('ExpirationDate');
  const perUnit = parseUnits(
    licenseField(file, 'MaxConnections') ?? '',
    KEY_FIELD_LIMITS.connectionsPerUnitMax,
  );
  return {
    id,
    orderNumber: licenseField(file, 'OrderNumber') ?? '',
    customerName: licenseField(file, 'CustomerName') ?? '',
    generation: generationOf(findEntry(file, 'ConfigFile', 'FileType')?.value ?? ''),
    versionFrom: licenseField(file, 'VersionFrom'),
    versionTo: licenseField(file, 'VersionTo'),
    notBeforeDate,
    expirationDate,
    validFromMs: notBeforeDate === null ? null : startOfDayMs(notBeforeDate, timeZone),
    validThroughMs: expirationDate === null ? null : endOfDayMs(expirationDate, timeZone),
    machineId: licenseField(file, 'MachineID'),
    licenseId: licenseField(file, 'LicenseID'),
    licenseCapacity: licenseField(file, 'LicenseCapacity') ?? '',
    enforcement: 'central' as const,
    connectionsPerUnitMax: perUnit ?? CONNECTIONS_PER_UNIT_MAX,
    sections: applicationSections(file),
  };
}

function applicationSections(file: KeyFile): KeyApplicationSection[] {
  return file.sections.flatMap(({ name, kind, entries }) =>
    kind === 'protected' || kind === 'other'
      ? [{ name, kind, entries: entries.map(({ keyword, value }) => [keyword, value] as const) }]
      : [],
  );
}

/** The version part of FileType (domain notes 2.4, KeyVersion): what follows the word License. */
function generationOf(fileType: string): string | null {
  return /(?:^|\s)License\s+(\S.*)$/.exec(fileType)?.[1] ?? null;
}

/**
 * The license type in the form decisions compare: "Concurrent User", "concurrent users" and "CONCURRENT-USER"
 * are `concurrent-user`. A type without rules of its own keeps its text.
 *
 * @param text - as written in a key file or stated.
 */
export function normaliseLicenseType(text: string): string {
  const written = text
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, '-');
  const singular = written.replace(/(user|unit)s$/, '$1');
  return LICENSE_TYPES.find((type) => type === singular) ?? text.trim();
}

/** What is wrong with stated terms, as pieces of a sentence. */
function statedFaults(stated: StatedTerms): string[] {
  const faults: string[] = [];
  const { units, unitsEnforced } = stated;
  const { unitsMax, licenseTypeCharactersMax } = KEY_FIELD_LIMITS;
  const isCount = (count: number) => Number.isInteger(count) && count >= 1 && count <= unitsMax;
  if (!isCount(units)) faults.push(`units must be a whole number from 1 to ${unitsMax}`);
  if (unitsEnforced !== undefined && !(isCount(unitsEnforced) && unitsEnforced >= units)) {
    faults.push(`unitsEnforced must be a whole number from units to ${unitsMax}`);
  }
  if (stated.cores !== undefined && !isCount(stated.cores)) {
    faults.push(`cores must be a whole number from 1 to ${unitsMax}`);
  }
  const type = stated.licenseType.trim();
  if (type === '' || type.length > licenseTypeCharactersMax) {
    faults.push(`licenseType must have 1 to ${licenseTypeCharactersMax} characters`);
  }
  if (stated.server !== 'single' && stated.server !== 'multi') faults.push('server must be single or multi');
  const features = featuresFault(stated.features ?? []);
  if (features !== null) faults.push(`features ${features}`);
  return [...faults, ...statedVersionFaults(stated)];
}

function statedVersionFaults({ versionFrom, versionTo }: StatedTerms): string[] {
  const faults: string[] = [];
  const lowest = versionFrom === undefined ? null : parseVersion(versionFrom);
  const highest = versionTo === undefined ? null : parseVersion(versionTo);
  if (versionFrom !== undefined && lowest === null) faults.push('versionFrom must be a dotted number');
  if (versionTo !== undefined && highest === null) faults.push('versionTo must be a dotted number');
  if (lowest !== null && highest !== null && !versionWithin(lowest, highest)) {
    faults.push('versionFrom must not be higher than versionTo');
  }
  return faults;
}
