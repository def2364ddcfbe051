/**
 * Settling an append whose outcome is unknown. An absent row proves nothing, since the statement may
 * still be under way; a visible one may not have reached a standby. Only an append of one's own that was
 * acknowledged afterwards proves it: the batch stands below it, or never will.
 */

import { randomUUID } from 'node:crypto';
import type { JournalRow } from '../domain/events.ts';
import type { Answer } from '../domain/operations.ts';
import type { LaneStorage } from './lanestorage.ts';
import type { Waiting } from './queue.ts';

/** An append that was sent and not answered. */
export interface Unsettled {
  readonly row: JournalRow;
  /** The head it was conditional on. */
  readonly expected: { readonly version: number; readonly batch: string };
  readonly batch: readonly Waiting[];
  readonly answers: readonly Answer[];
}

/**
 * - `stands`: the row is in the journal, and durable.
 * - `never`: it is not, and never will be.
 * - `restored`: the database is another or an earlier one; its journal must be read anew.
 */
export type Settlement = 'stands' | 'never' | 'restored';

/** How often the head may move away under the proof before it is given up for this time. */
const ATTEMPTS_MAX = 50;

/**
 * @throws whatever the storage throws: the settlement is then tried again.
 */
export async function whatBecameOf(unsettled: Unsettled, storage: LaneStorage): Promise<Settlement> {
  const { row, expected } = unsettled;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const head = await storage.head(row.shard);
    if (head.version < expected.version) return 'restored';
    const proof: JournalRow = {
      shard: row.shard,
      version: head.version + 1,
      batch: randomUUID(),
      at: Math.max(head.atMs, Math.floor(head.databaseNowMs)),
      actors: [],
      events: [],
    };
    const result = await storage.append(proof, head, null);
    if (!result.appended) continue;
    const rows = await storage.rowsAfter(row.shard, expected, 1);
    if (rows === null) return 'restored';
    return rows[0]?.batch === row.batch ? 'stands' : 'never';
  }
  throw new Error('the head moved away under every proof of an unknown append');
}
