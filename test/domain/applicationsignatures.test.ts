import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parseApplicationFile } from '../../src/domain/applications/applicationfiles.ts';
import {
  type ApplicationConditions,
  canonicalSection,
  readApplicationFile,
} from '../../src/domain/applications/applicationsignatures.ts';
import { signText } from '../../src/domain/keys/signatures.ts';
import { SIGNING_KEY_ID, signedApplicationFile, TRUSTED, testSigningKey } from '../support/keyfiles.ts';

const trusting: ApplicationConditions = { trusted: TRUSTED, revoked: new Set() };
const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');

const UNSIGNED = `; for the laboratory
[BestLab]
Lab Users=50
Extended Reports= "Enabled, Münster"

; the other one
[Pharmacy]
Concurrent Users=12
`;
const SIGNED = signedApplicationFile(UNSIGNED);

function read(content: string | Uint8Array, conditions: ApplicationConditions = trusting) {
  return readApplicationFile(typeof content === 'string' ? Buffer.from(content) : content, conditions);
}

function codes(content: string | Uint8Array, conditions: ApplicationConditions = trusting) {
  const verdict = read(content, conditions);
  return verdict.ok ? [] : verdict.faults.map(({ line, code }) => [line, code]);
}

describe('the canonical text of a section', () => {
  test('is what the documentation says, byte for byte', () => {
    const parsed = parseApplicationFile(Buffer.from(SIGNED));
    const [lab] = parsed.ok ? parsed.sections : [];
    expect(canonicalSection(lab!)).toBe(
      'lictor-application-v1\n[BestLab]\nLab Users=50\nExtended Reports=Enabled, Münster\n',
    );
  });

  test('gives the signature that the documentation prints', () => {
    const text = 'lictor-application-v1\n[Lab]\nLab Users=50\n';
    const printed = readFileSync(new URL('../../docs/keys.md', import.meta.url), 'utf8');
    expect(printed).toContain(text.trim());
    expect(printed).toContain(`AuthorizationKey=${signText(text, 'test', testSigningKey)}`);
  });
});

describe('a signed application licence (F-73)', () => {
  test('is told verified, by whom, and its signature is no feature', () => {
    expect(read(SIGNED)).toEqual({
      ok: true,
      sections: [
        {
          name: 'BestLab',
          entries: [
            ['Lab Users', '50'],
            ['Extended Reports', 'Enabled, Münster'],
          ],
          signature: 'verified',
          signingKeyId: SIGNING_KEY_ID,
        },
        {
          name: 'Pharmacy',
          entries: [['Concurrent Users', '12']],
          signature: 'verified',
          signingKeyId: SIGNING_KEY_ID,
        },
      ],
    });
  });

  test('signing leaves every other line, and signing again changes nothing', () => {
    expect(SIGNED.replace(/AuthorizationKey=.*\n/g, '')).toBe(UNSIGNED);
    expect(signedApplicationFile(SIGNED)).toBe(SIGNED);
  });

  test('is the same after its line ends, encoding, comments, blanks, quotes and neighbours changed', () => {
    const [, lab = '', pharmacy = ''] = /(\[BestLab\][\s\S]*)(\[Pharmacy\][\s\S]*)/.exec(SIGNED) ?? [];
    const changed = `${pharmacy}\n[New]\na=1\n${lab.replace('Lab Users=50', '  Lab Users = "50" ').replace('; the other one', '')}`;
    const verdict = read(Buffer.from(changed.replaceAll('\n', '\r\n'), 'latin1'));
    expect(verdict.ok && verdict.sections.map(({ name, signature }) => [name, signature])).toEqual([
      ['Pharmacy', 'verified'],
      ['New', 'unsigned'],
      ['BestLab', 'verified'],
    ]);
  });

  test('every change of one byte is refused with its line, or leaves the same licence with its signature', () => {
    const bytes = Buffer.from(SIGNED);
    const original = JSON.stringify(read(SIGNED));
    const accepted = new Set<number>();
    let refused = 0;
    for (let index = 0; index < bytes.length; index += 1) {
      // A flipped bit, what begins a comment, a header and a line, and nothing visible.
      for (const value of [bytes[index]! ^ 1, 0x3b, 0x5b, 0x0a, 0x20, 0x3d]) {
        if (value === bytes[index]) continue;
        const changed = Buffer.from(bytes);
        changed[index] = value;
        const verdict = read(changed);
        if (verdict.ok) {
          expect([index, value, JSON.stringify(verdict)]).toEqual([index, value, original]);
          accepted.add(index);
        } else {
          expect(verdict.faults.every(({ line, mend }) => line >= 1 && mend !== '')).toBe(true);
          refused += 1;
        }
      }
    }
    // What may change is in comments, blanks and the empty line.
    const inWords = [...accepted].filter((index) =>
      /[A-Za-z0-9[\]]/.test(String.fromCharCode(bytes[index]!)),
    );
    const commented = (index: number) => SIGNED.slice(0, index).split('\n').at(-1)?.startsWith(';');
    expect(inWords.every(commented)).toBe(true);
    expect(refused).toBeGreaterThan(1_500);
  });

  test('every byte left out is noticed likewise', () => {
    const bytes = Buffer.from(SIGNED);
    const original = JSON.stringify(read(SIGNED));
    for (let index = 0; index < bytes.length; index += 1) {
      const verdict = read(Buffer.concat([bytes.subarray(0, index), bytes.subarray(index + 1)]));
      if (verdict.ok) expect([index, JSON.stringify(verdict)]).toEqual([index, original]);
    }
  });

  test.each([
    ['a changed value', SIGNED.replace('=50', '=51'), [5, 'signature-mismatch']],
    ['a changed name', SIGNED.replace('[BestLab]', '[BestLub]'), [5, 'signature-mismatch']],
    ['an entry more', SIGNED.replace('Lab Users', 'X=1\nLab Users'), [6, 'signature-mismatch']],
    ['an entry moved', SIGNED.replace(/(Lab Users=50\n)(Ext.*\n)/, '$2$1'), [5, 'signature-mismatch']],
    ['a signature cut', SIGNED.replace(/(ed25519:\S{30})\S+/, '$1'), [5, 'signature-malformed']],
    ['another scheme', SIGNED.replace('ed25519:', 'ed25518:'), [5, 'signature-malformed']],
    ['no value', SIGNED.replace(/=ed25519.*/, '='), [5, 'signature-malformed']],
    ['a signature in a comment', SIGNED.replace('Auth', '; Auth'), [5, 'signature-misplaced']],
    [
      'a signature under another name',
      SIGNED.replace('AuthorizationKey', 'Checksum'),
      [5, 'signature-misplaced'],
    ],
    [
      'a keyword written otherwise',
      SIGNED.replace('AuthorizationKey', 'AUTHORIZATIONKEY'),
      [5, 'keyword-case'],
    ],
  ])('%s is refused', (_, text, expected) => {
    expect(codes(text)).toEqual([expected]);
  });

  test('the signature of one section does not fit another, nor that of a key any', () => {
    const [, second = ''] = SIGNED.match(/AuthorizationKey=.*/g) ?? [];
    expect(codes(SIGNED.replace(/AuthorizationKey=.*/, second))).toEqual([[5, 'signature-mismatch']]);
    const asKey = canonicalSection({ name: 'Lab', entries: [] }).replace('application', 'key');
    const ofKey = signText(asKey, SIGNING_KEY_ID, testSigningKey);
    expect(codes(`[Lab]\na=1\nAuthorizationKey=${ofKey}\n`)).toEqual([[3, 'signature-mismatch']]);
  });

  test('signed by somebody unknown or revoked it is refused, with who it was', () => {
    expect(codes(SIGNED, { ...trusting, trusted: new Map() })).toEqual([
      [5, 'signature-untrusted'],
      [10, 'signature-untrusted'],
    ]);
    const verdict = read(SIGNED, { ...trusting, revoked: new Set([SIGNING_KEY_ID]), section: 'Pharmacy' });
    expect(verdict.ok ? [] : verdict.faults).toEqual([
      {
        line: 10,
        code: 'signature-untrusted',
        message: `The application licence [Pharmacy] is signed with the signing key "${SIGNING_KEY_ID}", which is revoked.`,
        mend: 'Ask the issuer for a licence file signed with a current signing key.',
        legacyCode: 1,
      },
    ]);
  });

  test('one of a file is loaded alone, whatever the signature of the other', () => {
    const broken = SIGNED.replace('=50', '=51');
    const verdict = read(broken, { ...trusting, section: 'Pharmacy' });
    expect(verdict).toMatchObject({ ok: true, sections: [{ name: 'Pharmacy', signature: 'verified' }] });
  });
});

describe('an unsigned application licence (F-73)', () => {
  test('is taken and told to be unsigned', () => {
    const verdict = read(fixture('applications-two-sections.ini'));
    expect(
      verdict.ok && verdict.sections.map(({ signature, signingKeyId }) => [signature, signingKeyId]),
    ).toEqual([
      ['unsigned', null],
      ['unsigned', null],
    ]);
  });

  test('is refused where signatures are required', () => {
    const required = { ...trusting, signatureRequired: true };
    expect(codes(UNSIGNED, required)).toEqual([
      [2, 'signature-missing'],
      [7, 'signature-missing'],
    ]);
    expect(codes(SIGNED, required)).toEqual([]);
  });
});
