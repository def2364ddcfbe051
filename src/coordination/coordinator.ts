/**
 * What replicas share besides Postgres: turns, the published head, heartbeat deadlines with their
 * reaping marks, the epoch, and rate counters. Everything here may be lost at any moment without a unit
 * being granted twice or lost: the conditional append in Postgres alone decides, and a lost deadline
 * only starts a fresh grace period.
 *
 * No method throws for an unreachable store. Each answers `null` then, at once while the store is known to
 * be away and within the command timeout otherwise; callers go on by a stated rule.
 */

import type { StoreFacts } from '../domain/findings/diagnosisfacts.ts';

/** The last row of a shard's journal, as far as a replica has made it known. */
export interface Head {
  readonly shard: number;
  readonly version: number;
  readonly batch: string;
}

/**
 * One deadline to set: `member` is a login or an instance, `deadlineMs` an instant of the database's clock in
 * ms since 1970 (a fraction is rounded up).
 */
export interface Deadline {
  readonly member: string;
  readonly deadlineMs: number;
}

/**
 * What a heartbeat met. Only `renewed` may be answered without the lane; a `marked` member is being reaped
 * and a `missing` one is not known to the store, so both must be settled by the journal.
 */
export type BeatStatus = 'renewed' | 'marked' | 'missing';

/** What came of asking to reap a member: marked for reaping, or its later deadline when it is alive. */
export interface MarkResult {
  readonly member: string;
  readonly marked: boolean;
  /**
   * The deadline that stands in the store, or stood there until this mark; null when the member was missing
   * or marked before.
   */
  readonly deadlineMs: number | null;
}

/** The epoch that the store holds, and which life of the store holds it. */
export interface EpochReading {
  readonly epoch: string | null;
  /** Redis's `run_id`: it changes when the store restarts or is replaced by another. */
  readonly runId: string;
}

/** The right to be next on a busy shard. Losing it costs an append race, never correctness. */
export interface Turn {
  /** The head that the previous holder published, so that this one can catch up before it decides. */
  readonly head: Head | null;
  /**
   * Publishes `head` when there is a new one, and hands the turn to the one who has waited longest, unless it
   * has lapsed. Ends when the store has answered or is away; a second call does nothing.
   */
  release(head: Head | null): Promise<void>;
}

export interface Coordinator {
  readonly kind: 'redis' | 'memory';

  /** Whether the store answered the last time it was asked. Changes are told to `onHealth` listeners. */
  healthy(): boolean;
  onHealth(listener: (healthy: boolean) => void): void;

  /**
   * Waits for the turn on a shard (the login lock).
   * @param waitMs - how long to wait in all; 0 takes a turn that is free. The turn itself is held for at most
   *   the lock's own lifetime.
   * @returns null when the turn did not come in time or the store is away: the caller then simply tries.
   */
  takeTurn(shard: number, waitMs: number): Promise<Turn | null>;
  /** Tells the other replicas that a shard is busy, so that they take turns for a while. */
  announceContention(shard: number): void;
  onContention(listener: (shard: number) => void): void;
  /**
   * Publishes a head without holding the turn; the others hear of it by `onHead`, this one does not. The last
   * one published stands, even if its version is lower. Never waits.
   */
  publishHead(head: Head): void;
  onHead(listener: (head: Head) => void): void;

  /**
   * Signs of life, many in one step. Each member that is present and unmarked gets the new deadline, if it
   * is later than the one it has.
   * @returns one status per deadline, in order; null when the store is away (the lane decides then).
   */
  beat(deadlines: readonly Deadline[]): Promise<BeatStatus[] | null>;
  /**
   * Sets deadlines and removes marks, for members that the journal has just granted or renewed. A deadline
   * never moves backwards, and a mark is removed only by a deadline later than the `dueMs` it was made for:
   * only then does the journal refuse the reap. So a call that reaches the store late undoes nothing.
   */
  watch(deadlines: readonly Deadline[]): Promise<true | null>;
  /**
   * Reads deadlines, for people: nothing is decided by them.
   * @returns one per member, in order, null for one that is missing or marked; null when the store is away.
   */
  readDeadlines(members: readonly string[]): Promise<(number | null)[] | null>;
  /** Forgets members that the journal has released. */
  forget(members: readonly string[]): Promise<true | null>;
  /**
   * Marks for reaping, in one step with the check of its deadline, each member that is missing or whose
   * deadline is at or before `dueMs`. The whole step is refused when the store's epoch or `run_id` is not
   * the expected one. A mark takes the place of the deadline and has no end of its own: it stays until
   * `watch` or `forget`, so the journal must settle every heartbeat that comes meanwhile. What has been
   * overdue or marked for a day is dropped, and is missing then.
   * @returns null when the store is away, `'epoch-changed'` when it is not the one the leader knows.
   */
  mark(
    members: readonly string[],
    dueMs: number,
    expected: { readonly epoch: string; readonly runId: string },
  ): Promise<MarkResult[] | 'epoch-changed' | null>;

  readEpoch(): Promise<EpochReading | null>;
  /** Writes the epoch; deadlines and marks stay. */
  writeEpoch(epoch: string): Promise<EpochReading | null>;

  /**
   * Counts one event in a fixed window, which begins with its first event.
   * @returns the count within the current window of `windowSeconds`, this one included; null when the store
   * is away (limits are then not enforced).
   */
  countRate(bucket: string, windowSeconds: number): Promise<number | null>;

  /**
   * Reads what the store says of itself, for people: nothing is decided by it.
   * @returns null when the store is away, and for the memory of this process, of which there is nothing to say.
   */
  describe(): Promise<StoreFacts | null>;

  close(): Promise<void>;
}
