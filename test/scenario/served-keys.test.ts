/**
 * A directory of keys as Kubernetes mounts it, in front of two replicas. Its files are replaced while users are in
 * on instances of every enforcement, and the leader is killed in between: everybody works under the new keys, and
 * nobody inside has noticed.
 */
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { type Client, createClient, type InstanceLogin, LicenseInstance } from '../../src/client/index.ts';
import { CLUSTER_TOKEN, leaderOf, startReplica } from '../support/cluster.ts';
import { createTestDatabase } from '../support/database.ts';
import { loggedIn, refusedBy } from '../support/instances.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { startRedis } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const ENFORCEMENTS = ['central', 'local', 'leased'] as const;
const UNITS = 3;
const WAIT_MS = 30_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 120_000);

/** A secret as a volume: the files are links into a folder that is turned to another one at once. */
class Mount {
  readonly folder: string;
  #turns = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  async turn(files: Readonly<Record<string, string>>): Promise<void> {
    this.#turns += 1;
    const at = (...names: string[]) => path.join(this.folder, ...names);
    const version = `..version_${this.#turns}`;
    await mkdir(at(version));
    for (const [name, text] of Object.entries(files)) await writeFile(at(version, name), text);
    await symlink(version, at('..data_tmp'));
    await rename(at('..data_tmp'), at('..data'));
    if (this.#turns > 1) return;
    for (const name of Object.keys(files)) await symlink(`..data/${name}`, at(name));
  }
}

/** The key files of a delivery: one for each enforcement. */
function deliver(order: number, units: number) {
  return ENFORCEMENTS.map((enforcement, index) => {
    const licenseId = `clinic-${enforcement}`;
    const fields = { LicenseID: licenseId, OrderNumber: order + index, AuthorizedUnits: units };
    return { licenseId, ...signedKeyFile(fields) };
  });
}

const filesOf = (delivered: ReturnType<typeof deliver>) =>
  Object.fromEntries(delivered.map(({ licenseId, text }) => [`${licenseId}.key`, text]));

async function servedKeys(client: Client): Promise<string[]> {
  return (await client.servedKeys.list()).items.map(({ key = '' }) => key).sort();
}

/** An instance that is full of users, and what it was told. */
async function openFull(client: Client, licenseId: string) {
  const instance = await LicenseInstance.open({ client, name: licenseId, licenseId });
  cleanups.push(() => instance.close());
  const lost: unknown[] = [];
  instance.on('lost', (...told) => void lost.push(told));
  const logins: InstanceLogin[] = [];
  for (let user = 1; user <= UNITS; user += 1) {
    logins.push(loggedIn(await instance.login({ user: `${licenseId}-${user}` })));
  }
  await instance.report();
  refusedBy(await instance.login({ user: `${licenseId}-late` }));
  return { instance, logins, lost };
}

test('replaced key files upgrade running instances, through the death of the leader, and nobody inside notices', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lictor-mount-'));
  cleanups.push(() => rm(folder, { recursive: true }));
  const mount = new Mount(folder);
  const [first, second] = [deliver(7_100, UNITS), deliver(7_200, 25)];
  await mount.turn(filesOf(first));
  const database = await createTestDatabase();
  cleanups.push(() => database.drop());
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  const env = {
    LICTOR_KEY_DIRECTORY: folder,
    LICTOR_KEY_DIRECTORY_POLL_SECONDS: '1',
    LICTOR_UPDATE_INTERVAL_SECONDS: '1',
    LICTOR_LEADER_LEASE_MS: '4000',
    LICTOR_LEADER_RENEW_MS: '500',
  };
  const options = { databaseUrl: database.url, redisUrl: redis.url, env };
  const replicas = [await startReplica(options), await startReplica(options)];
  cleanups.push(() => Promise.all(replicas.map((replica) => replica.stop())));
  const client = createClient({ url: replicas.map(({ url }) => url), token: CLUSTER_TOKEN });
  cleanups.push(async () => client.close());
  const ids = (delivered: ReturnType<typeof deliver>) => delivered.map(({ id }) => id);
  await until(
    async () => (await servedKeys(client)).join() === ids(first).sort().join(),
    WAIT_MS,
    'they are served',
  );
  for (const [index, enforcement] of ENFORCEMENTS.entries()) {
    if (enforcement !== 'central') await client.keys.change(first[index]!.id, { enforcement }, '*');
  }
  const full = [];
  for (const { licenseId } of first) full.push(await openFull(client, licenseId));

  await (await leaderOf(replicas)).kill9();
  await mount.turn(filesOf(second));

  for (const [index, { instance, logins, lost }] of full.entries()) {
    const { id } = second[index]!;
    await until(() => instance.terms.key === id, WAIT_MS, `${instance.name} works under the new key`);
    expect(instance.terms).toMatchObject({ limit: 25, enforcement: ENFORCEMENTS[index], fault: null });
    expect([lost, logins.every(({ isHeld }) => isHeld)]).toEqual([[], true]);
    loggedIn(await instance.login({ user: `${instance.name}-late` }));
    for (const login of logins) expect(await instance.logout(login)).toBe(true);
    const { items } = await client.instances.activations(instance.name);
    expect(items[0]).toMatchObject({ cause: 'served', to: id, outcome: 'active', by: 'lictor' });
  }
  // Who came late is in under the new keys, and whoever was in before has left nothing behind.
  const unitsOf = async (delivered: ReturnType<typeof deliver>) => {
    const { items } = await client.usage.counts();
    return ids(delivered).map((id) => items.find(({ key }) => key === id)?.unitsInUse ?? 0);
  };
  await until(async () => (await unitsOf(first)).join() === '0,0,0', WAIT_MS, 'the old keys are free');
  for (const { instance } of full) await instance.report();
  const [central, local, leased] = await unitsOf(second);
  expect([central, local]).toEqual([1, 1]);
  expect(leased).toBeGreaterThanOrEqual(1);
}, 240_000);
