/** Waiting for what another process does, which cannot be awaited directly. */
import { setTimeout as pause } from 'node:timers/promises';

const POLL_INTERVAL_MS = 10;

/**
 * Asks again and again until a condition holds.
 * @param condition - asked every 10 ms; it holds when it returns anything but false, null or undefined. An
 *   error it throws counts as "not yet" and is the cause of the final error.
 * @param timeoutMs - how long to ask.
 * @param what - what is awaited, for the error: "the second replica serves".
 * @returns what the condition returned.
 * @throws Error naming `what` when the time is over.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  timeoutMs: number,
  what: string,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      cause = undefined;
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain until ${what}.`, { cause });
    }
    await pause(POLL_INTERVAL_MS);
  }
}
