/**
 * The dumps of one instance: its slots, those in use, and its processes; JSON page by page, or the whole text.
 */

import { type Static, Type } from 'typebox';
import { processTypeOf, userTypeOf } from '../../domain/reportrows.ts';
import {
  activeSeconds,
  type DumpForm,
  graceSeconds,
  processDumpText,
  reportedLine,
  userDumpText,
} from '../../domain/reporttexts-dumps.ts';
import type { LocalReport, Reports } from '../../service/reports.ts';
import { AS_OF, fieldFault, instantOf, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { NameParams } from '../instance-shapes.ts';
import { AS_OF_HEADER, asText, headReport, prefersText } from '../legacytext.ts';
import { Instant, jsonOrText, PageQuery, pageLimit, responses } from '../schemas.ts';

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

function showUser(row: LocalReport['rows']['users'][number], nowMs: number): Static<typeof UserView> {
  const { userId, type, connections, connectionsPeak, webSessions, units, sinceMs, graceUntilMs } = row;
  return {
    ...{ userId, type, connections, connectionsPeak, webSessions, units },
    ...showSince(sinceMs, nowMs),
    graceSeconds: graceSeconds(graceUntilMs, nowMs),
  };
}

function showProcess(
  row: LocalReport['rows']['processes'][number],
  nowMs: number,
): Static<typeof ProcessView> {
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
 * @param services.reports - what makes them.
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

const ORDER = 'Oldest first; only the slots in use are entries.';

function usersRoute(app: App, { reports }: Using, which: 'all' | 'in-use'): void {
  const { operationId, summary, text } = USERS_DUMPS[which];
  app.get(
    `/v1/instances/:name/dumps/${which}`,
    {
      config: { access: 'usage.read' },
      schema: {
        operationId,
        summary,
        description: `${ORDER} ${text} ${AS_OF_HEADER}`,
        tags: ['instances'],
        params: NameParams,
        querystring: FormQuery('c5'),
        response: responses({ 200: jsonOrText('The dump.', UsersDump) }, ['instance-not-found', 'not-ready']),
      },
    },
    async (request, reply) => {
      const { cursor, form = 'c5' } = request.query;
      const isText = prefersText(request);
      if (isText && cursor !== undefined) throw wholeText();
      const report = await reports.local(principalOf(request), request.params.name);
      const { rows, units, asOf } = report;
      headReport(reply, asOf);
      if (isText)
        return asText(reply, headLine(report) + userDumpText(form, rows.users, units, which, asOf.atMs));
      const after = decodeCursor('instance-users', cursor, 3);
      const { items, next } = pageOf(rows.users, after, pageLimit(request.query));
      return {
        ...showHead(report),
        items: items.map((row) => showUser(row, asOf.atMs)),
        ...(next === null ? {} : { nextCursor: encodeCursor('instance-users', next) }),
      };
    },
  );
}

function wholeText() {
  return fieldFault('?cursor', 'is for pages of JSON; the text is whole');
}

function processesRoute(app: App, { reports }: Using): void {
  app.get(
    '/v1/instances/:name/dumps/processes',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'dumpInstanceProcesses',
        summary: 'The processes of an instance, and whose they are',
        description: `Oldest first. Of an instance that decides for itself the server knows users only, one entry each. \`Accept: text/plain\` gives the legacy \`piduse.dmp\`, whole. ${AS_OF_HEADER}`,
        tags: ['instances'],
        params: NameParams,
        querystring: FormQuery('table'),
        response: responses({ 200: jsonOrText('The dump.', ProcessesDump) }, [
          'instance-not-found',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { cursor, form = 'table' } = request.query;
      const isText = prefersText(request);
      if (isText && cursor !== undefined) throw wholeText();
      const report = await reports.local(principalOf(request), request.params.name);
      const { rows, units, asOf } = report;
      headReport(reply, asOf);
      if (isText)
        return asText(reply, headLine(report) + processDumpText(form, rows.processes, units, asOf.atMs));
      const after = decodeCursor('instance-processes', cursor, 3);
      const { items, next } = pageOf(rows.processes, after, pageLimit(request.query));
      return {
        ...showHead(report),
        items: items.map((row) => showProcess(row, asOf.atMs)),
        ...(next === null ? {} : { nextCursor: encodeCursor('instance-processes', next) }),
      };
    },
  );
}
