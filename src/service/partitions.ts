/**
 * The journal's partitions: the leader creates them ahead of the head, and removes those that are folded and
 * older than they have to be kept.
 */

import type { Sql } from 'postgres';
import type { Logger } from '../storage/database.ts';
import { readFold } from '../storage/folds.ts';
import { createPartitions, dropPartitions } from '../storage/journal.ts';
import type { DatabaseClock } from './clock.ts';
import type { Lane } from './lane.ts';
import type { Leadership } from './leadership.ts';
import { every, type Repeating } from './repeating.ts';

export interface PartitionsOptions {
  readonly shard: number;
  readonly sql: Sql;
  readonly lane: Lane;
  readonly leadership: Leadership;
  readonly clock: DatabaseClock;
  readonly logger: Logger;
  /** How long rows are kept, in days; 0 keeps them for ever. */
  readonly keepDays: number;
}

const CHECK_INTERVAL_MS = 30_000;
/** How many partitions there are beyond the one of the head. */
const AHEAD = 2;
const DAY_MS = 86_400_000;

export class Partitions {
  readonly #options: PartitionsOptions;
  #repeating: Repeating | null = null;

  constructor(options: PartitionsOptions) {
    this.#options = options;
  }

  start(): void {
    const { logger } = this.#options;
    this.#repeating = every(
      CHECK_INTERVAL_MS,
      () => this.#tick(),
      (error) => logger.warn({ err: error }, 'The partitions of the journal could not be looked after.'),
    );
  }

  async close(): Promise<void> {
    await this.#repeating?.close();
  }

  async #tick(): Promise<void> {
    const { sql, shard, lane, leadership, clock, keepDays, logger } = this.#options;
    if (!leadership.leads || lane.status.state !== 'serving') return;
    await createPartitions(sql, lane.table.version, AHEAD);
    if (keepDays === 0) return;
    const fold = await readFold(sql, shard);
    const dropped = await dropPartitions(sql, fold.version, clock.nowMs() - keepDays * DAY_MS);
    if (dropped.length > 0) logger.info({ dropped, keepDays }, 'Old partitions of the journal were removed.');
  }
}
