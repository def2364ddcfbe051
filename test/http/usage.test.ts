import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { leastOf } from '../../src/service/selection.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { StandingClock } from '../support/clock.ts';

let started: StartedApp;
/** Shared by `a` and `b`: alice on both, bob on `a`, carol transitioned over both. */
let shared: string;
/** Of `c` alone. */
let lone: string;

beforeAll(async () => {
  started = await startApp();
  shared = (await started.installKey({ OrderNumber: 2001, AuthorizedUnits: 10, MaxConnections: 2 })).id;
  lone = (await started.installKey({ OrderNumber: 2002, EnforcedUnits: 6 })).id;
  await started.register('a', shared);
  await started.register('b', shared);
  await started.register('c', lone);
  await started.register('keyless');
  await started.login('b', 'alice');
  await started.login('a', 'alice');
  await started.login('a', 'bob');
  for (const instance of ['a', 'b', 'b']) await started.login(instance, 'carol');
  await started.login('c', 'alice');
  const gone = await started.login('c', 'dave');
  await started.ask({ op: 'logout', instance: 'c', id: gone, reason: 'logout', actor: 'tester' });
  await started.login('c', 'system', { claims: { kind: 'system' } });
  const web = await started.login('c', 'web', { claims: { kind: 'web', webSession: 's1' } });
  await started.ask({
    op: 'logout',
    instance: 'c',
    id: web,
    reason: 'logout',
    onePage: true,
    actor: 'tester',
  });
  await started.login('keyless', 'eve');
});
afterAll(async () => {
  await started.close();
});

describe('GET /v1/usage/counts', () => {
  test('200 per key: units, users (not units, trap 13), connections, peaks and logins by phase', async () => {
    const response = await started.call('GET /v1/usage/counts');
    expect(response.statusCode).toBe(200);
    const { items, asOf, version } = response.json();
    expect(items).toEqual([
      {
        key: shared,
        unitsAuthorised: 10,
        unitsEnforced: 10,
        unitsInUse: 5,
        unitsLeased: 0,
        unitsFree: 5,
        users: 3,
        connections: 6,
        unitsPeak: 5,
        usersPeak: 3,
        connectionsPeak: 6,
        logins: { active: 6, pending: 0, grace: 0 },
      },
      {
        key: lone,
        unitsAuthorised: 5,
        unitsEnforced: 6,
        unitsInUse: 2,
        unitsLeased: 0,
        unitsFree: 4,
        users: 2,
        connections: 2,
        unitsPeak: 2,
        usersPeak: 2,
        connectionsPeak: 2,
        logins: { active: 2, pending: 0, grace: 1 },
      },
      expect.objectContaining({ instance: 'keyless', unitsEnforced: 1, unitsInUse: 1, unitsFree: 0 }),
    ]);
    expect(items[2]).not.toHaveProperty('key');
    expect(version).toBe(started.lane.table.version);
    expect(Date.parse(asOf)).toBeGreaterThan(Date.now() - 60_000);
  });

  test('200 page by page, and for one key', async () => {
    const first = (await started.call('GET /v1/usage/counts?limit=2')).json();
    expect(first.items).toHaveLength(2);
    const second = (await started.call(`GET /v1/usage/counts?limit=2&cursor=${first.nextCursor}`)).json();
    expect(second.items).toMatchObject([{ instance: 'keyless' }]);
    expect(second).not.toHaveProperty('nextCursor');
    const one = (await started.call(`GET /v1/usage/counts?key=${lone}`)).json();
    expect(one.items).toMatchObject([{ key: lone }]);
  });

  test('200: the token of an instance sees the totals of its key only; one of a key, that key', async () => {
    const seen = async (role: 'instance' | 'viewer', restriction: object) => {
      const token = await started.token(role, restriction);
      const { items } = (await started.call('GET /v1/usage/counts', { token })).json();
      return items.map(({ key, instance }: { key?: string; instance?: string }) => key ?? instance);
    };
    expect(await seen('instance', { instance: 'a' })).toEqual([shared]);
    expect(await seen('instance', { instance: 'keyless' })).toEqual(['keyless']);
    expect(await seen('viewer', { keys: [lone] })).toEqual([lone]);
  });

  test('400, 401, 403 for a foreign key, 404 for none', async () => {
    expect((await started.call('GET /v1/usage/counts?keyy=x')).statusCode).toBe(400);
    expect((await started.call('GET /v1/usage/counts', { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: [lone] });
    expect((await started.call(`GET /v1/usage/counts?key=${shared}`, { token })).statusCode).toBe(403);
    const missing = await started.call('GET /v1/usage/counts?key=1-00000000');
    expect([missing.statusCode, missing.json().code]).toEqual([404, 'key-not-found']);
  });
});

test('of a key that has ended nothing is free, however little of it is in use', async () => {
  const clock = new StandingClock(Date.UTC(2030, 0, 1));
  const lictor = await startApp({ clock });
  try {
    const key = (await lictor.installKey({ ExpirationDate: '1/31/2030', AuthorizedUnits: 10 })).id;
    await lictor.register('host', key);
    await lictor.login('host', 'alice');
    const counts = async () => (await lictor.call(`GET /v1/usage/counts?key=${key}`)).json().items[0];
    expect(await counts()).toMatchObject({ unitsInUse: 1, unitsFree: 9 });
    clock.advance(31 * 86_400_000);
    expect(await counts()).toMatchObject({ unitsEnforced: 10, unitsInUse: 1, unitsFree: 0 });
  } finally {
    await lictor.close();
  }
});

describe('GET /v1/usage/instances', () => {
  test('200 with units as each instance sees them', async () => {
    const response = await started.call('GET /v1/usage/instances');
    expect(response.statusCode).toBe(200);
    expect(response.json().items).toEqual([
      { instance: 'a', key: shared, state: 'active', units: 3, users: 3, connections: 3, logins: 3 },
      { instance: 'b', key: shared, state: 'active', units: 3, users: 2, connections: 3, logins: 3 },
      { instance: 'c', key: lone, state: 'active', units: 2, users: 2, connections: 2, logins: 3 },
      { instance: 'keyless', state: 'active', units: 1, users: 1, connections: 1, logins: 1 },
    ]);
  });

  test('200 page by page, by key, and what the token may see', async () => {
    const url = `GET /v1/usage/instances?key=${shared}&limit=1`;
    const first = (await started.call(url)).json();
    expect(first.items).toMatchObject([{ instance: 'a' }]);
    const second = (await started.call(`${url}&cursor=${first.nextCursor}`)).json();
    expect(second.items).toMatchObject([{ instance: 'b' }]);
    expect(second).not.toHaveProperty('nextCursor');
    const token = await started.token('instance', { instance: 'b' });
    const own = (await started.call('GET /v1/usage/instances', { token })).json();
    expect(own.items).toMatchObject([{ instance: 'b' }]);
  });

  test('400, 401, 403', async () => {
    expect((await started.call('GET /v1/usage/instances?limit=0')).statusCode).toBe(400);
    expect((await started.call('GET /v1/usage/instances', { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: [lone] });
    expect((await started.call(`GET /v1/usage/instances?key=${shared}`, { token })).statusCode).toBe(403);
  });
});

describe('GET /v1/usage/users', () => {
  test('200: one unit for a user on two instances, the other row is shared; every row of one who transitioned costs (F-32)', async () => {
    const response = await started.call(`GET /v1/usage/users?key=${shared}`);
    expect(response.statusCode).toBe(200);
    expect(response.json().items).toEqual([
      {
        key: shared,
        userId: 'alice',
        connections: 2,
        connectionsPeak: 2,
        units: 1,
        transitioned: false,
        instances: [
          { instance: 'a', connections: 1, units: 1, shared: false },
          { instance: 'b', connections: 1, units: 0, shared: true },
        ],
      },
      {
        key: shared,
        userId: 'bob',
        connections: 1,
        connectionsPeak: 1,
        units: 1,
        transitioned: false,
        instances: [{ instance: 'a', connections: 1, units: 1, shared: false }],
      },
      {
        key: shared,
        userId: 'carol',
        connections: 3,
        connectionsPeak: 3,
        units: 3,
        transitioned: true,
        instances: [
          { instance: 'a', connections: 1, units: 1, shared: false },
          { instance: 'b', connections: 2, units: 2, shared: false },
        ],
      },
    ]);
  });

  test('the peak of a user stays when connections go (trap 12)', async () => {
    const id = await started.login('a', 'frank');
    await started.login('a', 'frank');
    await started.ask({ op: 'logout', instance: 'a', id, reason: 'logout', actor: 'tester' });
    const { items } = (await started.call(`GET /v1/usage/users?key=${shared}`)).json();
    expect(items.at(-1)).toMatchObject({ userId: 'frank', connections: 1, connectionsPeak: 2, units: 1 });
    await started.ask({ op: 'release-user', pool: shared, user: 'frank', note: 'done', actor: 'tester' });
  });

  test('200 page by page over all keys, each user once under each key (F-6)', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = (await started.call(`GET /v1/usage/users?limit=2${cursor}`)).json();
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((user: { key?: string; userId: string }) => `${user.key} ${user.userId}`));
      cursor = page.nextCursor === undefined ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual([
      `${shared} alice`,
      `${shared} bob`,
      `${shared} carol`,
      `${lone} alice`,
      `${lone} s1`,
      'undefined eve',
    ]);
  });

  test('200: the token of an instance sees its own users and rows', async () => {
    const token = await started.token('instance', { instance: 'b' });
    const { items } = (await started.call('GET /v1/usage/users', { token })).json();
    expect(items).toMatchObject([
      { userId: 'alice', instances: [{ instance: 'b', shared: true }] },
      { userId: 'carol', instances: [{ instance: 'b' }] },
    ]);
    expect(items[0].instances).toHaveLength(1);
  });

  test('400, 401, 403, 404', async () => {
    const foreignCursor = Buffer.from('["usage-counts","x"]').toString('base64url');
    expect((await started.call(`GET /v1/usage/users?cursor=${foreignCursor}`)).statusCode).toBe(400);
    expect((await started.call('GET /v1/usage/users', { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: [lone] });
    expect((await started.call(`GET /v1/usage/users?key=${shared}`, { token })).statusCode).toBe(403);
    expect((await started.call('GET /v1/usage/users?key=1-00000000')).statusCode).toBe(404);
  });
});

describe('the least of many', () => {
  test.each([1, 2, 7, 100])('are the first %i of all of them sorted', (count) => {
    const texts = Array.from({ length: 50 }, (_, index) => `user-${(index * 37) % 50}`);
    expect(leastOf(texts, count)).toEqual([...texts].sort().slice(0, count));
  });
});
