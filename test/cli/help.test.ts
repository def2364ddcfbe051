/** The help, the examples in it and the documentation, held against the commands themselves. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { COMMANDS } from '../../src/cli/registry.ts';
import { fill, makeProgram } from '../../src/cli/run.ts';
import { World } from '../../src/cli/world.ts';
import { makeWorld, recordingSink, runIn, wordsOf } from './world.ts';

const DOCUMENTATION = new URL('../../docs/cli.md', import.meta.url);

interface Leaf {
  /** Such as `keys list`. */
  readonly path: string;
  readonly command: Command;
}

const leaves: Leaf[] = [];
const roots = new Map<string, Command>();

beforeAll(async () => {
  const sink = recordingSink();
  const world = new World(makeWorld(sink, sink));
  for (const entry of COMMANDS.filter(({ load }) => load !== undefined)) {
    const { program } = makeProgram(world);
    await fill(program, entry, world);
    const [command] = program.commands;
    roots.set(entry.name, command!);
    leaves.push(...leavesOf(command!, ''));
  }
});

function leavesOf(command: Command, before: string): Leaf[] {
  const path = `${before}${command.name()}`;
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leavesOf(child, `${path} `));
}

/** What a command shows with --help. */
async function helpOf(path: string): Promise<string> {
  const { exit, stdout, stderr } = await runIn([...path.split(' '), '--help']);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  return stdout;
}

test('each command is registered under the name by which it is loaded', () => {
  for (const [name, command] of roots) expect(command.name()).toBe(name);
  expect(leaves.length).toBeGreaterThan(40);
});

test('every command has a description, what it answers with --json, and examples', async () => {
  for (const { path } of leaves) {
    const help = await helpOf(path);
    expect(help).toMatch(new RegExp(`^Usage: lictor ${path}`));
    expect(help).toContain('--json');
    expect([path, /\nExamples:\n {2}\S/.test(help)]).toEqual([path, true]);
  }
});

test('every example is a command line that its command takes', async () => {
  for (const { path } of leaves) {
    const help = await helpOf(path);
    const examples = help
      .slice(help.indexOf('\nExamples:\n'))
      .split('\n')
      .filter((line) => /\blictor /.test(line));
    expect([path, examples.length > 0]).toEqual([path, true]);
    for (const example of examples) {
      expect([example, faultOf(example)]).toEqual([example, null]);
    }
  }
});

/** What is wrong with a command line; null when it leads to a command that has its options. */
function faultOf(line: string): string | null {
  const rest = line.slice(line.indexOf('lictor ') + 'lictor '.length).split(/\s[|>#]|[)]/)[0]!;
  const words = wordsOf(rest);
  const root = roots.get(words[0]!);
  if (root === undefined) return COMMANDS.some(({ name }) => name === words[0]) ? null : 'no command';
  let command: Command = root;
  for (const word of words.slice(1)) {
    const child: Command | undefined = command.commands.find((candidate) => candidate.name() === word);
    if (child === undefined) break;
    command = child;
  }
  // What stands behind the options of a command that runs another one is the other's.
  const end = words.findIndex((word) => word === '--run' || word === '--');
  const own = end === -1 ? words : words.slice(0, end + 1);
  const options = own.filter((word) => /^--\w/.test(word)).map((word) => word.split('=')[0]!);
  const unknown = options.filter((option) => !command.options.some(({ long }) => long === option));
  return unknown.length === 0 ? null : `no option ${unknown.join(', ')}`;
}

describe('the overview', () => {
  test('lists every command, and ends with 2 when none was given', async () => {
    const { exit, stdout } = await runIn(['help']);
    expect(exit).toBe(0);
    for (const { name } of COMMANDS) expect(stdout).toMatch(new RegExp(`^  lictor ${name} +\\S`, 'm'));
    for (const { words } of COMMANDS) expect(stdout).toContain(words);
    const none = await runIn([]);
    expect(none).toMatchObject({ exit: 2, stdout: '' });
    expect(none.stderr).toContain(stdout.trimEnd());
  });

  test('"lictor help keys list" is the help of it', async () => {
    const { exit, stdout } = await runIn(['help', 'keys', 'list']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^Usage: lictor keys list/);
  });
});

test('the documentation has every command, and no other', () => {
  const text = readFileSync(DOCUMENTATION, 'utf8');
  const named = new Set([...text.matchAll(/^#{3,4} lictor ([A-Za-z -]+)$/gm)].map(([, path]) => path!));
  const own = COMMANDS.filter(({ run }) => run !== undefined).map(({ name }) => name);
  expect([...named].sort()).toEqual([...leaves.map(({ path }) => path), ...own].sort());
});
