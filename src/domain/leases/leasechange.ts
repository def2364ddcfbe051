/**
 * A change of a lease while it is put together: what its rows come to before the event is emitted.
 */

import { type Count, unitsOf } from '../counting.ts';
import { type AllowanceRow, FLAGS, type Leased } from '../events.ts';
import type { Lease } from '../holdings/holdings.ts';
import { countWith, isHeldByAll, unitsAdded } from './leasebooks.ts';

export class LeaseChange {
  readonly lease: Lease;
  /** The units of the block afterwards. */
  units: number;
  readonly #connectionsPerUnitMax: number;
  readonly #rows = new Map<string, AllowanceRow>();
  readonly #dropped = new Set<string>();
  #used: number;
  #here: number;

  /** @param connectionsPerUnitMax - of the lease's key. */
  constructor(lease: Lease, connectionsPerUnitMax: number) {
    this.lease = lease;
    this.units = lease.units;
    this.#connectionsPerUnitMax = connectionsPerUnitMax;
    this.#used = lease.pool.units;
    this.#here = lease.place.units;
  }

  /** The units of the pool in use or leased afterwards. */
  get used(): number {
    return this.#used + this.units - this.lease.units;
  }

  /** The units of the instance afterwards, as it sees them. */
  get unitsHere(): number {
    return this.#here + this.units - this.lease.units;
  }

  get isEmpty(): boolean {
    return this.units === this.lease.units && this.#rows.size === 0 && this.#dropped.size === 0;
  }

  /** The entries that change, with what they allow afterwards. */
  get allowances(): { id: string; allowance: number }[] {
    return [...this.#rows.values()].map(([id, allowance]) => ({ id, allowance }));
  }

  get dropped(): string[] {
    return [...this.#dropped];
  }

  /** How many entries there are afterwards. */
  get entries(): number {
    let made = 0;
    for (const id of this.#rows.keys()) if (!this.lease.allowances.has(id)) made += 1;
    return this.lease.allowances.size + made - this.#dropped.size;
  }

  hasEntry(userId: string): boolean {
    return this.#rows.has(userId) || (this.lease.allowances.has(userId) && !this.#dropped.has(userId));
  }

  /** What a user allows here afterwards. */
  allowanceOf(userId: string): number {
    return this.#rows.get(userId)?.[1] ?? this.lease.allowances.get(userId) ?? 0;
  }

  /**
   * What a user of whom nothing changes yet would come to with another allowance here.
   * @param stays - whether he comes from where he has transitioned, which he stays by (F-33).
   */
  countWith(userId: string, allowance: number, stays = false): Count {
    const { pool, allowances } = this.lease;
    const user = pool.users.get(userId);
    const connections = (user?.connections ?? 0) - (allowances.get(userId) ?? 0) + allowance;
    const count = countWith(pool, userId, connections, this.#connectionsPerUnitMax, this.lease);
    if (!stays || count.transitioned || connections === 0) return count;
    const wasCounted = user !== undefined && user.connections > 1;
    const apart = wasCounted ? user.apart : !isHeldByAll(pool, userId, this.lease);
    return { connections, transitioned: true, apart };
  }

  /** The units that such an allowance adds: to the pool, and as the instance sees it. */
  addedBy(
    userId: string,
    allowance: number,
    stays = false,
  ): { readonly pool: number; readonly here: number } {
    const { pool, place, allowances } = this.lease;
    const count = this.countWith(userId, allowance, stays);
    const user = pool.users.get(userId);
    const before = allowances.get(userId) ?? 0;
    const connections = (user?.connectionsAt(place) ?? 0) - before + allowance;
    const isEach = count.transitioned || count.apart;
    const here = unitsOf({ connections, transitioned: isEach, apart: false });
    return { pool: unitsAdded(pool, userId, count), here: here - (user?.unitsAt(place) ?? 0) };
  }

  /**
   * Changes an entry, or makes one; each user once.
   * @param marks - of `FLAGS`: `short` and `exact`.
   * @param stays - as for `countWith`.
   */
  allow(userId: string, allowance: number, marks = 0, stays = false): void {
    const added = this.addedBy(userId, allowance, stays);
    this.#used += added.pool;
    this.#here += added.here;
    const { transitioned, apart } = this.countWith(userId, allowance, stays);
    const flags = (transitioned ? FLAGS.transitioned : 0) | (apart ? FLAGS.apart : 0) | marks;
    this.#rows.set(userId, [userId, allowance, flags]);
  }

  /** Drops an entry that has not been changed otherwise. */
  drop(userId: string): void {
    const added = this.addedBy(userId, 0);
    this.#used += added.pool;
    this.#here += added.here;
    this.#dropped.add(userId);
  }

  /** @returns the event that makes the change. */
  event(moment: Pick<Leased, 'sequence' | 'ends' | 'by'>): Leased {
    const { id, place, pool, incarnation } = this.lease;
    const { sequence, ends, by } = moment;
    return {
      type: 'leased',
      lease: id,
      instance: place.instance,
      incarnation,
      pool: pool.id,
      sequence,
      units: this.units,
      ends,
      ...(this.#rows.size === 0 ? {} : { allowances: [...this.#rows.values()] }),
      ...(this.#dropped.size === 0 ? {} : { dropped: [...this.#dropped] }),
      used: this.used,
      by,
    };
  }
}
