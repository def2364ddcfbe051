/**
 * What can be wrong with a key file, and the shape of one that is in order: the words shared by the files that
 * read key files (`keytext.ts` bytes to text, `keyfiles.ts` text to sections, `keyfields.ts` fields).
 */

/** Every bound of the form. Characters are UTF-16 code units of the decoded text. */
export const KEY_FILE_LIMITS = {
  fileBytesMax: 65_536,
  lineCharactersMax: 1_024,
  sectionsMax: 100,
  entriesMax: 2_000,
  nameCharactersMax: 128,
  faultsMax: 50,
} as const;

/** Everything that can be wrong with a key file, as stable codes. */
export type KeyFaultCode =
  | 'file-empty'
  | 'file-too-large'
  | 'file-zeroed'
  | 'file-utf-16'
  | 'file-not-utf-8'
  | 'nul-byte'
  | 'control-character'
  | 'line-too-long'
  | 'line-not-understood'
  | 'entry-outside-section'
  | 'keyword-empty'
  | 'keyword-too-long'
  | 'keyword-duplicate'
  | 'keyword-case'
  | 'keyword-unknown'
  | 'section-header-broken'
  | 'section-name-invalid'
  | 'section-duplicate'
  | 'section-missing'
  | 'section-case'
  | 'sections-too-many'
  | 'entries-too-many'
  | 'faults-too-many'
  | 'field-missing'
  | 'field-invalid'
  | 'order-number-invalid'
  | 'date-malformed'
  | 'date-impossible'
  | 'dates-reversed'
  | 'units-invalid'
  | 'version-invalid'
  | 'versions-reversed'
  // Those of application licences alone (domain notes 6.1).
  | 'section-name-too-long'
  | 'section-reserved'
  | 'section-empty'
  | 'section-too-large'
  | 'section-not-found'
  | 'entry-too-long'
  | 'entry-not-writable'
  | 'signature-malformed'
  | 'signature-misplaced'
  | 'signature-untrusted'
  | 'signature-mismatch'
  | 'signature-missing';

/** One thing wrong with a key file. */
export interface KeyFault {
  /** The line it is on, counted from 1; line 1 when the file as a whole is at fault. */
  readonly line: number;
  readonly code: KeyFaultCode;
  /** What is wrong, as a sentence. */
  readonly message: string;
  /** What to do about it, as a sentence. */
  readonly mend: string;
}

/** One `keyword=value` line. */
export interface KeyEntry {
  readonly keyword: string;
  /** Without surrounding blanks and without one surrounding pair of quotes. */
  readonly value: string;
  readonly line: number;
}

/** `[ConfigFile]`, `[License]`, a protected application section (its name has a period), or another one. */
export type KeySectionKind = 'config' | 'license' | 'protected' | 'other';

/** One section, its entries in the order of the file. */
export interface KeySection {
  readonly name: string;
  readonly kind: KeySectionKind;
  readonly line: number;
  readonly entries: readonly KeyEntry[];
}

/** A key file whose form and fields are in order. Whether it may be trusted is not decided here. */
export interface KeyFile {
  readonly encoding: 'utf-8' | 'latin-1';
  /** The decoded text, without a byte order mark. */
  readonly text: string;
  readonly sections: readonly KeySection[];
}

/**
 * Puts a piece of a file into a message: shortened, and with control characters made visible, so that a
 * hostile file cannot write to somebody's terminal through an error message.
 *
 * @param text - any text.
 * @returns the text in quotes, at most 60 characters of it.
 */
export function quoted(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  const safe = short.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${safe}"`;
}

/** The words of a fault, as one line for people. */
export function faultWords(keyFault: KeyFault): string {
  return `line ${keyFault.line}: ${keyFault.message} ${keyFault.mend} [${keyFault.code}]`;
}

/**
 * Makes a fault.
 *
 * @param line - the line, from 1.
 * @param code - the stable code.
 * @param message - what is wrong, as a sentence.
 * @param mend - what to do about it, as a sentence.
 */
export function fault(line: number, code: KeyFaultCode, message: string, mend: string): KeyFault {
  return { line, code, message, mend };
}
