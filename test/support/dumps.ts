/**
 * What a dump of the folded table must be: the rows that the table itself comes to.
 */
import { expect } from '@jest/globals';
import type { Sql } from 'postgres';
import { clientsByInstance } from '../../src/domain/clients.ts';
import { rowsOfInstance } from '../../src/domain/reportrows.ts';
import type { Table } from '../../src/domain/table.ts';
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
async function dumped<Item>(
  sql: Sql,
  open: (sql: Sql, shard: number, of: string, timeoutMs: number) => Promise<DumpReader<Item>>,
  of: string,
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
  for (const pool of table.pools.values()) {
    const expected = [...clientsByInstance(pool)].flatMap(([instance, { clients }]) =>
      clients.map(({ userId, connections, units, isShared }) => ({
        userId,
        instance,
        connections,
        units,
        isShared,
      })),
    );
    const { items } = await dumped(sql, openKeyDump, pool.id);
    const at = ({ userId, instance }: { userId: string; instance: string }) =>
      Buffer.from(`${userId}\0${instance}`);
    expect(items).toEqual(expected.sort((one, other) => Buffer.compare(at(one), at(other))));
  }
  await sql.end();
}
