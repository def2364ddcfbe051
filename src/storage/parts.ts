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

/** Numbers parts from 0 on: the first finds its staging table empty, the others have to empty it. */
export function* numbered<Part>(parts: Iterable<Part>): Generator<readonly [part: number, content: Part]> {
  let part = 0;
  for (const content of parts) {
    yield [part, content];
    part += 1;
  }
}
