/**
 * The key file: from bytes to sections, or to a list of everything that is wrong with it (F-2, F-24, domain
 * notes 3.1). Pure, total (no bytes make it throw) and bounded: every limit is in `KEY_FILE_LIMITS`.
 *
 * This file knows the *form* (lines, sections, keywords); what the fields of `[ConfigFile]` and
 * `[License]` must look like is in `keyfields.ts`, and what they mean is in `keys.ts`.
 */
import {
  fault,
  KEY_FILE_LIMITS,
  type KeyEntry,
  type KeyFault,
  type KeyFile,
  type KeySection,
  quoted,
} from './keyfaults.ts';
import { checkKeyFields, knownKeyword } from './keyfields.ts';
import { decodeText, splitLines } from './keytext.ts';

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
  const draft = readLines(decoded.text);
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
  const file: KeyFile = { ...decoded, sections: draft.sections };
  // A line that could not be read may be the very one that is missed: missing things are reported only when
  // all lines were understood, so that one slip does not make two faults.
  const formIsSound = draft.faults.length === 0;
  const faults = [
    ...draft.faults,
    ...missingSections(file, draft.brokenHeaders),
    ...checkKeyFields(file, { reportMissing: formIsSound }),
  ];
  if (faults.length === 0) return { ok: true, file };
  return { ok: false, faults: boundFaults(faults) };
}

/** A section under construction. */
interface OpenSection extends KeySection {
  readonly entries: KeyEntry[];
  readonly seen: Map<string, number>;
}

interface Draft {
  readonly sections: OpenSection[];
  readonly faults: KeyFault[];
  readonly names: Map<string, number>;
  current: OpenSection | null;
  entryCount: number;
  brokenHeaders: boolean;
}

function readLines(text: string): Draft {
  const draft: Draft = {
    sections: [],
    faults: [],
    names: new Map(),
    current: null,
    entryCount: 0,
    brokenHeaders: false,
  };
  let line = 0;
  for (const { content } of splitLines(text)) {
    line += 1;
    // One more than the bound is enough to know that the list was cut.
    if (draft.faults.length > KEY_FILE_LIMITS.faultsMax) break;
    const unreadable = checkLine(content, line);
    if (unreadable !== null) {
      draft.faults.push(unreadable);
      draft.brokenHeaders ||= content.startsWith('[');
      continue;
    }
    const trimmed = trimBlanks(content);
    if (trimmed === '' || trimmed.startsWith(';')) continue;
    const found = trimmed.startsWith('[')
      ? openSection(draft, trimmed, line)
      : addEntry(draft, trimmed, line);
    if (found !== null) draft.faults.push(found);
  }
  return draft;
}

function checkLine(content: string, line: number): KeyFault | null {
  if (content.length > KEY_FILE_LIMITS.lineCharactersMax) {
    return fault(
      line,
      'line-too-long',
      `The line has ${content.length} characters; at most ${KEY_FILE_LIMITS.lineCharactersMax} are allowed.`,
      'Shorten the value; line breaks may have been lost when the file was copied.',
    );
  }
  const control = content.match(/[^\P{Cc}\t]/u);
  if (control === null) return null;
  return fault(
    line,
    'control-character',
    `There is a control character at column ${(control.index ?? 0) + 1} (${quoted(control[0])}).`,
    'The file is damaged or not a text file: copy it again from where it was delivered.',
  );
}

/** Blanks are the space and the tab, and nothing else, so that every implementation trims alike. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
}

function openSection(draft: Draft, header: string, line: number): KeyFault | null {
  if (!header.endsWith(']') || header.length < 2) {
    draft.brokenHeaders = true;
    // What follows belongs to a section whose name is not known; it must not fall into the previous one.
    draft.current = newSection('', line);
    return fault(
      line,
      'section-header-broken',
      `The section header ${quoted(header)} has no closing bracket.`,
      'Write it as [Name] on a line of its own.',
    );
  }
  const name = trimBlanks(header.slice(1, -1));
  const section = newSection(name, line);
  draft.current = section;
  const bad = checkSectionName(name, line);
  if (bad !== null) {
    draft.brokenHeaders = true;
    return bad;
  }
  const before = draft.names.get(name);
  if (before !== undefined) {
    return fault(
      line,
      'section-duplicate',
      `Section [${name}] is on line ${before} and again on line ${line}.`,
      'Keep one of the two; a key file has each section once.',
    );
  }
  draft.names.set(name, line);
  if (draft.names.size > KEY_FILE_LIMITS.sectionsMax + 1) return null;
  if (draft.names.size === KEY_FILE_LIMITS.sectionsMax + 1) {
    return fault(
      line,
      'sections-too-many',
      `There are more than ${KEY_FILE_LIMITS.sectionsMax} sections.`,
      'Check that this is a key file.',
    );
  }
  draft.sections.push(section);
  return null;
}

function newSection(name: string, line: number): OpenSection {
  const kind =
    name === 'ConfigFile'
      ? 'config'
      : name === 'License'
        ? 'license'
        : name.includes('.')
          ? 'protected'
          : 'other';
  return { name, kind, line, entries: [], seen: new Map() };
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

function addEntry(draft: Draft, trimmed: string, line: number): KeyFault | null {
  const equals = trimmed.indexOf('=');
  if (equals < 0) {
    return fault(
      line,
      'line-not-understood',
      `${quoted(trimmed)} is neither a [section], a keyword=value nor a comment.`,
      'Write keyword=value, or begin the line with a semicolon to make it a comment.',
    );
  }
  const keyword = trimBlanks(trimmed.slice(0, equals));
  const bad = checkKeyword(keyword, line);
  if (bad !== null) return bad;
  const section = draft.current;
  if (section === null) {
    return fault(
      line,
      'entry-outside-section',
      `The entry ${quoted(keyword)} stands before the first section.`,
      'Put it below the header of its section, for instance [License].',
    );
  }
  const known = section.kind === 'license' || section.kind === 'config' ? knownKeyword(keyword) : null;
  if (known !== null && known !== keyword) {
    return fault(
      line,
      'keyword-case',
      `The keyword ${quoted(keyword)} is not written like ${known}, so it would have no effect.`,
      `Keywords are case-sensitive: write ${known}.`,
    );
  }
  const before = section.seen.get(keyword);
  if (before !== undefined) {
    return fault(
      line,
      'keyword-duplicate',
      `The keyword ${quoted(keyword)} of [${section.name}] is on line ${before} and again on line ${line}.`,
      'Keep one of the two; which of them was meant cannot be guessed.',
    );
  }
  section.seen.set(keyword, line);
  draft.entryCount += 1;
  if (draft.entryCount > KEY_FILE_LIMITS.entriesMax) {
    const justPassed = draft.entryCount === KEY_FILE_LIMITS.entriesMax + 1;
    return justPassed
      ? fault(
          line,
          'entries-too-many',
          `There are more than ${KEY_FILE_LIMITS.entriesMax} entries.`,
          'Check that this is a key file.',
        )
      : null;
  }
  section.entries.push({ keyword, value: unquote(trimBlanks(trimmed.slice(equals + 1))), line });
  return null;
}

function checkKeyword(keyword: string, line: number): KeyFault | null {
  if (keyword === '') {
    return fault(
      line,
      'keyword-empty',
      'There is no keyword before the equals sign.',
      'Write keyword=value, or remove the line.',
    );
  }
  if (keyword.length <= KEY_FILE_LIMITS.nameCharactersMax) return null;
  return fault(
    line,
    'keyword-too-long',
    `The keyword ${quoted(keyword)} has ${keyword.length} characters.`,
    `A keyword has at most ${KEY_FILE_LIMITS.nameCharactersMax} characters.`,
  );
}

/** Takes one pair of quotes off, and only when it encloses the value as a whole: `"A" and "B"` stays. */
function unquote(value: string): string {
  const inner = value.slice(1, -1);
  const enclosed = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  return enclosed && !inner.includes('"') ? inner : value;
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

function boundFaults(faults: readonly KeyFault[]): KeyFault[] {
  const sorted = [...faults].sort((left, right) => left.line - right.line);
  if (sorted.length <= KEY_FILE_LIMITS.faultsMax) return sorted;
  const kept = sorted.slice(0, KEY_FILE_LIMITS.faultsMax);
  const last = kept[kept.length - 1]?.line ?? 1;
  return [
    ...kept,
    fault(
      last,
      'faults-too-many',
      `There are more than ${KEY_FILE_LIMITS.faultsMax} faults; the rest is left out.`,
      'This is probably not a key file.',
    ),
  ];
}
