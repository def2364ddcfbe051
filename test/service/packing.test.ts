import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { PACKED_FROM } from '../../src/domain/holdings/packing.ts';
import type { LoginView } from '../../src/domain/operations.ts';
import { TableBuilder } from '../../src/service/loading.ts';
import { Packing } from '../../src/service/packing.ts';
import { closeShards, openShard, PATIENCE_MS, runOnce, type TestReplica } from '../support/lane.ts';
import { granted, makeLogin, START_MS } from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const LOGINS = PACKED_FROM + 600;
/** Longer than a login is left alone before it is packed, in milliseconds. */
const LATER_MS = 60_000;

function packingOf({ lane, clock, log: logger, fold: { busy } }: TestReplica): Packing {
  return new Packing({ lane, clock, logger, busy });
}

/** Logs everybody in, one user after the other, as fast as they are taken. */
async function fill(replica: TestReplica): Promise<LoginView[]> {
  const asked = Array.from({ length: LOGINS }, (_, index) =>
    replica.ask(makeLogin({ id: randomUUID(), claims: { user: `user ${index % (LOGINS - 50)}` } })),
  );
  return (await Promise.all(asked)).map(granted);
}

describe('packing', () => {
  test('a replica packs what is folded and rests, and nobody can tell: it decides, folds and reads as before', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 5_000 });
    const views = await fill(replica);
    const { logins } = replica.lane.table.places.get('a')!;
    const { users } = replica.lane.table.pools.get('key-1')!;
    const busy = () => replica.fold.busy.hasLogin(logins.get(views[0]!.id)!);
    expect(busy()).toBe(true);
    await replica.lead();
    await runOnce(replica.fold);
    expect(busy()).toBe(false);
    replica.clock.aheadMs = LATER_MS;
    const packing = packingOf(replica);
    packing.start();
    await until(() => logins.openSize + users.openSize === 0, PATIENCE_MS, 'everything is packed');
    expect([logins.size, users.size]).toEqual([LOGINS, LOGINS - 50]);
    // The other replica holds them all as objects, and what it does is followed here.
    const other = await shard.open();
    for (const { id } of views.slice(0, 20)) await other.logout({ instance: 'a', id });
    for (const { id } of views.slice(20, 40)) await replica.logout({ instance: 'a', id });
    const repeated = makeLogin({ id: views[60]!.id, claims: { user: 'user 60' } });
    expect(await replica.ask(repeated)).toMatchObject({ is: 'granted', repeated: true });
    await replica.login('user 61');
    await replica.login('somebody new');
    await runOnce(replica.fold);
    const held = snapshotOf(await replica.lane.read((table) => table));
    expect(snapshotOf(await shard.folded())).toEqual(held);
    expect(snapshotOf(await shard.replayed())).toEqual(held);
    expect(snapshotOf(await other.lane.read((table) => table))).toEqual(held);
    await packing.close();
  });

  test('what was granted within the last half minute is left, and so is a table that is loaded anew meanwhile', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({ units: 5_000 });
    await replica.lead();
    const keep = await shard.keep();
    await fill(replica);
    await runOnce(replica.fold);
    const young = replica.lane.table.places.get('a')!.logins;
    const packing = packingOf(replica);
    packing.start();
    // A round goes through them all between batches; reads come one after the other, so that it is over after these.
    for (let read = 0; read < 50; read += 1) await replica.lane.read((table) => table.version);
    expect(young.openSize).toBe(LOGINS);
    await packing.close();
    await keep();
    await until(() => replica.lane.table.places.get('a')?.logins !== young, PATIENCE_MS, 'it is loaded anew');
    replica.clock.aheadMs = LATER_MS;
    packing.start();
    expect((await replica.lane.read((table) => table)).loginCount).toBe(0);
    await packing.close();
    expect(replica.log.lines.filter(({ message }) => message.includes('packed'))).toEqual([]);
  });
});

test('a table that is loaded with very many logins never has all of them as objects', () => {
  const rows = 50_000;
  const builder = new TableBuilder(0);
  builder.head({ version: rows, batch: randomUUID(), atMs: START_MS });
  const { logins } = builder.table.place('a');
  const { users } = builder.table.pool('key-1');
  let most = 0;
  for (let index = 0; index < rows; index += 1) {
    const version = index + 1;
    const totals = { connections: 1, units: 1, unitsAdded: 1, transitioned: false };
    builder.login({
      ...{
        instance: 'a',
        id: randomUUID(),
        pool: 'key-1',
        userId: `user ${index}`,
        kind: 'user',
        phase: 'active',
      },
      ...{
        processId: 0,
        leaseSeconds: 0,
        expiresAtMs: 0,
        endsAtMs: 0,
        grantedAtMs: START_MS,
        version,
        index: 0,
      },
      ...{ ...totals, print: index, releasedAtMs: 0, reason: null },
    });
    most = Math.max(most, logins.openSize + users.openSize);
  }
  for (let index = 0; index < rows; index += 1) {
    const standing = { transitioned: false, apart: false, connections: 1, units: 1, connectionsPeak: 4 };
    builder.user({ pool: 'key-1', userId: `user ${index}`, ...standing });
    most = Math.max(most, logins.openSize + users.openSize);
  }
  expect([logins.size, users.size, builder.table.pool('key-1').units]).toEqual([rows, rows, rows]);
  expect(most).toBeLessThanOrEqual(40_000);
  expect(users.get('user 49999')).toMatchObject({ connectionsPeak: 4, connections: 1 });
});
