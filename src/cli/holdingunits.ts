/** `lictor applications take`, `return` and `explain`: units of application licences. */

import type { Command } from 'commander';
import type { ReturnApplicationsAnswer, TakeApplicationsBody } from '../client/openapi.ts';
import { CliFault, EXIT } from './faults.ts';
import { examples, stated } from './options.ts';
import { answerFields, type Column, type Field, jsonText, writeTable } from './output.ts';
import type { World } from './world.ts';

type Held = ReturnApplicationsAnswer['features'][number];

const COLUMNS: readonly Column<Held>[] = [
  { title: 'APPLICATION', value: ({ application }) => application },
  { title: 'FEATURE', value: ({ feature }) => feature },
  { title: 'TAKES', value: ({ count }) => count, align: 'right' },
  { title: 'IN USE', value: ({ used }) => used, align: 'right' },
  { title: 'UNITS', value: ({ units }) => units, align: 'right' },
];

const RETURNED: Column<Held> = {
  title: 'GIVEN BACK',
  value: ({ released }) => released,
  style: ({ released }) => (released === true ? undefined : 'yellow'),
};

interface HolderOptions {
  readonly instance: string;
  readonly user?: string;
  readonly login?: string;
  readonly id?: string;
}

/**
 * Adds the commands about units to `lictor applications`.
 *
 * @param applications - what they are added to.
 * @param world - the world that they run in.
 */
export function registerHolding(applications: Command, world: World): void {
  examples(
    holding(
      applications,
      'take <feature...>',
      'Take a unit of application features for a user, all or none. A feature is written APPLICATION or ' +
        'APPLICATION/KEYWORD; without a keyword it is "Concurrent Users". Exit status 75 when none is free.',
    ).action(async (features: string[], options: HolderOptions) => {
      const { instance } = options;
      const body = takeBody(features, options);
      const answer = await (await world.client()).applications.take(instance, body);
      if (world.json) return world.print(jsonText(answer));
      await writeTable(world, COLUMNS, answer.features);
    }),
    [
      'lictor applications take "BestLab/Lab Users" --instance hospital --user alice',
      'lictor applications take BestLab ISC.Lab/Robots --instance hospital --user alice',
    ],
  );
  examples(
    holding(
      applications,
      'return [feature...]',
      'Give back one take of each feature, or everything that the holder has.',
    ).action(async (features: string[], options: HolderOptions) => {
      const { instance } = options;
      const body = {
        ...holderOf(options),
        ...(features.length === 0 ? {} : { features: features.map(featureOf) }),
      };
      const answer = await (await world.client()).applications.return(instance, body);
      if (world.json) return world.print(jsonText(answer));
      const count = await writeTable(world, [...COLUMNS, RETURNED], answer.features);
      if (count === 0) await world.note('There was nothing to give back.');
    }),
    [
      'lictor applications return "BestLab/Lab Users" --instance hospital --user alice',
      'lictor applications return --instance hospital --user alice',
    ],
  );
  examples(
    holding(applications, 'explain <feature...>', 'What a take would come to now. Changes nothing.').action(
      (features: string[], options: HolderOptions) => explain(world, features, options),
    ),
    ['lictor applications explain "BestLab/Lab Users" --instance hospital --user alice'],
  );
}

function holding(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .requiredOption('--instance <instance>', 'where')
    .option('--user <user>', 'the user ID that holds them, until his last connection is gone')
    .option('--login <login>', 'or the login that holds them, with which they go')
    .option('--id <uuid>', 'the ID of the request; the same ID again gives the same answer');
}

function takeBody(features: readonly string[], options: HolderOptions): TakeApplicationsBody {
  return { ...holderOf(options), features: features.map(featureOf) };
}

function holderOf({ user, login, id }: HolderOptions) {
  if ((user === undefined) === (login === undefined)) {
    throw new CliFault(EXIT.usage, 'It is not said who holds the units.', 'Give either --user or --login.');
  }
  return stated({ userId: user, login, id });
}

/** Names of sections have no slash. */
function featureOf(text: string): { readonly application: string; readonly feature?: string } {
  const slash = text.indexOf('/');
  if (slash === -1) return { application: text };
  return { application: text.slice(0, slash), feature: text.slice(slash + 1) };
}

async function explain(world: World, features: readonly string[], options: HolderOptions): Promise<void> {
  const client = await world.client();
  const answer = await client.applications.explain(options.instance, takeBody(features, options));
  if (world.json) return world.print(jsonText(answer));
  const { verdict, holders = [], holdersCount } = answer;
  const named = holders.map(({ userId, count }) => (count > 1 ? `${userId} (${count} times)` : userId));
  const fields: Field[] = [
    ['It would be', verdict, verdict === 'granted' ? 'green' : 'red'],
    ['Why', answer.detail],
    ['Code', answer.code],
    ['Application', answer.application],
    ['Feature', answer.feature],
    ['Units', answer.limit],
    ['In use', answer.inUse],
    ['Held by', named.length === 0 ? undefined : `${named.join(', ')}${more(named.length, holdersCount)}`],
  ];
  await answerFields(world, answer, fields);
  if (answer.features !== undefined) {
    await world.print('\n');
    await writeTable(world, COLUMNS, answer.features);
  }
}

function more(named: number, all = named): string {
  return all > named ? ` and ${all - named} others` : '';
}
