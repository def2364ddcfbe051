/**
 * The sidecar's place in the roster of licence servers: it gives signs of life for its entry and learns whether
 * it is the active one. It believes so only until the time that it was told is over, counted from before it
 * asked, by the clock that moved further; so that two never act at once (F-82).
 */

import type { Client } from '../client/client.ts';
import type { Operations } from '../client/openapi.ts';
import { ApiError } from '../client/problems.ts';
import type { CallOptions } from '../client/transport.ts';
import type { RedirectBody } from './answers.ts';

/** Whether this sidecar acts, and if not, who does. */
export type Role =
  | { readonly is: 'active' }
  | { readonly is: 'standby'; readonly active: RedirectBody }
  /** Nobody is known to be active. */
  | { readonly is: 'unknown' };

/** Where the roster stands. */
export interface Roster {
  role(): Role;
  /** Every licence server as lines of `name`, `address`, `port` and `state`. */
  list(): Promise<readonly RosterLine[]>;
}

/** One licence server. */
export interface RosterLine {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly state: string;
}

/** What beats tell about themselves; a pino logger fits. */
export interface RosterLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

type BeatAnswer = Operations['beatLicenseServer']['answer'];

/** How long to wait after a beat that failed. */
const RETRY_MS = 1_000;
const COMPLAINT_INTERVAL_MS = 60_000;
/** How long what was heard of another active server is passed on. */
const HEARSAY_MS = 30_000;
/** How much earlier than told the sidecar stops acting, for what a clock may be wrong by. */
const MARGIN_MS = 250;

/**
 * The role of a sidecar that serves no entry: it always acts.
 * @param place - where it receives, asked when somebody wants to know.
 */
export function alone(place: () => RosterLine): Roster {
  return { role: () => ({ is: 'active' }), list: async () => [place()] };
}

/** Gives signs of life for an entry of the roster. */
export class Beats implements Roster {
  readonly #client: Client;
  readonly #name: string;
  readonly #holder: string;
  readonly #logger: RosterLogger;
  readonly #closing = new AbortController();
  #role: Role = { is: 'unknown' };
  /** Until when the role holds, by the wall and by the monotonic clock. */
  #untilMs: readonly [wall: number, monotonic: number] = [0, 0];
  #loop: Promise<void> = Promise.resolve();
  #complaint: { readonly reason: string; readonly atMs: number } = { reason: '', atMs: 0 };

  /**
   * @param options.client - with a token that may serve the roster.
   * @param options.name - of the entry.
   * @param options.holder - the ID of this process.
   */
  constructor(options: {
    readonly client: Client;
    readonly name: string;
    readonly holder: string;
    readonly logger: RosterLogger;
  }) {
    this.#client = options.client;
    this.#name = options.name;
    this.#holder = options.holder;
    this.#logger = options.logger;
  }

  /** Begins to give signs of life, until `close`. */
  start(): void {
    this.#loop = this.#run();
  }

  role(): Role {
    const [wall, monotonic] = this.#untilMs;
    return Date.now() < wall && performance.now() < monotonic ? this.#role : { is: 'unknown' };
  }

  async list(): Promise<readonly RosterLine[]> {
    return (await this.#client.licenseServers.list()).items;
  }

  /** Stops acting, and then says so, so that another can take over at once. */
  async close(): Promise<void> {
    const wasActive = this.role().is === 'active';
    this.#untilMs = [0, 0];
    this.#closing.abort();
    await this.#loop;
    if (!wasActive) return;
    try {
      await this.#send({ resign: true }, {});
    } catch (error) {
      this.#logger.warn({ err: error }, 'Lictor could not be told that this licence server ends.');
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) await pause(await this.#beat(signal), signal);
  }

  /** @returns when to beat again, in milliseconds. */
  async #beat(signal: AbortSignal): Promise<number> {
    const before = [Date.now(), performance.now()] as const;
    try {
      const answer = await this.#send({}, { signal });
      this.#complaint = { reason: '', atMs: 0 };
      if (!signal.aborted) this.#adopt(answer, before);
      return answer.beatAfterSeconds * 1000;
    } catch (error) {
      if (!signal.aborted) this.#complain(error);
      return RETRY_MS;
    }
  }

  /** The same fault is told once a minute: a name that is not in the roster would fill the log otherwise. */
  #complain(error: unknown): void {
    const reason = error instanceof ApiError ? error.code : 'unreachable';
    const nowMs = performance.now();
    if (reason === this.#complaint.reason && nowMs - this.#complaint.atMs < COMPLAINT_INTERVAL_MS) return;
    this.#complaint = { reason, atMs: nowMs };
    this.#logger.warn({ err: error, server: this.#name }, 'A sign of life in the roster failed.');
  }

  #send(members: { readonly resign?: true }, options: CallOptions): Promise<BeatAnswer> {
    const body = { holder: this.#holder, ...members };
    return this.#client.licenseServers.beat(this.#name, body, { attemptsMax: 1, ...options });
  }

  #adopt(answer: BeatAnswer, [wall, monotonic]: readonly [number, number]): void {
    const { active, activeServer, expiresInSeconds = 0, token } = answer;
    const was = this.#role.is;
    if (active) this.#role = { is: 'active' };
    else
      this.#role = activeServer === undefined ? { is: 'unknown' } : { is: 'standby', active: activeServer };
    const holdsMs = active ? expiresInSeconds * 1000 - MARGIN_MS : HEARSAY_MS;
    this.#untilMs = [wall + holdsMs, monotonic + holdsMs];
    if (this.#role.is !== was) {
      this.#logger.info(
        { server: this.#name, role: this.#role.is, token, activeServer },
        'The role of this licence server.',
      );
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}
