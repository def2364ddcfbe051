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

/** The media type of reports as one JSON object a line. */
export const LINES_TYPE = 'application/x-ndjson';

/**
 * Whether a request prefers text to JSON. Whoever says nothing, or takes anything, gets JSON.
 *
 * @param request - with its `Accept`.
 */
export function prefersText(request: FastifyRequest): boolean {
  const { text, json } = qualitiesOf(request);
  return text > 0 && text >= json;
}

/**
 * The form that a request prefers: JSON, text, or one JSON object a line. Whoever says nothing, or takes anything,
 * gets JSON.
 *
 * @param request - with its `Accept`.
 */
export function preferredForm(request: FastifyRequest): 'json' | 'text' | 'lines' {
  const { json, text, lines } = qualitiesOf(request);
  if (lines > 0 && lines >= json && lines >= text) return 'lines';
  return text > 0 && text >= json ? 'text' : 'json';
}

/** How much a request wants each form; 0 is not at all, or nothing was said. */
function qualitiesOf({ headers: { accept = '' } }: FastifyRequest) {
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
  return {
    json: qualityOf(['application/json', 'application/*']),
    text: qualityOf(['text/plain', 'text/*']),
    lines: qualityOf([LINES_TYPE]),
  };
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
 * @param text - whole.
 * @returns what the handler returns.
 */
export function asText(reply: FastifyReply, text: string): never {
  reply.type(TEXT_TYPE);
  return text as never;
}

/**
 * Answers piece by piece, as fast as the caller reads; an error ends the connection, so that what was sent is not
 * taken for the whole.
 *
 * @param type - the media type.
 * @returns what the handler returns.
 */
export function asStream(reply: FastifyReply, type: string, pieces: AsyncIterable<string>): never {
  reply.type(type);
  // To whom only asks for the head nothing is sent, so that nothing is read.
  if (reply.request.method === 'HEAD') return Readable.from([]) as never;
  return Readable.from(pieces, { objectMode: false }) as never;
}

/** Aborted when whoever asked is gone. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

/** What the description of a report says of its text. */
export const AS_OF_HEADER = 'The header `as-of` says as of when it is, also of the text.';
