/**
 * Events of the journal in words, so that a decision can be explained to whoever asks.
 */

import type {
  Ended,
  Granted,
  Identified,
  InstanceChanged,
  JournalEvent,
  Refused,
  ReleaseReason,
  Rule,
} from '../domain/events.ts';
import { defaultPoolOf } from '../domain/instances.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import { activationWords } from './activationwords.ts';
import { applicationWords } from './applicationwords.ts';
import { distributedWords } from './distributedwords.ts';
import { markWords } from './markwords.ts';

const REASONS: Readonly<Record<ReleaseReason, string>> = {
  logout: 'it logged out',
  expired: 'its lease ran out without a sign of life',
  due: 'its fixed time was over',
  forced: 'it was forced out',
  unanswered: 'its answer never went out, so nobody could know of it',
  restarted: 'the instance was started again',
  deregistered: 'the instance was deregistered',
  silent: 'the instance was silent too long',
  closed: 'the instance was closed in good order',
  moved: 'the instance took another key, or the key another enforcement',
};

const RULES: Readonly<Record<Rule, string>> = {
  'enforced-units': 'the units that the key enforces were in use',
  transition: 'one connection more would have made every connection of the user cost a unit',
  'unit-limit': "the instance's own limit of units was reached",
  'partial-activation': 'the other units of the key could be used after a restart of the instance only',
  'connection-limit': "the user's limit of connections on the instance was reached",
  'default-licence': 'the instance had no usable key, and its one unit was in use',
  'key-expiry': 'the key had expired',
  'key-start': 'the key was not valid yet',
  'key-trust': 'the key or its signing key was revoked',
  emergency: 'the emergency login of the instance was in use',
  'instance-alive': 'the instance had been silent too long and had not registered again',
  parent: 'the parent login was not known',
  'application-units': 'all units of the feature were held by other users',
  'over-limit': 'the instances together were over the limit, and the user was new',
  offline: 'the instance had been without the server for too long, and the user was new',
};

/**
 * Says what an event means, in a sentence or two.
 *
 * @param event - of the journal.
 */
export function eventWords(event: JournalEvent): string {
  switch (event.type) {
    case 'granted':
      return grantedWords(event);
    case 'identified':
      return identifiedWords(event);
    case 'refused':
      return refusedWords(event);
    case 'released':
      return `Login ${event.login} of ${event.instance} ended: ${REASONS[event.reason]}${noteWords(event.note)}. ${unitWords(event.freed)} came back; ${event.used} were in use afterwards.`;
    case 'ended':
      return endedWords(event);
    case 'forestalled':
      return `Login ${event.login} of ${event.instance} was logged out before it came, and will not be granted.`;
    case 'renewed':
      return `The lease of login ${event.login} of ${event.instance} was renewed until ${instantWords(event.expires)}.`;
    case 'lingered':
      return `Login ${event.login} of ${event.instance} went out; its unit is held until ${instantWords(event.ends)}.`;
    case 'registered':
    case 'configured':
    case 'silenced':
    case 'revived':
      return instanceWords(event);
    case 'deregistered':
      return `Instance ${event.instance} was deregistered.`;
    case 'key-installed':
      return `Key ${event.key.id} was installed: ${event.key.unitsAuthorised} units authorised, ${event.key.unitsEnforced} enforced, ${event.key.trust}.`;
    case 'key-changed':
      return `Key ${event.key.id} was changed: a unit bears ${event.key.connectionsPerUnitMax} connections of a user, and its enforcement is ${event.key.enforcement}${servedWords(event.key)}.`;
    case 'key-removed':
      return `Key ${event.key} was removed.`;
    case 'activated':
    case 'moved':
      return activationWords(event);
    case 'marks-reset':
    case 'durations-cleared':
      return markWords(event);
    case 'application-loaded':
    case 'application-removed':
    case 'taken':
    case 'returned':
    case 'holdings-moved':
      return applicationWords(event);
    case 'reported':
    case 'unreported':
    case 'excess':
    case 'leased':
    case 'lease-ended':
    case 'joined':
      return distributedWords(event, 'reason' in event ? REASONS[event.reason] : '');
  }
}

function grantedWords(event: Granted): string {
  const where = `on ${event.instance}`;
  if (event.pending) {
    return `A login ${where} was let in without a unit; it must identify itself.`;
  }
  if (event.user === undefined)
    return `A login of kind "${event.kind}" was let in ${where}; it costs nothing.`;
  return `User "${event.user}" was let in ${where}. ${costWords(event, event.user)}`;
}

function identifiedWords(event: Identified): string {
  return `Login ${event.login} of ${event.instance} identified itself as user "${event.user}". ${costWords(event, event.user)}`;
}

/** What a connection of a user cost, and why (F-31…F-33). */
function costWords(event: Granted | Identified, user: string): string {
  const { connections, units, added, used, pool } = event;
  const where = poolWords(pool);
  const cost =
    added > 0
      ? `It took ${unitWords(added)} of ${where}`
      : added < 0
        ? `On balance ${unitWords(-added)} came back to ${where}`
        : `It took no unit of ${where}`;
  const state = event.transitioned
    ? `"${user}" has more connections than one unit bears and costs ${unitWords(units)} for ${connections} connections`
    : `"${user}" costs ${unitWords(units)} for ${connections} connection${connections === 1 ? '' : 's'}`;
  return `${cost}; ${state}. ${used} were in use afterwards.`;
}

function refusedWords(event: Refused): string {
  const { count, rule, limit, inUse, requested, samples, application, feature } = event;
  const [first] = samples;
  const who = first?.user === undefined ? '' : ` of user "${first.user}"`;
  const one = application === undefined ? 'A login' : `A take of "${feature}" in [${application}]`;
  const what =
    count === 1
      ? `${one}${who} on ${first?.instance ?? 'an instance'} was refused`
      : `${count} ${application === undefined ? 'logins' : `takes of "${feature}" in [${application}]`} were refused`;
  return `${what}, because ${RULES[rule]}: the limit is ${limit}, ${inUse} were in use, ${requested} requested (${poolWords(event.pool)}).`;
}

function endedWords(event: Ended): string {
  const whose =
    event.instance !== undefined
      ? `of ${event.instance}${event.boundOnly ? ' that lived as long as it' : ''}`
      : `of user "${event.user}" under ${poolWords(event.pool ?? '')}`;
  const many = event.logins === 1 ? '1 login' : `${event.logins} logins`;
  const why = event.reason === 'forced' ? 'forced out' : REASONS[event.reason];
  return `${many} ${whose} ended: ${why}${noteWords(event.note)}.`;
}

function instanceWords({ type, instance }: InstanceChanged): string {
  const { name, key, incarnation } = instance;
  switch (type) {
    case 'registered':
      return `Instance ${name} registered ${key === null ? 'without a key' : `with key ${key}`}, incarnation ${incarnation}.`;
    case 'configured':
      return `The settings of instance ${name} were changed.`;
    case 'silenced':
      return `Instance ${name} gave no sign of life for ${instance.settings.graceSeconds} s; what was bound to it was taken back.`;
    case 'revived':
      return `Instance ${name} gave a sign of life that the journal had to settle.`;
  }
}

function servedWords({ licenseId, servedAtMs }: InstalledKey): string {
  if (servedAtMs === undefined) return '';
  return `; it is served under the LicenseID "${licenseId}" since ${instantWords(servedAtMs)}, until another one is`;
}

function poolWords(pool: string): string {
  const prefix = defaultPoolOf('');
  return pool.startsWith(prefix) ? `the default licence of ${pool.slice(prefix.length)}` : `key ${pool}`;
}

function unitWords(units: number): string {
  return units === 1 ? '1 unit' : `${units} units`;
}

function noteWords(note: string | undefined): string {
  return note === undefined ? '' : ` ("${note}")`;
}

function instantWords(atMs: number): string {
  return new Date(atMs).toISOString();
}
