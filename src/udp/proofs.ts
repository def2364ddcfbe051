/**
 * Proofs of address: what a CHALLENGE hands out and a request hands back, so that the sidecar answers only to
 * addresses where somebody receives. It keeps none of them: a proof says when and for what it was made, under
 * a key that only the sidecar has, so that a restarted sidecar takes those of its former life.
 */

import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { PROOF_OCTETS } from './packets.ts';

/** How long a proof holds; then there is another CHALLENGE. */
const PROOF_SECONDS = 3_600;
/**
 * How long a proof is good for a START. A START that somebody recorded and sends again later must not end the
 * life that began since.
 */
export const START_PROOF_SECONDS = 30;

const CODE_AT = 8;

/** Where a datagram came from. */
export interface Sender {
  readonly address: string;
  readonly port: number;
}

/** What a proof says. */
export interface Proof {
  /** Seconds since it was made. */
  readonly ageSeconds: number;
  /** The incarnation of the instance that Lictor knew then; 0 when it was not registered or not asked for. */
  readonly incarnation: number;
}

/**
 * Makes a proof.
 * @param key - the sidecar's own; no instance may know it.
 * @param name - the instance.
 * @param sender - the address that it is sent to, and good for.
 * @param nowMs - the time, in milliseconds since 1970.
 * @param incarnation - the incarnation that Lictor knows, for a START; else 0.
 */
export function makeProof(
  key: KeyObject,
  name: string,
  sender: Sender,
  nowMs: number,
  incarnation: number,
): Buffer {
  const proof = Buffer.alloc(PROOF_OCTETS);
  proof.writeUInt32BE(Math.floor(nowMs / 1000) % 2 ** 32, 0);
  proof.writeUInt32BE(incarnation, 4);
  codeOf(key, name, sender, proof).copy(proof, CODE_AT, 0, PROOF_OCTETS - CODE_AT);
  return proof;
}

/**
 * Checks a proof.
 * @returns what it says; null when it was made for somebody else, with another key, or too long ago.
 */
export function checkProof(
  key: KeyObject,
  name: string,
  sender: Sender,
  nowMs: number,
  proof: Buffer,
): Proof | null {
  // Zeros are what everybody begins with: no hash is needed to see that they prove nothing.
  if (proof.readUInt32BE(0) === 0) return null;
  const code = codeOf(key, name, sender, proof).subarray(0, PROOF_OCTETS - CODE_AT);
  return timingSafeEqual(code, proof.subarray(CODE_AT)) ? readProof(proof, nowMs) : null;
}

/**
 * Reads a proof that was found to be the sidecar's own.
 * @returns what it says; null when it was made too long ago.
 */
export function readProof(proof: Buffer, nowMs: number): Proof | null {
  const ageSeconds = Math.floor(nowMs / 1000) - proof.readUInt32BE(0);
  // One that was made in the future was made before this machine's clock was set back.
  if (ageSeconds < 0 || ageSeconds > PROOF_SECONDS) return null;
  return { ageSeconds, incarnation: proof.readUInt32BE(4) };
}

function codeOf(key: KeyObject, name: string, { address, port }: Sender, proof: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(proof.subarray(0, CODE_AT))
    .update(`${name}\n${address}\n${port}`)
    .digest();
}
