/**
 * An estimate of the database's clock, from what its answers tell. Between two answers it runs on the
 * process's own monotonic clock, so that a change of the machine's wall clock moves nothing.
 */

import { performance } from 'node:perf_hooks';

/** Old samples are trusted less than new ones: the bound on their error grows by this much a second. */
const DRIFT_MS_PER_SECOND = 0.2;

export class DatabaseClock {
  #offsetMs: number | null = null;
  #errorMs = Number.POSITIVE_INFINITY;
  #sampledAt = 0;

  /** The estimate in milliseconds since 1970; the machine's own clock until the database has answered once. */
  nowMs(): number {
    return this.#offsetMs === null ? Date.now() : performance.now() + this.#offsetMs;
  }

  /** A monotonic instant to measure an answer from, in milliseconds. */
  mark(): number {
    return performance.now();
  }

  /**
   * Takes in one answer; the one with the shorter way wins.
   * @param databaseNowMs - the database's clock while it answered, ms since 1970.
   * @param sentAt - what `mark` gave before the question was sent.
   */
  sample(databaseNowMs: number, sentAt: number): void {
    const now = performance.now();
    const errorMs = (now - sentAt) / 2;
    const aged = this.#errorMs + ((now - this.#sampledAt) / 1000) * DRIFT_MS_PER_SECOND;
    if (errorMs > aged) return;
    this.#offsetMs = databaseNowMs - (sentAt + errorMs);
    this.#errorMs = errorMs;
    this.#sampledAt = now;
  }
}
