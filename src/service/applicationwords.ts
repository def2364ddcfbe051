/**
 * What the journal says of application licences, in words.
 */

import type {
  ApplicationEvent,
  HeldUnits,
  HoldingsMoved,
  Returned,
  Taken,
} from '../domain/applications/applicationevents.ts';
import { unitsOfValue } from '../domain/applications/applications.ts';

/** Says what an event means, in a sentence or two. */
export function applicationWords(event: ApplicationEvent): string {
  switch (event.type) {
    case 'application-loaded': {
      const { instance, name, entries, signature } = event.application;
      const counted = entries.filter(([, value]) => unitsOfValue(value) !== null);
      const units = counted.map(([keyword, value]) => `${keyword} ${value}`).join(', ');
      return `[${name}] was loaded for ${instance}, ${signature}: ${units === '' ? 'nothing in it is counted' : units}.`;
    }
    case 'application-removed':
      return `[${event.application}] was taken away from ${event.instance}; what is held of it stays held until it is given back.`;
    case 'taken':
      return `User "${event.user}" took ${namesOf(event.features)} ${whereOf(event)}. ${countsOf(event.features)}`;
    case 'returned':
      return returnedWords(event);
    case 'holdings-moved':
      return movedWords(event);
  }
}

function returnedWords(event: Returned): string {
  const given = event.features.filter(({ missing }) => !missing);
  const who = `User "${event.user}"`;
  if (given.length === 0)
    return `${who} was to give back ${namesOf(event.features)} ${whereOf(event)}, and held nothing of it.`;
  return `${who} gave back ${namesOf(given)} ${whereOf(event)}. ${countsOf(given)}`;
}

function movedWords({ instance, features }: HoldingsMoved): string {
  const moved = features.filter(({ from, to }) => from !== to);
  const anew = features.length - moved.length;
  const what = moved.map(
    ({ application, feature, to, usedTo }) =>
      `"${feature}" of [${application}] is counted ${to === null ? 'on it alone' : `across key ${to}`}, where ${many(usedTo, 'user')} hold it`,
  );
  const peaks = anew === 0 ? [] : [`${many(anew, 'peak')} of its key's sections began anew`];
  return `Instance ${instance} took another key: ${[...what, ...peaks].join('; ')}.`;
}

function namesOf(features: readonly HeldUnits[]): string {
  return features.map(({ application, feature }) => `"${feature}" of [${application}]`).join(', ');
}

function whereOf({ instance, login }: Taken | Returned): string {
  return login === undefined ? `on ${instance} for himself` : `on ${instance} by login ${login}`;
}

function countsOf(features: readonly HeldUnits[]): string {
  const counts = features.map(({ feature, count, used, units }) => {
    const of = units === undefined ? many(used, 'unit') : `${used} of ${many(units, 'unit')}`;
    return `He has "${feature}" ${many(count, 'time')} now, and ${of} ${used === 1 && units === undefined ? 'is' : 'are'} in use`;
  });
  return `${counts.join('; ')}.`;
}

function many(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
