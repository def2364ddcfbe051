/** `lictor servers`: the roster of licence servers. */

import { type Command, Option } from 'commander';
import type { ListLicenseServersAnswer } from '../../client/openapi.ts';
import { confirmed, yesOption } from '../confirming.ts';
import { EXIT } from '../faults.ts';
import { examples, stated, wholeNumber } from '../options.ts';
import { answerFields, answerWords, type Column, jsonText, type Style, writeTable } from '../output.ts';
import type { World } from '../world.ts';

type Server = ListLicenseServersAnswer['items'][number];

const STYLES: Readonly<Record<string, Style>> = { active: 'green', standby: 'dim', down: 'red' };

const COLUMNS: readonly Column<Server>[] = [
  { title: 'SERVER', value: ({ name }) => name },
  { title: 'ADDRESS', value: ({ address }) => address },
  { title: 'PORT', value: ({ port }) => port, align: 'right' },
  { title: 'STATE', value: ({ state }) => state, style: ({ state }) => STYLES[state] },
  { title: 'HEARD', value: ({ heardAt }) => heardAt ?? 'never' },
  { title: 'CHANGED', value: ({ changedAt }) => changedAt },
  { title: 'BY', value: ({ changedBy }) => changedBy },
];

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const servers = program
    .command('servers')
    .description('The roster of licence servers, which the UDP sidecars serve.');
  examples(
    servers
      .command('list')
      .description('List the licence servers, and say who is active.')
      .action(() => list(world)),
    ['lictor servers list'],
  );
  examples(
    servers
      .command('active')
      .description('Which licence server is active. Exit status 0 when one is, 1 when none.')
      .option('--text', 'as the legacy ShowServer has it')
      .action(async ({ text }: { text?: boolean }) => {
        const { reports } = await world.client();
        const answer = await reports.activeServer();
        if (answer.active === undefined) world.exit = EXIT.failed;
        if (text === true) {
          const report = await reports.activeServerText();
          return world.print(world.json ? jsonText({ text: report }) : report);
        }
        const { active, applicable, asOf } = answer;
        await answerFields(world, answer, [
          ['Active', active?.name ?? (applicable ? 'none' : 'none is needed')],
          ['Address', active?.address],
          ['Port', active?.port],
          ['Since', active?.since],
          ['As of', asOf],
        ]);
      }),
    ['lictor servers active', 'lictor servers active --text'],
  );
  registerChanges(servers, world);
}

function registerChanges(servers: Command, world: World): void {
  examples(
    servers
      .command('put <name>')
      .description('Add a licence server, or change it.')
      .requiredOption('--address <address>', 'where it receives')
      .addOption(
        new Option('--port <port>', 'the UDP port; 4001 when left out').argParser(wholeNumber(1, 65_535)),
      )
      .action(async (name: string, { address, port }: { address: string; port?: number }) => {
        const answer = await (await world.client()).licenseServers.put(name, {
          address,
          ...stated({ port }),
        });
        await answerFields(world, answer, [
          ['Outcome', answer.outcome],
          ['Server', answer.name],
          ['Address', answer.address],
          ['Port', answer.port],
          ['State', answer.state, STYLES[answer.state]],
        ]);
      }),
    ['lictor servers put alpha --address 192.0.2.1 --port 4001'],
  );
  examples(
    servers
      .command('remove <server>')
      .description('Remove a licence server from the roster.')
      .addOption(yesOption())
      .action(async (name: string, { yes }: { yes?: boolean }) => {
        const client = await world.client();
        // To the API a misspelt one is gone already; a person must be told.
        await client.licenseServers.read(name);
        await confirmed(world, yes, `Remove the licence server ${name}?`);
        await client.licenseServers.remove(name);
        await answerWords(world, { name, removed: true }, `Removed the licence server ${name}.`);
      }),
    ['lictor servers remove alpha --yes'],
  );
}

async function list(world: World): Promise<void> {
  const answer = await (await world.client()).licenseServers.list();
  if (world.json) return world.print(jsonText(answer));
  const { items, active, conflicts, notices } = answer;
  if ((await writeTable(world, COLUMNS, items)) === 0) await world.note('There is no licence server.');
  if (active !== undefined) {
    await world.note(`Active: ${active.name} since ${active.since}, served by ${active.holder}.`);
  }
  for (const notice of notices) await world.note(`Notice: ${notice}`);
  for (const { key, sets } of conflicts) {
    const words = sets.map(
      ({ licenseServers, instances }) =>
        `${instances.join(', ')} with ${licenseServers.join(', ') || 'none'}`,
    );
    await world.note(`Notice: instances of key ${key} are configured differently: ${words.join('; ')}.`);
  }
}
