/**
 * The text format of `COPY`, by which whole tables are read and staged: one line a row, tab between columns,
 * `\N` for null, and backslash escapes.
 */

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

/** Reads one column of a COPY line back; null for `\N`. */
export function copyValue(text: string): string | null {
  if (text === '\\N') return null;
  if (!text.includes('\\')) return text;
  return text.replace(/\\(.)/g, (_, code: string) => ({ t: '\t', n: '\n', r: '\r' })[code] ?? code);
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
