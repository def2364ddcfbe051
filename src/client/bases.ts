/**
 * The base URLs of a client, and which of them is asked next: the first in the list that is well. One that
 * failed is left alone for a time that grows, and is then tried with a request of its own in the background, so
 * that no caller waits for a server that is still away. One that said when to come back is left alone until then.
 */

const BACK_OFF_FIRST_MS = 1_000;
const BACK_OFF_MAX_MS = 30_000;
/** The longest rest that a server can ask for. */
const REST_MAX_MS = 60_000;

/** One base URL and how it fared. */
export interface Base {
  /** Without a slash at its end. */
  readonly url: string;
  /** Whether the last thing known of it is a failure. */
  isDown: boolean;
  /** Failures since the last answer. */
  failures: number;
  /** While it is down: when it may be tried again, by the monotonic clock. */
  retryAtMs: number;
  /** Until when it asked to be left alone, by the monotonic clock. */
  restsUntilMs: number;
  isProbed: boolean;
}

/** Asks a base URL whether it is there; never rejects. */
export type Probe = (base: Base) => Promise<boolean>;

/** The base URLs of one client, in order of preference. */
export class Bases {
  readonly all: readonly Base[];
  readonly #probe: Probe;
  readonly #now: () => number;
  readonly #random: () => number;

  /**
   * @param urls - the base URLs, the preferred one first.
   * @param probe - asks one whether it is there.
   * @param now - the monotonic clock, in milliseconds.
   * @param random - between 0 and 1, for the jitter.
   * @throws TypeError when there is none, or one is not a plain http or https URL.
   */
  constructor(
    urls: readonly string[],
    probe: Probe,
    now: () => number = () => performance.now(),
    random: () => number = Math.random,
  ) {
    if (urls.length === 0) throw new TypeError('Give at least one base URL, such as http://127.0.0.1:8080.');
    this.all = [...new Set(urls.map(normalize))].map((url) => ({
      url,
      isDown: false,
      failures: 0,
      retryAtMs: 0,
      restsUntilMs: 0,
      isProbed: false,
    }));
    this.#probe = probe;
    this.#now = now;
    this.#random = random;
  }

  /**
   * Chooses whom to ask next.
   *
   * @param except - those that are not to be asked again now.
   * @returns the first that is well, else the one that has been down longest; null when all others rest.
   */
  choose(except: ReadonlySet<Base>): Base | null {
    const nowMs = this.#now();
    const candidates = this.all.filter((base) => !except.has(base) && base.restsUntilMs <= nowMs);
    const well = candidates.find((base) => !base.isDown);
    if (well === undefined) return candidates.sort((a, b) => a.retryAtMs - b.retryAtMs)[0] ?? null;
    for (const base of this.all) {
      if (base.isDown && !base.isProbed && base.retryAtMs <= nowMs) void this.#tryAgain(base);
    }
    return well;
  }

  /**
   * How long it is until the first of them has rested.
   *
   * @param except - those that do not count.
   * @returns milliseconds; 0 when one does not rest, and infinity when there is none.
   */
  restMs(except: ReadonlySet<Base>): number {
    const ends = this.all.filter((base) => !except.has(base)).map((base) => base.restsUntilMs);
    return Math.max(0, Math.min(...ends, Number.POSITIVE_INFINITY) - this.#now());
  }

  /** Notes that a base URL answered. */
  succeeded(base: Base): void {
    base.isDown = false;
    base.failures = 0;
  }

  /** Notes that a base URL failed: it is left alone for half to the whole of a time that doubles up to 30 s. */
  failed(base: Base): void {
    const backOffMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** Math.min(base.failures, 10));
    base.isDown = true;
    base.failures += 1;
    base.retryAtMs = this.#now() + backOffMs * (0.5 + this.#random() / 2);
  }

  /**
   * Notes that a base URL asked to be left alone.
   *
   * @param base - the base URL.
   * @param toldMs - for how long; up to a fifth is added, so that not everybody comes back in one instant.
   */
  rests(base: Base, toldMs: number): void {
    const restMs = Math.min(REST_MAX_MS, toldMs) * (1 + this.#random() / 5);
    base.restsUntilMs = Math.max(base.restsUntilMs, this.#now() + restMs);
  }

  async #tryAgain(base: Base): Promise<void> {
    base.isProbed = true;
    const isThere = await this.#probe(base);
    base.isProbed = false;
    // The failures stay counted until a call succeeds: one that answers probes only is tried ever more rarely.
    if (isThere) base.isDown = false;
    else this.failed(base);
  }
}

/** Brings a base URL into the form to which a path is appended. */
function normalize(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError(`The base URL ${JSON.stringify(withoutSecrets(text))} is not an http or https URL.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError(
      `The base URL of ${url.host} has credentials in it; give the token as token or tokenFile.`,
    );
  }
  if (url.search !== '' || url.hash !== '') {
    throw new TypeError(
      `The base URL ${url.origin}${url.pathname} must have neither a query nor a fragment.`,
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** What stands before an @ may be a password, also in what is no URL. */
function withoutSecrets(text: string): string {
  return text.replace(/^.*@/, '…@').replace(/[?#].*$/, '');
}
