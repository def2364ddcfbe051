/**
 * What the benchmarks are told on their command line.
 */

import { parseArgs } from 'node:util';

/** The parts of a run, in the order in which they run. */
export const PARTS = [
  'hot',
  'keys',
  'refusals',
  'heartbeats',
  'logout',
  'pair',
  'disk',
  'steady',
  'guards',
  'updates',
  'local',
  'udp',
  'sizes',
  'restart',
  'dump',
  'cold',
] as const;

export type Part = (typeof PARTS)[number];

/** A run's size. */
export interface Options {
  readonly parts: ReadonlySet<Part>;
  /** Numbers of clients, each of which sends its next request when it has the answer to the last. */
  readonly clients: readonly number[];
  readonly rounds: number;
  /** Length of one measurement, in seconds. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Length of the mix of logins and logouts over which the fold's lag is watched, in seconds. */
  readonly steadySeconds: number;
  /** Logins in the table for the cells that compare table sizes; the last is what a restart loads. */
  readonly sizes: readonly number[];
  /** Measure nothing but take a CPU profile of the server in the hot cells. */
  readonly profile: boolean;
}

export const USAGE = `npm run bench -- [options]

  --only hot,refusals    only these parts: ${PARTS.join(', ')}
  --clients 8,64,256     how many clients send at the same time
  --seconds 3            length of one measurement
  --rounds 3             how often everything is measured, all cells in turn
  --steady 60            seconds of the mix over which the fold's lag is watched
  --quick                one round of one second, small tables: to see that it works, not to believe it
  --profile              no measurements: a CPU profile of the server under logins on one key
  --help                 this text
`;

/** Goals compare with the bare route at these numbers of clients; the others inform. */
const CLIENTS = [8, 64, 256];
const SIZES = [1_000, 100_000, 1_000_000];
const QUICK_SIZES = [1_000, 10_000, 50_000];

/**
 * Reads the command line.
 * @param args - without the program's name.
 * @returns null when the help was asked for.
 * @throws Error that names what is wrong.
 */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      clients: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      steady: { type: 'string' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const { quick } = values;
  const number = (text: string | undefined, fallback: number, name: string, max: number): number =>
    text === undefined ? fallback : readNumber(text, name, max);
  return {
    parts: readParts(values.only),
    clients:
      values.clients === undefined
        ? CLIENTS
        : values.clients.split(',').map((text) => readNumber(text, '--clients', 4096)),
    rounds: number(values.rounds, quick ? 1 : 3, '--rounds', 100),
    seconds: number(values.seconds, quick ? 1 : 3, '--seconds', 600),
    warmUpSeconds: 1,
    steadySeconds: number(values.steady, quick ? 6 : 60, '--steady', 3600),
    sizes: quick ? QUICK_SIZES : SIZES,
    profile: values.profile,
  };
}

function readParts(only: string | undefined): ReadonlySet<Part> {
  if (only === undefined) return new Set(PARTS);
  const parts = only.split(',').map((name) => {
    const part = PARTS.find((known) => known === name.trim());
    if (part === undefined) throw new Error(`"${name}" is not a part. The parts are ${PARTS.join(', ')}.`);
    return part;
  });
  return new Set(parts);
}

function readNumber(text: string, name: string, max: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`${name} must be a whole number from 1 to ${max}, not "${text}".`);
}
