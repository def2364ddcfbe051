import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FEATURES, featureName, featureNumber } from '../../src/domain/keys/features.ts';
import { DAY_MS } from '../../src/domain/keys/keydates.ts';
import { parseKeyFile } from '../../src/domain/keys/keyfiles.ts';
import {
  EVALUATION_KEY,
  hasFeature,
  type KeyConditions,
  keyId,
  keyStatus,
  type LicenseKey,
  normaliseLicenseType,
  readKey,
  type StatedTerms,
  versionFits,
  versionWords,
} from '../../src/domain/keys/keys.ts';
import { publicKeyText, signKeyFile, withAuthorization } from '../../src/domain/keys/signatures.ts';

const { privateKey } = generateKeyPairSync('ed25519');
const trusted = new Map([['acme', publicKeyText(privateKey)]]);
const none = new Set<string>();
const STATED: StatedTerms = {
  units: 1000,
  unitsEnforced: 1480,
  licenseType: 'Concurrent Users',
  server: 'multi',
};

function parse(content: string | Uint8Array) {
  const verdict = parseKeyFile(typeof content === 'string' ? Buffer.from(content, 'utf8') : content);
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.faults));
  return verdict.file;
}

const fixture = (name: string) => parse(readFileSync(new URL(`../fixtures/keys/${name}`, import.meta.url)));

const FIELDS = {
  LicenseCapacity: 'Example Server - Concurrent Users:9999',
  CustomerName: 'Example Clinic',
  OrderNumber: '100200301',
  ExpirationDate: '7/15/2027',
  Product: 'Example Server',
  LicenseType: 'Concurrent User',
  Server: 'Multi',
  AuthorizedUnits: '25',
};

function signed(changes: Record<string, string | undefined> = {}, more = '') {
  const lines = Object.entries({ ...FIELDS, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([keyword, value]) => `${keyword}=${value}\n`);
  const file = parse(`[ConfigFile]\nFileType=Lictor License 1\n[License]\n${lines.join('')}${more}`);
  return parse(withAuthorization(file, signKeyFile(file, 'acme', privateKey)));
}

function conditions(changes: Partial<KeyConditions> = {}): KeyConditions {
  return { trusted, revoked: none, allowUnverified: false, timeZone: 'UTC', ...changes };
}

function keyOf(file: ReturnType<typeof parse>, changes: Partial<KeyConditions> = {}): LicenseKey {
  const verdict = readKey(file, conditions(changes));
  if (!verdict.ok) throw new Error(verdict.reason);
  return verdict.key;
}

describe('readKey, a signed key', () => {
  test('capacity comes from the explicit fields and never from LicenseCapacity (F-1)', () => {
    const file = signed(
      {
        EnforcedUnits: '30',
        Features: ' Sharding, 7 ,My Feature',
        NotBefore: '1/2/2026',
        VersionFrom: '5.1',
        VersionTo: '2018',
        MachineID: 'm-1',
        LicenseID: 'l-1',
        MaxConnections: '12',
      },
      '[ISC.Lab]\nLab Users=50\n[TrakCare]\nA=\n',
    );
    expect(keyOf(file)).toEqual({
      id: keyId(file),
      orderNumber: '100200301',
      customerName: 'Example Clinic',
      product: 'Example Server',
      licenseType: 'concurrent-user',
      server: 'multi',
      unitsAuthorised: 25,
      unitsEnforced: 30,
      features: ['Sharding', '7', 'My Feature'],
      generation: '1',
      versionFrom: '5.1',
      versionTo: '2018',
      notBeforeDate: '2026-01-02',
      expirationDate: '2027-07-15',
      validFromMs: Date.parse('2026-01-02T00:00:00.000Z'),
      validThroughMs: Date.parse('2027-07-15T23:59:59.999Z'),
      machineId: 'm-1',
      licenseId: 'l-1',
      licenseCapacity: FIELDS.LicenseCapacity,
      trust: 'verified',
      signingKeyId: 'acme',
      enforcement: 'central',
      connectionsPerUnitMax: 12,
      sections: [
        { name: 'ISC.Lab', kind: 'protected', entries: [['Lab Users', '50']] },
        { name: 'TrakCare', kind: 'other', entries: [['A', '']] },
      ],
    });
  });

  test('what is left out has its default; the record survives JSON', () => {
    const key = keyOf(signed({ ExpirationDate: undefined, CustomerName: '' }));
    expect(key).toMatchObject({
      unitsEnforced: 25,
      features: [],
      versionFrom: null,
      expirationDate: null,
      validThroughMs: null,
      validFromMs: null,
      machineId: null,
      connectionsPerUnitMax: 25,
      customerName: '',
    });
    expect(JSON.parse(JSON.stringify(key))).toEqual(key);
  });

  test('a missing capacity is refused, all missing fields at once', () => {
    const verdict = readKey(
      signed({ Server: undefined, AuthorizedUnits: '', Product: undefined }),
      conditions(),
    );
    expect(verdict).toMatchObject({ ok: false, code: 'key-file-invalid' });
    expect(verdict.ok ? [] : verdict.faults.map(({ message }) => message)).toEqual([
      'Product of [License] is missing.',
      'Server of [License] is missing.',
      'AuthorizedUnits of [License] is empty.',
    ]);
  });

  test('an unknown keyword is told and does not prevent the use', () => {
    const verdict = readKey(signed({ EnforcdUnits: '99' }), conditions());
    expect(verdict.ok && verdict.notices).toEqual([expect.stringContaining('"EnforcdUnits"')]);
    expect(verdict.ok && verdict.key.unitsEnforced).toBe(25);
  });

  test.each([
    [
      'an unknown signing key',
      { trusted: new Map<string, string>() },
      'key-untrusted',
      /"acme".*not trusted/,
    ],
    ['a revoked signing key', { revoked: new Set(['acme']) }, 'key-untrusted', /"acme".*revoked/],
    ['stated terms', { stated: STATED, allowUnverified: true }, 'malformed-request', /signed.*leave/],
  ] as const)('%s is refused, with the reason', (_, changes, code, words) => {
    const verdict = readKey(signed(), conditions(changes));
    expect(verdict).toMatchObject({ ok: false, code, reason: expect.stringMatching(words) });
  });

  test('a changed byte is refused, also where unverified keys are allowed (F-24)', () => {
    const file = signed();
    const altered = parse(file.text.replace('AuthorizedUnits=25', 'AuthorizedUnits=95'));
    expect(readKey(altered, conditions({ allowUnverified: true }))).toMatchObject({
      ok: false,
      code: 'key-file-invalid',
      reason: expect.stringContaining('changed after it was signed'),
    });
  });

  test('a single key is revoked by its ID', () => {
    const file = signed();
    expect(readKey(file, conditions({ revoked: new Set([keyId(file)]) }))).toMatchObject({
      ok: false,
      code: 'key-untrusted',
      reason: expect.stringContaining(keyId(file)),
    });
  });
});

describe('readKey, a foreign key', () => {
  const file = fixture('cache-2011-multi-1000-trakcare.key');

  test('is unverified, and its terms are those stated (F-3, notes 3.3: 1000 authorised, 1480 enforced)', () => {
    const key = keyOf(file, { allowUnverified: true, stated: STATED });
    expect(key).toMatchObject({
      orderNumber: '100200302',
      trust: 'unverified',
      signingKeyId: null,
      unitsAuthorised: 1000,
      unitsEnforced: 1480,
      licenseType: 'concurrent-user',
      server: 'multi',
      product: '',
      generation: '2011',
      expirationDate: '2027-04-18',
    });
    expect(key.sections.map(({ name }) => name)).toEqual(['TrakCare', 'ISC.HealthShare']);
  });

  test('is refused where unverified keys are not allowed, and without terms', () => {
    expect(readKey(file, conditions({ stated: STATED }))).toMatchObject({
      ok: false,
      code: 'key-unverified',
    });
    expect(readKey(file, conditions({ allowUnverified: true }))).toMatchObject({
      ok: false,
      code: 'key-unverified',
      reason: expect.stringContaining('State its terms'),
    });
  });

  test('capacity in an unsigned file counts for nothing, and the reason tells how to sign it', () => {
    const unsigned = parse(
      '[ConfigFile]\nFileType=X\n[License]\nOrderNumber=1\nAuthorizedUnits=9000\nMaxConnections=9000\n',
    );
    expect(readKey(unsigned, conditions())).toMatchObject({
      reason: expect.stringContaining('lictor key sign'),
    });
    expect(keyOf(unsigned, { allowUnverified: true, stated: STATED })).toMatchObject({
      unitsAuthorised: 1000,
      connectionsPerUnitMax: 25,
    });
  });

  test.each([
    [{ units: 0 }, /units/],
    [{ units: 1.5 }, /units/],
    [{ units: 2_000_000_000 }, /units/],
    [{ unitsEnforced: 999 }, /unitsEnforced/],
    [{ licenseType: ' ' }, /licenseType/],
    [{ features: ['a', 'a'] }, /features/],
    [{ versionFrom: 'x' }, /versionFrom/],
    [{ versionTo: '' }, /versionTo/],
    [{ versionFrom: '2', versionTo: '1' }, /versionFrom/],
  ])('stated terms are checked: %j', (changes, words) => {
    const stated = { ...STATED, ...changes };
    expect(readKey(file, conditions({ allowUnverified: true, stated }))).toMatchObject({
      ok: false,
      code: 'malformed-request',
      reason: expect.stringMatching(words),
    });
  });

  test('every generation of the field has its name (F-7)', () => {
    const generation = (name: string) =>
      keyOf(fixture(name), { allowUnverified: true, stated: STATED }).generation;
    expect(generation('iris-multi-25.key')).toBe('Rev-A.1');
    expect(generation('cache-5-enterprise-5.key')).toBe('2003');
    expect(generation('bom-crlf-utf8-8.key')).toBe('2013.1');
  });
});

describe('keyStatus', () => {
  const berlin = keyOf(signed({ NotBefore: '2026-03-29' }), { timeZone: 'Europe/Berlin' });
  const at = (instant: string, key = berlin, revoked: ReadonlySet<string> = none) =>
    keyStatus(key, Date.parse(instant), revoked);

  test('is valid through the end of its expiration date in the zone, and not a millisecond more', () => {
    expect(at('2027-07-15T21:59:59.999Z')).toMatchObject({ status: 'troubled', code: null });
    expect(at('2027-07-15T22:00:00.000Z')).toMatchObject({
      status: 'invalid',
      code: 'key-expired',
      reason: expect.stringMatching(/expired at the end of 2027-07-15.*renewal/),
    });
  });

  test('is not valid before its first day', () => {
    expect(at('2026-03-28T22:59:59.999Z')).toMatchObject({
      status: 'invalid',
      code: 'key-not-yet-valid',
      reason: expect.stringContaining('from 2026-03-29'),
    });
    expect(at('2026-03-28T23:00:00.000Z')).toMatchObject({ status: 'valid', code: null });
  });

  test('is troubled during its last seven days (notes 8)', () => {
    const endMs = Date.parse('2027-07-15T22:00:00Z') - 1;
    expect(keyStatus(berlin, endMs - 7 * DAY_MS - 1, none).status).toBe('valid');
    expect(keyStatus(berlin, endMs - 7 * DAY_MS, none)).toMatchObject({
      status: 'troubled',
      reason: expect.stringMatching(/end of 2027-07-15, in 7 days.*renewal/),
    });
    expect(keyStatus(berlin, endMs - DAY_MS, none).reason).toContain('in 1 day.');
    expect(keyStatus(berlin, endMs, none).reason).toContain('in less than a day');
  });

  test('a revocation weighs more than the dates', () => {
    for (const id of ['acme', berlin.id]) {
      expect(at('2030-01-01T00:00:00Z', berlin, new Set([id]))).toMatchObject({
        status: 'invalid',
        code: 'key-untrusted',
        reason: expect.stringContaining('revoked'),
      });
    }
  });

  test('the evaluation key is always valid and permits several instances (F-2)', () => {
    expect(at('2100-01-01T00:00:00Z', EVALUATION_KEY)).toMatchObject({ status: 'valid', code: null });
    expect(EVALUATION_KEY).toMatchObject({ id: 'evaluation', unitsEnforced: 8, server: 'multi' });
  });
});

describe('versionFits (F-7)', () => {
  const key = (versionFrom: string | null, versionTo: string | null) => ({
    ...EVALUATION_KEY,
    versionFrom,
    versionTo,
  });

  test.each([
    ['5.1', null, '5.0.21', false],
    ['5.1', null, '5', false],
    ['5.1', null, '5.1', true],
    ['5.1', null, '5.10', true],
    ['5.1', null, '2024.1', true],
    [null, '2018.1', '2018.1.4', true],
    [null, '2018.1', '2018.10', false],
    [null, '2018.1', '2018', true],
    [null, '2018', '2018.1.4', true],
    [null, '2018', '2019', false],
    ['2018.1', '2018', '2018.2', true],
    ['2018.1', '2018', '2018.0.9', false],
    ['2024.1', '2024', '2024.1.2 (Build 398U)', true],
    ['5.1', null, 'unknown', false],
    [null, null, 'unknown', true],
  ])('from %s to %s: version %s fits: %s', (from, to, version, fits) => {
    expect(versionFits(key(from, to), version)).toBe(fits);
  });

  test('is told in words', () => {
    expect(versionWords(key('5.1', '2018'))).toBe('versions 5.1 to 2018');
    expect(versionWords(key('5.1', null))).toBe('version 5.1 and later');
    expect(versionWords(key(null, '2018'))).toBe('versions up to 2018');
    expect(versionWords(key(null, null))).toBe('all versions');
  });

  test('any text is answered without an error, and within bounds means between them', () => {
    const parts = fc.array(fc.nat(30), { minLength: 1, maxLength: 3 }).map((numbers) => numbers.join('.'));
    fc.assert(
      fc.property(parts, (version) => {
        expect(versionFits(key(version, version), version)).toBe(true);
        expect(versionFits(key(version, version), `${version}.7`)).toBe(true);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => typeof versionFits(key('1', '2'), text) === 'boolean'));
  });
});

describe('features (F-8)', () => {
  test('the numbers are those of GetFeature', () => {
    expect(FEATURES).toHaveLength(29);
    expect([featureName(0), featureName(7), featureName(15), featureName(28), featureName(29)]).toEqual([
      'Web Add-on',
      'IP Address Neutral',
      'ExtremeNoUserLimit',
      'Vector Search',
      null,
    ]);
    expect([featureNumber('web addon'), featureNumber('NLP'), featureNumber('None')]).toEqual([0, 11, null]);
  });

  test('a feature is found by name in any case and by number, however the key writes it', () => {
    const key = keyOf(signed({ Features: 'ip address neutral, 18, Own Module' }));
    for (const feature of [7, '7', 'IP-Address Neutral', 18, 'Sharding', 'own module']) {
      expect([feature, hasFeature(key, feature)]).toEqual([feature, true]);
    }
    for (const feature of [0, 8, 'NLP', 'Own', ''])
      expect([feature, hasFeature(key, feature)]).toEqual([feature, false]);
  });
});

test('license types are compared without case, blanks and plural', () => {
  const types = [
    'Concurrent User',
    'concurrent users',
    'POWER_UNITS',
    'Real Time',
    'Core Capacity',
    'C-Type',
    ' Own Type ',
  ];
  expect(types.map(normaliseLicenseType)).toEqual([
    'concurrent-user',
    'concurrent-user',
    'power-unit',
    'real-time',
    'core-capacity',
    'c-type',
    'Own Type',
  ]);
});
