/**
 * Arrays as Postgres writes them. The driver can learn the array types of each new connection by a
 * query of its own, but when the connection is lost in the middle of that, its error ends the whole process; so
 * it is told the few types that are used here instead.
 */

/** One element: quoted with backslash escapes, or bare. */
const ELEMENT = /"((?:[^"\\]|\\.)*)"|[^,{}]+/gs;

/** Writes texts as an array literal. */
export function arrayLiteral(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/**
 * Reads an array literal of one dimension.
 * @throws Error for one with a null in it, which no column here may have.
 */
export function parseArrayLiteral(literal: string): string[] {
  return Array.from(literal.matchAll(ELEMENT), ([bare, quoted]) => {
    if (quoted !== undefined) return quoted.replace(/\\(.)/gs, '$1');
    if (bare.toUpperCase() === 'NULL') throw new Error('an array of texts has a null in it');
    return bare;
  });
}

/** What the driver is told: the object IDs of these types are the same in every Postgres. */
export const ARRAY_TYPES = {
  /** `text[]`, `uuid[]` and `timestamptz[]`, whose elements are sent and read as texts. */
  textArray: {
    to: 1009,
    from: [1009, 2951, 1185],
    serialize: arrayLiteral,
    parse: parseArrayLiteral,
  },
  /** `bigint[]` and `integer[]`. */
  numberArray: {
    to: 1016,
    from: [1016, 1007],
    serialize: (numbers: readonly number[]) => arrayLiteral(numbers.map(String)),
    parse: (literal: string) => parseArrayLiteral(literal).map(Number),
  },
};
