/**
 * What a call can fail with: Lictor said no, or Lictor could not be reached. Nothing in either error holds a
 * token, a body that was sent, or a header.
 */

import { type ProblemCode, REFUSALS } from '../domain/errors.ts';
import type { Problem } from './openapi.ts';

export type { Problem, ProblemCode };

/** The codes by which the licence itself refuses a login; see `ApiError.isRefusal`. */
export const REFUSAL_CODES: ReadonlySet<ProblemCode> = new Set(REFUSALS);

/**
 * Lictor answered, and the answer is no. `code` tells one no from another and is stable; `message` is for people
 * and says what to do. The codes are listed in `docs/problems.md`; a server newer than this package may send one
 * that is not among them, so a `switch` over them should have a default.
 */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  /** The ID under which the server's log has the request. */
  readonly requestId: string;
  /** When to try again, where waiting helps. */
  readonly retryAfterSeconds: number | undefined;
  /** The whole problem body, with the members that belong to its code, such as `limit` and `inUse`. */
  readonly problem: Problem;

  /** @param problem - the body of the answer. */
  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'ApiError';
    this.code = problem.code as ProblemCode;
    this.status = problem.status;
    this.requestId = problem.requestId;
    this.retryAfterSeconds = problem.retryAfterSeconds;
    this.problem = problem;
  }

  /**
   * Whether the licence refused the login: no unit is free, a limit is reached, the key has expired. Everything
   * else (a token that does not permit it, an unknown instance) is a matter for whoever runs the application.
   */
  get isRefusal(): boolean {
    return REFUSAL_CODES.has(this.code);
  }
}

/** One attempt that came to nothing. */
export interface FailedAttempt {
  /** The base URL that was tried. */
  readonly url: string;
  /** Why it failed, in words, such as "refused the connection". */
  readonly reason: string;
  /** The status, when there was an answer. */
  readonly status?: number;
}

/** How many different failures stand in the message; all attempts are in `attempts`. */
const ATTEMPTS_TOLD_MAX = 3;

/**
 * No base URL gave an answer of Lictor's within the time of the call. `attempts` says what was tried.
 */
export class UnreachableError extends Error {
  /** The operation, as the API calls it, such as `logIn`. */
  readonly operation: string;
  /** The ID that every attempt was sent with, under which a server's log may have it. */
  readonly requestId: string;
  readonly attempts: readonly FailedAttempt[];
  /**
   * Whether the server may have done it all the same. What has an ID of its own (logins, registrations,
   * updates) can be sent again; for anything else, look first.
   */
  readonly outcomeUnknown: boolean;

  /**
   * @param operation - what was asked for.
   * @param requestId - the ID that it was sent with.
   * @param attempts - what was tried, in order.
   * @param outcomeUnknown - whether one of the attempts may have been carried out.
   */
  constructor(
    operation: string,
    requestId: string,
    attempts: readonly FailedAttempt[],
    outcomeUnknown: boolean,
  ) {
    const told = [...new Set(attempts.map(({ url, reason }) => `${url} ${reason}`))].slice(
      -ATTEMPTS_TOLD_MAX,
    );
    const number = attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`;
    const what = told.length === 0 ? 'there was no time to try' : told.join('; ');
    super(
      `Lictor could not be reached for ${operation} in ${number}: ${what}${/[.?!]$/.test(what) ? '' : '.'}`,
    );
    this.name = 'UnreachableError';
    this.operation = operation;
    this.requestId = requestId;
    this.attempts = attempts;
    this.outcomeUnknown = outcomeUnknown;
  }
}

/**
 * Whether a parsed body is a problem of Lictor's, and not the error page of something in between.
 *
 * @param body - a parsed body.
 */
export function isProblem(body: unknown): body is Problem {
  if (typeof body !== 'object' || body === null) return false;
  const { code, status, detail, requestId } = body as Record<string, unknown>;
  return (
    typeof code === 'string' &&
    typeof status === 'number' &&
    typeof detail === 'string' &&
    typeof requestId === 'string'
  );
}
