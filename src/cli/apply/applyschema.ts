/**
 * The form of the file that `lictor apply` reads: one description, of which its check, its JSON Schema
 * (`docs/apply.schema.json`) and its reference (`docs/apply.md`) are made.
 */

import { type Static, type TObject, type TSchema, Type } from 'typebox';
import { ROLES } from '../../domain/access.ts';
import { ACTIVATION_PROFILES } from '../../domain/keys/activation.ts';
import { KEY_FIELD_LIMITS } from '../../domain/keys/keyfields.ts';
import { LICENSE_SERVER_LIMITS, LICENSE_SERVER_PORT_DEFAULT } from '../../domain/licenseservers.ts';

/** The bounds of a file. */
export const APPLY_LIMITS = { bytesMax: 1_048_576, entriesMax: 1_000, faultsMax: 50 } as const;

const COUNT_MAX = 1_000_000_000;
const TEXT_LENGTH_MAX = 128;
const PATH_LENGTH_MAX = 1_024;

/** What a text must look like, in words; the pattern alone tells a person little. */
export const PATTERN_WORDS: Readonly<Record<string, string>> = {
  '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$':
    'letters, digits, dot, underscore and hyphen, at most 63, and must begin with a letter or digit',
  '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$':
    'letters, digits, dot, underscore and hyphen, at most 64, and must begin with a letter or digit',
  '^\\d{4}-\\d\\d-\\d\\d(T[\\d:.]+(Z|[+-]\\d\\d:\\d\\d))?$':
    'a date or an instant, such as 2027-12-31 or 2027-12-31T18:00:00Z',
};
const [INSTANCE_NAME, SERVER_NAME, INSTANT] = Object.keys(PATTERN_WORDS) as [string, string, string];

const text = (description: string, maxLength = TEXT_LENGTH_MAX) =>
  Type.String({ minLength: 1, maxLength, description });
const file = (description: string) => text(`${description} Relative to this file.`, PATH_LENGTH_MAX);
const whole = (minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, description });
const exact = { additionalProperties: false } as const;
/** Named things: a map from a name to what it is. */
const named = <Of extends TSchema>(pattern: string, of: Of, description: string) =>
  Type.Record(Type.String({ pattern }), of, {
    ...exact,
    description,
    maxProperties: APPLY_LIMITS.entriesMax,
  });

const Stated = Type.Object(
  {
    units: whole(1, KEY_FIELD_LIMITS.unitsMax, 'The units that were bought.'),
    licenseType: text('For instance `concurrent-user`.'),
    server: Type.Enum(['single', 'multi'], {
      type: 'string',
      description: 'Whether several instances may share it.',
    }),
    unitsEnforced: Type.Optional(
      whole(1, KEY_FIELD_LIMITS.unitsMax, 'The units beyond which logins are refused; at least `units`.'),
    ),
    cores: Type.Optional(whole(1, KEY_FIELD_LIMITS.unitsMax, 'The cores that were bought.')),
    product: Type.Optional(text('The product.')),
    features: Type.Optional(
      Type.Array(text('A feature by name or number.'), {
        maxItems: KEY_FIELD_LIMITS.featuresMax,
        description: 'The features that it permits.',
      }),
    ),
    versionFrom: Type.Optional(text('The first version it is good for.')),
    versionTo: Type.Optional(text('The last version it is good for, inclusive by prefix.')),
  },
  {
    ...exact,
    description:
      'The terms of a key that nobody here can verify. A signed key has them in its file; the configuration must allow others.',
  },
);

const Key = Type.Object(
  {
    file: file('The key file.'),
    enforcement: Type.Optional(
      Type.Enum(['central', 'local', 'leased'], {
        type: 'string',
        description:
          'Who decides on logins. It changes only while no instance holds users or units by the old one.',
      }),
    ),
    connectionsPerUnitMax: Type.Optional(
      whole(1, KEY_FIELD_LIMITS.connectionsPerUnitMax, 'How many connections of one user a unit bears.'),
    ),
    served: Type.Optional(
      Type.Boolean({
        description: 'With `true` it is served under its LicenseID, to instances that ask for one.',
      }),
    ),
    stated: Type.Optional(Stated),
  },
  { ...exact, description: 'A key.' },
);

/** The settings of an instance; a test holds them against those of the API. */
export const ApplySettings = Type.Partial(
  Type.Object({
    identityForm: Type.Enum(['name', 'name@address'], {
      type: 'string',
      description: 'Whether a named user is the name alone, or the name at each client address.',
    }),
    usernameLicensing: Type.Boolean({
      description: 'The user name is the licence user ID in place of the client address.',
    }),
    deferredIdentification: Type.Boolean({
      description: 'Nobody is identified until an explicit identification.',
    }),
    throttleProfile: Type.Enum(['caché5', 'caché'], {
      type: 'string',
      description: 'How processes that have not identified themselves are slowed down.',
    }),
    throttlePauseSeconds: whole(0, 3_600, 'The length of a pause of the profile `caché`.'),
    unitLimit: whole(0, COUNT_MAX, 'The units that the instance may consume of its key; 0 is no limit.'),
    connectionLimit: whole(0, COUNT_MAX, 'The connections of one user on this instance; 0 is no limit.'),
    trustedProxies: Type.Array(text('An address or a network (CIDR).', 64), {
      maxItems: 64,
      description: 'Whose `X-Forwarded-For` is believed.',
    }),
    graceSeconds: whole(
      0,
      86_400,
      'How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever.',
    ),
    activationProfile: Type.Enum([...ACTIVATION_PROFILES], {
      type: 'string',
      description: 'What a new key can give the running instance: everything, or the rest after a restart.',
    }),
  }),
  { ...exact, description: 'Its settings; those left out are left alone.' },
);

const Application = Type.Object(
  {
    file: Type.Optional(file('An application licence file, of which every section is loaded.')),
    name: Type.Optional(text('Or the name of one section, with its `entries`.', 47)),
    entries: Type.Optional(
      Type.Record(Type.String(), Type.Union([text('Information.', 1_024), whole(0, 999_999_999, 'Units.')]), {
        description: 'Its keywords with their values; whole numbers are counted.',
      }),
    ),
  },
  { ...exact, description: 'Either a file, or a section with its entries.' },
);

const Instance = Type.Object(
  {
    key: Type.Optional(
      text(
        'The key that it works under: a name under `keys`, or the ID of an installed one. Left out, it is left alone.',
      ),
    ),
    settings: Type.Optional(ApplySettings),
    applications: Type.Optional(
      Type.Array(Application, {
        maxItems: 256,
        description: 'The application licences that are loaded there.',
      }),
    ),
  },
  { ...exact, description: 'An instance. One that is not registered is registered.' },
);

const LicenseServer = Type.Object(
  {
    address: text(
      'IPv4 address, IPv6 address or host name that instances send to.',
      LICENSE_SERVER_LIMITS.addressLengthMax,
    ),
    port: Type.Optional(
      whole(
        LICENSE_SERVER_LIMITS.portMin,
        LICENSE_SERVER_LIMITS.portMax,
        `The UDP port; ${LICENSE_SERVER_PORT_DEFAULT} when left out.`,
      ),
    ),
  },
  { ...exact, description: 'An entry of the roster of licence servers.' },
);

const Token = Type.Object(
  {
    role: Type.Enum([...ROLES], { type: 'string', description: 'What it may do.' }),
    instance: Type.Optional(text('The only instance that it may touch.')),
    keys: Type.Optional(
      Type.Array(text('A name under `keys`, or the ID of an installed key.'), {
        minItems: 1,
        maxItems: 100,
        description: 'The only keys that it may touch.',
      }),
    ),
    expiresAt: Type.Optional(
      Type.String({ pattern: INSTANT, description: 'When it ends; without it, never.' }),
    ),
    file: Type.Optional(
      file('Where its text is written when it is made, with mode 0600. Without it, `--secrets` says where.'),
    ),
  },
  { ...exact, description: 'An access token. It is known by its name; its text exists in one answer only.' },
);

/** The whole file. */
export const ApplyFile = Type.Object(
  {
    lictor: Type.Literal(1, { description: 'The version of this form.' }),
    keys: Type.Optional(named(INSTANCE_NAME, Key, 'Keys, each by a name that is good within this file.')),
    instances: Type.Optional(named(INSTANCE_NAME, Instance, 'Instances by their names.')),
    licenseServers: Type.Optional(
      named(SERVER_NAME, LicenseServer, 'Licence servers by their names, which are the same in any case.'),
    ),
    tokens: Type.Optional(named(INSTANCE_NAME, Token, 'Access tokens by what people call them.')),
  },
  exact,
);

/** The content of a file. */
export type ApplyContent = Static<typeof ApplyFile>;
/** A key as it is declared. */
export type DeclaredKey = Static<typeof Key>;
/** An instance as it is declared. */
export type DeclaredInstance = Static<typeof Instance>;
/** A token as it is declared. */
export type DeclaredToken = Static<typeof Token>;

/** @returns the JSON Schema that editors check a file by while it is written. */
export function applyJsonSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What "lictor apply" sets up',
    ...(JSON.parse(JSON.stringify(ApplyFile)) as object),
  };
}

/** @returns the reference of every field, as tables in Markdown. */
export function applyReference(): string {
  const parts: string[] = [];
  describe('The file', ApplyFile, parts);
  for (const [title, schema] of [
    ['`keys.NAME`', Key],
    ['`keys.NAME.stated`', Stated],
    ['`instances.NAME`', Instance],
    ['`instances.NAME.settings`', ApplySettings],
    ['`instances.NAME.applications[]`', Application],
    ['`licenseServers.NAME`', LicenseServer],
    ['`tokens.NAME`', Token],
  ] as const) {
    describe(title, schema, parts);
  }
  return parts.join('\n');
}

function describe(title: string, schema: TObject, parts: string[]): void {
  const required = new Set((schema as { required?: readonly string[] }).required ?? []);
  const rows = Object.entries(schema.properties).map(([name, member]) => [
    `\`${name}\``,
    required.has(name) ? 'yes' : 'no',
    formOf(member as JsonSchema),
    (member as JsonSchema).description ?? '',
  ]);
  const head = ['field', 'needed', 'form', 'meaning'];
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  parts.push(
    `### ${title}`,
    '',
    line(head),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map(line),
    '',
  );
}

/** The members of a JSON Schema that the reference shows. */
interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly items?: JsonSchema;
}

function formOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.type === 'integer') return `whole number, ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === 'boolean') return '`true` or `false`';
  if (schema.pattern !== undefined) return PATTERN_WORDS[schema.pattern] ?? schema.pattern;
  if (schema.type === 'string') return `text, at most ${schema.maxLength} characters`;
  return schema.type === 'array' ? 'list' : 'map';
}
