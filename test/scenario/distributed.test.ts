/**
 * Instances under a local key, as the seed tells it: each decides by itself, so that the limit can be exceeded for
 * a while, and the server says when new users have to wait (F-50…F-54).
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Client,
  createClient,
  type InstanceLogin,
  type LicenseInstance,
} from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { CLUSTER_TOKEN, type Replica, startReplica } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { InstanceProcess } from '../support/instance-processes.ts';
import {
  impatientClient,
  loggedIn,
  ManualClock,
  type OpenedInstance,
  openInstance,
  refusedBy,
} from '../support/instances.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { Relay } from '../support/relay.ts';
import { until } from '../support/wait.ts';

const UNITS = 10;
const WAIT_MS = 20_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 120_000);

let orders = 0;

/** Installs a key whose instances decide for themselves. */
async function installLocalKey(client: Client, units = UNITS): Promise<string> {
  orders += 1;
  const { text } = signedKeyFile({ AuthorizedUnits: units, OrderNumber: 8_000 + orders });
  const { id } = await client.keys.install({ file: text });
  await client.keys.change(id, { enforcement: 'local' }, '*');
  return id;
}

/** Logs in so many users of an instance's own. */
function fill(instance: LicenseInstance, count: number): InstanceLogin[] {
  return Array.from({ length: count }, (_, index) =>
    loggedIn(instance.tryLogin({ user: `${instance.name}-${index}` })),
  );
}

/** Whether the server keeps count of what it was told, and of nothing else. */
async function unitsOf(client: Client, key: string): Promise<number | undefined> {
  return (await client.usage.counts()).items.find((counts) => counts.key === key)?.unitsInUse;
}

describe('in a time that the test moves', () => {
  let started: StartedApp;
  let url: string;
  let client: Client;
  const clock = new ManualClock();

  beforeAll(async () => {
    started = await startApp();
    url = await started.app.listen({ port: 0, host: '127.0.0.1' });
    client = createClient({ url, token: ADMIN_TOKEN });
  });
  afterAll(async () => {
    client?.close();
    await started?.close();
  });

  const open = async (name: string, key: string, by: Client = client): Promise<OpenedInstance> => {
    const opened = await openInstance({ client: by, name, key, clock });
    cleanups.push(() => opened.instance.close());
    return opened;
  };

  test('two instances let in 8 and 8 on 10 units: new users wait on both until there are 9 (F-50…F-54)', async () => {
    const key = await installLocalKey(client);
    const [a, b] = [await open('pair-a', key), await open('pair-b', key)];
    const [inA, inB] = [fill(a.instance, 8), fill(b.instance, 8)];
    const interval = async () => {
      clock.advance(15_000);
      await Promise.all([a.instance.report(), b.instance.report()]);
    };
    // By the first update the later of the two is told, and the other one by its second.
    await interval();
    await interval();
    for (const { instance, told } of [a, b]) {
      expect(instance.isOverLimit).toBe(true);
      expect(told.filter(([name]) => name === 'nak')).toEqual([['nak', { limit: 10, inUse: 16 }]]);
      expect(told.find(([name]) => name === 'over-limit')![1]).toMatchObject({ units: 6, unitsMax: 6 });
      expect(refusedBy(instance.tryLogin({ user: 'new' }))).toMatchObject({ code: 'over-limit', inUse: 16 });
      expect(loggedIn(instance.tryLogin({ user: `${instance.name}-0` })).connections).toBe(2);
    }
    // Down to ten: the state goes on, because it ends below the limit.
    for (const login of inA.splice(0, 3)) a.instance.release(login);
    for (const login of inB.splice(0, 3)) b.instance.release(login);
    expect([a.instance.counts.units, b.instance.counts.units]).toEqual([6, 6]);
    a.instance.release(inA.pop()!);
    b.instance.release(inB.pop()!);
    await interval();
    await interval();
    expect(await unitsOf(client, key)).toBe(10);
    expect([a.instance.isOverLimit, b.instance.isOverLimit]).toEqual([true, true]);
    expect(refusedBy(b.instance.tryLogin({ user: 'new' })).code).toBe('over-limit');
    a.instance.release(inA.pop()!);
    await interval();
    await interval();
    expect(await unitsOf(client, key)).toBe(9);
    for (const { instance, names } of [a, b]) {
      expect(instance.isOverLimit).toBe(false);
      expect(names().filter((name) => name === 'ack' || name === 'nak')).toEqual(['nak', 'ack']);
    }
    loggedIn(a.instance.tryLogin({ user: 'new' }));
    await interval();
    expect(await unitsOf(client, key)).toBe(10);
    expect([a.instance.isOverLimit, b.instance.isOverLimit]).toEqual([false, false]);
    // The ledger has it, with how it ended.
    const { items } = await client.journal.list({ type: 'excess', key });
    const ended = items.map(({ record }) => record).find((record) => record?.state === 'ended');
    expect(ended).toMatchObject({ unitsMax: 6, endedBy: 'logouts', usersCount: 6 });
  });

  test('the server away for ten minutes: both go on, and one exchange puts the table right (F-13)', async () => {
    const relay = await Relay.open(url);
    cleanups.push(() => relay.close());
    const relayed = impatientClient(relay.url);
    const key = await installLocalKey(client, 100);
    const [a, b] = [await open('away-a', key, relayed), await open('away-b', key, relayed)];
    const [inA, inB] = [fill(a.instance, 5), fill(b.instance, 5)];
    await Promise.all([a.instance.report(), b.instance.report()]);
    expect(await unitsOf(client, key)).toBe(10);
    relay.cut();
    for (let minute = 0; minute < 10; minute += 1) {
      clock.advance(60_000);
      await Promise.all([a.instance.report(), b.instance.report()]);
      inA.push(loggedIn(a.instance.tryLogin({ user: `late-${minute}` })));
      inB.push(loggedIn(b.instance.tryLogin({ user: `late-${minute}` })));
      a.instance.release(inA.shift()!);
    }
    b.instance.release(inB.shift()!);
    expect([a.instance.isOnline, b.instance.isOnline]).toEqual([false, false]);
    relay.mend();
    const exchanged = async ({ instance }: OpenedInstance) => {
      await instance.report();
      return instance.isOnline;
    };
    await until(() => exchanged(a), WAIT_MS, 'the first is online again');
    await until(() => exchanged(b), WAIT_MS, 'the second is online again');
    const truth = new Map<string, number>();
    for (const { userId } of [...inA, ...inB]) truth.set(userId!, (truth.get(userId!) ?? 0) + 1);
    const { items } = await client.usage.users({ key, limit: 100 });
    expect(new Map(items.map(({ userId, connections }) => [userId, connections]))).toEqual(truth);
    expect(await unitsOf(client, key)).toBe(truth.size);
  });

  test('one user on three instances costs one unit, and with thirty connections thirty (F-32, trap 1)', async () => {
    const key = await installLocalKey(client, 100);
    const instances = await Promise.all(['three-a', 'three-b', 'three-c'].map((name) => open(name, key)));
    const logins = instances.map(({ instance }) => loggedIn(instance.tryLogin({ user: 'alice' })));
    const reports = () => Promise.all(instances.map(({ instance }) => instance.report()));
    await reports();
    expect(await unitsOf(client, key)).toBe(1);
    for (const { instance } of instances) {
      for (let index = 0; index < 9; index += 1) logins.push(loggedIn(instance.tryLogin({ user: 'alice' })));
    }
    await reports();
    expect(await unitsOf(client, key)).toBe(30);
    // Nobody has more than 25 by himself: that there are 30 the instances hear from the server.
    await reports();
    for (const { instance } of instances)
      expect(instance.counts).toMatchObject({ connections: 10, units: 10 });
    const [first] = instances;
    for (const login of logins.splice(3, 9)) first!.instance.release(login);
    await reports();
    expect(await unitsOf(client, key)).toBe(21);
    for (const login of logins) for (const { instance } of instances) instance.release(login);
    await reports();
    expect(await unitsOf(client, key)).toBe(0);
  });
});

describe('with processes of their own', () => {
  let database: TestDatabase;
  let replica: Replica;
  let client: Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    const env = { LICTOR_UPDATE_INTERVAL_SECONDS: '1' };
    replica = await startReplica({ databaseUrl: database.url, env });
    client = createClient({ url: replica.url, token: CLUSTER_TOKEN });
  }, 120_000);
  afterAll(async () => {
    client?.close();
    await replica?.stop();
    await database?.drop();
  });

  test('two instances let in 8 and 8 on 10 units, and hear of it by themselves (F-52, F-54)', async () => {
    const key = await installLocalKey(client);
    const instances = await Promise.all(
      ['process-a', 'process-b'].map((name) =>
        InstanceProcess.open({ client: { url: replica.url, token: CLUSTER_TOKEN }, name, key }),
      ),
    );
    cleanups.push(() => Promise.all(instances.map((instance) => instance.kill9())));
    const each = (change: (instance: InstanceProcess, at: number) => Promise<unknown>) =>
      Promise.all(instances.map(change));
    await each(async (instance, at) => {
      for (let index = 0; index < 8; index += 1) {
        const { outcome } = await instance.ask({ do: 'login', user: `user-${at}-${index}` });
        expect(outcome).toBe('granted');
      }
    });
    const agree = (isOverLimit: boolean, what: string) =>
      until(
        async () => {
          const states = await Promise.all(instances.map((instance) => instance.ask({ do: 'state' })));
          return states.every((state) => state.isOverLimit === isOverLimit);
        },
        WAIT_MS,
        what,
      );
    await agree(true, 'both are told that use is over the limit');
    await each(async (instance, at) => {
      expect((await instance.ask({ do: 'login', user: 'new' })).outcome).toBe('over-limit');
      expect((await instance.ask({ do: 'login', user: `user-${at}-7` })).outcome).toBe('granted');
      for (let index = 0; index < 3; index += 1)
        await instance.ask({ do: 'logout', user: `user-${at}-${index}` });
    });
    await until(async () => (await unitsOf(client, key)) === 10, WAIT_MS, 'the server counts 10');
    await each(async (instance) => {
      await instance.ask({ do: 'report' });
      expect(await instance.ask({ do: 'state' })).toMatchObject({ isOverLimit: true, units: 5, held: 6 });
    });
    await instances[0]!.ask({ do: 'logout', user: 'user-0-3' });
    await agree(false, 'both are told that use is below the limit');
    expect((await instances[1]!.ask({ do: 'login', user: 'new' })).outcome).toBe('granted');
    // One that dies without a word is counted until its grace ends; one that closes is not.
    await instances[1]!.ask({ do: 'close' });
    await until(async () => (await unitsOf(client, key)) === 4, WAIT_MS, 'the closed one has given back');
  }, 120_000);
});
