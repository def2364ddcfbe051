import { describe, expect, test } from '@jest/globals';
import {
  type Claims,
  type IdentitySettings,
  identify,
  named,
  STARTUP_USER_ID,
  throttleOf,
  USER_ID_LENGTH_MAX,
} from '../../src/domain/users.ts';

const NAME: IdentitySettings = {
  identityForm: 'name',
  usernameLicensing: false,
  deferredIdentification: false,
};
const NAME_AT_ADDRESS: IdentitySettings = { ...NAME, identityForm: 'name@address' };
const FORMS = [NAME, NAME_AT_ADDRESS];
const ADDRESS = '192.0.2.7';

function who(claims: Partial<Claims>, settings = NAME, parent?: string | null) {
  return identify({ kind: 'user', ...claims }, settings, 'login-1', 'app-a', parent);
}

function user(userId: string) {
  return { is: 'user', userId };
}

describe.each(FORMS)('identity in the form $identityForm (notes 4.1)', (settings) => {
  test('a client that logs in automatically is its address (F-41)', () => {
    expect(who({ clientAddress: ADDRESS }, settings)).toEqual(user(ADDRESS));
    expect(who({ clientAddress: '2001:db8::7', username: 'alice' }, settings)).toEqual(user('2001:db8::7'));
  });

  test('a web session that is not logged in is its session ID (F-46)', () => {
    expect(who({ kind: 'web', webSession: 's-1', clientAddress: ADDRESS }, settings)).toEqual(user('s-1'));
    expect(who({ kind: 'web', clientAddress: ADDRESS }, settings)).toEqual(user('login-1'));
  });

  test('a web session stays its session ID under username licensing (F-46)', () => {
    const licensing = { ...settings, usernameLicensing: true };
    const claims = { kind: 'web', webSession: 's-1', username: 'alice', clientAddress: ADDRESS } as const;
    expect(who(claims, licensing)).toEqual(user('s-1'));
  });

  test('a LAT terminal is its server and port, before its address (F-42)', () => {
    const terminal = { server: 'TS1', port: 'LTA7' };
    expect(who({ terminal }, settings)).toEqual(user('TS1/LTA7'));
    expect(who({ terminal, clientAddress: ADDRESS }, settings)).toEqual(user('TS1/LTA7'));
  });

  test('a batch process is its process ID on its instance, never shared (F-42)', () => {
    const batch = { kind: 'batch', processId: 4711, clientAddress: ADDRESS } as const;
    expect(who(batch, settings)).toEqual(user('4711@app-a'));
    expect(identify(batch, settings, 'login-1', 'app-b')).toEqual(user('4711@app-b'));
  });

  test('a batch process is its process ID under username licensing too (F-42, F-45)', () => {
    const licensing = { ...settings, usernameLicensing: true };
    expect(who({ kind: 'batch', processId: 4711, username: 'batch' }, licensing)).toEqual(user('4711@app-a'));
  });

  test('a batch process without a process ID is told to send one', () => {
    const identity = who({ kind: 'batch', clientAddress: ADDRESS }, settings);
    expect(identity).toEqual({ is: 'illegal', detail: expect.stringContaining('process.pid') });
  });

  test('a child has its parent’s ID, whatever form that has (F-34)', () => {
    expect(who({ clientAddress: ADDRESS }, settings, 'bob@198.51.100.1')).toEqual(user('bob@198.51.100.1'));
    expect(who({ kind: 'batch', processId: 9 }, settings, STARTUP_USER_ID)).toEqual(user(STARTUP_USER_ID));
  });

  test('a child of a process that is pending is pending (F-34, F-43)', () => {
    expect(who({ clientAddress: ADDRESS }, settings, null)).toEqual({ is: 'pending' });
  });

  test('the start-up code is User Startup (F-47), also under deferral and username licensing', () => {
    const all = { ...settings, deferredIdentification: true, usernameLicensing: true };
    expect(who({ kind: 'startup' }, settings)).toEqual(user('User Startup'));
    expect(who({ kind: 'startup', username: '_SYSTEM', clientAddress: ADDRESS }, all)).toEqual(
      user('User Startup'),
    );
  });

  test('a process whose identification is deferred is pending (F-43), unless it states who it is', () => {
    const deferred = { ...settings, deferredIdentification: true };
    expect(who({ clientAddress: ADDRESS, username: 'alice' }, deferred)).toEqual({ is: 'pending' });
    expect(who({ user: 'alice', clientAddress: ADDRESS }, deferred).is).toBe('user');
    expect(who({ clientAddress: ADDRESS }, deferred, 'bob')).toEqual(user('bob'));
  });

  test('a sessionless request that names nobody is a user by itself (section 5)', () => {
    expect(who({ kind: 'request', clientAddress: ADDRESS }, settings)).toEqual(user('request:login-1'));
  });

  test.each(['system', 'server', 'emergency'] as const)('a %s process is nobody', (kind) => {
    const claims = { kind, user: 'alice', username: 'alice', clientAddress: ADDRESS };
    expect(who(claims, { ...settings, usernameLicensing: true })).toEqual({ is: 'nobody' });
    expect(who({ kind }, { ...settings, deferredIdentification: true }, 'bob')).toEqual({ is: 'nobody' });
  });

  test('whoever says nothing of himself is told what to send', () => {
    expect(who({}, settings)).toEqual({ is: 'illegal', detail: expect.stringContaining('clientAddress') });
  });

  test('an ID that somebody states has its "|" replaced by "/" (notes 2.1)', () => {
    const identity = who({ user: 'a|b|c', clientAddress: ADDRESS }, settings);
    expect(identity).toEqual(user(settings === NAME ? 'a/b/c' : `a/b/c@${ADDRESS}`));
  });

  test('an empty ID is illegal', () => {
    expect(who({ user: '', clientAddress: ADDRESS }, settings).is).toBe('illegal');
  });

  test('username licensing off leaves the client its address (F-45)', () => {
    expect(who({ username: 'alice', clientAddress: ADDRESS }, settings)).toEqual(user(ADDRESS));
  });

  test('username licensing falls back on the address when there is no user name (F-45)', () => {
    const licensing = { ...settings, usernameLicensing: true };
    expect(who({ username: '', clientAddress: ADDRESS }, licensing)).toEqual(user(ADDRESS));
  });

  test('an explicit ID goes before parent, user name, session and address (F-43)', () => {
    const licensing = { ...settings, usernameLicensing: true };
    const claims = {
      kind: 'web',
      user: 'x',
      username: 'y',
      webSession: 's',
      clientAddress: ADDRESS,
    } as const;
    expect(who(claims, licensing, 'parent')).toEqual(user(settings === NAME ? 'x' : `x@${ADDRESS}`));
  });
});

describe('identity in the form name (F-30, F-43)', () => {
  test('an explicit ID is the name alone: one user at every address', () => {
    expect(who({ user: 'alice', clientAddress: ADDRESS })).toEqual(user('alice'));
    expect(who({ user: 'alice' })).toEqual(user('alice'));
  });

  test('an "@" is a character like any other', () => {
    expect(who({ user: 'alice@example.com', clientAddress: ADDRESS })).toEqual(user('alice@example.com'));
  });

  test('under username licensing the user name is the ID (F-45)', () => {
    expect(who({ username: 'alice', clientAddress: ADDRESS }, { ...NAME, usernameLicensing: true })).toEqual(
      user('alice'),
    );
  });

  test('64 characters are legal, 65 are not', () => {
    expect(named('n'.repeat(USER_ID_LENGTH_MAX), undefined, 'name')).toEqual(user('n'.repeat(64)));
    expect(named('n'.repeat(65), undefined, 'name')).toEqual({
      is: 'illegal',
      detail: expect.stringMatching(/65 characters; at most 64/),
    });
  });
});

describe('identity in the form name@address (notes 4.1, trap 6)', () => {
  test('an explicit ID has the client’s address behind it: the same name at two addresses is two users', () => {
    expect(who({ user: 'alice', clientAddress: ADDRESS }, NAME_AT_ADDRESS)).toEqual(user(`alice@${ADDRESS}`));
    expect(who({ user: 'alice', clientAddress: '192.0.2.8' }, NAME_AT_ADDRESS)).toEqual(
      user('alice@192.0.2.8'),
    );
  });

  test('it is cut at the first "@", and the client’s address follows (notes 2.1)', () => {
    const identity = who({ user: 'alice@10.0.0.1@x', clientAddress: ADDRESS }, NAME_AT_ADDRESS);
    expect(identity).toEqual(user(`alice@${ADDRESS}`));
  });

  test('nothing before the "@" is an empty ID', () => {
    expect(who({ user: '@10.0.0.1', clientAddress: ADDRESS }, NAME_AT_ADDRESS)).toEqual({
      is: 'illegal',
      detail: expect.stringContaining('empty'),
    });
  });

  test('under username licensing the ID is the user name at the address (F-45)', () => {
    const licensing = { ...NAME_AT_ADDRESS, usernameLicensing: true };
    expect(who({ username: 'alice', clientAddress: ADDRESS }, licensing)).toEqual(user(`alice@${ADDRESS}`));
  });

  test('a stated name without an address is told to send it', () => {
    expect(who({ user: 'alice' }, NAME_AT_ADDRESS)).toEqual({
      is: 'illegal',
      detail: expect.stringContaining('send clientAddress'),
    });
  });

  test('the 64 characters include "@" and the address (notes 2.1)', () => {
    const room = USER_ID_LENGTH_MAX - `@${ADDRESS}`.length;
    expect(named('n'.repeat(room), ADDRESS, 'name@address')).toEqual(user(`${'n'.repeat(room)}@${ADDRESS}`));
    expect(named('n'.repeat(room + 1), ADDRESS, 'name@address').is).toBe('illegal');
    expect(named(`n@${'x'.repeat(80)}`, ADDRESS, 'name@address')).toEqual(user(`n@${ADDRESS}`));
  });
});

describe('the throttle of a process that has not identified itself (F-44)', () => {
  test('Caché 5 pauses 15 s in every 1,000 lines, whatever the instance is set to', () => {
    expect(throttleOf('caché5', 5)).toEqual({
      profile: 'caché5',
      per: 'lines',
      firstPauseAfter: 1000,
      thenPauseEvery: 1000,
      pauseSeconds: 15,
    });
  });

  test('later versions pause after 4,000 commands and then every 1,000, as long as the instance is set to', () => {
    expect(throttleOf('caché', 7)).toEqual({
      profile: 'caché',
      per: 'commands',
      firstPauseAfter: 4000,
      thenPauseEvery: 1000,
      pauseSeconds: 7,
    });
  });
});
