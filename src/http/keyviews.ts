/**
 * How keys are shown: one shape for an installed key, its parts for one that is only inspected.
 */

import { type Static, Type } from 'typebox';
import { featureName, featureNumber } from '../domain/keys/features.ts';
import type { KeyStatus, LicenseKey } from '../domain/keys/keys.ts';
import type { FeatureState, KeyInState } from '../service/keys.ts';
import { instantOf } from './answers.ts';
import { Instant } from './schemas.ts';

/** The state of a key at an instant. */
export const KeyStatusView = Type.Object({
  status: Type.Enum(['valid', 'troubled', 'invalid'], {
    type: 'string',
    description: '`troubled` is still valid, and soon not any more.',
  }),
  code: Type.Optional(Type.String({ description: 'Why it is invalid, as the code of a refusal.' })),
  reason: Type.String({ description: 'The state in words, with what to do.' }),
});

const Section = Type.Object({
  name: Type.String(),
  kind: Type.Enum(['protected', 'other'], {
    type: 'string',
    description: 'A protected section has a period in its name.',
  }),
  entries: Type.Array(Type.Object({ keyword: Type.String(), value: Type.String() })),
});

/** What a key says. */
export const KeyTerms = Type.Object({
  id: Type.String({ description: 'By content: the order number and a part of a hash.' }),
  orderNumber: Type.String(),
  customerName: Type.Optional(Type.String()),
  product: Type.Optional(Type.String()),
  licenseType: Type.String({
    description: '`concurrent-user`, `power-unit`, …, or another type as written.',
  }),
  server: Type.Enum(['single', 'multi'], {
    type: 'string',
    description: 'Only a `multi` key may be shared between instances.',
  }),
  unitsAuthorised: Type.Integer({ description: 'The units that were bought.' }),
  unitsEnforced: Type.Integer({ description: 'The units beyond which logins are refused.' }),
  cores: Type.Optional(Type.Integer({ description: 'The cores that were bought.' })),
  connectionsPerUnitMax: Type.Integer({
    description: 'How many connections of one user a unit bears; one more makes each cost a unit.',
  }),
  enforcement: Type.Enum(['central', 'local', 'leased'], { type: 'string' }),
  features: Type.Array(Type.String()),
  generation: Type.Optional(Type.String()),
  versionFrom: Type.Optional(Type.String()),
  versionTo: Type.Optional(Type.String({ description: 'Inclusive by prefix: 2018 admits 2018.1.4.' })),
  notBeforeDate: Type.Optional(Type.String({ description: 'The first valid day.' })),
  expirationDate: Type.Optional(Type.String({ description: 'The last valid day.' })),
  validFrom: Type.Optional(Instant('When the first valid day begins in the configured zone.')),
  validThrough: Type.Optional(Instant('The last valid millisecond.')),
  machineId: Type.Optional(Type.String()),
  licenseId: Type.Optional(Type.String()),
  licenseCapacity: Type.Optional(
    Type.String({ description: 'Text of the key file for display; nothing is decided by it.' }),
  ),
  trust: Type.Enum(['verified', 'unverified', 'evaluation'], {
    type: 'string',
    description:
      '`verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key.',
  }),
  signingKeyId: Type.Optional(Type.String()),
  sections: Type.Optional(Type.Array(Section, { description: 'Application sections.' })),
});

/** A key that is installed. */
export const Key = Type.Object({
  ...KeyTerms.properties,
  ...KeyStatusView.properties,
  installedAt: Instant('When it was installed.'),
  installedBy: Type.String({ description: 'Who installed it: the name and the ID of a token.' }),
  servedAt: Type.Optional(
    Instant('When it was served last; of the keys of a LicenseID the latest one is served.'),
  ),
  revision: Type.String({ description: 'Changes with every change; the ETag without its quotes.' }),
});

/** Whether a feature is permitted. */
export const Feature = Type.Object({
  feature: Type.String({ description: 'Its name, also when it was asked for by number.' }),
  number: Type.Optional(Type.Integer({ description: 'Its number, if it has one.' })),
  enabled: Type.Boolean(),
  reason: Type.String({ description: 'Why, in words.' }),
});

/** Shows a state. */
export function showStatus({ status, code, reason }: KeyStatus): Static<typeof KeyStatusView> {
  return { status, ...(code === null ? {} : { code }), reason };
}

/** Shows what a key says; what it leaves open is left out. */
export function showTerms(key: LicenseKey): Static<typeof KeyTerms> {
  const { id, orderNumber, licenseType, server, unitsAuthorised, unitsEnforced, trust } = key;
  const { validFromMs, validThroughMs, sections } = key;
  const texts = {
    customerName: key.customerName,
    product: key.product,
    generation: key.generation,
    versionFrom: key.versionFrom,
    versionTo: key.versionTo,
    notBeforeDate: key.notBeforeDate,
    expirationDate: key.expirationDate,
    validFrom: validFromMs === null ? null : instantOf(validFromMs),
    validThrough: validThroughMs === null ? null : instantOf(validThroughMs),
    machineId: key.machineId,
    licenseId: key.licenseId,
    licenseCapacity: key.licenseCapacity,
    signingKeyId: key.signingKeyId,
  };
  return {
    id,
    orderNumber,
    licenseType,
    server,
    unitsAuthorised,
    unitsEnforced,
    ...(key.cores === undefined ? {} : { cores: key.cores }),
    connectionsPerUnitMax: key.connectionsPerUnitMax,
    enforcement: key.enforcement,
    features: [...key.features],
    ...withoutEmpty(texts),
    trust,
    ...(sections.length === 0 ? {} : { sections: sections.map(showSection) }),
  };
}

/** Shows an installed key. */
export function showKey({ key, status }: KeyInState): Static<typeof Key> {
  return {
    ...showTerms(key),
    ...showStatus(status),
    installedAt: instantOf(key.installedAtMs),
    installedBy: key.installedBy,
    ...(key.servedAtMs === undefined ? {} : { servedAt: instantOf(key.servedAtMs) }),
    revision: key.revision,
  };
}

/** Shows a feature under its own name. */
export function showFeature(asked: string, state: FeatureState): Static<typeof Feature> {
  const number = /^\d{1,3}$/.test(asked) ? Number(asked) : featureNumber(asked);
  const name = number === null ? null : featureName(number);
  return {
    feature: name ?? asked,
    ...(number === null || name === null ? {} : { number }),
    ...state,
  };
}

function showSection({ name, kind, entries }: LicenseKey['sections'][number]): Static<typeof Section> {
  return { name, kind, entries: entries.map(([keyword, value]) => ({ keyword, value })) };
}

/** Leaves out what is null or empty. */
export function withoutEmpty<Members extends Readonly<Record<string, string | null>>>(
  members: Members,
): { [Name in keyof Members]?: string } {
  const entries = Object.entries(members).filter(([, value]) => value !== null && value !== '');
  return Object.fromEntries(entries) as { [Name in keyof Members]?: string };
}
