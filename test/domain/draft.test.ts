import { describe, expect, test } from '@jest/globals';
import { Draft, REFUSAL_SAMPLES_MAX } from '../../src/domain/draft.ts';
import type { Refused } from '../../src/domain/events.ts';
import { makeKey, makeLogin, refused, START_MS, world } from '../support/make.ts';
import { contentOf } from '../support/snapshot.ts';

const FULL = { keys: [makeKey({ units: 1 })], instances: [{ name: 'a' }, { name: 'b' }] };

describe('refusals in a batch (R-5)', () => {
  test('a storm of 1,000 is one event with the count and eight samples, and one decision', () => {
    const lictor = world(FULL);
    lictor.login({ claims: { user: 'holder' } });
    const before = contentOf(lictor.table);
    const storm = Array.from({ length: 1_000 }, (_, n) =>
      makeLogin({ id: `storm-${n}`, instance: n % 2 ? 'a' : 'b', claims: { user: `user-${n}` } }),
    );
    const answers = lictor.run(storm).map(refused);
    expect(lictor.lastEvents).toHaveLength(1);
    const event = lictor.lastEvents[0] as Refused;
    expect(event).toMatchObject({
      type: 'refused',
      pool: 'key-1',
      rule: 'enforced-units',
      code: 'units-exhausted',
      limit: 1,
      inUse: 1,
      requested: 1,
      count: 1_000,
    });
    expect(event.samples).toHaveLength(REFUSAL_SAMPLES_MAX);
    expect(event.samples[0]).toEqual({ instance: 'b', login: 'storm-0', user: 'user-0', by: 0 });
    expect(new Set(answers.map((answer) => answer.decision))).toEqual(
      new Set([`0:${lictor.table.version}:0`]),
    );
    expect(contentOf(lictor.table)).toEqual(before);
  });

  test('each key and rule has its own event, each refusal the decision of its event', () => {
    const lictor = world({
      keys: [makeKey({ units: 1 }), makeKey({ id: 'key-2', units: 1 })],
      instances: [{ name: 'a' }, { name: 'b', key: 'key-2', settings: { connectionLimit: 1 } }],
    });
    lictor.login();
    lictor.login({ instance: 'b' });
    const ask = (id: string, instance: string, user: string) => makeLogin({ id, instance, claims: { user } });
    const answers = lictor.run([
      ask('1', 'a', 'bob'),
      ask('2', 'b', 'bob'),
      ask('3', 'b', 'alice'),
      ask('4', 'a', 'carol'),
      ask('5', 'b', 'carol'),
    ]);
    const { version } = lictor.table;
    expect(answers.map((answer) => refused(answer).decision)).toEqual(
      [0, 1, 2, 0, 1].map((index) => `0:${version}:${index}`),
    );
    expect(lictor.lastEvents).toMatchObject([
      { pool: 'key-1', rule: 'enforced-units', count: 2 },
      { pool: 'key-2', rule: 'enforced-units', count: 2 },
      { pool: 'key-2', rule: 'connection-limit', count: 1 },
    ]);
  });

  test('what is refused depends on what the same batch granted before', () => {
    const lictor = world(FULL);
    const answers = lictor.run([
      makeLogin({ id: '1', claims: { user: 'one' } }),
      makeLogin({ id: '2', claims: { user: 'two' } }),
      { op: 'logout', instance: 'a', id: '1', reason: 'logout', actor: 'tester' },
      makeLogin({ id: '3', claims: { user: 'three' } }),
    ]);
    expect(answers.map((answer) => answer.is)).toEqual(['granted', 'refused', 'released', 'granted']);
  });
});

describe('a draft', () => {
  test('names every actor once', () => {
    const lictor = world();
    for (const actor of ['x', 'y', 'x']) lictor.ask(makeLogin({ id: actor + lictor.newId(), actor }));
    const ids = ['x', 'y', 'x', 'y'].map((actor, n) => makeLogin({ id: `batch-${n}`, actor }));
    lictor.run(ids);
    const row = lictor.rows.at(-1)!;
    expect(row.actors).toEqual(['x', 'y']);
    expect(row.events.map((event) => 'by' in event && event.by)).toEqual([0, 1, 0, 1]);
  });

  test('has an instant in whole milliseconds that is never before the last row’s (R-14)', () => {
    const lictor = world();
    lictor.nowMs = START_MS + 1_000;
    lictor.login();
    expect(new Draft(lictor.table, START_MS).atMs).toBe(START_MS + 1_000);
    expect(new Draft(lictor.table, START_MS + 2_000.9).atMs).toBe(START_MS + 2_000);
    lictor.nowMs = START_MS;
    lictor.login();
    expect(lictor.rows.at(-1)?.at).toBe(START_MS + 1_000);
  });

  test('has the version after the table’s, and the decision of its next event', () => {
    const lictor = world();
    const { draft } = lictor.draft([makeLogin()]);
    expect(draft.nextDecision).toBe(`0:${lictor.table.version + 1}:1`);
    lictor.table.rollback();
  });
});
