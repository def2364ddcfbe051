import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decide, emitDue } from '../../src/domain/decide.ts';
import { Draft } from '../../src/domain/draft.ts';
import type { JournalEvent } from '../../src/domain/events.ts';
import type { Answer, Identify, LogIn, Operation } from '../../src/domain/operations.ts';
import type { Table } from '../../src/domain/table.ts';
import { identify } from '../../src/domain/users.ts';
import { type World, world } from '../support/make.ts';
import { expectMarksKept } from '../support/marks.ts';
import { Model } from '../support/model.ts';
import { contentOf, replay, snapshotOf } from '../support/snapshot.ts';
import { type Asked, operationOf, STEP_INSTANCES, STEP_KEYS, type Step, steps } from '../support/steps.ts';

/** How long the longest sequences are, and how many are tried; the seed makes every run the same. */
const STEPS_MAX = 200;
const RUNS = 300;
const SEED = 20_300_101;

/** The pool a new login of an instance counts in, the units there, and whether its key is at fault. */
function poolOf(lictor: World, instance: string, key: string | null, nowMs: number) {
  const installed = key === null ? undefined : lictor.table.keys.get(key);
  const isOver = (installed?.validThroughMs ?? Number.POSITIVE_INFINITY) < nowMs;
  if (!installed || isOver) return { pool: `default:${instance}`, unitsMax: 1, isFaulty: true };
  return { pool: installed.id, unitsMax: installed.unitsEnforced, isFaulty: false };
}

/** What the facts say becomes of a new login that is somebody's; undefined where they say nothing about it. */
function expectLogin(lictor: World, model: Model, login: LogIn, nowMs: number): boolean | undefined {
  const instance = lictor.table.instances.get(login.instance);
  const place = lictor.table.places.get(login.instance);
  if (!instance || place?.logins.has(login.id) || place?.released.has(login.id)) return undefined;
  // The emergency login stands beside everything else (F-23).
  if (instance.state === 'silent' && login.claims.kind !== 'emergency') return false;
  if (login.parent !== undefined) return undefined;
  const identity = identify(login.claims, instance.settings, login.id, login.instance);
  if (identity.is !== 'user') return undefined;
  const { pool, unitsMax, isFaulty } = poolOf(lictor, login.instance, instance.key, nowMs);
  if (isFaulty) return !model.hasUserOn(login.instance);
  const event = { type: 'granted', instance: login.instance, login: login.id, pool, user: identity.userId };
  return fits(model, event as JournalEvent, { pool, unitsMax, user: identity.userId, instance });
}

/** The same for an explicit `Login(user)` that changes who somebody is. */
function expectIdentify(lictor: World, model: Model, operation: Identify, nowMs: number) {
  const instance = lictor.table.instances.get(operation.instance);
  const login = lictor.table.places.get(operation.instance)?.logins.get(operation.id);
  const held = model.find(operation.instance, operation.id);
  if (!instance || !login || !held || login.phase === 'grace') return undefined;
  if (held.user === null && login.phase !== 'pending') return undefined;
  const claims = { kind: 'user', user: operation.user, clientAddress: operation.clientAddress } as const;
  const identity = identify(claims, instance.settings, login.id, operation.instance);
  if (identity.is !== 'user' || identity.userId === held.user) return undefined;
  const key = held.user === null ? instance.key : held.pool;
  const target = poolOf(lictor, operation.instance, key, nowMs);
  const pool = held.user === null ? target.pool : held.pool;
  const event = { ...operation, type: 'identified', login: operation.id, pool, user: identity.userId };
  if (held.user === null && target.isFaulty) return !model.hasUserOn(operation.instance);
  // Whoever is in under a key that has ended may trade, but takes no more than he gives.
  const before = model.pool(pool).units;
  const unitsMax = target.isFaulty && pool === key ? before : target.unitsMax;
  return fits(model, event as unknown as JournalEvent, {
    pool,
    unitsMax,
    user: identity.userId,
    instance,
  });
}

function fits(
  model: Model,
  event: JournalEvent,
  where: {
    pool: string;
    unitsMax: number;
    user: string;
    instance: { name: string; settings: { unitLimit: number; connectionLimit: number } };
  },
): boolean {
  const { pool, unitsMax, user, instance } = where;
  const { unitLimit, connectionLimit } = instance.settings;
  if (connectionLimit > 0 && model.connections(pool, user, instance.name) >= connectionLimit) return false;
  const before = { units: model.pool(pool).units, unitsAt: model.unitsAt(instance.name) };
  const after = model.supposing(event, pool, instance.name);
  if (unitLimit > 0 && after.unitsAt > before.unitsAt && after.unitsAt > unitLimit) return false;
  return after.units <= before.units || after.units <= unitsMax;
}

/** Like an expectation, and cheap enough to be asked a million times. */
function hold(isSo: boolean, what: () => string): void {
  if (!isSo) throw new Error(what());
}

/** Compares as text first: the slow comparison is for showing a difference. */
function expectSame(one: unknown, other: unknown): void {
  if (JSON.stringify(one) !== JSON.stringify(other)) expect(one).toEqual(other);
}

/** Of pools that hold more than is enforced, because users went over to them who were in: how much they may hold. */
type Ceilings = Map<string, number>;

/**
 * The units then enforced are never passed, but by users who were in when their instance got another key; until
 * use has fallen it never rises again. Nothing is ever negative.
 */
function expectWithinBounds(table: Table, ceilings: Ceilings): void {
  for (const pool of table.pools.values()) {
    const enforced = pool.id.startsWith('default:') ? 1 : (table.keys.get(pool.id)?.unitsEnforced ?? 0);
    const unitsMax = Math.max(enforced, ceilings.get(pool.id) ?? 0);
    hold(pool.units >= 0 && pool.units <= unitsMax, () => `${pool.units} of ${unitsMax} units in ${pool.id}`);
    ceilings.set(pool.id, pool.units);
    hold(pool.connections >= pool.users.size, () => `${pool.connections} connections in ${pool.id}`);
  }
  for (const place of table.places.values()) {
    hold(place.units >= 0, () => `${place.units} units on ${place.instance}`);
  }
}

/** Every count of the table is what the model counts from scratch. */
function expectLikeModel(table: Table, model: Model): void {
  const same = (one: number, other: number, what: string) =>
    hold(one === other, () => `${what}: the table has ${one}, the model ${other}`);
  for (const pool of table.pools.values()) {
    const count = model.pool(pool.id);
    same(pool.units, count.units, `units of ${pool.id}`);
    same(pool.connections, count.connections, `connections of ${pool.id}`);
    same(pool.users.size, count.users, `users of ${pool.id}`);
    for (const user of pool.users.readAll()) {
      same(user.connections, model.connections(pool.id, user.id), `connections of ${user.id}`);
      for (const place of table.places.values()) {
        const here = model.connections(pool.id, user.id, place.instance);
        same(user.connectionsAt(place), here, `connections of ${user.id} on ${place.instance}`);
      }
    }
  }
  for (const place of table.places.values()) {
    same(place.units, model.unitsAt(place.instance), `units on ${place.instance}`);
  }
  same(table.loginCount, model.count, 'logins');
  expectMarksKept(table);
}

/** How many batches met something that was packed. */
let batchesOnPacked = 0;

/** Decides and commits a batch, holding every answer against the model. */
function runChecked(
  lictor: World,
  model: Model,
  operations: readonly Operation[],
  ceilings: Ceilings,
): Answer[] {
  const { table, policy } = lictor;
  if ([...table.places.values()].some(({ logins }) => logins.openSize < logins.size)) batchesOnPacked += 1;
  table.begin();
  const draft = new Draft(table, lictor.nowMs);
  emitDue(draft);
  let followed = 0;
  const follow = () => {
    for (; followed < draft.events.length; followed += 1) {
      const event = draft.events[followed]!;
      const before = model.connectionsHeld;
      model.follow(event);
      if (event.type !== 'moved') continue;
      for (const [pool, units] of event.used) ceilings.set(pool, units);
      hold(
        model.connectionsHeld === before,
        () => `moving lost or doubled connections: ${JSON.stringify(event)}`,
      );
    }
  };
  follow();
  let before = JSON.stringify(contentOf(table));
  const answers = operations.map((operation) => {
    let expected: boolean | undefined;
    if (operation.op === 'login') expected = expectLogin(lictor, model, operation, draft.atMs);
    if (operation.op === 'identify') expected = expectIdentify(lictor, model, operation, draft.atMs);
    const answer = decide(draft, operation, policy);
    if (expected !== undefined) {
      const wanted = expected ? 'granted' : 'refused';
      hold(answer.is === wanted, () => `${wanted} was expected of ${JSON.stringify([operation, answer])}`);
    }
    follow();
    const after = JSON.stringify(contentOf(table));
    const isNo = answer.is === 'refused' || answer.is === 'problem';
    hold(!isNo || after === before, () => `changed by a refusal: ${JSON.stringify(operation)}`);
    before = after;
    expectWithinBounds(table, ceilings);
    return answer;
  });
  lictor.commit(draft);
  expectLikeModel(table, model);
  return answers;
}

/** What will end by itself, and what is left then; nothing happens. */
function future(table: Table) {
  table.begin();
  const draft = new Draft(table, table.atMs + 10_000_000);
  while (emitDue(draft) > 0);
  const ends = draft.events.map((event) =>
    event.type === 'released' ? `${event.instance} ${event.login}` : '',
  );
  const left = contentOf(table);
  table.rollback();
  return { ends: ends.sort(), left };
}

/** Decides a batch and takes it back, as when the head has moved. */
function stumble(lictor: World, operations: readonly Operation[]): Answer[] {
  const { table } = lictor;
  const [before, ends] = [snapshotOf(table), future(table)];
  const { answers } = lictor.draft(operations);
  table.rollback();
  expectSame(snapshotOf(table), before);
  expectSame(future(table), ends);
  return answers;
}

function play(sequence: readonly Step[]): World {
  const lictor = world({ keys: STEP_KEYS, instances: STEP_INSTANCES });
  const model = new Model();
  for (const row of lictor.rows) for (const event of row.events) model.follow(event);
  const asked: Asked = [];
  const ceilings: Ceilings = new Map();
  let batch: Operation[] = [];
  for (const [index, step] of sequence.entries()) {
    if (batch.length === 0) lictor.nowMs += step.waitMs;
    batch.push(operationOf(step, lictor, asked));
    if (!step.closes && index < sequence.length - 1) continue;
    const stumbled = step.stumbles ? stumble(lictor, batch) : null;
    const answers = runChecked(lictor, model, batch, ceilings);
    if (stumbled) expectSame(answers, stumbled);
    batch = [];
  }
  return lictor;
}

describe('whatever happens, in whatever order', () => {
  test('no unit is granted twice or lost, refusals change nothing, batches can be taken back, and the journal gives the table (F-31…F-33, R-4, R-16)', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(steps(), { maxLength: STEPS_MAX, size: 'max' }), (sequence) => {
        const lictor = play(sequence);
        const replayed = replay(lictor.rows);
        expectSame(snapshotOf(replayed), snapshotOf(lictor.table));
        expectSame(future(replayed), future(lictor.table));
        for (const row of lictor.rows) {
          for (const event of row.events) seen.add(event.type === 'refused' ? event.rule : event.type);
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // A property that never met an event or a rule has not tested it.
    for (const met of EXPECTED_TO_BE_MET) expect(seen).toContain(met);
    expect(batchesOnPacked).toBeGreaterThan(RUNS);
  }, 120_000);
});

const EXPECTED_TO_BE_MET = [
  'granted',
  'released',
  'forestalled',
  'ended',
  'identified',
  'renewed',
  'lingered',
  'registered',
  'configured',
  'silenced',
  'revived',
  'deregistered',
  'key-installed',
  'key-changed',
  'key-removed',
  'activated',
  'moved',
  'enforced-units',
  'transition',
  'unit-limit',
  'connection-limit',
  'default-licence',
  'key-expiry',
  'emergency',
  'instance-alive',
  'parent',
];
