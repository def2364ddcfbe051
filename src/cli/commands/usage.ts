/** `lictor usage`: what is in use. */

import { type Command, Option } from 'commander';
import type {
  CountUsageAnswer,
  CountUsageByInstanceAnswer,
  DumpServersAnswer,
  ListUsageByUserAnswer,
} from '../../client/openapi.ts';
import { registerDump } from '../dumping.ts';
import { CliFault, EXIT } from '../faults.ts';
import { writeList } from '../listing.ts';
import { examples, limitOption, stated } from '../options.ts';
import { answerFields, type Column, type Field, jsonText } from '../output.ts';
import { fullness } from '../topscreen.ts';
import { registerMarks } from '../usagemarks.ts';
import { LOCAL_USER_COLUMNS, registerReports } from '../usagereports.ts';
import type { World } from '../world.ts';

type Counts = CountUsageAnswer['items'][number];

const COUNT_COLUMNS: readonly Column<Counts>[] = [
  { title: 'KEY', value: ({ key, instance }) => key ?? `(default licence of ${instance ?? '?'})` },
  {
    title: 'IN USE',
    value: ({ unitsInUse }) => unitsInUse,
    align: 'right',
    style: ({ unitsInUse, unitsEnforced }) => fullness(unitsInUse, unitsEnforced),
  },
  { title: 'LIMIT', value: ({ unitsEnforced }) => unitsEnforced, align: 'right' },
  { title: 'FREE', value: ({ unitsFree }) => unitsFree, align: 'right' },
  { title: 'LEASED', value: ({ unitsLeased }) => unitsLeased, align: 'right' },
  { title: 'PEAK', value: ({ unitsPeak }) => unitsPeak, align: 'right' },
  { title: 'USERS', value: ({ users }) => users, align: 'right' },
  { title: 'PEAK', value: ({ usersPeak }) => usersPeak, align: 'right' },
  { title: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { title: 'PEAK', value: ({ connectionsPeak }) => connectionsPeak, align: 'right' },
  { title: 'PENDING', value: ({ logins }) => logins.pending, align: 'right' },
  { title: 'GRACE', value: ({ logins }) => logins.grace, align: 'right' },
];

const INSTANCE_COLUMNS: readonly Column<CountUsageByInstanceAnswer['items'][number]>[] = [
  { title: 'INSTANCE', value: ({ instance }) => instance },
  { title: 'KEY', value: ({ key }) => key },
  {
    title: 'STATE',
    value: ({ state }) => state,
    style: ({ state }) => (state === 'active' ? 'green' : 'yellow'),
  },
  { title: 'UNITS', value: ({ units }) => units, align: 'right' },
  { title: 'USERS', value: ({ users }) => users, align: 'right' },
  { title: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { title: 'LOGINS', value: ({ logins }) => logins, align: 'right' },
  { title: 'HEARD', value: ({ heardAt }) => heardAt },
  {
    title: 'REPORTED',
    value: ({ reportedAt, stale }) =>
      reportedAt === undefined ? undefined : `${reportedAt.slice(0, 19)}Z${stale === true ? ' (stale)' : ''}`,
    style: ({ stale }) => (stale === true ? 'yellow' : undefined),
  },
];

const USER_COLUMNS: readonly Column<ListUsageByUserAnswer['items'][number]>[] = [
  { title: 'USER ID', value: ({ userId }) => userId },
  { title: 'KEY', value: ({ key }) => key },
  { title: 'UNITS', value: ({ units }) => units, align: 'right' },
  { title: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { title: 'PEAK', value: ({ connectionsPeak }) => connectionsPeak, align: 'right' },
  {
    title: 'TRANSITIONED',
    value: ({ transitioned }) => transitioned,
    style: ({ transitioned }) => (transitioned ? 'yellow' : undefined),
  },
  {
    title: 'INSTANCES',
    value: ({ instances }) =>
      instances.map(({ instance, connections }) => `${instance} (${connections})`).join(', '),
  },
];

interface ServerRow {
  readonly key: string | undefined;
  readonly instance: string;
  readonly state: string;
  readonly userId: string;
  readonly connections: number;
  readonly units: number;
  readonly shared: boolean;
}

const SERVER_COLUMNS: readonly Column<ServerRow>[] = [
  { title: 'KEY', value: ({ key }) => key },
  { title: 'INSTANCE', value: ({ instance }) => instance },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'USER ID', value: ({ userId }) => userId },
  { title: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { title: 'UNITS', value: ({ units, shared }) => (shared ? 'shared' : units), align: 'right' },
];

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const usage = program.command('usage').description('What is in use, by key, instance and user.');
  registerLists(usage, world);
  registerSummary(usage, world);
  registerReports(usage, world);
  registerMarks(usage, world);
  registerDump(usage, world);
}

interface ListOptions {
  readonly key?: string;
  readonly limit?: number;
}

function registerLists(usage: Command, world: World): void {
  const listOf = (name: string, description: string) =>
    usage
      .command(name)
      .description(description)
      .option('--key <key>', 'only what is under a key')
      .addOption(limitOption());
  examples(
    listOf('counts', 'What is in use of each key, now and at most.').action(
      async ({ key, limit }: ListOptions) => {
        const client = await world.client();
        await writeList(world, (page) => client.usage.counts({ ...stated({ key }), ...page }), {
          columns: COUNT_COLUMNS,
          noun: 'key',
          limit,
        });
      },
    ),
    ['lictor usage counts', 'lictor usage counts --json'],
  );
  examples(
    listOf('instances', 'What is in use on each instance.').action(async ({ key, limit }: ListOptions) => {
      const client = await world.client();
      await writeList(world, (page) => client.usage.instances({ ...stated({ key }), ...page }), {
        columns: INSTANCE_COLUMNS,
        noun: 'instance',
        limit,
      });
    }),
    ['lictor usage instances --key 100200301'],
  );
  examples(
    listOf('users', 'What each user holds, and where; with --instance who is on one, and for how long.')
      .option('--instance <instance>', 'only who is on an instance, as it sees him')
      .option('--text', 'with --instance, as the legacy dump lays it out')
      .action((options: UsersOptions) => users(world, options)),
    [
      'lictor usage users',
      'lictor usage users --key 100200301 --limit 50',
      'lictor usage users --instance hospital',
    ],
  );
  examples(
    listOf('servers', 'Everybody on every instance, and what he costs.')
      .option('--instance <instance>', 'only on this instance')
      .option('--text', 'as the legacy dump lays it out')
      .action((options: UsersOptions) => servers(world, options)),
    ['lictor usage servers', 'lictor usage servers --text'],
  );
}

interface UsersOptions extends ListOptions {
  readonly instance?: string;
  readonly text?: boolean;
}

async function users(world: World, { key, instance, limit, text }: UsersOptions): Promise<void> {
  const client = await world.client();
  if (instance === undefined) {
    if (text === true) throw new CliFault(EXIT.usage, '--text needs --instance.');
    await writeList(world, (page) => client.usage.users({ ...stated({ key }), ...page }), {
      columns: USER_COLUMNS,
      noun: 'user',
      limit,
    });
    return;
  }
  if (key !== undefined) throw new CliFault(EXIT.usage, 'Give either --key or --instance.');
  if (text === true) {
    const report = await client.reports.usersText(instance);
    return world.print(world.json ? jsonText({ text: report }) : report);
  }
  await writeList(world, (page) => client.reports.users(instance, page), {
    columns: LOCAL_USER_COLUMNS,
    noun: 'user',
    limit,
  });
}

async function servers(world: World, { key, limit, text }: ListOptions & { text?: boolean }): Promise<void> {
  const client = await world.client();
  const query = stated({ key });
  if (text === true) {
    const report = await client.usage.serversText(query);
    return world.print(world.json ? jsonText({ text: report }) : report);
  }
  if (world.json) {
    await writeList(world, (page) => client.usage.servers({ ...query, ...page }), {
      columns: [],
      noun: 'instance',
      limit,
    });
    return;
  }
  const rows = async (page: object) => {
    const { items, ...rest } = await client.usage.servers({ ...query, ...page });
    return { items: items.flatMap(rowsOf), ...rest };
  };
  await writeList(world, rows, { columns: SERVER_COLUMNS, noun: 'user', limit });
}

function rowsOf({ key, instance, state, clients }: DumpServersAnswer['items'][number]): ServerRow[] {
  return clients.map((client) => ({ key, instance, state, ...client }));
}

interface SummaryOptions {
  readonly key?: string;
  readonly instance?: string;
  readonly text?: boolean;
  readonly generation?: 'cache' | 'iris';
}

function registerSummary(usage: Command, world: World): void {
  examples(
    usage
      .command('summary')
      .description('What all instances of a key use together, and one of them by itself.')
      .option('--key <key>', 'of this key')
      .option('--instance <instance>', 'of the key of this instance, and of it by itself')
      .option('--text', 'as the legacy ShowSummary lays it out')
      .addOption(
        new Option('--generation <product>', 'whose text; that of the instance when left out').choices([
          'cache',
          'iris',
        ]),
      )
      .action(async (options: SummaryOptions) => {
        const { key, instance, text, generation } = options;
        const client = await world.client();
        const query = stated({ key, instance });
        if (text === true) {
          const report = await client.usage.summaryText({ ...query, ...stated({ generation }) });
          return world.print(world.json ? jsonText({ text: report }) : report);
        }
        const answer = await client.usage.summary(query);
        const { distributed, local } = answer;
        const fields: Field[] = [
          ['Key', answer.key ?? 'none: the default licence'],
          [
            'Units in use',
            `${distributed.unitsInUse} of ${distributed.unitsEnforced}, at most ${distributed.unitsPeak}`,
            fullness(distributed.unitsInUse, distributed.unitsEnforced),
          ],
          ['Units authorised', distributed.unitsAuthorised],
          ['Users', `${distributed.users}, at most ${distributed.usersPeak}`],
          ['Connections', `${distributed.connections}, at most ${distributed.connectionsPeak}`],
          ['Instances', distributed.instances],
          [
            `On ${local?.instance ?? ''}`,
            local === undefined
              ? undefined
              : `${local.units} units, ${local.users} users, ${local.connections} connections`,
          ],
          ['As of', answer.asOf],
        ];
        await answerFields(world, answer, fields);
      }),
    ['lictor usage summary', 'lictor usage summary --instance hospital --text'],
  );
}
