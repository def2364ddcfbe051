/**
 * Packing what rests in a replica's copy of the table (`domain/holdings/packing.ts`), a few logins at a time between
 * two batches: a replica holds a million logins for hours, and is busy with a few of them.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { type Busy, packing } from '../domain/holdings/packing.ts';
import type { Logger } from '../storage/database.ts';
import type { DatabaseClock } from './clock.ts';
import type { Lane } from './lane.ts';
import { every, type Repeating } from './repeating.ts';

export interface PackingOptions {
  readonly lane: Lane;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly logger: Logger;
  /** What has to stay as it is, because it is still to be folded. */
  readonly busy: Busy;
}

/** How long after one round the next begins, in milliseconds. */
const INTERVAL_MS = 10_000;
/** A login is left alone until it has lasted so long, in milliseconds: most that last longer stay for hours. */
const RESTING_MS = 30_000;
/** How long the lane is held up between two batches, in milliseconds. */
const STEP_MS = 2;
/** After each step the lane is left to others for so many times as long. */
const REST = 4;

export class Packing {
  readonly #options: PackingOptions;
  #repeating: Repeating | null = null;
  #isClosing = false;

  constructor(options: PackingOptions) {
    this.#options = options;
  }

  start(): void {
    const { logger } = this.#options;
    this.#isClosing = false;
    this.#repeating = every(
      INTERVAL_MS,
      () => this.#round(),
      (error) =>
        logger.warn({ err: error }, 'What rests could not be packed, and takes more room than it needs.'),
    );
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#repeating?.close();
  }

  /** Goes through the table once; a table that is loaded anew meanwhile is gone through the next time. */
  async #round(): Promise<void> {
    const { lane, clock, busy } = this.#options;
    if (lane.status.state !== 'serving') return;
    const { table } = lane;
    const steps = packing(table, clock.nowMs() - RESTING_MS, busy);
    let isDone = false;
    while (!isDone && !this.#isClosing) {
      await lane.read((present) => {
        isDone = present !== table || !advance(steps);
      }, false);
      if (!isDone) await pause(STEP_MS * REST);
    }
  }
}

/** @returns whether there is more to do. */
function advance(steps: ReturnType<typeof packing>): boolean {
  const until = performance.now() + STEP_MS;
  do {
    if (steps.next().done) return false;
  } while (performance.now() < until);
  return true;
}
