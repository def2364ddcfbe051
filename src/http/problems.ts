/**
 * The one shape of everything that is not a success: RFC 9457 problem bodies out of the catalogue in
 * `domain/errors.ts`. A route throws a `LicenseError`, or sends one with `sendProblem` where refusals are
 * many; the handlers here turn whatever else happens into the same shape.
 */

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LicenseError, PROBLEMS, type ProblemCode, type ProblemExtras } from '../domain/errors.ts';
import { describeValidation } from './validation.ts';

/** Where the catalogue's entries are described; the `type` of a problem is this and its code. */
export const PROBLEMS_PATH = '/problems/';

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** The catalogue in the order of its page. */
export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];

/**
 * Whether a text names a problem of the catalogue.
 * @param text - any text.
 */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(PROBLEMS, text);
}

/**
 * Answers with a problem.
 *
 * @param request - the request, whose ID is told.
 * @param reply - the reply to send.
 * @param code - the entry of the catalogue.
 * @param detail - a sentence or two for the caller: what happened and what to do.
 * @param extras - further members; `retryAfterSeconds` also becomes the `Retry-After` header.
 * @returns the reply, so that a handler can return it.
 */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  code: ProblemCode,
  detail: string,
  extras?: ProblemExtras,
): FastifyReply {
  const { status, title } = PROBLEMS[code];
  if (extras?.retryAfterSeconds !== undefined) {
    reply.header('retry-after', Math.max(1, Math.ceil(extras.retryAfterSeconds)));
  }
  if (status === 401) {
    reply.header('www-authenticate', code === 'token-missing' ? 'Bearer' : 'Bearer error="invalid_token"');
  }
  reply.code(status).header('content-type', PROBLEM_TYPE);
  // A string is sent as it is: the extras are open, so a compiled serializer would gain nothing.
  return reply.send(
    JSON.stringify({
      type: PROBLEMS_PATH + code,
      title,
      status,
      code,
      detail,
      requestId: request.id,
      ...extras,
    }),
  );
}

/** Faults of Fastify itself, by its stable codes. */
const FRAMEWORK_PROBLEMS: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed-request', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed-request', 'The body is empty, and JSON is expected.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'malformed-request',
    'The body is not as long as Content-Length says.',
  ],
  FST_ERR_BAD_URL: ['malformed-request', 'The address cannot be decoded.'],
  FST_ERR_MAX_PARAM_LENGTH: ['malformed-request', 'A part of the address is too long.'],
};

/**
 * Turns anything thrown into an entry of the catalogue.
 *
 * @param error - what was thrown.
 * @param request - the request in which it was.
 * @returns the problem; null for what nobody expected.
 */
function toProblem(error: unknown, request: FastifyRequest): LicenseError | null {
  if (error instanceof LicenseError) return error;
  if (!(error instanceof Error)) return null;
  const fault = error as FastifyError;
  if (fault.validation !== undefined) {
    const errors = describeValidation(fault.validation, fault.validationContext);
    const [first] = errors;
    const { pointer, message } = first!;
    // A message that ends with a question needs no full stop.
    const end = message.endsWith('?') ? '' : '.';
    return new LicenseError('malformed-request', `${pointer || 'The request'} ${message}${end}`, { errors });
  }
  const named = FRAMEWORK_PROBLEMS[fault.code];
  if (named !== undefined) return new LicenseError(...named);
  if (fault.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = request.routeOptions.bodyLimit;
    return new LicenseError('body-too-large', `The body may have at most ${limit} bytes.`, { limit });
  }
  if (fault.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new LicenseError(
      'unsupported-media-type',
      `This address does not take ${request.headers['content-type'] ?? 'a body without Content-Type'}; send application/json.`,
    );
  }
  return null;
}

/**
 * Sets the handlers for errors and unknown addresses.
 *
 * @param app - the application; its scopes inherit the handlers.
 * @param methodsAt - the methods that are offered at a path, for the detail of a 404.
 * @param onUnrouted - told of each request that no route took, for the metrics.
 */
export function handleProblems(
  app: FastifyInstance,
  methodsAt: (path: string) => readonly string[],
  onUnrouted: (request: FastifyRequest) => void,
): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, request);
    if (problem !== null) return sendProblem(request, reply, problem.code, problem.message, problem.extras);
    app.logger.error(
      { requestId: request.id, route: request.routeOptions.url, err: error },
      'unexpected error',
    );
    return sendProblem(
      request,
      reply,
      'internal',
      `Something unexpected happened. The log has it under the request ID ${request.id}.`,
    );
  });
  app.setNotFoundHandler((request, reply) => {
    onUnrouted(request);
    const path = request.url.split('?', 1)[0]!;
    const methods = methodsAt(path);
    if (methods.length > 0) reply.header('allow', methods.join(', '));
    const detail =
      methods.length > 0
        ? `${path} does not take ${request.method}; it takes ${methods.join(', ')}.`
        : `There is no ${request.method} ${path}; /docs lists what there is.`;
    return sendProblem(request, reply, 'not-found', detail);
  });
}
