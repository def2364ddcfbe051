/**
 * Logins as their callers see them: letting in, out, identifying, and explaining.
 */

import { randomUUID } from 'node:crypto';
import type { Span } from '@opentelemetry/api';
import ipaddr from 'ipaddr.js';
import type { Sql } from 'postgres';
import { LicenseError } from '../domain/errors.ts';
import type { Login } from '../domain/holdings/login.ts';
import type { Instance } from '../domain/instances.ts';
import { viewLogin } from '../domain/logins.ts';
import type { Answer, LogIn, LoginView } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import { isText, type LoginKind } from '../domain/users.ts';
import { type LoginFilter, listLogins } from '../storage/logins.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Lane } from './lane.ts';
import { whileReachable } from './reachable.ts';

/** What a caller says of a login, after the schema has passed it. */
export interface LoginRequest {
  readonly instance: string;
  readonly id?: string | undefined;
  readonly user?: string | undefined;
  readonly username?: string | undefined;
  readonly clientAddress?: string | undefined;
  readonly terminal?: { readonly server: string; readonly port: string } | undefined;
  readonly webSession?: string | undefined;
  readonly process?:
    | { readonly pid?: number | undefined; readonly kind?: ProcessKind | undefined }
    | undefined;
  readonly sessionless?: boolean | undefined;
  readonly emergency?: boolean | undefined;
  readonly parent?: string | undefined;
  readonly leaseSeconds?: number | undefined;
}

export type ProcessKind = Extract<LoginKind, 'user' | 'batch' | 'startup' | 'system' | 'server'>;

/** Who called, as the network tells it. */
export interface Caller {
  readonly actor: string;
  /** The address of the connection. */
  readonly peerAddress: string;
  /** `X-Forwarded-For` as it came, believed only from an instance's trusted proxies. */
  readonly forwardedFor: string | undefined;
  readonly span: Span | undefined;
}

/** A login as it is now, besides what it was granted with. */
export interface HeldLogin extends LoginView {
  readonly held: boolean;
  readonly reason: string | null;
  readonly userConnections: number;
}

export interface LoginsOptions {
  readonly lane: Lane;
  readonly heartbeats: Heartbeats;
  readonly sql: Sql;
  readonly shard: number;
}

export class Logins {
  readonly #lane: Lane;
  readonly #heartbeats: Heartbeats;
  readonly #sql: Sql;
  readonly #shard: number;

  constructor({ lane, heartbeats, sql, shard }: LoginsOptions) {
    this.#lane = lane;
    this.#heartbeats = heartbeats;
    this.#sql = sql;
    this.#shard = shard;
  }

  /** The key that an instance is registered with as far as this replica knows, for checks of permission. */
  keyOf(instance: string): string | null {
    return this.#lane.table.instances.get(instance)?.key ?? null;
  }

  /** The same, after this replica caught up with the head (R-15). */
  currentKeyOf(instance: string): Promise<string | null> {
    return this.#lane.read((table) => table.instances.get(instance)?.key ?? null);
  }

  /**
   * Logs a user in.
   * @throws LicenseError `malformed-request` when the request contradicts itself.
   */
  logIn(request: LoginRequest, caller: Caller): Promise<Answer> {
    const operation = this.#operation(request, caller);
    return this.#lane.submit(operation, caller.span, request.id === undefined);
  }

  /** Tells what a login would come to now, and changes nothing. */
  explain(request: LoginRequest, caller: Caller): Promise<Answer> {
    return this.#lane.explain(this.#operation(request, caller));
  }

  /** Logs out; answers the same when it is repeated, or when nothing is known of the login. */
  async logOut(instance: string, login: string, onePage: boolean, caller: Caller): Promise<Answer> {
    const id = canonicalLoginId(login);
    const answer = await this.#lane.submit(
      { op: 'logout', instance, id, onePage, reason: 'logout', actor: caller.actor },
      caller.span,
    );
    // A heartbeat that comes after the answer must not meet the old deadline.
    if (answer.is === 'released' && answer.login && answer.login.leaseSeconds > 0) {
      await this.#heartbeats.forgetLogin(instance, id);
    }
    return answer;
  }

  /** Explicit `Login(user)` of a process or session that is in (F-43, F-46). */
  identify(
    instance: string,
    id: string,
    user: string,
    clientAddress: string | undefined,
    caller: Caller,
  ): Promise<Answer> {
    mustBeText([user]);
    return this.#lane.submit(
      {
        op: 'identify',
        instance,
        id: canonicalLoginId(id),
        user,
        clientAddress: clientAddressOf(clientAddress, this.#lane.table.instances.get(instance), caller),
        actor: caller.actor,
      },
      caller.span,
    );
  }

  heartbeat(instance: string, id: string, caller: Caller): Promise<Answer> {
    return this.#heartbeats.beatLogin(instance, canonicalLoginId(id), caller.actor, caller.span);
  }

  /**
   * Finds the instance of a login that was named by its ID alone.
   * @param login - the ID.
   * @param within - which instances the caller may touch.
   * @returns null when it is nowhere.
   * @throws LicenseError `login-ambiguous` when the ID is in use on several.
   */
  async locate(login: string, within: (instance: string) => boolean): Promise<string | null> {
    const id = canonicalLoginId(login);
    const [place, ...others] = holdersOf(this.#lane.table, id, within);
    if (place !== undefined && others.length === 0) return place;
    const places = await this.#lane.read((table) => {
      const holders = holdersOf(table, id, within);
      return holders.length > 0 ? holders : rememberersOf(table, id, within);
    });
    if (places.length > 1) {
      throw new LicenseError(
        'login-ambiguous',
        `The ID ${id} is in use on ${places.length} instances. Say which by ?instance=.`,
      );
    }
    return places[0] ?? null;
  }

  /** Reads a login as it is now (R-15); null when nothing is known of it. */
  read(instance: string, id: string): Promise<HeldLogin | null> {
    return this.#lane.read((table) => {
      const place = table.places.get(instance);
      const canonical = canonicalLoginId(id);
      const login = place?.logins.get(canonical) ?? place?.released.get(canonical);
      return login ? heldLogin(table, login) : null;
    });
  }

  /** Lists logins that are in, as of the fold. */
  list(
    filter: LoginFilter,
    after: { readonly instance: string; readonly id: string } | null,
    limit: number,
  ): ReturnType<typeof listLogins> {
    return whileReachable(() => listLogins(this.#sql, this.#shard, filter, after, limit));
  }

  /** The instances that a token's keys reach, as far as this replica knows. */
  instancesWith(keys: readonly string[]): string[] {
    const instances = [...this.#lane.table.instances.values()];
    return instances.filter(({ key }) => key !== null && keys.includes(key)).map(({ name }) => name);
  }

  #operation(request: LoginRequest, caller: Caller): LogIn {
    const instance = this.#lane.table.instances.get(request.instance);
    const { user, username, terminal, webSession } = request;
    mustBeText([user, username, terminal?.server, terminal?.port, webSession]);
    return {
      op: 'login',
      instance: request.instance,
      id: request.id === undefined ? makeLoginId() : canonicalLoginId(request.id),
      claims: {
        kind: kindOf(request),
        user: request.user,
        username: request.username,
        clientAddress: clientAddressOf(request.clientAddress, instance, caller),
        terminal: request.terminal,
        webSession: request.webSession,
        processId: request.process?.pid,
      },
      parent: request.parent && canonicalLoginId(request.parent),
      leaseSeconds: request.leaseSeconds,
      print: printOf(request),
      actor: caller.actor,
    };
  }
}

/** @throws LicenseError `user-id-illegal`. */
function mustBeText(texts: readonly (string | undefined)[]): void {
  if (texts.every((text) => text === undefined || isText(text))) return;
  throw new LicenseError(
    'user-id-illegal',
    'What names the user holds a NUL character or half a surrogate pair. Send whole Unicode characters.',
  );
}

/** A UUID is the same in capitals (RFC 9562, section 4); the table and the journal know it in one way. */
function canonicalLoginId(id: string): string {
  return id.toLowerCase();
}

/**
 * Makes the ID of a login whose client sent none. An engine builds a UUID out of a dozen pieces and keeps them
 * as long as the text; a table holds millions of IDs, so the text is made whole.
 */
function makeLoginId(): string {
  return Buffer.from(randomUUID(), 'latin1').toString('latin1');
}

function holdersOf(table: Table, id: string, within: (instance: string) => boolean): string[] {
  const found: string[] = [];
  for (const { logins, instance } of table.places.values()) {
    if (logins.has(id) && within(instance)) found.push(instance);
  }
  return found;
}

/** An ID that is only remembered on one instance must not stand in the way of its login on another. */
function rememberersOf(table: Table, id: string, within: (instance: string) => boolean): string[] {
  const found: string[] = [];
  for (const { released, instance } of table.places.values()) {
    if (released.has(id) && within(instance)) found.push(instance);
  }
  return found;
}

function heldLogin(table: Table, login: Login): HeldLogin {
  return {
    ...viewLogin(table, login),
    held: login.reason === null,
    reason: login.reason,
    userConnections: login.reason === null ? (login.user?.connections ?? 0) : 0,
  };
}

/** What a login is, from the members that say so; they exclude each other. */
function kindOf(request: LoginRequest): LoginKind {
  const kinds: LoginKind[] = [];
  if (request.emergency) kinds.push('emergency');
  if (request.sessionless) kinds.push('request');
  if (request.webSession !== undefined) kinds.push('web');
  const process = request.process?.kind;
  if (process !== undefined && process !== 'user') kinds.push(process);
  if (kinds.length <= 1) return kinds[0] ?? 'user';
  throw new LicenseError(
    'malformed-request',
    `A login is one thing only, and this one says ${kinds.join(' and ')}. Send only one of emergency, sessionless, webSession and process.kind.`,
  );
}

/**
 * The client's address (F-41): the one stated; else the peer's, or what its proxy tells when the instance
 * trusts the proxy (trap 24).
 */
function clientAddressOf(
  stated: string | undefined,
  instance: Instance | undefined,
  caller: Pick<Caller, 'peerAddress' | 'forwardedFor'>,
): string {
  if (stated !== undefined) return canonicalAddress(stated);
  const trusted = instance?.settings.trustedProxies ?? [];
  if (trusted.length === 0 || caller.forwardedFor === undefined) return canonicalAddress(caller.peerAddress);
  let address = caller.peerAddress;
  for (const hop of caller.forwardedFor.split(',').reverse()) {
    if (!isWithin(address, trusted) || !ipaddr.isValid(hop.trim())) break;
    address = hop.trim();
  }
  return canonicalAddress(address);
}

const ADDRESSES_CACHED_MAX = 10_000;
const canonicalAddresses = new Map<string, string>();

/** One client has one address: IPv4 in IPv6 is IPv4, IPv6 is written in one way (RFC 5952). */
function canonicalAddress(address: string): string {
  const known = canonicalAddresses.get(address);
  if (known !== undefined) return known;
  const canonical = ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
  if (canonicalAddresses.size >= ADDRESSES_CACHED_MAX) canonicalAddresses.clear();
  canonicalAddresses.set(address, canonical);
  return canonical;
}

function isWithin(address: string, ranges: readonly string[]): boolean {
  const parsed = ipaddr.process(address);
  return ranges.some((range) => {
    const [network, bits] = range.includes('/') ? ipaddr.parseCIDR(range) : [ipaddr.process(range), null];
    if (network.kind() !== parsed.kind()) return false;
    const full = network.kind() === 'ipv4' ? 32 : 128;
    return parsed.match(network, bits ?? full);
  });
}

/** Thirty bits are what an engine keeps without a box of its own, and enough against mistakes. */
const PRINT_MASK = 0x3fffffff;

/**
 * A number that tells two bodies apart (R-7). It guards against mistakes, not against malice: the ID is the
 * client's own.
 */
function printOf(request: LoginRequest): number {
  const { terminal, process } = request;
  const text =
    `${request.user ?? ''}\n${request.username ?? ''}\n${request.clientAddress ?? ''}\n` +
    `${terminal ? `${terminal.server}\t${terminal.port}` : ''}\n${request.webSession ?? ''}\n` +
    `${process?.pid ?? ''}\t${process?.kind ?? ''}\n${request.sessionless ? 1 : 0}${request.emergency ? 1 : 0}\n` +
    `${request.parent ?? ''}\n${request.leaseSeconds ?? ''}`;
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    low = Math.imul(low ^ code, 2654435761);
    high = Math.imul(high ^ code, 1597334677);
  }
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  return (low ^ high) & PRINT_MASK;
}
