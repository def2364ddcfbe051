import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Journal } from '../../src/service/journal.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { makeLogin } from '../support/make.ts';

/** Few, so that the bound of a page's scan is met. */
const ROWS_SCANNED_MAX = 4;

interface Entry {
  readonly decision: string;
  readonly type: string;
  readonly [member: string]: unknown;
}

let started: StartedApp;
let key: string;
let foreign: string;
let login: string;
let refusal: string;

beforeAll(async () => {
  started = await startApp({ journalRowsScannedMax: ROWS_SCANNED_MAX });
  key = (await started.installKey({ OrderNumber: 3001, AuthorizedUnits: 1 })).id;
  foreign = (await started.installKey({ OrderNumber: 3002 })).id;
  await started.register('a', key);
  await started.register('b', key);
  await started.register('c', foreign);
  login = await started.login('a', 'alice', { leaseSeconds: 60 });
  const answer = await started.ask(makeLogin({ instance: 'b', id: randomUUID(), claims: { user: 'bob' } }));
  if (answer.is !== 'refused') throw new Error('bob was let in');
  refusal = answer.decision;
  await started.ask({ op: 'renew', instance: 'a', id: login, actor: 'tester' });
  await started.ask({ op: 'logout', instance: 'a', id: login, reason: 'logout', actor: 'tester' });
  await started.login('c', 'carol');
  await started.call('POST /v1/releases', { body: { key: foreign, user: 'carol', reason: 'left for good' } });
});
afterAll(async () => {
  await started.close();
});

/** Reads all pages, as a client would. */
async function readAll(query: string, token?: string): Promise<{ entries: Entry[]; pages: number }> {
  const entries: Entry[] = [];
  let pages = 0;
  let cursor = '';
  do {
    const response = await started.call(`GET /v1/journal?${query}${cursor}`, token ? { token } : {});
    expect(response.statusCode).toBe(200);
    const page = response.json();
    entries.push(...page.items);
    pages += 1;
    cursor = page.nextCursor === undefined ? '' : `&cursor=${page.nextCursor}`;
  } while (cursor !== '');
  return { entries, pages };
}

const IN_ORDER = [
  'key-installed',
  'key-installed',
  'registered',
  'registered',
  'registered',
  'granted',
  'refused',
  'renewed',
  'released',
  'granted',
  'ended',
];

describe('GET /v1/journal', () => {
  test('200 with every event once, in both orders and on pages of any length', async () => {
    for (const limit of [1, 3, 500]) {
      const oldest = await readAll(`order=oldest&limit=${limit}`);
      expect(oldest.entries.map(({ type }) => type)).toEqual(IN_ORDER);
      const newest = await readAll(`limit=${limit}`);
      expect(newest.entries.map(({ type }) => type)).toEqual([...IN_ORDER].reverse());
    }
  });

  test('200 in the public form: names of the API, instants, actors', async () => {
    const { entries } = await readAll('order=oldest');
    expect(entries[5]).toEqual({
      decision: expect.stringMatching(/^0:\d+:0$/),
      at: expect.stringMatching(/Z$/),
      type: 'granted',
      actor: 'tester',
      instance: 'a',
      login,
      key,
      userId: 'alice',
      kind: 'user',
      leaseSeconds: 60,
      connections: 1,
      units: 1,
      unitsAdded: 1,
      unitsInUse: 1,
    });
    expect(entries[6]).toEqual({
      decision: refusal,
      at: expect.any(String),
      type: 'refused',
      key,
      rule: 'enforced-units',
      code: 'units-exhausted',
      limit: 1,
      inUse: 1,
      requested: 1,
      count: 1,
      samples: [{ instance: 'b', login: expect.any(String), userId: 'bob', actor: 'tester' }],
    });
    expect(entries[7]).toMatchObject({ login, expiresAt: expect.stringMatching(/Z$/) });
    expect(entries[8]).toMatchObject({ login, reason: 'logout', unitsFreed: 1, unitsInUse: 0 });
    expect(entries[10]).toMatchObject({
      key: foreign,
      userId: 'carol',
      reason: 'forced',
      note: 'left for good',
      actor: 'administrator (configured)',
      logins: 1,
      unitsInUseByKey: [{ key: foreign, unitsInUse: 0 }],
    });
    expect(entries[0]).toMatchObject({ key, record: { id: key, unitsEnforced: 1 } });
    expect(entries[2]).toMatchObject({ instance: 'a', key, record: { incarnation: 1, state: 'active' } });
    expect(JSON.stringify(entries)).not.toContain('"print"');
  });

  test.each<[string, () => string, string[]]>([
    ['type', () => 'type=refused', ['refused']],
    ['instance', () => 'instance=b', ['registered', 'refused']],
    ['login', () => `login=${login.toUpperCase()}`, ['granted', 'renewed', 'released']],
    ['user', () => 'user=carol', ['granted', 'ended']],
    ['a refused user', () => 'user=bob', ['refused']],
    ['key', () => `key=${foreign}`, ['key-installed', 'registered', 'granted', 'ended']],
    ['actor', () => 'actor=administrator%20(configured)&type=ended', ['ended']],
    ['nothing that there is', () => 'user=nobody', []],
  ])('200 by %s', async (_name, query, types) => {
    const { entries } = await readAll(`order=oldest&${query()}`);
    expect(entries.map(({ type }) => type)).toEqual(types);
  });

  test('the scan of a page is bounded: an empty page still says where to go on', async () => {
    const response = await started.call('GET /v1/journal?type=key-installed');
    expect(response.json().items).toEqual([]);
    expect(response.json().nextCursor).toEqual(expect.any(String));
    const { entries, pages } = await readAll('type=key-installed');
    expect(entries).toHaveLength(2);
    expect(pages).toBe(Math.ceil((started.lane.table.version + 1) / ROWS_SCANNED_MAX));
  });

  test('200: what came after a decision', async () => {
    const { entries } = await readAll(`order=oldest&after=${refusal}`);
    expect(entries.map(({ type }) => type)).toEqual(['renewed', 'released', 'granted', 'ended']);
    const before = await readAll(`after=${refusal}`);
    expect(before.entries[0]).toMatchObject({ type: 'granted', userId: 'alice' });
  });

  test('200: a restricted token sees what concerns its keys or its instance', async () => {
    const ofKey = await started.token('viewer', { keys: [foreign] });
    const byKey = await readAll('order=oldest', ofKey);
    expect(byKey.entries.map(({ type }) => type)).toEqual([
      'key-installed',
      'registered',
      'granted',
      'ended',
    ]);
    const ofInstance = await started.token('viewer', { instance: 'b' });
    const byInstance = await readAll('order=oldest', ofInstance);
    expect(byInstance.entries.map(({ type }) => type)).toEqual(['registered', 'refused']);
  });

  test('400 for unknown types, misspelt filters, and a cursor of the other order', async () => {
    const status = async (query: string) => (await started.call(`GET /v1/journal?${query}`)).statusCode;
    const { nextCursor } = (await started.call('GET /v1/journal?limit=1')).json();
    expect(await status('type=grant')).toBe(400);
    expect(await status('usr=alice')).toBe(400);
    expect(await status('order=upwards')).toBe(400);
    expect(await status(`order=oldest&cursor=${nextCursor}`)).toBe(400);
    expect(await status('after=9')).toBe(400);
    expect(await status(`cursor=${nextCursor}`)).toBe(200);
  });

  test('401; 403 by role and for a foreign key or instance', async () => {
    expect((await started.call('GET /v1/journal', { token: null })).statusCode).toBe(401);
    expect((await started.call('GET /v1/journal', { token: started.tokens.instance })).statusCode).toBe(403);
    const ofKey = await started.token('viewer', { keys: [foreign] });
    expect((await started.call(`GET /v1/journal?key=${key}`, { token: ofKey })).statusCode).toBe(403);
    const ofInstance = await started.token('viewer', { instance: 'b' });
    expect((await started.call('GET /v1/journal?instance=a', { token: ofInstance })).statusCode).toBe(403);
  });
});

describe('GET /v1/journal/{decision}', () => {
  test('200 explains a refusal in words', async () => {
    const response = await started.call(`GET /v1/journal/${refusal}`);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ decision: refusal, type: 'refused' });
    expect(response.json().words).toBe(
      `A login of user "bob" on b was refused, because the units that the key enforces were in use: the limit is 1, 1 were in use, 1 requested (key ${key}).`,
    );
  });

  test('200 for every event there is, with words for each', async () => {
    const { entries } = await readAll('order=oldest');
    for (const entry of entries) {
      const { words, ...rest } = (await started.call(`GET /v1/journal/${entry.decision}`)).json();
      expect(rest).toEqual(entry);
      expect(words).toMatch(/^[A-Z0-9].{15,}\.$/);
      expect(words).not.toMatch(/undefined|null/);
    }
  });

  test('200 from the journal alone, while the replica has no table', async () => {
    const without = new Journal({
      sql: started.sql,
      lane: { read: () => Promise.reject(new Error('there is no table')) },
      shard: 0,
    });
    const asker = { tokenId: 't', name: 'auditor', role: 'viewer', keys: null, instance: null } as const;
    expect(await without.find(asker, refusal)).toMatchObject({ decision: refusal });
    expect((await without.list(asker, { type: 'refused' }, 'newest', 10, null)).items).toHaveLength(1);
  });

  test('400, 401, 403, 404', async () => {
    expect((await started.call('GET /v1/journal/yesterday')).statusCode).toBe(400);
    expect((await started.call(`GET /v1/journal/${refusal}`, { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: [foreign] });
    expect((await started.call(`GET /v1/journal/${refusal}`, { token })).statusCode).toBe(403);
    for (const missing of ['0:999999:0', '0:1:99', '7:1:0', '0:9999999999999999:0']) {
      const response = await started.call(`GET /v1/journal/${missing}`);
      expect([response.statusCode, response.json().code]).toEqual([404, 'decision-not-found']);
    }
  });
});
