/**
 * The journal for people: pages of events by filter, and one decision explained.
 */

import type postgres from 'postgres';
import { type Principal, permits } from '../domain/access.ts';
import { LicenseError } from '../domain/errors.ts';
import { decisionId, type JournalEvent, type JournalRow } from '../domain/events.ts';
import { listRows } from '../storage/journal.ts';
import { actorsOf, keyOfEvent, loginsOf, usersOf } from './journalmembers.ts';
import type { Lane } from './lane.ts';
import { whileReachable } from './reachable.ts';

/** How many rows one page may look at; what is not found in them is looked for on the next page. */
export const ROWS_SCANNED_MAX = 1_000;

/** Rows read in one go: a row may hold hundreds of events. */
const ROWS_PER_READ = 50;

/** What a page is to hold. Members that are left out do not restrict it. */
export interface JournalFilter {
  readonly type?: string | undefined;
  readonly instance?: string | undefined;
  readonly user?: string | undefined;
  readonly login?: string | undefined;
  readonly key?: string | undefined;
  readonly actor?: string | undefined;
}

/** The event that a page goes on after, itself not included. */
export interface JournalPosition {
  readonly version: number;
  readonly index: number;
}

/** One event with its place in the journal. */
export interface JournalEntry {
  readonly decision: string;
  readonly position: JournalPosition;
  readonly atMs: number;
  readonly actors: readonly string[];
  readonly event: JournalEvent;
}

/** A page, in the order that was asked for. */
export interface JournalPage {
  readonly items: JournalEntry[];
  /** Where to go on; null when the end of the journal was reached. */
  readonly next: JournalPosition | null;
}

/** What the journal's service needs. */
export interface JournalOptions {
  readonly sql: postgres.Sql;
  readonly lane: Pick<Lane, 'read'>;
  readonly shard: number;
  /** How many rows one page may look at; `ROWS_SCANNED_MAX` unless a test says otherwise. */
  readonly rowsScannedMax?: number;
}

export type JournalOrder = 'newest' | 'oldest';

/** Reads the journal as far as the asker may see. */
export class Journal {
  readonly #options: JournalOptions;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /**
   * Reads a page. The scan is bounded: a page may hold fewer entries than asked for, or none, and still name
   * where to go on.
   *
   * @param after - where the page before ended; null begins at the newest or the oldest.
   */
  async list(
    principal: Principal,
    filter: JournalFilter,
    order: JournalOrder,
    limit: number,
    after: JournalPosition | null,
  ): Promise<JournalPage> {
    const { sql, shard, rowsScannedMax = ROWS_SCANNED_MAX } = this.#options;
    const keyOf = await this.#keysOfInstances(principal.keys !== null || filter.key !== undefined);
    const items: JournalEntry[] = [];
    let last = after;
    let from = after?.version;
    // The row in which the page before ended may have more, and does not count.
    let scanned = after === null ? 0 : -1;
    while (scanned < rowsScannedMax) {
      const wanted = Math.min(ROWS_PER_READ, rowsScannedMax - scanned);
      const start = from;
      const rows = await whileReachable(() => listRows(sql, shard, start, order, wanted));
      for (const row of rows) {
        for (const entry of entriesOf(row, order, last)) {
          const shown = isWanted(entry, filter, keyOf) ? restrict(entry, principal, keyOf) : null;
          if (shown === null) continue;
          if (items.length === limit) return { items, next: items.at(-1)!.position };
          items.push(shown);
        }
        last = endOf(row, order);
        from = row.version + (order === 'newest' ? -1 : 1);
      }
      if (rows.length < wanted) return { items, next: null };
      scanned += rows.length;
    }
    return { items, next: last };
  }

  /**
   * Finds one decision.
   *
   * @param id - shard, version and index, with colons between.
   * @throws LicenseError `decision-not-found`; `forbidden` when the token's restriction does not reach it.
   */
  async find(principal: Principal, id: string): Promise<JournalEntry> {
    const [shard, version, index] = id.split(':').map(Number) as [number, number, number];
    const entry = shard === this.#options.shard ? await this.#entryAt(version, index) : null;
    if (entry === null) {
      throw new LicenseError('decision-not-found', `The journal has no decision ${id}, or keeps it no more.`);
    }
    const shown = restrict(entry, principal, await this.#keysOfInstances(principal.keys !== null));
    if (shown !== null) return shown;
    throw new LicenseError('forbidden', `The token is restricted and does not permit journal.read on ${id}.`);
  }

  async #entryAt(version: number, index: number): Promise<JournalEntry | null> {
    const { sql, shard } = this.#options;
    if (!Number.isSafeInteger(version)) return null;
    const [row] = await whileReachable(() => listRows(sql, shard, version, 'oldest', 1));
    return row?.version === version && row.events[index] ? entryAt(row, index) : null;
  }

  /**
   * Some events name only an instance; which key that concerns is told by the registrations of now.
   * @param isNeeded - whether anything depends on it; the journal is read without a table otherwise.
   */
  async #keysOfInstances(isNeeded: boolean): Promise<KeyOf> {
    if (!isNeeded) return () => null;
    const keys = await this.#options.lane.read(
      ({ instances }) => new Map([...instances].map(([name, { key }]) => [name, key])),
    );
    return (instance) => keys.get(instance) ?? null;
  }
}

/** The key that an instance is registered with. */
type KeyOf = (instance: string) => string | null;

function entryAt(row: JournalRow, index: number): JournalEntry {
  return {
    decision: decisionId(row.shard, row.version, index),
    position: { version: row.version, index },
    atMs: row.at,
    actors: row.actors,
    event: row.events[index]!,
  };
}

/** The entries of a row that come after a position. */
function entriesOf(row: JournalRow, order: JournalOrder, after: JournalPosition | null): JournalEntry[] {
  const entries = row.events.map((_, index) => entryAt(row, index));
  const isNewest = order === 'newest';
  if (isNewest) entries.reverse();
  if (after === null || after.version !== row.version) return entries;
  return entries.filter(({ position }) =>
    isNewest ? position.index < after.index : position.index > after.index,
  );
}

/** The position behind the last event of a row. */
function endOf(row: JournalRow, order: JournalOrder): JournalPosition {
  return { version: row.version, index: order === 'newest' ? 0 : Math.max(0, row.events.length - 1) };
}

function isWanted({ event, actors }: JournalEntry, filter: JournalFilter, keyOf: KeyOf): boolean {
  if (filter.type !== undefined && event.type !== filter.type) return false;
  if (filter.instance !== undefined && !instancesOf(event).includes(filter.instance)) return false;
  if (filter.user !== undefined && !usersOf(event).includes(filter.user)) return false;
  if (filter.login !== undefined && !loginsOf(event).includes(filter.login)) return false;
  if (filter.key !== undefined && keyOfEvent(event, keyOf) !== filter.key) return false;
  return filter.actor === undefined || actorsOf(event, actors).includes(filter.actor);
}

/** The instances that an event names. */
function instancesOf(event: JournalEvent): string[] {
  if (event.type === 'refused') return event.samples.map((sample) => sample.instance);
  if (event.type === 'application-loaded') return [event.application.instance];
  if (!('instance' in event) || event.instance === undefined) return [];
  return [typeof event.instance === 'string' ? event.instance : event.instance.name];
}

/**
 * What a restricted token sees of an event. Of a refusal that concerned several instances, the token of one sees
 * the samples of its own.
 *
 * @returns null when it sees nothing of it.
 */
function restrict(entry: JournalEntry, principal: Principal, keyOf: KeyOf): JournalEntry | null {
  const { event } = entry;
  const keyId = keyOfEvent(event, keyOf);
  const reaches = (instance: string | null) => permits(principal, 'journal.read', { keyId, instance });
  if (event.type === 'refused' && principal.instance !== null) {
    const samples = event.samples.filter(({ instance }) => reaches(instance));
    return samples.length === 0 ? null : { ...entry, event: { ...event, samples } };
  }
  return reaches(instancesOf(event)[0] ?? null) ? entry : null;
}
