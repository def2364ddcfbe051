/** A small web application that is licensed, on Fastify and on bare node:http, and browsers that visit it. */

import { createServer, type Server } from 'node:http';
import fastify from 'fastify';
import {
  type LicensedIncomingMessage,
  type LicensedSession,
  type LicenseSessionsOptions,
  licenseMiddleware,
  type WebSessions,
} from '../../src/client/index.ts';
import { licenseSessions } from '../../src/client/sessions-fastify.ts';

/** An application that runs. */
export interface WebApp {
  readonly url: string;
  readonly sessions: WebSessions;
  close(): Promise<void>;
}

/** What both applications do with a request that has passed. */
async function answer(
  path: string,
  session: LicensedSession | null,
): Promise<[status: number, body: object]> {
  if (session === null) return [200, { user: null }];
  if (path.startsWith('/login/')) {
    const verdict = await session.login(decodeURIComponent(path.slice('/login/'.length)));
    // Whether the password was right would have been found out before: that is another matter (trap 9).
    return verdict.is === 'granted' ? [200, { user: session.userId }] : [403, { refused: verdict }];
  }
  if (path === '/logout') session.logout();
  return [200, { user: session.userId, pages: session.pages }];
}

/** How to start each kind of application. `/slow` waits until it is let go. */
export const WEB_APPS: Readonly<
  Record<string, (options: LicenseSessionsOptions, slow?: Promise<void>) => Promise<WebApp>>
> = {
  async fastify(options, slow) {
    const app = fastify({ forceCloseConnections: true });
    await app.register(licenseSessions, options);
    for (const path of ['/', '/login/:user', '/logout', '/slow', '/health', '/call']) {
      app.get(path, async (request, reply) => {
        if (path === '/slow') await slow;
        const [status, body] = await answer(request.url, request.license);
        return reply.code(status).send(body);
      });
    }
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    return { url, sessions: app.licenseSessions, close: () => app.close() };
  },
  async http(options, slow) {
    const middleware = licenseMiddleware(options);
    const server: Server = createServer((request: LicensedIncomingMessage, response) => {
      middleware(request, response, async (error) => {
        if (request.url === '/slow') await slow;
        const [status, body] = error
          ? [500, { error: String(error) }]
          : await answer(request.url!, request.license ?? null);
        response.statusCode = status as number;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return {
      url: `http://127.0.0.1:${port}`,
      sessions: middleware.sessions,
      close: () =>
        new Promise((resolve) => {
          middleware.sessions.close();
          server.closeAllConnections();
          server.close(() => resolve());
        }),
    };
  },
};

/** A browser, as far as it keeps a cookie. */
export class Browser {
  readonly #url: string;
  cookie: string | null = null;
  /** The header by which the cookie was set last. */
  setCookie: string | null = null;

  constructor({ url }: Pick<WebApp, 'url'>) {
    this.#url = url;
  }

  /** Visits a page. */
  async visit(path = '/', headers: Readonly<Record<string, string>> = {}) {
    const response = await fetch(this.#url + path, {
      headers: { ...(this.cookie === null ? {} : { cookie: this.cookie }), ...headers },
    });
    const [header] = response.headers.getSetCookie();
    if (header !== undefined) {
      this.setCookie = header;
      this.cookie = header.includes('Max-Age=0') ? null : header.split(';', 1)[0]!;
    }
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json');
    return {
      status: response.status,
      headers: response.headers,
      text,
      // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for the test to say.
      body: (isJson ? JSON.parse(text) : null) as any,
    };
  }
}
