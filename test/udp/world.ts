/**
 * A sidecar without sockets: datagrams go in and answers come out at once, and Lictor is a recorder that keeps to
 * its rules as far as an instance can see them.
 */
import { createSecretKey } from 'node:crypto';
import { ApiError, type ProblemCode } from '../../src/client/problems.ts';
import { PROBLEMS } from '../../src/domain/errors.ts';
import { type DigestedRow, digestText } from '../../src/domain/local/digest.ts';
import type {
  KnownInstance,
  Lictor,
  Registered,
  Registration,
  Update,
  UpdateAnswer,
} from '../../src/udp/lictor.ts';
import {
  type AnswerFrame,
  deriveKeys,
  isMadeBy,
  type RequestType,
  readAnswer,
  writeRequest,
} from '../../src/udp/packets.ts';
import type { Sender } from '../../src/udp/proofs.ts';
import { Querying } from '../../src/udp/querying.ts';
import type { Reports } from '../../src/udp/reports.ts';
import { type KeyIdentity, writeHeartbeat, writeStart, writeUpdate } from '../../src/udp/requests.ts';
import type { Role, Roster } from '../../src/udp/roster.ts';
import { Sidecar, type SidecarLimits } from '../../src/udp/sidecar.ts';
import { until } from '../support/wait.ts';

export const SECRETS: Readonly<Record<string, string>> = {
  'app-a': 'secret-of-app-a-0123456789abcdef0123456789',
  'app-b': 'secret-of-app-b-0123456789abcdef0123456789',
};
export const HOME: Sender = { address: '127.0.0.1', port: 50_001 };
export const ELSEWHERE: Sender = { address: '198.51.100.7', port: 50_001 };
const QUIET = { info: () => {}, warn: () => {}, error: () => {} };
const LIMITS: SidecarLimits = {
  perAddress: { perSecond: 1e6, burst: 1e6 },
  perInstance: { perSecond: 1e6, burst: 1e6 },
  perInstanceCalls: { perSecond: 1e6, burst: 1e6 },
  flightsMax: 16,
  stagedOctetsMax: 4 * 1_048_576,
};

/** @returns an error as the client throws it. */
export function problem(code: ProblemCode, members: Readonly<Record<string, unknown>> = {}): ApiError {
  const { status, title } = PROBLEMS[code];
  return new ApiError({
    type: 'about:blank',
    title,
    status,
    code,
    detail: title,
    requestId: 'r',
    ...members,
  });
}

/** What the recorder holds of an instance. */
interface Held extends Omit<KnownInstance, 'state'> {
  state: KnownInstance['state'];
  sequence: number;
  digest: string;
}

/** Lictor, as far as the sidecar talks to it. */
export class RecordedLictor implements Lictor {
  readonly instances = new Map<string, Held>();
  readonly updates: (Update & { readonly name: string })[] = [];
  readonly calls: string[] = [];
  /** What every update waits for, as when Lictor is slow. */
  held: Promise<void> = Promise.resolve();
  /** Thrown by every call, as when Lictor is away. */
  failure: Error | null = null;
  /** Merged into every answer to an update. */
  answer: Partial<UpdateAnswer> = {};
  enforcement: 'central' | 'local' | 'leased' = 'local';

  #called(what: string): void {
    this.calls.push(what);
    if (this.failure !== null) throw this.failure;
  }

  async instance(name: string): Promise<KnownInstance | null> {
    this.#called(`instance ${name}`);
    return this.instances.get(name) ?? null;
  }

  async key(identity: Exclude<KeyIdentity, { by: 'none' | 'license-id' }>) {
    this.#called(`key ${identity.value}`);
    return identity.value === '1' ? { id: '1-aaaaaaaa', enforcement: this.enforcement } : null;
  }

  /** The keys that are served, by LicenseID. */
  readonly served = new Map<string, string>();

  async register(name: string, { registrationId, licenseId }: Registration): Promise<Registered> {
    this.#called(`register ${name} ${registrationId}`);
    const before = this.instances.get(name);
    const isRetry = before?.registrationId === registrationId && before.state === 'active';
    const incarnation = isRetry ? before.incarnation : (before?.incarnation ?? 0) + 1;
    if (!isRetry) {
      const digest = '0.0.00000000';
      this.instances.set(name, { incarnation, registrationId, state: 'active', sequence: 0, digest });
    }
    const key = licenseId === undefined ? '1-aaaaaaaa' : this.served.get(licenseId);
    return {
      ...(key === undefined ? {} : { key }),
      incarnation,
      licence: { status: 'valid', reason: '' },
      settings: { unitLimit: 0, connectionLimit: 0, graceSeconds: 60 },
      enforcement: key === undefined ? 'central' : this.enforcement,
      limit: 10,
      connectionsPerUnitMax: 25,
      nextUpdateAfterSeconds: 15,
    };
  }

  async update(name: string, update: Update): Promise<UpdateAnswer> {
    await this.held;
    this.#called(`update ${name} ${update.sequence}`);
    const held = this.instances.get(name);
    if (held === undefined) throw problem('instance-not-found');
    if (held.incarnation !== update.incarnation)
      throw problem('incarnation-old', { incarnation: held.incarnation });
    if (held.state === 'silent') throw problem('instance-silent');
    if (update.sequence > held.sequence) {
      this.updates.push({ name, ...update });
      held.sequence = update.sequence;
      held.digest = update.digest ?? held.digest;
    }
    return {
      acknowledged: true,
      key: '1-aaaaaaaa',
      enforcement: this.enforcement,
      sequence: held.sequence,
      limit: 10,
      inUse: 3,
      connectionsPerUnitMax: 25,
      at: '2026-11-22T00:00:00.000Z',
      nextUpdateAfterSeconds: 15,
      ...this.answer,
    };
  }

  async close(name: string, incarnation: number): Promise<void> {
    this.#called(`close ${name} ${incarnation}`);
    const held = this.instances.get(name);
    if (held?.incarnation !== incarnation) throw problem('incarnation-old');
    held.state = 'silent';
  }

  /** Everything that a datagram could have changed. */
  get state(): string {
    return JSON.stringify([[...this.instances], this.updates.length]);
  }
}

/** What came out of the sidecar. */
export interface Sent {
  readonly datagram: Buffer;
  readonly to: Sender;
}

/** A sidecar and what surrounds it. */
export class World {
  readonly lictor = new RecordedLictor();
  readonly sent: Sent[] = [];
  role: Role = { is: 'active' };
  report = 'nothing\n';
  nowMs = 1_800_000_000_000;
  sidecar: Sidecar;
  querying: Querying;
  readonly #limits: SidecarLimits;

  constructor(limits: Partial<SidecarLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.querying = this.#makeQuerying();
    this.sidecar = this.#makeSidecar();
  }

  /** Ends the sidecar without warning and starts another. */
  restart(): void {
    this.querying = this.#makeQuerying();
    this.sidecar = this.#makeSidecar();
  }

  #makeQuerying(): Querying {
    const reports = {
      permits: (what: string) => what !== 'keys',
      make: async () => Buffer.from(this.report),
    } as unknown as Reports;
    return new Querying(reports, () => this.nowMs, 7);
  }

  #makeSidecar(): Sidecar {
    const roster: Roster = { role: () => this.role, list: async () => [] };
    return new Sidecar({
      keysOf: (name) => (SECRETS[name] === undefined ? undefined : deriveKeys(SECRETS[name], name)),
      proofKey: createSecretKey(Buffer.alloc(32, 5)),
      lictor: this.lictor,
      roster,
      querying: this.querying,
      limits: this.#limits,
      logger: QUIET,
      wallMs: () => this.nowMs,
      nowMs: () => this.nowMs,
    });
  }

  /** Delivers a datagram and does not wait for what comes of it. */
  drop(datagram: Buffer, from: Sender = HOME): void {
    this.sidecar.receive(Buffer.from(datagram), from, (answer) =>
      this.sent.push({ datagram: answer, to: from }),
    );
  }

  /** Delivers a datagram and waits for what comes of it. @returns what was sent because of it. */
  async deliver(datagram: Buffer, from: Sender = HOME): Promise<Sent[]> {
    const before = this.sent.length;
    this.drop(datagram, from);
    await until(() => this.sidecar.isIdle, 5_000, 'the sidecar has done what was asked');
    return this.sent.slice(before);
  }
}

/** An answer that a client has checked. */
export interface Heard extends Omit<AnswerFrame, 'life' | 'body'> {
  readonly body: Buffer;
  readonly octets: number;
}

/** An instance that speaks the protocol, step by step as a test wants it. */
export class Speaker {
  readonly name: string;
  readonly world: World;
  readonly life: Buffer;
  number = 0;
  incarnation = 0;
  proof: Buffer = Buffer.alloc(16);
  from: Sender;

  constructor(world: World, name = 'app-a', life: Buffer = Buffer.alloc(8, 1), from: Sender = HOME) {
    this.world = world;
    this.name = name;
    this.life = life;
    this.from = from;
  }

  /** Makes the next datagram. */
  make(type: RequestType, body: Buffer): Buffer {
    this.number += 1;
    const { life, number, incarnation, proof, name } = this;
    return writeRequest({ type, life, number, incarnation, proof, name, body }, this.#keys);
  }

  get #keys() {
    return deriveKeys(SECRETS[this.name]!, this.name);
  }

  /** Sends a request; a CHALLENGE is met and the request sent again. */
  async say(type: RequestType, body: Buffer): Promise<Heard | null> {
    const answer = await this.send(type, body);
    if (answer?.type !== 'challenge') return answer;
    this.proof = Buffer.from(answer.body);
    return this.send(type, body);
  }

  /** Sends a request once. */
  async send(type: RequestType, body: Buffer): Promise<Heard | null> {
    return this.hear(await this.world.deliver(this.make(type, body), this.from));
  }

  /** Checks what came: at most one answer, made by the server for this life. */
  hear(sent: readonly Sent[]): Heard | null {
    if (sent.length > 1) throw new Error(`${sent.length} answers came.`);
    const [answer] = sent;
    if (answer === undefined) return null;
    const frame = readAnswer(answer.datagram);
    if (frame === null || !isMadeBy(answer.datagram, this.#keys.server)) throw new Error('It is no answer.');
    if (!frame.life.equals(this.life)) throw new Error('It is for another life.');
    const { type, number, incarnation, body } = frame;
    return { type, number, incarnation, body, octets: answer.datagram.length };
  }
}

/** The digest of no rows, for tests that do not look at it. */
export const NO_DIGEST = { rows: 0, connections: 0, checksum: 0 };
export const NO_DIGEST_TEXT: string = digestText(NO_DIGEST);

/** A START with the key that the recorder knows. */
export const START = writeStart({
  key: { by: 'order-number', value: '1' },
  product: 'test',
  version: '1',
  licenseServers: ['127.0.0.1:4001'],
});
/** A HEARTBEAT after the first update. */
export const HEARTBEAT = writeHeartbeat({ sequence: 1, digest: NO_DIGEST });

/** So many users with one connection each. */
export function rowsOf(count: number, prefix = 'user'): DigestedRow[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${prefix}-${index}`,
    connections: 1,
    webSessions: 0,
    transitioned: false,
  }));
}

/** The bodies of an update in parts of so many rows. */
export function partsOf(
  rows: readonly DigestedRow[],
  perPart: number,
  sequence: number,
  since = 0,
): Buffer[] {
  const parts = Math.max(1, Math.ceil(rows.length / perPart));
  return Array.from({ length: parts }, (_, part) =>
    writeUpdate({
      sequence,
      since,
      parts,
      part,
      digest: NO_DIGEST,
      rows: rows.slice(part * perPart, (part + 1) * perPart),
    }),
  );
}

/** An instance that has started. */
export async function started(world: World, name = 'app-a', life = Buffer.alloc(8, 1)): Promise<Speaker> {
  const speaker = new Speaker(world, name, life);
  const welcome = await speaker.say('start', START);
  if (welcome?.type !== 'welcome') throw new Error(`The START was answered with ${welcome?.type}.`);
  speaker.incarnation = welcome.incarnation;
  return speaker;
}
