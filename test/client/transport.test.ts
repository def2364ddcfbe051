/** How calls get to Lictor when something is in the way: real servers that misbehave, over real HTTP. */

import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  ApiError,
  type Client,
  type ClientOptions,
  createClient,
  type FailedAttempt,
  UnreachableError,
} from '../../src/client/index.ts';
import {
  type Handler,
  hang,
  inTurn,
  json,
  problem,
  reset,
  startServer,
  type TestServer,
} from '../support/servers.ts';
import { until } from '../support/wait.ts';

const TOKEN = 'lictor_abc_very-secret';
const OK = json({ id: 'key-1' });

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serverOf(handler: Handler, port?: number): Promise<TestServer> {
  const server = await startServer(handler, port);
  closing.push(() => server.close());
  return server;
}

function clientOf(url: string | string[], options: Partial<ClientOptions> = {}): Client {
  const client = createClient({ url, token: TOKEN, ...options });
  closing.push(() => client.close());
  return client;
}

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function rejectionOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    (value) => {
      throw new Error(`It was answered: ${JSON.stringify(value)}`);
    },
    (reason: unknown) => reason,
  );
}

async function unreachable(call: Promise<unknown>): Promise<UnreachableError> {
  const error = await rejectionOf(call);
  expect(error).toBeInstanceOf(UnreachableError);
  return error as UnreachableError;
}

async function no(call: Promise<unknown>): Promise<ApiError> {
  const error = await rejectionOf(call);
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

describe('several base URLs', () => {
  test('one that refuses connections is passed over at once, and then left alone', async () => {
    const there = await serverOf(OK);
    const failed: (FailedAttempt & { operation: string })[] = [];
    const gone = `http://127.0.0.1:${await freePort()}`;
    const client = clientOf([gone, there.url], { onAttemptFailed: (one) => void failed.push(one) });
    const took = await elapsedMs(async () => expect(await client.keys.read('k')).toEqual({ id: 'key-1' }));
    expect(took).toBeLessThan(6_000);
    await client.keys.read('k');
    expect(failed).toEqual([{ url: gone, reason: 'refused the connection', operation: 'readKey' }]);
    expect(there.requests).toHaveLength(2);
  });

  test('one that does not answer costs one attempt, and the next is asked', async () => {
    const [hung, there] = [await serverOf(hang), await serverOf(OK)];
    const client = clientOf([hung.url, there.url], { attemptTimeoutMs: 100 });
    expect(await client.keys.read('k')).toEqual({ id: 'key-1' });
    expect(await client.keys.read('k')).toEqual({ id: 'key-1' });
    expect([hung.requests.length, there.requests.length]).toEqual([1, 2]);
  });

  test('the first in the list is returned to when it is back, and no call waits for finding out', async () => {
    const port = await freePort();
    const second = await serverOf(json({ id: 'second' }));
    const failed: FailedAttempt[] = [];
    const client = clientOf([`http://127.0.0.1:${port}`, second.url], {
      onAttemptFailed: (one) => void failed.push(one),
    });
    expect(await client.keys.read('k')).toEqual({ id: 'second' });
    const first = await serverOf(json({ id: 'first' }), port);
    await until(
      async () => (await client.keys.read('k')).id === 'first',
      20_000,
      'the first base URL is asked again',
    );
    expect(first.probes).toBe(1);
    expect(failed).toHaveLength(1);
  });

  test('one that hangs is tried in the background only, while the other serves', async () => {
    const [hung, there] = [await serverOf(hang), await serverOf(OK)];
    // Long enough for the one that serves to answer in time on a busy machine.
    const client = clientOf([hung.url, there.url], { attemptTimeoutMs: 1_500 });
    await until(
      async () => {
        await client.keys.read('k');
        return hung.probes >= 2;
      },
      20_000,
      'the hanging one is probed twice',
    );
    expect(hung.requests).toHaveLength(1);
  });
});

describe('what has a number of its own', () => {
  test('is sent again as it was: updates, and the end of a life', async () => {
    const server = await serverOf(inTurn(reset, json({ acknowledged: true })));
    const client = clientOf(server.url);
    const update = { incarnation: 1, sequence: 2, since: 1, users: [] };
    expect(await client.instances.update('a/b', update)).toEqual({ acknowledged: true });
    expect(server.requests.map(({ method, url, body }) => [method, url, JSON.parse(body)])).toEqual([
      ['POST', '/v1/instances/a%2Fb/updates', update],
      ['POST', '/v1/instances/a%2Fb/updates', update],
    ]);
    server.answer(inTurn(reset, (response) => void response.writeHead(204).end()));
    expect(await client.instances.close('app', { incarnation: 1 })).toBeUndefined();
    expect(server.requests.slice(2).map(({ url }) => url)).toEqual([
      '/v1/instances/app/close',
      '/v1/instances/app/close',
    ]);
  });
});

describe('what cannot be repeated', () => {
  const create = (client: Client) => client.tokens.create({ name: 'n', role: 'viewer' });

  test('is sent once when the connection breaks, and the error says that the outcome is not known', async () => {
    const [broken, there] = [await serverOf(reset), await serverOf(OK)];
    const error = await unreachable(create(clientOf([broken.url, there.url])));
    expect(error).toMatchObject({ operation: 'createToken', outcomeUnknown: true });
    expect(error.attempts).toEqual([
      { url: broken.url, reason: expect.stringContaining('broke the connection') },
    ]);
    expect([broken.requests.length, there.requests.length]).toEqual([1, 0]);
  });

  test('is sent once when the answer does not come', async () => {
    const hung = await serverOf(hang);
    const error = await unreachable(create(clientOf(hung.url, { attemptTimeoutMs: 100 })));
    expect(error.outcomeUnknown).toBe(true);
    expect(hung.requests).toHaveLength(1);
  });

  test('goes to the next base URL when it was surely not sent or not done', async () => {
    const gone = `http://127.0.0.1:${await freePort()}`;
    const starting = await serverOf(problem(503, 'not-ready', { retryAfterSeconds: 1 }));
    const there = await serverOf(json({ id: 't' }));
    expect(await create(clientOf([gone, starting.url, there.url]))).toEqual({ id: 't' });
    expect([starting.requests.length, there.requests.length]).toEqual([1, 1]);
  });

  test('is not sent again when the server does not know what came of it (R-3)', async () => {
    const server = await serverOf(problem(503, 'outcome-unknown', { retryAfterSeconds: 0.01 }));
    expect((await no(create(clientOf(server.url)))).code).toBe('outcome-unknown');
    expect(server.requests).toHaveLength(1);
  });
});

describe('server-told back-off', () => {
  test('503 with retryAfterSeconds is waited for, and then sent again', async () => {
    const server = await serverOf(inTurn(problem(503, 'queue-full', { retryAfterSeconds: 0.3 }), OK));
    const client = clientOf(server.url);
    const took = await elapsedMs(() => client.keys.read('k'));
    expect(took).toBeGreaterThanOrEqual(295);
    expect(server.requests).toHaveLength(2);
  });

  test('longer than the call has, it is answered at once with what the server said', async () => {
    const server = await serverOf(problem(503, 'storage-unavailable', { retryAfterSeconds: 20 }));
    const client = clientOf(server.url, { timeoutMs: 5_000 });
    const took = await elapsedMs(async () => {
      const error = await no(client.keys.read('k'));
      expect(error).toMatchObject({ code: 'storage-unavailable', retryAfterSeconds: 20 });
    });
    expect(took).toBeLessThan(4_000);
    // Calls that follow do not knock either.
    const error = await unreachable(client.keys.read('k'));
    expect(error.message).toMatch(/asked to be left alone for another [12]\d s/);
    expect(error.outcomeUnknown).toBe(false);
    expect(server.requests).toHaveLength(1);
  });

  test('meanwhile another base URL serves', async () => {
    const [full, there] = [
      await serverOf(problem(503, 'shutting-down', { retryAfterSeconds: 30 })),
      await serverOf(OK),
    ];
    const client = clientOf([full.url, there.url]);
    await client.keys.read('k');
    await client.keys.read('k');
    expect([full.requests.length, there.requests.length]).toEqual([1, 2]);
  });

  test('Retry-After of something in front of Lictor counts as well', async () => {
    const proxy: Handler = (response) => void response.writeHead(503, { 'retry-after': '1' }).end('<html>');
    const server = await serverOf(inTurn(proxy, OK));
    const took = await elapsedMs(() => clientOf(server.url).keys.read('k'));
    expect(took).toBeGreaterThanOrEqual(990);
    expect(server.requests).toHaveLength(2);
  });

  test('429 is waited out at the same door', async () => {
    const [limited, other] = [
      await serverOf(inTurn(problem(429, 'rate-limited', { retryAfterSeconds: 0.2 }), OK)),
      await serverOf(OK),
    ];
    const took = await elapsedMs(() => clientOf([limited.url, other.url]).keys.read('k'));
    expect(took).toBeGreaterThanOrEqual(195);
    expect([limited.requests.length, other.requests.length]).toEqual([2, 0]);
  });

  test('429 with more time than the call has ends it at once', async () => {
    const server = await serverOf(problem(429, 'rate-limited', { retryAfterSeconds: 60 }));
    expect((await no(clientOf(server.url).keys.read('k'))).retryAfterSeconds).toBe(60);
    expect(server.requests).toHaveLength(1);
  });
});

describe('what is not Lictor', () => {
  const huge: Handler = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const write = () => {
      while (!response.destroyed && response.write(`"${'x'.repeat(10_000)}",`));
    };
    response.on('drain', write).on('error', () => {});
    write();
  };
  const cases: [name: string, handler: Handler, reason: string][] = [
    [
      'a redirect, which is not followed',
      (response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/?secret=1' }).end(),
      'answered 302, a redirect, which is not followed',
    ],
    [
      'a page that is not JSON',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      'answered 200 with what is not JSON',
    ],
    [
      'broken JSON',
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":'),
      'answered 200 with what is not JSON',
    ],
    [
      'an error page',
      (response) => void response.writeHead(404, { 'content-type': 'text/html' }).end('<html>'),
      "answered 404 without a problem of Lictor's",
    ],
    ['a body without an end', huge, 'answered 200 with more than 50000 bytes'],
  ];

  test.each(cases)('%s is told at once, and asked once', async (_name, handler, reason) => {
    const server = await serverOf(handler);
    const client = clientOf(server.url, { bodyBytesMax: 50_000 });
    const took = await elapsedMs(async () => {
      const error = await unreachable(client.keys.read('k'));
      expect(error.attempts).toEqual([{ url: server.url, reason, status: expect.any(Number) }]);
      expect(error.message).toContain(reason);
    });
    expect(took).toBeLessThan(5_000);
    expect(server.requests).toHaveLength(1);
  });

  test.each(cases)('%s does not keep the next base URL from answering', async (_name, handler) => {
    const [foreign, there] = [await serverOf(handler), await serverOf(OK)];
    const client = clientOf([foreign.url, there.url], { bodyBytesMax: 50_000 });
    expect(await client.keys.read('k')).toEqual({ id: 'key-1' });
  });

  test('502 of a proxy is asked again, since Lictor may come back behind it', async () => {
    const proxy: Handler = (response) => void response.writeHead(502).end('bad gateway');
    const server = await serverOf(inTurn(proxy, proxy, OK));
    expect(await clientOf(server.url).keys.read('k')).toEqual({ id: 'key-1' });
    expect(server.requests).toHaveLength(3);
  });
});

describe('time and signals', () => {
  test('a call ends at its deadline, whatever it waits for', async () => {
    const server = await serverOf(hang);
    const client = clientOf(server.url, { attemptTimeoutMs: 100, timeoutMs: 450 });
    const took = await elapsedMs(async () => {
      const error = await unreachable(client.keys.read('k'));
      expect(error.attempts.length).toBeGreaterThan(1);
      expect(error.attempts[0]?.reason).toBe('did not answer within 100 ms');
    });
    expect(took).toBeLessThan(6_000);
  });

  test('a body that never ends in time is no answer', async () => {
    const server = await serverOf((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"id":');
    });
    const error = await unreachable(clientOf(server.url).keys.read('k', { timeoutMs: 200 }));
    expect(error.attempts[0]?.reason).toMatch(/^did not answer within \d+ ms$/);
  });

  test('between attempts at the same server is a pause that grows', async () => {
    const server = await serverOf(reset);
    const call = () => unreachable(clientOf(server.url).keys.read('k', { attemptsMax: 4 }));
    // At least half of 50, 100 and 200 ms.
    expect(await elapsedMs(call)).toBeGreaterThanOrEqual(170);
    expect(server.requests).toHaveLength(4);
  });

  test('attempts are bounded', async () => {
    const server = await serverOf(reset);
    const error = await unreachable(clientOf(server.url).keys.read('k', { attemptsMax: 3 }));
    expect(error.attempts).toHaveLength(3);
    expect(server.requests).toHaveLength(3);
    await expect(clientOf(server.url).keys.read('k', { timeoutMs: Number.NaN })).rejects.toThrow(RangeError);
  });

  test.each([
    ['while the answer is awaited', hang],
    ['while a back-off is waited for', problem(503, 'queue-full', { retryAfterSeconds: 10 })],
    ['while a rate is waited for', problem(429, 'rate-limited', { retryAfterSeconds: 10 })],
    ['while a body is read', (response) => void response.writeHead(200).write('{')],
  ] as [string, Handler][])('a signal ends a call %s, with its reason', async (_when, handler) => {
    const server = await serverOf(handler);
    const controller = new AbortController();
    const call = clientOf(server.url, { timeoutMs: 20_000, attemptTimeoutMs: 20_000 }).keys.read('k', {
      signal: controller.signal,
    });
    const rejection = rejectionOf(call);
    await until(() => server.requests.length === 1, 20_000, 'the request arrives');
    const reason = new Error('the user went away');
    const took = await elapsedMs(async () => {
      controller.abort(reason);
      expect(await rejection).toBe(reason);
    });
    expect(took).toBeLessThan(6_000);
  });

  test('a signal that was given before lets nothing be sent', async () => {
    const server = await serverOf(OK);
    const call = clientOf(server.url).keys.read('k', { signal: AbortSignal.abort() });
    expect(await rejectionOf(call)).toMatchObject({ name: 'AbortError' });
    expect(server.requests).toHaveLength(0);
  });

  test('closing the client ends its calls and lets none begin', async () => {
    const server = await serverOf(hang);
    const client = clientOf(server.url);
    const rejection = rejectionOf(client.keys.read('k'));
    await until(() => server.requests.length === 1, 20_000, 'the request arrives');
    client.close();
    expect(await rejection).toMatchObject({ message: 'The client is closed.' });
    await expect(client.keys.read('k')).rejects.toThrow('The client is closed.');
    expect(server.requests).toHaveLength(1);
  });
});

describe('secrets', () => {
  test('stand in the header and nowhere else', async () => {
    const broken = await serverOf(reset);
    const gone = `http://127.0.0.1:${await freePort()}`;
    const told: unknown[] = [];
    const client = clientOf([gone, broken.url], {
      attemptsMax: 4,
      onAttemptFailed: (one) => void told.push(one),
    });
    const error = await unreachable(client.logins.create({ instance: 'app', user: 'secret-user' }));
    expect(broken.requests[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(broken.requests.every(({ url }) => !url.includes('secret'))).toBe(true);
    const everything = JSON.stringify([told, error, error.message, error.stack, String(error.cause)]);
    expect(everything).not.toContain('secret');
  });

  test('in a base URL are refused, and not repeated', () => {
    for (const url of [
      'http://u:pass-word@127.0.0.1',
      'u:pass-word@127.0.0.1',
      'http://127.0.0.1/?k=pass-word',
    ]) {
      const make = () => createClient({ url });
      expect(make).toThrow(TypeError);
      expect(make).not.toThrow(/pass-word/);
    }
    expect(() => createClient({ url: [] })).toThrow('at least one base URL');
    expect(() => createClient({ url: 'ftp://127.0.0.1' })).toThrow('not an http or https URL');
  });

  test('every attempt of a call has the same request ID, which the error tells', async () => {
    const server = await serverOf(reset);
    const error = await unreachable(clientOf(server.url).keys.read('k', { attemptsMax: 2 }));
    expect(server.requests.map(({ headers }) => headers['x-request-id'])).toEqual([
      error.requestId,
      error.requestId,
    ]);
  });

  test('a base URL may have a path', async () => {
    const server = await serverOf(OK);
    await clientOf(`${server.url}/licences/`).keys.read('k');
    expect(server.requests[0]?.url).toBe('/licences/v1/keys/k');
  });
});
