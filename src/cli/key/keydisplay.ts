/** How `lictor key inspect` shows a key file to people. */
import { licenseField } from '../../domain/keys/keyfields.ts';
import type { KeyFile } from '../../domain/keys/keyfiles.ts';
import {
  type KeyStatus,
  type KeyVerdict,
  keyId,
  type LicenseKey,
  versionWords,
} from '../../domain/keys/keys.ts';

/** What is known of a key file besides its content. */
export interface KeyFindings {
  readonly verdict: KeyVerdict;
  readonly status: KeyStatus | null;
  /** Whether a list of trusted signing keys was given at all. */
  readonly trustAsked: boolean;
}

/**
 * The key file as aligned lines of text.
 *
 * @param file - a parsed key file; the parser has refused control characters, so its values can be printed.
 * @param findings - the verdict and the state.
 */
export function describeKey(file: KeyFile, findings: KeyFindings): string {
  const { verdict, status } = findings;
  const fields = (keyword: string): [string, string] => [keyword, licenseField(file, keyword) ?? ''];
  const rows: [string, string][] = [
    ['Key', keyId(file)],
    ...FIELDS.map(fields).filter(([keyword, value]) => value !== '' || ALWAYS.has(keyword)),
    ...(verdict.ok ? [['Versions', versionWords(verdict.key)] as [string, string]] : []),
    ['Trust', trustWords(findings)],
    ...(status === null ? [] : [['State', `${status.status}: ${status.reason}`] as [string, string]]),
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  const lines = rows.map(([label, value]) => `${`${label}:`.padEnd(width)}${value}`.trimEnd());
  for (const section of file.sections) {
    if (section.kind === 'config' || section.kind === 'license') continue;
    lines.push('', `[${section.name}]${section.kind === 'protected' ? ' (protected)' : ''}`);
    for (const { keyword, value } of section.entries) lines.push(`  ${keyword}=${value}`);
  }
  if (verdict.ok) for (const notice of verdict.notices) lines.push('', `Notice: ${notice}`);
  return `${lines.join('\n')}\n`;
}

/** In the order in which they are shown. */
const FIELDS = [
  'LicenseCapacity',
  'CustomerName',
  'OrderNumber',
  'NotBefore',
  'ExpirationDate',
  'Product',
  'LicenseType',
  'Server',
  'AuthorizedUnits',
  'EnforcedUnits',
  'AuthorizedCores',
  'MaxConnections',
  'Features',
  'AuthorizationKey',
  'MachineID',
  'LicenseID',
];

/** Shown even when empty, as the portal and CKEY do. */
const ALWAYS: ReadonlySet<string> = new Set([
  'CustomerName',
  'OrderNumber',
  'ExpirationDate',
  'AuthorizationKey',
]);

function trustWords({ verdict, trustAsked }: KeyFindings): string {
  if (verdict.ok) return verifiedWords(verdict.key);
  if (verdict.code === 'key-unverified') {
    return 'unverified: there is no ed25519 signature. A server needs its terms stated, and unverified keys allowed.';
  }
  if (!trustAsked && verdict.code === 'key-untrusted')
    return 'signed, not checked: no --trusted keys were given.';
  return `refused: ${verdict.reason}`;
}

function verifiedWords(key: LicenseKey): string {
  return `verified: signed by ${key.signingKeyId}`;
}
