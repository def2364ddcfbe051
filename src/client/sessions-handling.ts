/**
 * What the plugin and the middleware have in common: how a request is licensed, and what is answered where no
 * unit is free.
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { LocalRefusal } from '../domain/local/localdecisions.ts';
import type { Problem } from '../domain/operations.ts';
import { ApiError } from './problems.ts';
import { type LicensedSession, WebSessions, type WebSessionsOptions } from './sessions.ts';
import {
  type Cookie,
  type CookieOptions,
  clearCookie,
  cookieOf,
  readCookie,
  setCookie,
} from './sessions-cookies.ts';

/**
 * How a request is licensed: by the web session that it belongs to, as one call of its own that holds a unit for
 * ten seconds, or not at all.
 */
export type RequestLicensing = 'session' | 'request' | 'none';

/** What of a request the options may look at; the request of every framework has it. */
export interface LicensedRequest {
  readonly url?: string | undefined;
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** What web requests are licensed with. */
export interface LicenseSessionsOptions<Request = LicensedRequest> extends WebSessionsOptions {
  /** The cookie of a session; safe for HTTPS when left out. */
  readonly cookie?: CookieOptions | undefined;
  /**
   * The session ID of a request where the application has sessions of its own; undefined for a request that has
   * none, which is not licensed then. No cookie is set.
   */
  readonly sessionId?: ((request: Request) => string | undefined) | undefined;
  /** How a request is licensed; `session` for every one when left out. Static files and probes want `none`. */
  readonly licensing?: ((request: Request) => RequestLicensing) | undefined;
  /** The page that is answered, with 503, where no unit is free: HTML as it stands. */
  readonly refusedPage?: string | undefined;
}

/** An answer without a unit. */
export interface RefusedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Refusals that say what they say on the page: somebody has to leave first. Anything else is for the operator. */
const TAKEN: ReadonlySet<string> = new Set([
  'units-exhausted',
  'unit-limit-reached',
  'restart-required',
  'connection-limit-reached',
  'over-limit',
]);
const TITLE_TAKEN = 'No licence is free';
const TITLE_OTHER = 'No licence can be given';
const WORDS_TAKEN =
  'All licences of this application are in use just now. Please try again in a few minutes.';
const WORDS_OTHER = 'This application gets no licence just now. Please try again in a few minutes.';

const pageOf = (title: string, words: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}</style>
<h1>${title}</h1>
<p>${words}</p>
</html>
`;
const PAGE_TAKEN = pageOf(TITLE_TAKEN, WORDS_TAKEN);
const PAGE_OTHER = pageOf(TITLE_OTHER, WORDS_OTHER);

/** What a request came to, for whoever answers it. */
export type Handled =
  | { readonly is: 'session'; readonly session: LicensedSession; readonly cookie: string | null }
  | { readonly is: 'request'; readonly leave: () => void }
  | { readonly is: 'none' }
  | { readonly is: 'refused'; readonly answer: RefusedAnswer };

/** Licenses the requests of an application. */
export class SessionHandling<Request extends LicensedRequest> {
  readonly sessions: WebSessions;
  readonly #options: LicenseSessionsOptions<Request>;
  readonly #cookie: Cookie;

  /** @throws TypeError; RangeError for options that are none. */
  constructor(options: LicenseSessionsOptions<Request>) {
    if (typeof options?.instance?.webSession !== 'function')
      throw new TypeError('Give the option instance, which LicenseInstance.open returns.');
    this.#options = options;
    this.#cookie = cookieOf(options.cookie);
    this.sessions = new WebSessions(options);
  }

  /**
   * Licenses a request.
   * @throws Error when the server takes no requests of the application; what it said is the cause, and no matter of
   * the visitor, who is not the one who lacks a permission.
   */
  async take(request: Request): Promise<Handled> {
    try {
      return await this.#take(request);
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      throw new Error('The request could not be licensed; the cause says why.', { cause });
    }
  }

  async #take(request: Request): Promise<Handled> {
    const licensing = this.#options.licensing?.(request) ?? 'session';
    if (licensing === 'none') return { is: 'none' };
    if (licensing === 'request') return this.#takeCall(request);
    const { sessionId } = this.#options;
    const id =
      sessionId === undefined ? readCookie(request.headers.cookie, this.#cookie) : sessionId(request);
    if (sessionId !== undefined && id === undefined) return { is: 'none' };
    const entry = await this.sessions.enter(id, sessionId !== undefined);
    if (entry.is !== 'session') return { is: 'refused', answer: this.#refuse(request, entry) };
    const isTold = entry.naming !== 'made' || entry.id === id;
    const cookie = isTold ? null : this.cookieFor(entry);
    return { is: 'session', session: entry, cookie };
  }

  async #takeCall(request: Request): Promise<Handled> {
    const { instance } = this.#options;
    const verdict = await instance.login({ sessionless: true });
    if (verdict.is !== 'granted') return { is: 'refused', answer: this.#refuse(request, verdict) };
    return { is: 'request', leave: () => void instance.release(verdict) };
  }

  /** Whether sessions are told by a cookie of the plugin's own. */
  get hasCookie(): boolean {
    return this.#options.sessionId === undefined;
  }

  /** @returns the header `Set-Cookie` for a session as it is. */
  cookieFor(session: LicensedSession): string {
    return session.hasEnded ? clearCookie(this.#cookie) : setCookie(this.#cookie, session.id);
  }

  /** A static page, which needs no unit (trap 10); for programs, the problem. */
  #refuse({ headers }: LicensedRequest, { code, detail, ...refusal }: LocalRefusal | Problem): RefusedAnswer {
    const retryAfterSeconds = 'retryAfterSeconds' in refusal ? refusal.retryAfterSeconds : 10;
    const common = {
      'cache-control': 'no-store',
      'retry-after': String(Math.ceil(retryAfterSeconds)),
      vary: 'accept',
    };
    const isTaken = TAKEN.has(code);
    const accept = headers.accept ?? '';
    if (accept.includes('json') && !accept.includes('text/html')) {
      const problem = {
        title: isTaken ? TITLE_TAKEN : TITLE_OTHER,
        status: 503,
        code,
        detail,
        retryAfterSeconds,
      };
      const type = { 'content-type': 'application/problem+json; charset=utf-8' };
      return { status: 503, headers: { ...common, ...type }, body: JSON.stringify(problem) };
    }
    const body = this.#options.refusedPage ?? (isTaken ? PAGE_TAKEN : PAGE_OTHER);
    return { status: 503, headers: { ...common, 'content-type': 'text/html; charset=utf-8' }, body };
  }
}
