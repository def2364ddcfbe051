/**
 * Random histories of instances that decide for themselves, with the journal, the facts and the fold in a real
 * Postgres: whatever version the fold stands at, a replica that starts from it comes to the same table.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { applyRow } from '../../src/domain/apply.ts';
import { Touched } from '../../src/domain/holdings/holdings.ts';
import type { Answer } from '../../src/domain/operations.ts';
import { factsOf } from '../../src/service/facts.ts';
import { changesOf } from '../../src/service/fold.ts';
import { TableBuilder } from '../../src/service/loading.ts';
import { readFold, writeFold } from '../../src/storage/folds.ts';
import { appendRow, appendRowWithFacts, readRowsAfter } from '../../src/storage/journal.ts';
import { claimLeadership } from '../../src/storage/leadership.ts';
import { readSnapshot } from '../../src/storage/snapshots.ts';
import { MUCH_TAKEN } from '../support/applicationsteps.ts';
import { expectDumps } from '../support/dumps.ts';
import { expectSound, historySteps, RandomHistory } from '../support/histories.ts';
import { closeShards, openShard, SHARD, type TestShard } from '../support/lane.ts';
import { replay, snapshotOf } from '../support/snapshot.ts';

afterEach(closeShards);

const STEPS = 180;
const ROWS_MAX = 10_000;

/** A history whose rows are in Postgres, and are folded now and then. */
class StoredHistory {
  readonly #history = new RandomHistory();
  readonly #shard: TestShard;
  readonly #token: number;
  #stored = 0;

  constructor(shard: TestShard, token: number) {
    this.#shard = shard;
    this.#token = token;
    const { table } = this.#history;
    table.touched = new Touched();
    // What the world began with is to be folded as well.
    for (const pool of table.pools.values()) table.touched.pools.add(pool);
    for (const place of table.places.values()) table.touched.marks.add(place);
  }

  async take(step: ReturnType<typeof stepsOf>[number]): Promise<void> {
    const { lictor, table } = this.#history;
    let hasRun = false;
    this.#history.take(step, (operations, stumbles): Answer[] => {
      hasRun = true;
      if (stumbles) {
        lictor.draft(operations);
        table.rollback();
      }
      return lictor.run(operations);
    });
    if (!hasRun || !step.folds) return;
    expectSound(table);
    await this.#store();
    // The facts are those of the head, and the fold is behind it.
    await this.expectSame();
    await this.#fold();
    await this.expectSame();
    await expectDumps(this.#shard, table);
  }

  /** The types of the events that there were. */
  get types(): Set<string> {
    return new Set(this.#history.lictor.rows.flatMap(({ events }) => events.map(({ type }) => type)));
  }

  async end(): Promise<void> {
    await this.#store();
    await this.expectSame();
    expect(snapshotOf(replay(this.#history.lictor.rows))).toEqual(snapshotOf(this.#history.table));
  }

  /** Appends what was decided since, each row with the facts that it says. */
  async #store(): Promise<void> {
    const { rows } = this.#history.lictor;
    const { sql } = this.#shard;
    for (; this.#stored < rows.length; this.#stored += 1) {
      const row = rows[this.#stored]!;
      const head = await this.#shard.head();
      const facts = factsOf(row, new Map());
      const { appended } = facts
        ? await appendRowWithFacts(sql, row, head, facts)
        : await appendRow(sql, row, head);
      expect(appended).toBe(true);
    }
  }

  async #fold(): Promise<void> {
    const { table } = this.#history;
    const { sql } = this.#shard;
    const from = await readFold(sql, SHARD);
    if (from.version === table.version) return;
    const { version, batch, atMs, touched } = table;
    const changes = changesOf(table, touched!, from.version);
    expect(await writeFold(sql, SHARD, this.#token, from, { version, batch, atMs }, changes)).toBe(true);
    table.touched = new Touched();
  }

  /** A replica that starts now has this table. */
  async expectSame(): Promise<void> {
    const { sql } = this.#shard;
    const builder = new TableBuilder(SHARD);
    await readSnapshot(sql, SHARD, builder);
    const { table } = builder;
    for (const row of (await readRowsAfter(sql, SHARD, table, ROWS_MAX))!) applyRow(table, row);
    expect(snapshotOf(table)).toEqual(snapshotOf(this.#history.table));
    expect([...table.over].map(({ id }) => id).sort()).toEqual(
      [...this.#history.table.over].map(({ id }) => id).sort(),
    );
  }
}

function stepsOf(seed: number, weights: Parameters<typeof historySteps>[0] = {}) {
  return fc.sample(historySteps(weights), { seed, numRuns: STEPS });
}

describe('R-9: a table that is loaded from the fold, at any version', () => {
  test.each([1, 13, 14, 22, 27])(
    'is the one that the journal comes to, in every field (L-1…L-9, %i)',
    async (seed) => {
      const shard = await openShard();
      const { token } = (await claimLeadership(shard.sql, SHARD, 'leader', 600_000))!;
      const history = new StoredHistory(shard, token);
      for (const step of stepsOf(seed)) await history.take(step);
      await history.end();
    },
    60_000,
  );

  test.each([2, 3, 5])(
    'is the one that the journal comes to, with everything that is held of applications (P-3, P-7, %i)',
    async (seed) => {
      const shard = await openShard();
      const { token } = (await claimLeadership(shard.sql, SHARD, 'leader', 600_000))!;
      const history = new StoredHistory(shard, token);
      for (const step of stepsOf(seed, MUCH_TAKEN)) await history.take(step);
      await history.end();
      expect(history.types).toEqual(new Set([...history.types, 'taken', 'returned', 'application-loaded']));
    },
    60_000,
  );
});
