import { describe, expect, test } from '@jest/globals';
import {
  CONNECTIONS_PER_UNIT_MAX,
  type Count,
  NOBODY,
  unitsOf,
  withConnection,
  withoutConnection,
} from '../../src/domain/counting.ts';

/** A user ID after so many connections came, one after the other. */
function connected(times: number, connectionsPerUnitMax = CONNECTIONS_PER_UNIT_MAX): Count {
  let count = NOBODY;
  for (let index = 0; index < times; index += 1) count = withConnection(count, connectionsPerUnitMax);
  return count;
}

/** A user ID after so many of its connections went. */
function closed(count: Count, times: number): Count {
  let left = count;
  for (let index = 0; index < times; index += 1) left = withoutConnection(left);
  return left;
}

describe('what a user costs', () => {
  test('one unit serves 25 connections unless the key says otherwise (F-31)', () => {
    expect(CONNECTIONS_PER_UNIT_MAX).toBe(25);
  });

  test.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [24, 1],
    [25, 1],
    [26, 26],
    [27, 27],
    [100, 100],
  ])('%i connections that came one by one cost %i units (F-31, F-32)', (connections, units) => {
    expect(unitsOf(connected(connections))).toBe(units);
  });

  test('after the transition every connection left costs a unit, down to the last (F-33, trap 4)', () => {
    let count = connected(26);
    for (let left = 25; left >= 1; left -= 1) {
      count = withoutConnection(count);
      expect([count.connections, unitsOf(count)]).toEqual([left, left]);
    }
  });

  test('with no connection left the transition is over, and the next one costs one unit again (F-33)', () => {
    const none = closed(connected(30), 30);
    expect(none).toEqual(NOBODY);
    expect(unitsOf(none)).toBe(0);
    expect(unitsOf(withConnection(none, CONNECTIONS_PER_UNIT_MAX))).toBe(1);
  });

  test('falling back under the limit and rising again does not begin anew (F-33)', () => {
    const back = closed(connected(26), 23);
    expect(unitsOf(back)).toBe(3);
    expect(unitsOf(withConnection(back, CONNECTIONS_PER_UNIT_MAX))).toBe(4);
    const one = closed(connected(26), 25);
    expect(unitsOf(one)).toBe(1);
    expect(unitsOf(withConnection(one, CONNECTIONS_PER_UNIT_MAX))).toBe(2);
  });

  test.each([1, 2, 12])('a key may let one unit serve %i connections', (most) => {
    expect(unitsOf(connected(most, most))).toBe(1);
    expect(unitsOf(connected(most + 1, most))).toBe(most + 1);
  });

  test('raising what one unit serves ends no transition; lowering it makes the next connection one (F-33)', () => {
    expect(unitsOf(withConnection(connected(3, 2), 25))).toBe(4);
    const five = connected(5, 25);
    expect(unitsOf(five)).toBe(1);
    expect(unitsOf(withConnection(five, 2))).toBe(6);
    expect(unitsOf(withoutConnection(five))).toBe(1);
  });

  test('counting changes nothing in place', () => {
    const count = Object.freeze(connected(25));
    withConnection(count, 25);
    withoutConnection(count);
    expect(count).toEqual({ connections: 25, transitioned: false, apart: false });
    expect(NOBODY).toEqual({ connections: 0, transitioned: false, apart: false });
  });
});
