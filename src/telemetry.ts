/**
 * OpenTelemetry. The entry imports this first and starts it before anything else is built; all other code
 * touches `@opentelemetry/api` and `src/telemetry/` only, and works the same when this was never started.
 *
 * There are no automatic instrumentations: they patch modules, cost every request, and know neither
 * postgres.js nor the lane. Spans are made where the work is.
 */

import {
  context,
  DiagLogLevel,
  diag,
  metrics as metricsApi,
  propagation,
  SamplingDecision,
  trace,
} from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import {
  ConsoleMetricExporter,
  type IMetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK, type NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import { declareInstruments, distributions } from './telemetry/metrics.ts';
import type { OtlpProtocol, TelemetryOptions } from './telemetry/options.ts';
import { createHistogramProducer } from './telemetry/producer.ts';
import { declareRuntimeInstruments } from './telemetry/runtime.ts';
import { configureSpans, isSampled } from './telemetry/spans.ts';

/** What telemetry tells about itself; a pino logger fits. */
export interface TelemetryLogger {
  debug(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Who is watched. */
export interface TelemetryIdentity {
  readonly version: string;
  /** The replica's ID, told as `service.instance.id`. */
  readonly replica: string;
  /** Where faults of exporters go; without one they are silent. */
  readonly logger?: TelemetryLogger;
  /** Where ended spans go instead of to the configured exporters; for embedding and tests. */
  readonly spanProcessors?: NonNullable<NodeSDKConfiguration['spanProcessors']>;
}

/** Running telemetry. */
export interface Telemetry {
  /** Every metric as Prometheus text, as of now. */
  prometheusText(): Promise<string>;
  /** Exports what is left and stops. */
  close(): Promise<void>;
}

/**
 * Starts OpenTelemetry for this process: spans to the configured exporters, metrics to whoever asks
 * `prometheusText` and to the configured exporters.
 *
 * @param options - from `readTelemetryOptions`.
 * @param identity - who is watched, and where faults go.
 * @returns the running telemetry.
 */
export async function startTelemetry(
  options: TelemetryOptions,
  identity: TelemetryIdentity,
): Promise<Telemetry> {
  if (options.disabled) {
    return { prometheusText: async () => '# telemetry is disabled\n', close: async () => {} };
  }
  const { version, logger } = identity;
  if (logger !== undefined) {
    diag.setLogger(
      {
        debug: () => {},
        verbose: () => {},
        info: (message) => logger.debug(`telemetry: ${message}`),
        warn: (message) => logger.warn(`telemetry: ${message}`),
        error: (message) => logger.error(`telemetry: ${message}`),
      },
      { logLevel: DiagLogLevel.INFO, suppressOverrideMessage: true },
    );
  }
  const prometheus = new PrometheusExporter({
    preventServerStart: true,
    metricProducers: [createHistogramProducer(distributions, { version, unitsInNames: true })],
  });
  const sdk = new NodeSDK({
    resourceDetectors: [{ detect: () => ({ attributes: resourceOf(options, identity) }) }],
    metricReaders: [prometheus, ...(await makeMetricReaders(options, version))],
    // An empty list keeps the SDK from its own default, which is to export to localhost.
    logRecordProcessors: [],
    sampler: {
      shouldSample: (parent) => ({
        decision: isSampled(parent) ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
      }),
      toString: () => 'SampledAtTheEdge',
    },
    ...spanProcessorsOf(options, identity),
  });
  sdk.start();
  configureSpans(options.sampling, version);
  const meter = metricsApi.getMeter('lictor', version);
  declareInstruments(meter);
  declareRuntimeInstruments(meter);
  const serializer = new PrometheusSerializer('', false, undefined, false, true);
  return {
    async prometheusText() {
      const { resourceMetrics, errors } = await prometheus.collect();
      for (const error of errors) logger?.warn(`telemetry: a metric could not be read: ${String(error)}`);
      return `${serializer.serialize(resourceMetrics)}\n`;
    },
    async close() {
      configureSpans(null);
      await sdk.shutdown();
      for (const api of [trace, metricsApi, context, propagation, diag]) api.disable();
    },
  };
}

function resourceOf(options: TelemetryOptions, identity: TelemetryIdentity): Record<string, string> {
  return {
    'service.version': identity.version,
    'service.instance.id': identity.replica,
    ...options.resourceAttributes,
    'service.name': options.serviceName,
  };
}

/** Without `spanProcessors` the SDK makes the exporters that OTEL_TRACES_EXPORTER names; an empty list is none. */
function spanProcessorsOf(
  options: TelemetryOptions,
  identity: TelemetryIdentity,
): Pick<Partial<NodeSDKConfiguration>, 'spanProcessors'> {
  if (options.sampling === null) return { spanProcessors: [] };
  return identity.spanProcessors === undefined ? {} : { spanProcessors: identity.spanProcessors };
}

async function makeMetricReaders(options: TelemetryOptions, version: string): Promise<IMetricReader[]> {
  const readers: IMetricReader[] = [];
  for (const name of options.metricExporters) {
    const exporter =
      name === 'console' ? new ConsoleMetricExporter() : await makeOtlpMetricExporter(options.metricProtocol);
    readers.push(
      new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis: options.metricIntervalMs,
        exportTimeoutMillis: options.metricTimeoutMs,
        metricProducers: [createHistogramProducer(distributions, { version, unitsInNames: false })],
      }),
    );
  }
  return readers;
}

/** Imports only the protocol that is used: the one for gRPC alone would double what a start loads. */
async function makeOtlpMetricExporter(protocol: OtlpProtocol): Promise<PushMetricExporter> {
  switch (protocol) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
  }
}
