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

export interface Breaker {
  healthy(): boolean;
  onChange(listener: (healthy: boolean) => void): void;
  /**
   * Makes one call of the store.
   * @returns its answer; null at once while the store is away, and null after `timeoutMs` at the latest.
   * Never rejects.
   */
  call<T>(send: () => Promise<T>): Promise<T | null>;
  /** Declares the store away, for a reason that goes to the log. */
  trip(reason: string): void;
  /** Probes now instead of at the next interval; the promise ends with the probe. */
  probeNow(): Promise<void>;
  close(): void;
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
 * Makes a breaker. It begins away and probes every `probeIntervalMs`, also while the store is healthy, so
 * that an idle replica's readiness is true as well.
 */
export function createBreaker(options: BreakerOptions): Breaker {
  const { timeoutMs, logger } = options;
  const listeners: ((healthy: boolean) => void)[] = [];
  let isHealthy = false;
  let isClosed = false;
  let probing: Promise<void> | null = null;
  let lastSuccessMs = performance.now();

  function change(healthy: boolean, reason: string): void {
    if (isHealthy === healthy || isClosed) return;
    isHealthy = healthy;
    if (healthy) logger.info({ reason }, 'the coordination store is back');
    else logger.warn({ reason }, 'the coordination store is away');
    for (const listener of listeners) {
      try {
        listener(healthy);
      } catch (error) {
        logger.error({ err: error }, 'a listener of the coordination health failed');
      }
    }
  }

  async function runProbe(): Promise<void> {
    const outcome = await bounded(options.probe, timeoutMs);
    const nowMs = performance.now();
    if (outcome.ok) {
      lastSuccessMs = nowMs;
      change(true, 'a probe succeeded');
      return;
    }
    change(false, outcome.error.message);
    if (nowMs - lastSuccessMs >= options.stuckMs && !isClosed) {
      lastSuccessMs = nowMs;
      options.reconnect();
    }
  }

  function probeNow(): Promise<void> {
    if (isClosed) return Promise.resolve();
    probing ??= runProbe().finally(() => {
      probing = null;
    });
    return probing;
  }

  const interval = setInterval(probeNow, options.probeIntervalMs);

  return {
    healthy: () => isHealthy,
    onChange: (listener) => {
      listeners.push(listener);
    },
    async call(send) {
      if (!isHealthy) return null;
      const outcome = await bounded(send, timeoutMs);
      if (outcome.ok) return outcome.value;
      if (options.isOutage(outcome.error)) change(false, outcome.error.message);
      else logger.error({ err: outcome.error }, 'the coordination store refused a call');
      return null;
    },
    trip: (reason) => change(false, reason),
    probeNow,
    close: () => {
      isClosed = true;
      isHealthy = false;
      clearInterval(interval);
    },
  };
}
