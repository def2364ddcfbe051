/** Asking before something is done that cannot be taken back. */

import { Option } from 'commander';
import { CliFault, EXIT } from './faults.ts';
import type { World } from './world.ts';

/** The option that answers yes before it is asked. */
export function yesOption(): Option {
  return new Option('-y, --yes', 'do it without asking');
}

/**
 * Asks a person on a terminal; elsewhere `--yes` must have been given.
 *
 * @param world - whom to ask.
 * @param isAnswered - whether `--yes` was given.
 * @param question - ends with a question mark.
 * @throws CliFault when the answer is no, or nobody can be asked.
 */
export async function confirmed(
  world: World,
  isAnswered: boolean | undefined,
  question: string,
): Promise<void> {
  if (isAnswered === true) return;
  const answer = await world.confirm(question);
  if (answer === true) return;
  throw answer === null
    ? new CliFault(EXIT.usage, 'There is no terminal on which to ask.', 'Say --yes if it shall be done.')
    : new CliFault(EXIT.failed, 'Nothing was done.');
}
