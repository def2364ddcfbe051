import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { closeShards, openShard, PATIENCE_MS, runOnce } from '../support/lane.ts';
import { granted, makeLogin, makeRegister } from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

describe('a table that is loaded', () => {
  test('R-9: is the live one, whatever its logins are', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 60, connectionsPerUnitMax: 2 });
    const settings = { deferredIdentification: true, graceSeconds: 0 };
    await replica.ask(makeRegister({ name: 'deferred', settings }));
    await replica.ask(makeRegister({ name: 'keyless', key: null }));
    const login = async (fields: Parameters<typeof makeLogin>[0]) =>
      granted(await replica.ask(makeLogin({ id: randomUUID(), ...fields })));
    // One who has transitioned and come back, and one whose peak is above what he has.
    const many = [];
    for (let index = 0; index < 3; index += 1)
      many.push(await replica.login('many', { instance: index ? 'a' : 'b' }));
    await replica.logout(many[1]!);
    const peaked = [await replica.login('peaked'), await replica.login('peaked')];
    await replica.logout(peaked[0]!);
    await login({ instance: 'deferred', claims: { kind: 'user' } });
    await login({ instance: 'keyless', claims: { user: 'mender' } });
    const page = await login({ claims: { kind: 'web', webSession: 'tab\tnew\nline\\N' } });
    await replica.ask({
      op: 'logout',
      instance: 'a',
      id: page.id,
      onePage: true,
      reason: 'logout',
      actor: 'x',
    });
    await login({ claims: { kind: 'request' }, leaseSeconds: 30 });
    const leased = await replica.login('leased', { leaseSeconds: 30 });
    replica.clock.aheadMs = 5_000;
    await replica.ask({ op: 'renew', instance: 'a', id: leased.id, actor: 'x' });
    await login({ claims: { kind: 'batch', processId: 4711 } });
    await login({ claims: { kind: 'emergency' } });
    await login({ claims: { kind: 'system' } });
    await replica.ask({ op: 'logout', instance: 'b', id: randomUUID(), reason: 'logout', actor: 'x' });
    await replica.lead();
    await runOnce(replica.fold);
    const live = snapshotOf(await replica.lane.read((table) => table));
    expect(snapshotOf(await shard.folded())).toEqual(live);
    const fresh = await shard.open({ coordinated: false });
    expect(snapshotOf(fresh.lane.table)).toEqual(live);
    // It goes on as the live one does: the same ends fall due, the same ID is known.
    expect(fresh.lane.table.due.nextMs).toBe(replica.lane.table.due.nextMs);
    const repeated = await fresh.ask(
      makeLogin({ id: leased.id, claims: { user: 'leased' }, leaseSeconds: 30 }),
    );
    expect(granted(repeated).decision).toBe(leased.decision);
  });

  test('R-9: is the fold and the rows after it, whatever the facts say that are ahead of both', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const before = await replica.login('before');
    await replica.lead();
    await runOnce(replica.fold);
    await replica.login('after');
    await replica.ask({ op: 'deregister', name: 'a', actor: 'tester' });
    await replica.ask(makeRegister({ name: 'c' }));
    const live = snapshotOf(await replica.lane.read((table) => table));
    const fresh = await shard.open();
    expect(snapshotOf(fresh.lane.table)).toEqual(live);
    expect(fresh.lane.table.places.get('a')!.released.has(before.id)).toBe(true);
  });

  test('R-4: whose logins do not come to what its pools hold is not served', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.login('alice');
    await replica.lead();
    await runOnce(replica.fold);
    await shard.sql`delete from logins`;
    const fresh = await shard.open({ waits: false });
    await until(() => fresh.lane.status.state === 'stopped', PATIENCE_MS, 'the replica has stopped');
    expect(fresh.lane.status.reason).toContain('pool key-1 holds 1 units and 1 connections');
  });
});
