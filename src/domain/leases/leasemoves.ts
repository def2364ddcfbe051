/**
 * A lease going over to the key that its instance works under now. What the instance believes in stays as it is:
 * the books of the one key are lowered by it and those of the other raised, in one step, so that neither is ever
 * below it. It goes over whole, or not yet: only where all of it fits, and nobody's count rests on an entry that
 * the instance has not made.
 */

import type { Draft } from '../draft.ts';
import { Lease, type Pool } from '../holdings/holdings.ts';
import type { InstalledKey } from '../keys/keyring.ts';
import { isJoined } from './leasebooks.ts';
import { LeaseChange } from './leasechange.ts';
import { endLease, joinHeld } from './leaseends.ts';
import { HELD_USERS_MAX } from './leasestatements.ts';

/** Where a lease is to go, and what there is for it. */
export interface LeaseTarget {
  readonly key: InstalledKey;
  /** The units that are enforced there. */
  readonly limit: number;
  /** The units that the instance may have over all; infinity for no limit. */
  readonly limitHere: number;
}

/** What the event of a lease says besides its rows. */
interface Said {
  readonly sequence: number;
  /** Until when the instance may believe in it, ms since 1970. */
  readonly ends: number;
  readonly actor: string;
}

/**
 * The users whom the instance must hold before its block can count in another pool, because they are counted
 * together there: it might let them in on its block (S-4).
 */
export function unheldIn(pool: Pool | undefined, lease: Lease): string[] {
  const unheld: string[] = [];
  if (!pool || lease.units === 0) return unheld;
  for (const user of pool.users.readAll()) {
    if (unheld.length === HELD_USERS_MAX) break;
    if (isJoined(user) && !lease.allowances.has(user.id)) unheld.push(user.id);
  }
  return unheld;
}

/**
 * Emits that a lease counts under another key from now on, if it can.
 * @param lease - as the instance has just stated it.
 * @returns the lease there; null where it stays where it is for now.
 */
export function moveLease(draft: Draft, lease: Lease, target: LeaseTarget, said: Said): Lease | null {
  const { place, incarnation, units } = lease;
  const pool = draft.table.pool(target.key.id);
  if (!fits(lease, pool, target)) return null;
  const { sequence, ends, actor } = said;
  const entries = entriesOf(lease);
  endLease(draft, lease, 'moved', actor);
  const id = draft.nextDecision;
  const by = draft.by(actor);
  draft.emit({
    ...{ type: 'leased', lease: id, instance: place.instance, incarnation, pool: pool.id },
    ...{ sequence, units: 0, ends: draft.atMs, used: pool.units, by },
  });
  const moved = place.leases.get(id)!;
  const change = put(moved, target.key, units, entries);
  draft.emit(change.event({ sequence, ends, by }));
  joinHeld(
    draft,
    pool,
    entries.map(({ user }) => user),
  );
  return moved;
}

function put(
  lease: Lease,
  { connectionsPerUnitMax }: InstalledKey,
  units: number,
  entries: readonly Entry[],
): LeaseChange {
  const change = new LeaseChange(lease, connectionsPerUnitMax);
  change.units = units;
  for (const { user, allowance, transitioned } of entries) change.allow(user, allowance, 0, transitioned);
  return change;
}

/** An entry that goes over: whoever has transitioned stays so until none of his connections is left (F-33). */
interface Entry {
  readonly user: string;
  readonly allowance: number;
  readonly transitioned: boolean;
}

function entriesOf({ allowances, pool }: Lease): Entry[] {
  return [...allowances].map(([user, allowance]) => {
    const transitioned = allowance > 0 && pool.users.get(user)?.transitioned === true;
    return { user, allowance, transitioned };
  });
}

/** Whether all of a lease fits into another pool, with nobody coming to transition by it (S-3, S-5). */
function fits(lease: Lease, pool: Pool, { key, limit, limitHere }: LeaseTarget): boolean {
  const { place, incarnation, units, allowances } = lease;
  if (unheldIn(pool, lease).length > 0) return false;
  const entries = entriesOf(lease);
  const there = put(new Lease('', pool, place, incarnation), key, units, entries);
  if (there.used > limit) return false;
  const here = new LeaseChange(lease, key.connectionsPerUnitMax);
  here.units = 0;
  for (const user of allowances.keys()) here.drop(user);
  const unitsHere = here.unitsHere + there.unitsHere - place.units;
  if (unitsHere > Math.max(limitHere, place.units)) return false;
  return entries.every(({ user, allowance, transitioned }) => {
    const isAlready = transitioned || pool.users.get(user)?.transitioned === true;
    return isAlready || !there.countWith(user, allowance).transitioned;
  });
}
