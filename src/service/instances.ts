/**
 * Instances: registering one, its settings, and what it holds.
 */

import { LicenseError } from '../domain/errors.ts';
import type { Instance, InstanceSettings } from '../domain/instances.ts';
import { type KeyStatus, keyStatus } from '../domain/keys/keys.ts';
import { servedNotice } from '../domain/keys/servedkeys.ts';
import { disagreementNotice } from '../domain/licenseservers.ts';
import { instanceNotFound } from '../domain/logins.ts';
import type { Answer, Register } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import { type Terms, termsOf } from '../domain/terms.ts';
import type { DatabaseClock } from './clock.ts';
import type { Heartbeats } from './heartbeats.ts';
import { type AsOf, byCodeUnits, type FeatureState, featureOf } from './keys.ts';
import type { Lane } from './lane.ts';
import { leasedOf } from './releases.ts';

/** A sign of life is asked for three times within the time that an instance may be silent. */
const HEARTBEATS_PER_GRACE = 3;

/** What the instances' service needs. */
export interface InstancesOptions {
  readonly lane: Pick<Lane, 'submit' | 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly heartbeats: Pick<Heartbeats, 'forgetLogins' | 'forgetInstance'>;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
  /** How long a new instance may be silent unless it asks for another time, in seconds. */
  readonly graceSeconds: number;
}

/** What an instance holds. */
export interface Holdings {
  readonly logins: number;
  /** Logins that are somebody's and hold a unit or share one, and connections that the instance reported. */
  readonly connections: number;
  /** Distinct users among them. */
  readonly users: number;
  /** Units as the instance sees them: a user who is also elsewhere counts here too. */
  readonly units: number;
}

/** The licence that an instance works under, in a code and in words. */
export interface LicenceState {
  readonly status: KeyStatus['status'];
  /** Why there is none that can be used; null otherwise. */
  readonly code: KeyStatus['code'] | 'key-missing';
  readonly reason: string;
}

/** An instance with the state of its licence. */
export interface InstanceInState {
  readonly instance: Instance;
  readonly licence: LicenceState;
  readonly terms: Terms;
}

/** Registers, lists, reads, changes and removes instances. */
export class Instances {
  readonly #options: InstancesOptions;

  constructor(options: InstancesOptions) {
    this.#options = options;
  }

  /** The key that an instance is registered with; undefined when there is no such instance. */
  keyOf(name: string): Promise<string | null | undefined> {
    return this.#options.lane.read((table) => table.instances.get(name)?.key);
  }

  /** The key that an instance worked under before; undefined when there is none. */
  previousKeyOf(name: string): Promise<string | undefined> {
    return this.#options.lane.read((table) => table.instances.get(name)?.previousKey);
  }

  /** Registers an instance. A name that is new gets the configured time of silence, unless it states one. */
  async register(request: Omit<Register, 'op'>): Promise<Answer> {
    const { lane, heartbeats, graceSeconds } = this.#options;
    const before = await lane.read((table) => table.instances.get(request.name)?.incarnation);
    const settings = before === undefined ? { graceSeconds, ...request.settings } : request.settings;
    const answer = await lane.submit({ op: 'register', ...request, settings });
    // A replica that has not heard of the restart must not tell the former life by the store that it is well.
    if (answer.is === 'instance' && answer.outcome === 'restart' && before !== undefined) {
      await heartbeats.forgetInstance(request.name, before);
    }
    return answer;
  }

  /**
   * Lists instances by name.
   * @param mayShow - whether the asker may see an instance.
   * @param page.after - the name of the last instance of the page before; null begins at the start.
   * @param page.key - only instances registered with this key; undefined for all.
   */
  list(
    mayShow: (instance: Instance) => boolean,
    page: { readonly after: string | null; readonly limit: number; readonly key: string | undefined },
  ): Promise<{ readonly items: InstanceInState[]; readonly hasMore: boolean; readonly asOf: AsOf }> {
    const { after, limit, key } = page;
    return this.#options.lane.read((table) => {
      const found = [...table.instances.values()]
        .filter(({ name }) => after === null || name > after)
        .filter((instance) => (key === undefined || instance.key === key) && mayShow(instance))
        .sort((left, right) => byCodeUnits(left.name, right.name));
      return {
        items: found.slice(0, limit).map((instance) => this.#inState(table, instance)),
        hasMore: found.length > limit,
        asOf: this.#asOf(table),
      };
    });
  }

  /** @throws LicenseError `instance-not-found`. */
  get(name: string): Promise<InstanceInState & { readonly holds: Holdings; readonly asOf: AsOf }> {
    return this.#options.lane.read((table) => ({
      ...this.#inState(table, requireInstance(table, name)),
      holds: holdingsOf(table, name),
      asOf: this.#asOf(table),
    }));
  }

  /** The state of an instance's licence now, of a record that the lane has just answered with. */
  inState(instance: Instance): Promise<InstanceInState> {
    return this.#options.lane.read((table) => this.#inState(table, instance), false);
  }

  /** What a registration is answered with: the state, and what its administrator should be told. */
  registered(instance: Instance): Promise<InstanceInState & { readonly notices: readonly string[] }> {
    const { clock, revoked } = this.#options;
    return this.#options.lane.read((table) => {
      const others = [...table.instances.values()].filter(
        ({ name, key }) => key === instance.key && name !== instance.name,
      );
      const notices = [
        disagreementNotice([instance, ...others], instance.name),
        servedNotice(table, instance, { revokedKeys: revoked }, clock.nowMs()),
      ].filter((notice) => notice !== null);
      return { ...this.#inState(table, instance), notices };
    }, false);
  }

  /** Changes settings on the revision that the caller has seen; null is whatever stands. */
  configure(
    name: string,
    settings: Partial<InstanceSettings>,
    ifRevision: string | null,
    actor: string,
  ): Promise<Answer> {
    return this.#options.lane.submit({ op: 'configure', name, settings, ifRevision, actor });
  }

  /** Removes an instance and releases everything it held. Repeating it does no harm. */
  async remove(name: string, actor: string): Promise<Answer> {
    const { lane, heartbeats } = this.#options;
    const { leased, incarnation } = await lane.read((table) => ({
      leased: leasedOf(table.places.get(name)?.logins.open() ?? []),
      incarnation: table.instances.get(name)?.incarnation,
    }));
    const answer = await lane.submit({ op: 'deregister', name, actor });
    if (answer.is !== 'ended') return answer;
    await heartbeats.forgetLogins(leased);
    if (incarnation !== undefined) await heartbeats.forgetInstance(name, incarnation);
    return answer;
  }

  /**
   * Whether the key of an instance permits a feature now (F-8).
   * @throws LicenseError `instance-not-found`.
   */
  feature(name: string, feature: string): Promise<FeatureState> {
    const { lane, clock, revoked } = this.#options;
    return lane.read((table) => {
      const instance = requireInstance(table, name);
      const key = instance.key === null ? undefined : table.keys.get(instance.key);
      if (key) return featureOf({ key, status: keyStatus(key, clock.nowMs(), revoked) }, feature);
      return { enabled: false, reason: this.#inState(table, instance).licence.reason };
    });
  }

  #inState(table: Table, instance: Instance): InstanceInState {
    const { clock, revoked } = this.#options;
    const nowMs = clock.nowMs();
    const terms = termsOf(table, instance, nowMs, revoked);
    return { instance, licence: licenceOf(table, instance, nowMs, revoked), terms };
  }

  #asOf(table: Table): AsOf {
    return { atMs: this.#options.clock.nowMs(), version: table.version };
  }
}

/**
 * How often an instance should give a sign of life.
 *
 * @param settings - of the instance.
 * @returns the interval in whole seconds; null when the instance is not watched.
 */
export function heartbeatAfterSeconds({ graceSeconds }: InstanceSettings): number | null {
  return graceSeconds === 0 ? null : Math.max(1, Math.floor(graceSeconds / HEARTBEATS_PER_GRACE));
}

/**
 * Counts what an instance holds.
 *
 * @param table - at its head.
 * @param name - of the instance, which may hold nothing.
 */
export function holdingsOf(table: Table, name: string): Holdings {
  const place = table.places.get(name);
  const { connections, users } = place?.marks ?? { connections: 0, users: 0 };
  return { logins: place?.logins.size ?? 0, connections, users, units: place?.units ?? 0 };
}

function requireInstance(table: Table, name: string): Instance {
  const instance = table.instances.get(name);
  if (instance) return instance;
  throw new LicenseError('instance-not-found', instanceNotFound(name).detail);
}

function licenceOf(
  table: Table,
  instance: Instance,
  nowMs: number,
  revoked: ReadonlySet<string>,
): LicenceState {
  const key = instance.key === null ? undefined : table.keys.get(instance.key);
  if (key) return keyStatus(key, nowMs, revoked);
  const why =
    instance.key === null
      ? 'The instance is registered without a key'
      : `The key ${instance.key} is not installed any more`;
  const reason = `${why}: it has one unit for one connection, enough to mend that. Install a key and register with it.`;
  return { status: 'invalid', code: 'key-missing', reason };
}
