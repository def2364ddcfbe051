/** `lictor license`: the methods and queries of the legacy class by their names, for hands that know them. */

import { Argument, type Command, Option } from 'commander';
import { CliFault, EXIT } from '../faults.ts';
import { type Answered, LegacyCall, type LegacyMethod, type LicenseOptions } from '../license/licensecall.ts';
import { intoFile } from '../license/licensefiles.ts';
import {
  findMethod,
  GROUPS,
  HELP,
  METHOD_NAMES,
  METHODS,
  readCall,
  signatureOf,
  similarNames,
} from '../license/licensemethods.ts';
import { examples } from '../options.ts';
import { jsonText } from '../output.ts';
import { visible } from '../paint.ts';
import type { World } from '../world.ts';

const DESCRIPTION = `The methods and queries of %SYSTEM.License by their names, in any case, also as they were copied:
"ShowSummary", '$SYSTEM.License.GetFeature(7)'. It prints what the method would return, or its report; what a method
gives back by reference stands below as Name=value. "lictor license Help" lists the methods.`;

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  examples(
    program
      .command('license')
      .description(DESCRIPTION.replaceAll('\n', ' '))
      .addArgument(
        // Any case and any form of the name is taken; the choices are for completion.
        new Argument('[method]', 'the name of a method or query')
          .choices(METHOD_NAMES)
          .argParser((text) => text),
      )
      .argument('[arguments...]', 'what it takes, in order')
      .option('--instance <instance>', '"this instance" (LICTOR_INSTANCE; else the profile, or the only one)')
      .option('--login <login>', 'the login that is "this process"')
      .option('--user <user>', 'the user ID for which application units are taken and returned')
      .option('--address <address>', "the client's IP address, for Login")
      .addOption(
        new Option('--form <form>', 'of dumps: c5 or table; of ShowCounts: older or newer').choices([
          'c5',
          'table',
          'older',
          'newer',
        ]),
      )
      .addOption(
        new Option('--generation <generation>', 'of CKEY and ShowSummary').choices(['cache', 'iris']),
      )
      .option('--out <file>', 'write what is printed to a file')
      .action((method: string | undefined, args: string[], options: LicenseOptions) =>
        run(world, method, args, options),
      ),
    [
      'lictor license ShowSummary --instance hospital',
      'lictor license DumpLocalAll all.dmp',
      'lictor license Upgrade iris.key --instance hospital',
      'lictor license UserNameLicensing 1 --instance hospital',
      "lictor license '$SYSTEM.License.GetFeature(7)'",
      'lictor license Help DumpServers',
    ],
  );
}

async function run(
  world: World,
  typed: string | undefined,
  rest: readonly string[],
  options: LicenseOptions,
): Promise<void> {
  if (typed === undefined) {
    throw new CliFault(EXIT.usage, 'A method is needed.', '"lictor license Help" lists them.');
  }
  const { name, args } = readCall(typed, rest);
  if (name.toLowerCase() === HELP.toLowerCase()) return help(world, args);
  const method = await methodNamed(world, name);
  if (method.run === undefined) {
    throw new CliFault(
      EXIT.usage,
      `${method.name} has no counterpart. ${method.differences ?? ''}`.trim(),
      `The nearest is "${method.nearest}".`,
    );
  }
  if (args.length > method.takes.length) {
    throw new CliFault(
      EXIT.usage,
      `${method.name} takes no "${args[method.takes.length]}": it is ${signatureOf(method)}.`,
      `"lictor license Help ${method.name}" says more.`,
    );
  }
  const call = new LegacyCall(world, method, args, options);
  const act = async () => {
    const answered = await method.run!(call);
    if (answered !== null) await print(world, method, answered);
  };
  await (options.out === undefined ? act() : intoFile(call, options.out, act));
}

async function methodNamed(world: World, name: string): Promise<LegacyMethod> {
  const found = findMethod(name);
  if (found === null) {
    const similar = similarNames(name);
    throw new CliFault(
      EXIT.usage,
      `There is no method "${name}".${similar.length === 0 ? '' : ` There is ${similar.join(', ')}.`}`,
      '"lictor license Help" lists them.',
    );
  }
  if (found.former !== null) {
    await world.note(`Notice: ${found.former} is the former name of ${found.method.name}.`);
  }
  return found.method;
}

async function print(
  world: World,
  method: LegacyMethod,
  { value, output, exit, note }: Answered,
): Promise<void> {
  if (exit !== undefined) world.exit = exit;
  if (world.json) {
    await world.print(
      jsonText({ method: method.name, value, ...(output && { output }), ...(note && { note }) }),
    );
    return;
  }
  const lines = typeof value === 'object' ? value : [value];
  const given = Object.entries(output ?? {}).map(([name, one]) =>
    typeof one === 'number' ? `${name}=${one}` : `${name}="${one.replaceAll('"', '""')}"`,
  );
  await world.print([...lines, ...given].map((line) => `${visible(String(line))}\n`).join(''));
  if (note !== undefined) await world.note(note);
}

async function help(world: World, [wanted, more]: readonly string[]): Promise<void> {
  if (more !== undefined) throw new CliFault(EXIT.usage, 'Help takes the name of one method.');
  if (wanted !== undefined) return helpOn(world, readCall(wanted, []).name);
  if (world.json) {
    const methods = METHODS.map((method) => ({
      ...shownMethod(method),
      words: method.words,
      group: method.group,
    }));
    return world.print(jsonText({ methods }));
  }
  const width = Math.max(...METHODS.map((method) => signatureOf(method).length)) + 2;
  const groups = GROUPS.map((group) => {
    const lines = METHODS.filter((method) => method.group === group).map((method) => {
      const { words, former = [], run: act } = method;
      const aside =
        act === undefined ? ' (no counterpart)' : former.map((one) => ` (formerly ${one})`).join('');
      return `  ${signatureOf(method).padEnd(width)}${words}${aside}\n`;
    });
    return `${world.paint.bold(`${group}:`)}\n${lines.join('')}`;
  });
  await world.print(
    `Methods and queries of %SYSTEM.License: lictor license METHOD [ARGUMENT…] [--instance INSTANCE]\n\n` +
      `${groups.join('\n')}\n"lictor license Help METHOD" describes one; docs/compatibility.md has them all.\n`,
  );
}

function shownMethod(method: LegacyMethod) {
  const { name, former = [], nearest, run } = method;
  return { name, signature: signatureOf(method), former, hasCounterpart: run !== undefined, nearest };
}

async function helpOn(world: World, name: string): Promise<void> {
  const method = await methodNamed(world, name);
  const { words, differences, nearest, run } = method;
  if (world.json) {
    return world.print(jsonText({ ...shownMethod(method), words, ...(differences && { differences }) }));
  }
  const sentence = `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
  const head = run === undefined ? 'It has no counterpart.' : null;
  const lines = [signatureOf(method), '', sentence, head, differences ?? null, `See also: ${nearest}`];
  await world.print(`${lines.filter((line) => line !== null).join('\n')}\n`);
}
