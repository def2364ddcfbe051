/** The examples run as they are, against a real Lictor. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Client, createClient } from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { until } from '../support/wait.ts';
import { Browser } from '../support/webapps.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TIMEOUT_MS = 60_000;
const run = promisify(execFile);

let started: StartedApp;
let client: Client;
let folder: string;
let env: NodeJS.ProcessEnv;
const children: ChildProcess[] = [];

beforeAll(async () => {
  started = await startApp({ evaluation: true });
  const url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
  folder = await mkdtemp(path.join(tmpdir(), 'lictor-examples-'));
  const tokenFile = path.join(folder, 'token');
  await writeFile(tokenFile, ADMIN_TOKEN, { mode: 0o600 });
  env = { PATH: process.env.PATH, LICTOR_URL: url, LICTOR_TOKEN_FILE: tokenFile, PORT: '0' };
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  client?.close();
  await started?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The examples import the package, which here is its source. */
const nodeOf = (file: string) => ['--no-warnings', '--conditions=lictor-source', `examples/${file}`];

/** Runs an example that ends by itself. @returns the lines that it prints. */
async function output(file: string): Promise<string[]> {
  const { stdout } = await run(process.execPath, nodeOf(file), { cwd: ROOT, env, timeout: TIMEOUT_MS });
  return stdout.trim().split('\n');
}

/** Starts an example that serves. */
async function serve(file: string): Promise<{ url: string; end(): Promise<number | null> }> {
  const child = spawn(process.execPath, nodeOf(file), { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const url = await until(() => /^http:\S+/m.exec(text)?.[0], TIMEOUT_MS, `${file} listens`);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    url,
    end: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

describe.each(['central', 'local'] as const)('under a %s key', (enforcement) => {
  beforeAll(async () => {
    await client.keys.change('evaluation', { enforcement }, '*');
  });

  test('an instance in plain JavaScript lets in as many as there are units, and closes', async () => {
    const lines = await output('plain.mjs');
    expect(lines[0]).toMatch(
      new RegExp(`^example-plain is incarnation \\d; the enforcement of its key is ${enforcement}\\.$`),
    );
    expect(lines.slice(1, 3)).toEqual([
      'alice is in: 1 connection for 1 unit.',
      'So does her job: 2 connections for 1 unit.',
    ]);
    expect(lines[3]).toContain('visitor-8 waits: All units of the key are taken: 8 of 8 are in use');
    expect(lines.at(-1)).toBe('Everybody is out, and the instance is closed.');
  });

  test('one in TypeScript identifies its users later', async () => {
    const decided = enforcement === 'central' ? 'the server' : 'this process';
    expect(await output('typed.ts')).toEqual([
      'phase: pending; it pauses after 4000 commands unless it identifies itself.',
      'phase: active, as carol, for 1 unit.',
      `dave is in; ${decided} decided it.`,
    ]);
  });

  test('one that counts the users of its own features', async () => {
    const lines = await output('applications.mjs');
    expect(lines[2]).toMatch(
      /^carol waits: All units of "Lab Users" in \[Laboratory\] are taken: 2 of 2 are in use/,
    );
    expect([...lines.slice(0, 2), ...lines.slice(3)]).toEqual([
      'alice is number 1 in the laboratory.',
      'bob is number 2 in the laboratory.',
      'After alice has gone 1 is in use, and 1 is free.',
      'carol comes in.',
    ]);
  });

  test.each(['fastify-app.ts', 'express-app.mjs'])('the web application %s', async (file) => {
    const app = await serve(file);
    const [one, other] = [new Browser(app), new Browser(app)];
    expect((await one.visit()).body).toMatchObject({ pages: 1 });
    await other.visit();
    for (const browser of [one, other]) {
      expect((await browser.visit('/login/alice')).body).toMatchObject({ user: 'alice' });
    }
    const visitors = Array.from({ length: 8 }, () => new Browser(app));
    const statuses: number[] = [];
    for (const visitor of visitors) statuses.push((await visitor.visit()).status);
    expect(statuses).toEqual([...Array(7).fill(200), 503]);
    expect((await one.visit('/logout')).body).toMatchObject({ user: null });
    expect(await app.end()).toBe(0);
    const { items } = await client.usage.counts();
    expect(items.find(({ key }) => key === 'evaluation')?.unitsInUse).toBe(0);
  });
});

test(
  'their types hold',
  async () => {
    const tsconfig = {
      extends: path.join(ROOT, 'tsconfig.json'),
      compilerOptions: { customConditions: ['lictor-source'], noUnusedLocals: true },
      include: [path.join(ROOT, 'examples/**/*.ts')],
    };
    // Beside the project, so that what it extends and includes is found.
    const file = path.join(folder, 'tsconfig.json');
    await writeFile(
      file,
      JSON.stringify({
        ...tsconfig,
        compilerOptions: { ...tsconfig.compilerOptions, typeRoots: [path.join(ROOT, 'node_modules/@types')] },
      }),
    );
    const tsc = path.join(ROOT, 'node_modules/.bin/tsc');
    const { stdout } = await run(tsc, ['-p', file], { cwd: ROOT, timeout: TIMEOUT_MS }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  },
  TIMEOUT_MS,
);
