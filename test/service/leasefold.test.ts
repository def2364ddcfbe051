import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Operation } from '../../src/domain/operations.ts';
import { closeShards, NEVER_MS, openShard, runOnce } from '../support/lane.ts';
import { LeaseNetwork } from '../support/leasenetwork.ts';
import { snapshotOf } from '../support/snapshot.ts';

afterEach(closeShards);

const QUIET = { coordinated: false, lane: { headPollMs: NEVER_MS } } as const;
const FIELDS = { instances: 3, units: 12, connectionsPerUnitMax: 3, termMs: 10_000 };

/** What a network of instances asked for, in order, with the milliseconds that passed before. */
function operationsOf(seed: number): { operation: Operation; passedMs: number }[] {
  const asked: { operation: Operation; passedMs: number }[] = [];
  let passedMs = 0;
  class Recorded extends LeaseNetwork {
    override ask(operation: Operation) {
      asked.push({ operation, passedMs });
      passedMs = 0;
      return super.ask(operation);
    }
    override pass(milliseconds: number): void {
      passedMs += milliseconds;
      super.pass(milliseconds);
    }
  }
  const network = new Recorded(FIELDS);
  const picks = fc.sample(fc.tuple(fc.nat(9), fc.nat(2), fc.nat(2), fc.nat(3_000)), { seed, numRuns: 150 });
  for (const [what, which, user, much] of picks) {
    const node = network.nodes[which]!;
    if (what < 4) network.connect(node, `user ${user}`);
    else if (what < 5) network.disconnect(node, `user ${user}`);
    else if (what < 8) network.exchange(node);
    else if (what < 9) network.pass(much);
    else network.restart(node, much % 2 === 0);
  }
  return asked;
}

test.each([1, 2, 3])('R-9, S-11: leases are folded, and loaded as they were (%i)', async (seed) => {
  const shard = await openShard();
  const [replica, other] = [await shard.open(QUIET), await shard.open(QUIET)];
  // What the world of a network has at its start.
  for (const event of new LeaseNetwork(FIELDS).world.rows.flatMap(({ events }) => events)) {
    if (event.type === 'key-installed')
      await replica.ask({ op: 'install-key', key: event.key, file: null, actor: 'tester' });
    if (event.type === 'registered') {
      const { name, key, settings } = event.instance;
      await replica.ask({
        op: 'register',
        name,
        key,
        incarnation: null,
        registrationId: null,
        product: null,
        version: null,
        licenseServers: null,
        settings,
        actor: 'tester',
      });
    }
  }
  await replica.lead();
  let index = 0;
  for (const { operation, passedMs } of operationsOf(seed)) {
    for (const each of [replica, other]) each.clock.aheadMs += passedMs;
    await (index % 5 === 0 ? other : replica).ask(operation);
    index += 1;
    if (index % 7 !== 0) continue;
    await replica.lane.read(() => {});
    await runOnce(replica.fold);
  }
  await replica.lane.read(() => {});
  await runOnce(replica.fold);
  const folded = snapshotOf(await shard.folded());
  expect(folded.places.flatMap(({ leases }) => leases).length).toBeGreaterThan(0);
  expect(folded).toEqual(snapshotOf(await shard.replayed()));
  expect(snapshotOf(await replica.lane.read((table) => table))).toEqual(folded);
});
