/**
 * Which call of the client is which operation of the API. A new route is one line here; its types come from the
 * description of the API (`openapi.ts`). A call can be repeated unless it is marked `once`, which every POST and
 * PATCH must be that has no ID of its own and does more when it is sent twice.
 */

import type { OPERATIONS, Operations } from './openapi.ts';

/** How a call is made of an operation. */
export interface CallShape {
  readonly operation: keyof typeof OPERATIONS;
  /** Whether sending it twice may do more than sending it once. */
  readonly once?: true;
  /** Asks for the text of what also has one. */
  readonly as?: 'text';
  /** Statuses that are answers besides the successes. */
  readonly alsoAnswers?: readonly number[];
}

/** The calls, by noun and verb. */
export const CALLS = {
  logins: {
    /** Logs a user in; a refusal is thrown as an `ApiError` whose `isRefusal` is true. */
    create: { operation: 'logIn' },
    /** Says what a login would come to now, and changes nothing. */
    explain: { operation: 'explainLogin' },
    /** Reads a login. */
    read: { operation: 'readLogin' },
    /** Lists the logins that are in, page by page; `each` goes through all of them. */
    list: { operation: 'listLogins' },
    /** Logs out. Can be repeated; with the instance named it may come before its login, which is then not granted. */
    remove: { operation: 'logOut' },
    /** Identifies the user of a login: trades the unit of the former ID for one of the user, both or neither. */
    identify: { operation: 'identifyLogin' },
    /** Renews the lease of a login. */
    heartbeat: { operation: 'renewLogin' },
    /** Many logins, logouts and heartbeats in one request, each with a verdict of its own. */
    batch: { operation: 'batchLogins' },
  },
  instances: {
    /** Registers an instance, at every start and to take another key. */
    register: { operation: 'registerInstance' },
    /** Reads an instance, with what it holds. */
    read: { operation: 'readInstance' },
    /** Lists the registered instances. */
    list: { operation: 'listInstances' },
    /** Changes settings on a revision, which is the one that was read; `*` for whatever stands. */
    configure: { operation: 'configureInstance', once: true },
    /** Deregisters an instance and releases everything it holds. */
    remove: { operation: 'removeInstance' },
    /** Gives a sign of life of an instance. */
    heartbeat: { operation: 'beatInstance' },
    /** Reports what changed in the instance's table; repeating a report does no harm. */
    update: { operation: 'updateInstance' },
    /** Ends a life of the instance in good order. */
    close: { operation: 'closeInstance' },
    /** Whether the key of an instance permits a feature. */
    feature: { operation: 'readInstanceFeature' },
  },
  licenseServers: {
    /** Lists the licence servers, and which of them is active. */
    list: { operation: 'listLicenseServers' },
    /** Reads a licence server. */
    read: { operation: 'readLicenseServer' },
    /** Adds or changes a licence server. */
    put: { operation: 'putLicenseServer' },
    /** Removes a licence server. */
    remove: { operation: 'removeLicenseServer' },
    /** Gives a sign of life of the process that serves it, and says who is active. */
    beat: { operation: 'beatLicenseServer' },
  },
  releases: {
    /** Ends logins that are somebody else's, with a reason that stands in the journal. */
    create: { operation: 'forceRelease', once: true },
  },
  keys: {
    /** Reads a key file without installing it. */
    inspect: { operation: 'inspectKey' },
    /** Installs a key file; one that is installed already changes nothing. */
    install: { operation: 'installKey' },
    /** Lists the installed keys. */
    list: { operation: 'listKeys' },
    /** Reads a key. */
    read: { operation: 'readKey' },
    /** Changes how a key is enforced, on a revision; `*` for whatever stands. */
    change: { operation: 'changeKey', once: true },
    /** Removes a key that nobody uses. */
    remove: { operation: 'removeKey' },
    /** The key file as it was installed, as text. */
    file: { operation: 'readKeyFile' },
    /** Whether a key permits a feature. */
    feature: { operation: 'readKeyFeature' },
    /** How far combined use may come to pass the units of a key, and why. */
    excess: { operation: 'readExcessOutlook' },
  },
  excesses: {
    /** The over-limit ledger: from when to when, by how many units, who came in, and how it ended. */
    list: { operation: 'listExcesses' },
    /** The same as text, for people. */
    listText: { operation: 'listExcesses', as: 'text' },
  },
  usage: {
    /** What is in use under each key. */
    counts: { operation: 'countUsage' },
    /** What is in use on each instance. */
    instances: { operation: 'countUsageByInstance' },
    /** What each user holds. */
    users: { operation: 'listUsageByUser' },
    /** What is leased to which instance. */
    leases: { operation: 'listLeases' },
    /** What all instances of a key use together, and one of them by itself. */
    summary: { operation: 'summariseUsage' },
    /** The same as text, as the legacy `ShowSummary` lays it out. */
    summaryText: { operation: 'summariseUsage', as: 'text' },
    /** Everybody on every instance, and what he costs. */
    servers: { operation: 'dumpServers' },
    /** The same as text, as the legacy dump lays it out. */
    serversText: { operation: 'dumpServers', as: 'text' },
  },
  journal: {
    /** Every decision and change, in order. */
    list: { operation: 'listJournal' },
    /** Explains one decision. */
    explain: { operation: 'explainDecision' },
  },
  tokens: {
    /** Makes an access token; its text is in this answer only. */
    create: { operation: 'createToken', once: true },
    /** Lists the access tokens. */
    list: { operation: 'listTokens' },
    /** Revokes an access token. */
    revoke: { operation: 'revokeToken' },
  },
  server: {
    /** Whether the process runs. */
    liveness: { operation: 'getLiveness' },
    /** Whether the replica that answers should be sent requests, and if not, why. */
    readiness: { operation: 'getReadiness', alsoAnswers: [503] },
    /** The metrics, as Prometheus reads them. */
    metrics: { operation: 'getMetrics' },
    /** Every problem that Lictor can report. */
    problems: { operation: 'listProblems' },
    /** What a problem means and what to do. */
    problem: { operation: 'getProblem' },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, CallShape>>>>;

/** What a call takes: what stands in the path, then the body, the revision and the query where it has them. */
export type Input<O extends keyof Operations> = Operations[O]['input'];

/** What a call is answered with. */
export type AnswerOf<O extends keyof Operations> = Operations[O]['answer'];
