/**
 * Counters and histograms as plain numbers. Counting a request must cost nanoseconds, and the SDK's
 * instruments hash their attributes on every call, so the hot paths count here and the numbers are handed to
 * OpenTelemetry when somebody collects them.
 *
 * Every label's set of values is bounded: a value beyond the bound is counted under `other`.
 */

import type { Attributes } from '@opentelemetry/api';

/** The label value under which everything beyond a bound is counted. */
export const OVERFLOW = 'other';

/** A counter with one label, or with none when the label's name is empty. */
export interface Tally {
  readonly label: string;
  /** Adds to the count of a label value; amounts that are not positive are ignored. */
  add(value: string, amount: number): void;
  /** Each label value that was counted or declared, with its count. */
  entries(): IterableIterator<[string, number]>;
}

/**
 * Makes a counter with one label. The values that are known beforehand start at zero, so that a rate over
 * them has a beginning.
 *
 * @param label - the label's name.
 * @param known - the closed set of values; they are shown from the start.
 * @param valuesMax - how many different values are kept apart; the others are counted as `other`.
 * @returns an empty tally.
 */
export function makeTally(label: string, known: readonly string[], valuesMax: number = known.length): Tally {
  const counts = new Map<string, number>(known.map((value) => [value, 0]));
  return {
    label,
    add(value, amount) {
      if (!(amount > 0)) return;
      const current = counts.get(value);
      if (current !== undefined) counts.set(value, current + amount);
      else if (counts.size < valuesMax) counts.set(value, amount);
      else counts.set(OVERFLOW, (counts.get(OVERFLOW) ?? 0) + amount);
    },
    entries: () => counts.entries(),
  };
}

/** One series of a histogram: a combination of label values, with its buckets. */
export interface Series {
  readonly attributes: Attributes;
  /** One count for each boundary (values at or below it) and a last one for all above. */
  readonly counts: Float64Array;
  sum: number;
  count: number;
}

/** A histogram with fixed boundaries. */
export interface Distribution {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly boundaries: readonly number[];
  readonly series: Series[];
}

/**
 * Makes a histogram without series.
 *
 * @param name - the metric's name in dots.
 * @param description - one sentence on what is measured.
 * @param unit - the UCUM unit of the boundaries, such as `s` or `1`.
 * @param boundaries - ascending upper bounds, each inclusive.
 * @returns the empty histogram.
 */
export function makeDistribution(
  name: string,
  description: string,
  unit: string,
  boundaries: readonly number[],
): Distribution {
  return { name, description, unit, boundaries, series: [] };
}

/**
 * Adds a series to a histogram. The caller keeps it and records into it, so that nothing is looked up then.
 *
 * @param distribution - the histogram.
 * @param attributes - the series' labels; they must differ from those of its other series.
 * @returns the empty series.
 */
export function addSeries(distribution: Distribution, attributes: Attributes): Series {
  const series = {
    attributes,
    counts: new Float64Array(distribution.boundaries.length + 1),
    sum: 0,
    count: 0,
  };
  distribution.series.push(series);
  return series;
}

/**
 * Records one value.
 *
 * @param series - where to.
 * @param boundaries - the boundaries of the series' histogram.
 * @param value - in the histogram's unit.
 */
export function record(series: Series, boundaries: readonly number[], value: number): void {
  // Linear, because most values fall into the first few of about a dozen buckets.
  let bucket = 0;
  while (bucket < boundaries.length && value > boundaries[bucket]!) bucket += 1;
  series.counts[bucket]! += 1;
  series.sum += value;
  series.count += 1;
}
