import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { REQUEST_HOLD_MS } from '../../src/domain/logins.ts';
import { type LoginsApp, startLogins } from '../support/logins.ts';

let app: LoginsApp;
beforeAll(async () => {
  app = await startLogins();
});
afterAll(() => app.started.close());

/** Sends from an address, as `call` cannot. */
async function logInFrom(remoteAddress: string, body: object, headers: Record<string, string> = {}) {
  const authorization = `Bearer ${app.started.tokens.administrator}`;
  const response = await app.started.app.inject({
    method: 'POST',
    url: '/v1/logins',
    remoteAddress,
    headers: { authorization, ...headers },
    payload: body,
  });
  expect(response.statusCode).toBe(201);
  return response.json();
}

describe('POST /v1/logins', () => {
  describe('201', () => {
    test('the whole answer of a first login, and its decision stands in the journal (F-30)', async () => {
      const instance = await app.registered();
      const id = randomUUID();
      const response = await app.post({ instance, id, user: 'alice' });
      expect(response.statusCode).toBe(201);
      expect(response.json()).toEqual({
        id,
        instance,
        key: app.multi,
        userId: 'alice',
        kind: 'user',
        phase: 'active',
        connections: 1,
        units: expect.any(Number),
        unitsAdded: 1,
        transitioned: false,
        decision: expect.stringMatching(/^0:\d+:\d+$/),
        at: expect.stringMatching(/Z$/),
      });
      const { decision } = response.json();
      const entry = await app.started.call(`GET /v1/journal/${decision}`);
      expect([entry.statusCode, entry.body]).toEqual([200, expect.stringContaining(id)]);
    });

    test('without an ID the server makes one, another each time', async () => {
      const instance = await app.registered();
      const ids: string[] = [];
      for (let time = 0; time < 2; time += 1) ids.push((await app.logIn({ instance, user: 'eve' })).id);
      expect(new Set(ids).size).toBe(2);
      for (const id of ids)
        expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    });

    test('one user shares a unit up to the connections of one, then costs one each (F-31, F-32)', async () => {
      const instance = await app.registered();
      const costs = [];
      for (let time = 0; time < 4; time += 1) {
        const { connections, units, unitsAdded, transitioned } = await app.logIn({ instance, user: 'dora' });
        costs.push([connections, units, unitsAdded, transitioned]);
      }
      expect(costs).toEqual([
        [1, 1, 1, false],
        [2, 1, 0, false],
        [3, 3, 2, true],
        [4, 4, 1, true],
      ]);
    });

    test('a lease is told as instant and duration, with the time of the next heartbeat (R-14)', async () => {
      const login = await app.logIn({ instance: await app.registered(), user: 'f', leaseSeconds: 60 });
      expect(login).toMatchObject({ expiresInSeconds: 60, heartbeatAfterSeconds: 20 });
      expect(Date.parse(login.expiresAt) - Date.parse(login.at)).toBe(60_000);
    });

    test('a sessionless request is a user by itself for ten seconds, also when it logs out before', async () => {
      const instance = await app.registered({}, await app.keyOfOneUnit());
      const login = await app.logIn({ instance, sessionless: true });
      expect(login).toMatchObject({ kind: 'request', userId: `request:${login.id}`, phase: 'active' });
      expect(Date.parse(login.endsAt) - Date.parse(login.at)).toBe(REQUEST_HOLD_MS);
      expect((await app.started.call(`DELETE /v1/logins/${login.id}`)).statusCode).toBe(204);
      const refused = await app.post({ instance, user: 'next' });
      expect(refused.json()).toMatchObject({ code: 'units-exhausted', limit: 1, inUse: 1 });
      expect(refused.json().retryAfterSeconds).toBeLessThanOrEqual(10);
    });

    test('system and server processes are nobody and cost nothing (F-64)', async () => {
      const instance = await app.registered();
      for (const kind of ['system', 'server']) {
        const login = await app.logIn({ instance, user: 'x', process: { pid: 1, kind } });
        expect(login).toMatchObject({ kind, userId: null, units: 0, unitsAdded: 0 });
      }
    });

    test('with deferred identification a process waits for its user, slowed down (F-43, F-44)', async () => {
      const instance = await app.registered({ deferredIdentification: true, throttleProfile: 'caché5' });
      const login = await app.logIn({ instance, process: { pid: 4711 } });
      expect(login).toMatchObject({
        phase: 'pending',
        userId: null,
        unitsAdded: 0,
        throttle: {
          profile: 'caché5',
          per: 'lines',
          firstPauseAfter: 1000,
          thenPauseEvery: 1000,
          pauseSeconds: 15,
        },
      });
    });

    test('without a usable key one user may come in, under no key (F-24)', async () => {
      const login = await app.logIn({ instance: await app.registered({}, null), user: 'admin' });
      expect(login).toMatchObject({ key: null, unitsAdded: 1 });
    });

    test('the emergency login is outside the pool (F-23)', async () => {
      const instance = await app.registered({}, await app.keyOfOneUnit());
      await app.logIn({ instance, user: 'alice' });
      expect(await app.logIn({ instance, emergency: true })).toMatchObject({
        kind: 'emergency',
        userId: null,
        unitsAdded: 0,
      });
    });
  });

  describe('who the user is', () => {
    test.each([
      ['an explicit ID, its | replaced', { user: 'a|b' }, 'a/b'],
      ['an explicit ID before everything else', { user: 'ann', username: 'u', webSession: 's' }, 'ann'],
      ['a terminal server and port (F-42)', { terminal: { server: 'ts1', port: 'p3' } }, 'ts1/p3'],
      ['a web session (F-46)', { webSession: 'session-1' }, 'session-1'],
      ['the start-up code (F-47)', { process: { kind: 'startup' } }, 'User Startup'],
      ['an IPv4 address (F-41)', { clientAddress: '192.0.2.7' }, '192.0.2.7'],
      ['an IPv4 address within IPv6', { clientAddress: '::ffff:192.0.2.7' }, '192.0.2.7'],
      ['the same in hexadecimal', { clientAddress: '::FFFF:C000:0207' }, '192.0.2.7'],
      ['an IPv6 address in its one form', { clientAddress: '2001:DB8:0:0:0:0:0:1' }, '2001:db8::1'],
      ['a user name, where it is not the ID', { username: 'ann', clientAddress: '192.0.2.8' }, '192.0.2.8'],
    ])('%s', async (_name, claims, userId) => {
      expect((await app.logIn({ instance: await app.registered(), ...claims })).userId).toBe(userId);
    });

    test('a batch process is its process ID, on its instance only (F-42)', async () => {
      const instance = await app.registered();
      const login = await app.logIn({ instance, process: { pid: 4711, kind: 'batch' } });
      expect(login).toMatchObject({ kind: 'batch', userId: `4711@${instance}` });
    });

    test('the user name where the instance licenses by user name (F-45)', async () => {
      const instance = await app.registered({ usernameLicensing: true });
      const login = await app.logIn({ instance, username: 'ann', clientAddress: '192.0.2.8' });
      expect(login.userId).toBe('ann');
    });

    test('name and address where the instance counts so', async () => {
      const instance = await app.registered({ identityForm: 'name@address' });
      const login = await app.logIn({ instance, user: 'ann@lab', clientAddress: '2001:DB8::1' });
      expect(login.userId).toBe('ann@2001:db8::1');
    });

    test('a child is the user of its parent, also of one that has gone meanwhile (F-34)', async () => {
      const instance = await app.registered();
      const parentId = 'parent of F-34';
      const { id: parent } = await app.logIn({ instance, user: parentId });
      const child = {
        instance,
        parent: parent.toUpperCase(),
        process: { pid: 2 },
        clientAddress: '192.0.2.9',
      };
      expect(await app.logIn(child)).toMatchObject({ userId: parentId, connections: 2, unitsAdded: 0 });
      await app.started.call(`DELETE /v1/logins/${parent}`);
      expect(await app.logIn(child)).toMatchObject({ userId: parentId, connections: 2 });
    });

    test('without anything else the address of the connection', async () => {
      const instance = await app.registered();
      expect((await logInFrom('::ffff:198.51.100.1', { instance })).userId).toBe('198.51.100.1');
    });

    test('X-Forwarded-For is believed from trusted proxies only, hop by hop (trap 24)', async () => {
      const instance = await app.registered({ trustedProxies: ['198.51.100.0/24', '203.0.113.9'] });
      const from = async (peer: string, forwarded: string) =>
        (await logInFrom(peer, { instance }, { 'x-forwarded-for': forwarded })).userId;
      expect(await from('198.51.100.1', '192.0.2.1')).toBe('192.0.2.1');
      expect(await from('::ffff:198.51.100.1', '192.0.2.1, 203.0.113.9')).toBe('192.0.2.1');
      expect(await from('198.51.100.1', '10.0.0.1, 192.0.2.1, 203.0.113.9')).toBe('192.0.2.1');
      expect(await from('198.51.100.1', '::ffff:192.0.2.1')).toBe('192.0.2.1');
      expect(await from('198.51.100.1', 'unknown')).toBe('198.51.100.1');
      expect(await from('192.0.2.66', '192.0.2.1')).toBe('192.0.2.66');
      expect(
        (await logInFrom('192.0.2.66', { instance: await app.registered() }, { 'x-forwarded-for': '::1' }))
          .userId,
      ).toBe('192.0.2.66');
    });

    test('a stated address is not overridden by the header', async () => {
      const instance = await app.registered({ trustedProxies: ['198.51.100.1'] });
      const body = { instance, clientAddress: '192.0.2.5' };
      const login = await logInFrom('198.51.100.1', body, { 'x-forwarded-for': '192.0.2.1' });
      expect(login.userId).toBe('192.0.2.5');
    });
  });

  describe('400', () => {
    test.each([
      [{ usr: 'alice' }, '/usr', 'did you mean "user"?'],
      [{ leaseSecond: 60 }, '/leaseSecond', 'did you mean "leaseSeconds"?'],
      [{ user: 7 }, '/user', 'must be string'],
      [{ user: '' }, '/user', 'fewer than 1'],
      [{ user: 'x'.repeat(257) }, '/user', 'more than 256'],
      [{ user: null }, '/user', 'must be string'],
      [{ leaseSeconds: '60' }, '/leaseSeconds', 'must be integer'],
      [{ leaseSeconds: 4 }, '/leaseSeconds', 'must be >= 5'],
      [{ leaseSeconds: 86_401 }, '/leaseSeconds', 'must be <= 86400'],
      [{ id: 'mine' }, '/id', 'must match format "uuid"'],
      [{ id: `urn:uuid:${randomUUID()}` }, '/id', 'more than 36'],
      [{ parent: `urn:uuid:${randomUUID()}` }, '/parent', 'more than 36'],
      [{ clientAddress: '192.0.2' }, '/clientAddress', 'must match format'],
      [{ clientAddress: '192.0.2.010' }, '/clientAddress', 'must match format'],
      [{ terminal: { server: 'ts1' } }, '/terminal/port', 'is required'],
      [{ process: { pid: -1 } }, '/process/pid', 'must be >= 0'],
      [{ process: { pid: 1.5 } }, '/process/pid', 'must be integer'],
      [{ process: { kind: 'robot' } }, '/process/kind', 'must be one of user, batch, startup'],
      [{ sessionless: 1 }, '/sessionless', 'must be boolean'],
      [{ user: 'a\0b' }, '/user', 'NUL'],
      [{ instance: 'a\0b' }, '/instance', 'NUL'],
      [{ webSession: '\ud800' }, '/webSession', 'surrogate'],
    ])('%j', async (fields, pointer, words) => {
      const response = await app.post({ instance: 'app-1', user: 'alice', ...fields });
      expect([response.statusCode, response.json().code]).toEqual([400, 'malformed-request']);
      expect(response.json().errors[0]).toEqual({ pointer, message: expect.stringContaining(words) });
      expect(response.json().detail).toMatch(/(?:[^?]\.|"\?)$/);
    });

    test('a body without an instance, no body, and no JSON', async () => {
      expect((await app.post({ user: 'alice' })).json().errors[0].pointer).toBe('/instance');
      expect((await app.post(undefined)).statusCode).toBe(400);
      const headers = { 'content-type': 'application/json' };
      expect((await app.post('{"instance":', { headers })).statusCode).toBe(400);
    });

    test('a login is one thing only', async () => {
      const response = await app.post({
        instance: await app.registered(),
        sessionless: true,
        webSession: 's',
      });
      expect(response.statusCode).toBe(400);
      expect(response.json().detail).toContain('request and web');
    });
  });

  test('401 without a token, with a strange one, and with another scheme', async () => {
    const body = { instance: await app.registered(), user: 'u' };
    expect((await app.post(body, { token: null })).json().code).toBe('token-missing');
    expect((await app.post(body, { token: 'lictor_strange' })).json().code).toBe('token-invalid');
    const basic = await app.post(body, { token: null, headers: { authorization: 'Basic YTpi' } });
    expect(basic.statusCode).toBe(401);
  });

  test('403 by role, for a foreign instance and a foreign key, also where there is no such instance', async () => {
    const instance = await app.registered();
    const body = { instance, user: 'u' };
    expect((await app.post(body, { token: app.started.tokens.viewer })).statusCode).toBe(403);
    for (const restriction of [{ instance: 'else' }, { keys: [app.small] }, { keys: [] }]) {
      const token = await app.started.token('instance', restriction);
      for (const each of [body, { ...body, instance: 'nowhere' }]) {
        const response = await app.post(each, { token });
        expect([response.statusCode, response.json().code]).toEqual([403, 'forbidden']);
      }
    }
    expect(app.started.lane.table.places.get(instance)?.logins.size ?? 0).toBe(0);
  });

  test('201 for a token restricted to the instance, to its key, or to both', async () => {
    const instance = await app.registered();
    for (const restriction of [{ instance }, { keys: [app.multi] }, { instance, keys: [app.multi] }]) {
      await app.logIn({ instance, user: 'u' }, { token: await app.started.token('instance', restriction) });
    }
  });

  test('403: emergency logins are for administrators only (F-23)', async () => {
    const instance = await app.registered();
    const body = { instance, emergency: true };
    for (const role of ['operator', 'instance'] as const) {
      for (const restriction of [{}, { instance }]) {
        const response = await app.post(body, { token: await app.started.token(role, restriction) });
        expect([response.statusCode, response.json().detail]).toEqual([
          403,
          expect.stringContaining('logins.emergency'),
        ]);
      }
    }
    const foreign = await app.started.token('administrator', { instance: 'else' });
    expect((await app.post(body, { token: foreign })).statusCode).toBe(403);
    await app.logIn(body, { token: await app.started.token('administrator', { instance }) });
  });

  test('404 for an instance that is not registered, with what to do', async () => {
    const response = await app.post({ instance: 'no where', user: 'u' });
    expect([response.statusCode, response.json().code]).toEqual([404, 'instance-not-found']);
    expect(response.json().detail).toContain('PUT /v1/instances/no%20where');
  });

  test('413 for a body of 10 MB, with the limit', async () => {
    const response = await app.post({ instance: 'a', user: 'x'.repeat(10 * 1_048_576) });
    expect(response.statusCode).toBe(413);
    expect(response.json()).toMatchObject({ code: 'body-too-large', limit: 1_048_576 });
  });

  test('415 for another media type', async () => {
    const response = await app.post('instance=a', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(response.statusCode).toBe(415);
  });

  test.each([
    ['too long', { user: 'x'.repeat(65) }, '65 characters'],
    ['a batch process without an ID (F-42)', { process: { kind: 'batch' } }, 'process.pid'],
  ])('422 for an illegal user ID: %s', async (_name, fields, words) => {
    const response = await app.post({ instance: await app.registered(), ...fields });
    expect([response.statusCode, response.json().code]).toEqual([422, 'user-id-illegal']);
    expect(response.json().detail).toContain(words);
  });

  test('422 for nothing before the @ where the address follows it', async () => {
    const instance = await app.registered({ identityForm: 'name@address' });
    expect((await app.post({ instance, user: '@lab' })).statusCode).toBe(422);
  });
});
