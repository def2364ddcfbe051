/**
 * The replica's copy of the table: loaded from the fold, and kept at the head of the journal row by row.
 */

import { applyRow, moveHead } from '../domain/apply.ts';
import type { JournalRow } from '../domain/events.ts';
import { Table } from '../domain/table.ts';
import type { LaneStorage } from './lanestorage.ts';

/**
 * Told of every row in order, once it stands, and of a table that was loaded anew (`row` null).
 * `isOwn` says whether this replica appended the row.
 */
export type RowListener = (row: JournalRow | null, table: Table, isOwn: boolean) => void;

/** Rows read in one go when catching up. */
const ROWS_PER_READ = 500;

export class TableCopy {
  readonly #shard: number;
  readonly #storage: LaneStorage;
  readonly #listeners: RowListener[] = [];
  #table: Table;
  #isLoaded = false;

  constructor(shard: number, storage: LaneStorage) {
    this.#shard = shard;
    this.#storage = storage;
    this.#table = new Table(shard);
  }

  get table(): Table {
    return this.#table;
  }

  /** Whether the copy is a fold of the journal; otherwise it has to be loaded before anything is decided. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  onRow(listener: RowListener): void {
    this.#listeners.push(listener);
  }

  /** The copy cannot be continued: its head is in another history, or the database was replaced. */
  discard(): void {
    this.#isLoaded = false;
  }

  /**
   * Loads the table from the fold, then follows the journal.
   * @returns the version of the fold it started from.
   */
  async load(): Promise<number> {
    await this.#storage.check();
    const table = await this.#storage.load(this.#shard);
    const foldVersion = table.version;
    this.#table = table;
    this.#isLoaded = true;
    for (const listener of this.#listeners) listener(null, table, false);
    await this.catchUp();
    if (!this.#isLoaded) throw new Error('the fold in the database does not meet its journal');
    return foldVersion;
  }

  /** Applies the rows this copy lacks; discards it when its head is not in the journal any more. */
  async catchUp(): Promise<void> {
    for (;;) {
      const rows = await this.#storage.rowsAfter(this.#shard, this.#table, ROWS_PER_READ);
      if (rows === null) {
        this.discard();
        return;
      }
      for (const row of rows) {
        applyRow(this.#table, row);
        this.#tell(row, false);
      }
      if (rows.length < ROWS_PER_READ) return;
    }
  }

  /** Moves the head to a row whose events are in the table already, because it was decided here. */
  advance(row: JournalRow): void {
    moveHead(this.#table, row);
    this.#table.commit();
    this.#tell(row, true);
  }

  #tell(row: JournalRow, isOwn: boolean): void {
    for (const listener of this.#listeners) listener(row, this.#table, isOwn);
  }
}
