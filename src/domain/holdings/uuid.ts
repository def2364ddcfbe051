/**
 * UUIDs as four numbers of 32 bits, and back to their text in lower case.
 */

export const UUID_WORDS = 4;
const LENGTH = 36;
const DASH = 0x2d;
/** Hexadecimal digits of a text up to each dash. */
const DASHES: ReadonlySet<number> = new Set([8, 13, 18, 23]);
/** The value of each character that is a digit; -1 for the others. */
const DIGITS = new Int8Array(256).fill(-1);
const CHARACTERS = Buffer.from('0123456789abcdef', 'latin1');
for (const [value, character] of CHARACTERS.entries()) DIGITS[character] = value;

/** The text that is being written; made whole, since one of pieces would be kept as its pieces. */
const text = Buffer.alloc(LENGTH, DASH);
/** Where in the text each digit stands. */
const PLACES = Array.from({ length: LENGTH }, (_, place) => place).filter((place) => !DASHES.has(place));

/**
 * Reads a UUID.
 * @param id - as text.
 * @param words - where it is put, from the first on.
 * @returns false when it is no UUID in lower case.
 */
export function readUuid(id: string, words: Uint32Array): boolean {
  if (id.length !== LENGTH) return false;
  for (const dash of DASHES) if (id.charCodeAt(dash) !== DASH) return false;
  for (let word = 0; word < UUID_WORDS; word += 1) {
    let value = 0;
    for (let digit = word * 8; digit < word * 8 + 8; digit += 1) {
      const code = id.charCodeAt(PLACES[digit]!);
      const nibble = code < 256 ? DIGITS[code]! : -1;
      if (nibble < 0) return false;
      value = (value << 4) | nibble;
    }
    words[word] = value;
  }
  return true;
}

/**
 * Writes a UUID.
 * @param words - what it is read from.
 * @param at - the first of its four words.
 * @returns its text.
 */
export function writeUuid(words: Uint32Array, at: number): string {
  for (let word = 0; word < UUID_WORDS; word += 1) {
    const value = words[at + word]!;
    for (let digit = 0; digit < 8; digit += 1)
      text[PLACES[word * 8 + digit]!] = CHARACTERS[(value >>> (28 - digit * 4)) & 15]!;
  }
  return text.toString('latin1');
}
