/** `lictor keys`: the installed keys. */

import { type Command, Option } from 'commander';
import type { ChangeKeyBody } from '../../client/openapi.ts';
import { registerActivation } from '../activating.ts';
import { confirmed, yesOption } from '../confirming.ts';
import { CliFault, EXIT } from '../faults.ts';
import {
  addStatedOptions,
  installedKeyFields,
  KEY_COLUMNS,
  keyFields,
  keyFileBody,
  type StatedOptions,
  statusStyle,
} from '../keyfields.ts';
import { writeList } from '../listing.ts';
import { examples, limitOption, stated, wholeNumber } from '../options.ts';
import { answerFields, answerWords, fieldLines, jsonText } from '../output.ts';
import { registerServing } from '../serving.ts';
import type { World } from '../world.ts';

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const keys = program.command('keys').description('The installed keys.');
  examples(
    keys
      .command('list')
      .description('List the installed keys.')
      .addOption(limitOption())
      .action(async ({ limit }: { limit?: number }) => {
        const client = await world.client();
        await writeList(world, (page) => client.keys.list(page), {
          columns: KEY_COLUMNS,
          noun: 'key',
          limit,
        });
      }),
    ['lictor keys list', "lictor keys list --json | jq -r '.items[].id'"],
  );
  examples(
    keys
      .command('show <key>')
      .description('Show a key with everything it says.')
      .action(async (id: string) => {
        const key = await (await world.client()).keys.read(id);
        await answerFields(world, key, installedKeyFields(key));
      }),
    ['lictor keys show 100200301'],
  );
  registerFile(keys, world);
  registerInstall(keys, world);
  registerActivation(keys, world);
  registerServing(keys, world);
  registerChange(keys, world);
}

function registerFile(keys: Command, world: World): void {
  examples(
    keys
      .command('file <key>')
      .description(
        'Get the key file as it was installed. Only for administrators: it can be installed elsewhere.',
      )
      .option('--out <file>', 'write it to a file, for its owner alone; an existing one is not overwritten')
      .action(async (id: string, { out }: { out?: string }) => {
        const text = await (await world.client()).keys.file(id);
        if (out === undefined) return world.print(world.json ? jsonText({ id, file: text }) : text);
        await world.parts.files.write(out, text, { mode: 0o600, exclusive: true });
        await answerWords(world, { id, out }, `Wrote the key file to ${out}.`);
      }),
    ['lictor keys file 100200301 --out lictor.key'],
  );
  const inspect = keys
    .command('inspect <file>')
    .description('Read a key file and say what it is and whether it can be installed. Changes nothing.');
  examples(
    addStatedOptions(inspect).action(async (file: string, options: StatedOptions) => {
      const body = keyFileBody(await world.read(file), options);
      await inspected(world, await (await world.client()).keys.inspect(body));
    }),
    [
      'lictor keys inspect lictor.key',
      'lictor keys inspect iris.key --units 25 --type "Concurrent User" --server multi',
      'cat lictor.key | lictor keys inspect -',
    ],
  );
}

type Inspection = Awaited<ReturnType<Awaited<ReturnType<World['client']>>['keys']['inspect']>>;

async function inspected(world: World, answer: Inspection): Promise<void> {
  if (!answer.installable) world.exit = EXIT.failed;
  if (world.json) return world.print(jsonText(answer));
  const { paint } = world;
  const { key, status, reason, installed, enforces, notices } = answer;
  await world.print(
    fieldLines(
      [
        ...(key === undefined ? [['Key', answer.id] as const] : keyFields(key)),
        [
          'State',
          status === undefined ? undefined : `${status.status}: ${status.reason}`,
          statusStyle(status?.status ?? ''),
        ],
        ['Enforces', enforces],
        [
          'Installable',
          answer.installable ? (installed ? 'it is installed' : 'yes') : `no: ${reason ?? ''}`,
          answer.installable ? 'green' : 'red',
        ],
      ],
      paint,
    ),
  );
  for (const notice of notices) await world.note(`Notice: ${notice}`);
  if (answer.code === 'key-unverified' && key === undefined) {
    await world.note(
      'Hint: --units, --type and --server state its terms, where the server accepts such keys.',
    );
  }
}

function registerInstall(keys: Command, world: World): void {
  const install = keys
    .command('install <file>')
    .description('Install a key. One that is installed already changes nothing.');
  examples(
    addStatedOptions(install).action(async (file: string, options: StatedOptions) => {
      const body = keyFileBody(await world.read(file), options);
      const key = await (await world.client()).keys.install(body);
      const words = key.outcome === 'installed' ? 'Installed' : 'It was installed already:';
      if (!world.json) await world.note(`${words} key ${key.id}.`);
      await answerFields(world, key, installedKeyFields(key));
    }),
    [
      'lictor keys install lictor.key',
      'lictor keys install iris.key --units 25 --type "Concurrent User" --server multi',
    ],
  );
  examples(
    keys
      .command('remove <key>')
      .description('Remove a key that no instance is registered with.')
      .addOption(yesOption())
      .action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await world.client();
        // To the API a misspelt one is gone already; a person must be told.
        await client.keys.read(id);
        await confirmed(world, yes, `Remove key ${id}?`);
        await client.keys.remove(id);
        await answerWords(world, { id, removed: true }, `Removed key ${id}.`);
      }),
    ['lictor keys remove 100200301', 'lictor keys remove 100200301 --yes'],
  );
}

function registerChange(keys: Command, world: World): void {
  examples(
    keys
      .command('change <key>')
      .description('Change how a key is enforced: who decides, and how many connections one unit covers.')
      .addOption(new Option('--enforcement <who>', 'who decides').choices(['central', 'local', 'leased']))
      .addOption(
        new Option('--connections-per-unit <number>', 'how many connections one unit covers').argParser(
          wholeNumber(1, 1_000_000),
        ),
      )
      .action(async (id: string, options: { enforcement?: 'central'; connectionsPerUnit?: number }) => {
        const { enforcement, connectionsPerUnit } = options;
        const body: ChangeKeyBody = stated({ enforcement, connectionsPerUnitMax: connectionsPerUnit });
        if (Object.keys(body).length === 0) {
          throw new CliFault(
            EXIT.usage,
            'Nothing is to be changed.',
            'Give --enforcement or --connections-per-unit.',
          );
        }
        const client = await world.client();
        const { revision } = await client.keys.read(id);
        const key = await client.keys.change(id, body, revision);
        await answerFields(world, key, installedKeyFields(key));
      }),
    ['lictor keys change 100200301 --enforcement leased'],
  );
  examples(
    keys
      .command('feature <key> <feature>')
      .description('Whether a key permits a feature, by name or number. Exit status 0 if so, 1 if not.')
      .action(async (id: string, feature: string) => {
        const answer = await (await world.client()).keys.feature(id, feature);
        if (!answer.enabled) world.exit = EXIT.failed;
        await answerFields(world, answer, [
          ['Feature', answer.number === undefined ? answer.feature : `${answer.feature} (${answer.number})`],
          ['Permitted', answer.enabled, answer.enabled ? 'green' : 'red'],
          ['Why', answer.reason],
        ]);
      }),
    ['lictor keys feature 100200301 "BPM User"'],
  );
}
