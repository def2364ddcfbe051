import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Coordinator, Head } from '../../src/coordination/coordinator.ts';
import { createMemoryCoordinator, MemoryStore } from '../../src/coordination/memory.ts';
import { Neighbours } from '../../src/service/neighbours.ts';
import {
  away,
  closeShards,
  intercepted,
  NEVER_MS,
  openShard,
  PATIENCE_MS,
  ShiftedClock,
  type TestReplica,
} from '../support/lane.ts';
import { makeLogin } from '../support/make.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const SHARD = 3;

/** What a lane and its neighbours tell each other, without the lanes. */
function make(store: MemoryStore, change: (own: Coordinator) => Coordinator = (own) => own) {
  const clock = new ShiftedClock();
  const heard: Head[] = [];
  const own = { head: { shard: SHARD, version: 1, batch: randomUUID() } };
  const coordinator = change(createMemoryCoordinator({ now: Date.now, store }));
  const neighbours = new Neighbours({
    shard: SHARD,
    coordinator,
    clock,
    heard: (head) => heard.push(head),
    head: () => own.head,
  });
  return { clock, heard, own, neighbours, coordinator };
}

describe('turns', () => {
  test('R-13: are taken only for a while after somebody lost a race, then by all', async () => {
    const store = new MemoryStore();
    const [one, other] = [make(store), make(store)];
    expect(await one.neighbours.takeTurn()).toBeNull();
    one.neighbours.lostRace();
    const turn = await until(() => other.neighbours.takeTurn(), PATIENCE_MS, 'the other one has heard of it');
    // It is the other one's turn, so that this one waits for it and is given the head with it.
    const next = one.neighbours.takeTurn();
    const head = { shard: SHARD, version: 2, batch: randomUUID() };
    await turn.release(head);
    expect((await next)!.head).toEqual(head);
    await (await next)!.release(null);
    for (const each of [one, other]) {
      each.clock.pausedMs = 1_001;
      expect(await each.neighbours.takeTurn()).toBeNull();
    }
  });

  test('R-13: nobody waits for a turn longer than he must, nor for a store that is away', async () => {
    // The turn itself does not lapse while it is waited for.
    const store = new MemoryStore(NEVER_MS);
    const one = make(store);
    one.neighbours.lostRace();
    const stuck = await one.coordinator.takeTurn(SHARD, 0);
    expect(await one.neighbours.takeTurn()).toBeNull();
    await stuck!.release(null);
    const lost = make(store, away);
    lost.neighbours.lostRace();
    expect(await lost.neighbours.takeTurn()).toBeNull();
  });
});

describe('heads', () => {
  test('R-13: several moves of the head are told as one, and only what is new is heard', async () => {
    const store = new MemoryStore();
    const [one, other] = [make(store), make(store)];
    one.neighbours.publishSoon();
    one.own.head = { shard: SHARD, version: 2, batch: randomUUID() };
    one.neighbours.publishSoon();
    await until(() => other.heard.length > 0, PATIENCE_MS, 'the head is heard');
    expect(other.heard).toEqual([one.own.head]);
    expect(one.heard).toEqual([]);
    // A head that it has already, and one of another shard.
    other.own.head = { shard: SHARD, version: 3, batch: randomUUID() };
    one.coordinator.publishHead(other.own.head);
    one.coordinator.publishHead({ ...other.own.head, shard: 4, batch: randomUUID() });
    const last = { shard: SHARD, version: 4, batch: randomUUID() };
    one.coordinator.publishHead(last);
    await until(() => other.heard.length > 1, PATIENCE_MS, 'the last head is heard');
    expect(other.heard).toEqual([one.own.head, last]);
  });
});

describe('two replicas on one shard', () => {
  /** Lets both have much to do at once. @returns how many races were lost, and whose row each is. */
  async function busy(isCoordinated: boolean) {
    const shard = await openShard();
    let lost = 0;
    const fields = {
      coordinated: isCoordinated,
      lane: { batchOperationsMax: 4 },
      intercept: (own: Coordinator) =>
        intercepted(own, {
          announceContention: (original, contended) => {
            lost += 1;
            original(contended);
          },
        }),
    };
    const replicas = [await shard.openWithKey({ units: 1_000 }, fields), await shard.open(fields)] as const;
    // Appends take some time, as over a network, so that both are under way at once.
    await shard.sql`
      create function wait() returns trigger language plpgsql as $$
      begin perform pg_sleep(0.004); return new; end $$`;
    await shard.sql`create trigger waits before insert on journal for each row execute function wait()`;
    const { version } = await shard.head();
    const many = ({ ask }: TestReplica, instance: string) =>
      Array.from({ length: 200 }, () =>
        ask(makeLogin({ id: randomUUID(), instance, claims: { user: randomUUID() } })),
      );
    const bound = replicas.map((replica) => Object.assign(replica, { ask: replica.ask.bind(replica) }));
    const startedAt = performance.now();
    const answers = await Promise.all([...many(bound[0]!, 'a'), ...many(bound[1]!, 'b')]);
    const rows = (await shard.journal()).filter((row) => row.version > version);
    const owners = rows.map((row) => (row.events[0] as { instance: string }).instance);
    const tookSeconds = (performance.now() - startedAt) / 1_000;
    return { lost, owners, tookSeconds, granted: answers.filter((answer) => answer.is === 'granted').length };
  }

  test('R-13: take turns: few races are lost, and neither waits for the other to finish', async () => {
    const { lost, owners, tookSeconds, granted } = await busy(true);
    expect([granted, owners.length]).toEqual([400, 100]);
    // Turns are taken for a second after a lost race, and waited for a quarter of one: time alone costs some.
    expect(lost).toBeLessThan(10 + 4 * tookSeconds);
    // While both have something to do, each has its share of the rows.
    const both = owners.slice(0, 80);
    for (const owner of ['a', 'b']) expect(both.filter((each) => each === owner).length).toBeGreaterThan(20);
  });

  test('R-13: without turns the append alone decides: races are lost, grants are not', async () => {
    const { lost, owners, granted } = await busy(false);
    expect([granted, owners.length]).toEqual([400, 100]);
    expect(lost).toBeGreaterThan(20);
  });
});
