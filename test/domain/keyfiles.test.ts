import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KEY_FILE_LIMITS, type KeyFile, parseKeyFile } from '../../src/domain/keys/keyfiles.ts';

const fixtures = new URL('../fixtures/keys/', import.meta.url);
const fixture = (name: string) => readFileSync(new URL(name, fixtures));
const bytes = (text: string) => Buffer.from(text, 'utf8');

function parsed(content: Uint8Array): KeyFile {
  const verdict = parseKeyFile(content);
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.faults));
  return verdict.file;
}

function faults(content: Uint8Array | string) {
  const verdict = parseKeyFile(typeof content === 'string' ? bytes(content) : content);
  return verdict.ok ? [] : verdict.faults;
}

function values(file: KeyFile, section: string): Record<string, string> {
  const found = file.sections.find(({ name }) => name === section);
  return Object.fromEntries((found?.entries ?? []).map(({ keyword, value }) => [keyword, value]));
}

const HEAD = '[ConfigFile]\nFileType=License 2013.1\n[License]\nOrderNumber=1\n';

describe('parseKeyFile, the good ones', () => {
  test('reads the fields and the application sections of a real layout (F-2, F-8)', () => {
    const file = parsed(fixture('cache-2011-multi-1000-trakcare.key'));
    expect(file.encoding).toBe('utf-8');
    expect(file.sections.map(({ name, kind }) => [name, kind])).toEqual([
      ['ConfigFile', 'config'],
      ['License', 'license'],
      ['TrakCare', 'other'],
      ['ISC.HealthShare', 'protected'],
    ]);
    expect(values(file, 'License')).toMatchObject({ OrderNumber: '100200302', MachineID: '' });
    expect(values(file, 'TrakCare')).toEqual({
      'Foundation Product': 'PAS, Clinical',
      'Facility Name': 'Example General',
      'Facility Class': '1',
      'Concurrent Users': '1000',
      'AddOn:Active Decision Support': '1',
      'AddOn:EPR Connectivity': '1',
    });
  });

  test('reads a byte order mark, CRLF and characters outside Latin-1', () => {
    const file = parsed(fixture('bom-crlf-utf8-8.key'));
    expect(values(file, 'License').CustomerName).toBe('Exämple 東京');
    expect(file.text.startsWith('[ConfigFile]')).toBe(true);
  });

  test('every good fixture is accepted', () => {
    const names = readdirSync(fixtures).filter((name) => name.endsWith('.key'));
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect([name, parseKeyFile(fixture(name)).ok]).toEqual([name, true]);
  });

  test.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('line ends may be %s', (_, end) => {
    const file = parsed(bytes(`${HEAD}CustomerName=A\n`.replaceAll('\n', end)));
    expect(values(file, 'License')).toEqual({ OrderNumber: '1', CustomerName: 'A' });
    expect(file.sections[1]?.entries[1]?.line).toBe(5);
  });

  test('a file that is not UTF-8 is Latin-1, with the quotes of Windows', () => {
    const text = `${HEAD}CustomerName=M\u00fcller\u0092s\n`;
    const file = parsed(Buffer.from(text, 'latin1'));
    expect(file.encoding).toBe('latin-1');
    expect(values(file, 'License').CustomerName).toBe('Müller’s');
  });

  test('quotes are taken off only when they enclose the whole value', () => {
    const file = parsed(bytes(`${HEAD}[App]\na= " x " \nb="A" and "B"\nc=""\nd="\ne=x=y;z\n; note\n\t\n`));
    expect(values(file, 'App')).toEqual({ a: ' x ', b: '"A" and "B"', c: '', d: '"', e: 'x=y;z' });
  });

  test('keywords named like members of every object are ordinary keywords', () => {
    const file = parsed(bytes(`${HEAD}constructor=1\n__proto__=2\ntoString=3\n`));
    expect(file.sections[1]?.entries.map(({ keyword }) => keyword)).toContain('__proto__');
  });
});

describe('parseKeyFile, the bad ones (F-24)', () => {
  const expected: Record<string, [code: string, line: number, words: RegExp]> = {
    'duplicate-keyword.key': ['keyword-duplicate', 6, /"CustomerName".*line 5.*line 6/],
    'empty.key': ['file-empty', 1, /empty/],
    'impossible-date.key': ['date-impossible', 8, /ExpirationDate.*2\/30\/2027.*28 days/],
    'negative-numbers.key': ['order-number-invalid', 7, /OrderNumber.*-3.*negative/],
    'no-configfile-section.key': ['section-missing', 1, /\[ConfigFile\] is missing/],
    'utf16-fragment.key': ['file-utf-16', 1, /UTF-16/],
    'zeros.key': ['file-zeroed', 1, /4096 zero bytes/],
  };

  test('every bad fixture is refused by one fault of its own', () => {
    const names = readdirSync(new URL('bad/', fixtures));
    expect(names.sort()).toEqual(Object.keys(expected).sort());
    for (const name of names) {
      const [code, line, words] = expected[name] ?? [];
      const found = faults(fixture(`bad/${name}`));
      expect(found).toEqual([
        { code, line, message: expect.stringMatching(words!), mend: expect.anything() },
      ]);
    }
    expect(new Set(Object.values(expected).map(([code]) => code)).size).toBe(names.length);
  });

  test.each([
    ['UTF-16 without a mark', Buffer.from(HEAD, 'utf16le'), 'file-utf-16', 1],
    ['UTF-16 with a big-endian mark', Buffer.from([0xfe, 0xff, 0, 0x5b]), 'file-utf-16', 1],
    ['a NUL in the middle', bytes(`${HEAD}CustomerName=A\0B\n`), 'nul-byte', 5],
    ['a mark before what is not UTF-8', Buffer.from([0xef, 0xbb, 0xbf, 0x41, 0xff]), 'file-not-utf-8', 1],
    ['only comments', bytes('; nothing\n\n'), 'file-empty', 1],
    ['an escape sequence', bytes(`${HEAD}CustomerName=\x1b[31mA\n`), 'control-character', 5],
    ['a C1 control', bytes(`${HEAD}CustomerName=\u009b31mA\n`), 'control-character', 5],
    ['a line without equals', bytes(`${HEAD}CustomerName A\n`), 'line-not-understood', 5],
    ['no keyword', bytes(`${HEAD} = A\n`), 'keyword-empty', 5],
    ['an entry before the first section', bytes(`A=1\n${HEAD}`), 'entry-outside-section', 1],
    ['a broken header', bytes(`${HEAD}[App\nA=1\n`), 'section-header-broken', 5],
    ['a section without name', bytes(`${HEAD}[ ]\n`), 'section-name-invalid', 5],
    ['a section with half a name', bytes(`${HEAD}[ISC.]\n`), 'section-name-invalid', 5],
    ['a section twice', bytes(`${HEAD}[App]\nA=1\n[App]\nA=2\n`), 'section-duplicate', 7],
    ['a section in the wrong case', bytes(HEAD.replace('License]', 'license]')), 'section-case', 3],
    ['a keyword in the wrong case', bytes(`${HEAD}expirationDate=1/1/2020\n`), 'keyword-case', 5],
    ['no order number', bytes('[ConfigFile]\nFileType=X\n[License]\n'), 'field-missing', 3],
    ['an empty file type', bytes(HEAD.replace('License 2013.1', '')), 'field-missing', 2],
    ['an order number with letters', bytes(HEAD.replace('=1', '=A1')), 'order-number-invalid', 4],
    ['a date in words', bytes(`${HEAD}ExpirationDate=tomorrow\n`), 'date-malformed', 5],
    ['day before month', bytes(`${HEAD}ExpirationDate=31/12/2027\n`), 'date-impossible', 5],
    ['29 February of a common year', bytes(`${HEAD}NotBefore=2027-02-29\n`), 'date-impossible', 5],
    ['reversed dates', bytes(`${HEAD}NotBefore=1/2/2027\nExpirationDate=1/1/2027\n`), 'dates-reversed', 5],
    ['no units', bytes(`${HEAD}AuthorizedUnits=0\n`), 'units-invalid', 5],
    ['part of a unit', bytes(`${HEAD}AuthorizedUnits=1.5\n`), 'units-invalid', 5],
    ['enforced below authorised', bytes(`${HEAD}AuthorizedUnits=9\nEnforcedUnits=8\n`), 'units-invalid', 6],
    ['a version in words', bytes(`${HEAD}VersionTo=latest\n`), 'version-invalid', 5],
    ['reversed versions', bytes(`${HEAD}VersionFrom=2019\nVersionTo=2018.1\n`), 'versions-reversed', 5],
    ['an unknown server type', bytes(`${HEAD}Server=Many\n`), 'field-invalid', 5],
    ['a long LicenseID', bytes(`${HEAD}LicenseID=${'x'.repeat(33)}\n`), 'field-invalid', 5],
    ['a feature twice', bytes(`${HEAD}Features=NLP, Sharding,NLP\n`), 'field-invalid', 5],
  ])('refuses %s', (_, content, code, line) => {
    expect(faults(content).map((found) => [found.code, found.line])).toEqual([[code, line]]);
  });

  test('reports all faults at once, in the order of the lines', () => {
    const found = faults(
      `x\n${HEAD}OrderNumber=-5\nExpirationDate=13/1/2027\nServer=?\nAuthorizedUnits=-1\n`,
    );
    expect(found.map(({ line, code }) => [line, code])).toEqual([
      [1, 'line-not-understood'],
      [6, 'keyword-duplicate'],
      [7, 'date-impossible'],
      [8, 'field-invalid'],
      [9, 'units-invalid'],
    ]);
  });

  test('messages carry no control or bidirectional characters of the file', () => {
    const [found] = faults(`${HEAD}\u202ereversed\n`);
    expect(found?.message).toContain('\\u202ereversed');
  });
});

describe('parseKeyFile, the limits', () => {
  const { fileBytesMax, lineCharactersMax, sectionsMax, entriesMax, nameCharactersMax, faultsMax } =
    KEY_FILE_LIMITS;
  const filler = (length: number) => `;${'x'.repeat(length - 1)}`;

  test('64 KiB are read and a byte more is not', () => {
    const lines = `${filler(63)}\n`.repeat(Math.floor((fileBytesMax - HEAD.length) / 64));
    const text = (HEAD + lines).padEnd(fileBytesMax, '\n');
    expect(faults(text)).toEqual([]);
    expect(faults(`${text}\n`).map(({ code }) => code)).toEqual(['file-too-large']);
  });

  test('a line at the limit is read and a longer one is not', () => {
    expect(faults(`${HEAD}${filler(lineCharactersMax)}\n`)).toEqual([]);
    expect(faults(`${HEAD}${filler(lineCharactersMax + 1)}\n`)[0]).toMatchObject({
      line: 5,
      code: 'line-too-long',
    });
  });

  test('sections and entries are counted, and going over is one fault', () => {
    const sections = (count: number) =>
      HEAD + Array.from({ length: count - 2 }, (_, index) => `[S${index}]\n`).join('');
    expect(faults(sections(sectionsMax))).toEqual([]);
    expect(faults(sections(sectionsMax + 20)).map(({ code }) => code)).toEqual(['sections-too-many']);
    const entries = (count: number) =>
      `${HEAD}[App]\n${Array.from({ length: count - 2 }, (_, index) => `k${index}=\n`).join('')}`;
    expect(faults(entries(entriesMax))).toEqual([]);
    expect(faults(entries(entriesMax + 20)).map(({ code }) => code)).toEqual(['entries-too-many']);
  });

  test('names have a limit', () => {
    const long = 'n'.repeat(nameCharactersMax);
    expect(faults(`${HEAD}[${long}]\n${long}=1\n`)).toEqual([]);
    expect(faults(`${HEAD}[${long}n]\n`)[0]?.code).toBe('section-name-invalid');
    expect(faults(`${HEAD}${long}n=1\n`)[0]?.code).toBe('keyword-too-long');
  });

  test('the list of faults is cut, and says so', () => {
    const found = faults('x\n'.repeat(5_000));
    expect(found).toHaveLength(faultsMax + 1);
    expect(found.at(-1)?.code).toBe('faults-too-many');
  });
});

describe('parseKeyFile, any bytes', () => {
  function holdsForm(content: Uint8Array): void {
    const verdict = parseKeyFile(content);
    if (verdict.ok) {
      expect(verdict.file.sections.length).toBeGreaterThanOrEqual(2);
      return;
    }
    expect(verdict.faults.length).toBeGreaterThan(0);
    expect(verdict.faults.length).toBeLessThanOrEqual(KEY_FILE_LIMITS.faultsMax + 1);
    for (const { line, message, mend } of verdict.faults) {
      expect(line).toBeGreaterThanOrEqual(1);
      expect(message).not.toBe('');
      expect(mend).not.toBe('');
      expect(message).not.toMatch(/\p{Cc}/u);
    }
  }

  test('random bytes never make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (content) => holdsForm(content)),
      { numRuns: 500 },
    );
  });

  test('random pieces of the form never make it throw', () => {
    const piece = fc.constantFrom(
      '[ConfigFile]',
      '[License]',
      '[A.B]',
      '[',
      ']',
      '=',
      ';',
      '"',
      '\n',
      '\r',
      ' ',
      '\t',
      '\u0000',
      '\u00ff',
      '\u{1f600}',
      'FileType=License 1',
      'OrderNumber=1',
      'ExpirationDate=2/29/2028',
      'Features=1,2',
      'VersionTo=1..2',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, narrow) =>
        holdsForm(Buffer.from(pieces.join(''), narrow ? 'latin1' : 'utf8')),
      ),
      { numRuns: 500 },
    );
  });

  test('mutated files never make it throw', () => {
    const originals = readdirSync(fixtures)
      .filter((name) => name.endsWith('.key'))
      .map(fixture);
    const edit = fc.record({ at: fc.nat(600), drop: fc.nat(20), add: fc.uint8Array({ maxLength: 8 }) });
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        (original, edits) => {
          let content: Uint8Array = original;
          for (const { at, drop, add } of edits) {
            content = Buffer.concat([content.subarray(0, at), add, content.subarray(at + drop)]);
          }
          holdsForm(content);
        },
      ),
      { numRuns: 500 },
    );
  });
});
