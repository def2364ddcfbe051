/**
 * How far restricted tokens reach on the routes of keys' lives, application licences and reports: each sees and
 * changes its own, nothing of others, and no secret.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { OPENAPI_FILE } from '../../src/http/openapi.ts';
import { type Call, type StartedApp, startApp } from '../support/app.ts';
import type { TestKeyFile } from '../support/keyfiles.ts';

/** The routes that this file is about. */
const ABOUT =
  /^\/v1\/(instances\/\{name\}\/(key|activations|applications|counts|marks|durations|dumps)\b|keys\/\{id\}\/marks|queries|served-keys|usage|license-servers\/active|diagnosis)/;

let started: StartedApp;
let keys: { readonly own: TestKeyFile; readonly other: TestKeyFile };
const tokens: Record<string, string> = {};

beforeAll(async () => {
  started = await startApp();
  const fields = { AuthorizedUnits: 9, LicenseCapacity: 'Shown' };
  const sections = '\n[ISC.Care]\nBeds=2\n';
  keys = {
    own: await started.installKey({ ...fields, OrderNumber: 710_001, LicenseID: 'own-id' }, sections),
    other: await started.installKey({ ...fields, OrderNumber: 720_002, LicenseID: 'other-id' }, sections),
  };
  await started.register('own', keys.own.id);
  await started.register('beside', keys.own.id);
  await started.register('other', keys.other.id);
  await started.register('keyless');
  for (const instance of ['own', 'beside', 'other', 'keyless']) {
    await started.login(instance, `user-of-${instance}`);
    const body = { entries: { [`Feature of ${instance}`]: 3 } };
    await started.call(`PUT /v1/instances/${instance}/applications/Lab`, { body });
    const care = instance === 'keyless' ? [] : [{ application: 'ISC.Care', feature: 'Beds' }];
    const features = [{ application: 'Lab', feature: `Feature of ${instance}` }, ...care];
    const taken = await started.call(`POST /v1/instances/${instance}/applications/take`, {
      body: { userId: `user-of-${instance}`, features },
    });
    expect(taken.statusCode).toBeLessThan(300);
  }
  for (const { id } of Object.values(keys)) {
    const licenseId = id === keys.own.id ? 'own-id' : 'other-id';
    const served = await started.call(`PUT /v1/served-keys/${licenseId}`, { body: { key: id } });
    expect(served.statusCode).toBe(200);
  }
  tokens.viewer = await started.token('viewer', { keys: [keys.own.id] });
  tokens.instance = await started.token('instance', { instance: 'own' });
  tokens.operator = await started.token('operator', { keys: [keys.own.id] });
  tokens.administrator = await started.token('administrator', { keys: [keys.own.id] });
  tokens.desk = await started.token('operator', { instance: 'own' });
});
afterAll(() => started?.close());

const OF_OWN = (instance: string) => `/v1/instances/${instance}`;
const features = (instance: string) => [{ application: 'Lab', feature: `Feature of ${instance}` }];

/** Everything about one instance: what to send, and to whom the role is permitted. */
const OF_INSTANCE: [route: string, request: (instance: string) => [string, object?], ...may: string[]][] = [
  ['GET key', (on) => [`${OF_OWN(on)}/key`], 'viewer', 'instance', 'operator', 'administrator', 'desk'],
  ['PUT key', (on) => [`${OF_OWN(on)}/key`, { key: keys.own.id }], 'administrator'],
  ['POST key/rollback', (on) => [`${OF_OWN(on)}/key/rollback`], 'administrator'],
  ['POST key/check', (on) => [`${OF_OWN(on)}/key/check`], 'instance', 'operator', 'administrator', 'desk'],
  [
    'GET activations',
    (on) => [`${OF_OWN(on)}/activations`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET applications',
    (on) => [`${OF_OWN(on)}/applications`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'POST applications',
    (on) => [`${OF_OWN(on)}/applications`, { file: '[Other]\nBeds=1\n' }],
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'PUT applications/{application}',
    (on) => [`${OF_OWN(on)}/applications/Third`, { entries: { Beds: 1 } }],
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET applications/{application}',
    (on) => [`${OF_OWN(on)}/applications/Lab`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET applications/{application}/features/{feature}',
    (on) => [`${OF_OWN(on)}/applications/Lab/features/Feature%20of%20${on}`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET applications/{application}/holders',
    (on) => [`${OF_OWN(on)}/applications/Lab/holders`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET applications/{application}/holders',
    (on) => [`${OF_OWN(on)}/applications/ISC.Care/holders?across=true`],
    // Who holds it on other instances is for whoever reaches the key.
    'viewer',
    'operator',
    'administrator',
  ],
  [
    'POST applications/explain',
    (on) => [
      `${OF_OWN(on)}/applications/explain`,
      {
        userId: `late-on-${on}`,
        features: [{ application: 'ISC.Care', feature: 'Beds' }],
      },
    ],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET applications/{application}/instance-login',
    (on) => [`${OF_OWN(on)}/applications/ISC.Care/instance-login?feature=Beds`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'POST applications/explain',
    (on) => [`${OF_OWN(on)}/applications/explain`, { userId: `user-of-${on}`, features: features(on) }],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'POST applications/take',
    (on) => [`${OF_OWN(on)}/applications/take`, { userId: `user-of-${on}`, features: features(on) }],
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'POST applications/return',
    (on) => [`${OF_OWN(on)}/applications/return`, { userId: `user-of-${on}`, features: features(on) }],
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'POST applications/{application}/recount',
    (on) => [`${OF_OWN(on)}/applications/Lab/recount`, {}],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'DELETE applications/{application}',
    (on) => [`${OF_OWN(on)}/applications/Third`],
    'operator',
    'administrator',
    'desk',
  ],
  ['GET counts', (on) => [`${OF_OWN(on)}/counts`], 'viewer', 'instance', 'operator', 'administrator', 'desk'],
  ['POST marks/reset', (on) => [`${OF_OWN(on)}/marks/reset`, {}], 'operator', 'administrator', 'desk'],
  [
    'GET durations',
    (on) => [`${OF_OWN(on)}/durations`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  ['POST durations/clear', (on) => [`${OF_OWN(on)}/durations/clear`], 'operator', 'administrator', 'desk'],
  [
    'GET dumps/all',
    (on) => [`${OF_OWN(on)}/dumps/all`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET dumps/in-use',
    (on) => [`${OF_OWN(on)}/dumps/in-use`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
  [
    'GET dumps/processes',
    (on) => [`${OF_OWN(on)}/dumps/processes`],
    'viewer',
    'instance',
    'operator',
    'administrator',
    'desk',
  ],
];

/** What is not about one instance, and is not refused by a restriction: whatever is asked. */
const LISTS = [
  '/v1/served-keys',
  '/v1/queries',
  '/v1/license-servers/active',
  '/v1/usage/counts',
  '/v1/usage/instances',
  '/v1/usage/users',
  '/v1/usage/servers',
  '/v1/usage/keys',
  '/v1/usage/summary',
  '/v1/queries/LicenseManager',
  '/v1/queries/LicenseServerKeyList',
  '/v1/queries/AllKeyConnectionList',
  ...[
    'Counts',
    'Summary',
    'ProcessList',
    'UserList',
    'UserListAll',
    'TrakCareUserList',
    'Decode',
    'LoginDuration',
  ].map((query) => `/v1/queries/${query}?instance=own`),
  '/v1/queries/Key?instance=own&sections=3',
  '/v1/queries/ApplicationUserList?instance=own&application=Lab&showCounts=true',
  ...['ActiveServerList', 'ConnectionList', 'ConnectionAppList'].map(
    (query) => `/v1/queries/${query}?instance=own`,
  ),
];

/** What names another's, which a restriction refuses. */
const FOREIGN = () => [
  `/v1/usage/counts?key=${keys.other.id}`,
  `/v1/usage/users?key=${keys.other.id}`,
  `/v1/usage/servers?key=${keys.other.id}`,
  '/v1/usage/servers?instance=other',
  '/v1/usage/servers?instance=keyless',
  `/v1/usage/keys?key=${keys.other.id}`,
  `/v1/usage/summary?key=${keys.other.id}`,
  '/v1/usage/summary?instance=other',
  `/v1/usage/summary?instance=other&key=${keys.own.id}`,
  '/v1/license-servers/active?instance=other',
  ...[
    'Counts',
    'Summary',
    'ProcessList',
    'UserList',
    'UserListAll',
    'TrakCareUserList',
    'Key',
    'Decode',
    'LoginDuration',
  ].flatMap((query) => [`/v1/queries/${query}?instance=other`, `/v1/queries/${query}?instance=keyless`]),
  '/v1/queries/ApplicationUserList?instance=other&application=Lab',
  ...['ActiveServerList', 'ConnectionList', 'ConnectionAppList'].flatMap((query) => [
    `/v1/queries/${query}?instance=other`,
    `/v1/queries/${query}?key=${keys.other.id}`,
  ]),
  '/v1/diagnosis',
];

const TYPES = ['application/json', 'text/plain', 'application/x-ndjson'];

function send(method: string, [path, body]: [string, object?], token: string, headers = {}) {
  const call: Call = { token, headers, ...(body === undefined ? {} : { body }) };
  return started.call(`${method} ${path}`, call);
}

const authorizationKey = ({ text }: TestKeyFile) => /^AuthorizationKey=(.*)$/m.exec(text)![1]!;

/** What only others may see, and what nobody is shown. */
function forbiddenTo(who: string): string[] {
  const others = [
    'user-of-other',
    'user-of-keyless',
    'Feature of other',
    '720002',
    keys.other.id,
    'other-id',
  ];
  const beside = who === 'instance' || who === 'desk' ? ['user-of-beside', 'Feature of beside'] : [];
  const secrets = who === 'administrator' ? [] : [authorizationKey(keys.own)];
  return [...others, ...beside, ...secrets, authorizationKey(keys.other), ...Object.values(tokens)];
}

function expectDiscreet(body: string, who: string, what: string): void {
  for (const secret of forbiddenTo(who)) {
    if (body.includes(secret)) throw new Error(`${what} shows ${who} ${secret}: ${body}`);
  }
}

test('the tables name every route of the description that this is about', () => {
  const { paths } = parse(readFileSync(OPENAPI_FILE, 'utf8')) as { paths: Record<string, object> };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    ABOUT.test(path) ? Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`) : [],
  );
  const named = new Set([
    ...OF_INSTANCE.map(([route]) => route.replace(' ', ' /v1/instances/{name}/')),
    ...[...LISTS, '/v1/diagnosis'].map((path) => `GET ${path.split('?')[0]}`),
    'GET /v1/queries/{name}',
    'PUT /v1/served-keys/{licenseId}',
    'POST /v1/keys/{id}/marks/reset',
  ]);
  expect(described.filter((route) => !named.has(route))).toEqual([]);
});

describe('an instance', () => {
  test.each(OF_INSTANCE)('%s: one’s own, and nobody else’s', async (route, request, ...may) => {
    const method = route.split(' ')[0]!;
    for (const [who, token] of Object.entries(tokens)) {
      const before = started.lane.table.version;
      for (const instance of [
        'other',
        'keyless',
        ...(who === 'instance' || who === 'desk' ? ['beside'] : []),
      ]) {
        const { statusCode, body } = await send(method, request(instance), token, { 'if-match': '*' });
        expect([who, instance, statusCode]).toEqual([who, instance, 403]);
        expectDiscreet(body.replaceAll(instance, '…'), who, route);
      }
      expect([who, started.lane.table.version]).toEqual([who, before]);
      for (const accept of method === 'GET' ? TYPES : TYPES.slice(0, 1)) {
        const { statusCode, body } = await send(method, request('own'), token, { 'if-match': '*', accept });
        expect([who, statusCode === 403]).toEqual([who, !may.includes(who)]);
        expect([who, statusCode]).not.toEqual([who, 400]);
        expectDiscreet(body, who, route);
      }
    }
  });

  test('is told that units are taken on others, and not by whom', async () => {
    const body = {
      userId: 'user-of-own',
      features: [{ application: 'ISC.Care', feature: 'Beds' }],
    };
    await started.call('POST /v1/instances/own/applications/return', { body });
    await started.login('beside', 'second');
    const taken = await started.call('POST /v1/instances/beside/applications/take', {
      body: { ...body, userId: 'second' },
    });
    expect(taken.statusCode).toBeLessThan(300);
    for (const what of ['explain', 'take']) {
      const path = `/v1/instances/own/applications/${what}`;
      const refused = await send('POST', [path, body], tokens.instance!);
      expect(refused.json()).toMatchObject({ code: 'application-units-exhausted', holdersCount: 2 });
      expectDiscreet(refused.body, 'instance', what);
    }
  });

  test('is given no key that the token does not reach', async () => {
    const path = '/v1/instances/own/key';
    const { statusCode } = await send('PUT', [path, { key: keys.other.id }], tokens.administrator!, {
      'if-match': '*',
    });
    expect(statusCode).toBe(403);
  });
});

describe('lists and reports', () => {
  test.each(LISTS)('%s has one’s own only, in every form', async (path) => {
    for (const [who, token] of Object.entries(tokens)) {
      for (const accept of TYPES) {
        const { statusCode, body } = await send('GET', [path], token, { accept });
        const isBarred = path === '/v1/served-keys' && who === 'instance';
        // Whoever reaches several keys or instances has to say which is meant.
        expect([who, [200, 400].includes(statusCode)]).toEqual([who, !isBarred]);
        expectDiscreet(body, who, path);
      }
    }
  });

  test('what names another’s is refused', async () => {
    for (const path of FOREIGN()) {
      for (const [who, token] of Object.entries(tokens)) {
        for (const accept of TYPES) {
          const { statusCode, body } = await send('GET', [path], token, { accept });
          // The token of an instance is not restricted to keys: it may name another, and sees nothing of it.
          const isEmpty = path.includes('?key=') && statusCode === 200;
          expect([path, who, statusCode]).toEqual([path, who, isEmpty ? 200 : 403]);
          expectDiscreet(body, who, path);
        }
      }
    }
  });

  test('whoever reaches everything sees all of it, and the secrets only if he may install keys', async () => {
    for (const path of ['/v1/usage/keys', '/v1/queries/LicenseServerKeyList']) {
      for (const accept of TYPES) {
        const shown = async (token: string) => (await send('GET', [path], token, { accept })).body;
        expect(await shown(started.tokens.administrator)).toContain(authorizationKey(keys.other));
        for (const role of ['operator', 'viewer'] as const) {
          expect(await shown(started.tokens[role])).not.toContain(authorizationKey(keys.other));
          expect(await shown(started.tokens[role])).toContain('720002');
        }
      }
    }
  });
});

test('marks of a key and served keys are changed by whoever reaches the key', async () => {
  for (const [who, token] of Object.entries(tokens)) {
    const may = (status: number) => [who, status === 403];
    const reset = (id: string) => send('POST', [`/v1/keys/${id}/marks/reset`, {}], token);
    expect(may((await reset(keys.other.id)).statusCode)).toEqual([who, true]);
    const isOfKey = who === 'operator' || who === 'administrator';
    expect(may((await reset(keys.own.id)).statusCode)).toEqual([who, !isOfKey]);
    const serve = (licenseId: string, key: string) =>
      send('PUT', [`/v1/served-keys/${licenseId}`, { key }], token);
    expect(may((await serve('other-id', keys.other.id)).statusCode)).toEqual([who, true]);
    expect(may((await serve('own-id', keys.own.id)).statusCode)).toEqual([who, who !== 'administrator']);
  }
});
