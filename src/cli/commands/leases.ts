/** `lictor leases`: what is leased to which instance. */

import type { Command } from 'commander';
import type { ListLeasesAnswer } from '../../client/openapi.ts';
import { writeList } from '../listing.ts';
import { examples, limitOption, stated } from '../options.ts';
import type { Column } from '../output.ts';
import type { World } from '../world.ts';

const COLUMNS: readonly Column<ListLeasesAnswer['items'][number]>[] = [
  { title: 'LEASE', value: ({ id }) => id },
  { title: 'KEY', value: ({ key }) => key },
  { title: 'INSTANCE', value: ({ instance }) => instance },
  { title: 'INCARNATION', value: ({ incarnation }) => incarnation, align: 'right' },
  {
    title: 'LIFE',
    value: ({ former }) => (former ? 'former' : 'present'),
    style: ({ former }) => (former ? 'yellow' : undefined),
  },
  { title: 'UNITS', value: ({ units }) => units, align: 'right' },
  { title: 'USERS', value: ({ users }) => users, align: 'right' },
  { title: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { title: 'ENDS', value: ({ endsAt }) => endsAt },
];

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  const leases = program.command('leases').description('What is leased to which instance.');
  examples(
    leases
      .command('list', { isDefault: true })
      .description('List the leases, for keys whose enforcement is leased.')
      .option('--key <key>', 'only those of a key')
      .addOption(limitOption())
      .action(async ({ key, limit }: { key?: string; limit?: number }) => {
        const client = await world.client();
        await writeList(world, (page) => client.usage.leases({ ...stated({ key }), ...page }), {
          columns: COLUMNS,
          noun: 'lease',
          limit,
        });
      }),
    ['lictor leases', 'lictor leases list --key 100200301'],
  );
}
