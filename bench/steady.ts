/**
 * A minute of logins and logouts in equal parts, with the fold running: its lag must not grow.
 */

import { TOKEN } from './api.ts';
import type { Figure } from './goals.ts';
import { measure, type Sample } from './measure.ts';
import type { Options } from './options.ts';
import type { Rig, Site } from './rig.ts';
import { spreadOf } from './statistics.ts';

const CLIENTS = 64;
const SAMPLE_EVERY_MS = 500;
const SALT = 0x31;
const USERS = 100_000;
/** The lag in the last third against the middle one; more than noise would be growth. */
const GROWTH_MAX = 1.5;
/** The fold comes within a second by design, so that a lag below this is none worth comparing. */
const SECONDS_SMALL = 0.5;

/** How far the fold is behind. */
interface Lag {
  readonly rows: number;
  readonly seconds: number;
}

/** Runs the mix and watches the fold's lag. */
export async function measureSteady(
  rig: Rig,
  site: Site,
  options: Options,
): Promise<{ sample: Sample; figures: Figure[] }> {
  const lags: Lag[] = [];
  const watch = setInterval(() => {
    // One that is not answered is missing, and nothing worse: the load's own faults are counted elsewhere.
    void readLag(site).then(
      (lag) => lags.push(lag),
      () => {},
    );
  }, SAMPLE_EVERY_MS);
  let sample: Sample;
  try {
    sample = await measure(
      {
        cell: 'mix',
        urls: site.urls,
        load: { kind: 'mix', token: TOKEN, instance: 'mix', users: USERS, salt: SALT, from: 0 },
        accounted: site.accounted,
        refuses: false,
        counter: null,
        apis: [site.api],
      },
      {
        clients: CLIENTS,
        round: 1,
        seconds: options.steadySeconds,
        warmUpSeconds: 0,
        signal: rig.signal,
      },
    );
  } finally {
    clearInterval(watch);
  }
  await site.api.release('mix');
  await site.settle();
  return { sample, figures: steadyFigures(lags, sample, options) };
}

function steadyFigures(lags: readonly Lag[], sample: Sample, options: Options): Figure[] {
  if (lags.length < 6) throw new Error("The fold's lag could not be read often enough.");
  const third = Math.floor(lags.length / 3);
  const seconds = lags.map((lag) => lag.seconds);
  // The first third is left out: until IDs that were released begin to be forgotten, there is less to fold.
  const middle = spreadOf(seconds.slice(third, 2 * third)).median;
  const late = spreadOf(seconds.slice(-third)).median;
  const growth = spreadOf([Math.max(late, SECONDS_SMALL) / Math.max(middle, SECONDS_SMALL)]);
  return [
    {
      name: `fold's lag, last third of ${options.steadySeconds} s against the middle one`,
      value: growth,
      unit: '×',
      goal: { is: 'at most', bound: GROWTH_MAX },
      faults: sample.faults,
      words: `${middle.toFixed(2)} s, then ${late.toFixed(2)} s`,
    },
    { name: "fold's lag", value: spreadOf(seconds), unit: 's', goal: null, faults: [] },
    {
      name: "fold's lag in rows",
      value: spreadOf(lags.map(({ rows }) => rows)),
      unit: 'rows',
      goal: null,
      faults: [],
    },
    {
      name: `logins and logouts, ${CLIENTS} clients`,
      value: spreadOf([sample.perSecond]),
      unit: 'per second',
      goal: null,
      faults: sample.faults,
    },
  ];
}

async function readLag(site: Site): Promise<Lag> {
  const metrics = await site.api.metrics();
  const read = (name: string) => {
    const value = metrics.get(name);
    if (value === undefined) throw new Error(`The metric ${name} is not told.`);
    return value;
  };
  return { rows: read('lictor_fold_lag_rows'), seconds: read('lictor_fold_lag_seconds') };
}
