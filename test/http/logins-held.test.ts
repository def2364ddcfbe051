import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WEB_GRACE_MS } from '../../src/domain/releases.ts';
import { type Call, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';
import { type LoginsApp, startLogins } from '../support/logins.ts';

let app: LoginsApp;
beforeAll(async () => {
  app = await startLogins();
});
afterAll(() => app.started.close());

describe('POST /v1/logins/explain', () => {
  const explain = (body: unknown, options: Call = {}) =>
    app.started.call('POST /v1/logins/explain', { body, ...options });

  test('200 granted or refused by which rule, and nothing changes (R-16)', async () => {
    const instance = await app.registered({}, await app.keyOfOneUnit());
    const before = app.started.lane.table.version;
    const granted = await explain({ instance, user: 'alice' });
    expect(granted.json()).toMatchObject({ verdict: 'granted', login: { userId: 'alice', unitsAdded: 1 } });
    expect(granted.json().login).not.toHaveProperty('decision');
    expect(granted.json().login).not.toHaveProperty('id');
    expect([
      app.started.lane.table.version,
      app.started.lane.table.places.get(instance)?.logins.size ?? 0,
    ]).toEqual([before, 0]);
    await app.logIn({ instance, user: 'alice' });
    const { version } = app.started.lane.table;
    const refused = (await explain({ instance, user: 'bob' })).json();
    const real = (await app.post({ instance, user: 'bob' })).json();
    expect(refused).toEqual({
      verdict: 'refused',
      code: 'units-exhausted',
      rule: 'enforced-units',
      detail: real.detail,
      limit: 1,
      inUse: 1,
      requested: 1,
      retryAfterSeconds: 10,
    });
    expect(app.started.lane.table.version).toBe(version + 1);
  });

  test('200 tells a login that is in as it was granted, with its decision', async () => {
    const body = { instance: await app.registered(), id: randomUUID(), user: 'u' };
    const login = await app.logIn(body);
    expect((await explain(body)).json()).toEqual({ verdict: 'granted', login });
  });

  test('409 id-reused and login-released as the login would', async () => {
    const body = { instance: await app.registered(), id: randomUUID(), user: 'u' };
    await app.logIn(body);
    expect((await explain({ ...body, user: 'v' })).json().code).toBe('id-reused');
    await app.started.call(`DELETE /v1/logins/${body.id}`);
    expect((await explain(body)).json().code).toBe('login-released');
  });

  test('400, 401, 403 for a foreign instance and key, 404, 422; viewers may ask', async () => {
    const body = { instance: await app.registered(), user: 'u' };
    expect((await explain({ ...body, usr: 'u' })).statusCode).toBe(400);
    expect((await explain(body, { token: null })).statusCode).toBe(401);
    for (const restriction of [{ instance: 'else' }, { keys: [app.small] }]) {
      const token = await app.started.token('viewer', restriction);
      expect((await explain(body, { token })).statusCode).toBe(403);
    }
    expect((await explain({ ...body, instance: 'nowhere' })).statusCode).toBe(404);
    expect((await explain({ ...body, user: 'x'.repeat(65) })).statusCode).toBe(422);
    expect((await explain(body, { token: app.started.tokens.viewer })).statusCode).toBe(200);
  });
});

describe('GET /v1/logins/{id}', () => {
  test('200 as it is now: held, and what its user has; then not held any more, and why', async () => {
    const instance = await app.registered();
    const login = await app.logIn({ instance, user: 'ada' });
    await app.logIn({ instance, user: 'ada' });
    const url = `GET /v1/logins/${login.id}`;
    expect((await app.started.call(url)).json()).toEqual({ ...login, held: true, userConnections: 2 });
    await app.started.call(`DELETE /v1/logins/${login.id}`);
    expect((await app.started.call(url)).json()).toMatchObject({
      held: false,
      reason: 'logout',
      userConnections: 0,
    });
  });

  test('409 login-ambiguous for an ID on two instances, until one is named', async () => {
    const id = randomUUID();
    const [first, second] = [await app.registered(), await app.registered()];
    for (const instance of [first, second]) await app.logIn({ instance, id, user: 'u' });
    const response = await app.started.call(`GET /v1/logins/${id}`);
    expect([response.statusCode, response.json().code]).toEqual([409, 'login-ambiguous']);
    expect((await app.started.call(`GET /v1/logins/${id}?instance=${second}`)).json().instance).toBe(second);
    const token = await app.started.token('viewer', { instance: first });
    expect((await app.started.call(`GET /v1/logins/${id}`, { token })).json().instance).toBe(first);
  });

  test('400, 401, 404', async () => {
    const id = randomUUID();
    expect((await app.started.call('GET /v1/logins/mine')).statusCode).toBe(400);
    expect((await app.started.call(`GET /v1/logins/${id}?instanc=a`)).statusCode).toBe(400);
    expect((await app.started.call(`GET /v1/logins/${id}`, { token: null })).statusCode).toBe(401);
    for (const url of [`GET /v1/logins/${id}`, `GET /v1/logins/${id}?instance=nowhere`]) {
      const response = await app.started.call(url);
      expect([response.statusCode, response.json().code]).toEqual([404, 'login-not-found']);
    }
  });
});

describe('DELETE /v1/logins/{id}', () => {
  test('204, also when repeated or unknown; the unit is free', async () => {
    const instance = await app.registered({}, await app.keyOfOneUnit());
    const { id } = await app.logIn({ instance, user: 'alice' });
    for (const each of [id, id, randomUUID()]) {
      const response = await app.started.call(`DELETE /v1/logins/${each}`);
      expect([response.statusCode, response.body]).toEqual([204, '']);
    }
    await app.logIn({ instance, user: 'bob' });
  });

  test('204: of a web session of one page the unit lingers in grace, of two pages it does not', async () => {
    const instance = await app.registered({}, app.small);
    await app.started.ask({
      op: 'release-user',
      pool: app.small,
      user: 'tina',
      note: 'test',
      actor: 'tester',
    });
    for (const pages of [1, 2]) {
      const { id } = await app.logIn({ instance, webSession: `session-${pages}` });
      const before = Date.now();
      expect((await app.started.call(`DELETE /v1/logins/${id}?pages=${pages}`)).statusCode).toBe(204);
      const now = (await app.started.call(`GET /v1/logins/${id}`)).json();
      expect([now.held, now.phase]).toEqual(pages === 1 ? [true, 'grace'] : [false, 'active']);
      if (pages === 1) expect(Date.parse(now.endsAt) - before).toBeGreaterThan(WEB_GRACE_MS - 5_000);
    }
    expect(app.started.lane.table.pools.get(app.small)?.units).toBe(1);
    await app.started.call(`DELETE /v1/instances/${instance}`);
  });

  test('204: a web session in grace is logged out for its client', async () => {
    const instance = await app.registered();
    const body = { instance, id: randomUUID(), webSession: 's', leaseSeconds: 60 };
    await app.logIn(body);
    await app.started.call(`DELETE /v1/logins/${body.id}?pages=1`);
    expect((await app.post(body)).json()).toMatchObject({ code: 'login-released', reason: 'logout' });
    const beat = await app.started.call(`POST /v1/logins/${body.id}/heartbeat`);
    expect(beat.json()).toMatchObject({ code: 'login-lost', lost: 'logout' });
  });

  test('400, 401, 403 for a viewer, 404 for an instance that is not registered', async () => {
    const id = randomUUID();
    const remove = (url: string, token?: string | null) =>
      app.started.call(`DELETE /v1/logins/${url}`, token === undefined ? {} : { token });
    for (const url of ['mine', `${id}?page=1`, `${id}?pages=-1`, `${id}?pages=x`, `${id}?instance=`]) {
      expect([url, (await remove(url)).statusCode]).toEqual([url, 400]);
    }
    expect((await remove(id, null)).statusCode).toBe(401);
    expect((await remove(id, app.started.tokens.viewer)).statusCode).toBe(403);
    expect((await remove(`${id}?instance=nowhere`)).json().code).toBe('instance-not-found');
  });
});

describe('POST /v1/logins/{id}/identify', () => {
  const identify = (id: string, body: unknown, options: Call = {}) =>
    app.started.call(`POST /v1/logins/${id}/identify`, { body, ...options });

  test('200 trades the unit of the former ID for one of the user (F-43, F-46)', async () => {
    const instance = await app.registered({}, await app.keyOfOneUnit());
    const { id } = await app.logIn({ instance, webSession: 'session-1' });
    const response = await identify(id, { user: 'alice' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      id,
      userId: 'alice',
      connections: 1,
      units: 1,
      unitsAdded: 0,
      held: true,
      userConnections: 1,
    });
    const again = await identify(id, { user: 'alice' });
    expect(again.json()).toMatchObject({ userId: 'alice', connections: 1, unitsAdded: 0 });
  });

  test('200 identifies a pending process, which costs a unit from then on and is not slowed down', async () => {
    const instance = await app.registered({ deferredIdentification: true });
    const { id } = await app.logIn({ instance });
    const { phase, unitsAdded, throttle } = (await identify(id, { user: 'ida' })).json();
    expect([phase, unitsAdded, throttle]).toEqual(['active', 1, undefined]);
  });

  test('409: a refused trade keeps what was held', async () => {
    const instance = await app.registered({ connectionLimit: 1 });
    await app.logIn({ instance, user: 'alice' });
    const { id } = await app.logIn({ instance, user: 'bob' });
    const response = await identify(id, { user: 'alice' });
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'connection-limit-reached', limit: 1, inUse: 1 });
    const now = (await app.started.call(`GET /v1/logins/${id}`)).json();
    expect(now).toMatchObject({ held: true, userId: 'bob', userConnections: 1 });
  });

  test('409 login-not-identifiable, login-lost', async () => {
    const instance = await app.registered();
    const { id } = await app.logIn({ instance, process: { kind: 'system' } });
    expect((await identify(id, { user: 'u' })).json().code).toBe('login-not-identifiable');
    await app.started.call(`DELETE /v1/logins/${id}`);
    expect((await identify(id, { user: 'u' })).json()).toMatchObject({ code: 'login-lost', lost: 'logout' });
    expect((await identify(randomUUID(), { user: 'u' })).json()).toMatchObject({
      status: 409,
      code: 'login-lost',
      lost: 'unknown',
    });
  });

  test('400, 401, 403, 404, 422', async () => {
    const { id } = await app.logIn({ instance: await app.registered(), user: 'u' });
    for (const body of [{}, { usr: 'x' }, { user: 5 }, { user: 'a\0' }, { user: 'u', pages: 1 }]) {
      expect((await identify(id, body)).statusCode).toBe(400);
    }
    expect((await identify(id, { user: 'v' }, { token: null })).statusCode).toBe(401);
    expect((await identify(id, { user: 'v' }, { token: app.started.tokens.viewer })).statusCode).toBe(403);
    expect((await identify(`${id}`, { user: 'x'.repeat(65) })).statusCode).toBe(422);
    const elsewhere = await app.started.call(`POST /v1/logins/${id}/identify?instance=nowhere`, {
      body: { user: 'v' },
    });
    expect([elsewhere.statusCode, elsewhere.json().code]).toEqual([404, 'instance-not-found']);
  });
});

describe('a token of another instance or key', () => {
  test.each([
    'GET /v1/logins/:id',
    'DELETE /v1/logins/:id',
    'POST /v1/logins/:id/identify',
    'POST /v1/logins/:id/heartbeat',
  ])('%s reaches no login of this one, and tells nothing of it', async (route) => {
    const instance = await app.registered();
    const { id } = await app.logIn({ instance, user: 'u', leaseSeconds: 600 });
    const foreign = await app.registered({}, app.small);
    const body = route.endsWith('identify') ? { user: 'mallory' } : undefined;
    for (const restriction of [{ instance: foreign }, { keys: [app.small] }, { keys: [] }]) {
      const token = await app.started.token('operator', restriction);
      const call = (url: string) => app.started.call(url, body === undefined ? { token } : { token, body });
      const named = await call(`${route.replace(':id', id)}?instance=${instance}`);
      expect([restriction, named.statusCode]).toEqual([restriction, 403]);
      const own = await call(route.replace(':id', id));
      const unknown = await call(route.replace(':id', randomUUID()));
      expect(own.statusCode).toBe(unknown.statusCode);
      if (own.body !== '') expect(own.json().code).toBe(unknown.json().code);
      expect(own.body).not.toContain(instance);
    }
    const now = (await app.started.call(`GET /v1/logins/${id}`)).json();
    expect(now).toMatchObject({ held: true, userId: 'u' });
  });
});

test('503 with Retry-After from a replica that is shutting down, on every route of logins', async () => {
  const other = await startApp();
  const closing = underContract(other, await readContract());
  await other.register('a');
  await other.lane.close();
  const id = randomUUID();
  for (const [request, body] of [
    ['POST /v1/logins', { instance: 'a', user: 'u' }],
    ['POST /v1/logins/explain', { instance: 'a', user: 'u' }],
    [`GET /v1/logins/${id}`, undefined],
    [`DELETE /v1/logins/${id}?instance=a`, undefined],
    [`POST /v1/logins/${id}/identify?instance=a`, { user: 'u' }],
    [`POST /v1/logins/${id}/heartbeat?instance=a`, undefined],
  ] as const) {
    const response = await closing.call(request, body === undefined ? {} : { body });
    expect([request, response.statusCode, response.headers['retry-after']]).toEqual([request, 503, '1']);
  }
  await other.close();
});
