/**
 * The term of a lease as the instance counts it: from before it asked, by whichever of two clocks went further,
 * and ended early by a margin. A machine that was suspended finds its monotonic clock where it was and its wall
 * clock moved on. A wall clock that is set back takes the end of the term back with it, so that a suspension
 * afterwards is seen all the same.
 */

import { type Margin, marginOf } from './leasestatements.ts';

/** The wall clock counts as set back when it loses this much on the other, in milliseconds; less is unevenness. */
const SET_BACK_MS = 50;

export class LeaseTerm {
  readonly #margin: Margin;
  /** When the open statement was first sent, by both clocks. */
  #sentWallMs = 0;
  #sentMonotonicMs = 0;
  /** When the term ends, by both clocks: there is none yet. */
  #endsWallMs = Number.NEGATIVE_INFINITY;
  #endsMonotonicMs = Number.NEGATIVE_INFINITY;
  /** By how much the wall clock is ahead of the other. */
  #aheadMs = Number.NEGATIVE_INFINITY;

  /** @param margin - by how much the term ends early. */
  constructor(margin: Margin) {
    this.#margin = margin;
  }

  /** Notes when a statement is first sent; a term that answers it is counted from here. */
  sent(wallMs: number, monotonicMs: number): void {
    this.#follow(wallMs, monotonicMs);
    this.#sentWallMs = wallMs;
    this.#sentMonotonicMs = monotonicMs;
  }

  /**
   * Notes the term that answers the statement sent last.
   * @param termMs - as the server stated it, in milliseconds.
   */
  granted(termMs: number): void {
    const lengthMs = termMs - marginOf(this.#margin, termMs);
    this.#endsWallMs = this.#sentWallMs + lengthMs;
    this.#endsMonotonicMs = this.#sentMonotonicMs + lengthMs;
  }

  /** Ends it at once. */
  end(): void {
    this.#endsWallMs = Number.NEGATIVE_INFINITY;
    this.#endsMonotonicMs = Number.NEGATIVE_INFINITY;
  }

  /** Whether it has ended by either clock. */
  isOver(wallMs: number, monotonicMs: number): boolean {
    this.#follow(wallMs, monotonicMs);
    return wallMs >= this.#endsWallMs || monotonicMs >= this.#endsMonotonicMs;
  }

  /** What is left of it by both clocks, in milliseconds; 0 when it has ended. */
  leftMs(wallMs: number, monotonicMs: number): number {
    this.#follow(wallMs, monotonicMs);
    return Math.max(0, Math.min(this.#endsWallMs - wallMs, this.#endsMonotonicMs - monotonicMs));
  }

  #follow(wallMs: number, monotonicMs: number): void {
    const aheadMs = wallMs - monotonicMs;
    if (aheadMs < this.#aheadMs - SET_BACK_MS) {
      this.#endsWallMs += aheadMs - this.#aheadMs;
      this.#sentWallMs += aheadMs - this.#aheadMs;
    } else if (aheadMs <= this.#aheadMs) return;
    this.#aheadMs = aheadMs;
  }
}
