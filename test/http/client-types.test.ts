/** The types of the SDK, out of the description of the API. */

import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { type ApiDocument, CLIENT_TYPES_FILE, describeClientTypes } from '../../src/http/client-types.ts';
import { OPENAPI_FILE } from '../../src/http/openapi.ts';

/** A description of one operation. */
function documentOf(path: string, method: string, operation: object): ApiDocument {
  return {
    components: { schemas: {} },
    paths: {
      [path]: { [method]: { operationId: 'tryIt', summary: 'Try it', responses: { 204: {} }, ...operation } },
    },
  };
}

const content = (schema: object) => ({ content: { 'application/json': { schema } } });

describe('src/client/openapi.ts', () => {
  test('is what the routes say (otherwise run "npm run openapi")', async () => {
    const document = parse(await readFile(OPENAPI_FILE, 'utf8')) as ApiDocument;
    // Compared as a truth: the difference would be thousands of lines.
    expect((await readFile(CLIENT_TYPES_FILE, 'utf8')) === describeClientTypes(document)).toBe(true);
  });
});

describe('describeClientTypes', () => {
  test('takes what stands in the path, then the body, the revision and the query', () => {
    const text = describeClientTypes(
      documentOf('/v1/things/{name}/parts/{part}', 'patch', {
        parameters: [
          { in: 'query', name: 'page', schema: { type: 'integer' } },
          { in: 'path', name: 'name', required: true, schema: { type: 'string' } },
          { in: 'path', name: 'part', required: true, schema: { type: 'string' } },
          { in: 'header', name: 'if-match', schema: { type: 'string' } },
        ],
        requestBody: content({ type: 'object', properties: { a: { type: 'number' } } }),
      }),
    );
    expect(text).toContain(
      'readonly tryIt: { readonly input: [name: string, part: string, body: TryItBody, revision: string, query?: TryItQuery]; readonly answer: undefined };',
    );
    expect(text).toContain(
      "tryIt: { method: 'PATCH', path: '/v1/things/{name}/parts/{part}', body: true, revision: true, query: true, answer: 'none' },",
    );
    expect(text).toContain('export interface TryItBody {\n  readonly a?: number | undefined;\n}');
  });

  test('a query that needs a parameter is needed', () => {
    const parameters = [{ in: 'query', name: 'q', required: true, schema: { type: 'string' } }];
    const text = describeClientTypes(documentOf('/v1/things', 'get', { parameters }));
    expect(text).toContain('readonly input: [query: TryItQuery]');
  });

  test.each([
    [{ type: 'string', enum: ['a', "b'c"] }, "'a' | 'b\\'c'"],
    [{ const: 3 }, '3'],
    [{ anyOf: [{ type: 'string' }, { type: 'null' }, { type: 'string' }] }, 'string | null'],
    [{ type: ['integer', 'null'] }, 'number | null'],
    [{ type: 'array', items: { enum: ['a', 'b'] } }, "readonly ('a' | 'b')[]"],
    [{ $ref: '#/components/schemas/Problem' }, 'Problem'],
    [{}, 'unknown'],
  ])('the answer %j', (schema, type) => {
    const text = describeClientTypes(
      documentOf('/v1/things', 'get', { responses: { 200: content(schema) } }),
    );
    expect(text).toContain(`export type TryItAnswer = ${type};`);
  });

  test('an object has its members, the descriptions of them, and those that are not named', () => {
    const schema = {
      type: 'object',
      required: ['a'],
      properties: {
        a: { type: 'string', description: 'Ends no comment: */' },
        'b-c': { type: 'object', properties: {} },
      },
      additionalProperties: { type: 'integer' },
    };
    const text = describeClientTypes(
      documentOf('/v1/things', 'get', { responses: { 200: content(schema) } }),
    );
    expect(text).toContain(
      [
        'export interface TryItAnswer {',
        '  /** Ends no comment: *\\/ */',
        '  readonly a: string;',
        "  readonly 'b-c'?: {",
        '  };',
        '  readonly [member: string]: number;',
        '}',
      ].join('\n'),
    );
  });

  test('what has no translation is an error, and not a type that is wrong', () => {
    const odd = documentOf('/v1/things', 'get', { responses: { 200: content({ type: 'tuple' }) } });
    expect(() => describeClientTypes(odd)).toThrow('"tuple"');
    const image = documentOf('/v1/things', 'get', { responses: { 200: { content: { 'image/png': {} } } } });
    expect(() => describeClientTypes(image)).toThrow('tryIt answers with what has no type');
  });
});
