/**
 * The rights of an instance under a leased key, as the instance holds them: a block of units that it grants
 * from without asking, and entries of user IDs whose connections are on the server's account. It is the client
 * half of the lease protocol; `leases.ts` is the server's.
 *
 * The rule that everything rests on: the server's books are never below these rights. So the instance lowers
 * its rights *before* it states them, goes by what it stated until it is answered, and adopts only the answer
 * to its latest statement. Pure: the clocks are given.
 */

import type { ProblemCode } from '../errors.ts';
import { BlockDemand } from './blockdemand.ts';
import {
  INSTANCE_MARGIN,
  LEASE_ENTRIES_MAX,
  type LeaseAnswer,
  type LeaseStatement,
  type Margin,
  type RefusedUser,
  STATED_USERS_MAX,
  type StatedUser,
} from './leasestatements.ts';
import { LeaseTerm } from './leaseterm.ts';
import { WaitingLogins } from './leasewaiting.ts';

/**
 * By what a further connection would be covered: by its user's allowance, by a unit of the block, or by nothing,
 * so that the server must be asked.
 */
export type Coverage = 'allowance' | 'block' | 'ask';

/** What an answer made of the rights. */
export type Adoption =
  /** They are as the server says. */
  | 'adopted'
  /** It answers an earlier statement, or none that is open; nothing changed. */
  | 'late'
  /** Nothing changed; the next statement is whole. State it at once. */
  | 'restate'
  /** The server knows of no such rights: everything is lost. */
  | 'lost';

export interface LeaseRightsOptions {
  /** @returns the connections of a user ID on this instance, by its local table. */
  readonly connectionsOf: (userId: string) => number;
  /** The connections that one unit serves under the key. */
  readonly connectionsPerUnitMax: number;
  /** Idle units to keep at least, when there are enough; 1 unless stated. */
  readonly reserveUnitsMin?: number;
  /** Entries at most; connections of every other user cost a unit each. */
  readonly entriesMax?: number;
  readonly margin?: Margin;
}

/** After so long an instance says what it was asked for, and asks again for what was not decided, in milliseconds. */
const SOON_MS = 1_000;
/** An allowance is asked for or given back when it is off by this many connections, not at every login. */
const SPARE_CONNECTIONS = 2;

export class LeaseRights {
  readonly #connectionsOf: (userId: string) => number;
  readonly #entriesMax: number;
  readonly #term: LeaseTerm;
  readonly #demand: BlockDemand;
  #connectionsPerUnitMax: number;
  #units = 0;
  #used = 0;
  readonly #entries = new Map<string, number>();
  /** Users with an entry whose connections changed since the last answer. */
  readonly #changed = new Set<string>();
  /** Those of them who lost one, or need none after all: what they do not need goes back, for it may cost units. */
  readonly #lessened = new Set<string>();
  /** Users without an entry who have several connections, each of which costs a unit until they have one. */
  readonly #several = new Set<string>();
  /** Users with an entry who were not given what was wanted for them. */
  readonly #unsatisfied = new Set<string>();
  /** What the last statement wanted, by user. */
  readonly #wanted = new Map<string, number>();
  readonly #held = new Set<string>();
  readonly #waiting = new WaitingLogins();
  #sequence = 0;
  #revision = 0;
  #outstanding = 0;
  #intervalMs = Number.POSITIVE_INFINITY;
  #isFresh = true;
  #isWhole = true;
  #isScarce = false;
  #closed: ProblemCode | null = null;

  constructor(options: LeaseRightsOptions) {
    this.#connectionsOf = options.connectionsOf;
    this.#connectionsPerUnitMax = options.connectionsPerUnitMax;
    this.#entriesMax = options.entriesMax ?? LEASE_ENTRIES_MAX;
    this.#term = new LeaseTerm(options.margin ?? INSTANCE_MARGIN);
    this.#demand = new BlockDemand(options.reserveUnitsMin ?? 1);
  }

  /** The units of the block. */
  get units(): number {
    return this.#units;
  }

  /** The units of the block that are in use: one for each connection of a user without an entry. */
  get used(): number {
    return this.#used;
  }

  /** User IDs with the connections that they may have here on the server's account. */
  get entries(): ReadonlyMap<string, number> {
    return this.#entries;
  }

  /** The number of the last statement. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether nothing is held, so that the next statement says so. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** Why the server grants nothing more; null when it does. */
  get closed(): ProblemCode | null {
    return this.#closed;
  }

  get connectionsPerUnitMax(): number {
    return this.#connectionsPerUnitMax;
  }

  /** Takes over another number of the key; smaller or larger, what is held stays held. */
  set connectionsPerUnitMax(connections: number) {
    this.#connectionsPerUnitMax = connections;
  }

  /**
   * Whether the term has ended: whatever is in is lost then, and nothing may be granted. Looked at before every
   * decision. Whoever learns it first calls `lose`.
   * @param wallMs - the machine's wall clock, ms since 1970, which goes on while the machine is suspended.
   * @param monotonicMs - a clock that nobody sets.
   */
  isOver(wallMs: number, monotonicMs: number): boolean {
    return this.#term.isOver(wallMs, monotonicMs);
  }

  /** How much of the term is left, in milliseconds; 0 when it has ended. */
  leftMs(wallMs: number, monotonicMs: number): number {
    return this.#term.leftMs(wallMs, monotonicMs);
  }

  /**
   * By what one more connection of a user would be covered. The term must be looked at before.
   * @param connections - what he has here.
   */
  coverage(userId: string, connections: number): Coverage {
    if (this.#closed !== null) return 'ask';
    const allowance = this.#entries.get(userId);
    if (allowance !== undefined) return connections < allowance ? 'allowance' : 'ask';
    // Beyond what one unit serves it is for the server to say whether the ID transitions (F-32).
    return this.#used < this.#units && connections < this.#connectionsPerUnitMax ? 'block' : 'ask';
  }

  /**
   * Notes a connection that was let in by its coverage.
   * @param connections - what the user had before.
   */
  connect(userId: string, connections: number): void {
    if (this.#entries.has(userId)) {
      this.#changed.add(userId);
      if (connections === 0) this.#demand.asked();
      return;
    }
    this.#used += 1;
    this.#demand.used(this.#used);
    if (connections === 1) this.#several.add(userId);
  }

  /**
   * Notes that a connection went. Not for one that was declared lost: its right went with it.
   * @param connections - what the user had before.
   */
  disconnect(userId: string, connections: number): void {
    if (this.#entries.has(userId)) {
      this.#changed.add(userId);
      this.#lessened.add(userId);
      return;
    }
    this.#used -= 1;
    if (connections === 2) this.#several.delete(userId);
  }

  /** Notes that a login waits until the server has said whether its user may have one more connection. */
  wait(userId: string, login: string): void {
    this.#waiting.add(userId, login);
  }

  /** Notes that a login waits no longer, because it came in, was refused, or was given up. */
  unwait(userId: string): void {
    if (!this.#waiting.remove(userId) || !this.#entries.has(userId)) return;
    this.#changed.add(userId);
    this.#lessened.add(userId);
  }

  /** @returns why the last answer refused one more connection of a user; undefined when it did not. */
  refusalOf(userId: string): RefusedUser | undefined {
    return this.#waiting.refusalOf(userId);
  }

  /**
   * When the next statement should be made, while none is on its way.
   * @returns milliseconds from the last answer on; 0 is at once.
   */
  get nextStatementMs(): number {
    // Whoever is asked to hold somebody goes over to another key when it has said that it does.
    if (this.#closed !== null)
      return this.#held.size > 0 ? Math.min(SOON_MS, this.#intervalMs) : this.#intervalMs;
    if (this.#isFresh || this.#isWhole) return 0;
    const { asks } = this.#waiting;
    if (asks === 'now') return 0;
    const isExhausted = this.#used === this.#units && !this.#isScarce;
    const isSoon = asks === 'soon' || this.#held.size > 0 || isExhausted;
    return isSoon ? Math.min(SOON_MS, this.#intervalMs) : this.#intervalMs;
  }

  /**
   * Lowers the rights to what is needed, and states them. From now on they are what it says. To send it again
   * unchanged, as after a time-out, is no new statement.
   * @param wallMs - read *before* it is sent, as is `monotonicMs`: the term is counted from them.
   * @returns the statement; one that says `fresh` means that everything is lost, if anything was held.
   */
  statement(wallMs: number, monotonicMs: number): LeaseStatement {
    if (this.#term.isOver(wallMs, monotonicMs) || this.#isSpent) this.lose();
    this.#sequence += 1;
    this.#outstanding = this.#sequence;
    this.#term.sent(wallMs, monotonicMs);
    const users = this.#stateUsers();
    const reserve = this.#demand.reserve(this.#used, monotonicMs);
    const wanted = this.#closed === null ? this.#used + reserve : this.#used;
    this.#units = Math.min(this.#units, this.#isScarce ? this.#used : wanted);
    const [whole, fresh] = [this.#isWhole, this.#isFresh];
    // Until this is answered nobody knows which revision the server has, so that the next is whole again.
    this.#isWhole = true;
    return {
      sequence: this.#sequence,
      ...(fresh ? { fresh: true as const } : {}),
      basis: fresh ? 0 : this.#revision,
      ...(whole || fresh ? { whole: true as const } : {}),
      units: this.#units,
      wanted,
      users,
    };
  }

  /** Whether nothing more is granted and nothing is in use: another key, or none, is begun with afresh. */
  get #isSpent(): boolean {
    if (this.#closed === null || this.#used > 0) return false;
    for (const userId of this.#entries.keys()) if (this.#connectionsOf(userId) > 0) return false;
    return true;
  }

  #stateUsers(): StatedUser[] {
    this.#wanted.clear();
    const users: StatedUser[] = [];
    const whole = this.#isWhole || this.#isFresh;
    const named = new Set<string>();
    const state = (userId: string) => {
      const isKnown = this.#entries.has(userId);
      if (named.has(userId) || !(isKnown ? whole || named.size < STATED_USERS_MAX : this.#mayPin(named.size)))
        return;
      named.add(userId);
      const user = this.#state(userId, whole);
      if (!user) return;
      users.push(user);
      this.#wanted.set(userId, user.wanted);
    };
    for (const userId of this.#waiting.users) state(userId);
    this.#waiting.stated(named);
    for (const userId of this.#held) state(userId);
    for (const userId of [...this.#several]) state(userId);
    for (const userId of whole ? [...this.#entries.keys()] : this.#changed) state(userId);
    for (const userId of this.#unsatisfied) if (this.#entries.has(userId)) state(userId);
    for (const userId of named) {
      this.#unsatisfied.delete(userId);
      this.#changed.delete(userId);
      this.#lessened.delete(userId);
    }
    return users;
  }

  /** Whether one more entry may be made in a statement that names so many users. */
  #mayPin(named: number): boolean {
    return this.#entries.size < this.#entriesMax && named < STATED_USERS_MAX;
  }

  /** Lowers what is held of one user ID, or pins it. */
  #state(userId: string, whole: boolean): StatedUser | null {
    const connections = this.#isFresh ? 0 : this.#connectionsOf(userId);
    const needed = connections + this.#waiting.countOf(userId);
    const login = this.#waiting.loginOf(userId);
    const isHeld = this.#held.has(userId);
    const before = this.#entries.get(userId);
    const isExact = isHeld || before === undefined || this.#lessened.has(userId);
    const allowance = isExact ? connections : before;
    if (before === undefined) {
      this.#used -= connections;
      this.#units -= connections;
      this.#several.delete(userId);
    }
    this.#entries.set(userId, allowance);
    const hasSpare = allowance - needed >= SPARE_CONNECTIONS || needed === 0;
    const wanted = isHeld || hasSpare ? Math.max(needed, allowance) : this.#withSpare(needed);
    if (!whole && !isHeld && before === allowance && wanted <= allowance) return null;
    return { id: userId, allowance, needed, wanted, ...(login === undefined ? {} : { login }) };
  }

  /** The allowance that spares a user with so many connections from asking for the next few. */
  #withSpare(connections: number): number {
    if (connections === 0 || connections >= this.#connectionsPerUnitMax) return connections;
    const spare = SPARE_CONNECTIONS + (connections >> 1);
    return Math.min(this.#connectionsPerUnitMax, connections + spare);
  }

  /**
   * Takes over an answer of the server.
   * @returns what it made of the rights; only the answer to the latest statement makes anything of them.
   */
  adopt(answer: LeaseAnswer): Adoption {
    if (answer.sequence !== this.#outstanding) return 'late';
    this.#outstanding = 0;
    if (answer.unknown) {
      this.lose();
      return 'lost';
    }
    if (answer.restate) return 'restate';
    this.#closed = answer.closed ?? null;
    this.#intervalMs = answer.nextStatementAfterSeconds * 1000;
    if (answer.id === undefined) return 'adopted';
    this.#isFresh = false;
    this.#isWhole = false;
    this.#revision = answer.revision;
    this.#units = answer.units;
    this.#isScarce = answer.scarce;
    if (answer.whole) this.#entries.clear();
    for (const { id, allowance } of answer.allowances) this.#entries.set(id, allowance);
    for (const id of answer.dropped ?? []) this.#drop(id);
    // Whoever did not get what would spare him from asking is stated again, after the others.
    for (const [id, wanted] of this.#wanted) {
      if ((this.#entries.get(id) ?? wanted) < wanted) this.#unsatisfied.add(id);
    }
    this.#held.clear();
    for (const id of answer.held ?? []) this.#held.add(id);
    this.#waiting.answered(answer);
    this.#term.granted(answer.termMs);
    return 'adopted';
  }

  /** A user whose entry is no more is like any other again. */
  #drop(userId: string): void {
    for (const users of [this.#entries, this.#changed, this.#lessened, this.#wanted]) users.delete(userId);
  }

  /**
   * Gives everything up: the term has ended, or the server knows nothing of it. The caller declares every login
   * lost that cost a unit. The next statement is a fresh one.
   */
  lose(): void {
    this.#units = 0;
    this.#used = 0;
    this.#entries.clear();
    this.#changed.clear();
    this.#lessened.clear();
    this.#several.clear();
    this.#unsatisfied.clear();
    this.#wanted.clear();
    this.#held.clear();
    this.#waiting.forgetAnswers();
    this.#outstanding = 0;
    this.#isFresh = true;
    this.#isWhole = true;
    this.#demand.restart();
    this.#term.end();
  }
}
