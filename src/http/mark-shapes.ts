/**
 * The shapes of counts with their marks, of their resets, and of the histogram of durations on the wire.
 */

import { type Static, Type } from 'typebox';
import type { DurationsCleared, MarksReset } from '../domain/events.ts';
import { COUNTERS, type MarkValues } from '../domain/marks/marks.ts';
import type { DurationCounts, InstanceCounts, Level, Low } from '../domain/texts/usagerows.ts';
import type { AsOf } from '../service/keys.ts';
import { AS_OF, instantOf, showAsOf } from './answers.ts';
import { Instant } from './schemas.ts';

const Count = (description: string) => Type.Integer({ description });
const Since = Instant('Since when the mark is kept: the start of the instance, or its last reset.');

const LevelShape = (description: string) =>
  Type.Object({ now: Count('Now.'), peak: Count('The most at one time.'), since: Since }, { description });

const LowShape = (description: string) =>
  Type.Object(
    { now: Count('Now.'), minimum: Count('The least at one time.'), since: Since },
    { description },
  );

/** What an instance uses and has used. */
export const CountsShape = Type.Object({
  instance: Type.String(),
  key: Type.Optional(Type.String({ description: 'The key that it is registered with; absent without one.' })),
  source: Type.Enum(['server', 'reported'], {
    type: 'string',
    description:
      'Whether the server counted, which decides its logins, or the instance decides for itself and the counts are as it reported them.',
  }),
  reportedAt: Type.Optional(Instant('When an instance that decides for itself last reported changes.')),
  unitsAuthorised: Count('The units that were bought.'),
  unitsEnforced: Count('The units beyond which logins are refused.'),
  unitsMax: Count(
    'The units that it may use if it were alone: the key’s, or its own limit where that is less.',
  ),
  unitsAvailable: LowShape(
    'What of these it does not use. Of a key that is shared, others may use it: `GET /v1/usage/counts` says what is free over all.',
  ),
  units: LevelShape('Units as the instance sees them: a user who is also elsewhere counts here too.'),
  users: LevelShape('Distinct users, not units.'),
  connections: LevelShape('Logins that are somebody’s, and connections that it reported.'),
  webUsers: LevelShape('Users who have a web session, also one in its grace period.'),
  webSessionsInGrace: LevelShape(
    'Web sessions and sessionless requests that went out and whose unit is held a while longer.',
  ),
  processes: LevelShape(
    'Logins and connections that are processes: all but web sessions and sessionless requests.',
  ),
  processesAvailable: Type.Optional(
    LowShape(
      'What is left of the processes that the key permits; only of keys whose type limits them (Real Time).',
    ),
  ),
  startedAt: Instant('When its present life began, and with it every mark.'),
  ...AS_OF,
});

const showLevel = ({ now, peak, sinceMs }: Level) => ({ now, peak, since: instantOf(sinceMs) });
const showLow = ({ now, minimum, sinceMs }: Low) => ({ now, minimum, since: instantOf(sinceMs) });

/** Shows what an instance uses and has used. */
export function showInstanceCounts(
  counts: InstanceCounts & { readonly asOf: AsOf },
): Static<typeof CountsShape> {
  const { instance, key, source, reportedAtMs, unitsAuthorised, unitsEnforced, unitsMax } = counts;
  return {
    instance,
    ...(key === null ? {} : { key }),
    source: source === 'server' ? source : 'reported',
    ...(reportedAtMs === null ? {} : { reportedAt: instantOf(reportedAtMs) }),
    ...{ unitsAuthorised, unitsEnforced, unitsMax },
    unitsAvailable: showLow(counts.unitsAvailable),
    units: showLevel(counts.units),
    users: showLevel(counts.users),
    connections: showLevel(counts.connections),
    webUsers: showLevel(counts.webUsers),
    webSessionsInGrace: showLevel(counts.webGrace),
    processes: showLevel(counts.processes),
    ...(counts.processesAvailable === null ? {} : { processesAvailable: showLow(counts.processesAvailable) }),
    startedAt: instantOf(counts.startedAtMs),
    ...showAsOf(counts.asOf),
  };
}

/** A mark that can be reset. */
export const CounterName = Type.Enum([...COUNTERS], { type: 'string' });

const Peak = (description: string) => Type.Optional(Count(description));

/** Marks as they stood before a reset. */
export const MarksBefore = Type.Object(
  {
    units: Peak('The most units at one time.'),
    users: Peak('The most users.'),
    unitsAvailable: Peak('The fewest units that were left.'),
    connections: Peak('The most connections.'),
    webUsers: Peak('The most users who had a web session.'),
    webSessionsInGrace: Peak('The most sessions in their grace period.'),
    processes: Peak('The most processes.'),
  },
  { description: 'What the marks were; those that were not reset are absent.' },
);

/** Shows marks as they stood before a reset. */
export function showMarksBefore({
  availableMinimum,
  webGrace,
  ...marks
}: MarkValues): Static<typeof MarksBefore> {
  return {
    ...marks,
    ...(availableMinimum === undefined ? {} : { unitsAvailable: availableMinimum }),
    ...(webGrace === undefined ? {} : { webSessionsInGrace: webGrace }),
  };
}

const Bucket = Type.Object({
  upToSeconds: Type.Optional(
    Type.Integer({ description: 'The bound, included; absent of what lasted longer than the last one.' }),
  ),
  count: Count('How many lasted longer than the bound before, and not longer than this one.'),
});

/** The histogram of durations. */
export const Buckets = Type.Array(Bucket, {
  description: 'From the shortest to the longest; not cumulative.',
});

/** Shows a histogram. */
export function showBuckets({ boundsSeconds, counts }: Pick<DurationCounts, 'boundsSeconds' | 'counts'>) {
  return counts.map((count, index) => {
    const upToSeconds = boundsSeconds[index];
    return { ...(upToSeconds === undefined ? {} : { upToSeconds }), count };
  });
}

/** What the journal's events of marks have beside what all have. */
export const MarkMembers = {
  counters: Type.Optional(Type.Array(CounterName, { description: 'Which marks were reset.' })),
  marksBefore: Type.Optional(MarksBefore),
  durationsBefore: Type.Optional(
    Type.Array(Type.Integer(), { description: 'The histogram that was cleared, from the shortest on.' }),
  ),
};

/** Shows an event of marks. */
export function markMembers(event: MarksReset | DurationsCleared) {
  if (event.type === 'durations-cleared')
    return { instance: event.instance, durationsBefore: [...event.counts] };
  const { instance, pool, counters, before } = event;
  return {
    ...(instance === undefined ? { key: pool! } : { instance }),
    counters: [...counters],
    marksBefore: showMarksBefore(before),
  };
}
