/**
 * The metrics as Prometheus text.
 */

import { Type } from 'typebox';
import type { Telemetry } from '../../telemetry.ts';
import type { RoutePlugin } from '../app.ts';
import { responses } from '../schemas.ts';

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The route that Prometheus scrapes.
 * @param services.telemetry - the running telemetry.
 * @param services.isPublic - whether it needs no token.
 */
export function metricsRoutes(services: {
  readonly telemetry: Pick<Telemetry, 'prometheusText'>;
  readonly isPublic: boolean;
}): RoutePlugin {
  return (app, _options, done) => {
    app.get(
      '/metrics',
      {
        config: { access: services.isPublic ? 'public' : 'metrics.read' },
        schema: {
          operationId: 'getMetrics',
          summary: 'Metrics for Prometheus',
          tags: ['operations'],
          produces: ['text/plain'],
          response: responses(
            {
              200: {
                description: 'Prometheus text.',
                content: { 'text/plain': { schema: Type.String() } },
              } as never,
            },
            [],
            { public: services.isPublic },
          ),
        },
      },
      (_request, reply) => {
        services.telemetry.prometheusText().then(
          (text) => reply.type(PROMETHEUS_TEXT).send(text as never),
          (error) => reply.send(error as never),
        );
      },
    );
    done();
  };
}
