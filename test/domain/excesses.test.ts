import { describe, expect, test } from '@jest/globals';
import { EXCESS_INSTANCES_MAX, EXCESS_USERS_MAX, type Excess, unitMsAt } from '../../src/domain/excesses.ts';
import type { UpdateView } from '../../src/domain/operations.ts';
import {
  makeKey,
  makeLogin,
  makeLogout,
  makeRegister,
  START_MS,
  type World,
  world,
} from '../support/make.ts';
import { Reporter } from '../support/reporter.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

const INSTANCES = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

function localWorld(units = 10) {
  return world({ keys: [makeKey({ enforcement: 'local', units })], instances: INSTANCES });
}

function send(lictor: World, reporter: Reporter): UpdateView {
  const answer = lictor.ask(reporter.update());
  if (answer.is !== 'updated') throw new Error(`updated was expected, not ${JSON.stringify(answer)}`);
  reporter.hear(answer.update);
  return answer.update;
}

/** The records of a world's journal, the last of each episode. */
function ledger(lictor: World): Excess[] {
  const records = new Map<string, Excess>();
  for (const row of lictor.rows) {
    for (const event of row.events) if (event.type === 'excess') records.set(event.excess.id, event.excess);
  }
  return [...records.values()];
}

/** Two instances that let in 8 each on 10 units. */
function sixOver() {
  const lictor = localWorld();
  const [a, b] = [new Reporter('a'), new Reporter('b')];
  send(lictor, a.letIn('a', 8));
  lictor.nowMs += 1_000;
  send(lictor, b.letIn('b', 8));
  return { lictor, a, b };
}

describe('L-6: the over-limit ledger', () => {
  test('use at the limit is not over it (F-52)', () => {
    const lictor = localWorld();
    expect(send(lictor, new Reporter('a').letIn('a', 10))).toMatchObject({
      acknowledged: true,
      overLimit: null,
    });
    expect(ledger(lictor)).toEqual([]);
  });

  test('begins past the limit, with those who took use past it', () => {
    const { lictor } = sixOver();
    expect(ledger(lictor)).toEqual([
      {
        id: expect.stringMatching(/^0:\d+:1$/),
        pool: 'key-1',
        limit: 10,
        cause: 'reported',
        fromMs: START_MS + 1_000,
        atMs: START_MS + 1_000,
        toMs: null,
        units: 6,
        unitsMax: 6,
        unitMs: 0,
        users: [3, 4, 5, 6, 7, 8].map((index) => ({ user: `b${index}`, instance: 'b' })),
        usersCount: 6,
        instances: ['b'],
        endedBy: null,
      },
    ]);
  });

  test('ends below the limit, not at it; units over it are integrated over time (F-54)', () => {
    const { lictor, a, b } = sixOver();
    lictor.nowMs += 10_000;
    for (let index = 1; index <= 4; index += 1) a.set(`a${index}`, 0);
    expect(send(lictor, a)).toMatchObject({ acknowledged: false, overLimit: { units: 2, unitsMax: 6 } });
    lictor.nowMs += 5_000;
    expect(send(lictor, b.set('b1', 0).set('b2', 0))).toMatchObject({ acknowledged: false, inUse: 10 });
    lictor.nowMs += 5_000;
    expect(send(lictor, b.set('b3', 0))).toMatchObject({ acknowledged: true, reason: null, overLimit: null });
    const [episode] = ledger(lictor);
    expect(episode).toMatchObject({
      toMs: START_MS + 21_000,
      unitMs: 6 * 10_000 + 2 * 5_000,
      endedBy: 'logouts',
    });
    expect(unitMsAt(episode!, START_MS + 99_000)).toBe(70_000);
    expect(send(lictor, a)).toMatchObject({ acknowledged: true });
  });

  test('whoever comes while it lasts is named as well, also when he costs nothing', () => {
    const { lictor, a } = sixOver();
    send(lictor, a.set('a9', 1).set('b1', 1));
    expect(ledger(lictor)).toMatchObject([{ unitsMax: 7, usersCount: 8, instances: ['b', 'a'] }]);
    expect(ledger(lictor)[0]!.users.slice(-2)).toEqual([
      { user: 'a9', instance: 'a' },
      { user: 'b1', instance: 'a' },
    ]);
  });

  test('more connections of those who are in are nobody’s fault, until they transition (F-53, F-32)', () => {
    const { lictor, a } = sixOver();
    send(lictor, a.set('a1', 25));
    expect(ledger(lictor)[0]).toMatchObject({ unitsMax: 6, usersCount: 6 });
    send(lictor, a.set('a1', 26));
    expect(ledger(lictor)[0]).toMatchObject({ unitsMax: 31, usersCount: 7 });
  });

  test('nobody is in who left in the same update', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.letIn('a', 10));
    for (let index = 1; index <= 5; index += 1) a.set(`new${index}`, 1).set(`a${index}`, 0);
    expect(send(lictor, a)).toMatchObject({ acknowledged: true, inUse: 10 });
    expect(ledger(lictor)).toEqual([]);
  });

  test('of many users the first are named, and all are counted', () => {
    const lictor = localWorld(1);
    send(lictor, new Reporter('a').letIn('a', EXCESS_USERS_MAX + 51));
    const [episode] = ledger(lictor);
    expect(episode?.users).toHaveLength(EXCESS_USERS_MAX);
    expect(episode?.usersCount).toBe(EXCESS_USERS_MAX + 50);
  });

  test('of many instances the first are named, so that a record stays small', () => {
    const names = Array.from({ length: EXCESS_INSTANCES_MAX + 5 }, (_, index) => `i${index}`);
    const keys = [makeKey({ enforcement: 'local', units: 1 })];
    const lictor = world({ keys, instances: names.map((name) => ({ name })) });
    for (const name of names) send(lictor, new Reporter(name).set(`user ${name}`, 1));
    const [episode] = ledger(lictor);
    expect(episode?.usersCount).toBe(names.length - 1);
    expect(episode?.instances).toEqual(names.slice(1, EXCESS_INSTANCES_MAX + 1));
  });

  test('the most of a batch counts, also when its next operation takes some of it away', () => {
    const { lictor, a, b } = sixOver();
    for (let index = 1; index <= 4; index += 1) b.set(`b${index}`, 0);
    lictor.run([a.letIn('x', 5).update(), b.update()]);
    expect(ledger(lictor)).toMatchObject([{ units: 7, unitsMax: 11, usersCount: 11 }]);
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });

  test('ends when instances do not decide for themselves any more, and nobody is stopped for it then', () => {
    const lictor = world({ keys: [makeKey({ enforcement: 'local', units: 3 })], instances: INSTANCES });
    for (const user of ['x', 'y', 'z']) lictor.login({ instance: 'b', claims: { user } });
    const a = new Reporter('a').letIn('a', 4);
    send(lictor, a);
    for (let index = 1; index <= 4; index += 1) a.set(`a${index}`, 0);
    expect(send(lictor, a)).toMatchObject({ acknowledged: false, inUse: 3 });
    const changes = { enforcement: 'leased' } as const;
    lictor.ask({ op: 'change-key', id: 'key-1', changes, ifRevision: null, actor: 'tester' });
    expect(ledger(lictor)).toMatchObject([{ endedBy: 'change', toMs: expect.any(Number), units: 0 }]);
    expect(send(lictor, a)).toMatchObject({ acknowledged: true, overLimit: null });
  });

  test('an instance that comes back from silence brings it back as returned', () => {
    const { lictor, a, b } = sixOver();
    const reap = {
      op: 'reap-instance',
      incarnation: 1,
      observedMs: Number.MAX_SAFE_INTEGER,
      actor: 'lictor',
    } as const;
    lictor.ask({ ...reap, name: 'b' });
    expect(ledger(lictor)).toMatchObject([{ endedBy: 'silence' }]);
    expect(send(lictor, b)).toMatchObject({ resend: true, acknowledged: true });
    for (const part of b.full(3)) lictor.ask(part);
    expect(ledger(lictor)).toMatchObject([
      {},
      { cause: 'returned', unitsMax: 6, instances: ['b'], toMs: null },
    ]);
    expect(send(lictor, a)).toMatchObject({ acknowledged: false });
  });

  const ENDS: Record<string, (lictor: World) => void> = {
    restart: (lictor) => lictor.ask(makeRegister({ name: 'b' })),
    removal: (lictor) => lictor.ask({ op: 'deregister', name: 'b', actor: 'tester' }),
  };
  test.each(Object.entries(ENDS))('%s of an instance ends it', (endedBy, end) => {
    const { lictor } = sixOver();
    end(lictor);
    expect(ledger(lictor)).toMatchObject([{ endedBy, toMs: expect.any(Number) }]);
    expect(lictor.table.over.size).toBe(0);
  });

  test('closing an instance, or giving it another key, ends it as removal', () => {
    for (const end of [
      { op: 'close-instance', name: 'b', incarnation: 1, actor: 'tester' } as const,
      makeRegister({ name: 'b', incarnation: 1, key: null }),
    ]) {
      const { lictor } = sixOver();
      lictor.ask(end);
      expect(ledger(lictor)).toMatchObject([{ endedBy: 'removal' }]);
    }
  });

  test('a logout at the server ends it too, and so does what ends by time', () => {
    for (const kind of ['user', 'request'] as const) {
      const lictor = localWorld();
      const a = new Reporter('a');
      const held = lictor.login({ instance: 'b', claims: { kind, user: 'held' } });
      send(lictor, a.letIn('a', 10));
      expect(ledger(lictor)).toMatchObject([{ units: 1 }]);
      send(lictor, a.set('a1', 0));
      lictor.nowMs += 10_000;
      if (kind === 'user') lictor.logout(held);
      else lictor.wait(0);
      expect(ledger(lictor)).toMatchObject([{ endedBy: 'logouts', unitMs: 0 }]);
    }
  });

  test('logins and logouts at the server write one record a batch while it lasts', () => {
    const lictor = world({ keys: [makeKey({ enforcement: 'local', units: 3 })], instances: INSTANCES });
    const logins = ['x', 'y', 'z'].map((user) => lictor.login({ instance: 'b', claims: { user } }));
    send(lictor, new Reporter('a').letIn('a', 4));
    lictor.run([
      ...logins.slice(1).map(({ id, instance }) => makeLogout({ id, instance })),
      makeLogin({ id: 'more', instance: 'b', claims: { user: 'x' } }),
    ]);
    const written = lictor.lastEvents.filter(({ type }) => type === 'excess');
    expect(written).toMatchObject([{ excess: { units: 2, unitsMax: 4 } }]);
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });
});
