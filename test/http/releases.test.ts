import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';

const REASON = 'workstation was stolen';

let started: StartedApp;
let key: string;
let other: string;

beforeAll(async () => {
  started = await startApp();
  key = (await started.installKey({ OrderNumber: 4001 })).id;
  other = (await started.installKey({ OrderNumber: 4002 })).id;
  await started.register('a', key);
  await started.register('b', key);
});
afterAll(async () => {
  await started.close();
});
beforeEach(async () => {
  for (const instance of ['a', 'b']) {
    await started.ask({ op: 'release-instance', instance, note: 'a fresh start', actor: 'tester' });
  }
});

const release = (body: object, token?: string | null) =>
  started.call('POST /v1/releases', { body, ...(token === undefined ? {} : { token }) });

const units = () => started.lane.table.pools.get(key)?.units;

describe('POST /v1/releases', () => {
  test('200 for one login, which stands in the journal with the reason and the actor', async () => {
    const login = await started.login('a', 'alice');
    await started.login('a', 'bob');
    const token = started.tokens.operator;
    const response = await release({ instance: 'a', login: login.toUpperCase(), reason: REASON }, token);
    expect(response.statusCode).toBe(200);
    const { released, decision } = response.json();
    expect(released).toBe(1);
    expect(units()).toBe(1);
    const entry = (await started.call(`GET /v1/journal/${decision}`)).json();
    expect(entry).toMatchObject({ type: 'released', login, reason: 'forced', note: REASON });
    expect(entry.actor).toBe(`the-operator (${token.slice(7, 17)})`);
    expect(entry.words).toContain(REASON);
  });

  test('200 with nothing released when it is repeated', async () => {
    const login = await started.login('a', 'alice');
    await release({ instance: 'a', login, reason: REASON });
    const version = started.lane.table.version;
    const again = await release({ instance: 'a', login, reason: REASON });
    expect([again.statusCode, again.json()]).toEqual([200, { released: 0 }]);
    expect(started.lane.table.version).toBe(version);
  });

  test('200: a unit that lingers in grace is free at once', async () => {
    const web = await started.login('a', 'x', { claims: { kind: 'web', webSession: 's' } });
    await started.ask({
      op: 'logout',
      instance: 'a',
      id: web,
      reason: 'logout',
      onePage: true,
      actor: 'tester',
    });
    expect(units()).toBe(1);
    expect((await release({ instance: 'a', login: web, reason: REASON })).json().released).toBe(1);
    expect(units()).toBe(0);
  });

  test('200 for everything that an instance holds; it stays registered', async () => {
    await started.login('a', 'alice');
    await started.login('a', 'bob');
    await started.login('b', 'carol');
    const response = await release({ instance: 'a', reason: REASON });
    expect(response.json()).toEqual({ released: 2, decision: expect.stringMatching(/^0:\d+:0$/) });
    expect(units()).toBe(1);
    expect((await started.call('GET /v1/instances/a')).json().state).toBe('active');
    expect((await release({ instance: 'a', reason: REASON })).json()).toEqual({ released: 0 });
  });

  test('200 for everything of a user under a key, on all instances', async () => {
    await started.login('a', 'alice');
    await started.login('b', 'alice');
    await started.login('b', 'bob');
    const response = await release({ key, user: 'alice', reason: REASON });
    expect(response.json()).toMatchObject({ released: 2 });
    expect(units()).toBe(1);
    expect((await release({ key, user: 'nobody', reason: REASON })).json()).toEqual({ released: 0 });
  });

  test('a released lease is lost at its next sign of life (R-11)', async () => {
    const login = await started.login('a', 'alice', { leaseSeconds: 60 });
    await release({ key, user: 'alice', reason: REASON });
    const beat = await started.call(`POST /v1/logins/${login}/heartbeat?instance=a`);
    expect([beat.statusCode, beat.json().code]).toEqual([409, 'login-lost']);
    expect(beat.json().lost).toBe('forced');
  });

  test.each<[object, string]>([
    [{ instance: 'a' }, '/reason'],
    [{ instance: 'a', reason: 'no' }, '/reason'],
    [{ instance: 'a', reason: 'x'.repeat(501) }, '/reason'],
    [{ instance: 'a', logn: 'x', reason: REASON }, '/logn'],
    [{ instance: 'a', login: 'x', reason: REASON }, '/login'],
    [{ reason: REASON }, ''],
    [{ key: 'k', reason: REASON }, ''],
    [{ user: 'u', reason: REASON }, ''],
    [{ instance: 'a', user: 'u', reason: REASON }, ''],
    [{ instance: 'a', key: 'k', user: 'u', reason: REASON }, ''],
  ])('400 for %j', async (body, pointer) => {
    const response = await release(body);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0].pointer).toBe(pointer);
  });

  test('401; 403 by role, and on a foreign key or instance', async () => {
    const body = { instance: 'a', reason: REASON };
    expect((await release(body, null)).statusCode).toBe(401);
    expect((await release(body, started.tokens.viewer)).statusCode).toBe(403);
    expect((await release(body, started.tokens.instance)).statusCode).toBe(403);
    const ofOther = await started.token('operator', { keys: [other] });
    expect((await release(body, ofOther)).statusCode).toBe(403);
    expect((await release({ key, user: 'alice', reason: REASON }, ofOther)).statusCode).toBe(403);
    const ofB = await started.token('operator', { instance: 'b' });
    expect((await release(body, ofB)).statusCode).toBe(403);
    // A user's logins are on other instances too.
    expect((await release({ key, user: 'alice', reason: REASON }, ofB)).statusCode).toBe(403);
    expect((await release({ instance: 'b', reason: REASON }, ofB)).statusCode).toBe(200);
  });

  test('404 for a key, an instance and a login that are not there; the ID of the login stays free', async () => {
    const code = async (body: object) => {
      const response = await release({ ...body, reason: REASON });
      return [response.statusCode, response.json().code];
    };
    const login = randomUUID();
    expect(await code({ key: '1-00000000', user: 'alice' })).toEqual([404, 'key-not-found']);
    expect(await code({ instance: 'nowhere' })).toEqual([404, 'instance-not-found']);
    expect(await code({ instance: 'a', login })).toEqual([404, 'login-not-found']);
    expect(started.lane.table.places.get('a')?.released.has(login)).toBe(false);
  });

  test('413 and 415', async () => {
    const large = await release({ instance: 'a', reason: 'x'.repeat(1_100_000) });
    expect(large.statusCode).toBe(413);
    const response = await started.app.inject({
      method: 'POST',
      url: '/v1/releases',
      headers: { authorization: `Bearer ${started.tokens.operator}`, 'content-type': 'text/plain' },
      payload: 'instance=a',
    });
    expect(response.statusCode).toBe(415);
  });
});
