import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import type { Coordinator } from '../../src/coordination/coordinator.ts';
import { createMemoryCoordinator } from '../../src/coordination/memory.ts';
import { createRedisCoordinator } from '../../src/coordination/redis.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/wait.ts';
import { arbitrarySteps, exerciseCoordinator, takeStep } from './exercise.ts';
import {
  COMMAND_TIMEOUT_MS,
  connectAdmin,
  describeRedis,
  HEAL_TIMEOUT_MS,
  makeLog,
  makeOpener,
  SKIPPED,
  TURN_LIFETIME_MS,
  untilHealthy,
} from './redis-world.ts';

const T0 = 1_764_000_000_000;
/** What is "at once" on a busy machine, and well below the command timeout. */
const AT_ONCE_MS = COMMAND_TIMEOUT_MS / 2;

/** Every call that asks the store something, by name. */
function everyCall(coordinator: Coordinator): Record<string, () => Promise<unknown>> {
  const deadlines = [{ member: 'a', deadlineMs: T0 }];
  return {
    takeTurn: () => coordinator.takeTurn(0, 1000),
    beat: () => coordinator.beat(deadlines),
    watch: () => coordinator.watch(deadlines),
    forget: () => coordinator.forget(['a']),
    mark: () => coordinator.mark(['a'], T0, { epoch: 'e1', runId: 'r' }),
    readEpoch: () => coordinator.readEpoch(),
    writeEpoch: () => coordinator.writeEpoch('e2'),
    countRate: () => coordinator.countRate('a', 60),
    'beat of nobody': () => coordinator.beat([]),
  };
}

async function expectNullAtOnce(coordinator: Coordinator): Promise<void> {
  for (const [name, call] of Object.entries(everyCall(coordinator))) {
    const startMs = performance.now();
    expect([name, await call()]).toEqual([name, null]);
    expect(performance.now() - startMs).toBeLessThan(AT_ONCE_MS);
  }
  coordinator.publishHead({ shard: 0, version: 1, batch: 'b' });
  coordinator.announceContention(0);
}

describeRedis(`${SKIPPED}on a Redis of its own`, () => {
  let server: TestRedis;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis();
    admin = connectAdmin(server.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });
  exerciseCoordinator('redis', async () => {
    await admin.flushall();
    const opened: Coordinator[] = [];
    return {
      turnLifetimeMs: TURN_LIFETIME_MS,
      open: async () => {
        const coordinator = await createRedisCoordinator({
          url: server.url,
          prefix: 'lictor-test',
          // A test machine may be slow; what a timeout does is shown further down.
          commandTimeoutMs: 2000,
          turnLifetimeMs: TURN_LIFETIME_MS,
          logger: makeLog().logger,
        });
        opened.push(coordinator);
        return coordinator;
      },
      elapse: async (ms) => {
        const nowMs = async (): Promise<number> => {
          const [seconds, microseconds] = await admin.time();
          return Number(seconds) * 1000 + Number(microseconds) / 1000;
        };
        const endMs = (await nowMs()) + ms;
        await until(async () => (await nowMs()) >= endMs, ms + HEAL_TIMEOUT_MS, 'the time has passed');
      },
      close: async () => {
        for (const coordinator of opened) await coordinator.close();
      },
    };
  });
});

describeRedis(`${SKIPPED}the redis coordinator and its server`, () => {
  const open = makeOpener();
  let server: TestRedis;
  let admin: Redis;
  beforeEach(async () => {
    server = await startRedis();
    admin = connectAdmin(server.url);
  });
  afterEach(async () => {
    admin.disconnect();
    await server.stop();
  });

  test('answers what its twin answers, in any order of steps (R-16)', async () => {
    const redis = await open(server, { commandTimeoutMs: 2000 });
    const check = async (steps: Parameters<typeof takeStep>[1][]): Promise<void> => {
      const memory = createMemoryCoordinator({ now: () => T0 });
      await redis.forget(['a', 'b', 'c']);
      const [there, here] = [await redis.writeEpoch('e1'), await memory.writeEpoch('e1')];
      for (const step of steps) {
        const expected = await takeStep(memory, step, { epoch: 'e1', runId: here!.runId });
        expect(await takeStep(redis, step, { epoch: 'e1', runId: there!.runId })).toEqual(expected);
      }
    };
    await fc.assert(fc.asyncProperty(arbitrarySteps(), check), { numRuns: 50 });
  });

  test('killed: away at once; restarted empty: another run_id, and nobody can be reaped (R-12)', async () => {
    const coordinator = await open(server);
    const changes: boolean[] = [];
    coordinator.onHealth((healthy) => changes.push(healthy));
    const before = await coordinator.writeEpoch('e1');
    await coordinator.watch([{ member: 'a', deadlineMs: T0 }]);

    await server.kill9();
    await untilHealthy(coordinator, false);
    await expectNullAtOnce(coordinator);

    await server.restart();
    await untilHealthy(coordinator, true);
    expect(changes).toEqual([false, true]);
    const after = await coordinator.readEpoch();
    expect(after?.epoch).toBeNull();
    expect(after?.runId).not.toBe(before?.runId);
    const known = { epoch: 'e1', runId: before!.runId };
    expect(await coordinator.mark(['a'], T0, known)).toBe('epoch-changed');
    // Not even when someone else has written the same epoch meanwhile.
    await coordinator.writeEpoch('e1');
    expect(await coordinator.mark(['a'], T0, known)).toBe('epoch-changed');
    expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 }])).toEqual(['missing']);
    // The subscription is there again too.
    const heard = Promise.withResolvers<number>();
    coordinator.onContention(heard.resolve);
    (await open(server)).announceContention(3);
    expect(await heard.promise).toBe(3);
  });

  test('away from the start: starts without it and finds it when it comes (R-13)', async () => {
    await server.kill9();
    const { lines, logger } = makeLog();
    const coordinator = await open(server, { logger });
    expect(coordinator.healthy()).toBe(false);
    expect(lines).toEqual(['the coordination store cannot be reached; going on without it']);
    await expectNullAtOnce(coordinator);
    await server.restart();
    await untilHealthy(coordinator, true);
    expect(await coordinator.takeTurn(0, 0)).not.toBeNull();
  });

  test('slow: a call ends within its timeout, the next ones at once, and it heals (R-13)', async () => {
    const coordinator = await open(server);
    await coordinator.watch([{ member: 'a', deadlineMs: T0 }]);
    server.pause();
    const startMs = performance.now();
    expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 + 1 }])).toBeNull();
    expect(performance.now() - startMs).toBeLessThan(COMMAND_TIMEOUT_MS + AT_ONCE_MS);
    expect(coordinator.healthy()).toBe(false);
    await expectNullAtOnce(coordinator);
    server.resume();
    await untilHealthy(coordinator, true);
    expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 + 2 }])).toEqual(['renewed']);
  });

  test('slow for long: the connections are made anew, and it still heals', async () => {
    const { lines, logger } = makeLog();
    const coordinator = await open(server, { logger });
    const idsOf = async (): Promise<string[]> =>
      String(await admin.client('LIST'))
        .split('\n')
        .filter((line) => line.includes('name=lictor'))
        .map((line) => line.split(' ')[0]!);
    const idsBefore = await idsOf();
    expect(idsBefore).toHaveLength(2);
    server.pause();
    const isRenewed = (): boolean => lines.at(-1)?.includes('are made anew') === true;
    await until(isRenewed, HEAL_TIMEOUT_MS, 'the connections are made anew');
    server.resume();
    await untilHealthy(coordinator, true);
    expect(await coordinator.takeTurn(0, 1000)).not.toBeNull();
    const idsAfter = await idsOf();
    expect(idsAfter.filter((id) => !idsBefore.includes(id))).toHaveLength(2);
  });

  test('an idle replica notices by itself that the store is slow', async () => {
    const coordinator = await open(server);
    server.pause();
    await untilHealthy(coordinator, false);
    server.resume();
    await untilHealthy(coordinator, true);
  });

  test('those who wait for a turn go on at once when the store goes away (R-13)', async () => {
    const [holder, waiting] = [await open(server), await open(server)];
    await holder.takeTurn(0, 0);
    const wait = waiting.takeTurn(0, 20_000);
    await waiting.takeTurn(0, 0);
    let hasEnded = false;
    void wait.then(() => {
      hasEnded = true;
    });
    const hadEndedAtOnce = Promise.withResolvers<boolean>();
    waiting.onHealth(() => setImmediate(() => hadEndedAtOnce.resolve(hasEnded)));
    await server.kill9();
    expect(await hadEndedAtOnce.promise).toBe(true);
    expect(await wait).toBeNull();
  });

  test('a turn asked for while the store was slow does not stay with who has gone on', async () => {
    const coordinator = await open(server, { turnLifetimeMs: 60_000 });
    server.pause();
    expect(await coordinator.takeTurn(0, 1000)).toBeNull();
    server.resume();
    await untilHealthy(coordinator, true);
    expect(await coordinator.takeTurn(0, 0)).not.toBeNull();
  });

  test('a script that Redis has forgotten is sent again', async () => {
    const coordinator = await open(server);
    expect(await coordinator.countRate('a', 60)).toBe(1);
    await admin.script('FLUSH');
    expect(await coordinator.countRate('a', 60)).toBe(2);
    await admin.script('FLUSH');
    const counts = await Promise.all([1, 2, 3].map(() => coordinator.countRate('a', 60)));
    expect(counts.toSorted()).toEqual([3, 4, 5]);
    expect(coordinator.healthy()).toBe(true);
  });

  test('a turn is not handed to a replica that is gone', async () => {
    const [one, other] = [await open(server, { turnLifetimeMs: 60_000 }), await open(server)];
    const turn = await one.takeTurn(0, 0);
    await admin.rpush('lictor-test:{shard:0}:waiters', 'ghost:0:1', 'ghost:0:2');
    const next = other.takeTurn(0, 5000);
    await other.takeTurn(0, 0);
    await turn?.release(null);
    expect(await next).not.toBeNull();
    expect(await admin.llen('lictor-test:{shard:0}:waiters')).toBe(0);
  });

  test('a turn that is handed to a wait which has ended is handed on', async () => {
    const [one, other] = [await open(server, { turnLifetimeMs: 60_000 }), await open(server)];
    const turn = await one.takeTurn(0, 0);
    const token = await admin.get('lictor-test:{shard:0}:turn');
    const replica = token!.split(':')[0];
    await admin.rpush('lictor-test:{shard:0}:waiters', `${replica}:0:999`);
    const next = other.takeTurn(0, 5000);
    await other.takeTurn(0, 0);
    await turn?.release(null);
    expect(await next).not.toBeNull();
  });

  test('a lost word of a turn is found by asking again', async () => {
    const [one, other] = [await open(server, { turnLifetimeMs: 60_000 }), await open(server)];
    await one.takeTurn(0, 0);
    const next = other.takeTurn(0, 5000);
    await other.takeTurn(0, 0);
    // The turn passes to the waiter without a message to it.
    const token = await admin.lpop('lictor-test:{shard:0}:waiters');
    await admin.set('lictor-test:{shard:0}:turn', token!);
    expect(await next).not.toBeNull();
  });

  test('a Redis that only reads counts as away, until it writes again', async () => {
    const { lines, logger } = makeLog();
    const coordinator = await open(server, { logger });
    await admin.config('SET', 'replica-serve-stale-data', 'yes');
    await admin.replicaof('127.0.0.1', 1);
    expect(await coordinator.watch([{ member: 'a', deadlineMs: T0 }])).toBeNull();
    expect(coordinator.healthy()).toBe(false);
    const hasRefusedProbes = async (): Promise<boolean> => {
      const [, count = '0'] =
        /cmdstat_set:.*rejected_calls=(\d+)/.exec(await admin.info('commandstats')) ?? [];
      return Number(count) >= 2;
    };
    await until(hasRefusedProbes, HEAL_TIMEOUT_MS, 'two probes have been refused');
    expect(lines.filter((line) => line.endsWith('answers'))).toHaveLength(1);
    await admin.replicaof('NO', 'ONE');
    await untilHealthy(coordinator, true);
  });

  test('a call that Redis refuses is told to the log and does not count as an outage', async () => {
    const { lines, logger } = makeLog();
    const coordinator = await open(server, { logger });
    await admin.set('lictor-test:{signs}:deadlines', 'not a sorted set');
    expect(await coordinator.beat([{ member: 'a', deadlineMs: T0 }])).toBeNull();
    expect(coordinator.healthy()).toBe(true);
    expect(lines).toEqual(['the coordination store answers', 'the coordination store refused a call']);
  });

  test('installations with other prefixes do not meet, and every key has a prefix and a hash tag', async () => {
    const [one, other] = [await open(server), await open(server, { prefix: 'another' })];
    await one.watch([{ member: 'a', deadlineMs: T0 }]);
    expect(await other.beat([{ member: 'a', deadlineMs: T0 }])).toEqual(['missing']);
    await one.takeTurn(0, 0);
    expect(await other.takeTurn(0, 0)).not.toBeNull();
    await one.writeEpoch('e1');
    await one.countRate('a', 60);
    for (const key of await admin.keys('*')) expect(key).toMatch(/^(lictor-test|another):\{[a-z0-9:]+\}/);
  });
});
