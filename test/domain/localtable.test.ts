import { describe, expect, test } from '@jest/globals';
import { CONNECTIONS_PER_UNIT_MAX } from '../../src/domain/counting.ts';
import { PROBLEMS } from '../../src/domain/errors.ts';
import { release } from '../../src/domain/local/localdecisions.ts';
import { LocalTable } from '../../src/domain/local/localtable.ts';
import { LocalWorld, letIn, problemLocally } from '../support/local.ts';

describe('who comes in on an instance that decides for itself (F-50)', () => {
  test('one user costs one unit up to the connections of a unit, then one for each (F-31…F-33)', () => {
    const world = new LocalWorld();
    const logins = world.logins(CONNECTIONS_PER_UNIT_MAX, 'alice');
    expect(logins.at(-1)).toMatchObject({ connections: 25, units: 1, unitsAdded: 0, userId: 'alice' });
    expect(world.table.counts).toMatchObject({ users: 1, connections: 25, units: 1 });
    expect(world.login('alice')).toMatchObject({ connections: 26, units: 26, unitsAdded: 25 });
    for (const login of logins) world.logout(login);
    expect(world.table.counts).toMatchObject({ users: 1, connections: 1, units: 1 });
    world.login('alice');
    expect(world.table.units).toBe(2);
  });

  test('the transition ends with the last connection only (F-33)', () => {
    const world = new LocalWorld({ connectionsPerUnitMax: 2 });
    for (const login of world.logins(3, 'alice')) world.logout(login);
    expect(world.table.counts).toMatchObject({ users: 0, connections: 0, units: 0, unitsPeak: 3 });
    world.logins(2, 'alice');
    expect(world.table.units).toBe(1);
  });

  test('the units of the key are the limit, and the refusal says so', () => {
    const world = new LocalWorld({ unitsMax: 2 });
    world.login('alice');
    const bob = world.login('bob');
    const refusal = world.refuse('carol');
    expect(refusal).toMatchObject({
      code: 'units-exhausted',
      rule: 'enforced-units',
      limit: 2,
      inUse: 2,
      requested: 1,
    });
    expect(refusal.detail).toContain('2 of 2 are in use');
    world.login('alice');
    world.logout(bob);
    world.login('carol');
  });

  test('a transition that does not fit is refused and changes nothing (F-32)', () => {
    const world = new LocalWorld({ unitsMax: 3, connectionsPerUnitMax: 2 });
    world.logins(2, 'alice');
    world.login('bob');
    world.login('carol');
    expect(world.refuse('alice')).toMatchObject({ rule: 'transition', limit: 3, inUse: 3, requested: 2 });
    expect(world.table.users.get('alice')).toMatchObject({ connections: 2, transitioned: false });
  });

  test('the unit limit and the connection limit of the instance hold (notes 2.2)', () => {
    const units = new LocalWorld({ settings: { unitLimit: 1 } });
    units.login('alice');
    expect(units.refuse('bob')).toMatchObject({ code: 'unit-limit-reached', limit: 1, inUse: 1 });
    const connections = new LocalWorld({ settings: { connectionLimit: 2 } });
    connections.logins(2, 'alice');
    expect(connections.refuse('alice')).toMatchObject({ code: 'connection-limit-reached', inUse: 2 });
    connections.login('bob');
  });

  test('without a usable key one login is possible, and it is said why (F-24)', () => {
    const world = new LocalWorld({
      unitsMax: 1,
      connectionsPerUnitMax: 1,
      fault: { code: 'key-expired', reason: 'the key expired.' },
    });
    const alice = world.login('alice');
    expect(world.refuse('alice')).toMatchObject({ code: 'key-expired', rule: 'key-expiry' });
    world.login({ kind: 'system' });
    world.logout(alice);
    world.login('bob');
  });

  test('system and server processes and one emergency login are nobody’s and cost nothing (F-23)', () => {
    const world = new LocalWorld({ unitsMax: 0 });
    expect(world.login({ kind: 'system' })).toMatchObject({ userId: null, units: 0 });
    world.login({ kind: 'server' });
    const emergency = world.login({ kind: 'emergency', processId: 4711 });
    expect(world.refuse({ kind: 'emergency' })).toMatchObject({ code: 'emergency-taken', rule: 'emergency' });
    expect(world.refuse({ kind: 'emergency' }).detail).toContain('process 4711');
    world.logout(emergency);
    world.login({ kind: 'emergency' });
    expect(world.table.counts).toMatchObject({ users: 0, units: 0, connections: 0 });
  });

  test('a user ID must be whole text, as the server takes it', () => {
    const world = new LocalWorld();
    for (const user of ['a\0b', '\ud800']) {
      expect(problemLocally(world.ask({ user })).code).toBe('user-id-illegal');
    }
    expect(problemLocally(world.ask({ user: 'x'.repeat(65) })).detail).toContain('at most 64');
    // What is derived is as the application made it, and a report with it would be refused as a whole.
    for (const webSession of ['', 'x'.repeat(129)]) {
      expect(problemLocally(world.ask({ kind: 'web', webSession })).code).toBe('user-id-illegal');
    }
    expect(world.table.users.size).toBe(0);
  });

  test('every code it can answer is in the catalogue', () => {
    expect(PROBLEMS['over-limit'].status).toBe(409);
    expect(PROBLEMS['server-unreachable'].status).toBe(503);
  });
});

describe('identity (F-34, F-43…F-47)', () => {
  test('a job counts under the user of the process that started it, also when that has gone (F-34)', () => {
    const world = new LocalWorld();
    const parent = world.login({ kind: 'startup' });
    expect(parent.userId).toBe('User Startup');
    world.logout(parent);
    const job = world.login({ kind: 'batch', processId: 12, parent });
    expect(job.userId).toBe('User Startup');
    expect(world.table.units).toBe(1);
  });

  test('a job of a process that is nobody yet is nobody yet; of a lost one nothing is known', () => {
    const world = new LocalWorld({ settings: { deferredIdentification: true } });
    const parent = world.login({ clientAddress: '192.0.2.7' });
    expect(parent).toMatchObject({ phase: 'pending', userId: null });
    expect(world.login({ parent })).toMatchObject({ phase: 'pending', userId: null });
    const alice = world.login('alice');
    world.table.loseAll();
    expect(world.refuse({ parent: alice })).toMatchObject({ code: 'parent-not-found' });
  });

  test('a pending login costs nothing until it identifies itself (F-43)', () => {
    const world = new LocalWorld({ unitsMax: 1, settings: { deferredIdentification: true } });
    const [first, second] = world.logins(2, {});
    expect(world.table.units).toBe(0);
    expect(letIn(world.identify(first!, 'alice'))).toBe(first);
    expect(first).toMatchObject({ phase: 'active', userId: 'alice', connections: 1, unitsAdded: 1 });
    expect(world.identify(second!, 'bob')).toMatchObject({ is: 'refused', code: 'units-exhausted' });
    expect(second).toMatchObject({ phase: 'pending', userId: null });
  });

  test('a web session has a unit of its own until its user logs in, which trades it (F-46)', () => {
    const world = new LocalWorld({ unitsMax: 2 });
    const [one, other] = [{ webSession: 's1' }, { webSession: 's2' }].map((claims) =>
      world.login({ kind: 'web', ...claims }),
    );
    expect(world.table.counts).toMatchObject({ units: 2, webSessions: 2 });
    world.identify(one!, 'alice');
    world.identify(other!, 'alice');
    expect(world.table.counts).toMatchObject({ users: 1, units: 1, connections: 2, webSessions: 2 });
    expect(world.table.users.get('alice')).toMatchObject({ connections: 2, webSessions: 2 });
    expect(other).toMatchObject({ connections: 2, units: 1, unitsAdded: -1 });
  });

  test('a trade that fails leaves the unit where it was (trap 7)', () => {
    const world = new LocalWorld({ unitsMax: 3, connectionsPerUnitMax: 1 });
    const session = world.login({ kind: 'web', webSession: 's1' });
    world.login('alice');
    world.login('bob');
    expect(world.identify(session, 'alice')).toMatchObject({ is: 'granted', unitsAdded: 0 });
    const full = new LocalWorld({ unitsMax: 2, connectionsPerUnitMax: 2 });
    const visitor = full.login({ kind: 'web', webSession: 's1' });
    full.logins(2, 'alice');
    expect(full.identify(visitor, 'alice')).toMatchObject({ is: 'refused', rule: 'transition' });
    expect(visitor).toMatchObject({ isHeld: true, userId: 's1' });
    expect(full.table.counts).toMatchObject({ units: 2, users: 2, connections: 3 });
    expect(problemLocally(full.identify(visitor, '')).code).toBe('user-id-illegal');
    expect(visitor.userId).toBe('s1');
  });

  test('who is nobody’s, out or lost cannot be identified', () => {
    const world = new LocalWorld();
    const system = world.login({ kind: 'system' });
    expect(problemLocally(world.identify(system, 'alice')).code).toBe('login-not-identifiable');
    const out = world.login('alice');
    world.logout(out);
    expect(problemLocally(world.identify(out, 'bob'))).toMatchObject({
      code: 'login-lost',
      extras: { lost: 'logout' },
    });
    const lost = world.login('alice');
    expect(world.table.loseAll()).toBe(1);
    expect(lost.isHeld).toBe(false);
    expect(problemLocally(world.identify(lost, 'bob')).extras).toEqual({ lost: 'lost' });
    expect(world.logout(lost)).toBe(false);
    expect(world.table.counts).toMatchObject({ users: 0, connections: 0, units: 0 });
  });

  test('a process ID means something on its instance only (F-42), and what names nobody is its own user', () => {
    const world = new LocalWorld();
    expect(world.login({ kind: 'batch', processId: 7 }).userId).toBe('7@a');
    const requests = world.logins(2, { kind: 'request' });
    expect(new Set(requests.map(({ userId }) => userId)).size).toBe(2);
    expect(requests[0]!.userId).toMatch(/^request:test-a-/);
  });
});

describe('how logins end', () => {
  test('a logout can be repeated, and frees once', () => {
    const world = new LocalWorld();
    world.login('bob');
    const alice = world.login('alice');
    expect([world.logout(alice), world.logout(alice)]).toEqual([true, false]);
    expect(world.table.counts).toMatchObject({ users: 1, connections: 1, units: 1 });
    expect(world.logout(new LocalWorld().login('alice'))).toBe(false);
  });

  test('a sessionless request holds its unit ten seconds, logged out or not (trap 8)', () => {
    const world = new LocalWorld({ unitsMax: 2 });
    const [answered] = world.logins(2, { kind: 'request' });
    expect(world.logout(answered!)).toBe(true);
    world.nowMs += 9_999;
    expect(world.refuse('alice').code).toBe('units-exhausted');
    world.nowMs += 1;
    world.logins(1, 'alice');
    expect(world.table.counts).toMatchObject({ users: 1, units: 1 });
  });

  test('a web session of one page keeps its unit ten minutes, one of two pages does not (trap 8)', () => {
    const world = new LocalWorld({ unitsMax: 2 });
    const [short, long] = ['s1', 's2'].map((webSession) => world.login({ kind: 'web', webSession }));
    world.logout(long!);
    expect(world.table.units).toBe(1);
    world.logout(short!, true);
    expect(short).toMatchObject({ isHeld: true, phase: 'grace' });
    expect(problemLocally(world.identify(short!, 'alice')).code).toBe('login-lost');
    world.nowMs += 599_999;
    expect(world.logout(short!)).toBe(false);
    expect(world.table.units).toBe(1);
    world.nowMs += 1;
    world.login('alice');
    expect(short!.isHeld).toBe(false);
    expect(world.table.counts).toMatchObject({ users: 1, units: 1, webSessions: 0 });
  });

  test('what was taken back early is not taken back again when its time comes', () => {
    const world = new LocalWorld();
    const session = world.login({ kind: 'web', webSession: 's1' });
    world.logout(session, true);
    release(world.table, session, world.nowMs);
    world.login({ kind: 'web', webSession: 's1' });
    world.nowMs += 600_000;
    world.login('alice');
    expect(world.table.counts).toMatchObject({ users: 2, connections: 2 });
  });
});

describe('what an instance has counted by itself (notes 2.3)', () => {
  test('the least that was left, of its key or of its own limit', () => {
    const world = new LocalWorld({ unitsMax: 5 });
    expect(world.table.counts).toMatchObject({ unitsAvailable: 5, unitsAvailableMin: 5 });
    const [alice] = [world.login('alice'), world.login('bob')];
    world.logout(alice);
    expect(world.table.counts).toMatchObject({ unitsAvailable: 4, unitsAvailableMin: 3 });
    const limited = new LocalWorld({ settings: { unitLimit: 2 } });
    limited.login('alice');
    expect(limited.table.counts).toMatchObject({ unitsAvailable: 1, unitsAvailableMin: 1 });
  });

  test('users with web sessions and sessions in grace, with the most of them', () => {
    const world = new LocalWorld();
    const [one, two] = ['s1', 's2'].map((webSession) => world.login({ kind: 'web', webSession }));
    world.logout(one!);
    world.logout(two!, true);
    expect(world.table.counts).toMatchObject({
      webUsers: 1,
      webUsersPeak: 2,
      webInGrace: 1,
      webInGracePeak: 1,
    });
    world.nowMs += 600_000;
    world.login('alice');
    expect(world.table.counts).toMatchObject({
      webUsers: 0,
      webUsersPeak: 2,
      webInGrace: 0,
      webInGracePeak: 1,
    });
  });

  test('how long logins held their unit, grace included', () => {
    const world = new LocalWorld();
    const system = world.login({ kind: 'system' });
    const [quick, slow] = [world.login('alice'), world.login('bob')];
    const page = world.login({ kind: 'web', webSession: 's1' });
    world.logout(quick);
    world.logout(system);
    world.logout(page, true);
    world.nowMs += 20_000;
    world.logout(slow);
    world.nowMs += 600_000;
    world.login('carol');
    expect(world.table.durations).toEqual([1, 0, 1, 1, 0, 0]);
  });
});

describe('users who are new (F-53)', () => {
  test('wait while combined use is over the limit; whoever is in goes on, transition included', () => {
    const world = new LocalWorld({ connectionsPerUnitMax: 2 });
    const alice = world.login('alice');
    world.table.gates = { overLimit: { limit: 10, inUse: 16 }, offline: null };
    const refusal = world.refuse('bob');
    expect(refusal).toMatchObject({ code: 'over-limit', rule: 'over-limit', limit: 10, inUse: 16 });
    expect(refusal.detail).toContain('"bob" has no login on "a"');
    world.logins(2, 'alice');
    expect(world.table.units).toBe(3);
    world.login({ kind: 'system' });
    world.logout(alice);
    world.table.gates = { overLimit: null, offline: null };
    world.login('bob');
  });

  test('a user who left while others wait is new again', () => {
    const world = new LocalWorld();
    const alice = world.login('alice');
    world.table.gates = { overLimit: { limit: 1, inUse: 2 }, offline: null };
    world.logout(alice);
    expect(world.refuse('alice').code).toBe('over-limit');
  });

  test('a trade of one unit for another takes nothing from anybody, and passes', () => {
    const world = new LocalWorld({ settings: { deferredIdentification: true } });
    const session = world.login({ kind: 'web', webSession: 's1' });
    const pending = world.login({});
    world.table.gates = { overLimit: { limit: 1, inUse: 2 }, offline: null };
    expect(world.identify(session, 'alice').is).toBe('granted');
    expect(world.identify(pending, 'bob')).toMatchObject({ is: 'refused', code: 'over-limit' });
  });

  test('wait when the server has been away too long', () => {
    const world = new LocalWorld();
    world.login('alice');
    world.table.gates = { overLimit: null, offline: { forSeconds: 3600 } };
    const refusal = world.refuse('bob');
    expect(refusal).toMatchObject({ code: 'server-unreachable', rule: 'offline' });
    expect(refusal.detail).toContain('more than 3600 s');
    world.login('alice');
  });
});

describe('bounds', () => {
  test('nothing stays behind of users who came and went', () => {
    const world = new LocalWorld();
    for (let index = 0; index < 20_000; index += 1) world.logout(world.login(`user-${index}`));
    expect(world.table.users.size).toBe(0);
    expect(world.table.changed).toHaveLength(0);
    expect(world.table.due.size).toBe(0);
  });

  test('without anything known a table has one unit', () => {
    const table = new LocalTable({ instance: 'a', idPrefix: 'p' });
    expect(table.capacity).toEqual({ unitsMax: 1, connectionsPerUnitMax: 25, fault: null });
  });
});
