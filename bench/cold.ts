/**
 * The cold start that a newcomer sees: the embedded Postgres in a folder that does not exist yet, to the first
 * login.
 */

import path from 'node:path';
import { Api, TOKEN } from './api.ts';
import type { Figure } from './goals.ts';
import { startProgram } from './processes.ts';
import type { Rig } from './rig.ts';
import { spreadOf } from './statistics.ts';

const STARTS = 3;
const SECONDS_MAX = 3;
const GRANT_TIMEOUT_MS = 60_000;
/** The instance that a first embedded start registers. */
const DEMO_INSTANCE = 'demo';

/** Starts the embedded default on fresh folders. */
export async function measureColdStart(rig: Rig): Promise<Figure> {
  const seconds: number[] = [];
  for (let number = 1; number <= STARTS; number += 1) {
    rig.signal.throwIfAborted();
    const server = await startProgram(['src/cli.ts', 'serve'], {
      LICTOR_DATA_DIR: path.join(rig.directory, `embedded-${number}`),
      LICTOR_ADMIN_TOKEN: TOKEN,
      PORT: '0',
    });
    try {
      await new Api(server.url).firstGrant(DEMO_INSTANCE, 'alice', GRANT_TIMEOUT_MS);
      seconds.push((performance.now() - server.startedAt) / 1000);
    } finally {
      await server.stop();
    }
  }
  return {
    name: 'embedded cold start to the first grant',
    value: spreadOf(seconds),
    unit: 's',
    goal: { is: 'at most', bound: SECONDS_MAX },
    faults: [],
  };
}
