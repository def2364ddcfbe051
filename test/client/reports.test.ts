/** The reports of an instance: live from its own table, or asked of the server, which may be away. */

import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  ApiError,
  type Client,
  createClient,
  type LicenseInstance,
  UnreachableError,
} from '../../src/client/index.ts';
import { REPORT_NAMES } from '../../src/client/reports.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { impatientClient, loggedIn, type OpenedInstance, openInstance } from '../support/instances.ts';
import { Relay } from '../support/relay.ts';

const AWAY = 'Not connected to license server\n';
const golden = (name: string) =>
  readFileSync(new URL(`../fixtures/reports/${name}.txt`, import.meta.url), 'utf8');

let started: StartedApp;
let relay: Relay;
let client: Client;
/** Reaches the same server by a way that can be cut. */
let relayed: Client;
const opened: OpenedInstance[] = [];

beforeAll(async () => {
  // The time that the tests let pass must not end what is leased.
  started = await startApp({ leaseTermMs: 3_600_000 });
  const url = await started.app.listen({ port: 0, host: '127.0.0.1' });
  client = createClient({ url, token: ADMIN_TOKEN });
  relay = await Relay.open(url);
  relayed = impatientClient(relay.url);
});
afterEach(async () => {
  relay.mend();
  for (const { instance } of opened.splice(0)) await instance.close();
});
afterAll(async () => {
  client?.close();
  relayed?.close();
  await relay?.close();
  await started?.close();
});

let orders = 9_000;
let names = 0;

type Enforcement = 'central' | 'local' | 'leased';

async function open(enforcement: Enforcement, units = 5, more: object = {}): Promise<OpenedInstance> {
  orders += 1;
  names += 1;
  const { id } = await started.installKey({ OrderNumber: orders, AuthorizedUnits: units });
  await client.keys.change(id, { enforcement }, '*');
  const name = `reporting-${names}`;
  const instance = await openInstance({ client: relayed, name, key: id, tracksProcesses: true, ...more });
  opened.push(instance);
  return instance;
}

/** The situation of the seeds (S1): one client for 90 seconds with two connections, one for 49. */
async function seedSituation({ instance, clock }: OpenedInstance): Promise<void> {
  for (const clientAddress of ['127.0.0.1', '127.0.0.1']) loggedIn(await instance.login({ clientAddress }));
  clock.advance(41_000);
  loggedIn(await instance.login({ clientAddress: '192.9.202.81' }));
  clock.advance(49_000);
}

describe.each(['local', 'leased'] as const)('under a %s key: live, without asking anybody', (enforcement) => {
  test('DumpLocalAll of the seed’s own situation is the seed’s own text, also while the server is away (F-63)', async () => {
    const opening = await open(enforcement);
    await seedSituation(opening);
    const { reports } = opening.instance;
    expect(await reports.text('DumpLocalAll')).toBe(golden('dump-local-all-c5'));
    relay.cut();
    expect(await reports.text('DumpLocalAll')).toBe(golden('dump-local-all-c5'));
    expect(await reports.text('DumpLocalInUse')).toBe(golden('dump-local-in-use-c5'));
  });

  test('the processes that it let in, and those that consume nothing (F-64)', async () => {
    const { instance } = await open(enforcement);
    const pids = [592, 2816, 688];
    const logins = pids.map((pid) => loggedIn(instance.tryLogin({ process: { pid, kind: 'system' } })));
    expect(await instance.reports.text('DumpLocalPID')).toBe(golden('dump-local-pid-table'));
    loggedIn(await instance.login({ user: 'alice', process: { pid: 7 } }));
    instance.release(logins[0]!);
    const { rows, isLive } = await instance.reports.rows('ProcessList');
    expect(isLive).toBe(true);
    expect(rows.map(([pid, , process, user]) => [pid, process, user])).toEqual([
      [2816, 'System', null],
      [688, 'System', null],
      [7, 'User', 'alice'],
    ]);
    expect((await instance.reports.rows('ProcessList', { filter: '68' })).rows).toHaveLength(1);
  });

  test('ShowCounts, UserList and Counts: types, web sessions, grace, and the peaks', async () => {
    const { instance, clock } = await open(enforcement, 6);
    const web = loggedIn(await instance.webSession('session-1'));
    loggedIn(await instance.webSession('session-2'));
    const process = loggedIn(await instance.login({ user: 'carol' }));
    instance.release(process);
    instance.release(web, true);
    clock.advance(60_000);
    const users = await instance.reports.rows('UserList');
    expect(users.columns).toEqual([
      'UserId',
      'Type',
      'Connects',
      'MaxCon',
      'CSPCon',
      'LU',
      'Active',
      'Grace',
    ]);
    expect(users.rows).toEqual([
      ['session-1', 'Grace', 1, 1, 1, 1, 60, 540],
      ['session-2', 'CSP', 1, 1, 1, 1, 60, 0],
    ]);
    expect((await instance.reports.rows('UserListAll')).rows).toHaveLength(6);
    expect((await instance.reports.rows('UserList', { filter: '2' })).rows).toHaveLength(1);
    expect((await instance.reports.rows('Counts')).rows.map(([, count]) => count)).toEqual([
      6, 4, 3, 2, 3, 2, 2, 1, 1,
    ]);
    expect(await instance.reports.text('ShowCounts', { counts: 'older' })).toBe(
      `2 Current active users
3 Maximum active users
2 CSP users currently active
2 Maximum active CSP users
1 CSP sessions currently in 'grace period'
1 Maximum CSP sessions in 'grace period'
`,
    );
    clock.advance(540_000);
    expect((await instance.reports.rows('UserList')).rows).toHaveLength(1);
    expect(await instance.reports.text('ShowCounts')).toMatch(
      /^ {7}0 Current CSP Sessions in grace period$/m,
    );
  });
});

describe('the distributed part', () => {
  test('is asked of the server, and reads Not connected to license server while that is away (notes 2.7)', async () => {
    const { instance } = await open('local', 5, { product: 'InterSystems IRIS' });
    loggedIn(instance.tryLogin({ user: 'alice' }));
    loggedIn(instance.tryLogin({ user: 'alice' }));
    await instance.report();
    const local = `     Local license use:
Current Connections =      2  Maximum Connections =      2
Current Users       =      1  Maximum Users       =      1
`;
    const text = await instance.reports.text('ShowSummary');
    expect(text).toContain('Current License Units Used =       1\n');
    expect(text).not.toContain('Enforced');
    expect(text.endsWith(local)).toBe(true);
    expect(await instance.reports.text('ShowSummary', { generation: 'cache' })).toContain('Enforced');
    const summary = await instance.reports.rows('Summary');
    expect(summary.rows[0]).toEqual(['Current License Units Used', 1, 1]);
    relay.cut();
    expect(await instance.reports.text('ShowSummary')).toBe(`License Server summary view of active key.

     Distributed license use:
Not connected to license server

${local}`);
    expect((await instance.reports.rows('Summary')).rows[3]).toEqual([
      'Current Connections',
      2,
      'Not connected to license server',
    ]);
  });

  test('the key’s fields are the server’s, and what is left is the instance’s own', async () => {
    const { instance } = await open('local');
    loggedIn(instance.tryLogin({ user: 'alice' }));
    const key = instance.terms.key!;
    const text = await instance.reports.text('CKEY');
    expect(text).toContain(`Based on the active key file '${key}.key'\n`);
    expect(text).toContain('     CustomerName =      Example Clinic\n');
    expect(text).not.toContain('LicenseType');
    expect(text).toContain('     Current Available =      4\n');
    relay.cut();
    const away = await instance.reports.text('CKEY');
    expect(away).toContain(`\n\n${AWAY}\n     Current Available =      4\n`);
  });

  test('every report that only the server has says so while it is away; rows reject', async () => {
    const { instance } = await open('local');
    for (const name of ['DumpServer', 'DumpServers', 'DumpKey', 'DumpKeys'] as const)
      expect(await instance.reports.text(name)).toMatch(/^License Server database of /);
    expect(await instance.reports.text('ShowServer')).toBe(AWAY);
    expect((await instance.reports.rows('ConnectionList')).isLive).toBe(false);
    relay.cut();
    for (const name of ['ShowServer', 'DumpServer', 'DumpServers', 'DumpKey', 'DumpKeys'] as const)
      expect([name, await instance.reports.text(name)]).toEqual([name, AWAY]);
    await expect(instance.reports.rows('ConnectionList')).rejects.toThrow(UnreachableError);
  });
});

describe('under a central key', () => {
  test('every report is the server’s; while it is away there is none', async () => {
    const { instance } = await open('central');
    loggedIn(await instance.login({ user: 'alice', process: { pid: 9 } }));
    for (const name of REPORT_NAMES)
      expect([name, await instance.reports.text(name)]).not.toEqual([name, '']);
    expect(await instance.reports.text('DumpLocalAll')).toContain('   0)  User ID = alice, Connections = 1');
    expect(await instance.reports.text('DumpLocalAll', { form: 'table' })).toMatch(/^UserId +Type/);
    expect(await instance.reports.text('ShowCounts', { counts: 'older' })).toMatch(
      /^1 Current active users$/m,
    );
    const { rows, isLive } = await instance.reports.rows('processlist');
    expect([isLive, rows[0]!.slice(0, 4)]).toEqual([false, [9, '9', 'User', 'alice']]);
    relay.cut();
    for (const name of REPORT_NAMES) expect(await instance.reports.text(name)).toBe(AWAY);
  });

  test('all pages of a query are read', async () => {
    const { instance } = await open('central', 600);
    const body = { instance: instance.name };
    const operations = Array.from({ length: 200 }, (_, index) => ({
      do: 'login' as const,
      login: { ...body, user: `user-${index}` },
    }));
    await client.logins.batch({ operations });
    const { rows } = await instance.reports.rows('UserListAll');
    expect(rows).toHaveLength(600);
    expect(rows.filter(([userId]) => userId !== '')).toHaveLength(200);
  });
});

describe('what is wrong with a report', () => {
  test('a name that there is not, processes that are not kept, a token that may not', async () => {
    const { instance } = await open('local', 5, { tracksProcesses: false });
    await expect(instance.reports.text('DumpEverything' as 'CKEY')).rejects.toThrow(/There is no report/);
    await expect(instance.reports.rows('Everything')).rejects.toThrow(/There is no query/);
    await expect(instance.reports.text('DumpLocalPID')).rejects.toThrow(/tracksProcesses: true/);
    await expect(instance.reports.rows('ProcessList')).rejects.toThrow(/tracksProcesses: true/);
    const token = await started.token('instance', { instance: 'mine' });
    const narrow = createClient({ url: relay.url, token, attemptsMax: 1 });
    const mine = await openInstance({ client: narrow, name: 'mine' });
    opened.push(mine);
    const other = mine.instance as LicenseInstance;
    await expect(other.reports.rows('ConnectionList', { filter: 'x' })).rejects.toThrow(ApiError);
    narrow.close();
  });
});
