/** `lictor usage dump`: the legacy dumps, whole, as text or JSON, also of very many users. */

import { Argument, type Command, Option } from 'commander';
import { download, linesOf } from './downloading.ts';
import { CliFault, EXIT } from './faults.ts';
import { examples, stated } from './options.ts';
import { cellText, Pieces, thousands } from './output.ts';
import { Progress } from './progress.ts';
import type { World } from './world.ts';

type What = 'all' | 'in-use' | 'processes' | 'servers' | 'keys';

interface DumpOptions {
  readonly instance?: string;
  readonly key?: string;
  readonly form?: 'c5' | 'table';
  readonly out?: string;
  readonly force?: boolean;
}

/**
 * Adds the command to `lictor usage`.
 *
 * @param usage - what it is added to.
 * @param world - the world that it runs in.
 */
export function registerDump(usage: Command, world: World): void {
  const command = usage
    .command('dump')
    .description(
      'Write a dump whole: of the slots of an instance (all, in-use), of its processes, of all servers or all ' +
        'keys. As the legacy files lay it out, or with --json as the API gives it. It is written as it comes; ' +
        'with --out the file appears when it is complete.',
    )
    .addArgument(
      new Argument('<what>', 'what is dumped').choices(['all', 'in-use', 'processes', 'servers', 'keys']),
    )
    .option('--instance <instance>', 'of which instance; needed for all, in-use and processes')
    .option('--key <key>', 'only this key, for servers and keys')
    .addOption(new Option('--form <form>', 'the older form or the newer one').choices(['c5', 'table']))
    .option('--out <file>', 'write it to a file')
    .option('--force', 'also over a file that is there');
  examples(
    command.action((what: What, options: DumpOptions) => dump(world, what, options)),
    [
      'lictor usage dump in-use --instance hospital',
      'lictor usage dump all --instance hospital --form table --out all.dmp',
      'lictor usage dump servers --json --out servers.json',
    ],
  );
}

async function dump(world: World, what: What, options: DumpOptions): Promise<void> {
  const { instance, key, out, force } = options;
  const isLocal = what !== 'servers' && what !== 'keys';
  if (isLocal && instance === undefined) {
    throw new CliFault(EXIT.usage, 'It is not said of which instance.', 'Give --instance.');
  }
  if (isLocal && key !== undefined) {
    throw new CliFault(EXIT.usage, '--key is for the dumps of servers and keys.');
  }
  const ending = new AbortController();
  const write = () =>
    world.json
      ? writeJson(world, what, options, ending.signal)
      : writeText(world, what, options, ending.signal);
  if (out === undefined) {
    await write();
    return;
  }
  const file = await world.parts.files.open(out, { exclusive: force !== true });
  const stop = world.parts.onSignal(['SIGINT', 'SIGTERM'], () => {
    ending.abort();
    void world.close();
  });
  world.redirect(file);
  try {
    const words = await write();
    await file.finish();
    await world.note(`Wrote ${words} to ${out}.`);
  } catch (error) {
    // What is there in part would be taken for the whole.
    await file.discard();
    if (ending.signal.aborted)
      throw new CliFault(EXIT.interrupted, 'It was interrupted, and nothing was written.');
    throw error;
  } finally {
    stop();
    world.redirect(null);
  }
}

/** Where a dump is. */
function pathOf(what: What, { instance, key, form }: DumpOptions): string {
  if (what !== 'servers' && what !== 'keys') {
    const query = form === undefined ? '' : `?form=${form}`;
    return `/v1/instances/${encodeURIComponent(instance!)}/dumps/${what}${query}`;
  }
  const query = new URLSearchParams(stated({ key, ...(what === 'servers' ? { instance } : {}) }));
  return query.size === 0 ? `/v1/usage/${what}` : `/v1/usage/${what}?${query}`;
}

async function writeText(
  world: World,
  what: What,
  options: DumpOptions,
  signal: AbortSignal,
): Promise<string> {
  const { asOf, entries, pieces } = await download(world, pathOf(what, options), signal);
  const progress = new Progress(world, 'lines', entries);
  try {
    for await (const piece of pieces) {
      await world.print(piece);
      await progress.add(linesIn(piece));
    }
  } finally {
    await progress.end();
  }
  return `${thousands(progress.count)} lines${asOfWords(asOf)}`;
}

function asOfWords(asOf: string | null): string {
  return asOf === null ? '' : `, as of ${cellText(asOf)},`;
}

function linesIn(text: string): number {
  let lines = 0;
  for (let index = text.indexOf('\n'); index !== -1; index = text.indexOf('\n', index + 1)) lines += 1;
  return lines;
}

/** Makes one object of what comes as one a line: what the dump is of, then each entry. */
async function writeJson(
  world: World,
  what: What,
  options: DumpOptions,
  signal: AbortSignal,
): Promise<string> {
  const path = pathOf(what, options);
  const { asOf, entries, pieces } = await download(world, path, signal, 'application/x-ndjson');
  const progress = new Progress(world, 'entries', entries);
  const gathered = new Pieces(world);
  let head: string | null = null;
  try {
    for await (const line of linesOf(pieces)) {
      if (head === null) {
        head = line;
        await gathered.add('{"items": [');
        continue;
      }
      await gathered.add(`${progress.count === 0 ? '' : ','}\n${line}`);
      await progress.add(1);
    }
  } finally {
    await progress.end();
  }
  // The members of the head follow the entries, as in every list.
  await gathered.add(`\n],\n${(head ?? '{}').slice(1)}\n`);
  await gathered.flush();
  return `${thousands(progress.count)} entries${asOfWords(asOf)}`;
}
