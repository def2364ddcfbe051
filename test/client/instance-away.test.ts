/** How long an application waits for a server that is away or was not heard, and what it learns afterwards. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Client, createClient } from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { loggedIn, type OpenedInstance, openInstance, refusedBy } from '../support/instances.ts';
import { until } from '../support/wait.ts';

const WAIT_MS = 20_000;

let started: StartedApp;
let client: Client;
/** A client whose requests get no answer while it hangs. */
let hanging: Client;
let isHung = false;
/** Requests that hang. */
let hung = 0;
const opened: OpenedInstance[] = [];

beforeAll(async () => {
  started = await startApp();
  const url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
  hanging = createClient({
    url,
    token: ADMIN_TOKEN,
    fetch: (input, init) => {
      if (!isHung) return fetch(input, init);
      hung += 1;
      return new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal!.reason), { once: true });
      });
    },
  });
});
afterEach(async () => {
  isHung = false;
  hung = 0;
  for (const { instance } of opened.splice(0)) await instance.close();
});
afterAll(async () => {
  client?.close();
  hanging?.close();
  await started?.close();
});

let keys = 0;

async function installKey(units: number, enforcement: 'central' | 'local' | 'leased'): Promise<string> {
  keys += 1;
  const { id } = await started.installKey({ AuthorizedUnits: units, OrderNumber: 7_500 + keys });
  await client.keys.change(id, { enforcement }, '*');
  return id;
}

async function open(options: Parameters<typeof openInstance>[0]): Promise<OpenedInstance> {
  const instance = await openInstance(options);
  opened.push(instance);
  return instance;
}

describe('an instance that was not heard', () => {
  test('learns what the server took back meanwhile, also when it noticed nothing of it', async () => {
    const key = await installKey(5, 'central');
    const { instance, clock, told } = await open({ client, name: 'slept', key });
    const alice = loggedIn(await instance.login({ user: 'alice' }));
    const bob = loggedIn(await instance.login({ user: 'bob' }));
    await client.releases.create({ key, user: 'alice', reason: 'a test' });
    clock.suspend(61_000);
    await instance.report();
    expect(told).toEqual([['lost', 'silent', 1]]);
    expect([alice.isHeld, bob.isHeld]).toEqual([false, true]);
  });

  test('loses with a former life what the server had decided in it (R-10)', async () => {
    const key = await installKey(5, 'central');
    const { instance, told } = await open({ client, name: 'removed', key });
    const alice = loggedIn(await instance.login({ user: 'alice' }));
    await client.instances.remove('removed');
    await instance.report();
    expect(told).toEqual([['lost', 'silent', 1]]);
    expect(alice.isHeld).toBe(false);
    expect((await client.instances.read('removed')).state).toBe('active');
    loggedIn(await instance.login({ user: 'alice' }));
  });
});

describe('while the server does not answer', () => {
  /** Reports until the instance knows that nobody answers. */
  const goOffline = async ({ instance }: OpenedInstance) => {
    isHung = true;
    const report = instance.report();
    await until(() => hung > 0, WAIT_MS, 'the report is on its way');
    hanging.close();
    await report;
  };

  test('a login that needs it is refused within the time of its caller', async () => {
    const key = await installKey(1, 'leased');
    const { instance, clock } = await open({ client: hanging, name: 'hung', key });
    loggedIn(await instance.login({ user: 'alice' }));
    isHung = true;
    const waiting = instance.login({ user: 'bob' }, { timeoutMs: 3_000 });
    await until(() => hung > 0, WAIT_MS, 'the server is asked');
    clock.advance(3_000);
    expect(refusedBy(await waiting)).toMatchObject({ code: 'server-unreachable', rule: 'offline' });
    expect(clock.waiting).toBeLessThanOrEqual(2);
  });

  test('closing gives the server five seconds, and no more', async () => {
    const key = await installKey(5, 'local');
    const { instance, clock } = await openInstance({ client: hanging, name: 'hung-close', key });
    loggedIn(instance.tryLogin({ user: 'alice' }));
    isHung = true;
    const closing = instance.close();
    await until(() => hung === 1, WAIT_MS, 'the last report is on its way');
    clock.advance(5_000);
    expect(await closing).toBe(false);
    expect(clock.waiting).toBe(0);
  });

  test('an instance that knows local terms is open in a few seconds (F-13)', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lictor-away-'));
    try {
      const key = await installKey(5, 'local');
      const options = { name: 'hung-start', key, stateFile: path.join(folder, 'state.json') };
      await (await openInstance({ client: hanging, ...options })).instance.close();
      isHung = true;
      const fromMs = performance.now();
      const { instance } = await open({ client: hanging, ...options });
      expect(performance.now() - fromMs).toBeLessThan(12_000);
      expect(instance.isOnline).toBe(false);
      loggedIn(instance.tryLogin({ user: 'alice' }));
    } finally {
      isHung = false;
      for (const { instance } of opened.splice(0)) await instance.close();
      await rm(folder, { recursive: true });
    }
  });

  // The last one, because it ends the client.
  test('whoever asks for a login when that is known waits for a second', async () => {
    const key = await installKey(1, 'leased');
    const leased = await open({ client: hanging, name: 'away-leased', key });
    loggedIn(await leased.instance.login({ user: 'alice' }));
    await goOffline(leased);
    expect(leased.instance.isOnline).toBe(false);
    const waiting = leased.instance.login({ user: 'bob' });
    leased.clock.advance(1_000);
    expect(refusedBy(await waiting).detail).toContain('nothing that it leased to "away-leased" is left');
  });
});
