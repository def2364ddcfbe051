/** What becomes of a lease when its instance is given another leased key. */
import { describe, expect, test } from '@jest/globals';
import type { Lease } from '../../src/domain/holdings/holdings.ts';
import { CENTRE, LeaseNetwork, type NetworkFields, type Node, OTHER, POOL } from '../support/leasenetwork.ts';
import { verify, verifyReplay } from '../support/leasetruth.ts';

function networkOf(fields: Partial<NetworkFields> = {}): LeaseNetwork {
  const network = new LeaseNetwork({
    instances: 2,
    units: 20,
    connectionsPerUnitMax: 3,
    termMs: 60_000,
    ...fields,
  });
  for (const node of network.nodes) network.exchange(node);
  return network;
}

/** Lets users in, so many connections each, asking the server where it has to be. */
function fill(network: LeaseNetwork, node: Node, users: Readonly<Record<string, number>>): void {
  for (const [user, connections] of Object.entries(users)) {
    for (let count = 0; count < connections; count += 1) {
      network.connect(node, user);
      for (let turn = 0; turn < 4 && node.waiting.length > 0; turn += 1) {
        network.pass(5_000);
        for (const each of network.nodes) network.exchange(each);
      }
    }
    expect([user, node.users.get(user)]).toEqual([user, connections]);
  }
}

const leasesOf = (network: LeaseNetwork, pool: string): Lease[] => [
  ...(network.table.pools.get(pool)?.leases ?? []),
];
const units = (network: LeaseNetwork, pool: string) => network.table.pools.get(pool)?.units ?? 0;

describe('a lease whose instance works under another key (S-10)', () => {
  test('goes over whole with the next statement, and whoever is in notices nothing', () => {
    const network = networkOf();
    const [node] = network.nodes as [Node];
    fill(network, node, { alice: 2, bob: 1, carol: 1 });
    const before = leasesOf(network, POOL).find(({ place }) => place.instance === node.name)!;
    const entries = [...before.allowances.keys()];
    expect(entries).toContain('alice');
    network.activate(node.name, OTHER);
    const inUse = units(network, POOL) + units(network, OTHER);
    network.exchange(node);
    const [after] = leasesOf(network, OTHER) as [Lease];
    expect(leasesOf(network, POOL).map(({ place }) => place.instance)).toEqual(['i1']);
    expect([...after.allowances.keys()]).toEqual(entries);
    expect(units(network, POOL) + units(network, OTHER)).toBeLessThanOrEqual(inUse + 1);
    expect(node.rights.closed).toBeNull();
    expect(Object.fromEntries(node.users)).toEqual({ alice: 2, bob: 1, carol: 1 });
    network.connect(node, 'dave');
    expect(node.users.get('dave')).toBe(1);
    verify(network);
    verifyReplay(network);
  });

  test('an answer that was lost is made up for by the next: the books are never below what it believes in (S-1)', () => {
    const network = networkOf();
    const [node] = network.nodes as [Node];
    fill(network, node, { alice: 2, bob: 1 });
    network.activate(node.name, OTHER);
    network.state(node);
    network.arrive(0);
    network.replies = [];
    verify(network);
    // The same statement once more is answered by what stands (S-2).
    network.arrive(0);
    expect(network.replies[0]?.answer).toMatchObject({ whole: true, id: leasesOf(network, OTHER)[0]!.id });
    network.replies = [];
    network.exchange(node);
    expect(node.rights.closed).toBeNull();
    expect([...node.users.keys()]).toEqual(['alice', 'bob']);
    verify(network);
  });

  test('stays where it is while the other key has no room for all of it, and goes over when it has (S-3)', () => {
    const network = networkOf({ units: 6 });
    const [node, other] = network.nodes as [Node, Node];
    network.activate(other.name, OTHER);
    network.exchange(other);
    fill(network, other, { u1: 1, u2: 1, u3: 1, u4: 1 });
    fill(network, node, { alice: 1, bob: 1, carol: 1 });
    network.activate(node.name, OTHER);
    network.exchange(node);
    expect(node.rights.closed).toBe('key-unusable');
    expect(units(network, OTHER)).toBeLessThanOrEqual(6);
    verify(network);
    for (const user of ['u1', 'u2', 'u3']) network.disconnect(other, user);
    network.settle(10_000);
    expect(node.rights.closed).toBeNull();
    expect([...node.users.keys()]).toEqual(['alice', 'bob', 'carol']);
    expect(units(network, POOL)).toBe(0);
  });

  test('is asked first to hold whoever is counted together there (S-4)', () => {
    const network = networkOf();
    const [node, other] = network.nodes as [Node, Node];
    network.activate(other.name, OTHER);
    network.exchange(other);
    fill(network, other, { alice: 2 });
    fill(network, node, { bob: 1 });
    network.activate(node.name, OTHER);
    network.exchange(node);
    expect(node.rights.closed).toBe('key-unusable');
    expect(node.rights.nextStatementMs).toBeLessThanOrEqual(1_000);
    network.exchange(node);
    expect(node.rights.closed).toBeNull();
    expect(node.rights.entries.get('alice')).toBe(0);
    expect(network.table.pools.get(OTHER)?.users.get('alice')).toMatchObject({
      connections: expect.any(Number),
      apart: false,
    });
    verify(network);
  });

  test('whoever has transitioned stays so, and nobody comes to it by the move (F-33, S-5)', () => {
    const network = networkOf();
    const [node, other] = network.nodes as [Node, Node];
    fill(network, node, { alice: 4, bob: 2 });
    network.disconnect(node, 'alice');
    network.disconnect(node, 'alice');
    network.activate(node.name, OTHER);
    network.exchange(node);
    expect(network.table.pools.get(OTHER)?.users.get('alice')?.transitioned).toBe(true);
    verify(network);
    fill(network, other, { bob: 3 });
    network.activate(other.name, OTHER);
    network.exchange(other);
    // Two and three connections together would be more than one unit bears.
    network.exchange(other);
    expect(other.rights.closed).toBe('key-unusable');
    expect(network.table.pools.get(OTHER)?.users.get('bob')?.transitioned).toBe(false);
    verify(network);
    network.disconnect(other, 'bob');
    network.disconnect(other, 'bob');
    network.settle(10_000);
    expect(other.rights.closed).toBeNull();
  });

  test('goes back as it came, and logins at the server are told apart from it', () => {
    const network = networkOf();
    const [node] = network.nodes as [Node];
    expect(network.loginCentrally('alice')).toBe(true);
    fill(network, node, { alice: 1, bob: 1 });
    for (const key of [OTHER, POOL]) {
      network.activate(node.name, key);
      network.activate(CENTRE, key);
      network.settle(5_000);
      expect(leasesOf(network, key).map(({ place }) => place.instance)).toContain(node.name);
    }
    expect(units(network, OTHER)).toBe(0);
    verifyReplay(network);
  });
});
