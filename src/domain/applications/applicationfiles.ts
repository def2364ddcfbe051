/**
 * The application licence file: from bytes to sections, or to a list of everything that is wrong with it (F-71,
 * domain notes 6.1). Pure, total (no bytes make it throw) and bounded: every limit is in `APPLICATION_LIMITS`.
 *
 * Lines, sections and keywords are read as those of a key file are (`inisections.ts`); who signed a section is
 * told by `applicationsignatures.ts`.
 */
import { boundFaults, type PlacedFault, readSections, type SectionRules } from '../keys/inisections.ts';
import {
  fault,
  type KeyEntry,
  type KeyFault,
  type KeyFaultCode,
  type KeyFile,
  quoted,
} from '../keys/keyfaults.ts';
import { decodeText } from '../keys/keytext.ts';

/** Every bound of the form. Characters are UTF-16 code units of the decoded text. */
export const APPLICATION_LIMITS = {
  nameCharactersMax: 47,
  keywordCharactersMax: 47,
  /** Of `keyword=value`, without blanks around the two and without quotes around the value. */
  entryCharactersMax: 1_024,
  /** Of the header and all entries, each counted as above and with one terminator; comments do not count. */
  sectionCharactersMax: 16_536,
  /** What a counted feature can have; nine digits. */
  unitsMax: 999_999_999,
  fileBytesMax: 65_536,
  sectionsMax: 100,
  entriesMax: 16_384,
  faultsMax: 50,
} as const;

/** The keyword of a section's signature; it is no feature. */
export const SIGNATURE_KEYWORD = 'AuthorizationKey';

/**
 * What `LoadAppLicenseFile` answers in the original (notes 6.2): 1 no section, empty or malformed; 2 section too
 * large; 4 no room; 5 keyword or value too long; 6 name too long.
 */
export type LegacyLoadCode = 1 | 2 | 4 | 5 | 6;

/** One thing wrong with an application licence. */
export interface ApplicationFault extends KeyFault {
  readonly legacyCode: LegacyLoadCode;
}

/** A section whose form is in order. Whether its signature fits is not decided here. */
export interface ApplicationFileSection {
  readonly name: string;
  readonly line: number;
  /** In the order of the file, without the signature. */
  readonly entries: readonly KeyEntry[];
  /** The value of its `AuthorizationKey`, and where it stands; null when it is not signed. */
  readonly signature: { readonly value: string; readonly line: number } | null;
}

/** A file, or all its faults ordered by line. */
export type ApplicationFileVerdict =
  | {
      readonly ok: true;
      readonly encoding: KeyFile['encoding'];
      /** The decoded text, without a byte order mark. */
      readonly text: string;
      readonly sections: readonly ApplicationFileSection[];
    }
  | { readonly ok: false; readonly faults: readonly ApplicationFault[] };

const FILE_WORDS = 'licence file';

/** How an application licence file differs from a key file. */
const APPLICATION_RULES: SectionRules = {
  fileWords: FILE_WORDS,
  headerExample: '[Radiology]',
  lineCharactersMax: null,
  sectionsMax: APPLICATION_LIMITS.sectionsMax,
  entriesMax: APPLICATION_LIMITS.entriesMax,
  keywordCharactersMax: APPLICATION_LIMITS.keywordCharactersMax,
  faultsMax: APPLICATION_LIMITS.faultsMax,
  checkName,
  checkKeyword: (_, keyword, line) => checkSignatureKeyword(keyword, line),
  checkLine: checkMisplacedSignature,
};

/**
 * Reads an application licence file, as a whole or one section of it (F-71). Encodings, line ends, comments and
 * quotes are those of key files. A section that is asked for is read whatever is wrong elsewhere in the file.
 *
 * @param bytes - the content of the file.
 * @param wanted - the one section to read; absent: all of them.
 * @returns the sections in the order of the file, or every fault; never throws.
 */
export function parseApplicationFile(bytes: Uint8Array, wanted?: string): ApplicationFileVerdict {
  const form = { fileWords: FILE_WORDS, fileBytesMax: APPLICATION_LIMITS.fileBytesMax };
  const decoded = decodeText(bytes, form);
  if ('code' in decoded) return refused([decoded]);
  const draft = readSections(decoded.text, APPLICATION_RULES);
  const sections = draft.sections
    .map(toSection)
    .filter(({ name }) => wanted === undefined || name === wanted);
  const placed = [...draft.faults, ...sections.flatMap((section) => sectionFaults(section, draft.faults))];
  const faults =
    wanted === undefined
      ? placed
      : faultsOf(placed, wanted, draft.faults.length > APPLICATION_LIMITS.faultsMax);
  if (faults.length > 0) return refused(faults.map((one) => one.fault));
  if (sections.length === 0) {
    // A header that cannot be read may be the one that is missed.
    return refused([missing(wanted), ...placed.filter((one) => !one.section).map((one) => one.fault)]);
  }
  return { ok: true, ...decoded, sections };
}

/**
 * Checks a section that is stated otherwise than as a file: what it holds must be what a file could say.
 *
 * @param name - the name of the application.
 * @param entries - its keywords and values, in order.
 * @returns every fault, its line being that of the file it would make: the header is line 1, the first entry 2.
 */
export function checkApplication(
  name: string,
  entries: readonly (readonly [keyword: string, value: string])[],
): ApplicationFault[] {
  const writable = entries.flatMap(([keyword, value], index) => {
    const line = index + 2;
    const text = `[A]\n${keyword}=${value}\n`;
    const read = /[\r\n]/.test(keyword + value) ? null : readSections(text, APPLICATION_RULES);
    const entry = read?.sections[0]?.entries[0];
    // What cannot be read at all is told below, with its reason.
    if (read !== null && read.faults.length > 0) return [];
    if (entry?.keyword === keyword && entry.value === value) return [];
    return [notWritable(keyword, line)];
  });
  if (writable.length > 0) return writable.map(withLegacyCode);
  const bad = checkName(name, 1);
  if (bad !== null) return [withLegacyCode(bad)];
  const verdict = parseApplicationFile(Buffer.from(applicationText(name, entries), 'utf8'), name);
  return verdict.ok ? [] : [...verdict.faults];
}

/**
 * A section as the text of a file.
 *
 * @param name - the name of the application.
 * @param entries - what `checkApplication` finds in order.
 */
export function applicationText(
  name: string,
  entries: readonly (readonly [keyword: string, value: string])[],
): string {
  return `${[`[${name}]`, ...entries.map((entry) => entry.join('='))].join('\n')}\n`;
}

function notWritable(keyword: string, line: number): KeyFault {
  return fault(
    line,
    'entry-not-writable',
    `The entry ${quoted(keyword)} cannot stand in a file as it is.`,
    'Leave out blanks and quotes around the keyword and the value, line ends, an equals sign in the keyword, and [ or ; at its beginning.',
  );
}

/** Those of one section, and all of them when reading stopped before its end was seen. */
function faultsOf(placed: readonly PlacedFault[], wanted: string, wasCut: boolean): readonly PlacedFault[] {
  const all = wasCut || placed.some(({ fault: { code } }) => CUTTING.has(code));
  return all ? placed : placed.filter(({ section }) => section === wanted);
}

/** Faults after which a part of the file is not read. */
const CUTTING: ReadonlySet<KeyFaultCode> = new Set(['sections-too-many', 'entries-too-many']);

function refused(faults: readonly KeyFault[]): ApplicationFileVerdict {
  return { ok: false, faults: boundFaults(faults, APPLICATION_RULES).map(withLegacyCode) };
}

const LEGACY_CODES: ReadonlyMap<KeyFaultCode, LegacyLoadCode> = new Map<KeyFaultCode, LegacyLoadCode>([
  ['file-too-large', 2],
  ['section-too-large', 2],
  ['sections-too-many', 4],
  ['entries-too-many', 4],
  ['keyword-too-long', 5],
  ['entry-too-long', 5],
  ['section-name-too-long', 6],
]);

/**
 * Gives a fault the number that the original answers for it (notes 6.2).
 *
 * @param found - a fault of an application licence.
 */
export function withLegacyCode(found: KeyFault): ApplicationFault {
  return { ...found, legacyCode: LEGACY_CODES.get(found.code) ?? 1 };
}

function missing(wanted: string | undefined): KeyFault {
  if (wanted === undefined) {
    const mend = 'Write a section: [Name], and below it a keyword=value on each line.';
    return fault(1, 'file-empty', 'The file holds no section and no entry.', mend);
  }
  const message = `There is no section [${wanted}] in the file.`;
  return fault(
    1,
    'section-not-found',
    message,
    'Names are case-sensitive; write the name as the file has it.',
  );
}

function checkName(name: string, line: number): KeyFault | null {
  const { nameCharactersMax } = APPLICATION_LIMITS;
  if (name === 'ConfigFile' || name === 'License') {
    return fault(
      line,
      'section-reserved',
      `Section [${name}] belongs to a key file.`,
      'Install a key file as a key; its protected sections come with it.',
    );
  }
  if (name.includes('.')) {
    return fault(
      line,
      'section-name-invalid',
      `The name ${quoted(name)} has a period.`,
      'Names with a period are those of protected sections, which come with a key; leave the period out.',
    );
  }
  if (name.length > nameCharactersMax) {
    return fault(
      line,
      'section-name-too-long',
      `The name ${quoted(name)} has ${name.length} characters.`,
      `A name has at most ${nameCharactersMax} characters.`,
    );
  }
  if (/^[A-Za-z0-9]+$/.test(name)) return null;
  return fault(
    line,
    'section-name-invalid',
    `${quoted(name)} is not a name of an application.`,
    `A name has 1 to ${nameCharactersMax} letters and digits (A-Z, a-z, 0-9), and nothing else.`,
  );
}

function toSection({ name, line, entries }: { name: string; line: number; entries: readonly KeyEntry[] }) {
  const signature = entries.find(({ keyword }) => keyword === SIGNATURE_KEYWORD);
  return {
    name,
    line,
    entries: entries.filter((entry) => entry !== signature),
    signature: signature === undefined ? null : { value: signature.value, line: signature.line },
  };
}

function sectionFaults(section: ApplicationFileSection, before: readonly PlacedFault[]): PlacedFault[] {
  const { name, line, entries } = section;
  const { sectionCharactersMax } = APPLICATION_LIMITS;
  const faults = entries.flatMap((entry) =>
    [checkEntryLength(entry), checkUnits(entry)].filter((one) => one !== null),
  );
  const characters = sectionCharacters(section);
  // Where a line could not be read, that line is the fault, and the section may not be empty at all.
  if (entries.length === 0 && !before.some((one) => one.section === name)) {
    const mend = 'Write a keyword=value on each line below it, or remove it.';
    faults.push(fault(line, 'section-empty', `Section [${name}] has no entry.`, mend));
  }
  if (characters > sectionCharactersMax) {
    const message = `Section [${name}] has ${characters} characters, one line end for each line among them; at most ${sectionCharactersMax} are allowed.`;
    faults.push(
      fault(
        line,
        'section-too-large',
        message,
        'Leave out what is only information, or make two applications of it.',
      ),
    );
  }
  return faults.map((found) => ({ section: name, fault: found }));
}

function sectionCharacters({ name, entries, signature }: ApplicationFileSection): number {
  const terminated = 1;
  let characters = `[${name}]`.length + terminated;
  for (const { keyword, value } of entries) characters += `${keyword}=${value}`.length + terminated;
  if (signature !== null) characters += `${SIGNATURE_KEYWORD}=${signature.value}`.length + terminated;
  return characters;
}

function checkEntryLength({ keyword, value, line }: KeyEntry): KeyFault | null {
  const { entryCharactersMax } = APPLICATION_LIMITS;
  const { length } = `${keyword}=${value}`;
  if (length <= entryCharactersMax) return null;
  return fault(
    line,
    'entry-too-long',
    `The entry ${quoted(keyword)} has ${length} characters with its value; at most ${entryCharactersMax} are allowed.`,
    'Shorten the value; line breaks may have been lost when the file was copied.',
  );
}

/** A number that cannot be counted is never taken for information: it would let everybody in, or nobody. */
function checkUnits({ keyword, value, line }: KeyEntry): KeyFault | null {
  const { unitsMax } = APPLICATION_LIMITS;
  const isNumber = /^[+-]?\d+$/.test(value);
  if (!isNumber || (/^\d{1,9}$/.test(value) && Number(value) <= unitsMax)) return null;
  return fault(
    line,
    'units-invalid',
    `${quoted(keyword)} is ${quoted(value)}, a number of units that cannot be counted.`,
    `Write a whole number from 0 to ${unitsMax} without sign, or, where it is only information, a text that is not a number.`,
  );
}

function checkSignatureKeyword(keyword: string, line: number): KeyFault | null {
  if (keyword === SIGNATURE_KEYWORD || keyword.toLowerCase() !== SIGNATURE_KEYWORD.toLowerCase()) return null;
  return fault(
    line,
    'keyword-case',
    `The keyword ${quoted(keyword)} is not written like ${SIGNATURE_KEYWORD}.`,
    `It is the keyword of the signature: write ${SIGNATURE_KEYWORD}, or remove the line.`,
  );
}

const SIGNATURE_FORM = /ed25519:[a-z0-9-]{1,32}:[\w-]{86}/;

/**
 * A signature that stands anywhere else than behind its keyword, in a comment for instance, would be a section that
 * was signed and now passes for one that never was.
 */
function checkMisplacedSignature(trimmed: string, line: number): KeyFault | null {
  if (!SIGNATURE_FORM.test(trimmed) || /^AuthorizationKey[ \t]*=/i.test(trimmed)) return null;
  return fault(
    line,
    'signature-misplaced',
    `There is a signature on the line, but not as the value of ${SIGNATURE_KEYWORD}.`,
    `Use the original file as issued, or remove the line where no signature is wanted.`,
  );
}
