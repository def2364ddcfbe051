import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { foreignKeyFile, signedKeyFile, type TestKeyFile } from '../support/keyfiles.ts';
import { makeKey } from '../support/make.ts';

let lictor: StartedApp;
let instances = 0;
let orders = 100_300_000;

beforeAll(async () => {
  lictor = await startApp({ allowUnverified: false });
});
afterAll(() => lictor.close());

/** A key file that no other test has. */
function keyFile(fields: Parameters<typeof signedKeyFile>[0] = {}, sections = ''): TestKeyFile {
  orders += 1;
  return signedKeyFile({ OrderNumber: orders, ...fields }, sections);
}

async function install(fields: Parameters<typeof signedKeyFile>[0] = {}, sections = ''): Promise<string> {
  orders += 1;
  return (await lictor.installKey({ OrderNumber: orders, ...fields }, sections)).id;
}

/** An instance under a name of its own. */
async function register(key?: string, body: object = {}): Promise<string> {
  instances += 1;
  const name = `host-${instances}`;
  const { statusCode, body: text } = await lictor.register(name, key, body);
  if (statusCode !== 201) throw new Error(text);
  return name;
}

const inspect = (body: object, token?: string) =>
  lictor.call('POST /v1/keys/inspect', { body, ...(token === undefined ? {} : { token }) });

const activate = (name: string, key: string, inspection: string | null = '*', token?: string) =>
  lictor.call(`PUT /v1/instances/${name}/key`, {
    body: { key },
    headers: inspection === null ? {} : { 'if-match': inspection },
    ...(token === undefined ? {} : { token }),
  });

const rollback = (name: string, revision = '*') =>
  lictor.call(`POST /v1/instances/${name}/key/rollback`, { headers: { 'if-match': revision } });

const read = async (name: string) => (await lictor.call(`GET /v1/instances/${name}`)).json();

const history = async (name: string, query = '') =>
  (await lictor.call(`GET /v1/instances/${name}/activations${query}`)).json();

const logIn = (instance: string, user: string) =>
  lictor.call('POST /v1/logins', { body: { instance, user, leaseSeconds: 600 } });

describe('POST /v1/keys/inspect with an instance (F-20)', () => {
  test('200: both keys side by side, what is less, what would become of it, and the token as ETag', async () => {
    const sections = '[ISC.Lab]\nLab Users=5\n';
    const current = await install({ AuthorizedUnits: 25, Features: 'NLP, Sharding' }, sections);
    const name = await register(current);
    await lictor.login(name, 'alice');
    const file = keyFile({ AuthorizedUnits: 20, Features: 'nlp', CustomerName: 'Another Clinic' });
    const answer = await inspect({ file: file.text, instance: name });
    expect(answer.statusCode).toBe(200);
    const { activation } = answer.json();
    expect(answer.headers.etag).toBe(`"${activation.inspection}"`);
    expect(activation).toMatchObject({
      instance: name,
      currentCustomer: 'Example Clinic',
      current: { id: current, unitsEnforced: 25 },
      selected: { id: file.id, unitsEnforced: 20 },
      valid: true,
      outcome: 'active',
      requiresRestart: false,
      unitsEnforced: 20,
      unitsInUse: 1,
      hasReductions: true,
      reductions: {
        units: { from: 25, to: 20 },
        features: ['Sharding'],
        applications: [{ application: 'ISC.Lab' }],
      },
    });
    const fields = new Map(activation.fields.map((each: { field: string }) => [each.field, each]));
    expect(fields.get('customerName')).toEqual({
      field: 'customerName',
      current: 'Example Clinic',
      selected: 'Another Clinic',
      differs: true,
    });
    expect(fields.get('server')).toMatchObject({ current: 'multi', selected: 'multi', differs: false });
    expect(fields.get('[ISC.Lab] Lab Users')).toEqual({
      field: '[ISC.Lab] Lab Users',
      current: '5',
      differs: true,
    });
    expect((await read(name)).key).toBe(current);
  });

  test('200: without a key the current one is missing or unreadable', async () => {
    const name = await register();
    const { activation } = (await inspect({ file: keyFile().text, instance: name })).json();
    expect(activation.currentCustomer).toBe('License missing or unreadable');
    expect(activation.current).toBeUndefined();
    expect(activation).toMatchObject({ valid: true, outcome: 'active', hasReductions: false });
  });

  test('200: an installed key by its ID; the token is the one of its file', async () => {
    const [current, file] = [await install(), keyFile({ AuthorizedUnits: 9 })];
    const name = await register(current);
    const before = (await inspect({ file: file.text, instance: name })).json().activation.inspection;
    await lictor.call('POST /v1/keys', { body: { file: file.text } });
    const answer = (await inspect({ key: file.id, instance: name })).json();
    expect(answer).toMatchObject({ id: file.id, installed: true, installable: true, encoding: 'utf-8' });
    expect(answer.activation.inspection).toBe(before);
  });

  test.each([
    ['has expired', { ExpirationDate: '1/1/2020' }, 'key-unusable', /expired at the end of 2020-01-01/],
    ['is not valid yet', { NotBefore: '1/1/2099' }, 'key-unusable', /valid from 2099-01-01/],
    ['is for other versions', { VersionTo: '2020' }, 'key-generation-mismatch', /runs 2024\.1/],
  ])(
    '200: a key that %s is not valid, with the reason, and there is no token',
    async (_, fields, code, reason) => {
      const name = await register(await install(), { version: '2024.1' });
      const answer = await inspect({ file: keyFile(fields).text, instance: name });
      const { activation } = answer.json();
      expect(activation).toMatchObject({ valid: false, outcome: 'invalid', code, hasReductions: true });
      expect(activation.reason).toMatch(reason);
      expect([activation.inspection, answer.headers.etag]).toEqual([undefined, undefined]);
    },
  );

  test('200: a file that only shares the ID of an installed key shows nothing of that', async () => {
    const file = keyFile({ AuthorizedUnits: 9 });
    const secret = keyFile({ AuthorizedUnits: 500 });
    await lictor.ask({
      ...{ op: 'install-key', actor: 'x', file: Buffer.from(secret.text) },
      key: makeKey({ id: file.id, customerName: 'Somebody Else', units: 500 }),
    });
    const name = await register(await install());
    const instance = await lictor.token('instance', { instance: name });
    const answer = (await inspect({ file: file.text, instance: name }, instance)).json();
    expect(answer).toMatchObject({ id: file.id, installed: false, activation: { unitsEnforced: 9 } });
    expect(JSON.stringify(answer)).not.toContain('Somebody Else');
  });

  test('200: a key that nobody here can verify is not valid either', async () => {
    const name = await register(await install());
    const { activation } = (await inspect({ file: foreignKeyFile().text, instance: name })).json();
    expect(activation).toMatchObject({ valid: false, code: 'key-unverified', outcome: 'invalid' });
    expect(activation.selected).toBeUndefined();
  });

  test('400 with a file and an ID; 404 for an unknown instance or key; 403 for an instance that is not the token’s', async () => {
    const [key, file] = [await install(), keyFile()];
    const name = await register(key);
    expect((await inspect({ key, file: file.text })).statusCode).toBe(400);
    expect((await inspect({ key, stated: { units: 1, licenseType: 'x', server: 'multi' } })).statusCode).toBe(
      400,
    );
    expect((await inspect({ key: 'none', instance: name })).json().code).toBe('key-not-found');
    expect((await inspect({ key, instance: 'none' })).json().code).toBe('instance-not-found');
    const other = await lictor.token('viewer', { instance: 'other' });
    expect((await inspect({ file: file.text, instance: name }, other)).statusCode).toBe(403);
    expect((await inspect({ file: file.text, instance: name }, lictor.tokens.viewer)).statusCode).toBe(200);
  });
});

describe('PUT /v1/instances/{name}/key', () => {
  test('a full key, a bigger one: the sixth user comes in, and nobody inside notices (F-21, F-23)', async () => {
    const small = await install({ AuthorizedUnits: 5 });
    const name = await register(small);
    const inside: { id: string; userId: string }[] = [];
    for (let user = 1; user <= 5; user += 1) inside.push((await logIn(name, `user ${user}`)).json());
    expect((await logIn(name, 'the sixth')).json()).toMatchObject({
      code: 'units-exhausted',
      limit: 5,
      inUse: 5,
    });
    const beats = async () => {
      for (const { id } of inside) {
        const beat = await lictor.call(`POST /v1/logins/${id}/heartbeat?instance=${name}`);
        expect([beat.statusCode, beat.json().code]).toEqual([200, undefined]);
      }
      const beat = await lictor.call(`POST /v1/instances/${name}/heartbeat`, { body: { incarnation: 1 } });
      expect(beat.statusCode).toBe(200);
    };
    await beats();

    const file = keyFile({ AuthorizedUnits: 25 });
    const inspected = await inspect({ file: file.text, instance: name });
    expect((await lictor.call('POST /v1/keys', { body: { file: file.text } })).statusCode).toBe(201);
    const answer = await activate(name, file.id, `${inspected.headers.etag}`);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      instance: name,
      key: file.id,
      statedKey: small,
      previousKey: small,
      outcome: 'active',
      requiresRestart: false,
      unitsEnforced: 25,
      unitsInUse: 5,
    });
    expect(answer.headers.etag).toBe(`"${answer.json().revision}"`);

    expect((await logIn(name, 'the sixth')).statusCode).toBe(201);
    await beats();
    for (const { id, userId } of inside) {
      const login = (await lictor.call(`GET /v1/logins/${id}?instance=${name}`)).json();
      expect(login).toMatchObject({ id, userId, phase: 'active', key: file.id });
    }
    expect((await lictor.call(`DELETE /v1/logins/${inside[0]!.id}?instance=${name}`)).statusCode).toBe(204);
    expect((await lictor.call(`GET /v1/usage/counts?key=${file.id}`)).json().items).toMatchObject([
      { unitsInUse: 5, unitsEnforced: 25 },
    ]);
    expect((await lictor.call(`DELETE /v1/keys/${small}`)).statusCode).toBe(204);
  });

  test('200: on IRIS fewer units wait for the restart, and the active key gives them up again', async () => {
    const [big, small] = [await install({ AuthorizedUnits: 25 }), await install({ AuthorizedUnits: 5 })];
    const name = await register(big, { settings: { activationProfile: 'iris' } });
    expect((await activate(name, small)).json()).toMatchObject({
      key: big,
      pendingKey: small,
      outcome: 'pending',
      requiresRestart: true,
      restartReason: expect.stringContaining('Fewer units, 5 in place of 25'),
      unitsEnforced: 25,
    });
    const again = (await activate(name, small)).json();
    expect([again.outcome, again.decision]).toEqual(['unchanged', undefined]);
    expect((await lictor.call(`DELETE /v1/keys/${small}`)).json().code).toBe('key-in-use');
    expect((await activate(name, big)).json()).toMatchObject({ key: big, outcome: 'active' });
    expect((await read(name)).pendingKey).toBeUndefined();
    await activate(name, small);
    const restarted = (await lictor.register(name, big)).json();
    expect(restarted).toMatchObject({
      key: small,
      statedKey: big,
      previousKey: big,
      incarnation: 2,
      limit: 5,
    });
  });

  test('200: a much bigger one in part; instances that decide for themselves are told how far', async () => {
    const [five, huge] = [await install(), await install({ AuthorizedUnits: 50_000 })];
    const name = await register(five, { settings: { activationProfile: 'caché5', unitLimit: 9_000 } });
    expect((await activate(name, huge)).json()).toMatchObject({
      key: huge,
      outcome: 'partly-active',
      usableUnits: 7_005,
      unitsEnforced: 50_000,
      requiresRestart: true,
    });
    const body = { incarnation: 1, sequence: 0, since: 0, users: [], digest: '0.0.00000000' };
    const update = (await lictor.call(`POST /v1/instances/${name}/updates`, { body })).json();
    expect(update).toMatchObject({
      key: huge,
      limit: 50_000,
      usableUnits: 7_005,
      settings: { unitLimit: 7_005 },
    });
    expect((await read(name)).settings.unitLimit).toBe(9_000);
    expect((await lictor.register(name, five)).json()).not.toHaveProperty('usableUnits');
  });

  test('412: what was inspected is not what stands any more; 428 without a token', async () => {
    const [one, other] = [await install(), await install({ AuthorizedUnits: 9 })];
    const name = await register(one);
    const { etag } = (await inspect({ key: other, instance: name })).headers;
    await lictor.register(name, one);
    const stale = await activate(name, other, `${etag}`);
    expect([stale.statusCode, stale.json().code]).toEqual([412, 'precondition-failed']);
    expect(stale.json().detail).toContain('Inspect it again');
    expect((await activate(name, other, null)).statusCode).toBe(428);
    expect((await activate(name, other, 'other')).statusCode).toBe(400);
    expect((await read(name)).key).toBe(one);
  });

  test('200: a request that is repeated because its answer was lost is answered as done', async () => {
    const [one, other] = [await install(), await install({ AuthorizedUnits: 9 })];
    const name = await register(one);
    const { etag } = (await inspect({ key: other, instance: name })).headers;
    expect((await activate(name, other, `${etag}`)).json().outcome).toBe('active');
    const again = await activate(name, other, `${etag}`);
    expect([again.statusCode, again.json().outcome, again.json().key]).toEqual([200, 'unchanged', other]);
    expect((await history(name)).items).toHaveLength(1);
  });

  test('401, 403, 404, 409: who may, and what stands against it', async () => {
    const [one, expired] = [await install(), await install({ ExpirationDate: '1/1/2020' })];
    const single = await install({ Server: 'Single' });
    const [name] = [await register(one), await register(single)];
    expect((await lictor.call(`PUT /v1/instances/${name}/key`, { token: null, body: {} })).statusCode).toBe(
      401,
    );
    for (const role of ['operator', 'viewer', 'instance'] as const)
      expect((await activate(name!, one, '*', lictor.tokens[role])).json().code).toBe('forbidden');
    const restricted = await lictor.token('administrator', { keys: [one] });
    expect((await activate(name!, single, '*', restricted)).json().code).toBe('forbidden');
    const elsewhere = await lictor.token('administrator', { instance: 'elsewhere' });
    expect((await activate(name!, one, '*', elsewhere)).json().code).toBe('forbidden');
    expect((await activate('none', one)).json().code).toBe('instance-not-found');
    expect((await activate(name!, 'none')).json().code).toBe('key-not-found');
    // An instance without a key is nobody's who is restricted to keys.
    const bare = await register();
    expect((await activate(bare, one, '*', restricted)).json().code).toBe('forbidden');
    expect((await activate('none', one, '*', restricted)).json().code).toBe('instance-not-found');
    const invalid = (await activate(name!, expired)).json();
    expect(invalid).toMatchObject({ code: 'key-unusable', fault: 'key-expired' });
    expect((await activate(name!, single)).json().code).toBe('key-not-shareable');
    expect((await activate(name!, one, '*', restricted)).json().outcome).toBe('unchanged');
  });
});

describe('POST /v1/instances/{name}/key/rollback', () => {
  test('200: the key before, on the revision of the instance; a repeated request does no harm', async () => {
    const [one, other] = [await install(), await install({ AuthorizedUnits: 9 })];
    const name = await register(one);
    expect((await rollback(name)).json().code).toBe('previous-key-missing');
    const { etag } = (await activate(name, other)).headers;
    expect((await rollback(name, `${etag}`)).json()).toMatchObject({
      key: one,
      previousKey: other,
      outcome: 'active',
    });
    expect((await rollback(name, `${etag}`)).statusCode).toBe(412);
    expect((await rollback(name)).json().key).toBe(other);
    expect((await rollback('none')).json().code).toBe('instance-not-found');
    const bare = await lictor.call(`POST /v1/instances/${name}/key/rollback`);
    expect(bare.json().code).toBe('precondition-required');
  });

  test('403: to a key that is not the token’s', async () => {
    const [one, other] = [await install(), await install()];
    const name = await register(one);
    await activate(name, other);
    const token = await lictor.token('administrator', { keys: [other] });
    const headers = { 'if-match': '*' };
    const answer = await lictor.call(`POST /v1/instances/${name}/key/rollback`, { token, headers });
    expect(answer.json().code).toBe('forbidden');
  });
});

describe('GET /v1/instances/{name}/activations', () => {
  test('200: A-7: the latest first, page by page; it outlives the instance, and the journal tells the same', async () => {
    const [one, other] = [await install(), await install({ AuthorizedUnits: 9 })];
    const name = await register(one);
    await lictor.login(name, 'alice');
    await activate(name, other);
    await rollback(name);
    await lictor.register(name, other, { incarnation: 1 });
    const { items, nextCursor } = await history(name);
    expect(nextCursor).toBeUndefined();
    expect(items).toMatchObject([
      { cause: 'registered', from: one, to: other, outcome: 'active' },
      { cause: 'rolled-back', from: other, to: one, unitsFrom: 9, unitsTo: 5 },
      { cause: 'activated', from: one, to: other, by: 'administrator (configured)', instance: name },
    ]);
    const first = await history(name, '?limit=2');
    expect(first.items).toEqual(items.slice(0, 2));
    const second = await history(name, `?limit=2&cursor=${encodeURIComponent(first.nextCursor)}`);
    expect(second).toEqual({ items: items.slice(2) });

    const { decision, ...event } = (await lictor.call(`GET /v1/journal/${items[2].id}`)).json();
    expect(decision).toBe(items[2].id);
    expect(event).toMatchObject({ type: 'activated', instance: name, key: other, activation: items[2] });
    expect(event.words ?? event.explanation).toContain(`works under key ${other} in place of key ${one}`);
    const moved = (await lictor.call(`GET /v1/journal?instance=${name}&type=moved`)).json();
    expect(moved.items).toHaveLength(3);
    expect(moved.items.at(-1)).toMatchObject({
      type: 'moved',
      instance: name,
      key: other,
      from: one,
      logins: 1,
      unitsInUseByKey: [
        { key: one, unitsInUse: 0 },
        { key: other, unitsInUse: 1 },
      ],
    });
    await lictor.call(`DELETE /v1/instances/${name}`);
    expect((await history(name)).items).toHaveLength(3);
  });

  test('403 for an instance that is not the token’s', async () => {
    const token = await lictor.token('viewer', { instance: 'elsewhere' });
    expect((await lictor.call('GET /v1/instances/host-1/activations', { token })).statusCode).toBe(403);
  });

  test('404 for a name that was never registered', async () => {
    const response = await lictor.call('GET /v1/instances/never-registered/activations');
    expect([response.statusCode, response.json().code]).toEqual([404, 'instance-not-found']);
  });
});
