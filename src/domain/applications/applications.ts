/**
 * Application licences (F-70…F-74): what an application section says, which sections an instance has, and where
 * their units are counted. Taking and giving back is in `applicationtakes.ts`.
 *
 * A section is *loaded* at run time for one instance, or *protected*: part of the instance's key, which alone can
 * change it. A keyword whose value is a whole number is a *counted* feature, with that many units; any other value
 * is information (notes 6.1). The unit is a user's: who holds a feature several times holds one unit, and a count
 * of how often he took it (notes 6.3).
 */

import type { Instance } from '../instances.ts';
import type { Table } from '../table.ts';

/** The feature that is meant where none is named (trap 19). */
export const DEFAULT_FEATURE = 'Concurrent Users';
/** The names of sections that are counted across all instances of a key, unless the configuration says others. */
export const SHARED_BY_DEFAULT: readonly string[] = ['ISC.*'];
/** Features that one call may take or give back. */
export const FEATURES_PER_CALL_MAX = 64;
/** Features that one login, or one user for himself, may hold at one time; it bounds what goes with him in one step. */
export const FEATURES_HELD_MAX = 1_024;
/** Sections that one instance may have loaded. */
export const APPLICATIONS_MAX = 256;
/** Holders that a refusal names. */
export const HOLDERS_NAMED_MAX = 20;

/** A keyword of a section with its value, both as they stand in the file. */
export type ApplicationEntry = readonly [keyword: string, value: string];

/** What a loaded section says, before it is anybody's. */
export interface ApplicationSection {
  /** Without a period, which only sections of a key have (notes 3.2). */
  readonly name: string;
  readonly entries: readonly ApplicationEntry[];
  /** `verified` when it carries a signature of a trusted signing key (F-73). */
  readonly signature: 'verified' | 'unsigned';
  readonly signingKeyId: string | null;
}

/** A section that was loaded for an instance, as events and the database carry it. */
export interface Application extends ApplicationSection {
  readonly instance: string;
  readonly loadedAtMs: number;
  readonly loadedBy: string;
  /** Changes with every load; the entity tag of the section. */
  readonly revision: string;
}

/** A section that an instance has, wherever it comes from. */
export interface Licensed {
  readonly name: string;
  /** `vendor` and `protected` sections are the key's: `I` and `P` of `GetAppNames`; the loaded ones are its `U`. */
  readonly kind: 'vendor' | 'protected' | 'loaded';
  readonly entries: readonly ApplicationEntry[];
  /** The key across whose instances it is counted; null when it is counted on this instance alone. */
  readonly sharedBy: string | null;
  /** The record of a loaded section. */
  readonly loaded: Application | null;
}

/** Names one feature of an application. */
export interface FeatureName {
  readonly application: string;
  readonly feature: string;
}

const VENDOR_PREFIX = 'ISC.';

/**
 * Finds a section that an instance has. What its key says of a name comes before what was loaded.
 *
 * @param shared - names of sections that are counted across a key, `*` standing for any rest.
 */
export function findLicensed(
  table: Table,
  instance: Instance,
  name: string,
  shared: readonly string[],
): Licensed | null {
  const key = instance.key === null ? undefined : table.keys.get(instance.key);
  const section = key?.sections.find((one) => one.name === name);
  const loaded = section ? null : (table.applications.get(instance.name)?.get(name) ?? null);
  const entries = section?.entries ?? loaded?.entries;
  if (entries === undefined) return null;
  const isShared = instance.key !== null && isSharedName(name, shared);
  return {
    name,
    kind: loaded ? 'loaded' : name.startsWith(VENDOR_PREFIX) ? 'vendor' : 'protected',
    entries,
    sharedBy: isShared ? instance.key : null,
    loaded,
  };
}

/** All sections that an instance has, by name. */
export function licensedOf(table: Table, instance: Instance, shared: readonly string[]): Licensed[] {
  const key = instance.key === null ? undefined : table.keys.get(instance.key);
  const names = new Set(key?.sections.map(({ name }) => name));
  for (const name of table.applications.get(instance.name)?.keys() ?? []) names.add(name);
  return [...names].sort().map((name) => findLicensed(table, instance, name, shared)!);
}

/**
 * Whether a section is counted across all instances of a key (notes 6.3).
 *
 * @param shared - names, `*` at the end standing for any rest.
 */
export function isSharedName(name: string, shared: readonly string[]): boolean {
  return shared.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
}

/**
 * The units of a feature.
 *
 * @returns undefined when the section has no such keyword, null when its value is only information (trap 19).
 */
export function unitsOfFeature(
  { entries }: Pick<Licensed, 'entries'>,
  feature: string,
): number | null | undefined {
  const entry = entries.find(([keyword]) => keyword === feature);
  return entry === undefined ? undefined : unitsOfValue(entry[1]);
}

/** @returns the units that a value licenses; null when it is text. */
export function unitsOfValue(value: string): number | null {
  return /^\d{1,9}$/.test(value.trim()) ? Number(value) : null;
}
