/**
 * Activating keys: which key an instance works under from now on, or after its next start, and what follows for
 * the users who are in. Nobody inside loses anything by it: his logins go over to the new key's pool, and a key
 * that is smaller than what is in use refuses new ones until use falls (F-20…F-23).
 */

import { moveHoldings } from '../applications/applicationloads.ts';
import type { Policy } from '../decide.ts';
import type { Draft } from '../draft.ts';
import type { Instance } from '../instances.ts';
import { unreport } from '../local/updates.ts';
import { instanceNotFound } from '../logins.ts';
import type { ActivateKey, Answer, Problem } from '../operations.ts';
import type { Table } from '../table.ts';
import {
  type Activation,
  type ActivationCause,
  type ActivationSubject,
  type ActivationVerdict,
  activationOf,
  inspectionToken,
  tableUnitsOf,
} from './activation.ts';
import type { InstalledKey } from './keyring.ts';
import { keyNotFound } from './keyring.ts';
import { keyStatus, type LicenseKey, versionFits, versionWords } from './keys.ts';
import { moveLogins } from './moves.ts';

/** What would become of a key on an instance: a verdict, or what stands against it. */
export type Inspected =
  | { readonly ok: true; readonly verdict: ActivationVerdict; readonly token: string }
  | { readonly ok: false; readonly problem: Problem };

/** Members of an instance's record that an activation brings; undefined takes one out. */
export type Changes = { readonly [Name in keyof Instance]?: Instance[Name] | undefined };

/**
 * Looks at what an activation would come to, and changes nothing.
 * @param key - installed or not.
 * @param atMs - now, ms since 1970.
 */
export function inspectActivation(
  table: Table,
  instance: Instance,
  key: LicenseKey,
  policy: Pick<Policy, 'revokedKeys'>,
  atMs: number,
): Inspected {
  const problem = refuseKey(table, instance, key) ?? refuseUnusable(key, policy, atMs);
  if (problem) return { ok: false, problem };
  const current = currentKey(table, instance);
  const verdict = activationOf(subjectOf(table, instance), current, key);
  return { ok: true, verdict, token: inspectionToken(instance.revision, current, key, verdict) };
}

/** The key that an instance works under, as far as it is installed. */
export function currentKey(table: Table, { key }: Pick<Instance, 'key'>): InstalledKey | null {
  return (key === null ? undefined : table.keys.get(key)) ?? null;
}

function subjectOf(table: Table, instance: Instance): ActivationSubject {
  return { instance, holdsOwnUsers: table.places.get(instance.name)?.report?.counted === true };
}

/** Decides an activation that an administrator asks for, on what he inspected. */
export function decideActivate(draft: Draft, operation: ActivateKey, policy: Policy): Answer {
  const { table } = draft;
  const instance = table.instances.get(operation.instance);
  if (!instance) return instanceNotFound(operation.instance);
  if (operation.cause === 'rolled-back') return rollBack(draft, instance, operation, policy);
  const key = table.keys.get(operation.key);
  if (!key) return keyNotFound(operation.key);
  const inspected = inspectActivation(table, instance, key, policy, draft.atMs);
  if (!inspected.ok) return inspected.problem;
  // What is so already was done by this very request, whose answer was lost, or needs not be done.
  const isDone = inspected.verdict.outcome === 'unchanged';
  if (operation.inspected !== null && operation.inspected !== inspected.token && !isDone) {
    return changedMeanwhile(`Instance "${instance.name}", its key or the key ${key.id}`, 'Inspect it again');
  }
  return activate(draft, instance, key.id, 'activated', operation.actor, policy);
}

/** A key that waits for a restart is given up; otherwise the one before becomes active, by the same rules. */
function rollBack(draft: Draft, instance: Instance, operation: ActivateKey, policy: Policy): Answer {
  const { name, revision, pendingKey, previousKey, key } = instance;
  if (operation.inspected !== null && operation.inspected !== revision)
    return changedMeanwhile(`Instance "${name}"`, 'Read it again');
  if (pendingKey !== undefined) return cancel(draft, instance, 'rolled-back', operation.actor, {});
  if (previousKey !== undefined)
    return activate(draft, instance, previousKey, 'rolled-back', operation.actor, policy);
  return {
    is: 'problem',
    code: 'previous-key-missing',
    detail: `Instance "${name}" has worked under no ${key === null ? 'key' : `other key than ${key}`}, so that there is none to go back to. Activate one with PUT /v1/instances/${encodeURIComponent(name)}/key.`,
  };
}

function changedMeanwhile(what: string, next: string): Problem {
  return {
    is: 'problem',
    code: 'precondition-failed',
    detail: `${what} was changed meanwhile. ${next}, look at what would become of it now, and repeat it with the new ETag.`,
  };
}

/**
 * Has an instance work under an installed key: at once, in part, or after its next start (F-22).
 * @param instance - its record as it stands in the table.
 * @param cause - who or what brought the key.
 * @param more - further changes of the record, made in the same step.
 * @returns an answer of the kind `activation`; a problem when the key cannot be used on the instance.
 */
export function activate(
  draft: Draft,
  instance: Instance,
  keyId: string,
  cause: Exclude<ActivationCause, 'restarted'>,
  actor: string,
  policy: Pick<Policy, 'revokedKeys' | 'sharedApplications'>,
  more: Changes = {},
): Answer {
  const { table } = draft;
  const key = table.keys.get(keyId);
  if (!key) return keyNotFound(keyId);
  const inspected = inspectActivation(table, instance, key, policy, draft.atMs);
  if (!inspected.ok) return inspected.problem;
  const { verdict } = inspected;
  if (verdict.outcome === 'unchanged') {
    const changed = configure(draft, instance, more, actor);
    return { is: 'activation', instance: changed, verdict, activation: null };
  }
  if (key.id === instance.key) return cancel(draft, instance, cause, actor, more);
  const { activation, changes } = take(draft, instance, key, verdict, cause, actor);
  const all = { ...changes, ...more };
  moveHoldings(draft, instance, withChanges(instance, all).key, actor, policy);
  const changed = configure(draft, instance, all, actor);
  return { is: 'activation', instance: changed, verdict, activation };
}

/** Emits that the key that waited for a restart waits no more. */
function cancel(
  draft: Draft,
  instance: Instance,
  cause: ActivationCause,
  actor: string,
  more: Changes,
): Answer {
  const activation = cancelled(draft, instance, cause, actor);
  const { reason } = activation;
  const changed = configure(draft, instance, { pendingKey: undefined, ...more }, actor);
  const { usableUnits } = changed;
  const verdict: ActivationVerdict = {
    outcome: 'active',
    reason,
    requiresRestart: false,
    restartReason: null,
    ...(usableUnits === undefined ? {} : { usableUnits }),
    reductions: { features: [], applications: [] },
  };
  return { is: 'activation', instance: changed, verdict, activation };
}

/** Emits the record that the key that waited for a restart waits no more. */
export function cancelled(
  draft: Draft,
  instance: Instance,
  cause: ActivationCause,
  actor: string,
): Activation {
  const { key, name, pendingKey = null } = instance;
  return record(draft, instance, actor, {
    cause,
    from: pendingKey,
    to: key,
    outcome: 'cancelled',
    reason: `The key ${pendingKey} waits for the next start no more; instance "${name}" stays with ${key === null ? 'none' : key}.`,
    unitsFrom: unitsOfKey(draft.table, pendingKey),
    unitsTo: unitsOfKey(draft.table, key),
  });
}

/** Emits what an activation comes to, all but the record of the instance. */
export function take(
  draft: Draft,
  instance: Instance,
  key: InstalledKey,
  { outcome, reason, usableUnits }: ActivationVerdict,
  cause: ActivationCause,
  actor: string,
): { readonly activation: Activation; readonly changes: Changes } {
  const { table } = draft;
  const { key: from, name } = instance;
  const isPending = outcome === 'pending';
  const held = tableUnitsOf(instance, currentKey(table, instance));
  const activation = record(draft, instance, actor, {
    cause,
    from,
    to: key.id,
    outcome: outcome === 'unchanged' ? 'active' : outcome,
    reason,
    ...(usableUnits === undefined ? {} : { usableUnits }),
    unitsFrom: unitsOfKey(table, from),
    unitsTo: key.unitsEnforced,
  });
  const stated = instance.statedKey === undefined ? from : instance.statedKey;
  if (isPending) return { activation, changes: { pendingKey: key.id } };
  const place = table.places.get(name);
  // What it reported is asked for anew, to count under the key that it works under now (L-5).
  if (place?.report && place.report.pool !== key.id)
    unreport(draft, place, 'moved', actor, key.enforcement !== 'central');
  moveLogins(draft, name, key, actor);
  return {
    activation,
    changes: {
      ...takenMembers(held, instance, key, usableUnits),
      statedKey: stated === key.id ? undefined : stated,
    },
  };
}

/**
 * The members of a record once its instance works under another key.
 * @param held - the units that its table holds.
 * @param key - null for none.
 * @param usableUnits - how many of it can be used before the next start; undefined for all.
 */
export function takenMembers(
  held: number,
  instance: Pick<Instance, 'key'>,
  key: InstalledKey | null,
  usableUnits: number | undefined,
): Changes & Pick<Instance, 'key'> {
  const usable = usableUnits ?? key?.unitsEnforced ?? 1;
  return {
    key: key?.id ?? null,
    usableUnits,
    tableUnits: held > usable ? held : undefined,
    pendingKey: undefined,
    statedKey: undefined,
    previousKey: instance.key ?? undefined,
  };
}

/** Emits the record of an activation. */
export function record(
  draft: Draft,
  { name }: Pick<Instance, 'name'>,
  actor: string,
  what: Omit<Activation, 'id' | 'instance' | 'atMs' | 'by'>,
): Activation {
  const activation: Activation = {
    id: draft.nextDecision,
    instance: name,
    atMs: draft.atMs,
    by: actor,
    ...what,
  };
  draft.emit({ type: 'activated', activation, by: draft.by(actor) });
  return activation;
}

/** Emits the changed record of an instance, if it changed. */
function configure(draft: Draft, instance: Instance, changes: Changes, actor: string): Instance {
  const next = withChanges(instance, changes);
  if (JSON.stringify(next) === JSON.stringify(instance)) return instance;
  const changed: Instance = { ...next, revision: draft.nextDecision };
  draft.emit({ type: 'configured', instance: changed, by: draft.by(actor) });
  return changed;
}

/** @returns a record with members changed, or taken out where the change is undefined. */
export function withChanges(instance: Instance, changes: Changes): Instance {
  const entries = Object.entries({ ...instance, ...changes }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as unknown as Instance;
}

/** The units that are enforced under a key; 1 without one (F-24). */
export function unitsOfKey(table: Table, key: string | null): number {
  return key === null ? 1 : (table.keys.get(key)?.unitsEnforced ?? 1);
}

/**
 * What keeps an instance from working under a key at all: it is made for other versions (F-7), or is a Single key
 * that another instance works under or waits for (F-3).
 */
export function refuseKey(
  table: Table,
  { name, version }: Pick<Instance, 'name' | 'version'>,
  key: LicenseKey,
): Problem | null {
  if (version !== null && !versionFits(key, version)) {
    return {
      is: 'problem',
      code: 'key-generation-mismatch',
      detail: `The key ${key.id} is for ${versionWords(key)}; instance "${name}" runs ${version}. Give it a key of its generation.`,
    };
  }
  if (key.server === 'multi') return null;
  for (const other of table.instances.values()) {
    if (other.name === name || other.state !== 'active') continue;
    if (other.key !== key.id && other.pendingKey !== key.id) continue;
    const holds = other.key === key.id ? 'is registered with it' : 'waits for it until its next start';
    return {
      is: 'problem',
      code: 'key-not-shareable',
      detail: `The key ${key.id} is a Single key and instance "${other.name}" ${holds}. Only Multi keys may be shared; deregister that instance first, or give it another key.`,
      extras: { heldBy: other.name },
    };
  }
  return null;
}

/** A running instance does not give up what it has for a key that cannot be used (F-20, F-24). */
export function refuseUnusable(
  key: LicenseKey,
  { revokedKeys }: Pick<Policy, 'revokedKeys'>,
  atMs: number,
): Problem | null {
  const { status, code, reason } = keyStatus(key, atMs, revokedKeys);
  if (status !== 'invalid') return null;
  return { is: 'problem', code: 'key-unusable', detail: reason, extras: { fault: code } };
}
