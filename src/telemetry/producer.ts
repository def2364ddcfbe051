/**
 * Hands the histograms that are counted as plain numbers to the SDK's readers.
 */

import type { HrTime } from '@opentelemetry/api';
import type { ExporterConfig } from '@opentelemetry/exporter-prometheus';
import type { Distribution } from './tallies.ts';

/** The SDK's interface of a further source of metrics. */
export type MetricProducer = NonNullable<ExporterConfig['metricProducers']>[number];

type CollectionResult = Awaited<ReturnType<MetricProducer['collect']>>;
type ScopeMetrics = CollectionResult['resourceMetrics']['scopeMetrics'][number];
type MetricData = ScopeMetrics['metrics'][number];

// The SDK's enumerations by value: `DataPointType.HISTOGRAM`, `AggregationTemporality.CUMULATIVE` and
// `ValueType.DOUBLE`. A test collects through a real reader and would notice a change.
const HISTOGRAM = 0;
const CUMULATIVE = 1;
const DOUBLE = 1;

/** What the SDK's serializers read of a resource; the readers put the SDK's own in its place. */
const NO_RESOURCE = {
  attributes: {},
  merge: (other: unknown) => other,
  getRawAttributes: () => [],
} as unknown as CollectionResult['resourceMetrics']['resource'];

/**
 * Makes a source of metrics out of histograms.
 *
 * @param distributions - the histograms.
 * @param options - `version` of the instrumentation scope; `unitsInNames` appends `_seconds` to the names in
 *   seconds that do not end so, as Prometheus expects.
 * @returns a producer that reads the numbers as they are when it is asked.
 */
export function createHistogramProducer(
  distributions: readonly Distribution[],
  options: { readonly version: string; readonly unitsInNames: boolean },
): MetricProducer {
  const startTime = hrTime(Date.now());
  return {
    async collect() {
      const endTime = hrTime(Date.now());
      const metrics = distributions
        .filter((distribution) => distribution.series.length > 0)
        .map((distribution) => toMetricData(distribution, startTime, endTime, options.unitsInNames));
      const scopeMetrics: ScopeMetrics[] = [{ scope: { name: 'lictor', version: options.version }, metrics }];
      return { resourceMetrics: { resource: NO_RESOURCE, scopeMetrics }, errors: [] };
    },
  };
}

function toMetricData(
  distribution: Distribution,
  startTime: HrTime,
  endTime: HrTime,
  unitsInNames: boolean,
): MetricData {
  const { description, unit, boundaries } = distribution;
  const bare = unitsInNames && unit === 's' && !distribution.name.endsWith('_seconds');
  const name = bare ? `${distribution.name}_seconds` : distribution.name;
  return {
    descriptor: { name, description, unit, valueType: DOUBLE },
    aggregationTemporality: CUMULATIVE,
    dataPointType: HISTOGRAM,
    dataPoints: distribution.series.map((series) => ({
      startTime,
      endTime,
      attributes: series.attributes,
      value: {
        buckets: { boundaries: [...boundaries], counts: Array.from(series.counts) },
        sum: series.sum,
        count: series.count,
      },
    })),
  };
}

function hrTime(milliseconds: number): HrTime {
  return [Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1_000_000];
}
