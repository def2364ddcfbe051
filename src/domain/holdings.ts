/**
 * What a table is made of: pools, the users who have connections there, their logins, and the instances they
 * are on. Plain data; `table.ts` changes it and `apply.ts` says when.
 */

import type { Request } from './applications/applicationrequests.ts';
import type { Counter, Holding, HoldingsBook } from './applications/applicationtable.ts';
import type { Count } from './counting.ts';
import type { ReleaseReason } from './events.ts';
import type { Excess } from './excesses.ts';
import type { ReportedUser, ReportState } from './local/reports.ts';
import type { Durations } from './marks/durations.ts';
import { type Life, Marks } from './marks/marks.ts';
import type { LoginKind } from './users.ts';

/** `active`; `pending` until it identifies itself (F-43); `grace` when it went out but its unit is still held. */
export type Phase = 'active' | 'pending' | 'grace';

/** A user ID of a pool that has at least one connection. */
export class User implements Count {
  readonly id: string;
  readonly pool: Pool;
  connections = 0;
  transitioned = false;
  apart = false;
  /** Most connections at one time since it last had none (`MaxCon`, trap 12). */
  connectionsPeak = 0;
  /** Most users are on one instance only, so that one place stands in the object itself. */
  home: Place | null = null;
  elsewhere: Map<Place, number> | null = null;

  constructor(id: string, pool: Pool) {
    this.id = id;
    this.pool = pool;
  }

  /** @returns the connections of this user on one instance. */
  connectionsAt(place: Place): number {
    if (place !== this.home) return this.elsewhere?.get(place) ?? 0;
    let connections = this.connections;
    if (this.elsewhere) for (const count of this.elsewhere.values()) connections -= count;
    return connections;
  }

  /** @returns the units this user costs as one instance sees it (`LicenseCount`, notes 2.1). */
  unitsAt(place: Place): number {
    const connections = this.connectionsAt(place);
    if (connections === 0) return 0;
    return this.transitioned || this.apart ? connections : 1;
  }
}

/** The units in use under one key, or of one instance without a usable key. */
export class Pool {
  readonly id: string;
  readonly users = new Map<string, User>();
  units = 0;
  connections = 0;
  unitsPeak = 0;
  usersPeak = 0;
  connectionsPeak = 0;
  /** The units that its key enforces, as the journal says up to the table's version; 1 without a usable key. */
  unitsMax: number;
  /** The least that was left of them; below 0 where more than that were in use. */
  availableMin: number;
  /** When its marks were reset last, ms since 1970; 0 when they never were. */
  marksSinceMs = 0;
  /** Its users who have transitioned. */
  readonly transitioned = new Set<string>();
  /** Its users whose connections are counted apart. */
  readonly apart = new Set<string>();
  /** The units leased to instances, which are in use as far as anybody else is concerned. */
  readonly leases = new Set<Lease>();
  /** The combined use over the limit that has not ended yet (F-52…F-54). */
  excess: Excess | null = null;

  /** @param unitsMax - the units that may be used of it. */
  constructor(id: string, unitsMax: number) {
    this.id = id;
    this.unitsMax = unitsMax;
    this.availableMin = unitsMax;
  }
}

/** Units leased to one incarnation of an instance until an instant, within which it decides by itself. */
export class Lease {
  readonly id: string;
  readonly pool: Pool;
  readonly place: Place;
  readonly incarnation: number;
  units = 0;
  /** Until when the instance may believe in it, ms since 1970. */
  endsAtMs = 0;
  /** The last statement of the instance that changed it. */
  sequence = 0;
  /** Counts its changes, so that an instance can say which of them it goes by. */
  revision = 0;
  /** Connections that the instance may hold of a user ID on the server's account; 0 is none without asking. */
  readonly allowances = new Map<string, number>();
  /** The users of whom it needs more connections than it is allowed, with since when, ms since 1970. */
  readonly short = new Map<string, number>();
  /** The users whom it was asked to hold, with when it said how many connections they have, ms since 1970. */
  readonly exact = new Map<string, number>();

  constructor(id: string, pool: Pool, place: Place, incarnation: number) {
    this.id = id;
    this.pool = pool;
    this.place = place;
    this.incarnation = incarnation;
  }
}

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

  get #particular(): Particulars {
    this.#particulars ??= new Particulars();
    return this.#particulars;
  }
}

/** What one instance holds. */
export class Place {
  readonly instance: string;
  readonly logins = new Map<string, Login>();
  /** Released IDs that are still remembered. */
  readonly released = new Map<string, Login>();
  /** Units as this instance sees them: a user who is also elsewhere counts here too. */
  units = 0;
  emergency: Login | null = null;
  /** What it has reported of its own table, by user ID, and how far its reports have come (F-51). */
  readonly reported = new Map<string, ReportedUser>();
  report: ReportState | null = null;
  /** Units leased to it, of its present incarnation and of earlier ones, by the lease's ID. */
  readonly leases = new Map<string, Lease>();
  /** Within which its marks are kept; null while it is not registered. */
  life: Life | null = null;
  readonly marks = new Marks();
  /** The marks as they were before the batch of this number, which changed them. */
  readonly marksBefore = new Marks();
  marksBatch = 0;
  /** Web sessions by user ID, at the server and reported; null while there never was one. */
  webSessions: Map<string, number> | null = null;
  /** How long its logins lasted; null while none has ended. */
  durations: Durations | null = null;
  /** The units of applications that are held there; null while there are none. */
  holdings: HoldingsBook | null = null;

  constructor(instance: string) {
    this.instance = instance;
  }

  /** Whether nothing is held there, and nothing remembered. */
  get isEmpty(): boolean {
    const { logins, released, reported, report, leases } = this;
    return (
      logins.size === 0 && released.size === 0 && reported.size === 0 && report === null && leases.size === 0
    );
  }
}

/** What changed since it was last looked at; the fold writes these. */
export class Touched {
  readonly logins = new Set<Login>();
  readonly users = new Set<User>();
  readonly pools = new Set<Pool>();
  /** Places whose marks moved. */
  readonly marks = new Set<Place>();
  /** Places whose reports went on. */
  readonly reports = new Set<Place>();
  /** User IDs by the place that reported them. */
  readonly reported = new Map<Place, Set<string>>();
  readonly leases = new Set<Lease>();
  /** User IDs by the lease that has or had an allowance of them. */
  readonly allowances = new Map<Lease, Set<string>>();
  /** Units of applications, where they are counted, and the requests that are remembered of them. */
  readonly holdings = new Set<Holding>();
  readonly counters = new Set<Counter>();
  readonly requests = new Set<Request>();

  /** Adds everything that another has. */
  add(other: Touched): void {
    for (const login of other.logins) this.logins.add(login);
    for (const user of other.users) this.users.add(user);
    for (const pool of other.pools) this.pools.add(pool);
    for (const place of other.marks) this.marks.add(place);
    for (const place of other.reports) this.reports.add(place);
    for (const lease of other.leases) this.leases.add(lease);
    for (const holding of other.holdings) this.holdings.add(holding);
    for (const counter of other.counters) this.counters.add(counter);
    for (const request of other.requests) this.requests.add(request);
    for (const [place, ids] of other.reported) for (const id of ids) touch(this.reported, place, id);
    for (const [lease, ids] of other.allowances) for (const id of ids) touch(this.allowances, lease, id);
  }

  get isEmpty(): boolean {
    const { logins, users, pools, marks, reports, leases, reported, allowances } = this;
    const { holdings, counters, requests } = this;
    const ledger = [logins, users, pools, marks, reports, leases, reported, allowances];
    return [...ledger, holdings, counters, requests].every(({ size }) => size === 0);
  }
}

/** Notes one user ID of a holder. */
export function touch<Holder>(touched: Map<Holder, Set<string>>, holder: Holder, userId: string): void {
  const ids = touched.get(holder);
  if (ids) ids.add(userId);
  else touched.set(holder, new Set([userId]));
}
