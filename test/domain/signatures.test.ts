import { createPrivateKey, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type KeyFile, parseKeyFile } from '../../src/domain/keys/keyfiles.ts';
import {
  canonicalText,
  keyId,
  parseRevoked,
  parseTrustedKeys,
  publicKeyText,
  signKeyFile,
  verifyKeyFile,
  withAuthorization,
} from '../../src/domain/keys/signatures.ts';

/** A private key of known bytes, so that signatures in this file never change. */
function keyOf(byte: number): KeyObject {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return createPrivateKey({
    key: Buffer.concat([prefix, Buffer.alloc(32, byte)]),
    format: 'der',
    type: 'pkcs8',
  });
}

const privateKey = keyOf(7);
const trusted = new Map([['acme-2026', publicKeyText(privateKey)]]);
const none = new Set<string>();

const UNSIGNED = `; made for a test
[ConfigFile]
FileType=Lictor License 1

[License]
CustomerName= "Exämple 東京"
OrderNumber=100200301
AuthorizedUnits=25
MachineID=

[ISC.Lab]
Lab Users=50
AuthorizationKey=belongs to the application
`;

function parse(text: string | Uint8Array): KeyFile {
  const verdict = parseKeyFile(typeof text === 'string' ? Buffer.from(text, 'utf8') : text);
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.faults));
  return verdict.file;
}

const SIGNED = withAuthorization(parse(UNSIGNED), signKeyFile(parse(UNSIGNED), 'acme-2026', privateKey));

describe('the canonical text', () => {
  test('is what the documentation says, byte for byte', () => {
    expect(canonicalText(parse(SIGNED))).toBe(
      [
        'lictor-key-v1',
        '[ConfigFile]',
        'FileType=Lictor License 1',
        '[License]',
        'CustomerName=Exämple 東京',
        'OrderNumber=100200301',
        'AuthorizedUnits=25',
        'MachineID=',
        '[ISC.Lab]',
        'Lab Users=50',
        'AuthorizationKey=belongs to the application',
        '',
      ].join('\n'),
    );
  });

  test('does not depend on line ends, marks, comments, blanks and quotes', () => {
    const variants = [
      SIGNED.replaceAll('\n', '\r\n'),
      SIGNED.replaceAll('\n', '\r'),
      `\ufeff${SIGNED}`,
      SIGNED.replaceAll('=', ' =\t'),
      SIGNED.replaceAll('\n', '\n; a note\n\n'),
      SIGNED.replace('"Exämple 東京"', 'Exämple 東京'),
    ];
    for (const variant of variants) {
      expect(canonicalText(parse(variant))).toBe(canonicalText(parse(SIGNED)));
      expect(keyId(parse(variant))).toBe(keyId(parse(SIGNED)));
      expect(verifyKeyFile(parse(variant), trusted, none).kind).toBe('verified');
    }
  });

  test('a file in Latin-1 and the same file in UTF-8 are one key', () => {
    const text = UNSIGNED.replace('東京', '');
    const signed = withAuthorization(parse(text), signKeyFile(parse(text), 'acme-2026', privateKey));
    const narrow = parse(Buffer.from(signed, 'latin1'));
    expect(narrow.encoding).toBe('latin-1');
    expect(verifyKeyFile(narrow, trusted, none).kind).toBe('verified');
    expect(keyId(narrow)).toBe(keyId(parse(signed)));
  });
});

describe('signing', () => {
  test('keeps every line and adds one', () => {
    const added = SIGNED.split('\n').filter((line) => !UNSIGNED.split('\n').includes(line));
    expect(added).toEqual([expect.stringMatching(/^AuthorizationKey=ed25519:acme-2026:[\w-]{86}$/)]);
    expect(SIGNED.split('\n')[9]).toBe(added[0]);
  });

  test('replaces an authorization key that is there, and keeps the line ends', () => {
    const before = SIGNED.replaceAll('\n', '\r\n');
    const again = withAuthorization(parse(before), signKeyFile(parse(before), 'acme-2026', privateKey));
    expect(again).toBe(before);
  });

  test('works when the last line has no end', () => {
    const text = '[ConfigFile]\nFileType=X\n[License]\nOrderNumber=1';
    expect(withAuthorization(parse(text), 'A')).toBe(`${text}\nAuthorizationKey=A\n`);
  });

  test('known bytes give a known signature, so that another implementation can compare', () => {
    const file = parse('[ConfigFile]\nFileType=Lictor License 1\n[License]\nOrderNumber=1\n');
    expect(publicKeyText(privateKey)).toBe('6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw');
    const authorization = signKeyFile(file, 'test', privateKey);
    expect(authorization).toBe(
      'ed25519:test:zEew2mlIuf3scj85l32qlKn4oMMwzMtHGHgXBh8GxMw9480GkErTQ5R8jsy2Dx3HjVXJq3yBzo1Vr59utK-NAA',
    );
    expect(keyId(parse(withAuthorization(file, authorization)))).toBe('1-e0021bc1');
  });
});

describe('verifying', () => {
  test('a signature by a trusted key holds', () => {
    expect(verifyKeyFile(parse(SIGNED), trusted, none)).toEqual({
      kind: 'verified',
      signingKeyId: 'acme-2026',
    });
  });

  test('one changed byte anywhere is never verified', () => {
    const original = Buffer.from(SIGNED, 'utf8');
    const text = canonicalText(parse(SIGNED));
    fc.assert(
      fc.property(fc.nat(original.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const altered = Buffer.from(original);
        altered[at] = (altered[at] ?? 0) ^ change;
        const verdict = parseKeyFile(altered);
        if (!verdict.ok) return;
        const { kind } = verifyKeyFile(verdict.file, trusted, none);
        // A change inside a comment, a blank line or around a value is no change of the key.
        if (kind === 'verified') expect(canonicalText(verdict.file)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['a value', 'AuthorizedUnits=25', 'AuthorizedUnits=52'],
    ['a keyword', 'AuthorizedUnits', 'AuthorizedUnitx'],
    ['a section name', 'ISC.Lab', 'ISC.Lob'],
    ['an application entry', 'Lab Users=50', 'Lab Users=500'],
    ['the other AuthorizationKey', 'belongs to', 'belonged to'],
    ['the file type', 'Lictor License 1', 'Lictor License 2'],
    ['an added entry', 'MachineID=', 'MachineID=\nFeatures=NLP'],
    ['a removed entry', 'MachineID=\n', ''],
    ['the order of entries', 'AuthorizedUnits=25\nMachineID=', 'MachineID=\nAuthorizedUnits=25'],
  ])('%s changed is a mismatch, in words', (_, from, to) => {
    const verdict = verifyKeyFile(parse(SIGNED.replace(from, to)), trusted, none);
    expect(verdict).toMatchObject({
      kind: 'mismatch',
      signingKeyId: 'acme-2026',
      reason: expect.stringContaining('changed after it was signed'),
    });
  });

  test('an unknown signing key is named, with those that are trusted', () => {
    const other = new Map([['other-1', publicKeyText(keyOf(8))]]);
    expect(verifyKeyFile(parse(SIGNED), other, none)).toMatchObject({
      kind: 'unknown-signer',
      reason: expect.stringMatching(/"acme-2026".*other-1/),
    });
    expect(verifyKeyFile(parse(SIGNED), new Map(), none)).toMatchObject({ kind: 'unknown-signer' });
  });

  test('another public key under the same ID is a mismatch', () => {
    const impostor = new Map([['acme-2026', publicKeyText(keyOf(8))]]);
    expect(verifyKeyFile(parse(SIGNED), impostor, none).kind).toBe('mismatch');
  });

  test('a revoked signing key weighs more than being trusted', () => {
    expect(verifyKeyFile(parse(SIGNED), trusted, new Set(['acme-2026']))).toMatchObject({
      kind: 'revoked-signer',
      reason: expect.stringContaining('"acme-2026"'),
    });
  });

  test.each([
    'ed25519:',
    'ed25519:acme-2026',
    'ed25519:acme-2026:AAAA',
    'ed25519:ACME:AAAA',
    'ed25519:acme-2026:AAAA:more',
  ])('%s is malformed', (value) => {
    const file = parse(withAuthorization(parse(UNSIGNED), value));
    expect(verifyKeyFile(file, trusted, none).kind).toBe('malformed');
  });

  test('a signature has one spelling only', () => {
    const last = /AuthorizationKey=(.*)$/m.exec(SIGNED)?.[1] ?? '';
    expect(verifyKeyFile(parse(SIGNED.replace(last, `${last}==`)), trusted, none).kind).toBe('malformed');
  });

  test('somebody else’s authorization key is foreign', () => {
    expect(verifyKeyFile(parse(UNSIGNED), trusted, none).kind).toBe('foreign');
    const foreign = parse(withAuthorization(parse(UNSIGNED), '7A100000148000F0'));
    expect(verifyKeyFile(foreign, trusted, none).kind).toBe('foreign');
  });
});

describe('the ID of a key', () => {
  test('is the order number and eight digits, safe in a URL', () => {
    const id = keyId(parse(SIGNED));
    expect(id).toMatch(/^100200301-[0-9a-f]{8}$/);
    expect(encodeURIComponent(id)).toBe(id);
  });

  test('covers the signature', () => {
    const resigned = withAuthorization(parse(SIGNED), signKeyFile(parse(SIGNED), 'acme-2027', keyOf(8)));
    expect(keyId(parse(resigned))).not.toBe(keyId(parse(SIGNED)));
  });
});

describe('the configured lists', () => {
  const publicKey = publicKeyText(privateKey);

  test('separators are commas, blanks and line ends; none at all is an empty list', () => {
    const list = parseTrustedKeys(` a:${publicKey}, b:${publicKey}\n\tc:${publicKey},,`);
    expect(list).toEqual({
      ok: true,
      keys: new Map([
        ['a', publicKey],
        ['b', publicKey],
        ['c', publicKey],
      ]),
    });
    expect(parseTrustedKeys('')).toEqual({ ok: true, keys: new Map() });
  });

  test('all faults are reported at once', () => {
    const other = publicKeyText(keyOf(8));
    const list = parseTrustedKeys(`x, A:${publicKey}, b:short, c:${publicKey}, c:${other}, d:${publicKey}=`);
    expect(list).toEqual({
      ok: false,
      faults: [
        expect.stringContaining('"x" is not of the form'),
        expect.stringContaining('"A" is not a signing key ID'),
        expect.stringContaining('The public key of "b"'),
        expect.stringContaining('"c" is listed twice'),
        expect.stringContaining('The public key of "d"'),
      ],
    });
  });

  test('revocations name signing keys and single keys', () => {
    expect(parseRevoked('acme-2025, 100200301-0a1b2c3d')).toEqual({
      ok: true,
      ids: new Set(['acme-2025', '100200301-0a1b2c3d']),
    });
    expect(parseRevoked('ACME/1')).toMatchObject({
      ok: false,
      faults: [expect.stringContaining('"ACME/1"')],
    });
  });
});
