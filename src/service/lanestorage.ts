/**
 * The lane's own way to Postgres: one connection whose statements are never cancelled, and the question after
 * each fault whether anything was committed.
 */

import type { Notice, Sql } from 'postgres';
import type { JournalRow } from '../domain/events.ts';
import type { Table } from '../domain/table.ts';
import { type Durability, isDoubtful, provesNothingCommitted } from '../storage/database.ts';
import {
  type AppendResult,
  appendRow,
  appendRowWithFacts,
  createPartitions,
  type Facts,
  type HeadRow,
  readHead,
  readRowsAfter,
} from '../storage/journal.ts';
import { readSnapshot } from '../storage/snapshots.ts';
import { TableBuilder } from './loading.ts';

export type Appended = AppendResult;

/** The append was sent, and nothing proves what became of it. */
export class UnknownOutcomeError extends Error {
  override readonly name = 'UnknownOutcomeError';
}

export interface LaneStorageOptions {
  /** Opens the lane's one connection. */
  readonly connect: (listeners: { onNotice: (notice: Notice) => void; onClose: () => void }) => Sql;
  /** Asks how durable its commits are. */
  readonly checkDurability: (sql: Sql) => Promise<Durability>;
  /** Serve although commits are not durable; stated in words wherever the state is shown. */
  readonly allowUnsafeDurability: boolean;
  /** How long a statement may go without an answer before its connection is given up, in milliseconds. */
  readonly appendTimeoutMs: number;
}

/** SQLSTATE of an insert that no partition takes, among other violated checks. */
const NO_PARTITION = '23514';

export class LaneStorage {
  readonly #options: LaneStorageOptions;
  #sql: Sql | null = null;
  #checked = false;
  #doubt: string | null = null;
  #durability: Durability | null = null;

  constructor(options: LaneStorageOptions) {
    this.#options = options;
  }

  /** What the database promised when it was last asked. */
  get durability(): Durability | null {
    return this.#durability;
  }

  /** Whether there is a connection that has been checked. */
  get connected(): boolean {
    return this.#checked;
  }

  #connection(): Sql {
    if (this.#sql) return this.#sql;
    // What is heard late of a connection that was given up says nothing of the present one.
    const sql: Sql = this.#options.connect({
      onNotice: (notice) => {
        if (sql === this.#sql && isDoubtful(notice)) this.#doubt = notice.message ?? 'a warning';
      },
      onClose: () => {
        if (sql === this.#sql) this.#checked = false;
      },
    });
    this.#sql = sql;
    return sql;
  }

  /** Checks the connection's durability, once for each connection. */
  async check(): Promise<void> {
    if (this.#checked) return;
    const sql = this.#connection();
    const durability = await this.#withinTime(this.#options.checkDurability(sql), Error);
    this.#durability = durability;
    if (!durability.safe && !this.#options.allowUnsafeDurability) {
      throw new Error(
        `${durability.words} Mend the settings, or set LICTOR_ALLOW_UNSAFE_DURABILITY=true to serve all the same.`,
      );
    }
    this.#checked = true;
  }

  /** Gives the connection up, with whatever is still under way on it; the next statement opens another. */
  async drop(): Promise<void> {
    const sql = this.#sql;
    this.#sql = null;
    this.#checked = false;
    await sql?.end({ timeout: 0 });
  }

  async close(): Promise<void> {
    await this.#sql?.end({ timeout: 1 });
    this.#sql = null;
  }

  /** @throws UnknownFormatError before anything of a format is read that this version does not know. */
  async load(shard: number): Promise<Table> {
    await this.head(shard);
    const builder = new TableBuilder(shard);
    await readSnapshot(this.#connection(), shard, builder);
    return builder.table;
  }

  head(shard: number): Promise<HeadRow> {
    return this.#withinTime(readHead(this.#connection(), shard), Error);
  }

  rowsAfter(
    shard: number,
    known: { readonly version: number; readonly batch: string },
    limit: number,
  ): Promise<JournalRow[] | null> {
    return this.#withinTime(readRowsAfter(this.#connection(), shard, known, limit), Error);
  }

  /**
   * Appends a row, and tells apart what failed from what may have happened.
   * @throws UnknownOutcomeError when the row may stand; any other error proves that it does not.
   */
  async append(
    row: JournalRow,
    expected: { readonly version: number; readonly batch: string },
    facts: Facts | null,
    mayAddPartition = true,
  ): Promise<Appended> {
    if (!this.#checked) await this.check();
    const sql = this.#connection();
    this.#doubt = null;
    try {
      const result = await this.#withinTime(
        facts ? appendRowWithFacts(sql, row, expected, facts) : appendRow(sql, row, expected),
        UnknownOutcomeError,
      );
      if (this.#doubt !== null)
        throw new UnknownOutcomeError('the commit came with a warning', { cause: this.#doubt });
      return result;
    } catch (error) {
      if (error instanceof UnknownOutcomeError) throw error;
      if (!provesNothingCommitted(error))
        throw new UnknownOutcomeError('the connection was lost', { cause: error });
      if (!mayAddPartition || (error as { code?: string }).code !== NO_PARTITION) throw error;
      await createPartitions(sql, row.version, 1);
      return this.append(row, expected, facts, false);
    }
  }

  /**
   * A network that goes away in silence must not keep the lane waiting: another connection may find the
   * database. The statement is left alone, not cancelled; of an append the outcome is unknown then.
   */
  async #withinTime<Value>(statement: Promise<Value>, Late: new (message: string) => Error): Promise<Value> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Late('the database did not answer in time')),
        this.#options.appendTimeoutMs,
      );
    });
    try {
      return await Promise.race([statement, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
