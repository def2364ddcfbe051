/** What is wrong with a login is said in the same way whoever decides it, also to plain JavaScript. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Client, createClient, LicenseInstance } from '../../src/client/index.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { loggedIn, openInstance } from '../support/instances.ts';

let started: StartedApp;
let client: Client;

beforeAll(async () => {
  started = await startApp();
  const url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
});
afterAll(async () => {
  client?.close();
  await started?.close();
});

const MALFORMED: readonly (readonly [unknown, string])[] = [
  [undefined, 'needs to say who it is'],
  ['alice', 'needs to say who it is'],
  [{ user: 5 }, 'user is a text'],
  [{ user: null }, 'user is a text'],
  [{ username: {} }, 'username is a text'],
  [{ terminal: { server: 'a' } }, 'terminal is { server, port }'],
  [{ webSession: '' }, 'webSession is a text'],
  [{ user: 'z', process: { kind: 'job' } }, 'process.kind is not "job"'],
  [{ user: 'z', process: { pid: '5' } }, 'process.pid is a whole number'],
  [{ user: 'z', process: null }, 'process.kind is not'],
  [{ clientAddress: 'nonsense' }, 'clientAddress is an IPv4 or IPv6 address, not "nonsense"'],
  [{ clientAddress: '10' }, 'clientAddress is an IPv4 or IPv6 address'],
  [{ parent: { is: 'refused' } }, 'parent is a login that was granted'],
];
/** Whoever says nothing of himself would be whoever has the address of the application's machine (F-41). */
const NOBODY: readonly unknown[] = [{}, { process: { pid: 7 } }, { username: 'carol' }, { usr: 'carol' }];

describe.each(['central', 'local', 'leased'] as const)('under a %s key', (enforcement) => {
  let instance: LicenseInstance;
  beforeAll(async () => {
    const OrderNumber = { central: 7_801, local: 7_802, leased: 7_803 }[enforcement];
    const { id: key } = await started.installKey({ AuthorizedUnits: 3, OrderNumber });
    await client.keys.change(key, { enforcement }, '*');
    ({ instance } = await openInstance({ client, name: `requests-${enforcement}`, key }));
  });
  afterAll(async () => {
    await instance?.close();
  });

  test.each(MALFORMED)('%j is malformed: %s', async (request, words) => {
    expect(await instance.login(request as never)).toMatchObject({
      is: 'problem',
      code: 'malformed-request',
      detail: expect.stringContaining(words),
    });
  });

  test.each(NOBODY)('%j names nobody (F-41)', async (request) => {
    const verdict = await instance.login(request as never);
    expect(verdict).toMatchObject({ is: 'problem', code: 'user-id-illegal' });
    expect(verdict).toHaveProperty('detail', expect.stringContaining('Nothing identifies the user'));
    expect((await client.instances.read(instance.name)).holds.logins).toBe(0);
  });

  test('an identification with what is no name is malformed, and changes nothing', async () => {
    const session = loggedIn(await instance.webSession('s1'));
    expect(await instance.identify(session, 7 as never)).toMatchObject({
      is: 'problem',
      code: 'malformed-request',
    });
    expect(session).toMatchObject({ isHeld: true, userId: 's1' });
    await instance.logout(session);
  });
});

describe('options that plain JavaScript gets wrong', () => {
  test.each([
    [undefined, 'Give the option client'],
    [{ name: 'a' }, 'Give the option client'],
    [{ client: 'http://127.0.0.1:1', name: 'a' }, 'Give the option client'],
    [{ client: {}, name: 'a' }, 'Give the option url'],
    [{ client: { urls: ['http://127.0.0.1:1'] }, name: 'a' }, 'Give the option url'],
    [{ client: { url: 'http://127.0.0.1:1' } }, 'Give the option name'],
    [{ client: { url: 'http://127.0.0.1:1' }, name: '' }, 'Give the option name'],
  ])('%j', async (options, words) => {
    const error = await LicenseInstance.open(options as never).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toHaveProperty('message', expect.stringContaining(words));
  });

  test('a state file in a folder that is not there is said to be so', async () => {
    const options = { client, name: 'no-folder', stateFile: '/nonexistent/folder/state.json' };
    await expect(LicenseInstance.open(options)).rejects.toThrow('Its folder must be there');
  });
});
