/**
 * Clients of several replicas: requests over kept connections, and logins that are sent at once and repeated
 * under the same ID until somebody answers them, as a careful client does.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { CLUSTER_TOKEN, type Replica } from './cluster.ts';
import { signedKeyFile } from './keyfiles.ts';
import { until } from './wait.ts';

/** Longer than a replica lets an operation wait, so that it is the replica that speaks first. */
const REQUEST_TIMEOUT_MS = 8_000;
const SOCKETS_MAX = 400;
/** How long a burst may take until every login has its answer, with whatever befalls it. */
const BURST_TIMEOUT_MS = 60_000;
/** How long a client waits before it asks again. */
const RETRY_PAUSE_MS = 50;

/** What came back for one request; `status` is 0 when nothing did. */
export interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for the test to say.
  readonly body: any;
  /** The code of what went wrong on the way, such as `ECONNREFUSED`; null when there is a reply. */
  readonly error: string | null;
}

const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });

/** Closes the connections that are kept; call it when the replicas are gone. */
export function closeConnections(): void {
  agent.destroy();
}

/** Sends one request; never throws. */
export function call(base: string, method: string, path: string, body?: object): Promise<Reply> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, body: null, error: error.code ?? error.message });
    const sent = request(`${base}${path}`, {
      method,
      agent,
      timeout: REQUEST_TIMEOUT_MS,
      headers: {
        authorization: `Bearer ${CLUSTER_TOKEN}`,
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    });
    sent.once('error', failed);
    sent.once('timeout', () => sent.destroy(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })));
    sent.once('response', (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk;
      });
      response.once('error', failed);
      response.once('end', () =>
        resolve({
          status: response.statusCode!,
          body: received === '' ? null : JSON.parse(received),
          error: null,
        }),
      );
    });
    sent.end(text);
  });
}

/** Sends one request that must succeed. */
export async function must(base: string, method: string, path: string, body?: object) {
  const reply = await call(base, method, path, body);
  if (reply.status >= 200 && reply.status < 300) return reply.body;
  throw new Error(`${method} ${path}: ${reply.error ?? reply.status} ${JSON.stringify(reply.body)}`);
}

/**
 * Installs a signed key and registers instances with it that nobody reaps.
 * @param units - of the key.
 * @returns the key's ID.
 */
export async function installKey(
  base: string,
  units: number,
  instances: readonly string[],
  settings: object = { graceSeconds: 0 },
): Promise<string> {
  const { text, id } = signedKeyFile({ AuthorizedUnits: units });
  await must(base, 'POST', '/v1/keys', { file: text });
  for (const name of instances) await must(base, 'PUT', `/v1/instances/${name}`, { key: id, settings });
  return id;
}

/** One user who wants to log in, and what became of it. */
export interface Attempt {
  readonly id: string;
  readonly instance: string;
  readonly user: string;
  readonly leaseSeconds?: number;
  /** Every reply in order. */
  readonly replies: Reply[];
  /** The last reply, once it is a decision: 200, 201, or 409 by a rule. */
  outcome: 'granted' | 'refused' | null;
  /** When it came, by `performance.now()`. */
  decidedAt: number;
}

/** Makes logins of different users, in turn on each of some instances. */
export function makeAttempts(count: number, instances: readonly string[], leaseSeconds?: number): Attempt[] {
  return Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    instance: instances[index % instances.length]!,
    user: `user-${randomUUID().slice(0, 8)}-${index}`,
    ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    replies: [],
    outcome: null,
    decidedAt: 0,
  }));
}

/** Sends an attempt once and notes what came of it. */
export async function sendOnce(base: string, attempt: Attempt): Promise<Reply> {
  const { id, instance, user, leaseSeconds } = attempt;
  const reply = await call(base, 'POST', '/v1/logins', {
    id,
    instance,
    user,
    ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
  });
  attempt.replies.push(reply);
  if (reply.status === 200 || reply.status === 201) attempt.outcome = 'granted';
  else if (reply.status === 409 && reply.body.rule !== undefined) attempt.outcome = 'refused';
  if (attempt.outcome !== null) attempt.decidedAt = performance.now();
  return reply;
}

/** A burst of logins that is under way. */
export interface Burst {
  readonly attempts: readonly Attempt[];
  /** Waits until so many have been decided, so that a fault falls into the middle. */
  decided(count: number): Promise<void>;
  /** Every attempt has been decided. */
  readonly done: Promise<void>;
}

/**
 * Sends logins all at once, spread over the replicas; one that gets no decision is sent again, under its ID, to
 * the next replica that runs.
 * @param replicas - asked anew for each try, so that a replica may be replaced meanwhile.
 */
export function fire(attempts: readonly Attempt[], replicas: () => readonly Replica[]): Burst {
  const deadline = performance.now() + BURST_TIMEOUT_MS;
  const insist = async (attempt: Attempt, index: number): Promise<void> => {
    for (let turn = index; attempt.outcome === null; turn += 1) {
      if (performance.now() > deadline) {
        throw new Error(`No decision on a login: ${JSON.stringify(attempt.replies.slice(-3))}`);
      }
      const running = replicas().filter((replica) => replica.isRunning);
      if (running.length > 0) mustBeExpected(await sendOnce(running[turn % running.length]!.url, attempt));
      if (attempt.outcome === null) await pause(RETRY_PAUSE_MS);
    }
  };
  const done = Promise.all(attempts.map(insist)).then(() => {});
  // Whoever waits for the middle of the burst hears of its failure at its end.
  done.catch(() => {});
  return {
    attempts,
    decided: (count) =>
      until(
        () => attempts.filter((attempt) => attempt.outcome !== null).length >= count,
        BURST_TIMEOUT_MS,
        `${count} logins are decided`,
      ).then(() => {}),
    done,
  };
}

/** A decision, or a reply that says "try again"; any other is a fault of the server. */
function mustBeExpected({ status, error, body }: Reply): void {
  if ([200, 201, 503].includes(status) || error !== null || body.rule !== undefined) return;
  throw new Error(`A login was answered ${status} ${JSON.stringify(body)}`);
}

/** @returns the attempts that were granted. */
export function grantedOf(attempts: readonly Attempt[]): Attempt[] {
  return attempts.filter((attempt) => attempt.outcome === 'granted');
}

/** Takes back everything that instances hold, so that the pool is empty again. */
export async function releaseAll(base: string, instances: readonly string[]): Promise<void> {
  for (const instance of instances) {
    await must(base, 'POST', '/v1/releases', { instance, reason: 'the end of a round' });
  }
}
