/**
 * What instances that decide for themselves report, and their end in good order.
 */

import { Type } from 'typebox';
import type { Logins } from '../../service/logins.ts';
import type { Updates } from '../../service/updates.ts';
import { expectAnswer, LANE_PROBLEMS } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { readLease, showLease } from '../lease-shapes.ts';
import { InstanceName } from '../login-shapes.ts';
import { NoContent, responses } from '../schemas.ts';
import { Incarnation, readUpdate, showUpdate, UpdateAnswer, UpdateBody } from '../update-shapes.ts';
import { callerOf, requireOn } from './logins.ts';

const NameParams = Type.Object({ name: InstanceName });

/** The services that these routes call. */
interface Using {
  readonly updates: Updates;
  readonly logins: Logins;
  /** How often an instance should report, in seconds. */
  readonly updateIntervalSeconds: number;
}

/** A whole lease and a part of a report of the whole table fit into this many bytes. */
const UPDATE_BYTES_MAX = 4_194_304;

type App = Parameters<RoutePlugin>[0];

/**
 * Updates, and closing.
 * @param services - the updates' service, and the logins' for checks of permission.
 */
export function updateRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    updateRoute(app, services);
    closeRoute(app, services);
    done();
  };
}

function updateRoute(app: App, { updates, logins, updateIntervalSeconds }: Using): void {
  app.post(
    '/v1/instances/:name/updates',
    {
      bodyLimit: UPDATE_BYTES_MAX,
      config: { access: 'instances.update' },
      schema: {
        operationId: 'updateInstance',
        summary: 'Report changes of an instance’s own table',
        description:
          'For keys whose enforcement is `local` or `leased`: rows as they are, numbered, so that repeating one does no harm. Every update is a sign of life, also one that states nothing. It is never refused for being over the limit; the answer says whether new users may come in.',
        tags: ['instances'],
        params: NameParams,
        body: UpdateBody,
        response: responses(
          { 200: UpdateAnswer },
          ['instance-not-found', 'incarnation-old', 'instance-silent', 'table-too-large', ...LANE_PROBLEMS],
          { body: true },
        ),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireOn(request, logins, 'instances.update', name);
      const { actor, span } = callerOf(request);
      const { incarnation, lease, settingsRevision } = request.body;
      // What is stated of a lease stands for itself, so that neither waits for the other.
      const [answer, leased] = await Promise.all([
        updates.take(readUpdate(name, request.body, actor), span),
        lease && updates.state(readLease(name, incarnation, lease, actor), span),
      ]);
      const { update } = expectAnswer(answer, 'updated');
      const shown = showUpdate(update, settingsRevision, updateIntervalSeconds);
      return leased ? { ...shown, lease: showLease(expectAnswer(leased, 'leased').lease) } : shown;
    },
  );
}

function closeRoute(app: App, { updates, logins }: Using): void {
  app.post(
    '/v1/instances/:name/close',
    {
      config: { access: 'instances.update' },
      schema: {
        operationId: 'closeInstance',
        summary: 'End a life of an instance in good order',
        description:
          'Its logins without a lease of their own, what it reported and what was leased to it are given back at once. The instance stays registered, silent, until it registers again. It can be repeated.',
        tags: ['instances'],
        params: NameParams,
        body: Type.Object({ incarnation: Incarnation }, { additionalProperties: false }),
        response: responses({ 204: NoContent }, ['instance-not-found', 'incarnation-old', ...LANE_PROBLEMS], {
          body: true,
        }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      await requireOn(request, logins, 'instances.update', name);
      const { actor, span } = callerOf(request);
      const { incarnation } = request.body;
      expectAnswer(await updates.close({ name, incarnation, actor }, span), 'done');
      return reply.code(204).send(null);
    },
  );
}
