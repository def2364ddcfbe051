/**
 * A map that forgets what was used longest ago when it is full.
 */

/** A bounded map with least-recently-used eviction. */
export interface BoundedCache<V> {
  /** The value under a key, which thereby counts as used; undefined when it is not there. */
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
  readonly size: number;
}

/**
 * Makes an empty cache.
 * @param entriesMax - how many entries it holds at most; at least 1.
 */
export function createBoundedCache<V>(entriesMax: number): BoundedCache<V> {
  // A Map keeps the order of insertion, so the first key is the one used longest ago.
  const entries = new Map<string, V>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size > entriesMax) entries.delete(entries.keys().next().value!);
    },
    delete: (key) => void entries.delete(key),
    get size() {
      return entries.size;
    },
  };
}
