/**
 * Application licences as an application partner meets them (F-70…F-74): sections loaded from the files, users who
 * take and return, the last unit, and everything back with the login, however it ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiError, type Client, createClient } from '../../src/client/index.ts';
import type { ApplicationStart } from '../support/application-process.ts';
import { CLUSTER_TOKEN, type Replica, startReplica } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { until } from '../support/wait.ts';

const WAIT_MS = 30_000;
const GRACE_SECONDS = 10;
const LAB_USERS = 50;
const PROCESS = fileURLToPath(new URL('../support/application-process.ts', import.meta.url));
const fixture = (name: string) =>
  readFileSync(new URL(`../fixtures/applications-${name}.ini`, import.meta.url), 'utf8');

let database: TestDatabase;
let replica: Replica;
let client: Client;
let key: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  await open();
  const { text } = signedKeyFile({ OrderNumber: 9_101, AuthorizedUnits: 100 });
  ({ id: key } = await client.keys.install({ file: text }));
}, 120_000);
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  client?.close();
  await replica?.stop();
  await database?.drop();
});

async function open(): Promise<void> {
  replica = await startReplica({ databaseUrl: database.url, env: { LICTOR_REAP_INTERVAL_MS: '200' } });
  client = createClient({ url: replica.url, token: CLUSTER_TOKEN });
}

/** Starts an application, and waits until it has done everything but give signs of life. */
async function startApplication(start: Omit<ApplicationStart, 'url' | 'token' | 'key' | 'graceSeconds'>) {
  const all = { ...start, url: replica.url, token: CLUSTER_TOKEN, key, graceSeconds: GRACE_SECONDS };
  const child = fork(PROCESS, [JSON.stringify(all)], {
    execArgv: ['--no-warnings'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  children.push(child);
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', () => reject(new Error('the application ended instead of starting')));
  });
  return child;
}

async function used(instance: string, application: string, feature: string): Promise<number | undefined> {
  return (await client.applications.feature(instance, application, feature)).used;
}

describe('the licence of an application partner', () => {
  const take = { features: [{ application: 'BestLabApplication', feature: 'Lab Users' }] };
  const logins: string[] = [];

  test('is loaded from its file, and its numbers are counted (F-71, F-72)', async () => {
    await client.instances.register('lab', { key });
    const { items } = await client.applications.loadAll('lab', { file: fixture('bestlab') });
    expect(items).toMatchObject([{ name: 'BestLabApplication', kind: 'loaded', outcome: 'loaded' }]);
    await client.applications.loadAll('lab', { file: fixture('two-sections') });
    const list = await client.applications.list('lab');
    expect(list.items.map(({ name }) => name)).toEqual(['BestLabApplication', 'Pharmacy', 'Radiology']);
    expect(list.items[0]!.features).toMatchObject([
      { feature: 'Lab Users', counted: true, units: 50, used: 0, free: 50, maxUsed: 0, minimum: 50 },
      { feature: 'Lab Administrators', units: 2 },
      { feature: 'Lab Devices', units: 5 },
      { feature: 'Extended Lab Reports', counted: false, value: 'Enabled' },
    ]);
    await expect(client.applications.loadAll('lab', { file: fixture('bad') })).rejects.toMatchObject({
      code: 'application-file-invalid',
    });
    expect((await client.applications.list('lab')).items).toHaveLength(3);
  });

  test('lets fifty Lab Users take theirs; the fifty-first is told who holds them (F-74)', async () => {
    for (let number = 1; number <= LAB_USERS + 1; number += 1) {
      const { id } = await client.logins.create({ instance: 'lab', user: `user-${number}` });
      logins.push(id);
      if (number <= LAB_USERS) await client.applications.take('lab', { login: id, ...take });
    }
    const refusal = await client.applications.take('lab', { login: logins.at(-1)!, ...take }).then(
      () => null,
      (error: unknown) => error as ApiError,
    );
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal!.problem).toMatchObject({
      status: 409,
      code: 'application-units-exhausted',
      rule: 'application-units',
      limit: 50,
      inUse: 50,
      requested: 1,
      holdersCount: 50,
    });
    expect(refusal!.problem.holders).toHaveLength(20);
    expect(refusal!.message).toContain('50 of 50 are in use');
    const { decision } = refusal!.problem as unknown as { decision: string };
    expect((await client.journal.explain(decision)).words).toContain('held by other users');
    expect(await used('lab', 'BestLabApplication', 'Lab Users')).toBe(50);
  });

  test('gets one back by a return, and every one by the logouts (F-70)', async () => {
    await client.applications.return('lab', { login: logins[0]!, ...take });
    const { features } = await client.applications.take('lab', { login: logins.at(-1)!, ...take });
    expect(features).toMatchObject([{ count: 1, used: 50, units: 50 }]);
    for (const id of logins.splice(0)) await client.logins.remove(id, { instance: 'lab' });
    const state = await client.applications.feature('lab', 'BestLabApplication', 'Lab Users');
    expect(state).toMatchObject({ used: 0, free: 50, maxUsed: 50, minimum: 0 });
    const { items } = await client.applications.recount('lab', 'BestLabApplication', {});
    expect(items[0]).toEqual({ feature: 'Lab Users', counted: 0, before: 0, recovered: 0 });
  });

  test('has what a killed process held back after the grace of its instance (F-70)', async () => {
    const features = [
      { application: 'Radiology', feature: 'LabTech' },
      { application: 'Radiology', feature: 'Concurrent Users' },
    ];
    const users = ['alice', 'bob', 'carol'];
    const child = await startApplication({
      instance: 'radiology',
      file: fixture('two-sections'),
      users,
      features,
    });
    expect(await used('radiology', 'Radiology', 'LabTech')).toBe(3);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const killedAt = Date.now();
    expect(await used('radiology', 'Radiology', 'LabTech')).toBe(3);
    await until(
      async () => (await used('radiology', 'Radiology', 'LabTech')) === 0,
      WAIT_MS,
      'what the killed process held is back',
    );
    // Its grace began with its last sign of life, which may have come late on a busy machine.
    expect(Date.now() - killedAt).toBeGreaterThan((GRACE_SECONDS / 2) * 1000);
    expect(await used('radiology', 'Radiology', 'Concurrent Users')).toBe(0);
  }, 120_000);

  test('is as it was after the server was killed and started again', async () => {
    const { id } = await client.logins.create({ instance: 'lab', user: 'dave' });
    await client.applications.take('lab', { login: id, ...take });
    const before = await client.applications.read('lab', 'BestLabApplication');
    await replica.kill9();
    client.close();
    await open();
    const after = await client.applications.read('lab', 'BestLabApplication');
    expect(after.features).toEqual(before.features);
    expect(after.features[0]).toMatchObject({ used: 1, maxUsed: 50 });
    await until(
      async () => (await client.applications.holders('lab', 'BestLabApplication')).items.length === 1,
      WAIT_MS,
      'the holder is listed',
    );
    await client.logins.remove(id, { instance: 'lab' });
    expect(await used('lab', 'BestLabApplication', 'Lab Users')).toBe(0);
  }, 120_000);
});
