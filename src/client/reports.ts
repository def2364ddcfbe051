/**
 * The reports of an instance, under the names that hands know (F-60…F-62): its own part live from its own table,
 * where it decides for itself, and what only the server knows by asking it. Where the server is away, what it would
 * say reads `Not connected to license server` (notes 2.7).
 */

import { endDue } from '../domain/local/localdecisions.ts';
import {
  countsRows,
  FREE_CELLS,
  matchesFilter,
  processListCells,
  queryNamed,
  summaryRows,
  type UseShown,
} from '../domain/texts/queries.ts';
import { type InstanceRows, rowsOfLocalTable } from '../domain/texts/reportrows.ts';
import {
  type Availability,
  type CountsShown,
  countsText,
  type Generation,
  keyText,
  NOT_CONNECTED,
  summaryText,
} from '../domain/texts/reporttexts.ts';
import {
  type Cell,
  type DumpForm,
  type DumpUnits,
  processDumpText,
  userCells,
  userDumpText,
} from '../domain/texts/reporttexts-dumps.ts';
import type { Client } from './client.ts';
import type { Clock } from './instance-clock.ts';
import type { InstanceCore } from './instance-core.ts';
import type { RunQueryQuery, SummariseUsageAnswer } from './openapi.ts';
import { ApiError, UnreachableError } from './problems.ts';
import type { CallOptions } from './transport.ts';

/** The reports, by the names of the legacy class. */
export const REPORT_NAMES = [
  'CKEY',
  'ShowCounts',
  'ShowServer',
  'ShowSummary',
  'DumpLocalAll',
  'DumpLocalInUse',
  'DumpLocalPID',
  'DumpServer',
  'DumpServers',
  'DumpKey',
  'DumpKeys',
] as const;

/** The name of a report. */
export type ReportName = (typeof REPORT_NAMES)[number];

/** How a report is wanted. */
export interface ReportOptions extends CallOptions {
  /** The product whose text is wanted; that of the instance's own `product` when left out. */
  readonly generation?: Generation | undefined;
  /** Of a local dump: as Caché 5 has it, or the table of later versions. */
  readonly form?: DumpForm | undefined;
  /** Of `ShowCounts`: six lines or nine; nine when left out. */
  readonly counts?: 'older' | 'newer' | undefined;
}

/** How the rows of a query are wanted. */
export interface RowsOptions
  extends Omit<RunQueryQuery, 'limit' | 'cursor' | 'instance' | 'key'>,
    CallOptions {}

/** The rows of a query. */
export interface ReportRows {
  readonly name: string;
  readonly columns: readonly string[];
  /** Every row; null is a blank. */
  readonly rows: readonly (readonly Cell[])[];
  /** As of when, in RFC 3339: by the clock of whoever answered. */
  readonly asOf: string;
  /** Whether it is from the instance's own table, which is exact at that instant (F-55). */
  readonly isLive: boolean;
}

/** What of the instance its reports depend on. */
export interface InstanceReportsOptions {
  readonly core: Pick<InstanceCore, 'asksAlways' | 'table' | 'terms' | 'patienceMs' | 'checkTerm'>;
  readonly client: Pick<Client, 'usage' | 'reports' | 'queries'>;
  readonly clock: Clock;
  readonly name: string;
  readonly product: string | undefined;
}

const TIMEOUT_MS = 10_000;
const PAGE_LIMIT = 500;
const NOT_CONNECTED_TEXT = `${NOT_CONNECTED}\n`;

/** The reports of one instance. */
export class InstanceReports {
  readonly #options: InstanceReportsOptions;

  constructor(options: InstanceReportsOptions) {
    this.#options = options;
  }

  /**
   * A report as text.
   * @throws TypeError for a name that there is not; ApiError when the server refuses to report, as to a token that
   * does not permit it; Error for processes that the instance does not keep.
   */
  async text(name: ReportName, options: ReportOptions = {}): Promise<string> {
    if (!REPORT_NAMES.includes(name)) {
      throw new TypeError(
        `There is no report ${JSON.stringify(name)}; there are ${REPORT_NAMES.join(', ')}.`,
      );
    }
    const text = this.#options.core.asksAlways ? undefined : await this.#liveText(name, options);
    return text ?? (await whileThere(this.#askedText(name, options))) ?? NOT_CONNECTED_TEXT;
  }

  /**
   * The rows of a query of the legacy class, all of them; its columns are named as they are there.
   * @throws as `text`; UnreachableError when only the server has the rows and is away.
   */
  async rows(name: string, options: RowsOptions = {}): Promise<ReportRows> {
    const shape = queryNamed(name);
    if (shape === undefined) throw new TypeError(`There is no query ${JSON.stringify(name)}.`);
    if (this.#options.core.asksAlways || !shape.isLocal) return this.#askedRows(shape.name, options);
    const asOf = new Date(this.#options.clock.wallMs()).toISOString();
    const rows = await this.#liveRows(shape.name, options);
    return { name: shape.name, columns: shape.columns, rows, asOf, isLive: true };
  }

  get #generation(): Generation {
    return /\biris\b/i.test(this.#options.product ?? '') ? 'iris' : 'cache';
  }

  /** The table with what has ended by itself taken out of it, and the instant by its clock. */
  #look(): { readonly rows: InstanceRows; readonly units: DumpUnits; readonly nowMs: number } {
    const { core, clock } = this.#options;
    core.checkTerm();
    const nowMs = clock.monotonicMs();
    endDue(core.table, nowMs);
    const { capacity, settings, units } = core.table;
    const own = capacity.fault === null && settings.unitLimit > 0 ? settings.unitLimit : capacity.unitsMax;
    const most = Math.min(own, capacity.unitsMax);
    return { rows: rowsOfLocalTable(core.table), units: { capacity: most, inUse: units }, nowMs };
  }

  /** @returns undefined for what only the server can say. */
  async #liveText(name: ReportName, options: ReportOptions): Promise<string | undefined> {
    const { generation = this.#generation } = options;
    switch (name) {
      case 'CKEY':
        return this.#keyText(generation, options);
      case 'ShowCounts':
        return countsText(this.#counts(), options.counts ?? 'newer');
      case 'ShowSummary': {
        const distributed = await this.#distributed(options);
        const { units, unitsPeak, connections, connectionsPeak } = this.#levels();
        const local = { units, unitsPeak, connections, connectionsPeak };
        return summaryText({ distributed, local }, generation);
      }
      case 'DumpLocalAll':
      case 'DumpLocalInUse': {
        const { rows, units, nowMs } = this.#look();
        const which = name === 'DumpLocalAll' ? 'all' : 'in-use';
        return userDumpText(options.form ?? 'c5', rows.users, units, which, nowMs);
      }
      case 'DumpLocalPID': {
        this.#requireProcesses();
        const { rows, units, nowMs } = this.#look();
        return processDumpText(options.form ?? 'table', rows.processes, units, nowMs);
      }
      default:
        return undefined;
    }
  }

  #requireProcesses(): void {
    if (this.#options.core.table.logins !== null) return;
    throw new Error(
      'The instance keeps no list of its processes. Open it with tracksProcesses: true to have them reported.',
    );
  }

  #levels() {
    this.#look();
    return this.#options.core.table.counts;
  }

  /** What is left of the units of the instance, and the least that was. */
  #availability(): Availability & { readonly available: number } {
    const { units } = this.#look();
    const { capacity, inUse } = units;
    const { unitsPeak } = this.#options.core.table;
    return {
      available: Math.max(0, capacity - inUse),
      availableMin: Math.max(0, capacity - unitsPeak),
      availableMax: capacity,
    };
  }

  #counts(): CountsShown {
    const { available, availableMin } = this.#availability();
    const { usersIn, usersPeak, webUsers, webUsersPeak, webGrace, webGracePeak } = this.#options.core.table;
    return {
      unitsAuthorised: this.#options.core.terms.limit,
      unitsAvailable: available,
      unitsAvailableMin: availableMin,
      ...{ users: usersIn, usersPeak, webUsers, webUsersPeak },
      webInGrace: webGrace,
      webInGracePeak: webGracePeak,
    };
  }

  #calling({ signal, timeoutMs = TIMEOUT_MS, attemptTimeoutMs, attemptsMax }: CallOptions): CallOptions {
    return { signal, timeoutMs: this.#options.core.patienceMs(timeoutMs), attemptTimeoutMs, attemptsMax };
  }

  /** @returns what all instances of the key use together; null when the server is away. */
  async #distributed(options: CallOptions): Promise<SummariseUsageAnswer['distributed'] | null> {
    const { client, name } = this.#options;
    const call = client.usage.summary({ instance: name }, this.#calling(options));
    return (await whileThere(call))?.distributed ?? null;
  }

  async #keyText(generation: Generation, options: CallOptions): Promise<string> {
    const { client, name, core } = this.#options;
    const answer = await whileThere(client.reports.key(name, {}, this.#calling(options)));
    const { key } = core.terms;
    const fields = (answer?.fields ?? []).slice(0, MAIN_FIELDS);
    return keyText({
      generation,
      file: key === null ? null : `${key}.key`,
      fields: fields.map(({ field, value }) => [field, value] as const),
      ...this.#availability(),
    });
  }

  #askedText(name: ReportName, options: ReportOptions): Promise<string> {
    const { client, name: instance, core } = this.#options;
    const { generation, form } = options;
    const call = this.#calling(options);
    const inForm = form === undefined ? {} : { form };
    const inGeneration = generation === undefined ? {} : { generation };
    switch (name) {
      case 'CKEY':
        return client.reports.keyText(instance, inGeneration, call);
      case 'ShowCounts':
        return client.reports.countsText(instance, { form: options.counts ?? 'newer' }, call);
      case 'ShowServer':
        return client.reports.activeServerText({ instance }, call);
      case 'ShowSummary':
        return client.usage.summaryText({ instance, ...inGeneration }, call);
      case 'DumpLocalAll':
        return client.reports.slotsText(instance, inForm, call);
      case 'DumpLocalInUse':
        return client.reports.usersText(instance, inForm, call);
      case 'DumpLocalPID':
        return client.reports.processesText(instance, inForm, call);
      case 'DumpServer':
        return client.usage.serversText({ instance }, call);
      case 'DumpServers':
        return client.usage.serversText({}, call);
      case 'DumpKey':
        return client.usage.keysText(core.terms.key === null ? {} : { key: core.terms.key }, call);
      case 'DumpKeys':
        return client.usage.keysText({}, call);
    }
  }

  async #liveRows(query: string, options: RowsOptions): Promise<readonly (readonly Cell[])[]> {
    const { filter } = options;
    if (query === 'Counts') return countsRows(this.#counts());
    if (query === 'Summary') return summaryRows(this.#use(), await this.#distributed(options));
    if (query === 'ProcessList') {
      this.#requireProcesses();
      const { rows, nowMs } = this.#look();
      return rows.processes
        .filter(({ userId, processId }) => matchesFilter(filter, userId, processId))
        .map((row) => processListCells(row, nowMs));
    }
    const { rows, units, nowMs } = this.#look();
    const used = rows.users
      .filter(({ userId }) => matchesFilter(filter, userId))
      .map((row) => userCells(row, nowMs));
    const withFree = (query === 'UserListAll' || options.all === true) && (filter ?? '') === '';
    const free = withFree ? Math.max(0, units.capacity - used.length) : 0;
    return [...used, ...Array.from({ length: Math.min(free, FREE_ROWS_MAX) }, () => FREE_CELLS)];
  }

  #use(): UseShown {
    const { units, unitsPeak, connections, connectionsPeak } = this.#levels();
    const unitsAuthorised = this.#availability().availableMax ?? 0;
    return { unitsInUse: units, unitsPeak, unitsAuthorised, connections, connectionsPeak };
  }

  async #askedRows(query: string, options: RowsOptions): Promise<ReportRows> {
    const { client, name: instance } = this.#options;
    const { signal, timeoutMs, attemptTimeoutMs, attemptsMax, ...wanted } = options;
    const call = this.#calling({ signal, timeoutMs, attemptTimeoutMs, attemptsMax });
    const about = queryNamed(query)?.of === 'all' ? {} : { instance };
    const rows: (readonly Cell[])[] = [];
    let cursor: string | undefined;
    for (;;) {
      const where = cursor === undefined ? {} : { cursor };
      const page = await client.queries.run(
        query,
        { ...wanted, ...about, ...where, limit: PAGE_LIMIT },
        call,
      );
      rows.push(...page.rows);
      cursor = page.nextCursor;
      const { name, columns, asOf } = page;
      if (cursor === undefined) return { name, columns, rows, asOf, isLive: false };
    }
  }
}

/** The fields of the legacy key display, which come first. */
const MAIN_FIELDS = 6;
/** How many free slots are rows. */
const FREE_ROWS_MAX = 100_000;

/** @returns undefined when the server is away, or not ready to answer. */
async function whileThere<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  try {
    return await answer;
  } catch (error) {
    const isAway = error instanceof UnreachableError || (error instanceof ApiError && error.status === 503);
    if (isAway) return undefined;
    throw error;
  }
}
