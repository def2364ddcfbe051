/**
 * The monitor of an instance (F-17): it tells the server what changed, hears on which terms the instance goes on,
 * and renews what is leased. One report is under way at a time.
 */

import type { LeaseAnswer, LeaseStatement } from '../domain/leases/leasestatements.ts';
import { digestText, EMPTY_DIGEST } from '../domain/local/digest.ts';
import { endDue } from '../domain/local/localdecisions.ts';
import type { LocalReports, Statement } from '../domain/local/localreports.ts';
import type { LocalTable } from '../domain/local/localtable.ts';
import type { InstanceApplications } from './applications.ts';
import type { Client } from './client.ts';
import type { CentralLogin, CentralLogins } from './instance-central.ts';
import type { Clock } from './instance-clock.ts';
import type { Registrar } from './instance-registration.ts';
import { type InstanceTerms, termsOfUpdate } from './instance-terms.ts';
import { ApiError } from './problems.ts';
import type { SendOptions } from './transport.ts';
import type { UpdateAnswer } from './updates.ts';

/** How long a report may take with everything; then its rows are told again with the next. */
const REPORT_TIMEOUT_MS = 10_000;
/** Between two reports there are at least so many milliseconds, but for the parts of one. */
const SOON_MS = 1_000;
/** What is leased may be stated again at once, but no server is asked without a pause. */
const LEASE_PAUSE_MS = 20;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15_000;
/** How many parts follow one another without a pause. */
const PARTS_MAX = 1_000;
/** Under a central key there are no rows: the report is a sign of life. */
const NO_ROWS: Statement = { sequence: 0, since: 0, users: [], digest: digestText(EMPTY_DIGEST) };

/** Whom the link tells of what it hears. */
export interface LinkHandlers {
  /** The terms are other than before. */
  onTerms(terms: InstanceTerms, before: InstanceTerms | null): void;
  /** A report was answered. */
  onAnswer(answer: UpdateAnswer): void;
  onOffline(error: Error): void;
  /** @param silentMs - for how long the server was not heard. */
  onOnline(silentMs: number): void;
  /** The server knows of no rights of this instance: what they covered is lost. */
  onRightsLost(): void;
  /** Logins that the server decided and does not hold any more. */
  onCentralLost(logins: readonly CentralLogin[]): void;
  /** A newer incarnation has taken the instance's place. */
  onReplaced(error: ApiError): void;
  onNotice(notice: string): void;
}

export interface LinkOptions {
  readonly client: Pick<Client, 'instances'>;
  readonly name: string;
  readonly registrar: Registrar;
  readonly clock: Clock;
  readonly table: LocalTable;
  readonly reports: LocalReports;
  readonly central: CentralLogins;
  readonly applications: Pick<InstanceApplications, 'flush'>;
  readonly handlers: LinkHandlers;
  /** Whether the process may end while a report is under way. */
  readonly isBackground: boolean;
}

export class InstanceLink {
  readonly #options: LinkOptions;
  #terms: InstanceTerms | null = null;
  #cancelTimer: (() => void) | null = null;
  #running: Promise<void> = Promise.resolve();
  #wanted: Promise<void> | null = null;
  #isStopped = false;
  #isOffline = false;
  /** Whether the server may have taken back logins that it decided, because it has not heard of the instance. */
  #isUnverified = false;
  /** Ends what is on its way when the instance is closed. */
  readonly #stopping = new AbortController();
  #failures = 0;
  #startedMs = Number.NEGATIVE_INFINITY;
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isOffline(): boolean {
    return this.#isOffline;
  }

  /** For how long the server has not been heard: by the clock that says more. */
  get silentMs(): number {
    const { clock, registrar } = this.#options;
    const byWall = clock.wallMs() - registrar.heardAtMs;
    return Math.max(0, byWall, Math.min(clock.monotonicMs() - this.#heardMs, Number.MAX_SAFE_INTEGER));
  }

  /**
   * Begins a life of the instance at the server.
   * @throws ApiError; UnreachableError.
   */
  async register(options: SendOptions): Promise<void> {
    const { registrar, reports, handlers } = this.#options;
    const { terms, notices } = await registrar.begin(options);
    // What the server decided in a former life ended with it.
    this.#isUnverified = true;
    reports.restart();
    this.#heard();
    this.#takeTerms(terms);
    for (const notice of notices) handlers.onNotice(notice);
  }

  /**
   * Goes on from terms of a former life, as long as the server is away.
   * @param error - why it could not be asked.
   */
  beginOffline(terms: InstanceTerms, error: Error): void {
    this.#heardMs = this.#options.clock.monotonicMs();
    this.#takeTerms(terms);
    this.#goOffline(error);
    this.#failures = 1;
    this.#schedule(RETRY_FIRST_MS);
  }

  /** Reports from now on. */
  start(): void {
    this.#schedule(this.#delayMs());
  }

  /** Reports soon, because much has changed. */
  soon(): void {
    if (!this.#isOffline) this.wake();
  }

  /** Reports soon, also when the server is said to be away: there is a sign that this has changed. */
  wake(): void {
    const sinceMs = this.#options.clock.monotonicMs() - this.#startedMs;
    this.#schedule(Math.max(0, SOON_MS - sinceMs));
  }

  /** Reports as things stand now; one that is under way may have been made before. Never rejects. */
  report(): Promise<void> {
    this.#wanted ??= this.#running.then(() => {
      this.#wanted = null;
      this.#running = this.#run();
      return this.#running;
    });
    return this.#wanted;
  }

  /**
   * Reports no more.
   * @param atOnce - what is on its way is given up.
   * @returns when the last report is over.
   */
  async stop(atOnce: boolean): Promise<void> {
    this.#isStopped = true;
    if (atOnce) this.giveUp();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    await this.#wanted;
    await this.#running;
  }

  /** Gives up what is on its way, and whatever would follow it. */
  giveUp(): void {
    this.#isStopped = true;
    this.#stopping.abort(new Error('The instance is closed.'));
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      this.#cancelTimer = null;
      void this.report();
    });
  }

  #delayMs(): number {
    const { nextUpdateAfterSeconds = 1, settings } = this.#terms ?? {};
    // A report is the sign of life too: two may be lost before the instance is taken for silent.
    const graceSeconds = settings?.graceSeconds || Number.POSITIVE_INFINITY;
    const intervalMs = Math.min(nextUpdateAfterSeconds, Math.max(1, graceSeconds / 3)) * 1000;
    const { rights } = this.#options.table;
    if (rights === null) return intervalMs;
    return Math.min(intervalMs, Math.max(LEASE_PAUSE_MS, rights.nextStatementMs));
  }

  async #run(): Promise<void> {
    if (this.#isStopped) return;
    this.#cancelTimer?.();
    this.#startedMs = this.#options.clock.monotonicMs();
    try {
      await this.#exchangeAll().catch((error: unknown) => {
        if (!this.#beginAnew(error)) throw error;
        return this.#exchangeAll();
      });
      this.#failures = 0;
      this.#schedule(this.#delayMs());
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  async #exchangeAll(): Promise<void> {
    for (let part = 0; part < PARTS_MAX; part += 1) {
      if (!(await this.#exchange()) || this.#isStopped) break;
    }
  }

  /** @returns whether there is more to tell at once. */
  async #exchange(): Promise<boolean> {
    const { registrar, central, applications, handlers } = this.#options;
    const call: SendOptions = {
      timeoutMs: REPORT_TIMEOUT_MS,
      isBackground: this.#options.isBackground,
      signal: this.#stopping.signal,
    };
    const silentMs = this.silentMs;
    if (registrar.incarnation === null) await this.register(call);
    await central.flush(call);
    await applications.flush(call);
    const answer = await this.#update(registrar.incarnation!, call);
    this.#heard();
    const terms = termsOfUpdate(this.#terms!, answer);
    this.#takeTerms(terms);
    await this.#keep();
    handlers.onAnswer(answer);
    const { graceSeconds } = terms.settings;
    this.#isUnverified ||= graceSeconds > 0 && silentMs >= graceSeconds * 1000;
    if (this.#isUnverified) {
      const lost = await central.verify(call);
      this.#isUnverified = false;
      if (lost.length > 0) handlers.onCentralLost(lost);
    }
    if (this.#isOffline) {
      this.#isOffline = false;
      handlers.onOnline(Math.round(silentMs));
    }
    return this.#reports && (answer.resend === 'full' || this.#options.reports.isFullUnderWay);
  }

  /** Whether the server keeps rows of this instance. */
  get #reports(): boolean {
    return this.#terms !== null && this.#terms.enforcement !== 'central' && this.#terms.key !== null;
  }

  async #update(incarnation: number, call: SendOptions): Promise<UpdateAnswer> {
    const { client, name, reports, table, clock } = this.#options;
    // First of all: what has been lost or has ended meanwhile is not told of.
    endDue(table, clock.monotonicMs());
    const lease = this.#stateLease();
    const hasRows = this.#reports;
    const statement = hasRows ? reports.state() : NO_ROWS;
    const { settingsRevision } = this.#terms!;
    try {
      const answer = (await client.instances.update(
        name,
        {
          incarnation,
          ...statement,
          ...(settingsRevision === null ? {} : { settingsRevision }),
          ...(lease === undefined ? {} : { lease }),
        },
        call,
      )) as UpdateAnswer;
      if (hasRows) reports.settle(statement, answer);
      if (lease !== undefined) this.#adopt(answer.lease);
      return answer;
    } catch (error) {
      if (hasRows) reports.abandon();
      throw error;
    }
  }

  #stateLease(): LeaseStatement | undefined {
    const { table, clock, handlers } = this.#options;
    const { rights } = table;
    if (rights === null) return undefined;
    const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
    if (!rights.isFresh && rights.isOver(wallMs, monotonicMs)) handlers.onRightsLost();
    return rights.statement(wallMs, monotonicMs);
  }

  #adopt(answer: LeaseAnswer | undefined): void {
    const { table, handlers } = this.#options;
    if (answer === undefined || table.rights === null) return;
    if (table.rights.adopt(answer) === 'lost') handlers.onRightsLost();
  }

  #heard(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
  }

  #takeTerms(terms: InstanceTerms): void {
    const before = this.#terms;
    this.#terms = terms;
    this.#options.handlers.onTerms(terms, before);
  }

  /** A state file that cannot be written is no reason to stop. */
  async #keep(): Promise<void> {
    const { registrar, handlers } = this.#options;
    try {
      await registrar.heard(this.#terms!);
    } catch (error) {
      handlers.onNotice(`The state file could not be written: ${(error as Error).message}`);
    }
  }

  /** When the server knows nothing of this life, another one begins, with the same users. */
  #beginAnew(error: unknown): boolean {
    if (!(error instanceof ApiError) || this.#isStopped) return false;
    const { code } = error;
    const isBehind = code === 'incarnation-old' && this.#isBehind(error);
    if (!isBehind && code !== 'instance-not-found' && code !== 'instance-silent') return false;
    this.#options.registrar.end();
    this.#options.reports.restart();
    return true;
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    if (error instanceof ApiError && error.code === 'incarnation-old' && !this.#isBehind(error)) {
      void this.stop(false);
      this.#options.handlers.onReplaced(error);
      return;
    }
    this.#goOffline(error);
    this.#failures += 1;
    const retryMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures - 1, 10));
    this.#schedule(retryMs * (0.5 + Math.random() / 2));
  }

  /** Whether the server is at an earlier incarnation than this: it went back to what a backup knew. */
  #isBehind(error: ApiError): boolean {
    const { incarnation } = error.problem as { readonly incarnation?: unknown };
    return typeof incarnation === 'number' && incarnation < (this.#options.registrar.incarnation ?? 0);
  }

  #goOffline(error: Error): void {
    const wasOffline = this.#isOffline;
    this.#isOffline = true;
    if (!wasOffline) this.#options.handlers.onOffline(error);
  }
}
