/**
 * Which form of a report a caller wants, and what every report says in its head. The texts themselves, for
 * terminals and for programs that read the legacy ones, are in the domain (notes 2.7).
 */

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AsOf } from '../service/keys.ts';
import { instantOf } from './answers.ts';

/** The media type of the text reports. */
export const TEXT_TYPE = 'text/plain; charset=utf-8';

/**
 * Whether a request prefers text to JSON. Whoever says nothing, or takes anything, gets JSON.
 *
 * @param request - with its `Accept`.
 */
export function prefersText(request: FastifyRequest): boolean {
  const accept = request.headers.accept;
  if (accept === undefined) return false;
  const ranges = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.toLowerCase().split(';');
    const quality = /^\s*q=([\d.]+)\s*$/.exec(parameters.find((text) => /^\s*q=/.test(text)) ?? '')?.[1];
    return { type: type.trim(), quality: quality === undefined ? 1 : Number(quality) };
  });
  const qualityOf = (names: readonly string[]): number => {
    for (const name of names) {
      const range = ranges.find(({ type }) => type === name);
      if (range !== undefined) return range.quality;
    }
    return 0;
  };
  const text = qualityOf(['text/plain', 'text/*']);
  return text > 0 && text >= qualityOf(['application/json', 'application/*']);
}

/**
 * Says as of when a report is, in a header that JSON and text have alike: a legacy text has no room for it.
 *
 * @param asOf - of the table that it was read from.
 */
export function headReport(reply: FastifyReply, { atMs }: AsOf): void {
  reply.header('vary', 'accept');
  reply.header('as-of', instantOf(atMs));
}

/**
 * Answers with a text where the schema of the answer speaks of JSON.
 *
 * @param text - whole, or line by line.
 * @returns what the handler returns.
 */
export function asText(reply: FastifyReply, text: string | AsyncIterable<string>): never {
  reply.type(TEXT_TYPE);
  return (typeof text === 'string' ? text : Readable.from(text, { objectMode: false })) as never;
}

/** What the description of a report says of its text. */
export const AS_OF_HEADER = 'The header `as-of` says as of when it is, also of the text.';
