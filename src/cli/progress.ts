/** How far a long answer is, on the terminal of a person whose standard output goes elsewhere. */

import { thousands } from './output.ts';
import type { World } from './world.ts';

/** How often it is shown at most, in milliseconds. */
const INTERVAL_MS = 100;
/** A short answer needs none: how long it is waited before the first time, in milliseconds. */
const QUIET_MS = 500;

/** The progress of one answer. */
export class Progress {
  readonly #world: World;
  readonly #noun: string;
  readonly #total: number | null;
  readonly #beganMs: number;
  #shownMs = 0;
  #count = 0;
  #isShown = false;

  /**
   * @param world - whose standard error is written to, if it is a terminal and the answer goes elsewhere.
   * @param noun - what is counted, such as `lines`.
   * @param total - how many there will be, where that is known.
   */
  constructor(world: World, noun: string, total: number | null = null) {
    this.#world = world;
    this.#noun = noun;
    this.#total = total;
    this.#beganMs = world.parts.nowMs();
  }

  /** Notes that there is more. */
  async add(count: number): Promise<void> {
    this.#count += count;
    const { stderr } = this.#world.parts;
    if (!stderr.isTerminal || this.#world.showsAnswer) return;
    const nowMs = this.#world.parts.nowMs();
    if (nowMs - this.#beganMs < QUIET_MS || nowMs - this.#shownMs < INTERVAL_MS) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    const perSecond = Math.round((this.#count * 1_000) / Math.max(1, nowMs - this.#beganMs));
    // Heads and free slots are lines as well, so that it may come to more than was said.
    const share = Math.min(100, Math.floor((this.#count * 100) / Math.max(1, this.#total ?? 1)));
    const of = this.#total === null ? '' : ` of ${thousands(this.#total)} (${share} %)`;
    const words = `${thousands(this.#count)}${of} ${this.#noun}, ${thousands(perSecond)} a second`;
    await stderr.write(`\r${words}\u001b[K`);
  }

  /** Takes away what was shown. */
  async end(): Promise<void> {
    if (this.#isShown) await this.#world.parts.stderr.write('\r\u001b[K');
  }

  /** How many there were. */
  get count(): number {
    return this.#count;
  }
}
