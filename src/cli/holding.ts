/**
 * Holding a licence while something runs: a leased login with an ID of this process's own, renewed on the client's
 * failover transport, taken again when it was lost, and given back in the end whatever became of it.
 */

import { randomUUID } from 'node:crypto';
import type { Client } from '../client/client.ts';
import type { LogInAnswer, LogInBody } from '../client/openapi.ts';
import { ApiError, UnreachableError } from '../client/problems.ts';

/** Refusals that end by themselves when somebody logs out, or an instance comes back. */
const WAITS_FOR: ReadonlySet<string> = new Set([
  'units-exhausted',
  'unit-limit-reached',
  'connection-limit-reached',
  'restart-required',
  'over-limit',
  'instance-silent',
]);
/** Answers to a sign of life after which there is nothing left to renew. */
const LOST: ReadonlySet<string> = new Set([
  'login-lost',
  'login-not-renewable',
  'login-not-found',
  'instance-not-found',
]);
/** A unit may come back before anybody can say so, so that nobody asks more rarely than this. */
const ASK_AGAIN_MAX_MS = 5_000;
const ASK_AGAIN_MIN_MS = 250;
/** How soon Lictor is asked again when it could not be reached. */
const AWAY_PAUSE_MS = 1_000;
const CALL_TIMEOUT_MIN_MS = 2_000;
const CALL_TIMEOUT_MAX_MS = 15_000;

/** What a holding needs. */
export interface HoldingOptions {
  readonly client: Client;
  /** Who logs in, with the length of the lease; the ID is made here. */
  readonly body: Omit<LogInBody, 'id'> & { readonly leaseSeconds: number };
  /** Waits, and no longer than until the signal. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
  /** Told in one sentence of what a person should know. */
  note(sentence: string): void;
  /** Told once that the licence is lost; true lets it be taken again. */
  onLost(reason: string): boolean;
}

/** A licence that is held. */
export class Holding {
  readonly #options: HoldingOptions;
  readonly #ending = new AbortController();
  #id: string = randomUUID();
  /** Until when it is held without another sign of life, by the monotonic clock in ms. */
  #heldUntilMs = 0;
  #isAwayTold = false;
  #isLost = false;
  #renewing: Promise<void> = Promise.resolve();

  /** @param options - see there. */
  constructor(options: HoldingOptions) {
    this.#options = options;
  }

  /**
   * Takes the licence. The same ID is asked for again and again, so that a lost answer costs no second unit.
   *
   * @param waitMs - how long to wait for a unit, or for a server that is away; 0 takes the first answer.
   * @param signal - ends the waiting; it rejects with the signal's reason.
   * @throws ApiError when it is refused, UnreachableError when nobody could be asked.
   */
  async take(waitMs: number, signal: AbortSignal): Promise<LogInAnswer> {
    const { client, body, note, pause } = this.#options;
    const deadlineMs = performance.now() + waitMs;
    let isTold = false;
    for (;;) {
      signal.throwIfAborted();
      const askedAtMs = performance.now();
      try {
        const login = await client.logins.create({ ...body, id: this.#id }, { signal });
        this.#held(askedAtMs, login.expiresInSeconds ?? body.leaseSeconds);
        return login;
      } catch (error) {
        const askAgainMs = askAgainAfterMs(error);
        if (askAgainMs === null) throw error;
        const leftMs = deadlineMs - performance.now();
        if (leftMs <= 0) throw error;
        if (!isTold) note(`${(error as Error).message} Waiting for at most ${Math.ceil(leftMs / 1000)} s.`);
        isTold = true;
        // Many that wait must not come back in one instant; the last attempt is made right at the end.
        await pause(Math.min(leftMs, askAgainMs * (0.75 + Math.random() / 2)), signal);
      }
    }
  }

  /**
   * Begins to renew the lease, and goes on until it is given back.
   * @param afterSeconds - when to begin, as the login says.
   */
  keep(afterSeconds: number): void {
    this.#renewing = this.#renew(afterSeconds * 1000);
  }

  /**
   * Gives the unit back. It can come before the login, which is then not granted any more.
   *
   * @param timeoutMs - how long to try.
   * @param signal - ends the trying.
   * @returns why that did not succeed; null when the unit is back.
   */
  async giveBack(timeoutMs: number, signal?: AbortSignal): Promise<Error | null> {
    this.#ending.abort();
    await this.#renewing;
    const { client, body } = this.#options;
    try {
      const limits = { timeoutMs, attemptsMax: Number.POSITIVE_INFINITY, signal };
      await client.logins.remove(this.#id, { instance: body.instance }, limits);
      return null;
    } catch (error) {
      // Where there is no such instance any more there is nothing to give back either.
      return error instanceof ApiError && LOST.has(error.code) ? null : (error as Error);
    }
  }

  #held(fromMs: number, seconds: number): void {
    this.#heldUntilMs = fromMs + seconds * 1000;
  }

  async #renew(firstMs: number): Promise<void> {
    const { signal } = this.#ending;
    let nextMs = firstMs;
    while (!signal.aborted) {
      await this.#options.pause(nextMs, signal);
      if (signal.aborted) return;
      nextMs = this.#isLost ? await this.#takeAgain() : await this.#beat();
    }
  }

  /** A sign of life. @returns when the next one is due, in milliseconds. */
  async #beat(): Promise<number> {
    const { client, body, note } = this.#options;
    const askedAtMs = performance.now();
    try {
      const renewed = await client.logins.heartbeat(
        this.#id,
        { instance: body.instance },
        this.#callOptions(),
      );
      this.#held(askedAtMs, renewed.expiresInSeconds);
      if (this.#isAwayTold) note('Lictor is reached again, and the licence is still held.');
      this.#isAwayTold = false;
      return renewed.heartbeatAfterSeconds * 1000;
    } catch (error) {
      return this.#ending.signal.aborted ? 0 : this.#takeNo(error as Error);
    }
  }

  /** A no, or none at all. Only what the server says, or a lease that it cannot renew, is a loss. */
  #takeNo(error: Error): number {
    const { note } = this.#options;
    const isOver = performance.now() > this.#heldUntilMs;
    const isNo = error instanceof ApiError && !isTemporary(error);
    if (isNo && (isOver || LOST.has(error.code))) return this.#lose(error.message);
    if (!this.#isAwayTold) {
      const leftSeconds = Math.max(0, Math.round((this.#heldUntilMs - performance.now()) / 1000));
      note(
        `The licence cannot be renewed now: ${error.message} It is held for another ${leftSeconds} s at least.`,
      );
    }
    this.#isAwayTold = true;
    return AWAY_PAUSE_MS;
  }

  #lose(reason: string): number {
    this.#isLost = true;
    this.#isAwayTold = false;
    if (!this.#options.onLost(reason)) {
      this.#ending.abort();
      return 0;
    }
    // The former ID is remembered as released, and would not be granted again.
    this.#id = randomUUID();
    return 0;
  }

  /** What was lost is taken again as soon as there is a unit, so that nothing goes on without one for long. */
  async #takeAgain(): Promise<number> {
    const { client, body, note } = this.#options;
    const askedAtMs = performance.now();
    try {
      const login = await client.logins.create({ ...body, id: this.#id }, this.#callOptions());
      this.#held(askedAtMs, login.expiresInSeconds ?? body.leaseSeconds);
      this.#isLost = false;
      note(`A licence is held again (login ${login.id}).`);
      return (login.heartbeatAfterSeconds ?? body.leaseSeconds / 3) * 1000;
    } catch {
      return ASK_AGAIN_MAX_MS;
    }
  }

  #callOptions() {
    const leaseMs = this.#options.body.leaseSeconds * 1000;
    const timeoutMs = Math.min(CALL_TIMEOUT_MAX_MS, Math.max(CALL_TIMEOUT_MIN_MS, leaseMs / 3));
    return { signal: this.#ending.signal, timeoutMs };
  }
}

/** After how long it is worth asking again, in milliseconds; null when it is of no use. */
function askAgainAfterMs(error: unknown): number | null {
  if (error instanceof UnreachableError) return AWAY_PAUSE_MS;
  if (!(error instanceof ApiError)) return null;
  if (!WAITS_FOR.has(error.code) && !isTemporary(error)) return null;
  const toldMs = (error.retryAfterSeconds ?? 1) * 1000;
  return Math.max(ASK_AGAIN_MIN_MS, Math.min(ASK_AGAIN_MAX_MS, toldMs));
}

function isTemporary({ status }: ApiError): boolean {
  return status === 503 || status === 429 || status >= 500;
}
