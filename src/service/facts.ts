/**
 * The facts that a row says: what its transaction writes into the tables of keys, instances and episodes over the limit.
 */

import type { JournalRow } from '../domain/events.ts';
import type { Excess } from '../domain/excesses.ts';
import type { Instance } from '../domain/instances.ts';
import type { InstalledKey } from '../domain/keyring.ts';
import type { Facts } from '../storage/journal.ts';

/**
 * @param files - the key files that came with the batch, by key ID.
 * @returns the last word of the row on each fact; null when it says none, as most rows do.
 */
export function factsOf(row: JournalRow, files: ReadonlyMap<string, Uint8Array>): Facts | null {
  const keys = new Map<string, InstalledKey | null>();
  const instances = new Map<string, Instance | null>();
  const excesses = new Map<string, Excess>();
  for (const event of row.events) {
    switch (event.type) {
      case 'key-installed':
      case 'key-changed':
        keys.set(event.key.id, event.key);
        break;
      case 'key-removed':
        keys.set(event.key, null);
        break;
      case 'registered':
      case 'configured':
      case 'silenced':
      case 'revived':
        instances.set(event.instance.name, event.instance);
        break;
      case 'deregistered':
        instances.set(event.instance, null);
        break;
      case 'excess':
        excesses.set(event.excess.id, event.excess);
        break;
    }
  }
  if (keys.size === 0 && instances.size === 0 && excesses.size === 0) return null;
  const present = <Value>(map: Map<string, Value | null>) =>
    [...map.values()].filter((value) => value !== null);
  const absent = (map: Map<string, unknown>) =>
    [...map].filter(([, value]) => value === null).map(([id]) => id);
  return {
    keys: present(keys).map((key) => ({ key, file: files.get(key.id) ?? null })),
    keysRemoved: absent(keys),
    instances: present(instances),
    instancesRemoved: absent(instances),
    excesses: [...excesses.values()],
  };
}
