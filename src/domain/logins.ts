/**
 * Letting users in: who he is, what he costs, and whether that fits (F-30…F-48).
 */

import { refusePassing } from './applications/applicationloads.ts';
import {
  CONNECTIONS_PER_UNIT_MAX,
  type Count,
  NOBODY,
  unitsOf,
  withConnection,
  withoutConnection,
} from './counting.ts';
import type { Policy } from './decide.ts';
import type { Draft } from './draft.ts';
import { decisionId, type Granted } from './events.ts';
import type { Place, Pool } from './holdings/holdings.ts';
import type { Login } from './holdings/login.ts';
import type { User } from './holdings/user.ts';
import { defaultPoolOf, type Instance, isPartlyActive, unitLimitOf } from './instances.ts';
import { isUsable, keyStatus } from './keys/keys.ts';
import { countWith } from './leases/leasebooks.ts';
import type { Answer, Identify, LogIn, LoginView, Problem, Refusal } from './operations.ts';
import {
  type Asker,
  type Capacity,
  refuseConnectionLimit,
  refuseEmergency,
  refuseExhausted,
  refuseFault,
  refuseParent,
  refusePartial,
  refuseSilent,
  refuseUnitLimit,
  refuseUnits,
} from './refusals.ts';
import type { Table } from './table.ts';
import { identify, throttleOf } from './users.ts';

/** How long a sessionless request holds its unit at least, in milliseconds (notes section 5). */
export const REQUEST_HOLD_MS = 10_000;

/** Decides a login. */
export function decideLogin(draft: Draft, login: LogIn, policy: Policy): Answer {
  const { table } = draft;
  const instance = table.instances.get(login.instance);
  if (!instance) return instanceNotFound(login.instance);
  const place = table.place(login.instance);
  const known = place.logins.get(login.id) ?? place.released.get(login.id);
  if (known) return repeated(table, login, known);
  const capacity = capacityOf(table, instance, draft.atMs, policy.revokedKeys);
  const asker: Asker = { draft, instance, place, capacity, login, userId: undefined };
  const isEmergency = login.claims.kind === 'emergency';
  if (instance.state === 'silent' && !isEmergency) return refuseSilent(asker);
  if (isEmergency && place.emergency) return refuseEmergency(asker, place.emergency);
  const parent = parentOf(place, login.parent);
  if (parent === 'unknown') return refuseParent(asker);
  const identity = identify(login.claims, instance.settings, login.id, login.instance, parent);
  if (identity.is === 'illegal') return { is: 'problem', code: 'user-id-illegal', detail: identity.detail };
  if (identity.is === 'nobody') return grant(asker, NOBODY, 0, false);
  if (identity.is === 'pending') return grant(asker, NOBODY, 0, true);
  const user: Asker = { draft, instance, place, capacity, login, userId: identity.userId };
  const pool = table.pools.get(capacity.pool);
  const count: Count = pool?.users.get(identity.userId) ?? NOBODY;
  const next = oneMore(user, pool, count);
  const added = unitsOf(next) - unitsOf(count);
  return refuseUnlessItFits(user, next, added, added) ?? grant(user, next, added, false);
}

/** Decides an explicit `Login(user)`: a first identification, or an atomic trade of units (F-43, F-46). */
export function decideIdentify(draft: Draft, operation: Identify, policy: Policy): Answer {
  const { table } = draft;
  const instance = table.instances.get(operation.instance);
  if (!instance) return instanceNotFound(operation.instance);
  const place = table.place(operation.instance);
  const login = place.logins.get(operation.id);
  if (!login || login.phase === 'grace') return lost(place.released.get(operation.id) ?? login, operation.id);
  if (login.user === null && login.phase !== 'pending') {
    return {
      is: 'problem',
      code: 'login-not-identifiable',
      detail: `A login of kind "${login.kind}" is nobody's and costs nothing; log the user in with a login of its own.`,
    };
  }
  const claims = { kind: 'user', user: operation.user, clientAddress: operation.clientAddress } as const;
  const identity = identify(claims, instance.settings, login.id, operation.instance);
  if (identity.is !== 'user') {
    return {
      is: 'problem',
      code: 'user-id-illegal',
      detail: identity.is === 'illegal' ? identity.detail : '',
    };
  }
  if (login.user?.id === identity.userId) return identified(table, login, login.user, 0);
  const asLogin: LogIn = { ...operation, op: 'login', claims, print: login.print };
  const capacity = capacityOfLogin(table, instance, login, draft.atMs, policy);
  const asker: Asker = { draft, instance, place, capacity, login: asLogin, userId: identity.userId };
  return trade(asker, login, policy);
}

/** What a user ID comes to with one connection more, where instances may hold others on leased units. */
function oneMore({ capacity, userId }: Asker, pool: Pool | undefined, count: Count): Count {
  const { connectionsPerUnitMax } = capacity;
  if (!pool || pool.leases.size === 0) return withConnection(count, connectionsPerUnitMax);
  return countWith(pool, userId!, count.connections + 1, connectionsPerUnitMax);
}

/** Gives up the unit of the old user ID and takes one for the new, both or neither (F-46). */
function trade(asker: Asker, login: Login, policy: Policy): Answer {
  const { draft, capacity, userId } = asker;
  const left = login.user ? withoutConnection(login.user) : NOBODY;
  const freed = login.user ? unitsOf(login.user) - unitsOf(left) : 0;
  const pool = draft.table.pools.get(capacity.pool);
  const count: Count = pool?.users.get(userId!) ?? NOBODY;
  const next = oneMore(asker, pool, count);
  const taken = unitsOf(next) - unitsOf(count);
  const added = taken - freed;
  const refusal = refuseUnlessItFits(asker, next, added, taken, login) ?? refusePassed(asker, login, policy);
  if (refusal) return refusal;
  const decision = draft.nextDecision;
  draft.emit({
    type: 'identified',
    instance: login.place.instance,
    login: login.id,
    pool: capacity.pool,
    user: userId!,
    connections: next.connections,
    units: unitsOf(next),
    added,
    ...(next.transitioned ? { transitioned: true } : {}),
    ...(next.apart ? { apart: true } : {}),
    used: (pool?.units ?? 0) + added,
    by: draft.by(asker.login.actor),
  });
  return identified(draft.table, login, next, added, decision);
}

/** What the login holds of applications must be free for its new user (F-70). */
function refusePassed(asker: Asker, login: Login, policy: Policy): Refusal | null {
  if (login.place.holdings === null) return null;
  const passed = refusePassing(asker.draft.table, asker.instance, login, asker.userId!, policy);
  return passed && refuseExhausted(asker, passed.ground, passed.exhausted);
}

/** An identification is answered with what the user has now, as `Login()` returns it (trap 7). */
function identified(table: Table, login: Login, count: Count, added: number, decision?: string): Answer {
  const view = viewLogin(table, login);
  const { connections, transitioned } = count;
  return {
    is: 'granted',
    login: {
      ...view,
      connections,
      units: unitsOf(count),
      unitsAdded: added,
      transitioned,
      decision: decision ?? view.decision,
    },
    repeated: false,
  };
}

function grant(asker: Asker, next: Count, added: number, pending: boolean): Answer {
  const { draft, login, capacity } = asker;
  const { claims } = login;
  const pool = draft.table.pools.get(capacity.pool);
  const event: { -readonly [Member in keyof Granted]: Granted[Member] } = {
    type: 'granted',
    instance: login.instance,
    login: login.id,
    pool: capacity.pool,
    kind: claims.kind,
    connections: next.connections,
    units: unitsOf(next),
    added,
    used: (pool?.units ?? 0) + added,
    print: login.print,
    by: draft.by(login.actor),
  };
  // Set one by one: this is made for every login, and most have none of these but the user.
  if (asker.userId !== undefined) event.user = asker.userId;
  if (pending) event.pending = true;
  if (claims.processId !== undefined) event.processId = claims.processId;
  if (login.parent !== undefined) event.parent = login.parent;
  if (login.leaseSeconds !== undefined) event.leaseSeconds = login.leaseSeconds;
  if (claims.kind === 'request') event.ends = draft.atMs + REQUEST_HOLD_MS;
  if (next.transitioned) event.transitioned = true;
  if (next.apart) event.apart = true;
  draft.emit(event);
  return granted(draft.table, asker.place.logins.get(login.id)!, false);
}

/**
 * @param added - the units the pool would lose on balance.
 * @param taken - the units the user ID would cost more.
 * @param traded - the login whose present unit is given in exchange, if any.
 */
function refuseUnlessItFits(
  asker: Asker,
  next: Count,
  added: number,
  taken: number,
  traded?: Login,
): Refusal | null {
  const { draft, capacity, place, instance } = asker;
  if (capacity.fault && (traded?.user ? added > 0 : place.logins.haveUser)) {
    return refuseFault(asker, capacity.fault);
  }
  const pool = draft.table.pools.get(capacity.pool);
  const user = pool?.users.get(asker.userId!);
  const { connectionLimit, unitLimit } = instance.settings;
  const connectionsHere = user?.connectionsAt(place) ?? 0;
  if (connectionLimit > 0 && connectionsHere >= connectionLimit) {
    return refuseConnectionLimit(asker, connectionLimit, connectionsHere);
  }
  const { usableUnits = 0 } = instance;
  if (unitLimit > 0 || usableUnits > 0) {
    const more = (next.transitioned ? connectionsHere + 1 : 1) - (user?.unitsAt(place) ?? 0);
    const less = traded?.user ? unitsFreedAt(traded.user, place) : 0;
    const limit = unitLimitOf(instance);
    if (more - less > 0 && place.units + more - less > limit) {
      const refuse = isPartlyActive(instance) ? refusePartial : refuseUnitLimit;
      return refuse(asker, limit, place.units, more - less);
    }
  }
  const used = pool?.units ?? 0;
  if (added > 0 && used + added > capacity.unitsMax)
    return refuseUnits(asker, pool, added, taken > 1 ? next : null);
  return null;
}

/** What one instance would get back if one of its connections of a user went. */
function unitsFreedAt(user: User, place: Place): number {
  return user.transitioned || user.connectionsAt(place) === 1 ? 1 : 0;
}

/** Finds where a new login on an instance counts: under its key, or on its default licence (F-24). */
export function capacityOf(
  table: Table,
  instance: Instance,
  nowMs: number,
  revoked: ReadonlySet<string>,
): Capacity {
  const key = instance.key === null ? undefined : table.keys.get(instance.key);
  if (!key) {
    const reason =
      instance.key === null
        ? 'it registered without a key; install one and register with it.'
        : `its key ${instance.key} is not installed any more; install it again.`;
    return defaultLicence(instance, { code: 'key-missing', reason });
  }
  if (isUsable(key, nowMs, revoked)) {
    return {
      pool: key.id,
      unitsMax: key.unitsEnforced,
      connectionsPerUnitMax: key.connectionsPerUnitMax,
      fault: null,
    };
  }
  const status = keyStatus(key, nowMs, revoked);
  return defaultLicence(instance, { code: status.code ?? 'key-missing', reason: status.reason });
}

/** A login that holds a unit stays in its pool, whatever its instance runs on now; one that holds none does not. */
function capacityOfLogin(
  table: Table,
  instance: Instance,
  login: Login,
  nowMs: number,
  policy: Policy,
): Capacity {
  if (!login.user) return capacityOf(table, instance, nowMs, policy.revokedKeys);
  const pool = login.pool.id;
  if (pool === defaultPoolOf(instance.name)) return defaultLicence(instance, null);
  const key = table.keys.get(pool);
  const { fault } = capacityOf(table, { ...instance, key: pool }, nowMs, policy.revokedKeys);
  return {
    pool,
    unitsMax: key?.unitsEnforced ?? 0,
    connectionsPerUnitMax: key?.connectionsPerUnitMax ?? CONNECTIONS_PER_UNIT_MAX,
    fault,
  };
}

/** Without a usable key there is one unit for one connection: enough to mend it (F-24, notes 3.3). */
function defaultLicence(instance: Instance, fault: Capacity['fault']): Capacity {
  return { pool: defaultPoolOf(instance.name), unitsMax: 1, connectionsPerUnitMax: 1, fault };
}

/** @returns the parent's user ID, null while it is pending, undefined when there is none to inherit. */
function parentOf(place: Place, parent: string | undefined): string | null | undefined | 'unknown' {
  if (parent === undefined) return undefined;
  const login = place.logins.get(parent) ?? place.released.get(parent);
  if (!login) return 'unknown';
  if (login.user) return login.user.id;
  return login.phase === 'pending' ? null : undefined;
}

function repeated(table: Table, login: LogIn, known: Login): Answer {
  // A login that lingers has been logged out; only its unit is still held.
  const reason = known.phase === 'grace' ? 'logout' : known.reason;
  if (reason === null && known.print === login.print) return granted(table, known, true);
  if (reason === null) {
    return {
      is: 'problem',
      code: 'id-reused',
      detail: `The ID ${login.id} is in use on "${login.instance}" by a login with another body. Make a new ID for a new login.`,
    };
  }
  return {
    is: 'problem',
    code: 'login-released',
    detail: `The login ${login.id} was released (${reason}); its ID is not granted again. Make a new ID for a new login.`,
    extras: {
      reason,
      ...(known.releasedAtMs > 0 ? { releasedAt: new Date(known.releasedAtMs).toISOString() } : {}),
    },
  };
}

function granted(table: Table, login: Login, isRepeated: boolean): Answer {
  return { is: 'granted', login: viewLogin(table, login), repeated: isRepeated };
}

/** Shows a login as its answer tells it; a repeated one as it was granted. */
export function viewLogin(table: Table, login: Login): LoginView {
  const settings =
    login.phase === 'pending' ? table.instances.get(login.place.instance)?.settings : undefined;
  return {
    id: login.id,
    instance: login.place.instance,
    pool: login.pool.id,
    userId: login.user?.id ?? null,
    kind: login.kind,
    phase: login.phase,
    processId: login.processId,
    connections: login.totals.connections,
    units: login.totals.units,
    unitsAdded: login.totals.unitsAdded,
    transitioned: login.totals.transitioned,
    decision: decisionId(table.shard, login.moment.version, login.index),
    atMs: login.moment.atMs,
    leaseSeconds: login.leaseSeconds,
    expiresAtMs: login.expiresAtMs,
    endsAtMs: login.endsAtMs,
    throttle: settings ? throttleOf(settings.throttleProfile, settings.throttlePauseSeconds) : null,
  };
}

/** The answer to whoever still speaks of a login that is no longer held, with the reason. */
export function lost(login: Login | undefined, id: string): Problem {
  const reason = login?.phase === 'grace' ? 'logout' : login?.reason;
  return {
    is: 'problem',
    code: 'login-lost',
    detail: reason
      ? `The login ${id} is no longer held: ${reason}. Log in again.`
      : `The login ${id} is not held, and nothing is remembered of it. Log in again.`,
    extras: { lost: reason ?? 'unknown' },
  };
}

export function instanceNotFound(name: string): Problem {
  return {
    is: 'problem',
    code: 'instance-not-found',
    detail: `No instance "${name}" is registered. Register it with PUT /v1/instances/${encodeURIComponent(name)}.`,
  };
}
