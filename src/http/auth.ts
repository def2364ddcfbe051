/**
 * Who is asking: the bearer token of a request. A connection that repeats the header it sent before is
 * recognised by that alone; otherwise the tokens' service checks it, from its cache or the database. Failures,
 * and only they, are counted by client address, so that secrets cannot be guessed in bulk.
 */

import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import type { Coordinator } from '../coordination/coordinator.ts';
import { type Action, type Principal, permits, type Target } from '../domain/access.ts';
import { LicenseError } from '../domain/errors.ts';
import type { TokenCheck, Tokens } from '../service/tokens.ts';
import { metrics } from '../telemetry/metrics.ts';

const RATE_WINDOW_SECONDS = 60;

/** What authentication needs. */
export interface AuthenticatorOptions {
  readonly tokens: Tokens;
  readonly coordinator: Pick<Coordinator, 'countRate'>;
  /** How many requests with a token that is not valid one address may make in a minute. */
  readonly failuresPerMinuteMax: number;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** Tells who is asking, at once or later; exactly one of the arguments is null. */
export type Authenticated = (error: LicenseError | Error | null, principal: Principal | null) => void;

/** Finds out who is asking. */
export type Authenticator = (request: FastifyRequest, done: Authenticated) => void;

/** What a connection's last valid header was worth. */
interface Memo {
  readonly header: string;
  readonly principal: Principal;
  readonly goodUntilMs: number;
  readonly generation: number;
}

/**
 * Makes the authenticator of an application.
 *
 * @param options - see there.
 * @returns a function in callback style, because awaiting would cost every request a turn of the event loop.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { tokens } = options;
  const now = options.now ?? Date.now;
  // Beside the sockets and not on them: a property of ours would make Node's own code for sockets slower.
  const memos = new WeakMap<object, Memo>();
  return (request, done) => {
    const header = request.raw.headers.authorization;
    const { socket } = request.raw;
    const memo = memos.get(socket);
    if (
      memo !== undefined &&
      memo.header === header &&
      memo.generation === tokens.generation() &&
      now() < memo.goodUntilMs
    ) {
      return done(null, memo.principal);
    }
    if (header === undefined || header === '') {
      return done(
        new LicenseError(
          'token-missing',
          'Send an access token in the header "Authorization: Bearer <token>".',
        ),
        null,
      );
    }
    // The scheme's name is case-insensitive (RFC 9110, 11.1).
    const text = /^bearer +(\S+) *$/i.exec(header)?.[1];
    if (text === undefined) return fail(options, request, { refused: 'token-invalid' }, done);
    const generation = tokens.generation();
    const conclude = (result: TokenCheck): void => {
      if ('refused' in result) {
        fail(options, request, result, done);
        return;
      }
      const { principal, goodUntilMs } = result;
      memos.set(socket, { header, principal, goodUntilMs, generation });
      done(null, principal);
    };
    const checked = tokens.check(text);
    if (checked instanceof Promise) checked.then(conclude, (error: Error) => done(error, null));
    else conclude(checked);
  };
}

const REFUSALS = {
  'token-invalid': 'The token is not known, was revoked, or is not of the form that Lictor makes.',
  'token-expired': 'The token has expired; ask an administrator for a new one.',
} as const;

function fail(
  options: AuthenticatorOptions,
  request: FastifyRequest,
  { refused }: Extract<TokenCheck, { refused: string }>,
  done: Authenticated,
): void {
  metrics.authenticationFailed();
  const refusal = new LicenseError(refused, REFUSALS[refused]);
  const bucket = `authentication:${addressBucket(request.ip)}`;
  options.coordinator.countRate(bucket, RATE_WINDOW_SECONDS).then(
    (count) => {
      if (count === null || count <= options.failuresPerMinuteMax) return done(refusal, null);
      const detail = 'Too many requests with a token that is not valid came from this address.';
      done(new LicenseError('rate-limited', detail, { retryAfterSeconds: RATE_WINDOW_SECONDS }), null);
    },
    (error: Error) => done(error, null),
  );
}

/**
 * The part of an address that one client cannot change at will: an IPv4 address, or the first 64 bits of an
 * IPv6 address, within which a host picks its addresses freely.
 *
 * @param address - an address in text form.
 * @returns the bucket's name.
 */
export function addressBucket(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return `${(parsed as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}

/**
 * Who asks, in a route that requires a token.
 *
 * @param request - a request that the gate let through.
 * @returns the principal.
 * @throws Error on a public route, where asking this is a bug.
 */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null)
    throw new Error(`${request.routeOptions.url} is public and has no principal`);
  return request.principal;
}

/**
 * Requires that the asker may do an action to a target; the gate has only checked the role.
 *
 * @param request - the request.
 * @param action - what is to be done.
 * @param target - the key and instance it is done to, as far as they are known.
 * @throws LicenseError `forbidden`.
 */
export function requirePermission(request: FastifyRequest, action: Action, target: Target): void {
  const principal = principalOf(request);
  if (permits(principal, action, target)) return;
  throw forbidden(principal, action, target);
}

/**
 * The refusal of an action.
 *
 * @param principal - who asked.
 * @param action - for what.
 * @param target - to what; undefined when the role alone forbids it.
 * @returns the error to throw or to answer with.
 */
export function forbidden(principal: Principal, action: Action, target?: Target): LicenseError {
  if (!permits(principal, action)) {
    return new LicenseError(
      'forbidden',
      `A token with the role ${principal.role} does not permit ${action}.`,
    );
  }
  // Whoever names an instance is not told whose key it has: the ID of a key has its order number.
  const key = target?.keyId ? 'this key' : 'everything';
  const under = target?.keyId ? ' under its key' : '';
  const what = target?.instance ? `the instance ${target.instance}${under}` : key;
  return new LicenseError('forbidden', `The token is restricted and does not permit ${action} on ${what}.`);
}
