import { describe, expect, test } from '@jest/globals';
import { LeaseRights } from '../../src/domain/leases/leaserights.ts';
import type { LeaseAnswer } from '../../src/domain/leases/leasestatements.ts';
import { LocalReports } from '../../src/domain/local/localreports.ts';
import { type LocalFields, LocalWorld } from '../support/local.ts';

/** A table on an instance that has been leased some units, for a minute. */
function leasedWorld(units: number, fields: LocalFields = {}): { world: LocalWorld; rights: LeaseRights } {
  const world = new LocalWorld({ unitsMax: 50, ...fields });
  const rights = new LeaseRights({
    connectionsOf: (userId) => world.table.users.get(userId)?.connections ?? 0,
    connectionsPerUnitMax: world.table.capacity.connectionsPerUnitMax,
  });
  world.table.rights = rights;
  exchange(rights, { units });
  return { world, rights };
}

/** States what the instance holds, and has the server answer it so. */
function exchange(rights: LeaseRights, answer: Partial<LeaseAnswer>): ReturnType<LeaseRights['statement']> {
  const statement = rights.statement(0, 0);
  const said = rights.adopt({
    sequence: statement.sequence,
    id: '0:1:0',
    revision: statement.sequence,
    units: statement.units,
    termMs: 60_000,
    nextStatementAfterSeconds: 15,
    allowances: [],
    scarce: false,
    ...answer,
  });
  expect(said).toBe('adopted');
  return statement;
}

describe('an instance that units are leased to', () => {
  test('lets in as long as its block lasts, and then the server is asked', () => {
    const { world, rights } = leasedWorld(2);
    const alice = world.login('alice');
    world.login('bob');
    expect(world.ask({ user: 'carol' })).toEqual({ is: 'ask', userId: 'carol' });
    expect(rights).toMatchObject({ units: 2, used: 2 });
    world.logout(alice);
    world.login('carol');
    expect(world.table.counts).toMatchObject({ users: 2, connections: 2, units: 2 });
  });

  test('each connection costs a unit of the block until the server has said otherwise', () => {
    const { world, rights } = leasedWorld(3);
    world.logins(3, 'alice');
    expect(world.ask({ user: 'alice' }).is).toBe('ask');
    expect(rights.used).toBe(3);
    // She is told to the server as she is, and gets an allowance on its account.
    const { users } = exchange(rights, { units: 3, allowances: [{ id: 'alice', allowance: 25 }] });
    expect(users).toMatchObject([{ id: 'alice', allowance: 3 }]);
    expect(rights).toMatchObject({ units: 3, used: 0 });
    world.logins(22, 'alice');
    expect(world.ask({ user: 'alice' }).is).toBe('ask');
    world.logins(1, 'bob');
    expect(rights.used).toBe(1);
  });

  test('what costs nothing comes in without a unit, and the connection limit is its own', () => {
    const { world } = leasedWorld(0, { settings: { connectionLimit: 1, deferredIdentification: true } });
    world.login({ kind: 'system' });
    const pending = world.login({});
    expect(world.identify(pending, 'alice')).toEqual({ is: 'ask', userId: 'alice' });
    expect(pending).toMatchObject({ phase: 'pending', userId: null });
    const { world: other } = leasedWorld(5, { settings: { connectionLimit: 1 } });
    other.login('alice');
    expect(other.refuse('alice').code).toBe('connection-limit-reached');
  });

  test('a trade gives up one unit for another, or changes nothing', () => {
    const { world, rights } = leasedWorld(1, { connectionsPerUnitMax: 2 });
    const session = world.login({ kind: 'web', webSession: 's1' });
    expect(world.identify(session, 'alice').is).toBe('granted');
    expect(rights).toMatchObject({ units: 1, used: 1 });
    exchange(rights, { units: 2, allowances: [{ id: 'bob', allowance: 0 }] });
    const visitor = world.login({ kind: 'web', webSession: 's2' });
    expect(world.identify(visitor, 'bob')).toEqual({ is: 'ask', userId: 'bob' });
    expect(visitor).toMatchObject({ userId: 's2', isHeld: true });
    expect(rights).toMatchObject({ units: 2, used: 2 });
    world.logout(visitor);
    expect(rights.used).toBe(1);
  });

  test('neither a NAK nor the absence of the server stops whom the block covers', () => {
    const { world } = leasedWorld(1);
    world.table.gates = { overLimit: { limit: 1, inUse: 2 }, offline: { forSeconds: 0 } };
    world.login('alice');
  });

  test('at the end of the term everything that cost a unit is lost, and nothing is let in', () => {
    const { world, rights } = leasedWorld(2);
    const reports = new LocalReports(world.table);
    const [alice, system] = [world.login('alice'), world.login({ kind: 'system' })];
    reports.settle(reports.state(), { sequence: 1 });
    expect(rights.isOver(58_000, 58_000)).toBe(false);
    expect(rights.isOver(60_000, 0)).toBe(true);
    expect(world.table.loseAll()).toBe(1);
    reports.requireFull();
    expect([alice.isHeld, system.isHeld]).toEqual([false, true]);
    expect(world.logout(alice)).toBe(false);
    expect(rights).toMatchObject({ units: 0, used: 0, isFresh: true });
    expect(world.ask({ user: 'alice' }).is).toBe('ask');
    expect(reports.state()).toMatchObject({ fullFrom: 2, users: [] });
    exchange(rights, { units: 1 });
    world.login('alice');
    expect(world.logout(alice)).toBe(false);
    expect(rights.used).toBe(1);
  });
});
