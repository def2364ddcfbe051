/**
 * Datagrams into the UDP sidecar: parts of a report are read, verified, taken and answered, on one core, beside
 * a bare UDP echo with the same datagrams in the same run. Nothing of it reaches Lictor, which is measured
 * elsewhere.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DigestedRow } from '../src/domain/local/digest.ts';
import { deriveKeys, readAnswer, writeRequest } from '../src/udp/packets.ts';
import { writeUpdate } from '../src/udp/requests.ts';
import { readCpu } from './accounting.ts';
import type { Figure } from './goals.ts';
import { spreadOf } from './statistics.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const GOAL_PER_SECOND = 20_000;
const SECRET = 'secret-of-the-benchmark-0123456789abcdef';
const NAME = 'bench';
const LIFE = Buffer.alloc(8, 7);
const PARTS = 64;
const ROWS_PER_PART = 8;
/** Datagrams under way at the same time; more would overflow the smallest usual buffer. */
const WINDOW = 64;
const STALL_MS = 100;
const TIMEOUT_MS = 30_000;

/** How long and how often. */
export interface UdpTiming {
  readonly seconds: number;
  readonly rounds: number;
  readonly warmUpSeconds: number;
  readonly signal: AbortSignal;
}

/** What one round found. */
interface Round {
  readonly perSecond: number;
  /** Datagrams for each second of the process's own CPU time. */
  readonly perCpuSecond: number;
}

/**
 * Measures datagrams a second.
 * @param directory - for the secrets file of the sidecar.
 * @param timing - see there.
 * @param say - told of each round.
 * @returns the sidecar's rate with its goal, its rate on a whole core, and its ratio to the echo.
 */
export async function measureUdp(
  directory: string,
  timing: UdpTiming,
  say: (words: string) => void,
): Promise<Figure[]> {
  const secretsFile = path.join(directory, 'udp-secrets');
  writeFileSync(secretsFile, `${NAME} ${SECRET}\n`, { mode: 0o600 });
  const rate = '10000000';
  const children = [
    await Child.start(['bench/echo.ts'], {}),
    await Child.start(['src/cli.ts', 'udp'], {
      // Discard: nobody answers there, and nothing is sent there.
      LICTOR_URL: 'http://127.0.0.1:9',
      LICTOR_TOKEN: 'token-of-the-benchmark',
      LICTOR_UDP_SECRETS_FILE: secretsFile,
      LICTOR_UDP_HOSTS: '127.0.0.1',
      LICTOR_UDP_PORTS: '0',
      LICTOR_UDP_ADDRESS_RATE_MAX: rate,
      LICTOR_UDP_INSTANCE_RATE_MAX: rate,
    }),
  ] as const;
  const [echo, sidecar] = children;
  try {
    const rounds: { readonly echo: Round; readonly sidecar: Round }[] = [];
    for (let round = 1; round <= timing.rounds; round += 1) {
      timing.signal.throwIfAborted();
      const each = { echo: await measure(echo, timing), sidecar: await measure(sidecar, timing) };
      rounds.push(each);
      say(
        `  round ${round}: echo ${Math.round(each.echo.perSecond)}/s, sidecar ${Math.round(each.sidecar.perSecond)}/s`,
      );
    }
    return figuresOf(rounds);
  } finally {
    for (const child of children) await child.stop();
  }
}

function figuresOf(rounds: readonly { readonly echo: Round; readonly sidecar: Round }[]): Figure[] {
  const figure = (name: string, unit: string, values: number[], goal: Figure['goal'] = null): Figure => ({
    name,
    unit,
    value: spreadOf(values),
    goal,
    faults: [],
  });
  return [
    figure(
      'UDP echo',
      'datagrams/s',
      rounds.map(({ echo }) => echo.perSecond),
    ),
    figure(
      'UDP sidecar: read, verified, taken and answered',
      'datagrams/s',
      rounds.map(({ sidecar }) => sidecar.perSecond),
      { is: 'at least', bound: GOAL_PER_SECOND },
    ),
    figure(
      'UDP sidecar, by its own CPU time',
      'datagrams/core-s',
      rounds.map(({ sidecar }) => sidecar.perCpuSecond),
    ),
    figure(
      'UDP sidecar against the echo',
      '× echo',
      rounds.map(({ echo, sidecar }) => sidecar.perSecond / echo.perSecond),
    ),
  ];
}

/** A process that receives datagrams. */
class Child {
  readonly #child: ChildProcess;
  readonly port: number;
  /** The number of the next datagram, which goes on from one measurement to the next. */
  number = 1;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Child> {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    try {
      for await (const line of createInterface({ input: child.stdout! })) {
        const port = /"bound":\[\{[^}]*"port":(\d+)/.exec(line)?.[1];
        if (port !== undefined) return new Child(child, Number(port));
      }
    } finally {
      clearTimeout(timer);
    }
    throw new Error(`${args.join(' ')} ended before it received.`);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

const KEYS = deriveKeys(SECRET, NAME);

/** The bodies of all parts but the last, so that the report is never whole and Lictor is never asked. */
const BODIES: readonly Buffer[] = Array.from({ length: PARTS - 1 }, (_, part) => {
  const rows: DigestedRow[] = Array.from({ length: ROWS_PER_PART }, (_unused, row) => ({
    id: `user-${part}-${row}@192.0.2.${row}`,
    connections: 1 + (row % 3),
    webSessions: row % 2,
    transitioned: false,
  }));
  const digest = { rows: PARTS * ROWS_PER_PART, connections: 1_024, checksum: 1 };
  return writeUpdate({ sequence: 1, since: 0, parts: PARTS, part, digest, rows });
});

function make(number: number, proof: Buffer): Buffer {
  const body = BODIES[number % BODIES.length]!;
  return writeRequest({ type: 'full', life: LIFE, number, incarnation: 1, proof, name: NAME, body }, KEYS);
}

async function measure(child: Child, { seconds, warmUpSeconds }: UdpTiming): Promise<Round> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1_048_576 });
  socket.connect(child.port, '127.0.0.1');
  await once(socket, 'connect');
  try {
    const proof = await proofOf(child, socket);
    const warm = await run(child, socket, proof, warmUpSeconds, 50_000);
    // Datagrams are made before the clock runs: making one costs as much as verifying it.
    const before = (await readCpu({ node: [child.pid], postgres: [], redis: [] })).node;
    const found = await run(child, socket, proof, seconds, warm * 2);
    const cpu = (await readCpu({ node: [child.pid], postgres: [], redis: [] })).node - before;
    return { perSecond: found, perCpuSecond: (found * seconds) / Math.max(cpu, 0.01) };
  } finally {
    socket.close();
  }
}

/** The sidecar answers the first datagram with a proof of address; the echo with the datagram. */
async function proofOf(child: Child, socket: Socket): Promise<Buffer> {
  const answered = once(socket, 'message', { signal: AbortSignal.timeout(TIMEOUT_MS) });
  socket.send(make(child.number++, Buffer.alloc(16)));
  const [datagram] = (await answered) as [Buffer];
  const answer = readAnswer(datagram);
  return answer?.type === 'challenge' ? Buffer.from(answer.body) : Buffer.alloc(16);
}

/** Keeps a window of datagrams under way. @returns answers a second. */
async function run(
  child: Child,
  socket: Socket,
  proof: Buffer,
  seconds: number,
  perSecondMax: number,
): Promise<number> {
  const count = Math.ceil(perSecondMax * seconds) + WINDOW;
  const datagrams = Array.from({ length: count }, () => make(child.number++, proof));
  let next = 0;
  let answers = 0;
  let answersBefore = 0;
  const send = () => {
    if (next < datagrams.length) socket.send(datagrams[next++]!);
  };
  const onMessage = () => {
    answers += 1;
    send();
  };
  socket.on('message', onMessage);
  // What was lost leaves a gap in the window.
  const stall = setInterval(() => {
    if (answers === answersBefore) for (let index = 0; index < WINDOW; index += 1) send();
    answersBefore = answers;
  }, STALL_MS);
  const startedAt = performance.now();
  for (let index = 0; index < WINDOW; index += 1) send();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const took = (performance.now() - startedAt) / 1000;
  const found = answers;
  clearInterval(stall);
  socket.removeListener('message', onMessage);
  return found / took;
}
