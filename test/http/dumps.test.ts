/** The dumps of one instance, by the API, in a time that the test moves. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { StandingClock } from '../support/clock.ts';
import { readContract, underContract } from '../support/contract.ts';
import { Reporter, updateBody } from '../support/reporter.ts';

const TEXT = { headers: { accept: 'text/plain' } };
const golden = (name: string) =>
  readFileSync(new URL(`../fixtures/reports/${name}.txt`, import.meta.url), 'utf8');

let started: StartedApp;
let clock: StandingClock;
let orders = 8_000;

beforeAll(async () => {
  clock = new StandingClock();
  started = underContract(await startApp({ clock }), await readContract());
});
afterAll(async () => {
  await started.close();
});

async function makeKey(fields: object = {}): Promise<string> {
  orders += 1;
  return (await started.installKey({ OrderNumber: orders, ...fields })).id;
}

const logIn = (body: object) => started.call('POST /v1/logins', { body });

/** The situation of the seeds: five units, one client for 90 seconds with two connections, one for 49. */
async function seedSituation(instance: string): Promise<void> {
  await started.register(instance, await makeKey({ AuthorizedUnits: 5 }));
  for (const clientAddress of ['127.0.0.1', '127.0.0.1', '192.9.202.81']) {
    if (clientAddress !== '127.0.0.1') clock.advance(41_000);
    expect((await logIn({ instance, clientAddress })).statusCode).toBe(201);
  }
  clock.advance(49_999);
}

describe('GET /v1/instances/{name}/dumps/all, in-use', () => {
  test('the situation of the seed is printed as the seed has it, twice (F-63)', async () => {
    await seedSituation('seed');
    for (const _ of [1, 2]) {
      const response = await started.call('GET /v1/instances/seed/dumps/all', TEXT);
      expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(response.headers['as-of']).toBe(new Date(clock.nowMs()).toISOString());
      expect(response.body).toBe(golden('dump-local-all-c5'));
    }
    const { body } = await started.call('GET /v1/instances/seed/dumps/in-use', TEXT);
    expect(body).toBe(golden('dump-local-in-use-c5'));
    const table = await started.call('GET /v1/instances/seed/dumps/all?form=table', TEXT);
    expect(table.body.split('\n').slice(0, 6)).toEqual([
      'UserId          Type    Connects        MaxCon  CSPCon  LU      Active  Grace',
      '',
      '127.0.0.1       User    2               2       0       1       90      0',
      '192.9.202.81    User    1               1       0       1       49      0',
      'free',
      'free',
    ]);
  });

  test('200 as JSON: the same with instants, page by page, and the slots', async () => {
    await seedSituation('pages');
    const first = (await started.call('GET /v1/instances/pages/dumps/in-use?limit=1')).json();
    expect(first).toMatchObject({ instance: 'pages', capacity: 5, unitsInUse: 2 });
    expect(first.items).toEqual([
      {
        userId: '127.0.0.1',
        type: 'User',
        connections: 2,
        connectionsPeak: 2,
        webSessions: 0,
        units: 1,
        since: new Date(clock.nowMs() - 90_999).toISOString(),
        activeSeconds: 90,
        graceSeconds: 0,
      },
    ]);
    const cursor = encodeURIComponent(first.nextCursor);
    const second = (
      await started.call(`GET /v1/instances/pages/dumps/in-use?limit=1&cursor=${cursor}`)
    ).json();
    expect(second.items).toMatchObject([{ userId: '192.9.202.81', activeSeconds: 49 }]);
    expect(second).not.toHaveProperty('nextCursor');
    const asText = await started.call(`GET /v1/instances/pages/dumps/in-use?cursor=${cursor}`, TEXT);
    expect(asText.json().errors[0].pointer).toBe('?cursor');
  });

  test('types, web sessions and grace; who transitioned costs several units in one slot (notes 2.6)', async () => {
    const instance = 'kinds';
    await started.register(instance, await makeKey({ AuthorizedUnits: 10, MaxConnections: 2 }));
    for (let count = 0; count < 3; count += 1) await logIn({ instance, user: 'many' });
    await logIn({ instance, user: 'mixed' });
    const session = (await logIn({ instance, webSession: 'session-1' })).json();
    const other = (await logIn({ instance, webSession: 'session-2' })).json();
    await started.call(`POST /v1/logins/${other.id}/identify`, { body: { user: 'mixed' } });
    await logIn({ instance, webSession: 'session-3' });
    await started.call(`DELETE /v1/logins/${session.id}?pages=1`);
    clock.advance(100_000);
    const { items, unitsInUse } = (await started.call(`GET /v1/instances/${instance}/dumps/all`)).json();
    expect(unitsInUse).toBe(6);
    const shown = items.map((row: Record<string, unknown>) => [
      row.userId,
      row.type,
      row.connections,
      row.webSessions,
      row.units,
      row.graceSeconds,
    ]);
    expect(shown).toEqual([
      ['many', 'User', 3, 0, 3, 0],
      ['mixed', 'Mixed', 2, 1, 1, 0],
      ['session-1', 'Grace', 1, 1, 1, 500],
      ['session-3', 'CSP', 1, 1, 1, 0],
    ]);
    const { body } = await started.call(`GET /v1/instances/${instance}/dumps/all`, TEXT);
    expect(body).toContain('License Capacity = 10, Current use = 6, Units Remaining = 4\n');
    expect(body.match(/free/g)).toHaveLength(6);
  });

  test('capacity is the instance’s own limit where that is less, and one unit without a usable key', async () => {
    await started.register('limited', await makeKey({ AuthorizedUnits: 9 }), { settings: { unitLimit: 3 } });
    const limited = await started.call('GET /v1/instances/limited/dumps/all', TEXT);
    expect(limited.body).toMatch(/^License Capacity = 3, Current use = 0/);
    await started.register('keyless');
    const keyless = await started.call('GET /v1/instances/keyless/dumps/all', TEXT);
    expect(keyless.body).toBe('License Capacity = 1, Current use = 0, Units Remaining = 1\n\n   0)  free\n');
  });

  test('of an instance that decides for itself: as it reported, under a line that says when (F-55)', async () => {
    const key = await makeKey({ AuthorizedUnits: 5 });
    const change = { body: { enforcement: 'local' }, headers: { 'if-match': '*' } };
    await started.call(`PATCH /v1/keys/${key}`, change);
    const reporter = new Reporter('local');
    await started.register('local', key);
    reporter.letIn('u', 2);
    const sent = await started.call('POST /v1/instances/local/updates', {
      body: updateBody(reporter.update()),
    });
    expect(sent.statusCode).toBe(200);
    const reportedAt = new Date(clock.nowMs()).toISOString();
    clock.advance(7_000);
    const response = await started.call('GET /v1/instances/local/dumps/in-use', TEXT);
    expect(response.body).toBe(`as reported at ${reportedAt}
License Capacity = 5, Current use = 2, Units Remaining = 3

   0)  User ID = u1, Connections = 1, CSP Count = 0, Time active = -
   1)  User ID = u2, Connections = 1, CSP Count = 0, Time active = -
`);
    expect(response.headers['as-of']).toBe(new Date(clock.nowMs()).toISOString());
    const json = (await started.call('GET /v1/instances/local/dumps/in-use')).json();
    expect(json).toMatchObject({ reportedAt, items: [{ userId: 'u1' }, { userId: 'u2' }] });
    expect(json.items[0]).not.toHaveProperty('since');
    const processes = (await started.call('GET /v1/instances/local/dumps/processes')).json();
    expect(processes.items).toMatchObject([
      { process: 'User', userId: 'u1' },
      { process: 'User', userId: 'u2' },
    ]);
  });
});

describe('GET /v1/instances/{name}/dumps/processes (F-64)', () => {
  test('processes of type System consume nothing, and the table is that of the seed', async () => {
    await started.register('system', await makeKey());
    for (const pid of [592, 2816, 688]) await logIn({ instance: 'system', process: { pid, kind: 'system' } });
    const { body } = await started.call('GET /v1/instances/system/dumps/processes', TEXT);
    expect(body).toBe(golden('dump-local-pid-table'));
    const c5 = await started.call('GET /v1/instances/system/dumps/processes?form=c5', TEXT);
    expect(c5.body.split('\n').slice(0, 3)).toEqual([
      'License Capacity = 5, Current use = 0, Units Remaining = 5',
      '',
      '   0)  PID = 592, Process = System',
    ]);
  });

  test('200 as JSON: every kind of process, oldest first, with the numbers of its user', async () => {
    const instance = 'processes';
    await started.register(instance, await makeKey(), { settings: { deferredIdentification: true } });
    await logIn({ instance, user: 'alice', process: { pid: 11 } });
    await logIn({ instance, user: 'alice', process: { pid: 12 } });
    await logIn({ instance, webSession: 'session' });
    await logIn({ instance, process: { pid: 13, kind: 'server' } });
    await logIn({ instance, process: { pid: 14 } });
    await logIn({ instance, emergency: true });
    const all = (await started.call(`GET /v1/instances/${instance}/dumps/processes`)).json().items;
    expect(
      all.map(({ process, processId = 0, userId = '' }: Record<string, string | number>) => [
        process,
        processId,
        userId,
      ]),
    ).toEqual([
      ['User', 11, 'alice'],
      ['User', 12, 'alice'],
      ['CSP', 0, 'session'],
      ['Server', 13, ''],
      ['Pending', 14, ''],
      ['Diagnostic', 0, ''],
    ]);
    expect(all[0]).toMatchObject({ type: 'User', connections: 2, units: 1, activeSeconds: 0 });
    const read: unknown[] = [];
    let cursor = '';
    do {
      const path = `GET /v1/instances/${instance}/dumps/processes?limit=2${cursor}`;
      const page = (await started.call(path)).json();
      read.push(...page.items);
      cursor = page.nextCursor ? `&cursor=${encodeURIComponent(page.nextCursor)}` : '';
    } while (cursor !== '');
    expect(read).toEqual(all);
  });
});

describe('who may see a dump', () => {
  test('401, 403 outside a restriction, 404 for what is not registered, 400 for a form that there is not', async () => {
    const key = await makeKey();
    await started.register('guarded', key);
    const path = 'GET /v1/instances/guarded/dumps/all';
    expect((await started.call(path, { token: null })).statusCode).toBe(401);
    const own = await started.token('instance', { instance: 'guarded' });
    expect((await started.call(path, { token: own })).statusCode).toBe(200);
    const other = await started.token('instance', { instance: 'elsewhere' });
    expect((await started.call(path, { token: other })).statusCode).toBe(403);
    const others = await started.token('viewer', { keys: ['none'] });
    expect((await started.call(path, { token: others })).statusCode).toBe(403);
    const nowhere = await started.call('GET /v1/instances/nowhere/dumps/all');
    expect([nowhere.statusCode, nowhere.json().code]).toEqual([404, 'instance-not-found']);
    expect((await started.call(`${path}?form=c6`)).statusCode).toBe(400);
  });
});
