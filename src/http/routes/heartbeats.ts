/**
 * Signs of life of instances. Those of logins stand with the logins.
 */

import { Type } from 'typebox';
import type { Heartbeats } from '../../service/heartbeats.ts';
import type { Logins } from '../../service/logins.ts';
import { expectAnswer, instantOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { heartbeatAfterSeconds, InstanceName } from '../login-shapes.ts';
import { Instant, responses } from '../schemas.ts';
import { callerOf, requireOn } from './logins.ts';

const AliveShape = Type.Object({
  status: Type.Literal('alive'),
  aliveUntil: Type.Optional(Instant('Until when it counts as alive without another heartbeat.')),
  heartbeatAfterSeconds: Type.Optional(Type.Number({ description: 'When to send the next one.' })),
});

/**
 * The heartbeat of an instance.
 * @param services - the heartbeats, and the logins' service for checks of permission.
 */
export function heartbeatRoutes({
  heartbeats,
  logins,
}: {
  readonly heartbeats: Heartbeats;
  readonly logins: Logins;
}): RoutePlugin {
  return (app, _options, done) => {
    app.post(
      '/v1/instances/:name/heartbeat',
      {
        config: { access: 'instances.heartbeat' },
        schema: {
          operationId: 'beatInstance',
          summary: 'Give a sign of life of an instance',
          description:
            'Answers `alive`, or a problem: another incarnation has taken over, or it was silent too long and what was bound to it was taken back.',
          tags: ['instances'],
          params: Type.Object({ name: InstanceName }),
          body: Type.Object(
            { incarnation: Type.Integer({ minimum: 1, description: 'As the registration gave it.' }) },
            { additionalProperties: false },
          ),
          response: responses(
            { 200: AliveShape },
            [
              'instance-not-found',
              'incarnation-old',
              'instance-silent',
              'queue-full',
              'outcome-unknown',
              'not-ready',
            ],
            { body: true },
          ),
        },
      },
      async (request) => {
        const { name } = request.params;
        await requireOn(request, logins, 'instances.heartbeat', name);
        const { actor, span } = callerOf(request);
        const answer = await heartbeats.beatInstance(name, request.body.incarnation, actor, span);
        const { deadlineMs, graceSeconds } = expectAnswer(answer, 'alive');
        if (deadlineMs === 0) return { status: 'alive' as const };
        return {
          status: 'alive' as const,
          aliveUntil: instantOf(deadlineMs),
          heartbeatAfterSeconds: heartbeatAfterSeconds(graceSeconds),
        };
      },
    );
    done();
  };
}
