/**
 * Reading JSON bodies. Postgres can store neither NUL in a text nor half of a surrogate pair, and both can
 * stand in valid JSON as escapes; so they are refused here, once, for every string of every body.
 */

import type { FastifyInstance } from 'fastify';
import { LicenseError } from '../domain/errors.ts';

// An unescaped NUL is not valid JSON, and text decoded from UTF-8 has no lone surrogates.
const SUSPECT_ESCAPE = /\\u(?:0000|d[89a-f])/i;

/**
 * Whether a text can be stored and compared everywhere.
 *
 * @param text - any text.
 * @returns false when it has a NUL or a lone surrogate.
 */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

/**
 * Finds the first text that cannot be stored.
 *
 * @param value - a parsed JSON value.
 * @param pointer - the JSON Pointer of the value.
 * @returns the pointer of that text, or of the object with such a name; null when there is none.
 */
function findUnstorable(value: unknown, pointer: string): string | null {
  // A stack of its own, because a body may be nested deeper than calls can be.
  const waiting: [value: unknown, pointer: string][] = [[value, pointer]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [current, at] = next;
    if (typeof current === 'string' && !isStorable(current)) return at;
    if (typeof current !== 'object' || current === null) continue;
    for (const [name, member] of Object.entries(current)) {
      if (!isStorable(name)) return at;
      waiting.push([member, `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`]);
    }
  }
  return null;
}

/**
 * Makes JSON the only media type that is taken; a scope may add others for itself. An empty body counts as
 * none, because many clients send Content-Type with every request.
 *
 * @param app - the application.
 */
export function takeJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (body === '') return done(null, undefined);
    // One scan of the raw text; only a body that has such an escape is walked through.
    if (!body.includes('\\u') || !SUSPECT_ESCAPE.test(body)) return parse(request, body, done);
    parse(request, body, (error, value) => {
      const pointer = error === null ? findUnstorable(value, '') : null;
      if (pointer === null) return done(error, value);
      const message = 'has a NUL character or a lone surrogate';
      done(
        new LicenseError('malformed-request', `${pointer || 'The body'} ${message}.`, {
          errors: [{ pointer, message }],
        }),
      );
    });
  });
}
