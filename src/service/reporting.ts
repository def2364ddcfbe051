/**
 * The services that make reports, put together.
 */

import { Dumps, type DumpsOptions } from './dumps.ts';
import { KeyReports } from './keyreports.ts';
import type { LicenseServers } from './licenseservers.ts';
import { Marks, type MarksOptions } from './marks.ts';
import { Queries } from './queries.ts';
import { Reports, type ReportsOptions } from './reports.ts';

/** What the reports need together. */
export interface ReportingOptions extends Omit<ReportsOptions, 'lane'>, MarksOptions, DumpsOptions {
  readonly licenseServers: Pick<LicenseServers, 'active'>;
}

/** The services that make reports. */
export interface Reporting {
  readonly reports: Reports;
  readonly keyReports: KeyReports;
  readonly queries: Queries;
  readonly marks: Marks;
  readonly dumps: Dumps;
}

/** Makes them all. */
export function createReporting(options: ReportingOptions): Reporting {
  const reports = new Reports(options);
  return {
    reports,
    keyReports: new KeyReports({ ...options, reports }),
    queries: new Queries({ ...options, reports }),
    marks: new Marks(options),
    dumps: new Dumps(options),
  };
}
