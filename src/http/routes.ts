/**
 * Every route of the API, in one list: for the composition root, and for the description.
 */

import type { Activations } from '../service/activations.ts';
import type { Applications } from '../service/applications.ts';
import type { Diagnoses } from '../service/diagnosis.ts';
import type { Excesses } from '../service/excesses.ts';
import type { Health } from '../service/health.ts';
import type { Heartbeats } from '../service/heartbeats.ts';
import type { Instances } from '../service/instances.ts';
import type { Journal } from '../service/journal.ts';
import type { Keys } from '../service/keys.ts';
import type { Leases } from '../service/leases.ts';
import type { LicenseServers } from '../service/licenseservers.ts';
import type { Logins } from '../service/logins.ts';
import type { Releases } from '../service/releases.ts';
import type { Reporting } from '../service/reporting.ts';
import type { ServedKeys } from '../service/servedkeys.ts';
import type { Summary } from '../service/summary.ts';
import type { Tokens } from '../service/tokens.ts';
import type { Updates } from '../service/updates.ts';
import type { Usage } from '../service/usage.ts';
import type { Telemetry } from '../telemetry.ts';
import type { RoutePlugin } from './app.ts';
import { activationRoutes } from './routes/activations.ts';
import { applicationRoutes } from './routes/applications.ts';
import { batchRoutes } from './routes/batches.ts';
import { diagnosisRoutes } from './routes/diagnosis.ts';
import { dumpRoutes } from './routes/dumps.ts';
import { excessRoutes } from './routes/excesses.ts';
import { healthRoutes } from './routes/health.ts';
import { heartbeatRoutes } from './routes/heartbeats.ts';
import { holdingRoutes } from './routes/holdings.ts';
import { instanceRoutes } from './routes/instances.ts';
import { journalRoutes } from './routes/journal.ts';
import { keyRoutes } from './routes/keys.ts';
import { leaseRoutes } from './routes/leases.ts';
import { licenseServerRoutes } from './routes/license-servers.ts';
import { loginRoutes } from './routes/logins.ts';
import { markRoutes } from './routes/marks.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { problemRoutes } from './routes/problems.ts';
import { queryRoutes } from './routes/queries.ts';
import { releaseRoutes } from './routes/releases.ts';
import { reportRoutes } from './routes/reports.ts';
import { servedKeyRoutes } from './routes/served-keys.ts';
import { summaryRoutes } from './routes/summary.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { updateRoutes } from './routes/updates.ts';
import { usageRoutes } from './routes/usage.ts';

/** What the routes call. A route touches its services when it is called, never when it is registered. */
export interface Services extends Reporting {
  readonly logins: Logins;
  readonly heartbeats: Heartbeats;
  readonly releases: Releases;
  readonly instances: Instances;
  readonly activations: Activations;
  readonly applications: Applications;
  readonly updates: Updates;
  /** How often an instance that decides for itself should report, in seconds. */
  readonly updateIntervalSeconds: number;
  readonly keys: Keys;
  readonly servedKeys: ServedKeys;
  readonly excesses: Excesses;
  readonly usage: Usage;
  readonly leases: Leases;
  readonly summary: Summary;
  readonly journal: Journal;
  readonly licenseServers: LicenseServers;
  readonly tokens: Tokens;
  readonly health: Health;
  readonly diagnoses: Diagnoses;
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
    releaseRoutes(services),
    instanceRoutes(services),
    activationRoutes(services),
    applicationRoutes(services),
    holdingRoutes(services),
    updateRoutes(services),
    keyRoutes(services),
    servedKeyRoutes(services),
    usageRoutes(services),
    leaseRoutes(services),
    excessRoutes(services),
    summaryRoutes(services),
    markRoutes(services),
    reportRoutes(services),
    dumpRoutes(services),
    queryRoutes(services),
    journalRoutes(services),
    licenseServerRoutes(services),
    tokenRoutes(services),
    healthRoutes(services),
    diagnosisRoutes(services),
    metricsRoutes({ telemetry: services.telemetry, isPublic: services.metricsPublic }),
    problemRoutes(),
  ];
}
