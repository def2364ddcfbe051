import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Operation } from '../../src/domain/operations.ts';
import { RELEASED_KEPT_MS } from '../../src/domain/table.ts';
import {
  closeShards,
  NEVER_MS,
  openShard,
  PATIENCE_MS,
  runOnce,
  type TestReplica,
  type TestShard,
} from '../support/lane.ts';
import { makeLogin, makeRegister, type World } from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';
import { type Asked, operationOf, STEP_INSTANCES, STEP_KEYS, type Step, steps } from '../support/steps.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const QUIET = { coordinated: false, lane: { headPollMs: NEVER_MS } } as const;
/** What the fold alone is kept in. */
const FOLD_TABLES = ['folds', 'key_pools', 'license_users', 'logins', 'instance_marks'];

/** The fold, the journal and what replicas hold are the same. */
async function expectLevel(shard: TestShard, ...replicas: readonly TestReplica[]): Promise<void> {
  const folded = snapshotOf(await shard.folded());
  expect(folded).toEqual(snapshotOf(await shard.replayed()));
  for (const replica of replicas) {
    expect(snapshotOf(await replica.lane.read((table) => table))).toEqual(folded);
  }
}

/** An operation of a step, with IDs as the database keeps them. */
function stepped(step: Step, replica: TestReplica, asked: Asked): Operation {
  const operation = operationOf(step, { table: replica.lane.table } as World, asked);
  return 'id' in operation && operation.id === 'never' ? { ...operation, id: randomUUID() } : operation;
}

/** Settles once a fold is held up by somebody who holds the row of its version. */
async function untilFoldWaits(shard: TestShard, replica: TestReplica): Promise<void> {
  const isBlocked = async () => {
    const [blocked] = await shard.sql`
      select from pg_stat_activity
      where application_name = ${`${replica.name} work`} and wait_event_type = 'Lock'
        and datname = current_database()`;
    return blocked !== undefined;
  };
  await until(isBlocked, PATIENCE_MS, 'the fold waits');
}

describe('the fold', () => {
  test('R-7, R-9: an ID that another replica has forgotten and grants anew is folded onto its row', async () => {
    const shard = await openShard();
    const leader = await shard.openWithKey();
    const other = await shard.open();
    await leader.lead();
    const id = randomUUID();
    await leader.login('alice', { id });
    await leader.logout({ instance: 'a', id });
    await runOnce(leader.fold);
    await other.lane.read((table) => table.places.get('a')!.released.delete(id));
    await other.login('alice', { id });
    const held = snapshotOf(await leader.lane.read((table) => table));
    await runOnce(leader.fold);
    expect(held.places[0]).toMatchObject({ logins: [{ id }], released: [] });
    expect(snapshotOf(await shard.folded())).toEqual(held);
    expect(await shard.foldVersion()).toBe((await shard.head()).version);
  });

  test.each([1, 2, 3])(
    'R-9: random operations through two replicas, folded at random moments (%i)',
    async (seed) => {
      const shard = await openShard();
      const replicas = [await shard.open(QUIET), await shard.open(QUIET)] as const;
      const [first] = replicas;
      for (const key of STEP_KEYS) await first.ask({ op: 'install-key', key, file: null, actor: 'tester' });
      for (const instance of STEP_INSTANCES) await first.ask(makeRegister(instance));
      let leader: TestReplica = first;
      await leader.lead();
      const asked: Asked = [];
      const pending: Promise<unknown>[] = [];
      for (const [index, step] of fc.sample(steps(), { seed, numRuns: 240 }).entries()) {
        const replica = replicas[step.picks[0] % 2]!;
        if (step.waitMs > 0) for (const each of replicas) each.clock.aheadMs += step.waitMs;
        pending.push(replica.ask(stepped(step, replica, asked)));
        if (step.closes) await Promise.all(pending.splice(0));
        if (step.picks[1] % 7 === 0) await runOnce(leader.fold);
        if (index % 60 === 59) {
          await Promise.all(pending.splice(0));
          await leader.lane.read(() => {});
          await runOnce(leader.fold);
          await expectLevel(shard, ...replicas);
          // The other one goes on, with what it has noted itself.
          await leader.leadership.close();
          leader = replicas.find((each) => each !== leader)!;
          await leader.lead();
        }
      }
      expect(first.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    },
  );

  test('R-9: an ID that was released, forgotten, and used again within one fold is what it is now', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.lead();
    const ids = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    const login = (id: string, user: string) => replica.login(user, { id });
    /** Lets released IDs be forgotten: the next release does it. */
    const forget = async () => {
      replica.clock.aheadMs += RELEASED_KEPT_MS;
      await replica.logout({ instance: 'b', id: randomUUID() });
    };
    for (const id of ids) await login(id, 'old');
    await runOnce(replica.fold);
    for (const id of ids) await replica.logout({ instance: 'a', id });
    await forget();
    // In again; in and out again; in, out, forgotten, and in once more; and gone for good.
    await login(ids[0]!, 'new');
    await login(ids[1]!, 'new');
    await login(ids[2]!, 'new');
    await replica.logout({ instance: 'a', id: ids[1]! });
    await replica.logout({ instance: 'a', id: ids[2]! });
    await forget();
    await login(ids[2]!, 'newest');
    await runOnce(replica.fold);
    await expectLevel(shard, replica);
    const rows = await shard.sql<{ id: string; userId: string; held: boolean }[]>`
      select id, user_id as "userId", released_at is null as held from logins where instance = 'a'`;
    const byId = new Map(rows.map(({ id, ...rest }) => [id, rest]));
    expect(byId).toEqual(
      new Map([
        [ids[0], { userId: 'new', held: true }],
        [ids[2], { userId: 'newest', held: true }],
      ]),
    );
  });

  test('R-9: an ID that one leader folded as new can be used again under the next', async () => {
    const shard = await openShard();
    const [one, other] = [await shard.openWithKey(), await shard.open()];
    const id = randomUUID();
    await one.lead();
    await one.login('old', { id });
    await runOnce(one.fold);
    await one.leadership.close();
    await other.lead();
    await other.logout({ instance: 'a', id });
    other.clock.aheadMs = RELEASED_KEPT_MS;
    await other.logout({ instance: 'b', id: randomUUID() });
    await other.login('new', { id });
    await runOnce(other.fold);
    await expectLevel(shard, one, other);
  });

  test('R-9: a new leader goes on where the former one ended, without a gap and without a loss', async () => {
    const shard = await openShard();
    const [one, other] = [await shard.openWithKey(), await shard.open()];
    await one.lead();
    const first = await one.login('first');
    await runOnce(one.fold);
    const folded = await shard.foldVersion();
    await one.login('second');
    await other.login('third');
    await other.logout(first);
    await one.leadership.close();
    await other.lead();
    expect(await shard.foldVersion()).toBe(folded);
    await runOnce(other.fold);
    await expectLevel(shard, one, other);
  });

  test('R-9: a former leader that still believes it leads writes nothing', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey({}, { renewMs: NEVER_MS });
    const other = await shard.open();
    await one.lead();
    await one.login('alice');
    await shard.sql`update leadership set expires_at = now() - interval '1 s'`;
    await other.lead();
    expect(one.leadership.leads).toBe(true);
    const before = await shard.foldVersion();
    await runOnce(one.fold);
    expect(await shard.foldVersion()).toBe(before);
    await runOnce(other.fold);
    await expectLevel(shard, one, other);
  });

  test('R-9: folds that a crash took with it are folded again, from the journal', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.lead();
    const first = await replica.login('first');
    await runOnce(replica.fold);
    const crash = await shard.keep(FOLD_TABLES);
    await replica.logout(first);
    await replica.login('second');
    await runOnce(replica.fold);
    await crash();
    await replica.login('third');
    await runOnce(replica.fold);
    await expectLevel(shard, replica);
    expect(replica.timesLogged('Folds were lost in a crash; their journal is folded again.')).toBe(1);
    await replica.login('fourth');
    await runOnce(replica.fold);
    await expectLevel(shard, replica);
  });

  test('R-1: a leader whose copy is ahead of a restored database does not fold a history that is gone', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, QUIET);
    await replica.lead();
    await replica.login('stays');
    await runOnce(replica.fold);
    const restore = await shard.keep();
    await replica.login('lost');
    await restore();
    const before = await shard.foldVersion();
    await runOnce(replica.fold);
    expect(await shard.foldVersion()).toBe(before);
    // A replica can still start from it, and the leader goes on once it has noticed.
    const fresh = await shard.open();
    await replica.login('after');
    await runOnce(replica.fold);
    await expectLevel(shard, replica, fresh);
  });

  test('R-9: an append does not wait for a fold', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.lead();
    await replica.login('alice');
    const sql = shard.connect('holder');
    let folded: Promise<void> = Promise.resolve();
    await sql.begin(async (tx) => {
      await tx`select from folds for update`;
      folded = runOnce(replica.fold);
      await untilFoldWaits(shard, replica);
      await replica.login('bob');
    });
    await folded;
    await sql.end();
    await runOnce(replica.fold);
    await expectLevel(shard, replica);
  });

  test('R-9: a fold that took long is followed by the next without a pause', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.lead();
    await replica.login('alice');
    const sql = shard.connect('holder');
    await sql.begin(async (tx) => {
      await tx`select from folds for update`;
      replica.fold.start();
      await untilFoldWaits(shard, replica);
      await replica.login('bob');
      await tx`select pg_sleep(0.7)`;
    });
    const head = await replica.lane.read((table) => table.version);
    // The pause between two folds is hours here, so that nothing else begins the second.
    await until(async () => (await shard.foldVersion()) === head, PATIENCE_MS, 'all of it is folded');
    await replica.fold.close();
    await sql.end();
    await expectLevel(shard, replica);
  });

  test('R-9: a fold that fails is tried again, with nothing of it lost', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.lead();
    await replica.login('alice');
    await shard.sql`alter table logins add constraint breaks check (user_id <> 'alice')`;
    const before = await shard.foldVersion();
    await runOnce(replica.fold);
    expect(await shard.foldVersion()).toBe(before);
    expect(replica.timesLogged('The fold could not be written and is tried again.')).toBe(1);
    await shard.sql`alter table logins drop constraint breaks`;
    await replica.login('bob');
    await runOnce(replica.fold);
    await expectLevel(shard, replica);
  });

  test('R-9: what an operation touched that was taken back is folded as it is', async () => {
    const shard = await openShard();
    const [one, other] = [await shard.openWithKey({ units: 2 }, QUIET), await shard.open(QUIET)];
    await one.lead();
    const held = await one.login('held');
    await runOnce(one.fold);
    await other.lane.read(() => {});
    await other.logout(held);
    // Decided on a stale copy, taken back, and decided again.
    const id = randomUUID();
    const conflicts = () => one.log.lines.length;
    expect(conflicts()).toBeGreaterThan(0);
    await Promise.all([one.logout(held), one.ask(makeLogin({ id, claims: { user: 'held' } }))]);
    await runOnce(one.fold);
    await expectLevel(shard, one, other);
  });
});
