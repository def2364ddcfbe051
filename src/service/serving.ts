/**
 * Keeping the right to serve a database for as long as the replica runs.
 */

import type { Sql } from 'postgres';
import type { Logger } from '../storage/database.ts';
import { claimServing } from '../storage/serving.ts';
import { every, type Repeating } from './repeating.ts';

export interface ServingOptions {
  /** A handle with one connection, used for nothing else. */
  readonly sql: Sql;
  /** Whether this replica coordinates in its own memory and so must be alone. */
  readonly alone: boolean;
  readonly logger: Logger;
}

/** How often the claim is looked at; it goes with its connection, in milliseconds. */
const CHECK_INTERVAL_MS = 2_000;

export class Serving {
  readonly #options: ServingOptions;
  #held = false;
  #repeating: Repeating | null = null;

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  /** Whether this replica may serve, as far as it knows. */
  get held(): boolean {
    return this.#held;
  }

  /**
   * Claims the right and goes on to keep it.
   * @throws Error that says what to do, when another replica stands against it.
   */
  async start(): Promise<void> {
    const { sql, alone, logger } = this.#options;
    this.#held = await claimServing(sql, alone);
    if (!this.#held) {
      throw new Error(
        alone
          ? 'Another replica serves this database, so that signs of life must be shared: set REDIS_URL for all replicas, or stop the other one.'
          : 'A replica without Redis serves this database and must be alone: set REDIS_URL for it as well, or stop it.',
      );
    }
    this.#repeating = every(
      CHECK_INTERVAL_MS,
      () => this.#check(),
      (error) => {
        this.#held = false;
        logger.warn({ err: error }, 'The claim to serve could not be checked.');
      },
    );
  }

  async close(): Promise<void> {
    await this.#repeating?.close();
    await this.#options.sql.end({ timeout: 1 });
  }

  async #check(): Promise<void> {
    const { sql, alone, logger } = this.#options;
    const held = await claimServing(sql, alone);
    if (held !== this.#held)
      logger.warn({ held }, held ? 'This replica may serve again.' : 'Another replica serves this database.');
    this.#held = held;
  }
}
