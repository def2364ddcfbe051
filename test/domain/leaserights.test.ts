import { describe, expect, test } from '@jest/globals';
import { LeaseRights, type LeaseRightsOptions } from '../../src/domain/leases/leaserights.ts';
import {
  INSTANCE_MARGIN,
  type LeaseAnswer,
  marginOf,
  STATED_USERS_MAX,
} from '../../src/domain/leases/leasestatements.ts';

const TERM_MS = 60_000;
const LENGTH_MS = TERM_MS - marginOf(INSTANCE_MARGIN, TERM_MS);
const WALL_MS = Date.UTC(2030, 0, 1);

/** Rights with the users they are of, and clocks that a test moves. */
class Holder {
  readonly users = new Map<string, number>();
  readonly rights: LeaseRights;
  wallMs = WALL_MS;
  monotonicMs = 1_000;

  constructor(options: Partial<LeaseRightsOptions> = {}) {
    const connectionsOf = (user: string) => this.users.get(user) ?? 0;
    this.rights = new LeaseRights({ connectionsOf, connectionsPerUnitMax: 25, ...options });
  }

  pass(milliseconds: number): void {
    this.wallMs += milliseconds;
    this.monotonicMs += milliseconds;
  }

  get isOver(): boolean {
    return this.rights.isOver(this.wallMs, this.monotonicMs);
  }

  connect(user: string): string {
    const connections = this.users.get(user) ?? 0;
    const coverage = this.rights.coverage(user, connections);
    if (coverage === 'ask') return coverage;
    this.rights.connect(user, connections);
    this.users.set(user, connections + 1);
    return coverage;
  }

  disconnect(user: string): void {
    const connections = this.users.get(user)!;
    this.rights.disconnect(user, connections);
    this.users.set(user, connections - 1);
  }

  state() {
    return this.rights.statement(this.wallMs, this.monotonicMs);
  }

  /** States the rights and is given these. */
  given(answer: Partial<LeaseAnswer> = {}): ReturnType<LeaseRights['statement']> {
    const statement = this.state();
    this.rights.adopt({
      sequence: statement.sequence,
      id: 'lease-1',
      revision: 1,
      units: statement.units,
      termMs: TERM_MS,
      nextStatementAfterSeconds: 5,
      allowances: [],
      scarce: false,
      ...answer,
    });
    return statement;
  }
}

describe('coverage', () => {
  test('S-4: without an entry by a unit of the block, with one by its allowance, else the server is asked', () => {
    const holder = new Holder();
    expect(holder.connect('alice')).toBe('ask');
    holder.given({
      units: 2,
      allowances: [
        { id: 'bob', allowance: 1 },
        { id: 'carol', allowance: 0 },
      ],
    });
    expect(['alice', 'alice', 'alice'].map((user) => holder.connect(user))).toEqual([
      'block',
      'block',
      'ask',
    ]);
    expect(['bob', 'bob', 'carol'].map((user) => holder.connect(user))).toEqual(['allowance', 'ask', 'ask']);
    holder.disconnect('alice');
    expect(holder.connect('dave')).toBe('block');
    expect(holder.rights.used).toBe(2);
  });

  test('S-5: beyond what one unit serves the server is asked, though the block has units', () => {
    const holder = new Holder({ connectionsPerUnitMax: 2 });
    holder.given({ units: 9 });
    expect(['alice', 'alice', 'alice'].map((user) => holder.connect(user))).toEqual([
      'block',
      'block',
      'ask',
    ]);
  });

  test('S-10: of a lease that is closed nothing more is granted', () => {
    const holder = new Holder();
    holder.given({ units: 5, closed: 'key-expired' });
    expect(holder.connect('alice')).toBe('ask');
    expect([holder.rights.closed, holder.rights.nextStatementMs]).toEqual(['key-expired', 5_000]);
  });
});

describe('a statement', () => {
  test('S-1: lowers the rights before it says so: idle units, and users with several connections', () => {
    const holder = new Holder();
    holder.given({ units: 9 });
    for (const user of ['alice', 'alice', 'bob']) holder.connect(user);
    const statement = holder.state();
    expect(statement).toMatchObject({ units: 4, wanted: 4, basis: 1 });
    expect(statement.users).toEqual([{ id: 'alice', allowance: 2, needed: 2, wanted: 5 }]);
    expect([holder.rights.units, holder.rights.used]).toEqual([4, 1]);
    expect(holder.rights.entries.get('alice')).toBe(2);
    expect(holder.connect('alice')).toBe('ask');
  });

  test('S-8: keeps nothing idle while units are scarce', () => {
    const holder = new Holder();
    holder.given({ units: 9, scarce: true });
    holder.connect('alice');
    expect(holder.state()).toMatchObject({ units: 1, wanted: 2 });
  });

  test('S-2: of changes only after an answer, otherwise whole', () => {
    const holder = new Holder();
    expect(holder.given({ units: 3 })).toMatchObject({ fresh: true, whole: true, basis: 0, units: 0 });
    expect(holder.state()).not.toHaveProperty('whole');
    expect(holder.state()).toMatchObject({ whole: true });
  });

  test('S-2: adopts the answer to the latest alone, and that once', () => {
    const holder = new Holder();
    holder.given({ units: 1 });
    const [earlier, latest] = [holder.state(), holder.state()];
    const answer = {
      id: 'lease-1',
      revision: 2,
      termMs: TERM_MS,
      nextStatementAfterSeconds: 5,
      allowances: [],
    };
    const adopt = (sequence: number, units: number) =>
      holder.rights.adopt({ ...answer, sequence, units, scarce: false });
    expect(adopt(earlier.sequence, 7)).toBe('late');
    expect(adopt(latest.sequence, 2)).toBe('adopted');
    expect(adopt(latest.sequence, 8)).toBe('late');
    expect(holder.rights.units).toBe(2);
  });

  test('S-4: holds whom it is asked to hold, exactly', () => {
    const holder = new Holder();
    holder.given({ units: 3, held: ['alice', 'bob'], allowances: [{ id: 'bob', allowance: 9 }] });
    expect(holder.rights.nextStatementMs).toBe(1_000);
    holder.connect('alice');
    holder.connect('bob');
    expect(holder.state().users).toEqual([
      { id: 'alice', allowance: 1, needed: 1, wanted: 1 },
      { id: 'bob', allowance: 1, needed: 1, wanted: 1 },
    ]);
  });

  test('S-8: names who waits, and gives back what was granted to somebody who waits no longer', () => {
    const holder = new Holder();
    holder.given();
    holder.rights.wait('alice', 'login-1');
    expect(holder.rights.nextStatementMs).toBe(0);
    expect(holder.given({ allowances: [{ id: 'alice', allowance: 1 }] }).users).toEqual([
      { id: 'alice', allowance: 0, needed: 1, wanted: 3, login: 'login-1' },
    ]);
    holder.rights.unwait('alice');
    expect(holder.state().users).toEqual([{ id: 'alice', allowance: 0, needed: 0, wanted: 0 }]);
  });

  test('S-11: has bounds, and whoever is beyond them waits like others that are undecided', () => {
    const bounded = new Holder({ entriesMax: 1 });
    bounded.given({ units: 9 });
    for (const user of ['alice', 'alice', 'bob', 'bob']) bounded.connect(user);
    bounded.rights.wait('carol', 'login-1');
    expect(bounded.given({ units: 4 }).users.map(({ id }) => id)).toEqual(['carol']);
    bounded.rights.unwait('carol');
    bounded.rights.wait('dave', 'login-2');
    expect(bounded.rights.nextStatementMs).toBe(0);
    bounded.given({ units: 5 });
    expect(bounded.rights.nextStatementMs).toBe(1_000);
    const crowded = new Holder();
    const users = Array.from({ length: STATED_USERS_MAX + 5 }, (_, index) => `user ${index}`);
    crowded.given({ units: users.length * 2 });
    for (const user of users) for (let count = 0; count < 2; count += 1) crowded.connect(user);
    expect(crowded.given({ units: 99 }).users).toHaveLength(STATED_USERS_MAX);
    expect(crowded.given({ units: 99 }).users.map(({ id }) => id)).toContain(users.at(-1));
  });
});

describe('a term', () => {
  test('S-6: is counted from before the statement was sent, and ends early by a margin', () => {
    const holder = new Holder();
    const statement = holder.state();
    holder.pass(10_000);
    holder.rights.adopt({
      sequence: statement.sequence,
      id: 'lease-1',
      revision: 1,
      units: 1,
      termMs: TERM_MS,
      nextStatementAfterSeconds: 5,
      allowances: [],
      scarce: false,
    });
    expect(holder.rights.leftMs(holder.wallMs, holder.monotonicMs)).toBe(LENGTH_MS - 10_000);
    holder.pass(LENGTH_MS - 10_001);
    expect(holder.isOver).toBe(false);
    holder.pass(1);
    expect(holder.isOver).toBe(true);
    expect(holder.state()).toMatchObject({ fresh: true, units: 0, users: [] });
  });

  test.each([
    ['a suspended machine, whose wall clock went on', (holder: Holder) => (holder.wallMs += LENGTH_MS), true],
    ['a wall clock that was set back', (holder: Holder) => (holder.monotonicMs += LENGTH_MS), true],
    ['neither', () => 0, false],
  ])('S-6: %s', (_what, change, isOver) => {
    const holder = new Holder();
    holder.given({ units: 1 });
    change(holder);
    expect(holder.isOver).toBe(isOver);
  });

  test('S-6: a wall clock that was set back is believed from there on, so that a suspension is seen', () => {
    const holder = new Holder();
    holder.given({ units: 1 });
    holder.wallMs -= 3_600_000;
    expect(holder.isOver).toBe(false);
    holder.wallMs += LENGTH_MS;
    expect(holder.isOver).toBe(true);
  });

  test('S-6: nothing is left of what is lost, and a late answer brings nothing back', () => {
    const holder = new Holder();
    holder.given({ units: 3, allowances: [{ id: 'alice', allowance: 2 }] });
    const { sequence } = holder.state();
    holder.rights.lose();
    const answer = { id: 'lease-1', revision: 2, units: 9, termMs: TERM_MS, allowances: [], scarce: false };
    expect(holder.rights.adopt({ ...answer, sequence, nextStatementAfterSeconds: 5 })).toBe('late');
    expect([holder.rights.units, holder.rights.entries.size, holder.isOver]).toEqual([0, 0, true]);
    expect(holder.rights.isFresh).toBe(true);
  });
});
