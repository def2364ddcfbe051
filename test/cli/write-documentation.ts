/**
 * Writes `docs/cli.md` anew: `node test/cli/write-documentation.ts`. What is said of each command is its own help,
 * and what is shown was printed by a server that is started for it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { processWorld } from '../../src/cli/process.ts';
import { COMMANDS } from '../../src/cli/registry.ts';
import { fill, makeProgram } from '../../src/cli/run.ts';
import { World } from '../../src/cli/world.ts';
import { SIGNING_KEY_ID, signedKeyFile, TRUSTED } from '../support/keyfiles.ts';
import { until } from '../support/wait.ts';
import { DOCUMENTED } from './documented.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLI = path.join(ROOT, 'src/cli.ts');
const PAGE = path.join(ROOT, 'docs/cli.md');
/** What stands between these lines of the page is written here; the rest of it by hand. */
const [BEGIN, END] = ['<!-- written by test/cli/write-documentation.ts -->', '<!-- end -->'] as const;
const START_TIMEOUT_MS = 120_000;
/** The address that the page shows in place of the one that was free. */
const SHOWN_URL = 'http://127.0.0.1:8080';
/** What the page declares with `lictor apply`. */
const SITE = `lictor: 1
keys:
  clinic:
    file: order-100.key
instances:
  ward:
    key: clinic
    settings:
      unitLimit: 2
tokens:
  ward:
    role: instance
    instance: ward
`;
const LISTENS = /Lictor listens on +(\S+)/;

const leaves = await allLeaves();
const folder = await mkdtemp(path.join(tmpdir(), 'lictor-docs-'));
const files = { data: path.join(folder, 'data'), home: path.join(folder, 'home') };
const server = await startServer();
try {
  await prepareFiles();
  const shown = await runAll(server.url);
  const page = await readFile(PAGE, 'utf8');
  const body = await describeAll(shown);
  const [before, rest = ''] = page.split(BEGIN) as [string, string?];
  const after = rest.slice(rest.indexOf(END) + END.length);
  await writeFile(PAGE, `${before}${BEGIN}\n\n${body}\n${END}${after}`);
} finally {
  server.child.kill('SIGTERM');
  await new Promise((resolve) => server.child.once('close', resolve));
  await rm(folder, { recursive: true, force: true });
}

async function startServer(): Promise<{ child: ChildProcess; url: string }> {
  const trusted = `${SIGNING_KEY_ID}:${TRUSTED.get(SIGNING_KEY_ID)}`;
  const env = { ...process.env, PORT: '0', LICTOR_DATA_DIR: files.data, LICTOR_TRUSTED_KEYS: trusted };
  const child = spawn(process.execPath, [CLI, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const [, url] = await until(() => LISTENS.exec(text), START_TIMEOUT_MS, 'the server listens');
  return { child, url: url! };
}

async function prepareFiles(): Promise<void> {
  const at = (name: string) => path.join(folder, name);
  const terms = { CustomerName: 'Example Clinic', ExpirationDate: '12/31/2029', Features: 'Mirroring' };
  const five = signedKeyFile({ ...terms, OrderNumber: 100200301, AuthorizedUnits: 5 });
  const more = { ...terms, OrderNumber: 100200302, AuthorizedUnits: 25, LicenseID: 'clinic' };
  await writeFile(at('order-100.key'), five.text);
  await writeFile(at('order-101.key'), signedKeyFile(more).text);
  const spare = { ...terms, OrderNumber: 100200303, AuthorizedUnits: 10 };
  await writeFile(at('order-102.key'), signedKeyFile(spare).text);
  await writeFile(at('site.yaml'), SITE);
  await copyFile(path.join(ROOT, 'test/fixtures/applications-bestlab.ini'), at('bestlab.ini'));
  await copyFile(path.join(files.data, 'admin-token'), at('admin-token'));
}

/** Runs every line, and answers what is shown of each command, by its path. */
async function runAll(url: string): Promise<Map<string, string[]>> {
  const shown = new Map<string, string[]>();
  const kept = new Map<string, string>([['URL', url]]);
  for (const line of DOCUMENTED) {
    const [, isHidden, name, typed = ''] = /^(…)?(?:([A-Z]+)=)?(.*)$/.exec(line)!;
    const [command = '', ...filter] = typed.split(' | ');
    const full = command.replace(/\$([A-Z]+)/g, (_, variable: string) => kept.get(variable) ?? '?');
    // What is read by the lines after it must not be mixed with what is for people.
    const streams = name === undefined ? '2>&1' : '';
    const run = `${full.replace(/^lictor/, '"$NODE" "$CLI"')} ${streams}`;
    const { stdout, status } = spawnSync('sh', ['-c', run], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, NODE: process.execPath, CLI, XDG_CONFIG_HOME: files.home, NO_COLOR: '1' },
    });
    if (status !== 0) process.stderr.write(`${full}: exit ${status}\n${stdout}`);
    if (name !== undefined) {
      kept.set(name, pick(JSON.parse(stdout), filter));
      continue;
    }
    if (isHidden) continue;
    const exit = status === 0 ? '' : `(exit status ${status})\n`;
    const text = `$ ${full}\n${stdout}${exit}`
      .replaceAll(url, SHOWN_URL)
      .replaceAll(folder, '/home/ann')
      .trimEnd();
    const path = pathOf(full);
    shown.set(path, [...(shown.get(path) ?? []), text]);
  }
  return shown;
}

/** A small part of jq: `.items[] | .id | TEXT` is the first that begins with the text. */
function pick(answer: unknown, [first = '', ...rest]: readonly string[]): string {
  if (!first.startsWith('.items')) return String((answer as Record<string, unknown>)[first.slice(1)]);
  const [member = '', prefix = ''] = rest;
  const values = (answer as { items: Record<string, unknown>[] }).items.map((item) =>
    String(item[member.slice(1)]),
  );
  return values.find((value) => value.startsWith(prefix)) ?? '?';
}

/** The command of a command line: `lictor keys list --json` is `keys list`. */
function pathOf(line: string): string {
  const words = line.split(' ').slice(1);
  return (
    leaves.map(({ path }) => path).find((path) => `${words.join(' ')} `.startsWith(`${path} `)) ?? words[0]!
  );
}

interface Leaf {
  readonly path: string;
  readonly command: Command;
}

async function allLeaves(): Promise<Leaf[]> {
  const world = new World(processWorld());
  const found: Leaf[] = [];
  for (const entry of COMMANDS.filter(({ load }) => load !== undefined)) {
    const { program } = makeProgram(world);
    await fill(program, entry, world);
    found.push(...leavesOf(program.commands[0]!, ''));
  }
  return found;
}

function leavesOf(command: Command, before: string): Leaf[] {
  const path = `${before}${command.name()}`;
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leavesOf(child, `${path} `));
}

/** The page from the help of each command and what was shown. */
async function describeAll(shown: ReadonlyMap<string, string[]>): Promise<string> {
  const sections: string[] = [];
  for (const { name, words, load } of COMMANDS) {
    if (load === undefined) {
      const sentence = words.charAt(0).toUpperCase() + words.slice(1);
      sections.push(`### lictor ${name}\n\n${sentence}. \`lictor ${name} --help\` says more.\n`);
      continue;
    }
    for (const leaf of leaves.filter(({ path }) => path.split(' ')[0] === name)) {
      sections.push(describe(leaf, shown.get(leaf.path) ?? []));
    }
  }
  return sections.join('\n');
}

function describe({ path, command }: Leaf, shown: readonly string[]): string {
  const own = command.options.filter(({ helpGroupHeading }) => helpGroupHeading !== 'Server and output:');
  const options = own.map(({ flags, description, argChoices, mandatory }) => {
    const choices = argChoices === undefined ? '' : ` (${argChoices.join(', ')})`;
    return `- \`${flags}\`${mandatory ? ', required' : ''}: ${description}${choices}`;
  });
  const usage =
    `lictor ${path} ${command.usage().replace('[options] ', '').replace('[options]', '')}`.trimEnd();
  const parts = [`### lictor ${path}`, command.description(), `\`${usage}\``];
  if (options.length > 0) parts.push(options.join('\n'));
  if (shown.length > 0) parts.push(`\`\`\`console\n${shown.join('\n\n')}\n\`\`\``);
  return `${parts.join('\n\n')}\n`;
}
