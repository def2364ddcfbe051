/**
 * Finds rows by a hash: the packed logins and users are rows of columns, and this says in which row one is. Open
 * addressing in one array of numbers, because a `Map` of a million keys takes more room than the rows it finds.
 */

const CELLS_MIN = 16;

export class SlotIndex {
  /** The rows' numbers plus one; 0 is free. */
  #cells = new Int32Array(CELLS_MIN);
  #size = 0;
  readonly #hashOf: (slot: number) => number;

  /** @param hashOf - the hash of a row that is in; 32 bits, and well mixed, since its low bits place it. */
  constructor(hashOf: (slot: number) => number) {
    this.#hashOf = hashOf;
  }

  /** The cell where the search for a hash begins. It goes on by `after`, until `slotAt` finds nothing. */
  first(hash: number): number {
    return hash & (this.#cells.length - 1);
  }

  after(cell: number): number {
    return (cell + 1) & (this.#cells.length - 1);
  }

  /** @returns the row that a cell names; -1 ends a search. */
  slotAt(cell: number): number {
    return this.#cells[cell]! - 1;
  }

  add(hash: number, slot: number): void {
    if ((this.#size + 1) * 3 > this.#cells.length * 2) this.#resize(this.#cells.length * 2);
    this.#size += 1;
    this.#put(hash, slot);
  }

  /** Takes a row out, while it can still be told its hash, and so can all others. */
  remove(hash: number, slot: number): void {
    let hole = this.#cellOf(hash, slot);
    // Whatever was pushed on by what is gone moves up, so that no search ends at the hole.
    for (let cell = this.after(hole); this.slotAt(cell) >= 0; cell = this.after(cell)) {
      const home = this.first(this.#hashOf(this.slotAt(cell)));
      const mask = this.#cells.length - 1;
      if (((cell - home) & mask) < ((cell - hole) & mask)) continue;
      this.#cells[hole] = this.#cells[cell]!;
      hole = cell;
    }
    this.#cells[hole] = 0;
    this.#size -= 1;
    if (this.#cells.length > CELLS_MIN && this.#size * 8 < this.#cells.length)
      this.#resize(this.#cells.length / 2);
  }

  /** Notes that a row stands in another place. */
  move(hash: number, from: number, to: number): void {
    this.#cells[this.#cellOf(hash, from)] = to + 1;
  }

  #cellOf(hash: number, slot: number): number {
    let cell = this.first(hash);
    while (this.slotAt(cell) !== slot) cell = this.after(cell);
    return cell;
  }

  #put(hash: number, slot: number): void {
    let cell = this.first(hash);
    while (this.#cells[cell] !== 0) cell = this.after(cell);
    this.#cells[cell] = slot + 1;
  }

  #resize(cells: number): void {
    const before = this.#cells;
    this.#cells = new Int32Array(cells);
    for (const entry of before) if (entry !== 0) this.#put(this.#hashOf(entry - 1), entry - 1);
  }
}

/**
 * Mixes a number into a hash (the finishing steps of MurmurHash3).
 * @returns 32 bits, as a signed number.
 */
export function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ value, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
