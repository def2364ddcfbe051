/** `lictor top`: what is in use, refreshed in place. */

import { type Command, Option } from 'commander';
import type { Client } from '../../client/client.ts';
import { UnreachableError } from '../../client/problems.ts';
import { examples, stated, wholeNumber } from '../options.ts';
import { cellText, prepareWidths } from '../output.ts';
import { poolOf, roomFor, type ScreenState, type Snapshot, screenLines, type View } from '../topscreen.ts';
import type { World } from '../world.ts';

/** How many rows of a list are fetched at each refresh. */
const ROWS_FETCHED = 500;
/** The other screen of the terminal, without a cursor; what was shown before comes back at the end. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const VIEWS: Readonly<Record<string, View>> = { k: 'keys', i: 'instances', u: 'users' };

interface TopOptions {
  readonly interval: number;
  readonly key?: string;
  readonly view: View;
  readonly count?: number;
}

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  const command = program
    .command('top')
    .summary('what is in use, live')
    .description(
      'What is in use, refreshed in place until q or Ctrl-C. Where standard output is no terminal, or with ' +
        '--count, one line for each key and refresh; with --json one object for each refresh.',
    )
    .addOption(new Option('--interval <seconds>', 'how often').default(2).argParser(wholeNumber(1, 3_600)))
    .option('--key <key>', 'only what is under a key')
    .addOption(
      new Option('--view <view>', 'what is listed first')
        .choices(['keys', 'instances', 'users'])
        .default('keys'),
    )
    .addOption(
      new Option('--count <number>', 'how many refreshes, as lines').argParser(wholeNumber(1, 1_000_000_000)),
    );
  examples(
    command.action((options: TopOptions) => {
      const isLive = world.parts.stdout.isTerminal && options.count === undefined && !world.json;
      return isLive ? live(world, options) : lines(world, options);
    }),
    [
      'lictor top',
      'lictor top --view users --key 100200301',
      'lictor top --interval 10 --count 6 >> use.log',
    ],
  );
}

async function fetch(
  client: Client,
  view: View,
  key: string | undefined,
  signal?: AbortSignal,
): Promise<Snapshot> {
  const query = { limit: ROWS_FETCHED, ...stated({ key }) };
  const options = stated({ signal });
  const [counts, instances, users] = await Promise.all([
    client.usage.counts(query, options),
    view === 'instances' ? client.usage.instances(query, options) : null,
    view === 'users' ? client.usage.users(query, options) : null,
  ]);
  const listed = instances ?? users ?? counts;
  await prepareWidths([
    ...counts.items.map(poolOf),
    ...(instances?.items ?? []).map(({ instance }) => instance),
    ...(users?.items ?? []).flatMap((user) => [
      user.userId,
      ...user.instances.map(({ instance }) => instance),
    ]),
  ]);
  return {
    asOf: counts.asOf,
    keys: counts.items,
    instances: instances?.items ?? [],
    users: users?.items ?? [],
    isCut: listed.nextCursor !== undefined,
  };
}

/** One line for each key and refresh, which other programs can read. */
async function lines(world: World, { interval, key, count = Infinity }: TopOptions): Promise<void> {
  const ending = new AbortController();
  const stop = world.parts.onSignal(['SIGINT', 'SIGTERM'], () => ending.abort());
  try {
    const client = await world.client();
    for (let number = 1; number <= count && !ending.signal.aborted; number += 1) {
      if (number > 1) await world.parts.pause(interval * 1_000, ending.signal);
      if (ending.signal.aborted) break;
      const { asOf, keys } = await fetch(client, 'keys', key, ending.signal);
      if (world.json) {
        await world.print(`${JSON.stringify({ asOf, items: keys })}\n`);
        continue;
      }
      for (const item of keys) {
        const { unitsInUse, unitsEnforced, users, connections } = item;
        const use = `${unitsInUse}/${unitsEnforced} units  ${users} users  ${connections} connections`;
        await world.print(`${cellText(asOf)}  ${cellText(poolOf(item))}  ${use}\n`);
      }
    }
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  } finally {
    stop();
  }
}

/** The live view while it is shown. */
class Live {
  readonly #world: World;
  readonly #options: TopOptions;
  readonly #ending = new AbortController();
  #waking = new AbortController();
  #state: ScreenState;

  constructor(world: World, options: TopOptions, url: string, snapshot: Snapshot) {
    this.#world = world;
    this.#options = options;
    const { interval: intervalSeconds, view } = options;
    this.#state = {
      url,
      intervalSeconds,
      view,
      offset: 0,
      isPaused: false,
      snapshot,
      before: new Map(),
      trouble: null,
    };
  }

  /** Shows it until it is told to end, whatever happens on the way. */
  async run(): Promise<void> {
    const { stdin, stdout, onSignal } = this.#world.parts;
    const undo = [
      onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], () => this.#end()),
      stdout.onResize(() => void this.#draw(true)),
      stdin.isTerminal ? stdin.onKey((key) => this.#press(key)) : () => {},
    ];
    await stdout.write(ENTER);
    try {
      while (!this.#ending.signal.aborted) {
        await this.#draw();
        this.#waking = new AbortController();
        const signal = AbortSignal.any([this.#ending.signal, this.#waking.signal]);
        await this.#world.parts.pause(this.#options.interval * 1_000, signal);
        if (!this.#state.isPaused || this.#waking.signal.aborted) await this.#refresh();
      }
    } finally {
      for (const each of undo) each();
      await stdout.write(LEAVE);
    }
  }

  #end(): void {
    this.#ending.abort();
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#ending;
    if (signal.aborted) return;
    try {
      const client = await this.#world.client();
      const snapshot = await fetch(client, this.#state.view, this.#options.key, signal);
      const before = new Map(this.#state.snapshot.keys.map((item) => [poolOf(item), item.unitsInUse]));
      this.#change({ snapshot, before, trouble: null });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof UnreachableError)) throw error;
      // What was last known stays in sight, and says of when it is.
      this.#change({ trouble: 'The server cannot be reached.' });
    }
  }

  #change(members: Partial<ScreenState>): void {
    const next = { ...this.#state, ...members };
    const { keys, instances, users } = next.snapshot;
    const length = { keys, instances, users }[next.view].length;
    const offsetMax = Math.max(0, length - roomFor(this.#world.parts.stdout.rows));
    this.#state = { ...next, offset: Math.min(Math.max(0, next.offset), offsetMax) };
  }

  #press(key: string): void {
    const { rows } = this.#world.parts.stdout;
    const steps: Readonly<Record<string, number>> = {
      up: -1,
      down: 1,
      pageup: -roomFor(rows),
      pagedown: roomFor(rows),
      home: -Number.MAX_SAFE_INTEGER,
      end: Number.MAX_SAFE_INTEGER,
    };
    const view = VIEWS[key];
    if (['q', 'ctrl-c', 'ctrl-d'].includes(key)) {
      this.#end();
    } else if (view !== undefined) {
      this.#change({ view, offset: 0 });
      this.#waking.abort();
    } else if (key === 'r') {
      this.#waking.abort();
    } else if (key === 'p') {
      this.#change({ isPaused: !this.#state.isPaused });
      void this.#draw();
    } else if (steps[key] !== undefined) {
      this.#change({ offset: this.#state.offset + steps[key] });
      void this.#draw();
    }
  }

  /** Writes over what is there, line by line, so that nothing flickers. */
  async #draw(isAnew = false): Promise<void> {
    const { stdout } = this.#world.parts;
    const shown = screenLines(this.#state, stdout, this.#world.paint);
    const body = shown.map((line) => line + CLEAR_LINE).join('\r\n');
    await stdout.write(`${isAnew ? `${HOME}${CLEAR_BELOW}` : HOME}${body}${CLEAR_BELOW}`);
  }
}

async function live(world: World, options: TopOptions): Promise<void> {
  const { urls } = await world.connection();
  const client = await world.client();
  // What cannot be had at all is told on the screen that stays.
  const snapshot = await fetch(client, options.view, options.key);
  await new Live(world, options, urls.join(', '), snapshot).run();
}
