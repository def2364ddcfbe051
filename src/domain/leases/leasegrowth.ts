/**
 * Raising a lease: connections of users whom an instance asks for, and units for its block.
 */

import { FLAGS } from '../events.ts';
import { RETRY_AFTER_SECONDS } from '../grounds.ts';
import type { Lease } from '../holdings/holdings.ts';
import { isJoined } from './leasebooks.ts';
import type { LeaseChange } from './leasechange.ts';
import { LEASE_ENTRIES_MAX, type RefusedUser, type StatedUser } from './leasestatements.ts';

/** What may be taken at most, and when. */
export interface Room {
  /** The units that are enforced (I1). */
  readonly limit: number;
  /** The units that the instance may consume (`SetUserLimit`, notes 2.2); infinity without a limit. */
  readonly limitHere: number;
  /** Whether that is all that it can use before its next start (F-22). */
  readonly isPartlyActive: boolean;
  readonly connectionsPerUnitMax: number;
  /** How often an instance states its rights at least, in milliseconds. */
  readonly statementIntervalMs: number;
  /** Now, ms since 1970. */
  readonly atMs: number;
}

/** Why a user gets no more connections. */
export type Shortfall = Omit<RefusedUser, 'id' | 'decision'>;

/** What became of the wish for more connections: all that is needed, a refusal, or nothing that is decided yet. */
export type Growth = 'done' | 'pending' | Shortfall;

/**
 * A transition waits until the other instances have said how many connections they have of the user: what they
 * are merely allowed should not make him cost more. After they must have stated their rights once and so much
 * time, the books alone decide.
 */
export const CONTEST_SLACK_MS = 3_000;

/** So long the others go on keeping no more than they have, although whoever needed more has given up, in ms. */
const CONTEST_KEPT_MS = 30_000;

/** Raises what a lease allows of a user to what is needed, and beyond as far as that is cheap. */
export function growUser(change: LeaseChange, user: StatedUser, room: Room): Growth {
  const { lease } = change;
  const { id, needed, wanted } = user;
  const before = change.allowanceOf(id);
  const mustWait = needed > before && isContested(change, user, room);
  let allowance = before;
  if (needed > before) allowance = mostThatFits(change, user, room, mustWait);
  const isWatched = isShortElsewhere(lease, id, room.atMs);
  if (allowance >= needed && wanted > allowance && !isWatched)
    allowance = withSpare(change, id, allowance, wanted, room.connectionsPerUnitMax);
  const isShort = allowance < needed ? mustWait : isStillShort(lease, id, allowance > before, room);
  const isExact = user.allowance <= needed && isWatched;
  const ground = allowance < needed && !isShort ? shortfall(change, id, allowance, room) : null;
  if (allowance !== before || isShort !== lease.short.has(id) || isExact) {
    change.allow(id, allowance, (isShort ? FLAGS.short : 0) | (isExact ? FLAGS.exact : 0));
  }
  return ground ?? (allowance < needed ? 'pending' : 'done');
}

/** Whether so many connections make every one of a user's cost a unit, which they did not before. */
function becomesDear(change: LeaseChange, userId: string, allowance: number): boolean {
  const { transitioned, apart } = change.countWith(userId, allowance);
  return transitioned && !apart && change.lease.pool.users.get(userId)?.transitioned !== true;
}

/** Whether what a user needs makes him transition by what other instances are allowed, and maybe do not have. */
function isContested(change: LeaseChange, { id, needed }: StatedUser, room: Room): boolean {
  const { lease } = change;
  if (!becomesDear(change, id, needed)) return false;
  const sinceMs = lease.short.get(id) ?? room.atMs;
  if (room.atMs - sinceMs >= room.statementIntervalMs + CONTEST_SLACK_MS) return false;
  for (const other of lease.pool.leases) {
    if (other === lease || (other.allowances.get(id) ?? 0) === 0) continue;
    if ((other.exact.get(id) ?? Number.NEGATIVE_INFINITY) < sinceMs) return true;
  }
  return false;
}

/** Whoever gave up may ask again, and then need not wait once more. */
function isStillShort(lease: Lease, userId: string, hasGrown: boolean, { atMs }: Room): boolean {
  const sinceMs = lease.short.get(userId);
  return sinceMs !== undefined && !hasGrown && atMs - sinceMs < CONTEST_KEPT_MS;
}

/** Whether another instance has needed more connections of a user than it is allowed, not long ago. */
function isShortElsewhere(lease: Lease, userId: string, atMs: number): boolean {
  return shortSince(lease, userId, atMs) !== null;
}

/**
 * Whether another instance waits for what this one says of a user.
 * @param atMs - now, ms since 1970.
 */
export function isAwaited(lease: Lease, userId: string, atMs: number): boolean {
  const sinceMs = shortSince(lease, userId, atMs);
  return sinceMs !== null && (lease.exact.get(userId) ?? Number.NEGATIVE_INFINITY) < sinceMs;
}

/** @returns since when the last of the other instances has been short, ms since 1970; null when none is. */
function shortSince(lease: Lease, userId: string, atMs: number): number | null {
  let lastMs: number | null = null;
  for (const other of lease.pool.leases) {
    const sinceMs = other === lease ? undefined : other.short.get(userId);
    if (sinceMs !== undefined && atMs - sinceMs < CONTEST_KEPT_MS) lastMs = Math.max(lastMs ?? 0, sinceMs);
  }
  return lastMs;
}

/** @returns the largest allowance up to what is needed that there are units for. */
function mostThatFits(change: LeaseChange, user: StatedUser, room: Room, mustWait: boolean): number {
  const { id } = user;
  const before = change.allowanceOf(id);
  let allowance = user.needed;
  while (allowance > before) {
    const isOpen = !mustWait || !becomesDear(change, id, allowance);
    if (isOpen && fits(change, id, allowance, room)) return allowance;
    allowance -= 1;
  }
  return before;
}

function fits(change: LeaseChange, userId: string, allowance: number, room: Room): boolean {
  const added = change.addedBy(userId, allowance);
  if (added.here > 0 && change.unitsHere + added.here > room.limitHere) return false;
  return added.pool <= 0 || change.used + added.pool <= room.limit;
}

/** Half of what is left to a user is spared for the other instances; where it costs units, nothing is spared. */
function withSpare(
  change: LeaseChange,
  userId: string,
  allowance: number,
  wanted: number,
  max: number,
): number {
  const { connections } = change.countWith(userId, allowance);
  const spare = Math.min(wanted - allowance, Math.floor((max - connections) / 2));
  if (spare <= 0 || connections === 0) return allowance;
  const [now, then] = [change.addedBy(userId, allowance), change.addedBy(userId, allowance + spare)];
  return then.pool > now.pool || then.here > now.here ? allowance : allowance + spare;
}

/** Why a user gets no connection more than these. */
function shortfall(change: LeaseChange, userId: string, allowance: number, room: Room): Shortfall {
  const [now, next] = [change.addedBy(userId, allowance), change.addedBy(userId, allowance + 1)];
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  const requested = next.here - now.here;
  if (requested > 0 && change.unitsHere + next.here > room.limitHere) {
    const inUse = change.unitsHere + now.here;
    const limit = room.limitHere;
    const why = room.isPartlyActive
      ? ({ rule: 'partial-activation', code: 'restart-required' } as const)
      : ({ rule: 'unit-limit', code: 'unit-limit-reached' } as const);
    return { ...why, limit, inUse, requested, retryAfterSeconds };
  }
  const isTransition = becomesDear(change, userId, allowance + 1) && !becomesDear(change, userId, allowance);
  return {
    rule: isTransition ? 'transition' : 'enforced-units',
    code: 'units-exhausted',
    limit: room.limit,
    inUse: change.used + now.pool,
    requested: next.pool - now.pool,
    retryAfterSeconds,
  };
}

/**
 * Raises the block of a lease by what is wanted, as far as its share of the free units goes. A block that grows
 * from nothing begins with an entry of 0 for every user who is counted together (I2).
 * @returns whether everything that is wanted was granted.
 */
export function growBlock(change: LeaseChange, wanted: number, room: Room): boolean {
  const { pool, allowances } = change.lease;
  const missing = wanted - change.units;
  if (missing <= 0) return true;
  const share = Math.floor((room.limit - change.used) / pool.leases.size);
  const units = Math.min(missing, share, room.limitHere - change.unitsHere);
  if (units <= 0) return false;
  if (change.units === 0) {
    const joined: string[] = [];
    for (const user of pool.users.readAll()) {
      if (isJoined(user) && !change.hasEntry(user.id)) joined.push(user.id);
    }
    if (change.entries + joined.length > LEASE_ENTRIES_MAX) return false;
    for (const id of joined) change.allow(id, allowances.get(id) ?? 0);
  }
  change.units += units;
  return units === missing;
}
