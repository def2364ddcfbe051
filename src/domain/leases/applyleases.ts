/**
 * Applying what becomes of leased units. Like all of `apply.ts`, it decides nothing.
 */

import { FLAGS, type Joined, type Leased, type LeaseEnded } from '../events.ts';
import { Lease } from '../holdings/holdings.ts';
import { complain, type Position, verifyUsed } from '../position.ts';
import type { Standing, Table } from '../table.ts';
import { addLease, type LeaseEntry, removeLease, setAllowance, setLease } from './leasetable.ts';

/** Applies a lease that is new, or what an instance's statement made of it. */
export function applyLeased(table: Table, event: Leased, position: Position): void {
  const place = table.place(event.instance);
  const pool = table.pool(event.pool);
  let lease = place.leases.get(event.lease);
  if (!lease) {
    lease = new Lease(event.lease, pool, place, event.incarnation);
    addLease(table, lease);
  }
  const { units, ends: endsAtMs, sequence } = event;
  setLease(table, lease, { units, endsAtMs, sequence, revision: lease.revision + 1 });
  for (const [user, allowance, flags] of event.allowances ?? []) {
    const difference = allowance - (lease.allowances.get(user) ?? 0);
    if (difference !== 0 || pool.users.has(user))
      table.shift(pool, user, place, difference, standingOf(flags));
    setAllowance(table, lease, user, entryOf(lease, user, allowance, flags, position));
  }
  for (const user of event.dropped ?? []) dropEntry(table, lease, user);
  verifyUsed(position, pool, event.used);
}

/** An entry that was short before is short since then. */
function entryOf(
  lease: Lease,
  user: string,
  allowance: number,
  flags: number,
  { moment }: Position,
): LeaseEntry {
  const shortSinceMs = (flags & FLAGS.short) === 0 ? null : (lease.short.get(user) ?? moment.atMs);
  return { allowance, shortSinceMs, exactAtMs: (flags & FLAGS.exact) === 0 ? null : moment.atMs };
}

function dropEntry(table: Table, lease: Lease, user: string): void {
  const { pool, place } = lease;
  const allowance = lease.allowances.get(user) ?? 0;
  const standing = pool.users.get(user);
  if (allowance > 0 && standing) table.shift(pool, user, place, -allowance, standing);
  setAllowance(table, lease, user, null);
}

/** Applies the end of a lease. */
export function applyLeaseEnded(table: Table, event: LeaseEnded, position: Position): void {
  const place = table.place(event.instance);
  const pool = table.pool(event.pool);
  const lease = place.leases.get(event.lease);
  if (!lease) complain(position, `lease ${event.lease} is not in the books`);
  for (const user of [...lease.allowances.keys()]) dropEntry(table, lease, user);
  const { endsAtMs, sequence, revision } = lease;
  setLease(table, lease, { units: 0, endsAtMs, sequence, revision });
  removeLease(table, lease);
  verifyUsed(position, pool, event.used);
}

/** Applies that users are counted together from now on. */
export function applyJoined(table: Table, event: Joined, position: Position): void {
  const pool = table.pool(event.pool);
  for (const [id, flags] of event.users) {
    const user = pool.users.get(id);
    if (!user?.home) complain(position, `user "${id}" has no connection`);
    table.shift(pool, id, user.home, 0, standingOf(flags));
  }
  verifyUsed(position, pool, event.used);
}

function standingOf(flags: number): Standing {
  return { transitioned: (flags & FLAGS.transitioned) !== 0, apart: (flags & FLAGS.apart) !== 0 };
}
