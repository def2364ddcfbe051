/** What `lictor top` shows: a screen of fixed size, made of what the server said and nothing else. */

import type {
  CountUsageAnswer,
  CountUsageByInstanceAnswer,
  ListUsageByUserAnswer,
} from '../client/openapi.ts';
import { cellText, displayWidth, type Style, thousands } from './output.ts';
import { type Painter, visible } from './paint.ts';

/** What is listed. */
export type View = 'keys' | 'instances' | 'users';

/** What the server said. */
export interface Snapshot {
  readonly asOf: string;
  readonly keys: CountUsageAnswer['items'];
  readonly instances: CountUsageByInstanceAnswer['items'];
  readonly users: ListUsageByUserAnswer['items'];
  /** Whether the list of the view goes on. */
  readonly isCut: boolean;
}

/** What the screen is made of. */
export interface ScreenState {
  readonly url: string;
  readonly intervalSeconds: number;
  readonly view: View;
  /** How many rows are scrolled away. */
  readonly offset: number;
  readonly isPaused: boolean;
  readonly snapshot: Snapshot;
  /** Units in use at the refresh before, by key. */
  readonly before: ReadonlyMap<string, number>;
  /** Why there is nothing newer, when the server could not be asked. */
  readonly trouble: string | null;
}

/** A part of a line. */
interface Span {
  readonly text: string;
  readonly style?: Style | undefined;
}

type Line = readonly Span[];

/** Lines of the screen that are not rows of the list: two above with a blank, the head, the keys below. */
const FRAME_LINES = 5;
const BAR_WIDTH = 10;
const FIGURE_WIDTH = 7;
const KEYS = 'q quit  k keys  i instances  u users  up/down scroll  p pause  r refresh';

/**
 * How many rows of the list the screen has room for.
 *
 * @param rows - the lines of the terminal.
 */
export function roomFor(rows: number): number {
  return Math.max(1, rows - FRAME_LINES);
}

/** The identity of what is counted: a key, or the default licence of an instance. */
export function poolOf({ key, instance }: CountUsageAnswer['items'][number]): string {
  return key ?? `(default of ${instance ?? '?'})`;
}

/**
 * Makes the lines of the screen.
 *
 * @param state - see there.
 * @param size - of the terminal.
 * @param paint - colours.
 * @returns at most `size.rows` lines, none wider than `size.columns`.
 */
export function screenLines(
  state: ScreenState,
  size: { readonly columns: number; readonly rows: number },
  paint: Painter,
): string[] {
  const { snapshot, view } = state;
  const { head, rows } = tableOf(state);
  const room = roomFor(size.rows);
  const shown = rows.slice(state.offset, state.offset + room);
  const lines: Line[] = [
    titleOf(state),
    totalsOf(snapshot),
    [],
    [{ text: head, style: 'inverse' }],
    ...shown,
    ...Array.from({ length: room - shown.length }, () => []),
    [
      { text: KEYS, style: 'dim' },
      {
        text: `  ${rows.length === 0 ? `no ${view}` : `${state.offset + 1}-${state.offset + shown.length} of ${rows.length}${snapshot.isCut ? ' and more' : ''}`}`,
        style: 'dim',
      },
    ],
  ];
  return lines.slice(0, size.rows).map((line) => render(line, size.columns, paint));
}

function titleOf({ url, intervalSeconds, snapshot, isPaused, trouble, view }: ScreenState): Line {
  // What is wrong comes first, so that no edge cuts it off.
  return [
    { text: 'lictor top  ', style: 'bold' },
    ...(trouble === null ? [] : [{ text: `${visible(trouble)}  `, style: 'red' as const }]),
    { text: `${view}  as of ${cellText(snapshot.asOf)}  ` },
    isPaused ? { text: 'paused', style: 'yellow' } : { text: `every ${intervalSeconds} s` },
    { text: `  ${visible(url)}` },
  ];
}

function totalsOf({ keys }: Snapshot): Line {
  const sum = (value: (item: Snapshot['keys'][number]) => number) =>
    thousands(keys.reduce((total, item) => total + value(item), 0));
  const inUse = sum(({ unitsInUse }) => unitsInUse);
  const limit = sum(({ unitsEnforced }) => unitsEnforced);
  const users = sum((item) => item.users);
  const connections = sum((item) => item.connections);
  return [{ text: `${inUse} of ${limit} units in use, ${users} users, ${connections} connections` }];
}

interface Table {
  readonly head: string;
  readonly rows: readonly Line[];
}

function tableOf({ view, snapshot, before }: ScreenState): Table {
  if (view === 'instances') return instancesTable(snapshot);
  return view === 'users' ? usersTable(snapshot) : keysTable(snapshot, before);
}

function keysTable({ keys }: Snapshot, before: ReadonlyMap<string, number>): Table {
  const width = widthOf('KEY', keys.map(poolOf));
  const titles = ['IN USE', 'CHANGE', 'LIMIT', 'FREE', 'PEAK', 'USERS', 'CONN', 'GRACE'];
  const head = `${'KEY'.padEnd(width)}  ${'USE'.padEnd(BAR_WIDTH + 7)}${figures(titles)}`;
  const rows = keys.map((item): Line => {
    const { unitsInUse, unitsEnforced, unitsFree, unitsPeak, users, connections, logins } = item;
    const change = unitsInUse - (before.get(poolOf(item)) ?? unitsInUse);
    return [
      { text: `${named(poolOf(item), width)}  ` },
      { text: bar(unitsInUse, unitsEnforced), style: fullness(unitsInUse, unitsEnforced) },
      { text: figures([unitsInUse]) },
      {
        text: figures([change > 0 ? `+${change}` : change || '']),
        style: change > 0 ? 'green' : 'dim',
      },
      { text: figures([unitsEnforced, unitsFree, unitsPeak, users, connections, logins.grace]) },
    ];
  });
  return { head, rows };
}

function instancesTable({ instances }: Snapshot): Table {
  const width = widthOf(
    'INSTANCE',
    instances.map(({ instance }) => instance),
  );
  const keyWidth = widthOf(
    'KEY',
    instances.map(({ key }) => key ?? '-'),
  );
  const titles = figures(['UNITS', 'USERS', 'CONN', 'LOGINS']);
  const head = `${'INSTANCE'.padEnd(width)}  ${'KEY'.padEnd(keyWidth)}  ${'STATE'.padEnd(8)}${titles}  REPORTED`;
  const rows = instances.map((item): Line => {
    const { instance, key = '-', state, units, users, connections, logins, reportedAt, stale } = item;
    return [
      { text: `${named(instance, width)}  ${named(key, keyWidth)}  ` },
      { text: state.padEnd(8), style: state === 'active' ? 'green' : 'yellow' },
      { text: `${figures([units, users, connections, logins])}  ` },
      {
        text: `${cellText(reportedAt)}${stale === true ? ' (stale)' : ''}`,
        style: stale === true ? 'yellow' : undefined,
      },
    ];
  });
  return { head, rows };
}

function usersTable({ users }: Snapshot): Table {
  const sorted = users.toSorted((a, b) => b.units - a.units || b.connections - a.connections);
  const width = widthOf(
    'USER ID',
    sorted.map(({ userId }) => userId),
  );
  const keyWidth = widthOf(
    'KEY',
    sorted.map(({ key }) => key ?? '-'),
  );
  const titles = figures(['UNITS', 'CONN', 'PEAK']);
  const head = `${'USER ID'.padEnd(width)}  ${'KEY'.padEnd(keyWidth)}${titles}  INSTANCES`;
  const rows = sorted.map((item): Line => {
    const { userId, key = '-', units, connections, connectionsPeak, transitioned, instances } = item;
    return [
      { text: `${named(userId, width)}  ${named(key, keyWidth)}` },
      {
        text: figures([units, connections, connectionsPeak]),
        style: transitioned ? 'yellow' : undefined,
      },
      {
        text: `  ${instances.map((place) => `${visible(place.instance)} (${place.connections})`).join(', ')}`,
      },
    ];
  });
  return { head, rows };
}

function figures(values: readonly (number | string)[]): string {
  return values.map((value) => String(value).padStart(FIGURE_WIDTH)).join('');
}

/** From when on the use of a key is worth a look. */
const NEARLY = 0.9;

/**
 * How full a key is, as a colour.
 *
 * @param inUse - units in use.
 * @param limit - units that are enforced.
 */
export function fullness(inUse: number, limit: number): Style | undefined {
  if (inUse >= limit) return 'red';
  return inUse >= NEARLY * limit ? 'yellow' : undefined;
}

function bar(inUse: number, limit: number): string {
  const share = limit === 0 ? 0 : inUse / limit;
  const full = Math.min(BAR_WIDTH, Math.round(share * BAR_WIDTH));
  const percent = `${Math.round(share * 100)}%`.padStart(5);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}]${percent}`;
}

const NAME_WIDTH_MAX = 40;

function widthOf(title: string, names: readonly string[]): number {
  return Math.min(
    NAME_WIDTH_MAX,
    Math.max(title.length, ...names.map((name) => displayWidth(visible(name)))),
  );
}

/** A name in its column: filled with blanks, or cut off. */
function named(name: string, width: number): string {
  const shown = cutTo(visible(name), width);
  return shown + ' '.repeat(width - displayWidth(shown));
}

/** The beginning of a text that fits into so many columns. */
function cutTo(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let shown = '';
  for (const character of text) {
    if (displayWidth(shown + character) > width) break;
    shown += character;
  }
  return shown;
}

/** Cuts a line off at the edge of the terminal, and marks its parts. */
function render(line: Line, columns: number, paint: Painter): string {
  let left = columns;
  return line
    .map(({ text, style }) => {
      const cut = cutTo(text, left);
      left -= displayWidth(cut);
      return style === undefined ? cut : paint[style](cut);
    })
    .join('');
}
