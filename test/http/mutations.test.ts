import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN, bearer } from '../support/http.ts';
import { MUTATIONS_FILE, readMutations } from '../support/mutations.ts';

const mutations = readMutations(readFileSync(MUTATIONS_FILE, 'utf8'));
const MINUTE_MS = 60_000;
/** What is stated of files that no signing key of the tests signed. */
const STATED = { units: 25, licenseType: 'concurrent-user', server: 'multi' };

let started: StartedApp;
let port: number;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  started = await startApp({ allowUnverified: true });
  await started.app.listen({ port: 0, host: '127.0.0.1' });
  const address = started.app.server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(async () => {
  agent.destroy();
  await started.close();
});

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: Record<string, unknown>;
}

/** Sends a request over the network. */
function send(method: string, path: string, content?: object): Promise<Reply> {
  const headers = { ...bearer(ADMIN_TOKEN), ...(content ? { 'content-type': 'application/json' } : {}) };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          body: text === '' ? {} : JSON.parse(text),
        });
      });
    });
    sent.on('error', reject);
    sent.end(content === undefined ? undefined : JSON.stringify(content));
  });
}

/** How much of everything is stored: rows of the journal, keys and application licences. */
async function stored(): Promise<{ journal: number; keys: number; applications: number }> {
  const [counts] = await started.sql<{ journal: number; keys: number; applications: number }[]>`
    select (select count(*) from journal)::int as journal,
           (select count(*) from license_keys)::int as keys,
           (select count(*) from applications)::int as applications`;
  return { ...counts! };
}

/** A refusal is a problem with a code and a sentence, and where lines are at fault each with what to do. */
function expectClear({ status, type, body }: Reply): void {
  expect([status >= 400 && status < 500, status, body]).toEqual([true, status, body]);
  expect(type).toContain('application/problem+json');
  expect(body.code).toMatch(/^[a-z-]+$/);
  expect(body.detail).toMatch(/^[^\p{Cc}]{20,}$/u);
  for (const fault of (body.faults ?? []) as Record<string, unknown>[]) {
    expect(fault.line).toBeGreaterThanOrEqual(1);
    expect(fault.message).toMatch(/^[^\p{Cc}]{10,}$/u);
    expect(fault.mend).toMatch(/^[^\p{Cc}]{10,}$/u);
  }
}

describe('5,000 spoilt files, sent to a server', () => {
  test(
    'as keys: each is inspected and installed or refused with what to do, and nothing by halves',
    async () => {
      const installed = new Map<string, Buffer>();
      let refused = 0;
      let before = await stored();
      for (const { content } of mutations) {
        const isForeign = !content.includes('ed25519:');
        const body = { fileBase64: content.toString('base64'), ...(isForeign ? { stated: STATED } : {}) };
        const inspected = await send('POST', '/v1/keys/inspect', body);
        if (inspected.status !== 200) expectClear(inspected);
        const answer = await send('POST', '/v1/keys', body);
        const after = await stored();
        if (answer.status === 201) {
          expect(after).toEqual({ ...before, journal: before.journal + 1, keys: before.keys + 1 });
          installed.set(String(answer.body.id), content);
        } else {
          // Looking at it, refusing it and finding it there already leave no trace.
          expect(after).toEqual(before);
          if (answer.status !== 200) {
            expectClear(answer);
            refused += 1;
          }
        }
        expect([inspected.body.installable ?? false, answer.status < 300]).toEqual([
          answer.status < 300,
          answer.status < 300,
        ]);
        before = after;
      }
      expect(installed.size).toBeGreaterThan(20);
      expect(refused).toBeGreaterThan(3_000);
      await expectKeys(installed);
    },
    MINUTE_MS,
  );
});

/** What is installed is what was answered, with the bytes that came first. */
async function expectKeys(installed: ReadonlyMap<string, Buffer>): Promise<void> {
  const listed: string[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await send('GET', `/v1/keys?limit=100${cursor}`);
    expect(status).toBe(200);
    const { items, nextCursor } = body as { items: { id: string }[]; nextCursor?: string };
    listed.push(...items.map(({ id }) => id));
    if (nextCursor === undefined) break;
    cursor = `&cursor=${encodeURIComponent(nextCursor)}`;
  }
  expect(listed.toSorted()).toEqual([...installed.keys()].toSorted());
  for (const [id, content] of installed) {
    const [row] = await started.sql<{ file: Buffer }[]>`select file from license_keys where id = ${id}`;
    expect(row?.file.equals(content)).toBe(true);
  }
}
