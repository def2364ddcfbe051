/** The clock of an application, in a time that tests move. */

import { DatabaseClock } from '../../src/service/clock.ts';

/** A clock that stands until it is moved, whatever the database says. */
export class StandingClock extends DatabaseClock {
  #nowMs: number;

  /** @param nowMs - ms since 1970; noon of the first day of 2030 when left out. */
  constructor(nowMs = Date.UTC(2030, 0, 1, 12)) {
    super();
    this.#nowMs = nowMs;
  }

  override nowMs(): number {
    return this.#nowMs;
  }

  /** Lets time pass. */
  advance(milliseconds: number): void {
    this.#nowMs += milliseconds;
  }
}
