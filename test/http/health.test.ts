import { afterEach, describe, expect, test } from '@jest/globals';
import type { App } from '../../src/http/app.ts';
import { healthRoutes } from '../../src/http/routes/health.ts';
import { metricsRoutes } from '../../src/http/routes/metrics.ts';
import { type HealthReport, type HealthStatus, worstStatus } from '../../src/service/health.ts';
import { createTokens } from '../../src/service/tokens.ts';
import { readTelemetryOptions } from '../../src/telemetry/options.ts';
import { startTelemetry, type Telemetry } from '../../src/telemetry.ts';
import { ADMIN_TOKEN, bearer, buildTestApp, createRecordingLogger } from '../support/http.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function reportOf(lane: HealthStatus): HealthReport {
  const ready = { status: 'ready', words: 'It answers.' } as const;
  const checks = {
    database: ready,
    coordination: ready,
    lane: { status: lane, words: 'The table is being loaded.' },
  };
  return {
    status: worstStatus(Object.values(checks)),
    checks,
    durability: 'A crash loses nothing.',
    leader: true,
    replica: 'r-1',
  };
}

function build(options: { report?: HealthReport; telemetry?: Telemetry; isPublic?: boolean }): App {
  const tokens = createTokens({
    sql: null as never,
    adminToken: ADMIN_TOKEN,
    cacheMs: 1000,
    logger: createRecordingLogger(),
  });
  const app = buildTestApp({
    tokens,
    routes: [
      healthRoutes({ health: () => options.report ?? reportOf('ready') }),
      ...(options.telemetry
        ? [metricsRoutes({ telemetry: options.telemetry, isPublic: options.isPublic ?? true })]
        : []),
    ],
  });
  closing.push(() => app.close());
  return app;
}

describe('GET /livez', () => {
  test('200 without a token, also when nothing else works', async () => {
    const response = await build({ report: reportOf('not-ready') }).inject('/livez');
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'live' });
  });
});

describe('GET /readyz', () => {
  test.each([
    ['ready', 200],
    ['degraded', 200],
    ['not-ready', 503],
  ] as const)('%s is %i, with the whole report', async (status, expected) => {
    const report = reportOf(status);
    const response = await build({ report }).inject('/readyz');
    expect(response.statusCode).toBe(expected);
    expect(response.json()).toEqual(report);
  });

  test('the whole is as good as its worst part', () => {
    const of = (...statuses: HealthStatus[]) =>
      worstStatus(statuses.map((status) => ({ status, words: '' })));
    expect(of()).toBe('ready');
    expect(of('ready', 'degraded', 'ready')).toBe('degraded');
    expect(of('degraded', 'not-ready', 'ready')).toBe('not-ready');
  });
});

describe('GET /metrics', () => {
  async function telemetry(): Promise<Telemetry> {
    const started = await startTelemetry(readTelemetryOptions({}).options, { version: '0', replica: 'r' });
    closing.push(() => started.close());
    return started;
  }

  test('counts requests by route and status, also those that no route took', async () => {
    const app = build({ telemetry: await telemetry(), report: reportOf('not-ready') });
    const count = async (labels: string) => {
      const { body } = await app.inject('/metrics');
      const line = body
        .split('\n')
        .find((each) => each.startsWith(`http_server_request_duration_seconds_count{${labels}}`));
      return Number(line?.split(' ').at(-1) ?? 0);
    };
    const ready = 'http_request_method="GET",http_route="/readyz",http_response_status_code="503"';
    const unrouted = 'http_request_method="GET",http_route="(none)",http_response_status_code="404"';
    const before = [await count(ready), await count(unrouted)];
    for (const path of ['/readyz', '/readyz', '/a', '/b', '/c']) await app.inject(path);
    expect([await count(ready), await count(unrouted)]).toEqual([before[0]! + 2, before[1]! + 3]);
  });

  test('is Prometheus text, without a token where it is public', async () => {
    const response = await build({ telemetry: await telemetry() }).inject('/metrics');
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(response.body).toContain('# TYPE lictor_logins_granted_total counter');
  });

  test('requires a token where it is not', async () => {
    const app = build({ telemetry: await telemetry(), isPublic: false });
    expect((await app.inject('/metrics')).statusCode).toBe(401);
    expect((await app.inject({ url: '/metrics', headers: bearer(ADMIN_TOKEN) })).statusCode).toBe(200);
  });
});
