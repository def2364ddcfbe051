/**
 * From the bytes of a key file to its text (domain notes 3.1): encodings, line ends, and the kinds of damage
 * that key files meet in the field, each told apart from the others. Pure; no bytes make it throw.
 */
import { isUtf8 } from 'node:buffer';
import { fault, KEY_FILE_LIMITS, type KeyFault, type KeyFile } from './keyfaults.ts';

/** What a file is called in messages, without an article, and how large it may be. */
export interface TextForm {
  readonly fileWords: string;
  readonly fileBytesMax: number;
}

const KEY_FILE_FORM: TextForm = { fileWords: 'key file', fileBytesMax: KEY_FILE_LIMITS.fileBytesMax };

/**
 * Decodes a key file, or another file in the same form. The encoding is decided for the file as a whole, never
 * line by line: a byte order mark or valid UTF-8 means UTF-8, anything else is Latin-1 (in the form that Windows
 * writes).
 *
 * @param bytes - the content of the file.
 * @param form - what kind of file it is; a key file unless told.
 * @returns the text without a byte order mark, or the one fault that makes the file unreadable.
 */
export function decodeText(
  bytes: Uint8Array,
  form: TextForm = KEY_FILE_FORM,
): { encoding: KeyFile['encoding']; text: string } | KeyFault {
  const damage = findDamage(bytes, form);
  if (damage !== null) return damage;
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const body = marked ? bytes.subarray(3) : bytes;
  if (isUtf8(body)) {
    return { encoding: 'utf-8', text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(body) };
  }
  if (marked) {
    return fault(
      1,
      'file-not-utf-8',
      'The file begins with the UTF-8 mark but is not valid UTF-8.',
      'Save it again as UTF-8, or copy the original file without conversion.',
    );
  }
  return { encoding: 'latin-1', text: decodeLatin1(body) };
}

function findDamage(bytes: Uint8Array, { fileWords, fileBytesMax }: TextForm): KeyFault | null {
  if (bytes.length === 0) {
    return fault(1, 'file-empty', 'The file is empty (0 bytes).', `Copy the ${fileWords} again, in full.`);
  }
  if (bytes.length > fileBytesMax) {
    return fault(
      1,
      'file-too-large',
      `The file has ${bytes.length} bytes; at most ${fileBytesMax} are allowed.`,
      `Check that this is the ${fileWords} and not something else.`,
    );
  }
  const first = bytes.indexOf(0);
  if (first >= 0 && bytes.every((byte) => byte === 0)) {
    return fault(
      1,
      'file-zeroed',
      `The file holds ${bytes.length} zero bytes and no text, as after an interrupted copy or a full disk.`,
      `Copy the ${fileWords} again from where it was delivered.`,
    );
  }
  if (looksLikeUtf16(bytes)) {
    return fault(
      1,
      'file-utf-16',
      'The file is encoded in UTF-16 (or UTF-32).',
      'Save it as UTF-8 ("Unicode" in older Windows editors means UTF-16), or copy the original file.',
    );
  }
  if (first < 0) return null;
  return fault(
    splitLines(Buffer.from(bytes.subarray(0, first)).toString('latin1')).length,
    'nul-byte',
    `There is a NUL byte at offset ${first}, which plain text does not have.`,
    'The file is damaged: copy it again from where it was delivered.',
  );
}

function looksLikeUtf16(bytes: Uint8Array): boolean {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return true;
  // Without a mark: western text in UTF-16 has a zero in every second byte, all of the same parity.
  const zeros = [0, 0];
  bytes.forEach((byte, index) => {
    if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  });
  const [even = 0, odd = 0] = zeros;
  return Math.min(even, odd) === 0 && Math.max(even, odd) * 2.5 >= bytes.length;
}

/** What Windows writes at 0x80 to 0x9F, where Latin-1 has only control characters; `.` is not assigned. */
const WINDOWS_1252 = '€.‚ƒ„…†‡ˆ‰Š‹Œ.Ž..‘’“”•–—˜™š›œ.žŸ';

function decodeLatin1(bytes: Uint8Array): string {
  // Key files travel through Windows editors, so the usual quotes and dashes there are read as such.
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/[\x80-\x9f]/g, (character) => {
      const mapped = WINDOWS_1252[character.charCodeAt(0) - 0x80];
      return mapped === undefined || mapped === '.' ? character : mapped;
    });
}

/**
 * Cuts a text into lines at CRLF, LF or CR.
 *
 * @param text - any text.
 * @returns each line with its own terminator (empty for the last one).
 */
export function splitLines(text: string): { readonly content: string; readonly terminator: string }[] {
  const pieces = text.split(/(\r\n|\n|\r)/);
  const lines: { content: string; terminator: string }[] = [];
  for (let index = 0; index < pieces.length; index += 2) {
    lines.push({ content: pieces[index] ?? '', terminator: pieces[index + 1] ?? '' });
  }
  return lines;
}

/**
 * Puts a line into a text, in place of one or behind one; every other line stays as it is.
 *
 * @param text - any text.
 * @param content - the new line, without a terminator.
 * @param at - `replace` or `after`: a line, counted from 1.
 * @returns the new text; a new line ends as the first line of the text does.
 */
export function withLine(
  text: string,
  content: string,
  at: { readonly replace: number } | { readonly after: number },
): string {
  const lines = splitLines(text);
  const ending = lines[0]?.terminator || '\n';
  const position = 'replace' in at ? at.replace : at.after;
  const place = lines[position - 1] ?? { content: '', terminator: '' };
  if ('replace' in at) {
    lines[position - 1] = { content, terminator: place.terminator };
  } else {
    lines[position - 1] = { content: place.content, terminator: place.terminator || ending };
    lines.splice(position, 0, { content, terminator: ending });
  }
  return lines.map((line) => line.content + line.terminator).join('');
}
