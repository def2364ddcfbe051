/**
 * Many logins at once: lists for people, and one request with many operations for gateways.
 */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { LicenseError, PROBLEMS } from '../../domain/errors.ts';
import type { Logins } from '../../service/logins.ts';
import { expectAnswer, instantOf, PageAsOf, throwUnlessDone } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { InstanceName, LoginBody, LoginId, LoginShape, loginJson } from '../login-shapes.ts';
import { PROBLEMS_PATH } from '../problems.ts';
import { Instant, PageQuery, pageLimit, responses } from '../schemas.ts';
import { callerOf, RenewedShape, renewedJson, requireLogin, requireOn } from './logins.ts';

/** The most operations of one request. */
export const BATCH_OPERATIONS_MAX = 500;

const ListedShape = Type.Object({
  id: Type.String(),
  instance: Type.String(),
  key: Type.String({ description: 'The key it counts under, or the default licence of its instance.' }),
  userId: Type.Optional(Type.String()),
  kind: Type.String(),
  phase: Type.String(),
  processId: Type.Optional(Type.Integer()),
  leaseSeconds: Type.Optional(Type.Integer()),
  at: Instant('When it was granted.'),
  endsAt: Type.Optional(Instant('When it ends by itself.')),
});

const ListQuery = Type.Object(
  {
    ...PageQuery.properties,
    instance: Type.Optional(InstanceName),
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    user: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  },
  { additionalProperties: false },
);

const operation = <Name extends string>(name: Name, description: string) =>
  Type.Literal(name, { description });

const BatchOperation = Type.Union([
  Type.Object({ do: operation('login', 'Log in.'), login: LoginBody }, { additionalProperties: false }),
  Type.Object(
    {
      do: operation('logout', 'Log out.'),
      instance: InstanceName,
      id: LoginId,
      pages: Type.Optional(Type.Integer({ minimum: 0 })),
    },
    { additionalProperties: false },
  ),
  Type.Object(
    { do: operation('heartbeat', 'Renew a lease.'), instance: InstanceName, id: LoginId },
    { additionalProperties: false },
  ),
]);
type BatchOperation = Static<typeof BatchOperation>;

const Verdict = Type.Object({
  status: Type.Integer({ description: 'What the single call would have answered.' }),
  login: Type.Optional(LoginShape),
  heartbeat: Type.Optional(RenewedShape),
  problem: Type.Optional(Type.Ref('Problem#')),
});

/**
 * Lists and batches.
 * @param services.logins - the logins' service.
 */
export function batchRoutes({ logins }: { readonly logins: Logins }): RoutePlugin {
  return (app, _options, done) => {
    app.get(
      '/v1/logins',
      {
        config: { access: 'logins.read' },
        schema: {
          operationId: 'listLogins',
          summary: 'List the logins that are in',
          description: 'Out of the distributed table, so that it is as of a moment ago; it says of when.',
          tags: ['logins'],
          querystring: ListQuery,
          response: responses({ 200: PageAsOf(ListedShape) }, []),
        },
      },
      async (request) => {
        const position = decodeCursor('logins', request.query.cursor, 2);
        const after = position && { instance: String(position[0]), id: String(position[1]) };
        const limit = pageLimit(request.query);
        const filter = filterOf(request, logins, request.query);
        const { logins: rows, asOfMs, version } = await logins.list(filter, after, limit + 1);
        const items = rows.slice(0, limit);
        const last = rows.length > limit ? items.at(-1) : undefined;
        return {
          items: items.map((row) => ({
            id: row.id,
            instance: row.instance,
            key: row.pool,
            ...(row.userId === null ? {} : { userId: row.userId }),
            kind: row.kind,
            phase: row.phase,
            ...(row.processId === null ? {} : { processId: row.processId }),
            ...(row.leaseSeconds === null ? {} : { leaseSeconds: row.leaseSeconds }),
            at: instantOf(row.grantedAtMs),
            ...(row.endsAtMs === null ? {} : { endsAt: instantOf(row.endsAtMs) }),
          })),
          ...(last ? { nextCursor: encodeCursor('logins', [last.instance, last.id]) } : {}),
          asOf: instantOf(asOfMs),
          version,
        };
      },
    );
    app.post(
      '/v1/logins/batch',
      {
        config: { access: 'logins.create' },
        schema: {
          operationId: 'batchLogins',
          summary: 'Many logins, logouts and heartbeats in one request',
          description: 'Each operation has its own verdict; one that fails changes nothing for the others.',
          tags: ['logins'],
          body: Type.Object(
            { operations: Type.Array(BatchOperation, { minItems: 1, maxItems: BATCH_OPERATIONS_MAX }) },
            { additionalProperties: false },
          ),
          response: responses({ 200: Type.Object({ verdicts: Type.Array(Verdict) }) }, [], { body: true }),
        },
      },
      async (request) => ({
        verdicts: await Promise.all(request.body.operations.map((each) => verdictOf(request, logins, each))),
      }),
    );
    done();
  };
}

/** What a list may show: what the query asks for, within what the token reaches. */
function filterOf(request: FastifyRequest, logins: Logins, query: Static<typeof ListQuery>) {
  const principal = principalOf(request);
  if (query.instance !== undefined) requireOn(request, logins, 'logins.read', query.instance);
  if (query.key !== undefined && principal.keys !== null) {
    requirePermission(request, 'logins.read', { keyId: query.key, instance: principal.instance });
  }
  const instance = query.instance ?? principal.instance;
  const reached = principal.keys === null ? null : logins.instancesWith(principal.keys);
  return {
    instances: instance === null ? reached : [instance],
    pools: query.key === undefined ? null : [query.key],
    user: query.user ?? null,
  };
}

/** Does one operation and answers as its own call would have. */
async function verdictOf(
  request: FastifyRequest,
  logins: Logins,
  each: BatchOperation,
): Promise<Static<typeof Verdict>> {
  try {
    const caller = callerOf(request);
    if (each.do === 'login') {
      requireLogin(request, logins, each.login);
      const answer = expectAnswer(await logins.logIn(each.login, caller), 'granted');
      return { status: answer.repeated ? 200 : 201, login: loginJson(answer.login) };
    }
    if (each.do === 'logout') {
      requireOn(request, logins, 'logins.release', each.instance);
      throwUnlessDone(await logins.logOut(each.instance, each.id, each.pages === 1, caller));
      return { status: 204 };
    }
    requireOn(request, logins, 'logins.renew', each.instance);
    const answer = expectAnswer(await logins.heartbeat(each.instance, each.id, caller), 'renewed');
    return { status: 200, heartbeat: renewedJson(answer) };
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    const { status, title } = PROBLEMS[error.code];
    const { code, message: detail, extras } = error;
    const type = `${PROBLEMS_PATH}${code}`;
    return { status, problem: { type, title, status, code, detail, requestId: request.id, ...extras } };
  }
}
