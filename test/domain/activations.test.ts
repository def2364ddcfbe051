import { describe, expect, test } from '@jest/globals';
import type { JournalEvent } from '../../src/domain/events.ts';
import type { Instance } from '../../src/domain/instances.ts';
import type { ActivationCause } from '../../src/domain/keys/activation.ts';
import { inspectActivation } from '../../src/domain/keys/activations.ts';
import type { LicenseKey } from '../../src/domain/keys/keys.ts';
import type { Answer, Report } from '../../src/domain/operations.ts';
import {
  granted,
  instanceOf,
  makeExpiredKey,
  makeIdentify,
  makeKey,
  makeLogout,
  makeRegister,
  problem,
  type World,
  world,
} from '../support/make.ts';
import { Reporter } from '../support/reporter.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

const FIVE = makeKey({ id: 'five', units: 5 });
const TWENTY_FIVE = makeKey({ id: 'twenty-five', units: 25 });
const TWO = makeKey({ id: 'two', units: 2 });

function activating(
  lictor: World,
  key: string,
  fields: { instance?: string; inspected?: string | null } = {},
) {
  const { instance = 'a', inspected = null } = fields;
  return lictor.ask({
    op: 'activate-key',
    instance,
    key,
    cause: 'activated',
    inspected,
    actor: 'administrator',
  });
}

function rollingBack(lictor: World, inspected: string | null = null) {
  const operation = { instance: 'a', key: '', cause: 'rolled-back', inspected } as const;
  return lictor.ask({ op: 'activate-key', ...operation, actor: 'administrator' });
}

function activation(answer: Answer): Extract<Answer, { is: 'activation' }> {
  if (answer.is !== 'activation')
    throw new Error(`an activation was expected, not ${JSON.stringify(answer)}`);
  return answer;
}

function activate(lictor: World, key: string, instance = 'a') {
  return activation(activating(lictor, key, { instance }));
}

const recordOf = (lictor: World, name = 'a'): Instance => lictor.table.instances.get(name)!;

function inspect(lictor: World, key: LicenseKey) {
  return inspectActivation(lictor.table, recordOf(lictor), key, lictor.policy, lictor.nowMs);
}

/** Everything of the journal's activations, the oldest first: cause, outcome, from, to. */
function history({ rows }: World): [ActivationCause, string, string | null, string | null][] {
  return rows
    .flatMap(({ events }) => events)
    .filter((event): event is Extract<JournalEvent, { type: 'activated' }> => event.type === 'activated')
    .map(({ activation: { cause, outcome, from, to } }) => [cause, outcome, from, to]);
}

function restart(lictor: World, key: string | null = 'five', fields: object = {}) {
  return instanceOf(lictor.ask(makeRegister({ key, ...fields }))).instance;
}

/** The journal alone comes to the same table. */
function expectReplayed(lictor: World): void {
  expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
}

describe('A-1: users inside', () => {
  test('a full key gives way to a bigger one: the sixth comes in, and nobody inside notices (F-21, F-23)', () => {
    const lictor = world({ keys: [FIVE, TWENTY_FIVE] });
    const inside = [1, 2, 3, 4, 5].map((index) => lictor.login({ claims: { user: `user ${index}` } }));
    expect(lictor.refuse({ claims: { user: 'the sixth' } }).code).toBe('units-exhausted');
    const { verdict, instance } = activate(lictor, 'twenty-five');
    expect(verdict).toMatchObject({ outcome: 'active', requiresRestart: false });
    expect(instance).toMatchObject({
      key: 'twenty-five',
      statedKey: 'five',
      previousKey: 'five',
      incarnation: 1,
    });
    expect(lictor.lastEvents.map(({ type }) => type)).toEqual(['activated', 'moved', 'configured']);
    expect(lictor.login({ claims: { user: 'the sixth' } }).pool).toBe('twenty-five');
    expect([lictor.units('five'), lictor.units('twenty-five')]).toEqual([0, 6]);
    for (const { id } of inside) expect(lictor.table.places.get('a')?.logins.get(id)?.phase).toBe('active');
    lictor.logout(inside[0]!);
    expect(lictor.units('twenty-five')).toBe(5);
    expectReplayed(lictor);
  });

  test('a smaller key keeps them all and refuses new users until use falls below it', () => {
    const lictor = world({ keys: [FIVE, TWO] });
    const inside = [1, 2, 3, 4].map((index) => lictor.login({ claims: { user: `user ${index}` } }));
    expect(activate(lictor, 'two').verdict).toMatchObject({
      outcome: 'active',
      reductions: { units: { from: 5, to: 2 } },
    });
    expect([lictor.units('two'), lictor.table.loginCount]).toEqual([4, 4]);
    expect(lictor.login({ claims: { user: 'user 1' } }).units).toBe(1);
    expect(lictor.refuse({ claims: { user: 'new' } })).toMatchObject({ limit: 2, inUse: 4 });
    for (const login of inside.slice(1)) lictor.logout(login);
    expect(lictor.login({ claims: { user: 'new' } }).units).toBe(1);
    expect(lictor.refuse({ claims: { user: 'another' } }).limit).toBe(2);
  });

  test('all kinds go over: deferred, nobody’s, in grace, leased; each is what it was', () => {
    const settings = { deferredIdentification: true };
    const lictor = world({ keys: [FIVE, TWENTY_FIVE], settings });
    const pending = lictor.login({ claims: { clientAddress: '192.0.2.1' } });
    lictor.login({ claims: { kind: 'emergency' } });
    lictor.login({ claims: { kind: 'system' } });
    const web = lictor.login({ claims: { kind: 'web', webSession: 's-1', user: 'alice' } });
    lictor.ask(makeLogout({ id: web.id, onePage: true }));
    const leased = lictor.login({ leaseSeconds: 60, claims: { user: 'bob' } });
    activate(lictor, 'twenty-five');
    const place = lictor.table.places.get('a')!;
    expect([...new Set([...place.logins.values()].map(({ pool }) => pool.id))]).toEqual(['twenty-five']);
    expect(place.emergency?.pool.id).toBe('twenty-five');
    expect(granted(lictor.ask(makeIdentify({ id: pending.id, user: 'carol' }))).pool).toBe('twenty-five');
    expect(lictor.ask({ op: 'renew', instance: 'a', id: leased.id, actor: 'x' })).toMatchObject({
      is: 'renewed',
    });
    expect(lictor.units('twenty-five')).toBe(3);
    lictor.wait(601_000);
    expect(lictor.units('twenty-five')).toBe(2);
    expectReplayed(lictor);
  });

  test('a user of several instances of the old key costs a unit of each key from then on (F-6)', () => {
    const lictor = world({ keys: [FIVE, TWENTY_FIVE], instances: [{ name: 'a' }, { name: 'b' }] });
    lictor.logins(2);
    lictor.login({ instance: 'b' });
    expect(lictor.units('five')).toBe(1);
    activate(lictor, 'twenty-five');
    expect([lictor.units('five'), lictor.units('twenty-five')]).toEqual([1, 1]);
    expect([
      lictor.user('alice', 'five')?.connections,
      lictor.user('alice', 'twenty-five')?.connections,
    ]).toEqual([1, 2]);
    activate(lictor, 'twenty-five', 'b');
    expect([lictor.units('five'), lictor.units('twenty-five')]).toEqual([0, 1]);
    expectReplayed(lictor);
  });

  test('whoever has transitioned has, until none of his connections is left; and the other key may make him (F-32, F-33)', () => {
    const narrow = makeKey({ id: 'narrow', units: 100, connectionsPerUnitMax: 2 });
    const wide = makeKey({ id: 'wide', units: 100, connectionsPerUnitMax: 25 });
    const lictor = world({ keys: [narrow, wide] });
    const logins = lictor.logins(3);
    expect(lictor.units('narrow')).toBe(3);
    activate(lictor, 'wide');
    expect(lictor.user('alice', 'wide')).toMatchObject({ connections: 3, transitioned: true });
    for (const login of logins) lictor.logout(login);
    lictor.logins(3);
    expect(lictor.units('wide')).toBe(1);
    activate(lictor, 'narrow');
    expect(lictor.lastEvents.find(({ type }) => type === 'moved')).toMatchObject({ users: [['alice', 2]] });
    expect(lictor.units('narrow')).toBe(3);
    expectReplayed(lictor);
  });

  test('the one on the default licence goes over to the first key, and from a key that has ended (F-20, F-24)', () => {
    const none = world({ keys: [FIVE], instances: [{ name: 'a', key: null }] });
    none.login();
    const { instance, verdict } = activate(none, 'five');
    expect([verdict.outcome, instance.key, instance.statedKey]).toEqual(['active', 'five', null]);
    expect(instance.previousKey).toBeUndefined();
    expect([none.units('five'), none.defaultUnits('a')]).toEqual([1, 0]);

    const ended = world({ keys: [makeKey({ validThroughMs: 0, expirationDate: '1970-01-01' }), FIVE] });
    ended.login();
    activate(ended, 'five');
    expect(ended.login({ claims: { user: 'bob' } }).pool).toBe('five');
    expect(ended.units('five')).toBe(2);
  });
});

describe('where instances decide for themselves', () => {
  const NEAR = makeKey({ id: 'near', units: 5, enforcement: 'local' });
  const FAR = makeKey({ id: 'far', units: 2, enforcement: 'local' });

  test('what a local instance reported is asked for anew, and counts under the other key (L-5)', () => {
    const lictor = world({ keys: [NEAR, FAR] });
    const instance = new Reporter('a').letIn('u', 3);
    const tell = (report: Report) => {
      const answer = lictor.ask(report);
      if (answer.is !== 'updated') throw new Error(JSON.stringify(answer));
      instance.hear(answer.update);
      return answer.update;
    };
    tell(instance.update());
    expect(activate(lictor, 'far').verdict.outcome).toBe('active');
    expect(lictor.lastEvents.map(({ type }) => type)).toEqual(['activated', 'unreported', 'configured']);
    expect([lictor.units('near'), lictor.units('far')]).toEqual([0, 0]);
    expect(tell(instance.update())).toMatchObject({ resend: true, terms: { key: { id: 'far' } } });
    for (const part of instance.full())
      expect(tell(part)).toMatchObject({ acknowledged: false, reason: 'over-limit' });
    expect([lictor.units('near'), lictor.units('far')]).toEqual([0, 3]);
    expectReplayed(lictor);
  });

  test('logins at the server that go over the limit of a local key begin an episode, which ends as ever (L-6)', () => {
    const lictor = world({ keys: [FIVE, FAR] });
    const inside = ['x', 'y', 'z'].map((user) => lictor.login({ claims: { user } }));
    activate(lictor, 'far');
    expect(lictor.table.pools.get('far')?.excess).toMatchObject({
      cause: 'activated',
      units: 1,
      users: [{ user: 'z', instance: 'a' }],
    });
    lictor.logout(inside[0]!);
    expect(lictor.table.pools.get('far')?.excess).not.toBeNull();
    lictor.logout(inside[1]!);
    expect(lictor.table.pools.get('far')?.excess).toBeNull();
    activate(lictor, 'five');
    lictor.logins(2, { claims: { kind: 'request' } });
    activate(lictor, 'far');
    activation(rollingBack(lictor));
    const ends = lictor.rows.flatMap(({ events }) => events).filter(({ type }) => type === 'excess');
    expect(ends.at(-1)).toMatchObject({ excess: { endedBy: 'removal' } });
  });

  test('a central key that is over its limit has an episode as soon as it is a local one (L-6)', () => {
    const lictor = world({ keys: [FIVE, TWO] });
    for (const user of ['x', 'y', 'z']) lictor.login({ claims: { user } });
    activate(lictor, 'two');
    const changes = { enforcement: 'local' } as const;
    lictor.ask({ op: 'change-key', id: 'two', changes, ifRevision: null, actor: 'x' });
    expect(lictor.table.pools.get('two')?.excess).toMatchObject({ cause: 'activated', units: 1 });
  });

  test('users that a local instance let in wait with it for the restart, under a key that is enforced otherwise', () => {
    const lictor = world({ keys: [NEAR, FIVE] });
    lictor.ask(new Reporter('a').letIn('u', 3).update());
    expect(activate(lictor, 'five').instance).toMatchObject({ key: 'near', pendingKey: 'five' });
    expect(lictor.units('near')).toBe(3);
    expect(restart(lictor, 'near')).toMatchObject({ key: 'five' });
    expect(lictor.units('near')).toBe(0);
  });
});

describe('A-2, A-3: after the next start (F-22)', () => {
  const SETTINGS = { activationProfile: 'iris' } as const;

  test('a key that waits becomes active with the next incarnation, whatever the instance names', () => {
    const lictor = world({ keys: [FIVE, TWO], settings: SETTINGS });
    lictor.logins(2);
    const { verdict, instance } = activate(lictor, 'two');
    expect([verdict.outcome, instance.key, instance.pendingKey]).toEqual(['pending', 'five', 'two']);
    expect(lictor.units('five')).toBe(1);
    expect(activate(lictor, 'two')).toMatchObject({ verdict: { outcome: 'unchanged' }, activation: null });
    const started = restart(lictor);
    expect(started).toMatchObject({ key: 'two', statedKey: 'five', previousKey: 'five', incarnation: 2 });
    expect(started.pendingKey).toBeUndefined();
    expect(restart(lictor).key).toBe('two');
    expect(history(lictor)).toEqual([
      ['activated', 'pending', 'five', 'two'],
      ['restarted', 'active', 'five', 'two'],
    ]);
    expectReplayed(lictor);
  });

  test('logins with a lease of their own survive the restart and go over', () => {
    const lictor = world({ keys: [FIVE, TWO], settings: SETTINGS });
    lictor.login({ leaseSeconds: 600 });
    activate(lictor, 'two');
    restart(lictor);
    expect([lictor.units('five'), lictor.units('two')]).toEqual([0, 1]);
  });

  test('the active key again gives up the one that waits; so does going back', () => {
    const lictor = world({ keys: [FIVE, TWO], settings: SETTINGS });
    activate(lictor, 'two');
    expect(activate(lictor, 'five')).toMatchObject({
      verdict: { outcome: 'active' },
      instance: { key: 'five' },
    });
    expect(recordOf(lictor).pendingKey).toBeUndefined();
    activate(lictor, 'two');
    expect(activation(rollingBack(lictor)).instance.pendingKey).toBeUndefined();
    expect(problem(rollingBack(lictor)).code).toBe('previous-key-missing');
    expect(history(lictor).map(([cause, outcome]) => `${cause} ${outcome}`)).toEqual([
      'activated pending',
      'activated cancelled',
      'activated pending',
      'rolled-back cancelled',
    ]);
    expect(restart(lictor).key).toBe('five');
  });

  test('another key takes the place of the one that waits', () => {
    const lictor = world({ keys: [FIVE, TWO, TWENTY_FIVE], settings: SETTINGS });
    activate(lictor, 'two');
    const { instance } = activate(lictor, 'twenty-five');
    expect([instance.key, instance.pendingKey]).toEqual(['twenty-five', undefined]);
    // What became of the key that waited is in the history.
    const [event] = lictor.lastEvents.filter(({ type }) => type === 'activated');
    expect(event).toMatchObject({
      activation: { reason: expect.stringContaining('The key two, which waited') },
    });
  });

  test('a registration that names the active key gives up the one that waits, as an activation of it does', () => {
    const lictor = world({ keys: [FIVE, TWO, TWENTY_FIVE], settings: SETTINGS });
    activate(lictor, 'twenty-five');
    activate(lictor, 'two');
    const named = instanceOf(lictor.ask(makeRegister({ key: 'twenty-five', incarnation: 1 }))).instance;
    expect([named.key, named.statedKey, named.pendingKey]).toEqual(['twenty-five', undefined, undefined]);
    expect(history(lictor).at(-1)).toEqual(['registered', 'cancelled', 'two', 'twenty-five']);
    expect(restart(lictor, 'twenty-five').key).toBe('twenty-five');
    expectReplayed(lictor);
  });

  test('one that cannot be used any more is dropped at the restart, and the journal says so', () => {
    const ends = makeKey({
      id: 'ends',
      units: 2,
      expirationDate: '2030-01-01',
      validThroughMs: Date.UTC(2030, 0, 2),
    });
    const lictor = world({ keys: [FIVE, ends], settings: SETTINGS });
    activate(lictor, 'ends');
    lictor.wait(86_400_000);
    expect(restart(lictor)).toMatchObject({ key: 'five' });
    expect(history(lictor).at(-1)).toEqual(['restarted', 'dropped', 'five', 'ends']);
    const [event] = lictor.lastEvents.filter(({ type }) => type === 'activated');
    expect(event).toMatchObject({ activation: { reason: expect.stringContaining('expired') } });
    expect(recordOf(lictor).pendingKey).toBeUndefined();
  });

  test('a key that waits cannot be removed, and a Single one not be given to another (F-3)', () => {
    const single = makeKey({ id: 'single', units: 2, server: 'single' });
    const lictor = world({
      keys: [FIVE, single],
      instances: [{ name: 'a' }, { name: 'b' }],
      settings: SETTINGS,
    });
    activate(lictor, 'single');
    expect(problem(lictor.ask({ op: 'remove-key', id: 'single', actor: 'x' })).detail).toContain(
      'waits for the next start of instance "a"',
    );
    const refusal = problem(activating(lictor, 'single', { instance: 'b' }));
    expect(refusal).toMatchObject({ code: 'key-not-shareable', extras: { heldBy: 'a' } });
    expect(problem(lictor.ask(makeRegister({ name: 'c', key: 'single' }))).code).toBe('key-not-shareable');
  });

  test('of a much bigger key the rest comes with the restart; until then a refusal says so', () => {
    const huge = makeKey({ id: 'huge', units: 10_000 });
    const lictor = world({ keys: [FIVE, huge], settings: { activationProfile: 'caché5' } });
    const { instance, verdict } = activate(lictor, 'huge');
    expect([verdict.outcome, instance.usableUnits]).toEqual(['partly-active', 7_005]);
    lictor.logins(5, { claims: { kind: 'request' } });
    const record = { ...recordOf(lictor), usableUnits: 5 };
    lictor.table.setInstance('a', record);
    expect(lictor.refuse({ claims: { user: 'one more' } })).toMatchObject({
      code: 'restart-required',
      rule: 'partial-activation',
      limit: 5,
      inUse: 5,
      requested: 1,
    });
    lictor.table.setInstance('a', { ...record, settings: { ...record.settings, unitLimit: 3 } });
    expect(lictor.refuse({ claims: { user: 'one more' } })).toMatchObject({ rule: 'unit-limit', limit: 3 });
    lictor.table.setInstance('a', instance);
    expect(activate(lictor, 'huge').verdict).toMatchObject({ outcome: 'unchanged', usableUnits: 7_005 });
    const started = restart(lictor);
    expect([started.key, started.usableUnits]).toEqual(['huge', undefined]);
    expect(history(lictor)).toEqual([
      ['activated', 'partly-active', 'five', 'huge'],
      ['restarted', 'active', 'huge', 'huge'],
    ]);
  });
});

describe('A-4: what an instance names', () => {
  test('another key within a life is an activation by the same rules', () => {
    const lictor = world({ keys: [FIVE, TWO], settings: { activationProfile: 'iris' } });
    lictor.login();
    const register = () => instanceOf(lictor.ask(makeRegister({ key: 'two', incarnation: 1 })));
    expect(register()).toMatchObject({
      outcome: 'changed',
      instance: { key: 'five', pendingKey: 'two', statedKey: 'two' },
    });
    expect(register().outcome).toBe('retry');
    expect(lictor.units('five')).toBe(1);
    const started = restart(lictor, 'two');
    expect([started.key, started.statedKey]).toEqual(['two', undefined]);
    expect(history(lictor).map(([cause]) => cause)).toEqual(['registered', 'restarted']);
  });

  test('the same as ever keeps the key that was activated over it; another is a new statement', () => {
    const lictor = world({ keys: [FIVE, TWO, TWENTY_FIVE] });
    activate(lictor, 'twenty-five');
    const again = instanceOf(lictor.ask(makeRegister({ key: 'five', incarnation: 1 })));
    expect([again.outcome, again.instance.key]).toEqual(['retry', 'twenty-five']);
    expect(restart(lictor)).toMatchObject({ key: 'twenty-five', statedKey: 'five' });
    const named = instanceOf(lictor.ask(makeRegister({ key: 'twenty-five', incarnation: 2 }))).instance;
    expect([named.key, named.statedKey]).toEqual(['twenty-five', undefined]);
    expect(restart(lictor, 'two')).toMatchObject({ key: 'two', previousKey: 'twenty-five' });
    expect(recordOf(lictor).statedKey).toBeUndefined();
  });

  test('a key that is only named is not in use; one that does not fit a new version gives way to it (F-7)', () => {
    const old = makeKey({ id: 'old', versionTo: '2024' });
    const lictor = world({ keys: [FIVE, old], instances: [{ name: 'a', key: 'five', version: '2024.1' }] });
    activate(lictor, 'old');
    expect(restart(lictor, 'five', { version: '2025.1' })).toMatchObject({ key: 'five', previousKey: 'old' });
    expect(problem(activating(lictor, 'old')).code).toBe('key-generation-mismatch');
    activate(lictor, 'five');
    lictor.ask(makeRegister({ key: 'five', version: '2024.1' }));
    activate(lictor, 'old');
    expect(lictor.ask({ op: 'remove-key', id: 'five', actor: 'x' })).toEqual({ is: 'done' });
    expect(restart(lictor, 'five', { version: '2024.1' }).key).toBe('old');
  });

  test('what it reported is given up once, and asked for anew (L-5)', () => {
    const keys = [FIVE, TWENTY_FIVE].map((key) => ({ ...key, enforcement: 'local' as const }));
    const lictor = world({ keys });
    const reporter = new Reporter('a');
    reporter.set('alice', 1);
    lictor.ask(reporter.update());
    instanceOf(lictor.ask(makeRegister({ key: 'twenty-five', incarnation: 1 })));
    expect(lictor.lastEvents.map(({ type }) => type)).toEqual(['activated', 'unreported', 'registered']);
    expectReplayed(lictor);
  });

  test('a Single key that another took meanwhile does not come back with a sign of life (F-3)', () => {
    const single = makeKey({ id: 'single', server: 'single', enforcement: 'local' });
    const lictor = world({ keys: [single] });
    const { deadlineMs: observedMs } = recordOf(lictor);
    lictor.nowMs += 120_000;
    lictor.ask({ op: 'reap-instance', name: 'a', incarnation: 1, observedMs, actor: 'lictor' });
    lictor.ask(makeRegister({ name: 'b', key: 'single' }));
    const reporter = new Reporter('a');
    expect(problem(lictor.ask(reporter.update())).code).toBe('instance-silent');
    expect(problem(lictor.ask(makeRegister({ key: 'single', incarnation: 1 })))).toMatchObject({
      code: 'key-not-shareable',
      extras: { heldBy: 'b' },
    });
    lictor.ask({ op: 'deregister', name: 'b', actor: 'x' });
    expect(lictor.ask(reporter.update()).is).toBe('updated');
    expect(recordOf(lictor).state).toBe('active');
  });

  test('no key any more: whoever is in stays until he goes', () => {
    const lictor = world({ keys: [FIVE] });
    const inside = lictor.login();
    const answer = instanceOf(lictor.ask(makeRegister({ key: null, incarnation: 1 })));
    expect(answer.instance).toMatchObject({ key: null, previousKey: 'five' });
    expect(lictor.units('five')).toBe(1);
    activation(rollingBack(lictor));
    expect(recordOf(lictor)).toMatchObject({ key: 'five', statedKey: null });
    lictor.logout(inside);
    expect(lictor.units('five')).toBe(0);
  });
});

describe('going back', () => {
  test('the key before becomes active by the same rules; going back twice ends where it began', () => {
    const lictor = world({ keys: [FIVE, TWENTY_FIVE] });
    lictor.login();
    activate(lictor, 'twenty-five');
    const { revision } = recordOf(lictor);
    expect(activation(rollingBack(lictor, revision)).instance).toMatchObject({
      key: 'five',
      previousKey: 'twenty-five',
    });
    expect(problem(rollingBack(lictor, revision)).code).toBe('precondition-failed');
    expect(lictor.units('five')).toBe(1);
    expect(activation(rollingBack(lictor)).instance).toMatchObject({
      key: 'twenty-five',
      previousKey: 'five',
    });
    expect(history(lictor).map(([cause]) => cause)).toEqual(['activated', 'rolled-back', 'rolled-back']);
  });

  test('from a smaller key everything is there again, since a table gives nothing up while it runs (F-22)', () => {
    const huge = makeKey({ id: 'huge', units: 30_000 });
    const lictor = world({ keys: [huge, FIVE], settings: { activationProfile: 'caché5' } });
    expect(activate(lictor, 'five').instance).toMatchObject({ key: 'five', tableUnits: 30_000 });
    expect(activation(rollingBack(lictor)).verdict.outcome).toBe('active');
    expect(recordOf(lictor)).toMatchObject({ key: 'huge' });
    expect(recordOf(lictor).tableUnits).toBeUndefined();
    activate(lictor, 'five');
    expect(restart(lictor, 'huge').tableUnits).toBeUndefined();
    expect(activation(rollingBack(lictor)).instance.usableUnits).toBe(7_005);
  });

  test('to fewer units waits on IRIS; to a key that was removed is not possible', () => {
    const lictor = world({ keys: [FIVE, TWENTY_FIVE], settings: { activationProfile: 'iris' } });
    activate(lictor, 'twenty-five');
    expect(activation(rollingBack(lictor)).verdict.outcome).toBe('pending');
    activation(rollingBack(lictor));
    lictor.ask({ op: 'remove-key', id: 'five', actor: 'x' });
    expect(problem(rollingBack(lictor)).code).toBe('key-not-found');
  });
});

describe('what stands against it', () => {
  test.each([
    ['an instance that is not registered', 'five', 'no', 'instance-not-found'],
    ['a key that is not installed', 'no', 'a', 'key-not-found'],
    ['an expired key', 'expired', 'a', 'key-unusable'],
    ['a key that is not valid yet', 'later', 'a', 'key-unusable'],
    ['a revoked key', 'revoked', 'a', 'key-unusable'],
    ['a key of other versions', 'generation', 'a', 'key-generation-mismatch'],
    ['a Single key of another instance', 'single', 'a', 'key-not-shareable'],
  ])('%s; nothing is changed', (_, key, instance, code) => {
    const lictor = world({
      keys: [
        FIVE,
        makeExpiredKey({ id: 'expired' }),
        makeKey({ id: 'later', notBeforeDate: '2099-01-01', validFromMs: Date.UTC(2099, 0, 1) }),
        makeKey({ id: 'revoked' }),
        makeKey({ id: 'generation', versionTo: '5.0' }),
        makeKey({ id: 'single', server: 'single' }),
      ],
      instances: [
        { name: 'a', version: '2024.1' },
        { name: 'b', key: 'single' },
      ],
      policy: { revokedKeys: new Set(['revoked']) },
    });
    const rows = lictor.rows.length;
    expect(problem(activating(lictor, key, { instance })).code).toBe(code);
    expect(lictor.rows.length).toBe(rows);
  });

  test('a registration within a life does not take a key that cannot be used', () => {
    const lictor = world({ keys: [FIVE, makeExpiredKey({ id: 'expired' })] });
    expect(problem(lictor.ask(makeRegister({ key: 'expired', incarnation: 1 }))).code).toBe('key-unusable');
    expect(restart(lictor, 'expired').key).toBe('expired');
  });

  test('A-5: what was inspected is applied, or nothing: the instance, the keys and the outcome are as they were (F-20)', () => {
    const lictor = world({ keys: [FIVE, TWENTY_FIVE, TWO] });
    const token = () => {
      const inspected = inspect(lictor, TWENTY_FIVE);
      return inspected.ok ? inspected.token : '';
    };
    const before = token();
    expect(problem(activating(lictor, 'twenty-five', { inspected: 'another' })).code).toBe(
      'precondition-failed',
    );
    expect(problem(activating(lictor, 'two', { inspected: before })).code).toBe('precondition-failed');
    restart(lictor);
    expect(problem(activating(lictor, 'twenty-five', { inspected: before })).code).toBe(
      'precondition-failed',
    );
    const changes = { connectionsPerUnitMax: 2 };
    const now = token();
    lictor.ask({ op: 'change-key', id: 'five', changes, ifRevision: null, actor: 'x' });
    expect(problem(activating(lictor, 'twenty-five', { inspected: now })).code).toBe('precondition-failed');
    const answer = activation(activating(lictor, 'twenty-five', { inspected: token() }));
    expect(answer.verdict.outcome).toBe('active');
    expect(activation(activating(lictor, 'twenty-five')).activation).toBeNull();
  });

  test('A-5: a repeated request whose answer was lost is answered as done, by the token that it had', () => {
    const lictor = world({ keys: [FIVE, TWENTY_FIVE, TWO], settings: { activationProfile: 'iris' } });
    for (const [key, outcome] of [
      [TWENTY_FIVE, 'active'],
      [TWO, 'pending'],
    ] as const) {
      const inspected = inspect(lictor, key);
      const token = inspected.ok ? inspected.token : '';
      expect(activation(activating(lictor, key.id, { inspected: token })).verdict.outcome).toBe(outcome);
      const rows = lictor.rows.length;
      const again = activation(activating(lictor, key.id, { inspected: token }));
      expect([again.verdict.outcome, again.activation]).toEqual(['unchanged', null]);
      expect(lictor.rows).toHaveLength(rows);
    }
    // To give up the one that waits is a change, which wants its own look.
    expect(problem(activating(lictor, 'twenty-five', { inspected: 'old' })).code).toBe('precondition-failed');
  });

  test('a silent instance is given it by the same rules, and goes on with it when it comes back', () => {
    const lictor = world({ keys: [FIVE, TWENTY_FIVE] });
    const { deadlineMs: observedMs } = recordOf(lictor);
    lictor.nowMs += 120_000;
    lictor.ask({ op: 'reap-instance', name: 'a', incarnation: 1, observedMs, actor: 'lictor' });
    expect(activate(lictor, 'twenty-five').instance).toMatchObject({ state: 'silent', key: 'twenty-five' });
    expect(restart(lictor)).toMatchObject({ state: 'active', key: 'twenty-five', incarnation: 2 });
  });
});
