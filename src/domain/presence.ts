/**
 * Where a user's connections are, and what they weigh in its pool and on each of its instances.
 */

import { unitsOf } from './counting.ts';
import type { Place, User } from './holdings.ts';

/** Adds (1) or takes out (-1) what a user costs from its pool and from every instance it is on. */
export function weigh(user: User, sign: 1 | -1): void {
  user.pool.units += sign * unitsOf(user);
  if (user.home) user.home.units += sign * user.unitsAt(user.home);
  if (user.elsewhere) for (const place of user.elsewhere.keys()) place.units += sign * user.unitsAt(place);
}

/** Adds a connection of a user on an instance. */
export function enter(user: User, place: Place): void {
  user.connections += 1;
  if (user.home === null) user.home = place;
  if (user.home === place) return;
  user.elsewhere ??= new Map();
  user.elsewhere.set(place, (user.elsewhere.get(place) ?? 0) + 1);
}

/** Takes a connection of a user away from an instance. */
export function leave(user: User, place: Place): void {
  const elsewhere = user.elsewhere?.get(place);
  if (elsewhere === undefined) {
    const left = user.connectionsAt(place) - 1;
    user.connections -= 1;
    if (left > 0) return;
    // The next instance it is on becomes its home; which one matters to nobody.
    const next = user.elsewhere?.keys().next().value ?? null;
    user.home = next;
    if (next) user.elsewhere!.delete(next);
  } else {
    user.connections -= 1;
    if (elsewhere > 1) user.elsewhere!.set(place, elsewhere - 1);
    else user.elsewhere!.delete(place);
  }
  if (user.elsewhere?.size === 0) user.elsewhere = null;
}

/** Moves the high-water marks of a user and its pool up to what stands. */
export function raisePeaks(user: User): void {
  const { pool } = user;
  if (user.connections > user.connectionsPeak) user.connectionsPeak = user.connections;
  if (pool.units > pool.unitsPeak) pool.unitsPeak = pool.units;
  if (pool.users.size > pool.usersPeak) pool.usersPeak = pool.users.size;
  if (pool.connections > pool.connectionsPeak) pool.connectionsPeak = pool.connections;
}
