/**
 * Getting a call to Lictor: which base URL, with which token, how often, and for how long. Only what can be
 * repeated without harm is repeated; a call ends with an answer, with Lictor's no, or at its deadline.
 */

import { randomBytes } from 'node:crypto';
import { attempt, type Failure, type Outcome } from './attempt.ts';
import { type Base, Bases } from './bases.ts';
import { type ApiError, type FailedAttempt, type ProblemCode, UnreachableError } from './problems.ts';
import type { TokenSource } from './tokens.ts';

const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 5_000;
/** Answers of a server that did nothing, so that also what cannot be repeated may go to another one. */
const NOT_DONE: ReadonlySet<ProblemCode> = new Set([
  'rate-limited',
  'queue-full',
  'shutting-down',
  'not-ready',
]);

/** What every call may say for itself. */
export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. What was sent may be done all the same. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take with everything, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** How long one attempt may take, in milliseconds. */
  readonly attemptTimeoutMs?: number | undefined;
  /** How many attempts at most; 1 for none after the first. */
  readonly attemptsMax?: number | undefined;
}

/** What the client itself wants of a call besides. */
export interface SendOptions extends CallOptions {
  /** Called when the call fails although an attempt may have been carried out. */
  readonly onUncertain?: (() => void) | undefined;
  /** Whether the process may end before the call does. */
  readonly isBackground?: boolean | undefined;
}

/** A call, ready to be sent. */
export interface Message {
  /** Its name in errors. */
  readonly operation: string;
  readonly method: string;
  /** With the query, without the base URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly answer: 'json' | 'text' | 'none';
  readonly answerStatuses: readonly number[];
  /** Whether sending it twice comes to the same as once. */
  readonly isRepeatable: boolean;
}

/** What a client's calls have in common. */
export interface TransportOptions {
  readonly urls: readonly string[];
  readonly tokens: TokenSource;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly attemptsMax: number;
  readonly bodyBytesMax: number;
  readonly fetch: typeof fetch;
  /** Told of each attempt that failed, also when the call succeeds in the end. */
  readonly onAttemptFailed?: ((attempt: FailedAttempt & { readonly operation: string }) => void) | undefined;
}

/** What is known while a call is under way. */
interface Course {
  readonly message: Message;
  readonly requestId: string;
  readonly signals: readonly AbortSignal[];
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
  readonly attemptsMax: number;
  readonly attempts: FailedAttempt[];
  /** Base URLs that gave an answer that is not Lictor's; they are not asked again in this call. */
  readonly foreign: Set<Base>;
  /** Base URLs that were asked since the last pause. */
  readonly asked: Set<Base>;
  readonly isBackground: boolean;
  pauses: number;
  isSent: boolean;
  isTokenFresh: boolean;
  lastNo: ApiError | null;
}

/** Sends the calls of one client. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #bases: Bases;
  readonly #closing = new AbortController();
  readonly #idPrefix = `${randomBytes(6).toString('base64url')}-`;
  #count = 0;

  /** @param options - see there. */
  constructor(options: TransportOptions) {
    this.#options = options;
    this.#bases = new Bases(options.urls, (base) => this.#probe(base));
  }

  /**
   * Sends a call until there is an answer.
   *
   * @param message - the call.
   * @param options - what the caller wants of it.
   * @returns the body of the answer.
   * @throws ApiError when Lictor says no; UnreachableError when it could not be reached; the reason of a signal.
   */
  async send(message: Message, options: SendOptions = {}): Promise<unknown> {
    const course = this.#begin(message, options);
    try {
      return await this.#run(course);
    } catch (error) {
      if (course.isSent) options.onUncertain?.();
      throw error;
    }
  }

  /** Ends every call under way; those after it reject. */
  close(): void {
    this.#closing.abort(new Error('The client is closed.'));
  }

  async #run(course: Course): Promise<unknown> {
    for (;;) {
      throwIfAborted(course.signals);
      const base = this.#bases.choose(new Set([...course.foreign, ...course.asked]));
      if (base === null) {
        await this.#pause(course);
        continue;
      }
      const outcome = await this.#attempt(base, course);
      if (outcome.is === 'answer') return outcome.body;
      if (outcome.is === 'aborted') {
        course.isSent = true;
        throw outcome.reason;
      }
      if (course.attempts.length >= course.attemptsMax) throw giveUp(course);
    }
  }

  #begin(message: Message, options: SendOptions): Course {
    const { timeoutMs, attemptTimeoutMs, attemptsMax } = this.#options;
    const { signal } = options;
    this.#count += 1;
    return {
      message,
      requestId: this.#idPrefix + this.#count.toString(36),
      signals: signal === undefined ? [this.#closing.signal] : [signal, this.#closing.signal],
      deadlineMs: performance.now() + atLeast('timeoutMs', options.timeoutMs ?? timeoutMs),
      attemptTimeoutMs: atLeast('attemptTimeoutMs', options.attemptTimeoutMs ?? attemptTimeoutMs),
      attemptsMax: atLeast('attemptsMax', options.attemptsMax ?? attemptsMax),
      attempts: [],
      foreign: new Set(),
      asked: new Set(),
      isBackground: options.isBackground ?? false,
      pauses: 0,
      isSent: false,
      isTokenFresh: false,
      lastNo: null,
    };
  }

  /** One attempt, and what follows from it for the base URL and for the call. */
  async #attempt(base: Base, course: Course): Promise<Outcome> {
    const token = await this.#options.tokens.current();
    const remainingMs = course.deadlineMs - performance.now();
    if (remainingMs <= 0) throw giveUp(course);
    const { message, requestId } = course;
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const outcome = await attempt(
      {
        method: message.method,
        url: base.url + message.path,
        headers: { ...message.headers, 'x-request-id': requestId, ...authorization },
        body: message.body,
      },
      {
        timeoutMs: Math.min(course.attemptTimeoutMs, remainingMs),
        bodyBytesMax: this.#options.bodyBytesMax,
        signals: course.signals,
        isBackground: course.isBackground,
        fetch: this.#options.fetch,
        answer: message.answer,
        answerStatuses: message.answerStatuses,
      },
    );
    if (outcome.is === 'answer') this.#bases.succeeded(base);
    if (outcome.is === 'failure') this.#takeFailure(base, course, outcome);
    if (outcome.is === 'problem') await this.#takeNo(base, course, outcome, token);
    return outcome;
  }

  #takeFailure(base: Base, course: Course, failure: Failure): void {
    this.#bases.failed(base);
    if (failure.retryAfterMs !== undefined) this.#bases.rests(base, failure.retryAfterMs);
    if (failure.isLasting) course.foreign.add(base);
    course.asked.add(base);
    course.isSent ||= failure.isSent;
    course.lastNo = null;
    this.#note(base, course, failure.reason, failure.status);
    if (failure.isSent && !course.message.isRepeatable) throw giveUp(course);
  }

  /** A no is the end of the call, unless it says that another time or another server would help. */
  async #takeNo(
    base: Base,
    course: Course,
    { error, retryAfterMs }: Extract<Outcome, { is: 'problem' }>,
    token: string | null,
  ): Promise<void> {
    this.#bases.succeeded(base);
    const { code, status, retryAfterSeconds } = error;
    if (status === 401 && !course.isTokenFresh) {
      course.isTokenFresh = true;
      if (await this.#options.tokens.refresh(token)) return;
    }
    const isTemporary = status === 503 || status === 429;
    if (!isTemporary || !(course.message.isRepeatable || NOT_DONE.has(code))) throw error;
    course.lastNo = error;
    course.isSent ||= !NOT_DONE.has(code);
    course.asked.add(base);
    this.#note(base, course, `answered ${status} ${code}`, status);
    const toldMs = retryAfterSeconds === undefined ? retryAfterMs : retryAfterSeconds * 1000;
    if (status === 503) {
      this.#bases.rests(base, toldMs ?? PAUSE_FIRST_MS);
    } else {
      // Whom a limit of rates has met should not ask at another door.
      await this.#wait(course, (toldMs ?? PAUSE_MAX_MS) * (1 + Math.random() / 5));
      course.asked.clear();
    }
  }

  #note(base: Base, course: Course, reason: string, status: number | undefined): void {
    const failed = { url: base.url, reason, ...(status === undefined ? {} : { status }) };
    course.attempts.push(failed);
    this.#options.onAttemptFailed?.({ ...failed, operation: course.message.operation });
  }

  /** After every base URL was asked: until the first of them has rested, and longer from time to time. */
  async #pause(course: Course): Promise<void> {
    if (course.foreign.size === this.#bases.all.length) throw giveUp(course);
    const restMs = this.#bases.restMs(course.foreign);
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** course.pauses) * (0.5 + Math.random() / 2);
    if (course.attempts.length === 0) {
      // Nobody was asked yet, because they all rest.
      if (performance.now() + restMs >= course.deadlineMs) throw this.#restError(course, restMs);
      await this.#wait(course, restMs);
    } else {
      await this.#wait(course, Math.max(restMs, pauseMs));
    }
    course.pauses = Math.min(course.pauses + 1, 16);
    course.asked.clear();
  }

  #restError(course: Course, restMs: number): UnreachableError {
    const reason = `asked to be left alone for another ${Math.ceil(restMs / 1000)} s`;
    for (const { url } of this.#bases.all) course.attempts.push({ url, reason });
    return giveUp(course) as UnreachableError;
  }

  /** Waits, unless the call would be over by then. */
  async #wait(course: Course, waitMs: number): Promise<void> {
    if (performance.now() + waitMs >= course.deadlineMs) throw giveUp(course);
    await pause(waitMs, course);
  }

  async #probe(base: Base): Promise<boolean> {
    const outcome = await attempt(
      { method: 'GET', url: `${base.url}/readyz`, headers: {}, body: undefined },
      {
        timeoutMs: this.#options.attemptTimeoutMs,
        bodyBytesMax: this.#options.bodyBytesMax,
        signals: [this.#closing.signal],
        isBackground: true,
        fetch: this.#options.fetch,
        answer: 'json',
        answerStatuses: [],
      },
    );
    // A proxy may keep the address to itself; then any answer of Lictor's must do.
    return outcome.is === 'answer' || (outcome.is === 'problem' && outcome.error.status < 500);
  }
}

/** What a call ends with that came to nothing: the server's own words, when it had any. */
function giveUp(course: Course): Error {
  const { message, requestId, attempts, isSent, lastNo } = course;
  // What only reads leaves nothing behind that could be in doubt.
  return (
    lastNo ?? new UnreachableError(message.operation, requestId, attempts, isSent && message.method !== 'GET')
  );
}

function throwIfAborted(signals: readonly AbortSignal[]): void {
  for (const signal of signals) signal.throwIfAborted();
}

/** Waits, and no longer than until one of the signals. */
function pause(waitMs: number, { signals, isBackground }: Course): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, waitMs);
  if (isBackground) timer.unref();
  const onAbort = () => resolve();
  for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true });
  return promise.then(() => {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
    throwIfAborted(signals);
  });
}

/** Every limit is at least 1; NaN would make a call that never ends. */
function atLeast(name: string, value: number): number {
  if (value >= 1) return value;
  throw new RangeError(`${name} must be at least 1, not ${value}.`);
}
