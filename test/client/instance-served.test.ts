/** Instances whose key is served by LicenseID, against a real Lictor, in a time that the test moves. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Client, createClient, LicenseInstance } from '../../src/client/index.ts';
import type { Enforcement } from '../../src/client/instance-terms.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { loggedIn, type OpenedInstance, openInstance, refusedBy } from '../support/instances.ts';
import { until } from '../support/wait.ts';

const WAIT_MS = 20_000;
const REPORT_MS = 15_000;

let started: StartedApp;
let client: Client;
let count = 0;
const opened: OpenedInstance[] = [];

beforeAll(async () => {
  started = await startApp();
  client = createClient({
    url: await started.app.listen({ port: 0, host: '127.0.0.1' }),
    token: ADMIN_TOKEN,
  });
});
afterEach(async () => {
  for (const { instance } of opened.splice(0)) await instance.close();
});
afterAll(async () => {
  client?.close();
  await started?.close();
});

/** Installs a key and serves it. @returns its ID. */
async function serve(licenseId: string, units: number, enforcement?: Enforcement): Promise<string> {
  count += 1;
  const fields = { AuthorizedUnits: units, OrderNumber: 9_000 + count, LicenseID: licenseId };
  const { id } = await started.installKey(fields);
  if (enforcement !== undefined) await client.keys.change(id, { enforcement }, '*');
  await client.servedKeys.serve(licenseId, { key: id });
  return id;
}

async function open(licenseId: string): Promise<OpenedInstance> {
  count += 1;
  const instance = await openInstance({ client, name: `served-${count}`, licenseId });
  opened.push(instance);
  await instance.instance.report();
  return instance;
}

/** Lets the instance report when its time has come, and waits until it has other terms. */
async function notices({ instance, clock }: OpenedInstance, key: string): Promise<void> {
  clock.advance(REPORT_MS);
  await until(() => instance.terms.key === key, WAIT_MS, `${instance.name} notices its key`);
}

async function unitsOf(key: string): Promise<number | undefined> {
  return (await client.usage.counts()).items.find((counts) => counts.key === key)?.unitsInUse;
}

describe('an instance with a LicenseID (notes 3.4)', () => {
  test('has the key that is served, and none until then', async () => {
    const { instance, told } = await open('EMPTY');
    expect(instance.terms).toMatchObject({ key: null, limit: 1, fault: { code: 'key-missing' } });
    await until(() => told.length > 0, WAIT_MS, 'it tells');
    expect(told).toContainEqual(['notice', expect.stringContaining('No key is served')]);
    const alone = loggedIn(await instance.login({ user: 'alice' }));
    refusedBy(await instance.login({ user: 'bob' }));
    const key = await serve('EMPTY', 5);
    const answer = await instance.checkNewKey();
    expect(answer).toMatchObject({ newer: true, key, activation: { outcome: 'active' } });
    expect(instance.terms).toMatchObject({ key, limit: 5, fault: null });
    loggedIn(await instance.login({ user: 'bob' }));
    expect(await instance.logout(alone)).toBe(true);
    expect(await instance.checkNewKey()).toMatchObject({ newer: false, key });
  });

  test.each(['central', 'local', 'leased'] as const)(
    'under a %s key notices an activation at the server with its next report, and keeps its users (F-22)',
    async (enforcement) => {
      const licenseId = `followed-${enforcement}`;
      const first = await serve(licenseId, 2, enforcement);
      const one = await open(licenseId);
      const { instance } = one;
      expect(instance.terms).toMatchObject({ key: first, enforcement });
      const alice = loggedIn(await instance.login({ user: 'alice' }));
      const bob = loggedIn(await instance.login({ user: 'bob' }));
      await instance.report();
      refusedBy(await instance.login({ user: 'carol' }));
      const second = await serve(licenseId, 25);
      expect(await client.instances.checkKey(instance.name)).toMatchObject({ newer: true, key: second });
      await notices(one, second);
      expect(one.names()).not.toContain('lost');
      expect(one.told).toContainEqual([
        'terms',
        expect.objectContaining({ key: second, limit: 25, enforcement }),
        expect.objectContaining({ key: first }),
      ]);
      expect([alice.isHeld, bob.isHeld]).toEqual([true, true]);
      const others = ['carol', 'dave', 'eve'].map((user) => instance.login({ user }));
      for (const verdict of await Promise.all(others)) loggedIn(verdict);
      await instance.report();
      // Nothing is left under the former key, and nobody has to be asked for more often than before.
      expect(await unitsOf(first)).toBe(0);
      expect(await unitsOf(second)).toBeGreaterThanOrEqual(5);
      expect(instance.tryLogin({ user: 'bob' }).is).toBe(enforcement === 'central' ? 'ask' : 'granted');
      expect(await instance.logout(alice)).toBe(true);
    },
  );

  test('that names a key as well is refused before anybody is asked', async () => {
    const both = { client, name: 'both', key: 'x', licenseId: 'y' };
    await expect(LicenseInstance.open(both)).rejects.toThrow('not both');
  });
});

test('an instance that names its key itself is told that nothing is served for it (CheckNewKey returns -1)', async () => {
  count += 1;
  const { id: key } = await started.installKey({ OrderNumber: 9_000 + count });
  const one = await openInstance({ client, name: 'its-own', key });
  opened.push(one);
  const answer = await one.instance.checkNewKey();
  expect(answer).toMatchObject({ newer: false, key });
  expect(answer).not.toHaveProperty('licenseId');
});
