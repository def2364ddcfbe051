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
/** The lag at the end against the lag at the beginning; more than noise would be growth. */
const GROWTH_MAX = 1.5;
/** Below this many rows a ratio says nothing: a few rows more or less are noise. */
const ROWS_SMALL = 50;

/** Runs the mix and watches the fold's lag. */
export async function measureSteady(
  rig: Rig,
  site: Site,
  options: Options,
): Promise<{ sample: Sample; figures: Figure[] }> {
  const lags: number[] = [];
  const watch = setInterval(() => {
    void site.api.metrics().then((metrics) => lags.push(metrics.get('lictor_fold_lag_rows') ?? Number.NaN));
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
  const third = Math.floor(lags.length / 3);
  const early = spreadOf(lags.slice(0, third)).median;
  const late = spreadOf(lags.slice(-third)).median;
  const growth = spreadOf([Math.max(late, ROWS_SMALL) / Math.max(early, ROWS_SMALL)]);
  return {
    sample,
    figures: [
      {
        name: `fold's lag, last third of ${options.steadySeconds} s against the first`,
        value: growth,
        unit: '×',
        goal: { is: 'at most', bound: GROWTH_MAX },
        faults: sample.faults,
        words: `${Math.round(early)} rows, then ${Math.round(late)}`,
      },
      { name: "fold's lag", value: spreadOf(lags), unit: 'rows', goal: null, faults: [] },
      {
        name: `logins and logouts, ${CLIENTS} clients`,
        value: spreadOf([sample.perSecond]),
        unit: 'per second',
        goal: null,
        faults: sample.faults,
      },
    ],
  };
}
