import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sql } from 'postgres';
import { connectDatabase } from '../../src/storage/database.ts';
import {
  beatLicenseServer,
  findActiveLicenseServer,
  isPlaceTaken,
  listLicenseServers,
  putLicenseServer,
  removeLicenseServer,
  resignLicenseServer,
} from '../../src/storage/licenseservers.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createRecordingLogger } from '../support/http.ts';

const LEASE_MS = 60_000;
const COUNT_MAX = 64;

let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  const logger = createRecordingLogger();
  sql = connectDatabase({ url: database.url, logger, applicationName: 'test', connectionsMax: 8 });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});
beforeEach(async () => {
  await sql`delete from license_servers`;
  await sql`delete from active_license_server`;
  for (const [index, name] of ['ONE', 'OTHER', 'THIRD'].entries()) {
    await put(name, '192.0.2.1', 4001 + index);
  }
});

const put = (name: string, address: string, port: number, countMax = COUNT_MAX) =>
  putLicenseServer(sql, { name, address, port }, 'tester', countMax);
const beat = (name: string, holder: string) => beatLicenseServer(sql, name, holder, LEASE_MS);

/** Lets the term of whoever is active run out. */
async function expire(): Promise<void> {
  await sql`update active_license_server set expires_at = clock_timestamp() - interval '1 ms'`;
}

describe('the roster', () => {
  test('adds, changes, leaves alone, and lists by name', async () => {
    expect(await put('LAST', 'licences.example', 4001)).toBe('added');
    expect(await put('LAST', 'licences.example', 4001)).toBe('unchanged');
    expect(await put('LAST', 'licences.example', 4002)).toBe('changed');
    expect(await listLicenseServers(sql)).toMatchObject([
      { name: 'LAST', address: 'licences.example', port: 4002, heardAt: null, silentMs: null },
      { name: 'ONE', address: '192.0.2.1', port: 4001, changedBy: 'tester' },
      { name: 'OTHER' },
      { name: 'THIRD' },
    ]);
  });

  test('has one entry at an address and port (F-14)', async () => {
    const error = await put('LAST', '192.0.2.1', 4001).catch((reason) => reason);
    expect(isPlaceTaken(error)).toBe(true);
    expect(isPlaceTaken(new Error('another'))).toBe(false);
    expect(await put('LAST', '192.0.2.2', 4001)).toBe('added');
  });

  test('has a bound, within which entries still change', async () => {
    expect(await put('LAST', '192.0.2.2', 4001, 3)).toBe('full');
    expect(await put('ONE', '192.0.2.2', 4001, 3)).toBe('changed');
    expect(await put('ONE', '192.0.2.2', 4001, 3)).toBe('unchanged');
  });
});

describe('the row of the active licence server', () => {
  test('goes to one of many who come at once (F-12)', async () => {
    const holders = Array.from({ length: 12 }, (_, index) => `process-${index}`);
    const answers = await Promise.all(
      holders.map((holder, index) => beat(['ONE', 'OTHER', 'THIRD'][index % 3]!, holder)),
    );
    const winners = answers.filter(({ token }) => token !== null);
    expect(winners).toEqual([{ isKnown: true, token: 1, isNew: true }]);
    const active = (await findActiveLicenseServer(sql))!;
    expect(active).toMatchObject({ holder: holders[answers.indexOf(winners[0]!)], token: 1 });
  });

  test('is renewed by its holder alone; another process of the same entry is not it', async () => {
    await beat('ONE', 'first');
    const before = (await findActiveLicenseServer(sql))!;
    expect(await beat('OTHER', 'second')).toEqual({ isKnown: true, token: null, isNew: null });
    expect(await beat('ONE', 'second')).toEqual({ isKnown: true, token: null, isNew: null });
    expect(await findActiveLicenseServer(sql)).toEqual(before);
    expect(await beat('ONE', 'first')).toEqual({ isKnown: true, token: 1, isNew: false });
    const after = (await findActiveLicenseServer(sql))!;
    expect(after.electedAt).toEqual(before.electedAt);
    expect(after.expiresAt.getTime()).toBeGreaterThan(before.expiresAt.getTime());
  });

  test('is taken over once it has run out, with a higher token, and the returning one waits (F-81)', async () => {
    await beat('ONE', 'first');
    await expire();
    expect(await findActiveLicenseServer(sql)).toBeNull();
    expect(await beat('OTHER', 'second')).toEqual({ isKnown: true, token: 2, isNew: true });
    expect(await beat('ONE', 'first')).toMatchObject({ token: null });
    expect(await beat('ONE', 'first again')).toMatchObject({ token: null });
    expect(await findActiveLicenseServer(sql)).toMatchObject({ name: 'OTHER', holder: 'second', token: 2 });
    await expire();
    // Also for the same process a term that has run out is over: what it did meanwhile is fenced.
    expect(await beat('OTHER', 'second')).toEqual({ isKnown: true, token: 3, isNew: true });
  });

  test('is taken over by one of many who find it run out (F-82)', async () => {
    await beat('ONE', 'first');
    await expire();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => beat(index % 2 === 0 ? 'OTHER' : 'THIRD', `process-${index}`)),
    );
    expect(answers.filter(({ token }) => token !== null)).toEqual([{ isKnown: true, token: 2, isNew: true }]);
  });

  test('a sign of life that was overtaken does not shorten the term', async () => {
    await beat('ONE', 'first');
    const { expiresAt } = (await findActiveLicenseServer(sql))!;
    await beatLicenseServer(sql, 'ONE', 'first', 1_000);
    expect((await findActiveLicenseServer(sql))!.expiresAt).toEqual(expiresAt);
  });

  test('is given up by its holder only, and then free at once', async () => {
    await beat('ONE', 'first');
    expect(await resignLicenseServer(sql, 'ONE', 'second')).toBe(false);
    expect(await resignLicenseServer(sql, 'OTHER', 'first')).toBe(false);
    expect(await beat('OTHER', 'second')).toMatchObject({ token: null });
    expect(await resignLicenseServer(sql, 'ONE', 'first')).toBe(true);
    expect(await resignLicenseServer(sql, 'ONE', 'first')).toBe(false);
    expect(await beat('OTHER', 'second')).toMatchObject({ token: 2 });
  });

  test('of a removed entry is nobody’s, and runs out before another takes over (F-82)', async () => {
    await beat('ONE', 'first');
    expect(await removeLicenseServer(sql, 'ONE')).toBe(true);
    expect(await removeLicenseServer(sql, 'ONE')).toBe(false);
    expect(await findActiveLicenseServer(sql)).toBeNull();
    // Its process may act until its time is over, so that nobody else does yet.
    expect(await beat('OTHER', 'second')).toMatchObject({ token: null });
    expect(await beat('ONE', 'first')).toEqual({ isKnown: false, token: null, isNew: null });
    await put('ONE', '192.0.2.9', 4001);
    expect(await beat('ONE', 'first')).toMatchObject({ token: null });
    await expire();
    expect(await beat('OTHER', 'second')).toMatchObject({ token: 2 });
  });

  test('is not taken for an entry that is being removed', async () => {
    for (let round = 0; round < 20; round += 1) {
      await put('ONE', '192.0.2.1', 4001);
      await expire();
      await Promise.all([beat('ONE', `process-${round}`), removeLicenseServer(sql, 'ONE')]);
      const [row] = await sql`select name, holder from active_license_server`;
      expect(row === undefined || row.name !== 'ONE' || row.holder === null).toBe(true);
    }
  });
});
