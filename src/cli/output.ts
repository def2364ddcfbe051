/**
 * How answers are shown: tables and fields for people, JSON for programs. Everything can be written piece by
 * piece, so that a long list needs no more memory than a page of it.
 */

import { type Painter, visible } from './paint.ts';
import type { World } from './world.ts';

/** What may stand in a cell. */
export type Cell = string | number | boolean | null | undefined;

/** A colour by the name of a painter's function. */
export type Style = keyof Painter;

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => Cell;
  readonly align?: 'right';
  /** How the cell is marked on a terminal. */
  readonly style?: (row: Row) => Style | undefined;
}

/** How many rows are looked at before the widths of the columns are settled. */
const ROWS_MEASURED = 500;
const GAP = '  ';
const NARROW = /^[\x20-\x7e]*$/;

let stringWidth: ((text: string) => number) | null = null;

/**
 * Loads the measure for texts that are not plain ASCII, which most never need.
 *
 * @param texts - what is going to be shown.
 */
export async function prepareWidths(texts: Iterable<string>): Promise<void> {
  if (stringWidth !== null) return;
  for (const text of texts) {
    if (NARROW.test(text)) continue;
    stringWidth = (await import('string-width')).default;
    return;
  }
}

/**
 * How many columns of a terminal a text takes.
 *
 * @param text - one for which `prepareWidths` was called, unless it is plain ASCII.
 */
export function displayWidth(text: string): number {
  return stringWidth === null || NARROW.test(text) ? text.length : stringWidth(text);
}

/** How many characters are gathered before they are written. */
const PIECE_LENGTH = 65_536;

/** Gathers small texts, because each write is a call of the system. */
export class Pieces {
  readonly #world: World;
  #gathered = '';

  /** @param world - where to. */
  constructor(world: World) {
    this.#world = world;
  }

  /** Adds a text, and writes what was gathered when it is enough. */
  async add(text: string): Promise<void> {
    this.#gathered += text;
    if (this.#gathered.length >= PIECE_LENGTH) await this.flush();
  }

  /** Writes what was gathered. */
  async flush(): Promise<void> {
    if (this.#gathered === '') return;
    const text = this.#gathered;
    this.#gathered = '';
    await this.#world.print(text);
  }
}

/**
 * A cell as text: nothing is a dash, instants lose their milliseconds.
 *
 * @param cell - the value.
 */
export function cellText(cell: Cell): string {
  if (cell === undefined || cell === null || cell === '') return '-';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  if (typeof cell === 'number') return String(cell);
  return visible(cell.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z'));
}

/**
 * Writes a table, row by row as they come. The widths are settled by the first rows, and grow for a later one
 * that is wider.
 *
 * @param world - where to.
 * @param columns - from left to right.
 * @param rows - the rows.
 * @returns how many there were; the head is written with the first.
 */
export async function writeTable<Row>(
  world: World,
  columns: readonly Column<Row>[],
  rows: Iterable<Row> | AsyncIterable<Row>,
): Promise<number> {
  const { paint } = world;
  const pieces = new Pieces(world);
  const widths = columns.map(({ title }) => title.length);
  let first: (readonly [Row, readonly string[]])[] | null = [];
  let count = 0;
  const flush = async () => {
    if (first === null || first.length === 0) return;
    await prepareWidths(first.flatMap(([, cells]) => cells));
    for (const [, cells] of first) grow(widths, cells);
    const head = columns.map(({ title }) => title);
    const lines = [
      paint.bold(layOut(columns, widths, head)),
      ...first.map(([row, cells]) => line(row, cells)),
    ];
    first = null;
    await pieces.add(`${lines.join('\n')}\n`);
  };
  const line = (row: Row, cells: readonly string[]) =>
    layOut(columns, widths, cells, (text, column) => {
      const style = columns[column]!.style?.(row);
      return style === undefined ? text : paint[style](text);
    });
  for await (const row of rows) {
    count += 1;
    const cells = columns.map(({ value }) => cellText(value(row)));
    if (first !== null) {
      first.push([row, cells]);
      if (first.length === ROWS_MEASURED) await flush();
      continue;
    }
    await prepareWidths(cells);
    grow(widths, cells);
    await pieces.add(`${line(row, cells)}\n`);
  }
  await flush();
  await pieces.flush();
  return count;
}

function grow(widths: number[], cells: readonly string[]): void {
  for (const [column, cell] of cells.entries()) {
    widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell));
  }
}

/** One line: padded first and marked then, because marks have no width. */
function layOut<Row>(
  columns: readonly Column<Row>[],
  widths: readonly number[],
  cells: readonly string[],
  mark: (text: string, column: number) => string = (text) => text,
): string {
  const laid = cells.map((cell, column) => {
    const blanks = ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell)));
    if (columns[column]!.align === 'right') return blanks + mark(cell, column);
    return mark(cell, column) + (column === cells.length - 1 ? '' : blanks);
  });
  return laid.join(GAP).trimEnd();
}

/** A label and what belongs to it; what is undefined is left out. */
export type Field = readonly [label: string, value: Cell, style?: Style | undefined];

/**
 * Lays out labels and values, one a line.
 *
 * @param fields - in order.
 * @param paint - colours.
 */
export function fieldLines(fields: readonly Field[], paint: Painter): string {
  const shown = fields.filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([label]) => label.length)) + 2;
  return shown
    .map(([label, value, style]) => {
      const text = cellText(value);
      return `${paint.dim(`${label}:`.padEnd(width))}${style === undefined ? text : paint[style](text)}\n`;
    })
    .join('');
}

/**
 * Answers with one thing: as JSON, or as fields.
 *
 * @param world - where to.
 * @param value - what the server answered; printed whole as JSON.
 * @param fields - how a person reads it.
 */
export async function answerFields(world: World, value: unknown, fields: readonly Field[]): Promise<void> {
  await world.print(world.json ? jsonText(value) : fieldLines(fields, world.paint));
}

/**
 * Answers with one thing: as JSON, or in a sentence.
 *
 * @param world - where to.
 * @param value - what programs read.
 * @param sentence - what a person reads.
 */
export async function answerWords(world: World, value: unknown, sentence: string): Promise<void> {
  await world.print(world.json ? jsonText(value) : `${sentence}\n`);
}

/** JSON as it is printed for one thing. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * The name of a member as a label: `unitsInUse` becomes `Units in use`.
 *
 * @param name - of a member of an answer.
 */
export function labelOf(name: string): string {
  const words = name
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/\bid$/, 'ID')
    .replace(/^license (?!ID)/, 'licence ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A number with commas between the thousands. */
export function thousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** A count with its noun: `1 key`, `2 keys`. */
export function counted(count: number, noun: string): string {
  return `${thousands(count)} ${noun}${count === 1 ? '' : 's'}`;
}
