/**
 * The catalogue of problems, so that the `type` of a problem body leads somewhere.
 */

import { Type } from 'typebox';
import { LicenseError, PROBLEMS } from '../../domain/errors.ts';
import type { RoutePlugin } from '../app.ts';
import { PROBLEM_ADVICE } from '../problem-advice.ts';
import { isProblemCode, PROBLEM_CODES, PROBLEMS_PATH } from '../problems.ts';
import { responses } from '../schemas.ts';

const Entry = Type.Object({
  type: Type.String({ format: 'uri-reference' }),
  code: Type.String(),
  status: Type.Integer(),
  title: Type.String(),
  advice: Type.String({ description: 'What to do about it.' }),
});

function describe(code: (typeof PROBLEM_CODES)[number]) {
  return { type: PROBLEMS_PATH + code, code, ...PROBLEMS[code], advice: PROBLEM_ADVICE[code] };
}

/** The catalogue, whole and by entry. */
export function problemRoutes(): RoutePlugin {
  return (app, _options, done) => {
    app.get(
      '/problems',
      {
        config: { access: 'public' },
        schema: {
          operationId: 'listProblems',
          summary: 'Every problem that Lictor can report',
          tags: ['operations'],
          response: responses({ 200: Type.Object({ items: Type.Array(Entry) }) }, [], { public: true }),
        },
      },
      (_request, reply) => {
        reply.send({ items: PROBLEM_CODES.map(describe) });
      },
    );
    app.get(
      '/problems/:code',
      {
        config: { access: 'public' },
        schema: {
          operationId: 'getProblem',
          summary: 'What a problem means and what to do',
          tags: ['operations'],
          params: Type.Object({ code: Type.String({ description: 'The code of a problem body.' }) }),
          response: responses({ 200: Entry }, ['not-found'], { public: true }),
        },
      },
      (request, reply) => {
        const { code } = request.params;
        if (!isProblemCode(code))
          throw new LicenseError('not-found', `There is no problem with the code ${code}.`);
        reply.send(describe(code));
      },
    );
    done();
  };
}
