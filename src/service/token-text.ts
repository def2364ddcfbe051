/**
 * The text of an access token: `lictor_<id>_<secret>`. The prefix lets secret scanners find a token that was
 * published by mistake; the ID, which is no secret, finds its row; the secret proves it.
 */

import { createHash, randomBytes, randomInt } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const ID_LENGTH = 10;
const SECRET_BYTES = 32;
const FORM = /^lictor_([A-Za-z0-9]{10})_([A-Za-z0-9_-]{43})$/;

/** A token's text with its parts. */
export interface TokenText {
  readonly text: string;
  readonly id: string;
  readonly secretHash: Buffer;
}

/**
 * Makes a new token from the operating system's randomness: 256 bits of secret.
 * @returns the text, which the caller shows once, and what is stored of it.
 */
export function makeTokenText(): TokenText {
  let id = '';
  while (id.length < ID_LENGTH) id += ALPHABET.charAt(randomInt(ALPHABET.length));
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { text: `lictor_${id}_${secret}`, id, secretHash: hashSecret(secret) };
}

/**
 * Takes a presented token apart.
 * @param text - what the caller sent.
 * @returns null when it does not have the form of a token.
 */
export function parseTokenText(text: string): TokenText | null {
  const parts = FORM.exec(text);
  if (parts === null) return null;
  return { text, id: parts[1]!, secretHash: hashSecret(parts[2]!) };
}

/**
 * Hashes a secret. A fast hash is right here: the secret has 256 bits of randomness, so nothing is gained by
 * making each guess slow.
 * @param secret - any text.
 * @returns its SHA-256, 32 bytes.
 */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
