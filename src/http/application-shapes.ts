/**
 * The shapes of application licences on the wire.
 */

import { type Static, Type } from 'typebox';
import type { Principal } from '../domain/access.ts';
import { APPLICATION_LIMITS } from '../domain/applications/applicationfiles.ts';
import type { Exhausted, HoldingsView } from '../domain/applications/applicationoperations.ts';
import {
  type Application,
  DEFAULT_FEATURE,
  FEATURES_PER_CALL_MAX,
} from '../domain/applications/applications.ts';
import type { ApplicationState, FeatureUse, HoldingRecord } from '../service/applications.ts';
import { instantOf } from './answers.ts';
import { NameParams, Text } from './instance-shapes.ts';
import { LoginId } from './login-shapes.ts';
import { Instant } from './schemas.ts';

const NAME_LENGTH_MAX = 128;
const Name = (description: string) => Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description });
const Count = (description: string) => Type.Integer({ description });

export const ApplicationName = Name('The name of the section; case matters.');
export const FeatureText = Name('The keyword; case matters.');

export const ApplicationParams = Type.Object({ ...NameParams.properties, application: ApplicationName });
export const ApplicationFeatureParams = Type.Object({
  ...ApplicationParams.properties,
  feature: FeatureText,
});

const File = {
  file: Type.Optional(Type.String({ description: 'The content of an .ini file as text.' })),
  fileBase64: Type.Optional(Type.String({ description: 'Or its bytes in base64, when they are not UTF-8.' })),
};

/** A file of which one section, or every one, is loaded. */
export const ApplicationFileBody = Type.Object(File, { additionalProperties: false });

/** A section as a part of a file, or as keywords and values. */
export const ApplicationBody = Type.Object(
  {
    ...File,
    entries: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Integer()]), {
        description: 'Or its keywords and values; those whose value is a whole number are counted.',
        maxProperties: APPLICATION_LIMITS.entriesMax,
      }),
    ),
  },
  { additionalProperties: false },
);

export const FeatureShape = Type.Object({
  feature: Type.String({ description: 'The keyword.' }),
  value: Type.String({ description: 'Its value as it stands in the section.' }),
  counted: Type.Boolean({ description: 'Whether the value is a number of units; text is information.' }),
  units: Type.Optional(Count('The units; absent where the value is text.')),
  used: Type.Optional(Count('The users who hold it.')),
  maxUsed: Type.Optional(Count('The most at one time since it was loaded, or came with its key.')),
  free: Type.Optional(Count('The units that are free; 0 also when more are held than there are now.')),
  minimum: Type.Optional(Count('The least that was free at one time.')),
});

const SECTION = {
  name: Type.String(),
  instance: Type.String(),
  kind: Type.Enum(['loaded', 'protected', 'vendor'], {
    type: 'string',
    description: '`loaded` for this instance; `protected` and `vendor` (`ISC.`) sections come with its key.',
  }),
  sharedBy: Type.Optional(
    Type.String({ description: 'The key across whose instances it is counted; absent on one instance.' }),
  ),
  signature: Type.Optional(
    Type.Enum(['verified', 'unsigned'], { type: 'string', description: 'Of a loaded section.' }),
  ),
  signingKeyId: Type.Optional(Type.String({ description: 'Whose signature it carries.' })),
  loadedAt: Type.Optional(Instant('When it was loaded, by the clock of the database.')),
  loadedBy: Type.Optional(Type.String()),
  revision: Type.Optional(Type.String({ description: 'Changes with every load; its entity tag.' })),
};

export const SectionShape = Type.Object({ ...SECTION, features: Type.Array(FeatureShape) });

const Outcome = Type.Enum(['loaded', 'replaced', 'present'], {
  type: 'string',
  description: '`present` when the same content was loaded already, which changes nothing.',
});

export const LoadedShape = Type.Object({
  ...SECTION,
  entries: Type.Array(Type.Object({ keyword: Type.String(), value: Type.String() })),
  outcome: Outcome,
});

const FeatureNameShape = Type.Object(
  {
    application: ApplicationName,
    feature: Type.Optional({ ...FeatureText, default: DEFAULT_FEATURE }),
  },
  { additionalProperties: false },
);

const HOLD = {
  id: Type.Optional({
    ...LoginId,
    description:
      'A UUID that the client makes. The same ID gives the same answer, so that the call can be repeated; without one it must not be.',
  }),
  login: Type.Optional({ ...LoginId, description: 'The login that holds the units, with which they go.' }),
  userId: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 256,
      description:
        'Or the licence user ID for which they are held, until his last connection on the instance is gone.',
    }),
  ),
};
const Features = (description: string) =>
  Type.Array(FeatureNameShape, { minItems: 1, maxItems: FEATURES_PER_CALL_MAX, description });

/** The body of a take. */
export const TakeBody = Type.Object(
  {
    ...HOLD,
    features: Features('Taken all or none; one that is named twice is taken twice.'),
  },
  { additionalProperties: false },
);

/** The body of a return. */
export const ReturnBody = Type.Object(
  {
    ...HOLD,
    features: Type.Optional(Features('One take of each is given back; left out, everything is.')),
  },
  { additionalProperties: false },
);

const HeldShape = Type.Object({
  application: Type.String(),
  feature: Type.String(),
  count: Count('How often the user holds it now, over all his logins that are counted together.'),
  held: Count('How often this holder has it now.'),
  used: Count('The users who hold it now.'),
  units: Type.Optional(Count('Its units; absent when its section is gone.')),
  released: Type.Optional(
    Type.Boolean({ description: 'Of a return: whether it was held, and so given back.' }),
  ),
});

export const HoldingsShape = Type.Object({
  instance: Type.String(),
  login: Type.Optional(Type.String()),
  userId: Type.String(),
  features: Type.Array(HeldShape),
  decision: Type.Optional(
    Type.String({ description: 'The ID of the decision in the journal; absent when nothing changed.' }),
  ),
  at: Instant('When, by the clock of the database.'),
  repeated: Type.Boolean({ description: 'Whether it was answered before, under the same ID.' }),
});

const NamedHolderShape = Type.Object({
  userId: Type.String(),
  count: Count('How often he has it.'),
});

/** What a take would come to. */
export const ExplainedTake = Type.Object({
  verdict: Type.Enum(['granted', 'refused']),
  features: Type.Optional(Type.Array(HeldShape, { description: 'As they would be afterwards.' })),
  code: Type.Optional(Type.String()),
  rule: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer()),
  inUse: Type.Optional(Type.Integer()),
  requested: Type.Optional(Type.Integer()),
  retryAfterSeconds: Type.Optional(Type.Number()),
  application: Type.Optional(Type.String()),
  feature: Type.Optional(Type.String()),
  holdersCount: Type.Optional(Count('How many users hold it.')),
  holders: Type.Optional(Type.Array(NamedHolderShape, { description: 'At most twenty of them.' })),
});

export const HolderShape = Type.Object({
  instance: Type.String(),
  application: Type.String(),
  feature: Type.String(),
  userId: Type.String(),
  login: Type.Optional(Type.String({ description: 'Absent when it is held for the user himself.' })),
  takes: Count('How often this holder has it.'),
});

export const RecountShape = Type.Object({
  feature: Type.String(),
  counted: Count('The users who were found to hold it.'),
  before: Count('What the counter said.'),
  recovered: Count('The difference, which is 0 unless the table is damaged.'),
});

export const InstanceLoginShape = Type.Object({
  permitted: Type.Boolean({
    description: 'Whether no more instances use the key than the keyword licenses.',
  }),
  instances: Count('Active instances that are registered with the key.'),
  limit: Count('The number of instances that the keyword licenses.'),
});

export const RecountBody = Type.Object(
  { feature: Type.Optional(Text('Only this feature; left out, all that are counted.')) },
  { additionalProperties: false },
);

/** Shows a section with what is in use of it. */
export function showSection(instance: string, { licensed, features }: ApplicationState) {
  const { name, kind, sharedBy, loaded } = licensed;
  return {
    name,
    instance,
    kind,
    ...(sharedBy === null ? {} : { sharedBy }),
    ...(loaded ? recordMembers(loaded) : {}),
    features: features.map(showFeatureUse),
  };
}

/** Shows a section as it was loaded. */
export function showLoaded(application: Application, outcome: Static<typeof Outcome>) {
  const { name, instance, entries } = application;
  return {
    name,
    instance,
    kind: 'loaded' as const,
    ...recordMembers(application),
    entries: entries.map(([keyword, value]) => ({ keyword, value })),
    outcome,
  };
}

function recordMembers({ signature, signingKeyId, loadedAtMs, loadedBy, revision }: Application) {
  return {
    signature,
    ...(signingKeyId === null ? {} : { signingKeyId }),
    loadedAt: instantOf(loadedAtMs),
    loadedBy,
    revision,
  };
}

export function showFeatureUse({ feature, value, units, ...counts }: FeatureUse) {
  if (units === null) return { feature, value, counted: false };
  return { feature, value, counted: true, units, ...counts };
}

/** Shows what a take or a return came to. */
export function showHoldings(
  { instance, login, userId, features, decision, atMs }: HoldingsView,
  what: 'take' | 'return',
  repeated: boolean,
): Static<typeof HoldingsShape> {
  return {
    instance,
    ...(login === null ? {} : { login }),
    userId,
    features: features.map((one) => showHeld(one, what)),
    ...(decision === null ? {} : { decision }),
    at: instantOf(atMs),
    repeated,
  };
}

export function showHeld(
  { units, released, application, feature, count, held, used }: HoldingsView['features'][number],
  what: 'take' | 'return',
): Static<typeof HeldShape> {
  const counts = { application, feature, count, held, used, ...(units === null ? {} : { units }) };
  return what === 'return' ? { ...counts, released } : counts;
}

/** Shows holders as far as a token may see them: that of an instance is not told who is on the others of its key. */
export function showNamed({ holders, sharedBy }: Exhausted, { instance }: Pick<Principal, 'instance'>) {
  return instance !== null && sharedBy !== null ? [] : [...holders];
}

export function showHolder({ login, key: _key, ...holding }: HoldingRecord): Static<typeof HolderShape> {
  return { ...holding, ...(login === '' ? {} : { login }) };
}
