/**
 * Signatures of key files: Ed25519 (RFC 8032) over a canonical text, so that a file may change its line ends,
 * its encoding and its comments on the way and still be the same key, while no value can change unnoticed.
 * The format is described in `docs/keys.md`, well enough to implement it elsewhere. Pure: Ed25519 signatures
 * are deterministic, and signing keys are made in `cli/key/key.ts`, since that needs randomness.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { type KeyFile, quoted } from './keyfaults.ts';
import { findEntry, licenseField } from './keyfields.ts';
import { splitLines, withLine } from './keytext.ts';

/** The first line of every canonical text: a signature made for something else can never fit a key file. */
const CANONICAL_HEADER = 'lictor-key-v1';

const AUTHORIZATION_PREFIX = 'ed25519:';

const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Bounds of the configured lists. */
const SIGNING_KEYS_MAX = 100;
const REVOCATIONS_MAX = 10_000;

/** The public keys that are trusted, by signing key ID; each is the raw 32 bytes in base64url. */
export type TrustedKeys = ReadonlyMap<string, string>;

/** Whether a text may be a signing key ID: 1 to 32 characters of a-z, 0-9 and the hyphen. */
export function isSigningKeyId(text: string): boolean {
  return /^[a-z0-9-]{1,32}$/.test(text);
}

/**
 * The text that is signed: a fixed first line, then every section and every entry in the order of the file,
 * as `[name]` and `keyword=value`, each line ended by one LF. Only `AuthorizationKey` of `[License]` is left out.
 *
 * @param file - a parsed key file.
 * @returns the canonical text; its UTF-8 bytes are what is signed.
 */
export function canonicalText(file: KeyFile): string {
  return render(file, false);
}

/**
 * The identity of a key file by content: the same key gives the same ID however its lines end, and any change
 * of a value or of the signature gives another one.
 *
 * @param file - a parsed key file.
 * @returns `<orderNumber>-<first 8 hexadecimal digits of SHA-256>`, safe in a URL.
 */
export function keyId(file: KeyFile): string {
  const digest = createHash('sha256').update(render(file, true), 'utf8').digest('hex');
  return `${licenseField(file, 'OrderNumber') ?? '0'}-${digest.slice(0, 8)}`;
}

function render(file: KeyFile, withAuthorizationKey: boolean): string {
  const lines = [CANONICAL_HEADER];
  for (const section of file.sections) {
    lines.push(`[${section.name}]`);
    for (const { keyword, value } of section.entries) {
      const isSignature = section.kind === 'license' && keyword === 'AuthorizationKey';
      if (!isSignature || withAuthorizationKey) lines.push(`${keyword}=${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/**
 * Whether the file claims a signature of Lictor's kind. A file that does not is a *foreign* key: its
 * authorization key is somebody else's and cannot be checked here.
 */
export function claimsSignature(file: KeyFile): boolean {
  return licenseField(file, 'AuthorizationKey')?.startsWith(AUTHORIZATION_PREFIX) ?? false;
}

/**
 * Signs a key file.
 *
 * @param file - a parsed key file; an authorization key in it has no influence.
 * @param signingKeyId - the ID under which the public key is trusted.
 * @param privateKey - an Ed25519 private key.
 * @returns the value for `AuthorizationKey`: `ed25519:<signing key ID>:<base64url signature>`.
 */
export function signKeyFile(file: KeyFile, signingKeyId: string, privateKey: KeyObject): string {
  return signText(canonicalText(file), signingKeyId, privateKey);
}

/**
 * Signs a canonical text.
 *
 * @param text - the text; its UTF-8 bytes are signed. Its first line must say what it is for.
 * @param signingKeyId - the ID under which the public key is trusted.
 * @param privateKey - an Ed25519 private key.
 * @returns `ed25519:<signing key ID>:<base64url signature>`.
 */
export function signText(text: string, signingKeyId: string, privateKey: KeyObject): string {
  const signature = sign(null, Buffer.from(text, 'utf8'), privateKey);
  return `${AUTHORIZATION_PREFIX}${signingKeyId}:${signature.toString('base64url')}`;
}

/**
 * Puts an authorization key into the text of a key file, in place of the one it has or after the last entry of
 * `[License]`. All other lines, comments included, stay as they are.
 *
 * @param file - a parsed key file.
 * @param authorization - the value to set.
 * @returns the new text; to be written as UTF-8.
 */
export function withAuthorization(file: KeyFile, authorization: string): string {
  const license = file.sections.find((section) => section.kind === 'license');
  const present = findEntry(file, 'License', 'AuthorizationKey');
  const content = `AuthorizationKey=${authorization}`;
  if (present !== undefined) return withLine(file.text, content, { replace: present.line });
  const after = license?.entries.at(-1)?.line ?? license?.line ?? splitLines(file.text).length;
  return withLine(file.text, content, { after });
}

/** What became of checking a signature. */
export type SignatureVerdict =
  | { readonly kind: 'verified'; readonly signingKeyId: string }
  /** There is no signature of Lictor's kind. */
  | { readonly kind: 'foreign' }
  | {
      readonly kind: 'malformed' | 'unknown-signer' | 'revoked-signer' | 'mismatch';
      readonly signingKeyId: string | null;
      readonly reason: string;
    };

/**
 * Checks the signature of a key file.
 *
 * @param file - a parsed key file.
 * @param trusted - the trusted public keys.
 * @param revoked - signing key IDs that are trusted no more, even if still listed as trusted.
 * @returns the signing key ID, or why the signature does not hold, in words.
 */
export function verifyKeyFile(
  file: KeyFile,
  trusted: TrustedKeys,
  revoked: ReadonlySet<string>,
): SignatureVerdict {
  if (!claimsSignature(file)) return { kind: 'foreign' };
  const value = licenseField(file, 'AuthorizationKey') ?? '';
  const words = { subject: 'The key', fileWords: 'key file' };
  return verifyAuthorization(value, canonicalText(file), words, { trusted, revoked });
}

/** Whom to believe: the trusted public keys, and the signing key IDs trusted no more even if still listed. */
export interface SignatureConditions {
  readonly trusted: TrustedKeys;
  readonly revoked: ReadonlySet<string>;
}

/**
 * Checks the value of an `AuthorizationKey` against the text that it must fit.
 *
 * @param value - `ed25519:<signing key ID>:<base64url signature>`, as it was found.
 * @param text - the canonical text.
 * @param words - for reasons: what was signed, with its article and a capital, and what its file is called.
 * @param conditions - whom to believe.
 * @returns the signing key ID, or why the signature does not hold, in words; never `foreign`.
 */
export function verifyAuthorization(
  value: string,
  text: string,
  words: { readonly subject: string; readonly fileWords: string },
  { trusted, revoked }: SignatureConditions,
): Exclude<SignatureVerdict, { kind: 'foreign' }> {
  const [scheme, signingKeyId = '', encoded = '', ...rest] = value.split(':');
  const signature = decodeBase64Url(encoded, SIGNATURE_BYTES);
  const wellFormed = `${scheme}:` === AUTHORIZATION_PREFIX && rest.length === 0;
  if (!wellFormed || !isSigningKeyId(signingKeyId) || signature === null) {
    const reason = `The AuthorizationKey ${quoted(value)} is not of the form ed25519:<signing key ID>:<signature>; it was probably cut or altered. Copy the ${words.fileWords} again.`;
    return { kind: 'malformed', signingKeyId: null, reason };
  }
  if (revoked.has(signingKeyId)) {
    const reason = `${words.subject} is signed with the signing key "${signingKeyId}", which is revoked. Ask the issuer for a ${words.fileWords} signed with a current signing key.`;
    return { kind: 'revoked-signer', signingKeyId, reason };
  }
  const publicKey = trusted.get(signingKeyId);
  if (publicKey === undefined) {
    const known = trusted.size === 0 ? 'none is' : `trusted are: ${[...trusted.keys()].join(', ')}`;
    const reason = `${words.subject} is signed with the signing key "${signingKeyId}", which is not trusted here (${known}). Add its public key to the trusted keys, or ask the issuer which one to add.`;
    return { kind: 'unknown-signer', signingKeyId, reason };
  }
  const bytes = Buffer.from(text, 'utf8');
  if (verify(null, bytes, publicKeyObject(publicKey), signature)) return { kind: 'verified', signingKeyId };
  const reason = `The signature by "${signingKeyId}" does not fit the content: the file was changed after it was signed, or "${signingKeyId}" stands for another public key here. Use the original file as issued.`;
  return { kind: 'mismatch', signingKeyId, reason };
}

/**
 * The public half of a signing key in the form it is configured in.
 *
 * @param key - an Ed25519 private or public key.
 * @returns the raw 32 bytes in base64url.
 */
export function publicKeyText(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'jwk' }).x ?? '';
}

/**
 * Reads the list of trusted signing keys: `id:base64url`, separated by commas, blanks or line ends.
 *
 * @param text - the configured text; may be empty.
 * @returns the keys, or all faults in words.
 */
export function parseTrustedKeys(
  text: string,
): { readonly ok: true; readonly keys: TrustedKeys } | { readonly ok: false; readonly faults: string[] } {
  const keys = new Map<string, string>();
  const faults: string[] = [];
  for (const item of splitList(text)) {
    const [id = '', publicKey = '', ...rest] = item.split(':');
    if (rest.length > 0 || publicKey === '') {
      faults.push(`${quoted(item)} is not of the form id:publickey.`);
    } else if (!isSigningKeyId(id)) {
      faults.push(`${quoted(id)} is not a signing key ID (1 to 32 characters of a-z, 0-9 and the hyphen).`);
    } else if (decodeBase64Url(publicKey, PUBLIC_KEY_BYTES) === null) {
      faults.push(
        `The public key of "${id}" is not ${PUBLIC_KEY_BYTES} bytes in base64url (43 characters, without padding).`,
      );
    } else if ((keys.get(id) ?? publicKey) !== publicKey) {
      faults.push(`The signing key ID "${id}" is listed twice, with different public keys.`);
    } else {
      keys.set(id, publicKey);
    }
  }
  if (keys.size > SIGNING_KEYS_MAX) faults.push(`At most ${SIGNING_KEYS_MAX} signing keys can be trusted.`);
  return faults.length === 0 ? { ok: true, keys } : { ok: false, faults };
}

/**
 * Reads the list of what is revoked: signing key IDs and IDs of single keys, separated like the trusted keys.
 *
 * @param text - the configured text; may be empty.
 * @returns the IDs, or all faults in words.
 */
export function parseRevoked(
  text: string,
):
  | { readonly ok: true; readonly ids: ReadonlySet<string> }
  | { readonly ok: false; readonly faults: string[] } {
  const items = splitList(text);
  const faults = items
    .filter((item) => !isSigningKeyId(item))
    .map((item) => `${quoted(item)} is neither a signing key ID nor the ID of a key.`);
  if (items.length > REVOCATIONS_MAX) faults.push(`At most ${REVOCATIONS_MAX} IDs can be revoked.`);
  return faults.length === 0 ? { ok: true, ids: new Set(items) } : { ok: false, faults };
}

function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== '');
}

/** Decodes strictly: exactly this many bytes, and only the one spelling that encodes them. */
function decodeBase64Url(text: string, bytes: number): Buffer | null {
  const decoded = Buffer.from(text, 'base64url');
  return decoded.length === bytes && decoded.toString('base64url') === text ? decoded : null;
}

function publicKeyObject(publicKey: string): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
}
