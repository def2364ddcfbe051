/** `lictor logins`: who is in, logging in and out. */

import type { Command } from 'commander';
import { confirmed, yesOption } from '../confirming.ts';
import { CliFault, EXIT } from '../faults.ts';
import { writeList } from '../listing.ts';
import {
  addLoginOptions,
  LOGIN_COLUMNS,
  type LoginOptions,
  loginBody,
  loginFields,
  verdictFields,
} from '../loginfields.ts';
import { examples, limitOption, stated } from '../options.ts';
import { answerFields, answerWords, type Field } from '../output.ts';
import type { World } from '../world.ts';

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const logins = program.command('logins').description('Who is in; logging in and out.');
  registerLook(logins, world);
  registerLogin(logins, world);
  registerLogout(logins, world);
  examples(
    addLoginOptions(
      logins
        .command('explain')
        .description('What a login would come to now, by which rule. Changes nothing.'),
    ).action(async (options: LoginOptions) => {
      const answer = await (await world.client()).logins.explain(loginBody(options));
      await answerFields(world, answer, verdictFields(answer));
    }),
    ['lictor logins explain --instance hospital --user alice'],
  );
}

interface ListOptions {
  readonly instance?: string;
  readonly key?: string;
  readonly user?: string;
  readonly limit?: number;
}

function registerLook(logins: Command, world: World): void {
  examples(
    logins
      .command('list')
      .description('List the logins that are in, those that the server itself granted.')
      .option('--instance <instance>', 'only those on an instance')
      .option('--key <key>', 'only those under a key')
      .option('--user <user>', 'only those of a user ID')
      .addOption(limitOption())
      .action(async ({ instance, key, user, limit }: ListOptions) => {
        const client = await world.client();
        const query = stated({ instance, key, user });
        await writeList(world, (page) => client.logins.list({ ...query, ...page }), {
          columns: LOGIN_COLUMNS,
          noun: 'login',
          limit,
        });
      }),
    ['lictor logins list', 'lictor logins list --instance hospital --user alice'],
  );
  examples(
    logins
      .command('show <login>')
      .description('Show a login, also one that ended in the last ten minutes.')
      .option('--instance <instance>', 'its instance, where several have a login of this ID')
      .action(async (id: string, { instance }: { instance?: string }) => {
        const login = await (await world.client()).logins.read(id, stated({ instance }));
        const fields: Field[] = [
          ['Held', login.held, login.held ? 'green' : 'red'],
          ['Why it went', login.reason],
          ['Connections of the user now', login.userConnections],
        ];
        await answerFields(world, login, [...loginFields(login), ...fields]);
      }),
    ['lictor logins show 0198f2a4-0000-7000-8000-000000000001'],
  );
}

function registerLogin(logins: Command, world: World): void {
  examples(
    addLoginOptions(
      logins
        .command('login')
        .description(
          'Log a user in. Prints the login, whose ID logs him out. Exit status 75 when no unit is free. ' +
            '"lictor login --run" holds a licence while a command runs.',
        ),
    ).action(async (options: LoginOptions) => {
      const login = await (await world.client()).logins.create(loginBody(options));
      await answerFields(world, login, loginFields(login));
    }),
    [
      'lictor logins login --instance hospital --user alice',
      'id=$(lictor logins login --instance hospital --user alice --json | jq -r .id)',
    ],
  );
  examples(
    logins
      .command('identify <login>')
      .description('Identify the user of a login that waits for it: his unit replaces the one it holds.')
      .requiredOption('--user <user>', 'the licence user ID')
      .option('--address <address>', "the client's IP address")
      .option('--instance <instance>', 'its instance, where several have a login of this ID')
      .action(async (id: string, options: { user: string; address?: string; instance?: string }) => {
        const { user, address, instance } = options;
        const body = { user, ...stated({ clientAddress: address }) };
        const login = await (await world.client()).logins.identify(id, body, stated({ instance }));
        await answerFields(world, login, loginFields(login));
      }),
    ['lictor logins identify 0198f2a4-0000-7000-8000-000000000001 --user alice'],
  );
}

function registerLogout(logins: Command, world: World): void {
  examples(
    logins
      .command('logout <login...>')
      .description('Log out. It can be repeated.')
      .option('--instance <instance>', 'the instance, where several have a login of this ID')
      .action(async (ids: string[], { instance }: { instance?: string }) => {
        const client = await world.client();
        for (const id of ids) await client.logins.remove(id, stated({ instance }));
        const words = ids.length === 1 ? `Logged out ${ids[0]}.` : `Logged out ${ids.length} logins.`;
        await answerWords(world, { loggedOut: ids }, words);
      }),
    ['lictor logins logout 0198f2a4-0000-7000-8000-000000000001'],
  );
  examples(
    logins
      .command('release')
      .description("End logins that are somebody else's, with a reason that stands in the journal.")
      .requiredOption('--reason <words>', 'why')
      .option('--instance <instance>', 'all those on an instance')
      .option('--login <login>', 'or one of them')
      .option('--key <key>', 'those under a key of one user, on whichever instance')
      .option('--user <user>', 'with --key, the user ID')
      .addOption(yesOption())
      .action(async (options: ReleaseOptions) => {
        const { reason, login, instance, key, user, yes } = options;
        const which = stated({ login, instance, key, user });
        const isWhole = instance === undefined ? key !== undefined && user !== undefined : user === undefined;
        if (!isWhole || (instance === undefined) === (key === undefined)) {
          throw new CliFault(
            EXIT.usage,
            'It is not said which logins are to end.',
            'Give --instance, --instance with --login, or --key with --user.',
          );
        }
        const words = Object.entries(which).map(([name, value]) => `${name} ${value}`);
        await confirmed(world, yes, `End the logins of ${words.join(', ')}?`);
        const answer = await (await world.client()).releases.create({ ...which, reason });
        if (answer.notice !== undefined) await world.note(`Notice: ${answer.notice}`);
        else if (answer.released === 0)
          await world.note('Notice: Nobody was in there. "lictor logins list" shows who is in, and where.');
        await answerFields(world, answer, [
          ['Released', answer.released],
          ['Decision', answer.decision],
          ['Connections still held', answer.connectionsHeld],
        ]);
      }),
    [
      'lictor logins release --key 100200301 --user alice --reason "left the company"',
      'lictor logins release --instance hospital --login 0198f2a4-0000-7000-8000-000000000001 --reason hangs --yes',
    ],
  );
}

interface ReleaseOptions {
  readonly reason: string;
  readonly login?: string;
  readonly instance?: string;
  readonly key?: string;
  readonly user?: string;
  readonly yes?: boolean;
}
