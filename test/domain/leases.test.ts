import { describe, expect, test } from '@jest/globals';
import { CONTEST_SLACK_MS } from '../../src/domain/leases/leasegrowth.ts';
import {
  type LeaseAnswer,
  type LeaseStatement,
  SERVER_MARGIN_MS,
} from '../../src/domain/leases/leasestatements.ts';
import { LeaseNetwork, type Node, POOL } from '../support/leasenetwork.ts';
import { verify, verifyReplay } from '../support/leasetruth.ts';
import { makeRegister } from '../support/make.ts';

const TERM_MS = 60_000;

/** Instances under one key, each with what it gets at its start. */
function networkOf(
  fields: Partial<LeaseNetwork['fields']> = {},
): LeaseNetwork & { readonly first: Node; readonly second: Node } {
  const network = new LeaseNetwork({
    instances: 2,
    units: 100,
    connectionsPerUnitMax: 25,
    termMs: TERM_MS,
    ...fields,
  });
  for (const node of network.nodes) network.exchange(node);
  return Object.assign(network, { first: network.nodes[0]!, second: network.nodes[1]! });
}

function units(network: LeaseNetwork): number {
  return network.table.pools.get(POOL)!.units;
}

function userOf(network: LeaseNetwork, id: string) {
  return network.table.pools.get(POOL)!.users.get(id);
}

/** Logs a user in that often, asking the server where it must be asked. */
function login(network: LeaseNetwork, node: Node, user: string, times = 1): number {
  const before = node.users.get(user) ?? 0;
  for (let count = 0; count < times; count += 1) {
    node.connect(user);
    if (node.waiting.length > 0) network.exchange(node);
    node.giveUp();
  }
  verify(network);
  return (node.users.get(user) ?? 0) - before;
}

function logout(network: LeaseNetwork, node: Node, user: string, times = 1): void {
  for (let count = 0; count < times; count += 1) network.disconnect(node, user);
}

/** Everybody states his rights so often that all that can be counted together is. */
function settle(network: LeaseNetwork, rounds = 3): void {
  for (let round = 0; round < rounds; round += 1) {
    for (const node of network.nodes) network.exchange(node);
    verify(network);
  }
}

/** Sends a statement as it is. */
function state(network: LeaseNetwork, node: Node, statement: Partial<LeaseStatement>): LeaseAnswer {
  const answer = network.ask({
    op: 'lease',
    name: node.name,
    incarnation: node.incarnation,
    statement: { sequence: node.rights.sequence + 1, basis: 0, units: 0, wanted: 0, users: [], ...statement },
    actor: 'tester',
  });
  if (answer.is !== 'leased') throw new Error(JSON.stringify(answer));
  return answer.lease;
}

describe('a block', () => {
  test('S-1: is in use as far as anybody else is concerned, and its instance grants from it without asking', () => {
    const network = networkOf();
    const { first } = network;
    const before = network.world.rows.length;
    network.pass(1_000);
    network.connect(first, 'alice');
    expect(first.users.get('alice')).toBe(1);
    expect(network.world.rows).toHaveLength(before);
    expect(units(network)).toBe(2);
  });

  test('S-8: follows demand, and goes back when there is none', () => {
    const network = networkOf();
    const { first } = network;
    for (let user = 0; user < 20; user += 1) login(network, first, `user ${user}`);
    network.exchange(first);
    expect(first.rights.units - first.rights.used).toBeGreaterThanOrEqual(5);
    for (let user = 0; user < 20; user += 1) logout(network, first, `user ${user}`);
    for (let seconds = 0; seconds < 60; seconds += 10) {
      network.pass(10_000);
      settle(network, 1);
    }
    expect(units(network)).toBe(2);
  });

  test('S-8: is shared out by what is free, and never holds idle units while others are refused', () => {
    const network = networkOf({ units: 10 });
    const { first, second } = network;
    for (let user = 0; user < 12; user += 1) login(network, first, `first ${user}`);
    settle(network);
    for (let user = 0; user < 12; user += 1) login(network, first, `later ${user}`);
    expect(first.users.size).toBe(10);
    expect(second.rights.units).toBe(0);
    logout(network, first, 'first 0');
    settle(network);
    expect(login(network, second, 'bob')).toBe(1);
    expect(units(network)).toBe(10);
  });

  test('S-8: the unit limit of the instance holds for what is leased to it', () => {
    const network = networkOf();
    const { first } = network;
    network.ask({
      op: 'configure',
      name: first.name,
      settings: { unitLimit: 3 },
      ifRevision: null,
      actor: 'tester',
    });
    for (let user = 0; user < 6; user += 1) login(network, first, `user ${user}`);
    expect(first.users.size).toBe(3);
    expect(network.world.lastEvents.at(-1)).toMatchObject({ type: 'refused', rule: 'unit-limit', limit: 3 });
  });
});

describe('a statement', () => {
  test('S-2: repeated is answered with what stands, whole; an earlier one changes nothing', () => {
    const network = networkOf();
    const { first } = network;
    const statement = { sequence: 7, whole: true, units: 1, wanted: 9 } as const;
    const answer = state(network, first, statement);
    expect(answer).toMatchObject({ sequence: 7, units: 9 });
    const rows = network.world.rows.length;
    expect(state(network, first, statement)).toMatchObject({ sequence: 7, units: 9, whole: true });
    expect(state(network, first, { ...statement, sequence: 6, units: 0 })).toMatchObject({ restate: true });
    expect(network.world.rows).toHaveLength(rows);
  });

  test('S-2: on another revision is to be made whole', () => {
    const network = networkOf();
    const { first } = network;
    expect(state(network, first, { basis: 99, units: 1 })).toMatchObject({ restate: true });
    expect(state(network, first, { whole: true, units: 1 })).not.toHaveProperty('restate');
  });

  test.each([
    ['more units than the books say', { units: 2 }],
    ['connections that no unit of its block paid for', { units: 1, users: [{ allowance: 1 }] }],
    ['rights of a lease that is over', { units: 0, over: true }],
  ])('S-2: of %s is not believed: the instance must begin afresh', (_what, stated) => {
    const network = networkOf();
    const { first } = network;
    if ('over' in stated) network.pass(TERM_MS + SERVER_MARGIN_MS);
    const before = units(network);
    const users = ('users' in stated ? stated.users : []).map((user) => ({
      id: 'alice',
      needed: 1,
      wanted: 1,
      ...user,
    }));
    expect(state(network, first, { whole: true, units: stated.units, users })).toMatchObject({
      unknown: true,
    });
    expect(units(network)).toBe(before);
  });

  test('S-6: that changes nothing costs no row until a third of the term has passed', () => {
    const network = networkOf();
    const { first } = network;
    settle(network);
    const rows = network.world.rows.length;
    network.pass(TERM_MS / 6);
    network.exchange(first);
    expect(network.world.rows).toHaveLength(rows);
    network.pass(TERM_MS / 5);
    network.exchange(first);
    expect(network.world.lastEvents).toMatchObject([
      { type: 'leased', units: 1, ends: network.world.nowMs + TERM_MS },
    ]);
  });
});

describe('a user on several instances', () => {
  test('S-4: costs a unit a connection until every instance has said how many it has, then one (F-31)', () => {
    const network = networkOf({ instances: 3 });
    const { first, second } = network;
    login(network, first, 'alice', 2);
    login(network, second, 'alice', 2);
    network.exchange(first);
    expect(userOf(network, 'alice')).toMatchObject({ apart: true });
    settle(network);
    expect(userOf(network, 'alice')).toMatchObject({ apart: false, transitioned: false });
    expect(first.rights.entries.get('alice')).toBeGreaterThan(2);
    // One unit for him, and an idle one for each instance.
    for (let seconds = 0; seconds < 60; seconds += 10) {
      network.pass(10_000);
      settle(network, 1);
    }
    expect(units(network)).toBe(1 + 3);
    verifyReplay(network);
  });

  test('S-4: costs one unit at once when no other instance has any', () => {
    const network = networkOf({ instances: 1, units: 3 });
    const { nodes } = network;
    expect(login(network, nodes[0]!, 'alice', 25)).toBe(25);
    expect(userOf(network, 'alice')).toMatchObject({ transitioned: false });
    expect(login(network, nodes[0]!, 'bob')).toBe(1);
  });

  test('S-5: 25 connections on each of two instances cost 50 units, or are refused (F-32)', () => {
    for (const [unitsMax, expected] of [
      [60, 50],
      [25, 25],
    ] as const) {
      const network = networkOf({ units: unitsMax });
      const { first, second } = network;
      let connections = 0;
      for (let round = 0; round < 60; round += 1) {
        for (const node of [first, second]) {
          if ((node.users.get('alice') ?? 0) < 25) connections += login(network, node, 'alice');
          network.exchange(node);
        }
        network.pass(1_000);
      }
      expect(connections).toBe(expected);
      const isEach = expected > 25;
      expect(userOf(network, 'alice')).toMatchObject({ transitioned: isEach, connections: expected });
      const refusals = network.world.rows.flatMap(({ events }) =>
        events.filter(({ type }) => type === 'refused'),
      );
      expect(refusals.length > 0).toBe(!isEach);
      if (!isEach) expect(refusals.at(-1)).toMatchObject({ rule: 'transition', limit: 25 });
    }
  });

  test('S-5: who has transitioned costs a unit a connection until none is left anywhere (F-33)', () => {
    const network = networkOf({ connectionsPerUnitMax: 3 });
    const { first, second } = network;
    login(network, first, 'alice', 5);
    login(network, second, 'alice', 1);
    settle(network);
    expect(userOf(network, 'alice')).toMatchObject({ transitioned: true, connections: 6 });
    logout(network, first, 'alice', 5);
    settle(network);
    expect(userOf(network, 'alice')).toMatchObject({ transitioned: true, connections: 1 });
    logout(network, second, 'alice');
    settle(network);
    expect(userOf(network, 'alice')).toBeUndefined();
    login(network, first, 'alice', 2);
    settle(network);
    expect(userOf(network, 'alice')).toMatchObject({ transitioned: false });
  });

  test('S-5: what others are merely allowed makes nobody transition', () => {
    const network = networkOf({ connectionsPerUnitMax: 6 });
    const { first, second } = network;
    login(network, first, 'alice', 2);
    settle(network);
    login(network, second, 'alice', 1);
    settle(network);
    // The first is allowed more than it has; the second needs what is left and one more.
    const allowed = first.rights.entries.get('alice')!;
    expect(allowed).toBeGreaterThan(2);
    logout(network, first, 'alice', 1);
    for (let count = 0; count < 4; count += 1) second.connect('alice');
    network.exchange(second);
    expect(second.waiting).not.toEqual([]);
    expect(userOf(network, 'alice')!.transitioned).toBe(false);
    // It is asked to hold him, and says what it has of him.
    network.exchange(first);
    network.pass(1_000);
    network.exchange(first);
    network.exchange(second);
    expect(second.users.get('alice')).toBe(5);
    expect(userOf(network, 'alice')).toMatchObject({ transitioned: false, connections: 6 });
  });

  test('S-5: after a while the books alone decide, though an instance has not spoken', () => {
    const network = networkOf({ connectionsPerUnitMax: 4 });
    const { first, second } = network;
    login(network, first, 'alice', 2);
    settle(network);
    second.connect('alice');
    network.exchange(second);
    for (let count = 0; count < 3; count += 1) second.connect('alice');
    network.exchange(second);
    expect(second.waiting).not.toEqual([]);
    network.pass(TERM_MS / 12 + CONTEST_SLACK_MS);
    network.exchange(second);
    expect(second.users.get('alice')).toBe(4);
    expect(userOf(network, 'alice')!.transitioned).toBe(true);
  });

  test('S-4: central logins beside leases are counted apart until every instance has an entry', () => {
    const network = networkOf();
    expect(network.loginCentrally('alice') && network.loginCentrally('alice')).toBe(true);
    expect(userOf(network, 'alice')).toMatchObject({ connections: 2, apart: true });
    const before = units(network);
    settle(network);
    expect(userOf(network, 'alice')).toMatchObject({ connections: 2, apart: false });
    expect(units(network)).toBe(before - 1);
    for (let count = 2; count < 26; count += 1) network.loginCentrally('alice');
    expect(userOf(network, 'alice')).toMatchObject({ connections: 26, transitioned: true });
  });

  test('S-4: a block that grows from nothing begins with entries of 0', () => {
    const network = networkOf();
    const { first, second } = network;
    login(network, first, 'alice', 2);
    settle(network);
    network.restart(second, true);
    network.exchange(second);
    expect(second.rights.entries.get('alice')).toBe(0);
    expect(second.rights.coverage('alice', 0)).toBe('ask');
    expect(second.rights.coverage('bob', 0)).toBe('block');
  });
});

describe('a term', () => {
  test('S-6: ends for the server when it has surely ended for the instance, on the server’s time alone', () => {
    const network = networkOf();
    const { first } = network;
    login(network, first, 'alice');
    network.exchange(first);
    network.pass(TERM_MS - 2_000);
    expect(first.users.size).toBe(1);
    network.pass(2_000);
    expect(first.users.size).toBe(0);
    expect(units(network)).toBeGreaterThan(0);
    network.pass(SERVER_MARGIN_MS);
    expect(units(network)).toBe(0);
    expect(network.world.lastEvents.at(-1)).toMatchObject({
      type: 'lease-ended',
      reason: 'expired',
      used: 0,
    });
    network.exchange(first);
    expect(login(network, first, 'alice')).toBe(1);
  });

  test('S-7: outlives a newer incarnation and deregistration, but not an end in good order', () => {
    const network = networkOf();
    const { first, second } = network;
    network.restart(first, false);
    network.exchange(first);
    expect(network.table.places.get(first.name)!.leases.size).toBe(2);
    network.ask({ op: 'deregister', name: second.name, actor: 'tester' });
    expect(units(network)).toBe(3);
    network.restart(first, true);
    expect(units(network)).toBe(2);
    network.pass(TERM_MS + SERVER_MARGIN_MS);
    expect(units(network)).toBe(0);
    expect(network.table.places.has(second.name)).toBe(false);
    verifyReplay(network);
  });

  test('S-10: a key that has ended grants nothing more; what is held is held until it goes', () => {
    const network = networkOf();
    const { first } = network;
    login(network, first, 'alice');
    login(network, first, 'bob', 2);
    const key = network.table.keys.get(POOL)!;
    network.table.setKey(POOL, { ...key, validThroughMs: network.world.nowMs });
    network.pass(1_000);
    network.exchange(first);
    expect(first.rights.closed).toBe('key-expired');
    expect(login(network, first, 'carol')).toBe(0);
    for (let seconds = 0; seconds < 120; seconds += 10) {
      network.pass(10_000);
      network.exchange(first);
    }
    expect([...first.users]).toEqual([
      ['alice', 1],
      ['bob', 2],
    ]);
    logout(network, first, 'alice');
    network.exchange(first);
    expect(first.rights.units).toBe(0);
  });

  test('S-10: another key, or none, grants nothing; beginning afresh leaves the former', () => {
    const network = networkOf();
    const { first } = network;
    network.ask(makeRegister({ name: first.name, key: null, incarnation: first.incarnation }));
    login(network, first, 'alice');
    network.exchange(first);
    expect([first.rights.closed, first.rights.units]).toEqual(['key-missing', 1]);
    const statement = { fresh: true, whole: true, wanted: 1 } as const;
    expect(state(network, first, statement)).toMatchObject({ units: 0, closed: 'key-missing' });
    expect(network.table.places.get(first.name)!.leases.size).toBe(0);
  });
});

describe('a refusal', () => {
  test('S-9: is journalled with the login that waited, and explained to the instance (R-5)', () => {
    const network = networkOf({ instances: 1, units: 1 });
    const [node] = network.nodes;
    login(network, node!, 'alice');
    node!.connect('bob');
    network.exchange(node!);
    const refused = node!.rights.refusalOf('bob');
    expect(refused).toMatchObject({ rule: 'enforced-units', limit: 1, inUse: 1, requested: 1 });
    const [shard, version, index] = refused!.decision.split(':').map(Number);
    const row = network.world.rows.find((each) => each.version === version)!;
    expect([shard, row.events[index!]]).toMatchObject([
      0,
      { type: 'refused', samples: [{ instance: node!.name, login: 'login-1', user: 'bob' }] },
    ]);
  });
});
