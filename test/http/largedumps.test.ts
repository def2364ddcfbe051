/** Dumps of instances with more rows than are gone through in memory: whole, and piece by piece out of the fold. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Fold } from '../../src/service/fold.ts';
import { Leadership } from '../../src/service/leadership.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { StandingClock } from '../support/clock.ts';
import { readContract, underContract } from '../support/contract.ts';
import { bearer, createRecordingLogger } from '../support/http.ts';
import { until } from '../support/wait.ts';

const TEXT = { headers: { accept: 'text/plain' } };
const LINES = { headers: { accept: 'application/x-ndjson' } };
const FOLD_TIMEOUT_MS = 10_000;

let started: StartedApp;
let clock: StandingClock;
let key: string;
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
  key = id;
  await started.register('large', id);
  await started.register('idle', id);
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

/** How many dumps are being made. */
async function sessions(): Promise<number> {
  const [row] = await started.sql<{ count: number }[]>`
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'test dump'`;
  return Number(row!.count);
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

describe('the dumps of servers and keys of more rows than are made in memory', () => {
  const ask = (path: string, options = {}) => started.call(`GET ${path}`, options);
  const linesOf = (body: string) =>
    body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  /** The instant of the fold, which is that of the last row of the journal. */
  const asOf = () => new Date(clock.nowMs() - 1_000).toISOString();

  test('as text, whole, with how many entries there are and as of when the fold is', async () => {
    const servers = await ask('/v1/usage/servers', TEXT);
    expect([servers.headers['dump-entries'], servers.headers['as-of']]).toEqual(['3', asOf()]);
    expect(servers.body).toBe(`License Server database of all servers at ${asOf()}

Key ${key}: 6 license units authorized, 6 enforced

     Instance idle
Connections  License Units  Client
          0              0  Total of 0 clients
                         0  Units shared with other instances

     Instance large
Connections  License Units  Client
          2              1  alice
          1              1  bob
          1              1  carol
          4              3  Total of 3 clients
                         0  Units shared with other instances

     All instances
Connections  License Units  Client
          4              3  Grand total of 3 clients on 2 active instances
`);
    const one = await ask('/v1/usage/servers?instance=large', TEXT);
    expect(one.body).toMatch(/^License Server database of server large at /);
    expect(one.body).not.toContain('idle');
    const keys = await ask(`/v1/usage/keys?key=${key}`, TEXT);
    expect(keys.headers['dump-entries']).toBe('3');
    expect(keys.body).toContain('Current License Units Used =       3\n');
    expect(keys.body.match(/^(alice|bob|carol) .* large$/gm)).toHaveLength(3);
  });

  test('as lines: what it is of, then each row', async () => {
    const [head, ...rows] = linesOf((await ask('/v1/usage/servers', LINES)).body);
    expect(head).toMatchObject({
      totals: [{ key, unitsInUse: 3 }],
      instances: [{ instance: 'idle' }, { instance: 'large', state: 'active', unitsReserved: 0 }],
      asOf: asOf(),
    });
    const alice = { key, instance: 'large', userId: 'alice', connections: 2, units: 1, shared: false };
    expect(rows[0]).toEqual({ ...alice, state: 'active' });
    expect(rows).toHaveLength(3);
    const [keys, ...clients] = linesOf((await ask('/v1/usage/keys', LINES)).body);
    expect(keys).toMatchObject({ keys: [{ key, unitsInUse: 3 }], asOf: asOf() });
    expect(clients[0]).toEqual(alice);
    expect(clients).toHaveLength(3);
  });

  test('when too many are made already, is refused with a problem, before anything is sent', async () => {
    const { sql } = started;
    const begun = await sql.begin(async (tx) => {
      await tx`lock table logins in access exclusive mode`;
      const waiting = Promise.all([ask('/v1/usage/keys', TEXT), ask('/v1/usage/servers', LINES)]);
      await until(async () => (await sessions()) === 2, FOLD_TIMEOUT_MS, 'two dumps are being made');
      for (const path of ['/v1/usage/servers', '/v1/usage/keys', '/v1/instances/large/dumps/all']) {
        const { statusCode, headers, body } = await ask(path, TEXT);
        expect([statusCode, JSON.parse(body).code]).toEqual([429, 'too-many-dumps']);
        expect(headers['retry-after']).toBe('5');
      }
      return { waiting };
    });
    for (const { statusCode } of await begun.waiting) expect(statusCode).toBe(200);
  });

  test('only its head is asked for, or whoever asked goes away: its connection is let go', async () => {
    for (const path of ['/v1/usage/servers', '/v1/instances/large/dumps/processes']) {
      const { statusCode, headers, body } = await started.app.inject({
        ...{ method: 'HEAD', url: path },
        headers: { ...TEXT.headers, ...bearer(started.tokens.viewer) },
      });
      expect([statusCode, Number(headers['dump-entries']) > 2, body]).toEqual([200, true, '']);
    }
    await until(async () => (await sessions()) === 0, FOLD_TIMEOUT_MS, 'no dump is being made');
    const url = await started.app.listen({ host: '127.0.0.1', port: 0 });
    await started.sql.begin(async (tx) => {
      await tx`lock table logins in access exclusive mode`;
      const leaving = new AbortController();
      const headers = { ...TEXT.headers, ...bearer(started.tokens.viewer) };
      const asked = fetch(`${url}/v1/usage/keys`, { headers, signal: leaving.signal }).catch(
        ({ name }) => name,
      );
      await until(async () => (await sessions()) === 1, FOLD_TIMEOUT_MS, 'the dump is being made');
      leaving.abort();
      expect(await asked).toBe('AbortError');
      await until(async () => (await sessions()) === 0, FOLD_TIMEOUT_MS, 'the dump has been given up');
    });
  });

  test('of a token that is restricted has only what it may see', async () => {
    const token = await started.token('instance', { instance: 'idle' });
    const servers = await ask('/v1/usage/servers', { ...TEXT, token });
    expect(servers.body).not.toContain('alice');
    const viewer = await started.token('viewer', { keys: ['another'] });
    for (const path of ['/v1/usage/servers', '/v1/usage/keys']) {
      expect((await ask(path, { ...TEXT, token: viewer })).body).not.toMatch(/alice|large|idle/);
      expect((await ask(path, { ...LINES, token: viewer })).body).not.toMatch(/alice|large|idle/);
    }
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
