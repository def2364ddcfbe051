/** `lictor status`: whether the server is well. */

import type { Command } from 'commander';
import { ApiError } from '../../client/problems.ts';
import { EXIT } from '../faults.ts';
import { examples } from '../options.ts';
import { answerFields, type Field, type Style } from '../output.ts';
import type { World } from '../world.ts';

const STYLES: Readonly<Record<string, Style>> = { ready: 'green', degraded: 'yellow', 'not-ready': 'red' };

/**
 * Adds the command.
 *
 * @param program - what it is added to.
 * @param world - the world that it runs in.
 */
export function register(program: Command, world: World): void {
  examples(
    program
      .command('status')
      .summary('whether the server is well')
      .description(
        'Whether the server is well: its database, its coordination and its lane, in words, and which licence ' +
          'server is active. Needs no token but for the latter. Exit status 0 when it serves, 69 when it does not.',
      )
      .action(() => status(world)),
    ['lictor status', 'lictor status --url http://127.0.0.1:8080 --json'],
  );
}

async function status(world: World): Promise<void> {
  const { urls, source } = await world.connection();
  const client = await world.client();
  const beganMs = performance.now();
  const readiness = await client.server.readiness();
  const tookMs = performance.now() - beganMs;
  const active = await activeServer(world);
  const { checks, durability, leader, replica } = readiness;
  const fields: Field[] = [
    ['Server', `${urls.join(', ')} (by ${source})`],
    ['State', readiness.status, STYLES[readiness.status]],
    ['Replica', `${replica}${leader ? ', the leader' : ''}`],
    ...Object.entries(checks).map(
      ([name, { status: state, words }]): Field => [
        name.charAt(0).toUpperCase() + name.slice(1),
        `${state}: ${words}`,
        STYLES[state],
      ],
    ),
    ['Durability', durability],
    ['Licence server', active.words],
    ['Answered in', `${Math.round(tookMs)} ms`],
  ];
  const { asked, words: _, ...told } = active;
  await answerFields(
    world,
    { url: urls, ...readiness, ...(asked ? told : {}), answeredInMs: Math.round(tookMs) },
    fields,
  );
  if (readiness.status === 'not-ready') world.exit = EXIT.unavailable;
}

/** Which licence server is active, as far as the token may know it. */
async function activeServer(world: World) {
  const client = await world.client();
  try {
    const { active = null, items } = await client.licenseServers.list();
    const words =
      active === null
        ? items.length === 0
          ? 'none in the roster'
          : 'none is active'
        : `${active.name} is active, since ${active.since}`;
    return { asked: true, activeLicenseServer: active, words } as const;
  } catch (error) {
    if (error instanceof ApiError) return { asked: false, words: `not told: ${error.message}` } as const;
    throw error;
  }
}
