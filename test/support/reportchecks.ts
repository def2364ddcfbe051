/**
 * Holds every report against the table that it was made of, and against the others: what one of them adds up to
 * another must say.
 */
import type { Principal } from '../../src/domain/access.ts';
import type { Table } from '../../src/domain/table.ts';
import { QUERIES } from '../../src/domain/texts/queries.ts';
import type { Cell } from '../../src/domain/texts/reporttexts-dumps.ts';
import type { Lane } from '../../src/service/lane.ts';
import { createReporting } from '../../src/service/reporting.ts';
import { Summary } from '../../src/service/summary.ts';
import { Usage } from '../../src/service/usage.ts';

/** Whoever sees everything, but may install nothing. */
const VIEWER: Principal = { tokenId: 'viewer', name: 'viewer', role: 'viewer', keys: null, instance: null };
const MANY = 100_000;

/** The services of the reports over a table that stands still. */
export function reportsOf(table: Table, nowMs: number) {
  const lane = { read: async (run: (table: Table) => unknown) => run(table) } as Pick<
    Lane,
    'read' | 'submit'
  >;
  const nothing = () => {
    throw new Error('no report needs this');
  };
  const shared = { lane, clock: { nowMs: () => nowMs }, revoked: new Set<string>() };
  return {
    summary: new Summary(shared),
    usage: new Usage({ ...shared, signs: { of: async () => [] } as never }),
    ...createReporting({
      ...shared,
      keys: { file: nothing },
      licenseServers: { active: async () => null },
      connect: nothing,
      shard: 0,
    }),
  };
}

type Services = ReturnType<typeof reportsOf>;

/** @throws Error that says which reports do not agree. */
export async function expectReportsAgree(table: Table, nowMs: number): Promise<void> {
  const services = reportsOf(table, nowMs);
  const all = { after: null, limit: MANY, key: undefined };
  const counts = await services.usage.counts(VIEWER, all);
  const servers = await services.summary.dump(VIEWER, all);
  const keys = await services.keyReports.dump(VIEWER, all);
  const byUser = await services.usage.users(VIEWER, all);
  const rows = (await services.queries.run(VIEWER, { name: 'AllKeyConnectionList' }, all)).rows;
  for (const pool of counts.items) {
    const isOf = (item: { readonly pool: string }) => item.pool === pool.pool;
    const use = keys.keys.find(isOf)!;
    const there = servers.servers.filter(isOf);
    const reserved = sum(there, ({ unitsReserved }) => unitsReserved);
    const connections = rows.filter(({ at }) => at[0] === pool.pool).map(({ cells }) => cells);
    const users = byUser.items.filter(isOf);
    // What instances let in on leased units is only as exact as their last reports.
    const isExact = ![...table.places.values()].some(
      ({ report }) => report?.pool === pool.pool && !report.counted,
    );
    same(`units in use of ${pool.pool}`, {
      counts: pool.unitsInUse,
      table: table.pools.get(pool.pool)?.units ?? 0,
      keys: use.unitsInUse,
      ...(isExact ? { servers: sum(there, ({ units }) => units) } : {}),
    });
    same(`units of the rows of ${pool.pool}`, {
      servers: sum(there, ({ units }) => units),
      serverRows: sum(there, ({ clients }) => sum(clients, ({ units }) => units)) + reserved,
      keyRows: sum(use.clients, ({ units }) => units) + reserved,
      connectionList: sum(connections, ([, units]) => (units === 'shr' ? 0 : Number(units))) + reserved,
    });
    same(`connections of ${pool.pool}`, {
      servers: sum(there, (server) => server.connections),
      serverRows: sum(there, ({ clients }) => sum(clients, (client) => client.connections)),
      keyRows: sum(use.clients, (client) => client.connections),
      connectionList: sum(connections, (cells) => Number(cells[2])),
    });
    same(`users of ${pool.pool}`, {
      keyRows: new Set(use.clients.map(({ userId }) => userId)).size,
      connectionList: new Set(connections.map(([userId]) => userId)).size,
      serverRows: new Set(there.flatMap(({ clients }) => clients.map(({ userId }) => userId))).size,
    });
    if (isExact) {
      same(`what the server has the books of under ${pool.pool}`, {
        counts: [pool.users, pool.connections].join(),
        users: [users.length, sum(users, (user) => user.connections)].join(),
        rows: [
          new Set(use.clients.map(({ userId }) => userId)).size,
          sum(use.clients, ({ connections }) => connections),
        ].join(),
      });
    }
    for (const user of users) {
      same(`the units of ${user.userId}`, {
        total: user.units,
        rows: sum(user.places, ({ units }) => units),
      });
    }
    const keyId = pool.key;
    if (keyId !== null) await checkKey(services, keyId, pool);
  }
  for (const name of table.instances.keys()) await checkInstance(table, services, name);
}

async function checkKey(
  services: Services,
  key: string,
  pool: { readonly unitsInUse: number; readonly users: number; readonly connections: number },
) {
  const { distributed } = await services.summary.summarise(VIEWER, { key, instance: undefined });
  same(`the summary of ${key}`, {
    counts: [pool.unitsInUse, pool.users, pool.connections].join(),
    summary: [distributed.unitsInUse, distributed.users, distributed.connections].join(),
  });
}

async function checkInstance(table: Table, services: Services, name: string): Promise<void> {
  const { queries, reports, marks, summary, usage } = services;
  const page = { after: null, limit: MANY };
  const run = async (query: string) =>
    (await queries.run(VIEWER, { name: query, instance: name }, page)).rows.map(({ cells }) => cells);
  const local = await reports.local(VIEWER, name);
  const { users, processes } = local.rows!;
  const counts = await marks.counts(VIEWER, name);
  const shown = await summary.summarise(VIEWER, { key: undefined, instance: name });
  const of = (await usage.instances(VIEWER, { ...page, key: undefined })).items.find(
    ({ instance }) => instance === name,
  )!;
  const [used, , , connected] = await run('Summary');
  const list = await run('UserList');
  const place = table.places.get(name);
  // What is leased is in use, whoever is in; what counts nowhere is shown, and not counted.
  const isCounted = place === undefined || (place.leases.size === 0 && place.report?.counted !== false);
  const ofRows = sum(users, ({ units }) => units);
  same(`units on ${name}`, {
    table: place?.units ?? 0,
    counts: counts.units.now,
    summary: shown.local!.units,
    summaryQuery: used![1],
    usage: of.units,
    ...(isCounted ? { dump: ofRows } : {}),
  });
  same(`units of those on ${name}`, {
    dump: local.units.inUse,
    dumpRows: ofRows,
    userList: sum(list, (cells) => Number(cells[5])),
  });
  same(`users on ${name}`, {
    dump: users.length,
    counts: counts.users.now,
    summary: shown.local!.users,
    usage: of.users,
    userList: list.length,
  });
  same(`connections on ${name}`, {
    dump: sum(users, ({ connections }) => connections),
    counts: counts.connections.now,
    summary: shown.local!.connections,
    summaryQuery: connected![1],
    usage: of.connections,
  });
  same(`the availability of ${name}`, {
    counts: counts.unitsAvailable.now,
    key: (await reports.key(VIEWER, name)).available,
    ...(isCounted ? { dump: Math.max(0, local.units.capacity - local.units.inUse) } : {}),
  });
  same(`the slots of ${name}`, {
    dump: Math.max(users.length, local.units.capacity),
    userListAll: (await run('UserListAll')).length,
  });
  for (const user of users) {
    if (user.connections > user.connectionsPeak) throw new Error(`${user.userId} has passed his peak`);
  }
  const own = processes.filter(({ sinceMs, userId }) => sinceMs !== null && userId !== null);
  const told = users.filter(({ sinceMs }) => sinceMs === null);
  same(`the processes of ${name}`, {
    logins: table.places.get(name)?.logins.size ?? 0,
    rows: processes.filter(({ sinceMs }) => sinceMs !== null).length,
  });
  if (told.length === 0 && (table.places.get(name)?.reported.size ?? 0) === 0) {
    same(`whose the processes of ${name} are`, {
      processes: own.length,
      users: sum(users, ({ connections }) => connections),
    });
  }
  for (const { name: query, of: about, columns } of QUERIES) {
    if (about !== 'instance' || query === 'ApplicationUserList') continue;
    const asked = { name: query, instance: name };
    const whole = (await queries.run(VIEWER, asked, page)).rows;
    for (const { cells } of whole)
      same(`the columns of ${query}`, { row: cells.length, head: columns.length });
    const pages: (readonly Cell[])[] = [];
    let after: Awaited<ReturnType<typeof queries.run>>['next'] = null;
    do {
      const next = await queries.run(VIEWER, asked, { after, limit: 2 });
      pages.push(...next.rows.map(({ cells }) => cells));
      after = next.next;
    } while (after !== null);
    same(`the pages of ${query}`, {
      pages: JSON.stringify(pages),
      whole: JSON.stringify(whole.map(({ cells }) => cells)),
    });
  }
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function same(what: string, figures: Readonly<Record<string, unknown>>): void {
  if (new Set(Object.values(figures)).size > 1) throw new Error(`${what}: ${JSON.stringify(figures)}`);
}
