/**
 * What applications and browsers do besides: sessions of the application's own, cookies of its own, requests that
 * cross a login, and a server that does not take the application's requests.
 */

import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Client,
  createClient,
  type LicensedIncomingMessage,
  type LicenseSessionsOptions,
  licenseMiddleware,
  WebSessions,
} from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { type OpenedInstance, openInstance } from '../support/instances.ts';
import { until } from '../support/wait.ts';
import { Browser, WEB_APPS } from '../support/webapps.ts';

const WAIT_MS = 20_000;

let started: StartedApp;
let url: string;
let client: Client;
const cleanups: (() => Promise<unknown>)[] = [];
let count = 0;

beforeAll(async () => {
  started = await startApp();
  url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  client?.close();
  await started?.close();
});

async function openWeb(
  units: number,
  enforcement: 'local' | 'leased' | 'central' = 'local',
  by = client,
): Promise<OpenedInstance> {
  count += 1;
  const { id: key } = await started.installKey({ AuthorizedUnits: units, OrderNumber: 9_500 + count });
  await client.keys.change(key, { enforcement }, '*');
  const opened = await openInstance({ client: by, name: `parallel-${count}`, key });
  cleanups.push(() => opened.instance.close());
  return opened;
}

describe.each(Object.entries(WEB_APPS))('on %s', (_, startWeb) => {
  const start = async (
    { instance, clock }: OpenedInstance,
    options: Partial<LicenseSessionsOptions> = {},
    slow?: Promise<void>,
  ) => {
    const app = await startWeb({ instance, clock, ...options }, slow);
    cleanups.push(() => app.close());
    return app;
  };

  test('an application’s own session goes on after the login, under the ID that it has', async () => {
    const opened = await openWeb(2);
    const app = await start(opened, { sessionId: ({ headers }) => headers['x-session'] as string });
    const visitor = new Browser(app);
    const own = { 'x-session': 's1' };
    await visitor.visit('/', own);
    await visitor.visit('/login/alice', own);
    expect((await visitor.visit('/', own)).body).toEqual({ user: 'alice', pages: 3 });
    expect(opened.instance.counts).toMatchObject({ users: 1, connections: 1, units: 1 });
    // As an application should, it gives the session another ID after the login.
    app.sessions.get('s1')!.rename('s2');
    expect((await visitor.visit('/', { 'x-session': 's2' })).body).toEqual({ user: 'alice', pages: 4 });
    expect((await visitor.visit('/', own)).body.user).toMatch(/^web-/);
    expect(opened.instance.counts).toMatchObject({ users: 2, units: 2 });
  });

  test('a request that crosses the answer to a login takes nothing away from it (session fixation)', async () => {
    const opened = await openWeb(2);
    const { promise, resolve } = Promise.withResolvers<void>();
    const app = await start(opened, {}, promise);
    const visitor = new Browser(app);
    await visitor.visit();
    const crossing = new Browser(app);
    crossing.cookie = visitor.cookie;
    await visitor.visit('/login/alice');
    const late = crossing.visit('/slow');
    await until(() => app.sessions.size === 2, WAIT_MS, 'the request that crossed the login is under way');
    resolve();
    expect((await late).body.user).toMatch(/^web-/);
    expect(crossing.setCookie).toBeNull();
    await until(() => app.sessions.size === 1, WAIT_MS, 'it is over, and so is its session');
    expect(opened.instance.counts).toMatchObject({ users: 1, units: 1 });
    expect((await visitor.visit()).body.user).toBe('alice');
    // Logged in by a former ID, it is a session like any other.
    expect((await crossing.visit('/login/bob')).body).toEqual({ user: 'bob' });
    expect((await crossing.visit()).body).toEqual({ user: 'bob', pages: 2 });
  });

  test('what the server has against the application is not told to visitors', async () => {
    const { id, token } = await client.tokens.create({ name: 'web', role: 'instance' });
    const revocable = createClient({ url, token });
    cleanups.push(async () => revocable.close());
    const opened = await openWeb(2, 'central', revocable);
    const app = await start(opened);
    await client.tokens.revoke(id);
    const { status, text } = await new Browser(app).visit();
    expect(status).toBe(500);
    expect(text).not.toContain('token');
  });

  test('without the server the page does not say that others have the licences', async () => {
    const away = createClient({ url, token: ADMIN_TOKEN });
    const opened = await openWeb(2, 'central', away);
    const app = await start(opened);
    away.close();
    await opened.instance.close();
    const page = await new Browser(app).visit('/', { accept: 'text/html' });
    expect(page.status).toBe(503);
    expect(page.text).toContain('<h1>No licence can be given</h1>');
    expect(page.text).not.toContain('in use');
  });
});

test('cookies that an application gives with its head keep the session’s company', async () => {
  const { instance, clock } = await openWeb(5);
  const license = licenseMiddleware({ instance, clock });
  const heads: Readonly<Record<string, readonly unknown[]>> = {
    '/object': [{ 'Set-Cookie': 'own=1; Path=/', 'x-own': 'yes' }],
    '/several': ['Fine', { 'set-cookie': ['own=1', 'other=2'] }],
    '/list': [['set-cookie', 'own=1', 'x-own', 'yes']],
    '/none': [{ 'x-own': 'yes' }],
    '/bare': [],
  };
  const server = createServer((request: LicensedIncomingMessage, response) => {
    response.setHeader('x-before', 'yes');
    license(request, response, () => {
      (response.writeHead as (...args: unknown[]) => typeof response)(200, ...heads[request.url!]!).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    license.sessions.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const own: Readonly<Record<string, readonly string[]>> = {
    '/object': ['own=1; Path=/'],
    '/several': ['own=1', 'other=2'],
    '/list': ['own=1'],
  };
  for (const path of Object.keys(heads)) {
    const { headers } = await fetch(`http://127.0.0.1:${port}${path}`);
    const expected = [...(own[path] ?? []), expect.stringMatching(/^__Host-lictor=/)];
    expect([path, headers.getSetCookie()]).toEqual([path, expected]);
    expect(headers.get('x-before')).toBe('yes');
  }
});

test('more sessions than are kept are refused also when they come at once', async () => {
  const { instance, clock } = await openWeb(10, 'central');
  const sessions = new WebSessions({ instance, clock, sessionsMax: 2 });
  const entries = await Promise.all(['s1', 's2', 's3', 's4'].map((id) => sessions.enter(id, true)));
  expect(entries.map(({ is }) => is)).toEqual(['session', 'session', 'refused', 'refused']);
  sessions.close();
});

test('a session that opens while the application ends holds nothing', async () => {
  const { instance, clock } = await openWeb(10, 'central');
  const sessions = new WebSessions({ instance, clock });
  const opening = sessions.enter('s1', true);
  sessions.close();
  expect(await opening).toMatchObject({ is: 'problem', code: 'shutting-down' });
  const isFree = async () => (await client.instances.read(instance.name)).holds.units === 0;
  await until(isFree, WAIT_MS, 'its unit is free');
});

test('a login in a session whose term ended since the request came is still a login', async () => {
  const { instance, clock } = await openWeb(2, 'leased');
  const sessions = new WebSessions({ instance, clock });
  const session = await sessions.enter('s1', true);
  if (session.is !== 'session') throw new Error(session.detail);
  clock.suspend(120_000);
  await instance.report();
  expect(session.current.isHeld).toBe(false);
  expect(await session.login('alice')).toMatchObject({ is: 'granted', userId: 'alice' });
  expect(session).toMatchObject({ userId: 'alice', user: 'alice', id: 's1' });
  sessions.close();
});

test('a middleware without an instance is refused', () => {
  expect(() => licenseMiddleware({} as never)).toThrow('Give the option instance');
});
