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
    /** Has an instance work under another key, on the token of what was inspected; `*` for whatever stands. */
    activate: { operation: 'activateKey' },
    /** Goes back to the key before, on the instance's revision; `*` for whatever stands. */
    rollback: { operation: 'rollBackKey', once: true },
    /** The keys that an instance has worked under, the latest first. */
    activations: { operation: 'listActivations' },
    /** Asks now whether a newer key is served for an instance, which is given it then. */
    checkKey: { operation: 'checkInstanceKey' },
    /** Whether the key of an instance permits a feature. */
    feature: { operation: 'readInstanceFeature' },
  },
  applications: {
    /** Lists the sections that an instance has, with what is in use of each feature. */
    list: { operation: 'listApplications' },
    /** Loads one section, out of a file or as keywords and values. */
    load: { operation: 'loadApplication' },
    /** Loads every section of a file, all or none. */
    loadAll: { operation: 'loadApplications' },
    /** Reads a section, with what is in use of it. */
    read: { operation: 'readApplication' },
    /** Takes a loaded section away; who holds units keeps them. */
    remove: { operation: 'removeApplication' },
    /** Reads a feature, with what is in use of it. */
    feature: { operation: 'readApplicationFeature' },
    /** Takes a unit of each feature for a user, all or none. Its ID is made where none is sent, so that it is repeated safely. */
    take: { operation: 'takeApplications' },
    /** Says what a take would come to now, and changes nothing. */
    explain: { operation: 'explainTake' },
    /** Gives back one take of each feature, or everything; repeated safely like a take. */
    return: { operation: 'returnApplications' },
    /** Lists who holds units of a section. */
    holders: { operation: 'listHolders' },
    /** Counts anew who holds units of a section. */
    recount: { operation: 'recountApplication' },
    /** Whether no more instances use the key than a keyword licenses. */
    instanceLogin: { operation: 'readInstanceLogin' },
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
  servedKeys: {
    /** Lists the keys that are served by LicenseID, and what is wrong with the files that are to be. */
    list: { operation: 'listServedKeys' },
    /** Serves an installed key under its LicenseID. */
    serve: { operation: 'serveKey' },
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
    /** Every key, and who uses it where. */
    keys: { operation: 'dumpKeys' },
    /** The same as text, as `DumpKeys` lays it out. */
    keysText: { operation: 'dumpKeys', as: 'text' },
  },
  marks: {
    /** Sets the marks of an instance back to what stands, and says what they were. */
    reset: { operation: 'resetInstanceMarks', once: true },
    /** Sets the marks of a key, over all its instances, back to what stands. */
    resetKey: { operation: 'resetKeyMarks', once: true },
    /** How long the logins of an instance lasted. */
    durations: { operation: 'readDurations' },
    /** Begins that histogram anew, and says what it was. */
    clearDurations: { operation: 'clearDurations', once: true },
  },
  reports: {
    /** What an instance uses, the most it has used, and the least that was left. */
    counts: { operation: 'countInstance' },
    /** The same as text, as the legacy `ShowCounts` lays it out. */
    countsText: { operation: 'countInstance', as: 'text' },
    /** The key of an instance, and what is left of it. */
    key: { operation: 'readInstanceKey' },
    /** The same as text, as `CKEY` lays it out. */
    keyText: { operation: 'readInstanceKey', as: 'text' },
    /** Every slot of an instance, and who is in it. */
    slots: { operation: 'dumpInstanceSlots' },
    /** The same as text: `all.dmp`, with the slots that are free. */
    slotsText: { operation: 'dumpInstanceSlots', as: 'text' },
    /** Who is on an instance, and what he costs. */
    users: { operation: 'dumpInstanceUsers' },
    /** The same as text: `inuse.dmp`. */
    usersText: { operation: 'dumpInstanceUsers', as: 'text' },
    /** The processes of an instance, and whose they are. */
    processes: { operation: 'dumpInstanceProcesses' },
    /** The same as text: `piduse.dmp`. */
    processesText: { operation: 'dumpInstanceProcesses', as: 'text' },
    /** Which licence server is active. */
    activeServer: { operation: 'readActiveLicenseServer' },
    /** The same as text, as `ShowServer` has it. */
    activeServerText: { operation: 'readActiveLicenseServer', as: 'text' },
  },
  queries: {
    /** The queries of the legacy class, with their columns. */
    list: { operation: 'listQueries' },
    /** The rows of one of them. */
    run: { operation: 'runQuery' },
    /** The same as text, as a table. */
    runText: { operation: 'runQuery', as: 'text' },
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
    /** Looks at the whole deployment for what is wrong, and how to mend it. */
    diagnosis: { operation: 'readDiagnosis' },
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
