/**
 * Random histories of everything that can be asked where instances decide for themselves, together with logins at
 * the server under the same keys. What arrives is not only what a careful instance would send: numbers, digests and
 * rows may be anything that the edge lets through.
 */
import fc from 'fast-check';
import { type Digest, type DigestedRow, EMPTY_DIGEST, TableDigest } from '../../src/domain/local/digest.ts';
import { COUNTERS } from '../../src/domain/marks/marks.ts';
import type { Answer, LogIn, Operation, Report } from '../../src/domain/operations.ts';
import type { Table } from '../../src/domain/table.ts';
import {
  APPLICATION_KINDS,
  type ApplicationKind,
  applicationOperation,
  keySections,
} from './applicationsteps.ts';
import { makeExpiredKey, makeKey, makeRegister, START_MS, type World, world } from './make.ts';
import { expectMarksKept } from './marks.ts';
import { Reporter } from './reporter.ts';

const KINDS = {
  report: 14,
  late: 4,
  parts: 3,
  stray: 4,
  login: 8,
  logout: 3,
  identify: 1,
  register: 3,
  'reap-instance': 2,
  'renew-instance': 1,
  close: 1,
  deregister: 1,
  lease: 4,
  activate: 2,
  'change-key': 4,
  'remove-key': 1,
  'install-key': 1,
  'release-user': 1,
  'release-instance': 1,
  'reset-marks': 1,
  'clear-durations': 1,
  ...APPLICATION_KINDS,
} as const;

type Kind = keyof typeof KINDS;
type Picks = readonly [number, number, number, number];

export interface HistoryStep {
  readonly kind: Kind;
  readonly picks: Picks;
  /** How much time passes before it, if it begins a batch. */
  readonly waitMs: number;
  /** Whether the batch ends after it. */
  readonly closes: boolean;
  /** Whether the batch that it closes is decided and taken back before it is decided again. */
  readonly stumbles: boolean;
  /** Whether the table is folded after it. */
  readonly folds: boolean;
}

/**
 * One random step.
 * @param weights - how often each kind comes, where that is to be otherwise.
 */
export function historySteps(weights: Partial<Record<Kind, number>> = {}): fc.Arbitrary<HistoryStep> {
  const pick = fc.nat({ max: 59 });
  return fc.record({
    kind: fc.oneof(
      ...(Object.keys(KINDS) as Kind[]).map((kind) => ({
        weight: weights[kind] ?? KINDS[kind],
        arbitrary: fc.constant<Kind>(kind),
      })),
    ),
    picks: fc.tuple(pick, pick, pick, pick),
    waitMs: fc.oneof(
      { weight: 10, arbitrary: fc.constant(0) },
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 12_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 700_000 }) },
    ),
    closes: fc.boolean(),
    stumbles: fc.boolean(),
    folds: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
  });
}

const NAMES = ['a', 'b', 'c', 'd'] as const;
/** Some are awkward to write down, and two look alike. */
const USERS = ['alice', 'bob', 'tab\tand\\N\n', '\u00e9', 'e\u0301', '𝒳'.repeat(3), '__proto__'];
const ACTOR = 'tester';
/** A login that nobody has asked for. */
const NEVER = '20000000-0000-4000-8000-000000000000';

/** Keys that each enforcement is tried with; the last one ends after ten minutes. */
const HISTORY_KEYS = [
  makeKey({
    id: 'near',
    units: 3,
    connectionsPerUnitMax: 2,
    enforcement: 'local',
    sections: keySections(2),
  }),
  makeKey({
    id: 'far',
    units: 2,
    connectionsPerUnitMax: 3,
    enforcement: 'local',
    sections: keySections(1),
  }),
  makeKey({ id: 'lent', units: 6, connectionsPerUnitMax: 2, enforcement: 'leased' }),
  makeExpiredKey({
    id: 'ends',
    units: 2,
    enforcement: 'local',
    validThroughMs: START_MS + 600_000,
    sections: keySections(3),
  }),
];
const KEYS = [...HISTORY_KEYS.map(({ id }) => id), null];

/** A history, as far as it has come. */
export class RandomHistory {
  readonly lictor: World;
  readonly #reporters = new Map<string, Reporter>(NAMES.map((name) => [name, new Reporter(name)]));
  readonly #sent: Report[] = [];
  readonly #asked: LogIn[] = [];
  readonly #applied: Operation[] = [];
  #batch: Operation[] = [];

  constructor() {
    this.lictor = world({
      keys: HISTORY_KEYS,
      instances: NAMES.map((name, index) => ({ name, key: KEYS[Math.max(0, index - 1)]! })),
    });
  }

  get table(): Table {
    return this.lictor.table;
  }

  /**
   * Takes a step; the batch that it closes is run.
   * @param run - decides and commits a batch.
   */
  take(step: HistoryStep, run: (operations: readonly Operation[], stumbles: boolean) => Answer[]): void {
    if (this.#batch.length === 0) this.lictor.nowMs += step.waitMs;
    this.#batch.push(...this.#operationsOf(step));
    if (!step.closes) return;
    const batch = this.#batch;
    this.#batch = [];
    for (const [index, answer] of run(batch, step.stumbles).entries())
      this.#hear(batch[index]!, answer, index);
  }

  /** Some answers are lost. */
  #hear(operation: Operation, answer: Answer, index: number): void {
    if (answer.is === 'instance' && answer.outcome !== 'retry' && answer.outcome !== 'changed') {
      this.#reporterOf(answer.instance.name).restart(answer.instance.incarnation);
    }
    if (operation.op !== 'report' || answer.is !== 'updated' || (index + operation.sequence) % 3 === 0)
      return;
    const reporter = this.#reporterOf(operation.name);
    if (operation.incarnation !== reporter.incarnation) return;
    reporter.hear(answer.update);
    reporter.sequence = Math.max(reporter.sequence, reporter.since);
    if (answer.update.resend) this.#batch.push(...this.#noted(reporter.full(2)));
  }

  #reporterOf(name: string): Reporter {
    return this.#reporters.get(name)!;
  }

  #noted(reports: readonly Report[]): readonly Report[] {
    this.#sent.push(...reports);
    this.#sent.splice(0, this.#sent.length - 12);
    return reports;
  }

  #operationsOf({ kind, picks }: HistoryStep): readonly Operation[] {
    const [first, second, third, fourth] = picks;
    const name = pick(NAMES, first);
    const reporter = this.#reporterOf(name);
    switch (kind) {
      case 'report':
        for (const [user, connections] of [
          [second, third],
          [fourth, second],
        ] as const) {
          const count = connections % 5;
          reporter.set(pick(USERS, user), count, {
            webSessions: count === 0 ? 0 : fourth % (count + 1),
            transitioned: count > 2 || (count > 0 && third % 7 === 0),
          });
        }
        return this.#noted([reporter.update()]);
      case 'late':
        return this.#sent.length === 0 ? [] : [pick(this.#sent, second)];
      case 'parts': {
        const parts = this.#noted(reporter.full(1 + (second % 2)));
        return third % 3 === 0 ? parts.filter((_, index) => index !== fourth % parts.length) : parts;
      }
      case 'stray':
        return [strayOf(reporter, picks)];
      case 'lease':
        return [this.#statementOf(name, picks)];
      case 'load':
      case 'unload':
      case 'take':
      case 'give':
        return [this.#applicationOf(kind, picks)];
      default:
        return [this.#otherOf(kind, picks)];
    }
  }

  #statementOf(name: string, [, second, third, fourth]: Picks): Operation {
    const place = this.table.places.get(name);
    const lease = place && [...place.leases.values()].at(-1);
    const incarnation = this.table.instances.get(name)?.incarnation ?? 1;
    const users = [...new Set([pick(USERS, second), pick(USERS, third)])].map((id) => ({
      id,
      allowance: Math.min(lease?.allowances.get(id) ?? 0, second % 3),
      needed: third % 4,
      wanted: third % 4,
    }));
    return {
      op: 'lease',
      name,
      incarnation,
      statement: {
        sequence: (lease?.sequence ?? 0) + (fourth % 3),
        basis: lease?.revision ?? 0,
        units: Math.min(lease?.units ?? 0, fourth % 4),
        wanted: second % 5,
        users: fourth % 2 === 0 ? users : [],
        ...(lease === undefined || fourth % 10 === 0 ? { fresh: true as const } : {}),
      },
      actor: ACTOR,
    };
  }

  #applicationOf(kind: ApplicationKind, picks: Picks): Operation {
    const login = this.#asked.length === 0 ? undefined : pick(this.#asked.slice(-8), picks[3]);
    const { users } = this.table.pools.get('near') ?? {};
    const present = [...[...(users?.readAll() ?? [])].map(({ id }) => id), ...USERS];
    // One in six is sent again.
    if (this.#applied.length > 0 && picks[2] % 6 === 0) return pick(this.#applied, picks[1]);
    const operation = applicationOperation(kind, pick(NAMES, picks[0]), picks, login, present);
    this.#applied.push(operation);
    this.#applied.splice(0, this.#applied.length - 8);
    return operation;
  }

  #otherOf(kind: Kind, [first, second, third]: Picks): Operation {
    const name = pick(NAMES, first);
    const instance = this.table.instances.get(name);
    const incarnation = instance?.incarnation ?? 1;
    const login = pick(this.#asked, second) ?? { instance: name, id: NEVER };
    const target = { instance: login.instance, id: login.id };
    const id = pick(HISTORY_KEYS, first).id;
    switch (kind) {
      case 'login':
        return this.#loginOf(name, second, third);
      case 'logout':
        return { op: 'logout', ...target, reason: third % 6 === 0 ? 'forced' : 'logout', actor: ACTOR };
      case 'identify':
        return { op: 'identify', ...target, user: pick(USERS, third), actor: ACTOR };
      case 'reap-instance': {
        const observedMs = (instance?.deadlineMs ?? 0) - (third % 4 === 0 ? 1 : 0);
        return { op: 'reap-instance', name, incarnation, observedMs, actor: 'lictor' };
      }
      case 'renew-instance':
        return { op: 'renew-instance', name, incarnation, actor: ACTOR };
      case 'close':
        return {
          op: 'close-instance',
          name,
          incarnation: incarnation - (third % 5 === 0 ? 1 : 0),
          actor: ACTOR,
        };
      case 'deregister':
        return { op: 'deregister', name, actor: ACTOR };
      case 'release-user':
        return { op: 'release-user', pool: id, user: pick(USERS, second), note: '', actor: ACTOR };
      case 'release-instance':
        return { op: 'release-instance', instance: name, note: '', actor: ACTOR };
      case 'reset-marks': {
        const of = third % 3 === 0 ? { instance: null, key: id } : { instance: name, key: null };
        return { op: 'reset-marks', ...of, counters: COUNTERS.slice(second % COUNTERS.length), actor: ACTOR };
      }
      case 'clear-durations':
        return { op: 'clear-durations', instance: name, actor: ACTOR };
      case 'change-key': {
        const enforcement = pick(['central', 'local', 'leased'] as const, second);
        const changes = third % 2 === 0 ? { enforcement } : { connectionsPerUnitMax: 1 + (second % 3) };
        return { op: 'change-key', id, changes, ifRevision: null, actor: ACTOR };
      }
      case 'remove-key':
        return { op: 'remove-key', id, actor: ACTOR };
      case 'activate': {
        const cause = third % 5 === 0 ? 'rolled-back' : 'activated';
        return {
          op: 'activate-key',
          instance: name,
          key: pick(HISTORY_KEYS, second).id,
          cause,
          inspected: null,
          actor: ACTOR,
        };
      }
      case 'install-key':
        return { op: 'install-key', key: pick(HISTORY_KEYS, first), file: null, actor: ACTOR };
      default:
        return makeRegister({
          name,
          key: pick(KEYS, second),
          incarnation: pick([null, incarnation, incarnation, incarnation - 1, incarnation + 3], third),
          settings: { unitLimit: third % 4 === 0 ? 2 : 0 },
        });
    }
  }

  #loginOf(instance: string, second: number, third: number): LogIn {
    const login: LogIn = {
      op: 'login',
      instance,
      id: `10000000-0000-4000-8000-${String(this.#asked.length).padStart(12, '0')}`,
      claims: { kind: third % 5 === 0 ? 'request' : 'user', user: pick(USERS, second) },
      print: second,
      actor: ACTOR,
      ...(third % 4 === 0 ? { leaseSeconds: 20 } : {}),
    };
    this.#asked.push(login);
    return login;
  }
}

/** An update that no careful instance would make, and that the edge lets through. */
function strayOf({ name, incarnation, sequence: made }: Reporter, picks: Picks): Report {
  const [, second, third, fourth] = picks;
  const sequence = Math.max(0, made - 2) + (second % 6);
  const isEmpty = third % 5 === 0;
  const since = isEmpty ? sequence : Math.max(0, sequence - 1 - (third % 3));
  const isFull = !isEmpty && fourth % 2 === 0;
  const ids = [...new Set([pick(USERS, second), pick(USERS, third), pick(USERS, fourth)])];
  const rows: DigestedRow[] = ids.map((id, index) => {
    const connections = (second + index) % 4;
    return { id, connections, webSessions: 0, transitioned: connections > 0 && (third + index) % 3 === 0 };
  });
  const more = isFull && fourth % 4 === 0;
  return {
    op: 'report',
    name,
    incarnation: incarnation - (second % 9 === 0 ? 1 : 0),
    sequence,
    since: Math.min(since, sequence),
    fullFrom: isFull ? Math.max(1, sequence - (third % 2)) : null,
    more,
    rows: isEmpty || since === sequence ? [] : rows,
    digest: more ? null : ({ ...EMPTY_DIGEST, rows: second % 3 } satisfies Digest),
    actor: ACTOR,
  };
}

/**
 * Counts a table anew from its parts.
 * @throws Error that says what of it is not what it comes to.
 */
export function expectSound(table: Table): void {
  expectMarksKept(table);
  const mustBe = (isSo: boolean, what: string) => {
    if (!isSo) throw new Error(`At version ${table.version}: ${what}`);
  };
  for (const { instance, reported, report } of table.places.values()) {
    const digest = new TableDigest();
    for (const [id, row] of reported) digest.add({ id, ...row });
    const { rows, connections, checksum } = report ?? EMPTY_DIGEST;
    const same =
      [rows, connections, checksum].join() === [digest.rows, digest.connections, digest.checksum].join();
    mustBe(same, `the digest of ${instance} is not that of its rows`);
    mustBe(
      report === null || report.lost === null || report.fullFrom > 0 || rows === 0,
      `${instance} lost its rows`,
    );
  }
  for (const pool of table.pools.values()) {
    const key = table.keys.get(pool.id);
    const { excess, units } = pool;
    mustBe(table.over.has(pool) === (excess !== null), `${pool.id} is over, or not`);
    // NAK as soon as use is over the limit, until it is below it (F-52, F-54).
    if (key?.enforcement === 'local') {
      mustBe(
        excess === null ? units <= key.unitsEnforced : units >= excess.limit,
        `${units} units in ${pool.id}`,
      );
    } else mustBe(excess === null, `an episode is open in ${pool.id}, where nobody decides for himself`);
    if (excess) mustBe(excess.units === units - excess.limit, `the episode of ${pool.id} is not up to date`);
    const transitioned = [...pool.users.readAll()].filter((user) => user.transitioned).map(({ id }) => id);
    mustBe(
      [...pool.transitioned].sort().join() === transitioned.sort().join(),
      `who has transitioned in ${pool.id}`,
    );
  }
}

function pick<Value>(values: readonly Value[], index: number): Value {
  return values[index % values.length]!;
}
