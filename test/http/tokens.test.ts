import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import postgres from 'postgres';
import type { App } from '../../src/http/app.ts';
import { tokenRoutes } from '../../src/http/routes/tokens.ts';
import { createBoundedCache } from '../../src/service/bounded-cache.ts';
import { makeTokenText, parseTokenText } from '../../src/service/token-text.ts';
import { createTokens, type Tokens } from '../../src/service/tokens.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  ADMIN_TOKEN,
  bearer,
  buildTestApp,
  createRecordingLogger,
  type RecordingLogger,
} from '../support/http.ts';

const CACHE_MS = 5_000;

let database: TestDatabase;
let sql: postgres.Sql;
let statements: string[];
let nowMs: number;
let logger: RecordingLogger;
let tokens: Tokens;
let app: App;

function makeTokens(): Tokens {
  return createTokens({ sql, adminToken: ADMIN_TOKEN, cacheMs: CACHE_MS, logger, now: () => nowMs });
}

beforeAll(async () => {
  database = await createTestDatabase();
  sql = postgres(database.url, { max: 2, debug: (_connection, query) => void statements.push(query) });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});
beforeEach(async () => {
  statements = [];
  await sql`delete from access_tokens`;
  nowMs = Date.now();
  logger = createRecordingLogger();
  tokens = makeTokens();
  app = buildTestApp({ tokens, routes: [tokenRoutes({ tokens })], now: () => nowMs });
  statements = [];
});

async function create(body: object, token = ADMIN_TOKEN) {
  return app.inject({ method: 'POST', url: '/v1/tokens', headers: bearer(token), payload: body });
}

async function createdToken(body: object, token = ADMIN_TOKEN): Promise<{ id: string; token: string }> {
  const response = await create(body, token);
  expect(response.statusCode).toBe(201);
  return response.json();
}

async function list(token = ADMIN_TOKEN, query = '') {
  return app.inject({ url: `/v1/tokens${query}`, headers: bearer(token) });
}

async function revoke(id: string, token = ADMIN_TOKEN) {
  return app.inject({ method: 'DELETE', url: `/v1/tokens/${id}`, headers: bearer(token) });
}

describe('POST /v1/tokens', () => {
  test('201 with the token, which works at once and stands nowhere in the database', async () => {
    const response = await create({ name: 'second', role: 'administrator' });
    expect(response.statusCode).toBe(201);
    const { token, ...rest } = response.json();
    expect(token).toMatch(/^lictor_[A-Za-z0-9]{10}_[A-Za-z0-9_-]{43}$/);
    expect(rest).toEqual({
      id: token.slice(7, 17),
      name: 'second',
      role: 'administrator',
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      createdBy: 'configured',
    });
    expect(response.headers.location).toBe(`/v1/tokens/${rest.id}`);
    expect((await list(token)).statusCode).toBe(200);
    const [row] = await sql`select * from access_tokens`;
    expect(JSON.stringify({ ...row, secret_hash: row!.secret_hash.toString('latin1') })).not.toContain(
      token.slice(18),
    );
    expect(row!.secret_hash).toHaveLength(32);
  });

  test('restrictions and end are kept', async () => {
    const expiresAt = new Date(nowMs + 60_000).toISOString();
    const response = await create({
      name: 'app',
      role: 'instance',
      keys: ['k1'],
      instance: 'app-a',
      expiresAt,
    });
    expect(response.json()).toMatchObject({ keys: ['k1'], instance: 'app-a', expiresAt });
  });

  test.each([
    [{ role: 'viewer' }, '/name'],
    [{ name: '', role: 'viewer' }, '/name'],
    [{ name: 'x', role: 'root' }, '/role'],
    [{ name: 'x', role: 'viewer', keys: [] }, '/keys'],
    [{ name: 'x', role: 'viewer', keys: ['a', 'a'] }, '/keys'],
    [{ name: 'x', role: 'viewer', expires: 'never' }, '/expires'],
    [{ name: 'x', role: 'viewer', expiresAt: 'tomorrow' }, '/expiresAt'],
    [{ name: 'x', role: 'viewer', expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    [{ name: 'x', role: 'viewer', expiresAt: '2030-06-30T23:59:60Z' }, '/expiresAt'],
  ])('400 for %j', async (body, pointer) => {
    const response = await create(body);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0].pointer).toBe(pointer);
  });

  test('401 without a token, 403 for other roles', async () => {
    expect((await app.inject({ method: 'POST', url: '/v1/tokens', payload: {} })).statusCode).toBe(401);
    for (const role of ['operator', 'viewer', 'instance']) {
      const { token } = await createdToken({ name: role, role });
      expect((await create({ name: 'x', role: 'viewer' }, token)).statusCode).toBe(403);
      expect((await list(token)).statusCode).toBe(403);
    }
  });

  test('403 when a restricted administrator would make a wider token', async () => {
    const { token } = await createdToken({ name: 'of keys', role: 'administrator', keys: ['k1', 'k2'] });
    expect((await create({ name: 'x', role: 'viewer' }, token)).statusCode).toBe(403);
    expect((await create({ name: 'x', role: 'viewer', keys: ['k1', 'k3'] }, token)).statusCode).toBe(403);
    expect((await create({ name: 'x', role: 'administrator', keys: ['k2'] }, token)).statusCode).toBe(201);
  });
});

describe('GET /v1/tokens', () => {
  test('pages in the order they were made, without secrets', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1)
      ids.push((await createdToken({ name: `t${count}`, role: 'viewer' })).id);
    const seen: string[] = [];
    let query = '?limit=2';
    const sizes: number[] = [];
    for (;;) {
      const page = (await list(ADMIN_TOKEN, query)).json();
      sizes.push(page.items.length);
      for (const item of page.items) {
        expect(Object.keys(item).some((name) => /secret|token|hash/i.test(name))).toBe(false);
        seen.push(item.id);
      }
      if (page.nextCursor === undefined) break;
      query = `?limit=2&cursor=${page.nextCursor}`;
    }
    expect(seen).toEqual(ids);
    expect(sizes).toEqual([2, 2, 1]);
  });

  test('a last page that is full has no cursor', async () => {
    for (let count = 0; count < 2; count += 1) await createdToken({ name: `t${count}`, role: 'viewer' });
    expect((await list(ADMIN_TOKEN, '?limit=2')).json().nextCursor).toBeUndefined();
  });

  test('a restricted administrator sees those it could have made, over pages of others', async () => {
    const mine = await createdToken({ name: 'of k1', role: 'administrator', keys: ['k1'] });
    for (let count = 0; count < 4; count += 1) await createdToken({ name: `other ${count}`, role: 'viewer' });
    const second = await createdToken({ name: 'also k1', role: 'viewer', keys: ['k1'] });
    const first = (await list(mine.token, '?limit=1')).json();
    expect(first.items.map(({ id }: { id: string }) => id)).toEqual([mine.id]);
    const rest = (await list(mine.token, `?limit=1&cursor=${first.nextCursor}`)).json();
    expect(rest.items.map(({ id }: { id: string }) => id)).toEqual([second.id]);
    expect(rest.nextCursor).toBeUndefined();
  });

  test.each([
    '?cursor=nonsense',
    '?cursor=WyJvdGhlciIsIngiXQ',
    '?cursor=',
    '?limit=0',
    '?limit=501',
    '?page=2',
  ])('400 for %s', async (query) => {
    const response = await list(ADMIN_TOKEN, query);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toHaveLength(1);
  });

  test('a token whose role this version does not know is nobody', async () => {
    const { id, token } = await createdToken({ name: 'x', role: 'administrator' });
    await sql`update access_tokens set role = 'emperor' where id = ${id}`;
    nowMs += CACHE_MS;
    expect((await list(token)).statusCode).toBe(401);
    expect((await list()).json().items).toEqual([]);
  });
});

describe('DELETE /v1/tokens/{id}', () => {
  test('204, also when repeated; the token is refused at once and the first date stays', async () => {
    const { id, token } = await createdToken({ name: 'x', role: 'administrator' });
    expect((await list(token)).statusCode).toBe(200);
    expect((await revoke(id)).statusCode).toBe(204);
    expect((await list(token)).statusCode).toBe(401);
    const [before] = await sql`select revoked_at from access_tokens where id = ${id}`;
    expect((await revoke(id)).statusCode).toBe(204);
    const [after] = await sql`select revoked_at from access_tokens where id = ${id}`;
    expect(after).toEqual(before);
    expect((await list()).json().items[0].revokedAt).toBe(before!.revoked_at.toISOString());
  });

  test('404 for an unknown one, and for one beyond the reach of a restricted administrator', async () => {
    expect((await revoke('nothing')).json().code).toBe('token-not-found');
    const { token } = await createdToken({ name: 'of k1', role: 'administrator', keys: ['k1'] });
    const other = await createdToken({ name: 'other', role: 'viewer' });
    expect((await revoke(other.id, token)).statusCode).toBe(404);
    expect((await list(ADMIN_TOKEN)).json().items.at(-1).revokedAt).toBeUndefined();
  });

  test('on another replica it is known when the cache has had its time', async () => {
    const { id, token } = await createdToken({ name: 'x', role: 'viewer' });
    const other = makeTokens();
    expect(await other.check(token)).toMatchObject({ principal: { tokenId: id } });
    await revoke(id);
    nowMs += CACHE_MS - 1;
    expect(await other.check(token)).toMatchObject({ principal: { tokenId: id } });
    nowMs += 1;
    expect(await other.check(token)).toEqual({ refused: 'token-invalid' });
    await other.close();
  });
});

describe('checking', () => {
  test('many at once for one token cost one statement, and further ones none', async () => {
    const { token } = await createdToken({ name: 'x', role: 'viewer' });
    const other = makeTokens();
    statements = [];
    await Promise.all(Array.from({ length: 20 }, () => other.check(token)));
    expect(other.check(token)).not.toBeInstanceOf(Promise);
    expect(statements).toHaveLength(1);
    await other.close();
  });

  test('IDs that do not exist are remembered as well', async () => {
    const unknown = makeTokenText().text;
    expect(await tokens.check(unknown)).toEqual({ refused: 'token-invalid' });
    expect(tokens.check(unknown)).toEqual({ refused: 'token-invalid' });
    expect(statements).toHaveLength(1);
  });

  test('a wrong secret with an existing ID is refused', async () => {
    const { id } = await createdToken({ name: 'x', role: 'viewer' });
    const forged = `lictor_${id}_${makeTokenText().text.slice(18)}`;
    expect(tokens.check(forged)).toEqual({ refused: 'token-invalid' });
  });

  test.each(['', 'lictor_short_secret', `${'x'.repeat(61)}`, 'lictor_0123456789_'])(
    'what has not the form of a token costs no statement: %j',
    (text) => {
      expect(tokens.check(text)).toEqual({ refused: 'token-invalid' });
      expect(statements).toEqual([]);
    },
  );

  test('an end that passes while cached is honoured, and the memory of it ends there', async () => {
    const expiresAt = new Date(nowMs + 1_000).toISOString();
    const { token } = await createdToken({ name: 'x', role: 'viewer', expiresAt });
    expect(tokens.check(token)).toMatchObject({ goodUntilMs: Date.parse(expiresAt) });
    nowMs += 1_000;
    expect(tokens.check(token)).toEqual({ refused: 'token-expired' });
  });

  test('a revocation that overtakes a lookup is not forgotten by it', async () => {
    const { id, token } = await createdToken({ name: 'x', role: 'viewer' });
    nowMs += CACHE_MS;
    const [, outcome] = await Promise.all([revoke(id), tokens.check(token)]);
    expect('refused' in outcome || outcome.principal.tokenId === id).toBe(true);
    expect(await tokens.check(token)).toEqual({ refused: 'token-invalid' });
  });

  test('while the database is away, what is cached goes on for its time, and then it is 503', async () => {
    const { token } = await createdToken({ name: 'x', role: 'administrator' });
    const gone = postgres('postgres://nobody@127.0.0.1:1/none', { connect_timeout: 1 });
    const cut = createTokens({
      sql: switching(() => (isCut ? gone : sql)),
      adminToken: ADMIN_TOKEN,
      cacheMs: CACHE_MS,
      logger,
      now: () => nowMs,
    });
    let isCut = false;
    expect(await cut.check(token)).toMatchObject({ principal: { role: 'administrator' } });
    isCut = true;
    nowMs += CACHE_MS - 1;
    expect(cut.check(token)).toMatchObject({ principal: { role: 'administrator' } });
    nowMs += 1;
    await expect(cut.check(token)).rejects.toMatchObject({ code: 'storage-unavailable' });
    expect(cut.check(ADMIN_TOKEN)).toMatchObject({ principal: { role: 'administrator' } });
    isCut = false;
    expect(await cut.check(token)).toMatchObject({ principal: { role: 'administrator' } });
    await cut.close();
    await gone.end();
  });

  test("the configured administrator's token must be long enough", () => {
    const short = () => createTokens({ sql, adminToken: 'x'.repeat(19), cacheMs: 0, logger });
    expect(short).toThrow(RangeError);
  });
});

describe('last use', () => {
  test('is written down later, in one statement, and never backwards', async () => {
    const { id, token } = await createdToken({ name: 'x', role: 'viewer' });
    tokens.check(token);
    const [before] = await sql`select last_used_at from access_tokens where id = ${id}`;
    expect(before!.last_used_at).toBeNull();
    statements = [];
    await tokens.flushUses();
    await tokens.flushUses();
    expect(statements).toHaveLength(1);
    const usedMs = nowMs;
    const earlier = makeTokens();
    nowMs -= 60_000;
    await earlier.check(token);
    await earlier.close();
    const [after] = await sql`select last_used_at from access_tokens where id = ${id}`;
    expect(after!.last_used_at.getTime()).toBe(usedMs);
    expect((await list()).json().items[0].lastUsedAt).toBe(new Date(usedMs).toISOString());
  });

  test('a failure to write it down is logged, and tried again with the next', async () => {
    const { id, token } = await createdToken({ name: 'x', role: 'viewer' });
    let fails = true;
    const failing = createTokens({
      sql: switching(
        () => sql,
        () => {
          if (fails) throw new Error('no');
        },
      ),
      adminToken: null,
      cacheMs: CACHE_MS,
      logger,
      now: () => nowMs,
    });
    fails = false;
    await failing.check(token);
    fails = true;
    await failing.flushUses();
    expect(logger.lines).toHaveLength(1);
    fails = false;
    await failing.close();
    const [row] = await sql`select last_used_at from access_tokens where id = ${id}`;
    expect(row!.last_used_at.getTime()).toBe(nowMs);
  });
});

describe('texts and caches', () => {
  test('a token made is one that is parsed, to the same parts', () => {
    for (let count = 0; count < 200; count += 1) {
      const made = makeTokenText();
      expect(parseTokenText(made.text)).toEqual(made);
    }
  });

  test('a full cache forgets what was used longest ago', () => {
    const cache = createBoundedCache<number>(2);
    cache.set('a', 1);
    cache.set('b', 2);
    cache.get('a');
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size]).toEqual([1, undefined, 3, 2]);
    cache.delete('a');
    expect(cache.size).toBe(1);
  });
});

/** A handle whose every statement goes where the function says at that moment. */
function switching(target: () => postgres.Sql, before: () => void = () => {}): postgres.Sql {
  const handle = (...args: Parameters<postgres.Sql>) => {
    before();
    return target()(...args);
  };
  return handle as unknown as postgres.Sql;
}
