import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Excess } from '../../src/domain/excesses.ts';
import type { ReportedUser } from '../../src/domain/local/reports.ts';
import { listExcesses } from '../../src/storage/excesses.ts';
import { appendRowWithFacts, type Facts } from '../../src/storage/journal.ts';
import { ROWS_PER_STATEMENT } from '../../src/storage/parts.ts';
import {
  type ReportChanges,
  type ReportRecord,
  readReports,
  writeReports,
} from '../../src/storage/reports.ts';
import { inTransaction } from '../../src/storage/transactions.ts';
import { closeShards, openShard, SHARD, type TestShard } from '../support/lane.ts';

afterEach(closeShards);

const AT = Date.UTC(2030, 0, 1, 12, 0, 0, 123);
const NOTHING: ReportChanges = { reports: [], reportsGone: [], reported: [] };
const NO_FACTS: Facts = {
  keys: [],
  keysRemoved: [],
  instances: [],
  instancesRemoved: [],
  excesses: [],
  activations: [],
  applications: [],
  applicationsRemoved: [],
};

const report = (fields: Partial<ReportRecord> = {}): ReportRecord => ({
  instance: 'a',
  pool: 'key-1',
  counted: true,
  incarnation: 3,
  sequence: 2 ** 40,
  fullFrom: 0,
  lost: null,
  rows: 2,
  connections: 5,
  checksum: 2 ** 32 - 1,
  atMs: AT,
  ...fields,
});

const row = (fields: Partial<ReportedUser> = {}): ReportedUser => ({
  connections: 1,
  webSessions: 0,
  transitioned: false,
  sequence: 7,
  ...fields,
});

const write = (shard: TestShard, changes: Partial<ReportChanges>) =>
  inTransaction(shard.sql, '', (tx) => writeReports(tx, SHARD, { ...NOTHING, ...changes }));

/** Everything that was reported, in order, and whether all reports came before the first row. */
async function read(shard: TestShard) {
  const reports: ReportRecord[] = [];
  const rows: [instance: string, user: string, row: ReportedUser][] = [];
  await inTransaction(shard.sql, '', (tx) =>
    readReports(tx, SHARD, {
      report: (each) => {
        expect(rows).toEqual([]);
        reports.push(each);
      },
      reported: (...each) => rows.push(each),
    }),
  );
  const byName = (one: readonly unknown[], other: readonly unknown[]) => (`${one}` < `${other}` ? -1 : 1);
  return {
    reports: reports.sort((one, other) => byName([one.instance], [other.instance])),
    rows: rows.sort(byName),
  };
}

describe('what instances reported', () => {
  test('R-9: is read as it was written, whatever the user IDs', async () => {
    const shard = await openShard();
    const reports = [report(), report({ instance: 'b', counted: false, lost: 'silent', fullFrom: 5 })];
    const users = ['plain', 'tab\tand\nline\\feed', 'naïve@例.jp', '\\N', '"quoted, {braced}"'];
    const rows = users.map((_, index) =>
      row({ connections: index + 1, webSessions: index, transitioned: index === 2 }),
    );
    await write(shard, { reports, reported: [{ instance: 'a', users, rows, gone: [] }] });
    const found = await read(shard);
    expect(found.reports).toEqual(reports);
    expect(found.rows).toEqual(users.map((user, index) => ['a', user, rows[index]]).sort());
  });

  test('R-9: changes replace what stood, and what is gone is gone', async () => {
    const shard = await openShard();
    const both = ['x', 'y', 'it is "gone"'];
    await write(shard, {
      reports: [report(), report({ instance: 'b' })],
      reported: ['a', 'b'].map((instance) => ({
        instance,
        users: both,
        rows: both.map(() => row()),
        gone: [],
      })),
    });
    await write(shard, {
      reports: [report({ sequence: 8, rows: 1 })],
      reportsGone: ['b', 'never'],
      reported: [
        {
          instance: 'a',
          users: ['y', 'z'],
          rows: [row({ connections: 9, sequence: 8 }), row()],
          gone: ['x', 'it is "gone"'],
        },
        { instance: 'b', users: [], rows: [], gone: both },
      ],
    });
    expect(await read(shard)).toEqual({
      reports: [report({ sequence: 8, rows: 1 })],
      rows: [
        ['a', 'y', row({ connections: 9, sequence: 8 })],
        ['a', 'z', row()],
      ],
    });
  });

  test('more rows than one statement takes are written whole', async () => {
    const shard = await openShard();
    const count = ROWS_PER_STATEMENT + 1;
    const users = Array.from({ length: count }, (_, index) => `u${index}`);
    const rows = users.map(() => row());
    await write(shard, { reported: [{ instance: 'a', users, rows, gone: [] }] });
    expect((await read(shard)).rows).toHaveLength(count);
    await write(shard, { reported: [{ instance: 'a', users: [], rows: [], gone: users }] });
    expect((await read(shard)).rows).toEqual([]);
  });
});

const excess = (fields: Partial<Excess> = {}): Excess => ({
  id: '0:1:0',
  pool: 'key-1',
  limit: 10,
  cause: 'reported',
  fromMs: AT,
  atMs: AT,
  toMs: null,
  units: 6,
  unitsMax: 6,
  unitMs: 0,
  users: [{ user: 'alice', instance: 'a' }],
  usersCount: 1,
  instances: ['a'],
  endedBy: null,
  ...fields,
});

describe('the ledger', () => {
  /** Appends a row that says episodes. */
  async function say(shard: TestShard, ...excesses: Excess[]) {
    const head = await shard.head();
    const next = {
      shard: SHARD,
      version: head.version + 1,
      batch: randomUUID(),
      at: AT,
      actors: [],
      events: [],
    };
    return appendRowWithFacts(shard.sql, next, head, { ...NO_FACTS, excesses });
  }
  const all = { pools: null, state: null };

  test('R-8: stands with the row that says it, by its last word', async () => {
    const shard = await openShard();
    await say(shard, excess());
    const ended = excess({ toMs: AT + 1, atMs: AT + 1, units: 0, endedBy: 'logouts' });
    await say(shard, ended);
    expect(await listExcesses(shard.sql, SHARD, all, null, 10)).toEqual([ended]);
    const head = await shard.head();
    const stale = { version: head.version - 1, batch: randomUUID() };
    const late = { shard: SHARD, version: head.version, batch: randomUUID(), at: AT, actors: [], events: [] };
    const facts = { ...NO_FACTS, excesses: [excess({ id: 'late' })] };
    expect(await appendRowWithFacts(shard.sql, late, stale, facts)).toMatchObject({ appended: false });
    expect(await listExcesses(shard.sql, SHARD, all, null, 10)).toHaveLength(1);
  });

  test('is listed from the latest, by pool and state, from where a page ended', async () => {
    const shard = await openShard();
    const made = [0, 1, 1, 2].map((second, index) =>
      excess({
        id: `0:${index}:0`,
        fromMs: AT + second * 1_000,
        pool: `key-${index % 2}`,
        toMs: index === 3 ? null : AT + 9_000,
      }),
    );
    await say(shard, ...made);
    const list = async (filter: Partial<typeof all> & object, after: Excess | null = null, limit = 10) =>
      (await listExcesses(shard.sql, SHARD, { ...all, ...filter }, after, limit)).map(({ id }) => id);
    expect(await list({})).toEqual(['0:3:0', '0:2:0', '0:1:0', '0:0:0']);
    expect(await list({}, made[2]!)).toEqual(['0:1:0', '0:0:0']);
    expect(await list({}, null, 1)).toEqual(['0:3:0']);
    expect(await listExcesses(shard.sql, SHARD, { pools: ['key-0'], state: null }, null, 9)).toHaveLength(2);
    expect(await listExcesses(shard.sql, SHARD, { pools: [], state: null }, null, 9)).toEqual([]);
    expect(await listExcesses(shard.sql, SHARD, { pools: null, state: 'open' }, null, 9)).toEqual([made[3]]);
    expect(await listExcesses(shard.sql, SHARD, { pools: null, state: 'ended' }, null, 9)).toHaveLength(3);
  });
});
