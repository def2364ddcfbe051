/**
 * Five thousand key files and application licences as nobody should write them: damaged, cut, mixed up, of random
 * bytes, and some that are odd but in order. They are always the same, and kept as text in
 * `test/fixtures/mutations.txt`: one JSON array a line, `[kind, how it was made, content]`, where each character of
 * the content is one byte. `node test/support/write-mutations.ts` writes that file anew.
 */
import { readFileSync } from 'node:fs';
import { parseKeyFile } from '../../src/domain/keys/keyfiles.ts';
import { signKeyFile, withAuthorization } from '../../src/domain/keys/signatures.ts';
import {
  foreignKeyFile,
  SIGNING_KEY_ID,
  signedApplicationFile,
  signedKeyFile,
  testSigningKey,
} from './keyfiles.ts';

export const MUTATIONS_FILE = new URL('../fixtures/mutations.txt', import.meta.url);
export const MUTATIONS = 5_000;
const SEED = 20_261_123;

/** What the content was before: a key file, or an application licence. */
export type Kind = 'key' | 'application';

/** One file that no parser may stumble over. */
export interface Mutation {
  readonly kind: Kind;
  /** Which way of spoiling made it; `signed anew` are the only ones whose signature was made after the change. */
  readonly how: string;
  readonly content: Buffer;
}

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

/** What is spoilt: real layouts, signed and unsigned, of both kinds. */
export function originals(kind: Kind): readonly Buffer[] {
  if (kind === 'key') {
    const sections = '\n[ISC.Lab]\nLab Users=5\nSite="North"\n\n[TrakCare]\nAddOn:EPR=1\n';
    const all = {
      EnforcedUnits: 8,
      NotBefore: '1/1/2020',
      VersionTo: '2030',
      MaxConnections: 25,
      Features: '1,19',
    };
    return [
      Buffer.from(signedKeyFile({ CustomerName: 'Klinik Südhöhe' }, sections).text),
      Buffer.from(signedKeyFile({ ...all, OrderNumber: 100200309, LicenseID: 'north' }).text),
      Buffer.from(foreignKeyFile().text),
      fixture('keys/cache-2011-multi-1000-trakcare.key'),
      fixture('keys/bom-crlf-utf8-8.key'),
    ];
  }
  return [
    Buffer.from(signedApplicationFile(fixture('applications-two-sections.ini').toString())),
    fixture('applications-two-sections.ini'),
    fixture('applications-bestlab.ini'),
    fixture('applications-bad.ini'),
    Buffer.from(
      signedApplicationFile('; hôpital\r\n[Radiology]\r\nConcurrent Users=50\r\nSite= "Münster, A"\r\n'),
    ),
  ];
}

/** Numbers from 0 to below 1 that are the same in every run and on every machine. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a_2d39);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** Choices of one run. */
class Dice {
  readonly #random = randomOf(SEED);

  below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

const SPECIAL = [
  '[',
  ']',
  '=',
  ';',
  '"',
  '\n',
  '\r',
  '\t',
  ' ',
  '.',
  '-',
  ':',
  '\0',
  '\x1b',
  '\xff',
  '\xef',
  '\xc3',
];

const VALUES = [
  ...['', '0', '-1', '+5', '007', '5.5', '1e3', '0x10', 'NaN', '999999999', '1000000000', '9'.repeat(400)],
  ...[
    '2/30/2027',
    '13/1/2027',
    '12/31/1800',
    '2027-12-31',
    '31.12.2027',
    '12/31/99999',
    'many',
    'Single',
    'multi',
  ],
  ...[
    '"',
    '""',
    '"5"',
    ' 5 ',
    '5;',
    '1,1',
    '1,,2',
    '2018.1.',
    '3.0.0.0.0.0.0.0.0',
    "'; drop table x; --",
    '\u00ff',
  ],
  ...[
    'ed25519:acme-2026:',
    `ed25519:other:${'A'.repeat(86)}`,
    '%{jndi}',
    '<b>',
    '%00',
    '__proto__',
    'constructor',
  ],
];

const PIECES = [
  ...[
    '[ConfigFile]\n',
    '[License]\n',
    '[ISC.Lab]\n',
    '[Radiology]\n',
    '[',
    ']\n',
    '=',
    ';',
    '"',
    '\n',
    '\r\n',
    ' ',
  ],
  ...[
    'FileType=License 1\n',
    'OrderNumber=1\n',
    'Server=Multi\n',
    'AuthorizedUnits=5\n',
    'Concurrent Users=50\n',
  ],
  ...[
    'ExpirationDate=2/29/2028\n',
    'Users=5\n',
    'AuthorizationKey=',
    '__proto__=1\n',
    '[constructor]\n',
    '\u00e9',
  ],
];

type Spoil = (content: Buffer, dice: Dice, kind: Kind) => Buffer;

const replaced = (content: Buffer, at: number, length: number, by: Buffer) =>
  Buffer.concat([content.subarray(0, at), by, content.subarray(at + length)]);

/** Spoils the lines of a file; each character is one byte. */
const byLines =
  (change: (lines: string[], dice: Dice) => string[]): Spoil =>
  (content, dice) =>
    Buffer.from(change(content.toString('latin1').split('\n'), dice).join('\n'), 'latin1');

/** Spoils one line of a file that has a keyword. */
const byEntry = (change: (keyword: string, value: string, dice: Dice) => string): Spoil =>
  byLines((lines, dice) => {
    const entries = lines.flatMap((line, index) => (line.includes('=') ? [index] : []));
    if (entries.length === 0) return lines;
    const index = dice.of(entries);
    const [keyword = '', ...value] = lines[index]!.split('=');
    return lines.with(index, change(keyword, value.join('='), dice));
  });

/** Every way of spoiling, by name; all are chosen equally often. */
const WAYS: Readonly<Record<string, Spoil>> = {
  'left as it was': (content) => content,
  'a bit flipped': (content, dice) => {
    const at = dice.below(content.length);
    return replaced(content, at, 1, Buffer.from([content[at]! ^ (1 << dice.below(8))]));
  },
  'a special character instead': (content, dice) =>
    replaced(content, dice.below(content.length), 1, Buffer.from(dice.of(SPECIAL), 'latin1')),
  'a special character more': (content, dice) =>
    replaced(content, dice.below(content.length), 0, Buffer.from(dice.of(SPECIAL), 'latin1')),
  'some bytes less': (content, dice) =>
    replaced(content, dice.below(content.length), 1 + dice.below(20), Buffer.alloc(0)),
  'some bytes more': (content, dice) =>
    replaced(content, dice.below(content.length), 0, dice.bytes(1 + dice.below(8))),
  'cut off': (content, dice) => content.subarray(0, dice.below(content.length)),
  'the beginning lost': (content, dice) => content.subarray(dice.below(content.length)),
  'two files in one': (content, dice, kind) => Buffer.concat([content, dice.of(originals(kind))]),
  'a file of the other kind behind': (content, dice, kind) =>
    Buffer.concat([content, dice.of(originals(kind === 'key' ? 'application' : 'key'))]),
  'a line twice': byLines((lines, dice) => {
    const index = dice.below(lines.length);
    return lines.toSpliced(dice.below(lines.length), 0, lines[index]!);
  }),
  'a line less': byLines((lines, dice) => lines.toSpliced(dice.below(lines.length), 1)),
  'two lines exchanged': byLines((lines, dice) => {
    const [one, other] = [dice.below(lines.length), dice.below(lines.length)];
    return lines.with(one, lines[other]!).with(other, lines[one]!);
  }),
  'another value': byEntry((keyword, _, dice) => `${keyword}=${dice.of(VALUES)}`),
  'another keyword': byEntry((_, value, dice) => `${dice.of(VALUES)}=${value}`),
  'a keyword written otherwise': byEntry(
    (keyword, value, dice) =>
      [`${keyword.toUpperCase()}=${value}`, `${keyword.toLowerCase()}=${value}`, ` ${keyword} = ${value} `][
        dice.below(3)
      ]!,
  ),
  'a keyword about as long as allowed': byEntry(
    (_, value, dice) => `${'k'.repeat(dice.of([47, 48, 128, 129]))}=${value}`,
  ),
  'a line about as long as allowed': byEntry((keyword, _, dice) =>
    `${keyword}=`.padEnd(dice.of([1_023, 1_024, 1_025]), 'v'),
  ),
  'a name about as long as allowed': byLines((lines, dice) => {
    const headers = lines.flatMap((line, index) => (line.startsWith('[') ? [index] : []));
    return headers.length === 0
      ? lines
      : lines.with(dice.of(headers), `[${'N'.repeat(dice.of([47, 48, 128, 129]))}]`);
  }),
  'a header changed': byLines((lines, dice) =>
    lines.map((line) =>
      line.startsWith('[') && dice.below(2) === 0
        ? dice.of([
            line.toLowerCase(),
            `${line} `,
            line.slice(1),
            line.slice(0, -1),
            '[]',
            '[.]',
            '[Lab',
            '[A.B]',
            '[__proto__]',
          ])
        : line,
    ),
  ),
  'other line ends': (content, dice) =>
    Buffer.from(
      content
        .toString('latin1')
        .replaceAll(/\r?\n/g, dice.of(['\r\n', '\r', '\n\n', '\n\r', '\v', '\u0085'])),
      'latin1',
    ),
  'another encoding': (content, dice) =>
    Buffer.from(content.toString('utf8'), dice.of(['utf16le', 'latin1', 'ascii'] as const)),
  'a byte order mark': (content, dice) =>
    Buffer.concat([
      Buffer.from(
        dice.of([
          [0xef, 0xbb, 0xbf],
          [0xff, 0xfe],
          [0xfe, 0xff],
          [0xef, 0xbb],
        ]),
      ),
      content,
    ]),
  'random bytes': (_, dice) => dice.bytes(dice.below(120)),
  'random pieces': (_, dice) =>
    Buffer.from(
      Array.from({ length: dice.below(24) }, () => dice.of(PIECES)).join(''),
      dice.of(['utf8', 'latin1'] as const),
    ),
  'zeros behind': (content, dice) => Buffer.concat([content, Buffer.alloc(1 + dice.below(40))]),
  'zeros instead': (content, dice) => Buffer.alloc(dice.below(content.length)),
};

/** Too large in one way or the other, each once: these take most of the room. */
function largeOnes(): Mutation[] {
  const section = `[Lab]\n${Array.from({ length: 17 }, (_, index) => `${`k${index}`.padEnd(9, 'k')}=${'v'.repeat(980)}\n`).join('')}`;
  const contents: [Kind, string, string][] = [
    ['application', 'a section too large', section],
    ['application', 'a file too large', `[Lab]\nUsers=5\n${';\n'.repeat(32_768)}`],
    ['key', 'a file too large', `${signedKeyFile().text}${';\n'.repeat(32_768)}`],
    [
      'application',
      'too many sections',
      Array.from({ length: 120 }, (_, index) => `[S${index}]\na=1\n`).join(''),
    ],
    [
      'key',
      'too many sections',
      `${signedKeyFile().text}${Array.from({ length: 120 }, (_, index) => `[S${index}]\n`).join('')}`,
    ],
    [
      'key',
      'too many entries',
      `${signedKeyFile().text}${Array.from({ length: 2_100 }, (_, index) => `k${index}=\n`).join('')}`,
    ],
    ['application', 'too many faults', `[Lab]\n${'x\n'.repeat(300)}`],
    ['key', 'too many faults', 'x\n'.repeat(300)],
    ['application', 'one long line', `[Lab]\nUsers=${'5'.repeat(60_000)}\n`],
  ];
  return contents.map(([kind, how, content]) => ({ kind, how, content: Buffer.from(content) }));
}

/** Odd values, with a signature that fits them: what a careless issuer could send. */
function signedAnew(kind: Kind, dice: Dice): Mutation {
  const ways = [
    'another value',
    'another keyword',
    'a line twice',
    'a line less',
    'two lines exchanged',
  ] as const;
  const how = 'signed anew';
  const original = dice.of(originals(kind).filter((content) => content.includes('ed25519')));
  const content = WAYS[dice.of(ways)]!(WAYS[dice.of(ways)]!(original, dice, kind), dice, kind);
  if (kind === 'application') {
    const unsigned = content.toString().replaceAll(/AuthorizationKey=.*\n/g, '');
    try {
      return { kind, how, content: Buffer.from(signedApplicationFile(unsigned)) };
    } catch {
      return { kind, how: 'not to be signed', content };
    }
  }
  const parsed = parseKeyFile(content);
  if (!parsed.ok) return { kind, how: 'not to be signed', content };
  const text = withAuthorization(parsed.file, signKeyFile(parsed.file, SIGNING_KEY_ID, testSigningKey));
  return { kind, how, content: Buffer.from(text) };
}

/** Makes all of them; the same ones in every run. */
export function makeMutations(): Mutation[] {
  const dice = new Dice();
  const made = largeOnes();
  const ways = Object.entries(WAYS);
  while (made.length < MUTATIONS) {
    const kind: Kind = made.length % 2 === 0 ? 'key' : 'application';
    if (dice.below(8) === 0) {
      made.push(signedAnew(kind, dice));
      continue;
    }
    const [how, spoil] = dice.of(ways);
    const once = spoil(dice.of(originals(kind)), dice, kind);
    // Some are spoilt twice; what is empty cannot be.
    const [, again] = dice.of(ways);
    const twice = dice.below(4) === 0 && once.length > 0;
    made.push({ kind, how: twice ? 'spoilt twice' : how, content: twice ? again(once, dice, kind) : once });
  }
  return made;
}

/** All of them as the text that is kept. */
export function writeMutations(mutations: readonly Mutation[]): string {
  const lines = mutations.map(({ kind, how, content }) =>
    JSON.stringify([kind, how, content.toString('latin1')]).replace(
      /[^ -~]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  );
  return `${lines.join('\n')}\n`;
}

/** Reads what `writeMutations` wrote. */
export function readMutations(text: string): Mutation[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    const [kind, how, content] = JSON.parse(line) as [Kind, string, string];
    return [{ kind, how, content: Buffer.from(content, 'latin1') }];
  });
}
