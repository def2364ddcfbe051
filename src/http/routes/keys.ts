/**
 * Keys: inspect a key file, install it, read what is installed, change how it is enforced, remove it.
 */

import { type Static, Type } from 'typebox';
import { permits } from '../../domain/access.ts';
import { KEY_FIELD_LIMITS } from '../../domain/keys/keyfields.ts';
import type { Activations } from '../../service/activations.ts';
import type { Instances } from '../../service/instances.ts';
import { featureOf, type Inspection, type Keys } from '../../service/keys.ts';
import { InspectedActivationShape, showInspectedActivation } from '../activation-shapes.ts';
import {
  actorOf,
  etagOf,
  expectAnswer,
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
import { bytesOf, InspectBody, KEY_BODY_BYTES_MAX, KeyFileBody } from '../keyrequests.ts';
import {
  Feature,
  Key,
  KeyStatusView,
  KeyTerms,
  showFeature,
  showKey,
  showStatus,
  showTerms,
} from '../keyviews.ts';
import { NoContent, PageQuery, pageLimit, responses } from '../schemas.ts';

const Entry = Type.Object({ keyword: Type.String(), value: Type.String(), line: Type.Integer() });

const Inspected = Type.Object({
  id: Type.String({ description: 'The ID it would have.' }),
  installable: Type.Boolean({ description: 'Whether this server would install it as it was sent.' }),
  code: Type.Optional(Type.String({ description: 'Why not: `key-untrusted` or `key-unverified`.' })),
  reason: Type.Optional(Type.String({ description: 'Why not, in words, with what to do.' })),
  installed: Type.Boolean({ description: 'Whether a key with this ID is installed already.' }),
  key: Type.Optional(KeyTerms),
  status: Type.Optional(KeyStatusView),
  enforces: Type.Optional(Type.String({ description: 'What would be enforced, in words.' })),
  notices: Type.Array(Type.String(), { description: 'Things worth knowing that do not prevent its use.' }),
  encoding: Type.Optional(
    Type.Enum(['utf-8', 'latin-1'], {
      type: 'string',
      description: 'Of the file; absent for a key that is built in.',
    }),
  ),
  activation: Type.Optional(InspectedActivationShape),
  sections: Type.Array(
    Type.Object({
      name: Type.String(),
      kind: Type.Enum(['config', 'license', 'protected', 'other'], { type: 'string' }),
      line: Type.Integer(),
      entries: Type.Array(Entry),
    }),
    { description: 'Everything that stands in the file.' },
  ),
});

const Installed = Type.Object({
  ...Key.properties,
  outcome: Type.Enum(['installed', 'present'], { type: 'string' }),
});

const Changes = Type.Object(
  {
    connectionsPerUnitMax: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: KEY_FIELD_LIMITS.connectionsPerUnitMax,
        description: 'How many connections of one user a unit bears.',
      }),
    ),
    enforcement: Type.Optional(
      Type.Enum(['central', 'local', 'leased'], {
        type: 'string',
        description:
          'Who decides on logins: the server each of them (`central`); the instances, which report, so that the limit can be exceeded for a while (`local`); or the instances within units that are leased to them, so that it cannot (`leased`). It changes only while no instance holds users or units by the old one.',
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);

const TEXT_LENGTH_MAX = 128;

const KeyParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX }) });
const FeatureParams = Type.Object({
  ...KeyParams.properties,
  feature: Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, description: 'A name or a number.' }),
});

function showInspection(inspection: Inspection): Static<typeof Inspected> {
  const { id, file, verdict, status, isInstalled } = inspection;
  const found = {
    installed: isInstalled,
    ...(file === null ? {} : { encoding: file.encoding }),
    sections: (file?.sections ?? []).map(({ name, kind, line, entries }) => ({
      name,
      kind,
      line,
      entries: entries.map((entry) => ({ ...entry })),
    })),
  };
  if (!verdict.ok) {
    return { id, installable: false, code: verdict.code, reason: verdict.reason, notices: [], ...found };
  }
  const { key, notices } = verdict;
  return {
    id,
    installable: true,
    key: showTerms(key),
    ...(status === null ? {} : { status: showStatus(status) }),
    enforces: `Logins are refused beyond ${key.unitsEnforced} units (${key.unitsAuthorised} are authorised); one unit bears ${key.connectionsPerUnitMax} connections of a user; ${key.server === 'multi' ? 'several instances may share it' : 'only one instance may use it'}.`,
    notices: [...notices],
    ...found,
  };
}

/** The services that these routes call. */
interface Using {
  readonly keys: Keys;
  readonly activations: Activations;
  readonly instances: Instances;
}

type App = Parameters<RoutePlugin>[0];

/**
 * Inspect, install, list, read, change and remove.
 * @param services.keys - the keys' service.
 */
export function keyRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    inspectRoute(app, services);
    installRoute(app, services);
    listRoute(app, services);
    readRoute(app, services);
    fileRoute(app, services);
    featureRoute(app, services);
    changeRoute(app, services);
    removeRoute(app, services);
    done();
  };
}

function inspectRoute(app: App, services: Using): void {
  app.post(
    '/v1/keys/inspect',
    {
      bodyLimit: KEY_BODY_BYTES_MAX,
      config: { access: 'keys.inspect' },
      schema: {
        operationId: 'inspectKey',
        summary: 'Look at a key file without installing it',
        description:
          'Stores nothing. A file that cannot be read answers 422 with every fault in `faults`. With `instance` the answer says what would become of the key there: both keys side by side, what is less, whether a restart is needed and why. Its `inspection` is the ETag as well: `PUT /v1/instances/{name}/key` with it as `If-Match` applies exactly what was shown. An installed key is looked at by `key`, its ID.',
        tags: ['keys'],
        body: InspectBody,
        response: responses(
          { 200: Inspected },
          ['key-file-invalid', 'key-not-found', 'instance-not-found', 'not-ready'],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      const { instance, key, ...file } = request.body;
      const { keys, activations } = services;
      if (key !== undefined) requirePermission(request, 'keys.read', { keyId: key });
      const inspection =
        key === undefined
          ? await keys.inspect(bytesOf(file), file.stated)
          : await keys.inspectInstalled(key, file);
      const shown = showInspection(inspection);
      if (instance === undefined) return shown;
      await requireInstance(request, services, instance);
      const inspected = await activations.inspect(instance, inspection);
      if (inspected.result.ok) reply.header('etag', etagOf(inspected.result.token));
      return { ...shown, activation: showInspectedActivation(inspected) };
    },
  );
}

/** What is said of an instance and its key is for those who may read both. */
async function requireInstance(
  request: Parameters<typeof principalOf>[0],
  { instances }: Using,
  name: string,
): Promise<void> {
  const isByKey = principalOf(request).keys !== null;
  const keyId = isByKey ? await instances.keyOf(name) : null;
  if (keyId !== undefined) requirePermission(request, 'instances.read', { instance: name, keyId });
}

function installRoute(app: App, services: Using): void {
  app.post(
    '/v1/keys',
    {
      bodyLimit: KEY_BODY_BYTES_MAX,
      config: { access: 'keys.install' },
      schema: {
        operationId: 'installKey',
        summary: 'Install a key',
        description:
          'The same content again is already there and answers 200. A key without a signature of ours is accepted only where the configuration allows it, on stated terms.',
        tags: ['keys'],
        body: KeyFileBody,
        response: responses(
          { 200: Installed, 201: Installed },
          ['key-file-invalid', 'key-untrusted', 'key-unverified', 'key-in-use', ...LANE_PROBLEMS],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      const bytes = bytesOf(request.body);
      const key = services.keys.read(bytes, request.body.stated);
      requirePermission(request, 'keys.install', { keyId: key.id });
      const actor = actorOf(principalOf(request));
      const answer = expectAnswer(await services.keys.install(key, bytes, actor), 'key');
      const outcome = answer.outcome === 'installed' ? 'installed' : 'present';
      reply.header('etag', etagOf(answer.key.revision));
      if (outcome === 'installed') reply.header('location', `/v1/keys/${encodeURIComponent(key.id)}`);
      const shown = showKey(services.keys.inState(answer.key));
      return reply.code(outcome === 'installed' ? 201 : 200).send({ ...shown, outcome });
    },
  );
}

function changeRoute(app: App, services: Using): void {
  app.patch(
    '/v1/keys/:id',
    {
      config: { access: 'keys.change' },
      schema: {
        operationId: 'changeKey',
        summary: 'Change how a key is enforced',
        tags: ['keys'],
        params: KeyParams,
        headers: IfMatch,
        body: Changes,
        response: responses(
          { 200: Key },
          ['key-not-found', 'key-in-use', 'precondition-required', 'precondition-failed', ...LANE_PROBLEMS],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requirePermission(request, 'keys.change', { keyId: id });
      const revision = ifMatchOf(request);
      const actor = actorOf(principalOf(request));
      const answer = await services.keys.change(id, request.body, revision, actor);
      const { key } = expectAnswer(answer, 'key');
      return reply.header('etag', etagOf(key.revision)).send(showKey(services.keys.inState(key)));
    },
  );
}

function removeRoute(app: App, services: Using): void {
  app.delete(
    '/v1/keys/:id',
    {
      config: { access: 'keys.remove' },
      schema: {
        operationId: 'removeKey',
        summary: 'Remove a key',
        description: 'Only one that no instance is registered with. Repeating it does no harm.',
        tags: ['keys'],
        params: KeyParams,
        response: responses({ 204: NoContent }, ['key-in-use', ...LANE_PROBLEMS]),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requirePermission(request, 'keys.remove', { keyId: id });
      throwUnlessDone(await services.keys.remove(id, actorOf(principalOf(request))));
      return reply.code(204).send(null);
    },
  );
}

function listRoute(app: App, services: Using): void {
  app.get(
    '/v1/keys',
    {
      config: { access: 'keys.read' },
      schema: {
        operationId: 'listKeys',
        summary: 'List the installed keys',
        description: 'By ID; only those that the token may see.',
        tags: ['keys'],
        querystring: PageQuery,
        response: responses({ 200: PageAsOf(Key) }, ['not-ready']),
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const position = decodeCursor('keys', request.query.cursor, 1);
      const after = position === null ? null : String(position[0]);
      const { items, hasMore, asOf } = await services.keys.list(
        (keyId) => permits(principal, 'keys.read', { keyId }),
        { after, limit: pageLimit(request.query) },
      );
      return {
        items: items.map(showKey),
        ...(hasMore ? { nextCursor: encodeCursor('keys', [items.at(-1)!.key.id]) } : {}),
        ...showAsOf(asOf),
      };
    },
  );
}

function readRoute(app: App, services: Using): void {
  app.get(
    '/v1/keys/:id',
    {
      config: { access: 'keys.read' },
      schema: {
        operationId: 'readKey',
        summary: 'Read a key',
        tags: ['keys'],
        params: KeyParams,
        response: responses({ 200: Key }, ['key-not-found', 'not-ready']),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requirePermission(request, 'keys.read', { keyId: id });
      const state = await services.keys.get(id);
      return reply.header('etag', etagOf(state.key.revision)).send(showKey(state));
    },
  );
}

function fileRoute(app: App, services: Using): void {
  app.get(
    '/v1/keys/:id/file',
    {
      // The file holds the authorization key, by which whoever has it could install the key elsewhere.
      config: { access: 'keys.install' },
      schema: {
        operationId: 'readKeyFile',
        summary: 'Get the key file as it was installed',
        description: 'Byte for byte. Only for administrators, because it can be installed elsewhere.',
        tags: ['keys'],
        params: KeyParams,
        response: {
          ...responses({}, ['key-not-found', 'not-found', 'not-ready']),
          200: {
            description: 'The file.',
            content: { 'text/plain': { schema: Type.String() } },
          },
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requirePermission(request, 'keys.install', { keyId: id });
      const { bytes, encoding } = await services.keys.file(id);
      reply.type(`text/plain; charset=${encoding === 'utf-8' ? 'utf-8' : 'windows-1252'}`);
      reply.header('content-disposition', `attachment; filename="${id}.key"`);
      // Bytes go out as they are; the schema can only say that they are text.
      return reply.send(Buffer.from(bytes) as unknown as string);
    },
  );
}

function featureRoute(app: App, services: Using): void {
  app.get(
    '/v1/keys/:id/features/:feature',
    {
      config: { access: 'keys.read' },
      schema: {
        operationId: 'readKeyFeature',
        summary: 'Whether a key permits a feature',
        description: 'A key that is not valid permits none; the reason says which is the case.',
        tags: ['keys'],
        params: FeatureParams,
        response: responses({ 200: Feature }, ['key-not-found', 'not-ready']),
      },
    },
    async (request) => {
      const { id, feature } = request.params;
      requirePermission(request, 'keys.read', { keyId: id });
      return showFeature(feature, featureOf(await services.keys.get(id), feature));
    },
  );
}
