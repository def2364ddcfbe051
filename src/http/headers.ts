/**
 * Request IDs and the headers that every answer has.
 */

import { randomBytes } from 'node:crypto';
import type { FastifyReply, RawRequestDefaultExpression } from 'fastify';

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
 * Sets what keeps browsers and caches from taking an answer for more than it is. It goes on answers to GET:
 * what is done with another method is neither cached (RFC 9111, section 3), nor navigated to, nor loaded as
 * a script, and the busiest routes, which are all POST and DELETE, are spared the bytes. The header that every
 * answer has is `x-request-id`.
 *
 * @param reply - the reply to a GET.
 */
export function setReadHeaders(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store');
  reply.header('x-content-type-options', 'nosniff');
  reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  reply.header('referrer-policy', 'no-referrer');
}
