/** The active licence server by real time: whoever takes over acts only after the one before has stopped. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Sql } from 'postgres';
import { Table } from '../../src/domain/table.ts';
import { type Beat, LicenseServers } from '../../src/service/licenseservers.ts';
import { connectDatabase } from '../../src/storage/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createRecordingLogger, type RecordingLogger } from '../support/http.ts';
import { until } from '../support/wait.ts';

/**
 * Short, so that a term can be waited for, and long enough that none runs out while a slow machine takes a step; of
 * it the safety margin of a second is not trusted.
 */
const LEASE_MS = 3_000;
const TAKEOVER_TIMEOUT_MS = 10_000;
const TAKEOVERS = 4;

let database: TestDatabase;
let sql: Sql;
let logger: RecordingLogger;
let servers: LicenseServers;

beforeAll(async () => {
  database = await createTestDatabase();
  logger = createRecordingLogger();
  sql = connectDatabase({ url: database.url, logger, applicationName: 'test', connectionsMax: 4 });
  const lane = { read: async <Value>(run: (table: Table) => Value) => run(new Table(0)) };
  servers = new LicenseServers({ sql, lane, leaseMs: LEASE_MS, logger });
  for (const [index, name] of ['one', 'other', 'third'].entries()) {
    await servers.put(name, { address: '127.0.0.1', port: 4001 + index }, 'tester');
  }
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

/** A process that serves an entry, with the instant until which it acts by its own clock. */
class Member {
  readonly name: string;
  readonly holder: string;
  actsUntilMs = 0;

  constructor(name: string, holder: string) {
    this.name = name;
    this.holder = holder;
  }

  async beat(): Promise<Beat> {
    const askedMs = performance.now();
    const beat = await servers.beat(this.name, this.holder, false);
    this.actsUntilMs = beat.actsSeconds === null ? 0 : askedMs + beat.actsSeconds * 1_000;
    return beat;
  }
}

describe('the active licence server', () => {
  test('F-82: takes over again and again only after the one before has stopped acting by its own clock', async () => {
    let active = new Member('one', 'process-1');
    const others = [new Member('other', 'process-2'), new Member('third', 'process-3')];
    expect((await active.beat()).actsSeconds).toBeCloseTo(2);
    const tokens: number[] = [];
    for (let turn = 0; turn < TAKEOVERS; turn += 1) {
      // Renewed just before it fails, it has the most time left that it can have.
      await active.beat();
      const next = await until(
        async () => {
          for (const member of others) {
            const { actsSeconds, active: row } = await member.beat();
            if (actsSeconds !== null) return { member, token: row!.token, atMs: performance.now() };
          }
          return null;
        },
        TAKEOVER_TIMEOUT_MS,
        'another takes over',
      );
      expect(next.atMs).toBeGreaterThan(active.actsUntilMs);
      tokens.push(next.token);
      others.splice(others.indexOf(next.member), 1, active);
      // The one that returns is an ordinary member (F-81).
      expect((await active.beat()).actsSeconds).toBeNull();
      active = next.member;
    }
    expect(tokens).toEqual([2, 3, 4, 5]);
    const told = logger.lines.filter(({ message }) => message.includes('has become the active one'));
    expect(told.map(({ fields }) => (fields as { token: number }).token)).toEqual([1, 2, 3, 4, 5]);
  }, 60_000);

  test('is asked to beat so often that two signs of life may be lost', async () => {
    const { beatAfterSeconds } = await servers.beat('one', 'process-9', false);
    expect(3 * beatAfterSeconds * 1_000).toBeLessThan(LEASE_MS);
  });
});
