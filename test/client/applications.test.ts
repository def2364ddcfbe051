/** Application licences of an instance, against a real Lictor. */

import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type ApplicationRefusal,
  type Client,
  createClient,
  type InstanceLogin,
  type LicenseInstance,
  type UnitsHeld,
  type UnitsVerdict,
} from '../../src/client/index.ts';
import { Fold } from '../../src/service/fold.ts';
import { Leadership } from '../../src/service/leadership.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN, createRecordingLogger } from '../support/http.ts';
import { impatientClient, loggedIn, type OpenedInstance, openInstance } from '../support/instances.ts';
import { SIGNING_KEY_ID, signedApplicationFile } from '../support/keyfiles.ts';
import { Relay } from '../support/relay.ts';
import { until } from '../support/wait.ts';

const WAIT_MS = 20_000;
const LAB = readFileSync(new URL('../fixtures/applications-bestlab.ini', import.meta.url), 'utf8');
const TWO = readFileSync(new URL('../fixtures/applications-two-sections.ini', import.meta.url), 'utf8');
const BAD = readFileSync(new URL('../fixtures/applications-bad.ini', import.meta.url), 'utf8');
const ROBOTS = { application: 'Pharmacy', feature: 'Dispensing Robots' };

let started: StartedApp;
let closeFold: () => Promise<void>;
let url: string;
let client: Client;
let relay: Relay;
let relayed: Client;
let count = 0;
const opened: OpenedInstance[] = [];

beforeAll(async () => {
  started = await startApp();
  closeFold = startFold(started);
  url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
  relay = await Relay.open(url);
  relayed = impatientClient(relay.url);
});
afterEach(async () => {
  relay.mend();
  for (const { instance } of opened.splice(0)) await instance.close();
});
afterAll(async () => {
  client?.close();
  relayed?.close();
  await relay?.close();
  await closeFold?.();
  await started?.close();
});

/** Keeps the lists, which are read from Postgres, up to date. */
function startFold({ sql, lane }: StartedApp): () => Promise<void> {
  const work = { shard: 0, sql, logger: createRecordingLogger() };
  const duties = { holder: 'the-test', leaseMs: 60_000, renewMs: 1_000, mayLead: () => true };
  const leadership = new Leadership({ ...work, ...duties });
  const fold = new Fold({ ...work, lane, leadership, intervalMs: 10 });
  leadership.start();
  fold.start();
  return async () => {
    await fold.close();
    await leadership.close();
  };
}

type Enforcement = 'central' | 'local' | 'leased';

/** Opens an instance under a key of its own. */
async function open(enforcement: Enforcement, by: Client = client): Promise<LicenseInstance> {
  count += 1;
  const { id } = await started.installKey({ AuthorizedUnits: 100, OrderNumber: 7_000 + count });
  if (enforcement !== 'central') await client.keys.change(id, { enforcement }, '*');
  const one = await openInstance({ client: by, name: `apps-${count}`, key: id });
  opened.push(one);
  await one.instance.report();
  expect(one.instance.enforcement).toBe(enforcement);
  return one.instance;
}

async function logIn(instance: LicenseInstance, user: string): Promise<InstanceLogin> {
  return loggedIn(await instance.login({ user }));
}

function held(verdict: UnitsVerdict): UnitsHeld {
  if (verdict.is === 'granted') return verdict;
  throw new Error(`a grant was expected, not ${JSON.stringify(verdict)}`);
}

function refused(verdict: UnitsVerdict): ApplicationRefusal {
  if (verdict.is === 'refused') return verdict;
  throw new Error(`a refusal was expected, not ${JSON.stringify(verdict)}`);
}

/** How many users hold a feature, as the server counts it. */
async function usedOf({ applications }: LicenseInstance, application: string, feature: string) {
  return (await applications.counts(application, feature)).used;
}

describe('loading (F-71, F-72)', () => {
  test('a file, a section of it, bytes, or keywords and values; the same again is there already', async () => {
    const { applications } = await open('central');
    const all = await applications.load(TWO);
    expect(all).toMatchObject({
      is: 'granted',
      applications: [
        { name: 'Radiology', outcome: 'loaded', signature: 'unsigned' },
        { name: 'Pharmacy', outcome: 'loaded' },
      ],
    });
    const again = await applications.load(Buffer.from(TWO, 'latin1'), { application: 'Pharmacy' });
    expect(again).toMatchObject({ applications: [{ name: 'Pharmacy', outcome: 'present' }] });
    const stated = await applications.load({ 'Lab Users': 3, Site: 'North' }, { application: 'Lab' });
    expect(stated).toMatchObject({ applications: [{ name: 'Lab', outcome: 'loaded' }] });
    const signed = await applications.load(signedApplicationFile(LAB));
    expect(signed).toMatchObject({ applications: [{ signature: 'verified', signingKeyId: SIGNING_KEY_ID }] });
    const { items } = await applications.counts();
    expect(items.map(({ name }) => name)).toEqual(['BestLabApplication', 'Lab', 'Pharmacy', 'Radiology']);
  });

  test('a file that is not in order is told with every fault, and nothing of it is loaded', async () => {
    const { applications } = await open('central');
    expect(await applications.load(`${TWO}\n${BAD}`)).toMatchObject({
      is: 'problem',
      code: 'application-file-invalid',
      faults: [
        { line: 12, code: 'section-name-invalid', legacyCode: 1, mend: expect.stringContaining('period') },
        { line: 17, code: 'keyword-duplicate', legacyCode: 1 },
      ],
    });
    const altered = signedApplicationFile(LAB).replace('=50', '=51');
    expect(await applications.load(altered)).toMatchObject({
      is: 'problem',
      faults: [{ line: 6, code: 'signature-mismatch' }],
    });
    expect(await applications.load({ Users: 5 })).toMatchObject({ is: 'problem', code: 'malformed-request' });
    expect((await applications.counts()).items).toEqual([]);
  });
});

describe.each(['central', 'local', 'leased'] as const)(
  'units of applications under a %s key',
  (enforcement) => {
    test('are a user’s: taking again raises his count, and logging out gives everything back (F-70)', async () => {
      const instance = await open(enforcement);
      const { applications } = instance;
      await applications.load(TWO);
      const login = await logIn(instance, 'alice');
      const first = held(await applications.take(login, 'Radiology'));
      expect(first).toEqual({
        is: 'granted',
        userId: 'alice',
        features: [
          {
            ...{ application: 'Radiology', feature: 'Concurrent Users', units: 50, released: false },
            ...{ count: 1, held: 1, used: 1 },
          },
        ],
      });
      const again = held(await applications.take(login, ['Radiology', ROBOTS]));
      expect(again.features).toMatchObject([
        { feature: 'Concurrent Users', count: 2, held: 2, used: 1 },
        { feature: 'Dispensing Robots', count: 1, held: 1, used: 1, units: 4 },
      ]);
      expect(await instance.logout(login)).toBe(true);
      expect(await usedOf(instance, 'Radiology', 'Concurrent Users')).toBe(0);
      expect(await usedOf(instance, 'Pharmacy', 'Dispensing Robots')).toBe(0);
      expect(await applications.take(login, 'Radiology')).toMatchObject({
        is: 'problem',
        code: 'login-lost',
      });
    });

    test('of another login of the same user stay when one goes out', async () => {
      const instance = await open(enforcement);
      const { applications } = instance;
      await applications.load(TWO);
      const [one, other] = [await logIn(instance, 'alice'), await logIn(instance, 'alice')];
      await applications.take(one, ['Radiology', 'Radiology']);
      const both = held(await applications.take(other, 'Radiology'));
      expect(both.features).toMatchObject([{ count: 3, held: 1, used: 1 }]);
      await instance.logout(one);
      const left = held(await applications.take(other, ROBOTS));
      expect(left.features).toMatchObject([{ count: 1, held: 1 }]);
      expect(await usedOf(instance, 'Radiology', 'Concurrent Users')).toBe(1);
      expect(held(await applications.return(other, 'Radiology')).features).toMatchObject([
        { count: 0, held: 0, used: 0, released: true },
      ]);
    });

    test('are given back one by one, or all at once; what is not held is no fault', async () => {
      const instance = await open(enforcement);
      const { applications } = instance;
      await applications.load(TWO);
      const [alice, bob] = [await logIn(instance, 'alice'), await logIn(instance, 'bob')];
      await applications.take(alice, ['Radiology', 'Radiology', ROBOTS]);
      await applications.take(bob, 'Radiology');
      const given = held(await applications.return(alice, ['Radiology', 'Pharmacy']));
      expect(given.features).toMatchObject([
        { application: 'Radiology', held: 1, count: 1, used: 2, released: true },
        { application: 'Pharmacy', feature: 'Concurrent Users', held: 0, released: false },
      ]);
      const rest = held(await applications.return(alice));
      expect(
        rest.features.map(({ feature, held: left, released }) => [feature, left, released]).sort(),
      ).toEqual([
        ['Concurrent Users', 0, true],
        ['Dispensing Robots', 0, true],
      ]);
      expect(held(await applications.return(alice)).features).toEqual([]);
      expect(await usedOf(instance, 'Radiology', 'Concurrent Users')).toBe(1);
    });

    test('are refused where all are taken, all or nothing, with who stands in the way', async () => {
      const instance = await open(enforcement);
      const { applications } = instance;
      await applications.load(TWO);
      for (let index = 0; index < 4; index += 1) {
        held(await applications.take(await logIn(instance, `user-${index}`), ROBOTS));
      }
      const late = await logIn(instance, 'late');
      const refusal = refused(await applications.take(late, ['Radiology', ROBOTS]));
      expect(refusal).toMatchObject({
        code: 'application-units-exhausted',
        rule: 'application-units',
        ...{ ...ROBOTS, limit: 4, inUse: 4, requested: 1, holdersCount: 4 },
        detail: expect.stringMatching(/4 of 4 are in use.*4 users hold it: "user-0"/),
        decision: expect.any(String),
      });
      expect(await usedOf(instance, 'Radiology', 'Concurrent Users')).toBe(0);
      const listed = async () => {
        const holders: string[] = [];
        for await (const { userId } of applications.holders('Pharmacy', { limit: 2 })) holders.push(userId);
        return holders.length === 4 ? holders : null;
      };
      const holders = await until(listed, WAIT_MS, 'the list of holders has all four');
      expect(holders.sort()).toEqual(['user-0', 'user-1', 'user-2', 'user-3']);
    });

    test('what cannot be taken at all is a problem that says why', async () => {
      const instance = await open(enforcement);
      const { applications } = instance;
      await applications.load(TWO);
      const login = await logIn(instance, 'alice');
      const codes = async (wanted: Parameters<typeof applications.take>[1]) => {
        const verdict = await applications.take(login, wanted);
        return verdict.is === 'problem' ? verdict.code : verdict;
      };
      expect(await codes('Nothing')).toBe('application-not-found');
      expect(await codes({ application: 'Radiology', feature: 'Nothing' })).toBe('feature-not-licensed');
      expect(await codes({ application: 'Radiology', feature: 'Modules' })).toBe('feature-not-counted');
      expect(await codes([])).toBe('malformed-request');
      expect(await codes({} as { application: string })).toBe('malformed-request');
      const nobody = loggedIn(await instance.login({ emergency: true }));
      expect(await applications.take(nobody, 'Radiology')).toMatchObject({
        is: 'problem',
        code: 'holder-missing',
      });
    });

    test('that come while the login goes out go with it', async () => {
      const instance = await open(enforcement);
      const { applications } = instance;
      await applications.load(TWO);
      const [login, other] = [await logIn(instance, 'alice'), await logIn(instance, 'alice')];
      const taking = applications.take(login, [ROBOTS, 'Radiology']);
      await Promise.all([instance.logout(login), taking]);
      expect((await taking).is).not.toBe('refused');
      const gone = async () => (await usedOf(instance, ROBOTS.application, ROBOTS.feature)) === 0;
      await until(gone, WAIT_MS, 'nobody holds it');
      expect(held(await applications.take(other, ROBOTS)).features).toMatchObject([{ count: 1, held: 1 }]);
    });

    test('after the instance is closed nothing is taken, and nothing is held (F-70)', async () => {
      const instance = await open(enforcement);
      const { applications } = instance;
      await applications.load(TWO);
      const login = await logIn(instance, 'alice');
      held(await applications.take(login, 'Radiology'));
      await instance.close();
      expect(await applications.take(login, 'Radiology')).toMatchObject({
        is: 'problem',
        code: 'shutting-down',
      });
      const { used } = await client.applications.feature(instance.name, 'Radiology', 'Concurrent Users');
      expect(used).toBe(0);
    });
  },
);

describe('a user who becomes another one', () => {
  test('takes along what he holds under a central key', async () => {
    const instance = await open('central');
    const { applications } = instance;
    await applications.load(TWO);
    const login = await logIn(instance, 'alice');
    await applications.take(login, ROBOTS);
    loggedIn(await instance.identify(login, 'bob'));
    expect(held(await applications.take(login, ROBOTS)).features).toMatchObject([{ count: 2, used: 1 }]);
  });

  test('gives it back where the instance decides, and takes anew', async () => {
    const instance = await open('local');
    const { applications } = instance;
    await applications.load(TWO);
    const login = await logIn(instance, 'alice');
    await applications.take(login, ROBOTS);
    loggedIn(await instance.identify(login, 'bob'));
    await instance.report();
    expect(await usedOf(instance, 'Pharmacy', 'Dispensing Robots')).toBe(0);
    expect(held(await applications.take(login, ROBOTS))).toMatchObject({
      userId: 'bob',
      features: [{ count: 1 }],
    });
  });
});

describe('without the server', () => {
  test('nothing is taken; what was held is given back as soon as the server is there', async () => {
    const instance = await open('local', relayed);
    const { applications } = instance;
    await applications.load(TWO);
    const [login, other] = [await logIn(instance, 'alice'), await logIn(instance, 'alice')];
    held(await applications.take(login, ROBOTS));
    relay.cut();
    expect(refused(await applications.take(login, 'Radiology'))).toMatchObject({
      code: 'server-unreachable',
      rule: 'offline',
    });
    expect(refused(await applications.return(login, ROBOTS)).code).toBe('server-unreachable');
    await instance.logout(login);
    expect(applications.returnsWaiting).toBe(1);
    relay.mend();
    expect((await client.applications.feature(instance.name, ROBOTS.application, ROBOTS.feature)).used).toBe(
      1,
    );
    await instance.report();
    expect(applications.returnsWaiting).toBe(0);
    expect(await usedOf(instance, 'Pharmacy', 'Dispensing Robots')).toBe(0);
    expect(other.isHeld).toBe(true);
  });

  test('a return that the token does not permit for a while waits, and nothing else waits for it', async () => {
    let isForbidden = false;
    const strict: typeof fetch = async (...request) => {
      if (!isForbidden || !String(request[0]).endsWith('/return')) return fetch(...request);
      const body = {
        type: 'forbidden',
        title: '',
        status: 403,
        code: 'forbidden',
        detail: 'No.',
        requestId: 'r',
      };
      return new Response(JSON.stringify(body), {
        status: 403,
        headers: { 'content-type': 'application/problem+json' },
      });
    };
    const unsure = createClient({ url, token: ADMIN_TOKEN, fetch: strict });
    const instance = await open('local', unsure);
    const { applications } = instance;
    await applications.load(TWO);
    const [login, other] = [await logIn(instance, 'alice'), await logIn(instance, 'alice')];
    held(await applications.take(login, ROBOTS));
    isForbidden = true;
    await instance.logout(login);
    await instance.report();
    expect(applications.returnsWaiting).toBe(1);
    expect(await usedOf(instance, 'Pharmacy', 'Dispensing Robots')).toBe(1);
    isForbidden = false;
    await instance.report();
    expect(applications.returnsWaiting).toBe(0);
    expect(await usedOf(instance, 'Pharmacy', 'Dispensing Robots')).toBe(0);
    expect(other.isHeld).toBe(true);
  });

  test('a take whose answer was lost is found out about, and given back', async () => {
    let isLossy = false;
    const lossy: typeof fetch = async (...request) => {
      const response = await fetch(...request);
      if (!isLossy || !String(request[0]).endsWith('/take')) return response;
      isLossy = false;
      await response.body?.cancel();
      throw new TypeError('fetch failed');
    };
    const forgetful = createClient({ url, token: ADMIN_TOKEN, attemptsMax: 1, fetch: lossy });
    const instance = await open('central', forgetful);
    const { applications } = instance;
    await applications.load(TWO);
    const login = await logIn(instance, 'alice');
    isLossy = true;
    expect(refused(await applications.take(login, ROBOTS)).code).toBe('server-unreachable');
    await until(
      async () => {
        const { maxUsed, used } = await applications.counts(ROBOTS.application, ROBOTS.feature);
        return maxUsed === 1 && used === 0;
      },
      WAIT_MS,
      'what was taken is given back',
    );
    forgetful.close();
  });
});

describe('a token of the role instance', () => {
  test('is enough to load, take and give back on its own instance, and no more', async () => {
    count += 1;
    const { id } = await started.installKey({ OrderNumber: 7_000 + count });
    const [name, elsewhere] = [`apps-${count}`, `apps-${count}-other`];
    await client.instances.register(elsewhere, { key: id });
    const token = await started.token('instance', { instance: name, keys: [id] });
    const own = createClient({ url, token });
    const one = await openInstance({ client: own, name, key: id });
    opened.push(one);
    const { applications } = one.instance;
    expect(await applications.load(TWO)).toMatchObject({ is: 'granted' });
    const login = await logIn(one.instance, 'alice');
    held(await applications.take(login, ROBOTS));
    expect(held(await applications.return(login)).features).toMatchObject([{ released: true, used: 0 }]);
    expect((await applications.counts('Pharmacy')).features).toHaveLength(3);
    await expect(own.applications.loadAll(elsewhere, { file: TWO })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await one.instance.close();
    own.close();
  });
});

describe('the number of instances', () => {
  test('that a keyword licenses is told (ApplicationServerLogin)', async () => {
    const { applications } = await open('central');
    await applications.load({ 'Concurrent Users': 9, Servers: 0 }, { application: 'Lab' });
    expect(await applications.instanceLogin('Lab')).toEqual({ permitted: true, instances: 1, limit: 9 });
    expect(await applications.instanceLogin('Lab', 'Servers')).toMatchObject({ permitted: false, limit: 0 });
  });
});
