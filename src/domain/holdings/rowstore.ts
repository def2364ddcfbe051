/**
 * Rows of columns that are kept in chunks of one size, without gaps: what is taken out leaves its place to the last
 * row. So a store grows without being copied, and gives back what it does not need.
 */

const CHUNK_BITS = 12;
/** Rows of a chunk. */
export const CHUNK_ROWS = 1 << CHUNK_BITS;

export class RowStore<Chunk> {
  readonly #makeChunk: () => Chunk;
  readonly #chunks: Chunk[] = [];
  #size = 0;

  /** @param makeChunk - makes the columns of `CHUNK_ROWS` rows. */
  constructor(makeChunk: () => Chunk) {
    this.#makeChunk = makeChunk;
  }

  get size(): number {
    return this.#size;
  }

  /** The columns in which a row stands, at `rowOf` it. */
  chunkOf(slot: number): Chunk {
    return this.#chunks[slot >>> CHUNK_BITS]!;
  }

  /** @returns the number of a row more, which is still to be filled. */
  append(): number {
    const slot = this.#size;
    if (slot >>> CHUNK_BITS === this.#chunks.length) this.#chunks.push(this.#makeChunk());
    this.#size += 1;
    return slot;
  }

  /** Lets go of the last row. One empty chunk is kept, for a size that goes up and down. */
  dropLast(): void {
    this.#size -= 1;
    const needed = (this.#size + CHUNK_ROWS - 1) >>> CHUNK_BITS;
    if (this.#chunks.length > needed + 1) this.#chunks.pop();
  }
}

/** @returns where a row stands within its chunk. */
export function rowOf(slot: number): number {
  return slot & (CHUNK_ROWS - 1);
}
