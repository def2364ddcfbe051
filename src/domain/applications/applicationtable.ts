/**
 * Units of applications in the table: who holds them, and where they are counted. Plain data with the primitive
 * changes that applying is made of; they decide nothing (F-70). Nobody pays for them where nobody holds any: the
 * place of an instance has no book of holdings then.
 */

import type { Place } from '../holdings/holdings.ts';
import type { Login } from '../holdings/login.ts';
import type { Table } from '../table.ts';
import type { Application } from './applications.ts';

/** Where units are counted: on one instance, or across the instances of a key. */
export type Scope = { readonly instance: string } | { readonly key: string };

/** The units of one feature that are in use in one scope: one for each user who holds it. */
export class Counter {
  readonly scope: Scope;
  readonly application: string;
  readonly feature: string;
  /** Who holds it, with how often he took it. */
  readonly users = new Map<string, number>();
  /** The most users at one time since the section was loaded, or came with its key. */
  peak = 0;
  /** It goes with its last user: its section is not loaded any more, or each instance of a key has its own. */
  orphaned = false;

  constructor(scope: Scope, application: string, feature: string) {
    this.scope = scope;
    this.application = application;
    this.feature = feature;
  }
}

/** What one login, or one user of an instance, has taken of one feature. */
export class Holding {
  readonly place: Place;
  /** Null when it is held for the user himself, however he is connected. */
  readonly login: Login | null;
  /** What a login has taken becomes another user's when it identifies itself. */
  userId: string;
  readonly counter: Counter;
  takes = 0;

  constructor(place: Place, login: Login | null, userId: string, counter: Counter) {
    this.place = place;
    this.login = login;
    this.userId = userId;
    this.counter = counter;
  }
}

export type HeldUnits = Map<Counter, Holding>;

/** What is held for a user himself, with his logins on the instance, without which it cannot go on. */
export class UserHoldings {
  logins: number;
  readonly held: HeldUnits = new Map();

  constructor(logins: number) {
    this.logins = logins;
  }
}

/** Everything that is held on one instance. */
export class HoldingsBook {
  readonly byLogin = new Map<Login, HeldUnits>();
  readonly byUser = new Map<string, UserHoldings>();

  get isEmpty(): boolean {
    return this.byLogin.size === 0 && this.byUser.size === 0;
  }
}

/** Under which name a scope stands in the table. */
export function scopeKey(scope: Scope): string {
  return 'key' in scope ? `key:${scope.key}` : `instance:${scope.instance}`;
}

/** @returns the counter of a feature, if anybody holds it or did since the section came. */
export function findCounter(
  table: Table,
  scope: Scope,
  application: string,
  feature: string,
): Counter | undefined {
  return table.counters.get(scopeKey(scope))?.get(`${application}\n${feature}`);
}

/** Finds or makes the counter of a feature. */
export function counterOf(table: Table, scope: Scope, application: string, feature: string): Counter {
  const known = findCounter(table, scope, application, feature);
  if (known) return known;
  const counter = new Counter(scope, application, feature);
  putCounter(table, counter);
  return counter;
}

function putCounter(table: Table, counter: Counter): void {
  const key = scopeKey(counter.scope);
  let counters = table.counters.get(key);
  if (!counters) {
    counters = new Map();
    table.counters.set(key, counters);
  }
  const name = `${counter.application}\n${counter.feature}`;
  counters.set(name, counter);
  table.touched?.counters.add(counter);
  table.undoable(() => removeFrom(table, key, name));
}

/** Takes a counter that nobody holds out of the table, and its peak with it. */
export function dropCounter(table: Table, counter: Counter): void {
  const key = scopeKey(counter.scope);
  const name = `${counter.application}\n${counter.feature}`;
  removeFrom(table, key, name);
  table.touched?.counters.add(counter);
  table.undoable(() => {
    const counters = table.counters.get(key);
    if (counters) counters.set(name, counter);
    else table.counters.set(key, new Map([[name, counter]]));
  });
}

function removeFrom(table: Table, key: string, name: string): void {
  const counters = table.counters.get(key)!;
  counters.delete(name);
  if (counters.size === 0) table.counters.delete(key);
}

/** Begins the peak of a counter anew, or says that its section is gone. */
export function setCounter(table: Table, counter: Counter, next: Pick<Counter, 'peak' | 'orphaned'>): void {
  const { peak, orphaned } = counter;
  Object.assign(counter, next);
  table.touched?.counters.add(counter);
  table.undoable(() => Object.assign(counter, { peak, orphaned }));
}

/** @returns what a holder has taken of a feature. */
export function findHolding(
  place: Place,
  login: Login | null,
  userId: string,
  counter: Counter,
): Holding | undefined {
  return heldBy(place, login, userId)?.get(counter);
}

/** @returns everything that a login has taken, or that is held for a user himself. */
export function heldBy(place: Place, login: Login | null, userId: string): HeldUnits | undefined {
  if (login) return place.holdings?.byLogin.get(login);
  return place.holdings?.byUser.get(userId)?.held;
}

/**
 * Sets how often a holder has taken a feature; 0 gives it back.
 * @param logins - how many logins the user has on the instance, where that is known; else they are counted.
 */
export function setHolding(
  table: Table,
  place: Place,
  login: Login | null,
  userId: string,
  counter: Counter,
  takes: number,
  logins?: number,
): void {
  const known = findHolding(place, login, userId, counter);
  const before = known?.takes ?? 0;
  if (takes === before) return;
  const holding = known ?? new Holding(place, login, userId, counter);
  if (before === 0) enterHolding(table, holding, logins);
  weigh(table, holding, takes);
  if (takes === 0) leaveHolding(table, holding);
}

/** Changes the takes of a holding, and what its counter comes to by it. */
function weigh(table: Table, holding: Holding, takes: number): void {
  const { counter, userId, takes: before } = holding;
  const { peak } = counter;
  holding.takes = takes;
  addTakes(counter, userId, takes - before);
  if (counter.users.size > counter.peak) counter.peak = counter.users.size;
  table.touched?.counters.add(counter);
  table.touched?.holdings.add(holding);
  table.undoable(() => {
    addTakes(counter, userId, before - takes);
    holding.takes = before;
    counter.peak = peak;
  });
  if (counter.orphaned && counter.users.size === 0) dropCounter(table, counter);
}

function addTakes({ users }: Counter, userId: string, difference: number): void {
  const next = (users.get(userId) ?? 0) + difference;
  if (next === 0) users.delete(userId);
  else users.set(userId, next);
}

/** Makes what a login has taken of a feature another user's. */
function passHolding(table: Table, holding: Holding, to: string): void {
  const { place, login, counter, takes, userId: from } = holding;
  const { peak } = counter;
  addTakes(counter, from, -takes);
  addTakes(counter, to, takes);
  holding.userId = to;
  if (counter.users.size > peak) counter.peak = counter.users.size;
  table.touched?.counters.add(counter);
  table.touched?.holdings.add(holding);
  // What stood under the former user is to be looked at as well.
  table.touched?.holdings.add(new Holding(place, login, from, counter));
  table.undoable(() => {
    addTakes(counter, to, -takes);
    addTakes(counter, from, takes);
    holding.userId = from;
    counter.peak = peak;
  });
}

function enterHolding(table: Table, holding: Holding, logins: number | undefined): void {
  const { place, login, userId, counter } = holding;
  if (place.holdings === null) {
    place.holdings = new HoldingsBook();
    table.undoable(() => {
      place.holdings = null;
    });
  }
  const { byLogin, byUser } = place.holdings;
  const held = login ? byLogin.get(login) : byUser.get(userId)?.held;
  if (held) {
    held.set(counter, holding);
    table.undoable(() => held.delete(counter));
  } else if (login) {
    byLogin.set(login, new Map([[counter, holding]]));
    table.undoable(() => byLogin.delete(login));
  } else {
    const user = new UserHoldings(logins ?? loginsOf(place, userId));
    user.held.set(counter, holding);
    byUser.set(userId, user);
    table.undoable(() => byUser.delete(userId));
  }
}

function loginsOf(place: Place, userId: string): number {
  let count = 0;
  for (const id of place.logins.userIds()) if (id === userId) count += 1;
  return count;
}

function leaveHolding(table: Table, holding: Holding): void {
  const { place, login, userId, counter } = holding;
  const book = place.holdings!;
  const user = login ? undefined : book.byUser.get(userId)!;
  const held = login ? book.byLogin.get(login)! : user!.held;
  held.delete(counter);
  if (held.size === 0 && login) book.byLogin.delete(login);
  else if (held.size === 0) book.byUser.delete(userId);
  if (book.isEmpty) place.holdings = null;
  table.undoable(() => {
    place.holdings = book;
    held.set(counter, holding);
    if (login) book.byLogin.set(login, held);
    else book.byUser.set(userId, user!);
  });
}

/** @returns everything that is held on one instance, by logins and for users themselves. */
export function* heldOn(table: Table, instance: string): Generator<Holding> {
  const book = table.places.get(instance)?.holdings;
  if (!book) return;
  for (const held of book.byLogin.values()) yield* held.values();
  for (const { held } of book.byUser.values()) yield* held.values();
}

/** @returns the same by where it is counted, found in one pass. */
export function heldByCounter(table: Table, instance: string): Map<Counter, Holding[]> {
  const found = new Map<Counter, Holding[]>();
  for (const holding of heldOn(table, instance)) {
    const known = found.get(holding.counter);
    if (known) known.push(holding);
    else found.set(holding.counter, [holding]);
  }
  return found;
}

/** Gives back everything that was taken. */
function giveBack(table: Table, held: HeldUnits): void {
  for (const { place, login, userId, counter } of [...held.values()])
    setHolding(table, place, login, userId, counter, 0);
}

/** A login of a user came, on an instance where something is held. */
export function noteLogin(table: Table, place: Place, userId: string): void {
  countLogins(table, place, userId, 1);
}

/**
 * What a login held goes with it; what is held for its user goes with his last connection (F-70).
 * @param userId - whose it was.
 */
export function dropHoldings(table: Table, login: Login, userId: string): void {
  const { place } = login;
  const held = place.holdings?.byLogin.get(login);
  if (held) giveBack(table, held);
  countLogins(table, place, userId, -1);
  dropUnlessThere(table, place, userId);
}

/** What a login has taken becomes another user's (F-46). */
export function passHoldings(table: Table, login: Login, from: string | null, to: string): void {
  const { place } = login;
  for (const holding of place.holdings?.byLogin.get(login)?.values() ?? []) passHolding(table, holding, to);
  countLogins(table, place, to, 1);
  if (from === null) return;
  countLogins(table, place, from, -1);
  dropUnlessThere(table, place, from);
}

function countLogins(table: Table, place: Place, userId: string, difference: number): void {
  const user = place.holdings?.byUser.get(userId);
  if (!user) return;
  user.logins += difference;
  table.undoable(() => {
    user.logins -= difference;
  });
}

/** What is held for a user himself goes when he has neither a login on the instance nor is reported by it. */
export function dropUnlessThere(table: Table, place: Place, userId: string): void {
  const user = place.holdings?.byUser.get(userId);
  if (user && user.logins === 0 && !place.reported.has(userId)) giveBack(table, user.held);
}

/** The same for everybody of an instance, at the end of what it reports. */
export function dropAbsent(table: Table, place: Place): void {
  for (const userId of [...(place.holdings?.byUser.keys() ?? [])]) dropUnlessThere(table, place, userId);
}

/** Replaces a loaded section, or takes it away. */
export function setApplication(
  table: Table,
  instance: string,
  name: string,
  application: Application | null,
): void {
  const next = new Map(table.applications.get(instance));
  if (application) next.set(name, application);
  else next.delete(name);
  table.replace(table.applications, instance, next.size === 0 ? null : next);
}
