/**
 * High- and low-water marks of an instance (notes 2.3): the most that it had at one time of each thing that is
 * counted, and the least that was left, since its present life began or somebody reset them. What stands is kept
 * beside them, so that a login costs a few additions and no walk.
 *
 * A batch may be taken back. So the first change in a batch notes the marks of before it, which costs an instance
 * one copy a batch, whatever the number of logins, and makes no object.
 */

import type { Place, Pool } from '../holdings/holdings.ts';
import type { Login } from '../holdings/login.ts';
import type { User } from '../holdings/user.ts';
import type { ReportedUser } from '../local/reports.ts';
import type { Table } from '../table.ts';
import type { LoginKind } from '../users.ts';

/** What marks are kept of, by the names under which they are reset (`LUMaxConsumedReset`). */
export const COUNTERS = ['users', 'connections', 'web-users', 'processes', 'web-grace'] as const;

/** Something that marks are kept of. Units go with users, as in `LUMaxConsumedReset("Users")`. */
export type Counter = (typeof COUNTERS)[number];

/** Marks as they stood before a reset; those that were not reset are left out. */
export interface MarkValues {
  readonly units?: number;
  readonly users?: number;
  /** The least that was left; never below 0. */
  readonly availableMinimum?: number;
  readonly connections?: number;
  readonly webUsers?: number;
  readonly processes?: number;
  readonly webGrace?: number;
}

/** What stands on an instance, and its marks. */
export class Marks {
  /** Distinct users who have a connection there, by a login or as the instance reported. */
  users = 0;
  connections = 0;
  /** Those of the users who have a web session there. */
  webUsers = 0;
  /** Logins that went out and whose unit is still held. */
  webGrace = 0;
  /** Logins and reported connections that are neither web sessions nor sessionless requests. */
  processes = 0;
  unitsPeak = 0;
  usersPeak = 0;
  connectionsPeak = 0;
  webUsersPeak = 0;
  webGracePeak = 0;
  processesPeak = 0;
  /** The least that was left of the units that the instance may use; below 0 where more than that were in use. */
  availableMin = 0;

  /** Becomes what others are. Written out, because it is done for every instance of a batch. */
  set(other: Marks): void {
    this.users = other.users;
    this.connections = other.connections;
    this.webUsers = other.webUsers;
    this.webGrace = other.webGrace;
    this.processes = other.processes;
    this.unitsPeak = other.unitsPeak;
    this.usersPeak = other.usersPeak;
    this.connectionsPeak = other.connectionsPeak;
    this.webUsersPeak = other.webUsersPeak;
    this.webGracePeak = other.webGracePeak;
    this.processesPeak = other.processesPeak;
    this.availableMin = other.availableMin;
  }
}

/** Since when each mark is kept, ms since 1970. */
export type MarksSince = Readonly<Record<Counter, number>>;

/** One life of an instance, within which its marks are kept. It is replaced as a whole. */
export interface Life {
  readonly incarnation: number;
  /** When it was registered, ms since 1970. */
  readonly startedAtMs: number;
  /** Where its logins count: under its key, or on its default licence. */
  readonly pool: Pool;
  /** The units that it may use of these; 0 when nothing limits it. */
  readonly unitLimit: number;
  readonly since: MarksSince;
}

/** @returns marks that are all kept since one instant, ms since 1970. */
export function sinceAll(atMs: number): MarksSince {
  return {
    users: atMs,
    connections: atMs,
    'web-users': atMs,
    processes: atMs,
    'web-grace': atMs,
  };
}

/** @returns the units that an instance may use if it were alone; 0 when it is not registered. */
export function unitsMaxOf({ life }: Place): number {
  if (life === null) return 0;
  const { pool, unitLimit } = life;
  return unitLimit > 0 && unitLimit < pool.unitsMax ? unitLimit : pool.unitsMax;
}

/** Moves the marks of an instance's units to what stands. */
export function markUnits(table: Table, place: Place): void {
  const { marks, units } = place;
  const available = unitsMaxOf(place) - units;
  if (units <= marks.unitsPeak && available >= marks.availableMin) return;
  const changed = table.marksOf(place);
  if (units > changed.unitsPeak) changed.unitsPeak = units;
  if (available < changed.availableMin) changed.availableMin = available;
}

/** Moves the marks of a pool's units to what stands. */
export function markPoolUnits(pool: Pool): void {
  if (pool.units > pool.unitsPeak) pool.unitsPeak = pool.units;
  const available = pool.unitsMax - pool.units;
  if (available < pool.availableMin) pool.availableMin = available;
}

/** Whether a login is a process: what has neither a web session nor a single request behind it. */
function isProcess(kind: LoginKind): boolean {
  return kind !== 'web' && kind !== 'request';
}

/** Counts a login that came, whoever it is. */
export function markAdded(table: Table, { place, kind, phase }: Login): void {
  if (isProcess(kind)) {
    const marks = table.marksOf(place);
    marks.processes += 1;
    if (marks.processes > marks.processesPeak) marks.processesPeak = marks.processes;
  }
  if (phase === 'grace') markGrace(table, place, 1);
}

/** Counts a login that went, whoever it was. */
export function markRemoved(table: Table, { place, kind, phase }: Login): void {
  if (isProcess(kind)) table.marksOf(place).processes -= 1;
  if (phase === 'grace') markGrace(table, place, -1);
}

/** Counts a login whose unit is held although it went out, or is held no longer. */
export function markGrace(table: Table, place: Place, difference: 1 | -1): void {
  const marks = table.marksOf(place);
  marks.webGrace += difference;
  if (marks.webGrace > marks.webGracePeak) marks.webGracePeak = marks.webGrace;
}

/** Counts the connection of a login, which its user has just got. */
export function markConnected(table: Table, user: User, place: Place, kind: LoginKind): void {
  const marks = table.marksOf(place);
  marks.connections += 1;
  if (marks.connections > marks.connectionsPeak) marks.connectionsPeak = marks.connections;
  if (loginsAt(user, place) === 1 && !isReported(user, place)) {
    marks.users += 1;
    if (marks.users > marks.usersPeak) marks.usersPeak = marks.users;
  }
  if (kind === 'web') moveWeb(table, place, user.id, 1);
}

/** Counts the end of the connection of a login, which its user has just lost. */
export function markDisconnected(table: Table, user: User, place: Place, kind: LoginKind): void {
  const marks = table.marksOf(place);
  marks.connections -= 1;
  if (loginsAt(user, place) === 0 && !isReported(user, place)) marks.users -= 1;
  if (kind === 'web') moveWeb(table, place, user.id, -1);
}

/**
 * Counts what an instance reported of a user, once it stands in the table as it does.
 * @param before - what it had reported; undefined when nothing.
 * @param after - null when he is gone there.
 */
export function markReported(
  table: Table,
  place: Place,
  userId: string,
  before: ReportedUser | undefined,
  after: ReportedUser | null,
): void {
  const marks = table.marksOf(place);
  const connections = (after?.connections ?? 0) - (before?.connections ?? 0);
  const webSessions = (after?.webSessions ?? 0) - (before?.webSessions ?? 0);
  marks.connections += connections;
  marks.processes += connections - webSessions;
  if ((before === undefined) !== (after === null)) {
    const user = table.pools.get(place.report?.pool ?? '')?.users.read(userId);
    if (!user || loginsAt(user, place) === 0) marks.users += after === null ? -1 : 1;
  }
  if (marks.users > marks.usersPeak) marks.usersPeak = marks.users;
  if (marks.connections > marks.connectionsPeak) marks.connectionsPeak = marks.connections;
  if (marks.processes > marks.processesPeak) marks.processesPeak = marks.processes;
  if (webSessions !== 0) moveWeb(table, place, userId, webSessions);
}

/**
 * Counts the users whose logins went over to another pool, where they may have been as well.
 * @param user - as he was.
 * @param there - as he is now, with so many logins more.
 */
export function markMoved(table: Table, place: Place, user: User, there: User, logins: number): void {
  const isLeft = isReported(user, place);
  const wasThere = isReported(there, place) || loginsAt(there, place) > logins;
  if (isLeft === wasThere) return;
  const marks = table.marksOf(place);
  marks.users += isLeft ? 1 : -1;
  if (marks.users > marks.usersPeak) marks.usersPeak = marks.users;
}

/** The logins of a user on an instance, without what it may hold or has reported. */
function loginsAt(user: User, place: Place): number {
  let logins = user.connectionsAt(place);
  if (place.leases.size > 0) {
    for (const { pool, allowances } of place.leases.values()) {
      if (pool === user.pool) logins -= allowances.get(user.id) ?? 0;
    }
  }
  if (place.reported.size > 0 && place.report?.counted && isReported(user, place)) {
    logins -= place.reported.get(user.id)!.connections;
  }
  return logins;
}

/** Whether an instance has reported a user. */
function isReported(user: User, { reported, report }: Place): boolean {
  return reported.size > 0 && report?.pool === user.pool.id && reported.has(user.id);
}

function moveWeb(table: Table, place: Place, userId: string, difference: number): void {
  place.webSessions ??= new Map();
  const before = place.webSessions.get(userId) ?? 0;
  const after = before + difference;
  table.replace(place.webSessions, userId, after === 0 ? null : after);
  const marks = table.marksOf(place);
  if (before === 0) marks.webUsers += 1;
  if (after === 0) marks.webUsers -= 1;
  if (marks.webUsers > marks.webUsersPeak) marks.webUsersPeak = marks.webUsers;
}
