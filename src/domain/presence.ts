/**
 * Where a user's connections are, and what they weigh in its pool and on each of its instances.
 */

import { unitsOf } from './counting.ts';
import type { Place } from './holdings/holdings.ts';
import type { User } from './holdings/user.ts';
import { markPoolUnits, markUnits } from './marks/marks.ts';
import type { Table } from './table.ts';

/** Adds (1) or takes out (-1) what a user costs from its pool and from every instance it is on. */
export function weigh(user: User, sign: 1 | -1): void {
  user.pool.units += sign * unitsOf(user);
  if (user.transitioned) note(user.pool.transitioned, user, sign);
  if (user.apart) note(user.pool.apart, user, sign);
  if (user.home) user.home.units += sign * user.unitsAt(user.home);
  if (user.elsewhere) for (const place of user.elsewhere.keys()) place.units += sign * user.unitsAt(place);
}

function note(users: Set<string>, { id }: User, sign: 1 | -1): void {
  if (sign > 0) users.add(id);
  else users.delete(id);
}

/**
 * Moves the connections of a user on an instance and in its pool.
 * @param difference - connections more or, below 0, fewer; he has as many there.
 */
export function move(user: User, place: Place, difference: number): void {
  user.pool.connections += difference;
  if (difference > 0) enter(user, place, difference);
  else if (difference < 0) leave(user, place, -difference);
}

function enter(user: User, place: Place, count: number): void {
  user.connections += count;
  if (user.home === null) user.home = place;
  if (user.home === place) return;
  user.elsewhere ??= new Map();
  user.elsewhere.set(place, (user.elsewhere.get(place) ?? 0) + count);
}

function leave(user: User, place: Place, count: number): void {
  const elsewhere = user.elsewhere?.get(place);
  if (elsewhere === undefined) {
    const left = user.connectionsAt(place) - count;
    user.connections -= count;
    if (left > 0) return;
    // The next instance it is on becomes its home; which one matters to nobody.
    const next = user.elsewhere?.keys().next().value ?? null;
    user.home = next;
    if (next) user.elsewhere!.delete(next);
  } else {
    user.connections -= count;
    if (elsewhere > count) user.elsewhere!.set(place, elsewhere - count);
    else user.elsewhere!.delete(place);
  }
  if (user.elsewhere?.size === 0) user.elsewhere = null;
}

/** Moves the marks of a user, of its pool and of the units of every instance it is on to what stands. */
export function raisePeaks(table: Table, user: User): void {
  const { pool, home, elsewhere } = user;
  if (user.connections > user.connectionsPeak) user.connectionsPeak = user.connections;
  markPoolUnits(pool);
  if (pool.users.size > pool.usersPeak) pool.usersPeak = pool.users.size;
  if (pool.connections > pool.connectionsPeak) pool.connectionsPeak = pool.connections;
  if (home) markUnits(table, home);
  if (elsewhere) for (const place of elsewhere.keys()) markUnits(table, place);
}
