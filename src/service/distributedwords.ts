/**
 * What instances that decide for themselves report, and what is leased to them, in words.
 */

import type { ExcessChanged, Joined, Leased, LeaseEnded, Reported, Unreported } from '../domain/events.ts';
import type { Excess, ExcessCause, ExcessEnd } from '../domain/excesses.ts';

/** An event of local or leased enforcement. */
export type DistributedEvent = Reported | Unreported | ExcessChanged | Leased | LeaseEnded | Joined;

/** How combined use came over the limit, to stand after "because". */
export const EXCESS_CAUSES: Readonly<Record<ExcessCause, string>> = {
  reported: 'instances let users in before they heard of each other',
  returned: 'an instance that had been given up for silent came back with its users',
  activated: 'a key was activated that has fewer units than the users inside need',
};

/** What brought combined use below the limit, to stand after "because". */
export const EXCESS_ENDS: Readonly<Record<ExcessEnd, string>> = {
  logouts: 'users logged out',
  silence: 'an instance was silent too long',
  restart: 'an instance was started again',
  removal: 'an instance was deregistered, closed or moved to another key',
  change: 'the enforcement of the key was changed',
};

/**
 * Says what an event of local or leased enforcement means.
 * @param event - of the journal.
 * @param reason - why something ended, as the journal words it; only read where the event has a reason.
 */
export function distributedWords(event: DistributedEvent, reason: string): string {
  switch (event.type) {
    case 'reported':
      return reportedWords(event);
    case 'unreported':
      return `What ${event.instance} had reported counts no longer (${many(event.rows, 'user')}): ${reason}. ${event.used} units of key ${event.pool} were in use afterwards.`;
    case 'excess':
      return excessWords(event.excess);
    case 'leased':
      return `${event.instance} holds ${many(event.units, 'unit')} of key ${event.pool} in lease ${event.lease} until ${instant(event.ends)}. ${event.used} were in use or leased afterwards.`;
    case 'lease-ended':
      return `Lease ${event.lease} of ${event.instance} ended: ${reason}. ${event.used} units of key ${event.pool} were in use or leased afterwards.`;
    case 'joined':
      return `Every lease of key ${event.pool} has an entry for ${many(event.users.length, 'user')} now, whose connections are counted together. ${event.used} units were in use or leased afterwards.`;
  }
}

function reportedWords(event: Reported): string {
  const { instance, sequence, rows, came, dropped, pool, used } = event;
  const what = event.fullFrom === undefined ? 'changes of its table' : 'its whole table';
  const part = event.more ? ', in parts' : '';
  const gone = dropped === undefined ? '' : `, ${many(dropped, 'user')} it did not name are gone`;
  const counts = event.counted ? `${used} units of key ${pool} were in use afterwards` : 'It counts nowhere';
  return `Instance ${instance} reported ${what}${part} (update ${sequence}): ${many(rows.length, 'user')}, of whom ${came} came${gone}. ${counts}.`;
}

function excessWords(excess: Excess): string {
  const { pool, limit, unitsMax, usersCount, cause, fromMs, toMs, endedBy } = excess;
  const since = `Combined use of key ${pool} came over its ${limit} units at ${instant(fromMs)}, because ${EXCESS_CAUSES[cause]}`;
  const sofar = `by ${many(unitsMax, 'unit')} at most, with ${many(usersCount, 'user')} who came in over the limit`;
  if (toMs === null) return `${since}, ${sofar} so far; ${many(excess.units, 'unit')} over it now.`;
  return `${since}, ${sofar}. It ended at ${instant(toMs)}, because ${EXCESS_ENDS[endedBy ?? 'logouts']}.`;
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}
