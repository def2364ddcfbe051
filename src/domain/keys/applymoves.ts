/**
 * Applying that logins went over to another pool. Like all of `apply.ts`, it decides nothing.
 */

import { FLAGS, type Moved } from '../events.ts';
import type { Pool } from '../holdings/holdings.ts';
import type { Login } from '../holdings/login.ts';
import type { User } from '../holdings/user.ts';
import { markMoved } from '../marks/marks.ts';
import { complain, type Position, verifyUsed } from '../position.ts';
import { ORDINARY, type Standing, type Table } from '../table.ts';
import { connectionsOf, loginsIn } from './moves.ts';

/** Applies that the logins of an instance went over from one pool to another. */
export function applyMoved(table: Table, event: Moved, position: Position): void {
  const place = table.place(event.instance);
  const [from, to] = [table.pool(event.from), table.pool(event.to)];
  const logins = loginsIn(place, from);
  if (logins.length !== event.logins)
    complain(position, `${logins.length} logins went over, the row says ${event.logins}`);
  const standings = new Map(event.users.map(([user, flags]) => [user, standingOf(flags)]));
  const users = new Map<User, User>();
  for (const [user, connections] of connectionsOf(logins)) {
    table.shift(from, user.id, place, -connections, user);
    const there = table.shift(to, user.id, place, connections, standings.get(user.id) ?? ORDINARY);
    markMoved(table, place, user, there, connections);
    users.set(user, there);
  }
  putLogins(table, logins, to, users);
  for (const [id, units] of event.used) verifyUsed(position, table.pool(id), units);
}

/**
 * Has logins of one pool count in another; what they weigh is `shift`'s part. All are taken back by one inverse, since
 * they may be every login of a large instance.
 * @param users - who each user is there.
 */
function putLogins(table: Table, logins: readonly Login[], to: Pool, users: ReadonlyMap<User, User>): void {
  const before = logins.map(({ pool, user }) => ({ pool, user }));
  for (const login of logins) {
    login.pool = to;
    login.user = login.user && users.get(login.user)!;
    table.touched?.logins.add(login);
  }
  table.undoable(() => {
    for (const [index, login] of logins.entries()) Object.assign(login, before[index]);
  });
}

function standingOf(flags: number): Standing {
  return { transitioned: (flags & FLAGS.transitioned) !== 0, apart: (flags & FLAGS.apart) !== 0 };
}
