/**
 * Deadlines by the second in which they fall. An entry may be out of date; whoever takes it looks again.
 */

export class DeadlineWheel<Item> {
  readonly #buckets = new Map<number, Item[]>();
  #fromSecond = 0;

  get size(): number {
    let size = 0;
    for (const bucket of this.#buckets.values()) size += bucket.length;
    return size;
  }

  /** @param deadlineMs - milliseconds since 1970; one in the past is due at the next taking. */
  add(item: Item, deadlineMs: number): void {
    const second = Math.max(Math.ceil(deadlineMs / 1000), this.#fromSecond);
    const bucket = this.#buckets.get(second);
    if (bucket) bucket.push(item);
    else this.#buckets.set(second, [item]);
  }

  /** Takes everything whose second has passed. */
  take(nowMs: number): Item[] {
    const through = Math.floor(nowMs / 1000);
    const due: Item[] = [];
    for (const second of [...this.#buckets.keys()].sort((a, b) => a - b)) {
      if (second > through) break;
      for (const item of this.#buckets.get(second)!) due.push(item);
      this.#buckets.delete(second);
    }
    this.#fromSecond = through + 1;
    return due;
  }

  clear(): void {
    this.#buckets.clear();
  }
}
