/**
 * The guard of durability: on a disk whose flushes take two milliseconds longer, an acknowledged login must
 * take at least as much longer. What does not slow down was never waited for.
 */

import path from 'node:path';
import type { Guard } from './goals.ts';
import { measure, type Sample } from './measure.ts';
import type { Options } from './options.ts';
import { compileSlowDisk, startPostgres } from './postgres.ts';
import type { Rig, Site } from './rig.ts';
import { spreadOf } from './statistics.ts';
import { hotTarget, UNITS_PLENTY } from './throughput.ts';

const NAME = 'a disk 2 ms slower makes durable logins 2 ms slower';
/** What `slow-disk.c` adds to every flush, in milliseconds. */
const ADDED_MS = 2;
/** Few, so that waiting for the disk is not hidden behind waiting for each other. */
const CLIENTS = 8;

/** Measures the same logins on both disks in turn. */
export async function checkSlowDisk(
  rig: Rig,
  main: Site,
  options: Options,
  report: (sample: Sample) => void,
): Promise<{ samples: Sample[]; guard: Guard }> {
  const library = await compileSlowDisk(path.join(rig.directory, 'slow-disk'));
  if (library === null) {
    return { samples: [], guard: { name: NAME, verdict: 'skipped', words: 'there is no C compiler' } };
  }
  const postgres = await startPostgres(path.join(rig.directory, 'slow-postgres'), library);
  rig.onClose(() => postgres.stop());
  const slow = await rig.site('slow', postgres);
  await slow.start();
  await slow.api.register('hot', await slow.api.installKey(0, UNITS_PLENTY));
  const samples: Sample[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const [site, cell] of [
      [main, 'usual disk'],
      [slow, 'slow disk'],
    ] as const) {
      const { seconds, warmUpSeconds } = options;
      const timing = { clients: CLIENTS, round, seconds, warmUpSeconds, signal: rig.signal };
      const sample = await measure(hotTarget(site, cell), timing);
      await site.api.release('hot');
      await site.settle();
      samples.push(sample);
      report(sample);
    }
  }
  return { samples, guard: judge(samples) };
}

function judge(samples: readonly Sample[]): Guard {
  const median = (cell: string) =>
    spreadOf(samples.filter((sample) => sample.cell === cell).map(({ p50Ms }) => p50Ms)).median;
  const [usual, slow] = [median('usual disk'), median('slow disk')];
  const clean = samples.every(({ faults }) => faults.length === 0);
  return {
    name: NAME,
    verdict: clean && slow - usual >= ADDED_MS ? 'holds' : 'fails',
    words: `p50 at ${CLIENTS} clients ${usual.toFixed(2)} ms, then ${slow.toFixed(2)} ms`,
  };
}
