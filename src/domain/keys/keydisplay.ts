/**
 * What a key says, field by field, as `CKEY`, the queries `Key` and `LicenseServerKeyList` and the dump of the
 * keys show it (notes 2.6, 2.7), and the capabilities that `Decode` lists.
 */

import { DEFAULT_CAPACITY_TEXT, keyDateText, NO_KEY_TEXT } from '../texts/reporttexts.ts';
import type { Cell } from '../texts/reporttexts-dumps.ts';
import { FEATURES, featureNumber } from './features.ts';
import { hasFeature, type KeyStatus, type LicenseKey } from './keys.ts';

/** A field with its value as text; empty when the key does not have it. */
export type KeyField = readonly [name: string, value: string];

/** Stands for what only whoever may install keys is shown. */
export const NOT_SHOWN = '(not shown)';

/**
 * The six fields of the legacy display, in its order. Of a key that cannot be used the customer's name says why
 * (F-20, F-24).
 *
 * @param key - null without one.
 * @param status - of the key now.
 * @param authorizationKey - as its file has it; null when it is not to be shown.
 */
export function mainFields(
  key: LicenseKey | null,
  status: Pick<KeyStatus, 'status' | 'reason'>,
  authorizationKey: string | null,
): KeyField[] {
  if (key === null) {
    return [
      ['LicenseCapacity', DEFAULT_CAPACITY_TEXT],
      ['CustomerName', NO_KEY_TEXT],
      ['OrderNumber', ''],
      ['ExpirationDate', ''],
      ['AuthorizationKey', ''],
      ['MachineID', ''],
    ];
  }
  return [
    ['LicenseCapacity', key.licenseCapacity || capacityWords(key)],
    ['CustomerName', status.status === 'invalid' ? status.reason : key.customerName],
    ['OrderNumber', key.orderNumber],
    ['ExpirationDate', keyDateText(key.expirationDate)],
    ['AuthorizationKey', authorizationKey ?? NOT_SHOWN],
    ['MachineID', key.machineId ?? ''],
  ];
}

/** What a key states besides, as far as it does, in the words of key files (`docs/keys.md`). */
export function statedFields(key: LicenseKey | null): KeyField[] {
  if (key === null) return [];
  const fields: KeyField[] = [
    ['LicenseID', key.licenseId ?? ''],
    ['Product', key.product],
    ['LicenseType', typeWords(key.licenseType)],
    ['Server', key.server === 'multi' ? 'Multi' : 'Single'],
    ['AuthorizedUnits', String(key.unitsAuthorised)],
    ['EnforcedUnits', String(key.unitsEnforced)],
    ['AuthorizedCores', String(key.cores ?? '')],
    ['MaxConnections', String(key.connectionsPerUnitMax)],
    ['Features', key.features.join(', ')],
    ['NotBefore', keyDateText(key.notBeforeDate)],
    ['VersionFrom', key.versionFrom ?? ''],
    ['VersionTo', key.versionTo ?? ''],
  ];
  return fields.filter(([, value]) => value !== '');
}

/** What stands for the text that a key file need not have. */
function capacityWords({ product, licenseType, unitsAuthorised, server }: LicenseKey): string {
  const units = `${typeWords(licenseType)}:${unitsAuthorised}`;
  return `${product === '' ? '' : `${product} - `}${units}, ${server === 'multi' ? 'Multi' : 'Single'}-Server`;
}

/** `concurrent-user` is `Concurrent User`; a type that is not known stays as it was written. */
function typeWords(type: string): string {
  if (!/^[a-z]+(-[a-z]+)*$/.test(type)) return type;
  return type.replace(/(^|-)([a-z])/g, (_, hyphen: string, letter: string) => {
    return (hyphen === '' ? '' : ' ') + letter.toUpperCase();
  });
}

/**
 * The rows of `Decode`: the capabilities that the explicit fields of the key state, each with its units, and each
 * numbered feature with 1 or 0 (`GetFeature`). The authorization key is a signature and has none in it.
 */
export function capabilityRows(key: LicenseKey | null): (readonly Cell[])[] {
  if (key === null) return [['License Units', 1]];
  const others = key.features.filter((name) => featureNumber(name) === null && !/^\d{1,3}$/.test(name));
  return [
    [typeWords(key.licenseType), key.unitsAuthorised],
    ['License Units Enforced', key.unitsEnforced],
    ...(key.cores === undefined ? [] : [['Cores', key.cores] as const]),
    ['Connections for each unit', key.connectionsPerUnitMax],
    ['Multi-server', Number(key.server === 'multi')],
    ...FEATURES.map((name) => [name, Number(hasFeature(key, name))] as const),
    ...others.map((name) => [name, 1] as const),
  ];
}
