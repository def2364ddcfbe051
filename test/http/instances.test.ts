import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';

let started: StartedApp;
let multi: string;
let other: string;
let names = 0;

/** A name that no other test of this file uses. */
function newName(): string {
  names += 1;
  return `app-${names}`;
}

beforeAll(async () => {
  started = await startApp({ graceSeconds: 90 });
  multi = (await started.installKey({ OrderNumber: 1001, Features: 'NLP', VersionTo: '2018' })).id;
  other = (await started.installKey({ OrderNumber: 1002 })).id;
});
afterAll(async () => {
  await started.close();
});

async function registered(body: object = {}, key = multi): Promise<{ name: string; etag: string }> {
  const name = newName();
  const response = await started.register(name, key, body);
  expect(response.statusCode).toBe(201);
  return { name, etag: String(response.headers.etag) };
}

describe('PUT /v1/instances/{name}', () => {
  test('201 for a new name, with its incarnation, licence, settings and interval (R-10)', async () => {
    const name = newName();
    const response = await started.register(name, multi, {
      registrationId: 'start-1',
      product: 'Example',
      version: '2018.1.4',
      settings: { usernameLicensing: true },
    });
    expect(response.statusCode).toBe(201);
    expect(response.json()).toEqual({
      enforcement: 'central',
      limit: 5,
      connectionsPerUnitMax: 25,
      nextUpdateAfterSeconds: 15,
      name,
      key: multi,
      licence: { status: 'valid', reason: expect.stringContaining(multi) },
      incarnation: 1,
      registrationId: 'start-1',
      product: 'Example',
      version: '2018.1.4',
      state: 'active',
      outcome: 'new',
      settings: {
        activationProfile: 'unlimited',
        identityForm: 'name',
        usernameLicensing: true,
        deferredIdentification: false,
        throttleProfile: 'caché',
        throttlePauseSeconds: 5,
        unitLimit: 0,
        connectionLimit: 0,
        trustedProxies: [],
        graceSeconds: 90,
      },
      heartbeatAfterSeconds: 30,
      registeredAt: expect.stringMatching(/Z$/),
      revision: expect.stringMatching(/^0:\d+:\d+$/),
    });
    expect(response.headers.etag).toBe(`"${response.json().revision}"`);
  });

  test('200: the same registration is a retry and changes nothing', async () => {
    const name = newName();
    const first = await started.register(name, multi, { registrationId: 'start-1' });
    const again = await started.register(name, multi, { registrationId: 'start-1' });
    expect(again.statusCode).toBe(200);
    expect(again.json()).toEqual({ ...first.json<object>(), outcome: 'retry' });
    const held = await started.register(name, multi, { incarnation: 1 });
    expect(held.json()).toMatchObject({ outcome: 'retry', incarnation: 1 });
  });

  test('200: without an incarnation it is a restart, which releases what was held and keeps settings', async () => {
    const { name } = await registered({ settings: { graceSeconds: 30, connectionLimit: 3 } });
    await started.login(name, 'alice');
    const response = await started.register(name, multi);
    expect(response.json()).toMatchObject({
      outcome: 'restart',
      incarnation: 2,
      settings: { graceSeconds: 30, connectionLimit: 3 },
      heartbeatAfterSeconds: 10,
    });
    expect((await started.call(`GET /v1/instances/${name}`)).json().holds.logins).toBe(0);
  });

  test('200: another key within the same life', async () => {
    const { name } = await registered();
    const response = await started.register(name, other, { incarnation: 1 });
    expect(response.json()).toMatchObject({ outcome: 'changed', incarnation: 1, key: other });
  });

  test('201 without a key: the licence says what is missing (F-24)', async () => {
    const response = await started.register(newName());
    expect(response.statusCode).toBe(201);
    expect(response.json().licence).toMatchObject({ status: 'invalid', code: 'key-missing' });
    expect(response.json()).not.toHaveProperty('key');
  });

  test('graceSeconds 0 is never reaped and asks for no sign of life', async () => {
    const response = await started.register(newName(), multi, { settings: { graceSeconds: 0 } });
    expect(response.json().settings.graceSeconds).toBe(0);
    expect(response.json()).not.toHaveProperty('heartbeatAfterSeconds');
  });

  test.each([
    [{ keys: 'x' }, '/keys'],
    [{ incarnation: 0 }, '/incarnation'],
    [{ settings: { unitlimit: 5 } }, '/settings/unitlimit'],
    [{ settings: {} }, '/settings'],
    [{ settings: { graceSeconds: 5 } }, '/settings/graceSeconds'],
    [{ settings: { graceSeconds: 86_401 } }, '/settings/graceSeconds'],
    [{ settings: { throttleProfile: 'fast' } }, '/settings/throttleProfile'],
    [{ settings: { trustedProxies: ['10.0.0.0/8', '10.0.0.0/33'] } }, '/settings/trustedProxies/1'],
    [{ settings: { trustedProxies: ['proxy.example'] } }, '/settings/trustedProxies/0'],
    [{ settings: { trustedProxies: ['10.1'] } }, '/settings/trustedProxies/0'],
  ])('400 for %j', async (body, pointer) => {
    const response = await started.register(newName(), undefined, body);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0].pointer).toBe(pointer);
  });

  test.each(['-a', 'a%20b', 'ä', 'a'.repeat(64)])('400 for the name %s', async (name) => {
    expect((await started.register(encodeURI(name))).statusCode).toBe(400);
  });

  test('401; 403 by role, for a foreign name, for a foreign key, and to take a foreign instance', async () => {
    const name = newName();
    const put = (token: string | null, key: string | undefined, at = name) =>
      started.call(`PUT /v1/instances/${at}`, { token, body: key === undefined ? {} : { key } });
    expect((await put(null, multi)).statusCode).toBe(401);
    expect((await put(started.tokens.viewer, multi)).statusCode).toBe(403);
    expect((await put(await started.token('instance', { instance: 'else' }), multi)).statusCode).toBe(403);
    const ofOther = await started.token('operator', { keys: [other] });
    expect((await put(ofOther, multi)).statusCode).toBe(403);
    expect((await put(ofOther, undefined)).statusCode).toBe(403);
    const { name: foreign } = await registered();
    expect((await put(ofOther, other, foreign)).statusCode).toBe(403);
    expect((await put(ofOther, other)).statusCode).toBe(201);
    expect((await put(await started.token('instance', { instance: name }), multi)).statusCode).toBe(200);
  });

  test('403 for limits and proxies that an instance states for itself', async () => {
    const name = newName();
    const token = await started.token('instance', { instance: name });
    const put = (settings: object) =>
      started.call(`PUT /v1/instances/${name}`, { token, body: { key: multi, settings } });
    for (const settings of [{ unitLimit: 0 }, { connectionLimit: 9 }, { trustedProxies: ['10.0.0.1'] }]) {
      expect((await put(settings)).statusCode).toBe(403);
    }
    expect((await put({ deferredIdentification: true })).statusCode).toBe(201);
  });

  test('404 for a key that is not installed', async () => {
    const response = await started.register(newName(), '1-00000000');
    expect([response.statusCode, response.json().code]).toEqual([404, 'key-not-found']);
  });

  test('409 for an old incarnation (R-10), another generation (F-7), and a shared Single key (F-3)', async () => {
    const { name } = await registered();
    await started.register(name, multi);
    const old = await started.register(name, multi, { incarnation: 1 });
    expect(old.json()).toMatchObject({ status: 409, code: 'incarnation-old', incarnation: 2 });
    const version = await started.register(newName(), multi, { version: '2019.1' });
    expect(version.json()).toMatchObject({ status: 409, code: 'key-generation-mismatch' });
    const single = await started.installKey({ OrderNumber: 1003, Server: 'Single' });
    const { name: holder } = await registered({}, single.id);
    const shared = await started.register(newName(), single.id);
    expect(shared.json()).toMatchObject({ status: 409, code: 'key-not-shareable', heldBy: holder });
  });
});

describe('GET /v1/instances', () => {
  test('200 page by page by name, by key, and only what the token may see', async () => {
    const key = (await started.installKey({ OrderNumber: 1010 })).id;
    const own = [(await registered({}, key)).name, (await registered({}, key)).name].sort();
    const first = await started.call(`GET /v1/instances?key=${key}&limit=1`);
    expect(first.statusCode).toBe(200);
    expect(first.json()).toMatchObject({
      items: [{ name: own[0], key }],
      asOf: expect.any(String),
      version: started.lane.table.version,
    });
    const second = await started.call(
      `GET /v1/instances?key=${key}&limit=1&cursor=${first.json().nextCursor}`,
    );
    expect(second.json()).toMatchObject({ items: [{ name: own[1] }] });
    expect(second.json()).not.toHaveProperty('nextCursor');
    const seen = async (restriction: object) =>
      (await started.call('GET /v1/instances', { token: await started.token('viewer', restriction) }))
        .json()
        .items.map(({ name }: { name: string }) => name);
    expect(await seen({ keys: [key] })).toEqual(own);
    expect(await seen({ instance: own[1]! })).toEqual([own[1]]);
  });

  test('400 for a misspelt parameter, 401', async () => {
    expect((await started.call('GET /v1/instances?keys=x')).statusCode).toBe(400);
    expect((await started.call('GET /v1/instances', { token: null })).statusCode).toBe(401);
  });
});

describe('GET /v1/instances/{name}', () => {
  test('200 with what it holds', async () => {
    const { name, etag } = await registered();
    await started.login(name, 'alice');
    await started.login(name, 'alice');
    await started.login(name, 'bob');
    await started.login(name, 'nobody', { claims: { kind: 'system' } });
    const response = await started.call(`GET /v1/instances/${name}`);
    expect(response.headers.etag).toBe(etag);
    expect(response.json()).toMatchObject({
      name,
      holds: { logins: 4, connections: 3, users: 2, units: 2 },
      asOf: expect.any(String),
    });
  });

  test('401, 403 for a foreign one, 404, 400', async () => {
    const { name } = await registered();
    const url = `GET /v1/instances/${name}`;
    expect((await started.call(url, { token: null })).statusCode).toBe(401);
    for (const restriction of [{ instance: 'else' }, { keys: [other] }]) {
      const token = await started.token('viewer', restriction);
      expect((await started.call(url, { token })).statusCode).toBe(403);
    }
    const missing = await started.call('GET /v1/instances/nowhere');
    expect([missing.statusCode, missing.json().code]).toEqual([404, 'instance-not-found']);
    const token = await started.token('viewer', { keys: [other] });
    expect((await started.call('GET /v1/instances/nowhere', { token })).statusCode).toBe(404);
    expect((await started.call('GET /v1/instances/-')).statusCode).toBe(400);
  });
});

describe('PATCH /v1/instances/{name}', () => {
  const patch = (name: string, body: object, ifMatch?: string, token?: string | null) =>
    started.call(`PATCH /v1/instances/${name}`, {
      body,
      ...(token === undefined ? {} : { token }),
      ...(ifMatch === undefined ? {} : { headers: { 'if-match': ifMatch } }),
    });

  test('200 with a new ETag; only what is named changes, and it is enforced', async () => {
    const { name, etag } = await registered({ settings: { graceSeconds: 45 } });
    const response = await patch(name, { unitLimit: 1, usernameLicensing: true }, etag);
    expect(response.statusCode).toBe(200);
    expect(response.json().settings).toMatchObject({
      unitLimit: 1,
      usernameLicensing: true,
      graceSeconds: 45,
    });
    expect(response.headers.etag).not.toBe(etag);
    await started.login(name, 'alice');
    await expect(started.login(name, 'bob')).rejects.toThrow('unit-limit-reached');
  });

  test('200: networks are kept in their canonical form, once each', async () => {
    const { name, etag } = await registered();
    const trustedProxies = [
      '10.1.2.3/8',
      '192.0.2.7',
      '192.0.2.7/32',
      '2001:DB8::1/32',
      '::ffff:192.0.2.0/120',
      '::1',
    ];
    const response = await patch(name, { trustedProxies }, etag);
    expect(response.json().settings.trustedProxies).toEqual([
      '10.0.0.0/8',
      '192.0.2.7/32',
      '2001:db8::/32',
      '192.0.2.0/24',
      '::1/128',
    ]);
  });

  test('412 on an old ETag, 428 without one, and nothing changes', async () => {
    const { name, etag } = await registered();
    expect((await patch(name, { unitLimit: 5 }, '"0:0:0"')).json().code).toBe('precondition-failed');
    expect((await patch(name, { unitLimit: 5 })).json()).toMatchObject({
      status: 428,
      code: 'precondition-required',
    });
    expect((await started.call(`GET /v1/instances/${name}`)).headers.etag).toBe(etag);
    expect((await patch(name, { unitLimit: 5 }, '*')).statusCode).toBe(200);
    expect((await patch(name, { unitLimit: 6 }, etag)).statusCode).toBe(412);
  });

  test('400 for misspelt, empty and impossible settings', async () => {
    const { name, etag } = await registered();
    const misspelt = await patch(name, { unitLimits: 5 }, etag);
    expect(misspelt.json().errors[0].message).toContain('did you mean "unitLimit"');
    expect((await patch(name, {}, etag)).statusCode).toBe(400);
    expect((await patch(name, { graceSeconds: 9 }, etag)).json().errors[0].pointer).toBe('/graceSeconds');
    expect((await patch(name, { unitLimit: '5' }, etag)).statusCode).toBe(400);
  });

  test('401, 403, 404', async () => {
    const { name, etag } = await registered();
    expect((await patch(name, { unitLimit: 5 }, etag, null)).statusCode).toBe(401);
    expect((await patch(name, { unitLimit: 5 }, etag, started.tokens.instance)).statusCode).toBe(403);
    const token = await started.token('operator', { keys: [other] });
    expect((await patch(name, { unitLimit: 5 }, etag, token)).statusCode).toBe(403);
    expect((await patch('nowhere', { unitLimit: 5 }, '*')).statusCode).toBe(404);
  });
});

describe('DELETE /v1/instances/{name}', () => {
  test('204, also repeated; everything it held is released', async () => {
    const { name } = await registered({}, other);
    await started.login(name, 'alice');
    expect(started.lane.table.pools.get(other)?.units).toBe(1);
    for (let time = 0; time < 2; time += 1) {
      const response = await started.call(`DELETE /v1/instances/${name}`);
      expect([response.statusCode, response.body]).toEqual([204, '']);
    }
    expect(started.lane.table.pools.get(other)?.units).toBe(0);
    expect((await started.call(`GET /v1/instances/${name}`)).statusCode).toBe(404);
  });

  test('401, 403 for a foreign one', async () => {
    const { name } = await registered();
    const url = `DELETE /v1/instances/${name}`;
    expect((await started.call(url, { token: null })).statusCode).toBe(401);
    expect((await started.call(url, { token: started.tokens.viewer })).statusCode).toBe(403);
    const token = await started.token('instance', { instance: 'else' });
    expect((await started.call(url, { token })).statusCode).toBe(403);
  });
});

describe('GET /v1/instances/{name}/features/{feature}', () => {
  test('200 by its key, for its own token (F-8)', async () => {
    const { name } = await registered();
    const token = await started.token('instance', { instance: name });
    const read = async (feature: string) =>
      (await started.call(`GET /v1/instances/${name}/features/${feature}`, { token })).json();
    expect(await read('nlp')).toMatchObject({ feature: 'NLP', number: 11, enabled: true });
    expect(await read('18')).toMatchObject({ feature: 'Sharding', enabled: false });
  });

  test('200: an instance without a key has none, and is told why', async () => {
    const name = newName();
    await started.register(name);
    const response = await started.call(`GET /v1/instances/${name}/features/NLP`);
    expect(response.json()).toMatchObject({
      enabled: false,
      reason: expect.stringContaining('without a key'),
    });
  });

  test('401, 403, 404', async () => {
    const { name } = await registered();
    const url = `GET /v1/instances/${name}/features/NLP`;
    expect((await started.call(url, { token: null })).statusCode).toBe(401);
    const token = await started.token('instance', { instance: 'else' });
    expect((await started.call(url, { token })).statusCode).toBe(403);
    expect((await started.call('GET /v1/instances/nowhere/features/NLP')).statusCode).toBe(404);
  });
});
