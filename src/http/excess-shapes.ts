/**
 * How an episode of combined use over the limit is shown.
 */

import { type Static, Type } from 'typebox';
import type { Excess } from '../domain/excesses.ts';
import { EXCESS_CAUSES, EXCESS_ENDS } from '../service/distributedwords.ts';
import { instantOf } from './answers.ts';
import { Instant } from './schemas.ts';

const MS_PER_HOUR = 3_600_000;

/** One episode of the over-limit ledger. */
export const ExcessShape = Type.Object({
  id: Type.String({ description: 'The ID of the decision that began it.' }),
  key: Type.String({ description: 'The key.' }),
  state: Type.Enum(['open', 'ended'], {
    type: 'string',
    description: 'It ends when combined use is below the limit, not when it reaches it.',
  }),
  cause: Type.Enum(['reported', 'returned', 'activated'], {
    type: 'string',
    description:
      '`reported`: instances let users in before they heard of each other; `returned`: an instance that was given up for silent came back with its users; `activated`: a key was activated that has fewer units than the users inside need.',
  }),
  limit: Type.Integer({ description: 'The units that the key enforces.' }),
  from: Instant('When combined use was over the limit as far as the reports tell.'),
  to: Type.Optional(Instant('When it was below the limit again; absent while it is not.')),
  durationSeconds: Type.Number({ description: 'How long it has lasted, as of `asOf`.' }),
  asOf: Instant('When the record was written last.'),
  units: Type.Integer({ description: 'Units over the limit then; 0 while use is exactly the limit.' }),
  unitsMax: Type.Integer({ description: 'The most units over the limit at one time.' }),
  unitHours: Type.Number({ description: 'Units over the limit, integrated over time.' }),
  usersCount: Type.Integer({
    description:
      'How many users came in over the limit: whose coming brought it over, or who came meanwhile.',
  }),
  users: Type.Array(Type.Object({ userId: Type.String(), instance: Type.String() }), {
    description: 'The first of them, at most 100.',
  }),
  instances: Type.Array(Type.String(), {
    description: 'The instances that they came in on, the first 100 of them.',
  }),
  endedBy: Type.Optional(
    Type.Enum(['logouts', 'silence', 'restart', 'removal', 'change'], {
      type: 'string',
      description:
        'What brought use below the limit: users logged out; an instance was silent too long, was started again, or was deregistered, closed or moved to another key. Or the enforcement of the key was changed.',
    }),
  ),
});

/** Shows an episode. */
export function showExcess(excess: Excess): Static<typeof ExcessShape> {
  const { id, pool, limit, cause, fromMs, atMs, toMs, units, unitsMax, unitMs, users, usersCount } = excess;
  return {
    id,
    key: pool,
    state: toMs === null ? 'open' : 'ended',
    cause,
    limit,
    from: instantOf(fromMs),
    ...(toMs === null ? {} : { to: instantOf(toMs) }),
    durationSeconds: ((toMs ?? atMs) - fromMs) / 1000,
    asOf: instantOf(atMs),
    units,
    unitsMax,
    unitHours: unitMs / MS_PER_HOUR,
    usersCount,
    users: users.map(({ user, instance }) => ({ userId: user, instance })),
    instances: [...excess.instances],
    ...(excess.endedBy === null ? {} : { endedBy: excess.endedBy }),
  };
}

/** How many users, and instances, of an episode a line of the report names. */
const NAMED_IN_TEXT_MAX = 8;

/**
 * The ledger as a report for people.
 *
 * @param excesses - the latest first.
 * @param atMs - the instant as of which open ones are told, ms since 1970.
 * @param hasMore - whether there are earlier ones.
 */
export function ledgerText(excesses: readonly Excess[], atMs: number, hasMore: boolean): string {
  const lines = [`Over-limit ledger at ${instantOf(atMs)}`, ''];
  if (excesses.length === 0) lines.push('Combined use was never over the limit.');
  for (const excess of excesses) lines.push(...episodeLines(excess));
  if (hasMore) lines.push('Earlier episodes follow on the next page.');
  return `${lines.join('\n')}\n`;
}

function episodeLines(excess: Excess): string[] {
  const { pool, limit, fromMs, toMs, units, unitsMax, users, usersCount, instances, cause, endedBy } = excess;
  const end = toMs === null ? `open, ${units} over now` : instantOf(toMs);
  const why = endedBy === null ? '' : `; ended because ${EXCESS_ENDS[endedBy]}`;
  const named = users.slice(0, NAMED_IN_TEXT_MAX).map(({ user, instance }) => `${user} (${instance})`);
  const where =
    instances.length === 0 ? 'no instance' : firstOf(instances.slice(0, NAMED_IN_TEXT_MAX), instances.length);
  return [
    `${instantOf(fromMs)} .. ${end}  key ${pool}`,
    `    over ${limit} units by ${unitsMax} at most, ${integralText(excess)}, because ${EXCESS_CAUSES[cause]}${why}`,
    `    came in: ${usersCount} on ${where}: ${firstOf(named, usersCount)}`,
    '',
  ];
}

/** Names the first of many. */
function firstOf(named: readonly string[], count: number): string {
  const others = count - named.length;
  return `${named.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}

const SECONDS_PER_HOUR = 3_600;

/** What it came to over time; in hours only where there is something of an hour. */
function integralText(excess: Excess): string {
  const { unitHours, durationSeconds } = showExcess(excess);
  const seconds = unitHours * SECONDS_PER_HOUR;
  const integral =
    seconds < SECONDS_PER_HOUR ? `${Math.round(seconds)} unit seconds` : `${unitHours.toFixed(2)} unit hours`;
  return `${integral} in ${durationSeconds} s`;
}
