/**
 * What the sidecar has under way with Lictor: for each instance one thing at a time, and one that waits. Of
 * several that wait the newest counts, because an instance that sends again has given up what it sent before.
 */

/** Work for one instance. */
export interface Work {
  /** Does it; must not reject. */
  run(): Promise<void>;
  /** Told instead of `run` when a newer one took its place. */
  displaced(): void;
  /** The life that asked, and the number that it asked under. */
  readonly life: string;
  readonly number: number;
}

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
   * Starts some work, or lets it wait for what is under way. What the network delivers late does not take the
   * place of what the same life asked after it.
   * @param lane - whose it is.
   * @returns false when too much is under way.
   */
  submit(lane: string, work: Work): boolean {
    const waiting = this.#lanes.get(lane);
    if (waiting !== undefined) {
      const isLate = waiting?.life === work.life && waiting.number > work.number;
      if (isLate) {
        work.displaced();
      } else {
        this.#lanes.set(lane, work);
        waiting?.displaced();
      }
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
      await work.run();
      work = this.#lanes.get(lane) ?? null;
      if (work !== null) this.#lanes.set(lane, null);
    }
    this.#lanes.delete(lane);
  }
}
