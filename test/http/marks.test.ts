import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { Reporter, updateBody } from '../support/reporter.ts';

let started: StartedApp;
/** Of `a` and `b`: alice and bob have been on `a`, alice still is; carol is on `b`. */
let key: string;
/** A Real Time key, of `plant`. */
let real: string;

const TEXT = { headers: { accept: 'text/plain' } };

beforeAll(async () => {
  started = await startApp();
  key = (await started.installKey({ OrderNumber: 3001, AuthorizedUnits: 10, EnforcedUnits: 12 })).id;
  real = (await started.installKey({ OrderNumber: 3002, AuthorizedUnits: 3, LicenseType: 'Real Time' })).id;
  await started.register('a', key, { settings: { unitLimit: 8 } });
  await started.register('b', key);
  await started.register('plant', real);
  await started.register('quiet');
  await started.login('a', 'alice');
  const bob = await started.login('a', 'bob');
  await started.ask({ op: 'logout', instance: 'a', id: bob, reason: 'logout', actor: 'tester' });
  await started.login('b', 'carol');
  const web = { claims: { kind: 'web', webSession: 's1' } } as const;
  const page = await started.login('a', 's1', web);
  const out = { instance: 'a', id: page, reason: 'logout', onePage: true } as const;
  await started.ask({ op: 'logout', ...out, actor: 'tester' });
  await started.login('plant', 'dave');
});
afterAll(async () => {
  await started.close();
});

const mark = (now: number, peak: number) => ({ now, peak, since: expect.any(String) });

describe('GET /v1/instances/{name}/counts', () => {
  test('200 with the nine counts of ShowCounts and more, each with its mark, and as of when (F-60)', async () => {
    const response = await started.call('GET /v1/instances/a/counts');
    expect(response.statusCode).toBe(200);
    const { asOf, version, startedAt, ...counts } = response.json();
    expect(counts).toEqual({
      instance: 'a',
      key,
      source: 'server',
      unitsAuthorised: 10,
      unitsEnforced: 12,
      // Its own limit is less than its key's.
      unitsMax: 8,
      unitsAvailable: { now: 6, minimum: 6, since: startedAt },
      units: mark(2, 2),
      users: mark(2, 2),
      connections: mark(2, 2),
      webUsers: mark(1, 1),
      webSessionsInGrace: mark(1, 1),
      processes: mark(1, 2),
    });
    expect(Date.parse(asOf)).toBeGreaterThanOrEqual(Date.parse(startedAt));
    expect(version).toBeGreaterThan(0);
    expect(response.headers['as-of']).toBe(asOf);
  });

  test('200 as text: the nine lines of ShowCounts, or its former six (F-60, notes 2.7)', async () => {
    const newer = await started.call('GET /v1/instances/a/counts', TEXT);
    expect(newer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(newer.body.split('\n').map((line) => line.trim())).toEqual([
      '10 Total   Authorized LU',
      '6 Current Available LU',
      '6 Minimum Available LU',
      '2 Current Users active',
      '2 Maximum Users active',
      '1 Current CSP Users active',
      '1 Maximum CSP Users active',
      '1 Current CSP Sessions in grace period',
      '1 Maximum CSP Sessions in grace period',
      '',
    ]);
    const older = await started.call('GET /v1/instances/a/counts?form=older', TEXT);
    expect(older.body).toMatch(
      /^2 Current active users\n2 Maximum active users\n1 CSP users currently active\n/,
    );
  });

  test('processes are limited by a Real Time key only (notes 2.3)', async () => {
    const { processesAvailable, processes } = (await started.call('GET /v1/instances/plant/counts')).json();
    expect(processes).toMatchObject({ now: 1, peak: 1 });
    expect(processesAvailable).toMatchObject({ now: 2, minimum: 2 });
  });

  test('without a key there is one unit, and without a login nothing in use (F-24)', async () => {
    const counts = (await started.call('GET /v1/instances/quiet/counts')).json();
    expect(counts).toMatchObject({ unitsMax: 1, unitsAvailable: { now: 1, minimum: 1 }, users: mark(0, 0) });
    expect(counts).not.toHaveProperty('key');
  });

  test('of an instance that decides for itself they are as it reported them, and the text says when', async () => {
    const local = (await started.installKey({ OrderNumber: 3003, AuthorizedUnits: 9 })).id;
    await started.call(`PATCH /v1/keys/${local}`, {
      body: { enforcement: 'local' },
      headers: { 'if-match': '*' },
    });
    const { incarnation } = (await started.register('own', local)).json();
    const reporter = new Reporter('own');
    reporter.incarnation = incarnation;
    reporter.set('alice', 3, { webSessions: 2 });
    reporter.set('bob', 1);
    const [update] = reporter.full();
    expect(
      (await started.call('POST /v1/instances/own/updates', { body: updateBody(update!) })).statusCode,
    ).toBe(200);
    const counts = (await started.call('GET /v1/instances/own/counts')).json();
    expect(counts).toMatchObject({
      source: 'reported',
      reportedAt: expect.any(String),
      users: mark(2, 2),
      connections: mark(4, 4),
      webUsers: mark(1, 1),
      processes: mark(2, 2),
    });
    const text = (await started.call('GET /v1/instances/own/counts', TEXT)).body;
    expect(text.split('\n')[0]).toBe(`as reported at ${counts.reportedAt}`);
  });

  test('404 for who is not registered, 403 for another one’s token', async () => {
    expect((await started.call('GET /v1/instances/nobody/counts')).json().code).toBe('instance-not-found');
    const token = await started.token('instance', { instance: 'b' });
    expect((await started.call('GET /v1/instances/a/counts', { token })).statusCode).toBe(403);
    expect((await started.call('GET /v1/instances/b/counts', { token })).statusCode).toBe(200);
  });
});

describe('POST …/marks/reset (LUMaxConsumedReset, DistributedMaxReset)', () => {
  test('200 with what the marks were; users and connections unless others are named', async () => {
    const reset = await started.call('POST /v1/instances/a/marks/reset', { body: {} });
    expect(reset.statusCode).toBe(200);
    expect(reset.json()).toEqual({
      before: { units: 2, users: 2, unitsAvailable: 6, connections: 2 },
      decision: expect.stringMatching(/^0:\d+:0$/),
      at: expect.any(String),
    });
    const counters = ['web-users', 'processes', 'web-grace'];
    const others = await started.call('POST /v1/instances/a/marks/reset', { body: { counters } });
    expect(others.json().before).toEqual({ webUsers: 1, processes: 2, webSessionsInGrace: 1 });
    const counts = (await started.call('GET /v1/instances/a/counts')).json();
    expect(counts).toMatchObject({ processes: mark(1, 1), unitsAvailable: { minimum: 6 } });
    expect(counts.processes.since).toBe(others.json().at);
    expect(counts.users.since).toBe(reset.json().at);
  });

  test('200 of a key, over all its instances', async () => {
    const reset = await started.call(`POST /v1/keys/${key}/marks/reset`, { body: { counters: ['users'] } });
    expect(reset.json().before).toEqual({ units: 3, users: 3, unitsAvailable: 9 });
    const [counts] = (await started.call(`GET /v1/usage/counts?key=${key}`)).json().items;
    expect(counts).toMatchObject({ unitsPeak: counts.unitsInUse, usersPeak: counts.users });
  });

  test('the journal says who did it, and what they were', async () => {
    const { decision } = (await started.call('POST /v1/instances/b/marks/reset', { body: {} })).json();
    const entry = (await started.call(`GET /v1/journal/${decision}`)).json();
    expect(entry).toMatchObject({
      type: 'marks-reset',
      instance: 'b',
      counters: ['users', 'connections'],
      marksBefore: { units: 1, users: 1, connections: 1 },
    });
    expect(JSON.stringify(entry)).toContain('The marks of instance b were reset: users, connections.');
  });

  test.each([
    [403, 'POST /v1/instances/a/marks/reset', 'viewer', {}],
    [403, 'POST /v1/keys/KEY/marks/reset', 'instance', {}],
    [200, 'POST /v1/instances/a/marks/reset', 'operator', {}],
    [404, 'POST /v1/instances/nobody/marks/reset', 'operator', {}],
    [404, 'POST /v1/keys/nothing/marks/reset', 'operator', {}],
    [400, 'POST /v1/keys/KEY/marks/reset', 'operator', { counters: ['processes'] }],
    [400, 'POST /v1/instances/a/marks/reset', 'operator', { counters: [] }],
    [400, 'POST /v1/instances/a/marks/reset', 'operator', { counters: ['users', 'users'] }],
  ] as const)('%i for %s by the role %s with %j', async (status, request, role, body) => {
    const token = started.tokens[role];
    const response = await started.call(request.replace('KEY', key), { token, body });
    expect(response.statusCode).toBe(status);
  });
});

describe('durations (ReadDurationCounts, ClearDurationCounts)', () => {
  const shown = (...counts: number[]) =>
    [1, 15, 60, 900, 3600, undefined].map((upToSeconds, index) => ({
      ...(upToSeconds === undefined ? {} : { upToSeconds }),
      count: counts[index] ?? 0,
    }));

  test('200 with how many lasted how long; cleared, the answer is what it was, and the journal says so', async () => {
    const read = (await started.call('GET /v1/instances/a/durations')).json();
    expect(read).toEqual({
      instance: 'a',
      durations: shown(1),
      since: expect.any(String),
      asOf: expect.any(String),
      version: expect.any(Number),
    });
    const cleared = (await started.call('POST /v1/instances/a/durations/clear')).json();
    expect(cleared).toMatchObject({ durations: shown(1), since: read.since });
    const again = (await started.call('GET /v1/instances/a/durations')).json();
    expect(again).toMatchObject({ durations: shown(), since: cleared.at });
    const entry = (await started.call(`GET /v1/journal/${cleared.decision}`)).json();
    expect(entry).toMatchObject({
      type: 'durations-cleared',
      instance: 'a',
      durationsBefore: [1, 0, 0, 0, 0, 0],
    });
  });

  test('403 for a viewer who would clear it, 404 for who is not registered', async () => {
    const token = started.tokens.viewer;
    expect((await started.call('POST /v1/instances/a/durations/clear', { token })).statusCode).toBe(403);
    expect((await started.call('POST /v1/instances/nobody/durations/clear')).statusCode).toBe(404);
    expect((await started.call('GET /v1/instances/nobody/durations')).statusCode).toBe(404);
  });
});
