import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type postgres from 'postgres';
import {
  checkDurability,
  connectDatabase,
  connectLaneDatabase,
  type DurabilitySettings,
  isConnectionError,
  isDoubtful,
  judgeDurability,
  type Logger,
  provesNothingCommitted,
} from '../../src/storage/database.ts';
import {
  createTestDatabase,
  type OwnPostgres,
  startOwnPostgres,
  type TestDatabase,
} from '../support/database.ts';
import { until } from '../support/wait.ts';

/** A logger that keeps what it is told. */
function keepingLogger(): Logger & { readonly lines: { level: string; message: string }[] } {
  const lines: { level: string; message: string }[] = [];
  const keep = (level: string) => (_fields: object, message: string) => {
    lines.push({ level, message });
  };
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

const open: postgres.Sql[] = [];

function pool(url: string, connectionsMax = 2, logger: Logger = keepingLogger()): postgres.Sql {
  const sql = connectDatabase({ url, connectionsMax, logger, applicationName: 'lictor-test' });
  open.push(sql);
  return sql;
}

function lane(url: string, onNotice?: (notice: postgres.Notice) => void): postgres.Sql {
  const logger = keepingLogger();
  const applicationName = 'lictor-test-lane';
  const sql = connectLaneDatabase({ url, logger, applicationName, ...(onNotice ? { onNotice } : {}) });
  open.push(sql);
  return sql;
}

/** The error of a promise that must fail. */
async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error('It should have failed.');
    },
    (error: unknown) => error,
  );
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((sql) => sql.end({ timeout: 1 })));
});

describe('connections', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  test('bigint columns come and go as numbers', async () => {
    const sql = pool(database.url);
    const [row] = await sql`select ${9_007_199_254_740_991}::bigint as large, array[1, 2]::bigint[] as list`;
    expect(row).toEqual({ large: 9_007_199_254_740_991, list: [1, 2] });
  });

  test('the pool limits statements and idle transactions, and keeps time in UTC', async () => {
    const [row] = await pool(database.url)`
      select current_setting('statement_timeout') as statement,
        current_setting('idle_in_transaction_session_timeout') as idle,
        current_setting('TimeZone') as zone, current_setting('application_name') as name`;
    expect(row).toEqual({ statement: '30s', idle: '30s', zone: 'UTC', name: 'lictor-test' });
  });

  test('R-3 the lane has one connection, whose statements have no timeout', async () => {
    const sql = lane(database.url);
    const pids = await Promise.all([1, 2, 3].map(() => sql`select pg_backend_pid() as pid`));
    expect(new Set(pids.map((rows) => rows[0]?.pid)).size).toBe(1);
    const [row] = await sql`select current_setting('statement_timeout') as statement`;
    expect(row).toEqual({ statement: '0' });
  });

  test('notices are logged, warnings as warnings', async () => {
    const logger = keepingLogger();
    const sql = pool(database.url, 1, logger);
    await sql.unsafe(`do $$ begin raise notice 'a hint'; raise warning 'a doubt'; end $$`);
    expect(logger.lines).toContainEqual({ level: 'debug', message: 'a hint' });
    expect(logger.lines).toContainEqual({ level: 'warn', message: 'a doubt' });
  });

  test('an error that the server answers with proves that nothing was committed', async () => {
    const sql = pool(database.url);
    await sql`create table once (id int primary key)`;
    await sql`insert into once values (1)`;
    const duplicate = await failure(sql`insert into once values (2), (1)`);
    expect(provesNothingCommitted(duplicate)).toBe(true);
    expect(isConnectionError(duplicate)).toBe(false);
    expect(await sql`select id from once`).toEqual([{ id: 1 }]);
  });

  test('a deadlock proves that nothing was committed', async () => {
    const sql = pool(database.url);
    const locked: Promise<unknown>[] = [];
    const both = new Promise<void>((resolve) => {
      let count = 0;
      locked.push(
        ...[1, 2].map((first) =>
          sql.begin(async (transaction) => {
            await transaction`select pg_advisory_xact_lock(${first})`;
            count += 1;
            if (count === 2) resolve();
            await both;
            await transaction`select pg_advisory_xact_lock(${3 - first})`;
          }),
        ),
      );
    });
    const results = await Promise.allSettled(locked);
    const loser = results.find((result) => result.status === 'rejected');
    expect(provesNothingCommitted(loser?.reason)).toBe(true);
  });

  /** Ends a lane's session while a statement of it runs, and returns the error of that statement. */
  async function loseConnection(sql: postgres.Sql): Promise<unknown> {
    const watcher = pool(database.url);
    const [session] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const lost = failure(sql`select pg_sleep(30)`);
    const running = () => watcher`
      select 1 from pg_stat_activity where pid = ${session!.pid} and wait_event = 'PgSleep'`;
    await until(async () => (await running()).length > 0, 5_000, 'the statement runs');
    await watcher`select pg_terminate_backend(${session!.pid})`;
    return await lost;
  }

  test('R-3 a connection that is lost in a statement proves nothing about it', async () => {
    const lost = await loseConnection(lane(database.url));
    expect(isConnectionError(lost)).toBe(true);
    expect(provesNothingCommitted(lost)).toBe(false);
  });

  test('R-3 a new handle works where the connection of the old one was lost', async () => {
    const old = lane(database.url);
    await loseConnection(old);
    await old.end({ timeout: 0 });
    expect(await lane(database.url)`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test('R-3 what a lost session says to the statement after it is no proof about that statement', async () => {
    const sql = pool(database.url, 1);
    await loseConnection(sql);
    const leftover = await sql`select 1`.then(
      () => null,
      (error: unknown) => error,
    );
    expect(provesNothingCommitted(leftover)).toBe(false);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });
});

describe('a server that goes away', () => {
  let server: OwnPostgres;
  beforeAll(async () => {
    server = await startOwnPostgres();
  });
  afterAll(() => server.dispose());

  test('a connection that is refused was never used, so the statement may be tried again', async () => {
    await server.stop();
    const refused = await failure(pool(server.url)`select 1`);
    expect(isConnectionError(refused)).toBe(true);
    expect(provesNothingCommitted(refused)).toBe(true);
    await server.start();
  });

  test('R-2 what was committed outlives kill -9, and an older copy of the data comes back with restore', async () => {
    const sql = pool(server.url);
    await sql`create table kept (id int)`;
    await sql`insert into kept values (1)`;
    await server.kill9();
    await server.start();
    expect(await pool(server.url)`select id from kept`).toEqual([{ id: 1 }]);
    await server.stop();
    const folder = await mkdtemp(path.join(tmpdir(), 'lictor-test-copy-'));
    const copy = path.join(folder, 'copy');
    await server.snapshot(copy);
    await server.start();
    await pool(server.url)`insert into kept values (2)`;
    await server.stop();
    await server.restore(copy);
    await rm(folder, { recursive: true });
    await server.start();
    expect(await pool(server.url)`select id from kept`).toEqual([{ id: 1 }]);
  });
});

describe('durability (R-2)', () => {
  test('a commit whose wait for the standby is cut short succeeds with a warning that makes it doubtful', async () => {
    const server = await startOwnPostgres({ synchronous_standby_names: 'absent' });
    try {
      const watcher = pool(`${server.url}?synchronous_commit=local`);
      await watcher`create table kept (id int)`;
      const notices: postgres.Notice[] = [];
      const sql = lane(server.url, (notice) => notices.push(notice));
      const durability = await checkDurability(sql);
      expect(durability.safe).toBe(true);
      expect(durability.words).toContain('A failover to a synchronous standby loses nothing acknowledged');
      const committing = sql`insert into kept values (1)`.then(() => notices.filter(isDoubtful).length);
      const [waiter] = await until(
        async () => {
          const rows = await watcher`select pid from pg_stat_activity where wait_event = 'SyncRep'`;
          return rows.length > 0 ? rows : null;
        },
        5_000,
        'the commit waits for the standby',
      );
      await watcher`select pg_cancel_backend(${waiter?.pid})`;
      expect(await committing).toBe(1);
      expect(await watcher`select id from kept`).toEqual([{ id: 1 }]);
    } finally {
      await Promise.all(open.splice(0).map((sql) => sql.end({ timeout: 1 })));
      await server.dispose();
    }
  });

  test('the server of the tests is durable, and says that a failover without a standby can lose something', async () => {
    const database = await createTestDatabase();
    const sql = pool(database.url);
    const { safe, settings, words } = await checkDurability(sql);
    expect(safe).toBe(true);
    expect(settings).toMatchObject({ fsync: 'on', in_recovery: false });
    expect(words).toContain('There is no synchronous standby');
    await sql.end();
    await database.drop();
  });

  const good: DurabilitySettings = {
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    synchronous_standby_names: 'standby',
    in_recovery: false,
    server_version: '18.4',
  };

  test.each([
    [{ fsync: 'off' }, false, 'fsync is off'],
    [{ synchronous_commit: 'off' }, false, 'synchronous_commit is off'],
    [{ full_page_writes: 'off' }, false, 'full_page_writes is off'],
    [{ in_recovery: true }, false, 'standby in recovery'],
    [{ synchronous_commit: 'local' }, true, 'a failover can lose'],
    [{ synchronous_commit: 'remote_write' }, true, 'crashes at the same time'],
    [{ synchronous_commit: 'remote_apply' }, true, 'loses nothing acknowledged'],
  ])('%j is told', (change, safe, words) => {
    const judged = judgeDurability({ ...good, ...change });
    expect(judged.safe).toBe(safe);
    expect(judged.words).toContain(words);
  });
});

describe('errors that no test can provoke at will', () => {
  test.each([
    ['57P03', true],
    ['40001', false],
    ['CONNECTION_CLOSED', true],
    ['ECONNRESET', true],
    ['08006', true],
    ['23505', false],
  ])('%s', (code, connection) => {
    const error = Object.assign(new Error(code), { code });
    expect(isConnectionError(error)).toBe(connection);
  });

  test('what has no code is neither', () => {
    expect(isConnectionError(new Error('?'))).toBe(false);
    expect(provesNothingCommitted(new Error('?'))).toBe(false);
  });
});
