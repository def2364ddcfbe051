import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  APPLICATION_LIMITS,
  type ApplicationFileSection,
  applicationText,
  checkApplication,
  parseApplicationFile,
} from '../../src/domain/applications/applicationfiles.ts';
import { unitsOfValue } from '../../src/domain/applications/applications.ts';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const bytes = (text: string) => Buffer.from(text, 'utf8');

function parsed(content: Uint8Array | string, wanted?: string): readonly ApplicationFileSection[] {
  const verdict = parseApplicationFile(typeof content === 'string' ? bytes(content) : content, wanted);
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.faults));
  return verdict.sections;
}

/** Each fault as its line, code and the number of the original. */
function faults(content: Uint8Array | string, wanted?: string) {
  const verdict = parseApplicationFile(typeof content === 'string' ? bytes(content) : content, wanted);
  return verdict.ok ? [] : verdict.faults.map(({ line, code, legacyCode }) => [line, code, legacyCode]);
}

const pairs = (section: ApplicationFileSection | undefined) =>
  section?.entries.map(({ keyword, value }) => [keyword, value]);

describe('parseApplicationFile, the good ones', () => {
  test('reads the section of the seed (F-71)', () => {
    const sections = parsed(fixture('applications-bestlab.ini'));
    expect(sections.map(({ name, line, signature }) => ({ name, line, signature }))).toEqual([
      { name: 'BestLabApplication', line: 1, signature: null },
    ]);
    expect(pairs(sections[0])).toEqual([
      ['Lab Users', '50'],
      ['Lab Administrators', '2'],
      ['Lab Devices', '5'],
      ['Extended Lab Reports', 'Enabled'],
    ]);
  });

  test('reads several sections, each entry with its line', () => {
    const [radiology, pharmacy] = parsed(fixture('applications-two-sections.ini'));
    expect(pairs(radiology)).toContainEqual(['Modules', 'Lab, Radiology']);
    expect(pharmacy).toMatchObject({ name: 'Pharmacy', line: 7 });
    expect(pharmacy?.entries.at(-1)).toEqual({ keyword: 'Night Mode', value: 'Disabled', line: 10 });
  });

  test('one section of a file is read whatever is wrong elsewhere (F-71)', () => {
    const text = 'no section yet\n[Broken\nx=1\n[A]\nUsers=5\n[Other.One]\nA\n[A.B]\nA=1\n';
    expect(pairs(parsed(text, 'A')[0])).toEqual([['Users', '5']]);
    expect(faults(text, 'Other.One')).toContainEqual([6, 'section-name-invalid', 1]);
    expect(faults(text, 'Other.One')).toContainEqual([7, 'line-not-understood', 1]);
    expect(faults(fixture('applications-bad.ini'), 'Dup')).toEqual([[6, 'keyword-duplicate', 1]]);
  });

  test('names and keywords are case-sensitive', () => {
    const sections = parsed('[Lab]\nUsers=1\nusers=2\n[lab]\nUsers=3\n');
    expect(sections.map(({ name }) => name)).toEqual(['Lab', 'lab']);
    expect(pairs(sections[0])).toEqual([
      ['Users', '1'],
      ['users', '2'],
    ]);
  });

  test('encodings, line ends, comments, blanks and quotes are those of key files', () => {
    const text = '\ufeff; made by hand\r\n\t[ Lab ]\r\n Lab Users = 50 \r\nSite= "Münster "\r\n';
    expect(pairs(parsed(text, 'Lab')[0])).toEqual([
      ['Lab Users', '50'],
      ['Site', 'Münster '],
    ]);
    const latin1 = Buffer.from('[Lab]\nSite=M\u00fcnster\n', 'latin1');
    expect(pairs(parsed(latin1)[0])).toEqual([['Site', 'Münster']]);
    expect(pairs(parsed('[Lab]\rUsers=1\r')[0])).toEqual([['Users', '1']]);
  });

  test('values that are no whole number are information', () => {
    const entries =
      pairs(parsed('[Lab]\nA=2.1\nB=\nC=1e3\nD=٣\nE=5 users\nF=0\nG=007\nH=999999999\n')[0]) ?? [];
    expect(entries.map(([, value]) => unitsOfValue(value ?? ''))).toEqual([
      null,
      null,
      null,
      null,
      null,
      0,
      7,
      APPLICATION_LIMITS.unitsMax,
    ]);
  });
});

describe('parseApplicationFile, every limit of the format (notes 6.1) to the character', () => {
  const { nameCharactersMax, keywordCharactersMax, entryCharactersMax, sectionCharactersMax } =
    APPLICATION_LIMITS;

  test('a name has 47 characters', () => {
    expect(faults(`[${'N'.repeat(nameCharactersMax)}]\na=1`)).toEqual([]);
    expect(faults(`[${'N'.repeat(nameCharactersMax + 1)}]\na=1`)).toEqual([[1, 'section-name-too-long', 6]]);
  });

  test.each(['A.B', '.', 'A B', 'A-B', 'A_B', 'Ä', '', 'A[', 'A]'])('a name is not %j', (name) => {
    expect(faults(`; first\n[${name}]\na=1`)).toEqual([[2, 'section-name-invalid', 1]]);
  });

  test('a keyword has 47 characters', () => {
    expect(faults(`[A]\n${'k'.repeat(keywordCharactersMax)}=1`)).toEqual([]);
    expect(faults(`[A]\n${'k'.repeat(keywordCharactersMax + 1)}=1`)).toEqual([[2, 'keyword-too-long', 5]]);
  });

  test('an entry has 1,024 characters, without what does not count', () => {
    const value = 'v'.repeat(entryCharactersMax - 'key='.length);
    expect(faults(`[A]\n  key = "${value}"  `)).toEqual([]);
    expect(faults(`[A]\n\nkey=${value}v`)).toEqual([[3, 'entry-too-long', 5]]);
  });

  test('a section has 16,536 characters with one line end each', () => {
    const line = `${'k'.repeat(8)}=${'v'.repeat(991)}\n`;
    const lines = Array.from({ length: 16 }, (_, index) => `${index + 10}${line.slice(2)}`).join('');
    const rest = sectionCharactersMax - '[A]\n'.length - lines.length - 'z=\n'.length;
    const full = `[A]\n${lines}z=${'v'.repeat(rest)}`;
    expect(faults(full.replaceAll('\n', '\r\n; a comment\r\n'))).toEqual([]);
    expect(faults(`[B]\na=1\n${full}v`)).toEqual([[3, 'section-too-large', 2]]);
    // Each section has its own measure.
    expect(faults(`${full}\n${full.replace('[A]', '[B]')}`)).toEqual([]);
  });

  test('a file has 64 KiB, 100 sections and at least the entries that fit', () => {
    expect(faults(`[A]\na=1\n${';'.repeat(APPLICATION_LIMITS.fileBytesMax)}`)).toEqual([
      [1, 'file-too-large', 2],
    ]);
    const many = Array.from({ length: 101 }, (_, index) => `[A${index}]\na=1\n`).join('');
    expect(faults(many)).toEqual([[201, 'sections-too-many', 4]]);
    // Whoever asks for one section is not told that it is missing when it was only not reached.
    expect(faults(many, 'A100')).toEqual([[201, 'sections-too-many', 4]]);
    expect(parsed(many.slice(0, many.indexOf('[A100]')), 'A99')).toHaveLength(1);
    const small = Array.from({ length: 2_066 }, (_, index) => `${index + 1000}=1\n`).join('');
    expect(parsed(`[A]\n${small}`)[0]?.entries).toHaveLength(2_066);
  });
});

describe('parseApplicationFile, the bad ones', () => {
  test('the fixture: a name with a period and a keyword twice, both at once', () => {
    const verdict = parseApplicationFile(fixture('applications-bad.ini'));
    expect(verdict.ok ? [] : verdict.faults).toEqual([
      {
        line: 1,
        code: 'section-name-invalid',
        message: 'The name "Bad.Name" has a period.',
        mend: 'Names with a period are those of protected sections, which come with a key; leave the period out.',
        legacyCode: 1,
      },
      {
        line: 6,
        code: 'keyword-duplicate',
        message: 'The keyword "Users" of [Dup] is on line 5 and again on line 6.',
        mend: 'Keep one of the two; which of them was meant cannot be guessed.',
        legacyCode: 1,
      },
    ]);
  });

  test.each([
    ['nothing', '', [[1, 'file-empty', 1]]],
    ['only comments', '; nothing\n\n', [[1, 'file-empty', 1]]],
    ['an empty section', '[A]\na=1\n[B]\n', [[3, 'section-empty', 1]]],
    ['an entry before the first section', 'a=1\n[A]\na=1', [[1, 'entry-outside-section', 1]]],
    ['a line without an equals sign', '[A]\nUsers 5', [[2, 'line-not-understood', 1]]],
    ['a section twice', '[A]\na=1\n[A]\nb=1', [[3, 'section-duplicate', 1]]],
    ['a broken header', '[A\na=1', [[1, 'section-header-broken', 1]]],
    ['a negative number', '[A]\nUsers=-5', [[2, 'units-invalid', 1]]],
    ['a number with a sign', '[A]\nUsers=+5', [[2, 'units-invalid', 1]]],
    ['a number too large', '[A]\nUsers=1000000000', [[2, 'units-invalid', 1]]],
    ['a control character', '[A]\nUsers=5\u0007', [[2, 'control-character', 1]]],
    ['the section of a key', '[License]\nOrderNumber=1', [[1, 'section-reserved', 1]]],
  ] as const)('%s', (_, text, expected) => {
    expect(faults(text)).toEqual(expected);
  });

  test.each([
    ['zeros', Buffer.alloc(64), 'file-zeroed'],
    ['UTF-16', Buffer.from('\ufeff[A]\na=1', 'utf16le'), 'file-utf-16'],
    ['a NUL byte', Buffer.from('[A]\na=1\n\0'), 'nul-byte'],
    ['a mark that lies', Buffer.from([0xef, 0xbb, 0xbf, 0x5b, 0xff]), 'file-not-utf-8'],
  ])('%s', (_, content, code) => {
    expect(faults(content).map(([, found]) => found)).toEqual([code]);
  });

  test('a section that is not there is told, also when its header may be the broken one', () => {
    expect(faults('[A]\na=1', 'B')).toEqual([[1, 'section-not-found', 1]]);
    expect(faults('[A]\na=1\n[B\nb=1', 'B')).toEqual([
      [1, 'section-not-found', 1],
      [3, 'section-header-broken', 1],
    ]);
  });

  test('at most fifty faults are told, and that there are more', () => {
    const found = faults(`[A]\n${'x\n'.repeat(200)}`);
    expect(found).toHaveLength(APPLICATION_LIMITS.faultsMax + 1);
    expect(found.at(-1)?.[1]).toBe('faults-too-many');
  });

  test('no bytes make it throw, and every refusal names a line of the file and what to do', () => {
    const piece = fc.constantFrom(
      '[A]',
      '[',
      ']',
      '=',
      '\n',
      '\r',
      'a=1',
      ';',
      '"',
      '\0',
      'AuthorizationKey',
      '.',
      'é',
    );
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(piece, { maxLength: 40 }).map((pieces) => bytes(pieces.join(''))),
    );
    fc.assert(
      fc.property(content, fc.option(fc.constant('A'), { nil: undefined }), (file, wanted) => {
        const verdict = parseApplicationFile(file, wanted);
        if (verdict.ok) return verdict.sections.every(({ entries }) => entries.length > 0);
        return (
          verdict.faults.length > 0 && verdict.faults.every(({ line, mend }) => line >= 1 && mend !== '')
        );
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('checkApplication', () => {
  test('finds nothing in what a file can say, and what it makes is read as it was stated', () => {
    const entries = [
      ['Lab Users', '50'],
      ['Modules', '"A" and "B"'],
      ['Empty', ''],
    ] as const;
    expect(checkApplication('Lab', entries)).toEqual([]);
    expect(pairs(parsed(applicationText('Lab', entries))[0])).toEqual(entries);
  });

  test.each([
    ['blanks around a value', ['a', ' 1'], 'entry-not-writable'],
    ['quotes around a value', ['a', '"1"'], 'entry-not-writable'],
    ['a line end in a value', ['a', '1\nb=2'], 'entry-not-writable'],
    ['an equals sign in a keyword', ['a=b', '1'], 'entry-not-writable'],
    ['a keyword that is a comment', [';a', '1'], 'entry-not-writable'],
    ['an empty keyword', ['', '1'], 'keyword-empty'],
    ['a keyword too long', ['k'.repeat(48), '1'], 'keyword-too-long'],
    ['a negative number', ['a', '-1'], 'units-invalid'],
    ['a control character', ['a', '\u001b[31m'], 'control-character'],
  ] as const)('%s', (_, entry, code) => {
    const found = checkApplication('Lab', [['first', '1'], entry]);
    expect(found.map((one) => [one.line, one.code])).toEqual([[3, code]]);
  });

  test('checks the name, the size and that keywords are there once', () => {
    expect(checkApplication('Bad.Name', [['a', '1']]).map(({ code }) => code)).toEqual([
      'section-name-invalid',
    ]);
    expect(checkApplication('A', []).map(({ code }) => code)).toEqual(['section-empty']);
    const twice = checkApplication('A', [
      ['a', '1'],
      ['a', '2'],
    ]);
    expect(twice.map(({ line, code }) => [line, code])).toEqual([[3, 'keyword-duplicate']]);
    const large = Array.from({ length: 20 }, (_, index) => [`k${index}`, 'v'.repeat(1_000)] as const);
    expect(checkApplication('A', large).map(({ code }) => code)).toEqual(['section-too-large']);
  });
});
