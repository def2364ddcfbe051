/**
 * The digest of an instance's table: by it the server and the instance find out that they hold the same rows,
 * whatever was lost between them. It guards against mistakes; that nobody forges a report is the transport's
 * part. It is a sum over the rows, so that a change costs no walk over the others.
 */

import { crc32 } from 'node:zlib';

/** What an instance reports of one user ID, as it is. */
export interface DigestedRow {
  readonly id: string;
  readonly connections: number;
  readonly webSessions: number;
  /** Whether the user has passed the connections of one unit as the instance sees it (F-32). */
  readonly transitioned: boolean;
}

/** The parts of a digest. */
export interface Digest {
  readonly rows: number;
  readonly connections: number;
  /** The sum of the rows' checksums modulo 2^32. */
  readonly checksum: number;
}

/** The digest of a table without rows. */
export const EMPTY_DIGEST: Digest = { rows: 0, connections: 0, checksum: 0 };

/** The checksum of one row: the CRC-32 of its members in UTF-8, separated by line feeds. */
function checksumOf(row: DigestedRow): number {
  return crc32(`${row.id}\n${row.connections}\n${row.webSessions}\n${row.transitioned ? 1 : 0}`);
}

/** A digest that is kept while rows come and go. */
export class TableDigest implements Digest {
  rows: number;
  connections: number;
  checksum: number;

  /** @param from - the digest to go on from. */
  constructor(from: Digest = EMPTY_DIGEST) {
    this.rows = from.rows;
    this.connections = from.connections;
    this.checksum = from.checksum;
  }

  /** Takes a row in. */
  add(row: DigestedRow): void {
    this.rows += 1;
    this.connections += row.connections;
    this.checksum = (this.checksum + checksumOf(row)) >>> 0;
  }

  /** Takes a row that is in out again. */
  remove(row: DigestedRow): void {
    this.rows -= 1;
    this.connections -= row.connections;
    this.checksum = (this.checksum - checksumOf(row)) >>> 0;
  }
}

/** @returns the digest as it is sent: rows, connections and checksum, such as `12.31.9f0c22aa`. */
export function digestText({ rows, connections, checksum }: Digest): string {
  return `${rows}.${connections}.${checksum.toString(16).padStart(8, '0')}`;
}

const DIGEST_TEXT = /^(\d{1,9})\.(\d{1,12})\.([0-9a-f]{8})$/;

/** @returns the parts of a digest as it was sent; null when the text is not one. */
export function readDigest(text: string): Digest | null {
  const [, rows, connections, checksum] = DIGEST_TEXT.exec(text) ?? [];
  if (checksum === undefined) return null;
  return { rows: Number(rows), connections: Number(connections), checksum: Number.parseInt(checksum, 16) };
}
