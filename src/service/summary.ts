/**
 * The two reports over all instances: the summary of a key with what one instance sees of it (F-60), and the
 * dump of all servers, which says for every instance who is there and what he costs (F-19, F-62). Both are read
 * from a replica's copy that has caught up, and only as far as the asker may see.
 *
 * A user on several instances of a key is one unit; it stands on the first of them, and the other rows share it
 * (`shr`). Units that are leased to an instance and that nobody uses are in use all the same, and so part of
 * the totals.
 */

import { type Principal, permits } from '../domain/access.ts';
import { type Client, type ClientRows, clientsByInstance, NOBODY_THERE } from '../domain/clients.ts';
import { LicenseError } from '../domain/errors.ts';
import { defaultPoolOf, type Instance } from '../domain/instances.ts';
import { instanceNotFound } from '../domain/logins.ts';
import type { Table } from '../domain/table.ts';
import type { Generation } from '../domain/texts/reporttexts.ts';
import type { DatabaseClock } from './clock.ts';
import { type AsOf, byCodeUnits } from './keys.ts';
import type { Lane } from './lane.ts';
import { generationOf, requireOn } from './reports.ts';
import { keyOfPool, limitsOf, mayCount, poolIds } from './usage.ts';

/** What all instances of a key use together. */
export interface DistributedUse {
  readonly unitsInUse: number;
  readonly unitsPeak: number;
  readonly unitsEnforced: number;
  readonly unitsAuthorised: number;
  /** Distinct users, each of whom may cost several units (trap 13). */
  readonly users: number;
  readonly usersPeak: number;
  readonly connections: number;
  readonly connectionsPeak: number;
  /** Instances registered with the key that are not silent. */
  readonly instances: number;
}

/** What one instance uses, as it sees it: a user who is also elsewhere counts here too. */
export interface LocalUse {
  readonly instance: string;
  readonly connections: number;
  readonly users: number;
  /** What the legacy report calls users (trap 13). */
  readonly units: number;
  /** The most at one time since it was started, or the marks were reset. */
  readonly connectionsPeak: number;
  readonly unitsPeak: number;
  /** The generation of its product, by which its texts differ. */
  readonly generation: Generation;
}

/** The summary of a key, or of an instance without a usable one. */
export interface UsageSummary {
  /** Null for the default licence of an instance. */
  readonly key: string | null;
  readonly distributed: DistributedUse;
  /** Null when no instance was named. */
  readonly local: LocalUse | null;
  readonly asOf: AsOf;
}

/** One instance of a key in the dump, with all or some of those who are there. */
export interface ServerUsage extends ClientRows {
  readonly pool: string;
  readonly key: string | null;
  readonly instance: string;
  readonly state: 'active' | 'silent' | 'removed';
  /** By user ID; a page may end between two. */
  readonly clients: readonly Client[];
}

/** The grand total of a key; units are never summed over keys (F-6). */
export interface KeyTotal {
  readonly pool: string;
  readonly key: string | null;
  readonly unitsInUse: number;
  readonly unitsEnforced: number;
  readonly unitsAuthorised: number;
  readonly users: number;
  readonly connections: number;
  readonly instances: number;
}

/** Where a page of the dump ends: after this user of this instance of this pool. */
export type DumpPosition = readonly [pool: string, instance: string, userId: string];

/** A page of the dump. */
export interface DumpPage {
  readonly servers: readonly ServerUsage[];
  /** Of the keys on the page, as far as the asker may see them. */
  readonly totals: readonly KeyTotal[];
  readonly next: DumpPosition | null;
  readonly asOf: AsOf;
}

/** The instances of a pool without their rows, for a dump that is read from the fold. */
export interface PoolHead {
  readonly pool: string;
  readonly key: string | null;
  /** Null where the asker may not see it. */
  readonly total: KeyTotal | null;
  /** Those that are registered with it, or hold leased units, by name. There may be somebody on others too. */
  readonly instances: readonly Pick<ServerUsage, 'instance' | 'unitsReserved'>[];
}

/** The pools without their rows. */
export interface PoolHeads {
  readonly pools: readonly PoolHead[];
  /** Whether the asker may see the rows of an instance under a pool. */
  mayShow(pool: string, instance: string): boolean;
  /** The state of an instance, whatever it is registered with. */
  stateOf(instance: string): ServerUsage['state'];
}

/** What the reports need. */
export interface SummaryOptions {
  readonly lane: Pick<Lane, 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
}

/** Makes the two reports. */
export class Summary {
  readonly #options: SummaryOptions;

  constructor(options: SummaryOptions) {
    this.#options = options;
  }

  /**
   * Summarises a key.
   * @param wanted.key - the key; left out, that of the instance.
   * @param wanted.instance - whose own use is shown beside; left out, nobody's. With neither, the token's own
   *   instance, or the only key there is.
   * @throws LicenseError `key-not-found`, `instance-not-found`, `forbidden`, or `malformed-request` when it must
   *   be said what is meant.
   */
  summarise(
    principal: Principal,
    wanted: { readonly key: string | undefined; readonly instance: string | undefined },
  ): Promise<UsageSummary> {
    return this.#options.lane.read((table) => {
      const { pool, instance } = subjectOf(table, principal, wanted);
      if (!mayCount(principal, table, pool)) throw notPermitted('this key');
      if (instance !== null && !maySee(principal, instance)) throw notPermitted('this instance');
      return {
        key: keyOfPool(pool),
        distributed: distributedUse(table, pool),
        local: instance === null ? null : localUse(table, instance),
        asOf: this.#asOf(table),
      };
    });
  }

  /**
   * One page of the dump of all servers: by key, instance and user ID.
   * @param page.key - only of this key; undefined for all.
   * @param page.instance - only of this instance; undefined for all.
   * @param page.limit - how many users at most; an instance that has none counts like one.
   * @throws LicenseError `key-not-found`, `instance-not-found`, `forbidden`.
   */
  dump(
    principal: Principal,
    page: {
      readonly key: string | undefined;
      readonly instance?: string | undefined;
      readonly after: DumpPosition | null;
      readonly limit: number;
    },
  ): Promise<DumpPage> {
    const { instance = null } = page;
    return this.#options.lane.read((table) => {
      if (instance !== null) requireOn(table, principal, 'usage.read', instance);
      const servers: ServerUsage[] = [];
      const totals: KeyTotal[] = [];
      const room = new Room(page.limit);
      for (const id of poolIds(table, page.key)) {
        if (page.after !== null && id < page.after[0]) continue;
        const after = page.after?.[0] === id ? page.after : null;
        const found = serversOf(table, id, principal, { after, instance }, room);
        servers.push(...found);
        if (found.length > 0 && mayCount(principal, table, id)) totals.push(totalOf(table, id));
        if (room.isFull) break;
      }
      return { servers, totals, next: room.isFull ? positionAfter(servers) : null, asOf: this.#asOf(table) };
    });
  }

  /**
   * The instances alone, by key and name.
   * @param wanted - as the page of `dump`.
   * @throws as `dump`.
   */
  heads(
    principal: Principal,
    wanted: { readonly key: string | undefined; readonly instance?: string | undefined },
  ): Promise<PoolHeads> {
    const { key, instance = null } = wanted;
    return this.#options.lane.read((table) => {
      if (instance !== null) requireOn(table, principal, 'usage.read', instance);
      const mayShow = (pool: string, name: string) =>
        (instance === null || name === instance) &&
        permits(principal, 'usage.read', { instance: name, keyId: keyOfPool(pool) });
      const pools = poolIds(table, key).map((id) => headOf(table, principal, id, mayShow));
      const states = new Map([...table.instances.values()].map(({ name, state }) => [name, state]));
      return { pools, mayShow, stateOf: (name) => states.get(name) ?? 'removed' };
    });
  }

  #asOf(table: Table): AsOf {
    return { atMs: this.#options.clock.nowMs(), version: table.version };
  }
}

function headOf(table: Table, principal: Principal, id: string, mayShow: PoolHeads['mayShow']): PoolHead {
  const pool = table.pools.get(id);
  // Only where units are leased is there anything to say that the rows do not.
  const leased =
    pool !== undefined && pool.leases.size > 0 ? clientsByInstance(pool) : new Map<string, ClientRows>();
  const names = new Set<string>(leased.keys());
  for (const { name, key } of table.instances.values())
    if ((key ?? defaultPoolOf(name)) === id) names.add(name);
  return {
    pool: id,
    key: keyOfPool(id),
    total: mayCount(principal, table, id) ? totalOf(table, id) : null,
    instances: [...names]
      .filter((name) => mayShow(id, name))
      .sort(byCodeUnits)
      .map((name) => ({
        instance: name,
        unitsReserved: leased.get(name)?.unitsReserved ?? 0,
      })),
  };
}

/** How many rows still go on a page. One that does not fit makes it full. */
class Room {
  #left: number;
  isFull = false;

  constructor(rows: number) {
    this.#left = rows;
  }

  /** @returns how many of so many rows go on the page. */
  take(rows: number): number {
    const taken = Math.min(rows, this.#left);
    this.#left -= taken;
    if (taken < rows) this.isFull = true;
    return taken;
  }
}

function subjectOf(
  table: Table,
  principal: Principal,
  wanted: { readonly key: string | undefined; readonly instance: string | undefined },
): { readonly pool: string; readonly instance: Instance | null } {
  const name = wanted.instance ?? (wanted.key === undefined ? principal.instance : null);
  if (name !== null) {
    const instance = table.instances.get(name);
    if (!instance) throw new LicenseError('instance-not-found', instanceNotFound(name).detail);
    const own = instance.key === null ? defaultPoolOf(name) : instance.key;
    return { pool: wanted.key === undefined ? own : poolIds(table, wanted.key)[0]!, instance };
  }
  const pool = wanted.key === undefined ? onlyKey(table, principal) : poolIds(table, wanted.key)[0]!;
  return { pool, instance: null };
}

function onlyKey(table: Table, principal: Principal): string {
  const keys = [...table.keys.keys()].filter((id) => mayCount(principal, table, id));
  if (keys.length === 1) return keys[0]!;
  const detail = 'Say which key, or which instance, is meant: ?key=… or ?instance=….';
  throw new LicenseError('malformed-request', detail, {
    errors: [{ pointer: '?key', message: 'is required unless there is one key only' }],
  });
}

function notPermitted(what: string): LicenseError {
  return new LicenseError('forbidden', `The token is restricted and does not permit usage.read on ${what}.`);
}

function maySee(principal: Principal, { name, key }: Pick<Instance, 'name' | 'key'>): boolean {
  return permits(principal, 'usage.read', { instance: name, keyId: key });
}

function distributedUse(table: Table, id: string): DistributedUse {
  const pool = table.pools.get(id);
  let instances = 0;
  for (const { key, name, state } of table.instances.values()) {
    if (state === 'active' && (key ?? defaultPoolOf(name)) === id) instances += 1;
  }
  return {
    unitsInUse: pool?.units ?? 0,
    unitsPeak: pool?.unitsPeak ?? 0,
    ...limitsOf(table, id),
    users: pool?.users.size ?? 0,
    usersPeak: pool?.usersPeak ?? 0,
    connections: pool?.connections ?? 0,
    connectionsPeak: pool?.connectionsPeak ?? 0,
    instances,
  };
}

/** Of everything that the instance holds: it may have logins under a key that has ended, beside its own. */
function localUse(table: Table, instance: Instance): LocalUse {
  const place = table.places.get(instance.name);
  const marks = place?.marks;
  return {
    instance: instance.name,
    connectionsPeak: marks?.connectionsPeak ?? 0,
    unitsPeak: marks?.unitsPeak ?? 0,
    generation: generationOf(instance),
    users: marks?.users ?? 0,
    connections: marks?.connections ?? 0,
    units: place?.units ?? 0,
  };
}

function totalOf(table: Table, id: string): KeyTotal {
  const { unitsInUse, unitsEnforced, unitsAuthorised, users, connections, instances } = distributedUse(
    table,
    id,
  );
  return {
    pool: id,
    key: keyOfPool(id),
    unitsInUse,
    unitsEnforced,
    unitsAuthorised,
    users,
    connections,
    instances,
  };
}

function positionAfter(servers: readonly ServerUsage[]): DumpPosition | null {
  const last = servers.at(-1);
  return last ? [last.pool, last.instance, last.clients.at(-1)?.userId ?? ''] : null;
}

/** Every instance of a pool, also those that nobody is on. */
function rowsOf(table: Table, id: string): Map<string, ClientRows> {
  const pool = table.pools.get(id);
  const rows = pool ? clientsByInstance(pool) : new Map<string, ClientRows>();
  for (const { name, key } of table.instances.values()) {
    if ((key ?? defaultPoolOf(name)) === id && !rows.has(name)) rows.set(name, NOBODY_THERE);
  }
  return rows;
}

/** The instances of one pool that go on a page. */
function serversOf(
  table: Table,
  id: string,
  principal: Principal,
  { after, instance }: { readonly after: DumpPosition | null; readonly instance: string | null },
  room: Room,
): ServerUsage[] {
  const keyId = keyOfPool(id);
  const rows = rowsOf(table, id);
  const names = [...rows.keys()]
    .filter((name) => permits(principal, 'usage.read', { instance: name, keyId }))
    .filter((name) => (after === null || name >= after[1]) && (instance === null || name === instance))
    .sort(byCodeUnits);
  const servers: ServerUsage[] = [];
  for (const name of names) {
    const all = rows.get(name)!;
    const sorted = all.clients.toSorted((left, right) => byCodeUnits(left.userId, right.userId));
    const isContinued = after?.[1] === name;
    const rest = isContinued ? sorted.filter(({ userId }) => userId > after[2]) : sorted;
    if (isContinued && rest.length === 0) continue;
    const taken = room.take(Math.max(1, rest.length));
    if (taken === 0) break;
    const state = table.instances.get(name)?.state ?? 'removed';
    servers.push({ pool: id, key: keyId, instance: name, state, ...all, clients: rest.slice(0, taken) });
    if (room.isFull) break;
  }
  return servers;
}
