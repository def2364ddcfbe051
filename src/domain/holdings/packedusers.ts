/**
 * The users of a pool whom nobody is busy with, in columns: those whose connections are packed logins of one
 * instance (`User.isResting`).
 */

import type { Place, Pool } from './holdings.ts';
import { CHUNK_ROWS, RowStore, rowOf } from './rowstore.ts';
import { mix, SlotIndex } from './slotindex.ts';
import { User } from './user.ts';

const TRANSITIONED = 1;
const APART = 2;

/** The columns of some rows. */
class Chunk {
  readonly ids = new Array<string>(CHUNK_ROWS).fill('');
  readonly homes = new Array<Place | null>(CHUNK_ROWS).fill(null);
  readonly hashes = new Int32Array(CHUNK_ROWS);
  readonly connections = new Uint32Array(CHUNK_ROWS);
  readonly connectionsPeaks = new Uint32Array(CHUNK_ROWS);
  readonly flags = new Uint8Array(CHUNK_ROWS);

  /** Takes a row over from wherever it stands. */
  copy(row: number, from: Chunk, fromRow: number): void {
    this.ids[row] = from.ids[fromRow]!;
    this.homes[row] = from.homes[fromRow]!;
    this.hashes[row] = from.hashes[fromRow]!;
    this.connections[row] = from.connections[fromRow]!;
    this.connectionsPeaks[row] = from.connectionsPeaks[fromRow]!;
    this.flags[row] = from.flags[fromRow]!;
  }
}

export class PackedUsers {
  readonly #pool: Pool;
  readonly #seed: number;
  readonly #rows = new RowStore(() => new Chunk());
  readonly #index = new SlotIndex((slot) => this.#rows.chunkOf(slot).hashes[rowOf(slot)]!);

  /**
   * @param pool - whose users they are.
   * @param seed - what their hashes depend on; clients choose user IDs, and shall not choose which of them collide.
   */
  constructor(pool: Pool, seed: number) {
    this.#pool = pool;
    this.#seed = seed;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Adds a user who rests. */
  add(user: User): void {
    const slot = this.#rows.append();
    const chunk = this.#rows.chunkOf(slot);
    const row = rowOf(slot);
    const hash = hashOf(user.id, this.#seed);
    chunk.ids[row] = user.id;
    chunk.homes[row] = user.home;
    chunk.hashes[row] = hash;
    chunk.connections[row] = user.connections;
    chunk.connectionsPeaks[row] = user.connectionsPeak;
    chunk.flags[row] = (user.transitioned ? TRANSITIONED : 0) | (user.apart ? APART : 0);
    this.#index.add(hash, slot);
  }

  /** @returns the row of a user; -1 when he is not here. */
  find(id: string): number {
    const hash = hashOf(id, this.#seed);
    for (let cell = this.#index.first(hash); ; cell = this.#index.after(cell)) {
      const slot = this.#index.slotAt(cell);
      if (slot < 0) return -1;
      const chunk = this.#rows.chunkOf(slot);
      const row = rowOf(slot);
      if (chunk.hashes[row] === hash && chunk.ids[row] === id) return slot;
    }
  }

  /** @returns a copy of a user, to be read; what is done to it is lost. */
  read(slot: number): User {
    const chunk = this.#rows.chunkOf(slot);
    const row = rowOf(slot);
    const user = new User(chunk.ids[row]!, this.#pool);
    const connections = chunk.connections[row]!;
    user.connections = connections;
    user.packed = connections;
    user.connectionsPeak = chunk.connectionsPeaks[row]!;
    user.transitioned = (chunk.flags[row]! & TRANSITIONED) !== 0;
    user.apart = (chunk.flags[row]! & APART) !== 0;
    user.home = chunk.homes[row]!;
    return user;
  }

  /** Takes a row out. The last row stands in its place afterwards. */
  take(slot: number): User {
    const user = this.read(slot);
    const last = this.#rows.size - 1;
    const { hashes } = this.#rows.chunkOf(slot);
    this.#index.remove(hashes[rowOf(slot)]!, slot);
    const chunk = this.#rows.chunkOf(last);
    if (last !== slot) {
      this.#index.move(chunk.hashes[rowOf(last)]!, last, slot);
      this.#rows.chunkOf(slot).copy(rowOf(slot), chunk, rowOf(last));
    }
    chunk.ids[rowOf(last)] = '';
    chunk.homes[rowOf(last)] = null;
    this.#rows.dropLast();
    return user;
  }
}

function hashOf(id: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
    hash ^= hash >>> 15;
  }
  return mix(hash, id.length);
}
