/**
 * Counts of an instance, made by walking over everything that it holds: what its marks must have kept up to date,
 * one login at a time. It shares no arithmetic with the domain.
 */
import type { Place } from '../../src/domain/holdings/holdings.ts';
import type { Table } from '../../src/domain/table.ts';

/** What stands on an instance. */
export interface Walked {
  readonly units: number;
  readonly users: number;
  readonly connections: number;
  readonly webUsers: number;
  readonly webGrace: number;
  readonly processes: number;
}

/** Walks over the logins and the reported rows of an instance. */
export function walk(place: Place): Walked {
  const users = new Set<string>();
  const webUsers = new Set<string>();
  let [connections, webGrace, processes] = [0, 0, 0];
  for (const { user, pool, kind, phase } of place.logins.readAll()) {
    if (kind !== 'web' && kind !== 'request') processes += 1;
    if (phase === 'grace') webGrace += 1;
    if (!user) continue;
    connections += 1;
    users.add(`${pool.id} ${user.id}`);
    if (kind === 'web') webUsers.add(user.id);
  }
  for (const [id, row] of place.reported) {
    connections += row.connections;
    processes += row.connections - row.webSessions;
    users.add(`${place.report!.pool} ${id}`);
    if (row.webSessions > 0) webUsers.add(id);
  }
  return { units: place.units, users: users.size, connections, webUsers: webUsers.size, webGrace, processes };
}

/** @throws Error when what the marks say stands is not what does, or a mark was passed. */
export function expectMarksKept(table: Table): void {
  for (const place of table.places.values()) {
    const { marks, instance } = place;
    const found = walk(place);
    for (const [name, count] of Object.entries(found)) {
      const kept = name === 'units' ? place.units : marks[name as keyof typeof marks];
      if (kept !== count) throw new Error(`${name} of ${instance}: ${kept} are kept, ${count} are there`);
      const peak = marks[`${name}Peak` as keyof typeof marks] as number;
      if (place.life && count > peak)
        throw new Error(`${name} of ${instance}: ${count} pass the mark of ${peak}`);
    }
    if (!place.life) continue;
    const { pool, unitLimit } = place.life;
    const most = unitLimit > 0 ? Math.min(unitLimit, pool.unitsMax) : pool.unitsMax;
    if (most - place.units < marks.availableMin)
      throw new Error(`${instance}: ${most - place.units} are left, the mark is ${marks.availableMin}`);
  }
}
