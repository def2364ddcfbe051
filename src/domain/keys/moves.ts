/**
 * Logins going over from one pool to another, because their instance works under another key: whoever is in stays
 * in, and takes up units there even where none is free.
 */

import { CONNECTIONS_PER_UNIT_MAX, type Count, unitsOf } from '../counting.ts';
import type { Draft } from '../draft.ts';
import { FLAGS } from '../events.ts';
import { type ExcessUser, noteExcess } from '../excesses.ts';
import type { Place, Pool } from '../holdings/holdings.ts';
import { byAge, type Login } from '../holdings/login.ts';
import type { User } from '../holdings/user.ts';
import { isHeldByAll } from '../leases/leasebooks.ts';
import type { InstalledKey } from './keyring.ts';

/** Emits that every login of an instance counts under a key from now on. */
export function moveLogins(draft: Draft, instance: string, key: InstalledKey, actor: string): void {
  const place = draft.table.places.get(instance);
  if (!place) return;
  const sources = place.logins.pools().filter((pool) => pool.id !== key.id);
  const arrivals: ExcessUser[] = [];
  for (const from of sources) arrivals.push(...movePool(draft, place, from, key, actor));
  if (key.enforcement !== 'local' || sources.length === 0) return;
  noteExcess(draft, draft.table.pool(key.id), { limit: key.unitsEnforced, cause: 'activated', arrivals });
}

/** @returns who took the pool over its limit, or came while it was over. */
function movePool(draft: Draft, place: Place, from: Pool, key: InstalledKey, actor: string): ExcessUser[] {
  const to = draft.table.pool(key.id);
  const logins = loginsIn(place, from);
  const users: [string, number][] = [];
  const over: ExcessUser[] = [];
  let [left, used] = [from.units, to.units];
  for (const [user, connections] of connectionsOf(logins)) {
    left -= unitsOf(user) - unitsOf({ ...countOf(user), connections: user.connections - connections });
    const next = countThere(to, user, connections, key.connectionsPerUnitMax ?? CONNECTIONS_PER_UNIT_MAX);
    const known = to.users.get(user.id);
    used += unitsOf(next) - (known ? unitsOf(known) : 0);
    const flags = (next.transitioned ? FLAGS.transitioned : 0) | (next.apart ? FLAGS.apart : 0);
    if (flags !== 0) users.push([user.id, flags]);
    if (used > key.unitsEnforced) over.push({ user: user.id, instance: place.instance });
  }
  draft.emit({
    type: 'moved',
    instance: place.instance,
    from: from.id,
    to: to.id,
    logins: logins.length,
    users,
    used: [
      [from.id, left],
      [to.id, used],
    ],
    by: draft.by(actor),
  });
  return over;
}

/**
 * The logins of an instance that count in a pool, or would if they cost anything. They go over one by one, oldest
 * first: peaks on the way, and who takes a key over its limit, depend on the order.
 */
export function loginsIn(place: Place, pool: Pool): Login[] {
  return place.logins.in(pool).sort(byAge);
}

/** How many of these logins each user has. */
export function connectionsOf(logins: readonly Login[]): Map<User, number> {
  const connections = new Map<User, number>();
  for (const { user } of logins) if (user) connections.set(user, (connections.get(user) ?? 0) + 1);
  return connections;
}

function countOf({ connections, transitioned, apart }: User): Count {
  return { connections, transitioned, apart };
}

/**
 * What a user comes to in another pool with so many connections more. Whoever has transitioned stays so until none
 * of his connections is left (F-33), and he is counted together only where nobody can hold others of his.
 */
function countThere(to: Pool, user: User, more: number, connectionsPerUnitMax: number): Count {
  const known = to.users.get(user.id);
  const connections = (known?.connections ?? 0) + more;
  const transitioned =
    user.transitioned || known?.transitioned === true || connections > connectionsPerUnitMax;
  if (known && (known.connections > 1 || known.transitioned))
    return { connections, transitioned, apart: known.apart };
  const apart = (connections > 1 || transitioned) && !isHeldByAll(to, user.id);
  return { connections, transitioned, apart };
}
