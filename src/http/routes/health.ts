/**
 * Probes. `livez` says that the process runs, and nothing else: a database that is away is no reason to
 * restart it. `readyz` says whether it should be sent requests.
 */

import { Type } from 'typebox';
import type { Health } from '../../service/health.ts';
import type { RoutePlugin } from '../app.ts';
import { responses } from '../schemas.ts';

const Status = Type.Enum(['ready', 'degraded', 'not-ready'], { type: 'string' });

const Check = Type.Object({
  status: Status,
  words: Type.String({ description: 'What is the case, and what it means.' }),
});

const Report = Type.Object({
  status: Status,
  checks: Type.Object({ database: Check, coordination: Check, lane: Check }),
  durability: Type.String({ description: 'What a crash or a failover could lose.' }),
  leader: Type.Boolean({ description: 'Whether this replica does the work that must be done once.' }),
  replica: Type.String(),
});

/**
 * The probes.
 * @param services.health - reports the health from what is known already.
 */
export function healthRoutes(services: { readonly health: Health }): RoutePlugin {
  return (app, _options, done) => {
    app.get(
      '/livez',
      {
        config: { access: 'public' },
        schema: {
          operationId: 'getLiveness',
          summary: 'Whether the process runs',
          tags: ['operations'],
          response: responses({ 200: Type.Object({ status: Type.Literal('live') }) }, [], { public: true }),
        },
      },
      (_request, reply) => {
        reply.send({ status: 'live' });
      },
    );
    app.get(
      '/readyz',
      {
        config: { access: 'public' },
        schema: {
          operationId: 'getReadiness',
          summary: 'Whether this replica should be sent requests',
          description: '`ready` and `degraded` answer 200, `not-ready` answers 503; the words say why.',
          tags: ['operations'],
          response: responses({ 200: Report, 503: Report }, [], { public: true }),
        },
      },
      (_request, reply) => {
        const report = services.health();
        reply.code(report.status === 'not-ready' ? 503 : 200).send(report);
      },
    );
    done();
  };
}
