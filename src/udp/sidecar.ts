/**
 * The sidecar: from a datagram to what is done about it. Each datagram passes the same gates in the same order,
 * cheap ones first, and whatever fails one of them is counted and dropped without a word: who cannot show that
 * he has an instance's secret learns not even that somebody is here.
 */

import type { KeyObject } from 'node:crypto';
import { type DropReason, datagrams } from '../telemetry/datagrams.ts';
import { type RedirectBody, writeFault, writeProgress, writeRedirect } from './answers.ts';
import { Acquaintance, Exchange, type Reply } from './exchange.ts';
import { type FaultLogger, Faults } from './faults.ts';
import { Flights } from './flights.ts';
import type { Lictor } from './lictor.ts';
import { type DatagramKeys, isMadeBy, type RequestFrame, readRequest } from './packets.ts';
import { checkProof, makeProof, type Proof, readProof, type Sender } from './proofs.ts';
import type { Querying } from './querying.ts';
import { type Rate, Rates, senderOf } from './rates.ts';
import { readHeartbeat, readQuery, readStart, readUpdate } from './requests.ts';
import type { Roster } from './roster.ts';
import { printOf, Staging } from './staging.ts';
import { type Starting, shutDown, start } from './starting.ts';
import { heartbeat, update } from './updating.ts';

/** The addresses whose rates are remembered. */
const SENDERS_MAX = 10_000;
/** The instances whose rates and acquaintance are remembered. */
const INSTANCES_MAX = 100_000;

/** How long the answer to an update of several parts is kept for parts that come again. */
const WHOLE_KEPT_MS = 10_000;
/** Instances whose reports are being made at the same time; each may take as much memory as the longest. */
const QUERIES_MAX = 16;

/** What the sidecar is bounded by. */
export interface SidecarLimits {
  readonly perAddress: Rate;
  /** Of an instance at an address that it has proven; as much again for what comes from elsewhere in its name. */
  readonly perInstance: Rate;
  /** What an instance may have Lictor asked: updates, starts, ends and reports. */
  readonly perInstanceCalls: Rate;
  /** Instances that may have something under way with Lictor at the same time. */
  readonly flightsMax: number;
  /** Memory of updates that are not whole yet, in octets. */
  readonly stagedOctetsMax: number;
}

/** What the sidecar is made of. */
export interface SidecarParts {
  readonly keysOf: (name: string) => DatagramKeys | undefined;
  /** The sidecar's own key, for proofs of address; no instance may know it. */
  readonly proofKey: KeyObject;
  readonly lictor: Lictor;
  readonly roster: Roster;
  readonly querying: Querying;
  readonly limits: SidecarLimits;
  readonly logger: FaultLogger;
  /** The time, in milliseconds since 1970. */
  readonly wallMs: () => number;
  /** A clock that does not go back, in milliseconds. */
  readonly nowMs: () => number;
}

/** Takes datagrams and answers them. */
export class Sidecar {
  readonly #parts: SidecarParts;
  readonly #addresses: Rates;
  readonly #instances: Rates;
  readonly #unproven: Rates;
  readonly #calls: Rates;
  readonly #acquaintances = new Map<string, Acquaintance>();
  readonly #staging: Staging;
  /** Apart from the others, so that STARTs that were recorded and are sent again hold up no update. */
  readonly #greetings: Flights;
  readonly #updates: Flights;
  readonly #queries: Flights;
  readonly #faults: Faults;
  readonly #starting: Starting;

  /** @param parts - see there. */
  constructor(parts: SidecarParts) {
    const { limits, lictor, logger, nowMs, wallMs } = parts;
    this.#parts = parts;
    this.#addresses = new Rates(limits.perAddress, SENDERS_MAX);
    this.#instances = new Rates(limits.perInstance, INSTANCES_MAX);
    this.#unproven = new Rates(limits.perInstance, INSTANCES_MAX);
    this.#calls = new Rates(limits.perInstanceCalls, INSTANCES_MAX);
    this.#staging = new Staging(limits.stagedOctetsMax);
    this.#greetings = new Flights(limits.flightsMax);
    this.#updates = new Flights(limits.flightsMax);
    this.#queries = new Flights(Math.min(QUERIES_MAX, limits.flightsMax));
    this.#faults = new Faults(logger, nowMs);
    this.#starting = {
      lictor,
      challenge: (exchange, incarnation) => this.#challenge(exchange, incarnation),
      nowMs: wallMs,
    };
  }

  /** Octets of updates that are not whole yet. */
  get stagedOctets(): number {
    return this.#staging.octets;
  }

  /** Whether nothing is under way with Lictor. */
  get isIdle(): boolean {
    return this.#greetings.size + this.#updates.size + this.#queries.size === 0;
  }

  /** Drops what has waited too long; to be called now and then. */
  sweep(): void {
    this.#staging.sweep(this.#parts.nowMs());
    this.#parts.querying.sweep();
  }

  /**
   * Takes a datagram.
   * @param datagram - its octets, which the sidecar keeps; the caller must not use them again.
   * @param sender - where it came from.
   * @param reply - sends a datagram back there.
   */
  receive(datagram: Buffer, sender: Sender, reply: Reply): void {
    try {
      const dropped = this.#admit(datagram, sender, reply);
      if (dropped !== null) datagrams.dropped(dropped);
    } catch (error) {
      this.#faults.bug(error);
    }
  }

  /** The gates. */
  #admit(datagram: Buffer, sender: Sender, reply: Reply): DropReason | null {
    const { keysOf, nowMs } = this.#parts;
    if (!this.#addresses.take(senderOf(sender.address), nowMs())) return 'address-rate';
    const frame = readRequest(datagram);
    if (typeof frame === 'string') return frame;
    // Nobody can be answered there.
    if (sender.port === 0) return 'malformed';
    const keys = keysOf(frame.name);
    if (keys === undefined) return 'unknown-instance';
    if (!isMadeBy(datagram, keys.instance)) return 'forged';
    const acquaintance = this.#acquaintanceOf(frame.name);
    // Before its rate is looked at: what somebody has recorded and sends again must not use it up.
    if (!acquaintance.windows.take(frame.life.toString('hex'), frame.number)) return 'replayed';
    const proof = this.#proofOf(frame, sender, acquaintance);
    const rates = proof === null ? this.#unproven : this.#instances;
    if (!rates.take(frame.name, nowMs())) return 'instance-rate';
    const exchange = new Exchange({
      frame,
      octets: datagram.length,
      sender,
      keys,
      acquaintance,
      proof,
      reply,
    });
    return this.#handle(exchange, frame);
  }

  /** What the proof of a request says; null when it proves nothing. */
  #proofOf({ name, proof }: RequestFrame, sender: Sender, acquaintance: Acquaintance): Proof | null {
    const { wallMs, proofKey } = this.#parts;
    const { address, port } = sender;
    const { proven } = acquaintance;
    if (proven !== null && proven.port === port && proven.address === address && proven.proof.equals(proof)) {
      return readProof(proof, wallMs());
    }
    const checked = checkProof(proofKey, name, sender, wallMs(), proof);
    if (checked !== null) acquaintance.proven = { proof: Buffer.from(proof), address, port };
    return checked;
  }

  #acquaintanceOf(name: string): Acquaintance {
    let acquaintance = this.#acquaintances.get(name);
    if (acquaintance === undefined) {
      acquaintance = new Acquaintance();
      // Instances have secrets, so there are more than that only where secrets come and go.
      if (this.#acquaintances.size >= INSTANCES_MAX) this.#acquaintances.clear();
      this.#acquaintances.set(name, acquaintance);
    }
    return acquaintance;
  }

  /** What an authentic request asks. */
  #handle(exchange: Exchange, frame: RequestFrame): DropReason | null {
    const { type, body } = frame;
    if (type !== 'start' && exchange.proof === null) {
      this.#challenge(exchange, 0);
      return null;
    }
    datagrams.received(type);
    if (type === 'query') return this.#query(exchange, body);
    const role = this.#parts.roster.role();
    if (role.is === 'standby') return this.#redirect(exchange, role.active);
    if (role.is === 'unknown') return 'standby';
    const { incarnation, closed } = exchange.acquaintance;
    if (type === 'start') {
      const asked = readStart(body);
      if (asked === null) return 'malformed';
      if (exchange.life === closed) return 'late';
      const flights = exchange.proof === null ? this.#greetings : this.#updates;
      return this.#submit(flights, exchange, () => start(this.#starting, exchange, asked));
    }
    if (frame.incarnation < Math.max(1, incarnation)) return this.#stale(exchange, incarnation);
    if (type === 'shutdown') {
      if (body.length > 0) return 'malformed';
      this.#staging.drop(frame.name);
      return this.#submit(this.#updates, exchange, () => shutDown(this.#starting, exchange));
    }
    // After its SHUTDOWN a life has nothing more to say; what comes was on its way before.
    if (exchange.life === closed) return 'late';
    return type === 'heartbeat' ? this.#heartbeat(exchange, body) : this.#update(exchange, body);
  }

  #heartbeat(exchange: Exchange, octets: Buffer): DropReason | null {
    const body = readHeartbeat(octets);
    if (body === null || body.sequence === 0) return 'malformed';
    return this.#submit(this.#updates, exchange, () => heartbeat(this.#parts.lictor, exchange, body));
  }

  #update(exchange: Exchange, octets: Buffer): DropReason | null {
    const { name, type, incarnation } = exchange.frame;
    const nowMs = this.#parts.nowMs();
    const isFull = type === 'full';
    const body = readUpdate(octets);
    if (body === null) return 'malformed';
    const print = printOf(incarnation, isFull, body);
    if (this.#isAnswered(exchange, print, nowMs)) return null;
    const staged = this.#staging.take(name, incarnation, isFull, body, nowMs);
    if (staged.is === 'full') return 'memory';
    if (staged.is === 'late') return 'late';
    if (staged.is === 'waiting') {
      const { sequence, parts } = body;
      exchange.answer('progress', writeProgress({ sequence, parts, received: staged.received }));
      return null;
    }
    const { acquaintance } = exchange;
    const whole = body.parts === 1 ? null : { print, untilMs: nowMs + WHOLE_KEPT_MS, answer: null };
    acquaintance.whole = whole;
    // What came to nothing must not be taken for answered: its parts are taken anew.
    const forget = () => {
      if (acquaintance.whole === whole) acquaintance.whole = null;
    };
    const work = async () => {
      try {
        await update(this.#parts.lictor, exchange, staged.update, whole);
      } catch (error) {
        forget();
        throw error;
      }
    };
    const dropped = this.#submit(this.#updates, exchange, work, forget);
    if (dropped !== null) forget();
    return dropped;
  }

  /** A part of an update that was whole already is answered as the update was, once that is known. */
  #isAnswered(exchange: Exchange, print: string, nowMs: number): boolean {
    const { whole } = exchange.acquaintance;
    if (whole === null || whole.print !== print || whole.untilMs <= nowMs) return false;
    if (whole.answer !== null) exchange.answer(whole.answer.type, whole.answer.octets);
    return true;
  }

  #query(exchange: Exchange, octets: Buffer): DropReason | null {
    const body = readQuery(octets);
    if (body === null) return 'malformed';
    const { querying } = this.#parts;
    if (body.report !== 0 && querying.answerKept(exchange, body)) return null;
    return this.#submit(this.#queries, exchange, () => querying.answerNew(exchange, body));
  }

  /** A standby names the active server, once it knows that somebody is there to hear it. */
  #redirect(exchange: Exchange, active: RedirectBody): null {
    if (exchange.proof === null) this.#challenge(exchange, 0);
    else exchange.answer('redirect', writeRedirect(active));
    return null;
  }

  #stale(exchange: Exchange, incarnation: number): DropReason | null {
    const code = exchange.frame.incarnation === 0 ? 'instance-not-found' : 'incarnation-old';
    const reason =
      code === 'incarnation-old'
        ? 'A newer life of the instance is registered. Send START to begin another, or stop.'
        : 'The instance has no incarnation yet. Send START first.';
    exchange.answer('stale', writeFault({ code, reason }), incarnation);
    return null;
  }

  #challenge(exchange: Exchange, incarnation: number): void {
    const { proofKey, wallMs } = this.#parts;
    const { name } = exchange.frame;
    const proof = makeProof(proofKey, name, exchange.sender, wallMs(), incarnation);
    exchange.answer('challenge', proof);
  }

  /** @param forget - called when newer work took the place of this. */
  #submit(
    flights: Flights,
    exchange: Exchange,
    work: () => Promise<void>,
    forget: () => void = () => {},
  ): DropReason | null {
    const { life, frame } = exchange;
    if (flights !== this.#greetings && !this.#calls.take(frame.name, this.#parts.nowMs())) {
      return 'instance-rate';
    }
    const run = async () => {
      try {
        await work();
      } catch (error) {
        this.#tell(exchange, error);
      }
    };
    const displaced = () => {
      forget();
      datagrams.dropped('late');
    };
    return flights.submit(frame.name, { run, displaced, life, number: frame.number }) ? null : 'busy';
  }

  #tell(exchange: Exchange, error: unknown): void {
    try {
      this.#faults.tell(exchange, error);
    } catch (failure) {
      this.#faults.bug(failure);
    }
  }
}
