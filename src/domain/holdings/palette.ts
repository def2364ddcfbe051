/**
 * The few values that a column has, each of which a row names by its number.
 */
export class Palette<Value> {
  readonly #max: number;
  readonly #values: Value[] = [];
  readonly #indexes = new Map<Value, number>();

  /** @param max - how many values a row can tell apart. */
  constructor(max: number) {
    this.#max = max;
  }

  /** @returns the number of a value, which is added when it is new; -1 when there is no room for it. */
  indexOf(value: Value): number {
    const known = this.#indexes.get(value);
    if (known !== undefined) return known;
    if (this.#values.length === this.#max) return -1;
    this.#indexes.set(value, this.#values.length);
    return this.#values.push(value) - 1;
  }

  at(index: number): Value {
    return this.#values[index]!;
  }
}
