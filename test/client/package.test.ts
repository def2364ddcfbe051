/** The package as an application gets it: packed, unpacked below `node_modules`, and used from there. */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TIMEOUT_MS = 120_000;

const run = promisify(execFile);
let place: string;
let started: StartedApp;
let url: string;
let key: string;

beforeAll(async () => {
  place = await mkdtemp(path.join(tmpdir(), 'lictor-package-'));
  const unpacked = path.join(place, 'node_modules/lictor');
  await mkdir(unpacked, { recursive: true });
  await symlink(path.join(ROOT, 'node_modules/ipaddr.js'), path.join(place, 'node_modules/ipaddr.js'));
  // Packing makes the JavaScript first, by the script "prepare".
  await run('npm', ['pack', '--silent', '--pack-destination', place], { cwd: ROOT, timeout: TIMEOUT_MS });
  const [archive] = (await readdir(place)).filter((name) => name.endsWith('.tgz'));
  await run('tar', ['-xzf', path.join(place, archive!), '-C', unpacked, '--strip-components=1']);
  started = await startApp();
  url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  key = (await started.installKey({ AuthorizedUnits: 1 })).id;
}, TIMEOUT_MS);
afterAll(async () => {
  await started?.close();
  await rm(place, { recursive: true, force: true });
});

/** Runs a program beside the package, and returns what it prints. */
async function output(name: string, text: string): Promise<string> {
  await writeFile(path.join(place, name), text);
  const { stdout } = await run(process.execPath, [name, url, ADMIN_TOKEN, key], {
    cwd: place,
    timeout: TIMEOUT_MS,
  });
  return stdout.trim();
}

describe('the package', () => {
  test('has no source but what Node runs below node_modules, and needs one other package', async () => {
    const names = await readdir(path.join(place, 'node_modules/lictor/dist'), { recursive: true });
    const files = names.filter((name) => /\.\w+$/.test(name));
    expect(files).toEqual(expect.arrayContaining(['client/index.js', 'client/index.d.ts']));
    expect(files.filter((name) => !/\.(js|d\.ts)$/.test(name))).toEqual([]);
    expect((await readdir(path.join(place, 'node_modules'))).sort()).toEqual(['ipaddr.js', 'lictor']);
  });

  test('is used from plain JavaScript', async () => {
    const text = `
      import { ApiError, createClient } from 'lictor/client';
      const [url, token, key] = process.argv.slice(2);
      const client = createClient({ url: ['http://127.0.0.1:1', url], token });
      await client.instances.register('plain', { key });
      const { id } = await client.logins.create({ instance: 'plain', user: 'ann' });
      try {
        await client.logins.create({ instance: 'plain', user: 'bea' });
      } catch (error) {
        console.log(error instanceof ApiError, error.isRefusal, error.code);
      }
      await client.logins.remove(id, { instance: 'plain' });
      console.log((await client.tryLogin({ instance: 'plain', user: 'bea' })).granted);
    `;
    expect(await output('plain.mjs', text)).toBe('true true units-exhausted\ntrue');
  });

  test('is used from CommonJS', async () => {
    const text = `
      const { createClient } = require('lictor/client');
      const [url, token] = process.argv.slice(2);
      createClient({ url, token }).server.liveness().then(({ status }) => console.log(status));
    `;
    expect(await output('plain.cjs', text)).toBe('live');
  });

  test('has types that fit a strict program, and refuse a misspelt one', async () => {
    await symlink(path.join(ROOT, 'node_modules/@types'), path.join(place, 'node_modules/@types'));
    await symlink(
      path.join(ROOT, 'node_modules/undici-types'),
      path.join(place, 'node_modules/undici-types'),
    );
    await writeFile(path.join(place, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      types: ['node'],
    };
    await writeFile(
      path.join(place, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['*.ts'] }),
    );
    await writeFile(
      path.join(place, 'program.ts'),
      `import { ApiError, createClient, each, type Instance, type Login, type ProblemCode } from 'lictor/client';
const client = createClient({ url: 'http://127.0.0.1:8080', tokenFile: '/run/token' });
const login: Login = await client.logins.create({ instance: 'a', user: undefined }, { timeoutMs: 5 });
const code: ProblemCode | null = await client.logins.remove(login.id).then(() => null, (e: ApiError) => e.code);
const verdict = await client.tryLogin({ instance: 'a' }, { signal: AbortSignal.timeout(5) });
export const words: string = verdict.granted ? verdict.login.decision : verdict.refusal.message;
export async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of each(client.instances.list, { key: 'k' })) found.push(name);
  return found;
}
export const instance: Promise<Instance> = client.instances.read('a');
// @ts-expect-error a field that does not exist
await client.logins.create({ instance: 'a', usr: 'ann' });
// @ts-expect-error what is missing
await client.logins.create({});
// @ts-expect-error a code that is not in the catalogue
export const isMisspelt = code === 'units-exausted';
// @ts-expect-error a revision is needed
await client.keys.change('k', { connectionsPerUnitMax: 3 });
`,
    );
    const tsc = path.join(ROOT, 'node_modules/.bin/tsc');
    const { stdout } = await run(tsc, ['-p', place], { timeout: TIMEOUT_MS }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });
});
