/** Every report over random tables: what one of them adds up to, all others say (notes 2.6, 7.4, 11). */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { historySteps, RandomHistory } from '../support/histories.ts';
import { world } from '../support/make.ts';
import { expectReportsAgree } from '../support/reportchecks.ts';
import { type Asked, operationOf, STEP_INSTANCES, STEP_KEYS, steps } from '../support/steps.ts';

const SEED = 20_300_104;

describe('figures of all reports agree', () => {
  test('of logins that the server decides (trap 1, 12, 13)', async () => {
    const seen = new Set<string>();
    for (const [index, sequence] of fc
      .sample(fc.array(steps(), { minLength: 60, maxLength: 60 }), { seed: SEED, numRuns: 40 })
      .entries()) {
      const lictor = world({ keys: STEP_KEYS, instances: STEP_INSTANCES });
      const asked: Asked = [];
      for (const [at, step] of sequence.entries()) {
        lictor.nowMs += step.waitMs;
        lictor.ask(operationOf(step, lictor, asked));
        if ((at + index) % 6 === 0) await expectReportsAgree(lictor.table, lictor.nowMs);
      }
      for (const { events } of lictor.rows) for (const { type } of events) seen.add(type);
    }
    expect([...seen]).toEqual(
      expect.arrayContaining(['granted', 'lingered', 'identified', 'activated', 'moved']),
    );
  }, 60_000);

  test('of instances that decide for themselves (F-51, F-55)', async () => {
    const seen = new Set<string>();
    for (let seed = SEED; seed < SEED + 25; seed += 1) {
      const history = new RandomHistory();
      for (const [at, step] of fc.sample(historySteps(), { seed, numRuns: 80 }).entries()) {
        history.take(step, (operations) => history.lictor.run(operations));
        if (at % 8 === 0) await expectReportsAgree(history.table, history.lictor.nowMs);
      }
      for (const { events } of history.lictor.rows) for (const { type } of events) seen.add(type);
    }
    expect([...seen]).toEqual(expect.arrayContaining(['granted', 'reported', 'leased', 'excess']));
  }, 60_000);
});
