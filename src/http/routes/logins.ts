/**
 * Logins: in, out, identify, renew, explain, and many at once.
 */

import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type Action, isUnrestricted, permits } from '../../domain/access.ts';
import { LicenseError, REFUSALS } from '../../domain/errors.ts';
import type { Caller, LoginRequest, Logins } from '../../service/logins.ts';
import { actorOf, expectAnswer, instantOf, refusalExtras, throwUnlessDone } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { forbidden, principalOf, requirePermission } from '../auth.ts';
import {
  heartbeatAfterSeconds,
  InstanceName,
  LoginBody,
  LoginId,
  LoginShape,
  loginJson,
} from '../login-shapes.ts';
import { sendProblem } from '../problems.ts';
import { Instant, NoContent, responses } from '../schemas.ts';

const LoginParams = Type.Object({ id: LoginId });
const LoginQuery = Type.Object({ instance: Type.Optional(InstanceName) }, { additionalProperties: false });
const LogoutQuery = Type.Object(
  {
    instance: Type.Optional(InstanceName),
    pages: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Of a web session: the pages it visited. With one page only, its unit lingers in grace.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const RenewedShape = Type.Object({
  status: Type.Literal('renewed'),
  expiresAt: Instant('The new end of the lease.'),
  expiresInSeconds: Type.Number(),
  heartbeatAfterSeconds: Type.Number(),
});

const HeldShape = Type.Object({
  ...LoginShape.properties,
  held: Type.Boolean({ description: 'Whether it is in; a released one is remembered for ten minutes.' }),
  reason: Type.Optional(Type.String({ description: 'Why it went.' })),
  userConnections: Type.Integer({ description: 'The connections of its user ID now.' }),
});

const { id: ExplainedId, decision: ExplainedDecision, ...explained } = LoginShape.properties;

const ExplainedShape = Type.Object({
  verdict: Type.Enum(['granted', 'refused']),
  login: Type.Optional(
    Type.Object(
      { id: Type.Optional(ExplainedId), ...explained, decision: Type.Optional(ExplainedDecision) },
      {
        description: 'As it would be answered; without a decision, and without an ID when none was sent.',
      },
    ),
  ),
  code: Type.Optional(Type.String()),
  rule: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer()),
  inUse: Type.Optional(Type.Integer()),
  requested: Type.Optional(Type.Integer()),
  retryAfterSeconds: Type.Optional(Type.Number()),
});

const UNAVAILABLE = ['queue-full', 'outcome-unknown', 'not-ready'] as const;

/** Who called, for the journal and for the client's address. */
export function callerOf(request: FastifyRequest): Caller {
  return {
    actor: actorOf(principalOf(request)),
    peerAddress: request.ip,
    forwardedFor: request.headers['x-forwarded-for'] as string | undefined,
    span: request.span,
  };
}

/**
 * Checks that the token may do this on the instance, which costs nothing for an unrestricted one. What this
 * replica knows of the instance may be a moment old, so nobody is refused for it before it has caught up.
 *
 * @throws LicenseError `forbidden`.
 */
export async function requireOn(
  request: FastifyRequest,
  logins: Logins,
  action: Action,
  instance: string,
): Promise<void> {
  const principal = principalOf(request);
  if (isUnrestricted(principal)) return;
  const target = { instance, keyId: logins.keyOf(instance) };
  if (permits(principal, action, target)) return;
  const keyId = principal.keys === null ? target.keyId : await logins.currentKeyOf(instance);
  requirePermission(request, action, { instance, keyId });
}

/** Finds the instance of a login that a path names, among those that the token may touch. */
async function locate(
  request: FastifyRequest,
  logins: Logins,
  action: Action,
  id: string,
  instance: string | undefined,
): Promise<string | null> {
  const principal = principalOf(request);
  const named = instance ?? principal.instance ?? undefined;
  if (named !== undefined) {
    await requireOn(request, logins, action, named);
    return named;
  }
  return logins.locate(id, (place) =>
    permits(principal, action, { instance: place, keyId: logins.keyOf(place) }),
  );
}

async function locateOrFail(
  ...[request, logins, action, id, instance]: Parameters<typeof locate>
): Promise<string> {
  const place = await locate(request, logins, action, id, instance);
  if (place !== null) return place;
  throw new LicenseError(
    'login-lost',
    `The login ${id} is not held, and nothing is remembered of it. Log in again.`,
    {
      lost: 'unknown',
    },
  );
}

/** Checks what a login asks for beyond what the gate let through. */
export async function requireLogin(
  request: FastifyRequest,
  logins: Logins,
  body: LoginRequest,
): Promise<void> {
  const principal = principalOf(request);
  if (body.emergency && !permits(principal, 'logins.emergency')) {
    throw forbidden(principal, 'logins.emergency');
  }
  await requireOn(request, logins, 'logins.create', body.instance);
}

/** What the routes of this file are built with. */
type App = Parameters<RoutePlugin>[0];

/**
 * Log in, read, log out, identify, renew and explain.
 * @param services.logins - the logins' service.
 */
export function loginRoutes({ logins }: { readonly logins: Logins }): RoutePlugin {
  return (app, _options, done) => {
    logInRoute(app, logins);
    explainRoute(app, logins);
    readRoute(app, logins);
    logOutRoute(app, logins);
    identifyRoute(app, logins);
    renewRoute(app, logins);
    done();
  };
}

function logInRoute(app: App, logins: Logins): void {
  app.post(
    '/v1/logins',
    {
      config: { access: 'logins.create' },
      schema: {
        operationId: 'logIn',
        summary: 'Log a user in',
        description:
          'Grants what the login costs, durably, or refuses it with the rule that did and the figures.',
        tags: ['logins'],
        body: LoginBody,
        response: responses(
          { 200: LoginShape, 201: LoginShape },
          [
            ...REFUSALS,
            ...UNAVAILABLE,
            'instance-not-found',
            'id-reused',
            'login-released',
            'user-id-illegal',
          ],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      await requireLogin(request, logins, request.body);
      const answer = await logins.logIn(request.body, callerOf(request));
      // A refusal is an ordinary answer, so that a storm of them does not pay for as many errors.
      if (answer.is === 'refused') {
        return sendProblem(request, reply, answer.code, answer.detail, refusalExtras(answer));
      }
      const { login, repeated } = expectAnswer(answer, 'granted');
      reply.code(repeated ? 200 : 201);
      return loginJson(login);
    },
  );
}

function explainRoute(app: App, logins: Logins): void {
  app.post(
    '/v1/logins/explain',
    {
      config: { access: 'logins.explain' },
      schema: {
        operationId: 'explainLogin',
        summary: 'Explain what a login would come to now',
        description: 'Decides it like a login and changes nothing.',
        tags: ['logins'],
        body: LoginBody,
        response: responses(
          { 200: ExplainedShape },
          [...UNAVAILABLE, 'instance-not-found', 'id-reused', 'login-released', 'user-id-illegal'],
          { body: true },
        ),
      },
    },
    async (request) => {
      await requireOn(request, logins, 'logins.explain', request.body.instance);
      const answer = await logins.explain(request.body, callerOf(request));
      if (answer.is === 'granted') {
        const { id, decision, ...login } = loginJson(answer.login);
        // What is only tried has no place in the journal; what is in already has.
        const placed = answer.repeated ? { decision } : {};
        const named = request.body.id === undefined ? {} : { id };
        return { verdict: 'granted' as const, login: { ...named, ...login, ...placed } };
      }
      if (answer.is !== 'refused') throw unexpected(throwUnlessDone(answer).is);
      const { decision: _, ...figures } = refusalExtras(answer);
      return { verdict: 'refused' as const, code: answer.code, detail: answer.detail, ...figures };
    },
  );
}

function readRoute(app: App, logins: Logins): void {
  app.get(
    '/v1/logins/:id',
    {
      config: { access: 'logins.read' },
      schema: {
        operationId: 'readLogin',
        summary: 'Read a login',
        tags: ['logins'],
        params: LoginParams,
        querystring: LoginQuery,
        response: responses({ 200: HeldShape }, [...UNAVAILABLE, 'login-not-found', 'login-ambiguous']),
      },
    },
    async (request) => {
      const { id } = request.params;
      const instance = await locate(request, logins, 'logins.read', id, request.query.instance);
      const login = instance === null ? null : await logins.read(instance, id);
      if (!login) throw new LicenseError('login-not-found', `Nothing is known of the login ${id}.`);
      const { held, reason, userConnections } = login;
      return { ...loginJson(login), held, ...(reason === null ? {} : { reason }), userConnections };
    },
  );
}

function logOutRoute(app: App, logins: Logins): void {
  app.delete(
    '/v1/logins/:id',
    {
      config: { access: 'logins.release' },
      schema: {
        operationId: 'logOut',
        summary: 'Log out',
        description:
          'Can be repeated. Where the instance is named (or the token is restricted to one) it can come before its login, which is then not granted any more.',
        tags: ['logins'],
        params: LoginParams,
        querystring: LogoutQuery,
        response: responses({ 204: NoContent }, [...UNAVAILABLE, 'instance-not-found', 'login-ambiguous']),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const instance = await locate(request, logins, 'logins.release', id, request.query.instance);
      if (instance !== null) {
        throwUnlessDone(await logins.logOut(instance, id, request.query.pages === 1, callerOf(request)));
      }
      return reply.code(204).send(null);
    },
  );
}

function identifyRoute(app: App, logins: Logins): void {
  app.post(
    '/v1/logins/:id/identify',
    {
      config: { access: 'logins.create' },
      schema: {
        operationId: 'identifyLogin',
        summary: 'Identify the user of a login',
        description:
          'Trades the unit of the former ID for one of the user, both or neither, and with it what the login has taken of applications.',
        tags: ['logins'],
        params: LoginParams,
        querystring: LoginQuery,
        body: Type.Object(
          { user: LoginBody.properties.user, clientAddress: LoginBody.properties.clientAddress },
          { additionalProperties: false, required: ['user'] },
        ),
        response: responses(
          { 200: HeldShape },
          [
            ...REFUSALS,
            ...UNAVAILABLE,
            'application-units-exhausted',
            'instance-not-found',
            'login-lost',
            'login-ambiguous',
            'login-not-identifiable',
            'user-id-illegal',
          ],
          { body: true },
        ),
      },
    },
    async (request) => {
      const { id } = request.params;
      const { user, clientAddress } = request.body;
      const instance = await locateOrFail(request, logins, 'logins.create', id, request.query.instance);
      const caller = callerOf(request);
      const { login } = expectAnswer(
        await logins.identify(instance, id, user!, clientAddress, caller),
        'granted',
      );
      const now = await logins.read(instance, id);
      return { ...loginJson(login), held: now?.held ?? false, userConnections: now?.userConnections ?? 0 };
    },
  );
}

function renewRoute(app: App, logins: Logins): void {
  app.post(
    '/v1/logins/:id/heartbeat',
    {
      config: { access: 'logins.renew' },
      schema: {
        operationId: 'renewLogin',
        summary: 'Renew the lease of a login',
        description: 'Answers `renewed`, or a problem that says that the login is lost and why.',
        tags: ['logins'],
        params: LoginParams,
        querystring: LoginQuery,
        response: responses({ 200: RenewedShape }, [
          ...UNAVAILABLE,
          'instance-not-found',
          'login-lost',
          'login-ambiguous',
          'login-not-renewable',
        ]),
      },
    },
    async (request) => {
      const { id } = request.params;
      const instance = await locateOrFail(request, logins, 'logins.renew', id, request.query.instance);
      return renewedJson(expectAnswer(await logins.heartbeat(instance, id, callerOf(request)), 'renewed'));
    },
  );
}

/** Writes a renewed lease. */
export function renewedJson(answer: { readonly expiresAtMs: number; readonly leaseSeconds: number }) {
  return {
    status: 'renewed' as const,
    expiresAt: instantOf(answer.expiresAtMs),
    expiresInSeconds: answer.leaseSeconds,
    heartbeatAfterSeconds: heartbeatAfterSeconds(answer.leaseSeconds),
  };
}

function unexpected(is: string): Error {
  return new Error(`the lane answered "${is}" to a login`);
}
