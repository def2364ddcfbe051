import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';

const LEASE_MS = 8_000;
const ROSTER = '/v1/license-servers';

let started: StartedApp;

beforeAll(async () => {
  started = await startApp({ licenseServerLeaseMs: LEASE_MS });
});
afterAll(async () => {
  await started.close();
});
beforeEach(async () => {
  await started.sql`delete from license_servers`;
  await started.sql`delete from active_license_server`;
});

const put = (name: string, body: object, token?: string) =>
  started.call(`PUT ${ROSTER}/${name}`, { body, ...(token === undefined ? {} : { token }) });
const list = async (token?: string) =>
  (await started.call(`GET ${ROSTER}`, token === undefined ? {} : { token })).json();
const beat = async (name: string, holder: string, resign?: boolean) =>
  started.call(`POST ${ROSTER}/${name}/beat`, {
    body: { holder, ...(resign === undefined ? {} : { resign }) },
  });

async function addTwo(): Promise<void> {
  await put('primary', { address: '192.0.2.1' });
  await put('secondary', { address: '192.0.2.2' });
}

async function expire(): Promise<void> {
  await started.sql`update active_license_server set expires_at = clock_timestamp() - interval '1 ms'`;
}

describe('PUT /v1/license-servers/{name}', () => {
  test('201 in upper case with the default port (F-14, trap 21), 200 when it changes or stays', async () => {
    const added = await put('Primary', { address: 'Licences.Example' });
    expect(added.statusCode).toBe(201);
    expect(added.headers.location).toBe(`${ROSTER}/PRIMARY`);
    expect(added.json()).toEqual({
      name: 'PRIMARY',
      address: 'licences.example',
      port: 4001,
      state: 'down',
      changedAt: expect.stringMatching(/Z$/),
      changedBy: 'administrator (configured)',
      outcome: 'added',
    });
    const same = await put('PRIMARY', { address: 'licences.example', port: 4001 });
    expect([same.statusCode, same.json().outcome]).toEqual([200, 'unchanged']);
    const changed = await put('primary', { address: '2001:DB8::1', port: 4002 });
    expect([changed.statusCode, changed.json()]).toEqual([
      200,
      expect.objectContaining({ address: '2001:db8::1', port: 4002, outcome: 'changed' }),
    ]);
    expect((await list()).items).toHaveLength(1);
  });

  test.each([
    ['primary', {}, '/address'],
    ['primary', { address: 'a b' }, '/address'],
    ['primary', { address: '0.0.0.0' }, '/address'],
    ['primary', { address: '192.0.2.1', port: 1023 }, '/port'],
    ['primary', { address: '192.0.2.1', port: 65536 }, '/port'],
    ['primary', { address: '192.0.2.1', prot: 4001 }, '/prot'],
    ['a%20b', { address: '192.0.2.1' }, 'name'],
    ['x'.repeat(65), { address: '192.0.2.1' }, 'name'],
  ])('400 for %s %j', async (name, body, pointer) => {
    const response = await put(name, body);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0].pointer).toBe(pointer);
  });

  test('401 without a token, 403 for other roles and for a restricted administrator', async () => {
    const request = `PUT ${ROSTER}/primary`;
    const body = { address: '192.0.2.1' };
    expect((await started.call(request, { body, token: null })).statusCode).toBe(401);
    for (const role of ['operator', 'viewer', 'instance'] as const) {
      expect((await put('primary', body, started.tokens[role])).statusCode).toBe(403);
    }
    const restricted = await started.token('administrator', { instance: 'app-a' });
    expect((await put('primary', body, restricted)).statusCode).toBe(403);
    expect((await list()).items).toEqual([]);
  });

  test('409 for the address and port of another, which is named', async () => {
    await addTwo();
    const response = await put('third', { address: '192.0.2.1', port: 4001 });
    expect([response.statusCode, response.json()]).toEqual([
      409,
      expect.objectContaining({ code: 'license-server-address-taken', heldBy: 'PRIMARY' }),
    ]);
    // The same port on another host is another place.
    expect((await put('third', { address: '192.0.2.3', port: 4001 })).statusCode).toBe(201);
  });

  test('409 when the roster is full', async () => {
    for (let port = 5001; port <= 5064; port += 1) await put(`s${port}`, { address: '192.0.2.1', port });
    const response = await put('one-more', { address: '192.0.2.1' });
    expect([response.statusCode, response.json().code]).toEqual([409, 'license-server-limit-reached']);
    const { items, notices } = await list();
    expect(items).toHaveLength(64);
    expect(notices).toEqual(['There are 64 licence servers; more than 3 are excessive.']);
  });
});

describe('GET and DELETE', () => {
  test('200 for one entry in any case, 404 for none', async () => {
    await addTwo();
    expect((await started.call(`GET ${ROSTER}/secondary`)).json()).toMatchObject({
      name: 'SECONDARY',
      address: '192.0.2.2',
      state: 'down',
    });
    const missing = await started.call(`GET ${ROSTER}/third`);
    expect([missing.statusCode, missing.json().code]).toEqual([404, 'license-server-not-found']);
  });

  test('204, also when repeated; 403 for other roles', async () => {
    await addTwo();
    const remove = (token?: string) =>
      started.call(`DELETE ${ROSTER}/primary`, token === undefined ? {} : { token });
    expect((await remove(started.tokens.operator)).statusCode).toBe(403);
    expect([(await remove()).statusCode, (await remove()).statusCode]).toEqual([204, 204]);
    expect((await list()).items).toMatchObject([{ name: 'SECONDARY' }]);
  });
});

describe('POST /v1/license-servers/{name}/beat', () => {
  test('200: who is up first is active, wherever it stands in the list (F-16, F-18, trap 15)', async () => {
    await addTwo();
    expect(await list()).not.toHaveProperty('active');
    const secondary = { name: 'SECONDARY', address: '192.0.2.2', port: 4001 };
    expect((await beat('secondary', 'udp-2')).json()).toEqual({
      active: true,
      activeServer: secondary,
      token: 1,
      expiresInSeconds: 7,
      beatAfterSeconds: 2,
    });
    expect((await beat('primary', 'udp-1')).json()).toEqual({
      active: false,
      activeServer: secondary,
      token: 1,
      beatAfterSeconds: 2,
    });
    const { items, active } = await list();
    expect(items).toMatchObject([
      { name: 'PRIMARY', state: 'standby' },
      { name: 'SECONDARY', state: 'active' },
    ]);
    expect(active).toMatchObject({ ...secondary, holder: 'udp-2', token: 1 });
  });

  test('200: another takes over after a term of silence; the returning one is an ordinary member (F-81)', async () => {
    await addTwo();
    await beat('primary', 'udp-1');
    await beat('secondary', 'udp-2');
    await expire();
    expect(await list()).not.toHaveProperty('active');
    expect((await beat('secondary', 'udp-2')).json()).toMatchObject({ active: true, token: 2 });
    expect((await beat('primary', 'udp-1')).json()).toMatchObject({
      active: false,
      activeServer: { name: 'SECONDARY' },
    });
    // And rejoins for good: it takes over when its turn comes.
    await expire();
    expect((await beat('primary', 'udp-1')).json()).toMatchObject({ active: true, token: 3 });
  });

  test('200: the holder is told less than its row says, so that no two act at once (F-82)', async () => {
    await addTwo();
    const { expiresInSeconds } = (await beat('primary', 'udp-1')).json();
    const [row] = await started.sql<{ leftMs: number }[]>`
      select (extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as "leftMs"
      from active_license_server`;
    // The row was read after the answer, and still has more left than the answer said from before the request.
    expect(row!.leftMs).toBeGreaterThan(expiresInSeconds * 1_000);
    expect(row!.leftMs).toBeLessThanOrEqual(LEASE_MS);
  });

  test('200: one that resigns is followed at once, and acts no longer', async () => {
    await addTwo();
    await beat('primary', 'udp-1');
    expect((await beat('primary', 'udp-1', true)).json()).toEqual({ active: false, beatAfterSeconds: 2 });
    expect((await beat('secondary', 'udp-2')).json()).toMatchObject({ active: true, token: 2 });
    // Resigning for another has no effect.
    expect((await beat('secondary', 'udp-1', true)).json()).toMatchObject({
      active: false,
      activeServer: { name: 'SECONDARY' },
    });
  });

  test('200: two processes of one entry are not both active', async () => {
    await addTwo();
    await beat('primary', 'udp-1');
    const other = (await beat('primary', 'udp-1-again')).json();
    expect(other).toMatchObject({ active: false, activeServer: { name: 'PRIMARY' } });
  });

  test('404 once the entry is removed; nobody is active until its time has run out', async () => {
    await addTwo();
    await beat('primary', 'udp-1');
    await started.call(`DELETE ${ROSTER}/primary`);
    const response = await beat('primary', 'udp-1');
    expect([response.statusCode, response.json().code]).toEqual([404, 'license-server-not-found']);
    expect((await beat('secondary', 'udp-2')).json()).toEqual({ active: false, beatAfterSeconds: 2 });
    await expire();
    expect((await beat('secondary', 'udp-2')).json()).toMatchObject({ active: true, token: 2 });
  });

  test('400, 401, and 403 for viewers and restricted tokens; operators and instances may', async () => {
    await addTwo();
    const request = `POST ${ROSTER}/primary/beat`;
    const body = { holder: 'udp-1' };
    for (const wrong of [{}, { holder: '' }, { holder: 'a b' }, { ...body, resigns: true }]) {
      expect((await started.call(request, { body: wrong })).statusCode).toBe(400);
    }
    expect((await started.call(request, { body, token: null })).statusCode).toBe(401);
    const restricted = await started.token('instance', { instance: 'app-a' });
    for (const token of [started.tokens.viewer, restricted]) {
      expect((await started.call(request, { body, token })).statusCode).toBe(403);
    }
    for (const role of ['operator', 'instance'] as const) {
      expect((await started.call(request, { body, token: started.tokens[role] })).statusCode).toBe(200);
    }
  });
});

describe('GET /v1/license-servers: instances of one key with different sets (F-4)', () => {
  test('200 names the key, each set and its instances, and servers that are not in the roster', async () => {
    await addTwo();
    const key = (await started.installKey({ OrderNumber: 3001 })).id;
    const [one, two, stray] = ['192.0.2.1:4001', '192.0.2.2:4001', '192.0.2.9:4001'];
    await started.register('srv-a', key, { licenseServers: [one, two] });
    await started.register('srv-b', key, { licenseServers: [two, one] });
    expect(await list()).toMatchObject({ conflicts: [], notices: [] });
    await started.register('srv-c', key, { licenseServers: [one, stray] });
    const { conflicts, notices } = await list();
    expect(conflicts).toEqual([
      {
        key,
        sets: [
          { licenseServers: [one, two], instances: ['srv-a', 'srv-b'] },
          { licenseServers: [one, stray], instances: ['srv-c'] },
        ],
      },
    ]);
    expect(notices).toEqual([`The instance srv-c is configured with ${stray}, which is not in the roster.`]);
    const foreign = await started.token('instance', { instance: 'srv-z' });
    expect(await list(foreign)).toMatchObject({ conflicts: [], notices: [], items: [{}, {}] });
    await started.register('srv-c', key, { licenseServers: [one, two] });
    expect((await list()).conflicts).toEqual([]);
  });
});
