/**
 * The shapes of updates on the wire.
 */

import { type Static, Type } from 'typebox';
import { type DigestedRow, readDigest } from '../domain/local/digest.ts';
import { REPORTED_ID_LENGTH_MAX, ROWS_PER_UPDATE_MAX } from '../domain/local/reports.ts';
import type { Report, UpdateView } from '../domain/operations.ts';
import { fieldFault, instantOf } from './answers.ts';
import { LeaseAnswerShape, LeaseBody } from './lease-shapes.ts';
import { Instant } from './schemas.ts';
import { Settings, showSettingsInForce } from './settings.ts';

/** More connections of one user ID are a mistake. */
const CONNECTIONS_MAX = 1_000_000;

const Sequence = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

/** The life of an instance that a call is made for. */
export const Incarnation = Type.Integer({
  minimum: 1,
  maximum: 2_000_000_000,
  description: 'As the registration gave it.',
});

const Row = Type.Object(
  {
    id: Type.String({
      minLength: 1,
      maxLength: REPORTED_ID_LENGTH_MAX,
      description: 'The licence user ID.',
    }),
    connections: Type.Integer({
      minimum: 0,
      maximum: CONNECTIONS_MAX,
      description: 'How many he has now; 0 when he is gone.',
    }),
    webSessions: Type.Integer({
      minimum: 0,
      maximum: CONNECTIONS_MAX,
      default: 0,
      description: 'How many of them are web sessions.',
    }),
    transitioned: Type.Boolean({
      default: false,
      description: 'Whether each of his connections costs a unit, as the instance sees it.',
    }),
  },
  { additionalProperties: false },
);

/** The body of an update. */
export const UpdateBody = Type.Object(
  {
    incarnation: Incarnation,
    sequence: Sequence(
      'The number of this update: above that of every earlier one of this incarnation, from 1 on. When nothing changed, `since` again.',
    ),
    since: Sequence(
      'The last update whose answer the instance holds; 0 for none. `users` are all that changed since then.',
    ),
    fullFrom: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'Of a report of the whole table: the number of its first part. Users that none of its parts states are gone.',
      }),
    ),
    more: Type.Optional(Type.Boolean({ description: 'Further parts of the full report follow.' })),
    users: Type.Array(Row, {
      maxItems: ROWS_PER_UPDATE_MAX,
      description: 'Rows as they are now, each user once. More than fit go into further updates.',
    }),
    digest: Type.Optional(
      Type.String({
        pattern: '^\\d{1,9}\\.\\d{1,12}\\.[0-9a-f]{8}$',
        maxLength: 31,
        description:
          'Of the whole table after this update: the number of its rows, the sum of their connections, and the sum modulo 2³² of the CRC-32 of `id`, `connections`, `webSessions` and `transitioned` (1 or 0) of each row, joined by line feeds, in UTF-8; as `12.31.9f0c22aa`. Left out only with `more`.',
      }),
    ),
    settingsRevision: Type.Optional(
      Type.String({ maxLength: 64, description: 'Of the settings that the instance holds.' }),
    ),
    lease: Type.Optional(LeaseBody),
  },
  { additionalProperties: false },
);

const OverLimit = Type.Object({
  since: Instant('Since when combined use has been over the limit.'),
  units: Type.Integer({ description: 'Units over it now; 0 while use is exactly the limit.' }),
  unitsMax: Type.Integer({ description: 'The most units over it at one time.' }),
});

/** The terms that an instance works under; its registration is answered with them as well. */
export const TERMS = {
  enforcement: Type.Enum(['central', 'local', 'leased'], {
    type: 'string',
    description:
      'Who decides on logins: the server each of them; the instance, and the server acknowledges; or the instance within units that are leased to it.',
  }),
  limit: Type.Integer({ description: 'The units that its key enforces; 1 without a usable key.' }),
  connectionsPerUnitMax: Type.Integer({
    description: 'The connections of one user that a unit bears, over all instances.',
  }),
  nextUpdateAfterSeconds: Type.Integer({
    description: 'When the next update should come; what changes before can wait until then.',
  }),
};

/** The answer to an update. */
export const UpdateAnswer = Type.Object({
  acknowledged: Type.Boolean({
    description:
      'Whether new users may come in. If not, users without a login on the instance are refused there until it is acknowledged again; nobody else is stopped.',
  }),
  reason: Type.Optional(
    Type.String({ description: 'Why not: `over-limit`, or the code of what ails the key.' }),
  ),
  sequence: Type.Integer({ description: 'The last update of the incarnation that the server holds.' }),
  resend: Type.Optional(
    Type.Literal('full', {
      description: 'The server’s rows are not the instance’s: report the whole table now.',
    }),
  ),
  key: Type.Optional(Type.String({ description: 'The ID of the key.' })),
  ...TERMS,
  inUse: Type.Integer({ description: 'Units in use of the key, over all instances.' }),
  at: Instant('The server’s time.'),
  transitioned: Type.Optional(
    Type.Array(Type.String(), {
      description:
        'Users of this instance who have transitioned over all instances: mark them, unless they went to no connection after this update was made.',
    }),
  ),
  overLimit: Type.Optional(OverLimit),
  settings: Type.Optional({
    ...Settings,
    description:
      'The settings, with the limit of units that holds now: of a key that is partly active, what can be used until the next start.',
  }),
  usableUnits: Type.Optional(
    Type.Integer({
      description: 'Of a key that is active in part: the units that can be used until the next start.',
    }),
  ),
  settingsRevision: Type.String({
    description: 'Send it with the next update; other settings are told then.',
  }),
  lease: Type.Optional(LeaseAnswerShape),
});

/**
 * Reads the body of an update.
 * @throws LicenseError `malformed-request` for what no schema can tell.
 */
export function readUpdate(name: string, body: Static<typeof UpdateBody>, actor: string): Omit<Report, 'op'> {
  const { incarnation, sequence, since, fullFrom = null, more = false, users, digest } = body;
  if (since > sequence) throw fieldFault('/since', 'must not be above sequence');
  if (since === sequence && (users.length > 0 || fullFrom !== null || more)) {
    throw fieldFault('/sequence', 'must be above since when the update states anything');
  }
  if (fullFrom !== null && fullFrom > sequence) throw fieldFault('/fullFrom', 'must not be above sequence');
  if (more && fullFrom === null) throw fieldFault('/more', 'is for parts of a full report, with fullFrom');
  if (!more && digest === undefined) throw fieldFault('/digest', 'is required unless more is true');
  requireEachOnce(users);
  const read = digest === undefined || more ? null : readDigest(digest);
  return { name, incarnation, sequence, since, fullFrom, more, rows: users, digest: read, actor };
}

function requireEachOnce(users: readonly DigestedRow[]): void {
  const known = new Set<string>();
  for (let index = 0; index < users.length; index += 1) {
    const { id, connections, webSessions } = users[index]!;
    if (known.size === known.add(id).size) throw fieldFault(`/users/${index}/id`, 'is stated twice');
    if (webSessions > connections)
      throw fieldFault(`/users/${index}/webSessions`, 'must not be above connections');
  }
}

/**
 * Shows the answer to an update.
 * @param settingsRevision - of the settings that the instance holds; others are shown.
 */
export function showUpdate(
  update: UpdateView,
  settingsRevision: string | undefined,
  nextUpdateAfterSeconds: number,
): Static<typeof UpdateAnswer> {
  const { acknowledged, reason, sequence, resend, terms, inUse, atMs, transitioned, overLimit } = update;
  const { enforcement, key, limit, connectionsPerUnitMax } = terms;
  const { revision, usableUnits } = update.instance;
  return {
    acknowledged,
    ...(reason === null ? {} : { reason }),
    sequence,
    ...(resend ? { resend: 'full' as const } : {}),
    enforcement,
    ...(key === null ? {} : { key: key.id }),
    limit,
    inUse,
    connectionsPerUnitMax,
    at: instantOf(atMs),
    nextUpdateAfterSeconds,
    ...(transitioned.length === 0 ? {} : { transitioned: [...transitioned] }),
    ...(overLimit === null
      ? {}
      : {
          overLimit: {
            since: instantOf(overLimit.sinceMs),
            units: overLimit.units,
            unitsMax: overLimit.unitsMax,
          },
        }),
    ...(settingsRevision === revision ? {} : { settings: showSettingsInForce(update.instance) }),
    ...(usableUnits === undefined ? {} : { usableUnits }),
    settingsRevision: revision,
  };
}
