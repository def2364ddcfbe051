import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type postgres from 'postgres';
import { connectDatabase, isConnectionError } from '../../src/storage/database.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/database.ts';
import { until } from '../support/wait.ts';

const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent };

describe('a pool', () => {
  let server: OwnPostgres;
  let handles: postgres.Sql[];

  beforeAll(async () => {
    server = await startOwnPostgres();
    const one = () =>
      connectDatabase({ url: server.url, connectionsMax: 1, logger, applicationName: 'test' });
    handles = Array.from({ length: 8 }, one);
  }, 30_000);

  afterAll(async () => {
    await Promise.all(handles.map((sql) => sql.end({ timeout: 1 })));
    await server.dispose();
  });

  const answers = (sql: postgres.Sql) => sql`select 1 as one`.then((rows) => rows.length === 1);

  test('that was refused, cut off in the middle or asked while the server starts answers again afterwards', async () => {
    for (const end of [
      () => server.stop(),
      () => server.kill9(),
      () => server.stop(),
      () => server.kill9(),
    ]) {
      await Promise.all(handles.map((sql) => until(() => answers(sql), 15_000, 'the pool answers')));
      // Some are in the middle of a statement when the server goes, some ask while it is away.
      const cut = handles.slice(0, 4).map((sql) =>
        sql`select pg_sleep(60)`.then(
          () => null,
          (error) => error,
        ),
      );
      await end();
      for (const error of await Promise.all(cut)) expect(isConnectionError(error)).toBe(true);
      const refused = await answers(handles[7]!).catch((error) => error);
      expect(isConnectionError(refused)).toBe(true);
      await server.start();
    }
    await Promise.all(handles.map((sql) => until(() => answers(sql), 15_000, 'the pool answers')));
  }, 90_000);
});
