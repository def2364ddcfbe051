/**
 * The fold, whatever becomes of its leader and of the database: it is level with the journal in the end, and the
 * replay from zero equals it.
 */
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { leaderOf, type Replica, startReplica, timesLogged } from '../support/cluster.ts';
import { startOwnPostgres } from '../support/database.ts';
import { closeConnections, fire, installKey, makeAttempts, releaseAll } from '../support/load.ts';
import { readFoldedTable, verifyPromise, withDatabase } from '../support/replay.ts';

const INSTANCES = ['app-a', 'app-b'];
const UNITS = 500;

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 60_000);

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
  const first = fire(makeAttempts(40, INSTANCES), () => [replica]);
  await first.done;
  const folded = await readFoldedTable(pg.url);
  await pg.kill9();
  await pg.start();
  const [left] = await withDatabase(pg.url, (sql) => sql`select version from folds`);
  expect(left!.version).toBeLessThan(folded.version);
  const second = fire(makeAttempts(40, INSTANCES), () => [replica]);
  await second.done;
  await leaderOf([replica]);
  const acknowledged = [...first.attempts, ...second.attempts];
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
}, 60_000);
