/**
 * Dumps of everything that an instance or a key holds, in any number of rows and in bounded memory. They are read
 * from the folded table, and say as of when; the lane has no part in them.
 *
 * Postgres sorts the rows and keeps them for the dump, so that a reader who is slow holds nobody up: neither the
 * lane, nor the fold, nor the clearing away of old rows. What it costs is a connection and space on disk for the
 * rows, which is why dumps are few and end.
 */

import type { Sql } from 'postgres';
import { LicenseError } from '../domain/errors.ts';
import type { ProcessShown } from '../domain/texts/reportrows.ts';
import type { KeyUserRow, UserRow } from '../domain/texts/usagerows.ts';
import {
  type DumpHead,
  type DumpReader,
  type KeyDumpOf,
  openKeyDump,
  openProcessDump,
  openUserDump,
} from '../storage/dumps.ts';
import { whileReachable } from './reachable.ts';

/** How many rows of a dump of servers or keys are made in memory when it is wanted whole. */
export const WHOLE_ROWS_IN_MEMORY_MAX = 20_000;
/** How many dumps a replica makes at the same time. */
export const DUMPS_MAX = 2;
/** How long Postgres may take to gather the rows, in milliseconds: below what counts as a long transaction. */
export const DUMP_QUERY_MS_MAX = 50_000;
/** How long a dump may take in all, in milliseconds. */
export const DUMP_MS_MAX = 600_000;
/** How long a reader may leave rows that are there for it unread, in milliseconds. */
export const DUMP_STALL_MS_MAX = 30_000;

/** How many rows are read at a time, and with them all that is in memory of a dump. */
const ROWS_PER_READ = 500;
/** When to try again where too many dumps are made. */
const RETRY_AFTER_SECONDS = 5;

/** What the service needs. */
export interface DumpsOptions {
  /** Opens a handle of one connection for one dump. */
  readonly connect: () => Sql;
  readonly shard: number;
  /** How many rows are read at a time; only tests need another number. */
  readonly rowsPerRead?: number;
  readonly stallMs?: number;
  /** How many rows are gone through in memory; only tests need another number. */
  readonly rowsInMemoryMax?: number;
}

/** A dump. Whoever gets one reads it to its end, or closes it. */
export interface Dump<Item> extends DumpHead {
  /** Its rows, in order, some at a time; the next are read when they are asked for. */
  readonly batches: AsyncIterable<readonly Item[]>;
  /** Ends it; also when it has ended already. */
  close(): Promise<void>;
}

/** How a dump is opened in storage. */
type Opener<Of, Item> = (sql: Sql, shard: number, of: Of, timeoutMs: number) => Promise<DumpReader<Item>>;

/** Makes dumps. */
export class Dumps {
  readonly #options: DumpsOptions;
  #underWay = 0;

  constructor(options: DumpsOptions) {
    this.#options = options;
  }

  /** How many rows of a dump of servers or keys are made in memory when it is wanted whole. */
  get wholeRowsInMemoryMax(): number {
    return Math.min(WHOLE_ROWS_IN_MEMORY_MAX, this.#options.rowsInMemoryMax ?? WHOLE_ROWS_IN_MEMORY_MAX);
  }

  /**
   * Who is on an instance, oldest first.
   * @param signal - ends the dump, also while Postgres gathers its rows.
   * @throws LicenseError `too-many-dumps`, `dump-too-slow`, `storage-unavailable`; the signal's reason.
   */
  users(instance: string, signal?: AbortSignal): Promise<Dump<UserRow>> {
    return this.#open(openUserDump, instance, signal);
  }

  /** The logins of an instance, oldest first; as `users`. */
  processes(instance: string, signal?: AbortSignal): Promise<Dump<ProcessShown>> {
    return this.#open(openProcessDump, instance, signal);
  }

  /** The users of keys on each of their instances, of all those keys at one instant; as `users`. */
  keyUsers(of: KeyDumpOf, signal?: AbortSignal): Promise<Dump<KeyUserRow>> {
    return this.#open(openKeyDump, of, signal);
  }

  async #open<Of, Item>(
    opener: Opener<Of, Item>,
    of: Of,
    signal: AbortSignal | undefined,
  ): Promise<Dump<Item>> {
    signal?.throwIfAborted();
    if (this.#underWay >= DUMPS_MAX) throw tooMany();
    const { connect, shard, rowsPerRead = ROWS_PER_READ, stallMs = DUMP_STALL_MS_MAX } = this.#options;
    this.#underWay += 1;
    const session = new Session(connect(), () => {
      this.#underWay -= 1;
    });
    const leave = () => void session.close();
    signal?.addEventListener('abort', leave, { once: true });
    try {
      const reader = await whileReachable(() => opener(session.sql, shard, of, DUMP_QUERY_MS_MAX));
      signal?.throwIfAborted();
      const { version, atMs, rows, units } = reader;
      const batches = batchesOf(reader, session, rowsPerRead, stallMs);
      return { version, atMs, rows, units, batches, close: () => session.close() };
    } catch (error) {
      await session.close();
      signal?.throwIfAborted();
      throw isTimeout(error) ? tooSlow() : error;
    }
  }
}

/** The connection of one dump, which ends with it. */
class Session {
  readonly sql: Sql;
  readonly openedAt = performance.now();
  readonly #onClose: () => void;
  #closing: Promise<void> | null = null;

  constructor(sql: Sql, onClose: () => void) {
    this.sql = sql;
    this.#onClose = onClose;
  }

  get isClosed(): boolean {
    return this.#closing !== null;
  }

  close(): Promise<void> {
    this.#closing ??= this.sql.end({ timeout: 0 }).finally(this.#onClose);
    return this.#closing;
  }
}

async function* batchesOf<Item>(
  reader: DumpReader<Item>,
  session: Session,
  rowsPerRead: number,
  stallMs: number,
): AsyncGenerator<readonly Item[]> {
  try {
    for (;;) {
      const items = await reader.read(rowsPerRead);
      if (items.length > 0) {
        // A reader who takes none does not keep the connection.
        const stall = setTimeout(() => void session.close(), stallMs);
        try {
          yield items;
        } finally {
          clearTimeout(stall);
        }
      }
      if (items.length < rowsPerRead) return;
      if (session.isClosed || performance.now() - session.openedAt > DUMP_MS_MAX) throw tooSlow();
    }
  } finally {
    await session.close();
  }
}

/** The SQLSTATE of a statement that took too long. */
const QUERY_CANCELED = '57014';

function isTimeout(error: unknown): boolean {
  return (error as { code?: unknown }).code === QUERY_CANCELED;
}

function tooMany(): LicenseError {
  return new LicenseError(
    'too-many-dumps',
    `This replica makes ${DUMPS_MAX} dumps at the same time at most. Try again when one of them has ended.`,
    { retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

function tooSlow(): LicenseError {
  const seconds = (ms: number) => ms / 1_000;
  return new LicenseError(
    'dump-too-slow',
    `A dump is gathered within ${seconds(DUMP_QUERY_MS_MAX)} s and read within ${seconds(DUMP_MS_MAX)} s, with no pause of more than ${seconds(DUMP_STALL_MS_MAX)} s.`,
  );
}
