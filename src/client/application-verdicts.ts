/**
 * What taking and giving back units of applications comes to, as values that an application can go on with.
 */

import { DEFAULT_FEATURE, FEATURES_PER_CALL_MAX } from '../domain/applications/applications.ts';
import type { Problem } from '../domain/operations.ts';
import type { TakeApplicationsAnswer } from './openapi.ts';
import { ApiError, type ProblemCode, UnreachableError } from './problems.ts';

/** One feature of an application, by its section and its keyword. */
export interface FeatureWanted {
  readonly application: string;
  /** `Concurrent Users` when left out. */
  readonly feature?: string | undefined;
}

/** What is to be taken or given back: an application, a feature, or several of either. */
export type Wanted = string | FeatureWanted | readonly (string | FeatureWanted)[];

/** A feature by both its names. */
export type FeatureNamed = Required<{ readonly [Name in keyof FeatureWanted]: string }>;

/** A feature as a take or a return leaves it. */
export interface FeatureHeld extends FeatureNamed {
  /** How often the login has it. */
  readonly held: number;
  /** How often its user has it, over all logins that are counted together; null where that was not asked. */
  readonly count: number | null;
  /** How many users hold it; null where that was not asked. */
  readonly used: number | null;
  /** How many units it has; null where that was not asked, or its section is gone. */
  readonly units: number | null;
  /** Of a return: whether it was held, and so given back. */
  readonly released: boolean;
}

/** What was taken or given back. */
export interface UnitsHeld {
  readonly is: 'granted';
  readonly userId: string;
  readonly features: readonly FeatureHeld[];
}

/** Why nothing was taken: a feature has no unit free, or its key cannot be used. */
export interface ApplicationRefusal {
  readonly is: 'refused';
  readonly code: ProblemCode;
  readonly rule: string;
  /** The feature that stood against it; null when it was none in particular. */
  readonly application: string | null;
  readonly feature: string | null;
  readonly limit: number;
  readonly inUse: number;
  readonly requested: number;
  /** How many users hold the feature. */
  readonly holdersCount: number;
  /** What is wrong and what to do, for people. */
  readonly detail: string;
  readonly retryAfterSeconds: number;
  /** The decision in the journal; null when the server could not be asked. */
  readonly decision: string | null;
}

/** What became of a take or a return. */
export type UnitsVerdict = UnitsHeld | ApplicationRefusal | Problem;

/** One thing wrong with an application licence. */
export interface LicenseFault {
  readonly line: number;
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly mend: string;
  /** What `LoadAppLicenseFile` would have answered. */
  readonly legacyCode: number;
}

/** Why nothing was loaded. */
export interface LoadProblem extends Problem {
  /** Everything that is wrong with the file; empty when it is not the file. */
  readonly faults: readonly LicenseFault[];
}

/** Units cannot be taken for a login that is out. */
export function notHeld(): Problem {
  return {
    is: 'problem',
    code: 'login-lost',
    detail: 'The login is out, or was lost, and with it everything that it had taken. Log the user in first.',
  };
}

/** Units cannot be taken for who is nobody. */
export const NOBODYS: Problem = {
  is: 'problem',
  code: 'holder-missing',
  detail: 'The login is nobody’s yet, and units of applications are users’. Identify its user first.',
};

/**
 * Names what is wanted in full.
 * @returns a problem where that is nothing, too much at once, or no text.
 */
export function namesOf(wanted: Wanted): FeatureNamed[] | Problem {
  const list: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  if (list.length === 0 || list.length > FEATURES_PER_CALL_MAX) {
    return malformed(`Name 1 to ${FEATURES_PER_CALL_MAX} features, not ${list.length}.`);
  }
  const names: FeatureNamed[] = [];
  for (const one of list) {
    const { application, feature = DEFAULT_FEATURE } = (
      typeof one === 'string' ? { application: one } : (one ?? {})
    ) as Partial<FeatureNamed>;
    if (
      typeof application !== 'string' ||
      application === '' ||
      typeof feature !== 'string' ||
      feature === ''
    ) {
      return malformed('Name what is wanted as "Application", or as { application, feature }, both texts.');
    }
    names.push({ application, feature });
  }
  return names;
}

/** @returns what is wrong with a call, as a value. */
export function malformed(detail: string): Problem {
  return { is: 'problem', code: 'malformed-request', detail };
}

/** What a login does not hold is not given back, and nobody is asked about it. */
export function notReleased(names: readonly FeatureNamed[]): FeatureHeld[] {
  return names.map((name) => ({ ...name, held: 0, count: null, used: null, units: null, released: false }));
}

/**
 * Turns the answer to a take or a return into a verdict.
 * @param asked - the call.
 * @param instance - the name of the instance.
 * @throws ApiError for what is a matter of whoever runs the application, such as the token; the reason of a signal.
 */
export async function verdictOf(
  asked: Promise<TakeApplicationsAnswer>,
  instance: string,
): Promise<UnitsVerdict> {
  try {
    const { userId, features } = await asked;
    return {
      is: 'granted',
      userId,
      features: features.map((one) => ({
        ...one,
        units: one.units ?? null,
        released: one.released ?? false,
      })),
    };
  } catch (error) {
    if (error instanceof UnreachableError) return unreachable(instance, error.message);
    if (!(error instanceof ApiError)) throw error;
    const { code, message: detail, problem, status } = error;
    if (typeof problem.rule === 'string') return refusalOf(error);
    if (status === 503) return unreachable(instance, detail);
    // An instance or an application that is not there can be one that is still to be registered or loaded.
    if (status === 400 || status === 404 || status === 409 || status === 410 || status === 422) {
      return { is: 'problem', code, detail };
    }
    throw error;
  }
}

function refusalOf({ code, message: detail, problem, retryAfterSeconds = 10 }: ApiError): ApplicationRefusal {
  const told = problem as Partial<ApplicationRefusal>;
  return {
    is: 'refused',
    code,
    rule: told.rule ?? '',
    application: told.application ?? null,
    feature: told.feature ?? null,
    limit: told.limit ?? 0,
    inUse: told.inUse ?? 0,
    requested: told.requested ?? 1,
    holdersCount: told.holdersCount ?? 0,
    detail,
    retryAfterSeconds,
    decision: told.decision ?? null,
  };
}

function unreachable(instance: string, detail: string): ApplicationRefusal {
  return {
    is: 'refused',
    code: 'server-unreachable',
    rule: 'offline',
    application: null,
    feature: null,
    limit: 0,
    inUse: 0,
    requested: 1,
    holdersCount: 0,
    detail: `The server counts the units of applications on "${instance}", and it could not be asked. ${detail}`,
    retryAfterSeconds: 10,
    decision: null,
  };
}

/**
 * Turns what loading failed with into a problem with all faults of the file.
 * @throws whatever is no fault of the file or of the instance's licences.
 */
export function loadProblemOf(error: unknown): LoadProblem {
  if (!(error instanceof ApiError)) throw error;
  const { code, message: detail, problem, status } = error;
  if (status === 401 || status === 403 || status === 429 || status >= 500) throw error;
  const { faults = [] } = problem as { readonly faults?: readonly LicenseFault[] };
  return { is: 'problem', code, detail, faults };
}
