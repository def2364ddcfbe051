import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { digestText, TableDigest } from '../../src/domain/local/digest.ts';
import { type StartedApp, startApp } from '../support/app.ts';

const TEXT = { headers: { accept: 'text/plain' } };

let started: StartedApp;
/** Shared by `app-a`, `app-b` and `idle`: alice on both, bob on `app-a`, carol transitioned over both. */
let shared: string;
/** Of `lone` alone, with room to spare. */
let single: string;

beforeAll(async () => {
  started = await startApp();
  const fields = { AuthorizedUnits: 8, EnforcedUnits: 10, MaxConnections: 2 };
  shared = (await started.installKey({ OrderNumber: 2001, ...fields })).id;
  single = (await started.installKey({ OrderNumber: 2002, AuthorizedUnits: 100 })).id;
  for (const name of ['app-b', 'app-a', 'idle']) await started.register(name, shared);
  await started.register('lone', single);
  await started.register('keyless');
  await started.login('app-b', 'alice');
  await started.login('app-a', 'alice');
  await started.login('app-a', 'bob');
  for (const instance of ['app-a', 'app-b', 'app-b']) await started.login(instance, 'carol');
  const gone = await started.login('app-a', 'dave');
  await started.ask({ op: 'logout', instance: 'app-a', id: gone, reason: 'logout', actor: 'tester' });
  await started.login('lone', 'alice');
  await started.login('keyless', 'two\nlines');
});
afterAll(async () => {
  await started.close();
});

const get = (url: string, options = {}) => started.call(`GET /v1/usage/${url}`, options);

describe('GET /v1/usage/summary (F-60)', () => {
  test('200: distributed use of a key; users are distinct users, units are units (trap 13)', async () => {
    const response = await get(`summary?key=${shared}`);
    expect(response.statusCode).toBe(200);
    expect(response.headers.vary).toMatch(/accept/);
    expect(response.json()).toEqual({
      key: shared,
      distributed: {
        unitsInUse: 5,
        unitsPeak: 6,
        unitsEnforced: 10,
        unitsAuthorised: 8,
        users: 3,
        usersPeak: 4,
        connections: 6,
        connectionsPeak: 7,
        instances: 3,
      },
      asOf: expect.stringMatching(/Z$/),
      version: started.lane.table.version,
    });
  });

  test('200 with an instance: its key, and what it uses as it sees it', async () => {
    const of = async (instance: string) => (await get(`summary?instance=${instance}`)).json();
    expect(await of('app-a')).toMatchObject({
      key: shared,
      distributed: { unitsInUse: 5 },
      local: { instance: 'app-a', connections: 3, users: 3, units: 3 },
    });
    expect((await of('app-b')).local).toEqual({
      instance: 'app-b',
      connections: 3,
      users: 2,
      units: 3,
      connectionsPeak: 3,
      unitsPeak: 3,
    });
    expect((await of('idle')).local).toEqual({
      instance: 'idle',
      connections: 0,
      users: 0,
      units: 0,
      connectionsPeak: 0,
      unitsPeak: 0,
    });
    const keyless = await of('keyless');
    expect(keyless).toMatchObject({ distributed: { unitsEnforced: 1, unitsInUse: 1, instances: 1 } });
    expect(keyless).not.toHaveProperty('key');
  });

  test('200 as text in the layout of ShowSummary, whose users are units (trap 13)', async () => {
    const response = await get('summary?instance=app-b', TEXT);
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(response.body).toBe(`License Server summary view of active key.

     Distributed license use:
Current License Units Used =       5
Maximum License Units Used =       6
License Units     Enforced =      10
License Units   Authorized =       8

     Local license use:
Current Connections =      3  Maximum Connections =      3
Current Users       =      3  Maximum Users       =      3
`);
    const iris = await get('summary?instance=app-b&generation=iris', TEXT);
    expect(iris.body).toBe(response.body.replace(/^.*Enforced.*\n/m, ''));
    expect(iris.headers['as-of']).toMatch(/^20\S+Z$/);
    const without = await get(`summary?key=${single}`, TEXT);
    expect(without.body).toMatch(/^License Units {3}Authorized = {5}100\n$/m);
    expect(without.body).not.toContain('Local');
  });

  test.each([
    ['text/plain', true],
    ['text/plain;q=0.9, application/json;q=0.5', true],
    ['text/*', true],
    ['application/x-ndjson, text/plain;q=0.5', true],
    ['text/plain;q=0.1, application/json', false],
    ['text/plain;q=0', false],
    ['*/*', false],
    ['text/html,application/xhtml+xml,*/*;q=0.8', false],
    ['application/json', false],
  ])('Accept: %s is text: %s', async (accept, isText) => {
    const { headers } = await get(`summary?key=${shared}`, { headers: { accept } });
    expect(String(headers['content-type']).startsWith('text/plain')).toBe(isText);
  });

  test('200 for what a token can only mean: its own instance', async () => {
    const token = await started.token('instance', { instance: 'app-b' });
    expect((await get('summary', { token })).json()).toMatchObject({
      key: shared,
      local: { instance: 'app-b' },
    });
    const ofKey = await started.token('viewer', { keys: [single] });
    expect((await get('summary', { token: ofKey })).json()).toMatchObject({ key: single });
  });

  test('400 when it must be said what is meant, 401, 403, 404', async () => {
    const unclear = await get('summary');
    expect([unclear.statusCode, unclear.json().errors[0].pointer]).toEqual([400, '?key']);
    expect((await get(`summary?keys=${shared}`)).statusCode).toBe(400);
    expect((await get('summary', { token: null })).statusCode).toBe(401);
    const token = await started.token('instance', { instance: 'app-b' });
    for (const query of [`?key=${single}`, '?instance=app-a', `?key=${shared}&instance=app-a`]) {
      expect((await get(`summary${query}`, { token })).statusCode).toBe(403);
    }
    const codeOf = async (query: string) => (await get(`summary${query}`)).json().code;
    expect(await codeOf('?key=1-00000000')).toBe('key-not-found');
    expect(await codeOf('?key=1-00000000&instance=app-a')).toBe('key-not-found');
    expect(await codeOf('?instance=nowhere')).toBe('instance-not-found');
  });
});

const client = (userId: string, connections: number, units: number, isShared = false) => ({
  userId,
  connections,
  units,
  shared: isShared,
});

describe('GET /v1/usage/servers (F-19, F-62)', () => {
  test('200: one unit for a user on two instances, the other row shares it; totals of instances and keys', async () => {
    const { items, totals } = (await get(`servers?key=${shared}`)).json();
    expect(items).toEqual([
      {
        key: shared,
        instance: 'app-a',
        state: 'active',
        users: 3,
        connections: 3,
        units: 3,
        unitsShared: 1,
        unitsReserved: 0,
        clients: [client('alice', 1, 1), client('bob', 1, 1), client('carol', 1, 1)],
      },
      {
        key: shared,
        instance: 'app-b',
        state: 'active',
        users: 2,
        connections: 3,
        units: 2,
        unitsShared: 1,
        unitsReserved: 0,
        clients: [client('alice', 1, 0, true), client('carol', 2, 2)],
      },
      {
        key: shared,
        instance: 'idle',
        state: 'active',
        users: 0,
        connections: 0,
        units: 0,
        unitsShared: 0,
        unitsReserved: 0,
        clients: [],
      },
    ]);
    expect(totals).toEqual([
      {
        key: shared,
        unitsInUse: 5,
        unitsEnforced: 10,
        unitsAuthorised: 8,
        users: 3,
        connections: 6,
        instances: 3,
      },
    ]);
  });

  test.each([1, 2, 3, 100])(
    '200 page by page, %i users each: every row once, over all keys (F-6)',
    async (limit) => {
      const seen: string[] = [];
      const total = { units: 0 };
      let cursor = '';
      let pages = 0;
      do {
        const page = (await get(`servers?limit=${limit}${cursor}`)).json();
        let rows = 0;
        for (const { key = 'none', instance, clients } of page.items) {
          rows += Math.max(1, clients.length);
          if (clients.length === 0) seen.push(`${key} ${instance} -`);
          for (const { userId, units } of clients) {
            seen.push(`${key} ${instance} ${userId}`);
            total.units += units;
          }
        }
        expect(rows).toBeLessThanOrEqual(limit);
        cursor = page.nextCursor === undefined ? '' : `&cursor=${page.nextCursor}`;
        pages += 1;
      } while (cursor !== '');
      expect(seen).toEqual([
        `${shared} app-a alice`,
        `${shared} app-a bob`,
        `${shared} app-a carol`,
        `${shared} app-b alice`,
        `${shared} app-b carol`,
        `${shared} idle -`,
        `${single} lone alice`,
        'none keyless two\nlines',
      ]);
      expect(total.units).toBe(5 + 1 + 1);
      expect(pages).toBe(Math.ceil(8 / limit));
    },
  );

  test('200 as text: connections, units and client, shr, totals, shared units, grand total', async () => {
    const response = await get(`servers?key=${shared}`, TEXT);
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(response.body.replace(/at \S+Z/, 'at NOW')).toBe(`License Server database of all servers at NOW

Key ${shared}: 8 license units authorized, 10 enforced

     Instance app-a
Connections  License Units  Client
          1              1  alice
          1              1  bob
          1              1  carol
          3              3  Total of 3 clients
                         1  Units shared with other instances

     Instance app-b
Connections  License Units  Client
          1            shr  alice
          2              2  carol
          3              2  Total of 2 clients
                         1  Units shared with other instances

     Instance idle
Connections  License Units  Client
          0              0  Total of 0 clients
                         0  Units shared with other instances

     All instances
Connections  License Units  Client
          6              5  Grand total of 3 clients on 3 active instances
`);
    const all = (await get('servers', TEXT)).body;
    expect(all).toContain('Instance keyless without a usable key: 1 license units authorized, 1 enforced');
    // Whatever a user ID holds, it stays on its line.
    expect(all).toContain('          1              1  two\\u000alines\n');
  });

  test('200 of one instance: DumpServer, without the grand total (F-62)', async () => {
    const { items } = (await get('servers?instance=app-b')).json();
    expect(items).toMatchObject([{ instance: 'app-b', clients: [{ userId: 'alice' }, { userId: 'carol' }] }]);
    const { body } = await get('servers?instance=app-b', TEXT);
    expect(body).toMatch(/^License Server database of server app-b at 20/);
    expect(body).not.toMatch(/app-a|Grand total/);
    expect((await get('servers?instance=nowhere')).json().code).toBe('instance-not-found');
    const token = await started.token('instance', { instance: 'app-b' });
    expect((await get('servers?instance=app-a', { token })).statusCode).toBe(403);
  });

  test('200: the token of an instance sees its own rows and the totals of its key', async () => {
    const token = await started.token('instance', { instance: 'app-b' });
    const { items, totals } = (await get('servers', { token })).json();
    expect(items).toMatchObject([{ instance: 'app-b', clients: [{ userId: 'alice' }, { userId: 'carol' }] }]);
    expect(totals).toMatchObject([{ key: shared, unitsInUse: 5 }]);
    const ofKey = await started.token('viewer', { keys: [single] });
    expect((await get('servers', { token: ofKey })).json().items).toMatchObject([{ instance: 'lone' }]);
  });

  test('400, 401, 403, 404', async () => {
    expect((await get('servers?limit=0')).statusCode).toBe(400);
    expect((await get('servers?cursor=nonsense')).statusCode).toBe(400);
    const { nextCursor } = (await get('servers?limit=1')).json();
    const withCursor = await get(`servers?cursor=${nextCursor}`, TEXT);
    expect([withCursor.statusCode, withCursor.json().errors[0].pointer]).toEqual([400, '?cursor']);
    expect((await get('servers', { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: [single] });
    expect((await get(`servers?key=${shared}`, { token })).statusCode).toBe(403);
    expect((await get('servers?key=1-00000000')).statusCode).toBe(404);
  });
});

describe('one user on three instances of a key (F-31, F-32)', () => {
  test('costs one unit in both reports with 2 connections each, and 30 with 30 in all', async () => {
    const key = (await started.installKey({ OrderNumber: 2003, AuthorizedUnits: 50 })).id;
    const instances = ['x-1', 'x-2', 'x-3'];
    for (const name of instances) await started.register(name, key);
    for (const name of [...instances, ...instances]) await started.login(name, 'eve');
    const unitsOf = async () => {
      const dump = (await get(`servers?key=${key}`)).json();
      const rows = dump.items.map(
        ({ clients }: { clients: { connections: number; units: number; shared: boolean }[] }) =>
          clients.map(({ connections, units, shared: isShared }) => [connections, isShared ? 'shr' : units]),
      );
      const summary = (await get(`summary?key=${key}`)).json();
      return [rows.flat(), dump.totals[0].unitsInUse, summary.distributed.unitsInUse];
    };
    expect(await unitsOf()).toEqual([
      [
        [2, 1],
        [2, 'shr'],
        [2, 'shr'],
      ],
      1,
      1,
    ]);
    for (let round = 0; round < 8; round += 1) {
      for (const name of instances) await started.login(name, 'eve');
    }
    expect(await unitsOf()).toEqual([
      [
        [10, 10],
        [10, 10],
        [10, 10],
      ],
      30,
      30,
    ]);
  });
});

describe('one user on three instances that report their own tables (F-51)', () => {
  test('costs one unit in both reports with 2 connections each, and 30 with 30 in all', async () => {
    const key = (await started.installKey({ OrderNumber: 2004, AuthorizedUnits: 50 })).id;
    const changed = await started.call(`PATCH /v1/keys/${key}`, {
      body: { enforcement: 'local' },
      headers: { 'if-match': '*' },
    });
    expect(changed.statusCode).toBe(200);
    const instances = ['y-1', 'y-2', 'y-3'];
    for (const name of instances) await started.register(name, key);
    const report = async (sequence: number, connections: number) => {
      const row = { id: 'eve', connections, webSessions: 0, transitioned: false };
      const digest = new TableDigest();
      digest.add(row);
      for (const name of instances) {
        const { statusCode } = await started.call(`POST /v1/instances/${name}/updates`, {
          body: {
            incarnation: 1,
            sequence,
            since: sequence - 1,
            users: [row],
            digest: digestText(digest),
            ...(sequence === 1 ? { fullFrom: 1 } : {}),
          },
        });
        expect(statusCode).toBe(200);
      }
    };
    const text = async () => {
      const { body } = await get(`servers?key=${key}`, TEXT);
      return body.split('\n').filter((line: string) => / eve$|Grand/.test(line));
    };
    await report(1, 2);
    expect(await text()).toEqual([
      '          2              1  eve',
      '          2            shr  eve',
      '          2            shr  eve',
      '          6              1  Grand total of 1 client on 3 active instances',
    ]);
    await report(2, 10);
    expect(await text()).toEqual([
      '         10             10  eve',
      '         10             10  eve',
      '         10             10  eve',
      '         30             30  Grand total of 1 client on 3 active instances',
    ]);
    const local = (await get('summary?instance=y-2')).json();
    expect(local).toMatchObject({
      distributed: { unitsInUse: 30, users: 1 },
      local: { connections: 10, users: 1, units: 10 },
    });
  });
});
