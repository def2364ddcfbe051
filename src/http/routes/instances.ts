/**
 * Instances: register, list, read, change the settings, remove.
 */

import { type Static, Type } from 'typebox';
import { type Action, permits } from '../../domain/access.ts';
import type { Instances } from '../../service/instances.ts';
import type { ServedKeys } from '../../service/servedkeys.ts';
import {
  actorOf,
  etagOf,
  expectAnswer,
  fieldFault,
  IfMatch,
  ifMatchOf,
  LANE_PROBLEMS,
  PageAsOf,
  showAsOf,
  throwUnlessDone,
} from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import {
  FeatureParams,
  InstanceShape,
  InstanceWithHoldings,
  NameParams,
  Registered,
  Registration,
  readAddress,
  readLicenseServers,
  showInstance,
  Text,
} from '../instance-shapes.ts';
import { Feature, showFeature } from '../keyviews.ts';
import { NoContent, PageQuery, pageLimit, responses } from '../schemas.ts';
import { ADMINISTRATIVE_SETTINGS, readSettings, SettingsChange, showSettingsInForce } from '../settings.ts';

const ListQuery = Type.Object(
  { ...PageQuery.properties, key: Type.Optional(Text('Only instances registered with this key.')) },
  { additionalProperties: false },
);

/** The services that these routes call. */
interface Using {
  readonly instances: Instances;
  readonly servedKeys: Pick<ServedKeys, 'servedUnder'>;
  /** How often an instance that decides for itself should report, in seconds. */
  readonly updateIntervalSeconds: number;
}

type App = Parameters<RoutePlugin>[0];
type Request = Parameters<typeof principalOf>[0];

/**
 * Requires the permission for an instance with the key that it is registered with. One that is not registered
 * passes a restriction to keys: there is nothing to protect, and the answer says that it is not there.
 */
async function requireOn(
  request: Request,
  { instances }: Using,
  action: Action,
  name: string,
): Promise<void> {
  const isByKey = principalOf(request).keys !== null;
  const keyId = isByKey ? await instances.keyOf(name) : null;
  if (keyId !== undefined) requirePermission(request, action, { instance: name, keyId });
}

/** A registration may not loosen what an administrator decides, and not take a key that is not the token's. */
async function requireRegistration(
  request: Request,
  services: Using,
  name: string,
  body: Static<typeof Registration>,
): Promise<void> {
  const keyId = await keyOfRegistration(services, body);
  requirePermission(request, 'instances.register', { instance: name, keyId });
  await requireOn(request, services, 'instances.register', name);
  const { settings, licenseId } = body;
  if (body.key !== undefined && licenseId !== undefined) {
    throw fieldFault('/licenseId', 'must be left out where a key is named');
  }
  const isAdministrative = ADMINISTRATIVE_SETTINGS.some((setting) => settings?.[setting] !== undefined);
  if (isAdministrative) {
    requirePermission(request, 'instances.change', { instance: name, keyId });
  }
}

/** The key that a registration comes to: the one that it names, or that is served by the LicenseID that it names. */
async function keyOfRegistration(
  { servedKeys }: Using,
  { key, licenseId }: Static<typeof Registration>,
): Promise<string | null> {
  return key ?? (licenseId === undefined ? null : servedKeys.servedUnder(licenseId));
}

/**
 * Register, list, read, change and remove.
 * @param services.instances - the instances' service.
 */
export function instanceRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    registerRoute(app, services);
    listRoute(app, services);
    readRoute(app, services);
    configureRoute(app, services);
    removeRoute(app, services);
    featureRoute(app, services);
    done();
  };
}

function registerRoute(app: App, services: Using): void {
  app.put(
    '/v1/instances/:name',
    {
      config: { access: 'instances.register' },
      schema: {
        operationId: 'registerInstance',
        summary: 'Register an instance',
        description:
          'At every start, and to take another key. In place of a key it may name the LicenseID under which one is served. 201 for a new name, else 200. Settings are taken when a life begins; those left out keep their values. `unitLimit`, `connectionLimit` and `trustedProxies` need a token that permits `instances.change`.',
        tags: ['instances'],
        params: NameParams,
        body: Registration,
        response: responses(
          { 200: Registered, 201: Registered },
          [
            'key-not-found',
            'incarnation-old',
            'key-generation-mismatch',
            'key-not-shareable',
            ...LANE_PROBLEMS,
          ],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const {
        key,
        licenseId,
        incarnation,
        registrationId,
        product,
        version,
        address,
        licenseServers,
        settings,
      } = request.body;
      await requireRegistration(request, services, name, request.body);
      const answer = await services.instances.register({
        name,
        key: key ?? null,
        licenseId,
        incarnation: incarnation ?? null,
        registrationId: registrationId ?? null,
        product: product ?? null,
        version: version ?? null,
        address: readAddress(address),
        licenseServers: licenseServers === undefined ? null : readLicenseServers(licenseServers),
        settings: settings === undefined ? {} : readSettings(settings, '/settings'),
        actor: actorOf(principalOf(request)),
      });
      const { instance, outcome } = expectAnswer(answer, 'instance');
      reply.header('etag', etagOf(instance.revision));
      const registered = await services.instances.registered(instance);
      const { enforcement, limit, connectionsPerUnitMax } = registered.terms;
      return reply.code(outcome === 'new' ? 201 : 200).send({
        ...showInstance(registered),
        settings: showSettingsInForce(instance),
        enforcement,
        limit,
        connectionsPerUnitMax,
        nextUpdateAfterSeconds: services.updateIntervalSeconds,
        ...(registered.notices.length === 0 ? {} : { notices: [...registered.notices] }),
        outcome,
      });
    },
  );
}

function listRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances',
    {
      config: { access: 'instances.read' },
      schema: {
        operationId: 'listInstances',
        summary: 'List the registered instances',
        description: 'By name; only those that the token may see.',
        tags: ['instances'],
        querystring: ListQuery,
        response: responses({ 200: PageAsOf(InstanceShape) }, ['not-ready']),
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const position = decodeCursor('instances', request.query.cursor, 1);
      const { items, hasMore, asOf } = await services.instances.list(
        ({ name, key }) => permits(principal, 'instances.read', { instance: name, keyId: key }),
        {
          after: position === null ? null : String(position[0]),
          limit: pageLimit(request.query),
          key: request.query.key,
        },
      );
      return {
        items: items.map(showInstance),
        ...(hasMore ? { nextCursor: encodeCursor('instances', [items.at(-1)!.instance.name]) } : {}),
        ...showAsOf(asOf),
      };
    },
  );
}

function readRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name',
    {
      config: { access: 'instances.read' },
      schema: {
        operationId: 'readInstance',
        summary: 'Read an instance, with what it holds',
        tags: ['instances'],
        params: NameParams,
        response: responses({ 200: InstanceWithHoldings }, ['instance-not-found', 'not-ready']),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      await requireOn(request, services, 'instances.read', name);
      const state = await services.instances.get(name);
      reply.header('etag', etagOf(state.instance.revision));
      return { ...showInstance(state), holds: state.holds, ...showAsOf(state.asOf) };
    },
  );
}

function configureRoute(app: App, services: Using): void {
  app.patch(
    '/v1/instances/:name',
    {
      config: { access: 'instances.change' },
      schema: {
        operationId: 'configureInstance',
        summary: 'Change the settings of an instance',
        description: 'On the revision of `If-Match`; settings left out keep their values.',
        tags: ['instances'],
        params: NameParams,
        headers: IfMatch,
        body: SettingsChange,
        response: responses(
          { 200: InstanceShape },
          ['instance-not-found', 'precondition-required', 'precondition-failed', ...LANE_PROBLEMS],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      await requireOn(request, services, 'instances.change', name);
      const revision = ifMatchOf(request);
      const settings = readSettings(request.body, '');
      const actor = actorOf(principalOf(request));
      const answer = await services.instances.configure(name, settings, revision, actor);
      const { instance } = expectAnswer(answer, 'instance');
      reply.header('etag', etagOf(instance.revision));
      return showInstance(await services.instances.inState(instance));
    },
  );
}

function removeRoute(app: App, services: Using): void {
  app.delete(
    '/v1/instances/:name',
    {
      config: { access: 'instances.remove' },
      schema: {
        operationId: 'removeInstance',
        summary: 'Deregister an instance',
        description: 'Everything that it holds is released in the same step. Repeating it does no harm.',
        tags: ['instances'],
        params: NameParams,
        response: responses({ 204: NoContent }, [...LANE_PROBLEMS]),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      await requireOn(request, services, 'instances.remove', name);
      throwUnlessDone(await services.instances.remove(name, actorOf(principalOf(request))));
      return reply.code(204).send(null);
    },
  );
}

function featureRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/features/:feature',
    {
      config: { access: 'instances.read' },
      schema: {
        operationId: 'readInstanceFeature',
        summary: 'Whether the key of an instance permits a feature',
        description: 'A key that is missing or not valid permits none; the reason says which is the case.',
        tags: ['instances'],
        params: FeatureParams,
        response: responses({ 200: Feature }, ['instance-not-found', 'not-ready']),
      },
    },
    async (request) => {
      const { name, feature } = request.params;
      await requireOn(request, services, 'instances.read', name);
      return showFeature(feature, await services.instances.feature(name, feature));
    },
  );
}
