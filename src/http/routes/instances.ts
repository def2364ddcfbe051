/**
 * Instances: register, list, read, change the settings, remove.
 */

import { type Static, Type } from 'typebox';
import { type Action, permits } from '../../domain/access.ts';
import { heartbeatAfterSeconds, type InstanceInState, type Instances } from '../../service/instances.ts';
import {
  AS_OF,
  actorOf,
  etagOf,
  expectAnswer,
  IfMatch,
  ifMatchOf,
  instantOf,
  LANE_PROBLEMS,
  PageAsOf,
  showAsOf,
  throwUnlessDone,
} from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { Feature, KeyStatusView, showFeature, withoutEmpty } from '../keyviews.ts';
import { Instant, NoContent, PageQuery, pageLimit, responses } from '../schemas.ts';
import {
  ADMINISTRATIVE_SETTINGS,
  readSettings,
  Settings,
  SettingsChange,
  showSettings,
} from '../settings.ts';

const TEXT_LENGTH_MAX = 128;
const INCARNATION_MAX = 2_000_000_000;

const Text = (description: string) => Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, description });

/** The most licence servers that an instance may state; more than three are excessive (F-12). */
const LICENSE_SERVERS_MAX = 8;

const LicenseServer = Type.String({
  pattern: '^(\\[[0-9A-Fa-f:.]{2,45}\\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):[1-9][0-9]{3,4}$',
  maxLength: 260,
  description: 'A host name or an address, a colon and the port; an IPv6 address stands in brackets.',
});

const NameParams = Type.Object({
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    description: 'The name of the instance: letters, digits, dot, underscore and hyphen, at most 63.',
  }),
});

const FeatureParams = Type.Object({
  ...NameParams.properties,
  feature: Text('The name of a feature, or its number.'),
});

const Registration = Type.Object(
  {
    key: Type.Optional(
      Text('The ID of the key; without it, none, or the built-in one where the configuration has it.'),
    ),
    incarnation: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: INCARNATION_MAX,
        description:
          'The incarnation that the instance holds. Left out after a start: what its former life held is released then.',
      }),
    ),
    registrationId: Type.Optional(
      Text(
        'An ID that the instance makes at its start, by which a repeated registration is told from a restart.',
      ),
    ),
    product: Type.Optional(Text('What it runs.')),
    version: Type.Optional(Text('Its version, which the key must fit.')),
    licenseServers: Type.Optional(
      Type.Array(LicenseServer, {
        maxItems: LICENSE_SERVERS_MAX,
        uniqueItems: true,
        description:
          'Every licence server that the instance is configured with, in any order. All instances that share a key must be configured with the same.',
      }),
    ),
    settings: Type.Optional(SettingsChange),
  },
  { additionalProperties: false },
);

const Instance = Type.Object({
  name: Type.String(),
  key: Type.Optional(Type.String({ description: 'The ID of the key it is registered with.' })),
  licence: KeyStatusView,
  incarnation: Type.Integer({ description: 'Its present life, counted from 1; send it with signs of life.' }),
  registrationId: Type.Optional(Type.String()),
  product: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  licenseServers: Type.Optional(
    Type.Array(Type.String(), { description: 'The licence servers it is configured with.' }),
  ),
  state: Type.Enum(['active', 'silent'], {
    type: 'string',
    description:
      '`silent`: it gave no sign of life, what was bound to it was taken back, and it must register again.',
  }),
  settings: Settings,
  heartbeatAfterSeconds: Type.Optional(
    Type.Integer({ description: 'How often it should give a sign of life; absent when it is not watched.' }),
  ),
  registeredAt: Instant('When its present life began.'),
  revision: Type.String({ description: 'Changes with every change; the ETag without its quotes.' }),
});

const Registered = Type.Object({
  ...Instance.properties,
  outcome: Type.Enum(['new', 'retry', 'restart', 'changed'], {
    type: 'string',
    description:
      '`retry` changed nothing, also not the settings; `restart` released what the former life held; `changed` took another key, product or version within the same life.',
  }),
});

const InstanceWithHoldings = Type.Object({
  ...Instance.properties,
  holds: Type.Object({
    logins: Type.Integer(),
    connections: Type.Integer({ description: 'Logins that are somebody’s.' }),
    users: Type.Integer({ description: 'Distinct users among them.' }),
    units: Type.Integer({
      description: 'Units as it sees them: a user who is also elsewhere counts here too.',
    }),
  }),
  ...AS_OF,
});

const ListQuery = Type.Object(
  { ...PageQuery.properties, key: Type.Optional(Text('Only instances registered with this key.')) },
  { additionalProperties: false },
);

/** The services that these routes call. */
interface Using {
  readonly instances: Instances;
}

type App = Parameters<RoutePlugin>[0];
type Request = Parameters<typeof principalOf>[0];

function showInstance({ instance, licence }: InstanceInState): Static<typeof Instance> {
  const { name, key, incarnation, registrationId, product, version, state, settings } = instance;
  const heartbeat = heartbeatAfterSeconds(settings);
  return {
    name,
    ...withoutEmpty({ key, registrationId, product, version }),
    ...(instance.licenseServers === undefined ? {} : { licenseServers: [...instance.licenseServers] }),
    licence: {
      status: licence.status,
      ...(licence.code === null ? {} : { code: licence.code }),
      reason: licence.reason,
    },
    incarnation,
    state,
    settings: showSettings(settings),
    ...(heartbeat === null ? {} : { heartbeatAfterSeconds: heartbeat }),
    registeredAt: instantOf(instance.registeredAtMs),
    revision: instance.revision,
  };
}

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
  requirePermission(request, 'instances.register', { instance: name, keyId: body.key ?? null });
  await requireOn(request, services, 'instances.register', name);
  const { settings } = body;
  const isAdministrative = ADMINISTRATIVE_SETTINGS.some((setting) => settings?.[setting] !== undefined);
  if (isAdministrative) {
    requirePermission(request, 'instances.change', { instance: name, keyId: body.key ?? null });
  }
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
          'At every start, and to take another key. 201 for a new name, else 200. Settings are taken when a life begins; those left out keep their values. `unitLimit`, `connectionLimit` and `trustedProxies` need a token that permits `instances.change`.',
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
      const { key, incarnation, registrationId, product, version, licenseServers, settings } = request.body;
      await requireRegistration(request, services, name, request.body);
      const answer = await services.instances.register({
        name,
        key: key ?? null,
        incarnation: incarnation ?? null,
        registrationId: registrationId ?? null,
        product: product ?? null,
        version: version ?? null,
        licenseServers: licenseServers?.map((server) => server.toLowerCase()).sort() ?? null,
        settings: settings === undefined ? {} : readSettings(settings, '/settings'),
        actor: actorOf(principalOf(request)),
      });
      const { instance, outcome } = expectAnswer(answer, 'instance');
      reply.header('etag', etagOf(instance.revision));
      const shown = showInstance(await services.instances.inState(instance));
      return reply.code(outcome === 'new' ? 201 : 200).send({ ...shown, outcome });
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
        response: responses({ 200: PageAsOf(Instance) }, ['not-ready']),
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
          { 200: Instance },
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
