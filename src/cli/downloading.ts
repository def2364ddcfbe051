/** Reading a long text of the server piece by piece, so that it needs no more memory than a piece of it. */

import { ApiError, isProblem, UnreachableError } from '../client/problems.ts';
import { createTokenSource } from '../client/tokens.ts';
import { CliFault, EXIT } from './faults.ts';
import type { World } from './world.ts';

/** A problem is small; what is larger is none of Lictor's. */
const PROBLEM_BYTES_MAX = 1_048_576;

/** A text that is being read. */
export interface Download {
  /** As of when it is, where the server says so. */
  readonly asOf: string | null;
  readonly pieces: AsyncIterable<string>;
}

/**
 * Begins to read a text.
 *
 * @param world - says where the server is.
 * @param path - with its query.
 * @param signal - ends it.
 * @throws ApiError when the server says no; UnreachableError when none of its addresses answers.
 */
export async function download(world: World, path: string, signal: AbortSignal): Promise<Download> {
  // The client has checked the address, and trusts the certificates.
  await world.client();
  const { urls, token, tokenFile } = await world.connection();
  const text = await createTokenSource({ token, tokenFile }).current();
  const headers = {
    accept: 'text/plain, application/problem+json',
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
    return { asOf: response.headers.get('as-of'), pieces: piecesOf(response) };
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
