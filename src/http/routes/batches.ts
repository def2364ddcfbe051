/**
 * Many logins at once: lists for people, and one request with many operations for gateways.
 */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { LicenseError, PROBLEMS } from '../../domain/errors.ts';
import { defaultPoolOf } from '../../domain/instances.ts';
import type { Logins } from '../../service/logins.ts';
import { expectAnswer, fieldFault, instantOf, PageAsOf, throwUnlessDone } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { InstanceName, LoginBody, LoginId, LoginShape, loginJson } from '../login-shapes.ts';
import { PROBLEMS_PATH } from '../problems.ts';
import { Instant, PageQuery, pageLimit, responses } from '../schemas.ts';
import { callerOf, RenewedShape, renewedJson, requireLogin, requireOn } from './logins.ts';

/** The most operations of one request. */
const BATCH_OPERATIONS_MAX = 500;

const ListedShape = Type.Object({
  id: Type.String(),
  instance: Type.String(),
  key: Type.Union([Type.String(), Type.Null()], {
    description: 'The key it counts under; null on the default licence of an instance without a usable key.',
  }),
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

const BATCH_OPERATIONS = [
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
] as const;
type BatchOperation = Static<(typeof BATCH_OPERATIONS)[number]>;

/** Told apart by `do`, so that a fault is found in the operation that was meant and not in each of them. */
const BatchOperation = Type.Unsafe<BatchOperation>({
  type: 'object',
  required: ['do'],
  discriminator: { propertyName: 'do' },
  oneOf: BATCH_OPERATIONS,
});

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
        const after = positionOf(request.query.cursor);
        const limit = pageLimit(request.query);
        const filter = await filterOf(request, logins, request.query);
        const { logins: rows, asOfMs, version } = await logins.list(filter, after, limit + 1);
        const items = rows.slice(0, limit);
        const last = rows.length > limit ? items.at(-1) : undefined;
        return {
          items: items.map((row) => ({
            id: row.id,
            instance: row.instance,
            key: row.pool === defaultPoolOf(row.instance) ? null : row.pool,
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
          description:
            'Each operation has its own verdict, in the same order; one that fails changes nothing for the others. Operations on one login are done in the order they stand in.',
          tags: ['logins'],
          body: Type.Object(
            { operations: Type.Array(BatchOperation, { minItems: 1, maxItems: BATCH_OPERATIONS_MAX }) },
            { additionalProperties: false },
          ),
          response: responses({ 200: Type.Object({ verdicts: Type.Array(Verdict) }) }, [], { body: true }),
        },
      },
      async (request) => {
        const { operations } = request.body;
        // All checks come first, so that operations on one login reach the lane in the order they stand in.
        const checks = await Promise.allSettled(operations.map((each) => requireEach(request, logins, each)));
        const verdicts = operations.map((each, index) => verdictOf(request, logins, each, checks[index]!));
        return { verdicts: await Promise.all(verdicts) };
      },
    );
    done();
  };
}

const LOGIN_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Where a page begins; null at the start. */
function positionOf(cursor: string | undefined): { readonly instance: string; readonly id: string } | null {
  const position = decodeCursor('logins', cursor, 2);
  if (position === null) return null;
  const [instance, id] = position.map(String) as [string, string];
  if (LOGIN_ID.test(id)) return { instance, id };
  throw fieldFault('?cursor', 'is not a cursor of this list');
}

/** What a list may show: what the query asks for, within what the token reaches. */
async function filterOf(request: FastifyRequest, logins: Logins, query: Static<typeof ListQuery>) {
  const principal = principalOf(request);
  if (query.instance !== undefined) await requireOn(request, logins, 'logins.read', query.instance);
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

/** Checks that the token may do one operation. */
function requireEach(request: FastifyRequest, logins: Logins, each: BatchOperation): Promise<void> {
  if (each.do === 'login') return requireLogin(request, logins, each.login);
  return requireOn(request, logins, each.do === 'logout' ? 'logins.release' : 'logins.renew', each.instance);
}

/** Does one operation and answers as its own call would have. */
async function verdictOf(
  request: FastifyRequest,
  logins: Logins,
  each: BatchOperation,
  check: PromiseSettledResult<void>,
): Promise<Static<typeof Verdict>> {
  try {
    if (check.status === 'rejected') throw check.reason;
    const caller = callerOf(request);
    if (each.do === 'login') {
      const answer = expectAnswer(await logins.logIn(each.login, caller), 'granted');
      return { status: answer.repeated ? 200 : 201, login: loginJson(answer.login) };
    }
    if (each.do === 'logout') {
      throwUnlessDone(await logins.logOut(each.instance, each.id, each.pages === 1, caller));
      return { status: 204 };
    }
    const answer = expectAnswer(await logins.heartbeat(each.instance, each.id, caller), 'renewed');
    return { status: 200, heartbeat: renewedJson(answer) };
  } catch (error) {
    const {
      code,
      message: detail,
      extras,
    } = error instanceof LicenseError ? error : unexpected(request, error);
    const { status, title } = PROBLEMS[code];
    const type = `${PROBLEMS_PATH}${code}`;
    return { status, problem: { type, title, status, code, detail, requestId: request.id, ...extras } };
  }
}

/** What nobody expected of one operation must not take the verdicts of the others along. */
function unexpected(request: FastifyRequest, error: unknown): LicenseError {
  const { id: requestId, routeOptions, server } = request;
  server.logger.error({ requestId, route: routeOptions.url, err: error }, 'unexpected error');
  const detail = `Something unexpected happened. The log has it under the request ID ${requestId}.`;
  return new LicenseError('internal', detail);
}
