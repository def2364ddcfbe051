import { describe, expect, test } from '@jest/globals';
import type { Report, UpdateView } from '../../src/domain/operations.ts';
import { makeExpiredKey, makeKey, makeRegister, problem, type World, world } from '../support/make.ts';
import { Reporter } from '../support/reporter.ts';
import { contentOf, replay, snapshotOf } from '../support/snapshot.ts';

const TWO = [{ name: 'a' }, { name: 'b' }];
const THREE = [...TWO, { name: 'c' }];

function localWorld(fields: Parameters<typeof makeKey>[0] = {}, instances: { name: string }[] = TWO) {
  return world({ keys: [makeKey({ enforcement: 'local', units: 10, ...fields })], instances });
}

function ask(lictor: World, report: Report): UpdateView {
  const answer = lictor.ask(report);
  if (answer.is !== 'updated') throw new Error(`updated was expected, not ${JSON.stringify(answer)}`);
  return answer.update;
}

/** Sends what a reporter has to say, and lets it hear the answer. */
function send(lictor: World, reporter: Reporter): UpdateView {
  const update = ask(lictor, reporter.update());
  reporter.hear(update);
  return update;
}

function sendFull(lictor: World, reporter: Reporter): UpdateView {
  const [last] = reporter.full().map((part) => ask(lictor, part));
  reporter.hear(last!);
  return last!;
}

/** What the server holds of an instance: user IDs with connections. */
function rows(lictor: World, instance: string) {
  const reported = lictor.table.places.get(instance)?.reported ?? new Map();
  return Object.fromEntries([...reported].map(([id, { connections }]) => [id, connections]).sort());
}

const silence = (lictor: World, name: string, incarnation = 1) =>
  lictor.ask({
    op: 'reap-instance',
    name,
    incarnation,
    observedMs: Number.MAX_SAFE_INTEGER,
    actor: 'lictor',
  });

describe('L-1: the numbers of updates (F-51)', () => {
  test('changes are taken as they are, and only those that are said', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    expect(send(lictor, a.set('alice', 2).set('bob', 1))).toMatchObject({
      sequence: 1,
      resend: false,
      inUse: 2,
    });
    expect(send(lictor, a.set('alice', 3))).toMatchObject({ sequence: 2, resend: false });
    expect(lictor.lastEvents).toMatchObject([{ type: 'reported', rows: [['alice', 3, 0, 0]], came: 0 }]);
    expect(send(lictor, a.set('bob', 0))).toMatchObject({ sequence: 3, resend: false, inUse: 1 });
    expect(rows(lictor, 'a')).toEqual({ alice: 3 });
  });

  test('one that is repeated, or comes after a later one, changes nothing', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    const first = a.set('alice', 2).update();
    const second = a.set('alice', 5).update();
    ask(lictor, second);
    const before = snapshotOf(lictor.table);
    for (const late of [first, second, first]) {
      expect(ask(lictor, late)).toMatchObject({ sequence: 2, resend: false });
    }
    expect(snapshotOf(lictor.table)).toEqual(before);
  });

  test('one whose predecessor was lost says what both say', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    a.set('alice', 1).update();
    expect(send(lictor, a.set('bob', 1))).toMatchObject({ sequence: 2, resend: false });
    expect(rows(lictor, 'a')).toEqual({ alice: 1, bob: 1 });
  });

  test('a gap asks for a full report, and changes nothing', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.set('alice', 1));
    a.hear({ sequence: 7 });
    a.sequence = 7;
    expect(send(lictor, a.set('bob', 1))).toMatchObject({ sequence: 1, resend: true });
    expect(rows(lictor, 'a')).toEqual({ alice: 1 });
    expect(sendFull(lictor, a)).toMatchObject({ sequence: 9, resend: false });
    expect(rows(lictor, 'a')).toEqual({ alice: 1, bob: 1 });
  });

  test('nothing new is a sign of life only, and appends nothing', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.set('alice', 1));
    const { length } = lictor.rows;
    expect(send(lictor, a)).toMatchObject({ sequence: 1, resend: false });
    expect(lictor.rows).toHaveLength(length);
  });

  test('a digest that differs asks for a full report, which mends it', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.set('alice', 1).set('bob', 1));
    // The instance lost track of what it had told.
    a.rows.delete('bob');
    expect(send(lictor, a)).toMatchObject({ resend: true });
    expect(send(lictor, a.set('carol', 1))).toMatchObject({ resend: true });
    expect(sendFull(lictor, a)).toMatchObject({ resend: false, inUse: 2 });
    expect(lictor.lastEvents).toMatchObject([{ dropped: 1, came: 0 }]);
  });
});

describe('L-2: a full report in parts', () => {
  const parts = (reporter: Reporter) => {
    for (let index = 1; index <= 5; index += 1) reporter.set(`u${index}`, index);
    return reporter.full(2) as [Report, Report, Report];
  };

  test('drops at its end whoever none of its parts has named', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.set('old', 1).set('u1', 9));
    a.set('old', 0);
    const [first, second, third] = parts(a);
    expect(ask(lictor, first)).toMatchObject({ resend: false, inUse: 3 });
    expect(ask(lictor, second)).toMatchObject({ resend: false });
    expect(rows(lictor, 'a')).toMatchObject({ old: 1 });
    expect(ask(lictor, third)).toMatchObject({ resend: false, inUse: 5 });
    expect(rows(lictor, 'a')).toEqual({ u1: 1, u2: 2, u3: 3, u4: 4, u5: 5 });
  });

  test('a part that is missing asks for another, and a repeated one changes nothing', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    const [first, second, third] = parts(a);
    ask(lictor, first);
    expect(ask(lictor, third)).toMatchObject({ resend: true, sequence: 1 });
    expect(ask(lictor, first)).toMatchObject({ resend: false, sequence: 1 });
    expect(ask(lictor, second)).toMatchObject({ resend: false, sequence: 2 });
    const again = a.full();
    expect(ask(lictor, again[0]!)).toMatchObject({ resend: false, sequence: 4 });
    expect(ask(lictor, third)).toMatchObject({ resend: false, sequence: 4 });
    expect(rows(lictor, 'a')).toEqual({ u1: 1, u2: 2, u3: 3, u4: 4, u5: 5 });
  });

  test('changes in the middle of it ask for a new one', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    const [first] = parts(a);
    a.hear(ask(lictor, first));
    a.sequence = 1;
    expect(send(lictor, a.set('x', 1))).toMatchObject({ resend: true });
  });
});

describe('L-4: the combined table', () => {
  test('the same user on three instances costs one unit, with 30 connections in all he costs 30 (F-31, F-32)', () => {
    const lictor = localWorld({ units: 100 }, THREE);
    const all = ['a', 'b', 'c'].map((name) => new Reporter(name));
    for (const each of all) send(lictor, each.set('alice', 5));
    expect([lictor.units(), lictor.unitsAt('a')]).toEqual([1, 1]);
    for (const each of all) send(lictor, each.set('alice', 10));
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('c')]).toEqual([30, 10, 10]);
    expect(lictor.user('alice')).toMatchObject({ connections: 30, transitioned: true });
  });

  test('who transitioned over all instances is told to each that does not know it', () => {
    const lictor = localWorld({ units: 100, connectionsPerUnitMax: 3 });
    const [a, b] = [new Reporter('a'), new Reporter('b')];
    expect(send(lictor, a.set('alice', 2)).transitioned).toEqual([]);
    expect(send(lictor, b.set('alice', 2)).transitioned).toEqual(['alice']);
    expect(send(lictor, a).transitioned).toEqual(['alice']);
    expect(send(lictor, a.set('alice', 2, { transitioned: true })).transitioned).toEqual([]);
    expect(send(lictor, b).transitioned).toEqual(['alice']);
  });

  test('the transition stays until no connection is left anywhere (F-33)', () => {
    const lictor = localWorld({ connectionsPerUnitMax: 3 });
    const [a, b] = [new Reporter('a'), new Reporter('b')];
    send(lictor, a.set('alice', 2));
    send(lictor, b.set('alice', 2));
    send(lictor, a.set('alice', 0));
    expect(lictor.units()).toBe(2);
    send(lictor, b.set('alice', 0));
    send(lictor, b.set('alice', 2));
    expect(lictor.units()).toBe(1);
  });

  test('an instance may know of a transition first, and that the user had nothing left since (F-33)', () => {
    const lictor = localWorld();
    const [a, b] = [new Reporter('a'), new Reporter('b')];
    send(lictor, a.set('alice', 4, { transitioned: true }));
    expect(lictor.units()).toBe(4);
    send(lictor, a.set('alice', 4));
    expect(lictor.units()).toBe(1);
    send(lictor, a.set('alice', 4, { transitioned: true }));
    send(lictor, b.set('alice', 1));
    send(lictor, a.set('alice', 2));
    expect(lictor.units()).toBe(3);
  });

  test('logins at the server count with what is reported', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.letIn('u', 9).set('alice', 1));
    lictor.login({ instance: 'b' });
    expect(lictor.units()).toBe(10);
    expect(lictor.refuse({ instance: 'b', claims: { user: 'zoe' } })).toMatchObject({
      code: 'units-exhausted',
    });
    send(lictor, a.set('alice', 0));
    expect([lictor.units(), lictor.user('alice')?.connections]).toEqual([10, 1]);
  });

  test('under a leased key rows are held and do not count', () => {
    const lictor = localWorld({ enforcement: 'leased' });
    const a = new Reporter('a');
    expect(send(lictor, a.letIn('u', 30))).toMatchObject({ acknowledged: true, inUse: 0, resend: false });
    expect(lictor.table.places.get('a')?.reported.size).toBe(30);
  });

  test('under a central key nothing is held and nothing is missed', () => {
    const lictor = localWorld({ enforcement: 'central' });
    const a = new Reporter('a');
    expect(send(lictor, a.letIn('u', 3))).toMatchObject({ acknowledged: true, resend: false, sequence: 0 });
    expect(rows(lictor, 'a')).toEqual({});
  });

  test('a key that has expired gets NAK with the reason, and what is in counts on', () => {
    const lictor = world({ keys: [makeExpiredKey({ enforcement: 'local' })], instances: TWO });
    const update = send(lictor, new Reporter('a').letIn('u', 3));
    expect(update).toMatchObject({ acknowledged: false, reason: 'key-expired', inUse: 3 });
    expect(update.terms).toMatchObject({ limit: 1, enforcement: 'local' });
  });
});

describe('L-5: the end of what was reported', () => {
  test('a new incarnation replaces the rows of the old one in the same step (R-10)', () => {
    const lictor = localWorld();
    const [a, b] = [new Reporter('a'), new Reporter('b')];
    send(lictor, a.letIn('u', 4));
    send(lictor, b.set('u1', 1));
    lictor.ask(makeRegister());
    expect(lictor.lastEvents).toMatchObject([
      { type: 'unreported', reason: 'restarted', rows: 4, used: 1 },
      { type: 'registered' },
    ]);
    expect(problem(lictor.ask(a.set('x', 1).update())).code).toBe('incarnation-old');
    expect(send(lictor, a.restart(2).set('x', 1))).toMatchObject({ sequence: 1, inUse: 2, resend: false });
  });

  test('deregistration gives everything back, and leaves nothing', () => {
    const lictor = localWorld();
    const before = contentOf(lictor.table);
    lictor.ask(makeRegister({ name: 'c' }));
    send(lictor, new Reporter('c').letIn('u', 4));
    lictor.ask({ op: 'deregister', name: 'c', actor: 'tester' });
    expect(lictor.table.places.has('c')).toBe(false);
    expect(contentOf(lictor.table)).toMatchObject({ places: before.places, instances: before.instances });
    expect(lictor.units()).toBe(0);
  });

  test('rows count until the grace ends; a full report of the same incarnation brings them back', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.letIn('u', 4));
    lictor.nowMs += 59_000;
    expect(lictor.units()).toBe(4);
    silence(lictor, 'a');
    expect(lictor.units()).toBe(0);
    expect(send(lictor, a.set('u1', 0))).toMatchObject({ resend: true, inUse: 0, sequence: 1 });
    expect(lictor.table.instances.get('a')).toMatchObject({ state: 'active', incarnation: 1 });
    expect(sendFull(lictor, a)).toMatchObject({ resend: false, inUse: 3, acknowledged: true });
    expect(rows(lictor, 'a')).toEqual({ u2: 1, u3: 1, u4: 1 });
  });

  test('an update that was under way when the instance fell silent does not wake it', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    const late = a.letIn('u', 4).update();
    ask(lictor, late);
    silence(lictor, 'a');
    expect(ask(lictor, late)).toMatchObject({ resend: false, inUse: 0 });
    expect(lictor.table.instances.get('a')?.state).toBe('silent');
  });

  test('an instance that was closed comes back by a registration only', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    const held = lictor.login();
    send(lictor, a.letIn('u', 4));
    const close = { op: 'close-instance', name: 'a', incarnation: 1, actor: 'tester' } as const;
    expect(lictor.ask(close)).toEqual({ is: 'done' });
    expect(lictor.units()).toBe(0);
    expect(lictor.table.places.get('a')?.released.get(held.id)?.reason).toBe('closed');
    const { length } = lictor.rows;
    expect(lictor.ask(close)).toEqual({ is: 'done' });
    expect(lictor.rows).toHaveLength(length);
    expect(problem(lictor.ask(a.full()[0]!))).toMatchObject({
      code: 'instance-silent',
      extras: { lost: 'closed' },
    });
    expect(lictor.ask(makeRegister({ incarnation: 1 }))).toMatchObject({ outcome: 'restart' });
    expect(problem(lictor.ask(close)).code).toBe('incarnation-old');
    expect(lictor.table.instances.get('a')).not.toHaveProperty('closed');
  });

  test('a change of the key within an incarnation asks for everything anew', () => {
    const keys = [makeKey({ enforcement: 'local' }), makeKey({ id: 'key-2', enforcement: 'local' })];
    const lictor = world({ keys, instances: TWO });
    const a = new Reporter('a');
    const first = a.letIn('u', 4).update();
    a.hear(ask(lictor, first));
    lictor.ask(makeRegister({ key: 'key-2', incarnation: 1 }));
    expect([lictor.units(), lictor.units('key-2')]).toEqual([0, 0]);
    // One that was under way does not count under the new key.
    expect(ask(lictor, first)).toMatchObject({ resend: false, inUse: 0 });
    expect(send(lictor, a)).toMatchObject({ resend: true });
    sendFull(lictor, a);
    expect([lictor.units(), lictor.units('key-2')]).toEqual([0, 4]);
  });

  test('L-9: a key whose rows count elsewhere cannot change its enforcement; the instances are named', () => {
    const lictor = localWorld();
    const a = new Reporter('a');
    send(lictor, a.letIn('u', 1));
    const change = (enforcement: 'central' | 'leased') =>
      lictor.ask({
        op: 'change-key',
        id: 'key-1',
        changes: { enforcement },
        ifRevision: null,
        actor: 'tester',
      });
    expect(problem(change('leased'))).toMatchObject({
      code: 'key-in-use',
      detail: expect.stringContaining('"a"'),
    });
    send(lictor, a.set('u1', 0));
    expect(change('leased')).toMatchObject({ is: 'key', key: { enforcement: 'leased' } });
  });
});

test('what cannot be: nobody, and a life that is not the present one', () => {
  const lictor = localWorld();
  expect(problem(lictor.ask(new Reporter('nobody').update())).code).toBe('instance-not-found');
  for (const incarnation of [2, 7]) {
    const report = new Reporter('a').restart(incarnation).update();
    expect(problem(lictor.ask(report)).code).toBe('incarnation-old');
  }
  expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
});
