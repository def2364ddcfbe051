import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  ACTIVATION_PROFILES,
  type ActivationProfile,
  activationOf,
  compareKeys,
  hasReductions,
  inspectionToken,
} from '../../src/domain/keys/activation.ts';
import { parseKeyFile } from '../../src/domain/keys/keyfiles.ts';
import { type LicenseKey, readKey, type StatedTerms } from '../../src/domain/keys/keys.ts';
import { makeInstance, makeKey } from '../support/make.ts';

/** A key of the fixtures, on the terms that its display text states. */
function fixture(name: string, stated: Partial<StatedTerms> & { units: number }): LicenseKey {
  const parsed = parseKeyFile(readFileSync(new URL(`../fixtures/keys/${name}.key`, import.meta.url)));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  const verdict = readKey(parsed.file, {
    trusted: new Map(),
    revoked: new Set(),
    allowUnverified: true,
    timeZone: 'UTC',
    stated: { licenseType: 'Concurrent User', server: 'multi', ...stated },
  });
  if (!verdict.ok) throw new Error(verdict.reason);
  return verdict.key;
}

const five = fixture('cache-5-enterprise-5', { units: 5, server: 'single', product: 'Enterprise' });
const iris = fixture('iris-multi-25', {
  units: 25,
  product: 'Advanced Server',
  features: ['Interoperability'],
});
const trakcare = fixture('cache-2011-multi-1000-trakcare', {
  units: 1000,
  product: 'Elite',
  features: ['Interoperability', 'BI User', 'NLP'],
});
const power = fixture('cache-power-unit-64', {
  units: 64,
  licenseType: 'Power Unit',
  product: 'Enterprise',
});

/** The same key but for its units. */
function withUnits(key: LicenseKey, id: string, units: number): LicenseKey {
  return { ...key, id, unitsAuthorised: units, unitsEnforced: units };
}

/** What becomes of a key on an instance of a profile that works under another. */
function outcome(profile: ActivationProfile, current: LicenseKey | null, selected: LicenseKey) {
  const instance = makeInstance({ key: current?.id ?? null, settings: { activationProfile: profile } });
  return activationOf({ instance, holdsOwnUsers: false }, current, selected);
}

function onEachProfile(current: LicenseKey, selected: LicenseKey) {
  return Object.fromEntries(
    ACTIVATION_PROFILES.map((profile) => [profile, outcome(profile, current, selected).outcome]),
  );
}

const EVERYWHERE = { unlimited: 'active', caché5: 'active', caché: 'active', iris: 'active' };

describe('the upgrade situations (F-20, F-22)', () => {
  test('a bigger key is active at once', () => {
    expect(onEachProfile(iris, { ...trakcare, product: iris.product })).toEqual(EVERYWHERE);
    const { reductions, requiresRestart, restartReason } = outcome(
      'iris',
      iris,
      withUnits(iris, 'bigger', 26),
    );
    expect(reductions).toEqual({ features: [], applications: [] });
    expect([hasReductions(reductions), requiresRestart, restartReason]).toEqual([false, false, null]);
  });

  test('Single to Multi is ordinary', () => {
    expect(onEachProfile(five, { ...five, id: 'multi', server: 'multi' })).toEqual(EVERYWHERE);
    expect(hasReductions(compareKeys(five, { ...five, id: 'multi', server: 'multi' }))).toBe(false);
  });

  test.each([
    ['caché5', 7_000],
    ['caché', 999 * 227],
    ['iris', 999 * 227],
  ] as const)(
    'much bigger: %s takes %i units more at once, and the others after a restart',
    (profile, more) => {
      const grown = (units: number) => withUnits(iris, `grown-${units}`, units);
      expect(outcome(profile, iris, grown(25 + more))).toMatchObject({
        outcome: 'active',
        requiresRestart: false,
      });
      const partly = outcome(profile, iris, grown(25 + more + 1));
      expect(partly).toMatchObject({
        outcome: 'partly-active',
        requiresRestart: true,
        usableUnits: 25 + more,
      });
      expect(partly.reason).toContain(`Of the ${25 + more + 1} units`);
      expect(partly.reason).toContain(`can use ${25 + more} at once`);
      expect(partly.restartReason).toContain(`${more} units`);
      expect(outcome('unlimited', iris, grown(1_000_000_000)).outcome).toBe('active');
    },
  );

  test('much bigger: from 30,000 units an increment is 7,000, also of one after the other', () => {
    const [now, next] = [makeKey({ id: 'now', units: 30_000 }), makeKey({ id: 'next', units: 50_000 })];
    expect(outcome('caché5', now, next).usableUnits).toBe(37_000);
    const instance = makeInstance({
      key: 'next',
      usableUnits: 37_000,
      settings: { activationProfile: 'caché5' },
    });
    const third = makeKey({ id: 'third', units: 60_000 });
    expect(activationOf({ instance, holdsOwnUsers: false }, next, third).usableUnits).toBe(44_000);
    // A smaller one takes nothing from the table, so that what was there is there again.
    const after = { ...instance, key: 'five', usableUnits: undefined, tableUnits: 44_000 };
    const { usableUnits: _none, ...held } = after;
    const five = makeKey({ id: 'five', units: 5 });
    expect(activationOf({ instance: held, holdsOwnUsers: false }, five, third).usableUnits).toBe(51_000);
    // Back to the first, all of which the table holds.
    expect(activationOf({ instance, holdsOwnUsers: false }, next, now)).toMatchObject({ outcome: 'active' });
  });

  test('smaller: IRIS waits for a restart, the others refuse new users until use falls', () => {
    const smaller = withUnits(iris, 'smaller', 20);
    expect(onEachProfile(iris, smaller)).toEqual({ ...EVERYWHERE, iris: 'pending' });
    const { reductions, restartReason, reason } = outcome('iris', iris, smaller);
    expect(reductions).toEqual({ units: { from: 25, to: 20 }, features: [], applications: [] });
    expect(restartReason).toBe('Fewer units, 20 in place of 25, are not taken over while an instance runs.');
    expect(reason).toContain(`Until then the instance works under the key ${iris.id}.`);
  });

  test('the type changed: from Power Unit on every product, to it on IRIS', () => {
    const user = { ...power, id: 'user', licenseType: 'concurrent-user' };
    expect(onEachProfile(power, user)).toEqual({
      unlimited: 'active',
      caché5: 'pending',
      caché: 'pending',
      iris: 'pending',
    });
    expect(onEachProfile(user, power)).toEqual({ ...EVERYWHERE, iris: 'pending' });
    expect(compareKeys(user, power).licenseType).toEqual({ from: 'concurrent-user', to: 'power-unit' });
    expect(onEachProfile(power, { ...power, id: 'more', unitsEnforced: 65 })).toEqual(EVERYWHERE);
  });

  test('features lost are told, and keep nobody from activating', () => {
    const verdict = outcome('iris', trakcare, { ...iris, unitsAuthorised: 1000, unitsEnforced: 1000 });
    expect(verdict.outcome).toBe('active');
    expect(verdict.reductions).toEqual({
      product: { from: 'Elite', to: 'Advanced Server' },
      features: ['BI User', 'NLP'],
      applications: [{ application: 'ISC.HealthShare', from: null, to: null }],
    });
  });

  test('without a key everything is more than before (F-20)', () => {
    expect(outcome('iris', null, power)).toMatchObject({
      outcome: 'active',
      reductions: { features: [], applications: [] },
    });
    expect(outcome('caché5', null, makeKey({ units: 8_000 })).usableUnits).toBe(7_001);
  });
});

describe('comparing keys', () => {
  test('what is no less is left out: features by any spelling, larger numbers of an application', () => {
    const sections = (value: string) => [
      { name: 'ISC.Lab', kind: 'protected' as const, entries: [['Lab Users', value] as const] },
    ];
    const one = makeKey({ features: ['Web Add-on', 'NLP'], sections: sections('5') });
    const other = makeKey({ id: 'other', features: ['0', 'nlp'], sections: sections('10') });
    expect(hasReductions(compareKeys(one, other))).toBe(false);
    expect(compareKeys(other, one).applications).toEqual([
      { application: 'ISC.Lab', keyword: 'Lab Users', from: '10', to: '5' },
    ]);
    expect(
      compareKeys(one, makeKey({ features: one.features, sections: sections('many') })).applications,
    ).toEqual([{ application: 'ISC.Lab', keyword: 'Lab Users', from: '5', to: 'many' }]);
  });

  test('every other item: cores, units bought, connections of a unit, sharing', () => {
    const one = makeKey({ cores: 16, unitsAuthorised: 100, unitsEnforced: 100 });
    const other = makeKey({
      unitsAuthorised: 90,
      unitsEnforced: 100,
      connectionsPerUnitMax: 12,
      server: 'single',
    });
    expect(compareKeys(one, other)).toEqual({
      cores: { from: 16, to: 0 },
      units: { from: 100, to: 90 },
      connectionsPerUnit: { from: 25, to: 12 },
      server: { from: 'multi', to: 'single' },
      features: [],
      applications: [],
    });
  });
});

describe('what an instance is and does', () => {
  const smaller = makeKey({ id: 'smaller', units: 5 });
  const iris25 = makeKey({ id: 'key-1', units: 25 });

  test('one that was closed does not run, so that nothing waits', () => {
    const instance = makeInstance({ closed: true, settings: { activationProfile: 'iris' } });
    expect(activationOf({ instance, holdsOwnUsers: false }, iris25, smaller).outcome).toBe('active');
  });

  test('A-6: one that let users in by itself keeps them: under a key enforced otherwise nothing would cover them', () => {
    const subject = { instance: makeInstance(), holdsOwnUsers: true };
    const local = { ...smaller, enforcement: 'local' as const };
    expect(activationOf(subject, iris25, smaller)).toMatchObject({
      outcome: 'pending',
      restartReason: expect.stringContaining('whose enforcement is central'),
    });
    expect(activationOf(subject, iris25, local).outcome).toBe('active');
  });

  test('the active key again changes nothing, but gives up the one that waits', () => {
    const subject = (fields: object) => ({ instance: makeInstance(fields), holdsOwnUsers: false });
    expect(activationOf(subject({}), iris25, iris25)).toMatchObject({
      outcome: 'unchanged',
      requiresRestart: false,
    });
    expect(activationOf(subject({ usableUnits: 9 }), iris25, iris25)).toMatchObject({
      outcome: 'unchanged',
      requiresRestart: true,
      usableUnits: 9,
    });
    const waiting = activationOf(subject({ pendingKey: 'smaller' }), iris25, iris25);
    expect(waiting).toMatchObject({ outcome: 'active', requiresRestart: false });
    expect(waiting.reason).toContain('smaller');
    const settings = { activationProfile: 'iris' as const };
    expect(activationOf(subject({ pendingKey: 'smaller', settings }), iris25, smaller)).toMatchObject({
      outcome: 'unchanged',
      requiresRestart: true,
    });
  });

  test('a record from before there were profiles takes everything at once', () => {
    const { activationProfile: _none, ...settings } = makeInstance().settings;
    const instance = { ...makeInstance(), settings: settings as ReturnType<typeof makeInstance>['settings'] };
    expect(activationOf({ instance, holdsOwnUsers: false }, iris25, smaller).outcome).toBe('active');
  });
});

describe('the token of an inspection', () => {
  const verdict = outcome('unlimited', five, iris);
  const token = inspectionToken('0:1:0', five, iris, verdict);

  test('is the same for the same, whatever order its members were stored in', () => {
    const reversed = Object.fromEntries(Object.entries(iris).reverse()) as unknown as LicenseKey;
    const installed = { ...reversed, installedAtMs: 1, installedBy: 'x', revision: '0:2:0' };
    expect(inspectionToken('0:1:0', five, installed, verdict)).toBe(token);
    expect(token).toMatch(/^[\w-]{27}$/);
  });

  test('is another when the instance, a key or the outcome is', () => {
    const others = [
      inspectionToken('0:3:0', five, iris, verdict),
      inspectionToken('0:1:0', null, iris, verdict),
      inspectionToken('0:1:0', five, { ...iris, enforcement: 'local' }, verdict),
      inspectionToken('0:1:0', five, iris, { ...verdict, outcome: 'pending' }),
    ];
    expect(new Set([token, ...others]).size).toBe(5);
  });
});
