import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { TableBuilder } from '../../src/service/loading.ts';
import {
  type FoldChanges,
  type FoldHead,
  type LoginRecord,
  type PoolRecord,
  readFold,
  type UserRecord,
  writeFold,
} from '../../src/storage/folds.ts';
import { claimLeadership } from '../../src/storage/leadership.ts';
import { readSnapshot, type SnapshotReader } from '../../src/storage/snapshots.ts';
import { closeShards, openShard, SHARD, type TestShard } from '../support/lane.ts';

afterEach(closeShards);

const AT = Date.UTC(2030, 0, 1, 12, 0, 0, 123);
const EMPTY: FoldChanges = {
  pools: [],
  poolsGone: [],
  users: [],
  usersGone: [],
  loginsAdded: [],
  loginsChanged: [],
  loginsGone: [],
  reports: [],
  reportsGone: [],
  reported: [],
  leases: [],
  leasesGone: [],
  applications: {
    holdings: [],
    holdingsGone: [],
    counters: [],
    countersGone: [],
    requests: [],
    requestsGone: [],
  },
  allowances: [],
  allowancesGone: [],
  marks: [],
  marksGone: [],
};

function login(fields: Partial<LoginRecord> = {}): LoginRecord {
  return {
    instance: 'a',
    id: randomUUID(),
    pool: 'key-1',
    userId: 'alice',
    kind: 'user',
    phase: 'active',
    processId: 0,
    leaseSeconds: 0,
    expiresAtMs: 0,
    endsAtMs: 0,
    grantedAtMs: AT,
    version: 1,
    index: 0,
    connections: 1,
    units: 1,
    unitsAdded: 1,
    transitioned: false,
    print: 123_456_789,
    releasedAtMs: 0,
    reason: null,
    ...fields,
  };
}

const user = (fields: Partial<UserRecord> = {}): UserRecord => ({
  pool: 'key-1',
  userId: 'alice',
  connections: 1,
  units: 1,
  transitioned: false,
  apart: false,
  connectionsPeak: 1,
  ...fields,
});

const pool = (fields: Partial<PoolRecord> = {}): PoolRecord => ({
  pool: 'key-1',
  units: 1,
  users: 1,
  connections: 1,
  unitsPeak: 1,
  usersPeak: 1,
  connectionsPeak: 1,
  unitsMax: 10,
  availableMin: 9,
  marksSinceMs: 0,
  ...fields,
});

/** A shard with a leader and some empty rows to fold. */
async function open(rows = 3) {
  const shard = await openShard();
  const { token } = (await claimLeadership(shard.sql, SHARD, 'leader', 60_000))!;
  const heads: FoldHead[] = [await shard.head()];
  for (let version = 1; version <= rows; version += 1) {
    const batch = randomUUID();
    await shard.sql`
      insert into journal (shard, version, batch, at, body)
      values (${SHARD}, ${version}, ${batch}, now(), '{"actors":[],"events":[]}')`;
    heads.push({ version, batch });
  }
  const fold = (from: FoldHead, to: FoldHead, changes: Partial<FoldChanges> = {}, by = token) =>
    writeFold(shard.sql, SHARD, by, from, { ...to, atMs: AT }, { ...EMPTY, ...changes });
  return { shard, token, heads, fold };
}

/** Everything that the fold holds. */
async function folded(shard: TestShard) {
  const all = { logins: [] as LoginRecord[], users: [] as UserRecord[], pools: [] as PoolRecord[] };
  const reader: SnapshotReader = {
    head: () => {},
    facts: () => {},
    login: (each) => all.logins.push(each),
    user: (each) => all.users.push(each),
    pool: (each) => all.pools.push(each),
    report: () => {},
    reported: () => {},
    lease: () => {},
    allowance: () => {},
    marks: () => {},
    applications: {
      application: () => {},
      counter: () => {},
      holding: () => {},
      request: () => {},
      end: () => {},
    },
  };
  await readSnapshot(shard.sql, SHARD, reader);
  return all;
}

describe('the condition of a fold', () => {
  test('R-9: holds for the version and batch ID that it stands at, and moves it', async () => {
    const { shard, heads, fold } = await open();
    const [zero, one, two] = heads as [FoldHead, FoldHead, FoldHead];
    expect(await fold(zero, two)).toBe(true);
    expect(await readFold(shard.sql, SHARD)).toMatchObject(two);
    const changes = { pools: [pool()] };
    expect(await fold(zero, one, changes)).toBe(false);
    expect(await fold({ ...two, batch: one.batch }, heads[3]!, changes)).toBe(false);
    expect(await fold({ ...two, version: 1 }, heads[3]!, changes)).toBe(false);
    expect(await readFold(shard.sql, SHARD)).toMatchObject(two);
    expect((await folded(shard)).pools).toEqual([]);
    const [row] = await shard.sql<{ at: Date }[]>`select folded_at as at from folds`;
    expect(row!.at.getTime()).toBe(AT);
    await expect(readFold(shard.sql, 7)).rejects.toThrow('shard 7 has no fold');
  });

  test("R-9: holds for the leader's token only", async () => {
    const { shard, token, heads, fold } = await open();
    expect(await fold(heads[0]!, heads[1]!, { pools: [pool()] }, token - 1)).toBe(false);
    await shard.sql`update leadership set token = token + 1`;
    expect(await fold(heads[0]!, heads[1]!, { pools: [pool()] })).toBe(false);
    expect(await readFold(shard.sql, SHARD)).toMatchObject(heads[0]!);
  });

  test('R-1: holds for a row that the journal has, and for no other history', async () => {
    const { shard, heads, fold } = await open();
    expect(await fold(heads[0]!, { version: 2, batch: randomUUID() })).toBe(false);
    expect(await fold(heads[0]!, { version: 9, batch: heads[2]!.batch })).toBe(false);
    expect(await readFold(shard.sql, SHARD)).toMatchObject(heads[0]!);
  });
});

describe('what a fold writes', () => {
  test('R-9: is read back as it was, every member of it', async () => {
    const { shard, heads, fold } = await open();
    const plain = login();
    const full = login({
      instance: 'tab\tinstance',
      pool: 'pool \\N\n',
      userId: '\\N',
      kind: 'web',
      phase: 'grace',
      processId: 2 ** 50,
      leaseSeconds: 86_400,
      expiresAtMs: AT + 1,
      endsAtMs: AT + 2,
      grantedAtMs: AT - 1,
      version: 2 ** 40,
      index: 511,
      connections: 30,
      units: 30,
      unitsAdded: 29,
      transitioned: true,
      print: 2 ** 52,
    });
    const nobody = login({ userId: null, kind: 'system' });
    const released = login({ releasedAtMs: AT + 3, reason: 'silent' });
    const users = [
      user({ transitioned: true, connections: 30, units: 30, connectionsPeak: 31 }),
      user({ userId: 'back\\slash\r', pool: 'other', connectionsPeak: 2 }),
    ];
    const pools = [
      pool({
        units: 2,
        users: 3,
        connections: 4,
        unitsPeak: 5,
        usersPeak: 6,
        connectionsPeak: 7,
        unitsMax: 8,
        availableMin: -9,
        marksSinceMs: AT,
      }),
    ];
    await fold(heads[0]!, heads[1]!, { loginsAdded: [plain, full, nobody, released], users, pools });
    const all = await folded(shard);
    expect(all.logins).toHaveLength(4);
    expect(all.logins).toEqual(expect.arrayContaining([plain, full, nobody, released]));
    expect(all.users).toEqual(expect.arrayContaining(users));
    expect(all.pools).toEqual(pools);
  });

  test('R-9: replaces what was there, and takes away what has gone', async () => {
    const { shard, heads, fold } = await open();
    const [stays, changes, goes] = [login(), login(), login()];
    const bob = user({ userId: 'bob', connectionsPeak: 3 });
    await fold(heads[0]!, heads[1]!, {
      loginsAdded: [stays, changes, goes],
      users: [user({ connectionsPeak: 9 }), bob],
      pools: [pool(), pool({ pool: 'default:a' })],
    });
    const changed = { ...changes, releasedAtMs: AT + 5, reason: 'logout' };
    const fresh = login({ id: randomUUID() });
    await fold(heads[1]!, heads[2]!, {
      // What changed may also be new: an ID that was used before.
      loginsChanged: [changed, fresh],
      loginsGone: [goes, { instance: 'b', id: stays.id }],
      users: [user({ connectionsPeak: 10 })],
      usersGone: [bob, { pool: 'other', userId: 'alice' }],
      pools: [pool({ units: 7 })],
      poolsGone: ['default:a'],
    });
    const all = await folded(shard);
    expect(all.logins).toEqual(expect.arrayContaining([stays, changed, fresh]));
    expect(all.logins).toHaveLength(3);
    expect(all.users).toEqual([user({ connectionsPeak: 10 })]);
    expect(all.pools).toEqual([pool({ units: 7 })]);
  });

  test('R-9: many at once arrive all, in as many pieces as it takes', async () => {
    const { shard, heads, fold } = await open();
    const many = Array.from({ length: 5_000 }, (_, index) => login({ index, userId: `user ${index}` }));
    await fold(heads[0]!, heads[1]!, { loginsAdded: many });
    await fold(heads[1]!, heads[2]!, { loginsChanged: many.map((each) => ({ ...each, units: 2 })) });
    const [count] = await shard.sql`select count(*) as all, sum(units) as units from logins`;
    expect(count).toEqual({ all: 5_000, units: 10_000 });
  });

  test.each<[string, (logins: LoginRecord[]) => Partial<FoldChanges>]>([
    ['a login that is there already', ([known]) => ({ loginsAdded: [known!] })],
    ['a login that is there already, after many', ([known, ...many]) => ({ loginsAdded: [...many, known!] })],
    ['a text that Postgres has no place for', () => ({ users: [user({ userId: 'a\0b' })] })],
    ['an ID that is none', () => ({ loginsChanged: [login({ id: 'none' })] })],
  ])('R-9: is all or nothing, and an error is told: %s', async (_what, spoiled) => {
    const { shard, heads, fold } = await open();
    const known = login();
    await fold(heads[0]!, heads[1]!, { loginsAdded: [known] });
    const many = Array.from({ length: 2_000 }, () => login());
    const changes = { pools: [pool()], ...spoiled([known, ...many]) };
    await expect(fold(heads[1]!, heads[2]!, changes)).rejects.toThrow();
    expect(await readFold(shard.sql, SHARD)).toMatchObject(heads[1]!);
    expect((await folded(shard)).pools).toEqual([]);
    // The handle goes on with the next one.
    expect(await fold(heads[1]!, heads[2]!, { pools: [pool()] })).toBe(true);
    expect((await folded(shard)).logins).toEqual([known]);
  });

  test('what was written makes a table whose totals are its own', async () => {
    const { shard, heads, fold } = await open();
    await fold(heads[0]!, heads[1]!, { loginsAdded: [login()], users: [user()], pools: [pool()] });
    const builder = new TableBuilder(SHARD);
    await readSnapshot(shard.sql, SHARD, builder);
    const { pools, version, batch, atMs } = builder.table;
    expect([pools.get('key-1')!.units, version, batch, atMs]).toEqual([1, 1, heads[1]!.batch, AT]);
  });
});

test('R-9: a fold of a few users looks them up one by one, also in a table that has just grown by very many', async () => {
  const rows = 14;
  const { shard, heads, fold } = await open(rows);
  await shard.sql`alter table license_users set (autovacuum_enabled = off)`;
  const many = 30_000;
  const few = (index: number) => [1, 2, 3].map((number) => user({ userId: `user ${index} ${number}` }));
  let users = 0;
  const write = (version: number, changes: Partial<FoldChanges>) => {
    users += (changes.users?.length ?? 0) - (changes.usersGone?.length ?? 0);
    return fold(heads[version]!, heads[version + 1]!, { ...changes, pools: [pool({ users })] });
  };
  // The table is small while its statements are seen first, and often enough that their plans would be kept.
  for (let version = 0; version < 7; version += 1)
    expect(await write(version, { users: few(version) })).toBe(true);
  const crowd = Array.from({ length: many }, (_, index) => user({ userId: `crowd ${index}` }));
  expect(await write(7, { users: crowd })).toBe(true);
  const before = await scanned(shard);
  for (let version = 8; version < 13; version += 1)
    expect(await write(version, { users: few(version), usersGone: few(version - 8) })).toBe(true);
  const after = await scanned(shard);
  // What is looked up through the index is read through it; nothing is read because it is there.
  expect(after.byIndex).toBeGreaterThan(before.byIndex);
  expect(after.rows - before.rows).toBeLessThan(many);
});

/** How many rows of the users have been read in all, and how often by the index. */
async function scanned({ sql }: TestShard): Promise<{ rows: number; byIndex: number }> {
  await sql`select pg_stat_force_next_flush()`;
  const [row] = await sql<{ rows: number; byIndex: number }[]>`
    select (seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 as rows, idx_scan::float8 as "byIndex"
    from pg_stat_user_tables where relname = 'license_users'`;
  return { ...row! };
}
