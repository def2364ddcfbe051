/** Base URLs that no waiting helps with: they are told at once, in words that say what is wrong. */

import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createClient, type UnreachableError } from '../../src/client/index.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server of plain HTTP. @returns its port. */
async function plainServer(): Promise<number> {
  const server = createServer((_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

async function unreachable(url: string | string[]): Promise<UnreachableError> {
  const client = createClient({ url, token: 'a' });
  closing.push(() => client.close());
  return client.server.liveness().then(
    () => Promise.reject(new Error('it was answered')),
    (error) => error,
  );
}

describe('a base URL that leads nowhere', () => {
  test('with https where plain HTTP is spoken', async () => {
    const { attempts, outcomeUnknown } = await unreachable(`https://127.0.0.1:${await plainServer()}`);
    expect([attempts.length, outcomeUnknown]).toEqual([1, false]);
    expect(attempts[0]!.reason).toMatch(/^speaks no TLS that is understood here \(ERR_SSL_\w+\); is it http/);
  });

  test('with a port that fetch never goes to', async () => {
    const { attempts } = await unreachable('http://127.0.0.1:1');
    expect(attempts.map(({ reason }) => reason)).toEqual([
      'has a port that fetch never goes to; choose another one',
    ]);
  });
});

test('several base URLs have ten attempts each, so that one more is no less patience', async () => {
  const urls = ['http://127.0.0.2:9', 'http://127.0.0.3:9'];
  let tried = 0;
  const counting = createClient({
    url: urls,
    timeoutMs: 60_000,
    fetch: () => {
      tried += 1;
      if (tried > 10) return Promise.resolve(Response.json({ status: 'live' }));
      return Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }));
    },
  });
  closing.push(() => counting.close());
  expect(await counting.server.liveness()).toEqual({ status: 'live' });
});
