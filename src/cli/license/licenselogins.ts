/** The methods of the legacy class about logins and identity, for `lictor license` (notes 2.1). */

import { ApiError } from '../../client/problems.ts';
import { tell } from '../faults.ts';
import type { LegacyCall, LegacyMethod, Printed } from './licensecall.ts';
import { truthValue } from './licensecall.ts';
import { changeSettings, settingsOf } from './licensecounters.ts';
import { queryRows } from './licensereports.ts';

/** Places of the columns of `ProcessList` and `UserList`. */
const PROCESS = { pid: 0, userId: 3 } as const;
const USER = { userId: 0, connections: 2, units: 5 } as const;

const PUBLIC_WEB =
  'Web applications that anonymous users share one unit of by their kind do not exist here: ' +
  'a web session costs a unit under its own ID until it is identified.';

/** A setting that a method turns on and off; the answer is what it was. */
async function turn(
  call: LegacyCall,
  setting: 'usernameLicensing' | 'deferredIdentification',
): Promise<Printed> {
  const wanted = call.number(0, 1);
  const settings =
    wanted === undefined ? await settingsOf(call) : await changeSettings(call, { [setting]: wanted === 1 });
  return truthValue(settings[setting]);
}

/** What a user has on this instance. */
async function userRow(call: LegacyCall): Promise<readonly (string | number | null)[] | undefined> {
  const userId = call.required(0);
  const instance = await call.instance();
  const rows = await queryRows(call, 'UserList', { instance, filter: userId });
  return rows.find((row) => row[USER.userId] === userId);
}

/** The methods about logins and identity. */
export const LOGIN_METHODS: readonly LegacyMethod[] = [
  {
    name: 'Login',
    group: 'Login and identity',
    takes: ['UserIdentifier'],
    words: 'gives the login of --login to a user; returns his connections, 0 when no unit is free',
    differences:
      'The process is the login that --login names. The address is appended to the name only where the instance counts users as name@address; --address states it. When it fails the login keeps what it had. Exit status 75 with 0.',
    nearest: 'lictor logins identify LOGIN --user USER',
    async run(call) {
      const login = call.login();
      const user = call.required(0);
      const { address } = call.options;
      const body = { user, ...(address === undefined ? {} : { clientAddress: address }) };
      try {
        const { connections } = await (await call.client()).logins.identify(login, body, call.where());
        return { value: connections };
      } catch (error) {
        if (!(error instanceof ApiError && error.isRefusal)) throw error;
        const { exit, message } = tell(error)!;
        return { value: 0, exit, note: message };
      }
    },
  },
  {
    name: 'DeferUserIdentification',
    group: 'Login and identity',
    takes: ['usage'],
    words:
      '1: nobody is identified until he logs in explicitly, 0: automatically; returns the former setting',
    differences: 'It stays when the instance is started again.',
    nearest: 'lictor instances configure INSTANCE --deferred-identification true',
    async run(call) {
      call.required(0);
      return { value: await turn(call, 'deferredIdentification') };
    },
  },
  {
    name: 'UserNameLicensing',
    group: 'Login and identity',
    takes: ['[OnOff]'],
    words: '1: users are identified by name, 0: by address; returns the former setting, or the present one',
    differences:
      'It stays when the instance is started again. No licence type requires or excludes it, so it is never refused as UNLICENSED.',
    nearest: 'lictor instances configure INSTANCE --username-licensing true',
    run: async (call) => ({ value: await turn(call, 'usernameLicensing') }),
  },
  {
    name: 'GetUserId',
    group: 'Login and identity',
    takes: ['[PID]'],
    words: 'the licence user ID of a process, or of the login of --login',
    differences:
      'Job numbers are not known here. Empty for a process that is nobody’s, as one that has not logged in yet. Of an instance that decides for itself the server does not know processes.',
    nearest: 'lictor usage processes INSTANCE',
    async run(call) {
      const pid = call.argument(0);
      if (pid === undefined) {
        const { userId } = await (await call.client()).logins.read(call.login(), call.where());
        return { value: userId ?? '' };
      }
      const instance = await call.instance();
      const rows = await queryRows(call, 'ProcessList', { instance, filter: pid });
      const row = rows.find((one) => String(one[PROCESS.pid]) === pid);
      if (row === undefined) return { value: '', note: `No process ${pid} is known on ${instance}.` };
      return { value: row[PROCESS.userId] ?? '' };
    },
  },
  {
    name: 'ConnectionCount',
    group: 'Login and identity',
    takes: ['UserIdentifier'],
    words: 'the connections of a user on this instance',
    nearest: 'lictor usage users --instance INSTANCE',
    run: async (call) => ({ value: (await userRow(call))?.[USER.connections] ?? 0 }),
  },
  {
    name: 'LicenseCount',
    group: 'Login and identity',
    takes: ['UserIdentifier'],
    words: 'the units that a user costs, as this instance sees it',
    nearest: 'lictor usage users --instance INSTANCE',
    run: async (call) => ({ value: (await userRow(call))?.[USER.units] ?? 0 }),
  },
  {
    name: 'PublicWebAppUser',
    group: 'Login and identity',
    takes: [],
    words: 'marks a web application as public',
    differences: PUBLIC_WEB,
    nearest: 'lictor logins login --instance INSTANCE --web-session SESSION',
  },
  {
    name: 'PublicWebAppUserCount',
    group: 'Login and identity',
    takes: [],
    words: 'users of public web applications',
    differences: `${PUBLIC_WEB} CSPUsers counts the users with a web session.`,
    nearest: 'lictor usage instance INSTANCE',
  },
  {
    name: 'PublicWebAppUsersMax',
    group: 'Login and identity',
    takes: [],
    words: 'the most users of public web applications at one time',
    differences: `${PUBLIC_WEB} MaxCSPUsers has the most users with a web session.`,
    nearest: 'lictor usage instance INSTANCE',
  },
];
