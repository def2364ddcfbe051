/**
 * What the events of the journal name: users, logins, keys and actors, for filters and restrictions.
 */

import type { JournalEvent } from '../domain/events.ts';

/** The user IDs that an event names. Releases name the login only. */
export function usersOf(event: JournalEvent): string[] {
  switch (event.type) {
    case 'refused':
      return event.samples.flatMap(({ user }) => user ?? []);
    case 'reported':
      return event.rows.map(([user]) => user);
    case 'excess':
      return event.excess.users.map(({ user }) => user);
    case 'leased':
      return [...(event.allowances?.map(([user]) => user) ?? []), ...(event.dropped ?? [])];
    case 'joined':
    case 'moved':
      return event.users.map(([user]) => user);
  }
  return 'user' in event && event.user !== undefined ? [event.user] : [];
}

/** The login IDs that an event names. */
export function loginsOf(event: JournalEvent): string[] {
  if (event.type === 'refused') return event.samples.flatMap(({ login }) => login ?? []);
  return 'login' in event && event.login !== undefined ? [event.login] : [];
}

/**
 * The key that an event concerns: the one it names, or the one of the instance it names.
 *
 * @param event - an event.
 * @param keyOf - tells the key that an instance is registered with.
 * @returns null when there is none.
 */
export function keyOfEvent(event: JournalEvent, keyOf: (instance: string) => string | null): string | null {
  switch (event.type) {
    case 'key-installed':
    case 'key-changed':
      return event.key.id;
    case 'key-removed':
      return event.key;
    case 'registered':
    case 'configured':
    case 'silenced':
    case 'revived':
      return event.instance.key;
    case 'granted':
    case 'identified':
    case 'refused':
    case 'reported':
    case 'unreported':
    case 'leased':
    case 'lease-ended':
    case 'joined':
      return event.pool;
    case 'excess':
      return event.excess.pool;
    case 'application-loaded':
      return keyOf(event.application.instance);
    case 'activated':
      return event.activation.to ?? event.activation.from;
    case 'moved':
      return event.to;
    case 'marks-reset':
      return event.pool ?? keyOf(event.instance!);
    case 'ended':
      return event.pool ?? (event.instance === undefined ? null : keyOf(event.instance));
    case 'released':
    case 'forestalled':
    case 'renewed':
    case 'lingered':
    case 'deregistered':
    case 'durations-cleared':
    case 'application-removed':
    case 'taken':
    case 'returned':
    case 'holdings-moved':
      return keyOf(event.instance);
  }
}

/** Who did what an event says. */
export function actorsOf(event: JournalEvent, actors: readonly string[]): string[] {
  if (event.type === 'excess' || event.type === 'joined') return [];
  const indexes = event.type === 'refused' ? event.samples.map(({ by }) => by) : [event.by];
  return indexes.flatMap((index) => actors[index] ?? []);
}
