import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Answer } from '../../src/domain/operations.ts';
import { loginMember } from '../../src/service/heartbeats.ts';
import { type Caller, type LoginRequest, Logins } from '../../src/service/logins.ts';
import { closeShards, openShard, PATIENCE_MS, type ReplicaFields, runOnce, SHARD } from '../support/lane.ts';
import { granted, makeRegister } from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const CALLER: Caller = {
  actor: 'tester',
  peerAddress: '198.51.100.1',
  forwardedFor: undefined,
  span: undefined,
};

async function open(fields: ReplicaFields = {}) {
  const shard = await openShard();
  const replica = await shard.openWithKey({ units: 50 }, fields);
  const { lane, heartbeats } = replica;
  const logins = new Logins({ lane, heartbeats, sql: shard.sql, shard: SHARD });
  const logIn = (request: Partial<LoginRequest> = {}, caller: Partial<Caller> = {}): Promise<Answer> =>
    logins.logIn({ instance: 'a', ...request }, { ...CALLER, ...caller });
  const userOf = async (request: Partial<LoginRequest>, caller: Partial<Caller> = {}) =>
    granted(await logIn(request, caller)).userId;
  return { shard, replica, logins, logIn, userOf };
}

describe('who a user is', () => {
  test('F-40: automatic by default, by the address; explicit when a user is named', async () => {
    const { userOf } = await open();
    expect(await userOf({})).toBe('198.51.100.1');
    expect(await userOf({ clientAddress: '192.0.2.7' })).toBe('192.0.2.7');
    expect(await userOf({ user: 'alice', clientAddress: '192.0.2.7' })).toBe('alice');
  });

  test('F-35: named users behind one address are several, and one at several addresses is one', async () => {
    const { replica, userOf } = await open();
    for (const user of ['alice', 'bob']) await userOf({ user, clientAddress: '192.0.2.1' });
    await userOf({ user: 'alice', clientAddress: '192.0.2.2' });
    const pool = await replica.lane.read((table) => table.pools.get('key-1')!);
    expect([pool.units, pool.connections]).toEqual([2, 3]);
    // By their address the first two would have been one, and the third another.
    expect([...pool.users.readAll()].map(({ id }) => id)).toEqual(['alice', 'bob']);
  });

  test('F-41: one address is one user, however it is written', async () => {
    const { userOf } = await open();
    const written = ['2001:DB8:0:0::1', '2001:db8::1', '::ffff:192.0.2.1', '192.0.2.1'];
    const ids = [];
    for (const clientAddress of written) ids.push(await userOf({ clientAddress }));
    expect(ids).toEqual(['2001:db8::1', '2001:db8::1', '192.0.2.1', '192.0.2.1']);
  });

  test('F-41: what a proxy tells is believed only of a proxy that the instance trusts', async () => {
    const { replica, userOf } = await open();
    const behind = { peerAddress: '10.0.0.1', forwardedFor: '203.0.113.9, 192.0.2.5, 10.0.0.2' };
    expect(await userOf({}, behind)).toBe('10.0.0.1');
    const settings = { trustedProxies: ['10.0.0.0/8', 'fd00::/8'] };
    await replica.ask({ op: 'configure', name: 'a', settings, ifRevision: null, actor: 'tester' });
    // The first hop from the right that is no proxy; what it says of itself may be made up.
    expect(await userOf({}, behind)).toBe('192.0.2.5');
    expect(await userOf({}, { ...behind, peerAddress: '192.0.2.66' })).toBe('192.0.2.66');
    expect(await userOf({}, { ...behind, forwardedFor: 'nonsense' })).toBe('10.0.0.1');
  });

  test.each([
    { user: 'a\0b' },
    { user: '\ud800' },
    { webSession: 'half \udc00 of a pair' },
    { terminal: { server: 'ts\0', port: '1' } },
    { username: 'x\0' },
  ])('R-9: what Postgres could not give back as it came is no user ID: %j', async (request) => {
    const { shard, replica, logIn } = await open();
    await expect((async () => logIn(request))()).rejects.toMatchObject({
      code: 'user-id-illegal',
      status: 422,
    });
    // What can be written at all comes back as it went in.
    const strange = 'tab\tline\nback\\slash \\N \u{1F600}';
    granted(await logIn({ user: strange }));
    await replica.lead();
    await runOnce(replica.fold);
    const folded = await shard.folded();
    expect([...folded.pools.get('key-1')!.users.readAll()].map(({ id }) => id)).toEqual([strange]);
    expect(snapshotOf(folded)).toEqual(snapshotOf(replica.lane.table));
  });

  test('R-9: nor can an identification name one', async () => {
    const { logins, logIn } = await open();
    const { id } = granted(await logIn({ user: 'alice' }));
    const identify = async () => logins.identify('a', id, 'b\0', undefined, CALLER);
    await expect(identify()).rejects.toMatchObject({ code: 'user-id-illegal' });
  });
});

describe('the ID of a login', () => {
  const full: LoginRequest = {
    instance: 'a',
    id: randomUUID(),
    user: 'alice',
    username: 'alice.k',
    clientAddress: '192.0.2.7',
    terminal: { server: 'ts1', port: 'p3' },
    process: { pid: 4711, kind: 'user' },
    leaseSeconds: 60,
  };

  test('R-7: with the same body gives the same answer', async () => {
    const { logins } = await open();
    const first = await logins.logIn(full, CALLER);
    const again = await logins.logIn(structuredClone(full), { ...CALLER, peerAddress: '192.0.2.99' });
    expect([first, again].map((answer) => answer.is === 'granted' && answer.repeated)).toEqual([false, true]);
    expect(granted(again)).toEqual(granted(first));
  });

  test.each<[string, Partial<LoginRequest>]>([
    ['user', { user: 'bob' }],
    ['username', { username: 'bob' }],
    ['clientAddress', { clientAddress: '192.0.2.8' }],
    ['no clientAddress', { clientAddress: undefined }],
    ['terminal', { terminal: { server: 'ts1', port: 'p4' } }],
    ['process.pid', { process: { pid: 4712, kind: 'user' } }],
    ['process.kind', { process: { pid: 4711 } }],
    ['leaseSeconds', { leaseSeconds: 61 }],
    ['webSession', { webSession: 's' }],
    ['sessionless', { sessionless: true }],
    ['emergency', { emergency: true }],
    ['parent', { parent: randomUUID() }],
  ])('R-7: with another %s is refused', async (_member, change) => {
    const { logins } = await open();
    await logins.logIn(full, CALLER);
    const answer = await logins.logIn({ ...full, ...change }, CALLER);
    expect(answer).toMatchObject({ is: 'problem', code: 'id-reused' });
  });

  test('R-3: that the server made, and whose answer never went out, is taken back; the client’s is kept', async () => {
    const { shard, replica, logIn } = await open();
    const id = randomUUID();
    const lock = await shard.holdHead();
    const asking = Promise.allSettled([logIn({ user: 'nameless' }), logIn({ user: 'named', id })]);
    await shard.blocked(replica);
    replica.outwait();
    const asked = await asking;
    expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await lock.release();
    const events = async () => (await shard.journal()).flatMap((row) => row.events);
    await until(
      async () => (await events()).some(({ type }) => type === 'released'),
      PATIENCE_MS,
      'taken back',
    );
    const table = await shard.replayed();
    expect([...table.places.get('a')!.logins.values()].map(({ id }) => id)).toEqual([id]);
    expect(await logIn({ user: 'named', id })).toMatchObject({ is: 'granted', repeated: true });
  });

  test('is found on the instance that holds it, before those that only remember it', async () => {
    const { replica, logins } = await open();
    const id = randomUUID();
    const anywhere = () => true;
    expect(await logins.locate(id, anywhere)).toBeNull();
    await replica.login('alice', { id, instance: 'a' });
    await replica.logout({ instance: 'a', id });
    expect(await logins.locate(id, anywhere)).toBe('a');
    await replica.login('alice', { id, instance: 'b' });
    expect(await logins.locate(id, anywhere)).toBe('b');
    expect(await logins.locate(id, (instance) => instance === 'a')).toBe('a');
    await replica.ask(makeRegister({ name: 'c' }));
    await replica.login('alice', { id, instance: 'c' });
    await expect(logins.locate(id, anywhere)).rejects.toMatchObject({ code: 'login-ambiguous' });
  });
});

describe('logging out', () => {
  test('R-11: a heartbeat that comes after the answer does not meet the old deadline', async () => {
    const { shard, logins, logIn } = await open();
    const { id } = granted(await logIn({ user: 'alice', leaseSeconds: 60 }));
    await until(() => shard.store.deadlines.has(loginMember('a', id)), PATIENCE_MS, 'its deadline is known');
    const first = await logins.logOut('a', id, false, CALLER);
    expect(first).toMatchObject({ is: 'released', login: { id } });
    expect(shard.store.deadlines.has(loginMember('a', id))).toBe(false);
    expect(await logins.heartbeat('a', id, CALLER)).toMatchObject({ code: 'login-lost' });
    expect(await logins.logOut('a', id, false, CALLER)).toMatchObject({ is: 'released', login: null });
  });
});

describe('reading', () => {
  test('R-15: one login is read as it is now, also when it has gone', async () => {
    const { logins, logIn } = await open();
    const { id } = granted(await logIn({ user: 'alice' }));
    await logIn({ user: 'alice' });
    expect(await logins.read('a', id)).toMatchObject({ id, held: true, reason: null, userConnections: 2 });
    await logins.logOut('a', id, false, CALLER);
    expect(await logins.read('a', id)).toMatchObject({ held: false, reason: 'logout', userConnections: 0 });
    expect(await logins.read('b', id)).toBeNull();
  });

  test('R-15: a list comes from the fold and says as of when; R-16: explaining changes nothing', async () => {
    const { shard, replica, logins, logIn } = await open();
    const views = [];
    for (const user of ['alice', 'bob', 'carol']) {
      views.push(granted(await logIn({ user, instance: user === 'bob' ? 'b' : 'a', leaseSeconds: 60 })));
    }
    const everything = { instances: null, pools: null, user: null };
    expect((await logins.list(everything, null, 10)).logins).toEqual([]);
    await replica.lead();
    await runOnce(replica.fold);
    const version = await shard.foldVersion();
    const page = await logins.list(everything, null, 2);
    expect([page.version, page.asOfMs]).toEqual([version, replica.lane.table.atMs]);
    const next = await logins.list(everything, page.logins.at(-1)!, 2);
    const listed = [...page.logins, ...next.logins];
    expect(listed.map(({ userId }) => userId).sort()).toEqual(['alice', 'bob', 'carol']);
    expect(listed.map(({ instance }) => instance)).toEqual(['a', 'a', 'b']);
    expect((await logins.list({ ...everything, user: 'bob' }, null, 9)).logins).toMatchObject([
      { instance: 'b', id: views[1]!.id, pool: 'key-1', kind: 'user', leaseSeconds: 60, processId: null },
    ]);
    expect((await logins.list({ ...everything, instances: ['b'] }, null, 9)).logins).toHaveLength(1);
    expect((await logins.list({ ...everything, pools: [] }, null, 9)).logins).toEqual([]);
    const head = await shard.head();
    expect(granted(await logins.explain({ instance: 'a', user: 'dora' }, CALLER)).userId).toBe('dora');
    expect(await shard.head()).toEqual(head);
  });

  test('a login is one thing only', async () => {
    const { logIn } = await open();
    const both = async () => logIn({ sessionless: true, webSession: 's' });
    await expect(both()).rejects.toMatchObject({ code: 'malformed-request', status: 400 });
    const process = async () => logIn({ emergency: true, process: { kind: 'batch', pid: 1 } });
    await expect(process()).rejects.toThrow('emergency and batch');
  });
});
