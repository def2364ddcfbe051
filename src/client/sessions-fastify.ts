/**
 * `lictor/client/fastify`: the plugin for Fastify, `app.register(licenseSessions, { instance })`. It is a part of its
 * own so that whoever does not use Fastify needs none.
 */

import type { FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { LicensedSession, WebSessions } from './sessions.ts';
import { type LicenseSessionsOptions, SessionHandling } from './sessions-handling.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The licensed session of the request; null where it needs none. */
    license: LicensedSession | null;
  }
  interface FastifyInstance {
    /** The licensed sessions of the application. */
    licenseSessions: WebSessions;
  }
}

/** What the plugin is registered with. */
export type LicenseSessionsPluginOptions = LicenseSessionsOptions<FastifyRequest>;

/**
 * The plugin. Each request finds its session as `request.license`; where no unit is free it is answered with 503 and
 * a page of its own. Requests for which there is no route take none. The sessions end with the application.
 */
export const licenseSessions: FastifyPluginCallback<LicenseSessionsPluginOptions> = (app, options, done) => {
  const handling = new SessionHandling<FastifyRequest>(options);
  /** By request: the ID that the browser has, and whether it has yet to be told. */
  const sent = new WeakMap<FastifyRequest, { readonly id: string; readonly isNew: boolean }>();
  app.decorate('licenseSessions', handling.sessions);
  app.decorateRequest('license', null);
  app.addHook('onRequest', async (request, reply) => {
    // Crawlers that ask for what is not there take no unit (notes section 5).
    if (request.is404) return;
    const handled = await handling.take(request);
    if (handled.is === 'none') return;
    if (handled.is === 'refused') {
      const { status, headers, body } = handled.answer;
      return reply.code(status).headers(headers).send(body);
    }
    const leave = handled.is === 'request' ? handled.leave : () => handling.sessions.leave(handled.session);
    if (reply.raw.closed) leave();
    else reply.raw.once('close', leave);
    if (handled.is !== 'session') return;
    request.license = handled.session;
    if (handling.hasCookie) sent.set(request, { id: handled.session.id, isNew: handled.cookie !== null });
  });
  // A login or a logout until now has changed the session's ID.
  app.addHook('onSend', async (request, reply) => {
    const { license } = request;
    const known = sent.get(request);
    if (license === null || known === undefined) return;
    if (!known.isNew && license.id === known.id && !license.hasEnded) return;
    reply.header('set-cookie', handling.cookieFor(license));
  });
  app.addHook('onClose', async () => handling.sessions.close());
  done();
};

// Fastify keeps what a plugin adds to itself unless it says otherwise, which is all that fastify-plugin does.
Object.assign(licenseSessions, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'lictor-sessions',
});
