/** `lictor explain`: why somebody was let in or refused, or would be. */

import type { Command } from 'commander';
import { CliFault, EXIT } from '../faults.ts';
import { decisionFields } from '../journalfields.ts';
import { addLoginOptions, type LoginOptions, loginBody, verdictFields } from '../loginfields.ts';
import { examples } from '../options.ts';
import { answerFields } from '../output.ts';
import type { World } from '../world.ts';

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  const command = addLoginOptions(
    program
      .command('explain [decision]')
      .summary('why somebody was let in or refused, or would be')
      .description(
        'With the ID of a decision: what was decided, by which rule, in words. With --instance: what a login ' +
          'would come to now; nothing is changed.',
      ),
  );
  // A decision needs no instance.
  command.options.find(({ long }) => long === '--instance')!.makeOptionMandatory(false);
  examples(
    command.action((decision: string | undefined, options: Partial<LoginOptions>) =>
      explain(world, decision, options),
    ),
    ['lictor explain 0:1042:3', 'lictor explain --instance hospital --user alice'],
  );
}

async function explain(
  world: World,
  decision: string | undefined,
  options: Partial<LoginOptions>,
): Promise<void> {
  const client = await world.client();
  const { instance } = options;
  if (decision !== undefined) {
    const answer = await client.journal.explain(decision);
    return answerFields(world, answer, decisionFields(answer));
  }
  if (instance === undefined) {
    throw new CliFault(
      EXIT.usage,
      'It is not said what is to be explained.',
      'Give the ID of a decision, or --instance with --user and the like for a login that would be.',
    );
  }
  const answer = await client.logins.explain(loginBody({ ...options, instance }));
  await answerFields(world, answer, verdictFields(answer));
}
