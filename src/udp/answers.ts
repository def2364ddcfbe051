/**
 * The bodies of answers: what the sidecar says. They are written here for the sidecar, and read for the
 * demonstration and the tests; the client of `examples/legacy-instance` reads them by the document alone.
 */

import { OctetReader, OctetWriter } from './octets.ts';
import { ANSWER_BODY_OCTETS_MAX } from './packets.ts';
import { QUERIES, type QueryName } from './requests.ts';

/** The most octets of a report that one answer carries. */
export const REPORT_OCTETS_MAX = 1_100;
const REASON_OCTETS_MAX = 800;
const NOTICES_MAX = 4;
const NOTICE_OCTETS_MAX = 200;
const ENFORCEMENTS = ['central', 'local', 'leased'] as const;

/** Who decides of a login under the instance's key. */
export type Enforcement = (typeof ENFORCEMENTS)[number];

/** What the instance has to keep to from now on. */
export interface Standing {
  /** The units of its key that are enforced; 1 without a usable key. */
  readonly limit: number;
  /** The connections of one user that one unit bears (F-31). */
  readonly connectionsPerUnitMax: number;
  /** The units that this instance may take of the key; 0 is no limit. */
  readonly unitLimit: number;
  /** The connections of one user on this instance; 0 is no limit. */
  readonly connectionLimit: number;
  /** When the next update is due. */
  readonly nextUpdateAfterSeconds: number;
  /** Lictor's time, in milliseconds since 1970. */
  readonly atMs: number;
}

/** WELCOME: the instance is registered. Its incarnation is in the header. */
export interface WelcomeBody extends Standing {
  readonly enforcement: Enforcement;
  /** How long it may be silent before its users stop counting; 0 for ever. */
  readonly graceSeconds: number;
  /** The key's ID; empty without one. */
  readonly key: string;
  /** Why the key cannot be used, as the code of a refusal; empty when it can. */
  readonly fault: string;
  /** What an administrator should know, such as that other instances have other licence servers (F-4). */
  readonly notices: readonly string[];
}

/** ACK, NAK and RESEND: what became of an update. */
export interface StatusBody extends Standing {
  /** The last number that the server holds; the instance goes on from there. */
  readonly sequence: number;
  /** Whether new users may come in; that an update is told by the type, but a RESEND needs it here. */
  readonly acknowledged: boolean;
  /** Why not, such as `over-limit`; empty when they may. */
  readonly reason: string;
  /** Units in use over all instances of the key. */
  readonly inUse: number;
  /** The most units that the present excess has been over the limit; 0 when there is none. */
  readonly overLimitUnits: number;
  /** Users of this instance that have transitioned over all instances, as many as fit. */
  readonly transitioned: readonly string[];
}

/** INVALID, STALE and REFUSED: what is wrong, and what to do. */
export interface FaultBody {
  readonly code: string;
  readonly reason: string;
}

/** REDIRECT: another licence server is the active one. */
export interface RedirectBody {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** PROGRESS: which parts of an update have come. */
export interface ProgressBody {
  readonly sequence: number;
  readonly parts: number;
  /** One bit for each part, the first in the highest bit of the first octet. */
  readonly received: Buffer;
}

/** REPORT: one part of what was asked for. */
export interface ReportBody {
  readonly what: QueryName;
  /** By this number the other parts are asked for. */
  readonly report: number;
  readonly part: number;
  readonly parts: number;
  /** Octets of a UTF-8 text, which may be cut within a character. */
  readonly octets: Buffer;
}

function body(): OctetWriter {
  return new OctetWriter(ANSWER_BODY_OCTETS_MAX);
}

function writeStanding(writer: OctetWriter, standing: Standing): void {
  writer.u32(standing.limit).u32(standing.connectionsPerUnitMax);
  writer.u32(standing.unitLimit).u32(standing.connectionLimit);
  writer.u16(standing.nextUpdateAfterSeconds).u64(standing.atMs);
}

function readStanding(reader: OctetReader): Standing {
  return {
    limit: reader.u32(),
    connectionsPerUnitMax: reader.u32(),
    unitLimit: reader.u32(),
    connectionLimit: reader.u32(),
    nextUpdateAfterSeconds: reader.u16(),
    atMs: reader.u64(),
  };
}

/** Makes the body of a WELCOME; of many or long notices some are left out. */
export function writeWelcome(welcome: WelcomeBody): Buffer {
  const writer = body();
  writeStanding(writer, welcome);
  writer.u8(ENFORCEMENTS.indexOf(welcome.enforcement)).u32(welcome.graceSeconds);
  writer.text8(welcome.key).text8(welcome.fault);
  const notices = welcome.notices.slice(0, NOTICES_MAX);
  writer.u8(notices.length);
  for (const notice of notices) writer.text16(notice, NOTICE_OCTETS_MAX);
  return writer.written;
}

/** @returns the body of a WELCOME; null when it is malformed. */
export function readWelcome(octets: Buffer): WelcomeBody | null {
  const reader = new OctetReader(octets);
  const standing = readStanding(reader);
  const enforcement = ENFORCEMENTS[reader.u8()];
  const welcome = { graceSeconds: reader.u32(), key: reader.text8(), fault: reader.text8() };
  const notices = Array.from({ length: reader.u8() }, () => reader.text16());
  if (enforcement === undefined || !reader.isDone) return null;
  return { ...standing, ...welcome, enforcement, notices };
}

/**
 * Makes the body of an ACK, NAK or RESEND.
 * @param status - `transitioned` may hold more users than fit.
 * @returns the body, and how many of the users it tells.
 */
export function writeStatus(status: StatusBody): { readonly octets: Buffer; readonly told: number } {
  const writer = body();
  writer.u32(status.sequence).u8(status.acknowledged ? 1 : 0);
  writeStanding(writer, status);
  writer.u32(status.inUse).u32(status.overLimitUnits).text8(status.reason);
  const texts: Buffer[] = [];
  let left = writer.left - 2;
  for (const user of status.transitioned) {
    const text = Buffer.from(user, 'utf8');
    left -= 2 + text.length;
    if (left < 0) break;
    texts.push(text);
  }
  writer.u16(texts.length);
  for (const text of texts) writer.u16(text.length).raw(text);
  return { octets: writer.written, told: texts.length };
}

/** @returns the body of an ACK, NAK or RESEND; null when it is malformed. */
export function readStatus(octets: Buffer): StatusBody | null {
  const reader = new OctetReader(octets);
  const start = { sequence: reader.u32(), acknowledged: reader.u8() === 1 };
  const standing = readStanding(reader);
  const counts = { inUse: reader.u32(), overLimitUnits: reader.u32(), reason: reader.text8() };
  const count = reader.u16();
  const transitioned: string[] = [];
  for (let index = 0; index < count && !reader.broken; index += 1) transitioned.push(reader.text16());
  return reader.isDone ? { ...start, ...standing, ...counts, transitioned } : null;
}

/** Makes the body of an INVALID, STALE or REFUSED. */
export function writeFault({ code, reason }: FaultBody): Buffer {
  return body().text8(code).text16(reason, REASON_OCTETS_MAX).written;
}

/** @returns the body of an INVALID, STALE or REFUSED; null when it is malformed. */
export function readFault(octets: Buffer): FaultBody | null {
  const reader = new OctetReader(octets);
  const fault = { code: reader.text8(), reason: reader.text16() };
  return reader.isDone ? fault : null;
}

/** Makes the body of a REDIRECT. */
export function writeRedirect({ name, address, port }: RedirectBody): Buffer {
  return body().text8(name).text8(address).u16(port).written;
}

/** @returns the body of a REDIRECT; null when it is malformed. */
export function readRedirect(octets: Buffer): RedirectBody | null {
  const reader = new OctetReader(octets);
  const redirect = { name: reader.text8(), address: reader.text8(), port: reader.u16() };
  return reader.isDone ? redirect : null;
}

/** Makes the body of a PROGRESS. */
export function writeProgress({ sequence, parts, received }: ProgressBody): Buffer {
  return body().u32(sequence).u16(parts).raw(received).written;
}

/** @returns the body of a PROGRESS; null when it is malformed. */
export function readProgress(octets: Buffer): ProgressBody | null {
  const reader = new OctetReader(octets);
  const [sequence, parts] = [reader.u32(), reader.u16()];
  const received = reader.raw(Math.ceil(parts / 8));
  return reader.isDone ? { sequence, parts, received } : null;
}

/** Makes the body of a REPORT. */
export function writeReport({ what, report, part, parts, octets }: ReportBody): Buffer {
  return body().u8(QUERIES[what]).u32(report).u16(part).u16(parts).u16(octets.length).raw(octets).written;
}

/** @returns the body of a REPORT; null when it is malformed. */
export function readReport(octets: Buffer): ReportBody | null {
  const reader = new OctetReader(octets);
  const number = reader.u8();
  const what = (Object.keys(QUERIES) as QueryName[]).find((name) => QUERIES[name] === number);
  const numbers = { report: reader.u32(), part: reader.u16(), parts: reader.u16() };
  const text = reader.raw(reader.u16());
  return reader.isDone && what !== undefined ? { what, ...numbers, octets: text } : null;
}
