/** `lictor doctor`: what is wrong with a deployment, and how to mend it. */

import { type Command, Option } from 'commander';
import {
  FINDING_LEVELS,
  type Finding,
  type FindingLevel,
  worstLevel,
} from '../../domain/findings/findings.ts';
import { lookFromHere, summary } from '../doctorchecks.ts';
import { EXIT } from '../faults.ts';
import { examples } from '../options.ts';
import { jsonText, type Style } from '../output.ts';
import { visible } from '../paint.ts';
import type { World } from '../world.ts';

const STYLES: Readonly<Record<FindingLevel, Style>> = {
  ok: 'green',
  note: 'dim',
  warning: 'yellow',
  fault: 'red',
};
/** Under the words for the level. */
const INDENT = ' '.repeat(9);
const COLUMNS_MAX = 110;
const COLUMNS_MIN = 40;

interface DoctorOptions {
  readonly all?: boolean;
  readonly failOn: 'note' | 'warning' | 'fault';
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
      .command('doctor')
      .description(
        'Look at a whole deployment for what is wrong: database, replication, clocks, Redis, migrations, journal, ' +
          'keys, instances, licence servers, tokens, and the way to it from here. Says of each how to mend it. ' +
          'Exit status 1 when there is a fault, 69 when no server can be reached, 77 when the token does not permit it.',
      )
      .option('--all', 'show also what is as it should be')
      .addOption(
        new Option('--fail-on <level>', 'from which level on the exit status is 1')
          .choices(['note', 'warning', 'fault'])
          .default('fault'),
      )
      .action((options: DoctorOptions) => doctor(world, options)),
    ['lictor doctor', 'lictor doctor --all', 'lictor doctor --json --fail-on warning'],
  );
}

async function doctor(world: World, { all = false, failOn }: DoctorOptions): Promise<void> {
  const { version } = await import('../version.ts');
  const { findings: own, isReached, diagnosis, refusal } = await lookFromHere(world, version);
  const findings = [...own, ...(diagnosis?.findings ?? [])];
  const level = worstLevel(findings);
  if (world.json) {
    const server = diagnosis === null ? null : { version: diagnosis.version, replica: diagnosis.replica };
    await world.print(jsonText({ level, version, server, at: diagnosis?.at ?? null, findings }));
  } else {
    await show(world, findings, all);
  }
  if (!isReached) world.exit = EXIT.unavailable;
  else if (refusal?.status === 401 || refusal?.status === 403) world.exit = EXIT.forbidden;
  else if (FINDING_LEVELS.indexOf(level) >= FINDING_LEVELS.indexOf(failOn)) world.exit = EXIT.failed;
}

/** The worst first; within a level in the order in which things were looked at. */
async function show(world: World, findings: readonly Finding[], all: boolean): Promise<void> {
  const { paint, parts } = world;
  const width = Math.max(COLUMNS_MIN, Math.min(COLUMNS_MAX, parts.stdout.columns)) - INDENT.length;
  const lines: string[] = [];
  for (const level of FINDING_LEVELS.toReversed()) {
    if (level === 'ok' && !all) continue;
    for (const { check, says, mend } of findings.filter((finding) => finding.level === level)) {
      lines.push(`${paint[STYLES[level]](level.padEnd(INDENT.length))}${paint.bold(check)}`);
      lines.push(...wrap(says, width), ...(mend === undefined ? [] : wrap(`Mend: ${mend}`, width)));
    }
  }
  if (lines.length > 0) lines.push('');
  lines.push(summary(findings));
  await world.print(`${lines.join('\n')}\n`);
}

/** Breaks a text at blanks into indented lines; what has no blank is not broken. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  // Names of keys, tokens and sessions are others' words.
  for (const word of visible(text.replace(/\s+/g, ' ')).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => INDENT + each);
}
