/**
 * Logins of an instance under a leased key that wait until the server has said whether their users may have one
 * more connection, and what it has said.
 */

import type { LeaseAnswer, RefusedUser } from './leasestatements.ts';

interface Waiting {
  count: number;
  readonly login: string;
}

export class WaitingLogins {
  readonly #users = new Map<string, Waiting>();
  /** Users whom the last statement had no room for. */
  #unstated: string[] = [];
  #undecided = new Set<string>();
  #refused = new Map<string, RefusedUser>();

  /** The users for whom somebody waits. */
  get users(): Iterable<string> {
    return this.#users.keys();
  }

  /** How many logins of a user wait. */
  countOf(userId: string): number {
    return this.#users.get(userId)?.count ?? 0;
  }

  /** One of them, for the journal to name; undefined when there is none. */
  loginOf(userId: string): string | undefined {
    return this.#users.get(userId)?.login;
  }

  add(userId: string, login: string): void {
    const waiting = this.#users.get(userId);
    if (waiting) waiting.count += 1;
    else this.#users.set(userId, { count: 1, login });
    this.#refused.delete(userId);
  }

  /** @returns whether that was the last of the user. */
  remove(userId: string): boolean {
    const waiting = this.#users.get(userId);
    if (!waiting) return false;
    waiting.count -= 1;
    if (waiting.count > 0) return false;
    return this.#users.delete(userId);
  }

  /** Notes whom a statement names; for whom it had no room nothing will be decided. */
  stated(named: ReadonlySet<string>): void {
    this.#unstated = [...this.#users.keys()].filter((userId) => !named.has(userId));
  }

  answered({ pending = [], refused = [] }: LeaseAnswer): void {
    this.#undecided = new Set([...pending, ...this.#unstated]);
    this.#refused = new Map(refused.map((one) => [one.id, one]));
  }

  /** Forgets what the server has said; whoever waits goes on waiting. */
  forgetAnswers(): void {
    this.#undecided.clear();
    this.#refused.clear();
  }

  refusalOf(userId: string): RefusedUser | undefined {
    return this.#refused.get(userId);
  }

  /** What is to be asked: at once, for somebody of whom nothing was said yet; again soon; or nothing. */
  get asks(): 'now' | 'soon' | 'nothing' {
    let asks: 'soon' | 'nothing' = 'nothing';
    for (const userId of this.#users.keys()) {
      if (this.#undecided.has(userId)) asks = 'soon';
      else if (!this.#refused.has(userId)) return 'now';
    }
    return asks;
  }
}
