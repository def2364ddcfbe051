/**
 * A login, and what logins share. Plain data; `table.ts` changes it and `apply.ts` says when.
 */

import type { ReleaseReason } from '../events.ts';
import type { LoginKind } from '../users.ts';
import type { Place, Pool } from './holdings.ts';
import type { User } from './user.ts';

/** `active`; `pending` until it identifies itself (F-43); `grace` when it went out but its unit is still held. */
export type Phase = 'active' | 'pending' | 'grace';

/** The row that something stands in. All of a row share one, since a table holds millions of logins. */
export interface Moment {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

const NEVER: Moment = { version: 0, atMs: 0 };

/** What a login came to when it was granted, so that a retry gets the same answer. */
export interface Totals {
  /** Of its user, with it. */
  readonly connections: number;
  readonly units: number;
  /** The units that it took. */
  readonly unitsAdded: number;
  readonly transitioned: boolean;
}

const NO_TOTALS: Totals = { connections: 0, units: 0, unitsAdded: 0, transitioned: false };
/** A user's first connection takes a unit, and the next ones share it: nearly all logins come to one of these. */
const SHARED_TOTALS: readonly Totals[] = Array.from({ length: 33 }, (_, connections) => ({
  connections,
  units: 1,
  unitsAdded: connections === 1 ? 1 : 0,
  transitioned: false,
}));

/** Orders logins by when they were granted, oldest first: the one order in which every replica has them. */
export function byAge(one: Login, other: Login): number {
  return one.moment.version - other.moment.version || one.index - other.index;
}

/** @returns the totals of a connection that shares its user's unit, by how many he has with it; they are one object. */
export function sharedTotals(connections: number): Totals {
  return SHARED_TOTALS[connections]!;
}

/** @returns totals, which are not to be changed; equal ones are mostly one object. */
export function totalsOf(
  connections: number,
  units: number,
  unitsAdded: number,
  transitioned: boolean,
): Totals {
  const shared = SHARED_TOTALS[connections];
  const isAlike = shared?.units === units && shared.unitsAdded === unitsAdded && !transitioned;
  return isAlike ? shared : { connections, units, unitsAdded, transitioned };
}

/** When and why logins were released; those that went together share one. */
export interface Release {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly reason: ReleaseReason;
}

/** What most logins do not have. Instants are milliseconds since 1970. */
class Particulars {
  processId = 0;
  leaseSeconds = 0;
  renewedToMs: number | null = null;
  endsAtMs: number | null = null;
}

/**
 * One connection. There are millions of them, so that what most do not have, and what many have alike, stands in
 * objects of its own.
 */
export class Login {
  readonly id: string;
  readonly place: Place;
  /** Where it counts; only a login that holds no unit ever changes it. */
  pool: Pool;
  user: User | null = null;
  kind: LoginKind = 'user';
  phase: Phase = 'active';
  /** The row that granted it, and its index there. */
  moment = NEVER;
  index = 0;
  totals = NO_TOTALS;
  print = 0;
  /** Null while it is in. */
  release: Release | null = null;
  #particulars: Particulars | null = null;

  constructor(id: string, place: Place, pool: Pool) {
    this.id = id;
    this.place = place;
    this.pool = pool;
  }

  /** The process that it is; 0 where it stated none. */
  get processId(): number {
    return this.#particulars === null ? 0 : this.#particulars.processId;
  }

  set processId(processId: number) {
    if (processId !== this.processId) this.#particular.processId = processId;
  }

  /** Length of its lease in seconds; 0 lives as long as its instance. */
  get leaseSeconds(): number {
    return this.#particulars === null ? 0 : this.#particulars.leaseSeconds;
  }

  set leaseSeconds(seconds: number) {
    if (seconds !== this.leaseSeconds) this.#particular.leaseSeconds = seconds;
  }

  /** The deadline of its lease as far as the journal knows, ms since 1970; heartbeats may have moved it on. */
  get expiresAtMs(): number {
    if (this.leaseSeconds === 0) return 0;
    return this.#particulars?.renewedToMs ?? this.moment.atMs + this.leaseSeconds * 1000;
  }

  set expiresAtMs(atMs: number) {
    this.#particular.renewedToMs = atMs;
  }

  /** When it ends by itself, ms since 1970; 0 when it does not. */
  get endsAtMs(): number {
    return this.#particulars?.endsAtMs ?? 0;
  }

  set endsAtMs(atMs: number) {
    if (atMs !== this.endsAtMs) this.#particular.endsAtMs = atMs === 0 ? null : atMs;
  }

  /** When it was released, ms since 1970; 0 while it is in. */
  get releasedAtMs(): number {
    return this.release === null ? 0 : this.release.atMs;
  }

  /** Why it was released; null while it is in. */
  get reason(): ReleaseReason | null {
    return this.release === null ? null : this.release.reason;
  }

  /** Whether it is like nearly all others: somebody's, active, without end or lease, and granted in the usual way. */
  get isPlain(): boolean {
    const { user, phase, kind, release, totals } = this;
    if (user === null || phase !== 'active' || kind === 'emergency' || release !== null) return false;
    return this.leaseSeconds === 0 && this.endsAtMs === 0 && SHARED_TOTALS[totals.connections] === totals;
  }

  get #particular(): Particulars {
    this.#particulars ??= new Particulars();
    return this.#particulars;
  }
}
