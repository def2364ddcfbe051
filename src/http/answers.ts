/**
 * Between the answers of the domain and those of HTTP: what a caller did not get becomes an error out of the
 * catalogue, instants become RFC 3339, and a principal becomes the actor that stands in the journal.
 */

import type { FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { Principal } from '../domain/access.ts';
import { LicenseError, type ProblemCode, type ProblemExtras } from '../domain/errors.ts';
import type { Answer, Problem, Refusal } from '../domain/operations.ts';
import type { AsOf } from '../service/keys.ts';
import { Instant, Page } from './schemas.ts';

/** What every operation of the lane can be answered besides what `responses` adds to every route. */
export const LANE_PROBLEMS = ['queue-full', 'outcome-unknown', 'not-ready'] as const satisfies ProblemCode[];

/** An answer of the lane that is not a no. */
export type Done = Exclude<Answer, Refusal | Problem>;

/** Every request names its actor, and a token makes many requests. */
const actors = new WeakMap<Principal, string>();

/**
 * The actor as the journal names it: what people call the token, and its ID, which tells two of one name
 * apart: `ops-anna (Ab12cD34)`.
 *
 * @param principal - who asked.
 */
export function actorOf(principal: Principal): string {
  let actor = actors.get(principal);
  if (actor === undefined) {
    actor = `${principal.name} (${principal.tokenId})`;
    actors.set(principal, actor);
  }
  return actor;
}

/**
 * The members that a refusal adds to its problem body: enough to explain it without looking anywhere else.
 *
 * @param refusal - a refusal by a licence rule.
 */
export function refusalExtras(refusal: Refusal): ProblemExtras {
  const { decision, rule, limit, inUse, requested, retryAfterSeconds, exhausted } = refusal;
  const counts = { decision, rule, limit, inUse, requested, retryAfterSeconds };
  if (!exhausted) return counts;
  const { application, feature, holdersCount } = exhausted;
  return { ...counts, application, feature, holdersCount };
}

/**
 * Lets an answer through unless it is a no.
 *
 * @param answer - of the lane.
 * @returns the same answer, without the types of a no.
 * @throws LicenseError with the code of the refusal or the problem, and what it adds to the body.
 */
export function throwUnlessDone(answer: Answer): Done {
  if (answer.is === 'refused') throw new LicenseError(answer.code, answer.detail, refusalExtras(answer));
  if (answer.is === 'problem') throw new LicenseError(answer.code, answer.detail, answer.extras);
  return answer;
}

/**
 * Takes an answer that can only be of one kind, or a no.
 *
 * @param answer - of the lane.
 * @param is - the kind.
 * @throws LicenseError for a no; Error for an answer of another kind, which is a bug.
 */
export function expectAnswer<Kind extends Done['is']>(
  answer: Answer,
  is: Kind,
): Extract<Done, { readonly is: Kind }> {
  const done = throwUnlessDone(answer);
  if (done.is !== is) throw new Error(`the lane answered "${done.is}" where "${is}" was expected`);
  return done as Extract<Done, { readonly is: Kind }>;
}

/**
 * An instant in RFC 3339, UTC.
 *
 * @param atMs - milliseconds since 1970.
 */
export function instantOf(atMs: number): string {
  return new Date(atMs).toISOString();
}

/**
 * A fault of one field that no schema can tell.
 *
 * @param pointer - JSON Pointer into the body, or `?name` for a parameter of the query.
 * @param message - what is wrong with it, as the rest of a sentence: "must be below 5".
 */
export function fieldFault(pointer: string, message: string): LicenseError {
  return new LicenseError('malformed-request', `${pointer || 'The body'} ${message}.`, {
    errors: [{ pointer, message }],
  });
}

/**
 * The entity tag of a revision. It is strong: a record with the same revision is the same byte for byte.
 *
 * @param revision - of a key or an instance.
 */
export function etagOf(revision: string): string {
  return `"${revision}"`;
}

/**
 * The revision that a change is made on.
 *
 * @param request - of the change.
 * @returns the revision; null for `*`, which changes whatever stands.
 * @throws LicenseError `precondition-required` without `If-Match`, `precondition-failed` for a weak tag, which
 * never matches (RFC 9110, 13.1.1), and `malformed-request` for anything but one tag.
 */
export function ifMatchOf(request: FastifyRequest): string | null {
  const header = request.headers['if-match']?.trim();
  if (header === undefined || header === '') {
    throw new LicenseError(
      'precondition-required',
      'Read it first and send the ETag of the answer as If-Match, so that nobody is overwritten.',
    );
  }
  if (header === '*') return null;
  const revision = /^"([^",\s]{1,64})"$/.exec(header)?.[1];
  if (revision !== undefined) return revision;
  if (/^W\/"[^"]*"$/.test(header)) {
    throw new LicenseError(
      'precondition-failed',
      'A weak ETag never matches; send the ETag as it was given.',
    );
  }
  throw new LicenseError('malformed-request', 'If-Match must be one ETag in quotes, or *.', {
    errors: [{ pointer: 'if-match', message: 'must be one ETag in quotes, or *' }],
  });
}

/** The headers of a change that is made on a revision; without one the answer is 428, not 400. */
export const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({ maxLength: 512, description: 'The ETag of what is changed, or * for whatever stands.' }),
  ),
});

/**
 * The shape of a page that was read from the table, and says as of when.
 *
 * @param item - the schema of one entry.
 */
export function PageAsOf<Item extends TSchema>(item: Item) {
  return Type.Object({ ...Page(item).properties, ...AS_OF });
}

/** The members that say as of when a table was read. */
export const AS_OF = {
  asOf: Instant('The instant as of which this holds.'),
  version: Type.Integer({ description: 'The version of the journal as of which this holds.' }),
};

/** Shows as of when a table was read. */
export function showAsOf({ atMs, version }: AsOf): { asOf: string; version: number } {
  return { asOf: instantOf(atMs), version };
}
