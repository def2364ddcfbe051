/** `lictor usage processes`, `keys`, `queries` and `query`: reports of instances and keys, by the server. */

import type { Command } from 'commander';
import type {
  DumpInstanceProcessesAnswer,
  DumpInstanceUsersAnswer,
  DumpKeysAnswer,
} from '../client/openapi.ts';
import { ApiError } from '../client/problems.ts';
import { CliFault, EXIT } from './faults.ts';
import { writeList } from './listing.ts';
import { examples, limitOption, stated, wholeNumber } from './options.ts';
import { type Column, jsonText, writeTable } from './output.ts';
import { fullness } from './topscreen.ts';
import type { World } from './world.ts';

type LocalUser = DumpInstanceUsersAnswer['items'][number];
type LocalProcess = DumpInstanceProcessesAnswer['items'][number];

/** The columns of who is on an instance. */
export const LOCAL_USER_COLUMNS: readonly Column<LocalUser>[] = [
  { title: 'USER ID', value: ({ userId }) => userId },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { title: 'PEAK', value: ({ connectionsPeak }) => connectionsPeak, align: 'right' },
  { title: 'WEB', value: ({ webSessions }) => webSessions, align: 'right' },
  { title: 'UNITS', value: ({ units }) => units, align: 'right' },
  { title: 'ACTIVE', value: ({ activeSeconds }) => seconds(activeSeconds), align: 'right' },
  { title: 'GRACE', value: ({ graceSeconds }) => seconds(graceSeconds), align: 'right' },
];

const PROCESS_COLUMNS: readonly Column<LocalProcess>[] = [
  { title: 'PID', value: ({ processId }) => processId, align: 'right' },
  { title: 'PROCESS', value: ({ process }) => process },
  { title: 'USER ID', value: ({ userId }) => userId },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { title: 'PEAK', value: ({ connectionsPeak }) => connectionsPeak, align: 'right' },
  { title: 'WEB', value: ({ webSessions }) => webSessions, align: 'right' },
  { title: 'UNITS', value: ({ units }) => units, align: 'right' },
  { title: 'ACTIVE', value: ({ activeSeconds }) => seconds(activeSeconds), align: 'right' },
];

const KEY_COLUMNS: readonly Column<DumpKeysAnswer['items'][number]>[] = [
  { title: 'KEY', value: ({ key }) => key },
  {
    title: 'IN USE',
    value: ({ unitsInUse }) => unitsInUse,
    align: 'right',
    style: ({ unitsInUse, unitsEnforced }) => fullness(unitsInUse, unitsEnforced),
  },
  { title: 'ENFORCED', value: ({ unitsEnforced }) => unitsEnforced, align: 'right' },
  { title: 'AUTHORISED', value: ({ unitsAuthorised }) => unitsAuthorised, align: 'right' },
  { title: 'PEAK', value: ({ unitsPeak }) => unitsPeak, align: 'right' },
  { title: 'INSTANCES', value: ({ instances }) => instances, align: 'right' },
  { title: 'CLIENTS', value: ({ clients }) => clients.length, align: 'right' },
];

function seconds(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${value} s`;
}

/**
 * Adds the commands about reports to `lictor usage`.
 *
 * @param usage - what they are added to.
 * @param world - the world that they run in.
 */
export function registerReports(usage: Command, world: World): void {
  examples(
    usage
      .command('processes <instance>')
      .description('The processes of an instance, and whose they are.')
      .option('--text', 'as the legacy dump lays it out')
      .addOption(limitOption())
      .action(async (name: string, { text, limit }: { text?: boolean; limit?: number }) => {
        const client = await world.client();
        if (text === true) {
          const report = await client.reports.processesText(name);
          return world.print(world.json ? jsonText({ text: report }) : report);
        }
        await writeList(world, (page) => client.reports.processes(name, page), {
          columns: PROCESS_COLUMNS,
          noun: 'process',
          limit,
        });
      }),
    ['lictor usage processes hospital', 'lictor usage processes hospital --text'],
  );
  examples(
    usage
      .command('keys')
      .description('Each key with what is in use of it, and who is in. With --text as the legacy DumpKeys.')
      .option('--key <key>', 'only this key')
      .option('--text', 'as the legacy dump lays it out')
      .addOption(limitOption())
      .action(async ({ key, text, limit }: { key?: string; text?: boolean; limit?: number }) => {
        const client = await world.client();
        const query = stated({ key });
        if (text === true) {
          const report = await client.usage.keysText(query);
          return world.print(world.json ? jsonText({ text: report }) : report);
        }
        await writeList(world, (page) => client.usage.keys({ ...query, ...page }), {
          columns: KEY_COLUMNS,
          noun: 'key',
          limit,
        });
      }),
    ['lictor usage keys', 'lictor usage keys --key 100200301 --text'],
  );
  registerQueries(usage, world);
}

interface QueryOptions {
  readonly instance?: string;
  readonly key?: string;
  readonly all?: boolean;
  readonly filter?: string;
  readonly sections?: number;
  readonly application?: string;
  readonly showCounts?: boolean;
  readonly limit?: number;
}

function registerQueries(usage: Command, world: World): void {
  examples(
    usage
      .command('queries')
      .description('List the queries of the legacy class, with their columns.')
      .action(async () => {
        const answer = await (await world.client()).queries.list();
        if (world.json) return world.print(jsonText(answer));
        await writeTable(
          world,
          [
            { title: 'QUERY', value: ({ name }) => name },
            { title: 'ABOUT', value: ({ about }) => about },
            { title: 'TAKES', value: ({ takes }) => takes.join(', ') },
            { title: 'COLUMNS', value: ({ columns }) => columns.join(', ') },
          ],
          answer.items,
        );
      }),
    ['lictor usage queries'],
  );
  const query = usage
    .command('query <name>')
    .description('The rows of a query of the legacy class, under exactly its columns.')
    .option('--instance <instance>', 'the instance; the only one there is when left out')
    .option('--key <key>', 'the key, for queries about one')
    .option('--all', 'every slot, or everybody')
    .option('--filter <text>', 'only rows whose user ID or process ID contains this')
    .option(
      '--sections <number>',
      '1 the main section of the key, 2 the application sections, 3 all',
      wholeNumber(1, 3),
    )
    .option('--application <application>', 'the application')
    .option('--show-counts', 'whether each keyword says how often it was taken')
    .addOption(limitOption());
  examples(
    query.action((name: string, options: QueryOptions) => runQuery(world, name, options)),
    ['lictor usage query UserList --instance hospital', 'lictor usage query Summary --json'],
  );
}

async function runQuery(world: World, name: string, { limit, ...options }: QueryOptions): Promise<void> {
  const client = await world.client();
  const query = stated(options);
  // The columns come with the first page, and the rows go on under them.
  const first = await client.queries
    .run(name, { ...query, limit: Math.min(limit ?? 500, 500) })
    .catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.code !== 'not-found') throw error;
      const hint = '"lictor usage queries" lists them.';
      throw new CliFault(EXIT.failed, `There is no query "${name}".`, hint, error.problem);
    });
  const columns = first.columns.map(
    (title, index): Column<readonly (string | number | null)[]> => ({
      title,
      value: (row) => row[index],
      ...(first.rows.some((row) => typeof row[index] === 'number') ? { align: 'right' as const } : {}),
    }),
  );
  const fetch = async (page: { limit?: number | undefined; cursor?: string | undefined }) => {
    const { rows, ...rest } =
      page.cursor === undefined ? first : await client.queries.run(name, { ...query, ...page });
    return { items: rows, ...rest };
  };
  await writeList(world, fetch, { columns, noun: 'row', limit });
}
