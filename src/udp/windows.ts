/**
 * The replay windows: which numbers of a life have come. A number counts once, and one that lies further back
 * than the window reaches counts as seen. They are only a first line of defence: they are lost with the process
 * and kept for the last lives of an instance only, and what passes them again is harmless because updates are
 * absolute and numbered.
 */

/** How far the numbers of one life may overtake each other. */
export const WINDOW_NUMBERS = 4_096;
const WORD_BITS = 32;

/** The numbers of one life that have come. */
export class ReplayWindow {
  readonly #words = new Uint32Array(WINDOW_NUMBERS / WORD_BITS);
  #highest = 0;

  /**
   * Takes a number.
   * @returns whether it is new.
   */
  take(number: number): boolean {
    if (number === 0 || number + WINDOW_NUMBERS <= this.#highest) return false;
    if (number > this.#highest) this.#advance(number);
    const index = number % WINDOW_NUMBERS;
    const word = Math.floor(index / WORD_BITS);
    const bit = 1 << (index % WORD_BITS);
    if ((this.#words[word]! & bit) !== 0) return false;
    this.#words[word]! |= bit;
    return true;
  }

  /** Forgets the numbers that fall out of the window. */
  #advance(number: number): void {
    if (number - this.#highest >= WINDOW_NUMBERS) {
      this.#words.fill(0);
    } else {
      for (let passed = this.#highest + 1; passed <= number; passed += 1) {
        const index = passed % WINDOW_NUMBERS;
        this.#words[Math.floor(index / WORD_BITS)]! &= ~(1 << (index % WORD_BITS));
      }
    }
    this.#highest = number;
  }
}

/** The windows of the lives that an instance sent from last. */
export class LifeWindows {
  readonly #livesMax: number;
  readonly #windows = new Map<string, ReplayWindow>();
  #kept = '';

  /** @param livesMax - how many lives are remembered; the one that was first seen longest ago goes first. */
  constructor(livesMax: number) {
    this.#livesMax = livesMax;
  }

  /**
   * Takes the number of a datagram that was authenticated.
   * @param life - the life in hexadecimal digits.
   * @returns whether it is new.
   */
  take(life: string, number: number): boolean {
    let window = this.#windows.get(life);
    if (window === undefined) {
      window = new ReplayWindow();
      this.#windows.set(life, window);
      if (this.#windows.size > this.#livesMax) this.#forget(life);
    }
    return window.take(number);
  }

  /**
   * Says which life Lictor has registered. Its window stays, so that nobody can have it forgotten by sending
   * again what former lives sent.
   */
  keep(life: string): void {
    this.#kept = life;
  }

  #forget(newest: string): void {
    for (const life of this.#windows.keys()) {
      if (life === this.#kept || life === newest) continue;
      this.#windows.delete(life);
      return;
    }
  }
}
