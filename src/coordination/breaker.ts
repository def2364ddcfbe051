/**
 * Keeps an unreachable or slow store from slowing down the logins that only wish for its help: every call is
 * bounded in time, and once one has failed the others are answered at once until a probe has succeeded.
 */

/** Where the coordinator tells of its store. Pino's and Fastify's loggers fit. */
export interface CoordinationLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface BreakerOptions {
  readonly timeoutMs: number;
  readonly probeIntervalMs: number;
  /** Rejects when the store cannot serve. It is bounded by `timeoutMs` too. */
  readonly probe: () => Promise<unknown>;
  /** Asked to make a new connection when nothing has succeeded for `stuckMs`. */
  readonly reconnect: () => void;
  readonly stuckMs: number;
  /** Whether an error means that the store cannot serve, rather than that this one call was wrong. */
  readonly isOutage: (error: Error) => boolean;
  readonly logger: CoordinationLogger;
}

/** What a bounded call came to. */
type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Error };

/** Waits for an answer, at most `timeoutMs`. Never rejects. */
function bounded<T>(send: () => Promise<T>, timeoutMs: number): Promise<Outcome<T>> {
  return new Promise((resolve) => {
    const late = (): void => resolve({ ok: false, error: new Error(`no answer within ${timeoutMs} ms`) });
    // A process that was busy itself finds both the timer and the answer due: the answer is heard first.
    const timer = setTimeout(() => setImmediate(late), timeoutMs);
    send().then(
      (value) => {
        clearTimeout(timer);
        resolve({ ok: true, value });
      },
      (error: Error) => {
        clearTimeout(timer);
        resolve({ ok: false, error });
      },
    );
  });
}

/**
 * Stands between the coordinator and its store. It begins away and probes every `probeIntervalMs`, also
 * while the store is healthy, so that an idle replica's readiness is true as well.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #listeners: ((healthy: boolean) => void)[] = [];
  readonly #interval: NodeJS.Timeout;
  #isHealthy = false;
  #isClosed = false;
  #probing: Promise<void> | null = null;
  #lastSuccessMs = performance.now();

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#interval = setInterval(() => void this.probeNow(), options.probeIntervalMs);
  }

  healthy(): boolean {
    return this.#isHealthy;
  }

  onChange(listener: (healthy: boolean) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Makes one call of the store.
   * @returns its answer; null at once while the store is away, and null after `timeoutMs` at the latest.
   * Never rejects.
   */
  async call<T>(send: () => Promise<T>): Promise<T | null> {
    if (!this.#isHealthy) return null;
    const outcome = await bounded(send, this.#options.timeoutMs);
    if (outcome.ok) return outcome.value;
    if (this.#options.isOutage(outcome.error)) this.trip(outcome.error.message);
    else this.#options.logger.error({ err: outcome.error }, 'the coordination store refused a call');
    return null;
  }

  /** Declares the store away, for a reason that goes to the log. */
  trip(reason: string): void {
    if (this.#isHealthy) this.#options.logger.warn({ reason }, 'the coordination store is away');
    this.#change(false);
  }

  /** Probes now instead of at the next interval; the promise ends with the probe and never rejects. */
  probeNow(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = null;
    });
    return this.#probing;
  }

  /** Ends the probing. Every call is answered null from now on. */
  close(): void {
    this.#isClosed = true;
    this.#isHealthy = false;
    clearInterval(this.#interval);
  }

  async #probe(): Promise<void> {
    const { probe, timeoutMs, stuckMs, reconnect, logger } = this.#options;
    const outcome = await bounded(probe, timeoutMs);
    if (this.#isClosed) return;
    const nowMs = performance.now();
    if (outcome.ok) {
      this.#lastSuccessMs = nowMs;
      if (!this.#isHealthy) logger.info({}, 'the coordination store answers');
      this.#change(true);
      return;
    }
    this.trip(outcome.error.message);
    if (nowMs - this.#lastSuccessMs >= stuckMs) {
      this.#lastSuccessMs = nowMs;
      logger.warn({}, 'the connections to the coordination store are made anew');
      reconnect();
    }
  }

  #change(healthy: boolean): void {
    if (this.#isHealthy === healthy || this.#isClosed) return;
    this.#isHealthy = healthy;
    for (const listener of this.#listeners) {
      try {
        listener(healthy);
      } catch (error) {
        this.#options.logger.error({ err: error }, 'a listener of the coordination health failed');
      }
    }
  }
}
