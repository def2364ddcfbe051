/**
 * The queries of the legacy class (notes 2.6): their names and columns exactly as they are there, and how a row
 * of each is made.
 */

import type { ProcessShown } from './reportrows.ts';
import { type CountsShown, countLines, NOT_CONNECTED } from './reporttexts.ts';
import { type Cell, processCells, USER_COLUMNS } from './reporttexts-dumps.ts';

/** The rows of a query. */
export type Rows = readonly (readonly Cell[])[];

/** A query: from whose tables it comes, and what it takes. */
export interface QueryShape {
  readonly name: string;
  readonly columns: readonly string[];
  /** Whether it is about one instance, about a key, or about all that the licence server knows. */
  readonly of: 'instance' | 'key' | 'all';
  /** The parameters that it takes besides what it is of. */
  readonly takes: readonly QueryParameter[];
  /** Whether an instance that decides for itself can answer it from its own table. */
  readonly isLocal: boolean;
  readonly summary: string;
}

/** What a query can be asked with. */
export type QueryParameter = 'all' | 'filter' | 'sections' | 'application' | 'showCounts';

const USE_COLUMNS = ['UserId', 'LicenseUnits', 'Connections', 'ServerIP', 'Instance'] as const;

const of = (shape: Omit<QueryShape, 'takes' | 'isLocal'> & Partial<QueryShape>): QueryShape => ({
  takes: [],
  isLocal: false,
  ...shape,
});

/** Every query of notes 2.6, in its order. */
export const QUERIES: readonly QueryShape[] = [
  of({
    name: 'Counts',
    columns: ['InstanceLicenseUse', 'License Units'],
    of: 'instance',
    isLocal: true,
    summary: 'The nine counts of ShowCounts on the instance.',
  }),
  of({
    name: 'Summary',
    columns: ['LicenseUnitUse', 'Local', 'Distributed'],
    of: 'instance',
    isLocal: true,
    summary: 'What the instance uses, and what all instances of its key use together.',
  }),
  of({
    name: 'ProcessList',
    columns: [
      'PID',
      'DisplayPID',
      'Process',
      'LID',
      'Type',
      'Con',
      'MaxCon',
      'CSPCon',
      'LU',
      'Active',
      'Grace',
    ],
    of: 'instance',
    takes: ['filter'],
    isLocal: true,
    summary: 'The processes of the instance and whose they are. The numbers are those of the user.',
  }),
  of({
    name: 'UserList',
    columns: USER_COLUMNS,
    of: 'instance',
    takes: ['all', 'filter'],
    isLocal: true,
    summary: 'The users of the instance; with `all` also the slots that are free.',
  }),
  of({
    name: 'UserListAll',
    columns: USER_COLUMNS,
    of: 'instance',
    isLocal: true,
    summary: 'Every slot of the instance’s licence table, used or free.',
  }),
  of({
    name: 'ApplicationUserList',
    columns: [...USER_COLUMNS, 'AppLicenses'],
    of: 'instance',
    takes: ['application', 'showCounts'],
    summary: 'The users of the instance who hold units of an application licence, and which.',
  }),
  of({
    name: 'TrakCareUserList',
    columns: [...USER_COLUMNS, 'TrakLicenses'],
    of: 'instance',
    takes: ['all'],
    summary: 'The users of the instance with what they hold of the application TrakCare; `all`: everybody.',
  }),
  of({
    name: 'Key',
    columns: ['Field', 'Value'],
    of: 'instance',
    takes: ['sections'],
    summary: 'The key: its main section (1), its application sections (2), or all (3).',
  }),
  of({
    name: 'Decode',
    columns: ['Field', 'Units'],
    of: 'instance',
    summary: 'The capabilities of the key, as its explicit fields state them.',
  }),
  of({
    name: 'LicenseManager',
    columns: ['IPAddress', 'Port'],
    of: 'all',
    summary: 'The active licence server; no row while there is none.',
  }),
  of({
    name: 'LoginDuration',
    columns: ['Duration', 'Count'],
    of: 'instance',
    summary: 'How long units were held until the logout, in classes.',
  }),
  of({
    name: 'ActiveServerList',
    columns: ['Address', 'Instance', 'OrderNumber'],
    of: 'key',
    summary: 'The active instances that use a key with this order number.',
  }),
  of({
    name: 'LicenseServerKeyList',
    columns: [
      'LicenseCapacity',
      'CustomerName',
      'OrderNumber',
      'ExpirationDate',
      'AuthorizationKey',
      'MachineID',
      'LicenseID',
    ],
    of: 'all',
    summary: 'The keys of the licence server.',
  }),
  of({
    name: 'ConnectionList',
    columns: USE_COLUMNS,
    of: 'key',
    summary: 'Who uses units of the key, and where; `shr` is a unit that stands on another row.',
  }),
  of({
    name: 'AllKeyConnectionList',
    columns: USE_COLUMNS,
    of: 'all',
    summary: 'The same of all keys.',
  }),
  of({
    name: 'ConnectionAppList',
    columns: [...USE_COLUMNS, 'ApplicationUse'],
    of: 'key',
    summary: 'ConnectionList with the application licences that each user holds.',
  }),
];

/** @returns the query of a name in any case; undefined when there is none. */
export function queryNamed(name: string): QueryShape | undefined {
  const wanted = name.toLowerCase();
  return QUERIES.find((query) => query.name.toLowerCase() === wanted);
}

/** The row of a slot that nobody has (`UserListAll`). */
export const FREE_CELLS: readonly Cell[] = ['', '', 0, 0, 0, 0, 0, 0];

/** A row of `ProcessList`, which has the process ID twice: as a number, and as it is displayed. */
export function processListCells(row: ProcessShown, nowMs: number): Cell[] {
  const [id, ...rest] = processCells(row, nowMs);
  return [id ?? null, id === null ? '' : String(id), ...rest];
}

/** The rows of `Counts`. */
export function countsRows(counts: CountsShown): Rows {
  return countLines(counts).map(([label, count]) => [label, count]);
}

/** The totals of a key or of an instance as `Summary` needs them. */
export interface UseShown {
  readonly unitsInUse: number;
  readonly unitsPeak: number | null;
  readonly unitsAuthorised: number;
  readonly connections: number;
  readonly connectionsPeak: number | null;
}

/**
 * The rows of `Summary` in the order that IRIS has (notes 2.7).
 *
 * @param distributed - null when the server that knows it is away.
 */
export function summaryRows(local: UseShown, distributed: UseShown | null): Rows {
  const row = (label: string, pick: (use: UseShown) => number | null): Cell[] => [
    label,
    pick(local),
    distributed === null ? NOT_CONNECTED : pick(distributed),
  ];
  return [
    row('Current License Units Used', ({ unitsInUse }) => unitsInUse),
    row('Maximum License Units Used', ({ unitsPeak }) => unitsPeak),
    row('License Units Authorized', ({ unitsAuthorised }) => unitsAuthorised),
    row('Current Connections', ({ connections }) => connections),
    row('Maximum Connections', ({ connectionsPeak }) => connectionsPeak),
  ];
}

/** A section of a key file, or the main one. */
export interface SectionShown {
  readonly name: string;
  readonly entries: readonly (readonly [keyword: string, value: string])[];
}

/**
 * The rows of `Key`: each application section starts with a row `[Name]` and an empty value (notes 2.6).
 *
 * @param which - 1 the main section, 2 the application sections, 3 all.
 */
export function keyRows(
  fields: readonly (readonly [name: string, value: string])[],
  sections: readonly SectionShown[],
  which: 1 | 2 | 3,
): Rows {
  const rows: Cell[][] = [];
  if (which !== 2) rows.push(...fields.map(([name, value]) => [name, value]));
  if (which === 1) return rows;
  for (const { name, entries } of sections) {
    rows.push([`[${name}]`, ''], ...entries.map(([keyword, value]) => [keyword, value]));
  }
  return rows;
}

/** The rows of `LoginDuration`: one for each bound, and one for what took longer (notes 2.3). */
export function durationRows(boundsSeconds: readonly number[], counts: readonly number[]): Rows {
  const last = boundsSeconds.at(-1) ?? 0;
  return counts.map((count, index) => {
    const bound = boundsSeconds[index];
    return [bound === undefined ? `More than ${last} seconds` : `Up to ${bound} seconds`, count];
  });
}

/** Whether a user or a process is asked for by a filter: its user ID or its process ID has the text, in any case. */
export function matchesFilter(filter: string | undefined, userId: string | null, processId?: number | null) {
  if (filter === undefined || filter === '') return true;
  const wanted = filter.toLowerCase();
  return (
    (userId ?? '').toLowerCase().includes(wanted) ||
    (processId !== undefined && processId !== null && String(processId).includes(wanted))
  );
}
