/**
 * What becomes of a key that is to take another's place: what it has less of, whether it can be used at once,
 * only in part, or after a restart (F-20…F-22), and the record of what was decided. Pure: whoever activates is in
 * `activations.ts`.
 */

import { createHash } from 'node:crypto';
import type { Instance } from '../instances.ts';
import { canonicalFeature } from './features.ts';
import type { LicenseKey } from './keys.ts';

/** What a new key can give a running instance, by the product that the instance is (F-22, notes 9). */
export const ACTIVATION_PROFILES = ['unlimited', 'caché5', 'caché', 'iris'] as const;
export type ActivationProfile = (typeof ACTIVATION_PROFILES)[number];

/** Units of one page of 64 KB of the table of licences, in the first and in the later versions (notes 9). */
const UNITS_PER_PAGE_FIRST = 700;
const UNITS_PER_PAGE = 227;
/** An upgrade of the first version may take so many pages more; of the later ones, fewer than a thousand. */
const PAGES_MORE_FIRST_MAX = 10;
const PAGES_MORE_MAX = 999;

/** The rules of a profile. */
interface ProfileRules {
  /** How many units more than before can be used without a restart. */
  readonly growthUnitsMax: number;
  /** Which changes of licence type wait for a restart. */
  readonly powerUnit: 'never' | 'from' | 'to-or-from';
  /** Whether fewer units wait for a restart. */
  readonly fewerUnitsWait: boolean;
}

const RULES: Readonly<Record<ActivationProfile, ProfileRules>> = {
  unlimited: { growthUnitsMax: Number.POSITIVE_INFINITY, powerUnit: 'never', fewerUnitsWait: false },
  caché5: {
    growthUnitsMax: PAGES_MORE_FIRST_MAX * UNITS_PER_PAGE_FIRST,
    powerUnit: 'from',
    fewerUnitsWait: false,
  },
  caché: { growthUnitsMax: PAGES_MORE_MAX * UNITS_PER_PAGE, powerUnit: 'from', fewerUnitsWait: false },
  iris: { growthUnitsMax: PAGES_MORE_MAX * UNITS_PER_PAGE, powerUnit: 'to-or-from', fewerUnitsWait: true },
};

/** What something was, and what it would be. */
export interface Reduction<Value> {
  readonly from: Value;
  readonly to: Value;
}

/** An entry of a protected section that is lost, or counts less; without a keyword the whole section is lost. */
export interface ApplicationReduction {
  readonly application: string;
  readonly keyword?: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What another key has less of, or otherwise; members that are no less are left out (notes 2.5). */
export interface Reductions {
  readonly cores?: Reduction<number>;
  /** The units that are enforced; where those are no fewer, the ones that were bought. */
  readonly units?: Reduction<number>;
  readonly connectionsPerUnit?: Reduction<number>;
  readonly server?: Reduction<LicenseKey['server']>;
  readonly product?: Reduction<string>;
  readonly licenseType?: Reduction<string>;
  /** The names of features that the other key does not permit. */
  readonly features: readonly string[];
  readonly applications: readonly ApplicationReduction[];
}

/** What would become of a key on an instance. */
export interface ActivationVerdict {
  /** `unchanged`: the instance works under it already, or waits for the restart that brings it. */
  readonly outcome: 'active' | 'partly-active' | 'pending' | 'unchanged';
  /** The outcome as a sentence, with what to do. */
  readonly reason: string;
  readonly requiresRestart: boolean;
  /** Why a restart is needed, as a sentence; null when none is. */
  readonly restartReason: string | null;
  /** Of a key that is partly active: the units that can be used until the restart. */
  readonly usableUnits?: number;
  readonly reductions: Reductions;
}

/** Who or what brought a key. */
export type ActivationCause = 'activated' | 'registered' | 'served' | 'restarted' | 'rolled-back';

/** One entry of the history of an instance's keys: its whole record. */
export interface Activation {
  /** The ID of the decision. */
  readonly id: string;
  readonly instance: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Who did it. */
  readonly by: string;
  readonly cause: ActivationCause;
  readonly from: string | null;
  readonly to: string | null;
  /** `cancelled`: a key that waited for a restart waits no more; `dropped`: at the restart it could not be used. */
  readonly outcome: 'active' | 'partly-active' | 'pending' | 'cancelled' | 'dropped';
  readonly reason: string;
  readonly usableUnits?: number;
  /** The units that were enforced before; 1 without a key. */
  readonly unitsFrom: number;
  readonly unitsTo: number;
}

/** What of an instance bears on an activation. */
export interface ActivationSubject {
  readonly instance: Pick<
    Instance,
    'name' | 'key' | 'pendingKey' | 'usableUnits' | 'tableUnits' | 'settings' | 'closed'
  >;
  /** Whether the instance holds users that it let in by itself under a local key. */
  readonly holdsOwnUsers: boolean;
}

/** The units of an instance without a key (F-24). */
const UNITS_WITHOUT_KEY = 1;

/**
 * Compares two keys, item by item.
 * @param current - the key that the instance works under; null when it has none, which nothing is less than.
 * @param selected - the key that is to take its place.
 * @returns everything that becomes less.
 */
export function compareKeys(current: LicenseKey | null, selected: LicenseKey): Reductions {
  if (current === null) return { features: [], applications: [] };
  const units = unitsReduction(current, selected);
  const connections = fewer(current.connectionsPerUnitMax, selected.connectionsPerUnitMax);
  const cores = current.cores === undefined ? null : fewer(current.cores, selected.cores ?? 0);
  const isLessShared = current.server === 'multi' && selected.server === 'single';
  const product = otherThan(current.product, selected.product);
  const licenseType = otherThan(current.licenseType, selected.licenseType);
  const permitted = new Set(selected.features.map(canonicalFeature));
  return {
    ...(cores === null ? {} : { cores }),
    ...(units === null ? {} : { units }),
    ...(connections === null ? {} : { connectionsPerUnit: connections }),
    ...(isLessShared ? { server: { from: 'multi', to: 'single' } } : {}),
    ...(product === null ? {} : { product }),
    ...(licenseType === null ? {} : { licenseType }),
    features: current.features.filter((feature) => !permitted.has(canonicalFeature(feature))),
    applications: current.sections.flatMap((section) =>
      section.kind === 'protected' ? sectionReductions(section, selected) : [],
    ),
  };
}

function unitsReduction(current: LicenseKey, selected: LicenseKey): Reduction<number> | null {
  const enforced = fewer(current.unitsEnforced, selected.unitsEnforced);
  return enforced ?? fewer(current.unitsAuthorised, selected.unitsAuthorised);
}

function fewer(from: number, to: number): Reduction<number> | null {
  return to < from ? { from, to } : null;
}

function otherThan(from: string, to: string): Reduction<string> | null {
  return from === to ? null : { from, to };
}

/** A number that is less counts as less; any other text that is not the same is told as a change. */
function sectionReductions(
  { name, entries }: LicenseKey['sections'][number],
  selected: LicenseKey,
): ApplicationReduction[] {
  const other = selected.sections.find((section) => section.name === name);
  if (!other) return [{ application: name, from: null, to: null }];
  const values = new Map(other.entries);
  return entries.flatMap(([keyword, from]) => {
    const to = values.get(keyword) ?? null;
    if (to === from || (to !== null && isCount(from) && isCount(to) && Number(to) >= Number(from))) return [];
    return [{ application: name, keyword, from, to }];
  });
}

function isCount(text: string): boolean {
  return /^\d+$/.test(text);
}

/** @returns whether a key is less than another in anything. */
export function hasReductions({ features, applications, ...rest }: Reductions): boolean {
  return features.length > 0 || applications.length > 0 || Object.keys(rest).length > 0;
}

/**
 * What would become of a valid key on an instance, by the instance's profile (F-22, notes 9). An instance that was
 * closed does not run, so that nothing waits.
 * @param current - the key that it works under; null when it has none.
 * @param selected - the key that is to take its place.
 */
export function activationOf(
  subject: ActivationSubject,
  current: LicenseKey | null,
  selected: LicenseKey,
): ActivationVerdict {
  const { instance } = subject;
  const reductions = compareKeys(current, selected);
  if (selected.id === instance.key) return { ...unchanged(instance, selected), reductions };
  const verdict = verdictOf(subject, current, selected);
  const reason = `${verdict.reason}${givenUpWords(instance, selected.id)}`;
  return { ...verdict, reason, reductions };
}

/**
 * A sentence on the key that waits for a restart, to follow another one; empty where none is given up.
 * @param to - the key that takes its place, or null for none.
 */
export function givenUpWords({ pendingKey }: Pick<Instance, 'pendingKey'>, to: string | null): string {
  if (pendingKey === undefined || pendingKey === to) return '';
  return ` The key ${pendingKey}, which waited for the next start, is given up.`;
}

function verdictOf(
  subject: ActivationSubject,
  current: LicenseKey | null,
  selected: LicenseKey,
): Omit<ActivationVerdict, 'reductions'> {
  const { instance } = subject;
  const why = restartReasonOf(subject, current, selected);
  if (why !== null) {
    const waits = instance.pendingKey === selected.id;
    const until = `Until then the instance works under ${keyWords(instance.key)}.`;
    const reason = `The key ${selected.id} ${waits ? 'waits' : 'is valid and will wait'} for the next start of instance "${instance.name}": ${why} ${until}`;
    const restartReason = sentence(why);
    return { outcome: waits ? 'unchanged' : 'pending', reason, requiresRestart: true, restartReason };
  }
  const usableUnits = usableUnitsOf(instance, current, selected);
  if (usableUnits < selected.unitsEnforced) {
    const restartReason = `The table of licences grows by at most ${rulesOf(instance).growthUnitsMax} units while the instance runs.`;
    const reason = `Of the ${selected.unitsEnforced} units of the key ${selected.id} instance "${instance.name}" can use ${usableUnits} at once and all of them after its next start.`;
    return { outcome: 'partly-active', reason, requiresRestart: true, restartReason, usableUnits };
  }
  const reason = `All ${selected.unitsEnforced} units of the key ${selected.id} can be used at once.`;
  return { outcome: 'active', reason, requiresRestart: false, restartReason: null };
}

/** The answer to the key that is active already; the one that waited in its place waits no more. */
function unchanged(
  { name, pendingKey, usableUnits }: ActivationSubject['instance'],
  key: LicenseKey,
): Omit<ActivationVerdict, 'reductions'> {
  if (pendingKey !== undefined) {
    const reason = `The key ${key.id} stays active; ${pendingKey}, which waits for the next start of instance "${name}", is given up.`;
    return { outcome: 'active', reason, requiresRestart: false, restartReason: null };
  }
  if (usableUnits === undefined) {
    const reason = `The key ${key.id} is active already.`;
    return { outcome: 'unchanged', reason, requiresRestart: false, restartReason: null };
  }
  const reason = `The key ${key.id} is partly active already: instance "${name}" can use ${usableUnits} of its ${key.unitsEnforced} units until its next start.`;
  const restartReason = 'The table of licences takes the other units at the next start.';
  return { outcome: 'unchanged', reason, requiresRestart: true, restartReason, usableUnits };
}

function rulesOf({ settings }: Pick<Instance, 'settings'>): ProfileRules {
  // Records of the time before there were profiles name none.
  return RULES[settings.activationProfile ?? 'unlimited'];
}

/** Why a key cannot take another's place while the instance runs; null when it can. The rest of a sentence. */
function restartReasonOf(
  { instance, holdsOwnUsers }: ActivationSubject,
  current: LicenseKey | null,
  selected: LicenseKey,
): string | null {
  if (current === null || instance.closed) return null;
  const { powerUnit, fewerUnitsWait } = rulesOf(instance);
  const [isFrom, isTo] = [current, selected].map(({ licenseType }) => licenseType === 'power-unit');
  if (isFrom !== isTo && (isFrom ? powerUnit !== 'never' : powerUnit === 'to-or-from')) {
    return `a change ${isFrom ? 'from' : 'to'} the licence type Power Unit is not made while an instance runs.`;
  }
  if (fewerUnitsWait && selected.unitsEnforced < current.unitsEnforced) {
    return `fewer units, ${selected.unitsEnforced} in place of ${current.unitsEnforced}, are not taken over while an instance runs.`;
  }
  if (holdsOwnUsers && selected.enforcement !== 'local') {
    return `it holds users that it let in by itself, and nothing would cover them under a key whose enforcement is ${selected.enforcement}.`;
  }
  return null;
}

/** How many units of a key an instance can use before its next start. */
function usableUnitsOf(
  instance: ActivationSubject['instance'],
  current: LicenseKey | null,
  selected: LicenseKey,
): number {
  if (instance.closed) return selected.unitsEnforced;
  const held = tableUnitsOf(instance, current);
  return Math.min(selected.unitsEnforced, held + rulesOf(instance).growthUnitsMax);
}

/**
 * The units that the table of a running instance holds: it never gives any up before its next start.
 * @param current - the key that the instance works under; null when it has none.
 */
export function tableUnitsOf(
  { usableUnits, tableUnits = 0 }: Pick<Instance, 'usableUnits' | 'tableUnits'>,
  current: LicenseKey | null,
): number {
  return Math.max(usableUnits ?? current?.unitsEnforced ?? UNITS_WITHOUT_KEY, tableUnits);
}

function keyWords(key: string | null): string {
  return key === null ? 'no key' : `the key ${key}`;
}

function sentence(rest: string): string {
  return `${rest.charAt(0).toUpperCase()}${rest.slice(1)}`;
}

/**
 * A token of everything that was inspected: it is another as soon as the instance, one of the keys or the outcome
 * is, so that an activation that names it applies exactly what was shown.
 * @param revision - of the instance.
 */
export function inspectionToken(
  revision: string,
  current: LicenseKey | null,
  selected: LicenseKey,
  verdict: ActivationVerdict,
): string {
  const text = canonicalJson([revision, current, selected, verdict]);
  return createHash('sha256').update(text, 'utf8').digest('base64url').slice(0, TOKEN_CHARACTERS);
}

/** Enough that no two inspections share one. */
const TOKEN_CHARACTERS = 27;

/** What is stored and read again has its members in another order. When it was installed, or served, is no matter. */
const LEFT_OUT = new Set(['installedAtMs', 'installedBy', 'servedAtMs', 'revision']);

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    const entries = Object.entries(member).filter(([name]) => !LEFT_OUT.has(name));
    return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}
