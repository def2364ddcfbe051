/**
 * What a dump of the folded table must be: the rows that the table itself comes to.
 */
import { expect } from '@jest/globals';
import type { Sql } from 'postgres';
import { clientsByInstance } from '../../src/domain/clients.ts';
import type { Pool } from '../../src/domain/holdings/holdings.ts';
import type { Table } from '../../src/domain/table.ts';
import { rowsOfInstance } from '../../src/domain/texts/reportrows.ts';
import type { KeyUserRow } from '../../src/domain/texts/usagerows.ts';
import { type DumpReader, openKeyDump, openProcessDump, openUserDump } from '../../src/storage/dumps.ts';
import { SHARD, type TestShard } from './lane.ts';

const TIMEOUT_MS = 20_000;
/** Fewer than there are rows, so that a dump is read in several goes. */
const ROWS_PER_READ = 2;

/** Reads a dump to its end. */
export async function readWhole<Item>(reader: DumpReader<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const more = await reader.read(ROWS_PER_READ);
    items.push(...more);
    if (more.length < ROWS_PER_READ) return items;
  }
}

/** Opens a dump, and reads all of it. */
async function dumped<Of, Item>(
  sql: Sql,
  open: (sql: Sql, shard: number, of: Of, timeoutMs: number) => Promise<DumpReader<Item>>,
  of: Of,
): Promise<{ readonly head: DumpReader<Item>; readonly items: Item[] }> {
  const head = await open(sql, SHARD, of, TIMEOUT_MS);
  const items = await readWhole(head);
  // The others are read on the same connection.
  await sql`close lictor_dump`;
  return { head, items };
}

/** Holds every dump against a table whose head is the fold's. */
export async function expectDumps(shard: TestShard, table: Table): Promise<void> {
  const sql = shard.connect('dump');
  for (const instance of table.places.keys()) {
    const { users, processes } = rowsOfInstance(table, instance);
    const ofUsers = await dumped(sql, openUserDump, instance);
    expect(ofUsers.items).toEqual(users.map(({ order: _order, ...row }) => row));
    const units = users.reduce((sum, row) => sum + row.units, 0);
    expect(ofUsers.head).toMatchObject({ version: table.version, rows: users.length, units });
    const ofProcesses = await dumped(sql, openProcessDump, instance);
    expect(ofProcesses.items).toEqual(processes.map(({ order: _order, ...row }) => row));
  }
  const pools = [...table.pools.keys()].sort().reverse();
  const expected = pools.flatMap((pool) => rowsOfPool(table.pools.get(pool)!));
  const byUser = await dumped(sql, openKeyDump, { pools, instance: null, first: 'user' });
  expect(byUser.items).toEqual(sorted(expected, pools, ({ userId, instance }) => `${userId}\0${instance}`));
  const byInstance = await dumped(sql, openKeyDump, { pools, instance: null, first: 'instance' });
  expect(byInstance.items).toEqual(
    sorted(expected, pools, ({ userId, instance }) => `${instance}\0${userId}`),
  );
  for (const instance of table.places.keys()) {
    const of = { pools, instance, first: 'instance' } as const;
    const only = byInstance.items.filter((row) => row.instance === instance);
    expect((await dumped(sql, openKeyDump, of)).items).toEqual(only);
  }
  await sql.end();
}

function rowsOfPool(pool: Pool): KeyUserRow[] {
  return [...clientsByInstance(pool)].flatMap(([instance, { clients }]) =>
    clients.map(({ unitsHere: _unitsHere, ...client }) => ({ pool: pool.id, instance, ...client })),
  );
}

function sorted(
  rows: readonly KeyUserRow[],
  pools: readonly string[],
  textOf: (row: KeyUserRow) => string,
): KeyUserRow[] {
  const byText = (one: KeyUserRow, other: KeyUserRow) =>
    Buffer.compare(Buffer.from(textOf(one)), Buffer.from(textOf(other)));
  return pools.flatMap((pool) => rows.filter((row) => row.pool === pool).sort(byText));
}
