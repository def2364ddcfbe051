/**
 * The over-limit ledger: from when to when the combined use of a key was over its limit, by how much, who came
 * in meanwhile, and how it ended (F-50, F-52…F-54).
 */

import type { Draft } from './draft.ts';
import type { Pool } from './holdings/holdings.ts';
import type { Answer, Operation } from './operations.ts';

/** How combined use came over the limit. */
export type ExcessCause =
  /** Instances let users in before they heard of each other (F-50). */
  | 'reported'
  /** An instance that had been given up for silent came back with its users. */
  | 'returned'
  /** A key was activated that has fewer units than the users need who were in. */
  | 'activated';

/** A user who came in while combined use was over the limit, or whose coming brought it over. */
export interface ExcessUser {
  readonly user: string;
  readonly instance: string;
}

/** One episode: its whole record as of an instant. */
export interface Excess {
  /** The ID of the decision that began it. */
  readonly id: string;
  readonly pool: string;
  /** The units that were enforced. */
  readonly limit: number;
  readonly cause: ExcessCause;
  readonly fromMs: number;
  /** The instant that this record is of, ms since 1970. */
  readonly atMs: number;
  /** When combined use was below the limit again; null while it is not (F-54). */
  readonly toMs: number | null;
  /** Units over the limit at `atMs`; 0 while use is exactly the limit. */
  readonly units: number;
  readonly unitsMax: number;
  /** Units over the limit times milliseconds, from `fromMs` to `atMs`. */
  readonly unitMs: number;
  /** The first of those who came in, at most `EXCESS_USERS_MAX`. */
  readonly users: readonly ExcessUser[];
  /** How often somebody came in: whoever went and came again is counted again. */
  readonly usersCount: number;
  /** The instances that they came in on, the first `EXCESS_INSTANCES_MAX` of them. */
  readonly instances: readonly string[];
  /** What brought use below the limit; null while nothing has. */
  readonly endedBy: ExcessEnd | null;
}

/** What brought use below the limit, or that instances do not decide for themselves any more. */
export type ExcessEnd = 'logouts' | 'silence' | 'restart' | 'removal' | 'change';

/** How many users an episode names; the others are counted. */
export const EXCESS_USERS_MAX = 100;
/** How many instances an episode names: its record is written anew with every change. */
export const EXCESS_INSTANCES_MAX = 100;

/** What a batch has come to of one pool, and no record says yet. */
export interface Meanwhile {
  /** Who came in over the limit. */
  readonly arrivals: ExcessUser[];
  /** The most units over the limit at one time. */
  unitsMax: number;
}

/**
 * Begins an episode when combined use is over the limit of a pool that has none, or notes who came in during the
 * one that is open. It is over with the first unit past the limit (F-52).
 * @param over.limit - the units that are enforced.
 * @param over.arrivals - who came in over the limit.
 */
export function noteExcess(
  draft: Draft,
  pool: Pool,
  over: { readonly limit: number; readonly cause: ExcessCause; readonly arrivals: readonly ExcessUser[] },
): void {
  const { limit, cause, arrivals } = over;
  noteMeanwhile(draft, pool, arrivals);
  if (pool.excess !== null || pool.units <= limit) return;
  const excess: Excess = {
    id: draft.nextDecision,
    pool: pool.id,
    limit,
    cause,
    fromMs: draft.atMs,
    atMs: draft.atMs,
    toMs: null,
    units: 0,
    unitsMax: 0,
    unitMs: 0,
    users: [],
    usersCount: 0,
    instances: [],
    endedBy: null,
  };
  draft.emit({ type: 'excess', excess: continued(draft, pool, excess) });
}

/** The most of a batch counts, even if the next operation of it took some of that away again. */
function noteMeanwhile(draft: Draft, pool: Pool, arrivals: readonly ExcessUser[]): void {
  const { excess } = pool;
  const units = excess === null ? 0 : pool.units - excess.limit;
  if (arrivals.length === 0 && units <= (excess?.unitsMax ?? 0)) return;
  const known = draft.meanwhile.get(pool.id);
  if (!known) {
    draft.meanwhile.set(pool.id, { arrivals: [...arrivals], unitsMax: units });
    return;
  }
  for (const arrival of arrivals) known.arrivals.push(arrival);
  known.unitsMax = Math.max(known.unitsMax, units);
}

/** Ends the episodes of the pools whose combined use is below the limit: to reach it is not enough (F-54). */
export function endExcesses(draft: Draft, endedBy: ExcessEnd): void {
  for (const pool of [...draft.table.over]) {
    if (pool.excess !== null && pool.units < pool.excess.limit) endExcess(draft, pool, endedBy);
  }
}

/** Ends the episode of a pool, if one is open, wherever its use stands. */
export function endExcess(draft: Draft, pool: Pool, endedBy: ExcessEnd): void {
  if (pool.excess === null) return;
  const last = continued(draft, pool, pool.excess);
  draft.emit({ type: 'excess', excess: { ...last, toMs: draft.atMs, endedBy } });
}

/** Brings the records of open episodes up to the end of a batch, where it changed anything of them. */
export function recordExcesses(draft: Draft): void {
  for (const pool of draft.table.over) {
    const { excess } = pool;
    if (excess === null) continue;
    if (pool.units - excess.limit === excess.units && !draft.meanwhile.has(pool.id)) continue;
    draft.emit({ type: 'excess', excess: continued(draft, pool, excess) });
  }
}

/** The record as of now: what was over the limit since it was written is counted for that time. */
function continued(draft: Draft, pool: Pool, excess: Excess): Excess {
  const { arrivals = [], unitsMax = 0 } = draft.meanwhile.get(pool.id) ?? {};
  draft.meanwhile.delete(pool.id);
  const units = Math.max(0, pool.units - excess.limit);
  const instances = new Set(excess.instances);
  for (const { instance } of arrivals) instances.add(instance);
  return {
    ...excess,
    atMs: draft.atMs,
    units,
    unitsMax: Math.max(excess.unitsMax, unitsMax, units),
    unitMs: unitMsAt(excess, draft.atMs),
    users: [...excess.users, ...arrivals].slice(0, EXCESS_USERS_MAX),
    usersCount: excess.usersCount + arrivals.length,
    instances: [...instances].slice(0, EXCESS_INSTANCES_MAX),
  };
}

/**
 * Units over the limit times milliseconds, from the beginning to an instant.
 * @param atMs - ms since 1970; for an episode that is over, its end counts.
 */
export function unitMsAt(excess: Excess, atMs: number): number {
  const sinceMs = Math.max(0, (excess.toMs ?? atMs) - excess.atMs);
  return excess.unitMs + excess.units * sinceMs;
}

/** @returns what an operation is called when it brings combined use below the limit. */
export function endOf(operation: Operation, answer: Answer): ExcessEnd {
  switch (operation.op) {
    case 'reap':
    case 'reap-instance':
      return 'silence';
    case 'register':
      return answer.is === 'instance' && answer.outcome === 'restart' ? 'restart' : 'removal';
    case 'deregister':
    case 'close-instance':
    case 'activate-key':
    case 'check-key':
      return 'removal';
    default:
      return 'logouts';
  }
}
