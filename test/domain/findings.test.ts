/** What a diagnosis makes of facts, without a deployment around it. */
import { describe, expect, test } from '@jest/globals';
import {
  judgeDatabase,
  judgeDisk,
  judgeHoldings,
  judgeJournal,
  judgeLeadership,
  judgeReplication,
  judgeSchema,
} from '../../src/domain/findings/databasefindings.ts';
import type {
  DatabaseFacts,
  JournalFacts,
  StandbyFacts,
  StoreFacts,
  TokenFacts,
} from '../../src/domain/findings/diagnosisfacts.ts';
import {
  judgeInstances,
  judgeKeys,
  judgeRoster,
  judgeTokens,
  type KeyFacts,
} from '../../src/domain/findings/estatefindings.ts';
import {
  bytesWords,
  type Finding,
  type FindingLevel,
  nameSome,
  timeWords,
  worstLevel,
} from '../../src/domain/findings/findings.ts';
import { judgeClock, judgeClocks, judgeStore } from '../../src/domain/findings/storefindings.ts';
import { makeInstance } from '../support/make.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 10, 21);

const DATABASE: DatabaseFacts = {
  version: '18.4',
  versionNumber: 180_004,
  durability: { safe: true, words: 'It is durable.' },
  synchronousCommit: 'on',
  standbyNames: '',
  autovacuum: true,
  connections: 12,
  connectionsMax: 97,
  bytes: 1e8,
  transactionAge: 1_000,
  isSuperuser: false,
  isEncrypted: true,
  isRemote: true,
  aheadMs: 3,
  roundTripMs: 1,
  nowMs: NOW_MS,
};

const STORE: StoreFacts = {
  version: '7.0.15',
  mode: 'standalone',
  role: 'master',
  uptimeSeconds: 1_000,
  runId: 'abc',
  memoryMaxBytes: 1e8,
  memoryUsedBytes: 1e6,
  evictionPolicy: 'noeviction',
  evictedKeys: 0,
  isDiskFailing: false,
  replicas: 0,
  replicasToWriteMin: 0,
  aheadMs: 2,
  roundTripMs: 0.4,
};

/** The worst that is said of a check; undefined when nothing is. */
function levelOf(findings: readonly Finding[], check: string): FindingLevel | undefined {
  const chosen = findings.filter((finding) => finding.check === check);
  return chosen.length === 0 ? undefined : worstLevel(chosen);
}

describe('a finding', () => {
  test('that asks for something says what to do', () => {
    const bad = [
      ...judgeDatabase({
        ...DATABASE,
        versionNumber: 130_000,
        durability: { safe: false, words: 'It is not durable.' },
      }),
      ...judgeReplication({ ...DATABASE, standbyNames: 'a' }, []),
      ...judgeStore({ kind: 'redis', facts: null }),
      ...judgeKeys([], NOW_MS),
    ];
    expect(bad.filter(({ level }) => level !== 'ok').length).toBeGreaterThan(4);
    for (const { level, says, mend } of bad) {
      expect(says).toMatch(/\.$/);
      expect(level === 'ok').toBe(mend === undefined);
    }
  });

  test('of several the worst stands for all', () => {
    expect(worstLevel([])).toBe('ok');
    const of = (level: FindingLevel): Finding => ({ check: 'x', level, says: '' });
    expect(worstLevel([of('note'), of('fault'), of('warning')])).toBe('fault');
  });

  test('has words for numbers', () => {
    expect([bytesWords(0), bytesWords(1536), bytesWords(5 * 1024 ** 3)]).toEqual([
      '0 bytes',
      '1.5 KiB',
      '5.0 GiB',
    ]);
    expect([40, 12_340, 300_000, 7_200_000 * 2, 3 * DAY_MS].map(timeWords)).toEqual([
      '40 ms',
      '12.3 s',
      '5 minutes',
      '4 hours',
      '3 days',
    ]);
    expect([nameSome([]), nameSome(['a']), nameSome(['a', 'b']), nameSome(['a', 'b', 'c'], 2)]).toEqual([
      '',
      'a',
      'a and b',
      'a, b and 1 more',
    ]);
  });
});

describe('the database (R-2)', () => {
  test('a good one is all ok', () => {
    expect(judgeDatabase(DATABASE).filter(({ level }) => level !== 'ok')).toEqual([]);
  });

  test.each([
    ['database.version', { versionNumber: 140_009, version: '14.9' }, 'fault'],
    ['database.durability', { durability: { safe: false, words: 'fsync is off.' } }, 'fault'],
    ['database.connections', { connections: 80 }, 'warning'],
    ['database.connections', { connections: 96 }, 'fault'],
    ['database.wraparound', { transactionAge: 1_200_000_000 }, 'warning'],
    ['database.wraparound', { transactionAge: 1_900_000_000 }, 'fault'],
    ['database.latency', { roundTripMs: 45 }, 'warning'],
    ['database.autovacuum', { autovacuum: false }, 'warning'],
    ['database.encryption', { isEncrypted: false }, 'note'],
    ['database.role', { isSuperuser: true }, 'note'],
  ] as const)('%s of %o is a %s', (check, facts, level) => {
    expect(levelOf(judgeDatabase({ ...DATABASE, ...facts }), check)).toBe(level);
  });

  test('what is on this host need neither be encrypted nor have a role of its own', () => {
    const near = judgeDatabase({ ...DATABASE, isRemote: false, isEncrypted: false, isSuperuser: true });
    expect(near.filter(({ level }) => level !== 'ok')).toEqual([]);
  });

  const standby = (syncState: string | null, replayLagMs = 0): StandbyFacts => ({
    name: 'b',
    state: 'streaming',
    syncState,
    replayLagMs,
  });

  test.each([
    ['no name, nobody there', '', [], 'note'],
    ['a name, and nobody is connected', 'FIRST 1 (b)', [], 'fault'],
    ['a name, and only an asynchronous one', 'FIRST 1 (b)', [standby('async')], 'fault'],
    ['a name, and it is there, alone', 'FIRST 1 (b)', [standby('sync')], 'note'],
    ['a name, and two are there', 'ANY 1 (b, c)', [standby('quorum'), standby('quorum')], 'ok'],
    ['a name, and it may not be seen', 'b', [standby(null)], 'note'],
  ] as const)('standbys: %s', (_words, standbyNames, standbys, level) => {
    expect(levelOf(judgeReplication({ ...DATABASE, standbyNames }, standbys), 'database.replication')).toBe(
      level,
    );
  });

  test('commits that do not wait for the standby, and one that lags, are told', () => {
    const local = { ...DATABASE, standbyNames: 'b', synchronousCommit: 'local' };
    expect(levelOf(judgeReplication(local, [standby('sync')]), 'database.replication')).toBe('warning');
    const slow = judgeReplication({ ...DATABASE, standbyNames: 'b' }, [standby('sync', 60_000)]);
    expect(levelOf(slow, 'database.standby-lag')).toBe('warning');
  });

  test('what keeps old rows alive is named with how to end it (R-9)', () => {
    const none = { transactions: [], prepared: [], slots: [], hiddenSessions: 0 };
    expect(worstLevel(judgeHoldings(none))).toBe('ok');
    expect(worstLevel(judgeHoldings({ ...none, hiddenSessions: 3 }))).toBe('note');
    const transaction = { pid: 4711, name: 'psql', state: 'idle in transaction', ageMs: 90_000 };
    const [long] = judgeHoldings({ ...none, transactions: [transaction] });
    expect(long).toMatchObject({
      level: 'warning',
      mend: expect.stringContaining('pg_terminate_backend(4711)'),
    });
    expect(worstLevel(judgeHoldings({ ...none, transactions: [{ ...transaction, ageMs: 900_000 }] }))).toBe(
      'fault',
    );
    expect(worstLevel(judgeHoldings({ ...none, prepared: [{ gid: 'x', ageMs: 90_000 }] }))).toBe('fault');
    const slot = { name: 'old', active: false, retainedBytes: 1024 };
    expect(worstLevel(judgeHoldings({ ...none, slots: [slot] }))).toBe('warning');
    expect(worstLevel(judgeHoldings({ ...none, slots: [{ ...slot, retainedBytes: 1e11 }] }))).toBe('fault');
    expect(worstLevel(judgeHoldings({ ...none, slots: [{ ...slot, active: true }] }))).toBe('ok');
  });

  test('a disk that fills up', () => {
    const disk = (freeBytes: number) =>
      judgeDisk({ directory: '/data', freeBytes, totalBytes: 100 * 1024 ** 3 });
    expect(disk(50 * 1024 ** 3).level).toBe('ok');
    expect(disk(1024 ** 3).level).toBe('warning');
    expect(disk(100 * 1024 ** 2).level).toBe('fault');
  });
});

describe('schema, journal and leadership', () => {
  test('migrations that are missing are a fault, newer ones a note, a newer format a fault (R-4)', () => {
    const good = { knownVersion: 4, pending: [], newer: [], format: 3, knownFormat: 3 };
    expect(worstLevel(judgeSchema(good))).toBe('ok');
    expect(judgeSchema({ ...good, pending: ['4 (whole-life)'] })[0]).toMatchObject({
      level: 'fault',
      says: expect.stringContaining('4 (whole-life)'),
    });
    expect(worstLevel(judgeSchema({ ...good, newer: ['5 (x)'] }))).toBe('note');
    expect(worstLevel(judgeSchema({ ...good, format: 9 }))).toBe('fault');
    expect(worstLevel(judgeSchema({ ...good, format: null }))).toBe('fault');
  });

  const JOURNAL: JournalFacts = {
    version: 500_000,
    atMs: NOW_MS,
    foldVersion: 499_990,
    foldAtMs: NOW_MS - 300,
    bytes: 1e9,
    partitions: 3,
    highest: 2,
    oldest: { version: 1, atMs: NOW_MS - 10 * DAY_MS },
  };

  test('growth, fold and partitions', () => {
    const good = judgeJournal(JOURNAL, NOW_MS, 30);
    expect(worstLevel(good)).toBe('ok');
    expect(good[0]!.says).toContain('95.4 MiB a day');
    expect(levelOf(judgeJournal(JOURNAL, NOW_MS, 0), 'journal.size')).toBe('note');
    expect(levelOf(judgeJournal({ ...JOURNAL, highest: 0 }, NOW_MS, 30), 'journal.partitions')).toBe(
      'warning',
    );
    const lag = (ms: number) => judgeJournal({ ...JOURNAL, foldAtMs: NOW_MS - ms }, NOW_MS, 30);
    expect(levelOf(lag(20_000), 'journal.fold')).toBe('warning');
    expect(levelOf(lag(600_000), 'journal.fold')).toBe('fault');
  });

  test('a journal that nothing was written to for days has no lag', () => {
    const idle = {
      ...JOURNAL,
      foldVersion: 500_000,
      foldAtMs: NOW_MS - 5 * DAY_MS,
      atMs: NOW_MS - 5 * DAY_MS,
    };
    expect(levelOf(judgeJournal(idle, NOW_MS, 30), 'journal.fold')).toBe('ok');
  });

  test('a head from the future says that the clock was set back (R-14)', () => {
    const [finding] = judgeJournal({ ...JOURNAL, atMs: NOW_MS + 60_000 }, NOW_MS, 30).filter(
      ({ check }) => check === 'clocks.journal',
    );
    expect(finding).toMatchObject({
      level: 'fault',
      says: expect.stringContaining('1 minute in the future'),
    });
  });

  test('nobody leads', () => {
    const leader = { holder: 'a', overdueMs: -1_000, electedAtMs: NOW_MS };
    expect(worstLevel(judgeLeadership({ leader, replicas: 2 }, false))).toBe('ok');
    expect(worstLevel(judgeLeadership({ leader, replicas: 1 }, true))).toBe('note');
    expect(worstLevel(judgeLeadership({ leader: { ...leader, overdueMs: 5_000 }, replicas: 2 }, false))).toBe(
      'warning',
    );
    expect(
      worstLevel(judgeLeadership({ leader: { ...leader, overdueMs: 60_000 }, replicas: 2 }, false)),
    ).toBe('fault');
    expect(worstLevel(judgeLeadership({ leader: null, replicas: 1 }, false))).toBe('fault');
  });
});

describe('the store of heartbeats, and clocks', () => {
  const judge = (facts: Partial<StoreFacts>) => judgeStore({ kind: 'redis', facts: { ...STORE, ...facts } });

  test('a good one, and none', () => {
    expect(worstLevel(judge({}))).toBe('ok');
    expect(worstLevel(judgeStore({ kind: 'memory' }))).toBe('ok');
    expect(worstLevel(judgeStore({ kind: 'redis', facts: null }))).toBe('fault');
  });

  test.each([
    ['redis.version', { version: '6.0.16' }, 'fault'],
    ['redis.version', { mode: 'cluster' }, 'fault'],
    ['redis.eviction', { evictionPolicy: 'allkeys-lru' }, 'warning'],
    ['redis.eviction', { evictionPolicy: 'allkeys-lfu', evictedKeys: 7 }, 'fault'],
    ['redis.eviction', { evictionPolicy: 'allkeys-lru', memoryMaxBytes: 0 }, 'note'],
    ['redis.eviction', { evictionPolicy: 'volatile-lru' }, 'ok'],
    ['redis.eviction', { evictionPolicy: null }, 'note'],
    ['redis.memory', { memoryMaxBytes: 0 }, 'note'],
    ['redis.memory', { memoryUsedBytes: 0.9e8 }, 'warning'],
    ['redis.memory', { memoryUsedBytes: 0.97e8 }, 'fault'],
    ['redis.disk', { isDiskFailing: true }, 'warning'],
    ['redis.role', { role: 'slave' }, 'fault'],
    ['redis.replicas', { replicas: 1 }, 'note'],
    ['redis.reachable', { roundTripMs: 30 }, 'warning'],
  ] as const)('%s of %o is a %s', (check, facts, level) => {
    expect(levelOf(judge(facts), check)).toBe(level);
  });

  test('clocks are held against the database, and the way of the answer is not held against them (R-14)', () => {
    const skew = (aheadMs: number, unsureMs = 1) =>
      judgeClock('clocks.x', ['this', 'that'], aheadMs, unsureMs, 'It matters.').level;
    expect([20, 600, -3_000, 3_600_000].map((aheadMs) => skew(aheadMs))).toEqual([
      'ok',
      'note',
      'warning',
      'fault',
    ]);
    expect(skew(600, 500)).toBe('ok');
    const store = { kind: 'redis', facts: { ...STORE, aheadMs: 5_000 } } as const;
    const findings = judgeClocks({ ...DATABASE, aheadMs: -90_000 }, store);
    expect(findings.map(({ check, level }) => [check, level])).toEqual([
      ['clocks.replica', 'fault'],
      ['clocks.redis', 'fault'],
    ]);
    expect(findings[0]!.says).toContain('this replica is 2 minutes ahead of that of the database');
  });
});

describe('keys, instances, licence servers and tokens', () => {
  const KEY: KeyFacts = {
    id: 'k-1',
    status: { status: 'valid', code: null, reason: 'The key k-1 is valid.' },
    validThroughMs: null,
    trust: 'verified',
    instances: 1,
    unitsUsed: 2,
    unitsEnforced: 10,
    isOver: false,
  };
  const keys = (...facts: Partial<KeyFacts>[]) =>
    judgeKeys(
      facts.map((each) => ({ ...KEY, ...each })),
      NOW_MS,
    );

  test('keys that end, that are not valid, that nobody uses, that are full', () => {
    expect(worstLevel(keys({}))).toBe('ok');
    const expired = { status: 'invalid', code: 'key-expired', reason: 'The key k-1 expired.' } as const;
    expect(levelOf(keys({ status: expired }), 'keys.valid')).toBe('fault');
    expect(levelOf(keys({ status: expired, instances: 0 }), 'keys.valid')).toBe('note');
    const troubled = { status: 'troubled', code: null, reason: 'The key k-1 expires.' } as const;
    expect(levelOf(keys({ status: troubled }), 'keys.valid')).toBe('warning');
    expect(levelOf(keys({ validThroughMs: NOW_MS + 20 * DAY_MS }), 'keys.valid')).toBe('note');
    expect(levelOf(keys({ validThroughMs: NOW_MS + 50 * DAY_MS }), 'keys.valid')).toBe('ok');
    expect(levelOf(keys({ instances: 0 }), 'keys.used')).toBe('note');
    expect(levelOf(keys({ trust: 'evaluation', instances: 0 }), 'keys.used')).toBeUndefined();
    expect(levelOf(keys({ trust: 'unverified' }), 'keys.trust')).toBe('note');
    expect([9, 10].map((unitsUsed) => levelOf(keys({ unitsUsed }), 'keys.units'))).toEqual([
      'note',
      'warning',
    ]);
    expect(levelOf(keys({ isOver: true }), 'keys.units')).toBe('warning');
    expect(levelOf(judgeKeys([], NOW_MS), 'keys.installed')).toBe('warning');
  });

  test('instances that are silent, that have no key, that are never taken for gone', () => {
    const judge = (fields: Parameters<typeof makeInstance>[0], isUsable = true) =>
      judgeInstances([makeInstance({ name: 'app-a', ...fields })], () => isUsable);
    expect(worstLevel(judge({}))).toBe('ok');
    expect(levelOf(judge({ state: 'silent' }), 'instances.heard')).toBe('warning');
    expect(levelOf(judge({ state: 'silent', closed: true }), 'instances.heard')).toBe('ok');
    expect(levelOf(judge({}, false), 'instances.key')).toBe('warning');
    const { settings } = makeInstance({ name: 'app-a' });
    expect(levelOf(judge({ settings: { ...settings, graceSeconds: 0 } }), 'instances.grace')).toBe('note');
  });

  test('licence servers that are down, none that is active, sets that differ (F-4, F-12)', () => {
    const good = {
      entries: [
        { name: 'A', state: 'active' },
        { name: 'B', state: 'standby' },
      ],
      active: { name: 'A' },
      disagreements: [],
      notices: [],
    } as const;
    expect(worstLevel(judgeRoster(good))).toBe('ok');
    expect(worstLevel(judgeRoster({ ...good, entries: [], active: null }))).toBe('ok');
    expect(levelOf(judgeRoster({ ...good, active: null }), 'license-servers.active')).toBe('warning');
    const down = { ...good, entries: [good.entries[0], { name: 'B', state: 'down' as const }] };
    expect(levelOf(judgeRoster(down), 'license-servers.heard')).toBe('warning');
    const sets = [
      { licenseServers: ['192.0.2.1:4001'], instances: ['a'] },
      { licenseServers: ['192.0.2.2:4001'], instances: ['b'] },
    ];
    const differing = { ...good, disagreements: [{ key: 'k-1', sets }] };
    expect(levelOf(judgeRoster(differing), 'license-servers.agreement')).toBe('warning');
    expect(levelOf(judgeRoster({ ...good, notices: ['x.'] }), 'license-servers.roster')).toBe('note');
  });

  const TOKEN: TokenFacts = {
    id: 't1',
    name: 'ops',
    role: 'operator',
    keys: null,
    instance: null,
    createdAtMs: NOW_MS - DAY_MS,
    expiresAtMs: null,
    lastUsedAtMs: NOW_MS,
  };
  const tokens = (...facts: Partial<TokenFacts>[]) =>
    judgeTokens(
      facts.map((each, index) => ({ ...TOKEN, id: `t${index}`, ...each })),
      {
        hasKey: (id) => id === 'k-1',
        hasInstance: (name) => name === 'app-a',
        isAdminConfigured: true,
        nowMs: NOW_MS,
      },
    );

  test('tokens that end, have ended, are forgotten, reach nothing or everything', () => {
    expect(worstLevel(tokens({}))).toBe('ok');
    expect(levelOf(tokens({ expiresAtMs: NOW_MS + 3 * DAY_MS }), 'tokens.valid')).toBe('warning');
    expect(levelOf(tokens({ expiresAtMs: NOW_MS + 20 * DAY_MS }), 'tokens.valid')).toBe('note');
    expect(levelOf(tokens({ expiresAtMs: NOW_MS - 1 }), 'tokens.expired')).toBe('note');
    expect(levelOf(tokens({ lastUsedAtMs: NOW_MS - 100 * DAY_MS }), 'tokens.used')).toBe('note');
    expect(levelOf(tokens({ lastUsedAtMs: null }), 'tokens.used')).toBeUndefined();
    expect(levelOf(tokens({ keys: ['k-1', 'k-2'] }), 'tokens.targets')).toBe('note');
    expect(levelOf(tokens({ instance: 'app-z' }), 'tokens.targets')).toBe('note');
    expect(levelOf(tokens({ instance: 'app-a', keys: ['k-1'] }), 'tokens.targets')).toBeUndefined();
    const administrator = { role: 'administrator' } as const;
    const four = [administrator, administrator, administrator, administrator];
    expect(levelOf(tokens(...four), 'tokens.administrators')).toBe('note');
    expect(levelOf(tokens(...four.slice(1)), 'tokens.administrators')).toBeUndefined();
    const none = { hasKey: null, hasInstance: null, isAdminConfigured: false, nowMs: NOW_MS };
    expect(levelOf(judgeTokens([TOKEN], none), 'tokens.administrators')).toBe('warning');
  });
});
