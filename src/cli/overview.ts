/** What `lictor help` shows: every command in one line, by what it is for. */

import type { Painter } from './paint.ts';
import { COMMANDS, type RegisteredCommand } from './registry.ts';

const GROUPS: readonly (readonly [RegisteredCommand['group'], string])[] = [
  ['Look', 'Look'],
  ['Use', 'Use a licence'],
  ['Change', 'Administer'],
  ['Set up', 'Set up'],
  ['Run', 'Run'],
];

const EXAMPLES = `  lictor serve
  lictor profile set production --url https://licences.example.com --token-file ./token
  lictor status
  lictor top
  lictor keys activate lictor.key --instance hospital
  lictor journal follow --json`;

/**
 * Lists the commands.
 *
 * @param paint - colours.
 */
export function overview(paint: Painter): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2;
  const groups = GROUPS.map(([group, title]) => {
    const lines = COMMANDS.filter((command) => command.group === group).map(
      ({ name, words }) => `  lictor ${paint.bold(name)}${' '.repeat(width - name.length)}${words}\n`,
    );
    return lines.length === 0 ? '' : `${title}:\n${lines.join('')}\n`;
  });
  return `lictor - a licence server

${groups.join('')}"lictor COMMAND --help" shows what a command does, with examples. Commands that ask a server find it
by --url, LICTOR_URL or the profile of "lictor profile set"; docs/cli.md describes them all.

Examples:
${EXAMPLES}
`;
}
