import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROWS_PER_UPDATE_MAX } from '../../src/domain/local/reports.ts';
import { type Call, type StartedApp, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';
import { Reporter, updateBody } from '../support/reporter.ts';

let started: StartedApp;
let orders = 6_000;
let names = 0;

beforeAll(async () => {
  started = underContract(await startApp(), await readContract());
});
afterAll(async () => {
  await started.close();
});

/** A key whose instances decide for themselves. */
async function localKey(units = 10, enforcement = 'local'): Promise<string> {
  orders += 1;
  const { id } = await started.installKey({ OrderNumber: orders, AuthorizedUnits: units });
  const headers = { 'if-match': '*' };
  const response = await started.call(`PATCH /v1/keys/${id}`, { body: { enforcement }, headers });
  expect(response.statusCode).toBe(200);
  return id;
}

async function reporterOf(key: string | undefined, body: object = {}): Promise<Reporter> {
  names += 1;
  const reporter = new Reporter(`local-${names}`);
  expect((await started.register(reporter.name, key, body)).statusCode).toBe(201);
  return reporter;
}

const post = (name: string, body: unknown, options: Call = {}) =>
  started.call(`POST /v1/instances/${name}/updates`, { body, ...options });

/** Sends what a reporter has to say, and lets it hear the answer. */
async function send(reporter: Reporter, extra: object = {}) {
  const response = await post(reporter.name, { ...updateBody(reporter.update()), ...extra });
  expect(response.statusCode).toBe(200);
  const answer = response.json();
  reporter.hear(answer);
  return answer;
}

describe('POST /v1/instances/{name}/updates', () => {
  test('L-3: two instances let in 8 each on 10 units: both get NAK until use is below the limit (F-52…F-54)', async () => {
    const key = await localKey();
    const [a, b] = [await reporterOf(key), await reporterOf(key)];
    expect(await send(a.letIn('a', 8))).toMatchObject({
      acknowledged: true,
      inUse: 8,
      limit: 10,
      sequence: 1,
    });
    const over = { acknowledged: false, reason: 'over-limit', inUse: 16 };
    expect(await send(b.letIn('b', 8))).toMatchObject({ ...over, overLimit: { units: 6, unitsMax: 6 } });
    expect(await send(a)).toMatchObject(over);
    for (let index = 1; index <= 6; index += 1) a.set(`a${index}`, 0);
    const at = { acknowledged: false, inUse: 10, overLimit: { units: 0, unitsMax: 6 } };
    expect(await send(a)).toMatchObject(at);
    expect(await send(b)).toMatchObject(at);
    const below = await send(b.set('b8', 0));
    expect(below).toMatchObject({ acknowledged: true, inUse: 9 });
    expect(below).not.toHaveProperty('overLimit');
    expect(await send(a.set('a9', 1))).toMatchObject({ acknowledged: true, inUse: 10 });
  });

  test('200: an update that states nothing new appends nothing, and is a sign of life', async () => {
    const reporter = await reporterOf(await localKey());
    await send(reporter.letIn('a', 2));
    const { version } = started.lane.table;
    expect(await send(reporter)).toMatchObject({ acknowledged: true, inUse: 2, sequence: 1 });
    expect(started.lane.table.version).toBe(version);
  });

  test('200: settings are told until the instance holds their revision', async () => {
    const reporter = await reporterOf(await localKey());
    const first = await send(reporter);
    expect(first.settings).toMatchObject({ unitLimit: 0 });
    const again = await send(reporter, { settingsRevision: first.settingsRevision });
    expect(again).not.toHaveProperty('settings');
    const headers = { 'if-match': '*' };
    await started.call(`PATCH /v1/instances/${reporter.name}`, { body: { unitLimit: 5 }, headers });
    const changed = await send(reporter, { settingsRevision: first.settingsRevision });
    expect(changed.settings).toMatchObject({ unitLimit: 5 });
  });

  test('200: a full report in parts, and a digest that differs asks for one', async () => {
    const reporter = await reporterOf(await localKey(100));
    reporter.letIn('a', 25);
    const parts = reporter.full(10);
    expect(parts).toHaveLength(3);
    for (const part of parts) {
      const response = await post(reporter.name, updateBody(part));
      expect(response.json()).toMatchObject({ acknowledged: true, sequence: part.sequence });
      expect(response.json()).not.toHaveProperty('resend');
      reporter.hear(response.json());
    }
    const wrong = await post(reporter.name, { ...updateBody(reporter.update()), digest: '1.1.00000000' });
    expect(wrong.json()).toMatchObject({ resend: 'full', inUse: 25 });
  });

  test('200: without a key the server decides, and nothing is kept', async () => {
    const reporter = await reporterOf(undefined);
    const answer = await send(reporter.letIn('a', 3));
    expect(answer).toMatchObject({
      acknowledged: false,
      reason: 'key-missing',
      enforcement: 'central',
      limit: 1,
    });
    expect(answer).not.toHaveProperty('resend');
  });

  test.each([
    ['since above sequence', { sequence: 1, since: 2 }, '/since'],
    [
      'a row without a new number',
      { sequence: 1, since: 1, users: [{ id: 'a', connections: 1 }] },
      '/sequence',
    ],
    ['no digest', { digest: undefined }, '/digest'],
    [
      'a user twice',
      {
        users: [
          { id: 'a', connections: 1 },
          { id: 'a', connections: 2 },
        ],
      },
      '/users/1/id',
    ],
    [
      'more web sessions than connections',
      { users: [{ id: 'a', connections: 1, webSessions: 2 }] },
      '/users/0/webSessions',
    ],
    ['parts of no full report', { more: true }, '/more'],
    ['a full report that is to come', { fullFrom: 9 }, '/fullFrom'],
    ['an unknown member', { rows: [] }, '/rows'],
    ['a digest that is none', { digest: 'xyz' }, '/digest'],
  ])('400: %s', async (_name, fields, pointer) => {
    const body = { incarnation: 1, sequence: 1, since: 0, users: [], digest: '0.0.00000000', ...fields };
    const response = await post('nobody', body);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'malformed-request', errors: [{ pointer }] });
  });

  test.each([
    ['NUL', '"a\\u0000b"'],
    ['half of a character', '"\\ud800"'],
    ['the other half', '"x\\udc00"'],
    ['nothing', '""'],
    ['more than 128 characters', JSON.stringify('𝒳'.repeat(129))],
  ])('400: a user ID with %s is refused before anything is decided', async (_name, id) => {
    const reporter = await reporterOf(await localKey());
    const { version } = started.lane.table;
    const body = `{"incarnation":1,"sequence":1,"since":0,"digest":"1.1.00000000","users":[{"id":${id},"connections":1}]}`;
    const headers = { 'content-type': 'application/json' };
    const response = await post(reporter.name, body, { headers });
    expect(response.json()).toMatchObject({ status: 400, errors: [{ pointer: '/users/0/id' }] });
    expect(started.lane.table.version).toBe(version);
  });

  test('200: the largest report there can be, of the longest IDs, fits into a body', async () => {
    const reporter = await reporterOf(await localKey(10_000));
    for (let index = 0; index < ROWS_PER_UPDATE_MAX; index += 1)
      reporter.set(`${'𝒳'.repeat(124)}${String(index).padStart(4, '0')}`, 1);
    expect(await send(reporter)).toMatchObject({
      sequence: 1,
      inUse: ROWS_PER_UPDATE_MAX,
      acknowledged: true,
    });
    expect(await send(reporter)).not.toHaveProperty('resend');
    const one = { ...updateBody(reporter.set('one more', 1).full()[0]!) };
    expect((await post(reporter.name, one)).json()).toMatchObject({
      status: 400,
      errors: [{ pointer: '/users' }],
    });
  });

  test('401, 403: who may report', async () => {
    const key = await localKey();
    const reporter = await reporterOf(key);
    const body = updateBody(reporter.update());
    expect((await post(reporter.name, body, { token: null })).statusCode).toBe(401);
    expect((await post(reporter.name, body, { token: started.tokens.viewer })).statusCode).toBe(403);
    const other = await started.token('instance', { instance: 'other' });
    expect((await post(reporter.name, body, { token: other })).statusCode).toBe(403);
    const own = await started.token('instance', { instance: reporter.name, keys: [key] });
    expect((await post(reporter.name, body, { token: own })).statusCode).toBe(200);
  });

  test('404, 409: nobody, and an incarnation that is not the present one', async () => {
    const reporter = await reporterOf(await localKey());
    const body = updateBody(reporter.update());
    expect((await post('nobody', body)).json()).toMatchObject({ status: 404, code: 'instance-not-found' });
    const old = await post(reporter.name, { ...body, incarnation: 2 });
    expect(old.json()).toMatchObject({ status: 409, code: 'incarnation-old' });
  });
});

describe('POST /v1/instances/{name}/close', () => {
  const close = (name: string, incarnation: number) =>
    started.call(`POST /v1/instances/${name}/close`, { body: { incarnation } });

  test('204, also when repeated: what it reported is given back, and its updates are refused', async () => {
    const key = await localKey();
    const reporter = await reporterOf(key);
    await send(reporter.letIn('a', 4));
    expect(started.lane.table.pools.get(key)?.units).toBe(4);
    expect((await close(reporter.name, 1)).statusCode).toBe(204);
    expect(started.lane.table.pools.get(key)?.units).toBe(0);
    expect((await close(reporter.name, 1)).statusCode).toBe(204);
    const late = await post(reporter.name, updateBody(reporter.set('a9', 1).update()));
    expect(late.json()).toMatchObject({ status: 409, code: 'instance-silent', lost: 'closed' });
    expect((await started.register(reporter.name, key)).json()).toMatchObject({
      outcome: 'restart',
      incarnation: 2,
    });
    expect((await close(reporter.name, 1)).json()).toMatchObject({ code: 'incarnation-old' });
  });

  test('404: nobody', async () => {
    expect((await close('nobody', 1)).statusCode).toBe(404);
  });
});

describe('POST /v1/releases', () => {
  const release = async (body: object) =>
    (await started.call('POST /v1/releases', { body: { ...body, reason: 'the host was lost' } })).json();

  test('200: what instances let in by themselves goes on, and the answer says so (F-53)', async () => {
    const key = await localKey();
    const [a, b] = [await reporterOf(key), await reporterOf(key)];
    await send(a.set('alice', 2).set('bob', 1));
    await send(b.set('alice', 1));
    const user = { key, user: 'alice' };
    expect(await release(user)).toEqual({
      released: 0,
      connectionsHeld: 3,
      notice: expect.stringContaining(`3 connections are in on "${a.name}", "${b.name}"`),
    });
    await started.login(a.name, 'alice');
    expect(await release(user)).toMatchObject({ released: 1, connectionsHeld: 3 });
    await started.login(a.name, 'carol');
    expect(await release({ instance: a.name })).toMatchObject({ released: 1, connectionsHeld: 3 });
    const { version } = started.lane.table;
    expect(await send(a)).toMatchObject({ inUse: 2 });
    expect(started.lane.table.version).toBe(version);
    expect(await release({ key, user: 'nobody' })).toEqual({ released: 0 });
  });
});

describe('the terms of a registration', () => {
  test('say who decides, up to which limit, and that others have other servers (F-4)', async () => {
    const key = await localKey(7);
    const servers = { licenseServers: ['Lic-2.example:4001', 'lic-1.example'] };
    await reporterOf(key, servers);
    names += 1;
    const other = await started.register(`local-${names}`, key, { licenseServers: ['lic-1.example:4001'] });
    expect(other.json()).toMatchObject({
      enforcement: 'local',
      limit: 7,
      connectionsPerUnitMax: 25,
      nextUpdateAfterSeconds: 15,
      licenseServers: ['lic-1.example:4001'],
      notices: [expect.stringContaining('lic-2.example:4001')],
    });
    const wrong = await started.register(`local-${names}`, key, { licenseServers: ['::1'] });
    expect(wrong.json()).toMatchObject({ errors: [{ pointer: '/licenseServers/0' }] });
  });
});

describe('PATCH /v1/keys/{id} enforcement', () => {
  test('409 while instances hold users by the old one, naming them', async () => {
    const key = await localKey();
    const reporter = await reporterOf(key);
    await send(reporter.letIn('a', 1));
    const headers = { 'if-match': '*' };
    const change = () => started.call(`PATCH /v1/keys/${key}`, { body: { enforcement: 'leased' }, headers });
    expect((await change()).json()).toMatchObject({ status: 409, code: 'key-in-use', heldBy: reporter.name });
    await send(reporter.set('a1', 0));
    expect((await change()).json()).toMatchObject({ enforcement: 'leased' });
  });
});
