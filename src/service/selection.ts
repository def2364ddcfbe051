/**
 * Taking one page out of very many without sorting them all.
 */

import { byCodeUnits } from './keys.ts';

/** How many pages are gathered before what cannot be on the page is let go. */
const SLACK = 4;

/**
 * Finds the first texts in order.
 *
 * @param texts - any number of them, in any order.
 * @param count - how many are wanted, at least 1.
 * @returns the least of them by code units, in order.
 */
export function leastOf(texts: Iterable<string>, count: number): string[] {
  let kept: string[] = [];
  let bound: string | null = null;
  for (const text of texts) {
    if (bound !== null && text >= bound) continue;
    kept.push(text);
    if (kept.length < count * SLACK) continue;
    kept = kept.sort(byCodeUnits).slice(0, count);
    bound = kept.at(-1)!;
  }
  return kept.sort(byCodeUnits).slice(0, count);
}
