import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { LicenseKey } from '../../src/domain/keys/keys.ts';
import { type LoginsApp, startLogins } from '../support/logins.ts';
import { makeKey } from '../support/make.ts';

let app: LoginsApp;
beforeAll(async () => {
  app = await startLogins({ revoked: new Set(['revoked-1']) });
});
afterAll(() => app.started.close());

/** Installs a key that no file could give, on an instance of its own. */
async function withKey(fields: Parameters<typeof makeKey>[0]): Promise<string> {
  const key = makeKey(fields);
  await app.started.ask({ op: 'install-key', key, file: null, actor: 'tester' });
  return app.registered({}, key.id);
}

describe('POST /v1/logins repeated (R-7)', () => {
  test('201, then 200 with the same body, whatever happened meanwhile', async () => {
    const body = { instance: await app.registered(), id: randomUUID(), user: 'rita', leaseSeconds: 600 };
    const first = await app.post(body);
    await app.logIn({ instance: body.instance, user: 'rita' });
    const again = await app.post(body);
    expect([first.statusCode, again.statusCode]).toEqual([201, 200]);
    expect(again.json()).toEqual(first.json());
  });

  test('twenty at once are one login', async () => {
    const body = { instance: await app.registered(), id: randomUUID(), user: 'rolf' };
    const all = await Promise.all(Array.from({ length: 20 }, () => app.post(body)));
    expect(all.map(({ statusCode }) => statusCode).sort()).toEqual([...Array(19).fill(200), 201]);
    expect(new Set(all.map(({ body: text }) => text)).size).toBe(1);
  });

  test('the ID is the same in capitals, and is told in app.small letters', async () => {
    const id = 'ABCDEF00-1234-4ABC-8DEF-00000000ABCD';
    const instance = await app.registered();
    expect((await app.logIn({ instance, id, user: 'u' })).id).toBe(id.toLowerCase());
    expect((await app.post({ instance, id: id.toLowerCase(), user: 'u' })).statusCode).toBe(200);
    for (const text of [id, id.toLowerCase()]) {
      expect((await app.started.call(`GET /v1/logins/${text}`)).json().held).toBe(true);
    }
    expect((await app.started.call(`DELETE /v1/logins/${id}`)).statusCode).toBe(204);
    expect((await app.started.call(`GET /v1/logins/${id.toLowerCase()}`)).json().held).toBe(false);
  });

  test('409 id-reused with another body, and nothing changes', async () => {
    const body = { instance: await app.registered(), id: randomUUID(), user: 'rosa' };
    await app.logIn(body);
    for (const other of [
      { user: 'ruth' },
      { leaseSeconds: 60 },
      { username: 'rosa' },
      { process: { pid: 1 } },
    ]) {
      const response = await app.post({ ...body, ...other });
      expect([response.statusCode, response.json().code]).toEqual([409, 'id-reused']);
    }
    expect((await app.started.call(`GET /v1/logins/${body.id}`)).json().userId).toBe('rosa');
  });

  test('the same ID on another instance is another login', async () => {
    const id = randomUUID();
    for (const instance of [await app.registered(), await app.registered()])
      await app.logIn({ instance, id, user: 'u' });
  });

  test('409 login-released after a logout: why and when', async () => {
    const body = { instance: await app.registered(), id: randomUUID(), user: 'rosa' };
    await app.logIn(body);
    await app.started.call(`DELETE /v1/logins/${body.id}`);
    const response = await app.post(body);
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'login-released', reason: 'logout' });
    expect(Date.now() - Date.parse(response.json().releasedAt)).toBeLessThan(60_000);
  });

  test('409 login-released when the logout came first: it is forestalled', async () => {
    const body = { instance: await app.registered(), id: randomUUID(), user: 'late' };
    const early = await app.started.call(`DELETE /v1/logins/${body.id}?instance=${body.instance}`);
    expect(early.statusCode).toBe(204);
    const response = await app.post(body);
    expect([response.statusCode, response.json().code]).toEqual([409, 'login-released']);
    expect(app.started.lane.table.places.get(body.instance)?.logins.size).toBe(0);
  });

  test('refusals are decided afresh', async () => {
    const instance = await app.registered({}, await app.keyOfOneUnit());
    const first = await app.logIn({ instance, user: 'alice' });
    const body = { instance, id: randomUUID(), user: 'bob' };
    expect((await app.post(body)).statusCode).toBe(409);
    await app.started.call(`DELETE /v1/logins/${first.id}`);
    expect((await app.post(body)).statusCode).toBe(201);
  });
});

describe('POST /v1/logins refused: 409 with its figures and its decision in the journal (R-5)', () => {
  async function refused(body: object) {
    const response = await app.post(body);
    expect([response.statusCode, response.body]).toEqual([409, expect.any(String)]);
    const problem = response.json();
    expect(problem.type).toBe(`/problems/${problem.code}`);
    const entry = await app.started.call(`GET /v1/journal/${problem.decision}`);
    expect([entry.statusCode, entry.body]).toEqual([200, expect.stringContaining(problem.code)]);
    const { code, rule, limit, inUse, requested, retryAfterSeconds } = problem;
    return { code, rule, limit, inUse, requested, retryAfterSeconds, detail: problem.detail as string };
  }

  test('units-exhausted', async () => {
    const instance = await app.registered({}, await app.keyOfOneUnit());
    await app.logIn({ instance, user: 'alice' });
    expect(await refused({ instance, user: 'bob' })).toMatchObject({
      code: 'units-exhausted',
      rule: 'enforced-units',
      limit: 1,
      inUse: 1,
      requested: 1,
      retryAfterSeconds: 10,
    });
  });

  test('units-exhausted by the transition of a user who is in (F-32)', async () => {
    const instance = await app.registered({}, app.small);
    for (let time = 0; time < 2; time += 1) await app.logIn({ instance, user: 'tina' });
    expect(await refused({ instance, user: 'tina' })).toMatchObject({
      rule: 'transition',
      limit: 2,
      inUse: 1,
      requested: 2,
      detail: expect.stringContaining('Connection 3 of user "tina"'),
    });
  });

  test('unit-limit-reached, while the key has more', async () => {
    const instance = await app.registered({ unitLimit: 1 });
    await app.logIn({ instance, user: 'alice' });
    expect(await refused({ instance, user: 'bob' })).toMatchObject({
      code: 'unit-limit-reached',
      rule: 'unit-limit',
      limit: 1,
      inUse: 1,
      requested: 1,
    });
  });

  test('connection-limit-reached, for that user alone', async () => {
    const instance = await app.registered({ connectionLimit: 1 });
    await app.logIn({ instance, user: 'cora' });
    expect(await refused({ instance, user: 'cora' })).toMatchObject({
      code: 'connection-limit-reached',
      rule: 'connection-limit',
      limit: 1,
      inUse: 1,
      requested: 1,
      detail: expect.stringContaining('"cora"'),
    });
    await app.logIn({ instance, user: 'other' });
  });

  test.each([
    ['key-expired', 'key-expiry', { id: 'expired-1', validThroughMs: Date.now() - 86_400_000 }],
    ['key-not-yet-valid', 'key-start', { id: 'early-1', validFromMs: Date.now() + 86_400_000 }],
    ['key-untrusted', 'key-trust', { id: 'revoked-1' }],
  ])('%s once somebody is in', async (code, rule, fields: Partial<LicenseKey>) => {
    const day = new Date(fields.validThroughMs ?? fields.validFromMs ?? 0).toISOString().slice(0, 10);
    const instance = await withKey({ ...fields, expirationDate: day, notBeforeDate: day });
    await app.logIn({ instance, user: 'admin' });
    expect(await refused({ instance, user: 'bob' })).toMatchObject({ code, rule, limit: 1, inUse: 1 });
  });

  test('key-missing once somebody is in (F-24)', async () => {
    const instance = await app.registered({}, null);
    await app.logIn({ instance, user: 'admin' });
    expect(await refused({ instance, user: 'bob' })).toMatchObject({
      code: 'key-missing',
      rule: 'default-licence',
      limit: 1,
      inUse: 1,
      requested: 1,
    });
  });

  test('emergency-taken names who has it', async () => {
    const instance = await app.registered();
    const { id } = await app.logIn({ instance, emergency: true });
    expect(await refused({ instance, emergency: true })).toMatchObject({
      code: 'emergency-taken',
      rule: 'emergency',
      limit: 1,
      inUse: 1,
      detail: expect.stringContaining(id),
    });
  });

  test('instance-silent after it was reaped', async () => {
    const name = await app.registered();
    await app.started.ask({
      op: 'reap-instance',
      name,
      incarnation: 1,
      observedMs: Number.MAX_SAFE_INTEGER,
      actor: 'lictor',
    });
    expect(await refused({ instance: name, user: 'u' })).toMatchObject({
      code: 'instance-silent',
      rule: 'instance-alive',
      requested: 1,
      detail: expect.stringContaining('Register it again'),
    });
  });

  test('parent-not-found', async () => {
    const parent = randomUUID();
    expect(await refused({ instance: await app.registered(), parent })).toMatchObject({
      code: 'parent-not-found',
      rule: 'parent',
      detail: expect.stringContaining(parent),
    });
  });
});
