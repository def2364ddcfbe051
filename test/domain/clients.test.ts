import { describe, expect, test } from '@jest/globals';
import { clientsByInstance } from '../../src/domain/clients.ts';
import { Lease, type Place, type Pool } from '../../src/domain/holdings/holdings.ts';
import { addLease, setAllowance, setLease } from '../../src/domain/leases/leasetable.ts';
import { ORDINARY, Table } from '../../src/domain/table.ts';

const KEY = 'k1';

interface World {
  readonly table: Table;
  readonly pool: Pool;
  readonly place: (name: string) => Place;
}

function makeWorld(): World {
  const table = new Table(0);
  return { table, pool: table.pool(KEY), place: (name) => table.place(name) };
}

/** What the server's own books say of a user on an instance. */
function enter({ table, pool, place }: World, user: string, at: string, count: number, standing = ORDINARY) {
  table.shift(pool, user, place(at), count, standing);
}

/** Units leased to an instance, the connections it may hold on the server's account, and what it reported. */
function lease(
  { table, pool, place }: World,
  at: string,
  units: number,
  allowances: Readonly<Record<string, number>>,
  reported: Readonly<Record<string, number>>,
): void {
  const block = new Lease(`lease-${at}`, pool, place(at), 1);
  addLease(table, block);
  setLease(table, block, { units, endsAtMs: 1_000, sequence: 1, revision: 1 });
  for (const [user, allowance] of Object.entries(allowances)) {
    table.shift(pool, user, place(at), allowance, ORDINARY);
    setAllowance(table, block, user, { allowance, shortSinceMs: null, exactAtMs: null });
  }
  for (const [user, connections] of Object.entries(reported)) {
    table.setReported(place(at), user, { connections, webSessions: 0, transitioned: false, sequence: 1 });
  }
  table.setReport(place(at), {
    incarnation: 1,
    pool: KEY,
    counted: false,
    sequence: 1,
    fullFrom: 0,
    rows: 0,
    connections: 0,
    checksum: 0,
    lost: null,
    atMs: 0,
  });
}

/** The rows of an instance as text: `alice 2 shr`. */
function rowsAt({ pool }: World, instance: string): string[] {
  const { clients } = clientsByInstance(pool).get(instance)!;
  return clients
    .map(({ userId, connections, units, isShared }) => `${userId} ${connections} ${isShared ? 'shr' : units}`)
    .sort();
}

function totalUnits({ pool }: World): number {
  return [...clientsByInstance(pool).values()].reduce((total, { units }) => total + units, 0);
}

describe('who is on each instance of a key', () => {
  test('one user on three instances is one unit, on the first of them by name (trap 1)', () => {
    const world = makeWorld();
    for (const at of ['c', 'a', 'b']) enter(world, 'alice', at, 2);
    enter(world, 'bob', 'b', 1);
    expect(rowsAt(world, 'a')).toEqual(['alice 2 1']);
    expect(rowsAt(world, 'b')).toEqual(['alice 2 shr', 'bob 1 1']);
    expect(rowsAt(world, 'c')).toEqual(['alice 2 shr']);
    expect(clientsByInstance(world.pool).get('b')).toMatchObject({
      users: 2,
      connections: 3,
      units: 1,
      unitsShared: 1,
      unitsReserved: 0,
    });
    expect(totalUnits(world)).toBe(world.pool.units);
  });

  test.each([
    ['transitioned', { transitioned: true, apart: false }],
    ['is counted apart', { transitioned: false, apart: true }],
  ])('each connection of a user who %s is a unit, and none is shared (F-32)', (_what, standing) => {
    const world = makeWorld();
    enter(world, 'alice', 'a', 2, standing);
    enter(world, 'alice', 'b', 3, standing);
    expect([rowsAt(world, 'a'), rowsAt(world, 'b')]).toEqual([['alice 2 2'], ['alice 3 3']]);
    expect(clientsByInstance(world.pool).get('a')).toMatchObject({ unitsShared: 0 });
    expect(totalUnits(world)).toBe(world.pool.units);
  });

  test('an instance sees what a shared user costs there', () => {
    const world = makeWorld();
    for (const at of ['a', 'b']) enter(world, 'alice', at, 2);
    const [row] = clientsByInstance(world.pool).get('b')!.clients;
    expect(row).toMatchObject({ units: 0, unitsHere: 1, isShared: true, isElsewhere: true });
  });
});

describe('on leased units', () => {
  test('who stands in no book costs a unit for each connection, and the rest of the lease is reserved', () => {
    const world = makeWorld();
    lease(world, 'a', 5, {}, { alice: 2, bob: 1 });
    expect(rowsAt(world, 'a')).toEqual(['alice 2 2', 'bob 1 1']);
    expect(clientsByInstance(world.pool).get('a')).toMatchObject({ units: 5, unitsReserved: 2 });
    expect(totalUnits(world)).toBe(world.pool.units);
  });

  test('who is confirmed on three instances is one unit, with his allowances together', () => {
    const world = makeWorld();
    for (const at of ['a', 'b', 'c']) lease(world, at, 1, { alice: 4 }, { alice: 4 });
    expect(rowsAt(world, 'a')).toEqual(['alice 4 1']);
    expect(rowsAt(world, 'b')).toEqual(['alice 4 shr']);
    expect(totalUnits(world)).toBe(world.pool.units);
    expect(world.pool.units).toBe(3 + 1);
  });

  test('connections beyond the allowance are paid by the lease', () => {
    const world = makeWorld();
    lease(world, 'a', 3, { alice: 2 }, { alice: 4 });
    lease(world, 'b', 1, { alice: 1 }, { alice: 1 });
    expect(rowsAt(world, 'a')).toEqual(['alice 4 3']);
    expect(rowsAt(world, 'b')).toEqual(['alice 1 shr']);
    expect(clientsByInstance(world.pool).get('a')).toMatchObject({ unitsReserved: 1, unitsShared: 1 });
    expect(totalUnits(world)).toBe(world.pool.units);
  });

  test('an instance that holds a lease and has nobody in is shown', () => {
    const world = makeWorld();
    lease(world, 'a', 3, {}, {});
    expect(clientsByInstance(world.pool).get('a')).toMatchObject({ users: 0, units: 3, unitsReserved: 3 });
  });

  test('a report that is older than the lease makes no more of it than there is', () => {
    const world = makeWorld();
    lease(world, 'a', 1, {}, { alice: 4 });
    expect(clientsByInstance(world.pool).get('a')).toMatchObject({ unitsReserved: 0 });
  });
});
