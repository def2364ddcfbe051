/**
 * Coordination by Redis 6.2 or later. Every key begins with the prefix and has a hash tag; every operation of
 * several steps is one `.lua` script; every call is bounded by the breaker. Nothing here needs a clock: the
 * instants come from the callers, lifetimes are Redis's.
 */

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { StoreFacts } from '../domain/findings/diagnosisfacts.ts';
import { Breaker, type CoordinationLogger } from './breaker.ts';
import type {
  BeatStatus,
  Coordinator,
  Deadline,
  EpochReading,
  Head,
  MarkResult,
  Turn,
} from './coordinator.ts';
import { asDeadlineMs, asDueMs, asWindowMs, RETENTION_MS } from './instants.ts';
import { RedisChannels } from './redis-channels.ts';
import { createConnection, isOutage, type RedisAddress, type RedisTls } from './redis-connection.ts';
import { readStoreFacts } from './redis-facts.ts';
import { encodeHead, RedisTurns } from './redis-turns.ts';
import { loadScripts, type Scripts } from './scripts.ts';

export type RedisCoordinatorOptions = RedisAddress & {
  /** Begins every key and channel; installations that share a Redis have different ones. */
  readonly prefix: string;
  /** Bounds every call; 200 when left out. */
  readonly commandTimeoutMs?: number;
  /** For how long a turn is held at most; 2,000 when left out. */
  readonly turnLifetimeMs?: number;
  readonly tls?: RedisTls;
  readonly logger: CoordinationLogger;
};

const COMMAND_TIMEOUT_MS = 200;
const TURN_LIFETIME_MS = 2000;
const PROBE_INTERVAL_MS = 500;
/** After how long without any success a connection is thought dead and made anew. */
const STUCK_MS = 3000;
/** For how many command timeouts a start waits for Redis before it goes on without. */
const START_TIMEOUTS = 5;
const PROBE_KEY_LIFETIME_MS = 60_000;
/** Members in one script call; longer lists are cut. */
const MEMBERS_MAX = 1000;

const BEAT_STATUSES: Readonly<Record<string, BeatStatus>> = { r: 'renewed', m: 'marked', x: 'missing' };

/** Cuts a list into pieces that one script call may carry. */
function cut<T>(list: readonly T[]): readonly (readonly T[])[] {
  if (list.length <= MEMBERS_MAX) return list.length === 0 ? [] : [list];
  const pieces: (readonly T[])[] = [];
  for (let from = 0; from < list.length; from += MEMBERS_MAX) {
    pieces.push(list.slice(from, from + MEMBERS_MAX));
  }
  return pieces;
}

/** Lays deadlines out as the scripts take them: score, member, score, member … */
function pairsOf(deadlines: readonly Deadline[]): (string | number)[] {
  const pairs: (string | number)[] = [];
  for (const { member, deadlineMs } of deadlines) pairs.push(asDeadlineMs(deadlineMs), member);
  return pairs;
}

/** Reads one answer of `mark.lua`. */
function markResult(member: string, answer: string): MarkResult {
  const deadlineMs = answer.length > 1 ? Number(answer.slice(1)) : null;
  return { member, marked: answer.startsWith('+'), deadlineMs };
}

/** Waits until a promise ends, at most so long; what it comes to does not matter. */
function settle(promise: Promise<unknown>, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    promise.then(done, done);
  });
}

class RedisCoordinator implements Coordinator {
  readonly kind = 'redis';
  readonly #replica = randomUUID();
  readonly #prefix: string;
  readonly #deadlinesKey: string;
  readonly #epochKey: string;
  readonly #headChannel: string;
  readonly #contentionChannel: string;
  readonly #connection: Redis;
  readonly #subscriber: Redis;
  readonly #scripts: Scripts;
  readonly #breaker: Breaker;
  readonly #turns: RedisTurns;
  readonly #channels: RedisChannels;

  constructor(options: RedisCoordinatorOptions) {
    const { prefix, tls, logger } = options;
    const timeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    this.#prefix = prefix;
    this.#deadlinesKey = `${prefix}:{signs}:deadlines`;
    this.#epochKey = `${prefix}:{signs}:epoch`;
    this.#headChannel = `${prefix}:heads`;
    this.#contentionChannel = `${prefix}:contention`;
    const turnPrefix = `${prefix}:turns:`;

    this.#connection = createConnection(options, tls, 'lictor', timeoutMs);
    this.#subscriber = createConnection(options, tls, 'lictor-hears', timeoutMs);
    this.#scripts = loadScripts(this.#connection);
    this.#breaker = new Breaker({
      timeoutMs,
      probeIntervalMs: PROBE_INTERVAL_MS,
      stuckMs: STUCK_MS,
      isOutage,
      logger,
      probe: () => this.#probe(),
      reconnect: () => {
        for (const each of [this.#connection, this.#subscriber]) each.disconnect(true);
      },
    });
    this.#turns = new RedisTurns({
      replica: this.#replica,
      lifetimeMs: options.turnLifetimeMs ?? TURN_LIFETIME_MS,
      breaker: this.#breaker,
      scripts: this.#scripts,
      keysOf: (shard) => ({
        turn: `${prefix}:{shard:${shard}}:turn`,
        waiters: `${prefix}:{shard:${shard}}:waiters`,
        head: this.#headKey(shard),
      }),
      turnChannelPrefix: turnPrefix,
      headChannel: this.#headChannel,
    });
    this.#channels = new RedisChannels({
      subscriber: this.#subscriber,
      replica: this.#replica,
      names: { turnPrefix, head: this.#headChannel, contention: this.#contentionChannel },
      hearTurn: (message) => this.#turns.hear(message),
      onListening: () => void this.#breaker.probeNow(),
      onClosed: () => this.#breaker.trip('the subscribing connection was closed'),
      logger,
    });
    this.#breaker.onChange((healthy) => {
      if (!healthy) this.#turns.dismissAll();
    });
  }

  /** Opens the connections and waits for the first contact, at most so long. */
  async start(waitMs: number): Promise<void> {
    const both = [this.#connection, this.#subscriber];
    // Failures to connect are told by the breaker when they begin and end, not at each attempt.
    for (const each of both) each.on('error', () => {});
    this.#connection.on('ready', () => void this.#breaker.probeNow());
    this.#connection.on('close', () => this.#breaker.trip('the connection was closed'));
    await settle(Promise.all(both.map((each) => each.connect())), waitMs);
    await this.#breaker.probeNow();
  }

  healthy(): boolean {
    return this.#breaker.healthy();
  }

  onHealth(listener: (healthy: boolean) => void): void {
    this.#breaker.onChange(listener);
  }

  takeTurn(shard: number, waitMs: number): Promise<Turn | null> {
    return this.#turns.take(shard, waitMs);
  }

  announceContention(shard: number): void {
    const message = `${this.#replica} ${shard}`;
    void this.#breaker.call(() => this.#connection.publish(this.#contentionChannel, message));
  }

  onContention(listener: (shard: number) => void): void {
    this.#channels.onContention(listener);
  }

  publishHead(head: Head): void {
    const args = [encodeHead(head), this.#headChannel, this.#replica];
    void this.#breaker.call(() => this.#scripts.run('publish-head', [this.#headKey(head.shard)], args));
  }

  onHead(listener: (head: Head) => void): void {
    this.#channels.onHead(listener);
  }

  async beat(deadlines: readonly Deadline[]): Promise<BeatStatus[] | null> {
    const answers = await this.#callEach<Deadline, string>(deadlines, (piece) =>
      this.#scripts.run('beat', [this.#deadlinesKey], pairsOf(piece)),
    );
    if (answers === null) return null;
    const statuses = new Array<BeatStatus>(deadlines.length).fill('renewed');
    for (const [index, letters] of answers.entries()) {
      for (let i = 0; i < letters.length; i += 1) {
        statuses[index * MEMBERS_MAX + i] = BEAT_STATUSES[letters[i]!]!;
      }
    }
    return statuses;
  }

  async watch(deadlines: readonly Deadline[]): Promise<true | null> {
    const answers = await this.#callEach<Deadline, number>(deadlines, (piece) =>
      this.#scripts.run('watch', [this.#deadlinesKey], pairsOf(piece)),
    );
    return answers && true;
  }

  async readDeadlines(members: readonly string[]): Promise<(number | null)[] | null> {
    const answers = await this.#callEach<string, (string | null)[]>(members, (piece) =>
      this.#connection.zmscore(this.#deadlinesKey, ...piece),
    );
    if (answers === null) return null;
    return answers.flat().map((score) => {
      const deadlineMs = Number(score ?? 0);
      return deadlineMs > 0 ? deadlineMs : null;
    });
  }

  async forget(members: readonly string[]): Promise<true | null> {
    const answers = await this.#callEach<string, number>(members, (piece) =>
      this.#connection.zrem(this.#deadlinesKey, ...piece),
    );
    return answers && true;
  }

  async mark(
    members: readonly string[],
    dueMs: number,
    expected: { readonly epoch: string; readonly runId: string },
  ): Promise<MarkResult[] | 'epoch-changed' | null> {
    const due = asDueMs(dueMs);
    const keys = [this.#deadlinesKey, this.#epochKey];
    const args = [expected.epoch, expected.runId, due, Math.max(0, due - RETENTION_MS)];
    const answers = await this.#callEach<string, string[] | number>(members, (piece) =>
      this.#scripts.run('mark', keys, [...args, ...piece]),
    );
    if (answers === null) return null;
    const results: MarkResult[] = [];
    for (const answer of answers) {
      if (typeof answer === 'number') return 'epoch-changed';
      for (const text of answer) results.push(markResult(members[results.length]!, text));
    }
    return results;
  }

  readEpoch(): Promise<EpochReading | null> {
    return this.#epochBy(() => this.#scripts.run('read-epoch', [this.#epochKey], []));
  }

  writeEpoch(epoch: string): Promise<EpochReading | null> {
    return this.#epochBy(() => this.#scripts.run('write-epoch', [this.#epochKey], [epoch]));
  }

  async countRate(bucket: string, windowSeconds: number): Promise<number | null> {
    const windowMs = asWindowMs(windowSeconds);
    const key = `${this.#prefix}:{rate:${bucket}}:${windowMs}`;
    return (await this.#breaker.call(() => this.#scripts.run('count-rate', [key], [windowMs]))) as
      | number
      | null;
  }

  describe(): Promise<StoreFacts | null> {
    return this.#breaker.call(() => readStoreFacts(this.#connection));
  }

  async close(): Promise<void> {
    this.#breaker.close();
    this.#turns.dismissAll();
    for (const each of [this.#connection, this.#subscriber]) {
      if (each.status !== 'end') each.disconnect();
    }
  }

  #headKey(shard: number): string {
    return `${this.#prefix}:{shard:${shard}}:head`;
  }

  /** A write, for a Redis that only reads cannot serve; and a replica that hears nothing gets no turns. */
  async #probe(): Promise<void> {
    await this.#connection.set(`${this.#prefix}:{probe}`, this.#replica, 'PX', PROBE_KEY_LIFETIME_MS);
    await this.#channels.whenListening();
  }

  /** Calls once for each piece of a list, all at a time; null when any of the calls came to nothing. */
  async #callEach<T, R>(
    list: readonly T[],
    send: (piece: readonly T[]) => Promise<unknown>,
  ): Promise<R[] | null> {
    if (!this.#breaker.healthy()) return null;
    const answers = await Promise.all(cut(list).map((piece) => this.#breaker.call(() => send(piece))));
    return answers.includes(null) ? null : (answers as R[]);
  }

  async #epochBy(send: () => Promise<unknown>): Promise<EpochReading | null> {
    const answer = (await this.#breaker.call(send)) as [string | null, string] | null;
    return answer && { epoch: answer[0], runId: answer[1] };
  }
}

/**
 * Makes a coordinator on Redis. It does not fail when Redis is away: it starts unhealthy then, and comes
 * back by itself.
 * @returns after the first contact, or when that has failed or taken five command timeouts.
 */
export async function createRedisCoordinator(options: RedisCoordinatorOptions): Promise<Coordinator> {
  const coordinator = new RedisCoordinator(options);
  await coordinator.start(START_TIMEOUTS * (options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS));
  if (!coordinator.healthy()) {
    options.logger.warn({}, 'the coordination store cannot be reached; going on without it');
  }
  return coordinator;
}
