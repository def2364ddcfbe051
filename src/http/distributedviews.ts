/**
 * What instances that decide for themselves report, and what is leased to them, as the journal shows it.
 */

import { type Static, Type } from 'typebox';
import { type AllowanceRow, FLAGS, type ReportedRow } from '../domain/events.ts';
import type { DistributedEvent } from '../service/distributedwords.ts';
import { instantOf } from './answers.ts';
import { showExcess } from './excess-shapes.ts';

/** How many users of one event are shown; the others are counted. */
const USERS_SHOWN_MAX = 100;

const EventUser = Type.Object({
  userId: Type.String(),
  connections: Type.Optional(Type.Integer({ description: 'On the instance; 0 when he is gone there.' })),
  webSessions: Type.Optional(Type.Integer({ description: 'How many of them are web sessions.' })),
  allowance: Type.Optional(
    Type.Integer({ description: 'The connections that the instance may hold of him without asking.' }),
  ),
  transitioned: Type.Boolean({ description: 'Over all instances.' }),
});

const Count = (description: string) => Type.Optional(Type.Integer({ description }));

/** The members of an event that only local and leased enforcement have. */
export const DistributedMembers = {
  incarnation: Count('The life of the instance.'),
  sequence: Count('The number of the update or of the statement.'),
  full: Type.Optional(Type.Boolean({ description: 'A report of the whole table, or a part of it.' })),
  more: Type.Optional(Type.Boolean({ description: 'Further parts of the full report follow.' })),
  counted: Type.Optional(Type.Boolean({ description: 'What is reported counts under the key.' })),
  usersCount: Count('How many users the event states.'),
  usersCame: Count('How many of them were not there before.'),
  usersDropped: Count('How many users a full report did not name any more.'),
  digest: Type.Optional(Type.String({ description: 'The digest of the instance’s table afterwards.' })),
  lease: Type.Optional(Type.String({ description: 'The ID of the lease.' })),
  unitsLeased: Count('The units of the lease afterwards.'),
  users: Type.Optional(Type.Array(EventUser, { description: `At most ${USERS_SHOWN_MAX} of the users.` })),
  usersReleased: Type.Optional(
    Type.Array(Type.String(), { description: 'Users of whom the lease has no entry any more.' }),
  ),
};

const Members = Type.Object(DistributedMembers);

/** What is shown of an event of local or leased enforcement, besides its pool and its reason. */
export function distributedMembers(
  event: DistributedEvent,
): Static<typeof Members> & Record<string, unknown> {
  switch (event.type) {
    case 'reported': {
      const { instance, incarnation, sequence, rows, came, dropped, digest, used } = event;
      return {
        instance,
        incarnation,
        sequence,
        ...(event.fullFrom === undefined ? {} : { full: true }),
        ...(event.more ? { more: true } : {}),
        ...(event.counted ? { counted: true } : {}),
        usersCount: rows.length,
        usersCame: came,
        ...(dropped === undefined ? {} : { usersDropped: dropped }),
        users: rows.slice(0, USERS_SHOWN_MAX).map(showRow),
        digest,
        unitsInUse: used,
      };
    }
    case 'unreported':
      return { instance: event.instance, usersCount: event.rows, unitsInUse: event.used };
    case 'excess':
      return { record: showExcess(event.excess) };
    case 'leased': {
      const { lease, instance, incarnation, sequence, units, ends, allowances = [], dropped, used } = event;
      return {
        lease,
        instance,
        incarnation,
        sequence,
        unitsLeased: units,
        endsAt: instantOf(ends),
        usersCount: allowances.length,
        users: allowances.slice(0, USERS_SHOWN_MAX).map(showAllowance),
        ...(dropped === undefined ? {} : { usersReleased: dropped.slice(0, USERS_SHOWN_MAX) }),
        unitsInUse: used,
      };
    }
    case 'lease-ended':
      return { lease: event.lease, instance: event.instance, unitsInUse: event.used };
    case 'joined': {
      const users = event.users.slice(0, USERS_SHOWN_MAX);
      return {
        usersCount: event.users.length,
        users: users.map(([userId, flags]) => ({ userId, transitioned: hasTransitioned(flags) })),
        unitsInUse: event.used,
      };
    }
  }
}

function showRow([userId, connections, webSessions, flags]: ReportedRow) {
  return { userId, connections, webSessions, transitioned: hasTransitioned(flags) };
}

function showAllowance([userId, allowance, flags]: AllowanceRow) {
  return { userId, allowance, transitioned: hasTransitioned(flags) };
}

function hasTransitioned(flags: number): boolean {
  return (flags & FLAGS.transitioned) !== 0;
}
