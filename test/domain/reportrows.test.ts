/** The rows of the local reports, of the server's table and of an instance's own. */

import { describe, expect, test } from '@jest/globals';
import {
  decideLocalIdentify,
  decideLocalLogin,
  decideLocalLogout,
} from '../../src/domain/local/localdecisions.ts';
import { LocalLogin, LocalTable } from '../../src/domain/local/localtable.ts';
import { Table } from '../../src/domain/table.ts';
import {
  durationRows,
  keyRows,
  matchesFilter,
  QUERIES,
  queryNamed,
  summaryRows,
} from '../../src/domain/texts/queries.ts';
import { appLicenses, applicationUse } from '../../src/domain/texts/reportholdings.ts';
import {
  processTypeOf,
  rowsOfInstance,
  rowsOfLocalTable,
  userTypeOf,
} from '../../src/domain/texts/reportrows.ts';
import type { Claims } from '../../src/domain/users.ts';

function makeLocal(tracksProcesses = true): LocalTable {
  const capacity = { unitsMax: 50, connectionsPerUnitMax: 2, fault: null };
  const table = new LocalTable({ instance: 'a', idPrefix: 'x', capacity });
  if (tracksProcesses) table.logins = new Set();
  return table;
}

function letIn(table: LocalTable, claims: Partial<Claims>, nowMs = 0): LocalLogin {
  const answer = decideLocalLogin(table, { kind: 'user', ...claims }, nowMs);
  if (answer instanceof LocalLogin) return answer;
  throw new Error(`a grant was expected, not ${JSON.stringify(answer)}`);
}

describe('the rows of an instance’s own table', () => {
  test('since when somebody is in begins anew once he was out', () => {
    const table = makeLocal();
    const first = letIn(table, { user: 'alice' }, 1_000);
    letIn(table, { user: 'bob' }, 2_000);
    letIn(table, { user: 'alice' }, 3_000);
    decideLocalLogout(table, first, 4_000);
    // He is in since his first connection, which is gone, as long as another one has been there.
    expect(rowsOfLocalTable(table).users).toMatchObject([
      { userId: 'alice', sinceMs: 1_000, connections: 1, connectionsPeak: 2 },
      { userId: 'bob', sinceMs: 2_000 },
    ]);
    for (const login of [...table.logins!]) decideLocalLogout(table, login, 5_000);
    letIn(table, { user: 'bob' }, 6_000);
    letIn(table, { user: 'alice' }, 7_000);
    const rows = rowsOfLocalTable(table).users.map(({ userId, sinceMs }) => [userId, sinceMs]);
    expect(rows).toEqual([
      ['bob', 6_000],
      ['alice', 7_000],
    ]);
  });

  test('who identifies himself as somebody else is in since then', () => {
    const table = makeLocal();
    const login = letIn(table, { kind: 'web', webSession: 'session' }, 1_000);
    decideLocalIdentify(table, login, 'alice', undefined, 9_000);
    expect(rowsOfLocalTable(table).users).toMatchObject([{ userId: 'alice', type: 'CSP', sinceMs: 9_000 }]);
    expect(table.webUsers).toBe(1);
  });

  test('a transition costs each connection a unit (F-32)', () => {
    const table = makeLocal();
    for (let count = 0; count < 3; count += 1) letIn(table, { user: 'many' });
    expect(rowsOfLocalTable(table).users).toMatchObject([{ units: 3, connections: 3, type: 'User' }]);
  });

  test('web users and grace are counted with their peaks, and come to nothing when all are gone', () => {
    const table = makeLocal();
    const one = letIn(table, { kind: 'web', webSession: 'one' });
    const two = letIn(table, { kind: 'web', webSession: 'two' });
    decideLocalLogout(table, one, 10, true);
    expect([table.webUsers, table.webGrace]).toEqual([2, 1]);
    decideLocalLogout(table, two, 20);
    expect([table.webUsers, table.webGrace]).toEqual([1, 1]);
    // Its ten minutes are over, which the next login finds.
    letIn(table, { user: 'alice' }, 600_011);
    expect([table.webUsers, table.webGrace, table.webUsersPeak, table.webGracePeak]).toEqual([0, 0, 2, 1]);
    decideLocalLogout(table, letIn(table, { kind: 'web', webSession: 'three' }, 600_012), 600_013, true);
    table.loseAll();
    expect([table.webUsers, table.webGrace]).toEqual([0, 0]);
  });

  test('processes are kept from the login to the logout, and only where they are wanted', () => {
    const table = makeLocal();
    const login = letIn(table, { user: 'alice', processId: 7 });
    letIn(table, { kind: 'system', processId: 8 });
    expect(rowsOfLocalTable(table).processes.map(({ processId }) => processId)).toEqual([7, 8]);
    decideLocalLogout(table, login, 0);
    letIn(table, { user: 'bob', processId: 9 });
    table.loseAll();
    expect(rowsOfLocalTable(table).processes.map(({ processId }) => processId)).toEqual([8]);
    expect(table.logins!.size).toBe(1);
    const without = makeLocal(false);
    letIn(without, { user: 'alice' });
    expect(rowsOfLocalTable(without).processes).toEqual([]);
  });
});

test('an instance that the server’s table does not have has no rows', () => {
  expect(rowsOfInstance(new Table(0), 'nowhere')).toEqual({ users: [], processes: [] });
});

describe('the words of the reports (notes 2.6)', () => {
  test('types of users', () => {
    expect([userTypeOf(2, 0, 0), userTypeOf(2, 2, 1), userTypeOf(2, 1, 0), userTypeOf(1, 1, 1)]).toEqual([
      'User',
      'CSP',
      'Mixed',
      'Grace',
    ]);
  });

  test('types of processes', () => {
    const of = (kind: Claims['kind'], phase: 'active' | 'pending' = 'active') =>
      processTypeOf({ kind, phase });
    const kinds = ['system', 'server', 'emergency', 'web', 'request', 'batch', 'startup', 'user'] as const;
    expect(kinds.map((kind) => of(kind))).toEqual([
      'System',
      'Server',
      'Diagnostic',
      'CSP',
      'CSP',
      'User',
      'User',
      'User',
    ]);
    expect(of('user', 'pending')).toBe('Pending');
  });

  test('queries are found in any case; each has columns of its own names', () => {
    expect(queryNamed('USERLIST')?.name).toBe('UserList');
    expect(queryNamed('nothing')).toBeUndefined();
    for (const { name, columns } of QUERIES)
      expect([name, new Set(columns).size]).toEqual([name, columns.length]);
  });

  test('a filter is a part of a user ID, or of a process ID', () => {
    expect(matchesFilter(undefined, null)).toBe(true);
    expect([matchesFilter('LI', 'alice'), matchesFilter('x', 'alice')]).toEqual([true, false]);
    expect([matchesFilter('23', null, 1234), matchesFilter('23', null, 0)]).toEqual([true, false]);
  });

  test('without a server its part reads Not connected to license server (notes 2.7)', () => {
    const use = { unitsInUse: 1, unitsPeak: 2, unitsAuthorised: 3, connections: 4, connectionsPeak: null };
    expect(summaryRows(use, null).map(([, local, distributed]) => [local, distributed])).toEqual(
      [1, 2, 3, 4, null].map((local) => [local, 'Not connected to license server']),
    );
  });

  test('durations: one class for each bound, and one beyond', () => {
    expect(durationRows([1, 15], [3, 0, 2])).toEqual([
      ['Up to 1 seconds', 3],
      ['Up to 15 seconds', 0],
      ['More than 15 seconds', 2],
    ]);
  });

  test('sections of a key: main, application, all', () => {
    const sections = [{ name: 'Lab', entries: [['Users', '5']] as const }];
    const [main, lab] = [
      [['OrderNumber', '1']],
      [
        ['[Lab]', ''],
        ['Users', '5'],
      ],
    ];
    const of = (which: 1 | 2 | 3) => keyRows([['OrderNumber', '1']], sections, which);
    expect([of(1), of(2), of(3)]).toEqual([main, lab, [...main!, ...lab!]]);
  });

  test('application licences as keywords, with how often, and over all applications', () => {
    const takes = new Map([
      [
        'Lab',
        new Map([
          ['Users', 2],
          ['Devices', 1],
        ]),
      ],
      ['ISC.A', new Map([['Core', 1]])],
    ]);
    expect(appLicenses(takes, 'Lab', false)).toBe('Devices,Users');
    expect(appLicenses(takes, 'Lab', true)).toBe('Devices=1,Users=2');
    expect([appLicenses(takes, 'Other', true), appLicenses(undefined, 'Lab', true)]).toEqual(['', '']);
    expect(applicationUse(takes)).toBe('ISC.A,Core;Lab,Devices;Lab,Users');
  });
});
