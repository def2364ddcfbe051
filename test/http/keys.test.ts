import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { foreignKeyFile, SIGNING_KEY_ID, signedKeyFile } from '../support/keyfiles.ts';

let started: StartedApp;
/** Another one, which accepts foreign keys and has the evaluation key. */
let open: StartedApp;
let orders = 500_000_000;

/** An order number that no other test of this file uses. */
function order(): number {
  orders += 1;
  return orders;
}

beforeAll(async () => {
  [started, open] = await Promise.all([startApp(), startApp({ allowUnverified: true, evaluation: true })]);
});
afterAll(async () => {
  await Promise.all([started.close(), open.close()]);
});

const STATED = { units: 25, unitsEnforced: 30, licenseType: 'Concurrent Users', server: 'multi' };

function bad(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/keys/bad/${name}`, import.meta.url));
}

describe('POST /v1/keys/inspect', () => {
  test('200 with what stands in the file and what it would enforce; nothing is stored', async () => {
    const { text, id } = signedKeyFile(
      { OrderNumber: order(), EnforcedUnits: 8, Features: 'HealthShare,19' },
      '[ISC.Lab]\nLab Users=5\n',
    );
    const response = await started.call('POST /v1/keys/inspect', { body: { file: text } });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      id,
      installable: true,
      installed: false,
      encoding: 'utf-8',
      enforces: expect.stringContaining('refused beyond 8 units (5 are authorised)'),
      status: { status: 'valid', reason: expect.stringContaining('2099-12-31') },
      key: {
        id,
        unitsAuthorised: 5,
        unitsEnforced: 8,
        licenseType: 'concurrent-user',
        server: 'multi',
        trust: 'verified',
        signingKeyId: SIGNING_KEY_ID,
        features: ['HealthShare', '19'],
        validThrough: '2099-12-31T23:59:59.999Z',
        sections: [{ name: 'ISC.Lab', kind: 'protected', entries: [{ keyword: 'Lab Users', value: '5' }] }],
      },
    });
    expect(response.json().sections.map(({ name }: { name: string }) => name)).toEqual([
      'ConfigFile',
      'License',
      'ISC.Lab',
    ]);
    expect((await started.call(`GET /v1/keys/${id}`)).statusCode).toBe(404);
  });

  test('200 for a key that has expired, with its status in words', async () => {
    const { text } = signedKeyFile({ OrderNumber: order(), ExpirationDate: '1/31/2020' });
    const response = await started.call('POST /v1/keys/inspect', { body: { file: text } });
    expect(response.json()).toMatchObject({
      installable: true,
      status: { status: 'invalid', code: 'key-expired', reason: expect.stringContaining('2020-01-31') },
    });
  });

  test('200 for a foreign key with what is missing; with its terms stated, as it would be', async () => {
    const { text } = foreignKeyFile();
    const refused = await started.call('POST /v1/keys/inspect', { body: { file: text } });
    expect(refused.statusCode).toBe(200);
    expect(refused.json()).toMatchObject({ installable: false, code: 'key-unverified' });
    expect(refused.json()).not.toHaveProperty('key');
    const stated = await open.call('POST /v1/keys/inspect', { body: { file: text, stated: STATED } });
    expect(stated.json()).toMatchObject({
      installable: true,
      key: { trust: 'unverified', unitsAuthorised: 25, unitsEnforced: 30 },
      notices: [expect.stringContaining('unverified')],
    });
  });

  test('200 for a file as bytes, in the encoding it is in', async () => {
    const text = signedKeyFile({ OrderNumber: order() }).text.replace('Example Clinic', 'Klinik Süd');
    const fileBase64 = Buffer.from(foreignKeyFile().text.replace('Hospital', 'Spitäler'), 'latin1');
    const response = await open.call('POST /v1/keys/inspect', {
      body: { fileBase64: fileBase64.toString('base64'), stated: STATED },
    });
    expect(response.json()).toMatchObject({ encoding: 'latin-1', key: { customerName: 'Example Spitäler' } });
    // The same change in a signed file is an alteration.
    expect((await open.call('POST /v1/keys/inspect', { body: { file: text } })).statusCode).toBe(422);
  });

  test.each([
    ['impossible-date.key', 'date-impossible'],
    ['duplicate-keyword.key', 'keyword-duplicate'],
    ['negative-numbers.key', 'order-number-invalid'],
    ['no-configfile-section.key', 'section-missing'],
    ['utf16-fragment.key', 'file-utf-16'],
    ['zeros.key', 'file-zeroed'],
    ['empty.key', 'file-empty'],
  ])('422 for %s with line, code and mend of each fault', async (name, code) => {
    const fileBase64 = bad(name).toString('base64');
    const response = await started.call('POST /v1/keys/inspect', { body: { fileBase64 } });
    expect(response.statusCode).toBe(422);
    const problem = response.json();
    expect(problem.code).toBe('key-file-invalid');
    expect(problem.faults.map((fault: { code: string }) => fault.code)).toContain(code);
    for (const fault of problem.faults) {
      expect(fault).toEqual({
        line: expect.any(Number),
        code: expect.any(String),
        message: expect.any(String),
        mend: expect.any(String),
      });
    }
  });

  test.each([
    [{}, ''],
    [{ file: 'x', fileBase64: 'eA==' }, ''],
    [{ fileBase64: 'not base64!' }, '/fileBase64'],
    [{ fil: 'x' }, '/fil'],
    [{ file: 'x', stated: { ...STATED, serve: 'multi' } }, '/stated/serve'],
    [{ file: 'x', stated: { ...STATED, units: 0 } }, '/stated/units'],
  ])('400 for %j', async (body, pointer) => {
    const response = await started.call('POST /v1/keys/inspect', { body });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0].pointer).toBe(pointer);
  });

  test('400 for terms stated of a signed key', async () => {
    const { text } = signedKeyFile({ OrderNumber: order() });
    const response = await started.call('POST /v1/keys/inspect', { body: { file: text, stated: STATED } });
    expect(response.statusCode).toBe(400);
    expect(response.json().detail).toContain('signed');
  });

  test('401 without a token; viewers and instances may inspect', async () => {
    const body = { file: signedKeyFile({ OrderNumber: order() }).text };
    expect((await started.call('POST /v1/keys/inspect', { token: null, body })).statusCode).toBe(401);
    for (const token of [started.tokens.viewer, started.tokens.instance]) {
      expect((await started.call('POST /v1/keys/inspect', { token, body })).statusCode).toBe(200);
    }
  });

  test('413 for a body that no key file fills', async () => {
    const response = await started.call('POST /v1/keys/inspect', { body: { file: 'x'.repeat(600_000) } });
    expect(response.statusCode).toBe(413);
  });
});

describe('POST /v1/keys', () => {
  test('201, then 200 for the same content in other line ends', async () => {
    const { text, id } = signedKeyFile({ OrderNumber: order() });
    const first = await started.call('POST /v1/keys', { body: { file: text } });
    expect(first.statusCode).toBe(201);
    expect(first.headers.location).toBe(`/v1/keys/${id}`);
    expect(first.json()).toMatchObject({
      id,
      outcome: 'installed',
      installedBy: 'administrator (configured)',
      status: 'valid',
    });
    expect(first.headers.etag).toBe(`"${first.json().revision}"`);
    const again = await started.call('POST /v1/keys', { body: { file: text.replaceAll('\n', '\r\n') } });
    expect(again.statusCode).toBe(200);
    expect(again.json()).toEqual({ ...first.json<object>(), outcome: 'present' });
    expect(again.headers.etag).toBe(first.headers.etag);
  });

  test('409 for another content under the same ID', async () => {
    const { text, id } = signedKeyFile({ OrderNumber: order() });
    await started.call('POST /v1/keys', { body: { file: text } });
    const other = Buffer.from(signedKeyFile({ OrderNumber: order() }).text);
    await started.sql`update license_keys set file = ${other} where id = ${id}`;
    const response = await started.call('POST /v1/keys', { body: { file: text } });
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'key-in-use', detail: expect.stringContaining(id) });
  });

  test('other terms than a foreign key is installed with are told before it is activated, not by it (F-20)', async () => {
    const { text: file } = foreignKeyFile(order());
    const { id } = (await open.call('POST /v1/keys', { body: { file, stated: STATED } })).json();
    await open.register('host-stated', 'evaluation');
    for (const other of [{ units: 26 }, { product: 'Other' }, { cores: 4 }, { features: ['NLP'] }]) {
      const body = { file, stated: { ...STATED, ...other }, instance: 'host-stated' };
      const { activation } = (await open.call('POST /v1/keys/inspect', { body })).json();
      expect(activation).toMatchObject({ valid: false, code: 'key-in-use' });
      expect(activation.reason).toContain(`The key ${id} is installed with`);
    }
    const body = { file, stated: STATED, instance: 'host-stated' };
    const { activation } = (await open.call('POST /v1/keys/inspect', { body })).json();
    expect(activation).toMatchObject({ valid: true, outcome: 'active' });
  });

  test('a foreign key: 409 where it is not allowed, 201 on stated terms, 409 on other terms', async () => {
    const { text: file } = foreignKeyFile(order());
    const refused = await started.call('POST /v1/keys', { body: { file, stated: STATED } });
    expect(refused.statusCode).toBe(409);
    expect(refused.json().code).toBe('key-unverified');
    expect((await open.call('POST /v1/keys', { body: { file } })).json().code).toBe('key-unverified');
    const installed = await open.call('POST /v1/keys', { body: { file, stated: STATED } });
    expect(installed.statusCode).toBe(201);
    expect(installed.json()).toMatchObject({ trust: 'unverified', unitsAuthorised: 25, unitsEnforced: 30 });
    expect((await open.call('POST /v1/keys', { body: { file, stated: STATED } })).statusCode).toBe(200);
    for (const other of [{ units: 26 }, { product: 'Other' }, { features: ['NLP'] }, { versionTo: '2018' }]) {
      const response = await open.call('POST /v1/keys', { body: { file, stated: { ...STATED, ...other } } });
      expect([other, response.statusCode, response.json().code]).toEqual([other, 409, 'key-in-use']);
    }
  });

  test('409 key-untrusted for a signing key that is not trusted', async () => {
    const { text } = signedKeyFile({ OrderNumber: order() });
    const file = text.replace(`ed25519:${SIGNING_KEY_ID}:`, 'ed25519:somebody:');
    const response = await started.call('POST /v1/keys', { body: { file } });
    expect([response.statusCode, response.json().code]).toEqual([409, 'key-untrusted']);
  });

  test('422 for an altered file', async () => {
    const file = signedKeyFile({ OrderNumber: order() }).text.replace(
      'AuthorizedUnits=5',
      'AuthorizedUnits=50',
    );
    const response = await started.call('POST /v1/keys', { body: { file } });
    expect([response.statusCode, response.json().code]).toEqual([422, 'key-file-invalid']);
  });

  test('400, 401, 403 by role and by restriction, 413', async () => {
    const { text: file, id } = signedKeyFile({ OrderNumber: order() });
    const misspelt = await started.call('POST /v1/keys', { body: { flie: file } });
    expect(misspelt.json().errors[0].message).toContain('did you mean "file"');
    expect(misspelt.statusCode).toBe(400);
    expect((await started.call('POST /v1/keys', { token: null, body: { file } })).statusCode).toBe(401);
    for (const role of ['operator', 'viewer', 'instance'] as const) {
      const response = await started.call('POST /v1/keys', { token: started.tokens[role], body: { file } });
      expect([role, response.statusCode]).toEqual([role, 403]);
    }
    const foreign = await started.token('administrator', { keys: ['another'] });
    expect((await started.call('POST /v1/keys', { token: foreign, body: { file } })).statusCode).toBe(403);
    const own = await started.token('administrator', { keys: [id] });
    expect((await started.call('POST /v1/keys', { token: own, body: { file } })).statusCode).toBe(201);
    const large = await started.call('POST /v1/keys', { body: { file: 'x'.repeat(600_000) } });
    expect(large.statusCode).toBe(413);
  });
});

describe('GET /v1/keys', () => {
  test('200 page by page in the order of IDs, as of an instant', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      ids.push((await started.installKey({ OrderNumber: order() })).id);
    }
    const token = await started.token('viewer', { keys: ids });
    const first = await started.call('GET /v1/keys?limit=2', { token });
    expect(first.statusCode).toBe(200);
    const { items, nextCursor, asOf, version } = first.json();
    expect(items.map((key: { id: string }) => key.id)).toEqual(ids.sort().slice(0, 2));
    expect(Date.parse(asOf)).toBeGreaterThan(Date.now() - 60_000);
    expect(version).toBe(started.lane.table.version);
    const second = await started.call(`GET /v1/keys?limit=2&cursor=${nextCursor}`, { token });
    expect(second.json().items.map((key: { id: string }) => key.id)).toEqual(ids.slice(2));
    expect(second.json()).not.toHaveProperty('nextCursor');
  });

  test('200 with nothing for a token of one instance', async () => {
    await started.installKey({ OrderNumber: order() });
    const token = await started.token('viewer', { instance: 'somewhere' });
    expect((await started.call('GET /v1/keys', { token })).json().items).toEqual([]);
  });

  test('400 for a cursor of another list and a misspelt parameter, 401, 403', async () => {
    const cursor = Buffer.from('["tokens","x"]').toString('base64url');
    expect((await started.call(`GET /v1/keys?cursor=${cursor}`)).statusCode).toBe(400);
    expect((await started.call('GET /v1/keys?limt=2')).json().errors[0].pointer).toBe('?limt');
    expect((await started.call('GET /v1/keys', { token: null })).statusCode).toBe(401);
    expect((await started.call('GET /v1/keys', { token: started.tokens.instance })).statusCode).toBe(403);
  });
});

describe('GET /v1/keys/{id}', () => {
  test('200 with every field and an ETag', async () => {
    const { id } = await started.installKey({
      OrderNumber: order(),
      VersionFrom: '5.1',
      VersionTo: '2018',
      MachineID: 'm1',
      NotBefore: '1/1/2020',
      MaxConnections: 12,
    });
    const response = await started.call(`GET /v1/keys/${id}`, { token: started.tokens.viewer });
    expect(response.statusCode).toBe(200);
    expect(response.headers.etag).toBe(`"${response.json().revision}"`);
    expect(response.json()).toMatchObject({
      id,
      customerName: 'Example Clinic',
      product: 'Example Server',
      connectionsPerUnitMax: 12,
      enforcement: 'central',
      generation: '1',
      versionFrom: '5.1',
      versionTo: '2018',
      machineId: 'm1',
      notBeforeDate: '2020-01-01',
      validFrom: '2020-01-01T00:00:00.000Z',
      trust: 'verified',
      status: 'valid',
    });
    expect(JSON.stringify(response.json())).not.toContain('ed25519:');
  });

  test('200: the evaluation key is marked', async () => {
    const response = await open.call('GET /v1/keys/evaluation');
    expect(response.json()).toMatchObject({ trust: 'evaluation', unitsEnforced: 8, installedBy: 'lictor' });
  });

  test('200: an expired key is invalid, with the reason', async () => {
    const { id } = await started.installKey({ OrderNumber: order(), ExpirationDate: '1/31/2020' });
    const { json } = await started.call(`GET /v1/keys/${id}`);
    expect(json()).toMatchObject({
      status: 'invalid',
      code: 'key-expired',
      reason: expect.stringContaining('2020-01-31'),
    });
  });

  test('401, 403 for a foreign key, 404', async () => {
    const { id } = await started.installKey({ OrderNumber: order() });
    expect((await started.call(`GET /v1/keys/${id}`, { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: ['another'] });
    expect((await started.call(`GET /v1/keys/${id}`, { token })).statusCode).toBe(403);
    const missing = await started.call('GET /v1/keys/1-00000000');
    expect([missing.statusCode, missing.json().code]).toEqual([404, 'key-not-found']);
  });
});

describe('GET /v1/keys/{id}/file', () => {
  test('200 with the bytes as they came, for administrators', async () => {
    const bytes = Buffer.from(foreignKeyFile(order()).text.replace('Hospital', 'Spitäler'), 'latin1');
    const body = { fileBase64: bytes.toString('base64'), stated: STATED };
    const { id } = (await open.call('POST /v1/keys', { body })).json();
    const response = await open.call(`GET /v1/keys/${id}/file`);
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; charset=windows-1252');
    expect(response.rawPayload.equals(bytes)).toBe(true);
  });

  test('401, 403 for whoever may not install, 404 for none and for one without a file', async () => {
    const { id, text } = await started.installKey({ OrderNumber: order() });
    const url = `GET /v1/keys/${id}/file`;
    expect((await started.call(url)).body).toBe(text);
    expect((await started.call(url, { token: null })).statusCode).toBe(401);
    for (const token of [started.tokens.viewer, started.tokens.operator]) {
      expect((await started.call(url, { token })).statusCode).toBe(403);
    }
    const foreign = await started.token('administrator', { keys: ['another'] });
    expect((await started.call(url, { token: foreign })).statusCode).toBe(403);
    expect((await started.call('GET /v1/keys/1-00000000/file')).json().code).toBe('key-not-found');
    expect((await open.call('GET /v1/keys/evaluation/file')).json().code).toBe('not-found');
  });
});

describe('PATCH /v1/keys/{id}', () => {
  test('200 with a new ETag; the change is enforced', async () => {
    const { id } = await started.installKey({ OrderNumber: order() });
    const before = await started.call(`GET /v1/keys/${id}`);
    const headers = { 'if-match': String(before.headers.etag) };
    const body = { connectionsPerUnitMax: 1 };
    const response = await started.call(`PATCH /v1/keys/${id}`, { headers, body });
    expect(response.statusCode).toBe(200);
    expect(response.json().connectionsPerUnitMax).toBe(1);
    expect(response.headers.etag).not.toBe(before.headers.etag);
    await started.register(`patched-${id}`, id);
    await started.login(`patched-${id}`, 'alice');
    await started.login(`patched-${id}`, 'alice');
    expect(started.lane.table.pools.get(id)?.units).toBe(2);
  });

  test('412 on an old or a weak ETag, 428 without one, 400 for a list; * takes whatever stands', async () => {
    const { id } = await started.installKey({ OrderNumber: order() });
    const patch = (ifMatch: string | undefined, body: object = { connectionsPerUnitMax: 7 }) =>
      started.call(`PATCH /v1/keys/${id}`, {
        body,
        ...(ifMatch === undefined ? {} : { headers: { 'if-match': ifMatch } }),
      });
    const { revision } = (await started.call(`GET /v1/keys/${id}`)).json();
    expect((await patch(undefined)).statusCode).toBe(428);
    expect((await patch('"0:0:0"')).statusCode).toBe(412);
    expect((await patch(`W/"${revision}"`)).statusCode).toBe(412);
    expect((await patch(`"${revision}", "x"`)).statusCode).toBe(400);
    expect((await patch(revision)).statusCode).toBe(400);
    expect((await patch(`"${revision}"`, { connectionsPerUnit: 7 })).statusCode).toBe(400);
    expect((await patch(`"${revision}"`, {})).statusCode).toBe(400);
    expect((await started.call(`GET /v1/keys/${id}`)).json().revision).toBe(revision);
    expect((await patch('*')).statusCode).toBe(200);
    expect((await patch(`"${revision}"`)).statusCode).toBe(412);
  });

  test('401, 403, 404', async () => {
    const request = { headers: { 'if-match': '*' }, body: { connectionsPerUnitMax: 7 } };
    const url = 'PATCH /v1/keys/1-00000000';
    expect((await started.call(url, { ...request, token: null })).statusCode).toBe(401);
    expect((await started.call(url, { ...request, token: started.tokens.operator })).statusCode).toBe(403);
    const token = await started.token('administrator', { keys: ['another'] });
    expect((await started.call(url, { ...request, token })).statusCode).toBe(403);
    expect((await started.call(url, request)).json().code).toBe('key-not-found');
  });
});

describe('DELETE /v1/keys/{id}', () => {
  test('204, also repeated; then it is gone', async () => {
    const { id } = await started.installKey({ OrderNumber: order() });
    for (let time = 0; time < 2; time += 1) {
      const response = await started.call(`DELETE /v1/keys/${id}`);
      expect([response.statusCode, response.body]).toEqual([204, '']);
    }
    expect((await started.call(`GET /v1/keys/${id}`)).statusCode).toBe(404);
  });

  test('409 while an instance is registered with it', async () => {
    const { id } = await started.installKey({ OrderNumber: order() });
    await started.register('keeper', id);
    const response = await started.call(`DELETE /v1/keys/${id}`);
    expect([response.statusCode, response.json().code]).toEqual([409, 'key-in-use']);
    expect(response.json().detail).toContain('keeper');
  });

  test('401, 403', async () => {
    const url = 'DELETE /v1/keys/1-00000000';
    expect((await started.call(url, { token: null })).statusCode).toBe(401);
    expect((await started.call(url, { token: started.tokens.operator })).statusCode).toBe(403);
    const token = await started.token('administrator', { keys: ['another'] });
    expect((await started.call(url, { token })).statusCode).toBe(403);
  });
});

describe('GET /v1/keys/{id}/features/{feature}', () => {
  test('200 by name in any case and by number (F-8)', async () => {
    const { id } = await started.installKey({
      OrderNumber: order(),
      Features: 'HealthShare,19,Extra Reports',
    });
    const read = async (feature: string) =>
      (await started.call(`GET /v1/keys/${id}/features/${feature}`)).json();
    expect(await read('healthshare')).toMatchObject({ feature: 'HealthShare', number: 5, enabled: true });
    expect(await read('5')).toMatchObject({ feature: 'HealthShare', number: 5, enabled: true });
    expect(await read('IntegratedML')).toMatchObject({ number: 19, enabled: true });
    expect(await read('extra-reports')).toMatchObject({ feature: 'extra-reports', enabled: true });
    expect(await read('NLP')).toMatchObject({ number: 11, enabled: false });
  });

  test('200: a key that is not valid permits none, and says why', async () => {
    const { id } = await started.installKey({
      OrderNumber: order(),
      Features: 'NLP',
      ExpirationDate: '1/31/2020',
    });
    const { json } = await started.call(`GET /v1/keys/${id}/features/NLP`);
    expect(json()).toMatchObject({ enabled: false, reason: expect.stringContaining('expired') });
  });

  test('401, 403, 404', async () => {
    const url = 'GET /v1/keys/1-00000000/features/NLP';
    expect((await started.call(url, { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: ['another'] });
    expect((await started.call(url, { token })).statusCode).toBe(403);
    expect((await started.call(url)).json().code).toBe('key-not-found');
  });
});
