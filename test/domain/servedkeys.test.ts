import { describe, expect, test } from '@jest/globals';
import type { Instance } from '../../src/domain/instances.ts';
import type { LicenseKey } from '../../src/domain/keys/keys.ts';
import { servedKeyOf, servedKeys, servedNotice } from '../../src/domain/keys/servedkeys.ts';
import type { Answer, Register } from '../../src/domain/operations.ts';
import {
  DAY_MS,
  instanceOf,
  makeExpiredKey,
  makeKey,
  makeRegister,
  problem,
  START_MS,
  type World,
  world,
} from '../support/make.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

const FIRST = makeKey({ id: 'first', licenseId: 'CLINIC', units: 5 });
const SECOND = makeKey({ id: 'second', licenseId: 'CLINIC', units: 25 });
const OTHER = makeKey({ id: 'other', licenseId: 'LAB', units: 3 });
const PLAIN = makeKey({ id: 'plain', units: 9 });

const keysOf = (...keys: LicenseKey[]) => ({ keys, instances: [] });

function serve(lictor: World, key: LicenseKey, licenseId = key.licenseId!, actor = 'keeper'): Answer {
  return lictor.ask({ op: 'serve-key', key: key.id, licenseId, actor });
}

function check(lictor: World, name = 'a') {
  const answer = lictor.ask({ op: 'check-key', name, actor: 'keeper' });
  if (answer.is !== 'key-checked') throw new Error(JSON.stringify(answer));
  return answer;
}

function register(lictor: World, fields: Partial<Omit<Register, 'op'>> = {}): Instance {
  const byId = { key: null, licenseId: 'CLINIC', ...fields };
  return instanceOf(lictor.ask(makeRegister(byId))).instance;
}

function notice({ table, policy, nowMs }: World) {
  return servedNotice(table, table.instances.get('a')!, policy, nowMs);
}

describe('serving a key by its LicenseID (notes 3.4)', () => {
  test('the one that came last is served, and one that is served already changes nothing', () => {
    const lictor = world(keysOf(FIRST, SECOND, OTHER));
    expect(servedKeyOf(lictor.table, 'CLINIC')).toBeNull();
    expect(serve(lictor, FIRST)).toMatchObject({
      is: 'key',
      outcome: 'changed',
      key: { servedAtMs: START_MS },
    });
    expect(serve(lictor, FIRST)).toMatchObject({ outcome: 'present' });
    expect(lictor.lastEvents).toMatchObject([{ type: 'key-changed', key: { id: 'first' } }]);
    serve(lictor, OTHER);
    serve(lictor, SECOND);
    expect([...servedKeys(lictor.table)].map(([id, key]) => [id, key.id]).sort()).toEqual([
      ['CLINIC', 'second'],
      ['LAB', 'other'],
    ]);
    // In the same millisecond as well: what came last is known by more than the clock.
    serve(lictor, FIRST);
    expect(servedKeyOf(lictor.table, 'CLINIC')?.id).toBe('first');
  });

  test('a key that states another LicenseID, or none, or is not installed, is not served', () => {
    const lictor = world(keysOf(FIRST, PLAIN));
    expect(problem(serve(lictor, FIRST, 'LAB'))).toMatchObject({ code: 'key-not-servable' });
    expect(problem(serve(lictor, PLAIN, 'LAB')).detail).toContain('LicenseID=LAB');
    expect(problem(serve(lictor, SECOND)).code).toBe('key-not-found');
  });

  test('a key that cannot be used now is not served, and what was served stays so (F-24)', () => {
    const expired = makeExpiredKey({ id: 'expired', licenseId: 'CLINIC' });
    const lictor = world(keysOf(FIRST, expired));
    serve(lictor, FIRST);
    expect(problem(serve(lictor, expired))).toMatchObject({ code: 'key-unusable' });
    expect(servedKeyOf(lictor.table, 'CLINIC')?.id).toBe('first');
  });

  test('a new key is enforced as the one that it replaces, unless somebody has said how', () => {
    const third = makeKey({ id: 'third', licenseId: 'CLINIC' });
    const lictor = world(keysOf(FIRST, SECOND, third));
    const change = (id: string, enforcement: LicenseKey['enforcement']) =>
      lictor.ask({ op: 'change-key', id, changes: { enforcement }, ifRevision: null, actor: 'keeper' });
    change('first', 'local');
    serve(lictor, FIRST);
    serve(lictor, SECOND);
    expect(lictor.table.keys.get('second')?.enforcement).toBe('local');
    change('third', 'leased');
    serve(lictor, third);
    expect(lictor.table.keys.get('third')?.enforcement).toBe('leased');
    // One that was served before has its own history.
    change('first', 'central');
    serve(lictor, FIRST);
    expect(lictor.table.keys.get('first')?.enforcement).toBe('central');
  });
});

describe('an instance that registers by LicenseID', () => {
  test('works under the key that is served, and its restart leaves it there', () => {
    const lictor = world(keysOf(FIRST, SECOND));
    serve(lictor, FIRST);
    expect(register(lictor)).toMatchObject({ key: 'first', licenseId: 'CLINIC', servedAtMs: START_MS });
    expect(register(lictor)).toMatchObject({ key: 'first', incarnation: 2 });
  });

  test('without a key that is served works without one, and is given one as soon as it is (trap 18)', () => {
    const lictor = world(keysOf(FIRST));
    expect(register(lictor).key).toBeNull();
    expect(notice(lictor)).toContain('No key is served');
    expect(check(lictor)).toMatchObject({ served: null, activated: null });
    serve(lictor, FIRST);
    expect(check(lictor)).toMatchObject({
      activated: { activation: { cause: 'served', from: null, to: 'first', outcome: 'active' } },
    });
    expect(lictor.table.instances.get('a')).toMatchObject({ key: 'first', licenseId: 'CLINIC' });
    expect(notice(lictor)).toBeNull();
    expect(lictor.login().pool).toBe('first');
  });

  test('does not fall back to the built-in key of an evaluation installation (F-2)', () => {
    const lictor = world({ ...keysOf(FIRST), policy: { evaluation: true } });
    expect(register(lictor).key).toBeNull();
  });

  test('a retry is one, and a registration within its life keeps its key until it follows', () => {
    const lictor = world(keysOf(FIRST, SECOND));
    serve(lictor, FIRST);
    register(lictor, { registrationId: 'start-1' });
    serve(lictor, SECOND);
    const again = { key: null, licenseId: 'CLINIC', registrationId: 'start-1' };
    expect(instanceOf(lictor.ask(makeRegister(again)))).toMatchObject({
      outcome: 'retry',
      instance: { key: 'first' },
    });
    expect(register(lictor)).toMatchObject({ key: 'second', incarnation: 2 });
  });

  test('takes the served key at its start also when another waited or was given by hand', () => {
    const lictor = world(keysOf(FIRST, SECOND, PLAIN));
    serve(lictor, FIRST);
    register(lictor);
    lictor.ask({
      op: 'activate-key',
      instance: 'a',
      key: 'plain',
      cause: 'activated',
      inspected: null,
      actor: 'keeper',
    });
    expect(register(lictor)).toMatchObject({ key: 'plain', incarnation: 2 });
    serve(lictor, SECOND);
    expect(register(lictor)).toMatchObject({ key: 'second', incarnation: 3 });
  });

  test('keeps what it has when what is served is not good for it, and is told why (F-7)', () => {
    const newer = makeKey({ id: 'newer', licenseId: 'CLINIC', versionFrom: '2030.1' });
    const lictor = world(keysOf(FIRST, newer));
    serve(lictor, FIRST);
    register(lictor, { version: '2024.1' });
    serve(lictor, newer);
    const answer = problem(lictor.ask({ op: 'check-key', name: 'a', actor: 'keeper' }));
    expect(answer.code).toBe('key-generation-mismatch');
    expect(register(lictor, { version: '2024.1' })).toMatchObject({ key: 'first' });
    expect(notice(lictor)).toContain('does not take the key');
    expect(register(lictor, { version: '2030.2' })).toMatchObject({ key: 'newer' });
  });

  test('keeps what it has when what is served has expired since, and is told so (F-24)', () => {
    const ends = makeKey({ id: 'ends', licenseId: 'CLINIC', validThroughMs: START_MS + DAY_MS });
    const lictor = world({ keys: [PLAIN, { ...ends, expirationDate: '2030-01-02' }] });
    serve(lictor, ends);
    lictor.nowMs += 2 * DAY_MS;
    lictor.ask(makeRegister({ key: null, licenseId: 'CLINIC', incarnation: 1 }));
    expect(register(lictor).key).not.toBe('ends');
    expect(notice(lictor)).toMatch(/does not take .* expired at the end of 2030-01-02/);
  });

  test('another LicenseID, a key of its own, and none at all are other statements', () => {
    const lictor = world(keysOf(FIRST, OTHER, PLAIN));
    serve(lictor, FIRST);
    serve(lictor, OTHER);
    register(lictor);
    expect(register(lictor, { licenseId: 'LAB' })).toMatchObject({ key: 'other', licenseId: 'LAB' });
    expect(register(lictor, { licenseId: 'NOBODY' }).key).toBeNull();
    register(lictor);
    const own = register(lictor, { key: 'plain', licenseId: undefined });
    expect(own.key).toBe('plain');
    expect(own).not.toHaveProperty('licenseId');
    expect(own).not.toHaveProperty('servedAtMs');
    register(lictor);
    expect(register(lictor, { licenseId: undefined }).key).toBeNull();
  });

  test('one that named its key itself keeps it while it runs, and follows from then on', () => {
    const lictor = world({ keys: [PLAIN, FIRST] });
    serve(lictor, FIRST);
    const { incarnation } = lictor.table.instances.get('a')!;
    expect(register(lictor, { incarnation })).toMatchObject({ key: 'plain', licenseId: 'CLINIC' });
    expect(check(lictor)).toMatchObject({ activated: { instance: { key: 'first' } } });
    expect(register(lictor)).toMatchObject({ key: 'first', incarnation: 2 });
  });
});

describe('following what is served (notes 2.5, CheckNewKey)', () => {
  test('nobody inside loses anything by it, and the units of the new key are there at once (F-22)', () => {
    const lictor = world(keysOf(FIRST, SECOND));
    serve(lictor, FIRST);
    register(lictor);
    const inside = [1, 2, 3, 4, 5].map((number) => lictor.login({ claims: { user: `user-${number}` } }));
    lictor.refuse({ claims: { user: 'user-6' } });
    serve(lictor, SECOND);
    check(lictor);
    expect([lictor.units('first'), lictor.units('second')]).toEqual([0, 5]);
    expect(lictor.login({ claims: { user: 'user-6' } }).pool).toBe('second');
    for (const login of inside) expect(lictor.logout(login).is).toBe('released');
    expect(lictor.units('second')).toBe(1);
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });

  test('is done once: a key that an administrator went back to stays until another one is served', () => {
    const lictor = world(keysOf(FIRST, SECOND));
    serve(lictor, FIRST);
    register(lictor);
    serve(lictor, SECOND);
    check(lictor);
    const back = { op: 'activate-key', instance: 'a', key: '', cause: 'rolled-back' } as const;
    lictor.ask({ ...back, inspected: null, actor: 'keeper' });
    expect(check(lictor)).toMatchObject({ instance: { key: 'first' }, activated: null });
    expect(register(lictor)).toMatchObject({ key: 'first' });
    lictor.wait(DAY_MS);
    serve(lictor, FIRST);
    expect(check(lictor)).toMatchObject({ instance: { key: 'first' }, activated: null });
    serve(lictor, SECOND);
    expect(check(lictor)).toMatchObject({ instance: { key: 'second' } });
  });

  test('a smaller key waits for the restart where the profile says so, and is asked for only once (F-22)', () => {
    const lictor = world(keysOf(FIRST, SECOND));
    serve(lictor, SECOND);
    register(lictor, { settings: { activationProfile: 'iris' } });
    serve(lictor, FIRST);
    expect(check(lictor)).toMatchObject({
      instance: { key: 'second', pendingKey: 'first' },
      activated: { verdict: { outcome: 'pending', requiresRestart: true } },
    });
    const rows = lictor.rows.length;
    expect(check(lictor).activated).toBeNull();
    expect(lictor.rows).toHaveLength(rows);
    expect(register(lictor)).toMatchObject({ key: 'first', incarnation: 2 });
  });

  test.each(['while it runs', 'at its start'])(
    'the active key, served again, takes the place of the one that waits: %s',
    (when) => {
      const lictor = world(keysOf(FIRST, SECOND));
      serve(lictor, SECOND);
      register(lictor, { settings: { activationProfile: 'iris' } });
      serve(lictor, FIRST);
      expect(check(lictor).instance.pendingKey).toBe('first');
      serve(lictor, SECOND);
      if (when === 'while it runs') {
        expect(check(lictor).activated).toMatchObject({
          activation: { outcome: 'cancelled', from: 'first' },
        });
        expect(check(lictor).activated).toBeNull();
      }
      const started = register(lictor);
      expect([started.key, started.pendingKey]).toEqual(['second', undefined]);
      expect(check(lictor).activated).toBeNull();
      expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
    },
  );

  test('an instance that names its key itself follows nothing', () => {
    const lictor = world({ keys: [FIRST, SECOND] });
    serve(lictor, FIRST);
    serve(lictor, SECOND);
    expect(check(lictor)).toMatchObject({ instance: { key: 'first' }, served: null, activated: null });
    expect(problem(lictor.ask({ op: 'check-key', name: 'x', actor: 'keeper' })).code).toBe(
      'instance-not-found',
    );
  });

  test('a Single key goes to one instance only (F-3)', () => {
    const single = makeKey({ id: 'single', licenseId: 'CLINIC', server: 'single' });
    const lictor = world(keysOf(single));
    serve(lictor, single);
    expect(register(lictor).key).toBe('single');
    expect(register(lictor, { name: 'b' }).key).toBeNull();
    const answer = lictor.ask({ op: 'check-key', name: 'b', actor: 'keeper' });
    expect(problem(answer).code).toBe('key-not-shareable');
  });
});
