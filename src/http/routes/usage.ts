/**
 * Usage: counts per key, per instance, per user.
 */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Sign } from '../../service/signs.ts';
import type { InstanceUsage, PoolCounts, Usage, UserUsage } from '../../service/usage.ts';
import { instantOf, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { Instant, PageQuery, pageLimit, responses } from '../schemas.ts';

const Count = (description: string) => Type.Integer({ description });

const UsageQuery = Type.Object(
  {
    ...PageQuery.properties,
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Only of this key.' })),
  },
  { additionalProperties: false },
);

const KeyOfPool = Type.Optional(
  Type.String({
    description: 'The key; absent for the default licence of an instance without a usable key.',
  }),
);

const Counts = Type.Object({
  key: KeyOfPool,
  instance: Type.Optional(Type.String({ description: 'The instance whose default licence it is.' })),
  unitsAuthorised: Count('The units that were bought.'),
  unitsEnforced: Count('The units beyond which logins are refused.'),
  unitsInUse: Count(
    'Units in use: one for a user, or one for each of his connections once they are too many.',
  ),
  unitsLeased: Count(
    'Those of them that instances hold as blocks, to let users in without asking; some of these may be idle.',
  ),
  unitsFree: Count('Units that could still be granted; none of a key that has ended or cannot be used.'),
  users: Count('Distinct users, not units: one user may cost several.'),
  connections: Count('Logins that are somebody’s.'),
  unitsPeak: Count('The most units at one time.'),
  usersPeak: Count('The most users at one time.'),
  connectionsPeak: Count('The most connections at one time.'),
  logins: Type.Object({
    active: Count('Logins that are in.'),
    pending: Count('Logins that have not identified themselves yet and cost nothing.'),
    grace: Count('Logins that went out, and whose unit is held a while longer.'),
  }),
});

const InstanceCounts = Type.Object({
  instance: Type.String(),
  key: KeyOfPool,
  state: Type.Enum(['active', 'silent'], { type: 'string' }),
  units: Count('Units as this instance sees them: a user who is also elsewhere counts here too.'),
  users: Count('Distinct users.'),
  connections: Count('Logins that are somebody’s, and connections that it reported.'),
  logins: Count('All logins at the server, also those that cost nothing.'),
  heardAt: Type.Optional(Instant('Of an instance that reports: its last sign of life, where it is known.')),
  reportedAt: Type.Optional(Instant('When it last reported changes.')),
  stale: Type.Optional(
    Type.Boolean({
      description:
        'Whether it was not heard for longer than two intervals since, so that the counts may be old.',
    }),
  ),
});

const User = Type.Object({
  key: KeyOfPool,
  userId: Type.String({ description: 'The licence user ID.' }),
  connections: Count('Now, over all instances.'),
  connectionsPeak: Count('His most at one time since he last had none. It is no limit.'),
  units: Count('What he costs.'),
  transitioned: Type.Boolean({
    description: 'Whether each of his connections costs a unit, until he has none left.',
  }),
  instances: Type.Array(
    Type.Object({
      instance: Type.String(),
      connections: Count('On this instance.'),
      units: Count('The units that this row accounts for; all rows together come to what he costs.'),
      shared: Type.Boolean({ description: 'Whether his unit is already counted on another row (`shr`).' }),
    }),
    { description: 'Where he is, by name; only instances that the token may see.' },
  ),
});

/** The services that these routes call. */
interface Using {
  readonly usage: Usage;
}

type App = Parameters<RoutePlugin>[0];

function showCounts({ pool: _pool, key, instance, ...counts }: PoolCounts): Static<typeof Counts> {
  return { ...(key === null ? {} : { key }), ...(instance === null ? {} : { instance }), ...counts };
}

function showInstanceUsage({ key, sign, ...counts }: InstanceUsage): Static<typeof InstanceCounts> {
  return { ...(key === null ? {} : { key }), ...counts, ...(sign === null ? {} : showSign(sign)) };
}

function showSign({ heardAtMs, reportedAtMs, isStale }: Sign) {
  return {
    ...(heardAtMs === null ? {} : { heardAt: instantOf(heardAtMs) }),
    ...(reportedAtMs === null ? {} : { reportedAt: instantOf(reportedAtMs) }),
    stale: isStale,
  };
}

function showUser({ key, places, isTransitioned, ...user }: UserUsage): Static<typeof User> {
  const { userId, connections, connectionsPeak, units } = user;
  return {
    ...(key === null ? {} : { key }),
    userId,
    connections,
    connectionsPeak,
    units,
    transitioned: isTransitioned,
    instances: places.map(({ isShared, ...place }) => ({ ...place, shared: isShared })),
  };
}

/**
 * Counts per key, per instance and per user.
 * @param services.usage - the reports.
 */
export function usageRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    countsRoute(app, services);
    instancesRoute(app, services);
    usersRoute(app, services);
    done();
  };
}

/** A key that is named must be the token's, if it is restricted to some. */
function requireKey(request: FastifyRequest, keyId: string | undefined): void {
  if (keyId === undefined) return;
  requirePermission(request, 'usage.read', { keyId, instance: principalOf(request).instance });
}

function countsRoute(app: App, services: Using): void {
  app.get(
    '/v1/usage/counts',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'countUsage',
        summary: 'What is in use of each key',
        description:
          'Every installed key, and the default licences that are in use. The token of an instance sees the totals of its key.',
        tags: ['usage'],
        querystring: UsageQuery,
        response: responses({ 200: PageAsOf(Counts) }, ['key-not-found', 'not-ready']),
      },
    },
    async (request) => {
      requireKey(request, request.query.key);
      const position = decodeCursor('usage-counts', request.query.cursor, 1);
      const { items, hasMore, asOf } = await services.usage.counts(principalOf(request), {
        after: position === null ? null : String(position[0]),
        limit: pageLimit(request.query),
        key: request.query.key,
      });
      return {
        items: items.map(showCounts),
        ...(hasMore ? { nextCursor: encodeCursor('usage-counts', [items.at(-1)!.pool]) } : {}),
        ...showAsOf(asOf),
      };
    },
  );
}

function instancesRoute(app: App, services: Using): void {
  app.get(
    '/v1/usage/instances',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'countUsageByInstance',
        summary: 'What is in use on each instance',
        tags: ['usage'],
        querystring: UsageQuery,
        response: responses({ 200: PageAsOf(InstanceCounts) }, ['not-ready']),
      },
    },
    async (request) => {
      requireKey(request, request.query.key);
      const position = decodeCursor('usage-instances', request.query.cursor, 1);
      const { items, hasMore, asOf } = await services.usage.instances(principalOf(request), {
        after: position === null ? null : String(position[0]),
        limit: pageLimit(request.query),
        key: request.query.key,
      });
      return {
        items: items.map(showInstanceUsage),
        ...(hasMore ? { nextCursor: encodeCursor('usage-instances', [items.at(-1)!.instance]) } : {}),
        ...showAsOf(asOf),
      };
    },
  );
}

function usersRoute(app: App, services: Using): void {
  app.get(
    '/v1/usage/users',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'listUsageByUser',
        summary: 'Who is in, where, and what he costs',
        description:
          'By key and user ID. One user on several instances of a key costs one unit until he transitions.',
        tags: ['usage'],
        querystring: UsageQuery,
        response: responses({ 200: PageAsOf(User) }, ['key-not-found', 'not-ready']),
      },
    },
    async (request) => {
      requireKey(request, request.query.key);
      const position = decodeCursor('usage-users', request.query.cursor, 2);
      const { items, hasMore, asOf } = await services.usage.users(principalOf(request), {
        after: position === null ? null : [String(position[0]), String(position[1])],
        limit: pageLimit(request.query),
        key: request.query.key,
      });
      const last = items.at(-1);
      return {
        items: items.map(showUser),
        ...(hasMore && last ? { nextCursor: encodeCursor('usage-users', [last.pool, last.userId]) } : {}),
        ...showAsOf(asOf),
      };
    },
  );
}
