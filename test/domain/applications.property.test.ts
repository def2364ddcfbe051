import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { TakeApplication } from '../../src/domain/applications/applicationoperations.ts';
import { decide, emitClosing, emitDue } from '../../src/domain/decide.ts';
import { Draft } from '../../src/domain/draft.ts';
import type { Answer, Operation } from '../../src/domain/operations.ts';
import type { Table } from '../../src/domain/table.ts';
import { expectHoldingsSound, MUCH_TAKEN, unitsWhere } from '../support/applicationsteps.ts';
import { type HistoryStep, historySteps, RandomHistory } from '../support/histories.ts';
import type { World } from '../support/make.ts';
import { Model } from '../support/model.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

/** How long the longest histories are, and how many are tried; the seed makes every run the same. */
const STEPS_MAX = 160;
const RUNS = Number(process.env.LICTOR_TEST_HISTORIES ?? 1_000);
const SEED = 20_300_104;

/** What the facts say becomes of a take; undefined where something other than units stands against it. */
function expectTake(table: Table, model: Model, take: TakeApplication): boolean | undefined {
  const instance = table.instances.get(take.instance);
  const isKnown = take.id !== null && table.requests.byId.has(`${take.instance}\n${take.id}`);
  if (!instance || instance.state === 'silent' || isKnown) return undefined;
  const { holder } = take;
  const login = 'login' in holder ? table.places.get(take.instance)?.logins.get(holder.login) : undefined;
  const user = 'user' in holder ? holder.user : login?.user?.id;
  if (user === undefined || login?.phase === 'grace') return undefined;
  const key = instance.key === null ? undefined : table.keys.get(instance.key);
  const isEnded = (key?.validThroughMs ?? Number.POSITIVE_INFINITY) < table.atMs;
  return take.features.every(({ application, feature }) => {
    const shared = application.startsWith('ISC.') ? instance.key : null;
    const users = model.applications.users({ instance: take.instance, key: shared }, application, feature);
    const isProtected = application.includes('.');
    if (isProtected && (isEnded || key === undefined)) return false;
    return users.has(user) || users.size < unitsWhere(table, take.instance, application, feature);
  });
}

/** Decides a batch, holding every take against the model. */
function runChecked(lictor: World, model: Model, operations: readonly Operation[]): Answer[] {
  const { table, policy } = lictor;
  table.begin();
  const draft = new Draft(table, lictor.nowMs);
  let followed = 0;
  const follow = () => {
    for (; followed < draft.events.length; followed += 1) model.follow(draft.events[followed]!);
    expectHoldingsSound(table, model.applications);
  };
  emitDue(draft);
  follow();
  const answers = operations.map((operation) => {
    const expected =
      operation.op === 'take-application'
        ? expectTake({ ...table, atMs: draft.atMs } as Table, model, operation)
        : undefined;
    const before = model.applications.takes.length;
    const answer = decide(draft, operation, policy);
    follow();
    if (operation.op === 'take-application' && answer.is !== 'held')
      expect(model.applications.takes).toHaveLength(before);
    if (expected === true && answer.is === 'refused' && answer.rule === 'application-units')
      throw new Error(`refused with units free: ${JSON.stringify([operation, answer])}`);
    if (expected === false && answer.is === 'held' && !answer.repeated)
      throw new Error(`granted without units: ${JSON.stringify([operation, answer])}`);
    return answer;
  });
  emitClosing(draft);
  follow();
  lictor.commit(draft);
  return answers;
}

/** How often each of what is expected must have been met. */
const MET_MIN = RUNS / 20;

function note(seen: Map<string, number>, what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1);
}

function expectSame(one: unknown, other: unknown): void {
  if (JSON.stringify(one) !== JSON.stringify(other)) expect(one).toEqual(other);
}

function play(steps: readonly HistoryStep[], seen: Map<string, number>): World {
  const history = new RandomHistory();
  const { lictor } = history;
  const model = new Model();
  for (const row of lictor.rows) for (const event of row.events) model.follow(event);
  for (const step of steps) {
    history.take(step, (operations, stumbles) => {
      if (stumbles) {
        const before = snapshotOf(lictor.table);
        lictor.draft(operations);
        lictor.table.rollback();
        expectSame(snapshotOf(lictor.table), before);
      }
      const answers = runChecked(lictor, model, operations);
      for (const answer of answers) if (answer.is === 'held' && answer.repeated) note(seen, 'repeated');
      return answers;
    });
  }
  return lictor;
}

describe('units of applications, whatever happens', () => {
  test('P-1…P-6: none is granted beyond its number, none is lost, and all that is held goes with its holder (F-70, F-72, F-74, R-4)', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(historySteps(MUCH_TAKEN), { maxLength: STEPS_MAX, size: 'max' }), (steps) => {
        const lictor = play(steps, seen);
        expectSame(snapshotOf(replay(lictor.rows)), snapshotOf(lictor.table));
        for (const row of lictor.rows) {
          for (const event of row.events) note(seen, event.type === 'refused' ? event.rule : event.type);
          for (const event of row.events) if ('holdingsStay' in event) note(seen, 'holdings stay');
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // A property that never met an event or a rule has not tested it.
    for (const met of EXPECTED_TO_BE_MET) expect(seen.get(met) ?? 0).toBeGreaterThan(MET_MIN);
  }, 240_000);
});

const EXPECTED_TO_BE_MET = [
  'application-loaded',
  'application-removed',
  'taken',
  'returned',
  'holdings-moved',
  'application-units',
  'repeated',
  'holdings stay',
  'identified',
  'ended',
];
