/** What a legacy method is called with, and what it comes to: the frame of `lictor license`. */

import type { Client } from '../../client/client.ts';
import { CliFault, EXIT } from '../faults.ts';
import type { World } from '../world.ts';

/** What the help is ordered by. */
export type Group =
  | 'Login and identity'
  | 'Limits'
  | 'Counters'
  | 'The key'
  | 'Activation'
  | 'Reports'
  | 'Queries'
  | 'Application licences';

/** A value, as ObjectScript prints it. */
export type Printed = string | number;

/** What a method came to. */
export interface Answered {
  /** What it returns; a list is printed one a line. */
  readonly value: Printed | readonly Printed[];
  /** What it gives back by reference, printed below as `Name=value`. */
  readonly output?: Readonly<Record<string, Printed>>;
  /** The exit status; 0 when left out. */
  readonly exit?: number;
  /** For the person at the terminal: written to standard error. */
  readonly note?: string;
}

/** A method of the legacy class. */
export interface LegacyMethod {
  readonly name: string;
  readonly group: Group;
  /** What it takes, in order; what stands in brackets may be left out. */
  readonly takes: readonly string[];
  /** What it gives back by reference. */
  readonly gives?: readonly string[];
  /** What it does, in a few words. */
  readonly words: string;
  /** What is otherwise here, or should be known; whole sentences. */
  readonly differences?: string;
  /** The command of Lictor that does the same or the nearest thing. */
  readonly nearest: string;
  /** Names that it had before. */
  readonly former?: readonly string[];
  /** Does it; null when what it has to say is written already. Without it there is no counterpart. */
  readonly run?: (call: LegacyCall) => Promise<Answered | null>;
}

/** The options of `lictor license`. */
export interface LicenseOptions {
  readonly instance?: string;
  readonly login?: string;
  readonly user?: string;
  readonly address?: string;
  readonly form?: 'c5' | 'table' | 'older' | 'newer';
  readonly generation?: 'cache' | 'iris';
  readonly out?: string;
}

/** How many instances are named when it is not said which is meant. */
const NAMED_MAX = 5;

/** One call of a method. */
export class LegacyCall {
  readonly world: World;
  readonly method: LegacyMethod;
  readonly options: LicenseOptions;
  /** Ends what is under way. */
  readonly ending = new AbortController();
  readonly #args: readonly string[];

  /**
   * @param world - where it runs.
   * @param method - what is called.
   * @param args - what it takes, without what it gives back by reference.
   * @param options - the options of the command line.
   */
  constructor(world: World, method: LegacyMethod, args: readonly string[], options: LicenseOptions) {
    this.world = world;
    this.method = method;
    this.#args = args;
    this.options = options;
  }

  /** An argument by its place from 0; undefined when it is left out or empty. */
  argument(place: number): string | undefined {
    return this.#args[place] || undefined;
  }

  /** @throws CliFault when the argument is left out. */
  required(place: number): string {
    const value = this.argument(place);
    if (value !== undefined) return value;
    throw this.misused(`${this.method.takes[place]} is left out.`);
  }

  /**
   * An argument that is a whole number.
   *
   * @param place - from 0.
   * @param max - the most that it may be.
   * @throws CliFault when it is none.
   */
  number(place: number, max: number): number | undefined {
    const text = this.argument(place);
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value <= max) return value;
    throw this.misused(`${this.method.takes[place]} must be a whole number from 0 to ${max}, not "${text}".`);
  }

  /** A fault of how the method is called. */
  misused(message: string): CliFault {
    return new CliFault(
      EXIT.usage,
      `${this.method.name}: ${message}`,
      `"lictor license Help ${this.method.name}" says what it takes.`,
    );
  }

  /** The client of the server. */
  client(): Promise<Client> {
    return this.world.client();
  }

  /**
   * The instance that is meant by "this instance": of `--instance`, of LICTOR_INSTANCE, of the profile, or the only
   * one that the token may see.
   *
   * @throws CliFault when there is none or several.
   */
  async instance(): Promise<string> {
    const stated = this.options.instance ?? (this.world.parts.env.LICTOR_INSTANCE || undefined);
    const named = stated ?? (await this.world.connection()).instance;
    if (named !== undefined) return named;
    const { items } = await (await this.client()).instances.list({ limit: NAMED_MAX });
    if (items.length === 1) return items[0]!.name;
    const names = items.map(({ name }) => name).join(', ');
    throw new CliFault(
      EXIT.usage,
      items.length === 0 ? 'No instance is registered.' : `It is not said which instance is meant: ${names}.`,
      'Give --instance or LICTOR_INSTANCE, or keep it with "lictor profile set NAME --instance INSTANCE".',
    );
  }

  /**
   * The login that stands for "this process".
   *
   * @throws CliFault when it is not said.
   */
  login(): string {
    if (this.options.login !== undefined) return this.options.login;
    throw new CliFault(
      EXIT.usage,
      `${this.method.name} is about the login of a process, and it is not said which.`,
      'Give --login; "lictor logins list" shows the logins. "lictor login --run" holds one while a command runs.',
    );
  }

  /**
   * The query that names the instance where it was stated, for a login whose ID several instances have.
   */
  where(): { readonly instance?: string } {
    const instance = this.options.instance ?? (this.world.parts.env.LICTOR_INSTANCE || undefined);
    return instance === undefined ? {} : { instance };
  }
}

/** The status that a method returns when all is well. */
export const STATUS_OK = 1;

/**
 * The status of a failure, as it is displayed.
 *
 * @param number - of the error; 5001 is the general one.
 */
export function statusText(words: string, number = 5001): string {
  return `ERROR #${number}: ${words}`;
}

/** 1 or 0. */
export function truthValue(is: boolean): 1 | 0 {
  return is ? 1 : 0;
}

const MS_PER_DAY = 86_400_000;

/**
 * The day of a date by the calendar of `$HOROLOG`, whose day 0 is 1840-12-31.
 *
 * @param date - in the form YYYY-MM-DD.
 */
export function horologDay(date: string): number {
  return Math.round((Date.parse(`${date}T00:00:00Z`) - Date.UTC(1840, 11, 31)) / MS_PER_DAY);
}
