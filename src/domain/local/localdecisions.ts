/**
 * Letting users in and out on an instance that decides for itself (F-50): the rules of `logins.ts` on the table
 * of one instance, with two more: users who are new here wait while the server says that combined use is over
 * the limit (F-53), or when it has been away for too long.
 */

import { type Count, NOBODY, unitsOf, withConnection, withoutConnection } from '../counting.ts';
import {
  connectionLimitGround,
  emergencyGround,
  faultGround,
  type Ground,
  type LocalRule,
  offlineGround,
  overLimitGround,
  parentGround,
  partialGround,
  RETRY_AFTER_SECONDS,
  unitLimitGround,
  unitsGround,
} from '../grounds.ts';
import type { Phase } from '../holdings/login.ts';
import type { LeaseRights } from '../leases/leaserights.ts';
import { REQUEST_HOLD_MS } from '../logins.ts';
import { durationBucket } from '../marks/durations.ts';
import type { Problem } from '../operations.ts';
import { WEB_GRACE_MS } from '../releases.ts';
import { type Claims, identify, isText } from '../users.ts';
import { LocalLogin, type LocalTable, type LocalUser } from './localtable.ts';
import { REPORTED_ID_LENGTH_MAX } from './reports.ts';

/** The login of a process that started another one: of this table, or one that the server decided. */
export interface Parent {
  readonly userId: string | null;
  readonly phase: Phase;
}

/** What a login says of itself on an instance that decides for itself. */
export interface LocalClaims extends Claims {
  /** The login of the process that started this one by `Job` (F-34). */
  readonly parent?: Parent | undefined;
}

/** Why a login was refused: enough to explain it without looking anywhere else. */
export interface LocalRefusal extends Ground<LocalRule> {
  readonly is: 'refused';
}

/** Only the server can say: what is leased to the instance does not cover the login. */
export interface AskServer {
  readonly is: 'ask';
  /** Who needs one connection more. */
  readonly userId: string;
}

/** What becomes of a login: itself when it is granted. */
export type LocalAnswer = LocalLogin | LocalRefusal | Problem | AskServer;

/**
 * Decides a login, and lets it in when it is granted.
 * @param table - the instance's table.
 * @param nowMs - milliseconds of the table's clock, which never goes back.
 */
export function decideLocalLogin(table: LocalTable, claims: LocalClaims, nowMs: number): LocalAnswer {
  if (table.due.nextMs <= nowMs) endDue(table, nowMs);
  const { kind, parent } = claims;
  if (kind === 'emergency' && table.emergency?.isHeld) return refuse(emergencyGroundOf(table));
  if (parent !== undefined && !isKnown(table, parent))
    return refuse(parentGround(table.instance, parent.userId ?? ''));
  const needsId = kind === 'request' || (kind === 'web' && claims.webSession === undefined);
  const loginId = needsId ? table.makeId() : '';
  const identity = identify(claims, table.settings, loginId, table.instance, inheritedFrom(parent));
  if (identity.is === 'illegal') return illegal(identity.detail);
  if (identity.is !== 'user') return enter(table, claims, identity.is === 'pending', nowMs);
  const { userId } = identity;
  const user = table.users.get(userId);
  if (user === undefined && !isReportable(userId)) return notReportable();
  const next = withConnection(user ?? NOBODY, table.capacity.connectionsPerUnitMax);
  const added = unitsOf(next) - unitsOf(user ?? NOBODY);
  const ground = groundAgainst(table, user, userId, next, added, added, null);
  if (ground !== null) return refuse(ground);
  if (table.rights !== null && !isCovered(table.rights, user, userId, null)) return { is: 'ask', userId };
  const login = new LocalLogin(table, kind);
  login.sinceMs = nowMs;
  if (claims.processId !== undefined) login.processId = claims.processId;
  table.connect(login, user, userId, next);
  if (next.connections === 1) login.user!.sinceMs = nowMs;
  if (kind === 'request') {
    login.endsAtMs = nowMs + REQUEST_HOLD_MS;
    table.due.push(login);
  }
  return answered(login, next, added);
}

/**
 * What is wrong with who a login says it is, without deciding it: the same for logins that the server decides.
 * @returns null when it is somebody, or may be nobody.
 */
export function identityFault(table: LocalTable, claims: LocalClaims): Problem | null {
  const { settings, instance } = table;
  const identity = identify(claims, settings, '-', instance, inheritedFrom(claims.parent));
  return identity.is === 'illegal' ? illegal(identity.detail) : null;
}

function illegal(detail: string): Problem {
  return { is: 'problem', code: 'user-id-illegal', detail };
}

/** Lets in who is nobody: what costs nothing, and who has not identified himself yet (F-43). */
function enter(table: LocalTable, claims: LocalClaims, isPending: boolean, nowMs: number): LocalLogin {
  const login = new LocalLogin(table, claims.kind);
  login.sinceMs = nowMs;
  if (isPending) login.phase = 'pending';
  if (claims.processId !== undefined) login.processId = claims.processId;
  if (claims.kind === 'emergency') table.emergency = login;
  if (table.logins !== null) table.logins.add(login);
  return login;
}

function answered(login: LocalLogin, count: Count, added: number): LocalLogin {
  login.connections = count.connections;
  login.units = unitsOf(count);
  login.unitsAdded = added;
  return login;
}

/**
 * Decides an explicit `Login(user)`: a first identification, or an atomic trade of units, after whose failure
 * the login stands as it stood (F-43, F-46).
 * @param clientAddress - of the client in canonical form; only the form `name@address` needs it.
 * @param nowMs - milliseconds of the table's clock.
 */
export function decideLocalIdentify(
  table: LocalTable,
  login: LocalLogin,
  name: string,
  clientAddress: string | undefined,
  nowMs: number,
): LocalAnswer {
  if (table.due.nextMs <= nowMs) endDue(table, nowMs);
  if (login.table !== table || !login.isHeld || login.phase === 'grace') return lostLocally(login);
  if (login.user === null && login.phase !== 'pending') {
    return {
      is: 'problem',
      code: 'login-not-identifiable',
      detail: `A login of kind "${login.kind}" is nobody's and costs nothing; log the user in with a login of its own.`,
    };
  }
  const claims: Claims = { kind: 'user', user: name, clientAddress };
  const identity = identify(claims, table.settings, '', table.instance);
  if (identity.is !== 'user') {
    return illegal(identity.is === 'illegal' ? identity.detail : '');
  }
  const { userId } = identity;
  if (login.user?.id === userId) return answered(login, login.user, 0);
  const user = table.users.get(userId);
  if (user === undefined && !isReportable(userId)) return notReportable();
  return trade(table, login, user, userId, nowMs);
}

/** Gives up the unit of the old user ID and takes one for the new, both or neither (F-46). */
function trade(
  table: LocalTable,
  login: LocalLogin,
  user: LocalUser | undefined,
  userId: string,
  nowMs: number,
): LocalAnswer {
  const old = login.user;
  const freed = old === null ? 0 : unitsOf(old) - unitsOf(withoutConnection(old));
  const next = withConnection(user ?? NOBODY, table.capacity.connectionsPerUnitMax);
  const taken = unitsOf(next) - unitsOf(user ?? NOBODY);
  const added = taken - freed;
  const ground = groundAgainst(table, user, userId, next, added, taken, login);
  if (ground !== null) return refuse(ground);
  if (table.rights !== null && !isCovered(table.rights, user, userId, old)) return { is: 'ask', userId };
  if (old !== null) table.disconnect(login);
  // The former user may be gone from the table by now, but never the new one.
  table.connect(login, user, userId, next);
  if (next.connections === 1) login.user!.sinceMs = nowMs;
  if (login.phase === 'pending') login.phase = 'active';
  return answered(login, next, added);
}

/**
 * @param added - the units the instance would use more on balance.
 * @param taken - the units the user ID would cost more.
 * @param traded - the login whose present unit is given in exchange, if any.
 * @returns what stands against it; null when it fits.
 */
function groundAgainst(
  table: LocalTable,
  user: LocalUser | undefined,
  userId: string,
  next: Count,
  added: number,
  taken: number,
  traded: LocalLogin | null,
): Ground<LocalRule> | null {
  const { capacity, gates, settings, instance } = table;
  const here = user === undefined ? 0 : user.connections;
  if (table.rights !== null) return connectionGround(table, userId, here);
  if (capacity.fault !== null && (traded?.user ? added > 0 : table.connections > 0)) {
    return faultGround(instance, capacity.fault);
  }
  const ground = connectionGround(table, userId, here);
  if (ground !== null) return ground;
  // Who gives up one unit for another takes nothing from anybody, new as the user ID may be.
  if (here === 0 && added > 0) {
    const { overLimit, offline } = gates;
    if (overLimit !== null) return overLimitGround(instance, userId, overLimit.limit, overLimit.inUse);
    if (offline !== null) return offlineGround(instance, userId, offline.forSeconds);
  }
  if (added <= 0) return null;
  const inUse = table.units;
  if (settings.unitLimit > 0 && inUse + added > settings.unitLimit) {
    const ground = settings.unitLimit === capacity.usableUnits ? partialGround : unitLimitGround;
    return ground(instance, { limit: settings.unitLimit, inUse, requested: added });
  }
  if (inUse + added <= capacity.unitsMax) return null;
  const asked = { limit: capacity.unitsMax, inUse, requested: added };
  return unitsGround(userId, asked, taken > 1 ? next.connections : null, RETRY_AFTER_SECONDS);
}

/** The limit of connections is the instance's own, however its key is enforced. */
function connectionGround(table: LocalTable, userId: string, here: number): Ground | null {
  const limit = table.settings.connectionLimit;
  return limit > 0 && here >= limit ? connectionLimitGround(table.instance, userId, limit, here) : null;
}

/**
 * Whether what is leased to the instance covers one connection more of a user.
 * @param old - the user whose connection is given in exchange, if any.
 */
function isCovered(
  rights: LeaseRights,
  user: LocalUser | undefined,
  userId: string,
  old: LocalUser | null,
): boolean {
  const connections = user === undefined ? 0 : user.connections;
  if (old === null) return rights.coverage(userId, connections) !== 'ask';
  // Tried and taken back: nothing can come in between.
  rights.disconnect(old.id, old.connections);
  const coverage = rights.coverage(userId, connections);
  rights.connect(old.id, old.connections - 1);
  return coverage !== 'ask';
}

/**
 * Lets a login out. It can be repeated. The unit of a sessionless request is held for its ten seconds, and that
 * of a web session that visited one page only for its grace (trap 8).
 * @param nowMs - milliseconds of the table's clock.
 * @param isOnePage - of a web session: it visited one page only.
 * @returns whether it was in.
 */
export function decideLocalLogout(
  table: LocalTable,
  login: LocalLogin,
  nowMs: number,
  isOnePage = false,
): boolean {
  if (table.due.nextMs <= nowMs) endDue(table, nowMs);
  if (login.table !== table || !login.isHeld || login.phase === 'grace') return false;
  if (login.kind === 'request' && login.endsAtMs > nowMs) {
    table.linger(login);
  } else if (login.kind === 'web' && isOnePage) {
    table.linger(login);
    login.endsAtMs = nowMs + WEB_GRACE_MS;
    table.due.push(login);
  } else {
    release(table, login, nowMs);
  }
  return true;
}

/**
 * Takes back a login at once, whatever it is and whatever grace it would have.
 * @param nowMs - milliseconds of the table's clock.
 */
export function release(table: LocalTable, login: LocalLogin, nowMs: number): void {
  if (login.user !== null) {
    table.disconnect(login);
    table.durations[durationBucket(nowMs - login.sinceMs)]! += 1;
  }
  if (login.phase === 'grace') table.webGrace -= 1;
  if (table.emergency === login) table.emergency = null;
  if (table.logins !== null) table.logins.delete(login);
  login.isOut = true;
}

/**
 * Ends what ends by itself until an instant.
 * @param nowMs - milliseconds of the table's clock.
 * @returns how many logins that were.
 */
export function endDue(table: LocalTable, nowMs: number): number {
  let ended = 0;
  for (let login = table.due.take(nowMs); login !== undefined; login = table.due.take(nowMs)) {
    release(table, login, nowMs);
    ended += 1;
  }
  return ended;
}

/** A login that is out can be inherited from as long as somebody holds it; one that was lost cannot. */
function isKnown(table: LocalTable, parent: Parent): boolean {
  if (!(parent instanceof LocalLogin)) return true;
  return parent.table === table && (parent.user === null || parent.life === table.life);
}

/** @returns the parent's user ID, null while it is pending, undefined when there is none to inherit. */
function inheritedFrom(parent: Parent | undefined): string | null | undefined {
  if (parent === undefined) return undefined;
  if (parent.userId !== null) return parent.userId;
  return parent.phase === 'pending' ? null : undefined;
}

function emergencyGroundOf(table: LocalTable): Ground {
  const processId = table.emergency?.processId ?? 0;
  return emergencyGround(table.instance, processId > 0 ? `process ${processId}` : 'another process');
}

function refuse(ground: Ground<LocalRule>): LocalRefusal {
  return { is: 'refused', ...ground };
}

/** Whether the server takes a user ID in a report, which it would refuse as a whole. */
function isReportable(userId: string): boolean {
  return userId.length > 0 && userId.length <= REPORTED_ID_LENGTH_MAX && isText(userId);
}

function notReportable(): Problem {
  return {
    is: 'problem',
    code: 'user-id-illegal',
    detail: `What names the user is empty, has more than ${REPORTED_ID_LENGTH_MAX} characters, or holds a NUL character or half a surrogate pair. Send whole Unicode characters, and fewer.`,
  };
}

function lostLocally(login: LocalLogin): Problem {
  const user = login.user === null ? '' : ` of user "${login.user.id}"`;
  const reason = login.isOut || login.phase === 'grace' ? 'logged out' : 'lost';
  return {
    is: 'problem',
    code: 'login-lost',
    detail: `The login${user} is no longer held: ${reason}. Log in again.`,
    extras: { lost: reason === 'lost' ? 'lost' : 'logout' },
  };
}
