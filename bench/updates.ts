/**
 * What instances that decide for themselves cost the server: large updates without a pause with the fold
 * running, and a thousand instances that have nothing to say.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { type DigestedRow, digestText, TableDigest } from '../src/domain/local/digest.ts';
import { cpuBetween, readCpu } from './accounting.ts';
import type { Api } from './api.ts';
import type { Figure } from './goals.ts';
import type { Options } from './options.ts';
import type { Rig, Site } from './rig.ts';
import { spreadOf } from './statistics.ts';
import { UNITS_PLENTY } from './throughput.ts';

const INSTANCES = 8;
const USERS_OF_AN_INSTANCE = 10_000;
const CHANGED = 1_000;
const ROWS_PER_PART = 5_000;
/** A little above the goal, so that it can be met when a pause is made up for. */
const UPDATES_PER_SECOND = 88;
const UPDATES_GOAL = 80;
const LAG_GOAL_SECONDS = 1;
const SAMPLE_EVERY_MS = 500;
/** The first folds of so many rows meet cold code and a table without statistics; they are told, and do not count. */
const WARM_UP_MS = 5_000;

const QUIET_INSTANCES = 1_000;
const QUIET_INTERVAL_MS = 15_000;
const QUIET_CPU_GOAL = 0.1;

/** The table of one instance, and the numbers of its updates. */
class Reporter {
  readonly #name: string;
  readonly #api: Api;
  readonly #rows: DigestedRow[];
  readonly #digest = new TableDigest();
  #incarnation = 0;
  #sequence = 0;
  #next = 0;

  constructor(name: string, api: Api, users: number) {
    this.#name = name;
    this.#api = api;
    // Half of the users are on one instance only, the others on all of them.
    this.#rows = Array.from({ length: users }, (_, n) => ({
      id: n % 2 === 0 ? `user-${n}` : `${name}-user-${n}`,
      connections: 1,
      webSessions: 0,
      transitioned: false,
    }));
    for (const row of this.#rows) this.#digest.add(row);
  }

  async register(key: string, graceSeconds: number): Promise<void> {
    const { incarnation } = await this.#api.call<{ incarnation: number }>(
      'PUT',
      `/v1/instances/${this.#name}`,
      { key, settings: { graceSeconds } },
    );
    this.#incarnation = incarnation;
  }

  /** Reports the whole table, in parts. */
  async reportAll(): Promise<void> {
    const fullFrom = this.#sequence + 1;
    for (let from = 0; from < this.#rows.length; from += ROWS_PER_PART) {
      const isLast = from + ROWS_PER_PART >= this.#rows.length;
      const users = this.#rows.slice(from, from + ROWS_PER_PART);
      await this.#send(users, { fullFrom, ...(isLast ? {} : { more: true }) });
    }
  }

  /** Changes some users and reports them. */
  async reportChanges(count: number): Promise<void> {
    const users: DigestedRow[] = [];
    for (let number = 0; number < count; number += 1) {
      const index = this.#next;
      this.#next = (this.#next + 1) % this.#rows.length;
      const before = this.#rows[index]!;
      const row = { ...before, connections: before.connections === 1 ? 2 : 1 };
      this.#digest.remove(before);
      this.#digest.add(row);
      this.#rows[index] = row;
      users.push(row);
    }
    await this.#send(users, {});
  }

  /** Says that nothing has changed. */
  async reportNothing(): Promise<void> {
    await this.#post({
      sequence: this.#sequence,
      since: this.#sequence,
      users: [],
      digest: digestText(this.#digest),
    });
  }

  async #send(users: readonly DigestedRow[], full: { fullFrom?: number; more?: true }): Promise<void> {
    const since = this.#sequence;
    this.#sequence += 1;
    const digest = full.more ? {} : { digest: digestText(this.#digest) };
    await this.#post({ sequence: this.#sequence, since, users, ...full, ...digest });
  }

  async #post(update: object): Promise<void> {
    const { resend, sequence } = await this.#api.call<{ resend?: string; sequence: number }>(
      'POST',
      `/v1/instances/${this.#name}/updates`,
      { incarnation: this.#incarnation, ...update },
    );
    if (resend !== undefined || sequence !== this.#sequence) {
      throw new Error(
        `${this.#name} is at update ${this.#sequence}; the server holds ${sequence} and asks for ${resend}.`,
      );
    }
  }
}

/** Measures both on a site of their own. */
export async function measureUpdates(rig: Rig, options: Options): Promise<Figure[]> {
  const site = await rig.site('updates');
  await site.start();
  const key = await site.api.installKey(0, UNITS_PLENTY);
  await site.api.enforce(key, 'local');
  const figures = await measureBusy(rig, site, key, options);
  await site.settle();
  return [...figures, await measureQuiet(rig, site, key, options)];
}

async function measureBusy(rig: Rig, site: Site, key: string, options: Options): Promise<Figure[]> {
  const names = Array.from({ length: INSTANCES }, (_, n) => `busy-${n}`);
  const reporters = names.map((name) => new Reporter(name, site.api, USERS_OF_AN_INSTANCE));
  for (const reporter of reporters) {
    await reporter.register(key, 0);
    await reporter.reportAll();
  }
  await site.settle();
  const from = performance.now();
  const cold: number[] = [];
  const lags: number[] = [];
  const watch = setInterval(() => {
    const taken = performance.now() - from < WARM_UP_MS ? cold : lags;
    // One that is not answered is missing, and nothing worse.
    void site.api.metrics().then(
      (metrics) => taken.push(metrics.get('lictor_fold_lag_seconds') ?? Number.POSITIVE_INFINITY),
      () => {},
    );
  }, SAMPLE_EVERY_MS);
  const before = await readCpu(site.accounted);
  const until = from + options.steadySeconds * 1000;
  let done = 0;
  try {
    await Promise.all(
      reporters.map(async (reporter, index) => {
        const everyMs = (INSTANCES * 1000) / UPDATES_PER_SECOND;
        for (let at = from + (index * everyMs) / INSTANCES; at < until; at += everyMs) {
          await pause(Math.max(0, at - performance.now()), undefined, { signal: rig.signal });
          if (performance.now() >= until) return;
          await reporter.reportChanges(CHANGED);
          done += 1;
        }
      }),
    );
  } finally {
    clearInterval(watch);
  }
  const seconds = (performance.now() - from) / 1000;
  const cpu = cpuBetween(before, await readCpu(site.accounted));
  const perUpdate = (cpuSeconds: number) => ((cpuSeconds * 1000) / done).toFixed(2);
  const highest = spreadOf(lags);
  return [
    {
      name: `updates of ${CHANGED} changed users from ${INSTANCES} instances`,
      value: spreadOf([done / seconds]),
      unit: 'per second',
      goal: { is: 'at least', bound: UPDATES_GOAL },
      faults: [],
      words: `offered ${UPDATES_PER_SECOND}; CPU ms an update: Node ${perUpdate(cpu.node)}, Postgres ${perUpdate(cpu.postgres)}`,
    },
    {
      name: "fold's lag meanwhile, highest",
      value: spreadOf([highest.max]),
      unit: 's',
      goal: { is: 'at most', bound: LAG_GOAL_SECONDS },
      faults: [],
      words: `median ${highest.median.toFixed(2)} s; ${spreadOf(cold).max.toFixed(2)} s in the first ${WARM_UP_MS / 1000} s`,
    },
  ];
}

/** A thousand instances, each of which says every fifteen seconds that nothing has changed. */
async function measureQuiet(rig: Rig, site: Site, key: string, options: Options): Promise<Figure> {
  const reporters = Array.from(
    { length: QUIET_INSTANCES },
    (_, n) => new Reporter(`quiet-${String(n).padStart(4, '0')}`, site.api, 10),
  );
  await site.api.each(reporters, async (reporter) => {
    await reporter.register(key, 3_600);
    await reporter.reportAll();
  });
  await site.settle();
  const everyMs = QUIET_INTERVAL_MS / QUIET_INSTANCES;
  const count = Math.ceil((options.steadySeconds * 1000) / everyMs);
  const sent: Promise<void>[] = [];
  const before = await readCpu(site.accounted);
  const from = performance.now();
  for (let number = 0; number < count; number += 1) {
    await pause(Math.max(0, from + number * everyMs - performance.now()), undefined, { signal: rig.signal });
    sent.push(reporters[number % QUIET_INSTANCES]!.reportNothing());
  }
  await Promise.all(sent);
  const seconds = (performance.now() - from) / 1000;
  const cpu = cpuBetween(before, await readCpu(site.accounted));
  const share = (cpu.node + cpu.postgres) / seconds;
  return {
    name: `${QUIET_INSTANCES} instances that report every ${QUIET_INTERVAL_MS / 1000} s`,
    value: spreadOf([share]),
    unit: 'of a core',
    goal: { is: 'at most', bound: QUIET_CPU_GOAL },
    faults: [],
    words: `Node ${(cpu.node / seconds).toFixed(3)}, Postgres ${(cpu.postgres / seconds).toFixed(3)}`,
  };
}
