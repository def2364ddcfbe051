/**
 * The promise, checked from outside: what the clients were told, the journal replayed from zero, its fold in
 * Postgres, and what every replica answers must all say the same.
 */
import postgres from 'postgres';
import type { JournalRow } from '../../src/domain/events.ts';
import type { Table } from '../../src/domain/table.ts';
import { TableBuilder } from '../../src/service/loading.ts';
import { readRowsAfter } from '../../src/storage/journal.ts';
import { readSnapshot } from '../../src/storage/snapshots.ts';
import type { Replica } from './cluster.ts';
import { type Attempt, grantedOf, must } from './load.ts';
import { replay, snapshotOf } from './snapshot.ts';
import { until } from './wait.ts';

const SHARD = 0;
const NOTHING = { version: 0, batch: '' };
const FOLD_TIMEOUT_MS = 30_000;
const PAGE_LENGTH = 500;

/** Runs something with a handle of its own on a database. */
export async function withDatabase<Value>(
  url: string,
  run: (sql: postgres.Sql) => Promise<Value>,
): Promise<Value> {
  const sql = postgres(url, {
    max: 1,
    onnotice: () => {},
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  }) as unknown as postgres.Sql;
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}

/** Reads the whole journal. */
export function readJournal(url: string): Promise<JournalRow[]> {
  return withDatabase(url, async (sql) => {
    const rows = await readRowsAfter(sql, SHARD, NOTHING, Number.MAX_SAFE_INTEGER - 1);
    if (rows === null) throw new Error('The journal has a gap.');
    return rows;
  });
}

/** Waits until the fold stands at the head of the journal, and reads the table from it. */
export function readFoldedTable(url: string): Promise<Table> {
  return withDatabase(url, async (sql) => {
    await until(
      async () => {
        const [state] = await sql`
          select folds.version = shards.version and folds.batch = shards.batch as level
          from folds join shards on shards.id = folds.shard where shards.id = ${SHARD}`;
        return state!.level;
      },
      FOLD_TIMEOUT_MS,
      'the fold is level with the journal',
    );
    const builder = new TableBuilder(SHARD);
    await readSnapshot(sql, SHARD, builder);
    return builder.table;
  });
}

/** What `verifyPromise` has found, for further questions. */
export interface Found {
  /** The journal, replayed from zero. */
  readonly table: Table;
  readonly rows: readonly JournalRow[];
}

/** What the promise is checked on. */
export interface Promised {
  readonly databaseUrl: string;
  /** Those that run. */
  readonly replicas: readonly Replica[];
  readonly key: string;
  readonly units: number;
  /** Whose grants must be there; those who were released since are left out by the caller. */
  readonly acknowledged: readonly Attempt[];
}

/**
 * Checks the promise on a system at rest.
 * @throws Error that says what differs.
 */
export async function verifyPromise(promised: Promised): Promise<Found> {
  const { databaseUrl, replicas, key, units } = promised;
  const folded = await readFoldedTable(databaseUrl);
  const rows = (await readJournal(databaseUrl)).filter((row) => row.version <= folded.version);
  const table = replay(rows);
  for (const row of rows) mustKeepWithin(row, key, units);
  for (const attempt of grantedOf(promised.acknowledged)) mustHold(table, attempt, key);
  mustEqual(snapshotOf(folded), snapshotOf(table), 'the fold in Postgres and the replay from zero');
  for (const replica of replicas) await mustAnswerLike(replica, table, key);
  return { table, rows };
}

/** No event has ever left more units in use than there are. */
function mustKeepWithin(row: JournalRow, key: string, units: number): void {
  for (const event of row.events) {
    if (event.type !== 'granted' || event.pool !== key || event.used <= units) continue;
    throw new Error(`Row ${row.version} has ${event.used} of ${units} units in use.`);
  }
}

/** An acknowledged grant is in, by the decision that the client was told. */
function mustHold(table: Table, attempt: Attempt, key: string): void {
  const login = table.places.get(attempt.instance)?.logins.get(attempt.id);
  const { body } = attempt.replies.at(-1)!;
  const decision = login && `${SHARD}:${login.moment.version}:${login.index}`;
  if (login?.user?.id !== attempt.user || login.pool.id !== key || decision !== body.decision) {
    throw new Error(`The acknowledged login ${attempt.id} (${body.decision}) is not there: ${decision}.`);
  }
}

/** What a replica tells of a key is what the journal comes to. */
async function mustAnswerLike(replica: Replica, table: Table, key: string): Promise<void> {
  const query = `key=${encodeURIComponent(key)}`;
  const counts = await must(replica.url, 'GET', `/v1/usage/counts?${query}`);
  const pool = table.pools.get(key);
  const { unitsInUse, users, connections } = counts.items[0];
  const expected = [pool?.units ?? 0, pool?.users.size ?? 0, pool?.connections ?? 0];
  mustEqual([unitsInUse, users, connections], expected, `the counts of ${replica.url} and the journal`);
  const told: [string, number][] = [];
  let cursor = '';
  do {
    const path = `/v1/usage/users?${query}&limit=${PAGE_LENGTH}${cursor}`;
    const page = await must(replica.url, 'GET', path);
    for (const { userId, connections: count } of page.items) told.push([userId, count]);
    cursor = page.nextCursor === undefined ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
  } while (cursor !== '');
  const present = [...(pool?.users.readAll() ?? [])].map((user) => [user.id, user.connections] as const);
  mustEqual(new Map(told), new Map(present), `the users of ${replica.url} and the journal`);
}

/** Compares, and says where the first difference is. */
function mustEqual(actual: unknown, expected: unknown, what: string): void {
  const [one, other] = [actual, expected].map((value) => JSON.stringify(sortedEntries(value), null, 1));
  if (one === other) return;
  const lines = [one!.split('\n'), other!.split('\n')] as const;
  const at = lines[0].findIndex((line, index) => line !== lines[1][index]);
  const around = lines.map((text) => text.slice(Math.max(0, at - 12), at + 6).join('\n'));
  throw new Error(`There is a difference between ${what}:\n${around.join('\n--- and ---\n')}`);
}

/** One order for what has none: the entries of a map, and the members of a record that was stored as jsonb. */
function sortedEntries(value: unknown): unknown {
  if (value instanceof Map) return [...value].sort(([one], [other]) => (one < other ? -1 : 1));
  if (Array.isArray(value)) return value.map(sortedEntries);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, member]) => [name, sortedEntries(member)]));
}
