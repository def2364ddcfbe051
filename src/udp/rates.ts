/** Rates: how many datagrams a sender may send, by token buckets in bounded memory. */

/** How much a bucket lets through. */
export interface Rate {
  readonly perSecond: number;
  /** How many may come at once after a pause. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Token buckets by sender; of too many senders, the one first seen longest ago is forgotten. */
export class Rates {
  readonly #rate: Rate;
  readonly #sendersMax: number;
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param rate - of every sender.
   * @param sendersMax - how many senders are remembered; one that is forgotten begins with a full bucket.
   */
  constructor(rate: Rate, sendersMax: number) {
    this.#rate = rate;
    this.#sendersMax = sendersMax;
  }

  /**
   * Counts a datagram of a sender.
   * @param nowMs - a clock that does not go back, in milliseconds.
   * @returns whether it may pass.
   */
  take(sender: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(sender) ?? this.#add(sender, nowMs);
    const { perSecond, burst } = this.#rate;
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #add(sender: string, nowMs: number): Bucket {
    if (this.#buckets.size >= this.#sendersMax) this.#buckets.delete(this.#buckets.keys().next().value!);
    const bucket = { tokens: this.#rate.burst, atMs: nowMs };
    this.#buckets.set(sender, bucket);
    return bucket;
  }
}

/**
 * What counts as one sender among addresses: an IPv4 address, or the network of 64 bits that an IPv6 host has
 * for itself and could otherwise go through.
 */
export function senderOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return groups.slice(0, 4).join(':');
}
