/**
 * What becomes of the updates of instances that decide for themselves (F-50…F-54). An update states rows as they
 * are, never differences, and is numbered: repeated, delayed or out of order it does no harm, and where one is
 * missing a report of the whole table is asked for. None is ever refused for being over the limit: its users are
 * in. What follows from it is told in the answer.
 */

import { unitsOf } from '../counting.ts';
import type { Policy } from '../decide.ts';
import type { Draft } from '../draft.ts';
import { FLAGS, type ReleaseReason, type ReportedRow } from '../events.ts';
import { type ExcessUser, endExcesses, noteExcess } from '../excesses.ts';
import type { Place, Pool } from '../holdings/holdings.ts';
import type { Instance } from '../instances.ts';
import { refuseKey } from '../keys/activations.ts';
import type { InstalledKey } from '../keys/keyring.ts';
import { instanceNotFound } from '../logins.ts';
import type { Answer, Problem, Report, UpdateView } from '../operations.ts';
import { incarnationOld, refuseIncarnation, revive } from '../registration.ts';
import type { Table } from '../table.ts';
import { type Terms, termsOf } from '../terms.ts';
import { unstated } from './applyreports.ts';
import { type Digest, type DigestedRow, digestText, EMPTY_DIGEST, TableDigest } from './digest.ts';
import {
  CONNECTIONS_COUNTED_MAX,
  type ReportedUser,
  type ReportState,
  USERS_REPORTED_MAX,
} from './reports.ts';

/**
 * How an update stands to what the server holds.
 *
 * - `new`: it goes on from there, and is taken.
 * - `same`: nothing changed since, which is a sign of life.
 * - `old`: it was taken before, or what it says has been overtaken.
 * - `gap`: something is missing between, so that only a full report helps.
 */
type Sequel = 'new' | 'same' | 'old' | 'gap';

/** What places an update in the sequence of its incarnation. */
type Numbers = Pick<Report, 'sequence' | 'since' | 'fullFrom'>;

/** Decides an update. */
export function decideReport(draft: Draft, operation: Report, policy: Policy): Answer {
  const { table } = draft;
  const known = table.instances.get(operation.name);
  if (!known) return instanceNotFound(operation.name);
  if (operation.incarnation !== known.incarnation) return incarnationOld(known, operation.incarnation);
  const isSilent = known.state === 'silent';
  if (isSilent && (known.closed || isKeyGone(table, known)))
    return refuseIncarnation(known, operation.incarnation)!;
  const place = table.place(operation.name);
  // One that was taken before proves nothing of how the instance is now.
  const isOld = sequelOf(place.report, operation) === 'old';
  const instance = isSilent && !isOld ? revive(draft, known, operation.actor) : known;
  const terms = termsOf(table, instance, draft.atMs, policy.revokedKeys);
  if (!isOld && terms.key) leaveOtherPool(draft, place, terms.key, operation.actor);
  const sequel = sequelOf(place.report, operation);
  if (sequel === 'new' && terms.key && terms.enforcement !== 'central') {
    const problem = record(draft, place, terms.key, operation);
    if (problem) return problem;
  }
  const resend = sequel === 'gap' || (sequel !== 'old' && differs(place.report, operation.digest));
  return { is: 'updated', update: viewUpdate(table, instance, terms, resend && hasRows(terms), draft.atMs) };
}

/** Whether a Single key was given to another instance while this one was silent (F-3). */
function isKeyGone(table: Table, instance: Instance): boolean {
  const key = table.keys.get(instance.key ?? '');
  return key !== undefined && refuseKey(table, instance, key) !== null;
}

/** Under a central key, or without any, the server keeps no rows and misses none. */
function hasRows(terms: Terms): boolean {
  return terms.key !== null && terms.enforcement !== 'central';
}

function sequelOf(report: ReportState | null, { sequence, since, fullFrom }: Numbers): Sequel {
  const held = report?.sequence ?? 0;
  if (fullFrom !== null) {
    if (sequence <= held) return 'old';
    if (fullFrom === sequence) return 'new';
    return report?.fullFrom === fullFrom && since === held ? 'new' : 'gap';
  }
  if (sequence < held || (sequence === held && since < sequence)) return 'old';
  if (since > held || (report !== null && (report.lost !== null || report.fullFrom > 0))) return 'gap';
  return sequence === since ? 'same' : 'new';
}

/** Whether the digest that an instance states is not that of the rows that the server holds. */
function differs(report: Digest | null, stated: Digest | null): boolean {
  if (stated === null) return false;
  const { rows, connections, checksum } = report ?? EMPTY_DIGEST;
  return stated.rows !== rows || stated.connections !== connections || stated.checksum !== checksum;
}

/**
 * Whether an update that states nothing new can be answered from a table that may be a moment old: only if it is
 * what the table has heard last, row for row.
 */
export function isAllHeard(table: Table, operation: Report): boolean {
  const instance = table.instances.get(operation.name);
  if (instance?.state !== 'active' || instance.incarnation !== operation.incarnation) return false;
  const report = table.places.get(operation.name)?.report ?? null;
  return sequelOf(report, operation) === 'same' && !differs(report, operation.digest);
}

/** Rows that were reported under other terms do not count any more; a full report brings them where they do. */
function leaveOtherPool(draft: Draft, place: Place, key: InstalledKey, actor: string): void {
  const { report } = place;
  if (report === null || report.rows === 0) return;
  if (report.pool !== key.id || report.counted !== (key.enforcement === 'local'))
    unreport(draft, place, 'moved', actor, key.enforcement !== 'central');
}

/** What an update comes to while it is gone through. */
interface Tally {
  readonly pool: Pool;
  readonly counted: boolean;
  readonly digest: TableDigest;
  readonly rows: ReportedRow[];
  /** By row: how many units more its user costs, and whether the instance did not have him before. */
  readonly added: number[];
  readonly came: boolean[];
  used: number;
}

/** @returns what stands against taking the rows at all: more than anybody can have. */
function record(draft: Draft, place: Place, key: InstalledKey, operation: Report): Problem | null {
  const pool = draft.table.pool(key.id);
  const { fullFrom, more, sequence, incarnation } = operation;
  const wasLost = place.report?.lost ?? null;
  const tally: Tally = {
    pool,
    counted: key.enforcement === 'local',
    digest: new TableDigest(place.report ?? EMPTY_DIGEST),
    rows: [],
    added: [],
    came: [],
    used: pool.units,
  };
  for (const row of operation.rows) tallyRow(tally, place, row, key, fullFrom !== null);
  const dropped = fullFrom === null || more ? undefined : tallyUnstated(tally, place, fullFrom);
  const problem = refuseTooLarge(tally, place, more);
  if (problem) return problem;
  draft.emit({
    type: 'reported',
    instance: place.instance,
    pool: pool.id,
    incarnation,
    sequence,
    ...(tally.counted ? { counted: true } : {}),
    ...(fullFrom === null ? {} : { fullFrom }),
    ...(more ? { more } : {}),
    rows: tally.rows,
    ...(dropped === undefined ? {} : { dropped }),
    came: tally.came.filter(Boolean).length,
    digest: digestText(tally.digest),
    used: tally.used,
    by: draft.by(operation.actor),
  });
  if (!tally.counted) return null;
  const arrivals = arrivalsOf(tally, place.instance, key.unitsEnforced);
  const cause = wasLost === 'silent' ? 'returned' : 'reported';
  noteExcess(draft, pool, { limit: key.unitsEnforced, cause, arrivals });
  // Before the answer is made, which says whether it goes on.
  endExcesses(draft, 'logouts');
  return null;
}

/** Nobody has so many; the counts of the table have to hold them. */
function refuseTooLarge(
  { digest, counted, pool }: Tally,
  { instance, report }: Place,
  more: boolean,
): Problem | null {
  const usersMax = more ? 2 * USERS_REPORTED_MAX : USERS_REPORTED_MAX;
  const added = digest.connections - (report?.connections ?? 0);
  const connections = counted ? pool.connections + added : digest.connections;
  const isTooLarge = digest.rows > usersMax || (added > 0 && connections > CONNECTIONS_COUNTED_MAX);
  if (!isTooLarge) return null;
  return {
    is: 'problem',
    code: 'table-too-large',
    detail: `With this update instance "${instance}" would have ${digest.rows} users and its key ${connections} connections; an instance may have ${USERS_REPORTED_MAX} users and a key ${CONNECTIONS_COUNTED_MAX} connections. Nothing of the update was taken. Look for what makes connections and does not end them.`,
  };
}

/** @param isFull - a full report states every row anew; otherwise one that changes nothing is passed over. */
function tallyRow(tally: Tally, place: Place, row: DigestedRow, key: InstalledKey, isFull: boolean): void {
  const { pool, counted, digest } = tally;
  const { id, connections } = row;
  const before = place.reported.get(id);
  if (before === undefined && connections === 0) return;
  const user = pool.users.get(id);
  const elsewhere = counted ? (user?.connections ?? 0) - (before?.connections ?? 0) : 0;
  const transitionedHere = connections > 0 && row.transitioned;
  // Whoever is not transitioned here any more had no connection here in between (F-33).
  const wasReset = elsewhere === 0 && before?.transitioned === true && !transitionedHere;
  const total = elsewhere + connections;
  const hadTransitioned = counted && user?.transitioned === true && !wasReset;
  const transitioned =
    total > 0 && (hadTransitioned || transitionedHere || total > key.connectionsPerUnitMax);
  const apart = counted && user?.apart === true && total > 0;
  let added = 0;
  if (counted) {
    added = unitsOf({ connections: total, transitioned, apart }) - (user ? unitsOf(user) : 0);
    tally.used += added;
  }
  if (!isFull && added === 0 && before !== undefined && isSame(before, row)) return;
  if (before !== undefined) digest.remove({ id, ...before });
  if (connections > 0) digest.add(row);
  const flags =
    (transitionedHere ? FLAGS.transitionedHere : 0) |
    (transitioned ? FLAGS.transitioned : 0) |
    (apart ? FLAGS.apart : 0);
  tally.rows.push([id, connections, connections > 0 ? row.webSessions : 0, flags]);
  tally.added.push(added);
  tally.came.push(before === undefined);
}

function isSame(before: ReportedUser, row: DigestedRow): boolean {
  return (
    before.connections === row.connections &&
    before.webSessions === row.webSessions &&
    before.transitioned === row.transitioned
  );
}

/** Whoever a full report did not name is gone. @returns how many they are. */
function tallyUnstated(tally: Tally, place: Place, fullFrom: number): number {
  const stated = new Set(tally.rows.map(([user]) => user));
  let count = 0;
  for (const id of unstated(place, fullFrom)) {
    if (stated.has(id)) continue;
    const row = place.reported.get(id)!;
    tally.digest.remove({ id, ...row });
    if (tally.counted) tally.used -= unitsLost(tally.pool, id, row.connections);
    count += 1;
  }
  return count;
}

/** The units that come back when a user has so many connections fewer. */
function unitsLost(pool: Pool, userId: string, connections: number): number {
  const user = pool.users.get(userId);
  if (!user) return 0;
  const { transitioned, apart } = user;
  return unitsOf(user) - unitsOf({ connections: user.connections - connections, transitioned, apart });
}

/**
 * Who came in over the limit: while combined use was over it, whoever came or cost more; otherwise those who took
 * it over. Nobody knows in which order they came between two updates; whoever left counts as having left first.
 */
function arrivalsOf(tally: Tally, instance: string, limit: number): ExcessUser[] {
  const { pool, rows, added, came } = tally;
  const isOpen = pool.excess !== null;
  if (!isOpen && pool.units <= limit) return [];
  let used = pool.units;
  for (const units of added) if (units > 0) used -= units;
  const arrivals: ExcessUser[] = [];
  for (let index = 0; index < rows.length; index += 1) {
    const units = Math.max(0, added[index]!);
    used += units;
    if (isOpen ? units > 0 || came[index] : units > 0 && used > limit)
      arrivals.push({ user: rows[index]![0], instance });
  }
  return arrivals;
}

/**
 * Emits the end of everything that an instance had reported, if it had reported anything.
 * @param holdingsStay - whether its users keep what they hold of applications until they are reported anew.
 */
export function unreport(
  draft: Draft,
  place: Place,
  reason: ReleaseReason,
  actor: string,
  holdingsStay = false,
): void {
  const { report } = place;
  if (report === null) return;
  const pool = draft.table.pool(report.pool);
  let used = pool.units;
  if (report.counted) {
    for (const [id, { connections }] of place.reported) used -= unitsLost(pool, id, connections);
  }
  draft.emit({
    type: 'unreported',
    instance: place.instance,
    reason,
    ...(holdingsStay && place.holdings !== null ? { holdingsStay } : {}),
    rows: place.reported.size,
    pool: pool.id,
    used,
    by: draft.by(actor),
  });
}

/**
 * What an instance is told of a table as it stands.
 * @param resend - whether to ask it for a full report.
 * @param atMs - now, ms since 1970.
 */
export function viewUpdate(
  table: Table,
  instance: Instance,
  terms: Terms,
  resend: boolean,
  atMs: number,
): UpdateView {
  const pool = terms.key ? table.pools.get(terms.key.id) : undefined;
  const place = table.places.get(instance.name);
  const excess = pool?.excess ?? null;
  const overUnits = excess && pool ? Math.max(0, pool.units - excess.limit) : 0;
  return {
    acknowledged: excess === null && terms.fault === null,
    reason: terms.fault?.code ?? (excess === null ? null : 'over-limit'),
    sequence: place?.report?.sequence ?? 0,
    resend,
    terms,
    inUse: pool?.units ?? 0,
    atMs,
    transitioned: pool && place ? transitionedElsewhere(place, pool) : [],
    overLimit: excess && {
      sinceMs: excess.fromMs,
      units: overUnits,
      unitsMax: Math.max(excess.unitsMax, overUnits),
    },
    instance,
  };
}

function transitionedElsewhere(place: Place, pool: Pool): string[] {
  if (!place.report?.counted) return [];
  const { transitioned } = pool;
  const { reported } = place;
  // Of the two the smaller is gone through: every sign of life is answered with this.
  if (transitioned.size < reported.size)
    return [...transitioned].filter((id) => reported.get(id)?.transitioned === false);
  return [...reported].filter(([id, row]) => !row.transitioned && transitioned.has(id)).map(([id]) => id);
}
