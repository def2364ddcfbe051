/**
 * The bodies of requests: what an instance says. Each is read strictly, to the last octet, because only
 * a program that does not keep to the protocol can have made another one; and written, for clients and tests.
 */

import { KEY_FIELD_LIMITS } from '../domain/keys/keyfields.ts';
import { LICENSE_SERVER_LIMITS } from '../domain/licenseservers.ts';
import type { Digest, DigestedRow } from '../domain/local/digest.ts';
import { OctetReader, OctetWriter } from './octets.ts';
import { DATAGRAM_OCTETS_MAX } from './packets.ts';

/** The most octets of UTF-8 of a user ID. */
const USER_ID_OCTETS_MAX = 256;
/** The most parts of one update. */
const UPDATE_PARTS_MAX = 4_096;

/** The highest number of an update that an answer can tell. */
const SEQUENCE_MAX = 0xffff_ffff;
const ROW_OCTETS = 10;
const TRANSITIONED_BIT = 0x8000;
const HASH_OCTETS = 32;

/** How an instance says which key it has. */
export type KeyIdentity =
  | { readonly by: 'none' }
  | { readonly by: 'id' | 'order-number'; readonly value: string }
  /** The SHA-256 of the key file's content, in hexadecimal digits. */
  | { readonly by: 'hash'; readonly value: string }
  /** The LicenseID under which a key is served. */
  | { readonly by: 'license-id'; readonly value: string };

const KEY_KINDS = ['none', 'id', 'order-number', 'hash', 'license-id'] as const;

/** START: an instance came up. */
export interface StartBody {
  readonly key: KeyIdentity;
  /** Empty when it does not say. */
  readonly product: string;
  readonly version: string;
  /** Every licence server it is configured with, as `address:port` (F-4). */
  readonly licenseServers: readonly string[];
}

/** CHANGE and FULL: one part of an update. */
export interface UpdateBody {
  /** The number of the update's first part; the update takes as many numbers as it has parts. */
  readonly sequence: number;
  /** The last number that was answered; 0 in a full report. */
  readonly since: number;
  readonly parts: number;
  /** Which part this is, from 0. */
  readonly part: number;
  /** Of the whole table after this update; the same in every part. */
  readonly digest: Digest;
  readonly rows: readonly DigestedRow[];
}

/** HEARTBEAT: nothing changed since. */
export interface HeartbeatBody {
  readonly sequence: number;
  readonly digest: Digest;
}

/** What a query can ask for. */
export const QUERIES = { server: 1, counts: 2, key: 3, keys: 4, servers: 5 } as const;

/** The name of what a query asks for. */
export type QueryName = keyof typeof QUERIES;

/** QUERY: a report is asked for. */
export interface QueryBody {
  readonly what: QueryName;
  /** The TCP port that the asker has opened for a large answer; 0 for parts that it asks for one by one. */
  readonly port: number;
  /** The number of the report, once it is known from its first part; 0 asks for a new one. */
  readonly report: number;
  readonly part: number;
}

/** @returns the body of a START; null when it is malformed. */
export function readStart(body: Buffer): StartBody | null {
  const reader = new OctetReader(body);
  const by = KEY_KINDS[reader.u8()];
  const octets = reader.raw(reader.u8());
  const product = reader.text8();
  const version = reader.text8();
  const count = reader.u8();
  if (by === undefined || count > LICENSE_SERVER_LIMITS.statedMax) return null;
  const licenseServers: string[] = [];
  for (let index = 0; index < count; index += 1) licenseServers.push(reader.text8());
  const key = keyIdentity(by, octets);
  return reader.isDone && key !== null ? { key, product, version, licenseServers } : null;
}

function keyIdentity(by: (typeof KEY_KINDS)[number], octets: Buffer): KeyIdentity | null {
  if (by === 'none') return octets.length === 0 ? { by } : null;
  if (by === 'hash') return octets.length === HASH_OCTETS ? { by, value: octets.toString('hex') } : null;
  if (by === 'license-id') return licenseIdentity(octets);
  const value = octets.toString('latin1');
  return /^[\x21-\x7e]{1,128}$/.test(value) ? { by, value } : null;
}

/** A LicenseID is a text as a key file may state it. */
function licenseIdentity(octets: Buffer): KeyIdentity | null {
  const reader = new OctetReader(octets);
  const value = reader.text(octets.length);
  const isText = reader.isDone && !/\p{Cc}/u.test(value) && value.trim() === value;
  const isInRange = value !== '' && value.length <= KEY_FIELD_LIMITS.licenseIdCharactersMax;
  return isText && isInRange ? { by: 'license-id', value } : null;
}

/** Makes the body of a START. */
export function writeStart({ key, product, version, licenseServers }: StartBody): Buffer {
  const writer = new OctetWriter(DATAGRAM_OCTETS_MAX);
  const identity =
    key.by === 'none' ? Buffer.alloc(0) : Buffer.from(key.value, key.by === 'hash' ? 'hex' : 'utf8');
  writer.u8(KEY_KINDS.indexOf(key.by)).u8(identity.length).raw(identity).text8(product).text8(version);
  writer.u8(licenseServers.length);
  for (const server of licenseServers) writer.text8(server);
  return writer.written;
}

/** @returns the body of a CHANGE or FULL; null when it is malformed. */
export function readUpdate(body: Buffer): UpdateBody | null {
  const reader = new OctetReader(body);
  const sequence = reader.u32();
  const since = reader.u32();
  const parts = reader.u16();
  const part = reader.u16();
  const digest = readDigest(reader);
  const count = reader.u16();
  if (count * ROW_OCTETS > body.length) return null;
  const rows: DigestedRow[] = [];
  for (let index = 0; index < count && !reader.broken; index += 1) {
    const row = readRow(reader);
    if (row === null) return null;
    rows.push(row);
  }
  const isInRange =
    sequence > since &&
    parts > 0 &&
    parts <= UPDATE_PARTS_MAX &&
    part < parts &&
    sequence + parts - 1 <= SEQUENCE_MAX;
  return reader.isDone && isInRange ? { sequence, since, parts, part, digest, rows } : null;
}

function readRow(reader: OctetReader): DigestedRow | null {
  const head = reader.u16();
  const connections = reader.u32();
  const webSessions = reader.u32();
  const length = head & ~TRANSITIONED_BIT;
  if (length === 0 || length > USER_ID_OCTETS_MAX) return null;
  return { id: reader.text(length), connections, webSessions, transitioned: (head & TRANSITIONED_BIT) !== 0 };
}

/** Makes the body of a CHANGE or FULL. */
export function writeUpdate({ sequence, since, parts, part, digest, rows }: UpdateBody): Buffer {
  const writer = new OctetWriter(DATAGRAM_OCTETS_MAX);
  writer.u32(sequence).u32(since).u16(parts).u16(part);
  writeDigest(writer, digest);
  writer.u16(rows.length);
  for (const { id, connections, webSessions, transitioned } of rows) {
    const octets = Buffer.from(id, 'utf8');
    writer.u16(octets.length | (transitioned ? TRANSITIONED_BIT : 0));
    writer.u32(connections).u32(webSessions).raw(octets);
  }
  return writer.written;
}

/** @returns the body of a HEARTBEAT; null when it is malformed. */
export function readHeartbeat(body: Buffer): HeartbeatBody | null {
  const reader = new OctetReader(body);
  const heartbeat = { sequence: reader.u32(), digest: readDigest(reader) };
  return reader.isDone ? heartbeat : null;
}

/** Makes the body of a HEARTBEAT. */
export function writeHeartbeat({ sequence, digest }: HeartbeatBody): Buffer {
  const writer = new OctetWriter(DATAGRAM_OCTETS_MAX).u32(sequence);
  writeDigest(writer, digest);
  return writer.written;
}

/** @returns the body of a QUERY; null when it is malformed. */
export function readQuery(body: Buffer): QueryBody | null {
  const reader = new OctetReader(body);
  const number = reader.u8();
  const what = (Object.keys(QUERIES) as QueryName[]).find((name) => QUERIES[name] === number);
  const port = reader.u16();
  const report = reader.u32();
  const part = reader.u16();
  // Ports below 1024 belong to services that nobody may have the sidecar talk to.
  const isInRange = (port === 0 || port >= 1024) && (report !== 0 || part === 0);
  return reader.isDone && what !== undefined && isInRange ? { what, port, report, part } : null;
}

/** Makes the body of a QUERY. */
export function writeQuery({ what, port, report, part }: QueryBody): Buffer {
  return new OctetWriter(DATAGRAM_OCTETS_MAX).u8(QUERIES[what]).u16(port).u32(report).u16(part).written;
}

function readDigest(reader: OctetReader): Digest {
  return { rows: reader.u32(), connections: reader.u32(), checksum: reader.u32() };
}

function writeDigest(writer: OctetWriter, { rows, connections, checksum }: Digest): void {
  writer.u32(rows).u32(connections).u32(checksum);
}
