/**
 * How long logins lasted (`ReadDurationValues`, `ReadDurationCounts`, notes 2.3): of an instance, how many held
 * their unit up to each bound, and beyond the last. A login is counted when its unit comes back, by the time of
 * the journal; the time that the unit was held on in grace is part of it.
 */

import type { Place } from '../holdings/holdings.ts';
import type { Table } from '../table.ts';

/** The upper bounds in seconds, each included. */
export const DURATION_BOUNDS_SECONDS = [1, 15, 60, 900, 3_600] as const;

/** How many lasted how long: one more than there are bounds. */
export interface Durations {
  readonly counts: number[];
  /** Since when they are counted, ms since 1970. */
  readonly sinceMs: number;
}

/** @returns the place in the histogram of what lasted so long, in milliseconds. */
export function durationBucket(lastedMs: number): number {
  let bucket = 0;
  for (const seconds of DURATION_BOUNDS_SECONDS) {
    if (lastedMs <= seconds * 1_000) break;
    bucket += 1;
  }
  return bucket;
}

/** @returns a histogram of nothing. */
export function noDurations(sinceMs: number): Durations {
  return { counts: [0, 0, 0, 0, 0, 0], sinceMs };
}

/**
 * Counts a login that ended.
 * It leaves no inverse, so that a logout costs no closure more: whoever calls takes it back.
 * @returns the histogram that it stands in; null when the instance is not registered.
 */
export function countDuration(table: Table, place: Place, lastedMs: number): Durations | null {
  if (place.life === null) return null;
  place.durations ??= noDurations(place.life.startedAtMs);
  place.durations.counts[durationBucket(lastedMs)]! += 1;
  table.touched?.marks.add(place);
  return place.durations;
}

/** Replaces the histogram of an instance; null is one of nothing since its life began. */
export function setDurations(table: Table, place: Place, durations: Durations | null): void {
  const before = place.durations;
  place.durations = durations;
  table.touched?.marks.add(place);
  table.undoable(() => {
    place.durations = before;
  });
}
