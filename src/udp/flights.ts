/**
 * What the sidecar has under way with Lictor: for each instance one thing at a time, and one that waits. Of
 * several that wait the last counts, because an instance that sends again has given up what it sent before.
 */

/** Work for one instance; it must not reject. */
export type Work = () => Promise<void>;

/** One lane for each instance, and a bound over all. */
export class Flights {
  readonly #lanesMax: number;
  /** Lanes in which something is under way, with what waits there. */
  readonly #lanes = new Map<string, Work | null>();

  /** @param lanesMax - how many instances may have something under way at the same time. */
  constructor(lanesMax: number) {
    this.#lanesMax = lanesMax;
  }

  /** How many instances have something under way. */
  get size(): number {
    return this.#lanes.size;
  }

  /**
   * Starts some work, or lets it wait for what is under way.
   * @param lane - whose it is.
   * @returns whether it will be done or has taken the place of what waited; false when too much is under way.
   */
  submit(lane: string, work: Work): boolean {
    if (this.#lanes.has(lane)) {
      this.#lanes.set(lane, work);
      return true;
    }
    if (this.#lanes.size >= this.#lanesMax) return false;
    this.#lanes.set(lane, null);
    void this.#run(lane, work);
    return true;
  }

  async #run(lane: string, first: Work): Promise<void> {
    let work: Work | null = first;
    while (work !== null) {
      await work();
      work = this.#lanes.get(lane) ?? null;
      if (work !== null) this.#lanes.set(lane, null);
    }
    this.#lanes.delete(lane);
  }
}
