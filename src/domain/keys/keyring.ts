/**
 * The keys that are installed: installing one, changing how it is enforced, removing it.
 */

import { scopeKey } from '../applications/applicationtable.ts';
import type { Draft } from '../draft.ts';
import { endExcess, noteExcess } from '../excesses.ts';
import type { Answer, ChangeKey, InstallKey, Problem, RemoveKey } from '../operations.ts';
import type { Table } from '../table.ts';
import type { LicenseKey } from './keys.ts';

/** A key that is installed, as events and the database carry it. */
export interface InstalledKey extends LicenseKey {
  readonly installedAtMs: number;
  readonly installedBy: string;
  /** Since when it is served by its LicenseID, ms since 1970; of several keys the latest is. */
  readonly servedAtMs?: number;
  /** Changes with every change of the record; the entity tag of its settings. */
  readonly revision: string;
}

/** Decides an installation. The same content again is already there and changes nothing. */
export function decideInstallKey(draft: Draft, operation: InstallKey): Answer {
  const current = draft.table.keys.get(operation.key.id);
  if (current) {
    const problem = refuseOtherStatement(current, operation.key);
    return problem ?? { is: 'key', key: current, outcome: 'present' };
  }
  const key: InstalledKey = {
    ...operation.key,
    installedAtMs: draft.atMs,
    installedBy: operation.actor,
    revision: draft.nextDecision,
  };
  if (operation.file) draft.files.set(key.id, operation.file);
  draft.emit({ type: 'key-installed', key, by: draft.by(operation.actor) });
  return { is: 'key', key, outcome: 'installed' };
}

/**
 * A foreign key's terms are somebody's statement; stating others for the same file is not a repetition.
 * @param key - what the same file would give now.
 */
export function refuseOtherStatement(current: InstalledKey, key: LicenseKey): Problem | null {
  const same =
    current.unitsAuthorised === key.unitsAuthorised &&
    current.unitsEnforced === key.unitsEnforced &&
    current.licenseType === key.licenseType &&
    current.server === key.server;
  const other = otherTerm(current, key);
  if (same && other === null) return null;
  const found = same
    ? `another ${other}`
    : `${current.unitsAuthorised} units authorised, ${current.unitsEnforced} enforced, type ${current.licenseType}, server ${current.server}`;
  return {
    is: 'problem',
    code: 'key-in-use',
    detail: `The key ${key.id} is installed with ${found}. Remove it first to install the same file with another statement.`,
  };
}

/** The first of the lesser terms that is another one. */
function otherTerm(current: LicenseKey, key: LicenseKey): string | null {
  if (current.product !== key.product) return 'product';
  if (current.cores !== key.cores) return 'number of cores';
  if (current.versionFrom !== key.versionFrom || current.versionTo !== key.versionTo)
    return 'range of versions';
  return current.features.join('\n') === key.features.join('\n') ? null : 'list of features';
}

/** Decides a change of how a key is enforced, on the revision that the caller has seen. */
export function decideChangeKey(draft: Draft, operation: ChangeKey): Answer {
  const current = draft.table.keys.get(operation.id);
  if (!current) return keyNotFound(operation.id);
  if (operation.ifRevision !== null && operation.ifRevision !== current.revision) {
    return {
      is: 'problem',
      code: 'precondition-failed',
      detail: `The key ${operation.id} was changed meanwhile. Read it again and repeat the change on its new ETag.`,
    };
  }
  const { enforcement = current.enforcement } = operation.changes;
  const problem =
    enforcement === current.enforcement ? null : refuseEnforcement(draft.table, current, enforcement);
  if (problem) return problem;
  const key: InstalledKey = { ...current, ...operation.changes, revision: draft.nextDecision };
  draft.emit({ type: 'key-changed', key, by: draft.by(operation.actor) });
  // Where instances do not decide for themselves any more, nobody is to be stopped for what they had let in.
  if (enforcement === 'local' && current.enforcement !== 'local')
    noteExcess(draft, draft.table.pool(key.id), {
      limit: key.unitsEnforced,
      cause: 'activated',
      arrivals: [],
    });
  if (enforcement !== 'local') endExcess(draft, draft.table.pool(key.id), 'change');
  return { is: 'key', key, outcome: 'changed' };
}

/**
 * Who decides cannot change while instances hold by the old rule what the new one does not know: rows that they
 * reported, or units that are leased to them.
 */
function refuseEnforcement(
  table: Table,
  { id, enforcement }: InstalledKey,
  wanted: LicenseKey['enforcement'],
): Problem | null {
  const holders = new Set([...(table.pools.get(id)?.leases ?? [])].map(({ place }) => place.instance));
  for (const { instance, report } of table.places.values())
    if (report?.pool === id && report.rows > 0) holders.add(instance);
  if (holders.size === 0) return null;
  const names = [...holders].sort();
  const shown = names.slice(0, HOLDERS_NAMED_MAX).map((name) => `"${name}"`);
  const others = names.length - shown.length;
  return {
    is: 'problem',
    code: 'key-in-use',
    detail: `The enforcement of key ${id} cannot change from ${enforcement} to ${wanted} while instances hold users or units by the old one: ${shown.join(', ')}${others > 0 ? ` and ${others} more` : ''}. Close them, or register them with another key, change the enforcement, and start them again.`,
    extras: { heldBy: names[0]! },
  };
}

/** How many instances a problem names. */
const HOLDERS_NAMED_MAX = 5;

/** Decides a removal, which nothing that still depends on the key may stand against. */
export function decideRemoveKey(draft: Draft, operation: RemoveKey): Answer {
  const { table } = draft;
  if (!table.keys.has(operation.id)) return { is: 'done' };
  const users = [...table.instances.values()].filter(
    ({ key, pendingKey }) => key === operation.id || pendingKey === operation.id,
  );
  // The first by name, so that the same is said wherever it is decided.
  const [user] = users.sort((one, other) => (one.name < other.name ? -1 : 1));
  if (user?.key === operation.id) return inUse(operation.id, `instance "${user.name}" is registered with it`);
  if (user) return inUse(operation.id, `it waits for the next start of instance "${user.name}"`);
  const units = table.pools.get(operation.id)?.units ?? 0;
  if (units > 0) return inUse(operation.id, `${units} of its units are in use`);
  const held = [...(table.counters.get(scopeKey({ key: operation.id }))?.values() ?? [])];
  if (held.some(({ users }) => users.size > 0))
    return inUse(operation.id, 'units of its applications are held');
  draft.emit({ type: 'key-removed', key: operation.id, by: draft.by(operation.actor) });
  return { is: 'done' };
}

function inUse(id: string, why: string): Problem {
  return { is: 'problem', code: 'key-in-use', detail: `The key ${id} cannot be removed: ${why}.` };
}

export function keyNotFound(id: string): Problem {
  return {
    is: 'problem',
    code: 'key-not-found',
    detail: `The key "${id}" is not installed. Install it with POST /v1/keys; GET /v1/keys lists those that are.`,
  };
}
