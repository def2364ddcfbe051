/**
 * Counts of instances with their marks, the histogram of how long logins lasted, and resetting both (notes 2.3).
 * Counts are read from a replica's copy that has caught up.
 */

import type { Principal } from '../domain/access.ts';
import type { Instance } from '../domain/instances.ts';
import { defaultPoolOf } from '../domain/instances.ts';
import { DURATION_BOUNDS_SECONDS, noDurations } from '../domain/marks/durations.ts';
import { type Counter, Marks as StandingMarks, sinceAll } from '../domain/marks/marks.ts';
import type { Answer } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import type { DurationCounts, InstanceCounts } from '../domain/texts/usagerows.ts';
import type { DatabaseClock } from './clock.ts';
import type { AsOf } from './keys.ts';
import type { Lane } from './lane.ts';
import { availabilityOf, requireOn } from './reports.ts';
import { limitsOf } from './usage.ts';

/** What the service needs. */
export interface MarksOptions {
  readonly lane: Pick<Lane, 'submit' | 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
}

/** The counters of a reset that names none: users and connections, as `LUMaxConsumedReset()` and `DistributedMaxReset("")`. */
export const COUNTERS_RESET_BY_DEFAULT: readonly Counter[] = ['users', 'connections'];

/** The counters of a key, which knows users and connections only. */
export type KeyCounter = Extract<Counter, 'users' | 'connections'>;

/** The type of keys that limit processes, by which `Proc*` means something. */
const PROCESS_LIMITING_TYPE = 'real-time';

/** Reads counts and marks, and resets them. */
export class Marks {
  readonly #options: MarksOptions;

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  /**
   * What an instance uses and has used.
   * @throws LicenseError `instance-not-found` or `forbidden`.
   */
  counts(principal: Principal, name: string): Promise<InstanceCounts & { readonly asOf: AsOf }> {
    return this.#options.lane.read((table) => {
      const instance = requireOn(table, principal, 'usage.read', name);
      const asOf = this.#asOf(table);
      return { ...countsOf(table, instance, asOf.atMs, this.#options.revoked), asOf };
    });
  }

  /**
   * How long the logins of an instance lasted that have ended.
   * @throws LicenseError `instance-not-found` or `forbidden`.
   */
  durations(principal: Principal, name: string): Promise<DurationCounts & { readonly asOf: AsOf }> {
    return this.#options.lane.read((table) => {
      const instance = requireOn(table, principal, 'usage.read', name);
      const place = table.places.get(name);
      const none = noDurations(place?.life?.startedAtMs ?? instance.registeredAtMs);
      const { counts, sinceMs } = place?.durations ?? none;
      const asOf = this.#asOf(table);
      return { boundsSeconds: DURATION_BOUNDS_SECONDS, counts: [...counts], sinceMs, atMs: asOf.atMs, asOf };
    });
  }

  /** The key that an instance is registered with; undefined when there is no such instance. */
  keyOf(name: string): Promise<string | null | undefined> {
    return this.#options.lane.read((table) => table.instances.get(name)?.key);
  }

  /** Sets marks of an instance back to what stands. */
  resetInstance(name: string, counters: readonly Counter[], actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'reset-marks', instance: name, key: null, counters, actor });
  }

  /** Sets marks of a key, over all its instances, back to what stands. */
  resetKey(id: string, counters: readonly KeyCounter[], actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'reset-marks', instance: null, key: id, counters, actor });
  }

  /** Begins the histogram of an instance anew. */
  clearDurations(name: string, actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'clear-durations', instance: name, actor });
  }

  #asOf(table: Table): AsOf {
    return { atMs: Math.floor(this.#options.clock.nowMs()), version: table.version };
  }
}

/**
 * What an instance uses and has used.
 * @param atMs - as of when, ms since 1970.
 * @param revoked - IDs of signing keys and of single keys that are no longer trusted.
 */
export function countsOf(
  table: Table,
  instance: Instance,
  atMs: number,
  revoked: ReadonlySet<string>,
): InstanceCounts {
  const place = table.places.get(instance.name);
  const marks = place?.marks ?? new StandingMarks();
  const startedAtMs = place?.life?.startedAtMs ?? instance.registeredAtMs;
  const since = place?.life?.since ?? sinceAll(startedAtMs);
  const { available, availableMin, availableMax } = availabilityOf(table, instance, atMs, revoked);
  const [left, unitsMax] = [available ?? 0, availableMax ?? 0];
  const key = instance.key === null ? undefined : table.keys.get(instance.key);
  const level = (now: number, peak: number, counter: Counter) => ({ now, peak, sinceMs: since[counter] });
  const { processes, processesPeak } = marks;
  const limits = key?.licenseType === PROCESS_LIMITING_TYPE;
  return {
    instance: instance.name,
    key: instance.key,
    source: place?.report ? 'reported' : 'server',
    reportedAtMs: place?.report?.atMs ?? null,
    ...limitsOf(table, instance.key ?? defaultPoolOf(instance.name)),
    unitsMax,
    unitsAvailable: { now: left, minimum: Math.min(left, availableMin ?? left), sinceMs: since.users },
    units: level(place?.units ?? 0, marks.unitsPeak, 'users'),
    users: level(marks.users, marks.usersPeak, 'users'),
    connections: level(marks.connections, marks.connectionsPeak, 'connections'),
    webUsers: level(marks.webUsers, marks.webUsersPeak, 'web-users'),
    webGrace: level(marks.webGrace, marks.webGracePeak, 'web-grace'),
    processes: level(processes, processesPeak, 'processes'),
    processesAvailable: limits
      ? {
          now: Math.max(0, unitsMax - processes),
          minimum: Math.max(0, unitsMax - processesPeak),
          sinceMs: since.processes,
        }
      : null,
    startedAtMs,
    atMs,
  };
}
