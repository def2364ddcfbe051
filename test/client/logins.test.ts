/** Logins whose answer is lost: the ID that the client makes lets it ask again, and take back what it gave up. */

import { afterEach, describe, expect, test } from '@jest/globals';
import { type Client, createClient } from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import {
  type Arrived,
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

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function pairOf(handler: Handler): Promise<{ server: TestServer; client: Client }> {
  const server = await startServer(handler);
  const client = createClient({ url: server.url, token: ADMIN_TOKEN, attemptTimeoutMs: 200, timeoutMs: 500 });
  closing.push(() => server.close());
  closing.push(() => client.close());
  return { server, client };
}

const idOf = ({ body }: Arrived) => (JSON.parse(body) as { id: string }).id;
const BODY = { instance: 'app-a', user: 'ann' };

describe('a login without an ID', () => {
  test('gets one, and is sent again with the same one (R-7)', async () => {
    const { server, client } = await pairOf(inTurn(reset, json({ id: 'x' })));
    await client.logins.create(BODY);
    const [first, second] = server.requests;
    expect(idOf(first!)).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect(idOf(second!)).toBe(idOf(first!));
  });

  test('is taken back when its answer never comes, with the instance named', async () => {
    const { server, client } = await pairOf(hang);
    await expect(client.logins.create(BODY)).rejects.toThrow('could not be reached');
    server.answer((response) => void response.writeHead(204).end());
    const logout = await until(
      () => server.requests.find(({ method }) => method === 'DELETE'),
      20_000,
      'the login is taken back',
    );
    expect(logout.url).toBe(`/v1/logins/${idOf(server.requests[0]!)}?instance=app-a`);
  });

  test('is taken back when the caller gives up waiting', async () => {
    const { server, client } = await pairOf(hang);
    const controller = new AbortController();
    const call = client.logins.create(BODY, { signal: controller.signal });
    const rejected = expect(call).rejects.toThrow('enough');
    await until(() => server.requests.length === 1, 20_000, 'the login arrives');
    server.answer((response) => void response.writeHead(204).end());
    controller.abort(new Error('enough'));
    await rejected;
    await until(() => server.requests.some(({ method }) => method === 'DELETE'), 20_000, 'it is taken back');
  });

  test('that was refused has nothing to take back', async () => {
    const { server, client } = await pairOf(inTurn(problem(409, 'units-exhausted'), json({})));
    expect(await client.tryLogin(BODY)).toMatchObject({ granted: false });
    await client.keys.read('another');
    expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });
});

describe('a login with an ID of the caller', () => {
  test('is left to the caller, who may ask again', async () => {
    const { server, client } = await pairOf(hang);
    const id = '0198f6c0-0000-7000-8000-000000000001';
    await expect(client.logins.create({ ...BODY, id })).rejects.toMatchObject({ outcomeUnknown: true });
    server.answer(json({}));
    await client.keys.read('another');
    expect(new Set(server.requests.map(({ method }) => method))).toEqual(new Set(['POST', 'GET']));
  });
});

describe('a batch', () => {
  test('has the logins taken back that it made the IDs of', async () => {
    const { server, client } = await pairOf(reset);
    const id = '0198f6c0-0000-7000-8000-000000000002';
    const operations = [
      { do: 'login', login: BODY },
      { do: 'login', login: { ...BODY, id } },
      { do: 'heartbeat', instance: 'app-a', id },
    ] as const;
    await expect(client.logins.batch({ operations })).rejects.toThrow('could not be reached');
    const [first] = server.requests;
    const sent = (JSON.parse(first!.body) as { operations: { login?: { id: string } }[] }).operations;
    server.answer(json({ verdicts: [] }));
    const last = await until(
      () => server.requests.find(({ body }) => body.includes('logout')),
      20_000,
      'the batch is taken back',
    );
    expect(JSON.parse(last.body)).toEqual({
      operations: [{ do: 'logout', instance: 'app-a', id: sent[0]!.login!.id }],
    });
    expect(sent[1]!.login!.id).toBe(id);
  });
});

describe('with a real Lictor behind a connection that breaks', () => {
  let started: StartedApp;

  /** Passes requests on to Lictor, and cuts the connection instead of the answers that it is told to lose. */
  function passingOn(url: string, isLost: (request: Arrived, number: number) => boolean): Handler {
    return (response, request, number) => {
      const { authorization, 'content-type': type } = request.headers;
      void fetch(url + request.url, {
        method: request.method,
        headers: { authorization: authorization!, ...(type === undefined ? {} : { 'content-type': type }) },
        ...(request.body === '' ? {} : { body: request.body }),
      }).then(async (answer) => {
        const body = await answer.text();
        if (isLost(request, number)) return response.socket!.resetAndDestroy();
        const contentType = answer.headers.get('content-type');
        response
          .writeHead(answer.status, contentType === null ? {} : { 'content-type': contentType })
          .end(body);
      });
    };
  }

  test('a lost answer costs no unit more, and an abandoned login none', async () => {
    started = await startApp();
    closing.push(() => started.close());
    const url = await started.app.listen({ port: 0, host: '127.0.0.1' });
    const key = (await started.installKey({ AuthorizedUnits: 5 })).id;
    await started.register('app-a', key);
    const inUse = async () => (await started.call('GET /v1/instances/app-a')).json().holds.units as number;

    const { server, client } = await pairOf(passingOn(url, (_request, number) => number === 1));
    const login = await client.logins.create(BODY);
    expect([server.requests.length, await inUse()]).toEqual([2, 1]);
    await client.logins.remove(login.id, { instance: 'app-a' });
    expect(await inUse()).toBe(0);

    server.answer(passingOn(url, ({ method }) => method === 'POST'));
    await expect(client.logins.create(BODY)).rejects.toThrow('could not be reached');
    await until(async () => (await inUse()) === 0, 20_000, 'the abandoned login is taken back');
    expect(server.requests.at(-1)?.method).toBe('DELETE');
  });
});
