import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';
import { Reporter, updateBody } from '../support/reporter.ts';

let started: StartedApp;
let orders = 7_000;
let names = 100;

beforeAll(async () => {
  started = underContract(await startApp(), await readContract());
});
afterAll(async () => {
  await started.close();
});

async function makeKey(units: number, enforcement = 'local'): Promise<string> {
  orders += 1;
  const { id } = await started.installKey({ OrderNumber: orders, AuthorizedUnits: units });
  const headers = { 'if-match': '*' };
  expect((await started.call(`PATCH /v1/keys/${id}`, { body: { enforcement }, headers })).statusCode).toBe(
    200,
  );
  return id;
}

async function reporterOf(key: string, settings: object = {}): Promise<Reporter> {
  names += 1;
  const reporter = new Reporter(`rep-${names}`);
  expect((await started.register(reporter.name, key, settings)).statusCode).toBe(201);
  return reporter;
}

async function send(reporter: Reporter) {
  const body = updateBody(reporter.update());
  const response = await started.call(`POST /v1/instances/${reporter.name}/updates`, { body });
  expect(response.statusCode).toBe(200);
  reporter.hear(response.json());
  return response.json();
}

/** A key of 3 units with one ended episode of 2 units over and one open of 1. */
async function twoEpisodes() {
  const key = await makeKey(3);
  const reporter = await reporterOf(key);
  await send(reporter.letIn('a', 5));
  await send(reporter.set('a1', 0).set('a2', 0).set('a3', 0));
  await send(reporter.set('b1', 1).set('b2', 1));
  return { key, reporter };
}

describe('GET /v1/excesses', () => {
  test('200: the ledger of a key, the latest first, an open episode as of now', async () => {
    const { key, reporter } = await twoEpisodes();
    const page = (await started.call(`GET /v1/excesses?key=${key}`)).json();
    expect(page.items).toMatchObject([
      { key, state: 'open', units: 1, unitsMax: 1, usersCount: 1, instances: [reporter.name] },
      { key, state: 'ended', units: 0, unitsMax: 2, usersCount: 2, endedBy: 'logouts' },
    ]);
    expect(page.items[0]).not.toHaveProperty('to');
    expect(page.items[0].asOf).toBe(page.asOf);
    expect(page.items[1].users).toEqual(['a4', 'a5'].map((userId) => ({ userId, instance: reporter.name })));
    const states = async (state: string) =>
      (await started.call(`GET /v1/excesses?key=${key}&state=${state}`)).json().items;
    expect([(await states('open')).length, (await states('ended')).length]).toEqual([1, 1]);
  });

  test('200: pages go on where the one before ended', async () => {
    const { key } = await twoEpisodes();
    const first = (await started.call(`GET /v1/excesses?key=${key}&limit=1`)).json();
    const cursor = encodeURIComponent(first.nextCursor);
    const second = (await started.call(`GET /v1/excesses?key=${key}&limit=1&cursor=${cursor}`)).json();
    expect([first.items[0].state, second.items[0].state]).toEqual(['open', 'ended']);
    expect(second).not.toHaveProperty('nextCursor');
  });

  test('200: as text', async () => {
    const { key, reporter } = await twoEpisodes();
    const response = await started.call(`GET /v1/excesses?key=${key}`, { headers: { accept: 'text/plain' } });
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(response.body).toContain(`open, 1 over now  key ${key}`);
    expect(response.body).toContain('over 3 units by 2 at most');
    expect(response.body).toContain(
      `came in: 2 on ${reporter.name}: a4 (${reporter.name}), a5 (${reporter.name})`,
    );
    const none = await started.call(`GET /v1/excesses?key=none`, { headers: { accept: 'text/plain' } });
    expect(none.body).toContain('never over the limit');
  });

  test('the journal says each in words, and shows what was reported', async () => {
    const { key, reporter } = await twoEpisodes();
    const items = (await started.call(`GET /v1/journal?key=${key}&type=excess&limit=1`)).json().items;
    expect(items).toMatchObject([{ key, record: { state: 'open', unitsMax: 1 } }]);
    const { explanation } = (await started.call(`GET /v1/journal/${items[0].decision}`)).json();
    expect(JSON.stringify(explanation ?? items)).toContain(key);
    const path = `GET /v1/journal?instance=${reporter.name}&type=reported&user=b1`;
    const [reported] = (await started.call(path)).json().items;
    expect(reported).toMatchObject({
      key,
      sequence: 3,
      usersCount: 2,
      usersCame: 2,
      counted: true,
      unitsInUse: 4,
    });
    expect(reported.users[0]).toEqual({ userId: 'b1', connections: 1, webSessions: 0, transitioned: false });
  });

  test('403 for the token of one instance, which may not see who is elsewhere; only own keys for others', async () => {
    const { key, reporter } = await twoEpisodes();
    const instance = await started.token('instance', { instance: reporter.name });
    expect((await started.call('GET /v1/excesses', { token: instance })).statusCode).toBe(403);
    const other = await started.token('viewer', { keys: ['none'] });
    expect((await started.call('GET /v1/excesses', { token: other })).json().items).toEqual([]);
    expect((await started.call(`GET /v1/excesses?key=${key}`, { token: other })).statusCode).toBe(403);
    const own = await started.token('viewer', { keys: [key] });
    expect((await started.call('GET /v1/excesses', { token: own })).json().items).toHaveLength(2);
  });
});

describe('GET /v1/keys/{id}/excess', () => {
  test('L-8: what is possible by the limits of the instances, and what is to be expected by the rate', async () => {
    const key = await makeKey(10);
    const [a] = [await reporterOf(key), await reporterOf(key, { settings: { unitLimit: 4 } })];
    await send(a.letIn('a', 3));
    const outlook = (await started.call(`GET /v1/keys/${key}/excess`)).json();
    expect(outlook).toMatchObject({
      enforcement: 'local',
      limit: 10,
      inUse: 3,
      possible: { units: 4, unitsByTransitions: 14 * 25 - 10 },
      // Three in the fullest minute, half a minute until everybody knows.
      expected: { units: 2, windowSeconds: 30, newUsersPerMinuteMax: 3 },
      words: expect.stringContaining(
        '2 active instances may let in 14 units by themselves, 4 more than the 10',
      ),
    });
    expect(outlook.instances).toMatchObject([
      { unitsMax: 10, stale: false },
      { unitsMax: 4, stale: false },
    ]);
    expect(outlook.instances[0].heardAt).toMatch(/Z$/);
    expect(outlook.instances[1]).not.toHaveProperty('reportedAt');
    expect(outlook).not.toHaveProperty('open');
  });

  test('L-8: logins at the server count, and so do silent instances, which may come back with their users', async () => {
    const key = await makeKey(10);
    const [a, b] = [await reporterOf(key), await reporterOf(key)];
    await started.login(a.name, 'alice');
    await send(b.set('bob', 3));
    const outlook = async () => (await started.call(`GET /v1/keys/${key}/excess`)).json();
    expect(await outlook()).toMatchObject({
      possible: { units: 11, unitsByTransitions: 20 * 25 + 1 - 10 },
      words: expect.stringContaining('the server has let in up to 1 units, 11 more than the 10'),
    });
    const far = { observedMs: Number.MAX_SAFE_INTEGER, actor: 'lictor' } as const;
    await started.ask({ op: 'reap-instance', name: b.name, incarnation: 1, ...far });
    expect(await outlook()).toMatchObject({
      possible: { units: 11 },
      words: expect.stringContaining('1 active instance and 1 silent that may come back may let in 20 units'),
    });
    await started.call(`POST /v1/instances/${b.name}/close`, { body: { incarnation: 1 } });
    expect(await outlook()).toMatchObject({ possible: { units: 1, unitsByTransitions: 10 * 25 + 1 - 10 } });
  });

  test('200: the open episode; nothing is possible where the server decides', async () => {
    const { key } = await twoEpisodes();
    const outlook = (await started.call(`GET /v1/keys/${key}/excess`)).json();
    expect(outlook.open).toMatchObject({ state: 'open', unitsMax: 1 });
    const central = await makeKey(3, 'central');
    expect((await started.call(`GET /v1/keys/${central}/excess`)).json()).toMatchObject({
      possible: { units: 0, unitsByTransitions: 0 },
      expected: { units: 0 },
    });
  });

  test('404: no such key', async () => {
    expect((await started.call('GET /v1/keys/none/excess')).statusCode).toBe(404);
  });
});

describe('usage of instances that report', () => {
  test('the same user on three instances costs one unit in every report; with 30 connections he costs 30 (F-31, F-32)', async () => {
    const key = await makeKey(100);
    const all = [await reporterOf(key), await reporterOf(key), await reporterOf(key)];
    for (const each of all) await send(each.set('alice', 5));
    const users = async () => (await started.call(`GET /v1/usage/users?key=${key}`)).json().items;
    const rows = (units: readonly number[], shared: readonly boolean[], connections: number) =>
      all.map(({ name }, index) => ({
        instance: name,
        connections,
        units: units[index],
        shared: shared[index],
      }));
    expect(await users()).toMatchObject([
      { userId: 'alice', connections: 15, units: 1, instances: rows([1, 0, 0], [false, true, true], 5) },
    ]);
    const counts = async () => (await started.call(`GET /v1/usage/counts?key=${key}`)).json().items;
    expect(await counts()).toMatchObject([{ unitsInUse: 1, users: 1, connections: 15 }]);
    for (const each of all) await send(each.set('alice', 10));
    expect(await users()).toMatchObject([
      {
        connections: 30,
        units: 30,
        transitioned: true,
        instances: rows([10, 10, 10], [false, false, false], 10),
      },
    ]);
    expect(await counts()).toMatchObject([{ unitsInUse: 30, users: 1, connections: 30 }]);
    const summary = (await started.call(`GET /v1/usage/summary?key=${key}`)).json();
    expect(summary.distributed).toMatchObject({ unitsInUse: 30, users: 1, connections: 30 });
  });

  test('an instance shows how fresh its reports are', async () => {
    const key = await makeKey(10);
    const reporter = await reporterOf(key);
    await reporterOf(key);
    await send(reporter.set('alice', 2).set('bob', 1));
    const { items } = (await started.call(`GET /v1/usage/instances?key=${key}`)).json();
    expect(items[0]).toMatchObject({ connections: 3, users: 2, units: 2, logins: 0, stale: false });
    expect(items[0].reportedAt).toMatch(/Z$/);
    expect(items[1]).not.toHaveProperty('stale');
  });
});
