/** `lictor applications`: application licences, their units and who holds them. */

import type { Command } from 'commander';
import type {
  ListApplicationsAnswer,
  ListHoldersAnswer,
  LoadApplicationsAnswer,
  RecountApplicationAnswer,
} from '../../client/openapi.ts';
import { confirmed, yesOption } from '../confirming.ts';
import { EXIT } from '../faults.ts';
import { registerHolding } from '../holdingunits.ts';
import { writeList } from '../listing.ts';
import { examples, limitOption, stated } from '../options.ts';
import { answerFields, answerWords, type Column, cellText, jsonText, writeTable } from '../output.ts';
import { fullness } from '../topscreen.ts';
import type { World } from '../world.ts';

type Section = ListApplicationsAnswer['items'][number];

/** A feature of a section, as a row of its own. */
interface FeatureRow {
  readonly section: Omit<Section, 'features'>;
  readonly feature: Section['features'][number];
}

const COLUMNS: readonly Column<FeatureRow>[] = [
  { title: 'APPLICATION', value: ({ section }) => section.name },
  { title: 'KIND', value: ({ section }) => section.kind },
  { title: 'COUNTED', value: ({ section }) => section.sharedBy ?? section.instance },
  { title: 'FEATURE', value: ({ feature }) => feature.feature },
  { title: 'VALUE', value: ({ feature }) => feature.value, align: 'right' },
  {
    title: 'IN USE',
    value: ({ feature }) => feature.used,
    align: 'right',
    style: ({ feature: { used, units } }) =>
      used === undefined || units === undefined ? undefined : fullness(used, units),
  },
  { title: 'FREE', value: ({ feature }) => feature.free, align: 'right' },
  { title: 'PEAK', value: ({ feature }) => feature.maxUsed, align: 'right' },
  { title: 'LEAST FREE', value: ({ feature }) => feature.minimum, align: 'right' },
];

const HOLDER_COLUMNS: readonly Column<ListHoldersAnswer['items'][number]>[] = [
  { title: 'FEATURE', value: ({ feature }) => feature },
  { title: 'USER ID', value: ({ userId }) => userId },
  { title: 'INSTANCE', value: ({ instance }) => instance },
  { title: 'LOGIN', value: ({ login }) => login },
  { title: 'TAKES', value: ({ takes }) => takes, align: 'right' },
];

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const applications = program
    .command('applications')
    .description('Application licences: sections of keywords, whose numbers are units that users take.');
  registerSections(applications, world);
  registerLoading(applications, world);
  registerHolding(applications, world);
  registerHolders(applications, world);
}

/**
 * Begins a command about the applications of an instance.
 *
 * @param parent - what it is added to.
 * @param usage - its name with its arguments.
 * @param description - what it does.
 */
function onInstance(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .requiredOption('--instance <instance>', 'the instance whose applications they are');
}

interface OnInstance {
  readonly instance: string;
}

function registerSections(applications: Command, world: World): void {
  examples(
    onInstance(
      applications,
      'list',
      'List the sections that an instance has, loaded or with its key, with what is in use of each feature.',
    )
      .option('--types <letters>', 'which: I of the vendor, P others of the key, U loaded; IPU when left out')
      .action(async ({ instance, types }: OnInstance & { types?: string }) => {
        const answer = await (await world.client()).applications.list(instance, stated({ types }));
        if (world.json) return world.print(jsonText(answer));
        const count = await writeTable(world, COLUMNS, answer.items.flatMap(rowsOf));
        if (count === 0) await world.note('There is no application.');
      }),
    ['lictor applications list --instance hospital'],
  );
  examples(
    onInstance(applications, 'show <application>', 'Show a section, with what is in use of it.').action(
      async (application: string, { instance }: OnInstance) => {
        const section = await (await world.client()).applications.read(instance, application);
        if (world.json) return world.print(jsonText(section));
        await answerFields(world, section, [
          ['Application', section.name],
          ['Instance', section.instance],
          ['Kind', section.kind],
          ['Counted across', section.sharedBy === undefined ? 'the instance' : `the key ${section.sharedBy}`],
          ['Signature', section.signature],
          ['Signed by', section.signingKeyId],
          ['Loaded', section.loadedAt && `${cellText(section.loadedAt)} by ${section.loadedBy ?? '?'}`],
          ['Revision', section.revision],
          ['As of', section.asOf],
        ]);
        await world.print('\n');
        await writeTable(world, COLUMNS.slice(3), rowsOf(section));
      },
    ),
    ['lictor applications show BestLab --instance hospital'],
  );
}

function rowsOf({ features, ...section }: Section): FeatureRow[] {
  return features.map((feature) => ({ section, feature }));
}

type Loaded = LoadApplicationsAnswer['items'][number];

const LOADED_COLUMNS: readonly Column<Loaded>[] = [
  { title: 'APPLICATION', value: ({ name }) => name },
  { title: 'OUTCOME', value: ({ outcome }) => outcome },
  {
    title: 'SIGNATURE',
    value: ({ signature, signingKeyId }) =>
      signingKeyId === undefined ? signature : `${signature}, by ${signingKeyId}`,
  },
  {
    title: 'ENTRIES',
    value: ({ entries }) => entries.map(({ keyword, value }) => `${keyword}=${value}`).join(', '),
  },
];

function registerLoading(applications: Command, world: World): void {
  examples(
    onInstance(
      applications,
      'load <file>',
      'Load every section of an application licence file, all or none. Sections that are not in it stay.',
    )
      .option('--application <name>', 'load this section of the file only')
      .action(async (file: string, { instance, application }: OnInstance & { application?: string }) => {
        const fileBase64 = Buffer.from(await world.read(file)).toString('base64');
        const client = await world.client();
        const items =
          application === undefined
            ? (await client.applications.loadAll(instance, { fileBase64 })).items
            : [await client.applications.load(instance, application, { fileBase64 })];
        if (world.json) return world.print(jsonText({ items }));
        await writeTable(world, LOADED_COLUMNS, items);
      }),
    [
      'lictor applications load bestlab.ini --instance hospital',
      'lictor applications load all.ini --instance hospital --application BestLab',
    ],
  );
  examples(
    onInstance(
      applications,
      'remove <application>',
      'Take a loaded section away. Whoever holds units keeps them until he gives them back or goes.',
    )
      .addOption(yesOption())
      .action(async (application: string, { instance, yes }: OnInstance & { yes?: boolean }) => {
        const client = await world.client();
        // To the API a misspelt one is gone already; a person must be told.
        await client.applications.read(instance, application);
        await confirmed(world, yes, `Take the application ${application} from ${instance}?`);
        await client.applications.remove(instance, application);
        await answerWords(
          world,
          { instance, application, removed: true },
          `Took the application ${application} from ${instance}.`,
        );
      }),
    ['lictor applications remove BestLab --instance hospital --yes'],
  );
}

interface HoldersOptions extends OnInstance {
  readonly feature?: string;
  readonly user?: string;
  readonly login?: string;
  readonly across?: boolean;
  readonly limit?: number;
}

function registerHolders(applications: Command, world: World): void {
  examples(
    onInstance(applications, 'holders <application>', 'List who holds units of an application.')
      .option('--feature <feature>', 'only of this feature')
      .option('--user <user>', 'only what a user ID holds')
      .option('--login <login>', 'only what a login has taken')
      .option('--across', 'on all instances of the key, for what is counted across it')
      .addOption(limitOption())
      .action(async (application: string, options: HoldersOptions) => {
        const { instance, feature, user, login, across, limit } = options;
        const client = await world.client();
        const query = stated({ feature, userId: user, login, across });
        await writeList(
          world,
          (page) => client.applications.holders(instance, application, { ...query, ...page }),
          { columns: HOLDER_COLUMNS, noun: 'holder', limit },
        );
      }),
    ['lictor applications holders BestLab --instance hospital --feature "Lab Users"'],
  );
  examples(
    onInstance(
      applications,
      'recount <application>',
      'Count anew who holds units of an application. Exit status 1 when a counter was wrong.',
    )
      .option('--feature <feature>', 'only this feature')
      .action(async (application: string, { instance, feature }: OnInstance & { feature?: string }) => {
        const client = await world.client();
        const answer = await client.applications.recount(instance, application, stated({ feature }));
        if (answer.items.some(({ recovered }) => recovered !== 0)) world.exit = EXIT.failed;
        if (world.json) return world.print(jsonText(answer));
        await writeTable(world, RECOUNT_COLUMNS, answer.items);
      }),
    ['lictor applications recount BestLab --instance hospital'],
  );
  examples(
    onInstance(
      applications,
      'instance-login <application>',
      'Whether an application may run on an instance, by the number of instances that a keyword licenses. ' +
        'Exit status 0 if so, 75 if not.',
    )
      .requiredOption('--feature <feature>', 'the keyword')
      .action(async (application: string, { instance, feature }: OnInstance & { feature: string }) => {
        const client = await world.client();
        const answer = await client.applications.instanceLogin(instance, application, { feature });
        if (!answer.permitted) world.exit = EXIT.noUnits;
        await answerFields(world, answer, [
          ['Permitted', answer.permitted, answer.permitted ? 'green' : 'red'],
          ['Instances', answer.instances],
          ['Licensed', answer.limit],
        ]);
      }),
    ['lictor applications instance-login BestLab --instance hospital --feature Servers'],
  );
}

const RECOUNT_COLUMNS: readonly Column<RecountApplicationAnswer['items'][number]>[] = [
  { title: 'FEATURE', value: ({ feature }) => feature },
  { title: 'COUNTED', value: ({ counted }) => counted, align: 'right' },
  { title: 'BEFORE', value: ({ before }) => before, align: 'right' },
  {
    title: 'RECOVERED',
    value: ({ recovered }) => recovered,
    align: 'right',
    style: ({ recovered }) => (recovered === 0 ? undefined : 'red'),
  },
];
