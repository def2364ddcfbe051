/**
 * Applying what instances report of their tables, and the end of it. Like all of `apply.ts`, it decides nothing.
 */

import { dropAbsent, dropUnlessThere } from '../applications/applicationtable.ts';
import { FLAGS, type Reported, type Unreported } from '../events.ts';
import type { Place, Pool } from '../holdings/holdings.ts';
import { complain, type Position, verifyUsed } from '../position.ts';
import type { Standing, Table } from '../table.ts';
import { EMPTY_DIGEST, readDigest } from './digest.ts';

/** Applies a report: its rows replace what stood, and at the end of a full one the others are gone. */
export function applyReported(table: Table, event: Reported, position: Position): void {
  const place = table.place(event.instance);
  const pool = table.pool(event.pool);
  const counted = event.counted === true;
  const digest = readDigest(event.digest);
  if (digest === null) complain(position, `"${event.digest}" is not a digest`);
  table.setReport(place, {
    incarnation: event.incarnation,
    pool: event.pool,
    counted,
    sequence: event.sequence,
    fullFrom: event.more ? (event.fullFrom ?? 0) : 0,
    lost: event.more ? (place.report?.lost ?? null) : null,
    ...digest,
    atMs: position.moment.atMs,
  });
  for (const [user, connections, webSessions, flags] of event.rows) {
    const before = place.reported.get(user)?.connections ?? 0;
    if (counted) table.shift(pool, user, place, connections - before, standingOf(flags));
    const transitioned = (flags & FLAGS.transitionedHere) !== 0;
    const row = { connections, webSessions, transitioned, sequence: event.sequence };
    table.setReported(place, user, connections === 0 ? null : row);
    if (connections === 0 && place.holdings !== null) dropUnlessThere(table, place, user);
  }
  if (event.dropped !== undefined) {
    const dropped = dropUnstated(table, place, counted ? pool : null, event.fullFrom ?? 0);
    if (dropped !== event.dropped)
      complain(position, `${dropped} reported users are gone, the row says ${event.dropped}`);
    if (place.holdings !== null) dropAbsent(table, place);
  }
  if (place.reported.size !== digest.rows)
    complain(position, `${place.reported.size} users are reported, the row says ${digest.rows}`);
  verifyUsed(position, pool, event.used);
}

/** Applies the end of everything that an instance had reported. */
export function applyUnreported(table: Table, event: Unreported, position: Position): void {
  const place = table.place(event.instance);
  const pool = table.pool(event.pool);
  const dropped = dropUnstated(table, place, place.report?.counted ? pool : null, Number.POSITIVE_INFINITY);
  if (dropped !== event.rows)
    complain(position, `${dropped} reported users are gone, the row says ${event.rows}`);
  const { reason } = event;
  if (place.holdings !== null && !event.holdingsStay) dropAbsent(table, place);
  const goesOn = place.report !== null && (reason === 'silent' || reason === 'moved');
  table.setReport(place, goesOn ? { ...place.report!, ...EMPTY_DIGEST, fullFrom: 0, lost: reason } : null);
  verifyUsed(position, pool, event.used);
}

/** The users of an instance that no update has stated from a sequence on. */
export function* unstated(place: Place, fromSequence: number): Generator<string> {
  for (const [user, { sequence }] of place.reported) if (sequence < fromSequence) yield user;
}

/** @param pool - where they count; null when they do not. */
function dropUnstated(table: Table, place: Place, pool: Pool | null, fromSequence: number): number {
  let count = 0;
  for (const user of [...unstated(place, fromSequence)]) {
    const standing = pool?.users.get(user);
    if (pool && standing) table.shift(pool, user, place, -place.reported.get(user)!.connections, standing);
    table.setReported(place, user, null);
    count += 1;
  }
  return count;
}

function standingOf(flags: number): Standing {
  return { transitioned: (flags & FLAGS.transitioned) !== 0, apart: (flags & FLAGS.apart) !== 0 };
}
