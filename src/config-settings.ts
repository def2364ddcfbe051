/** The kinds of settings there are: how the text of an environment variable becomes a checked value. */
import ipaddr from 'ipaddr.js';

/** What became of a text: a value, or what is wrong with it and how to mend it. */
export type Parsed<T> = { readonly value: T } | { readonly fault: string };

/** One setting: its variable, its default, what it means, and how it is read. */
export interface Setting<T> {
  readonly variable: string;
  /** What it means, for the documentation; one or two sentences. */
  readonly words: string;
  /** The value when the variable is not set. */
  readonly fallback: T;
  /** The default as the documentation shows it. */
  readonly shown: string;
  /** What may be written, as the documentation shows it. */
  readonly form: string;
  /** Whether it may come from the file that `<variable>_FILE` names; secrets and long lists may. */
  readonly fromFile: boolean;
  /** Whether a message about a fault may repeat the whole text, which it never does with a secret. */
  readonly repeatable: boolean;
  readonly parse: (text: string) => Parsed<T>;
}

/** Marks a setting as secret: it may come from a file and never appears in a message. */
export function secret<T>(setting: Setting<T>): Setting<T> {
  return { ...setting, fromFile: true, repeatable: false };
}

/** A whole number between two bounds, both included. */
export function wholeNumber(
  variable: string,
  fallback: number,
  [min, max]: readonly [number, number],
  words: string,
): Setting<number> {
  const form = `whole number, ${min} to ${max}`;
  const parse = (text: string): Parsed<number> => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? { value } : { fault: `must be a ${form}` };
  };
  return {
    variable,
    words,
    fallback,
    shown: String(fallback),
    form,
    fromFile: false,
    repeatable: true,
    parse,
  };
}

/** `true` or `false`. */
export function truth<T extends boolean | null>(
  variable: string,
  fallback: T,
  words: string,
  shown = String(fallback),
): Setting<T | boolean> {
  const parse = (text: string): Parsed<T | boolean> =>
    text === 'true' || text === 'false' ? { value: text === 'true' } : { fault: 'must be true or false' };
  return {
    variable,
    words,
    fallback,
    shown,
    form: '`true` or `false`',
    fromFile: false,
    repeatable: true,
    parse,
  };
}

/** One of a closed list of words. */
export function oneOf<const T extends string>(
  variable: string,
  fallback: T,
  values: readonly T[],
  words: string,
): Setting<T> {
  const parse = (text: string): Parsed<T> => {
    const value = values.find((candidate) => candidate === text);
    return value === undefined ? { fault: `must be one of ${values.join(', ')}` } : { value };
  };
  return {
    variable,
    words,
    fallback,
    shown: fallback,
    form: values.join(', '),
    fromFile: false,
    repeatable: true,
    parse,
  };
}

/** A text that a check accepts. */
export function text<T extends string | null>(
  variable: string,
  fallback: T,
  form: string,
  words: string,
  accepts: (value: string) => boolean = () => true,
): Setting<T | string> {
  const parse = (value: string): Parsed<T | string> =>
    accepts(value) ? { value } : { fault: `must be ${form}` };
  return { variable, words, fallback, shown: fallback ?? '', form, fromFile: false, repeatable: true, parse };
}

/** A URL with one of the given schemes and a host; secret, since it may hold a password. */
export function url(variable: string, schemes: readonly string[], words: string): Setting<string | null> {
  const form = `URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  const accepts = (value: string) =>
    URL.canParse(value) &&
    schemes.includes(new URL(value).protocol.slice(0, -1)) &&
    new URL(value).host !== '';
  return secret(text<string | null>(variable, null, form, words, accepts));
}

/** A list whose parser names the items at fault; items are separated by commas, blanks or line ends. */
export function list<T>(
  variable: string,
  fallback: T,
  form: string,
  words: string,
  parse: (text: string) => Parsed<T>,
): Setting<T> {
  return { variable, words, fallback, shown: '', form, fromFile: false, repeatable: false, parse };
}

/** Reads `host:port` pairs; the port is Sentinel's own when it is left out. */
export function parseHosts(
  text: string,
): Parsed<readonly { readonly host: string; readonly port: number }[]> {
  const value = [];
  for (const item of splitItems(text)) {
    const parts = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/.exec(item);
    const port = Number(parts?.[2] ?? 26_379);
    if (parts === null || port < 1 || port > 65_535)
      return { fault: `holds "${item}", which is not host:port` };
    value.push({ host: parts[1]!.replace(/^\[|\]$/g, ''), port });
  }
  return { value };
}

/** Reads addresses and networks (CIDR), which come back as `address/prefix`. */
export function parseNetworks(text: string): Parsed<readonly string[]> {
  const value = [];
  for (const item of splitItems(text)) {
    const single =
      ipaddr.isValid(item) &&
      (!item.includes('.') || ipaddr.IPv4.isValidFourPartDecimal(item) || item.includes(':'));
    if (!single && !ipaddr.isValidCIDR(item)) {
      return { fault: `holds "${item}", which is neither an IP address nor a network such as 10.0.0.0/8` };
    }
    value.push(single ? `${item}/${ipaddr.parse(item).kind() === 'ipv4' ? 32 : 128}` : item);
  }
  return { value };
}

/** Reads names of application sections, each of which may end with an asterisk. */
export function parseSectionNames(text: string): Parsed<readonly string[]> {
  const value = text.split(',').flatMap((item) => item.trim() || []);
  const wrong = value.find((item) => !/^(?:[A-Za-z0-9][A-Za-z0-9. ]{0,46})?\*?$/.test(item));
  if (wrong === undefined) return { value };
  return {
    fault: `holds "${wrong}", which is neither the name of a section nor the beginning of one with an asterisk`,
  };
}

/** Whether the runtime knows a time zone. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function splitItems(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== '');
}
