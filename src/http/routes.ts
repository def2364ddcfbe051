/**
 * Every route of the API, in one list: for the composition root, and for the description.
 */

import type { Health } from '../service/health.ts';
import type { Heartbeats } from '../service/heartbeats.ts';
import type { Logins } from '../service/logins.ts';
import type { Tokens } from '../service/tokens.ts';
import type { Telemetry } from '../telemetry.ts';
import type { RoutePlugin } from './app.ts';
import { batchRoutes } from './routes/batches.ts';
import { healthRoutes } from './routes/health.ts';
import { heartbeatRoutes } from './routes/heartbeats.ts';
import { loginRoutes } from './routes/logins.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { problemRoutes } from './routes/problems.ts';
import { tokenRoutes } from './routes/tokens.ts';

/** What the routes call. A route touches its services when it is called, never when it is registered. */
export interface Services {
  readonly logins: Logins;
  readonly heartbeats: Heartbeats;
  readonly tokens: Tokens;
  readonly health: Health;
  readonly telemetry: Pick<Telemetry, 'prometheusText'>;
  /** Whether `/metrics` needs no token. */
  readonly metricsPublic: boolean;
}

/**
 * Lists the routes.
 * @param services - what they call.
 * @returns one plugin a noun, in the order of the description.
 */
export function listRoutes(services: Services): RoutePlugin[] {
  return [
    loginRoutes(services),
    batchRoutes(services),
    heartbeatRoutes(services),
    tokenRoutes(services),
    healthRoutes(services),
    metricsRoutes({ telemetry: services.telemetry, isPublic: services.metricsPublic }),
    problemRoutes(),
  ];
}
