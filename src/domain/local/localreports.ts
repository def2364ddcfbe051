/**
 * What an instance that decides for itself tells the server of its table (F-51): numbered statements of changed
 * rows, each absolute, each of everything since the last statement whose answer is known. One is under way at a
 * time; it is sent again as it was, or given up and its rows told again with the next. Whenever the server
 * misses something, the whole table is told in parts.
 */

import { digestText, TableDigest } from './digest.ts';
import type { LocalTable, LocalUser } from './localtable.ts';
import { ROWS_PER_UPDATE_MAX } from './reports.ts';

/**
 * How many users who have gone are kept for the server to hear of. Beyond that the whole table is told anew,
 * which does not name them.
 */
export const GONE_KEPT_MAX = 10_000;

/** A row as it is sent; without connections the user is gone. */
export interface StatedRow {
  readonly id: string;
  readonly connections: number;
  readonly webSessions: number;
  readonly transitioned: boolean;
}

/** The part of an update that is about the table. */
export interface Statement {
  readonly sequence: number;
  /** The last sequence whose answer was known when this was made. */
  readonly since: number;
  /** Of a full report: the sequence at which it began. */
  readonly fullFrom?: number;
  /** Of a full report: further parts follow. */
  readonly more?: true;
  readonly users: readonly StatedRow[];
  /** Of the whole table as stated; left out while parts follow. */
  readonly digest?: string;
}

/** The part of an answer that is about the table. */
export interface StatementAnswer {
  /** The last sequence that the server holds of this incarnation. */
  readonly sequence: number;
  readonly resend?: 'full' | undefined;
  /** Users of this instance who have transitioned over all instances (trap 5). */
  readonly transitioned?: readonly string[] | undefined;
}

export class LocalReports {
  readonly #table: LocalTable;
  #digest = new TableDigest();
  /** The last number that was given to a statement. */
  #sequence = 0;
  /** The last number whose answer is known. */
  #held = 0;
  #outstanding: readonly LocalUser[] | null = null;
  #needsFull = true;
  /** Of a full report under way: who is still to be told, and from which index on. */
  #queue: LocalUser[] | null = null;
  #queueFrom = 0;
  #fullFrom = 0;

  constructor(table: LocalTable) {
    this.#table = table;
  }

  /** Whether a statement was made whose answer is not known. */
  get isOutstanding(): boolean {
    return this.#outstanding !== null;
  }

  /** Whether parts of a full report are still to be told. */
  get isFullUnderWay(): boolean {
    return this.#queue !== null;
  }

  /** How many rows the next statements will hold as things stand. */
  get pending(): number {
    const { users, changed } = this.#table;
    if (this.#queue !== null) return this.#queue.length - this.#queueFrom + changed.length;
    return this.#needsFull ? Math.max(1, users.size) : changed.length;
  }

  /** The whole table will be told next; an answer that is still to come changes nothing else. */
  requireFull(): void {
    this.#needsFull = true;
    this.#queue = null;
    this.#outstanding = null;
  }

  /** A new life of the instance began at the server, which holds nothing of it. */
  restart(): void {
    this.#sequence = 0;
    this.#held = 0;
    this.requireFull();
  }

  /**
   * Makes the next statement. It must be settled or abandoned before another is made.
   * @throws RangeError when one is outstanding.
   */
  state(): Statement {
    if (this.#outstanding !== null) throw new RangeError('a statement is outstanding');
    if (this.#needsFull) this.#beginFull();
    const isFull = this.#queue !== null;
    const users: LocalUser[] = [];
    const rows: StatedRow[] = [];
    while (rows.length < ROWS_PER_UPDATE_MAX) {
      const user = this.#next();
      if (user === undefined) break;
      users.push(user);
      rows.push(this.#stateUser(user));
    }
    this.#outstanding = users;
    const since = this.#held;
    if (!isFull && rows.length === 0) {
      return { sequence: since, since, users: rows, digest: digestText(this.#digest) };
    }
    this.#sequence += 1;
    const sequence = this.#sequence;
    if (!isFull) return { sequence, since, users: rows, digest: digestText(this.#digest) };
    if (this.#fullFrom === 0) this.#fullFrom = sequence;
    const full = { sequence, since, fullFrom: this.#fullFrom, users: rows };
    return this.#queueFrom < this.#queue!.length
      ? { ...full, more: true }
      : { ...full, digest: digestText(this.#digest) };
  }

  #beginFull(): void {
    const { users } = this.#table;
    const queue: LocalUser[] = [];
    for (const user of users.values()) {
      // Whoever is not named is dropped at the end of the report, so that those who are gone need no row.
      user.mayBeHeld = false;
      user.statedConnections = 0;
      if (user.connections === 0) this.#table.forget(user);
      else queue.push(user);
    }
    this.#digest = new TableDigest();
    this.#needsFull = false;
    this.#queue = queue;
    this.#queueFrom = 0;
    this.#fullFrom = 0;
  }

  /** The next user to be told: of a full report those who were in when it began come first. */
  #next(): LocalUser | undefined {
    const queue = this.#queue;
    if (queue === null) return this.#table.changed.at(-1);
    this.#skipGone(queue);
    const user = queue[this.#queueFrom];
    if (user === undefined) return this.#table.changed.at(-1);
    this.#queueFrom += 1;
    this.#skipGone(queue);
    return user;
  }

  /** Moves on to the next of the queue who is still in, or to its end. */
  #skipGone(queue: readonly LocalUser[]): void {
    while (this.#queueFrom < queue.length && queue[this.#queueFrom]!.connections === 0) this.#queueFrom += 1;
  }

  /** Makes a user's row, and has the digest follow it. */
  #stateUser(user: LocalUser): StatedRow {
    const { id, connections, webSessions, transitioned } = user;
    if (user.statedConnections > 0) {
      this.#digest.remove({
        id,
        connections: user.statedConnections,
        webSessions: user.statedWebSessions,
        transitioned: user.statedTransitioned,
      });
    }
    const row = { id, connections, webSessions, transitioned };
    if (connections > 0) this.#digest.add(row);
    user.statedConnections = connections;
    user.statedWebSessions = webSessions;
    user.statedTransitioned = transitioned;
    user.mayBeHeld = true;
    user.hasEnded = false;
    this.#table.unnoteChanged(user);
    return row;
  }

  /**
   * Takes the answer to the outstanding statement.
   * @param statement - the one that `state` made last.
   */
  settle(statement: Statement, answer: StatementAnswer): void {
    const users = this.#outstanding ?? [];
    this.#outstanding = null;
    if (answer.resend === 'full' || answer.sequence !== statement.sequence) {
      this.#sequence = Math.max(this.#sequence, answer.sequence);
      this.requireFull();
    } else {
      this.#held = statement.sequence;
      if (statement.fullFrom !== undefined && statement.more === undefined) this.#queue = null;
      for (const user of users) this.#settleUser(user);
    }
    for (const id of answer.transitioned ?? []) this.#transition(id);
  }

  #settleUser(user: LocalUser): void {
    if (user.statedConnections > 0) return;
    user.mayBeHeld = false;
    if (user.connections === 0) this.#table.forget(user);
  }

  /** The server speaks of users as they were stated; who has had no connection since then begins anew. */
  #transition(id: string): void {
    const user = this.#table.users.get(id);
    if (user === undefined || user.connections === 0 || user.hasEnded || user.transitioned) return;
    this.#table.transition(user);
  }

  /** Gives up the outstanding statement, whose fate is not known: its rows are told again. */
  abandon(): void {
    const { users, usersIn, changed } = this.#table;
    for (const user of this.#outstanding ?? []) if (user.changedAt < 0) this.#table.noteChanged(user);
    this.#outstanding = null;
    // What does not fit into one update would leave the server with a part whose digest nobody knows.
    const isMuch = users.size - usersIn > GONE_KEPT_MAX || changed.length > ROWS_PER_UPDATE_MAX;
    if (this.#queue !== null || isMuch) this.requireFull();
  }
}
