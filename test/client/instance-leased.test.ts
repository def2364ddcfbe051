/** Instances that decide within what is leased to them, against a real Lictor, in a time that the test moves. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Client,
  createClient,
  type InstanceLogin,
  type LicenseInstance,
  type Verdict,
} from '../../src/client/index.ts';
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
/** The server looks for users of several instances every two seconds. */
const SHARED_WAIT_MS = 60_000;

let started: StartedApp;
let relay: Relay;
let client: Client;
let relayed: Client;
let count = 0;
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

async function installKey(units: number): Promise<string> {
  count += 1;
  const { id } = await started.installKey({ AuthorizedUnits: units, OrderNumber: 5_000 + count });
  await client.keys.change(id, { enforcement: 'leased' }, '*');
  return id;
}

/** Opens an instance, which states its rights at once. */
async function open(
  key: string,
  more: Partial<Parameters<typeof openInstance>[0]> = {},
): Promise<OpenedInstance> {
  count += 1;
  const instance = await openInstance({ client, name: `leased-${count}`, key, ...more });
  opened.push(instance);
  await instance.instance.report();
  return instance;
}

async function unitsOf(key: string): Promise<number | undefined> {
  return (await client.usage.counts()).items.find((counts) => counts.key === key)?.unitsInUse;
}

/** Logs in so many users of an instance's own. */
async function fill({ instance }: OpenedInstance, users: number) {
  const logins = [];
  for (let index = 0; index < users; index += 1) {
    logins.push(loggedIn(await instance.login({ user: `${instance.name}-${index}` })));
  }
  return logins;
}

describe('an instance under a leased key', () => {
  test('lets in within its block without asking, and asks beyond', async () => {
    const key = await installKey(20);
    const { instance } = await open(key);
    expect(instance.enforcement).toBe('leased');
    const first = loggedIn(instance.tryLogin({ user: 'alice' }));
    expect(first).toMatchObject({ userId: 'alice', connections: 1, units: 1 });
    const verdicts = Array.from({ length: 20 }, (_, index) => instance.tryLogin({ user: `user-${index}` }));
    expect(verdicts.some(({ is }) => is === 'ask')).toBe(true);
    expect(verdicts.every(({ is }) => is === 'ask' || is === 'granted')).toBe(true);
    for (let index = 0; index < 10; index += 1) {
      loggedIn(await instance.login({ user: `more-${index}` }));
    }
    expect(await instance.logout(first)).toBe(true);
  });

  test('together they never have more units than there are, and the last is told why', async () => {
    const key = await installKey(10);
    const [a, b] = [await open(key), await open(key)];
    await fill(a, 6);
    // What one keeps in reserve goes to the other once units are scarce.
    const logins = [loggedIn(await b.instance.login({ user: 'early' }))];
    while (logins.length < 4) {
      const verdict = await b.instance.login({ user: `user-${logins.length}` });
      if (verdict.is === 'granted') logins.push(verdict);
      await a.instance.report();
    }
    const refusal = refusedBy(await b.instance.login({ user: 'late' }));
    expect(refusal).toMatchObject({
      code: 'units-exhausted',
      rule: 'enforced-units',
      limit: 10,
      requested: 1,
    });
    expect(refusal.detail).toContain('All units of the key are taken');
    expect(refusedBy(await a.instance.login({ user: 'late' })).code).toBe('units-exhausted');
    expect(await unitsOf(key)).toBe(10);
    b.instance.release(logins[0]!);
    await b.instance.report();
    loggedIn(await a.instance.login({ user: 'late' }));
    expect(a.instance.counts.units + b.instance.counts.units).toBe(10);
  });

  test('many logins that wait at once are asked for together', async () => {
    const key = await installKey(50);
    const { instance } = await open(key);
    const verdicts = await Promise.all(
      Array.from({ length: 60 }, (_, index) => instance.login({ user: `user-${index}` })),
    );
    expect(verdicts.filter(({ is }) => is === 'granted')).toHaveLength(50);
    expect(verdicts.filter(({ is }) => is === 'refused')).toHaveLength(10);
  });

  test('a user on two instances costs one unit, and transitions over both of them (F-32, trap 5)', async () => {
    const key = await installKey(40);
    const pair = [await open(key), await open(key)];
    const logins: InstanceLogin[] = [];
    /** Logs alice in once more. Before the server can say yes, every instance has to say how often it has her. */
    const login = async ({ instance }: OpenedInstance) => {
      let verdict: Verdict | null = null;
      const asked = instance.login({ user: 'alice' }).then((answer) => {
        verdict = answer;
      });
      await until(
        async () => {
          for (const each of pair) {
            each.clock.advance(1_000);
            await each.instance.report();
          }
          return verdict !== null;
        },
        WAIT_MS,
        'alice is let in',
      );
      await asked;
      logins.push(loggedIn(verdict!));
    };
    const settle = async () => {
      for (let round = 0; round < 4; round += 1) for (const { instance } of pair) await instance.report();
    };
    for (const each of [...pair, ...pair]) await login(each);
    await settle();
    expect(await usedBy('alice', key)).toBe(1);
    while (logins.length < 26) await login(pair[logins.length % 2]!);
    await settle();
    expect(await usedBy('alice', key)).toBeGreaterThanOrEqual(26);
    for (const each of logins) for (const { instance } of pair) instance.release(each);
    await settle();
    expect(await usedBy('alice', key)).toBe(0);
  });

  test('a user with one connection on each of three instances comes to cost one unit (F-30, trap 1)', async () => {
    const key = await installKey(40);
    const three = [await open(key), await open(key), await open(key)];
    const held = three.map(({ instance }) => loggedIn(instance.tryLogin({ user: 'alice' })));
    await until(
      async () => {
        for (const each of three) {
          each.clock.advance(1_000);
          await each.instance.report();
        }
        return (await usedBy('alice', key)) === 1;
      },
      SHARED_WAIT_MS,
      'alice costs one unit',
    );
    const { items } = await client.usage.users({ key });
    expect(items.find(({ userId }) => userId === 'alice')).toMatchObject({ units: 1, transitioned: false });
    for (const [index, { instance }] of three.entries()) expect(instance.release(held[index]!)).toBe(true);
  }, 90_000);

  /** The units that a user costs, by the table of the server. */
  async function usedBy(user: string, key: string): Promise<number> {
    const { items } = await client.usage.users({ key });
    return items.find(({ userId }) => userId === user)?.units ?? 0;
  }
});

describe('the term of a lease', () => {
  test('ends by the clock of the instance: whatever cost a unit is lost, and nobody comes in', async () => {
    const key = await installKey(10);
    const { instance, clock, told } = await open(key, { client: relayed });
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    const system = loggedIn(instance.tryLogin({ process: { kind: 'system' } }));
    await instance.report();
    relay.cut();
    await instance.report();
    loggedIn(instance.tryLogin({ user: 'bob' }));
    clock.advance(50_000);
    expect(alice.isHeld).toBe(true);
    clock.advance(10_000);
    expect([alice.isHeld, system.isHeld]).toEqual([false, true]);
    expect(told.filter(([name]) => name === 'lost')).toEqual([['lost', 'term-ended', 2]]);
    expect(instance.tryLogin({ user: 'alice' })).toEqual({ is: 'ask' });
    expect(refusedBy(await instance.login({ user: 'alice' }))).toMatchObject({ code: 'server-unreachable' });
    relay.mend();
    await until(
      async () => {
        await instance.report();
        return instance.isOnline;
      },
      WAIT_MS,
      'the instance is online again',
    );
    loggedIn(await instance.login({ user: 'alice' }));
    expect(instance.counts).toMatchObject({ users: 1, connections: 1 });
  });

  test('has ended for a machine that wakes up too late', async () => {
    const { instance, clock, names } = await open(await installKey(10));
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    clock.suspend(60_000);
    // No timer has run yet: whoever looks finds out.
    expect(alice.isHeld).toBe(false);
    expect(names()).toEqual(['lost']);
    expect(instance.tryLogin({ user: 'alice' })).toEqual({ is: 'ask' });
    loggedIn(await instance.login({ user: 'alice' }));
  });

  test('is renewed by reports, as long as they are answered', async () => {
    const { instance, clock } = await open(await installKey(10));
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    for (let minute = 0; minute < 5; minute += 1) {
      for (let step = 0; step < 4; step += 1) {
        clock.advance(14_000);
        await instance.report();
      }
    }
    expect(alice.isHeld).toBe(true);
  });

  test('and what was leased comes back when the instance closes', async () => {
    const key = await installKey(10);
    const a = await open(key);
    await fill(a, 7);
    expect(await a.instance.close()).toBe(true);
    const b = await open(key);
    await fill(b, 10);
  });
});

describe('a login that waits', () => {
  test('is given up by its signal, and takes nothing', async () => {
    const key = await installKey(3);
    const a = await open(key);
    await fill(a, 3);
    const reason = new Error('given up');
    const signal = AbortSignal.abort(reason);
    await expect(a.instance.login({ user: 'late' }, { signal })).rejects.toBe(reason);
    expect(a.instance.counts.users).toBe(3);
  });

  test('is refused by the limit of its own instance, in the same words as everywhere', async () => {
    const key = await installKey(10);
    const a = await open(key);
    await client.instances.configure(a.instance.name, { unitLimit: 2 }, '*');
    await a.instance.report();
    await fill(a, 2);
    const refusal = refusedBy(await a.instance.login({ user: 'late' }));
    expect(refusal).toMatchObject({ code: 'unit-limit-reached', rule: 'unit-limit', limit: 2 });
  });
});

describe('when the owner of the key chooses otherwise', () => {
  /** Changes how a key is enforced, and has the instance hear of it. */
  async function change(
    instance: LicenseInstance,
    enforcement: 'central' | 'local' | 'leased',
  ): Promise<void> {
    await client.keys.change(instance.terms.key!, { enforcement }, '*');
    await instance.report();
    await instance.report();
  }

  test('the instance follows, once nobody holds anything by the old way', async () => {
    const { instance, names } = await open(await installKey(5));
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    await expect(change(instance, 'central')).rejects.toMatchObject({ status: 409 });
    expect(alice.isHeld).toBe(true);
    await instance.close();
    await client.keys.change(instance.terms.key!, { enforcement: 'central' }, '*');
    const { instance: next } = await open(instance.terms.key!);
    const bob = loggedIn(await next.login({ user: 'bob' }));
    expect(next.tryLogin({ user: 'carol' })).toEqual({ is: 'ask' });
    await change(next, 'leased');
    loggedIn(await next.login({ user: 'carol' }));
    expect(bob.isHeld).toBe(true);
    expect(names()).toEqual([]);
  });

  test('who came in by himself under a local key is lost under a leased one', async () => {
    const key = await installKey(5);
    await client.keys.change(key, { enforcement: 'local' }, '*');
    const { instance, told } = await open(key);
    const alice = loggedIn(instance.tryLogin({ user: 'alice' }));
    await change(instance, 'leased');
    expect(alice.isHeld).toBe(false);
    expect(told.filter(([name]) => name === 'lost')).toEqual([['lost', 'enforcement-changed', 1]]);
    loggedIn(await instance.login({ user: 'alice' }));
  });
});
