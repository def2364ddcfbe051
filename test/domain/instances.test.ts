import { describe, expect, test } from '@jest/globals';
import { classifyRegistration, DEFAULT_SETTINGS, defaultPoolOf } from '../../src/domain/instances.ts';
import { makeInstance } from '../support/make.ts';

const ACTIVE = makeInstance({ incarnation: 5, registrationId: 'start-5' });
const SILENT = makeInstance({ incarnation: 5, registrationId: 'start-5', state: 'silent' });

describe('what a registration is (R-10)', () => {
  test.each([
    ['a name that is not registered', undefined, null, null, 'new'],
    ['a name that is not registered, by a client that remembers a life', undefined, 5, 'start-5', 'new'],
    ['no incarnation: the client restarted', ACTIVE, null, null, 'restart'],
    ['no incarnation and the ID of another start', ACTIVE, null, 'start-6', 'restart'],
    ['no incarnation and the ID of this start: the answer was lost', ACTIVE, null, 'start-5', 'retry'],
    ['the incarnation that holds', ACTIVE, 5, null, 'retry'],
    ['the incarnation that holds, whatever the ID', ACTIVE, 5, 'start-6', 'retry'],
    ['an incarnation that was replaced', ACTIVE, 4, null, 'old'],
    ['an incarnation that was replaced, with the ID of another start', ACTIVE, 4, 'start-4', 'old'],
    ['an incarnation nobody here has issued, as after a restore', ACTIVE, 9, null, 'restart'],
    ['a silent instance that comes back with its incarnation', SILENT, 5, null, 'restart'],
    ['a silent instance that repeats the ID of its start', SILENT, 5, 'start-5', 'restart'],
    ['a silent instance that restarted', SILENT, null, null, 'restart'],
    ['an older life of a silent instance', SILENT, 4, null, 'old'],
  ])('%s', (_, current, incarnation, registrationId, kind) => {
    expect(classifyRegistration(current, incarnation, registrationId)).toBe(kind);
  });

  test('a registration without an ID is not a retry of another without one', () => {
    expect(classifyRegistration(makeInstance({ registrationId: null }), null, null)).toBe('restart');
  });
});

test('the settings of an instance that states none have no limit and derive nobody from names', () => {
  expect(DEFAULT_SETTINGS).toMatchObject({
    identityForm: 'name',
    usernameLicensing: false,
    deferredIdentification: false,
    unitLimit: 0,
    connectionLimit: 0,
    trustedProxies: [],
  });
});

test('the pool of an instance without a usable key cannot be taken for a key, nor for another instance’s', () => {
  expect(defaultPoolOf('a')).toBe('default:a');
  expect(defaultPoolOf('a')).not.toBe(defaultPoolOf('b'));
});
