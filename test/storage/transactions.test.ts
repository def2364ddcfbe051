import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type postgres from 'postgres';
import { connectDatabase, isConnectionError } from '../../src/storage/database.ts';
import { inTransaction } from '../../src/storage/transactions.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/wait.ts';

const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent };

describe('inTransaction', () => {
  let database: TestDatabase;
  let sql: postgres.Sql;
  let other: postgres.Sql;

  beforeEach(async () => {
    database = await createTestDatabase({ empty: true });
    const options = { url: database.url, connectionsMax: 1, logger, applicationName: 'test' };
    sql = connectDatabase(options);
    other = connectDatabase(options);
    await other`create table kept (id int)`;
  });

  afterEach(async () => {
    await Promise.all([sql.end({ timeout: 1 }), other.end({ timeout: 1 })]);
    await database.drop();
  });

  /** Ends the session of the handle, as a restart of the database would. */
  async function cut(pid: number): Promise<void> {
    await other`select pg_terminate_backend(${pid})`;
    await until(
      async () => (await other`select from pg_stat_activity where pid = ${pid}`).length === 0,
      5_000,
      'the session is gone',
    );
  }

  const pidOf = async (tx: postgres.Sql | postgres.TransactionSql): Promise<number> =>
    (await tx`select pg_backend_pid() as pid`)[0]!.pid;

  /** The handle goes on, and the process is there to tell; the driver may repeat the last words of the lost session. */
  const answers = () => until(async () => (await sql`select 1`).length === 1, 5_000, 'the handle answers');

  const kept = async () => (await other`select id from kept order by id`).map((row) => row.id);

  test('keeps nothing of what it wrote, although the driver keeps where each statement was asked for first', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const write = async () => {
      const rows = Array.from({ length: 1_000 }, (_, id) => ({ id }));
      await inTransaction(sql, '', async (tx) => {
        for (const { id } of rows.slice(0, 2)) await tx`insert into kept values (${id})`;
      });
      return new WeakRef(rows);
    };
    const rows = await write();
    await until(
      () => {
        collect();
        return rows.deref() === undefined;
      },
      5_000,
      'what was written is let go',
    );
  });

  test('commits what it ran and returns what it gave; an error takes everything back', async () => {
    const add = (id: number) =>
      inTransaction(sql, '', async (tx) => (await tx`insert into kept values (${id})`).count);
    expect(await add(1)).toBe(1);
    const failing = inTransaction(sql, '', async (tx) => {
      await tx`insert into kept values (2)`;
      throw new Error('on second thoughts');
    });
    await expect(failing).rejects.toThrow('on second thoughts');
    const wrong = inTransaction(sql, '', async (tx) => {
      await tx`insert into kept values (3)`;
      await tx`select 1 / 0`;
    });
    await expect(wrong).rejects.toMatchObject({ code: '22012' });
    expect(await kept()).toEqual([1]);
    expect(await add(4)).toBe(1);
  });

  test('fails and sends nothing more when the connection is lost during a statement', async () => {
    const lost = inTransaction(sql, '', async (tx) => {
      await tx`insert into kept values (1)`;
      const pid = await pidOf(tx);
      await Promise.all([tx`select pg_sleep(60)`, cut(pid)]);
    });
    expect(isConnectionError(await lost.catch((error) => error))).toBe(true);
    await answers();
    expect(await kept()).toEqual([]);
  });

  test('fails and sends nothing more when the connection is lost between two statements', async () => {
    const after: unknown[] = [];
    const lost = inTransaction(sql, '', async (tx) => {
      await tx`insert into kept values (1)`;
      await cut(await pidOf(tx));
      await until(() => isOver, 5_000, 'the loss is known');
      after.push('tried');
      await tx`insert into kept values (2)`;
      after.push('succeeded');
    });
    let isOver = false;
    lost.catch(() => {
      isOver = true;
    });
    await expect(lost).rejects.toBeDefined();
    await until(() => after.length > 0, 5_000, 'the second statement was tried');
    await answers();
    expect(after).toEqual(['tried']);
    expect(await kept()).toEqual([]);
  });
});
