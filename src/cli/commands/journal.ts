/** `lictor journal`: everything that was decided and changed. */

import { type Command, Option } from 'commander';
import type { ListJournalAnswer, ListJournalQuery } from '../../client/openapi.ts';
import { UnreachableError } from '../../client/problems.ts';
import { decisionFields, JOURNAL_COLUMNS, type JournalEntry } from '../journalfields.ts';
import { writeList } from '../listing.ts';
import { examples, limitOption, stated, wholeNumber } from '../options.ts';
import { answerFields, cellText } from '../output.ts';
import type { World } from '../world.ts';

/** How often the server is asked for what is new, in milliseconds. */
const FOLLOW_INTERVAL_MS = 1_000;
const PAGE_SIZE = 500;
/** The widths of the columns while nobody knows what will come. */
const FOLLOW_WIDTHS = [12, 20, 12, 14, 20, 14, 0];

interface Filter {
  readonly type?: string;
  readonly instance?: string;
  readonly login?: string;
  readonly user?: string;
  readonly key?: string;
  readonly actor?: string;
}

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const journal = program
    .command('journal')
    .description('Everything that was decided and changed, in order.');
  const list = addFilters(
    journal.command('list').description('List what was decided and changed, the newest first.'),
  )
    .addOption(new Option('--order <order>', 'which first').choices(['newest', 'oldest']))
    .option('--after <decision>', 'only what came after a decision, with --order oldest')
    .addOption(limitOption());
  examples(
    list.action(async (options: Filter & { order?: 'newest'; after?: string; limit?: number }) => {
      const { order, after, limit } = options;
      const client = await world.client();
      const query = { ...filterOf(options), ...stated({ order, after }) };
      await writeList(world, (page) => client.journal.list({ ...query, ...page }), {
        columns: JOURNAL_COLUMNS,
        noun: 'event',
        limit,
      });
    }),
    [
      'lictor journal list --limit 20',
      'lictor journal list --type refused --instance hospital --json',
      'lictor journal list --order oldest --after 0:1042:3',
    ],
  );
  examples(
    journal
      .command('explain <decision>')
      .description('Explain a decision: what was decided, by which rule, in words.')
      .action(async (decision: string) => {
        const answer = await (await world.client()).journal.explain(decision);
        await answerFields(world, answer, decisionFields(answer));
      }),
    ['lictor journal explain 0:1042:3'],
  );
  const follow = addFilters(
    journal
      .command('follow')
      .description(
        'Show what is decided and changed as it happens, until Ctrl-C. With --json one entry a line.',
      ),
  )
    .addOption(
      new Option('--tail <number>', 'begin with so many of before')
        .default(10)
        .argParser(wholeNumber(0, 500)),
    )
    .option('--after <decision>', 'begin after a decision instead');
  examples(
    follow.action((options: Filter & { tail: number; after?: string }) => followJournal(world, options)),
    ['lictor journal follow', 'lictor journal follow --type refused --json | jq -c .samples'],
  );
}

function addFilters(command: Command): Command {
  return command
    .option('--type <type>', 'only entries of a type, such as granted, released, refused')
    .option('--instance <instance>', 'only those of an instance')
    .option('--login <login>', 'only those of a login')
    .option('--user <user>', 'only those of a user ID')
    .option('--key <key>', 'only those of a key')
    .option('--actor <name>', 'only what somebody did, by the name of his token');
}

function filterOf({ type, instance, login, user, key, actor }: Filter): ListJournalQuery {
  return stated({ type, instance, login, user, key, actor }) as ListJournalQuery;
}

/** Asks for what is new again and again. A server that is away for a while is waited for, and said so once. */
async function followJournal(
  world: World,
  { tail, after, ...filter }: Filter & { tail: number; after?: string },
): Promise<void> {
  const ending = new AbortController();
  const stop = world.parts.onSignal(['SIGINT', 'SIGTERM'], () => ending.abort());
  const { signal } = ending;
  const course: Following = { world, query: filterOf(filter), signal };
  let isAway = false;
  try {
    let last = after ?? (await begin(course, tail));
    while (!signal.aborted) {
      try {
        last = await showNew(course, last);
        if (isAway) await world.note('The server is back.');
        isAway = false;
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        if (!isAway) await world.note(`${error.message} Trying on.`);
        isAway = true;
      }
      await world.parts.pause(FOLLOW_INTERVAL_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop();
  }
}

interface Following {
  readonly world: World;
  readonly query: ListJournalQuery;
  readonly signal: AbortSignal;
}

/** The newest decision of all, whichever the filter is; null while there is none. */
async function newestOf({ world, signal }: Following): Promise<string | null> {
  const client = await world.client();
  const { items } = await client.journal.list({ limit: 1, order: 'newest' }, { signal });
  return items[0]?.decision ?? null;
}

/** Shows the last entries, and answers behind which the new ones begin. */
async function begin(course: Following, tail: number): Promise<string | null> {
  const { world, query, signal } = course;
  const newest = await newestOf(course);
  if (tail === 0 || newest === null) return newest;
  const client = await world.client();
  const { items } = await client.journal.list({ ...query, limit: tail, order: 'newest' }, { signal });
  for (const entry of items.toReversed()) {
    if (!isAfter(entry.decision, newest)) await show(world, entry);
  }
  return newest;
}

/** Shows what came since, and answers up to where everything was looked at. */
async function showNew(course: Following, after: string | null): Promise<string | null> {
  const { world, query, signal } = course;
  const newest = await newestOf(course);
  if (newest === null || newest === after) return after;
  const client = await world.client();
  let last = newest;
  let page: ListJournalAnswer | undefined;
  do {
    const cursor = page?.nextCursor;
    const from = cursor === undefined ? (after === null ? {} : { after }) : { cursor };
    page = await client.journal.list({ ...query, ...from, order: 'oldest', limit: PAGE_SIZE }, { signal });
    for (const entry of page.items) {
      await show(world, entry);
      if (isAfter(entry.decision, last)) last = entry.decision;
    }
  } while (page.nextCursor !== undefined);
  return last;
}

/** Whether a decision was made after another one: by shard, version and index. */
function isAfter(decision: string, other: string): boolean {
  const [, version = 0, index = 0] = decision.split(':').map(Number);
  const [, otherVersion = 0, otherIndex = 0] = other.split(':').map(Number);
  return version === otherVersion ? index > otherIndex : version > otherVersion;
}

async function show(world: World, entry: JournalEntry): Promise<void> {
  if (world.json) return world.print(`${JSON.stringify(entry)}\n`);
  const { paint } = world;
  const cells = JOURNAL_COLUMNS.map(({ value, style }, column) => {
    const text = cellText(value(entry)).padEnd(FOLLOW_WIDTHS[column]!);
    const chosen = style?.(entry);
    return chosen === undefined ? text : paint[chosen](text);
  });
  await world.print(`${cells.join('  ').trimEnd()}\n`);
}
