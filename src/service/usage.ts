/**
 * Who uses what: counts per key, per instance and per user, from a replica's copy that has caught up.
 */

import { type Principal, permits } from '../domain/access.ts';
import { placesOf } from '../domain/clients.ts';
import { unitsOf } from '../domain/counting.ts';
import { LicenseError } from '../domain/errors.ts';
import type { Place, Pool } from '../domain/holdings/holdings.ts';
import type { Phase } from '../domain/holdings/login.ts';
import type { User } from '../domain/holdings/user.ts';
import { defaultPoolOf } from '../domain/instances.ts';
import { keyNotFound } from '../domain/keys/keyring.ts';
import { isUsable } from '../domain/keys/keys.ts';
import type { Table } from '../domain/table.ts';
import type { DatabaseClock } from './clock.ts';
import { type Holdings, holdingsOf } from './instances.ts';
import { type AsOf, byCodeUnits } from './keys.ts';
import type { Lane } from './lane.ts';
import { leastOf } from './selection.ts';
import { type KnownSign, knownSign, type Sign, type Signs } from './signs.ts';

/** Logins by what they are doing. */
export type LoginsByPhase = Readonly<Record<Phase, number>>;

/** What is in use of a pool: of a key, or of an instance that has no usable key. */
export interface PoolCounts {
  readonly pool: string;
  /** The key; null for the default licence of an instance. */
  readonly key: string | null;
  /** The instance whose default licence it is; null for a key. */
  readonly instance: string | null;
  readonly unitsAuthorised: number;
  readonly unitsEnforced: number;
  readonly unitsInUse: number;
  /** Those of them that are leased to instances, as blocks to grant from. */
  readonly unitsLeased: number;
  /** Units that could still be granted; never below 0. */
  readonly unitsFree: number;
  /** Distinct users, each of whom may cost several units (trap 13). */
  readonly users: number;
  readonly connections: number;
  readonly unitsPeak: number;
  readonly usersPeak: number;
  readonly connectionsPeak: number;
  readonly logins: LoginsByPhase;
}

/** What is in use on an instance. */
export interface InstanceUsage extends Holdings {
  readonly instance: string;
  readonly key: string | null;
  readonly state: 'active' | 'silent';
  /** Of an instance that has reported: how fresh that is; null otherwise. */
  readonly sign: Sign | null;
}

/** One user on one instance. */
export interface UserPlace {
  readonly instance: string;
  readonly connections: number;
  /** The units of the user that this row accounts for; the rows of a user come to his units. */
  readonly units: number;
  /** Whether his unit is already counted on another row (`shr`). */
  readonly isShared: boolean;
}

/** What a user ID costs. */
export interface UserUsage {
  readonly pool: string;
  readonly key: string | null;
  readonly userId: string;
  readonly connections: number;
  /** Most connections at one time since he last had none; not a limit (trap 12). */
  readonly connectionsPeak: number;
  readonly units: number;
  readonly isTransitioned: boolean;
  /** Only instances that the asker may see. */
  readonly places: readonly UserPlace[];
}

/** One page of a report. */
export interface UsagePage<Item> {
  readonly items: Item[];
  readonly hasMore: boolean;
  readonly asOf: AsOf;
}

/** What the usage reports need. */
export interface UsageOptions {
  readonly lane: Pick<Lane, 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly signs: Signs;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
}

/** Reports what is in use, as far as the asker may see. */
export class Usage {
  readonly #options: UsageOptions;

  constructor(options: UsageOptions) {
    this.#options = options;
  }

  /**
   * Counts per pool, by its ID: every installed key, and default licences that are in use.
   * @param page.after - the ID of the last pool of the page before; null begins at the start.
   * @param page.key - only this key; undefined for all.
   * @throws LicenseError `key-not-found`.
   */
  counts(
    principal: Principal,
    page: { readonly after: string | null; readonly limit: number; readonly key: string | undefined },
  ): Promise<UsagePage<PoolCounts>> {
    return this.#read((table) => {
      const pools = poolIds(table, page.key).filter(
        (id) => (page.after === null || id > page.after) && mayCount(principal, table, id),
      );
      const shown = pools.slice(0, page.limit);
      const phases = loginsByPhase(table, new Set(shown));
      return {
        items: shown.map((id) => countsOf(table, id, phases.get(id)!, this.#mayGrant(table, id))),
        hasMore: pools.length > page.limit,
      };
    });
  }

  /**
   * Counts per registered instance, by name.
   * @param page.after - the name of the last instance of the page before; null begins at the start.
   * @param page.key - only instances registered with this key; undefined for all.
   */
  async instances(
    principal: Principal,
    page: { readonly after: string | null; readonly limit: number; readonly key: string | undefined },
  ): Promise<UsagePage<InstanceUsage>> {
    const { known, ...read } = await this.#read((table) => {
      const found = [...table.instances.values()]
        .filter(({ name, key }) => permits(principal, 'usage.read', { instance: name, keyId: key }))
        .filter(({ name }) => page.after === null || name > page.after)
        .filter(({ key }) => page.key === undefined || key === page.key)
        .sort((left, right) => byCodeUnits(left.name, right.name));
      const shown = found.slice(0, page.limit);
      return {
        items: shown.map(({ name, key, state }) => ({
          instance: name,
          key,
          state,
          ...holdingsOf(table, name),
        })),
        known: shown.map((instance) => knownSign(table, instance)),
        hasMore: found.length > page.limit,
      };
    });
    const signs = await this.#signsOf(known);
    return { ...read, items: read.items.map((item, index) => ({ ...item, sign: signs[index]! })) };
  }

  /** Only of those that have reported, for nobody asks how fresh the others are. */
  async #signsOf(known: readonly KnownSign[]): Promise<(Sign | null)[]> {
    const { signs, clock } = this.#options;
    const reporting = known.filter(({ reportedAtMs }) => reportedAtMs !== null);
    if (reporting.length === 0) return known.map(() => null);
    const found = await signs.of(reporting, clock.nowMs());
    const byMember = new Map(reporting.map(({ member }, index) => [member, found[index]!]));
    return known.map(({ member }) => byMember.get(member) ?? null);
  }

  /**
   * Users by pool and user ID.
   * @param page.after - pool and user ID of the last of the page before; null begins at the start.
   * @param page.key - only users of this key; undefined for all.
   * @throws LicenseError `key-not-found`.
   */
  users(
    principal: Principal,
    page: {
      readonly after: readonly [pool: string, userId: string] | null;
      readonly limit: number;
      readonly key: string | undefined;
    },
  ): Promise<UsagePage<UserUsage>> {
    const [afterPool, afterUser] = page.after ?? ['', ''];
    return this.#read((table) => {
      const items: UserUsage[] = [];
      for (const id of poolIds(table, page.key)) {
        const pool = table.pools.get(id);
        if (id < afterPool || !pool) continue;
        const shows = usersShown(principal, pool);
        const after = id === afterPool ? afterUser : null;
        const least = leastOf(shownIds(pool, shows, after), page.limit + 1 - items.length);
        items.push(...least.map((userId) => usageOf(pool.users.read(userId)!, shows)));
        if (items.length > page.limit) break;
      }
      return { items: items.slice(0, page.limit), hasMore: items.length > page.limit };
    });
  }

  /** A key that cannot be used grants nothing, however much of it is left. */
  #mayGrant(table: Table, id: string): boolean {
    const { clock, revoked } = this.#options;
    const key = table.keys.get(id);
    return key === undefined || isUsable(key, clock.nowMs(), revoked);
  }

  #read<Items>(run: (table: Table) => Items): Promise<Items & { readonly asOf: AsOf }> {
    return this.#options.lane.read((table) => ({
      ...run(table),
      asOf: { atMs: this.#options.clock.nowMs(), version: table.version },
    }));
  }
}

/** Which users of a pool, and where, an asker may see: on every instance, on one, or nobody. */
type UsersShown = (place: Place) => boolean;

function usersShown(principal: Principal, pool: Pool): UsersShown {
  const keyId = keyOfPool(pool.id);
  return (place) => permits(principal, 'usage.read', { keyId, instance: place.instance });
}

function* shownIds(pool: Pool, shows: UsersShown, after: string | null): Generator<string> {
  for (const user of pool.users.readAll()) {
    if ((after === null || user.id > after) && placesOf(user).some(shows)) yield user.id;
  }
}

/** The unit of a user whose connections are counted together is accounted for on the first of his instances, by name. */
function usageOf(user: User, shows: UsersShown): UserUsage {
  const { id, pool, connections, connectionsPeak, transitioned } = user;
  const isEachCounted = transitioned || user.apart;
  const places = placesOf(user).sort((left, right) => byCodeUnits(left.instance, right.instance));
  const rows = places.map((place, index) => {
    const here = user.connectionsAt(place);
    const isShared = !isEachCounted && index > 0;
    const alone = isShared ? 0 : 1;
    return {
      place,
      row: { instance: place.instance, connections: here, units: isEachCounted ? here : alone, isShared },
    };
  });
  return {
    pool: pool.id,
    key: keyOfPool(pool.id),
    userId: id,
    connections,
    connectionsPeak,
    units: unitsOf(user),
    isTransitioned: transitioned,
    places: rows.filter(({ place }) => shows(place)).map(({ row }) => row),
  };
}

/**
 * @param key - only this key; undefined for all.
 * @returns the IDs of the pools there are, in order: all keys, and default licences that are in use.
 * @throws LicenseError `key-not-found`.
 */
export function poolIds(table: Table, key: string | undefined): string[] {
  if (key !== undefined) {
    if (table.keys.has(key) || table.pools.has(key)) return [key];
    throw new LicenseError('key-not-found', keyNotFound(key).detail);
  }
  const ids = new Set(table.keys.keys());
  for (const [id, pool] of table.pools) if (pool.connections > 0) ids.add(id);
  return [...ids].sort(byCodeUnits);
}

/** @returns the key of a pool; null for the default licence of an instance. */
export function keyOfPool(id: string): string | null {
  return instanceOfPool(id) === null ? id : null;
}

/** @returns the instance whose default licence a pool is; null for a key's. No key's ID has a colon. */
function instanceOfPool(id: string): string | null {
  const prefix = defaultPoolOf('');
  return id.startsWith(prefix) ? id.slice(prefix.length) : null;
}

/** Totals of a key name nobody, so that the token of an instance may see those of the key it is registered with. */
export function mayCount(principal: Principal, table: Table, id: string): boolean {
  const instance = instanceOfPool(id);
  if (instance !== null) return permits(principal, 'usage.read', { instance, keyId: null });
  const own = principal.instance;
  const registered = own !== null && table.instances.get(own)?.key === id ? own : null;
  return permits(principal, 'usage.read', { keyId: id, instance: registered });
}

function unitsLeased(pool: Pool | undefined): number {
  let units = 0;
  for (const lease of pool?.leases ?? []) units += lease.units;
  return units;
}

/** @param mayGrant - whether anything of it can be granted now. */
function countsOf(table: Table, id: string, logins: LoginsByPhase, mayGrant: boolean): PoolCounts {
  const pool = table.pools.get(id);
  const instance = instanceOfPool(id);
  const { unitsAuthorised, unitsEnforced } = limitsOf(table, id);
  const unitsInUse = pool?.units ?? 0;
  return {
    pool: id,
    key: keyOfPool(id),
    instance,
    unitsAuthorised,
    unitsEnforced,
    unitsInUse,
    unitsLeased: unitsLeased(pool),
    unitsFree: mayGrant ? Math.max(0, unitsEnforced - unitsInUse) : 0,
    users: pool?.users.size ?? 0,
    connections: pool?.connections ?? 0,
    unitsPeak: pool?.unitsPeak ?? 0,
    usersPeak: pool?.usersPeak ?? 0,
    connectionsPeak: pool?.connectionsPeak ?? 0,
    logins,
  };
}

/** @returns the units of a pool: without a usable key there is one; a key that was removed enforces none. */
export function limitsOf(table: Table, id: string): Pick<PoolCounts, 'unitsAuthorised' | 'unitsEnforced'> {
  const key = table.keys.get(id);
  const unitsEnforced = key?.unitsEnforced ?? (instanceOfPool(id) === null ? 0 : 1);
  return { unitsAuthorised: key?.unitsAuthorised ?? unitsEnforced, unitsEnforced };
}

/** One walk over all logins, which is milliseconds for a hundred thousand of them. */
function loginsByPhase(table: Table, pools: ReadonlySet<string>): ReadonlyMap<string, LoginsByPhase> {
  const counts = new Map([...pools].map((id) => [id, { active: 0, pending: 0, grace: 0 }]));
  for (const place of table.places.values()) {
    for (const { pool, phase } of place.logins.open()) {
      const count = counts.get(pool.id);
      if (count) count[phase] += 1;
    }
    for (const [pool, logins] of place.logins.packedByPool()) {
      const count = counts.get(pool.id);
      if (count) count.active += logins;
    }
  }
  return counts;
}
