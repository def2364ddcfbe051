import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';

let started: StartedApp;
let key: string;
let names = 0;

const BESTLAB = readFileSync(new URL('../fixtures/applications-bestlab.ini', import.meta.url), 'utf8');
const BAD = readFileSync(new URL('../fixtures/applications-bad.ini', import.meta.url), 'utf8');
const LAB = { entries: { 'Lab Users': 2, Robots: '1', 'Concurrent Users': '3', Mode: 'Night' } };
const SECTIONS = '\n[ISC.Care]\nBeds=1\nServers=2\n\n[Own.Care]\nBeds=4\n';

beforeAll(async () => {
  started = underContract(await startApp(), await readContract());
  ({ id: key } = await started.installKey({ OrderNumber: 9_001, AuthorizedUnits: 50 }, SECTIONS));
});
afterAll(async () => {
  await started.close();
});

/** A registered instance of its own. */
async function instance(withKey = key): Promise<string> {
  names += 1;
  const name = `app-${names}`;
  expect((await started.register(name, withKey)).statusCode).toBe(201);
  return name;
}

/** An instance with [Lab] loaded, and what to call it by. */
async function lab() {
  const name = await instance();
  const at = `/v1/instances/${name}/applications`;
  expect((await started.call(`PUT ${at}/Lab`, { body: LAB })).statusCode).toBe(201);
  const call = (what: 'take' | 'return' | 'explain', body: object, token?: string) =>
    started.call(`POST ${at}/${what}`, { body, ...(token === undefined ? {} : { token }) });
  const login = (user: string) => started.login(name, user);
  return { name, at, call, login };
}

const one = (feature?: string, application = 'Lab') => [
  { application, ...(feature === undefined ? {} : { feature }) },
];

describe('PUT /v1/instances/{name}/applications/{application}', () => {
  test('201 for a new section, 200 for the same and for another content, with its ETag', async () => {
    const { at } = await lab();
    const read = await started.call(`GET ${at}/Lab`);
    expect(read.json()).toMatchObject({
      name: 'Lab',
      kind: 'loaded',
      signature: 'unsigned',
      loadedBy: expect.stringContaining('administrator'),
      features: [
        {
          feature: 'Lab Users',
          value: '2',
          counted: true,
          units: 2,
          used: 0,
          free: 2,
          maxUsed: 0,
          minimum: 2,
        },
        { feature: 'Robots', units: 1 },
        { feature: 'Concurrent Users', units: 3 },
        { feature: 'Mode', value: 'Night', counted: false },
      ],
    });
    const same = await started.call(`PUT ${at}/Lab`, { body: LAB });
    expect([same.statusCode, same.json().outcome]).toEqual([200, 'present']);
    expect(same.headers.etag).toBe(read.headers.etag);
    const other = await started.call(`PUT ${at}/Lab`, { body: { entries: { 'Lab Users': 1 } } });
    expect([other.statusCode, other.json().outcome]).toEqual([200, 'replaced']);
    expect(other.headers.etag).not.toBe(read.headers.etag);
  });

  test('loads one section of a file, whatever else is in it', async () => {
    const { at } = await lab();
    const loaded = await started.call(`PUT ${at}/BestLabApplication`, {
      body: { file: `${BESTLAB}\n[Other]\nA=1\n` },
    });
    expect(loaded.json()).toMatchObject({
      outcome: 'loaded',
      entries: [{ keyword: 'Lab Users', value: '50' }, {}, {}, { keyword: 'Extended Lab Reports' }],
    });
    const base64 = { fileBase64: Buffer.from(BESTLAB).toString('base64') };
    expect((await started.call(`PUT ${at}/BestLabApplication`, { body: base64 })).statusCode).toBe(200);
  });

  test.each([
    [{ file: '[Lab]\nLab Users\n' }, 'Lab', 2],
    [{ file: '[Other]\nA=1\n' }, 'Lab', 0],
    [{ entries: { 'A=B': 1 } }, 'Lab', 2],
    [{ entries: { A: 'x\n[B]' } }, 'Lab', 2],
    [{ entries: { A: 1 } }, 'Lab.Two', 1],
    [{ entries: { [`A${'a'.repeat(47)}`]: 1 } }, 'Lab', 2],
  ])('422 for %j as [%s], with its faults', async (body, name, line) => {
    const { at } = await lab();
    const before = (await started.call(`GET ${at}`)).json().items;
    const response = await started.call(`PUT ${at}/${encodeURIComponent(name)}`, { body });
    expect(response.json()).toMatchObject({ code: 'application-file-invalid', status: 422 });
    if (line > 0) expect(response.json().faults[0]).toMatchObject({ line, mend: expect.any(String) });
    expect((await started.call(`GET ${at}`)).json().items).toEqual(before);
  });

  test('400 without a section, or with two; 404 on an instance that is not registered; 409 for what the key has', async () => {
    const { at } = await lab();
    for (const body of [{}, { file: BESTLAB, ...LAB }]) {
      expect((await started.call(`PUT ${at}/Lab`, { body })).json().code).toBe('malformed-request');
    }
    const nowhere = '/v1/instances/nowhere/applications/Lab';
    expect((await started.call(`PUT ${nowhere}`, { body: LAB })).json().code).toBe('instance-not-found');
    const old = await started.installKey(
      { OrderNumber: 9_002, AuthorizedUnits: 5 },
      '\n[TrakCare]\nBeds=1\n',
    );
    const trak = `/v1/instances/${await instance(old.id)}/applications/TrakCare`;
    expect((await started.call(`PUT ${trak}`, { body: LAB })).json().code).toBe('application-protected');
  });

  test('F-73: only signed sections are loaded where the configuration says so', async () => {
    const strict = await startApp({ applicationsSigned: true });
    try {
      const { id } = await strict.installKey({ OrderNumber: 9_003, AuthorizedUnits: 5 });
      await strict.register('strict', id);
      const response = await strict.call('PUT /v1/instances/strict/applications/Lab', { body: LAB });
      expect(response.json()).toMatchObject({ code: 'application-file-invalid' });
      expect(response.json().faults[0].code).toBe('signature-missing');
    } finally {
      await strict.close();
    }
  });
});

describe('POST /v1/instances/{name}/applications', () => {
  test('P-7: loads every section of a file, or none', async () => {
    const { at } = await lab();
    const body = { file: `${BESTLAB}\n[Pharmacy]\nConcurrent Users=12\n` };
    const { items } = (await started.call(`POST ${at}`, { body })).json();
    expect(items.map(({ name, outcome }: { name: string; outcome: string }) => [name, outcome])).toEqual([
      ['BestLabApplication', 'loaded'],
      ['Pharmacy', 'loaded'],
    ]);
    const bad = await started.call(`POST ${at}`, { body: { file: BAD } });
    expect(bad.json().faults.map(({ line }: { line: number }) => line)).toEqual([1, 6]);
    const listed = (await started.call(`GET ${at}`)).json().items;
    expect(listed.map(({ name }: { name: string }) => name)).toEqual([
      'BestLabApplication',
      'ISC.Care',
      'Lab',
      'Own.Care',
      'Pharmacy',
    ]);
  });
});

describe('GET /v1/instances/{name}/applications', () => {
  test('shows by the letters of GetAppNames (notes 6.2)', async () => {
    const { at } = await lab();
    const named = async (types: string) => {
      const { items } = (await started.call(`GET ${at}?types=${types}`)).json();
      return items.map(({ name, kind, sharedBy }: Record<string, string>) => [name, kind, sharedBy]);
    };
    expect(await named('I')).toEqual([['ISC.Care', 'vendor', key]]);
    expect(await named('PU')).toEqual([
      ['Lab', 'loaded', undefined],
      ['Own.Care', 'protected', undefined],
    ]);
    expect((await started.call(`GET ${at}?types=X`)).statusCode).toBe(400);
  });

  test('404 for what is not there', async () => {
    const { at } = await lab();
    expect((await started.call(`GET ${at}/lab`)).json().code).toBe('application-not-found');
    expect((await started.call(`GET ${at}/Lab/features/robots`)).json()).toMatchObject({
      code: 'feature-not-licensed',
      detail: expect.stringContaining('Did you mean "Robots"?'),
    });
    expect((await started.call('GET /v1/instances/nowhere/applications')).json().code).toBe(
      'instance-not-found',
    );
  });
});

describe('POST /v1/instances/{name}/applications/take', () => {
  test('takes all features or none, and says how often the user has them', async () => {
    const { at, call, login } = await lab();
    const alice = await login('alice');
    const both = [...one('Lab Users'), ...one('Robots')];
    const taken = await call('take', { login: alice, features: both });
    expect(taken.json()).toMatchObject({
      login: alice,
      userId: 'alice',
      repeated: false,
      decision: expect.any(String),
      features: [
        { feature: 'Lab Users', count: 1, held: 1, used: 1, units: 2 },
        { feature: 'Robots', count: 1, used: 1, units: 1 },
      ],
    });
    const bob = await login('bob');
    const refused = await call('take', { login: bob, features: both });
    expect(refused.statusCode).toBe(409);
    expect(refused.json()).toMatchObject({
      code: 'application-units-exhausted',
      rule: 'application-units',
      application: 'Lab',
      feature: 'Robots',
      limit: 1,
      inUse: 1,
      requested: 1,
      holdersCount: 1,
      holders: [{ userId: 'alice', count: 1 }],
      detail: expect.stringContaining('1 user holds it: "alice"'),
    });
    expect((await started.call(`GET ${at}/Lab/features/Lab%20Users`)).json()).toMatchObject({
      used: 1,
      free: 1,
    });
    const explained = await started.call(`GET /v1/journal/${refused.json().decision}`);
    expect(explained.json()).toMatchObject({
      type: 'refused',
      rule: 'application-units',
      application: 'Lab',
      feature: 'Robots',
      words: expect.stringContaining('all units of the feature were held by other users'),
    });
    const journal = await started.call(`GET /v1/journal?type=taken&user=alice`);
    expect(journal.json().items[0]).toMatchObject({ userId: 'alice', features: [{ used: 1 }, { used: 1 }] });
  });

  test('trap 19: means the concurrent users where no feature is named', async () => {
    const { call, login } = await lab();
    const { features } = (await call('take', { login: await login('alice'), features: one() })).json();
    expect(features).toMatchObject([{ feature: 'Concurrent Users', units: 3 }]);
  });

  test('R-7: answers the same ID the same, in capitals too, and another body 409', async () => {
    const { call, login } = await lab();
    const body = { id: randomUUID(), login: await login('alice'), features: one('Lab Users') };
    const first = (await call('take', body)).json();
    const again = (await call('take', { ...body, id: body.id.toUpperCase() })).json();
    expect(again).toEqual({ ...first, repeated: true });
    expect((await call('take', { ...body, features: one('Robots') })).json().code).toBe('id-reused');
  });

  test('takes for a user himself, for whom he is in', async () => {
    const { call, login } = await lab();
    expect((await call('take', { userId: 'alice', features: one('Lab Users') })).json().code).toBe(
      'holder-missing',
    );
    await login('alice');
    const held = (await call('take', { userId: 'alice', features: one('Lab Users') })).json();
    expect(held.login).toBeUndefined();
    expect(held.features).toMatchObject([{ count: 1, held: 1 }]);
  });

  test.each([
    [{ features: one() }],
    [{ login: randomUUID(), userId: 'alice', features: one() }],
    [{ userId: 'alice', features: [] }],
    [{ userId: 'alice' }],
    [{ userId: 'alice', features: [{ feature: 'Robots' }] }],
    [{ id: 'x', userId: 'alice', features: one() }],
  ])('400 for %j', async (body) => {
    const { call } = await lab();
    expect((await call('take', body)).json().code).toBe('malformed-request');
  });

  test('404 and 409 for what cannot be taken', async () => {
    const { call, login } = await lab();
    const alice = await login('alice');
    const code = async (feature: string, application?: string) =>
      (await call('take', { login: alice, features: one(feature, application) })).json().code;
    expect(await code('Robots', 'Labs')).toBe('application-not-found');
    expect(await code('Beds', 'Lab.Care')).toBe('application-not-found');
    expect(await code('Droids')).toBe('feature-not-licensed');
    expect(await code('Mode')).toBe('feature-not-counted');
    const lost = await call('take', { login: randomUUID(), features: one() });
    expect(lost.json().code).toBe('login-lost');
  });
});

describe('POST /v1/instances/{name}/applications/explain', () => {
  test('says what a take would come to, and changes nothing', async () => {
    const { at, call, login } = await lab();
    const [alice, bob] = [await login('alice'), await login('bob')];
    expect((await call('explain', { login: alice, features: one('Robots') })).json()).toMatchObject({
      verdict: 'granted',
      features: [{ count: 1, used: 1 }],
    });
    await call('take', { login: alice, features: one('Robots') });
    expect((await call('explain', { login: bob, features: one('Robots') })).json()).toMatchObject({
      verdict: 'refused',
      rule: 'application-units',
      limit: 1,
      holders: [{ userId: 'alice' }],
    });
    expect((await started.call(`GET ${at}/Lab/features/Robots`)).json()).toMatchObject({
      used: 1,
      maxUsed: 1,
    });
  });
});

describe('POST /v1/instances/{name}/applications/return', () => {
  test('gives back one take of each, or everything, and says what was not held', async () => {
    const { call, login } = await lab();
    const alice = await login('alice');
    await call('take', {
      login: alice,
      features: [...one('Lab Users'), ...one('Lab Users'), ...one('Robots')],
    });
    const first = (await call('return', { login: alice, features: [...one('Lab Users'), ...one()] })).json();
    expect(first.features).toMatchObject([
      { feature: 'Lab Users', count: 1, released: true },
      { feature: 'Concurrent Users', count: 0, released: false },
    ]);
    const rest = (await call('return', { login: alice })).json();
    expect(rest.features).toMatchObject([
      { feature: 'Lab Users', count: 0, released: true },
      { feature: 'Robots', count: 0, released: true },
    ]);
    const nothing = (await call('return', { login: alice })).json();
    expect([nothing.features, nothing.decision]).toEqual([[], undefined]);
  });
});

describe('GET …/holders, POST …/recount, GET …/instance-login, DELETE', () => {
  test('lists who holds units, page by page, also after the section is gone', async () => {
    const { at, call, login } = await lab();
    const alice = await login('alice');
    await call('take', { login: alice, features: [...one('Robots'), ...one('Robots'), ...one()] });
    await call('take', { userId: 'alice', features: one('Lab Users') });
    // The list is of the folded table, which this application has no leader for; the recount is of the present.
    expect((await started.call(`GET ${at}/Lab/holders`)).json()).toMatchObject({ items: [], version: 0 });
    expect((await started.call(`GET ${at}/Lab/holders?across=true&limit=1`)).statusCode).toBe(200);
    const { items } = (await started.call(`POST ${at}/Lab/recount`, { body: {} })).json();
    expect(items).toEqual(
      ['Lab Users', 'Robots', 'Concurrent Users'].map((feature) => ({
        feature,
        counted: 1,
        before: 1,
        recovered: 0,
      })),
    );
    const only = await started.call(`POST ${at}/Lab/recount`, { body: { feature: 'Mode' } });
    expect(only.json().code).toBe('feature-not-counted');
    expect((await started.call(`DELETE ${at}/Lab`)).statusCode).toBe(204);
    expect((await started.call(`DELETE ${at}/Lab`)).statusCode).toBe(204);
    expect((await started.call(`GET ${at}/Lab`)).json().code).toBe('application-not-found');
    const back = (await call('return', { login: alice, features: one('Robots') })).json();
    expect(back.features[0]).toMatchObject({ released: true, count: 1 });
    expect(back.features[0].units).toBeUndefined();
  });

  test('notes 6.2: an application may run on no more instances than its keyword says', async () => {
    const file = await started.installKey({ OrderNumber: 9_004, AuthorizedUnits: 5 }, SECTIONS);
    const hosts = [await instance(file.id), await instance(file.id)];
    const at = `/v1/instances/${hosts[0]}/applications/ISC.Care/instance-login?feature=Servers`;
    expect((await started.call(`GET ${at}`)).json()).toEqual({ permitted: true, instances: 2, limit: 2 });
    await instance(file.id);
    expect((await started.call(`GET ${at}`)).json()).toEqual({ permitted: false, instances: 3, limit: 2 });
  });
});

describe('who may do what', () => {
  test('the token of an instance loads, takes and gives back on its own, and removes nothing', async () => {
    const { name, at, call, login } = await lab();
    const token = await started.token('instance', { instance: name });
    expect((await started.call(`PUT ${at}/Mine`, { body: LAB, token })).statusCode).toBe(201);
    const body = { login: await login('alice'), features: one('Robots', 'Mine') };
    expect((await call('take', body, token)).statusCode).toBe(200);
    expect((await call('return', body, token)).statusCode).toBe(200);
    expect((await started.call(`DELETE ${at}/Mine`, { token })).json().code).toBe('forbidden');
    const other = await lab();
    expect((await started.call(`GET ${other.at}`, { token })).json().code).toBe('forbidden');
    expect((await other.call('take', body, token)).json().code).toBe('forbidden');
    expect((await started.call(`GET ${at}/Lab/holders?across=true`, { token })).json().code).toBe(
      'forbidden',
    );
    const viewer = started.tokens.viewer;
    expect((await started.call(`PUT ${at}/Mine`, { body: LAB, token: viewer })).json().code).toBe(
      'forbidden',
    );
    expect((await started.call(`GET ${at}`, { token: viewer })).statusCode).toBe(200);
  });

  test('it is not told who holds units on another instance of the key', async () => {
    const [one_, other] = [await lab(), await lab()];
    const care = one('Beds', 'ISC.Care');
    const holder = await other.login('somebody-else');
    expect((await other.call('take', { login: holder, features: care })).statusCode).toBe(200);
    const token = await started.token('instance', { instance: one_.name });
    const refused = await one_.call('take', { login: await one_.login('alice'), features: care }, token);
    expect(refused.json()).toMatchObject({
      code: 'application-units-exhausted',
      holdersCount: 1,
      holders: [],
    });
    expect(refused.body).not.toContain('somebody-else');
    const all = await one_.call('explain', { login: await one_.login('bob'), features: care });
    expect(all.json()).toMatchObject({ holders: [{ userId: 'somebody-else', count: 1 }] });
    await other.call('return', { login: holder });
  });
});

describe('POST /v1/logins/{id}/identify', () => {
  test('409 when what the login has taken has no unit for the new user', async () => {
    const { name, call, login } = await lab();
    const [first, second] = [await login('alice'), await login('alice')];
    for (const id of [first, second]) await call('take', { login: id, features: one('Robots') });
    const request = `POST /v1/logins/${first}/identify?instance=${name}`;
    const refused = await started.call(request, { body: { user: 'bob' } });
    expect(refused.json()).toMatchObject({
      code: 'application-units-exhausted',
      feature: 'Robots',
      limit: 1,
    });
    await call('return', { login: second });
    expect((await started.call(request, { body: { user: 'bob' } })).statusCode).toBe(200);
  });
});
