/**
 * The time of an instance: the clock on the wall, the one that never goes back, and a way to be called later.
 * Tests give one of their own.
 */

/** All that an instance knows of time. */
export interface Clock {
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds since any instant, never fewer than before; it may stand still while the machine is suspended. */
  monotonicMs(): number;
  /**
   * Calls back later, once.
   * @param delayMs - not before so many milliseconds are over.
   * @returns what takes the call back.
   */
  after(delayMs: number, callback: () => void): () => void;
}

/** The longest time that a timer of the platform takes. */
const TIMER_MS_MAX = 2_147_483_647;

/**
 * The clock of the machine.
 * @param keepsAlive - whether the process may not end while a call is to come.
 */
export function systemClock(keepsAlive: boolean): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, Math.min(TIMER_MS_MAX, Math.max(0, delayMs)));
      if (!keepsAlive) timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
