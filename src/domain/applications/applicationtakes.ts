/**
 * Taking units of applications and giving them back (F-70, F-74). Taking is all or nothing over all features of a
 * call. A unit is a user's: whoever holds a feature already takes it again for nothing (notes 6.3).
 */

import type { Policy } from '../decide.ts';
import type { Draft } from '../draft.ts';
import { type Ground, silentGround } from '../grounds.ts';
import type { Place } from '../holdings/holdings.ts';
import type { Login } from '../holdings/login.ts';
import { defaultPoolOf, type Instance } from '../instances.ts';
import { capacityOf, instanceNotFound, lost } from '../logins.ts';
import type { Answer, Problem, Refusal } from '../operations.ts';
import type { Table } from '../table.ts';
import type { HeldUnits } from './applicationevents.ts';
import {
  applicationNotFound,
  exhaustedGround,
  featureProblem,
  holdsTooMuch,
  keyFaultGround,
  loginOfNobody,
  userMissing,
} from './applicationgrounds.ts';
import type {
  Exhausted,
  HeldFeature,
  Holder,
  HoldingsView,
  NamedHolder,
  ReturnApplication,
  TakeApplication,
} from './applicationoperations.ts';
import { type Request, requestKey } from './applicationrequests.ts';
import {
  FEATURES_HELD_MAX,
  type FeatureName,
  findLicensed,
  HOLDERS_NAMED_MAX,
  type Licensed,
  SHARED_BY_DEFAULT,
  unitsOfFeature,
} from './applications.ts';
import { type Counter, findCounter, findHolding, type Holding, heldBy } from './applicationtable.ts';
import { scopeOf } from './applyapplications.ts';

/** Who takes or gives back, as the table knows him. */
interface HolderFound {
  readonly instance: Instance;
  readonly place: Place;
  /** Null when it is for the user himself. */
  readonly login: Login | null;
  readonly userId: string;
}

/** A feature that is to be taken, and how often. */
interface Wanted extends FeatureName {
  readonly licensed: Licensed;
  readonly units: number;
  readonly counter: Counter | undefined;
  readonly times: number;
}

/** The names of sections that are counted across the instances of a key. */
export function sharedNames({ sharedApplications }: Pick<Policy, 'sharedApplications'>): readonly string[] {
  return sharedApplications ?? SHARED_BY_DEFAULT;
}

/** Decides a take: every feature or none. */
export function decideTake(draft: Draft, operation: TakeApplication, policy: Policy): Answer {
  const { table } = draft;
  const known = remembered(table, operation);
  if (known) return repeat(table, operation, known, 'taken');
  const found = findHolder(table, operation.instance, operation.holder);
  if ('is' in found) return found;
  const { instance } = found;
  if (instance.state === 'silent')
    return refuse(draft, operation, found, silentGround(instance.name, instance.settings.graceSeconds));
  const wanted: Wanted[] = [];
  for (const [name, times] of merged(operation.features)) {
    const one = wantedOf(draft, found, name, times, policy, operation);
    if ('is' in one) return one;
    wanted.push(one);
  }
  const held = heldBy(found.place, found.login, found.userId);
  const more = wanted.filter(({ counter }) => counter === undefined || !held?.has(counter)).length;
  const after = (held?.size ?? 0) + more;
  if (more > 0 && after > FEATURES_HELD_MAX) return holdsTooMuch(after);
  for (const { counter, units, ...name } of wanted) {
    const used = counter?.users.size ?? 0;
    if (counter?.users.has(found.userId) || used < units) continue;
    const exhausted = exhaustedOf(name, name.licensed.sharedBy, counter);
    const ground = exhaustedGround(exhausted, { limit: units, inUse: used, requested: 1 });
    return refuse(draft, operation, found, ground, exhausted);
  }
  return emitTaken(draft, operation, found, wanted);
}

/** Decides a return. What the holder does not have is not given back, which is no fault (`Released` 0). */
export function decideReturn(draft: Draft, operation: ReturnApplication, policy: Policy): Answer {
  const { table } = draft;
  const known = remembered(table, operation);
  if (known) return repeat(table, operation, known, 'returned');
  const found = findReturner(table, operation);
  if ('is' in found) return found;
  const { place, login, userId, instance } = found;
  const held = [...(heldBy(place, login, userId)?.values() ?? [])];
  const features =
    operation.features === null
      ? held.map((one) => returned(table, instance, one.counter, one, one.takes, policy))
      : [...merged(operation.features)].map(([name, times]) =>
          returned(table, instance, name, held.find(isOf(name)), times, policy),
        );
  const isNothing = features.every(({ missing }) => missing);
  if (isNothing && operation.id === null) {
    const view = { ...viewOf(found), features: features.map((one) => shown(one, 'returned')) };
    return { is: 'held', holdings: { ...view, decision: null, atMs: draft.atMs }, repeated: false };
  }
  return emitHeld(draft, operation, found, 'returned', features);
}

function emitTaken(draft: Draft, operation: TakeApplication, found: HolderFound, wanted: readonly Wanted[]) {
  const { place, login, userId } = found;
  const features = wanted.map(({ application, feature, licensed, units, counter, times }): HeldUnits => {
    const count = counter?.users.get(userId) ?? 0;
    const held = counter ? (findHolding(place, login, userId, counter)?.takes ?? 0) : 0;
    const used = (counter?.users.size ?? 0) + (count === 0 ? 1 : 0);
    const where = whereOf(licensed);
    return { application, feature, ...where, held: held + times, count: count + times, used, units };
  });
  return emitHeld(draft, operation, found, 'taken', features);
}

function whereOf({ sharedBy, kind }: Licensed): Pick<HeldUnits, 'key' | 'loaded'> {
  if (sharedBy === null) return {};
  return kind === 'loaded' ? { key: sharedBy, loaded: true } : { key: sharedBy };
}

function emitHeld(
  draft: Draft,
  operation: TakeApplication | ReturnApplication,
  found: HolderFound,
  type: 'taken' | 'returned',
  features: readonly HeldUnits[],
): Answer {
  const { instance, login, userId } = found;
  const decision = draft.nextDecision;
  draft.emit({
    type,
    instance: instance.name,
    ...(login ? { login: login.id } : {}),
    user: userId,
    features,
    ...(operation.id === null ? {} : { id: operation.id, print: operation.print }),
    by: draft.by(operation.actor),
  });
  const view = { ...viewOf(found), features: features.map((one) => shown(one, type)) };
  return { is: 'held', holdings: { ...view, decision, atMs: draft.atMs }, repeated: false };
}

function viewOf({ instance, login, userId }: HolderFound) {
  return { instance: instance.name, login: login?.id ?? null, userId };
}

function shown(
  { missing, units, key: _key, loaded: _loaded, ...feature }: HeldUnits,
  type: 'taken' | 'returned',
): HeldFeature {
  return { ...feature, units: units ?? null, released: type === 'returned' && !missing };
}

function isOf({ application, feature }: FeatureName): (holding: Holding) => boolean {
  return ({ counter }) => counter.application === application && counter.feature === feature;
}

/** What a return leaves of one feature. */
function returned(
  table: Table,
  instance: Instance,
  { application, feature }: FeatureName,
  holding: Holding | undefined,
  times: number,
  policy: Policy,
): HeldUnits {
  const licensed = findLicensed(table, instance, application, sharedNames(policy));
  const units = licensed ? unitsOfFeature(licensed, feature) : null;
  const more = typeof units === 'number' ? { units } : {};
  if (!holding) {
    const scope = scopeOf(instance.name, licensed?.sharedBy);
    const used = findCounter(table, scope, application, feature)?.users.size ?? 0;
    return { application, feature, held: 0, count: 0, used, ...more, missing: true };
  }
  const { counter, takes, userId } = holding;
  const given = Math.min(times, takes);
  const count = counter.users.get(userId)! - given;
  const used = counter.users.size - (count === 0 ? 1 : 0);
  const key = 'key' in counter.scope ? { key: counter.scope.key } : {};
  return { application, feature, ...key, held: takes - given, count, used, ...more };
}

/** Features that are named twice are taken twice. */
function merged(features: readonly FeatureName[]): Map<FeatureName, number> {
  const byName = new Map<string, FeatureName>();
  const times = new Map<FeatureName, number>();
  for (const one of features) {
    const id = `${one.application}\n${one.feature}`;
    const name = byName.get(id) ?? one;
    byName.set(id, name);
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  return times;
}

function findHolder(table: Table, name: string, holder: Holder): HolderFound | Problem {
  const instance = table.instances.get(name);
  if (!instance) return instanceNotFound(name);
  const place = table.place(name);
  if ('user' in holder) {
    const { user } = holder;
    if (isConnected(place, user)) return { instance, place, login: null, userId: user };
    return userMissing(name, user);
  }
  const login = place.logins.get(holder.login);
  if (!login || login.phase === 'grace') return lost(place.released.get(holder.login) ?? login, holder.login);
  if (login.user) return { instance, place, login, userId: login.user.id };
  return loginOfNobody(login);
}

/** Whoever gives back may be in grace already; what is held for a user himself may be the last that is left of him. */
function findReturner(table: Table, { instance: name, holder }: ReturnApplication): HolderFound | Problem {
  const instance = table.instances.get(name);
  if (!instance) return instanceNotFound(name);
  const place = table.place(name);
  if ('user' in holder) return { instance, place, login: null, userId: holder.user };
  const login = place.logins.get(holder.login);
  if (login?.user === null) return loginOfNobody(login);
  if (!login) return lost(place.released.get(holder.login), holder.login);
  return { instance, place, login, userId: login.user!.id };
}

/** Whether a user is on an instance: with a login, or as it reported him. */
function isConnected(place: Place, userId: string): boolean {
  if (place.reported.has(userId) || place.holdings?.byUser.has(userId)) return true;
  for (const id of place.logins.userIds()) if (id === userId) return true;
  return false;
}

/** Finds what a feature has and holds, or what stands against taking it at all. */
function wantedOf(
  draft: Draft,
  found: HolderFound,
  { application, feature }: FeatureName,
  times: number,
  policy: Policy,
  operation: TakeApplication,
): Wanted | Problem | Refusal {
  const { table } = draft;
  const { instance } = found;
  const licensed = findLicensed(table, instance, application, sharedNames(policy));
  if (!licensed) return applicationNotFound(instance.name, application);
  if (licensed.kind !== 'loaded') {
    // A key that cannot be used licenses nothing; who holds something of it keeps it (F-24).
    const { fault } = capacityOf(table, instance, draft.atMs, policy.revokedKeys);
    if (fault) return refuse(draft, operation, found, keyFaultGround(instance.name, application, fault));
  }
  const units = unitsOfFeature(licensed, feature);
  if (typeof units !== 'number') return featureProblem(licensed, feature, units === null);
  const counter = findCounter(table, scopeOf(instance.name, licensed.sharedBy), application, feature);
  return { application, feature, licensed, units, counter, times };
}

/** Says who holds a feature. However many they are, and however many are refused, only a few are looked at. */
export function exhaustedOf(
  { application, feature }: FeatureName,
  sharedBy: string | null,
  counter: Counter | undefined,
): Exhausted {
  const holders: NamedHolder[] = [];
  for (const [userId, count] of counter?.users ?? []) {
    if (holders.length === HOLDERS_NAMED_MAX) break;
    holders.push({ userId, count });
  }
  return { application, feature, sharedBy, holders, holdersCount: counter?.users.size ?? 0 };
}

/** Emits a refusal: it is journalled like any other. */
function refuse(
  draft: Draft,
  operation: TakeApplication,
  { instance, login, userId }: HolderFound,
  ground: Ground,
  exhausted?: Exhausted,
): Refusal {
  const { code, rule, limit, inUse, requested } = ground;
  const pool = instance.key ?? defaultPoolOf(instance.name);
  const what = exhausted ? { application: exhausted.application, feature: exhausted.feature } : {};
  const sample = {
    instance: instance.name,
    ...(login ? { login: login.id } : {}),
    user: userId,
    by: draft.by(operation.actor),
  };
  const decision = draft.refuse({ pool, rule, code, limit, inUse, requested, ...what }, sample);
  return { is: 'refused', pool, decision, ...ground, ...(exhausted ? { exhausted } : {}) };
}

function remembered(
  table: Table,
  { instance, id }: TakeApplication | ReturnApplication,
): Request | undefined {
  return id === null ? undefined : table.requests.byId.get(requestKey(instance, id));
}

/** The same ID gives the same answer, as long as who held it is there. */
function repeat(
  table: Table,
  operation: TakeApplication | ReturnApplication,
  { id, print, did, holdings }: Request,
  does: Request['did'],
): Answer {
  if (print !== operation.print || did !== does) {
    return {
      is: 'problem',
      code: 'id-reused',
      detail: `The ID ${id} was used on "${operation.instance}" with another body. Make a new ID for a new take or return.`,
    };
  }
  const gone = does === 'taken' ? goneSince(table, holdings) : null;
  return gone ?? { is: 'held', holdings, repeated: true };
}

/** What was taken went with its login or its user meanwhile; nobody is to believe that he holds it. */
function goneSince(table: Table, { instance, login, userId }: HoldingsView): Problem | null {
  const place = table.places.get(instance);
  if (login !== null) return place?.logins.has(login) ? null : lost(place?.released.get(login), login);
  const found = findHolder(table, instance, { user: userId });
  return 'is' in found ? found : null;
}
