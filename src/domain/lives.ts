/**
 * The lives of instances, within which their marks are kept: a registration in a new incarnation begins one, and
 * with it every mark and the histogram anew, as after a start of the installation itself (notes 2.3). What an
 * instance may use is noted here by the events that say it, and not looked up among the facts: these may be
 * ahead of the table while a replica catches up, and the least that was left must be the same everywhere.
 */

import type { Place, Pool } from './holdings/holdings.ts';
import { defaultPoolOf, type Instance, unitLimitOf } from './instances.ts';
import type { InstalledKey } from './keys/keyring.ts';
import { setDurations } from './marks/durations.ts';
import { COUNTERS, type Counter, type Life, markUnits, sinceAll, unitsMaxOf } from './marks/marks.ts';
import type { Table } from './table.ts';

/** Follows an instance's record: its life begins, or goes on under another key or limit. */
export function followInstance(table: Table, instance: Instance, atMs: number): void {
  const place = table.place(instance.name);
  const { life } = place;
  const { incarnation } = instance;
  const pool = table.pool(instance.key ?? defaultPoolOf(instance.name));
  const unitLimit = unitLimitOf(instance);
  if (life?.incarnation === incarnation) {
    if (life.pool === pool && life.unitLimit === unitLimit) return;
    setLife(table, place, { ...life, pool, unitLimit });
    markUnits(table, place);
    return;
  }
  setLife(table, place, { incarnation, startedAtMs: atMs, pool, unitLimit, since: sinceAll(atMs) });
  setDurations(table, place, null);
  for (const counter of COUNTERS) lowerMarks(table, place, counter);
}

/** Ends the life of an instance that is deregistered; before its record goes. */
export function endLife(table: Table, name: string): void {
  const place = table.places.get(name);
  if (!place?.life) return;
  setLife(table, place, null);
  setDurations(table, place, null);
  const marks = table.marksOf(place);
  marks.unitsPeak = 0;
  marks.usersPeak = 0;
  marks.connectionsPeak = 0;
  marks.webUsersPeak = 0;
  marks.webGracePeak = 0;
  marks.processesPeak = 0;
  marks.availableMin = 0;
}

/** Replaces the life of an instance; null ends it. */
export function setLife(table: Table, place: Place, life: Life | null): void {
  const before = place.life;
  place.life = life;
  table.touched?.marks.add(place);
  table.undoable(() => {
    place.life = before;
  });
}

/** Moves a mark of an instance, up or down, to what stands. */
export function lowerMarks(table: Table, place: Place, counter: Counter): void {
  const marks = table.marksOf(place);
  switch (counter) {
    case 'users':
      marks.usersPeak = marks.users;
      marks.unitsPeak = place.units;
      marks.availableMin = unitsMaxOf(place) - place.units;
      break;
    case 'connections':
      marks.connectionsPeak = marks.connections;
      break;
    case 'web-users':
      marks.webUsersPeak = marks.webUsers;
      break;
    case 'processes':
      marks.processesPeak = marks.processes;
      break;
    case 'web-grace':
      marks.webGracePeak = marks.webGrace;
      break;
  }
}

/** Follows a key: what it enforces is what there is in its pool; nothing when it was removed. */
export function followKey(table: Table, id: string, key: InstalledKey | null): void {
  const pool = table.pool(id);
  const unitsMax = key?.unitsEnforced ?? 0;
  if (pool.unitsMax === unitsMax) return;
  const wasThere = pool.unitsMax > 0;
  const available = unitsMax - pool.units;
  const availableMin = wasThere ? Math.min(pool.availableMin, available) : available;
  setPoolMarks(table, pool, key === null ? { unitsMax } : { unitsMax, availableMin });
}

/** Changes what a pool has and the marks of it. */
export function setPoolMarks(
  table: Table,
  pool: Pool,
  changes: Partial<
    Pick<Pool, 'unitsMax' | 'availableMin' | 'unitsPeak' | 'usersPeak' | 'connectionsPeak' | 'marksSinceMs'>
  >,
): void {
  const { unitsMax, availableMin, unitsPeak, usersPeak, connectionsPeak, marksSinceMs } = pool;
  Object.assign(pool, changes);
  table.touched?.pools.add(pool);
  table.undoable(() => {
    Object.assign(pool, { unitsMax, availableMin, unitsPeak, usersPeak, connectionsPeak, marksSinceMs });
  });
}
