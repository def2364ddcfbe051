import { describe, expect, test } from '@jest/globals';
import type { Excess } from '../../src/domain/excesses.ts';
import { Touched } from '../../src/domain/holdings/holdings.ts';
import { Login } from '../../src/domain/holdings/login.ts';
import type { ReportState } from '../../src/domain/local/reports.ts';
import {
  ORDINARY,
  RELEASED_KEPT_MAX,
  RELEASED_KEPT_MS,
  type Standing,
  Table,
} from '../../src/domain/table.ts';
import {
  makeInstance,
  makeKey,
  makeLogin,
  makeLogout,
  makeRegister,
  START_MS,
  world,
} from '../support/make.ts';
import { snapshotOf } from '../support/snapshot.ts';

const TWO = [{ name: 'a' }, { name: 'b' }];
const TRANSITIONED: Standing = { transitioned: true, apart: false };

/** Adds a login of a user to a bare table. */
function add(
  table: Table,
  id: string,
  fields: { instance?: string; user?: string | null; endsAtMs?: number } = {},
) {
  const { instance = 'a', user = 'alice', endsAtMs = 0 } = fields;
  const login = new Login(id, table.place(instance), table.pool('key-1'));
  login.endsAtMs = endsAtMs;
  table.addLogin(login, user, ORDINARY);
  return login;
}

function makeReport(): ReportState {
  const digest = { rows: 1, connections: 2, checksum: 3 };
  return {
    ...digest,
    incarnation: 1,
    pool: 'key-1',
    counted: true,
    sequence: 1,
    fullFrom: 0,
    lost: null,
    atMs: 0,
  };
}

function makeExcess(): Excess {
  const [fromMs, atMs] = [START_MS, START_MS];
  const who = { users: [], usersCount: 0, instances: [] };
  const over = { units: 6, unitsMax: 6, unitMs: 0 };
  const times = { fromMs, atMs, toMs: null };
  return {
    id: '0:1:0',
    pool: 'key-1',
    limit: 10,
    cause: 'reported',
    endedBy: null,
    ...times,
    ...over,
    ...who,
  };
}

/** A table on which two users have three logins on two instances, and one ID is remembered. */
function makeTable() {
  const table = new Table(0);
  table.setInstance('a', makeInstance());
  const login = add(table, 'one');
  add(table, 'two', { instance: 'b' });
  add(table, 'three', { user: 'bob', endsAtMs: START_MS });
  table.removeLogin(add(table, 'gone', { user: 'carol' }), START_MS, 'logout');
  return { table, login };
}

describe('taking changes back', () => {
  const CHANGES: Record<string, (table: Table, login: Login) => void> = {
    'a login that came': (table) => add(table, 'new', { user: 'dave', endsAtMs: START_MS + 1 }),
    'a login that is nobody': (table) => add(table, 'new', { user: null }),
    'an emergency login': (table) => {
      const login = new Login('new', table.place('a'), table.pool('key-1'));
      login.kind = 'emergency';
      table.addLogin(login, null, ORDINARY);
      table.removeLogin(login, START_MS, 'logout');
    },
    'a user who came again': (table) => add(table, 'new', { instance: 'b' }),
    'a transition': (table) => {
      const login = new Login('new', table.place('b'), table.pool('key-1'));
      table.addLogin(login, 'alice', TRANSITIONED);
    },
    'a login that went': (table, login) => table.removeLogin(login, START_MS, 'logout'),
    'a user who went and came back': (table, login) => {
      for (const id of ['one', 'two']) {
        const place = table.place(id === 'one' ? 'a' : 'b');
        table.removeLogin(place.logins.get(id)!, START_MS, 'logout');
      }
      add(table, 'again', { instance: login.place.instance });
    },
    'a user who became another': (table, login) => {
      table.disconnect(login, false);
      table.connect(login, 'bob', TRANSITIONED);
    },
    'a field of a login': (table, login) => {
      table.setLogin(login, 'phase', 'grace');
      table.setLogin(login, 'endsAtMs', START_MS + 5);
      table.setLogin(login, 'expiresAtMs', START_MS + 6);
      table.setLogin(login, 'pool', table.pool('key-2'));
    },
    'an ID that was remembered and others forgotten': (table, login) =>
      table.removeLogin(login, START_MS + RELEASED_KEPT_MS, 'logout'),
    'what an instance reported, and how far its reports have come': (table) => {
      const place = table.place('b');
      const row = { connections: 2, webSessions: 1, transitioned: false, sequence: 1 };
      table.shift(table.pool('key-1'), 'alice', place, 2, TRANSITIONED);
      table.setReported(place, 'alice', row);
      table.setReported(place, 'alice', null);
      table.setReported(place, 'erin', row);
      table.setReport(place, makeReport());
    },
    'an episode over the limit': (table) => {
      table.setExcess(table.pool('key-1'), makeExcess());
      table.setExcess(table.pool('key-1'), { ...makeExcess(), units: 7 });
    },
    'a key and an instance that came, changed or went': (table) => {
      const key = { ...makeKey(), installedAtMs: 0, installedBy: 'x', revision: '0:1:0' };
      table.setKey('key-1', key);
      table.setKey('key-1', null);
      table.setInstance('a', null);
      table.setInstance('b', makeInstance({ name: 'b' }));
    },
  };

  test.each(Object.keys(CHANGES))('%s leaves no trace', (name) => {
    const { table, login } = makeTable();
    const before = snapshotOf(table);
    table.begin();
    CHANGES[name]!(table, login);
    expect(snapshotOf(table)).not.toEqual(before);
    table.rollback();
    expect(snapshotOf(table)).toEqual(before);
    expect(table.over.size).toBe(0);
    expect(table.due.take(START_MS)?.id).toBe('three');
  });

  test('what was taken back can be done again, and what was committed cannot be taken back', () => {
    const { table, login } = makeTable();
    table.begin();
    table.removeLogin(login, START_MS, 'logout');
    const once = snapshotOf(table);
    table.rollback();
    table.begin();
    table.removeLogin(login, START_MS, 'logout');
    table.commit();
    table.rollback();
    expect(snapshotOf(table)).toEqual(once);
  });

  test('an end that fell due in a batch that was taken back falls due again (R-14)', () => {
    const lictor = world();
    const request = lictor.login({ claims: { kind: 'request' } });
    const web = lictor.login({ claims: { kind: 'web' } });
    lictor.nowMs += 10_000;
    const once = lictor.draft([makeLogout({ id: web.id, onePage: true })]).draft.events;
    lictor.table.rollback();
    const again = lictor.draft([makeLogout({ id: web.id, onePage: true })]).draft;
    expect(again.events).toEqual(once);
    expect(again.events[0]).toMatchObject({ type: 'released', login: request.id, reason: 'due' });
    lictor.commit(again);
    lictor.wait(600_000);
    expect(lictor.table.loginCount).toBe(0);
  });
});

describe('where a user’s connections are', () => {
  test('every instance has its own count, and together they are his', () => {
    const lictor = world({ instances: [...TWO, { name: 'c' }] });
    lictor.logins(3, { instance: 'b' });
    const here = lictor.logins(2, { instance: 'a' });
    lictor.login({ instance: 'c' });
    const at = () =>
      ['a', 'b', 'c', 'd'].map((name) => lictor.user('alice')?.connectionsAt(lictor.table.place(name)));
    expect(at()).toEqual([2, 3, 1, 0]);
    for (const login of here) lictor.logout(login);
    expect(at()).toEqual([0, 3, 1, 0]);
  });

  test('it does not matter which instance he leaves first', () => {
    const lictor = world({ keys: [makeKey({ connectionsPerUnitMax: 2 })], instances: TWO });
    const [first] = lictor.logins(2, { instance: 'a' });
    const there = lictor.logins(2, { instance: 'b' });
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([4, 2, 2]);
    lictor.logout(first!);
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([3, 1, 2]);
    for (const login of there) lictor.logout(login);
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([1, 1, 0]);
  });
});

describe('peaks (trap 12)', () => {
  test('a user’s peak is of his present stay, a pool’s of all time', () => {
    const lictor = world();
    const logins = lictor.logins(3);
    lictor.logout(logins.pop()!);
    expect([lictor.user('alice')?.connections, lictor.user('alice')?.connectionsPeak]).toEqual([2, 3]);
    lictor.login({ claims: { user: 'bob' } });
    for (const login of logins) lictor.logout(login);
    lictor.login();
    expect(lictor.user('alice')?.connectionsPeak).toBe(1);
    const { unitsPeak, usersPeak, connectionsPeak } = lictor.table.pools.get('key-1')!;
    expect({ unitsPeak, usersPeak, connectionsPeak }).toEqual({
      unitsPeak: 2,
      usersPeak: 2,
      connectionsPeak: 3,
    });
  });

  test('a refusal, or a batch that is taken back, raises none', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    lictor.login();
    lictor.refuse({ claims: { user: 'bob' } });
    lictor.draft([makeLogin({ id: 'x' })]);
    lictor.table.rollback();
    expect(lictor.table.pools.get('key-1')).toMatchObject({ unitsPeak: 1, usersPeak: 1, connectionsPeak: 1 });
  });
});

describe('remembered IDs (R-7)', () => {
  test('are bounded in number: the oldest are forgotten first', () => {
    const table = new Table(0);
    table.setInstance('a', makeInstance());
    const place = table.place('a');
    for (let index = 0; index < RELEASED_KEPT_MAX + 2_000; index += 1) {
      table.remember(new Login(`id-${index}`, place, table.pool('key-1')), START_MS, 'logout');
    }
    expect(place.released.size).toBe(RELEASED_KEPT_MAX);
    expect([place.released.has('id-1999'), place.released.has('id-2000')]).toEqual([false, true]);
    table.remember(new Login('last', place, table.pool('key-1')), START_MS + RELEASED_KEPT_MS, 'logout');
    expect([...place.released.keys()]).toEqual(['last']);
  });

  test('the place of an instance that has gone goes with its last ID; that of one that is there stays', () => {
    const lictor = world({ instances: TWO });
    lictor.logout(lictor.login({ instance: 'b' }));
    lictor.logout(lictor.login({ instance: 'a' }));
    lictor.ask({ op: 'deregister', name: 'b', actor: 'tester' });
    expect(lictor.table.places.has('b')).toBe(true);
    lictor.nowMs += RELEASED_KEPT_MS;
    lictor.logout(lictor.login({ instance: 'a' }));
    expect([lictor.table.places.has('a'), lictor.table.places.has('b')]).toEqual([true, false]);
    lictor.ask(makeRegister({ name: 'b' }));
    expect(lictor.login({ instance: 'b' }).connections).toBe(1);
  });
});

test('the number of logins is over all instances, whoever they are', () => {
  const lictor = world({ instances: TWO });
  lictor.logins(2);
  lictor.login({ instance: 'b', claims: { kind: 'system' } });
  expect(lictor.table.loginCount).toBe(3);
});

describe('what the fold is told to write', () => {
  test('everything a batch changed, and nothing else', () => {
    const lictor = world({ instances: TWO });
    const [stays, goes] = lictor.logins(2);
    lictor.login({ claims: { user: 'bob' }, instance: 'b' });
    const touched = new Touched();
    lictor.table.touched = touched;
    lictor.logout(goes!);
    lictor.login({ id: 'new', claims: { user: 'carol' } });
    const ids = (entries: Iterable<{ id: string }>) => [...entries].map((entry) => entry.id).sort();
    expect(ids(touched.logins)).toEqual([goes!.id, 'new'].sort());
    expect(ids(touched.users)).toEqual(['alice', 'carol']);
    expect(ids(touched.pools)).toEqual(['key-1']);
    expect(ids(touched.logins)).not.toContain(stays!.id);
  });

  test('both users of a trade, and IDs that are forgotten', () => {
    const lictor = world();
    lictor.logout(lictor.login({ id: 'old' }));
    const login = lictor.login();
    lictor.nowMs += RELEASED_KEPT_MS;
    const touched = new Touched();
    lictor.table.touched = touched;
    lictor.ask({ op: 'identify', instance: 'a', id: login.id, user: 'bob', actor: 'tester' });
    lictor.logout(login);
    expect([...touched.users].map((user) => user.id).sort()).toEqual(['alice', 'bob']);
    expect([...touched.logins].map((one) => one.id)).toContain('old');
  });
});
