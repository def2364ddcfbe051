/**
 * The end of leases, and what it and every new entry bring: users who were counted apart are counted together as
 * soon as no lease can hold connections of theirs that the server does not know of.
 */

import { CONNECTIONS_PER_UNIT_MAX, unitsOf } from '../counting.ts';
import type { Draft } from '../draft.ts';
import { FLAGS, type ReleaseReason } from '../events.ts';
import type { Lease, Place, Pool } from '../holdings/holdings.ts';
import type { Table } from '../table.ts';
import { isHeldByAll } from './leasebooks.ts';
import { LeaseChange } from './leasechange.ts';
import { SERVER_MARGIN_MS } from './leasestatements.ts';

/** When the first lease is surely over, by the database's clock in ms since 1970; infinity when there is none. */
export function nextLeaseEndMs(table: Table): number {
  return table.dueLeases.nextMs + SERVER_MARGIN_MS;
}

/** @returns a lease whose term has surely ended, if there is one; it is not found a second time. */
export function takeEndedLease(draft: Draft): Lease | undefined {
  return draft.table.dueLeases.take(draft.atMs - SERVER_MARGIN_MS);
}

/** Emits the end of a lease: its units are free. */
export function endLease(draft: Draft, lease: Lease, reason: ReleaseReason, actor: string): void {
  const { pool, place } = lease;
  const change = new LeaseChange(lease, CONNECTIONS_PER_UNIT_MAX);
  change.units = 0;
  for (const id of lease.allowances.keys()) change.drop(id);
  draft.emit({
    type: 'lease-ended',
    lease: lease.id,
    instance: place.instance,
    reason,
    pool: pool.id,
    used: change.used,
    by: draft.by(actor),
  });
  joinHeld(draft, pool, null);
}

/** Emits the end of the leases of one incarnation of an instance, which has said that it holds nothing any more. */
export function endLeases(
  draft: Draft,
  place: Place,
  incarnation: number,
  reason: ReleaseReason,
  actor: string,
): void {
  for (const lease of [...place.leases.values()]) {
    if (lease.incarnation === incarnation) endLease(draft, lease, reason, actor);
  }
}

/**
 * Emits that users are counted together from now on, if they can be.
 * @param userIds - whom to look at; null looks at everybody who is counted apart.
 */
export function joinHeld(draft: Draft, pool: Pool, userIds: readonly string[] | null): void {
  const max = draft.table.keys.get(pool.id)?.connectionsPerUnitMax ?? CONNECTIONS_PER_UNIT_MAX;
  const users: [string, number][] = [];
  let { units: used } = pool;
  for (const id of userIds ?? pool.apart) {
    const user = pool.users.get(id);
    if (!user?.apart || !isHeldByAll(pool, id)) continue;
    const { connections } = user;
    const transitioned = user.transitioned || connections > max;
    used += unitsOf({ connections, transitioned, apart: false }) - unitsOf(user);
    users.push([id, transitioned ? FLAGS.transitioned : 0]);
  }
  if (users.length > 0) draft.emit({ type: 'joined', pool: pool.id, users, used });
}
