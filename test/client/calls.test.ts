/** The table of calls against the description of the API. */

import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { CALLS, type CallShape } from '../../src/client/calls.ts';
import { OPERATIONS } from '../../src/client/openapi.ts';

const calls = Object.values(CALLS).flatMap((verbs) => Object.values(verbs) as CallShape[]);

describe('the calls', () => {
  test('are there for every operation of the API, once (a new route is a line in src/client/calls.ts)', () => {
    const operations = calls.filter(({ as }) => as === undefined).map(({ operation }) => operation);
    expect(operations.sort()).toEqual(Object.keys(OPERATIONS).sort());
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
      'beatLicenseServer',
      'checkInstanceKey',
      'closeInstance',
      'explainLogin',
      'explainTake',
      'identifyLogin',
      'inspectKey',
      'installKey',
      'loadApplications',
      'logIn',
      'recountApplication',
      'renewLogin',
      'returnApplications',
      'takeApplications',
      'updateInstance',
    ]);
  });

  test('stand in docs/client.md with their routes', async () => {
    const page = await readFile(new URL('../../docs/client.md', import.meta.url), 'utf8');
    const missing = Object.entries(CALLS).flatMap(([noun, verbs]) =>
      Object.entries(verbs as Record<string, CallShape>)
        .map(([verb, { operation }]) => {
          const { method, path } = OPERATIONS[operation];
          return { row: `| \`${noun}.${verb}(`, route: `\`${method} ${path}\`` };
        })
        .filter(
          ({ row, route }) => !page.split('\n').some((line) => line.startsWith(row) && line.includes(route)),
        ),
    );
    expect(missing).toEqual([]);
  });
});
