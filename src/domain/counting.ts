/**
 * What a user costs. One unit serves a user ID up to the connections that one unit allows; with one more the
 * ID *transitions* and costs a unit per connection, until none of its connections is left (F-30…F-33).
 */

/** The connections that one unit serves when a key states nothing else (`MaxConnections()`, notes 2.2). */
export const CONNECTIONS_PER_UNIT_MAX = 25;

/** The connections of one user ID under one key, over all instances that share it. */
export interface Count {
  readonly connections: number;
  /** Whether the ID has passed the limit since it last had no connection; sticky (F-33). */
  readonly transitioned: boolean;
  /**
   * Whether its connections cannot be counted together yet, because an instance that units are leased to may
   * hold others that the server does not know of: each costs a unit until then.
   */
  readonly apart: boolean;
}

/** A user ID that has no connection. */
export const NOBODY: Count = { connections: 0, transitioned: false, apart: false };

/**
 * @param count - the connections of a user ID.
 * @returns the units they cost: none without a connection, one up to the transition, then one for each
 * connection (F-31…F-33); one for each also while they are counted apart.
 */
export function unitsOf(count: Count): number {
  if (count.connections === 0) return 0;
  return count.transitioned || count.apart ? count.connections : 1;
}

/**
 * Adds connections to a user ID, which may make it transition (F-32).
 * @param count - what it has.
 * @param connectionsPerUnitMax - the connections that one unit serves under its key.
 */
export function withConnection(count: Count, connectionsPerUnitMax: number): Count {
  const connections = count.connections + 1;
  const transitioned = count.transitioned || connections > connectionsPerUnitMax;
  return { connections, transitioned, apart: count.apart };
}

/** Takes one connection away; the transition ends only when none is left (F-33). */
export function withoutConnection(count: Count): Count {
  const connections = count.connections - 1;
  const remains = connections > 0;
  return { connections, transitioned: count.transitioned && remains, apart: count.apart && remains };
}
