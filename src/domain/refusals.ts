/**
 * The refusals of a login at the server: one function a rule, on the grounds of `grounds.ts`. Every refusal is
 * journalled.
 */

import type { Exhausted } from './applications/applicationoperations.ts';
import type { Count } from './counting.ts';
import type { Draft } from './draft.ts';
import {
  type CapacityFault,
  connectionLimitGround,
  emergencyGround,
  faultGround,
  type Ground,
  parentGround,
  partialGround,
  RETRY_AFTER_SECONDS,
  silentGround,
  unitLimitGround,
  unitsGround,
} from './grounds.ts';
import type { Place, Pool } from './holdings/holdings.ts';
import type { Login } from './holdings/login.ts';
import type { Instance } from './instances.ts';
import type { LogIn, Refusal } from './operations.ts';

/** Where a login counts and what it may take there. */
export interface Capacity {
  readonly pool: string;
  readonly unitsMax: number;
  readonly connectionsPerUnitMax: number;
  /** The key's fault, when the login counts on the default licence because of it (F-24). */
  readonly fault: CapacityFault | null;
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

function refuse(asker: Asker, ground: Ground, exhausted?: Exhausted): Refusal {
  const { draft, login, capacity } = asker;
  const { code, rule, limit, inUse, requested } = ground;
  const sample = {
    instance: login.instance,
    login: login.id,
    ...(asker.userId === undefined ? {} : { user: asker.userId }),
    by: draft.by(login.actor),
  };
  const { pool } = capacity;
  const what = exhausted ? { application: exhausted.application, feature: exhausted.feature } : {};
  const decision = draft.refuse({ pool, rule, code, limit, inUse, requested, ...what }, sample);
  return { is: 'refused', pool, decision, ...ground, ...(exhausted ? { exhausted } : {}) };
}

export function refuseUnits(
  asker: Asker,
  pool: Pool | undefined,
  requested: number,
  transition: Count | null,
): Refusal {
  const asked = { limit: asker.capacity.unitsMax, inUse: pool?.units ?? 0, requested };
  const connection = transition?.connections ?? null;
  return refuse(asker, unitsGround(`${asker.userId}`, asked, connection, retryAfter(asker, pool)));
}

/** When the first unit of the pool is sure to come back by time, else a fixed advice. */
function retryAfter(asker: Asker, pool: Pool | undefined): number {
  const { due } = asker.draft.table;
  if (!pool || due.next?.pool !== pool) return RETRY_AFTER_SECONDS;
  return Math.max(1, Math.ceil((due.nextMs - asker.draft.atMs) / 1000));
}

export function refuseUnitLimit(asker: Asker, limit: number, inUse: number, requested: number): Refusal {
  return refuse(asker, unitLimitGround(asker.instance.name, { limit, inUse, requested }));
}

export function refusePartial(asker: Asker, limit: number, inUse: number, requested: number): Refusal {
  return refuse(asker, partialGround(asker.instance.name, { limit, inUse, requested }));
}

export function refuseConnectionLimit(asker: Asker, limit: number, inUse: number): Refusal {
  return refuse(asker, connectionLimitGround(asker.instance.name, `${asker.userId}`, limit, inUse));
}

export function refuseFault(asker: Asker, fault: CapacityFault): Refusal {
  return refuse(asker, faultGround(asker.instance.name, fault));
}

/** What an identifying login holds of an application is not free for its new user (F-70). */
export function refuseExhausted(asker: Asker, ground: Ground, exhausted: Exhausted): Refusal {
  return refuse(asker, ground, exhausted);
}

export function refuseSilent(asker: Asker): Refusal {
  const { name, settings } = asker.instance;
  return refuse(asker, silentGround(name, settings.graceSeconds));
}

export function refuseEmergency(asker: Asker, holder: Login): Refusal {
  return refuse(asker, emergencyGround(asker.instance.name, holder.id));
}

export function refuseParent(asker: Asker): Refusal {
  return refuse(asker, parentGround(asker.instance.name, `${asker.login.parent}`));
}
