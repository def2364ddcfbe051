import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Operation } from '../../src/domain/operations.ts';
import { expectSound, type HistoryStep, historySteps, RandomHistory } from '../support/histories.ts';
import type { World } from '../support/make.ts';
import { contentOf, replay, snapshotOf } from '../support/snapshot.ts';

/** How long the longest histories are, and how many are tried; the seed makes every run the same. */
const STEPS_MAX = 160;
const RUNS = 600;
const SEED = 20_300_108;

/** Units of applications have a property of their own. */
const WEIGHTS = { load: 0, unload: 0, take: 0, give: 0 };

/** Compares as text first: the slow comparison is for showing a difference. */
function expectSame(one: unknown, other: unknown): void {
  if (JSON.stringify(one) !== JSON.stringify(other)) expect(one).toEqual(other);
}

/** Everything of a table, with the pools that are over their limits. */
function wholeOf({ table }: World) {
  return { ...snapshotOf(table), over: [...table.over].map(({ id }) => id).sort() };
}

/** Decides a batch and takes it back, as when another replica was first. */
function stumble(lictor: World, operations: readonly Operation[]) {
  const before = wholeOf(lictor);
  const { answers } = lictor.draft(operations);
  const result = inOrder(contentOf(lictor.table));
  lictor.table.rollback();
  expectSame(wholeOf(lictor), before);
  return { answers, result };
}

/** What of an answer, or of a table, depends on what was decided first; see `inOrder`. */
const BY_ORDER: ReadonlySet<string> = new Set([
  ...['detail', 'extras', 'decision', 'retryAfterSeconds', 'revision', 'index'],
]);

/**
 * In which order an answer names users, and whom it takes as an example, is nobody's concern. Nor is the number of a
 * decision: of leases that end at one instant either may be the first, and the other bring one event more. Nor when
 * to try again: of logins of two keys that end at one instant only the first is looked at.
 */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => JSON.stringify(inOrder(each))).sort();
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => !BY_ORDER.has(name));
  return Object.fromEntries(members.map(([name, member]) => [name, inOrder(member)]));
}

function play(steps: readonly HistoryStep[]): World {
  const history = new RandomHistory();
  const { lictor } = history;
  for (const step of steps) {
    history.take(step, (operations, stumbles) => {
      const tried = stumbles ? stumble(lictor, operations) : null;
      const answers = lictor.run(operations);
      // In whichever order things end that end at one instant, everybody is answered alike, and the same is held.
      if (tried) expectSame(answers.map(inOrder), tried.answers.map(inOrder));
      if (tried) expectSame(inOrder(contentOf(lictor.table)), tried.result);
      expectSound(lictor.table);
      return answers;
    });
  }
  return lictor;
}

describe('instances that decide for themselves, whatever happens', () => {
  test('L-1…L-9: batches can be taken back, the journal gives the table, and whoever is over the limit has an episode (R-4, R-16)', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(historySteps(WEIGHTS), { maxLength: STEPS_MAX, size: 'max' }), (steps) => {
        const lictor = play(steps);
        expectSame(snapshotOf(replay(lictor.rows)), snapshotOf(lictor.table));
        for (const row of lictor.rows) for (const event of row.events) note(event, seen);
      }),
      { numRuns: RUNS, seed: SEED },
    );
    // A property that never met something has not tested it.
    for (const met of EXPECTED_TO_BE_MET) expect(seen).toContain(met);
  }, 120_000);
});

function note(event: World['rows'][number]['events'][number], seen: Set<string>): void {
  seen.add(event.type);
  if (event.type === 'unreported') seen.add(`unreported ${event.reason}`);
  if (event.type === 'reported') {
    if (event.more) seen.add('a part');
    if (event.dropped) seen.add('dropped');
    if (!event.counted) seen.add('not counted');
  }
  if (event.type === 'excess') seen.add(`${event.excess.cause} ${event.excess.endedBy}`);
}

const EXPECTED_TO_BE_MET = [
  'reported',
  'a part',
  'dropped',
  'not counted',
  ...['silent', 'closed', 'restarted', 'deregistered', 'moved'].map((reason) => `unreported ${reason}`),
  'reported null',
  'returned null',
  // The end by a change of enforcement is too rare to be met by chance; `excesses.test.ts` has it.
  ...['logouts', 'silence', 'restart', 'removal'].map((end) => `reported ${end}`),
  'leased',
  'lease-ended',
  'joined',
  'granted',
  'ended',
  'key-changed',
  'key-removed',
  'activated',
  'moved',
  'activated null',
  'activated removal',
  'marks-reset',
  'durations-cleared',
];
