/**
 * Keys that are served by ID (notes 3.4): a key states a LicenseID, an instance asks for whatever key is served
 * under it, and follows when another one is.
 */

import type { Policy } from '../decide.ts';
import type { Draft } from '../draft.ts';
import type { Instance, RegistrationKind } from '../instances.ts';
import { instanceNotFound } from '../logins.ts';
import type { Answer, CheckKey, Problem, Register, ServeKey } from '../operations.ts';
import type { Table } from '../table.ts';
import { activate, type Changes, refuseKey, refuseUnusable, withChanges } from './activations.ts';
import { type InstalledKey, keyNotFound } from './keyring.ts';
import { keyStatus, type LicenseKey } from './keys.ts';

/** The key that is served under a LicenseID: of those that ever were, the one that came last. */
export function servedKeyOf(table: Table, licenseId: string): InstalledKey | null {
  let served: InstalledKey | null = null;
  for (const key of table.keys.values()) {
    if (key.licenseId !== licenseId || key.servedAtMs === undefined) continue;
    if (served === null || key.servedAtMs > served.servedAtMs!) served = key;
  }
  return served;
}

/** The keys that are served, by LicenseID. */
export function servedKeys(table: Table): Map<string, InstalledKey> {
  const served = new Map<string, InstalledKey>();
  for (const key of table.keys.values()) {
    const { licenseId, servedAtMs } = key;
    if (licenseId === null || servedAtMs === undefined) continue;
    if (servedAtMs > (served.get(licenseId)?.servedAtMs ?? 0)) served.set(licenseId, key);
  }
  return served;
}

/**
 * Whether a key was served after the one that an instance has followed last. A key that an administrator gave the
 * instance meanwhile, or went back to, stays until then.
 */
export function isBehind(instance: Instance, served: InstalledKey): boolean {
  return instance.licenseId === served.licenseId && served.servedAtMs! > (instance.servedAtMs ?? 0);
}

/** Decides to serve a key. One that is served already changes nothing. */
export function decideServeKey(draft: Draft, operation: ServeKey, policy: Policy): Answer {
  const { table } = draft;
  const { licenseId } = operation;
  const current = table.keys.get(operation.key);
  if (!current) return keyNotFound(operation.key);
  if (current.licenseId !== licenseId) return notServable(current, licenseId);
  const before = servedKeyOf(table, licenseId);
  if (before?.id === current.id) return { is: 'key', key: current, outcome: 'present' };
  const status = keyStatus(current, draft.atMs, policy.revokedKeys);
  if (status.status === 'invalid') return { is: 'problem', code: 'key-unusable', detail: status.reason };
  const key: InstalledKey = {
    ...current,
    ...inherited(table, current, before),
    // Later than the one before it, also where both came in one batch.
    servedAtMs: Math.max(draft.atMs, (before?.servedAtMs ?? 0) + 1),
    revision: draft.nextDecision,
  };
  draft.emit({ type: 'key-changed', key, by: draft.by(operation.actor) });
  return { is: 'key', key, outcome: 'changed' };
}

/**
 * No key file says who decides on logins. So a key that nobody has used yet, and of which nobody has said it
 * either, is enforced as the one that it replaces: an instance must not find its users out because of a renewal.
 */
function inherited(
  table: Table,
  key: InstalledKey,
  before: InstalledKey | null,
): Partial<Pick<LicenseKey, 'enforcement'>> {
  const isUntouched = key.servedAtMs === undefined && key.enforcement === 'central';
  if (!before || !isUntouched || (table.pools.get(key.id)?.connections ?? 0) > 0) return {};
  for (const instance of table.instances.values()) if (instance.key === key.id) return {};
  return { enforcement: before.enforcement };
}

function notServable({ id, licenseId }: InstalledKey, wanted: string): Problem {
  const detail =
    licenseId === null
      ? `The key ${id} states no LicenseID, by which it could be served. Have it issued anew with LicenseID=${wanted}.`
      : `The key ${id} states the LicenseID "${licenseId}", not "${wanted}". Serve it under its own, or serve a key that states "${wanted}".`;
  return { is: 'problem', code: 'key-not-servable', detail };
}

/** Decides whether an instance has to follow what is served now, and activates it by the rules of its profile. */
export function decideCheckKey(draft: Draft, operation: CheckKey, policy: Policy): Answer {
  const { table } = draft;
  const instance = table.instances.get(operation.name);
  if (!instance) return instanceNotFound(operation.name);
  const served = instance.licenseId === undefined ? null : servedKeyOf(table, instance.licenseId);
  if (!served || !isBehind(instance, served)) return { is: 'key-checked', instance, served, activated: null };
  const { servedAtMs } = served;
  if (served.id === instance.key && instance.pendingKey === undefined) {
    const followed: Instance = { ...instance, servedAtMs: servedAtMs!, revision: draft.nextDecision };
    draft.emit({ type: 'configured', instance: followed, by: draft.by(operation.actor) });
    return { is: 'key-checked', instance: followed, served, activated: null };
  }
  const activated = activate(draft, instance, served.id, 'served', operation.actor, policy, { servedAtMs });
  if (activated.is !== 'activation') return activated;
  return { is: 'key-checked', instance: activated.instance, served, activated };
}

/** How a registration bears on the key of an instance, where it may name a LicenseID. */
export interface LicenseIdStatement {
  /** The record that it meets. One that asked by another LicenseID, or by none, has stated nothing of this. */
  readonly known: Instance | undefined;
  /** The key that it names; null for none. */
  readonly stated: string | null;
  /** The key that is served to it at this start: one that it has not followed before. */
  readonly served: InstalledKey | null;
  /** @returns what its record says of the LicenseID once it works under a key. */
  readonly members: (key: string | null) => Changes;
}

/**
 * Reads a registration that may name a LicenseID. Where no key is served, or none that is good for the instance,
 * it keeps the one that it had by this LicenseID. A running instance keeps its key in any case, until the next
 * time that it is seen to what is served.
 *
 * @param named - the key that it works under without a LicenseID; null for none.
 */
export function statementOf(
  table: Table,
  current: Instance | undefined,
  kind: RegistrationKind,
  { licenseId }: Pick<Register, 'licenseId'>,
  named: string | null,
): LicenseIdStatement {
  const isOther = current !== undefined && current.licenseId !== licenseId;
  const known = isOther ? withChanges(current, { statedKey: undefined }) : current;
  if (licenseId === undefined) {
    const members = () => ({ licenseId, servedAtMs: undefined });
    return { known, stated: named, served: null, members };
  }
  const followed = isOther ? undefined : current?.servedAtMs;
  const latest = kind === 'retry' ? null : servedKeyOf(table, licenseId);
  const served = latest !== null && latest.servedAtMs! > (followed ?? 0) ? latest : null;
  const members = (key: string | null): Changes => ({
    licenseId,
    servedAtMs: served !== null && served.id === key ? served.servedAtMs : followed,
    statedKey: key === null ? undefined : null,
  });
  return { known, stated: kind === 'retry' && isOther ? current.key : null, served, members };
}

/**
 * What keeps an instance from the key that is served for it, in words; null when nothing does.
 * @param atMs - now, ms since 1970.
 */
export function servedNotice(
  table: Table,
  instance: Instance,
  policy: Pick<Policy, 'revokedKeys'>,
  atMs: number,
): string | null {
  const { licenseId, name } = instance;
  if (licenseId === undefined) return null;
  const served = servedKeyOf(table, licenseId);
  if (!served) {
    return `No key is served under the LicenseID "${licenseId}" of instance "${name}". Put one that states it into the directory of served keys, or serve an installed one with PUT /v1/served-keys/${encodeURIComponent(licenseId)}; the instance takes it by itself.`;
  }
  if (!isBehind(instance, served) || served.id === instance.key) return null;
  const problem = refuseKey(table, instance, served) ?? refuseUnusable(served, policy, atMs);
  return problem && `Instance "${name}" does not take the key that is served for it. ${problem.detail}`;
}
