/**
 * Events of the journal as they are shown: the names of the API, instants in RFC 3339, actors by name.
 */

import { type Static, Type } from 'typebox';
import type { JournalEvent, RefusalSample } from '../domain/events.ts';
import { defaultPoolOf, type Instance } from '../domain/instances.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import type { JournalEntry } from '../service/journal.ts';
import { ActivationMembers, activationMembers, keyMembers } from './activation-shapes.ts';
import { instantOf } from './answers.ts';
import { ApplicationMembers, applicationMembers, featureMembers } from './applicationviews.ts';
import { DistributedMembers, distributedMembers } from './distributedviews.ts';
import { showTerms, withoutEmpty } from './keyviews.ts';
import { MarkMembers, markMembers } from './mark-shapes.ts';
import { Instant } from './schemas.ts';
import { showSettings } from './settings.ts';

/** Every type of event; the compiler checks that none is missing. */
const TYPES: Readonly<Record<JournalEvent['type'], true>> = {
  granted: true,
  released: true,
  forestalled: true,
  ended: true,
  identified: true,
  renewed: true,
  lingered: true,
  refused: true,
  registered: true,
  configured: true,
  silenced: true,
  revived: true,
  deregistered: true,
  'key-installed': true,
  'key-changed': true,
  'key-removed': true,
  reported: true,
  unreported: true,
  excess: true,
  leased: true,
  'lease-ended': true,
  joined: true,
  'application-loaded': true,
  'application-removed': true,
  taken: true,
  returned: true,
  'holdings-moved': true,
  'marks-reset': true,
  'durations-cleared': true,
  activated: true,
  moved: true,
};

/** The type of an event. */
export const EventType = Type.Enum(Object.keys(TYPES) as JournalEvent['type'][], {
  type: 'string',
  description: 'What happened.',
});

const OptionalText = (description: string) => Type.Optional(Type.String({ description }));
const OptionalCount = (description: string) => Type.Optional(Type.Integer({ description }));

const Sample = Type.Object({
  instance: Type.String(),
  login: Type.Optional(Type.String()),
  userId: Type.Optional(Type.String()),
  actor: Type.String(),
});

/** One event. Which members it has depends on its type. */
export const Event = Type.Object({
  decision: Type.String({ description: 'Its ID: shard, version and index.' }),
  at: Instant('When, by the clock of the database.'),
  type: EventType,
  actor: OptionalText('Who did it: the name and the ID of a token, or `lictor`.'),
  instance: OptionalText('The instance.'),
  login: OptionalText('The login.'),
  key: OptionalText('The key; absent on the default licence of an instance.'),
  userId: OptionalText('The licence user ID.'),
  kind: OptionalText('What kind of login.'),
  pending: Type.Optional(Type.Boolean({ description: 'Whether it has still to identify itself.' })),
  processId: OptionalCount('The process.'),
  parent: OptionalText('The login that started it.'),
  leaseSeconds: OptionalCount('The length of its lease.'),
  expiresAt: Type.Optional(Instant('The end of its lease.')),
  endsAt: Type.Optional(Instant('When it ends by itself.')),
  reason: OptionalText('Why it ended.'),
  note: OptionalText('What whoever forced it gave as reason.'),
  logins: OptionalCount('How many logins ended.'),
  boundOnly: Type.Optional(Type.Boolean({ description: 'Only logins without a lease of their own ended.' })),
  connections: OptionalCount('Connections of the user afterwards.'),
  units: OptionalCount('What the user costs afterwards.'),
  unitsAdded: OptionalCount('Units taken; negative when some came back on balance.'),
  unitsFreed: OptionalCount('Units that came back.'),
  unitsInUse: OptionalCount('Units in use of the key afterwards.'),
  transitioned: Type.Optional(Type.Boolean({ description: 'Whether each connection costs a unit.' })),
  unitsInUseByKey: Type.Optional(
    Type.Array(
      Type.Object({
        key: Type.Optional(Type.String()),
        instance: Type.Optional(Type.String()),
        unitsInUse: Type.Integer(),
      }),
      { description: 'Of each key that got units back; of an instance, on its default licence.' },
    ),
  ),
  rule: OptionalText('The rule that refused.'),
  code: OptionalText('The code of the refusal.'),
  limit: OptionalCount('The limit of the rule.'),
  inUse: OptionalCount('How much of it was in use.'),
  requested: OptionalCount('How much was asked for.'),
  count: OptionalCount('How many logins were refused alike in one batch.'),
  samples: Type.Optional(Type.Array(Sample, { description: 'Up to eight of the refused logins.' })),
  ...DistributedMembers,
  ...ActivationMembers,
  ...MarkMembers,
  ...ApplicationMembers,
  record: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'The whole record of the instance, key or episode over the limit as it was from then on.',
    }),
  ),
});

type EventView = Static<typeof Event>;

/** Shows an event. */
export function showEvent({ decision, atMs, actors, event }: JournalEntry): EventView {
  const actor = 'by' in event ? actors[event.by] : undefined;
  return {
    decision,
    at: instantOf(atMs),
    type: event.type,
    ...(actor === undefined ? {} : { actor }),
    ...membersOf(event, actors),
  };
}

function membersOf(event: JournalEvent, actors: readonly string[]): Partial<EventView> {
  switch (event.type) {
    case 'refused': {
      const { pool, rule, code, limit, inUse, requested, count, samples } = event;
      const shown = samples.map((sample) => showSample(sample, actors));
      const counts = { limit, inUse, requested, count };
      return { ...poolMembers(pool), rule, code, ...featureMembers(event), ...counts, samples: shown };
    }
    case 'ended': {
      const { type: _type, by: _by, used, pool, user, ...rest } = event;
      const byKey = used.map(([id, unitsInUse]) => ({ ...poolMembers(id), unitsInUse }));
      return {
        ...rest,
        ...(pool === undefined ? {} : poolMembers(pool)),
        ...(user === undefined ? {} : { userId: user }),
        unitsInUseByKey: byKey,
      };
    }
    case 'registered':
    case 'configured':
    case 'silenced':
    case 'revived':
      return {
        instance: event.instance.name,
        ...withoutEmpty({ key: event.instance.key }),
        record: instanceRecord(event.instance),
      };
    case 'key-installed':
    case 'key-changed':
      return { key: event.key.id, record: keyRecord(event.key) };
    case 'key-removed':
      return { key: event.key };
    case 'excess':
      return { ...poolMembers(event.excess.pool), ...distributedMembers(event) };
    case 'reported':
    case 'unreported':
    case 'leased':
    case 'lease-ended':
    case 'joined':
      return {
        ...poolMembers(event.pool),
        ...distributedMembers(event),
        ...('reason' in event ? { reason: event.reason } : {}),
      };
    case 'application-loaded':
    case 'application-removed':
    case 'taken':
    case 'returned':
    case 'holdings-moved':
      return applicationMembers(event);
    case 'activated':
    case 'moved':
      return activationMembers(event);
    case 'marks-reset':
    case 'durations-cleared':
      return markMembers(event);
    default:
      return loginMembers(event);
  }
}

type LoginEvent = Extract<
  JournalEvent,
  { type: 'granted' | 'released' | 'forestalled' | 'identified' | 'renewed' | 'lingered' | 'deregistered' }
>;

/** The members of what happens to one login keep their names, where the API has no other for them. */
function loginMembers(event: LoginEvent): Partial<EventView> {
  const { type: _type, by: _by, ...members } = event as LoginEvent & Record<string, unknown>;
  const {
    pool,
    user,
    added,
    freed,
    used,
    ends,
    expires,
    print: _print,
    ...rest
  } = members as {
    pool?: string;
    user?: string;
    added?: number;
    freed?: number;
    used?: number;
    ends?: number;
    expires?: number;
    print?: number;
  };
  return {
    ...(rest as Partial<EventView>),
    ...(pool === undefined ? {} : poolMembers(pool)),
    ...(user === undefined ? {} : { userId: user }),
    ...(added === undefined ? {} : { unitsAdded: added }),
    ...(freed === undefined ? {} : { unitsFreed: freed }),
    ...(used === undefined ? {} : { unitsInUse: used }),
    ...(ends === undefined ? {} : { endsAt: instantOf(ends) }),
    ...(expires === undefined ? {} : { expiresAt: instantOf(expires) }),
  };
}

function showSample({ by, user, instance, login }: RefusalSample, actors: readonly string[]) {
  const who = { ...(login === undefined ? {} : { login }), ...(user === undefined ? {} : { userId: user }) };
  return { instance, ...who, actor: actors[by] ?? '' };
}

/** A pool is a key's, or the default licence of an instance. */
function poolMembers(pool: string): { key?: string; instance?: string } {
  const prefix = defaultPoolOf('');
  return pool.startsWith(prefix) ? { instance: pool.slice(prefix.length) } : { key: pool };
}

function instanceRecord(instance: Instance): Record<string, unknown> {
  const { name, key, registrationId, product, version, settings, incarnation, state, revision } = instance;
  return {
    name,
    ...withoutEmpty({ key, registrationId, product, version }),
    ...keyMembers(instance),
    ...(instance.licenseId === undefined ? {} : { licenseId: instance.licenseId }),
    ...(instance.licenseServers === undefined ? {} : { licenseServers: [...instance.licenseServers] }),
    incarnation,
    state,
    settings: showSettings(settings),
    ...(instance.deadlineMs === 0 ? {} : { deadline: instantOf(instance.deadlineMs) }),
    registeredAt: instantOf(instance.registeredAtMs),
    revision,
  };
}

function keyRecord(key: InstalledKey): Record<string, unknown> {
  const { installedAtMs, installedBy, servedAtMs, revision } = key;
  const served = servedAtMs === undefined ? {} : { servedAt: instantOf(servedAtMs) };
  return { ...showTerms(key), installedAt: instantOf(installedAtMs), installedBy, ...served, revision };
}
