/**
 * What the journal says of marks and histograms, in words.
 */

import type { DurationsCleared, MarksReset } from '../domain/events.ts';
import type { Counter } from '../domain/marks/marks.ts';

const NAMES: Readonly<Record<Counter, string>> = {
  users: 'users',
  connections: 'connections',
  'web-users': 'web users',
  processes: 'processes',
  'web-grace': 'sessions in grace',
};

/** Says what an event means, in a sentence or two. */
export function markWords(event: MarksReset | DurationsCleared): string {
  if (event.type === 'durations-cleared') {
    const logins = event.counts.reduce((total, count) => total + count, 0);
    return `The histogram of how long logins of ${event.instance} lasted was cleared; ${logins === 1 ? '1 login was' : `${logins} logins were`} in it.`;
  }
  const { instance, pool, counters, before } = event;
  const whose = instance === undefined ? `key ${pool}` : `instance ${instance}`;
  const names = counters.map((counter) => NAMES[counter]).join(', ');
  const were = [
    ...(before.units === undefined ? [] : [`${before.units} units`]),
    ...(before.users === undefined ? [] : [`${before.users} users`]),
    ...(before.connections === undefined ? [] : [`${before.connections} connections`]),
    ...(before.webUsers === undefined ? [] : [`${before.webUsers} web users`]),
    ...(before.processes === undefined ? [] : [`${before.processes} processes`]),
    ...(before.webGrace === undefined ? [] : [`${before.webGrace} sessions in grace`]),
  ];
  return `The marks of ${whose} were reset: ${names}. The most had been ${were.join(', ')}.`;
}
