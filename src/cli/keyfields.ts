/** How keys are shown, and the options that state the terms of a key without a signature of ours. */

import { type Command, Option } from 'commander';
import type { InstallKeyBody, ListKeysAnswer, ReadKeyAnswer } from '../client/openapi.ts';
import { CliFault, EXIT } from './faults.ts';
import { collect, stated, wholeNumber } from './options.ts';
import type { Column, Field, Style } from './output.ts';

type ListedKey = ListKeysAnswer['items'][number];

const STATUS_STYLES: Readonly<Record<string, Style>> = {
  valid: 'green',
  troubled: 'yellow',
  invalid: 'red',
};

/**
 * The colour of a state of a licence.
 *
 * @param status - `valid`, `troubled` or `invalid`.
 */
export function statusStyle(status: string): Style | undefined {
  return STATUS_STYLES[status];
}

/** The columns of a list of keys. */
export const KEY_COLUMNS: readonly Column<ListedKey>[] = [
  { title: 'KEY', value: ({ id }) => id },
  { title: 'PRODUCT', value: ({ product }) => product },
  { title: 'TYPE', value: ({ licenseType }) => licenseType },
  { title: 'SERVER', value: ({ server }) => server },
  { title: 'UNITS', value: unitsOf, align: 'right' },
  { title: 'ENFORCEMENT', value: ({ enforcement }) => enforcement },
  { title: 'EXPIRES', value: ({ expirationDate }) => expirationDate ?? 'never' },
  { title: 'STATE', value: ({ status }) => status, style: ({ status }) => STATUS_STYLES[status] },
];

function unitsOf({
  unitsAuthorised,
  unitsEnforced,
}: Pick<ReadKeyAnswer, 'unitsAuthorised' | 'unitsEnforced'>): string {
  return unitsEnforced === unitsAuthorised
    ? String(unitsAuthorised)
    : `${unitsEnforced} of ${unitsAuthorised}`;
}

type KeyFields = Omit<
  ReadKeyAnswer,
  'status' | 'code' | 'reason' | 'installedAt' | 'installedBy' | 'revision'
>;

/**
 * What a key says, as labels and values.
 *
 * @param key - the key, installed or not.
 */
export function keyFields(key: KeyFields): Field[] {
  const { versionFrom, versionTo, sections = [] } = key;
  const versions =
    versionFrom === undefined && versionTo === undefined
      ? undefined
      : `${versionFrom ?? 'any'} to ${versionTo ?? 'any'}`;
  return [
    ['Key', key.id],
    ['Customer', key.customerName],
    ['Order number', key.orderNumber],
    ['Product', key.product],
    ['Licence type', key.licenseType],
    ['Server', key.server],
    ['Units', unitsOf(key)],
    ['Cores', key.cores],
    ['Connections per unit', key.connectionsPerUnitMax],
    ['Enforcement', key.enforcement],
    ['Features', key.features.length === 0 ? 'none' : key.features.join(', ')],
    ['Versions', versions],
    ['Valid from', key.notBeforeDate],
    ['Expires', key.expirationDate ?? 'never'],
    ['Machine', key.machineId],
    ['License ID', key.licenseId],
    ['Trust', key.signingKeyId === undefined ? key.trust : `${key.trust}, signed by ${key.signingKeyId}`],
    ...sections.map(
      ({ name, entries }): Field => [
        `[${name}]`,
        entries.map(({ keyword, value }) => `${keyword}=${value}`).join(', '),
      ],
    ),
  ];
}

/**
 * What is known of an installed key, as labels and values.
 *
 * @param key - the key.
 */
export function installedKeyFields(key: ReadKeyAnswer): Field[] {
  return [
    ...keyFields(key),
    ['State', `${key.status}: ${key.reason}`, STATUS_STYLES[key.status]],
    ['Installed', `${key.installedAt.slice(0, 19)}Z by ${key.installedBy}`],
    ['Revision', key.revision],
  ];
}

/** What the options of `addStatedOptions` come to. */
export interface StatedOptions {
  readonly units?: number;
  readonly unitsEnforced?: number;
  readonly cores?: number;
  readonly type?: string;
  readonly server?: 'single' | 'multi';
  readonly product?: string;
  readonly feature?: readonly string[];
  readonly versionFrom?: string;
  readonly versionTo?: string;
}

/** Heads the options, in the help. */
const STATED = 'Terms of a key that has no signature of a trusted key (the configuration must allow it):';

/**
 * Adds the options that state the terms of an unsigned key.
 *
 * @param command - what they are added to.
 */
export function addStatedOptions(command: Command): Command {
  const options = [
    new Option('--units <number>', 'how many units it grants').argParser(wholeNumber(1, 2_000_000_000)),
    new Option('--units-enforced <number>', 'how many of them are enforced').argParser(
      wholeNumber(1, 2_000_000_000),
    ),
    new Option('--cores <number>', 'how many cores it grants').argParser(wholeNumber(1, 2_000_000_000)),
    new Option('--type <type>', 'the licence type, such as "Concurrent User"'),
    new Option('--server <server>', 'for one instance or several').choices(['single', 'multi']),
    new Option('--product <product>', 'the product'),
    new Option('--feature <feature>', 'a feature; may be given several times').argParser(collect),
    new Option('--version-from <version>', 'the first version that it fits'),
    new Option('--version-to <version>', 'the last version that it fits'),
  ];
  for (const option of options) command.addOption(option.helpGroup(STATED));
  return command;
}

/**
 * The body that sends a key file, with what is stated of it.
 *
 * @param bytes - the file, in whichever encoding it is.
 * @param options - the command line.
 * @throws CliFault when terms are stated in part.
 */
export function keyFileBody(bytes: Uint8Array, options: StatedOptions): InstallKeyBody {
  const fileBase64 = Buffer.from(bytes).toString('base64');
  const { units, unitsEnforced, cores, type, server, product, feature, versionFrom, versionTo } = options;
  const terms = stated({ unitsEnforced, cores, product, features: feature, versionFrom, versionTo });
  if (units === undefined && type === undefined && server === undefined && Object.keys(terms).length === 0) {
    return { fileBase64 };
  }
  if (units === undefined || type === undefined || server === undefined) {
    throw new CliFault(
      EXIT.usage,
      'The terms of the key are stated in part only.',
      'Give --units, --type and --server together, or none of them for a signed key.',
    );
  }
  return { fileBase64, stated: { units, licenseType: type, server, ...terms } };
}
