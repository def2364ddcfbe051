import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Excess } from '../../src/domain/excesses.ts';
import type { DigestedRow } from '../../src/domain/local/digest.ts';
import type { Operation, Report } from '../../src/domain/operations.ts';
import { makeKey, makeLogin, makeLogout, makeRegister, type World, world } from '../support/make.ts';
import { Reporter } from '../support/reporter.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

/** How long the longest histories are, and how many are tried; the seed makes every run the same. */
const STEPS_MAX = 120;
const RUNS = 150;
const SEED = 20_300_102;

const NAMES = ['a', 'b', 'c'] as const;
const USERS = ['alice', 'bob', 'carol', 'dave', 'erin'];
const UNITS = 4;
const CONNECTIONS_PER_UNIT_MAX = 3;

const name = fc.constantFrom(...NAMES);
const user = fc.constantFrom(...USERS);

/** What happens next: on an instance, in the network, at the server. */
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('set'), name, user, connections: fc.nat(5), anew: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send'), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('exchange'), name }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('parts'),
      name,
      rowsPerPart: fc.integer({ min: 1, max: 2 }),
      lost: fc.nat(4),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('full'), name, rowsPerPart: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('arrive'),
      which: fc.nat(),
      again: fc.boolean(),
      heard: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose'), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart'), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('silence'), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('login'), name, user }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('logout'), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 1, max: 50_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('try'), name }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** What the naive model knows of one instance: the rows that it had when it made each update. */
interface Truth {
  readonly reporter: Reporter;
  readonly made: Map<number, readonly DigestedRow[]>;
  isClosed: boolean;
}

/** The history of a few instances over a network that loses, doubles and reorders, beside a naive model of it. */
class History {
  readonly lictor: World;
  readonly truths = new Map<string, Truth>();
  #network: Report[] = [];
  readonly #logins: { id: string; instance: string }[] = [];
  /** Users that have passed what one unit bears since they last had no connection (F-32, F-33). */
  #passed = new Set<string>();
  #before = new Map<string, readonly DigestedRow[]>();
  #isOver = false;
  #overSinceMs = 0;
  #unitMs = 0;
  #unitsMax = 0;
  #unitsBefore = 0;

  constructor() {
    const key = makeKey({
      enforcement: 'local',
      units: UNITS,
      connectionsPerUnitMax: CONNECTIONS_PER_UNIT_MAX,
    });
    this.lictor = world({ keys: [key], instances: NAMES.map((each) => ({ name: each })) });
    for (const each of NAMES) this.#begin(each, 1);
  }

  #begin(instance: string, incarnation: number): void {
    const reporter = new Reporter(instance).restart(incarnation);
    this.truths.set(instance, { reporter, made: new Map([[0, []]]), isClosed: false });
  }

  take(step: Step): void {
    switch (step.do) {
      case 'set':
        this.#set(step as Extract<Step, { connections: number }>);
        break;
      case 'send':
        this.#send(this.#truth(step), (reporter) => [reporter.update()]);
        break;
      case 'full':
        this.#send(this.#truth(step), (reporter) =>
          reporter.full((step as { rowsPerPart: number }).rowsPerPart),
        );
        break;
      case 'exchange':
        this.#exchange(this.#truth(step), (reporter) => [reporter.update()]);
        break;
      case 'parts':
        this.#loseOnePart(step as Extract<Step, { lost: number }>);
        break;
      case 'arrive':
        this.#arrive(step as Extract<Step, { heard: boolean }>);
        break;
      case 'lose':
        this.#takeOut((step as { which: number }).which);
        break;
      case 'wait':
        this.lictor.wait((step as { ms: number }).ms);
        break;
      case 'try':
        this.#tryInVain(this.#truth(step).reporter);
        break;
      default:
        this.#ask(step);
    }
    this.#follow();
  }

  #truth(step: Step): Truth {
    return this.truths.get((step as { name: string }).name)!;
  }

  #set({ name: instance, user: id, connections, anew }: Extract<Step, { connections: number }>): void {
    const { reporter } = this.truths.get(instance)!;
    // Whoever has nobody left in between has transitioned no longer (F-33).
    const known = connections > 0 && !anew && reporter.rows.get(id)?.transitioned === true;
    reporter.set(id, connections, { transitioned: known || connections > CONNECTIONS_PER_UNIT_MAX });
  }

  #send({ reporter, made }: Truth, make: (reporter: Reporter) => Report[]): void {
    for (const report of make(reporter)) this.#network.push(report);
    made.set(reporter.sequence, [...reporter.rows.values()]);
  }

  /** Sends, and all of it arrives and is answered. */
  #exchange(truth: Truth, make: (reporter: Reporter) => Report[]): void {
    this.#send(truth, make);
    const from = this.#network.findLastIndex(({ name }) => name !== truth.reporter.name) + 1;
    for (const report of this.#network.splice(from)) {
      this.#deliver(report, true);
      this.#follow();
    }
  }

  #loseOnePart({ name: instance, rowsPerPart, lost }: Extract<Step, { lost: number }>): void {
    const { reporter, made } = this.truths.get(instance)!;
    const parts = reporter.full(rowsPerPart);
    made.set(reporter.sequence, [...reporter.rows.values()]);
    for (const part of parts) {
      if (part !== parts[lost]) this.#deliver(part, false);
      this.#follow();
    }
  }

  #takeOut(which: number): Report | undefined {
    if (this.#network.length === 0) return undefined;
    return this.#network.splice(which % this.#network.length, 1)[0];
  }

  #arrive({ which, again, heard }: Extract<Step, { heard: boolean }>): void {
    const report = this.#takeOut(which);
    if (!report) return;
    if (again) this.#network.push(report);
    this.#deliver(report, heard);
  }

  #deliver(report: Report, heard: boolean): void {
    const answer = this.lictor.ask(report);
    const truth = this.truths.get(report.name)!;
    const isPresent = truth.reporter.incarnation === report.incarnation;
    expect(answer.is).toBe(isPresent && !truth.isClosed ? 'updated' : 'problem');
    if (answer.is !== 'updated') return;
    const { update } = answer;
    const units = this.lictor.units();
    const wasOver = this.#isOver ? units >= UNITS : units > UNITS;
    expect([update.acknowledged, update.inUse]).toEqual([!wasOver, units]);
    this.#expectMarks(report.name, update.transitioned);
    if (heard) truth.reporter.hear(update);
    if (heard && update.resend) this.#send(truth, (reporter) => reporter.full(2));
  }

  /** Whoever the server says has transitioned has more connections, or had, than a unit bears. */
  #expectMarks(instance: string, marked: readonly string[]): void {
    const held = this.#rows(instance).filter(({ transitioned }) => !transitioned);
    const passed = held.filter(({ id }) => this.lictor.user(id)?.transitioned).map(({ id }) => id);
    expect([...marked].sort()).toEqual(passed.sort());
  }

  #ask(step: Step): void {
    const { lictor } = this;
    const instance = (step as { name: string }).name;
    const incarnation = this.truths.get(instance)?.reporter.incarnation ?? 0;
    switch (step.do) {
      case 'restart': {
        const answer = lictor.ask(makeRegister({ name: instance }));
        if (answer.is === 'instance') this.#begin(instance, answer.instance.incarnation);
        break;
      }
      case 'silence':
        lictor.ask({ op: 'reap-instance', name: instance, incarnation, observedMs: 1e15, actor: 'lictor' });
        break;
      case 'close':
        lictor.ask({ op: 'close-instance', name: instance, incarnation, actor: 'tester' });
        this.truths.get(instance)!.isClosed = true;
        break;
      case 'login': {
        const id = lictor.newId();
        lictor.ask(makeLogin({ id, instance, claims: { user: (step as { user: string }).user } }));
        this.#logins.push({ id, instance });
        break;
      }
      case 'logout': {
        const { which } = step as { which: number };
        const [login] = this.#logins.splice(which % Math.max(1, this.#logins.length), 1);
        if (login) lictor.ask(makeLogout(login));
        break;
      }
    }
  }

  /** A batch that another replica forestalled leaves no trace. */
  #tryInVain(reporter: Reporter): void {
    const before = snapshotOf(this.lictor.table);
    const operations: Operation[] = [
      ...this.#network.slice(0, 3),
      makeRegister({ name: reporter.name }),
      { op: 'deregister', name: 'a', actor: 'tester' },
    ];
    this.lictor.draft(operations);
    this.lictor.table.rollback();
    expect(snapshotOf(this.lictor.table)).toEqual(before);
  }

  #rows(instance: string): readonly DigestedRow[] {
    const reported = this.lictor.table.places.get(instance)?.reported ?? [];
    return [...reported].map(([id, { connections, webSessions, transitioned }]) => ({
      id,
      connections,
      webSessions,
      transitioned,
    }));
  }

  /** Connections at the server and reported ones, by user. */
  #connections(): Map<string, number> {
    const counts = new Map<string, number>();
    const add = (id: string, count: number) => counts.set(id, (counts.get(id) ?? 0) + count);
    for (const place of this.lictor.table.places.values()) {
      for (const login of place.logins.values()) if (login.user) add(login.user.id, 1);
      for (const { id, connections } of this.#rows(place.instance)) add(id, connections);
    }
    return counts;
  }

  /** Counts everything from scratch and holds the table against it. */
  #follow(): void {
    const counts = this.#connections();
    this.#followPassed(counts);
    let units = 0;
    for (const [id, connections] of counts) units += this.#passed.has(id) ? connections : 1;
    expect(this.lictor.units()).toBe(units);
    this.#followOver(units);
    for (const [instance, truth] of this.truths) this.#expectRows(instance, truth);
  }

  #followPassed(counts: ReadonlyMap<string, number>): void {
    const now = new Map(NAMES.map((each) => [each as string, this.#rows(each)]));
    for (const [instance, rows] of now) {
      for (const row of this.#before.get(instance) ?? []) {
        const after = rows.find(({ id }) => id === row.id);
        const isOnlyHere = after?.connections === counts.get(row.id);
        if (row.transitioned && after && !after.transitioned && isOnlyHere) this.#passed.delete(row.id);
      }
      for (const row of rows) if (row.transitioned) this.#passed.add(row.id);
    }
    for (const [id, count] of counts) if (count > CONNECTIONS_PER_UNIT_MAX) this.#passed.add(id);
    this.#passed = new Set([...this.#passed].filter((id) => (counts.get(id) ?? 0) > 0));
    this.#before = now;
  }

  /** The episode by the facts: from above the limit until below it (F-52, F-54). */
  #followOver(units: number): void {
    const { nowMs, table } = this.lictor;
    if (this.#isOver) this.#unitMs += Math.max(0, this.#unitsBefore - UNITS) * (nowMs - this.#overSinceMs);
    const wasOver = this.#isOver;
    this.#isOver = wasOver ? units >= UNITS : units > UNITS;
    if (!wasOver && this.#isOver) [this.#unitMs, this.#unitsMax] = [0, 0];
    if (this.#isOver) this.#unitsMax = Math.max(this.#unitsMax, units - UNITS);
    this.#overSinceMs = nowMs;
    this.#unitsBefore = units;
    expect(table.over.size > 0).toBe(this.#isOver);
    const record = this.lastRecord;
    if (wasOver && !this.#isOver) {
      expect(record).toMatchObject({ toMs: nowMs, unitMs: this.#unitMs, unitsMax: this.#unitsMax, units: 0 });
    } else if (this.#isOver) {
      expect(record).toMatchObject({ toMs: null, unitsMax: this.#unitsMax, units: units - UNITS });
    }
  }

  get lastRecord(): Excess | undefined {
    const { rows } = this.lictor;
    for (let index = rows.length - 1; index >= 0; index -= 1) {
      const found = rows[index]!.events.findLast((event) => event.type === 'excess');
      if (found) return found.excess;
    }
    return undefined;
  }

  /** What the server holds is what the instance had when it made the last update that was taken. */
  #expectRows(instance: string, { reporter, made }: Truth): void {
    const report = this.lictor.table.places.get(instance)?.report ?? null;
    if (report === null || report.lost !== null) {
      if (report === null || report.fullFrom === 0) expect(this.#rows(instance)).toEqual([]);
      return;
    }
    expect(report.incarnation).toBe(reporter.incarnation);
    if (report.fullFrom > 0) return;
    const sorted = (rows: readonly DigestedRow[]) =>
      [...rows].sort((one, other) => (one.id < other.id ? -1 : 1));
    expect(sorted(this.#rows(instance))).toEqual(sorted(made.get(report.sequence)!));
  }
}

describe('updates over a network that loses, doubles and reorders (F-31…F-33, F-50…F-54)', () => {
  test('the table is what the instances had, and the ledger what that comes to', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: STEPS_MAX, size: 'max' }), (steps) => {
        const history = new History();
        for (const each of steps) history.take(each);
        expect(snapshotOf(replay(history.lictor.rows))).toEqual(snapshotOf(history.lictor.table));
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });
});
