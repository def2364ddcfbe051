/**
 * Spans of the hot path. Whether a request is traced is decided here, before the SDK is asked, because even
 * a span that is not recorded costs the SDK more than a request may spend. What is not sampled has no span at
 * all, and everything below takes `undefined` for that.
 *
 * Many requests are answered by one batch. So the batch has a span of its own, linked to every sampled request
 * it served, and each of those requests has a child span over its wait.
 */

import {
  type Context,
  context,
  createContextKey,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

/** How root spans are sampled. */
export interface Sampling {
  /** The share of requests without a parent that are traced, 0 to 1. */
  readonly ratio: number;
  /** Whether a caller's own decision, in `traceparent`, is followed. */
  readonly parentBased: boolean;
}

/** Set in the context of a root span that was sampled here; the SDK's sampler looks for it. */
const SAMPLED_HERE = createContextKey('lictor.sampled');

/** The length of a `traceparent` of version 00; longer ones are of later versions. */
const TRACEPARENT_LENGTH = 55;

/** Links of one batch span; the batch of a busy replica may serve more sampled requests. */
const LINKS_MAX = 128;

let sampling: Sampling | null = null;
let tracer: Tracer | null = null;

/**
 * Turns spans on, or with null off again. Called once by `telemetry.ts` when an exporter is configured.
 *
 * @param chosen - how to sample.
 * @param version - the version told as the instrumentation scope's.
 */
export function configureSpans(chosen: Sampling | null, version = ''): void {
  sampling = chosen;
  tracer = chosen === null ? null : trace.getTracer('lictor', version);
}

/**
 * Whether a span starting in this context is to be recorded: the SDK's side of the decision made here. It
 * follows the parent's, and a span without a parent is recorded only when it was sampled here.
 *
 * @param parent - the context the span starts in.
 * @returns true when it is recorded.
 */
export function isSampled(parent: Context): boolean {
  if (parent.getValue(SAMPLED_HERE) === true) return true;
  const flags = trace.getSpanContext(parent)?.traceFlags ?? 0;
  return (flags & 1) === 1;
}

/** What a request span tells of its request, by the names of the semantic conventions. */
export interface RequestFacts {
  readonly method: string;
  /** The route's pattern, never the path itself, so that names stay few. */
  readonly route: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly path: string;
  readonly scheme: string;
  readonly clientAddress: string;
  readonly requestId: string;
}

/**
 * Whether a request is to be traced. This is all that an unsampled request pays.
 *
 * @param traceparent - the request's header, if it has one.
 * @returns true when `startRequestSpan` should be called.
 */
export function shouldTrace(traceparent: string | string[] | undefined): boolean {
  if (sampling === null) return false;
  if (sampling.parentBased && typeof traceparent === 'string' && traceparent.length >= TRACEPARENT_LENGTH) {
    // The last digit of the flags is odd when the caller sampled its trace (W3C Trace Context, 3.2.2.5).
    return (Number.parseInt(traceparent.charAt(TRACEPARENT_LENGTH - 1), 16) & 1) === 1;
  }
  return Math.random() < sampling.ratio;
}

/**
 * Starts the server span of a request that `shouldTrace` chose.
 *
 * @param facts - what is known of the request.
 * @returns the span, or undefined when tracing is off.
 */
export function startRequestSpan(facts: RequestFacts): Span | undefined {
  if (tracer === null) return undefined;
  const extracted = propagation.extract(ROOT_CONTEXT, facts.headers);
  const agent = facts.headers['user-agent'];
  return tracer.startSpan(
    `${facts.method} ${facts.route}`,
    {
      kind: SpanKind.SERVER,
      attributes: {
        'http.request.method': facts.method,
        'http.route': facts.route,
        'url.path': facts.path,
        'url.scheme': facts.scheme,
        'client.address': facts.clientAddress,
        ...(typeof agent === 'string' ? { 'user_agent.original': agent } : {}),
        'lictor.request_id': facts.requestId,
      },
    },
    extracted.setValue(SAMPLED_HERE, true),
  );
}

/**
 * Ends the server span of a request.
 *
 * @param span - as started, or undefined.
 * @param status - the HTTP status of the answer; only 500 and above are errors of the server.
 */
export function endRequestSpan(span: Span | undefined, status: number): void {
  if (span === undefined) return;
  span.setAttribute('http.response.status_code', status);
  if (status >= 500) {
    span.setAttribute('error.type', String(status));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/**
 * Starts the span over one request's wait for the lane.
 *
 * @param parent - the request's span, or undefined.
 * @param name - the operation, such as `login`.
 * @returns the child span, or undefined when the request is not traced.
 */
export function startWaitSpan(parent: Span | undefined, name: string): Span | undefined {
  if (tracer === null || parent === undefined) return undefined;
  return tracer.startSpan(`wait ${name}`, { kind: SpanKind.INTERNAL }, trace.setSpan(ROOT_CONTEXT, parent));
}

/**
 * Starts the span of a batch and links it with the waits it ends, both ways.
 *
 * @param name - what is done, such as `append`.
 * @param waits - the wait spans of the batch's requests; undefined members are skipped.
 * @returns the batch's span, or undefined when none of its requests is traced.
 */
export function startBatchSpan(name: string, waits: Iterable<Span | undefined>): Span | undefined {
  if (tracer === null) return undefined;
  const sampled: Span[] = [];
  for (const wait of waits) {
    if (wait === undefined) continue;
    sampled.push(wait);
    if (sampled.length === LINKS_MAX) break;
  }
  if (sampled.length === 0) return undefined;
  const links: Link[] = sampled.map((wait) => ({ context: wait.spanContext() }));
  const span = tracer.startSpan(
    name,
    { kind: SpanKind.INTERNAL, root: true, links },
    ROOT_CONTEXT.setValue(SAMPLED_HERE, true),
  );
  const link = { context: span.spanContext() };
  for (const wait of sampled) wait.addLink(link);
  return span;
}

/**
 * Ends a wait or batch span.
 *
 * @param span - as started, or undefined.
 * @param error - what went wrong, if anything did; its name is told, its message is not.
 */
export function endSpan(span: Span | undefined, error?: unknown): void {
  if (span === undefined) return;
  if (error !== undefined) {
    const type = error instanceof Error ? error.name : 'error';
    span.setAttribute('error.type', type);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/**
 * Runs a function with a span as the active one, so that spans of storage become its children and log lines
 * carry its IDs.
 *
 * @param span - the span; undefined just runs the function.
 * @param run - what to do.
 * @returns what `run` returns.
 */
export function withSpan<T>(span: Span | undefined, run: () => T): T {
  if (span === undefined) return run();
  return context.with(trace.setSpan(context.active(), span), run);
}

/**
 * The IDs of the active span, for log lines.
 *
 * @returns `trace_id` and `span_id`, or an empty object when no span is active.
 */
export function activeTraceIds(): { trace_id?: string; span_id?: string } {
  const span = trace.getActiveSpan();
  return span === undefined ? {} : traceIds(span);
}

/**
 * The IDs of a span, for log lines.
 *
 * @param span - any span.
 * @returns its `trace_id` and `span_id`.
 */
export function traceIds(span: Span): { trace_id: string; span_id: string } {
  const { traceId, spanId } = span.spanContext();
  return { trace_id: traceId, span_id: spanId };
}
