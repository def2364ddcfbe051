/**
 * Which key an instance works under: activate another one on what was inspected, go back, and the history.
 */

import { Type } from 'typebox';
import type { Activations } from '../../service/activations.ts';
import type { Instances } from '../../service/instances.ts';
import { ActivatedShape, ActivationShape, showActivated, showActivation } from '../activation-shapes.ts';
import { actorOf, etagOf, expectAnswer, IfMatch, ifMatchOf, LANE_PROBLEMS } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { NameParams, Text } from '../instance-shapes.ts';
import { Page, PageQuery, pageLimit, responses } from '../schemas.ts';

const Body = Type.Object({ key: Text('The ID of an installed key.') }, { additionalProperties: false });

/** The services that these routes call. */
interface Using {
  readonly activations: Activations;
  readonly instances: Instances;
}

type App = Parameters<RoutePlugin>[0];
type Request = Parameters<typeof principalOf>[0];

/**
 * Activate, go back, list.
 * @param services - the activations' service, and the instances' for checks of permission.
 */
export function activationRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    activateRoute(app, services);
    rollbackRoute(app, services);
    historyRoute(app, services);
    done();
  };
}

/**
 * Requires the permission for the instance, with the key that it works under and with the one that it is to work
 * under. One without a key is nobody's who is restricted to keys; one that is not registered is answered as such.
 */
async function requireOn(
  request: Request,
  { instances }: Using,
  name: string,
  wanted: string | null | undefined,
): Promise<void> {
  const isByKey = principalOf(request).keys !== null;
  const current = isByKey ? await instances.keyOf(name) : null;
  for (const keyId of new Set([current, wanted]))
    if (keyId !== undefined) requirePermission(request, 'instances.activate', { instance: name, keyId });
}

function activateRoute(app: App, services: Using): void {
  app.put(
    '/v1/instances/:name/key',
    {
      config: { access: 'instances.activate' },
      schema: {
        operationId: 'activateKey',
        summary: 'Have an instance work under another key',
        description:
          'On what was inspected: `If-Match` is the token of `POST /v1/keys/inspect`, so that exactly that is applied; `*` applies whatever stands. At once, in part, or after the next start of the instance, by its `activationProfile`. Nobody inside loses anything: his login goes over to the new key; one that is smaller than what is in use lets in nobody new until use falls. It needs no unit, so that it works when all are taken. The key that is active already gives up the one that waits for a restart.',
        tags: ['instances'],
        params: NameParams,
        headers: IfMatch,
        body: Body,
        response: responses(
          { 200: ActivatedShape },
          [
            'instance-not-found',
            'key-not-found',
            'key-unusable',
            'key-generation-mismatch',
            'key-not-shareable',
            'precondition-required',
            'precondition-failed',
            ...LANE_PROBLEMS,
          ],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { key } = request.body;
      await requireOn(request, services, name, key);
      const inspected = ifMatchOf(request);
      const actor = actorOf(principalOf(request));
      const operation = { instance: name, key, cause: 'activated', inspected, actor } as const;
      const answer = expectAnswer(await services.activations.activate(operation), 'activation');
      reply.header('etag', etagOf(answer.instance.revision));
      return showActivated(await services.activations.view(answer));
    },
  );
}

function rollbackRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/key/rollback',
    {
      config: { access: 'instances.activate' },
      schema: {
        operationId: 'rollBackKey',
        summary: 'Go back to the key that an instance worked under before',
        description:
          'By the same rules as any activation. A key that waits for a restart is given up instead, and nothing else happens. Going back twice ends where it began; so `If-Match` is the ETag of the instance, by which a repeated request is told from a second one, or `*`.',
        tags: ['instances'],
        params: NameParams,
        headers: IfMatch,
        response: responses({ 200: ActivatedShape }, [
          'instance-not-found',
          'previous-key-missing',
          'key-not-found',
          'key-unusable',
          'key-generation-mismatch',
          'key-not-shareable',
          'precondition-required',
          'precondition-failed',
          ...LANE_PROBLEMS,
        ]),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const principal = principalOf(request);
      await requireOn(request, services, name, await services.instances.previousKeyOf(name));
      const inspected = ifMatchOf(request);
      const operation = {
        instance: name,
        key: '',
        cause: 'rolled-back',
        inspected,
        actor: actorOf(principal),
      } as const;
      const answer = expectAnswer(await services.activations.activate(operation), 'activation');
      reply.header('etag', etagOf(answer.instance.revision));
      return showActivated(await services.activations.view(answer));
    },
  );
}

const CURSOR = 'activations';

function historyRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/activations',
    {
      config: { access: 'instances.read' },
      schema: {
        operationId: 'listActivations',
        summary: 'The keys that an instance has worked under',
        description:
          'The latest first: what was activated over which key, by whom, with which outcome, and what became of keys that waited for a restart. It outlives the instance.',
        tags: ['instances'],
        params: NameParams,
        querystring: PageQuery,
        response: responses({ 200: Page(ActivationShape) }, ['instance-not-found', 'not-ready']),
      },
    },
    async (request) => {
      const { name } = request.params;
      const { keys } = principalOf(request);
      const keyId = keys === null ? undefined : await services.instances.keyOf(name);
      requirePermission(request, 'instances.read', { instance: name, keyId });
      const position = decodeCursor(CURSOR, request.query.cursor, 2);
      const after = position === null ? null : { atMs: Number(position[0]), id: String(position[1]) };
      const { items, hasMore } = await services.activations.list(name, after, pageLimit(request.query));
      const last = items.at(-1);
      return {
        items: items.map(showActivation),
        ...(hasMore && last ? { nextCursor: encodeCursor(CURSOR, [last.atMs, last.id]) } : {}),
      };
    },
  );
}
