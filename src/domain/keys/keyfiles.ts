/**
 * The key file: from bytes to sections, or to a list of everything that is wrong with it (F-2, F-24, domain
 * notes 3.1). Pure, total (no bytes make it throw) and bounded: every limit is in `KEY_FILE_LIMITS`.
 *
 * Lines, sections and keywords are read in `inisections.ts`; what the fields of `[ConfigFile]` and `[License]`
 * must look like is in `keyfields.ts`, and what they mean is in `keys.ts`.
 */
import { boundFaults, readSections, type SectionRules, trimBlanks } from './inisections.ts';
import {
  fault,
  KEY_FILE_LIMITS,
  type KeyFault,
  type KeyFile,
  type KeySectionKind,
  quoted,
} from './keyfaults.ts';
import { checkKeyFields, knownKeyword } from './keyfields.ts';
import { decodeText } from './keytext.ts';

export { KEY_FILE_LIMITS, type KeyEntry, type KeyFault, type KeyFile, type KeySection } from './keyfaults.ts';

/** What `parseKeyFile` returns. */
export type KeyFileVerdict =
  | { readonly ok: true; readonly file: KeyFile }
  | { readonly ok: false; readonly faults: readonly KeyFault[] };

/**
 * Reads a key file: a byte order mark, CRLF, LF or CR line ends, UTF-8 or else Latin-1, comments (`;`),
 * quoted and empty values, keywords with blanks and colons (domain notes 3.1).
 *
 * @param bytes - the content of the file.
 * @returns the file, or every fault found in it, ordered by line; never throws.
 */
export function parseKeyFile(bytes: Uint8Array): KeyFileVerdict {
  const decoded = decodeText(bytes);
  if ('code' in decoded) return { ok: false, faults: [decoded] };
  const draft = readSections(decoded.text, KEY_FILE_RULES);
  if (draft.sections.length === 0 && draft.faults.length === 0) {
    return {
      ok: false,
      faults: [
        fault(
          1,
          'file-empty',
          'The file holds no section and no entry.',
          'Choose the key file that was delivered with the order.',
        ),
      ],
    };
  }
  const sections = draft.sections.map((section) => ({ ...section, kind: kindOf(section.name) }));
  const file: KeyFile = { ...decoded, sections };
  // A line that could not be read may be the very one that is missed: missing things are reported only when
  // all lines were understood, so that one slip does not make two faults.
  const formIsSound = draft.faults.length === 0;
  const faults = [
    ...draft.faults.map((placed) => placed.fault),
    ...missingSections(file, draft.brokenHeaders),
    ...checkKeyFields(file, { reportMissing: formIsSound }),
  ];
  if (faults.length === 0) return { ok: true, file };
  return { ok: false, faults: boundFaults(faults, KEY_FILE_RULES) };
}

/** How a key file differs from another file in `.ini` form. */
const KEY_FILE_RULES: SectionRules = {
  fileWords: 'key file',
  headerExample: '[License]',
  lineCharactersMax: KEY_FILE_LIMITS.lineCharactersMax,
  sectionsMax: KEY_FILE_LIMITS.sectionsMax,
  entriesMax: KEY_FILE_LIMITS.entriesMax,
  keywordCharactersMax: KEY_FILE_LIMITS.nameCharactersMax,
  faultsMax: KEY_FILE_LIMITS.faultsMax,
  checkName: checkSectionName,
  checkKeyword: checkKeywordCase,
};

function kindOf(name: string): KeySectionKind {
  if (name === 'ConfigFile') return 'config';
  if (name === 'License') return 'license';
  return name.includes('.') ? 'protected' : 'other';
}

function checkSectionName(name: string, line: number): KeyFault | null {
  for (const expected of ['ConfigFile', 'License']) {
    if (name !== expected && name.toLowerCase() === expected.toLowerCase()) {
      return fault(
        line,
        'section-case',
        `Section [${name}] is not written like [${expected}].`,
        `Section names are case-sensitive: write [${expected}].`,
      );
    }
  }
  const illegal =
    name.length > KEY_FILE_LIMITS.nameCharactersMax ||
    /[[\]]/.test(name) ||
    name.split('.').some((part) => trimBlanks(part) === '');
  if (!illegal) return null;
  return fault(
    line,
    'section-name-invalid',
    `${quoted(name)} is not a section name.`,
    `A name has 1 to ${KEY_FILE_LIMITS.nameCharactersMax} characters, no brackets, and text on both sides of a period.`,
  );
}

function checkKeywordCase(section: string, keyword: string, line: number): KeyFault | null {
  const kind = kindOf(section);
  const known = kind === 'license' || kind === 'config' ? knownKeyword(keyword) : null;
  if (known === null || known === keyword) return null;
  return fault(
    line,
    'keyword-case',
    `The keyword ${quoted(keyword)} is not written like ${known}, so it would have no effect.`,
    `Keywords are case-sensitive: write ${known}.`,
  );
}

function missingSections(file: KeyFile, brokenHeaders: boolean): KeyFault[] {
  if (brokenHeaders) return [];
  const wanted = [
    ['config', 'ConfigFile', 'FileType=… stands in it'],
    ['license', 'License', 'the order number, the expiration date and the authorization key stand in it'],
  ] as const;
  return wanted
    .filter(([kind]) => !file.sections.some((section) => section.kind === kind))
    .map(([, name, what]) =>
      fault(
        1,
        'section-missing',
        `Section [${name}] is missing; ${what}.`,
        'Copy the key file again, in full and unchanged.',
      ),
    );
}
