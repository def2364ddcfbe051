/**
 * Combined use over the limit: the ledger, and how far a key can come over it.
 */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Excesses, ExcessOutlook, LedgerPage, ReportingInstance } from '../../service/excesses.ts';
import { AS_OF, instantOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { ExcessShape, ledgerText, showExcess } from '../excess-shapes.ts';
import { prefersText, TEXT_TYPE } from '../legacytext.ts';
import { Instant, jsonOrText, Page, PageQuery, pageLimit, responses } from '../schemas.ts';

const CURSOR = 'excesses';

const LedgerQuery = Type.Object(
  {
    ...PageQuery.properties,
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Only of this key.' })),
    state: Type.Optional(
      Type.Enum(['open', 'ended'], { type: 'string', description: 'Only episodes in this state.' }),
    ),
  },
  { additionalProperties: false },
);

const Ledger = Type.Object({
  ...Page(ExcessShape).properties,
  asOf: Instant('The instant as of which open episodes are told.'),
});

const Outlook = Type.Object({
  key: Type.String(),
  enforcement: Type.Enum(['central', 'local', 'leased'], { type: 'string' }),
  limit: Type.Integer({ description: 'The units that the key enforces.' }),
  inUse: Type.Integer({ description: 'Units in use now, over all instances.' }),
  possible: Type.Object(
    {
      units: Type.Integer({ description: 'If every instance let in as many users as it may by itself.' }),
      unitsByTransitions: Type.Integer({
        description:
          'If besides each of these users were on several instances, with as many connections on each as one unit bears there, so that together each connection cost a unit.',
      }),
    },
    {
      description:
        'Units over the limit that cannot be passed, whatever happens to the network, with the logins at the server as they are. Silent instances count: they may be alive, and come back.',
    },
  ),
  expected: Type.Object(
    {
      units: Type.Optional(
        Type.Integer({
          description: 'New users of that time at the fastest rate observed; absent before any was observed.',
        }),
      ),
      windowSeconds: Type.Number({
        description:
          'How long new users can come in before every instance knows: one interval until the server hears, another until all instances do.',
      }),
      newUsersPerMinute: Type.Optional(Type.Number({ description: 'On average of the minutes observed.' })),
      newUsersPerMinuteMax: Type.Optional(Type.Number({ description: 'In the fullest of them.' })),
      minutesObserved: Type.Integer({
        description: 'How many minutes this replica looks back at, at most 60.',
      }),
    },
    { description: 'Units over the limit at the rate at which new users come.' },
  ),
  words: Type.String({ description: 'How both come about.' }),
  open: Type.Optional(ExcessShape),
  instances: Type.Array(
    Type.Object({
      instance: Type.String(),
      state: Type.Enum(['active', 'silent'], { type: 'string' }),
      unitsMax: Type.Optional(Type.Integer({ description: 'The units that it could let in by itself.' })),
      heardAt: Type.Optional(Instant('Its last sign of life, as far as anybody can know it.')),
      reportedAt: Type.Optional(Instant('When it last reported changes.')),
      stale: Type.Boolean({
        description: 'It has reported, and was not heard for longer than two intervals since.',
      }),
    }),
    { description: 'The instances that share the key, by name.' },
  ),
  ...AS_OF,
});

/** The services that these routes call. */
interface Using {
  readonly excesses: Excesses;
}

type App = Parameters<RoutePlugin>[0];

/**
 * The ledger, and the outlook of a key.
 * @param services.excesses - their service.
 */
export function excessRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    ledgerRoute(app, services);
    outlookRoute(app, services);
    done();
  };
}

/**
 * The ledger names users of every instance, so that the token of one does not see it.
 * @returns the keys that are shown; null for all.
 */
function keysShown(request: FastifyRequest, key: string | undefined): readonly string[] | null {
  const { keys, instance } = principalOf(request);
  if (key !== undefined || instance !== null) {
    requirePermission(request, 'usage.read', { keyId: key ?? null, instance: null });
  }
  return key === undefined ? keys : [key];
}

function ledgerRoute(app: App, { excesses }: Using): void {
  app.get(
    '/v1/excesses',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'listExcesses',
        summary: 'The over-limit ledger',
        description:
          'When combined use of a key was over its limit, because its instances decide for themselves: from when to when, by how much, who came in meanwhile, and how it ended. The latest first. `Accept: text/plain` gives the page as a report.',
        tags: ['usage'],
        querystring: LedgerQuery,
        response: responses({ 200: jsonOrText('A page of the ledger.', Ledger) }, []),
      },
    },
    async (request, reply) => {
      const { key, state = null, cursor } = request.query;
      const pools = keysShown(request, key);
      const position = decodeCursor(CURSOR, cursor, 2);
      const after = position && { fromMs: Number(position[0]), id: String(position[1]) };
      const page = await excesses.list({ pools, state }, after, pageLimit(request.query));
      reply.header('vary', 'accept');
      if (!prefersText(request)) return showLedger(page);
      reply.type(TEXT_TYPE);
      return ledgerText(page.items, page.atMs, page.hasMore) as unknown as Static<typeof Ledger>;
    },
  );
}

function showLedger({ items, hasMore, atMs }: LedgerPage): Static<typeof Ledger> {
  const last = items.at(-1);
  return {
    items: items.map(showExcess),
    ...(hasMore && last ? { nextCursor: encodeCursor(CURSOR, [last.fromMs, last.id]) } : {}),
    asOf: instantOf(atMs),
  };
}

function outlookRoute(app: App, { excesses }: Using): void {
  app.get(
    '/v1/keys/:id/excess',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'readExcessOutlook',
        summary: 'How far combined use of a key can come over its limit',
        description:
          'Only under a local key it can: the most that is possible at all, the most to be expected at the rate of new users, the episode that is open, and how fresh the reports of each instance are.',
        tags: ['usage'],
        params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) }),
        response: responses({ 200: Outlook }, ['key-not-found', 'not-ready']),
      },
    },
    async (request) => {
      const { id } = request.params;
      requirePermission(request, 'usage.read', { keyId: id, instance: null });
      return showOutlook(await excesses.outlook(id));
    },
  );
}

function showOutlook(outlook: ExcessOutlook): Static<typeof Outlook> {
  const { key, enforcement, limit, inUse, overshoot, rate, open, instances, asOf } = outlook;
  const { unitsPossible, unitsPossibleByTransitions, unitsExpected, windowMs } = overshoot;
  return {
    key,
    enforcement,
    limit,
    inUse,
    possible: { units: unitsPossible, unitsByTransitions: unitsPossibleByTransitions },
    expected: {
      ...(unitsExpected === null ? {} : { units: unitsExpected }),
      windowSeconds: windowMs / 1000,
      ...(rate === null
        ? {}
        : { newUsersPerMinute: rate.perMinute, newUsersPerMinuteMax: rate.perMinuteMax }),
      minutesObserved: rate?.minutes ?? 0,
    },
    words: outlookWords(outlook),
    ...(open === null ? {} : { open: showExcess(open) }),
    instances: instances.map(showInstance),
    ...showAsOf(asOf),
  };
}

function showInstance(each: ReportingInstance) {
  const { instance, state, unitsMax, heardAtMs, reportedAtMs, isStale } = each;
  return {
    instance,
    state,
    ...(unitsMax === null ? {} : { unitsMax }),
    ...(heardAtMs === null ? {} : { heardAt: instantOf(heardAtMs) }),
    ...(reportedAtMs === null ? {} : { reportedAt: instantOf(reportedAtMs) }),
    stale: isStale,
  };
}

function outlookWords(outlook: ExcessOutlook): string {
  const { enforcement, limit, overshoot, rate } = outlook;
  if (enforcement === 'central')
    return 'The server decides on every login, so that the limit cannot be passed.';
  if (enforcement === 'leased')
    return 'Instances decide within units that are leased to them, whose sum never passes the limit.';
  const { shares, unitsPossible, unitsAtServer, unitsExpected, windowMs } = overshoot;
  const sum = shares.reduce((total, { unitsMax }) => total + unitsMax, 0);
  const silent = outlook.instances.filter((each) => each.state === 'silent' && each.unitsMax !== null).length;
  const active = shares.length - silent;
  const who = `${active} active ${active === 1 ? 'instance' : 'instances'}${silent === 0 ? '' : ` and ${silent} silent that may come back`}`;
  const besides = unitsAtServer === 0 ? '' : ` and the server has let in up to ${unitsAtServer} units`;
  const most = `${who} may let in ${sum} units by themselves${besides}, ${unitsPossible} more than the ${limit} of the key`;
  const seconds = windowMs / 1000;
  if (rate === null || unitsExpected === null) return `${most}. No rate of new users has been observed yet.`;
  return `${most}. In the fullest of the last ${rate.minutes} minutes ${rate.perMinuteMax} new users came; in the ${seconds} s until every instance knows that the limit is passed, that makes ${unitsExpected}.`;
}
