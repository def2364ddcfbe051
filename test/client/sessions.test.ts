/**
 * Web sessions that are licensed, in a small application under real HTTP, on Fastify and on bare node:http, with a
 * real Lictor behind it and a time that the test moves (F-46; notes section 5).
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Client,
  createClient,
  type LicenseSessionsOptions,
  WebSessions,
} from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { type OpenedInstance, openInstance } from '../support/instances.ts';
import { until } from '../support/wait.ts';
import { Browser, WEB_APPS, type WebApp } from '../support/webapps.ts';

const WAIT_MS = 20_000;

let started: StartedApp;
let client: Client;
const cleanups: (() => Promise<unknown>)[] = [];
let count = 0;

beforeAll(async () => {
  started = await startApp();
  const url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  client?.close();
  await started?.close();
});

/** An instance of its own under a key of so many units. */
async function openWeb(units: number, enforcement: 'local' | 'central' = 'local'): Promise<OpenedInstance> {
  count += 1;
  const { id: key } = await started.installKey({ AuthorizedUnits: units, OrderNumber: 9_000 + count });
  await client.keys.change(key, { enforcement, connectionsPerUnitMax: 3 }, '*');
  const opened = await openInstance({ client, name: `web-${count}`, key });
  cleanups.push(() => opened.instance.close());
  return opened;
}

describe.each(Object.entries(WEB_APPS))('on %s', (_, startWeb) => {
  const setup = async (
    units: number,
    options: Partial<LicenseSessionsOptions> = {},
    slow?: Promise<void>,
  ) => {
    const opened = await openWeb(units);
    const { instance, clock } = opened;
    const app: WebApp = await startWeb({ instance, clock, idleSeconds: 900, ...options }, slow);
    cleanups.push(() => app.close());
    return { ...opened, app, browser: () => new Browser(app) };
  };

  test('each anonymous visitor takes a unit, once, by a cookie that is safe (F-46)', async () => {
    const { instance, browser } = await setup(10);
    const [one, other] = [browser(), browser()];
    expect((await one.visit()).status).toBe(200);
    await other.visit();
    expect(instance.counts).toMatchObject({ users: 2, webSessions: 2, units: 2 });
    expect(one.setCookie).toMatch(/^__Host-lictor=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    const before = one.cookie;
    expect((await one.visit()).body).toMatchObject({ pages: 2 });
    expect(one.cookie).toBe(before);
    expect(instance.counts).toMatchObject({ users: 2, connections: 2, units: 2 });
  });

  test('the licence knows a session by another name than its cookie holds', async () => {
    const { browser } = await setup(10);
    const visitor = browser();
    const { body } = await visitor.visit();
    expect(body.user).toMatch(/^web-[\w-]{22}$/);
    expect(visitor.cookie).not.toContain(body.user.slice(4));
  });

  test('a user who logs in from three browsers shares one unit (F-46)', async () => {
    const { instance, browser } = await setup(3);
    const browsers = [browser(), browser(), browser()];
    for (const each of browsers) await each.visit();
    expect(instance.counts.units).toBe(3);
    for (const each of browsers) expect((await each.visit('/login/alice')).body).toEqual({ user: 'alice' });
    expect(instance.counts).toMatchObject({ users: 1, connections: 3, webSessions: 3, units: 1 });
    // A terminal of hers is the fourth connection, with which she transitions: here a unit bears three.
    expect(instance.tryLogin({ user: 'alice' })).toMatchObject({ is: 'refused', rule: 'transition' });
  });

  test('after a login the cookie is another one, and the one from before is nobody’s (session fixation)', async () => {
    const { instance, clock, browser } = await setup(3);
    const victim = browser();
    await victim.visit();
    const planted = victim.cookie;
    await victim.visit('/login/alice');
    expect(victim.cookie).not.toBe(planted);
    expect((await victim.visit()).body.user).toBe('alice');
    const attacker = browser();
    for (const laterMs of [0, 9_999, 1]) {
      clock.advance(laterMs);
      attacker.cookie = planted;
      expect((await attacker.visit()).body.user).toMatch(/^web-/);
    }
    expect(attacker.cookie).not.toBe(planted);
    await until(() => instance.counts.users === 2, WAIT_MS, 'only the last of them is a session that stays');
  });

  test('where no unit is free a static page says so, which takes none (trap 10)', async () => {
    const { instance, told, browser } = await setup(1);
    await browser().visit();
    const late = browser();
    const refused = await late.visit('/', { accept: 'text/html,*/*' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(refused.headers.get('cache-control')).toBe('no-store');
    expect(refused.text).toContain('<h1>No licence is free</h1>');
    expect(late.cookie).toBeNull();
    const program = await late.visit('/', { accept: 'application/json' });
    expect(program.body).toMatchObject({ status: 503, code: 'units-exhausted', retryAfterSeconds: 10 });
    expect(instance.counts).toMatchObject({ users: 1, units: 1 });
    expect(told.filter(([name]) => name === 'refused')).toHaveLength(2);
  });

  test('the page of refusals may be the application’s own', async () => {
    const { browser } = await setup(1, { refusedPage: '<p>Come back later</p>' });
    await browser().visit();
    expect((await browser().visit()).text).toBe('<p>Come back later</p>');
  });

  test('a trade that fails leaves the visitor his own unit (trap 7)', async () => {
    const { instance, browser } = await setup(2);
    const browsers = [browser(), browser(), browser()];
    for (const each of browsers) {
      await each.visit();
      await each.visit('/login/alice');
    }
    const fourth = browser();
    await fourth.visit();
    const answer = await fourth.visit('/login/alice');
    expect(answer.status).toBe(403);
    expect(answer.body.refused).toMatchObject({ code: 'units-exhausted', rule: 'transition' });
    expect((await fourth.visit()).body.user).toMatch(/^web-/);
    expect(instance.counts).toMatchObject({ users: 2, connections: 4, units: 2 });
  });

  test('a session of one page that ends keeps its unit ten minutes, another does not (trap 8)', async () => {
    const { instance, clock, browser } = await setup(2);
    const [short, long] = [browser(), browser()];
    await short.visit();
    await long.visit();
    await long.visit('/logout');
    expect(long.cookie).toBeNull();
    expect(instance.counts.units).toBe(1);
    // Nobody tells that a browser was closed: the session ends when it was idle for too long.
    clock.advance(899_000);
    expect(instance.counts.units).toBe(1);
    clock.advance(2_000);
    expect(instance.counts).toMatchObject({ units: 1, webSessions: 1 });
    await browser().visit();
    expect((await browser().visit()).status).toBe(503);
    clock.advance(598_000);
    expect((await browser().visit()).status).toBe(503);
    clock.advance(2_000);
    expect((await browser().visit()).status).toBe(200);
  });

  test('who comes back within the grace has his unit still, and takes no other', async () => {
    const { instance, clock, app, browser } = await setup(1);
    const visitor = browser();
    await visitor.visit();
    const { cookie } = visitor;
    clock.advance(901_000);
    expect(app.sessions.size).toBe(0);
    expect((await visitor.visit()).status).toBe(200);
    expect(visitor.cookie).toBe(cookie);
    expect(instance.counts).toMatchObject({ users: 1, units: 1 });
    await visitor.visit();
    clock.advance(1_200_000);
    expect(instance.counts.units).toBe(0);
    expect((await browser().visit()).status).toBe(200);
  });

  test('an answer that takes its time holds the session, however long', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { instance, clock, app, browser } = await setup(1, {}, promise);
    const visitor = browser();
    await visitor.visit();
    const slow = visitor.visit('/slow');
    const id = visitor.cookie!.split('=')[1]!;
    await until(() => app.sessions.get(id)?.active === 1, WAIT_MS, 'the slow request is under way');
    clock.advance(3_600_000);
    expect(instance.counts.units).toBe(1);
    resolve();
    expect((await slow).status).toBe(200);
    await until(() => app.sessions.get(id)?.active === 0, WAIT_MS, 'it is over');
    clock.advance(1_800_000);
    expect(app.sessions.size).toBe(0);
  });

  test('a cookie that was never given out begins no session under its name', async () => {
    const { instance, browser } = await setup(5);
    const forger = browser();
    forger.cookie = `__Host-lictor=${'a'.repeat(43)}`;
    await forger.visit();
    expect(forger.cookie).not.toContain('aaaa');
    expect(instance.counts.units).toBe(1);
  });

  test('probes and files take no unit, a call without a session one for ten seconds', async () => {
    const { instance, clock, browser } = await setup(1, {
      licensing: ({ url }) => (url === '/health' ? 'none' : url === '/call' ? 'request' : 'session'),
    });
    const probe = browser();
    expect((await probe.visit('/health')).body).toEqual({ user: null });
    expect([probe.cookie, instance.counts.units]).toEqual([null, 0]);
    expect((await probe.visit('/call')).status).toBe(200);
    expect(probe.cookie).toBeNull();
    expect((await probe.visit('/call')).status).toBe(503);
    clock.advance(10_000);
    expect((await probe.visit('/call')).status).toBe(200);
  });

  test('an application with sessions of its own names them, and gets no cookie', async () => {
    const { instance, browser } = await setup(2, {
      sessionId: ({ headers }) => headers['x-session'] as string | undefined,
    });
    const visitor = browser();
    for (const session of ['s1', 's2', 's1']) {
      expect((await visitor.visit('/', { 'x-session': session })).status).toBe(200);
    }
    expect((await visitor.visit('/', { 'x-session': 's3' })).status).toBe(503);
    expect((await visitor.visit()).body).toEqual({ user: null });
    expect([visitor.cookie, instance.counts.units]).toEqual([null, 2]);
  });

  test('requests that come at once under one session take one unit', async () => {
    const { instance, browser } = await setup(1, { sessionId: () => 'the-same' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => browser().visit()));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(instance.counts).toMatchObject({ connections: 1, units: 1 });
  });

  test('when all is lost, whoever comes again is licensed anew, as the user he is', async () => {
    const { instance, told, browser } = await setup(2);
    const [alice, visitor] = [browser(), browser()];
    await alice.visit();
    await alice.visit('/login/alice');
    await visitor.visit();
    await client.keys.change(instance.terms.key!, { enforcement: 'central' }, '*');
    await instance.report();
    expect(told.find(([name]) => name === 'lost')).toEqual(['lost', 'enforcement-changed', 2]);
    expect((await alice.visit()).body.user).toBe('alice');
    expect((await visitor.visit()).status).toBe(200);
    const { holds } = await client.instances.read(instance.name);
    expect(holds).toMatchObject({ users: 2, units: 2, connections: 2 });
    expect((await browser().visit()).status).toBe(503);
  });

  test('the application ends, and every unit is free', async () => {
    const { instance, app, browser } = await setup(5);
    for (const visitor of [browser(), browser()]) await visitor.visit();
    expect(instance.counts.units).toBe(2);
    await app.close();
    expect(instance.counts.units).toBe(0);
  });
});

test('on fastify what is not there takes no unit', async () => {
  const { instance, clock } = await openWeb(1);
  const app = await WEB_APPS.fastify!({ instance, clock });
  cleanups.push(() => app.close());
  const crawler = new Browser(app);
  expect((await crawler.visit('/wp-login.php')).status).toBe(404);
  expect([crawler.cookie, instance.counts.units]).toEqual([null, 0]);
});

test('under a central key the same application asks the server', async () => {
  const { instance, clock } = await openWeb(2, 'central');
  const app = await WEB_APPS.http!({ instance, clock });
  cleanups.push(() => app.close());
  const [one, other, third] = [new Browser(app), new Browser(app), new Browser(app)];
  await one.visit();
  await other.visit();
  expect((await third.visit()).status).toBe(503);
  await one.visit('/login/alice');
  await other.visit('/login/alice');
  expect((await third.visit()).status).toBe(200);
  const { holds } = await client.instances.read(instance.name);
  expect(holds).toMatchObject({ users: 2, units: 2, connections: 3 });
});

describe('options', () => {
  test('that no browser or licence could follow are refused', async () => {
    const { instance } = await openWeb(1);
    const start = (options: object) => WEB_APPS.http!({ instance, ...options });
    await expect(start({ cookie: { name: 'a b' } })).rejects.toThrow('is not one');
    await expect(start({ cookie: { name: '__Host-x', secure: false } })).rejects.toThrow('needs secure');
    await expect(start({ cookie: { sameSite: 'none', secure: false } })).rejects.toThrow('must be secure');
    await expect(start({ cookie: { path: '/a;b' } })).rejects.toThrow('is not one');
    await expect(start({ idleSeconds: 0 })).rejects.toThrow('idleSeconds');
    await expect(start({ sessionsMax: 0 })).rejects.toThrow('sessionsMax');
  });

  test('a cookie for plain HTTP has a plain name', async () => {
    const { instance, clock } = await openWeb(1);
    const app = await WEB_APPS.http!({
      instance,
      clock,
      cookie: { secure: false, sameSite: 'strict', path: '/app', domain: 'example.com' },
    });
    cleanups.push(() => app.close());
    const visitor = new Browser(app);
    await visitor.visit();
    expect(visitor.setCookie).toMatch(
      /^lictor=[\w-]{43}; Path=\/app; Domain=example\.com; HttpOnly; SameSite=Strict$/,
    );
  });

  test('more sessions than the application keeps are refused, whatever the licence has', async () => {
    const { instance, clock } = await openWeb(10);
    const sessions = new WebSessions({ instance, clock, sessionsMax: 2 });
    for (const id of ['s1', 's2']) expect((await sessions.enter(id, true)).is).toBe('session');
    expect(await sessions.enter('s3', true)).toMatchObject({ is: 'refused', limit: 2 });
    sessions.close();
    expect(await sessions.enter('s1', true)).toMatchObject({ is: 'problem', code: 'shutting-down' });
  });
});
