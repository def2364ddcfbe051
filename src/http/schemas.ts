/**
 * Pieces of schemas that several routes share. One TypeBox object a shape: it validates, serialises, types
 * and documents.
 */

import { type Static, type TSchema, Type } from 'typebox';
import { PROBLEMS, type ProblemCode } from '../domain/errors.ts';

/** The most entries of one page. */
const PAGE_LIMIT_MAX = 500;

const PAGE_LIMIT_DEFAULT = 100;

/** The body of everything that is not a success; `$id` makes it one component of the description. */
export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'Where the problem is described.' }),
    title: Type.String({ description: 'What the problem is; the same for every occurrence.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    code: Type.String({ description: 'The stable code, by which programs should tell problems apart.' }),
    detail: Type.String({ description: 'What happened this time, and what to do.' }),
    requestId: Type.String({ description: 'The ID under which the log has the request.' }),
    retryAfterSeconds: Type.Optional(Type.Number({ description: 'When trying again makes sense.' })),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'JSON Pointer into the body, or ?name for a parameter.' }),
          message: Type.String(),
        }),
        { description: 'What is wrong with the request, field by field.' },
      ),
    ),
  },
  {
    $id: 'Problem',
    title: 'Problem',
    description: 'RFC 9457 problem details; the members beyond these are described at `/problems/{code}`.',
    additionalProperties: true,
  },
);

/** What every route with a token can answer. */
const ALWAYS: readonly ProblemCode[] = [
  'malformed-request',
  'token-missing',
  'token-invalid',
  'token-expired',
  'forbidden',
  'rate-limited',
  'shutting-down',
  'storage-unavailable',
  'internal',
];

/** What every route with a body can answer besides. */
const WITH_BODY: readonly ProblemCode[] = ['body-too-large', 'unsupported-media-type'];

/** What a public route can answer. */
const PUBLIC: readonly ProblemCode[] = ['malformed-request', 'internal'];

/** One problem status of a route's schema. */
interface ProblemResponse {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: { readonly $ref: string } } };
}

/** The responses of a route: its successes by status, and problems for every other status it can answer. */
export type Responses<S extends Readonly<Record<number, TSchema>>> = S &
  Readonly<Record<string, ProblemResponse>>;

/**
 * Completes a route's responses with the problems it can answer, so that every status is in its schema.
 *
 * @param successes - the schema of each successful status.
 * @param problems - the codes of the catalogue that are the route's own; those that every route has are added.
 * @param kind - whether the route takes a token, and a body.
 * @returns what goes to `schema.response`.
 */
export function responses<S extends Readonly<Record<number, TSchema>>>(
  successes: S,
  problems: readonly ProblemCode[],
  kind: { readonly body?: boolean; readonly public?: boolean } = {},
): Responses<S> {
  const codes = new Set([...(kind.public ? PUBLIC : ALWAYS), ...(kind.body ? WITH_BODY : []), ...problems]);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const added: Record<string, ProblemResponse> = {};
  for (const [status, of] of [...byStatus].sort(([a], [b]) => a - b)) {
    if (status in successes) continue;
    added[status] = {
      description: of.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('; '),
      content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
    };
  }
  return { ...successes, ...added } as Responses<S>;
}

/** A success that is JSON or text. The type is that of the JSON; text goes out as it is. */
export function jsonOrText<Shape extends TSchema>(description: string, schema: Shape): Shape {
  const content = { 'application/json': { schema }, 'text/plain': { schema: Type.String() } };
  return { description, content } as unknown as Shape;
}

/** The same, and one JSON object a line for what may be very long. */
export function jsonTextOrLines<Shape extends TSchema>(description: string, schema: Shape): Shape {
  const { content } = jsonOrText(description, schema) as unknown as { content: object };
  const lines = { 'application/x-ndjson': { schema: Type.String() } };
  return { description, content: { ...content, ...lines } } as unknown as Shape;
}

/** An instant in RFC 3339. */
export const Instant = (description: string) => Type.String({ format: 'date-time', description });

/** The answer without a body of a 204. */
export const NoContent = Type.Null({ description: 'Done.' });

/** The query of a list. */
export const PageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: PAGE_LIMIT_MAX,
        default: PAGE_LIMIT_DEFAULT,
        description: 'How many entries at most.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, description: '`nextCursor` of the page before.' }),
    ),
  },
  { additionalProperties: false },
);

/** The query of a list, after validation. */
export type PageQuery = Static<typeof PageQuery>;

/**
 * The shape of a page.
 *
 * @param item - the schema of one entry.
 * @returns an object with `items` and, unless it is the last page, `nextCursor`.
 */
export function Page<T extends TSchema>(item: T) {
  return Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Optional(
      Type.String({ description: 'Send it as `cursor` for the next page; absent on the last one.' }),
    ),
  });
}

/** How many entries a page has when the query does not say. */
export function pageLimit(query: PageQuery): number {
  return query.limit ?? PAGE_LIMIT_DEFAULT;
}
