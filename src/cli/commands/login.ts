/** `lictor login --run`: holds a licence while a command runs, for batch jobs and CI. */

import { type Command, Option } from 'commander';
import { ApiError, UnreachableError } from '../../client/problems.ts';
import { FORWARDED, type RunningChild, startChild, statusOfSignal } from '../childprocess.ts';
import { CliFault, EXIT, tell } from '../faults.ts';
import { Holding } from '../holding.ts';
import { examples, stated, wholeNumber } from '../options.ts';
import type { World } from '../world.ts';

const LEASE_SECONDS = 60;
const LEASE_SECONDS_MIN = 5;
const LEASE_SECONDS_MAX = 86_400;
const WAIT_SECONDS_MAX = 604_800;
/** How long the end of the command waits for the unit to be given back, in seconds. */
const GIVE_BACK_SECONDS = 15;
/** How long after the end of a lease the server takes the unit back at the latest, in seconds. */
const LEASE_MARGIN_SECONDS = 5;
/** How long a command that must end has for it, in seconds. */
const KILL_AFTER_SECONDS = 10;

interface RunOptions {
  readonly instance: string;
  readonly user?: string;
  readonly username?: string;
  readonly address?: string;
  readonly lease: number;
  readonly wait: number;
  readonly onLost: 'warn' | 'kill';
  readonly killAfter: number;
  readonly timeout?: number;
}

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  program.enablePositionalOptions();
  const login = program
    .command('login')
    .description(
      'Hold a licence while a command runs: log in, run it, renew the lease, and give the unit back when it ends, ' +
        "however it ends. The command's streams and its exit status are those of this one; signals are passed on.",
    )
    .argument('[command...]', 'the command with its arguments')
    .passThroughOptions()
    .requiredOption('--instance <instance>', 'the instance that is logged in to')
    .option('--user <user>', 'the licence user ID; without it the address of this host stands for the user')
    .option('--username <name>', 'the user name')
    .option('--address <address>', "the client's IP address")
    .addOption(
      new Option('--lease <seconds>', 'after how long without a sign of life the unit comes back by itself')
        .argParser(wholeNumber(LEASE_SECONDS_MIN, LEASE_SECONDS_MAX))
        .default(LEASE_SECONDS),
    )
    .addOption(
      new Option('--wait <seconds>', 'how long to wait for a unit, or for a server that is away')
        .argParser(wholeNumber(0, WAIT_SECONDS_MAX))
        .default(0),
    )
    .addOption(
      new Option('--on-lost <what>', 'when the licence is lost: warn and take another, or end the command')
        .choices(['warn', 'kill'])
        .default('warn'),
    )
    .addOption(
      new Option('--kill-after <seconds>', 'with "--on-lost kill": SIGKILL so long after SIGTERM')
        .argParser(wholeNumber(0, 3_600))
        .default(KILL_AFTER_SECONDS),
    )
    .option('--run', 'what follows is the command; "--" says the same')
    .addHelpText('after', HELP)
    .action(async (words: string[], options: RunOptions) => {
      const [command, ...args] = words;
      if (command === undefined || command === '') {
        throw new CliFault(
          EXIT.usage,
          'It is not said what is to be run.',
          'Put it behind --run. "lictor logins login" logs in without running anything.',
        );
      }
      world.exit = await run(world, options, command, args);
    });
  examples(login, [
    'lictor login --instance build --run make test',
    'lictor login --instance build --user "$CI_PIPELINE_ID" --wait 600 --run ./nightly.sh',
    'lictor login --instance build --on-lost kill -- ./render --frames 1-500',
  ]);
}

const HELP = `
Exit status: that of the command, 128 and the number of the signal that ended it, 127 when it was not found, 126
when it cannot be run. Without a licence it does not run: 75 when that is refused (or lost, with "--on-lost kill"),
69 when the server cannot be reached, 77 when the token does not permit it, 2 for a command line out of order.

The command's environment has LICTOR_LOGIN, LICTOR_INSTANCE and LICTOR_USER_ID besides its own.`;

/** What a signal asks for before there is a command that it could be passed on to. */
class Interrupted extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

async function run(
  world: World,
  options: RunOptions,
  command: string,
  args: readonly string[],
): Promise<number> {
  const client = await world.client();
  const course: Course = { child: null, early: null, lostReason: null, waiting: new AbortController() };
  const giveUp = new AbortController();
  let signals = 0;
  const stop = world.parts.onSignal(FORWARDED, (name) => {
    signals += 1;
    if (!course.isOver) hear(course, name);
    // The first one may be what has just ended the command: a terminal sends Ctrl-C to both.
    else if (signals > 1) giveUp.abort();
  });
  const note = (sentence: string) => void world.note(`lictor login: ${sentence}`);
  const holding = new Holding({
    client,
    body: {
      instance: options.instance,
      ...stated({ user: options.user, username: options.username, clientAddress: options.address }),
      process: { pid: process.pid },
      leaseSeconds: options.lease,
    },
    pause: world.parts.pause,
    note,
    onLost: (reason) => lose(course, options, reason, note),
  });
  try {
    return await hold(world, { course, holding, options }, command, args);
  } finally {
    course.isOver = true;
    const seconds = options.timeout ?? GIVE_BACK_SECONDS;
    const fault = course.isAsked ? await holding.giveBack(seconds * 1000, giveUp.signal) : null;
    if (fault !== null) {
      const why = giveUp.signal.aborted ? 'it was interrupted.' : fault.message;
      const withinSeconds = options.lease + LEASE_MARGIN_SECONDS;
      note(`The unit could not be given back: ${why} It comes back by itself within ${withinSeconds} s.`);
    }
    stop();
  }
}

/** What is known while a licence is held. */
interface Course {
  child: RunningChild | null;
  /** The signal that came before the command ran. */
  early: NodeJS.Signals | null;
  /** Why the licence was lost, when the command had to end for it. */
  lostReason: string | null;
  /** Ends the waiting for a unit. */
  readonly waiting: AbortController;
  /** Whether a unit may have been taken. */
  isAsked?: boolean;
  isOver?: boolean;
}

function hear(course: Course, name: NodeJS.Signals): void {
  if (course.child !== null) {
    course.child.pass(name);
    return;
  }
  course.early ??= name;
  course.waiting.abort(new Interrupted(name));
}

/** @returns whether another licence is to be taken. */
function lose(
  course: Course,
  { onLost, killAfter }: RunOptions,
  reason: string,
  note: (sentence: string) => void,
): boolean {
  if (onLost === 'warn') {
    note(
      `The licence is lost: ${reason} The command goes on, and another one is taken as soon as there is one.`,
    );
    return true;
  }
  note(`The licence is lost: ${reason} The command is ended.`);
  course.lostReason = reason;
  course.child?.end(killAfter * 1000);
  return false;
}

async function hold(
  world: World,
  { course, holding, options }: { course: Course; holding: Holding; options: RunOptions },
  command: string,
  args: readonly string[],
): Promise<number> {
  let login: Awaited<ReturnType<Holding['take']>>;
  try {
    course.isAsked = true;
    login = await holding.take(options.wait * 1000, course.waiting.signal);
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signal);
    // Nobody was reached, so that there is nothing to give back.
    if (options.wait === 0 && error instanceof UnreachableError) course.isAsked = error.outcomeUnknown;
    throw withoutLicence(error);
  }
  if (course.early !== null) return statusOfSignal(course.early);
  const child = await startChild(command, args, {
    ...world.parts.env,
    LICTOR_LOGIN: login.id,
    LICTOR_INSTANCE: login.instance,
    LICTOR_USER_ID: login.userId ?? undefined,
  });
  if ('reason' in child) throw new CliFault(child.exit, `${child.reason}.`);
  course.child = child;
  // What came while the command was being started is meant for it.
  if (course.early !== null) child.pass(course.early);
  holding.keep(login.heartbeatAfterSeconds ?? options.lease / 3);
  const status = await child.exited;
  return course.lostReason === null ? status : EXIT.noUnits;
}

/** Whatever the licence is refused for, the command did not run, which its own exit status must not hide. */
function withoutLicence(error: unknown): unknown {
  const told = tell(error);
  if (told === null || !(error instanceof ApiError) || !error.isRefusal) return error;
  const hint =
    error.code === 'instance-silent'
      ? 'An instance that only such commands use gives no signs of life: set its grace to 0 with "lictor instances configure".'
      : told.hint;
  return new CliFault(EXIT.noUnits, told.message, hint, told.problem);
}
