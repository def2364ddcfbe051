/** `lictor excesses`: the over-limit ledger. */

import { type Command, Option } from 'commander';
import type { ListExcessesAnswer } from '../../client/openapi.ts';
import { writeList } from '../listing.ts';
import { examples, limitOption, stated } from '../options.ts';
import { answerFields, type Column, jsonText } from '../output.ts';
import type { World } from '../world.ts';

const COLUMNS: readonly Column<ListExcessesAnswer['items'][number]>[] = [
  { title: 'KEY', value: ({ key }) => key },
  {
    title: 'STATE',
    value: ({ state }) => state,
    style: ({ state }) => (state === 'open' ? 'red' : undefined),
  },
  { title: 'FROM', value: ({ from }) => from },
  { title: 'TO', value: ({ to }) => to },
  { title: 'LIMIT', value: ({ limit }) => limit, align: 'right' },
  { title: 'OVER', value: ({ units }) => units, align: 'right' },
  { title: 'OVER AT MOST', value: ({ unitsMax }) => unitsMax, align: 'right' },
  { title: 'UNIT HOURS', value: ({ unitHours }) => Math.round(unitHours * 100) / 100, align: 'right' },
  { title: 'USERS', value: ({ usersCount }) => usersCount, align: 'right' },
  { title: 'INSTANCES', value: ({ instances }) => instances.join(', ') },
  { title: 'ENDED BY', value: ({ endedBy }) => endedBy },
];

interface ListOptions {
  readonly key?: string;
  readonly state?: 'open' | 'ended';
  readonly limit?: number;
  readonly text?: boolean;
}

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const excesses = program
    .command('excesses')
    .description(
      'When combined use of a key was over its limit, because its instances decide for themselves.',
    );
  examples(
    excesses
      .command('list', { isDefault: true })
      .description('List the episodes over the limit, the latest first.')
      .option('--key <key>', 'only those of a key')
      .addOption(new Option('--state <state>', 'only those').choices(['open', 'ended']))
      .addOption(limitOption())
      .option('--text', 'the latest 500 at most as a report, with the names of who came in')
      .action((options: ListOptions) => list(world, options)),
    ['lictor excesses', 'lictor excesses list --state open', 'lictor excesses list --text > ledger.txt'],
  );
  examples(
    excesses
      .command('outlook <key>')
      .description('How far combined use of a key can come over its limit, and why.')
      .action((key: string) => outlook(world, key)),
    ['lictor excesses outlook 100200301'],
  );
}

async function list(world: World, { key, state, limit, text }: ListOptions): Promise<void> {
  const client = await world.client();
  const query = stated({ key, state });
  if (text === true) {
    const report = await client.excesses.listText({ ...query, limit: Math.min(limit ?? 500, 500) });
    return world.print(world.json ? jsonText({ text: report }) : report);
  }
  await writeList(world, (page) => client.excesses.list({ ...query, ...page }), {
    columns: COLUMNS,
    noun: 'episode over the limit',
    limit,
  });
}

async function outlook(world: World, key: string): Promise<void> {
  const answer = await (await world.client()).keys.excess(key);
  const { possible, expected, open, instances } = answer;
  await answerFields(world, answer, [
    ['Key', answer.key],
    ['Enforcement', answer.enforcement],
    ['Limit', answer.limit],
    ['In use', answer.inUse],
    ['Possible', `${possible.units} units over, and ${possible.unitsByTransitions} by transitions`],
    [
      'Expected',
      expected.units === undefined
        ? 'not known yet'
        : `${expected.units} units in ${expected.windowSeconds} s`,
    ],
    ['In words', answer.words],
    ['Open since', open?.from, 'red'],
    ...instances.map(
      ({ instance, stale, reportedAt }) =>
        [
          `Reports of ${instance}`,
          `${reportedAt ?? 'none'}${stale ? ', stale' : ''}`,
          stale ? 'yellow' : undefined,
        ] as const,
    ),
    ['As of', answer.asOf],
  ]);
}
