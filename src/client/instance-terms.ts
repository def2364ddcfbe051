/**
 * What the server lets an instance do: how its key is enforced, the units, and the settings of the instance. It
 * is told at the registration and with every answer to a report.
 */

import { CONNECTIONS_PER_UNIT_MAX } from '../domain/counting.ts';
import { PROBLEMS, type ProblemCode } from '../domain/errors.ts';
import type { CapacityFault } from '../domain/grounds.ts';
import { DEFAULT_SETTINGS, type InstanceSettings } from '../domain/instances.ts';
import type { LocalCapacity } from '../domain/local/localtable.ts';
import type { UpdateAnswer } from './updates.ts';

/** How a key is enforced: by the server, by each instance, or by each instance inside what it was leased. */
export type Enforcement = 'central' | 'local' | 'leased';

/** The terms of an instance, as the server told them last. */
export interface InstanceTerms {
  readonly enforcement: Enforcement;
  /** The ID of the key; null without one. */
  readonly key: string | null;
  /** The units that are enforced of the key, over all instances; 1 without a usable key. */
  readonly limit: number;
  readonly connectionsPerUnitMax: number;
  readonly settings: InstanceSettings;
  /** The units that the instance can use of a key that is active in part, until it starts again. */
  readonly usableUnits?: number;
  /** The revision of the settings; null when it is not known. */
  readonly settingsRevision: string | null;
  /** Why the key cannot be used; null when it can (F-24). */
  readonly fault: CapacityFault | null;
  readonly nextUpdateAfterSeconds: number;
}

/** The part of the answer to a registration that is of use here. */
export interface RegistrationAnswer {
  readonly incarnation: number;
  readonly key?: string | undefined;
  readonly licence: { readonly code?: string | undefined; readonly reason: string };
  readonly settings: Partial<InstanceSettings>;
  readonly revision: string;
  readonly enforcement?: Enforcement | undefined;
  readonly limit?: number | undefined;
  readonly connectionsPerUnitMax?: number | undefined;
  readonly usableUnits?: number | undefined;
  readonly nextUpdateAfterSeconds?: number | undefined;
  readonly notices?: readonly string[] | undefined;
}

/** How often an instance reports when nobody says otherwise (notes 7.3). */
const UPDATE_SECONDS = 15;

/** What a key cannot be used for, where the server gives no more than the code. */
const FAULT_WORDS: Partial<Record<ProblemCode, string>> = {
  'key-expired': 'it has expired. Order a renewal and activate the new key.',
  'key-not-yet-valid': 'it is not valid yet. Wait until then, or use the key it replaces.',
  'key-untrusted': 'its signing key is no longer trusted. Install a key signed with a current signing key.',
  'key-missing': 'there is none. Install one and register with it.',
};

/** Reads the terms out of the answer to a registration. */
export function termsOfRegistration(answer: RegistrationAnswer): InstanceTerms {
  const { licence, settings, revision } = answer;
  return {
    enforcement: answer.enforcement ?? 'central',
    key: answer.key ?? null,
    limit: answer.limit ?? 1,
    connectionsPerUnitMax: answer.connectionsPerUnitMax ?? CONNECTIONS_PER_UNIT_MAX,
    settings: { ...DEFAULT_SETTINGS, ...settings },
    ...usableOf(answer),
    settingsRevision: revision,
    fault: licence.code === undefined ? null : { code: codeOf(licence.code), reason: licence.reason },
    nextUpdateAfterSeconds: answer.nextUpdateAfterSeconds ?? UPDATE_SECONDS,
  };
}

/** Reads the terms out of the answer to a report; what it leaves out stands as it stood. */
export function termsOfUpdate(before: InstanceTerms, answer: UpdateAnswer): InstanceTerms {
  const { settings, settingsRevision } = answer;
  return {
    enforcement: answer.enforcement,
    key: answer.key ?? null,
    limit: answer.limit,
    connectionsPerUnitMax: answer.connectionsPerUnitMax,
    settings: settings === undefined ? before.settings : { ...DEFAULT_SETTINGS, ...settings },
    ...usableOf(answer),
    settingsRevision: settingsRevision ?? before.settingsRevision,
    fault: faultOf(before, answer),
    nextUpdateAfterSeconds: answer.nextUpdateAfterSeconds,
  };
}

function usableOf({ usableUnits }: { readonly usableUnits?: number | undefined }) {
  return usableUnits === undefined ? {} : { usableUnits };
}

/** A report that is not acknowledged for another reason than the limit says that the key cannot be used. */
function faultOf(before: InstanceTerms, answer: UpdateAnswer): CapacityFault | null {
  if (answer.acknowledged || answer.reason === undefined || answer.reason === 'over-limit') return null;
  const code = codeOf(answer.reason);
  if (before.fault?.code === code) return before.fault;
  return { code, reason: FAULT_WORDS[code] ?? 'it cannot be used.' };
}

/** A server newer than this package may have a code that is not known here. */
function codeOf(code: string): ProblemCode {
  return Object.hasOwn(PROBLEMS, code) ? (code as ProblemCode) : 'key-missing';
}

/** What a local table may take under these terms; without a usable key, one connection (F-24). */
export function capacityOfTerms(terms: InstanceTerms): LocalCapacity {
  const { limit, connectionsPerUnitMax, fault } = terms;
  if (fault !== null) return { unitsMax: 1, connectionsPerUnitMax: 1, fault };
  return { unitsMax: limit, connectionsPerUnitMax, fault, ...usableOf(terms) };
}

/** Whether two terms are the same in all that an application may want to know of. */
export function sameTerms(one: InstanceTerms, other: InstanceTerms): boolean {
  return (
    one.enforcement === other.enforcement &&
    one.key === other.key &&
    one.limit === other.limit &&
    one.usableUnits === other.usableUnits &&
    one.connectionsPerUnitMax === other.connectionsPerUnitMax &&
    JSON.stringify(one.settings) === JSON.stringify(other.settings) &&
    one.fault?.code === other.fault?.code
  );
}
