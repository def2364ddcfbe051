/** `lictor keys serve` and `served`: keys that instances without one of their own ask for by LicenseID. */

import type { Command } from 'commander';
import type { ListServedKeysAnswer } from '../client/openapi.ts';
import { CliFault, EXIT } from './faults.ts';
import { writeList } from './listing.ts';
import { examples, limitOption } from './options.ts';
import { answerFields, type Column } from './output.ts';
import type { World } from './world.ts';

const COLUMNS: readonly Column<ListServedKeysAnswer['items'][number]>[] = [
  { title: 'LICENSE ID', value: ({ licenseId }) => licenseId },
  { title: 'KEY', value: ({ key }) => key },
  { title: 'UNITS', value: ({ unitsEnforced }) => unitsEnforced, align: 'right' },
  { title: 'INSTANCES', value: ({ instances }) => instances, align: 'right' },
  { title: 'SERVED SINCE', value: ({ servedAt }) => servedAt },
  { title: 'FILE', value: ({ file }) => file },
  { title: 'FAULT', value: ({ fault }) => fault?.reason, style: () => 'red' },
];

/**
 * Adds the commands about served keys to `lictor keys`.
 *
 * @param keys - what they are added to.
 * @param world - the world that they run in.
 */
export function registerServing(keys: Command, world: World): void {
  examples(
    keys
      .command('served')
      .description(
        'List the keys that are served by LicenseID, and what is wrong with the files that are to be.',
      )
      .addOption(limitOption())
      .action(async ({ limit }: { limit?: number }) => {
        const client = await world.client();
        await writeList(world, (page) => client.servedKeys.list(page), {
          columns: COLUMNS,
          noun: 'served key',
          limit,
        });
      }),
    ['lictor keys served', "lictor keys served --json | jq '.items[] | select(.fault)'"],
  );
  examples(
    keys
      .command('serve <key>')
      .description(
        'Serve an installed key under its LicenseID: the instances that ask for it are given it, at once or at their next look.',
      )
      .action(async (id: string) => {
        const client = await world.client();
        const { licenseId } = await client.keys.read(id);
        if (licenseId === undefined) {
          throw new CliFault(
            EXIT.failed,
            `The key ${id} has no LicenseID, by which instances could ask for it.`,
          );
        }
        const answer = await client.servedKeys.serve(licenseId, { key: id });
        await answerFields(world, answer, [
          ['License ID', answer.licenseId],
          ['Key', answer.key],
          ['Units', answer.unitsEnforced],
          ['Instances', answer.instances],
          ['Served since', answer.servedAt],
        ]);
      }),
    ['lictor keys serve 100200301'],
  );
}
