/**
 * A legacy instance in its own process: it decides every login from its own table, reports what changed by UDP
 * to the licence server that is active, and finds the other one by itself when that fails (F-1, F-12, F-17,
 * F-50…F-55). It is built on the codec of the protocol that `docs/udp-protocol.md` describes.
 */

import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as pause } from 'node:timers/promises';
import { CONNECTIONS_PER_UNIT_MAX } from '../src/domain/counting.ts';
import { readDigest } from '../src/domain/local/digest.ts';
import { decideLocalLogin, decideLocalLogout } from '../src/domain/local/localdecisions.ts';
import { LocalReports, type Statement } from '../src/domain/local/localreports.ts';
import { type LocalLogin, LocalTable } from '../src/domain/local/localtable.ts';
import {
  readFault,
  readRedirect,
  readReport,
  readStatus,
  readWelcome,
  type Standing,
} from '../src/udp/answers.ts';
import {
  type AnswerFrame,
  type DatagramKeys,
  deriveKeys,
  isMadeBy,
  LIFE_OCTETS,
  PROOF_OCTETS,
  type RequestType,
  readAnswer,
  writeRequest,
} from '../src/udp/packets.ts';
import { writeHeartbeat, writeQuery, writeStart, writeUpdate } from '../src/udp/requests.ts';
import type { InstanceOptions, InstanceState, Refused, RunningInstance } from './messages.ts';

/** How long to wait for an answer before the request is sent again, in milliseconds. */
const ANSWER_TIMEOUT_MS = 300;
/** How often a licence server may be silent before the next one is asked. */
const SILENCES_MAX = 2;
/** How long one exchange goes on over all licence servers before the instance goes on alone. */
const EXCHANGE_TIMEOUT_MS = 5_000;
const RETRY_MS = 500;
const REDIRECT_PAUSE_MS = 50;

interface Place {
  readonly host: string;
  readonly port: number;
  proof: Buffer;
}

/** A legacy instance. */
export class UdpInstance implements RunningInstance {
  readonly #options: InstanceOptions;
  readonly #keys: DatagramKeys;
  readonly #life = randomBytes(LIFE_OCTETS);
  readonly #socket: Socket;
  readonly #places: Place[];
  readonly #waiting = new Map<number, (answer: AnswerFrame) => void>();
  readonly #table: LocalTable;
  readonly #reports: LocalReports;
  readonly #logins = new Map<string, LocalLogin[]>();
  #at = 0;
  #number = 0;
  #incarnation = 0;
  #isAcknowledged = true;
  #isOffline = false;
  #timer: NodeJS.Timeout | undefined;
  #reporting: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#keys = deriveKeys(options.secret, options.name);
    this.#places = options.licenseServers.map((text) => {
      const at = text.lastIndexOf(':');
      return { host: text.slice(0, at), port: Number(text.slice(at + 1)), proof: Buffer.alloc(PROOF_OCTETS) };
    });
    this.#table = new LocalTable({
      instance: options.name,
      idPrefix: `${options.name.slice(0, 20)}-${process.pid}`,
      capacity: { unitsMax: 1, connectionsPerUnitMax: CONNECTIONS_PER_UNIT_MAX, fault: null },
    });
    this.#reports = new LocalReports(this.#table);
    this.#socket = createSocket('udp4');
    this.#socket.on('message', (datagram) => this.#receive(datagram));
  }

  /** Sends START and begins to report. */
  async start(): Promise<readonly string[]> {
    const { key, licenseServers } = this.#options;
    const body = writeStart({
      key: { by: 'id', value: key },
      product: 'demonstration',
      version: '',
      licenseServers,
    });
    const answer = await this.#exchange('start', body);
    const welcome = answer.type === 'welcome' ? readWelcome(answer.body) : null;
    if (welcome === null) throw new Error(`START was answered ${answer.type}: ${reasonOf(answer)}`);
    this.#incarnation = answer.incarnation;
    this.#adopt(welcome);
    this.#schedule(0);
    return welcome.notices;
  }

  login(user: string): Refused | null {
    const answer = decideLocalLogin(this.#table, { kind: 'user', user }, Math.floor(performance.now()));
    if (answer.is === 'granted') {
      this.#logins.set(user, [...(this.#logins.get(user) ?? []), answer]);
      return null;
    }
    if (answer.is === 'ask') throw new Error('a local key asks nobody');
    return { code: answer.code, detail: answer.detail };
  }

  logout(user: string): boolean {
    const login = this.#logins.get(user)?.pop();
    return login !== undefined && decideLocalLogout(this.#table, login, Math.floor(performance.now()));
  }

  state(): InstanceState {
    const { users, units, connections } = this.#table.counts;
    const { host, port } = this.#places[this.#at]!;
    return {
      users,
      units,
      connections,
      isAcknowledged: this.#isAcknowledged,
      isOffline: this.#isOffline,
      talksTo: `${host}:${port} by UDP`,
    };
  }

  async reported(): Promise<boolean> {
    return this.#table.changed.length === 0 && !this.#reports.isOutstanding && !this.#isOffline;
  }

  /** `ShowServer`: the address and port of the active licence server (F-16). */
  async showServer(): Promise<string> {
    const answer = await this.#exchange('query', writeQuery({ what: 'server', port: 0, report: 0, part: 0 }));
    const text = answer.type === 'report' ? readReport(answer.body)?.octets.toString('utf8') : undefined;
    const line = text?.split('\n').find((each) => each.endsWith('\tactive'));
    if (line === undefined) return 'none';
    const [name, address, port] = line.split('\t');
    return `${name} at ${address}:${port}`;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#reporting;
    await this.#exchange('shutdown', Buffer.alloc(0)).catch(() => {});
    this.#socket.close();
  }

  #schedule(afterMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#reporting = this.#report().then((nextMs) => this.#schedule(nextMs));
    }, afterMs);
  }

  /** One turn of the monitor. @returns when the next one is due, in milliseconds. */
  async #report(): Promise<number> {
    const statement = this.#reports.state();
    try {
      const answer = await this.#send(statement);
      const status = ['ack', 'nak', 'resend'].includes(answer.type) ? readStatus(answer.body) : null;
      if (status === null) throw new Error(`the update was answered ${answer.type}: ${reasonOf(answer)}`);
      this.#reports.settle(statement, {
        sequence: status.sequence,
        resend: answer.type === 'resend' ? 'full' : undefined,
        transitioned: status.transitioned,
      });
      this.#isOffline = false;
      this.#isAcknowledged = status.acknowledged;
      this.#adopt(status);
      const { limit, inUse } = status;
      this.#table.gates = { overLimit: status.acknowledged ? null : { limit, inUse }, offline: null };
      return answer.type === 'resend' ? 0 : status.nextUpdateAfterSeconds * 1_000;
    } catch {
      // Nobody answers: the instance goes on by itself, and tells everything later (F-13).
      this.#reports.abandon();
      this.#isOffline = true;
      return RETRY_MS;
    }
  }

  #send(statement: Statement): Promise<AnswerFrame> {
    const { sequence, since, users, fullFrom } = statement;
    const digest = readDigest(statement.digest ?? '')!;
    if (sequence === since) {
      return this.#exchange('heartbeat', writeHeartbeat({ sequence, digest }));
    }
    const isFull = fullFrom !== undefined;
    const body = { sequence, since: isFull ? 0 : since, parts: 1, part: 0, digest, rows: users };
    return this.#exchange(isFull ? 'full' : 'change', writeUpdate(body));
  }

  #adopt({ limit, connectionsPerUnitMax, unitLimit, connectionLimit }: Standing): void {
    this.#table.capacity = { unitsMax: limit, connectionsPerUnitMax, fault: null };
    this.#table.settings = { ...this.#table.settings, unitLimit, connectionLimit };
  }

  /** Asks the licence servers, one after the other, until the active one answers. */
  async #exchange(type: RequestType, body: Buffer): Promise<AnswerFrame> {
    const deadlineMs = performance.now() + EXCHANGE_TIMEOUT_MS;
    let silences = 0;
    while (performance.now() < deadlineMs) {
      const place = this.#places[this.#at]!;
      const answer = await this.#ask(type, body, place);
      if (answer === null) {
        silences += 1;
        if (silences % SILENCES_MAX === 0) this.#at = (this.#at + 1) % this.#places.length;
      } else if (answer.type === 'challenge') {
        place.proof = Buffer.from(answer.body);
      } else if (answer.type === 'redirect') {
        this.#follow(answer);
        // Two that name each other for a moment must not be asked without end.
        await pause(REDIRECT_PAUSE_MS);
      } else {
        return answer;
      }
    }
    throw new Error('no licence server answers');
  }

  #follow(answer: AnswerFrame): void {
    const redirect = readRedirect(answer.body);
    const index = this.#places.findIndex(
      ({ host, port }) => host === redirect?.address && port === redirect.port,
    );
    if (index >= 0) this.#at = index;
  }

  /** @returns null when there was no answer in time. */
  #ask(type: RequestType, body: Buffer, { host, port, proof }: Place): Promise<AnswerFrame | null> {
    this.#number += 1;
    const number = this.#number;
    const frame = { type, life: this.#life, number, incarnation: this.#incarnation, proof, body };
    const datagram = writeRequest({ ...frame, name: this.#options.name }, this.#keys);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(number);
        resolve(null);
      }, ANSWER_TIMEOUT_MS);
      this.#waiting.set(number, (answer) => {
        clearTimeout(timer);
        this.#waiting.delete(number);
        resolve(answer);
      });
      this.#socket.send(datagram, port, host);
    });
  }

  #receive(datagram: Buffer): void {
    const answer = readAnswer(datagram);
    if (answer === null || !answer.life.equals(this.#life)) return;
    if (isMadeBy(datagram, this.#keys.server)) this.#waiting.get(answer.number)?.(answer);
  }
}

function reasonOf(answer: AnswerFrame): string {
  const fault = ['invalid', 'stale', 'refused'].includes(answer.type) ? readFault(answer.body) : null;
  return fault === null ? 'no reason' : `${fault.code}: ${fault.reason}`;
}
