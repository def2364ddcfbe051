/** `lictor keys activate`, `history` and `rollback`: which key an instance works under. */

import { type Command, Option } from 'commander';
import type { Client } from '../client/client.ts';
import type {
  ActivateKeyAnswer,
  InspectKeyAnswer,
  InspectKeyBody,
  InstallKeyBody,
} from '../client/openapi.ts';
import {
  activatedFields,
  HISTORY_COLUMNS,
  type InspectedActivation,
  writeInspection,
} from './activationfields.ts';
import { confirmed, yesOption } from './confirming.ts';
import { CliFault, EXIT } from './faults.ts';
import { addStatedOptions, keyFileBody, type StatedOptions } from './keyfields.ts';
import { writeList } from './listing.ts';
import { collect, examples, limitOption } from './options.ts';
import { answerFields, fieldLines, jsonText } from './output.ts';
import type { World } from './world.ts';

/**
 * Adds the commands about activation to `lictor keys`.
 *
 * @param keys - what they are added to.
 * @param world - the world that they run in.
 */
export function registerActivation(keys: Command, world: World): void {
  const activate = keys
    .command('activate <file|key>')
    .description(
      'Have instances work under a key, from a file or installed already. First both keys are shown side by ' +
        'side, with what is lost and whether a restart is needed; then it is asked; then exactly what was shown ' +
        'is installed and activated. Nobody inside notices, and it works when all units are taken.',
    )
    .addOption(
      new Option('--instance <instance>', 'where; may be given several times')
        .argParser(collect)
        .makeOptionMandatory(),
    )
    .option('--dry-run', 'only show it')
    .addOption(yesOption());
  examples(
    addStatedOptions(activate).action((source: string, options: ActivateOptions) =>
      new Activating(world, source, options).run(),
    ),
    [
      'lictor keys activate lictor.key --instance hospital',
      'lictor keys activate lictor.key --instance hospital --instance lab --yes',
      'lictor keys activate 100200301 --instance hospital --dry-run',
    ],
  );
  examples(
    keys
      .command('history <instance>')
      .description('The keys that an instance has worked under, the latest first.')
      .addOption(limitOption())
      .action(async (name: string, { limit }: { limit?: number }) => {
        const client = await world.client();
        await writeList(world, (page) => client.instances.activations(name, page), {
          columns: HISTORY_COLUMNS,
          noun: 'activation',
          limit,
        });
      }),
    ['lictor keys history hospital'],
  );
  examples(
    keys
      .command('rollback <instance>')
      .description(
        'Go back to the key that an instance worked under before. A key that waits for a restart is given up instead.',
      )
      .addOption(yesOption())
      .action((name: string, { yes }: { yes?: boolean }) => rollBack(world, name, yes)),
    ['lictor keys rollback hospital --yes'],
  );
}

async function rollBack(world: World, name: string, yes: boolean | undefined): Promise<void> {
  const client = await world.client();
  const { key = 'none', pendingKey, previousKey, revision } = await client.instances.read(name);
  const what =
    pendingKey === undefined
      ? `Have ${name} go back from the key ${key} to ${previousKey ?? 'the one before'}?`
      : `Give up the key ${pendingKey}, which waits for a restart of ${name}?`;
  await confirmed(world, yes, what);
  // On the revision that was shown, so that a repeated request does not go back and forth.
  const answer = await client.instances.rollback(name, revision);
  await answerFields(world, answer, activatedFields(answer));
}

interface ActivateOptions extends StatedOptions {
  readonly instance: readonly string[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** What was inspected for one instance. */
interface Inspected {
  readonly answer: InspectKeyAnswer;
  readonly activation: InspectedActivation;
}

/** Activating one key on one or several instances. */
class Activating {
  readonly #world: World;
  readonly #source: string;
  readonly #options: ActivateOptions;

  constructor(world: World, source: string, options: ActivateOptions) {
    this.#world = world;
    this.#source = source;
    this.#options = options;
  }

  /** Inspects everywhere before anything is changed anywhere. */
  async run(): Promise<void> {
    const world = this.#world;
    const client = await world.client();
    const file = await this.#readFile();
    const what: InspectKeyBody = file ?? { key: this.#source };
    const inspected: Inspected[] = [];
    for (const instance of new Set(this.#options.instance)) {
      const answer = await client.keys.inspect({ ...what, instance });
      inspected.push({ answer, activation: activationOf(answer, instance) });
    }
    if (!world.json) await this.#show(inspected);
    const isRefused = inspected.some(({ activation }) => !activation.valid);
    const wanted = inspected.filter(({ activation }) => activation.outcome !== 'unchanged');
    const isDone = isRefused || this.#options.dryRun === true || wanted.length === 0;
    if (isRefused) world.exit = EXIT.failed;
    const activated = isDone ? [] : await this.#activate(client, file, wanted);
    if (world.json) {
      const inspections = inspected.map(({ activation }) => activation);
      await world.print(jsonText({ key: inspected[0]?.answer.id, inspections, activated }));
    } else if (isRefused && inspected.length > 1) {
      await world.note('Nothing was done: it is not valid everywhere.');
    }
  }

  async #show(inspected: readonly Inspected[]): Promise<void> {
    const world = this.#world;
    for (const [index, { activation }] of inspected.entries()) {
      if (index > 0) await world.print('\n');
      await writeInspection(world, activation);
    }
    for (const notice of new Set(inspected.flatMap(({ answer }) => answer.notices))) {
      await world.note(`Notice: ${notice}`);
    }
  }

  async #activate(
    client: Client,
    file: InstallKeyBody | null,
    wanted: readonly Inspected[],
  ): Promise<ActivateKeyAnswer[]> {
    const world = this.#world;
    const names = wanted.map(({ activation }) => activation.instance).join(', ');
    const { id } = wanted[0]!.answer;
    await confirmed(world, this.#options.yes, `Activate the key ${id} on ${names}?`);
    if (file !== null) {
      const installed = await client.keys.install(file);
      if (!world.json && installed.outcome === 'installed') await world.note(`Installed key ${id}.`);
    }
    const activated: ActivateKeyAnswer[] = [];
    for (const { activation } of wanted) {
      const { instance, inspection } = activation;
      // The token of what was shown: whatever changed since then is refused by the server.
      const answer = await client.instances.activate(instance, { key: id }, inspection!);
      activated.push(answer);
      if (!world.json) await world.print(`\n${fieldLines(activatedFields(answer), world.paint)}`);
    }
    return activated;
  }

  /** The file that is meant; null when it is the ID of a key. */
  async #readFile(): Promise<InstallKeyBody | null> {
    const source = this.#source;
    try {
      return keyFileBody(await this.#world.read(source), this.#options);
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isMissing || /[/\\]|\.(key|ini|txt)$/i.test(source)) throw error;
      return null;
    }
  }
}

function activationOf({ activation, reason }: InspectKeyAnswer, instance: string): InspectedActivation {
  if (activation !== undefined) return activation;
  throw new CliFault(
    EXIT.failed,
    reason ?? `The server says nothing of instance ${instance}.`,
    'The server may be older than this command.',
  );
}
