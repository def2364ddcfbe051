/**
 * Web sessions that are licensed as F-46 says: each takes a unit of its own until its user logs in, which trades
 * the unit for the user's; one user in several browsers shares one. A session that ends after one page keeps its
 * unit for the grace (trap 8). Nothing here knows of a framework.
 */

import { createHash, randomBytes } from 'node:crypto';
import type { LocalRefusal } from '../domain/local/localdecisions.ts';
import type { Problem } from '../domain/operations.ts';
import { WEB_GRACE_MS } from '../domain/releases.ts';
import type { LicenseInstance } from './instance.ts';
import { type Clock, systemClock } from './instance-clock.ts';
import type { InstanceLogin, Verdict } from './instance-logins.ts';
import type { IdentifyOptions } from './instance-options.ts';

const IDLE_SECONDS = 900;
const SESSIONS_MAX = 100_000;
/** A timer wakes not more often than that. */
const SWEEP_MS_MIN = 1_000;
/** For so long a browser may still send the ID that its session had before a login. */
const FORMER_ID_MS = 10_000;

/** What the sessions of an application are licensed with. */
export interface WebSessionsOptions {
  readonly instance: LicenseInstance;
  /** After so long without a request a session ends, in seconds; 900 when left out. */
  readonly idleSeconds?: number | undefined;
  /** How many sessions there are at most; 100,000 when left out. Beyond, new visitors get the page of refusals. */
  readonly sessionsMax?: number | undefined;
  /** The time; the machine's when left out. */
  readonly clock?: Clock | undefined;
}

/** What a request came to: its session, or why it has none. */
export type Entry = LicensedSession | LocalRefusal | Problem;

/** How a session tells the registry what happens to it. */
interface Registry {
  readonly instance: LicenseInstance;
  reopen(session: LicensedSession): Promise<Entry>;
  rename(session: LicensedSession, id?: string): void;
  end(session: LicensedSession): void;
}

/** Whose ID a session has. */
export type SessionNaming =
  /** One that was made here, and is made anew at each login. */
  | 'made'
  /** The application's own, which it renews itself. */
  | 'own'
  /** None that anybody is told: it is over with its request. */
  | 'passing';

/** One web session that has its unit. */
export class LicensedSession {
  readonly #registry: Registry;
  /** What the licence knows the session by: not its ID, which would let whoever reads a report take it over. */
  readonly licenseId: string;
  /** Pages that were asked for in it. */
  pages = 0;
  /** Requests of it that are not answered yet. */
  active = 0;
  /** When the last request came or was answered, in milliseconds of the clock. */
  seenMs = 0;
  /** @internal */
  current: InstanceLogin;
  /** @internal */
  currentId: string;
  /** @internal */
  naming: SessionNaming;
  #user: { readonly name: string; readonly options: IdentifyOptions } | null = null;
  #hasEnded = false;

  constructor(
    registry: Registry,
    id: string,
    licenseId: string,
    login: InstanceLogin,
    naming: SessionNaming,
  ) {
    this.#registry = registry;
    this.currentId = id;
    this.naming = naming;
    this.licenseId = licenseId;
    this.current = login;
  }

  /** Tells a session from a refusal. */
  get is(): 'session' {
    return 'session';
  }

  /** Its ID, which the cookie holds; another one after each login, unless the application names its sessions. */
  get id(): string {
    return this.currentId;
  }

  /** The licence user ID: the session's own, or that of the user who has logged in. */
  get userId(): string | null {
    return this.current.userId;
  }

  /** The user who has logged in, as he was named; null before. */
  get user(): string | null {
    return this.#user === null ? null : this.#user.name;
  }

  /** Whether it is over: logged out, or idle for too long. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Trades the session's unit for the user's, both or neither; call it once he has proven who he is. Whether he
   * has is no matter of the licence: both outcomes have to be told (trap 9).
   * @param user - the licence user ID.
   * @returns granted, and the session has another ID then; or the refusal, after which it stands as it stood.
   * @throws as `LicenseInstance.identify`.
   */
  async login(user: string, options: IdentifyOptions = {}): Promise<Verdict> {
    if (!this.current.isHeld && !this.#hasEnded) {
      // What it had was lost since the request came.
      const again = await this.#registry.reopen(this);
      if (again.is !== 'session') return again;
    }
    const verdict = await this.#registry.instance.identify(this.current, user, options);
    if (verdict.is !== 'granted' || this.#hasEnded) return verdict;
    this.#user = { name: user, options: { clientAddress: options.clientAddress } };
    // Whoever knew the ID from before does not know the session of the user (session fixation).
    if (this.naming !== 'own') this.#registry.rename(this);
    return verdict;
  }

  /**
   * Says that the application has given the session another ID, as it should after a login: the session goes on
   * under that one.
   * @throws TypeError where the application has no sessions of its own (option `sessionId`).
   */
  rename(id: string): void {
    if (this.naming !== 'own')
      throw new TypeError('Only a session whose ID is the application’s own can be renamed.');
    if (!this.#hasEnded) this.#registry.rename(this, id);
  }

  /** Ends it: its unit is free at once, or after the grace when it visited one page only. */
  logout(): void {
    this.#registry.end(this);
  }

  /** @internal Takes a new login for one that was lost, with the user who was logged in. */
  async restore(login: InstanceLogin): Promise<Verdict> {
    this.current = login;
    if (this.#user === null) return login;
    return this.#registry.instance.identify(login, this.#user.name, this.#user.options);
  }

  /** @internal */
  markEnded(): void {
    this.#hasEnded = true;
  }
}

/** The licensed sessions of an application, by their IDs. */
export class WebSessions implements Registry {
  readonly instance: LicenseInstance;
  readonly #idleMs: number;
  readonly #sessionsMax: number;
  readonly #clock: Clock;
  /** In order of their last request, the oldest first. */
  readonly #sessions = new Map<string, LicensedSession>();
  readonly #opening = new Map<string, Promise<Entry>>();
  /** IDs of sessions that timed out within their grace: whoever comes back shares the unit that is still held. */
  readonly #lingering = new Map<string, number>();
  /** IDs that sessions had until a login just now. */
  readonly #former = new Map<string, number>();
  #cancelSweep: (() => void) | null = null;
  #isClosed = false;

  /** @throws RangeError for limits that are none. */
  constructor(options: WebSessionsOptions) {
    const { instance, idleSeconds = IDLE_SECONDS, sessionsMax = SESSIONS_MAX, clock } = options;
    if (!(idleSeconds > 0)) throw new RangeError(`idleSeconds must be above 0, not ${idleSeconds}.`);
    if (!(sessionsMax >= 1)) throw new RangeError(`sessionsMax must be at least 1, not ${sessionsMax}.`);
    this.instance = instance;
    this.#idleMs = idleSeconds * 1000;
    this.#sessionsMax = sessionsMax;
    this.#clock = clock ?? systemClock(false);
  }

  /** How many sessions are in. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The session with an ID, if there is one. */
  get(id: string): LicensedSession | undefined {
    return this.#sessions.get(id);
  }

  /**
   * Finds the session of a request, or begins one. Call `leave` when the request is over.
   * @param id - the session ID that came with it.
   * @param isOwn - the ID is the application's own, and a session may begin under it; otherwise one that is not
   * known here is not taken over from whoever sent it.
   * @throws as `LicenseInstance.login`.
   */
  async enter(id: string | undefined, isOwn = false): Promise<Entry> {
    const known = id === undefined ? undefined : this.#sessions.get(id);
    const isTaken = id !== undefined && (isOwn || known !== undefined || this.#holds(this.#lingering, id));
    // A request that crossed the answer to a login says the former ID. It is not the user's, for somebody else may
    // know that ID; and it is given no other, with which the browser would forget the one that it is being told.
    const isPassing = !isTaken && id !== undefined && this.#holds(this.#former, id);
    const naming = isOwn ? 'own' : isPassing ? 'passing' : 'made';
    const sessionId = isTaken ? id : newId();
    const entry = known?.current.isHeld ? known : await this.#openOnce(sessionId, known, naming);
    if (entry.is === 'session') {
      entry.pages += 1;
      entry.active += 1;
      this.#touch(entry);
    }
    return entry;
  }

  /** Notes that a request of a session is over. */
  leave(session: LicensedSession): void {
    session.active -= 1;
    if (session.hasEnded) return;
    if (session.naming === 'passing') this.#endAtOnce(session);
    else this.#touch(session);
  }

  /** Takes a new login for a session whose login was lost, and identifies whoever was logged in. */
  reopen(session: LicensedSession): Promise<Entry> {
    return this.#openOnce(session.id, session, session.naming);
  }

  /** Requests of one session that come at once open it once. */
  #openOnce(id: string, known: LicensedSession | undefined, naming: SessionNaming): Promise<Entry> {
    let opening = this.#opening.get(id);
    if (opening === undefined) {
      opening = this.#open(id, known, naming).finally(() => this.#opening.delete(id));
      this.#opening.set(id, opening);
    }
    return opening;
  }

  async #open(id: string, known: LicensedSession | undefined, naming: SessionNaming): Promise<Entry> {
    if (this.#isClosed) return CLOSED;
    const count = this.#sessions.size + this.#opening.size;
    if (known === undefined && count >= this.#sessionsMax) return this.#tooMany();
    const licenseId = known?.licenseId ?? licenseIdOf(id);
    const verdict = await this.instance.webSession(licenseId);
    if (verdict.is !== 'granted') return verdict;
    if (this.#isClosed) {
      this.instance.release(verdict);
      return CLOSED;
    }
    if (known === undefined) {
      this.#lingering.delete(id);
      const session = new LicensedSession(this, id, licenseId, verdict, naming);
      this.#sessions.set(id, session);
      return session;
    }
    if (known.hasEnded) {
      this.instance.release(verdict);
      return CLOSED;
    }
    // What it had was lost: whoever was logged in is logged in again, or not at all.
    const restored = await known.restore(verdict);
    if (restored.is === 'granted') return known;
    this.instance.release(verdict);
    return restored;
  }

  #tooMany(): LocalRefusal {
    const limit = this.#sessionsMax;
    return {
      is: 'refused',
      code: 'units-exhausted',
      rule: 'enforced-units',
      limit,
      inUse: this.#sessions.size,
      requested: 1,
      detail: `This application has ${limit} sessions, which is all that it keeps. Try again when one has ended.`,
      retryAfterSeconds: 10,
    };
  }

  #touch(session: LicensedSession): void {
    session.seenMs = this.#clock.monotonicMs();
    if (this.#sessions.delete(session.id)) this.#sessions.set(session.id, session);
    this.#cancelSweep ??= this.#clock.after(Math.max(SWEEP_MS_MIN, this.#idleMs), () => this.#sweep());
  }

  /** Ends the sessions that have been idle for too long. */
  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#cancelSweep = null;
    for (const [id, session] of this.#sessions) {
      if (session.seenMs + this.#idleMs > nowMs) break;
      if (session.active > 0) {
        this.#touch(session);
        continue;
      }
      if (session.pages <= 1) this.#lingering.set(id, nowMs + WEB_GRACE_MS);
      this.end(session);
    }
    for (const [id, endsMs] of this.#lingering) {
      if (endsMs > nowMs) break;
      this.#lingering.delete(id);
    }
    const [oldest] = this.#sessions.values();
    const endsMs = oldest === undefined ? Number.POSITIVE_INFINITY : oldest.seenMs + this.#idleMs;
    const [gone = Number.POSITIVE_INFINITY] = this.#lingering.values();
    const nextMs = Math.min(endsMs, gone);
    if (nextMs === Number.POSITIVE_INFINITY || this.#cancelSweep !== null) return;
    this.#cancelSweep = this.#clock.after(Math.max(SWEEP_MS_MIN, nextMs - nowMs), () => this.#sweep());
  }

  /** Whether an ID is in a map whose entries end. */
  #holds(ids: ReadonlyMap<string, number>, id: string): boolean {
    const endsMs = ids.get(id);
    return endsMs !== undefined && endsMs > this.#clock.monotonicMs();
  }

  /** Gives a session another ID; one that is left out is made. */
  rename(session: LicensedSession, id: string = newId()): void {
    if (id === session.id) return;
    const inItsPlace = this.#sessions.get(id);
    if (inItsPlace !== undefined) this.end(inItsPlace);
    const wasIn = this.#sessions.delete(session.id);
    if (session.naming === 'made') this.#noteFormer(session.id);
    if (session.naming === 'passing') session.naming = 'made';
    session.currentId = id;
    if (wasIn) this.#sessions.set(id, session);
  }

  #noteFormer(id: string): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [former, endsMs] of this.#former) {
      if (endsMs > nowMs) break;
      this.#former.delete(former);
    }
    this.#former.set(id, nowMs + FORMER_ID_MS);
  }

  /** Ends a session. */
  end(session: LicensedSession): void {
    if (session.hasEnded) return;
    session.markEnded();
    this.#sessions.delete(session.id);
    this.instance.release(session.current, session.pages <= 1);
  }

  /** Ends a session without any grace. */
  #endAtOnce(session: LicensedSession): void {
    session.markEnded();
    this.#sessions.delete(session.id);
    this.instance.release(session.current);
  }

  /** Ends all of them, without any grace: the application ends, and nobody can cycle through sessions of it. */
  close(): void {
    this.#isClosed = true;
    this.#cancelSweep?.();
    this.#cancelSweep = null;
    for (const session of this.#sessions.values()) this.#endAtOnce(session);
    this.#lingering.clear();
    this.#former.clear();
  }
}

const CLOSED: Problem = {
  is: 'problem',
  code: 'shutting-down',
  detail: 'The application is ending, or the session was logged out. Try again.',
};

/** 256 bits that nobody can guess. */
function newId(): string {
  return randomBytes(32).toString('base64url');
}

/** Short enough for reports, and of no use to whoever reads one. */
function licenseIdOf(id: string): string {
  return `web-${createHash('sha256').update(id).digest('base64url').slice(0, 22)}`;
}
