/** What the legacy class says of the key of an instance, for `lictor license` (notes 2.4). */

import type { ReadInstanceKeyAnswer } from '../../client/openapi.ts';
import { FEATURES, featureNumber } from '../../domain/keys/features.ts';
import {
  type Answered,
  horologDay,
  type LegacyCall,
  type LegacyMethod,
  type Printed,
  STATUS_OK,
  truthValue,
} from './licensecall.ts';
import { countsOf } from './licensecounters.ts';

const NEAREST = 'lictor instances key INSTANCE';

/** The key of the instance. */
async function keyOf(call: LegacyCall): Promise<ReadInstanceKeyAnswer> {
  const name = await call.instance();
  return (await call.client()).reports.key(name);
}

/** A field of the key as the display has it; empty when the key does not state it. */
function fieldOf({ fields }: ReadInstanceKeyAnswer, wanted: string): string {
  return fields.find(({ field }) => field === wanted)?.value ?? '';
}

/** A method that prints something of the key. */
type Fact = readonly [
  name: string,
  words: string,
  pick: (answer: ReadInstanceKeyAnswer) => Printed,
  differences?: string,
];

const NO_CORES = 'Empty when the key states none.';

const FACTS: readonly Fact[] = [
  ['KeyLicenseCapacity', 'the text of LicenseCapacity', (answer) => fieldOf(answer, 'LicenseCapacity')],
  [
    'KeyCustomerName',
    'the customer; of a key that cannot be used, why',
    (answer) => fieldOf(answer, 'CustomerName'),
  ],
  ['KeyOrderNumber', 'the order number', (answer) => fieldOf(answer, 'OrderNumber')],
  [
    'KeyExpirationDate',
    'the last valid day, as $HOROLOG counts days',
    ({ key }) => (key?.expirationDate === undefined ? '' : horologDay(key.expirationDate)),
    'Empty for a key without an end. Everywhere else it is a date.',
  ],
  [
    'KeyAuthorizationKey',
    'the authorization key, which is a signature',
    (answer) => fieldOf(answer, 'AuthorizationKey'),
    'Only for a token that may install keys; others read "(not shown)".',
  ],
  ['KeyMachineID', 'the machine ID', (answer) => fieldOf(answer, 'MachineID')],
  ['KeyCoresLicensed', 'the cores that were bought', ({ key }) => key?.cores ?? '', NO_CORES],
  [
    'KeyCoresEnforced',
    'the cores that were bought',
    ({ key }) => key?.cores ?? '',
    `${NO_CORES} Cores are shown and compared when a key is activated; nothing refuses a host that has more.`,
  ],
  ['KeyProduct', 'the product', (answer) => fieldOf(answer, 'Product')],
  ['KeyLicenseType', 'the licence type, such as Concurrent User', (answer) => fieldOf(answer, 'LicenseType')],
  ['KeyServer', 'Single or Multi', (answer) => fieldOf(answer, 'Server')],
  [
    'KeyFeatures',
    'the numbered features as hexadecimal bits: bit n is feature n',
    ({ key }) => featureBits(key?.features ?? []),
    'Features without a number are not in it; GetFeature tells them by name.',
  ],
  [
    'KeyVersion',
    'the version of the key file: of "License 2013.1" it is 2013.1',
    ({ key }) => key?.generation ?? '',
  ],
  [
    'GetKeyStatus',
    'Valid, Troubled (it ends soon) or Invalid',
    ({ status }) => status.charAt(0).toUpperCase() + status.slice(1),
  ],
  [
    'GetKeyInvalidReason',
    'why the key is not valid, or troubled; empty when it is valid',
    ({ status, reason }) => (status === 'valid' ? '' : reason),
  ],
];

function featureBits(features: readonly string[]): string {
  let bits = 0n;
  for (const feature of features) {
    const number = /^\d{1,3}$/.test(feature) ? Number(feature) : featureNumber(feature);
    if (number !== null) bits |= 1n << BigInt(number);
  }
  return bits.toString(16).toUpperCase();
}

const factMethod = ([name, words, pick, differences]: Fact): LegacyMethod => ({
  name,
  group: 'The key',
  takes: [],
  words,
  ...(differences === undefined ? {} : { differences }),
  nearest: NEAREST,
  run: async (call) => ({ value: pick(await keyOf(call)) }),
});

/** A method that has no counterpart, with the reason. */
type Absent = readonly [name: string, takes: readonly string[], words: string, why: string, nearest: string];

const ABSENT: readonly Absent[] = [
  [
    'KeyCPUsLicensed',
    [],
    'the CPUs that were bought',
    'Keys state cores, no CPUs: see KeyCoresLicensed.',
    NEAREST,
  ],
  [
    'KeyCPUsEnforced',
    [],
    'the CPUs that are enforced',
    'Keys state cores, no CPUs: see KeyCoresEnforced.',
    NEAREST,
  ],
  [
    'KeyPlatform',
    [],
    'the platform',
    'Keys are not bound to a platform; they may be bound to versions of the product (VersionFrom, VersionTo).',
    NEAREST,
  ],
  [
    'MaxECPServers',
    [],
    'how many servers may be connected by ECP',
    'Keys state no such limit, and the server limits none. A limit of your own can be a keyword of an application licence.',
    'lictor applications show APPLICATION --instance INSTANCE',
  ],
  [
    'NetworkEnabled',
    [],
    'whether networking is licensed',
    'Keys do not state it. Whether a key may be shared by instances says KeyServer.',
    NEAREST,
  ],
  [
    'MaxBufferPool',
    [],
    'the most buffers',
    'Keys state no such limit, which the legacy product would print as 0. A limit of your own can be a keyword of an application licence.',
    'lictor applications show APPLICATION --instance INSTANCE',
  ],
  [
    'MaxDB',
    ['[UserOnly]'],
    'the most databases',
    'Keys state no such limit, which the legacy product would print as 0. A limit of your own can be a keyword of an application licence.',
    'lictor applications show APPLICATION --instance INSTANCE',
  ],
  [
    'DecodeAuth',
    ['Key'],
    'the capabilities in an authorization key',
    'The authorization key is a signature and has no capabilities in it; they stand in fields of the key file.',
    'lictor key inspect FILE',
  ],
];

/** The methods about the key. */
export const KEY_METHODS: readonly LegacyMethod[] = [
  ...FACTS.map(factMethod),
  {
    name: 'KeyLicenseUnits',
    group: 'The key',
    takes: [],
    words: 'the units that were bought',
    nearest: NEAREST,
    run: async (call) => ({ value: (await countsOf(call)).unitsAuthorised }),
  },
  {
    name: 'KeyEnforcedUnits',
    group: 'The key',
    takes: [],
    words: 'the units beyond which logins are refused; they may be more',
    nearest: NEAREST,
    run: async (call) => ({ value: (await countsOf(call)).unitsEnforced }),
  },
  {
    name: 'KeyFileType',
    group: 'The key',
    takes: ['[IncludeKeyword]'],
    words: 'FileType of the key file; with 1 headed by FileType=',
    differences: 'Empty without a key file; the legacy text ends in a NUL character then.',
    nearest: NEAREST,
    run: fileType,
  },
  {
    name: 'GetFeature',
    group: 'The key',
    takes: ['Feature'],
    words: `1 when the key permits a feature, 0 to ${FEATURES.length - 1} or a name`,
    differences: 'Names are taken as well, also of features that have no number.',
    nearest: 'lictor instances feature INSTANCE FEATURE',
    async run(call) {
      const feature = call.required(0);
      const name = await call.instance();
      const { enabled } = await (await call.client()).instances.feature(name, feature);
      return { value: truthValue(enabled) };
    },
  },
  {
    name: 'ActiveServerCount',
    group: 'The key',
    takes: [],
    gives: ['Status'],
    words: 'instances that use a key with this order number, this one included',
    nearest: 'lictor usage query ActiveServerList --instance INSTANCE',
    run: async (call) => ({
      value: (await keyOf(call)).activeServers,
      output: { Status: STATUS_OK },
    }),
  },
  ...ABSENT.map(
    ([name, takes, words, differences, nearest]): LegacyMethod => ({
      ...{ name, takes, words, differences, nearest },
      group: 'The key',
    }),
  ),
];

async function fileType(call: LegacyCall): Promise<Answered> {
  const isNamed = call.number(0, 1) === 1;
  const { key } = await keyOf(call);
  const sections =
    key === undefined ? [] : (await (await call.client()).keys.inspect({ key: key.id })).sections;
  const entries = sections.find(({ kind }) => kind === 'config')?.entries ?? [];
  const value = entries.find(({ keyword }) => keyword === 'FileType')?.value ?? '';
  return { value: isNamed ? `FileType=${value}` : value };
}
