/**
 * Statements of bounded length: a fold may be of millions of rows, and no statement of it may take long.
 */

/** How many rows one statement writes at most. */
export const ROWS_PER_STATEMENT = 50_000;

/** Cuts items into parts that one statement may take. */
export function* partsOf<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let from = 0; from < items.length; from += ROWS_PER_STATEMENT) {
    yield items.slice(from, from + ROWS_PER_STATEMENT);
  }
}
