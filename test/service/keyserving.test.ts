/** Serving keys by LicenseID: a real directory, a real lane and journal, and leaders that come and go. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Activated } from '../../src/domain/events.ts';
import type { LicenseKey } from '../../src/domain/keys/keys.ts';
import { KeyDirectory } from '../../src/service/keydirectory.ts';
import { Keys } from '../../src/service/keys.ts';
import { KeyServing } from '../../src/service/keyserving.ts';
import { ServedKeys } from '../../src/service/servedkeys.ts';
import { signedKeyFile, TRUSTED } from '../support/keyfiles.ts';
import { closeShards, openShard, runOnce, type TestReplica, type TestShard } from '../support/lane.ts';
import { makeRegister } from '../support/make.ts';

const CHECK_MS = 300_000;
const NEVER_MS = 3_600_000;
const folders: string[] = [];

afterEach(async () => {
  await closeShards();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const FIRST = signedKeyFile({ OrderNumber: 11, LicenseID: 'CLINIC', AuthorizedUnits: 2 });
const SECOND = signedKeyFile({ OrderNumber: 12, LicenseID: 'CLINIC', AuthorizedUnits: 25 });

/** A replica with a directory, whose work is done one step at a time. */
class Server {
  readonly replica: TestReplica;
  readonly folder: string;
  readonly directory: KeyDirectory;
  readonly serving: KeyServing;
  readonly service: ServedKeys;
  readonly read: (text: string) => { readonly key: LicenseKey; readonly bytes: Buffer };

  constructor(shard: TestShard, replica: TestReplica, folder: string) {
    this.replica = replica;
    this.folder = folder;
    const { lane, clock, log: logger, leadership } = replica;
    const revoked = new Set<string>();
    const shared = { lane, clock, revoked, logger };
    const keys = new Keys({
      ...shared,
      sql: shard.sql,
      trusted: TRUSTED,
      allowUnverified: false,
      timeZone: 'UTC',
    });
    // Files count as written long ago, so that no look has to be waited for.
    const wallMs = () => Date.now() + NEVER_MS;
    this.directory = new KeyDirectory({ ...shared, path: folder, keys, wallMs });
    const { directory } = this;
    this.read = (text) => {
      const bytes = Buffer.from(text);
      return { key: keys.read(bytes, undefined), bytes };
    };
    this.serving = new KeyServing({
      ...{ ...shared, keys, leadership, directory },
      lookIntervalMs: NEVER_MS,
      checkIntervalMs: CHECK_MS,
    });
    this.service = new ServedKeys({ lane, clock, directory });
  }

  /** Replaces a file as a careful administrator does: at once. */
  async put(name: string, text: string): Promise<void> {
    const draft = path.join(this.folder, `${name}.draft`);
    await writeFile(draft, text);
    await rename(draft, path.join(this.folder, name));
  }

  /** Looks at the directory, and then goes through the instances where it is due. */
  async work(): Promise<void> {
    await runOnce(this.serving);
    await runOnce(this.serving);
  }

  register(name: string, incarnation: number | null = null) {
    return this.replica.ask(makeRegister({ name, key: null, licenseId: 'CLINIC', incarnation }));
  }

  keyOf(name: string): string | null | undefined {
    return this.replica.lane.table.instances.get(name)?.key;
  }
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lictor-serving-'));
  folders.push(folder);
  return folder;
}

async function openServer(shard: TestShard, folder?: string): Promise<Server> {
  return new Server(shard, await shard.open(), folder ?? (await makeFolder()));
}

async function openLeader(): Promise<{ shard: TestShard; leader: Server }> {
  const shard = await openShard();
  const leader = await openServer(shard);
  await leader.replica.lead();
  return { shard, leader };
}

async function activations(shard: TestShard) {
  const events = (await shard.journal()).flatMap((row) => row.events);
  return events
    .filter((event): event is Activated => event.type === 'activated')
    .map(({ activation: { instance, cause, from, to } }) => [instance, cause, from, to]);
}

describe('the leader', () => {
  test('installs and serves what lies in the directory, and gives it to who asks by its LicenseID', async () => {
    const { shard, leader } = await openLeader();
    await leader.register('a');
    expect(leader.keyOf('a')).toBeNull();
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    expect(leader.keyOf('a')).toBe(FIRST.id);
    expect(leader.replica.lane.table.keys.get(FIRST.id)).toMatchObject({ installedBy: 'lictor' });
    await leader.register('b');
    expect(leader.keyOf('b')).toBe(FIRST.id);
    const { version } = await shard.head();
    await leader.work();
    expect((await shard.head()).version).toBe(version);
  });

  test('gives a replaced file to everybody at once, and who is in notices nothing (F-22)', async () => {
    const { shard, leader } = await openLeader();
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    for (const name of ['a', 'b']) await leader.register(name);
    const { replica } = leader;
    const inside = [await replica.login('alice'), await replica.login('bob', { instance: 'b' })];
    await leader.put('clinic.key', SECOND.text);
    await leader.work();
    expect([leader.keyOf('a'), leader.keyOf('b')]).toEqual([SECOND.id, SECOND.id]);
    expect(await activations(shard)).toEqual([
      ['a', 'served', FIRST.id, SECOND.id],
      ['b', 'served', FIRST.id, SECOND.id],
    ]);
    expect((await replica.login('carol')).pool).toBe(SECOND.id);
    for (const login of inside) expect((await replica.logout(login)).is).toBe('released');
  });

  test('goes back to an earlier key when that is in the file again', async () => {
    const { leader } = await openLeader();
    for (const text of [FIRST.text, SECOND.text, FIRST.text]) {
      await leader.put('clinic.key', text);
      await leader.work();
    }
    await leader.register('a');
    expect(leader.keyOf('a')).toBe(FIRST.id);
  });

  test('leaves what was served by hand, until the file is written again', async () => {
    const { leader } = await openLeader();
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    await leader.put('clinic.key', SECOND.text);
    await leader.work();
    await leader.service.serve('CLINIC', FIRST.id, 'keeper');
    await leader.work();
    await leader.register('a');
    expect(leader.keyOf('a')).toBe(FIRST.id);
    expect(await leader.service.get('CLINIC')).toMatchObject({
      key: { id: FIRST.id },
      fileKey: SECOND.id,
      fault: null,
    });
    leader.replica.clock.aheadMs += 1_000;
    await leader.put('clinic.key', `${SECOND.text}\n`);
    await leader.work();
    expect(leader.keyOf('a')).toBe(SECOND.id);
  });

  test('does not bring back a key that was removed after another one was served by hand', async () => {
    const { shard, leader } = await openLeader();
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    const { key, bytes } = leader.read(SECOND.text);
    await leader.replica.ask({ op: 'install-key', key, file: bytes, actor: 'keeper' });
    await leader.service.serve('CLINIC', SECOND.id, 'keeper');
    await leader.replica.ask({ op: 'remove-key', id: FIRST.id, actor: 'keeper' });
    const { version } = await shard.head();
    await leader.work();
    expect((await shard.head()).version).toBe(version);
    await leader.register('a');
    expect(leader.keyOf('a')).toBe(SECOND.id);
    // Whoever writes the file again means it.
    leader.replica.clock.aheadMs += 1_000;
    await leader.put('clinic.key', `${FIRST.text}\n`);
    await leader.work();
    expect(leader.keyOf('a')).toBe(FIRST.id);
  });

  test('a file at fault keeps no other from being served, and is listed with what is wrong', async () => {
    const { leader } = await openLeader();
    await leader.put('broken.key', FIRST.text.replace('Example', 'Exhample'));
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    await leader.register('a');
    expect(leader.keyOf('a')).toBe(FIRST.id);
    const { items, directory } = await leader.service.list(() => true, { after: null, limit: 10 });
    expect(items).toMatchObject([
      { licenseId: null, file: 'broken.key', key: null, fault: { code: 'key-file-invalid' } },
      { licenseId: 'CLINIC', file: 'clinic.key', key: { id: FIRST.id }, instances: 1, fault: null },
    ]);
    expect(directory).toMatchObject({ files: 2, fault: null });
    const next = await leader.service.list(() => true, { after: ['', 'broken.key'], limit: 10 });
    expect(next.items.map(({ file }) => file)).toEqual(['clinic.key']);
  });

  test('a renewal is enforced as the key before it, so that instances that decide for themselves go on', async () => {
    const { leader } = await openLeader();
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    const change = { id: FIRST.id, changes: { enforcement: 'local' }, ifRevision: null } as const;
    await leader.replica.ask({ op: 'change-key', ...change, actor: 'tester' });
    await leader.put('clinic.key', SECOND.text);
    await leader.work();
    expect(leader.replica.lane.table.keys.get(SECOND.id)?.enforcement).toBe('local');
  });

  test('goes through the instances every few minutes as well: one that was silent then is given its key', async () => {
    const { leader } = await openLeader();
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    await leader.register('a');
    const { replica } = leader;
    const silent = { op: 'reap-instance', name: 'a', incarnation: 1 } as const;
    await replica.ask({ ...silent, observedMs: Number.MAX_SAFE_INTEGER, actor: 'lictor' });
    await leader.put('clinic.key', SECOND.text);
    await leader.work();
    expect(leader.keyOf('a')).toBe(FIRST.id);
    const update = { sequence: 0, since: 0, fullFrom: null, more: false, rows: [], digest: null };
    await replica.ask({ op: 'report', name: 'a', incarnation: 1, ...update, actor: 'a' });
    await leader.work();
    expect(leader.keyOf('a')).toBe(FIRST.id);
    replica.clock.pausedMs += CHECK_MS;
    await leader.work();
    expect(leader.keyOf('a')).toBe(SECOND.id);
  });

  test('says once what keeps an instance from the key that is served for it (F-7)', async () => {
    const { leader } = await openLeader();
    const late = signedKeyFile({ OrderNumber: 13, LicenseID: 'CLINIC', VersionFrom: '2099.1' });
    await leader.put('clinic.key', FIRST.text);
    await leader.work();
    await leader.replica.ask(makeRegister({ key: null, licenseId: 'CLINIC', version: '2024.1' }));
    await leader.put('clinic.key', late.text);
    await leader.work();
    leader.replica.clock.pausedMs += CHECK_MS;
    await leader.work();
    expect(leader.keyOf('a')).toBe(FIRST.id);
    expect(leader.replica.timesLogged('A served key cannot be used as it should be.')).toBe(1);
  });
});

describe('several replicas', () => {
  test('only the leader serves; the next one goes on, and a directory that lags behind takes nothing back', async () => {
    const { shard, leader } = await openLeader();
    const next = await openServer(shard);
    await leader.put('clinic.key', FIRST.text);
    await next.put('clinic.key', FIRST.text);
    await next.work();
    expect((await shard.head()).version).toBe(0);
    expect(next.directory.files).toMatchObject([{ name: 'clinic.key', key: { id: FIRST.id } }]);
    await leader.work();
    await leader.register('a');
    await leader.put('clinic.key', SECOND.text);
    await leader.work();
    await leader.replica.leadership.close();
    await next.replica.lead();
    await next.work();
    expect(next.keyOf('a')).toBe(SECOND.id);
    const { items } = await next.service.list(() => true, { after: null, limit: 10 });
    expect(items).toMatchObject([{ licenseId: 'CLINIC', key: { id: SECOND.id }, fileKey: FIRST.id }]);
    await next.put('clinic.key', SECOND.text);
    const { version } = await shard.head();
    await next.work();
    expect((await shard.head()).version).toBe(version);
  });
});
