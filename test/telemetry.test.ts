import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { context, type Span, trace } from '@opentelemetry/api';
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import { boundKeys, KEYS_MAX, metrics } from '../src/telemetry/metrics.ts';
import { DEFAULT_SAMPLING_RATIO, readTelemetryOptions } from '../src/telemetry/options.ts';
import {
  activeTraceIds,
  configureSpans,
  endRequestSpan,
  endSpan,
  type RequestFacts,
  shouldTrace,
  startBatchSpan,
  startRequestSpan,
  startWaitSpan,
  withSpan,
} from '../src/telemetry/spans.ts';
import { addSeries, makeDistribution, makeTally, record } from '../src/telemetry/tallies.ts';
import { startTelemetry, type Telemetry } from '../src/telemetry.ts';

type Processor = NonNullable<NodeSDKConfiguration['spanProcessors']>[number];
type EndedSpan = Parameters<Processor['onEnd']>[0];

const IDENTITY = { version: '1.2.3', replica: 'replica-1' };
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

const running: Telemetry[] = [];
afterEach(async () => {
  metrics.observe(null);
  for (const telemetry of running.splice(0)) await telemetry.close();
});

async function start(
  env: Record<string, string> = {},
): Promise<{ telemetry: Telemetry; ended: EndedSpan[] }> {
  const ended: EndedSpan[] = [];
  const processor: Processor = {
    onStart: () => {},
    onEnd: (span) => void ended.push(span),
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  const { options } = readTelemetryOptions(env);
  const telemetry = await startTelemetry(options, { ...IDENTITY, spanProcessors: [processor] });
  running.push(telemetry);
  return { telemetry, ended };
}

function factsOf(headers: Record<string, string> = {}): RequestFacts {
  return {
    method: 'POST',
    route: '/v1/logins',
    headers,
    path: '/v1/logins',
    scheme: 'http',
    clientAddress: '192.0.2.7',
    requestId: 'r-1',
  };
}

describe('options', () => {
  test('with nothing set there are no exporters and no spans', () => {
    const { options, faults } = readTelemetryOptions({});
    expect(faults).toEqual([]);
    expect(options).toMatchObject({
      disabled: false,
      serviceName: 'lictor',
      sampling: null,
      metricExporters: [],
      metricIntervalMs: 60_000,
    });
  });

  test('an endpoint turns on traces and metrics', () => {
    const { options } = readTelemetryOptions({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' });
    expect(options.sampling).toEqual({ ratio: DEFAULT_SAMPLING_RATIO, parentBased: true });
    expect(options.metricExporters).toEqual(['otlp']);
  });

  test('an endpoint of one signal turns on that signal', () => {
    const { options } = readTelemetryOptions({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318' });
    expect(options.sampling).not.toBeNull();
    expect(options.metricExporters).toEqual([]);
  });

  test('none wins over an endpoint', () => {
    const { options } = readTelemetryOptions({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'none',
    });
    expect(options.sampling).toBeNull();
    expect(options.metricExporters).toEqual([]);
  });

  test.each([
    ['always_on', undefined, { ratio: 1, parentBased: false }],
    ['always_off', undefined, { ratio: 0, parentBased: false }],
    ['parentbased_always_on', undefined, { ratio: 1, parentBased: true }],
    ['parentbased_always_off', undefined, { ratio: 0, parentBased: true }],
    ['traceidratio', '0.5', { ratio: 0.5, parentBased: false }],
    ['parentbased_traceidratio', '0.25', { ratio: 0.25, parentBased: true }],
  ])('sampler %s with %s', (OTEL_TRACES_SAMPLER, argument, expected) => {
    const { options, faults } = readTelemetryOptions({
      OTEL_TRACES_EXPORTER: 'console',
      OTEL_TRACES_SAMPLER,
      ...(argument === undefined ? {} : { OTEL_TRACES_SAMPLER_ARG: argument }),
    });
    expect(options.sampling).toEqual(expected);
    expect(faults).toEqual([]);
  });

  test('every fault is reported, naming its variable', () => {
    const { faults } = readTelemetryOptions({
      OTEL_TRACES_EXPORTER: 'jaeger',
      OTEL_METRICS_EXPORTER: 'statsd',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '2',
      OTEL_METRIC_EXPORT_INTERVAL: 'soon',
      OTEL_RESOURCE_ATTRIBUTES: 'a=1,broken',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'carrier-pigeon',
    });
    for (const variable of [
      'OTEL_TRACES_EXPORTER',
      'OTEL_METRICS_EXPORTER',
      'OTEL_TRACES_SAMPLER must be of',
      'OTEL_TRACES_SAMPLER_ARG',
      'OTEL_METRIC_EXPORT_INTERVAL',
      'OTEL_RESOURCE_ATTRIBUTES',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
    ]) {
      expect(faults.filter((fault) => fault.startsWith(variable))).toHaveLength(1);
    }
  });

  test('the service name is OTEL_SERVICE_NAME, then that of the resource attributes', () => {
    const OTEL_RESOURCE_ATTRIBUTES = 'service.name=from%20attributes,deployment.environment.name=test';
    expect(readTelemetryOptions({ OTEL_RESOURCE_ATTRIBUTES }).options.serviceName).toBe('from attributes');
    const both = readTelemetryOptions({ OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME: 'own' }).options;
    expect(both.serviceName).toBe('own');
    expect(both.resourceAttributes['deployment.environment.name']).toBe('test');
  });
});

describe('tallies', () => {
  test('label values beyond the bound are counted as other', () => {
    const tally = makeTally('rule', ['known'], 2);
    for (const value of ['known', 'second', 'third', 'fourth']) tally.add(value, 2);
    tally.add('known', 0);
    tally.add('known', -1);
    expect(Object.fromEntries(tally.entries())).toEqual({ known: 2, second: 2, other: 4 });
  });

  test('a value falls into the first bucket whose boundary it does not exceed', () => {
    const { boundaries } = makeDistribution('x', '', 's', [1, 5]);
    const series = addSeries(makeDistribution('x', '', 's', [1, 5]), {});
    for (const value of [0.5, 1, 1.1, 5, 6]) record(series, boundaries, value);
    expect(Array.from(series.counts)).toEqual([2, 2, 1]);
    expect(series.count).toBe(5);
    expect(series.sum).toBeCloseTo(13.6);
  });

  test('keys beyond the bound are added up', () => {
    const units = Array.from({ length: KEYS_MAX + 3 }, (_, index) => ({
      key: `k${index}`,
      used: 2,
      free: 1,
    }));
    const bounded = boundKeys(units);
    expect(bounded).toHaveLength(KEYS_MAX + 1);
    expect(bounded.at(-1)).toEqual({ key: 'other', used: 6, free: 3 });
    expect(boundKeys(units.slice(0, 3))).toEqual(units.slice(0, 3));
  });
});

describe('Prometheus text', () => {
  const readValue = (text: string, line: string) =>
    Number(
      text
        .split('\n')
        .find((each) => each.startsWith(`${line} `))
        ?.slice(line.length + 1),
    );

  test('has what was counted', async () => {
    const { telemetry } = await start();
    const before = await telemetry.prometheusText();
    metrics.granted(5);
    metrics.refused('enforced-units', 3);
    metrics.released('logout', 2);
    metrics.heartbeats('renewed', 7);
    metrics.reaped('instance', 1);
    metrics.appended(12, 3);
    metrics.appendConflict();
    metrics.unknownOutcome();
    metrics.reloaded();
    metrics.foldLag(4, 1500);
    metrics.observe({
      queueLength: () => 9,
      leader: () => true,
      coordinationHealthy: () => false,
      units: () => [{ key: 'k1', used: 3, free: 7 }],
    });
    const after = await telemetry.prometheusText();
    const grown = (line: string) => readValue(after, line) - readValue(before, line);
    expect(grown('lictor_logins_granted_total')).toBe(5);
    expect(grown('lictor_logins_refused_total{rule="enforced-units"}')).toBe(3);
    expect(grown('lictor_logins_released_total{reason="logout"}')).toBe(2);
    expect(grown('lictor_heartbeats_total{status="renewed"}')).toBe(7);
    expect(grown('lictor_reaped_total{what="instance"}')).toBe(1);
    expect(grown('lictor_append_conflicts_total')).toBe(1);
    expect(grown('lictor_append_unknown_total')).toBe(1);
    expect(grown('lictor_reloads_total')).toBe(1);
    expect(grown('lictor_batch_events_count')).toBe(1);
    expect(grown('lictor_batch_events_bucket{le="8"}')).toBe(0);
    expect(grown('lictor_batch_events_bucket{le="16"}')).toBe(1);
    expect(grown('lictor_append_duration_seconds_sum')).toBeCloseTo(0.003);
    expect(readValue(after, 'lictor_fold_lag_rows')).toBe(4);
    expect(readValue(after, 'lictor_fold_lag_seconds')).toBe(1.5);
    expect(readValue(after, 'lictor_queue_length')).toBe(9);
    expect(readValue(after, 'lictor_leader')).toBe(1);
    expect(readValue(after, 'lictor_coordination_healthy')).toBe(0);
    expect(readValue(after, 'lictor_units_used{key="k1"}')).toBe(3);
    expect(readValue(after, 'lictor_units_free{key="k1"}')).toBe(7);
  });

  test('names the service and this replica', async () => {
    const { telemetry } = await start({ OTEL_SERVICE_NAME: 'licences' });
    const target = (await telemetry.prometheusText())
      .split('\n')
      .find((line) => line.startsWith('target_info{'));
    expect(target).toContain('service_name="licences"');
    expect(target).toContain('service_version="1.2.3"');
    expect(target).toContain('service_instance_id="replica-1"');
  });

  test('docs/telemetry.md documents every metric, and no other', async () => {
    const { telemetry } = await start();
    metrics.observe({
      queueLength: () => 0,
      leader: () => false,
      coordinationHealthy: () => true,
      units: () => [{ key: 'k', used: 0, free: 0 }],
    });
    addSeries((await import('../src/telemetry/metrics.ts')).requestSeconds, { 'http.route': '/documented' });
    const text = await telemetry.prometheusText();
    const told = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name).sort();
    const page = await readFile(new URL('../docs/telemetry.md', import.meta.url), 'utf8');
    const documented = [...page.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map(([, name]) => name).sort();
    expect(documented).toEqual(told);
  });

  test('a disabled SDK tells so', async () => {
    const { options } = readTelemetryOptions({ OTEL_SDK_DISABLED: 'true' });
    const telemetry = await startTelemetry(options, IDENTITY);
    expect(await telemetry.prometheusText()).toContain('disabled');
    await telemetry.close();
  });
});

describe('spans', () => {
  const ALWAYS = { OTEL_TRACES_EXPORTER: 'console', OTEL_TRACES_SAMPLER: 'parentbased_always_on' };
  const NEVER = { OTEL_TRACES_EXPORTER: 'console', OTEL_TRACES_SAMPLER: 'parentbased_always_off' };

  test('without an exporter nothing is traced, whatever the caller says', async () => {
    await start();
    expect(shouldTrace(`00-${TRACE}-${PARENT}-01`)).toBe(false);
    expect(startRequestSpan(factsOf())).toBeUndefined();
  });

  test("a caller's decision is followed both ways", async () => {
    await start(NEVER);
    expect(shouldTrace(`00-${TRACE}-${PARENT}-01`)).toBe(true);
    expect(shouldTrace(`00-${TRACE}-${PARENT}-00`)).toBe(false);
    expect(shouldTrace('nonsense')).toBe(false);
    configureSpans({ ratio: 1, parentBased: true });
    expect(shouldTrace(undefined)).toBe(true);
    expect(shouldTrace(`00-${TRACE}-${PARENT}-00`)).toBe(false);
  });

  test("a request span continues the caller's trace and has the conventions' attributes", async () => {
    const { ended } = await start(NEVER);
    const span = startRequestSpan(
      factsOf({ traceparent: `00-${TRACE}-${PARENT}-01`, 'user-agent': 'app/1' }),
    );
    endRequestSpan(span, 201);
    expect(ended).toHaveLength(1);
    const [told] = ended;
    expect(told!.name).toBe('POST /v1/logins');
    expect(told!.spanContext().traceId).toBe(TRACE);
    expect(told!.parentSpanContext?.spanId).toBe(PARENT);
    expect(told!.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v1/logins',
      'http.response.status_code': 201,
      'url.path': '/v1/logins',
      'url.scheme': 'http',
      'client.address': '192.0.2.7',
      'user_agent.original': 'app/1',
      'lictor.request_id': 'r-1',
    });
    expect(told!.resource.attributes['service.name']).toBe('lictor');
  });

  test.each([
    [201, false],
    [409, false],
    [500, true],
    [503, true],
  ])('status %i is an error of the server: %s', async (status, isError) => {
    const { ended } = await start(ALWAYS);
    endRequestSpan(startRequestSpan(factsOf()), status);
    expect(ended[0]!.status.code === 2).toBe(isError);
    expect(ended[0]!.attributes['error.type']).toBe(isError ? String(status) : undefined);
  });

  test('a batch and the waits it ends are linked both ways', async () => {
    const { ended } = await start(ALWAYS);
    const requests = [startRequestSpan(factsOf()), startRequestSpan(factsOf())];
    const waits = requests.map((request) => startWaitSpan(request, 'login'));
    const batch = startBatchSpan('append', [waits[0], undefined, waits[1]]);
    endSpan(batch);
    for (const wait of waits) endSpan(wait);
    for (const request of requests) endRequestSpan(request, 201);
    const [toldBatch, firstWait] = ended;
    expect(toldBatch!.name).toBe('append');
    expect(toldBatch!.parentSpanContext).toBeUndefined();
    expect(toldBatch!.links.map((link) => link.context.spanId)).toEqual(waits.map((wait) => idOf(wait)));
    expect(firstWait!.name).toBe('wait login');
    expect(firstWait!.parentSpanContext?.spanId).toBe(idOf(requests[0]));
    expect(firstWait!.links.map((link) => link.context.spanId)).toEqual([idOf(batch)]);
  });

  test('what is not sampled has no wait and no batch', async () => {
    const { ended } = await start(NEVER);
    expect(startWaitSpan(undefined, 'login')).toBeUndefined();
    expect(startBatchSpan('append', [undefined, undefined])).toBeUndefined();
    endSpan(undefined);
    endRequestSpan(undefined, 500);
    trace.getTracer('elsewhere').startSpan('a root that nobody sampled').end();
    expect(ended).toEqual([]);
  });

  test("within withSpan other code's spans are children, and log lines have the IDs", async () => {
    const { ended } = await start(ALWAYS);
    const request = startRequestSpan(factsOf())!;
    const outside = activeTraceIds();
    const inside = withSpan(request, () => {
      trace.getTracer('storage').startSpan('select', {}, context.active()).end();
      return activeTraceIds();
    });
    expect(outside).toEqual({});
    expect(inside).toEqual({
      trace_id: request.spanContext().traceId,
      span_id: request.spanContext().spanId,
    });
    expect(ended[0]!.parentSpanContext?.spanId).toBe(idOf(request));
    expect(withSpan(undefined, () => 7)).toBe(7);
  });

  test('a failed span names the kind of error and not its message', async () => {
    const { ended } = await start(ALWAYS);
    endSpan(startBatchSpan('append', [startRequestSpan(factsOf())]), new TypeError('secret detail'));
    expect(ended[0]!.status).toEqual({ code: 2 });
    expect(ended[0]!.attributes).toEqual({ 'error.type': 'TypeError' });
    expect(ended[0]!.events).toEqual([]);
  });
});

function idOf(span: Span | undefined): string | undefined {
  return span?.spanContext().spanId;
}
