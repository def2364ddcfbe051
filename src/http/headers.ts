/**
 * Request IDs and the headers that every answer has.
 */

import { randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest, RawRequestDefaultExpression } from 'fastify';

const SANE_REQUEST_ID = /^[\w.:-]{1,64}$/;

/**
 * Makes the source of request IDs: the caller's own `x-request-id` when it is short and plain, and otherwise a
 * random prefix of this process with a number, which is unique and costs no randomness per request.
 *
 * @returns a function for Fastify's `genReqId`.
 */
export function createRequestIds(): (request: RawRequestDefaultExpression) => string {
  const prefix = `${randomBytes(6).toString('base64url')}-`;
  let count = 0;
  return (request) => {
    const given = request.headers['x-request-id'];
    if (typeof given === 'string' && SANE_REQUEST_ID.test(given)) return given;
    count += 1;
    return prefix + count.toString(36);
  };
}

/**
 * Sets what every answer of the API has: its request's ID, that it must not be cached (grants and tokens are
 * in it), and that it is nothing but what it says it is.
 *
 * @param request - the request.
 * @param reply - its reply.
 */
export function setHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  reply.header('cache-control', 'no-store');
  reply.header('x-content-type-options', 'nosniff');
}

/**
 * Sets what keeps a browser from treating an answer as a page. Only what a browser can navigate to needs it, so
 * the busiest routes, which are all POST and DELETE, are spared the bytes.
 *
 * @param reply - the reply to a GET.
 */
export function setNavigationHeaders(reply: FastifyReply): void {
  reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  reply.header('referrer-policy', 'no-referrer');
}
