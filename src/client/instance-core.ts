/**
 * What an instance consists of, and what follows from each thing that the server says: which table decides, who
 * waits, what is lost.
 */

import type { CapacityFault } from '../domain/grounds.ts';
import { LeaseRights } from '../domain/leases/leaserights.ts';
import { decideLocalLogout, identityFault, type LocalClaims } from '../domain/local/localdecisions.ts';
import { LocalReports } from '../domain/local/localreports.ts';
import { LocalLogin, LocalTable } from '../domain/local/localtable.ts';
import type { Problem } from '../domain/operations.ts';
import { InstanceApplications } from './applications.ts';
import type { Client } from './client.ts';
import { type CentralLogin, CentralLogins } from './instance-central.ts';
import type { Clock } from './instance-clock.ts';
import type { InstanceEvents, LossReason } from './instance-events.ts';
import { InstanceLink } from './instance-link.ts';
import type { InstanceLogin, InstanceLoginRequest, Verdict } from './instance-logins.ts';
import type { Registrar } from './instance-registration.ts';
import { capacityOfTerms, type InstanceTerms, sameTerms } from './instance-terms.ts';
import type { ApiError, ProblemCode } from './problems.ts';
import type { CallOptions } from './transport.ts';
import type { UpdateAnswer } from './updates.ts';

/** How long logins that the server decides may take to be told that they are out, in milliseconds. */
const FLUSH_TIMEOUT_MS = 10_000;
/** How long whoever asks waits for a server that is known to be away. */
const AWAY_TIMEOUT_MS = 1_000;

export interface CoreOptions {
  readonly client: Client;
  readonly name: string;
  readonly registrar: Registrar;
  readonly clock: Clock;
  /** For how many seconds new users are let in while the server is away. */
  readonly offline: number;
  readonly isBackground: boolean;
  /** Whether the logins that are in are kept, so that processes can be reported. */
  readonly tracksProcesses: boolean;
  readonly idPrefix: string;
  readonly tell: <Name extends keyof InstanceEvents>(name: Name, ...told: InstanceEvents[Name]) => void;
  readonly onReported: () => void;
}

export class InstanceCore {
  readonly registrar: Registrar;
  readonly table: LocalTable;
  readonly reports: LocalReports;
  readonly central: CentralLogins;
  readonly applications: InstanceApplications;
  readonly link: InstanceLink;
  /** Why nobody comes in any more; null while the instance goes on. */
  ended: Problem | null = null;
  isReplaced = false;
  /** Whether every login is for the server to decide. */
  asksAlways = true;
  readonly #options: CoreOptions;
  #terms: InstanceTerms | null = null;
  #cancelGate: (() => void) | null = null;
  #cancelTerm: (() => void) | null = null;
  #flushing: Promise<void> | null = null;
  #episode = '';

  constructor(options: CoreOptions) {
    const { client, name, registrar, clock, isBackground, idPrefix } = options;
    this.#options = options;
    this.registrar = registrar;
    this.table = new LocalTable({ instance: name, idPrefix });
    if (options.tracksProcesses) this.table.logins = new Set();
    this.table.checkTerm = () => this.checkTerm();
    this.reports = new LocalReports(this.table);
    this.central = new CentralLogins(client, name);
    this.applications = new InstanceApplications({
      client,
      name,
      ended: () => this.ended,
      report: () => this.link.report(),
      patienceMs: (timeoutMs) => this.patienceMs(timeoutMs),
    });
    this.link = new InstanceLink({
      client,
      name,
      registrar,
      clock,
      table: this.table,
      reports: this.reports,
      central: this.central,
      applications: this.applications,
      isBackground,
      handlers: {
        onTerms: (terms, before) => this.#takeTerms(terms, before),
        onAnswer: (answer) => this.#takeAnswer(answer),
        onOffline: (error) => this.#goOffline(error),
        onOnline: (silentMs) => options.tell('online', silentMs),
        onRightsLost: () => this.#lose('term-ended'),
        onCentralLost: (logins) => options.tell('lost', 'silent', logins.length),
        onReplaced: (error) => this.#replaced(error),
        onNotice: (notice) => options.tell('notice', notice),
      },
    });
  }

  get terms(): InstanceTerms {
    return this.#terms!;
  }

  /** Whether the server is to hear of something before the instance ends. */
  get hasToTell(): boolean {
    return this.hasToFlush || (!this.asksAlways && this.table.changed.length > 0);
  }

  #takeTerms(terms: InstanceTerms, before: InstanceTerms | null): void {
    const { table, reports } = this;
    this.#terms = terms;
    table.settings = terms.settings;
    table.capacity = capacityOfTerms(terms);
    if (terms.enforcement !== before?.enforcement) this.#changeEnforcement(terms);
    if (table.rights !== null) table.rights.connectionsPerUnitMax = terms.connectionsPerUnitMax;
    if (before === null || sameTerms(before, terms)) return;
    if (before.key !== terms.key) reports.requireFull();
    this.#options.tell('terms', terms, before);
  }

  #changeEnforcement({ enforcement, connectionsPerUnitMax }: InstanceTerms): void {
    const { table, reports } = this;
    // What the instance let in by itself nothing covers under another enforcement; what was leased covers itself.
    if (enforcement !== 'local' && table.rights === null && table.connections > 0) {
      this.#lose('enforcement-changed');
    }
    if (enforcement === 'local') table.rights = null;
    if (enforcement === 'leased') {
      const connectionsOf = (userId: string) => table.users.get(userId)?.connections ?? 0;
      table.rights ??= new LeaseRights({ connectionsOf, connectionsPerUnitMax });
    }
    this.asksAlways = enforcement === 'central';
    reports.requireFull();
  }

  #takeAnswer(answer: UpdateAnswer): void {
    const { tell } = this.#options;
    const { limit, inUse, overLimit } = answer;
    const isOver = !answer.acknowledged && answer.reason === 'over-limit';
    const wasOver = this.table.gates.overLimit !== null;
    this.table.gates = { overLimit: isOver ? { limit, inUse } : null, offline: null };
    this.#cancelGate?.();
    this.#armTerm();
    this.#options.onReported();
    if (isOver && !wasOver) tell('nak', { limit, inUse });
    if (!isOver && wasOver) tell('ack');
    const episode = overLimit === undefined ? '' : Object.values(overLimit).join();
    if (overLimit !== undefined && episode !== this.#episode) {
      tell('over-limit', { ...overLimit, limit, inUse });
    }
    this.#episode = episode;
    this.#dropRights();
  }

  /** What was leased under a key that is not leased any more goes back with the last who came in by it. */
  #dropRights(): void {
    const { table } = this;
    if (this.asksAlways && table.rights !== null && table.connections === 0) table.rights = null;
  }

  #goOffline(error: Error): void {
    this.#updateGate();
    this.#options.tell('offline', error);
  }

  /** Closes the gate for new users once the server has been away for so long as the policy says. */
  #updateGate(): void {
    this.#cancelGate?.();
    this.#cancelGate = null;
    if (!this.link.isOffline) return;
    const { offline, clock } = this.#options;
    const leftMs = offline * 1000 - this.link.silentMs;
    if (leftMs > 0) {
      this.#cancelGate = clock.after(leftMs, () => this.#updateGate());
      return;
    }
    this.table.gates = { ...this.table.gates, offline: { forSeconds: offline } };
  }

  /** Finds out whether the term of what is leased has ended; then whatever it covered is lost. */
  checkTerm(): void {
    const { rights } = this.table;
    const { clock } = this.#options;
    if (rights === null || rights.isFresh) return;
    if (rights.isOver(clock.wallMs(), clock.monotonicMs())) this.#lose('term-ended');
  }

  #armTerm(): void {
    this.#cancelTerm?.();
    this.#cancelTerm = null;
    const { rights } = this.table;
    if (rights === null || rights.isFresh || this.ended !== null) return;
    const { clock } = this.#options;
    const leftMs = rights.leftMs(clock.wallMs(), clock.monotonicMs());
    this.#cancelTerm = clock.after(leftMs, () => {
      this.checkTerm();
      this.#armTerm();
    });
  }

  #lose(reason: LossReason): void {
    const connections = this.table.loseAll();
    this.reports.requireFull();
    if (connections > 0) this.#options.tell('lost', reason, connections);
  }

  #replaced(error: ApiError): void {
    this.isReplaced = true;
    this.end({ is: 'problem', code: 'incarnation-old', detail: error.message });
    this.#options.tell('lost', 'replaced', this.loseAll());
  }

  /** Lets nobody in any more. */
  end(why: Problem): void {
    this.ended ??= why;
    this.#cancelGate?.();
    this.#cancelTerm?.();
  }

  /** @returns how many connections are held no longer. */
  loseAll(): number {
    return this.table.loseAll() + this.central.loseAll();
  }

  /** How long to wait for the server, of so many milliseconds: where it is known to be away, not for all of them. */
  patienceMs(timeoutMs: number): number {
    return this.link.isOffline ? Math.min(AWAY_TIMEOUT_MS, timeoutMs) : timeoutMs;
  }

  /**
   * Has the server decide a login.
   * @param claims - the same request as the instance itself would decide it.
   * @throws as `CentralLogins.logIn`.
   */
  async logInCentrally(
    request: InstanceLoginRequest,
    claims: LocalClaims,
    options: CallOptions & { readonly timeoutMs: number },
  ): Promise<Verdict> {
    const { central, link } = this;
    // Left to the server, who says nothing of himself would be whoever has this machine's address.
    const fault = identityFault(this.table, claims);
    if (fault !== null) return fault;
    const timeoutMs = this.patienceMs(options.timeoutMs);
    let verdict = await central.logIn(request, { ...options, timeoutMs });
    if (isRefusedFor(verdict, 'instance-silent') && this.ended === null) {
      // The machine was suspended, say: the instance registers anew, and asks once more.
      await this.link.report();
      verdict = await central.logIn(request, { ...options, timeoutMs });
    }
    // Whether the server is away is for the monitor to find out.
    if (isRefusedFor(verdict, 'server-unreachable') !== link.isOffline) link.wake();
    if (verdict.is !== 'granted' || this.ended === null) return verdict;
    // The instance was closed, or replaced, while the server decided.
    central.release(verdict as CentralLogin, false);
    return this.ended;
  }

  /**
   * Lets a login out. Where the server decided it, or has to take back units of applications, it is still to be told.
   * @param isOnePage - of a web session: it visited one page only.
   * @returns whether it was in.
   */
  letOut(login: InstanceLogin, isOnePage: boolean): boolean {
    if (!(login instanceof LocalLogin)) return this.central.release(login as CentralLogin, isOnePage);
    const wasIn = decideLocalLogout(this.table, login, this.#options.clock.monotonicMs(), isOnePage);
    if (wasIn) this.applications.letGo(login);
    return wasIn;
  }

  /** Whether anybody is out whom the server does not know to be out. */
  get hasToFlush(): boolean {
    return this.central.logoutsWaiting > 0 || this.applications.returnsWaiting > 0;
  }

  /** Tells the server of logouts that wait, together with those that come meanwhile. */
  flush(): Promise<void> {
    const { isBackground } = this.#options;
    const call = { timeoutMs: FLUSH_TIMEOUT_MS, isBackground };
    const flush = async () => {
      await this.central.flush(call);
      await this.applications.flush(call);
    };
    this.#flushing ??= flush().finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  /** Why a login that the instance let in itself cannot be traded while nothing more is leased. */
  nothingLeased(): Problem {
    const fault: CapacityFault | null = this.terms.fault;
    const why =
      fault === null ? 'its key is enforced otherwise now' : `its key cannot be used: ${fault.reason}`;
    return {
      is: 'problem',
      code: 'login-not-identifiable',
      detail: `Instance "${this.table.instance}" is leased no more units, because ${why} Log the user in with a login of his own.`,
    };
  }
}

function isRefusedFor(verdict: Verdict, code: ProblemCode): boolean {
  return verdict.is === 'refused' && verdict.code === code;
}
