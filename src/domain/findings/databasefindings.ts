/**
 * What is wrong with a database, judged by what it says of itself: its durability, its standbys, what
 * keeps old rows alive, its room, its schema, and its journal. Pure: the facts come with their instant.
 */

import type {
  DatabaseFacts,
  DiskFacts,
  HoldingFacts,
  JournalFacts,
  LeaderFacts,
  SchemaFacts,
  StandbyFacts,
} from './diagnosisfacts.ts';
import { bytesWords, count, type Finding, found, nameSome, ok, timeWords } from './findings.ts';

/** The oldest server whose SQL is enough: MERGE came with it. */
const VERSION_MIN = 150_000;
/** Transactions open for longer keep the head's dead versions, by which every append gets slower. */
export const LONG_TRANSACTION_MS = 60_000;
const VERY_LONG_TRANSACTION_MS = 600_000;
/** Shares of the connections that are in use. */
const CONNECTIONS_WARNING = 0.8;
const CONNECTIONS_FAULT = 0.95;
/** What a replication slot may hold back of the write-ahead log. */
const SLOT_BYTES_WARNING = 8 * 1024 ** 3;
/** Postgres stops taking writes at about 2,100 million. */
const TRANSACTION_AGE_WARNING = 1_000_000_000;
const TRANSACTION_AGE_FAULT = 1_800_000_000;
const ROUND_TRIP_WARNING_MS = 20;
const REPLAY_LAG_WARNING_MS = 10_000;
const DISK_WARNING = { share: 0.1, bytes: 2 * 1024 ** 3 };
const DISK_FAULT = { share: 0.03, bytes: 512 * 1024 ** 2 };
const FOLD_LAG_WARNING_MS = 10_000;
const FOLD_LAG_FAULT_MS = 120_000;
/** The head's instant may be this far ahead of the database's clock: the lane estimates that clock. */
const HEAD_AHEAD_MS = 2_000;
/** Versions of the journal in one partition. */
const PARTITION_VERSIONS = 1_000_000;
const DAY_MS = 86_400_000;

/** Judges the server itself. */
export function judgeDatabase(facts: DatabaseFacts): Finding[] {
  const { version, versionNumber, durability, connections, connectionsMax, transactionAge } = facts;
  const used = connections / Math.max(1, connectionsMax);
  const findings = [
    versionNumber < VERSION_MIN
      ? found(
          'database.version',
          'fault',
          `Postgres ${version} is too old: the fold needs version 15 or later.`,
          'Upgrade Postgres.',
        )
      : ok('database.version', `Postgres ${version}.`),
    durability.safe
      ? ok('database.durability', durability.words)
      : found(
          'database.durability',
          'fault',
          durability.words,
          'Switch fsync, full_page_writes and synchronous_commit on (also for the role: ALTER ROLE … RESET), and restart the replicas. LICTOR_ALLOW_UNSAFE_DURABILITY serves all the same, and what was acknowledged can be lost.',
        ),
    used >= CONNECTIONS_WARNING
      ? found(
          'database.connections',
          used >= CONNECTIONS_FAULT ? 'fault' : 'warning',
          `${connections} of ${connectionsMax} connections are in use.`,
          'Raise max_connections, or end what holds them (pg_stat_activity); a replica takes up to LICTOR_DATABASE_CONNECTIONS_MAX and four more.',
        )
      : ok('database.connections', `${connections} of ${connectionsMax} connections are in use.`),
    transactionAge >= TRANSACTION_AGE_WARNING
      ? found(
          'database.wraparound',
          transactionAge >= TRANSACTION_AGE_FAULT ? 'fault' : 'warning',
          `The oldest row was not frozen for ${transactionAge} transactions; at about 2,100 million Postgres takes no more writes.`,
          'Run VACUUM (FREEZE) on this database, and look for what keeps autovacuum from it: old transactions, prepared transactions, replication slots.',
        )
      : ok('database.wraparound', 'Old rows are frozen in time.'),
    facts.roundTripMs > ROUND_TRIP_WARNING_MS
      ? found(
          'database.latency',
          'warning',
          `An answer of the database takes ${timeWords(facts.roundTripMs)}, and every batch of logins waits for one.`,
          'Bring replicas and database closer together, or look at what the database is busy with.',
        )
      : ok('database.latency', `An answer of the database takes ${facts.roundTripMs.toFixed(1)} ms.`),
  ];
  if (!facts.autovacuum) {
    findings.push(
      found(
        'database.autovacuum',
        'warning',
        'autovacuum is off: the tables of the fold grow without end.',
        'Switch autovacuum on.',
      ),
    );
  }
  findings.push(...judgeAccess(facts));
  return findings;
}

function judgeAccess({ isRemote, isEncrypted, isSuperuser }: DatabaseFacts): Finding[] {
  if (!isRemote) return [];
  const findings: Finding[] = [];
  if (!isEncrypted) {
    findings.push(
      found(
        'database.encryption',
        'note',
        'The database is on another host, and the connections to it are not encrypted.',
        'Put ?sslmode=require (or verify-full) at the end of DATABASE_URL, unless the network is encrypted itself.',
      ),
    );
  }
  if (isSuperuser) {
    findings.push(
      found(
        'database.role',
        'note',
        'Lictor connects as a superuser, which it need not be.',
        'Make a role that owns the database, and name it in DATABASE_URL; pg_monitor lets this check see everything.',
      ),
    );
  }
  return findings;
}

/** Judges who receives the database's changes, and so what a failover could lose. */
export function judgeReplication(facts: DatabaseFacts, standbys: readonly StandbyFacts[]): Finding[] {
  const findings = facts.standbyNames === '' ? [judgeAlone(standbys)] : judgeSynchronous(facts, standbys);
  for (const { name, replayLagMs } of standbys) {
    if ((replayLagMs ?? 0) <= REPLAY_LAG_WARNING_MS) continue;
    const says = `The standby ${name} is ${timeWords(replayLagMs!)} behind.`;
    findings.push(found('database.standby-lag', 'warning', says, 'Look at its disk and its network.'));
  }
  return findings;
}

const REPLICATION = 'database.replication';

function judgeAlone({ length }: readonly StandbyFacts[]): Finding {
  const others = length === 0 ? 'there is no standby' : `${count(length, 'standby', 'standbys')} may lag`;
  return found(
    REPLICATION,
    'note',
    `Commits wait for no standby (${others}): a failover to another server can lose what was acknowledged just before it.`,
    'If you fail over, set synchronous_standby_names on the primary, best with two standbys: ANY 1 (a, b).',
  );
}

function judgeSynchronous(
  { standbyNames, durability, synchronousCommit }: DatabaseFacts,
  standbys: readonly StandbyFacts[],
): Finding[] {
  const synchronous = standbys.filter(({ syncState }) => syncState === 'sync' || syncState === 'quorum');
  const set = `synchronous_standby_names is "${standbyNames}"`;
  if (standbys.some(({ syncState }) => syncState === null)) {
    const says = `${set}; whether one is connected is not shown to this role.`;
    return [found(REPLICATION, 'note', says, "Grant pg_monitor to Lictor's role.")];
  }
  if (synchronous.length === 0) {
    return [
      found(
        REPLICATION,
        'fault',
        `${set}, and no such standby is connected: every commit waits, and logins are answered 503.`,
        'Bring a standby back, or take it out of synchronous_standby_names and reload the configuration.',
      ),
    ];
  }
  if (synchronousCommit === 'local' || synchronousCommit === 'remote_write') {
    const level = synchronousCommit === 'local' ? 'warning' : 'note';
    return [found(REPLICATION, level, durability.words, 'Set synchronous_commit to on.')];
  }
  const names = nameSome(synchronous.map(({ name }) => name));
  const findings = [ok(REPLICATION, `Commits wait for a standby; connected: ${names}.`)];
  if (standbys.length > 1) return findings;
  const says = `There is a single standby, ${names}: when it is away every commit waits.`;
  const mend = 'Add a second one, and let commits wait for either: ANY 1 (a, b).';
  return [...findings, found(REPLICATION, 'note', says, mend)];
}

/** Judges what keeps old rows alive, by which every append gets slower. */
export function judgeHoldings({ transactions, prepared, slots, hiddenSessions }: HoldingFacts): Finding[] {
  const check = 'database.long-transactions';
  const findings: Finding[] = transactions.map(({ pid, name, state, ageMs }) =>
    found(
      check,
      ageMs >= VERY_LONG_TRANSACTION_MS ? 'fault' : 'warning',
      `A transaction of "${name}" (process ${pid}, ${state || 'state unknown'}) is open for ${timeWords(ageMs)}; it keeps dead versions of the journal's head, and slows every append.`,
      `End it where it runs, or with select pg_terminate_backend(${pid}).`,
    ),
  );
  for (const { gid, ageMs } of prepared) {
    findings.push(
      found(
        check,
        'fault',
        `The prepared transaction "${gid}" was left open ${timeWords(ageMs)} ago; it holds on over restarts.`,
        `Whoever prepared it should end it: COMMIT PREPARED or ROLLBACK PREPARED '${gid}'.`,
      ),
    );
  }
  for (const { name, active, retainedBytes } of slots) {
    if (active && (retainedBytes ?? 0) < SLOT_BYTES_WARNING) continue;
    const held = retainedBytes === null ? '' : ` It holds back ${bytesWords(retainedBytes)} of log.`;
    findings.push(
      found(
        'database.replication-slots',
        (retainedBytes ?? 0) >= SLOT_BYTES_WARNING ? 'fault' : 'warning',
        `The replication slot ${name} ${active ? 'lags' : 'is used by nobody'}.${held} The disk fills up.`,
        `Bring its reader back, or drop it: select pg_drop_replication_slot('${name}').`,
      ),
    );
  }
  if (findings.length > 0) return findings;
  if (hiddenSessions === 0)
    return [ok(check, `No transaction is open for ${timeWords(LONG_TRANSACTION_MS)}.`)];
  return [
    found(
      check,
      'note',
      `${count(hiddenSessions, 'session')} of other roles on this database cannot be looked at.`,
      "Grant pg_monitor to Lictor's role, so that this check sees long transactions.",
    ),
  ];
}

/** Judges the room of the embedded database's disk. */
export function judgeDisk({ directory, freeBytes, totalBytes }: DiskFacts): Finding {
  const check = 'database.disk';
  const says = `${bytesWords(freeBytes)} of ${bytesWords(totalBytes)} are free at ${directory}.`;
  const isBelow = ({ share, bytes }: { share: number; bytes: number }) =>
    freeBytes < bytes && freeBytes < share * totalBytes;
  const mend = 'Make room, or move LICTOR_DATA_DIR; LICTOR_JOURNAL_KEEP_DAYS bounds the journal.';
  if (isBelow(DISK_FAULT)) return found(check, 'fault', says, mend);
  return isBelow(DISK_WARNING) ? found(check, 'warning', says, mend) : ok(check, says);
}

/** Judges whether schema and journal are those of this version. */
export function judgeSchema({ knownVersion, pending, newer, format, knownFormat }: SchemaFacts): Finding[] {
  const findings: Finding[] = [];
  if (pending.length > 0) {
    findings.push(
      found(
        'schema.migrations',
        'fault',
        `The database lacks ${count(pending.length, 'migration')} of this version: ${nameSome(pending)}. It was set back, or restored from an older copy, while this replica ran.`,
        'Run lictor migrate (or restart the replicas, which do so), and look whether the journal is the one you expect.',
      ),
    );
  }
  if (newer.length > 0) {
    findings.push(
      found(
        'schema.migrations',
        'note',
        `The database has migrations that this version does not know: ${nameSome(newer)}. A newer version was here.`,
        'Finish the upgrade: replace the replicas that still run the older version.',
      ),
    );
  }
  if (format === null || format > knownFormat) {
    findings.push(
      found(
        'schema.format',
        'fault',
        format === null
          ? 'The journal has no head.'
          : `The journal is in format ${format}, and this version understands formats up to ${knownFormat}.`,
        'Restore the database, or update this replica.',
      ),
    );
  }
  if (findings.length > 0) return findings;
  return [
    ok('schema.migrations', `The schema is at migration ${knownVersion}, the journal in format ${format}.`),
  ];
}

/**
 * Judges the journal's growth, its fold, and its partitions.
 * @param nowMs - the database's clock, ms since 1970.
 * @param keepDays - how long the journal is kept, in days; 0 is for ever.
 */
export function judgeJournal(facts: JournalFacts, nowMs: number, keepDays: number): Finding[] {
  const { version, atMs, foldVersion, foldAtMs, bytes, highest, oldest } = facts;
  const rows = oldest === null ? 0 : version - oldest.version + 1;
  const days = oldest === null ? 0 : (nowMs - oldest.atMs) / DAY_MS;
  const growth = days >= 1 ? `, ${bytesWords(bytes / days)} a day` : '';
  const size = `The journal has ${count(rows, 'row')} and takes ${bytesWords(bytes)}${growth}`;
  const findings = [
    keepDays === 0
      ? found(
          'journal.size',
          'note',
          `${size}; it is kept for ever.`,
          'If it need not be: LICTOR_JOURNAL_KEEP_DAYS removes old partitions.',
        )
      : ok('journal.size', `${size}; it is kept for ${count(keepDays, 'day')}.`),
  ];
  const ahead = (highest === null ? 0 : (highest + 1) * PARTITION_VERSIONS) - version;
  if (ahead < PARTITION_VERSIONS) {
    findings.push(
      found(
        'journal.partitions',
        'warning',
        `Only ${count(Math.max(0, ahead), 'row')} fit into the partitions of the journal that are there.`,
        'A leader makes them ahead of time: see that a replica leads, and that its role may create tables.',
      ),
    );
  }
  const lagMs = version > foldVersion ? Math.max(0, atMs - foldAtMs) : 0;
  const lag = `The fold is ${count(version - foldVersion, 'row')} and ${timeWords(lagMs)} behind the journal.`;
  findings.push(
    lagMs < FOLD_LAG_WARNING_MS
      ? ok('journal.fold', lag)
      : found(
          'journal.fold',
          lagMs < FOLD_LAG_FAULT_MS ? 'warning' : 'fault',
          `${lag} Grants are safe; lists are old, and a start takes longer.`,
          "See that a replica leads, and look at the leader's log and at the database's load.",
        ),
  );
  findings.push(
    atMs > nowMs + HEAD_AHEAD_MS
      ? found(
          'clocks.journal',
          'fault',
          `The last row of the journal is from ${timeWords(atMs - nowMs)} in the future: the database's clock was set back. Leases and expiry dates wait until it has come there.`,
          "Mend the time of the database's host, and let NTP keep it.",
        )
      : ok('clocks.journal', "The journal's instants do not run ahead of the database's clock."),
  );
  return findings;
}

/** Judges whether somebody leads. */
export function judgeLeadership({ leader, replicas }: LeaderFacts, isAlone: boolean): Finding[] {
  const findings: Finding[] = [];
  if (leader === null || leader.overdueMs > 0) {
    const since = leader === null ? '' : ` since ${timeWords(leader.overdueMs)} (it was ${leader.holder})`;
    findings.push(
      found(
        'replicas.leader',
        leader !== null && leader.overdueMs < FOLD_LAG_WARNING_MS ? 'warning' : 'fault',
        `No replica leads${since}: nothing is folded and nobody who is silent is reaped.`,
        'A replica leads once it serves: look at /readyz and the logs of the replicas.',
      ),
    );
  } else {
    findings.push(ok('replicas.leader', `${leader.holder} leads.`));
  }
  if (replicas > 1) return [...findings, ok('replicas.count', `${replicas} replicas serve this database.`)];
  return [
    ...findings,
    found(
      'replicas.count',
      'note',
      'One replica serves this database: while it restarts, logins are not answered.',
      isAlone
        ? 'Set REDIS_URL and start a second one, if logins must not wait.'
        : 'Start a second one, if logins must not wait.',
    ),
  ];
}
