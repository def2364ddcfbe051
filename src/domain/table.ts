/**
 * The table: who holds what, per key and user ID, as the fold of the journal up to one version. It is plain
 * data with the primitive changes that `apply` is made of; it decides nothing.
 *
 * A batch is applied while it is still undecided whether its row will be appended. So every primitive change
 * can be taken back: between `begin` and `commit` each leaves an inverse, and `rollback` runs them from the
 * last to the first.
 */

import { compactRequests, RequestMemory } from './applications/applicationrequests.ts';
import type { Application } from './applications/applications.ts';
import { type Counter, dropHoldings, noteLogin } from './applications/applicationtable.ts';
import type { Count } from './counting.ts';
import { DueQueue, EndingQueue } from './due.ts';
import type { ReleaseReason } from './events.ts';
import type { Excess } from './excesses.ts';
import { type Lease, Place, Pool, type Touched, touch } from './holdings/holdings.ts';
import type { Login, Release } from './holdings/login.ts';
import { User } from './holdings/user.ts';
import { defaultPoolOf, type Instance, isDefaultPool } from './instances.ts';
import type { InstalledKey } from './keys/keyring.ts';
import type { ReportedUser, ReportState } from './local/reports.ts';
import { countDuration, durationBucket } from './marks/durations.ts';
import {
  type Marks,
  markAdded,
  markConnected,
  markDisconnected,
  markGrace,
  markRemoved,
  markReported,
} from './marks/marks.ts';
import { move, raisePeaks, weigh } from './presence.ts';

/** How long a released ID is remembered, in milliseconds. */
export const RELEASED_KEPT_MS = 600_000;
/** How many released IDs are remembered at most; the oldest are forgotten first. */
export const RELEASED_KEPT_MAX = 100_000;

/** A replica whose fold disagrees with the totals of a row must stop. */
export class DivergenceError extends Error {
  override readonly name = 'DivergenceError';
}

export class Table {
  readonly shard: number;
  readonly #seed: number;
  version = 0;
  batch = '00000000-0000-0000-0000-000000000000';
  atMs = 0;
  readonly keys = new Map<string, InstalledKey>();
  readonly instances = new Map<string, Instance>();
  readonly places = new Map<string, Place>();
  readonly pools = new Map<string, Pool>();
  /** The sections that are loaded, by instance and name. */
  readonly applications = new Map<string, ReadonlyMap<string, Application>>();
  /** The features that somebody holds or held, by scope and name. */
  readonly counters = new Map<string, Map<string, Counter>>();
  readonly requests = new RequestMemory();
  /** The pools whose combined use is over their limit. */
  readonly over = new Set<Pool>();
  readonly due = new DueQueue();
  /** Leases by when their instances cease to believe in them. */
  readonly dueLeases = new EndingQueue<Lease>((lease) => lease.place.leases.get(lease.id) === lease);
  /** Set by whoever folds; null costs nothing. */
  touched: Touched | null = null;
  #remembered: Login[] = [];
  #rememberedFrom = 0;
  #release: Release = { atMs: 0, reason: 'logout' };
  #undo: (() => void)[] | null = null;
  /** How many batches were begun. */
  #batches = 0;
  /** The places whose marks this batch has changed. */
  #marked: Place[] = [];

  /** @param seed - of the hashes of what clients name; the same table comes about whatever it is. */
  constructor(shard: number, seed = 0) {
    this.shard = shard;
    this.#seed = seed;
  }

  begin(): void {
    this.#undo = [];
    this.#marked = [];
    this.#batches += 1;
  }

  commit(): void {
    this.#undo = null;
    this.#compact();
    compactRequests(this.requests);
  }

  rollback(): void {
    const undo = this.#undo ?? [];
    this.#undo = null;
    for (let index = undo.length - 1; index >= 0; index -= 1) undo[index]!();
    for (const place of this.#marked) place.marks.set(place.marksBefore);
  }

  /**
   * Notes how a primitive change is taken back, for those that stand in files of their own.
   * @param inverse - undoes the change, in a table as it was right after it.
   */
  undoable(inverse: () => void): void {
    this.#undo?.push(inverse);
  }

  /** Replaces an entry of a map that is part of the table; null removes it. */
  replace<Value>(map: Map<string, Value>, id: string, value: Value | null): void {
    const before = map.get(id);
    if (value === null) map.delete(id);
    else map.set(id, value);
    this.#undo?.push(() => {
      if (before === undefined) map.delete(id);
      else map.set(id, before);
    });
  }

  /** The number of logins alive, over all instances. */
  get loginCount(): number {
    let count = 0;
    for (const place of this.places.values()) count += place.logins.size;
    return count;
  }

  place(instance: string): Place {
    let place = this.places.get(instance);
    if (!place) {
      place = new Place(instance, this.#seed);
      this.places.set(instance, place);
    }
    return place;
  }

  pool(id: string): Pool {
    let pool = this.pools.get(id);
    if (!pool) {
      pool = new Pool(id, isDefaultPool(id) ? 1 : 0, this.#seed);
      this.pools.set(id, pool);
    }
    return pool;
  }

  /** The marks of an instance, to be changed; those of before the batch are noted, to be taken back to. */
  marksOf(place: Place): Marks {
    this.touched?.marks.add(place);
    if (this.#undo === null || place.marksBatch === this.#batches) return place.marks;
    place.marksBatch = this.#batches;
    place.marksBefore.set(place.marks);
    this.#marked.push(place);
    return place.marks;
  }

  /** Replaces a fact, or removes it. */
  setKey(id: string, key: InstalledKey | null): void {
    this.replace(this.keys, id, key);
  }

  setInstance(name: string, instance: Instance | null): void {
    this.replace(this.instances, name, instance);
    if (instance === null) this.discardPlace(name);
  }

  /** Adds a login, and its connection when it is somebody's. */
  addLogin(login: Login, userId: string | null, standing: Standing): void {
    const { place } = login;
    this.#forgetId(login.id, place);
    place.logins.set(login.id, login);
    if (login.kind === 'emergency') place.emergency = login;
    if (login.endsAtMs > 0) this.due.push(login);
    this.touched?.logins.add(login);
    markAdded(this, login);
    this.#undo?.push(() => {
      place.logins.delete(login.id);
      if (place.emergency === login) place.emergency = null;
    });
    if (userId === null) return;
    if (place.holdings !== null) noteLogin(this, place, userId);
    this.connect(login, userId, standing);
  }

  /**
   * Another replica may have forgotten an ID that is still remembered here, and have granted it. Then it is in, and the
   * fold must know that its row is there already.
   */
  #forgetId(id: string, place: Place): void {
    const released = place.released.get(id);
    if (!released) return;
    place.released.delete(id);
    this.touched?.logins.add(released);
    this.#undo?.push(() => place.released.set(id, released));
  }

  /** Removes a login, remembering its ID and why it went. */
  removeLogin(login: Login, atMs: number, reason: ReleaseReason): void {
    const { place } = login;
    if (place.holdings !== null && login.user) dropHoldings(this, login, login.user.id);
    if (login.user) this.disconnect(login, true);
    place.logins.delete(login.id);
    if (place.emergency === login) place.emergency = null;
    markRemoved(this, login);
    const lastedMs = atMs - login.moment.atMs;
    const isKnown = login.user !== null && reason !== 'unanswered';
    const durations = isKnown ? countDuration(this, place, lastedMs) : null;
    this.#undo?.push(() => {
      if (durations) durations.counts[durationBucket(lastedMs)]! -= 1;
      place.logins.set(login.id, login);
      if (login.kind === 'emergency') place.emergency = login;
      if (login.endsAtMs > 0) this.due.push(login);
    });
    this.remember(login, atMs, reason);
  }

  /** Remembers an ID that is gone, and forgets the oldest beyond the bounds. */
  remember(login: Login, atMs: number, reason: ReleaseReason): void {
    const { place } = login;
    login.release = this.#releaseOf(atMs, reason);
    place.released.set(login.id, login);
    this.#remembered.push(login);
    this.touched?.logins.add(login);
    this.#undo?.push(() => {
      this.#remembered.pop();
      place.released.delete(login.id);
      login.release = null;
    });
    this.#forget(atMs);
  }

  /** Logins that go together go for one reason, and mostly come here one after the other. */
  #releaseOf(atMs: number, reason: ReleaseReason): Release {
    if (this.#release.atMs !== atMs || this.#release.reason !== reason) this.#release = { atMs, reason };
    return this.#release;
  }

  #forget(atMs: number): void {
    if (this.#undo === null) this.#compact();
    while (this.#rememberedFrom < this.#remembered.length) {
      const oldest = this.#remembered[this.#rememberedFrom]!;
      const size = this.#remembered.length - this.#rememberedFrom;
      if (size <= RELEASED_KEPT_MAX && atMs - oldest.releasedAtMs < RELEASED_KEPT_MS) return;
      this.#rememberedFrom += 1;
      this.#undo?.push(() => {
        this.#rememberedFrom -= 1;
      });
      // Its ID may have been granted anew, or remembered of another login since.
      if (oldest.place.released.get(oldest.id) === oldest) this.#forgetId(oldest.id, oldest.place);
      this.discardPlace(oldest.place.instance);
    }
  }

  /** Lets go of what is forgotten; only while nothing can be taken back, for undoing counts on positions. */
  #compact(): void {
    if (this.#rememberedFrom <= 1024 || this.#rememberedFrom * 2 <= this.#remembered.length) return;
    this.#remembered = this.#remembered.slice(this.#rememberedFrom);
    this.#rememberedFrom = 0;
  }

  /** An instance that is gone leaves nothing behind once its last ID is forgotten. */
  discardPlace(instance: string): void {
    const place = this.places.get(instance);
    if (!place || this.instances.has(instance) || !place.isEmpty) return;
    const poolId = defaultPoolOf(instance);
    const pool = this.pools.get(poolId);
    this.places.delete(instance);
    this.pools.delete(poolId);
    if (pool) this.touched?.pools.add(pool);
    this.#undo?.push(() => {
      this.places.set(instance, place);
      if (pool) this.pools.set(poolId, pool);
    });
  }

  /** Changes one field of a login. */
  setLogin<Name extends 'phase' | 'pool' | 'expiresAtMs' | 'endsAtMs'>(
    login: Login,
    name: Name,
    value: Login[Name],
  ): void {
    const before = login[name];
    login[name] = value;
    if (name === 'endsAtMs' && login.endsAtMs > 0) this.due.push(login);
    if (name === 'phase' && value === 'grace') markGrace(this, login.place, 1);
    this.touched?.logins.add(login);
    this.#undo?.push(() => {
      login[name] = before;
      if (name === 'endsAtMs' && login.endsAtMs > 0) this.due.push(login);
    });
  }

  /** Gives a login's connection to a user ID. */
  connect(login: Login, userId: string, standing: Standing): void {
    this.touched?.logins.add(login);
    this.#undo?.push(() => {
      login.user = null;
    });
    login.user = this.shift(login.pool, userId, login.place, 1, standing);
    markConnected(this, login.user, login.place, login.kind);
  }

  /**
   * Takes a login's connection away from its user ID.
   * @param keepName - whether the login goes on naming the user, for what is remembered of it.
   */
  disconnect(login: Login, keepName: boolean): void {
    const user = login.user!;
    this.touched?.logins.add(login);
    this.#undo?.push(() => {
      login.user = user;
    });
    this.shift(login.pool, user.id, login.place, -1, user);
    markDisconnected(this, user, login.place, login.kind);
    if (!keepName) login.user = null;
  }

  /**
   * Moves the connections of a user ID on an instance. Whoever has none left is gone, and his standing with him.
   * @param difference - connections more or, below 0, fewer; 0 changes the standing alone.
   * @param standing - what the user has become.
   * @returns the user, who has left the pool when he has no connection any more.
   */
  shift(pool: Pool, userId: string, place: Place, difference: number, standing: Standing): User {
    const known = pool.users.get(userId);
    const user = known ?? new User(userId, pool);
    const { transitioned, apart, connectionsPeak } = user;
    const { unitsPeak, usersPeak, connectionsPeak: poolPeak, availableMin } = pool;
    weigh(user, -1);
    move(user, place, difference);
    const isThere = user.connections > 0;
    user.transitioned = isThere && standing.transitioned;
    user.apart = isThere && standing.apart;
    weigh(user, 1);
    if (isThere && !known) pool.users.set(userId, user);
    if (!isThere && known) pool.users.delete(userId);
    raisePeaks(this, user);
    this.touched?.users.add(user);
    this.touched?.pools.add(pool);
    this.#undo?.push(() => {
      if (known) pool.users.set(userId, user);
      else pool.users.delete(userId);
      weigh(user, -1);
      move(user, place, -difference);
      Object.assign(user, { transitioned, apart, connectionsPeak });
      weigh(user, 1);
      Object.assign(pool, { unitsPeak, usersPeak, connectionsPeak: poolPeak, availableMin });
    });
    return user;
  }

  /** Replaces what an instance has reported of a user ID, or removes it. What it weighs is `shift`'s part. */
  setReported(place: Place, userId: string, reported: ReportedUser | null): void {
    const before = place.reported.get(userId);
    this.replace(place.reported, userId, reported);
    markReported(this, place, userId, before, reported);
    if (this.touched) touch(this.touched.reported, place, userId);
  }

  /** Replaces how far the reports of an instance have come. */
  setReport(place: Place, report: ReportState | null): void {
    const before = place.report;
    place.report = report;
    this.touched?.reports.add(place);
    this.#undo?.push(() => {
      place.report = before;
    });
  }

  /** Replaces the episode of combined use over the limit; null ends it. */
  setExcess(pool: Pool, excess: Excess | null): void {
    const before = pool.excess;
    this.#putExcess(pool, excess);
    this.#undo?.push(() => this.#putExcess(pool, before));
  }

  #putExcess(pool: Pool, excess: Excess | null): void {
    pool.excess = excess;
    if (excess) this.over.add(pool);
    else this.over.delete(pool);
  }

  /** Sets what of a user does not follow from his connections: his standing and his peak. */
  restoreUser(state: Standing & Pick<User, 'connectionsPeak'> & { pool: string; userId: string }): void {
    const user = this.pools.get(state.pool)?.users.get(state.userId);
    if (!user) throw new DivergenceError(`user ${state.userId} of pool ${state.pool} has no connection`);
    weigh(user, -1);
    user.transitioned = state.transitioned;
    user.apart = state.apart;
    user.connectionsPeak = state.connectionsPeak;
    weigh(user, 1);
  }
}

/** What of a user's cost does not follow from the number of his connections. */
export type Standing = Pick<Count, 'transitioned' | 'apart'>;

/** The standing of whoever costs one unit. */
export const ORDINARY: Standing = { transitioned: false, apart: false };
