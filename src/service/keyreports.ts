/**
 * The reports of keys over all instances: the dump of the keys, which says for every key what it is and who uses
 * it where (F-62), from a replica's copy that has caught up, and only as far as the asker may see.
 */

import { type Principal, permits } from '../domain/access.ts';
import { type Client, clientsByInstance } from '../domain/clients.ts';
import { defaultPoolOf } from '../domain/instances.ts';
import { type KeyField, mainFields } from '../domain/keys/keydisplay.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import { keyStatus } from '../domain/keys/keys.ts';
import type { Table } from '../domain/table.ts';
import type { AsOf } from './keys.ts';
import type { Reports, ReportsOptions } from './reports.ts';
import { leastOf } from './selection.ts';
import { keyOfPool, limitsOf, mayCount, poolIds } from './usage.ts';

/** A user on an instance of a key. */
export interface KeyClient extends Client {
  readonly instance: string;
  /** The address of the instance, as far as it is known. */
  readonly address: string;
}

/** A key, or the default licence of an instance without a usable one, with those who use it. */
export interface KeyUse {
  readonly pool: string;
  readonly key: InstalledKey | null;
  /** Empty for a default licence. */
  readonly fields: readonly KeyField[];
  /** Instances registered with it that are not silent. */
  readonly instances: number;
  readonly unitsAuthorised: number;
  readonly unitsEnforced: number;
  readonly unitsInUse: number;
  readonly unitsPeak: number;
  /** By user ID and instance; a page may end between two. */
  readonly clients: readonly KeyClient[];
}

/** Where a page of the dump ends: after this user on this instance under this pool. */
export type KeyPosition = readonly [pool: string, userId: string, instance: string];

/** A page of the dump. */
export interface KeysPage {
  readonly keys: readonly KeyUse[];
  readonly next: KeyPosition | null;
  readonly asOf: AsOf;
}

/** What the reports of keys need. */
export interface KeyReportsOptions extends Pick<ReportsOptions, 'lane' | 'clock' | 'revoked'> {
  readonly reports: Pick<Reports, 'authorizationKey'>;
}

/** The keys without their rows, for a dump that is read from the fold. */
export interface KeyHeads {
  readonly keys: readonly Omit<KeyUse, 'clients'>[];
  readonly asOf: AsOf;
  /** Whether the asker may see the rows of an instance under a pool. */
  mayShow(pool: string, instance: string): boolean;
  /** The address of an instance, as far as it is known. */
  addressOf(instance: string): string;
}

type KeyRows = Omit<KeyUse, 'fields'>;

/** Makes the reports of keys. */
export class KeyReports {
  readonly #options: KeyReportsOptions;

  constructor(options: KeyReportsOptions) {
    this.#options = options;
  }

  /**
   * One page of the dump of the keys: by key, user ID and instance.
   * @param page.key - only this key; undefined for all.
   * @param page.limit - how many rows at most; a key that nobody uses counts like one.
   * @throws LicenseError `key-not-found`, `storage-unavailable`.
   */
  async dump(
    principal: Principal,
    page: {
      readonly key: string | undefined;
      readonly after: KeyPosition | null;
      readonly limit: number;
    },
  ): Promise<KeysPage> {
    const { asOf, ...found } = await this.#options.lane.read((table) => ({
      ...pageOf(table, principal, page),
      asOf: this.#asOf(table),
    }));
    return { keys: await this.#withFields(principal, found.keys, asOf), next: found.next, asOf };
  }

  /**
   * The keys alone, by ID.
   * @param key - only this key; undefined for all.
   * @throws as `dump`.
   */
  async heads(principal: Principal, key: string | undefined): Promise<KeyHeads> {
    const found = await this.#options.lane.read((table) => {
      const pools = poolIds(table, key).filter((id) => mayCount(principal, table, id));
      const addresses = [...table.instances.values()].map(({ name, address }) => [name, address] as const);
      const keys = pools.map((id) => useOf(table, id));
      return { keys, addresses: new Map(addresses), asOf: this.#asOf(table) };
    });
    return {
      keys: await this.#withFields(principal, found.keys, found.asOf),
      asOf: found.asOf,
      mayShow: (pool, instance) => permits(principal, 'usage.read', { instance, keyId: keyOfPool(pool) }),
      addressOf: (instance) => found.addresses.get(instance) ?? '',
    };
  }

  async #withFields<Use extends Pick<KeyUse, 'key'>>(
    principal: Principal,
    uses: readonly Use[],
    { atMs }: AsOf,
  ): Promise<(Use & Pick<KeyUse, 'fields'>)[]> {
    const { revoked, reports } = this.#options;
    const shown: (Use & Pick<KeyUse, 'fields'>)[] = [];
    for (const use of uses) {
      const { key } = use;
      const authorizationKey = await reports.authorizationKey(principal, key);
      const fields = key ? mainFields(key, keyStatus(key, atMs, revoked), authorizationKey) : [];
      shown.push({ ...use, fields });
    }
    return shown;
  }

  #asOf(table: Table): AsOf {
    return { atMs: Math.floor(this.#options.clock.nowMs()), version: table.version };
  }
}

function pageOf(
  table: Table,
  principal: Principal,
  page: { readonly key: string | undefined; readonly after: KeyPosition | null; readonly limit: number },
): { readonly keys: KeyRows[]; readonly next: KeyPosition | null } {
  const keys: KeyRows[] = [];
  let left = page.limit;
  for (const id of poolIds(table, page.key)) {
    if ((page.after !== null && id < page.after[0]) || !mayCount(principal, table, id)) continue;
    const last = keys.at(-1);
    if (last && left <= 0) return { keys, next: positionAfter(last) };
    const after = page.after?.[0] === id ? ([page.after[1], page.after[2]] as const) : null;
    const { clients, hasMore } = clientsOf(table, principal, id, after, left);
    // A page that ended with the last row of a key goes on with the next key.
    if (after !== null && clients.length === 0) continue;
    const use = { ...useOf(table, id), clients };
    keys.push(use);
    left -= Math.max(1, clients.length);
    if (hasMore) return { keys, next: positionAfter(use) };
  }
  return { keys, next: null };
}

function positionAfter({ pool, clients }: KeyRows): KeyPosition {
  const last = clients.at(-1);
  return [pool, last?.userId ?? '', last?.instance ?? ''];
}

function useOf(table: Table, id: string): Omit<KeyRows, 'clients'> {
  const pool = table.pools.get(id);
  const key = keyOfPool(id);
  let instances = 0;
  for (const instance of table.instances.values()) {
    if (instance.state === 'active' && (instance.key ?? defaultPoolOf(instance.name)) === id) instances += 1;
  }
  return {
    pool: id,
    key: (key === null ? undefined : table.keys.get(key)) ?? null,
    instances,
    ...limitsOf(table, id),
    unitsInUse: pool?.units ?? 0,
    unitsPeak: pool?.unitsPeak ?? 0,
  };
}

/** Of the order of two rows; no user ID holds the character between. */
const SEPARATOR = '\u0000';

/**
 * Users of a key by user ID and instance, as far as an asker may see.
 * @param after - the row before the first one; null begins at the start.
 */
export function clientsOf(
  table: Table,
  principal: Principal,
  id: string,
  after: readonly [userId: string, instance: string] | null,
  limit: number,
): { readonly clients: KeyClient[]; readonly hasMore: boolean } {
  const pool = table.pools.get(id);
  if (!pool) return { clients: [], hasMore: false };
  const keyId = keyOfPool(id);
  const rows = [...clientsByInstance(pool)].filter(([instance]) =>
    permits(principal, 'usage.read', { instance, keyId }),
  );
  const bound = after?.join(SEPARATOR) ?? '';
  function* texts() {
    for (const [instance, { clients }] of rows) {
      for (const { userId } of clients) {
        const text = `${userId}${SEPARATOR}${instance}`;
        if (text > bound) yield text;
      }
    }
  }
  const wanted = leastOf(texts(), limit + 1);
  const places = new Map(wanted.slice(0, limit).map((text, index) => [text, index]));
  const clients: KeyClient[] = [];
  for (const [instance, { clients: all }] of rows) {
    for (const client of all) {
      const index = places.get(`${client.userId}${SEPARATOR}${instance}`);
      if (index !== undefined) clients[index] = { ...client, instance, address: addressOf(table, instance) };
    }
  }
  return { clients, hasMore: wanted.length > limit };
}

/** @returns the address of an instance as it stated it; empty when it did not. */
export function addressOf(table: Table, instance: string): string {
  return table.instances.get(instance)?.address ?? '';
}
