/**
 * Access tokens.
 */

import { type Static, Type } from 'typebox';
import { ROLES } from '../../domain/access.ts';
import { LicenseError } from '../../domain/errors.ts';
import type { StoredToken, Tokens } from '../../service/tokens.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { Instant, NoContent, Page, PageQuery, pageLimit, responses } from '../schemas.ts';

const NAME_LENGTH_MAX = 100;
const TARGET_LENGTH_MAX = 128;
const KEYS_MAX = 100;

const RoleName = Type.Enum(ROLES, {
  type: 'string',
  description:
    '`administrator` may do everything, `operator` everything but keys and tokens, `viewer` only reads, `instance` is what an installation needs for itself.',
});

const restrictions = {
  keys: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: TARGET_LENGTH_MAX }), {
      maxItems: KEYS_MAX,
      minItems: 1,
      uniqueItems: true,
      description: 'The IDs of the only keys that it may touch; without it, every key.',
    }),
  ),
  instance: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: TARGET_LENGTH_MAX,
      description: 'The name of the only instance that it may touch; without it, every instance.',
    }),
  ),
};

const NewToken = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: NAME_LENGTH_MAX,
      description: 'What people call it; it stands in the journal with what the token did.',
    }),
    role: RoleName,
    ...restrictions,
    expiresAt: Type.Optional(Instant('When it ends; without it, never.')),
  },
  { additionalProperties: false },
);

const Token = Type.Object({
  id: Type.String(),
  name: Type.String(),
  role: RoleName,
  keys: Type.Optional(Type.Array(Type.String())),
  instance: Type.Optional(Type.String()),
  createdAt: Instant('When it was made.'),
  createdBy: Type.String({
    description: 'The ID of the token that made it; `configured` is the one of the configuration.',
  }),
  expiresAt: Type.Optional(Instant('When it ends.')),
  revokedAt: Type.Optional(Instant('When it was revoked.')),
  lastUsedAt: Type.Optional(Instant('When it was last used, to within a minute or two.')),
});

const CreatedToken = Type.Object({
  ...Token.properties,
  token: Type.String({ description: 'The token itself. It is shown this once and stored nowhere.' }),
});

function toToken(row: StoredToken): Static<typeof Token> {
  const { id, name, role, keys, instance, createdBy } = row;
  return {
    id,
    name,
    role,
    ...(keys === null ? {} : { keys: [...keys] }),
    ...(instance === null ? {} : { instance }),
    createdAt: row.createdAt.toISOString(),
    createdBy,
    ...(row.expiresAt === null ? {} : { expiresAt: row.expiresAt.toISOString() }),
    ...(row.revokedAt === null ? {} : { revokedAt: row.revokedAt.toISOString() }),
    ...(row.lastUsedAt === null ? {} : { lastUsedAt: row.lastUsedAt.toISOString() }),
  };
}

type Scope = Parameters<RoutePlugin>[0];

/**
 * Create, list and revoke.
 * @param services.tokens - the tokens' service.
 */
export function tokenRoutes(services: { readonly tokens: Tokens }): RoutePlugin {
  return (app, _options, done) => {
    addCreation(app, services.tokens);
    addList(app, services.tokens);
    addRevocation(app, services.tokens);
    done();
  };
}

function addCreation(app: Scope, tokens: Tokens): void {
  app.post(
    '/v1/tokens',
    {
      config: { access: 'tokens.manage' },
      schema: {
        operationId: 'createToken',
        summary: 'Make an access token',
        tags: ['tokens'],
        body: NewToken,
        response: responses({ 201: CreatedToken }, [], { body: true }),
      },
    },
    async (request, reply) => {
      const { name, role, keys, instance, expiresAt } = request.body;
      const { text, row } = await tokens.create(principalOf(request), {
        name,
        role,
        keys: keys ?? null,
        instance: instance ?? null,
        expiresAt: expiresAt === undefined ? null : parseInstant(expiresAt),
      });
      return (
        reply
          .code(201)
          .header('location', `/v1/tokens/${row.id}`)
          // No cache would keep it anyway; but it has a secret.
          .header('cache-control', 'no-store')
          .send({ ...toToken(row), token: text })
      );
    },
  );
}

function addList(app: Scope, tokens: Tokens): void {
  app.get(
    '/v1/tokens',
    {
      config: { access: 'tokens.manage' },
      schema: {
        operationId: 'listTokens',
        summary: 'List access tokens',
        description: 'In the order they were made, also those that are revoked or have expired.',
        tags: ['tokens'],
        querystring: PageQuery,
        response: responses({ 200: Page(Token) }, []),
      },
    },
    async (request) => {
      const position = decodeCursor('tokens', request.query.cursor, 1);
      const { rows, next } = await tokens.list(principalOf(request), {
        after: position === null ? null : String(position[0]),
        limit: pageLimit(request.query),
      });
      return {
        items: rows.map(toToken),
        ...(next === null ? {} : { nextCursor: encodeCursor('tokens', [next]) }),
      };
    },
  );
}

function addRevocation(app: Scope, tokens: Tokens): void {
  app.delete(
    '/v1/tokens/:id',
    {
      config: { access: 'tokens.manage' },
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke an access token',
        description: 'At once on this replica, and within seconds on the others. Repeating it does no harm.',
        tags: ['tokens'],
        params: Type.Object({ id: Type.String() }),
        response: responses({ 204: NoContent }, ['token-not-found']),
      },
    },
    async (request, reply) => {
      await tokens.revoke(principalOf(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
}

/** The format lets leap seconds pass, which have no instant. */
function parseInstant(text: string): Date {
  const instant = new Date(text);
  if (!Number.isNaN(instant.getTime())) return instant;
  throw new LicenseError('malformed-request', '/expiresAt is not an instant.', {
    errors: [{ pointer: '/expiresAt', message: 'is not an instant' }],
  });
}
