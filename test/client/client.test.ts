/** The typed calls against a real Lictor over real HTTP. */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiError, type Client, createClient, each, type Login } from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { until } from '../support/wait.ts';

let started: StartedApp;
let url: string;
let client: Client;
let key: string;

beforeAll(async () => {
  started = await startApp();
  url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
  key = (await started.installKey({ AuthorizedUnits: 3 })).id;
  await client.instances.register('app-a', { key });
});
afterAll(async () => {
  client?.close();
  await started?.close();
});

/** The error that a call rejects with. */
async function failureOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe('instances', () => {
  test('register with an ID of their own, so that a repetition is a retry (R-10)', async () => {
    const first = await client.instances.register('app-b', { key, product: 'shop' });
    expect(first).toMatchObject({ name: 'app-b', key, incarnation: 1, outcome: 'new', product: 'shop' });
    expect(first.registrationId).toMatch(/^[0-9a-f-]{36}$/);
    const body = { key, product: 'shop', registrationId: first.registrationId! };
    expect(await client.instances.register('app-b', body)).toMatchObject({
      incarnation: 1,
      outcome: 'retry',
    });
    expect(await client.instances.register('app-b', { key })).toMatchObject({
      incarnation: 2,
      outcome: 'restart',
    });
  });

  test('go on with the incarnation they hold, without a new ID', async () => {
    const { incarnation, registrationId } = await client.instances.register('app-c', { key });
    const again = await client.instances.register('app-c', { key, incarnation, version: '2' });
    expect(again).toMatchObject({ incarnation, registrationId, outcome: 'changed', version: '2' });
  });

  test('give signs of life, are configured on a revision, read, listed and removed', async () => {
    const { incarnation } = await client.instances.register('app-d', { key });
    expect(await client.instances.heartbeat('app-d', { incarnation })).toMatchObject({ status: 'alive' });
    const { revision } = await client.instances.read('app-d');
    const changed = await client.instances.configure('app-d', { unitLimit: 2 }, revision);
    expect(changed.settings).toMatchObject({ unitLimit: 2 });
    const stale = await failureOf(client.instances.configure('app-d', { unitLimit: 3 }, revision));
    expect([stale.code, stale.status, stale.isRefusal]).toEqual(['precondition-failed', 412, false]);
    await client.instances.configure('app-d', { unitLimit: 3 }, '*');
    expect(await client.instances.remove('app-d')).toBeUndefined();
    expect((await failureOf(client.instances.read('app-d'))).code).toBe('instance-not-found');
    expect(await client.instances.feature('app-a', 'reports')).toMatchObject({ feature: 'reports' });
  });

  test('an old incarnation is told which one is registered now (R-10)', async () => {
    await client.instances.register('app-e', { key });
    await client.instances.register('app-e', { key });
    const error = await failureOf(client.instances.heartbeat('app-e', { incarnation: 1 }));
    expect(error).toMatchObject({ code: 'incarnation-old', problem: { incarnation: 2 } });
    expect(error.requestId).toMatch(/^[\w-]{8,}$/);
  });
});

describe('logins', () => {
  test('come in, are read, identified, renewed and go', async () => {
    const login: Login = await client.logins.create({ instance: 'app-a', user: 'ann', leaseSeconds: 60 });
    expect(login).toMatchObject({ instance: 'app-a', userId: 'ann', units: 1, connections: 1 });
    expect(await client.logins.heartbeat(login.id, { instance: 'app-a' })).toMatchObject({
      status: 'renewed',
    });
    const identified = await client.logins.identify(login.id, { user: 'bea' }, { instance: 'app-a' });
    expect(identified.userId).toBe('bea');
    expect(await client.logins.read(login.id)).toMatchObject({ held: true, userId: 'bea' });
    await client.logins.remove(login.id, { instance: 'app-a', pages: 3 });
    expect(await client.logins.read(login.id, { instance: 'app-a' })).toMatchObject({ held: false });
  });

  test('with an ID of the caller give the same answer again (R-7)', async () => {
    const id = randomUUID();
    const body = { instance: 'app-a', user: 'cai', id };
    const first = await client.logins.create(body);
    expect(await client.logins.create(body)).toEqual(first);
    await client.logins.remove(id, { instance: 'app-a' });
  });

  test('a refusal is thrown with its figures, or is a verdict', async () => {
    const held = await Promise.all(
      ['r1', 'r2', 'r3'].map((user) => client.logins.create({ instance: 'app-a', user })),
    );
    const body = { instance: 'app-a', user: 'r4' };
    const error = await failureOf(client.logins.create(body));
    expect(error).toMatchObject({ code: 'units-exhausted', status: 409, isRefusal: true });
    expect(error.problem).toMatchObject({ limit: 3, inUse: 3, requested: 1, decision: expect.any(String) });
    const verdict = await client.tryLogin(body);
    expect(verdict).toMatchObject({ granted: false, refusal: { code: 'units-exhausted' } });
    expect(await client.logins.explain(body)).toMatchObject({ verdict: 'refused', code: 'units-exhausted' });
    await client.logins.remove(held[0]!.id, { instance: 'app-a' });
    const granted = await client.tryLogin(body);
    expect(granted).toMatchObject({ granted: true, login: { userId: 'r4' } });
    const unknown = await failureOf(client.tryLogin({ instance: 'nobody', user: 'r5' }));
    expect([unknown.code, unknown.isRefusal]).toEqual(['instance-not-found', false]);
    await client.releases.create({ instance: 'app-a', reason: 'end of the test' });
  });

  test('many go in one request, each with a verdict of its own', async () => {
    const { verdicts } = await client.logins.batch({
      operations: ['b1', 'b2', 'b3', 'b4'].map((user) => ({
        do: 'login',
        login: { instance: 'app-a', user },
      })),
    });
    expect(verdicts.map(({ status }) => status)).toEqual([201, 201, 201, 409]);
    expect(verdicts[3]?.problem?.code).toBe('units-exhausted');
    const logouts = verdicts
      .slice(0, 3)
      .map(({ login }) => ({ do: 'logout' as const, instance: 'app-a', id: login!.id }));
    const gone = await client.logins.batch({ operations: logouts });
    expect(gone.verdicts.map(({ status }) => status)).toEqual([204, 204, 204]);
  });
});

describe('lists', () => {
  test('are walked to their end, page by page', async () => {
    for (const name of ['page-1', 'page-2', 'page-3', 'page-4', 'page-5'])
      await client.instances.register(name, {});
    await until(
      async () => (await client.instances.list({ limit: 500 })).items.some(({ name }) => name === 'page-5'),
      20_000,
      'the fold shows the instances',
    );
    const whole = await client.instances.list({ limit: 500 });
    const names: string[] = [];
    for await (const instance of each(client.instances.list, { limit: 2 })) names.push(instance.name);
    expect(names).toEqual(whole.items.map(({ name }) => name));
    expect(names.length).toBeGreaterThan(5);
  });
});

describe('keys, tokens, usage, journal and the server', () => {
  test('are called by noun and verb', async () => {
    expect(await client.keys.read(key)).toMatchObject({ id: key, unitsEnforced: 3 });
    expect(await client.keys.file(key)).toContain('[ConfigFile]');
    expect((await client.usage.counts({ key })).items[0]).toMatchObject({ key });
    const token = await client.tokens.create({ name: 'shop', role: 'viewer' });
    const viewer = createClient({ url, token: token.token });
    const forbidden = await failureOf(viewer.instances.remove('app-a'));
    expect([forbidden.code, forbidden.status]).toEqual(['forbidden', 403]);
    const [event] = (await viewer.journal.list({ limit: 1, order: 'newest' })).items;
    expect(event).toBeDefined();
    await client.tokens.revoke(token.id);
    expect((await failureOf(viewer.keys.list())).code).toBe('token-invalid');
    expect(await client.server.liveness()).toEqual({ status: 'live' });
    expect((await client.server.problem('units-exhausted')).status).toBe(409);
    viewer.close();
  });

  test('reports come as data and as text', async () => {
    expect(await client.usage.summary({ key })).toMatchObject({ key: expect.anything() });
    const text = await client.usage.summaryText({ key });
    expect(text).toMatch(/\n/);
    expect(() => JSON.parse(text)).toThrow();
    expect((await failureOf(client.usage.summaryText({ key: 'none' }))).code).toBe('key-not-found');
  });

  test('names are encoded, so that they stay in their part of the path', async () => {
    expect((await failureOf(client.keys.read('a/b?c#d é'))).code).toBe('key-not-found');
    await expect(client.keys.read('..')).rejects.toThrow('readKey needs the id as its first argument');
    await expect(client.keys.read(undefined as never)).rejects.toThrow(TypeError);
  });

  test('a request without a typed call is sent as it is', async () => {
    const answer = await client.request({ method: 'GET', path: '/v1/instances?limit=1' });
    expect(answer).toMatchObject({ items: [expect.objectContaining({ name: expect.any(String) })] });
    expect(await client.request({ method: 'DELETE', path: '/v1/instances/nobody' })).toBeUndefined();
  });
});
