/**
 * What can stand at the cursor of a command line. The scripts of the shells ask `lictor __complete WORD…`, whose
 * last word is the one at the cursor; the answer is one candidate a line, a tab, and what it is. The commands
 * themselves are the only list: a value is completed by the name of its placeholder, such as `<instance>`.
 */

import type { Command, Option } from 'commander';
import type { Client } from '../client/client.ts';
import { commonOptions } from './options.ts';
import { visible } from './paint.ts';
import { readProfiles } from './profile.ts';
import { COMMANDS, findCommand } from './registry.ts';
import { fill, makeProgram } from './run.ts';
import { type CommonOptions, World, type WorldParts } from './world.ts';

/** A candidate, and what it is. */
export type Candidate = readonly [value: string, words: string];

/** Says that the shell should complete the names of files. */
export const FILES = ':files';
/** Nobody waits longer for a name. */
const ASK_TIMEOUT_MS = 1_500;
/** How many live names are asked for. */
const NAMES_MAX = 500;

/** Asks the server for the names of something. */
type Asker = (client: Client, given: ReadonlyMap<string, string>) => Promise<Candidate[]>;

const ONCE = { timeoutMs: ASK_TIMEOUT_MS, attemptsMax: 1 } as const;
const PAGE = { limit: NAMES_MAX } as const;

/** Whom to ask for what stands in a placeholder. */
const ASKERS: Readonly<Record<string, Asker>> = {
  key: async ({ keys }) =>
    (await keys.list(PAGE, ONCE)).items.map(({ id, product, unitsEnforced }) => [
      id,
      `${product ?? 'key'}, ${unitsEnforced} units`,
    ]),
  instance: async ({ instances }) =>
    (await instances.list(PAGE, ONCE)).items.map(({ name, key, state }) => [
      name,
      `${state}, ${key ?? 'no key'}`,
    ]),
  login: async ({ logins }) =>
    (await logins.list(PAGE, ONCE)).items.map(({ id, userId, instance }) => [
      id,
      `${userId ?? 'nobody'} on ${instance}`,
    ]),
  user: async ({ usage }) =>
    (await usage.users(PAGE, ONCE)).items.map(({ userId, units }) => [userId, `${units} units`]),
  server: async ({ licenseServers }) =>
    (await licenseServers.list(ONCE)).items.map(({ name, address, port }) => [name, `${address}:${port}`]),
  application: async ({ applications }, given) => {
    const instance = given.get('--instance');
    if (instance === undefined) return [];
    const { items } = await applications.list(instance, {}, ONCE);
    return items.map(({ name, kind, features }) => [name, `${kind}, ${features.length} features`]);
  },
  token: async ({ tokens }) =>
    (await tokens.list(PAGE, ONCE)).items
      .filter(({ revokedAt }) => revokedAt === undefined)
      .map(({ id, name, role }) => [id, `${name}, ${role}`]),
};

/** What was understood of the words before the cursor. */
interface Reading {
  readonly command: Command;
  /** The option whose value is at the cursor. */
  readonly pending: Option | null;
  /** How many arguments stand before the cursor. */
  readonly argumentCount: number;
  readonly given: ReadonlyMap<string, string>;
  /** Behind `--` there are no options. */
  readonly isPlain: boolean;
}

/**
 * Answers what can stand at the cursor.
 *
 * @param words - the words behind the name of the program, up to and with the one at the cursor.
 * @param parts - the world.
 * @returns the candidates that begin with what is typed; `FILES` among them for the names of files.
 */
export async function candidates(words: readonly string[], parts: WorldParts): Promise<Candidate[]> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const world = new World(parts);
  try {
    const found = await candidatesFor(before, current, world);
    return found.filter(([value]) => value === FILES || value.startsWith(current));
  } finally {
    await world.close();
  }
}

async function candidatesFor(before: readonly string[], current: string, world: World): Promise<Candidate[]> {
  const { program } = makeProgram(world);
  const entry = before.map((word) => findCommand(word)).find((command) => command !== undefined);
  if (entry?.run !== undefined) {
    const isFirst = before.at(-1) === entry.name;
    return isFirst && entry.expects !== undefined ? entry.expects.map((word) => [word, '']) : [[FILES, '']];
  }
  await fill(program, entry, world);
  const reading = readWords(program, before);
  world.choose(commonOf(reading.given));
  const { command, pending, argumentCount, isPlain } = reading;
  if (pending !== null) return valuesOf(pending, pending.flags, reading.given, world);
  const assignment = /^(--[\w-]+)=/.exec(current);
  if (assignment !== null && !isPlain) {
    const option = optionOf(command, assignment[1]!);
    if (option === undefined) return [];
    const values = await valuesOf(option, option.flags, reading.given, world);
    return values.map(([value, what]) => [value === FILES ? FILES : assignment[0] + value, what]);
  }
  if (current.startsWith('-') && !isPlain) return optionsOf(reading);
  if (command === program && entry === undefined) return COMMANDS.map(({ name, words }) => [name, words]);
  if (command.commands.length > 0) {
    return command.commands.map((child) => [
      child.name(),
      child.summary() || firstSentence(child.description()),
    ]);
  }
  const args = command.registeredArguments;
  const last = args.at(-1);
  const argument = args[argumentCount] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? [] : valuesOf(argument, `<${argument.name()}>`, reading.given, world);
}

/** Follows the words to the command, as commander would. */
function readWords(program: Command, words: readonly string[]): Reading {
  const given = new Map<string, string>();
  let command = program;
  let pending: Option | null = null;
  let argumentCount = 0;
  let isPlain = false;
  for (const word of words) {
    if (pending !== null) {
      given.set(pending.long ?? '', word);
      pending = null;
    } else if (word === '--' && !isPlain) {
      isPlain = true;
    } else if (word.startsWith('-') && !isPlain) {
      const [name = '', value] = word.split('=', 2);
      const option = optionOf(command, name);
      if (option?.required === true && value === undefined) pending = option;
      else given.set(option?.long ?? name, value ?? '');
    } else {
      const child = command.commands.find((candidate) => candidate.name() === word);
      if (child === undefined) argumentCount += 1;
      else command = child;
    }
  }
  return { command, pending, argumentCount, given, isPlain };
}

function optionOf(command: Command, name: string): Option | undefined {
  return command.options.find(({ long, short }) => long === name || short === name);
}

/** The options that are not given yet; some may be given several times. */
function optionsOf({ command, given }: Reading): Candidate[] {
  return command.options
    .filter(({ hidden, long }) => !hidden && long !== undefined && long !== null)
    .filter(({ long, description }) => !given.has(long!) || /several times/.test(description))
    .map(({ long, description }): Candidate => [long!, description])
    .concat([['--help', 'show how it is used']]);
}

/** What an option or an argument can be: its choices, or what its placeholder is the name of. */
async function valuesOf(
  { argChoices }: { readonly argChoices?: readonly string[] | undefined },
  flags: string,
  given: ReadonlyMap<string, string>,
  world: World,
): Promise<Candidate[]> {
  if (argChoices !== undefined) return argChoices.map((choice) => [choice, '']);
  const placeholders = /[<[]([\w|-]+)/.exec(flags)?.[1]?.split('|') ?? [];
  const found: Candidate[] = [];
  for (const placeholder of placeholders) {
    try {
      found.push(...(await namesOf(placeholder, given, world)));
    } catch {
      // Where the server is away, or says no, there is nothing to offer, and a line is no place to say why.
    }
  }
  return found;
}

async function namesOf(
  placeholder: string,
  given: ReadonlyMap<string, string>,
  world: World,
): Promise<Candidate[]> {
  if (placeholder === 'file') return [[FILES, '']];
  if (placeholder === 'truth') {
    return [
      ['true', ''],
      ['false', ''],
    ];
  }
  if (placeholder === 'profile') {
    const { profiles } = await readProfiles(world.parts);
    return Object.entries(profiles).map(([name, { url }]) => [name, url]);
  }
  const ask = Object.hasOwn(ASKERS, placeholder) ? ASKERS[placeholder] : undefined;
  return ask === undefined ? [] : ask(await world.client(), given);
}

/** What the command line says so far of the server. */
function commonOf(given: ReadonlyMap<string, string>): CommonOptions {
  const members: Record<string, string> = {};
  for (const option of commonOptions()) {
    const value = given.get(option.long ?? '');
    if (value !== undefined && option.required && option.long !== '--timeout') {
      members[option.attributeName()] = value;
    }
  }
  return members;
}

function firstSentence(text: string): string {
  return /^[^.:]*/.exec(text)?.[0] ?? '';
}

/**
 * Runs `lictor __complete`.
 *
 * @param words - see `candidates`.
 * @param parts - the world.
 * @returns the exit status.
 */
export async function runComplete(words: readonly string[], parts: WorldParts): Promise<number> {
  const found = await candidates(words, parts);
  // What would break the lines apart cannot be offered.
  const lines = found
    .filter(([value]) => value === visible(value))
    .map(([value, what]) => `${value}\t${visible(what)}\n`);
  await parts.stdout.write(lines.join(''));
  return 0;
}
