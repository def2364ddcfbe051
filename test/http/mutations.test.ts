import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN, bearer } from '../support/http.ts';
import { MUTATIONS_FILE, readMutations } from '../support/mutations.ts';

const mutations = readMutations(readFileSync(MUTATIONS_FILE, 'utf8'));
/** Less than a minute on a machine by itself; a busy one may take longer. */
const TIMEOUT_MS = 180_000;
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
    TIMEOUT_MS,
  );
});

/** Which sections are sent by themselves: those of the originals, under whatever name they may be found. */
const SECTIONS = ['Radiology', 'Pharmacy', 'BestLabApplication', 'Dup', 'Lab', 'N'.repeat(47), '__proto__'];

describe('5,000 spoilt files, sent to a server for an instance', () => {
  test(
    'as application licences: each is loaded or refused with what to do, as a whole (F-71)',
    async () => {
      expect((await send('PUT', '/v1/instances/app-a', {})).status).toBe(201);
      const path = '/v1/instances/app-a/applications';
      /** What is loaded, by name: as the answers said. */
      const loaded = new Map<string, string>();
      const tally = { loaded: 0, refused: 0 };
      let before = await stored();
      // Each as a whole, and one section of it.
      const sent = mutations.flatMap(({ content }, index) => {
        const body = { fileBase64: content.toString('base64') };
        return [
          { section: null, body },
          { section: SECTIONS[index % SECTIONS.length]!, body },
        ];
      });
      for (const { section, body } of sent) {
        const isWhole = section === null;
        const answer = await (isWhole ? send('POST', path, body) : send('PUT', `${path}/${section}`, body));
        const after = await stored();
        if (answer.status < 300) {
          const items = (isWhole ? answer.body.items : [answer.body]) as Loaded[];
          const fresh = items.filter(({ name }) => !loaded.has(name)).length;
          for (const item of items) loaded.set(item.name, contentOf(item));
          const rows = items.some(({ outcome }) => outcome !== 'present') ? 1 : 0;
          expect(after).toEqual({
            ...before,
            journal: before.journal + rows,
            applications: before.applications + fresh,
          });
          tally.loaded += 1;
        } else {
          expectClear(answer);
          // What is refused leaves no trace: not a section of it, not a row in the journal.
          expect(after).toEqual(before);
          tally.refused += 1;
        }
        before = after;
      }
      expect(tally.loaded).toBeGreaterThan(500);
      expect(tally.refused).toBeGreaterThan(3_000);
      const { items } = (await send('GET', path)).body as { items: Shown[] };
      const shown = items.map((item) => [
        item.name,
        contentOf({ ...item, entries: item.features.map(asEntry) }),
      ]);
      expect(shown.toSorted()).toEqual([...loaded].toSorted());
    },
    TIMEOUT_MS,
  );
});

interface Loaded {
  readonly name: string;
  readonly outcome: string;
  readonly signature: string;
  readonly entries: readonly { readonly keyword: string; readonly value: string }[];
}

interface Shown extends Omit<Loaded, 'entries'> {
  readonly features: readonly { readonly feature: string; readonly value: string }[];
}

const asEntry = ({ feature, value }: Shown['features'][number]) => ({ keyword: feature, value });

function contentOf({ signature, entries }: Pick<Loaded, 'signature' | 'entries'>): string {
  return JSON.stringify([signature, entries.map(({ keyword, value }) => [keyword, value])]);
}

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
