/**
 * A batch while it is being decided: the row that will be appended, growing event by event. Each event is
 * applied to the table as soon as it is drafted, so that the next operation is decided on what it left.
 */

import { applyEvent } from './apply.ts';
import type { JournalEvent, RefusalSample, Refused } from './events.ts';
import { decisionId } from './events.ts';
import type { Meanwhile } from './excesses.ts';
import type { Moment } from './holdings/login.ts';
import type { Table } from './table.ts';

/** How many refused logins of one pool and rule a row names. */
export const REFUSAL_SAMPLES_MAX = 8;

export class Draft {
  readonly table: Table;
  /** The version the row will have if the head has not moved. */
  readonly version: number;
  readonly atMs: number;
  readonly actors: string[] = [];
  readonly events: JournalEvent[] = [];
  /** Key files that came with the batch, to be stored with the facts. */
  readonly files = new Map<string, Uint8Array>();
  /** What this batch has come to of combined use over the limit and stands in no record yet, by pool. */
  readonly meanwhile = new Map<string, Meanwhile>();
  readonly #moment: Moment;
  readonly #actorIndex = new Map<string, number>();
  readonly #refusals = new Map<string, { event: Refused; index: number }>();

  /**
   * @param table - the table at its head; the draft changes it.
   * @param nowMs - the database's time as estimated, ms since 1970; never before the last row's.
   */
  constructor(table: Table, nowMs: number) {
    this.table = table;
    this.version = table.version + 1;
    this.atMs = Math.max(Math.floor(nowMs), table.atMs);
    this.#moment = { version: this.version, atMs: this.atMs };
  }

  /** @returns the index of an actor in the row. */
  by(actor: string): number {
    let index = this.#actorIndex.get(actor);
    if (index === undefined) {
      index = this.actors.push(actor) - 1;
      this.#actorIndex.set(actor, index);
    }
    return index;
  }

  /** The ID that the next event's decision will have. */
  get nextDecision(): string {
    return decisionId(this.table.shard, this.version, this.events.length);
  }

  /** Adds an event and applies it. */
  emit(event: JournalEvent): void {
    const index = this.events.push(event) - 1;
    applyEvent(this.table, event, { moment: this.#moment, index });
  }

  /**
   * Adds a refusal; those of one pool and rule share an event.
   * @returns the decision's ID.
   */
  refuse(refusal: Omit<Refused, 'type' | 'count' | 'samples'>, sample: RefusalSample): string {
    const { application, feature } = refusal;
    const what = application === undefined ? '' : `\n${application}\n${feature}\n${sample.instance}`;
    const key = `${refusal.pool}\n${refusal.rule}\n${refusal.limit}${what}`;
    const known = this.#refusals.get(key);
    if (known) {
      const counted = known.event as { count: number; inUse: number };
      counted.count += 1;
      counted.inUse = refusal.inUse;
      if (known.event.samples.length < REFUSAL_SAMPLES_MAX)
        (known.event.samples as RefusalSample[]).push(sample);
      return decisionId(this.table.shard, this.version, known.index);
    }
    const event: Refused = { type: 'refused', ...refusal, count: 1, samples: [sample] };
    const index = this.events.push(event) - 1;
    this.#refusals.set(key, { event, index });
    return decisionId(this.table.shard, this.version, index);
  }
}
