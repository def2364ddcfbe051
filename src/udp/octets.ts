/**
 * Reading and writing the fields of a datagram: whole numbers in big-endian order, and texts with their length
 * before them. A reader never throws: what does not fit makes it `broken`, and whoever read asks once at the end.
 */

/** The longest text that a field with a length of one octet holds, in octets of UTF-8. */
const SHORT_OCTETS_MAX = 255;
const NOTHING = Buffer.alloc(0);
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads fields one after the other. */
export class OctetReader {
  readonly #octets: Buffer;
  readonly #end: number;
  #at: number;
  /** Whether a field lay beyond the end, or a text was not valid UTF-8; what was read since means nothing. */
  broken = false;

  /**
   * @param octets - what is read from.
   * @param start - where the first field begins.
   * @param end - where the last field ends.
   */
  constructor(octets: Buffer, start = 0, end: number = octets.length) {
    this.#octets = octets;
    this.#at = start;
    this.#end = end;
  }

  /** Whether everything was read, nothing is left over, and nothing was broken. */
  get isDone(): boolean {
    return !this.broken && this.#at === this.#end;
  }

  #take(length: number): number {
    const at = this.#at;
    if (this.broken || at + length > this.#end) {
      this.broken = true;
      return -1;
    }
    this.#at = at + length;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#octets[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#octets.readUInt16BE(at);
  }

  u32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#octets.readUInt32BE(at);
  }

  /** A number of 64 bits; one beyond 2^53 breaks the reader. */
  u64(): number {
    const at = this.#take(8);
    if (at < 0) return 0;
    const value = Number(this.#octets.readBigUInt64BE(at));
    if (Number.isSafeInteger(value)) return value;
    this.broken = true;
    return 0;
  }

  /** @returns so many octets as they lie in the datagram, not copied. */
  raw(length: number): Buffer {
    const at = this.#take(length);
    return at < 0 ? NOTHING : this.#octets.subarray(at, at + length);
  }

  /** @returns the UTF-8 text of so many octets. */
  text(length: number): string {
    const octets = this.raw(length);
    try {
      return UTF8.decode(octets);
    } catch {
      this.broken = true;
      return '';
    }
  }

  /** A text after its length in one octet. */
  text8(): string {
    return this.text(this.u8());
  }

  /** A text after its length in two octets. */
  text16(): string {
    return this.text(this.u16());
  }
}

/** Writes fields one after the other into a buffer of fixed size; what does not fit is refused, never cut. */
export class OctetWriter {
  readonly #octets: Buffer;
  #at = 0;

  /** @param size - the most octets that can be written. */
  constructor(size: number) {
    this.#octets = Buffer.allocUnsafe(size);
  }

  /** How many octets are left. */
  get left(): number {
    return this.#octets.length - this.#at;
  }

  /** @returns what was written, not copied. */
  get written(): Buffer {
    return this.#octets.subarray(0, this.#at);
  }

  #grow(length: number): number {
    const at = this.#at;
    if (length > this.left) throw new RangeError(`${length} octets do not fit into the ${this.left} left.`);
    this.#at = at + length;
    return at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#octets.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#octets.writeUInt16BE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#octets.writeUInt32BE(value, at);
    return this;
  }

  u64(value: number): this {
    const at = this.#grow(8);
    this.#octets.writeBigUInt64BE(BigInt(value), at);
    return this;
  }

  raw(octets: Uint8Array): this {
    const at = this.#grow(octets.length);
    this.#octets.set(octets, at);
    return this;
  }

  /** A text after its length in one octet; a longer one than fits there is cut between characters. */
  text8(text: string): this {
    const octets = cutText(text, SHORT_OCTETS_MAX);
    return this.u8(octets.length).raw(octets);
  }

  /**
   * A text after its length in two octets, cut between characters.
   * @param octetsMax - the most octets of UTF-8 it may take.
   */
  text16(text: string, octetsMax: number): this {
    const octets = cutText(text, octetsMax);
    return this.u16(octets.length).raw(octets);
  }
}

/**
 * Cuts a text so that it fits, never within a character.
 * @param octetsMax - the most octets of UTF-8.
 * @returns the text in UTF-8.
 */
function cutText(text: string, octetsMax: number): Buffer {
  const octets = Buffer.from(text, 'utf8');
  if (octets.length <= octetsMax) return octets;
  let end = octetsMax;
  // Octets that go on with a character begin with the bits 10.
  while (end > 0 && (octets[end]! & 0xc0) === 0x80) end -= 1;
  return octets.subarray(0, end);
}
