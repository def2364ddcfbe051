import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Fold } from '../../src/service/fold.ts';
import { Leadership } from '../../src/service/leadership.ts';
import { type Call, type StartedApp, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';
import { createRecordingLogger } from '../support/http.ts';
import { until } from '../support/wait.ts';

const FOLD_TIMEOUT_MS = 10_000;

let started: StartedApp;
let shared: string;
let other: string;
let closeFold: () => Promise<void>;
let names = 0;

beforeAll(async () => {
  const app = await startApp();
  started = underContract(app, await readContract());
  shared = (await app.installKey({ OrderNumber: 4001, AuthorizedUnits: 1000 })).id;
  other = (await app.installKey({ OrderNumber: 4002, AuthorizedUnits: 5 })).id;
  const logger = createRecordingLogger();
  const { sql, lane } = app;
  const leadership = new Leadership({
    shard: 0,
    sql,
    holder: 'the-test',
    leaseMs: 60_000,
    renewMs: 1_000,
    mayLead: () => true,
    logger,
  });
  const fold = new Fold({ shard: 0, sql, lane, leadership, logger, intervalMs: 10 });
  leadership.start();
  fold.start();
  closeFold = async () => {
    await fold.close();
    await leadership.close();
  };
  // It notes what changes from its first look at the table on, and was not there when the table was loaded.
  await folded();
});
afterAll(async () => {
  await closeFold();
  await started.close();
});

async function registered(key: string | null = shared, settings?: object): Promise<string> {
  names += 1;
  const name = `app-${String(names).padStart(3, '0')}`;
  const response = await started.register(name, key ?? undefined, settings ? { settings } : {});
  expect(response.statusCode).toBe(201);
  return name;
}

/** Waits until the table in Postgres is as of now. */
function folded(): Promise<boolean> {
  const { version } = started.lane.table;
  return until(
    async () => (await started.call('GET /v1/logins?limit=1')).json().version >= version,
    FOLD_TIMEOUT_MS,
    'the fold is level with the journal',
  );
}

async function list(query: string, options: Call = {}) {
  await folded();
  return started.call(`GET /v1/logins${query}`, options);
}

const idsOf = (response: { json(): { items: { id: string }[] } }) =>
  response.json().items.map(({ id }) => id);

describe('GET /v1/logins', () => {
  test('200 with what is in, and as of when (R-15)', async () => {
    const instance = await registered();
    const before = Date.now();
    const lease = await started.login(instance, 'alice', {
      leaseSeconds: 60,
      claims: { user: 'alice', processId: 7 },
    });
    const gone = await started.login(instance, 'bob');
    const system = await started.login(instance, 'x', { claims: { kind: 'system' } });
    await started.call(`DELETE /v1/logins/${gone}`);
    const response = await list(`?instance=${instance}`);
    expect(response.statusCode).toBe(200);
    const { items, asOf, version, nextCursor } = response.json();
    const byId = new Map(items.map((item: { id: string }) => [item.id, item]));
    expect([...byId.keys()].sort()).toEqual([lease, system].sort());
    expect(byId.get(lease)).toEqual({
      id: lease,
      instance,
      key: shared,
      userId: 'alice',
      kind: 'user',
      phase: 'active',
      processId: 7,
      leaseSeconds: 60,
      at: expect.stringMatching(/Z$/),
    });
    expect(byId.get(system)).not.toHaveProperty('userId');
    expect(version).toBe(started.lane.table.version);
    expect(Date.parse(asOf)).toBeGreaterThan(before - 5_000);
    expect(nextCursor).toBeUndefined();
  });

  test('200: what counts under no key says so, and what ends by itself when', async () => {
    const instance = await registered(null);
    const body = { instance, webSession: 's' };
    const { id } = (await started.call('POST /v1/logins', { body })).json();
    await started.call(`DELETE /v1/logins/${id}?pages=1`);
    const [item] = (await list(`?instance=${instance}`)).json().items;
    expect(item).toMatchObject({ id, key: null, phase: 'grace', endsAt: expect.stringMatching(/Z$/) });
  });

  test('200 page by page: each once, in order, none twice', async () => {
    const instance = await registered();
    const all = [];
    for (let index = 0; index < 7; index += 1) all.push(await started.login(instance, `u${index}`));
    const seen: string[] = [];
    const sizes: number[] = [];
    let cursor: string | undefined;
    do {
      const next: string = cursor === undefined ? '' : `&cursor=${cursor}`;
      const page = await list(`?instance=${instance}&limit=3${next}`);
      seen.push(...idsOf(page));
      sizes.push(idsOf(page).length);
      cursor = page.json().nextCursor;
    } while (cursor !== undefined);
    expect(sizes).toEqual([3, 3, 1]);
    expect(seen).toEqual([...all].sort());
  });

  test('200: a page that is exactly full is the last', async () => {
    const instance = await registered();
    for (let index = 0; index < 2; index += 1) await started.login(instance, `u${index}`);
    expect((await list(`?instance=${instance}&limit=2`)).json().nextCursor).toBeUndefined();
  });

  test('200 by key, by user, and by both', async () => {
    const [one, two] = [await registered(other), await registered(other)];
    const ids = [
      await started.login(one, 'filter-a'),
      await started.login(two, 'filter-a'),
      await started.login(two, 'filter-b'),
    ];
    expect(idsOf(await list(`?key=${other}`))).toEqual(expect.arrayContaining(ids));
    expect(idsOf(await list('?user=filter-a')).sort()).toEqual(ids.slice(0, 2).sort());
    expect(idsOf(await list(`?user=filter-a&instance=${two}`))).toEqual([ids[1]]);
    expect(idsOf(await list(`?user=filter-a&key=${shared}`))).toEqual([]);
    for (const instance of [one, two]) await started.call(`DELETE /v1/instances/${instance}`);
  });

  test('200: a restricted token sees its own only', async () => {
    const [mine, theirs] = [await registered(other), await registered()];
    const id = await started.login(mine, 'own');
    await started.login(theirs, 'own');
    for (const restriction of [{ instance: mine }, { keys: [other] }, { instance: mine, keys: [other] }]) {
      const token = await started.token('viewer', restriction);
      expect([restriction, idsOf(await list('?user=own', { token }))]).toEqual([restriction, [id]]);
    }
    const nobody = await started.token('viewer', { keys: [] });
    expect(idsOf(await list('', { token: nobody }))).toEqual([]);
    await started.call(`DELETE /v1/instances/${mine}`);
  });

  test('403 for a foreign instance or key by name', async () => {
    const theirs = await registered();
    for (const restriction of [
      { instance: 'mine' },
      { keys: [other] },
      { instance: 'mine', keys: [shared] },
    ]) {
      const token = await started.token('viewer', restriction);
      for (const query of [`?instance=${theirs}`, `?key=${shared}&instance=${theirs}`]) {
        expect((await started.call(`GET /v1/logins${query}`, { token })).statusCode).toBe(403);
      }
    }
    const token = await started.token('viewer', { keys: [other] });
    expect((await started.call(`GET /v1/logins?key=${shared}`, { token })).statusCode).toBe(403);
  });

  test.each([
    ['?instances=a', '?instances'],
    ['?limit=0', '?limit'],
    ['?limit=501', '?limit'],
    ['?limit=x', '?limit'],
    ['?user=', '?user'],
    ['?cursor=x', '?cursor'],
    [`?cursor=${Buffer.from('["logins","a","not a uuid"]').toString('base64url')}`, '?cursor'],
    [`?cursor=${Buffer.from('["logins",1,2]').toString('base64url')}`, '?cursor'],
    [`?cursor=${Buffer.from('["keys","a","b"]').toString('base64url')}`, '?cursor'],
  ])('400 for %s', async (query, pointer) => {
    const response = await started.call(`GET /v1/logins${query}`);
    expect([response.statusCode, response.json().errors[0].pointer]).toEqual([400, pointer]);
  });

  test('401', async () => {
    expect((await started.call('GET /v1/logins', { token: null })).statusCode).toBe(401);
  });
});

describe('POST /v1/logins/batch', () => {
  const batch = (operations: unknown, options: Call = {}) =>
    started.call('POST /v1/logins/batch', { body: { operations }, ...options });

  interface Verdict {
    readonly status: number;
    readonly problem?: { readonly code: string; readonly detail: string };
    readonly [member: string]: unknown;
  }
  const verdictsOf = (response: { json(): { verdicts: Verdict[] } }) => response.json().verdicts;
  const codesOf = (response: { json(): { verdicts: Verdict[] } }) =>
    verdictsOf(response).map(({ status, problem }) => problem?.code ?? status);

  test('200 with one verdict each, in order, as the single calls would have answered', async () => {
    const instance = await registered();
    const deferred = await registered(shared, { connectionLimit: 1 });
    const leased = await started.login(instance, 'leased', { leaseSeconds: 60 });
    const bound = await started.login(instance, 'bound');
    await started.login(deferred, 'full');
    const [id, unknown] = [randomUUID(), randomUUID()];
    const login = { instance, id, user: 'batch' };
    const response = await batch([
      { do: 'login', login },
      { do: 'login', login },
      { do: 'login', login: { ...login, user: 'else' } },
      { do: 'login', login: { instance: deferred, user: 'full' } },
      { do: 'login', login: { instance: 'nowhere', user: 'u' } },
      { do: 'login', login: { instance, user: 'x'.repeat(65) } },
      { do: 'login', login: { instance, webSession: 's', sessionless: true } },
      { do: 'heartbeat', instance, id: leased },
      { do: 'heartbeat', instance, id: bound },
      { do: 'heartbeat', instance, id: unknown },
      { do: 'logout', instance, id: bound },
      { do: 'logout', instance, id: unknown },
      { do: 'logout', instance: 'nowhere', id: unknown },
    ]);
    expect(response.statusCode).toBe(200);
    expect(codesOf(response)).toEqual([
      201,
      200,
      'id-reused',
      'connection-limit-reached',
      'instance-not-found',
      'user-id-illegal',
      'malformed-request',
      200,
      'login-not-renewable',
      'login-lost',
      204,
      204,
      'instance-not-found',
    ]);
    const verdicts = verdictsOf(response);
    expect(verdicts[0]).toMatchObject({ login: { id, userId: 'batch', unitsAdded: 1 } });
    expect(verdicts[1]!.login).toEqual(verdicts[0]!.login);
    expect(verdicts[3]).toEqual({
      status: 409,
      problem: {
        type: '/problems/connection-limit-reached',
        title: "The user's connection limit on this instance is reached",
        status: 409,
        code: 'connection-limit-reached',
        detail: expect.stringContaining('"full"'),
        requestId: response.headers['x-request-id'],
        decision: expect.stringMatching(/^0:\d+:\d+$/),
        rule: 'connection-limit',
        limit: 1,
        inUse: 1,
        requested: 1,
        retryAfterSeconds: 10,
      },
    });
    expect(verdicts[7]).toMatchObject({ heartbeat: { status: 'renewed', expiresInSeconds: 60 } });
    expect(verdicts[10]).toEqual({ status: 204 });
    expect(started.lane.table.places.get(instance)?.logins.has(bound)).toBe(false);
  });

  test('200: operations on one login are done in the order they stand in', async () => {
    const instance = await registered();
    const id = randomUUID();
    const login = { do: 'login', login: { instance, id, user: 'u', leaseSeconds: 60 } };
    const response = await batch([login, { do: 'logout', instance, id: id.toUpperCase() }, login]);
    expect(codesOf(response)).toEqual([201, 204, 'login-released']);
  });

  test('200: of a web session of one page the unit lingers', async () => {
    const instance = await registered();
    const id = randomUUID();
    await batch([
      { do: 'login', login: { instance, id, webSession: 's' } },
      { do: 'logout', instance, id, pages: 1 },
    ]);
    expect((await started.call(`GET /v1/logins/${id}`)).json().phase).toBe('grace');
  });

  test('200: all of the most that may come are decided, and the units are exact (R-6)', async () => {
    const instance = await registered();
    const unitsBefore = started.lane.table.pools.get(shared)?.units ?? 0;
    const operations = Array.from({ length: 500 }, (_, index) => ({
      do: 'login',
      login: { instance, user: `many-${index % 250}` },
    }));
    expect(new Set(codesOf(await batch(operations)))).toEqual(new Set([201]));
    expect(started.lane.table.pools.get(shared)!.units - unitsBefore).toBe(250);
    await started.call(`DELETE /v1/instances/${instance}`);
  });

  test('a restricted token: 403 for what is foreign, and the rest is done', async () => {
    const [mine, theirs] = [await registered(other), await registered()];
    const victim = await started.login(theirs, 'victim', { leaseSeconds: 60 });
    for (const restriction of [{ instance: mine }, { keys: [other] }]) {
      const token = await started.token('operator', restriction);
      const response = await batch(
        [
          { do: 'login', login: { instance: theirs, user: 'mallory' } },
          { do: 'heartbeat', instance: theirs, id: victim },
          { do: 'logout', instance: theirs, id: victim },
          { do: 'login', login: { instance: mine, emergency: true } },
          { do: 'login', login: { instance: mine, user: 'own' } },
        ],
        { token },
      );
      expect(codesOf(response)).toEqual(['forbidden', 'forbidden', 'forbidden', 'forbidden', 201]);
    }
    expect([...started.lane.table.places.get(theirs)!.logins.values()].map(({ id }) => id)).toEqual([victim]);
    await started.call(`DELETE /v1/instances/${mine}`);
  });

  test.each([
    [[], '/operations', 'fewer than 1'],
    [
      [{ do: 'login', login: { instance: 'a', usr: 'u' } }],
      '/operations/0/login/usr',
      'did you mean "user"?',
    ],
    [[{ do: 'logout', instance: 'a', idd: 'x' }], '/operations/0/idd', 'did you mean "id"?'],
    [
      [{ do: 'logout', instance: 'a', id: randomUUID(), page: 1 }],
      '/operations/0/page',
      'did you mean "pages"?',
    ],
    [[{ do: 'heartbeat', instance: 'a' }], '/operations/0/id', 'is required'],
    [[{ do: 'login' }], '/operations/0/login', 'is required'],
    [[{ do: 'identify', id: 'x' }], '/operations/0/do', 'must be one of login, logout, heartbeat'],
    [[{ instance: 'a' }], '/operations/0/do', 'is required'],
    [['login'], '/operations/0', 'must be object'],
    [[{ do: 'login', login: { instance: 'a\0' } }], '/operations/0/login/instance', 'NUL'],
    [
      Array.from({ length: 501 }, () => ({ do: 'login', login: { instance: 'a' } })),
      '/operations',
      'more than 500',
    ],
  ])('400 and nothing is done: %#', async (operations, pointer, words) => {
    const { version } = started.lane.table;
    const response = await batch(operations);
    expect(response.statusCode).toBe(400);
    const found = response.json().errors.find((error: { pointer: string }) => error.pointer === pointer);
    expect(found?.message).toContain(words);
    expect(response.json().errors[0].pointer).toBe(pointer);
    expect(started.lane.table.version).toBe(version);
  });

  test('401, 403 for a viewer, 413 for 10 MB', async () => {
    const operations = [{ do: 'login', login: { instance: 'a', user: 'u' } }];
    expect((await batch(operations, { token: null })).statusCode).toBe(401);
    expect((await batch(operations, { token: started.tokens.viewer })).statusCode).toBe(403);
    const large = [{ do: 'login', login: { instance: 'a', user: 'x'.repeat(10 * 1_048_576) } }];
    expect((await batch(large)).statusCode).toBe(413);
  });

  test('503 queue-full as the verdict of each that finds no room, and of no other (R-6)', async () => {
    const instance = await registered();
    const operations = Array.from({ length: 500 }, () => ({
      do: 'heartbeat',
      instance,
      id: randomUUID(),
    }));
    const asked = await started.sql.begin(async (tx) => {
      // Whoever holds the head's row holds up the lane.
      await tx`select 1 from shards for update`;
      const waiting = [started.call('POST /v1/logins', { body: { instance, user: 'first' } })];
      const batches = [batch(operations), batch(operations), batch(operations)];
      await until(() => started.lane.queueLength === 1_000, FOLD_TIMEOUT_MS, 'the queue is full');
      return {
        waiting,
        batches,
        single: await started.call('POST /v1/logins', { body: { instance, user: 'last' } }),
      };
    });
    expect([asked.single.statusCode, asked.single.json().code]).toEqual([503, 'queue-full']);
    expect(Number(asked.single.headers['retry-after'])).toBeGreaterThan(0);
    const codes = (await Promise.all(asked.batches)).flatMap(codesOf);
    expect(new Set(codes)).toEqual(new Set(['login-lost', 'queue-full']));
    expect(codes.filter((code) => code === 'queue-full').length).toBeGreaterThan(400);
    expect((await Promise.all(asked.waiting)).map(({ statusCode }) => statusCode)).toEqual([201]);
  });
});
