/**
 * Signatures of application licences (F-73): optional, one for each section, by the signing keys of key files
 * (`signatures.ts`), so that a section can be told to be as its issuer wrote it wherever it is copied to. A section
 * without a signature is taken and told to be unsigned; one whose signature does not hold is refused. Pure.
 */
import type { KeyObject } from 'node:crypto';
import { fault, type KeyFaultCode } from '../keys/keyfaults.ts';
import { withLine } from '../keys/keytext.ts';
import {
  type SignatureConditions,
  type SignatureVerdict,
  signText,
  verifyAuthorization,
} from '../keys/signatures.ts';
import {
  type ApplicationFault,
  type ApplicationFileSection,
  type ApplicationFileVerdict,
  parseApplicationFile,
  SIGNATURE_KEYWORD,
  withLegacyCode,
} from './applicationfiles.ts';
import type { ApplicationSection } from './applications.ts';

/** The first line of every canonical text: the signature of a key can never fit a section, nor the reverse. */
const CANONICAL_HEADER = 'lictor-application-v1';

/**
 * The text that is signed: a fixed first line, `[name]`, then every entry as `keyword=value` in the order of the
 * file, each line ended by one LF; the signature is left out.
 *
 * @param section - a section as parsed.
 * @returns the canonical text; its UTF-8 bytes are what is signed.
 */
export function canonicalSection({
  name,
  entries,
}: Pick<ApplicationFileSection, 'name' | 'entries'>): string {
  const lines = entries.map(({ keyword, value }) => `${keyword}=${value}`);
  return `${[CANONICAL_HEADER, `[${name}]`, ...lines].join('\n')}\n`;
}

/**
 * Signs sections of a file; every line but the signatures stays as it is.
 *
 * @param file - a parsed file.
 * @param sections - those of its sections that are to be signed; a signature that is there is replaced.
 * @param signingKeyId - the ID under which the public key is trusted.
 * @param privateKey - an Ed25519 private key.
 * @returns the new text; to be written as UTF-8.
 */
export function signSections(
  file: Extract<ApplicationFileVerdict, { ok: true }>,
  sections: readonly ApplicationFileSection[],
  signingKeyId: string,
  privateKey: KeyObject,
): string {
  // From the end, so that the lines of the sections before stay where they are.
  return [...sections]
    .sort((left, right) => right.line - left.line)
    .reduce((text, section) => {
      const value = signText(canonicalSection(section), signingKeyId, privateKey);
      const after = section.entries.at(-1)?.line ?? section.line;
      const place = section.signature === null ? { after } : { replace: section.signature.line };
      return withLine(text, `${SIGNATURE_KEYWORD}=${value}`, place);
    }, file.text);
}

/**
 * Checks the signature of a section.
 *
 * @param section - a section as parsed.
 * @param conditions - the trusted signing keys, and those revoked.
 * @returns `foreign` when it is not signed; the signing key ID; or why the signature does not hold, in words.
 */
export function verifySection(
  section: ApplicationFileSection,
  conditions: SignatureConditions,
): SignatureVerdict {
  const { signature, name } = section;
  if (signature === null) return { kind: 'foreign' };
  const words = { subject: `The application licence [${name}]`, fileWords: 'licence file' };
  return verifyAuthorization(signature.value, canonicalSection(section), words, conditions);
}

/** A file whose sections may be loaded, or why it may not. */
export type ApplicationVerdict =
  | { readonly ok: true; readonly sections: readonly ApplicationSection[] }
  | { readonly ok: false; readonly faults: readonly ApplicationFault[] };

/** How an application licence is read. */
export interface ApplicationConditions extends SignatureConditions {
  /** The one section to read; absent: all of them. */
  readonly section?: string | undefined;
  /** Whether a section without a signature is refused; false unless told. */
  readonly signatureRequired?: boolean | undefined;
}

/**
 * Reads an application licence and checks the signatures of its sections.
 *
 * @param bytes - the content of the file.
 * @param conditions - which section, and whom to trust.
 * @returns what may be loaded, each section told `verified` or `unsigned`; or every fault with its line. A file
 * gives all its sections or none.
 */
export function readApplicationFile(
  bytes: Uint8Array,
  conditions: ApplicationConditions,
): ApplicationVerdict {
  const parsed = parseApplicationFile(bytes, conditions.section);
  if (!parsed.ok) return parsed;
  const faults = parsed.sections.flatMap((section) => signatureFault(section, conditions) ?? []);
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, sections: parsed.sections.map((section) => toApplication(section, conditions)) };
}

function toApplication(section: ApplicationFileSection, conditions: SignatureConditions): ApplicationSection {
  const verdict = verifySection(section, conditions);
  return {
    name: section.name,
    entries: section.entries.map(({ keyword, value }) => [keyword, value] as const),
    signature: verdict.kind === 'verified' ? 'verified' : 'unsigned',
    signingKeyId: verdict.kind === 'verified' ? verdict.signingKeyId : null,
  };
}

const CODES = {
  malformed: 'signature-malformed',
  mismatch: 'signature-mismatch',
  'unknown-signer': 'signature-untrusted',
  'revoked-signer': 'signature-untrusted',
} as const satisfies Record<string, KeyFaultCode>;

/**
 * What is wrong with the signature of a section, or with its having none.
 *
 * @param section - a section as parsed.
 * @param conditions - whom to trust, and whether a signature is required.
 * @returns the fault, or null.
 */
export function signatureFault(
  section: ApplicationFileSection,
  conditions: ApplicationConditions,
): ApplicationFault | null {
  const { name, line, signature } = section;
  const verdict = verifySection(section, conditions);
  if (verdict.kind === 'verified') return null;
  if (verdict.kind === 'foreign') {
    if (conditions.signatureRequired !== true) return null;
    const mend = 'Ask the issuer for a signed one; `lictor key sign` signs it.';
    return withLegacyCode(fault(line, 'signature-missing', `Section [${name}] is not signed.`, mend));
  }
  const [message, mend] = sentences(verdict.reason);
  return withLegacyCode(fault(signature?.line ?? line, CODES[verdict.kind], message, mend));
}

/** The last sentence of a reason says what to do. */
function sentences(reason: string): [message: string, mend: string] {
  const end = reason.lastIndexOf('. ');
  return [reason.slice(0, end + 1), reason.slice(end + 2)];
}
