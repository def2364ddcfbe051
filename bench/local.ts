/**
 * Decisions of an instance that decides for itself: logins and logouts in its own table, without a word to
 * anybody, under a local and under a leased key. Everything is in this process, so that what is measured is the
 * table alone.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LeaseRights } from '../src/domain/leaserights.ts';
import { decideLocalLogin, decideLocalLogout } from '../src/domain/localdecisions.ts';
import { type LocalLogin, LocalTable } from '../src/domain/localtable.ts';
import type { Figure } from './goals.ts';
import type { Options } from './options.ts';
import { spreadOf } from './statistics.ts';

const USERS = 10_000;
const UNITS = 20_000;
const PER_SECOND_GOAL = 1_000_000;
/** Bytes that may be more at the end than after the warm-up; a byte a decision would be hundreds of megabytes. */
const GROWTH_GOAL_MB = 1;
/** Decisions between two looks at the clock. */
const STRIDE = 10_000;
const TERM_MS = 3_600_000;

/** Measures both enforcements. */
export function measureLocal(options: Options): Figure[] {
  return [...measureTable('local', makeTable(), options), ...measureTable('leased', leasedTable(), options)];
}

function makeTable(): LocalTable {
  const capacity = { unitsMax: UNITS, connectionsPerUnitMax: 25, fault: null };
  return new LocalTable({ instance: 'bench', idPrefix: 'bench', capacity });
}

/** A table with a block that is large enough for everybody. */
function leasedTable(): LocalTable {
  const table = makeTable();
  const rights = new LeaseRights({
    connectionsOf: (userId) => table.users.get(userId)?.connections ?? 0,
    connectionsPerUnitMax: 25,
  });
  const { sequence } = rights.statement(0, 0);
  rights.adopt({
    sequence,
    id: '0:1:0',
    revision: 1,
    units: UNITS,
    termMs: TERM_MS,
    nextStatementAfterSeconds: TERM_MS / 1000,
    allowances: [],
    scarce: false,
  });
  table.rights = rights;
  return table;
}

function measureTable(name: string, table: LocalTable, options: Options): Figure[] {
  const ids = Array.from({ length: USERS }, (_, n) => `user-${n}`);
  const logins: (LocalLogin | null)[] = ids.map(() => null);
  run(table, ids, logins, options.warmUpSeconds);
  const heapBefore = heapBytes();
  const rates = Array.from({ length: options.rounds }, () => run(table, ids, logins, options.seconds));
  const grownMb = (heapBytes() - heapBefore) / 2 ** 20;
  return [
    {
      name: `decisions of a ${name} table, ${USERS} users`,
      value: spreadOf(rates),
      unit: 'per second',
      goal: { is: 'at least', bound: PER_SECOND_GOAL },
      faults: [],
    },
    {
      name: `heap of a ${name} table after them`,
      value: spreadOf([grownMb]),
      unit: 'MiB more',
      goal: { is: 'at most', bound: GROWTH_GOAL_MB },
      faults: [],
    },
  ];
}

/** Lets users in and out in turn for some seconds. @returns decisions a second. */
function run(table: LocalTable, ids: readonly string[], logins: (LocalLogin | null)[], seconds: number) {
  const from = performance.now();
  let decisions = 0;
  let index = 0;
  let elapsedMs = 0;
  do {
    for (let number = 0; number < STRIDE; number += 1) {
      const login = logins[index]!;
      if (login === null) {
        const answer = decideLocalLogin(table, { kind: 'user', user: ids[index]! }, elapsedMs);
        if (answer.is !== 'granted') throw new Error(`A login was answered ${JSON.stringify(answer)}.`);
        logins[index] = answer;
      } else {
        if (!decideLocalLogout(table, login, elapsedMs)) throw new Error('A logout met nobody.');
        logins[index] = null;
      }
      // A step that shares no factor with the number of users, so that neighbours in memory are not in time.
      index = (index + 4_421) % USERS;
    }
    decisions += STRIDE;
    elapsedMs = performance.now() - from;
  } while (elapsedMs < seconds * 1000);
  return (decisions * 1000) / elapsedMs;
}

/** The heap after everything that can be collected was. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
