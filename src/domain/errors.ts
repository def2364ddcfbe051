/**
 * The closed catalogue of everything Lictor can say no with, and the one error class that carries an entry
 * of it to the edge. A refusal of a login is *not* an error: `decide` returns it as a value, and it borrows
 * its code, status and title from this page so that there is one list to document.
 *
 * Glossary: a **key** is a licence key file's content; a **unit** is one licence unit (LU) of a key; an
 * **instance** is a running installation registered with a key; a **login** is one connection of a user on
 * an instance; the **user ID** is the string that is a user for counting (F-30).
 */

/** One entry of the catalogue: the HTTP status it is sent with and its short, stable title. */
interface ProblemEntry {
  readonly status: number;
  readonly title: string;
}

/** Every problem Lictor can report. The keys are the public, stable codes (RFC 9457 `type` ends in them). */
export const PROBLEMS = {
  // Requests that cannot be understood.
  'malformed-request': { status: 400, title: 'The request is malformed' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The media type is not supported' },
  'key-file-invalid': { status: 422, title: 'The key file is invalid' },
  'application-file-invalid': { status: 422, title: 'The application licence is invalid' },
  'user-id-illegal': { status: 422, title: 'The user ID is not a legal licence user ID' },
  // Who is asking.
  'token-missing': { status: 401, title: 'A bearer token is required' },
  'token-invalid': { status: 401, title: 'The token is not valid' },
  'token-expired': { status: 401, title: 'The token has expired' },
  forbidden: { status: 403, title: 'The token does not permit this' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'too-many-dumps': { status: 429, title: 'Too many dumps are made at the same time' },
  // What is asked for.
  'not-found': { status: 404, title: 'There is nothing at this address' },
  'key-not-found': { status: 404, title: 'The key is not installed' },
  'instance-not-found': { status: 404, title: 'The instance is not registered' },
  'login-not-found': { status: 404, title: 'The login is not known' },
  'application-not-found': { status: 404, title: 'The instance has no licence of the application' },
  'decision-not-found': { status: 404, title: 'The decision is not in the journal' },
  'license-server-not-found': { status: 404, title: 'The licence server is not in the roster' },
  'token-not-found': { status: 404, title: 'The token is not known' },
  'precondition-required': { status: 428, title: 'An If-Match header is required' },
  'precondition-failed': { status: 412, title: 'It has changed since it was read' },
  // Refusals of a login.
  'units-exhausted': { status: 409, title: 'No unit is free' },
  'unit-limit-reached': { status: 409, title: "The instance's unit limit is reached" },
  'connection-limit-reached': {
    status: 409,
    title: "The user's connection limit on this instance is reached",
  },
  'key-expired': { status: 409, title: 'The key has expired' },
  'key-not-yet-valid': { status: 409, title: 'The key is not valid yet' },
  'key-untrusted': { status: 409, title: "The key's signing key is no longer trusted" },
  'key-missing': { status: 409, title: 'The instance has no usable key' },
  'restart-required': {
    status: 409,
    title: 'The instance can use the other units of its key after a restart only',
  },
  'emergency-taken': { status: 409, title: 'The emergency login of this instance is in use' },
  'instance-silent': { status: 409, title: 'The instance was silent too long' },
  'parent-not-found': { status: 409, title: 'The parent login is not known' },
  'application-units-exhausted': { status: 409, title: 'No unit of the application is free' },
  'over-limit': { status: 409, title: 'The instances of the key together are over its limit' },
  'server-unreachable': { status: 503, title: 'The licence server cannot be reached' },
  // Conflicts of identity and state.
  'id-reused': { status: 409, title: 'The ID was used with another body' },
  'report-too-large': { status: 422, title: 'The report is too large for pages' },
  'table-too-large': { status: 422, title: 'The reported table is too large' },
  'login-released': { status: 409, title: 'The login with this ID was already released' },
  'login-ambiguous': { status: 409, title: 'The login ID is held on several instances' },
  'login-lost': { status: 409, title: 'The login is no longer held' },
  'login-not-renewable': { status: 409, title: 'The login has no lease' },
  'login-not-identifiable': { status: 409, title: 'The login cannot be identified' },
  'incarnation-old': { status: 409, title: 'A newer incarnation of the instance is registered' },
  'holder-missing': { status: 409, title: 'Nobody is there to hold the units' },
  'feature-not-licensed': { status: 409, title: 'The application has no such feature' },
  'feature-not-counted': { status: 409, title: 'The feature has no units' },
  'application-protected': { status: 409, title: 'The application comes with the key' },
  'application-limit-reached': { status: 409, title: 'The instance has too many applications' },
  'holdings-limit-reached': { status: 409, title: 'The holder has too many features' },
  'key-not-shareable': { status: 409, title: 'The key is not shareable' },
  'key-generation-mismatch': { status: 409, title: "The key does not fit the instance's version" },
  'key-unusable': { status: 409, title: 'The key cannot be used' },
  'key-not-servable': { status: 409, title: 'The key cannot be served under this LicenseID' },
  'previous-key-missing': { status: 409, title: 'There is no key to go back to' },
  'key-in-use': { status: 409, title: 'The key is in use' },
  'license-server-address-taken': {
    status: 409,
    title: 'Another licence server has this address and port',
  },
  'license-server-limit-reached': { status: 409, title: 'The roster of licence servers is full' },
  'key-unverified': { status: 409, title: 'The key has no verifiable signature' },
  // When Lictor must not serve, or failed.
  'dump-too-slow': { status: 503, title: 'The dump took too long' },
  'queue-full': { status: 503, title: 'Too many operations are waiting' },
  'outcome-unknown': { status: 503, title: 'The outcome is not known yet' },
  'storage-unavailable': { status: 503, title: 'The database cannot be reached' },
  'shutting-down': { status: 503, title: 'The replica is shutting down' },
  'not-ready': { status: 503, title: 'The replica is not ready' },
  internal: { status: 500, title: 'An unexpected error happened' },
} as const satisfies Record<string, ProblemEntry>;

/** A code of the catalogue. */
export type ProblemCode = keyof typeof PROBLEMS;

/** The codes by which the server refuses a login; `over-limit` and `server-unreachable` only instances say. */
export const REFUSALS = [
  'units-exhausted',
  'unit-limit-reached',
  'connection-limit-reached',
  'key-expired',
  'key-not-yet-valid',
  'key-untrusted',
  'key-missing',
  'restart-required',
  'emergency-taken',
  'instance-silent',
  'parent-not-found',
] as const satisfies readonly ProblemCode[];

/** Extra members of a problem body; every name is documented in `docs/problems.md`. */
export interface ProblemExtras {
  readonly retryAfterSeconds?: number;
  readonly [member: string]: unknown;
}

/**
 * An error that may leave the process as a problem body: its `code` is in the catalogue, and its message is
 * written for the caller, saying what happened and what to do. Anything else thrown is a bug and becomes
 * `internal` without detail.
 */
export class LicenseError extends Error {
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  /**
   * @param code - the catalogue entry.
   * @param detail - one or two sentences for the caller: what happened and what to do.
   * @param extras - further members of the problem body.
   */
  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.name = 'LicenseError';
    this.code = code;
    this.extras = extras;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}
