/**
 * How far combined use of a key can come over its limit while instances decide for themselves (F-50): the most
 * that is possible at all, and the most that is to be expected at the rate at which new users come.
 */

import { type Instance, unitLimitOf } from './instances.ts';
import type { InstalledKey } from './keys/keyring.ts';

/** What one instance could let in by itself. */
export interface InstanceShare {
  readonly instance: string;
  /** The units of the key, or the instance's own unit limit where that is less. */
  readonly unitsMax: number;
}

/** The worst excess, with how it comes about. */
export interface Overshoot {
  /** Units over the limit when every instance lets in as many as it may before it hears of the others. */
  readonly unitsPossible: number;
  /** The units that logins at the server may hold besides, at most. */
  readonly unitsAtServer: number;
  /**
   * The same when every user is on several instances, with as many connections on each as one unit bears there:
   * together they are too many, and each costs a unit (F-32).
   */
  readonly unitsPossibleByTransitions: number;
  readonly shares: readonly InstanceShare[];
  /** Units over the limit at the rate that was observed; null where nothing was observed. */
  readonly unitsExpected: number | null;
  /** How long new users can come in before every instance knows, in milliseconds. */
  readonly windowMs: number;
}

/**
 * After somebody took use over the limit on one instance, the server hears of it with that instance's next
 * update, and every other instance with its own next one: two intervals at most.
 */
const INTERVALS_UNTIL_KNOWN = 2;

/**
 * @param key - with its enforcement; only under a local key anything can be exceeded.
 * @param instances - that are registered with it and may have users: a silent one may be alive behind a network that
 * is broken, and come back with them.
 * @param connectionsAtServer - logins at the server that count under the key; instances do not know of them.
 * @param intervalMs - the interval of updates, in milliseconds.
 * @param usersPerMs - new users over all instances, by the millisecond; null when it is not known.
 */
export function overshootOf(
  key: Pick<InstalledKey, 'enforcement' | 'unitsEnforced' | 'connectionsPerUnitMax'>,
  instances: readonly Pick<Instance, 'name' | 'settings' | 'usableUnits'>[],
  connectionsAtServer: number,
  intervalMs: number,
  usersPerMs: number | null,
): Overshoot {
  const { unitsEnforced: limit, connectionsPerUnitMax } = key;
  const windowMs = INTERVALS_UNTIL_KNOWN * intervalMs;
  if (key.enforcement !== 'local') {
    const none = { unitsPossible: 0, unitsPossibleByTransitions: 0, unitsExpected: 0 };
    return { ...none, unitsAtServer: 0, shares: [], windowMs };
  }
  const shares = instances.map((instance) => ({
    instance: instance.name,
    unitsMax: Math.min(unitLimitOf(instance) || limit, limit),
  }));
  const units = shares.reduce((sum, share) => sum + share.unitsMax, 0);
  const unitsAtServer = Math.min(limit, connectionsAtServer);
  const unitsPossible = Math.max(0, units + unitsAtServer - limit);
  // One instance alone sees all connections of its users.
  const isAlone = shares.length + Math.sign(connectionsAtServer) < 2;
  const transitioned = units * connectionsPerUnitMax + connectionsAtServer;
  const worst = isAlone ? unitsPossible : Math.max(0, transitioned - limit);
  const expected = usersPerMs === null ? null : Math.ceil(usersPerMs * windowMs);
  return {
    unitsPossible,
    unitsPossibleByTransitions: worst,
    unitsAtServer,
    shares,
    unitsExpected: expected === null ? null : Math.min(isAlone ? 0 : expected, unitsPossible),
    windowMs,
  };
}
