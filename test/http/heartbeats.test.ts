import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Call, type StartedApp, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';

let started: StartedApp;
let key: string;
let other: string;
let names = 0;

beforeAll(async () => {
  const app = await startApp({ graceSeconds: 90 });
  started = underContract(app, await readContract());
  key = (await app.installKey({ OrderNumber: 5001, AuthorizedUnits: 100 })).id;
  other = (await app.installKey({ OrderNumber: 5002 })).id;
});
afterAll(async () => {
  await started.close();
});

async function registered(settings?: object): Promise<string> {
  names += 1;
  const name = `app-${names}`;
  expect((await started.register(name, key, settings ? { settings } : {})).statusCode).toBe(201);
  return name;
}

/** Takes a login or an instance back as the leader does, whatever its deadline. */
const FAR_FUTURE = { observedMs: Number.MAX_SAFE_INTEGER, actor: 'lictor' } as const;

describe('POST /v1/logins/{id}/heartbeat', () => {
  const beat = (id: string, options: Call = {}, query = '') =>
    started.call(`POST /v1/logins/${id}/heartbeat${query}`, options);
  const leased = (instance: string) => started.login(instance, 'lea', { leaseSeconds: 30 });

  test('200 renewed, with the new end; the journal is not written for it (R-11)', async () => {
    const id = await leased(await registered());
    const { version } = started.lane.table;
    const before = Date.now();
    const response = await beat(id);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      status: 'renewed',
      expiresAt: expect.stringMatching(/Z$/),
      expiresInSeconds: 30,
      heartbeatAfterSeconds: 10,
    });
    const later = Date.parse(response.json().expiresAt) - before;
    expect(later).toBeGreaterThan(25_000);
    expect(later).toBeLessThan(35_000);
    expect(started.lane.table.version).toBe(version);
  });

  test('200: the ID in capitals is the same', async () => {
    const id = await leased(await registered());
    expect((await beat(id.toUpperCase())).statusCode).toBe(200);
  });

  test.each([
    ['logout', async (_instance: string, id: string) => started.call(`DELETE /v1/logins/${id}`)],
    [
      'expired',
      async (instance: string, id: string) => started.ask({ op: 'reap', instance, id, ...FAR_FUTURE }),
    ],
    [
      'forced',
      async (instance: string, login: string) =>
        started.call('POST /v1/releases', { body: { instance, login, reason: 'a test' } }),
    ],
    [
      'forced',
      async (instance: string) => started.call('POST /v1/releases', { body: { instance, reason: 'a test' } }),
    ],
    [
      'forced',
      async () => started.call('POST /v1/releases', { body: { key, user: 'lea', reason: 'a test' } }),
    ],
    ['deregistered', async (instance: string) => started.call(`DELETE /v1/instances/${instance}`)],
  ])('409 login-lost and why: %s (%#)', async (reason, end) => {
    const instance = await registered();
    const id = await leased(instance);
    expect((await beat(id)).statusCode).toBe(200);
    await end(instance, id);
    const response = await beat(id);
    expect([response.statusCode, response.json().code]).toEqual([409, 'login-lost']);
    expect(response.json()).toMatchObject({ lost: reason, detail: expect.stringContaining('Log in again') });
  });

  test('200: a leased login outlives a restart of its instance (R-10)', async () => {
    const instance = await registered();
    const id = await leased(instance);
    const restart = await started.register(instance, key);
    expect(restart.json()).toMatchObject({ outcome: 'restart', incarnation: 2 });
    expect((await beat(id)).statusCode).toBe(200);
  });

  test('409 login-lost for an ID that nothing is known of', async () => {
    const instance = await registered();
    for (const query of ['', `?instance=${instance}`, '?instance=nowhere']) {
      const response = await beat(randomUUID(), {}, query);
      expect([response.statusCode, response.json().lost]).toEqual([409, 'unknown']);
    }
  });

  test('409 login-not-renewable for a login without a lease', async () => {
    const id = await started.login(await registered(), 'bound');
    expect((await beat(id)).json()).toMatchObject({ status: 409, code: 'login-not-renewable' });
  });

  test('400, 401, 403 by role', async () => {
    const id = await leased(await registered());
    expect((await beat('mine')).statusCode).toBe(400);
    expect((await beat(id, {}, '?instanc=a')).statusCode).toBe(400);
    expect((await beat(id, { token: null })).statusCode).toBe(401);
    expect((await beat(id, { token: started.tokens.viewer })).statusCode).toBe(403);
  });
});

describe('POST /v1/instances/{name}/heartbeat', () => {
  const beat = (name: string, body: unknown = { incarnation: 1 }, options: Call = {}) =>
    started.call(`POST /v1/instances/${name}/heartbeat`, { body, ...options });

  test('200 alive until, and when to send the next; the journal is not written for it (R-11)', async () => {
    const name = await registered();
    const { version } = started.lane.table;
    const before = Date.now();
    const response = await beat(name);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      status: 'alive',
      aliveUntil: expect.stringMatching(/Z$/),
      heartbeatAfterSeconds: 30,
    });
    const later = Date.parse(response.json().aliveUntil) - before;
    expect(later).toBeGreaterThan(85_000);
    expect(later).toBeLessThan(95_000);
    expect(started.lane.table.version).toBe(version);
  });

  test('200: one that is not watched has no end and no next', async () => {
    expect((await beat(await registered({ graceSeconds: 0 }))).json()).toEqual({ status: 'alive' });
  });

  test('200: one that has just asked to be watched is', async () => {
    const name = await registered({ graceSeconds: 0 });
    await started.call(`PATCH /v1/instances/${name}`, {
      body: { graceSeconds: 30 },
      headers: { 'if-match': '*' },
    });
    expect((await beat(name)).json().heartbeatAfterSeconds).toBe(10);
  });

  test('409 incarnation-old after a restart, and the new one is alive (R-10)', async () => {
    const name = await registered();
    await started.register(name, key);
    const response = await beat(name);
    expect([response.statusCode, response.json().code]).toEqual([409, 'incarnation-old']);
    expect(response.json()).toMatchObject({ incarnation: 2, detail: expect.stringContaining('(2)') });
    expect((await beat(name, { incarnation: 2 })).statusCode).toBe(200);
    expect((await beat(name, { incarnation: 3 })).json().code).toBe('incarnation-old');
  });

  test('409 instance-silent after it was reaped; what was bound is lost, and registering again mends it', async () => {
    const name = await registered();
    const id = await started.login(name, 'bound');
    await started.ask({ op: 'reap-instance', name, incarnation: 1, ...FAR_FUTURE });
    const response = await beat(name);
    expect(response.json()).toMatchObject({ status: 409, code: 'instance-silent', lost: 'silent' });
    expect((await started.call(`GET /v1/logins/${id}`)).json()).toMatchObject({
      held: false,
      reason: 'silent',
    });
    expect((await started.register(name, key, { incarnation: 1 })).json().incarnation).toBe(2);
    expect((await beat(name, { incarnation: 2 })).statusCode).toBe(200);
  });

  test.each([
    [{}, '/incarnation', 'is required'],
    [{ incarnaton: 1 }, '/incarnaton', 'did you mean "incarnation"?'],
    [{ incarnation: '1' }, '/incarnation', 'must be integer'],
    [{ incarnation: 0 }, '/incarnation', 'must be >= 1'],
    [{ incarnation: 1, instance: 'a\0' }, '/instance', 'NUL'],
  ])('400 for %j', async (body, pointer, words) => {
    const response = await beat('app-1', body);
    expect([response.statusCode, response.json().errors[0]]).toEqual([
      400,
      { pointer, message: expect.stringContaining(words) },
    ]);
  });

  test('400 without a body', async () => {
    expect((await started.call('POST /v1/instances/app-1/heartbeat')).statusCode).toBe(400);
  });

  test('401, 403 by role, for a foreign instance and a foreign key', async () => {
    const name = await registered();
    const as = async (token: string | null) => (await beat(name, { incarnation: 1 }, { token })).statusCode;
    expect(await as(null)).toBe(401);
    expect(await as(started.tokens.viewer)).toBe(403);
    for (const restriction of [{ instance: 'else' }, { keys: [other] }, { keys: [] }]) {
      expect(await as(await started.token('instance', restriction))).toBe(403);
    }
    for (const restriction of [{ instance: name }, { keys: [key] }]) {
      expect(await as(await started.token('instance', restriction))).toBe(200);
    }
  });

  test('404 for one that is not registered, or not any more', async () => {
    const name = await registered();
    expect((await beat(name)).statusCode).toBe(200);
    await started.call(`DELETE /v1/instances/${name}`);
    for (const each of [name, 'nowhere']) {
      const response = await beat(each);
      expect([response.statusCode, response.json().code]).toEqual([404, 'instance-not-found']);
    }
  });

  test('413 for a body of 10 MB', async () => {
    const response = await beat('app-1', { incarnation: 1, x: 'x'.repeat(10 * 1_048_576) });
    expect(response.statusCode).toBe(413);
  });
});

describe('the coordination store', () => {
  test('is asked once for many that are forgotten, and by a former life of an instance no more', async () => {
    const instance = await registered();
    const ids = [];
    for (let index = 0; index < 5; index += 1) {
      ids.push(await started.login(instance, `u${index}`, { leaseSeconds: 60 }));
    }
    await started.register(instance, key);
    expect((await started.call(`DELETE /v1/instances/${instance}`)).statusCode).toBe(204);
    for (const id of ids) {
      const response = await started.call(`POST /v1/logins/${id}/heartbeat?instance=${instance}`);
      expect(response.json()).toMatchObject({ code: 'login-lost', lost: 'deregistered' });
    }
  });
});

test('503 with Retry-After from a replica that is shutting down', async () => {
  const app = await startApp();
  const closing = underContract(app, await readContract());
  await app.register('a');
  await app.lane.close();
  const response = await closing.call('POST /v1/instances/a/heartbeat', { body: { incarnation: 2 } });
  expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  await app.close();
});
