/** `lictor apply`: makes a server have what a file declares. */

import path from 'node:path';
import type { Command } from 'commander';
import { type ApplyFault, readApplyFile } from '../apply/applyfile.ts';
import { readInputs } from '../apply/applyinputs.ts';
import { type Change, type Detail, makePlan, type Plan } from '../apply/applyplan.ts';
import { carryOut, openSecrets } from '../apply/applysteps.ts';
import { confirmed, yesOption } from '../confirming.ts';
import { CliFault, EXIT } from '../faults.ts';
import { examples } from '../options.ts';
import { counted, jsonText, type Style } from '../output.ts';
import { visible } from '../paint.ts';
import type { World } from '../world.ts';

/** The exit status of `--dry-run --exit-code` when something would be changed. */
const EXIT_WOULD_CHANGE = 3;

const SIGNS: Readonly<Record<Change['action'], readonly [sign: string, style: Style]>> = {
  add: ['+', 'green'],
  change: ['~', 'yellow'],
  replace: ['±', 'yellow'],
  remove: ['-', 'red'],
};

interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
  readonly prune?: boolean;
  readonly secrets?: string;
  readonly yes?: boolean;
}

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  examples(
    program
      .command('apply <file>')
      .description(
        'Make a server have what a file declares: keys and how they are enforced, instances with their settings, keys and ' +
          'application licences, licence servers, and access tokens. What is so already is left alone, so that it can be ' +
          'repeated. docs/apply.md describes the file.',
      )
      .option('--dry-run', 'show what would be done, and do nothing')
      .option('--exit-code', 'with --dry-run: exit status 3 when something would be changed')
      .option('--prune', 'remove what is not declared, of the kinds that the file declares')
      .option('--secrets <file>', 'where the texts of new tokens are written, as JSON with mode 0600')
      .addOption(yesOption())
      .action((file: string, options: ApplyOptions) => apply(world, file, options)),
    [
      'lictor apply site.yaml --dry-run',
      'lictor apply site.yaml --secrets tokens.json',
      'lictor apply site.yaml --prune --yes',
    ],
  );
}

async function apply(world: World, file: string, options: ApplyOptions): Promise<void> {
  const { dryRun = false, exitCode = false, prune = false, secrets, yes } = options;
  const reading = readApplyFile(await world.read(file));
  if (!reading.ok) throw faulty(file, reading.faults);
  const directory = file === '-' ? process.cwd() : path.dirname(path.resolve(file));
  const client = await world.client();
  const read = await readInputs(reading, { client, files: world.parts.files, directory });
  if (!read.ok) throw faulty(file, read.faults);
  const ownToken = await ownTokenId(world);
  const plan = makePlan(reading.content, read.inputs, { prune, ownToken, nowMs: world.parts.nowMs() });
  if (!world.json) await show(world, plan);
  const isIdle = plan.changes.length === 0;
  if (!dryRun && !isIdle) {
    const kept = await openSecrets(plan, world, { directory, secrets });
    await ask(world, plan, yes);
    await carryOut(plan, client, kept);
    if (!world.json) await world.print('Done.\n');
  }
  if (world.json) await world.print(jsonText({ applied: !dryRun, ...tellPlan(plan) }));
  if (dryRun && exitCode && !isIdle) world.exit = EXIT_WOULD_CHANGE;
}

function faulty(file: string, faults: readonly ApplyFault[]): CliFault {
  const lines = faults.map(
    ({ line, at, words }) =>
      `\n  line ${line}: ${at === '' ? 'the file' : at} ${words}${words.endsWith('?') ? '' : '.'}`,
  );
  return new CliFault(
    EXIT.usage,
    `${file} is not in order; nothing was done.${lines.join('')}`,
    'docs/apply.md describes the file, and docs/apply.schema.json checks it while it is written.',
  );
}

/** The ID within the token that asks, so that it is not revoked by what it asks for. */
async function ownTokenId(world: World): Promise<string | null> {
  const { token, tokenFile } = await world.connection();
  const text =
    token ?? (tokenFile === undefined ? '' : Buffer.from(await world.read(tokenFile)).toString('utf8'));
  return /^lictor_([A-Za-z0-9]{10})_/.exec(text.trim())?.[1] ?? null;
}

/** What is taken away from somebody is asked about first. */
async function ask(world: World, { changes }: Plan, yes: boolean | undefined): Promise<void> {
  const taken = changes.filter(({ action }) => action === 'remove' || action === 'replace');
  if (taken.length === 0) return;
  const words = (['remove', 'replace'] as const)
    .map((action) => [action, taken.filter((change) => change.action === action)] as const)
    .filter(([, chosen]) => chosen.length > 0)
    .map(([action, chosen]) => `${action} ${chosen.map(({ kind, name }) => `${kind} ${name}`).join(', ')}`)
    .join('; ');
  await confirmed(world, yes, `${words.charAt(0).toUpperCase()}${words.slice(1)}?`);
}

function countsOf({ changes }: Plan): Record<Change['action'], number> {
  const counts = { add: 0, change: 0, replace: 0, remove: 0 };
  for (const { action } of changes) counts[action] += 1;
  return counts;
}

/** The plan for programs, without what stands in files and without secrets. */
function tellPlan(plan: Plan) {
  const changes = plan.changes.map(({ kind, action, name, details }) => ({ kind, action, name, details }));
  return { changes, counts: countsOf(plan), unchanged: plan.unchanged, notices: plan.notices };
}

async function show(world: World, plan: Plan): Promise<void> {
  const { paint } = world;
  const lines: string[] = [];
  for (const { kind, action, name, details } of plan.changes) {
    const [sign, style] = SIGNS[action];
    lines.push(paint[style](`${sign} ${action} ${kind} ${visible(name)}`));
    const width = Math.max(0, ...details.map(({ field }) => field.length));
    for (const each of details) lines.push(`    ${visible(each.field).padEnd(width)}  ${changeWords(each)}`);
  }
  for (const notice of plan.notices) lines.push(`Notice: ${visible(notice)}`);
  const { add, change, replace, remove } = countsOf(plan);
  const numbers = [
    [add, 'to add'],
    [change, 'to change'],
    [replace, 'to replace'],
    [remove, 'to remove'],
  ] as const;
  const words = numbers.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  const same = `${counted(plan.unchanged, 'thing')} as declared`;
  lines.push(words.length === 0 ? `Nothing to do: ${same}.` : `${words.join(', ')}; ${same}.`);
  await world.print(`${lines.join('\n')}\n`);
}

function changeWords({ from, to, note }: Detail): string {
  const words = from === null ? (to ?? '') : to === null ? `${from} → (none)` : `${from} → ${to}`;
  return visible(note === undefined ? words : `${words}: ${note}`);
}
