/**
 * A table as plain data in one order, so that two tables that hold the same compare equal however they came
 * about. Left out is what nobody can tell apart: places and pools that hold nothing and never did, on which of
 * his instances a user has his home, and what is packed.
 */

import type { HoldingsBook } from '../../src/domain/applications/applicationtable.ts';
import { applyRow } from '../../src/domain/apply.ts';
import type { JournalRow } from '../../src/domain/events.ts';
import type { Lease, Place, Pool } from '../../src/domain/holdings/holdings.ts';
import type { Login } from '../../src/domain/holdings/login.ts';
import type { User } from '../../src/domain/holdings/user.ts';
import { isDefaultPool } from '../../src/domain/instances.ts';
import { noDurations } from '../../src/domain/marks/durations.ts';
import { Table } from '../../src/domain/table.ts';

export type Snapshot = ReturnType<typeof snapshotOf>;

/** @returns everything that a table holds; a value of JSON. */
export function snapshotOf(table: Table) {
  return {
    ...applicationsOf(table),
    marks: sorted(table.places)
      .filter((place) => place.life !== null)
      .map(marksOf),
    unitsMax: [...table.pools]
      .flatMap(([id, { unitsMax }]) => (unitsMax > 0 && !isDefaultPool(id) ? [[id, unitsMax]] : []))
      .sort(),
    version: table.version,
    batch: table.batch,
    atMs: table.atMs,
    keys: sorted(table.keys),
    instances: sorted(table.instances),
    places: sorted(table.places)
      .filter((place) => !isBare(place))
      .map(placeOf),
    pools: sorted(table.pools)
      .filter((pool) => pool.units !== 0 || pool.connectionsPeak !== 0)
      .map((pool) => poolOf(pool, table)),
  };
}

/** @returns what a table holds, wherever its head is: what a refusal must leave as it was. */
export function contentOf(table: Table) {
  const { version: _version, batch: _batch, atMs: _atMs, ...content } = snapshotOf(table);
  return content;
}

function applicationsOf({ applications, counters, places, requests }: Table) {
  return {
    applications: sorted(applications).flatMap((sections) => sorted(sections)),
    counters: sorted(counters).flatMap((each) =>
      sorted(each).map(({ users, ...counter }) => ({ ...counter, users: [...users].sort() })),
    ),
    holdings: sorted(places).flatMap(({ holdings }) => (holdings ? holdingsOf(holdings) : [])),
    requests: requests.order.slice(requests.from),
  };
}

function holdingsOf({ byLogin, byUser }: HoldingsBook) {
  const held = [...byLogin.values(), ...[...byUser.values()].map((user) => user.held)];
  const lines = held.flatMap((units) =>
    [...units.values()].map(({ place, login, userId, counter: { scope, application, feature }, takes }) => ({
      ...{ instance: place.instance, login: login?.id ?? null, userId, scope, application, feature, takes },
    })),
  );
  const logins = [...byUser].map(([userId, user]) => ({ userId, logins: user.logins }));
  return [...lines, ...logins].map((line) => JSON.stringify(line)).sort();
}

function isBare(place: Place): boolean {
  return place.isEmpty && place.units === 0;
}

function marksOf({ instance, life, marks, durations, webSessions, units }: Place) {
  const { pool, ...plain } = life!;
  return {
    instance,
    units,
    life: { ...plain, pool: pool.id },
    ...marks,
    webSessions: [...(webSessions ?? [])].sort(),
    durations: durations ?? noDurations(plain.startedAtMs),
  };
}

function placeOf(place: Place) {
  return {
    instance: place.instance,
    units: place.units,
    emergency: place.emergency?.id ?? null,
    logins: byId(place.logins.readAll()).map(loginOf),
    released: sorted(place.released).map(loginOf),
    leases: sorted(place.leases).map(leaseOf),
    report: place.report,
    reported: [...place.reported].sort(([one], [other]) => (one < other ? -1 : 1)),
  };
}

function leaseOf({ place, pool, allowances, short, exact, ...plain }: Lease) {
  const [instance, key] = [place.instance, pool.id];
  const entries = [allowances, short, exact].map((map) => [...map].sort());
  return { ...plain, instance, key, entries };
}

function loginOf(login: Login) {
  const { place, pool, user, moment, totals, release: _release, ...plain } = login;
  const { processId, leaseSeconds, expiresAtMs, endsAtMs, releasedAtMs, reason } = login;
  return {
    ...plain,
    ...totals,
    processId,
    leaseSeconds,
    reason,
    version: moment.version,
    grantedAtMs: moment.atMs,
    expiresAtMs,
    endsAtMs,
    releasedAtMs,
    instance: place.instance,
    pool: pool.id,
    user: user?.id ?? null,
  };
}

function poolOf(pool: Pool, table: Table) {
  const { users, leases, apart, transitioned, ...plain } = pool;
  return {
    ...plain,
    leases: [...leases].map(({ id }) => id).sort(),
    apart: [...apart].sort(),
    transitioned: [...transitioned].sort(),
    usersTransitioned: transitioned.size,
    users: byId(users.readAll()).map((user) => userOf(user, table)),
  };
}

function userOf(user: User, table: Table) {
  const { pool, home, elsewhere, packed: _packed, ...plain } = user;
  const places = [home, ...(elsewhere?.keys() ?? [])].filter((place) => place !== null);
  const at = places.map((place) => [place.instance, user.connectionsAt(place), user.unitsAt(place)] as const);
  for (const place of places) {
    if (table.places.get(place.instance) !== place) throw new Error(`${user.id} is on a place that is gone`);
  }
  return { ...plain, at: at.sort(([one], [other]) => (one < other ? -1 : 1)) };
}

function byId<Value extends { readonly id: string }>(values: Iterable<Value>): Value[] {
  return [...values].sort((one, other) => (one.id < other.id ? -1 : 1));
}

function sorted<Value>(map: ReadonlyMap<string, Value>): Value[] {
  return [...map].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, value]) => value);
}

/** @returns the table that a journal comes to, from nothing, its rows read as a database gives them back. */
export function replay(rows: readonly JournalRow[], shard = 0): Table {
  const table = new Table(shard);
  for (const row of JSON.parse(JSON.stringify(rows)) as JournalRow[]) applyRow(table, row);
  return table;
}
