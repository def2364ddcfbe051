/**
 * `lictor/client`: what an application installs to use Lictor. `createClient` makes typed calls of the whole API;
 * `LicenseInstance` licenses a running installation, by itself as far as the owner of its key lets it.
 */

export type { InstanceSettings } from '../domain/instances.ts';
export type { LocalRefusal as Refusal } from '../domain/local/localdecisions.ts';
export type { LocalCounts } from '../domain/local/localtable.ts';
export type { Problem as LoginProblem } from '../domain/operations.ts';
export type { Throttle } from '../domain/users.ts';
export type {
  ApplicationRefusal,
  FeatureHeld,
  FeatureNamed,
  FeatureWanted,
  LicenseFault,
  LoadProblem,
  UnitsHeld,
  UnitsVerdict,
  Wanted,
} from './application-verdicts.ts';
export type { InstanceApplications, LoadOptions, LoadVerdict } from './applications.ts';
export { type Call, type Client, type ClientOptions, createClient, type RawRequest } from './client.ts';
export { LicenseInstance } from './instance.ts';
export { type Clock, systemClock } from './instance-clock.ts';
export type { Episode, InstanceEvents, LossReason, OverLimit } from './instance-events.ts';
export type {
  AskServer,
  ImmediateVerdict,
  InstanceLogin,
  InstanceLoginRequest,
  Verdict,
} from './instance-logins.ts';
export type {
  AskOptions,
  IdentifyOptions,
  LicenseInstanceOptions,
  OfflinePolicy,
} from './instance-options.ts';
export type { Enforcement, InstanceTerms } from './instance-terms.ts';
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
export type { ReportName, ReportOptions, ReportRows, RowsOptions } from './reports.ts';
export { LicensedSession, WebSessions, type WebSessionsOptions } from './sessions.ts';
export type { CookieOptions } from './sessions-cookies.ts';
export type { LicensedRequest, LicenseSessionsOptions, RequestLicensing } from './sessions-handling.ts';
export {
  type LicensedIncomingMessage,
  type LicenseMiddleware,
  licenseMiddleware,
} from './sessions-middleware.ts';
export type { CallOptions } from './transport.ts';
export type { InstanceUpdate, UpdateAnswer, UserRow } from './updates.ts';
