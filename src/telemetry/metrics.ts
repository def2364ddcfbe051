/**
 * Every metric that Lictor tells, declared in one place with its labels. Services call the methods of
 * `metrics` once per batch; nothing here waits, throws or depends on a running SDK. `docs/telemetry.md`
 * documents each name, and a test holds the two together.
 */

import type { Meter } from '@opentelemetry/api';
import type { ReleaseReason, Rule } from '../domain/events.ts';
import {
  addSeries,
  type Distribution,
  makeDistribution,
  makeTally,
  OVERFLOW,
  record,
  type Tally,
} from './tallies.ts';

/** How many keys are told apart in the gauges per key; the others are added up under `other`. */
export const KEYS_MAX = 500;

const RULES = [
  'enforced-units',
  'transition',
  'unit-limit',
  'partial-activation',
  'connection-limit',
  'default-licence',
  'key-expiry',
  'key-start',
  'key-trust',
  'emergency',
  'instance-alive',
  'parent',
  'application-units',
] as const satisfies readonly Rule[];

const REASONS = [
  'logout',
  'expired',
  'due',
  'forced',
  'unanswered',
  'restarted',
  'deregistered',
  'silent',
  'closed',
] as const satisfies readonly ReleaseReason[];

const BEATS = ['renewed', 'marked', 'missing', 'unavailable'] as const;
const UPDATES = ['acknowledged', 'not-acknowledged', 'resend'] as const;
const REAPED = ['login', 'instance'] as const;
const APPLICATION_CALLS = ['taken', 'returned'] as const;

/** How a heartbeat was met; `unavailable` when the coordination could not be asked. */
export type BeatOutcome = (typeof BEATS)[number];

/** How an update of an instance was answered; `resend` when a full report was asked for, whatever else was said. */
export type UpdateOutcome = (typeof UPDATES)[number];

/** What was asked for features of applications. */
export type ApplicationCall = (typeof APPLICATION_CALLS)[number];

/** What was taken back for its silence. */
export type Reaped = (typeof REAPED)[number];

/** The units of one key, at the moment they are asked for. */
export interface KeyUnits {
  readonly key: string;
  readonly used: number;
  readonly free: number;
}

/** What is asked for when metrics are collected. Each function must be cheap and must not throw. */
export interface Gauges {
  queueLength(): number;
  /** Whether this replica leads. */
  leader(): boolean;
  /** Whether the coordination store answered the last time it was asked. */
  coordinationHealthy(): boolean;
  units(): Iterable<KeyUnits>;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

const batchEvents = makeDistribution(
  'lictor.batch.events',
  'Events of one appended batch',
  '{event}',
  [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
);
const batchSeries = addSeries(batchEvents, {});
const appendSeconds = makeDistribution(
  'lictor.append.duration_seconds',
  'From sending a batch to Postgres to its commit',
  's',
  [0.0005, ...SECONDS],
);
const appendSeries = addSeries(appendSeconds, {});

/** The duration of HTTP requests; its series are made by `src/http/observe.ts`, one per route and status. */
export const requestSeconds: Distribution = makeDistribution(
  'http.server.request.duration',
  'From the arrival of a request to its answer',
  's',
  [0.0005, ...SECONDS],
);

/** Every histogram, for the readers. */
export const distributions: readonly Distribution[] = [batchEvents, appendSeconds, requestSeconds];

const granted = makeTally('', ['']);
const refused = makeTally('rule', RULES);
const released = makeTally('reason', REASONS);
const heartbeats = makeTally('status', BEATS);
const updates = makeTally('outcome', UPDATES);
const reaped = makeTally('what', REAPED);
const applications = makeTally('what', APPLICATION_CALLS);
const conflicts = makeTally('', ['']);
const unknownOutcomes = makeTally('', ['']);
const reloads = makeTally('', ['']);
const authenticationFailures = makeTally('', ['']);

const COUNTERS: readonly (readonly [name: string, description: string, tally: Tally])[] = [
  ['lictor.logins.granted', 'Logins that were granted', granted],
  ['lictor.logins.refused', 'Logins that were refused, by the rule that did', refused],
  ['lictor.logins.released', 'Logins that ended, by reason', released],
  ['lictor.heartbeats', 'Signs of life, by how they were met', heartbeats],
  ['lictor.updates', 'Updates of instances that decide for themselves, by the answer', updates],
  ['lictor.reaped', 'Silent logins and instances that were taken back', reaped],
  ['lictor.applications', 'Features of applications that were taken, or given back by a call', applications],
  ['lictor.append.conflicts', 'Appends that met a head moved by another replica', conflicts],
  ['lictor.append.unknown', 'Appends whose outcome was not known at once', unknownOutcomes],
  ['lictor.reloads', 'Times the table was loaded anew from Postgres', reloads],
  ['lictor.authentication.failures', 'Requests with a token that is not valid', authenticationFailures],
];

let foldLagRows = 0;
let foldLagSeconds = 0;
let gauges: Gauges | null = null;

/** The methods by which Lictor counts. Amounts are added; calls with 0 change nothing. */
export const metrics = {
  /** @param count - logins granted in a batch. */
  granted: (count: number): void => granted.add('', count),
  /** @param count - logins that the rule refused in a batch, not events. */
  refused: (rule: Rule, count: number): void => refused.add(rule, count),
  released: (reason: ReleaseReason, count: number): void => released.add(reason, count),
  heartbeats: (outcome: BeatOutcome, count: number): void => heartbeats.add(outcome, count),
  updated: (outcome: UpdateOutcome): void => updates.add(outcome, 1),
  reaped: (what: Reaped, count: number): void => reaped.add(what, count),
  applications: (what: ApplicationCall, count: number): void => applications.add(what, count),
  /**
   * One batch was appended.
   * @param events - the events it holds.
   * @param appendMs - from sending the statement to its commit, in milliseconds.
   */
  appended(events: number, appendMs: number): void {
    record(batchSeries, batchEvents.boundaries, events);
    record(appendSeries, appendSeconds.boundaries, appendMs / 1000);
  },
  appendConflict: (): void => conflicts.add('', 1),
  unknownOutcome: (): void => unknownOutcomes.add('', 1),
  reloaded: (): void => reloads.add('', 1),
  authenticationFailed: (): void => authenticationFailures.add('', 1),
  /**
   * How far the distributed table is behind the journal.
   * @param rows - rows of the journal that are not folded yet.
   * @param ageMs - the age of the oldest of them in milliseconds; 0 when there is none.
   */
  foldLag(rows: number, ageMs: number): void {
    foldLagRows = rows;
    foldLagSeconds = ageMs / 1000;
  },
  /**
   * Names who answers for the gauges; the last call counts, and null (at shutdown) leaves them out.
   * @param source - the functions asked at each collection.
   */
  observe(source: Gauges | null): void {
    gauges = source;
  },
} as const;

/**
 * Adds up the units of keys beyond the bound, so that the number of series stays the same whatever is
 * installed.
 *
 * @param units - the units per key.
 * @param keysMax - how many keys are told apart.
 * @returns at most `keysMax` keys, and one more named `other` when there are more.
 */
export function boundKeys(units: Iterable<KeyUnits>, keysMax: number = KEYS_MAX): KeyUnits[] {
  const bounded: KeyUnits[] = [];
  let beyond = 0;
  let used = 0;
  let free = 0;
  for (const each of units) {
    if (bounded.length < keysMax) {
      bounded.push(each);
      continue;
    }
    beyond += 1;
    used += each.used;
    free += each.free;
  }
  if (beyond > 0) bounded.push({ key: OVERFLOW, used, free });
  return bounded;
}

/**
 * Declares the counters and gauges on a meter. They are read when somebody collects, and cost nothing else.
 *
 * @param meter - the meter of the SDK that was started.
 */
export function declareInstruments(meter: Meter): void {
  for (const [name, description, tally] of COUNTERS) {
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const [value, count] of tally.entries()) {
        result.observe(count, tally.label === '' ? {} : { [tally.label]: value });
      }
    });
  }
  declareGauges(meter);
}

function declareGauges(meter: Meter): void {
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  gauge('lictor.fold.lag_rows', 'Rows of the journal that are not folded yet').addCallback((result) =>
    result.observe(foldLagRows),
  );
  gauge('lictor.fold.lag_seconds', 'Age of the oldest row that is not folded yet').addCallback((result) =>
    result.observe(foldLagSeconds),
  );
  gauge('lictor.queue.length', 'Operations that wait for the lane').addCallback((result) => {
    if (gauges !== null) result.observe(gauges.queueLength());
  });
  gauge('lictor.leader', '1 when this replica leads').addCallback((result) => {
    if (gauges !== null) result.observe(gauges.leader() ? 1 : 0);
  });
  gauge('lictor.coordination.healthy', '1 when the coordination store answers').addCallback((result) => {
    if (gauges !== null) result.observe(gauges.coordinationHealthy() ? 1 : 0);
  });
  const used = gauge('lictor.units.used', 'Units in use, by key');
  const free = gauge('lictor.units.free', 'Units that are free, by key');
  meter.addBatchObservableCallback(
    (result) => {
      if (gauges === null) return;
      for (const each of boundKeys(gauges.units())) {
        result.observe(used, each.used, { key: each.key });
        result.observe(free, each.free, { key: each.key });
      }
    },
    [used, free],
  );
}
