/** Turns within one process: the same queue as on Redis, first in, first out. */

import type { Head } from './coordinator.ts';

interface Waiter {
  readonly owner: object;
  readonly resolve: (token: symbol | null) => void;
  endTimer: NodeJS.Timeout | undefined;
}

interface Shard {
  holder: symbol | null;
  lapseTimer: NodeJS.Timeout | undefined;
  head: Head | null;
  readonly queue: Waiter[];
}

export class MemoryTurns {
  readonly #lifetimeMs: number;
  readonly #shards = new Map<number, Shard>();

  /** @param lifetimeMs - for how long a turn is held at most. */
  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs;
  }

  /**
   * Waits for the turn on a shard.
   * @param owner - on whose behalf, for `dismiss`.
   * @returns the token that releases it; null when the turn did not come within `waitMs`.
   */
  take(owner: object, shardNumber: number, waitMs: number): Promise<symbol | null> {
    const shard = this.#shardOf(shardNumber);
    return new Promise((resolve) => {
      const waiter: Waiter = { owner, resolve, endTimer: undefined };
      shard.queue.push(waiter);
      if (shard.holder === null) return this.#handOn(shard);
      waiter.endTimer = setTimeout(() => this.#abandon(shard, waiter), waitMs);
    });
  }

  /** Hands the turn on, if it is still the token's: it may have lapsed. */
  release(shardNumber: number, token: symbol): void {
    const shard = this.#shardOf(shardNumber);
    if (shard.holder === token) this.#handOn(shard);
  }

  headOf(shardNumber: number): Head | null {
    return this.#shardOf(shardNumber).head;
  }

  /** The last one set wins: after a restore of the database, versions may rightly go back. */
  setHead(head: Head): void {
    this.#shardOf(head.shard).head = head;
  }

  /** Sends an owner's waiters away without a turn. */
  dismiss(owner: object): void {
    for (const shard of this.#shards.values()) {
      for (const waiter of [...shard.queue]) if (waiter.owner === owner) this.#abandon(shard, waiter);
    }
  }

  #handOn(shard: Shard): void {
    clearTimeout(shard.lapseTimer);
    shard.holder = null;
    const waiter = shard.queue.shift();
    if (waiter === undefined) return;
    clearTimeout(waiter.endTimer);
    shard.holder = Symbol('turn');
    shard.lapseTimer = setTimeout(() => this.#handOn(shard), this.#lifetimeMs);
    // A turn that nobody gives back does not keep the process alive.
    shard.lapseTimer.unref();
    waiter.resolve(shard.holder);
  }

  #abandon(shard: Shard, waiter: Waiter): void {
    clearTimeout(waiter.endTimer);
    shard.queue.splice(shard.queue.indexOf(waiter), 1);
    waiter.resolve(null);
  }

  #shardOf(shardNumber: number): Shard {
    let shard = this.#shards.get(shardNumber);
    if (shard === undefined) {
      shard = { holder: null, lapseTimer: undefined, head: null, queue: [] };
      this.#shards.set(shardNumber, shard);
    }
    return shard;
  }
}
