/**
 * The terms that an instance works under: by whom its logins are decided, and up to which limits.
 */

import type { CapacityFault } from './grounds.ts';
import type { Instance } from './instances.ts';
import type { InstalledKey } from './keys/keyring.ts';
import type { LicenseKey } from './keys/keys.ts';
import { capacityOf } from './logins.ts';
import type { Table } from './table.ts';

export interface Terms {
  /** The key's; an instance without a key asks the server for its one unit. */
  readonly enforcement: LicenseKey['enforcement'];
  /** The key that it is registered with, as far as it is installed. */
  readonly key: InstalledKey | null;
  /** What the key cannot be used for now; null when it can. */
  readonly fault: CapacityFault | null;
  /** The units that are enforced; 1 without a usable key (F-24). */
  readonly limit: number;
  readonly connectionsPerUnitMax: number;
}

/**
 * @param nowMs - the instant at which the key must be usable, ms since 1970.
 * @param revoked - IDs of signing keys and of single keys that are no longer trusted.
 * @returns the terms of an instance.
 */
export function termsOf(
  table: Table,
  instance: Instance,
  nowMs: number,
  revoked: ReadonlySet<string>,
): Terms {
  const key = instance.key === null ? undefined : table.keys.get(instance.key);
  const { fault, unitsMax, connectionsPerUnitMax } = capacityOf(table, instance, nowMs, revoked);
  return {
    enforcement: key?.enforcement ?? 'central',
    key: key ?? null,
    fault,
    limit: unitsMax,
    connectionsPerUnitMax,
  };
}
