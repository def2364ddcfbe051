/**
 * Applying what the journal says of application licences. Like all of `apply.ts`, it decides nothing. What a login
 * or a user holds goes with them without an event of its own (F-70); that is in `applicationtable.ts`.
 */

import { decisionId } from '../events.ts';
import { complain, type Position } from '../position.ts';
import type { Table } from '../table.ts';
import type {
  ApplicationEvent,
  ApplicationLoaded,
  ApplicationRemoved,
  HoldingsMoved,
  Returned,
  Taken,
} from './applicationevents.ts';
import { rememberRequest } from './applicationrequests.ts';
import {
  type Counter,
  counterOf,
  dropCounter,
  findCounter,
  findHolding,
  type Holding,
  heldByCounter,
  type Scope,
  scopeKey,
  setApplication,
  setCounter,
  setHolding,
} from './applicationtable.ts';

/** The scope that an event names: across a key, or the instance's own. */
export function scopeOf(instance: string, key: string | null | undefined): Scope {
  return key ? { key } : { instance };
}

/** Applies an event about application licences. */
export function applyApplication(table: Table, event: ApplicationEvent, position: Position): void {
  switch (event.type) {
    case 'application-loaded':
      applyLoaded(table, event);
      break;
    case 'application-removed':
      applyRemoved(table, event);
      break;
    case 'taken':
    case 'returned':
      applyHeld(table, event, position);
      break;
    case 'holdings-moved':
      applyHoldingsMoved(table, event, position);
  }
}

/** Applies a section that was loaded: its peaks begin anew. */
function applyLoaded(table: Table, { application }: ApplicationLoaded): void {
  const { instance, name, entries } = application;
  setApplication(table, instance, name, application);
  const keywords = new Set(entries.map(([keyword]) => keyword));
  for (const counter of countersOf(table, instance, name))
    beginAnew(table, counter, !keywords.has(counter.feature));
}

/** Applies the end of a section; what is held of it stays held. */
function applyRemoved(table: Table, { instance, application }: ApplicationRemoved): void {
  setApplication(table, instance, application, null);
  for (const counter of countersOf(table, instance, application)) beginAnew(table, counter, true);
}

function countersOf(table: Table, instance: string, application: string): Counter[] {
  const counters = table.counters.get(scopeKey({ instance }))?.values() ?? [];
  return [...counters].filter((counter) => counter.application === application);
}

function beginAnew(table: Table, counter: Counter, orphaned: boolean): void {
  if (counter.users.size === 0) dropCounter(table, counter);
  else setCounter(table, counter, { peak: counter.users.size, orphaned });
}

/** Has a counter go with its last user. */
function bindToUsers(table: Table, counter: Counter): void {
  if (!counter.orphaned) setCounter(table, counter, { peak: counter.peak, orphaned: true });
}

/** Applies what was taken or given back, and that its ID is remembered. */
function applyHeld(table: Table, event: Taken | Returned, position: Position): void {
  const place = table.place(event.instance);
  const login = event.login === undefined ? null : (place.logins.get(event.login) ?? null);
  if (event.login !== undefined && login?.user?.id !== event.user)
    complain(position, `login ${event.login} of user ${event.user} is not in the table`);
  for (const { application, feature, key, held, count, used, missing, loaded } of event.features) {
    if (missing) continue;
    const counter = counterOf(table, scopeOf(event.instance, key), application, feature);
    if (loaded) bindToUsers(table, counter);
    setHolding(table, place, login, event.user, counter, held);
    const counted = counter.users.get(event.user) ?? 0;
    if (counted !== count || counter.users.size !== used) {
      complain(
        position,
        `${feature} of ${application} is taken ${counted} times by ${event.user} and held by ${counter.users.size}; ` +
          `the row says ${count} and ${used}`,
      );
    }
  }
  if (event.id === undefined) return;
  const { moment, index } = position;
  rememberRequest(table, {
    id: event.id,
    version: moment.version,
    index,
    print: event.print ?? 0,
    did: event.type,
    holdings: {
      instance: event.instance,
      login: event.login ?? null,
      userId: event.user,
      features: event.features.map(({ application, feature, held, count, used, units, missing }) => {
        const released = event.type === 'returned' && !missing;
        return { application, feature, held, count, used, units: units ?? null, released };
      }),
      decision: decisionId(table.shard, moment.version, index),
      atMs: moment.atMs,
    },
  });
}

/** Applies what becomes of an instance's holdings when it takes another key. */
function applyHoldingsMoved(table: Table, event: HoldingsMoved, position: Position): void {
  const held = heldByCounter(table, event.instance);
  for (const { application, feature, from, to, usedFrom, usedTo, loaded } of event.features) {
    const source = findCounter(table, scopeOf(event.instance, from), application, feature);
    if (!source) complain(position, `${feature} of ${application} is not counted there`);
    const target = from === to ? source : counterOf(table, scopeOf(event.instance, to), application, feature);
    if (loaded) bindToUsers(table, target);
    if (source === target) beginAnew(table, source, source.orphaned);
    else moveHeld(table, held.get(source) ?? [], source, target);
    // Nobody else holds what was counted on the instance alone; of a section that is gone it went with its last user.
    if (from === null && to !== null && !source.orphaned) dropCounter(table, source);
    if (source.users.size !== usedFrom || target.users.size !== usedTo) {
      complain(
        position,
        `${feature} of ${application} is held by ${source.users.size} and ${target.users.size}; ` +
          `the row says ${usedFrom} and ${usedTo}`,
      );
    }
  }
}

function moveHeld(table: Table, held: readonly Holding[], source: Counter, target: Counter): void {
  for (const { place, login, userId, takes } of held) {
    const already = findHolding(place, login, userId, target)?.takes ?? 0;
    setHolding(table, place, login, userId, target, already + takes);
    setHolding(table, place, login, userId, source, 0);
  }
}

/** An instance or a key is gone, and with it what was counted there; nobody holds anything of it any more. */
export function forgetScope(table: Table, scope: Scope, position: Position): void {
  for (const counter of [...(table.counters.get(scopeKey(scope))?.values() ?? [])]) {
    if (counter.users.size > 0)
      complain(position, `${counter.feature} of ${counter.application} is still held`);
    dropCounter(table, counter);
  }
}

/** An instance is gone, and with it the sections that were loaded for it. */
export function forgetApplications(table: Table, instance: string, position: Position): void {
  forgetScope(table, { instance }, position);
  if (table.applications.has(instance)) table.replace(table.applications, instance, null);
}
