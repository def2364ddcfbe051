import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../../src/domain/access.ts';
import { LicenseError } from '../../src/domain/errors.ts';
import type { App, RoutePlugin } from '../../src/http/app.ts';
import { addressBucket, principalOf, requirePermission } from '../../src/http/auth.ts';
import type { TokenCheck, Tokens } from '../../src/service/tokens.ts';
import { configureSpans } from '../../src/telemetry/spans.ts';
import { bearer, buildTestApp, createRecordingLogger } from '../support/http.ts';

const VIEWER: Principal = { tokenId: 'v', name: 'viewer', role: 'viewer', keys: null, instance: null };
const OPERATOR: Principal = { ...VIEWER, tokenId: 'o', name: 'operator', role: 'operator' };
const OF_KEY: Principal = { ...OPERATOR, tokenId: 'k', keys: ['k1'] };
const OF_INSTANCE: Principal = { ...OPERATOR, tokenId: 'i', role: 'instance', instance: 'app-a' };

const routes: RoutePlugin = (app, _options, done) => {
  app.get('/open', { config: { access: 'public' } }, (request) => ({ principal: request.principal }));
  app.get('/asked', { config: { access: 'public' } }, async (request) => principalOf(request));
  app.get('/read', { config: { access: 'logins.read' } }, async (request) => principalOf(request));
  app.post('/write', { config: { access: 'logins.create' } }, async (request) => principalOf(request));
  app.get('/of/:instance/:keyId', { config: { access: 'logins.read' } }, async (request: FastifyRequest) => {
    requirePermission(request, 'logins.read', request.params as { instance: string; keyId: string });
    return { permitted: true };
  });
  done();
};

/** Tokens whose every check is counted. */
interface FakeTokens extends Tokens {
  checks: string[];
  revoked: number;
}

function fakeTokens(
  known: Record<string, Principal>,
  answer: (found: TokenCheck) => TokenCheck | Promise<TokenCheck> = (found) => found,
  goodUntilMs: number = Number.POSITIVE_INFINITY,
): FakeTokens {
  const tokens: FakeTokens = {
    checks: [],
    revoked: 0,
    generation: () => tokens.revoked,
    check(text) {
      tokens.checks.push(text);
      const principal = known[text];
      return answer(principal === undefined ? { refused: 'token-invalid' } : { principal, goodUntilMs });
    },
    create: () => Promise.reject(new Error('not asked here')),
    list: () => Promise.reject(new Error('not asked here')),
    revoke: () => Promise.reject(new Error('not asked here')),
    flushUses: async () => {},
    close: async () => {},
  };
  return tokens;
}

const open: App[] = [];
afterEach(async () => {
  configureSpans(null);
  for (const app of open.splice(0)) await app.close();
});

function build(
  tokens: Tokens,
  rest: Omit<Parameters<typeof buildTestApp>[0], 'tokens' | 'routes'> = {},
): App {
  const app = buildTestApp({ tokens, routes: [routes], ...rest });
  open.push(app);
  return app;
}

const KNOWN = { view: VIEWER, operate: OPERATOR, key: OF_KEY, instance: OF_INSTANCE };

/** One keep-alive connection to a listening application. */
async function connect(app: App) {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const get = async (path: string, token = 'view'): Promise<number> => {
    const request = httpRequest({ host: '127.0.0.1', port, path, agent, headers: bearer(token) }).end();
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  return { get, close: () => agent.destroy() };
}

describe('who is asking', () => {
  test('a public route needs no token and knows nobody', async () => {
    const response = await build(fakeTokens({})).inject('/open');
    expect(response.json()).toEqual({ principal: null });
  });

  test('asking who it is on a public route is a bug, not an anonymous principal', async () => {
    expect((await build(fakeTokens({})).inject('/asked')).statusCode).toBe(500);
  });

  test('without a token it is 401 with a challenge', async () => {
    const response = await build(fakeTokens(KNOWN)).inject('/read');
    expect(response.statusCode).toBe(401);
    expect(response.json().code).toBe('token-missing');
    expect(response.headers['www-authenticate']).toBe('Bearer');
  });

  test.each(['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer ', 'Bearer a b', 'view', 'Bearer unknown'])(
    '%j is 401 token-invalid',
    async (authorization) => {
      const response = await build(fakeTokens(KNOWN)).inject({ url: '/read', headers: { authorization } });
      expect(response.statusCode).toBe(401);
      expect(response.json().code).toBe('token-invalid');
      expect(response.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
    },
  );

  test.each(['Bearer view', 'bearer view', 'BEARER  view '])('%j is the token', async (authorization) => {
    const response = await build(fakeTokens(KNOWN)).inject({ url: '/read', headers: { authorization } });
    expect(response.json()).toEqual(VIEWER);
  });

  test('an expired token is told as that', async () => {
    const tokens = fakeTokens(KNOWN, () => ({ refused: 'token-expired' }));
    const response = await build(tokens).inject({ url: '/read', headers: bearer('view') });
    expect(response.json().code).toBe('token-expired');
  });

  test('a check that takes its time is waited for', async () => {
    const tokens = fakeTokens(KNOWN, async (found) => found);
    const response = await build(tokens).inject({ url: '/read', headers: bearer('view') });
    expect(response.json()).toEqual(VIEWER);
  });

  test('a database that is away is 503 and not 401', async () => {
    const tokens = fakeTokens(KNOWN, async () => {
      throw new LicenseError('storage-unavailable', 'Away.', { retryAfterSeconds: 1 });
    });
    const response = await build(tokens).inject({ url: '/read', headers: bearer('view') });
    expect(response.statusCode).toBe(503);
    expect(response.json().code).toBe('storage-unavailable');
    expect(response.headers['retry-after']).toBe('1');
  });
});

describe('what it may do', () => {
  test('a role that does not permit the route is 403 before the body is read', async () => {
    const response = await build(fakeTokens(KNOWN)).inject({
      method: 'POST',
      url: '/write',
      headers: { ...bearer('view'), 'content-type': 'application/json' },
      payload: 'not json',
    });
    expect(response.statusCode).toBe(403);
    expect(response.json()).toMatchObject({
      code: 'forbidden',
      detail: 'A token with the role viewer does not permit logins.create.',
    });
  });

  test.each([
    ['operate', '/of/app-a/k1', 200],
    ['key', '/of/app-a/k1', 200],
    ['key', '/of/app-a/k2', 403],
    ['instance', '/of/app-a/k2', 200],
    ['instance', '/of/app-b/k2', 403],
  ])('%s at %s is %i', async (token, url, status) => {
    const response = await build(fakeTokens(KNOWN)).inject({ url, headers: bearer(token) });
    expect(response.statusCode).toBe(status);
  });

  test('a route that does not say what it requires is refused when the application is built', async () => {
    const app = buildTestApp({
      tokens: fakeTokens(KNOWN),
      routes: [
        (scope, _options, done) => {
          scope.get('/forgotten', () => 'open to everybody');
          done();
        },
      ],
    });
    await expect(app.ready()).rejects.toThrow('/forgotten');
  });
});

describe('a connection that repeats its header', () => {
  async function connection(app: App) {
    const { get, close } = await connect(app);
    return { get: (token: string) => get('/read', token), close };
  }

  test('is checked once, until it changes its header', async () => {
    const tokens = fakeTokens(KNOWN);
    const { get, close } = await connection(build(tokens));
    expect([await get('view'), await get('view'), await get('view')]).toEqual([200, 200, 200]);
    expect(tokens.checks).toEqual(['view']);
    expect(await get('unknown')).toBe(401);
    expect(await get('operate')).toBe(200);
    expect(tokens.checks).toEqual(['view', 'unknown', 'operate']);
    close();
  });

  test('is checked again after any revocation on this replica', async () => {
    const tokens = fakeTokens({ ...KNOWN });
    const { get, close } = await connection(build(tokens));
    expect(await get('view')).toBe(200);
    tokens.revoked += 1;
    tokens.check = () => ({ refused: 'token-invalid' });
    expect(await get('view')).toBe(401);
    close();
  });

  test('is checked again when what was known has had its time', async () => {
    let nowMs = 1_000;
    const tokens = fakeTokens(KNOWN, (found) => found, 2_000);
    const { get, close } = await connection(build(tokens, { now: () => nowMs }));
    await get('view');
    nowMs = 1_999;
    await get('view');
    expect(tokens.checks).toHaveLength(1);
    nowMs = 2_000;
    await get('view');
    expect(tokens.checks).toHaveLength(2);
    close();
  });
});

describe('failures', () => {
  const fail = (app: App, forwarded: string) =>
    app.inject({ url: '/read', headers: { ...bearer('unknown'), 'x-forwarded-for': forwarded } });

  test('too many from one address are 429, from another one still 401, and a valid token passes', async () => {
    const app = build(fakeTokens(KNOWN), { failuresPerMinuteMax: 2 });
    const codes = [];
    for (let attempt = 0; attempt < 3; attempt += 1) codes.push((await fail(app, '192.0.2.1')).statusCode);
    expect(codes).toEqual([401, 401, 429]);
    const limited = await fail(app, '192.0.2.1');
    expect(limited.json()).toMatchObject({ code: 'rate-limited', retryAfterSeconds: 60 });
    expect(limited.headers['retry-after']).toBe('60');
    expect((await fail(app, '192.0.2.2')).statusCode).toBe(401);
    const valid = await app.inject({
      url: '/read',
      headers: { ...bearer('view'), 'x-forwarded-for': '192.0.2.1' },
    });
    expect(valid.statusCode).toBe(200);
  });

  test('only failures are counted, by address', async () => {
    const buckets: string[] = [];
    const app = build(fakeTokens(KNOWN), {
      countRate: async (bucket) => buckets.push(bucket),
    });
    await app.inject({ url: '/read', headers: bearer('view') });
    await app.inject('/read');
    await fail(app, '2001:db8:1:2:3::4');
    expect(buckets).toEqual(['authentication:2001:db8:1:2::/64']);
  });

  test('a coordination that is away limits nobody', async () => {
    const app = build(fakeTokens(KNOWN), { failuresPerMinuteMax: 1, countRate: async () => null });
    for (let attempt = 0; attempt < 3; attempt += 1)
      expect((await fail(app, '192.0.2.1')).statusCode).toBe(401);
  });

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['not an address', 'unknown'],
  ])('%s is counted as %s', (address, bucket) => {
    expect(addressBucket(address)).toBe(bucket);
  });
});

describe('around the routes', () => {
  test('while it shuts down, requests on open connections are 503 shutting-down', async () => {
    const app = build(fakeTokens(KNOWN));
    const statuses: number[] = [];
    app.addHook('preClose', async () => {
      statuses.push(await get('/read'), await get('/open'));
    });
    const { get, close } = await connect(app);
    expect(await get('/read')).toBe(200);
    await app.close();
    close();
    expect(statuses).toEqual([503, 200]);
  });

  test('answers of 500 and above are logged, one a second for each route and status', async () => {
    const logger = createRecordingLogger();
    const tokens = fakeTokens(KNOWN, async () => {
      throw new LicenseError('storage-unavailable', 'Away.');
    });
    const app = build(tokens, { logger });
    for (let attempt = 0; attempt < 5; attempt += 1)
      await app.inject({ url: '/read', headers: bearer('view') });
    const told = logger.lines.filter(({ message }) => message === 'request failed');
    expect(told.length).toBeGreaterThanOrEqual(1);
    expect(told.length).toBeLessThan(5);
    expect(told[0]).toMatchObject({ level: 'warn', fields: { route: '/read', method: 'GET', status: 503 } });
  });

  test('nothing else is logged at info, and everything at debug', async () => {
    const quiet = createRecordingLogger('info');
    await build(fakeTokens(KNOWN), { logger: quiet }).inject({ url: '/read', headers: bearer('view') });
    expect(quiet.lines).toEqual([]);
    const verbose = createRecordingLogger('debug');
    const app = build(fakeTokens(KNOWN), { logger: verbose });
    await app.inject({ url: '/read', headers: bearer('view') });
    await app.inject('/nowhere');
    expect(verbose.lines.map(({ fields }) => fields)).toMatchObject([
      { route: '/read', status: 200, token: 'v' },
      { route: '(none)', status: 404 },
    ]);
  });

  test('no log line has a token', async () => {
    const verbose = createRecordingLogger('debug');
    const app = build(fakeTokens({ 'secret-of-the-token': VIEWER }), { logger: verbose });
    await app.inject({ url: '/read', headers: bearer('secret-of-the-token') });
    await app.inject({ url: '/read', headers: bearer('secret-but-wrong') });
    expect(verbose.lines).toHaveLength(2);
    expect(JSON.stringify(verbose.lines)).not.toContain('secret');
  });
});
