/** What the tests of the coordinator on Redis share. */
import { afterEach, describe } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Coordinator } from '../../src/coordination/coordinator.ts';
import { createRedisCoordinator, type RedisCoordinatorOptions } from '../../src/coordination/redis.ts';
import { findRedisServer } from '../support/redis.ts';
import { until } from '../support/wait.ts';

/** Long enough for a busy machine; the tests of slowness set their own. */
export const COMMAND_TIMEOUT_MS = 1000;
/** Long enough that a turn does not lapse while a slow machine asks a few questions. */
export const TURN_LIFETIME_MS = 1500;
export const HEAL_TIMEOUT_MS = 10_000;

const hasRedis = findRedisServer() !== null;
export const describeRedis = hasRedis ? describe : describe.skip;
export const SKIPPED = hasRedis ? '' : 'SKIPPED: no Redis found (LICTOR_TEST_REDIS_SERVER or PATH): ';

/** What a coordinator told its log, for a test to look at. */
export function makeLog() {
  const lines: string[] = [];
  const add = (_fields: object, message: string): void => void lines.push(message);
  return { lines, logger: { info: add, warn: add, error: add } };
}

export type Settings = Omit<Partial<RedisCoordinatorOptions>, 'url' | 'sentinels' | 'name'>;

/** Opens coordinators, and closes them all after each test. */
export function makeOpener() {
  const opened: Coordinator[] = [];
  afterEach(async () => {
    for (const coordinator of opened.splice(0)) await coordinator.close();
  });
  return async (
    address: { url: string } | { sentinels: { host: string; port: number }[]; name: string },
    settings: Settings = {},
  ): Promise<Coordinator> => {
    const coordinator = await createRedisCoordinator({
      prefix: 'lictor-test',
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      turnLifetimeMs: TURN_LIFETIME_MS,
      logger: makeLog().logger,
      ...settings,
      ...address,
    } as RedisCoordinatorOptions);
    opened.push(coordinator);
    return coordinator;
  };
}

export function untilHealthy(coordinator: Coordinator, healthy: boolean): Promise<true> {
  const what = `the store counts as ${healthy ? 'healthy' : 'away'}`;
  return until(() => coordinator.healthy() === healthy || null, HEAL_TIMEOUT_MS, what) as Promise<true>;
}

/** A connection for the test's own questions; it comes back by itself, like the coordinator's. */
export function connectAdmin(url: string): Redis {
  const admin = new Redis(url, { disconnectTimeout: 100 });
  admin.on('error', () => {});
  return admin;
}
