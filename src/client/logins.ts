/**
 * The calls whose IDs the client makes: with an ID, a call that got no answer can be sent again, and what came of
 * it can be taken back.
 */

import { randomUUID } from 'node:crypto';
import type {
  BatchLoginsAnswer,
  BatchLoginsBody,
  LogInAnswer,
  LogInBody,
  RegisterInstanceBody,
} from './openapi.ts';
import { ApiError } from './problems.ts';
import type { CallOptions, SendOptions } from './transport.ts';

/** How long an abandoned login is tried to be taken back. */
const TAKE_BACK: SendOptions = { timeoutMs: 30_000, attemptsMax: 20, isBackground: true };

/** What a login came to: the login, or the refusal with its code, rule and figures. */
export type LoginVerdict =
  | { readonly granted: true; readonly login: LogInAnswer }
  | { readonly granted: false; readonly refusal: ApiError };

/** The plain calls that are needed here. */
interface PlainCalls {
  create(body: LogInBody, options?: CallOptions): Promise<LogInAnswer>;
  remove(id: string, query: { readonly instance: string }, options?: CallOptions): Promise<undefined>;
  batch(body: BatchLoginsBody, options?: CallOptions): Promise<BatchLoginsAnswer>;
}

/**
 * Logs a user in. A login without an ID gets one; if the call then fails without it being clear that nothing was
 * granted, the login is taken back in the background, because nobody else knows its ID.
 *
 * @param calls - the plain calls.
 * @param body - the login.
 * @param options - of the call.
 */
export function logIn(calls: PlainCalls, body: LogInBody, options?: CallOptions): Promise<LogInAnswer> {
  if (body?.id !== undefined) return calls.create(body, options);
  const id = randomUUID();
  // With the instance named, the logout may come before the login, which is then not granted.
  const onUncertain = () => forget(calls.remove(id, { instance: body.instance }, TAKE_BACK));
  const sent: SendOptions = { ...options, onUncertain };
  return calls.create({ ...body, id }, sent);
}

/**
 * Sends a batch. Its logins without an ID get one, and are taken back like a single login.
 *
 * @param calls - the plain calls.
 * @param body - the batch.
 * @param options - of the call.
 */
export function sendBatch(
  calls: PlainCalls,
  body: BatchLoginsBody,
  options?: CallOptions,
): Promise<BatchLoginsAnswer> {
  const logouts: { do: 'logout'; instance: string; id: string }[] = [];
  const operations = body?.operations.map((operation) => {
    if (operation.do !== 'login' || operation.login.id !== undefined) return operation;
    const id = randomUUID();
    logouts.push({ do: 'logout', instance: operation.login.instance, id });
    return { ...operation, login: { ...operation.login, id } };
  });
  const onUncertain = () => {
    if (logouts.length > 0) forget(calls.batch({ operations: logouts }, TAKE_BACK));
  };
  const sent: SendOptions = { ...options, onUncertain };
  return calls.batch({ ...body, operations }, sent);
}

/**
 * Turns a refusal of the licence from a rejection into a value.
 *
 * @param login - a login under way.
 * @returns the verdict; rejects with whatever is neither a grant nor a refusal.
 */
export async function verdictOf(login: Promise<LogInAnswer>): Promise<LoginVerdict> {
  try {
    return { granted: true, login: await login };
  } catch (error) {
    if (error instanceof ApiError && error.isRefusal) return { granted: false, refusal: error };
    throw error;
  }
}

/**
 * Gives a registration that begins a life an ID, by which the server tells its repetition from a restart.
 * One that goes on with an incarnation can be repeated as it is.
 *
 * @param body - the registration.
 */
export function withRegistrationId(body: RegisterInstanceBody): RegisterInstanceBody {
  if (body?.registrationId !== undefined || body?.incarnation !== undefined) return body;
  return { ...body, registrationId: randomUUID() };
}

/** Makes the ID of a take or a return, so that one that is sent again does nothing more. */
export function withRequestId<Body extends { readonly id?: string | undefined }>(body: Body): Body {
  return body?.id === undefined ? { ...body, id: randomUUID() } : body;
}

/** What is taken back is taken back as far as it goes; a lease, or the end of the instance, does the rest. */
function forget(call: Promise<unknown>): void {
  call.catch(() => {});
}
