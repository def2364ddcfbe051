/**
 * The logins of an instance that nobody is busy with, in sixty bytes each: columns of numbers instead of objects.
 * Only plain ones can stand here (`Login.isPlain`); what a row does not say is what all of those have alike.
 */

import type { LoginKind } from '../users.ts';
import type { Place, Pool } from './holdings.ts';
import { Login, sharedTotals } from './login.ts';
import { Palette } from './palette.ts';
import { CHUNK_ROWS, RowStore, rowOf } from './rowstore.ts';
import { mix, SlotIndex } from './slotindex.ts';
import { readUuid, UUID_WORDS, writeUuid } from './uuid.ts';

/** How many pools, and kinds, one byte tells apart. */
const PALETTE_MAX = 256;

/** The columns of some rows. */
class Chunk {
  readonly ids = new Uint32Array(CHUNK_ROWS * UUID_WORDS);
  readonly userIds = new Array<string>(CHUNK_ROWS).fill('');
  readonly versions = new Uint32Array(CHUNK_ROWS);
  readonly instants = new Float64Array(CHUNK_ROWS);
  readonly indexes = new Uint32Array(CHUNK_ROWS);
  readonly prints = new Int32Array(CHUNK_ROWS);
  readonly processIds = new Uint32Array(CHUNK_ROWS);
  readonly pools = new Uint8Array(CHUNK_ROWS);
  readonly kinds = new Uint8Array(CHUNK_ROWS);
  /** The connections of its user, with it, when it was granted: the rest of the totals follows from them. */
  readonly connections = new Uint8Array(CHUNK_ROWS);

  /** Takes a row over from wherever it stands. */
  copy(row: number, from: Chunk, fromRow: number): void {
    const at = row * UUID_WORDS;
    for (let word = 0; word < UUID_WORDS; word += 1)
      this.ids[at + word] = from.ids[fromRow * UUID_WORDS + word]!;
    this.userIds[row] = from.userIds[fromRow]!;
    this.versions[row] = from.versions[fromRow]!;
    this.instants[row] = from.instants[fromRow]!;
    this.indexes[row] = from.indexes[fromRow]!;
    this.prints[row] = from.prints[fromRow]!;
    this.processIds[row] = from.processIds[fromRow]!;
    this.pools[row] = from.pools[fromRow]!;
    this.kinds[row] = from.kinds[fromRow]!;
    this.connections[row] = from.connections[fromRow]!;
  }
}

export class PackedLogins {
  readonly #place: Place;
  readonly #seed: number;
  readonly #rows = new RowStore(() => new Chunk());
  readonly #index = new SlotIndex((slot) => this.#hashOf(slot));
  readonly #pools = new Palette<Pool>(PALETTE_MAX);
  /** How many rows there are of each pool. */
  readonly #poolRows: number[] = [];
  readonly #kinds = new Palette<LoginKind>(PALETTE_MAX);
  readonly #sought = new Uint32Array(UUID_WORDS);

  /**
   * @param place - whose logins they are.
   * @param seed - what their hashes depend on; clients choose IDs, and shall not choose which of them collide.
   */
  constructor(place: Place, seed: number) {
    this.#place = place;
    this.#seed = seed;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Adds a plain login. @returns false, and nothing is done, when it cannot be told by a row. */
  add(login: Login): boolean {
    if (!readUuid(login.id, this.#sought)) return false;
    if (!isWord(login.processId) || !isWord(login.moment.version)) return false;
    const pool = this.#pools.indexOf(login.pool);
    const kind = this.#kinds.indexOf(login.kind);
    if (pool < 0 || kind < 0) return false;
    const slot = this.#rows.append();
    const chunk = this.#rows.chunkOf(slot);
    const row = rowOf(slot);
    chunk.ids.set(this.#sought, row * UUID_WORDS);
    chunk.userIds[row] = login.user!.id;
    chunk.versions[row] = login.moment.version;
    chunk.instants[row] = login.moment.atMs;
    chunk.indexes[row] = login.index;
    chunk.prints[row] = login.print;
    chunk.processIds[row] = login.processId;
    chunk.pools[row] = pool;
    chunk.kinds[row] = kind;
    chunk.connections[row] = login.totals.connections;
    this.#poolRows[pool] = (this.#poolRows[pool] ?? 0) + 1;
    this.#index.add(this.#hashOf(slot), slot);
    return true;
  }

  /** @returns the row of a login; -1 when it is not here. */
  find(id: string): number {
    const sought = this.#sought;
    if (!readUuid(id, sought)) return -1;
    const hash = hashOf(sought, 0, this.#seed);
    for (let cell = this.#index.first(hash); ; cell = this.#index.after(cell)) {
      const slot = this.#index.slotAt(cell);
      if (slot < 0) return -1;
      const { ids } = this.#rows.chunkOf(slot);
      const at = rowOf(slot) * UUID_WORDS;
      const isIt =
        ids[at] === sought[0] &&
        ids[at + 1] === sought[1] &&
        ids[at + 2] === sought[2] &&
        ids[at + 3] === sought[3];
      if (isIt) return slot;
    }
  }

  /** Takes a row out, as `read` tells it. The last row stands in its place afterwards. */
  take(slot: number): Login {
    const login = this.read(slot);
    this.#poolRows[this.#rows.chunkOf(slot).pools[rowOf(slot)]!]! -= 1;
    this.#drop(slot);
    return login;
  }

  /** @returns the login of a row; it is the caller's to say who its user is. */
  read(slot: number): Login {
    const chunk = this.#rows.chunkOf(slot);
    const row = rowOf(slot);
    const pool = this.#pools.at(chunk.pools[row]!);
    const login = new Login(writeUuid(chunk.ids, row * UUID_WORDS), this.#place, pool);
    login.kind = this.#kinds.at(chunk.kinds[row]!);
    login.moment = { version: chunk.versions[row]!, atMs: chunk.instants[row]! };
    login.index = chunk.indexes[row]!;
    login.print = chunk.prints[row]!;
    login.processId = chunk.processIds[row]!;
    login.totals = sharedTotals(chunk.connections[row]!);
    return login;
  }

  /** The user ID of a row. */
  userIdAt(slot: number): string {
    return this.#rows.chunkOf(slot).userIds[rowOf(slot)]!;
  }

  /** The pool that a row counts in. */
  poolAt(slot: number): Pool {
    return this.#pools.at(this.#rows.chunkOf(slot).pools[rowOf(slot)]!);
  }

  /** The pools that rows count in, and how many. */
  *countsByPool(): Generator<[Pool, number]> {
    for (const [index, rows] of this.#poolRows.entries()) if (rows > 0) yield [this.#pools.at(index), rows];
  }

  #drop(slot: number): void {
    const last = this.#rows.size - 1;
    this.#index.remove(this.#hashOf(slot), slot);
    const chunk = this.#rows.chunkOf(last);
    if (last !== slot) {
      this.#index.move(this.#hashOf(last), last, slot);
      this.#rows.chunkOf(slot).copy(rowOf(slot), chunk, rowOf(last));
    }
    chunk.userIds[rowOf(last)] = '';
    this.#rows.dropLast();
  }

  #hashOf(slot: number): number {
    return hashOf(this.#rows.chunkOf(slot).ids, rowOf(slot) * UUID_WORDS, this.#seed);
  }
}

function hashOf(words: Uint32Array, at: number, seed: number): number {
  return mix(mix(mix(mix(seed, words[at]!), words[at + 1]!), words[at + 2]!), words[at + 3]!);
}

/** Whether a number is one of 32 bits, as a row has room for. */
function isWord(value: number): boolean {
  return value >>> 0 === value;
}
