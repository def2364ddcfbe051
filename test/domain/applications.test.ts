import { describe, expect, test } from '@jest/globals';
import type {
  HoldingsView,
  LoadApplication,
  ReturnApplication,
  TakeApplication,
} from '../../src/domain/applications/applicationoperations.ts';
import {
  APPLICATIONS_MAX,
  type ApplicationEntry,
  isSharedName,
  unitsOfValue,
} from '../../src/domain/applications/applications.ts';
import { findCounter } from '../../src/domain/applications/applicationtable.ts';
import type { KeyApplicationSection } from '../../src/domain/keys/keys.ts';
import type { Answer } from '../../src/domain/operations.ts';
import {
  instanceOf,
  makeKey,
  makeReap,
  makeRegister,
  problem,
  refused,
  START_MS,
  type World,
  world,
} from '../support/make.ts';
import { Reporter } from '../support/reporter.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

const LAB: readonly ApplicationEntry[] = [
  ['Lab Users', '2'],
  ['Concurrent Users', '3'],
  ['Extended Lab Reports', 'Enabled'],
];

function load(name: string, entries = LAB, fields: Partial<LoadApplication> = {}): LoadApplication {
  const sections = [{ name, entries, signature: 'unsigned', signingKeyId: null } as const];
  return { op: 'load-application', instance: 'a', sections, actor: 'tester', ...fields };
}

type Feature = readonly [application: string, feature: string];

function take(
  holder: TakeApplication['holder'],
  features: readonly Feature[],
  fields: Partial<TakeApplication> = {},
) {
  const names = features.map(([application, feature]) => ({ application, feature }));
  const operation: TakeApplication = {
    op: 'take-application',
    instance: 'a',
    holder,
    features: names,
    id: null,
    print: 1,
    actor: 'tester',
    ...fields,
  };
  return operation;
}

function giveBack(
  holder: ReturnApplication['holder'],
  features: readonly Feature[] | null,
  fields: Partial<ReturnApplication> = {},
): ReturnApplication {
  const names = features?.map(([application, feature]) => ({ application, feature })) ?? null;
  const common = { instance: 'a', holder, features: names, id: null, print: 1, actor: 'tester' };
  return { op: 'return-application', ...common, ...fields };
}

function held(answer: Answer): HoldingsView & { readonly repeated: boolean } {
  if (answer.is !== 'held') throw new Error(`held was expected, not ${JSON.stringify(answer)}`);
  return { ...answer.holdings, repeated: answer.repeated };
}

/** How many users hold a feature of an instance, and its peak. */
function counts(lictor: World, feature = 'Lab Users', application = 'Lab', instance = 'a') {
  const counter = findCounter(lictor.table, { instance }, application, feature);
  return counter ? [counter.users.size, counter.peak] : [0, 0];
}

const USERS: readonly Feature[] = [['Lab', 'Lab Users']];

/** A world with [Lab] loaded, and who is logged in. */
function lab(users: readonly string[] = ['alice', 'bob', 'carol'], fields: Parameters<typeof world>[0] = {}) {
  const lictor = world(fields);
  lictor.ask(load('Lab'));
  const logins = users.map((user) => ({ login: lictor.login({ claims: { kind: 'user', user } }).id }));
  return { lictor, logins };
}

describe('what a section says', () => {
  test.each([
    ['50', 50],
    ['0', 0],
    [' 7 ', 7],
    ['999999999', 999_999_999],
    ['Enabled', null],
    ['-1', null],
    ['1.5', null],
    ['', null],
    ['1000000000', null],
    ['12 users', null],
  ])('trap 19: a value of %j licenses %p units', (value, units) => {
    expect(unitsOfValue(value)).toBe(units);
  });

  test('trap 20: only the names that are to be are counted across a key', () => {
    expect(
      ['ISC.Lab', 'ISC.', 'ISC', 'Own.Lab', 'Lab'].map((name) => isSharedName(name, ['ISC.*', 'Lab'])),
    ).toEqual([true, true, false, false, true]);
  });
});

describe('loading a section', () => {
  test('F-72: the same content again changes nothing, other content replaces it', () => {
    const lictor = world();
    expect(lictor.ask(load('Lab'))).toMatchObject({ outcomes: ['loaded'] });
    const rows = lictor.rows.length;
    expect(lictor.ask(load('Lab'))).toMatchObject({ outcomes: ['present'] });
    expect(lictor.rows).toHaveLength(rows);
    expect(lictor.ask(load('Lab', [['Lab Users', '9']]))).toMatchObject({ outcomes: ['replaced'] });
  });

  test('of a name that the key has is refused, as is more than an instance may have', () => {
    const sections: KeyApplicationSection[] = [{ name: 'TrakCare', kind: 'other', entries: [] }];
    const lictor = world({ keys: [makeKey({ sections })] });
    expect(problem(lictor.ask(load('TrakCare')))).toMatchObject({ code: 'application-protected' });
    const many = Array.from({ length: APPLICATIONS_MAX }, (_, index) => load(`App${index}`).sections[0]!);
    expect(lictor.ask(load('App', LAB, { sections: many }))).toMatchObject({ is: 'applications' });
    expect(problem(lictor.ask(load('One'))).code).toBe('application-limit-reached');
    expect(lictor.ask(load('App0', []))).toMatchObject({ outcomes: ['replaced'] });
    expect(problem(lictor.ask(load('Lab', LAB, { instance: 'nowhere' }))).code).toBe('instance-not-found');
  });

  test('P-4: with fewer units leaves them to their holders, and nobody else gets one until they are fewer', () => {
    const { lictor, logins } = lab();
    lictor.ask(take(logins[0]!, USERS));
    lictor.ask(take(logins[1]!, USERS));
    expect(counts(lictor)).toEqual([2, 2]);
    lictor.ask(load('Lab', [['Lab Users', '1']]));
    expect(counts(lictor)).toEqual([2, 2]);
    expect(held(lictor.ask(take(logins[0]!, USERS))).features).toMatchObject([
      { count: 2, used: 2, units: 1 },
    ]);
    expect(refused(lictor.ask(take(logins[2]!, USERS)))).toMatchObject({ limit: 1, inUse: 2 });
    lictor.ask(giveBack(logins[0]!, null));
    expect(refused(lictor.ask(take(logins[2]!, USERS)))).toMatchObject({ limit: 1, inUse: 1 });
    lictor.ask(giveBack(logins[1]!, USERS));
    expect(held(lictor.ask(take(logins[2]!, USERS))).features).toMatchObject([{ count: 1, used: 1 }]);
  });

  test('notes 6.2: the peak is that since the section was loaded', () => {
    const { lictor, logins } = lab();
    for (const login of logins.slice(0, 2)) lictor.ask(take(login, USERS));
    lictor.ask(giveBack(logins[0]!, USERS));
    expect(counts(lictor)).toEqual([1, 2]);
    lictor.ask(load('Lab', [['Lab Users', '5']]));
    expect(counts(lictor)).toEqual([1, 1]);
  });

  test('a section that is taken away is held until it is given back, and counted as long', () => {
    const { lictor, logins } = lab();
    lictor.ask(take(logins[0]!, USERS));
    const remove = { op: 'remove-application', instance: 'a', name: 'Lab', actor: 'tester' } as const;
    expect(lictor.ask(remove)).toEqual({ is: 'done' });
    expect(lictor.ask(remove)).toEqual({ is: 'done' });
    expect(counts(lictor)).toEqual([1, 1]);
    expect(problem(lictor.ask(take(logins[0]!, USERS))).code).toBe('application-not-found');
    const { features } = held(lictor.ask(giveBack(logins[0]!, USERS)));
    expect(features).toMatchObject([{ released: true, count: 0, used: 0, units: null }]);
    expect(lictor.table.counters.size).toBe(0);
  });
});

describe('taking', () => {
  test('P-1, notes 6.3: who holds a feature takes it again for nothing, and gives it back as often', () => {
    const { lictor, logins } = lab();
    const again = lictor.login({ claims: { kind: 'user', user: 'alice' } }).id;
    expect(held(lictor.ask(take(logins[0]!, USERS))).features).toMatchObject([
      { count: 1, held: 1, used: 1 },
    ]);
    expect(held(lictor.ask(take(logins[0]!, USERS))).features).toMatchObject([
      { count: 2, held: 2, used: 1 },
    ]);
    const other = lictor.ask(take({ login: again }, USERS));
    expect(held(other).features).toMatchObject([{ count: 3, held: 1, used: 1 }]);
    const back = (login: string) => held(lictor.ask(giveBack({ login }, USERS))).features[0];
    expect(back(again)).toMatchObject({ count: 2, held: 0, released: true });
    expect(back(again)).toMatchObject({ released: false });
    expect(back(logins[0]!.login)).toMatchObject({ count: 1, held: 1, used: 1 });
    expect(back(logins[0]!.login)).toMatchObject({ count: 0, used: 0 });
  });

  test('P-1, F-74: is all or nothing over all features of a call', () => {
    const { lictor, logins } = lab();
    lictor.ask(take(logins[0]!, USERS));
    lictor.ask(take(logins[1]!, USERS));
    const both: readonly Feature[] = [['Lab', 'Concurrent Users'], ...USERS];
    const before = snapshotOf(lictor.table).counters;
    expect(refused(lictor.ask(take(logins[2]!, both)))).toMatchObject({
      code: 'application-units-exhausted',
      rule: 'application-units',
      limit: 2,
      inUse: 2,
      exhausted: {
        application: 'Lab',
        feature: 'Lab Users',
        holdersCount: 2,
        holders: [
          { userId: 'alice', count: 1 },
          { userId: 'bob', count: 1 },
        ],
      },
    });
    expect(snapshotOf(lictor.table).counters).toEqual(before);
    expect(lictor.lastEvents).toMatchObject([
      { type: 'refused', rule: 'application-units', application: 'Lab', feature: 'Lab Users', count: 1 },
    ]);
    expect(held(lictor.ask(take(logins[2]!, [both[0]!, both[0]!]))).features).toMatchObject([{ count: 2 }]);
  });

  test.each([
    ['Nothing', 'Lab Users', 'application-not-found'],
    ['lab', 'Lab Users', 'application-not-found'],
    ['Lab', 'lab users', 'feature-not-licensed'],
    ['Lab', 'Extended Lab Reports', 'feature-not-counted'],
  ])('of %s, "%s" is a problem: %s', (application, feature, code) => {
    const { lictor, logins } = lab();
    expect(problem(lictor.ask(take(logins[0]!, [[application, feature]]))).code).toBe(code);
  });

  test('is for users who are there', () => {
    const { lictor } = lab();
    const system = lictor.login({ claims: { kind: 'system' } });
    expect(problem(lictor.ask(take({ login: system.id }, USERS))).code).toBe('holder-missing');
    expect(problem(lictor.ask(take({ login: 'never' }, USERS))).code).toBe('login-lost');
    expect(problem(lictor.ask(take({ user: 'nobody' }, USERS))).code).toBe('holder-missing');
    expect(held(lictor.ask(take({ user: 'alice' }, USERS)))).toMatchObject({ login: null, userId: 'alice' });
  });

  test('P-6, R-7: the same ID gives the same answer, as long as its holder is there', () => {
    const { lictor, logins } = lab();
    const operation = take(logins[0]!, USERS, { id: 'request-1' });
    const first = held(lictor.ask(operation));
    const second = held(lictor.ask(operation));
    expect(second).toEqual({ ...first, repeated: true });
    expect(counts(lictor)).toEqual([1, 1]);
    expect(problem(lictor.ask({ ...operation, print: 2 })).code).toBe('id-reused');
    const back = giveBack(logins[0]!, USERS, { id: 'request-2' });
    expect(held(lictor.ask(back)).features).toMatchObject([{ released: true }]);
    lictor.ask(take(logins[0]!, USERS));
    expect(held(lictor.ask(back))).toMatchObject({ repeated: true, features: [{ released: true, used: 0 }] });
    expect(counts(lictor)).toEqual([1, 1]);
    expect(problem(lictor.ask(take(logins[0]!, USERS, { id: 'request-2' }))).code).toBe('id-reused');
    lictor.logout({ id: logins[0]!.login, instance: 'a' });
    expect(problem(lictor.ask(operation)).code).toBe('login-lost');
    lictor.wait(700_000);
    lictor.ask(take(logins[1]!, USERS, { id: 'request-3' }));
    expect(lictor.table.requests.byId.size).toBe(1);
  });

  test('F-24: a key that cannot be used gives nothing of its sections; loaded ones do not depend on it (F-72)', () => {
    const sections: KeyApplicationSection[] = [
      { name: 'Own.Lab', kind: 'protected', entries: [['Beds', '5']] },
    ];
    const key = makeKey({ sections, validThroughMs: START_MS + 10_000 });
    const { lictor, logins } = lab(['alice'], { keys: [key] });
    expect(held(lictor.ask(take(logins[0]!, [['Own.Lab', 'Beds']]))).features).toMatchObject([{ used: 1 }]);
    lictor.nowMs += 20_000;
    expect(refused(lictor.ask(take(logins[0]!, [['Own.Lab', 'Beds']])))).toMatchObject({
      code: 'key-expired',
    });
    expect(held(lictor.ask(take(logins[0]!, USERS))).features).toMatchObject([{ used: 1 }]);
    expect(counts(lictor, 'Beds', 'Own.Lab')).toEqual([1, 1]);
  });
});

describe('P-2: what is held goes with its holder (F-70)', () => {
  const ENDS: readonly (readonly [how: string, end: (lictor: World, login: string) => void])[] = [
    ['logs out', (lictor, id) => lictor.logout({ id, instance: 'a' })],
    ['is forced out', (lictor, id) => lictor.logout({ id, instance: 'a' }, { reason: 'forced' })],
    [
      'is released with his other logins',
      (lictor) => lictor.ask({ op: 'release-user', pool: 'key-1', user: 'alice', note: '', actor: 'tester' }),
    ],
    [
      'is released with his instance',
      (lictor) => lictor.ask({ op: 'release-instance', instance: 'a', note: '', actor: 'tester' }),
    ],
    ['is deregistered with it', (lictor) => lictor.ask({ op: 'deregister', name: 'a', actor: 'tester' })],
    ['is there when it starts anew', (lictor) => instanceOf(lictor.ask(makeRegister()))],
    [
      'is there when it is closed',
      (lictor) => lictor.ask({ op: 'close-instance', name: 'a', incarnation: 1, actor: 'tester' }),
    ],
    [
      'is there when it falls silent',
      (lictor) => {
        lictor.nowMs += 60_001;
        const observedMs = lictor.nowMs;
        lictor.ask({ op: 'reap-instance', name: 'a', incarnation: 1, observedMs, actor: 'lictor' });
      },
    ],
  ];

  test.each(ENDS)('when he %s', (_, end) => {
    const { lictor, logins } = lab(['alice']);
    lictor.ask(take(logins[0]!, USERS));
    lictor.ask(take({ user: 'alice' }, [['Lab', 'Concurrent Users']]));
    expect(snapshotOf(lictor.table).holdings).toHaveLength(3);
    const rows = lictor.rows.length;
    end(lictor, logins[0]!.login);
    expect(snapshotOf(lictor.table).holdings).toEqual([]);
    expect(counts(lictor)[0]).toBe(0);
    // In the very step, and without an event of its own.
    expect(lictor.rows).toHaveLength(rows + 1);
    expect(lictor.lastEvents.map(({ type }) => type)).not.toContain('returned');
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });

  test('when his lease runs out', () => {
    const { lictor } = lab([]);
    const { id } = lictor.login({ leaseSeconds: 10 });
    lictor.ask(take({ login: id }, USERS));
    lictor.nowMs += 20_000;
    lictor.ask(makeReap({ id, observedMs: lictor.nowMs }));
    expect(counts(lictor)).toEqual([0, 1]);
  });

  test('in grace only with the unit itself, though nothing more can be taken meanwhile', () => {
    const { lictor } = lab([]);
    const { id } = lictor.login({ claims: { kind: 'web', webSession: 'session-1' } });
    lictor.ask(take({ login: id }, USERS));
    lictor.logout({ id, instance: 'a' }, { onePage: true });
    expect(counts(lictor)).toEqual([1, 1]);
    expect(problem(lictor.ask(take({ login: id }, USERS))).code).toBe('login-lost');
    lictor.wait(600_000);
    expect(counts(lictor)).toEqual([0, 1]);
  });

  test('for the user himself with his last login, not before', () => {
    const { lictor, logins } = lab(['alice', 'alice']);
    lictor.ask(take({ user: 'alice' }, USERS));
    lictor.logout({ id: logins[0]!.login, instance: 'a' });
    expect(counts(lictor)).toEqual([1, 1]);
    lictor.logout({ id: logins[1]!.login, instance: 'a' });
    expect(counts(lictor)).toEqual([0, 1]);
  });

  test('what a login has taken becomes the user’s whom it identifies itself as, if a unit is free for him', () => {
    const { lictor, logins } = lab(['alice', 'alice', 'bob']);
    for (const login of logins) lictor.ask(take(login, USERS));
    const identify = (user: string) =>
      lictor.ask({ op: 'identify', instance: 'a', id: logins[0]!.login, user, actor: 'tester' });
    // Alice holds it by her other login as well, so that carol would be the third.
    expect(refused(identify('carol'))).toMatchObject({ code: 'application-units-exhausted', limit: 2 });
    expect(identify('bob').is).toBe('granted');
    expect(lictor.table.counters.get('instance:a')?.get('Lab\nLab Users')?.users).toEqual(
      new Map([
        ['alice', 1],
        ['bob', 2],
      ]),
    );
    lictor.logout({ id: logins[1]!.login, instance: 'a' });
    // The only holding of a user goes over whatever the limit is.
    expect(identify('carol').is).toBe('granted');
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });
});

describe('under a key that instances decide by', () => {
  test('L-5: units of reported users go with their rows, and stay while another key is taken', () => {
    const keys = [makeKey({ enforcement: 'local' }), makeKey({ id: 'key-2', enforcement: 'local' })];
    const lictor = world({ keys });
    lictor.ask(load('Lab'));
    const reporter = new Reporter('a');
    reporter.set('alice', 1);
    reporter.set('bob', 1);
    const report = () => {
      const update = reporter.update();
      const answer = lictor.ask(update);
      if (answer.is !== 'updated') throw new Error(JSON.stringify(answer));
      reporter.hear(answer.update);
    };
    report();
    lictor.ask(take({ user: 'alice' }, USERS));
    lictor.ask(take({ user: 'bob' }, USERS));
    reporter.set('alice', 0);
    report();
    expect(counts(lictor)).toEqual([1, 2]);
    lictor.ask(makeRegister({ key: 'key-2', incarnation: 1 }));
    expect(counts(lictor)).toEqual([1, 2]);
    for (const part of reporter.full(1)) lictor.ask(part);
    expect(counts(lictor)).toEqual([1, 2]);
    lictor.ask(makeRegister({ key: 'key-2' }));
    expect(counts(lictor)).toEqual([0, 2]);
  });
});

describe('sections that come with a key', () => {
  const section = (name: string, units: number): KeyApplicationSection => ({
    name,
    kind: 'protected',
    entries: [['Beds', String(units)]],
  });
  const keys = [
    makeKey({ sections: [section('ISC.Care', 2), section('Own.Care', 2)] }),
    makeKey({ id: 'key-2', sections: [section('ISC.Care', 1), section('Own.Care', 5)] }),
  ];
  const instances = [{ name: 'a' }, { name: 'b' }];
  const shared = (lictor: World, key = 'key-1') => {
    const counter = findCounter(lictor.table, { key }, 'ISC.Care', 'Beds');
    return [...(counter?.users.keys() ?? [])].sort();
  };

  function care() {
    const lictor = world({ keys, instances });
    const on = (instance: string, user: string) => {
      const { id } = lictor.login({ instance, claims: { kind: 'user', user } });
      const ask = (name: string) => lictor.ask(take({ login: id }, [[name, 'Beds']], { instance }));
      return { id, ask };
    };
    return { lictor, on };
  }

  test('trap 20: ISC. sections are counted across the instances of the key, the others on each', () => {
    const { lictor, on } = care();
    const [alice, again, bob, carol] = [on('a', 'alice'), on('b', 'alice'), on('b', 'bob'), on('b', 'carol')];
    expect(held(alice.ask('ISC.Care')).features).toMatchObject([{ used: 1 }]);
    expect(held(again.ask('ISC.Care')).features).toMatchObject([{ used: 1, count: 2 }]);
    expect(held(bob.ask('ISC.Care')).features).toMatchObject([{ used: 2 }]);
    expect(refused(carol.ask('ISC.Care')).exhausted).toMatchObject({
      holders: [
        { userId: 'alice', count: 2 },
        { userId: 'bob', count: 1 },
      ],
    });
    for (const one of [alice, on('a', 'dave'), bob, carol])
      expect(held(one.ask('Own.Care')).features[0]!.used).toBeLessThan(3);
    lictor.logout({ id: alice.id, instance: 'a' });
    expect(shared(lictor)).toEqual(['alice', 'bob']);
    lictor.logout({ id: again.id, instance: 'b' });
    expect(shared(lictor)).toEqual(['bob']);
  });

  test('P-3: are counted under the key that an instance takes, where nobody loses anything', () => {
    const { lictor, on } = care();
    const [alice, bob] = [on('a', 'alice'), on('b', 'bob')];
    for (const one of [alice, bob]) for (const name of ['ISC.Care', 'Own.Care']) one.ask(name);
    const carol = on('a', 'carol');
    carol.ask('Own.Care');
    lictor.logout({ id: carol.id, instance: 'a' });
    expect(counts(lictor, 'Beds', 'Own.Care')).toEqual([1, 2]);
    lictor.ask(makeRegister({ key: 'key-2', incarnation: 1 }));
    expect([shared(lictor), shared(lictor, 'key-2')]).toEqual([['bob'], ['alice']]);
    // The peak of what came with the key begins anew.
    expect(counts(lictor, 'Beds', 'Own.Care')).toEqual([1, 1]);
    lictor.ask(makeRegister({ name: 'b', key: 'key-2', incarnation: 1 }));
    expect([shared(lictor), shared(lictor, 'key-2')]).toEqual([[], ['alice', 'bob']]);
    expect(refused(on('b', 'dave').ask('ISC.Care'))).toMatchObject({ limit: 1, inUse: 2 });
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });

  test('R-16: what the configuration names is counted across the key as well', () => {
    const lictor = world({ keys, instances, policy: { sharedApplications: ['Lab'] } });
    for (const instance of ['a', 'b']) lictor.ask(load('Lab', [['Concurrent Users', '1']], { instance }));
    const ids = ['a', 'b'].map(
      (instance) => lictor.login({ instance, claims: { kind: 'user', user: instance } }).id,
    );
    const answers = ['a', 'b'].map((instance, index) =>
      lictor.ask(take({ login: ids[index]! }, [['Lab', 'Concurrent Users']], { instance })),
    );
    expect(answers.map(({ is }) => is)).toEqual(['held', 'refused']);
  });
});

test('P-5: a replica whose own counting disagrees with a row stops (R-4)', () => {
  const { lictor, logins } = lab();
  lictor.ask(take(logins[0]!, USERS));
  const rows = structuredClone(lictor.rows) as unknown as { events: { features: { used: number }[] }[] }[];
  rows.at(-1)!.events[0]!.features[0]!.used = 2;
  expect(() => replay(rows as unknown as typeof lictor.rows)).toThrow(
    /is taken 1 times by alice and held by 1/,
  );
});
