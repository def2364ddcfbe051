/**
 * The frame of a datagram: header, body, and the code that shows who made it. `docs/udp-protocol.md` says what
 * each field is for; this file is its other half, and pure. Bodies are in `requests.ts` and `answers.ts`.
 */

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

/** The most octets of a datagram, so that it fits into the smallest packet that IPv6 promises. */
export const DATAGRAM_OCTETS_MAX = 1_200;
/** The version of the protocol that is spoken here. */
const PROTOCOL_VERSION = 1;
/** The octets of the message authentication code at the end of each datagram. */
export const MAC_OCTETS = 32;
/** The octets that name one life of an instance. */
export const LIFE_OCTETS = 8;
/** The octets by which a sender shows that it receives at the address it sends from. */
export const PROOF_OCTETS = 16;
/** "Li", the first two octets of every datagram. */
const MAGIC = 0x4c69;

const REQUEST_HEADER_OCTETS = 37;
const ANSWER_HEADER_OCTETS = 20;

/** The most octets of an answer's body. */
export const ANSWER_BODY_OCTETS_MAX: number = DATAGRAM_OCTETS_MAX - ANSWER_HEADER_OCTETS - MAC_OCTETS;

/** What an instance sends. */
const REQUEST_TYPES = { start: 1, change: 2, full: 3, heartbeat: 4, shutdown: 5, query: 6 } as const;

/** The name of a request's type. */
export type RequestType = keyof typeof REQUEST_TYPES;

/** What the sidecar answers; the highest bit keeps anything one side sends from being taken for the other's. */
const ANSWER_TYPES = {
  challenge: 0x81,
  welcome: 0x82,
  invalid: 0x83,
  ack: 0x84,
  nak: 0x85,
  resend: 0x86,
  redirect: 0x87,
  progress: 0x88,
  goodbye: 0x89,
  stale: 0x8a,
  refused: 0x8b,
  report: 0x8c,
} as const;

/** The name of an answer's type. */
export type AnswerType = keyof typeof ANSWER_TYPES;

const REQUEST_NAMES: readonly (RequestType | undefined)[] = namesOf(REQUEST_TYPES);
const ANSWER_NAMES: readonly (AnswerType | undefined)[] = namesOf(ANSWER_TYPES);

/** The frame of a request. */
export interface RequestFrame {
  readonly type: RequestType;
  /** Made at random by the instance at its start; in hexadecimal digits it is the registration ID. */
  readonly life: Buffer;
  /** Never the same in two datagrams of one life, also not in one that is sent again. */
  readonly number: number;
  /** From the WELCOME; 0 before. */
  readonly incarnation: number;
  /** From the last CHALLENGE; zeros before. */
  readonly proof: Buffer;
  /** The instance's name. */
  readonly name: string;
  readonly body: Buffer;
}

/** The frame of an answer. */
export interface AnswerFrame {
  readonly type: AnswerType;
  /** The life and number of the request that it answers. */
  readonly life: Buffer;
  readonly number: number;
  readonly incarnation: number;
  readonly body: Buffer;
}

/** The two keys of an instance, one for each direction, so that a datagram cannot be sent back to its maker. */
export interface DatagramKeys {
  readonly instance: KeyObject;
  readonly server: KeyObject;
}

/** Why a datagram is no request. */
export type FrameFault = 'oversized' | 'malformed' | 'version';

/**
 * Derives an instance's keys from its secret.
 * @param secret - the secret as it stands in the secrets file; its UTF-8 octets are the key of the derivation.
 * @param name - the instance's name, so that one secret used twice still gives different keys.
 */
export function deriveKeys(secret: string, name: string): DatagramKeys {
  const derive = (side: string) =>
    createSecretKey(createHmac('sha256', secret).update(`lictor-udp/1 ${side} ${name}`).digest());
  return { instance: derive('instance'), server: derive('server') };
}

/**
 * Reads the header of a request. Nothing of it is to be believed before `isMadeBy` holds.
 * @returns the frame, which refers to the datagram's octets, or why there is none.
 */
export function readRequest(datagram: Buffer): RequestFrame | FrameFault {
  const { length } = datagram;
  if (length > DATAGRAM_OCTETS_MAX) return 'oversized';
  if (length < REQUEST_HEADER_OCTETS + 1 + MAC_OCTETS || datagram.readUInt16BE(0) !== MAGIC)
    return 'malformed';
  if (datagram[2] !== PROTOCOL_VERSION) return 'version';
  const type = REQUEST_NAMES[datagram[3]!];
  const bodyAt = REQUEST_HEADER_OCTETS + datagram[36]!;
  if (type === undefined || bodyAt > length - MAC_OCTETS) return 'malformed';
  const name = datagram.toString('latin1', REQUEST_HEADER_OCTETS, bodyAt);
  if (!isInstanceName(name)) return 'malformed';
  return {
    type,
    life: datagram.subarray(4, 12),
    number: datagram.readUInt32BE(12),
    incarnation: datagram.readUInt32BE(16),
    proof: datagram.subarray(20, 36),
    name,
    body: datagram.subarray(bodyAt, length - MAC_OCTETS),
  };
}

/** Makes the datagram of a request. */
export function writeRequest(frame: RequestFrame, keys: DatagramKeys): Buffer {
  const name = Buffer.from(frame.name, 'latin1');
  const header = Buffer.alloc(REQUEST_HEADER_OCTETS);
  writeStart(header, REQUEST_TYPES[frame.type], frame);
  frame.proof.copy(header, 20);
  header.writeUInt8(name.length, 36);
  return seal([header, name, frame.body], keys.instance);
}

/**
 * Reads the header of an answer, as a client does.
 * @returns null when it is no answer.
 */
export function readAnswer(datagram: Buffer): AnswerFrame | null {
  const { length } = datagram;
  if (length > DATAGRAM_OCTETS_MAX || length < ANSWER_HEADER_OCTETS + MAC_OCTETS) return null;
  if (datagram.readUInt16BE(0) !== MAGIC || datagram[2] !== PROTOCOL_VERSION) return null;
  const type = ANSWER_NAMES[datagram[3]!];
  if (type === undefined) return null;
  return {
    type,
    life: datagram.subarray(4, 12),
    number: datagram.readUInt32BE(12),
    incarnation: datagram.readUInt32BE(16),
    body: datagram.subarray(ANSWER_HEADER_OCTETS, length - MAC_OCTETS),
  };
}

/** Makes the datagram of an answer. */
export function writeAnswer(frame: AnswerFrame, keys: DatagramKeys): Buffer {
  const header = Buffer.alloc(ANSWER_HEADER_OCTETS);
  writeStart(header, ANSWER_TYPES[frame.type], frame);
  return seal([header, frame.body], keys.server);
}

/** Whether the code at the end of a datagram was made with a key; takes as long whatever is wrong with it. */
export function isMadeBy(datagram: Buffer, key: KeyObject): boolean {
  const end = datagram.length - MAC_OCTETS;
  const expected = createHmac('sha256', key).update(datagram.subarray(0, end)).digest();
  return timingSafeEqual(expected, datagram.subarray(end));
}

function seal(parts: readonly Uint8Array[], key: KeyObject): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  const datagram = Buffer.concat([...parts, mac.digest()]);
  if (datagram.length > DATAGRAM_OCTETS_MAX) {
    throw new RangeError(`A datagram of ${datagram.length} octets is longer than ${DATAGRAM_OCTETS_MAX}.`);
  }
  return datagram;
}

function writeStart(
  header: Buffer,
  type: number,
  frame: { readonly life: Buffer; readonly number: number; readonly incarnation: number },
): void {
  header.writeUInt16BE(MAGIC, 0);
  header.writeUInt8(PROTOCOL_VERSION, 2);
  header.writeUInt8(type, 3);
  frame.life.copy(header, 4);
  header.writeUInt32BE(frame.number, 12);
  header.writeUInt32BE(frame.incarnation, 16);
}

/** Whether a text can be an instance's name: as the API takes it. */
export function isInstanceName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name);
}

function namesOf<Name extends string>(types: Readonly<Record<Name, number>>): (Name | undefined)[] {
  const names: (Name | undefined)[] = new Array(256).fill(undefined);
  for (const [name, type] of Object.entries(types) as [Name, number][]) names[type] = name;
  return names;
}
