/**
 * A server as the benchmarks use it: its calls, its metrics, and preparing what is measured.
 */

import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

const POLL_INTERVAL_MS = 5;
/** The most operations that one request with many may have. */
const BATCH_OPERATIONS = 500;
/** Requests with many operations that are under way at the same time. */
const BATCHES_AT_ONCE = 4;
/** Preparations of which many are under way at the same time. */
const CALLS_AT_ONCE = 32;

/** The administrator's token of every server of a run. */
export const TOKEN = `bench_${randomBytes(24).toString('base64url')}`;

/** Calls a server. */
export class Api {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Makes a call and reads its JSON.
   * @throws Error with status and body when it is not answered 2xx.
   */
  async call<Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Body> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === '' ? null : JSON.parse(text)) as Body;
  }

  /** Waits until the server says that it is ready. */
  async ready(timeoutMs: number): Promise<void> {
    await this.#until(timeoutMs, 'the server is ready', async () => {
      const response = await fetch(`${this.#url}/readyz`);
      const { status } = (await response.json()) as { status: string };
      return status === 'ready';
    });
  }

  /** Logs a user in, again and again until the first grant. */
  async firstGrant(instance: string, user: string, timeoutMs: number): Promise<void> {
    await this.#until(timeoutMs, 'the first login is granted', async () => {
      await this.call('POST', '/v1/logins', { instance, user });
      return true;
    });
  }

  async #until(timeoutMs: number, what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let cause: unknown;
    for (;;) {
      try {
        if (await condition()) return;
      } catch (error) {
        cause = error;
      }
      if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}.`, { cause });
      await pause(POLL_INTERVAL_MS);
    }
  }

  /**
   * Installs a key file on stated terms.
   * @param order - the order number, which makes it another key.
   * @returns the key's ID.
   */
  async installKey(order: number, units: number): Promise<string> {
    const key = await this.call<{ id: string }>('POST', '/v1/keys', {
      file: keyFile(order),
      stated: { units, licenseType: 'concurrent-user', server: 'multi' },
    });
    return key.id;
  }

  /** Has a key enforced in another way. */
  async enforce(key: string, enforcement: 'central' | 'local' | 'leased'): Promise<void> {
    await this.call('PATCH', `/v1/keys/${key}`, { enforcement }, { 'if-match': '*' });
  }

  /** Registers an instance that is never reaped. */
  async register(name: string, key: string): Promise<void> {
    await this.call('PUT', `/v1/instances/${name}`, { key, settings: { graceSeconds: 0 } });
  }

  /** Ends everything that an instance holds. */
  async release(instance: string): Promise<void> {
    await this.call('POST', '/v1/releases', { instance, reason: 'benchmark' });
  }

  /** Does the same with many names or numbers, some at a time. */
  async each<Item>(items: readonly Item[], work: (item: Item) => Promise<void>, atOnce = CALLS_AT_ONCE) {
    const waiting = items.values();
    const worker = async () => {
      for (const item of waiting) await work(item);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  /**
   * Logs many users in through the batch call.
   * @param count - how many.
   * @param loginOf - the body of the n-th login.
   * @throws Error when one of them is not granted.
   */
  async logIn(count: number, loginOf: (number: number) => object): Promise<void> {
    const starts = Array.from(
      { length: Math.ceil(count / BATCH_OPERATIONS) },
      (_, n) => n * BATCH_OPERATIONS,
    );
    await this.each(
      starts,
      async (start) => {
        const operations = [];
        for (let number = start; number < Math.min(count, start + BATCH_OPERATIONS); number += 1) {
          operations.push({ do: 'login', login: loginOf(number) });
        }
        const { verdicts } = await this.call<{ verdicts: { status: number }[] }>('POST', '/v1/logins/batch', {
          operations,
        });
        const refused = verdicts.find(({ status }) => status !== 201);
        if (refused) throw new Error(`A prepared login was answered ${JSON.stringify(refused)}.`);
      },
      BATCHES_AT_ONCE,
    );
  }

  /** Reads the metrics: the sum over the labels of each name. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const sums = new Map<string, number>();
    for (const line of text.split('\n')) {
      const found = /^([a-z_]+)(?:\{[^}]*\})? ([-+\d.e]+)/.exec(line);
      if (found) sums.set(found[1]!, (sums.get(found[1]!) ?? 0) + Number(found[2]));
    }
    return sums;
  }
}

/** The text of a key file in the form of 2011, with an order number of its own and nothing that expires. */
function keyFile(order: number): string {
  return [
    '[ConfigFile]',
    'FileType=License 2011',
    '',
    '[License]',
    'LicenseCapacity=Cache 2011 Elite - Concurrent Users for x86-64 (Linux 64-bit):1000, Multi-Server',
    'CustomerName=Benchmark (Example)',
    `OrderNumber=${900_000_000 + order}`,
    'ExpirationDate=12/31/2099',
    'AuthorizationKey=7A100000148000F0A1B2C3D4E5F60718293A4B5C6D7',
    'MachineID=',
    '',
  ].join('\n');
}

/** @returns the client-made UUID with a number, as `load.lua` makes it. */
export function uuidOf(salt: number, number: number): string {
  return `${salt.toString(16).padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}
