/**
 * QUERY: a report in one datagram where it fits, else over TCP to a port that the asker has opened, or in parts
 * that it asks for one by one, so that nobody is sent more than he asked for.
 */

import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { REPORT_OCTETS_MAX, writeFault, writeReport } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { MAC_OCTETS } from './packets.ts';
import type { Reports } from './reports.ts';
import { QUERIES, type QueryBody, type QueryName } from './requests.ts';

/** How long the parts of a report can be asked for. */
const KEPT_MS = 60_000;
/** How many reports, and how many octets of them, are kept for their parts. */
const KEPT_MAX = 64;
const KEPT_OCTETS_MAX = 64 * 1_048_576;
/** How long the asker may take to accept the connection and what is sent on it. */
const CONNECTION_TIMEOUT_MS = 5_000;
const RECORD_OCTETS_MAX = 65_535;
/** "LiR" and the version, the first octets of a report over TCP. */
const STREAM_MAGIC = 0x4c695201;

interface Kept {
  readonly instance: string;
  readonly what: QueryName;
  readonly octets: Buffer;
  readonly untilMs: number;
}

/** Answers queries. */
export class Querying {
  readonly #reports: Reports;
  readonly #now: () => number;
  readonly #kept = new Map<number, Kept>();
  #keptOctets = 0;
  #number: number;

  /**
   * @param now - a clock that does not go back, in milliseconds.
   * @param first - the number of the first report; at random, so that those of a former process differ.
   */
  constructor(reports: Reports, now: () => number, first: number) {
    this.#reports = reports;
    this.#now = now;
    this.#number = first;
  }

  /**
   * Answers a query for a part of a report that is kept.
   * @returns false when there is none such, and a new one has to be made.
   */
  answerKept(exchange: Exchange, { what, report, part }: QueryBody): boolean {
    const kept = this.#kept.get(report);
    if (kept === undefined || kept.untilMs <= this.#now()) return false;
    if (kept.instance !== exchange.frame.name || kept.what !== what) return false;
    if (part >= partsOf(kept.octets)) return false;
    answerPart(exchange, what, report, kept.octets, part);
    return true;
  }

  /**
   * Makes a report and answers with it.
   * @throws what the client throws.
   */
  async answerNew(exchange: Exchange, { what, port }: QueryBody): Promise<void> {
    if (!this.#reports.permits(what)) {
      const reason =
        'Reports on other keys are switched off here. Set LICTOR_UDP_REPORTS to all to permit them.';
      exchange.answer('refused', writeFault({ code: 'forbidden', reason }));
      return;
    }
    const octets = await this.#reports.make(what, exchange.frame.name);
    const parts = partsOf(octets);
    if (parts > 1 && port !== 0 && (await sendStream(exchange, what, octets, port))) return;
    this.#number = (this.#number % 0xffff_ffff) + 1;
    if (parts > 1) this.#keep(this.#number, { instance: exchange.frame.name, what, octets });
    answerPart(exchange, what, this.#number, octets, 0);
  }

  /** Drops the reports whose parts were not asked for in time. */
  sweep(): void {
    const nowMs = this.#now();
    for (const [number, { untilMs }] of this.#kept) if (untilMs <= nowMs) this.#drop(number);
  }

  /** Octets of the reports that are kept. */
  get keptOctets(): number {
    return this.#keptOctets;
  }

  #drop(number: number): void {
    this.#keptOctets -= this.#kept.get(number)!.octets.length;
    this.#kept.delete(number);
  }

  #keep(number: number, { instance, what, octets }: Omit<Kept, 'untilMs'>): void {
    const nowMs = this.#now();
    this.#kept.set(number, { instance, what, octets, untilMs: nowMs + KEPT_MS });
    this.#keptOctets += octets.length;
    for (const [oldest, kept] of this.#kept) {
      const isOver = this.#kept.size > KEPT_MAX || this.#keptOctets > KEPT_OCTETS_MAX;
      // The report of the same instance before this one is not asked for any more.
      const isReplaced = kept.instance === instance && oldest !== number;
      if (!isReplaced && kept.untilMs > nowMs && !(isOver && oldest !== number)) continue;
      this.#drop(oldest);
    }
  }
}

function partsOf(octets: Buffer): number {
  return Math.max(1, Math.ceil(octets.length / REPORT_OCTETS_MAX));
}

function answerPart(exchange: Exchange, what: QueryName, report: number, octets: Buffer, part: number): void {
  const slice = octets.subarray(part * REPORT_OCTETS_MAX, (part + 1) * REPORT_OCTETS_MAX);
  exchange.answer('report', writeReport({ what, report, part, parts: partsOf(octets), octets: slice }));
}

/**
 * Sends a report over TCP: what it is, the number of records, each line as a record after its length, and a
 * code over all of it.
 * @returns whether it was sent whole; if not, it goes in parts.
 */
function sendStream(exchange: Exchange, what: QueryName, octets: Buffer, port: number): Promise<boolean> {
  const stream = streamOf(exchange, what, octets);
  return new Promise((resolve) => {
    // To the address that the asker has proven to be his, and to no other.
    const socket = connect({ host: exchange.sender.address, port, timeout: CONNECTION_TIMEOUT_MS });
    const timer = setTimeout(() => socket.destroy(new Error('timeout')), 4 * CONNECTION_TIMEOUT_MS);
    let isSent = false;
    socket.once('connect', () =>
      socket.end(stream, () => {
        isSent = true;
      }),
    );
    socket.on('timeout', () => socket.destroy());
    socket.on('error', () => {
      isSent = false;
    });
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(isSent);
    });
    // What the asker may send is not wanted, but must be read for the end of the connection to be seen.
    socket.resume();
  });
}

function streamOf({ frame, keys }: Exchange, what: QueryName, octets: Buffer): Buffer {
  const head = Buffer.alloc(21);
  head.writeUInt32BE(STREAM_MAGIC, 0);
  frame.life.copy(head, 4);
  head.writeUInt32BE(frame.number, 12);
  head.writeUInt8(QUERIES[what], 16);
  const chunks: Buffer[] = [head];
  let records = 0;
  for (const line of octets.toString('utf8').trimEnd().split('\n')) {
    const record = Buffer.from(line, 'utf8').subarray(0, RECORD_OCTETS_MAX);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(record.length);
    chunks.push(length, record);
    records += 1;
  }
  head.writeUInt32BE(records, 17);
  const mac = createHmac('sha256', keys.server);
  for (const chunk of chunks) mac.update(chunk);
  return Buffer.concat(
    [...chunks, mac.digest()],
    chunks.reduce((sum, { length }) => sum + length, MAC_OCTETS),
  );
}
