import { describe, expect, test } from '@jest/globals';
import {
  DAY_MS,
  granted,
  makeExpiredKey,
  makeIdentify,
  makeKey,
  makeLogin,
  makeRegister,
  problem,
  refused,
  START_MS,
  type World,
  world,
} from '../support/make.ts';
import { contentOf } from '../support/snapshot.ts';

const TWO = [{ name: 'a' }, { name: 'b' }];

describe('the counting rule at work: 25 connections, the 26th, and back', () => {
  test('25 connections cost 1, the 26th makes it 26, back to 3 costs 3, none costs 0, then 1 (F-31…F-33)', () => {
    const lictor = world();
    const first = lictor.logins(25);
    expect(first.map((login) => login.connections)).toEqual(Array.from({ length: 25 }, (_, n) => n + 1));
    expect(first.map((login) => login.unitsAdded)).toEqual([1, ...Array(24).fill(0)]);
    expect(lictor.units()).toBe(1);
    const last = lictor.login();
    expect(last).toMatchObject({ connections: 26, units: 26, unitsAdded: 25, transitioned: true });
    expect(lictor.units()).toBe(26);
    const all = [...first, last];
    for (const login of all.splice(3)) lictor.logout(login);
    expect([lictor.units(), lictor.user('alice')?.transitioned]).toEqual([3, true]);
    for (const login of all) lictor.logout(login);
    expect([lictor.units(), lictor.user('alice')]).toEqual([0, undefined]);
    expect(lictor.login()).toMatchObject({ connections: 1, units: 1, unitsAdded: 1, transitioned: false });
    expect(lictor.units()).toBe(1);
  });

  test('with 20 units free the 26th is refused and nothing changes (F-32)', () => {
    const lictor = world({ keys: [makeKey({ units: 30 })] });
    lictor.logins(25);
    for (let n = 0; n < 9; n += 1) lictor.login({ claims: { user: `other-${n}` } });
    const before = contentOf(lictor.table);
    const refusal = lictor.refuse();
    expect(refusal).toMatchObject({
      code: 'units-exhausted',
      rule: 'transition',
      limit: 30,
      inUse: 10,
      requested: 25,
    });
    expect(refusal.detail).toBe(
      'Connection 26 of user "alice" makes every connection cost a unit; 25 more are needed and 20 of 30 are free. Close connections of this user, or free units.',
    );
    expect(contentOf(lictor.table)).toEqual(before);
  });

  test('with exactly 25 units free the 26th is granted', () => {
    const lictor = world({ keys: [makeKey({ units: 26 })] });
    lictor.logins(26);
    expect(lictor.units()).toBe(26);
  });

  test('connections on two instances of one key make the transition together (trap 5)', () => {
    const lictor = world({ instances: TWO });
    lictor.logins(13, { instance: 'a' });
    lictor.logins(12, { instance: 'b' });
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([1, 1, 1]);
    const last = lictor.login({ instance: 'b' });
    expect(last).toMatchObject({ connections: 26, units: 26, transitioned: true });
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([26, 13, 13]);
  });

  test('the same ID on two instances of one key is one unit, and one on each as each sees it (trap 1, shr)', () => {
    const lictor = world({ instances: TWO });
    const here = lictor.login({ instance: 'a' });
    expect(lictor.login({ instance: 'b' })).toMatchObject({ connections: 2, units: 1, unitsAdded: 0 });
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([1, 1, 1]);
    lictor.logout(here);
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([1, 0, 1]);
  });

  test('the same ID under two keys is a unit of each; units are never summed over keys (F-6)', () => {
    const keys = [makeKey({ units: 1 }), makeKey({ id: 'key-2', units: 1 })];
    const lictor = world({ keys, instances: [{ name: 'a' }, { name: 'b', key: 'key-2' }] });
    lictor.login({ instance: 'a' });
    expect(lictor.login({ instance: 'b' })).toMatchObject({ pool: 'key-2', connections: 1, unitsAdded: 1 });
    expect([lictor.units('key-1'), lictor.units('key-2')]).toEqual([1, 1]);
    expect(lictor.refuse({ instance: 'b', claims: { user: 'bob' } }).limit).toBe(1);
  });

  test('a key may let one unit serve fewer connections', () => {
    const lictor = world({ keys: [makeKey({ connectionsPerUnitMax: 2 })] });
    expect(lictor.logins(3).map((login) => login.units)).toEqual([1, 1, 3]);
  });
});

describe('enforced units', () => {
  test('the refusal names the figures and what to do; a known user still gets in (trap 3)', () => {
    const lictor = world({ keys: [makeKey({ units: 2 })] });
    lictor.login({ claims: { user: 'alice' } });
    lictor.login({ claims: { user: 'bob' } });
    expect(lictor.refuse({ claims: { user: 'carol' } })).toMatchObject({
      code: 'units-exhausted',
      rule: 'enforced-units',
      pool: 'key-1',
      limit: 2,
      inUse: 2,
      requested: 1,
      retryAfterSeconds: 10,
      decision: `0:${lictor.table.version}:0`,
      detail:
        'All units of the key are taken: 2 of 2 are in use and 1 is needed. Try again when somebody has logged out, or install a larger key.',
    });
    expect(lictor.login({ claims: { user: 'bob' } })).toMatchObject({ connections: 2, unitsAdded: 0 });
  });

  test('refused is what is beyond the enforced units, not the authorised ones (trap 11)', () => {
    const lictor = world({ keys: [makeKey({ unitsAuthorised: 1, unitsEnforced: 2 })] });
    lictor.login({ claims: { user: 'alice' } });
    lictor.login({ claims: { user: 'bob' } });
    expect(lictor.refuse({ claims: { user: 'carol' } }).limit).toBe(2);
  });

  test('a known user gets in though the key has come to enforce fewer units than are in use (trap 3)', () => {
    const lictor = world();
    lictor.login({ claims: { user: 'alice' } });
    lictor.login({ claims: { user: 'bob' } });
    const { draft } = lictor.draft([]);
    const key = { ...lictor.table.keys.get('key-1')!, unitsEnforced: 1 };
    draft.emit({ type: 'key-changed', key, by: draft.by('tester') });
    lictor.commit(draft);
    expect(lictor.login({ claims: { user: 'bob' } })).toMatchObject({ connections: 2, unitsAdded: 0 });
    expect(lictor.refuse({ claims: { user: 'carol' } })).toMatchObject({ limit: 1, inUse: 2 });
  });

  test('the refusal says when the first unit is sure to come back', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    lictor.login({ claims: { kind: 'request' } });
    lictor.nowMs += 6_500;
    expect(lictor.refuse().retryAfterSeconds).toBe(4);
    lictor.wait(3_500);
    expect(lictor.login().unitsAdded).toBe(1);
  });
});

describe('limits of an instance (notes 2.2)', () => {
  test('the unit limit caps what this instance consumes, and another instance of the key goes on', () => {
    const lictor = world({ instances: [{ name: 'a', settings: { unitLimit: 2 } }, { name: 'b' }] });
    lictor.login({ claims: { user: 'alice' } });
    lictor.login({ claims: { user: 'bob' } });
    lictor.login({ claims: { user: 'carol' }, instance: 'b' });
    for (const user of ['carol', 'dave']) {
      expect(lictor.refuse({ claims: { user } })).toMatchObject({
        code: 'unit-limit-reached',
        rule: 'unit-limit',
        limit: 2,
        inUse: 2,
        requested: 1,
        detail:
          'Instance "a" may consume 2 units of its key and consumes 2; 1 more would pass its unit limit. An operator can raise unitLimit.',
      });
    }
    expect(lictor.login({ claims: { user: 'bob' } }).connections).toBe(2);
    expect(lictor.login({ claims: { user: 'dave' }, instance: 'b' }).unitsAdded).toBe(1);
  });

  test('the unit limit stands against a transition as well', () => {
    const lictor = world({ keys: [makeKey({ connectionsPerUnitMax: 3 })], settings: { unitLimit: 3 } });
    lictor.logins(3);
    expect(lictor.refuse()).toMatchObject({ rule: 'unit-limit', limit: 3, inUse: 1, requested: 3 });
    expect(lictor.units()).toBe(1);
  });

  test('a trade into a transition is held against the unit limit with what it gives back', () => {
    const lictor = world({ keys: [makeKey({ connectionsPerUnitMax: 2 })], settings: { unitLimit: 3 } });
    lictor.logins(2);
    const bob = lictor.login({ claims: { user: 'bob' } });
    const traded = granted(lictor.ask(makeIdentify({ id: bob.id })));
    expect(traded).toMatchObject({ connections: 3, units: 3, unitsAdded: 1 });
    expect(lictor.unitsAt('a')).toBe(3);
  });

  test('a connection of a transitioned user gives its unit back in a trade at the unit limit', () => {
    const lictor = world({ keys: [makeKey({ connectionsPerUnitMax: 2 })], settings: { unitLimit: 3 } });
    const [one] = lictor.logins(3);
    expect(granted(lictor.ask(makeIdentify({ id: one!.id, user: 'bob' }))).userId).toBe('bob');
    expect([lictor.unitsAt('a'), lictor.user('alice')?.connections]).toEqual([3, 2]);
  });

  test('a trade within the unit limit is possible when the limit is reached', () => {
    const lictor = world({ settings: { unitLimit: 1 } });
    const login = lictor.login();
    const traded = granted(lictor.ask(makeIdentify({ id: login.id, user: 'bob' })));
    expect([traded.userId, lictor.unitsAt('a'), lictor.units()]).toEqual(['bob', 1, 1]);
  });

  test('the connection limit refuses the next connection of a user on this instance only', () => {
    const lictor = world({ instances: [{ name: 'a', settings: { connectionLimit: 2 } }, { name: 'b' }] });
    lictor.logins(2);
    expect(lictor.refuse()).toMatchObject({
      code: 'connection-limit-reached',
      rule: 'connection-limit',
      limit: 2,
      inUse: 2,
      requested: 1,
      detail: 'User "alice" has 2 connections on "a", and its connection limit is 2. Close one first.',
    });
    expect(lictor.login({ instance: 'b' }).connections).toBe(3);
    expect(lictor.login({ claims: { user: 'bob' } }).connections).toBe(1);
  });

  test('a connection limit of 25 forbids the transition on one instance, not over several (notes 2.2)', () => {
    const lictor = world({ instances: TWO, settings: { connectionLimit: 25 } });
    lictor.logins(25, { instance: 'a' });
    expect(lictor.refuse({ instance: 'a' }).code).toBe('connection-limit-reached');
    expect(lictor.login({ instance: 'b' })).toMatchObject({ connections: 26, units: 26 });
  });
});

describe('a key that cannot be used (F-24, trap 18)', () => {
  const FAULTS = [
    [makeExpiredKey(), 'key-expired', 'key-expiry', 'expired at the end of 2029-12-30'],
    [
      makeKey({ notBeforeDate: '2030-01-02', validFromMs: START_MS + DAY_MS }),
      'key-not-yet-valid',
      'key-start',
      'valid from 2030-01-02',
    ],
    [makeKey({ signingKeyId: 'stolen' }), 'key-untrusted', 'key-trust', '"stolen", which is revoked'],
    [makeKey({ id: 'key-9' }), 'key-untrusted', 'key-trust', 'The key key-9 is revoked'],
  ] as const;

  test.each(FAULTS)('lets one ordinary login in and refuses the second, naming the fault %#', (...fault) => {
    const [key, code, rule, words] = fault;
    const lictor = world({ keys: [key], policy: { revokedKeys: new Set(['stolen', 'key-9']) } });
    expect(lictor.login()).toMatchObject({ pool: 'default:a', connections: 1, units: 1 });
    for (const user of ['alice', 'bob']) {
      expect(lictor.refuse({ claims: { user } })).toMatchObject({
        code,
        rule,
        pool: 'default:a',
        limit: 1,
        inUse: 1,
        requested: 1,
        detail: expect.stringMatching(`^Only one login is possible on "a" .*${words}`),
      });
    }
    expect([lictor.defaultUnits('a'), lictor.units(key.id)]).toEqual([1, 0]);
  });

  test('an instance without a key has one unit, and is told to install one', () => {
    const lictor = world({ keys: [] });
    const first = lictor.login();
    expect(lictor.refuse()).toMatchObject({
      code: 'key-missing',
      rule: 'default-licence',
      detail: expect.stringContaining('registered without a key; install one'),
    });
    lictor.logout(first);
    expect(lictor.login({ claims: { user: 'bob' } }).pool).toBe('default:a');
  });

  test('every instance of the faulty key has a diagnostic unit of its own', () => {
    const lictor = world({ keys: [makeExpiredKey()], instances: TWO });
    expect(lictor.login({ instance: 'a' }).pool).toBe('default:a');
    expect(lictor.login({ instance: 'b' })).toMatchObject({ pool: 'default:b', connections: 1 });
  });

  test('a key that ends with people inside refuses everybody new; who is in may go on and out', () => {
    const lictor = world({
      keys: [makeKey({ expirationDate: '2030-01-01', validThroughMs: START_MS + 999 })],
    });
    const [inside, other] = lictor.logins(2);
    lictor.wait(1_000);
    for (const user of ['alice', 'bob']) expect(lictor.refuse({ claims: { user } }).code).toBe('key-expired');
    expect(lictor.units()).toBe(1);
    expect(granted(lictor.ask(makeIdentify({ id: inside!.id, user: 'alice' }))).userId).toBe('alice');
    expect(refused(lictor.ask(makeIdentify({ id: inside!.id, user: 'bob' }))).code).toBe('key-expired');
    lictor.logout(other!);
    expect(granted(lictor.ask(makeIdentify({ id: inside!.id, user: 'bob' }))).pool).toBe('key-1');
    lictor.logout(inside!);
    expect([lictor.units(), lictor.login().pool]).toEqual([0, 'default:a']);
  });

  test('the last valid millisecond still counts', () => {
    const lictor = world({ keys: [makeKey({ validFromMs: START_MS, validThroughMs: START_MS })] });
    expect(lictor.logins(2).map((login) => login.pool)).toEqual(['key-1', 'key-1']);
  });

  test('the one login of a deferred instance can identify itself, and only one can', () => {
    const lictor = world({ keys: [makeExpiredKey()], settings: { deferredIdentification: true } });
    const [one, other] = lictor.logins(2, { claims: { clientAddress: '192.0.2.7' } });
    expect(granted(lictor.ask(makeIdentify({ id: one!.id }))).pool).toBe('default:a');
    expect(refused(lictor.ask(makeIdentify({ id: other!.id, user: 'bob' }))).code).toBe('key-expired');
    expect(lictor.defaultUnits('a')).toBe(1);
  });

  test('with a good key the next login counts under it, and so does the one inside (F-21)', () => {
    const lictor = world({ keys: [makeExpiredKey(), makeKey({ id: 'key-2' })] });
    const inside = lictor.login();
    lictor.ask(makeRegister({ key: 'key-2', incarnation: 1 }));
    expect(lictor.login().pool).toBe('key-2');
    expect([lictor.units('key-2'), lictor.defaultUnits('a')]).toEqual([1, 0]);
    expect(lictor.user('alice', 'key-2')?.connections).toBe(2);
    lictor.logout(inside);
    expect(lictor.user('alice', 'key-2')?.connections).toBe(1);
  });
});

describe('the ID of a login (R-7)', () => {
  function repeat(lictor: World, print = 1) {
    return lictor.ask(makeLogin({ id: 'mine', print }));
  }

  test('the same ID has the same answer, and nothing is granted or journalled again', () => {
    const lictor = world();
    const first = granted(repeat(lictor));
    lictor.logins(3);
    const rows = lictor.rows.length;
    expect(repeat(lictor)).toEqual({ is: 'granted', login: first, repeated: true });
    expect([lictor.rows.length, lictor.user('alice')?.connections]).toEqual([rows, 4]);
  });

  test('the same ID twice in one batch is one login', () => {
    const lictor = world();
    const [one, other] = lictor.run([makeLogin({ id: 'mine' }), makeLogin({ id: 'mine' })]);
    expect(other).toEqual({ ...one, repeated: true });
    expect(lictor.user('alice')?.connections).toBe(1);
  });

  test('the same ID with another body is a conflict', () => {
    const lictor = world();
    repeat(lictor);
    expect(problem(repeat(lictor, 2))).toMatchObject({
      code: 'id-reused',
      detail: expect.stringContaining('Make a new ID'),
    });
  });

  test('the same ID on another instance is another login', () => {
    const lictor = world({ instances: TWO });
    repeat(lictor);
    expect(granted(lictor.ask(makeLogin({ id: 'mine', instance: 'b', print: 2 }))).connections).toBe(2);
  });

  test('a refused ID is decided afresh', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    const bob = lictor.login({ claims: { user: 'bob' } });
    expect(refused(repeat(lictor)).code).toBe('units-exhausted');
    lictor.logout(bob);
    expect(granted(repeat(lictor)).connections).toBe(1);
  });

  test('on an instance that is not registered nothing is decided', () => {
    const lictor = world();
    expect(problem(lictor.ask(makeLogin({ instance: 'no such' })))).toMatchObject({
      code: 'instance-not-found',
      detail: expect.stringContaining('PUT /v1/instances/no%20such'),
    });
    expect(problem(lictor.ask(makeIdentify({ instance: 'no' }))).code).toBe('instance-not-found');
  });

  test('an illegal user ID is a problem, and nothing is journalled', () => {
    const lictor = world();
    const rows = lictor.rows.length;
    expect(problem(lictor.ask(makeLogin({ claims: { user: 'x'.repeat(65) } }))).code).toBe('user-id-illegal');
    expect(lictor.rows).toHaveLength(rows);
  });
});
