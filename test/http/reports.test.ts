/** The reports of keys and of licence servers, by the API. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { StandingClock } from '../support/clock.ts';
import { readContract, underContract } from '../support/contract.ts';

const TEXT = { headers: { accept: 'text/plain' } };
const golden = (name: string) =>
  readFileSync(new URL(`../fixtures/reports/${name}.txt`, import.meta.url), 'utf8');

let started: StartedApp;
let clock: StandingClock;
let orders = 8_100;

beforeAll(async () => {
  clock = new StandingClock();
  started = underContract(await startApp({ clock }), await readContract());
});
afterAll(async () => {
  await started.close();
});

async function makeKey(fields: Parameters<StartedApp['installKey']>[0] = {}) {
  orders += 1;
  return started.installKey({ OrderNumber: orders, ...fields });
}

const read = async (path: string, options = {}) => (await started.call(`GET ${path}`, options)).json();
const readText = async (path: string, options = {}) =>
  (await started.call(`GET ${path}`, { ...TEXT, ...options })).body;

/** The value that a key file has under a keyword. */
const fieldOf = (file: string, keyword: string) => new RegExp(`^${keyword}=(.*)$`, 'm').exec(file)![1]!;

describe('GET /v1/instances/{name}/key (CKEY, F-60)', () => {
  test('200 as text: the layout of the transcript, with what is left of the units', async () => {
    const LicenseCapacity = 'Example Server - Concurrent Users:25, Multi-Server';
    const { id, text } = await makeKey({ AuthorizedUnits: 25, LicenseCapacity });
    await started.register('shown', id, { product: 'InterSystems IRIS' });
    for (const user of ['a', 'b', 'c']) await started.login('shown', user);
    const gone = await started.login('shown', 'd');
    await started.ask({ op: 'logout', instance: 'shown', id: gone, reason: 'logout', actor: 'tester' });
    const body = await readText('/v1/instances/shown/key');
    expect(body).toBe(`InterSystems IRIS Key display:
Based on the active key file '${id}.key'

     LicenseCapacity =   ${LicenseCapacity}
     CustomerName =      Example Clinic
     OrderNumber =       ${orders}
     ExpirationDate =    12/31/2099
     AuthorizationKey =  ${fieldOf(text, 'AuthorizationKey')}
     MachineID =

     Current Available =     22
     Minimum Available =     21
     Maximum Available =     25
`);
    const cache = await readText('/v1/instances/shown/key?generation=cache');
    expect(cache).toBe(body.replace('InterSystems IRIS', 'Cache'));
  });

  test('200 as JSON: the fields, the terms, availability, and how many active instances use the order', async () => {
    const { id } = await makeKey({ AuthorizedUnits: 7, LicenseID: 'ward', Features: 'NLP' });
    await started.register('one', id);
    await started.register('two', id);
    const report = await read('/v1/instances/one/key');
    expect(report).toMatchObject({
      instance: 'one',
      key: { id, unitsAuthorised: 7, features: ['NLP'] },
      status: 'valid',
      unitsAvailable: 7,
      unitsAvailableMin: 7,
      unitsAvailableMax: 7,
      activeServers: 2,
      asOf: new Date(clock.nowMs()).toISOString(),
    });
    const fields = Object.fromEntries(
      report.fields.map(({ field, value }: Record<string, string>) => [field, value]),
    );
    expect(fields).toMatchObject({
      LicenseCapacity: 'Example Server - Concurrent User:7, Multi-Server',
      LicenseID: 'ward',
      LicenseType: 'Concurrent User',
      Server: 'Multi',
    });
  });

  test('the authorization key is shown only to who may install keys', async () => {
    const { id } = await makeKey();
    await started.register('hidden', id);
    for (const token of [started.tokens.operator, started.tokens.viewer, started.tokens.instance])
      expect(await readText('/v1/instances/hidden/key', { token })).toContain(
        '     AuthorizationKey =  (not shown)\n',
      );
    expect(await readText('/v1/instances/hidden/key')).not.toContain('(not shown)');
  });

  test('without a usable key it says so in place of the customer (F-20, F-24)', async () => {
    await started.register('keyless');
    const body = await readText('/v1/instances/keyless/key');
    expect(body).toContain('There is no active key file\n');
    expect(body).toContain('     LicenseCapacity =   Default license for configuration diagnosis.\n');
    expect(body).toContain('     CustomerName =      License missing or unreadable\n');
    expect(body).toContain('     Maximum Available =      1\n');
    const { id } = await makeKey({ ExpirationDate: '1/1/2020' });
    await started.register('expired', id);
    const expired = await read('/v1/instances/expired/key');
    expect(expired.status).toBe('invalid');
    expect(expired.fields[1]).toEqual({ field: 'CustomerName', value: expect.stringContaining('expired') });
  });

  test('404, and 403 outside a restriction', async () => {
    expect((await started.call('GET /v1/instances/nowhere/key')).statusCode).toBe(404);
    const token = await started.token('instance', { instance: 'elsewhere' });
    expect((await started.call('GET /v1/instances/shown/key', { token })).statusCode).toBe(403);
  });
});

describe('GET /v1/license-servers/active (ShowServer, F-16)', () => {
  test('none, then the one that is active; not applicable for a single-server key', async () => {
    expect(await readText('/v1/license-servers/active')).toBe('Not connected to license server\n');
    expect(await read('/v1/license-servers/active')).toEqual({
      applicable: true,
      asOf: new Date(clock.nowMs()).toISOString(),
    });
    await started.call('PUT /v1/license-servers/PRIMARY', { body: { address: '192.0.2.1' } });
    await started.call('POST /v1/license-servers/PRIMARY/beat', { body: { holder: 'udp-1' } });
    expect(await readText('/v1/license-servers/active')).toBe(golden('show-server'));
    expect(await read('/v1/license-servers/active')).toMatchObject({
      active: { name: 'PRIMARY', address: '192.0.2.1', port: 4001 },
      applicable: true,
    });
    const { id } = await makeKey({ Server: 'Single' });
    await started.register('single', id);
    expect(await readText('/v1/license-servers/active?instance=single')).toBe(
      'Not applicable: the active key is for a single server\n',
    );
    expect(await read('/v1/license-servers/active?instance=single')).toMatchObject({ applicable: false });
    expect((await started.call('GET /v1/license-servers/active?instance=nowhere')).statusCode).toBe(404);
  });
});

describe('GET /v1/usage/keys (DumpKeys, DumpKey; F-62)', () => {
  let key: string;

  beforeAll(async () => {
    key = (await makeKey({ AuthorizedUnits: 8 })).id;
    await started.register('node-b', key);
    await started.register('node-a', key);
    for (const [instance, user] of [
      ['node-b', 'alice'],
      ['node-a', 'alice'],
      ['node-a', 'bob'],
    ] as const)
      await started.login(instance, user);
  });

  test('200 as JSON: a user on two instances is one unit, and his other row shares it', async () => {
    const { items } = await read(`/v1/usage/keys?key=${key}`);
    const use = { instances: 2, unitsAuthorised: 8, unitsEnforced: 8, unitsInUse: 2, unitsPeak: 2 };
    expect(items).toMatchObject([{ key, ...use }]);
    expect(items[0].clients).toEqual([
      { userId: 'alice', instance: 'node-a', connections: 1, units: 1, shared: false },
      { userId: 'alice', instance: 'node-b', connections: 1, units: 0, shared: true },
      { userId: 'bob', instance: 'node-a', connections: 1, units: 1, shared: false },
    ]);
  });

  test('200 as text: the fields of the key, its units, and who uses them where', async () => {
    const body = await readText(`/v1/usage/keys?key=${key}`);
    expect(body).toMatch(/^License Server database of one key at 20\S+Z\n\nKey /);
    expect(body).toContain('Instances    using the key =       2\n');
    expect(body).toContain('alice                              shr            1                   node-b\n');
    const all = await readText('/v1/usage/keys');
    expect(all).toMatch(/^License Server database of all keys at /);
    expect(all.match(/^Key /gm)!.length).toBeGreaterThan(1);
  });

  test('pages go on among the rows of a key, and with the next key', async () => {
    const whole = (await read('/v1/usage/keys')).items;
    const rows: unknown[] = [];
    const keys = new Set();
    let cursor = '';
    do {
      const page = await read(`/v1/usage/keys?limit=2${cursor}`);
      for (const item of page.items) {
        keys.add(item.key);
        rows.push(...item.clients.map((client: object) => ({ key: item.key, ...client })));
      }
      cursor = page.nextCursor ? `&cursor=${encodeURIComponent(page.nextCursor)}` : '';
    } while (cursor !== '');
    const expected = whole.flatMap((item: { key?: string; clients: object[] }) =>
      item.clients.map((client) => ({ key: item.key, ...client })),
    );
    expect(rows).toEqual(expected);
    expect(keys.size).toBe(new Set(whole.map((item: { key?: string }) => item.key)).size);
  });

  test('a token sees its own instances only, with the totals of their key; 404, 403', async () => {
    const token = await started.token('instance', { instance: 'node-b' });
    const [use] = (await read(`/v1/usage/keys?key=${key}`, { token })).items;
    expect(use).toMatchObject({ unitsInUse: 2, clients: [{ userId: 'alice', instance: 'node-b' }] });
    const other = await started.token('viewer', { keys: ['none'] });
    expect((await started.call(`GET /v1/usage/keys?key=${key}`, { token: other })).statusCode).toBe(403);
    expect((await started.call('GET /v1/usage/keys?key=none')).statusCode).toBe(404);
  });
});
