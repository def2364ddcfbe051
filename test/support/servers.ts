/** Small HTTP servers that answer as a test tells them to, and misbehave where it wants that. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers a request; the number of it counts from 1. */
export type Handler = (response: ServerResponse, request: Arrived, number: number) => void;

/** A server under way. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** What arrived so far, but for probes of readiness. */
  readonly requests: readonly Arrived[];
  /** How often its readiness was asked for. */
  readonly probes: number;
  /** Answers otherwise from now on. */
  answer(handler: Handler): void;
  close(): Promise<void>;
}

/** Answers 200 with JSON. */
export const json =
  (body: unknown): Handler =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

/** Answers with a problem. */
export const problem =
  (status: number, code: string, extras: object = {}, headers: Record<string, string> = {}): Handler =>
  (response) => {
    const body = {
      type: `/problems/${code}`,
      title: code,
      status,
      code,
      detail: `${code}.`,
      requestId: 'r',
      ...extras,
    };
    response.writeHead(status, { 'content-type': 'application/problem+json', ...headers });
    response.end(JSON.stringify(body));
  };

/** Takes the request and never answers. */
export const hang: Handler = () => {};

/** Takes the request and cuts the connection. */
export const reset: Handler = (response) => {
  response.socket!.resetAndDestroy();
};

/** Answers one handler after the other, and then goes on with the last. */
export const inTurn =
  (...handlers: Handler[]): Handler =>
  (response, request, number) => {
    handlers[Math.min(number, handlers.length) - 1]!(response, request, number);
  };

/**
 * Starts a server on a port of its own.
 * @param handler - answers everything but probes of readiness, which are answered 200 unless it hangs or resets.
 * @param port - the port; any free one when left out.
 */
export async function startServer(handler: Handler, port = 0): Promise<TestServer> {
  const requests: Arrived[] = [];
  let probes = 0;
  let current = handler;
  let since = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const arrived = { method, url, headers, body: Buffer.concat(chunks).toString() };
      if (url === '/readyz' && current !== hang && current !== reset) {
        probes += 1;
        return json({ status: 'ready' })(response, arrived, probes);
      }
      if (url === '/readyz') probes += 1;
      else requests.push(arrived);
      current(response, arrived, requests.length - since);
    });
    request.on('error', () => {});
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    requests,
    get probes() {
      return probes;
    },
    answer(next) {
      current = next;
      since = requests.length;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
