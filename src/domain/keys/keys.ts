/**
 * What a key *is*: the record that is stored, decided upon and shown (F-1 to F-8), and what state it is in at
 * an instant. Pure: the clock is given. How a key is made of a file is in `keyreading.ts`.
 *
 * Capacity comes from one of three places and from no other: from the explicit fields of a file whose signature
 * holds, from the terms an administrator states for a key nobody here can verify, or from the built-in
 * evaluation key. `LicenseCapacity` is display text, cut at 127 characters, and never parsed.
 */
import { CONNECTIONS_PER_UNIT_MAX } from '../counting.ts';
import type { ProblemCode } from '../errors.ts';
import { canonicalFeature } from './features.ts';
import { DAY_MS } from './keydates.ts';
import type { KeyFault } from './keyfaults.ts';
import { compareVersions, parseVersion, versionWithin } from './keyfields.ts';
import type { TrustedKeys } from './signatures.ts';

export { LICENSE_TYPES, normaliseLicenseType, readKey } from './keyreading.ts';
export { keyId } from './signatures.ts';

/** A key that ends within this many days is troubled (domain notes 8). */
const TROUBLED_DAYS = 7;

/** An application section of a key; protected ones have a period in their name and are covered by the key. */
export interface KeyApplicationSection {
  readonly name: string;
  readonly kind: 'protected' | 'other';
  readonly entries: readonly (readonly [keyword: string, value: string])[];
}

/** A key: absolute, JSON-serialisable, and complete for every decision. */
export interface LicenseKey {
  /** By content: `<order number>-<8 hexadecimal digits>`, or `evaluation`. */
  readonly id: string;
  readonly orderNumber: string;
  readonly customerName: string;
  /** Empty when the terms stated for an unverified key leave it out. */
  readonly product: string;
  /** One of `LICENSE_TYPES`, or another type's own text. */
  readonly licenseType: string;
  /** Only a multi-server key may be shared between instances (F-3). */
  readonly server: 'single' | 'multi';
  /** What was bought; alerts compare with it. */
  readonly unitsAuthorised: number;
  /** What is refused beyond; at least `unitsAuthorised` (domain notes 3.3). */
  readonly unitsEnforced: number;
  /** The cores that were bought; left out when the key names none. */
  readonly cores?: number;
  readonly features: readonly string[];
  /** From `FileType` (F-7): "License 2013.1" is of generation 2013.1. */
  readonly generation: string | null;
  readonly versionFrom: string | null;
  /** Inclusive by prefix: 2018 admits 2018.1.4. */
  readonly versionTo: string | null;
  /** YYYY-MM-DD; null when the key has no such bound. */
  readonly notBeforeDate: string | null;
  readonly expirationDate: string | null;
  /** The first and the last valid millisecond since 1970, in the zone the key was read for; null: no bound. */
  readonly validFromMs: number | null;
  readonly validThroughMs: number | null;
  readonly machineId: string | null;
  readonly licenseId: string | null;
  /** Display text only. */
  readonly licenseCapacity: string;
  readonly trust: 'verified' | 'unverified' | 'evaluation';
  readonly signingKeyId: string | null;
  readonly enforcement: 'central' | 'local' | 'leased';
  readonly connectionsPerUnitMax: number;
  readonly sections: readonly KeyApplicationSection[];
}

/** The terms of a key that cannot be verified here, as its licensee states them. */
export interface StatedTerms {
  readonly units: number;
  readonly unitsEnforced?: number | undefined;
  readonly cores?: number | undefined;
  readonly licenseType: string;
  readonly server: 'single' | 'multi';
  readonly product?: string | undefined;
  readonly features?: readonly string[] | undefined;
  readonly versionFrom?: string | undefined;
  readonly versionTo?: string | undefined;
}

/** Under which conditions a key file is read. */
export interface KeyConditions {
  readonly trusted: TrustedKeys;
  /** Revoked signing key IDs, and IDs of single revoked keys. */
  readonly revoked: ReadonlySet<string>;
  readonly allowUnverified: boolean;
  /** An IANA zone that `isTimeZone` accepts; dates of the key are days there. */
  readonly timeZone: string;
  readonly stated?: StatedTerms | undefined;
}

/** A key, or why the file gives none. */
export type KeyVerdict =
  | {
      readonly ok: true;
      readonly key: LicenseKey;
      /** Things worth telling that do not prevent the use, as sentences. */
      readonly notices: readonly string[];
    }
  | {
      readonly ok: false;
      readonly code: ProblemCode;
      /** What is wrong and what to do, as sentences. */
      readonly reason: string;
      /** The lines at fault, when there are such. */
      readonly faults: readonly KeyFault[];
    };

/**
 * The key an installation without any key file works under (F-2: evaluation installations need none). Eight
 * units, like the community edition of the field (domain notes 3.3). That edition is single-server; this key is
 * multi-server, because what is to be evaluated here is one pool shared by several instances, and two instances
 * of a demonstration must be able to show it. It never expires: a date built into a release would one day stop
 * every demonstration of that release at once.
 */
export const EVALUATION_KEY: LicenseKey = {
  id: 'evaluation',
  orderNumber: '0',
  customerName: 'Evaluation',
  product: 'Lictor evaluation',
  licenseType: 'concurrent-user',
  server: 'multi',
  unitsAuthorised: 8,
  unitsEnforced: 8,
  features: [],
  generation: null,
  versionFrom: null,
  versionTo: null,
  notBeforeDate: null,
  expirationDate: null,
  validFromMs: null,
  validThroughMs: null,
  machineId: null,
  licenseId: null,
  licenseCapacity: 'Lictor evaluation - Concurrent Users:8, Multi-Server',
  trust: 'evaluation',
  signingKeyId: null,
  enforcement: 'central',
  connectionsPerUnitMax: CONNECTIONS_PER_UNIT_MAX,
  sections: [],
};

/** The state of a key at an instant (domain notes 2.4, GetKeyStatus and GetKeyInvalidReason). */
export interface KeyStatus {
  /** `troubled`: still valid, and soon not any more. */
  readonly status: 'valid' | 'troubled' | 'invalid';
  /** Why it is invalid; null otherwise. */
  readonly code: null | 'key-expired' | 'key-not-yet-valid' | 'key-untrusted';
  /** The state as a sentence, with the date that matters and what to do. */
  readonly reason: string;
}

/**
 * The state of a key. It is valid through the end of its expiration date, and from the beginning of its first
 * date; a revocation weighs more than a date.
 *
 * @param key - the key.
 * @param nowMs - the instant, in milliseconds since 1970.
 * @param revoked - revoked signing key IDs and IDs of single revoked keys.
 */
export function keyStatus(key: LicenseKey, nowMs: number, revoked: ReadonlySet<string>): KeyStatus {
  if (revoked.has(key.id)) {
    const reason = `The key ${key.id} is revoked. Install its replacement, or ask the issuer for one.`;
    return { status: 'invalid', code: 'key-untrusted', reason };
  }
  if (key.signingKeyId !== null && revoked.has(key.signingKeyId)) {
    const reason = `The key ${key.id} is signed with the signing key "${key.signingKeyId}", which is revoked. Install a key signed with a current signing key.`;
    return { status: 'invalid', code: 'key-untrusted', reason };
  }
  if (key.validFromMs !== null && nowMs < key.validFromMs) {
    const reason = `The key ${key.id} is valid from ${key.notBeforeDate}, not before. Wait until then, or use the key it replaces.`;
    return { status: 'invalid', code: 'key-not-yet-valid', reason };
  }
  if (key.validThroughMs === null) {
    return { status: 'valid', code: null, reason: `The key ${key.id} is valid and has no expiration date.` };
  }
  if (nowMs > key.validThroughMs) {
    const reason = `The key ${key.id} expired at the end of ${key.expirationDate}. Order a renewal and activate the new key.`;
    return { status: 'invalid', code: 'key-expired', reason };
  }
  const leftMs = key.validThroughMs - nowMs;
  if (leftMs > TROUBLED_DAYS * DAY_MS) {
    return {
      status: 'valid',
      code: null,
      reason: `The key ${key.id} is valid through ${key.expirationDate}.`,
    };
  }
  const reason = `The key ${key.id} expires at the end of ${key.expirationDate}, ${timeLeftWords(leftMs)}. Order a renewal and activate the new key before then.`;
  return { status: 'troubled', code: null, reason };
}

/**
 * Whether a key can be used, as `keyStatus` says it in words. Cheap enough for every login.
 *
 * @param nowMs - the instant, in milliseconds since 1970.
 * @param revoked - revoked signing key IDs and IDs of single revoked keys.
 */
export function isUsable(key: LicenseKey, nowMs: number, revoked: ReadonlySet<string>): boolean {
  if (key.validThroughMs !== null && nowMs > key.validThroughMs) return false;
  if (key.validFromMs !== null && nowMs < key.validFromMs) return false;
  if (revoked.size === 0) return true;
  return !revoked.has(key.id) && (key.signingKeyId === null || !revoked.has(key.signingKeyId));
}

function timeLeftWords(leftMs: number): string {
  const days = Math.floor(leftMs / DAY_MS);
  if (days === 0) return 'in less than a day';
  return days === 1 ? 'in 1 day' : `in ${days} days`;
}

/**
 * Whether a key is good for a product version (F-7). Bounds compare as dotted numbers; the upper one is
 * inclusive by prefix. A version that does not begin with a number fits only a key without bounds.
 *
 * @param key - the key.
 * @param version - the instance's version, for instance "2024.1.2 (Build 398U)".
 */
export function versionFits(key: LicenseKey, version: string): boolean {
  const lowest = key.versionFrom === null ? null : parseVersion(key.versionFrom);
  const highest = key.versionTo === null ? null : parseVersion(key.versionTo);
  if (lowest === null && highest === null) return true;
  const parts = parseVersion(version);
  if (parts === null) return false;
  if (lowest !== null && compareVersions(parts, lowest) < 0) return false;
  return highest === null || versionWithin(parts, highest);
}

/**
 * The versions a key is good for, in words.
 *
 * @returns for instance "versions 5.1 to 2018.1", or "all versions".
 */
export function versionWords(key: LicenseKey): string {
  const { versionFrom, versionTo } = key;
  if (versionFrom !== null && versionTo !== null) return `versions ${versionFrom} to ${versionTo}`;
  if (versionFrom !== null) return `version ${versionFrom} and later`;
  return versionTo === null ? 'all versions' : `versions up to ${versionTo}`;
}

/**
 * Whether a key permits a feature (F-8, GetFeature).
 *
 * @param key - the key.
 * @param nameOrNumber - the feature's name in any case, or its number as in `GetFeature(n)`.
 */
export function hasFeature(key: LicenseKey, nameOrNumber: string | number): boolean {
  const wanted = canonicalFeature(nameOrNumber);
  return key.features.some((feature) => canonicalFeature(feature) === wanted);
}
