/**
 * Logins that end by themselves, soonest first: sessionless requests after ten seconds and web sessions in
 * grace. A binary heap whose entries may be out of date; whoever takes one checks it.
 */

import type { Login } from './holdings.ts';

export class DueQueue {
  readonly #times: number[] = [];
  readonly #logins: Login[] = [];

  get size(): number {
    return this.#times.length;
  }

  /** The instant of the first entry in milliseconds since 1970; infinity when there is none. */
  get nextMs(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  /** The login that is due first, without taking it. */
  get next(): Login | undefined {
    return this.#logins[0];
  }

  push(login: Login): void {
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
   * @param nowMs - milliseconds since 1970.
   */
  take(nowMs: number): Login | undefined {
    while (this.nextMs <= nowMs) {
      const time = this.nextMs;
      const login = this.#pop();
      if (login.endsAtMs === time && login.place.logins.get(login.id) === login) return login;
    }
    return undefined;
  }

  #pop(): Login {
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
