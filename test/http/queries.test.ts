/** The queries of the legacy class, by the API (notes 2.6). */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { QUERIES } from '../../src/domain/texts/queries.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { StandingClock } from '../support/clock.ts';
import { readContract, underContract } from '../support/contract.ts';

const TEXT = { headers: { accept: 'text/plain' } };

let started: StartedApp;
let clock: StandingClock;
let key: string;

beforeAll(async () => {
  clock = new StandingClock();
  started = underContract(await startApp({ clock }), await readContract());
  const fields = { OrderNumber: 8_301, AuthorizedUnits: 6, EnforcedUnits: 8, Features: 'NLP, Own Thing' };
  key = (await started.installKey(fields, '\n[ISC.Lab]\nLab Users=5\n\n[Acme.Ward]\nBeds=Many\n')).id;
  await started.register('app-a', key, { address: '192.0.2.10' });
  await started.register('app-b', key);
  await started.login('app-a', 'alice', { claims: { user: 'alice', processId: 11 } });
  clock.advance(10_000);
  await started.login('app-b', 'alice');
  await started.login('app-a', 'bob', { claims: { user: 'bob', processId: 12 } });
  const body = { instance: 'app-a', webSession: 'session' };
  const { id } = (await started.call('POST /v1/logins', { body })).json();
  await started.call(`DELETE /v1/logins/${id}?pages=1`);
  clock.advance(5_000);
});
afterAll(async () => {
  await started.close();
});

const get = (path: string, options = {}) => started.call(`GET /v1/queries/${path}`, options);
const rowsOf = async (path: string, options = {}) => {
  const response = await get(path, options);
  expect([path, response.statusCode, response.body]).toEqual([path, 200, expect.any(String)]);
  return response.json().rows;
};

describe('GET /v1/queries', () => {
  test('lists every query of notes 2.6 with exactly its columns', async () => {
    const { items } = (await started.call('GET /v1/queries')).json();
    const columns = Object.fromEntries(
      items.map(({ name, columns }: { name: string; columns: string[] }) => [name, columns]),
    );
    const user = ['UserId', 'Type', 'Connects', 'MaxCon', 'CSPCon', 'LU', 'Active', 'Grace'];
    const use = ['UserId', 'LicenseUnits', 'Connections', 'ServerIP', 'Instance'];
    expect(columns).toEqual({
      Counts: ['InstanceLicenseUse', 'License Units'],
      Summary: ['LicenseUnitUse', 'Local', 'Distributed'],
      ProcessList: [
        'PID',
        'DisplayPID',
        'Process',
        'LID',
        'Type',
        'Con',
        'MaxCon',
        'CSPCon',
        'LU',
        'Active',
        'Grace',
      ],
      UserList: user,
      UserListAll: user,
      ApplicationUserList: [...user, 'AppLicenses'],
      TrakCareUserList: [...user, 'TrakLicenses'],
      Key: ['Field', 'Value'],
      Decode: ['Field', 'Units'],
      LicenseManager: ['IPAddress', 'Port'],
      LoginDuration: ['Duration', 'Count'],
      ActiveServerList: ['Address', 'Instance', 'OrderNumber'],
      LicenseServerKeyList: [
        'LicenseCapacity',
        'CustomerName',
        'OrderNumber',
        'ExpirationDate',
        'AuthorizationKey',
        'MachineID',
        'LicenseID',
      ],
      ConnectionList: use,
      AllKeyConnectionList: use,
      ConnectionAppList: [...use, 'ApplicationUse'],
    });
  });

  test('each gives rows as wide as its columns, in any case of its name, and as text', async () => {
    for (const { name, of, takes } of QUERIES) {
      const about = of === 'all' ? '' : '?instance=app-a';
      const application = takes.includes('application') ? '&application=ISC.Lab' : '';
      const page = (await get(`${name.toUpperCase()}${about}${application}`)).json();
      expect(page).toMatchObject({ name, asOf: new Date(clock.nowMs()).toISOString() });
      for (const row of page.rows) expect([name, row.length]).toEqual([name, page.columns.length]);
      const text = await get(`${name}${about}${application}`, TEXT);
      expect(text.headers['as-of']).toBe(page.asOf);
      expect(text.body.split('\n')[0]!.split(/ {2,}/).join()).toContain(page.columns[0]);
    }
  });
});

describe('queries about one instance', () => {
  test('Counts: the nine labels of ShowCounts', async () => {
    expect(await rowsOf('Counts?instance=app-a')).toEqual([
      ['Total   Authorized LU', 6],
      ['Current Available LU', 5],
      ['Minimum Available LU', 5],
      ['Current Users active', 3],
      ['Maximum Users active', 3],
      ['Current CSP Users active', 1],
      ['Maximum CSP Users active', 1],
      ['Current CSP Sessions in grace period', 1],
      ['Maximum CSP Sessions in grace period', 1],
    ]);
  });

  test('Summary: local and distributed values in the order of IRIS', async () => {
    expect(await rowsOf('Summary?instance=app-a')).toEqual([
      ['Current License Units Used', 3, 3],
      ['Maximum License Units Used', 3, 3],
      ['License Units Authorized', 6, 6],
      ['Current Connections', 3, 4],
      ['Maximum Connections', 3, 4],
    ]);
  });

  test('ProcessList: processes with the numbers of their users, blank for workers of sessions', async () => {
    expect(await rowsOf('ProcessList?instance=app-a')).toEqual([
      [11, '11', 'User', 'alice', 'User', 1, 2, 0, 1, 15, 0],
      [12, '12', 'User', 'bob', 'User', 1, 1, 0, 1, 5, 0],
      [null, '', 'CSP', 'session', null, null, null, null, null, null, null],
    ]);
    expect(await rowsOf('ProcessList?instance=app-a&filter=12')).toEqual([
      expect.arrayContaining([12, 'bob']),
    ]);
  });

  test('UserList: types and numbers; with all every slot, used or free', async () => {
    const users = [
      ['alice', 'User', 1, 2, 0, 1, 15, 0],
      ['bob', 'User', 1, 1, 0, 1, 5, 0],
      ['session', 'Grace', 1, 1, 1, 1, 5, 595],
    ];
    expect(await rowsOf('UserList?instance=app-a')).toEqual(users);
    expect(await rowsOf('UserList?instance=app-a&filter=BO')).toEqual([users[1]]);
    const free = ['', '', 0, 0, 0, 0, 0, 0];
    const slots = [...users, free, free, free, free, free];
    expect(await rowsOf('UserListAll?instance=app-a')).toEqual(slots);
    expect(await rowsOf('UserList?instance=app-a&all=true')).toEqual(slots);
    const paged: unknown[] = [];
    let cursor = '';
    do {
      const page = (await get(`UserListAll?instance=app-a&limit=2${cursor}`)).json();
      paged.push(...page.rows);
      cursor = page.nextCursor ? `&cursor=${encodeURIComponent(page.nextCursor)}` : '';
    } while (cursor !== '');
    expect(paged).toEqual(slots);
  });

  test('Key: the main section, the application sections, or all', async () => {
    const main = await rowsOf('Key?instance=app-a');
    expect(main.slice(0, 6).map(([field]: string[]) => field)).toEqual([
      'LicenseCapacity',
      'CustomerName',
      'OrderNumber',
      'ExpirationDate',
      'AuthorizationKey',
      'MachineID',
    ]);
    expect(main).toContainEqual(['EnforcedUnits', '8']);
    const sections = [
      ['[ISC.Lab]', ''],
      ['Lab Users', '5'],
      ['[Acme.Ward]', ''],
      ['Beds', 'Many'],
    ];
    expect(await rowsOf('Key?instance=app-a&sections=2')).toEqual(sections);
    expect(await rowsOf('Key?instance=app-a&sections=3')).toEqual([...main, ...sections]);
    expect((await get('Key?instance=app-a&sections=4')).statusCode).toBe(400);
    const viewer = { token: started.tokens.viewer };
    expect(await rowsOf('Key?instance=app-a', viewer)).toContainEqual(['AuthorizationKey', '(not shown)']);
  });

  test('Decode: what the explicit fields of the key state, and its features', async () => {
    const rows = await rowsOf('Decode?instance=app-a');
    expect(rows.slice(0, 2)).toEqual([
      ['Concurrent User', 6],
      ['License Units Enforced', 8],
    ]);
    expect(rows).toContainEqual(['NLP', 1]);
    expect(rows).toContainEqual(['Sharding', 0]);
    expect(rows.at(-1)).toEqual(['Own Thing', 1]);
  });

  test('LoginDuration: six classes', async () => {
    const id = await started.login('app-b', 'short');
    clock.advance(2_000);
    await started.ask({ op: 'logout', instance: 'app-b', id, reason: 'logout', actor: 'tester' });
    expect(await rowsOf('LoginDuration?instance=app-b')).toEqual([
      ['Up to 1 seconds', 0],
      ['Up to 15 seconds', 1],
      ['Up to 60 seconds', 0],
      ['Up to 900 seconds', 0],
      ['Up to 3600 seconds', 0],
      ['More than 3600 seconds', 0],
    ]);
  });
});

describe('queries of application licences (notes 2.6, 6.3)', () => {
  test('who holds which keywords, how often, and over all applications', async () => {
    const entries = { 'Lab Users': 5, 'Lab Devices': 5 };
    for (const [instance, application] of [
      ['app-a', 'Lab'],
      ['app-a', 'TrakCare'],
    ]) {
      const put = `PUT /v1/instances/${instance}/applications/${application}`;
      expect((await started.call(put, { body: { entries } })).statusCode).toBe(201);
    }
    const take = async (user: string, features: object[]) => {
      const body = { userId: user, features };
      const taken = await started.call('POST /v1/instances/app-a/applications/take', { body });
      expect([taken.statusCode, taken.body]).toEqual([200, expect.any(String)]);
    };
    const users = { application: 'Lab', feature: 'Lab Users' };
    await take('alice', [users, users, { application: 'Lab', feature: 'Lab Devices' }]);
    await take('bob', [{ application: 'TrakCare', feature: 'Lab Users' }]);
    const of = async (query: string) => (await rowsOf(query)).map((row: unknown[]) => [row[0], row.at(-1)]);
    expect(await of('ApplicationUserList?instance=app-a&application=Lab')).toEqual([
      ['alice', 'Lab Devices,Lab Users'],
    ]);
    expect(await of('ApplicationUserList?instance=app-a&application=Lab&showCounts=true')).toEqual([
      ['alice', 'Lab Devices=1,Lab Users=2'],
    ]);
    expect(await of('TrakCareUserList?instance=app-a')).toEqual([['bob', 'Lab Users']]);
    expect(await of('TrakCareUserList?instance=app-a&all=true')).toEqual([
      ['alice', ''],
      ['bob', 'Lab Users'],
      ['session', ''],
    ]);
    const use = (await rowsOf('ConnectionAppList?instance=app-a')) as unknown[][];
    expect(use.map((row) => [row[0], row[4], row[5]])).toEqual([
      ['alice', 'app-a', 'Lab,Lab Devices;Lab,Lab Users'],
      ['alice', 'app-b', ''],
      ['bob', 'app-a', 'TrakCare,Lab Users'],
      ['session', 'app-a', ''],
    ]);
  });
});

describe('queries of the licence server', () => {
  test('ConnectionList: a unit that stands on another row reads shr (notes 2.6)', async () => {
    const expected = [
      ['alice', 1, 1, '192.0.2.10', 'app-a'],
      ['alice', 'shr', 1, '', 'app-b'],
      ['bob', 1, 1, '192.0.2.10', 'app-a'],
      ['session', 1, 1, '192.0.2.10', 'app-a'],
    ];
    expect(await rowsOf(`ConnectionList?key=${key}`)).toEqual(expected);
    expect(await rowsOf('ConnectionList?instance=app-b')).toEqual(expected);
    const { rows, nextCursor } = (await get(`ConnectionList?key=${key}&limit=3`)).json();
    expect(rows).toEqual(expected.slice(0, 3));
    const rest = (await get(`ConnectionList?key=${key}&limit=3&cursor=${nextCursor}`)).json();
    expect(rest.rows).toEqual(expected.slice(3));
    expect(rest).not.toHaveProperty('nextCursor');
    expect(await rowsOf('AllKeyConnectionList')).toEqual(expected);
  });

  test('ActiveServerList and LicenseServerKeyList', async () => {
    expect(await rowsOf('ActiveServerList?instance=app-a')).toEqual([
      ['192.0.2.10', 'app-a', '8301'],
      ['', 'app-b', '8301'],
    ]);
    const [row] = await rowsOf('LicenseServerKeyList');
    expect(row.slice(1, 4)).toEqual(['Example Clinic', '8301', '12/31/2099']);
  });

  test('LicenseManager: the active licence server, or no row', async () => {
    expect(await rowsOf('LicenseManager')).toEqual([]);
    await started.call('PUT /v1/license-servers/PRIMARY', { body: { address: '192.0.2.1' } });
    await started.call('POST /v1/license-servers/PRIMARY/beat', { body: { holder: 'udp-1' } });
    expect(await rowsOf('LicenseManager')).toEqual([['192.0.2.1', 4001]]);
  });
});

describe('what a query cannot be asked', () => {
  test('404 for one that there is not; 400 for what it does not take, or must be told', async () => {
    const unknown = await get('Everything');
    expect([unknown.statusCode, unknown.json().code]).toEqual([404, 'not-found']);
    const strange = await get('Counts?instance=app-a&all=true');
    expect([strange.statusCode, strange.json().errors[0].pointer]).toEqual([400, '?all']);
    expect((await get('UserList')).json().errors[0].pointer).toBe('?instance');
    expect((await get('ApplicationUserList?instance=app-a')).json().errors[0].pointer).toBe('?application');
    expect((await get('UserList?instance=nowhere')).json().code).toBe('instance-not-found');
    expect((await get('ConnectionList?key=none')).json().code).toBe('key-not-found');
  });

  test('403 outside a restriction; the token of an instance means its own', async () => {
    const token = await started.token('instance', { instance: 'app-b' });
    expect(await rowsOf('UserList', { token })).toEqual([expect.arrayContaining(['alice'])]);
    expect(await rowsOf('ConnectionList', { token })).toEqual([['alice', 'shr', 1, '', 'app-b']]);
    expect((await get('UserList?instance=app-a', { token })).statusCode).toBe(403);
    const other = await started.token('viewer', { keys: ['none'] });
    expect((await get(`ConnectionList?key=${key}`, { token: other })).statusCode).toBe(403);
    expect(await rowsOf('AllKeyConnectionList', { token: other })).toEqual([]);
    expect(await rowsOf('LicenseServerKeyList', { token: other })).toEqual([]);
  });
});
