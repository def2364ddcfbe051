/**
 * The lane: the one place in a replica where operations wait, are decided on the table in memory, and are
 * appended as one row, on condition that the head is still the one they were decided on. No timer: what
 * arrives while a batch is in flight is the next batch. Everything that touches the table runs here, one
 * thing at a time.
 */

import type { Span } from '@opentelemetry/api';
import type { Coordinator, Head } from '../coordination/coordinator.ts';
import { nextDueMs, type Policy } from '../domain/decide.ts';
import type { Answer, Operation } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import { isPoison, type Logger } from '../storage/database.ts';
import { metrics } from '../telemetry/metrics.ts';
import { endSpan, startBatchSpan, startWaitSpan, withSpan } from '../telemetry/spans.ts';
import type { DatabaseClock } from './clock.ts';
import { type Drafted, draftBatch, dryRun } from './drafting.ts';
import { factsOf } from './facts.ts';
import { LaneStatus, mustStop, outcomeUnknown, stopReason } from './lanestatus.ts';
import { type LaneStorage, UnknownOutcomeError } from './lanestorage.ts';
import { Neighbours } from './neighbours.ts';
import { answerAll, fail, LaneQueue, ReadQueue, takingBack, type Waiting } from './queue.ts';
import { type Unsettled, whatBecameOf } from './settlement.ts';
import { type RowListener, TableCopy } from './tablecopy.ts';

export interface LaneOptions {
  readonly shard: number;
  readonly storage: LaneStorage;
  readonly coordinator: Coordinator;
  readonly clock: DatabaseClock;
  readonly policy: Policy;
  readonly logger: Logger;
  readonly batchOperationsMax: number;
  readonly batchBytesMax: number;
  readonly queueLengthMax: number;
  /** How long an operation may wait for its answer before it gets a 503, in milliseconds. */
  readonly queueWaitMs: number;
  /** How often an idle replica looks at the head, in milliseconds. */
  readonly headPollMs: number;
}

/** Pause before the database is tried again after a fault, in milliseconds. */
const RETRY_PAUSE_MS = 100;
/** How often an idle replica follows the heads that it hears of, at most, in milliseconds. */
const FOLLOW_PAUSE_MS = 25;

export class Lane {
  readonly #options: LaneOptions;
  readonly #copy: TableCopy;
  readonly #queue: LaneQueue;
  readonly #neighbours: Neighbours;
  readonly #reads: ReadQueue;
  readonly #status = new LaneStatus();
  #behind = false;
  /** Operations of a batch that the database refused are appended one by one, to find the one at fault. */
  #alone = 0;
  /** The batch whose append is under way, or has to be settled. */
  #sent: readonly Waiting[] = [];
  #unsettled: Unsettled | null = null;
  #followedAt = 0;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#queue = new LaneQueue(options.queueLengthMax);
    this.#reads = new ReadQueue(options.queueLengthMax);
    this.#copy = new TableCopy(options.shard, options.storage);
    this.#neighbours = new Neighbours({ ...options, heard: () => this.#hear(), head: () => this.#head() });
  }

  /** Begins to load and to serve. */
  start(): void {
    this.#running = this.#run();
    this.#timer = setInterval(() => this.#tick(), this.#options.headPollMs);
  }

  get status(): LaneStatus {
    return this.#status;
  }
  get queueLength(): number {
    return this.#queue.length;
  }

  /**
   * The replica's copy as it stands, which may hold what is not appended yet. Good enough for a first look
   * that is settled elsewhere; anything else asks with `read`.
   */
  get table(): Table {
    return this.#copy.table;
  }

  onRow(listener: RowListener): void {
    this.#copy.onRow(listener);
  }

  /**
   * Puts an operation into the lane.
   * @param operation - validated; the lane never meets a bad one.
   * @param span - of the request, when it is traced.
   * @param serverMadeId - whether the server made the login's ID.
   * @returns the answer, once it is in the journal.
   * @throws LicenseError when it cannot be settled in time.
   */
  submit(operation: Operation, span?: Span, serverMadeId = false): Promise<Answer> {
    if (!this.#status.takesMore) return Promise.reject(this.#status.refusal());
    return this.#enqueue(operation, span, serverMadeId);
  }

  #enqueue(operation: Operation, span?: Span, serverMadeId = false): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({
        operation,
        enqueuedAt: this.#options.clock.mark(),
        serverMadeId,
        span: span && startWaitSpan(span, operation.op),
        resolve,
        reject,
        answered: false,
      });
      this.#poke();
    });
  }

  /**
   * Reads the table between two batches, where it is exactly the fold of the journal.
   * @param run - must not change the table, nor keep a hold on it.
   * @param current - whether the copy must first catch up with the head.
   */
  read<Value>(run: (table: Table) => Value, current = true): Promise<Value> {
    if (!this.#status.takesMore) return Promise.reject(this.#status.refusal());
    return new Promise((resolve, reject) => {
      const enqueuedAt = this.#options.clock.mark();
      this.#reads.push({ run: (table) => resolve(run(table)), current, enqueuedAt, reject });
      this.#poke();
    });
  }

  /** Decides an operation and takes everything back: would it be granted now, and by which rule? */
  explain(operation: Operation): Promise<Answer> {
    const { clock, policy } = this.#options;
    return this.read((table) => dryRun(table, operation, clock.nowMs(), policy));
  }

  /** Answers what waits, takes nothing new, and stops. */
  async close(): Promise<void> {
    this.#status.closing = true;
    if (this.#timer) clearInterval(this.#timer);
    this.#neighbours.close();
    this.#poke();
    await this.#running;
  }

  #poke(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #head(): Head {
    const { shard, version, batch } = this.table;
    return { shard, version, batch };
  }

  #hear(): void {
    this.#behind = true;
    if (this.#options.clock.mark() - this.#followedAt > FOLLOW_PAUSE_MS) this.#poke();
  }

  /** Nobody waits longer than he was promised, and an idle replica follows the head. */
  #tick(): void {
    const { clock, queueWaitMs } = this.#options;
    const before = clock.mark() - queueWaitMs;
    this.#queue.failOlderThan(before, () => this.#status.refusal());
    for (const waiting of this.#sent) {
      if (waiting.enqueuedAt < before) fail(waiting, outcomeUnknown());
    }
    this.#reads.failOlderThan(before, () => this.#status.refusal());
    this.#behind = true;
    this.#poke();
  }

  async #run(): Promise<void> {
    while (!(this.#status.closing && this.#queue.length === 0 && this.#unsettled === null)) {
      try {
        await this.#step();
      } catch (error) {
        if (mustStop(error)) return this.#stop(error);
        const state = this.#copy.isLoaded ? 'waiting' : 'loading';
        this.#status.say(state, `The database cannot be used: ${(error as Error).message}.`);
        this.#options.logger.warn({ err: error }, 'The lane could not use the database and tries again.');
        await this.#options.storage.drop();
        if (this.#status.closing) break;
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
      }
    }
    this.#stop(null);
  }

  /** One thing at a time: what is unsettled, then the table, then reads, then a batch, then following. */
  async #step(): Promise<void> {
    if (this.#unsettled) await this.#settle(this.#unsettled);
    if (!this.#copy.isLoaded) await this.#load();
    this.#status.say('serving', 'The lane decides and appends.');
    if (this.#reads.length > 0) await this.#serveReads();
    const due = nextDueMs(this.table) <= this.#options.clock.nowMs();
    if (this.#queue.length > 0 || due) return this.#serveBatch();
    if (this.#behind) return this.#catchUp();
    if (this.#status.closing || this.#reads.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #stop(error: Error | null): void {
    if (error) this.#options.logger.error({ err: error }, 'The journal cannot be followed; the lane stops.');
    this.#status.say('stopped', stopReason(error));
    this.#queue.failAll(() => this.#status.refusal());
    for (const waiting of this.#sent) fail(waiting, outcomeUnknown());
    this.#reads.failAll(() => this.#status.refusal());
  }

  async #load(): Promise<void> {
    const fold = await this.#copy.load();
    await this.#catchUp();
    metrics.reloaded();
    const { version, loginCount: logins } = this.table;
    this.#options.logger.info({ fold, version, logins }, 'The table is loaded.');
  }

  /** Catches up with the head, if it is another than this copy's. */
  async #catchUp(): Promise<void> {
    const { storage, clock, shard } = this.#options;
    const sentAt = clock.mark();
    const head = await storage.head(shard);
    clock.sample(head.databaseNowMs, sentAt);
    if (head.batch === this.table.batch && head.version === this.table.version) this.#behind = false;
    else await this.#follow();
  }

  /** Applies the rows that this copy lacks. */
  async #follow(): Promise<void> {
    this.#behind = false;
    this.#followedAt = this.#options.clock.mark();
    await this.#copy.catchUp();
    if (this.#copy.isLoaded) return;
    this.#options.logger.warn(
      { version: this.table.version },
      'The journal has another history; loading anew.',
    );
  }

  async #serveReads(): Promise<void> {
    if (this.#reads.wantsCurrent) {
      await this.#catchUp();
      if (!this.#copy.isLoaded) return;
    }
    this.#reads.serve(this.table);
  }

  async #serveBatch(): Promise<void> {
    const turn = await this.#neighbours.takeTurn();
    let head: Head | null = null;
    try {
      if (turn && turn.head?.batch !== this.table.batch) await this.#follow();
      if (!this.#copy.isLoaded) return;
      const batch = this.#queue.take(
        this.#alone > 0 ? 1 : this.#options.batchOperationsMax,
        this.#options.batchBytesMax,
      );
      if (this.#alone > 0) this.#alone -= 1;
      const { version } = this.table;
      await this.#decideAndAppend(batch);
      if (this.table.version !== version) head = this.#head();
    } finally {
      // The next holder is told in passing; nothing here waits for that.
      void turn?.release(head);
    }
    if (head && !turn) this.#neighbours.publishSoon();
  }

  async #decideAndAppend(batch: readonly Waiting[]): Promise<void> {
    const { clock, policy, logger } = this.#options;
    const drafted = draftBatch(this.table, batch, clock.nowMs(), policy, (waiting, error) => {
      logger.error({ err: error, operation: waiting.operation.op }, 'An operation could not be decided.');
      fail(waiting, error);
    });
    if (drafted.row.events.length === 0) return this.#confirm(drafted);
    const span = startBatchSpan(
      'lane.append',
      batch.map((waiting) => waiting.span),
    );
    try {
      await withSpan(span, () => this.#append(drafted));
      endSpan(span);
    } catch (error) {
      endSpan(span, error);
      throw error;
    }
  }

  async #append({ row, files, batch, answers }: Drafted): Promise<void> {
    const { storage, clock } = this.#options;
    const expected = { version: this.table.version, batch: this.table.batch };
    const sentAt = clock.mark();
    let appended: boolean;
    this.#sent = batch;
    try {
      const result = await storage.append(row, expected, factsOf(row, files));
      appended = result.appended;
      if (appended) clock.sample(result.databaseNowMs, sentAt);
    } catch (error) {
      this.table.rollback();
      return this.#failed(error, { row, expected, batch, answers });
    } finally {
      if (this.#unsettled === null) this.#sent = [];
    }
    if (!appended) return this.#lost(batch);
    metrics.appended(row.events.length, clock.mark() - sentAt);
    this.#copy.advance(row);
    // The next batch is sent before these answers are written, so that the database need not wait for that.
    if (this.#queue.length === 0) this.#answer(batch, answers);
    else setImmediate(() => this.#answer(batch, answers));
  }

  /** Answers a batch that stands. Whoever was told that its outcome is unknown may have to be taken back. */
  #answer(batch: readonly Waiting[], answers: readonly Answer[]): void {
    for (const waiting of answerAll(batch, answers)) this.#takeBack(waiting);
  }

  /** Another replica was first: take everything back, catch up, and decide again. */
  async #lost(batch: readonly Waiting[]): Promise<void> {
    this.table.rollback();
    this.#queue.putBack(batch);
    metrics.appendConflict();
    this.#neighbours.lostRace();
    await this.#follow();
  }

  /** The append failed: its outcome is unknown, or nothing was written and it is tried again. */
  #failed(error: unknown, unsettled: Unsettled): void {
    const { logger } = this.#options;
    const { batch, row } = unsettled;
    if (error instanceof UnknownOutcomeError) {
      metrics.unknownOutcome();
      logger.warn({ err: error, batch: row.batch }, 'The outcome of an append is unknown; settling it.');
      this.#unsettled = unsettled;
      return;
    }
    if (isPoison(error) && batch.length === 1) {
      logger.error({ err: error, operation: batch[0]!.operation.op }, 'The database refused an operation.');
      fail(batch[0]!, error as Error);
      return;
    }
    this.#queue.putBack(batch);
    if (!isPoison(error)) throw error;
    this.#alone = batch.length;
  }

  /** Answers that changed nothing are true only if the copy they were read from is current. */
  async #confirm({ batch, answers }: Drafted): Promise<void> {
    this.table.commit();
    const { batch: head } = this.table;
    try {
      await this.#catchUp();
    } catch (error) {
      this.#queue.putBack(batch);
      throw error;
    }
    if (!this.#copy.isLoaded || this.table.batch !== head) this.#queue.putBack(batch);
    else answerAll(batch, answers);
  }

  /** Finds out what became of an append whose outcome is unknown, and answers its callers. */
  async #settle(unsettled: Unsettled): Promise<void> {
    const { storage, logger } = this.#options;
    await storage.drop();
    await storage.check();
    const became = await whatBecameOf(unsettled, storage);
    logger.info({ batch: unsettled.row.batch, became }, 'The unknown append is settled.');
    // Whoever waits is seen to before anything else can fail; what is settled needs no table to be true.
    this.#unsettled = null;
    this.#sent = [];
    if (became === 'stands') this.#answer(unsettled.batch, unsettled.answers);
    else this.#queue.putBack(unsettled.batch.filter((waiting) => !waiting.answered));
    if (became === 'restored') this.#copy.discard();
    else await this.#catchUp();
  }

  #takeBack(waiting: Waiting): void {
    const logout = takingBack(waiting);
    if (!logout) return;
    this.#enqueue(logout).catch((error: Error) =>
      this.#options.logger.warn({ err: error, ...logout }, 'An unanswered login could not be taken back.'),
    );
  }
}
