/**
 * Applying the journal: the one function that turns a row's events into the table. It decides nothing,
 * and within a format it never changes: golden journals in the tests hold it.
 */

import { passHoldings } from './applications/applicationtable.ts';
import { applyApplication, forgetApplications, forgetScope } from './applications/applyapplications.ts';
import { unitsOf } from './counting.ts';
import type {
  Deregistered,
  Ended,
  ExcessChanged,
  Forestalled,
  Granted,
  Identified,
  InstanceChanged,
  Joined,
  JournalEvent,
  JournalRow,
  KeyChanged,
  KeyRemoved,
  Leased,
  LeaseEnded,
  Released,
  Reported,
  Unreported,
} from './events.ts';
import type { Pool } from './holdings/holdings.ts';
import { byAge, Login, totalsOf } from './holdings/login.ts';
import type { User } from './holdings/user.ts';
import { defaultPoolOf } from './instances.ts';
import { applyMoved } from './keys/applymoves.ts';
import { applyJoined, applyLeased, applyLeaseEnded } from './leases/applyleases.ts';
import { endLife, followInstance, followKey } from './lives.ts';
import { applyReported, applyUnreported } from './local/applyreports.ts';
import { applyDurationsCleared, applyMarksReset } from './marks/applymarks.ts';
import { complain, type Position, where } from './position.ts';
import { DivergenceError, ORDINARY, type Standing, type Table } from './table.ts';

/**
 * Applies a row that follows the table's head.
 * @throws DivergenceError when the row does not follow, or its totals differ from what the table comes to.
 */
export function applyRow(table: Table, row: JournalRow): void {
  if (row.version !== table.version + 1) {
    throw new DivergenceError(`row ${row.version} does not follow version ${table.version} of the table`);
  }
  const moment = { version: row.version, atMs: row.at };
  for (let index = 0; index < row.events.length; index += 1) {
    applyEvent(table, row.events[index]!, { moment, index });
  }
  moveHead(table, row);
}

/** Moves the table's head to a row whose events have been applied. */
export function moveHead(table: Table, row: Pick<JournalRow, 'version' | 'batch' | 'at'>): void {
  table.version = row.version;
  table.batch = row.batch;
  table.atMs = row.at;
}

/** Applies one event. */
export function applyEvent(table: Table, event: JournalEvent, position: Position): void {
  switch (event.type) {
    case 'granted':
      applyGranted(table, event, position);
      break;
    case 'released':
      applyReleased(table, event, position);
      break;
    case 'ended':
      applyEnded(table, event, position);
      break;
    case 'identified':
      applyIdentified(table, event, position);
      break;
    case 'forestalled':
      applyForestalled(table, event, position);
      break;
    case 'renewed':
      table.setLogin(loginOf(table, event, position), 'expiresAtMs', event.expires);
      break;
    case 'lingered': {
      const login = loginOf(table, event, position);
      table.setLogin(login, 'phase', 'grace');
      table.setLogin(login, 'endsAtMs', event.ends);
      break;
    }
    case 'refused':
      break;
    case 'registered':
    case 'configured':
    case 'silenced':
    case 'revived':
    case 'deregistered':
    case 'key-installed':
    case 'key-changed':
    case 'key-removed':
      applyFact(table, event, position);
      break;
    case 'reported':
    case 'unreported':
    case 'excess':
    case 'leased':
    case 'lease-ended':
    case 'joined':
      applyDistributed(table, event, position);
      break;
    case 'application-loaded':
    case 'application-removed':
    case 'taken':
    case 'returned':
    case 'holdings-moved':
      applyApplication(table, event, position);
      break;
    case 'activated':
      break;
    case 'moved':
      applyMoved(table, event, position);
      break;
    case 'marks-reset':
      applyMarksReset(table, event, position);
      break;
    case 'durations-cleared':
      applyDurationsCleared(table, event, position);
      break;
    default:
      throw new DivergenceError(`${where(position)}: unknown event ${(event as { type: string }).type}`);
  }
}

/** Applies what instances that decide for themselves report, and what is leased to them. */
function applyDistributed(
  table: Table,
  event: Reported | Unreported | ExcessChanged | Leased | LeaseEnded | Joined,
  position: Position,
): void {
  switch (event.type) {
    case 'reported':
      applyReported(table, event, position);
      break;
    case 'unreported':
      applyUnreported(table, event, position);
      break;
    case 'excess':
      table.setExcess(table.pool(event.excess.pool), event.excess.toMs === null ? event.excess : null);
      break;
    case 'leased':
      applyLeased(table, event, position);
      break;
    case 'lease-ended':
      applyLeaseEnded(table, event, position);
      break;
    case 'joined':
      applyJoined(table, event, position);
  }
}

/** Applies what the journal says of instances and keys. */
function applyFact(
  table: Table,
  event: InstanceChanged | Deregistered | KeyChanged | KeyRemoved,
  position: Position,
): void {
  switch (event.type) {
    case 'registered':
    case 'configured':
    case 'silenced':
    case 'revived':
      table.setInstance(event.instance.name, event.instance);
      followInstance(table, event.instance, position.moment.atMs);
      break;
    case 'deregistered':
      forgetApplications(table, event.instance, position);
      endLife(table, event.instance);
      table.setInstance(event.instance, null);
      break;
    case 'key-installed':
    case 'key-changed':
      table.setKey(event.key.id, event.key);
      followKey(table, event.key.id, event.key);
      break;
    case 'key-removed':
      forgetScope(table, { key: event.key }, position);
      table.setKey(event.key, null);
      followKey(table, event.key, null);
  }
}

function applyGranted(table: Table, event: Granted, position: Position): void {
  const place = table.place(event.instance);
  if (place.logins.has(event.login)) complain(position, `login ${event.login} is already in`);
  const pool = table.pool(event.pool);
  const login = new Login(event.login, place, pool);
  login.kind = event.kind;
  if (event.pending) login.phase = 'pending';
  login.processId = event.processId ?? 0;
  login.leaseSeconds = event.leaseSeconds ?? 0;
  login.endsAtMs = event.ends ?? 0;
  login.moment = position.moment;
  login.index = position.index;
  login.totals = totalsOf(event.connections, event.units, event.added, event.transitioned === true);
  login.print = event.print;
  table.addLogin(login, event.user ?? null, standingOf(event));
  verify(position, event, login.user, pool);
}

function applyReleased(table: Table, event: Released, position: Position): void {
  const login = loginOf(table, event, position);
  const { user, pool } = login;
  table.removeLogin(login, position.moment.atMs, event.reason);
  verify(position, event, user, pool);
}

function applyForestalled(table: Table, event: Forestalled, position: Position): void {
  const pool = table.pool(defaultPoolOf(event.instance));
  const login = new Login(event.login, table.place(event.instance), pool);
  login.moment = position.moment;
  login.index = position.index;
  table.remember(login, position.moment.atMs, 'logout');
}

function applyEnded(table: Table, event: Ended, position: Position): void {
  let count = 0;
  for (const login of endedLogins(table, event)) {
    table.removeLogin(login, position.moment.atMs, event.reason);
    count += 1;
  }
  if (count !== event.logins) complain(position, `${count} logins ended, the row says ${event.logins}`);
  for (const [id, units] of event.used) {
    if (table.pool(id).units !== units)
      complain(position, `pool ${id} uses ${table.pool(id).units}, the row says ${units}`);
  }
}

/** The logins that an `ended` event names, alive in the table as it is; oldest first, by which some are remembered. */
export function endedLogins(
  table: Table,
  event: Pick<Ended, 'instance' | 'boundOnly' | 'pool' | 'user'>,
): Login[] {
  if (event.instance !== undefined) {
    const place = table.places.get(event.instance);
    if (!place) return [];
    const logins = [...place.logins.values()].sort(byAge);
    return event.boundOnly
      ? logins.filter((login) => login.leaseSeconds === 0 && login.endsAtMs === 0)
      : logins;
  }
  const user = table.pools.get(event.pool ?? '')?.users.get(event.user ?? '');
  if (!user) return [];
  const places = user.home ? [user.home, ...(user.elsewhere?.keys() ?? [])] : [];
  return places.flatMap((place) => place.logins.of(user)).sort(byAge);
}

function applyIdentified(table: Table, event: Identified, position: Position): void {
  const login = loginOf(table, event, position);
  const before = login.user?.id ?? null;
  if (login.user) table.disconnect(login, false);
  if (login.phase === 'pending') table.setLogin(login, 'phase', 'active');
  if (login.pool.id !== event.pool) table.setLogin(login, 'pool', table.pool(event.pool));
  table.connect(login, event.user, standingOf(event));
  if (login.place.holdings !== null) passHoldings(table, login, before, event.user);
  verify(position, event, login.user, login.pool);
}

function loginOf(table: Table, event: { instance: string; login: string }, position: Position): Login {
  const login = table.places.get(event.instance)?.logins.get(event.login);
  if (!login) return complain(position, `login ${event.login} is not in the table`);
  return login;
}

function verify(
  position: Position,
  event: { connections: number; units: number; used: number },
  user: User | null,
  pool: Pool,
): void {
  const connections = user?.connections ?? 0;
  const units = user ? unitsOf(user) : 0;
  if (connections !== event.connections || units !== event.units || pool.units !== event.used) {
    complain(
      position,
      `the table comes to ${connections} connections, ${units} units, ${pool.units} used; ` +
        `the row says ${event.connections}, ${event.units}, ${event.used}`,
    );
  }
}

/** Most logins leave their users as they are, so that this costs them nothing. */
function standingOf({ transitioned, apart }: Pick<Granted, 'transitioned' | 'apart'>): Standing {
  if (!transitioned && !apart) return ORDINARY;
  return { transitioned: transitioned === true, apart: apart === true };
}
