/**
 * The dumps of one instance: its slots, those in use, and its processes; JSON page by page, or the whole text.
 */

import type { FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { type ProcessShown, processTypeOf, userTypeOf } from '../../domain/texts/reportrows.ts';
import {
  activeSeconds,
  type DumpForm,
  graceSeconds,
  reportedLine,
} from '../../domain/texts/reporttexts-dumps.ts';
import type { UserRow } from '../../domain/texts/usagerows.ts';
import type { Dump, Dumps } from '../../service/dumps.ts';
import { type LocalReport, type Reports, ROWS_IN_MEMORY_MAX, reportTooLarge } from '../../service/reports.ts';
import { AS_OF, fieldFault, instantOf, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { type Batches, jsonLines, processText, type TextOptions, userText } from '../dumpstreams.ts';
import { NameParams } from '../instance-shapes.ts';
import {
  AS_OF_HEADER,
  asStream,
  goneSignal,
  headReport,
  LINES_TYPE,
  preferredForm,
  TEXT_TYPE,
} from '../legacytext.ts';
import { Instant, jsonTextOrLines, PageQuery, pageLimit, responses } from '../schemas.ts';

const Count = (description: string) => Type.Integer({ description });

const FormQuery = (form: DumpForm) =>
  Type.Object(
    {
      ...PageQuery.properties,
      form: Type.Optional(
        Type.Enum(['c5', 'table'], {
          type: 'string',
          default: form,
          description: 'Of the text: as Caché 5 has it, or the table of later versions.',
        }),
      ),
    },
    { additionalProperties: false },
  );

const HEAD = {
  instance: Type.String(),
  reportedAt: Type.Optional(
    Instant('Of an instance that decides for itself: when it last reported what is shown.'),
  ),
  capacity: Count('The units that the instance may use, which are the slots of its table.'),
  unitsInUse: Count('Units in use as the instance sees them.'),
};

const Numbers = {
  connections: Count('His connections on this instance.'),
  connectionsPeak: Count('His most connections at one time over all instances (`MaxCon`). It is no limit.'),
  webSessions: Count('Web sessions among the connections (`CSPCon`).'),
  units: Count('What he costs as this instance sees it (`LU`).'),
};

const Since = Type.Optional(Instant('Since when; absent where an instance reported it, which does not say.'));

const UserView = Type.Object({
  userId: Type.String({ description: 'The licence user ID.' }),
  type: Type.Enum(['User', 'CSP', 'Mixed', 'Grace'], {
    type: 'string',
    description: 'By processes, by the web, by both, or only by units that are still held.',
  }),
  ...Numbers,
  since: Since,
  activeSeconds: Type.Optional(Count('For how long, in seconds (`Active`).')),
  graceSeconds: Count('For how long his unit is held on if everything were closed now (`Grace`).'),
});

const ProcessView = Type.Object({
  processId: Type.Optional(Type.Integer({ description: 'Absent where none was stated.' })),
  process: Type.Enum(['System', 'User', 'CSP', 'Diagnostic', 'Server', 'Pending'], {
    type: 'string',
    description:
      '`System` and `Server` cost nothing; `CSP` is the worker of a session; `Diagnostic` the emergency login; `Pending` has not said yet who it is.',
  }),
  userId: Type.Optional(Type.String({ description: 'Absent for what is nobody’s.' })),
  type: Type.Optional(Type.Enum(['User', 'CSP', 'Mixed'], { type: 'string' })),
  ...Numbers,
  since: Since,
  activeSeconds: Type.Optional(Count('For how long, in seconds (`Active`).')),
});

const UsersDump = Type.Object({ ...HEAD, ...PageAsOf(UserView).properties, ...AS_OF });
const ProcessesDump = Type.Object({ ...HEAD, ...PageAsOf(ProcessView).properties, ...AS_OF });

/** The services that these routes call. */
interface Using {
  readonly reports: Reports;
  readonly dumps: Dumps;
}

type App = Parameters<RoutePlugin>[0];

/** What goes on a page out of rows in order, and where the next one begins. */
function pageOf<Row extends { readonly order: readonly [number, number]; readonly userId: string | null }>(
  rows: readonly Row[],
  after: readonly (string | number)[] | null,
  limit: number,
) {
  const [first, second, third] = [Number(after?.[0]), Number(after?.[1]), String(after?.[2])];
  const isAfter = ({ order: [one, two], userId }: Row) =>
    one > first || (one === first && (two > second || (two === second && (userId ?? '') > third)));
  const rest = after === null ? rows : rows.filter(isAfter);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  const next = rest.length > limit && last ? [...last.order, last.userId ?? ''] : null;
  return { items, next };
}

function showHead({ instance, units, reportedAtMs, asOf }: LocalReport) {
  return {
    instance: instance.name,
    ...(reportedAtMs === null ? {} : { reportedAt: instantOf(reportedAtMs) }),
    capacity: units.capacity,
    unitsInUse: units.inUse,
    ...showAsOf(asOf),
  };
}

function showSince(sinceMs: number | null, nowMs: number) {
  if (sinceMs === null) return {};
  return { since: instantOf(sinceMs), activeSeconds: activeSeconds(sinceMs, nowMs)! };
}

function showUser(row: UserRow, nowMs: number): Static<typeof UserView> {
  const { userId, type, connections, connectionsPeak, webSessions, units, sinceMs, graceUntilMs } = row;
  return {
    ...{ userId, type, connections, connectionsPeak, webSessions, units },
    ...showSince(sinceMs, nowMs),
    graceSeconds: graceSeconds(graceUntilMs, nowMs),
  };
}

function showProcess(row: ProcessShown, nowMs: number): Static<typeof ProcessView> {
  const { processId, userId, connections, connectionsPeak, webSessions, units, sinceMs } = row;
  const who = userId === null ? {} : { userId, type: userTypeOf(connections, webSessions, 0) as 'User' };
  return {
    ...(processId === 0 ? {} : { processId }),
    process: processTypeOf(row),
    ...who,
    ...{ connections, connectionsPeak, webSessions, units },
    ...showSince(sinceMs, nowMs),
  };
}

/** Above what an instance has reported stands when it did. */
const headLine = ({ reportedAtMs }: LocalReport) => (reportedAtMs === null ? '' : reportedLine(reportedAtMs));

/**
 * The dumps of an instance.
 * @param services.reports - what makes those of few rows.
 * @param services.dumps - what makes those of very many.
 */
export function dumpRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    usersRoute(app, services, 'all');
    usersRoute(app, services, 'in-use');
    processesRoute(app, services);
    done();
  };
}

const USERS_DUMPS = {
  all: {
    operationId: 'dumpInstanceSlots',
    summary: 'Every slot of an instance’s licence table',
    text: '`Accept: text/plain` gives the legacy `all.dmp`, whole, with a line for each slot that is free.',
  },
  'in-use': {
    operationId: 'dumpInstanceUsers',
    summary: 'Who is on an instance, and what he costs',
    text: '`Accept: text/plain` gives the legacy `inuse.dmp`, whole.',
  },
} as const;

const WHOLE = `\`Accept: application/x-ndjson\` gives one JSON object a line: first what the dump is of, then each entry. Both are sent piece by piece, however long they are; JSON comes in pages, up to ${ROWS_IN_MEMORY_MAX} logins and users. The header \`dump-entries\` says how many entries there are. ${AS_OF_HEADER}`;
const PROBLEMS = [
  'instance-not-found',
  'report-too-large',
  'too-many-dumps',
  'dump-too-slow',
  'not-ready',
] as const;

function usersRoute(app: App, services: Using, which: 'all' | 'in-use'): void {
  const { operationId, summary, text } = USERS_DUMPS[which];
  app.get(
    `/v1/instances/:name/dumps/${which}`,
    {
      config: { access: 'usage.read' },
      schema: {
        operationId,
        summary,
        description: `Oldest first; only the slots in use are entries. ${text} ${WHOLE}`,
        tags: ['instances'],
        params: NameParams,
        querystring: FormQuery('c5'),
        response: responses({ 200: jsonTextOrLines('The dump.', UsersDump) }, PROBLEMS),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const wanted = wantedForm(request);
      const report = await services.reports.local(principalOf(request), name);
      if (wanted === 'json') {
        const { rows, asOf } = requireRows(report);
        headReport(reply, asOf);
        reply.header('dump-entries', rows.users.length);
        const { items, next } = pageOf(
          rows.users,
          positionOf(request, 'instance-users'),
          pageLimit(request.query),
        );
        return {
          ...showHead(report),
          items: items.map((row) => showUser(row, asOf.atMs)),
          ...(next === null ? {} : { nextCursor: encodeCursor('instance-users', next) }),
        };
      }
      const whole = await wholeOf(report, report.rows?.users, () =>
        services.dumps.users(name, goneSignal(reply)),
      );
      headWhole(reply, whole);
      if (wanted === 'lines') {
        const pieces = jsonLines(showHead(whole.report), whole.batches, (row) => showUser(row, whole.nowMs));
        return asStream(reply, LINES_TYPE, pieces);
      }
      const options = textOptions(whole, request.query.form ?? 'c5');
      return asStream(reply, TEXT_TYPE, userText(whole.batches, which === 'all', options));
    },
  );
}

function processesRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/dumps/processes',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'dumpInstanceProcesses',
        summary: 'The processes of an instance, and whose they are',
        description: `Oldest first. Of an instance that decides for itself the server knows users only, one entry each. \`Accept: text/plain\` gives the legacy \`piduse.dmp\`, whole. ${WHOLE}`,
        tags: ['instances'],
        params: NameParams,
        querystring: FormQuery('table'),
        response: responses({ 200: jsonTextOrLines('The dump.', ProcessesDump) }, PROBLEMS),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const wanted = wantedForm(request);
      const report = await services.reports.local(principalOf(request), name);
      if (wanted === 'json') {
        const { rows, asOf } = requireRows(report);
        headReport(reply, asOf);
        reply.header('dump-entries', rows.processes.length);
        const position = positionOf(request, 'instance-processes');
        const { items, next } = pageOf(rows.processes, position, pageLimit(request.query));
        return {
          ...showHead(report),
          items: items.map((row) => showProcess(row, asOf.atMs)),
          ...(next === null ? {} : { nextCursor: encodeCursor('instance-processes', next) }),
        };
      }
      const open = () => services.dumps.processes(name, goneSignal(reply));
      const whole = await wholeOf(report, report.rows?.processes, open);
      headWhole(reply, whole);
      if (wanted === 'lines') {
        const pieces = jsonLines(showHead(whole.report), whole.batches, (row) =>
          showProcess(row, whole.nowMs),
        );
        return asStream(reply, LINES_TYPE, pieces);
      }
      const options = textOptions(whole, request.query.form ?? 'table');
      return asStream(reply, TEXT_TYPE, processText(whole.batches, options));
    },
  );
}

type Request = Parameters<typeof principalOf>[0] & { readonly query: PageQuery };

function wantedForm(request: Request) {
  const form = preferredForm(request);
  if (form === 'json' || request.query.cursor === undefined) return form;
  throw fieldFault('?cursor', 'is for pages of JSON; this form is whole');
}

function positionOf({ query }: Request, list: string) {
  return decodeCursor(list, query.cursor, 3);
}

function requireRows(report: LocalReport) {
  const { rows, asOf, instance } = report;
  if (rows === null) throw reportTooLarge(instance.name);
  return { rows, asOf };
}

/** A dump that is sent whole. */
interface Whole<Row> {
  /** With the instant and the units of what is sent. */
  readonly report: LocalReport;
  readonly batches: Batches<Row>;
  readonly nowMs: number;
  readonly entries: number;
}

/** Few rows are those of the report; of very many the fold is asked, which is as of a moment ago. */
async function wholeOf<Row>(
  report: LocalReport,
  rows: readonly Row[] | undefined,
  open: () => Promise<Dump<Row>>,
): Promise<Whole<Row>> {
  if (rows) return { report, batches: [rows], nowMs: report.asOf.atMs, entries: rows.length };
  const { version, atMs, rows: entries, units, batches } = await open();
  const inUse = { ...report.units, inUse: units };
  return { report: { ...report, asOf: { atMs, version }, units: inUse }, batches, nowMs: atMs, entries };
}

function headWhole<Row>(reply: FastifyReply, { report, entries }: Whole<Row>): void {
  headReport(reply, report.asOf);
  reply.header('dump-entries', entries);
}

function textOptions<Row>({ report, nowMs }: Whole<Row>, form: DumpForm): TextOptions {
  return { form, units: report.units, nowMs, head: headLine(report) };
}
