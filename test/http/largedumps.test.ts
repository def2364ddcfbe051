/** Dumps of instances with more rows than are gone through in memory: whole, and piece by piece out of the fold. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Fold } from '../../src/service/fold.ts';
import { Leadership } from '../../src/service/leadership.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { StandingClock } from '../support/clock.ts';
import { readContract, underContract } from '../support/contract.ts';
import { createRecordingLogger } from '../support/http.ts';
import { until } from '../support/wait.ts';

const TEXT = { headers: { accept: 'text/plain' } };
const LINES = { headers: { accept: 'application/x-ndjson' } };
const FOLD_TIMEOUT_MS = 10_000;

let started: StartedApp;
let clock: StandingClock;
let closeFold: () => Promise<void>;

beforeAll(async () => {
  clock = new StandingClock();
  started = underContract(await startApp({ clock, reportRowsInMemoryMax: 2 }), await readContract());
  const { sql, lane } = started;
  const logger = createRecordingLogger();
  const terms = { leaseMs: 60_000, renewMs: 1_000, mayLead: () => true };
  const leadership = new Leadership({ shard: 0, sql, holder: 'the-test', ...terms, logger });
  const fold = new Fold({ shard: 0, sql, lane, leadership, logger, intervalMs: 10 });
  leadership.start();
  fold.start();
  closeFold = async () => {
    await fold.close();
    await leadership.close();
  };
  const { id } = await started.installKey({ OrderNumber: 8_501, AuthorizedUnits: 6 });
  await started.register('large', id);
  await folded();
  for (const [user, pid] of [
    ['carol', 1],
    ['alice', 2],
    ['bob', 3],
    ['alice', 4],
  ] as const) {
    await started.login('large', user, { claims: { user, processId: pid } });
    clock.advance(1_000);
  }
  await folded();
});
afterAll(async () => {
  await closeFold?.();
  await started?.close();
});

/** Waits until the table in Postgres is as of now. */
function folded(): Promise<boolean> {
  const { version } = started.lane.table;
  const isLevel = async () => (await started.call('GET /v1/logins?limit=1')).json().version >= version;
  return until(isLevel, FOLD_TIMEOUT_MS, 'the fold is level with the journal');
}

const get = (what: string, options = {}) => started.call(`GET /v1/instances/large/dumps/${what}`, options);

describe('a dump of more rows than are gone through in memory', () => {
  test('is refused in pages, with what to ask for instead', async () => {
    for (const what of ['all', 'in-use', 'processes']) {
      const { statusCode, body } = await get(what);
      expect([statusCode, JSON.parse(body).code]).toEqual([422, 'report-too-large']);
      expect(JSON.parse(body).detail).toContain('application/x-ndjson');
    }
    const query = await started.call('GET /v1/queries/UserList?instance=large');
    expect([query.statusCode, query.json().code]).toEqual([422, 'report-too-large']);
  });

  test('all.dmp and inuse.dmp, oldest first, with how many entries there are and as of when the fold is', async () => {
    const response = await get('all', TEXT);
    expect(response.headers['dump-entries']).toBe('3');
    // The last row of the journal is of a second ago.
    expect(response.headers['as-of']).toBe(new Date(clock.nowMs() - 1_000).toISOString());
    expect(response.body).toBe(`License Capacity = 6, Current use = 3, Units Remaining = 3

   0)  User ID = carol, Connections = 1, CSP Count = 0, Time active = 3
   1)  User ID = alice, Connections = 2, CSP Count = 0, Time active = 2
   2)  User ID = bob, Connections = 1, CSP Count = 0, Time active = 1
   3)  free
   4)  free
   5)  free
`);
    expect((await get('in-use?form=table', TEXT)).body).toBe(
      `UserId  Type    Connects        MaxCon  CSPCon  LU      Active  Grace

carol   User    1               1       0       1       3       0
alice   User    2               2       0       1       2       0
bob     User    1               1       0       1       1       0
`,
    );
  });

  test('piduse.dmp', async () => {
    const { body, headers } = await get('processes', TEXT);
    expect(headers['dump-entries']).toBe('4');
    expect(
      body
        .split('\n')
        .slice(2, 6)
        .map((line) => line.split(/ +/).slice(0, 3)),
    ).toEqual([
      ['1', 'User', 'carol'],
      ['2', 'User', 'alice'],
      ['3', 'User', 'bob'],
      ['4', 'User', 'alice'],
    ]);
  });

  test('one JSON object a line: what it is of, then each entry', async () => {
    const response = await get('in-use', LINES);
    expect(response.headers['content-type']).toBe('application/x-ndjson');
    const [head, ...rows] = response.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(head).toMatchObject({ instance: 'large', capacity: 6, unitsInUse: 3 });
    expect(rows).toMatchObject([
      { userId: 'carol', type: 'User', connections: 1, activeSeconds: 3 },
      { userId: 'alice', connections: 2, connectionsPeak: 2 },
      { userId: 'bob' },
    ]);
    const processes = (await get('processes', LINES)).body.trimEnd().split('\n').slice(1);
    expect(processes.map((line) => JSON.parse(line).processId)).toEqual([1, 2, 3, 4]);
  });
});

test('lines of few rows come from memory, and are those of the pages', async () => {
  await started.register('small', (await started.installKey({ OrderNumber: 8_502 })).id);
  await started.login('small', 'dave');
  const path = 'GET /v1/instances/small/dumps/in-use';
  const { items } = (await started.call(path)).json();
  const lines = (await started.call(path, LINES)).body.trimEnd().split('\n').slice(1);
  expect(lines.map((line) => JSON.parse(line))).toEqual(items);
});
