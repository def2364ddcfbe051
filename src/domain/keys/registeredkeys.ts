/**
 * Which key an instance works under once it has registered. What it names is a statement of its own configuration:
 * the same one again leaves the key that was activated over it, another one is a new statement. Within a life that
 * is an activation by the same rules; at a start the key that waited for it becomes active (F-21, F-22, R-10).
 */

import type { Policy } from '../decide.ts';
import type { Draft } from '../draft.ts';
import type { Instance, InstanceSettings, RegistrationKind } from '../instances.ts';
import type { Problem } from '../operations.ts';
import { type Activation, type ActivationCause, givenUpWords, tableUnitsOf } from './activation.ts';
import {
  type Changes,
  cancelled,
  currentKey,
  inspectActivation,
  record,
  refuseKey,
  refuseUnusable,
  take,
  takenMembers,
  unitsOfKey,
} from './activations.ts';
import { moveLogins } from './moves.ts';

/** What a registration says that bears on its key. */
export interface KeyStatement {
  readonly name: string;
  readonly version: string | null;
  readonly settings: InstanceSettings;
  /** The key that it names; null for none. */
  readonly stated: string | null;
  /** A key that is served to it at a start, in place of what it had; null for none. */
  readonly served: string | null;
  readonly actor: string;
}

/** What becomes of the key: the members of the record, and what is journalled before it. */
export interface KeyChoice {
  readonly changes: Changes & Pick<Instance, 'key'>;
  /** Emits what is to be said of it; called once everything that ends with the former life has ended. */
  readonly emit: () => void;
}

const nothing = () => {};

/**
 * Chooses the key of an instance that registers.
 * @param current - its record; undefined for a new name.
 * @returns a problem when it cannot work under the key that it names.
 */
export function chooseKey(
  draft: Draft,
  current: Instance | undefined,
  kind: Exclude<RegistrationKind, 'old'>,
  statement: KeyStatement,
  policy: Pick<Policy, 'revokedKeys'>,
): Problem | KeyChoice {
  if (current === undefined) return firstKey(draft, statement);
  const former = current.statedKey === undefined ? current.key : current.statedKey;
  const isSame = statement.stated === former;
  if (kind !== 'retry') return keyAtStart(draft, current, isSame, statement, policy);
  if (!isSame) return otherKey(draft, current, statement, policy);
  return refuse(draft, statement, current.key) ?? { changes: { key: current.key }, emit: nothing };
}

function firstKey(draft: Draft, statement: KeyStatement): Problem | KeyChoice {
  const { served, stated } = statement;
  if (served !== null && refuse(draft, statement, served) === null)
    return { changes: { key: served, statedKey: stated }, emit: nothing };
  return refuse(draft, statement, stated) ?? { changes: { key: stated }, emit: nothing };
}

/** A running instance names another key than before: that is an activation. */
function otherKey(
  draft: Draft,
  current: Instance,
  statement: KeyStatement,
  policy: Pick<Policy, 'revokedKeys'>,
): Problem | KeyChoice {
  const { stated, actor, version, settings } = statement;
  if (stated === null) return { ...withoutKey(draft, current, actor) };
  const problem = refuse(draft, statement, stated);
  if (problem) return problem;
  if (stated === current.key) return activeKey(draft, current, actor);
  const key = draft.table.keys.get(stated)!;
  const instance: Instance = { ...current, version, settings };
  const inspected = inspectActivation(draft.table, instance, key, policy, draft.atMs);
  if (!inspected.ok) return inspected.problem;
  const { verdict } = inspected;
  const statedKey = verdict.outcome === 'unchanged' || verdict.outcome === 'pending' ? stated : undefined;
  if (verdict.outcome === 'unchanged') return { changes: { key: current.key, statedKey }, emit: nothing };
  const members: Changes & Pick<Instance, 'key'> =
    verdict.outcome === 'pending'
      ? { key: current.key, pendingKey: stated }
      : takenMembers(heldBy(draft, current), current, key, verdict.usableUnits);
  return {
    changes: { ...members, statedKey },
    emit: () => {
      take(draft, instance, key, verdict, 'registered', actor);
    },
  };
}

/** It names the key that is active already. One that waits for the next start is given up, as by an activation. */
function activeKey(draft: Draft, current: Instance, actor: string): KeyChoice {
  const { key, pendingKey } = current;
  return {
    changes: { key, statedKey: undefined, pendingKey: undefined },
    emit: () => {
      if (pendingKey !== undefined) cancelled(draft, current, 'registered', actor);
    },
  };
}

/** It names no key any more. Its users stay where they are until they go. */
function withoutKey(draft: Draft, current: Instance, actor: string): KeyChoice {
  return {
    changes: takenMembers(heldBy(draft, current), current, null, undefined),
    emit: () => {
      const givenUp = givenUpWords(current, null);
      const reason = `Instance "${current.name}" names no key any more.${givenUp}`;
      note(draft, current, actor, 'registered', null, reason);
    },
  };
}

/** At a start nothing has to wait. */
function keyAtStart(
  draft: Draft,
  current: Instance,
  isSame: boolean,
  statement: KeyStatement,
  policy: Pick<Policy, 'revokedKeys'>,
): Problem | KeyChoice {
  const { stated, actor, name } = statement;
  const { key, pendingKey } = current;
  const chosen = choiceAtStart(draft, current, isSame, statement, policy);
  if ('is' in chosen) return chosen;
  const statedKey = chosen.key === stated ? undefined : stated;
  const installed = chosen.key === null ? null : (draft.table.keys.get(chosen.key) ?? null);
  const members = chosen.key === key ? { key } : takenMembers(0, current, installed, undefined);
  const nothingLess = { pendingKey: undefined, usableUnits: undefined, tableUnits: undefined };
  return {
    changes: { ...members, ...nothingLess, statedKey },
    emit: () => {
      if (pendingKey !== undefined && pendingKey !== chosen.key)
        drop(draft, current, pendingKey, chosen.fault, actor);
      if (chosen.key === key && current.usableUnits === undefined) return;
      const what = chosen.key === null ? 'no key' : `all units of the key ${chosen.key}`;
      note(draft, current, actor, chosen.cause, chosen.key, `Instance "${name}" has started with ${what}.`);
      if (installed && refuseUnusable(installed, policy, draft.atMs) === null)
        moveLogins(draft, name, installed, actor);
    },
  };
}

/** The key of a start, who brought it, and why the one that waited for it was not taken. */
interface StartKey {
  readonly key: string | null;
  readonly cause: ActivationCause;
  readonly fault: string;
}

/** The first that can be used: what is served, what waited, what was active, what the instance names. */
function choiceAtStart(
  draft: Draft,
  { key, pendingKey }: Instance,
  isSame: boolean,
  statement: KeyStatement,
  policy: Pick<Policy, 'revokedKeys'>,
): Problem | StartKey {
  const { stated, served } = statement;
  let fault = `The instance names ${stated === null ? 'no key' : `the key ${stated}`} now.`;
  if (served !== null && faultOf(draft, statement, served, policy) === null) {
    const cause = served === key ? 'restarted' : 'served';
    return { key: served, cause, fault: `The key ${served} is served to the instance now.` };
  }
  if (isSame && pendingKey !== undefined) {
    const problem = faultOf(draft, statement, pendingKey, policy);
    if (problem === null) return { key: pendingKey, cause: 'restarted', fault };
    fault = problem.detail;
  }
  const problem = isSame ? refuse(draft, statement, key) : null;
  if (isSame && problem === null) return { key, cause: 'restarted', fault };
  const refused = refuse(draft, statement, stated);
  return refused === null ? { key: stated, cause: 'registered', fault } : (problem ?? refused);
}

/** The units that the table of a running instance holds. */
function heldBy({ table }: Draft, current: Instance): number {
  return tableUnitsOf(current, currentKey(table, current));
}

/** Why a key that waited cannot be used, now that its time has come; null when it can. */
function faultOf(
  draft: Draft,
  statement: KeyStatement,
  id: string,
  policy: Pick<Policy, 'revokedKeys'>,
): Problem | null {
  const key = draft.table.keys.get(id);
  return refuse(draft, statement, id) ?? refuseUnusable(key!, policy, draft.atMs);
}

/** A key must be there, be made for the instance's version (F-7), and be shareable when it is shared (F-3). */
function refuse({ table }: Draft, statement: KeyStatement, id: string | null): Problem | null {
  if (id === null) return null;
  const key = table.keys.get(id);
  if (key) return refuseKey(table, statement, key);
  return {
    is: 'problem',
    code: 'key-not-found',
    detail: `The key "${id}" is not installed. Install it with POST /v1/keys, or register without a key.`,
  };
}

/** Emits that the key that waited for this start was not activated. */
function drop(draft: Draft, current: Instance, id: string, fault: string, actor: string): void {
  const { table } = draft;
  record(draft, current, actor, {
    cause: 'restarted',
    from: current.key,
    to: id,
    outcome: 'dropped',
    reason: `The key ${id}, which waited for this start, was not activated. ${fault}`,
    unitsFrom: unitsOfKey(table, current.key),
    unitsTo: unitsOfKey(table, id),
  });
}

function note(
  draft: Draft,
  current: Instance,
  actor: string,
  cause: ActivationCause,
  to: string | null,
  reason: string,
): Activation {
  const { table } = draft;
  return record(draft, current, actor, {
    cause,
    from: current.key,
    to,
    outcome: 'active',
    reason,
    unitsFrom: current.usableUnits ?? unitsOfKey(table, current.key),
    unitsTo: unitsOfKey(table, to),
  });
}
