/**
 * The users of a pool by ID: some as objects, the others packed. Whoever is looked up is an object from then on, so
 * that all who speak of him speak of one object, until he is packed again.
 */

import type { Pool } from './holdings.ts';
import { PackedUsers } from './packedusers.ts';
import type { User } from './user.ts';

export class UserBook {
  readonly #open = new Map<string, User>();
  readonly #packed: PackedUsers;

  constructor(pool: Pool, seed: number) {
    this.#packed = new PackedUsers(pool, seed);
  }

  get size(): number {
    return this.#open.size + this.#packed.size;
  }

  /** How many are objects. */
  get openSize(): number {
    return this.#open.size;
  }

  has(id: string): boolean {
    return this.#open.has(id) || (this.#packed.size > 0 && this.#packed.find(id) >= 0);
  }

  get(id: string): User | undefined {
    const open = this.#open.get(id);
    if (open !== undefined || this.#packed.size === 0) return open;
    const slot = this.#packed.find(id);
    if (slot < 0) return undefined;
    const user = this.#packed.take(slot);
    this.#open.set(id, user);
    return user;
  }

  /** @param user - of that ID, as `get` gave him, or one who is not there yet. */
  set(id: string, user: User): void {
    this.#open.set(id, user);
  }

  /** Removes a user whom `get` gave. */
  delete(id: string): void {
    this.#open.delete(id);
  }

  /** Those who are objects. */
  open(): Iterable<User> {
    return this.#open.values();
  }

  /** @returns a user, to be read and let go of: a copy when he is packed. */
  read(id: string): User | undefined {
    const slot = this.#packed.size === 0 ? -1 : this.#packed.find(id);
    return slot < 0 ? this.#open.get(id) : this.#packed.read(slot);
  }

  /** All of them, to be read and let go of: of those who are packed these are copies. Nobody may be added meanwhile. */
  *readAll(): Generator<User> {
    yield* this.#open.values();
    for (let slot = 0; slot < this.#packed.size; slot += 1) yield this.#packed.read(slot);
  }

  /** Packs a user of `open` to whom no object refers any more, if he rests. */
  pack(user: User): void {
    if (!user.isResting) return;
    this.#packed.add(user);
    this.#open.delete(user.id);
  }
}
