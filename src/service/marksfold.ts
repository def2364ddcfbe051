/**
 * What the fold writes of the marks of instances, and how a table gets them back.
 */

import type { Place, Touched } from '../domain/holdings/holdings.ts';
import { noDurations } from '../domain/marks/durations.ts';
import { type Life, unitsMaxOf } from '../domain/marks/marks.ts';
import type { Table } from '../domain/table.ts';
import type { MarksChanges, MarksRecord } from '../storage/marks.ts';

/** Reads the absolute values of all marks that moved, as the table is. */
export function marksChangesOf(table: Table, touched: Touched): MarksChanges {
  const marks: MarksRecord[] = [];
  const marksGone: string[] = [];
  // An instance that went and came back has two places.
  for (const instance of new Set([...touched.marks].map((place) => place.instance))) {
    const place = table.places.get(instance);
    if (place?.life) marks.push(recordOf(place, place.life));
    else marksGone.push(instance);
  }
  return { marks, marksGone };
}

function recordOf(place: Place, life: Life): MarksRecord {
  const { marks } = place;
  const { counts, sinceMs } = place.durations ?? noDurations(life.startedAtMs);
  const { since } = life;
  return {
    instance: place.instance,
    incarnation: life.incarnation,
    startedAtMs: life.startedAtMs,
    pool: life.pool.id,
    unitLimit: life.unitLimit,
    unitsPeak: marks.unitsPeak,
    usersPeak: marks.usersPeak,
    connectionsPeak: marks.connectionsPeak,
    webUsersPeak: marks.webUsersPeak,
    processesPeak: marks.processesPeak,
    webGracePeak: marks.webGracePeak,
    availableMin: marks.availableMin,
    sinceMs: [since.users, since.connections, since['web-users'], since.processes, since['web-grace']],
    durations: [...counts],
    durationsSinceMs: sinceMs,
  };
}

/** Gives an instance its marks back, once everything that it has is in the table. */
export function restoreMarks(table: Table, record: MarksRecord): void {
  const place = table.place(record.instance);
  const { incarnation, startedAtMs, unitLimit } = record;
  const [users, connections, webUsers, processes, webGrace] = record.sinceMs;
  place.life = {
    incarnation,
    startedAtMs,
    pool: table.pool(record.pool),
    unitLimit,
    since: { users, connections, 'web-users': webUsers, processes, 'web-grace': webGrace },
  };
  const { marks } = place;
  // Only marks of before there were any, as the migration left them, are passed by what stands.
  marks.unitsPeak = Math.max(record.unitsPeak, place.units);
  marks.usersPeak = Math.max(record.usersPeak, marks.users);
  marks.connectionsPeak = Math.max(record.connectionsPeak, marks.connections);
  marks.webUsersPeak = Math.max(record.webUsersPeak, marks.webUsers);
  marks.processesPeak = Math.max(record.processesPeak, marks.processes);
  marks.webGracePeak = Math.max(record.webGracePeak, marks.webGrace);
  marks.availableMin = Math.min(record.availableMin, unitsMaxOf(place) - place.units);
  place.durations = { counts: [...record.durations], sinceMs: record.durationsSinceMs };
}
