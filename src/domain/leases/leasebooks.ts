/**
 * The server's books of leased units: what a user costs while instances may hold connections of his that the
 * server does not know of.
 *
 * A user on the books costs less than a unit a connection only while every lease that could hold others has an
 * entry for him, by which its instance lets nobody in under his ID without the server's word (I2). Until then his
 * connections are counted *apart*, a unit each.
 */

import { type Count, NOBODY, unitsOf } from '../counting.ts';
import type { Lease, Pool } from '../holdings/holdings.ts';
import type { User } from '../holdings/user.ts';

/**
 * Whether no lease can hold connections of a user ID that the server does not know of. One without units holds
 * none that are nobody's but its own.
 * @param except - a lease that is about to have an entry for him.
 */
export function isHeldByAll(pool: Pool, userId: string, except?: Lease): boolean {
  for (const lease of pool.leases) {
    if (lease.units > 0 && lease !== except && !lease.allowances.has(userId)) return false;
  }
  return true;
}

/** Whether what a user costs, or that he has transitioned, rests on the entries of every lease. */
export function isJoined(user: User): boolean {
  return !user.apart && (user.transitioned || user.connections > 1);
}

/**
 * What a user ID comes to with another number of connections (F-31…F-33).
 * @param pool - where it counts; undefined when nothing has ever counted there.
 * @param connectionsPerUnitMax - of its key.
 * @param except - a lease that is about to have an entry for it.
 */
export function countWith(
  pool: Pool | undefined,
  userId: string,
  connections: number,
  connectionsPerUnitMax: number,
  except?: Lease,
): Count {
  if (connections === 0) return NOBODY;
  const user = pool?.users.get(userId);
  // Only another connection makes anybody cost more, whatever became of the key meanwhile.
  if (user && connections <= user.connections)
    return { connections, transitioned: user.transitioned, apart: user.apart };
  const transitioned = user?.transitioned === true || connections > connectionsPerUnitMax;
  const wasCounted = user !== undefined && (user.connections > 1 || user.transitioned);
  if (wasCounted) return { connections, transitioned, apart: user.apart };
  const apart = connections > 1 && pool !== undefined && !isHeldByAll(pool, userId, except);
  return { connections, transitioned, apart };
}

/** @returns the units that a user ID costs more, or below 0 fewer, when it comes to something else. */
export function unitsAdded(pool: Pool | undefined, userId: string, count: Count): number {
  const user = pool?.users.get(userId);
  return unitsOf(count) - (user ? unitsOf(user) : 0);
}
