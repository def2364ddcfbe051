import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { LicenseError } from '../../src/domain/errors.ts';
import type { JournalEvent } from '../../src/domain/events.ts';
import type { Answer } from '../../src/domain/operations.ts';
import { LaneStorage, type LaneStorageOptions, UnknownOutcomeError } from '../../src/service/lanestorage.ts';
import { type Unsettled, whatBecameOf } from '../../src/service/settlement.ts';
import { checkDurability, connectLaneDatabase, judgeDurability } from '../../src/storage/database.ts';
import { appendRow } from '../../src/storage/journal.ts';
import { createRecordingLogger } from '../support/http.ts';
import { closeShards, NEVER_MS, openShard, PATIENCE_MS, SHARD, type TestShard } from '../support/lane.ts';
import { granted, makeLogin } from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

/** Short enough that an append that is held up becomes unknown within the test; long enough for any other. */
const HASTY = { storage: { appendTimeoutMs: 1_500 } } as const;

async function failure(promise: Promise<unknown>): Promise<LicenseError> {
  return promise.then(
    () => {
      throw new Error('It should have failed.');
    },
    (error: LicenseError) => error,
  );
}

async function events(shard: TestShard): Promise<readonly JournalEvent[]> {
  return (await shard.journal()).flatMap((row) => row.events);
}

describe('an append whose connection is lost after it was sent', () => {
  test('R-3: that never came to be is decided again, and granted once', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const lock = await shard.holdHead();
    const login = replica.login('alice');
    const pid = await shard.blocked(replica);
    // The server ends the session while its statement waits: it is sent, and will never be committed.
    await shard.sql`select pg_terminate_backend(${pid})`;
    await until(
      () => replica.timesLogged('The outcome of an append is unknown; settling it.') === 1,
      PATIENCE_MS,
      'the outcome is unknown',
    );
    await lock.release();
    const { decision } = await login;
    const grants = (await events(shard)).filter((event) => event.type === 'granted');
    expect(grants).toHaveLength(1);
    // Its proof stands before it: an empty row.
    const rows = await shard.journal();
    expect(rows.at(-2)!.events).toEqual([]);
    expect(decision).toBe(`0:${rows.at(-1)!.version}:0`);
    expect(replica.log.lines).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ became: 'never' }) }),
    );
    expect(snapshotOf(replica.lane.table)).toEqual(snapshotOf(await shard.replayed()));
  });

  test('R-3: that came to be is answered as it stands, and not granted again', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 1 }, HASTY);
    const lock = await shard.holdHead();
    const before = replica.timesLogged('The outcome of an append is unknown; settling it.');
    const login = replica.login('alice');
    await shard.blocked(replica);
    // Nobody answers in time. The lane gives its connection up; the server goes on with the statement.
    await until(
      () => replica.timesLogged('The outcome of an append is unknown; settling it.') > before,
      PATIENCE_MS,
      'the outcome is unknown',
    );
    await lock.release();
    const view = await login;
    const rows = await shard.journal();
    const at = rows.findIndex((row) => row.events.some((event) => event.type === 'granted'));
    expect(view.decision).toBe(`0:${rows[at]!.version}:0`);
    expect((await events(shard)).filter((event) => event.type === 'granted')).toHaveLength(1);
    expect(replica.log.lines).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ became: 'stands' }) }),
    );
    expect(snapshotOf(replica.lane.table)).toEqual(snapshotOf(await shard.replayed()));
  });

  test('R-3: is answered 503 in time; a login whose ID the server made is taken back when it stood', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 2 }, HASTY);
    const lock = await shard.holdHead();
    const known = makeLogin({ id: randomUUID(), claims: { user: 'known' } });
    const unknown = makeLogin({ id: randomUUID(), claims: { user: 'unknown' } });
    const failed = [failure(replica.ask(known)), failure(replica.lane.submit(unknown, undefined, true))];
    await shard.blocked(replica);
    replica.outwait();
    for (const error of await Promise.all(failed)) {
      expect(error).toMatchObject({ code: 'outcome-unknown', status: 503, extras: { retryAfterSeconds: 2 } });
    }
    await until(
      () => replica.timesLogged('The outcome of an append is unknown; settling it.') > 0,
      PATIENCE_MS,
      'the outcome is unknown',
    );
    await lock.release();
    const released = await until(
      async () => (await events(shard)).find((event) => event.type === 'released'),
      PATIENCE_MS,
      'the login that nobody knows of is taken back',
    );
    expect(released).toMatchObject({ login: unknown.id, reason: 'unanswered' });
    // The client that made its ID asks again, and gets the answer that it was not given.
    const again = await replica.ask(known);
    expect(again).toMatchObject({ is: 'granted', repeated: true });
    const grants = (await events(shard)).filter((event) => event.type === 'granted');
    expect(grants.map((event) => event.login).sort()).toEqual([known.id, unknown.id].sort());
    expect((await shard.replayed()).loginCount).toBe(1);
  });

  test('R-3: an append that is merely slow is answered 503 in time as well, and taken back when it stood', async () => {
    const shard = await openShard();
    const patient = { storage: { appendTimeoutMs: NEVER_MS } };
    const replica = await shard.openWithKey({}, patient);
    const lock = await shard.holdHead();
    const login = makeLogin({ id: randomUUID() });
    const failed = failure(replica.lane.submit(login, undefined, true));
    await shard.blocked(replica);
    replica.outwait();
    expect((await failed).code).toBe('outcome-unknown');
    await lock.release();
    await until(
      async () =>
        (await events(shard)).some((event) => event.type === 'released' && event.reason === 'unanswered'),
      PATIENCE_MS,
      'the login that nobody knows of is taken back',
    );
    expect((await shard.replayed()).loginCount).toBe(0);
  });

  test('R-3: is settled while closing, and what nobody knows of is taken back before the end', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, HASTY);
    const lock = await shard.holdHead();
    const failed = failure(replica.lane.submit(makeLogin({ id: randomUUID() }), undefined, true));
    await shard.blocked(replica);
    replica.outwait();
    expect((await failed).code).toBe('outcome-unknown');
    const closed = replica.lane.close();
    await lock.release();
    await closed;
    expect((await shard.replayed()).loginCount).toBe(0);
    expect((await events(shard)).at(-1)).toMatchObject({ type: 'released', reason: 'unanswered' });
  });

  test('R-3: a commit that comes with a warning is settled before anybody is answered', async () => {
    const shard = await openShard();
    await shard.sql`
      create function warn() returns trigger language plpgsql as $$
      begin raise warning 'the standby did not confirm'; return null; end $$`;
    const replica = await shard.openWithKey();
    await shard.sql`
      create trigger warns after insert on journal for each row
      when (new.body::text like '%"granted"%') execute function warn()`;
    await replica.login('alice');
    expect(replica.timesLogged('The outcome of an append is unknown; settling it.')).toBe(1);
    expect((await events(shard)).filter((event) => event.type === 'granted')).toHaveLength(1);
  });
});

describe('settling', () => {
  /** A storage of a lane, and an append that was sent on the head as it is. */
  async function sent(shard: TestShard) {
    const storage = new LaneStorage({
      connect: (listeners) =>
        connectLaneDatabase({
          url: shard.url,
          logger: createRecordingLogger(),
          applicationName: 'settling',
          ...listeners,
        }),
      checkDurability,
      allowUnsafeDurability: false,
      appendTimeoutMs: 5_000,
    });
    const expected = await shard.head();
    const row = {
      shard: SHARD,
      version: expected.version + 1,
      batch: randomUUID(),
      at: Date.now(),
      actors: [],
      events: [],
    };
    const unsettled: Unsettled = { row, expected, batch: [], answers: [] as Answer[] };
    return { storage, expected, row, unsettled };
  }

  test('R-3: an absent row is "never" only once a proof stands in its place, and then it cannot come late', async () => {
    const shard = await openShard();
    const { storage, expected, row, unsettled } = await sent(shard);
    expect(await whatBecameOf(unsettled, storage)).toBe('never');
    const rows = await shard.journal();
    expect(rows.at(-1)).toMatchObject({ version: row.version, events: [] });
    expect(await appendRow(shard.sql, row, expected)).toMatchObject({ appended: false });
    await storage.close();
  });

  test('R-3: a visible row is "stands" only with a proof on top of it', async () => {
    const shard = await openShard();
    const { storage, expected, row, unsettled } = await sent(shard);
    await appendRow(shard.sql, row, expected);
    expect(await whatBecameOf(unsettled, storage)).toBe('stands');
    expect((await shard.journal()).map((each) => each.version)).toEqual([row.version, row.version + 1]);
    await storage.close();
  });

  test('R-3: a proof that fails settles nothing', async () => {
    const shard = await openShard();
    const { storage, expected, row, unsettled } = await sent(shard);
    await appendRow(shard.sql, row, expected);
    const rows = (await shard.journal()).length;
    const broken = Object.assign(Object.create(storage), {
      append: async () => {
        throw new UnknownOutcomeError('the connection was lost');
      },
      head: () => storage.head(SHARD),
    });
    await expect(whatBecameOf(unsettled, broken)).rejects.toThrow(UnknownOutcomeError);
    expect(await shard.journal()).toHaveLength(rows);
    await storage.close();
  });

  test('R-1: a head before the append, or in another history, is a restored database', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, { coordinated: false });
    const restore = await shard.keep();
    await replica.login('lost');
    await replica.lane.close();
    const { storage, unsettled } = await sent(shard);
    await restore();
    const rows = (await shard.journal()).length;
    expect(await whatBecameOf(unsettled, storage)).toBe('restored');
    expect(await shard.journal()).toHaveLength(rows);
    // As far as before, but with another row than the one that was known.
    const { version } = await shard.head();
    const elsewhere = { ...unsettled, expected: { version: version - 1, batch: randomUUID() } };
    expect(await whatBecameOf(elsewhere, storage)).toBe('restored');
    await storage.close();
  });
});

describe('durability', () => {
  test('R-2: a database that is not durable is refused in words, and served when the setting says so', async () => {
    const shard = await openShard();
    const unsafe = async (...[sql]: Parameters<typeof checkDurability>) => {
      const { settings } = await checkDurability(sql);
      return judgeDurability({ ...settings, fsync: 'off' });
    };
    const refusing = await shard.open({
      waits: false,
      storage: { checkDurability: unsafe },
      lane: { queueWaitMs: 100 },
    });
    const reason = await until(
      () => refusing.lane.status.reason.includes('fsync is off') && refusing.lane.status.reason,
      PATIENCE_MS,
      'the lane says what is amiss',
    );
    expect(reason).toContain('LICTOR_ALLOW_UNSAFE_DURABILITY=true');
    expect(refusing.lane.status.state).toBe('loading');
    expect(await failure(refusing.lane.read(() => {}))).toMatchObject({ code: 'not-ready', status: 503 });
    const serving = await shard.open({
      storage: { checkDurability: unsafe, allowUnsafeDurability: true },
    });
    expect(serving.storage.durability).toMatchObject({ safe: false });
  });

  test('R-2: what was checked of a connection is checked again on the next one', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    expect(replica.storage.durability).toMatchObject({ safe: true });
    const name = new URL(shard.url).pathname.slice(1);
    const { sql } = shard;
    // A setting of the database holds for the sessions that begin after it.
    await sql`alter database ${sql(name)} set synchronous_commit = off`;
    await replica.login('still on the old connection');
    await shard.cut(replica);
    const before = (await shard.journal()).length;
    const failed = failure(replica.login('alice'));
    await until(
      () => replica.lane.status.reason.includes('synchronous_commit is off'),
      PATIENCE_MS,
      'the lane says what is amiss',
    );
    replica.outwait();
    expect((await failed).status).toBe(503);
    expect(await shard.journal()).toHaveLength(before);
    await sql`alter database ${sql(name)} reset synchronous_commit`;
    await replica.serves();
    await replica.login('alice');
  });
});

describe('a network that goes away in silence', () => {
  /** A way to the database on which whatever is open can be frozen: nothing comes or goes, and nobody is told. */
  async function openWay(target: URL) {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect(Number(target.port), target.hostname);
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => {});
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(target);
    url.port = String((server.address() as AddressInfo).port);
    return {
      url: url.href,
      freeze() {
        for (const socket of sockets) socket.unpipe().pause();
      },
      close() {
        server.close();
        for (const socket of sockets) socket.destroy();
      },
    };
  }

  test('R-3: neither a read nor an append waits for it longer than an answer may take', async () => {
    const shard = await openShard();
    const way = await openWay(new URL(shard.url));
    const connectBy: LaneStorageOptions['connect'] = (listeners) =>
      connectLaneDatabase({
        url: way.url,
        logger: createRecordingLogger(),
        applicationName: 'by a way',
        ...listeners,
      });
    const replica = await shard.openWithKey(
      {},
      { lane: { headPollMs: NEVER_MS }, storage: { ...HASTY.storage, connect: connectBy } },
    );
    try {
      way.freeze();
      await replica.lane.read((table) => table.version);
      expect(replica.timesLogged('The lane could not use the database and tries again.')).toBeGreaterThan(0);
      await replica.login('alice');
      way.freeze();
      await replica.login('bob');
      expect(replica.timesLogged('The outcome of an append is unknown; settling it.')).toBe(1);
      expect((await shard.replayed()).loginCount).toBe(2);
    } finally {
      await replica.lane.close();
      way.close();
    }
  });

  test('R-7: a login that is sent again after a 503 gets the answer of the first, from another replica too', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, HASTY);
    const lock = await shard.holdHead();
    const login = makeLogin({ id: randomUUID() });
    const failed = failure(replica.ask(login));
    await shard.blocked(replica);
    replica.outwait();
    expect((await failed).code).toBe('outcome-unknown');
    await lock.release();
    const other = await shard.open({ coordinated: false });
    const first = granted(await other.ask(login));
    const again = granted(await replica.ask(login));
    expect(again).toEqual(first);
    expect((await shard.replayed()).loginCount).toBe(1);
  });
});
