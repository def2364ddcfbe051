/**
 * What waits for the lane: a bounded queue of operations and of reads, first come first served.
 */

import type { Span } from '@opentelemetry/api';
import { FEATURES_PER_CALL_MAX } from '../domain/applications/applications.ts';
import { LicenseError } from '../domain/errors.ts';
import type { Answer, LogOut, Operation } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import { endSpan } from '../telemetry/spans.ts';

/** One operation that waits for its answer. */
export interface Waiting {
  readonly operation: Operation;
  /** When it came, by the clock's monotonic mark, in milliseconds. */
  readonly enqueuedAt: number;
  /** Whether the server made the login's ID, so that nobody could ask for it again. */
  readonly serverMadeId: boolean;
  readonly span: Span | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  /** Set once it was answered, whatever becomes of its append. */
  answered: boolean;
}

/** Answers one caller, once. */
export function answer(waiting: Waiting, value: Answer): void {
  if (waiting.answered) return;
  waiting.answered = true;
  if (waiting.span) endSpan(waiting.span);
  waiting.resolve(value);
}

/**
 * Answers a batch.
 * @returns those who had been told something else before.
 */
export function answerAll(batch: readonly Waiting[], answers: readonly Answer[]): Waiting[] {
  const late = batch.filter((waiting) => waiting.answered);
  for (let index = 0; index < batch.length; index += 1) answer(batch[index]!, answers[index]!);
  return late;
}

/** Fails one caller, once. */
export function fail(waiting: Waiting, error: Error): void {
  if (waiting.answered) return;
  waiting.answered = true;
  endSpan(waiting.span, error);
  waiting.reject(error);
}

/** Nobody can know of a login whose ID the server made and whose answer never went out: it is logged out again. */
export function takingBack({ operation, serverMadeId }: Waiting): LogOut | null {
  if (operation.op !== 'login' || !serverMadeId) return null;
  const { instance, id, actor } = operation;
  return { op: 'logout', instance, id, reason: 'unanswered', actor };
}

/** What a login, a logout or a heartbeat takes in a row at most, in bytes: their fields are bounded. */
const OPERATION_BYTES = 1_500;

/** What a reported row takes, in bytes, unless its user ID is unusually long. */
const REPORTED_ROW_BYTES = 64;

/** What a feature that is taken or given back takes, in bytes, unless its names are unusually long. */
const HELD_FEATURE_BYTES = 256;

/** What an operation takes in a row at most, in bytes. Facts carry whole records. */
function bytesOf(operation: Operation): number {
  switch (operation.op) {
    case 'register':
    case 'configure':
      return OPERATION_BYTES + JSON.stringify(operation.settings).length * 2;
    case 'install-key':
      return OPERATION_BYTES + JSON.stringify(operation.key).length + (operation.file?.length ?? 0) * 2;
    case 'report':
      return OPERATION_BYTES + operation.rows.length * REPORTED_ROW_BYTES;
    case 'lease':
      return OPERATION_BYTES + operation.statement.users.length * REPORTED_ROW_BYTES;
    case 'load-application':
      return OPERATION_BYTES + JSON.stringify(operation.sections).length * 2;
    case 'take-application':
    case 'return-application':
      return OPERATION_BYTES + (operation.features?.length ?? FEATURES_PER_CALL_MAX) * HELD_FEATURE_BYTES;
    case 'change-key':
    case 'serve-key':
    case 'check-key':
      return OPERATION_BYTES * 40;
    default:
      return OPERATION_BYTES;
  }
}

/** So many that were taken may stand in front of those that wait, before the latter are moved up. */
const TAKEN_KEPT_MAX = 4_096;

export class LaneQueue {
  readonly #lengthMax: number;
  #items: Waiting[] = [];
  #from = 0;

  /** @param lengthMax - how many operations may wait; more are turned away. */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  get length(): number {
    return this.#items.length - this.#from;
  }

  /** @throws LicenseError `queue-full`. */
  push(waiting: Waiting): void {
    if (this.length >= this.#lengthMax) {
      throw queueFull();
    }
    this.#items.push(waiting);
  }

  /**
   * Takes the next batch: at least one operation, however large it is.
   * @param countMax - how many operations at most.
   * @param bytesMax - how large their row may become.
   */
  take(countMax: number, bytesMax: number): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    while (this.#from < this.#items.length && batch.length < countMax) {
      const waiting = this.#items[this.#from]!;
      bytes += bytesOf(waiting.operation);
      if (batch.length > 0 && bytes > bytesMax) break;
      this.#from += 1;
      if (!waiting.answered) batch.push(waiting);
    }
    this.#letGo();
    return batch;
  }

  /** Puts a batch back in front, to be decided again. */
  putBack(batch: readonly Waiting[]): void {
    this.#items = [...batch, ...this.#items.slice(this.#from)];
    this.#from = 0;
  }

  /** Fails whoever has waited since before an instant; the queue is in order, so it stops at the first younger. */
  failOlderThan(cameBefore: number, error: () => Error): void {
    while (this.#from < this.#items.length && this.#items[this.#from]!.enqueuedAt < cameBefore) {
      fail(this.#items[this.#from]!, error());
      this.#from += 1;
    }
    this.#letGo();
  }

  /** Lets go of what has been taken or failed, so that an outage cannot fill the memory with it. */
  #letGo(): void {
    if (this.#from < this.#items.length && this.#from <= TAKEN_KEPT_MAX) return;
    this.#items = this.#items.slice(this.#from);
    this.#from = 0;
  }

  failAll(error: () => Error): void {
    for (const waiting of this.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY))
      fail(waiting, error());
  }
}

/** One read of the table that waits until no batch is in flight. */
interface Read {
  readonly run: (table: Table) => void;
  /** Whether the copy must first catch up with the head. */
  readonly current: boolean;
  /** When it came, by the clock's monotonic mark, in milliseconds. */
  readonly enqueuedAt: number;
  readonly reject: (error: Error) => void;
}

export class ReadQueue {
  readonly #lengthMax: number;
  #reads: Read[] = [];

  /** @param lengthMax - how many reads may wait; more are turned away. */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  get length(): number {
    return this.#reads.length;
  }

  get wantsCurrent(): boolean {
    return this.#reads.some((read) => read.current);
  }

  /** @throws LicenseError `queue-full`. */
  push(read: Read): void {
    if (this.#reads.length >= this.#lengthMax) throw queueFull();
    this.#reads.push(read);
  }

  /** Runs everything that waits; a read that fails fails alone. */
  serve(table: Table): void {
    for (const read of this.#reads.splice(0)) {
      try {
        read.run(table);
      } catch (error) {
        read.reject(error as Error);
      }
    }
  }

  /** Fails whoever has waited since before an instant. */
  failOlderThan(cameBefore: number, error: () => Error): void {
    const late = this.#reads.filter((read) => read.enqueuedAt < cameBefore);
    if (late.length === 0) return;
    this.#reads = this.#reads.filter((read) => read.enqueuedAt >= cameBefore);
    for (const read of late) read.reject(error());
  }

  failAll(error: () => Error): void {
    for (const read of this.#reads.splice(0)) read.reject(error());
  }
}

function queueFull(): LicenseError {
  const detail = 'Too many operations are waiting for the database. Try again shortly.';
  return new LicenseError('queue-full', detail, { retryAfterSeconds: 1 });
}
