/**
 * Who holds what on one instance, as the local reports show it: one row for each user and one for each process
 * (notes 2.6). The server makes them of its table, and an instance that decides for itself of its own.
 */

import { unitsOf } from '../counting.ts';
import type { Place } from '../holdings/holdings.ts';
import type { Login } from '../holdings/login.ts';
import type { User } from '../holdings/user.ts';
import type { LocalLogin, LocalTable, LocalUser } from '../local/localtable.ts';
import type { ReportedUser } from '../local/reports.ts';
import type { Table } from '../table.ts';
import type { ProcessRow, UserRow, UserType } from './usagerows.ts';

/** What a process is to the licence; `Diagnostic` is the emergency login, `Pending` has not said yet who it is. */
export type ProcessType = 'System' | 'User' | 'CSP' | 'Diagnostic' | 'Server' | 'Pending';

/** A process, as far as it is shown; null since when where an instance reported it, which does not say. */
export type ProcessShown = Omit<ProcessRow, 'login' | 'sinceMs'> & { readonly sinceMs: number | null };

/** Where a row stands among the others, by which a page is continued: by when it came, then by its user ID. */
export type Order = readonly [number, number];

/** The rows of one instance. */
export interface InstanceRows {
  /** Oldest first; those of whom nobody told since when, last, as they were reported. */
  readonly users: readonly (UserRow & { readonly order: Order })[];
  /** Oldest first. */
  readonly processes: readonly (ProcessShown & { readonly order: Order })[];
}

/** Stands in an order for whoever came at an instant that nobody told. */
const UNTOLD = Number.MAX_SAFE_INTEGER;

/** @param inGrace - how many of the connections have gone out, and are only held. */
export function userTypeOf(connections: number, webSessions: number, inGrace: number): UserType {
  if (inGrace > 0 && inGrace === connections) return 'Grace';
  if (webSessions === 0) return 'User';
  return webSessions === connections ? 'CSP' : 'Mixed';
}

/** What a login is in the words of `ProcessList`. */
export function processTypeOf({ kind, phase }: Pick<ProcessRow, 'kind' | 'phase'>): ProcessType {
  if (kind === 'system') return 'System';
  if (kind === 'server') return 'Server';
  if (kind === 'emergency') return 'Diagnostic';
  if (phase === 'pending') return 'Pending';
  return kind === 'web' || kind === 'request' ? 'CSP' : 'User';
}

/** By `keyOf` the user; whoever is in no pool, by his ID behind a newline. */
type Tallies = Map<string, Tally>;

/** A user ID is one user in each pool. */
function keyOf({ id, pool }: User): string {
  return `${pool.id}\n${id}`;
}

/** What a user comes to while his logins are gone through. */
interface Tally {
  readonly id: string;
  connections: number;
  connectionsPeak: number;
  units: number;
  web: number;
  inGrace: number;
  /** Of his oldest connection, in ms of the clock of the table; null when nobody told. */
  readonly sinceMs: number | null;
  readonly order: Order;
  endsAtMs: number;
}

/**
 * The rows of an instance by the server's table: of the logins there, and of what the instance has reported of
 * its own table (F-51). Of the latter nobody tells processes, since when, or for how much longer, so that each
 * user has one row among the processes.
 *
 * @param table - at its head.
 * @param instance - its name; one that holds nothing has no rows.
 */
export function rowsOfInstance(table: Table, instance: string): InstanceRows {
  const place = table.places.get(instance);
  if (!place) return { users: [], processes: [] };
  const logins = [...place.logins.readAll()].sort((left, right) => compare(orderOf(left), orderOf(right)));
  const tallies: Tallies = new Map();
  for (const login of logins) if (login.user) tallyLogin(tallies, login, login.user, place);
  const reported = tallyReported(tallies, table, place);
  const processes = logins.map((login) => {
    const tally = login.user ? tallies.get(keyOf(login.user)) : undefined;
    return { ...processOf(login, tally, login.moment.atMs), order: orderOf(login) };
  });
  processes.push(...reported.sort(byArrival).map(reportedProcess));
  return { users: [...tallies.values()].sort(byArrival).map(rowOf), processes };
}

/** The journal's order is that of time. */
function orderOf({ moment, index }: Login): Order {
  return [moment.version, index];
}

function compare(left: Order, right: Order): number {
  return left[0] - right[0] || left[1] - right[1];
}

function byArrival(left: Tally, right: Tally): number {
  return compare(left.order, right.order) || (left.id < right.id ? -1 : 1);
}

/** @param login - of a user; they come oldest first. */
function tallyLogin(tallies: Tallies, login: Login, user: User, place: Place): void {
  const key = keyOf(user);
  let tally = tallies.get(key);
  if (!tally) {
    const { id, connectionsPeak } = user;
    const counts = { connections: 0, units: user.unitsAt(place), web: 0, inGrace: 0, endsAtMs: 0 };
    tally = { id, connectionsPeak, sinceMs: login.moment.atMs, order: orderOf(login), ...counts };
    tallies.set(key, tally);
  }
  tally.connections += 1;
  if (login.kind === 'web') tally.web += 1;
  if (login.phase === 'grace') tally.inGrace += 1;
  if (login.endsAtMs > tally.endsAtMs) tally.endsAtMs = login.endsAtMs;
}

/**
 * Adds what an instance that decides for itself has said of its own table.
 * @returns those who have nothing else there.
 */
function tallyReported(tallies: Tallies, table: Table, place: Place): Tally[] {
  const { report } = place;
  if (report === null) return [];
  const pool = table.pools.get(report.pool);
  const added: Tally[] = [];
  for (const [id, row] of place.reported) {
    const user = pool?.users.read(id);
    const key = user ? keyOf(user) : `\n${id}`;
    const transitioned = row.transitioned || user?.transitioned === true;
    const known = tallies.get(key);
    if (known) {
      known.connections += row.connections;
      known.web += row.webSessions;
      known.units = transitioned ? known.connections : 1;
      known.connectionsPeak = Math.max(known.connectionsPeak, known.connections);
    } else {
      const tally = reportedTally(id, row, user?.connectionsPeak ?? 0, transitioned);
      tallies.set(key, tally);
      added.push(tally);
    }
  }
  return added;
}

function reportedTally(
  id: string,
  { connections, webSessions, sequence }: ReportedUser,
  peak: number,
  transitioned: boolean,
): Tally {
  return {
    id,
    connections,
    connectionsPeak: Math.max(connections, peak),
    units: transitioned ? connections : 1,
    web: webSessions,
    inGrace: 0,
    sinceMs: null,
    order: [UNTOLD, sequence],
    endsAtMs: 0,
  };
}

function rowOf(tally: Tally): UserRow & { readonly order: Order } {
  const { id, connections, connectionsPeak, units, web, inGrace, sinceMs, endsAtMs, order } = tally;
  return {
    userId: id,
    type: userTypeOf(connections, web, inGrace),
    connections,
    connectionsPeak,
    webSessions: web,
    units,
    sinceMs,
    graceUntilMs: endsAtMs,
    order,
  };
}

/** @param sinceMs - since when it is in; null when nobody told. */
function processOf(
  { processId, kind, phase, endsAtMs }: Pick<Login | LocalLogin, 'processId' | 'kind' | 'phase' | 'endsAtMs'>,
  user: Tally | undefined,
  sinceMs: number | null,
): ProcessShown {
  return {
    processId,
    kind,
    phase,
    userId: user?.id ?? null,
    connections: user?.connections ?? 0,
    connectionsPeak: user?.connectionsPeak ?? 0,
    webSessions: user?.web ?? 0,
    units: user?.units ?? 0,
    sinceMs,
    endsAtMs,
  };
}

function reportedProcess(tally: Tally): ProcessShown & { readonly order: Order } {
  const kind = tally.web > 0 && tally.web === tally.connections ? 'web' : 'user';
  const shown = processOf({ processId: 0, kind, phase: 'active', endsAtMs: 0 }, tally, null);
  return { ...shown, order: tally.order };
}

/**
 * The rows of an instance by its own table, which is exact at this instant (F-55).
 *
 * @returns instants in milliseconds of the table's clock; no processes unless the table keeps its logins.
 */
export function rowsOfLocalTable(table: LocalTable): InstanceRows {
  const tallies = new Map<LocalUser, Tally>();
  let index = 0;
  for (const user of table.users.values()) {
    index += 1;
    if (user.connections > 0) tallies.set(user, localTally(user, index));
  }
  for (const login of table.due.held()) {
    const tally = login.user ? tallies.get(login.user) : undefined;
    if (!tally) continue;
    if (login.phase === 'grace') tally.inGrace += 1;
    if (login.endsAtMs > tally.endsAtMs) tally.endsAtMs = login.endsAtMs;
  }
  const processes: InstanceRows['processes'][number][] = [];
  for (const login of table.logins ?? []) {
    if (!login.isHeld) continue;
    const tally = login.user ? tallies.get(login.user) : undefined;
    const order = [processes.length, 0] as const;
    processes.push({ ...processOf(login, tally, tally?.sinceMs ?? null), order });
  }
  return { users: [...tallies.values()].sort(byArrival).map(rowOf), processes };
}

function localTally(user: LocalUser, index: number): Tally {
  const { id, connections, connectionsPeak, webSessions, sinceMs } = user;
  return {
    id,
    connections,
    connectionsPeak,
    units: unitsOf(user),
    web: webSessions,
    inGrace: 0,
    sinceMs,
    order: [sinceMs, index],
    endsAtMs: 0,
  };
}
