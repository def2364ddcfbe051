/** `lictor usage instance`, `reset` and `durations`: what an instance uses, the most it has, and for how long. */

import { type Command, Option } from 'commander';
import type {
  ClearDurationsAnswer,
  CountInstanceAnswer,
  ResetInstanceMarksAnswer,
  ResetInstanceMarksBody,
  ResetKeyMarksBody,
} from '../client/openapi.ts';
import { CliFault, EXIT } from './faults.ts';
import { collect, examples, stated } from './options.ts';
import { answerFields, type Column, cellText, type Field, jsonText, labelOf, writeTable } from './output.ts';
import { fullness } from './topscreen.ts';
import type { World } from './world.ts';

const COUNTERS = ['users', 'connections', 'web-users', 'processes', 'web-grace'] as const;

/**
 * Adds the commands about marks to `lictor usage`.
 *
 * @param usage - what they are added to.
 * @param world - the world that they run in.
 */
export function registerMarks(usage: Command, world: World): void {
  examples(
    usage
      .command('instance <instance>')
      .description('What an instance uses, the most it has used, and the least that was left.')
      .option('--text', 'as the legacy ShowCounts lays it out')
      .addOption(new Option('--form <form>', 'of the text').choices(['older', 'newer']).default('newer'))
      .action(async (name: string, { text, form }: { text?: boolean; form: 'older' | 'newer' }) => {
        const client = await world.client();
        if (text !== true) return showCounts(world, await client.reports.counts(name));
        const report = await client.reports.countsText(name, { form });
        await world.print(world.json ? jsonText({ text: report }) : report);
      }),
    ['lictor usage instance hospital', 'lictor usage instance hospital --text --form older'],
  );
  examples(
    usage
      .command('reset')
      .description(
        'Set peaks and lows back to what stands, of an instance or of a key over all its instances. The answer says what they were.',
      )
      .option('--instance <instance>', 'those of an instance')
      .option('--key <key>', 'those of a key')
      .addOption(
        new Option(
          '--counter <counter>',
          'which; several times; users and connections when left out; of a key only these two',
        )
          .choices(COUNTERS)
          // Choices come with a reader of their own, which this one replaces.
          .argParser(counters),
      )
      .action((options: ResetOptions) => reset(world, options)),
    ['lictor usage reset --instance hospital', 'lictor usage reset --key 100200301 --counter users'],
  );
  examples(
    usage
      .command('durations <instance>')
      .description('How long the logins of an instance lasted.')
      .option('--clear', 'begin to count anew; the answer says what there was')
      .action(async (name: string, { clear }: { clear?: boolean }) => {
        const { marks } = await world.client();
        const answer = clear === true ? await marks.clearDurations(name) : await marks.durations(name);
        if (world.json) return world.print(jsonText(answer));
        await writeTable(world, DURATION_COLUMNS, answer.durations);
        await world.note(
          `${clear === true ? 'Cleared; it had been counted' : 'Counted'} since ${cellText(answer.since)}.`,
        );
      }),
    ['lictor usage durations hospital', 'lictor usage durations hospital --clear --json'],
  );
}

type Bucket = ClearDurationsAnswer['durations'][number];

const DURATION_COLUMNS: readonly Column<Bucket>[] = [
  {
    title: 'LASTED',
    value: ({ upToSeconds }) => (upToSeconds === undefined ? 'longer' : `up to ${spanWords(upToSeconds)}`),
  },
  { title: 'LOGINS', value: ({ count }) => count, align: 'right' },
];

function spanWords(seconds: number): string {
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

function counters(text: string, before: readonly string[] | undefined): string[] {
  if (COUNTERS.some((counter) => counter === text)) return collect(text, before);
  throw new CliFault(EXIT.usage, `"${text}" is no counter.`, `There is ${COUNTERS.join(', ')}.`);
}

async function showCounts(world: World, answer: CountInstanceAnswer): Promise<void> {
  const { instance, key, source, reportedAt, unitsEnforced, units, unitsAvailable } = answer;
  const { users, connections, webUsers, webSessionsInGrace, processes, processesAvailable } = answer;
  const peaks = { users, connections, webUsers, webSessionsInGrace, processes };
  const least = (mark: { readonly now: number; readonly minimum: number } | undefined) =>
    mark === undefined ? undefined : `${mark.now}, at least ${mark.minimum}`;
  await answerFields(world, answer, [
    ['Instance', instance],
    ['Key', key ?? 'none: the default licence'],
    [
      'Units in use',
      `${units.now} of ${unitsEnforced}, at most ${units.peak}`,
      fullness(units.now, unitsEnforced),
    ],
    ['Units available', least(unitsAvailable)],
    ...Object.entries(peaks).map(
      ([name, { now, peak }]): Field => [labelOf(name), `${now}, at most ${peak}`],
    ),
    ['Processes available', least(processesAvailable)],
    ['Started', answer.startedAt],
    ['As reported at', source === 'reported' ? (reportedAt ?? 'never') : undefined],
    ['As of', answer.asOf],
  ]);
}

interface ResetOptions {
  readonly instance?: string;
  readonly key?: string;
  readonly counter?: readonly (typeof COUNTERS)[number][];
}

async function reset(world: World, { instance, key, counter }: ResetOptions): Promise<void> {
  if ((instance === undefined) === (key === undefined)) {
    throw new CliFault(
      EXIT.usage,
      'It is not said whose marks are reset.',
      'Give either --instance or --key.',
    );
  }
  const { marks } = await world.client();
  const body = stated({ counters: counter }) as ResetInstanceMarksBody & ResetKeyMarksBody;
  const answer: ResetInstanceMarksAnswer =
    instance === undefined ? await marks.resetKey(key!, body) : await marks.reset(instance, body);
  await answerFields(world, answer, [
    ...Object.entries(answer.before).map(([name, value]): Field => [`${labelOf(name)} before`, value]),
    ['Decision', answer.decision],
    ['At', answer.at],
  ]);
}
