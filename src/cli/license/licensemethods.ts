/** The table of all methods and queries of the legacy class, and how their names are read as hands type them. */

import { ACTIVATION_METHODS } from './licenseactivation.ts';
import { APPLICATION_METHODS } from './licenseapplications.ts';
import type { Group, LegacyMethod } from './licensecall.ts';
import { COUNTER_METHODS } from './licensecounters.ts';
import { KEY_METHODS } from './licensekeys.ts';
import { LOGIN_METHODS } from './licenselogins.ts';
import { REPORT_METHODS } from './licensereports.ts';

/** Every method but `Help`. */
export const METHODS: readonly LegacyMethod[] = [
  ...LOGIN_METHODS,
  ...COUNTER_METHODS,
  ...KEY_METHODS,
  ...ACTIVATION_METHODS,
  ...REPORT_METHODS,
  ...APPLICATION_METHODS,
];

/** The name of the method that tells of the others. */
export const HELP = 'Help';

/** The names that can be called, in the order of the help. */
export const METHOD_NAMES: readonly string[] = [
  HELP,
  ...METHODS.flatMap(({ name, former = [] }) => [name, ...former]),
];

/** A method under the name by which it was found. */
export interface FoundMethod {
  readonly method: LegacyMethod;
  /** The former name, when it was called by one. */
  readonly former: string | null;
}

/**
 * Finds a method.
 *
 * @param name - in any case, or one that it had before.
 */
export function findMethod(name: string): FoundMethod | null {
  const wanted = name.toLowerCase();
  for (const method of METHODS) {
    if (method.name.toLowerCase() === wanted) return { method, former: null };
    const former = method.former?.find((one) => one.toLowerCase() === wanted);
    if (former !== undefined) return { method, former };
  }
  return null;
}

/** Names that have something of a word in them, for whoever did not remember one. */
export function similarNames(word: string): readonly string[] {
  const parts = word.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]{3,}/g) ?? [];
  const isLike = (name: string) => {
    const lower = name.toLowerCase();
    return (
      (word.length >= 3 && lower.includes(word.toLowerCase())) ||
      (parts.length > 0 && parts.every((part) => lower.includes(part.toLowerCase())))
    );
  };
  return METHOD_NAMES.filter(isLike).slice(0, 5);
}

/** A call as it was typed. */
export interface Typed {
  readonly name: string;
  readonly args: readonly string[];
}

/**
 * Reads the name of a method as it may have been copied: with the class before it, a command of ObjectScript, or
 * arguments in brackets. What is given back by reference (`.Count`) is no argument.
 *
 * @param text - such as `ShowSummary`, `$SYSTEM.License.GetFeature(7)`, `##class(%SYSTEM.License).CKEY()` or `^CKEY`.
 * @param rest - what stands behind it on the command line.
 */
export function readCall(text: string, rest: readonly string[]): Typed {
  // A shell puts nothing in the place of `$SYSTEM`, where it is not in single quotes.
  const pasted =
    /^\s*(?:(?:do|d|write|w)\s+|set\s+\w+\s*=\s*)?(?:(?:\$?system)?\.?license\.|(?:##class\()?%system\.license\)?\.|\^)?(\w+)\s*(?:\((.*)\))?\s*$/is.exec(
      text,
    );
  const name = pasted?.[1] ?? text;
  const inBrackets = pasted?.[2] === undefined ? [] : splitArguments(pasted[2]);
  return { name, args: [...inBrackets, ...rest].filter((arg) => !/^\.[A-Za-z%]\w*$/.test(arg)) };
}

/** Splits what stands in brackets at commas that are in no quotes, and takes the quotes off. */
function splitArguments(text: string): string[] {
  if (text.trim() === '') return [];
  const parts = text.match(/(?:"(?:[^"]|"")*"|[^,"])+|(?<=,|^)(?=,|$)/g) ?? [];
  return parts.map((part) => {
    const trimmed = part.trim();
    return /^".*"$/s.test(trimmed) ? trimmed.slice(1, -1).replaceAll('""', '"') : trimmed;
  });
}

/** A method as it is written with what it takes: `Login(UserIdentifier)`, `GetAppLicense(App[,GetValues])`. */
export function signatureOf({ name, takes, gives = [] }: LegacyMethod): string {
  const all = [...takes, ...gives.map((one) => `.${one}`)];
  const [first = '', ...others] = all;
  const written = others.map((one) => (one.startsWith('[') ? `[,${one.slice(1)}` : `,${one}`));
  return `${name}(${[first, ...written].join('')})`;
}

/** The groups, in the order of the help. */
export const GROUPS: readonly Group[] = [...new Set(METHODS.map(({ group }) => group))];
