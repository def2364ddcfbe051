/**
 * One attempt at one base URL: sent, answered within its time, read within bounds, and told what it was. Whatever
 * is not an answer of Lictor's is a failure with a reason in words that hold no secret.
 */

import { ApiError, isProblem } from './problems.ts';

/** What is sent. */
export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** What an attempt is held to. */
export interface AttemptLimits {
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
  /** Any of them ends the attempt. */
  readonly signals: readonly AbortSignal[];
  /** Whether the process may end before the attempt does. */
  readonly isBackground: boolean;
  readonly fetch: typeof fetch;
  /** The form of a successful body. */
  readonly answer: 'json' | 'text' | 'none';
  /** Statuses that are answers besides the successes. */
  readonly answerStatuses: readonly number[];
}

/** An attempt that failed. */
export interface Failure {
  readonly is: 'failure';
  readonly reason: string;
  readonly status?: number;
  /** Whether the server may have got the request. */
  readonly isSent: boolean;
  /** Whether it is of no use to ask the same base URL again: something else than Lictor is there. */
  readonly isLasting: boolean;
  readonly retryAfterMs?: number;
}

/** What became of an attempt. */
export type Outcome =
  | { readonly is: 'answer'; readonly body: unknown }
  | { readonly is: 'problem'; readonly error: ApiError; readonly retryAfterMs: number | undefined }
  | Failure
  | { readonly is: 'aborted'; readonly reason: unknown };

/** What went wrong before anything was sent, by the code of the system, and in words. */
const UNSENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ENOTFOUND: 'is a name that is not known',
  EAI_AGAIN: 'is a name that could not be looked up',
  EHOSTUNREACH: 'is on a host that cannot be reached',
  ENETUNREACH: 'is on a network that cannot be reached',
  UND_ERR_CONNECT_TIMEOUT: 'did not take the connection in time',
};
const UTF8 = new TextDecoder();
const CERTIFICATE_FAULT = /CERT|SIGNATURE|ERR_TLS/;
/** Nothing was sent, and asking the same base URL again would come to the same. */
const NOWHERE = { isSent: false, isLasting: true } as const;

/**
 * Sends a request once.
 *
 * @param sent - what is sent.
 * @param limits - see there.
 * @returns what became of it; an abort by a caller is told apart from the end of its time.
 */
export async function attempt(sent: Sent, limits: AttemptLimits): Promise<Outcome> {
  const controller = new AbortController();
  const { signal } = controller;
  let abortedBy: AbortSignal | null = null;
  const listeners = limits.signals.map((source) => {
    const onAbort = () => {
      abortedBy = source;
      controller.abort();
    };
    if (source.aborted) onAbort();
    else source.addEventListener('abort', onAbort, { once: true });
    return [source, onAbort] as const;
  });
  const timer = setTimeout(() => controller.abort(), limits.timeoutMs);
  if (limits.isBackground) timer.unref();
  try {
    const { method, headers, body, url } = sent;
    const response = await limits.fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body }),
    });
    return await read(response, limits);
  } catch (error) {
    const source = abortedBy as AbortSignal | null;
    if (source !== null) return { is: 'aborted', reason: source.reason };
    if (signal.aborted) return failure(`did not answer within ${Math.round(limits.timeoutMs)} ms`);
    return describeFailure(error);
  } finally {
    clearTimeout(timer);
    for (const [source, onAbort] of listeners) source.removeEventListener('abort', onAbort);
  }
}

function failure(reason: string, more: Partial<Failure> = {}): Failure {
  return { is: 'failure', reason, isSent: true, isLasting: false, ...more };
}

/** Only codes are told of what the system says: its messages may quote what was sent. */
function describeFailure(error: unknown): Failure {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const { code, name } = cause as { code?: unknown; name?: unknown };
  if ((cause as { message?: unknown }).message === 'bad port') {
    return failure('has a port that fetch never goes to; choose another one', NOWHERE);
  }
  if (typeof code !== 'string') return failure(`failed with ${String(name)}`);
  const words = UNSENT[code];
  if (words !== undefined) return failure(words, { isSent: false });
  if (code.startsWith('ERR_SSL')) {
    return failure(`speaks no TLS that is understood here (${code}); is it http, not https?`, NOWHERE);
  }
  if (CERTIFICATE_FAULT.test(code)) {
    return failure(`has a certificate that is not trusted (${code})`, NOWHERE);
  }
  return failure(`broke the connection (${code})`);
}

/** Tells what an answer is, from its status and its body. */
async function read(response: Response, limits: AttemptLimits): Promise<Outcome> {
  const { status } = response;
  const isAnswer = (status >= 200 && status < 300) || limits.answerStatuses.includes(status);
  if (status >= 300 && status < 400) {
    await response.body?.cancel();
    return failure(`answered ${status}, a redirect, which is not followed`, { status, isLasting: true });
  }
  const bytes = await readBounded(response, limits.bodyBytesMax);
  if (bytes === null) {
    const reason = `answered ${status} with more than ${limits.bodyBytesMax} bytes`;
    return failure(reason, { status, isLasting: true });
  }
  if (isAnswer && (limits.answer === 'none' || status === 204)) return { is: 'answer', body: undefined };
  if (isAnswer && limits.answer === 'text' && isOfType(response, /^text\/plain\b/i)) {
    return { is: 'answer', body: decode(response, bytes) };
  }
  const body = parse(response, bytes);
  if (isAnswer && limits.answer === 'json' && body !== undefined) return { is: 'answer', body };
  const retryAfterMs = retryAfterOf(response);
  if (isProblem(body)) return { is: 'problem', error: new ApiError(body), retryAfterMs };
  if (isAnswer) {
    const wanted = limits.answer === 'text' ? 'text' : 'JSON';
    return failure(`answered ${status} with what is not ${wanted}`, { status, isLasting: true });
  }
  // Whatever stands in front of Lictor may be without it for a moment.
  const isLasting = ![429, 502, 503, 504].includes(status);
  return failure(`answered ${status} without a problem of Lictor's`, {
    status,
    isLasting,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The bytes of a body, as they are after decompression; null when they are too many, and the rest is not read. */
async function readBounded(response: Response, bytesMax: number): Promise<Uint8Array | null> {
  if (response.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (length > bytesMax) return null;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}

function isOfType(response: Response, type: RegExp): boolean {
  return type.test(response.headers.get('content-type') ?? '');
}

/** A body that says it is JSON, and is; undefined otherwise. */
function parse(response: Response, bytes: Uint8Array): unknown {
  if (!/^application\/(?:problem\+)?json\b/i.test(response.headers.get('content-type') ?? ''))
    return undefined;
  try {
    return JSON.parse(UTF8.decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** Key files may be in an older encoding, which the head names. */
function decode(response: Response, bytes: Uint8Array): string {
  const charset = /charset="?([\w-]+)/i.exec(response.headers.get('content-type') ?? '')?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return UTF8.decode(bytes);
  }
}

/** When to come back, as the head says it: seconds, or an instant. */
function retryAfterOf(response: Response): number | undefined {
  const header = response.headers.get('retry-after')?.trim();
  if (!header) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}
