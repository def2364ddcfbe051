/**
 * What a caller should do about each problem: the text of `/problems/{code}` and of `docs/problems.md`.
 */

import { PROBLEMS, type ProblemCode } from '../domain/errors.ts';

/** One or two sentences for each code of the catalogue. */
export const PROBLEM_ADVICE: Readonly<Record<ProblemCode, string>> = {
  'malformed-request':
    'Correct the request: `errors` names each field by its JSON Pointer, and a near name where one was probably meant. Sending the same again gives the same answer.',
  'body-too-large': 'Send less at once; `limit` is the most bytes that a body may have.',
  'unsupported-media-type': 'Send the body as `application/json`, or as the media type that the route names.',
  'key-file-invalid':
    '`detail` says what is wrong with the key file, and `faults` lists every fault with its line and what to do; it is empty where a signature does not fit. Get the file again from its issuer, unaltered.',
  'application-file-invalid':
    '`faults` lists everything that is wrong, each with its line and what to do. Nothing of the file was loaded.',
  'user-id-illegal': 'Choose another licence user ID: `detail` says which rule this one breaks.',
  'token-missing': 'Send the header `Authorization: Bearer <token>`.',
  'token-invalid': 'The token is unknown or revoked. Ask an administrator for a new one.',
  'token-expired': 'Ask an administrator for a new token.',
  forbidden: 'Use a token whose role and restriction permit this; `detail` names the action.',
  'rate-limited': 'Wait for `retryAfterSeconds`, and correct the token before trying again.',
  'too-many-dumps':
    'Wait for `retryAfterSeconds`; dumps of many rows are few at a time, so that nobody else is slowed down.',
  'not-found': 'Check the address and the method against `/docs`.',
  'key-not-found': 'List the installed keys with `GET /v1/keys`; the key may have been removed.',
  'instance-not-found': 'Register the instance with `PUT /v1/instances/{name}` first.',
  'login-not-found': 'The login never was, or ended more than ten minutes ago.',
  'application-not-found':
    'Load the section with `PUT /v1/instances/{name}/applications/{application}`, or correct the name: names are case-sensitive, and those with a period come with the key.',
  'decision-not-found': 'Check the ID; decisions are kept as long as the journal keeps their row.',
  'license-server-not-found':
    'Add it with `PUT /v1/license-servers/{name}` first, or correct the name; an administrator may have removed it.',
  'token-not-found': 'List the tokens with `GET /v1/tokens`; yours may not reach this one.',
  'precondition-required':
    'Read the resource and send its `ETag` as `If-Match`, so that nobody is overwritten.',
  'precondition-failed': 'Somebody changed it meanwhile: read it again, and decide anew.',
  'units-exhausted':
    'Wait for `retryAfterSeconds` or until somebody logs out, or install a key with more units. `GET /v1/usage/users` shows who holds them.',
  'unit-limit-reached':
    'The limit is a setting of the instance; raise it with `PATCH /v1/instances/{name}`, or log somebody out.',
  'connection-limit-reached':
    'The user must close a connection first, or the setting of the instance be raised.',
  'key-expired': 'Install a renewed key.',
  'key-not-yet-valid': 'The key begins later; check its dates and the clock of the database.',
  'key-untrusted': 'Trust the signing key again, or install a key that is signed by a trusted one.',
  'key-missing':
    'Install a key with `POST /v1/keys` and register the instance with it, by `PUT /v1/instances/{name}`; without one it has a single unit.',
  'restart-required':
    'A key with more units was activated while the instance ran: it can use the others once it is started again. Restart it, or log somebody out.',
  'emergency-taken': 'One emergency login at a time: end the one that is in use.',
  'instance-silent': 'Register the instance again; what it held was taken back.',
  'parent-not-found': 'Log in the parent first, or leave `parent` out.',
  'application-units-exhausted':
    '`holders` names who holds units of the feature, `inUse` of `limit`. Wait for `retryAfterSeconds`, or until one of them gives his back or logs out.',
  'over-limit':
    'An instance that decides for itself refuses new users until combined use is below the limit again; nobody who is in is stopped. Log somebody out on any instance, or install a larger key.',
  'server-unreachable':
    'An instance that decides for itself has been without the server longer than its setting allows, and lets in only users it knows. Restore the connection.',
  'id-reused': 'Make a new ID for every new login; the same ID is only for repeating the same request.',
  'report-too-large':
    'Ask for the whole dump with `Accept: application/x-ndjson`, one entry a line, or `text/plain`; both are sent piece by piece, however long they are.',
  'table-too-large':
    'An instance reports more users or connections than can be counted; `detail` says the limits. Nothing of the update was taken. Look for connections that are opened and never closed.',
  'login-released': 'Make a new ID and log in again.',
  'login-ambiguous': 'Name the instance as well.',
  'login-lost': 'The unit is no longer held; `detail` says why. Log in again with a new ID.',
  'login-not-identifiable':
    'Only a login that waits for its user can be identified; `detail` says what this one is.',
  'login-not-renewable': 'This login lives as long as its instance and needs no sign of life of its own.',
  'holder-missing':
    'Units of applications are held by users who are in: log the user in, identify the login, or report the user first.',
  'feature-not-licensed':
    'Correct the keyword, or load a section that has it; `GET /v1/instances/{name}/applications/{application}` lists its keywords. They are case-sensitive.',
  'feature-not-counted': 'Read its value instead: only whole numbers are units that can be taken.',
  'application-protected':
    'A section of this name comes with the key of the instance, which alone can change it. Load yours under another name.',
  'application-limit-reached': 'Remove sections that are not used any more.',
  'holdings-limit-reached':
    'One login, or one user, holds more features at a time than any application needs. Give back what is not used any more.',
  'incarnation-old':
    'The instance was started again elsewhere: stop this one, or register it anew without an incarnation.',
  'key-not-shareable': 'Register the instance with a key of its own, or install one that may be shared.',
  'key-generation-mismatch': 'Use a key that was issued for the version of the instance.',
  'key-unusable': '`detail` says why the key cannot be used; inspect it with `POST /v1/keys/inspect`.',
  'license-server-address-taken':
    'Give it another port, or remove the entry that has this one; `heldBy` names it.',
  'license-server-limit-reached': 'Remove entries that are not used any more; more than three are excessive.',
  'key-not-servable':
    'Serve a key under the LicenseID that its file states; `GET /v1/keys/{id}` shows it as `licenseId`.',
  'previous-key-missing':
    'The instance has worked under no other key. Activate one with `PUT /v1/instances/{name}/key`.',
  'key-in-use': 'Give the instances that use it another key first, or close them: `detail` names them.',
  'key-unverified':
    'Install a signed key. Where the configuration allows unsigned ones (`LICTOR_ALLOW_UNVERIFIED_KEYS`), send its terms beside the file, as `stated`: at least `units`, `licenseType` and `server`.',
  'dump-too-slow':
    'Postgres could not gather the rows in time: look at its load and its disk. A dump that ends in the middle was read too slowly; read it to a file.',
  'queue-full':
    'Wait for `retryAfterSeconds`; if it stays, the replica needs more capacity or its database is slow.',
  'outcome-unknown':
    'The request may or may not have been done. Send it again with the same ID: it is done at most once, and the answer is the true one.',
  'storage-unavailable': 'Try again after `retryAfterSeconds`; `GET /readyz` says what is amiss.',
  'shutting-down': 'Send the request again; a load balancer has another replica for it.',
  'not-ready': 'Try again after `retryAfterSeconds`, or another replica; `GET /readyz` says why.',
  internal: 'This is a fault of Lictor. Report it with the request ID, under which the log has the cause.',
};

/** The members of a problem body, in the order of the page. */
const MEMBERS: readonly (readonly [name: string, where: string, words: string])[] = [
  ['type', 'always', '`/problems/{code}`; Lictor answers there with the entry below.'],
  ['title', 'always', 'What the problem is; the same for every occurrence.'],
  ['status', 'always', 'The HTTP status.'],
  ['code', 'always', 'The stable code, by which programs should tell problems apart.'],
  ['detail', 'always', 'What happened this time and what to do, for people. Its wording may change.'],
  ['requestId', 'always', 'The ID under which the log has the request; also in the header `x-request-id`.'],
  ['retryAfterSeconds', 'where waiting helps', 'When to try again; also in the header `Retry-After`.'],
  [
    'errors',
    '`malformed-request`',
    'What is wrong, each with `pointer` (a JSON Pointer into the body, `?name` for a parameter of the query, the name for one of the path) and `message`.',
  ],
  [
    'faults',
    '`key-file-invalid`, `application-file-invalid`',
    'What is wrong with the file, each with `line`, `code`, `message` and `mend`; of an application licence also `legacyCode`, the number that `LoadAppLicenseFile` answers.',
  ],
  ['limit', '`body-too-large`, refusals', 'The limit that was met: bytes, units or connections.'],
  ['decision', 'refusals', 'The ID of the decision in the journal.'],
  ['rule', 'refusals', 'The rule that refused.'],
  ['inUse', 'refusals', 'How much of the limit was in use.'],
  ['requested', 'refusals', 'How much the login would have taken.'],
  ['application', '`application-units-exhausted`', 'The application section.'],
  ['feature', '`application-units-exhausted`', 'The feature whose units are all taken.'],
  ['holdersCount', '`application-units-exhausted`', 'How many users hold it.'],
  [
    'holders',
    '`application-units-exhausted`',
    'At most twenty of them, each with `userId` and `count`, how often he took it; none to the token of an instance where it is counted across a key.',
  ],
  ['reason', '`login-released`', 'Why the login ended.'],
  ['releasedAt', '`login-released`', 'When it ended, where that is known.'],
  ['lost', '`login-lost`, `instance-silent`', 'Why it is no longer held.'],
  [
    'heldBy',
    '`key-not-shareable`, `key-in-use`, `license-server-address-taken`',
    'The instance that has the key, or the licence server that has the place.',
  ],
  ['incarnation', '`incarnation-old`', 'The incarnation that is registered now.'],
];

/**
 * Makes the page of the catalogue; `docs/problems.md` is it, and a test fails when it is stale.
 *
 * @returns the page in Markdown.
 */
export function describeProblems(): string {
  const members = MEMBERS.map(([name, where, words]) => `| \`${name}\` | ${where} | ${words} |`);
  const problems = Object.entries(PROBLEMS).map(
    ([code, { status, title }]) =>
      `| \`${code}\` | ${status} | ${title} | ${PROBLEM_ADVICE[code as ProblemCode].replaceAll('|', '\\|')} |`,
  );
  return `# Problems

Whatever is not a success is answered as \`application/problem+json\` (RFC 9457). This page is generated from the
catalogue by \`npm run openapi\`.

## Members

| member | where | meaning |
| --- | --- | --- |
${members.join('\n')}

A member that a caller does not know should be ignored; more may come.

## Codes

| code | status | title | what to do |
| --- | --- | --- | --- |
${problems.join('\n')}
`;
}
