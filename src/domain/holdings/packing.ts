/**
 * Packing what rests. A login is an object while somebody is busy with it, and a row of numbers when nobody is: of a
 * million logins that are in, nearly all have been still for long. This goes through a table again and again and packs
 * what it may; whatever is looked up unpacks itself.
 */

import type { Table } from '../table.ts';
import type { Login } from './login.ts';
import type { User } from './user.ts';

/** An instance, or a pool, with fewer objects than these is left as it is: there is nothing to be gained. */
export const PACKED_FROM = 2_000;

/** Says who is busy with an object of a table, so that it has to go on being the one that it is. */
export interface Busy {
  hasLogin(login: Login): boolean;
  hasUser(user: User): boolean;
}

const NOBODY: Busy = { hasLogin: () => false, hasUser: () => false };

/**
 * Goes through a table once. It may be left off after every step, and gone on with as long as the table is the same,
 * whatever has become of it; but only between batches, since what is undecided may still be taken back.
 *
 * @param table - whose logins and users are packed.
 * @param beforeMs - logins that were granted after this instant are left, ms since 1970: most do not last long.
 * @param busy - what has to stay an object.
 * @param from - how many objects an instance, or a pool, must have.
 * @returns a step for each object that was looked at.
 */
export function* packing(
  table: Table,
  beforeMs: number,
  busy: Busy,
  from = PACKED_FROM,
): Generator<void, void, void> {
  for (const { logins } of table.places.values()) {
    if (logins.openSize < from) continue;
    for (const login of logins.open()) {
      if (login.moment.atMs <= beforeMs && login.isPlain && !busy.hasLogin(login)) logins.pack(login);
      yield;
    }
  }
  for (const { users } of table.pools.values()) {
    if (users.openSize < from) continue;
    for (const user of users.open()) {
      if (user.isResting && !busy.hasUser(user)) users.pack(user);
      yield;
    }
  }
}

/** Packs all that rests in a table with which nobody else is busy. */
export function packAll(table: Table, busy: Busy = NOBODY, from = PACKED_FROM): void {
  const steps = packing(table, Number.POSITIVE_INFINITY, busy, from);
  while (!steps.next().done);
}
