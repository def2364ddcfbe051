/**
 * Letting users out, and the signs of life of those who are in.
 */

import { endedLogins } from './apply.ts';
import { unitsOf, withoutConnection } from './counting.ts';
import type { Draft } from './draft.ts';
import type { Ended, ReleaseReason } from './events.ts';
import type { Login } from './holdings/login.ts';
import { instanceNotFound, lost, viewLogin } from './logins.ts';
import type { Answer, LogOut, Reap, ReleaseInstance, ReleaseUser, Renew } from './operations.ts';

/** Who ends what ends by time. */
export const SYSTEM_ACTOR = 'lictor';

/** How long the unit of a one-page web session is kept after its end, in milliseconds (notes section 5). */
export const WEB_GRACE_MS = 600_000;

/** Decides a logout. It can be repeated, and it can come before its login does. */
export function decideLogout(draft: Draft, operation: LogOut): Answer {
  const { table } = draft;
  if (!table.instances.has(operation.instance) && (table.places.get(operation.instance)?.isEmpty ?? true)) {
    return instanceNotFound(operation.instance);
  }
  const place = table.place(operation.instance);
  const login = place.logins.get(operation.id);
  if (!login) return forestall(draft, operation);
  const view = viewLogin(table, login);
  const decision = draft.nextDecision;
  const ends = lingersUntil(draft, login, operation);
  if (ends === null) {
    releaseLogin(draft, login, operation.reason, operation.actor, operation.note);
  } else if (login.phase === 'grace') {
    return { is: 'released', login: view, decision: null };
  } else {
    draft.emit({
      type: 'lingered',
      instance: operation.instance,
      login: operation.id,
      ends,
      by: draft.by(operation.actor),
    });
  }
  return { is: 'released', login: view, decision };
}

/** The ID is remembered, so that a login still under way under it comes to nothing. */
function forestall(draft: Draft, operation: LogOut): Answer {
  const place = draft.table.place(operation.instance);
  if (place.released.has(operation.id)) return { is: 'released', login: null, decision: null };
  const decision = draft.nextDecision;
  draft.emit({
    type: 'forestalled',
    instance: operation.instance,
    login: operation.id,
    by: draft.by(operation.actor),
  });
  return { is: 'released', login: null, decision };
}

/** @returns until when the unit is kept after a logout, ms since 1970; null when it is free at once. */
function lingersUntil(draft: Draft, login: Login, operation: LogOut): number | null {
  if (operation.reason !== 'logout') return null;
  if (login.phase === 'grace') return login.endsAtMs;
  if (login.kind === 'request') return login.endsAtMs > draft.atMs ? login.endsAtMs : null;
  if (login.kind === 'web' && operation.onePage) return draft.atMs + WEB_GRACE_MS;
  return null;
}

/** Emits the release of a login that is in. */
export function releaseLogin(
  draft: Draft,
  login: Login,
  reason: ReleaseReason,
  actor: string,
  note?: string,
): void {
  const { user, pool } = login;
  const left = user ? withoutConnection(user) : null;
  const freed = user && left ? unitsOf(user) - unitsOf(left) : 0;
  draft.emit({
    type: 'released',
    instance: login.place.instance,
    login: login.id,
    reason,
    ...(note === undefined ? {} : { note }),
    connections: left?.connections ?? 0,
    units: left ? unitsOf(left) : 0,
    freed,
    used: pool.units - freed,
    by: draft.by(actor),
  });
}

/** Settles a heartbeat by the journal: the login is held and gets a new deadline, or it is lost. */
export function decideRenew(draft: Draft, operation: Renew): Answer {
  const place = draft.table.places.get(operation.instance);
  const login = place?.logins.get(operation.id);
  if (!login || login.phase === 'grace')
    return lost(place?.released.get(operation.id) ?? login, operation.id);
  if (login.leaseSeconds === 0) return notRenewable(operation.id);
  const expires = draft.atMs + login.leaseSeconds * 1000;
  draft.emit({
    type: 'renewed',
    instance: operation.instance,
    login: operation.id,
    expires,
    by: draft.by(operation.actor),
  });
  return { is: 'renewed', expiresAtMs: expires, leaseSeconds: login.leaseSeconds };
}

/** The answer to a heartbeat for a login that lives as long as its instance. */
function notRenewable(id: string): Answer {
  return {
    is: 'problem',
    code: 'login-not-renewable',
    detail: `The login ${id} has no lease: it lives as long as its instance, which sends its own heartbeat.`,
  };
}

/** Takes a silent login back, unless the journal knows a later deadline than the one observed. */
export function decideReap(draft: Draft, operation: Reap): Answer {
  const login = draft.table.places.get(operation.instance)?.logins.get(operation.id);
  // What ends by itself holds its unit until then: a lease that ran out does not cut web grace short.
  if (!login || login.leaseSeconds === 0 || login.endsAtMs > 0) return { is: 'done' };
  if (login.expiresAtMs > operation.observedMs)
    return { is: 'alive', deadlineMs: login.expiresAtMs, graceSeconds: login.leaseSeconds };
  releaseLogin(draft, login, 'expired', operation.actor);
  return { is: 'ended', logins: 1, decision: null };
}

/** Forces out every login of a user, on all instances of the pool. */
export function decideReleaseUser(draft: Draft, operation: ReleaseUser): Answer {
  return endAll(
    draft,
    { pool: operation.pool, user: operation.user },
    'forced',
    operation.actor,
    operation.note,
  );
}

/** Forces out every login of an instance, which stays registered. */
export function decideReleaseInstance(draft: Draft, operation: ReleaseInstance): Answer {
  if (!draft.table.instances.has(operation.instance)) return instanceNotFound(operation.instance);
  return endAll(draft, { instance: operation.instance }, 'forced', operation.actor, operation.note);
}

/**
 * Emits the end of many logins in one event.
 * @param which - an instance's (all, or only those bound to it), or a user's in a pool.
 */
export function endAll(
  draft: Draft,
  which: Pick<Ended, 'instance' | 'boundOnly' | 'pool' | 'user'>,
  reason: ReleaseReason,
  actor: string,
  note?: string,
): Answer {
  const logins = endedLogins(draft.table, which);
  if (logins.length === 0) return { is: 'ended', logins: 0, decision: null };
  const decision = draft.nextDecision;
  draft.emit({
    type: 'ended',
    ...which,
    reason,
    ...(note === undefined ? {} : { note }),
    logins: logins.length,
    used: usedAfter(logins),
    by: draft.by(actor),
  });
  return { is: 'ended', logins: logins.length, decision };
}

/** What the pools come to when these logins are gone, by the counting rule and without touching the table. */
function usedAfter(logins: readonly Login[]): (readonly [string, number])[] {
  const left = new Map<NonNullable<Login['user']>, number>();
  for (const { user } of logins) {
    if (user) left.set(user, (left.get(user) ?? user.connections) - 1);
  }
  const used = new Map<string, number>();
  for (const [user, connections] of left) {
    const remains = connections > 0;
    const after = unitsOf({
      connections,
      transitioned: user.transitioned && remains,
      apart: user.apart && remains,
    });
    const units = used.get(user.pool.id) ?? user.pool.units;
    used.set(user.pool.id, units - (unitsOf(user) - after));
  }
  return [...used];
}
