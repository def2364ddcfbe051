/** What replicas tell each other through Redis: heads, contention, and turns that are handed on. */

import type { Redis } from 'ioredis';
import type { CoordinationLogger } from './breaker.ts';
import type { Head } from './coordinator.ts';
import { decodeHead } from './redis-turns.ts';

/** The names of the channels of one installation. */
export interface ChannelNames {
  /** The replica's name is appended: each hears of its own turns only. */
  readonly turnPrefix: string;
  readonly head: string;
  readonly contention: string;
}

export interface RedisChannelsOptions {
  readonly subscriber: Redis;
  readonly replica: string;
  readonly names: ChannelNames;
  readonly hearTurn: (message: string) => void;
  readonly onListening: () => void;
  readonly onClosed: () => void;
  readonly logger: CoordinationLogger;
}

/**
 * The subscribing side of one replica. It subscribes anew on every connection, and does not hear itself:
 * messages to all are the sender's name, a space, and the text.
 */
export class RedisChannels {
  readonly #options: RedisChannelsOptions;
  readonly #headListeners: ((head: Head) => void)[] = [];
  readonly #contentionListeners: ((shard: number) => void)[] = [];
  #listening = Promise.withResolvers<void>();

  constructor(options: RedisChannelsOptions) {
    this.#options = options;
    const { subscriber, logger, hearTurn, names } = options;
    subscriber.on('ready', () => void this.#subscribe());
    subscriber.on('close', () => {
      this.#listening = Promise.withResolvers();
      options.onClosed();
    });
    subscriber.on('message', (channel: string, message: string) => {
      try {
        if (channel.startsWith(names.turnPrefix)) hearTurn(message);
        else this.#hearOther(channel, message);
      } catch (error) {
        logger.error({ err: error, channel }, 'a listener of the coordination store failed');
      }
    });
  }

  /** Ends when this replica hears the others; it may never end while the store is away. */
  whenListening(): Promise<void> {
    return this.#listening.promise;
  }

  onHead(listener: (head: Head) => void): void {
    this.#headListeners.push(listener);
  }

  onContention(listener: (shard: number) => void): void {
    this.#contentionListeners.push(listener);
  }

  async #subscribe(): Promise<void> {
    const { subscriber, replica, names, onListening, logger } = this.#options;
    const listening = this.#listening;
    try {
      await subscriber.subscribe(names.turnPrefix + replica, names.head, names.contention);
      listening.resolve();
      onListening();
    } catch (error) {
      // A connection that was closed meanwhile is opened again by itself; one that stands is made anew.
      if (subscriber.status !== 'ready') return;
      logger.warn({ err: error }, 'the subscription to the coordination store failed');
      subscriber.disconnect(true);
    }
  }

  #hearOther(channel: string, message: string): void {
    const { replica, names } = this.#options;
    const space = message.indexOf(' ');
    if (message.slice(0, space) === replica) return;
    const text = message.slice(space + 1);
    if (channel === names.contention) {
      const shard = Number(text);
      if (Number.isSafeInteger(shard)) for (const listener of this.#contentionListeners) listener(shard);
      return;
    }
    const head = decodeHead(text);
    if (head !== null) for (const listener of this.#headListeners) listener(head);
  }
}
