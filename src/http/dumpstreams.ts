/**
 * The dumps of an instance, piece by piece: the legacy texts, and one JSON object a line. They are made of batches
 * of rows, so that a dump of a million rows needs no more memory than one batch.
 */

import type { ProcessShown } from '../domain/texts/reportrows.ts';
import {
  type DumpForm,
  type DumpLayout,
  type DumpUnits,
  dumpHead,
  freeLines,
  processLayout,
  processLine,
  userLayout,
  userLine,
} from '../domain/texts/reporttexts-dumps.ts';
import type { UserRow } from '../domain/texts/usagerows.ts';

/** Rows in batches, from memory or from the database. */
export type Batches<Row> = Iterable<readonly Row[]> | AsyncIterable<readonly Row[]>;

/** What a text is made with besides its rows. */
export interface TextOptions {
  readonly form: DumpForm;
  readonly units: DumpUnits;
  /** The instant of the report, ms since 1970. */
  readonly nowMs: number;
  /** What stands above it, with its end of line; empty for nothing. */
  readonly head: string;
}

/** How many lines of free slots are one piece. */
const FREE_LINES_PER_PIECE = 1_000;

/**
 * `all.dmp` and `inuse.dmp` (F-63). The columns of the table are as wide as the first batch needs.
 *
 * @param withFree - whether the slots that nobody has are listed.
 */
export async function* userText(
  batches: Batches<UserRow>,
  withFree: boolean,
  options: TextOptions,
): AsyncGenerator<string> {
  const { form, units, nowMs } = options;
  let count = 0;
  const layoutOf = (rows: readonly UserRow[]) => userLayout(form, nowMs, rows);
  for await (const piece of pieces(batches, 'users', layoutOf, userLine, options)) {
    count = piece.count;
    yield piece.text;
  }
  if (!withFree) return;
  let lines: string[] = [];
  for (const line of freeLines(form, count, units.capacity)) {
    if (lines.push(line) < FREE_LINES_PER_PIECE) continue;
    yield lines.join('');
    lines = [];
  }
  if (lines.length > 0) yield lines.join('');
}

/** `piduse.dmp` (F-64). */
export async function* processText(
  batches: Batches<ProcessShown>,
  options: TextOptions,
): AsyncGenerator<string> {
  const layoutOf = (rows: readonly ProcessShown[]) => processLayout(options.form, options.nowMs, rows);
  for await (const piece of pieces(batches, 'processes', layoutOf, processLine, options)) yield piece.text;
}

/** The head with the first batch, then the others, each with how many rows there were so far. */
async function* pieces<Row>(
  batches: Batches<Row>,
  of: 'users' | 'processes',
  layoutOf: (rows: readonly Row[]) => DumpLayout,
  line: (layout: DumpLayout, index: number, row: Row) => string,
  { units, head }: TextOptions,
): AsyncGenerator<{ readonly text: string; readonly count: number }> {
  let layout: DumpLayout | null = null;
  let count = 0;
  for await (const rows of batches) {
    const isFirst = layout === null;
    const known: DumpLayout = layout ?? layoutOf(rows);
    layout = known;
    const above: string = isFirst ? head + dumpHead(known, of, units) : '';
    const from = count;
    const text = above + rows.map((row, index) => line(known, from + index, row)).join('');
    count += rows.length;
    yield { text, count };
  }
  if (layout === null) yield { text: head + dumpHead(layoutOf([]), of, units), count };
}

/**
 * One JSON object a line: first what the report is of, then each row.
 *
 * @param head - the first line.
 * @param show - makes the object of a row.
 */
export async function* jsonLines<Row>(
  head: object,
  batches: Batches<Row>,
  show: (row: Row) => object,
): AsyncGenerator<string> {
  yield `${JSON.stringify(head)}\n`;
  for await (const rows of batches) {
    if (rows.length > 0) yield rows.map((row) => `${JSON.stringify(show(row))}\n`).join('');
  }
}
