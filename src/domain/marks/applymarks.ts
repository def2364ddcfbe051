/**
 * Applying that marks were reset, and histograms cleared. Like all of `apply.ts`, it decides nothing.
 */

import type { DurationsCleared, MarksReset } from '../events.ts';
import type { Pool } from '../holdings/holdings.ts';
import { lowerMarks, setLife, setPoolMarks } from '../lives.ts';
import type { Position } from '../position.ts';
import type { Table } from '../table.ts';
import { noDurations, setDurations } from './durations.ts';
import type { Counter } from './marks.ts';

/** Applies a reset. */
export function applyMarksReset(table: Table, event: MarksReset, { moment }: Position): void {
  if (event.pool !== undefined) {
    resetPool(table, table.pool(event.pool), event.counters, moment.atMs);
    return;
  }
  const place = table.place(event.instance!);
  if (place.life === null) return;
  const since = { ...place.life.since };
  for (const counter of event.counters) {
    lowerMarks(table, place, counter);
    since[counter] = moment.atMs;
  }
  setLife(table, place, { ...place.life, since });
}

/** Applies that a histogram begins anew. */
export function applyDurationsCleared(table: Table, event: DurationsCleared, { moment }: Position): void {
  setDurations(table, table.place(event.instance), noDurations(moment.atMs));
}

function resetPool(table: Table, pool: Pool, counters: readonly Counter[], atMs: number): void {
  const { units, users, connections, unitsMax } = pool;
  setPoolMarks(table, pool, {
    ...(counters.includes('users')
      ? { unitsPeak: units, usersPeak: users.size, availableMin: unitsMax - units }
      : {}),
    ...(counters.includes('connections') ? { connectionsPeak: connections } : {}),
    marksSinceMs: atMs,
  });
}
