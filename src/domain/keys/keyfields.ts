/**
 * The fields of `[ConfigFile]` and `[License]`: how each must be written (domain notes 3.1), and the checks that
 * hold one against another. Used on every key file, signed or not: a field that is present must be right. What
 * must be present on a signed key besides is checked by `checkSignedFields`.
 */
import { fault, type KeyEntry, type KeyFault, type KeyFile, quoted } from './keyfaults.ts';

/** The fields Lictor knows; `AuthorizationKey` is the only one the signature does not cover. */
const KNOWN_KEYWORDS = {
  ConfigFile: ['FileType'],
  License: [
    'LicenseCapacity',
    'CustomerName',
    'OrderNumber',
    'ExpirationDate',
    'AuthorizationKey',
    'MachineID',
    'LicenseID',
    'Product',
    'LicenseType',
    'Server',
    'AuthorizedUnits',
    'EnforcedUnits',
    'AuthorizedCores',
    'MaxConnections',
    'Features',
    'NotBefore',
    'VersionFrom',
    'VersionTo',
  ],
} as const;

const ALL_KEYWORDS: readonly string[] = [...KNOWN_KEYWORDS.ConfigFile, ...KNOWN_KEYWORDS.License];

/** The bounds of the fields. */
export const KEY_FIELD_LIMITS = {
  /** Far above any licence, and exact in JavaScript numbers, JSON and a Postgres integer. */
  unitsMax: 1_000_000_000,
  connectionsPerUnitMax: 1_000_000,
  featuresMax: 100,
  featureCharactersMax: 64,
  licenseIdCharactersMax: 32,
  licenseTypeCharactersMax: 64,
  versionPartsMax: 8,
} as const;

/**
 * Finds an entry.
 *
 * @param file - a key file.
 * @param section - the exact name of the section.
 * @param keyword - the exact keyword.
 * @returns the entry, or undefined.
 */
export function findEntry(file: KeyFile, section: string, keyword: string): KeyEntry | undefined {
  return file.sections
    .find((candidate) => candidate.name === section)
    ?.entries.find((entry) => entry.keyword === keyword);
}

/**
 * The value of an entry of `[License]`.
 *
 * @returns the value, or null when the keyword is absent or its value empty.
 */
export function licenseField(file: KeyFile, keyword: string): string | null {
  return findEntry(file, 'License', keyword)?.value || null;
}

/** The known keyword that differs from the given one at most by case, or null. */
export function knownKeyword(keyword: string): string | null {
  const wanted = keyword.toLowerCase();
  return ALL_KEYWORDS.find((known) => known.toLowerCase() === wanted) ?? null;
}

/** A calendar date, or why the text is none. */
export type DateVerdict =
  | { readonly ok: true; readonly date: string }
  | { readonly ok: false; readonly code: 'date-malformed' | 'date-impossible'; readonly message: string };

/**
 * Reads a date of a key file: M/D/YYYY (domain notes 3.1) or YYYY-MM-DD.
 *
 * @param text - the field's value.
 * @returns the date as YYYY-MM-DD, or what is wrong with it.
 */
export function parseKeyDate(text: string): DateVerdict {
  const american = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text);
  const iso = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (american === null && iso === null) {
    return { ok: false, code: 'date-malformed', message: `${quoted(text)} is not a date.` };
  }
  const [year, month, day] = (
    american !== null ? [american[3], american[1], american[2]] : [iso?.[1], iso?.[2], iso?.[3]]
  ).map(Number) as [number, number, number];
  // Years before 1840 cannot be told in the field's own day count, which begins there.
  if (year < 1841) return impossible(text, `year ${year} is out of range`);
  if (month < 1 || month > 12) return impossible(text, `there is no month ${month}`);
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (day < 1 || day > days) return impossible(text, `month ${month} of ${year} has ${days} days`);
  return { ok: true, date: `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}` };
}

function impossible(text: string, why: string): DateVerdict {
  return { ok: false, code: 'date-impossible', message: `${quoted(text)} is an impossible date: ${why}.` };
}

/**
 * Reads a number of units.
 *
 * @returns the count, or null when the text is not a whole number from 1 to `KEY_FIELD_LIMITS.unitsMax`.
 */
export function parseUnits(text: string, max: number = KEY_FIELD_LIMITS.unitsMax): number | null {
  if (!/^\d{1,10}$/.test(text)) return null;
  const units = Number(text);
  return units >= 1 && units <= max ? units : null;
}

/**
 * Reads a dotted version: the number at its beginning counts, what follows a blank or a letter does not
 * ("2024.1.2 (Build 398U)" is 2024.1.2).
 *
 * @returns its parts, or null when it does not begin with a number.
 */
export function parseVersion(text: string): readonly number[] | null {
  const found = /^v?(\d{1,9}(?:\.\d{1,9})*)(?![\d])/.exec(text.trim());
  const parts = found?.[1]?.split('.').map(Number);
  return parts === undefined || parts.length > KEY_FIELD_LIMITS.versionPartsMax ? null : parts;
}

/** Orders two versions; missing parts count as zero, so 5 and 5.0 are the same. */
export function compareVersions(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Whether a version is within an upper bound. The bound is inclusive by prefix: 2018 admits 2018.1.4, and
 * 2018.1 admits 2018.1.4 but not 2018.2.
 */
export function versionWithin(version: readonly number[], bound: readonly number[]): boolean {
  return compareVersions(version.slice(0, bound.length), bound) <= 0;
}

/** The list of features of a key: comma separated, blanks around a name do not matter. */
export function parseFeatures(text: string | null): string[] {
  return (text ?? '')
    .split(',')
    .map((feature) => feature.trim())
    .filter((feature) => feature !== '');
}

/** Whether the key is shareable (F-3), or null when the text says neither Single nor Multi. */
export function parseServer(text: string): 'single' | 'multi' | null {
  const lower = text.toLowerCase();
  return lower === 'single' || lower === 'multi' ? lower : null;
}

/**
 * Checks every known field that is present, and the few that every key file must have.
 *
 * @param file - a key file whose form was read.
 * @param options - `reportMissing`: whether absent fields are faults too.
 * @returns the faults; none when all is in order.
 */
export function checkKeyFields(file: KeyFile, options: { readonly reportMissing: boolean }): KeyFault[] {
  const faults: KeyFault[] = [];
  if (options.reportMissing) {
    faults.push(
      ...missing(
        file,
        'ConfigFile',
        'FileType',
        'It names the format, for instance FileType=License 2013.1.',
      ),
      ...missing(file, 'License', 'OrderNumber', 'It is the identity of the key; copy the file in full.'),
    );
  }
  for (const entry of file.sections.find((section) => section.kind === 'license')?.entries ?? []) {
    if (entry.value === '') continue;
    const found = FIELD_CHECKS.get(entry.keyword)?.(entry);
    if (found) faults.push(found);
  }
  return [...faults, ...checkPairs(file)];
}

/**
 * Checks what a signed key must have besides: its capacity, explicitly, since the capacity of a signed key is
 * read from these fields and from nowhere else.
 *
 * @param file - a parsed key file.
 * @returns a fault for each missing field.
 */
export function checkSignedFields(file: KeyFile): KeyFault[] {
  return [
    ...missing(
      file,
      'License',
      'Product',
      'Write the name of the product, for instance Product=Example Server.',
    ),
    ...missing(file, 'License', 'LicenseType', 'Write for instance LicenseType=Concurrent User.'),
    ...missing(file, 'License', 'Server', 'Write Server=Single, or Server=Multi for a shareable key.'),
    ...missing(
      file,
      'License',
      'AuthorizedUnits',
      'Write the number of units, for instance AuthorizedUnits=25.',
    ),
  ];
}

/**
 * The entries of `[ConfigFile]` and `[License]` that Lictor does not know: misspelt, or of a later version.
 *
 * @param file - a parsed key file.
 */
export function unknownEntries(file: KeyFile): KeyEntry[] {
  return file.sections
    .filter((section) => section.kind === 'config' || section.kind === 'license')
    .flatMap((section) => {
      const known: readonly string[] = KNOWN_KEYWORDS[section.kind === 'config' ? 'ConfigFile' : 'License'];
      return section.entries.filter((entry) => !known.includes(entry.keyword));
    });
}

function missing(file: KeyFile, sectionName: string, keyword: string, mend: string): KeyFault[] {
  const section = file.sections.find((candidate) => candidate.name === sectionName);
  const entry = section?.entries.find((candidate) => candidate.keyword === keyword);
  // A missing section is one fault of its own and is reported as that.
  if (section === undefined || (entry !== undefined && entry.value !== '')) return [];
  const what = entry === undefined ? 'is missing' : 'is empty';
  return [
    fault(entry?.line ?? section.line, 'field-missing', `${keyword} of [${sectionName}] ${what}.`, mend),
  ];
}

type FieldCheck = (entry: KeyEntry) => KeyFault | null;

const checkDate: FieldCheck = ({ keyword, value, line }) => {
  const verdict = parseKeyDate(value);
  if (verdict.ok) return null;
  const mend = 'Dates are written M/D/YYYY, for instance 12/31/2027, or YYYY-MM-DD.';
  return fault(line, verdict.code, `${keyword}: ${verdict.message}`, mend);
};

const checkUnits: FieldCheck = ({ keyword, value, line }) =>
  parseUnits(value) !== null
    ? null
    : fault(
        line,
        'units-invalid',
        `${keyword} is ${quoted(value)}.`,
        `Write a whole number from 1 to ${KEY_FIELD_LIMITS.unitsMax}.`,
      );

const checkVersion: FieldCheck = ({ keyword, value, line }) =>
  /^\d{1,9}(\.\d{1,9}){0,7}$/.test(value)
    ? null
    : fault(
        line,
        'version-invalid',
        `${keyword} is ${quoted(value)}.`,
        'Write a dotted number, such as 2018.1.',
      );

/** What each field must look like when it is there and not empty. */
const FIELD_CHECKS: ReadonlyMap<string, FieldCheck> = new Map(
  Object.entries<FieldCheck>({
    ExpirationDate: checkDate,
    NotBefore: checkDate,
    AuthorizedUnits: checkUnits,
    AuthorizedCores: checkUnits,
    EnforcedUnits: checkUnits,
    VersionFrom: checkVersion,
    VersionTo: checkVersion,
    OrderNumber: ({ value, line }) => {
      if (/^\d{1,18}$/.test(value)) return null;
      const negative = /^-\d+$/.test(value) ? ', a negative number' : '';
      const message = `OrderNumber is ${quoted(value)}${negative}.`;
      return fault(
        line,
        'order-number-invalid',
        message,
        'It is the 1 to 18 digits of the order, without sign.',
      );
    },
    MaxConnections: ({ value, line }) => {
      const max = KEY_FIELD_LIMITS.connectionsPerUnitMax;
      if (parseUnits(value, max) !== null) return null;
      const mend = `It is how many connections one unit bears: write a whole number from 1 to ${max}.`;
      return fault(line, 'units-invalid', `MaxConnections is ${quoted(value)}.`, mend);
    },
    Server: ({ value, line }) =>
      parseServer(value) !== null
        ? null
        : fault(line, 'field-invalid', `Server is ${quoted(value)}.`, 'Write Server=Single or Server=Multi.'),
    LicenseID: ({ value, line }) => {
      const max = KEY_FIELD_LIMITS.licenseIdCharactersMax;
      if (value.length <= max) return null;
      return fault(
        line,
        'field-invalid',
        `LicenseID has ${value.length} characters.`,
        `At most ${max} are allowed.`,
      );
    },
    LicenseType: ({ value, line }) => {
      const max = KEY_FIELD_LIMITS.licenseTypeCharactersMax;
      if (value.length <= max) return null;
      return fault(
        line,
        'field-invalid',
        `LicenseType has ${value.length} characters.`,
        `At most ${max} are allowed.`,
      );
    },
    Features: ({ value, line }) => {
      const why = featuresFault(parseFeatures(value));
      return why === null
        ? null
        : fault(line, 'field-invalid', `Features ${why}.`, 'Write the names once each, separated by commas.');
    },
  }),
);

/**
 * What is wrong with a list of features.
 *
 * @returns the end of a sentence that begins with "Features", or null.
 */
export function featuresFault(features: readonly string[]): string | null {
  const { featuresMax, featureCharactersMax } = KEY_FIELD_LIMITS;
  if (features.length > featuresMax)
    return `has ${features.length} names; at most ${featuresMax} are allowed`;
  const long = features.find((feature) => feature.length > featureCharactersMax);
  if (long !== undefined)
    return `has a name of more than ${featureCharactersMax} characters: ${quoted(long)}`;
  const twice = features.find((feature, index) => features.indexOf(feature) !== index);
  return twice === undefined ? null : `names ${quoted(twice)} twice`;
}

/** Holds fields against each other: dates, versions and units must not be reversed. */
function checkPairs(file: KeyFile): KeyFault[] {
  const faults: KeyFault[] = [];
  const entry = (keyword: string) => findEntry(file, 'License', keyword);
  const date = (keyword: string) => {
    const verdict = parseKeyDate(entry(keyword)?.value ?? '');
    return verdict.ok ? verdict.date : null;
  };
  const [from, through] = [date('NotBefore'), date('ExpirationDate')];
  if (from !== null && through !== null && from > through) {
    const message = `NotBefore (${from}) is later than ExpirationDate (${through}), so the key is never valid.`;
    faults.push(
      fault(entry('NotBefore')?.line ?? 1, 'dates-reversed', message, 'Correct one of the two dates.'),
    );
  }
  const version = (keyword: string) => parseVersion(entry(keyword)?.value ?? '');
  const [lowest, highest] = [version('VersionFrom'), version('VersionTo')];
  if (lowest !== null && highest !== null && !versionWithin(lowest, highest)) {
    const message = `VersionFrom (${lowest.join('.')}) is higher than VersionTo (${highest.join('.')}).`;
    faults.push(
      fault(entry('VersionFrom')?.line ?? 1, 'versions-reversed', message, 'Correct one of the two.'),
    );
  }
  const units = (keyword: string) => parseUnits(entry(keyword)?.value ?? '');
  const [authorised, enforced] = [units('AuthorizedUnits'), units('EnforcedUnits')];
  if (authorised !== null && enforced !== null && enforced < authorised) {
    const message = `EnforcedUnits (${enforced}) is lower than AuthorizedUnits (${authorised}).`;
    const mend =
      'What is enforced may be higher than what is authorised, never lower; correct one of the two.';
    faults.push(fault(entry('EnforcedUnits')?.line ?? 1, 'units-invalid', message, mend));
  }
  return faults;
}
