/**
 * The fold, whatever becomes of its leader and of the database: it is level with the journal in the end, and the
 * replay from zero equals it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { leaderOf, type Replica, startReplica, timesLogged } from '../support/cluster.ts';
import { startOwnPostgres } from '../support/database.ts';
import {
  type Attempt,
  closeConnections,
  fire,
  installKey,
  makeAttempts,
  releaseAll,
} from '../support/load.ts';
import { readFoldedTable, verifyPromise, withDatabase } from '../support/replay.ts';
import { until } from '../support/wait.ts';

const INSTANCES = ['app-a', 'app-b'];
const UNITS = 500;

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 120_000);

afterAll(closeConnections);

async function start(databaseUrl: string, env: Record<string, string> = {}): Promise<Replica> {
  const replica = await startReplica({ databaseUrl, env });
  cleanups.push(() => replica.stop());
  return replica;
}

test('R-9: a crash of the database that takes the last folds with it is noticed, and nothing is left out', async () => {
  // Commits that nobody waits for stay in memory for long, so that the crash finds them there.
  const pg = await startOwnPostgres({ wal_writer_delay: '10s', wal_writer_flush_after: '1GB' });
  cleanups.push(() => pg.dispose());
  const replica = await start(pg.url);
  const key = await installKey(replica.url, UNITS, INSTANCES);
  await leaderOf([replica]);
  const first: Attempt[] = [];
  // Any commit that is waited for takes the folds before it along, so that not every crash finds some.
  const isLost = async () => {
    const burst = fire(makeAttempts(10, INSTANCES), () => [replica]);
    await burst.done;
    first.push(...burst.attempts);
    const folded = await readFoldedTable(pg.url);
    await pg.kill9();
    await pg.start();
    const [left] = await withDatabase(pg.url, (sql) => sql`select version from folds`);
    return left!.version < folded.version;
  };
  await until(isLost, 120_000, 'a crash takes a fold with it');
  const second = fire(makeAttempts(40, INSTANCES), () => [replica]);
  await second.done;
  await leaderOf([replica]);
  const acknowledged = [...first, ...second.attempts];
  const { table } = await verifyPromise({
    databaseUrl: pg.url,
    replicas: [replica],
    key,
    units: UNITS,
    acknowledged,
  });
  expect(table.loginCount).toBe(acknowledged.length);
  // A replica that starts from this fold has the same table.
  await replica.stop();
  const next = await start(pg.url);
  await verifyPromise({ databaseUrl: pg.url, replicas: [next], key, units: UNITS, acknowledged });
  expect(timesLogged(next, 'The table is loaded.')).toBe(1);
  await releaseAll(next.url, INSTANCES);
}, 180_000);

test('R-1: a leader that has not noticed yet that the database was set back folds nothing of its own history', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lictor-scenario-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const pg = await startOwnPostgres();
  cleanups.push(() => pg.dispose());
  // It does not look at the head by itself for a minute, and folds so seldom that what is lost was not folded.
  const env = { LICTOR_HEAD_POLL_MS: '60000', LICTOR_FOLD_INTERVAL_MS: '2000' };
  const replica = await start(pg.url, env);
  const key = await installKey(replica.url, UNITS, INSTANCES);
  const kept = fire(makeAttempts(30, INSTANCES), () => [replica]);
  await kept.done;
  await readFoldedTable(pg.url);
  await pg.stop();
  await pg.snapshot(path.join(folder, 'copy'));
  await pg.start();
  await leaderOf([replica]);
  const gone = fire(makeAttempts(30, INSTANCES), () => [replica]);
  await gone.done;
  await pg.kill9();
  await pg.restore(path.join(folder, 'copy'));
  await pg.start();
  await withDatabase(pg.url, (sql) =>
    until(
      async () => {
        const [last] = await sql`
          select from pg_stat_activity where application_name = 'lictor fold' and query = 'commit'`;
        return last !== undefined;
      },
      20_000,
      'the leader has tried to fold',
    ),
  );
  const later = fire(makeAttempts(10, INSTANCES), () => [replica]);
  await later.done;
  const acknowledged = [...kept.attempts, ...later.attempts];
  const promised = { databaseUrl: pg.url, replicas: [replica], key, units: UNITS, acknowledged };
  const { table } = await verifyPromise(promised);
  expect(table.loginCount).toBe(acknowledged.length);
  expect(timesLogged(replica, 'The journal has another history; loading anew.')).toBe(1);
}, 120_000);
