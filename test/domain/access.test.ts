import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  ACTIONS,
  type Action,
  type Grant,
  isUnrestricted,
  mayGrant,
  permits,
  ROLE_ACTIONS,
  ROLES,
  type Role,
} from '../../src/domain/access.ts';

const grant = (role: Role, keys: string[] | null = null, instance: string | null = null): Grant => ({
  role,
  keys,
  instance,
});

describe('roles', () => {
  const CASES: [action: Action, ...allowed: Role[]][] = [
    ['keys.inspect', 'administrator', 'operator', 'viewer', 'instance'],
    ['keys.read', 'administrator', 'operator', 'viewer'],
    ['keys.install', 'administrator'],
    ['keys.change', 'administrator'],
    ['keys.remove', 'administrator'],
    ['instances.register', 'administrator', 'operator', 'instance'],
    ['instances.read', 'administrator', 'operator', 'viewer', 'instance'],
    ['instances.change', 'administrator', 'operator'],
    ['instances.activate', 'administrator'],
    ['instances.remove', 'administrator', 'operator', 'instance'],
    ['instances.heartbeat', 'administrator', 'operator', 'instance'],
    ['instances.update', 'administrator', 'operator', 'instance'],
    ['logins.create', 'administrator', 'operator', 'instance'],
    ['logins.read', 'administrator', 'operator', 'viewer', 'instance'],
    ['logins.explain', 'administrator', 'operator', 'viewer', 'instance'],
    ['logins.renew', 'administrator', 'operator', 'instance'],
    ['logins.release', 'administrator', 'operator', 'instance'],
    ['logins.force', 'administrator', 'operator'],
    ['logins.emergency', 'administrator'],
    ['usage.read', 'administrator', 'operator', 'viewer', 'instance'],
    ['usage.reset', 'administrator', 'operator'],
    ['applications.read', 'administrator', 'operator', 'viewer', 'instance'],
    ['applications.use', 'administrator', 'operator', 'instance'],
    ['applications.load', 'administrator', 'operator', 'instance'],
    ['applications.change', 'administrator', 'operator'],
    ['journal.read', 'administrator', 'operator', 'viewer'],
    ['servers.read', 'administrator', 'operator', 'viewer', 'instance'],
    ['servers.serve', 'administrator', 'operator', 'instance'],
    ['servers.change', 'administrator'],
    ['metrics.read', 'administrator', 'operator', 'viewer'],
    ['diagnosis.read', 'administrator', 'operator'],
    ['tokens.manage', 'administrator'],
  ];

  test.each(CASES)('%s is permitted to exactly the listed roles', (action, ...allowed) => {
    expect(ROLES.filter((role) => permits(grant(role), action))).toEqual(allowed);
  });

  test('the table above names every action', () => {
    expect(CASES.map(([action]) => action)).toEqual([...ACTIONS]);
  });

  test('what a viewer may do an operator may, and what an operator may an administrator may', () => {
    for (const action of ROLE_ACTIONS.viewer) expect(ROLE_ACTIONS.operator.has(action)).toBe(true);
    for (const action of ROLE_ACTIONS.operator) expect(ROLE_ACTIONS.administrator.has(action)).toBe(true);
  });
});

describe('restrictions', () => {
  const CASES: [
    name: string,
    principal: Grant,
    target: { keyId?: string | null; instance?: string } | undefined,
    expected: boolean,
  ][] = [
    ['unrestricted, no target', grant('instance'), undefined, true],
    ['unrestricted, any target', grant('instance'), { keyId: 'k1', instance: 'a' }, true],
    ['unrestricted, a target without anything', grant('instance'), {}, true],
    ['keys, the role alone', grant('instance', ['k1']), undefined, true],
    ['keys, one of them', grant('instance', ['k1', 'k2']), { keyId: 'k2' }, true],
    ['keys, another one', grant('instance', ['k1']), { keyId: 'k2' }, false],
    ['keys, a target without a key', grant('instance', ['k1']), { instance: 'a' }, false],
    ['keys, a target with no key', grant('instance', ['k1']), { keyId: null }, false],
    ['no keys at all', grant('instance', []), { keyId: 'k1' }, false],
    ['instance, itself', grant('instance', null, 'a'), { instance: 'a', keyId: 'k1' }, true],
    ['instance, another', grant('instance', null, 'a'), { instance: 'b' }, false],
    ['instance, a target without one', grant('instance', null, 'a'), { keyId: 'k1' }, false],
    ['both, both met', grant('instance', ['k1'], 'a'), { keyId: 'k1', instance: 'a' }, true],
    ['both, the key only', grant('instance', ['k1'], 'a'), { keyId: 'k1', instance: 'b' }, false],
    ['both, the instance only', grant('instance', ['k1'], 'a'), { keyId: 'k2', instance: 'a' }, false],
  ];

  test.each(CASES)('%s', (_name, principal, target, expected) => {
    expect(permits(principal, 'logins.create', target)).toBe(expected);
  });

  test('a restriction never permits what the role does not', () => {
    expect(permits(grant('viewer', ['k1']), 'logins.create', { keyId: 'k1' })).toBe(false);
  });

  test('unrestricted is neither keys nor instance', () => {
    expect(isUnrestricted(grant('viewer'))).toBe(true);
    expect(isUnrestricted(grant('viewer', []))).toBe(false);
    expect(isUnrestricted(grant('viewer', null, 'a'))).toBe(false);
  });
});

describe('making tokens', () => {
  test.each([
    ['an unrestricted administrator makes any', grant('administrator'), grant('administrator'), true],
    ['an operator makes none', grant('operator'), grant('viewer'), false],
    ['with keys: fewer keys', grant('administrator', ['k1', 'k2']), grant('viewer', ['k1']), true],
    ['with keys: the same keys', grant('administrator', ['k1']), grant('administrator', ['k1']), true],
    ['with keys: another key', grant('administrator', ['k1']), grant('viewer', ['k1', 'k2']), false],
    ['with keys: no restriction', grant('administrator', ['k1']), grant('viewer'), false],
    ['with keys: an instance instead', grant('administrator', ['k1']), grant('instance', null, 'a'), false],
    ['with an instance: the same', grant('administrator', null, 'a'), grant('instance', null, 'a'), true],
    ['with an instance: another', grant('administrator', null, 'a'), grant('instance', null, 'b'), false],
    ['with an instance: none', grant('administrator', null, 'a'), grant('viewer', ['k1']), false],
  ])('%s', (_name, principal, wanted, expected) => {
    expect(mayGrant(principal, wanted)).toBe(expected);
  });

  test('a token that was made never permits what its maker is not permitted', () => {
    const keys = fc.option(fc.subarray(['k1', 'k2', 'k3']), { nil: null });
    const instance = fc.option(fc.constantFrom('a', 'b'), { nil: null });
    const anyGrant = fc.record({ role: fc.constantFrom(...ROLES), keys, instance });
    const target = fc.record(
      { keyId: fc.constantFrom('k1', 'k2', 'k3'), instance: fc.constantFrom('a', 'b') },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(anyGrant, anyGrant, fc.constantFrom(...ACTIONS), target, (maker, made, action, on) => {
        if (!mayGrant(maker, made) || !permits(made, action, on)) return;
        expect(permits(maker, action, on)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
