/**
 * The HTTP application: what stands around every route. One gate per route runs before its body is read and
 * does everything that is the same for all: headers, span, token and role. It is in callback style and looks
 * nothing up, because the main routes answer tens of thousands of requests a second.
 */

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Span } from '@opentelemetry/api';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginCallback,
  type FastifyReply,
  type FastifyRequest,
  type HookHandlerDoneFunction,
  LogController,
  type RawServerDefault,
  type RouteOptions,
} from 'fastify';
import { type Action, type Principal, permits } from '../domain/access.ts';
import { LicenseError } from '../domain/errors.ts';
import { shouldTrace, startRequestSpan } from '../telemetry/spans.ts';
import { type Authenticator, forbidden } from './auth.ts';
import { takeJsonOnly } from './body.ts';
import { DOCS_PATH, documentApi } from './documentation.ts';
import { createRequestIds, setReadHeaders } from './headers.ts';
import { createObserver, createUnroutedObserver } from './observe.ts';
import { handleProblems } from './problems.ts';
import { Problem } from './schemas.ts';
import { createValidatorCompiler } from './validation.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** The logger of the process. `request.log` and `app.log` are silent. */
    logger: FastifyBaseLogger;
  }
  interface FastifyRequest {
    /** Who asks; null on public routes. `principalOf` is the way to read it. */
    principal: Principal | null;
    /** The server span, when this request is traced. */
    span: Span | undefined;
    /** When the request came, by `performance.now()`. */
    startedMs: number;
  }
  interface FastifyContextConfig {
    /** What a token must permit for this route, or that none is needed. Every route must say. */
    access?: Action | 'public';
    /** Whether it is a page for browsers, which has security headers of its own (`securePages`). */
    page?: boolean;
  }
}

/** A noun's routes. */
export type RoutePlugin = FastifyPluginCallback<Record<never, never>, RawServerDefault, TypeBoxTypeProvider>;

/** The settings of the HTTP layer. */
export interface HttpOptions {
  readonly version: string;
  readonly bodyBytesMax: number;
  /** Addresses and CIDR ranges of the proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** How long a client may take to send a whole request. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection stays open; longer than a load balancer keeps it, so that it closes first. */
  readonly keepAliveTimeoutMs: number;
  /** Whether the description is shown at `/docs`. */
  readonly docs: boolean;
}

/** What an application is built from. */
export interface AppParts {
  readonly options: HttpOptions;
  /** Null is silent. */
  readonly logger: FastifyBaseLogger | null;
  readonly authenticate: Authenticator;
  readonly routes: readonly RoutePlugin[];
}

/** The application, with TypeBox schemas as the types of its routes. */
export type App = FastifyInstance;

const PARAM_LENGTH_MAX = 512;

/**
 * Builds the application. It does not listen; `inject` and `listen` both make it ready first.
 *
 * @param parts - settings, logger, authenticator and the routes.
 * @returns the application.
 * @throws Error when it becomes ready and a route has not said what a token must permit for it.
 */
export function buildApp({ options, logger, authenticate, routes }: AppParts): App {
  const app = Fastify({
    // Fastify is not given the logger: with one, it makes a child and two listeners for every request. So
    // `request.log` is silent; `app.logger` is the one to use, and what is logged names the request ID itself.
    logger: false,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: createRequestIds(),
    bodyLimit: options.bodyBytesMax,
    trustProxy: options.trustedProxies.length === 0 ? false : [...options.trustedProxies],
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    // Requests that arrive on open connections during the shutdown get a problem body from the gate.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      app.errorHandler(error, request, reply);
    },
  });
  const log = logger ?? app.log;
  app.decorate('logger', log);
  app.decorateRequest('principal', null);
  app.decorateRequest('span', undefined);
  app.decorateRequest('startedMs', 0);
  app.addSchema(Problem);
  app.setValidatorCompiler(createValidatorCompiler());
  takeJsonOnly(app);
  const methods = new Map<string, Set<string>>();
  const lifecycle: Lifecycle = { closing: false };
  app.addHook('preClose', (done) => {
    lifecycle.closing = true;
    done();
  });
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      methods.set(route.url, (methods.get(route.url) ?? new Set()).add(method));
    }
    surround(route, authenticate, lifecycle, log);
  });
  handleProblems(app, (path) => methodsAt(methods, path), createUnroutedObserver(log));
  documentApi(app, { version: options.version, shown: options.docs });
  for (const plugin of routes) {
    // A plugin in callback style that throws would end the process in place of failing `ready`.
    app.register((scope, pluginOptions, done) => {
      try {
        plugin(scope.withTypeProvider<TypeBoxTypeProvider>(), pluginOptions, done);
      } catch (error) {
        done(error as Error);
      }
    });
  }
  return app;
}

/** Whether the application is shutting down. */
interface Lifecycle {
  closing: boolean;
}

/** Puts the gate before a route's own hooks and the observer after them. */
function surround(
  route: RouteOptions,
  authenticate: Authenticator,
  lifecycle: Lifecycle,
  log: FastifyBaseLogger,
): void {
  // The pages of the description come from a package that cannot say it of its routes.
  if (route.url.startsWith(DOCS_PATH)) route.config = { ...route.config, access: 'public', page: true };
  const access = route.config?.access;
  if (access === undefined) {
    throw new Error(
      `The route ${String(route.method)} ${route.url} does not say what a token must permit for it.`,
    );
  }
  const observe = createObserver([route.method].flat()[0]!, route.url, log);
  const gate = access === 'public' ? openGate(route) : guardedGate(route, access, authenticate, lifecycle);
  route.onRequest = [gate, ...[route.onRequest ?? []].flat()];
  // Counted when the answer is handed over, not when it has left: a listener on every response costs more
  // than all else here, and the difference is the kernel's and the client's.
  route.onSend = [
    ...[route.onSend ?? []].flat(),
    (request: FastifyRequest, reply: FastifyReply, payload: unknown, done: (e: null, p: unknown) => void) => {
      observe(request, reply);
      done(null, payload);
    },
  ];
}

/**
 * What every request goes through first.
 * @returns false when the request was refused, and `done` called.
 */
function enter(
  route: RouteOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): boolean {
  request.startedMs = performance.now();
  reply.header('x-request-id', request.id);
  const isRead = route.method === 'GET' || route.method === 'HEAD';
  if (isRead && route.config?.page !== true) setReadHeaders(reply);
  const { raw } = request;
  if (shouldTrace(raw.headers.traceparent)) request.span = startSpan(route, request);
  if (!raw.url!.includes('%00')) return true;
  done(new LicenseError('malformed-request', 'The address has a NUL character.'));
  return false;
}

function startSpan(route: RouteOptions, request: FastifyRequest): Span | undefined {
  return startRequestSpan({
    method: request.method,
    route: route.url,
    headers: request.headers,
    path: request.url.split('?', 1)[0]!,
    scheme: request.protocol,
    clientAddress: request.ip,
    requestId: request.id,
  });
}

type Gate = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

function openGate(route: RouteOptions): Gate {
  return (request, reply, done) => {
    if (enter(route, request, reply, done)) done();
  };
}

function guardedGate(
  route: RouteOptions,
  access: Action,
  authenticate: Authenticator,
  lifecycle: Lifecycle,
): Gate {
  return (request, reply, done) => {
    if (!enter(route, request, reply, done)) return;
    if (lifecycle.closing) {
      reply.header('connection', 'close');
      return done(
        new LicenseError(
          'shutting-down',
          'This replica is shutting down; send the request again, to another one.',
          {
            retryAfterSeconds: 1,
          },
        ),
      );
    }
    authenticate(request, (error, principal) => {
      if (principal === null) return done(error!);
      if (!permits(principal, access)) return done(forbidden(principal, access));
      request.principal = principal;
      done();
    });
  };
}

/** The methods offered at a path, by comparing it with each route's pattern; only ever asked for a 404. */
function methodsAt(methods: ReadonlyMap<string, ReadonlySet<string>>, path: string): string[] {
  const found = new Set<string>();
  const parts = path.split('/');
  for (const [url, offered] of methods) {
    const pattern = url.split('/');
    if (pattern.includes('*') || pattern.length !== parts.length) continue;
    const fits = pattern.every((piece, index) => piece.startsWith(':') || piece === parts[index]);
    if (fits) for (const method of offered) found.add(method);
  }
  return [...found].sort();
}
