/**
 * The guards that look at what the load has left: the units recomputed from the logins must equal every
 * counter, and the journal replayed from its first row must come to the table.
 */

import { isDeepStrictEqual } from 'node:util';
import { applyRow } from '../src/domain/apply.ts';
import { DivergenceError, Table } from '../src/domain/table.ts';
import { TableBuilder } from '../src/service/loading.ts';
import { readRowsAfter } from '../src/storage/journal.ts';
import { readSnapshot } from '../src/storage/snapshots.ts';
import { snapshotOf } from '../test/support/snapshot.ts';
import { TOKEN } from './api.ts';
import type { Guard } from './goals.ts';
import type { Site } from './rig.ts';
import { sendLoad } from './wrk.ts';

const SHARD = 0;
const ROWS_PER_READ = 200;
/** Few enough that each has so many connections that most of them cost a unit each. */
const USERS_FEW = 1_000;
const CLIENTS = 64;
const SECONDS = 2;

/** What the server says of one key. */
interface Counts {
  readonly key?: string;
  readonly instance?: string;
  readonly unitsInUse: number;
  readonly users: number;
  readonly connections: number;
}

/** Leaves users behind that have transitioned, so that the counting rules matter, then checks everything. */
export async function checkGuards(site: Site, signal: AbortSignal): Promise<Guard[]> {
  const load = { kind: 'login', token: TOKEN, instance: 'hot', users: USERS_FEW } as const;
  await sendLoad(site.urls, load, CLIENTS, SECONDS, signal);
  await site.settle();
  return [await checkUnits(site), await checkReplay(site)];
}

async function checkUnits(site: Site): Promise<Guard> {
  const name = 'units recomputed from the logins equal the counters and what the API says';
  const [users] = await site.sql<{ wrong: number; transitioned: number; users: number }[]>`
    with counted as (
      select pool, user_id, count(*) as connections from logins
      where shard = ${SHARD} and released_at is null and user_id is not null
      group by pool, user_id
    )
    select count(*) filter (where counted.connections is distinct from kept.connections
        or kept.units is distinct from case when kept.transitioned then counted.connections else 1 end
        or (counted.connections > 25 and not kept.transitioned)) as wrong,
      count(*) filter (where kept.transitioned) as transitioned, count(*) as users
    from counted full join license_users kept
      on kept.shard = ${SHARD} and kept.pool = counted.pool and kept.user_id = counted.user_id`;
  const pools = await site.sql<
    { pool: string; right: boolean; units: number; users: number; connections: number }[]
  >`
    with counted as (
      select logins.pool, logins.user_id, count(*) as connections, bool_or(kept.transitioned) as transitioned
      from logins join license_users kept
        on kept.shard = logins.shard and kept.pool = logins.pool and kept.user_id = logins.user_id
      where logins.shard = ${SHARD} and released_at is null
      group by logins.pool, logins.user_id
    ), summed as (
      select pool, sum(case when transitioned then connections else 1 end)::bigint as units,
        count(*) as users, sum(connections)::bigint as connections
      from counted group by pool
    )
    select kept.pool, coalesce(summed.units, 0) as units, coalesce(summed.users, 0) as users,
      coalesce(summed.connections, 0) as connections,
      (kept.units, kept.users, kept.connections)
        = (coalesce(summed.units, 0), coalesce(summed.users, 0), coalesce(summed.connections, 0)) as right
    from key_pools kept left join summed using (pool) where kept.shard = ${SHARD}`;
  const told = await countsOf(site);
  const wrong = pools.filter((pool) => {
    const counts = told.get(pool.pool);
    if (!pool.right) return true;
    if (counts === undefined) return pool.units > 0;
    return (
      counts.unitsInUse !== pool.units ||
      counts.users !== pool.users ||
      counts.connections !== pool.connections
    );
  });
  const units = pools.reduce((sum, pool) => sum + pool.units, 0);
  const isGood = users!.wrong === 0 && wrong.length === 0 && users!.transitioned > 0 && units > 0;
  return {
    name,
    verdict: isGood ? 'holds' : 'fails',
    words:
      `${units} units of ${users!.users} users (${users!.transitioned} transitioned) under ${pools.length} keys; ` +
      `${users!.wrong} users and ${wrong.length} keys differ${wrong.length > 0 ? `: ${JSON.stringify(wrong[0])} against ${JSON.stringify(told.get(wrong[0]!.pool))}` : ''}`,
  };
}

async function countsOf(site: Site): Promise<Map<string, Counts>> {
  const told = new Map<string, Counts>();
  let cursor = '';
  do {
    const path = `/v1/usage/counts?limit=100${cursor}`;
    const page = await site.api.call<{ items: Counts[]; nextCursor?: string }>('GET', path);
    for (const counts of page.items) if (counts.key !== undefined) told.set(counts.key, counts);
    cursor = page.nextCursor === undefined ? '' : `&cursor=${encodeURIComponent(page.nextCursor)}`;
  } while (cursor !== '');
  return told;
}

async function checkReplay(site: Site): Promise<Guard> {
  const name = 'the journal replayed from its first row comes to the table';
  try {
    const builder = new TableBuilder(SHARD);
    await readSnapshot(site.sql, SHARD, builder);
    const folded = builder.table;
    const { replayed, events } = await replayTo(site, folded.version);
    const [one, other] = [snapshotOf(replayed), snapshotOf(folded)];
    const differing = (Object.keys(one) as (keyof typeof one)[]).filter(
      (part) => !isDeepStrictEqual(one[part], other[part]),
    );
    return {
      name,
      verdict: differing.length === 0 && folded.loginCount > 0 ? 'holds' : 'fails',
      words:
        `${folded.version} rows with ${events} events come to ${folded.loginCount} logins` +
        (differing.length === 0 ? '' : `; ${differing.join(', ')} differ`),
    };
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    return { name, verdict: 'fails', words: error.message };
  }
}

async function replayTo(site: Site, version: number): Promise<{ replayed: Table; events: number }> {
  const replayed = new Table(SHARD);
  let events = 0;
  while (replayed.version < version) {
    const limit = Math.min(ROWS_PER_READ, version - replayed.version);
    const rows = await readRowsAfter(site.sql, SHARD, replayed, limit);
    if (rows === null || rows.length === 0) throw new DivergenceError('the journal has a gap');
    for (const row of rows) {
      replayed.begin();
      applyRow(replayed, row);
      replayed.commit();
      events += row.events.length;
    }
  }
  return { replayed, events };
}
