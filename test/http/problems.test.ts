import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Type } from 'typebox';
import { LicenseError, PROBLEMS } from '../../src/domain/errors.ts';
import type { App, RoutePlugin } from '../../src/http/app.ts';
import { PROBLEMS_FILE } from '../../src/http/openapi.ts';
import { describeProblems, PROBLEM_ADVICE } from '../../src/http/problem-advice.ts';
import { sendProblem } from '../../src/http/problems.ts';
import { problemRoutes } from '../../src/http/routes/problems.ts';
import { createTokens } from '../../src/service/tokens.ts';
import { buildTestApp, createRecordingLogger } from '../support/http.ts';

const Body = Type.Object(
  {
    instance: Type.String({ minLength: 1 }),
    clientAddress: Type.Optional(Type.String()),
    kind: Type.Optional(Type.Enum(['user', 'web'], { type: 'string' })),
    process: Type.Optional(
      Type.Object(
        { pid: Type.Integer(), name: Type.Optional(Type.String()) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

const routes: RoutePlugin = (app, _options, done) => {
  const config = { access: 'public' } as const;
  app.post('/things', { config, schema: { body: Body } }, (request, reply) => {
    reply.send({ got: request.body });
  });
  app.get(
    '/things',
    {
      config,
      schema: {
        querystring: Type.Object(
          { limit: Type.Optional(Type.Integer({ maximum: 9 })) },
          { additionalProperties: false },
        ),
      },
    },
    (request, reply) => {
      reply.send({ got: request.query });
    },
  );
  app.get(
    '/things/:number',
    { config, schema: { params: Type.Object({ number: Type.Integer() }) } },
    (request, reply) => {
      reply.send({ got: request.params });
    },
  );
  app.get('/thrown', { config }, () => {
    throw new LicenseError('units-exhausted', 'All 3 units are in use.', {
      rule: 'enforced-units',
      limit: 3,
      inUse: 3,
      requested: 1,
      retryAfterSeconds: 2.2,
    });
  });
  app.get('/sent', { config }, (request, reply) => {
    sendProblem(request, reply, 'login-not-found', 'There is no such login.');
  });
  app.get('/broken', { config }, async () => {
    throw new TypeError('a secret of the implementation');
  });
  app.delete('/nothing', { config }, (_request, reply) => {
    reply.code(204).send();
  });
  done();
};

const logger = createRecordingLogger();
let app: App;
beforeAll(async () => {
  const tokens = createTokens({ sql: null as never, adminToken: null, cacheMs: 0, logger });
  app = buildTestApp({ tokens, routes: [routes, problemRoutes()], logger });
  await app.ready();
});
afterAll(() => app.close());

async function post(
  payload: unknown,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) {
  return app.inject({
    method: 'POST',
    url: '/things',
    headers,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
}

describe('the shape', () => {
  test('a thrown LicenseError is a problem body with its extras and Retry-After', async () => {
    const response = await app.inject({ url: '/thrown', headers: { 'x-request-id': 'mine-1' } });
    expect(response.statusCode).toBe(409);
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(response.headers['retry-after']).toBe('3');
    expect(response.json()).toEqual({
      type: '/problems/units-exhausted',
      title: 'No unit is free',
      status: 409,
      code: 'units-exhausted',
      detail: 'All 3 units are in use.',
      requestId: 'mine-1',
      rule: 'enforced-units',
      limit: 3,
      inUse: 3,
      requested: 1,
      retryAfterSeconds: 2.2,
    });
  });

  test('a problem sent directly has the same shape', async () => {
    const response = await app.inject('/sent');
    expect(response.statusCode).toBe(404);
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(response.json()).toMatchObject({
      code: 'login-not-found',
      requestId: response.headers['x-request-id'],
    });
  });

  test('the unexpected is 500 without detail, and the log has its cause under the request ID', async () => {
    const response = await app.inject('/broken');
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('secret');
    const { code, requestId } = response.json();
    expect(code).toBe('internal');
    const line = logger.lines.find(({ level }) => level === 'error');
    expect(line?.fields).toMatchObject({ requestId, err: expect.any(TypeError) });
  });
});

describe('validation', () => {
  test.each([
    [
      'a misspelt optional field',
      { instance: 'a', clientAdress: '::1' },
      [{ pointer: '/clientAdress', message: 'is not a known field; did you mean "clientAddress"?' }],
    ],
    [
      'a misspelt required field',
      { instace: 'a' },
      [
        { pointer: '/instace', message: 'is not a known field; did you mean "instance"?' },
        { pointer: '/instance', message: 'is required' },
      ],
    ],
    [
      'a field of another case',
      { Instance: 'a' },
      [
        { pointer: '/Instance', message: 'is not a known field; did you mean "instance"?' },
        { pointer: '/instance', message: 'is required' },
      ],
    ],
    [
      'swapped letters',
      { instance: 'a', knid: 'user' },
      [{ pointer: '/knid', message: 'is not a known field; did you mean "kind"?' }],
    ],
    [
      'a field like no other',
      { instance: 'a', colour: 'red' },
      [{ pointer: '/colour', message: 'is not a known field' }],
    ],
    [
      'a nested field',
      { instance: 'a', process: { pid: 1, 'na/me~': 'x' } },
      [{ pointer: '/process/na~1me~0', message: 'is not a known field; did you mean "name"?' }],
    ],
    [
      'a missing nested field',
      { instance: 'a', process: {} },
      [{ pointer: '/process/pid', message: 'is required' }],
    ],
    [
      'a value of another type, without coercion',
      { instance: 7 },
      [{ pointer: '/instance', message: 'must be string' }],
    ],
    [
      'a number as text',
      { instance: 'a', process: { pid: '1' } },
      [{ pointer: '/process/pid', message: 'must be integer' }],
    ],
    [
      'a value that is none of a list',
      { instance: 'a', kind: 'robot' },
      [{ pointer: '/kind', message: 'must be one of user, web' }],
    ],
    ['another type altogether', [1], [{ pointer: '', message: 'must be object' }]],
  ])('%s', async (_name, payload, errors) => {
    const response = await post(payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'malformed-request', errors });
    expect(response.json().detail).toContain(errors[0]!.message);
  });

  test('a body that is missing is 400', async () => {
    const response = await app.inject({ method: 'POST', url: '/things' });
    expect(response.statusCode).toBe(400);
    expect(response.json().code).toBe('malformed-request');
  });

  test('query and path are coerced, and their faults name the parameter', async () => {
    expect((await app.inject('/things?limit=5')).json()).toEqual({ got: { limit: 5 } });
    expect((await app.inject('/things/7')).json()).toEqual({ got: { number: 7 } });
    const tooMany = await app.inject('/things?limit=10');
    expect(tooMany.json().errors).toEqual([{ pointer: '?limit', message: 'must be <= 9' }]);
    const unknown = await app.inject('/things?limt=5');
    expect(unknown.json().errors).toEqual([
      { pointer: '?limt', message: 'is not a known parameter; did you mean "limit"?' },
    ]);
    const path = await app.inject('/things/seven');
    expect(path.json().errors).toEqual([{ pointer: 'number', message: 'must be integer' }]);
  });
});

describe('bodies', () => {
  test('text that is not JSON is 400', async () => {
    const response = await post('{"instance":');
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 'malformed-request',
      detail: 'The body is not valid JSON.',
    });
  });

  test('prototype pollution is 400', async () => {
    const response = await post('{"instance":"a","__proto__":{"admin":true}}');
    expect(response.statusCode).toBe(400);
  });

  test.each([
    ['a NUL in a value', '{"instance":"a\\u0000b"}', '/instance'],
    ['a NUL in a nested value', '{"instance":"a","process":{"name":"\\u0000"}}', '/process/name'],
    ['a NUL in a name', '{"instance":"a","x\\u0000":1}', ''],
    ['a lone high surrogate', '{"instance":"\\ud800"}', '/instance'],
    ['a lone low surrogate, in capitals', '{"instance":"\\uDC00x"}', '/instance'],
  ])('%s is 400', async (_name, payload, pointer) => {
    const response = await post(payload);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([{ pointer, message: 'has a NUL character or a lone surrogate' }]);
  });

  test.each([
    ['a surrogate pair', '{"instance":"\\ud83d\\ude00"}', '😀'],
    ['an escaped backslash before u0000', '{"instance":"\\\\u0000"}', '\\u0000'],
    ['other escapes', '{"instance":"caf\\u00e9"}', 'café'],
  ])('%s is taken', async (_name, payload, instance) => {
    const response = await post(payload);
    expect(response.json()).toEqual({ got: { instance } });
  });

  test('a body nested deeper than calls can be is a 400 and no crash', async () => {
    const response = await post(`{"instance":"\\u0000","x":${'['.repeat(1900)}${']'.repeat(1900)}}`);
    expect(response.statusCode).toBe(400);
  });

  test('a body that is too large is 413 and says the limit', async () => {
    const response = await post({ instance: 'a'.repeat(5000) });
    expect(response.statusCode).toBe(413);
    expect(response.json()).toMatchObject({ code: 'body-too-large', limit: 4096 });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    '%s is 415',
    async (type) => {
      const response = await post('instance=a', { 'content-type': type });
      expect(response.statusCode).toBe(415);
      expect(response.json().code).toBe('unsupported-media-type');
      expect(response.json().detail).toContain(type);
    },
  );

  test('an empty body with Content-Type is no body', async () => {
    const response = await app.inject({
      method: 'DELETE',
      url: '/nothing',
      headers: { 'content-type': 'application/json' },
      payload: '',
    });
    expect(response.statusCode).toBe(204);
  });
});

describe('addresses', () => {
  test('an unknown one is 404 with request ID', async () => {
    const response = await app.inject('/nowhere?x=1');
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({
      code: 'not-found',
      detail: 'There is no GET /nowhere; /docs lists what there is.',
    });
    expect(response.json().requestId).toMatch(/\S/);
  });

  test('a known one with another method names those it takes', async () => {
    const response = await app.inject({ method: 'PUT', url: '/things/7' });
    expect(response.statusCode).toBe(404);
    expect(response.headers.allow).toBe('GET, HEAD');
    expect(response.json().detail).toBe('/things/7 does not take PUT; it takes GET, HEAD.');
  });

  test('one that cannot be decoded is 400', async () => {
    const response = await app.inject('/things/%zz');
    expect(response.statusCode).toBe(400);
    expect(response.json().code).toBe('malformed-request');
  });

  test('a NUL in it is 400', async () => {
    const response = await app.inject('/things/%00');
    expect(response.statusCode).toBe(400);
    expect(response.json().detail).toContain('NUL');
  });

  test('what is not HTTP gets an answer and no crash', async () => {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write('not http at all\r\n\r\n'));
      socket.on('data', (data) => {
        text += data;
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((await app.inject('/things')).statusCode).toBe(200);
  });
});

describe('headers', () => {
  test('every answer has the request ID, and what is read must not be cached, sniffed or framed', async () => {
    const created = await post(
      { instance: 'a' },
      { 'content-type': 'application/json', 'x-request-id': 'Ab:1.2-3_4' },
    );
    expect(created.headers['x-request-id']).toBe('Ab:1.2-3_4');
    const read = await app.inject('/things');
    expect(read.headers).toMatchObject({
      'x-request-id': expect.stringMatching(/\S/),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
    });
  });

  test.each(['', 'a b', 'x'.repeat(65), 'a\tb', '<script>'])(
    'the request ID %j is not taken',
    async (given) => {
      const { headers } = await app.inject({ url: '/things', headers: { 'x-request-id': given } });
      expect(headers['x-request-id']).not.toBe(given);
      expect(headers['x-request-id']).toMatch(/^[\w-]{8}-[0-9a-z]+$/);
    },
  );

  test('request IDs differ', async () => {
    const ids = await Promise.all(
      Array.from({ length: 50 }, async () => (await app.inject('/things')).headers['x-request-id']),
    );
    expect(new Set(ids).size).toBe(50);
  });
});

describe('the catalogue', () => {
  test('is listed whole, with advice for every entry', async () => {
    const { items } = (await app.inject('/problems')).json();
    expect(items.map(({ code }: { code: string }) => code)).toEqual(Object.keys(PROBLEMS));
    expect(Object.keys(PROBLEM_ADVICE).sort()).toEqual(Object.keys(PROBLEMS).sort());
  });

  test.each(Object.entries(PROBLEMS))('the type of %s leads to it', async (code, entry) => {
    const response = await app.inject(`/problems/${code}`);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ ...entry, code, type: `/problems/${code}` });
  });

  test.each(['toString', 'nothing'])('there is no problem %s', async (code) => {
    expect((await app.inject(`/problems/${code}`)).statusCode).toBe(404);
  });

  test('docs/problems.md is what the catalogue says', async () => {
    expect(await readFile(PROBLEMS_FILE, 'utf8')).toBe(describeProblems());
  });
});
