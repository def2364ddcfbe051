/**
 * What must be true of a network of instances under a leased key after every step, checked from outside.
 */
import type { Lease } from '../../src/domain/holdings/holdings.ts';
import { CENTRE, type LeaseNetwork, type Node, OTHER, POOL } from './leasenetwork.ts';
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

/** The lease by which an instance holds what it believes in. */
function leaseOf({ table }: LeaseNetwork, { name, incarnation }: Node): Lease | undefined {
  const leases = [...(table.places.get(name)?.leases.values() ?? [])];
  return leases.find((lease) => lease.incarnation === incarnation);
}

/**
 * What the logins that anybody holds valid cost by the facts (F-31…F-33) is never more than is enforced, but by
 * those who were in when their instance was given another key.
 */
function verifyTruth(network: LeaseNetwork): void {
  for (const pool of [POOL, OTHER]) verifyTruthOf(network, pool);
}

function verifyTruthOf(network: LeaseNetwork, id: string): void {
  const { connectionsPerUnitMax } = network.fields;
  const pool = network.table.pools.get(id);
  const connections = new Map<string, number>();
  const add = (user: string, count: number) => connections.set(user, (connections.get(user) ?? 0) + count);
  for (const node of [...network.nodes, ...network.ghosts]) {
    if (!node.believes || leaseOf(network, node)?.pool !== pool) continue;
    for (const [user, count] of node.users) add(user, count);
  }
  for (const login of network.table.places.get(CENTRE)?.logins.readAll() ?? [])
    if (login.pool === pool) add(login.user!.id, 1);
  let cost = 0;
  for (const [user, count] of connections) {
    const isEach = pool?.users.get(user)?.transitioned || count > connectionsPerUnitMax;
    cost += isEach ? count : Math.min(1, count);
  }
  const units = limitOf(network, id);
  const shown = () => JSON.stringify([...connections]);
  hold(cost <= units, () => `over-grant: ${shown()} cost ${cost} of ${units} units of ${id}`);
}

/** The units of a key that may be in use: the enforced ones, or fewer and fewer of those that went over to it. */
function limitOf({ fields, ceilings }: LeaseNetwork, pool: string): number {
  return Math.max(fields.units, ceilings.get(pool) ?? 0);
}

/** The books add up, and stay within what is enforced (I1, I2). */
function verifyBooks(network: LeaseNetwork): void {
  for (const id of [POOL, OTHER]) verifyBooksOf(network, id);
}

function verifyBooksOf(network: LeaseNetwork, id: string): void {
  const pool = network.table.pools.get(id);
  if (!pool) return;
  let used = 0;
  for (const lease of pool.leases) used += lease.units;
  for (const user of pool.users.readAll()) {
    const isEach = user.transitioned || user.apart;
    used += isEach ? user.connections : Math.min(1, user.connections);
    hold(pool.apart.has(user.id) === user.apart, () => `${user.id} is not among those counted apart`);
    if (user.apart || (!user.transitioned && user.connections < 2)) continue;
    for (const lease of pool.leases) {
      const isHeld = lease.units === 0 || lease.allowances.has(user.id);
      hold(isHeld, () => `${user.id} is counted together and ${lease.place.instance} has no entry of him`);
    }
  }
  hold(used === pool.units, () => `the books of ${id} come to ${used} units, the pool to ${pool.units}`);
  const units = limitOf(network, id);
  hold(used <= units, () => `${used} of ${units} units are on the books of ${id}`);
  network.ceilings.set(id, used);
}

/** Whoever passes what one unit serves on an instance has transitioned by the server's word, and by no other. */
function verifyTransitions(network: LeaseNetwork, node: Node): void {
  const users = leaseOf(network, node)?.pool.users;
  for (const [user, connections] of node.users) {
    const isPast = connections > network.fields.connectionsPerUnitMax;
    const isKnown = !isPast || users?.get(user)?.transitioned === true;
    hold(isKnown, () => `${user} has ${connections} connections on ${node.name} and has not transitioned`);
  }
}

/** What an instance believes in is within its books, and what is in is within what it believes in. */
function verifyNode(network: LeaseNetwork, node: Node): void {
  const { rights, name } = node;
  const lease = leaseOf(network, node) as Lease;
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
  for (const user of lease.pool.users.readAll()) {
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
  for (const user of pool?.users.readAll() ?? []) {
    hold(!user.apart || user.connections < 2, () => `${user.id} is still counted apart`);
  }
  const incarnations = new Map(nodes.map(({ name, incarnation }) => [name, incarnation]));
  for (const { place, incarnation } of pool?.leases ?? []) {
    const isOf = incarnations.get(place.instance) === incarnation;
    hold(isOf, () => `a lease of ${place.instance} outlives its incarnation ${incarnation}`);
  }
}
