import { afterEach, describe, expect, test } from '@jest/globals';
import { Heartbeats, loginMember } from '../../src/service/heartbeats.ts';
import { away, closeShards, intercepted, NEVER_MS, openShard, PATIENCE_MS } from '../support/lane.ts';
import { makeRegister } from '../support/make.ts';
import { until } from '../support/wait.ts';

afterEach(closeShards);

const LEASE = { leaseSeconds: 30 } as const;

describe('the heartbeat of a login', () => {
  test('R-11: costs Postgres nothing: it is renewed in the store', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const { id } = await replica.login('alice', LEASE);
    const { version } = await shard.head();
    replica.clock.aheadMs = 20_000;
    const before = replica.clock.nowMs();
    const answer = await replica.heartbeats.beatLogin('a', id, 'tester');
    expect(answer).toMatchObject({ is: 'renewed', leaseSeconds: 30 });
    const { expiresAtMs } = answer as Extract<typeof answer, { is: 'renewed' }>;
    expect(expiresAtMs).toBeGreaterThanOrEqual(Math.floor(before) + 30_000);
    expect(shard.store.deadlines.get(loginMember('a', id))).toBe(expiresAtMs);
    expect((await shard.head()).version).toBe(version);
    expect(replica.held(id)!.expiresAtMs).toBeLessThan(expiresAtMs);
  });

  test.each([
    ['is missing', (deadlines: Map<string, number>, member: string) => void deadlines.delete(member)],
    ['is marked', (deadlines: Map<string, number>, member: string) => void deadlines.set(member, -1)],
  ])('R-11: whose entry %s goes through the journal, and is in the store again', async (_what, spoil) => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const { id } = await replica.login('alice', LEASE);
    const member = loginMember('a', id);
    spoil(shard.store.deadlines, member);
    const answer = await replica.heartbeats.beatLogin('a', id, 'tester');
    const last = (await shard.journal()).at(-1)!;
    expect(last.events).toMatchObject([{ type: 'renewed', login: id, expires: last.at + 30_000 }]);
    expect(answer).toMatchObject({ is: 'renewed', expiresAtMs: last.at + 30_000 });
    expect(shard.store.deadlines.get(member)).toBe(last.at + 30_000);
    const { version } = await shard.head();
    expect((await replica.heartbeats.beatLogin('a', id, 'tester')).is).toBe('renewed');
    expect((await shard.head()).version).toBe(version);
  });

  test('R-11: goes through the journal while the store is away', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey({}, { intercept: away });
    const { id } = await replica.login('alice', LEASE);
    expect((await replica.heartbeats.beatLogin('a', id, 'tester')).is).toBe('renewed');
    expect((await shard.journal()).at(-1)!.events).toMatchObject([{ type: 'renewed', login: id }]);
  });

  test('R-11: is never "renewed" for what was released while the store was asked', async () => {
    const shard = await openShard();
    const ids: string[] = [];
    const replica = await shard.openWithKey(
      {},
      {
        intercept: (coordinator) =>
          intercepted(coordinator, {
            beat: async (original, deadlines) => {
              const statuses = await original(deadlines);
              for (const id of ids.splice(0)) await replica.logout({ instance: 'a', id });
              return statuses;
            },
          }),
      },
    );
    const { id } = await replica.login('alice', LEASE);
    ids.push(id);
    const answer = await replica.heartbeats.beatLogin('a', id, 'tester');
    expect(answer).toMatchObject({ is: 'problem', code: 'login-lost', extras: { lost: 'logout' } });
  });

  test('R-11: on a replica that has not heard of its end yet is lost all the same', async () => {
    const shard = await openShard();
    const one = await shard.openWithKey();
    const deaf = await shard.open({
      lane: { headPollMs: NEVER_MS },
      intercept: (coordinator) => intercepted(coordinator, { onHead: () => {} }),
    });
    const { id } = await one.login('alice', LEASE);
    await deaf.lane.read(() => {});
    await one.logout({ instance: 'a', id });
    await one.heartbeats.forgetLogin('a', id);
    expect(deaf.held(id)).toBeDefined();
    const answer = await deaf.heartbeats.beatLogin('a', id, 'tester');
    expect(answer).toMatchObject({ is: 'problem', code: 'login-lost' });
  });

  test('R-12: a replica that has lost its claim believes nothing of its own memory', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const { id } = await replica.login('alice', LEASE);
    let mayTrust = true;
    const heartbeats = new Heartbeats({ ...replica, mayTrust: () => mayTrust });
    const { version } = await shard.head();
    await heartbeats.beatLogin('a', id, 'tester');
    expect((await shard.head()).version).toBe(version);
    mayTrust = false;
    expect((await heartbeats.beatLogin('a', id, 'tester')).is).toBe('renewed');
    expect((await shard.journal()).at(-1)!.events).toMatchObject([{ type: 'renewed', login: id }]);
  });

  test('tells a login without a lease, and one that nobody knows, apart', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    const { id } = await replica.login('alice');
    const bound = await replica.heartbeats.beatLogin('a', id, 'tester');
    expect(bound).toMatchObject({ is: 'problem', code: 'login-not-renewable' });
    const unknown = await replica.heartbeats.beatLogin('b', id, 'tester');
    expect(unknown).toMatchObject({ is: 'problem', code: 'login-lost', extras: { lost: 'unknown' } });
  });

  test('many at once are few questions to the store', async () => {
    const shard = await openShard();
    const asked: number[] = [];
    const replica = await shard.openWithKey(
      {},
      {
        intercept: (coordinator) =>
          intercepted(coordinator, {
            beat: (original, deadlines) => {
              asked.push(deadlines.length);
              return original(deadlines);
            },
          }),
      },
    );
    const logins = await Promise.all(
      Array.from({ length: 50 }, (_, index) => replica.login(`user ${index}`, LEASE)),
    );
    const beats = Array.from({ length: 2_500 }, (_, index) =>
      replica.heartbeats.beatLogin('a', logins[index % 50]!.id, 'tester'),
    );
    expect(new Set((await Promise.all(beats)).map((answer) => answer.is))).toEqual(new Set(['renewed']));
    expect(asked).toEqual([1_000, 1_000, 500]);
  });
});

describe('the heartbeat of an instance', () => {
  test('R-10: of an older incarnation is told so, of the present one costs Postgres nothing', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.ask(makeRegister({ name: 'a' }));
    const { version } = await shard.head();
    const alive = await replica.heartbeats.beatInstance('a', 2, 'tester');
    expect(alive).toMatchObject({ is: 'alive', graceSeconds: 60 });
    expect((await shard.head()).version).toBe(version);
    const old = await replica.heartbeats.beatInstance('a', 1, 'tester');
    expect(old).toMatchObject({ is: 'problem', code: 'incarnation-old' });
    const unknown = await replica.heartbeats.beatInstance('z', 1, 'tester');
    expect(unknown).toMatchObject({ is: 'problem', code: 'instance-not-found' });
  });

  test('R-11: goes through the journal when the store does not know it, and is known there then', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    shard.store.deadlines.clear();
    expect((await replica.heartbeats.beatInstance('a', 1, 'tester')).is).toBe('alive');
    expect((await shard.journal()).at(-1)!.events).toMatchObject([{ type: 'revived' }]);
    await until(() => shard.store.deadlines.size === 1, PATIENCE_MS, 'the store knows the instance');
    const { version } = await shard.head();
    expect((await replica.heartbeats.beatInstance('a', 1, 'tester')).is).toBe('alive');
    expect((await shard.head()).version).toBe(version);
  });

  test('of one that is not watched is taken without any store', async () => {
    const shard = await openShard();
    const replica = await shard.openWithKey();
    await replica.ask(makeRegister({ name: 'free', settings: { graceSeconds: 0 } }));
    const answer = await replica.heartbeats.beatInstance('free', 1, 'tester');
    expect(answer).toEqual({ is: 'alive', deadlineMs: 0, graceSeconds: 0 });
  });
});
