/** Instances that decide for themselves, against a real Lictor over real HTTP, in a time that the test moves. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiError, type Client, createClient, LicenseInstance } from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import {
  impatientClient,
  loggedIn,
  type OpenedInstance,
  openInstance,
  refusedBy,
} from '../support/instances.ts';
import { Relay } from '../support/relay.ts';
import { until } from '../support/wait.ts';

const WAIT_MS = 20_000;

let started: StartedApp;
let relay: Relay;
let client: Client;
/** Reaches the same server by a way that can be cut. */
let relayed: Client;
const opened: OpenedInstance[] = [];

beforeAll(async () => {
  started = await startApp();
  const url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
  relay = await Relay.open(url);
  relayed = impatientClient(relay.url);
});
afterEach(async () => {
  relay.mend();
  for (const { instance } of opened.splice(0)) await instance.close();
});
afterAll(async () => {
  client?.close();
  relayed?.close();
  await relay?.close();
  await started?.close();
});

let keys = 0;

/** Installs a key of so many units that is enforced in one of the ways. */
async function installKey(
  units: number,
  enforcement: 'central' | 'local' | 'leased' = 'local',
): Promise<string> {
  keys += 1;
  const { id } = await started.installKey({ AuthorizedUnits: units, OrderNumber: 7_000 + keys });
  await client.keys.change(id, { enforcement }, '*');
  return id;
}

async function open(
  name: string,
  key: string | undefined,
  more: Partial<Parameters<typeof openInstance>[0]> = {},
) {
  const instance = await openInstance({ client, name, ...(key === undefined ? {} : { key }), ...more });
  opened.push(instance);
  return instance;
}

/** Lets the instance reach the server again. A connection that it kept may be dead the first time. */
async function mend(instance: LicenseInstance): Promise<void> {
  relay.mend();
  const isBack = async () => {
    await instance.report();
    return instance.isOnline;
  };
  await until(isBack, WAIT_MS, 'the server can be reached again');
}

/** The units in use of a key, as the server counts them. */
async function unitsOf(key: string): Promise<number | undefined> {
  return (await client.usage.counts()).items.find((counts) => counts.key === key)?.unitsInUse;
}

describe('an instance under a local key (F-50)', () => {
  test('decides by itself, and tells the server of what changed (F-51)', async () => {
    const key = await installKey(10);
    const { instance, clock } = await open('local-a', key);
    expect(instance.terms).toMatchObject({ enforcement: 'local', key, limit: 10, connectionsPerUnitMax: 25 });
    expect(instance).toMatchObject({ incarnation: 1, isOnline: true, isOverLimit: false });
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    loggedIn(instance.tryLogin({ user: 'bob', process: { pid: 12 } }));
    expect(alice).toMatchObject({ userId: 'alice', connections: 1, units: 1, isHeld: true });
    clock.advance(15_000);
    const users = async () => {
      const page = await client.usage.users({ key });
      return page.items.map(({ userId, connections }) => [userId, connections]);
    };
    await until(async () => (await users()).length === 2, WAIT_MS, 'both are in the table of the server');
    expect(await users()).toEqual([
      ['alice', 1],
      ['bob', 1],
    ]);
    expect(await instance.logout(alice)).toBe(true);
    expect(await instance.logout(alice)).toBe(false);
    await instance.report();
    await until(async () => (await users()).length === 1, WAIT_MS, 'alice has gone');
    expect(instance.counts).toMatchObject({ users: 1, connections: 1, units: 1, usersPeak: 2 });
  });

  test('answers a login that contradicts itself, or names nobody, with what is wrong', async () => {
    const { instance } = await open('local-wrong', await installKey(1));
    expect(instance.tryLogin({ sessionless: true, emergency: true })).toMatchObject({
      is: 'problem',
      code: 'malformed-request',
    });
    expect(instance.tryLogin({})).toMatchObject({ is: 'problem', code: 'user-id-illegal' });
    expect(await instance.login({ user: '' })).toMatchObject({ code: 'user-id-illegal' });
  });

  test('knows one client by one address, and jobs, start-up and web sessions by their rules', async () => {
    const { instance } = await open('local-kinds', await installKey(10));
    const byAddress = loggedIn(await instance.login({ clientAddress: '::ffff:192.0.2.7' }));
    expect(byAddress.userId).toBe('192.0.2.7');
    const startup = loggedIn(await instance.startup());
    const job = loggedIn(await instance.job(startup, { process: { pid: 7, kind: 'batch' } }));
    expect([startup.userId, job.userId]).toEqual(['User Startup', 'User Startup']);
    const session = loggedIn(await instance.webSession('s1'));
    expect(session).toMatchObject({ kind: 'web', userId: 's1' });
    expect(await instance.identify(session, 'alice')).toBe(session);
    expect(session.userId).toBe('alice');
    expect(instance.release(session, true)).toBe(true);
    expect(session).toMatchObject({ phase: 'grace', isHeld: true });
    expect(instance.counts).toMatchObject({ users: 3, connections: 4, units: 3, webSessions: 1 });
  });

  test('learns of other settings and limits with its next report', async () => {
    const key = await installKey(5);
    const { instance, told } = await open('local-settings', key);
    await client.instances.configure('local-settings', { unitLimit: 1 }, '*');
    await client.keys.change(key, { connectionsPerUnitMax: 2 }, '*');
    loggedIn(instance.tryLogin({ user: 'alice' }));
    await instance.report();
    expect(refusedBy(instance.tryLogin({ user: 'bob' }))).toMatchObject({
      code: 'unit-limit-reached',
      limit: 1,
    });
    expect(instance.terms).toMatchObject({ connectionsPerUnitMax: 2, settings: { unitLimit: 1 } });
    expect(told.map(([name]) => name)).toEqual(['terms', 'refused']);
    expect(told[1]).toMatchObject(['refused', { rule: 'unit-limit' }, { user: 'bob' }]);
  });

  test('without a usable key it has one connection (F-24)', async () => {
    const { id } = await started.installKey({
      AuthorizedUnits: 5,
      OrderNumber: 6_999,
      ExpirationDate: '1/31/2020',
    });
    await client.keys.change(id, { enforcement: 'local' }, '*');
    const { instance } = await open('local-expired', id);
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    expect(refusedBy(instance.tryLogin({ user: 'alice' }))).toMatchObject({ code: 'key-expired', limit: 1 });
    await instance.report();
    expect(refusedBy(instance.tryLogin({ user: 'bob' })).code).toBe('key-expired');
    instance.release(alice);
    loggedIn(instance.tryLogin({ user: 'bob' }));
  });

  test('reports sooner when much has changed, and a large table in parts', async () => {
    const key = await installKey(20_000);
    const { instance, clock } = await open('local-many', key);
    for (let index = 0; index < 12_000; index += 1) loggedIn(instance.tryLogin({ user: `user-${index}` }));
    clock.advance(1_000);
    await until(async () => (await unitsOf(key)) === 12_000, WAIT_MS, 'all of them are reported');
  });

  test('gives signs of life often enough for a short grace', async () => {
    const key = await installKey(5);
    const { instance, clock } = await open('local-grace', key, { settings: { graceSeconds: 12 } });
    loggedIn(instance.tryLogin({ user: 'alice' }));
    clock.advance(4_000);
    await until(async () => (await unitsOf(key)) === 1, WAIT_MS, 'alice is reported within a third of it');
  });

  test('is closed in good order: what it held is given back at once, and nobody comes in any more', async () => {
    const key = await installKey(5);
    const { instance, clock } = await open('local-closed', key);
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    await instance.report();
    expect(await unitsOf(key)).toBe(1);
    expect(await instance.close()).toBe(true);
    expect(await instance.close()).toBe(true);
    await until(async () => (await unitsOf(key)) === 0, WAIT_MS, 'its unit is free');
    expect(alice.isHeld).toBe(false);
    expect(instance.tryLogin({ user: 'bob' })).toMatchObject({ is: 'problem', code: 'shutting-down' });
    expect(clock.waiting).toBe(0);
    expect((await client.instances.read('local-closed')).state).toBe('silent');
  });
});

describe('while the server is away (F-13)', () => {
  test('it goes on with known users, and with new ones as long as the policy says', async () => {
    const key = await installKey(10);
    const policy = { newUsers: 'allow', forSeconds: 600 } as const;
    const { instance, clock, told, names } = await open('away-allow', key, {
      client: relayed,
      offline: policy,
    });
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    await instance.report();
    relay.cut();
    await instance.report();
    expect(instance.isOnline).toBe(false);
    expect(told[0]).toMatchObject(['offline', { name: 'UnreachableError' }]);
    loggedIn(instance.tryLogin({ user: 'bob' }));
    clock.advance(599_000);
    loggedIn(instance.tryLogin({ user: 'carol' }));
    clock.advance(1_000);
    expect(refusedBy(instance.tryLogin({ user: 'dave' }))).toMatchObject({ code: 'server-unreachable' });
    loggedIn(instance.tryLogin({ user: 'alice' }));
    instance.release(alice);
    await instance.report();
    await mend(instance);
    expect(instance.isOnline).toBe(true);
    expect(await unitsOf(key)).toBe(3);
    loggedIn(instance.tryLogin({ user: 'dave' }));
    expect(names()).toEqual(['offline', 'refused', 'online']);
    expect(told.at(-1)).toEqual(['online', 600_000]);
  });

  test('by another policy new users wait from the first moment on', async () => {
    const { instance } = await open('away-refuse', await installKey(10), {
      client: relayed,
      offline: { newUsers: 'refuse' },
    });
    loggedIn(instance.tryLogin({ user: 'alice' }));
    relay.cut();
    await instance.report();
    expect(refusedBy(instance.tryLogin({ user: 'bob' }))).toMatchObject({ rule: 'offline' });
    loggedIn(instance.tryLogin({ user: 'alice' }));
    await mend(instance);
    loggedIn(instance.tryLogin({ user: 'bob' }));
  });

  test('it asks again by itself, and closes without it', async () => {
    const { instance, clock } = await open('away-return', await installKey(10), { client: relayed });
    relay.cut();
    await instance.report();
    clock.advance(20_000);
    relay.mend();
    await until(
      () => {
        clock.advance(1_000);
        return instance.isOnline;
      },
      WAIT_MS,
      'the instance is online again',
    );
    relay.cut();
    expect(await instance.close()).toBe(false);
    expect(clock.waiting).toBe(0);
  });

  test('a policy that is none is refused', async () => {
    const open = (offline: object) =>
      LicenseInstance.open({ client, name: 'none', offline: offline as never });
    await expect(open({ newUsers: 'maybe' })).rejects.toThrow('offline.newUsers must be');
    await expect(open({ newUsers: 'allow', forSeconds: Number.NaN })).rejects.toThrow('offline.forSeconds');
  });
});

describe('lives of an instance (R-10)', () => {
  test('a newer one takes its place: everything is lost, and it stops', async () => {
    const key = await installKey(10);
    const { instance, clock, told } = await open('twice', key);
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    const { instance: newer } = await open('twice', key);
    expect(newer.incarnation).toBe(2);
    await instance.report();
    expect(told).toEqual([['lost', 'replaced', 1]]);
    expect(alice.isHeld).toBe(false);
    expect(instance.tryLogin({ user: 'bob' })).toMatchObject({ is: 'problem', code: 'incarnation-old' });
    expect(await instance.login({ user: 'bob' })).toMatchObject({ code: 'incarnation-old' });
    expect(instance.release(alice)).toBe(false);
    expect(clock.waiting).toBe(0);
    expect(await instance.close()).toBe(false);
    loggedIn(newer.tryLogin({ user: 'bob' }));
  });

  test('one that the server does not know any more registers again, with its users', async () => {
    const key = await installKey(10);
    const { instance, clock, names } = await open('forgotten', key);
    loggedIn(instance.tryLogin({ user: 'alice' }));
    await client.instances.remove('forgotten');
    await instance.report();
    clock.advance(20);
    await until(async () => (await unitsOf(key)) === 1, WAIT_MS, 'alice counts again');
    expect(instance.incarnation).toBe(1);
    expect(names()).toEqual([]);
  });

  test('a registration that the server refuses is the caller’s to mend', async () => {
    const error = await LicenseInstance.open({ client, name: 'nokey', key: 'unknown' }).catch((e) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error.code).toBe('key-not-found');
  });
});

describe('an instance under a central key', () => {
  test('asks the server for every login, by the same calls', async () => {
    const key = await installKey(2, 'central');
    const { instance } = await open('central-a', key);
    expect(instance.tryLogin({ user: 'alice' })).toEqual({ is: 'ask' });
    const alice = loggedIn(await instance.login({ user: 'alice', process: { pid: 3 } }));
    expect(alice).toMatchObject({
      userId: 'alice',
      kind: 'user',
      connections: 1,
      unitsAdded: 1,
      isHeld: true,
    });
    const job = loggedIn(await instance.job(alice));
    expect(job).toMatchObject({ userId: 'alice', connections: 2, unitsAdded: 0 });
    const session = loggedIn(await instance.webSession('s1'));
    expect(instance.tryIdentify(session, 'alice')).toEqual({ is: 'ask' });
    expect(await instance.identify(session, 'alice')).toBe(session);
    expect(session).toMatchObject({ userId: 'alice', connections: 3, unitsAdded: -1 });
    loggedIn(await instance.login({ user: 'bob' }));
    const events: string[] = [];
    instance.on('refused', ({ rule }) => events.push(rule));
    expect(refusedBy(await instance.login({ user: 'carol' }))).toMatchObject({
      code: 'units-exhausted',
      rule: 'enforced-units',
      limit: 2,
    });
    expect(events).toEqual(['enforced-units']);
    expect(await instance.login({ user: '' })).toMatchObject({ is: 'problem', code: 'user-id-illegal' });
    await instance.report();
    expect(instance.isOnline).toBe(true);
    expect(await instance.logout(alice)).toBe(true);
    expect(alice.isHeld).toBe(false);
    expect(await instance.logout(alice)).toBe(false);
    expect((await client.instances.read('central-a')).holds).toMatchObject({ logins: 3, users: 2, units: 2 });
  });

  test('away, the server is said to be, and logouts wait for its return', async () => {
    const key = await installKey(2, 'central');
    const { instance } = await open('central-away', key, { client: relayed });
    const alice = loggedIn(await instance.login({ user: 'alice' }));
    relay.cut();
    expect(refusedBy(await instance.login({ user: 'bob' }))).toMatchObject({
      code: 'server-unreachable',
      rule: 'offline',
    });
    expect(await instance.logout(alice)).toBe(true);
    await mend(instance);
    await until(async () => (await unitsOf(key)) === 0, WAIT_MS, 'the server knows that alice is out');
  });

  test('a login that its caller gives up is not held', async () => {
    const key = await installKey(2, 'central');
    const { instance } = await open('central-abort', key);
    const reason = new Error('given up');
    await expect(instance.login({ user: 'alice' }, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(await unitsOf(key)).toBe(0);
  });

  test('logins that were forced out while it was silent are lost', async () => {
    const key = await installKey(5, 'central');
    const { instance, clock, told } = await open('central-silent', key, { client: relayed });
    const [alice, bob] = [
      loggedIn(await instance.login({ user: 'alice' })),
      loggedIn(await instance.login({ user: 'bob' })),
    ];
    relay.cut();
    await instance.report();
    await client.releases.create({ key, user: 'alice', reason: 'a test' });
    await until(async () => (await unitsOf(key)) === 1, WAIT_MS, 'alice is out');
    clock.advance(61_000);
    await instance.report();
    await mend(instance);
    expect(told).toContainEqual(['lost', 'silent', 1]);
    expect([alice.isHeld, bob.isHeld]).toEqual([false, true]);
  });

  test('and when the owner of the key chooses otherwise, the instance follows', async () => {
    const key = await installKey(5, 'central');
    const { instance, told } = await open('central-local', key);
    const alice = loggedIn(await instance.login({ user: 'alice' }));
    await client.keys.change(key, { enforcement: 'local' }, '*');
    await instance.report();
    expect(instance.enforcement).toBe('local');
    const job = loggedIn(instance.tryLogin({ parent: alice }));
    expect(job.userId).toBe('alice');
    expect(alice.isHeld).toBe(true);
    await client.keys.change(key, { enforcement: 'central' }, '*');
    await instance.report();
    expect([alice.isHeld, job.isHeld]).toEqual([true, false]);
    expect(told.filter(([name]) => name === 'lost')).toEqual([['lost', 'enforcement-changed', 1]]);
  });
});
