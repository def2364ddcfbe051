/**
 * Logins as an application asks for them and holds them, whoever decides: the server, or the instance itself.
 */

import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Phase } from '../domain/holdings/login.ts';
import type { LocalClaims, LocalRefusal } from '../domain/local/localdecisions.ts';
import type { Problem } from '../domain/operations.ts';
import type { LoginKind } from '../domain/users.ts';

/**
 * What a login says of itself, in the words of `POST /v1/logins`. Without a stated `user` the ID is derived from
 * what else is stated (F-41…F-46).
 */
export interface InstanceLoginRequest {
  /** The explicit licence user ID (F-43). */
  readonly user?: string | undefined;
  /** The user name; it is the ID where the instance licenses by user name (F-45). */
  readonly username?: string | undefined;
  /** The client's IP address (F-41). */
  readonly clientAddress?: string | undefined;
  readonly terminal?: { readonly server: string; readonly port: string } | undefined;
  /** The ID of a web session: it takes a unit until it is identified (F-46). */
  readonly webSession?: string | undefined;
  readonly process?:
    | {
        readonly pid?: number | undefined;
        /** `system` and `server` cost nothing; a `batch` process is a user by itself. */
        readonly kind?: 'user' | 'batch' | 'startup' | 'system' | 'server' | undefined;
      }
    | undefined;
  /** One REST or SOAP call without a session: a unit is held for ten seconds. */
  readonly sessionless?: boolean | undefined;
  /** The administrator's login outside the pool, one for each instance (F-23). */
  readonly emergency?: boolean | undefined;
  /** The login of the process that started this one by `Job`, whose user it counts under (F-34). */
  readonly parent?: InstanceLogin | undefined;
}

/** A login that was granted. It is held until it is logged out, or lost. */
export interface InstanceLogin {
  readonly is: 'granted';
  readonly kind: LoginKind;
  /** The licence user ID; null for who is nobody, or not identified yet. */
  readonly userId: string | null;
  /** `active`; `pending` until it is identified; `grace` when it is out and its unit still held. */
  readonly phase: Phase;
  /** The connections of the user when it came in or was identified, as `Login()` returns them (trap 7). */
  readonly connections: number;
  /** The units that they cost. */
  readonly units: number;
  /** The units that it took. */
  readonly unitsAdded: number;
  /** Whether it is in: neither logged out nor lost. */
  readonly isHeld: boolean;
}

/** Nobody but the server can decide it: ask with `login`, which may wait. */
export interface AskServer {
  readonly is: 'ask';
}

/** What becomes of a login: itself, the refusal of the licence, or what is wrong with the request. */
export type Verdict = InstanceLogin | LocalRefusal | Problem;

/** A verdict that is made without asking anybody. */
export type ImmediateVerdict = Verdict | AskServer;

/** The one value that sends a caller to the server. */
export const ASK_SERVER: AskServer = { is: 'ask' };

const NO_REQUEST: Problem = {
  is: 'problem',
  code: 'malformed-request',
  detail: 'A login needs to say who it is, in an object such as { user: "alice" }.',
};

const CONTRADICTION: Problem = {
  is: 'problem',
  code: 'malformed-request',
  detail:
    'A login is one thing only. Send only one of emergency, sessionless, webSession and a process.kind other than "user".',
};

function malformed(detail: string): Problem {
  return { is: 'problem', code: 'malformed-request', detail };
}

/** What is wrong with a request that names its user in a way that nobody can read. */
export function namesWrongly({ user, clientAddress }: InstanceLoginRequest): Problem {
  if (typeof user !== 'string' && user !== undefined)
    return malformed(`user is a text, not ${JSON.stringify(user)}.`);
  return malformed(`clientAddress is an IPv4 or IPv6 address, not ${JSON.stringify(clientAddress)}.`);
}

const isTextOrLeftOut = (value: unknown) => value === undefined || typeof value === 'string';
const KINDS: ReadonlySet<string | undefined> = new Set([
  undefined,
  'user',
  'batch',
  'startup',
  'system',
  'server',
]);

/** What a program in plain JavaScript may have got wrong, in the order of the members; null when nothing is. */
function misstated(request: InstanceLoginRequest): string | null {
  const { user, username, terminal, webSession, process, parent } = request;
  if (!isTextOrLeftOut(user)) return `user is a text, not ${JSON.stringify(user)}`;
  if (!isTextOrLeftOut(username)) return `username is a text, not ${JSON.stringify(username)}`;
  if (terminal !== undefined && !(typeof terminal?.server === 'string' && typeof terminal.port === 'string'))
    return 'terminal is { server, port }, both texts';
  if (webSession !== undefined && (typeof webSession !== 'string' || webSession === ''))
    return `webSession is a text that is not empty, not ${JSON.stringify(webSession)}`;
  if (process !== undefined) {
    if (process === null || !KINDS.has(process.kind))
      return `process.kind is not ${JSON.stringify(process?.kind ?? null)}`;
    if (process.pid !== undefined && !Number.isSafeInteger(process.pid))
      return `process.pid is a whole number, not ${JSON.stringify(process.pid)}`;
  }
  return parent === undefined || parent?.is === 'granted' ? null : 'parent is a login that was granted';
}

/** What a login is, from the members that say so; they exclude each other. */
function kindOf(request: InstanceLoginRequest): LoginKind | null {
  let kind: LoginKind = request.process?.kind ?? 'user';
  let count = kind === 'user' ? 0 : 1;
  if (request.webSession !== undefined) {
    kind = 'web';
    count += 1;
  }
  if (request.sessionless === true) {
    kind = 'request';
    count += 1;
  }
  if (request.emergency === true) {
    kind = 'emergency';
    count += 1;
  }
  return count > 1 ? null : kind;
}

/**
 * Brings a request into the form in which an instance decides it.
 * @returns a problem when the request contradicts itself, or is none.
 */
export function claimsOf(request: InstanceLoginRequest): LocalClaims | Problem {
  if (typeof request !== 'object' || request === null) return NO_REQUEST;
  const fault = misstated(request);
  if (fault !== null) return malformed(`Of a login, ${fault}.`);
  const kind = kindOf(request);
  if (kind === null) return CONTRADICTION;
  const { clientAddress, process } = request;
  const address = clientAddress === undefined ? undefined : canonicalAddress(clientAddress);
  if (address === null) return namesWrongly({ clientAddress });
  return {
    kind,
    user: request.user,
    username: request.username,
    clientAddress: address,
    terminal: request.terminal,
    webSession: request.webSession,
    processId: process?.pid,
    parent: request.parent,
  };
}

const ADDRESSES_CACHED_MAX = 10_000;
const canonicalAddresses = new Map<string, string>();

/**
 * One client has one address, as the server has it: IPv4 in IPv6 is IPv4, IPv6 is written in one way.
 * @returns null for what is no address.
 */
export function canonicalAddress(address: string): string | null {
  const known = canonicalAddresses.get(address);
  if (known !== undefined) return known;
  // It also takes numbers and parts of an address, which are none here.
  if (isIP(address) === 0 || !ipaddr.isValid(address)) return null;
  const canonical = ipaddr.process(address).toString();
  if (canonicalAddresses.size >= ADDRESSES_CACHED_MAX) canonicalAddresses.clear();
  canonicalAddresses.set(address, canonical);
  return canonical;
}
