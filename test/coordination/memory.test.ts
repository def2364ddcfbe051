import { describe, expect, test } from '@jest/globals';
import type { Coordinator } from '../../src/coordination/coordinator.ts';
import { createMemoryCoordinator, MemoryStore } from '../../src/coordination/memory.ts';
import { exerciseCoordinator } from './exercise.ts';

exerciseCoordinator('memory', async () => {
  // Long enough that a turn does not lapse while a slow machine asks a few questions.
  const turnLifetimeMs = 1000;
  const store = new MemoryStore(turnLifetimeMs);
  const opened: Coordinator[] = [];
  let nowMs = 1_764_000_000_000;
  return {
    turnLifetimeMs,
    open: async () => {
      const coordinator = createMemoryCoordinator({ now: () => nowMs, store });
      opened.push(coordinator);
      return coordinator;
    },
    elapse: async (ms) => {
      nowMs += ms;
    },
    close: async () => {
      for (const coordinator of opened) await coordinator.close();
    },
  };
});

describe('the memory coordinator alone', () => {
  const now = (): number => 0;

  test('has a store of its own, of which no other process can know (R-12)', async () => {
    const [one, other] = [createMemoryCoordinator({ now }), createMemoryCoordinator({ now })];
    const reading = await one.writeEpoch('e1');
    expect((await other.readEpoch())?.epoch).toBeNull();
    expect((await other.readEpoch())?.runId).not.toBe(reading?.runId);
  });

  test('forgets rate windows that have ended, when there are many', async () => {
    const store = new MemoryStore();
    let nowMs = 0;
    const coordinator = createMemoryCoordinator({ now: () => nowMs, store });
    for (let i = 0; i < 10_000; i += 1) await coordinator.countRate(`bucket-${i}`, 1);
    nowMs = 1000;
    await coordinator.countRate('another', 1);
    expect(store.windows.size).toBe(1);
  });
});
