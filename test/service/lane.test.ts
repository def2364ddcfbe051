import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import postgres from 'postgres';
import type { LicenseError } from '../../src/domain/errors.ts';
import type { Granted, Refused } from '../../src/domain/events.ts';
import { appendRow } from '../../src/storage/journal.ts';
import { testServerUrl } from '../support/database.ts';
import {
  away,
  closeShards,
  NEVER_MS,
  openShard,
  PATIENCE_MS,
  SHARD,
  type TestReplica,
} from '../support/lane.ts';
import { granted, makeKey, makeLogin, makeRegister, refused } from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

/** A replica that learns of others only by what its own statements tell it. */
const QUIET = { coordinated: false, lane: { headPollMs: NEVER_MS } } as const;

/** The error of a promise that must fail with one of the catalogue. */
async function failure(promise: Promise<unknown>): Promise<LicenseError> {
  return promise.then(
    () => {
      throw new Error('It should have failed.');
    },
    (error: LicenseError) => error,
  );
}

/** Asks for many logins in the same moment. */
function loginsAtOnce(replica: TestReplica, count: number, instance = 'a') {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      replica.ask(
        makeLogin({ id: randomUUID(), instance, claims: { user: `${replica.name} user ${index}` } }),
      ),
    ),
  );
}

describe('the head', () => {
  test('R-1: the same version with another batch ID is another history, which is read anew', async () => {
    const shard = await openShard();
    // Nobody tells it of the restore, so that its own append must find out.
    const replica = await shard.openWithKey({ units: 3 }, QUIET);
    await replica.login('stays');
    const restore = await shard.keep();
    const lost = await replica.login('lost');
    const { version } = await shard.head();
    await restore();
    // Somebody else goes on from the backup, and takes the unit under the very version that is lost.
    const other = await shard.open({ coordinated: false });
    const taken = await other.login('taken');
    expect(await shard.head()).toMatchObject({ version });
    const after = await replica.login('after');
    expect(after.decision).toBe(`0:${version + 1}:0`);
    expect(replica.held(lost.id)).toBeUndefined();
    expect(replica.held(taken.id)).toBeDefined();
    expect(refused(await replica.ask(makeLogin({ id: randomUUID(), claims: { user: 'more' } }))).inUse).toBe(
      3,
    );
    expect(snapshotOf(await replica.lane.read((table) => table))).toEqual(snapshotOf(await shard.replayed()));
    expect(replica.timesLogged('The journal has another history; loading anew.')).toBe(1);
  });

  test('R-1: a replica that only looks at the head notices a restore too', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const restore = await shard.keep();
    const lost = await replica.login('lost');
    await restore();
    await until(() => replica.held(lost.id) === undefined, PATIENCE_MS, 'the lost login is forgotten');
    // The login is away as soon as the fold is loaded; a read waits until the copy has followed to the head.
    const version = await replica.lane.read((table) => table.version);
    expect(version).toBe((await shard.head()).version);
  });

  test('R-13: two replicas that hear nothing of each other grant every unit once', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey(
      { units: 40 },
      { coordinated: false, lane: { batchOperationsMax: 4 } },
    );
    const other = await shard.open({ coordinated: false, lane: { batchOperationsMax: 4 } });
    const answers = (await Promise.all([loginsAtOnce(one, 60, 'a'), loginsAtOnce(other, 60, 'b')])).flat();
    expect(answers.filter((answer) => answer.is === 'granted')).toHaveLength(40);
    expect(answers.filter((answer) => answer.is === 'refused')).toHaveLength(80);
    const table = await shard.replayed();
    expect(table.pools.get('key-1')!.units).toBe(40);
    const [a, b] = await Promise.all(
      [one, other].map((replica) => replica.lane.read((copy) => snapshotOf(copy))),
    );
    expect(a).toEqual(snapshotOf(table));
    expect(b).toEqual(snapshotOf(table));
  });

  test('R-13: a replica without its store of coordination decides alone, by the append', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey({ units: 10 }, { intercept: away });
    const other = await shard.open({ intercept: away });
    const answers = (await Promise.all([loginsAtOnce(one, 20), loginsAtOnce(other, 20)])).flat();
    expect(answers.filter((answer) => answer.is === 'granted')).toHaveLength(10);
  });
});

describe('refusals', () => {
  test('R-5: a thousand at once are a few events with all of them counted', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 1 });
    await replica.login('first');
    const before = (await shard.head()).version;
    const answers = await loginsAtOnce(replica, 1_000);
    const decisions = new Set(answers.map((answer) => refused(answer).decision));
    const rows = (await shard.journal()).filter((row) => row.version > before);
    const events = rows.flatMap((row) => row.events) as Refused[];
    expect(rows.length).toBeLessThanOrEqual(3);
    expect(events.length).toBe(rows.length);
    expect(events.reduce((sum, event) => sum + event.count, 0)).toBe(1_000);
    expect(Math.max(...events.map((event) => event.samples.length))).toBe(8);
    // Every caller is told a decision that he can look up.
    const written = rows.flatMap((row) => row.events.map((_, index) => `0:${row.version}:${index}`));
    expect([...decisions].sort()).toEqual(written.sort());
  });

  test('R-5: none is made on a stale copy: a unit that another replica has freed is seen', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey({ units: 1 }, QUIET);
    const held = await one.login('first');
    const other = await shard.open(QUIET);
    await one.logout(held);
    expect(other.held(held.id)).toBeDefined();
    const answer = await other.ask(makeLogin({ id: randomUUID(), claims: { user: 'second' } }));
    expect(granted(answer).unitsAdded).toBe(1);
  });

  test('R-5: an answer that changes nothing is not given on a stale copy either', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey({}, QUIET);
    const other = await shard.open(QUIET);
    await one.ask(makeRegister({ name: 'new' }));
    const rows = (await shard.head()).version;
    const answer = await other.ask(makeLogin({ id: randomUUID(), instance: 'new' }));
    expect(answer.is).toBe('granted');
    const held = granted(answer);
    await one.logout(held);
    // The repeated login would be answered "granted" from the stale copy.
    const again = await other.ask(makeLogin({ id: held.id, instance: 'new' }));
    expect(again).toMatchObject({ is: 'problem', code: 'login-released' });
    expect((await shard.head()).version).toBe(rows + 2);
  });
});

describe('bounds', () => {
  test('R-6: a batch has as many operations as it may, and what arrives meanwhile is the next', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, { lane: { batchOperationsMax: 10 } });
    const before = (await shard.head()).version;
    await loginsAtOnce(replica, 35);
    const sizes = (await shard.journal())
      .filter((row) => row.version > before)
      .map((row) => row.events.length);
    expect(Math.max(...sizes)).toBe(10);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(35);
  });

  test('R-6: a batch has as many bytes as it may, and an operation that is larger goes alone', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, { lane: { batchBytesMax: 8_000 } });
    const before = (await shard.head()).version;
    const file = new Uint8Array(50_000);
    const large = replica.ask({ op: 'install-key', key: makeKey({ id: 'large' }), file, actor: 'tester' });
    await Promise.all([loginsAtOnce(replica, 12), large]);
    const rows = (await shard.journal()).filter((row) => row.version > before);
    // What came before the lane woke is cut by bytes: five logins of 1,500 bytes fit into 8,000.
    const sizes = rows.map((row) => row.events.length);
    expect(Math.max(...sizes)).toBe(5);
    expect(
      rows.find((row) => row.events.some((event) => event.type === 'key-installed'))!.events,
    ).toHaveLength(1);
  });

  test('R-6: one more than may wait is turned away at once, and those who wait are served', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, { lane: { queueLengthMax: 5, batchOperationsMax: 1 } });
    const lock = await shard.holdHead();
    const first = replica.login('first');
    await shard.blocked(replica);
    const waiting = Array.from({ length: 5 }, (_, index) => replica.login(`user ${index}`));
    const error = await failure(replica.login('one too many'));
    expect(error).toMatchObject({ code: 'queue-full', status: 503, extras: { retryAfterSeconds: 1 } });
    await lock.release();
    expect(await Promise.all([first, ...waiting])).toHaveLength(6);
  });

  test('R-6: whoever waits longer than he may is answered 503, and nothing of his is done later', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, { lane: { batchOperationsMax: 1 } });
    const lock = await shard.holdHead();
    const sent = failure(replica.login('sent'));
    await shard.blocked(replica);
    const waiting = failure(replica.login('waiting'));
    replica.outwait();
    expect(await waiting).toMatchObject({ code: 'storage-unavailable', status: 503 });
    // What was sent to the database is in doubt, and that is what its caller hears, in the same time.
    expect(await sent).toMatchObject({ code: 'outcome-unknown', status: 503 });
    await lock.release();
    await replica.login('later');
    const users = (await shard.journal())
      .flatMap((row) => row.events)
      .filter((event) => event.type === 'granted');
    expect(users.map((event) => event.user)).toEqual(['sent', 'later']);
  });

  test('R-6: an operation that cannot be decided fails alone', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const bad = makeLogin({ id: randomUUID(), claims: null as never });
    const broken = { ...bad, claims: null as never };
    const [before, failed, after] = await Promise.all([
      replica.login('before'),
      failure(replica.ask(broken)),
      replica.login('after'),
    ]);
    expect(failed).toBeInstanceOf(TypeError);
    expect([before.unitsAdded, after.unitsAdded]).toEqual([1, 1]);
    expect(snapshotOf(replica.lane.table)).toEqual(snapshotOf(await shard.replayed()));
  });

  test('R-6: an operation that the database refuses fails alone', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    // jsonb has no place for a NUL character, so that the fact cannot be written.
    const poison = replica.ask(makeRegister({ name: 'poison', product: 'a\0b' }));
    const [before, failed, after] = await Promise.all([
      replica.login('before'),
      failure(poison),
      replica.login('after'),
    ]);
    expect(failed).toMatchObject({ code: '22P05' });
    expect([before.unitsAdded, after.unitsAdded]).toEqual([1, 1]);
    expect(replica.lane.table.instances.has('poison')).toBe(false);
    expect(snapshotOf(replica.lane.table)).toEqual(snapshotOf(await shard.replayed()));
    expect(replica.lane.status.state).toBe('serving');
  });
});

describe('IDs', () => {
  test('R-7: the same ID gives the same answer on every replica, with another body none', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey();
    const other = await shard.open({ coordinated: false });
    const login = makeLogin({ id: randomUUID(), claims: { user: 'alice' }, print: 7 });
    const [first, second] = await Promise.all([one.ask(login), other.ask(login)]);
    expect(granted(first)).toEqual(granted(second));
    expect([first, second].map((answer) => answer.is === 'granted' && answer.repeated).sort()).toEqual([
      false,
      true,
    ]);
    expect(await other.ask({ ...login, print: 8 })).toMatchObject({ is: 'problem', code: 'id-reused' });
    // The ID means something on its instance only.
    expect((await other.ask({ ...login, instance: 'b' })).is).toBe('granted');
    expect((await shard.replayed()).loginCount).toBe(2);
  });

  test('R-7: an ID that was released before its login came is not granted, on no replica', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey();
    const other = await shard.open({ coordinated: false });
    const id = randomUUID();
    await one.logout({ instance: 'a', id });
    expect(await other.ask(makeLogin({ id }))).toMatchObject({ is: 'problem', code: 'login-released' });
    expect((await shard.replayed()).loginCount).toBe(0);
  });
});

describe('facts', () => {
  test('R-8: an append that loses its race leaves no fact, and the row and its fact come together', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, QUIET);
    // Somebody else moves the head, unheard of, and has the Single key meanwhile.
    const other = await shard.open({ coordinated: false });
    const single = makeKey({ id: 'single', server: 'single' });
    await other.ask({ op: 'install-key', key: single, file: null, actor: 'tester' });
    await replica.lane.read(() => {});
    await other.ask(makeRegister({ name: 'winner', key: 'single' }));
    const answer = await replica.ask(makeRegister({ name: 'loser', key: 'single' }));
    expect(answer).toMatchObject({ is: 'problem', code: 'key-not-shareable' });
    const facts = await shard.sql<{ name: string }[]>`select name from instances order by name`;
    expect(facts.map(({ name }) => name)).toEqual(['a', 'b', 'winner']);
    const told = [...(await shard.replayed()).instances.keys()].sort();
    expect(told).toEqual(['a', 'b', 'winner']);
  });
});

describe('time', () => {
  test('R-14: the instant of a row is never before that of its predecessor, even if the clock goes back', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    replica.clock.aheadMs = 90_000;
    const first = await replica.login('first');
    replica.clock.aheadMs = -90_000;
    const second = await replica.login('second');
    const other = await shard.open({ coordinated: false });
    const third = await other.login('third');
    expect([second.atMs, third.atMs]).toEqual([first.atMs, first.atMs]);
    const instants = (await shard.journal()).map((row) => row.at);
    expect(instants).toEqual([...instants].sort((a, b) => a - b));
  });

  test('R-14: ends that fell due come first in a batch, and free their unit for it', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 1 }, { lane: { headPollMs: NEVER_MS } });
    const request = await replica.login('', { claims: { kind: 'request' } });
    replica.clock.aheadMs = 10_001;
    expect((await replica.lane.explain(makeLogin({ id: randomUUID() }))).is).toBe('granted');
    expect(replica.held(request.id)).toBeDefined();
    await replica.login('next');
    const last = (await shard.journal()).at(-1)!;
    expect(last.events.map((event) => event.type)).toEqual(['released', 'granted']);
    expect(last.events[0]).toMatchObject({ login: request.id, reason: 'due' });
    expect((last.events[1] as Granted).used).toBe(1);
  });

  test('R-14: an idle replica wakes for what falls due', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const request = await replica.login('', { claims: { kind: 'request' } });
    replica.clock.aheadMs = 10_001;
    await until(() => replica.held(request.id) === undefined, PATIENCE_MS, 'the request has ended');
    // A decision is in the copy before its row is appended; a read comes after it.
    await replica.lane.read((table) => table.version);
    const { events } = (await shard.journal()).at(-1)!;
    expect(events).toMatchObject([{ type: 'released', login: request.id, reason: 'due' }]);
  });
});

describe('reads', () => {
  test('R-15: a read sees what another replica has acknowledged, though nobody has told this one', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey({}, QUIET);
    const other = await shard.open(QUIET);
    const { id } = await one.login('alice');
    const has = () => other.lane.read((table) => table.places.get('a')?.logins.has(id) === true, false);
    expect(await has()).toBe(false);
    expect(await other.lane.read((table) => table.places.get('a')!.logins.has(id))).toBe(true);
  });

  test('R-13: a replica that hears of a head follows it without polling', async () => {
    const shard = await openShard();
    const silent = { lane: { headPollMs: NEVER_MS } } as const;
    const one = await shard.openWithKey({}, silent);
    const other = await shard.open(silent);
    const { id } = await one.login('alice');
    await until(() => other.held(id) !== undefined, PATIENCE_MS, 'the other replica has followed');
  });

  test('R-15: a read that fails, fails alone', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const reads = [
      replica.lane.read((table) => table.version),
      replica.lane.read(() => {
        throw new Error('this read fails');
      }),
      replica.lane.read((table) => table.version),
    ] as const;
    await expect(reads[1]).rejects.toThrow('this read fails');
    expect(await reads[0]).toBe(await reads[2]);
  });

  test('R-16: explaining decides as the lane would, and leaves no trace', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 1 });
    const before = { rows: (await shard.head()).version, table: snapshotOf(replica.lane.table) };
    const free = await replica.lane.explain(makeLogin({ id: randomUUID() }));
    expect(granted(free)).toMatchObject({ unitsAdded: 1 });
    expect(snapshotOf(await replica.lane.read((table) => table))).toEqual(before.table);
    expect((await shard.head()).version).toBe(before.rows);
    await replica.login('first');
    const full = await replica.lane.explain(makeLogin({ id: randomUUID() }));
    const real = await replica.ask(makeLogin({ id: randomUUID() }));
    expect(refused(full)).toEqual(refused(real));
  });
});

describe('closing', () => {
  test('what waits is answered, and nothing new is taken', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, { lane: { batchOperationsMax: 1 } });
    const lock = await shard.holdHead();
    const waiting = [replica.login('one'), replica.login('two')];
    await shard.blocked(replica);
    const closed = replica.lane.close();
    expect(await failure(replica.login('three'))).toMatchObject({ code: 'shutting-down', status: 503 });
    await lock.release();
    await closed;
    expect(await Promise.all(waiting)).toHaveLength(2);
    expect(replica.lane.status.state).toBe('stopped');
  });

  test('R-3: a database that is away is waited for, and those who wait are told in time', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    // The test's own connection stands from here on.
    await shard.head();
    const name = new URL(shard.url).pathname.slice(1);
    const admin = postgres(testServerUrl(), { max: 1, onnotice: () => {} });
    try {
      await admin`alter database ${admin(name)} allow_connections false`;
      await shard.cut(replica);
      const early = failure(replica.login('early'));
      replica.outwait();
      expect((await early).status).toBe(503);
      await until(() => replica.lane.status.state === 'waiting', PATIENCE_MS, 'the lane says that it waits');
      await admin`alter database ${admin(name)} allow_connections true`;
    } finally {
      await admin.end();
    }
    await replica.serves();
    await replica.login('alice');
    expect((await shard.replayed()).loginCount).toBe(1);
  });

  test('R-1: a row of nobody that moves the head makes the replica decide again', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, QUIET);
    const head = await shard.head();
    const row = {
      shard: SHARD,
      version: head.version + 1,
      batch: randomUUID(),
      at: Date.now(),
      actors: [],
      events: [],
    };
    expect((await appendRow(shard.sql, row, head)).appended).toBe(true);
    expect((await replica.login('alice')).decision).toBe(`0:${head.version + 2}:0`);
  });
});
