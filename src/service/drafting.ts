/**
 * Deciding a batch: every operation in order, on the table in memory.
 */

import { randomUUID } from 'node:crypto';
import { decide, emitClosing, emitDue, type Policy } from '../domain/decide.ts';
import { Draft } from '../domain/draft.ts';
import type { JournalRow } from '../domain/events.ts';
import type { Answer, Operation } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import type { Waiting } from './queue.ts';

/** A batch that was decided, and applied to the table until it is appended or taken back. */
export interface Drafted {
  readonly row: JournalRow;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly batch: readonly Waiting[];
  /** One for each of the batch, in order. */
  readonly answers: readonly Answer[];
}

/**
 * Decides a batch, ends that fell due first. The table stays open: `commit` or `rollback` must follow.
 * @param failed - told of an operation that failed unexpectedly; the others are decided without it.
 */
export function draftBatch(
  table: Table,
  batch: readonly Waiting[],
  nowMs: number,
  policy: Policy,
  failed: (waiting: Waiting, error: Error) => void,
): Drafted {
  let remaining = batch;
  for (;;) {
    table.begin();
    const draft = new Draft(table, nowMs);
    const answers: Answer[] = [];
    let culprit: Waiting | null = null;
    try {
      emitDue(draft);
      for (const waiting of remaining) {
        culprit = waiting;
        answers.push(decide(draft, waiting.operation, policy));
      }
      emitClosing(draft);
      return { row: rowOf(draft), files: draft.files, batch: remaining, answers };
    } catch (error) {
      table.rollback();
      if (culprit === null) throw error;
      failed(culprit, error as Error);
      remaining = remaining.filter((waiting) => waiting !== culprit);
    }
  }
}

/** Decides one operation on a table that is at its head, ends that fell due first, and takes everything back. */
export function dryRun(table: Table, operation: Operation, nowMs: number, policy: Policy): Answer {
  table.begin();
  try {
    const draft = new Draft(table, nowMs);
    emitDue(draft);
    return decide(draft, operation, policy);
  } finally {
    table.rollback();
  }
}

function rowOf(draft: Draft): JournalRow {
  return {
    shard: draft.table.shard,
    version: draft.version,
    batch: randomUUID(),
    at: draft.atMs,
    actors: draft.actors,
    events: draft.events,
  };
}
