/** Reading a long answer of the server piece by piece, so that it needs no more memory than a piece of it. */

import { ApiError, isProblem, UnreachableError } from '../client/problems.ts';
import { createTokenSource } from '../client/tokens.ts';
import { CliFault, EXIT } from './faults.ts';
import type { World } from './world.ts';

/** A problem is small; what is larger is none of Lictor's. */
const PROBLEM_BYTES_MAX = 1_048_576;

/** What is wanted: a text for people, or JSON, one object a line. */
export type Form = 'text/plain' | 'application/x-ndjson';

/** An answer that is being read. */
export interface Download {
  /** As of when it is, where the server says so. */
  readonly asOf: string | null;
  /** How many entries it has, where the server says so. */
  readonly entries: number | null;
  readonly pieces: AsyncIterable<string>;
}

/**
 * Begins to read an answer.
 *
 * @param world - says where the server is.
 * @param path - with its query.
 * @param signal - ends it.
 * @param form - what is wanted; a text when left out.
 * @throws ApiError when the server says no; UnreachableError when none of its addresses answers.
 */
export async function download(
  world: World,
  path: string,
  signal: AbortSignal,
  form: Form = 'text/plain',
): Promise<Download> {
  // The client has checked the address, and trusts the certificates.
  await world.client();
  const { urls, token, tokenFile } = await world.connection();
  const text = await createTokenSource({ token, tokenFile }).current();
  const headers = {
    accept: `${form}, application/problem+json`,
    ...(text === null ? {} : { authorization: `Bearer ${text}` }),
  };
  const attempts: { url: string; reason: string }[] = [];
  for (const base of urls) {
    let response: Response;
    try {
      response = await fetch(base.replace(/\/+$/, '') + path, { headers, redirect: 'error', signal });
    } catch (error) {
      const { code = 'no answer' } = ((error as Error).cause ?? {}) as { code?: string };
      attempts.push({ url: base, reason: `failed (${code})` });
      continue;
    }
    if (!response.ok) throw await refusalOf(response, base);
    const entries = response.headers.get('dump-entries');
    return {
      asOf: response.headers.get('as-of'),
      entries: entries === null ? null : Number(entries),
      pieces: piecesOf(response),
    };
  }
  throw new UnreachableError(path.split('?', 1)[0]!, '-', attempts, false);
}

async function refusalOf(response: Response, base: string): Promise<Error> {
  const length = Number(response.headers.get('content-length') ?? 0);
  const body: unknown = length > PROBLEM_BYTES_MAX ? null : await response.json().catch(() => null);
  if (isProblem(body)) return new ApiError(body);
  return new CliFault(EXIT.failed, `${base} answered ${response.status} without a problem of Lictor's.`);
}

async function* piecesOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    for await (const bytes of response.body ?? []) yield decoder.decode(bytes, { stream: true });
  } catch (error) {
    const { code = 'broken off' } = ((error as Error).cause ?? {}) as { code?: string };
    throw new CliFault(EXIT.unavailable, `The answer broke off (${code}).`, 'What was written is not whole.');
  }
  yield decoder.decode();
}

/**
 * Cuts pieces into lines.
 *
 * @param pieces - a text in whatever pieces it comes.
 * @returns each line without its end.
 */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
