import { describe, expect, test } from '@jest/globals';
import type {
  HoldingsView,
  ReturnApplication,
  TakeApplication,
} from '../../src/domain/applications/applicationoperations.ts';
import { REQUEST_FEATURES_KEPT_MAX } from '../../src/domain/applications/applicationrequests.ts';
import {
  type ApplicationEntry,
  FEATURES_HELD_MAX,
  FEATURES_PER_CALL_MAX,
} from '../../src/domain/applications/applications.ts';
import { findCounter } from '../../src/domain/applications/applicationtable.ts';
import type { KeyApplicationSection } from '../../src/domain/keys/keys.ts';
import type { Answer } from '../../src/domain/operations.ts';
import { expectHoldingsSound } from '../support/applicationsteps.ts';
import { makeKey, makeRegister, problem, refused, type World, world } from '../support/make.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

const COMMON = { instance: 'a', id: null, print: 1, actor: 'tester' };

function take(
  holder: TakeApplication['holder'],
  application: string,
  features: readonly string[],
  fields = {},
) {
  const names = features.map((feature) => ({ application, feature }));
  return { op: 'take-application', ...COMMON, holder, features: names, ...fields } as const;
}

function giveBack(login: string, features: ReturnApplication['features'] = null): ReturnApplication {
  return { op: 'return-application', ...COMMON, holder: { login }, features };
}

function held(answer: Answer): HoldingsView {
  if (answer.is !== 'held') throw new Error(`held was expected, not ${JSON.stringify(answer)}`);
  return answer.holdings;
}

/** Loads a section with as many features as are asked for, one unit each. */
function loadMany(lictor: World, name: string, count: number): string[] {
  const entries = Array.from({ length: count }, (_, index): ApplicationEntry => [`Feature ${index}`, '1']);
  const sections = [{ name, entries, signature: 'unsigned', signingKeyId: null } as const];
  lictor.ask({ op: 'load-application', instance: 'a', sections, actor: 'tester' });
  return entries.map(([keyword]) => keyword);
}

function takeAll(lictor: World, login: string, application: string, features: readonly string[]): Answer {
  let answer: Answer = { is: 'done' };
  for (let from = 0; from < features.length; from += FEATURES_PER_CALL_MAX)
    answer = lictor.ask(take({ login }, application, features.slice(from, from + FEATURES_PER_CALL_MAX)));
  return answer;
}

describe('what is counted across a key', () => {
  const section: KeyApplicationSection = { name: 'ISC.Care', kind: 'protected', entries: [['Beds', '1']] };
  const keys = [makeKey({ sections: [section] }), makeKey({ id: 'key-2', sections: [section] })];
  const on = (lictor: World, instance: string, user: string) => {
    const { id } = lictor.login({ instance, claims: { kind: 'user', user } });
    return lictor.ask(take({ login: id }, 'ISC.Care', ['Beds'], { instance }));
  };

  test('P-3: is counted there again after a time without a key, and nobody else gets that unit', () => {
    const lictor = world({ keys, instances: [{ name: 'a' }, { name: 'b', key: 'key-2' }] });
    held(on(lictor, 'a', 'alice'));
    lictor.ask(makeRegister({ key: null, incarnation: 1 }));
    expect(findCounter(lictor.table, { instance: 'a' }, 'ISC.Care', 'Beds')?.users.size).toBe(1);
    lictor.ask(makeRegister({ key: 'key-2', incarnation: 1 }));
    expect(findCounter(lictor.table, { instance: 'a' }, 'ISC.Care', 'Beds')).toBeUndefined();
    expect(refused(on(lictor, 'b', 'bob'))).toMatchObject({ limit: 1, inUse: 1 });
    expectHoldingsSound(lictor.table);
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });

  test('P-3: so is what stayed behind on the instance when the configuration changed, with what it holds besides', () => {
    const lictor = world({
      keys,
      instances: [{ name: 'a' }, { name: 'b', key: 'key-2' }],
      policy: { sharedApplications: [] },
    });
    held(on(lictor, 'a', 'alice'));
    Object.assign(lictor.policy, { sharedApplications: ['ISC.*'] });
    held(on(lictor, 'a', 'alice'));
    held(on(lictor, 'b', 'alice'));
    lictor.ask(makeRegister({ key: 'key-2', incarnation: 1 }));
    const counter = findCounter(lictor.table, { key: 'key-2' }, 'ISC.Care', 'Beds');
    expect([...(counter?.users ?? [])]).toEqual([['alice', 3]]);
    expectHoldingsSound(lictor.table);
    expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
  });
});

test('a loaded section that is counted across a key leaves nothing behind, however often it is another', () => {
  const lictor = world({
    keys: [makeKey(), makeKey({ id: 'key-2' })],
    policy: { sharedApplications: ['Lab*'] },
  });
  const { id } = lictor.login();
  for (let round = 0; round < 5; round += 1) {
    const [feature] = loadMany(lictor, `Lab${round}`, 1);
    expect(held(lictor.ask(take({ login: id }, `Lab${round}`, [feature!]))).features).toMatchObject([
      { used: 1 },
    ]);
    if (round % 2 === 0) lictor.ask(makeRegister({ key: round === 0 ? 'key-2' : 'key-1', incarnation: 1 }));
    lictor.ask({ op: 'remove-application', instance: 'a', name: `Lab${round}`, actor: 'tester' });
    expect(lictor.table.counters.size).toBe(1);
    expectHoldingsSound(lictor.table);
    lictor.ask(giveBack(id));
    expect(lictor.table.counters.size).toBe(0);
  }
  expect(snapshotOf(replay(lictor.rows))).toEqual(snapshotOf(lictor.table));
});

describe('how much one holder may hold', () => {
  test('is bounded, and all of it is given back in one step', () => {
    const lictor = world();
    const features = loadMany(lictor, 'Lab', FEATURES_HELD_MAX + 1);
    const { id } = lictor.login();
    const { features: last } = held(takeAll(lictor, id, 'Lab', features.slice(0, FEATURES_HELD_MAX)));
    expect(last.at(-1)).toMatchObject({ held: 1 });
    const more = problem(lictor.ask(take({ login: id }, 'Lab', features.slice(-1))));
    expect(more.code).toBe('holdings-limit-reached');
    expect(more.detail).toContain(`may have ${FEATURES_HELD_MAX}. Give back`);
    // What is held already is taken again all the same.
    held(lictor.ask(take({ login: id }, 'Lab', features.slice(0, 2))));
    const back = held(lictor.ask(giveBack(id))).features;
    expect(back).toHaveLength(FEATURES_HELD_MAX);
    expect(back.every(({ held: left, released }) => left === 0 && released)).toBe(true);
    expect(lictor.table.places.get('a')!.holdings).toBeNull();
  });

  test('P-6, R-7: the answers that are remembered come to a bounded number of features', () => {
    const lictor = world();
    const features = loadMany(lictor, 'Lab', FEATURES_PER_CALL_MAX);
    const { id: login } = lictor.login();
    const count = Math.ceil(REQUEST_FEATURES_KEPT_MAX / FEATURES_PER_CALL_MAX) + 10;
    const request = (index: number) => take({ login }, 'Lab', features, { id: `request-${index}` });
    for (let index = 0; index < count; index += 1) lictor.ask(request(index));
    const { requests } = lictor.table;
    expect(requests.byId.size).toBe(REQUEST_FEATURES_KEPT_MAX / FEATURES_PER_CALL_MAX);
    expect(requests.features).toBe(REQUEST_FEATURES_KEPT_MAX);
    // The oldest are forgotten, and a batch that is taken back forgets none.
    expect([requests.byId.has('a\nrequest-9'), requests.byId.has('a\nrequest-10')]).toEqual([false, true]);
    lictor.draft([request(count), request(count + 1)]);
    lictor.table.rollback();
    expect(requests.features).toBe(REQUEST_FEATURES_KEPT_MAX);
    expect(lictor.ask(request(10))).toMatchObject({ is: 'held', repeated: true });
  });
});

test('a login that is nobody’s yet has nothing to give back, and is not told that it was lost', () => {
  const lictor = world({ settings: { deferredIdentification: true } });
  const { id } = lictor.login({ claims: { kind: 'user' } });
  expect(problem(lictor.ask(giveBack(id)))).toMatchObject({ code: 'holder-missing' });
});
