import { describe, expect, test } from '@jest/globals';
import { applyRow, endedLogins } from '../../src/domain/apply.ts';
import type { Granted, JournalEvent, JournalRow } from '../../src/domain/events.ts';
import { DivergenceError, Table } from '../../src/domain/table.ts';
import { makeInstance, makeKey, START_MS, world } from '../support/make.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

function makeRow(events: readonly JournalEvent[], fields: Partial<JournalRow> = {}): JournalRow {
  return { shard: 0, version: 1, batch: 'batch-1', at: START_MS, actors: ['x'], events, ...fields };
}

function makeGranted(fields: Partial<Granted> = {}): Granted {
  return {
    type: 'granted',
    instance: 'a',
    login: 'one',
    pool: 'key-1',
    user: 'alice',
    kind: 'user',
    connections: 1,
    units: 1,
    added: 1,
    used: 1,
    print: 7,
    by: 0,
    ...fields,
  };
}

/** A table to which rows of these events have been applied. */
function applied(...rows: readonly (readonly JournalEvent[])[]): Table {
  return replay(rows.map((events, index) => makeRow(events, { version: index + 1, at: START_MS + index })));
}

const RELEASED = {
  type: 'released',
  instance: 'a',
  login: 'one',
  reason: 'logout',
  connections: 0,
  units: 0,
  freed: 1,
  used: 0,
  by: 0,
} as const;

describe('applying rows (R-4)', () => {
  test('moves the head to the row', () => {
    const table = new Table(0);
    applyRow(table, makeRow([makeGranted()]));
    expect([table.version, table.batch, table.atMs]).toEqual([1, 'batch-1', START_MS]);
  });

  test('an empty row moves the head and nothing else (R-3)', () => {
    expect(applied([makeGranted()], []).loginCount).toBe(1);
  });

  test('a login keeps what its event says, and where it stands', () => {
    const granted = makeGranted({ leaseSeconds: 60, processId: 4711, ends: START_MS + 9, parent: 'p' });
    const login = applied([], [granted]).places.get('a')?.logins.get('one');
    expect(login).toBeDefined();
    expect(login).toMatchObject({
      kind: 'user',
      phase: 'active',
      processId: 4711,
      leaseSeconds: 60,
      expiresAtMs: START_MS + 1 + 60_000,
      endsAtMs: START_MS + 9,
      moment: { version: 2, atMs: START_MS + 1 },
      index: 0,
      totals: { connections: 1, units: 1, unitsAdded: 1, transitioned: false },
      print: 7,
    });
  });

  test('it decides nothing: what breaks every rule is applied as it stands', () => {
    const grants = ['one', 'two', 'three'].map((login, index) =>
      makeGranted({ login, user: login, used: index + 1, instance: 'never registered' }),
    );
    expect(applied(grants).pools.get('key-1')?.units).toBe(3);
  });

  test('a transition is as the event says, not as the rule has it', () => {
    const grants = [
      makeGranted(),
      makeGranted({ login: 'two', connections: 2, units: 2, used: 2, transitioned: true }),
    ];
    expect(applied(grants).pools.get('key-1')?.users.get('alice')).toMatchObject({ transitioned: true });
  });

  test('a member that it does not know changes nothing: a format only gains optional ones', () => {
    const table = applied([{ ...makeGranted(), newMember: [1] } as JournalEvent]);
    expect(snapshotOf(table)).toEqual(snapshotOf(applied([makeGranted()])));
  });

  test('a refusal changes nothing', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    lictor.login();
    lictor.refuse({ claims: { user: 'bob' } });
    const before = snapshotOf(replay(lictor.rows.slice(0, -1)));
    expect(lictor.lastEvents).toMatchObject([{ type: 'refused' }]);
    expect(snapshotOf(replay(lictor.rows))).toMatchObject({ places: before.places, pools: before.pools });
  });

  test.each(['registered', 'configured', 'silenced', 'revived'] as const)(
    '%s carries the whole record',
    (type) => {
      const instance = makeInstance({ revision: type });
      expect(applied([{ type, instance, by: 0 }]).instances.get('a')).toEqual(instance);
    },
  );

  test.each(['key-installed', 'key-changed'] as const)('%s carries the whole record', (type) => {
    const key = { ...makeKey(), installedAtMs: 1, installedBy: 'x', revision: type };
    expect(applied([{ type, key, by: 0 }]).keys.get('key-1')).toEqual(key);
    expect(applied([{ type, key, by: 0 }], [{ type: 'key-removed', key: 'key-1', by: 0 }]).keys.size).toBe(0);
  });
});

describe('a fold that disagrees stops (R-4)', () => {
  const NOT_THERE = { instance: 'a', login: 'never', by: 0 };
  const WRONG: [string, readonly JournalEvent[], RegExp][] = [
    [
      'connections',
      [makeGranted({ connections: 2 })],
      /1 connections, 1 units, 1 used; the row says 2, 1, 1/,
    ],
    ['units', [makeGranted({ units: 2 })], /the row says 1, 2, 1/],
    ['units in use', [makeGranted({ used: 2 })], /the row says 1, 1, 2/],
    ['a login that is in already', [makeGranted(), makeGranted()], /journal 1:1: login one is already in/],
    ['units left after a release', [makeGranted(), { ...RELEASED, used: 1 }], /the row says 0, 0, 1/],
    ['a release of nobody', [RELEASED], /login one is not in the table/],
    ['a renewal of nobody', [{ type: 'renewed', expires: 1, ...NOT_THERE }], /login never is not/],
    ['a grace of nobody', [{ type: 'lingered', ends: 1, ...NOT_THERE }], /login never is not/],
    [
      'an identification of nobody',
      [{ ...makeGranted(), ...NOT_THERE, type: 'identified', user: 'x' }],
      /login never is not/,
    ],
    [
      'the units of a trade',
      [makeGranted(), { ...makeGranted(), type: 'identified', user: 'bob', used: 2 }],
      /the row says 1, 1, 2/,
    ],
    [
      'how many went',
      [
        makeGranted(),
        { type: 'ended', instance: 'a', reason: 'forced', logins: 2, used: [['key-1', 0]], by: 0 },
      ],
      /1 logins ended, the row says 2/,
    ],
    [
      'what was left of a pool',
      [
        makeGranted(),
        { type: 'ended', instance: 'a', reason: 'forced', logins: 1, used: [['key-1', 1]], by: 0 },
      ],
      /pool key-1 uses 0, the row says 1/,
    ],
    ['an event that nobody knows', [{ type: 'new' } as unknown as JournalEvent], /unknown event new/],
  ];

  test.each(WRONG)('over %s', (_, events, words) => {
    const table = new Table(0);
    const apply = () => applyRow(table, makeRow(events));
    expect(apply).toThrow(DivergenceError);
    expect(() => applyRow(new Table(0), makeRow(events))).toThrow(words);
    expect(table.version).toBe(0);
  });

  test.each([0, 2, 3])('over row %i after row 0 or 1: rows are neither skipped nor repeated', (version) => {
    expect(() => applyRow(new Table(0), makeRow([], { version }))).toThrow(DivergenceError);
    expect(() => applyRow(applied([]), makeRow([], { version: 1 }))).toThrow(
      /row 1 does not follow version 1/,
    );
  });
});

describe('the logins that an end names', () => {
  test('of an instance all, or those that live as long as it does; of a user those of his pool', () => {
    const lictor = world({
      keys: [makeKey(), makeKey({ id: 'key-2' })],
      instances: [{ name: 'a' }, { name: 'b', key: 'key-2' }, { name: 'c' }],
    });
    const bound = lictor.login();
    const leased = lictor.login({ leaseSeconds: 60 });
    const request = lictor.login({ claims: { kind: 'request' } });
    lictor.login({ instance: 'b' });
    const other = lictor.login({ instance: 'c' });
    const ids = (which: Parameters<typeof endedLogins>[1]) =>
      endedLogins(lictor.table, which).map((login) => login.id);
    expect(ids({ instance: 'a' })).toEqual([bound.id, leased.id, request.id]);
    expect(ids({ instance: 'a', boundOnly: true })).toEqual([bound.id]);
    expect(ids({ pool: 'key-1', user: 'alice' })).toEqual([bound.id, leased.id, other.id]);
    expect(ids({ instance: 'never' })).toEqual([]);
    expect(ids({ pool: 'key-1', user: 'nobody' })).toEqual([]);
    expect(ids({})).toEqual([]);
  });
});
