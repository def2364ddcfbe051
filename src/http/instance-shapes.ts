/**
 * The shapes of instances on the wire.
 */

import { type Static, Type } from 'typebox';
import { KEY_FIELD_LIMITS } from '../domain/keys/keyfields.ts';
import { LICENSE_SERVER_LIMITS, readServerAddress, readServerPlace } from '../domain/licenseservers.ts';
import { heartbeatAfterSeconds, type InstanceInState } from '../service/instances.ts';
import { KeyMembers, keyMembers } from './activation-shapes.ts';
import { AS_OF, fieldFault, instantOf } from './answers.ts';
import { KeyStatusView, withoutEmpty } from './keyviews.ts';
import { Instant } from './schemas.ts';
import { Settings, SettingsChange, showSettings } from './settings.ts';
import { TERMS } from './update-shapes.ts';

const TEXT_LENGTH_MAX = 128;
const INCARNATION_MAX = 2_000_000_000;

/** A short text. */
export const Text = (description: string) =>
  Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, description });

const LicenseServer = Type.String({
  minLength: 1,
  maxLength: 264,
  description: 'A host name or an address, a colon and the port; an IPv6 address stands in brackets.',
});

/** A LicenseID, in a path or in a registration. */
export const LicenseId = Type.String({
  minLength: 1,
  maxLength: KEY_FIELD_LIMITS.licenseIdCharactersMax,
  description: 'The LicenseID that a key file states.',
});

/** The path of an instance. */
export const NameParams = Type.Object({
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    description: 'The name of the instance: letters, digits, dot, underscore and hyphen, at most 63.',
  }),
});

/** The path of a feature of an instance. */
export const FeatureParams = Type.Object({
  ...NameParams.properties,
  feature: Text('The name of a feature, or its number.'),
});

/** The body of a registration. */
export const Registration = Type.Object(
  {
    key: Type.Optional(
      Text('The ID of the key; without it, none, or the built-in one where the configuration has it.'),
    ),
    licenseId: Type.Optional({
      ...LicenseId,
      description:
        'In place of a key, the LicenseID under which one is served, now or later; the instance follows when another one is.',
    }),
    incarnation: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: INCARNATION_MAX,
        description:
          'The incarnation that the instance holds. Left out after a start: what its former life held is released then.',
      }),
    ),
    registrationId: Type.Optional(
      Text(
        'An ID that the instance makes at its start, by which a repeated registration is told from a restart.',
      ),
    ),
    product: Type.Optional(Text('What it runs.')),
    version: Type.Optional(Text('Its version, which the key must fit.')),
    address: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: LICENSE_SERVER_LIMITS.addressLengthMax,
        description: 'Where it runs, an IPv4 or IPv6 address or a host name: for the reports only.',
      }),
    ),
    licenseServers: Type.Optional(
      Type.Array(LicenseServer, {
        maxItems: LICENSE_SERVER_LIMITS.statedMax,
        uniqueItems: true,
        description:
          'Every licence server that the instance is configured with, in any order. All instances that share a key must be configured with the same.',
      }),
    ),
    settings: Type.Optional(SettingsChange),
  },
  { additionalProperties: false },
);

/** An instance. */
export const InstanceShape = Type.Object({
  name: Type.String(),
  key: Type.Optional(Type.String({ description: 'The ID of the key it works under.' })),
  ...KeyMembers,
  licenseId: Type.Optional(
    Type.String({ description: 'The LicenseID by which it asks for the key that is served.' }),
  ),
  licence: KeyStatusView,
  incarnation: Type.Integer({ description: 'Its present life, counted from 1; send it with signs of life.' }),
  registrationId: Type.Optional(Type.String()),
  product: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  address: Type.Optional(Type.String({ description: 'Where it runs, as it stated it.' })),
  licenseServers: Type.Optional(
    Type.Array(Type.String(), { description: 'The licence servers it is configured with.' }),
  ),
  state: Type.Enum(['active', 'silent'], {
    type: 'string',
    description:
      '`silent`: it gave no sign of life, what was bound to it was taken back, and it must register again.',
  }),
  settings: Settings,
  heartbeatAfterSeconds: Type.Optional(
    Type.Integer({ description: 'How often it should give a sign of life; absent when it is not watched.' }),
  ),
  registeredAt: Instant('When its present life began.'),
  revision: Type.String({ description: 'Changes with every change; the ETag without its quotes.' }),
});

/** The answer to a registration. */
export const Registered = Type.Object({
  ...InstanceShape.properties,
  ...TERMS,
  notices: Type.Optional(
    Type.Array(Type.String(), { description: 'What an administrator should know, in words.' }),
  ),
  outcome: Type.Enum(['new', 'retry', 'restart', 'changed'], {
    type: 'string',
    description:
      '`retry` changed nothing, also not the settings; `restart` released what the former life held; `changed` took another key, product or version within the same life.',
  }),
});

/** An instance, with what it holds. */
export const InstanceWithHoldings = Type.Object({
  ...InstanceShape.properties,
  holds: Type.Object({
    logins: Type.Integer(),
    connections: Type.Integer({ description: 'Logins that are somebody’s.' }),
    users: Type.Integer({ description: 'Distinct users among them.' }),
    units: Type.Integer({
      description: 'Units as it sees them: a user who is also elsewhere counts here too.',
    }),
  }),
  ...AS_OF,
});

/** Shows an instance. */
export function showInstance({ instance, licence }: InstanceInState): Static<typeof InstanceShape> {
  const { name, key, incarnation, registrationId, product, version, state, settings } = instance;
  const heartbeat = heartbeatAfterSeconds(settings);
  return {
    name,
    ...withoutEmpty({ key, registrationId, product, version }),
    ...keyMembers(instance),
    ...(instance.licenseId === undefined ? {} : { licenseId: instance.licenseId }),
    ...(instance.address === undefined ? {} : { address: instance.address }),
    ...(instance.licenseServers === undefined ? {} : { licenseServers: [...instance.licenseServers] }),
    licence: {
      status: licence.status,
      ...(licence.code === null ? {} : { code: licence.code }),
      reason: licence.reason,
    },
    incarnation,
    state,
    settings: showSettings(settings),
    ...(heartbeat === null ? {} : { heartbeatAfterSeconds: heartbeat }),
    registeredAt: instantOf(instance.registeredAtMs),
    revision: instance.revision,
  };
}

/**
 * The address that an instance states.
 *
 * @returns in its one form; undefined when it states none.
 * @throws LicenseError `malformed-request` for what is no address.
 */
export function readAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const reading = readServerAddress(text);
  if ('fault' in reading) throw fieldFault('/address', reading.fault);
  return reading.value;
}

/**
 * The licence servers that an instance states (F-4).
 *
 * @returns each in its one form, in order of text.
 * @throws LicenseError `malformed-request` for what is no address with a port.
 */
export function readLicenseServers(texts: readonly string[]): string[] {
  const places = texts.map((text, index) => {
    const reading = readServerPlace(text);
    if ('fault' in reading) throw fieldFault(`/licenseServers/${index}`, reading.fault);
    return reading.value;
  });
  return [...new Set(places)].sort();
}
