/**
 * The displays of an instance as text (F-60; notes 2.7): its key, its counts, the summary, the active licence
 * server. Byte for byte where a sample of the legacy text is known, and otherwise as `docs/reports.md` lays them
 * out. Used by the API, and by instances that report by themselves.
 */

import type { InstanceCounts } from './usagerows.ts';

/** The product generations whose texts differ. */
export type Generation = 'cache' | 'iris';

/** What stands where a server would have to be asked that is away (notes 2.7). */
export const NOT_CONNECTED = 'Not connected to license server';

/** What the key of an instance without a usable one reads as (F-20, notes 3.3). */
export const DEFAULT_CAPACITY_TEXT = 'Default license for configuration diagnosis.';
export const NO_KEY_TEXT = 'License missing or unreadable';

/** The rows of a report are one line each, whatever a user calls himself. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}

const joined = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

/** The units of an instance: of its key, less what its unit limit leaves out. */
export interface Availability {
  /** Null where nobody could be asked. */
  readonly available: number | null;
  readonly availableMin: number | null;
  readonly availableMax: number | null;
}

/** What `CKEY` displays. */
export interface KeyDisplay extends Availability {
  readonly generation: Generation;
  /** The name of the key file; null without a key. */
  readonly file: string | null;
  /** In order; those of the legacy key display first. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

const LABEL_WIDTH = 20;

/** One field of a display: five blanks, and values that start in one column. */
export function fieldLine(name: string, value: string): string {
  return `     ${`${name} =`.padEnd(LABEL_WIDTH - 1)} ${printable(value)}`.trimEnd();
}

const narrow = (count: number | null) => String(count ?? '-').padStart(7);
const wide = (count: number | null) => String(count ?? '-').padStart(8);

/**
 * The layout of `CKEY` (notes 2.7).
 *
 * @param display - the key; where a server would have to be asked for its fields and is away, without any.
 */
export function keyText(display: KeyDisplay): string {
  const { generation, file, fields } = display;
  return joined([
    `${generation === 'iris' ? 'InterSystems IRIS' : 'Cache'} Key display:`,
    file === null ? 'There is no active key file' : `Based on the active key file '${printable(file)}'`,
    '',
    ...(fields.length === 0 ? [NOT_CONNECTED] : fields.map(([name, value]) => fieldLine(name, value))),
    '',
    `     Current Available =${narrow(display.available)}`,
    `     Minimum Available =${narrow(display.availableMin)}`,
    `     Maximum Available =${narrow(display.availableMax)}`,
  ]);
}

/** The date of a key as key files and displays have it: `7/15/2023` (notes 3.1). */
export function keyDateText(date: string | null): string {
  const [year, month, day] = (date ?? '').split('-').map(Number);
  return day === undefined ? '' : `${month}/${day}/${year}`;
}

/** What `ShowCounts` counts on one instance; null where nobody counts it. Users are distinct users (trap 13). */
export interface CountsShown {
  readonly unitsAuthorised: number;
  readonly unitsAvailable: number;
  readonly unitsAvailableMin: number | null;
  readonly users: number;
  readonly usersPeak: number | null;
  readonly webUsers: number;
  readonly webUsersPeak: number | null;
  readonly webInGrace: number;
  readonly webInGracePeak: number | null;
}

/** Picks what `ShowCounts` shows out of the counts of an instance. */
export function countsShown(counts: InstanceCounts): CountsShown {
  const { unitsAuthorised, unitsAvailable, users, webUsers, webGrace } = counts;
  return {
    unitsAuthorised,
    unitsAvailable: unitsAvailable.now,
    unitsAvailableMin: unitsAvailable.minimum,
    users: users.now,
    usersPeak: users.peak,
    webUsers: webUsers.now,
    webUsersPeak: webUsers.peak,
    webInGrace: webGrace.now,
    webInGracePeak: webGrace.peak,
  };
}

/** The nine counts of the newer `ShowCounts`, as the query `Counts` names them (notes 2.6, 2.7). */
export function countLines(counts: CountsShown): readonly (readonly [label: string, count: number | null])[] {
  return [
    ['Total   Authorized LU', counts.unitsAuthorised],
    ['Current Available LU', counts.unitsAvailable],
    ['Minimum Available LU', counts.unitsAvailableMin],
    ['Current Users active', counts.users],
    ['Maximum Users active', counts.usersPeak],
    ['Current CSP Users active', counts.webUsers],
    ['Maximum CSP Users active', counts.webUsersPeak],
    ['Current CSP Sessions in grace period', counts.webInGrace],
    ['Maximum CSP Sessions in grace period', counts.webInGracePeak],
  ];
}

/** The layout of `ShowCounts`: six lines in older versions, nine in newer ones (notes 2.7). */
export function countsText(counts: CountsShown, form: 'older' | 'newer'): string {
  if (form === 'newer') return joined(countLines(counts).map(([label, count]) => `${wide(count)} ${label}`));
  const shown = (count: number | null) => String(count ?? '-');
  return joined([
    `${counts.users} Current active users`,
    `${shown(counts.usersPeak)} Maximum active users`,
    `${counts.webUsers} CSP users currently active`,
    `${shown(counts.webUsersPeak)} Maximum active CSP users`,
    `${counts.webInGrace} CSP sessions currently in 'grace period'`,
    `${shown(counts.webInGracePeak)} Maximum CSP sessions in 'grace period'`,
  ]);
}

/** What `ShowSummary` shows. What it calls users are units (trap 13). */
export interface SummaryShown {
  /** Null when the server that knows it is away. */
  readonly distributed: {
    readonly unitsInUse: number;
    readonly unitsPeak: number;
    readonly unitsEnforced: number;
    readonly unitsAuthorised: number;
  } | null;
  /** Null when no instance was named. */
  readonly local: {
    readonly connections: number;
    readonly units: number;
    readonly connectionsPeak: number | null;
    readonly unitsPeak: number | null;
  } | null;
}

/** The layout of `ShowSummary` (notes 2.7); only Caché has the line of the enforced units. */
export function summaryText({ distributed, local }: SummaryShown, generation: Generation): string {
  const lines = ['License Server summary view of active key.', '', '     Distributed license use:'];
  if (distributed === null) lines.push(NOT_CONNECTED);
  else {
    lines.push(
      `Current License Units Used =${wide(distributed.unitsInUse)}`,
      `Maximum License Units Used =${wide(distributed.unitsPeak)}`,
    );
    if (generation === 'cache') lines.push(`License Units     Enforced =${wide(distributed.unitsEnforced)}`);
    lines.push(`License Units   Authorized =${wide(distributed.unitsAuthorised)}`);
  }
  if (local !== null) {
    lines.push(
      '',
      '     Local license use:',
      `Current Connections =${narrow(local.connections)}  Maximum Connections =${narrow(local.connectionsPeak)}`,
      `Current Users       =${narrow(local.units)}  Maximum Users       =${narrow(local.unitsPeak)}`,
    );
  }
  return joined(lines);
}

/** The layout of `ShowServer` (F-16), of which no sample is known. */
export function activeServerText(active: { readonly address: string; readonly port: number } | null): string {
  if (active === null) return joined([NOT_CONNECTED]);
  return joined([
    'Active license server:',
    '',
    fieldLine('Address', active.address),
    fieldLine('Port', String(active.port)),
  ]);
}

/** `ShowServer` with a key that is not shared, which needs no licence server (notes 2.7). */
export const SINGLE_SERVER_TEXT = 'Not applicable: the active key is for a single server\n';

/** What a terminal shows once a local dump was written (notes 2.7). */
export function dumpedText(entries: number, path: string): string {
  return `${entries} entries dumped to ${path}\n`;
}

/** What a terminal shows once a dump of the licence server was written (notes 2.7). */
export function serverDumpedText(path: string): string {
  return `License server database dumped to: ${path}\n`;
}
