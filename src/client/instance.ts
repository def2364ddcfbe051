/**
 * `LicenseInstance`: a running installation that is licensed. It lets users in and out as the owner of its key
 * has chosen: by itself at memory speed, within what it was leased, or by asking the server each time.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import {
  decideLocalIdentify,
  decideLocalLogin,
  endDue,
  type LocalAnswer,
} from '../domain/local/localdecisions.ts';
import { type LocalCounts, LocalLogin } from '../domain/local/localtable.ts';
import type { Problem } from '../domain/operations.ts';
import { type Throttle, throttleOf } from '../domain/users.ts';
import type { InstanceApplications } from './applications.ts';
import { type Client, createClient } from './client.ts';
import { askForUser } from './instance-asking.ts';
import type { CentralLogin } from './instance-central.ts';
import { type Clock, systemClock } from './instance-clock.ts';
import { closeLife } from './instance-closing.ts';
import { InstanceCore } from './instance-core.ts';
import { InstanceEmitter } from './instance-events.ts';
import {
  ASK_SERVER,
  canonicalAddress,
  claimsOf,
  type ImmediateVerdict,
  type InstanceLogin,
  type InstanceLoginRequest,
  namesWrongly,
  type Verdict,
} from './instance-logins.ts';
import {
  type AskOptions,
  checkOptions,
  type IdentifyOptions,
  type LicenseInstanceOptions,
  readOfflinePolicy,
} from './instance-options.ts';
import { Registrar } from './instance-registration.ts';
import { type InstanceState, StateFile } from './instance-state.ts';
import type { Enforcement, InstanceTerms } from './instance-terms.ts';
import type { CheckInstanceKeyAnswer } from './openapi.ts';
import { ApiError, UnreachableError } from './problems.ts';
import { InstanceReports } from './reports.ts';
import type { CallOptions } from './transport.ts';

/** With so many changed users the server is told sooner than after the usual interval. */
const CHANGES_SOON = 1_000;
const ASK_TIMEOUT_MS = 10_000;
/** How long the server may take to be reached at the start, where terms of a former life are known. */
const KNOWN_TERMS_TIMEOUT_MS = 3_000;

/** A running installation that is licensed. Open it with `LicenseInstance.open`. */
export class LicenseInstance extends InstanceEmitter {
  readonly name: string;
  /** Its reports, as text or as rows: live where it decides for itself (F-60…F-62). */
  readonly reports: InstanceReports;
  readonly #core: InstanceCore;
  readonly #client: Client;
  readonly #ownsClient: boolean;
  readonly #clock: Clock;
  #closing: Promise<boolean> | null = null;
  /** Whether the server is to be told sooner, so that it is asked for once. */
  #isSoon = false;

  private constructor(options: LicenseInstanceOptions, client: Client, registrar: Registrar, clock: Clock) {
    super();
    this.name = options.name;
    this.#client = client;
    this.#ownsClient = client !== options.client;
    this.#clock = clock;
    this.#core = new InstanceCore({
      client,
      name: options.name,
      registrar,
      clock,
      offline: readOfflinePolicy(options.offline),
      isBackground: options.keepsAlive !== true,
      tracksProcesses: options.tracksProcesses === true,
      idPrefix: randomBytes(9).toString('base64url'),
      tell: (name, ...told) => {
        if (name === 'offline' || name === 'online') this.#isSoon = false;
        this.tell(name, ...told);
      },
      onReported: () => {
        this.#isSoon = false;
      },
    });
    const { name, product } = options;
    this.reports = new InstanceReports({ core: this.#core, client, clock, name, product });
  }

  /**
   * Registers the instance and begins to report.
   * @throws ApiError when the server refuses the registration; UnreachableError when it is away and nothing is
   * known of a former life under a local key; TypeError or RangeError for options that are none; Error when the
   * state file is in use or cannot be read.
   */
  static async open(options: LicenseInstanceOptions): Promise<LicenseInstance> {
    checkOptions(options);
    const clock = options.clock ?? systemClock(options.keepsAlive === true);
    const { stateFile, name } = options;
    const client = 'logins' in options.client ? options.client : createClient(options.client);
    let file: StateFile | null = null;
    try {
      let saved: InstanceState | null = null;
      if (stateFile !== undefined) {
        file = await StateFile.open(stateFile, clock.wallMs());
        saved = await file.read(name);
      }
      const { key, licenseId, product, version, address, settings, licenseServers } = options;
      const fields = { key, licenseId, product, version, address, settings, licenseServers };
      const registrar = new Registrar(client, name, fields, clock, file, saved);
      const instance = new LicenseInstance(options, client, registrar, clock);
      await instance.#begin(options.signal, saved);
      instance.tellEarly();
      return instance;
    } catch (error) {
      await file?.close();
      if (client !== options.client) client.close();
      throw error;
    }
  }

  async #begin(signal: AbortSignal | undefined, saved: InstanceState | null): Promise<void> {
    const { link } = this.#core;
    const terms = saved?.terms ?? null;
    const mayGoOn = terms?.enforcement === 'local';
    try {
      await link.register(mayGoOn ? { signal, timeoutMs: KNOWN_TERMS_TIMEOUT_MS } : { signal });
      link.start();
    } catch (error) {
      const isAway = error instanceof UnreachableError || (error instanceof ApiError && error.status === 503);
      if (!isAway || !mayGoOn) throw error;
      link.beginOffline(terms, error);
    }
  }

  /** Its present incarnation; null while it started without the server and is not registered. */
  get incarnation(): number | null {
    return this.#core.registrar.incarnation;
  }

  /** The terms as the server told them last. */
  get terms(): InstanceTerms {
    return this.#core.terms;
  }

  /** Who decides its logins. */
  get enforcement(): Enforcement {
    return this.terms.enforcement;
  }

  /** Whether the server answered last time. */
  get isOnline(): boolean {
    return !this.#core.link.isOffline;
  }

  /** Whether new users are refused because combined use is over the limit (F-52…F-54). */
  get isOverLimit(): boolean {
    return this.#core.table.gates.overLimit !== null;
  }

  /** Its application licences: what is loaded, and units of them for who is in (F-70…F-74). */
  get applications(): InstanceApplications {
    return this.#core.applications;
  }

  /** What it holds by itself; logins that the server decided are not among it. */
  get counts(): LocalCounts {
    endDue(this.#core.table, this.#clock.monotonicMs());
    return this.#core.table.counts;
  }

  /** How a process that has not identified itself yet is to be slowed down (F-44). */
  get throttle(): Throttle {
    const { throttleProfile, throttlePauseSeconds } = this.terms.settings;
    return throttleOf(throttleProfile, throttlePauseSeconds);
  }

  /**
   * Logs a user in without asking anybody.
   * @returns the login, a refusal, what is wrong with the request, or `ask` when only the server can say.
   */
  tryLogin(request: InstanceLoginRequest): ImmediateVerdict {
    const core = this.#core;
    if (core.ended !== null) return core.ended;
    if (core.asksAlways) return ASK_SERVER;
    const claims = claimsOf(request);
    if ('is' in claims) return claims;
    if (core.table.rights !== null) core.checkTerm();
    const answer = decideLocalLogin(core.table, claims, this.#clock.monotonicMs());
    return this.#answered(answer, request);
  }

  /**
   * Logs a user in; waits for the server where only it can say. It never throws for a refusal.
   * @param options.signal - ends the waiting; nobody is let in then.
   * @throws ApiError when the server will not be asked, as by a token that may not; the reason of the signal.
   */
  async login(request: InstanceLoginRequest, options: AskOptions = {}): Promise<Verdict> {
    const verdict = this.tryLogin(request);
    if (verdict.is !== 'ask') return verdict;
    const claims = claimsOf(request);
    if ('is' in claims) return claims;
    return this.#ask(
      () => decideLocalLogin(this.#core.table, claims, this.#clock.monotonicMs()),
      (timeoutMs) => this.#core.logInCentrally(request, claims, { timeoutMs, signal: options.signal }),
      request,
      options,
    );
  }

  /**
   * Identifies the user of a login that is in, without asking anybody: a first identification, or an atomic trade
   * of units, after whose failure the login stands as it stood (F-43, F-46).
   * @param clientAddress - where users are counted as `name@address` it must be there.
   * @returns as `tryLogin`; granted is the same login.
   */
  tryIdentify(login: InstanceLogin, user: string, clientAddress?: string): ImmediateVerdict {
    const core = this.#core;
    if (core.ended !== null) return core.ended;
    if (!(login instanceof LocalLogin)) return ASK_SERVER;
    if (core.table.rights !== null) core.checkTerm();
    return this.#answered(this.#decideIdentify(login, user, clientAddress), { user, clientAddress });
  }

  #decideIdentify(login: LocalLogin, user: string, clientAddress: string | undefined): LocalAnswer {
    const address = clientAddress === undefined ? undefined : canonicalAddress(clientAddress);
    if (address === null || typeof user !== 'string') return namesWrongly({ user, clientAddress });
    const before = login.userId;
    const answer = decideLocalIdentify(this.#core.table, login, user, address, this.#clock.monotonicMs());
    if (login.userId !== before) this.#core.applications.letGo(login);
    return answer;
  }

  /**
   * Identifies the user of a login that is in; waits for the server where only it can say.
   * @throws as `login`.
   */
  async identify(login: InstanceLogin, user: string, options: IdentifyOptions = {}): Promise<Verdict> {
    const { clientAddress, signal } = options;
    const verdict = this.tryIdentify(login, user, clientAddress);
    if (verdict.is !== 'ask') return verdict;
    const request = { user, clientAddress };
    if (!(login instanceof LocalLogin)) {
      const central = login as CentralLogin;
      const timeoutMs = this.#core.patienceMs(options.timeoutMs ?? ASK_TIMEOUT_MS);
      const call = { timeoutMs, signal };
      return this.#refusedOrNot(
        await this.#core.central.identify(central, user, clientAddress, call),
        request,
      );
    }
    // What the instance let in itself can be traded only for what it holds itself.
    const nothingLeased = async () => this.#core.nothingLeased();
    return this.#ask(() => this.#decideIdentify(login, user, clientAddress), nothingLeased, request, options);
  }

  /** Waits for the server's word on what is leased, or asks it for the login itself. */
  async #ask(
    decide: () => LocalAnswer,
    askCentrally: (timeoutMs: number) => Promise<Verdict>,
    request: InstanceLoginRequest,
    { signal, timeoutMs = ASK_TIMEOUT_MS }: AskOptions,
  ): Promise<Verdict> {
    const core = this.#core;
    signal?.throwIfAborted();
    const { rights } = core.table;
    if (rights !== null && rights.closed === null) {
      const first = decide();
      const answer =
        first.is !== 'ask'
          ? first
          : await askForUser(
              {
                table: core.table,
                clock: this.#clock,
                decide: () => core.ended ?? decide(),
                report: () => core.link.report(),
                isOffline: () => core.link.isOffline,
                patienceMs: (ms) => core.patienceMs(ms),
                label: randomUUID(),
                signal,
                timeoutMs,
              },
              rights,
              first.userId,
            );
      if (answer.is !== 'ask') return this.#refusedOrNot(answer, request);
    }
    return this.#refusedOrNot(await askCentrally(timeoutMs), request);
  }

  #answered(answer: LocalAnswer, request: InstanceLoginRequest): ImmediateVerdict {
    if (answer.is === 'granted') {
      this.#noteChanges();
      return answer;
    }
    if (answer.is === 'ask') return ASK_SERVER;
    return this.#refusedOrNot(answer, request);
  }

  #refusedOrNot(verdict: Verdict, request: InstanceLoginRequest): Verdict {
    if (verdict.is === 'refused') this.tell('refused', verdict, request);
    return verdict;
  }

  #noteChanges(): void {
    if (this.#isSoon || this.#core.table.changed.length < CHANGES_SOON) return;
    this.#isSoon = true;
    this.#core.link.soon();
  }

  /**
   * Lets a login out at once; of one that the server decided, it is told in the background. It can be repeated.
   * @param isOnePage - of a web session: it visited one page only, so that its unit is kept for the grace (trap 8).
   * @returns whether it was in.
   */
  release(login: InstanceLogin, isOnePage = false): boolean {
    const core = this.#core;
    const wasIn = core.letOut(login, isOnePage);
    if (login instanceof LocalLogin) this.#noteChanges();
    if (core.hasToFlush) void core.flush().catch(() => {});
    return wasIn;
  }

  /**
   * Lets a login out, and waits until the server knows where it has to. It can be repeated.
   * @returns whether it was in.
   */
  async logout(login: InstanceLogin, options: { readonly isOnePage?: boolean } = {}): Promise<boolean> {
    const wasIn = this.release(login, options.isOnePage);
    // What cannot be told now is told with the next report.
    if (this.#core.hasToFlush) await this.#core.flush().catch(() => {});
    return wasIn;
  }

  /** Logs in a process that another one started by `Job`: it counts under that one's user (F-34). */
  job(parent: InstanceLogin, request: InstanceLoginRequest = {}, options?: AskOptions): Promise<Verdict> {
    return this.login({ ...request, parent }, options);
  }

  /**
   * Logs a web session in: it takes a unit of its own until its user is identified (F-46).
   * @param id - the session's ID.
   */
  webSession(id: string, request: InstanceLoginRequest = {}, options?: AskOptions): Promise<Verdict> {
    return this.login({ ...request, webSession: id }, options);
  }

  /** Logs in the start-up code, under `User Startup`; its jobs inherit that (F-47). */
  startup(options?: AskOptions): Promise<Verdict> {
    return this.login({ process: { kind: 'startup', pid: process.pid } }, options);
  }

  /**
   * Asks the server now whether a newer key is served for this instance, as the legacy `CheckNewKey` does, and goes
   * on under it. By itself it happens every few minutes.
   * @returns what came of it; `newer` is false too where the instance has no `licenseId`.
   * @throws ApiError when the key that is served is not good for this instance; UnreachableError.
   */
  async checkNewKey(options: CallOptions = {}): Promise<CheckInstanceKeyAnswer> {
    const answer = await this.#client.instances.checkKey(this.name, options);
    if (answer.newer) await this.#core.link.report();
    return answer;
  }

  /** Tells the server now what has changed. Never rejects: what cannot be told is told with the next report. */
  report(): Promise<void> {
    return this.#core.link.report();
  }

  /**
   * Ends the instance in good order: tells the server the last changes, and gives back what it held. Logins that
   * are in are held no longer.
   * @returns whether the server was told; when it is away it takes back what the instance held after its grace.
   */
  close(): Promise<boolean> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<boolean> {
    const { name } = this;
    this.#core.end(CLOSED);
    const isTold = await closeLife({ name, core: this.#core, client: this.#client, clock: this.#clock });
    if (this.#ownsClient) this.#client.close();
    return isTold;
  }
}

const CLOSED: Problem = {
  is: 'problem',
  code: 'shutting-down',
  detail: 'The instance is closed and lets nobody in. Open it again.',
};
