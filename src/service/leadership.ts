/**
 * Leadership: the one replica that folds and reaps. It holds a row in Postgres for a while and renews it; what
 * it writes is fenced by the row's token, and all it decides goes through the lane, so that two who believe
 * they lead can harm nothing.
 */

import { performance } from 'node:perf_hooks';
import type { Sql } from 'postgres';
import type { Logger } from '../storage/database.ts';
import { claimLeadership, renewLeadership, resignLeadership, type Term } from '../storage/leadership.ts';
import { every, type Repeating } from './repeating.ts';

export interface LeadershipOptions {
  readonly shard: number;
  readonly sql: Sql;
  /** The replica's ID. */
  readonly holder: string;
  readonly leaseMs: number;
  readonly renewMs: number;
  /** Whether this replica may lead at all. */
  readonly mayLead: () => boolean;
  readonly logger: Logger;
}

/** A leader trusts itself for this much less than the row says, counted from before it asked. */
const SAFETY_MARGIN_MS = 1_000;

export class Leadership {
  readonly #options: LeadershipOptions;
  #term: Term | null = null;
  #trustedUntil = 0;
  #repeating: Repeating | null = null;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** Whether this replica may still act as the leader. */
  get leads(): boolean {
    return this.#term !== null && performance.now() < this.#trustedUntil && this.#options.mayLead();
  }

  /** The fencing token of the term; 0 when there is none. */
  get token(): number {
    return this.#term?.token ?? 0;
  }

  start(): void {
    const { renewMs, logger } = this.#options;
    this.#repeating = every(
      renewMs,
      () => this.#tick(),
      (error) => logger.warn({ err: error }, 'Leadership could not be claimed or renewed.'),
    );
  }

  /** Gives leadership up, so that another replica takes over at once. */
  async close(): Promise<void> {
    await this.#repeating?.close();
    const term = this.#term;
    this.#term = null;
    const { sql, shard, holder } = this.#options;
    if (term) await resignLeadership(sql, shard, holder, term.token).catch(() => {});
  }

  async #tick(): Promise<void> {
    const { sql, shard, holder, leaseMs, mayLead, logger } = this.#options;
    if (!mayLead()) return;
    const askedAt = performance.now();
    if (this.#term && (await renewLeadership(sql, shard, holder, this.#term.token, leaseMs))) {
      this.#trustedUntil = askedAt + leaseMs - SAFETY_MARGIN_MS;
      return;
    }
    if (this.#term) logger.info({ token: this.#term.token }, 'This replica leads no longer.');
    this.#term = null;
    const term = await claimLeadership(sql, shard, holder, leaseMs);
    if (!term) return;
    this.#trustedUntil = askedAt + leaseMs - SAFETY_MARGIN_MS;
    this.#term = term;
    logger.info({ token: term.token }, 'This replica leads.');
  }
}
