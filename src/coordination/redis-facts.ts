/** What a Redis says of itself: for whoever looks for what is wrong with a deployment. Nothing is decided by it. */

import type { Redis } from 'ioredis';
import type { StoreFacts } from '../domain/findings/diagnosisfacts.ts';

/** The fields of `INFO` that are numbers; null where this Redis has none of that name. */
function numberOf(fields: ReadonlyMap<string, string>, name: string): number | null {
  const text = fields.get(name);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/**
 * Reads the state of a Redis. Its settings are left out where the user may not read them, as at many providers.
 *
 * @param connection - an open connection.
 * @returns the facts; members are null where it does not say.
 */
export async function readStoreFacts(connection: Redis): Promise<StoreFacts> {
  const sentAtMs = Date.now();
  const startedAt = performance.now();
  const [seconds, microseconds] = await connection.time();
  const roundTripMs = performance.now() - startedAt;
  const nowMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  const fields = parseInfo(await connection.info());
  const settings = await readSetting(connection, 'min-replicas-to-write');
  return {
    version: fields.get('redis_version') ?? null,
    mode: fields.get('redis_mode') ?? null,
    role: fields.get('role') ?? null,
    uptimeSeconds: numberOf(fields, 'uptime_in_seconds'),
    runId: fields.get('run_id') ?? null,
    memoryMaxBytes: numberOf(fields, 'maxmemory'),
    memoryUsedBytes: numberOf(fields, 'used_memory'),
    evictionPolicy: fields.get('maxmemory_policy') ?? null,
    evictedKeys: numberOf(fields, 'evicted_keys'),
    isDiskFailing:
      fields.get('rdb_last_bgsave_status') === 'err' || fields.get('aof_last_write_status') === 'err',
    replicas: numberOf(fields, 'connected_slaves'),
    replicasToWriteMin: settings,
    aheadMs: nowMs - (sentAtMs + roundTripMs / 2),
    roundTripMs,
  };
}

/** `INFO` is lines of `name:value`, with headings that begin with `#`. */
function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

async function readSetting(connection: Redis, name: string): Promise<number | null> {
  try {
    const [, value] = (await connection.config('GET', name)) as string[];
    return value === undefined ? null : Number(value);
  } catch {
    // Providers keep CONFIG to themselves, and a user may not have the right to it.
    return null;
  }
}
