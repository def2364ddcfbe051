/**
 * When instances gave their last sign of life: by the store of heartbeats, and by the journal where that is later.
 */

import type { Coordinator } from '../coordination/coordinator.ts';
import type { Instance } from '../domain/instances.ts';
import type { ReportState } from '../domain/local/reports.ts';
import type { Table } from '../domain/table.ts';
import { instanceMember } from './heartbeats.ts';

/** What is known of an instance before the store is asked. */
export interface KnownSign {
  readonly member: string;
  readonly isWatched: boolean;
  readonly graceMs: number;
  readonly reportedAtMs: number | null;
  /** The last sign of life by the journal, ms since 1970. */
  readonly journalMs: number;
}

/** When an instance was heard last. */
export interface Sign {
  /** ms since 1970; null when nobody can know, because the store is away or the instance is not watched. */
  readonly heardAtMs: number | null;
  /** When its last report of changes came; null when it has reported nothing. */
  readonly reportedAtMs: number | null;
  /** Whether what it has reported may have been overtaken: it was not heard for longer than two intervals. */
  readonly isStale: boolean;
}

/** What the signs need. */
export interface SignsOptions {
  readonly coordinator: Pick<Coordinator, 'readDeadlines'>;
  /** How long an instance that reports may go unheard before what it reported is stale, in milliseconds. */
  readonly staleAfterMs: number;
}

/** Tells when instances were heard last. */
export class Signs {
  readonly #options: SignsOptions;

  constructor(options: SignsOptions) {
    this.#options = options;
  }

  /**
   * @param known - of each instance, read from the table.
   * @param nowMs - ms since 1970.
   * @returns one for each, in order.
   */
  async of(known: readonly KnownSign[], nowMs: number): Promise<Sign[]> {
    const { coordinator, staleAfterMs } = this.#options;
    const deadlines = await coordinator.readDeadlines(known.map(({ member }) => member));
    return known.map(({ isWatched, graceMs, reportedAtMs, journalMs }, index) => {
      const isKnown = isWatched && deadlines !== null;
      const beatMs = (deadlines?.[index] ?? 0) - graceMs;
      const heardAtMs = isKnown ? Math.max(journalMs, beatMs) : null;
      const isStale = reportedAtMs !== null && heardAtMs !== null && nowMs - heardAtMs > staleAfterMs;
      return { heardAtMs, reportedAtMs, isStale };
    });
  }
}

/** Reads from the table what is known of an instance's signs of life. */
export function knownSign(table: Table, instance: Instance): KnownSign {
  const { name, incarnation, settings, deadlineMs, registeredAtMs, state } = instance;
  const report: ReportState | null = table.places.get(name)?.report ?? null;
  const graceMs = settings.graceSeconds * 1000;
  return {
    member: instanceMember(name, incarnation),
    isWatched: graceMs > 0 && state === 'active',
    graceMs,
    reportedAtMs: report?.atMs ?? null,
    journalMs: Math.max(registeredAtMs, report?.atMs ?? 0, deadlineMs - graceMs),
  };
}
