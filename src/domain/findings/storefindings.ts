/** What is wrong with the store of heartbeats and with the clocks, judged by what they say. */

import type { DatabaseFacts, StoreFacts } from './diagnosisfacts.ts';
import { bytesWords, count, type Finding, type FindingLevel, found, ok, timeWords } from './findings.ts';

/** 6.2 has ZADD with GT and ZMSCORE. */
const VERSION_MIN = [6, 2] as const;
const ROUND_TRIP_WARNING_MS = 10;
const MEMORY_WARNING = 0.8;
const MEMORY_FAULT = 0.95;
/** What clocks may differ by, besides what the way of the answer leaves open, in milliseconds. */
const SKEW_NOTE_MS = 500;
const SKEW_WARNING_MS = 2_000;
const SKEW_FAULT_MS = 60_000;

/** The store, as far as a replica knows of it. */
export type StoreState =
  | { readonly kind: 'memory' }
  | { readonly kind: 'redis'; readonly facts: StoreFacts | null };

/** Judges the store of heartbeats. */
export function judgeStore(state: StoreState): Finding[] {
  const check = 'redis.reachable';
  if (state.kind === 'memory') {
    return [
      ok(check, 'Heartbeats are kept in the memory of the one replica there is; Redis is not configured.'),
    ];
  }
  const { facts } = state;
  if (facts === null) {
    return [
      found(
        check,
        'fault',
        'Redis does not answer: logins go on, heartbeats are written to Postgres, and nobody who is silent is reaped.',
        'Bring Redis back, or mend REDIS_URL, its password or its certificate. A grace period for all begins by itself then.',
      ),
    ];
  }
  return [
    facts.roundTripMs > ROUND_TRIP_WARNING_MS
      ? found(
          check,
          'warning',
          `Redis ${facts.version ?? ''} answers, and takes ${timeWords(facts.roundTripMs)} for it.`,
          'Bring it closer to the replicas, or look at what it is busy with; beyond LICTOR_REDIS_TIMEOUT_MS it counts as away.',
        )
      : ok(check, `Redis ${facts.version ?? ''} answers within ${facts.roundTripMs.toFixed(1)} ms.`),
    ...judgeVersion(facts),
    judgePolicy(facts),
    ...judgeMemory(facts),
    ...judgeSafety(facts),
  ];
}

function judgeVersion({ version, mode }: StoreFacts): Finding[] {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  const isOld = major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
  const findings: Finding[] = [];
  if (version !== null && isOld) {
    findings.push(
      found('redis.version', 'fault', `Redis ${version} is too old.`, 'Use version 6.2 or later.'),
    );
  }
  if (mode === 'cluster') {
    findings.push(
      found(
        'redis.version',
        'fault',
        'This Redis is part of a cluster, which Lictor does not speak to.',
        'Use a single Redis, or one with Sentinels (LICTOR_REDIS_SENTINELS).',
      ),
    );
  }
  return findings;
}

/** Deadlines have no lifetime, so only the policies over all keys can remove them. */
function judgePolicy({ evictionPolicy, memoryMaxBytes, evictedKeys }: StoreFacts): Finding {
  const check = 'redis.eviction';
  const mend =
    "Set maxmemory-policy to noeviction, and give Lictor a Redis of its own or one that isn't a cache.";
  if (evictionPolicy === null) {
    return found(check, 'note', 'Redis does not say what it removes when it is full.', mend);
  }
  if (!evictionPolicy.startsWith('allkeys-')) {
    return ok(check, `maxmemory-policy is ${evictionPolicy}: no deadline is removed to make room.`);
  }
  const policy = `maxmemory-policy is ${evictionPolicy}: when Redis is full it removes the deadlines of everybody at once, and whoever is silent keeps his units for another grace period.`;
  if ((evictedKeys ?? 0) > 0) {
    return found(
      check,
      'fault',
      `${policy} It has removed ${count(evictedKeys!, 'key')} since its start.`,
      mend,
    );
  }
  if (memoryMaxBytes === 0) {
    return found(check, 'note', `${policy} It has no limit now, so that it is never full.`, mend);
  }
  return found(check, 'warning', policy, mend);
}

function judgeMemory({ memoryMaxBytes, memoryUsedBytes }: StoreFacts): Finding[] {
  const check = 'redis.memory';
  if (memoryMaxBytes === null || memoryUsedBytes === null) return [];
  if (memoryMaxBytes === 0) {
    return [
      found(
        check,
        'note',
        `Redis uses ${bytesWords(memoryUsedBytes)} and may use all memory of its host.`,
        'Set maxmemory well above what it uses, so that it cannot take the host with it.',
      ),
    ];
  }
  const share = memoryUsedBytes / memoryMaxBytes;
  const says = `Redis uses ${bytesWords(memoryUsedBytes)} of ${bytesWords(memoryMaxBytes)}.`;
  if (share < MEMORY_WARNING) return [ok(check, says)];
  const level: FindingLevel = share < MEMORY_FAULT ? 'warning' : 'fault';
  return [
    found(
      check,
      level,
      `${says} When it is full, heartbeats go to Postgres.`,
      'Raise maxmemory, or see who else uses it.',
    ),
  ];
}

function judgeSafety({ isDiskFailing, role, replicas, replicasToWriteMin }: StoreFacts): Finding[] {
  const findings: Finding[] = [];
  if (isDiskFailing) {
    findings.push(
      found(
        'redis.disk',
        'warning',
        'Redis could not write to its disk the last time, after which it may refuse every write.',
        'Make room there; nothing of Lictor need be on that disk, so that saving may as well be switched off.',
      ),
    );
  }
  if (role === 'slave') {
    findings.push(
      found(
        'redis.role',
        'fault',
        'This Redis is a replica that takes no writes.',
        'Point REDIS_URL at the master, or name the Sentinels.',
      ),
    );
  }
  if ((replicas ?? 0) > 0 && replicasToWriteMin === 0) {
    findings.push(
      found(
        'redis.replicas',
        'note',
        'A master that is cut off from its replicas still takes heartbeats, which are lost with it.',
        'Set min-replicas-to-write to 1.',
      ),
    );
  }
  return findings;
}

/**
 * Judges one clock against another.
 *
 * @param check - what is checked, such as `clocks.replica`.
 * @param names - of the clock that is judged, and of the one that it is held against.
 * @param aheadMs - how far the first is ahead, in milliseconds.
 * @param unsureMs - how far off that figure may be: half the round trip of the answer.
 * @param matters - what depends on it, as a sentence.
 */
export function judgeClock(
  check: string,
  [name, other]: readonly [string, string],
  aheadMs: number,
  unsureMs: number,
  matters: string,
): Finding {
  // Only what cannot be the way of the answer is held against the clock.
  const sureMs = Math.max(0, Math.abs(aheadMs) - unsureMs);
  if (sureMs < SKEW_NOTE_MS) {
    const within = Math.max(1, Math.abs(aheadMs) + unsureMs);
    return ok(check, `The clock of ${name} agrees with that of ${other} to within ${timeWords(within)}.`);
  }
  const level = sureMs >= SKEW_FAULT_MS ? 'fault' : sureMs >= SKEW_WARNING_MS ? 'warning' : 'note';
  const way = aheadMs > 0 ? 'ahead of' : 'behind';
  return found(
    check,
    level,
    `The clock of ${name} is ${timeWords(Math.abs(aheadMs))} ${way} that of ${other}. ${matters}`,
    'Let NTP (chrony, systemd-timesyncd) keep both.',
  );
}

/** Judges the clocks of the replica and of the store against the database's, which is the one that counts. */
export function judgeClocks(database: DatabaseFacts, store: StoreState): Finding[] {
  const findings = [
    judgeClock(
      'clocks.replica',
      ['this replica', 'the database'],
      -database.aheadMs,
      database.roundTripMs / 2,
      "Leases follow the database's; the ends of tokens, certificates and the times in logs follow the replica's.",
    ),
  ];
  if (store.kind === 'redis' && store.facts !== null) {
    findings.push(
      judgeClock(
        'clocks.redis',
        ['Redis', 'the database'],
        store.facts.aheadMs - database.aheadMs,
        (store.facts.roundTripMs + database.roundTripMs) / 2,
        'No deadline is measured by it; only the times in its log are wrong.',
      ),
    );
  }
  return findings;
}
