/**
 * The refusals of a login: one function a rule, each with the words that explain it and say what to do. Every
 * refusal is journalled.
 */

import type { Count } from './counting.ts';
import type { Draft } from './draft.ts';
import type { ProblemCode } from './errors.ts';
import type { Rule } from './events.ts';
import type { Login, Place, Pool } from './holdings.ts';
import type { Instance } from './instances.ts';
import type { LogIn, Refusal } from './operations.ts';

/** When a refusal cannot say when a unit is sure to come back, it advises this many seconds. */
export const RETRY_AFTER_SECONDS = 10;

/** Where a login counts and what it may take there. */
export interface Capacity {
  readonly pool: string;
  readonly unitsMax: number;
  readonly connectionsPerUnitMax: number;
  /** The key's fault, when the login counts on the default licence because of it (F-24). */
  readonly fault: { readonly code: ProblemCode; readonly reason: string } | null;
}

/** Everything a verdict on one login needs. */
export interface Asker {
  readonly draft: Draft;
  readonly instance: Instance;
  readonly place: Place;
  readonly capacity: Capacity;
  readonly login: LogIn;
  readonly userId: string | undefined;
}

/** The parts of a refusal that its rule decides. */
interface Ground {
  readonly code: ProblemCode;
  readonly rule: Rule;
  readonly limit: number;
  readonly inUse: number;
  readonly requested: number;
  readonly detail: string;
  readonly retryAfterSeconds: number;
}

function refuse(asker: Asker, ground: Ground): Refusal {
  const { draft, login, capacity } = asker;
  const { code, rule, limit, inUse, requested } = ground;
  const sample = {
    instance: login.instance,
    login: login.id,
    ...(asker.userId === undefined ? {} : { user: asker.userId }),
    by: draft.by(login.actor),
  };
  const decision = draft.refuse({ pool: capacity.pool, rule, code, limit, inUse, requested }, sample);
  return { is: 'refused', pool: capacity.pool, decision, ...ground };
}

export function refuseUnits(
  asker: Asker,
  pool: Pool | undefined,
  requested: number,
  transition: Count | null,
): Refusal {
  const limit = asker.capacity.unitsMax;
  const inUse = pool?.units ?? 0;
  const free = Math.max(0, limit - inUse);
  const detail = transition
    ? `Connection ${transition.connections} of user "${asker.userId}" makes every connection cost a unit; ${requested} more are needed and ${free} of ${limit} are free. Close connections of this user, or free units.`
    : `All units of the key are taken: ${inUse} of ${limit} are in use and ${requested} is needed. Try again when somebody has logged out, or install a larger key.`;
  return refuse(asker, {
    code: 'units-exhausted',
    rule: transition ? 'transition' : 'enforced-units',
    limit,
    inUse,
    requested,
    detail,
    retryAfterSeconds: retryAfter(asker, pool),
  });
}

/** When the first unit of the pool is sure to come back by time, else a fixed advice. */
function retryAfter(asker: Asker, pool: Pool | undefined): number {
  const { due } = asker.draft.table;
  if (!pool || due.next?.pool !== pool) return RETRY_AFTER_SECONDS;
  return Math.max(1, Math.ceil((due.nextMs - asker.draft.atMs) / 1000));
}

export function refuseUnitLimit(asker: Asker, limit: number, inUse: number, requested: number): Refusal {
  return refuse(asker, {
    code: 'unit-limit-reached',
    rule: 'unit-limit',
    limit,
    inUse,
    requested,
    detail: `Instance "${asker.instance.name}" may consume ${limit} units of its key and consumes ${inUse}; ${requested} more would pass its unit limit. An operator can raise unitLimit.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

export function refuseConnectionLimit(asker: Asker, limit: number, inUse: number): Refusal {
  return refuse(asker, {
    code: 'connection-limit-reached',
    rule: 'connection-limit',
    limit,
    inUse,
    requested: 1,
    detail: `User "${asker.userId}" has ${inUse} connections on "${asker.instance.name}", and its connection limit is ${limit}. Close one first.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

const FAULT_RULES: Partial<Record<ProblemCode, Rule>> = {
  'key-expired': 'key-expiry',
  'key-not-yet-valid': 'key-start',
  'key-untrusted': 'key-trust',
};

export function refuseFault(asker: Asker, fault: NonNullable<Capacity['fault']>): Refusal {
  return refuse(asker, {
    code: fault.code,
    rule: FAULT_RULES[fault.code] ?? 'default-licence',
    limit: 1,
    inUse: 1,
    requested: 1,
    detail: `Only one login is possible on "${asker.instance.name}" while its key cannot be used: ${fault.reason}`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

export function refuseSilent(asker: Asker): Refusal {
  return refuse(asker, {
    code: 'instance-silent',
    rule: 'instance-alive',
    limit: 0,
    inUse: 0,
    requested: 1,
    detail: `Instance "${asker.instance.name}" was silent for more than ${asker.instance.settings.graceSeconds} s, and what it held was taken back. Register it again.`,
    retryAfterSeconds: 1,
  });
}

export function refuseEmergency(asker: Asker, holder: Login): Refusal {
  return refuse(asker, {
    code: 'emergency-taken',
    rule: 'emergency',
    limit: 1,
    inUse: 1,
    requested: 1,
    detail: `The emergency login of "${asker.instance.name}" is in use by ${holder.id}. Release that one first.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

export function refuseParent(asker: Asker): Refusal {
  return refuse(asker, {
    code: 'parent-not-found',
    rule: 'parent',
    limit: 0,
    inUse: 0,
    requested: 1,
    detail: `The parent login ${asker.login.parent} is neither in nor remembered on "${asker.instance.name}". Log the process in with an identity of its own.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
