/** Finds the command that a command line calls for, loads it, runs it, and tells what it fails with. */

import { Command, CommanderError } from 'commander';
import { CliFault, EXIT, type Told, tell } from './faults.ts';
import { commonOptions, helpOption } from './options.ts';
import { overview } from './overview.ts';
import { visible } from './paint.ts';
import { COMMANDS, findCommand, type RegisteredCommand } from './registry.ts';
import { type CommonOptions, World, type WorldParts } from './world.ts';

/**
 * Runs a command line.
 *
 * @param argv - what follows the name of the program.
 * @param parts - the world.
 * @returns the exit status (`EXIT`); rejects only for what is a fault of the program.
 */
export async function runCli(argv: readonly string[], parts: WorldParts): Promise<number> {
  if (argv[0] === '__complete') {
    const { runComplete } = await import('./completion.ts');
    return runComplete(argv.slice(1), parts);
  }
  const args = argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv];
  const name = nameIn(args);
  const world = new World(parts);
  if (name === undefined) return runNothing(args, world);
  // It is what people type who have not read that it is an option.
  if (name === 'version' && args.length === 1) return runNothing(['--version'], world);
  const command = findCommand(name);
  if (command?.run !== undefined && args[0] === name) return command.run(args.slice(1));
  return runProgram(command, args, world);
}

/** Without a command there is the overview, or the version. */
async function runNothing(args: readonly string[], world: World): Promise<number> {
  if (args.includes('--version') || args.includes('-V')) {
    const { version } = await import('./version.ts');
    await world.print(`${version}\n`);
    return EXIT.done;
  }
  if (args.includes('--help') || args.includes('-h')) {
    await world.print(overview(world.paint));
    return EXIT.done;
  }
  await world.note(`A command is needed.\n\n${overview(world.paint).trimEnd()}`);
  return EXIT.usage;
}

async function runProgram(
  command: RegisteredCommand | undefined,
  args: readonly string[],
  world: World,
): Promise<number> {
  const { program, written } = makeProgram(world);
  try {
    await fill(program, command, world);
    await program.parseAsync(args, { from: 'user' });
    return world.exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      await world.print(written.join(''));
      return EXIT.done;
    }
    if (error instanceof CommanderError && error.code === 'commander.help') {
      await world.note(`A command is needed.\n\n${written.join('').trimEnd()}`);
      return EXIT.usage;
    }
    const path = pathIn(program, args);
    const isUsage = error instanceof CommanderError;
    const told = isUsage ? tellUsage(error, path) : withHelp(tell(error), path);
    if (told === null) throw error;
    // What was not understood was not read either.
    await say(world, told, path, world.json || (isUsage && args.includes('--json')));
    return told.exit;
  } finally {
    await world.close();
  }
}

/**
 * Loads a command into a program. An unknown one leaves the program with the names of all, so that commander can
 * say which was meant.
 *
 * @param program - what `makeProgram` made.
 * @param command - the command.
 * @param world - the world that it runs in.
 */
export async function fill(
  program: Command,
  command: RegisteredCommand | undefined,
  world: World,
): Promise<void> {
  if (command?.load === undefined) {
    for (const { name } of COMMANDS) program.addCommand(new Command(name));
  } else {
    (await command.load()).register(program, world);
  }
  prepare(program);
}

/**
 * Makes the program that a command registers with.
 *
 * @param world - takes what every command understands.
 */
export function makeProgram(world: World): { readonly program: Command; readonly written: string[] } {
  const written: string[] = [];
  const { stdout } = world.parts;
  const program = new Command('lictor')
    .configureOutput({
      writeOut: (text) => void written.push(text),
      writeErr: (text) => void written.push(text),
      outputError: () => {},
      getOutHelpWidth: () => stdout.columns,
      getErrHelpWidth: () => stdout.columns,
      getOutHasColors: () => stdout.isTerminal,
    })
    .helpCommand(false)
    .hook('preAction', (_program, action) => {
      world.choose(action.optsWithGlobals<CommonOptions>());
      refuseEmpty(action);
    });
  return { program, written };
}

/**
 * An empty word is nearly always a variable of the shell that is not set. Only what another program is given may be
 * empty: the arguments of `lictor login --run` and `lictor license`.
 */
function refuseEmpty(command: Command): void {
  const words = command.registeredArguments.flatMap((argument, index) => {
    if (argument.variadic && !argument.required) return [];
    return [[`<${argument.name()}>`, command.processedArgs[index]] as const];
  });
  const options = command.options.map(
    (option) => [option.long ?? option.flags, command.getOptionValue(option.attributeName())] as const,
  );
  for (const [name, value] of [...words, ...options]) {
    if (value !== '' && !(Array.isArray(value) && value.includes(''))) continue;
    throw new CliFault(
      EXIT.usage,
      `${name} is empty.`,
      'Give it a value; the usual reason is a variable of the shell that is not set.',
    );
  }
}

/** Gives every command what all of them have: the common options, and errors that are thrown. */
function prepare(command: Command): void {
  command.exitOverride().enablePositionalOptions().helpCommand(false);
  command.addHelpOption(helpOption());
  const isLeaf = command.commands.length === 0;
  for (const option of commonOptions()) {
    if (command.options.some(({ long }) => long === option.long)) continue;
    command.addOption(isLeaf ? option : option.hideHelp());
  }
  for (const child of command.commands) prepare(child.copyInheritedSettings(command));
}

/** The command in a command line: its first word that is neither an option nor the value of one. */
function nameIn(args: readonly string[]): string | undefined {
  const takesValue = new Set(commonOptions().flatMap(({ long, required }) => (required ? [long] : [])));
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index]!;
    if (!word.startsWith('-')) return word;
    if (takesValue.has(word)) index += 1;
  }
  return undefined;
}

/** The command that a command line leads to, as a person would call it. */
function pathIn(program: Command, args: readonly string[]): string {
  const path = [program.name()];
  let command = program;
  for (const word of args) {
    const next = command.commands.find((child) => child.name() === word || child.aliases().includes(word));
    if (next === undefined) continue;
    path.push(next.name());
    command = next;
  }
  return path.join(' ');
}

/** What the server finds malformed came from the command line, and only its help says what may stand there. */
function withHelp(told: Told | null, path: string): Told | null {
  if (told?.problem?.code !== 'malformed-request' || told.hint !== '') return told;
  return { ...told, hint: `${path} --help shows how it is used.` };
}

function tellUsage({ code, message }: CommanderError, path: string): Told {
  // What was given as a token must not be told again.
  if (code === 'commander.unknownOption' && /--token(?!-)/.test(message)) {
    return {
      exit: EXIT.usage,
      message: 'There is no option for the token, because everybody on a machine can read command lines.',
      hint: 'Put it into a file for --token-file, into LICTOR_TOKEN, or keep it with "lictor profile set".',
    };
  }
  const words = message.replace(/^error: /, '').replace(/\n\(([^)]*)\)$/, '. $1');
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  return {
    exit: EXIT.usage,
    message: /[.?!]$/.test(sentence) ? sentence : `${sentence}.`,
    hint: `${path} --help shows how it is used.`,
  };
}

/** Tells a failure on standard error: in words, or as one line of JSON. */
async function say(
  world: World,
  { exit, message, hint, problem }: Told,
  path: string,
  isJson: boolean,
): Promise<void> {
  if (isJson) {
    await world.note(JSON.stringify({ command: path, exit, message, hint, ...(problem && { problem }) }));
    return;
  }
  const { stderr, env } = world.parts;
  const isColoured = stderr.isTerminal && !env.NO_COLOR && env.TERM !== 'dumb';
  const lines = message.split('\n').map(visible).join('\n');
  const head = isColoured ? `\u001b[31m${path}:\u001b[39m` : `${path}:`;
  await world.note(`${head} ${lines}${hint === '' ? '' : `\nHint: ${hint}`}`);
}
