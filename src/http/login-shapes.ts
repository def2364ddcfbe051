/**
 * The shapes of logins on the wire.
 */

import { type Static, Type } from 'typebox';
import { defaultPoolOf } from '../domain/instances.ts';
import { EVALUATION_KEY } from '../domain/keys/keys.ts';
import type { LoginView } from '../domain/operations.ts';
import { instantOf } from './answers.ts';
import { Instant } from './schemas.ts';

const LEASE_SECONDS_MIN = 5;
const LEASE_SECONDS_MAX = 86_400;

const text = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, description });

export const InstanceName = text(63, 'The name of a registered instance.');
/** A UUID in its plain form: the format alone would also let "urn:uuid:" stand before it. */
const UUID = { format: 'uuid', maxLength: 36 } as const;

export const LoginId = Type.String({
  ...UUID,
  description:
    'A UUID that the client makes; capitals do not matter. The same ID gives the same answer, so that a call can be repeated.',
});

/** The body of a login. */
export const LoginBody = Type.Object(
  {
    instance: InstanceName,
    id: Type.Optional(LoginId),
    user: Type.Optional(
      text(256, 'The explicit licence user ID (`Login(user)`); without it one is derived.'),
    ),
    username: Type.Optional(
      text(256, 'The user name; it is the ID where the instance licenses by user name.'),
    ),
    clientAddress: Type.Optional(
      Type.Union([Type.String({ format: 'ipv4' }), Type.String({ format: 'ipv6' })], {
        description: "The client's IP address; without it, that of the connection.",
      }),
    ),
    terminal: Type.Optional(
      Type.Object(
        { server: text(64, 'The terminal server.'), port: text(64, 'The port on it.') },
        {
          additionalProperties: false,
          description: 'A terminal server and port identify the user together.',
        },
      ),
    ),
    webSession: Type.Optional(text(128, 'The ID of a web session: it takes a unit until it is identified.')),
    process: Type.Optional(
      Type.Object(
        {
          pid: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
          kind: Type.Optional(
            Type.Enum(['user', 'batch', 'startup', 'system', 'server'], {
              description: '`system` and `server` cost nothing; a `batch` process is a user by itself.',
            }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    sessionless: Type.Optional(
      Type.Boolean({
        description: 'One REST or SOAP call without a session: a unit is held for ten seconds.',
      }),
    ),
    emergency: Type.Optional(
      Type.Boolean({ description: "The administrator's login outside the pool, one for each instance." }),
    ),
    parent: Type.Optional(
      Type.String({ ...UUID, description: 'The login of the process that started this one (`Job`).' }),
    ),
    leaseSeconds: Type.Optional(
      Type.Integer({
        minimum: LEASE_SECONDS_MIN,
        maximum: LEASE_SECONDS_MAX,
        description: 'It ends unless heartbeats renew it; without this it lives as long as its instance.',
      }),
    ),
  },
  { additionalProperties: false },
);

const ThrottleShape = Type.Object({
  profile: Type.String(),
  per: Type.String({ description: 'What is counted: `lines` or `commands`.' }),
  firstPauseAfter: Type.Integer(),
  thenPauseEvery: Type.Integer(),
  pauseSeconds: Type.Number(),
});

/** A login that was granted. */
export const LoginShape = Type.Object({
  id: Type.String(),
  instance: Type.String(),
  key: Type.Union([Type.String(), Type.Null()], {
    description: 'The key it counts under; null on the default licence of an instance without a usable key.',
  }),
  evaluation: Type.Optional(
    Type.Literal(true, { description: 'It counts under the built-in evaluation key.' }),
  ),
  userId: Type.Union([Type.String(), Type.Null()], {
    description:
      'The licence user ID; null for what is nobody: pending, system, server and emergency logins.',
  }),
  kind: Type.String(),
  phase: Type.String({ description: '`active`, `pending` until it is identified, or `grace`.' }),
  connections: Type.Integer({ description: 'Connections of this user ID under the key, with this one.' }),
  units: Type.Integer({ description: 'The units they cost.' }),
  unitsAdded: Type.Integer({ description: 'The units that this login took.' }),
  transitioned: Type.Boolean({
    description: 'Whether the user ID has passed the connections of one unit and costs one for each.',
  }),
  decision: Type.String({ description: 'The ID of the decision in the journal.' }),
  at: Instant('When it was granted, by the clock of the database.'),
  expiresAt: Type.Optional(Instant('When its lease ends unless it is renewed.')),
  expiresInSeconds: Type.Optional(Type.Number()),
  heartbeatAfterSeconds: Type.Optional(Type.Number({ description: 'When to send the next heartbeat.' })),
  endsAt: Type.Optional(Instant('When it ends by itself.')),
  throttle: Type.Optional(ThrottleShape),
});

type LoginJson = Static<typeof LoginShape>;

let lastAtMs = 0;
let lastAt = '';

/** A whole batch has one instant, so the last text is kept. */
function atOf(atMs: number): string {
  if (atMs !== lastAtMs) {
    lastAtMs = atMs;
    lastAt = instantOf(atMs);
  }
  return lastAt;
}

/** A client renews three times within a lease, so that two lost heartbeats cost nothing. */
export function heartbeatAfterSeconds(leaseSeconds: number): number {
  return Math.max(1, Math.floor(leaseSeconds / 3));
}

/** Writes a granted login. */
export function loginJson(login: LoginView): LoginJson {
  const json: LoginJson = {
    id: login.id,
    instance: login.instance,
    key: login.pool === defaultPoolOf(login.instance) ? null : login.pool,
    userId: login.userId,
    kind: login.kind,
    phase: login.phase,
    connections: login.connections,
    units: login.units,
    unitsAdded: login.unitsAdded,
    transitioned: login.transitioned,
    decision: login.decision,
    at: atOf(login.atMs),
  };
  if (login.pool === EVALUATION_KEY.id) json.evaluation = true;
  if (login.leaseSeconds > 0) {
    json.expiresAt = atOf(login.expiresAtMs);
    json.expiresInSeconds = login.leaseSeconds;
    json.heartbeatAfterSeconds = heartbeatAfterSeconds(login.leaseSeconds);
  }
  if (login.endsAtMs > 0) json.endsAt = instantOf(login.endsAtMs);
  if (login.throttle) json.throttle = { ...login.throttle };
  return json;
}
