/**
 * Legacy instances over UDP: the Python client of the examples, a network that loses, doubles and reorders, a
 * real sidecar and a real Lictor. What the server holds at the end is what the instances hold.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createClient } from '../../src/client/client.ts';
import { CLUSTER_TOKEN, type Replica, startReplica } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { until } from '../support/wait.ts';
import { LegacyInstance, SidecarProcess } from '../udp/processes.ts';
import { diceOf, openRelay, type Relay } from '../udp/relay.ts';

const NAMES = ['legacy-a', 'legacy-b', 'legacy-c', 'legacy-d'];
/** An instance of one key only. */
const NARROW = 'legacy-narrow';
const WAIT_MS = 30_000;
const REPLAYED_AT_ONCE = 50;
const LARGE_UNITS = 50_000;
const SMALL_UNITS = 10;
const BAD = { loss: 0.2, duplication: 0.2, delayMsMax: 60 };

let database: TestDatabase;
let replica: Replica;
let folder: string;
let secretsFile: string;
let token: string;
let sidecar: SidecarProcess;
const opened: { close(): Promise<unknown> }[] = [];

const secretOf = (name: string) => `secret-of-${name}-0123456789abcdef0123456789`;
const clientOf = () => createClient({ url: replica.url, token: CLUSTER_TOKEN });

/** Installs a key whose logins the instances decide. */
async function installLocalKey(order: number, units: number): Promise<string> {
  const { text } = signedKeyFile({ OrderNumber: order, AuthorizedUnits: units });
  const { id } = await clientOf().keys.install({ file: text });
  await clientOf().keys.change(id, { enforcement: 'local' }, '*');
  return id;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lictor-udp-'));
  secretsFile = path.join(folder, 'secrets');
  await writeFile(secretsFile, [...NAMES, NARROW].map((name) => `${name} ${secretOf(name)}\n`).join(''), {
    mode: 0o600,
  });
  database = await createTestDatabase();
  replica = await startReplica({
    databaseUrl: database.url,
    env: { LICTOR_LICENSE_SERVER_LEASE_MS: '6000' },
  });
  token = (await clientOf().tokens.create({ name: 'sidecars', role: 'operator' })).token;
  sidecar = await new SidecarProcess({ url: replica.url, secretsFile, token }).receives();
  await installLocalKey(1001, LARGE_UNITS);
  await installLocalKey(1002, SMALL_UNITS);
}, 120_000);

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
}, 120_000);

afterAll(async () => {
  await sidecar?.stop();
  await replica?.stop();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

async function relayed(faults = BAD, seed = 1): Promise<Relay> {
  const relay = await openRelay(sidecar.portOf('127.0.0.1'), faults, seed);
  opened.push(relay);
  return relay;
}

function legacy(name: string, servers: readonly string[], fields: object = {}): LegacyInstance {
  const instance = new LegacyInstance({
    name,
    folder,
    secret: secretOf(name),
    servers,
    order: '1001',
    ...fields,
  });
  opened.push({ close: () => instance.kill9() });
  return instance;
}

/** Who is where under a key, as the server tells it: `user@instance` and the connections there. */
async function distributedTable(order: number): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  let cursor: string | undefined;
  do {
    const page = await clientOf().usage.users({ limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    for (const { key, userId, instances } of page.items) {
      if (!key?.startsWith(`${order}-`)) continue;
      for (const { instance, connections } of instances) found.set(`${userId}@${instance}`, connections);
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}

/** The same by the instances themselves. */
async function truthOf(instances: readonly LegacyInstance[]): Promise<Map<string, number>> {
  const truth = new Map<string, number>();
  for (const instance of instances) {
    for (const [user, connections] of await instance.rows())
      truth.set(`${user}@${instance.name}`, connections);
  }
  return truth;
}

/** Waits until server and instances agree, and says where they do not. */
async function agree(instances: readonly LegacyInstance[], order = 1001): Promise<Map<string, number>> {
  for (const instance of instances) await instance.settles();
  const truth = await truthOf(instances);
  await until(
    async () => {
      expect(await distributedTable(order)).toEqual(truth);
      return true;
    },
    WAIT_MS,
    'the distributed table is what the instances hold',
  );
  return truth;
}

test('four legacy instances through a bad network, and a sidecar killed in the middle: the table is the truth', async () => {
  const relay = await relayed(BAD, 20_261_122);
  const instances = NAMES.map((name) => legacy(name, [`127.0.0.1:${relay.port}`]));
  for (const instance of instances) await instance.heard('welcome');
  const roll = diceOf(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(roll() * items.length)]!;
  const users = Array.from({ length: 40 }, (_, index) => `user-${index}`);
  const commands = ['login', 'login', 'login', 'web', 'logout', 'logoutweb'];
  for (let step = 0; step < 600; step += 1) {
    const command = pick(commands);
    // One of them opens so many connections that he transitions, and is on all instances.
    const [user, count] = step % 50 === 0 ? ['busy', 12] : [pick(users), 1 + Math.floor(roll() * 3)];
    await pick(instances).ask(`${command} ${user} ${count}`);
    if (step === 300) {
      const port = sidecar.portOf('127.0.0.1');
      await sidecar.kill9();
      sidecar = await new SidecarProcess({
        url: replica.url,
        secretsFile,
        token,
        port,
        env: { LICTOR_UDP_HOSTS: '127.0.0.1' },
      }).receives();
    }
  }
  const truth = await agree(instances);
  expect(truth.size).toBeGreaterThan(20);
  expect(relay.counts.lost).toBeGreaterThan(10);
  expect(relay.counts.doubled).toBeGreaterThan(10);
  // Everything that was ever sent, once more and from another address: nothing changes.
  for (const instance of instances) instance.child.kill('SIGSTOP');
  await replay(relay.recorded);
  expect(await distributedTable(1001)).toEqual(truth);
  for (const instance of instances) instance.child.kill('SIGCONT');
  for (const instance of instances) await instance.quit();
  await until(async () => (await distributedTable(1001)).size === 0, WAIT_MS, 'what was held is given back');
  await replay(relay.recorded);
  expect(await distributedTable(1001)).toEqual(new Map());
}, 240_000);

/** Sends datagrams and waits until the sidecar has dropped or answered every one. */
async function replay(recorded: readonly Buffer[]): Promise<void> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let received = 0;
  let sent = 0;
  socket.on('message', ({ length }) => {
    received += length;
  });
  const before = await handled();
  for (const [index, datagram] of recorded.entries()) {
    sent += datagram.length;
    await new Promise((resolve) => socket.send(datagram, sidecar.portOf('127.0.0.1'), '127.0.0.1', resolve));
    if (index % REPLAYED_AT_ONCE > 0 && index < recorded.length - 1) continue;
    await until(
      async () => (await handled()) > before + index,
      WAIT_MS,
      'the sidecar has seen every datagram',
    );
  }
  expect(received).toBeLessThanOrEqual(sent);
  socket.close();
}

/** How many datagrams the sidecar has dropped or answered so far. */
async function handled(): Promise<number> {
  const text = await (await fetch(`${sidecar.healthUrl}/metrics`)).text();
  const counts = text.matchAll(/^lictor_udp_(?:dropped|answers)_total\{[^}]*\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

test('a full report of 10,000 users comes through a bad network', async () => {
  const relay = await relayed({ loss: 0.1, duplication: 0.1, delayMsMax: 20 }, 3);
  const instance = legacy('legacy-a', [`127.0.0.1:${relay.port}`]);
  await instance.heard('welcome');
  await instance.settles();
  expect(await instance.ask('fill a-user-with-a-longer-name 10000')).toMatchObject({ granted: 10_000 });
  await instance.heard('changed');
  const truth = await agree([instance]);
  expect(truth.size).toBe(10_000);
  await instance.quit();
}, 240_000);

test('F-52 to F-54: two instances on ten units take 8 + 8, both get NAK, refuse new users, and ACK below the limit', async () => {
  const server = `127.0.0.1:${sidecar.portOf('127.0.0.1')}`;
  const slow = { order: '1002', intervalSeconds: 1 };
  const [a, b] = [legacy('legacy-a', [server], slow), legacy('legacy-b', [server], slow)];
  for (const instance of [a, b]) {
    await instance.heard('welcome');
    await instance.settles();
  }
  expect(await a.ask('fill a 8')).toMatchObject({ granted: 8 });
  expect(await b.ask('fill b 8')).toMatchObject({ granted: 8 });
  expect(await a.heard('nak')).toMatchObject({ reason: 'over-limit' });
  expect(await b.heard('nak')).toMatchObject({ limit: 10 });
  expect(await a.ask('login newcomer')).toMatchObject({ granted: 0, refused: ['over-limit'] });
  expect(await a.ask('login a-0')).toMatchObject({ granted: 1 });
  for (let user = 0; user < 6; user += 1) await b.ask(`logout b-${user}`);
  await agree([a, b], 1002);
  // At the limit, not below it: still no new users.
  expect(await b.ask('login newcomer')).toMatchObject({ granted: 0, refused: ['over-limit'] });
  const from = [a.lines.length, b.lines.length];
  await b.ask('logout b-6');
  await a.heard('ack', from[0]);
  await b.heard('ack', from[1]);
  expect(await b.ask('login newcomer')).toMatchObject({ granted: 1 });
  await agree([a, b], 1002);
  await a.quit();
  await b.quit();
}, 240_000);

test('F-13: while Lictor is away instances go on alone, and one exchange puts everything right', async () => {
  const server = `127.0.0.1:${sidecar.portOf('127.0.0.1')}`;
  const instance = legacy('legacy-c', [server], { intervalSeconds: 0.5 });
  await instance.heard('welcome');
  await instance.ask('login alice 2');
  await agree([instance]);
  const from = instance.lines.length;
  replica.signal('SIGSTOP');
  try {
    await instance.heard('offline', from);
    expect(await instance.ask('login bob')).toMatchObject({ granted: 1 });
    expect(await instance.ask('logout alice')).toMatchObject({ gone: 1 });
  } finally {
    replica.signal('SIGCONT');
  }
  await instance.heard('online', from);
  expect(await agree([instance])).toEqual(
    new Map([
      ['alice@legacy-c', 1],
      ['bob@legacy-c', 1],
    ]),
  );
  await instance.quit();
}, 240_000);

test('queries: counts and the active server in one datagram, dumps in parts and over TCP (F-16, F-62)', async () => {
  const server = `127.0.0.1:${sidecar.portOf('127.0.0.1')}`;
  const instance = legacy('legacy-d', [server]);
  await instance.heard('welcome');
  await instance.ask('fill somebody 300');
  await agree([instance]);
  const active = await instance.ask('ask server', 'report');
  expect(active.text).toContain(`\t127.0.0.1\t${sidecar.portOf('127.0.0.1')}\tactive\n`);
  expect((await instance.ask('ask counts', 'report')).text).toMatch(/^1001-\w+\t50000\t50000\t300\t/m);
  const inParts = await instance.ask('ask key', 'report');
  expect(inParts.parts).toBeGreaterThan(5);
  const overTcp = await instance.ask('ask key tcp', 'report');
  expect(overTcp.what).toBe('tcp');
  expect(overTcp.text).toBe(inParts.text);
  expect((await instance.ask('ask keys', 'refused-by-server')).code).toBe('forbidden');
  await instance.quit();
}, 240_000);

test('an instance is told which key it has not got, and one that is centrally enforced', async () => {
  const server = `127.0.0.1:${sidecar.portOf('127.0.0.1')}`;
  const stranger = legacy('legacy-a', [server], { order: '9999' });
  expect(await stranger.heard('invalid')).toMatchObject({ code: 'key-not-found' });
  const { text } = signedKeyFile({ OrderNumber: 1003 });
  await clientOf().keys.install({ file: text });
  const central = legacy('legacy-b', [server], { order: '1003' });
  expect(await central.heard('invalid')).toMatchObject({ code: 'key-unusable' });
  // By the hash of its file the key is found as well.
  const file = path.join(folder, 'lictor.key');
  await writeFile(file, signedKeyFile({ OrderNumber: 1002, AuthorizedUnits: SMALL_UNITS }).text);
  const byFile = legacy('legacy-d', [server], { order: undefined, args: ['--key-file', file] });
  expect(await byFile.heard('welcome')).toMatchObject({ limit: SMALL_UNITS });
}, 120_000);

test('a key that is switched from local is told as not good; switched back, the table is right after one exchange', async () => {
  const id = await installLocalKey(1004, SMALL_UNITS);
  const server = `127.0.0.1:${sidecar.portOf('127.0.0.1')}`;
  const instance = legacy('legacy-c', [server], { order: '1004' });
  await instance.heard('welcome');
  await instance.settles();
  // Lictor permits it while nobody is in.
  await clientOf().keys.change(id, { enforcement: 'central' }, '*');
  await instance.ask('login alice 2');
  expect(await instance.heard('invalid')).toMatchObject({ code: 'key-unusable' });
  // It goes on with one user, and asks again only after a while.
  expect(await instance.ask('login bob')).toMatchObject({ granted: 0 });
  await clientOf().keys.change(id, { enforcement: 'local' }, '*');
  instance.tell('report');
  expect(await agree([instance], 1004)).toEqual(new Map([['alice@legacy-c', 2]]));
  await instance.quit();
}, 120_000);

test('an operator who may touch one key only: its instances are served, and of others nothing is known', async () => {
  const { items } = await clientOf().keys.list({ limit: 50 });
  const keys = items.filter(({ orderNumber }) => orderNumber === '1001').map(({ id }) => id);
  const narrow = (await clientOf().tokens.create({ name: 'narrow', role: 'operator', keys })).token;
  const server = await served({ token: narrow });
  const instance = legacy(NARROW, [server], { order: '1001' });
  await instance.heard('welcome');
  await instance.ask('login alice');
  await agree([instance]);
  expect((await instance.ask('ask counts', 'report')).text).toMatch(/^1001-/m);
  await instance.quit();
  expect(await legacy(NARROW, [server], { order: '1002' }).heard('invalid')).toMatchObject({
    code: 'key-not-found',
  });
}, 120_000);

test('a token that is not good is told at the start, and never repeated', async () => {
  const bad = 'lictor_not-a-token-that-anybody-has';
  const process = new SidecarProcess({ url: replica.url, secretsFile, token: bad });
  opened.push({ close: () => process.stop() });
  const told = await until(
    () => process.lines.find(({ level }) => Number(level) >= 40),
    WAIT_MS,
    'the sidecar complains',
  );
  expect(told.msg).toContain('mend its token');
  expect(JSON.stringify(process.lines) + process.stderr).not.toContain(bad);
}, 120_000);

/** Starts another sidecar. @returns where it receives. */
async function served({ token }: { readonly token: string }): Promise<string> {
  const env = { LICTOR_UDP_HOSTS: '127.0.0.1' };
  const process = new SidecarProcess({ url: replica.url, secretsFile, token, env });
  opened.push({ close: () => process.stop() });
  return `127.0.0.1:${(await process.receives()).portOf('127.0.0.1')}`;
}

test('a secret that is added is taken without a restart; a file that others can read is not', async () => {
  const server = `127.0.0.1:${sidecar.portOf('127.0.0.1')}`;
  const names = [...NAMES, 'legacy-new'];
  await writeFile(secretsFile, names.map((name) => `${name} ${secretOf(name)}\n`).join(''));
  const instance = legacy('legacy-new', [server]);
  await instance.heard('welcome');
  await instance.quit();
  const open = path.join(folder, 'open-secrets');
  await writeFile(open, `legacy-a ${secretOf('legacy-a')}\n`, { mode: 0o644 });
  const refused = new SidecarProcess({ url: replica.url, secretsFile: open, token });
  expect(await refused.exited).toBe(1);
  expect(refused.stderr).toContain('mode 0644');
}, 120_000);

test('F-12, F-82: of two licence servers one is active, the other names it, and takes over when it is killed', async () => {
  const ports = [await freeUdpPort(), await freeUdpPort()];
  const servers = ['FIRST', 'SECOND'].map((name, index) => ({ name, port: ports[index]! }));
  for (const { name, port } of servers) {
    await clientOf().request({
      method: 'PUT',
      path: `/v1/license-servers/${name}`,
      body: { address: '127.0.0.1', port },
    });
  }
  const [first, second] = await Promise.all(servers.map(startServer));
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const standby = await until(
    async () => {
      const roles = await Promise.all([first!, second!].map(roleOf));
      expect([...roles].sort()).toEqual(['active', 'standby']);
      return roles[0] === 'standby' ? 0 : 1;
    },
    WAIT_MS,
    'one is active and the other stands by',
  );
  // It asks the standby first, which names the active one.
  const instance = legacy('legacy-a', [addresses[standby]!, addresses[1 - standby]!], {
    intervalSeconds: 0.5,
  });
  expect(await instance.heard('redirect')).toMatchObject({ name: servers[1 - standby]!.name });
  await instance.heard('welcome');
  await instance.ask('login alice');
  await agree([instance]);
  const from = instance.lines.length;
  await [first!, second!][1 - standby]!.kill9();
  await instance.ask('login bob');
  expect(await instance.heard('online', from)).toMatchObject({ server: addresses[standby] });
  expect(await agree([instance])).toEqual(
    new Map([
      ['alice@legacy-a', 1],
      ['bob@legacy-a', 1],
    ]),
  );
  expect((await instance.ask('ask server', 'report')).text).toContain(`\t${ports[standby]}\tactive\n`);
  await instance.quit();
}, 240_000);

async function startServer({ name, port }: { name: string; port: number }): Promise<SidecarProcess> {
  const env = { LICTOR_UDP_HOSTS: '127.0.0.1' };
  const args = ['--server', name];
  const server = new SidecarProcess({ url: replica.url, secretsFile, token, port, env, args });
  opened.push({ close: () => server.kill9() });
  return server.receives();
}

async function roleOf(server: SidecarProcess): Promise<string> {
  return ((await (await fetch(`${server.healthUrl}/readyz`)).json()) as { role: string }).role;
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

test('IPv6, and nothing beyond the loopback unless told', async () => {
  const found = new LegacyInstance({
    name: 'legacy-b',
    folder,
    secret: secretOf('legacy-b'),
    servers: [`[::1]:${(await both()).portOf('::1')}`],
    order: '1001',
  });
  opened.push({ close: () => found.kill9() });
  await found.heard('welcome');
  await found.ask('fill somebody 200');
  await agree([found]);
  expect((await found.ask('ask key tcp', 'report')).what).toBe('tcp');
  await found.quit();
}, 120_000);

/** A sidecar as it is without any setting of addresses. */
async function both(): Promise<SidecarProcess> {
  const server = new SidecarProcess({ url: replica.url, secretsFile, token });
  opened.push({ close: () => server.stop() });
  await server.receives();
  const told = server.lines.find(({ msg }) => msg === 'The UDP sidecar receives.');
  expect((told!.bound as { address: string }[]).map(({ address }) => address)).toEqual(['127.0.0.1', '::1']);
  return server;
}
