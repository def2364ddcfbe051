/**
 * What a lane and those of other replicas tell each other about a shard: the head, and whose turn it is. All of
 * it is an optimisation: without it the append alone decides.
 */

import type { Coordinator, Head, Turn } from '../coordination/coordinator.ts';
import type { DatabaseClock } from './clock.ts';

/** How long replicas take turns after one of them lost an append race, in milliseconds. */
const CONTENTION_MS = 1_000;
/** How long to wait for a turn before simply trying. */
const TURN_WAIT_MS = 250;
/** How long a new head may go untold, in milliseconds: it is a hint for replicas that are idle. */
const PUBLISH_PAUSE_MS = 10;

export interface NeighboursOptions {
  readonly shard: number;
  readonly coordinator: Coordinator;
  readonly clock: DatabaseClock;
  /** Told of each head that another replica has published. */
  readonly heard: (head: Head) => void;
  /** The head of this replica's copy now. */
  readonly head: () => Head;
}

export class Neighbours {
  readonly #options: NeighboursOptions;
  #contendedUntil = 0;
  #publishing: NodeJS.Timeout | null = null;

  constructor(options: NeighboursOptions) {
    this.#options = options;
    const { coordinator, shard } = options;
    coordinator.onHead((head) => {
      if (head.shard === shard && head.batch !== options.head().batch) options.heard(head);
    });
    coordinator.onContention((contended) => {
      if (contended === shard) this.#noteContention();
    });
  }

  /** Waits for the turn, while replicas get in each other's way; null when nobody has to wait. */
  async takeTurn(): Promise<Turn | null> {
    const { coordinator, clock, shard } = this.#options;
    if (clock.mark() >= this.#contendedUntil || !coordinator.healthy()) return null;
    return coordinator.takeTurn(shard, TURN_WAIT_MS);
  }

  /** This replica lost an append race: all take turns for a while. */
  lostRace(): void {
    const { coordinator, shard } = this.#options;
    this.#noteContention();
    coordinator.announceContention(shard);
  }

  /** Tells the head soon; several moves of it are told as one. */
  publishSoon(): void {
    if (this.#publishing) return;
    this.#publishing = setTimeout(() => {
      this.#publishing = null;
      this.#options.coordinator.publishHead(this.#options.head());
    }, PUBLISH_PAUSE_MS);
  }

  close(): void {
    if (this.#publishing) clearTimeout(this.#publishing);
  }

  #noteContention(): void {
    this.#contendedUntil = this.#options.clock.mark() + CONTENTION_MS;
  }
}
