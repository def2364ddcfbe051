/**
 * Forced releases.
 */

import { type Static, Type } from 'typebox';
import type { HeldByInstances, Releases, ReleaseTarget } from '../../service/releases.ts';
import { actorOf, fieldFault, LANE_PROBLEMS, throwUnlessDone } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { responses } from '../schemas.ts';

const REASON_LENGTH_MIN = 3;
const REASON_LENGTH_MAX = 500;
const TEXT_LENGTH_MAX = 128;
const USER_LENGTH_MAX = 256;

const Text = (description: string, maxLength: number) =>
  Type.String({ minLength: 1, maxLength, description });

const Release = Type.Object(
  {
    instance: Type.Optional(
      Text('The instance: with `login` one login of it, without everything it holds.', TEXT_LENGTH_MAX),
    ),
    login: Type.Optional(Type.String({ format: 'uuid', description: 'The ID of the login.' })),
    key: Type.Optional(Text('With `user`: the key that the user is counted under.', TEXT_LENGTH_MAX)),
    user: Type.Optional(
      Text('The licence user ID, all of whose logins end on all instances.', USER_LENGTH_MAX),
    ),
    reason: Type.String({
      minLength: REASON_LENGTH_MIN,
      maxLength: REASON_LENGTH_MAX,
      description: 'Why; it stands in the journal.',
    }),
  },
  { additionalProperties: false },
);

const Released = Type.Object({
  released: Type.Integer({ description: 'How many logins ended.' }),
  decision: Type.Optional(
    Type.String({ description: 'The decision in the journal; absent when there was nothing to end.' }),
  ),
  connectionsHeld: Type.Optional(
    Type.Integer({
      description:
        'How many connections of these are in on instances that decide for themselves. They go on, and only the instances can end them.',
    }),
  ),
  notice: Type.Optional(Type.String({ description: 'Where these are, and what to do about them.' })),
});

/** How many instances a notice names. */
const INSTANCES_NAMED_MAX = 5;

/** Says what a release cannot reach; nothing when it reached everything. */
function showHeld({ connections, instances }: HeldByInstances) {
  if (connections === 0) return {};
  const named = instances.slice(0, INSTANCES_NAMED_MAX).map((name) => `"${name}"`);
  const others = instances.length - named.length;
  const where = `${named.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
  const what = connections === 1 ? '1 connection is' : `${connections} connections are`;
  return {
    connectionsHeld: connections,
    notice: `${what} in on ${where}, by the last report. Who decides for himself is not forced out by Lictor: log the users out there. If the instance is gone, remove it with DELETE /v1/instances/{name}, which ends what it reported.`,
  };
}

function targetOf({ instance, login, key, user }: Static<typeof Release>): ReleaseTarget {
  if (instance !== undefined && key === undefined && user === undefined) {
    return login === undefined ? { instance } : { instance, login: login.toLowerCase() };
  }
  if (key !== undefined && user !== undefined && instance === undefined && login === undefined) {
    return { key, user };
  }
  throw fieldFault('', 'must name an instance, an instance with a login, or a key with a user');
}

/**
 * Ends logins that are somebody else's.
 * @param services.releases - the releases' service.
 */
export function releaseRoutes(services: { readonly releases: Releases }): RoutePlugin {
  return (app, _options, done) => {
    app.post(
      '/v1/releases',
      {
        config: { access: 'logins.force' },
        schema: {
          operationId: 'forceRelease',
          summary: 'Force logins out',
          description:
            'One login, everything that an instance holds (it stays registered), or everything of a user under a key. Units are free at once. Whoever is forced out hears of it at the next sign of life. What instances let in by themselves, under a local or leased key, goes on; the answer says how much that is. Repeating it does no harm.',
          tags: ['logins'],
          body: Release,
          response: responses(
            { 200: Released },
            ['key-not-found', 'instance-not-found', 'login-not-found', ...LANE_PROBLEMS],
            { body: true },
          ),
        },
      },
      async (request) => {
        const principal = principalOf(request);
        const target = targetOf(request.body);
        if ('key' in target) {
          requirePermission(request, 'logins.force', { keyId: target.key });
        } else {
          const { instance } = target;
          const keyId = principal.keys === null ? null : await services.releases.keyOf(instance);
          if (keyId !== undefined) requirePermission(request, 'logins.force', { instance, keyId });
        }
        const answer = await services.releases.release(target, request.body.reason, actorOf(principal));
        if ('is' in answer) {
          throwUnlessDone(answer);
          throw new Error(`the lane answered a release with "${answer.is}"`);
        }
        const { released, decision, held } = answer;
        return { released, ...(decision === null ? {} : { decision }), ...showHeld(held) };
      },
    );
    done();
  };
}
