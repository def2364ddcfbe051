/**
 * The cells of the main table: logins on one key and on a thousand, refusals, heartbeats, logouts, two
 * replicas, each beside the bare route, interleaved.
 */

import { type Api, TOKEN, uuidOf } from './api.ts';
import { measure, type Sample, type Target, type Timing } from './measure.ts';
import type { Options } from './options.ts';
import type { Rig, Site } from './rig.ts';
import { meanOf } from './statistics.ts';

/** More units than any run can use. */
export const UNITS_PLENTY = 1_000_000_000;
const USERS = 100_000;
const KEYS = 1_000;
const USERS_OF_A_KEY = 100;
const LEASED = 50_000;
const LEASE_SECONDS = 3_600;
const UNITS_FEW = 5;
const SALT_BEATS = 0xbea7;
const SALT_LOGOUT = 0x1000;
/** Logouts need as many logins beforehand; a rate above this per second would run out of them, and say so. */
const LOGOUTS_PER_SECOND_MAX = 60_000;

/** A cell of the table. */
export interface Cell {
  readonly name: string;
  /** Runs it once: prepares, measures, and clears away. */
  run(timing: Timing): Promise<Sample>;
}

/** The cells, and the site that most of them share. */
export interface Throughput {
  readonly cells: readonly Cell[];
  readonly main: Site;
}

/** The names of the instances of the cell with many keys. */
const KEY_INSTANCES = Array.from({ length: KEYS }, (_, n) => `k${String(n).padStart(4, '0')}`);

/** Starts the sites and prepares the keys and instances that the cells use. */
export async function prepareThroughput(rig: Rig, options: Options): Promise<Throughput> {
  const main = await rig.site('main');
  await main.start();
  const { api } = main;
  const hot = await api.installKey(0, UNITS_PLENTY);
  await api.each(['hot', 'mix'], (name) => api.register(name, hot));
  const cells: Cell[] = [];
  // Two replicas are held against one, so that one is measured with them.
  if (options.parts.has('hot') || options.parts.has('pair')) cells.push(hotCell(main));
  if (options.parts.has('keys')) cells.push(await keysCell(main));
  if (options.parts.has('refusals')) cells.push(await refusalsCell(main));
  if (options.parts.has('heartbeats')) cells.push(await heartbeatsCell(main, hot));
  if (options.parts.has('logout')) cells.push(await logoutCell(main, hot));
  if (options.parts.has('pair')) cells.push(await pairCell(rig));
  return { cells, main };
}

/**
 * Measures every cell in turn, at each number of clients, round by round. The bare route is measured before
 * and after each turn, and the mean of both is what the ratios of that turn are to.
 * @param report - told of each sample.
 */
export async function measureThroughput(
  rig: Rig,
  cells: readonly Cell[],
  options: Options,
  report: (sample: Sample) => void,
): Promise<Sample[]> {
  const bare = bareCell(rig);
  const samples: Sample[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const clients of options.clients) {
      const { seconds, warmUpSeconds } = options;
      const timing: Timing = { clients, round, seconds, warmUpSeconds, signal: rig.signal };
      const before = await bare.run(timing);
      const turn: Sample[] = [];
      for (const cell of cells) turn.push(await cell.run(timing));
      const after = await bare.run(timing);
      const limit = meanOf([before.perSecond, after.perSecond]);
      for (const sample of turn) sample.ratio = sample.perSecond / limit;
      for (const sample of [before, ...turn, after]) {
        samples.push(sample);
        report(sample);
      }
    }
  }
  return samples;
}

function bareCell(rig: Rig): Cell {
  const target: Target = {
    cell: 'bare',
    urls: [rig.bare.url],
    load: { kind: 'login', token: TOKEN, instance: 'hot', users: USERS },
    accounted: { node: [rig.bare.pid], postgres: [], redis: [] },
    refuses: false,
    counter: null,
    apis: [],
  };
  return { name: 'bare', run: (timing) => measure(target, timing) };
}

/** A target on a site, whose logins are counted. */
function loginTarget(site: Site, cell: string, load: Omit<Target['load'], 'token'>): Target {
  return {
    cell,
    urls: site.urls,
    load: { token: TOKEN, ...load },
    accounted: site.accounted,
    refuses: false,
    counter: 'lictor_logins_granted_total',
    apis: site.servers.map(({ api }) => api),
  };
}

/** The target of logins on one key, which others than the table measure as well. */
export function hotTarget(site: Site, cell: string, instance = 'hot'): Target {
  return loginTarget(site, cell, { kind: 'login', instance, users: USERS });
}

function hotCell(site: Site): Cell {
  return cellThatClears('hot', site, hotTarget(site, 'hot'), ['hot']);
}

/** A cell whose logins are ended after each measurement, so that the next begins with the same table. */
function cellThatClears(name: string, site: Site, target: Target, instances: readonly string[]): Cell {
  return {
    name,
    async run(timing) {
      const sample = await measure(target, timing);
      await clear(site.api, instances);
      await site.settle();
      return sample;
    },
  };
}

async function clear(api: Api, instances: readonly string[]): Promise<void> {
  await api.each(instances, (instance) => api.release(instance));
}

async function keysCell(site: Site): Promise<Cell> {
  const { api } = site;
  await api.each(KEY_INSTANCES, async (name) => {
    const key = await api.installKey(1 + KEY_INSTANCES.indexOf(name), UNITS_PLENTY);
    await api.register(name, key);
  });
  const target = loginTarget(site, 'keys', {
    kind: 'keys',
    instance: 'k',
    users: USERS_OF_A_KEY,
    keys: KEYS,
  });
  return cellThatClears('keys', site, target, KEY_INSTANCES);
}

async function refusalsCell(site: Site): Promise<Cell> {
  const { api } = site;
  await api.register('full', await api.installKey(KEYS + 1, UNITS_FEW));
  await api.logIn(UNITS_FEW, (number) => ({ instance: 'full', user: `holder-${number}` }));
  const target = loginTarget(site, 'refusals', { kind: 'login', instance: 'full', users: USERS });
  const refused = { ...target, refuses: true, counter: 'lictor_logins_refused_total' };
  return { name: 'refusals', run: (timing) => measure(refused, timing) };
}

async function heartbeatsCell(site: Site, key: string): Promise<Cell> {
  const { api } = site;
  await api.register('beats', key);
  await api.logIn(LEASED, (number) => ({
    instance: 'beats',
    id: uuidOf(SALT_BEATS, number),
    user: `leased-${number}`,
    leaseSeconds: LEASE_SECONDS,
  }));
  await site.settle();
  const target = loginTarget(site, 'heartbeats', {
    kind: 'heartbeat',
    instance: 'beats',
    salt: SALT_BEATS,
    count: LEASED,
  });
  const beats = { ...target, counter: 'lictor_heartbeats_total' };
  return { name: 'heartbeats', run: (timing) => measure(beats, timing) };
}

async function logoutCell(site: Site, key: string): Promise<Cell> {
  const { api } = site;
  await api.register('outs', key);
  let salt = SALT_LOGOUT;
  let perSecond = LOGOUTS_PER_SECOND_MAX / 2;
  return {
    name: 'logout',
    async run(timing) {
      salt += 1;
      const here = salt;
      const count = Math.ceil(
        Math.min(perSecond * 1.5, LOGOUTS_PER_SECOND_MAX) * (timing.seconds + timing.warmUpSeconds),
      );
      await api.logIn(count, (number) => ({
        instance: 'outs',
        id: uuidOf(here, number),
        user: `out-${number}`,
      }));
      await site.settle();
      const target = loginTarget(site, 'logout', { kind: 'logout', instance: 'outs', salt: here, from: 0 });
      const sample = await measure({ ...target, counter: 'lictor_logins_released_total' }, timing);
      perSecond = Math.max(perSecond, sample.perSecond);
      await clear(api, ['outs']);
      await site.settle();
      return sample;
    },
  };
}

async function pairCell(rig: Rig): Promise<Cell> {
  const site = await rig.site('pair');
  await site.start();
  await site.start();
  await site.api.register('hot', await site.api.installKey(0, UNITS_PLENTY));
  return cellThatClears('pair', site, hotTarget(site, 'pair'), ['hot']);
}
