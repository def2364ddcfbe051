/**
 * Coordination by Redis 6.2 or later. Every key begins with the prefix and has a hash tag; every operation of
 * several steps is one `.lua` script; every call is bounded by the breaker. Nothing here needs a clock: the
 * instants come from the callers, lifetimes are Redis's.
 */

import { randomUUID } from 'node:crypto';
import { type Breaker, type CoordinationLogger, createBreaker } from './breaker.ts';
import type { BeatStatus, Coordinator, Deadline, EpochReading, Head, MarkResult } from './coordinator.ts';
import { asDeadlineMs, asDueMs, RETENTION_MS } from './instants.ts';
import { createConnection, isOutage, type RedisAddress, type RedisTls } from './redis-connection.ts';
import { createRedisTurns, decodeHead, encodeHead } from './redis-turns.ts';
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

function pairsOf(deadlines: readonly Deadline[]): (string | number)[] {
  const pairs = new Array<string | number>(deadlines.length * 2);
  for (const [index, { member, deadlineMs }] of deadlines.entries()) {
    pairs[2 * index] = asDeadlineMs(deadlineMs);
    pairs[2 * index + 1] = member;
  }
  return pairs;
}

function markResult(member: string, answer: string): MarkResult {
  const deadlineMs = answer.length > 1 ? Number(answer.slice(1)) : null;
  return { member, marked: answer.startsWith('+'), deadlineMs };
}

/** The heartbeats, the epoch and the counters: questions and answers, without any state of this side. */
function createRecords(
  prefix: string,
  breaker: Breaker,
  scripts: Scripts,
): Pick<Coordinator, 'beat' | 'watch' | 'mark' | 'readEpoch' | 'writeEpoch' | 'countRate'> {
  const deadlinesKey = `${prefix}:{signs}:deadlines`;
  const epochKey = `${prefix}:{signs}:epoch`;

  /** Calls once a piece, all at a time; null when any of them came to nothing. */
  async function callEach<T, R>(
    list: readonly T[],
    send: (piece: readonly T[]) => Promise<unknown>,
  ): Promise<R[] | null> {
    if (!breaker.healthy()) return null;
    const answers = await Promise.all(cut(list).map((piece) => breaker.call(() => send(piece))));
    return answers.includes(null) ? null : (answers as R[]);
  }

  async function epochBy(send: () => Promise<unknown>): Promise<EpochReading | null> {
    const answer = (await breaker.call(send)) as [string | null, string] | null;
    return answer && { epoch: answer[0], runId: answer[1] };
  }

  return {
    async beat(deadlines) {
      const answers = await callEach<Deadline, string>(deadlines, (piece) =>
        scripts.run('beat', [deadlinesKey], pairsOf(piece)),
      );
      if (answers === null) return null;
      const statuses = new Array<BeatStatus>(deadlines.length).fill('renewed');
      for (const [index, letters] of answers.entries()) {
        for (let i = 0; i < letters.length; i += 1) {
          statuses[index * MEMBERS_MAX + i] = BEAT_STATUSES[letters[i]!]!;
        }
      }
      return statuses;
    },

    async watch(deadlines) {
      const answers = await callEach<Deadline, number>(deadlines, (piece) =>
        scripts.run('watch', [deadlinesKey], pairsOf(piece)),
      );
      return answers && true;
    },

    async mark(members, dueMs, expected) {
      const due = asDueMs(dueMs);
      const answers = await callEach<string, string[] | number>(members, (piece) =>
        scripts.run(
          'mark',
          [deadlinesKey, epochKey],
          [expected.epoch, expected.runId, due, Math.max(0, due - RETENTION_MS), ...piece],
        ),
      );
      if (answers === null) return null;
      const results: MarkResult[] = [];
      for (const answer of answers) {
        if (typeof answer === 'number') return 'epoch-changed';
        for (const text of answer) results.push(markResult(members[results.length]!, text));
      }
      return results;
    },

    readEpoch: () => epochBy(() => scripts.run('read-epoch', [epochKey], [])),
    writeEpoch: (epoch) => epochBy(() => scripts.run('write-epoch', [epochKey], [epoch])),

    async countRate(bucket, windowSeconds) {
      const windowMs = Math.max(1, Math.ceil(windowSeconds * 1000));
      const count = await breaker.call(() =>
        scripts.run('count-rate', [`${prefix}:{rate:${bucket}}:${windowMs}`], [windowMs]),
      );
      return count as number | null;
    },
  };
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

/**
 * Makes a coordinator on Redis. It does not fail when Redis is away: it starts unhealthy then, and comes
 * back by itself.
 * @returns after the first contact, or when that has failed or taken five command timeouts.
 */
export async function createRedisCoordinator(options: RedisCoordinatorOptions): Promise<Coordinator> {
  const { prefix, logger } = options;
  const timeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
  const replica = randomUUID();
  const turnChannelPrefix = `${prefix}:turns:`;
  const headChannel = `${prefix}:heads`;
  const contentionChannel = `${prefix}:contention`;
  const headKeyOf = (shard: number): string => `${prefix}:{shard:${shard}}:head`;

  const connection = createConnection(options, options.tls, 'lictor', timeoutMs);
  const subscriber = createConnection(options, options.tls, 'lictor-hears', timeoutMs);
  const scripts = loadScripts(connection);
  let isListening = false;

  const breaker = createBreaker({
    timeoutMs,
    probeIntervalMs: PROBE_INTERVAL_MS,
    stuckMs: STUCK_MS,
    isOutage,
    logger,
    // A write, for a Redis that only reads cannot serve; and nobody is handed a turn that it does not hear of.
    probe: async () => {
      await connection.set(`${prefix}:{probe}`, replica, 'PX', PROBE_KEY_LIFETIME_MS);
      if (!isListening) throw new Error('the subscription is not there yet');
    },
    reconnect: () => {
      for (const each of [connection, subscriber]) if (each.status !== 'end') each.disconnect(true);
    },
  });
  const turns = createRedisTurns({
    replica,
    lifetimeMs: options.turnLifetimeMs ?? TURN_LIFETIME_MS,
    breaker,
    scripts,
    keysOf: (shard) => ({
      turn: `${prefix}:{shard:${shard}}:turn`,
      waiters: `${prefix}:{shard:${shard}}:waiters`,
      head: headKeyOf(shard),
    }),
    turnChannelPrefix,
    headChannel,
  });
  breaker.onChange((healthy) => {
    if (!healthy) turns.dismissAll();
  });

  const headListeners: ((head: Head) => void)[] = [];
  const contentionListeners: ((shard: number) => void)[] = [];

  /** Hears what another replica said to all: its name, a space, the text. */
  function hearOther(channel: string, message: string): void {
    const space = message.indexOf(' ');
    if (message.slice(0, space) === replica) return;
    const text = message.slice(space + 1);
    if (channel === contentionChannel) {
      for (const listener of contentionListeners) listener(Number(text));
      return;
    }
    const head = decodeHead(text);
    if (head !== null) for (const listener of headListeners) listener(head);
  }

  subscriber.on('message', (channel: string, message: string) => {
    try {
      if (channel.startsWith(turnChannelPrefix)) turns.hear(message);
      else hearOther(channel, message);
    } catch (error) {
      logger.error({ err: error, channel }, 'a listener of the coordination store failed');
    }
  });
  subscriber.on('ready', () => {
    subscriber.subscribe(turnChannelPrefix + replica, headChannel, contentionChannel).then(
      () => {
        isListening = true;
        void breaker.probeNow();
      },
      (error: Error) => {
        logger.warn({ err: error }, 'the subscription to the coordination store failed');
        subscriber.disconnect(true);
      },
    );
  });
  subscriber.on('close', () => {
    isListening = false;
    breaker.trip('the subscribing connection was closed');
  });
  connection.on('ready', () => void breaker.probeNow());
  connection.on('close', () => breaker.trip('the connection was closed'));
  // Failures to connect are told by the breaker when they begin and end, not at each attempt.
  connection.on('error', () => {});
  subscriber.on('error', () => {});

  await settle(Promise.all([connection.connect(), subscriber.connect()]), START_TIMEOUTS * timeoutMs);
  await breaker.probeNow();
  if (!breaker.healthy()) logger.warn({}, 'the coordination store cannot be reached; going on without it');

  return {
    kind: 'redis',
    healthy: breaker.healthy,
    onHealth: breaker.onChange,
    takeTurn: turns.take,
    announceContention: (shard) => {
      void breaker.call(() => connection.publish(contentionChannel, `${replica} ${shard}`));
    },
    onContention: (listener) => {
      contentionListeners.push(listener);
    },
    publishHead: (head) => {
      const args = [encodeHead(head), headChannel, replica];
      void breaker.call(() => scripts.run('publish-head', [headKeyOf(head.shard)], args));
    },
    onHead: (listener) => {
      headListeners.push(listener);
    },
    ...createRecords(prefix, breaker, scripts),
    async forget(members) {
      if (members.length === 0) return breaker.healthy() || null;
      const answer = await breaker.call(() => connection.zrem(`${prefix}:{signs}:deadlines`, ...members));
      return answer === null ? null : true;
    },
    async close() {
      breaker.close();
      turns.dismissAll();
      connection.disconnect();
      subscriber.disconnect();
    },
  };
}
