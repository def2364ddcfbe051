/**
 * The embedded default: one process with a Postgres of its own in a folder. Killed under load, again and again,
 * it forgets nothing that it has acknowledged.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { readPostmasterFile, SERVER_ROLE } from '../../src/storage/postgres-server.ts';
import { type Replica, startReplica } from '../support/cluster.ts';
import {
  type Attempt,
  call,
  closeConnections,
  fire,
  grantedOf,
  installKey,
  makeAttempts,
  must,
} from '../support/load.ts';
import { verifyPromise } from '../support/replay.ts';

const UNITS = 300;
const INSTANCES = ['app-a', 'app-b'];
const ROUNDS = 3;

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 120_000);

afterAll(closeConnections);

/** Where the embedded server listens, as its folder says. */
async function embeddedUrl(folder: string): Promise<string> {
  const directory = path.join(folder, 'postgres');
  const password = (await readFile(path.join(directory, 'password'), 'utf8')).trim();
  const file = await readPostmasterFile(path.join(directory, 'data'));
  return `postgres://${SERVER_ROLE}:${password}@127.0.0.1:${file!.port}/postgres`;
}

test('R-2: the process killed under load, and started again: nothing acknowledged is missing', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lictor-scenario-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const env = { LICTOR_DATA_DIR: folder, LICTOR_BATCH_OPERATIONS_MAX: '8' };
  let replica: Replica = await startReplica({ env });
  // Only a start in good order, and an end like it, leaves no Postgres behind.
  cleanups.push(async () => {
    if (!replica.isRunning) replica = await startReplica({ env });
    await replica.stop();
  });
  const key = await installKey(replica.url, UNITS, INSTANCES);
  const acknowledged: Attempt[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const burst = fire(makeAttempts(80, INSTANCES), () => [replica]);
    await burst.decided(20);
    await replica.kill9();
    const before = grantedOf(burst.attempts);
    replica = await startReplica({ env });
    // Those who have heard nothing yet ask again under their IDs; those who have must be in already.
    for (const { id, instance } of before) {
      const held = await must(replica.url, 'GET', `/v1/logins/${id}?instance=${instance}`);
      expect(held).toMatchObject({ id, held: true });
    }
    await burst.done;
    expect(grantedOf(burst.attempts)).toHaveLength(80);
    acknowledged.push(...burst.attempts);
  }
  const { table } = await verifyPromise({
    databaseUrl: await embeddedUrl(folder),
    replicas: [replica],
    key,
    units: UNITS,
    acknowledged,
  });
  expect(table.loginCount).toBe(acknowledged.length);
}, 180_000);

test('a second process on the folder is refused while the first one runs', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lictor-scenario-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const env = { LICTOR_DATA_DIR: folder };
  const first = await startReplica({ env });
  cleanups.push(() => first.stop());
  await expect(startReplica({ env })).rejects.toThrow(/ended instead of serving.*(another|process)/is);
  expect((await call(first.url, 'GET', '/livez')).status).toBe(200);
}, 120_000);
