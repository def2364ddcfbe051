/**
 * Random operations about application licences, for histories of everything; and what must be so of a table that
 * has any.
 */

import { recount } from '../../src/domain/applications/applicationloads.ts';
import type { ApplicationOperation, Holder } from '../../src/domain/applications/applicationoperations.ts';
import {
  findLicensed,
  isSharedName,
  SHARED_BY_DEFAULT,
  unitsOfFeature,
} from '../../src/domain/applications/applications.ts';
import { heldOn } from '../../src/domain/applications/applicationtable.ts';
import type { KeyApplicationSection } from '../../src/domain/keys/keys.ts';
import type { Table } from '../../src/domain/table.ts';
import type { ApplicationModel } from './applicationmodel.ts';

export const APPLICATION_KINDS = { load: 2, unload: 1, take: 8, give: 4 } as const;
/** Histories in which much is taken, and everything else that bears on it happens now and then. */
export const MUCH_TAKEN = {
  ...{ take: 40, give: 14, load: 6, login: 30, logout: 8 },
  ...{ identify: 8, register: 4, report: 10, lease: 1, 'reset-marks': 0, 'clear-durations': 0 },
};

export type ApplicationKind = keyof typeof APPLICATION_KINDS;

const ACTOR = 'tester';
const FEATURES = ['Concurrent Users', 'Robots', 'Mode'];
const APPLICATIONS = ['Lab', 'Own.Lab', 'ISC.Shared', 'Gone'];

/** The sections that the keys of a history bring. */
export function keySections(units: number): readonly KeyApplicationSection[] {
  const entries = [
    ['Concurrent Users', String(units)],
    ['Robots', '1'],
    ['Mode', 'Enabled'],
  ] as const;
  return ['Own.Lab', 'ISC.Shared'].map((name) => ({ name, kind: 'protected', entries }));
}

/** Makes an operation of a few small numbers. */
export function applicationOperation(
  kind: ApplicationKind,
  instance: string,
  picks: readonly [number, number, number, number],
  login: { readonly id: string; readonly instance: string } | undefined,
  users: readonly string[],
): ApplicationOperation {
  const [first, second, third, fourth] = picks;
  if (kind === 'load') {
    const entries = [
      ['Concurrent Users', String(second % 4)],
      ...(third % 3 === 0 ? [] : [['Robots', String(third % 3)] as const]),
    ] as const;
    const section = { name: fourth % 5 === 0 ? 'Gone' : 'Lab', entries };
    const sections = [{ ...section, signature: 'unsigned', signingKeyId: null } as const];
    return { op: 'load-application', instance, sections, actor: ACTOR };
  }
  if (kind === 'unload') return { op: 'remove-application', instance, name: 'Lab', actor: ACTOR };
  const isLogin = second % 3 > 0 && login !== undefined;
  const holder: Holder = isLogin ? { login: login.id } : { user: users[third % users.length]! };
  const features = Array.from({ length: 1 + (fourth % 2) }, (_, index) => ({
    application: APPLICATIONS[(third + index) % (fourth % 7 === 0 ? 4 : 3)]!,
    feature: FEATURES[(first + index * second) % (second % 11 === 0 ? 3 : 2)]!,
  }));
  const number = first * 60 + second;
  const id = fourth % 3 === 0 ? null : `30000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  const where = isLogin ? login.instance : instance;
  const common = { instance: where, holder, id, print: first + second + third + fourth, actor: ACTOR };
  if (kind === 'take') return { op: 'take-application', ...common, features };
  return { op: 'return-application', ...common, features: third % 4 === 0 ? null : features };
}

/**
 * Counts everything that is held anew, by the table itself and by the model.
 * @throws Error that says what is not what it comes to.
 */
export function expectHoldingsSound(table: Table, model?: ApplicationModel): void {
  const mustBe = (isSo: boolean, what: string) => {
    if (!isSo) throw new Error(`At version ${table.version}: ${what}`);
  };
  let users = 0;
  for (const counters of table.counters.values()) {
    for (const counter of counters.values()) {
      const { scope, application, feature } = counter;
      const name = `${feature} of ${application} in ${JSON.stringify(scope)}`;
      users += counter.users.size;
      mustBe(
        recount(table, [counter], null).get(counter) === counter.users.size,
        `${name} is counted wrongly`,
      );
      mustBe(counter.peak >= counter.users.size, `${name} is above its peak`);
      mustBe(!counter.orphaned || counter.users.size > 0, `${name} is there for nothing`);
      if (!model) continue;
      const where = { instance: '', key: null, ...scope };
      const held = JSON.stringify([...model.users(where, application, feature)].sort());
      mustBe(JSON.stringify([...counter.users].sort()) === held, `${name} is held otherwise: ${held}`);
    }
  }
  for (const place of table.places.values()) {
    for (const [userId, { logins }] of place.holdings?.byUser ?? []) {
      const counted = [...place.logins.userIds()].filter((id) => id === userId).length;
      mustBe(logins === counted, `${userId} has ${counted} logins on ${place.instance}, not ${logins}`);
    }
    mustBe(place.holdings === null || !place.holdings.isEmpty, `${place.instance} keeps an empty book`);
    const key = table.instances.get(place.instance)?.key ?? null;
    for (const { counter } of heldOn(table, place.instance)) {
      if (key === null || !isSharedName(counter.application, SHARED_BY_DEFAULT)) continue;
      const where = JSON.stringify(counter.scope);
      mustBe(
        'key' in counter.scope,
        `${counter.application} is counted in ${where} besides the units of ${key}`,
      );
    }
  }
  if (!model) return;
  const modelled = new Set(
    model.takes.map(({ key, instance, user, application, feature }) =>
      JSON.stringify([key ?? '', key === null ? instance : '', user, application, feature]),
    ),
  );
  mustBe(modelled.size === users, `${users} units are held, and ${modelled.size} by the model`);
}

/** The units that a feature has where it is counted; those of a section that is gone are none. */
export function unitsWhere(table: Table, instance: string, application: string, feature: string): number {
  const record = table.instances.get(instance);
  const licensed = record && findLicensed(table, record, application, SHARED_BY_DEFAULT);
  return (licensed ? unitsOfFeature(licensed, feature) : null) ?? 0;
}
