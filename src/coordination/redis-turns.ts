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
  readonly keysOf: (shard: number) => { readonly turn: string; readonly waiters: string; readonly head: string };
  /** The beginning of the channels on which replicas hear of their turns. */
  readonly turnChannelPrefix: string;
  readonly headChannel: string;
}

export interface RedisTurns {
  take(shard: number, waitMs: number): Promise<Turn | null>;
  /** Hears a message of this replica's own channel: a turn was handed to it. */
  hear(message: string): void;
  /** Sends every waiter away without a turn. */
  dismissAll(): void;
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

/** Makes the turns of one replica. */
export function createRedisTurns(options: RedisTurnsOptions): RedisTurns {
  const { breaker, scripts, replica, keysOf } = options;
  const waiters = new Map<string, Waiter>();
  let lastNumber = 0;

  function sendRelease(shard: number, token: string, head: Head | null): Promise<unknown> {
    const keys = keysOf(shard);
    return scripts.run(
      'release-turn',
      [keys.turn, keys.waiters, keys.head],
      [
        token,
        options.lifetimeMs,
        options.turnChannelPrefix,
        head === null ? '' : encodeHead(head),
        options.headChannel,
        replica,
      ],
    );
  }

  /**
   * Gives up a place in the queue, or a turn that nobody here waits for any more. It is sent past the breaker:
   * a store that is only slow must not keep the others waiting for this replica when it is back.
   */
  function leave(shard: number, token: string): void {
    sendRelease(shard, token, null).catch(() => {
      // Without a connection the turn lapses, and a call from the queue is answered by another leave.
    });
  }

  function finish(waiter: Waiter, turn: Turn | null): void {
    waiters.delete(waiter.token);
    clearTimeout(waiter.endTimer);
    clearTimeout(waiter.pollTimer);
    waiter.resolve(turn);
  }

  function grant(waiter: Waiter, headText: string): void {
    let isReleased = false;
    finish(waiter, {
      head: decodeHead(headText),
      async release(head) {
        if (isReleased) return;
        isReleased = true;
        if (breaker.healthy()) await breaker.call(() => sendRelease(waiter.shard, waiter.token, head));
        else leave(waiter.shard, waiter.token);
      },
    });
  }

  function abandon(waiter: Waiter): void {
    finish(waiter, null);
    leave(waiter.shard, waiter.token);
  }

  async function ask(waiter: Waiter): Promise<void> {
    const keys = keysOf(waiter.shard);
    const answer = (await breaker.call(() =>
      scripts.run(
        'take-turn',
        [keys.turn, keys.waiters, keys.head],
        [waiter.token, options.lifetimeMs, QUEUE_LIFETIME_MS],
      ),
    )) as [number, string | number] | null;
    // Whoever ended the wait meanwhile has sent a leave, which Redis met after this question.
    if (!waiters.has(waiter.token)) return;
    waiter.hasAnswer = true;
    if (answer === null) return abandon(waiter);
    if (answer[0] === 1) return grant(waiter, String(answer[1]));
    if (waiter.isOverdue) return abandon(waiter);
    const lapsesInMs = Math.max(Number(answer[1]), 0) + 1;
    waiter.pollTimer = setTimeout(() => void ask(waiter), Math.min(FALLBACK_POLL_MS, lapsesInMs));
  }

  return {
    take(shard, waitMs) {
      if (!breaker.healthy()) return Promise.resolve(null);
      return new Promise((resolve) => {
        lastNumber += 1;
        const waiter: Waiter = {
          token: `${replica}:${shard}:${lastNumber}`,
          shard,
          resolve,
          hasAnswer: false,
          isOverdue: false,
          endTimer: undefined,
          pollTimer: undefined,
        };
        waiter.endTimer = setTimeout(() => {
          waiter.isOverdue = true;
          if (waiter.hasAnswer) abandon(waiter);
        }, waitMs);
        waiters.set(waiter.token, waiter);
        void ask(waiter);
      });
    },

    hear(message) {
      const space = message.indexOf(' ');
      const token = message.slice(0, space);
      const waiter = waiters.get(token);
      if (waiter !== undefined) return grant(waiter, message.slice(space + 1));
      const shard = Number(token.split(':')[1]);
      if (Number.isSafeInteger(shard)) leave(shard, token);
    },

    dismissAll() {
      for (const waiter of [...waiters.values()]) abandon(waiter);
    },
  };
}
