/**
 * The two reports over all instances: the summary of a key, and the dump of all servers; JSON or text.
 */

import type { FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Principal } from '../../domain/access.ts';
import type { Client } from '../../domain/clients.ts';
import { summaryText } from '../../domain/texts/reporttexts.ts';
import { serversText } from '../../domain/texts/reporttexts-distributed.ts';
import type { KeyUserRow } from '../../domain/texts/usagerows.ts';
import { type Dumps, WHOLE_ROWS_IN_MEMORY_MAX } from '../../service/dumps.ts';
import type { AsOf } from '../../service/keys.ts';
import type {
  DistributedUse,
  DumpPage,
  DumpPosition,
  KeyTotal,
  LocalUse,
  ServerUsage,
  Summary,
  UsageSummary,
} from '../../service/summary.ts';
import { keyOfPool } from '../../service/usage.ts';
import { AS_OF, fieldFault, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { serverRowsText, visible } from '../distributedstreams.ts';
import { jsonLines } from '../dumpstreams.ts';
import {
  AS_OF_HEADER,
  asStream,
  asText,
  goneSignal,
  headReport,
  LINES_TYPE,
  preferredForm,
  prefersText,
  TEXT_TYPE,
} from '../legacytext.ts';
import { jsonOrText, jsonTextOrLines, PageQuery, pageLimit, responses } from '../schemas.ts';

const CURSOR = 'usage-servers';

const Count = (description: string) => Type.Integer({ description });
const Name = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 128, description }));

const SummaryQuery = Type.Object(
  {
    key: Name('Which key is summarised.'),
    instance: Name('Whose own use is shown beside; without `key`, its key is summarised.'),
    generation: Type.Optional(
      Type.Enum(['cache', 'iris'], {
        type: 'string',
        description:
          'The product whose text is wanted: `iris` leaves out the enforced units. Left out, that of the instance.',
      }),
    ),
  },
  { additionalProperties: false },
);

const KeyOfPool = Type.Optional(
  Type.String({
    description: 'The key; absent for the default licence of an instance without a usable key.',
  }),
);

const Distributed = Type.Object({
  unitsInUse: Count('Units in use over all instances, also those that are leased to one and free there.'),
  unitsPeak: Count('The most units at one time.'),
  unitsEnforced: Count('The units beyond which nobody new comes in.'),
  unitsAuthorised: Count('The units that were bought.'),
  users: Count('Distinct users, not units: one user may cost several.'),
  usersPeak: Count('The most users at one time.'),
  connections: Count('Connections over all instances.'),
  connectionsPeak: Count('The most connections at one time.'),
  instances: Count('Instances that are registered with the key and not silent.'),
});

const SummaryView = Type.Object({
  key: KeyOfPool,
  distributed: Distributed,
  local: Type.Optional(
    Type.Object({
      instance: Type.String(),
      connections: Count('Connections on this instance.'),
      users: Count('Distinct users on this instance.'),
      units: Count('Units as this instance sees them: a user who is also elsewhere counts here too.'),
      connectionsPeak: Count('The most connections at one time since it was started.'),
      unitsPeak: Count('The most units at one time since it was started.'),
    }),
  ),
  ...AS_OF,
});

const ClientView = Type.Object({
  userId: Type.String({ description: 'The licence user ID.' }),
  connections: Count('On this instance.'),
  units: Count('The units that this row accounts for; all rows of a user come to what he costs.'),
  shared: Type.Boolean({ description: 'Whether his unit stands on the row of another instance (`shr`).' }),
});

const ServerView = Type.Object({
  key: KeyOfPool,
  instance: Type.String(),
  state: Type.Enum(['active', 'silent', 'removed'], {
    type: 'string',
    description: '`silent`: it was given up; `removed`: it is not registered any more.',
  }),
  users: Count('Distinct users on this instance, also those of other pages.'),
  connections: Count('Their connections.'),
  units: Count('The units that its rows account for, and those leased to it that nobody uses.'),
  unitsShared: Count('Units in use here that other instances use as well.'),
  unitsReserved: Count('Units leased to it that nobody uses.'),
  clients: Type.Array(ClientView, {
    description: 'By user ID. If a page ends among them, the next one goes on with the same instance.',
  }),
});

const TotalView = Type.Object({
  key: KeyOfPool,
  unitsInUse: Count('Units in use over all instances.'),
  unitsEnforced: Count('The units beyond which nobody new comes in.'),
  unitsAuthorised: Count('The units that were bought.'),
  users: Count('Distinct users over all instances.'),
  connections: Count('Connections over all instances.'),
  instances: Count('Instances that are registered with the key and not silent.'),
});

const Dump = Type.Object({
  ...PageAsOf(ServerView).properties,
  totals: Type.Array(TotalView, {
    description: 'Of each key on the page. Units are never added up over keys.',
  }),
});

const DumpQuery = Type.Object(
  {
    ...PageQuery.properties,
    key: Name('Only of this key.'),
    instance: Name('Only of this instance (`DumpServer`).'),
  },
  { additionalProperties: false },
);

/** The services that these routes call. */
interface Using {
  readonly summary: Summary;
  readonly dumps: Dumps;
}

type App = Parameters<RoutePlugin>[0];

const keyMember = (key: string | null) => (key === null ? {} : { key });

function showSummary({ key, distributed, local, asOf }: UsageSummary): Static<typeof SummaryView> {
  return {
    ...keyMember(key),
    distributed: { ...(distributed satisfies DistributedUse) },
    ...(local === null ? {} : { local: showLocal(local) }),
    ...showAsOf(asOf),
  };
}

function showLocal({ generation: _generation, ...local }: LocalUse) {
  return local;
}

function showClient({
  userId,
  connections,
  units,
  isShared,
}: Pick<Client, 'userId' | 'connections' | 'units' | 'isShared'>): Static<typeof ClientView> {
  return { userId, connections, units, shared: isShared };
}

function showServer({ pool: _pool, key, clients, ...all }: ServerUsage): Static<typeof ServerView> {
  return { ...keyMember(key), ...all, clients: clients.map(showClient) };
}

function showTotal({ pool: _pool, key, ...total }: KeyTotal): Static<typeof TotalView> {
  return { ...keyMember(key), ...total };
}

function showDump({ servers, totals, next, asOf }: DumpPage): Static<typeof Dump> {
  return {
    items: servers.map(showServer),
    totals: totals.map(showTotal),
    ...(next === null ? {} : { nextCursor: encodeCursor(CURSOR, next) }),
    ...showAsOf(asOf),
  };
}

/**
 * The summary and the dump.
 * @param services.summary - the reports.
 */
export function summaryRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    summaryRoute(app, services);
    dumpRoute(app, services);
    done();
  };
}

function summaryRoute(app: App, { summary }: Using): void {
  app.get(
    '/v1/usage/summary',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'summariseUsage',
        summary: 'What all instances of a key use together, and one of them by itself',
        description: `With neither parameter: the instance that the token is restricted to, or the only key there is. \`Accept: text/plain\` gives the layout of the legacy \`ShowSummary\`, in which users are units. ${AS_OF_HEADER}`,
        tags: ['usage'],
        querystring: SummaryQuery,
        response: responses({ 200: jsonOrText('The summary.', SummaryView) }, [
          'key-not-found',
          'instance-not-found',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { key, instance, generation } = request.query;
      const found = await summary.summarise(principalOf(request), { key, instance });
      headReport(reply, found.asOf);
      if (!prefersText(request)) return showSummary(found);
      return asText(reply, summaryText(found, generation ?? found.local?.generation ?? 'cache'));
    },
  );
}

function dumpRoute(app: App, services: Using): void {
  app.get(
    '/v1/usage/servers',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'dumpServers',
        summary: 'Everybody on every instance, and what he costs',
        description: `By key, instance and user ID; only what the token may see. A user on several instances of a key is one unit, and his other rows share it. \`limit\` counts users. \`Accept: text/plain\` gives the layout of the legacy \`DumpServers\`, or \`DumpServer\` with an instance. \`Accept: application/x-ndjson\` gives one JSON object a line: first \`totals\` and \`instances\`, then each user on an instance. Both are whole; from ${WHOLE_ROWS_IN_MEMORY_MAX} users on they are read from the folded table and sent piece by piece. The header \`dump-entries\` says how many users there are. ${AS_OF_HEADER}`,
        tags: ['usage'],
        querystring: DumpQuery,
        response: responses({ 200: jsonTextOrLines('The dump.', Dump) }, [
          'key-not-found',
          'instance-not-found',
          'too-many-dumps',
          'dump-too-slow',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { key, instance, cursor } = request.query;
      const principal = principalOf(request);
      if (key !== undefined)
        requirePermission(request, 'usage.read', { keyId: key, instance: principal.instance });
      const form = preferredForm(request);
      if (form !== 'json') {
        if (cursor !== undefined) throw fieldFault('?cursor', 'is for pages of JSON; this form is whole');
        return dumpWhole(services, principal, { key, instance }, form, reply);
      }
      const position = decodeCursor(CURSOR, cursor, 3);
      const after = position === null ? null : (position.map(String) as unknown as DumpPosition);
      const page = await services.summary.dump(principal, {
        ...{ key, instance, after },
        limit: pageLimit(request.query),
      });
      headReport(reply, page.asOf);
      return showDump(page);
    },
  );
}

/** What a dump is asked of. */
interface Wanted {
  readonly key: string | undefined;
  readonly instance: string | undefined;
}

async function dumpWhole(
  { summary, dumps }: Using,
  principal: Principal,
  wanted: Wanted,
  form: 'text' | 'lines',
  reply: FastifyReply,
): Promise<never> {
  const instance = wanted.instance ?? null;
  const page = await summary.dump(principal, { ...wanted, after: null, limit: dumps.wholeRowsInMemoryMax });
  if (page.next === null) {
    const { servers, totals, asOf } = page;
    headReport(reply, asOf);
    reply.header(
      'dump-entries',
      servers.reduce((count, { clients }) => count + clients.length, 0),
    );
    if (form === 'text')
      return asText(reply, serversText({ servers, totals, isCut: false, atMs: asOf.atMs, instance }));
    const rows = servers.flatMap(({ clients, ...server }) =>
      clients.map((client) => ({ ...server, ...client })),
    );
    return asStream(reply, LINES_TYPE, jsonLines(showWhole(servers, totals, asOf), [rows], showRow));
  }
  const heads = await summary.heads(principal, wanted);
  const pools = heads.pools.map(({ pool }) => pool);
  const of = { pools, instance: instance ?? principal.instance, first: 'instance' } as const;
  const { atMs, version, rows, batches } = await dumps.keyUsers(of, goneSignal(reply));
  headReport(reply, { atMs, version });
  reply.header('dump-entries', rows);
  if (form === 'text')
    return asStream(reply, TEXT_TYPE, serverRowsText(heads, { of: instance, atMs }, batches));
  const servers = heads.pools.flatMap(({ pool, key, instances }) =>
    instances.map((server) => ({ pool, key, ...server, state: heads.stateOf(server.instance) })),
  );
  const totals = heads.pools.flatMap(({ total, instances }) =>
    total === null || instances.length === 0 ? [] : [total],
  );
  const head = showWhole(servers, totals, { atMs, version });
  const shown = (row: KeyUserRow) =>
    showRow({ ...row, key: keyOfPool(row.pool), state: heads.stateOf(row.instance) });
  return asStream(reply, LINES_TYPE, jsonLines(head, visible(batches, heads), shown));
}

/** The first line of a dump as lines. */
function showWhole(
  servers: readonly Pick<ServerUsage, 'key' | 'instance' | 'state' | 'unitsReserved'>[],
  totals: readonly KeyTotal[],
  asOf: AsOf,
) {
  const instances = servers.map(({ key, instance, state, unitsReserved }) => ({
    ...keyMember(key),
    ...{ instance, state, unitsReserved },
  }));
  return { totals: totals.map(showTotal), instances, ...showAsOf(asOf) };
}

/** A user on an instance, of a dump as lines. */
function showRow({
  key,
  instance,
  state,
  ...client
}: Pick<Client, 'userId' | 'connections' | 'units' | 'isShared'> &
  Pick<ServerUsage, 'key' | 'instance' | 'state'>) {
  return { ...keyMember(key), instance, state, ...showClient(client) };
}
