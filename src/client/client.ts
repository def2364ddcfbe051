/**
 * The client of Lictor's API: one typed call for every route, sent so that a lost answer does no harm.
 */

import { type AnswerOf, CALLS, type CallShape, type Input } from './calls.ts';
import {
  type LoginVerdict,
  logIn,
  sendBatch,
  verdictOf,
  withRegistrationId,
  withRequestId,
} from './logins.ts';
import { type LogInBody, OPERATIONS, type Operations } from './openapi.ts';
import type { FailedAttempt } from './problems.ts';
import { createTokenSource } from './tokens.ts';
import { type CallOptions, type Message, Transport } from './transport.ts';

const TIMEOUT_MS = 15_000;
const ATTEMPT_TIMEOUT_MS = 6_000;
const ATTEMPTS_MAX = 10;
const BODY_BYTES_MAX = 16 * 1_048_576;

/** What a client is made with. */
export interface ClientOptions {
  /**
   * Where Lictor is, such as `https://licences.example.com`; of several, the first that is well is asked, and
   * the first in the list is returned to when it is back.
   */
  readonly url: string | readonly string[];
  /** The access token. */
  readonly token?: string | undefined;
  /** Or the file that has it; it may be replaced at any time. */
  readonly tokenFile?: string | undefined;
  /** How long a call may take with everything, in milliseconds; 15,000 when left out. */
  readonly timeoutMs?: number | undefined;
  /** How long one attempt may take, in milliseconds; 6,000 when left out. */
  readonly attemptTimeoutMs?: number | undefined;
  /** How many attempts a call makes at most; 10 for each base URL when left out. */
  readonly attemptsMax?: number | undefined;
  /** The largest body of an answer that is read, in bytes; 16 MiB when left out. */
  readonly bodyBytesMax?: number | undefined;
  /** Told of each attempt that failed, also when its call succeeds in the end: for logs and metrics. */
  readonly onAttemptFailed?: ((attempt: FailedAttempt & { readonly operation: string }) => void) | undefined;
  /** What sends requests instead of the platform's `fetch`, for a proxy or certificates of one's own. */
  readonly fetch?: typeof fetch | undefined;
}

/** One call: what stands in the path, the body, the revision and the query as far as it has them, and options. */
export type Call<O extends keyof Operations> = (
  ...input: [...Input<O>, options?: CallOptions]
) => Promise<AnswerOf<O>>;

/** A call that is answered with a text for people. */
export type TextCall<O extends keyof Operations> = (
  ...input: [...Input<O>, options?: CallOptions]
) => Promise<string>;

/** A request that has no typed call, such as of a server newer than this package. */
export interface RawRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** The path with its query, such as `/v1/instances?limit=5`; its parts must be encoded already. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The form of the answer; `json` when left out. */
  readonly answer?: 'json' | 'text' | undefined;
  /** Whether sending it twice comes to the same as once; for GET, PUT and DELETE true when left out. */
  readonly isRepeatable?: boolean | undefined;
}

type Calls = {
  readonly [Noun in keyof typeof CALLS]: {
    readonly [Verb in keyof (typeof CALLS)[Noun]]: (typeof CALLS)[Noun][Verb] extends {
      readonly operation: infer O extends keyof Operations;
      readonly as: 'text';
    }
      ? TextCall<O>
      : (typeof CALLS)[Noun][Verb] extends { readonly operation: infer O extends keyof Operations }
        ? Call<O>
        : never;
  };
};

/** The client: `client.logins.create(…)`, `client.instances.register(…)` and so on, by noun and verb. */
export interface Client extends Calls {
  /**
   * Logs a user in, and returns a refusal instead of throwing it.
   *
   * @param body - as for `logins.create`.
   * @param options - see there.
   * @throws ApiError for whatever is neither a grant nor a refusal of the licence; UnreachableError.
   */
  tryLogin(body: LogInBody, options?: CallOptions): Promise<LoginVerdict>;
  /**
   * Sends a request that has no typed call.
   *
   * @param request - see there.
   * @param options - see there.
   * @returns the parsed body; undefined when there is none.
   */
  request(request: RawRequest, options?: CallOptions): Promise<unknown>;
  /** Ends every call under way; those after it reject. */
  close(): void;
}

/**
 * Makes a client. It opens no connection before the first call, and keeps what it opens for the next.
 *
 * @param options - where Lictor is, who asks, and the limits of a call.
 * @throws TypeError when a base URL or the token is none, or both kinds of token are given.
 */
export function createClient(options: ClientOptions): Client {
  const given: unknown = options?.url;
  if (typeof given !== 'string' && !Array.isArray(given)) {
    throw new TypeError('Give the option url: one base URL or several, such as "http://127.0.0.1:8080".');
  }
  const urls = typeof options.url === 'string' ? [options.url] : options.url;
  const transport = new Transport({
    urls,
    tokens: createTokenSource(options),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    attemptTimeoutMs: options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS,
    attemptsMax: options.attemptsMax ?? ATTEMPTS_MAX * Math.max(1, urls.length),
    bodyBytesMax: options.bodyBytesMax ?? BODY_BYTES_MAX,
    fetch: options.fetch ?? fetch,
    onAttemptFailed: options.onAttemptFailed,
  });
  const bound = Object.fromEntries(
    Object.entries(CALLS).map(([noun, verbs]) => [
      noun,
      Object.fromEntries(
        Object.entries(verbs).map(([verb, shape]) => [verb, bind(transport, shape as CallShape)]),
      ),
    ]),
  ) as unknown as Calls;
  const create: Call<'logIn'> = (body, callOptions) => logIn(bound.logins, body, callOptions);
  const register: Call<'registerInstance'> = (name, body, callOptions) =>
    bound.instances.register(name, withRegistrationId(body), callOptions);
  const batch: Call<'batchLogins'> = (body, callOptions) => sendBatch(bound.logins, body, callOptions);
  const take: Call<'takeApplications'> = (name, body, callOptions) =>
    bound.applications.take(name, withRequestId(body), callOptions);
  const giveBack: Call<'returnApplications'> = (name, body, callOptions) =>
    bound.applications.return(name, withRequestId(body), callOptions);
  return {
    ...bound,
    applications: { ...bound.applications, take, return: giveBack },
    logins: { ...bound.logins, create, batch },
    instances: { ...bound.instances, register },
    tryLogin: (body, callOptions) => verdictOf(create(body, callOptions)),
    request: (request, callOptions) => transport.send(rawMessage(request), callOptions),
    close: () => transport.close(),
  };
}

/** Makes the function of a call: reads its input by position, as the description of the operation says. */
function bind(transport: Transport, { operation, once, as, alsoAnswers = [] }: CallShape) {
  const how: OperationRow = OPERATIONS[operation];
  const answer = as ?? how.answer;
  const names = [...how.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const takes = names.length + Number(how.body ?? 0) + Number(how.revision ?? 0) + Number(how.query ?? 0);
  return async (...input: unknown[]): Promise<unknown> => {
    const rest = [...input];
    const path = how.path.replace(/\{(\w+)\}/g, (_, name: string) => step(operation, name, rest.shift()));
    const body = how.body ? rest.shift() : undefined;
    const revision = how.revision ? rest.shift() : undefined;
    const query = how.query ? rest.shift() : undefined;
    if (rest.length > 1) throw new TypeError(`${operation} takes at most ${takes} arguments and options.`);
    if (how.body && (typeof body !== 'object' || body === null)) {
      throw new TypeError(`${operation} needs an object to send.`);
    }
    return transport.send(
      {
        operation,
        method: how.method,
        path: path + queryOf(query as Query | undefined),
        headers: headersOf(answer, how.body ?? false, revision),
        body: how.body ? JSON.stringify(body) : undefined,
        answer,
        answerStatuses: alsoAnswers,
        isRepeatable: once !== true,
      },
      rest[0] as CallOptions | undefined,
    );
  };
}

/** A row of the table of operations, with what some of them have. */
interface OperationRow {
  readonly method: string;
  readonly path: string;
  readonly body?: true;
  readonly revision?: true;
  readonly query?: true;
  readonly answer: 'json' | 'text' | 'none';
}

type Query = Readonly<Record<string, unknown>>;

/** A part of a path, encoded. The two names that a URL would take for directions are refused. */
function step(operation: string, name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value !== '.' && value !== '..') {
    return encodeURIComponent(value);
  }
  throw new TypeError(`${operation} needs the ${name} as its first argument, a text.`);
}

function queryOf(query: Query | undefined): string {
  const stated = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  if (stated.length === 0) return '';
  return `?${new URLSearchParams(stated.map(([name, value]): [string, string] => [name, String(value)]))}`;
}

function headersOf(
  answer: OperationRow['answer'],
  hasBody: boolean,
  revision: unknown,
): Record<string, string> {
  const headers: Record<string, string> = {
    accept:
      answer === 'text'
        ? 'text/plain, application/problem+json'
        : 'application/json, application/problem+json',
    'user-agent': 'lictor-client',
  };
  if (hasBody) headers['content-type'] = 'application/json';
  if (revision !== undefined) headers['if-match'] = revision === '*' ? '*' : `"${String(revision)}"`;
  return headers;
}

function rawMessage({ method, path, body, headers, answer = 'json', isRepeatable }: RawRequest): Message {
  if (!path.startsWith('/')) throw new TypeError(`The path must begin with a slash.`);
  return {
    operation: `${method} ${path.split('?', 1)[0]}`,
    method,
    path,
    headers: { ...headersOf(answer, body !== undefined, undefined), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    answer,
    answerStatuses: [],
    isRepeatable: isRepeatable ?? (method !== 'POST' && method !== 'PATCH'),
  };
}
