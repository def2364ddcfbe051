/**
 * What is noted of every request: its count and duration by route and status, its span, and a log line when
 * it failed. Each route keeps its own series, so that nothing is looked up by name.
 */

import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { requestSeconds } from '../telemetry/metrics.ts';
import { endRequestSpan, traceIds } from '../telemetry/spans.ts';
import { addSeries, record, type Series } from '../telemetry/tallies.ts';

/** Of answers with one status of one route, at most one log line is written in this time; the others are counted. */
const LOG_INTERVAL_MS = 1_000;

/** The methods told apart; the names that a client may invent are one (semantic conventions). */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

const UNROUTED = '(none)';
const seriesByLabels = new Map<string, Series>();

/** Two applications in one process, as in tests, count into the same series. */
function seriesOf(method: string, route: string, status: number): Series {
  const labels = `${method} ${route} ${status}`;
  let series = seriesByLabels.get(labels);
  if (series === undefined) {
    series = addSeries(requestSeconds, {
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
    });
    seriesByLabels.set(labels, series);
  }
  return series;
}

/**
 * Makes the function that notes the end of a route's requests.
 *
 * @param method - the route's method.
 * @param route - its pattern.
 * @param logger - where failures are told.
 * @returns a function to call when the answer is handed to the connection.
 */
export function createObserver(
  method: string,
  route: string,
  logger: FastifyBaseLogger,
): (request: FastifyRequest, reply: FastifyReply) => void {
  const label = METHODS.has(method) ? method : '_OTHER';
  const byStatus: (Series | undefined)[] = [];
  const quietUntilMs = new Map<number, number>();
  const suppressed = new Map<number, number>();
  return (request, reply) => {
    const status = reply.statusCode;
    const endMs = performance.now();
    const durationMs = endMs - request.startedMs;
    let series = byStatus[status];
    if (series === undefined) {
      series = seriesOf(label, route, status);
      byStatus[status] = series;
    }
    record(series, requestSeconds.boundaries, durationMs / 1000);
    endRequestSpan(request.span, status);
    if (status < 500) {
      if (isVerbose(logger)) logger.debug(describe(request, route, status, durationMs), 'request');
      return;
    }
    // A replica that must refuse thousands a second must not write thousands of lines as well.
    if (endMs < (quietUntilMs.get(status) ?? 0)) {
      suppressed.set(status, (suppressed.get(status) ?? 0) + 1);
      return;
    }
    quietUntilMs.set(status, endMs + LOG_INTERVAL_MS);
    const fields = {
      ...describe(request, route, status, durationMs),
      suppressed: suppressed.get(status) ?? 0,
    };
    suppressed.delete(status);
    logger.warn(fields, 'request failed');
  };
}

/**
 * Makes the function that notes requests that no route took. Their paths are not told apart: they are
 * whatever clients invent.
 *
 * @param logger - where they are told, at debug.
 * @returns a function to call with each, before it is answered with 404.
 */
export function createUnroutedObserver(logger: FastifyBaseLogger): (request: FastifyRequest) => void {
  const boundaries = requestSeconds.boundaries;
  return (request) => {
    const method = METHODS.has(request.method) ? request.method : '_OTHER';
    record(seriesOf(method, UNROUTED, 404), boundaries, 0);
    if (isVerbose(logger)) logger.debug(describe(request, UNROUTED, 404, 0), 'request');
  };
}

function describe(request: FastifyRequest, route: string, status: number, durationMs: number): object {
  return {
    requestId: request.id,
    method: request.method,
    route,
    status,
    durationMs: Math.round(durationMs * 1000) / 1000,
    ...(request.principal ? { token: request.principal.tokenId } : {}),
    ...(request.span === undefined ? {} : traceIds(request.span)),
  };
}

function isVerbose(logger: FastifyBaseLogger): boolean {
  return logger.level === 'debug' || logger.level === 'trace';
}
