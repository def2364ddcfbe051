/** A tiny HTTP server for whoever watches the sidecar: `/livez`, `/readyz` and `/metrics`. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const REQUEST_TIMEOUT_MS = 5_000;
const HEADERS_OCTETS_MAX = 8_192;
const CONNECTIONS_MAX = 64;

/** What is told. */
export interface HealthSource {
  /** What the sidecar is, for people; a word and figures, no secrets. */
  state(): Readonly<Record<string, unknown>>;
  /** The metrics as Prometheus reads them. */
  metrics(): Promise<string>;
}

/** The server that is listening. */
export interface Health {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts the server.
 * @param host - where to listen.
 * @param port - the TCP port; 0 takes any free one.
 * @param source - what is told.
 * @throws the system's error when it cannot listen.
 */
export async function openHealth(host: string, port: number, source: HealthSource): Promise<Health> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: HEADERS_OCTETS_MAX },
    (request, response) => {
      const path = request.url?.split('?', 1)[0] ?? '';
      if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', '');
      if (path === '/livez' || path === '/readyz') {
        return send(response, 200, 'application/json', `${JSON.stringify(source.state())}\n`);
      }
      if (path !== '/metrics') return send(response, 404, 'text/plain', 'Try /livez, /readyz or /metrics.\n');
      source.metrics().then(
        (text) => send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', text),
        () => send(response, 500, 'text/plain', ''),
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  const { address, port: bound, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}
