/**
 * `lictor/client`: what an application installs to use Lictor. `createClient` makes typed calls of the whole API.
 */

export { type Call, type Client, type ClientOptions, createClient, type RawRequest } from './client.ts';
export type { LoginVerdict } from './logins.ts';
export type * from './openapi.ts';
export type {
  LogInAnswer as Login,
  LogInBody as LoginRequest,
  ReadInstanceAnswer as Instance,
  ReadKeyAnswer as Key,
  RegisterInstanceBody as Registration,
} from './openapi.ts';
export { each, type Listing } from './pages.ts';
export {
  ApiError,
  type FailedAttempt,
  type ProblemCode,
  REFUSAL_CODES,
  UnreachableError,
} from './problems.ts';
export type { CallOptions } from './transport.ts';
export type { InstanceUpdate, UpdateAnswer, UserRow } from './updates.ts';
