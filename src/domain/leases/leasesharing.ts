/**
 * Users whom several instances let in within their leases. Each costs a unit on every one of them until all have
 * an entry for him; then he costs one in all (F-30, trap 1). Who they are is seen from the rows that the instances
 * report, which may be a moment old: it says whom to hold, and nothing is granted on it.
 */

import type { Place, Pool } from '../holdings/holdings.ts';

/** The rows of all instances are gone through no more often than this, in milliseconds. */
const SHARED_KEPT_MS = 2_000;

/** Users whom several instances have, as of an instant. */
interface SharedUsers {
  readonly atMs: number;
  readonly users: ReadonlySet<string>;
}

/** What was found last. It is no part of a pool: the journal says nothing of it, and it may differ by replica. */
const found = new WeakMap<Pool, SharedUsers>();

/**
 * The users of a pool who are on several instances, or on one and on the server's books, while an instance has
 * no entry for them.
 * @param atMs - now, ms since 1970.
 */
export function sharedUsers(pool: Pool, atMs: number): ReadonlySet<string> {
  const known = found.get(pool);
  if (known && atMs - known.atMs < SHARED_KEPT_MS) return known.users;
  const once = new Set<string>();
  const users = new Set<string>();
  const places = new Set<Place>();
  for (const lease of pool.leases) {
    const { place } = lease;
    if (places.has(place)) continue;
    places.add(place);
    for (const id of place.reported.keys()) {
      if (lease.allowances.has(id)) continue;
      if (pool.users.has(id) || once.has(id)) users.add(id);
      else once.add(id);
    }
  }
  found.set(pool, { atMs, users });
  return users;
}
