/**
 * How many idle units an instance would like to keep in its block: about as many as its use has grown by within
 * the last interval between two statements, so that it seldom has to ask.
 */

/** After so long growth counts for half, in milliseconds. */
const HALF_LIFE_MS = 5_000;

export class BlockDemand {
  readonly #reserveMin: number;
  #usedBefore = 0;
  #usedPeak = 0;
  #asked = 0;
  #growth = 0;
  #atMs = 0;

  /** @param reserveMin - idle units to keep in any case. */
  constructor(reserveMin: number) {
    this.#reserveMin = reserveMin;
  }

  /** Notes how many units of the block are in use. */
  used(units: number): void {
    if (units > this.#usedPeak) this.#usedPeak = units;
  }

  /** Notes a user for whom the block had no unit, so that the server was asked. */
  asked(): void {
    this.#asked += 1;
  }

  /**
   * @param used - the units in use.
   * @param monotonicMs - the instant, by a clock that nobody sets.
   * @returns the idle units to keep beside them.
   */
  reserve(used: number, monotonicMs: number): number {
    const grown = Math.max(0, this.#usedPeak - this.#usedBefore) + this.#asked;
    const elapsedMs = Math.max(0, monotonicMs - this.#atMs);
    this.#growth = this.#growth * 0.5 ** (elapsedMs / HALF_LIFE_MS) + grown;
    this.#atMs = monotonicMs;
    this.#usedBefore = used;
    this.#usedPeak = used;
    this.#asked = 0;
    return Math.max(this.#reserveMin, Math.ceil(this.#growth));
  }

  /** Begins anew: nothing is in use. What was in demand still is. */
  restart(): void {
    this.#usedBefore = 0;
    this.#usedPeak = 0;
  }
}
