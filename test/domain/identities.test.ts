import { describe, expect, test } from '@jest/globals';
import {
  granted,
  makeIdentify,
  makeKey,
  makeLogin,
  makeLogout,
  problem,
  refused,
  world,
} from '../support/make.ts';
import { contentOf } from '../support/snapshot.ts';

const ADDRESS = '192.0.2.7';

describe('processes started by Job, at work (F-34, F-47, F-48)', () => {
  test('a child counts under its parent’s ID as it was, and outlives it', () => {
    const lictor = world();
    const parent = lictor.login({ claims: { user: 'alice' } });
    const child = lictor.login({ claims: { clientAddress: ADDRESS }, parent: parent.id });
    expect(child).toMatchObject({ userId: 'alice', connections: 2, units: 1, unitsAdded: 0 });
    lictor.ask(makeIdentify({ id: parent.id, user: 'bob' }));
    expect([lictor.user('alice')?.connections, lictor.user('bob')?.connections]).toEqual([1, 1]);
    lictor.logout(parent);
    expect([lictor.user('alice')?.connections, lictor.user('bob')]).toEqual([1, undefined]);
    expect(lictor.units()).toBe(1);
    lictor.logout(child);
    expect(lictor.units()).toBe(0);
  });

  test('a child of a parent that has just gone still has its ID', () => {
    const lictor = world();
    const parent = lictor.login({ claims: { user: 'alice' } });
    lictor.logout(parent);
    expect(lictor.login({ claims: {}, parent: parent.id }).userId).toBe('alice');
  });

  test('a child of a server process is identified for itself, for the server is nobody', () => {
    const lictor = world();
    const server = lictor.login({ claims: { kind: 'server' } });
    expect(lictor.login({ claims: { clientAddress: ADDRESS }, parent: server.id }).userId).toBe(ADDRESS);
  });

  test('a parent that nobody knows is refused, in words; also one of another instance', () => {
    const lictor = world({ instances: [{ name: 'a' }, { name: 'b' }] });
    const elsewhere = lictor.login({ instance: 'b' });
    for (const parent of ['no-such', elsewhere.id]) {
      expect(lictor.refuse({ parent })).toMatchObject({
        code: 'parent-not-found',
        rule: 'parent',
        detail: `The parent login ${parent} is neither in nor remembered on "a". Log the process in with an identity of its own.`,
      });
    }
  });

  test('the start-up code starts maxconn − 1 jobs on one unit; the next one transitions (F-47)', () => {
    const lictor = world();
    const startup = lictor.login({ claims: { kind: 'startup' } });
    const jobs = lictor.logins(24, { claims: {}, parent: startup.id });
    expect(jobs.at(-1)).toMatchObject({ userId: 'User Startup', connections: 25, units: 1 });
    expect(lictor.login({ claims: {}, parent: startup.id }).units).toBe(26);
  });
});

describe('deferred identification, at work (F-43, F-44)', () => {
  const CLAIMS = { clientAddress: ADDRESS };

  test.each([
    ['caché5', { per: 'lines', firstPauseAfter: 1000, thenPauseEvery: 1000, pauseSeconds: 15 }],
    ['caché', { per: 'commands', firstPauseAfter: 4000, thenPauseEvery: 1000, pauseSeconds: 3 }],
  ] as const)('a pending process holds no unit and is told its throttle: %s', (throttleProfile, throttle) => {
    const settings = { deferredIdentification: true, throttleProfile, throttlePauseSeconds: 3 };
    const lictor = world({ settings });
    const login = lictor.login({ claims: CLAIMS });
    expect(login).toMatchObject({ phase: 'pending', userId: null, units: 0, connections: 0, throttle });
    expect(lictor.units()).toBe(0);
    const identified = granted(lictor.ask(makeIdentify({ id: login.id })));
    expect(identified).toMatchObject({ phase: 'active', userId: 'alice', throttle: null });
    expect([lictor.units(), lictor.user('alice')?.connections]).toEqual([1, 1]);
  });

  test('it is let in though no unit is free, and stays pending when its identification is refused', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })], settings: { deferredIdentification: true } });
    lictor.login({ claims: { user: 'bob' } });
    const login = lictor.login({ claims: CLAIMS });
    const before = contentOf(lictor.table);
    expect(refused(lictor.ask(makeIdentify({ id: login.id })))).toMatchObject({
      code: 'units-exhausted',
      inUse: 1,
    });
    expect(contentOf(lictor.table)).toEqual(before);
    expect(granted(lictor.ask(makeIdentify({ id: login.id, user: 'bob' })))).toMatchObject({
      connections: 2,
      units: 1,
      unitsAdded: 0,
    });
  });

  test('a child of a pending process is pending, and identifies itself apart', () => {
    const lictor = world({ settings: { deferredIdentification: true } });
    const parent = lictor.login({ claims: CLAIMS });
    const child = lictor.login({ claims: CLAIMS, parent: parent.id });
    lictor.ask(makeIdentify({ id: parent.id }));
    expect([child.phase, lictor.user('alice')?.connections]).toEqual(['pending', 1]);
  });
});

describe('an explicit Login(user), at work (F-43, F-46, trap 7)', () => {
  test('a web session trades its session’s unit for the user’s, and shares it with his other connections', () => {
    const lictor = world();
    const session = lictor.login({ claims: { kind: 'web', webSession: 's-1' } });
    lictor.login({ claims: { user: 'alice' } });
    expect(lictor.units()).toBe(2);
    const traded = granted(lictor.ask(makeIdentify({ id: session.id })));
    expect(traded).toMatchObject({ userId: 'alice', connections: 2, units: 1, unitsAdded: -1 });
    expect([lictor.units(), lictor.user('s-1')]).toEqual([1, undefined]);
    expect(lictor.lastEvents).toMatchObject([{ type: 'identified', added: -1, used: 1, units: 1 }]);
    expect(traded.decision).toBe(`0:${lictor.table.version}:0`);
  });

  test('a trade that does not fit keeps the old unit (trap 7)', () => {
    const lictor = world({ keys: [makeKey({ units: 4, connectionsPerUnitMax: 3 })] });
    lictor.logins(3, { claims: { user: 'alice' } });
    lictor.login({ claims: { user: 'bob' } });
    const session = lictor.login({ claims: { kind: 'web', webSession: 's-1' } });
    const before = contentOf(lictor.table);
    expect(refused(lictor.ask(makeIdentify({ id: session.id })))).toMatchObject({
      rule: 'transition',
      limit: 4,
      inUse: 3,
      requested: 2,
    });
    expect(contentOf(lictor.table)).toEqual(before);
    expect(lictor.user('s-1')?.connections).toBe(1);
  });

  test('one unit for one is possible when all are taken', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    const login = lictor.login({ claims: { user: 'alice' } });
    expect(granted(lictor.ask(makeIdentify({ id: login.id, user: 'bob' })))).toMatchObject({
      userId: 'bob',
      connections: 1,
      units: 1,
      unitsAdded: 0,
    });
  });

  test('the same ID again changes nothing and tells what he has', () => {
    const lictor = world();
    const login = lictor.login();
    lictor.logins(2);
    const rows = lictor.rows.length;
    expect(granted(lictor.ask(makeIdentify({ id: login.id })))).toMatchObject({
      connections: 3,
      unitsAdded: 0,
    });
    expect(lictor.rows).toHaveLength(rows);
  });

  test('in the form name@address the client’s address is part of it (trap 6)', () => {
    const lictor = world({ settings: { identityForm: 'name@address' } });
    const login = lictor.login({ claims: { clientAddress: ADDRESS } });
    const answer = lictor.ask(makeIdentify({ id: login.id, user: 'alice@x', clientAddress: ADDRESS }));
    expect(granted(answer).userId).toBe(`alice@${ADDRESS}`);
    expect(problem(lictor.ask(makeIdentify({ id: login.id, user: 'bob' }))).code).toBe('user-id-illegal');
    expect(lictor.user(`alice@${ADDRESS}`)?.connections).toBe(1);
  });

  test('whoever went out, never was, or is nobody cannot be identified', () => {
    const lictor = world();
    const gone = lictor.login();
    lictor.logout(gone);
    expect(problem(lictor.ask(makeIdentify({ id: gone.id })))).toMatchObject({
      code: 'login-lost',
      extras: { lost: 'logout' },
    });
    expect(problem(lictor.ask(makeIdentify({ id: 'never' }))).extras).toEqual({ lost: 'unknown' });
    const system = lictor.login({ claims: { kind: 'system' } });
    expect(problem(lictor.ask(makeIdentify({ id: system.id }))).code).toBe('login-not-identifiable');
  });
});

describe('what costs nothing, at work', () => {
  test.each(['system', 'server'] as const)(
    'any number of %s processes cost nothing, pool full or not',
    (kind) => {
      const lictor = world({ keys: [makeKey({ units: 1 })] });
      lictor.login();
      for (const login of lictor.logins(3, { claims: { kind, user: 'x' } })) {
        expect(login).toMatchObject({ userId: null, units: 0, connections: 0 });
      }
      expect([lictor.units(), lictor.unitsAt('a'), lictor.table.pools.get('key-1')?.connections]).toEqual([
        1, 1, 1,
      ]);
    },
  );

  test('one emergency login for each instance gets in outside a full pool (F-23)', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })], instances: [{ name: 'a' }, { name: 'b' }] });
    lictor.login();
    const emergency = lictor.login({ claims: { kind: 'emergency' } });
    expect([emergency.units, lictor.units()]).toEqual([0, 1]);
    expect(lictor.refuse({ claims: { kind: 'emergency' } })).toMatchObject({
      code: 'emergency-taken',
      rule: 'emergency',
      limit: 1,
      inUse: 1,
      detail: `The emergency login of "a" is in use by ${emergency.id}. Release that one first.`,
    });
    lictor.login({ claims: { kind: 'emergency' }, instance: 'b' });
    lictor.ask(makeLogout({ id: emergency.id, reason: 'forced' }));
    expect(granted(lictor.ask(makeLogin({ id: 'next', claims: { kind: 'emergency' } }))).units).toBe(0);
  });
});
