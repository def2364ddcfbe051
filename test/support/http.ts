/** An application around whatever routes and services a test gives it. */
import type { FastifyBaseLogger } from 'fastify';
import { type App, buildApp, type HttpOptions, type RoutePlugin } from '../../src/http/app.ts';
import { createAuthenticator } from '../../src/http/auth.ts';
import type { Tokens } from '../../src/service/tokens.ts';

/** A token that the configuration of the tests states. */
export const ADMIN_TOKEN = 'administrator-of-the-tests';

const HTTP_OPTIONS: HttpOptions = {
  version: '0.0.0',
  bodyBytesMax: 4096,
  trustedProxies: ['127.0.0.1'],
  requestTimeoutMs: 0,
  keepAliveTimeoutMs: 5_000,
  docs: false,
};

/** A logger that keeps what it is told. */
export interface RecordingLogger extends FastifyBaseLogger {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[];
}

export function createRecordingLogger(level: string = 'info'): RecordingLogger {
  const lines: RecordingLogger['lines'] = [];
  const at = (name: string) => (fields: object, message: string) =>
    void lines.push({ level: name, fields, message });
  const logger = {
    level,
    lines,
    silent: () => {},
    child: () => logger,
    ...Object.fromEntries(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((name) => [name, at(name)]),
    ),
  };
  return logger as unknown as RecordingLogger;
}

/** Builds an application; every part has a default but the tokens and the routes. */
export function buildTestApp(parts: {
  tokens: Tokens;
  routes: RoutePlugin[];
  logger?: FastifyBaseLogger;
  options?: Partial<HttpOptions>;
  failuresPerMinuteMax?: number;
  countRate?: (bucket: string, windowSeconds: number) => Promise<number | null>;
  now?: () => number;
}): App {
  const counts = new Map<string, number>();
  const countRate = async (bucket: string) => {
    const count = (counts.get(bucket) ?? 0) + 1;
    counts.set(bucket, count);
    return count;
  };
  return buildApp({
    options: { ...HTTP_OPTIONS, ...parts.options },
    logger: parts.logger ?? null,
    authenticate: createAuthenticator({
      tokens: parts.tokens,
      coordinator: { countRate: parts.countRate ?? countRate },
      failuresPerMinuteMax: parts.failuresPerMinuteMax ?? 100,
      ...(parts.now === undefined ? {} : { now: parts.now }),
    }),
    routes: parts.routes,
  });
}

/** The header of a token. */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
