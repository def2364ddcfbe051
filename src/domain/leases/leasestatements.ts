/**
 * What an instance and the server say to each other of leased units: the instance *states* its rights, having
 * lowered them first, and the server *answers* with what they are now. Statements are absolute and numbered, so
 * that one that is lost, doubled or late does no harm.
 */

import type { ProblemCode } from '../errors.ts';
import type { Rule } from '../events.ts';

/** How many user IDs an instance may have an entry of; the connections of every other one cost a unit each. */
export const LEASE_ENTRIES_MAX = 10_000;
/** How many user IDs one statement names, unless it is a whole one. */
export const STATED_USERS_MAX = 2_000;
/** How many user IDs an answer asks an instance to hold; the others are asked for in the next. */
export const HELD_USERS_MAX = 2_000;

/** What an instance states of a user ID that it has an entry of, or makes one of. */
export interface StatedUser {
  readonly id: string;
  /**
   * The connections that it keeps on the server's account. Where it had no entry, these were on its block, and
   * it has taken as many units out of the block: it *pins* them.
   */
  readonly allowance: number;
  /** The connections that it has, and those that wait for this answer. */
  readonly needed: number;
  /** The connections that it would like to be allowed, so that it need not ask for the next. */
  readonly wanted: number;
  /** One of the logins that wait, for the journal to name. */
  readonly login?: string;
}

/** What an instance states of all its rights. Whatever it does not keep it has given up before. */
export interface LeaseStatement {
  /** Higher than that of every earlier statement of this incarnation, from 1 on. */
  readonly sequence: number;
  /** It holds nothing at all: it has just begun, or its term has ended. */
  readonly fresh?: true;
  /** The revision of the lease that its entries are of; of no meaning in a whole statement. */
  readonly basis: number;
  /** `users` are all its entries; otherwise those that changed since the basis. */
  readonly whole?: true;
  /** The units of the block that it keeps. */
  readonly units: number;
  /** The units that it would like to have in its block. */
  readonly wanted: number;
  readonly users: readonly StatedUser[];
}

/** Why a lease is not raised any more. */
export const CLOSING_CODES = [
  'key-expired',
  'key-not-yet-valid',
  'key-untrusted',
  'key-missing',
  'key-unusable',
] as const satisfies readonly ProblemCode[];
export type ClosingCode = (typeof CLOSING_CODES)[number];

/** A user ID for whom a connection was refused, and everything that explains it. */
export interface RefusedUser {
  readonly id: string;
  readonly rule: Extract<Rule, 'enforced-units' | 'transition' | 'unit-limit' | 'partial-activation'>;
  readonly code: Extract<ProblemCode, 'units-exhausted' | 'unit-limit-reached' | 'restart-required'>;
  readonly limit: number;
  readonly inUse: number;
  readonly requested: number;
  /** The decision's ID in the journal. */
  readonly decision: string;
  readonly retryAfterSeconds: number;
}

export interface Allowance {
  readonly id: string;
  readonly allowance: number;
}

/** What the server answers: the rights of the instance as they are now. */
export interface LeaseAnswer {
  /** The statement that this answers; an instance adopts only the answer to its latest. */
  readonly sequence: number;
  /** The lease's ID; left out when there is none. */
  readonly id?: string;
  /** The revision of the lease that its entries are of now. */
  readonly revision: number;
  readonly units: number;
  /** How long the lease may be believed in, in milliseconds, counted from before the statement was first sent. */
  readonly termMs: number;
  /** When the instance should state its rights again, if nothing is wanted before. */
  readonly nextStatementAfterSeconds: number;
  /** Entries that are other than the instance stated them; all of them in a whole answer. */
  readonly allowances: readonly Allowance[];
  readonly whole?: true;
  /** Entries that are no more: these users are nobody's but the instance's own. */
  readonly dropped?: readonly string[];
  /** Users of whom the next statement must say how many connections there are, and keep no more. */
  readonly held?: readonly string[];
  /** Users of whose connections nothing can be decided before other instances have spoken: ask again soon. */
  readonly pending?: readonly string[];
  readonly refused?: readonly RefusedUser[];
  /** Too few units are free: keep none that are idle. */
  readonly scarce: boolean;
  /** Why nothing more is granted, though what is held is held: the key, or that it is leased no longer. */
  readonly closed?: ClosingCode;
  /** The statement was of another revision; nothing was done. State everything, whole. */
  readonly restate?: true;
  /** The server knows of no such rights; nothing was done. Declare everything lost and state afresh. */
  readonly unknown?: true;
}

/** What a margin of time consists of: a fixed part, and a part of the term for clocks that run unevenly. */
export interface Margin {
  readonly fixedMs: number;
  readonly ratio: number;
}

/**
 * By how much an instance ends its term early. The fixed part is more than lies between looking at the clock and
 * acting on it; the other is for clocks that run apart, by far more than they do.
 */
export const INSTANCE_MARGIN: Margin = { fixedMs: 500, ratio: 0.02 };

/** By how much the server takes a lease back late, in milliseconds: its clock may be moved on by as much. */
export const SERVER_MARGIN_MS = 2_000;

/** @returns the margin of a term in milliseconds. */
export function marginOf({ fixedMs, ratio }: Margin, termMs: number): number {
  return Math.ceil(fixedMs + termMs * ratio);
}
