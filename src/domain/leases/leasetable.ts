/**
 * The primitive changes of leases in the table; they decide nothing.
 */

import { type Lease, touch } from '../holdings/holdings.ts';
import { markPoolUnits, markUnits } from '../marks/marks.ts';
import type { Table } from '../table.ts';

/** What a lease says of a user ID. Instants are milliseconds since 1970. */
export interface LeaseEntry {
  readonly allowance: number;
  /** Since when the instance needs more than it is allowed; null when it does not. */
  readonly shortSinceMs: number | null;
  /** When the instance, asked to hold the user, said that it keeps no more than it has; null when it did not. */
  readonly exactAtMs: number | null;
}

/** Takes a lease that is new into the books; it has no units yet. */
export function addLease(table: Table, lease: Lease): void {
  lease.place.leases.set(lease.id, lease);
  lease.pool.leases.add(lease);
  table.touched?.leases.add(lease);
  table.undoable(() => {
    lease.place.leases.delete(lease.id);
    lease.pool.leases.delete(lease);
  });
}

/** Takes a lease that has neither units nor allowances any more out of the books. */
export function removeLease(table: Table, lease: Lease): void {
  lease.place.leases.delete(lease.id);
  lease.pool.leases.delete(lease);
  table.touched?.leases.add(lease);
  table.undoable(() => {
    lease.place.leases.set(lease.id, lease);
    lease.pool.leases.add(lease);
    table.dueLeases.push(lease);
  });
  table.discardPlace(lease.place.instance);
}

/** Changes the units, the end or the sequence of a lease; its units are in use. */
export function setLease(
  table: Table,
  lease: Lease,
  changes: Pick<Lease, 'units' | 'endsAtMs' | 'sequence' | 'revision'>,
): void {
  const { pool, place, units, endsAtMs, sequence, revision } = lease;
  const { unitsPeak, availableMin } = pool;
  const added = changes.units - units;
  pool.units += added;
  place.units += added;
  Object.assign(lease, changes);
  if (lease.endsAtMs !== endsAtMs) table.dueLeases.push(lease);
  markPoolUnits(pool);
  markUnits(table, place);
  table.touched?.leases.add(lease);
  table.touched?.pools.add(pool);
  table.undoable(() => {
    pool.units -= added;
    place.units -= added;
    pool.unitsPeak = unitsPeak;
    pool.availableMin = availableMin;
    Object.assign(lease, { units, endsAtMs, sequence, revision });
    if (endsAtMs > 0) table.dueLeases.push(lease);
  });
}

/**
 * Replaces an entry of a lease, or removes it. The connections it stands for are `shift`'s part.
 * @param entry - null removes it.
 */
export function setAllowance(table: Table, lease: Lease, userId: string, entry: LeaseEntry | null): void {
  table.replace(lease.allowances, userId, entry?.allowance ?? null);
  table.replace(lease.short, userId, entry?.shortSinceMs ?? null);
  table.replace(lease.exact, userId, entry?.exactAtMs ?? null);
  if (table.touched) touch(table.touched.allowances, lease, userId);
}
