/**
 * The dumps of one instance as text (F-61, F-63, F-64; notes 2.7), line by line, so that one of a million rows
 * needs no more memory than one of ten.
 */

import { type ProcessShown, processTypeOf, userTypeOf } from './reportrows.ts';
import { printable } from './reporttexts.ts';
import type { UserRow } from './usagerows.ts';

/** The forms of a local dump: that of Caché 5 (S1), and the table of later versions (S3). */
export type DumpForm = 'c5' | 'table';

/** How many free slots a dump lists one by one; the others are counted in one more line. */
export const FREE_SLOTS_LISTED_MAX = 100_000;

/** A value of a row; null stands where the legacy report has a blank. */
export type Cell = string | number | null;

/** What the first line of a dump of Caché 5 counts, in units. */
export interface DumpUnits {
  /** The units that the instance may use. */
  readonly capacity: number;
  readonly inUse: number;
}

/** How the lines of one dump are laid out. */
export interface DumpLayout {
  readonly form: DumpForm;
  /** The instant of the report, in milliseconds of the clock by which its rows count. */
  readonly nowMs: number;
  /** Of the columns of the table. */
  readonly widths: readonly number[];
}

/** The columns of the later dumps, which are those of the queries (notes 2.6, 2.7). */
export const USER_COLUMNS = [
  'UserId',
  'Type',
  'Connects',
  'MaxCon',
  'CSPCon',
  'LU',
  'Active',
  'Grace',
] as const;
const PROCESS_COLUMNS = [
  'PID',
  'Process',
  'LID',
  'Type',
  'Con',
  'MaxCon',
  'CSPCon',
  'LU',
  'Active',
  'Grace',
] as const;

const STOP = 8;
const stopAfter = (length: number) => length + STOP - (length % STOP);
const cellText = (value: Cell) => (value === null ? '' : printable(String(value)));

/**
 * The widths of columns at 8-character stops (F-64).
 *
 * @param header - the names of the columns.
 * @param rows - those whose values have to fit; of very many rows, the first.
 */
export function widthsOf(header: readonly string[], rows: Iterable<readonly Cell[]>): number[] {
  const lengths = header.map((name) => name.length);
  for (const row of rows) {
    for (const [index, value] of row.entries())
      lengths[index] = Math.max(lengths[index] ?? 0, cellText(value).length);
  }
  return lengths.map(stopAfter);
}

/** Columns at 8-character stops (F-64): what is longer than its column moves the rest to the next stop. */
export function atStops(values: readonly Cell[], widths: readonly number[]): string {
  let line = '';
  let start = 0;
  for (const [index, value] of values.entries()) {
    line += cellText(value);
    start += widths[index] ?? STOP;
    line = line.padEnd(Math.max(start, stopAfter(line.length)));
  }
  return line.trimEnd();
}

/** A table with its header and a blank line after it, as F-64 has it. */
export function tableText(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const widths = widthsOf(header, rows);
  return `${[atStops(header, widths), '', ...rows.map((row) => atStops(row, widths))].join('\n')}\n`;
}

/** @param rows - those that its columns have to fit; of very many, the first. */
export function userLayout(form: DumpForm, nowMs: number, rows: readonly UserRow[]): DumpLayout {
  const cells = rows.map((row) => userCells(row, nowMs));
  return { form, nowMs, widths: form === 'table' ? widthsOf(USER_COLUMNS, cells) : [] };
}

/** @param rows - those that its columns have to fit; of very many, the first. */
export function processLayout(form: DumpForm, nowMs: number, rows: readonly ProcessShown[]): DumpLayout {
  const cells = rows.map((row) => processCells(row, nowMs));
  return { form, nowMs, widths: form === 'table' ? widthsOf(PROCESS_COLUMNS, cells) : [] };
}

/** The first lines of a local dump (F-63, F-64). */
export function dumpHead(
  { form, widths }: DumpLayout,
  of: 'users' | 'processes',
  { capacity, inUse }: DumpUnits,
): string {
  if (form === 'table') return `${atStops(of === 'users' ? USER_COLUMNS : PROCESS_COLUMNS, widths)}\n\n`;
  const remaining = Math.max(0, capacity - inUse);
  return `License Capacity = ${capacity}, Current use = ${inUse}, Units Remaining = ${remaining}\n\n`;
}

/**
 * The line that stands above what an instance that decides for itself has reported, which may have changed since.
 *
 * @param reportedAtMs - when it last reported, ms since 1970.
 */
export function reportedLine(reportedAtMs: number): string {
  return `as reported at ${new Date(reportedAtMs).toISOString()}\n`;
}

/** A second counts once it is over. */
function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, Math.floor((toMs - fromMs) / 1000));
}

/** @returns for how long somebody is in, in whole seconds; null when nobody told since when. */
export const activeSeconds = (sinceMs: number | null, nowMs: number) =>
  sinceMs === null ? null : secondsBetween(sinceMs, nowMs);
/** @returns for how long a unit is still held, in whole seconds; 0 is no longer. */
export const graceSeconds = (untilMs: number, nowMs: number) =>
  untilMs === 0 ? 0 : secondsBetween(nowMs, untilMs);

/** A row of `UserList`. */
export function userCells(row: UserRow, nowMs: number): Cell[] {
  const { userId, type, connections, connectionsPeak, webSessions, units, sinceMs, graceUntilMs } = row;
  const numbers = [connections, connectionsPeak, webSessions, units];
  return [userId, type, ...numbers, activeSeconds(sinceMs, nowMs), graceSeconds(graceUntilMs, nowMs)];
}

const NO_NUMBERS = [null, null, null, null, null, null];
const ZEROS = [0, 0, 0, 0, 0, 0];

/** A row of `ProcessList` without the process ID for display: of a worker process, no numbers (notes 2.6). */
export function processCells(row: ProcessShown, nowMs: number): Cell[] {
  const { userId, connections, connectionsPeak, webSessions, units, sinceMs, endsAtMs } = row;
  const process = processTypeOf(row);
  const id = row.processId === 0 ? null : row.processId;
  if (process === 'CSP') return [id, process, userId, null, ...NO_NUMBERS];
  if (userId === null) return [id, process, null, null, ...ZEROS];
  const numbers = [connections, connectionsPeak, webSessions, units];
  const type = userTypeOf(connections, webSessions, 0);
  return [
    id,
    process,
    userId,
    type,
    ...numbers,
    activeSeconds(sinceMs, nowMs),
    graceSeconds(endsAtMs, nowMs),
  ];
}

/** Where a slot stands in the form of Caché 5. */
function slot(index: number): string {
  return `${String(index).padStart(4)})  `;
}

function countsWords(connections: number, webSessions: number, active: number | null): string {
  return `Connections = ${connections}, CSP Count = ${webSessions}, Time active = ${active ?? '-'}`;
}

/** One user of a local dump (F-63). */
export function userLine({ form, nowMs, widths }: DumpLayout, index: number, row: UserRow): string {
  if (form === 'table') return `${atStops(userCells(row, nowMs), widths)}\n`;
  const counts = countsWords(row.connections, row.webSessions, activeSeconds(row.sinceMs, nowMs));
  return `${slot(index)}User ID = ${printable(row.userId)}, ${counts}\n`;
}

/** One process of `piduse.dmp` (F-64). */
export function processLine({ form, nowMs, widths }: DumpLayout, index: number, row: ProcessShown): string {
  if (form === 'table') return `${atStops(processCells(row, nowMs), widths)}\n`;
  const { processId, userId, connections, webSessions, sinceMs } = row;
  const process = processTypeOf(row);
  const who = userId === null ? '' : `, User ID = ${printable(userId)}`;
  const isCounted = userId !== null && process !== 'CSP';
  const counts = isCounted ? `, ${countsWords(connections, webSessions, activeSeconds(sinceMs, nowMs))}` : '';
  return `${slot(index)}PID = ${processId === 0 ? '-' : processId}, Process = ${process}${who}${counts}\n`;
}

/**
 * The slots that nobody has, one line each (F-63). A slot is an entry of the licence table: there are as many as
 * units, and a user takes one of them whatever he costs.
 *
 * @param used - how many slots are taken.
 */
export function* freeLines(form: DumpForm, used: number, capacity: number): Generator<string> {
  const listed = Math.min(capacity, used + FREE_SLOTS_LISTED_MAX);
  for (let index = used; index < listed; index += 1) {
    yield form === 'table' ? 'free\n' : `${slot(index)}free\n`;
  }
  if (listed < capacity) yield `${capacity - listed} more slots are free\n`;
}

/** A whole dump of few users. */
export function userDumpText(
  form: DumpForm,
  rows: readonly UserRow[],
  units: DumpUnits,
  which: 'all' | 'in-use',
  nowMs: number,
): string {
  const layout = userLayout(form, nowMs, rows);
  const lines = rows.map((row, index) => userLine(layout, index, row));
  if (which === 'all') lines.push(...freeLines(form, rows.length, units.capacity));
  return dumpHead(layout, 'users', units) + lines.join('');
}

/** The whole `piduse.dmp` of few processes. */
export function processDumpText(
  form: DumpForm,
  rows: readonly ProcessShown[],
  units: DumpUnits,
  nowMs: number,
): string {
  const layout = processLayout(form, nowMs, rows);
  const lines = rows.map((row, index) => processLine(layout, index, row));
  return dumpHead(layout, 'processes', units) + lines.join('');
}
