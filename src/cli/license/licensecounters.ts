/** The limits and counters of the legacy class, for `lictor license` (notes 2.2, 2.3). */

import type {
  ConfigureInstanceBody,
  CountInstanceAnswer,
  ResetInstanceMarksBody,
} from '../../client/openapi.ts';
import { CONNECTIONS_PER_UNIT_MAX } from '../../domain/counting.ts';
import { CliFault, EXIT } from '../faults.ts';
import { type LegacyCall, type LegacyMethod, type Printed, STATUS_OK } from './licensecall.ts';

/** The most that a limit may be. */
const LIMIT_MAX = 1_000_000_000;

/** What an instance uses. */
export async function countsOf(call: LegacyCall): Promise<CountInstanceAnswer> {
  const name = await call.instance();
  return (await call.client()).reports.counts(name);
}

/**
 * Changes settings of the instance, on the revision that was read.
 *
 * @param body - what is changed.
 * @returns the settings as they were.
 */
export async function changeSettings(call: LegacyCall, body: ConfigureInstanceBody) {
  const name = await call.instance();
  const { instances } = await call.client();
  const { settings, revision } = await instances.read(name);
  await instances.configure(name, body, revision);
  return settings;
}

/** The settings of the instance. */
export async function settingsOf(call: LegacyCall) {
  const name = await call.instance();
  return (await (await call.client()).instances.read(name)).settings;
}

const LIMITS: readonly LegacyMethod[] = [
  {
    name: 'MaxConnections',
    group: 'Limits',
    takes: [],
    words: 'connections that a user may have on one unit',
    differences:
      'It is a term of the key here (25 unless its file states MaxConnections), and can be changed with "lictor keys change".',
    nearest: 'lictor instances key INSTANCE',
    async run(call) {
      const name = await call.instance();
      const { key } = await (await call.client()).reports.key(name);
      return { value: key?.connectionsPerUnitMax ?? CONNECTIONS_PER_UNIT_MAX };
    },
  },
  {
    name: 'SetConnectionLimit',
    group: 'Limits',
    takes: ['MaxCon'],
    words: 'limits the connections of one user on this instance, 0 is no limit; returns the former limit',
    differences: 'Refusals by it stand in the journal; the legacy product does not log them.',
    nearest: 'lictor instances configure INSTANCE --connection-limit N',
    async run(call) {
      call.required(0);
      const connectionLimit = call.number(0, LIMIT_MAX);
      return { value: (await changeSettings(call, { connectionLimit })).connectionLimit };
    },
  },
  {
    name: 'GetConnectionLimit',
    group: 'Limits',
    takes: [],
    words: 'the limit of the connections of one user on this instance; 0 is no limit',
    nearest: 'lictor instances show INSTANCE',
    run: async (call) => ({ value: (await settingsOf(call)).connectionLimit }),
  },
  {
    name: 'SetUserLimit',
    group: 'Limits',
    takes: ['MaxLU'],
    words: 'limits the units that this instance may use of its key; returns the former limit',
    differences: '0 takes the limit away.',
    nearest: 'lictor instances configure INSTANCE --unit-limit N',
    async run(call) {
      call.required(0);
      const unitLimit = call.number(0, LIMIT_MAX);
      const { unitsMax } = await countsOf(call);
      await changeSettings(call, { unitLimit });
      return { value: unitsMax };
    },
  },
  {
    name: 'GetUserLimit',
    group: 'Limits',
    takes: [],
    words: 'the units that this instance may use: all that its key enforces, unless it is limited',
    nearest: 'lictor usage instance INSTANCE',
    run: async (call) => ({ value: (await countsOf(call)).unitsMax }),
  },
];

/** A counter: its name, what it counts, and where the answer has it. */
type Counter = readonly [
  name: string,
  words: string,
  pick: (counts: CountInstanceAnswer) => number | undefined,
];

const COUNTERS: readonly Counter[] = [
  ['LUAvailable', 'units that this instance could still use', (counts) => counts.unitsAvailable.now],
  ['LUConsumed', 'units that this instance uses', (counts) => counts.units.now],
  ['LUMinAvailable', 'the fewest units that were left', (counts) => counts.unitsAvailable.minimum],
  ['LUMaxConsumed', 'the most units at one time', (counts) => counts.units.peak],
  ['InstanceConnections', 'connections on this instance', (counts) => counts.connections.now],
  ['InstanceConnectionsMax', 'the most connections at one time', (counts) => counts.connections.peak],
  ['CSPUsers', 'users with a web session', (counts) => counts.webUsers.now],
  ['MaxCSPUsers', 'the most users with a web session at one time', (counts) => counts.webUsers.peak],
  ['CSPGrace', 'web sessions in their grace period', (counts) => counts.webSessionsInGrace.now],
  ['MaxCSPGrace', 'the most of these at one time', (counts) => counts.webSessionsInGrace.peak],
  [
    'ProcAvailable',
    'processes that could still start, by a key that limits them',
    ({ processesAvailable }) => processesAvailable?.now,
  ],
  ['ProcConsumed', 'processes on this instance', (counts) => counts.processes.now],
  ['ProcMaxConsumed', 'the most processes at one time', (counts) => counts.processes.peak],
  [
    'ProcMinAvailable',
    'the fewest processes that could still start, by a key that limits them',
    ({ processesAvailable }) => processesAvailable?.minimum,
  ],
];

const counterMethod = ([name, words, pick]: Counter): LegacyMethod => ({
  name,
  group: 'Counters',
  takes: [],
  words,
  ...(/^Proc(Min)?Available/.test(name)
    ? { differences: 'Empty for a key that does not limit processes: only those of the type Real Time do.' }
    : {}),
  nearest: 'lictor usage instance INSTANCE',
  async run(call) {
    const value = pick(await countsOf(call));
    return value === undefined ? { value: '', note: 'The key does not limit processes.' } : { value };
  },
});

type CounterName = NonNullable<ResetInstanceMarksBody['counters']>[number];

/** The arguments of `LUMaxConsumedReset` in lower case, with what is reset and which old peak is the answer. */
const RESETS: Readonly<
  Record<
    string,
    readonly [
      counters: readonly CounterName[],
      peak: 'units' | 'connections' | 'webUsers' | 'processes' | 'webSessionsInGrace',
    ]
  >
> = {
  '': [['users', 'connections'], 'units'],
  users: [['users'], 'units'],
  connections: [['connections'], 'connections'],
  cspusers: [['web-users'], 'webUsers'],
  processes: [['processes'], 'processes'],
  cspgrace: [['web-grace'], 'webSessionsInGrace'],
  '*': [['users', 'connections', 'web-users', 'processes', 'web-grace'], 'units'],
};

const MARKS: readonly LegacyMethod[] = [
  {
    name: 'LUMaxConsumedReset',
    group: 'Counters',
    takes: ['[Arg]'],
    words: 'sets peaks of this instance back to what stands; returns the old peak',
    differences:
      'Arg is Users, Connections, CSPUsers, Processes, CSPGrace or "*"; left out, Users and Connections. Of several the old peak of units is printed; --json prints each. Who reset what stands in the journal.',
    nearest: 'lictor usage reset --instance INSTANCE',
    async run(call) {
      const found = RESETS[(call.argument(0) ?? '').toLowerCase()];
      if (found === undefined) {
        throw call.misused('Arg must be Users, Connections, CSPUsers, Processes, CSPGrace or "*".');
      }
      const [counters, peak] = found;
      const name = await call.instance();
      const { before } = await (await call.client()).marks.reset(name, { counters });
      const all: Readonly<Record<string, Printed>> = before;
      return { value: before[peak] ?? '', ...(call.world.json ? { output: all } : {}) };
    },
  },
  {
    name: 'DistributedMaxReset',
    group: 'Counters',
    takes: ['[Counter]'],
    words: "sets the license server's peaks of this instance's key back; Users, Connections, or both",
    nearest: 'lictor usage reset --key KEY',
    async run(call) {
      const counter = call.argument(0)?.toLowerCase();
      if (counter !== undefined && counter !== 'users' && counter !== 'connections') {
        throw call.misused('Counter must be Users or Connections.');
      }
      const key = await keyOf(call);
      await (await call.client()).marks.resetKey(key, counter === undefined ? {} : { counters: [counter] });
      return { value: STATUS_OK };
    },
  },
  {
    name: 'ReadDurationValues',
    group: 'Counters',
    takes: [],
    words: 'the bounds of the histogram of login durations, in seconds',
    nearest: 'lictor usage durations INSTANCE',
    async run(call) {
      const name = await call.instance();
      const { durations } = await (await call.client()).marks.durations(name);
      return { value: durations.flatMap(({ upToSeconds }) => upToSeconds ?? []) };
    },
  },
  {
    name: 'ReadDurationCounts',
    group: 'Counters',
    takes: [],
    words: 'how many logins lasted so long, one count for each bound and one above; not cumulative',
    nearest: 'lictor usage durations INSTANCE',
    async run(call) {
      const name = await call.instance();
      const { durations } = await (await call.client()).marks.durations(name);
      return { value: durations.map(({ count }) => count) };
    },
  },
  {
    name: 'ClearDurationCounts',
    group: 'Counters',
    takes: [],
    words: 'begins the histogram anew; returns the counts that there were',
    nearest: 'lictor usage durations INSTANCE --clear',
    async run(call) {
      const name = await call.instance();
      const { durations } = await (await call.client()).marks.clearDurations(name);
      return { value: durations.map(({ count }) => count) };
    },
  },
];

/**
 * The key that this instance works under.
 *
 * @throws CliFault when it has none.
 */
export async function keyOf(call: LegacyCall): Promise<string> {
  const name = await call.instance();
  const { key } = await (await call.client()).instances.read(name);
  if (key !== undefined) return key;
  throw new CliFault(
    EXIT.failed,
    `The instance ${name} has no key.`,
    `"lictor keys activate FILE --instance ${name}" gives it one.`,
  );
}

/** The methods about limits and counters. */
export const COUNTER_METHODS: readonly LegacyMethod[] = [...LIMITS, ...COUNTERS.map(counterMethod), ...MARKS];
