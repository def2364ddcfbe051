import { describe, expect, test } from '@jest/globals';
import { DUE_PER_BATCH_MAX } from '../../src/domain/decide.ts';
import { REQUEST_HOLD_MS } from '../../src/domain/logins.ts';
import { WEB_GRACE_MS } from '../../src/domain/releases.ts';
import {
  granted,
  makeKey,
  makeLogin,
  makeLogout,
  makeReap,
  makeRegister,
  problem,
  START_MS,
  world,
} from '../support/make.ts';
import { contentOf } from '../support/snapshot.ts';

const TWO = [{ name: 'a' }, { name: 'b' }];

describe('logging out (R-7)', () => {
  test('gives the unit back, tells who went, and can be repeated', () => {
    const lictor = world();
    const login = lictor.login();
    const answer = lictor.logout(login);
    expect(answer).toEqual({ is: 'released', login, decision: `0:${lictor.table.version}:0` });
    expect(lictor.lastEvents).toMatchObject([{ type: 'released', reason: 'logout', freed: 1, used: 0 }]);
    const rows = lictor.rows.length;
    expect(lictor.logout(login)).toEqual({ is: 'released', login: null, decision: null });
    expect(lictor.rows).toHaveLength(rows);
  });

  test('the ID is not granted again, and the answer says why it went and when', () => {
    const lictor = world();
    const login = lictor.login({ id: 'mine' });
    lictor.nowMs += 1_000;
    lictor.ask(makeLogout({ id: login.id, reason: 'forced', note: 'maintenance' }));
    expect(problem(lictor.ask(makeLogin({ id: 'mine' })))).toEqual({
      is: 'problem',
      code: 'login-released',
      detail:
        'The login mine was released (forced); its ID is not granted again. Make a new ID for a new login.',
      extras: { reason: 'forced', releasedAt: new Date(START_MS + 1_000).toISOString() },
    });
    expect(lictor.units()).toBe(0);
  });

  test('a logout that overtakes its login forestalls it', () => {
    const lictor = world();
    expect(lictor.ask(makeLogout({ id: 'late' }))).toMatchObject({ is: 'released', login: null });
    expect(lictor.lastEvents).toEqual([{ type: 'forestalled', instance: 'a', login: 'late', by: 0 }]);
    expect(problem(lictor.ask(makeLogin({ id: 'late' }))).code).toBe('login-released');
    const rows = lictor.rows.length;
    lictor.ask(makeLogout({ id: 'late' }));
    expect(lictor.rows).toHaveLength(rows);
  });

  test('login and logout in one batch come out even, whichever is first', () => {
    const lictor = world();
    const answers = lictor.run([
      makeLogin({ id: 'one' }),
      makeLogout({ id: 'one' }),
      makeLogout({ id: 'two' }),
      makeLogin({ id: 'two' }),
    ]);
    expect(answers.map((answer) => answer.is)).toEqual(['granted', 'released', 'released', 'problem']);
    expect([lictor.units(), lictor.table.loginCount]).toEqual([0, 0]);
  });

  test('an ID is forgotten ten minutes after, once something else is released', () => {
    const lictor = world();
    lictor.logout(lictor.login({ id: 'mine' }));
    lictor.nowMs += 599_999;
    lictor.logout(lictor.login());
    expect(problem(lictor.ask(makeLogin({ id: 'mine' }))).code).toBe('login-released');
    lictor.nowMs += 1;
    lictor.logout(lictor.login());
    expect(granted(lictor.ask(makeLogin({ id: 'mine' }))).connections).toBe(1);
  });

  test('an instance nobody knows is a problem; one that has gone still answers for what it held', () => {
    const lictor = world();
    expect(problem(lictor.ask(makeLogout({ instance: 'no' }))).code).toBe('instance-not-found');
    const login = lictor.login();
    lictor.ask({ op: 'deregister', name: 'a', actor: 'tester' });
    expect(lictor.logout(login)).toEqual({ is: 'released', login: null, decision: null });
  });
});

describe('units that are held a while longer (section 5, trap 8)', () => {
  const WEB = { kind: 'web', webSession: 's-1' } as const;

  test('a web session that saw more than one page frees its unit at once', () => {
    const lictor = world();
    lictor.logout(lictor.login({ claims: WEB }));
    expect(lictor.units()).toBe(0);
  });

  test('a one-page web session keeps its unit for ten minutes, to the millisecond', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    const session = lictor.login({ claims: WEB });
    lictor.logout(session, { onePage: true });
    expect(lictor.lastEvents).toMatchObject([{ type: 'lingered', ends: START_MS + 600_000 }]);
    expect(lictor.table.places.get('a')?.logins.get(session.id)?.phase).toBe('grace');
    lictor.wait(WEB_GRACE_MS - 1);
    expect(lictor.refuse()).toMatchObject({ inUse: 1, retryAfterSeconds: 1 });
    lictor.nowMs += 1;
    expect(lictor.login().unitsAdded).toBe(1);
    expect(lictor.lastEvents).toMatchObject([
      { type: 'released', login: session.id, reason: 'due', freed: 1, used: 0 },
      { type: 'granted', used: 1 },
    ]);
  });

  test('the same session that comes back in its grace shares the unit', () => {
    const lictor = world({ keys: [makeKey({ units: 1 })] });
    lictor.logout(lictor.login({ claims: WEB }), { onePage: true });
    expect(lictor.login({ claims: WEB })).toMatchObject({ connections: 2, unitsAdded: 0 });
    lictor.wait(WEB_GRACE_MS);
    expect([lictor.units(), lictor.user('s-1')?.connections]).toEqual([1, 1]);
  });

  test('in grace nothing more can be done with a session: another logout changes nothing, the ID is spent', () => {
    const lictor = world();
    const session = lictor.login({ claims: WEB, leaseSeconds: 30 });
    lictor.logout(session, { onePage: true });
    const before = contentOf(lictor.table);
    lictor.nowMs += 5_000;
    expect(lictor.logout(session, { onePage: true })).toMatchObject({ is: 'released', decision: null });
    expect(problem(lictor.ask(makeLogin({ id: session.id, claims: WEB }))).code).toBe('login-released');
    const renew = lictor.ask({ op: 'renew', instance: 'a', id: session.id, actor: 'tester' });
    expect(problem(renew)).toMatchObject({ code: 'login-lost', extras: { lost: 'logout' } });
    expect(contentOf(lictor.table)).toEqual(before);
  });

  test('a lease that runs out in grace does not cut the grace short', () => {
    const lictor = world();
    const session = lictor.login({ claims: WEB, leaseSeconds: 30 });
    lictor.logout(session, { onePage: true });
    lictor.nowMs += 31_000;
    expect(lictor.ask(makeReap({ id: session.id, observedMs: session.expiresAtMs }))).toEqual({ is: 'done' });
    expect(lictor.units()).toBe(1);
  });

  test('whoever is forced out in grace loses the unit at once', () => {
    const lictor = world();
    const session = lictor.login({ claims: WEB });
    lictor.logout(session, { onePage: true });
    lictor.logout(session, { reason: 'forced' });
    expect(lictor.units()).toBe(0);
    lictor.wait(WEB_GRACE_MS);
    expect(lictor.lastEvents).toMatchObject([{ type: 'released', reason: 'forced' }]);
  });

  test.each([
    ['without a logout', null],
    ['also when it logs out after a second', 1_000],
  ])('a sessionless request holds its unit ten seconds, %s', (_, logoutAfterMs) => {
    const lictor = world();
    const request = lictor.login({ claims: { kind: 'request' } });
    expect(request.endsAtMs).toBe(START_MS + REQUEST_HOLD_MS);
    if (logoutAfterMs !== null) {
      lictor.wait(logoutAfterMs);
      expect(lictor.logout(request)).toMatchObject({ is: 'released' });
    }
    lictor.nowMs = START_MS + 9_999;
    lictor.wait(0);
    expect(lictor.units()).toBe(1);
    lictor.wait(1);
    expect([lictor.units(), lictor.table.loginCount]).toEqual([0, 0]);
    expect(
      lictor.rows.flatMap((row) => row.events).filter((event) => event.type === 'released'),
    ).toHaveLength(1);
  });

  test('every sessionless request is a user of its own: a burst exhausts the key', () => {
    const lictor = world({ keys: [makeKey({ units: 3 })] });
    lictor.logins(3, { claims: { kind: 'request', clientAddress: '192.0.2.7' } });
    expect(lictor.refuse({ claims: { kind: 'request' } }).code).toBe('units-exhausted');
  });

  test('a request that names its user needs that user’s unit only', () => {
    const lictor = world();
    lictor.login();
    expect(lictor.login({ claims: { kind: 'request', user: 'alice' } })).toMatchObject({ unitsAdded: 0 });
    lictor.wait(REQUEST_HOLD_MS);
    expect(lictor.user('alice')?.connections).toBe(1);
  });

  test('a batch carries a bounded number of ends; the rest come with the next (R-6)', () => {
    const lictor = world({ keys: [makeKey({ units: 500 })] });
    lictor.logins(DUE_PER_BATCH_MAX + 10, { claims: { kind: 'request' } });
    lictor.wait(REQUEST_HOLD_MS);
    expect([lictor.lastEvents.length, lictor.units()]).toEqual([DUE_PER_BATCH_MAX, 10]);
    lictor.wait(0);
    expect(lictor.units()).toBe(0);
  });
});

describe('leases (R-11)', () => {
  function renew(id: string) {
    return { op: 'renew', instance: 'a', id, actor: 'tester' } as const;
  }

  test('a lease has a deadline, and a renewal through the journal moves it', () => {
    const lictor = world();
    const login = lictor.login({ leaseSeconds: 60 });
    expect(login).toMatchObject({ leaseSeconds: 60, expiresAtMs: START_MS + 60_000 });
    lictor.nowMs += 20_000;
    const expiresAtMs = START_MS + 80_000;
    expect(lictor.ask(renew(login.id))).toEqual({ is: 'renewed', expiresAtMs, leaseSeconds: 60 });
    expect(lictor.lastEvents).toMatchObject([{ type: 'renewed', expires: expiresAtMs }]);
  });

  test('a reap is refused when the table’s deadline is later than the one observed', () => {
    const lictor = world();
    const login = lictor.login({ leaseSeconds: 60 });
    lictor.nowMs += 20_000;
    lictor.ask(renew(login.id));
    lictor.nowMs += 45_000;
    const rows = lictor.rows.length;
    expect(lictor.ask(makeReap({ id: login.id, observedMs: login.expiresAtMs }))).toEqual({
      is: 'alive',
      deadlineMs: START_MS + 80_000,
      graceSeconds: 60,
    });
    expect([lictor.rows.length, lictor.units()]).toEqual([rows, 1]);
  });

  test('a reap takes back what was observed to be over, and says so to whoever renews', () => {
    const lictor = world();
    const login = lictor.login({ leaseSeconds: 60 });
    lictor.nowMs += 60_000;
    const reap = makeReap({ id: login.id, observedMs: login.expiresAtMs });
    expect(lictor.ask(reap)).toMatchObject({ is: 'ended', logins: 1 });
    expect(lictor.lastEvents).toMatchObject([{ type: 'released', reason: 'expired', freed: 1 }]);
    expect(problem(lictor.ask(renew(login.id)))).toMatchObject({
      code: 'login-lost',
      detail: `The login ${login.id} is no longer held: expired. Log in again.`,
      extras: { lost: 'expired' },
    });
    expect(lictor.ask(reap)).toEqual({ is: 'done' });
  });

  test('a login without a lease is neither renewed nor reaped', () => {
    const lictor = world();
    const login = lictor.login();
    expect(problem(lictor.ask(renew(login.id))).code).toBe('login-not-renewable');
    lictor.nowMs += 10_000_000;
    expect(lictor.ask(makeReap({ id: login.id, observedMs: lictor.nowMs }))).toEqual({ is: 'done' });
    expect(lictor.units()).toBe(1);
  });

  test('nobody is told of a login that was never there', () => {
    const lictor = world();
    expect(problem(lictor.ask(renew('never'))).extras).toEqual({ lost: 'unknown' });
    expect(lictor.ask(makeReap({ instance: 'no' }))).toEqual({ is: 'done' });
  });
});

describe('forcing out many', () => {
  test('every login of a user on all instances goes in one event, and the transition with them', () => {
    const lictor = world({ keys: [makeKey({ connectionsPerUnitMax: 3 })], instances: TWO });
    lictor.logins(3, { instance: 'a' });
    lictor.logins(2, { instance: 'b', leaseSeconds: 60 });
    lictor.login({ claims: { user: 'bob' } });
    expect(lictor.units()).toBe(6);
    const operation = {
      op: 'release-user',
      pool: 'key-1',
      user: 'alice',
      note: 'left',
      actor: 'ops',
    } as const;
    expect(lictor.ask(operation)).toMatchObject({ is: 'ended', logins: 5 });
    expect(lictor.lastEvents).toMatchObject([
      { type: 'ended', pool: 'key-1', user: 'alice', reason: 'forced', note: 'left', used: [['key-1', 1]] },
    ]);
    expect([lictor.units(), lictor.unitsAt('a'), lictor.unitsAt('b')]).toEqual([1, 1, 0]);
    expect(lictor.ask(operation)).toEqual({ is: 'ended', logins: 0, decision: null });
    expect(lictor.ask({ ...operation, pool: 'no' })).toMatchObject({ logins: 0 });
  });

  test('every login of an instance goes, of all kinds and from before another key, and the instance stays', () => {
    const keys = [makeKey(), makeKey({ id: 'key-2' })];
    const lictor = world({ keys, instances: TWO });
    lictor.login({ leaseSeconds: 60 });
    lictor.login({ claims: { kind: 'emergency' } });
    lictor.login({ claims: { kind: 'request' } });
    lictor.ask(makeRegister({ key: 'key-2', incarnation: 1 }));
    lictor.logins(2, { claims: { user: 'bob' } });
    lictor.login({ instance: 'b' });
    const operation = { op: 'release-instance', instance: 'a', note: 'x', actor: 'ops' } as const;
    expect(lictor.ask(operation)).toMatchObject({ is: 'ended', logins: 5 });
    const [event] = lictor.lastEvents;
    // Those of before went over to the key that the instance has taken.
    expect(event).toMatchObject({ type: 'ended', used: [['key-2', 0]] });
    expect([lictor.units('key-1'), lictor.units('key-2'), lictor.unitsAt('a')]).toEqual([1, 0, 0]);
    expect(lictor.table.places.get('a')?.emergency).toBeNull();
    expect(lictor.table.instances.has('a')).toBe(true);
    expect(problem(lictor.ask({ ...operation, instance: 'no' })).code).toBe('instance-not-found');
  });
});
