/**
 * What the fold writes of leased units.
 */

import type { Lease, Touched } from '../domain/holdings/holdings.ts';
import type { Table } from '../domain/table.ts';
import type { AllowanceRecord, LeaseChanges, LeaseRecord } from '../storage/leases.ts';

/** Reads the absolute values of every lease and entry that was touched, as the table is. */
export function leaseChangesOf(table: Table, touched: Touched): LeaseChanges {
  const leases: LeaseRecord[] = [];
  const leasesGone: string[] = [];
  for (const lease of touched.leases) {
    if (isThere(table, lease)) leases.push(recordOf(lease));
    // A batch that was taken back and decided again made it twice, under one ID.
    else if (!table.places.get(lease.place.instance)?.leases.has(lease.id)) leasesGone.push(lease.id);
  }
  const allowances: AllowanceRecord[] = [];
  const allowancesGone: { lease: string; userId: string }[] = [];
  for (const [lease, userIds] of touched.allowances) {
    // The entries of a lease that has ended go with it.
    if (!isThere(table, lease)) continue;
    for (const userId of userIds) {
      const allowance = lease.allowances.get(userId);
      if (allowance === undefined) allowancesGone.push({ lease: lease.id, userId });
      else {
        const shortSinceMs = lease.short.get(userId) ?? null;
        const exactAtMs = lease.exact.get(userId) ?? null;
        allowances.push({ lease: lease.id, userId, allowance, shortSinceMs, exactAtMs });
      }
    }
  }
  return { leases, leasesGone, allowances, allowancesGone };
}

function isThere(table: Table, lease: Lease): boolean {
  return table.places.get(lease.place.instance)?.leases.get(lease.id) === lease;
}

function recordOf(lease: Lease): LeaseRecord {
  const { id, pool, place, incarnation, units, sequence, revision, endsAtMs } = lease;
  return {
    id,
    pool: pool.id,
    instance: place.instance,
    incarnation,
    units,
    sequence,
    revision,
    endsAtMs,
  };
}
