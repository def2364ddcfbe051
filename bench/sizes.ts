/**
 * How cost grows with the table: the same logins on tables with a thousand, a hundred thousand and a million
 * logins in them. And what a server with the largest of them needs: memory, and time to start.
 */

import { readCpu, readMemory } from './accounting.ts';
import { collectGarbage } from './garbage.ts';
import type { Figure, Guard } from './goals.ts';
import { measure, type Sample } from './measure.ts';
import type { Options } from './options.ts';
import type { Rig, Site } from './rig.ts';
import { spreadOf } from './statistics.ts';
import { hotTarget, UNITS_PLENTY } from './throughput.ts';

/** At many clients a round trip carries many logins, so that it is the table that differs. */
const CLIENTS = 64;
const ROUNDS_MIN = 3;
/** What the largest table may cost more than the smallest. */
const GROWTH_MAX = 1.15;
const PRELOAD_MINUTES_MAX = 1.5;
const MEMORY_MB_MAX = 1024;
const MEMORY_MB_AIM = 350;
const START_SECONDS_MAX = 10;
const READY_TIMEOUT_MS = 120_000;
/** How long a loaded server is left alone before its memory is read, in milliseconds: by then it has packed its logins. */
const REST_MS = 45_000;

/** A site with that many logins in its table. */
export interface Loaded {
  readonly rows: number;
  readonly site: Site;
  readonly key: string;
  /** How long it took to log them all in, in seconds. */
  readonly loadSeconds: number;
}

/**
 * Starts a server for each size and logs its users in.
 * @param name - what the databases are named after.
 */
export async function loadTables(
  rig: Rig,
  sizes: readonly number[],
  say: (words: string) => void,
  name = 'rows',
): Promise<Loaded[]> {
  const loaded: Loaded[] = [];
  for (const rows of sizes) {
    const site = await rig.site(`${name}${rows}`);
    await site.start();
    const { api } = site;
    const key = await api.installKey(0, UNITS_PLENTY);
    await api.each(['base', 'hot'], (name) => api.register(name, key));
    await api.register('first', await api.installKey(1, UNITS_PLENTY));
    const from = performance.now();
    await api.logIn(rows, (number) => ({ instance: 'base', user: `p${String(number).padStart(7, '0')}` }));
    await site.settle();
    const loadSeconds = (performance.now() - from) / 1000;
    say(`  ${rows} logins are in after ${loadSeconds.toFixed(1)} s`);
    loaded.push({ rows, site, key, loadSeconds });
  }
  return loaded;
}

/** Measures logins on each table in turn. */
export async function measureSizes(
  rig: Rig,
  loaded: readonly Loaded[],
  options: Options,
  report: (sample: Sample) => void,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 1; round <= Math.max(options.rounds, ROUNDS_MIN); round += 1) {
    // In turn from either end, so that a drift of the machine does not look like a growth of cost.
    for (const { rows, site } of round % 2 === 1 ? loaded : [...loaded].reverse()) {
      const { seconds, warmUpSeconds } = options;
      const timing = { clients: CLIENTS, round, seconds, warmUpSeconds, signal: rig.signal };
      const sample = await measure(hotTarget(site, `${rows} rows`), timing);
      await site.api.release('hot');
      await site.settle();
      samples.push(sample);
      report(sample);
    }
  }
  return samples;
}

/** The growth of cost, and the memory of the largest. */
export async function sizeFigures(loaded: readonly Loaded[], samples: readonly Sample[]): Promise<Figure[]> {
  const costs = loaded.map(({ rows }) => {
    const each = samples.filter(({ cell }) => cell === `${rows} rows`);
    const cost = each.map(({ cpuUs }) => cpuUs.node + cpuUs.postgres + cpuUs.redis);
    return { rows, each, cost };
  });
  const smallest = costs[0]!;
  const figures: Figure[] = costs.map(({ rows, each, cost }) => ({
    name: `cost of a login at ${rows} rows`,
    value: spreadOf(cost),
    unit: 'µs of CPU',
    goal: null,
    faults: each.flatMap(({ faults }) => faults),
  }));
  const largest = costs.at(-1)!;
  figures.push({
    name: `cost at ${largest.rows} rows against ${smallest.rows}`,
    value: spreadOf(largest.cost.map((cost, round) => cost / smallest.cost[round]!)),
    unit: '×',
    goal: { is: 'at most', bound: GROWTH_MAX },
    faults: [...largest.each, ...smallest.each].flatMap(({ faults }) => faults),
  });
  const { site, rows, loadSeconds } = loaded.at(-1)!;
  await rest();
  const server = site.servers[0]!;
  const { resident, peak } = await readMemory(server.pid);
  const heapBytes = await collectGarbage(server);
  const settled = await readMemory(server.pid);
  const megabytes = (bytes: number) => bytes / 2 ** 20;
  figures.push(
    single(
      `memory with ${rows} logins, collected`,
      megabytes(settled.resident),
      'MB',
      MEMORY_MB_MAX,
      `aim ${MEMORY_MB_AIM}`,
    ),
    single('… of it live objects', megabytes(heapBytes), 'MB', null),
    single('… as it was before the collection', megabytes(resident), 'MB', null),
    single('… at its highest since the start', megabytes(peak), 'MB', null),
    single(`logging ${rows} users in by batches`, loadSeconds, 's', PRELOAD_MINUTES_MAX * 60),
  );
  return figures;
}

/** Starts the server of the largest table again: from its fold, and from its journal alone. */
export async function measureRestarts(
  { site, rows, key }: Loaded,
  say: (words: string) => void,
): Promise<{ figures: Figure[]; guards: Guard[] }> {
  await site.api.release('hot');
  await site.settle();
  const before = await digest(site, key);
  await site.stop();
  const fromFold = await startOnce(site, say, `from a fold with ${rows} logins`);
  await rest();
  const { resident } = await readMemory(site.servers[0]!.pid);
  await site.stop();
  await dropFold(site);
  const fromJournal = await startOnce(site, say, `from a journal with ${rows} logins and no fold`);
  const foldingFrom = performance.now();
  await site.settle();
  const foldSeconds = (performance.now() - foldingFrom) / 1000;
  const after = await digest(site, key);
  const isSame = JSON.stringify(before) === JSON.stringify(after);
  return {
    figures: [
      single(`start with ${rows} logins in the fold, to ready`, fromFold.ready, 's', START_SECONDS_MAX),
      single(`… to the first grant`, fromFold.granted, 's', START_SECONDS_MAX),
      single(`… CPU time of server and Postgres`, fromFold.cpu, 's', null),
      single(`catch-up of ${rows} unfolded logins, to ready`, fromJournal.ready, 's', START_SECONDS_MAX),
      single(`… to the first grant`, fromJournal.granted, 's', START_SECONDS_MAX),
      single(`… CPU time of server and Postgres`, fromJournal.cpu, 's', null),
      single(`… to everything folded, after the first grant`, foldSeconds, 's', null),
      single(`memory after a start with ${rows} logins`, resident / 2 ** 20, 'MB', MEMORY_MB_MAX),
    ],
    guards: [
      {
        name: 'a fold made anew from the whole journal is the one there was',
        verdict: isSame ? 'holds' : 'fails',
        words: `${JSON.stringify(before)}${isSame ? '' : ` against ${JSON.stringify(after)}`}`,
      },
    ],
  };
}

/** A start, in seconds. */
interface Start {
  readonly ready: number;
  readonly granted: number;
  /** CPU time of the server and of Postgres until it was ready, which a busy machine does not stretch. */
  readonly cpu: number;
}

async function startOnce(site: Site, say: (words: string) => void, what: string): Promise<Start> {
  const postgresOnly = { node: [], postgres: [site.postgres.pid], redis: [] };
  const before = await readCpu(postgresOnly);
  const { api, startedAt, pid } = await site.start();
  await api.ready(READY_TIMEOUT_MS);
  const ready = (performance.now() - startedAt) / 1000;
  const after = await readCpu({ ...postgresOnly, node: [pid] });
  await api.firstGrant('first', 'first', READY_TIMEOUT_MS);
  const granted = (performance.now() - startedAt) / 1000;
  say(`  started ${what}: ready after ${ready.toFixed(2)} s, first grant after ${granted.toFixed(2)} s`);
  return { ready, granted, cpu: after.node + after.postgres - before.postgres };
}

/** The fold is derived; without it a server begins at the first row of the journal. */
async function dropFold({ sql }: Site): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`truncate logins, license_users, key_pools`;
    await tx`update folds set version = 0, batch = '00000000-0000-0000-0000-000000000000'`;
  });
}

/** What the fold says of a key, whatever the order of its rows. */
async function digest({ sql }: Site, key: string): Promise<object> {
  const [row] = await sql`
    select
      (select count(*) || ' rows, sum ' || sum(hashtextextended(logins::text, 0))
        from logins where pool = ${key} and released_at is null) as logins,
      (select count(*) || ' rows, sum ' || sum(hashtextextended(license_users::text, 0))
        from license_users where pool = ${key}) as users,
      (select row(units, users, connections, units_peak, users_peak, connections_peak)::text
        from key_pools where pool = ${key}) as pool`;
  return { ...row };
}

async function rest(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
}

/** A figure that was measured once. */
export function single(
  name: string,
  value: number,
  unit: string,
  bound: number | null,
  words?: string,
): Figure {
  return {
    name,
    value: spreadOf([value]),
    unit,
    goal: bound === null ? null : { is: 'at most', bound },
    faults: [],
    ...(words === undefined ? {} : { words }),
  };
}
