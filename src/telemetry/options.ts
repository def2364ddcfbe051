/**
 * The standard OTEL_* variables, as far as Lictor decides by them. The SDK reads the rest of them itself
 * (endpoints, headers, protocols, limits, batch sizes).
 */

import type { Sampling } from './spans.ts';

/** The share of requests without a sampled parent that are traced when nothing is configured. */
export const DEFAULT_SAMPLING_RATIO = 0.01;

/** How metrics leave the process besides `/metrics`. */
export type MetricExporter = 'otlp' | 'console';

/** The protocols of OTLP. */
export type OtlpProtocol = 'grpc' | 'http/protobuf' | 'http/json';

/** How telemetry is to be set up. */
export interface TelemetryOptions {
  readonly disabled: boolean;
  readonly serviceName: string;
  /** From OTEL_RESOURCE_ATTRIBUTES. */
  readonly resourceAttributes: Readonly<Record<string, string>>;
  /** How to sample; null when no exporter of traces is configured, and then there are no spans at all. */
  readonly sampling: Sampling | null;
  readonly metricExporters: readonly MetricExporter[];
  readonly metricProtocol: OtlpProtocol;
  readonly metricIntervalMs: number;
  readonly metricTimeoutMs: number;
}

/** An environment, such as the process has one. */
export type Environment = Readonly<Record<string, string | undefined>>;

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
];

/**
 * Reads the OTEL_* variables.
 *
 * @param env - the environment.
 * @returns the options, and a sentence on each variable that cannot be understood; those have their default.
 */
export function readTelemetryOptions(env: Environment): { options: TelemetryOptions; faults: string[] } {
  const faults: string[] = [];
  const resourceAttributes = readAttributes(env, faults);
  const endpoint = (signal: string) =>
    set(env.OTEL_EXPORTER_OTLP_ENDPOINT) || set(env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
  const traces = list(env.OTEL_TRACES_EXPORTER, endpoint('TRACES') ? ['otlp'] : []);
  check('OTEL_TRACES_EXPORTER', traces, ['otlp', 'console', 'zipkin', 'none'], faults);
  const exported = list(env.OTEL_METRICS_EXPORTER, endpoint('METRICS') ? ['otlp'] : []);
  check('OTEL_METRICS_EXPORTER', exported, ['otlp', 'console', 'prometheus', 'none'], faults);
  const protocol =
    env.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL?.trim() ||
    env.OTEL_EXPORTER_OTLP_PROTOCOL?.trim() ||
    'http/protobuf';
  check('OTEL_EXPORTER_OTLP_PROTOCOL', [protocol], ['grpc', 'http/protobuf', 'http/json'], faults);
  const metricIntervalMs = readMs(env, 'OTEL_METRIC_EXPORT_INTERVAL', 60_000, faults);
  const options: TelemetryOptions = {
    disabled: env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true',
    serviceName: env.OTEL_SERVICE_NAME?.trim() || resourceAttributes['service.name'] || 'lictor',
    resourceAttributes,
    sampling: traces.length === 0 || traces.includes('none') ? null : readSampling(env, faults),
    // `prometheus` needs nothing: `/metrics` is always there.
    metricExporters: exported.includes('none') ? [] : exported.filter((name) => isMetricExporter(name)),
    metricProtocol: protocol === 'grpc' || protocol === 'http/json' ? protocol : 'http/protobuf',
    metricIntervalMs,
    metricTimeoutMs: Math.min(readMs(env, 'OTEL_METRIC_EXPORT_TIMEOUT', 30_000, faults), metricIntervalMs),
  };
  return { options: Object.freeze(options), faults };
}

function readSampling(env: Environment, faults: string[]): Sampling {
  const named = env.OTEL_TRACES_SAMPLER?.trim() || undefined;
  check('OTEL_TRACES_SAMPLER', named === undefined ? [] : [named], SAMPLERS, faults);
  const sampler = named !== undefined && SAMPLERS.includes(named) ? named : 'parentbased_traceidratio';
  const parentBased = sampler.startsWith('parentbased_');
  if (sampler.endsWith('always_on')) return { ratio: 1, parentBased };
  if (sampler.endsWith('always_off')) return { ratio: 0, parentBased };
  const argument = env.OTEL_TRACES_SAMPLER_ARG?.trim();
  if (argument === undefined || argument === '') return { ratio: DEFAULT_SAMPLING_RATIO, parentBased };
  const ratio = Number(argument);
  if (ratio >= 0 && ratio <= 1) return { ratio, parentBased };
  faults.push(`OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "${argument}".`);
  return { ratio: DEFAULT_SAMPLING_RATIO, parentBased };
}

function readAttributes(env: Environment, faults: string[]): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of list(env.OTEL_RESOURCE_ATTRIBUTES, [])) {
    const [name, ...rest] = pair.split('=');
    try {
      if (name === undefined || name.trim() === '' || rest.length === 0) throw new URIError();
      attributes[name.trim()] = decodeURIComponent(rest.join('=').trim());
    } catch {
      faults.push(
        `OTEL_RESOURCE_ATTRIBUTES must be name=value pairs with percent-encoded values, not "${pair}".`,
      );
    }
  }
  return attributes;
}

function readMs(env: Environment, variable: string, fallbackMs: number, faults: string[]): number {
  const text = env[variable]?.trim();
  if (text === undefined || text === '') return fallbackMs;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  faults.push(`${variable} must be a whole number of milliseconds above 0, not "${text}".`);
  return fallbackMs;
}

function list(text: string | undefined, fallback: string[]): string[] {
  const items = (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  return items.length === 0 ? fallback : items;
}

function check(
  variable: string,
  values: readonly string[],
  allowed: readonly string[],
  faults: string[],
): void {
  for (const value of values) {
    if (!allowed.includes(value))
      faults.push(`${variable} must be of ${allowed.join(', ')}, not "${value}".`);
  }
}

function set(text: string | undefined): boolean {
  return text !== undefined && text.trim() !== '';
}

function isMetricExporter(name: string): name is MetricExporter {
  return name === 'otlp' || name === 'console';
}
