import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';

/** A directory that cannot be read any more. */
const DIRECTORY = { files: [], fault: 'The directory /srv/keys cannot be read (EACCES).', lookedAtMs: 1 };

let started: StartedApp;
let orders = 8_000;

beforeAll(async () => {
  started = underContract(await startApp({ keyDirectory: DIRECTORY }), await readContract());
});
afterAll(async () => {
  await started.close();
});

async function install(licenseId: string | null, units = 5): Promise<string> {
  orders += 1;
  const file = await started.installKey({
    OrderNumber: orders,
    LicenseID: licenseId,
    AuthorizedUnits: units,
  });
  return file.id;
}

const serve = (licenseId: string, key: string, token?: string) =>
  started.call(`PUT /v1/served-keys/${encodeURIComponent(licenseId)}`, {
    body: { key },
    ...(token === undefined ? {} : { token }),
  });

const check = (name: string, token?: string) =>
  started.call(`POST /v1/instances/${name}/key/check`, token === undefined ? {} : { token });

const list = async (query = '', token?: string) =>
  (await started.call(`GET /v1/served-keys${query}`, token === undefined ? {} : { token })).json();

describe('serving an installed key by hand', () => {
  test('answers with what is served, also for a LicenseID that no path would bear as it is', async () => {
    const key = await install('Ward 7/East');
    const response = await serve('Ward 7/East', key);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ licenseId: 'Ward 7/East', key, instances: 0, unitsEnforced: 5 });
    expect((await started.call(`GET /v1/keys/${key}`)).json().servedAt).toBe(response.json().servedAt);
    expect((await serve('Ward 7/East', key)).json()).toEqual(response.json());
  });

  test('a key without the LicenseID, or none at all, is refused with what to do', async () => {
    const [plain, other] = [await install(null), await install('OTHER')];
    for (const key of [plain, other]) {
      const response = await serve('CLINIC', key);
      expect([response.statusCode, response.json().code]).toEqual([409, 'key-not-servable']);
      expect(response.json().detail).toContain('CLINIC');
    }
    expect((await serve('CLINIC', 'nothing')).json().code).toBe('key-not-found');
    expect((await serve('x'.repeat(33), plain)).statusCode).toBe(400);
    expect((await started.call('PUT /v1/served-keys/CLINIC', { body: {} })).statusCode).toBe(400);
  });

  test('is for administrators, and for those of a key only for theirs', async () => {
    const [first, second] = [await install('LIMITED'), await install('LIMITED')];
    expect((await serve('LIMITED', first, started.tokens.operator)).statusCode).toBe(403);
    const ofSecond = await started.token('administrator', { keys: [second] });
    expect((await serve('LIMITED', first, ofSecond)).statusCode).toBe(403);
    expect((await serve('LIMITED', first)).statusCode).toBe(200);
    // It would take the place of a key that the token does not reach.
    expect((await serve('LIMITED', second, ofSecond)).statusCode).toBe(403);
    const ofBoth = await started.token('administrator', { keys: [first, second] });
    expect((await serve('LIMITED', second, ofBoth)).statusCode).toBe(200);
  });
});

describe('the list of served keys', () => {
  test('goes page by page and shows each token what it may see', async () => {
    const keys: string[] = [];
    for (const licenseId of ['list-b', 'list-a', 'list-c']) {
      const key = await install(licenseId);
      keys.push(key);
      await serve(licenseId, key);
    }
    const token = await started.token('viewer', { keys });
    const first = await list('?limit=2', token);
    expect(first.items.map(({ licenseId }: { licenseId: string }) => licenseId)).toEqual([
      'list-a',
      'list-b',
    ]);
    const rest = await list(`?limit=2&cursor=${first.nextCursor}`, token);
    expect(rest.items).toMatchObject([{ licenseId: 'list-c', key: keys[2], instances: 0 }]);
    expect(rest).not.toHaveProperty('nextCursor');
    // Where the files lie concerns no key, and so nobody who is restricted to keys.
    expect(rest).not.toHaveProperty('directory');
    expect((await list('', started.tokens.viewer)).directory).toMatchObject({ fault: DIRECTORY.fault });
    expect((await started.call('GET /v1/served-keys?cursor=x')).statusCode).toBe(400);
  });
});

describe('an instance that registers by LicenseID', () => {
  test('has the key that is served, and is told of a newer one when it asks (CheckNewKey, notes 2.5)', async () => {
    const [first, second] = [await install('ASKED', 1), await install('ASKED', 25)];
    await serve('ASKED', first);
    const registered = await started.register('asked', undefined, { licenseId: 'ASKED' });
    expect(registered.json()).toMatchObject({ key: first, licenseId: 'ASKED', limit: 1 });
    expect((await check('asked')).json()).toMatchObject({ newer: false, key: first, servedKey: first });
    const login = await started.login('asked', 'alice');
    await serve('ASKED', second);
    const token = await started.token('instance', { instance: 'asked' });
    const answer = await check('asked', token);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      newer: true,
      licenseId: 'ASKED',
      key: second,
      activation: { outcome: 'active', requiresRestart: false },
    });
    expect((await started.call(`GET /v1/logins/${login}`)).json()).toMatchObject({ held: true, key: second });
    expect((await list()).items).toContainEqual(
      expect.objectContaining({ licenseId: 'ASKED', key: second, instances: 1 }),
    );
    expect((await check('asked')).json()).toMatchObject({ newer: false });
    const journal = (await started.call('GET /v1/journal?limit=100')).json();
    expect(journal.items).toContainEqual(
      expect.objectContaining({
        type: 'key-changed',
        key: second,
        record: expect.objectContaining({ servedAt: expect.any(String) }),
      }),
    );
  });

  test('is told in words when none is served, and works without a key until then (trap 18)', async () => {
    const registered = await started.register('waiting', undefined, { licenseId: 'LATER' });
    expect(registered.statusCode).toBe(201);
    expect(registered.json()).toMatchObject({ licenseId: 'LATER', enforcement: 'central', limit: 1 });
    expect(registered.json()).not.toHaveProperty('key');
    expect(registered.json().notices).toEqual([expect.stringContaining('PUT /v1/served-keys/LATER')]);
    expect((await check('waiting')).json()).toMatchObject({
      newer: false,
      reason: 'No key is served under the LicenseID "LATER".',
    });
    expect((await check('nobody')).json().code).toBe('instance-not-found');
    await started.register('own', await install(null));
    expect((await check('own')).json().reason).toContain('names its key itself');
  });

  test('a key and a LicenseID together say nothing, and are refused', async () => {
    const key = await install('BOTH');
    const response = await started.register('both', key, { licenseId: 'BOTH' });
    expect([response.statusCode, response.json().errors]).toEqual([
      400,
      [{ pointer: '/licenseId', message: 'must be left out where a key is named' }],
    ]);
  });

  test('a token of some keys may register only by LicenseIDs of theirs', async () => {
    const [mine, theirs] = [await install('MINE'), await install('THEIRS')];
    await serve('MINE', mine);
    await serve('THEIRS', theirs);
    const token = await started.token('instance', { keys: [mine] });
    const register = (licenseId: string) =>
      started.call('PUT /v1/instances/tenant', { token, body: { licenseId } });
    expect((await register('THEIRS')).statusCode).toBe(403);
    expect((await register('NOBODY')).statusCode).toBe(403);
    expect((await register('MINE')).json()).toMatchObject({ key: mine });
  });
});
