/** The pieces of which dumps are sent: together they are the texts that are made whole. */

import { describe, expect, test } from '@jest/globals';
import { keysText, serversText } from '../../src/domain/texts/reporttexts-distributed.ts';
import { processDumpText, userDumpText } from '../../src/domain/texts/reporttexts-dumps.ts';
import type { UserRow } from '../../src/domain/texts/usagerows.ts';
import { keyRowsText, serverRowsText } from '../../src/http/distributedstreams.ts';
import { jsonLines, processText, userText } from '../../src/http/dumpstreams.ts';

const NOW_MS = Date.UTC(2030, 0, 1, 12);

const USERS: UserRow[] = ['alice', 'bob', '192.9.202.81', 'carol', 'dave'].map((userId, index) => ({
  userId,
  type: 'User',
  connections: index + 1,
  connectionsPeak: index + 1,
  webSessions: 0,
  units: 1,
  sinceMs: NOW_MS - 10_000 * index,
  graceUntilMs: 0,
}));
const PROCESSES = USERS.map(({ graceUntilMs, ...user }, index) => {
  return { ...user, processId: index + 1, kind: 'user', phase: 'active', endsAtMs: graceUntilMs } as const;
});

/** The same rows, two at a time. */
async function* inBatches<Row>(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  for (let from = 0; from < rows.length; from += 2) yield rows.slice(from, from + 2);
}

async function joined(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

describe('a dump in pieces', () => {
  const units = { capacity: 2_500, inUse: 5 };
  const options = { form: 'c5', units, nowMs: NOW_MS, head: '' } as const;

  test('is the text that is made whole, and its slots are counted on over the batches', async () => {
    const whole = userDumpText('c5', USERS, units, 'all', NOW_MS);
    expect(await joined(userText(inBatches(USERS), true, options))).toBe(whole);
    expect(await joined(userText([USERS], true, options))).toBe(whole);
    const inUse = userDumpText('c5', USERS, units, 'in-use', NOW_MS);
    expect(await joined(userText(inBatches(USERS), false, options))).toBe(inUse);
    const processes = processDumpText('c5', PROCESSES, units, NOW_MS);
    expect(await joined(processText(inBatches(PROCESSES), options))).toBe(processes);
  });

  test('has its columns as wide as its first batch needs', async () => {
    const text = await joined(userText(inBatches(USERS), false, { ...options, form: 'table' }));
    expect(text.split('\n').slice(0, 5)).toEqual([
      'UserId  Type    Connects        MaxCon  CSPCon  LU      Active  Grace',
      '',
      'alice   User    1               1       0       1       0       0',
      'bob     User    2               2       0       1       10      0',
      '192.9.202.81    User    3       3       0       1       20      0',
    ]);
  });

  test('of nobody has its head all the same, under the line of what was reported', async () => {
    const text = await joined(userText([], false, { ...options, head: 'as reported\n' }));
    expect(text).toBe('as reported\nLicense Capacity = 2500, Current use = 5, Units Remaining = 2495\n\n');
  });

  test('as JSON: the head, and a line for each row', async () => {
    const text = await joined(jsonLines({ of: 'a' }, inBatches(USERS), ({ userId }) => ({ userId })));
    expect(text.split('\n').slice(0, 2)).toEqual(['{"of":"a"}', '{"userId":"alice"}']);
    expect(text.trimEnd().split('\n')).toHaveLength(6);
  });

  test('ends its rows when whoever reads goes away', async () => {
    let isClosed = false;
    async function* endless() {
      try {
        for (;;) yield USERS;
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of userText(endless(), false, options)) break;
    expect(isClosed).toBe(true);
  });
});

/** The rows of a key by which somebody on two instances costs one unit; of the last one nobody may see anything. */
const KEY_ROWS = ['a', 'c', 'secret'].flatMap((instance, index) =>
  ['alice', 'bob'].map((userId) => ({
    ...{ pool: 'pool-1', userId, instance, connections: 1 + index },
    units: index === 0 ? 1 : 0,
    isShared: index > 0,
    isElsewhere: true,
  })),
);
const mayShow = (_pool: string, instance: string) => instance !== 'secret';

test('the dump of keys in pieces is the text that is made whole, less what may not be seen', async () => {
  const fields = [['OrderNumber', '1']] as const;
  const use = { instances: 2, unitsAuthorised: 8, unitsInUse: 2, unitsPeak: 3 };
  const rows = KEY_ROWS.toSorted((one, other) => (one.userId < other.userId ? -1 : 1));
  const clients = rows
    .filter(({ instance }) => instance !== 'secret')
    .map((row) => ({ ...row, address: `at-${row.instance}` }));
  const nobody = { key: null, fields, ...use };
  const keys = [
    { ...nobody, clients: [] },
    { ...nobody, clients },
    { ...nobody, clients: [] },
  ];
  const head = { key: null, fields, unitsEnforced: 8, ...use };
  const heads = {
    keys: ['pool-0', 'pool-1', 'pool-2'].map((pool) => ({ pool, ...head })),
    asOf: { atMs: NOW_MS, version: 1 },
    mayShow,
    addressOf: (instance: string) => `at-${instance}`,
  };
  for (const one of [null, 'the-key']) {
    const whole = keysText({ keys, isCut: false, atMs: NOW_MS, isOne: one !== null });
    expect(await joined(keyRowsText(heads, { of: one, atMs: NOW_MS }, inBatches(rows)))).toBe(whole);
  }
});

describe('the dump of servers in pieces', () => {
  const total = {
    unitsInUse: 2,
    unitsEnforced: 9,
    unitsAuthorised: 8,
    users: 2,
    connections: 9,
    instances: 3,
  };
  const rows = KEY_ROWS.filter(({ instance }) => instance !== 'secret');
  const server = (pool: string, instance: string, unitsReserved = 0) => {
    const clients = rows.filter((row) => row.pool === pool && row.instance === instance);
    const sum = (of: (row: (typeof rows)[number]) => number) =>
      clients.reduce((all, row) => all + of(row), 0);
    return {
      ...{ pool, key: pool, instance, clients, unitsReserved },
      state: instance === 'c' ? ('removed' as const) : ('active' as const),
      users: clients.length,
      connections: sum(({ connections }) => connections),
      units: sum(({ units }) => units) + unitsReserved,
      unitsShared: clients.length,
    };
  };
  const servers = [
    server('pool-0', 'z'),
    server('pool-1', 'a', 3),
    server('pool-1', 'b', 2),
    server('pool-1', 'c'),
    server('pool-1', 'd'),
    server('pool-2', 'e'),
  ];
  const poolOf = (pool: string) => ({
    ...{ pool, key: pool, total: { pool, key: pool, ...total } },
    // Nothing of the instance c is known but that somebody is there.
    instances: servers.filter((one) => one.pool === pool && one.instance !== 'c'),
  });
  const heads = {
    pools: ['pool-0', 'pool-1', 'pool-2', 'pool-3'].map(poolOf),
    mayShow,
    stateOf: (instance: string) => (instance === 'c' ? ('removed' as const) : ('active' as const)),
  };

  test.each([null, 'a'])(
    'is the text that is made whole, with instances that nobody is on (%s)',
    async (of) => {
      const totals = heads.pools.map((pool) => pool.total);
      const whole = serversText({ servers, totals, isCut: false, atMs: NOW_MS, instance: of });
      expect(await joined(serverRowsText(heads, { of, atMs: NOW_MS }, inBatches(KEY_ROWS)))).toBe(whole);
    },
  );

  test('of nothing says so', async () => {
    const none = { ...heads, pools: [] };
    const whole = serversText({ servers: [], totals: [], isCut: false, atMs: NOW_MS, instance: null });
    expect(await joined(serverRowsText(none, { of: null, atMs: NOW_MS }, []))).toBe(whole);
  });
});
