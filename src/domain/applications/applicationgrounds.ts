/**
 * In which words units of applications are refused, and what stands against asking for them at all.
 */

import {
  type CapacityFault,
  faultGround,
  type Ground,
  RETRY_AFTER_SECONDS,
  type UnitsAsked,
} from '../grounds.ts';
import type { Login } from '../holdings/login.ts';
import type { Problem } from '../operations.ts';
import type { Exhausted } from './applicationoperations.ts';
import { DEFAULT_FEATURE, FEATURES_HELD_MAX, type Licensed } from './applications.ts';

/** Users that the words of a refusal name; the problem body names more. */
const NAMED_IN_WORDS_MAX = 3;

/** Every unit of a feature is held by other users (F-70, notes 6.2). */
export function exhaustedGround(exhausted: Exhausted, { limit, inUse, requested }: UnitsAsked): Ground {
  const { application, feature, sharedBy } = exhausted;
  const who =
    sharedBy === null ? holderWords(exhausted) : ` They are counted across the instances of key ${sharedBy}.`;
  return {
    code: 'application-units-exhausted',
    rule: 'application-units',
    limit,
    inUse,
    requested,
    detail: `All units of "${feature}" in [${application}] are taken: ${inUse} of ${limit} are in use and ${requested} is needed.${who} Try again when one of them has given it back or logged out.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/** Who is on another instance is nobody's business here, so that only holders on the same one are named. */
function holderWords({ holders, holdersCount }: Exhausted): string {
  const named = holders.slice(0, NAMED_IN_WORDS_MAX).map(({ userId }) => `"${userId}"`);
  if (named.length === 0) return '';
  const others = holdersCount - named.length;
  const many = holdersCount === 1 ? '1 user holds' : `${holdersCount} users hold`;
  return ` ${many} it: ${named.join(', ')}${others > 0 ? ` and ${others} more` : ''}.`;
}

/** A key that cannot be used licenses nothing of its sections; what is held of them stays held (F-24). */
export function keyFaultGround(instance: string, application: string, fault: CapacityFault): Ground {
  return {
    ...faultGround(instance, fault),
    limit: 0,
    inUse: 0,
    detail: `Nothing of [${application}], which comes with the key of "${instance}", can be taken while that key cannot be used: ${fault.reason}`,
  };
}

/** The answer to whoever takes units for a user who has no connection with which they would go. */
export function userMissing(instance: string, user: string): Problem {
  return {
    is: 'problem',
    code: 'holder-missing',
    detail: `User "${user}" has no connection on "${instance}", with which the units would go. Log him in, or report him with POST /v1/instances/${encodeURIComponent(instance)}/updates first.`,
  };
}

/** The answer to whoever would hold more features at one time than anybody may. */
export function holdsTooMuch(held: number): Problem {
  return {
    is: 'problem',
    code: 'holdings-limit-reached',
    detail: `The holder would have ${held} features at one time, and may have ${FEATURES_HELD_MAX}. Give back what is not used any more.`,
  };
}

/** The answer to whoever takes units for a login that is nobody's. */
export function loginOfNobody({ id, kind, phase }: Login): Problem {
  const detail =
    phase === 'pending'
      ? `The login ${id} has not identified itself yet, and units of applications are users'. Identify it first.`
      : `The login ${id}, of kind "${kind}", is nobody's, and units of applications are users'. Take them for a login that has a user.`;
  return { is: 'problem', code: 'holder-missing', detail };
}

/** The answer to whoever asks for a section that an instance does not have. */
export function applicationNotFound(instance: string, application: string): Problem {
  const path = `/v1/instances/${encodeURIComponent(instance)}/applications`;
  const how = application.includes('.')
    ? 'A name with a period is a protected section, which only the key of the instance can bring'
    : `Load it with PUT ${path}/${encodeURIComponent(application)}`;
  return {
    is: 'problem',
    code: 'application-not-found',
    detail: `Instance "${instance}" has no licence of application "${application}". ${how}. GET ${path} lists what there is; names are case-sensitive.`,
  };
}

/** The answer to whoever takes what a section does not license, or what only informs. */
export function featureProblem(
  { name, entries }: Pick<Licensed, 'name' | 'entries'>,
  feature: string,
  isText: boolean,
): Problem {
  if (isText) {
    return {
      is: 'problem',
      code: 'feature-not-counted',
      detail: `The value of "${feature}" in [${name}] is text, which is information and has no units. Only keywords whose value is a whole number can be taken.`,
    };
  }
  const near = entries.find(([keyword]) => keyword.toLowerCase() === feature.toLowerCase());
  const hint = near ? ` Did you mean "${near[0]}"? Keywords are case-sensitive.` : '';
  const meant = feature === DEFAULT_FEATURE ? ', which is meant where no feature is named' : '';
  return {
    is: 'problem',
    code: 'feature-not-licensed',
    detail: `[${name}] has no keyword "${feature}"${meant}.${hint}`,
  };
}
