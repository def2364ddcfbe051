/**
 * The text format of `COPY`, by which whole tables are read and staged: one line a row, tab between columns,
 * `\N` for null, and backslash escapes.
 */

import type { Writable } from 'node:stream';
import type { PendingQuery, Row, TransactionSql } from 'postgres';

const ESCAPED = /[\\\t\n\r]/;

/** Writes one value as COPY text. */
export function copyText(value: string | number | boolean | null): string {
  if (value === null) return '\\N';
  if (value === true) return 't';
  if (value === false) return 'f';
  if (typeof value === 'number') return String(value);
  return ESCAPED.test(value) ? escaped(value) : value;
}

function escaped(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('\t', '\\t')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
}

/** What Postgres writes as a letter after a backslash. */
const UNESCAPED: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Reads one column of a COPY line back; null for `\N`. */
export function copyValue(text: string): string | null {
  if (text === '\\N') return null;
  if (!text.includes('\\')) return text;
  return text.replace(/\\(.)/g, (_, code: string) => UNESCAPED[code] ?? code);
}

/**
 * Splits a stream of COPY text into rows.
 * @param stream - chunks of bytes, cut anywhere.
 * @param row - called with the raw columns of each line, in order.
 */
export async function eachCopyRow(
  stream: AsyncIterable<Uint8Array>,
  row: (columns: string[]) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) row(line.split('\t'));
  }
  if (rest !== '') row(rest.split('\t'));
}

/**
 * Makes texts that were cut out of a large one independent of it, so that keeping one does not keep the whole,
 * and gives equal texts once where they repeat.
 */
export class Texts {
  readonly #known = new Map<string, string>();

  /** A text that hardly repeats, such as an ID. */
  whole(text: string): string {
    return Buffer.from(text).toString();
  }

  /** A text that stands in many rows, such as the name of an instance. */
  shared(text: string): string {
    let known = this.#known.get(text);
    if (known === undefined) {
      known = this.whole(text);
      this.#known.set(known, known);
    }
    return known;
  }
}

const LINES_PER_CHUNK = 4_000;

/**
 * Sends lines into a `copy … from stdin` and makes sure that they have arrived. Once all are sent, the driver
 * tells nobody that the server refused them or that the connection was lost: its stream never finishes then. So
 * one more statement is sent after them, which a transaction that has failed refuses.
 * @param copy - the statement, not yet sent.
 * @param lines - each with its end.
 * @param following - the statement that is sent after them, where there is one anyway; not yet sent.
 * @throws whatever the driver tells, or the error that the transaction has failed; the server's log says why.
 */
export async function copyInto(
  tx: TransactionSql,
  copy: PendingQuery<Row[]>,
  lines: readonly string[],
  following: PendingQuery<Row[]> = tx`select 1`,
): Promise<void> {
  const stream = await copy.writable();
  // An error that comes when nobody waits for the stream any more is found by the statement below.
  stream.on('error', () => {});
  for (let from = 0; from < lines.length; from += LINES_PER_CHUNK) {
    await sent(stream, lines.slice(from, from + LINES_PER_CHUNK).join(''));
  }
  stream.end();
  await following;
}

/** Waits until a chunk is on its way, so that little of it is in memory and the end can follow at once. */
function sent(stream: Writable, chunk: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}
