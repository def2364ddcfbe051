/**
 * The queries of the legacy class (notes 2.6), each as rows under its own columns, page by page: from a replica's
 * copy that has caught up, and only as far as the asker may see.
 */

import { type Principal, permits } from '../domain/access.ts';
import { LicenseError } from '../domain/errors.ts';
import { defaultPoolOf, type Instance } from '../domain/instances.ts';
import { mainFields } from '../domain/keys/keydisplay.ts';
import { keyStatus } from '../domain/keys/keys.ts';
import type { Table } from '../domain/table.ts';
import { type QueryParameter, type QueryShape, queryNamed } from '../domain/texts/queries.ts';
import { applicationUse, takesByUser, type UserTakes } from '../domain/texts/reportholdings.ts';
import type { Cell } from '../domain/texts/reporttexts-dumps.ts';
import { instanceRows } from './instancequeries.ts';
import { addressOf, clientsOf, type KeyClient } from './keyreports.ts';
import { type AsOf, byCodeUnits } from './keys.ts';
import type { LicenseServers } from './licenseservers.ts';
import {
  activeInstances,
  type Reports,
  type ReportsOptions,
  ROWS_IN_MEMORY_MAX,
  reportedAtMs,
  requireOn,
} from './reports.ts';
import { keyOfPool, mayCount, poolIds } from './usage.ts';

/** A place in the order of a query's rows, by which the next page is continued. */
export type Position = readonly (string | number)[];

/** A row with its place. */
export interface QueryRow {
  readonly at: Position;
  readonly cells: readonly Cell[];
}

/** What a query is asked with; members that it does not take must be left out. */
export interface QueryRequest {
  readonly name: string;
  readonly instance?: string | undefined;
  readonly key?: string | undefined;
  /** Every slot, or everybody, instead of those in use. */
  readonly all?: boolean | undefined;
  readonly filter?: string | undefined;
  readonly sections?: 1 | 2 | 3 | undefined;
  readonly application?: string | undefined;
  readonly showCounts?: boolean | undefined;
}

/** A page of rows. */
export interface QueryPage {
  readonly shape: QueryShape;
  readonly rows: readonly QueryRow[];
  readonly next: Position | null;
  /** The instance or the key that it is about; null when it is about all. */
  readonly of: { readonly instance: string } | { readonly key: string } | null;
  readonly reportedAtMs: number | null;
  readonly asOf: AsOf;
}

/** What the queries need. */
export interface QueriesOptions
  extends Pick<ReportsOptions, 'lane' | 'clock' | 'revoked' | 'rowsInMemoryMax'> {
  readonly reports: Reports;
  readonly licenseServers: Pick<LicenseServers, 'active'>;
}

interface Page {
  readonly after: Position | null;
  readonly limit: number;
}

type Found = Pick<QueryPage, 'rows' | 'next' | 'of' | 'reportedAtMs' | 'asOf'>;

/** Answers queries. */
export class Queries {
  readonly #options: QueriesOptions;

  constructor(options: QueriesOptions) {
    this.#options = options;
  }

  /**
   * Answers one query.
   * @param page.after - the place of the last row of the page before; null begins at the start.
   * @throws LicenseError `not-found` for a query that there is not; `malformed-request` when it does not take what
   *   is stated, or must be told what it is about; `instance-not-found`, `key-not-found`, `forbidden`.
   */
  async run(principal: Principal, request: QueryRequest, page: Page): Promise<QueryPage> {
    const shape = queryNamed(request.name);
    if (!shape) {
      throw new LicenseError(
        'not-found',
        `There is no query "${request.name}"; GET /v1/queries lists those there are.`,
      );
    }
    refuseStrangers(shape, request);
    return { shape, ...(await this.#rows(shape, principal, request, page)) };
  }

  #rows(shape: QueryShape, principal: Principal, request: QueryRequest, page: Page): Promise<Found> {
    if (shape.name === 'LicenseManager') return this.#licenseManager();
    if (shape.name === 'LicenseServerKeyList') return this.#keyList(principal, page);
    if (shape.of === 'instance') return this.#ofInstance(shape, principal, request, page);
    return this.#distributed(shape, principal, request, page);
  }

  async #ofInstance(
    shape: QueryShape,
    principal: Principal,
    request: QueryRequest,
    page: Page,
  ): Promise<Found> {
    const { lane, revoked, reports, rowsInMemoryMax = ROWS_IN_MEMORY_MAX } = this.#options;
    // Only the key's own file has its authorization key, which is no part of the table.
    const authorizationKey =
      shape.name === 'Key' ? await this.#authorizationKey(reports, principal, request) : null;
    return lane.read((table) => {
      const { instance } = instanceOf(table, principal, request);
      const asOf = this.#asOf(table);
      const source = { table, instance, nowMs: asOf.atMs, revoked, rowsInMemoryMax, authorizationKey };
      const all = instanceRows(shape.name, source, request, page.after);
      const of = { instance: instance.name };
      return { ...cut(all, page), of, asOf, reportedAtMs: reportedAtMs(table, instance.name) };
    });
  }

  async #authorizationKey(
    reports: Reports,
    principal: Principal,
    request: QueryRequest,
  ): Promise<string | null> {
    const key = await this.#options.lane.read((table) => {
      const { instance } = instanceOf(table, principal, request);
      return table.keys.get(instance.key ?? '') ?? null;
    });
    return reports.authorizationKey(principal, key);
  }

  #distributed(shape: QueryShape, principal: Principal, request: QueryRequest, page: Page): Promise<Found> {
    return this.#options.lane.read((table) => {
      const pool = shape.of === 'all' ? null : poolOf(table, principal, request);
      const asOf = this.#asOf(table);
      const key = pool === null ? null : keyOfPool(pool);
      const of = key === null ? null : { key };
      const rows =
        shape.name === 'ActiveServerList'
          ? cut(activeServers(table, principal, key), page)
          : connections(table, principal, pool, page, shape.name === 'ConnectionAppList');
      return { ...rows, of, asOf, reportedAtMs: null };
    });
  }

  async #licenseManager(): Promise<Found> {
    const { lane, licenseServers } = this.#options;
    const active = await licenseServers.active();
    const rows = active === null ? [] : [{ at: [0], cells: [active.address, active.port] }];
    const asOf = await lane.read((table) => this.#asOf(table));
    return { rows, next: null, of: null, asOf, reportedAtMs: null };
  }

  async #keyList(principal: Principal, page: Page): Promise<Found> {
    const { lane, revoked, reports } = this.#options;
    const { keys, next, asOf } = await lane.read((table) => {
      const ids = [...table.keys.keys()]
        .filter((id) => mayCount(principal, table, id))
        .sort(byCodeUnits)
        .map((id) => ({ at: [id], cells: [] }));
      const { rows, next } = cut(ids, page);
      const keys = rows.map(({ at }) => table.keys.get(String(at[0]))!);
      return { keys, next, asOf: this.#asOf(table) };
    });
    const rows: QueryRow[] = [];
    for (const key of keys) {
      const shown = await reports.authorizationKey(principal, key);
      const fields = mainFields(key, keyStatus(key, asOf.atMs, revoked), shown);
      rows.push({ at: [key.id], cells: [...fields.map(([, value]) => value), key.licenseId ?? ''] });
    }
    return { rows, next, of: null, asOf, reportedAtMs: null };
  }

  #asOf(table: Table): AsOf {
    return { atMs: Math.floor(this.#options.clock.nowMs()), version: table.version };
  }
}

const PARAMETERS = ['all', 'filter', 'sections', 'application', 'showCounts'] as const;

/** What a query does not take would change nothing, which whoever states it does not expect. */
function refuseStrangers({ name, of, takes }: QueryShape, request: QueryRequest): void {
  const strangers: string[] = PARAMETERS.filter(
    (parameter: QueryParameter) => request[parameter] !== undefined && !takes.includes(parameter),
  );
  if (of === 'all' && request.instance !== undefined) strangers.push('instance');
  if (of !== 'key' && request.key !== undefined) strangers.push('key');
  if (strangers.length === 0) return;
  throw new LicenseError('malformed-request', `The query ${name} does not take ${strangers.join(', ')}.`, {
    errors: strangers.map((one) => ({ pointer: `?${one}`, message: 'is not taken by this query' })),
  });
}

/** The rows of a page out of all of them, from the place after the last one. */
function cut(all: Iterable<QueryRow>, { after, limit }: Page): Pick<QueryPage, 'rows' | 'next'> {
  const rows: QueryRow[] = [];
  for (const row of all) {
    if (after !== null && !isAfter(row.at, after)) continue;
    if (rows.length === limit) return { rows, next: rows.at(-1)!.at };
    rows.push(row);
  }
  return { rows, next: null };
}

function isAfter(at: Position, after: Position): boolean {
  for (const [index, value] of at.entries()) {
    const bound = after[index];
    if (value === bound || bound === undefined) continue;
    return typeof value === typeof bound ? value > bound : typeof value === 'string';
  }
  return false;
}

function instanceOf(
  table: Table,
  principal: Principal,
  request: QueryRequest,
): { readonly instance: Instance } {
  const name = request.instance ?? principal.instance ?? onlyInstance(table, principal);
  return { instance: requireOn(table, principal, 'usage.read', name) };
}

function onlyInstance(table: Table, principal: Principal): string {
  const names = [...table.instances.values()]
    .filter(({ name, key }) => permits(principal, 'usage.read', { instance: name, keyId: key }))
    .map(({ name }) => name);
  if (names.length === 1) return names[0]!;
  throw new LicenseError('malformed-request', 'Say which instance is meant: ?instance=….', {
    errors: [{ pointer: '?instance', message: 'is required unless there is one instance only' }],
  });
}

/** @returns the pool of the key that is meant: the one named, or that of the instance. */
function poolOf(table: Table, principal: Principal, request: QueryRequest): string {
  if (request.key !== undefined) {
    const [id] = poolIds(table, request.key);
    if (mayCount(principal, table, id!)) return id!;
    throw new LicenseError(
      'forbidden',
      'The token is restricted and does not permit usage.read on this key.',
    );
  }
  const { instance } = instanceOf(table, principal, request);
  return instance.key ?? defaultPoolOf(instance.name);
}

function activeServers(table: Table, principal: Principal, key: string | null): QueryRow[] {
  const orderNumber = key === null ? null : (table.keys.get(key)?.orderNumber ?? null);
  if (orderNumber === null) return [];
  return activeInstances(table, orderNumber)
    .filter(({ name, key: keyId }) => permits(principal, 'usage.read', { instance: name, keyId }))
    .sort((left, right) => byCodeUnits(left.name, right.name))
    .map(({ name }) => ({ at: [name], cells: [addressOf(table, name), name, orderNumber] }));
}

/**
 * The rows of the connection lists, by key, user and instance.
 * @param pool - one key; null for all.
 * @param withApplications - whether each row says what its user holds of application licences on the instance.
 */
function connections(
  table: Table,
  principal: Principal,
  pool: string | null,
  page: Page,
  withApplications: boolean,
): Pick<QueryPage, 'rows' | 'next'> {
  const rows: QueryRow[] = [];
  const [afterPool = '', afterUser = '', afterInstance = ''] = (page.after ?? []).map(String);
  const takes = new Map<string, Map<string, UserTakes>>();
  const cellsOf = (client: KeyClient): Cell[] => {
    const cells = connectionCells(client);
    if (!withApplications) return cells;
    const { instance, userId } = client;
    const known = takes.get(instance) ?? takesByUser(table.places.get(instance));
    takes.set(instance, known);
    return [...cells, applicationUse(known.get(userId))];
  };
  for (const id of pool === null ? poolIds(table, undefined) : [pool]) {
    if (id < afterPool) continue;
    const left = page.limit - rows.length;
    const after = id === afterPool ? ([afterUser, afterInstance] as const) : null;
    const { clients, hasMore } = clientsOf(table, principal, id, after, Math.max(1, left));
    if (clients.length > 0 && left === 0) return { rows, next: rows.at(-1)!.at };
    for (const client of clients)
      rows.push({ at: [id, client.userId, client.instance], cells: cellsOf(client) });
    if (hasMore) return { rows, next: rows.at(-1)!.at };
  }
  return { rows, next: null };
}

function connectionCells({ userId, units, isShared, connections, address, instance }: KeyClient): Cell[] {
  return [userId, isShared ? 'shr' : units, connections, address, instance];
}
