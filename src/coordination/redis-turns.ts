/**
 * Turns on Redis: a lock with a token and a lifetime, a queue of waiters, and the release that hands the turn
 * to the first of them by a message on its replica's own channel. Nobody polls but as a fallback.
 */

import type { Breaker } from './breaker.ts';
import type { Head, Turn } from './coordinator.ts';
import type { Scripts } from './scripts.ts';

export interface RedisTurnsOptions {
  readonly replica: string;
  readonly lifetimeMs: number;
  readonly breaker: Breaker;
  readonly scripts: Scripts;
  readonly keysOf: (shard: number) => {
    readonly turn: string;
    readonly waiters: string;
    readonly head: string;
  };
  /** The beginning of the channels on which replicas hear of their turns. */
  readonly turnChannelPrefix: string;
  readonly headChannel: string;
}

/** After how long a waiter asks again although nobody called it: the call may have been lost. */
const FALLBACK_POLL_MS = 50;
/** A queue that nobody has touched for so long is forgotten. */
const QUEUE_LIFETIME_MS = 60_000;

interface Waiter {
  readonly token: string;
  readonly shard: number;
  readonly resolve: (turn: Turn | null) => void;
  /** Whether Redis has answered at least once, so that a wait of 0 ms still takes a free turn. */
  hasAnswer: boolean;
  isOverdue: boolean;
  endTimer: NodeJS.Timeout | undefined;
  pollTimer: NodeJS.Timeout | undefined;
}

/** Writes a head for the wire. */
export function encodeHead(head: Head): string {
  return JSON.stringify({ shard: head.shard, version: head.version, batch: head.batch });
}

/** Reads a head from the wire; null for what is none (another release may have written it). */
export function decodeHead(text: string): Head | null {
  if (text === '') return null;
  try {
    const { shard, version, batch } = JSON.parse(text) as Partial<Head>;
    const isHead = Number.isSafeInteger(shard) && Number.isSafeInteger(version) && typeof batch === 'string';
    return isHead ? { shard: shard!, version: version!, batch } : null;
  } catch {
    return null;
  }
}

/** The turns of one replica. */
export class RedisTurns {
  readonly #options: RedisTurnsOptions;
  readonly #waiters = new Map<string, Waiter>();
  #lastNumber = 0;

  constructor(options: RedisTurnsOptions) {
    this.#options = options;
  }

  /** Takes a turn as `Coordinator.takeTurn` says. A free turn is taken even if `waitMs` is 0. */
  take(shard: number, waitMs: number): Promise<Turn | null> {
    if (!this.#options.breaker.healthy()) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#lastNumber += 1;
      const waiter: Waiter = {
        token: `${this.#options.replica}:${shard}:${this.#lastNumber}`,
        shard,
        resolve,
        hasAnswer: false,
        isOverdue: false,
        endTimer: undefined,
        pollTimer: undefined,
      };
      waiter.endTimer = setTimeout(() => {
        waiter.isOverdue = true;
        if (waiter.hasAnswer) this.#abandon(waiter);
      }, waitMs);
      this.#waiters.set(waiter.token, waiter);
      void this.#ask(waiter);
    });
  }

  /** Hears a message of this replica's own channel: a turn was handed to one of its tokens. */
  hear(message: string): void {
    const space = message.indexOf(' ');
    const token = message.slice(0, space);
    const waiter = this.#waiters.get(token);
    if (waiter !== undefined) {
      this.#grant(waiter, message.slice(space + 1));
      return;
    }
    // Its wait has ended, so the turn goes on to the next one.
    const shard = Number(token.split(':')[1]);
    if (Number.isSafeInteger(shard)) this.#leave(shard, token);
  }

  /** Sends every waiter away without a turn. */
  dismissAll(): void {
    for (const waiter of [...this.#waiters.values()]) this.#abandon(waiter);
  }

  async #ask(waiter: Waiter): Promise<void> {
    const { breaker, scripts, keysOf, lifetimeMs } = this.#options;
    const keys = keysOf(waiter.shard);
    const args = [waiter.token, lifetimeMs, QUEUE_LIFETIME_MS];
    const answer = (await breaker.call(() =>
      scripts.run('take-turn', [keys.turn, keys.waiters, keys.head], args),
    )) as [number, string | number] | null;
    // Whoever ended the wait meanwhile has sent a leave, which Redis meets after this question.
    if (!this.#waiters.has(waiter.token)) return;
    waiter.hasAnswer = true;
    if (answer === null) return this.#abandon(waiter);
    if (answer[0] === 1) return this.#grant(waiter, String(answer[1]));
    if (waiter.isOverdue) return this.#abandon(waiter);
    const lapsesInMs = Math.max(Number(answer[1]), 0) + 1;
    waiter.pollTimer = setTimeout(() => void this.#ask(waiter), Math.min(FALLBACK_POLL_MS, lapsesInMs));
  }

  #grant(waiter: Waiter, headText: string): void {
    const { breaker } = this.#options;
    let isReleased = false;
    this.#finish(waiter, {
      head: decodeHead(headText),
      release: async (head) => {
        if (isReleased) return;
        isReleased = true;
        if (breaker.healthy()) await breaker.call(() => this.#sendRelease(waiter.shard, waiter.token, head));
        else this.#leave(waiter.shard, waiter.token);
      },
    });
  }

  #abandon(waiter: Waiter): void {
    this.#finish(waiter, null);
    this.#leave(waiter.shard, waiter.token);
  }

  #finish(waiter: Waiter, turn: Turn | null): void {
    this.#waiters.delete(waiter.token);
    clearTimeout(waiter.endTimer);
    clearTimeout(waiter.pollTimer);
    waiter.resolve(turn);
  }

  /**
   * Gives up a place in the queue, or a turn that nobody here waits for any more. It is sent past the breaker:
   * a store that is only slow must not keep the others waiting for this replica when it is back.
   */
  #leave(shard: number, token: string): void {
    this.#sendRelease(shard, token, null).catch(() => {
      // Without a connection the turn lapses, and a call from the queue is answered by another leave.
    });
  }

  #sendRelease(shard: number, token: string, head: Head | null): Promise<unknown> {
    const { scripts, keysOf, lifetimeMs, turnChannelPrefix, headChannel, replica } = this.#options;
    const keys = keysOf(shard);
    const headText = head === null ? '' : encodeHead(head);
    return scripts.run(
      'release-turn',
      [keys.turn, keys.waiters, keys.head],
      [token, lifetimeMs, turnChannelPrefix, headText, headChannel, replica],
    );
  }
}
