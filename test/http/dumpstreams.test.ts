/** The pieces of which dumps are sent: together they are the texts that are made whole. */

import { describe, expect, test } from '@jest/globals';
import { keysText } from '../../src/domain/reporttexts-distributed.ts';
import { processDumpText, userDumpText } from '../../src/domain/reporttexts-dumps.ts';
import type { UserRow } from '../../src/domain/usagerows.ts';
import { jsonLines, keyRowsText, processText, userText } from '../../src/http/dumpstreams.ts';

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

test('the dump of a key in pieces is the text that is made whole, less what may not be seen', async () => {
  const fields = [['OrderNumber', '1']] as const;
  const use = { instances: 2, unitsAuthorised: 8, unitsInUse: 2, unitsPeak: 3 };
  const rows = ['a', 'b', 'secret'].map((instance, index) => ({
    userId: 'alice',
    instance,
    connections: 1,
    units: index === 0 ? 1 : 0,
    isShared: index > 0,
  }));
  const shown = rows.slice(0, 2).map((row) => ({ ...row, address: `at-${row.instance}` }));
  const keys = [{ key: null, fields, ...use, clients: shown }];
  const whole = keysText({ keys, isCut: false, atMs: NOW_MS, isOne: true });
  const heads = {
    keys: [{ pool: 'pool-1', key: null, fields, unitsEnforced: 8, ...use }],
    asOf: { atMs: NOW_MS, version: 1 },
    mayShow: (pool: string, instance: string) => pool === 'pool-1' && instance !== 'secret',
    addressOf: (instance: string) => `at-${instance}`,
  };
  const head = { version: 1, atMs: NOW_MS, rows: 3, units: 1 };
  const open = async () => ({ ...head, batches: inBatches(rows), close: async () => {} });
  expect(await joined(keyRowsText(heads, true, open))).toBe(whole);
});
