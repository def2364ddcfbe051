/** Key files for tests, signed with a key of known bytes so that they never change. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { parseApplicationFile } from '../../src/domain/applications/applicationfiles.ts';
import { signSections } from '../../src/domain/applications/applicationsignatures.ts';
import { parseKeyFile } from '../../src/domain/keys/keyfiles.ts';
import { keyId, publicKeyText, signKeyFile, withAuthorization } from '../../src/domain/keys/signatures.ts';

/** The ID under which the tests' signing key is trusted. */
export const SIGNING_KEY_ID = 'acme-2026';

function keyOf(byte: number): KeyObject {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  const key = Buffer.concat([prefix, Buffer.alloc(32, byte)]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

/** The private key whose 32 bytes are 7, as in the test vectors of `docs/keys.md`. */
export const testSigningKey = keyOf(7);

/** What `LICTOR_TRUSTED_KEYS` would hold. */
export const TRUSTED = new Map([[SIGNING_KEY_ID, publicKeyText(testSigningKey)]]);

/** A key file as text, with the ID that its key has. */
export interface TestKeyFile {
  readonly text: string;
  readonly id: string;
}

/** Fields of `[License]` by keyword; null leaves one out. */
export type KeyFileFields = Readonly<Record<string, string | number | null>>;

function render(fields: KeyFileFields, sections: string): string {
  const entries = {
    CustomerName: 'Example Clinic',
    OrderNumber: 100200301,
    ExpirationDate: '12/31/2099',
    Product: 'Example Server',
    LicenseType: 'Concurrent User',
    Server: 'Multi',
    AuthorizedUnits: 5,
    ...fields,
  };
  const lines = Object.entries(entries)
    .filter(([, value]) => value !== null)
    .map(([keyword, value]) => `${keyword}=${value}`);
  return `[ConfigFile]\nFileType=Lictor License 1\n\n[License]\n${lines.join('\n')}\n${sections}`;
}

/**
 * Makes a signed key file: five units, multi-server, without an end that matters.
 * @param fields - other fields of `[License]`.
 * @param sections - further sections as text.
 */
export function signedKeyFile(fields: KeyFileFields = {}, sections = ''): TestKeyFile {
  const parsed = parseKeyFile(Buffer.from(render(fields, sections)));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  const text = withAuthorization(parsed.file, signKeyFile(parsed.file, SIGNING_KEY_ID, testSigningKey));
  return { text, id: idOf(text) };
}

/** A key file whose authorization key is somebody else's. */
export function foreignKeyFile(orderNumber = 300400501): TestKeyFile {
  const text = `[ConfigFile]
FileType=Foreign License 2013.1

[License]
LicenseCapacity=Foreign - Concurrent Users:25, Multi-Server
CustomerName=Example Hospital
OrderNumber=${orderNumber}
ExpirationDate=12/31/2099
AuthorizationKey=9E2500000250000F0B7C1D2A3E4F5061728394A5B6C7
`;
  return { text, id: idOf(text) };
}

/**
 * Signs every section of an application licence with the tests' signing key.
 * @param text - a licence file in order.
 */
export function signedApplicationFile(text: string): string {
  const parsed = parseApplicationFile(Buffer.from(text));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return signSections(parsed, parsed.sections, SIGNING_KEY_ID, testSigningKey);
}

function idOf(text: string): string {
  const parsed = parseKeyFile(Buffer.from(text));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return keyId(parsed.file);
}
