/**
 * The rows of the queries that are about one instance (notes 2.6).
 */

import { LicenseError } from '../domain/errors.ts';
import { defaultPoolOf, type Instance } from '../domain/instances.ts';
import { capabilityRows, mainFields, statedFields } from '../domain/keys/keydisplay.ts';
import { keyStatus } from '../domain/keys/keys.ts';
import { DURATION_BOUNDS_SECONDS, noDurations } from '../domain/marks/durations.ts';
import type { Table } from '../domain/table.ts';
import {
  countsRows,
  durationRows,
  FREE_CELLS,
  keyRows,
  matchesFilter,
  processListCells,
  summaryRows,
  type UseShown,
} from '../domain/texts/queries.ts';
import { appLicenses, takesByUser } from '../domain/texts/reportholdings.ts';
import { countsShown } from '../domain/texts/reporttexts.ts';
import { type Cell, userCells } from '../domain/texts/reporttexts-dumps.ts';
import { countsOf } from './marks.ts';
import type { Position, QueryRequest, QueryRow } from './queries.ts';
import { availabilityOf, capacityOf, NO_KEY_STATUS, requireRows } from './reports.ts';
import { limitsOf } from './usage.ts';

/** What the rows of an instance are made of. */
export interface InstanceSource {
  readonly table: Table;
  readonly instance: Instance;
  readonly nowMs: number;
  readonly revoked: ReadonlySet<string>;
  readonly rowsInMemoryMax: number;
  /** Of its key's file; null when it is not to be shown. */
  readonly authorizationKey: string | null;
}

/** What the free slots come after: every user has a number in this place. */
const FREE = 'free';

/**
 * @param query - the exact name of a query about an instance.
 * @param after - where the page begins; only whoever makes very many rows looks at it.
 * @throws LicenseError `malformed-request` when the query must be told what it is about.
 */
export function instanceRows(
  query: string,
  source: InstanceSource,
  request: QueryRequest,
  after: Position | null,
): Iterable<QueryRow> {
  const { table, instance, nowMs, revoked } = source;
  switch (query) {
    case 'Counts':
      return numbered(countsRows(countsShown(countsOf(table, instance, nowMs, revoked))));
    case 'Summary':
      return numbered(summaryOf(source));
    case 'ProcessList':
      return processes(source, request);
    case 'UserList':
      return users(source, request.filter, request.all === true, after);
    case 'UserListAll':
      return users(source, undefined, true, after);
    case 'ApplicationUserList':
      return holders(source, requireApplication(request), request.showCounts === true, false);
    case 'TrakCareUserList':
      return holders(source, 'TrakCare', false, request.all === true);
    case 'Key':
      return numbered(keyRowsOf(source, request.sections ?? 1));
    case 'Decode':
      return numbered(capabilityRows(keyOf(source)));
    case 'LoginDuration': {
      const { counts } = table.places.get(instance.name)?.durations ?? noDurations(0);
      return numbered(durationRows(DURATION_BOUNDS_SECONDS, counts));
    }
    default:
      throw new Error(`the query ${query} is not about an instance`);
  }
}

function numbered(rows: readonly (readonly Cell[])[]): QueryRow[] {
  return rows.map((cells, index) => ({ at: [index], cells }));
}

function keyOf({ table, instance }: InstanceSource) {
  return table.keys.get(instance.key ?? '') ?? null;
}

function requireApplication({ application }: QueryRequest): string {
  if (application !== undefined) return application;
  throw new LicenseError('malformed-request', 'Say which application is meant: ?application=….', {
    errors: [{ pointer: '?application', message: 'is required by this query' }],
  });
}

function summaryOf({ table, instance, nowMs, revoked }: InstanceSource) {
  const id = instance.key ?? defaultPoolOf(instance.name);
  const place = table.places.get(instance.name);
  const pool = table.pools.get(id);
  const { unitsAuthorised } = limitsOf(table, id);
  const local: UseShown = {
    unitsInUse: place?.units ?? 0,
    unitsPeak: place?.marks.unitsPeak ?? 0,
    unitsAuthorised: Math.min(unitsAuthorised, capacityOf(table, instance, nowMs, revoked)),
    connections: place?.marks.connections ?? 0,
    connectionsPeak: place?.marks.connectionsPeak ?? 0,
  };
  const distributed: UseShown = {
    unitsInUse: pool?.units ?? 0,
    unitsPeak: pool?.unitsPeak ?? 0,
    unitsAuthorised,
    connections: pool?.connections ?? 0,
    connectionsPeak: pool?.connectionsPeak ?? 0,
  };
  return summaryRows(local, distributed);
}

function* processes(
  { table, instance, nowMs, rowsInMemoryMax }: InstanceSource,
  { filter }: QueryRequest,
): Generator<QueryRow> {
  for (const row of requireRows(table, instance.name, rowsInMemoryMax).processes) {
    if (!matchesFilter(filter, row.userId, row.processId)) continue;
    yield { at: [...row.order, row.userId ?? ''], cells: processListCells(row, nowMs) };
  }
}

/** @param withFree - whether every slot that nobody has is a row as well (`UserListAll`). */
function* users(
  { table, instance, nowMs, revoked, rowsInMemoryMax }: InstanceSource,
  filter: string | undefined,
  withFree: boolean,
  after: Position | null,
): Generator<QueryRow> {
  const rows = requireRows(table, instance.name, rowsInMemoryMax).users;
  for (const row of rows) {
    if (matchesFilter(filter, row.userId)) {
      yield { at: [...row.order, row.userId], cells: userCells(row, nowMs) };
    }
  }
  if (!withFree || (filter ?? '') !== '') return;
  const { availableMax } = availabilityOf(table, instance, nowMs, revoked);
  const first = after?.[0] === FREE ? Math.max(rows.length, Number(after[1]) + 1) : rows.length;
  for (let slot = first; slot < (availableMax ?? 0); slot += 1) yield { at: [FREE, slot], cells: FREE_CELLS };
}

/** @param everybody - also users who hold nothing of the application. */
function* holders(
  { table, instance, nowMs, rowsInMemoryMax }: InstanceSource,
  application: string,
  showCounts: boolean,
  everybody: boolean,
): Generator<QueryRow> {
  const takes = takesByUser(table.places.get(instance.name));
  for (const row of requireRows(table, instance.name, rowsInMemoryMax).users) {
    const held = appLicenses(takes.get(row.userId), application, showCounts);
    if (held === '' && !everybody) continue;
    yield { at: [...row.order, row.userId], cells: [...userCells(row, nowMs), held] };
  }
}

function keyRowsOf(source: InstanceSource, which: 1 | 2 | 3) {
  const key = keyOf(source);
  const status = key ? keyStatus(key, source.nowMs, source.revoked) : NO_KEY_STATUS;
  const fields = [...mainFields(key, status, source.authorizationKey), ...statedFields(key)];
  return keyRows(fields, key?.sections ?? [], which);
}
