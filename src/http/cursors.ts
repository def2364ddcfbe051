/**
 * Cursors of lists: opaque to callers, so that what they hold may change.
 */

import { LicenseError } from '../domain/errors.ts';
import { isStorable } from './body.ts';

/**
 * Makes a cursor.
 *
 * @param list - the list's name; a cursor of one list is refused by the others.
 * @param position - where the next page begins, as the list's own values.
 * @returns text that fits into a query without escaping.
 */
export function encodeCursor(list: string, position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([list, ...position])).toString('base64url');
}

/**
 * Takes a cursor apart.
 *
 * @param list - the list's name.
 * @param cursor - what the caller sent; undefined begins at the start.
 * @param length - how many values a position of this list has.
 * @param lengthMax - where that differs, how many at most.
 * @returns the position, or null without a cursor.
 * @throws LicenseError `malformed-request` when it is not a cursor of this list.
 */
export function decodeCursor(
  list: string,
  cursor: string | undefined,
  length: number,
  lengthMax = length,
): (string | number)[] | null {
  if (cursor === undefined) return null;
  try {
    const [of, ...position] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const whole = position.every((value) =>
      typeof value === 'string' ? isStorable(value) : Number.isFinite(value),
    );
    const isLong = position.length >= length && position.length <= lengthMax;
    if (of === list && whole && isLong) return position as (string | number)[];
  } catch {
    // Not JSON: refused below like any other text that is not a cursor.
  }
  throw new LicenseError('malformed-request', 'The cursor is not one that this list has given out.', {
    errors: [{ pointer: '?cursor', message: 'is not a cursor of this list' }],
  });
}
