import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { PROBLEMS } from '../../src/domain/errors.ts';
import { TAGS } from '../../src/http/documentation.ts';
import { describeApi, OPENAPI_FILE } from '../../src/http/openapi.ts';
import { createTokens } from '../../src/service/tokens.ts';
import { buildTestApp, createRecordingLogger } from '../support/http.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: string[];
  readonly security?: unknown[];
  readonly responses: Record<string, { description: string; content?: Record<string, unknown> }>;
  readonly requestBody?: unknown;
}

let text: string;
let operations: [call: string, operation: Operation][];
beforeAll(async () => {
  text = await describeApi();
  const { paths } = parse(text) as { paths: Record<string, Record<string, Operation>> };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method} ${path}`,
      operation,
    ]),
  );
});

describe('openapi.yaml', () => {
  test('is what the routes say (otherwise run "npm run openapi")', async () => {
    // Compared as a truth: the difference would be thousands of lines.
    expect((await readFile(OPENAPI_FILE, 'utf8')) === text).toBe(true);
  });

  test('is OpenAPI 3.1 with bearer tokens and the problem as a component', () => {
    const { openapi, components, security } = parse(text);
    expect(openapi).toBe('3.1.0');
    expect(security).toEqual([{ bearer: [] }]);
    expect(components.securitySchemes.bearer).toMatchObject({ type: 'http', scheme: 'bearer' });
    expect(Object.keys(components.schemas)).toContain('Problem');
    expect(text).not.toContain('Shape0');
  });

  test('every reference in it leads somewhere', () => {
    const document = parse(text);
    const references = [...text.matchAll(/\$ref: "?#\/([^"\n]+)"?/g)].map(([, path]) => path!.split('/'));
    expect(references.length).toBeGreaterThan(0);
    for (const path of references) {
      expect(
        path.reduce((node: Record<string, unknown>, step) => node?.[step] as never, document),
      ).toBeDefined();
    }
  });
});

describe('operations', () => {
  test('each has an ID of its own, a summary and a known tag', () => {
    const ids = operations.map(([, operation]) => operation.operationId);
    expect(ids.every((id) => /^[a-z][A-Za-z]+$/.test(id ?? ''))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = TAGS.map(({ name }) => name as string);
    for (const [call, operation] of operations) {
      expect([call, operation.summary]).toEqual([call, expect.stringMatching(/\S/)]);
      expect([call, operation.tags?.every((tag) => tags.includes(tag))]).toEqual([call, true]);
    }
  });

  test('each under /v1 says what a token must permit, and the statuses that follow from having one', () => {
    const guarded = operations.filter(([call]) => call.includes(' /v1/'));
    expect(guarded.length).toBeGreaterThan(0);
    for (const [call, operation] of guarded) {
      expect([call, operation.security]).toEqual([call, undefined]);
      expect([call, operation.description]).toEqual([
        call,
        expect.stringMatching(/Requires a token that permits `[a-z]+\.[a-z]+`/),
      ]);
      const statuses = Object.keys(operation.responses);
      expect([call, statuses]).toEqual([
        call,
        expect.arrayContaining(['400', '401', '403', '429', '500', '503']),
      ]);
      if (operation.requestBody !== undefined)
        expect(statuses).toEqual(expect.arrayContaining(['413', '415']));
    }
  });

  test('every failure is a problem of the catalogue', () => {
    for (const [call, { responses }] of operations) {
      for (const [status, response] of Object.entries(responses)) {
        if (Number(status) < 400 || (call === 'get /readyz' && status === '503')) continue;
        expect([call, status, Object.keys(response.content ?? {})]).toEqual([
          call,
          status,
          ['application/problem+json'],
        ]);
        const codes = [...response.description.matchAll(/`([a-z-]+)`:/g)].map(([, code]) => code);
        expect(codes.length).toBeGreaterThan(0);
        for (const code of codes) {
          expect([code, PROBLEMS[code as keyof typeof PROBLEMS]?.status]).toEqual([code, Number(status)]);
        }
      }
    }
  });
});

describe('GET /docs', () => {
  test('shows the description without the internet, with headers that fit a page', async () => {
    const logger = createRecordingLogger();
    const tokens = createTokens({ sql: null as never, adminToken: null, cacheMs: 0, logger });
    const app = buildTestApp({ tokens, routes: [], options: { docs: true } });
    const page = await app.inject('/docs');
    expect(page.statusCode).toBe(200);
    expect(page.body).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(page.headers['content-security-policy']).not.toContain("default-src 'none'");
    expect(page.headers['x-frame-options']).toBeDefined();
    const json = await app.inject('/docs/json');
    expect(json.json().openapi).toBe('3.1.0');
    await app.close();
  });

  test('is not there when it is switched off', async () => {
    const tokens = createTokens({
      sql: null as never,
      adminToken: null,
      cacheMs: 0,
      logger: createRecordingLogger(),
    });
    const app = buildTestApp({ tokens, routes: [] });
    expect((await app.inject('/docs')).statusCode).toBe(404);
    await app.close();
  });
});
