/**
 * What a table is made of: pools, and the instances whose users and logins count there. Plain data; `table.ts`
 * changes it and `apply.ts` says when.
 */

import type { Request } from '../applications/applicationrequests.ts';
import type { Counter, Holding, HoldingsBook } from '../applications/applicationtable.ts';
import type { Excess } from '../excesses.ts';
import type { ReportedUser, ReportState } from '../local/reports.ts';
import type { Durations } from '../marks/durations.ts';
import { type Life, Marks } from '../marks/marks.ts';
import type { Login } from './login.ts';
import { LoginBook } from './loginbook.ts';
import type { User } from './user.ts';
import { UserBook } from './userbook.ts';

/** The units in use under one key, or of one instance without a usable key. */
export class Pool {
  readonly id: string;
  readonly users: UserBook;
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

  /**
   * @param unitsMax - the units that may be used of it.
   * @param seed - of the hashes of its users.
   */
  constructor(id: string, unitsMax: number, seed: number) {
    this.id = id;
    this.users = new UserBook(this, seed);
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

/** What one instance holds. */
export class Place {
  readonly instance: string;
  readonly logins: LoginBook;
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

  /** @param seed - of the hashes of its logins. */
  constructor(instance: string, seed: number) {
    this.instance = instance;
    this.logins = new LoginBook(this, seed);
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
