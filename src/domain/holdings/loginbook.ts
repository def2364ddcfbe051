/**
 * The logins of an instance by ID: some as objects, the others packed. Whichever is looked up is an object from then
 * on, so that all who speak of it speak of one object, until it is packed again.
 */

import type { Place, Pool } from './holdings.ts';
import type { Login } from './login.ts';
import { PackedLogins } from './packedlogins.ts';
import type { User } from './user.ts';

export class LoginBook {
  readonly #place: Place;
  readonly #open = new Map<string, Login>();
  readonly #packed: PackedLogins;

  constructor(place: Place, seed: number) {
    this.#place = place;
    this.#packed = new PackedLogins(place, seed);
  }

  get size(): number {
    return this.#open.size + this.#packed.size;
  }

  /** How many are objects. */
  get openSize(): number {
    return this.#open.size;
  }

  /** Whether any of them is somebody's. Only those of somebody are ever packed. */
  get haveUser(): boolean {
    if (this.#packed.size > 0) return true;
    for (const login of this.#open.values()) if (login.user) return true;
    return false;
  }

  has(id: string): boolean {
    return this.#open.has(id) || (this.#packed.size > 0 && this.#packed.find(id) >= 0);
  }

  get(id: string): Login | undefined {
    const open = this.#open.get(id);
    if (open !== undefined || this.#packed.size === 0) return open;
    const slot = this.#packed.find(id);
    return slot < 0 ? undefined : this.#unpack(slot);
  }

  /** @param login - of that ID, as `get` gave it, or one that is not there yet. */
  set(id: string, login: Login): void {
    this.#open.set(id, login);
  }

  /** Removes a login that `get` gave. */
  delete(id: string): void {
    this.#open.delete(id);
  }

  /**
   * All of them, every one as an object: of a million, that takes seconds. In no order, since packing changes it.
   */
  values(): MapIterator<Login> {
    while (this.#packed.size > 0) this.#unpack(this.#packed.size - 1);
    return this.#open.values();
  }

  /** All of them, to be read and let go of: of those that are packed, and of their users, these are copies. */
  *readAll(): Generator<Login> {
    yield* this.#open.values();
    for (let slot = 0; slot < this.#packed.size; slot += 1) {
      const login = this.#packed.read(slot);
      login.user = login.pool.users.read(this.#packed.userIdAt(slot))!;
      yield login;
    }
  }

  /** Those that are objects: all that have a lease, are pending, linger or end by themselves are among them. */
  open(): Iterable<Login> {
    return this.#open.values();
  }

  /** The logins that count in a pool, or would if they cost anything. In no order. */
  in(pool: Pool): Login[] {
    const packed = this.#packed;
    let left = new Map(packed.countsByPool()).get(pool) ?? 0;
    for (let slot = packed.size - 1; slot >= 0 && left > 0; slot -= 1) {
      if (packed.poolAt(slot) !== pool) continue;
      this.#unpack(slot);
      left -= 1;
    }
    return [...this.#open.values()].filter((login) => login.pool === pool);
  }

  /** The logins of a user. In no order. */
  of(user: User): Login[] {
    const packed = this.#packed;
    // From the last on, since the last row takes the place of the one that is taken.
    for (let slot = packed.size - 1; slot >= 0 && user.packed > 0; slot -= 1)
      if (packed.userIdAt(slot) === user.id && packed.poolAt(slot) === user.pool) this.#unpack(slot);
    return [...this.#open.values()].filter((login) => login.user === user);
  }

  /** The user ID of every login that is somebody's, once for each of his logins. */
  *userIds(): Generator<string> {
    for (const { user } of this.#open.values()) if (user) yield user.id;
    for (let slot = 0; slot < this.#packed.size; slot += 1) yield this.#packed.userIdAt(slot);
  }

  /** The pools that they count in, or would if they cost anything. */
  pools(): Pool[] {
    const pools = new Set<Pool>();
    for (const { pool } of this.#open.values()) pools.add(pool);
    for (const [pool] of this.#packed.countsByPool()) pools.add(pool);
    return [...pools];
  }

  /** How many of them are packed, by the pool that they count in; all of those are active. */
  packedByPool(): Iterable<[Pool, number]> {
    return this.#packed.countsByPool();
  }

  /** Packs a login of `open` that nobody holds on to, if it is a plain one. */
  pack(login: Login): void {
    if (!login.isPlain || this.#place.holdings?.byLogin.has(login)) return;
    if (!this.#packed.add(login)) return;
    this.#open.delete(login.id);
    login.user!.packed += 1;
  }

  #unpack(slot: number): Login {
    const userId = this.#packed.userIdAt(slot);
    const login = this.#packed.take(slot);
    const user = login.pool.users.get(userId)!;
    user.packed -= 1;
    login.user = user;
    this.#open.set(login.id, login);
    return login;
  }
}
