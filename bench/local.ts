/**
 * Decisions of an instance that decides for itself, as an application meets them: logins and logouts through
 * the SDK, without a word to anybody, under a local and under a leased key. The loop leaves no time for reports,
 * so that what is measured is the deciding alone.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type InstanceLogin, LicenseInstance } from '../src/client/index.ts';
import { TOKEN } from './api.ts';
import type { Figure } from './goals.ts';
import type { Options } from './options.ts';
import type { Rig, Site } from './rig.ts';
import { spreadOf } from './statistics.ts';

const USERS = 10_000;
const UNITS = 100_000;
const PER_SECOND_GOAL = 1_000_000;
/** A byte that stays of every decision would be megabytes. */
const GROWTH_GOAL_MIB = 1;
/** Decisions between two looks at the clock. */
const STRIDE = 10_000;
/** A step that shares no factor with the number of users, so that neighbours in memory are not in time. */
const STEP = 4_421;

/** Measures both enforcements. */
export async function measureLocal(rig: Rig, options: Options): Promise<Figure[]> {
  const site = await rig.site('local');
  await site.start();
  const figures: Figure[] = [];
  for (const [order, enforcement] of (['local', 'leased'] as const).entries()) {
    const key = await site.api.installKey(order, UNITS);
    await site.api.enforce(key, enforcement);
    figures.push(...(await measureInstance(site, enforcement, key, options)));
  }
  return figures;
}

async function measureInstance(
  site: Site,
  name: string,
  key: string,
  options: Options,
): Promise<readonly Figure[]> {
  const instance = await LicenseInstance.open({ client: { url: site.urls[0]!, token: TOKEN }, name, key });
  try {
    const ids = Array.from({ length: USERS }, (_, n) => `user-${n}`);
    const logins = await letIn(instance, ids);
    run(instance, ids, logins, options.warmUpSeconds);
    const before = heapBytes();
    const rates = Array.from({ length: options.rounds }, () => run(instance, ids, logins, options.seconds));
    const grownMib = (heapBytes() - before) / 2 ** 20;
    return [
      {
        name: `decisions in the SDK, ${name}, ${USERS} users`,
        value: spreadOf(rates),
        unit: 'per second',
        goal: { is: 'at least', bound: PER_SECOND_GOAL },
        faults: [],
      },
      {
        name: `heap after them, ${name}`,
        value: spreadOf([grownMib]),
        unit: 'MiB more',
        goal: { is: 'at most', bound: GROWTH_GOAL_MIB },
        faults: [],
      },
    ];
  } finally {
    await instance.close();
  }
}

/** Lets everybody in once; under a leased key the server is asked for the units. */
async function letIn(instance: LicenseInstance, ids: readonly string[]): Promise<(InstanceLogin | null)[]> {
  const logins: InstanceLogin[] = [];
  for (const user of ids) {
    const verdict = await instance.login({ user });
    if (verdict.is !== 'granted') throw new Error(`A login was answered ${JSON.stringify(verdict)}.`);
    logins.push(verdict);
  }
  return logins;
}

/** Lets users out and in by turns for some seconds. @returns decisions a second. */
function run(
  instance: LicenseInstance,
  ids: readonly string[],
  logins: (InstanceLogin | null)[],
  seconds: number,
): number {
  const from = performance.now();
  let decisions = 0;
  let index = 0;
  let elapsedMs = 0;
  do {
    for (let number = 0; number < STRIDE; number += 1) {
      const login = logins[index]!;
      if (login === null) {
        const verdict = instance.tryLogin({ user: ids[index]! });
        if (verdict.is !== 'granted') throw new Error(`A login was answered ${JSON.stringify(verdict)}.`);
        logins[index] = verdict;
      } else {
        if (!instance.release(login)) throw new Error('A logout met nobody.');
        logins[index] = null;
      }
      index = (index + STEP) % USERS;
    }
    decisions += STRIDE;
    elapsedMs = performance.now() - from;
  } while (elapsedMs < seconds * 1000);
  return (decisions * 1000) / elapsedMs;
}

/** The heap after everything that can be collected was. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
