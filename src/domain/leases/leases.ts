/**
 * Leased units, the server's half of the protocol: an instance states its rights, the books are lowered to them,
 * and then raised by what is wanted and free. What the instance believes in is never more than the books say,
 * since it adopts only the answer to its latest statement, and had lowered its rights before it stated them.
 */

import { CONNECTIONS_PER_UNIT_MAX } from '../counting.ts';
import type { Policy } from '../decide.ts';
import type { Draft } from '../draft.ts';
import type { Lease, Place, Pool } from '../holdings/holdings.ts';
import { isPartlyActive, unitLimitOf } from '../instances.ts';
import { instanceNotFound } from '../logins.ts';
import type { Answer, StateLease } from '../operations.ts';
import { incarnationOld, refuseIncarnation } from '../registration.ts';
import { type Terms, termsOf } from '../terms.ts';
import { isJoined } from './leasebooks.ts';
import { LeaseChange } from './leasechange.ts';
import { endLease, joinHeld } from './leaseends.ts';
import { growBlock, growUser, isAwaited, type Room } from './leasegrowth.ts';
import { moveLease, unheldIn } from './leasemoves.ts';
import { sharedUsers } from './leasesharing.ts';
import {
  CLOSING_CODES,
  HELD_USERS_MAX,
  type LeaseAnswer,
  type LeaseStatement,
  type RefusedUser,
} from './leasestatements.ts';

/** An instance states its rights so many times within a term, so that the loss of a few answers does no harm. */
const STATEMENTS_PER_TERM = 12;
/** The same while units are scarce, so that idle ones come back soon. */
const STATEMENTS_PER_TERM_SCARCE = 30;
/** A lease is not renewed before less than this part of its term is left; until then the answer costs no row. */
const RENEWED_BELOW = 2 / 3;

/** Nobody is asked to state his rights more often than this, in milliseconds. */
const INTERVAL_MIN_MS = 1_000;

function intervalMs(termMs: number, statements: number): number {
  return Math.max(INTERVAL_MIN_MS, termMs / statements);
}

/** Everything that a statement is decided on. */
interface Asker {
  readonly draft: Draft;
  readonly place: Place;
  readonly terms: Terms;
  readonly operation: StateLease;
  readonly unitLimit: number;
  readonly isPartlyActive: boolean;
  readonly termMs: number;
}

/** Decides a statement of an instance about its lease. */
export function decideStatement(draft: Draft, operation: StateLease, policy: Policy): Answer {
  const instance = draft.table.instances.get(operation.name);
  if (!instance) return instanceNotFound(operation.name);
  if (operation.incarnation !== instance.incarnation) return incarnationOld(instance, operation.incarnation);
  if (instance.closed) return refuseIncarnation(instance, operation.incarnation)!;
  const place = draft.table.place(operation.name);
  const terms = termsOf(draft.table, instance, draft.atMs, policy.revokedKeys);
  const unitLimit = unitLimitOf(instance);
  const asker: Asker = {
    draft,
    place,
    terms,
    operation,
    unitLimit,
    isPartlyActive: isPartlyActive(instance),
    termMs: policy.leaseTermMs,
  };
  return { is: 'leased', lease: answerOf(asker) };
}

function answerOf(asker: Asker): LeaseAnswer {
  const { draft, place, operation, terms } = asker;
  const { statement, incarnation, actor } = operation;
  let lease = [...place.leases.values()].find((one) => one.incarnation === incarnation);
  if (lease && statement.sequence <= lease.sequence) return repeated(asker, lease);
  if (lease && statement.fresh && lease.pool.id !== terms.key?.id) {
    endLease(draft, lease, 'moved', actor);
    lease = undefined;
  }
  if (lease) {
    const fault = faultOf(lease, statement);
    if (fault) return { ...nothing(asker), [fault]: true };
  } else {
    if (!statement.fresh) return { ...nothing(asker), unknown: true };
    if (closedBy(asker)) return nothing(asker);
    lease = begin(asker, draft.table.pool(terms.key!.id));
  }
  lower(asker, lease);
  return raise(asker, follow(asker, lease));
}

/** The lease counts under the key that the instance works under now, as soon as it can (S-10). */
function follow(asker: Asker, lease: Lease): Lease {
  const { draft, operation, terms, unitLimit, termMs } = asker;
  const { key, limit } = terms;
  if (!key || lease.pool.id === key.id || closedBy(asker)) return lease;
  const limitHere = unitLimit > 0 ? unitLimit : Number.POSITIVE_INFINITY;
  const said = { sequence: operation.statement.sequence, ends: draft.atMs + termMs, actor: operation.actor };
  return moveLease(draft, lease, { key, limit, limitHere }, said) ?? lease;
}

/** Why nothing more may be granted; undefined when it may. */
function closedBy({ terms }: Asker, lease?: Lease): LeaseAnswer['closed'] {
  const code = terms.fault?.code;
  if (code) return CLOSING_CODES.find((one) => one === code) ?? 'key-unusable';
  if (terms.enforcement !== 'leased' || (lease && lease.pool.id !== terms.key?.id)) return 'key-unusable';
  return undefined;
}

/** The answer that grants nothing and says nothing of a lease. */
function nothing(asker: Asker): LeaseAnswer {
  const closed = closedBy(asker);
  return {
    sequence: asker.operation.statement.sequence,
    revision: 0,
    units: 0,
    termMs: 0,
    nextStatementAfterSeconds: intervalMs(asker.termMs, STATEMENTS_PER_TERM) / 1000,
    allowances: [],
    scarce: false,
    ...(closed ? { closed } : {}),
  };
}

/**
 * The answer to a statement that was answered before. To the latest it is what stands, since nothing else raises
 * the books; to an earlier one it means nothing to the instance, which has stated others since.
 */
function repeated(asker: Asker, lease: Lease): LeaseAnswer {
  if (asker.operation.statement.sequence < lease.sequence) return { ...nothing(asker), restate: true };
  return {
    ...standing(asker, lease, true),
    allowances: [...lease.allowances].map(([id, allowance]) => ({ id, allowance })),
    whole: true,
  };
}

/** What an answer says of a lease as it stands. */
function standing(asker: Asker, lease: Lease, isSatisfied: boolean): Omit<LeaseAnswer, 'allowances'> {
  const { draft, operation, termMs, terms } = asker;
  const { pool } = lease;
  const scarce = !isSatisfied || terms.limit - pool.units < pool.leases.size;
  const statements = scarce ? STATEMENTS_PER_TERM_SCARCE : STATEMENTS_PER_TERM;
  const closed = closedBy(asker, lease);
  const isLeaving = closed !== undefined && closedBy(asker) === undefined;
  const next = isLeaving ? draft.table.pools.get(terms.key!.id) : undefined;
  const held = [...unheldIn(next, lease), ...heldBy(lease, draft.atMs)].slice(0, HELD_USERS_MAX);
  return {
    sequence: operation.statement.sequence,
    id: lease.id,
    revision: lease.revision,
    units: lease.units,
    termMs: Math.max(0, lease.endsAtMs - draft.atMs),
    nextStatementAfterSeconds: intervalMs(termMs, statements) / 1000,
    ...(held.length === 0 ? {} : { held }),
    scarce,
    ...(closed ? { closed } : {}),
  };
}

/**
 * The users whom the instance must hold: to count them together, because others have them as well, or because
 * another needs what it may not have.
 */
function heldBy(lease: Lease, atMs: number): string[] {
  const { pool, allowances } = lease;
  const held: string[] = [];
  if (lease.units > 0) {
    for (const id of pool.apart) {
      if (held.length === HELD_USERS_MAX) return held;
      if (!allowances.has(id) && (pool.users.get(id)?.connections ?? 0) > 1) held.push(id);
    }
    for (const id of sharedUsers(pool, atMs)) {
      if (held.length === HELD_USERS_MAX) return held;
      if (!allowances.has(id) && !pool.apart.has(id) && lease.place.reported.has(id)) held.push(id);
    }
  }
  for (const other of pool.leases) {
    if (other === lease) continue;
    for (const id of other.short.keys()) {
      if (held.length === HELD_USERS_MAX) return held;
      if ((allowances.get(id) ?? 0) > 0 && isAwaited(lease, id, atMs)) held.push(id);
    }
  }
  return held;
}

/**
 * What keeps a statement from being taken at its word. The books are never below an honest instance's rights, so
 * that one that states more has outlived its lease, or the database was restored: it must begin afresh.
 */
function faultOf(lease: Lease, statement: LeaseStatement): 'restate' | 'unknown' | null {
  if (statement.fresh) return null;
  if (!statement.whole && statement.basis !== lease.revision) return 'restate';
  if (statement.units > lease.units) return 'unknown';
  let pinned = 0;
  for (const { id, allowance } of statement.users) {
    const before = lease.allowances.get(id);
    if (before === undefined) pinned += allowance;
    else if (allowance > before) return 'unknown';
  }
  if (pinned > lease.units - statement.units) return 'unknown';
  if (!statement.whole || statement.units === 0) return null;
  // Whoever is counted together rests on the entry of every instance that has units.
  const stated = new Set(statement.users.map(({ id }) => id));
  for (const id of lease.allowances.keys()) {
    const user = stated.has(id) ? undefined : lease.pool.users.get(id);
    if (user && isJoined(user)) return 'unknown';
  }
  return null;
}

/** Begins a lease without units and without a term; they come with the answer. */
function begin({ draft, place, operation }: Asker, pool: Pool): Lease {
  const lease = draft.nextDecision;
  draft.emit({
    type: 'leased',
    lease,
    instance: place.instance,
    incarnation: operation.incarnation,
    pool: pool.id,
    sequence: operation.statement.sequence,
    units: 0,
    ends: draft.atMs,
    used: pool.units,
    by: draft.by(operation.actor),
  });
  return place.leases.get(lease)!;
}

/** Lowers the books to what is stated: units and allowances that came back, and connections that were pinned. */
function lower(asker: Asker, lease: Lease): void {
  const { draft, operation } = asker;
  const { statement, actor } = operation;
  const { fresh, whole, users, sequence } = statement;
  const change = new LeaseChange(lease, connectionsPerUnitMaxOf(asker, lease));
  const hadUnits = lease.units > 0;
  change.units = fresh ? 0 : statement.units;
  const stated = new Set<string>();
  const pinned: string[] = [];
  for (const user of users) {
    const allowance = fresh ? 0 : user.allowance;
    stated.add(user.id);
    if (!lease.allowances.has(user.id)) pinned.push(user.id);
    if (lease.allowances.get(user.id) !== allowance) change.allow(user.id, allowance);
  }
  if (whole || fresh) for (const id of lease.allowances.keys()) if (!stated.has(id)) change.drop(id);
  if (change.isEmpty) return;
  draft.emit(change.event({ sequence, ends: lease.endsAtMs, by: draft.by(actor) }));
  // A lease without units stands in nobody's way any more; others not in that of those it has an entry of now.
  joinHeld(draft, lease.pool, hadUnits && lease.units === 0 ? null : pinned);
}

/** Raises the books by what is wanted and free, renews the term when it is time, and answers. */
function raise(asker: Asker, lease: Lease): LeaseAnswer {
  const { draft, operation, termMs } = asker;
  const { statement, actor } = operation;
  const change = new LeaseChange(lease, connectionsPerUnitMaxOf(asker, lease));
  const room = roomOf(asker, lease);
  const mayGrow = closedBy(asker, lease) === undefined;
  const pending: string[] = [];
  const refused: RefusedUser[] = [];
  for (const user of mayGrow ? statement.users : []) {
    const growth = growUser(change, user, room);
    if (growth === 'pending') pending.push(user.id);
    else if (growth !== 'done') refused.push({ id: user.id, ...growth, decision: '' });
  }
  const isSatisfied = mayGrow ? growBlock(change, statement.wanted, room) : true;
  const renews = lease.endsAtMs - draft.atMs < termMs * RENEWED_BELOW;
  for (const id of renews ? lease.allowances.keys() : statement.users.map((user) => user.id)) {
    if (isOrphan(change, id)) change.drop(id);
  }
  if (renews || !change.isEmpty) {
    const ends = draft.atMs + termMs;
    draft.emit(change.event({ sequence: statement.sequence, ends, by: draft.by(actor) }));
  }
  const { allowances, dropped } = change;
  return {
    ...standing(asker, lease, isSatisfied),
    allowances,
    ...(dropped.length === 0 ? {} : { dropped }),
    ...(pending.length === 0 ? {} : { pending }),
    ...(refused.length === 0 ? {} : { refused: refused.map((one) => journalled(asker, lease, one)) }),
  };
}

/** Whether an entry is of a user who is on nobody's books. */
function isOrphan(change: LeaseChange, userId: string): boolean {
  return change.hasEntry(userId) && change.allowanceOf(userId) === 0 && !change.lease.pool.users.has(userId);
}

/** Writes a refusal into the journal, so that it can be explained. */
function journalled({ draft, place, operation }: Asker, lease: Lease, refusal: RefusedUser): RefusedUser {
  const { id, rule, code, limit, inUse, requested } = refusal;
  const { login = '' } = operation.statement.users.find((user) => user.id === id) ?? {};
  const by = draft.by(operation.actor);
  const decision = draft.refuse(
    { pool: lease.pool.id, rule, code, limit, inUse, requested },
    { instance: place.instance, login, user: id, by },
  );
  return { ...refusal, decision };
}

function roomOf(asker: Asker, lease: Lease): Room {
  const { draft, terms, unitLimit } = asker;
  return {
    limit: terms.limit,
    limitHere: unitLimit > 0 ? unitLimit : Number.POSITIVE_INFINITY,
    isPartlyActive: asker.isPartlyActive,
    connectionsPerUnitMax: connectionsPerUnitMaxOf(asker, lease),
    statementIntervalMs: intervalMs(asker.termMs, STATEMENTS_PER_TERM),
    atMs: draft.atMs,
  };
}

/** Of the lease's own key, whatever its instance runs on now. */
function connectionsPerUnitMaxOf({ draft }: Asker, lease: Lease): number {
  return draft.table.keys.get(lease.pool.id)?.connectionsPerUnitMax ?? CONNECTIONS_PER_UNIT_MAX;
}
