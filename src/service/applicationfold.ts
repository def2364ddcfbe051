/**
 * What the fold writes of application licences, and how a table is built from it.
 */

import type { Request } from '../domain/applications/applicationrequests.ts';
import { rememberRequest, requestKey } from '../domain/applications/applicationrequests.ts';
import type { Application } from '../domain/applications/applications.ts';
import {
  type Counter,
  counterOf,
  findCounter,
  type Holding,
  heldBy,
  type Scope,
  setApplication,
  setCounter,
  setHolding,
} from '../domain/applications/applicationtable.ts';
import type { Place, Touched } from '../domain/holdings/holdings.ts';
import { DivergenceError, type Table } from '../domain/table.ts';
import type {
  ApplicationChanges,
  ApplicationReader,
  CounterName,
  CounterRecord,
  HoldingName,
  HoldingRecord,
} from '../storage/applications.ts';

/** Reads the absolute values of everything that was touched, as the table is. */
export function applicationChangesOf(table: Table, touched: Touched): ApplicationChanges {
  const changes = {
    holdings: [] as HoldingRecord[],
    holdingsGone: [] as HoldingName[],
    counters: [] as CounterRecord[],
    countersGone: [] as CounterName[],
    requests: [] as Request[],
    requestsGone: [] as { instance: string; id: string }[],
  };
  // What went and came back is several objects under one name.
  for (const [name, holding] of byName(touched.holdings, holdingName)) {
    const takes = takesNow(table, holding, name);
    if (takes > 0) changes.holdings.push({ ...name, takes });
    else changes.holdingsGone.push(name);
  }
  for (const [name, { scope, application, feature }] of byName(touched.counters, counterName)) {
    const counter = findCounter(table, scope, application, feature);
    if (!counter) changes.countersGone.push(name);
    else {
      const { peak, orphaned, users } = counter;
      changes.counters.push({ ...name, used: users.size, peak, orphaned });
    }
  }
  for (const [name] of byName(touched.requests, requestName)) {
    const request = table.requests.byId.get(requestKey(name.instance, name.id));
    if (request) changes.requests.push(request);
    else changes.requestsGone.push(name);
  }
  return changes;
}

function byName<Item, Name>(items: Iterable<Item>, nameOf: (item: Item) => Name): [name: Name, item: Item][] {
  const found = new Map<string, [Name, Item]>();
  for (const item of items) {
    const name = nameOf(item);
    found.set(JSON.stringify(name), [name, item]);
  }
  return [...found.values()];
}

function counterName({ scope, application, feature }: Counter): CounterName {
  const [key, instance] = 'key' in scope ? [scope.key, ''] : ['', scope.instance];
  return { key, instance, application, feature };
}

function holdingName({ place, login, userId, counter }: Holding): HoldingName {
  const { key, application, feature } = counterName(counter);
  return { instance: place.instance, userId, login: login?.id ?? '', key, application, feature };
}

function requestName({ id, holdings }: Request) {
  return { instance: holdings.instance, id };
}

/** @returns 0 when nothing is held under that name any more. */
function takesNow(table: Table, { counter: touched }: Holding, name: HoldingName): number {
  const place = table.places.get(name.instance);
  const counter = findCounter(table, touched.scope, touched.application, touched.feature);
  if (!place || !counter) return 0;
  const login = name.login === '' ? null : place.logins.get(name.login);
  if (login === undefined) return 0;
  const holding = heldBy(place, login, name.userId)?.get(counter);
  return holding?.userId === name.userId ? holding.takes : 0;
}

/** Puts what was folded of application licences into a table that has its logins and reports. */
export class ApplicationsBuilder implements ApplicationReader {
  readonly #table: Table;
  readonly #counters: CounterRecord[] = [];
  /** Logins by user, of places where something is held for users themselves. */
  readonly #logins = new Map<Place, Map<string, number>>();

  constructor(table: Table) {
    this.#table = table;
  }

  application(application: Application): void {
    setApplication(this.#table, application.instance, application.name, application);
  }

  counter(record: CounterRecord): void {
    const counter = counterOf(this.#table, scopeOf(record), record.application, record.feature);
    const { peak, orphaned } = record;
    setCounter(this.#table, counter, { peak, orphaned });
    this.#counters.push(record);
  }

  /** @throws DivergenceError when it is held by a login that is not in. */
  holding({ instance, userId, login: id, key, application, feature, takes }: HoldingRecord): void {
    const place = this.#table.place(instance);
    const login = id === '' ? null : place.logins.get(id);
    if (login === undefined)
      throw new DivergenceError(`units of ${application} are held by no login of ${instance} (${id})`);
    const counter = counterOf(this.#table, scopeOf({ key, instance }), application, feature);
    setHolding(this.#table, place, login, userId, counter, takes, this.#loginsOf(place, userId, id));
  }

  request(request: Request): void {
    rememberRequest(this.#table, request);
  }

  /** @throws DivergenceError when the holdings do not come to what is counted. */
  end(): void {
    for (const record of this.#counters) {
      const { application, feature, used } = record;
      const users = findCounter(this.#table, scopeOf(record), application, feature)?.users.size ?? 0;
      if (users === used) continue;
      throw new DivergenceError(
        `${feature} of ${application} has ${used} users, its holdings come to ${users}`,
      );
    }
  }

  /** Every login of a place is looked at once, however many users hold something there. */
  #loginsOf(place: Place, userId: string, login: string): number {
    if (login !== '') return 0;
    let counts = this.#logins.get(place);
    if (!counts) {
      counts = new Map();
      for (const id of place.logins.userIds()) counts.set(id, (counts.get(id) ?? 0) + 1);
      this.#logins.set(place, counts);
    }
    return counts.get(userId) ?? 0;
  }
}

function scopeOf({ key, instance }: { key: string; instance: string }): Scope {
  return key === '' ? { instance } : { key };
}
