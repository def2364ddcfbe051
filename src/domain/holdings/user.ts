/**
 * A user of a pool. Plain data; `table.ts` changes it and `apply.ts` says when.
 */

import type { Count } from '../counting.ts';
import type { Place, Pool } from './holdings.ts';

/** A user ID of a pool that has at least one connection. */
export class User implements Count {
  readonly id: string;
  readonly pool: Pool;
  connections = 0;
  transitioned = false;
  apart = false;
  /** Most connections at one time since it last had none (`MaxCon`, trap 12). */
  connectionsPeak = 0;
  /** How many of its connections are logins that are packed: they name the user by its ID, and no object does. */
  packed = 0;
  /** Most users are on one instance only, so that one place stands in the object itself. */
  home: Place | null = null;
  elsewhere: Map<Place, number> | null = null;

  constructor(id: string, pool: Pool) {
    this.id = id;
    this.pool = pool;
  }

  /** Whether every connection is a packed login of one instance, so that the user can be packed too. */
  get isResting(): boolean {
    return this.packed > 0 && this.packed === this.connections && this.elsewhere === null;
  }

  /** @returns the connections of this user on one instance. */
  connectionsAt(place: Place): number {
    if (place !== this.home) return this.elsewhere?.get(place) ?? 0;
    let connections = this.connections;
    if (this.elsewhere) for (const count of this.elsewhere.values()) connections -= count;
    return connections;
  }

  /** @returns the units this user costs as one instance sees it (`LicenseCount`, notes 2.1). */
  unitsAt(place: Place): number {
    const connections = this.connectionsAt(place);
    if (connections === 0) return 0;
    return this.transitioned || this.apart ? connections : 1;
  }
}
