/** Tokens from files that are replaced while a client runs. */

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createClient } from '../../src/client/index.ts';
import { createTokenSource } from '../../src/client/tokens.ts';
import { type Handler, json, problem, startServer, type TestServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';

let directory: string;
let tokenFile: string;
let valid: string;
let server: TestServer;

/** Takes one token only. */
const guarded: Handler = (response, request, number) => {
  const isValid = request.headers.authorization === `Bearer ${valid}`;
  (isValid ? json({ id: 'k' }) : problem(401, 'token-invalid'))(response, request, number);
};

/** Replaces the file in one step, as a mounted secret is replaced. */
async function rotate(text: string): Promise<void> {
  await writeFile(`${tokenFile}.new`, text);
  await rename(`${tokenFile}.new`, tokenFile);
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lictor-token-'));
  tokenFile = path.join(directory, 'token');
  server = await startServer(guarded);
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});
beforeEach(async () => {
  valid = 'first';
  await rotate('first\n');
  server.answer(guarded);
});

describe('a token file', () => {
  test('that was replaced is read again when its token is refused, and the call goes on', async () => {
    const client = createClient({ url: server.url, tokenFile });
    await client.keys.read('k');
    await rotate('second');
    valid = 'second';
    const before = server.requests.length;
    expect(await client.keys.read('k')).toEqual({ id: 'k' });
    // Also for what is sent once only: a refused token has done nothing.
    await rotate('third');
    valid = 'third';
    expect(await client.tokens.create({ name: 'n', role: 'viewer' })).toEqual({ id: 'k' });
    expect(server.requests.slice(before).map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer second',
      'Bearer second',
      'Bearer third',
    ]);
  });

  test('that was replaced is noticed without a refusal', async () => {
    const source = createTokenSource({ tokenFile });
    expect(await source.current()).toBe('first');
    await rotate('second');
    await until(async () => (await source.current()) === 'second', 20_000, 'the new token is read');
  });

  test('with the same token as was refused is the end of it', async () => {
    const client = createClient({ url: server.url, tokenFile });
    valid = 'another';
    const before = server.requests.length;
    await expect(client.keys.read('k')).rejects.toMatchObject({ code: 'token-invalid', status: 401 });
    expect(server.requests.length - before).toBe(1);
  });

  test('whose second token is refused as well is not read for ever', async () => {
    const client = createClient({ url: server.url, tokenFile });
    await client.keys.read('k');
    valid = 'another';
    await rotate('second');
    const before = server.requests.length;
    await expect(client.keys.read('k')).rejects.toMatchObject({ code: 'token-invalid' });
    expect(server.requests.length - before).toBe(2);
  });

  test('that is missing for a moment does not end what works', async () => {
    const source = createTokenSource({ tokenFile });
    await source.current();
    await rm(tokenFile);
    expect(await source.refresh('first')).toBe(false);
    expect(await source.current()).toBe('first');
    await writeFile(tokenFile, '');
    expect(await source.refresh('first')).toBe(false);
    await writeFile(tokenFile, 'second');
    expect(await source.refresh('first')).toBe(true);
    expect(await source.current()).toBe('second');
  });

  test.each([
    ['is not there', null, 'ENOENT'],
    ['is empty', ' \n', 'it holds no token'],
    ['holds something else', 'two words', 'it holds no token'],
    ['is too large', 'x'.repeat(20_000), 'it has more than 16384 bytes'],
  ])('that %s is named in the error, without its content', async (_name, text, reason) => {
    if (text === null) await rm(tokenFile);
    else await rotate(text);
    const before = server.requests.length;
    const client = createClient({ url: server.url, tokenFile });
    await expect(client.keys.read('k')).rejects.toThrow(`${tokenFile} cannot be used: ${reason}`);
    await expect(client.keys.read('k')).rejects.not.toThrow(/two words|xxx/);
    expect(server.requests.length).toBe(before);
  });
});

describe('a token', () => {
  test('is checked when the client is made, and not repeated', () => {
    expect(() => createClient({ url: server.url, token: 'line\nbreak' })).toThrow(TypeError);
    expect(() => createClient({ url: server.url, token: 'line\nbreak' })).not.toThrow(/break/);
    expect(() => createClient({ url: server.url, token: '' })).toThrow('empty');
    expect(() => createClient({ url: server.url, token: 'a', tokenFile })).toThrow('not both');
  });

  test('is not needed for what is public', async () => {
    server.answer(json({ status: 'live' }));
    await createClient({ url: server.url }).server.liveness();
    expect(server.requests.at(-1)?.headers.authorization).toBeUndefined();
  });
});
