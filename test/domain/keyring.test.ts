import { describe, expect, test } from '@jest/globals';
import type { LicenseKey } from '../../src/domain/keys/keys.ts';
import type { Answer, ChangeKey } from '../../src/domain/operations.ts';
import { makeKey, makeRegister, problem, START_MS, world } from '../support/make.ts';

function install(key: LicenseKey, file: Uint8Array | null = null) {
  return { op: 'install-key', key, file, actor: 'keeper' } as const;
}

function change(changes: ChangeKey['changes'], ifRevision: string | null = null): ChangeKey {
  return { op: 'change-key', id: 'key-1', changes, ifRevision, actor: 'keeper' };
}

const REMOVE = { op: 'remove-key', id: 'key-1', actor: 'keeper' } as const;

function keyOf(answer: Answer) {
  if (answer.is !== 'key') throw new Error(`a key was expected, not ${JSON.stringify(answer)}`);
  return answer;
}

describe('installing a key', () => {
  test('the record says who installed it and when, and its file goes with the batch', () => {
    const lictor = world({ keys: [], instances: [] });
    const file = new Uint8Array([1, 2, 3]);
    const { draft, answers } = lictor.draft([install(makeKey(), file)]);
    lictor.commit(draft);
    const { key, outcome } = keyOf(answers[0]!);
    expect(outcome).toBe('installed');
    expect(key).toMatchObject({
      id: 'key-1',
      installedAtMs: START_MS,
      installedBy: 'keeper',
      revision: '0:1:0',
    });
    expect([...draft.files]).toEqual([['key-1', file]]);
    expect(lictor.table.keys.get('key-1')).toEqual(key);
  });

  test('the same content again is there already and changes nothing', () => {
    const lictor = world();
    const before = lictor.table.keys.get('key-1');
    const { draft, answers } = lictor.draft([install(makeKey(), new Uint8Array([1]))]);
    expect(keyOf(answers[0]!)).toEqual({ is: 'key', key: before, outcome: 'present' });
    expect([draft.events, draft.files.size]).toEqual([[], 0]);
  });

  test.each([
    { unitsAuthorised: 99 },
    { unitsEnforced: 101 },
    { licenseType: 'power-unit' },
    { server: 'single' },
  ] as const)('the same file with another statement (%j) is a conflict, not a repetition', (other) => {
    const lictor = world();
    const answer = problem(lictor.ask(install(makeKey(other))));
    expect(answer.code).toBe('key-in-use');
    expect(answer.detail).toContain('100 units authorised, 100 enforced');
    expect(lictor.table.keys.get('key-1')?.unitsEnforced).toBe(100);
  });
});

describe('changing how a key is enforced', () => {
  test('what is stated changes, on the revision that was seen', () => {
    const lictor = world();
    const { revision } = lictor.table.keys.get('key-1')!;
    const { key } = keyOf(lictor.ask(change({ connectionsPerUnitMax: 2 }, revision)));
    expect(key).toMatchObject({ connectionsPerUnitMax: 2, unitsEnforced: 100 });
    expect(lictor.logins(3).at(-1)?.units).toBe(3);
    expect(problem(lictor.ask(change({ connectionsPerUnitMax: 9 }, revision))).code).toBe(
      'precondition-failed',
    );
    expect(lictor.table.keys.get('key-1')?.connectionsPerUnitMax).toBe(2);
  });

  test('a key that is not installed is a problem', () => {
    expect(problem(world({ keys: [], instances: [] }).ask(change({}))).code).toBe('key-not-found');
  });
});

describe('removing a key', () => {
  test('is refused while an instance is registered with it or units of it are in use', () => {
    const lictor = world({ keys: [makeKey(), makeKey({ id: 'key-2' })] });
    const login = lictor.login();
    expect(problem(lictor.ask(REMOVE)).detail).toContain('instance "a" is registered with it');
    lictor.ask(makeRegister({ key: null, incarnation: 1 }));
    expect(problem(lictor.ask(REMOVE)).detail).toContain('1 of its units are in use');
    lictor.logout(login);
    expect(lictor.ask(REMOVE)).toEqual({ is: 'done' });
    expect(lictor.lastEvents).toMatchObject([{ type: 'key-removed', key: 'key-1' }]);
    expect(lictor.table.keys.has('key-1')).toBe(false);
  });

  test('can be repeated, and the key can be installed again with another statement', () => {
    const lictor = world({ instances: [] });
    lictor.ask(REMOVE);
    const rows = lictor.rows.length;
    expect([lictor.ask(REMOVE), lictor.rows.length]).toEqual([{ is: 'done' }, rows]);
    expect(keyOf(lictor.ask(install(makeKey({ units: 5 })))).key.unitsEnforced).toBe(5);
  });
});
