import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GONE_KEPT_MAX, LocalReports } from '../../src/domain/local/localreports.ts';
import type { LocalLogin } from '../../src/domain/local/localtable.ts';
import { ROWS_PER_UPDATE_MAX } from '../../src/domain/local/reports.ts';
import { LocalWorld, Receiver, rowsOf } from '../support/local.ts';

/** A world, its reports, and a server that takes them. */
function setup(fields: ConstructorParameters<typeof LocalWorld>[0] = {}) {
  const world = new LocalWorld(fields);
  const reports = new LocalReports(world.table);
  const receiver = new Receiver();
  /** Makes a statement that reaches the server, and whose answer comes back. */
  const exchange = () => {
    const statement = reports.state();
    const answer = receiver.take(statement);
    reports.settle(statement, answer);
    return { statement, answer };
  };
  return { world, reports, receiver, exchange };
}

describe('what an instance tells of its table (F-51)', () => {
  test('the whole first, then the changes only, and then nothing but the digest', () => {
    const { world, receiver, exchange } = setup();
    const alice = world.login('alice');
    world.login({ kind: 'web', webSession: 's1' });
    expect(exchange().statement).toEqual({
      sequence: 1,
      since: 0,
      fullFrom: 1,
      users: [
        { id: 'alice', connections: 1, webSessions: 0, transitioned: false },
        { id: 's1', connections: 1, webSessions: 1, transitioned: false },
      ],
      digest: expect.stringMatching(/^2\.2\.[0-9a-f]{8}$/),
    });
    world.logout(alice);
    world.login('bob');
    const { statement } = exchange();
    expect(statement).toMatchObject({ sequence: 2, since: 1 });
    expect(statement.fullFrom).toBeUndefined();
    expect(new Map(statement.users.map((row) => [row.id, row.connections]))).toEqual(
      new Map([
        ['alice', 0],
        ['bob', 1],
      ]),
    );
    expect(receiver.rows).toEqual(rowsOf(world.table));
    expect(exchange().statement).toMatchObject({ sequence: 2, since: 2, users: [] });
    expect(world.table.users.has('alice')).toBe(false);
  });

  test('a user who came and went between two updates is not told of', () => {
    const { world, exchange } = setup();
    exchange();
    world.logout(world.login('alice'));
    expect(exchange().statement.users).toEqual([]);
  });

  test('what was given up is told again with the next, from the last answer on', () => {
    const { world, reports, receiver, exchange } = setup();
    exchange();
    const alice = world.login('alice');
    const lost = reports.state();
    expect(() => reports.state()).toThrow('a statement is outstanding');
    reports.abandon();
    world.logout(alice);
    world.login('bob');
    const { statement } = exchange();
    expect(statement).toMatchObject({ sequence: 3, since: 1 });
    expect(statement.users.map(({ id }) => id).sort()).toEqual(['alice', 'bob']);
    expect(receiver.take(lost)).toEqual({ sequence: 3 });
    expect(receiver.rows).toEqual(rowsOf(world.table));
  });

  test('a large table is told in parts, while it goes on changing', () => {
    const { world, reports, receiver } = setup({ unitsMax: 100_000 });
    const logins = Array.from({ length: 12_000 }, (_, index) => world.login(`user-${index}`));
    const parts: { readonly rows: number; readonly more: true | undefined }[] = [];
    for (let part = 0; parts.at(-1)?.more !== undefined || part === 0; part += 1) {
      const statement = reports.state();
      parts.push({ rows: statement.users.length, more: statement.more });
      for (const index of [0, 1, 2]) world.logout(logins[part * 4_000 + index]!);
      world.login(`late-${part}`);
      reports.settle(statement, receiver.take(statement));
    }
    expect(parts).toEqual([
      { rows: ROWS_PER_UPDATE_MAX, more: true },
      { rows: ROWS_PER_UPDATE_MAX, more: true },
      expect.objectContaining({ more: undefined }),
    ]);
    expect(reports.pending).toBeGreaterThan(0);
    const rest = reports.state();
    expect(rest.fullFrom).toBeUndefined();
    expect(receiver.take(rest)).toEqual({ sequence: rest.sequence });
    expect(receiver.rows).toEqual(rowsOf(world.table));
  });

  test('a server that misses something gets the whole', () => {
    const { world, reports, receiver, exchange } = setup();
    world.login('alice');
    exchange();
    receiver.rows.clear();
    world.login('bob');
    expect(exchange().answer.resend).toBe('full');
    const { statement, answer } = exchange();
    expect(statement).toMatchObject({ fullFrom: 3, sequence: 3 });
    expect(answer).toEqual({ sequence: 3 });
    expect(receiver.rows.size).toBe(2);
    reports.restart();
    expect(reports.state()).toMatchObject({ sequence: 1, since: 0, fullFrom: 1 });
  });

  test('the server’s word that a user has transitioned holds, unless he has been away since (trap 5)', () => {
    const { world, reports } = setup({ connectionsPerUnitMax: 3 });
    const [alice] = world.logins(2, 'alice');
    const bob = world.login('bob');
    const statement = reports.state();
    world.logout(bob);
    world.login('bob');
    world.login('carol');
    const transitioned = ['alice', 'bob', 'carol', 'nobody'];
    reports.settle(statement, { sequence: 1, transitioned });
    expect(world.table.users.get('alice')).toMatchObject({ transitioned: true, connections: 2 });
    expect(world.table.users.get('bob')!.transitioned).toBe(false);
    expect(world.table.users.get('carol')!.transitioned).toBe(false);
    expect(world.table.counts).toMatchObject({ units: 4, unitsPeak: 4 });
    const next = reports.state();
    expect(next.users.find(({ id }) => id === 'alice')).toMatchObject({ transitioned: true });
    world.logout(alice!);
    expect(world.table.units).toBe(3);
  });

  test('what is lost at once is not told of later, and the whole follows', () => {
    const { world, reports, receiver, exchange } = setup();
    world.logins(2, 'alice');
    exchange();
    world.login('bob');
    const statement = reports.state();
    world.table.loseAll();
    reports.requireFull();
    world.login('bob');
    reports.settle(statement, receiver.take(statement));
    expect(exchange().statement).toMatchObject({ fullFrom: 3, users: [{ id: 'bob', connections: 1 }] });
    expect(receiver.rows).toEqual(rowsOf(world.table));
  });

  test('a server that is away for long costs no more than a bound', () => {
    const { world, reports, receiver, exchange } = setup({ unitsMax: 100_000 });
    exchange();
    for (let hour = 0; hour < 8; hour += 1) {
      const logins = Array.from({ length: 3_000 }, (_, index) => world.login(`user-${hour}-${index}`));
      reports.state();
      for (const login of logins) world.logout(login);
      reports.abandon();
      expect(world.table.users.size).toBeLessThanOrEqual(GONE_KEPT_MAX + 3_000);
    }
    world.login('alice');
    exchange();
    expect(receiver.rows).toEqual(rowsOf(world.table));
    expect(world.table.users.size).toBe(1);
  });
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('in' as const), user: fc.integer({ min: 0, max: 5 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('out' as const), at: fc.nat(50) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      fate: fc.constantFrom('sound', 'lost', 'unanswered', 'twice', 'late'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgotten' as const), at: fc.nat(5) }) },
);

test('whatever is lost, doubled or late, two exchanges later the server holds the instance’s table', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { world, reports, receiver, exchange } = setup({ connectionsPerUnitMax: 2 });
      const logins: LocalLogin[] = [];
      const late: ReturnType<LocalReports['state']>[] = [];
      for (const { do: what, ...how } of steps) {
        if (what === 'in') {
          logins.push(world.login(`user-${(how as { user: number }).user}`));
        } else if (what === 'out') {
          const [login] = logins.splice((how as { at: number }).at % Math.max(1, logins.length), 1);
          if (login) world.logout(login);
        } else if (what === 'forgotten') {
          // The server went back to what a backup knew.
          receiver.rows.delete(`user-${(how as { at: number }).at}`);
        } else {
          const { fate } = how as { fate: string };
          const statement = reports.state();
          if (fate === 'lost' || fate === 'late') {
            if (fate === 'late') late.push(statement);
            reports.abandon();
            continue;
          }
          const answer = receiver.take(statement);
          if (fate === 'unanswered') reports.abandon();
          else reports.settle(statement, fate === 'twice' ? receiver.take(statement) : answer);
          for (const old of late.splice(0)) receiver.take(old);
        }
      }
      for (const old of late) receiver.take(old);
      exchange();
      exchange();
      expect(receiver.rows).toEqual(rowsOf(world.table));
      expect(exchange().answer.resend).toBeUndefined();
    }),
    { seed: 31, numRuns: 2_000 },
  );
});
