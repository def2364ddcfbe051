/** What the options of several commands have in common: how they are read, and what is shown with them. */

import { type Command, InvalidArgumentError, Option } from 'commander';

/** Heads the options that every command has, in its help. */
const COMMON = 'Server and output:';

/** What every command that asks a server understands. */
export function commonOptions(): Option[] {
  return [
    new Option('--url <url>', 'where the server is (LICTOR_URL; else the profile)'),
    new Option('--token-file <file>', 'the file that has the access token (LICTOR_TOKEN_FILE, LICTOR_TOKEN)'),
    new Option('--profile <profile>', 'the profile that is used (LICTOR_PROFILE)'),
    new Option('--ca <file>', 'certificates (PEM) that are trusted besides the system’s (LICTOR_CA_FILE)'),
    new Option('--timeout <seconds>', 'how long a server that is away is waited for').argParser(
      wholeNumber(1, 3_600),
    ),
    new Option('--json', 'answer as JSON, for programs'),
  ].map((option) => option.helpGroup(COMMON));
}

/** The option that shows the help of a command. */
export function helpOption(): Option {
  return new Option('-h, --help', 'show this').helpGroup(COMMON);
}

/**
 * Reads a whole number.
 *
 * @param min - the least.
 * @param max - the most.
 * @returns a reader of an option that throws InvalidArgumentError.
 */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number, ${min} to ${max}.`);
  };
}

/** Adds a text to what was given before, for options that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** `true` or `false`, also as `on`/`off` and `yes`/`no`. */
export function truth(text: string): boolean {
  if (/^(true|on|yes)$/i.test(text)) return true;
  if (/^(false|off|no)$/i.test(text)) return false;
  throw new InvalidArgumentError('It must be true or false.');
}

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Reads an instant, or how long from now: `2027-01-31`, `2027-01-31T12:00:00Z`, `90d`, `12h`.
 *
 * @param nowMs - what `now` is.
 * @param direction - whether a duration leads into the future (1) or the past (-1).
 * @returns a reader of an option that answers the instant in ISO form.
 */
export function instant(nowMs: () => number, direction: 1 | -1): (text: string) => string {
  return (text) => {
    const parts = /^(\d{1,6})([smhdw])$/.exec(text);
    if (parts !== null) {
      return new Date(nowMs() + direction * Number(parts[1]) * UNITS_MS[parts[2]!]!).toISOString();
    }
    if (/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text)) {
      const at = new Date(text);
      if (!Number.isNaN(at.getTime())) return at.toISOString();
    }
    throw new InvalidArgumentError(
      'It must be a date or an instant such as 2027-01-31 or 2027-01-31T12:00:00Z, or a duration such as 90d.',
    );
  };
}

/** The option that ends a list early. */
export function limitOption(): Option {
  return new Option('--limit <number>', 'how many entries at most; all when left out').argParser(
    wholeNumber(1, 1_000_000_000),
  );
}

/**
 * Shows how a command is used, below its help.
 *
 * @param command - the command.
 * @param lines - command lines, each with an explanation behind `#` where it needs one.
 */
export function examples(command: Command, lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

/** What stands in an object, without the members that are undefined. */
export function stated<T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
