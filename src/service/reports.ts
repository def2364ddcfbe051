/**
 * The reports of one instance: its key with what is left of it, and who holds what there (F-60, F-61), from a
 * replica's copy that has caught up. What an instance that decides for itself holds is as it reported it.
 */

import { type Action, type Principal, permits } from '../domain/access.ts';
import { LicenseError } from '../domain/errors.ts';
import { type Instance, unitLimitOf } from '../domain/instances.ts';
import { licenseField } from '../domain/keys/keyfields.ts';
import { parseKeyFile } from '../domain/keys/keyfiles.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import { type KeyStatus, keyStatus } from '../domain/keys/keys.ts';
import { instanceNotFound } from '../domain/logins.ts';
import type { Table } from '../domain/table.ts';
import { termsOf } from '../domain/terms.ts';
import { type InstanceRows, rowsOfInstance } from '../domain/texts/reportrows.ts';
import type { Availability, Generation } from '../domain/texts/reporttexts.ts';
import type { DumpUnits } from '../domain/texts/reporttexts-dumps.ts';
import type { DatabaseClock } from './clock.ts';
import type { AsOf, Keys } from './keys.ts';
import type { Lane } from './lane.ts';

/** What the reports need. */
export interface ReportsOptions {
  readonly lane: Pick<Lane, 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly keys: Pick<Keys, 'file'>;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
  /** How many logins and reported users of an instance are gone through in memory; only tests need another number. */
  readonly rowsInMemoryMax?: number;
}

/** Of which instance a report is, and as of when. */
export interface ReportHead {
  readonly instance: Instance;
  /** When an instance that decides for itself last reported, ms since 1970; null for what the server knows itself. */
  readonly reportedAtMs: number | null;
  readonly asOf: AsOf;
}

/** The key of an instance (`CKEY`). */
export interface KeyReport extends ReportHead, Availability {
  /** Null when it has none, or one that is not installed any more. */
  readonly key: InstalledKey | null;
  readonly status: Pick<KeyStatus, 'status' | 'reason'>;
  /** As the key file has it; null for whoever may not have the file, or without one. */
  readonly authorizationKey: string | null;
  /** Active instances that use a key with this order number, this one included (`ActiveServerCount`). */
  readonly activeServers: number;
}

/** Who holds what on an instance. */
export interface LocalReport extends ReportHead {
  /** Null when they are very many: then they are read from the fold, piece by piece. */
  readonly rows: InstanceRows | null;
  readonly units: DumpUnits;
}

/** How many logins and reported users of an instance are gone through in memory, which takes a tenth of a second. */
export const ROWS_IN_MEMORY_MAX = 100_000;

/** Makes the reports of one instance. */
export class Reports {
  readonly #options: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /**
   * The key of an instance, with the units that are left of it.
   * @throws LicenseError `instance-not-found`, `forbidden`, `storage-unavailable`.
   */
  async key(principal: Principal, name: string): Promise<KeyReport> {
    const { lane, revoked } = this.#options;
    const report = await lane.read((table) => {
      const instance = requireOn(table, principal, 'instances.read', name);
      const head = this.#head(table, instance);
      const key = table.keys.get(instance.key ?? '') ?? null;
      const { atMs } = head.asOf;
      const status = key ? keyStatus(key, atMs, revoked) : NO_KEY_STATUS;
      const activeServers = key ? activeInstances(table, key.orderNumber).length : 0;
      return { ...head, key, status, activeServers, ...availabilityOf(table, instance, atMs, revoked) };
    });
    return { ...report, authorizationKey: await this.authorizationKey(principal, report.key) };
  }

  /**
   * The authorization key of a key, by which it could be installed elsewhere: only for who may install keys.
   * @returns null for everybody else; empty for a key that is built in.
   */
  async authorizationKey(principal: Principal, key: InstalledKey | null): Promise<string | null> {
    if (key === null || key.trust === 'evaluation') return '';
    if (!permits(principal, 'keys.install', { keyId: key.id })) return null;
    const parsed = parseKeyFile((await this.#options.keys.file(key.id)).bytes);
    return parsed.ok ? (licenseField(parsed.file, 'AuthorizationKey') ?? '') : '';
  }

  /**
   * Who holds what on an instance.
   * @throws LicenseError `instance-not-found` or `forbidden`.
   */
  local(principal: Principal, name: string): Promise<LocalReport> {
    const { lane, revoked, rowsInMemoryMax = ROWS_IN_MEMORY_MAX } = this.#options;
    return lane.read((table) => {
      const instance = requireOn(table, principal, 'usage.read', name);
      const head = this.#head(table, instance);
      const capacity = capacityOf(table, instance, head.asOf.atMs, revoked);
      if (isLarge(table, name, rowsInMemoryMax)) {
        return { ...head, rows: null, units: { capacity, inUse: table.places.get(name)!.units } };
      }
      const rows = rowsOfInstance(table, name);
      const inUse = rows.users.reduce((total, { units }) => total + units, 0);
      return { ...head, rows, units: { capacity, inUse } };
    });
  }

  /**
   * Whether an instance has anything to do with licence servers.
   * @param name - of the instance; undefined when none is meant.
   * @throws LicenseError `instance-not-found` or `forbidden`.
   */
  server(
    principal: Principal,
    name: string | undefined,
  ): Promise<{ readonly isSingle: boolean; readonly asOf: AsOf }> {
    return this.#options.lane.read((table) => {
      const instance = name === undefined ? null : requireOn(table, principal, 'instances.read', name);
      const key = table.keys.get(instance?.key ?? '');
      const atMs = Math.floor(this.#options.clock.nowMs());
      return { isSingle: key?.server === 'single', asOf: { atMs, version: table.version } };
    });
  }

  #head(table: Table, instance: Instance): ReportHead {
    const asOf = { atMs: Math.floor(this.#options.clock.nowMs()), version: table.version };
    return { instance, asOf, reportedAtMs: reportedAtMs(table, instance.name) };
  }
}

/** The state of the key of an instance that has none. */
export const NO_KEY_STATUS: Pick<KeyStatus, 'status' | 'reason'> = {
  status: 'invalid',
  reason: 'The instance has no usable key.',
};

/** Whether an instance has more rows than are gone through in memory. */
function isLarge(table: Table, name: string, max: number): boolean {
  const place = table.places.get(name);
  return place !== undefined && place.logins.size + place.reported.size > max;
}

/**
 * The rows of an instance, for a report in pages.
 * @param max - how many logins and reported users may be gone through in memory.
 * @throws LicenseError `report-too-large`.
 */
export function requireRows(table: Table, name: string, max: number): InstanceRows {
  if (isLarge(table, name, max)) throw reportTooLarge(name);
  return rowsOfInstance(table, name);
}

/** The refusal of pages of very many rows, each of which would cost as much as all of them. */
export function reportTooLarge(name: string): LicenseError {
  return new LicenseError(
    'report-too-large',
    `The instance ${name} has too many logins and users for pages. Ask for GET /v1/instances/${name}/dumps/in-use or …/processes with Accept: application/x-ndjson, or text/plain.`,
  );
}

/** @returns when an instance that decides for itself last reported, ms since 1970; null for any other. */
export function reportedAtMs(table: Table, name: string): number | null {
  return table.places.get(name)?.report?.atMs ?? null;
}

/**
 * Finds an instance that the asker may see.
 * @throws LicenseError `instance-not-found`; `forbidden`.
 */
export function requireOn(table: Table, principal: Principal, action: Action, name: string): Instance {
  const instance = table.instances.get(name);
  if (permits(principal, action, { instance: name, keyId: instance?.key })) {
    if (instance) return instance;
    throw new LicenseError('instance-not-found', instanceNotFound(name).detail);
  }
  // To a restriction to keys, what is not registered is nobody's: there is nothing to protect.
  if (!instance && permits(principal, action) && principal.instance === null)
    throw new LicenseError('instance-not-found', instanceNotFound(name).detail);
  throw new LicenseError(
    'forbidden',
    `The token is restricted and does not permit ${action} on the instance ${name}.`,
  );
}

/** @returns the units that an instance may use: of its key, or its own limit where that is less. */
export function capacityOf(
  table: Table,
  instance: Instance,
  nowMs: number,
  revoked: ReadonlySet<string>,
): number {
  const { limit, fault } = termsOf(table, instance, nowMs, revoked);
  const own = unitLimitOf(instance);
  return fault === null && own > 0 ? Math.min(limit, own) : limit;
}

/** @returns what is left of the units of an instance, and the least and the most that could be. */
export function availabilityOf(
  table: Table,
  instance: Instance,
  nowMs: number,
  revoked: ReadonlySet<string>,
): Availability {
  const capacity = capacityOf(table, instance, nowMs, revoked);
  const place = table.places.get(instance.name);
  const isMarked = place !== undefined && place.life !== null;
  return {
    available: Math.max(0, capacity - (place?.units ?? 0)),
    availableMin: isMarked ? Math.min(capacity, Math.max(0, place.marks.availableMin)) : null,
    availableMax: capacity,
  };
}

/** @returns the active instances that use a key with an order number (`ActiveServerList`). */
export function activeInstances(table: Table, orderNumber: string): Instance[] {
  return [...table.instances.values()].filter(
    ({ key, state }) => state === 'active' && table.keys.get(key ?? '')?.orderNumber === orderNumber,
  );
}

/** @returns the generation of a product, as the instance named it; the texts of Caché say more. */
export function generationOf({ product }: Pick<Instance, 'product'>): Generation {
  return /\biris\b/i.test(product ?? '') ? 'iris' : 'cache';
}
