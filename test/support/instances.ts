/** Instances against a real Lictor, in a time that tests move. */

import {
  type Client,
  createClient,
  LicenseInstance,
  type LicenseInstanceOptions,
} from '../../src/client/index.ts';
import type { Clock } from '../../src/client/instance-clock.ts';
import type { InstanceEvents } from '../../src/client/instance-events.ts';
import type { InstanceLogin, Verdict } from '../../src/client/instance-logins.ts';
import type { LocalRefusal } from '../../src/domain/local/localdecisions.ts';
import { ADMIN_TOKEN } from './http.ts';

/** A clock that stands until it is moved. */
export class ManualClock implements Clock {
  #wallMs = Date.UTC(2030, 0, 1, 12);
  #monotonicMs = 1_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many calls are to come. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets time pass, and calls back whoever is due, in order. */
  advance(milliseconds: number): void {
    const endMs = this.#monotonicMs + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#move(Math.max(0, next.atMs - this.#monotonicMs));
      next.callback();
    }
    this.#move(endMs - this.#monotonicMs);
  }

  /** The machine sleeps: only the clock on the wall goes on, and nobody is called. */
  suspend(milliseconds: number): void {
    this.#wallMs += milliseconds;
  }

  #move(milliseconds: number): void {
    this.#monotonicMs += milliseconds;
    this.#wallMs += milliseconds;
  }
}

/** What an instance told, in order. */
export type Told = {
  [Name in keyof InstanceEvents]: readonly [Name, ...InstanceEvents[Name]];
}[keyof InstanceEvents];

const EVENTS: readonly (keyof InstanceEvents)[] = [
  'refused',
  'nak',
  'ack',
  'over-limit',
  'offline',
  'online',
  'lost',
  'terms',
  'notice',
];

/** An instance, and what it told. */
export interface OpenedInstance {
  readonly instance: LicenseInstance;
  readonly clock: ManualClock;
  readonly told: Told[];
  /** The names of what it told. */
  names(): string[];
}

/** A client that gives up at once when nobody is there. */
export function impatientClient(url: string | readonly string[], token = ADMIN_TOKEN): Client {
  return createClient({ url, token, attemptsMax: 1, timeoutMs: 5_000 });
}

/** Opens an instance with a clock of its own. */
export async function openInstance(
  options: Omit<LicenseInstanceOptions, 'clock'> & { readonly clock?: ManualClock },
): Promise<OpenedInstance> {
  const clock = options.clock ?? new ManualClock();
  const instance = await LicenseInstance.open({ ...options, clock });
  const told: Told[] = [];
  for (const name of EVENTS) {
    instance.on(name, (...args: unknown[]) => {
      told.push([name, ...args] as unknown as Told);
    });
  }
  return { instance, clock, told, names: () => told.map(([name]) => name) };
}

/** @returns the login of a verdict that must be a grant. */
export function loggedIn(verdict: Verdict | { readonly is: 'ask' }): InstanceLogin {
  if (verdict.is === 'granted') return verdict;
  throw new Error(`a login was expected, not ${JSON.stringify(verdict)}`);
}

/** @returns a verdict that must be a refusal. */
export function refusedBy(verdict: Verdict | { readonly is: 'ask' }): LocalRefusal {
  if (verdict.is === 'refused') return verdict;
  throw new Error(`a refusal was expected, not a ${verdict.is}`);
}
