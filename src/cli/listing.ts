/** Lists of the API, all pages of them, as one table or one JSON document. */

import { type Column, cellText, counted, Pieces, writeTable } from './output.ts';
import { Progress } from './progress.ts';
import type { World } from './world.ts';

/** How many entries are asked for at once. */
const PAGE_SIZE = 500;

/** A page of a list, with what it says besides. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor?: string;
}

/** What a list is asked for. */
export interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** How a list is shown. */
export interface ListShape<Item> {
  readonly columns: readonly Column<Item>[];
  /** What one entry is called, such as `key`. */
  readonly noun: string;
  /** How many entries at most; all of them when left out. */
  readonly limit?: number | undefined;
}

/**
 * Writes a whole list. For programs it is one JSON object: `items`, one a line, and then what the first page said
 * besides, such as `asOf`; `more` is true when `--limit` cut it off.
 *
 * @param world - where to.
 * @param fetch - asks for a page.
 * @param shape - see there.
 * @returns how many entries there were.
 */
export async function writeList<Item, P extends Page<Item>>(
  world: World,
  fetch: (page: PageQuery) => Promise<P>,
  shape: ListShape<Item>,
): Promise<number> {
  const course: Course<Item> = { rest: null, isCut: false };
  const progress = new Progress(world, 'entries');
  const items = walk(fetch, shape.limit ?? Number.POSITIVE_INFINITY, course, progress);
  try {
    await (world.json ? writeJson(world, items, course) : writeTable(world, shape.columns, items));
  } finally {
    await progress.end();
  }
  const { count } = progress;
  if (world.json) return count;
  if (count === 0) await world.note(`There is no ${shape.noun}.`);
  const asOf = course.rest?.asOf;
  const when = typeof asOf === 'string' ? `, as of ${cellText(asOf)}` : '';
  if (course.isCut) await world.note(`There are more; --limit ${shape.limit} was given.`);
  else if (world.parts.stderr.isTerminal && count > 0) {
    await world.note(world.paint.dim(`${counted(count, shape.noun)}${when}`));
  }
  return count;
}

/** What is known while a list is gone through. */
interface Course<Item> {
  /** What the first page says besides its items. */
  rest: Readonly<Record<string, unknown>> | null;
  isCut: boolean;
  /** Names the type of the items. */
  readonly item?: Item;
}

async function* walk<Item, P extends Page<Item>>(
  fetch: (page: PageQuery) => Promise<P>,
  limit: number,
  course: Course<Item>,
  progress: Progress,
): AsyncGenerator<Item> {
  let left = limit;
  let cursor: string | undefined;
  do {
    const page = await fetch({
      limit: Math.min(PAGE_SIZE, left),
      ...(cursor === undefined ? {} : { cursor }),
    });
    const { items, nextCursor, ...rest } = page as Page<Item>;
    course.rest ??= rest as Readonly<Record<string, unknown>>;
    const wanted = items.slice(0, left);
    yield* wanted;
    await progress.add(wanted.length);
    left -= items.length;
    cursor = nextCursor;
  } while (cursor !== undefined && left > 0);
  course.isCut = cursor !== undefined || left < 0;
}

async function writeJson<Item>(
  world: World,
  items: AsyncIterable<Item>,
  course: Course<Item>,
): Promise<void> {
  let separator = '';
  const pieces = new Pieces(world);
  await pieces.add('{"items": [');
  for await (const item of items) {
    await pieces.add(`${separator}\n${JSON.stringify(item)}`);
    separator = ',';
  }
  const rest = Object.entries({ ...course.rest, ...(course.isCut ? { more: true } : {}) });
  const members = rest.map(([name, value]) => `,\n${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  await pieces.add(`\n]${members.join('')}}\n`);
  await pieces.flush();
}
