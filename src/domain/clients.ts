/**
 * Who is on each instance under one key, and which units each row accounts for. A user on several instances is
 * one unit under one key: it stands on the first of them by name, and the other rows share it (trap 1), unless
 * each of his connections costs one.
 */

import type { Lease, Place, Pool } from './holdings/holdings.ts';
import type { User } from './holdings/user.ts';

/** One user on one instance. */
export interface Client {
  readonly userId: string;
  readonly connections: number;
  /** The units that this row accounts for; all rows of a user come to what he costs. */
  readonly units: number;
  /** The units that he costs as this instance sees it (`LicenseCount`, notes 2.1). */
  readonly unitsHere: number;
  /** Whether his unit stands on another row (`shr`). */
  readonly isShared: boolean;
  /** Whether another row has the same unit, wherever it stands. */
  readonly isElsewhere: boolean;
}

/** Who is on one instance. */
export interface ClientRows {
  /** In no order. */
  readonly clients: readonly Client[];
  readonly users: number;
  readonly connections: number;
  /** The units that its rows account for, and those leased to it that nobody uses. */
  readonly units: number;
  /** Units in use here that other instances use as well. */
  readonly unitsShared: number;
  /** Units leased to it that nobody uses, which nobody else can. */
  readonly unitsReserved: number;
}

/** The rows of an instance that nobody is on. */
export const NOBODY_THERE: ClientRows = {
  clients: [],
  users: 0,
  connections: 0,
  units: 0,
  unitsShared: 0,
  unitsReserved: 0,
};

/** The rows of one instance by user ID. */
type Book = Map<string, Client>;

/**
 * One walk over the users of a pool, which is milliseconds for a hundred thousand of them.
 *
 * @param pool - of a key, or of an instance without a usable one.
 * @returns by the name of the instance; only instances that somebody is on, or that units are leased to.
 */
export function clientsByInstance(pool: Pool): Map<string, ClientRows> {
  const books = new Map<Place, Book>();
  for (const { place } of pool.leases) books.set(place, new Map());
  for (const user of pool.users.readAll()) enterUser(books, user);
  const rows = new Map<string, ClientRows>();
  for (const [place, book] of books) {
    const unitsReserved = enterLeased(pool, place, book);
    rows.set(place.instance, rowsOf(book, unitsReserved));
  }
  return rows;
}

/** @returns every instance that a user has connections on, in no order. */
export function placesOf({ home, elsewhere }: User): Place[] {
  return [...(home ? [home] : []), ...(elsewhere?.keys() ?? [])];
}

/** The rows of a user of whom the server keeps the books. */
function enterUser(books: Map<Place, Book>, user: User): void {
  const isEachCounted = user.transitioned || user.apart;
  const places = placesOf(user).sort((left, right) => (left.instance < right.instance ? -1 : 1));
  for (const [index, place] of places.entries()) {
    const connections = user.connectionsAt(place);
    const isShared = !isEachCounted && index > 0;
    const client = {
      userId: user.id,
      connections,
      units: isEachCounted ? connections : Number(!isShared),
      unitsHere: user.unitsAt(place),
      isShared,
      isElsewhere: !isEachCounted && places.length > 1,
    };
    const book = books.get(place);
    if (book) book.set(user.id, client);
    else books.set(place, new Map([[user.id, client]]));
  }
}

/**
 * Adds what an instance lets in on units that are leased to it: each connection that it has reported beyond
 * those in the books costs a unit of the lease. Reports are older than the books at times, so that rows are
 * only as exact as that; what a key holds in all is exact always.
 *
 * @returns the leased units that nobody uses.
 */
function enterLeased(pool: Pool, place: Place, book: Book): number {
  const leases = [...place.leases.values()].filter((lease) => lease.pool === pool);
  let free = 0;
  for (const { units } of leases) free += units;
  const { report } = place;
  if (report === null || report.counted || report.pool !== pool.id) return free;
  for (const [userId, { connections }] of place.reported) {
    const beyond = connections - allowanceOf(leases, userId);
    if (beyond <= 0) continue;
    free -= beyond;
    const known = book.get(userId);
    book.set(userId, {
      userId,
      connections: (known?.connections ?? 0) + beyond,
      units: (known?.units ?? 0) + beyond,
      unitsHere: (known?.unitsHere ?? 0) + beyond,
      isShared: false,
      isElsewhere: known?.isElsewhere ?? false,
    });
  }
  return Math.max(0, free);
}

function allowanceOf(leases: readonly Lease[], userId: string): number {
  let allowance = 0;
  for (const { allowances } of leases) allowance += allowances.get(userId) ?? 0;
  return allowance;
}

function rowsOf(book: Book, unitsReserved: number): ClientRows {
  const clients = [...book.values()];
  const totals = { connections: 0, units: unitsReserved, unitsShared: 0 };
  for (const { connections, units, isElsewhere } of clients) {
    totals.connections += connections;
    totals.units += units;
    totals.unitsShared += Number(isElsewhere);
  }
  return { clients, users: clients.length, ...totals, unitsReserved };
}
