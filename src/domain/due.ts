/**
 * Logins that end by themselves, soonest first: sessionless requests after ten seconds and web sessions in
 * grace. A binary heap whose entries may be out of date; whoever takes one checks it.
 */

import type { Login } from './holdings/login.ts';

/** Something that ends by itself. */
interface Ending {
  /** When, in milliseconds of whatever clock its table is kept by; 0 when it does not. */
  readonly endsAtMs: number;
}

/** The queue of a table whose logins are of any kind. */
export class EndingQueue<Item extends Ending> {
  readonly #isIn: (login: Item) => boolean;
  readonly #times: number[] = [];
  readonly #logins: Item[] = [];

  /** @param isIn - whether a login of the queue is still in. */
  constructor(isIn: (login: Item) => boolean) {
    this.#isIn = isIn;
  }

  get size(): number {
    return this.#times.length;
  }

  /** The instant of the first entry in milliseconds; infinity when there is none. */
  get nextMs(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  /** The login that is due first, without taking it; entries before it that no longer hold are gone afterwards. */
  get next(): Item | undefined {
    for (;;) {
      const login = this.#logins[0];
      if (login === undefined || this.#holds(login, this.#times[0])) return login;
      this.#pop();
    }
  }

  push(login: Item): void {
    const times = this.#times;
    const logins = this.#logins;
    const time = login.endsAtMs;
    let index = times.length;
    times.push(time);
    logins.push(login);
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (times[above]! <= time) break;
      times[index] = times[above]!;
      logins[index] = logins[above]!;
      index = above;
    }
    times[index] = time;
    logins[index] = login;
  }

  /**
   * Takes the first login that is due, passing over entries that no longer hold.
   * @param nowMs - milliseconds of the same clock.
   */
  take(nowMs: number): Item | undefined {
    while (this.nextMs <= nowMs) {
      const time = this.nextMs;
      const login = this.#pop();
      if (this.#holds(login, time)) return login;
    }
    return undefined;
  }

  /** @returns the entries that still hold, in no order. */
  held(): Item[] {
    return this.#logins.filter((login, index) => this.#holds(login, this.#times[index]));
  }

  clear(): void {
    this.#times.length = 0;
    this.#logins.length = 0;
  }

  #holds(login: Item, time: number | undefined): boolean {
    return login.endsAtMs === time && this.#isIn(login);
  }

  #pop(): Item {
    const times = this.#times;
    const logins = this.#logins;
    const first = logins[0]!;
    const time = times.pop()!;
    const login = logins.pop()!;
    const size = times.length;
    if (size === 0) return first;
    let index = 0;
    for (;;) {
      let below = index * 2 + 1;
      if (below >= size) break;
      if (below + 1 < size && times[below + 1]! < times[below]!) below += 1;
      if (times[below]! >= time) break;
      times[index] = times[below]!;
      logins[index] = logins[below]!;
      index = below;
    }
    times[index] = time;
    logins[index] = login;
    return first;
  }
}

/** The queue of the server's table, whose instants are milliseconds since 1970. */
export class DueQueue extends EndingQueue<Login> {
  constructor() {
    super((login) => login.place.logins.get(login.id) === login);
  }
}
