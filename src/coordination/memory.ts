/**
 * Coordination within one process, for a single replica: the twin of `redis.ts`, with the same meaning and
 * the same tests. Several coordinators can share one store, which is how tests have several replicas.
 */

import { randomUUID } from 'node:crypto';
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
import { MemoryTurns } from './memory-turns.ts';

export interface MemoryCoordinatorOptions {
  /** The clock of the rate windows: ms since 1970. */
  readonly now: () => number;
  /** What to share with other coordinators of this process; its own when left out. */
  readonly store?: MemoryStore;
}

/** The windows kept at most; when there are more, those that have ended are dropped. */
const WINDOWS_MAX = 10_000;

/** Sweeps look at every member, so they are this far apart. */
const SWEEP_INTERVAL_MS = 60_000;

/** What would be in Redis. Its `runId` is its own, as a store that is lost takes everything with it. */
export class MemoryStore {
  readonly runId = randomUUID().replaceAll('-', '');
  /** Member → deadline in ms; a negative number is a mark for reaping, for minus that instant. */
  readonly deadlines = new Map<string, number>();
  readonly windows = new Map<string, { count: number; readonly endsMs: number }>();
  readonly coordinators = new Set<MemoryCoordinator>();
  readonly turns: MemoryTurns;
  epoch: string | null = null;
  /** Everything before this instant has been swept. */
  sweptMs = 0;

  /** @param turnLifetimeMs - for how long a turn is held at most; 2,000 when left out. */
  constructor(turnLifetimeMs = 2000) {
    this.turns = new MemoryTurns(turnLifetimeMs);
  }
}

class MemoryCoordinator implements Coordinator {
  readonly kind = 'memory';
  readonly #store: MemoryStore;
  readonly #now: () => number;
  readonly #headListeners: ((head: Head) => void)[] = [];
  readonly #contentionListeners: ((shard: number) => void)[] = [];

  constructor(store: MemoryStore, now: () => number) {
    this.#store = store;
    this.#now = now;
    store.coordinators.add(this);
  }

  healthy(): boolean {
    return true;
  }

  /** The store is never away, so there is nothing to tell. */
  onHealth(): void {}

  async takeTurn(shard: number, waitMs: number): Promise<Turn | null> {
    const turns = this.#store.turns;
    const token = await turns.take(this, shard, waitMs);
    if (token === null) return null;
    let isReleased = false;
    return {
      head: turns.headOf(shard),
      release: async (head) => {
        if (isReleased) return;
        isReleased = true;
        if (head !== null) this.publishHead(head);
        turns.release(shard, token);
      },
    };
  }

  announceContention(shard: number): void {
    this.#tellOthers((other) => {
      for (const listener of other.#contentionListeners) listener(shard);
    });
  }

  onContention(listener: (shard: number) => void): void {
    this.#contentionListeners.push(listener);
  }

  publishHead(head: Head): void {
    this.#store.turns.setHead(head);
    this.#tellOthers((other) => {
      for (const listener of other.#headListeners) listener(head);
    });
  }

  onHead(listener: (head: Head) => void): void {
    this.#headListeners.push(listener);
  }

  async beat(deadlines: readonly Deadline[]): Promise<BeatStatus[]> {
    const known = this.#store.deadlines;
    return deadlines.map(({ member, deadlineMs }) => {
      const score = known.get(member);
      if (score === undefined) return 'missing';
      if (score < 0) return 'marked';
      known.set(member, Math.max(score, asDeadlineMs(deadlineMs)));
      return 'renewed';
    });
  }

  async watch(deadlines: readonly Deadline[]): Promise<true> {
    const known = this.#store.deadlines;
    for (const { member, deadlineMs } of deadlines) {
      const deadline = asDeadlineMs(deadlineMs);
      // For a mark this compares with the instant that it was made for, else with the deadline.
      if (deadline > Math.abs(known.get(member) ?? 0)) known.set(member, deadline);
    }
    return true;
  }

  async readDeadlines(members: readonly string[]): Promise<(number | null)[]> {
    return members.map((member) => {
      const score = this.#store.deadlines.get(member) ?? 0;
      return score > 0 ? score : null;
    });
  }

  async forget(members: readonly string[]): Promise<true> {
    for (const member of members) this.#store.deadlines.delete(member);
    return true;
  }

  async mark(
    members: readonly string[],
    dueMs: number,
    expected: { readonly epoch: string; readonly runId: string },
  ): Promise<MarkResult[] | 'epoch-changed'> {
    const { deadlines, epoch, runId } = this.#store;
    if (expected.epoch !== epoch || expected.runId !== runId) return 'epoch-changed';
    const due = asDueMs(dueMs);
    const results = members.map((member): MarkResult => {
      const score = deadlines.get(member);
      if (score !== undefined && score > due) return { member, marked: false, deadlineMs: score };
      deadlines.set(member, Math.min(score ?? 0, -due));
      return { member, marked: true, deadlineMs: score !== undefined && score > 0 ? score : null };
    });
    this.#sweep(due - RETENTION_MS);
    return results;
  }

  async readEpoch(): Promise<EpochReading> {
    return { epoch: this.#store.epoch, runId: this.#store.runId };
  }

  async writeEpoch(epoch: string): Promise<EpochReading> {
    this.#store.epoch = epoch;
    return this.readEpoch();
  }

  async countRate(bucket: string, windowSeconds: number): Promise<number> {
    const { windows } = this.#store;
    const nowMs = this.#now();
    const windowMs = asWindowMs(windowSeconds);
    const name = `${bucket}:${windowMs}`;
    const window = windows.get(name);
    if (window !== undefined && nowMs < window.endsMs) {
      window.count += 1;
      return window.count;
    }
    if (windows.size >= WINDOWS_MAX) {
      for (const [each, { endsMs }] of windows) if (endsMs <= nowMs) windows.delete(each);
    }
    windows.set(name, { count: 1, endsMs: nowMs + windowMs });
    return 1;
  }

  async describe(): Promise<null> {
    return null;
  }

  async close(): Promise<void> {
    this.#store.coordinators.delete(this);
    this.#store.turns.dismiss(this);
  }

  /** Drops deadlines and marks before an instant, when enough time has passed since the last sweep. */
  #sweep(beforeMs: number): void {
    const { deadlines } = this.#store;
    if (beforeMs < this.#store.sweptMs + SWEEP_INTERVAL_MS) return;
    this.#store.sweptMs = beforeMs;
    for (const [member, score] of deadlines) {
      if (Math.abs(score) < beforeMs) deadlines.delete(member);
    }
  }

  /** Tells the other coordinators of the store, later, as a message would. */
  #tellOthers(tell: (other: MemoryCoordinator) => void): void {
    for (const other of this.#store.coordinators) {
      if (other !== this) queueMicrotask(() => tell(other));
    }
  }
}

/** Makes a coordinator without any server. It is always healthy, and forgets everything with its process. */
export function createMemoryCoordinator(options: MemoryCoordinatorOptions): Coordinator {
  return new MemoryCoordinator(options.store ?? new MemoryStore(), options.now);
}
