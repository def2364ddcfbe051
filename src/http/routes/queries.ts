/**
 * The queries of the legacy class: which there are, and the rows of one of them; JSON or text.
 */

import { type Static, Type } from 'typebox';
import { QUERIES, type QueryShape } from '../../domain/texts/queries.ts';
import { reportedLine, tableText } from '../../domain/texts/reporttexts-dumps.ts';
import type { Queries, QueryPage, QueryRequest } from '../../service/queries.ts';
import { AS_OF, fieldFault, instantOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { AS_OF_HEADER, asText, headReport, prefersText } from '../legacytext.ts';
import { Instant, jsonOrText, PageQuery, pageLimit, responses } from '../schemas.ts';

/** How many rows one text bears. */
const TEXT_ROWS_MAX = 20_000;
/** The longest place in the order of a query's rows. */
const POSITION_MAX = 3;

const Text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 128, description }));

const QueryShapeView = Type.Object({
  name: Type.String(),
  columns: Type.Array(Type.String()),
  about: Type.Enum(['instance', 'key', 'all'], {
    type: 'string',
    description: 'Whether it is about an instance, about a key, or about everything.',
  }),
  takes: Type.Array(Type.String(), { description: 'The parameters that it takes besides.' }),
  local: Type.Boolean({
    description: 'Whether an instance that decides for itself can answer it from its own table.',
  }),
  summary: Type.String(),
});

const QueryList = Type.Object({ items: Type.Array(QueryShapeView) });

const Params = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 64, description: 'The name of the query, in any case.' }),
});

const RowsQuery = Type.Object(
  {
    ...PageQuery.properties,
    instance: Text('The instance; left out, that of the token, or the only one there is.'),
    key: Text('The key, for queries about one; left out, that of the instance.'),
    all: Type.Optional(Type.Boolean({ description: 'Every slot, or everybody.' })),
    filter: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'Only rows whose user ID, or process ID, contains this text, in any case.',
      }),
    ),
    sections: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3,
        description: 'Of the key: 1 the main section, 2 the application sections, 3 all; 1 when left out.',
      }),
    ),
    application: Text('The application, by the name of its section.'),
    showCounts: Type.Optional(
      Type.Boolean({ description: 'Whether each keyword says how often it was taken: `Lab Users=2`.' }),
    ),
  },
  { additionalProperties: false },
);

const RowsView = Type.Object({
  name: Type.String(),
  columns: Type.Array(Type.String()),
  rows: Type.Array(Type.Array(Type.Union([Type.String(), Type.Number(), Type.Null()])), {
    description: 'The values of each row in the order of the columns; null is a blank.',
  }),
  instance: Type.Optional(Type.String()),
  key: Type.Optional(Type.String()),
  reportedAt: Type.Optional(
    Instant('Of an instance that decides for itself: when it last reported what is shown.'),
  ),
  nextCursor: Type.Optional(
    Type.String({ description: 'Send it as `cursor` for the next page; absent on the last one.' }),
  ),
  ...AS_OF,
});

/** The services that these routes call. */
interface Using {
  readonly queries: Queries;
}

type App = Parameters<RoutePlugin>[0];

function showShape({
  name,
  columns,
  of,
  takes,
  isLocal,
  summary,
}: QueryShape): Static<typeof QueryShapeView> {
  return { name, columns: [...columns], about: of, takes: [...takes], local: isLocal, summary };
}

const cursorOf = (name: string) => `query-${name}`;

function showRows({ shape, rows, next, of, reportedAtMs, asOf }: QueryPage): Static<typeof RowsView> {
  return {
    name: shape.name,
    columns: [...shape.columns],
    rows: rows.map(({ cells }) => [...cells]),
    ...of,
    ...(reportedAtMs === null ? {} : { reportedAt: instantOf(reportedAtMs) }),
    ...(next === null ? {} : { nextCursor: encodeCursor(cursorOf(shape.name.toLowerCase()), next) }),
    ...showAsOf(asOf),
  };
}

/** The rows as a table; under a line that says so where an instance has reported them. */
function rowsText({ shape, rows, next, reportedAtMs }: QueryPage): string {
  const head = reportedAtMs === null ? '' : reportedLine(reportedAtMs);
  const table = tableText(
    shape.columns,
    rows.map(({ cells }) => cells),
  );
  const rest = 'There is more than this text bears; read the pages of the same query as JSON.';
  return head + table + (next === null ? '' : `\n${rest}\n`);
}

/**
 * The list of queries, and their rows.
 * @param services.queries - what answers them.
 */
export function queryRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    listRoute(app);
    rowsRoute(app, services);
    done();
  };
}

function listRoute(app: App): void {
  app.get(
    '/v1/queries',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'listQueries',
        summary: 'The queries of the legacy class, with their columns',
        tags: ['usage'],
        response: responses({ 200: QueryList }, []),
      },
    },
    async () => ({ items: QUERIES.map(showShape) }),
  );
}

function rowsRoute(app: App, { queries }: Using): void {
  app.get(
    '/v1/queries/:name',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'runQuery',
        summary: 'The rows of a query of the legacy class',
        description: `Under exactly its columns, as far as the token may see. \`Accept: text/plain\` gives them as a table, whole, up to ${TEXT_ROWS_MAX} rows. ${AS_OF_HEADER}`,
        tags: ['usage'],
        params: Params,
        querystring: RowsQuery,
        response: responses({ 200: jsonOrText('The rows.', RowsView) }, [
          'not-found',
          'instance-not-found',
          'key-not-found',
          'report-too-large',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { cursor, limit: _limit, ...parameters } = request.query;
      const isText = prefersText(request);
      if (isText && cursor !== undefined)
        throw fieldFault('?cursor', 'is for pages of JSON; the text is whole');
      const wanted = { name, ...parameters } as QueryRequest;
      const page = await queries.run(principalOf(request), wanted, {
        after: decodeCursor(cursorOf(name.toLowerCase()), cursor, 1, POSITION_MAX),
        limit: isText ? TEXT_ROWS_MAX : pageLimit(request.query),
      });
      headReport(reply, page.asOf);
      return isText ? asText(reply, rowsText(page)) : showRows(page);
    },
  );
}
