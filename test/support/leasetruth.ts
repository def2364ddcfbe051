/**
 * What must be true of a network of instances under a leased key after every step, checked from outside.
 */
import type { Lease } from '../../src/domain/holdings.ts';
import { CENTRE, type LeaseNetwork, type Node, POOL } from './leasenetwork.ts';
import { replay, snapshotOf } from './snapshot.ts';

function hold(isSo: boolean, what: () => string): void {
  if (!isSo) throw new Error(what());
}

/** Everything that must be true after every step. */
export function verify(network: LeaseNetwork): void {
  verifyTruth(network);
  verifyBooks(network);
  for (const node of [...network.nodes, ...network.ghosts]) {
    if (!node.believes) continue;
    verifyNode(network, node);
    verifyTransitions(network, node);
  }
}

/** What the logins that anybody holds valid cost by the facts (F-31…F-33) is never more than is enforced. */
function verifyTruth(network: LeaseNetwork): void {
  const { connectionsPerUnitMax, units } = network.fields;
  const pool = network.table.pools.get(POOL);
  const connections = new Map<string, number>();
  const add = (user: string, count: number) => connections.set(user, (connections.get(user) ?? 0) + count);
  for (const node of [...network.nodes, ...network.ghosts])
    if (node.believes) for (const [user, count] of node.users) add(user, count);
  for (const login of network.table.places.get(CENTRE)?.logins.values() ?? []) add(login.user!.id, 1);
  let cost = 0;
  for (const [user, count] of connections) {
    const isEach = pool?.users.get(user)?.transitioned || count > connectionsPerUnitMax;
    cost += isEach ? count : Math.min(1, count);
  }
  const shown = () => JSON.stringify([...connections]);
  hold(cost <= units, () => `over-grant: ${shown()} cost ${cost} of ${units} units`);
}

/** The books add up, and stay within what is enforced (I1, I2). */
function verifyBooks({ table, fields }: LeaseNetwork): void {
  const pool = table.pools.get(POOL);
  if (!pool) return;
  let used = 0;
  for (const lease of pool.leases) used += lease.units;
  for (const user of pool.users.values()) {
    const isEach = user.transitioned || user.apart;
    used += isEach ? user.connections : Math.min(1, user.connections);
    hold(pool.apart.has(user.id) === user.apart, () => `${user.id} is not among those counted apart`);
    if (user.apart || (!user.transitioned && user.connections < 2)) continue;
    for (const lease of pool.leases) {
      const isHeld = lease.units === 0 || lease.allowances.has(user.id);
      hold(isHeld, () => `${user.id} is counted together and ${lease.place.instance} has no entry of him`);
    }
  }
  hold(used === pool.units, () => `the books come to ${used} units, the pool to ${pool.units}`);
  hold(used <= fields.units, () => `${used} of ${fields.units} units are on the books`);
}

/** Whoever passes what one unit serves on an instance has transitioned by the server's word, and by no other. */
function verifyTransitions({ table, fields }: LeaseNetwork, { users, name }: Node): void {
  for (const [user, connections] of users) {
    const isPast = connections > fields.connectionsPerUnitMax;
    const isKnown = !isPast || table.pools.get(POOL)?.users.get(user)?.transitioned === true;
    hold(isKnown, () => `${user} has ${connections} connections on ${name} and has not transitioned`);
  }
}

/** What an instance believes in is within its books, and what is in is within what it believes in. */
function verifyNode({ table }: LeaseNetwork, node: Node): void {
  const { rights, name } = node;
  const leases = [...(table.places.get(name)?.leases.values() ?? [])];
  const lease = leases.find(({ incarnation }) => incarnation === node.incarnation) as Lease;
  hold(lease !== undefined, () => `${name} believes in a lease that the server has not`);
  let unheld = 0;
  for (const [user, connections] of node.users) {
    const allowance = rights.entries.get(user);
    if (allowance === undefined) unheld += connections;
    else hold(connections <= allowance, () => `${user} has ${connections} of ${allowance} on ${name}`);
  }
  hold(unheld === rights.used, () => `${name} counts ${rights.used} units used, ${unheld} are`);
  hold(rights.used <= rights.units, () => `${name} uses ${rights.used} of ${rights.units} units`);
  // Connections that were pinned have left the block of the instance, and that of the books when they hear of it.
  let pinned = 0;
  for (const [user, allowance] of rights.entries) {
    const booked = lease.allowances.get(user);
    if (booked === undefined) pinned += allowance;
    else hold(allowance <= booked, () => `${name} may have ${allowance} of ${user}, the books say ${booked}`);
  }
  const units = rights.units + pinned;
  hold(units <= lease.units, () => `${name} believes in ${units} units, the books say ${lease.units}`);
  for (const user of table.pools.get(POOL)?.users.values() ?? []) {
    const isJoined = !user.apart && (user.transitioned || user.connections > 1);
    const isOpen = isJoined && rights.units > 0 && !rights.entries.has(user.id);
    hold(!isOpen, () => `${user.id} is counted together, and ${name} lets him in on its block`);
  }
}

/** The journal alone comes to the same table. */
export function verifyReplay(network: LeaseNetwork): void {
  const [one, other] = [replay(network.world.rows), network.table].map((table) =>
    JSON.stringify(snapshotOf(table)),
  );
  hold(one === other, () => 'the replay of the journal is another table');
}

/** Nobody is counted apart any more, and whoever is in is on no books but those of his instances. */
export function verifyTogether({ table, nodes }: LeaseNetwork): void {
  const pool = table.pools.get(POOL);
  for (const user of pool?.users.values() ?? []) {
    hold(!user.apart || user.connections < 2, () => `${user.id} is still counted apart`);
  }
  const incarnations = new Map(nodes.map(({ name, incarnation }) => [name, incarnation]));
  for (const { place, incarnation } of pool?.leases ?? []) {
    const isOf = incarnations.get(place.instance) === incarnation;
    hold(isOf, () => `a lease of ${place.instance} outlives its incarnation ${incarnation}`);
  }
}
