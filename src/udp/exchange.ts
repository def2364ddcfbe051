/**
 * One exchange: a request that was found authentic, and the way to answer it. Exchanges of the same instance
 * share what is known of it, all of which may be lost.
 */

import { datagrams } from '../telemetry/datagrams.ts';
import type { InstanceSettings } from './lictor.ts';
import { type AnswerType, type DatagramKeys, type RequestFrame, writeAnswer } from './packets.ts';
import type { Proof, Sender } from './proofs.ts';
import { LifeWindows } from './windows.ts';

/** How many lives of an instance have a replay window. */
const LIVES_MAX = 4;

/**
 * What was answered to an update of several parts when it was whole. The answer may be lost, and the instance
 * then sends again only the part that it was to answer; it gets the same answer and need not send the others.
 */
export interface WholeAnswer {
  readonly print: string;
  readonly untilMs: number;
  /** Null while it is under way with Lictor. */
  answer: { readonly type: AnswerType; readonly octets: Buffer } | null;
}

/** What the sidecar remembers of an instance, so that it need not ask; after a restart it asks. */
export class Acquaintance {
  readonly windows = new LifeWindows(LIVES_MAX);
  /** The proof that was found good last, and whose it is, so that the same one need not be checked again. */
  proven: { readonly proof: Buffer; readonly address: string; readonly port: number } | null = null;
  /** The highest incarnation that Lictor has confirmed; 0 when none has been. */
  incarnation = 0;
  /** The life that was shut down last, in hexadecimal digits; empty when none was. */
  closed = '';
  settings: Pick<InstanceSettings, 'unitLimit' | 'connectionLimit'> = { unitLimit: 0, connectionLimit: 0 };
  settingsRevision: string | undefined;
  /** The last update of several parts that was whole. */
  whole: WholeAnswer | null = null;
  /** Where in the list of transitioned users the next answer goes on, when one cannot hold them all. */
  transitionedFrom = 0;
}

/** Sends a datagram back to where a request came from. */
export type Reply = (datagram: Buffer) => void;

/** A request that was made with the instance's key and was not seen before. */
export class Exchange {
  readonly frame: RequestFrame;
  readonly sender: Sender;
  readonly acquaintance: Acquaintance;
  /** What the request's proof of address says; null when it proves nothing. */
  readonly proof: Proof | null;
  readonly keys: DatagramKeys;
  /** The life of the request in hexadecimal digits, as which it is registered. */
  readonly life: string;
  readonly #octets: number;
  readonly #reply: Reply;

  /**
   * @param request.octets - the length of the request, which an answer to an unproven address may not exceed.
   */
  constructor(request: {
    readonly frame: RequestFrame;
    readonly octets: number;
    readonly sender: Sender;
    readonly keys: DatagramKeys;
    readonly acquaintance: Acquaintance;
    readonly proof: Proof | null;
    readonly reply: Reply;
  }) {
    this.frame = request.frame;
    this.sender = request.sender;
    this.keys = request.keys;
    this.life = request.frame.life.toString('hex');
    this.acquaintance = request.acquaintance;
    this.proof = request.proof;
    this.#octets = request.octets;
    this.#reply = request.reply;
  }

  /**
   * Answers the request.
   * @param type - what the answer is.
   * @param body - from `answers.ts`.
   * @param incarnation - the one that the answer speaks of; the request's own unless it is said.
   */
  answer(type: AnswerType, body: Buffer, incarnation: number = this.frame.incarnation): void {
    const { life, number } = this.frame;
    const datagram = writeAnswer({ type, life, number, incarnation, body }, this.keys);
    if (this.proof === null && datagram.length > this.#octets) {
      throw new Error(`A ${type} of ${datagram.length} octets is too long for an unproven address.`);
    }
    this.#reply(datagram);
    datagrams.answered(type);
  }
}
