/**
 * Instances coming, changing, falling silent and going (F-3, F-7, R-10).
 */

import { moveHoldings } from './applications/applicationloads.ts';
import type { Policy } from './decide.ts';
import type { Draft } from './draft.ts';
import { classifyRegistration, DEFAULT_SETTINGS, type Instance, type InstanceSettings } from './instances.ts';
import { type Changes, withChanges } from './keys/activations.ts';
import { EVALUATION_KEY } from './keys/keys.ts';
import { chooseKey } from './keys/registeredkeys.ts';
import { statementOf } from './keys/servedkeys.ts';
import { endLeases } from './leases/leaseends.ts';
import { unreport } from './local/updates.ts';
import { instanceNotFound } from './logins.ts';
import type {
  Answer,
  CloseInstance,
  Configure,
  Deregister,
  Problem,
  ReapInstance,
  Register,
  RenewInstance,
} from './operations.ts';
import { endAll } from './releases.ts';

/** Decides a registration: a new instance, a retry, or a restart that releases what was bound. */
export function decideRegister(draft: Draft, operation: Register, policy: Policy): Answer {
  const current = draft.table.instances.get(operation.name);
  const kind = classifyRegistration(current, operation.incarnation, operation.registrationId);
  if (kind === 'old') return incarnationOld(current!, operation.incarnation!);
  const named = operation.key ?? (policy.evaluation ? EVALUATION_KEY.id : null);
  const asked = statementOf(draft.table, current, kind, operation, named);
  const { name, product, version, actor } = operation;
  const settings = { ...DEFAULT_SETTINGS, ...current?.settings, ...operation.settings };
  const served = asked.served?.id ?? null;
  const statement = { name, version, settings, stated: asked.stated, served, actor };
  const choice = chooseKey(draft, asked.known, kind, statement, policy);
  if ('is' in choice) return choice;
  const changes = { ...choice.changes, ...asked.members(choice.changes.key) };
  const servers = operation.licenseServers?.toSorted() ?? [];
  const wanted = {
    ...{ product, version },
    ...(operation.address === undefined ? {} : { address: operation.address }),
    ...(servers.length === 0 ? {} : { licenseServers: servers }),
  };
  if (kind === 'retry' && sameRegistration(current!, wanted, changes) && sameSettings(current!, settings)) {
    return { is: 'instance', instance: current!, outcome: 'retry' };
  }
  const by = draft.by(actor);
  if (kind === 'restart') endAll(draft, { instance: name, boundOnly: true }, 'restarted', actor);
  const place = draft.table.places.get(name);
  if (place && kind === 'restart') unreport(draft, place, 'restarted', actor);
  choice.emit();
  // Its rows are asked for anew, to count under the key that it has taken.
  if (place?.report && place.report.rows > 0 && kind === 'retry' && place.report.pool !== choice.changes.key)
    unreport(draft, place, 'moved', actor, reportsUnder(draft, choice.changes.key));
  if (current) moveHoldings(draft, current, choice.changes.key ?? null, actor, policy);
  const begins = kind !== 'retry';
  const { licenseServers: _former, address: _place, closed: _closed, ...known } = current ?? {};
  const instance = withChanges(
    {
      ...known,
      name,
      key: null,
      ...wanted,
      incarnation: begins ? nextIncarnation(current, operation.incarnation) : current!.incarnation,
      registrationId: begins ? operation.registrationId : current!.registrationId,
      state: 'active',
      settings,
      deadlineMs: deadline(draft, settings.graceSeconds),
      registeredAtMs: begins ? draft.atMs : current!.registeredAtMs,
      revision: draft.nextDecision,
    },
    changes,
  );
  draft.emit({ type: 'registered', instance, by });
  return { is: 'instance', instance, outcome: kind === 'retry' ? 'changed' : kind };
}

/** Whether an instance goes on reporting under another key. */
function reportsUnder({ table }: Draft, key: string | null | undefined): boolean {
  return key != null && table.keys.get(key)?.enforcement !== 'central';
}

/** How far a client's incarnation may be ahead of the one that is known, as after a restore of the database. */
const INCARNATIONS_AHEAD_MAX = 1_000;

/** @returns a number above every one that a process of this name may still hold, within reason. */
function nextIncarnation(current: Instance | undefined, held: number | null): number {
  const known = current?.incarnation ?? 0;
  return Math.max(known, held !== null && held <= known + INCARNATIONS_AHEAD_MAX ? held : 0) + 1;
}

function sameRegistration(
  current: Instance,
  wanted: Pick<Instance, 'product' | 'version' | 'address' | 'licenseServers'>,
  changes: Changes,
): boolean {
  return (
    JSON.stringify(withChanges(current, changes)) === JSON.stringify(current) &&
    current.product === wanted.product &&
    current.version === wanted.version &&
    current.address === wanted.address &&
    current.licenseServers?.join() === wanted.licenseServers?.join()
  );
}

/** Whether the settings that a registration comes to are those that hold already. */
function sameSettings(current: Instance, settings: InstanceSettings): boolean {
  const now: Record<string, unknown> = { ...DEFAULT_SETTINGS, ...current.settings };
  return Object.entries(settings).every(
    ([name, value]) => JSON.stringify(value) === JSON.stringify(now[name]),
  );
}

/** Decides a change of settings, on the revision that the caller has seen. */
export function decideConfigure(draft: Draft, operation: Configure): Answer {
  const current = draft.table.instances.get(operation.name);
  if (!current) return instanceNotFound(operation.name);
  if (operation.ifRevision !== null && operation.ifRevision !== current.revision) {
    return {
      is: 'problem',
      code: 'precondition-failed',
      detail: `Instance "${operation.name}" was changed meanwhile. Read it again and repeat the change on its new ETag.`,
    };
  }
  const settings = { ...current.settings, ...operation.settings };
  const graceChanged = settings.graceSeconds !== current.settings.graceSeconds;
  const instance: Instance = {
    ...current,
    settings,
    deadlineMs: graceChanged ? deadline(draft, settings.graceSeconds) : current.deadlineMs,
    revision: draft.nextDecision,
  };
  draft.emit({ type: 'configured', instance, by: draft.by(operation.actor) });
  return { is: 'instance', instance, outcome: 'changed' };
}

/** Decides the end of an instance: everything it held is released in the same step. */
export function decideDeregister(draft: Draft, operation: Deregister): Answer {
  if (!draft.table.instances.has(operation.name)) return { is: 'ended', logins: 0, decision: null };
  const ended = endAll(draft, { instance: operation.name }, 'deregistered', operation.actor);
  const place = draft.table.places.get(operation.name);
  if (place) unreport(draft, place, 'deregistered', operation.actor);
  const decision = draft.nextDecision;
  draft.emit({ type: 'deregistered', instance: operation.name, by: draft.by(operation.actor) });
  return { is: 'ended', logins: ended.is === 'ended' ? ended.logins : 0, decision };
}

/** Settles an instance's heartbeat by the journal. */
export function decideRenewInstance(draft: Draft, operation: RenewInstance): Answer {
  const current = draft.table.instances.get(operation.name);
  if (!current) return instanceNotFound(operation.name);
  const problem = refuseIncarnation(current, operation.incarnation);
  if (problem) return problem;
  if (current.settings.graceSeconds === 0) return { is: 'alive', deadlineMs: 0, graceSeconds: 0 };
  const instance = revive(draft, current, operation.actor);
  return { is: 'alive', deadlineMs: instance.deadlineMs, graceSeconds: instance.settings.graceSeconds };
}

/** Emits that an instance gave a sign of life that the journal has to know of; one that was silent is active again. */
export function revive(draft: Draft, current: Instance, actor: string): Instance {
  const wasSilent = current.state === 'silent';
  const instance: Instance = {
    ...current,
    state: 'active',
    deadlineMs: deadline(draft, current.settings.graceSeconds),
    revision: wasSilent ? draft.nextDecision : current.revision,
  };
  draft.emit({ type: 'revived', instance, by: draft.by(actor) });
  return instance;
}

/** What stands against a sign of life of an instance: a newer incarnation, or that it was reaped. */
export function refuseIncarnation(current: Instance, incarnation: number): Problem | null {
  if (incarnation !== current.incarnation) return incarnationOld(current, incarnation);
  if (current.state === 'active') return null;
  return {
    is: 'problem',
    code: 'instance-silent',
    detail: current.closed
      ? `Instance "${current.name}" was closed in good order, and what was bound to it was given back. Register it again.`
      : `Instance "${current.name}" was silent for more than ${current.settings.graceSeconds} s, and what was bound to it was taken back. Register it again.`,
    extras: { lost: current.closed ? 'closed' : 'silent' },
  };
}

/** Takes back what a silent instance held, unless the journal knows a later deadline. */
export function decideReapInstance(draft: Draft, operation: ReapInstance): Answer {
  const current = draft.table.instances.get(operation.name);
  if (!current || current.state === 'silent' || current.incarnation !== operation.incarnation)
    return { is: 'done' };
  if (current.settings.graceSeconds === 0) return { is: 'done' };
  if (current.deadlineMs > operation.observedMs)
    return { is: 'alive', deadlineMs: current.deadlineMs, graceSeconds: current.settings.graceSeconds };
  const ended = endAll(draft, { instance: operation.name, boundOnly: true }, 'silent', operation.actor);
  const place = draft.table.places.get(operation.name);
  if (place) unreport(draft, place, 'silent', operation.actor);
  const instance: Instance = { ...current, state: 'silent', deadlineMs: 0, revision: draft.nextDecision };
  draft.emit({ type: 'silenced', instance, by: draft.by(operation.actor) });
  return ended;
}

/** Decides the orderly end of one life of an instance: what it held is given back. It can be repeated. */
export function decideClose(draft: Draft, operation: CloseInstance): Answer {
  const current = draft.table.instances.get(operation.name);
  if (!current) return instanceNotFound(operation.name);
  if (operation.incarnation !== current.incarnation) return incarnationOld(current, operation.incarnation);
  if (current.closed) return { is: 'done' };
  endAll(draft, { instance: operation.name, boundOnly: true }, 'closed', operation.actor);
  const place = draft.table.places.get(operation.name);
  if (place) {
    unreport(draft, place, 'closed', operation.actor);
    endLeases(draft, place, current.incarnation, 'closed', operation.actor);
  }
  const revision = draft.nextDecision;
  const instance: Instance = { ...current, state: 'silent', closed: true, deadlineMs: 0, revision };
  draft.emit({ type: 'silenced', instance, by: draft.by(operation.actor) });
  return { is: 'done' };
}

function deadline(draft: Draft, graceSeconds: number): number {
  return graceSeconds === 0 ? 0 : draft.atMs + graceSeconds * 1000;
}

/** The answer to a process whose place a newer one has taken, or one that was never registered. */
export function incarnationOld(current: Instance, incarnation: number): Problem {
  return {
    is: 'problem',
    code: 'incarnation-old',
    detail: `Incarnation ${incarnation} of "${current.name}" is not the one that is registered (${current.incarnation}). Another process registered under this name; stop, or register without an incarnation to take over.`,
    extras: { incarnation: current.incarnation },
  };
}
