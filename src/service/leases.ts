/**
 * What is leased to which instance, from a replica's copy that has caught up.
 */

import { type Principal, permits } from '../domain/access.ts';
import type { Lease } from '../domain/holdings/holdings.ts';
import type { Table } from '../domain/table.ts';
import type { DatabaseClock } from './clock.ts';
import { byCodeUnits } from './keys.ts';
import type { Lane } from './lane.ts';
import type { UsagePage } from './usage.ts';

/** A lease as it stands. */
export interface LeaseView {
  readonly id: string;
  readonly key: string;
  readonly instance: string;
  readonly incarnation: number;
  /** Whether the instance has another incarnation by now, so that this lease is not renewed any more. */
  readonly isFormer: boolean;
  /** The units of the block. */
  readonly units: number;
  /** Users whom the instance has an entry of, and the connections that it may have of them together. */
  readonly users: number;
  readonly connections: number;
  /** Until when the instance may believe in it, ms since 1970. */
  readonly endsAtMs: number;
}

export interface LeasesOptions {
  readonly lane: Pick<Lane, 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
}

/** Lists leases, as far as the asker may see. */
export class Leases {
  readonly #options: LeasesOptions;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  /**
   * Leases by instance and incarnation.
   * @param page.after - instance and incarnation of the last of the page before; null begins at the start.
   * @param page.key - only units of this key; undefined for all.
   */
  list(
    principal: Principal,
    page: {
      readonly after: readonly [instance: string, incarnation: number] | null;
      readonly limit: number;
      readonly key: string | undefined;
    },
  ): Promise<UsagePage<LeaseView>> {
    return this.#options.lane.read((table) => {
      const found = leasesOf(table)
        .filter(({ pool, place }) =>
          permits(principal, 'usage.read', { keyId: pool.id, instance: place.instance }),
        )
        .filter(({ pool }) => page.key === undefined || pool.id === page.key)
        .filter((lease) => page.after === null || compare(keyOf(lease), page.after) > 0)
        .sort((left, right) => compare(keyOf(left), keyOf(right)));
      return {
        items: found.slice(0, page.limit).map((lease) => viewLease(table, lease)),
        hasMore: found.length > page.limit,
        asOf: { atMs: this.#options.clock.nowMs(), version: table.version },
      };
    });
  }
}

function leasesOf(table: Table): Lease[] {
  return [...table.pools.values()].flatMap(({ leases }) => [...leases]);
}

type Position = readonly [instance: string, incarnation: number];

function keyOf({ place, incarnation }: Lease): Position {
  return [place.instance, incarnation];
}

function compare(one: Position, other: Position): number {
  return byCodeUnits(one[0], other[0]) || one[1] - other[1];
}

function viewLease(table: Table, lease: Lease): LeaseView {
  const { id, pool, place, incarnation, units, allowances, endsAtMs } = lease;
  let connections = 0;
  for (const allowance of allowances.values()) connections += allowance;
  return {
    id,
    key: pool.id,
    instance: place.instance,
    incarnation,
    isFormer: table.instances.get(place.instance)?.incarnation !== incarnation,
    units,
    users: allowances.size,
    connections,
    endsAtMs,
  };
}
