/**
 * How many new users instances that decide for themselves report, by the minute: what an excess is to be expected
 * from. Every replica counts for itself what the journal says while it runs.
 */

import type { Lane } from './lane.ts';

const MINUTE_MS = 60_000;
/** How many minutes are looked back at. */
const MINUTES_OBSERVED_MAX = 60;

/** The rate of new users of a key. */
export interface ArrivalRate {
  /** New users by the minute, on average of the minutes observed. */
  readonly perMinute: number;
  /** The most in one of them. */
  readonly perMinuteMax: number;
  readonly minutes: number;
}

/** The new users of the last minutes, by the minute that they came in. */
class Minutes {
  readonly #counts = new Map<number, number>();

  add(minute: number, count: number): void {
    this.#counts.set(minute, (this.#counts.get(minute) ?? 0) + count);
    if (this.#counts.size <= MINUTES_OBSERVED_MAX) return;
    for (const each of this.#counts.keys())
      if (each <= minute - MINUTES_OBSERVED_MAX) this.#counts.delete(each);
  }

  /** The counts after a minute. */
  since(minute: number): number[] {
    return [...this.#counts].filter(([each]) => each > minute).map(([, count]) => count);
  }
}

/** Counts arrivals by pool. */
export class Arrivals {
  readonly #pools = new Map<string, Minutes>();
  #sinceMs = Number.POSITIVE_INFINITY;

  constructor(lane: Pick<Lane, 'onRow'>) {
    lane.onRow((row, table) => {
      this.#sinceMs = Math.min(this.#sinceMs, row?.at ?? table.atMs);
      for (const event of row?.events ?? []) {
        // Who stands in a full report came at some time or other.
        if (event.type !== 'reported' || event.came === 0 || event.fullFrom !== undefined) continue;
        this.#minutesOf(event.pool).add(Math.floor(row!.at / MINUTE_MS), event.came);
      }
      if (row === null) this.#forgetOthers(new Set(table.pools.keys()));
    });
  }

  /**
   * @param pool - a key's ID.
   * @param nowMs - ms since 1970.
   * @returns null before anything could be observed.
   */
  rateOf(pool: string, nowMs: number): ArrivalRate | null {
    const observed = Math.ceil((nowMs - this.#sinceMs) / MINUTE_MS);
    const minutes = Math.min(MINUTES_OBSERVED_MAX, observed);
    if (!(minutes > 0)) return null;
    const counts = this.#pools.get(pool)?.since(Math.floor(nowMs / MINUTE_MS) - minutes) ?? [];
    const sum = counts.reduce((total, count) => total + count, 0);
    return { perMinute: sum / minutes, perMinuteMax: Math.max(0, ...counts), minutes };
  }

  #minutesOf(pool: string): Minutes {
    let minutes = this.#pools.get(pool);
    if (!minutes) {
      minutes = new Minutes();
      this.#pools.set(pool, minutes);
    }
    return minutes;
  }

  #forgetOthers(pools: ReadonlySet<string>): void {
    for (const pool of this.#pools.keys()) if (!pools.has(pool)) this.#pools.delete(pool);
  }
}
