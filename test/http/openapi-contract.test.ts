import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { type Action, ROLE_ACTIONS } from '../../src/domain/access.ts';
import { OPENAPI_FILE } from '../../src/http/openapi.ts';
import { type Call, type StartedApp, startApp } from '../support/app.ts';
import { type Contract, readContract, type Sent, underContract } from '../support/contract.ts';
import { signedKeyFile } from '../support/keyfiles.ts';

let started: StartedApp;
let contract: Contract;
/** Every route as the description has it: `POST /v1/logins/{id}/identify`. */
let routes: string[];
/** What a token must permit for a route, as the description says. */
let actionOf: (route: string) => Action;

beforeAll(async () => {
  contract = await readContract();
  started = underContract(await startApp(), contract);
  const { paths } = parse(await readFile(OPENAPI_FILE, 'utf8')) as {
    paths: Record<string, Record<string, { description?: string }>>;
  };
  actionOf = (route) => {
    const [method, path] = route.split(' ') as [string, string];
    const description = paths[path]![method.toLowerCase()]!.description;
    return /Requires a token that permits `(.+?)`/.exec(description ?? '')![1] as Action;
  };
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
});
afterAll(async () => {
  await started.close();
});

/** Sends a request and expects a status; the answer is held against the description on the way. */
async function send(status: number, request: string, options: Call = {}) {
  const response = await started.call(request, options);
  expect([request, response.statusCode, response.body]).toEqual([request, status, expect.any(String)]);
  return response;
}

/** What needs the whole server and is held against the description elsewhere. */
const ELSEWHERE = ['getReadiness', 'getMetrics'];

/** What is sent without a body. */
const WITHOUT_BODY = ['/v1/logins/{id}/heartbeat', '/key/check', '/key/rollback', '/durations/clear'];

describe('a life in the API', () => {
  test('every operation answers as it is described', async () => {
    const file = signedKeyFile(
      { OrderNumber: 6001, Features: 'NLP', LicenseID: 'LAB' },
      '\n[ISC.Lab]\nLab Users=5\n',
    );
    await send(200, 'POST /v1/keys/inspect', { body: { file: file.text } });
    const ifMatch = async (url: string) => {
      const { etag } = (await send(200, `GET ${url}`)).headers;
      return { 'if-match': String(etag) };
    };
    await send(201, 'POST /v1/keys', { body: { file: file.text } });
    await send(200, 'POST /v1/keys', { body: { file: file.text } });
    await send(200, 'GET /v1/keys');
    const key = `/v1/keys/${file.id}`;
    await send(200, `PATCH ${key}`, { body: { connectionsPerUnitMax: 3 }, headers: await ifMatch(key) });
    await send(200, `GET ${key}/file`);
    await send(200, `GET ${key}/features/NLP`);

    const app = '/v1/instances/app-a';
    const { incarnation } = (await send(201, `PUT ${app}`, { body: { key: file.id } })).json();
    await send(200, 'GET /v1/instances');
    await send(200, `PATCH ${app}`, { body: { unitLimit: 4 }, headers: await ifMatch(app) });
    await send(200, `GET ${app}/features/NLP`);
    await send(200, `POST ${app}/heartbeat`, { body: { incarnation } });
    const other = signedKeyFile({ OrderNumber: 6003 });
    await send(201, 'POST /v1/keys', { body: { file: other.text } });
    const about = { key: other.id, instance: 'app-a' };
    const { etag } = (await send(200, 'POST /v1/keys/inspect', { body: about })).headers;
    await send(200, `PUT ${app}/key`, { body: { key: other.id }, headers: { 'if-match': String(etag) } });
    await send(200, `POST ${app}/key/rollback`, { headers: await ifMatch(app) });
    await send(200, `GET ${app}/activations`);
    await send(204, `DELETE /v1/keys/${other.id}`);
    await send(200, 'PUT /v1/served-keys/LAB', { body: { key: file.id } });
    await send(200, 'GET /v1/served-keys');
    await send(200, `POST ${app}/key/check`);
    const nothing = { incarnation, sequence: 0, since: 0, users: [], digest: '0.0.00000000' };
    await send(200, `POST ${app}/updates`, { body: nothing });

    const id = randomUUID();
    const login = { instance: 'app-a', id, user: 'alice', leaseSeconds: 60 };
    await send(200, 'POST /v1/logins/explain', { body: login });
    await send(201, 'POST /v1/logins', { body: login });
    await send(200, 'POST /v1/logins', { body: login });
    await send(200, 'GET /v1/logins');
    const read = (await send(200, `GET /v1/logins/${id}`)).json();
    await send(200, `POST /v1/logins/${id}/heartbeat`);
    await send(200, `POST /v1/logins/${id}/identify`, { body: { user: 'bob' } });
    const operations = [{ do: 'login', login: { instance: 'app-a', user: 'carol' } }];
    await send(200, 'POST /v1/logins/batch', { body: { operations } });

    const applications = `${app}/applications`;
    const section = `${applications}/Lab`;
    const entries = { 'Lab Users': 5, Mode: 'Night' };
    await send(201, `PUT ${section}`, { body: { entries } });
    await send(200, `PUT ${section}`, { body: { entries } });
    await send(200, `POST ${applications}`, { body: { file: '[Pharmacy]\nConcurrent Users=2\n' } });
    await send(200, `GET ${applications}?types=IPU`);
    await send(200, `GET ${section}`);
    await send(200, `GET ${section}/features/Mode`);
    const taken = { login: id, features: [{ application: 'Lab', feature: 'Lab Users' }] };
    await send(200, `POST ${applications}/explain`, { body: taken });
    await send(200, `POST ${applications}/take`, { body: { ...taken, id: randomUUID() } });
    await send(200, `GET ${section}/holders`);
    await send(200, `POST ${section}/recount`, { body: {} });
    await send(200, `GET ${section}/instance-login?feature=Lab%20Users`);
    await send(200, `POST ${applications}/return`, { body: taken });
    await send(204, `DELETE ${section}`);

    await send(200, 'GET /v1/excesses');
    await send(200, 'GET /v1/leases');
    await send(200, `GET ${key}/excess`);
    for (const what of ['counts', 'instances', `users?key=${file.id}`, 'summary', 'servers', 'keys'])
      await send(200, `GET /v1/usage/${what}`);
    for (const what of ['counts', 'durations', 'key', 'dumps/all', 'dumps/in-use', 'dumps/processes'])
      await send(200, `GET ${app}/${what}`);
    await send(200, `POST ${app}/marks/reset`, { body: {} });
    await send(200, `POST ${key}/marks/reset`, { body: { counters: ['users'] } });
    await send(200, `POST ${app}/durations/clear`);
    await send(200, 'GET /v1/queries');
    await send(200, 'GET /v1/queries/UserList?instance=app-a');
    await send(200, 'GET /v1/license-servers/active');
    await send(200, 'GET /v1/journal?limit=500');
    await send(200, `GET /v1/journal/${read.decision}`);

    await send(204, `DELETE /v1/logins/${id}`);
    await send(200, 'POST /v1/releases', { body: { instance: 'app-a', reason: 'the end' } });
    await send(204, `POST ${app}/close`, { body: { incarnation } });
    await send(204, `DELETE ${app}`);
    await send(204, `DELETE ${key}`);

    const token = (await send(201, 'POST /v1/tokens', { body: { name: 'ops', role: 'operator' } })).json();
    await send(200, 'GET /v1/tokens');
    await send(204, `DELETE /v1/tokens/${token.id}`);
    const server = '/v1/license-servers/PRIMARY';
    await send(201, `PUT ${server}`, { body: { address: '192.0.2.1' } });
    await send(200, `PUT ${server}`, { body: { address: '192.0.2.1', port: 4002 } });
    await send(200, `POST ${server}/beat`, { body: { holder: 'udp-1' } });
    await send(200, 'GET /v1/license-servers');
    await send(200, `GET ${server}`);
    await send(204, `DELETE ${server}`);
    await send(200, 'GET /v1/diagnosis');
    await send(200, 'GET /problems');
    await send(200, 'GET /problems/units-exhausted');
    await send(200, 'GET /livez');

    const answered = new Set(
      [...contract.seen].filter((each) => / 20\d$/.test(each)).map((each) => each.split(' ')[0]),
    );
    expect(contract.operationIds.filter((each) => !answered.has(each)).sort()).toEqual([...ELSEWHERE].sort());
  });

  test('every guarded route answers 401 without a token, and 403 to a role that may not, as described', async () => {
    const guarded = routes.filter((route) => route.includes(' /v1/'));
    expect(guarded.length).toBeGreaterThan(25);
    const places: Record<string, string> = {
      '{id}': randomUUID(),
      '{name}': 'app-z',
      '{licenseId}': 'LAB',
      '{feature}': 'NLP',
      '{application}': 'Lab',
      '{decision}': '0:1:0',
    };
    let refused = 0;
    for (const route of guarded) {
      const request = route.replace(/\{\w+\}/g, (place) => places[place]!);
      await send(401, request, { token: null });
      await send(401, request, { token: 'strange' });
      if (ROLE_ACTIONS.viewer.has(actionOf(route))) continue;
      // That is said before the request is looked at.
      await send(403, request, { token: started.tokens.viewer });
      refused += 1;
    }
    expect(refused).toBeGreaterThan(10);
  });

  test('every route that takes a body refuses what is no JSON, another media type, and 10 MB, as described', async () => {
    const large = JSON.stringify({ x: 'x'.repeat(10 * 1_048_576) });
    let checked = 0;
    for (const route of routes.filter((each) => /^(?:POST|PUT|PATCH) /.test(each))) {
      if (WITHOUT_BODY.some((end) => route.endsWith(end))) continue;
      const request = route
        .replace('{id}', randomUUID())
        .replace('{name}', 'app-z')
        .replace('{application}', 'Lab');
      const json = { 'content-type': 'application/json', 'if-match': '*' };
      await send(400, request, { body: '{"x":', headers: json });
      await send(415, request, { body: 'x', headers: { ...json, 'content-type': 'application/xml' } });
      await send(413, request, { body: large, headers: json });
      checked += 1;
    }
    expect(checked).toBeGreaterThan(8);
  });
});

describe('the check itself', () => {
  const sent = (statusCode: number, body: object | string, headers: object = {}): Sent => ({
    statusCode,
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-request-id': 'r-1', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const problem = {
    type: '/problems/instance-not-found',
    title: 'The instance is not registered',
    status: 404,
    code: 'instance-not-found',
    detail: 'x',
    requestId: 'r-1',
  };
  const problemHeaders = { 'content-type': 'application/problem+json; charset=utf-8' };
  const check = (answer: Sent, method = 'POST', url = '/v1/logins') => contract.check(method, url, answer);

  test('lets through what is as described', () => {
    check(sent(404, problem, problemHeaders));
    check(sent(204, '', {}), 'DELETE', `/v1/logins/${randomUUID()}?pages=1`);
  });

  test.each([
    ['an address that is not described', sent(200, {}), 'GET', '/v1/nothing', 'is not described'],
    ['a status that is not', sent(418, {}), 'POST', '/v1/logins', 'logIn 418 is not described'],
    ['a shape that is not', sent(201, { id: 1 }), 'POST', '/v1/logins', 'must'],
    ['a list whose entries are not', sent(200, { items: [{}] }), 'GET', '/v1/logins', 'must have required'],
    ['a media type that is not', sent(404, problem), 'POST', '/v1/logins', 'media type application/json'],
    [
      'a code that is not',
      sent(404, { ...problem, code: 'key-not-found' }, problemHeaders),
      'POST',
      '/v1/logins',
      'with the code key-not-found',
    ],
    [
      'a member that is not documented',
      sent(404, { ...problem, stack: 'x' }, problemHeaders),
      'POST',
      '/v1/logins',
      'the member stack',
    ],
    [
      'another status in the body',
      sent(404, { ...problem, status: 409 }, problemHeaders),
      'POST',
      '/v1/logins',
      'says the status 409',
    ],
    [
      'another request ID in the body',
      sent(404, { ...problem, requestId: 'r-2' }, problemHeaders),
      'POST',
      '/v1/logins',
      'two request IDs',
    ],
    [
      'a time to wait without its header',
      sent(404, { ...problem, retryAfterSeconds: 2 }, problemHeaders),
      'POST',
      '/v1/logins',
      'Retry-After',
    ],
    [
      'a body where there is none',
      sent(204, 'x'),
      'DELETE',
      `/v1/logins/${randomUUID()}`,
      'none is described',
    ],
  ])('stops %s', (_name, answer, method, url, words) => {
    expect(() => check(answer, method, url)).toThrow(words);
  });
});
