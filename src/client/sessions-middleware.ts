/**
 * The middleware for Express and whatever takes functions like its: `app.use(licenseMiddleware({ instance }))`.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LicensedSession, WebSessions } from './sessions.ts';
import { type LicenseSessionsOptions, SessionHandling } from './sessions-handling.ts';

/** A request that has passed the middleware. */
export interface LicensedIncomingMessage extends IncomingMessage {
  /** Its licensed session; left out where it needs none. */
  license?: LicensedSession | undefined;
}

/** A middleware, with the sessions that it licenses. */
export interface LicenseMiddleware {
  (request: LicensedIncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void;
  readonly sessions: WebSessions;
}

/**
 * Makes the middleware. Each request finds its session as `request.license`; where no unit is free it is answered
 * with 503 and a page of its own, and goes no further. Call `sessions.close()` when the application ends.
 * @throws TypeError; RangeError for options that are none.
 */
export function licenseMiddleware(options: LicenseSessionsOptions<IncomingMessage>): LicenseMiddleware {
  const handling = new SessionHandling<IncomingMessage>(options);
  const take = async (request: LicensedIncomingMessage, response: ServerResponse): Promise<boolean> => {
    const handled = await handling.take(request);
    if (handled.is === 'none') return true;
    if (handled.is === 'refused') {
      const { status, headers, body } = handled.answer;
      response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
      return false;
    }
    const leave = handled.is === 'request' ? handled.leave : () => handling.sessions.leave(handled.session);
    if (response.closed) leave();
    else response.once('close', leave);
    if (handled.is === 'session') {
      request.license = handled.session;
      if (handling.hasCookie) keepCookie(response, handling, handled.session, handled.cookie !== null);
    }
    return true;
  };
  const middleware = (
    request: LicensedIncomingMessage,
    response: ServerResponse,
    next: (error?: unknown) => void,
  ): void => {
    take(request, response).then(
      (goesOn) => {
        if (goesOn) next();
      },
      (error: unknown) => next(error),
    );
  };
  return Object.assign(middleware, { sessions: handling.sessions });
}

/** Sets the cookie just before the head is sent, because a login or a logout until then changes it. */
function keepCookie(
  response: ServerResponse,
  handling: SessionHandling<IncomingMessage>,
  session: LicensedSession,
  isNew: boolean,
): void {
  const { id } = session;
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = (...args: unknown[]) => {
    response.writeHead = writeHead as typeof response.writeHead;
    if (!isNew && session.id === id && !session.hasEnded) return writeHead(...args);
    const cookie = handling.cookieFor(session);
    const headers = args.length > 1 ? withCookie(args.at(-1), cookie) : null;
    if (headers !== null) return writeHead(...args.slice(0, -1), headers);
    response.appendHeader('set-cookie', cookie);
    return writeHead(...args);
  };
}

/**
 * Cookies that are given with the head take the place of those that were set before, so that this one has to be
 * among them.
 * @returns the headers with the cookie; null when there are no cookies among them.
 */
function withCookie(headers: unknown, cookie: string): unknown {
  if (typeof headers !== 'object' || headers === null) return null;
  const isCookie = (name: unknown) => String(name).toLowerCase() === 'set-cookie';
  if (Array.isArray(headers)) {
    const hasCookie = headers.some((name, index) => index % 2 === 0 && isCookie(name));
    return hasCookie ? [...headers, 'Set-Cookie', cookie] : null;
  }
  const name = Object.keys(headers).find(isCookie);
  if (name === undefined) return null;
  return { ...headers, [name]: [(headers as Record<string, unknown>)[name], cookie].flat() };
}
