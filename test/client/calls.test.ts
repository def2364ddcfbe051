/** The table of calls against the description of the API. */

import { describe, expect, test } from '@jest/globals';
import { CALLS, type CallShape } from '../../src/client/calls.ts';
import { OPERATIONS } from '../../src/client/openapi.ts';

const calls = Object.values(CALLS).flatMap((verbs) => Object.values(verbs) as CallShape[]);

describe('the calls', () => {
  test('are there for every operation of the API, once (a new route is a line in src/client/calls.ts)', () => {
    expect(calls.map(({ operation }) => operation).sort()).toEqual(Object.keys(OPERATIONS).sort());
  });

  test('that may be sent twice are those that are known to bear it', () => {
    const repeatable = calls
      .filter(({ operation, once }) => !once && /POST|PATCH/.test(OPERATIONS[operation].method))
      .map(({ operation }) => operation)
      .sort();
    // Each has an ID or a number of its own, or says or ends what stands; add a new one only if it does.
    expect(repeatable).toEqual([
      'batchLogins',
      'beatInstance',
      'explainLogin',
      'identifyLogin',
      'inspectKey',
      'installKey',
      'logIn',
      'renewLogin',
    ]);
  });
});
