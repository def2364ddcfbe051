/** The multi-step operations of Redis: `.lua` files that are sent once and then called by their digest. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/** The names of the files in `scripts/`. */
const SCRIPT_NAMES = [
  'beat',
  'count-rate',
  'mark',
  'publish-head',
  'read-epoch',
  'release-turn',
  'take-turn',
  'watch',
  'write-epoch',
] as const;

export type ScriptName = (typeof SCRIPT_NAMES)[number];

export interface Scripts {
  /**
   * Runs a script on Redis, sending its text when Redis does not know it (yet, or any more).
   * @param keys - the script's KEYS.
   * @param args - the script's ARGV.
   * @throws what ioredis throws: no connection, or an error that Redis answered.
   */
  run(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

/** Reads the scripts from their files and binds them to a connection. */
export function loadScripts(connection: Redis): Scripts {
  const scripts = new Map(
    SCRIPT_NAMES.map((name) => {
      const text = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
      return [name, { text, digest: createHash('sha1').update(text).digest('hex') }];
    }),
  );
  return {
    async run(name, keys, args) {
      const script = scripts.get(name)!;
      try {
        return await connection.evalsha(script.digest, keys.length, ...keys, ...args);
      } catch (error) {
        if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
        return await connection.eval(script.text, keys.length, ...keys, ...args);
      }
    },
  };
}
