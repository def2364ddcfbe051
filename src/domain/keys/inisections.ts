/**
 * The reader of `.ini` text: lines to sections, or to everything that is wrong with them. It is one for key files
 * and for application licences (domain notes 3.1 and 6.1); how names must look and which bounds hold differs
 * between the two and comes as `SectionRules`. Pure and total: no text makes it throw.
 */
import { fault, type KeyEntry, type KeyFault, quoted } from './keyfaults.ts';
import { splitLines } from './keytext.ts';

/** What differs between one kind of file and the other. */
export interface SectionRules {
  /** What the file is called in messages, without an article. */
  readonly fileWords: string;
  /** For messages: a header that could stand there. */
  readonly headerExample: string;
  /** The longest line in characters; null: only what it is made of is bounded. */
  readonly lineCharactersMax: number | null;
  readonly sectionsMax: number;
  readonly entriesMax: number;
  readonly keywordCharactersMax: number;
  readonly faultsMax: number;
  /** What is wrong with a section's name, which has no blanks around it. */
  checkName(name: string, line: number): KeyFault | null;
  /** What is wrong with a keyword of a section, besides being empty, too long or there already. */
  checkKeyword?(section: string, keyword: string, line: number): KeyFault | null;
  /** What is wrong with a line that is not empty, comments included, before it is looked at otherwise. */
  checkLine?(trimmed: string, line: number): KeyFault | null;
}

/** A section as it was read, its entries in the order of the file. */
export interface ReadSection {
  readonly name: string;
  readonly line: number;
  readonly entries: readonly KeyEntry[];
}

/** What was read. */
export interface Sections {
  /** Those whose name is in order, the first of each name. */
  readonly sections: readonly ReadSection[];
  /** In the order of the lines, each with the name of the section it stands in; null before the first one. */
  readonly faults: readonly PlacedFault[];
  /** Whether a header could not be read, so that a section may be there and not be listed. */
  readonly brokenHeaders: boolean;
}

/** A fault, and in which section it is. */
export interface PlacedFault {
  readonly section: string | null;
  readonly fault: KeyFault;
}

/** A section under construction. */
interface OpenSection extends ReadSection {
  readonly entries: KeyEntry[];
  readonly seen: Map<string, number>;
}

interface Draft {
  readonly rules: SectionRules;
  readonly sections: OpenSection[];
  readonly faults: PlacedFault[];
  readonly names: Map<string, number>;
  current: OpenSection | null;
  entryCount: number;
  brokenHeaders: boolean;
}

/**
 * Reads text in `.ini` form: sections, `keyword=value` lines and comments (`;`); blanks around a line, a name, a
 * keyword and a value do not count, and neither does one pair of quotes around a value.
 *
 * @param text - the decoded text.
 * @param rules - what is particular to this kind of file.
 * @returns the sections and all faults; reading stops once there are more faults than `faultsMax`.
 */
export function readSections(text: string, rules: SectionRules): Sections {
  const draft: Draft = {
    rules,
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
    if (draft.faults.length > rules.faultsMax) break;
    const found = readLine(draft, content, line);
    if (found !== null) draft.faults.push({ section: draft.current?.name ?? null, fault: found });
  }
  return { sections: draft.sections, faults: draft.faults, brokenHeaders: draft.brokenHeaders };
}

function readLine(draft: Draft, content: string, line: number): KeyFault | null {
  const unreadable = checkLine(content, line, draft.rules.lineCharactersMax);
  if (unreadable !== null) {
    draft.brokenHeaders ||= content.startsWith('[');
    return unreadable;
  }
  const trimmed = trimBlanks(content);
  if (trimmed === '') return null;
  const found = draft.rules.checkLine?.(trimmed, line) ?? null;
  if (found !== null) return found;
  if (trimmed.startsWith(';')) return null;
  return trimmed.startsWith('[') ? openSection(draft, trimmed, line) : addEntry(draft, trimmed, line);
}

function checkLine(content: string, line: number, charactersMax: number | null): KeyFault | null {
  if (charactersMax !== null && content.length > charactersMax) {
    return fault(
      line,
      'line-too-long',
      `The line has ${content.length} characters; at most ${charactersMax} are allowed.`,
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
export function trimBlanks(text: string): string {
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
  const bad = draft.rules.checkName(name, line);
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
      `Keep one of the two; ${article(draft.rules.fileWords)} has each section once.`,
    );
  }
  draft.names.set(name, line);
  const { sectionsMax } = draft.rules;
  if (draft.names.size > sectionsMax + 1) return null;
  if (draft.names.size === sectionsMax + 1) {
    return fault(
      line,
      'sections-too-many',
      `There are more than ${sectionsMax} sections.`,
      `Check that this is ${article(draft.rules.fileWords)}.`,
    );
  }
  draft.sections.push(section);
  return null;
}

function newSection(name: string, line: number): OpenSection {
  return { name, line, entries: [], seen: new Map() };
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
  const section = draft.current;
  const bad = checkKeyword(draft.rules, section, keyword, line);
  if (bad !== null || section === null) return bad;
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
  const { entriesMax, fileWords } = draft.rules;
  if (draft.entryCount > entriesMax) {
    const justPassed = draft.entryCount === entriesMax + 1;
    return justPassed
      ? fault(
          line,
          'entries-too-many',
          `There are more than ${entriesMax} entries.`,
          `Check that this is ${article(fileWords)}.`,
        )
      : null;
  }
  section.entries.push({ keyword, value: unquote(trimBlanks(trimmed.slice(equals + 1))), line });
  return null;
}

function checkKeyword(
  rules: SectionRules,
  section: ReadSection | null,
  keyword: string,
  line: number,
): KeyFault | null {
  if (keyword === '') {
    return fault(
      line,
      'keyword-empty',
      'There is no keyword before the equals sign.',
      'Write keyword=value, or remove the line.',
    );
  }
  if (keyword.length > rules.keywordCharactersMax) {
    return fault(
      line,
      'keyword-too-long',
      `The keyword ${quoted(keyword)} has ${keyword.length} characters.`,
      `A keyword has at most ${rules.keywordCharactersMax} characters.`,
    );
  }
  if (section === null) {
    return fault(
      line,
      'entry-outside-section',
      `The entry ${quoted(keyword)} stands before the first section.`,
      `Put it below the header of its section, for instance ${rules.headerExample}.`,
    );
  }
  return rules.checkKeyword?.(section.name, keyword, line) ?? null;
}

/** Takes one pair of quotes off, and only when it encloses the value as a whole: `"A" and "B"` stays. */
function unquote(value: string): string {
  const inner = value.slice(1, -1);
  const enclosed = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  return enclosed && !inner.includes('"') ? inner : value;
}

/**
 * Orders faults by line and bounds their number.
 *
 * @param faults - all faults.
 * @param rules - how many are told, and what the file should have been.
 * @returns at most `faultsMax` of them, and one that says so when there were more.
 */
export function boundFaults(
  faults: readonly KeyFault[],
  rules: Pick<SectionRules, 'faultsMax' | 'fileWords'>,
): KeyFault[] {
  const sorted = [...faults].sort((left, right) => left.line - right.line);
  if (sorted.length <= rules.faultsMax) return sorted;
  const kept = sorted.slice(0, rules.faultsMax);
  const last = kept[kept.length - 1]?.line ?? 1;
  return [
    ...kept,
    fault(
      last,
      'faults-too-many',
      `There are more than ${rules.faultsMax} faults; the rest is left out.`,
      `This is probably not ${article(rules.fileWords)}.`,
    ),
  ];
}

function article(words: string): string {
  return /^[aeiou]/i.test(words) ? `an ${words}` : `a ${words}`;
}
