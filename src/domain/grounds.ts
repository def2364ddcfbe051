/**
 * The grounds of a refusal: one function a rule, from plain values to the words that explain it and say what to
 * do. The server's table and the one of an instance that decides for itself refuse in the same words.
 */

import type { ProblemCode } from './errors.ts';
import type { Rule } from './events.ts';

/** When a refusal cannot say when a unit is sure to come back, it advises this many seconds. */
export const RETRY_AFTER_SECONDS = 10;

/** The rules of an instance that decides for itself, which no row of the journal names. */
export type LocalRule = Rule | 'over-limit' | 'offline';

/** The parts of a refusal that its rule decides. */
export interface Ground<Of extends LocalRule = Rule> {
  readonly code: ProblemCode;
  readonly rule: Of;
  readonly limit: number;
  readonly inUse: number;
  readonly requested: number;
  readonly detail: string;
  readonly retryAfterSeconds: number;
}

/** What a key cannot be used for, in a code and in words that end the sentence (F-24). */
export interface CapacityFault {
  readonly code: ProblemCode;
  readonly reason: string;
}

/** The units of a key, or of what an instance may use of it, against what is asked for. */
export interface UnitsAsked {
  readonly limit: number;
  readonly inUse: number;
  readonly requested: number;
}

/**
 * No unit is free for a user (F-30), or not enough for each of his connections (F-32).
 * @param userId - who asks.
 * @param asked - the units, and how many more he needs.
 * @param transition - the number of the connection that makes every one cost a unit; null without it.
 * @param retryAfterSeconds - when a unit is sure to come back.
 */
export function unitsGround(
  userId: string,
  asked: UnitsAsked,
  transition: number | null,
  retryAfterSeconds: number,
): Ground {
  const { limit, inUse, requested } = asked;
  const free = Math.max(0, limit - inUse);
  const detail =
    transition === null
      ? `All units of the key are taken: ${inUse} of ${limit} are in use and ${requested} is needed. Try again when somebody has logged out, or install a larger key.`
      : `Connection ${transition} of user "${userId}" makes every connection cost a unit; ${requested} more are needed and ${free} of ${limit} are free. Close connections of this user, or free units.`;
  const rule = transition === null ? 'enforced-units' : 'transition';
  return { code: 'units-exhausted', rule, limit, inUse, requested, detail, retryAfterSeconds };
}

/** The instance's own limit of units is reached (`SetUserLimit`, notes 2.2). */
export function unitLimitGround(instance: string, asked: UnitsAsked): Ground {
  const { limit, inUse, requested } = asked;
  return {
    code: 'unit-limit-reached',
    rule: 'unit-limit',
    limit,
    inUse,
    requested,
    detail: `Instance "${instance}" may consume ${limit} units of its key and consumes ${inUse}; ${requested} more would pass its unit limit. An operator can raise unitLimit.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/** What an instance can use of its key before its next start is reached (F-22). */
export function partialGround(instance: string, asked: UnitsAsked): Ground {
  const { limit, inUse, requested } = asked;
  return {
    code: 'restart-required',
    rule: 'partial-activation',
    limit,
    inUse,
    requested,
    detail: `Instance "${instance}" can use ${limit} units of its key until it is started again and uses ${inUse}; ${requested} more would pass that. Start it again to use the others.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/** The user's limit of connections on the instance is reached (`SetConnectionLimit`, notes 2.2). */
export function connectionLimitGround(
  instance: string,
  userId: string,
  limit: number,
  inUse: number,
): Ground {
  return {
    code: 'connection-limit-reached',
    rule: 'connection-limit',
    limit,
    inUse,
    requested: 1,
    detail: `User "${userId}" has ${inUse} connections on "${instance}", and its connection limit is ${limit}. Close one first.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

const FAULT_RULES: Partial<Record<ProblemCode, Rule>> = {
  'key-expired': 'key-expiry',
  'key-not-yet-valid': 'key-start',
  'key-untrusted': 'key-trust',
};

/** The default licence of an instance whose key cannot be used is taken (F-24). */
export function faultGround(instance: string, fault: CapacityFault): Ground {
  return {
    code: fault.code,
    rule: FAULT_RULES[fault.code] ?? 'default-licence',
    limit: 1,
    inUse: 1,
    requested: 1,
    detail: `Only one login is possible on "${instance}" while its key cannot be used: ${fault.reason}`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/** The instance was silent, and must register before anybody comes in. */
export function silentGround(instance: string, graceSeconds: number): Ground {
  return {
    code: 'instance-silent',
    rule: 'instance-alive',
    limit: 0,
    inUse: 0,
    requested: 1,
    detail: `Instance "${instance}" was silent for more than ${graceSeconds} s, and what it held was taken back. Register it again.`,
    retryAfterSeconds: 1,
  };
}

/**
 * The emergency login of the instance is taken (F-23).
 * @param holder - what is known of who has it, to stand after "in use by".
 */
export function emergencyGround(instance: string, holder: string): Ground {
  return {
    code: 'emergency-taken',
    rule: 'emergency',
    limit: 1,
    inUse: 1,
    requested: 1,
    detail: `The emergency login of "${instance}" is in use by ${holder}. Release that one first.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/**
 * Nothing is known of the login that is named as a job's parent (F-34).
 * @param parent - its ID.
 */
export function parentGround(instance: string, parent: string): Ground {
  return {
    code: 'parent-not-found',
    rule: 'parent',
    limit: 0,
    inUse: 0,
    requested: 1,
    detail: `The parent login ${parent} is neither in nor remembered on "${instance}". Log the process in with an identity of its own.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/**
 * The server has said that combined use is over the limit, and the user is new on the instance (F-52, F-53).
 * @param inUse - the units in use on all instances together, as the server said last.
 */
export function overLimitGround(
  instance: string,
  userId: string,
  limit: number,
  inUse: number,
): Ground<LocalRule> {
  return {
    code: 'over-limit',
    rule: 'over-limit',
    limit,
    inUse,
    requested: 1,
    detail: `The instances of the key together came over its ${limit} units, ${inUse} are in use, and until they are fewer than ${limit} nobody new comes in: user "${userId}" has no login on "${instance}". Try again when somebody has logged out, or install a larger key.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/**
 * The server has been away longer than the instance lets new users in without it.
 * @param forSeconds - how long it does.
 */
export function offlineGround(instance: string, userId: string, forSeconds: number): Ground<LocalRule> {
  const since = forSeconds > 0 ? ` for more than ${forSeconds} s` : '';
  return {
    code: 'server-unreachable',
    rule: 'offline',
    limit: 0,
    inUse: 0,
    requested: 1,
    detail: `The licence server has not answered${since}, and without it nobody new comes in: user "${userId}" has no login on "${instance}". Restore the connection to the server; whoever is in can stay.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}

/** The server is away, and nothing that it leased to the instance is left for one connection more. */
export function unleasedGround(instance: string, userId: string): Ground<LocalRule> {
  return {
    code: 'server-unreachable',
    rule: 'offline',
    limit: 0,
    inUse: 0,
    requested: 1,
    detail: `The licence server has not answered, and nothing that it leased to "${instance}" is left for user "${userId}". Restore the connection to the server before the term of what is leased ends; whoever is in can stay until then.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  };
}
