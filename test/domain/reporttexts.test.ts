/**
 * The text reports against golden files. `test/fixtures/reports/README.md` says which of them are samples of the
 * legacy texts, byte for byte, and which the layout of `docs/reports.md`.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { ProcessShown } from '../../src/domain/texts/reportrows.ts';
import {
  activeServerText,
  type CountsShown,
  countsText,
  dumpedText,
  keyDateText,
  keyText,
  printable,
  serverDumpedText,
  summaryText,
} from '../../src/domain/texts/reporttexts.ts';
import { keysText, serversText } from '../../src/domain/texts/reporttexts-distributed.ts';
import {
  atStops,
  FREE_SLOTS_LISTED_MAX,
  freeLines,
  processDumpText,
  reportedLine,
  userDumpText,
  userLine,
  widthsOf,
} from '../../src/domain/texts/reporttexts-dumps.ts';
import type { UserRow } from '../../src/domain/texts/usagerows.ts';

const golden = (name: string) =>
  readFileSync(new URL(`../fixtures/reports/${name}.txt`, import.meta.url), 'utf8');

const NOW_MS = Date.UTC(2030, 0, 1, 12);

function makeRow(fields: Partial<UserRow> = {}): UserRow {
  return {
    userId: '127.0.0.1',
    type: 'User',
    connections: 2,
    connectionsPeak: 3,
    webSessions: 0,
    units: 1,
    sinceMs: NOW_MS - 90_999,
    graceUntilMs: 0,
    ...fields,
  };
}

/** The situation of the seeds (S1, S3). */
const SEED_UNITS = { capacity: 5, inUse: 2 };
const SEED_USERS = [
  makeRow(),
  makeRow({ userId: '192.9.202.81', connections: 1, connectionsPeak: 1, sinceMs: NOW_MS - 49_000 }),
];

function makeProcess(processId: number, fields: Partial<ProcessShown> = {}): ProcessShown {
  const nobody = { userId: null, connections: 0, connectionsPeak: 0, webSessions: 0, units: 0 };
  const base = { processId, kind: 'system', phase: 'active', sinceMs: NOW_MS, endsAtMs: 0 } as const;
  return { ...base, ...nobody, ...fields };
}

/** A process of the first user of the seeds. */
const OF_SEED = { ...SEED_USERS[0]!, kind: 'user' } as const;

const PROCESSES = [
  makeProcess(592),
  makeProcess(1204, OF_SEED),
  makeProcess(1210, OF_SEED),
  makeProcess(1300, { kind: 'web', userId: 'alice@192.0.2.7', connections: 1, webSessions: 1, units: 1 }),
  makeProcess(1301, { kind: 'server' }),
  makeProcess(1302, { kind: 'user', phase: 'pending' }),
  makeProcess(0, { kind: 'emergency' }),
];

describe('local dumps', () => {
  test('all.dmp in the form of Caché 5 is the sample of S1 byte for byte (F-63)', () => {
    expect(userDumpText('c5', SEED_USERS, SEED_UNITS, 'all', NOW_MS)).toBe(golden('dump-local-all-c5'));
  });

  test('inuse.dmp is the same without the free slots (F-63), under the first line of S1', () => {
    const text = userDumpText('c5', SEED_USERS, SEED_UNITS, 'in-use', NOW_MS);
    expect(text).toBe(golden('dump-local-in-use-c5'));
    expect(golden('dump-local-all-c5').startsWith(text)).toBe(true);
  });

  test('piduse.dmp as a table is the sample of S3 byte for byte (F-64)', () => {
    const systems = [592, 2816, 688].map((processId) => makeProcess(processId));
    expect(processDumpText('table', systems, SEED_UNITS, NOW_MS)).toBe(golden('dump-local-pid-table'));
  });

  test('the other forms are as docs/reports.md lays them out', () => {
    expect(processDumpText('c5', PROCESSES, SEED_UNITS, NOW_MS)).toBe(golden('dump-local-pid-c5'));
    expect(processDumpText('table', PROCESSES, SEED_UNITS, NOW_MS)).toBe(
      golden('dump-local-pid-table-mixed'),
    );
    const web = makeRow({
      userId: 'kGhT5s0',
      type: 'Grace',
      webSessions: 1,
      connections: 1,
      graceUntilMs: NOW_MS + 600_000,
    });
    const rows = [...SEED_USERS, web];
    expect(userDumpText('table', rows, SEED_UNITS, 'all', NOW_MS)).toBe(golden('dump-local-all-table'));
    expect(userDumpText('table', rows, SEED_UNITS, 'in-use', NOW_MS)).toBe(golden('dump-local-in-use-table'));
  });

  test('a slot is an entry of the table: more users than slots leave none free', () => {
    expect([...freeLines('c5', 7, 5)]).toEqual([]);
    expect(userDumpText('c5', SEED_USERS, { capacity: 1, inUse: 2 }, 'all', NOW_MS)).toContain(
      'Units Remaining = 0',
    );
  });

  test('free slots beyond a bound are counted, not listed', () => {
    const lines = [...freeLines('c5', 2, 1_000_000_000)];
    expect(lines).toHaveLength(FREE_SLOTS_LISTED_MAX + 1);
    expect(lines.at(-1)).toBe(`${1_000_000_000 - 2 - FREE_SLOTS_LISTED_MAX} more slots are free\n`);
  });

  test('columns stand at stops of eight; what is longer moves the rest of its line (F-64)', () => {
    expect(widthsOf(['PID', 'LID', 'Connects'], [[1, '12345678', null]])).toEqual([8, 16, 16]);
    expect(atStops(['592', 'System', null, 'x'], [8, 8, 8])).toBe('592     System          x');
    expect(atStops(['12345678', 'y', 'z'], [8, 16, 8])).toBe('12345678        y       z');
    expect(atStops(['a', null, ''], [])).toBe('a');
  });

  test('a user ID of several lines stays one line; nobody knows since when is a dash', () => {
    const layout = { form: 'c5', nowMs: NOW_MS, widths: [] } as const;
    expect(userLine(layout, 3, makeRow({ userId: 'two\nlines\u202e', sinceMs: null }))).toBe(
      '   3)  User ID = two\\u000alines\\u202e, Connections = 2, CSP Count = 0, Time active = -\n',
    );
    expect(printable('Zoë')).toBe('Zoë');
    expect(reportedLine(Date.UTC(2030, 0, 1))).toBe('as reported at 2030-01-01T00:00:00.000Z\n');
  });

  test('what a terminal shows after a dump (notes 2.7)', () => {
    expect(dumpedText(25, '/mgr/all.dmp')).toBe('25 entries dumped to /mgr/all.dmp\n');
    expect(serverDumpedText('/mgr/dumpkey.txt')).toBe(
      'License server database dumped to: /mgr/dumpkey.txt\n',
    );
  });
});

const FIELDS = [
  ['LicenseCapacity', '<text>'],
  ['CustomerName', '<text>'],
  ['OrderNumber', '<digits>'],
  ['ExpirationDate', keyDateText('2023-07-15')],
  ['AuthorizationKey', '<text>'],
  ['MachineID', ''],
] as const;

describe('the key display (CKEY)', () => {
  const available = { available: 23, availableMin: 22, availableMax: 25 };

  test('is the transcript of notes 2.7 byte for byte', () => {
    const display = { generation: 'iris', file: '<path>\\iris.key', fields: FIELDS, ...available } as const;
    expect(keyText(display)).toBe(golden('key-iris'));
    const cache = keyText({ ...display, generation: 'cache', file: 'cache.key' });
    expect(cache.split('\n').slice(0, 2)).toEqual([
      'Cache Key display:',
      "Based on the active key file 'cache.key'",
    ]);
    expect(cache.split('\n').slice(2)).toEqual(golden('key-iris').split('\n').slice(2));
  });

  test('says that the server is away, and what is available all the same', () => {
    const text = keyText({
      generation: 'iris',
      file: 'example-5.key',
      fields: [],
      ...available,
      availableMin: null,
    });
    expect(text).toBe(golden('key-away'));
  });

  test('writes dates as key files do (notes 3.1)', () => {
    expect([keyDateText('2027-12-01'), keyDateText(null)]).toEqual(['12/1/2027', '']);
  });
});

const COUNTS: CountsShown = {
  unitsAuthorised: 25,
  unitsAvailable: 23,
  unitsAvailableMin: 22,
  users: 1,
  usersPeak: 3,
  webUsers: 0,
  webUsersPeak: 1,
  webInGrace: 0,
  webInGracePeak: 1,
};

describe('ShowCounts', () => {
  test('older: the transcript of notes 2.7 byte for byte', () => {
    expect(countsText(COUNTS, 'older')).toBe(golden('show-counts-older'));
  });

  test('newer: the nine items in their order; nobody counts is a dash', () => {
    expect(countsText(COUNTS, 'newer')).toBe(golden('show-counts-newer'));
    expect(countsText({ ...COUNTS, webInGracePeak: null }, 'newer')).toMatch(
      /^ {7}- Maximum CSP Sessions in/m,
    );
  });
});

describe('ShowSummary', () => {
  const distributed = { unitsInUse: 184, unitsPeak: 436, unitsEnforced: 1480, unitsAuthorised: 1000 };
  const local = { connections: 60, connectionsPeak: 74, units: 4, unitsPeak: 5 };

  test('Caché: the transcript of notes 2.7 byte for byte', () => {
    expect(summaryText({ distributed, local }, 'cache')).toBe(golden('show-summary-cache'));
  });

  test('IRIS: the same without the line of the enforced units', () => {
    const text = summaryText({ distributed, local }, 'iris');
    expect(text).toBe(golden('show-summary-iris'));
    expect(golden('show-summary-cache').replace(/^.*Enforced.*\n/m, '')).toBe(text);
  });

  test('without a server that stands in the place of the distributed values', () => {
    expect(summaryText({ distributed: null, local }, 'iris')).toBe(golden('show-summary-away'));
  });

  test('without an instance only the distributed part; nobody knows is a dash', () => {
    expect(summaryText({ distributed, local: null }, 'cache')).not.toContain('Local');
    const unknown = summaryText({ distributed, local: { ...local, unitsPeak: null } }, 'cache');
    expect(unknown).toMatch(/Maximum Users {7}= {6}-$/m);
  });
});

const client = (userId: string, connections: number, units: number, isShared = false) => ({
  userId,
  connections,
  units,
  isShared,
});

describe('the licence server', () => {
  const atMs = Date.UTC(2030, 0, 1, 12);

  test('ShowServer (F-16), of which no sample is known', () => {
    expect(activeServerText({ address: '192.0.2.1', port: 4001 })).toBe(golden('show-server'));
    expect(activeServerText(null)).toBe('Not connected to license server\n');
  });

  test('DumpServers and DumpServer: connections, units and client, totals, what is shared (F-19, F-62)', () => {
    const base = { pool: 'example-5', key: 'example-5', state: 'active', unitsReserved: 0 } as const;
    const servers = [
      {
        ...base,
        instance: 'app-a',
        users: 2,
        connections: 3,
        units: 2,
        unitsShared: 1,
        clients: [client('alice', 2, 1), client('bob', 1, 1)],
      },
      {
        ...base,
        instance: 'app-b',
        users: 1,
        connections: 1,
        units: 3,
        unitsShared: 1,
        unitsReserved: 3,
        clients: [client('alice', 1, 0, true)],
      },
    ];
    const total = { pool: 'example-5', unitsInUse: 5, unitsEnforced: 10, unitsAuthorised: 8 };
    const totals = [{ ...total, users: 2, connections: 4, instances: 2 }];
    const shown = { servers, totals, isCut: false, atMs, instance: null };
    expect(serversText(shown)).toBe(golden('dump-servers'));
    expect(serversText({ ...shown, servers: servers.slice(0, 1), instance: 'app-a' })).toBe(
      golden('dump-server'),
    );
    expect(serversText({ ...shown, isCut: true })).toMatch(/There is more.*\n$/);
    expect(serversText({ ...shown, servers: [] })).toContain('No instance uses a key.');
  });

  test('DumpKeys: the fields of each key, instances, units, and who uses them where (F-62)', () => {
    const clients = [
      { ...client('192.9.202.81', 2, 1), instance: 'app-a', address: '192.0.2.1' },
      { ...client('192.9.202.81', 1, 0, true), instance: 'app-b', address: '' },
    ];
    const use = { instances: 2, unitsAuthorised: 8, unitsInUse: 1, unitsPeak: 6 };
    const key = { key: 'example-5', fields: FIELDS, clients, ...use };
    const none = { key: null, fields: [], instances: 1, unitsAuthorised: 1, unitsInUse: 1, unitsPeak: 1 };
    const keys = [key, { ...none, clients: [{ ...client('root', 1, 1), instance: 'new', address: '' }] }];
    expect(keysText({ keys, isCut: false, atMs, isOne: false })).toBe(golden('dump-keys'));
    const one = keysText({ keys: [key], isCut: true, atMs, isOne: true });
    expect(one).toMatch(/^License Server database of one key at 2030/);
    expect(one).toMatch(/There is more.*\n$/);
    expect(keysText({ keys: [], isCut: false, atMs, isOne: false })).toContain('There is no key.');
  });
});
