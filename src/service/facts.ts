/**
 * The facts that a row says: what its transaction writes into the tables of keys, instances and episodes over the limit.
 */

import type { Application } from '../domain/applications/applications.ts';
import type { JournalRow } from '../domain/events.ts';
import type { Excess } from '../domain/excesses.ts';
import type { Instance } from '../domain/instances.ts';
import type { Activation } from '../domain/keys/activation.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import type { Facts } from '../storage/journal.ts';

/**
 * @param files - the key files that came with the batch, by key ID.
 * @returns the last word of the row on each fact; null when it says none, as most rows do.
 */
export function factsOf(row: JournalRow, files: ReadonlyMap<string, Uint8Array>): Facts | null {
  const keys = new Map<string, InstalledKey | null>();
  const instances = new Map<string, Instance | null>();
  const excesses = new Map<string, Excess>();
  const activations: Activation[] = [];
  const applications = new ApplicationFacts();
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
        applications.drop(event.instance);
        break;
      case 'excess':
        excesses.set(event.excess.id, event.excess);
        break;
      case 'activated':
        activations.push(event.activation);
        break;
      case 'application-loaded':
        applications.put(event.application);
        break;
      case 'application-removed':
        applications.remove(event.instance, event.application);
        break;
    }
  }
  if (keys.size + instances.size + excesses.size + activations.length + applications.size === 0) return null;
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
    activations,
    applications: applications.loaded,
    applicationsRemoved: applications.removed,
  };
}

/** The last word of a row on each application section. */
class ApplicationFacts {
  readonly #loaded = new Map<string, Application>();
  readonly #removed = new Map<string, { instance: string; name: string | null }>();

  get size(): number {
    return this.#loaded.size + this.#removed.size;
  }

  get loaded(): Application[] {
    return [...this.#loaded.values()];
  }

  get removed(): { instance: string; name: string | null }[] {
    return [...this.#removed.values()];
  }

  put(application: Application): void {
    this.#loaded.set(`${application.instance}\n${application.name}`, application);
  }

  remove(instance: string, name: string): void {
    this.#loaded.delete(`${instance}\n${name}`);
    this.#removed.set(`${instance}\n${name}`, { instance, name });
  }

  /** All sections of an instance go with it. */
  drop(instance: string): void {
    for (const [id, application] of this.#loaded)
      if (application.instance === instance) this.#loaded.delete(id);
    this.#removed.set(instance, { instance, name: null });
  }
}
