/**
 * Application licences: load, list, read and remove sections.
 */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Action } from '../../domain/access.ts';
import type { Licensed } from '../../domain/applications/applications.ts';
import type { Applications } from '../../service/applications.ts';
import {
  AS_OF,
  actorOf,
  etagOf,
  expectAnswer,
  fieldFault,
  LANE_PROBLEMS,
  showAsOf,
  throwUnlessDone,
} from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import {
  ApplicationBody,
  ApplicationFeatureParams,
  ApplicationFileBody,
  ApplicationParams,
  FeatureShape,
  LoadedShape,
  SectionShape,
  showFeatureUse,
  showLoaded,
  showSection,
} from '../application-shapes.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { NameParams } from '../instance-shapes.ts';
import { bytesOf, KEY_BODY_BYTES_MAX } from '../keyrequests.ts';
import { NoContent, responses } from '../schemas.ts';

/** The letters of `GetAppNames`. */
const TYPES: Readonly<Record<string, Licensed['kind']>> = { I: 'vendor', P: 'protected', U: 'loaded' };

const TypesQuery = Type.Object(
  {
    types: Type.Optional(
      Type.String({
        pattern: '^[IPU]{1,3}$',
        description:
          'Which sections: `I` those of the vendor, `P` others that come with the key, `U` the loaded ones, in any combination. All unless stated.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** The services that these routes call. */
export interface Using {
  readonly applications: Applications;
}

type App = Parameters<RoutePlugin>[0];

/**
 * Requires the permission for an instance with the key that it is registered with.
 * @throws LicenseError `forbidden`.
 */
export async function requireOn(
  request: FastifyRequest,
  { applications }: Using,
  action: Action,
  name: string,
): Promise<void> {
  const isByKey = principalOf(request).keys !== null;
  const keyId = isByKey ? await applications.keyOf(name) : null;
  if (keyId !== undefined) requirePermission(request, action, { instance: name, keyId });
}

/**
 * Sections: load, list, read, remove.
 * @param services.applications - their service.
 */
export function applicationRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    listRoute(app, services);
    loadAllRoute(app, services);
    loadRoute(app, services);
    readRoute(app, services);
    removeRoute(app, services);
    featureRoute(app, services);
    done();
  };
}

function listRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/applications',
    {
      config: { access: 'applications.read' },
      schema: {
        operationId: 'listApplications',
        summary: 'List the application sections that an instance has',
        description: 'Loaded ones and those of its key, by name, with what is in use of each feature.',
        tags: ['applications'],
        params: NameParams,
        querystring: TypesQuery,
        response: responses({ 200: Type.Object({ items: Type.Array(SectionShape), ...AS_OF }) }, [
          'instance-not-found',
          'not-ready',
        ]),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireOn(request, services, 'applications.read', name);
      const { items, asOf } = await services.applications.list(name);
      const kinds = [...(request.query.types ?? 'IPU')].map((letter) => TYPES[letter]);
      const shown = items.filter(({ licensed }) => kinds.includes(licensed.kind));
      return { items: shown.map((state) => showSection(name, state)), ...showAsOf(asOf) };
    },
  );
}

function loadAllRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/applications',
    {
      config: { access: 'applications.load' },
      bodyLimit: KEY_BODY_BYTES_MAX,
      schema: {
        operationId: 'loadApplications',
        summary: 'Load every section of an application licence file',
        description: 'All sections or none. Sections that are loaded already and are not in the file stay.',
        tags: ['applications'],
        params: NameParams,
        body: ApplicationFileBody,
        response: responses(
          { 200: Type.Object({ items: Type.Array(LoadedShape) }) },
          [
            'application-file-invalid',
            'application-protected',
            'application-limit-reached',
            'instance-not-found',
            ...LANE_PROBLEMS,
          ],
          { body: true },
        ),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireOn(request, services, 'applications.load', name);
      const sections = services.applications.readFile(bytesOf(request.body));
      const actor = actorOf(principalOf(request));
      const answer = await services.applications.load(name, sections, actor);
      const { applications, outcomes } = expectAnswer(answer, 'applications');
      return { items: applications.map((one, index) => showLoaded(one, outcomes[index]!)) };
    },
  );
}

function loadRoute(app: App, services: Using): void {
  app.put(
    '/v1/instances/:name/applications/:application',
    {
      config: { access: 'applications.load' },
      bodyLimit: KEY_BODY_BYTES_MAX,
      schema: {
        operationId: 'loadApplication',
        summary: 'Load one application section',
        description:
          'Out of a file, or as keywords and values. 201 for a new one, else 200. Whoever holds units keeps them when there are fewer afterwards; the peaks begin anew.',
        tags: ['applications'],
        params: ApplicationParams,
        body: ApplicationBody,
        response: responses(
          { 200: LoadedShape, 201: LoadedShape },
          [
            'application-file-invalid',
            'application-protected',
            'application-limit-reached',
            'instance-not-found',
            ...LANE_PROBLEMS,
          ],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      const { name, application } = request.params;
      await requireOn(request, services, 'applications.load', name);
      const sections = sectionsOf(services, application, request.body);
      const actor = actorOf(principalOf(request));
      const answer = await services.applications.load(name, sections, actor);
      const { applications, outcomes } = expectAnswer(answer, 'applications');
      const [loaded, outcome] = [applications[0]!, outcomes[0]!];
      reply.header('etag', etagOf(loaded.revision));
      return reply.code(outcome === 'loaded' ? 201 : 200).send(showLoaded(loaded, outcome));
    },
  );
}

/** @throws LicenseError `malformed-request` unless there is either a file or entries. */
function sectionsOf({ applications }: Using, name: string, body: Static<typeof ApplicationBody>) {
  const { entries, ...file } = body;
  if (entries === undefined) return applications.readFile(bytesOf(file), name);
  if (Object.keys(file).length > 0) throw fieldFault('', 'must have either a file or entries');
  const stated = Object.entries(entries).map(([keyword, value]) => [keyword, String(value)] as const);
  return applications.readEntries(name, stated);
}

function readRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/applications/:application',
    {
      config: { access: 'applications.read' },
      schema: {
        operationId: 'readApplication',
        summary: 'Read an application section, with what is in use of it',
        tags: ['applications'],
        params: ApplicationParams,
        response: responses({ 200: Type.Object({ ...SectionShape.properties, ...AS_OF }) }, [
          'instance-not-found',
          'application-not-found',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { name, application } = request.params;
      await requireOn(request, services, 'applications.read', name);
      const { state, asOf } = await services.applications.get(name, application);
      const { loaded } = state.licensed;
      if (loaded) reply.header('etag', etagOf(loaded.revision));
      return { ...showSection(name, state), ...showAsOf(asOf) };
    },
  );
}

function removeRoute(app: App, services: Using): void {
  app.delete(
    '/v1/instances/:name/applications/:application',
    {
      config: { access: 'applications.change' },
      schema: {
        operationId: 'removeApplication',
        summary: 'Take a loaded application section away',
        description:
          'Nobody can take anything of it any more; whoever holds units keeps them until he gives them back or goes. Repeating it does no harm.',
        tags: ['applications'],
        params: ApplicationParams,
        response: responses({ 204: NoContent }, [...LANE_PROBLEMS]),
      },
    },
    async (request, reply) => {
      const { name, application } = request.params;
      await requireOn(request, services, 'applications.change', name);
      const actor = actorOf(principalOf(request));
      throwUnlessDone(await services.applications.remove(name, application, actor));
      return reply.code(204).send(null);
    },
  );
}

function featureRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/applications/:application/features/:feature',
    {
      config: { access: 'applications.read' },
      schema: {
        operationId: 'readApplicationFeature',
        summary: 'Read a feature of an application, with what is in use of it',
        tags: ['applications'],
        params: ApplicationFeatureParams,
        response: responses({ 200: Type.Object({ ...FeatureShape.properties, ...AS_OF }) }, [
          'instance-not-found',
          'application-not-found',
          'feature-not-licensed',
          'not-ready',
        ]),
      },
    },
    async (request) => {
      const { name, application, feature } = request.params;
      await requireOn(request, services, 'applications.read', name);
      const { use, asOf } = await services.applications.feature(name, application, feature);
      return { ...showFeatureUse(use), ...showAsOf(asOf) };
    },
  );
}
