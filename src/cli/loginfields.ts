/** How logins are shown, and the options that say who logs in. */

import { type Command, Option } from 'commander';
import type { ExplainLoginAnswer, ListLoginsAnswer, LogInAnswer, LogInBody } from '../client/openapi.ts';
import { CliFault, EXIT } from './faults.ts';
import { stated, wholeNumber } from './options.ts';
import type { Column, Field } from './output.ts';

/** The columns of a list of logins. */
export const LOGIN_COLUMNS: readonly Column<ListLoginsAnswer['items'][number]>[] = [
  { title: 'LOGIN', value: ({ id }) => id },
  { title: 'INSTANCE', value: ({ instance }) => instance },
  { title: 'KEY', value: ({ key }) => key },
  { title: 'USER ID', value: ({ userId }) => userId },
  { title: 'KIND', value: ({ kind }) => kind },
  {
    title: 'PHASE',
    value: ({ phase }) => phase,
    style: ({ phase }) => (phase === 'active' ? undefined : 'yellow'),
  },
  { title: 'PID', value: ({ processId }) => processId, align: 'right' },
  { title: 'SINCE', value: ({ at }) => at },
];

type ShownLogin = Omit<LogInAnswer, 'id' | 'decision'> & {
  readonly id?: string;
  readonly decision?: string;
};

/**
 * A login as labels and values.
 *
 * @param login - granted, or as it would be.
 */
export function loginFields(login: ShownLogin): Field[] {
  const { throttle } = login;
  return [
    ['Login', login.id],
    ['Instance', login.instance],
    ['Key', login.key ?? 'none: the default licence'],
    ['User ID', login.userId ?? 'nobody'],
    ['Kind', login.kind],
    ['Phase', login.phase],
    ['Connections', login.connections],
    [
      'Units',
      login.unitsAdded === 0 ? String(login.units) : `${login.units}, ${login.unitsAdded} of them new`,
    ],
    ['One unit for each connection', login.transitioned],
    ['Granted', login.at],
    ['Expires', login.expiresAt],
    ['Ends', login.endsAt],
    [
      'Slowed',
      throttle === undefined
        ? undefined
        : `${throttle.pauseSeconds} s after ${throttle.firstPauseAfter} ${throttle.per}, then every ${throttle.thenPauseEvery}`,
    ],
    ['Decision', login.decision],
  ];
}

/** The options that say who logs in. */
export interface LoginOptions {
  readonly instance: string;
  readonly user?: string;
  readonly username?: string;
  readonly address?: string;
  readonly terminal?: string;
  readonly webSession?: string;
  readonly pid?: number;
  readonly kind?: NonNullable<LogInBody['process']>['kind'];
  readonly sessionless?: boolean;
  readonly emergency?: boolean;
  readonly parent?: string;
  readonly lease?: number;
  readonly id?: string;
}

/**
 * Adds the options that say who logs in.
 *
 * @param command - what they are added to.
 */
export function addLoginOptions(command: Command): Command {
  const seconds = wholeNumber(1, 1_000_000_000);
  return command
    .requiredOption('--instance <instance>', 'the instance that is logged in to')
    .option('--user <user>', 'the licence user ID')
    .option('--username <name>', 'the user name')
    .option('--address <address>', "the client's IP address")
    .option('--terminal <server:port>', 'a terminal server and the port on it')
    .option('--web-session <session>', 'the ID of a web session')
    .addOption(new Option('--pid <number>', 'the process').argParser(wholeNumber(0, 4_294_967_295)))
    .addOption(
      new Option('--kind <kind>', 'what the process is').choices([
        'user',
        'batch',
        'startup',
        'system',
        'server',
      ]),
    )
    .option('--sessionless', 'one call without a session: a unit for ten seconds')
    .option('--emergency', "the administrator's login outside the pool")
    .option('--parent <login>', 'the login of the process that started this one')
    .addOption(new Option('--lease <seconds>', 'it ends unless it is renewed').argParser(seconds))
    .option('--id <uuid>', 'the ID of the login; the same ID again gives the same answer');
}

/**
 * The body of a login.
 *
 * @param options - the command line.
 * @throws CliFault when the terminal is not in order.
 */
export function loginBody(options: LoginOptions): LogInBody {
  const { terminal, pid, kind } = options;
  const split = terminal?.lastIndexOf(':') ?? -1;
  if (terminal !== undefined && (split < 1 || split === terminal.length - 1)) {
    throw new CliFault(EXIT.usage, `"${terminal}" is no terminal.`, 'Write it as SERVER:PORT.');
  }
  return {
    instance: options.instance,
    ...stated({
      id: options.id,
      user: options.user,
      username: options.username,
      clientAddress: options.address,
      terminal:
        terminal === undefined
          ? undefined
          : { server: terminal.slice(0, split), port: terminal.slice(split + 1) },
      webSession: options.webSession,
      process: pid === undefined && kind === undefined ? undefined : stated({ pid, kind }),
      sessionless: options.sessionless,
      emergency: options.emergency,
      parent: options.parent,
      leaseSeconds: options.lease,
    }),
  };
}

/**
 * What a login would come to, as labels and values.
 *
 * @param answer - the server's word.
 */
export function verdictFields(answer: ExplainLoginAnswer): Field[] {
  const { verdict, login } = answer;
  if (login !== undefined) {
    // Nothing has happened, so there is no instant at which it did.
    const fields = loginFields(login).filter(([label]) => label !== 'Granted');
    return [['It would be', verdict, 'green'], ...fields];
  }
  return [
    ['It would be', verdict, 'red'],
    ['Why', answer.detail],
    ['Code', answer.code],
    ['Rule', answer.rule],
    ['Limit', answer.limit],
    ['In use', answer.inUse],
    ['Needed', answer.requested],
    ['Try again in', answer.retryAfterSeconds === undefined ? undefined : `${answer.retryAfterSeconds} s`],
  ];
}
