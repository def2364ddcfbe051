/**
 * What the journal shows of application licences.
 */

import { type Static, Type } from 'typebox';
import type { ApplicationEvent, HeldUnits, MovedUnits } from '../domain/applications/applicationevents.ts';
import type { Application } from '../domain/applications/applications.ts';
import type { Refused } from '../domain/events.ts';
import { instantOf } from './answers.ts';

const Count = (description: string) => Type.Optional(Type.Integer({ description }));
const Text = (description: string) => Type.Optional(Type.String({ description }));

const EventFeature = Type.Object({
  application: Type.String(),
  feature: Type.String(),
  key: Text('The key across which it is counted; absent when it is counted on the instance alone.'),
  held: Count('How often this holder has it afterwards.'),
  count: Count('How often the user has it afterwards.'),
  used: Count('How many users hold it afterwards.'),
  units: Count('How many units it has.'),
  released: Type.Optional(Type.Boolean({ description: 'Of a return: whether anything was held.' })),
});

/** The members of an event that only application licences have. */
export const ApplicationMembers = {
  application: Text('The application section.'),
  feature: Text('The feature of an application that was refused.'),
  features: Type.Optional(Type.Array(EventFeature, { description: 'What was taken, given back or moved.' })),
  request: Text('The ID by which a take or a return can be repeated.'),
};

const Members = Type.Object({ ...ApplicationMembers, record: Type.Record(Type.String(), Type.Unknown()) });
type MembersView = Partial<Static<typeof Members>> & { instance: string; login?: string; userId?: string };

/** What was refused of an application; nothing where a login was refused. */
export function featureMembers({ application, feature }: Refused): {
  application?: string;
  feature?: string;
} {
  if (application === undefined || feature === undefined) return {};
  return { application, feature };
}

/** Shows what is special to an event about application licences. */
export function applicationMembers(event: ApplicationEvent): MembersView {
  switch (event.type) {
    case 'application-loaded': {
      const { instance, name } = event.application;
      return { instance, application: name, record: recordOf(event.application) };
    }
    case 'application-removed':
      return { instance: event.instance, application: event.application };
    case 'taken':
    case 'returned': {
      const { instance, login, user, features, id, type } = event;
      return {
        instance,
        ...(login === undefined ? {} : { login }),
        userId: user,
        features: features.map((one) => featureOf(one, type)),
        ...(id === undefined ? {} : { request: id }),
      };
    }
    case 'holdings-moved':
      return { instance: event.instance, features: event.features.map(movedOf) };
  }
}

function recordOf({ entries, signature, signingKeyId, loadedAtMs, loadedBy, revision }: Application) {
  return {
    entries: entries.map(([keyword, value]) => ({ keyword, value })),
    signature,
    ...(signingKeyId === null ? {} : { signingKeyId }),
    loadedAt: instantOf(loadedAtMs),
    loadedBy,
    revision,
  };
}

function featureOf({ missing, loaded: _loaded, ...feature }: HeldUnits, type: 'taken' | 'returned') {
  return type === 'returned' ? { ...feature, released: !missing } : feature;
}

function movedOf({ application, feature, to, usedTo }: MovedUnits) {
  return { application, feature, ...(to === null ? {} : { key: to }), used: usedTo };
}
