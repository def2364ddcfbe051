/**
 * Loading application sections and taking them away (F-71, F-72), and what a change of an instance's key or of a
 * login's user means for the units that are held.
 */

import type { Policy } from '../decide.ts';
import type { Draft } from '../draft.ts';
import type { Ground } from '../grounds.ts';
import type { Login } from '../holdings/login.ts';
import type { Instance } from '../instances.ts';
import { instanceNotFound } from '../logins.ts';
import type { Answer, Problem } from '../operations.ts';
import type { Table } from '../table.ts';
import type { MovedUnits } from './applicationevents.ts';
import { exhaustedGround } from './applicationgrounds.ts';
import type { Exhausted, LoadApplication, RemoveApplication } from './applicationoperations.ts';
import {
  APPLICATIONS_MAX,
  type Application,
  type ApplicationSection,
  findLicensed,
  isSharedName,
  unitsOfFeature,
} from './applications.ts';
import { type Counter, type Holding, heldByCounter, heldOn, scopeKey } from './applicationtable.ts';
import { exhaustedOf, sharedNames } from './applicationtakes.ts';

/** Decides a load: every section or none. The same content again is there already and changes nothing. */
export function decideLoad(draft: Draft, operation: LoadApplication): Answer {
  const { table } = draft;
  const { instance: name, sections } = operation;
  const instance = table.instances.get(name);
  if (!instance) return instanceNotFound(name);
  const problem = refuseLoad(table, instance, sections);
  if (problem) return problem;
  const applications: Application[] = [];
  const outcomes: ('loaded' | 'replaced' | 'present')[] = [];
  for (const section of sections) {
    const current = table.applications.get(name)?.get(section.name);
    const isPresent = current !== undefined && sameContent(current, section);
    outcomes.push(isPresent ? 'present' : current ? 'replaced' : 'loaded');
    applications.push(isPresent ? current : load(draft, operation, section));
  }
  return { is: 'applications', applications, outcomes };
}

function load(draft: Draft, { instance, actor }: LoadApplication, section: ApplicationSection): Application {
  const application: Application = {
    instance,
    name: section.name,
    entries: section.entries,
    signature: section.signature,
    signingKeyId: section.signingKeyId,
    loadedAtMs: draft.atMs,
    loadedBy: actor,
    revision: draft.nextDecision,
  };
  draft.emit({ type: 'application-loaded', application, by: draft.by(actor) });
  return application;
}

function sameContent(one: ApplicationSection, other: ApplicationSection): boolean {
  const content = ({ entries, signature, signingKeyId }: ApplicationSection) =>
    JSON.stringify([entries, signature, signingKeyId]);
  return content(one) === content(other);
}

function refuseLoad(
  table: Table,
  instance: Instance,
  sections: readonly ApplicationSection[],
): Problem | null {
  const { name, key: keyId } = instance;
  const key = keyId === null ? undefined : table.keys.get(keyId);
  const taken = sections.find((section) => key?.sections.some((one) => one.name === section.name));
  if (taken) {
    return {
      is: 'problem',
      code: 'application-protected',
      detail: `[${taken.name}] comes with the key ${keyId} of instance "${name}", which alone can change it. Load yours under another name.`,
    };
  }
  const names = new Set(table.applications.get(name)?.keys());
  for (const section of sections) names.add(section.name);
  if (names.size <= APPLICATIONS_MAX) return null;
  return {
    is: 'problem',
    code: 'application-limit-reached',
    detail: `Instance "${name}" would have ${names.size} application sections, and may have ${APPLICATIONS_MAX}. Remove those that are not used any more.`,
  };
}

/** Decides the end of a loaded section. It can be repeated; what is held of it stays held. */
export function decideUnload(draft: Draft, operation: RemoveApplication): Answer {
  const { instance, name, actor } = operation;
  if (!draft.table.applications.get(instance)?.has(name)) return { is: 'done' };
  draft.emit({ type: 'application-removed', instance, application: name, by: draft.by(actor) });
  return { is: 'done' };
}

/**
 * Emits what becomes of an instance's holdings when it takes another key: what is counted across the one is
 * counted across the other from then on, with nobody losing anything, and the peaks of the sections that came with
 * the key begin anew. What was counted on the instance alone while it had no key is counted across the new one as
 * well where its name says so, or it would be held besides the units of that key. To be called before the record of
 * the instance is changed.
 * @param to - the new key's ID; null without one.
 */
export function moveHoldings(
  draft: Draft,
  { name, key: from }: Instance,
  to: string | null,
  actor: string,
  policy: Pick<Policy, 'sharedApplications'>,
): void {
  const { table } = draft;
  if (from === to || table.counters.size === 0) return;
  const features: MovedUnits[] = [];
  const held = heldByCounter(table, name);
  const own = table.counters.get(scopeKey({ instance: name }))?.values() ?? [];
  for (const counter of own) {
    const { application, feature, users } = counter;
    if (to !== null && users.size > 0 && isSharedName(application, sharedNames(policy))) {
      features.push(...movedOf(table, name, counter, held.get(counter), null, to));
    } else if (!table.applications.get(name)?.has(application)) {
      features.push({ application, feature, from: null, to: null, usedFrom: users.size, usedTo: users.size });
    }
  }
  emitMoved(draft, name, features, actor);
  if (from === null) return;
  // What was counted on the instance alone has gone over by now, perhaps to where this is counted from now on.
  const shared = [...(table.counters.get(scopeKey({ key: from }))?.values() ?? [])];
  const moved = shared.flatMap((counter) => movedOf(table, name, counter, held.get(counter), from, to));
  emitMoved(draft, name, moved, actor);
}

function emitMoved(draft: Draft, instance: string, features: readonly MovedUnits[], actor: string): void {
  if (features.length > 0) draft.emit({ type: 'holdings-moved', instance, features, by: draft.by(actor) });
}

/** What a feature comes to in both scopes when an instance takes its holdings along; nothing when it holds none. */
function movedOf(
  table: Table,
  instance: string,
  counter: Counter,
  held: readonly Holding[] | undefined,
  from: string | null,
  to: string | null,
): MovedUnits[] {
  const { application, feature, users } = counter;
  const here = new Map<string, number>();
  for (const { userId, takes } of held ?? []) here.set(userId, (here.get(userId) ?? 0) + takes);
  if (here.size === 0) return [];
  const scope = to === null ? { instance } : { key: to };
  const there = table.counters.get(scopeKey(scope))?.get(`${application}\n${feature}`)?.users;
  const left = [...here].filter(([userId, takes]) => users.get(userId) === takes).length;
  const come = [...here.keys()].filter((userId) => !there?.has(userId)).length;
  const usedTo = (there?.size ?? 0) + come;
  const isLoaded = to !== null && table.applications.get(instance)?.has(application);
  const used = { usedFrom: users.size - left, usedTo };
  return [{ application, feature, from, to, ...used, ...(isLoaded ? { loaded: true } : {}) }];
}

/**
 * Counts the users of features from what each of them holds (`CheckAppLicenseUsed`), in one pass.
 * @param instance - on which they are counted; null across all instances.
 * @returns how many they are; the counters should say the same.
 */
export function recount(
  table: Table,
  counters: readonly Counter[],
  instance: string | null,
): Map<Counter, number> {
  const users = new Map(counters.map((counter) => [counter, new Set<string>()]));
  for (const name of instance === null ? table.places.keys() : [instance])
    for (const { counter, userId } of heldOn(table, name)) users.get(counter)?.add(userId);
  return new Map([...users].map(([counter, { size }]) => [counter, size]));
}

/**
 * What stands against a login becoming another user's: a feature that it holds and whose units are all taken. The
 * former user may go on holding it by another login, so that one more is needed.
 * @param to - the user whom the login identifies itself as.
 * @returns null when everything it holds can become his.
 */
export function refusePassing(
  table: Table,
  instance: Instance,
  login: Login,
  to: string,
  policy: Pick<Policy, 'sharedApplications'>,
): { readonly ground: Ground; readonly exhausted: Exhausted } | null {
  for (const { counter, userId, takes } of login.place.holdings?.byLogin.get(login)?.values() ?? []) {
    const { application, feature, users } = counter;
    const isLeft = users.get(userId) === takes;
    if (isLeft || users.has(to)) continue;
    const licensed = findLicensed(table, instance, application, sharedNames(policy));
    const units = (licensed ? unitsOfFeature(licensed, feature) : null) ?? 0;
    if (users.size < units) continue;
    const sharedBy = 'key' in counter.scope ? counter.scope.key : null;
    const exhausted = exhaustedOf(counter, sharedBy, counter);
    const asked = { limit: units, inUse: users.size, requested: 1 };
    return { ground: exhaustedGround(exhausted, asked), exhausted };
  }
  return null;
}
