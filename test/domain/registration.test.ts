import { describe, expect, test } from '@jest/globals';
import type { InstanceSettings } from '../../src/domain/instances.ts';
import { EVALUATION_KEY } from '../../src/domain/keys/keys.ts';
import {
  instanceOf,
  makeExpiredKey,
  makeKey,
  makeLogin,
  makeRegister,
  problem,
  START_MS,
  type World,
  world,
} from '../support/make.ts';
import { contentOf } from '../support/snapshot.ts';

function register(lictor: World, fields: Parameters<typeof makeRegister>[0] = {}) {
  return instanceOf(lictor.ask(makeRegister(fields)));
}

function deregister(name = 'a') {
  return { op: 'deregister', name, actor: 'tester' } as const;
}

function reap(observedMs: number, incarnation = 1) {
  return { op: 'reap-instance', name: 'a', incarnation, observedMs, actor: 'lictor' } as const;
}

function renew(incarnation = 1) {
  return { op: 'renew-instance', name: 'a', incarnation, actor: 'tester' } as const;
}

describe('registering (R-10)', () => {
  test('a new instance gets incarnation 1, its settings and a deadline', () => {
    const lictor = world({ instances: [] });
    const answer = register(lictor, { product: 'IRIS', version: '2024.1', settings: { unitLimit: 5 } });
    expect(answer.outcome).toBe('new');
    expect(answer.instance).toMatchObject({
      name: 'a',
      key: 'key-1',
      incarnation: 1,
      product: 'IRIS',
      version: '2024.1',
      state: 'active',
      settings: { unitLimit: 5, connectionLimit: 0, graceSeconds: 60 },
      registeredAtMs: START_MS,
      deadlineMs: START_MS + 60_000,
    });
    expect(lictor.table.instances.get('a')).toEqual(answer.instance);
  });

  test('the same registration again is a retry and changes nothing, not even the time', () => {
    const lictor = world({ instances: [{ name: 'a', registrationId: 'start-1' }] });
    lictor.login();
    lictor.nowMs += 5_000;
    const [rows, before] = [lictor.rows.length, contentOf(lictor.table)];
    for (const again of [{ registrationId: 'start-1' }, { incarnation: 1 }]) {
      expect(register(lictor, again).outcome).toBe('retry');
    }
    expect([lictor.rows.length, contentOf(lictor.table)]).toEqual([rows, before]);
  });

  test('a restart releases what is bound to the old life; leases and what ends by itself live on', () => {
    const lictor = world({ instances: [{ name: 'a', registrationId: 'start-1' }, { name: 'b' }] });
    const bound = lictor.login({ claims: { user: 'bound' } });
    lictor.login({ claims: { kind: 'emergency' } });
    const leased = lictor.login({ claims: { user: 'leased' }, leaseSeconds: 60 });
    const request = lictor.login({ claims: { kind: 'request' } });
    const web = lictor.login({ claims: { kind: 'web', webSession: 's-1' } });
    lictor.logout(web, { onePage: true });
    lictor.login({ claims: { user: 'elsewhere' }, instance: 'b' });
    const answer = register(lictor, { registrationId: 'start-2' });
    expect([answer.outcome, answer.instance.incarnation]).toEqual(['restart', 2]);
    expect(lictor.lastEvents).toMatchObject([
      { type: 'ended', instance: 'a', boundOnly: true, reason: 'restarted', logins: 2, used: [['key-1', 4]] },
      { type: 'registered' },
    ]);
    const left = [...lictor.table.places.get('a')!.logins.values()].map(({ id }) => id);
    expect(new Set(left)).toEqual(new Set([leased.id, request.id, web.id]));
    expect(problem(lictor.ask(makeLogin({ id: bound.id }))).extras).toMatchObject({ reason: 'restarted' });
  });

  test('an older incarnation is turned away, and what the newer one holds stays', () => {
    const lictor = world();
    register(lictor);
    lictor.login();
    const before = contentOf(lictor.table);
    expect(problem(lictor.ask(makeRegister({ incarnation: 1 })))).toMatchObject({
      code: 'incarnation-old',
      detail: expect.stringContaining('Incarnation 1 of "a" is not the one that is registered (2)'),
      extras: { incarnation: 2 },
    });
    expect(contentOf(lictor.table)).toEqual(before);
  });

  test('an incarnation that nobody here issued is followed by a greater one, for a new name as well', () => {
    const lictor = world();
    expect(register(lictor, { incarnation: 9 }).instance.incarnation).toBe(10);
    expect(register(lictor, { name: 'new', incarnation: 4 }).instance.incarnation).toBe(5);
    expect(register(lictor, { incarnation: 2_000_000_000 }).instance.incarnation).toBe(11);
  });

  test('the life that holds may change its key and version; nobody is put out', () => {
    const lictor = world({ keys: [makeKey(), makeKey({ id: 'key-2' })] });
    lictor.login();
    const answer = register(lictor, { key: 'key-2', incarnation: 1, version: '2025.1' });
    expect(answer.outcome).toBe('changed');
    expect(answer.instance).toMatchObject({ key: 'key-2', version: '2025.1', incarnation: 1 });
    expect([lictor.units('key-1'), lictor.units('key-2'), lictor.table.loginCount]).toEqual([0, 1, 1]);
    expect(lictor.login().pool).toBe('key-2');
  });

  test('a restart keeps the settings it does not state', () => {
    const lictor = world({ settings: { unitLimit: 3, connectionLimit: 4 } });
    const { settings } = register(lictor, { settings: { unitLimit: 9 } }).instance;
    expect(settings).toMatchObject({ unitLimit: 9, connectionLimit: 4 });
  });
});

describe('the key of a registration', () => {
  const SINGLE = makeKey({ server: 'single' });

  test('a key that is not installed is a problem', () => {
    const lictor = world({ instances: [] });
    expect(problem(lictor.ask(makeRegister({ key: 'no' }))).code).toBe('key-not-found');
  });

  test('a Multi key is shared by any number of instances; a Single key by none (F-3)', () => {
    const names = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    expect(world({ instances: names }).table.instances.size).toBe(3);
    const lictor = world({ keys: [SINGLE] });
    expect(problem(lictor.ask(makeRegister({ name: 'b' })))).toMatchObject({
      code: 'key-not-shareable',
      detail: expect.stringContaining('instance "a" is registered with it'),
      extras: { heldBy: 'a' },
    });
    expect(lictor.table.instances.has('b')).toBe(false);
    expect(register(lictor, {}).outcome).toBe('restart');
  });

  test('a Single key is free again when its instance has gone or was silent (F-3)', () => {
    const lictor = world({ keys: [SINGLE] });
    lictor.ask(deregister('a'));
    expect(register(lictor, { name: 'b' }).outcome).toBe('new');
    const silent = world({ keys: [SINGLE] });
    silent.nowMs += 60_000;
    silent.ask(reap(START_MS + 60_000));
    expect(register(silent, { name: 'b' }).outcome).toBe('new');
    expect(problem(silent.ask(makeRegister({}))).extras).toEqual({ heldBy: 'b' });
  });

  test.each([
    ['5.0.21', false],
    ['5.1', true],
    ['2018.1.4', true],
    ['2019.1', false],
    [null, true],
  ])('a key for 5.1 to 2018 and an instance of version %s: %s (F-7)', (version, fits) => {
    const lictor = world({ keys: [makeKey({ versionFrom: '5.1', versionTo: '2018' })], instances: [] });
    const answer = lictor.ask(makeRegister({ version }));
    if (fits) return void expect(instanceOf(answer).outcome).toBe('new');
    expect(problem(answer).code).toBe('key-generation-mismatch');
    expect(problem(answer).detail).toContain(`for versions 5.1 to 2018; instance "a" runs ${version}`);
  });

  test('an evaluation installation needs none: it runs on the built-in key (F-2)', () => {
    const lictor = world({ keys: [EVALUATION_KEY], instances: [], policy: { evaluation: true } });
    expect(register(lictor, { key: null }).instance.key).toBe('evaluation');
    expect(lictor.login().pool).toBe('evaluation');
    expect(register(world({ instances: [] }), { key: null }).instance.key).toBeNull();
  });

  test('an expired key can be registered with: one may log in to mend it (F-24)', () => {
    const lictor = world({ keys: [makeExpiredKey()], instances: [] });
    expect(register(lictor).outcome).toBe('new');
  });
});

describe('settings', () => {
  function configure(settings: Partial<InstanceSettings>, ifRevision: string | null = null) {
    return { op: 'configure', name: 'a', settings, ifRevision, actor: 'tester' } as const;
  }

  test('what is stated changes, at once and with a new revision', () => {
    const lictor = world();
    const { revision } = lictor.table.instances.get('a')!;
    const { instance } = instanceOf(lictor.ask(configure({ connectionLimit: 1 }, revision)));
    expect(instance.settings).toMatchObject({ connectionLimit: 1, unitLimit: 0 });
    expect(instance.revision).not.toBe(revision);
    lictor.login();
    expect(lictor.refuse().code).toBe('connection-limit-reached');
  });

  test('a revision that has passed is turned away', () => {
    const lictor = world();
    const { revision } = lictor.table.instances.get('a')!;
    lictor.ask(configure({ unitLimit: 1 }, revision));
    expect(problem(lictor.ask(configure({ unitLimit: 2 }, revision))).code).toBe('precondition-failed');
    expect(lictor.table.instances.get('a')?.settings.unitLimit).toBe(1);
    expect(problem(lictor.ask({ ...configure({}), name: 'no' })).code).toBe('instance-not-found');
  });

  test('a limit under what is held puts nobody out, and nobody new in', () => {
    const lictor = world();
    lictor.login();
    lictor.login({ claims: { user: 'bob' } });
    lictor.ask(configure({ unitLimit: 1 }));
    expect(lictor.unitsAt('a')).toBe(2);
    expect(lictor.refuse({ claims: { user: 'carol' } })).toMatchObject({ limit: 1, inUse: 2 });
  });

  test('another grace moves the deadline; other settings leave it', () => {
    const lictor = world();
    lictor.nowMs += 10_000;
    expect(instanceOf(lictor.ask(configure({ unitLimit: 1 }))).instance.deadlineMs).toBe(START_MS + 60_000);
    expect(instanceOf(lictor.ask(configure({ graceSeconds: 90 }))).instance.deadlineMs).toBe(
      START_MS + 100_000,
    );
    expect(instanceOf(lictor.ask(configure({ graceSeconds: 0 }))).instance.deadlineMs).toBe(0);
  });
});

describe('an instance that is silent (R-11)', () => {
  test('is not reaped when the table’s deadline is later than the one observed', () => {
    const lictor = world();
    lictor.login();
    lictor.nowMs += 30_000;
    expect(lictor.ask(renew())).toEqual({ is: 'alive', deadlineMs: START_MS + 90_000, graceSeconds: 60 });
    lictor.nowMs += 30_000;
    expect(lictor.ask(reap(START_MS + 60_000))).toEqual({
      is: 'alive',
      deadlineMs: START_MS + 90_000,
      graceSeconds: 60,
    });
    expect(lictor.units()).toBe(1);
  });

  test('is reaped at what was observed: what is bound to it goes, leases stay, nobody new comes in', () => {
    const lictor = world();
    lictor.login();
    const leased = lictor.login({ claims: { user: 'leased' }, leaseSeconds: 600 });
    lictor.nowMs += 60_000;
    expect(lictor.ask(reap(START_MS + 60_000))).toMatchObject({ is: 'ended', logins: 1 });
    expect(lictor.table.instances.get('a')).toMatchObject({ state: 'silent', deadlineMs: 0 });
    expect([...lictor.table.places.get('a')!.logins.values()].map(({ id }) => id)).toEqual([leased.id]);
    expect(lictor.refuse()).toMatchObject({
      code: 'instance-silent',
      rule: 'instance-alive',
      detail: expect.stringMatching(/silent for more than 60 s.*Register it again/),
    });
    expect(problem(lictor.ask(renew()))).toMatchObject({
      code: 'instance-silent',
      extras: { lost: 'silent' },
    });
    expect(lictor.ask(reap(lictor.nowMs))).toEqual({ is: 'done' });
  });

  test('comes back with a new incarnation', () => {
    const lictor = world({ instances: [{ name: 'a', registrationId: 'start-1' }] });
    lictor.ask(reap(START_MS + 60_000));
    const answer = register(lictor, { registrationId: 'start-1', incarnation: 1 });
    expect([answer.outcome, answer.instance.incarnation, answer.instance.state]).toEqual([
      'restart',
      2,
      'active',
    ]);
    expect(lictor.login().units).toBe(1);
  });

  test('is never reaped for a life it has left, nor when it is not watched', () => {
    const lictor = world();
    register(lictor);
    expect(lictor.ask(reap(START_MS + 999_000, 1))).toEqual({ is: 'done' });
    const unwatched = world({ settings: { graceSeconds: 0 } });
    expect(unwatched.ask(reap(START_MS + 999_000))).toEqual({ is: 'done' });
    expect(unwatched.ask(renew())).toEqual({ is: 'alive', deadlineMs: 0, graceSeconds: 0 });
    expect(problem(lictor.ask(renew(1))).code).toBe('incarnation-old');
    expect(problem(world({ instances: [] }).ask(renew())).code).toBe('instance-not-found');
  });
});

describe('deregistering', () => {
  test('releases everything it held, leases too, in the same step', () => {
    const lictor = world({ instances: [{ name: 'a' }, { name: 'b' }] });
    lictor.login({ leaseSeconds: 60 });
    lictor.login({ claims: { kind: 'request' } });
    lictor.login({ instance: 'b' });
    expect(lictor.ask(deregister())).toMatchObject({ is: 'ended', logins: 2 });
    expect(lictor.lastEvents).toMatchObject([
      { type: 'ended', instance: 'a', reason: 'deregistered', used: [['key-1', 1]] },
      { type: 'deregistered', instance: 'a' },
    ]);
    expect([lictor.units(), lictor.unitsAt('a'), lictor.table.instances.has('a')]).toEqual([1, 0, false]);
    expect(problem(lictor.ask(makeLogin())).code).toBe('instance-not-found');
    expect(lictor.ask(deregister())).toEqual({ is: 'ended', logins: 0, decision: null });
  });

  test('leaves nothing behind once its last ID is forgotten', () => {
    const lictor = world({ instances: [{ name: 'a', key: null }, { name: 'b' }] });
    lictor.login();
    lictor.ask(deregister());
    expect([lictor.table.places.has('a'), lictor.table.pools.has('default:a')]).toEqual([true, true]);
    lictor.nowMs += 600_000;
    lictor.logout(lictor.login({ instance: 'b' }));
    expect([lictor.table.places.has('a'), lictor.table.pools.has('default:a')]).toEqual([false, false]);
  });
});
