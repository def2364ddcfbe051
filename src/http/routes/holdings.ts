/**
 * Units of application licences: take and give back, say what a take would come to, and who holds them.
 */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { DEFAULT_FEATURE } from '../../domain/applications/applications.ts';
import { LicenseError } from '../../domain/errors.ts';
import type { Answer } from '../../domain/operations.ts';
import type { HoldRequest } from '../../service/applications.ts';
import {
  actorOf,
  expectAnswer,
  fieldFault,
  LANE_PROBLEMS,
  PageAsOf,
  refusalExtras,
  showAsOf,
} from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import {
  ApplicationParams,
  ExplainedTake,
  FeatureText,
  HolderShape,
  HoldingsShape,
  InstanceLoginShape,
  RecountBody,
  RecountShape,
  ReturnBody,
  showHeld,
  showHolder,
  showHoldings,
  showNamed,
  TakeBody,
} from '../application-shapes.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { NameParams, Text } from '../instance-shapes.ts';
import { LoginId } from '../login-shapes.ts';
import { PageQuery, pageLimit, responses } from '../schemas.ts';
import { requireOn, type Using } from './applications.ts';

const HoldersQuery = Type.Object(
  {
    ...PageQuery.properties,
    feature: Type.Optional(FeatureText),
    userId: Type.Optional(Text('Only of this licence user ID.')),
    login: Type.Optional({ ...LoginId, description: 'Only what this login has taken.' }),
    across: Type.Optional(
      Type.Boolean({
        description: 'Of a section that is counted across a key: its holders on all instances of the key.',
      }),
    ),
  },
  { additionalProperties: false },
);

const InstanceLoginQuery = Type.Object({ feature: FeatureText }, { additionalProperties: false });

/** What stands against a take besides the units. */
const TAKE_PROBLEMS = [
  'application-units-exhausted',
  'instance-not-found',
  'application-not-found',
  'feature-not-licensed',
  'feature-not-counted',
  'holder-missing',
  'holdings-limit-reached',
  'login-lost',
  'instance-silent',
  'key-expired',
  'key-not-yet-valid',
  'key-untrusted',
  'key-missing',
] as const;

type App = Parameters<RoutePlugin>[0];

/**
 * Units: take, give back, explain, and who holds them.
 * @param services.applications - their service.
 */
export function holdingRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    takeRoute(app, services);
    explainRoute(app, services);
    returnRoute(app, services);
    holdersRoute(app, services);
    recountRoute(app, services);
    instanceLoginRoute(app, services);
    done();
  };
}

/** @throws LicenseError `malformed-request` unless either a login or a user is named. */
function holdRequest(
  instance: string,
  { id, login, userId, features }: Static<typeof ReturnBody>,
): HoldRequest {
  if ((login === undefined) === (userId === undefined)) {
    throw fieldFault('', 'must have either login or userId');
  }
  return {
    instance,
    id: id?.toLowerCase() ?? null,
    holder: login === undefined ? { user: userId! } : { login: login.toLowerCase() },
    features:
      features?.map(({ application, feature = DEFAULT_FEATURE }) => ({ application, feature })) ?? null,
  };
}

function takeRequest(instance: string, body: Static<typeof TakeBody>) {
  const request = holdRequest(instance, body);
  return { ...request, features: request.features! };
}

function takeRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/applications/take',
    {
      config: { access: 'applications.use' },
      schema: {
        operationId: 'takeApplications',
        summary: 'Take a unit of application features for a user',
        description:
          'All features or none. A unit is a user’s: whoever holds a feature already takes it again for nothing, and gives it back as often. Everything goes with the login, or with the user’s last connection.',
        tags: ['applications'],
        params: NameParams,
        body: TakeBody,
        response: responses({ 200: HoldingsShape }, [...TAKE_PROBLEMS, 'id-reused', ...LANE_PROBLEMS], {
          body: true,
        }),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireOn(request, services, 'applications.use', name);
      const actor = actorOf(principalOf(request));
      const asked = takeRequest(name, request.body);
      const answer = await services.applications.take(asked, actor, request.span);
      throwExhausted(request, answer);
      const { holdings, repeated } = expectAnswer(answer, 'held');
      return showHoldings(holdings, 'take', repeated);
    },
  );
}

/** A refusal names who holds the units, as far as the token may see them. */
function throwExhausted(request: FastifyRequest, answer: Answer): void {
  if (answer.is !== 'refused' || !answer.exhausted) return;
  const holders = showNamed(answer.exhausted, principalOf(request));
  throw new LicenseError(answer.code, answer.detail, { ...refusalExtras(answer), holders });
}

function explainRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/applications/explain',
    {
      config: { access: 'applications.read' },
      schema: {
        operationId: 'explainTake',
        summary: 'Say what a take would come to now, and change nothing',
        tags: ['applications'],
        params: NameParams,
        body: TakeBody,
        response: responses({ 200: ExplainedTake }, [...TAKE_PROBLEMS, 'id-reused', 'not-ready'], {
          body: true,
        }),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireOn(request, services, 'applications.read', name);
      const actor = actorOf(principalOf(request));
      const answer = await services.applications.explain(takeRequest(name, request.body), actor);
      if (answer.is === 'refused') {
        const { code, detail, exhausted } = answer;
        const { decision: _decision, ...extras } = refusalExtras(answer);
        const holders = exhausted && showNamed(exhausted, principalOf(request));
        return { verdict: 'refused' as const, code, detail, ...extras, ...(holders ? { holders } : {}) };
      }
      const { holdings } = expectAnswer(answer, 'held');
      return { verdict: 'granted' as const, features: holdings.features.map((one) => showHeld(one, 'take')) };
    },
  );
}

function returnRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/applications/return',
    {
      config: { access: 'applications.use' },
      schema: {
        operationId: 'returnApplications',
        summary: 'Give back units of application features',
        description:
          'One take of each feature that is named, or everything that the holder has. What he does not have is told as not released, which is no fault.',
        tags: ['applications'],
        params: NameParams,
        body: ReturnBody,
        response: responses(
          { 200: HoldingsShape },
          ['instance-not-found', 'holder-missing', 'login-lost', 'id-reused', ...LANE_PROBLEMS],
          { body: true },
        ),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireOn(request, services, 'applications.use', name);
      const actor = actorOf(principalOf(request));
      const asked = holdRequest(name, request.body);
      const answer = await services.applications.giveBack(asked, actor, request.span);
      const { holdings, repeated } = expectAnswer(answer, 'held');
      return showHoldings(holdings, 'return', repeated);
    },
  );
}

function holdersRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/applications/:application/holders',
    {
      config: { access: 'applications.read' },
      schema: {
        operationId: 'listHolders',
        summary: 'List who holds units of an application',
        description: 'By feature and user, as of the distributed table. Also of a section that is gone.',
        tags: ['applications'],
        params: ApplicationParams,
        querystring: HoldersQuery,
        response: responses({ 200: PageAsOf(HolderShape) }, ['instance-not-found', 'not-ready']),
      },
    },
    async (request) => {
      const { name, application } = request.params;
      const { feature = null, userId = null, login, across = false } = request.query;
      await requireOn(request, services, 'applications.read', name);
      if (across) requireAcross(request);
      const which = { feature, userId, login: login?.toLowerCase() ?? null, instance: across ? null : name };
      const at = decodeCursor('holders', request.query.cursor, 4)?.map(String);
      const after =
        at === undefined ? null : { feature: at[0]!, userId: at[1]!, instance: at[2]!, login: at[3]! };
      const limit = pageLimit(request.query);
      const page = await services.applications.holders(name, application, which, after, limit + 1);
      const items = page.holders.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map(showHolder),
        ...(page.holders.length > limit && last
          ? { nextCursor: encodeCursor('holders', [last.feature, last.userId, last.instance, last.login]) }
          : {}),
        ...showAsOf({ atMs: page.asOfMs, version: page.version }),
      };
    },
  );
}

/** The token of one instance does not see who is on others. */
function requireAcross(request: FastifyRequest): void {
  if (principalOf(request).instance === null) return;
  requirePermission(request, 'applications.read', { instance: null, keyId: null });
}

function recountRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/applications/:application/recount',
    {
      config: { access: 'applications.read' },
      schema: {
        operationId: 'recountApplication',
        summary: 'Count anew who holds units of an application',
        description: 'From what each user holds. Nothing has to be repaired: the counters are that sum.',
        tags: ['applications'],
        params: ApplicationParams,
        body: RecountBody,
        response: responses(
          { 200: Type.Object({ items: Type.Array(RecountShape) }) },
          [
            'instance-not-found',
            'application-not-found',
            'feature-not-licensed',
            'feature-not-counted',
            'not-ready',
          ],
          { body: true },
        ),
      },
    },
    async (request) => {
      const { name, application } = request.params;
      await requireOn(request, services, 'applications.read', name);
      return { items: [...(await services.applications.recount(name, application, request.body.feature))] };
    },
  );
}

function instanceLoginRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/applications/:application/instance-login',
    {
      config: { access: 'applications.read' },
      schema: {
        operationId: 'readInstanceLogin',
        summary: 'Whether an application may run on an instance, by the number of instances',
        description:
          'A keyword may license a number of instances (`ApplicationServerLogin`): it is permitted while no more active instances are registered with the key.',
        tags: ['applications'],
        params: ApplicationParams,
        querystring: InstanceLoginQuery,
        response: responses({ 200: InstanceLoginShape }, [
          'instance-not-found',
          'application-not-found',
          'feature-not-licensed',
          'feature-not-counted',
          'not-ready',
        ]),
      },
    },
    async (request) => {
      const { name, application } = request.params;
      await requireOn(request, services, 'applications.read', name);
      return services.applications.instanceLogin(name, application, request.query.feature);
    },
  );
}
